//! The part of the write path that the parameters of the built-in segments take.

use super::super::segment_settings::write;
use super::super::sql::insert::{Conflict, insert};
use super::super::{apart, audit};
use super::{lock, raise_version};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::segment::SegmentSettings;
use crate::store::Store;
use crate::store::tx::WriteTx;
use entity::segment_settings;
use sea_orm::DbErr;

/// Puts settings in the place of those of a version (0 for none), and raises the version of the data, since answers
/// change; false where they have another version by now. The trail says which parts were `changed`. It goes on a thread of its own, and once begun it is finished,
/// whether or not its caller waits.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn set_segment_settings(
    store: &Store,
    scope: WriteScope,
    settings: &SegmentSettings,
    version: i32,
    (changed, note): (&[&str], &Note),
) -> Result<bool> {
    let row = segment_settings::Model {
        publisher_id: scope.publisher().0,
        version: version.saturating_add(1),
        parameters: write(settings)?,
        changed_at_us: note.now.micros(),
    };
    let deed = Deed {
        act: Act::SegmentSettingsUpdated,
        subject: "segmentSettings".to_owned(),
        detail: format!("version {}: {}", row.version, changed.join(", ")),
    };
    let (store, note) = (store.clone(), note.clone());
    apart(async move || set(&store, &row, version, (&note, &deed)).await).await
}

async fn set(
    store: &Store,
    row: &segment_settings::Model,
    version: i32,
    (note, deed): (&Note, &Deed),
) -> Result<bool> {
    let publisher = PublisherId(row.publisher_id);
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let written = if version == 0 {
                insert(tx, std::slice::from_ref(row), Conflict::Keep).await?
            } else {
                replace(tx, row, version).await?
            };
            if written > 0 {
                audit::write(tx, publisher, note, deed).await?;
                raise_version(tx, publisher, sequence, note.now).await?;
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
