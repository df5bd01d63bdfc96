//! THE write path: a batch of drafts into facts, history, change log and the run's counters, in one transaction.
//!
//! ```text
//! lock the publisher's state          one writer per publisher at a time
//!   → ad spaces                       names that turn out to be ids are merged
//!   → actions already known           their carts and states with them
//!   → merge                           domain::action decides what each draft changes
//!   → programs, categories, products, users    parents before the rows that name them
//!   → actions, cart items, states     one statement each; what upstream no longer has goes behind a tombstone
//!   → totals                          what changed actions contributed leaves, what they contribute now enters
//!   → change log, data version        numbers without gaps, under the lock
//!   → the run's counters and rejects, the step of the sync
//! ```
//!
//! The closure does nothing but read and write through its transaction, so it may run again when another writer was in
//! its way. Nothing else in the project writes facts; `store::totals` can rebuild the totals from them.

pub(super) mod accounts;
pub(super) mod claims;
pub mod clicks;
pub mod deeplinks;
mod described;
mod dimensions;
mod facts;
pub mod feeds;
mod goods;
pub mod ledger;
pub mod names;
mod notices;
pub mod priority;
mod rows;
pub mod segments;
pub mod settings;
mod tombstones;
mod totals;
pub mod users;

pub use described::{Described, describe};
pub use notices::{DayRun, apply_notices};

use super::connect::Store;
use super::sql::insert::{Conflict, insert};
use super::sync::write_step;
use super::tx::WriteTx;
use crate::domain::draft::{ActionDraft, Deletion, Reject, action_id};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::time::Instant;
use entity::{action_change, import_reject};
use sea_orm::{DbBackend, DbErr};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many rejected records of a run are kept whole; all are counted.
pub const KEPT_REJECTS: i64 = 10_000;

/// A batch to be written.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The run it belongs to.
    pub run_id: Uuid,
    /// The drafts, in the input's order.
    pub drafts: &'a [ActionDraft],
    /// The actions that a re-read of upstream no longer had.
    pub deletions: &'a [Deletion],
    /// The records that were refused.
    pub rejects: &'a [Reject],
    /// How many records of the run were refused before this batch.
    pub rejected_before: i64,
    /// How far a sync has come with these rows; moved in their transaction.
    pub sync: Option<&'a SyncStep>,
    /// How many bytes of the run's input were read by its end, where it comes from a file.
    pub bytes_read: Option<u64>,
    /// The present.
    pub now: Instant,
}

impl Batch<'_> {
    /// The actions that it speaks of.
    fn actions(&self, publisher: PublisherId) -> BTreeSet<Uuid> {
        let drafts = self.drafts.iter().map(|draft| &draft.external_id);
        let gone = self.deletions.iter().map(|gone| &gone.external_id);
        let all = drafts.chain(gone);
        all.map(|id| action_id(publisher, id)).collect()
    }
}

/// What a batch changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Actions inserted.
    pub inserted: i64,
    /// Drafts that brought an action to a newer state.
    pub updated: i64,
    /// Drafts that changed nothing.
    pub unchanged: i64,
    /// Drafts older than what is stored; they may have filled what newer states left empty.
    pub stale: i64,
    /// Actions that upstream no longer had.
    pub deleted: i64,
}

/// Writes a batch: all of it or nothing, and once, also where the answer to the commit was lost and the store is
/// [patient](Store::patient).
///
/// # Errors
/// When the database fails; then nothing of the batch is stored.
pub async fn apply(store: &Store, scope: WriteScope, batch: Batch<'_>) -> Result<Applied> {
    let publisher = scope.publisher();
    let written = store.write_once(
        async |tx| apply_in(tx, publisher, batch).await,
        async |tx, (_, read)| {
            // A commit that was not answered may be under way still: the lock is free when it is over.
            lock(tx, publisher).await?;
            // The run's counter moves with its batches, so it tells whether this one is in.
            let mut sql = tx.sql();
            sql.push("SELECT 1 AS one FROM import_runs WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND id = ")
                .bind(batch.run_id)
                .push(" AND read_count = ")
                .bind(*read);
            Ok(!tx.rows(sql).await?.is_empty())
        },
    );
    let (applied, _) = written.await?;
    store.has_grown(applied.inserted);
    Ok(applied)
}

