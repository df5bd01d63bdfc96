//! What is known of each product and each user for the built-in segments, from totals and lifetimes: the same as
//! `segments` reads from the facts, without going through the whole history.

use super::convert::instant;
use super::listing::column;
use super::sales::{add_row, has_product, write_facts};
use super::segments::{Gathered, UserFacts, finish_users, nothing_known};
use super::sql::Sql;
use super::sql::cells::write_cells;
use super::sql::filter::write_range;
use super::sql::statuses::{StatusCondition, is_approved, is_counted, is_processed};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use crate::domain::segment::ProductStats;
use crate::domain::time::Span;
use crate::domain::totals::{Cover, Total, cover, cover_from};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What is known of each product that was sold before the range's end or is on the priority list, where everything but
/// declined actions counts, by their order: two statements.
///
/// # Errors
/// When the database fails.
pub async fn product_stats(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    previous: Span,
) -> Result<Vec<ProductStats>> {
    let to = facts.range.span.to;
    let mut stats: HashMap<Uuid, ProductStats> = HashMap::new();
    let mut later: HashMap<Uuid, i64> = HashMap::new();
    for row in tx.rows(sums_statement(tx, scope, facts, previous)).await? {
        let id: Uuid = column(&row, "product_id")?;
        let after: i64 = column(&row, "later_units")?;
        *later.entry(id).or_default() += after;
        let (previous, processed): (i64, i64) =
            (column(&row, "previous_units")?, column(&row, "processed")?);
        let (approved, actions): (i64, i64) = (column(&row, "approved")?, column(&row, "actions")?);
        if (previous, processed, actions) == (0, 0, 0) {
            continue;
        }
        let entry = stats.entry(id).or_insert_with(|| nothing_known(id));
        if actions > 0 {
            add_row(&mut entry.sums, &row)?;
        }
        entry.previous_units += previous;
        entry.processed += processed;
        entry.approved += approved;
    }
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.id, p.is_hot, p.is_priority, l.units, l.first_ordered_at_us FROM products p LEFT JOIN product_lifetimes l \
         ON l.publisher_id = p.publisher_id AND l.product_id = p.id WHERE p.publisher_id = ",
    )
    .bind(scope.publisher().0);
    for row in tx.rows(sql).await? {
        let id: Uuid = column(&row, "id")?;
        let first = column::<Option<i64>>(&row, "first_ordered_at_us")?
            .filter(|first| *first < to.micros());
        let is_priority: bool = column(&row, "is_priority")?;
        if first.is_none() && !is_priority && !stats.contains_key(&id) {
            continue;
        }
        let entry = stats.entry(id).or_insert_with(|| nothing_known(id));
        entry.is_hot = column(&row, "is_hot")?;
        entry.is_priority = is_priority;
        if let Some(first) = first {
            let ever: i64 = column(&row, "units")?;
            entry.lifetime_units = ever - later.get(&id).copied().unwrap_or(0);
            entry.first_sold = Some(instant(first, "product_lifetimes", "first_ordered_at_us")?);
        }
    }
    Ok(stats.into_values().collect())
}

/// The sums by product and currency in the range, in the previous period and after the range.
fn sums_statement(tx: &ReadTx, scope: ReadScope, facts: &FactQuery, previous: Span) -> Sql {
    let counted: StatusCondition = is_counted;
    let mut sql = tx.sql();
    sql.push("SELECT u.product_id, u.currency");
    for (kind, condition, what, name) in [
        (0, counted, "actions", "actions"),
        (0, counted, "units", "units"),
        (0, counted, "amount", "amount"),
        (0, counted, "reward", "reward"),
        (1, counted, "units", "previous_units"),
        (2, counted, "units", "later_units"),
        (0, is_processed, "actions", "processed"),
        (0, is_approved, "actions", "approved"),
    ] {
        let condition = condition("u");
        sql.push(&format!(
            ", CAST(SUM(CASE WHEN u.kind = {kind} AND {condition} THEN u.{what} ELSE 0 END) AS bigint) AS {name}"
        ));
    }
    sql.push(" FROM (");
    let grains = Total::Product.grains();
    let range = facts.range.span;
    let spans = [
        cover(range, grains),
        cover(previous, grains),
        cover_from(range.to, grains),
    ];
    for (kind, cover) in spans.iter().enumerate() {
        sql.push(if kind == 0 { "" } else { " UNION ALL " });
        write_rows(scope, facts, (kind, cover), &mut sql);
    }
    sql.push(") u GROUP BY u.product_id, u.currency");
    sql
}

/// Appends the rows of a cover by product, status and currency.
fn write_rows(scope: ReadScope, facts: &FactQuery, (kind, cover): (usize, &Cover), sql: &mut Sql) {
    sql.push(&format!(
        "SELECT {kind} AS kind, a.product_id, a.currency, a.status, a.actions, a.units, a.order_amount_e4 AS amount, \
         a.reward_e4 AS reward FROM totals_product a WHERE "
    ));
    write_cells(scope.publisher(), &[], &cover.cells, "a", sql);
    sql.push(" AND a.product_id <> ").bind(Uuid::nil());
    for span in &cover.ragged {
        sql.push(&format!(
            " UNION ALL SELECT {kind} AS kind, i.product_id, a.currency, a.status, COUNT(DISTINCT i.action_id), SUM(i.units), \
             SUM(i.amount_e4), SUM(i.reward_e4) FROM action_items i JOIN actions a ON a.publisher_id = i.publisher_id \
             AND a.id = i.action_id WHERE a.publisher_id = "
        ))
        .bind(scope.publisher().0)
        .push(" AND ");
        write_range(&facts.range.with_span(*span), "a", sql);
        sql.push(" AND ")
            .push(&has_product("i"))
            .push(" GROUP BY i.product_id, a.currency, a.status");
    }
}

/// What is known of each user with a counted action in the range, where everything but declined actions counts, by
/// their order: two statements.
///
/// # Errors
/// When the database fails.
pub async fn user_stats(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<UserFacts> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT a.user_id, a.currency, COUNT(*) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
         CAST(COALESCE(SUM(a.order_amount_e4), 0) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward, \
         MIN(l.first_ordered_at_us) AS first_at, MAX(a.ordered_at_us) AS last_at FROM actions a \
         LEFT JOIN user_lifetimes l ON l.publisher_id = a.publisher_id AND l.user_id = a.user_id WHERE ",
    );
    write_facts(facts, scope, &mut sql);
    sql.push(" GROUP BY a.user_id, a.currency");
    let mut gathered: BTreeMap<Option<Uuid>, Gathered> = BTreeMap::new();
    for row in tx.rows(sql).await? {
        let entry = gathered.entry(column(&row, "user_id")?).or_default();
        entry.first = column(&row, "first_at")?;
        entry.last = entry.last.max(column(&row, "last_at")?);
        add_row(&mut entry.sums, &row)?;
    }
    finish_users(tx, scope, facts, gathered).await
}
