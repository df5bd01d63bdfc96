//! The part of the write path that product feeds and commission rates take: what they say of products and categories,
//! what they offer, and which products are hot because of it. Actions and totals are not touched.
//!
//! A product is hot as long as a hot feed offers it or the network calls it so; that is stated anew for every product
//! that a write touches.

use super::goods::{SeenProduct, product_id, write_categories, write_products};
use super::{Applied, Counts, ReadRecords, count, end_batch, lock, raise_version};
use crate::domain::draft::Reject;
use crate::domain::error::Result;
use crate::domain::feed::{CommissionDraft, FeedSource, OfferDraft};
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::listing::IDS;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::WriteTx;
use entity::{commission_rate, feed, feed_offer};
use sea_orm::DbErr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How many products one statement of the closing writes; a feed may have millions.
const GONE: usize = 5_000;

/// A part of a feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedBatch<'a> {
    /// The run it belongs to.
    pub run_id: Uuid,
    /// The feed.
    pub source: &'a FeedSource,
    /// Offers, in the feed's order.
    pub offers: &'a [OfferDraft],
    /// Offers that were refused.
    pub rejects: &'a [Reject],
    /// How many were refused before.
    pub rejected_before: i64,
    /// The present.
    pub now: Instant,
}

/// Writes a part of a feed: all of it or nothing.
///
/// # Errors
/// When the database fails; then nothing of the part is stored.
pub async fn write_offers(
    store: &Store,
    scope: WriteScope,
    batch: FeedBatch<'_>,
) -> Result<Applied> {
    let publisher = scope.publisher();
    store
        .write(async |tx| offers_in(tx, publisher, batch).await)
        .await
}

async fn offers_in(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: FeedBatch<'_>,
) -> Result<Applied, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let at = batch.source.observed_at.micros();
    let full_at = see_feed(tx, publisher, batch.source).await?;
    let named = batch
        .offers
        .iter()
        .filter_map(|offer| Some((offer.category.as_ref()?, at)));
    let mut is_changed = write_categories(tx, publisher, named).await?;
    let products = batch.offers.iter().map(|offer| SeenProduct {
        reference: &offer.product,
        category: offer.category.as_ref(),
        at,
        seen: at,
    });
    is_changed |= write_products(tx, publisher, products).await?;
    let (mut rows, mut applied) = (BTreeMap::new(), Applied::default());
    for offer in batch.offers {
        let Some(id) = product_id(publisher, &offer.product) else {
            continue;
        };
        // Of two for one product the larger one stays, as if they had come one after the other.
        let row = offer_row(publisher, id, offer, batch.source);
        let held = rows.entry(id).or_insert_with(|| row.clone());
        if content(held) < content(&row) {
            *held = row;
        }
    }
    let known = known_offers(tx, publisher, &batch.source.name, rows.keys()).await?;
    rows.retain(|id, row| match known.get(id) {
        None if full_at > at => {
            applied.stale += 1;
            false
        }
        None => {
            applied.inserted += 1;
            true
        }
        Some(old) if content(old) == content(row) && old.observed_at_us >= at => {
            applied.unchanged += 1;
            false
        }
        Some(old) if content(old) == content(row) => {
            applied.unchanged += 1;
            true
        }
        Some(old) if (at, content(row)) > (old.observed_at_us, content(old)) => {
            applied.updated += 1;
            true
        }
        Some(_) => {
            applied.stale += 1;
            false
        }
    });
    let rows: Vec<feed_offer::Model> = rows.into_values().collect();
    insert(tx, &rows, Conflict::Replace).await?;
    let touched: BTreeSet<Uuid> = rows.iter().map(|row| row.product_id).collect();
    is_changed |= mark_hot(tx, publisher, &touched).await?;
    is_changed |= applied.inserted + applied.updated > 0;
    if is_changed {
        raise_version(tx, publisher, sequence, batch.now).await?;
    }
    let offers = i64::try_from(batch.offers.len()).unwrap_or(i64::MAX);
    let told = applied.inserted + applied.updated + applied.unchanged + applied.stale;
    applied.unchanged += offers - told;
    count_offers(tx, publisher, batch, applied).await?;
    Ok(applied)
}

async fn count_offers(
    tx: &WriteTx,
    publisher: PublisherId,
    batch: FeedBatch<'_>,
    applied: Applied,
) -> Result<(), DbErr> {
    let rounded = batch.offers.iter().map(|offer| i64::from(offer.rounded));
    let counts = Counts {
        read: batch.offers.len() + batch.rejects.len(),
        applied,
        rejected: batch.rejects.len(),
        rounded: rounded.sum(),
        bytes_read: None,
    };
    let refused = (batch.rejects, batch.rejected_before);
    let run = (batch.run_id, batch.now);
    end_batch(tx, publisher, run, (counts, refused), None).await?;
    Ok(())
}

