//! Makes totals anew from the facts.

use super::facts::{
    Lives, columns, smallest, write_cells, write_larger, write_lives, write_smallest,
};
use super::{Slice, slices};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::domain::totals::{LAYOUT, Total};
use crate::store::apply::lock;
use crate::store::connect::Store;
use crate::store::listing::column;
use crate::store::sql::Sql;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::{ReadTx, WriteTx};
use entity::totals_task;
use sea_orm::DbErr;

/// The word of this task in its table.
const TASK: &str = "REBUILD";

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Slices that are done.
    pub done: usize,
    /// Slices in all.
    pub of: usize,
}

/// Rebuilds all totals of a publisher, slice by slice, and says after each how far it is. A rebuild that was stopped
/// goes on where it was, unless `afresh`.
///
/// # Errors
/// When the database fails; what was rebuilt until then stays.
pub async fn rebuild(
    store: &Store,
    scope: WriteScope,
    now: Instant,
    afresh: bool,
    mut progress: impl FnMut(Rebuilt),
) -> Result<usize> {
    let publisher = scope.publisher();
    let tx = ReadTx::new(store);
    let all = slices(&tx, publisher, None).await?;
    let next = if afresh {
        None
    } else {
        resume(&tx, publisher).await?
    };
    drop(tx);
    let of = all.len();
    for (place, slice) in all.iter().enumerate() {
        if next.is_some_and(|next| slice.number() < next) {
            continue;
        }
        store
            .write(async |tx| {
                lock(tx, publisher).await?;
                match *slice {
                    Slice::Time(cell) => rebuild_time(tx, publisher, cell).await?,
                    Slice::Lives(part) => rebuild_lives(tx, publisher, part).await?,
                }
                note(tx, publisher, Some(slice.number() + 1), now).await
            })
            .await?;
        progress(Rebuilt {
            done: place + 1,
            of,
        });
    }
    store
        .write(async |tx| note(tx, publisher, None, now).await)
        .await?;
    Ok(of)
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
        rebuild(store, scope, now, false, |rebuilt| progress(&slug, rebuilt)).await?;
    }
    Ok(())
}

/// The publishers whose totals are not of this version's layout, with their slugs: one statement.
///
/// # Errors
/// When the database fails.
pub async fn behind(store: &Store) -> Result<Vec<(PublisherId, String)>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.id, p.slug FROM publishers p WHERE NOT EXISTS (SELECT 1 FROM totals_tasks t ",
    )
    .push("WHERE t.publisher_id = p.id AND t.next_slice IS NULL AND t.task = ")
    .bind(TASK);
    sql.push(" AND t.layout = ")
        .bind(LAYOUT)
        .push(") ORDER BY p.id");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| Ok((PublisherId(column(row, "id")?), column(row, "slug")?)))
        .collect()
}

/// The slice with which a rebuild that was stopped goes on.
async fn resume(tx: &ReadTx, publisher: PublisherId) -> Result<Option<i64>> {
    let mut sql = tx.sql();
    sql.push("SELECT next_slice FROM totals_tasks WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND task = ").bind(TASK);
    sql.push(" AND layout = ").bind(LAYOUT);
    let rows = tx.rows(sql).await?;
    rows.first()
        .map_or(Ok(None), |row| column(row, "next_slice"))
}

/// Notes how far a rebuild is; `None` when it is through.
pub(in crate::store) async fn note(
    tx: &WriteTx,
    publisher: PublisherId,
    next_slice: Option<i64>,
    now: Instant,
) -> Result<(), DbErr> {
    let row = totals_task::Model {
        publisher_id: publisher.0,
        task: TASK.to_owned(),
        layout: LAYOUT,
        next_slice,
        drift_rows: 0,
        updated_at_us: now.micros(),
    };
    insert(tx, &[row], Conflict::Replace).await.map(|_| ())
}

async fn rebuild_time(tx: &WriteTx, publisher: PublisherId, slice: i64) -> Result<(), DbErr> {
    for total in Total::ALL {
        for grain in total.grains() {
            let mut sql = tx.sql();
            sql.push(&format!("DELETE FROM {} WHERE ", total.table()));
            write_cells(total, publisher, Slice::cells(slice, *grain), "", &mut sql);
            tx.execute(sql).await?;
            let mut sql = tx.sql();
            write_into(total.table(), &columns(total), publisher, &mut sql);
            if *grain == smallest(total) {
                write_smallest(total, publisher, slice, &mut sql);
            } else {
                write_larger(total, *grain, publisher, slice, &mut sql);
            }
            sql.push(") f");
            tx.execute(sql).await?;
        }
    }
    Ok(())
}

async fn rebuild_lives(tx: &WriteTx, publisher: PublisherId, part: u8) -> Result<(), DbErr> {
    let (first, last) = Slice::ids(part);
    for lives in Lives::ALL {
        let (table, key, values) = lives.table();
        let mut sql = tx.sql();
        sql.push(&format!("DELETE FROM {table} WHERE publisher_id = "))
            .bind(publisher.0);
        sql.push(&format!(" AND {key} >= ")).bind(first);
        sql.push(&format!(" AND {key} <= ")).bind(last);
        tx.execute(sql).await?;
        let columns: Vec<&str> = [key].into_iter().chain(values.iter().copied()).collect();
        let mut sql = tx.sql();
        write_into(table, &columns, publisher, &mut sql);
        write_lives(lives, publisher, part, &mut sql);
        sql.push(") f");
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Appends the beginning of a statement that fills a table from a query, which follows.
fn write_into(table: &str, columns: &[&str], publisher: PublisherId, sql: &mut Sql) {
    let columns = columns.join(", ");
    sql.push(&format!(
        "INSERT INTO {table} (publisher_id, {columns}) SELECT "
    ))
    .bind(publisher.0)
    .push(&format!(", {columns} FROM ("));
}
