//! What is known of each product and each user for the built-in segments. Who is a member is `domain::segment`'s.

use super::convert::{inconsistent, instant};
use super::listing::column;
use super::sales::{add_row, currency_of, has_product, write_counted, write_facts};
use super::sql::Sql;
use super::sql::filter::{write_filter, write_range};
use super::sql::statuses::{is_approved, is_counted, is_processed};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::sales::{AxisRange, CurrencySums, DateAxis, FactQuery, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::segment::{ProductStats, UserStats};
use crate::domain::time::{Day, Instant, Span, Zone, start_of_day};
use sea_orm::QueryResult;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// The column of an axis.
pub(super) fn axis_column(axis: DateAxis) -> &'static str {
    match axis {
        DateAxis::Ordered => "a.ordered_at_us",
        DateAxis::Clicked => "a.clicked_at_us",
        DateAxis::StatusUpdated => "a.status_updated_at_us",
        DateAxis::Closed => "a.closing_day",
    }
}

/// A value of an axis as an instant; a closing day is its local start.
pub(super) fn axis_instant(axis: DateAxis, zone: Zone, value: i64) -> Result<Instant> {
    if axis == DateAxis::Closed {
        let day = i32::try_from(value)
            .ok()
            .and_then(|day| Day::from_days(day).ok());
        return Ok(start_of_day(
            day.ok_or_else(|| inconsistent("actions", value, "closing_day"))?,
            zone,
        ));
    }
    instant(value, "actions", axis_column(axis))
}

/// The column of an axis as a 64-bit number.
pub(super) fn axis_number(axis: DateAxis) -> String {
    format!("CAST({} AS bigint)", axis_column(axis))
}

/// All time up to the end of a range.
pub(super) fn up_to_end(range: &AxisRange) -> AxisRange {
    range.with_span(Span {
        from: Instant::MIN,
        to: range.span.to,
    })
}

/// What is known of each product that was sold before the range's end or is on the priority list: two statements.
///
/// # Errors
/// When the database fails.
pub async fn product_stats(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    previous: Span,
) -> Result<Vec<ProductStats>> {
    let mut stats: HashMap<Uuid, ProductStats> = HashMap::new();
    for row in tx
        .rows(product_statement(tx, scope, facts, previous))
        .await?
    {
        let id: Uuid = column(&row, "product_id")?;
        let entry = stats.entry(id).or_insert_with(|| nothing_known(id));
        let seen: i64 = column(&row, "actions")?;
        if seen > 0 {
            add_row(&mut entry.sums, &row)?;
        }
        entry.previous_units += column::<i64>(&row, "previous_units")?;
        entry.lifetime_units += column::<i64>(&row, "lifetime_units")?;
        entry.processed += column::<i64>(&row, "processed")?;
        entry.approved += column::<i64>(&row, "approved")?;
        entry.is_hot = column(&row, "is_hot")?;
        entry.is_priority = column(&row, "is_priority")?;
        if let Some(first) = column::<Option<i64>>(&row, "first_sold")? {
            let first = axis_instant(facts.range.axis, facts.range.zone, first)?;
            entry.first_sold = Some(entry.first_sold.map_or(first, |known| known.min(first)));
        }
    }
    let mut sql = tx.sql();
    sql.push("SELECT t.id, t.is_hot FROM products t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND t.is_priority = ").bind(true);
    for row in tx.rows(sql).await? {
        let id: Uuid = column(&row, "id")?;
        let entry = stats.entry(id).or_insert_with(|| nothing_known(id));
        entry.is_priority = true;
        entry.is_hot = column(&row, "is_hot")?;
    }
    // What was only ever declined, and not in the range, says nothing.
    stats.retain(|_, stats| stats.first_sold.is_some() || stats.processed > 0 || stats.is_priority);
    Ok(stats.into_values().collect())
}

pub(super) fn nothing_known(product_id: Uuid) -> ProductStats {
    ProductStats {
        product_id,
        sums: Sums::default(),
        previous_units: 0,
        lifetime_units: 0,
        first_sold: None,
        processed: 0,
        approved: 0,
        is_hot: false,
        is_priority: false,
    }
}

