//! A segment as a set of ids: what `domain::rule` says, in SQL, in one place for sizes, lists, filters and reports.
//!
//! Whatever is asked of facts is a query of its own over all of them, grouped by user or product, so that a database makes
//! it once and looks rows up in it; no row is asked for its facts one by one. Conditions are two-valued: ids that are
//! looked up are never missing, and neither are those that are looked up in.
//!
//! Who is in a built-in segment was looked up before, by its one definition: here it is a list of ids, bound as one value.

use super::Sql;
use super::filter::{Condition as Write, write_filter, write_op, write_tree};
use super::statuses::{StatusCondition, is_approved, is_counted, is_declined, is_processed};
use crate::domain::filter::{Filter, Op, ProductTest, UserTest};
use crate::domain::id::{Kind, PublisherId, derive};
use crate::domain::rule::{
    BuiltIn, Condition, InSegments, Measure, Members, Metric, Rank, Rule, SegmentSet, SetOf,
    Subject, Take, Threshold,
};
use crate::domain::sales::RankBy;
use crate::domain::time::{DAY_US, Instant, Span, Zone};
use crate::store::sales::has_product;
use sea_orm::DbBackend;
use std::collections::BTreeSet;

/// When, where and of what a set is.
#[derive(Clone, Copy)]
pub(in crate::store) struct Place {
    publisher: PublisherId,
    /// Of what.
    pub subject: Subject,
    at: Instant,
    zone: Zone,
}

impl Place {
    /// Of a set, at its moment, in its zone.
    pub(in crate::store) fn of(set: &SegmentSet, at: Instant, zone: Zone) -> Self {
        Self {
            publisher: set.publisher,
            subject: set.subject,
            at,
            zone,
        }
    }
}

/// Appends a query for the ids of a segment's members, each once, in the column `id`.
pub(in crate::store) fn write_set(set: &SegmentSet, sql: &mut Sql) {
    if let Some(members) = &set.members {
        sql.listed(members.ids());
        return;
    }
    match &set.of {
        SetOf::Frozen => {
            sql.push("SELECT m.member_id AS id FROM segment_members m WHERE m.publisher_id = ")
                .bind(set.publisher.0)
                .push(" AND m.segment_id = ")
                .bind(set.id);
        }
        SetOf::Rule { rule, at, zone } => {
            let place = Place::of(set, *at, *zone);
            sql.push("SELECT x.id FROM ")
                .push(table(set.subject))
                .push(" x WHERE x.publisher_id = ")
                .bind(set.publisher.0)
                .push(" AND x.first_seen_us < ")
                .bind(at.micros())
                .push(" AND ");
            write_rule(rule, place, sql);
        }
    }
}

/// Appends for each condition of a set's rule whether it holds for the row `x`, as `h0`, `h1`, each led by a comma.
pub(in crate::store) fn write_each(set: &SegmentSet, sql: &mut Sql) {
    let SetOf::Rule { rule, at, zone } = &set.of else {
        return;
    };
    let place = Place::of(set, *at, *zone);
    let mut each = |number: usize, write: &dyn Fn(&mut Sql)| {
        sql.push(", CASE WHEN ");
        write(sql);
        sql.push(&format!(" THEN 1 ELSE 0 END AS h{number}"));
    };
    match rule {
        Rule::Users(filter) => {
            for (number, condition) in filter.tests().enumerate() {
                each(number, &|sql| write_condition(condition, place, sql));
            }
        }
        Rule::Products(filter) => {
            for (number, condition) in filter.tests().enumerate() {
                each(number, &|sql| write_condition(condition, place, sql));
            }
        }
    }
}

