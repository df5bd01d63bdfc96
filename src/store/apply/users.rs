//! What names the users of an ad space is chosen anew: its actions get other users, batch by batch.
//!
//! The choice is stored at once, so whatever arrives from then on follows it; a task in the database leads through the
//! actions that are there. Each step is one transaction under the publisher's lock: it takes what the actions contributed
//! with their old users out of the totals, puts them in with their new ones, and moves the task. A process can end
//! anywhere, several can step at once, and the end is what an import with that choice would have stored.

use super::super::audit;
use super::super::connect::Store;
use super::super::imports::{NewRun, run_row};
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::{ReadTx, WriteTx};
use super::dimensions::{self, AdSpaces};
use super::facts::Facts;
use super::{lock, raise_version, totals};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::limits::slot_name;
use crate::domain::records::RunState;
use crate::domain::rule::Subject;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use entity::{action, action_change, ad_space, tombstone, user_task};
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The entrance of runs that lead actions through; it brings no data.
pub const ENTRANCE: &str = "USERS";
/// Why a run ends where two ad spaces that both waited turn out to be one.
const MERGED: &str = "The ad space turned out to be another one that waited, too: the run of that one leads through the actions of both.";
/// How many rows a step looks at, unless said otherwise.
pub const STEP: usize = 2_000;
/// The stages of a task, in their order.
const ACTIONS: &str = "ACTIONS";
const TOMBSTONES: &str = "TOMBSTONES";
const USERS: &str = "USERS";

/// What names the users of an ad space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRule {
    /// Which SubID, 0 to 4.
    pub slot: i32,
    /// The user space: ad spaces of one space share their users.
    pub space: String,
}

/// What a choice led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The ad space is not the publisher's.
    NoAdSpace,
    /// It is what held before.
    Same,
    /// The actions wait to be led through, counted by this run.
    Queued(Uuid),
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// There is more to do.
    On,
    /// All is done, or there was nothing to do.
    Done,
}

/// Stores what names the users of an ad space, and queues what has to be led through as a run of its own. A choice that
/// is made before the last one is through takes its place.
///
/// # Errors
/// When the database fails.
pub async fn choose(
    store: &Store,
    scope: WriteScope,
    ad_space: Uuid,
    (rule, run): (&UserRule, &NewRun),
    note: &Note,
) -> Result<Chosen> {
    let publisher = scope.publisher();
    let mut row = run_row(scope, run);
    row.state = RunState::Queued.as_str().to_owned();
    let now = run.started_at;
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let ids = [ad_space];
            let held =
                dimensions::known::<ad_space::Entity>(tx, publisher, "ad_spaces", ids).await?;
            let Some(mut held) = held.into_iter().next() else {
                return Ok(Chosen::NoAdSpace);
            };
            if (held.user_subid_slot, &held.user_space) == (rule.slot, &rule.space) {
                return Ok(Chosen::Same);
            }
            held.user_subid_slot = rule.slot;
            held.user_space.clone_from(&rule.space);
            let detail = format!(
                "{:?}: {}, user space {:?}",
                held.name,
                slot_name(u8::try_from(rule.slot).unwrap_or_default()),
                rule.space
            );
            let deed = Deed::to_row(Act::AdSpaceUsersUpdated, ad_space, detail);
            audit::write(tx, publisher, note, &deed).await?;
            insert(tx, &[held], Conflict::Replace).await?;
            if let Some(before) = task(tx, publisher, ad_space).await?
                && let Some(run_id) = before.run_id
            {
                let words = "another choice was made before this one was through";
                end_run(
                    tx,
                    publisher,
                    (run_id, now.micros()),
                    (RunState::Failed, Some(words)),
                )
                .await?;
            }
            insert(tx, std::slice::from_ref(&row), Conflict::Fail).await?;
            queue(tx, publisher, ad_space, Some(run.id), now.micros()).await?;
            raise_version(tx, publisher, sequence, now).await?;
            Ok(Chosen::Queued(run.id))
        })
        .await
}

/// Queues the actions of an ad space to be led through from the beginning.
async fn queue(
    tx: &WriteTx,
    publisher: PublisherId,
    ad_space_id: Uuid,
    run_id: Option<Uuid>,
    changed_at_us: i64,
) -> Result<(), DbErr> {
    let task = user_task::Model {
        publisher_id: publisher.0,
        ad_space_id,
        run_id,
        stage: ACTIONS.to_owned(),
        after_id: Uuid::nil(),
        changed_at_us,
    };
    insert(tx, &[task], Conflict::Replace).await.map(|_| ())
}