fn product_statement(tx: &ReadTx, scope: ReadScope, facts: &FactQuery, previous: Span) -> Sql {
    let counted = if facts.without_declined {
        is_counted("a")
    } else {
        "TRUE".to_owned()
    };
    let counted = counted.as_str();
    let previous = facts.range.with_span(previous);
    let mut sql = tx.sql();
    let within = |range: &AxisRange, sql: &mut Sql| write_range(range, "a", sql);
    sql.push("SELECT i.product_id, a.currency, p.is_hot, p.is_priority");
    let mut sum = |what: &str, range: &AxisRange, condition: &str, name: &str| {
        sql.push(", CAST(COALESCE(SUM(CASE WHEN ");
        within(range, &mut sql);
        sql.push(&format!(
            " AND {condition} THEN {what} ELSE 0 END), 0) AS bigint) AS {name}"
        ));
    };
    sum("i.units", &facts.range, counted, "units");
    sum("i.amount_e4", &facts.range, counted, "amount");
    sum("i.reward_e4", &facts.range, counted, "reward");
    sum("i.units", &previous, counted, "previous_units");
    sum(
        "i.units",
        &up_to_end(&facts.range),
        counted,
        "lifetime_units",
    );
    let mut distinct = |condition: &str, name: &str| {
        sql.push(", COUNT(DISTINCT CASE WHEN ");
        within(&facts.range, &mut sql);
        sql.push(&format!(" AND {condition} THEN i.action_id END) AS {name}"));
    };
    distinct(counted, "actions");
    // Approval rates look at every decision, so declined actions are in them whatever else counts.
    distinct(&is_processed("a"), "processed");
    distinct(&is_approved("a"), "approved");
    sql.push(&format!(
        ", MIN(CASE WHEN {counted} THEN {} END) AS first_sold",
        axis_number(facts.range.axis)
    ));
    sql.push(
        " FROM action_items i JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id \
         JOIN products p ON p.publisher_id = i.publisher_id AND p.id = i.product_id WHERE a.publisher_id = ",
    );
    sql.bind(scope.publisher().0).push(" AND ");
    within(&up_to_end(&facts.range), &mut sql);
    sql.push(" AND ");
    write_filter(&facts.filter, "a", &mut sql);
    sql.push(" GROUP BY i.product_id, a.currency, p.is_hot, p.is_priority");
    sql
}

/// What is known of the users of counted facts, by id, and the sums of the facts without a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFacts {
    /// Users with a counted action in the range, by id.
    pub users: Vec<UserStats>,
    /// Sums of the counted actions without a user.
    pub unattributed: Sums,
}

