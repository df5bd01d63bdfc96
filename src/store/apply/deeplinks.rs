//! Templates of affiliate links, written: in one transaction under the publisher's lock, with a new version of the data.

use super::super::audit;
use super::super::connect::Store;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::dimensions::{known, program_id};
use super::{ReadRecords, lock, raise_version};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::deeplink::Template;
use crate::domain::draft::ProgramRef;
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::time::Instant;
use crate::domain::traffic::DeeplinkSource;
use entity::{deeplink, program};
use sea_orm::DbErr;
use uuid::Uuid;

/// What a template belongs to: the ad space, the program, and who gave it.
pub type DeeplinkKey = (Uuid, Uuid, DeeplinkSource);

/// Stores a template in place of the one that is there; tells whether that changed anything. The trail calls the program
/// by its name.
///
/// # Errors
/// When the database fails, or the ad space or program is not the publisher's.
pub async fn set(
    store: &Store,
    scope: WriteScope,
    key: DeeplinkKey,
    template: &Template,
    (program, note): (&str, &Note),
) -> Result<bool> {
    let (publisher, now) = (scope.publisher(), note.now);
    let detail = format!("program {program:?}: {}", template.base());
    let deed = Deed::to_row(Act::DeeplinkSet, key.0, detail);
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let is_changed = set_in(tx, publisher, key, template, now).await?;
            if is_changed {
                audit::write(tx, publisher, note, &deed).await?;
                raise_version(tx, publisher, sequence, now).await?;
            }
            Ok(is_changed)
        })
        .await
}

/// Likewise in a transaction that holds the lock and raises the version.
async fn set_in(
    tx: &WriteTx,
    publisher: PublisherId,
    (ad_space_id, program_id, source): DeeplinkKey,
    template: &Template,
    now: Instant,
) -> Result<bool, DbErr> {
    let extra = serde_json::to_string(template.extra());
    let row = deeplink::Model {
        publisher_id: publisher.0,
        ad_space_id,
        program_id,
        source: source.as_str().to_owned(),
        base: template.base().to_owned(),
        target_parameter: template.target_parameter().to_owned(),
        extra: extra.map_err(|error| DbErr::Custom(error.to_string()))?,
        changed_at_us: now.micros(),
    };
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM deeplinks t WHERE t.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND t.ad_space_id = ").bind(ad_space_id);
    sql.push(" AND t.program_id = ").bind(program_id);
    sql.push(" AND t.source = ").bind(source.as_str());
    let held = tx.models::<deeplink::Entity>(sql).await?;
    let same = |held: &deeplink::Model| {
        let changed_at_us = row.changed_at_us;
        deeplink::Model {
            changed_at_us,
            ..held.clone()
        } == row
    };
    if held.first().is_some_and(same) {
        return Ok(false);
    }
    insert(tx, &[row], Conflict::Replace).await.map(|_| true)
}

/// What the network shows for an ad space.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The ad space.
    pub ad_space: Uuid,
    /// Templates by programs; those of programs that the publisher does not know are left out.
    pub templates: &'a [(ProgramRef, Template)],
    /// Whether these are all: what was shown before, and is not any more, goes.
    pub is_whole: bool,
    /// The records that said so.
    pub records: ReadRecords<'a>,
    /// How far a sync has come with them.
    pub sync: &'a SyncStep,
    /// The present.
    pub now: Instant,
}

/// Writes what the network shows for an ad space: all of it or nothing.
///
/// # Errors
/// When the database fails, or another server has the account now.
pub async fn write_shown(store: &Store, scope: WriteScope, shown: Shown<'_>) -> Result<()> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let named = shown.templates.iter();
            let named = named.map(|(program, _)| program_id(publisher, program));
            let known = known::<program::Entity>(tx, publisher, "programs", named).await?;
            let known: Vec<Uuid> = known.into_iter().map(|row| row.id).collect();
            let mut is_changed = false;
            for (program, template) in shown.templates {
                let id = program_id(publisher, program);
                if known.contains(&id) {
                    let key = (shown.ad_space, id, DeeplinkSource::Upstream);
                    is_changed |= set_in(tx, publisher, key, template, shown.now).await?;
                }
            }
            if shown.is_whole {
                is_changed |= forget(tx, publisher, shown.ad_space, &known).await?;
            }
            if is_changed {
                raise_version(tx, publisher, sequence, shown.now).await?;
            }
            let sync = Some(shown.sync);
            shown.records.end(tx, publisher, sync, shown.now).await
        })
        .await
}

/// Removes what the network showed of other programs.
async fn forget(
    tx: &WriteTx,
    publisher: PublisherId,
    ad_space: Uuid,
    programs: &[Uuid],
) -> Result<bool, DbErr> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM deeplinks WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND ad_space_id = ").bind(ad_space);
    sql.push(" AND source = ")
        .bind(DeeplinkSource::Upstream.as_str());
    if !programs.is_empty() {
        sql.push(" AND program_id NOT IN ")
            .bind_all(programs.iter().copied());
    }
    Ok(tx.execute(sql).await? > 0)
}

/// Removes a template; tells whether there was one.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    store: &Store,
    scope: WriteScope,
    (ad_space_id, program_id, source): DeeplinkKey,
    (program, note): (&str, &Note),
) -> Result<bool> {
    let (publisher, now) = (scope.publisher(), note.now);
    let detail = format!("program {program:?}");
    let deed = Deed::to_row(Act::DeeplinkRemoved, ad_space_id, detail);
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let mut sql = tx.sql();
            sql.push("DELETE FROM deeplinks WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND ad_space_id = ").bind(ad_space_id);
            sql.push(" AND program_id = ").bind(program_id);
            sql.push(" AND source = ").bind(source.as_str());
            let is_changed = tx.execute(sql).await? > 0;
            if is_changed {
                audit::write(tx, publisher, note, &deed).await?;
                raise_version(tx, publisher, sequence, now).await?;
            }
            Ok(is_changed)
        })
        .await
}

/// An ad space turned out to be another one: its templates become that one's where it has none of their program and
/// source.
pub(super) async fn move_ad_space(
    tx: &WriteTx,
    publisher: PublisherId,
    old: Uuid,
    new: Uuid,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("UPDATE deeplinks SET ad_space_id = ").bind(new);
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    sql.push(" AND ad_space_id = ").bind(old);
    sql.push(" AND NOT EXISTS (SELECT 1 FROM deeplinks n WHERE n.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND n.ad_space_id = ").bind(new);
    sql.push(" AND n.program_id = deeplinks.program_id AND n.source = deeplinks.source)");
    tx.execute(sql).await.map(|_| ())
}