/// Notes that a feed came; gives when the newest whole one of its name was taken.
async fn see_feed(tx: &WriteTx, publisher: PublisherId, source: &FeedSource) -> Result<i64, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT full_at_us FROM feeds WHERE publisher_id = ")
        .bind(publisher.0)
        .push(" AND name = ")
        .bind(source.name.as_str());
    let held: Option<i64> = tx
        .rows(sql)
        .await?
        .first()
        .map(|row| row.try_get("", "full_at_us"))
        .transpose()?;
    let own = if source.is_whole {
        source.observed_at.micros()
    } else {
        0
    };
    let full_at_us = held.unwrap_or(0).max(own);
    if held != Some(full_at_us) {
        let row = feed::Model {
            publisher_id: publisher.0,
            name: source.name.clone(),
            full_at_us,
        };
        insert(tx, &[row], Conflict::Replace).await?;
    }
    Ok(full_at_us)
}

async fn known_offers(
    tx: &WriteTx,
    publisher: PublisherId,
    name: &str,
    products: impl Iterator<Item = &Uuid>,
) -> Result<HashMap<Uuid, feed_offer::Model>, DbErr> {
    let ids: Vec<Uuid> = products.copied().collect();
    let mut known = HashMap::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM feed_offers t WHERE t.publisher_id = ")
            .bind(publisher.0)
            .push(" AND t.feed = ")
            .bind(name);
        sql.push(" AND ").among("t.product_id", ids);
        let rows = tx.models::<feed_offer::Entity>(sql).await?;
        known.extend(rows.into_iter().map(|row| (row.product_id, row)));
    }
    Ok(known)
}

fn offer_row(
    publisher: PublisherId,
    product_id: Uuid,
    offer: &OfferDraft,
    source: &FeedSource,
) -> feed_offer::Model {
    feed_offer::Model {
        publisher_id: publisher.0,
        product_id,
        feed: source.name.clone(),
        affiliate_url: offer.affiliate_url.clone(),
        price_e4: offer.price_e4,
        old_price_e4: offer.old_price_e4,
        currency: offer.currency.map(|currency| currency.as_str().to_owned()),
        vendor: offer.vendor.clone(),
        available: offer.available,
        hot: source.is_hot,
        observed_at_us: source.observed_at.micros(),
    }
}

/// What an offer says, and may say otherwise the next time.
fn content(row: &feed_offer::Model) -> impl Ord + '_ {
    (
        (row.price_e4, row.old_price_e4, &row.currency),
        (&row.affiliate_url, &row.vendor, row.available, row.hot),
    )
}

/// States anew which of these products are hot; tells whether one changed.
async fn mark_hot(
    tx: &WriteTx,
    publisher: PublisherId,
    products: &BTreeSet<Uuid>,
) -> Result<bool, DbErr> {
    let products: Vec<Uuid> = products.iter().copied().collect();
    let mut is_changed = false;
    for ids in products.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.id, t.is_hot, CASE WHEN EXISTS (SELECT 1 FROM feed_offers o WHERE o.publisher_id = t.publisher_id \
                  AND o.product_id = t.id AND o.hot) OR EXISTS (SELECT 1 FROM commission_rates c \
                  WHERE c.publisher_id = t.publisher_id AND c.product_id = t.id AND c.is_hot) THEN 1 ELSE 0 END AS wanted \
                  FROM products t WHERE t.publisher_id = ")
            .bind(publisher.0)
            .push(" AND ").among("t.id", ids);
        let mut turned: [Vec<Uuid>; 2] = [Vec::new(), Vec::new()];
        for row in tx.rows(sql).await? {
            let (is_hot, wanted): (bool, i32) =
                (row.try_get("", "is_hot")?, row.try_get("", "wanted")?);
            let [cold, hot] = &mut turned;
            match (is_hot, wanted == 1) {
                (false, true) => hot.push(row.try_get("", "id")?),
                (true, false) => cold.push(row.try_get("", "id")?),
                _ => {}
            }
        }
        for (ids, is_hot) in turned.iter().zip([false, true]) {
            if ids.is_empty() {
                continue;
            }
            is_changed = true;
            let mut sql = tx.sql();
            sql.push("UPDATE products SET is_hot = ")
                .bind(is_hot)
                .push(" WHERE publisher_id = ")
                .bind(publisher.0)
                .push(" AND ")
                .among("id", ids);
            tx.execute(sql).await?;
        }
    }
    Ok(is_changed)
}

/// Takes away what a whole feed that was read to its end no longer offers, a part at a time; gives how many offers.
///
/// # Errors
/// When the database fails; what was taken away before stays so, and the next whole feed takes the rest.
pub async fn close_feed(
    store: &Store,
    scope: WriteScope,
    source: &FeedSource,
    run_id: Uuid,
    now: Instant,
) -> Result<i64> {
    let publisher = scope.publisher();
    let mut all = 0;
    loop {
        let gone = store
            .write(async |tx| close_part(tx, publisher, source, (run_id, now)).await)
            .await?;
        all += gone;
        if usize::try_from(gone).unwrap_or(0) < GONE {
            return Ok(all);
        }
    }
}

