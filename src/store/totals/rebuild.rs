//! Makes totals anew from the facts.

use super::{Slice, rounds, slices, steps};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::domain::totals::LAYOUT;
use crate::store::apply::lock;
use crate::store::connect::Store;
use crate::store::listing::column;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::{ReadTx, WriteTx};
use entity::totals_task;
use sea_orm::DbErr;
use std::time::Duration;

/// The word in the table of tasks for making totals of this version's layout, without which nobody is served.
pub(super) const TASK: &str = "REBUILD";
/// The word for making totals anew that are of this layout already: whether it is through or was stopped, they are served.
const REPAIR: &str = "REPAIR";

/// How long a statement may take that makes cells anew: seconds, but on a machine that has much else to do.
const STATEMENT_TIME: Duration = Duration::from_secs(3_600);
/// Of how many actions a transaction makes cells anew, while whoever writes for their publisher waits: less than a second's
/// work.
const STEP: i64 = 20_000;

/// How a rebuild is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whether it begins with the first slice, also where an earlier one was stopped half-way.
    pub afresh: bool,
    /// Of how many actions a transaction makes cells anew at most, and of a day at least.
    pub step: i64,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            afresh: false,
            step: STEP,
        }
    }
}

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Slices that are done.
    pub done: usize,
    /// Slices in all.
    pub of: usize,
}

/// What a rebuild that is through has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Slices in all.
    pub slices: usize,
    /// How many of them it passed over, because one that was stopped had rebuilt them.
    pub passed_over: usize,
}

/// Rebuilds all totals of a publisher, slice by slice, and says after each how far it is; what actions say of their carts is
/// made anew with them. A rebuild that was stopped goes on where it was, unless it begins afresh. Each step raises the version
/// of the publisher's data: answers can be others from then on.
///
/// # Errors
/// When the database fails; what was rebuilt until then stays.
pub async fn rebuild(
    store: &Store,
    scope: WriteScope,
    now: Instant,
    manner: Manner,
    mut progress: impl FnMut(Rebuilt),
) -> Result<Finished> {
    let store = &store.with_write_time(STATEMENT_TIME);
    let publisher = scope.publisher();
    let tx = ReadTx::new(store);
    let all = slices(&tx, publisher, None).await?;
    let is_behind = !find_behind(&tx, Some(publisher)).await?.is_empty();
    let task = if is_behind { TASK } else { REPAIR };
    let next = if manner.afresh {
        None
    } else {
        resume(&tx, publisher, task).await?
    };
    drop(tx);
    let of = all.len();
    let is_done = |slice: &&Slice| next.is_some_and(|next| slice.number() < next);
    let passed_over = all.iter().take_while(is_done).count();
    for (place, slice) in all.iter().enumerate().skip(passed_over) {
        let steps = steps::of_slice(&ReadTx::new(store), publisher, *slice, manner.step).await?;
        let last = steps.len().saturating_sub(1);
        for (number, step) in steps.iter().enumerate() {
            store
                .write(async |tx| {
                    lock(tx, publisher).await?;
                    for part in step {
                        part.make(tx, publisher).await?;
                    }
                    raise_version(tx, publisher).await?;
                    if number < last {
                        return Ok(());
                    }
                    let behind_it = slice.number() + 1;
                    note(tx, publisher, (task, Some(behind_it)), now).await
                })
                .await?;
        }
        progress(Rebuilt {
            done: place + 1,
            of,
        });
    }
    store
        .write(async |tx| finish(tx, publisher, passed_over == 0, now).await)
        .await?;
    Ok(Finished {
        slices: of,
        passed_over,
    })
}

/// Raises the version of a publisher's data, also where a step has made the same rows as were there: to find that out would
/// take as long again. Nothing came in, so the time of the last change stays, and the change log, which columns in memory
/// follow.
async fn raise_version(tx: &WriteTx, publisher: PublisherId) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE publisher_states SET data_version = data_version + 1 WHERE publisher_id = ")
        .bind(publisher.0);
    tx.execute(sql).await.map(|_| ())
}

