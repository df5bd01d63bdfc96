//! Verifies the totals of all publishers, a slice at a time, round after round.

use crate::domain::error::Result;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::totals::{Checked, verify_next};
use crate::telemetry::Metrics;

/// Verifies one slice: of the publisher whose totals were looked at longest ago, the one behind the last. Nothing where
/// there is no publisher with facts.
///
/// # Errors
/// When the database fails.
pub async fn tick(store: &Store, now: Instant) -> Result<Option<Checked>> {
    verify_next(store, now).await
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
            "totals differ from the facts: `actiongraph verify` says where, `actiongraph rebuild --publisher {}` repairs them",
            checked.publisher
        );
    }
}
