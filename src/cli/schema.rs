//! `actiongraph schema`: prints the schema, without a database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use super::{Failure, Outcome};
use crate::graphql;

/// Flags of `schema`.
#[derive(Args)]
pub(super) struct SchemaArgs {
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &SchemaArgs, output: &Output) -> Outcome {
    let sdl = graphql::sdl();
    match &args.output {
        None => output.print(&sdl)?,
        Some(path) => std::fs::write(path, sdl)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?,
    }
    Ok(ExitCode::SUCCESS)
}
