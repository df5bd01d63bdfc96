//! What hangs on an ad space follows the name that it was told by, when that leads to another one.

use super::super::facts::Facts;
use super::super::{deeplinks, totals, users};
use super::{AdSpaces, write_users};
use crate::domain::id::PublisherId;
use crate::domain::time::Instant;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::WriteTx;
use entity::action_change;
use sea_orm::DbErr;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The tables beside actions that name an ad space, and the name that it was told by.
const BESIDE: [&str; 2] = ["tombstones", "adjustments"];

/// The change log of what moves to another ad space. It is written as it is read, so that no more than a part of it is
/// ever held.
#[derive(Debug)]
pub(in crate::store::apply) struct Moves {
    publisher: PublisherId,
    run_id: Uuid,
    now: Instant,
    /// The last number of the change log.
    pub(in crate::store::apply) sequence: i64,
    /// How many actions moved.
    pub(in crate::store::apply) count: usize,
    batch: BTreeSet<Uuid>,
    /// The actions of the batch that moved, with their statuses: what the log says of them is the batch's to say.
    pub(in crate::store::apply) of_batch: BTreeMap<Uuid, String>,
}

impl Moves {
    /// Of a write under the publisher's lock, behind the last number of its change log.
    pub(in crate::store::apply) fn new(
        publisher: PublisherId,
        sequence: i64,
        (run_id, now): (Uuid, Instant),
    ) -> Self {
        Self {
            publisher,
            run_id,
            now,
            sequence,
            count: 0,
            batch: BTreeSet::new(),
            of_batch: BTreeMap::new(),
        }
    }

    /// Of a batch of actions.
    pub(in crate::store::apply) fn of(self, batch: BTreeSet<Uuid>) -> Self {
        Self { batch, ..self }
    }

    /// Notes that actions move.
    async fn note(&mut self, tx: &WriteTx, moved: Vec<(Uuid, String)>) -> Result<(), DbErr> {
        self.count += moved.len();
        let mut changes = Vec::new();
        for (action_id, status) in moved {
            if self.batch.contains(&action_id) {
                self.of_batch.insert(action_id, status);
                continue;
            }
            self.sequence += 1;
            changes.push(action_change::Model {
                publisher_id: self.publisher.0,
                seq: self.sequence,
                action_id,
                kind: "UPDATED".to_owned(),
                status,
                run_id: self.run_id,
                committed_at_us: self.now.micros(),
            });
        }
        insert(tx, &changes, Conflict::Fail).await.map(|_| ())
    }
}

impl AdSpaces {
    /// An ad space that was known by name only turned out to be another one: all that hangs on it becomes that one's.
    pub(super) async fn join(
        &self,
        tx: &WriteTx,
        (old, new): (Uuid, Uuid),
        moves: &mut Moves,
    ) -> Result<(), DbErr> {
        let mut after = Some(Uuid::nil());
        while let Some(id) = after {
            let moved = self.part(tx, (old, None), id).await?;
            after = last_of_more(&moved);
            moves.note(tx, moved).await?;
        }
        for table in ["actions"].into_iter().chain(BESIDE) {
            let mut sql = tx.sql();
            // Whatever hangs on such an ad space was told by its name.
            sql.push(&format!("UPDATE {table} SET ad_space_id = "))
                .bind(new)
                .push(", ad_space_name_id = ")
                .bind(old);
            sql.push(" WHERE publisher_id = ").bind(self.publisher.0);
            sql.push(" AND ad_space_id = ").bind(old);
            tx.execute(sql).await?;
        }
        totals::move_ad_space(tx, self.publisher, old, new).await?;
        deeplinks::move_ad_space(tx, self.publisher, old, new).await
    }

    /// A name leads from one ad space with an id to another: what was told by the name goes there, and what was told with
    /// the id stays. Totals and users follow the actions one by one, for the rest of the ad space keeps its own.
    pub(super) async fn lead(
        &self,
        tx: &WriteTx,
        told: Uuid,
        (old, new): (Uuid, Uuid),
        moves: &mut Moves,
    ) -> Result<(), DbErr> {
        let publisher = self.publisher;
        let mut after = Some(Uuid::nil());
        while let Some(id) = after {
            let moved = self.part(tx, (old, Some(told)), id).await?;
            after = last_of_more(&moved);
            let ids = moved.iter().map(|(id, _)| *id).collect();
            let mut facts = Facts::load_ids(tx, publisher, ids).await?;
            facts.lead(told, new);
            let named = facts.name_users(publisher, self);
            write_users(tx, publisher, &named).await?;
            facts.write(tx, publisher, self).await?;
            let deltas = facts.deltas(tx, publisher, self).await?;
            totals::write(tx, publisher, deltas).await?;
            moves.note(tx, moved).await?;
        }
        for table in BESIDE {
            let mut sql = tx.sql();
            sql.push(&format!("UPDATE {table} SET ad_space_id = "))
                .bind(new);
            sql.push(" WHERE publisher_id = ").bind(publisher.0);
            sql.push(" AND ad_space_id = ").bind(old);
            sql.push(" AND ad_space_name_id = ").bind(told);
            tx.execute(sql).await?;
        }
        // Users that are nobody's any more go as they do after a choice, and tombstones get theirs.
        let is_other_rule = self.user_rule(Some(old)) != self.user_rule(Some(new));
        users::move_ad_space(tx, publisher, (told, new), is_other_rule).await
    }

    /// The next actions of an ad space, or those of them that a name told, behind an id in the order of ids, with their
    /// statuses.
    async fn part(
        &self,
        tx: &WriteTx,
        (ad_space, told): (Uuid, Option<Uuid>),
        after: Uuid,
    ) -> Result<Vec<(Uuid, String)>, DbErr> {
        let mut sql = tx.sql();
        sql.push("SELECT id, status FROM actions WHERE publisher_id = ")
            .bind(self.publisher.0);
        sql.push(" AND ad_space_id = ").bind(ad_space);
        if let Some(told) = told {
            sql.push(" AND ad_space_name_id = ").bind(told);
        }
        sql.push(" AND id > ").bind(after);
        sql.push(" ORDER BY id LIMIT ")
            .bind(i64::try_from(users::STEP).unwrap_or(i64::MAX));
        let rows = tx.rows(sql).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "status")?)))
            .collect()
    }

    /// Removes an ad space that nothing hangs on.
    pub(super) async fn remove(&self, tx: &WriteTx, old: Uuid) -> Result<(), DbErr> {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ad_spaces WHERE publisher_id = ")
            .bind(self.publisher.0);
        sql.push(" AND id = ").bind(old);
        tx.execute(sql).await.map(|_| ())
    }
}

/// The last action of a part, where there may be more behind it.
fn last_of_more(part: &[(Uuid, String)]) -> Option<Uuid> {
    let last = part.last().filter(|_| part.len() >= users::STEP);
    last.map(|(id, _)| *id)
}
