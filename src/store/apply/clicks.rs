//! Clicks: a set of days in the place of what is stored of it, in one transaction with its run's counters.
//!
//! Upstream corrects its counts, and says nothing of a day without clicks: so what was asked for is replaced as a whole.
//! Only what it said unreadably stays as it was. Whatever is equal stays untouched; the data version rises where something differs. Reports add up everything that is
//! stored of a slot: an account is asked with ad spaces or without them, not both.

use super::super::connect::Store;
use super::super::sql::insert::{Conflict, delete, insert};
use super::super::tx::WriteTx;
use super::dimensions::{AdSpaces, Moves, program_id, write_programs};
use super::{Applied, Counts, end_batch, lock, raise_version};
use crate::domain::clicks::{ClickDay, Replaced, noon};
use crate::domain::draft::{AdSpaceRef, ProgramRef, Reject};
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::time::{Day, Instant};
use entity::click_stat;
use sea_orm::DbErr;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The stored slot of what is not divided by a SubID.
pub(in crate::store) const ALL_SUBIDS: i32 = -1;

/// Clicks to be written.
#[derive(Clone, Copy, Debug)]
pub struct ClicksBatch<'a> {
    /// The run that they belong to.
    pub run_id: Uuid,
    /// The account that they were read from, by its configured name: accounts do not replace each other's rows.
    pub account: &'a str,
    /// How far the account's clock is ahead of UTC, in minutes: its days are those of this clock.
    pub offset_minutes: i32,
    /// All that upstream has of the set, from all pages.
    pub rows: &'a [ClickDay],
    /// What they take the place of.
    pub replaces: &'a Replaced,
    /// Days of which something was refused: what is stored of them and not among the rows stays.
    pub unread: &'a [Day],
    /// Records that were refused.
    pub rejects: &'a [Reject],
    /// How many of the run were refused before.
    pub rejected_before: i64,
    /// How far a sync has come with these rows; moved in their transaction.
    pub sync: Option<&'a SyncStep>,
    /// The present.
    pub now: Instant,
}

/// Writes clicks: all of them or nothing. Days inserted and days changed are counted; those that upstream has no more
/// are among the changed ones.
///
/// # Errors
/// When a row is none of the set or the offset is no clock's; when the database fails. Then nothing is stored.
pub async fn write(store: &Store, scope: WriteScope, batch: ClicksBatch<'_>) -> Result<Applied> {
    let rows = batch.replaces.settled(batch.rows)?;
    let at_noon = |row: ClickDay| -> Result<(ClickDay, Instant)> {
        let noon = noon(row.day, batch.offset_minutes).map_err(Error::internal)?;
        Ok((row, noon))
    };
    let rows: Vec<(ClickDay, Instant)> = rows.into_iter().map(at_noon).collect::<Result<_>>()?;
    store
        .write(async |tx| write_in(tx, scope.publisher(), batch, &rows).await)
        .await
}

/// What tells the rows of one slot of one account apart, in the order of the table's key.
type Key = (i32, Uuid, Uuid, String);

fn key(row: &click_stat::Model) -> Key {
    (
        row.click_day,
        row.program_id,
        row.ad_space_id,
        row.subid.clone(),
    )
}

fn program_of(external_id: &str) -> ProgramRef {
    ProgramRef {
        external_id: Some(external_id.to_owned()),
        name: None,
    }
}

/// Our id of a program, by upstream's.
pub(in crate::store) fn program_called(publisher: PublisherId, external_id: &str) -> Uuid {
    program_id(publisher, &program_of(external_id))
}

fn ad_space_of(external_id: &str) -> AdSpaceRef {
    AdSpaceRef {
        external_id: Some(external_id.to_owned()),
        name: None,
    }
}

fn stored_slot(slot: Option<u8>) -> i32 {
    slot.map_or(ALL_SUBIDS, i32::from)
}

