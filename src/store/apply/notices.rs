//! Postbacks into the write path: a group of them in one transaction, with the run of their day.
//!
//! A day's run is made by its first group, whichever server receives it, and is finished after every group: a server
//! that is killed leaves no run behind that seems to go on.

use super::super::connect::Store;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::{Applied, Batch, apply_locked, lock};
use crate::domain::draft::{ActionDraft, Reject};
use crate::domain::error::Result;
use crate::domain::id::{Kind, PublisherId, derive};
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::time::{Day, Instant, Zone, day_of};
use entity::import_run;
use sea_orm::DbErr;
use uuid::Uuid;

/// The entrance of postbacks, as runs show it.
const ENTRANCE: &str = "POSTBACK";

/// The run of a day's postbacks: the same on every server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRun {
    id: Uuid,
    day: Day,
}

impl DayRun {
    /// The run of the day, in UTC, that `now` lies in.
    #[must_use]
    pub fn at(publisher: PublisherId, now: Instant) -> Self {
        let day = day_of(now, Zone::UTC);
        Self {
            id: derive(publisher, Kind::Run, &format!("{ENTRANCE}\0{day}")),
            day,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    fn row(&self, publisher: PublisherId, now: Instant) -> import_run::Model {
        import_run::Model {
            publisher_id: publisher.0,
            id: self.id,
            entrance: ENTRANCE.to_owned(),
            name: format!("Postbacks of {}", self.day),
            state: RunState::Running.as_str().to_owned(),
            started_at_us: now.micros(),
            finished_at_us: None,
            as_of_us: now.micros(),
            offset_minutes: None,
            read_count: 0,
            inserted_count: 0,
            updated_count: 0,
            unchanged_count: 0,
            stale_count: 0,
            rejected_count: 0,
            rounded_count: 0,
            deleted_count: 0,
            alive_at_us: Some(now.micros()),
            bytes_read: None,
            bytes_total: None,
            error: None,
        }
    }
}

/// Writes a group of postbacks: all of it or nothing.
///
/// # Errors
/// When the database fails; then nothing of the group is stored.
pub async fn apply_notices(
    store: &Store,
    scope: WriteScope,
    drafts: &[ActionDraft],
    rejects: &[Reject],
    now: Instant,
) -> Result<Applied> {
    let publisher = scope.publisher();
    let run = DayRun::at(publisher, now);
    let written = store.write(async |tx| {
        let sequence = lock(tx, publisher).await?;
        let row = run.row(publisher, now);
        insert(tx, &[row], Conflict::Keep).await?;
        let rejected_before = if rejects.is_empty() {
            0
        } else {
            rejected(tx, publisher, run.id).await?
        };
        let batch = Batch {
            run_id: run.id,
            drafts,
            deletions: &[],
            rejects,
            rejected_before,
            sync: None,
            bytes_read: None,
            now,
        };
        let (applied, _) = apply_locked(tx, publisher, sequence, batch).await?;
        finish(tx, publisher, run.id, now).await?;
        Ok(applied)
    });
    let applied = written.await?;
    store.has_grown(applied.inserted);
    Ok(applied)
}

/// How many records of a run were refused so far: the publisher's lock keeps others from adding to them.
async fn rejected(tx: &WriteTx, publisher: PublisherId, run: Uuid) -> Result<i64, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT rejected_count FROM import_runs WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND id = ").bind(run);
    let rows = tx.rows(sql).await?;
    rows.first()
        .map_or(Ok(0), |row| row.try_get("", "rejected_count"))
}

async fn finish(
    tx: &WriteTx,
    publisher: PublisherId,
    run: Uuid,
    now: Instant,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_runs SET state = CASE WHEN rejected_count > 0 THEN ")
        .bind(RunState::Partial.as_str());
    sql.push(" ELSE ").bind(RunState::Succeeded.as_str());
    sql.push(" END, finished_at_us = ").bind(now.micros());
    sql.push(", as_of_us = ").bind(now.micros());
    sql.push(" WHERE publisher_id = ")
        .bind(publisher.0)
        .push(" AND id = ")
        .bind(run);
    tx.execute(sql).await.map(|_| ())
}
