//! Actions that upstream no longer had: out of the facts, and kept whole until they are seen again.
//!
//! A tombstone holds the rows of the action as they were, so that whatever still arrives for it is merged into what was
//! known, and an action that is seen again comes back with its history.

use super::super::listing::IDS;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use crate::domain::id::PublisherId;
use entity::{action, action_item, action_state, tombstone};
use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// An action behind a tombstone.
#[derive(Debug)]
pub(super) struct Buried {
    /// When the re-read began that no longer had it, µs.
    pub(super) deleted_at_us: i64,
    /// Its row.
    pub(super) action: action::Model,
    /// Its cart.
    pub(super) items: Vec<action_item::Model>,
    /// Its history.
    pub(super) states: Vec<action_state::Model>,
}

/// Those of the actions that have a tombstone: a statement for up to [`IDS`] of them.
pub(super) async fn load(
    tx: &WriteTx,
    publisher: PublisherId,
    actions: &[Uuid],
) -> Result<Vec<Buried>, DbErr> {
    let mut found = Vec::new();
    for ids in actions.chunks(IDS) {
        let sql = super::facts::of_actions(tx, publisher, "tombstones t", "action_id", ids);
        for row in tx.models::<tombstone::Entity>(sql).await? {
            let mut action: action::Model = parse(&row.action)?;
            action.ad_space_id = row.ad_space_id;
            action.ad_space_name_id = row.ad_space_name_id;
            found.push(Buried {
                deleted_at_us: row.deleted_at_us,
                action,
                items: parse(&row.items)?,
                states: parse(&row.states)?,
            });
        }
    }
    Ok(found)
}

/// Puts actions behind tombstones: their rows leave the facts.
pub(super) async fn bury(
    tx: &WriteTx,
    publisher: PublisherId,
    buried: &[Buried],
) -> Result<(), DbErr> {
    let mut rows = Vec::with_capacity(buried.len());
    for one in buried {
        rows.push(tombstone::Model {
            publisher_id: publisher.0,
            action_id: one.action.id,
            deleted_at_us: one.deleted_at_us,
            ad_space_id: one.action.ad_space_id,
            ad_space_name_id: one.action.ad_space_name_id,
            // The ad space stands in the columns alone, where it may change.
            action: print(&action::Model {
                ad_space_id: None,
                ad_space_name_id: None,
                ..one.action.clone()
            })?,
            items: print(&one.items)?,
            states: print(&one.states)?,
        });
    }
    insert(tx, &rows, Conflict::Replace).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.action_id).collect();
    // Carts and histories go with their actions.
    remove(tx, publisher, ("actions", "id"), &ids).await
}

/// Takes tombstones away: their actions are among the facts again.
pub(super) async fn unearth(
    tx: &WriteTx,
    publisher: PublisherId,
    actions: &[Uuid],
) -> Result<(), DbErr> {
    remove(tx, publisher, ("tombstones", "action_id"), actions).await
}

async fn remove(
    tx: &WriteTx,
    publisher: PublisherId,
    (table, column): (&str, &str),
    ids: &[Uuid],
) -> Result<(), DbErr> {
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ")
            .push(table)
            .push(" WHERE publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ").among(column, ids);
        tx.execute(sql).await?;
    }
    Ok(())
}

fn print<T: Serialize>(value: &T) -> Result<String, DbErr> {
    serde_json::to_string(value).map_err(|error| DbErr::Custom(error.to_string()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, DbErr> {
    serde_json::from_str(text).map_err(|error| DbErr::Custom(format!("tombstones: {error}")))
}