async fn apply_in(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: Batch<'_>,
) -> Result<(Applied, i64), DbErr> {
    let sequence = lock(tx, publisher).await?;
    apply_locked(tx, publisher, sequence, batch).await
}

/// Writes a batch under the publisher's lock, behind the last number of its change log.
async fn apply_locked(
    tx: &WriteTx,
    publisher: PublisherId,
    sequence: i64,
    batch: Batch<'_>,
) -> Result<(Applied, i64), DbErr> {
    let run = (batch.run_id, batch.now);
    let mut moves = dimensions::Moves::new(publisher, sequence, run).of(batch.actions(publisher));
    let spaces = dimensions::AdSpaces::bring(tx, publisher, batch.drafts, &mut moves).await?;
    let mut sequence = moves.sequence;
    let deletions = claims::gone(tx, publisher, batch.sync, batch.deletions).await?;
    let mut facts = facts::Facts::load(tx, publisher, batch.drafts, &deletions).await?;
    let mut applied = facts.merge(publisher, batch.drafts, &spaces);
    applied.deleted = facts.delete(publisher, &deletions);
    let users = facts.users(publisher, batch.drafts, &spaces);
    let mut is_changed = spaces.is_changed | facts.wrote_anything();
    let programs = batch.drafts.iter();
    let programs = programs.map(|draft| (&draft.program, draft.stamp.changed_at.micros()));
    is_changed |= dimensions::write_programs(tx, publisher, programs).await?;
    is_changed |=
        goods::write_categories(tx, publisher, goods::categories_of(batch.drafts)).await?;
    is_changed |= goods::write_products(tx, publisher, goods::products_of(batch.drafts)).await?;
    is_changed |= dimensions::write_users(tx, publisher, &users).await?;
    facts.write(tx, publisher, &spaces).await?;
    let deltas = facts.deltas(tx, publisher, &spaces).await?;
    totals::write(tx, publisher, deltas).await?;
    let changes: Vec<action_change::Model> = facts
        .changes(&moves.of_batch)
        .map(|(action_id, kind, status)| {
            sequence += 1;
            action_change::Model {
                publisher_id: publisher.0,
                seq: sequence,
                action_id,
                kind: kind.to_owned(),
                status: status.to_owned(),
                run_id: batch.run_id,
                committed_at_us: batch.now.micros(),
            }
        })
        .collect();
    insert(tx, &changes, Conflict::Fail).await?;
    if is_changed {
        raise_version(tx, publisher, sequence, batch.now).await?;
    }
    let counts = Counts {
        read: batch.drafts.len() + batch.rejects.len(),
        applied,
        rejected: batch.rejects.len(),
        rounded: batch
            .drafts
            .iter()
            .map(|draft| i64::from(draft.rounded))
            .sum(),
        bytes_read: batch.bytes_read,
    };
    let refused = (batch.rejects, batch.rejected_before);
    let read = end_batch(tx, publisher, run, (counts, refused), batch.sync).await?;
    Ok((applied, read))
}

/// Takes the publisher's write lock; gives the last number of its change log.
pub(super) async fn lock(tx: &WriteTx, publisher: PublisherId) -> Result<i64, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT change_seq FROM publisher_states WHERE publisher_id = ")
        .bind(publisher.0);
    if tx.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let rows = tx.rows(sql).await?;
    rows.first().map_or(
        Err(DbErr::RecordNotFound("publisher_states".into())),
        |row| row.try_get("", "change_seq"),
    )
}

async fn raise_version(
    tx: &WriteTx,
    publisher: PublisherId,
    sequence: i64,
    now: Instant,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE publisher_states SET change_seq = ")
        .bind(sequence);
    sql.push(", data_version = data_version + 1, changed_at_us = ")
        .bind(now.micros());
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    tx.execute(sql).await.map(|_| ())
}

/// What a read brought beside its rows: how many records, and which of them were refused, for the run that keeps them.
#[derive(Clone, Copy, Debug)]
pub struct ReadRecords<'a> {
    /// The run.
    pub run_id: Uuid,
    /// Records read, those that were refused among them.
    pub read: usize,
    /// Records that were refused.
    pub rejects: &'a [Reject],
    /// How many of the run were refused before.
    pub rejected_before: i64,
}

