//! Clicks: a set of days in the place of what is stored of it, in one transaction with its run's counters.
//!
//! Upstream corrects its counts, and says nothing of a day without clicks: so what was asked for is replaced as a whole.
//! Whatever is equal stays untouched; the data version rises where something differs. Reports add up everything that is
//! stored of a slot: an account is asked with ad spaces or without them, not both.

use super::super::connect::Store;
use super::super::sql::insert::{Conflict, delete, insert};
use super::super::tx::WriteTx;
use super::dimensions::{AdSpaces, program_id, write_programs};
use super::{Applied, Counts, add_counts, lock, raise_version};
use crate::domain::clicks::{ClickDay, Replaced, noon};
use crate::domain::draft::{AdSpaceRef, ProgramRef};
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use entity::{action_change, click_stat};
use sea_orm::DbErr;
use std::collections::BTreeMap;
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
    /// The present.
    pub now: Instant,
}

/// Writes clicks: all of them or nothing. Days inserted and days changed are counted; those that upstream has no more
/// are among the changed ones.
///
/// # Errors
/// When a row is none of the set or the offset is no clock's; when the database fails. Then nothing is stored.
pub async fn write(store: &Store, scope: WriteScope, batch: ClicksBatch<'_>) -> Result<Applied> {
    let rows = Settled::of(scope.publisher(), batch)?;
    store
        .write(async |tx| write_in(tx, scope.publisher(), batch, &rows).await)
        .await
}

/// Rows as they are to be stored, and what they name.
pub(super) struct Settled {
    rows: Vec<ClickDay>,
    models: BTreeMap<Key, click_stat::Model>,
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

fn ad_space_of(external_id: &str) -> AdSpaceRef {
    AdSpaceRef {
        external_id: Some(external_id.to_owned()),
        name: None,
    }
}

fn stored_slot(slot: Option<u8>) -> i32 {
    slot.map_or(ALL_SUBIDS, i32::from)
}

impl Settled {
    /// The rows of a batch, without a database.
    pub(super) fn of(publisher: PublisherId, batch: ClicksBatch<'_>) -> Result<Self> {
        let rows = batch.replaces.settled(batch.rows)?;
        let mut models = BTreeMap::new();
        for row in &rows {
            let noon = noon(row.day, batch.offset_minutes).map_err(Error::internal)?;
            let program = program_of(&row.program_external_id);
            let space = row.ad_space_external_id.as_deref().map(ad_space_of);
            let model = click_stat::Model {
                publisher_id: publisher.0,
                slot: stored_slot(row.slot),
                click_day: row.day.days(),
                account: batch.account.to_owned(),
                program_id: program_id(publisher, &program),
                ad_space_id: space.map_or(Uuid::nil(), |space| {
                    super::dimensions::ad_space_id(publisher, &space)
                }),
                subid: row.subid.clone().unwrap_or_default(),
                noon_us: noon.micros(),
                clicks: row.clicks,
                views: row.views,
            };
            models.insert(key(&model), model);
        }
        Ok(Self { rows, models })
    }
}

/// Writes clicks in a transaction that may do more.
pub(super) async fn write_in(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
    settled: &Settled,
) -> Result<Applied, DbErr> {
    let mut sequence = lock(tx, publisher).await?;
    let at = batch.now.micros();
    let spaces: Vec<AdSpaceRef> = settled
        .rows
        .iter()
        .filter_map(|row| row.ad_space_external_id.as_deref().map(ad_space_of))
        .collect();
    let spaces: Vec<(&AdSpaceRef, i64)> = spaces.iter().map(|space| (space, at)).collect();
    let spaces = AdSpaces::bring(tx, publisher, &spaces).await?;
    let programs: Vec<ProgramRef> = settled
        .rows
        .iter()
        .map(|row| program_of(&row.program_external_id))
        .collect();
    let programs = programs.iter().map(|program| (program, at));
    let mut is_changed = spaces.is_changed | write_programs(tx, publisher, programs).await?;

    let stored = stored(tx, publisher, batch).await?;
    let mut applied = Applied::default();
    let mut written = Vec::new();
    for (key, row) in &settled.models {
        match stored.get(key) {
            Some(held) if held == row => applied.unchanged += 1,
            Some(_) => {
                applied.updated += 1;
                written.push(row.clone());
            }
            None => {
                applied.inserted += 1;
                written.push(row.clone());
            }
        }
    }
    let gone: Vec<&click_stat::Model> = stored
        .iter()
        .filter(|(key, _)| !settled.models.contains_key(*key))
        .map(|(_, row)| row)
        .collect();
    applied.updated += i64::try_from(gone.len()).unwrap_or(i64::MAX);
    delete(tx, &gone).await?;
    insert(tx, &written, Conflict::Replace).await?;
    is_changed |= !gone.is_empty() || !written.is_empty();

    let changes: Vec<action_change::Model> = spaces
        .moved
        .iter()
        .map(|(action_id, status)| {
            sequence += 1;
            action_change::Model {
                publisher_id: publisher.0,
                seq: sequence,
                action_id: *action_id,
                kind: "UPDATED".to_owned(),
                status: status.clone(),
                run_id: batch.run_id,
                committed_at_us: at,
            }
        })
        .collect();
    insert(tx, &changes, Conflict::Fail).await?;
    if is_changed {
        raise_version(tx, publisher, sequence, batch.now).await?;
    }
    let counts = Counts {
        read: batch.rows.len(),
        applied,
        rejected: 0,
        rounded: 0,
    };
    add_counts(tx, publisher, batch.run_id, counts).await?;
    Ok(applied)
}

/// What is stored of the set.
async fn stored(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: ClicksBatch<'_>,
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
        let id = super::dimensions::ad_space_id(publisher, &ad_space_of(ad_space));
        sql.push(" AND t.ad_space_id = ").bind(id);
    }
    let rows = tx.models::<click_stat::Entity>(sql).await?;
    Ok(rows.into_iter().map(|row| (key(&row), row)).collect())
}
