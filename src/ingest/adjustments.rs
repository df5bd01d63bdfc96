//! A ledger into the write path: the whole of a file, with the counters of its run, in one transaction.

use super::ledger;
use super::pipeline::{Entrance, ImportReport, check_as_of, run_id};
use crate::domain::error::{Code, Error, Result};
use crate::domain::ledger::LedgerInput;
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::ledger::{LedgerBatch, write_adjustments};
use crate::store::imports::{NewRun, begin, finish};
use std::path::Path;
use uuid::Uuid;

/// How many rejected lines a report shows.
const SHOWN_REJECTS: usize = 5;

/// How a ledger is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// What the run is called: the file's name.
    pub name: String,
    /// Whose balance it tells of.
    pub account: String,
    /// When it was taken; now where nothing is said, so that a line that was corrected replaces the wrong one.
    pub as_of: Option<Instant>,
    /// Offset of the account's local times, in minutes east of UTC.
    pub offset_minutes: i32,
}

/// Imports the ledger at `path`: all of its lines that can be understood, or nothing.
///
/// # Errors
/// When the file was taken in the future or cannot be read to its end, or the database fails. Lines that cannot be
/// understood are no error: they are kept, counted and reported.
pub async fn import_ledger(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    options: &LedgerOptions,
    now: &(dyn Fn() -> Instant + Sync),
) -> Result<ImportReport> {
    let started_at = now();
    let as_of = options.as_of.unwrap_or(started_at);
    check_as_of(as_of, started_at).map_err(|message| Error::bad_input("as_of", message))?;
    let run = NewRun {
        id: run_id(started_at)?,
        entrance: Entrance::Adjustments.as_str(),
        name: options.name.clone(),
        started_at,
        as_of,
    };
    begin(store, scope, &run).await?;
    let outcome = read_and_write(store, scope, path, options, (run.id, as_of, now())).await;
    let (state, message) = match &outcome {
        Ok(report) if report.rejected == 0 => (RunState::Succeeded, None),
        Ok(_) => (RunState::Partial, None),
        Err(error) => (RunState::Failed, Some(error.message())),
    };
    finish(store, scope, run.id, now(), (state, message)).await?;
    outcome
}

async fn read_and_write(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    options: &LedgerOptions,
    (run_id, observed_at, now): (Uuid, Instant, Instant),
) -> Result<ImportReport> {
    let (path, offset) = (path.to_owned(), options.offset_minutes);
    let input: LedgerInput = tokio::task::spawn_blocking(move || ledger::read(&path, offset))
        .await
        .map_err(Error::internal)?
        .map_err(|sentence| Error::new(Code::BadUserInput, sentence))?;
    let batch = LedgerBatch {
        run_id,
        account: &options.account,
        input: &input,
        observed_at,
        now,
    };
    let applied = write_adjustments(store, scope, batch).await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let lines = u64::try_from(input.adjustments.len()).unwrap_or(u64::MAX);
    Ok(ImportReport {
        run_id,
        read: lines + input.passed_over + input.rejected,
        inserted: count(applied.inserted),
        updated: count(applied.updated),
        unchanged: count(applied.unchanged),
        stale: count(applied.stale),
        rejected: input.rejected,
        rounded: input.rounded,
        first_rejects: input.rejects.into_iter().take(SHOWN_REJECTS).collect(),
        ..ImportReport::default()
    })
}
