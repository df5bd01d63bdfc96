//! The ledger's part of the write path: adjustments of one input and what balances were, each in one transaction with
//! the counters of its run. Actions and totals are not touched.

use super::dimensions::{AdSpaces, Moves, program_id, write_programs};
use super::{Applied, Counts, ReadRecords, end_batch, lock, raise_version};
use crate::domain::draft::AdSpaceRef;
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::ledger::{AdjustmentDraft, Balance, LedgerInput, balance_id, identified};
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::text::fold;
use crate::domain::time::{DAY_US, Instant};
use crate::store::Store;
use crate::store::listing::IDS;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::WriteTx;
use entity::{adjustment, balance};
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The adjustments of one input.
#[derive(Clone, Copy, Debug)]
pub struct LedgerBatch<'a> {
    /// The run it belongs to.
    pub run_id: Uuid,
    /// Whose balance they moved.
    pub account: &'a str,
    /// What was read.
    pub input: &'a LedgerInput,
    /// When it was observed.
    pub observed_at: Instant,
    /// The present.
    pub now: Instant,
}

/// Writes the adjustments of an input: all of them or none. What is known already, or was observed later, stays.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn write_adjustments(
    store: &Store,
    scope: WriteScope,
    batch: LedgerBatch<'_>,
) -> Result<Applied> {
    let publisher = scope.publisher();
    let drafts = identified(publisher, batch.account, batch.input.adjustments.clone());
    store
        .write(async |tx| write_in(tx, publisher, batch, &drafts).await)
        .await
}

async fn write_in(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: LedgerBatch<'_>,
    drafts: &BTreeMap<Uuid, AdjustmentDraft>,
) -> Result<Applied, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let named = |draft: &AdjustmentDraft| i64::from(draft.day.days()) * DAY_US;
    let spaces: Vec<(&AdSpaceRef, i64)> = drafts
        .values()
        .filter_map(|draft| Some((draft.ad_space.as_ref()?, named(draft))))
        .collect();
    let mut moves = Moves::new(publisher, sequence, (batch.run_id, batch.now));
    let held = AdSpaces::load(tx, publisher).await?;
    let spaces = held.add(tx, &spaces, &mut moves).await?;
    let programs = drafts
        .values()
        .filter_map(|draft| Some((draft.program.as_ref()?, named(draft))));
    let is_named = write_programs(tx, publisher, programs).await?;
    let known = known(tx, publisher, drafts.keys()).await?;
    let mut applied = Applied::default();
    let mut rows = Vec::new();
    for (id, draft) in drafts {
        let row = row(publisher, *id, draft, batch, &spaces);
        match known.get(id) {
            None => applied.inserted += 1,
            Some(old) if is_same(old, &row) => {
                applied.unchanged += 1;
                // Seen again: what was observed between is older than this.
                if old.observed_at_us >= row.observed_at_us {
                    continue;
                }
                rows.push(adjustment::Model {
                    observed_at_us: row.observed_at_us,
                    ..old.clone()
                });
                continue;
            }
            Some(old) if is_newer(&row, old) => applied.updated += 1,
            Some(_) => {
                applied.stale += 1;
                continue;
            }
        }
        rows.push(row);
    }
    insert(tx, &rows, Conflict::Replace).await?;
    if applied.inserted + applied.updated > 0 || spaces.is_changed || is_named {
        raise_version(tx, publisher, moves.sequence, batch.now).await?;
    }
    count_lines(tx, publisher, batch, &mut applied).await?;
    Ok(applied)
}

/// Counts every line: one that was passed over, or that a later line with its reference replaces, changed nothing.
async fn count_lines(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: LedgerBatch<'_>,
    applied: &mut Applied,
) -> Result<(), DbErr> {
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let input = batch.input;
    let lines = input.adjustments.len() + size(input.passed_over);
    let written = applied.inserted + applied.updated + applied.unchanged + applied.stale;
    applied.unchanged += number(lines) - written;
    let counts = Counts {
        read: lines + size(input.rejected),
        applied: *applied,
        rejected: size(input.rejected),
        rounded: i64::try_from(input.rounded).unwrap_or(i64::MAX),
        bytes_read: None,
    };
    let run = (batch.run_id, batch.now);
    end_batch(tx, publisher, run, (counts, (&input.rejects, 0)), None).await?;
    Ok(())
}

async fn known(
    tx: &WriteTx,
    publisher: PublisherId,
    ids: impl Iterator<Item = &Uuid>,
) -> Result<HashMap<Uuid, adjustment::Model>, DbErr> {
    let ids: Vec<Uuid> = ids.copied().collect();
    let mut rows = HashMap::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM adjustments t WHERE t.publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ").among("t.id", ids);
        let found = tx.models::<adjustment::Entity>(sql).await?;
        rows.extend(found.into_iter().map(|row| (row.id, row)));
    }
    Ok(rows)
}

