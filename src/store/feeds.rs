//! What product feeds offer, read back.

use super::convert::{currency, instant};
use super::listing::IDS;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::feed::ProductOffer;
use crate::domain::money::Money;
use crate::domain::scope::ReadScope;
use entity::feed_offer;
use std::collections::HashMap;
use uuid::Uuid;

/// What feeds offer of each product, by the feeds' names: one statement.
///
/// # Errors
/// When the database fails.
pub async fn offers_of(
    tx: &ReadTx,
    scope: ReadScope,
    products: &[Uuid],
) -> Result<HashMap<Uuid, Vec<ProductOffer>>> {
    let mut found: HashMap<Uuid, Vec<ProductOffer>> = HashMap::new();
    for ids in products.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM feed_offers t WHERE t.publisher_id = ")
            .bind(scope.publisher().0)
            .push(" AND t.product_id IN ")
            .bind_all(ids.iter().copied())
            .push(" ORDER BY t.feed, t.product_id");
        for row in tx.models::<feed_offer::Entity>(sql).await? {
            let offer = to_offer(row)?;
            found.entry(offer.product_id).or_default().push(offer);
        }
    }
    Ok(found)
}

fn to_offer(row: feed_offer::Model) -> Result<ProductOffer> {
    const TABLE: &str = "feed_offers";
    let code = row.currency.as_deref();
    let currency = code.map(|code| currency(code, TABLE)).transpose()?;
    let money = |e4: Option<i64>| {
        Some(Money {
            e4: e4?,
            currency: currency?,
        })
    };
    Ok(ProductOffer {
        observed_at: instant(row.observed_at_us, TABLE, "observed_at_us")?,
        price: money(row.price_e4),
        old_price: money(row.old_price_e4),
        product_id: row.product_id,
        feed: row.feed,
        affiliate_url: row.affiliate_url,
        vendor: row.vendor,
        available: row.available,
        is_hot: row.hot,
    })
}
