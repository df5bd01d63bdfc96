//! The part of the write path that the publisher's list of priority products takes. Products that are known carry a mark;
//! the others wait in a table of their own until an action or a feed brings them.

use super::super::{apart, audit};
use super::{lock, raise_version};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::Result;
use crate::domain::id::{PublisherId, of_set};
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::sql::insert::{Conflict, insert};
use crate::store::tx::WriteTx;
use entity::awaited_product;
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashSet};
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

/// Products as they are listed.
#[derive(Clone, Debug, Default)]
pub struct ListedProducts {
    /// By id; ids that no product has change nothing.
    pub ids: Vec<Uuid>,
    /// By what names them, known or not: the id that follows from it, the natural key, and as it was written.
    pub named: BTreeMap<Uuid, (String, String)>,
}

impl ListedProducts {
    fn all(&self) -> Vec<Uuid> {
        let ids = self.ids.iter().chain(self.named.keys()).copied();
        let mut ids: Vec<Uuid> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// What became of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListChanged {
    /// How many products entered or left it.
    pub changed: u64,
    /// How many of it are not known yet.
    pub awaited: usize,
    /// Its version now.
    pub version: Uuid,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRefused {
    /// The list would hold so many products that are not known, more than there can be.
    TooManyAwaited(usize),
    /// It is no longer of the version that the change was made from.
    Moved,
}

/// The version of a list: of the products that are on it, whether they are known or not. It stays when one of them becomes
/// known.
#[must_use]
pub fn list_version(marked: &[Uuid], waiting: impl IntoIterator<Item = Uuid>) -> Uuid {
    of_set(marked.iter().copied().chain(waiting))
}

/// Changes the list of priority products, if it is of the version that is expected, where one is.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn change_priority(
    store: Store,
    scope: WriteScope,
    (change, expected): (ListChange, Option<Uuid>),
    products: ListedProducts,
    note: Note,
) -> Result<std::result::Result<ListChanged, ListRefused>> {
    apart(async move || write(&store, scope, (change, expected), (&products, &note)).await).await
}

async fn write(
    store: &Store,
    scope: WriteScope,
    (change, expected): (ListChange, Option<Uuid>),
    (products, note): (&ListedProducts, &Note),
) -> Result<std::result::Result<ListChanged, ListRefused>> {
    let (publisher, now) = (scope.publisher(), note.now);
    let all = products.all();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let waiting = awaited(tx, publisher, None).await?;
            let before = marked(tx, publisher).await?;
            let version = list_version(&before, waiting.iter().copied());
            if expected.is_some_and(|expected| expected != version) {
                return Ok(Err(ListRefused::Moved));
            }
            let wanted: Vec<awaited_product::Model> = match change {
                ListChange::Remove => Vec::new(),
                _ => unknown(tx, publisher, products, now).await?,
            };
            let news: Vec<awaited_product::Model> = wanted
                .iter()
                .filter(|row| !waiting.contains(&row.product_id))
                .cloned()
                .collect();
            let wanted: HashSet<Uuid> = wanted.iter().map(|row| row.product_id).collect();
            let gone: Vec<Uuid> = match change {
                ListChange::Add => Vec::new(),
                ListChange::Set => waiting.difference(&wanted).copied().collect(),
                ListChange::Remove => all
                    .iter()
                    .filter(|id| waiting.contains(id))
                    .copied()
                    .collect(),
            };
            let left = waiting.len() + news.len() - gone.len();
            if left > store.limits().awaited_products {
                return Ok(Err(ListRefused::TooManyAwaited(left)));
            }
            forget(tx, publisher, &gone).await?;
            insert(tx, &news, Conflict::Keep).await?;
            let moved = u64::try_from(gone.len() + news.len()).unwrap_or(u64::MAX);
            let changed = moved + mark(tx, publisher, change, (&before, &all)).await?;
            if changed > 0 {
                let verb = match change {
                    ListChange::Set => "set",
                    ListChange::Add => "added",
                    ListChange::Remove => "removed",
                };
                let deed = Deed {
                    act: Act::PriorityProductsChanged,
                    subject: "priorityProducts".to_owned(),
                    detail: format!("{verb} {}; {changed} changed, {left} awaited", all.len()),
                };
                audit::write(tx, publisher, note, &deed).await?;
                raise_version(tx, publisher, sequence, now).await?;
            }
            let waiting = awaited(tx, publisher, None).await?;
            Ok(Ok(ListChanged {
                changed,
                awaited: left,
                version: list_version(&marked(tx, publisher).await?, waiting),
            }))
        })
        .await
}

