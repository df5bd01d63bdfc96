//! Sums over facts: totals of a filter, and ranked groups with their sums.
//!
//! Products and categories sum cart items, users sum actions. Every function says how many statements it sends,
//! whatever the number of groups.

use super::convert::inconsistent;
use super::keyset::{Order, OrderBy, limit};
use super::listing::{check_page, column};
use super::sql::Sql;
use super::sql::filter::{write_filter, write_range};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter, Value};
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Page};
use crate::domain::sales::{
    AxisRange, CurrencySums, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use sea_orm::QueryResult;
use std::collections::HashMap;
use uuid::Uuid;

/// The facts of a list: exactly the filter, of all time without a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// When.
    pub range: Option<&'a AxisRange>,
    /// Which.
    pub filter: &'a Filter<ActionTest>,
}

/// Appends the condition on the action `a` that it is one of the counted facts of the publisher.
pub(super) fn write_facts(facts: &FactQuery, scope: ReadScope, sql: &mut Sql) {
    sql.push("a.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND ");
    write_range(&facts.range, "a", sql);
    write_counted(facts, sql);
}

/// Appends ` AND ` and the condition on the action `a` that it counts, whenever it was.
pub(super) fn write_counted(facts: &FactQuery, sql: &mut Sql) {
    if facts.without_declined {
        sql.push(" AND a.status <> 'DECLINED'");
    }
    sql.push(" AND ");
    write_filter(&facts.filter, "a", sql);
}

/// Totals of exactly a filter: one statement.
pub(super) async fn totals(tx: &ReadTx, scope: ReadScope, facts: &Facts<'_>) -> Result<Totals> {
    let mut condition = tx.sql();
    condition
        .push("a.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND ");
    if let Some(range) = facts.range {
        write_range(range, "a", &mut condition);
        condition.push(" AND ");
    }
    write_filter(facts.filter, "a", &mut condition);
    sum_up(tx, &condition).await
}

