//! Products by what an order of them is expected to bring, from totals or from the facts.

use super::groups::{Groups, ITEMS, Only, write_only};
use super::{Actions, has_product, write_facts};
use crate::domain::error::Result;
use crate::domain::filter::Value;
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::sales::SalesGroup;
use crate::domain::scope::ReadScope;
use crate::domain::totals::Source;
use crate::domain::traffic::target::{BaseRate, TargetQuery, TargetRow, TargetSums};
use crate::store::keyset::{Order, OrderBy, limit};
use crate::store::listing::{check_page, column};
use crate::store::sql::Sql;
use crate::store::sql::statuses::{
    StatusCondition, is_approved, is_counted, is_declined, is_pending,
};
use crate::store::tx::ReadTx;
use std::collections::HashMap;
use uuid::Uuid;

/// Sums beyond this, in 1/10 000, count as this: a larger one times a million is no number of 64 bits.
const LARGEST: i64 = 4_000_000_000_000;

/// The sums in the order of [`TargetSums`]: name, column of a total, the same over items, and of which statuses.
const SUMS: [(&str, &str, &str, Option<StatusCondition>); 7] = [
    ("orders", "actions", "i.action_id", None),
    ("approved", "actions", "i.action_id", Some(is_approved)),
    ("declined", "actions", "i.action_id", Some(is_declined)),
    ("units", "units", "i.units", Some(is_counted)),
    ("amount_e4", "order_amount_e4", "i.amount_e4", None),
    ("approved_e4", "reward_e4", "i.reward_e4", Some(is_approved)),
    ("pending_e4", "reward_e4", "i.reward_e4", Some(is_pending)),
];

/// Which part of the processed reward of actions in a currency was approved: one statement.
///
/// # Errors
/// When the database fails.
pub async fn base_rate(
    tx: &ReadTx,
    scope: ReadScope,
    actions: &Actions<'_>,
    currency: Currency,
) -> Result<BaseRate> {
    let mut sql = tx.sql();
    sql.push("SELECT ");
    let parts = [
        ("approved", is_approved("a")),
        ("declined", is_declined("a")),
    ];
    for (place, (name, statuses)) in parts.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " });
        sql.push(&format!(
            "CAST(COALESCE(SUM(CASE WHEN {statuses} THEN a.reward_e4 ELSE 0 END), 0) AS bigint) AS {name}"
        ));
    }
    sql.push(" FROM ");
    actions.write_rows(scope, &mut sql);
    sql.push(" WHERE a.currency = ").bind(currency.as_str());
    let rows = tx.rows(sql).await?;
    let Some(row) = rows.first() else {
        return Ok(BaseRate::default());
    };
    Ok(BaseRate {
        approved_e4: column(row, "approved")?,
        declined_e4: column(row, "declined")?,
    })
}

/// One page of ranked products: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn targets(
    tx: &ReadTx,
    scope: ReadScope,
    query: &TargetQuery,
    source: &Source,
    page: &PageRequest,
) -> Result<Page<TargetRow>> {
    check_page(page, 1)?;
    let key = OrderBy {
        place: "r.expected".into(),
        nullable: false,
        descending: true,
        nulls_first: false,
    };
    let order = Order::tied_ascending(vec![key], "r.key_id");
    let reading = order.reading(page);
    let mut sql = tx.sql();
    write_ranked(query, source, scope, &mut sql);
    sql.push(" SELECT r.* FROM r WHERE TRUE");
    order.write_bounds(page, &mut sql);
    sql.push(" ORDER BY ");
    reading.write(&mut sql);
    sql.push(" LIMIT ").bind(limit(page));
    let mut rows = Vec::new();
    for row in tx.rows(sql).await? {
        let row = TargetRow {
            product_id: column(&row, "key_id")?,
            rank: column(&row, "rank_no")?,
            expected: column(&row, "expected")?,
            sums: TargetSums {
                orders: column(&row, "orders")?,
                approved: column(&row, "approved")?,
                declined: column(&row, "declined")?,
                units: column(&row, "units")?,
                order_amount_e4: column(&row, "amount_e4")?,
                approved_e4: column(&row, "approved_e4")?,
                pending_e4: column(&row, "pending_e4")?,
            },
        };
        let cursor = Cursor {
            values: vec![Value::Int(row.expected)],
            id: row.product_id,
        };
        rows.push((row, cursor));
    }
    Ok(Page::cut(rows, page))
}