/// Appends a query for what the members of a set did in a stretch of time, declined actions left out: a row for each
/// `currency` with `actions`, `units`, `amount` and `reward`, and in `users` how many users these are who are in no row of an
/// earlier currency, so that users add up. Of products, units and money are those of their cart items.
pub(in crate::store) fn write_done(set: &SegmentSet, span: Span, sql: &mut Sql) {
    let of_items = set.subject == Subject::Products;
    let (actions, units, amount, reward) = if of_items {
        (
            "COUNT(DISTINCT a.id)",
            "i.units",
            "i.amount_e4",
            "i.reward_e4",
        )
    } else {
        ("COUNT(*)", "a.units", "a.order_amount_e4", "a.reward_e4")
    };
    sql.push(
        "SELECT d.currency, CAST(SUM(d.actions) AS bigint) AS actions, CAST(SUM(d.units) AS bigint) AS units, \
         CAST(SUM(d.amount) AS bigint) AS amount, CAST(SUM(d.reward) AS bigint) AS reward, \
         COUNT(CASE WHEN d.place = 1 THEN d.user_id END) AS users FROM (SELECT a.user_id, a.currency, ",
    )
    .push(&format!(
        "{actions} AS actions, COALESCE(SUM({units}), 0) AS units, COALESCE(SUM({amount}), 0) AS amount, \
         COALESCE(SUM({reward}), 0) AS reward, row_number() OVER (PARTITION BY a.user_id ORDER BY a.currency) AS place FROM "
    ));
    write_from(of_items, sql);
    write_done_within(set, span, sql);
    sql.push(" GROUP BY a.user_id, a.currency) d GROUP BY d.currency");
}

/// Appends a query for the first products of what was bought in a stretch of time, declined actions left out: of a set of users
/// by its members, of one of products of these. Money ranks only what has it, ties are ranked by id. A row for each `product_id`
/// and `currency` with `actions`, `units`, `amount` and `reward`.
pub(in crate::store) fn write_bought(
    set: &SegmentSet,
    span: Span,
    (by, first): (RankBy, usize),
    sql: &mut Sql,
) {
    let sum = match by {
        RankBy::Units => "b.units",
        RankBy::Actions => "b.actions",
        RankBy::OrderAmount(_) => "b.amount",
        RankBy::Reward(_) => "b.reward",
    };
    sql.push(
        "SELECT r.product_id, r.currency, r.actions, r.units, r.amount, r.reward FROM (SELECT m.product_id, m.currency, \
         m.actions, m.units, m.amount, m.reward, dense_rank() OVER (ORDER BY m.metric DESC, m.product_id) AS place \
         FROM (SELECT b.product_id, b.currency, b.actions, b.units, b.amount, b.reward, SUM(",
    );
    match by.currency() {
        Some(currency) => sql
            .push("CASE WHEN b.currency = ")
            .bind(currency.as_str())
            .push(&format!(" THEN {sum} END")),
        None => sql.push(sum),
    };
    sql.push(
        ") OVER (PARTITION BY b.product_id) AS metric FROM (SELECT i.product_id, a.currency, COUNT(DISTINCT i.action_id) AS \
         actions, CAST(SUM(i.units) AS bigint) AS units, CAST(SUM(i.amount_e4) AS bigint) AS amount, \
         CAST(SUM(i.reward_e4) AS bigint) AS reward FROM ",
    );
    write_from(true, sql);
    write_done_within(set, span, sql);
    sql.push(" AND ")
        .push(&has_product("i"))
        .push(" GROUP BY i.product_id, a.currency) b) m WHERE m.metric IS NOT NULL) r WHERE r.place <= ")
        .bind(i64::try_from(first).unwrap_or(i64::MAX));
}

/// Appends the condition that an action was done by a member of a set, or an item is one, in a stretch of time, and counts.
fn write_done_within(set: &SegmentSet, span: Span, sql: &mut Sql) {
    sql.push(" WHERE a.publisher_id = ")
        .bind(set.publisher.0)
        .push(" AND a.ordered_at_us >= ")
        .bind(span.from.micros())
        .push(" AND a.ordered_at_us < ")
        .bind(span.to.micros())
        .push(" AND ")
        .push(&is_counted("a"))
        .push(&format!(" AND {} IN (", key(set.subject)));
    write_set(set, sql);
    sql.push(")");
}

/// The table of a subject.
pub(in crate::store) fn table(subject: Subject) -> &'static str {
    match subject {
        Subject::Users => "users",
        Subject::Products => "products",
    }
}