/// Totals of counted facts: one statement.
///
/// # Errors
/// When the database fails.
pub async fn totals_of(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<Totals> {
    let mut condition = tx.sql();
    write_facts(facts, scope, &mut condition);
    sum_up(tx, &condition).await
}

async fn sum_up(tx: &ReadTx, condition: &Sql) -> Result<Totals> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT a.currency, COUNT(*) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
         CAST(COALESCE(SUM(a.order_amount_e4), 0) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward, \
         CAST(SUM(a.items_amount_e4) AS bigint) AS items_amount, \
         CAST(SUM(a.items_reward_e4) AS bigint) AS items_reward FROM actions a WHERE ",
    );
    sql.append(condition)
        .push(" GROUP BY a.currency ORDER BY a.currency");
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

/// How complete facts are: one statement.
///
/// # Errors
/// When the database fails.
pub async fn completeness(
    tx: &ReadTx,
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
    without_declined: bool,
) -> Result<Completeness> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT COUNT(*) AS actions, CAST(COALESCE(SUM(CASE WHEN a.status IN ('PENDING', 'UNKNOWN') THEN 1 ELSE 0 END), 0) \
         AS bigint) AS unprocessed, CAST(COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM action_items n \
         WHERE n.publisher_id = a.publisher_id AND n.action_id = a.id AND ",
    );
    sql.push(&has_product("n")).push(
        ") THEN 1 ELSE 0 END), 0) AS bigint) AS with_cart FROM actions a WHERE a.publisher_id = ",
    );
    sql.bind(scope.publisher().0);
    if let Some(range) = range {
        sql.push(" AND ");
        write_range(range, "a", &mut sql);
    }
    if without_declined {
        sql.push(" AND a.status <> 'DECLINED'");
    }
    sql.push(" AND ");
    write_filter(filter, "a", &mut sql);
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

/// Columns of a group over the action `a`, its item `i` and the item's category `c`.
struct Grouping {
    key: &'static str,
    from: &'static str,
    also: String,
    sums: &'static str,
}

const ITEMS: &str =
    "action_items i JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id";
const ITEMS_BY_CATEGORY: &str = "action_items i JOIN actions a ON a.publisher_id = i.publisher_id \
     AND a.id = i.action_id LEFT JOIN categories c ON c.publisher_id = i.publisher_id AND c.id = i.category_id";
const ITEM_SUMS: &str = "COUNT(DISTINCT i.action_id) AS actions, CAST(SUM(i.units) AS bigint) AS units, \
     CAST(SUM(i.amount_e4) AS bigint) AS amount, CAST(SUM(i.reward_e4) AS bigint) AS reward";
const ACTION_SUMS: &str = "COUNT(*) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
     CAST(COALESCE(SUM(a.order_amount_e4), 0) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward";

impl Grouping {
    fn of(group: SalesGroup) -> Self {
        let by_category = |key| Self {
            key,
            from: ITEMS_BY_CATEGORY,
            also: String::new(),
            sums: ITEM_SUMS,
        };
        match group {
            SalesGroup::Product => Self {
                key: "i.product_id",
                from: ITEMS,
                also: format!(" AND {}", has_product("i")),
                sums: ITEM_SUMS,
            },
            SalesGroup::CategoryLevel1 => by_category("c.level1_id"),
            SalesGroup::CategoryLevel2 => by_category("c.level2_id"),
            SalesGroup::CategoryOwn => by_category("c.id"),
            SalesGroup::User => Self {
                key: "a.user_id",
                from: "actions a",
                also: String::new(),
                sums: ACTION_SUMS,
            },
        }
    }
}

/// The key of the group of what has none, in statements and cursors.
const NO_KEY: Uuid = Uuid::nil();

fn write_key_in(key: &str, keys: &[Option<Uuid>], sql: &mut Sql) {
    sql.push(&format!(" AND ({key} IN "))
        .bind_all(keys.iter().flatten().copied());
    if keys.contains(&None) {
        sql.push(&format!(" OR {key} IS NULL"));
    }
    sql.push(")");
}

/// Sums of groups by their keys: one statement. Groups without facts are not in the answer.
///
/// # Errors
/// When the database fails.
pub async fn sums_of(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    group: SalesGroup,
    keys: &[Option<Uuid>],
) -> Result<HashMap<Option<Uuid>, Sums>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let grouping = Grouping::of(group);
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT {} AS key_id, a.currency, {} FROM {} WHERE ",
        grouping.key, grouping.sums, grouping.from
    ));
    write_facts(facts, scope, &mut sql);
    sql.push(&grouping.also);
    write_key_in(grouping.key, keys, &mut sql);
    sql.push(&format!(" GROUP BY {}, a.currency", grouping.key));
    let mut sums: HashMap<Option<Uuid>, Sums> = HashMap::new();
    for row in tx.rows(sql).await? {
        add_row(sums.entry(column(&row, "key_id")?).or_default(), &row)?;
    }
    Ok(sums)
}

/// How many groups there are: one statement.
///
/// # Errors
/// When the database fails.
pub async fn group_count(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    group: SalesGroup,
    by: RankBy,
) -> Result<i64> {
    let grouping = Grouping::of(group);
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT COUNT(*) AS n FROM (SELECT {} AS key_id FROM {} WHERE ",
        grouping.key, grouping.from
    ));
    write_facts(facts, scope, &mut sql);
    sql.push(&grouping.also);
    if let Some(currency) = by.currency() {
        sql.push(" AND a.currency = ").bind(currency.as_str());
    }
    sql.push(&format!(" GROUP BY {}) g", grouping.key));
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// One page of ranked groups with their sums: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn ranked(tx: &ReadTx, scope: ReadScope, query: &SalesQuery) -> Result<Page<SalesRow>> {
    check_page(&query.page, 1)?;
    let key = OrderBy {
        place: "r.metric".into(),
        nullable: false,
        descending: true,
        nulls_first: false,
    };
    let order = Order::tied_ascending(vec![key], "r.key_id");
    let reading = order.reading(&query.page);
    let mut sql = tx.sql();
    write_ranks(&query.facts, scope, (None, query.group), query.by, &mut sql);
    sql.push(", p AS (SELECT r.*, row_number() OVER (ORDER BY ");
    reading.write(&mut sql);
    sql.push(") AS spot FROM r WHERE TRUE");
    order.write_bounds(&query.page, &mut sql);
    sql.push(" ORDER BY ");
    reading.write(&mut sql);
    sql.push(" LIMIT ").bind(limit(&query.page));
    sql.push(
        ") SELECT p.key_id, p.metric, p.rank_no, g.currency, g.actions, g.units, g.amount, g.reward \
         FROM p JOIN g ON g.key_id = p.key_id ORDER BY p.spot, g.currency",
    );
    let rows = fold_rows(tx.rows(sql).await?)?;
    let rows = rows.into_iter().map(|(_, row)| {
        let cursor = Cursor {
            values: vec![Value::Int(row.metric)],
            id: row.key.unwrap_or(NO_KEY),
        };
        (row, cursor)
    });
    Ok(Page::cut(rows.collect(), &query.page))
}

