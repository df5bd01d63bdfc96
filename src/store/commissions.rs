//! What commission products pay, read back, and whose is to be asked for next.

use super::listing::{IDS, column};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::feed::CommissionRate;
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use entity::commission_rate;
use std::collections::HashMap;
use uuid::Uuid;

/// A product whose commission is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its id at the network; none where it is known by its link or name alone.
    pub external_id: Option<String>,
    /// Its link.
    pub url: String,
}

/// What commission each product pays: one statement.
///
/// # Errors
/// When the database fails.
pub async fn of_products(
    tx: &ReadTx,
    scope: ReadScope,
    products: &[Uuid],
) -> Result<HashMap<Uuid, CommissionRate>> {
    let mut found = HashMap::new();
    for ids in products.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM commission_rates t WHERE t.publisher_id = ")
            .bind(scope.publisher().0)
            .push(" AND t.product_id IN ")
            .bind_all(ids.iter().copied());
        for row in tx.models::<commission_rate::Entity>(sql).await? {
            let rate = CommissionRate {
                product_id: row.product_id,
                rate_e4: row.rate_e4,
                hot_rate_e4: row.hot_rate_e4,
            };
            found.insert(row.product_id, rate);
        }
    }
    Ok(found)
}

/// The products with a link that were ordered since `sold_since`, whose commission was not asked for since `asked_before`:
/// those never asked for first, then the longest ago; behind the first `skipped` at most `limit`. One statement.
///
/// # Errors
/// When the database fails.
pub async fn due(
    tx: &ReadTx,
    scope: ReadScope,
    sold_since: Instant,
    asked_before: Instant,
    (skipped, limit): (u32, u32),
) -> Result<Vec<Due>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.external_id, p.url FROM products p LEFT JOIN commission_rates c ON c.publisher_id = p.publisher_id \
         AND c.product_id = p.id WHERE p.publisher_id = ",
    )
    .bind(scope.publisher().0)
    .push(
        " AND p.url IS NOT NULL AND p.id IN (SELECT i.product_id FROM actions a JOIN action_items i \
         ON i.publisher_id = a.publisher_id AND i.action_id = a.id WHERE a.publisher_id = ",
    )
    .bind(scope.publisher().0)
    .push(" AND a.ordered_at_us >= ")
    .bind(sold_since.micros())
    .push(") AND COALESCE(c.observed_at_us, 0) < ")
    .bind(asked_before.micros())
    .push(" ORDER BY COALESCE(c.observed_at_us, 0), p.id LIMIT ")
    .bind(i64::from(limit))
    .push(" OFFSET ")
    .bind(i64::from(skipped));
    tx.rows(sql)
        .await?
        .iter()
        .map(|row| {
            Ok(Due {
                external_id: column(row, "external_id")?,
                url: column(row, "url")?,
            })
        })
        .collect()
}
