//! `actiongraph documents`: the file of documents that a server trusts, made of documents as they are written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use super::{Failure, Outcome};
use crate::access::documents::sha256;
use crate::graphql::document::{DocumentLimits, Documents};
use crate::graphql::sdl;

/// Flags of `documents`.
#[derive(Args)]
pub(super) struct DocumentsArgs {
    /// Files with a document each, or folders of .graphql files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &DocumentsArgs, output: &Output) -> Outcome {
    let documents = Documents::new(&sdl(), DocumentLimits::default()).map_err(Failure::new)?;
    let mut known = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in files(&args.paths)? {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        if let Err(errors) = documents.validate(&text) {
            let said = errors
                .iter()
                .map(|error| format!("{}: {}", path.display(), error.message));
            wrong.extend(said);
        }
        known.insert(sha256(&text), text);
    }
    if !wrong.is_empty() {
        return Err(Failure::new(wrong.join("\n")));
    }
    let text = serde_json::to_string_pretty(&known)
        .map_err(|error| Failure::new(format!("cannot write the documents: {error}")))?;
    match &args.output {
        None => output.print(&format!("{text}\n"))?,
        Some(path) => std::fs::write(path, format!("{text}\n"))
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot read {}: {error}", path.display()))
}

/// The files that are named, and those of the folders that are.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let mut inside: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "graphql"))
            .collect();
        if inside.is_empty() {
            let words = format!("{} holds no .graphql file", path.display());
            return Err(Failure::usage(words));
        }
        inside.sort();
        found.append(&mut inside);
    }
    Ok(found)
}
