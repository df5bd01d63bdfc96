//! What hangs on an ad space follows the name that it was told by, when that leads to another one.

use super::super::facts::Facts;
use super::super::{deeplinks, totals, users};
use super::{AdSpaces, write_users};
use crate::store::tx::WriteTx;
use sea_orm::DbErr;
use uuid::Uuid;

/// The tables beside actions that name an ad space, and the name that it was told by.
const BESIDE: [&str; 2] = ["tombstones", "adjustments"];

impl AdSpaces {
    /// An ad space that was known by name only turned out to be another one: all that hangs on it becomes that one's.
    pub(super) async fn join(&mut self, tx: &WriteTx, old: Uuid, new: Uuid) -> Result<(), DbErr> {
        let mut sql = tx.sql();
        sql.push("SELECT id, status FROM actions WHERE publisher_id = ")
            .bind(self.publisher.0)
            .push(" AND ad_space_id = ")
            .bind(old);
        for row in tx.rows(sql).await? {
            self.moved
                .insert(row.try_get("", "id")?, row.try_get("", "status")?);
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
        &mut self,
        tx: &WriteTx,
        told: Uuid,
        (old, new): (Uuid, Uuid),
    ) -> Result<(), DbErr> {
        let publisher = self.publisher;
        let mut sql = tx.sql();
        sql.push("SELECT id, status FROM actions WHERE publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ad_space_id = ").bind(old);
        sql.push(" AND ad_space_name_id = ").bind(told);
        let mut ids: Vec<Uuid> = Vec::new();
        for row in tx.rows(sql).await? {
            let id = row.try_get("", "id")?;
            ids.push(id);
            self.moved.insert(id, row.try_get("", "status")?);
        }
        for ids in ids.chunks(users::STEP) {
            let mut facts = Facts::load_ids(tx, publisher, ids.to_vec()).await?;
            facts.lead(told, new);
            let named = facts.name_users(publisher, self);
            write_users(tx, publisher, &named).await?;
            facts.write(tx, publisher, self).await?;
            let deltas = facts.deltas(tx, publisher, self).await?;
            totals::write(tx, publisher, deltas).await?;
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

    /// Removes an ad space that nothing hangs on.
    pub(super) async fn remove(&self, tx: &WriteTx, old: Uuid) -> Result<(), DbErr> {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ad_spaces WHERE publisher_id = ")
            .bind(self.publisher.0);
        sql.push(" AND id = ").bind(old);
        tx.execute(sql).await.map(|_| ())
    }
}
