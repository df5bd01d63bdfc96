//! Verifying in rounds: which slice comes next, and what this round has found.

use super::{Drift, Slice, slices, verify};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::time::Instant;
use crate::domain::totals::LAYOUT;
use crate::store::connect::Store;
use crate::store::listing::column;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::ReadTx;
use entity::totals_task;

/// The word of this task in its table.
const TASK: &str = "VERIFY";

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

/// A publisher and how far verifying it has come.
struct Turn {
    publisher: PublisherId,
    slug: String,
    next_slice: Option<i64>,
    drift_rows: i64,
}

/// Verifies the next slice of the publisher whose turn it is, and notes that. Nothing where nobody has facts.
///
/// # Errors
/// When the database fails.
pub async fn verify_next(store: &Store, now: Instant) -> Result<Option<Checked>> {
    for turn in turns(store).await? {
        let tx = ReadTx::new(store);
        let all = slices(&tx, turn.publisher, None).await?;
        let next = turn.next_slice.unwrap_or(0);
        let behind = all.iter().position(|slice| slice.number() >= next);
        let place = behind.unwrap_or(0);
        let Some(slice) = all.get(place).copied() else {
            continue;
        };
        let drifts = verify(&tx, turn.publisher, slice).await?;
        drop(tx);
        let begins = behind.is_none() || turn.next_slice.is_none();
        let before = if begins { 0 } else { turn.drift_rows };
        let drift_rows = before + drifts.iter().map(|drift| drift.rows).sum::<i64>();
        let row = totals_task::Model {
            publisher_id: turn.publisher.0,
            task: TASK.to_owned(),
            layout: LAYOUT,
            next_slice: all.get(place + 1).map(|slice| slice.number()),
            drift_rows,
            updated_at_us: now.micros(),
        };
        store
            .write(async |tx| insert(tx, std::slice::from_ref(&row), Conflict::Replace).await)
            .await?;
        return Ok(Some(Checked {
            publisher: turn.slug,
            slice,
            drifts,
            drift_rows,
        }));
    }
    Ok(None)
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
