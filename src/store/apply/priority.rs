//! The part of the write path that the publisher's list of priority products takes.

use super::super::apart;
use super::{lock, raise_version};
use crate::domain::error::Result;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::tx::WriteTx;
use sea_orm::DbErr;
use uuid::Uuid;

/// How many products one statement marks.
const MARKED: usize = 5_000;

/// What is to become of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListChange {
    /// These products and no others.
    Set,
    /// These as well.
    Add,
    /// These no more.
    Remove,
}

/// Changes the list of priority products; gives how many products entered or left it. Ids that no product has change
/// nothing.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn change_priority(
    store: Store,
    scope: WriteScope,
    change: ListChange,
    products: Vec<Uuid>,
    now: Instant,
) -> Result<u64> {
    apart(async move || write(&store, scope, change, (&products, now)).await).await
}

async fn write(
    store: &Store,
    scope: WriteScope,
    change: ListChange,
    (products, now): (&[Uuid], Instant),
) -> Result<u64> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let mut changed = 0;
            if change == ListChange::Set {
                changed += clear(tx, publisher.0, products).await?;
            }
            for ids in products.chunks(MARKED) {
                let mut sql = tx.sql();
                sql.push("UPDATE products SET is_priority = ")
                    .bind(change != ListChange::Remove)
                    .push(" WHERE publisher_id = ")
                    .bind(publisher.0)
                    .push(" AND is_priority = ")
                    .bind(change == ListChange::Remove)
                    .push(" AND id IN ")
                    .bind_all(ids.iter().copied());
                changed += tx.execute(sql).await?;
            }
            if changed > 0 {
                raise_version(tx, publisher, sequence, now).await?;
            }
            Ok(changed)
        })
        .await
}

/// Takes everything but these products off the list.
async fn clear(tx: &WriteTx, publisher: i64, kept: &[Uuid]) -> Result<u64, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT p.id FROM products p WHERE p.publisher_id = ")
        .bind(publisher)
        .push(" AND p.is_priority = ")
        .bind(true);
    let mut listed: Vec<Uuid> = Vec::new();
    for row in tx.rows(sql).await? {
        listed.push(row.try_get("", "id")?);
    }
    let kept: std::collections::HashSet<&Uuid> = kept.iter().collect();
    listed.retain(|id| !kept.contains(id));
    let mut changed = 0;
    for ids in listed.chunks(MARKED) {
        let mut sql = tx.sql();
        sql.push("UPDATE products SET is_priority = ")
            .bind(false)
            .push(" WHERE publisher_id = ")
            .bind(publisher)
            .push(" AND id IN ")
            .bind_all(ids.iter().copied());
        changed += tx.execute(sql).await?;
    }
    Ok(changed)
}
