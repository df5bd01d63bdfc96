//! `actiongraph migrate`: brings the tables up to this version.

use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use super::{Database, Outcome, block_on, migrate, open_for_long};

/// Flags of `migrate`.
#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(args: &MigrateArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open_for_long(&settings).await?;
        migrate(&store, output).await?;
        output.line(&format!(
            "{}: tables and totals are those of this version.",
            store.describe()
        ))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
