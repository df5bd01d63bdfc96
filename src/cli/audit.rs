//! `actiongraph audit`: the trail of what was done.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, table};
use super::{Database, Outcome, block_on, open, publisher};
use crate::domain::page::PageRequest;
use crate::domain::scope::WriteScope;
use crate::store::ReadTx;
use crate::store::audit::trail;

/// Flags of `audit`.
#[derive(Args)]
pub(super) struct AuditArgs {
    /// Whose trail
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// How many entries, the latest first
    #[arg(long, value_name = "COUNT", default_value = "100")]
    last: u32,
    #[command(flatten)]
    database: Database,
}

/// Prints a publisher's trail.
pub(super) fn run(args: &AuditArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let scope = WriteScope::for_entrance(publisher.id).read();
        let page = PageRequest {
            size: args.last,
            forward: true,
            after: None,
            before: None,
        };
        let page = trail(&ReadTx::new(&store), scope, &page).await?;
        let rows: Vec<Vec<String>> = page
            .rows
            .into_iter()
            .map(|(entry, _)| {
                vec![
                    entry.at.to_rfc3339(),
                    entry.actor.name,
                    entry.actor.address.unwrap_or_else(|| "-".to_owned()),
                    entry.deed.act.as_str().to_owned(),
                    entry.deed.subject,
                    entry.deed.detail,
                ]
            })
            .collect();
        if rows.is_empty() {
            output.note("Nothing was done to this publisher's keys, segments and settings yet.");
        } else {
            output.print(&table(
                &["WHEN", "WHO", "FROM", "WHAT", "TO", "SINCE THEN"],
                &rows,
            ))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
