//! Uploads that are not in yet: queued with their run, taken under a lease, and gone when they are in.

use super::apply::lock;
use super::connect::Store;
use super::convert::instant;
use super::imports::{NewRun, run_row};
use super::listing::{IDS, column};
use super::sql::insert::{Conflict, insert};
use super::tx::{ReadTx, WriteTx};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use entity::{import_run, upload};
use sea_orm::DbErr;
use std::collections::HashSet;
use uuid::Uuid;

/// An upload that waits, or whose reader fell silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Whose it is.
    pub scope: WriteScope,
    /// Its run.
    pub run_id: Uuid,
    /// What the run is called.
    pub name: String,
    /// Observation time that its sender gave.
    pub as_of: Option<Instant>,
    /// Offset of times without one, minutes east of UTC.
    pub offset_minutes: i32,
    /// When it was received.
    pub queued_at: Instant,
}

/// Queues an upload of so many bytes as a run of its own.
///
/// # Errors
/// When the database fails.
pub async fn enqueue(store: &Store, upload: &Upload, bytes: u64) -> Result<()> {
    let run = queued_run(upload, bytes);
    let row = upload::Model {
        publisher_id: upload.scope.publisher().0,
        run_id: upload.run_id,
        as_of_us: upload.as_of.map(Instant::micros),
        offset_minutes: upload.offset_minutes,
        queued_at_us: upload.queued_at.micros(),
        holder: None,
        lease_until_us: 0,
    };
    store
        .write(async |tx| {
            insert(tx, std::slice::from_ref(&run), Conflict::Fail).await?;
            insert(tx, std::slice::from_ref(&row), Conflict::Fail).await
        })
        .await
        .map(|_| ())
}

/// The row of an upload's run before it is read.
fn queued_run(upload: &Upload, bytes: u64) -> import_run::Model {
    let run = NewRun {
        id: upload.run_id,
        entrance: "UPLOAD",
        name: upload.name.clone(),
        started_at: upload.queued_at,
        as_of: upload.as_of.unwrap_or(upload.queued_at),
    };
    let mut run = run_row(upload.scope, &run);
    run.state = RunState::Queued.as_str().to_owned();
    run.offset_minutes = Some(upload.offset_minutes);
    run.bytes_read = Some(0);
    run.bytes_total = i64::try_from(bytes).ok();
    run
}

/// Whether an upload of so many bytes is in the queue whose queueing failed. Where its commit was not answered and is under
/// way still, that is waited for.
///
/// # Errors
/// When the database fails.
pub async fn is_queued(store: &Store, upload: &Upload, bytes: u64) -> Result<bool> {
    let run = queued_run(upload, bytes);
    store
        .write(async |tx| {
            // Whoever writes a row waits for another one that writes the same.
            if insert(tx, std::slice::from_ref(&run), Conflict::Keep).await? == 0 {
                return Ok(true);
            }
            let mut sql = tx.sql();
            sql.push("DELETE FROM import_runs WHERE publisher_id = ")
                .bind(upload.scope.publisher().0);
            sql.push(" AND id = ").bind(upload.run_id);
            tx.execute(sql).await?;
            Ok(false)
        })
        .await
}

/// How many files wait, and how many bytes they have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a publisher has in the queue, whether or not it is being read.
///
/// # Errors
/// When the database fails.
pub async fn queued(store: &Store, scope: WriteScope) -> Result<Waiting> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(r.bytes_total), 0) AS bigint) AS bytes FROM uploads u \
         JOIN import_runs r ON r.publisher_id = u.publisher_id AND r.id = u.run_id WHERE u.publisher_id = ",
    )
    .bind(scope.publisher().0);
    let mut waiting = Waiting::default();
    for row in tx.rows(sql).await? {
        let number = |name: &str| -> Result<u64> {
            let count: i64 = column(&row, name)?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        waiting = Waiting {
            files: number("files")?,
            bytes: number("bytes")?,
        };
    }
    Ok(waiting)
}

/// Which of some runs are in the queue, of any publisher.
///
/// # Errors
/// When the database fails.
pub async fn among(store: &Store, runs: &[Uuid]) -> Result<HashSet<Uuid>> {
    let tx = ReadTx::new(store);
    let mut found = HashSet::new();
    for runs in runs.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT u.run_id FROM uploads u WHERE u.run_id IN ")
            .bind_all(runs.iter().copied());
        for row in tx.rows(sql).await? {
            found.insert(column(&row, "run_id")?);
        }
    }
    Ok(found)
}

