//! What the users of each cohort did in each period. The periods are edges of time that are computed beforehand; the
//! database only compares numbers.

use super::listing::column;
use super::sales::{add_row, write_counted, write_facts};
use super::segments::{axis_number, up_to_end};
use super::sql::Sql;
use super::sql::filter::write_range;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::report::buckets::closing_days;
use crate::domain::sales::{AxisRange, DateAxis, FactQuery, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::segment::CohortRow;
use crate::domain::time::Span;
use std::collections::BTreeMap;

/// Where the first counted action of a user is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// In the users' lifetimes: by the order, everything but declined actions.
    Lifetimes,
    /// In the facts up to the range's end.
    Facts,
}

/// What the users of each cohort did in each of the periods, which divide the range of `facts`: one statement.
///
/// # Errors
/// When the database fails.
pub async fn cohort_rows(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    periods: &[Span],
    first: First,
) -> Result<Vec<CohortRow>> {
    let edges = edges(&facts.range, periods);
    if edges.len() < 2 {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<(i64, i64), (i64, Sums)> = BTreeMap::new();
    for row in tx.rows(statement(tx, scope, facts, &edges, first)).await? {
        let key = (column(&row, "cohort")?, column(&row, "period")?);
        let (users, sums) = found.entry(key).or_default();
        *users += column::<i64>(&row, "users")?;
        add_row(sums, &row)?;
    }
    let place = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(found
        .into_iter()
        .map(|((cohort, period), (users, sums))| CohortRow {
            cohort: place(cohort),
            period: place(period),
            users,
            sums,
        })
        .collect())
}

/// Where each period begins on the axis, and where the last one ends.
fn edges(range: &AxisRange, periods: &[Span]) -> Vec<i64> {
    if range.axis != DateAxis::Closed {
        let starts = periods.iter().map(|span| span.from.micros());
        let end = periods.last().map(|span| span.to.micros());
        return starts.chain(end).collect();
    }
    // A closing day is in the period that its local start lies in; a period without one begins where the next does.
    let days: Vec<Option<(i64, i64)>> = periods
        .iter()
        .map(|span| closing_days(*span, range.zone))
        .collect();
    let Some(mut edge) = days.iter().flatten().last().map(|(_, end)| *end) else {
        return Vec::new();
    };
    let mut edges = vec![edge];
    for found in days.into_iter().rev() {
        edge = found.map_or(edge, |(start, _)| start);
        edges.push(edge);
    }
    edges.reverse();
    edges
}

/// Appends the number of the period that a value, which lies in one of them, belongs to: halving the edges.
fn write_period(value: &str, edges: &[i64], from: usize, sql: &mut Sql) {
    // The edges are the inner ones, from the second on: `n` of them part `n + 1` periods.
    if edges.is_empty() {
        sql.push(&from.to_string());
        return;
    }
    let middle = edges.len() / 2;
    let (below, above) = edges.split_at(middle);
    let Some((edge, above)) = above.split_first() else {
        return;
    };
    sql.push(&format!("CASE WHEN {value} < ")).bind(*edge);
    sql.push(" THEN ");
    write_period(value, below, from, sql);
    sql.push(" ELSE ");
    write_period(value, above, from + middle + 1, sql);
    sql.push(" END");
}

fn statement(tx: &ReadTx, scope: ReadScope, facts: &FactQuery, edges: &[i64], first: First) -> Sql {
    let number = axis_number(facts.range.axis);
    let inner = edges.get(1..edges.len() - 1).unwrap_or(&[]);
    let mut sql = tx.sql();
    sql.push("WITH f AS (SELECT a.publisher_id, a.user_id, a.currency, ");
    write_period(&number, inner, 0, &mut sql);
    sql.push(
        " AS period, COUNT(*) AS actions, SUM(a.units) AS units, SUM(COALESCE(a.order_amount_e4, 0)) AS amount, \
         SUM(a.reward_e4) AS reward FROM actions a WHERE ",
    );
    write_facts(facts, scope, &mut sql);
    sql.push(" AND a.user_id IS NOT NULL GROUP BY a.publisher_id, a.user_id, a.currency, period), l AS (");
    write_first(scope, facts, first, &mut sql);
    // A user of several currencies in a period counts with the first of them.
    sql.push("), u AS (SELECT l.cohort, f.period, f.currency, f.actions, f.units, f.amount, f.reward, \
         CASE WHEN row_number() OVER (PARTITION BY f.user_id, f.period ORDER BY f.currency) = 1 THEN 1 ELSE 0 END AS head \
         FROM f JOIN (SELECT l.publisher_id, l.user_id, ");
    write_period("l.first_at", inner, 0, &mut sql);
    sql.push(" AS cohort FROM l WHERE l.first_at >= ");
    let bounds = (edges.first().copied(), edges.last().copied());
    sql.bind(bounds.0.unwrap_or(0)).push(" AND l.first_at < ");
    sql.bind(bounds.1.unwrap_or(0));
    sql.push(
        ") l ON l.publisher_id = f.publisher_id AND l.user_id = f.user_id) SELECT CAST(u.cohort AS bigint) AS cohort, \
         CAST(u.period AS bigint) AS period, u.currency, CAST(SUM(u.head) AS bigint) AS users, \
         CAST(SUM(u.actions) AS bigint) AS actions, CAST(SUM(u.units) AS bigint) AS units, \
         CAST(SUM(u.amount) AS bigint) AS amount, CAST(SUM(u.reward) AS bigint) AS reward FROM u \
         GROUP BY u.cohort, u.period, u.currency ORDER BY u.cohort, u.period, u.currency",
    );
    sql
}

/// Appends each user's first counted action up to the range's end.
fn write_first(scope: ReadScope, facts: &FactQuery, first: First, sql: &mut Sql) {
    match first {
        First::Lifetimes => {
            sql.push(
                "SELECT t.publisher_id, t.user_id, t.first_ordered_at_us AS first_at FROM user_lifetimes t \
                 WHERE t.publisher_id = ",
            )
            .bind(scope.publisher().0);
        }
        First::Facts => {
            let number = axis_number(facts.range.axis);
            sql.push(&format!(
                "SELECT a.publisher_id, a.user_id, MIN({number}) AS first_at FROM actions a WHERE a.publisher_id = "
            ))
            .bind(scope.publisher().0)
            .push(" AND ");
            write_range(&up_to_end(&facts.range), "a", sql);
            write_counted(facts, sql);
            sql.push(" AND a.user_id IS NOT NULL GROUP BY a.publisher_id, a.user_id");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::DbBackend;

    #[test]
    fn edges_are_halved() {
        let mut sql = Sql::new(DbBackend::Sqlite);
        write_period("x", &[10, 20, 30], 0, &mut sql);
        assert_eq!(
            sql.text(),
            "CASE WHEN x < ? THEN CASE WHEN x < ? THEN 0 ELSE 1 END ELSE CASE WHEN x < ? THEN 2 ELSE 3 END END"
        );
        assert_eq!(sql.bound(), 3);
    }
}
