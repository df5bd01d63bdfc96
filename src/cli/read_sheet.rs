//! `actiongraph read-sheet`: what an import starts to read a workbook in a process of its own. Not for people.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Outcome};
use crate::ingest::format::sheet::child::{UNWRITTEN, read_sheet};

/// Flags of `read-sheet`.
#[derive(Args)]
pub(super) struct ReadSheetArgs {
    /// The workbook
    path: PathBuf,
}

pub(super) fn run(args: &ReadSheetArgs) -> Outcome {
    let mut out = BufWriter::new(std::io::stdout().lock());
    read_sheet(&args.path, &mut out)
        .and_then(|()| out.flush())
        .map_err(|error| Failure {
            code: UNWRITTEN,
            ..Failure::new(error.to_string())
        })?;
    Ok(ExitCode::SUCCESS)
}