/// Appends the condition that an id lies in segments. The id must be there.
pub(super) fn write_in(named: &InSegments, id: &str, sql: &mut Sql) {
    sql.push(if named.inside { "(" } else { "NOT (" });
    for (place, segment) in named.segments.iter().enumerate() {
        sql.push(if place == 0 { "" } else { " OR " });
        sql.push(id).push(" IN (");
        match &segment.set {
            Some(set) => write_set(set, sql),
            // A door that forgot to look a segment up must fail, not answer without it.
            None => {
                sql.push("SELECT id FROM segment_that_was_not_looked_up");
            }
        }
        sql.push(")");
    }
    if named.segments.is_empty() {
        sql.push("FALSE");
    }
    sql.push(")");
}

/// Appends the condition that an id lies in a built-in segment. The id must be there.
pub(super) fn write_built_in(built_in: &BuiltIn, id: &str, sql: &mut Sql) {
    sql.push(id).push(" IN (");
    match &built_in.members {
        Some(members) => {
            sql.listed(members.ids());
        }
        // A door that forgot to look its members up must fail, not answer without them.
        None => {
            sql.push("SELECT id FROM segment_that_was_not_looked_up");
        }
    }
    sql.push(")");
}

fn write_rule(rule: &Rule, place: Place, sql: &mut Sql) {
    match rule {
        Rule::Users(filter) => {
            write_tree(filter, sql, &|condition: &Condition<UserTest>, sql| {
                write_condition(condition, place, sql);
            });
        }
        Rule::Products(filter) => {
            write_tree(filter, sql, &|condition: &Condition<ProductTest>, sql| {
                write_condition(condition, place, sql);
            });
        }
    }
}

/// Appends a condition on the row `x`.
pub(in crate::store) fn write_condition<T: Write>(
    condition: &Condition<T>,
    place: Place,
    sql: &mut Sql,
) {
    match condition {
        Condition::Own(filter) => write_filter(filter, "x", sql),
        Condition::ClickCountry(op) => write_country(op, place, sql),
        Condition::Threshold(threshold) => write_threshold(threshold, place, sql),
        Condition::Rank(rank) => {
            sql.push("x.id IN (");
            write_rank(rank, place, sql);
            sql.push(")");
        }
        Condition::Members(members) => write_members(members, place, sql),
    }
}

/// Appends a bound on something measured. Who has no fact is looked for among those that are out of bounds, where having
/// none of it is within them.
fn write_threshold(threshold: &Threshold, place: Place, sql: &mut Sql) {
    let measure = &threshold.measure;
    let of_nothing = measure.metric.is_zero_of_nothing() && threshold.holds(0);
    sql.push(if of_nothing {
        "x.id NOT IN (SELECT g.id FROM ("
    } else {
        "x.id IN (SELECT g.id FROM ("
    });
    write_measured(measure, place, sql);
    sql.push(") g WHERE ");
    if of_nothing {
        sql.push("NOT (");
    }
    sql.push("g.value IS NOT NULL");
    if let Some(least) = threshold.at_least {
        sql.push(" AND g.value >= ").bind(least);
    }
    if let Some(most) = threshold.at_most {
        sql.push(" AND g.value <= ").bind(most);
    }
    sql.push(if of_nothing { "))" } else { ")" });
}

/// Appends a query for the ids that a rank takes.
fn write_rank(rank: &Rank, place: Place, sql: &mut Sql) {
    sql.push("SELECT r.id FROM (");
    write_ranked(rank, place, sql);
    sql.push(") r WHERE ");
    match rank.take {
        Take::Count(count) => {
            sql.push("r.place <= ").bind(i64::from(count));
        }
        Take::PercentE4(percent) => {
            sql.push("(r.place - 1) * 1000000 < r.many * ")
                .bind(i64::from(percent));
        }
    }
}

/// Appends a query for everything that is ranked: `id`, `value`, its `place` from 1 on and how `many` there are.
fn write_ranked(rank: &Rank, place: Place, sql: &mut Sql) {
    sql.push("SELECT g.id, g.value, row_number() OVER (ORDER BY g.value ")
        .push(if rank.is_largest { "DESC" } else { "ASC" })
        .push(", g.id) AS place, COUNT(*) OVER () AS many FROM (");
    write_measured(&rank.measure, place, sql);
    sql.push(") g WHERE g.value IS NOT NULL");
}