/// An ad space turned out to be another one: what waited for it waits for that one, from the beginning.
pub(super) async fn move_ad_space(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (Uuid, Uuid),
    is_other_rule: bool,
) -> Result<(), DbErr> {
    let waiting = task(tx, publisher, old).await?;
    let there = task(tx, publisher, new).await?;
    if waiting.is_none() && there.is_none() && !is_other_rule {
        return Ok(());
    }
    // One run leads through the actions of both; the other has nothing left to tell.
    if let (Some(there), Some(waiting)) = (&there, &waiting)
        && there.run_id.is_some()
        && let Some(run_id) = waiting.run_id
    {
        let at_us = waiting.changed_at_us.max(there.changed_at_us);
        end_run(
            tx,
            publisher,
            (run_id, at_us),
            (RunState::Failed, Some(MERGED)),
        )
        .await?;
    }
    let run_id = [&there, &waiting]
        .into_iter()
        .flatten()
        .find_map(|task| task.run_id);
    let at = there.or(waiting).map_or(0, |task| task.changed_at_us);
    queue(tx, publisher, new, run_id, at).await
}

/// The ad spaces whose actions wait, of all publishers, with how they are found: one statement.
///
/// # Errors
/// When the database fails.
pub async fn waiting(store: &Store) -> Result<Vec<(WriteScope, Uuid)>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT t.* FROM user_tasks t ORDER BY t.changed_at_us, t.publisher_id, t.ad_space_id",
    );
    let tasks = tx.models::<user_task::Entity>(sql).await?.into_iter();
    let found = tasks.map(|task| {
        let scope = WriteScope::for_entrance(PublisherId(task.publisher_id));
        (scope, task.ad_space_id)
    });
    Ok(found.collect())
}

/// Leads the next rows of an ad space's task through, up to `size` of them.
///
/// # Errors
/// When the database fails; then nothing of the step is stored.
pub async fn step(
    store: &Store,
    scope: WriteScope,
    ad_space: Uuid,
    size: usize,
    now: Instant,
) -> Result<Stepped> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let Some(task) = task(tx, publisher, ad_space).await? else {
                return Ok(Stepped::Done);
            };
            let work = Work {
                tx,
                publisher,
                task,
                size,
                now,
            };
            work.step(sequence).await
        })
        .await
}

/// One step of a task.
struct Work<'a> {
    tx: &'a WriteTx,
    publisher: PublisherId,
    task: user_task::Model,
    size: usize,
    now: Instant,
}

