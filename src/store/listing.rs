//! Lists, counts and look-ups by id, written once for every kind of record.
//!
//! A kind says its table, its columns and how a row becomes a record ([`Listing`]); the statements are made here.

use super::keyset::{Order, OrderBy, limit};
use super::sql::Sql;
use super::sql::filter::{Condition, write_filter};
use super::tx::ReadTx;
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, Value};
use crate::domain::page::{Cursor, Page, PageRequest, SortKey};
use crate::domain::scope::ReadScope;
use sea_orm::{EntityTrait, FromQueryResult as _, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// How many ids one statement asks for: far below the variable limits of both databases.
pub(super) const IDS: usize = 10_000;

/// A kind of record that can be listed.
pub(super) trait Listing {
    /// Its entity.
    type Entity: EntityTrait;
    /// What a row becomes.
    type Record;
    /// What its filter tests.
    type Test: Condition;
    /// What it can be ordered by.
    type Sort: Copy;
    /// Its table.
    const TABLE: &'static str;

    /// The column of a sort key, and whether it may be missing.
    fn column(sort: Self::Sort) -> (&'static str, bool);
    /// A record's value of a sort key, as the column has it.
    fn value(record: &Self::Record, sort: Self::Sort) -> Value;
    /// A record's id.
    fn id(record: &Self::Record) -> Uuid;
    /// A row as a record.
    fn record(model: <Self::Entity as EntityTrait>::Model) -> Result<Self::Record>;
}

/// A list to be made: further conditions, order and page.
pub(super) struct Wanted<'a, L: Listing> {
    /// The filter.
    pub filter: &'a Filter<L::Test>,
    /// The order.
    pub order: &'a [SortKey<L::Sort>],
    /// The page.
    pub page: &'a PageRequest,
    /// A further condition on the row `t`, led by ` AND `; may be empty.
    pub also: Sql,
}

/// Writes what every kind of record offers: a page, a count, and rows by id.
macro_rules! look_ups {
    ($listing:ty, $record:ty, $test:ty, $sort:ty) => {
        /// One page of the list: one statement.
        ///
        /// # Errors
        /// When a cursor does not fit, or the database fails.
        pub async fn list(
            tx: &ReadTx,
            scope: ReadScope,
            filter: &Filter<$test>,
            order: &[SortKey<$sort>],
            page: &PageRequest,
        ) -> Result<Page<$record>> {
            let also = tx.sql();
            let wanted = $crate::store::listing::Wanted {
                filter,
                order,
                page,
                also,
            };
            $crate::store::listing::list::<$listing>(tx, scope, wanted).await
        }

        /// How many rows a filter has: one statement.
        ///
        /// # Errors
        /// When the database fails.
        pub async fn count(tx: &ReadTx, scope: ReadScope, filter: &Filter<$test>) -> Result<i64> {
            $crate::store::listing::count::<$listing>(tx, scope, filter, &tx.sql()).await
        }

        /// Rows by id, in no order: one statement.
        ///
        /// # Errors
        /// When the database fails.
        pub async fn by_ids(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Vec<$record>> {
            $crate::store::listing::by_ids::<$listing>(tx, scope, ids).await
        }
    };
}
pub(super) use look_ups;

/// The order of a list over the row `t`.
pub(super) fn order_of<L: Listing>(keys: &[SortKey<L::Sort>]) -> Order {
    let keys = keys
        .iter()
        .map(|key| {
            let (column, nullable) = L::column(key.field);
            OrderBy::new(key, format!("t.{column}"), nullable)
        })
        .collect();
    Order::new(keys, "t.id")
}

fn cursor_of<L: Listing>(record: &L::Record, keys: &[SortKey<L::Sort>]) -> Cursor {
    Cursor {
        values: keys.iter().map(|key| L::value(record, key.field)).collect(),
        id: L::id(record),
    }
}

/// A cursor has a value for each key of its order; a forged one may not.
pub(super) fn check_page(page: &PageRequest, keys: usize) -> Result<()> {
    let fits = |cursor: &Option<Cursor>| {
        cursor
            .as_ref()
            .is_none_or(|cursor| cursor.values.len() == keys)
    };
    if fits(&page.after) && fits(&page.before) {
        return Ok(());
    }
    Err(Error::bad_input(
        "after",
        "the cursor is not one of this list; pass one that it returned",
    ))
}

/// One page of a list: one statement.
pub(super) async fn list<L: Listing>(
    tx: &ReadTx,
    scope: ReadScope,
    wanted: Wanted<'_, L>,
) -> Result<Page<L::Record>> {
    check_page(wanted.page, wanted.order.len())?;
    let order = order_of::<L>(wanted.order);
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM ")
        .push(L::TABLE)
        .push(" t WHERE ");
    write_where::<L>(scope, &wanted, &mut sql);
    order.write_bounds(wanted.page, &mut sql);
    sql.push(" ORDER BY ");
    order.reading(wanted.page).write(&mut sql);
    sql.push(" LIMIT ").bind(limit(wanted.page));
    let mut rows = Vec::new();
    for model in tx.models::<L::Entity>(sql).await? {
        let record = L::record(model)?;
        let cursor = cursor_of::<L>(&record, wanted.order);
        rows.push((record, cursor));
    }
    Ok(Page::cut(rows, wanted.page))
}

fn write_where<L: Listing>(scope: ReadScope, wanted: &Wanted<'_, L>, sql: &mut Sql) {
    sql.push("t.publisher_id = ")
        .bind(scope.publisher().0)
        .append(&wanted.also)
        .push(" AND ");
    write_filter(wanted.filter, "t", sql);
}

/// How many rows a filter has: one statement.
pub(super) async fn count<L: Listing>(
    tx: &ReadTx,
    scope: ReadScope,
    filter: &Filter<L::Test>,
    also: &Sql,
) -> Result<i64> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM ")
        .push(L::TABLE)
        .push(" t WHERE t.publisher_id = ");
    sql.bind(scope.publisher().0).append(also).push(" AND ");
    write_filter(filter, "t", &mut sql);
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// Rows by id, in no order: one statement for up to [`IDS`] ids.
pub(super) async fn by_ids<L: Listing>(
    tx: &ReadTx,
    scope: ReadScope,
    ids: &[Uuid],
) -> Result<Vec<L::Record>> {
    let mut records = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM ")
            .push(L::TABLE)
            .push(" t WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
        sql.push(" AND t.id IN ").bind_all(ids.iter().copied());
        for model in tx.models::<L::Entity>(sql).await? {
            records.push(L::record(model)?);
        }
    }
    Ok(records)
}

/// Where the children of many parents are found.
pub(super) struct Children<'a> {
    /// The column of `t`, or of what `join` adds, that holds the parent's id.
    pub parent: &'a str,
    /// A join that leads from `t` to the parent, carrying the publisher; may be empty.
    pub join: &'a str,
    /// The parents.
    pub ids: &'a [Uuid],
}

/// A page of children for each of many parents: one window statement for all of them.
pub(super) async fn of_parents<L: Listing>(
    tx: &ReadTx,
    scope: ReadScope,
    children: &Children<'_>,
    wanted: &Wanted<'_, L>,
) -> Result<HashMap<Uuid, Page<L::Record>>> {
    check_page(wanted.page, wanted.order.len())?;
    let order = order_of::<L>(wanted.order);
    let mut found: HashMap<Uuid, Vec<(L::Record, Cursor)>> = HashMap::new();
    for ids in children.ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push(&format!("SELECT * FROM (SELECT t.*, {0} AS parent_key, row_number() OVER (PARTITION BY {0} ORDER BY ", children.parent));
        order.reading(wanted.page).write(&mut sql);
        sql.push(") AS place FROM ")
            .push(L::TABLE)
            .push(" t")
            .push(children.join)
            .push(" WHERE ");
        write_where::<L>(scope, wanted, &mut sql);
        order.write_bounds(wanted.page, &mut sql);
        sql.push(&format!(" AND {} IN ", children.parent))
            .bind_all(ids.iter().copied());
        sql.push(") w WHERE place <= ")
            .bind(limit(wanted.page))
            .push(" ORDER BY parent_key, place");
        for row in tx.rows(sql).await? {
            let model = <L::Entity as EntityTrait>::Model::from_query_result(&row, "")
                .map_err(Error::internal)?;
            let record = L::record(model)?;
            let cursor = cursor_of::<L>(&record, wanted.order);
            found
                .entry(column(&row, "parent_key")?)
                .or_default()
                .push((record, cursor));
        }
    }
    Ok(found
        .into_iter()
        .map(|(parent, rows)| (parent, Page::cut(rows, wanted.page)))
        .collect())
}

/// How many children each of many parents has: one statement.
pub(super) async fn counts_of_parents<L: Listing>(
    tx: &ReadTx,
    scope: ReadScope,
    children: &Children<'_>,
    filter: &Filter<L::Test>,
    also: &Sql,
) -> Result<HashMap<Uuid, i64>> {
    let mut counts = HashMap::new();
    for ids in children.ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push(&format!(
            "SELECT {} AS parent_key, COUNT(*) AS n FROM ",
            children.parent
        ));
        sql.push(L::TABLE)
            .push(" t")
            .push(children.join)
            .push(" WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
        sql.append(also).push(" AND ");
        write_filter(filter, "t", &mut sql);
        sql.push(&format!(" AND {0} IN ", children.parent))
            .bind_all(ids.iter().copied());
        sql.push(&format!(" GROUP BY {}", children.parent));
        for row in tx.rows(sql).await? {
            counts.insert(column(&row, "parent_key")?, column(&row, "n")?);
        }
    }
    Ok(counts)
}

/// A column of a row.
pub(super) fn column<T: sea_orm::TryGetable>(row: &QueryResult, name: &str) -> Result<T> {
    row.try_get("", name).map_err(Error::internal)
}