/// The uploads that nobody reads at `now`, of any publisher, the oldest first: what a server looks through for those
/// whose files it has.
///
/// # Errors
/// When the database fails.
pub async fn waiting(store: &Store, now: Instant) -> Result<Vec<Upload>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT u.publisher_id, u.run_id, u.as_of_us, u.offset_minutes, u.queued_at_us, r.name AS run_name FROM uploads u \
         JOIN import_runs r ON r.publisher_id = u.publisher_id AND r.id = u.run_id WHERE u.lease_until_us < ",
    )
    .bind(now.micros())
    .push(" ORDER BY u.queued_at_us, u.run_id");
    let mut found = Vec::new();
    for row in tx.rows(sql).await? {
        let as_of: Option<i64> = column(&row, "as_of_us")?;
        found.push(Upload {
            scope: WriteScope::for_entrance(PublisherId(column(&row, "publisher_id")?)),
            run_id: column(&row, "run_id")?,
            name: column(&row, "run_name")?,
            as_of: as_of
                .map(|micros| instant(micros, "uploads", "as_of_us"))
                .transpose()?,
            offset_minutes: column(&row, "offset_minutes")?,
            queued_at: instant(column(&row, "queued_at_us")?, "uploads", "queued_at_us")?,
        });
    }
    Ok(found)
}

/// Takes an upload until `until`; not if another process has it, or reads another one of the same publisher.
///
/// # Errors
/// When the database fails.
pub async fn take(
    store: &Store,
    upload: &Upload,
    holder: &str,
    now: Instant,
    until: Instant,
) -> Result<bool> {
    let publisher = upload.scope.publisher();
    store
        .write(async |tx| {
            // One at a time: who comes second sees what the first has taken.
            lock(tx, publisher).await?;
            let mut sql = tx.sql();
            sql.push("UPDATE uploads SET holder = ").bind(holder);
            sql.push(", lease_until_us = ").bind(until.micros());
            sql.push(" WHERE publisher_id = ").bind(publisher.0);
            sql.push(" AND run_id = ").bind(upload.run_id);
            sql.push(" AND lease_until_us < ").bind(now.micros());
            sql.push(" AND NOT EXISTS (SELECT 1 FROM uploads o WHERE o.publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND o.lease_until_us >= ")
                .bind(now.micros())
                .push(")");
            Ok(tx.execute(sql).await? > 0)
        })
        .await
}

/// Holds an upload on until `until`, and notes how far it has come; says whether this process still has it.
///
/// # Errors
/// When the database fails.
pub async fn renew(
    store: &Store,
    upload: &Upload,
    holder: &str,
    until: Instant,
    bytes_read: u64,
) -> Result<bool> {
    let publisher = upload.scope.publisher();
    let bytes = i64::try_from(bytes_read).unwrap_or(i64::MAX);
    store
        .write(async |tx| {
            let is_held = lease(tx, upload, holder, until).await?;
            if is_held {
                let mut sql = tx.sql();
                sql.push("UPDATE import_runs SET bytes_read = ").bind(bytes);
                sql.push(" WHERE publisher_id = ").bind(publisher.0);
                sql.push(" AND id = ").bind(upload.run_id);
                tx.execute(sql).await?;
            }
            Ok(is_held)
        })
        .await
}

/// Moves the end of a lease; says whether its holder still has it.
async fn lease(tx: &WriteTx, upload: &Upload, holder: &str, until: Instant) -> Result<bool, DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE uploads SET lease_until_us = ")
        .bind(until.micros());
    sql.push(" WHERE publisher_id = ")
        .bind(upload.scope.publisher().0);
    sql.push(" AND run_id = ").bind(upload.run_id);
    sql.push(" AND holder = ").bind(holder);
    Ok(tx.execute(sql).await? > 0)
}

/// Gives an upload back that is to be read again: whoever comes after `over`, which has passed, may take it at once. Its run is
/// queued until then, with the reason; says whether this process still had it.
///
/// # Errors
/// When the database fails.
pub async fn put_back(
    store: &Store,
    upload: &Upload,
    holder: &str,
    over: Instant,
    words: &str,
) -> Result<bool> {
    let publisher = upload.scope.publisher();
    store
        .write(async |tx| {
            let is_held = lease(tx, upload, holder, over).await?;
            if is_held {
                let mut sql = tx.sql();
                sql.push("UPDATE import_runs SET state = ")
                    .bind(RunState::Queued.as_str());
                sql.push(", finished_at_us = NULL, error = ").bind(words);
                sql.push(" WHERE publisher_id = ").bind(publisher.0);
                sql.push(" AND id = ").bind(upload.run_id);
                tx.execute(sql).await?;
            }
            Ok(is_held)
        })
        .await
}

/// Takes an upload out of the queue: its run has ended.
///
/// # Errors
/// When the database fails.
pub async fn remove(store: &Store, upload: &Upload) -> Result<()> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("DELETE FROM uploads WHERE publisher_id = ")
                .bind(upload.scope.publisher().0);
            sql.push(" AND run_id = ").bind(upload.run_id);
            tx.execute(sql).await.map(|_| ())
        })
        .await
}
