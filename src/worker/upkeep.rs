//! Verifies the totals of all publishers, a slice at a time, round after round; and puts an end to runs whose process
//! is gone.

use std::time::Duration;

use crate::domain::error::Result;
use crate::domain::scope::WriteScope;
use crate::domain::sync::before;
use crate::domain::time::Instant;
use crate::store::totals::{Checked, Unchecked, verify_next};
use crate::store::{Store, imports, publishers, sync};
use crate::telemetry::Metrics;

/// After how long without a sign of life a run's process is taken for gone: a batch of records takes seconds,
/// and a minute at most passes between two signs of an import that reads its input.
const SILENCE: Duration = Duration::from_secs(900);
/// How long runs of the sync are kept that brought nothing.
const IDLE_KEPT: Duration = Duration::from_secs(3 * 86_400);

/// How many rejected records one step removes at most: with their raw texts, a few megabytes.
const FORGOTTEN: u32 = 1_000;

/// Verifies one slice: of the publisher whose totals were looked at longest ago, the one behind the last. Nothing where
/// there is no publisher with facts.
///
/// # Errors
/// When the database fails.
pub async fn tick(store: &Store, now: Instant) -> std::result::Result<Option<Checked>, Unchecked> {
    verify_next(store, now).await
}

/// Counts a step that could not be done, and says so.
pub fn report_failure(unchecked: &Unchecked, metrics: &Metrics) {
    let Unchecked { publisher, error } = unchecked;
    metrics.totals_unverified(publisher.as_deref().unwrap_or_default());
    let cause = error.cause().map(ToString::to_string);
    tracing::warn!(
        publisher,
        cause,
        "a slice of totals could not be verified: {error}"
    );
}

/// Counts what a step found, and says so where totals differ from the facts.
pub fn report(checked: Option<&Checked>, metrics: &Metrics) {
    let Some(checked) = checked else { return };
    metrics.totals_verified(&checked.publisher, checked.drift_rows);
    for drift in &checked.drifts {
        tracing::error!(
            publisher = checked.publisher,
            table = drift.table,
            rows = drift.rows,
            example = drift.examples.first(),
            "totals differ from the facts: `actiongraph verify` says where, `actiongraph rebuild --afresh --publisher {}` repairs them",
            checked.publisher
        );
    }
}

/// Notes runs as failed whose process is gone, and forgets old ones of the sync that brought nothing; gives how many were
/// noted. Two servers that do so at once do the same.
///
/// # Errors
/// When the database fails.
pub async fn end_silent_runs(store: &Store, now: Instant) -> Result<u64> {
    let mut ended = 0;
    for publisher in publishers::list(store).await? {
        let scope = WriteScope::for_entrance(publisher.id);
        let here = sync::end_silent_runs(store, scope, before(now, SILENCE), now).await?;
        if here > 0 {
            tracing::warn!(
                publisher = publisher.slug,
                runs = here,
                "imports ended without a word: they are noted as failed and can be repeated"
            );
        }
        ended += here;
        sync::forget_idle_runs(store, scope, before(now, IDLE_KEPT)).await?;
    }
    Ok(ended)
}

/// Removes a thousand rejected records at most, of one publisher, whose runs ended longer ago than they are `kept`; tells
/// whether there may be more. What runs say of themselves stays.
///
/// # Errors
/// When the database fails.
pub async fn forget_rejects(store: &Store, kept: Duration, now: Instant) -> Result<bool> {
    for publisher in publishers::list(store).await? {
        let scope = WriteScope::for_entrance(publisher.id);
        let until = before(now, kept);
        if imports::forget_rejects(store, scope, until, FORGOTTEN).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
