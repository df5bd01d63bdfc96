//! Verifying in rounds: which slice comes next, and what this round has found.

use super::{Drift, Slice, slices, verify};
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::time::Instant;
use crate::domain::totals::LAYOUT;
use crate::store::connect::Store;
use crate::store::listing::column;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::ReadTx;
use entity::totals_task;
use std::time::Duration;

/// The word of this task in its table.
pub(super) const TASK: &str = "VERIFY";
/// How long a statement may take that compares a slice: nobody waits for it.
const STATEMENT_TIME: Duration = Duration::from_secs(600);

/// What one step of verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The publisher's slug.
    pub publisher: String,
    /// The slice.
    pub slice: Slice,
    /// What differs in it.
    pub drifts: Vec<Drift>,
    /// Rows that were found to differ since this round over the publisher's slices began.
    pub drift_rows: i64,
}

/// A step that could not be done.
#[derive(Debug)]
pub struct Unchecked {
    /// The publisher whose turn it was; none where not even that could be read.
    pub publisher: Option<String>,
    /// Why.
    pub error: Error,
}

impl From<Error> for Unchecked {
    fn from(error: Error) -> Self {
        Self {
            publisher: None,
            error,
        }
    }
}

/// A publisher and how far verifying it has come.
struct Turn {
    publisher: PublisherId,
    slug: String,
    next_slice: Option<i64>,
    drift_rows: i64,
}

/// Verifies the next slice of the publisher whose turn it is, and notes that. Nothing where nobody has facts.
///
/// A slice that could not be compared has had its turn as well, and its publisher: the others come next, and it is tried
/// again in the next round.
///
/// # Errors
/// When the database fails.
pub async fn verify_next(
    store: &Store,
    now: Instant,
) -> std::result::Result<Option<Checked>, Unchecked> {
    for turn in turns(store).await? {
        let tx = ReadTx::patient(store, STATEMENT_TIME);
        let all = match slices(&tx, turn.publisher, None).await {
            Ok(all) => all,
            Err(error) => {
                note(store, &turn, (turn.next_slice, turn.drift_rows), now).await?;
                return Err(turn.failed(error));
            }
        };
        let next = turn.next_slice.unwrap_or(0);
        let behind = all.iter().position(|slice| slice.number() >= next);
        let place = behind.unwrap_or(0);
        let Some(slice) = all.get(place).copied() else {
            continue;
        };
        let found = verify(&tx, turn.publisher, slice).await;
        drop(tx);
        let begins = behind.is_none() || turn.next_slice.is_none();
        let before = if begins { 0 } else { turn.drift_rows };
        let drifts = found.as_deref().unwrap_or_default();
        let drift_rows = before + drifts.iter().map(|drift| drift.rows).sum::<i64>();
        let following = all.get(place + 1).map(|slice| slice.number());
        note(store, &turn, (following, drift_rows), now).await?;
        return match found {
            Ok(drifts) => Ok(Some(Checked {
                publisher: turn.slug,
                slice,
                drifts,
                drift_rows,
            })),
            Err(error) => Err(turn.failed(error)),
        };
    }
    Ok(None)
}

impl Turn {
    fn failed(self, error: Error) -> Unchecked {
        Unchecked {
            publisher: Some(self.slug),
            error,
        }
    }
}

/// Notes that a publisher had its turn: which slice comes next, and how many rows were found to differ.
async fn note(
    store: &Store,
    turn: &Turn,
    (next_slice, drift_rows): (Option<i64>, i64),
    now: Instant,
) -> Result<()> {
    let row = totals_task::Model {
        publisher_id: turn.publisher.0,
        task: TASK.to_owned(),
        layout: LAYOUT,
        next_slice,
        drift_rows,
        updated_at_us: now.micros(),
    };
    store
        .write(async |tx| insert(tx, std::slice::from_ref(&row), Conflict::Replace).await)
        .await
        .map(|_| ())
}

/// The publishers, the one that was looked at longest ago first: one statement.
async fn turns(store: &Store) -> Result<Vec<Turn>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.id, p.slug, t.next_slice, COALESCE(t.drift_rows, 0) AS drift_rows FROM publishers p \
         LEFT JOIN totals_tasks t ON t.publisher_id = p.id AND t.task = ",
    )
    .bind(TASK);
    sql.push(" AND t.layout = ").bind(LAYOUT);
    sql.push(" ORDER BY COALESCE(t.updated_at_us, 0), p.id");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Turn {
                publisher: PublisherId(column(row, "id")?),
                slug: column(row, "slug")?,
                next_slice: column(row, "next_slice")?,
                drift_rows: column(row, "drift_rows")?,
            })
        })
        .collect()
}