/// Marks products that are known; gives how many were not so `before`.
async fn mark(
    tx: &WriteTx,
    publisher: PublisherId,
    change: ListChange,
    (before, products): (&[Uuid], &[Uuid]),
) -> Result<u64, DbErr> {
    let mut changed = 0;
    if change == ListChange::Set {
        changed += clear(tx, publisher.0, (before, products)).await?;
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
    Ok(changed)
}

/// Those of the products that nothing has named yet, as they will wait.
async fn unknown(
    tx: &WriteTx,
    publisher: PublisherId,
    products: &ListedProducts,
    now: Instant,
) -> Result<Vec<awaited_product::Model>, DbErr> {
    let ids: Vec<Uuid> = products.named.keys().copied().collect();
    let mut known: HashSet<Uuid> = HashSet::new();
    for ids in ids.chunks(MARKED) {
        let mut sql = tx.sql();
        sql.push("SELECT p.id FROM products p WHERE p.publisher_id = ")
            .bind(publisher.0)
            .push(" AND ")
            .among("p.id", ids);
        for row in tx.rows(sql).await? {
            known.insert(row.try_get("", "id")?);
        }
    }
    let unknown = products.named.iter().filter(|(id, _)| !known.contains(id));
    let rows = unknown.map(|(id, (natural_key, written))| awaited_product::Model {
        publisher_id: publisher.0,
        product_id: *id,
        natural_key: natural_key.clone(),
        written: written.clone(),
        listed_at_us: now.micros(),
    });
    Ok(rows.collect())
}

/// The products that wait, or those of some that do.
async fn awaited(
    tx: &WriteTx,
    publisher: PublisherId,
    of: Option<&[Uuid]>,
) -> Result<HashSet<Uuid>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT w.product_id FROM awaited_products w WHERE w.publisher_id = ")
        .bind(publisher.0);
    if let Some(ids) = of {
        sql.push(" AND ").among("w.product_id", ids);
    }
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| row.try_get("", "product_id"))
        .collect()
}

/// Products wait no longer.
async fn forget(tx: &WriteTx, publisher: PublisherId, products: &[Uuid]) -> Result<(), DbErr> {
    for ids in products.chunks(MARKED) {
        let mut sql = tx.sql();
        sql.push("DELETE FROM awaited_products WHERE publisher_id = ")
            .bind(publisher.0)
            .push(" AND ")
            .among("product_id", ids);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Which of the products that are about to be written for the first time are on the list: they wait no longer.
pub(super) async fn arrived(
    tx: &WriteTx,
    publisher: PublisherId,
    products: &[Uuid],
) -> Result<HashSet<Uuid>, DbErr> {
    let mut found = HashSet::new();
    for ids in products.chunks(MARKED) {
        found.extend(awaited(tx, publisher, Some(ids)).await?);
    }
    let known: Vec<Uuid> = found.iter().copied().collect();
    forget(tx, publisher, &known).await?;
    Ok(found)
}

/// The products of the list that are known.
async fn marked(tx: &WriteTx, publisher: PublisherId) -> Result<Vec<Uuid>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT p.id FROM products p WHERE p.publisher_id = ")
        .bind(publisher.0)
        .push(" AND p.is_priority = ")
        .bind(true);
    let rows = tx.rows(sql).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Takes those of the list that are not kept off it.
async fn clear(
    tx: &WriteTx,
    publisher: i64,
    (listed, kept): (&[Uuid], &[Uuid]),
) -> Result<u64, DbErr> {
    let kept: HashSet<&Uuid> = kept.iter().collect();
    let mut gone = listed.to_vec();
    gone.retain(|id| !kept.contains(id));
    let mut changed = 0;
    for ids in gone.chunks(MARKED) {
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