fn row(
    publisher: PublisherId,
    id: Uuid,
    draft: &AdjustmentDraft,
    batch: LedgerBatch<'_>,
    spaces: &AdSpaces,
) -> adjustment::Model {
    let program = draft.program.as_ref();
    adjustment::Model {
        publisher_id: publisher.0,
        id,
        account: batch.account.to_owned(),
        kind: draft.kind.as_str().to_owned(),
        day: draft.day.days(),
        at_us: draft.at.map(Instant::micros),
        amount_e4: draft.amount_e4,
        currency: draft.currency.as_str().to_owned(),
        program_id: program.map(|program| program_id(publisher, program)),
        ad_space_id: draft.ad_space.as_ref().map(|space| spaces.id_of(space)),
        ad_space_name_id: draft
            .ad_space
            .as_ref()
            .and_then(|space| spaces.told_name(space)),
        comment: draft.comment.clone(),
        comment_folded: draft.comment.as_deref().map(fold),
        external_reference: draft.reference.clone(),
        run_id: batch.run_id,
        observed_at_us: batch.observed_at.micros(),
    }
}

/// What a line says, and may say otherwise the next time: of an ad space the id or the name, not where that leads.
fn content(row: &adjustment::Model) -> impl Ord + '_ {
    let is_by_id = row.ad_space_name_id.is_none();
    let ad_space = row.ad_space_name_id.or(row.ad_space_id);
    (
        (row.day, row.at_us, row.amount_e4),
        (&row.comment, row.program_id, is_by_id, ad_space),
    )
}

fn is_same(old: &adjustment::Model, new: &adjustment::Model) -> bool {
    content(old) == content(new)
}

/// Observed later; where both were observed at once, the content decides, so that the order of arrival does not.
fn is_newer(new: &adjustment::Model, old: &adjustment::Model) -> bool {
    (new.observed_at_us, content(new)) > (old.observed_at_us, content(old))
}

/// Notes what the balance of an account was, one row per currency and time at which it had changed. What the same time
/// said before is replaced. `told` are the records that said so and the sync that moves with them.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn write_balances(
    store: &Store,
    scope: WriteScope,
    balances: &[Balance],
    (told, now): (Option<(ReadRecords<'_>, &SyncStep)>, Instant),
) -> Result<()> {
    let publisher = scope.publisher();
    let rows: BTreeMap<Uuid, balance::Model> = balances
        .iter()
        .map(|balance| {
            let row = balance_row(publisher, balance);
            (row.id, row)
        })
        .collect();
    let rows: Vec<balance::Model> = rows.into_values().collect();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let news = moved(tx, publisher, &rows).await?;
            insert(tx, &news, Conflict::Replace).await?;
            if let Some((records, step)) = told {
                records.end(tx, publisher, Some(step), now).await?;
            }
            if news.is_empty() {
                return Ok(());
            }
            raise_version(tx, publisher, sequence, now).await
        })
        .await
}

/// Those of the rows that say something else than the last one before them of their account and currency.
async fn moved(
    tx: &WriteTx,
    publisher: PublisherId,
    rows: &[balance::Model],
) -> Result<Vec<balance::Model>, DbErr> {
    let mut news = Vec::new();
    for row in rows {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM balances t WHERE t.publisher_id = ")
            .bind(publisher.0)
            .push(" AND t.account = ")
            .bind(row.account.clone());
        sql.push(" AND t.currency = ")
            .bind(row.currency.clone())
            .push(" AND t.observed_at_us <= ")
            .bind(row.observed_at_us)
            .push(" ORDER BY t.observed_at_us DESC LIMIT 1");
        let last = tx.models::<balance::Entity>(sql).await?;
        let sums = |row: &balance::Model| {
            (
                row.balance_e4,
                row.processing_e4,
                row.today_e4,
                row.stalled_e4,
            )
        };
        if last.first().is_none_or(|last| sums(last) != sums(row)) {
            news.push(row.clone());
        }
    }
    Ok(news)
}

fn balance_row(publisher: PublisherId, balance: &Balance) -> balance::Model {
    balance::Model {
        publisher_id: publisher.0,
        id: balance_id(
            publisher,
            &balance.account,
            balance.currency,
            balance.observed_at,
        ),
        account: balance.account.clone(),
        currency: balance.currency.as_str().to_owned(),
        observed_at_us: balance.observed_at.micros(),
        balance_e4: balance.balance_e4,
        processing_e4: balance.processing_e4,
        today_e4: balance.today_e4,
        stalled_e4: balance.stalled_e4,
    }
}
