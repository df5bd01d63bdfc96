//! What is on the priority list: products that are known, and those that are not yet.

use super::convert::instant;
use super::listing::column;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::records::AwaitedProduct;
use crate::domain::scope::ReadScope;
use entity::awaited_product;
use uuid::Uuid;

/// The products that are known, in no order: one statement.
///
/// # Errors
/// When the database fails.
pub async fn marked(tx: &ReadTx, scope: ReadScope) -> Result<Vec<Uuid>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.id FROM products t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND t.is_priority = ").bind(true);
    let rows = tx.rows(sql).await?;
    rows.iter().map(|row| column(row, "id")).collect()
}

/// All that are not, those that were listed last first, then by id: one statement.
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
