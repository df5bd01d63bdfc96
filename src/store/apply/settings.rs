//! The part of the write path that the parameters of the built-in segments take.

use super::super::apart;
use super::super::segment_settings::write;
use super::super::sql::insert::{Conflict, insert};
use super::{lock, raise_version};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::segment::SegmentSettings;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::tx::WriteTx;
use entity::segment_settings;
use sea_orm::DbErr;

/// Puts settings in the place of those of a version (0 for none), and raises the version of the data, since answers
/// change; false where they have another version by now. It goes on a thread of its own, and once begun it is finished,
/// whether or not its caller waits.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn set_segment_settings(
    store: &Store,
    scope: WriteScope,
    settings: &SegmentSettings,
    version: i32,
    now: Instant,
) -> Result<bool> {
    let row = segment_settings::Model {
        publisher_id: scope.publisher().0,
        version: version.saturating_add(1),
        parameters: write(settings)?,
        changed_at_us: now.micros(),
    };
    let store = store.clone();
    apart(async move || set(&store, scope.publisher(), &row, (version, now)).await).await
}

async fn set(
    store: &Store,
    publisher: PublisherId,
    row: &segment_settings::Model,
    (version, now): (i32, Instant),
) -> Result<bool> {
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let written = if version == 0 {
                insert(tx, std::slice::from_ref(row), Conflict::Keep).await?
            } else {
                replace(tx, row, version).await?
            };
            if written > 0 {
                raise_version(tx, publisher, sequence, now).await?;
            }
            Ok(written > 0)
        })
        .await
}

/// Replaces the row where it has this version; gives how many rows that were.
async fn replace(tx: &WriteTx, row: &segment_settings::Model, version: i32) -> Result<u64, DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE segment_settings SET version = ")
        .bind(row.version);
    sql.push(", parameters = ").bind(row.parameters.as_str());
    sql.push(", changed_at_us = ").bind(row.changed_at_us);
    sql.push(" WHERE publisher_id = ").bind(row.publisher_id);
    sql.push(" AND version = ").bind(version);
    tx.execute(sql).await
}
