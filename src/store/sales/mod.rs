//! Sums of sales: totals of a filter, and ranked groups with their sums, from totals or from the facts.
//!
//! Products and categories sum cart items, users sum actions. Every function says how many statements it sends,
//! whatever the number of groups; where it reads is the caller's to say (`analytics`).

mod best;
mod groups;
mod targets;

pub use best::MANY_UNITS;
pub use groups::Groups;
pub use targets::{base_rate, target_count, target_units, targets};

use super::convert::inconsistent;
use super::keyset::limit;
use super::listing::{check_page, column};
use super::sql::Sql;
use super::sql::cells::{FILLED, write_cells, write_nulled};
use super::sql::filter::{write_filter, write_range};
use super::sql::statuses::{is_counted, is_pending};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter, Value};
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::sales::{
    AxisRange, CurrencySums, FactQuery, RankBy, SalesGroup, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use crate::domain::totals::{Source, Total};
use groups::{NO_KEY, Only, write_products_in};
use sea_orm::QueryResult;
use std::collections::HashMap;
use uuid::Uuid;

/// Appends the condition on the action `a` that it is one of the counted facts of the publisher.
pub(super) fn write_facts(facts: &FactQuery, scope: ReadScope, sql: &mut Sql) {
    sql.push("a.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND ");
    write_range(&facts.range, "a", sql);
    write_counted(facts, sql);
}

/// Appends ` AND ` and the condition on the action `a` that it counts, whenever it was. It can be written on a row of a
/// total just as well.
pub(super) fn write_counted(facts: &FactQuery, sql: &mut Sql) {
    if facts.without_declined {
        sql.push(" AND ").push(&is_counted("a"));
    }
    sql.push(" AND ");
    write_filter(&facts.filter, "a", sql);
}

/// The actions that a sum is made of.
#[derive(Clone, Copy, Debug)]
pub struct Actions<'a> {
    /// When; all time without.
    pub range: Option<&'a AxisRange>,
    /// Which.
    pub filter: &'a Filter<ActionTest>,
    /// Whether declined ones are left out.
    pub without_declined: bool,
    /// Where their sums are read.
    pub source: &'a Source,
}

impl Actions<'_> {
    /// Appends the rows to be summed up, called `a`: of a total, and of the facts where its cells end. What is summed
    /// has the names of a total's columns.
    fn write_rows(&self, scope: ReadScope, sql: &mut Sql) {
        let mut parts = 0;
        let mut part = |sql: &mut Sql| {
            sql.push(if parts == 0 { "(" } else { " UNION ALL " });
            parts += 1;
        };
        let names = Total::Time.sums().join(", ");
        if let Source::Total(total, cover) = self.source {
            part(sql);
            sql.push(&format!("SELECT a.status, a.currency, {names} FROM "));
            write_nulled(*total, scope.publisher(), FILLED, "a", sql);
            sql.push(" WHERE ");
            write_cells(scope.publisher(), &[], &cover.cells, "a", sql);
            self.write_condition(sql);
        }
        let ragged: Vec<Option<AxisRange>> = match (self.source, self.range) {
            (Source::Facts, range) => vec![range.copied()],
            (Source::Total(_, cover), Some(range)) => {
                let spans = cover.ragged.iter();
                spans.map(|span| Some(range.with_span(*span))).collect()
            }
            (Source::Total(..), None) => Vec::new(),
        };
        for range in ragged {
            part(sql);
            sql.push(
                "SELECT a.status, a.currency, 1 AS actions, a.units, COALESCE(a.order_amount_e4, 0) AS order_amount_e4, \
                 CASE WHEN a.order_amount_e4 IS NULL THEN 0 ELSE 1 END AS amounted, a.reward_e4, \
                 CASE WHEN a.paid THEN a.reward_e4 ELSE 0 END AS paid_e4, a.items_amount_e4, a.items_reward_e4, \
                 CASE WHEN EXISTS (SELECT 1 FROM action_items n WHERE n.publisher_id = a.publisher_id \
                 AND n.action_id = a.id AND ",
            );
            sql.push(&has_product("n"))
                .push(") THEN 1 ELSE 0 END AS carted FROM actions a WHERE a.publisher_id = ")
                .bind(scope.publisher().0);
            if let Some(range) = range {
                sql.push(" AND ");
                write_range(&range, "a", sql);
            }
            self.write_condition(sql);
        }
        sql.push(") a");
    }

    fn write_condition(&self, sql: &mut Sql) {
        if self.without_declined {
            sql.push(" AND ").push(&is_counted("a"));
        }
        sql.push(" AND ");
        write_filter(self.filter, "a", sql);
    }
}

