//! `actiongraph migrate`: brings the tables up to this version.

use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use super::{Database, Outcome, block_on, open};

/// Flags of `migrate`.
#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(args: &MigrateArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.migrate().await?;
        output.line(&format!(
            "{}: the tables are those of this version.",
            store.describe()
        ))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