/// The top products within each of many parents, ranks within the parent: one statement.
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
    write_ranks(
        facts,
        scope,
        (Some((parent, keys)), SalesGroup::Product),
        by,
        &mut sql,
    );
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

/// Parents of a nested list: what they are, and which.
type Parents<'a> = (SalesGroup, &'a [Option<Uuid>]);

/// Appends `WITH … ` tables: `g`, the sums by parent, group and currency, and `r`, the groups with metric and rank.
fn write_ranks(
    facts: &FactQuery,
    scope: ReadScope,
    (parent, group): (Option<Parents<'_>>, SalesGroup),
    by: RankBy,
    sql: &mut Sql,
) {
    let grouping = Grouping::of(group);
    let above = parent.map(|(group, keys)| (Grouping::of(group), keys));
    let (parent_key, from) = match &above {
        // Users sum actions; their products are found through the items, which know the action.
        Some((above, _)) if above.from == "actions a" => (above.key, grouping.from),
        Some((above, _)) => (above.key, above.from),
        None => ("NULL", grouping.from),
    };
    let parent_column = if above.is_some() {
        format!("{parent_key} AS parent_id, ")
    } else {
        String::new()
    };
    sql.push(&format!(
        "WITH s AS (SELECT {parent_column}{} AS key_id, a.currency, {} FROM {from} WHERE ",
        grouping.key, grouping.sums
    ));
    write_facts(facts, scope, sql);
    sql.push(&grouping.also);
    let mut groups = format!("{}, a.currency", grouping.key);
    if let Some((_, keys)) = &above {
        write_key_in(parent_key, keys, sql);
        groups = format!("{parent_key}, {groups}");
    }
    sql.push(&format!(" GROUP BY {groups}), g AS (SELECT COALESCE("));
    if above.is_some() {
        sql.push("parent_id, ")
            .bind(NO_KEY)
            .push(") AS parent_id, COALESCE(");
    }
    sql.push("key_id, ")
        .bind(NO_KEY)
        .push(") AS key_id, currency, actions, units, amount, reward FROM s)");
    let metric = match by {
        RankBy::Units => "units",
        RankBy::Actions => "actions",
        RankBy::OrderAmount(_) => "amount",
        RankBy::Reward(_) => "reward",
    };
    let (partition, parent_id) = if above.is_some() {
        ("PARTITION BY parent_id ", "parent_id, ")
    } else {
        ("", "")
    };
    sql.push(&format!(
        ", m AS (SELECT {parent_id}key_id, CAST(SUM({metric}) AS bigint) AS metric FROM g"
    ));
    if let Some(currency) = by.currency() {
        sql.push(" WHERE currency = ").bind(currency.as_str());
    }
    sql.push(&format!(
        " GROUP BY {parent_id}key_id), r AS (SELECT {parent_id}key_id, metric, \
         RANK() OVER ({partition}ORDER BY metric DESC) AS rank_no, \
         row_number() OVER ({partition}ORDER BY metric DESC, key_id ASC) AS place FROM m)"
    ));
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