/// Totals of actions: one statement.
///
/// # Errors
/// When the database fails.
pub async fn totals(tx: &ReadTx, scope: ReadScope, actions: &Actions<'_>) -> Result<Totals> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT a.currency, CAST(SUM(a.actions) AS bigint) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
         CAST(SUM(a.order_amount_e4) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward, \
         CAST(SUM(a.items_amount_e4) AS bigint) AS items_amount, \
         CAST(SUM(a.items_reward_e4) AS bigint) AS items_reward FROM ",
    );
    actions.write_rows(scope, &mut sql);
    sql.push(" GROUP BY a.currency ORDER BY a.currency");
    let mut totals = Totals::default();
    for row in tx.rows(sql).await? {
        let currency = currency_of(&row)?;
        let actions: i64 = column(&row, "actions")?;
        let units: i64 = column(&row, "units")?;
        for (sums, amount, reward) in [
            (&mut totals.facts, "amount", "reward"),
            (&mut totals.items, "items_amount", "items_reward"),
        ] {
            sums.actions += actions;
            sums.units += units;
            sums.add_money(CurrencySums {
                currency,
                order_amount_e4: column(&row, amount)?,
                reward_e4: column(&row, reward)?,
            });
        }
    }
    Ok(totals)
}

/// That an item names a product, as a condition that no index serves: SQLite, as long as it has no statistics, would
/// rather walk all items by their product than look up the cart of an action by its key.
pub(super) fn has_product(item: &str) -> String {
    format!("CASE WHEN {item}.product_id IS NULL THEN 0 ELSE 1 END = 1")
}

/// How complete counted facts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Facts.
    pub actions: i64,
    /// Those on hold or of unknown status.
    pub unprocessed: i64,
    /// Those with at least one item that names a product.
    pub with_cart: i64,
}

/// How complete actions are: one statement.
///
/// # Errors
/// When the database fails.
pub async fn completeness(
    tx: &ReadTx,
    scope: ReadScope,
    actions: &Actions<'_>,
) -> Result<Completeness> {
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT CAST(COALESCE(SUM(a.actions), 0) AS bigint) AS actions, \
         CAST(COALESCE(SUM(CASE WHEN {} THEN a.actions ELSE 0 END), 0) AS bigint) \
         AS unprocessed, CAST(COALESCE(SUM(a.carted), 0) AS bigint) AS with_cart FROM ",
        is_pending("a")
    ));
    actions.write_rows(scope, &mut sql);
    let rows = tx.rows(sql).await?;
    let Some(row) = rows.first() else {
        return Ok(Completeness::default());
    };
    Ok(Completeness {
        actions: column(row, "actions")?,
        unprocessed: column(row, "unprocessed")?,
        with_cart: column(row, "with_cart")?,
    })
}

/// Sums of groups by their keys: one statement. Groups without facts are not in the answer.
///
/// # Errors
/// When the database fails.
pub async fn sums_of(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    keys: &[Option<Uuid>],
) -> Result<HashMap<Option<Uuid>, Sums>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.sql();
    groups.write_sums(scope, &Only::Keys(keys), &mut sql);
    let mut sums: HashMap<Option<Uuid>, Sums> = HashMap::new();
    for row in tx.rows(sql).await? {
        add_row(sums.entry(key_of(&row)?).or_default(), &row)?;
    }
    Ok(sums)
}