impl ReadRecords<'_> {
    /// Notes them with their run, and moves the sync, in the transaction of the rows.
    async fn end(
        &self,
        tx: &WriteTx,
        publisher: PublisherId,
        sync: Option<&SyncStep>,
        now: Instant,
    ) -> Result<(), DbErr> {
        let counts = Counts {
            read: self.read,
            // What lists say is no action: it is neither inserted nor updated in a run's counters.
            applied: Applied::default(),
            rejected: self.rejects.len(),
            rounded: 0,
            bytes_read: None,
        };
        let refused = (self.rejects, self.rejected_before);
        let run = (self.run_id, now);
        end_batch(tx, publisher, run, (counts, refused), sync).await?;
        Ok(())
    }
}

/// The end of every batch, in the transaction of its rows: its run's counters, the records that were refused, kept
/// behind those of the run so far, and the step of the sync. Gives how many records the run has read.
async fn end_batch(
    tx: &WriteTx,
    publisher: PublisherId,
    run: (Uuid, Instant),
    (counts, (rejects, rejected_before)): (Counts, (&[Reject], i64)),
    sync: Option<&SyncStep>,
) -> Result<i64, DbErr> {
    let read = count(tx, publisher, run, counts).await?;
    let kept = kept_rejects(publisher, run.0, rejected_before, rejects);
    insert(tx, &kept, Conflict::Fail).await?;
    if let Some(step) = sync {
        write_step(tx, publisher, step).await?;
    }
    Ok(read)
}

/// What a batch adds to its run's counters.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// Records read.
    read: usize,
    /// What became of them.
    applied: Applied,
    /// Records refused.
    rejected: usize,
    /// Amounts rounded.
    rounded: i64,
    /// Bytes of the input that were read so far, where it has any.
    bytes_read: Option<u64>,
}

/// Adds a batch to its run's counters, in the transaction of its rows; gives how many records the run has read.
async fn count(
    tx: &WriteTx,
    publisher: PublisherId,
    (run_id, now): (Uuid, Instant),
    counts: Counts,
) -> Result<i64, DbErr> {
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let applied = counts.applied;
    let mut sql = tx.sql();
    sql.push("UPDATE import_runs SET read_count = read_count + ")
        .bind(size(counts.read));
    sql.push(", inserted_count = inserted_count + ")
        .bind(applied.inserted);
    sql.push(", updated_count = updated_count + ")
        .bind(applied.updated);
    sql.push(", unchanged_count = unchanged_count + ")
        .bind(applied.unchanged);
    sql.push(", stale_count = stale_count + ")
        .bind(applied.stale);
    sql.push(", deleted_count = deleted_count + ")
        .bind(applied.deleted);
    sql.push(", rejected_count = rejected_count + ")
        .bind(size(counts.rejected));
    sql.push(", rounded_count = rounded_count + ")
        .bind(counts.rounded);
    if let Some(bytes) = counts.bytes_read {
        sql.push(", bytes_read = ")
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
    sql.push(", alive_at_us = ").bind(now.micros());
    sql.push(" WHERE publisher_id = ")
        .bind(publisher.0)
        .push(" AND id = ")
        .bind(run_id)
        .push(" RETURNING read_count");
    let rows = tx.rows(sql).await?;
    rows.first()
        .map_or(Ok(0), |row| row.try_get("", "read_count"))
}

fn kept_rejects(
    publisher: PublisherId,
    run_id: Uuid,
    rejected_before: i64,
    rejects: &[Reject],
) -> Vec<import_reject::Model> {
    (rejected_before..KEPT_REJECTS)
        .zip(rejects)
        .map(|(ordinal, reject)| import_reject::Model {
            publisher_id: publisher.0,
            run_id,
            ordinal: i32::try_from(ordinal).unwrap_or(i32::MAX),
            page: i32::try_from(reject.place.page).unwrap_or(i32::MAX),
            item: i32::try_from(reject.place.index).unwrap_or(i32::MAX),
            byte_offset: i64::try_from(reject.place.byte).unwrap_or(i64::MAX),
            line: i64::try_from(reject.place.line).unwrap_or(i64::MAX),
            reason: reject.reason.as_str().to_owned(),
            field: reject.field.clone(),
            message: reject.message.clone(),
            raw: reject.raw.clone(),
            resolved_by_run: None,
        })
        .collect()
}