/// Notes that a rebuild is through: no other one goes on half-way, and what verifying had found is mended where it was one of
/// all slices. What it passed over can have drifted since it was rebuilt.
async fn finish(
    tx: &WriteTx,
    publisher: PublisherId,
    is_of_all: bool,
    now: Instant,
) -> Result<(), DbErr> {
    note(tx, publisher, (TASK, None), now).await?;
    let mut sql = tx.sql();
    sql.push("DELETE FROM totals_tasks WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND task = ").bind(REPAIR);
    tx.execute(sql).await?;
    if !is_of_all {
        return Ok(());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE totals_tasks SET next_slice = NULL, drift_rows = 0 WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND task = ").bind(rounds::TASK);
    tx.execute(sql).await.map(|_| ())
}

/// Rebuilds the totals of every publisher that has none of this version's layout; says which publisher, and how far.
///
/// # Errors
/// When the database fails.
pub async fn bring_up(
    store: &Store,
    now: Instant,
    mut progress: impl FnMut(&str, Rebuilt),
) -> Result<()> {
    for (publisher, slug) in behind(store).await? {
        let scope = WriteScope::for_entrance(publisher);
        let manner = Manner::default();
        rebuild(store, scope, now, manner, |rebuilt| {
            progress(&slug, rebuilt);
        })
        .await?;
    }
    Ok(())
}

/// The publishers whose totals are not of this version's layout, with their slugs: one statement.
///
/// # Errors
/// When the database fails.
pub async fn behind(store: &Store) -> Result<Vec<(PublisherId, String)>> {
    find_behind(&ReadTx::new(store), None).await
}

/// Those that are behind, of all publishers or of one.
async fn find_behind(tx: &ReadTx, only: Option<PublisherId>) -> Result<Vec<(PublisherId, String)>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.id, p.slug FROM publishers p WHERE NOT EXISTS (SELECT 1 FROM totals_tasks t ",
    )
    .push("WHERE t.publisher_id = p.id AND t.next_slice IS NULL AND t.task = ")
    .bind(TASK);
    sql.push(" AND t.layout = ").bind(LAYOUT).push(")");
    if let Some(publisher) = only {
        sql.push(" AND p.id = ").bind(publisher.0);
    }
    sql.push(" ORDER BY p.id");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| Ok((PublisherId(column(row, "id")?), column(row, "slug")?)))
        .collect()
}

/// The slice with which a rebuild that was stopped goes on.
async fn resume(tx: &ReadTx, publisher: PublisherId, task: &'static str) -> Result<Option<i64>> {
    let mut sql = tx.sql();
    sql.push("SELECT next_slice FROM totals_tasks WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND task = ").bind(task);
    sql.push(" AND layout = ").bind(LAYOUT);
    let rows = tx.rows(sql).await?;
    rows.first()
        .map_or(Ok(None), |row| column(row, "next_slice"))
}

/// Whether a rebuild of a publisher was stopped, so that the next one goes on there and not with the first slice: up to two
/// statements.
///
/// # Errors
/// When the database fails.
pub async fn is_half_way(tx: &ReadTx, publisher: PublisherId) -> Result<bool> {
    for task in [TASK, REPAIR] {
        if resume(tx, publisher, task).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes how far a rebuild is; `None` when it is through.
pub(in crate::store) async fn note(
    tx: &WriteTx,
    publisher: PublisherId,
    (task, next_slice): (&str, Option<i64>),
    now: Instant,
) -> Result<(), DbErr> {
    let row = totals_task::Model {
        publisher_id: publisher.0,
        task: task.to_owned(),
        layout: LAYOUT,
        next_slice,
        drift_rows: 0,
        updated_at_us: now.micros(),
    };
    insert(tx, &[row], Conflict::Replace).await.map(|_| ())
}