/// Sums of a user in the making.
#[derive(Default)]
pub(super) struct Gathered {
    pub sums: Sums,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// What is known of each user with a counted action in the range: two statements.
///
/// # Errors
/// When the database fails.
pub async fn user_stats(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<UserFacts> {
    let mut gathered: BTreeMap<Option<Uuid>, Gathered> = BTreeMap::new();
    for row in tx.rows(user_statement(tx, scope, facts)).await? {
        let entry = gathered.entry(column(&row, "user_id")?).or_default();
        let first: Option<i64> = column(&row, "first_at")?;
        entry.first = [entry.first, first].into_iter().flatten().min();
        entry.last = entry.last.max(column(&row, "last_at")?);
        if column::<i64>(&row, "actions")? > 0 {
            add_row(&mut entry.sums, &row)?;
        }
    }
    finish_users(tx, scope, facts, gathered).await
}

/// Users from their sums, with the country and the device of their latest action: one statement.
pub(super) async fn finish_users(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    gathered: BTreeMap<Option<Uuid>, Gathered>,
) -> Result<UserFacts> {
    let mut origins = latest_origins(tx, scope, facts).await?;
    let mut found = UserFacts::default();
    for (user, entry) in gathered {
        let Some(user_id) = user else {
            found.unattributed = entry.sums;
            continue;
        };
        let (Some(first), Some(last)) = (entry.first, entry.last) else {
            continue;
        };
        let origin = origins.remove(&user_id).unwrap_or_default();
        found.users.push(UserStats {
            user_id,
            sums: entry.sums,
            first_at: axis_instant(facts.range.axis, facts.range.zone, first)?,
            last_at: axis_instant(facts.range.axis, facts.range.zone, last)?,
            country: origin.country.map(Arc::from),
            device: origin.device.map(Arc::from),
        });
    }
    Ok(found)
}

fn user_statement(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Sql {
    let number = axis_number(facts.range.axis);
    let mut sql = tx.sql();
    let within = |sql: &mut Sql| write_range(&facts.range, "a", sql);
    sql.push("SELECT a.user_id, a.currency");
    for (what, name) in [
        ("1", "actions"),
        ("a.units", "units"),
        ("a.order_amount_e4", "amount"),
        ("a.reward_e4", "reward"),
    ] {
        sql.push(", CAST(COALESCE(SUM(CASE WHEN ");
        within(&mut sql);
        sql.push(&format!(" THEN {what} END), 0) AS bigint) AS {name}"));
    }
    sql.push(&format!(", MIN({number}) AS first_at, MAX(CASE WHEN "));
    within(&mut sql);
    sql.push(&format!(
        " THEN {number} END) AS last_at FROM actions a WHERE a.publisher_id = "
    ));
    sql.bind(scope.publisher().0).push(" AND ");
    write_range(&up_to_end(&facts.range), "a", &mut sql);
    write_counted(facts, &mut sql);
    // The history of users who are not in the range does not matter.
    sql.push(" AND (a.user_id IS NULL OR a.user_id IN (SELECT a.user_id FROM actions a WHERE ");
    write_facts(facts, scope, &mut sql);
    sql.push(" AND a.user_id IS NOT NULL)) GROUP BY a.user_id, a.currency");
    sql
}

/// Where an action came from.
#[derive(Default)]
struct Origin {
    country: Option<String>,
    device: Option<String>,
}

/// Where each user's latest counted action in the range came from.
async fn latest_origins(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
) -> Result<HashMap<Uuid, Origin>> {
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT user_id, country, device FROM (SELECT a.user_id, a.country, a.device, row_number() OVER \
         (PARTITION BY a.user_id ORDER BY {} DESC, a.id DESC) AS place FROM actions a WHERE ",
        axis_column(facts.range.axis)
    ));
    write_facts(facts, scope, &mut sql);
    sql.push(" AND a.user_id IS NOT NULL) w WHERE place = 1");
    let rows = tx.rows(sql).await?;
    let origin = |row: &QueryResult| -> Result<(Uuid, Origin)> {
        let origin = Origin {
            country: column(row, "country")?,
            device: column(row, "device")?,
        };
        Ok((column(row, "user_id")?, origin))
    };
    rows.iter().map(origin).collect()
}

/// What one user bought of one product in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserProduct {
    /// The user; none for facts without one.
    pub user_id: Option<Uuid>,
    /// The product.
    pub product_id: Uuid,
    /// Distinct actions.
    pub actions: i64,
    /// Units.
    pub units: i64,
    /// Money.
    pub money: CurrencySums,
}

/// What each user bought in the range: one statement.
///
/// # Errors
/// When the database fails.
pub async fn user_products(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
) -> Result<Vec<UserProduct>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT a.user_id, i.product_id, a.currency, COUNT(DISTINCT i.action_id) AS actions, \
         CAST(SUM(i.units) AS bigint) AS units, CAST(SUM(i.amount_e4) AS bigint) AS amount, \
         CAST(SUM(i.reward_e4) AS bigint) AS reward FROM action_items i \
         JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id WHERE ",
    );
    write_facts(facts, scope, &mut sql);
    sql.push(" AND ")
        .push(&has_product("i"))
        .push(" GROUP BY a.user_id, i.product_id, a.currency");
    tx.rows(sql).await?.iter().map(user_product).collect()
}

fn user_product(row: &QueryResult) -> Result<UserProduct> {
    Ok(UserProduct {
        user_id: column(row, "user_id")?,
        product_id: column(row, "product_id")?,
        actions: column(row, "actions")?,
        units: column(row, "units")?,
        money: CurrencySums {
            currency: currency_of(row)?,
            order_amount_e4: column(row, "amount")?,
            reward_e4: column(row, "reward")?,
        },
    })
}