/// Appends the condition on the click country of the latest action that is not declined.
fn write_country(op: &Op, place: Place, sql: &mut Sql) {
    // Who has no action has no country, and is not in the list of those that have one.
    let is_null = *op == Op::IsNull(true);
    sql.push(if is_null {
        "x.id NOT IN ("
    } else {
        "x.id IN ("
    });
    sql.push("SELECT w.id FROM (");
    write_latest(place, sql);
    sql.push(") w WHERE w.place = 1 AND ");
    let asked = if is_null { &Op::IsNull(false) } else { op };
    write_op("w.country", true, asked, sql);
    sql.push(")");
}

/// Appends a query for actions that are not declined: `id`, click `country`, and their `place`, 1 for the latest.
fn write_latest(place: Place, sql: &mut Sql) {
    let id = key(place.subject);
    sql.push(&format!(
        "SELECT {id} AS id, a.country, row_number() OVER (PARTITION BY {id} ORDER BY a.ordered_at_us DESC, a.id DESC) AS \
         place FROM "
    ));
    write_from(place.subject == Subject::Products, sql);
    sql.push(" WHERE a.publisher_id = ")
        .bind(place.publisher.0)
        .push(&format!(" AND {id} IS NOT NULL AND a.ordered_at_us < "))
        .bind(place.at.micros())
        .push(" AND ")
        .push(&is_counted("a"));
}

/// The column of facts that names a subject.
fn key(subject: Subject) -> &'static str {
    match subject {
        Subject::Users => "a.user_id",
        Subject::Products => "i.product_id",
    }
}

fn write_from(with_items: bool, sql: &mut Sql) {
    sql.push("actions a");
    if with_items {
        sql.push(" JOIN action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id");
    }
}

/// Appends a query for what is measured: `id` and `value`, of all that have a fact in the period.
fn write_measured(measure: &Measure, place: Place, sql: &mut Sql) {
    let of_items = place.subject == Subject::Products || measure.items.is_some();
    let id = key(place.subject);
    let span = measure.span(place.at, place.zone);
    sql.push(&format!("SELECT {id} AS id, "));
    write_value(measure.metric, of_items, place.at, sql);
    sql.push(" AS value FROM ");
    write_from(of_items, sql);
    sql.push(" WHERE a.publisher_id = ").bind(place.publisher.0);
    if span.from > Instant::MIN {
        sql.push(" AND a.ordered_at_us >= ")
            .bind(span.from.micros());
    }
    sql.push(" AND a.ordered_at_us < ")
        .bind(span.to.micros())
        .push(&format!(" AND {id} IS NOT NULL"));
    if measure.is_without_declined() {
        sql.push(" AND ").push(&is_counted("a"));
    }
    if let Some(currency) = measure.currency {
        sql.push(" AND a.currency = ").bind(currency.as_str());
    }
    if measure.actions != Filter::default() {
        sql.push(" AND ");
        write_filter(&measure.actions, "a", sql);
    }
    if let Some(items) = &measure.items {
        sql.push(" AND ");
        write_filter(items, "i", sql);
    }
    sql.push(&format!(" GROUP BY {id}"));
}

/// Appends what a metric is of the rows of a group.
fn write_value(metric: Metric, of_items: bool, at: Instant, sql: &mut Sql) {
    // An action can have several items.
    let number = |condition: StatusCondition| {
        let condition = condition("a");
        if of_items {
            format!("COUNT(DISTINCT CASE WHEN {condition} THEN i.action_id END)")
        } else {
            format!("COUNT(CASE WHEN {condition} THEN 1 END)")
        }
    };
    let sum = |of_action: &str, of_item: &str| {
        let what = if of_items { of_item } else { of_action };
        format!("CAST(COALESCE(SUM({what}), 0) AS bigint)")
    };
    let text = match metric {
        Metric::Actions if of_items => "COUNT(DISTINCT i.action_id)".to_owned(),
        Metric::Actions => "COUNT(*)".to_owned(),
        Metric::Units => sum("a.units", "i.units"),
        Metric::OrderAmount => sum("a.order_amount_e4", "i.amount_e4"),
        Metric::Reward => sum("a.reward_e4", "i.reward_e4"),
        Metric::ApprovedActions => number(is_approved),
        Metric::DeclinedActions => number(is_declined),
        Metric::ApprovalRate => format!(
            "{} * 1000000 / NULLIF({}, 0)",
            number(is_approved),
            number(is_processed)
        ),
        Metric::ActiveDays => format!("COUNT(DISTINCT a.ordered_at_us / {DAY_US})"),
        Metric::DaysSinceLast => format!("({} - MAX(a.ordered_at_us)) / {DAY_US}", at.micros()),
        Metric::DaysSinceFirst => format!("({} - MIN(a.ordered_at_us)) / {DAY_US}", at.micros()),
        Metric::Users => "COUNT(DISTINCT a.user_id)".to_owned(),
    };
    sql.push(&text);
}