async fn close_part(
    tx: &WriteTx,
    publisher: PublisherId,
    source: &FeedSource,
    run: (Uuid, Instant),
) -> Result<i64, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM feed_offers t WHERE t.publisher_id = ")
        .bind(publisher.0)
        .push(" AND t.feed = ")
        .bind(source.name.as_str())
        .push(" AND t.observed_at_us < ")
        .bind(source.observed_at.micros())
        .push(" ORDER BY t.observed_at_us, t.product_id LIMIT ")
        .bind(i64::try_from(GONE).unwrap_or(i64::MAX));
    let rows = tx.models::<feed_offer::Entity>(sql).await?;
    let products: BTreeSet<Uuid> = rows.iter().map(|row| row.product_id).collect();
    if products.is_empty() {
        return Ok(0);
    }
    let ids: Vec<Uuid> = products.iter().copied().collect();
    let mut sql = tx.sql();
    sql.push("DELETE FROM feed_offers WHERE publisher_id = ")
        .bind(publisher.0)
        .push(" AND feed = ")
        .bind(source.name.as_str())
        .push(" AND ")
        .among("product_id", &ids);
    tx.execute(sql).await?;
    mark_hot(tx, publisher, &products).await?;
    raise_version(tx, publisher, sequence, run.1).await?;
    let deleted = i64::try_from(products.len()).unwrap_or(i64::MAX);
    let counts = Counts {
        read: 0,
        applied: Applied {
            deleted,
            ..Applied::default()
        },
        rejected: 0,
        rounded: 0,
        bytes_read: None,
    };
    count(tx, publisher, run, counts).await?;
    Ok(deleted)
}

/// Notes what commission products pay; a newer answer replaces an older one as a whole. `told` are the records that said
/// so and the sync that moves with them. Gives how many changed.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn write_commissions(
    store: &Store,
    scope: WriteScope,
    drafts: &[CommissionDraft],
    (told, now): (Option<(ReadRecords<'_>, &SyncStep)>, Instant),
) -> Result<i64> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            let changed = commissions_in(tx, publisher, drafts, now).await?;
            if let Some((records, step)) = told {
                records.end(tx, publisher, Some(step), now).await?;
            }
            Ok(changed)
        })
        .await
}

async fn commissions_in(
    tx: &WriteTx,
    publisher: PublisherId,
    drafts: &[CommissionDraft],
    now: Instant,
) -> Result<i64, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let products = drafts.iter().map(|draft| SeenProduct {
        reference: &draft.product,
        category: None,
        // An answer names the page that was asked for: it describes no product better than carts and feeds do.
        at: 0,
        seen: draft.observed_at.micros(),
    });
    let mut is_changed = write_products(tx, publisher, products).await?;
    let mut rows: BTreeMap<Uuid, commission_rate::Model> = BTreeMap::new();
    for draft in drafts {
        let Some(id) = product_id(publisher, &draft.product) else {
            continue;
        };
        let row = commission_row(publisher, id, draft);
        let held = rows.entry(id).or_insert_with(|| row.clone());
        if rank(held) < rank(&row) {
            *held = row;
        }
    }
    let ids: Vec<Uuid> = rows.keys().copied().collect();
    let mut stored = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM commission_rates t WHERE t.publisher_id = ")
            .bind(publisher.0)
            .push(" AND ")
            .among("t.product_id", ids);
        stored.extend(tx.models::<commission_rate::Entity>(sql).await?);
    }
    for old in stored {
        if rows
            .get(&old.product_id)
            .is_some_and(|row| rank(row) <= rank(&old))
        {
            rows.remove(&old.product_id);
        }
    }
    let touched: BTreeSet<Uuid> = rows.keys().copied().collect();
    let rows: Vec<commission_rate::Model> = rows.into_values().collect();
    insert(tx, &rows, Conflict::Replace).await?;
    is_changed |= mark_hot(tx, publisher, &touched).await?;
    if is_changed || !rows.is_empty() {
        raise_version(tx, publisher, sequence, now).await?;
    }
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

fn commission_row(
    publisher: PublisherId,
    product_id: Uuid,
    draft: &CommissionDraft,
) -> commission_rate::Model {
    commission_rate::Model {
        publisher_id: publisher.0,
        product_id,
        rate_e4: draft.rate_e4,
        hot_rate_e4: draft.hot_rate_e4,
        is_hot: draft.is_hot,
        observed_at_us: draft.observed_at.micros(),
    }
}

/// How new an answer is; equal times are settled by what it says.
fn rank(row: &commission_rate::Model) -> impl Ord + use<> {
    (row.observed_at_us, row.rate_e4, row.hot_rate_e4, row.is_hot)
}
