//! `actiongraph sync`: reads what is new in the configured accounts, once or for as long as it runs.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use tokio::sync::watch;

use super::accounts::{Wanted, syncs};
use super::output::{Output, thousands};
use super::progress::Pages;
use super::{Database, Failure, Outcome, block_on, migrate, open, told_to_stop};
use crate::clock::Clock;
use crate::domain::error::Error;
use crate::domain::sync::AccountState;
use crate::domain::time::Instant;
use crate::ingest::admitad::tick::{self, Sync};
use crate::settings::Settings;
use crate::worker::sync::{Unfinished, Watch, once, run as keep};

/// The exit code when records were refused.
const SOME_REJECTED: u8 = 3;

/// Flags of `sync`.
#[derive(Args)]
pub(super) struct SyncArgs {
    /// Read everything that is due once, and end
    #[arg(long)]
    once: bool,
    /// Only the account of this name; PUBLISHER/NAME where several publishers have one of it
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(args: &SyncArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    super::serve::start_log(&settings)?;
    if settings.accounts.is_empty() {
        return Err(Failure::usage("no account is configured").hint(
            "Write one into the configuration file (`actiongraph serve --print-defaults` shows how), or set \
             ACTIONGRAPH_ADMITAD_PUBLISHER, _CLIENT_ID and _CLIENT_SECRET.",
        ));
    }
    block_on(async {
        let store = open(&settings).await?;
        migrate(&store, output).await?;
        let outcome = sync(args, &settings, &store, output).await;
        store.close().await;
        outcome
    })
}

async fn sync(
    args: &SyncArgs,
    settings: &Settings,
    store: &crate::store::Store,
    output: &Output,
) -> Outcome {
    let clock = Clock::system();
    let wanted = args.account.clone().map_or(Wanted::All, Wanted::Called);
    let tell = |words: &str| output.note(words);
    let mut syncs = syncs(store, settings, &clock, Some(&wanted), &tell).await?;
    if syncs.is_empty() {
        let known: Vec<String> = settings
            .accounts
            .iter()
            .map(|account| format!("{}/{}", account.publisher, account.name))
            .collect();
        return Err(Failure::usage(format!(
            "no such account: {} (configured: {})",
            args.account.as_deref().unwrap_or_default(),
            known.join(", ")
        )));
    }
    let (stop, stopped) = watch::channel(false);
    let shown = Shown::new(output);
    let work = async {
        if !args.once {
            keep(&mut syncs, &clock, &shown, stopped, settings.shutdown).await;
            return Ok(Vec::new());
        }
        let mut ends = Vec::new();
        for sync in &mut syncs {
            let end = once(sync, &clock, &shown, stopped.clone()).await?;
            ends.push((named(sync), end));
        }
        Ok::<_, Failure>(ends)
    };
    let signal = async {
        told_to_stop().await;
        stop.send_replace(true);
        std::future::pending::<()>().await;
    };
    let ends = tokio::select! {
        ends = work => ends?,
        () = signal => Vec::new(),
    };
    let rejected = shown.report(output)?;
    ended(&ends)?;
    Ok(if rejected > 0 {
        ExitCode::from(SOME_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// What went wrong, if something did.
fn ended(ends: &[(String, Result<(), Unfinished>)]) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    for (name, end) in ends {
        match end {
            Ok(()) => {}
            Err(Unfinished::Failed(messages)) => {
                wrong.extend(messages.iter().map(|message| format!("{name}: {message}")));
            }
            Err(Unfinished::Elsewhere) => wrong.push(format!(
                "{name}: another process fetches this account on this database"
            )),
            Err(Unfinished::Stopped) => wrong.push(format!("{name}: stopped")),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(wrong.join("\n"))
        .hint("What was read so far is stored. Run the same command again for the rest."))
}

fn named(sync: &Sync) -> String {
    format!("{}/{}", sync.publisher().slug, sync.account())
}

/// What was read of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    read: u64,
    inserted: u64,
    updated: u64,
    deleted: u64,
    rejected: u64,
}

/// Shows the steps on a terminal, and sums up.
struct Shown<'a> {
    output: &'a Output,
    held: Mutex<(Pages, BTreeMap<String, Sums>)>,
}

impl<'a> Shown<'a> {
    fn new(output: &'a Output) -> Self {
        Self {
            output,
            held: Mutex::new((Pages::new(output), BTreeMap::new())),
        }
    }

    /// Prints what was read; gives how many records were refused.
    fn report(&self, output: &Output) -> Result<u64, Failure> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.clear();
        let mut rejected = 0;
        for (name, sums) in &held.1 {
            rejected += sums.rejected;
            output.line(&told(name, sums))?;
        }
        Ok(rejected)
    }
}

/// The closing report of an account.
fn told(name: &str, sums: &Sums) -> String {
    let mut text = format!(
        "{name}: {} records read, {} new, {} updated",
        thousands(sums.read),
        thousands(sums.inserted),
        thousands(sums.updated)
    );
    if sums.deleted > 0 {
        text.push_str(&format!(
            ", {} gone at the network",
            thousands(sums.deleted)
        ));
    }
    if sums.rejected > 0 {
        text.push_str(&format!(
            ", {} rejected (ask the API for the rejects of its runs)",
            thousands(sums.rejected)
        ));
    }
    text
}

impl Watch for Shown<'_> {
    fn stepped(&self, sync: &Sync, outcome: &tick::Outcome) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (pages, sums) = &mut *held;
        let sums = sums.entry(named(sync)).or_default();
        match outcome {
            tick::Outcome::Worked(work) => {
                sums.read += work.read;
                sums.inserted += work.inserted;
                sums.updated += work.updated;
                sums.deleted += work.deleted;
                sums.rejected += work.rejected;
                let what = format!("{}: {}", named(sync), work.what);
                pages.at(&what, work.page, work.pages, sums.inserted + sums.updated);
            }
            tick::Outcome::Failed { message, .. } | tick::Outcome::LeftOut { message, .. } => {
                pages.clear();
                self.output.note(&format!("{}: {message}", named(sync)));
            }
            _ => {}
        }
    }

    fn stands(&self, _: &Sync, _: &AccountState, _: Instant) {}

    fn database(&self, sync: &Sync, error: &Error) {
        self.output.note(&format!("{}: {error}", named(sync)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_what_came_and_only_what_is_worth_a_word() {
        let mut sums = Sums {
            read: 12_345,
            inserted: 12_000,
            updated: 45,
            ..Sums::default()
        };
        assert_eq!(
            told("my-blog/admitad", &sums),
            "my-blog/admitad: 12,345 records read, 12,000 new, 45 updated"
        );
        sums.deleted = 2;
        sums.rejected = 1;
        assert!(
            told("x", &sums).ends_with(
                "45 updated, 2 gone at the network, 1 rejected (ask the API for the rejects of its runs)"
            )
        );
    }
}
