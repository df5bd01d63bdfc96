//! `actiongraph adjustments`: brings deductions, fines and payouts in.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::accounts::find_or_create;
use super::import::{SOME_REJECTED, shown, slug, time, told};
use super::output::Output;
use super::{Database, Failure, Outcome, block_on, migrate, now, open};
use crate::clock::Clock;
use crate::domain::scope::WriteScope;
use crate::domain::time::{Instant, parse_offset};
use crate::ingest::adjustments::{LedgerOptions, import_ledger};

/// What can be done with adjustments.
#[derive(Subcommand)]
pub(super) enum AdjustmentsCommand {
    /// Store the deductions, fines, payouts and the like of a CSV file: Admitad's balance history, or a table of one's own
    Import(ImportArgs),
}

/// Flags of `adjustments import`.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// A CSV file, also gzipped, with the columns date, amount, currency and kind (or comment); operation, reference,
    /// program and ad space where there are any
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose balance it tells of: a name such as my-blog; it is created when it is new
    #[arg(long, value_name = "NAME", value_parser = slug)]
    publisher: String,
    /// The account at Admitad, where the publisher has several
    #[arg(long, value_name = "ACCOUNT", default_value = "admitad")]
    account: String,
    /// When the file was taken, such as 2026-05-03T10:00:00Z: a line with a reference replaces what was taken before
    /// [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Instant>,
    /// The offset of times in the file
    #[arg(long, value_name = "OFFSET", value_parser = parse_offset, default_value = "+03:00", allow_hyphen_values = true)]
    utc_offset: i32,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(command: &AdjustmentsCommand, output: &Output) -> Outcome {
    match command {
        AdjustmentsCommand::Import(args) => import(args, output),
    }
}

fn import(args: &ImportArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        if !args.file.is_file() {
            let message = format!("{} is no file that can be read", args.file.display());
            return Err(Failure::new(message));
        }
        let store = open(&settings).await?;
        migrate(&store, output).await?;
        let clock = Clock::system();
        let publisher = find_or_create(&store, &args.publisher, now(&clock), &|text| {
            output.note(text);
        })
        .await?;
        let options = LedgerOptions {
            name: shown(&args.file),
            account: args.account.clone(),
            as_of: args.as_of,
            offset_minutes: args.utc_offset,
        };
        let scope = WriteScope::for_entrance(publisher.id);
        let asked = || now(&clock);
        let imported = import_ledger(&store, scope, &args.file, &options, &asked).await;
        let report = imported
            .map_err(|error| Failure::from(error).hint("Nothing of the file was stored."))?;
        output.line(&told(&options.name, &publisher, &store.describe(), &report))?;
        store.close().await;
        Ok(if report.rejected == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(SOME_REJECTED)
        })
    })
}
