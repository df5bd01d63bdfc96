//! Products of the priority list that are not known yet.

use super::convert::instant;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::records::AwaitedProduct;
use crate::domain::scope::ReadScope;
use entity::awaited_product;

/// All of them, those that were listed last first, then by id: one statement.
///
/// # Errors
/// When the database fails.
pub async fn awaited(tx: &ReadTx, scope: ReadScope) -> Result<Vec<AwaitedProduct>> {
    let mut sql = tx.sql();
    sql.push("SELECT w.* FROM awaited_products w WHERE w.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY w.listed_at_us DESC, w.product_id");
    let rows = tx.models::<awaited_product::Entity>(sql).await?;
    let product = |row: awaited_product::Model| {
        Ok(AwaitedProduct {
            id: row.product_id,
            external_id: row.natural_key.strip_prefix("id:").map(str::to_owned),
            written: row.written,
            listed_at: instant(row.listed_at_us, "awaited_products", "listed_at_us")?,
        })
    };
    rows.into_iter().map(product).collect()
}