/// How many groups are ranked: one statement.
///
/// # Errors
/// When the database fails.
pub async fn group_count(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    by: RankBy,
) -> Result<i64> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM (SELECT s.key_id FROM (");
    groups.write_sums(scope, &groups.ranked(), &mut sql);
    sql.push(") s");
    if let Some(currency) = by.currency() {
        sql.push(" WHERE s.currency = ").bind(currency.as_str());
    }
    sql.push(" GROUP BY s.key_id) g");
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// One page of ranked groups with their sums: one statement; the first page of products by units up to five.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn ranked(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    by: RankBy,
    page: &PageRequest,
) -> Result<Page<SalesRow>> {
    check_page(page, 1)?;
    let is_first = page.forward && page.after.is_none() && page.before.is_none();
    let rows = if is_first && groups.are_many() {
        let mut rows = first_rows(tx, scope, groups, by, page).await?;
        rank(&mut rows);
        rows
    } else {
        let mut sql = tx.sql();
        groups.write_page(scope, by, page, &mut sql);
        let rows = fold_rows(tx.rows(sql).await?)?;
        rows.into_iter().map(|(_, row)| row).collect()
    };
    let rows = rows.into_iter().map(|row| {
        let cursor = Cursor {
            values: vec![Value::Int(row.metric)],
            id: row.key.unwrap_or(NO_KEY),
        };
        (row, cursor)
    });
    Ok(Page::cut(rows.collect(), page))
}

/// The first groups of a ranking: only their metric is summed for all, everything else for them.
async fn first_rows(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    by: RankBy,
    page: &PageRequest,
) -> Result<Vec<SalesRow>> {
    // Bounds are of all products: of a few of them everything is added up.
    if let (Source::Total(Total::Product, cover), RankBy::Units, Only::All) =
        (groups.source, by, groups.ranked())
        && let Some(rows) = best::best_products(tx, scope, groups, cover, page).await?
    {
        return Ok(rows);
    }
    let mut sql = tx.sql();
    sql.push("WITH m AS (");
    groups.write_metric(scope, by, &mut sql);
    sql.push(" ORDER BY metric DESC, key_id ASC LIMIT ")
        .bind(limit(page));
    sql.push("), g AS (");
    groups.write_sums(scope, &Only::Listed("SELECT m.key_id FROM m"), &mut sql);
    sql.push(
        ") SELECT m.key_id, m.metric, CAST(0 AS bigint) AS rank_no, g.currency, g.actions, g.units, g.amount, g.reward \
         FROM m JOIN g ON g.key_id = m.key_id ORDER BY m.metric DESC, m.key_id, g.currency",
    );
    let rows = fold_rows(tx.rows(sql).await?)?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Gives the first rows of a ranking their competition ranks.
fn rank(rows: &mut [SalesRow]) {
    let mut held = (0, None);
    for (place, row) in (1i64..).zip(rows) {
        if held.1 != Some(row.metric) {
            held = (place, Some(row.metric));
        }
        row.rank = held.0;
    }
}

/// The top products within each of many parents, ranks within the parent: one statement, over the facts.
///
/// # Errors
/// When the database fails.
pub async fn products_in(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    (parent, keys): (SalesGroup, &[Option<Uuid>]),
    by: RankBy,
    first: u32,
) -> Result<HashMap<Option<Uuid>, Vec<SalesRow>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.sql();
    write_products_in(facts, scope, (parent, keys), by, &mut sql);
    sql.push(
        " SELECT r.parent_id, r.key_id, r.metric, r.rank_no, g.currency, g.actions, g.units, g.amount, g.reward \
         FROM r JOIN g ON g.parent_id = r.parent_id AND g.key_id = r.key_id WHERE r.place <= ",
    );
    sql.bind(i64::from(first))
        .push(" ORDER BY r.parent_id, r.place, g.currency");
    let mut found: HashMap<Option<Uuid>, Vec<SalesRow>> = HashMap::new();
    for (parent, row) in fold_rows(tx.rows(sql).await?)? {
        found.entry(parent).or_default().push(row);
    }
    Ok(found)
}

/// The group that a row belongs to.
fn key_of(row: &QueryResult) -> Result<Option<Uuid>> {
    let key: Option<Uuid> = column(row, "key_id")?;
    Ok(key.filter(|key| *key != NO_KEY))
}

/// Rows of one group follow each other, one for each currency.
fn fold_rows(rows: Vec<QueryResult>) -> Result<Vec<(Option<Uuid>, SalesRow)>> {
    let some = |id: Uuid| (id != NO_KEY).then_some(id);
    let mut folded: Vec<(Option<Uuid>, SalesRow)> = Vec::new();
    for row in rows {
        let parent = row.try_get::<Uuid>("", "parent_id").ok().and_then(some);
        let key = some(column(&row, "key_id")?);
        if folded
            .last()
            .is_none_or(|(above, last)| (*above, last.key) != (parent, key))
        {
            let fresh = SalesRow {
                key,
                rank: column(&row, "rank_no")?,
                metric: column(&row, "metric")?,
                sums: Sums::default(),
            };
            folded.push((parent, fresh));
        }
        if let Some((_, last)) = folded.last_mut() {
            add_row(&mut last.sums, &row)?;
        }
    }
    Ok(folded)
}

/// Adds a row's counts and its currency's sums.
pub(super) fn add_row(sums: &mut Sums, row: &QueryResult) -> Result<()> {
    sums.actions += column::<i64>(row, "actions")?;
    sums.units += column::<i64>(row, "units")?;
    sums.add_money(CurrencySums {
        currency: currency_of(row)?,
        order_amount_e4: column(row, "amount")?,
        reward_e4: column(row, "reward")?,
    });
    Ok(())
}

pub(super) fn currency_of(row: &QueryResult) -> Result<Currency> {
    let code: String = column(row, "currency")?;
    Currency::parse(&code).map_err(|_| inconsistent("actions", code, "currency"))
}