/// Appends the condition that the row `x` is one of those listed.
fn write_members(members: &Members, place: Place, sql: &mut Sql) {
    let mut ids: BTreeSet<_> = members.ids.iter().copied().collect();
    if place.subject == Subject::Products {
        // A product's id follows from its natural key, whether it is known or not.
        ids.extend(members.names.iter().map(|name| {
            let source = crate::domain::action::SOURCE;
            derive(place.publisher, Kind::Product, &format!("{source}\0{name}"))
        }));
    }
    sql.push("(");
    write_listed(
        "x.id",
        ids.iter().map(|id| id.simple().to_string()),
        true,
        sql,
    );
    if place.subject == Subject::Users {
        sql.push(" OR ");
        write_listed("x.value", members.names.iter().cloned(), false, sql);
    }
    sql.push(")");
}

/// Appends the condition that a column is one of the values of a list, which is bound as one value, however long it is.
fn write_listed(column: &str, values: impl Iterator<Item = String>, are_ids: bool, sql: &mut Sql) {
    let values: Vec<String> = values.collect();
    if values.is_empty() {
        sql.push("FALSE");
        return;
    }
    let list = serde_json::Value::from(values).to_string();
    sql.push(column).push(" IN (SELECT ");
    if sql.backend() == DbBackend::Postgres {
        sql.push(if are_ids {
            "CAST(j.value AS uuid)"
        } else {
            "j.value"
        })
        .push(" FROM json_array_elements_text(CAST(")
        .bind(list)
        .push(" AS json)) AS j(value))");
    } else {
        sql.push(if are_ids { "unhex(j.value)" } else { "j.value" })
            .push(" FROM json_each(")
            .bind(list)
            .push(") j)");
    }
}

/// A query for what a condition measures of some members: `id`, and as `shown` the value, or as `place` the place in the
/// ranking. Nothing for conditions that measure nothing.
pub(in crate::store) fn write_actual(
    set: &SegmentSet,
    number: usize,
    ids: &[uuid::Uuid],
    sql: &mut Sql,
) -> Option<Actual> {
    let SetOf::Rule { rule, at, zone } = &set.of else {
        return None;
    };
    let place = Place::of(set, *at, *zone);
    match rule {
        Rule::Users(filter) => write_measures(filter.tests().nth(number)?, place, ids, sql),
        Rule::Products(filter) => write_measures(filter.tests().nth(number)?, place, ids, sql),
    }
}

/// What a query of [`write_actual`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Actual {
    /// The column `value`, a number.
    Value,
    /// The columns `value` and `place`, numbers.
    Place,
    /// The column `country`, a text or none.
    Country,
}

fn write_measures<T>(
    condition: &Condition<T>,
    place: Place,
    ids: &[uuid::Uuid],
    sql: &mut Sql,
) -> Option<Actual> {
    let actual = match condition {
        Condition::Own(_) | Condition::Members(_) => return None,
        Condition::ClickCountry(_) => {
            sql.push("SELECT q.id, q.country FROM (");
            write_latest(place, sql);
            sql.push(") q WHERE q.place = 1 AND q.id IN ");
            Actual::Country
        }
        Condition::Threshold(threshold) => {
            sql.push("SELECT q.id, q.value FROM (");
            write_measured(&threshold.measure, place, sql);
            sql.push(") q WHERE q.value IS NOT NULL AND q.id IN ");
            Actual::Value
        }
        Condition::Rank(rank) => {
            sql.push("SELECT q.id, q.value, q.place FROM (");
            write_ranked(rank, place, sql);
            sql.push(") q WHERE q.id IN ");
            Actual::Place
        }
    };
    sql.bind_all(ids.iter().copied());
    Some(actual)
}