impl Work<'_> {
    async fn step(mut self, sequence: i64) -> Result<Stepped, DbErr> {
        let (last, read, changed) = match self.task.stage.as_str() {
            ACTIONS => self.actions(sequence).await?,
            TOMBSTONES => self.tombstones().await?,
            _ => self.users(sequence).await?,
        };
        if let Some(run_id) = self.task.run_id {
            self.count(run_id, read, changed).await?;
        }
        self.task.changed_at_us = self.now.micros();
        match last {
            Some(last) => self.task.after_id = last,
            None => {
                let next = match self.task.stage.as_str() {
                    ACTIONS => TOMBSTONES,
                    TOMBSTONES => USERS,
                    _ => return self.end().await,
                };
                next.clone_into(&mut self.task.stage);
                self.task.after_id = Uuid::nil();
            }
        }
        insert(self.tx, &[self.task], Conflict::Replace).await?;
        Ok(Stepped::On)
    }

    /// The ids of the next rows of a table with their ad spaces, and the last of them while there are more.
    async fn window(
        &self,
        table: &str,
        id: &str,
    ) -> Result<(Vec<Uuid>, Option<Uuid>, usize), DbErr> {
        let mut sql = self.tx.sql();
        sql.push(&format!(
            "SELECT t.{id} AS id, t.ad_space_id FROM {table} t WHERE t.publisher_id = "
        ))
        .bind(self.publisher.0);
        sql.push(&format!(" AND t.{id} > "))
            .bind(self.task.after_id);
        sql.push(&format!(" ORDER BY t.{id} LIMIT "))
            .bind(i64::try_from(self.size).unwrap_or(i64::MAX));
        let rows = self.tx.rows(sql).await?;
        let (mut own, mut last) = (Vec::new(), None);
        for row in &rows {
            let id: Uuid = row.try_get("", "id")?;
            let space: Option<Uuid> = row.try_get("", "ad_space_id")?;
            if space == Some(self.task.ad_space_id) {
                own.push(id);
            }
            last = Some(id);
        }
        let more = rows.len() >= self.size;
        Ok((own, last.filter(|_| more), rows.len()))
    }

    /// Gives actions the users that they have by the new choice.
    async fn actions(&self, mut sequence: i64) -> Result<(Option<Uuid>, usize, usize), DbErr> {
        let (tx, publisher) = (self.tx, self.publisher);
        let (ids, last, _) = self.window("actions", "id").await?;
        let spaces = AdSpaces::load(tx, publisher).await?;
        let mut facts = Facts::load_ids(tx, publisher, ids.clone()).await?;
        let users = facts.name_users(publisher, &spaces);
        let moved = BTreeMap::new();
        let changed = facts.changes(&moved).count();
        if changed > 0 {
            dimensions::write_users(tx, publisher, &users).await?;
            facts.write(tx, publisher, &spaces).await?;
            let deltas = facts.deltas(tx, publisher, &spaces).await?;
            totals::write(tx, publisher, deltas).await?;
            let changes: Vec<action_change::Model> = facts
                .changes(&moved)
                .map(|(action_id, kind, status)| {
                    sequence += 1;
                    action_change::Model {
                        publisher_id: publisher.0,
                        seq: sequence,
                        action_id,
                        kind: kind.to_owned(),
                        status: status.to_owned(),
                        run_id: self.task.run_id.unwrap_or(Uuid::nil()),
                        committed_at_us: self.now.micros(),
                    }
                })
                .collect();
            insert(tx, &changes, Conflict::Fail).await?;
            raise_version(tx, publisher, sequence, self.now).await?;
        }
        Ok((last, ids.len(), changed))
    }

    /// Likewise what lies behind tombstones, so that it comes back with its user.
    async fn tombstones(&self) -> Result<(Option<Uuid>, usize, usize), DbErr> {
        let (tx, publisher) = (self.tx, self.publisher);
        let (ids, last, _) = self.window("tombstones", "action_id").await?;
        let spaces = AdSpaces::load(tx, publisher).await?;
        let mut facts = Facts::load_ids(tx, publisher, ids.clone()).await?;
        let users = facts.name_users(publisher, &spaces);
        if !users.is_empty() {
            dimensions::write_users(tx, publisher, &users).await?;
        }
        facts.write(tx, publisher, &spaces).await?;
        Ok((last, ids.len(), 0))
    }

    /// Removes users that are nobody's any more, and lets those begin later who lost their first orders.
    async fn users(&self, sequence: i64) -> Result<(Option<Uuid>, usize, usize), DbErr> {
        let (tx, publisher) = (self.tx, self.publisher);
        let mut sql = tx.sql();
        sql.push(
            "SELECT u.id, u.first_seen_us, (SELECT MIN(a.ordered_at_us) FROM actions a WHERE a.publisher_id = ",
        )
        .bind(publisher.0);
        sql.push(" AND a.user_id = u.id) AS first_us FROM users u WHERE u.publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND u.id > ").bind(self.task.after_id);
        sql.push(" ORDER BY u.id LIMIT ")
            .bind(i64::try_from(self.size).unwrap_or(i64::MAX));
        let rows = tx.rows(sql).await?;
        let mut seen: Vec<(Uuid, i64, Option<i64>)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let (id, held) = (row.try_get("", "id")?, row.try_get("", "first_seen_us")?);
            seen.push((id, held, row.try_get("", "first_us")?));
        }
        // Only actions behind tombstones can know better, and those are read one by one.
        let is_open =
            |(_, held, first): &(Uuid, i64, Option<i64>)| first.is_none_or(|first| first > *held);
        let buried = if seen.iter().any(is_open) {
            self.buried_users().await?
        } else {
            HashMap::new()
        };
        let (mut gone, mut later, mut last) = (Vec::new(), Vec::new(), None);
        for (id, held, first) in seen {
            last = Some(id);
            match first.into_iter().chain(buried.get(&id).copied()).min() {
                None => gone.push(id),
                Some(first) if first > held => later.push((id, first)),
                Some(_) => {}
            }
        }
        for (id, first) in &later {
            let mut sql = tx.sql();
            sql.push("UPDATE users SET first_seen_us = ").bind(*first);
            sql.push(" WHERE publisher_id = ").bind(publisher.0);
            sql.push(" AND id = ").bind(*id);
            tx.execute(sql).await?;
        }
        if !gone.is_empty() {
            // Who is nobody is no member of a frozen segment either: sizes count what lists can show. The publisher's lock is
            // held, as whoever freezes a segment holds it.
            let mut sql = tx.sql();
            sql.push("DELETE FROM segment_members WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND segment_id IN (SELECT s.id FROM segments s WHERE s.publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND s.frozen_at_us IS NOT NULL AND s.subject = ")
                .bind(Subject::Users.as_str());
            sql.push(") AND member_id IN ")
                .bind_all(gone.iter().copied());
            tx.execute(sql).await?;
            let mut sql = tx.sql();
            sql.push("DELETE FROM users WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND id IN ").bind_all(gone.iter().copied());
            tx.execute(sql).await?;
        }
        if !gone.is_empty() || !later.is_empty() {
            raise_version(tx, publisher, sequence, self.now).await?;
        }
        let more = rows.len() >= self.size;
        Ok((last.filter(|_| more), 0, 0))
    }

    /// The users of actions behind tombstones, with their first orders.
    async fn buried_users(&self) -> Result<HashMap<Uuid, i64>, DbErr> {
        let mut sql = self.tx.sql();
        sql.push("SELECT t.* FROM tombstones t WHERE t.publisher_id = ")
            .bind(self.publisher.0);
        let mut found: HashMap<Uuid, i64> = HashMap::new();
        for row in self.tx.models::<tombstone::Entity>(sql).await? {
            let action: action::Model = serde_json::from_str(&row.action)
                .map_err(|error| DbErr::Custom(format!("tombstones: {error}")))?;
            if let Some(user) = action.user_id {
                let first = found.entry(user).or_insert(action.ordered_at_us);
                *first = action.ordered_at_us.min(*first);
            }
        }
        Ok(found)
    }

    /// Adds to the counters of the run, which is under way by that.
    async fn count(&self, run_id: Uuid, read: usize, changed: usize) -> Result<(), DbErr> {
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut sql = self.tx.sql();
        sql.push("UPDATE import_runs SET state = ")
            .bind(RunState::Running.as_str());
        sql.push(", finished_at_us = NULL, error = NULL, read_count = read_count + ")
            .bind(size(read));
        sql.push(", updated_count = updated_count + ")
            .bind(size(changed));
        sql.push(", unchanged_count = unchanged_count + ")
            .bind(size(read.saturating_sub(changed)));
        sql.push(", alive_at_us = ").bind(self.now.micros());
        sql.push(" WHERE publisher_id = ").bind(self.publisher.0);
        sql.push(" AND id = ").bind(run_id);
        self.tx.execute(sql).await.map(|_| ())
    }

    async fn end(self) -> Result<Stepped, DbErr> {
        let mut sql = self.tx.sql();
        sql.push("DELETE FROM user_tasks WHERE publisher_id = ")
            .bind(self.publisher.0);
        sql.push(" AND ad_space_id = ").bind(self.task.ad_space_id);
        self.tx.execute(sql).await?;
        if let Some(run_id) = self.task.run_id {
            let run = (run_id, self.now.micros());
            end_run(self.tx, self.publisher, run, (RunState::Succeeded, None)).await?;
        }
        Ok(Stepped::Done)
    }
}

async fn task(
    tx: &WriteTx,
    publisher: PublisherId,
    ad_space: Uuid,
) -> Result<Option<user_task::Model>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM user_tasks t WHERE t.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND t.ad_space_id = ").bind(ad_space);
    Ok(tx.models::<user_task::Entity>(sql).await?.pop())
}

async fn end_run(
    tx: &WriteTx,
    publisher: PublisherId,
    (run_id, at_us): (Uuid, i64),
    (state, error): (RunState, Option<&str>),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_runs SET state = ")
        .bind(state.as_str());
    sql.push(", finished_at_us = ").bind(at_us);
    sql.push(", error = ").bind(error.map(str::to_owned));
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    sql.push(" AND id = ").bind(run_id);
    tx.execute(sql).await.map(|_| ())
}