/// How many products are ranked: one statement.
///
/// # Errors
/// When the database fails.
pub async fn target_count(
    tx: &ReadTx,
    scope: ReadScope,
    query: &TargetQuery,
    source: &Source,
) -> Result<i64> {
    let mut sql = tx.sql();
    write_ranked(query, source, scope, &mut sql);
    sql.push(" SELECT COUNT(*) AS n FROM r");
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// The units of products, of the facts and in the currency of a query: one statement. Those without any are not in the
/// answer.
///
/// # Errors
/// When the database fails.
pub async fn target_units(
    tx: &ReadTx,
    scope: ReadScope,
    query: &TargetQuery,
    source: &Source,
    products: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    if products.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<Option<Uuid>> = products.iter().copied().map(Some).collect();
    let mut sql = tx.sql();
    sql.push("SELECT u.key_id, CAST(SUM(u.units) AS bigint) AS units FROM (");
    write_parts(query, source, scope, Some(keys.as_slice()), &mut sql);
    sql.push(") u GROUP BY u.key_id");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| Ok((column(row, "key_id")?, column(row, "units")?)))
        .collect()
}

/// Appends the tables `g` (sums by product), `m` (with what is expected of an order) and `r` (with the rank).
fn write_ranked(query: &TargetQuery, source: &Source, scope: ReadScope, sql: &mut Sql) {
    sql.push("WITH g AS (SELECT u.key_id");
    for (name, ..) in SUMS {
        sql.push(&format!(", CAST(SUM(u.{name}) AS bigint) AS {name}"));
    }
    sql.push(" FROM (");
    write_parts(query, source, scope, None, sql);
    sql.push(") u GROUP BY u.key_id HAVING SUM(u.orders) >= ")
        .bind(i64::from(query.min_orders.max(1)));
    sql.push(&format!(
        "), m AS (SELECT g.*, ({} * 1000000 + {} * ",
        held_within("g.approved_e4"),
        held_within("g.pending_e4")
    ))
    .bind(query.base_millionths)
    .push(") / g.orders AS expected FROM g), r AS (SELECT m.*, RANK() OVER (ORDER BY m.expected DESC) AS rank_no FROM m");
    if query.only_available {
        // A feed says that it cannot be ordered, and none that it can.
        let offers = |sql: &mut Sql, says: &str| {
            sql.push("EXISTS (SELECT 1 FROM feed_offers o WHERE o.publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND o.product_id = m.key_id AND ")
                .push(says)
                .push(")");
        };
        sql.push(" WHERE NOT (");
        offers(sql, "NOT o.available");
        sql.push(" AND NOT ");
        offers(sql, "o.available");
        sql.push(")");
    }
    sql.push(")");
}

fn held_within(column: &str) -> String {
    format!(
        "CASE WHEN {column} > {LARGEST} THEN {LARGEST} WHEN {column} < -{LARGEST} THEN -{LARGEST} ELSE {column} END"
    )
}

/// Appends queries of the sums by product, of a total and of the facts where its cells end, as one: of products with these
/// keys, else of those that are ranked.
fn write_parts(
    query: &TargetQuery,
    source: &Source,
    scope: ReadScope,
    keys: Option<&[Option<Uuid>]>,
    sql: &mut Sql,
) {
    let groups = Groups {
        facts: &query.facts,
        group: SalesGroup::Product,
        products: Some(&query.products),
        source,
    };
    // Products that are named need not be chosen again.
    let only = keys.map_or(groups.ranked(), Only::Keys);
    let mut parts = 0;
    let mut begin = |sql: &mut Sql, key: &str| {
        sql.push(if parts == 0 { "" } else { " UNION ALL " });
        sql.push(&format!("SELECT {key} AS key_id"));
        parts += 1;
    };
    if let Source::Total(total, cover) = source {
        begin(sql, "a.product_id");
        for (name, of, _, statuses) in SUMS {
            let summed = of_statuses(&format!("a.{of}"), statuses);
            sql.push(&format!(", CAST(SUM({summed}) AS bigint) AS {name}"));
        }
        groups.write_total(scope, (*total, cover), &only, sql);
        sql.push(" AND a.currency = ")
            .bind(query.currency.as_str())
            .push(" GROUP BY a.product_id");
    }
    for facts in groups.read_as_facts() {
        begin(sql, "i.product_id");
        for (name, _, of, statuses) in SUMS {
            if of == "i.action_id" {
                let counted = statuses.map_or_else(
                    || of.to_owned(),
                    |is| format!("CASE WHEN {} THEN {of} END", is("a")),
                );
                sql.push(&format!(", COUNT(DISTINCT {counted}) AS {name}"));
            } else {
                let summed = of_statuses(of, statuses);
                sql.push(&format!(", CAST(SUM({summed}) AS bigint) AS {name}"));
            }
        }
        sql.push(&format!(" FROM {ITEMS} WHERE "));
        write_facts(&facts, scope, sql);
        sql.push(&format!(" AND {}", has_product("i")));
        write_only("i.product_id", &only, sql);
        sql.push(" AND a.currency = ")
            .bind(query.currency.as_str())
            .push(" GROUP BY i.product_id");
    }
}

/// What is summed where the status of the action `a` is the right one, else 0.
fn of_statuses(summed: &str, statuses: Option<StatusCondition>) -> String {
    statuses.map_or_else(
        || summed.to_owned(),
        |is| format!("CASE WHEN {} THEN {summed} ELSE 0 END", is("a")),
    )
}
