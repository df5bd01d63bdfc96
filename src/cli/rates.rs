//! `actiongraph rates`: brings exchange rates in, for reports that convert.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::Output;
use super::{Database, Failure, Outcome, block_on, open};
use crate::domain::report::rates::parse_csv;
use crate::store::rates;

/// What can be done with exchange rates.
#[derive(Subcommand)]
pub(super) enum RatesCommand {
    /// Store the rates of a CSV file with the columns from, to, day and rate
    Import(ImportArgs),
}

/// Flags of `rates import`.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// The file: what one unit of `from` is worth in `to` from the day on; a rate that is known is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(command: &RatesCommand, output: &Output) -> Outcome {
    match command {
        RatesCommand::Import(args) => import(args, output),
    }
}

fn import(args: &ImportArgs, output: &Output) -> Outcome {
    let place = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::new(format!("cannot read {place}: {error}")))?;
    let read = parse_csv(&text).map_err(|faults| {
        let list: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        Failure::new(format!(
            "{place} has no rates that can be used:{}",
            list.concat()
        ))
        .hint("Nothing was stored. Mend these lines and run the command again.")
    })?;
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let stored = rates::save(&store, &read).await?;
        output.line(&format!("{stored} exchange rates are stored."))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