/// Writes clicks in a transaction that may do more. Each row comes with the instant that its day stands at.
async fn write_in(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
    rows: &[(ClickDay, Instant)],
) -> Result<Applied, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let at = batch.now.micros();
    let rows = || rows.iter();
    let spaces: Vec<AdSpaceRef> = rows()
        .filter_map(|(row, _)| row.ad_space_external_id.as_deref().map(ad_space_of))
        .collect();
    let spaces: Vec<(&AdSpaceRef, i64)> = spaces.iter().map(|space| (space, at)).collect();
    let held = AdSpaces::load(tx, publisher).await?;
    let run = (batch.run_id, batch.now);
    let mut moves = Moves::new(publisher, sequence, run);
    let spaces = held.add(tx, &spaces, &mut moves).await?;
    let programs: Vec<ProgramRef> = rows()
        .map(|(row, _)| program_of(&row.program_external_id))
        .collect();
    let programs = programs.iter().map(|program| (program, at));
    let is_described = spaces.is_changed | write_programs(tx, publisher, programs).await?;

    let models = models(publisher, batch, &spaces, rows());
    let (applied, is_changed) = replace(tx, publisher, batch, (&spaces, &models)).await?;
    if is_described || is_changed {
        raise_version(tx, publisher, moves.sequence, batch.now).await?;
    }
    let counts = Counts {
        read: batch.rows.len() + batch.rejects.len(),
        applied,
        rejected: batch.rejects.len(),
        rounded: 0,
        bytes_read: None,
    };
    let refused = (batch.rejects, batch.rejected_before);
    end_batch(tx, publisher, run, (counts, refused), batch.sync).await?;
    Ok(applied)
}

/// Rows as they are to be stored.
fn models<'a>(
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
    spaces: &AdSpaces,
    rows: impl Iterator<Item = &'a (ClickDay, Instant)>,
) -> BTreeMap<Key, click_stat::Model> {
    let model = |(row, noon): &(ClickDay, Instant)| {
        let space = row.ad_space_external_id.as_deref();
        let model = click_stat::Model {
            publisher_id: publisher.0,
            slot: stored_slot(row.slot),
            click_day: row.day.days(),
            account: batch.account.to_owned(),
            program_id: program_called(publisher, &row.program_external_id),
            ad_space_id: space.map_or(Uuid::nil(), |id| spaces.id_of(&ad_space_of(id))),
            subid: row.subid.clone().unwrap_or_default(),
            noon_us: noon.micros(),
            clicks: row.clicks,
            views: row.views,
        };
        (key(&model), model)
    };
    rows.map(model).collect()
}

/// Brings what is stored of the set to these rows; tells whether anything differed.
async fn replace(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
    (spaces, models): (&AdSpaces, &BTreeMap<Key, click_stat::Model>),
) -> Result<(Applied, bool), DbErr> {
    let stored = stored(tx, publisher, batch, spaces).await?;
    let mut applied = Applied::default();
    let mut written = Vec::new();
    for (key, row) in models {
        let count = match stored.get(key) {
            Some(held) if held == row => {
                applied.unchanged += 1;
                continue;
            }
            Some(_) => &mut applied.updated,
            None => &mut applied.inserted,
        };
        *count += 1;
        written.push(row.clone());
    }
    // A record that was refused is no word that there were no clicks.
    let unread: BTreeSet<i32> = batch.unread.iter().map(|day| day.days()).collect();
    let gone: Vec<&click_stat::Model> = stored
        .iter()
        .filter(|(key, _)| !models.contains_key(*key) && !unread.contains(&key.0))
        .map(|(_, row)| row)
        .collect();
    applied.updated += i64::try_from(gone.len()).unwrap_or(i64::MAX);
    delete(tx, &gone).await?;
    insert(tx, &written, Conflict::Replace).await?;
    Ok((applied, !gone.is_empty() || !written.is_empty()))
}

/// What is stored of the set.
async fn stored(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
    spaces: &AdSpaces,
) -> Result<BTreeMap<Key, click_stat::Model>, DbErr> {
    let Replaced {
        days: (first, last),
        program,
        ad_space,
        slot,
    } = batch.replaces;
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM click_stats t WHERE t.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND t.slot = ").bind(stored_slot(*slot));
    sql.push(" AND t.click_day >= ").bind(first.days());
    sql.push(" AND t.click_day <= ").bind(last.days());
    sql.push(" AND t.account = ").bind(batch.account);
    if let Some(program) = program {
        sql.push(" AND t.program_id = ")
            .bind(program_id(publisher, &program_of(program)));
    }
    if let Some(ad_space) = ad_space {
        sql.push(" AND t.ad_space_id = ")
            .bind(spaces.id_of(&ad_space_of(ad_space)));
    }
    let rows = tx.models::<click_stat::Entity>(sql).await?;
    Ok(rows.into_iter().map(|row| (key(&row), row)).collect())
}
