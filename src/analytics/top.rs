//! Top sellers: ranked groups, their sums in any span, and the totals that shares are of.

use super::catalog::{Question, why_facts};
use super::report::fact_limit::FactLimit;
use super::sources;
use crate::domain::error::Result;
use crate::domain::filter::{ActionField, ActionTest, Filter, Op, UserField, UserTest};
use crate::domain::page::Page;
use crate::domain::report::{Dimension, ReportLimits};
use crate::domain::sales::{
    AxisRange, DateAxis, FactQuery, SalesGroup, SalesQuery, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use crate::domain::time::{Instant, Span, Zone};
use crate::domain::totals::Source;
use crate::store::ReadTx;
use crate::store::columns::sales as columns;
use crate::store::sales::{self, Actions, Groups};
use std::collections::HashMap;
use uuid::Uuid;

pub use crate::store::sales::products_in;

/// What reads the facts of top sellers.
pub const RANKING: &str = "the ranking";

/// What to do about a ranking that would read too many facts.
pub const REMEDY: &str = "ask for a shorter range, or leave that out";
/// Likewise of what is asked for without a range.
const REMEDY_OF_ALL_TIME: &str = "give a range, or leave that out";

/// Refuses to rank or sum up groups of which no total has so many facts that reading them one by one is too much: up to two
/// statements, none where a total has all but the ends of the range.
///
/// # Errors
/// When there are too many, or the database fails.
pub async fn check_groups(
    tx: &ReadTx,
    scope: ReadScope,
    (facts, group): (&FactQuery, SalesGroup),
    limits: ReportLimits,
) -> Result<()> {
    let dimension = match group {
        SalesGroup::Product => Some(Dimension::Product),
        SalesGroup::CategoryLevel1 => Some(Dimension::CategoryLevel1),
        SalesGroup::CategoryLevel2 => Some(Dimension::CategoryLevel2),
        SalesGroup::CategoryOwn => Some(Dimension::CategoryOwn),
        SalesGroup::User => None,
    };
    let source = sources::of_group(scope, facts, group);
    let dimensions: Vec<Dimension> = dimension.into_iter().collect();
    let why = why(scope, (facts.range.axis, &facts.filter), &dimensions);
    let limit = limit(tx, scope, limits);
    limit.check(facts.range, &source, &why, REMEDY).await
}

/// Likewise of totals of actions and of how complete they are. Columns in memory go through all actions within milliseconds,
/// and a filter that names actions or their users reads no others.
///
/// # Errors
/// When there are too many, or the database fails.
pub async fn check_totals(
    tx: &ReadTx,
    scope: ReadScope,
    asked: (Option<&AxisRange>, &Filter<ActionTest>),
    limits: ReportLimits,
    told: (&'static str, &str),
) -> Result<()> {
    let (range, filter) = asked;
    if names_actions(filter) || sources::columns_sum_up(tx, scope, range, filter).await? {
        return Ok(());
    }
    check_actions(tx, scope, asked, limits, told).await
}

/// Likewise of sums of actions that the database reads, of all time without a range, for what reads them, as in "the
/// ranking"; the remedy of a range is told.
///
/// # Errors
/// When there are too many, or the database fails.
pub async fn check_actions(
    tx: &ReadTx,
    scope: ReadScope,
    (range, filter): (Option<&AxisRange>, &Filter<ActionTest>),
    limits: ReportLimits,
    (reader, remedy): (&'static str, &str),
) -> Result<()> {
    let source = sources::of_actions(scope, range, filter);
    let (range, remedy) = match range {
        Some(range) => (*range, remedy),
        None => (all_time(), REMEDY_OF_ALL_TIME),
    };
    let why = why(scope, (range.axis, filter), &[]);
    let limit = FactLimit {
        reader,
        ..limit(tx, scope, limits)
    };
    limit.check(range, &source, &why, remedy).await
}

/// All orders that there can be.
fn all_time() -> AxisRange {
    AxisRange {
        axis: DateAxis::Ordered,
        span: Span {
            from: Instant::MIN,
            to: Instant::MAX,
        },
        zone: Zone::UTC,
    }
}

/// Whether a filter lets nothing through but actions that it names, or whose users it names, in a way that an index finds.
fn names_actions(filter: &Filter<ActionTest>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(names_actions),
        Filter::Test(ActionTest::Field(field, Op::Eq(_) | Op::In(_))) => {
            matches!(field, ActionField::Id | ActionField::OrderId)
        }
        Filter::Test(ActionTest::User(user)) => names_users(user),
        _ => false,
    }
}

/// Whether a filter lets no users through but those that it names by their ids.
fn names_users(filter: &Filter<UserTest>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(names_users),
        Filter::Test(UserTest::Field(UserField::Id, Op::Eq(_) | Op::In(_))) => true,
        _ => false,
    }
}

/// Likewise of the products within groups, which no total has; not again where the groups themselves are read from the
/// facts.
///
/// # Errors
/// When there are too many, or the database fails.
pub async fn check_products_in(
    tx: &ReadTx,
    scope: ReadScope,
    (facts, group): (&FactQuery, SalesGroup),
    limits: ReportLimits,
) -> Result<()> {
    if sources::of_group(scope, facts, group) == Source::Facts {
        return Ok(());
    }
    let why = "no total is kept by category and product together";
    limit(tx, scope, limits)
        .check(facts.range, &Source::Facts, why, REMEDY)
        .await
}

fn limit(tx: &ReadTx, scope: ReadScope, limits: ReportLimits) -> FactLimit<'_> {
    FactLimit {
        tx,
        scope,
        limits,
        reader: RANKING,
    }
}

/// Why no total has what is counted by some dimensions, on an axis and by a filter.
fn why(
    scope: ReadScope,
    (axis, filter): (DateAxis, &Filter<ActionTest>),
    dimensions: &[Dimension],
) -> String {
    why_facts(&Question {
        axis,
        dimensions,
        filter,
        narrowing: scope.narrowing(),
        measures: &[],
    })
}

/// One page of ranked groups with their sums: one statement, none where columns in memory answer.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn ranked(tx: &ReadTx, scope: ReadScope, query: &SalesQuery) -> Result<Page<SalesRow>> {
    if let Some(page) = columns::ranked(tx, scope, query).await? {
        return Ok(page);
    }
    let source = sources::of_group(scope, &query.facts, query.group);
    let groups = Groups {
        facts: &query.facts,
        group: query.group,
        products: Some(&query.products),
        source: &source,
    };
    sales::ranked(tx, scope, groups, query.by, &query.page).await
}

/// How many groups a ranking has, whatever its page: one statement.
///
/// # Errors
/// When the database fails.
pub async fn group_count(tx: &ReadTx, scope: ReadScope, query: &SalesQuery) -> Result<i64> {
    let source = sources::of_group(scope, &query.facts, query.group);
    let groups = Groups {
        facts: &query.facts,
        group: query.group,
        products: Some(&query.products),
        source: &source,
    };
    sales::group_count(tx, scope, groups, query.by).await
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
    let source = &sources::of_group(scope, facts, group);
    let groups = Groups {
        facts,
        group,
        products: None,
        source,
    };
    sales::sums_of(tx, scope, groups, keys).await
}

/// Totals of counted facts: one statement, none where columns in memory answer.
///
/// # Errors
/// When the database fails.
pub async fn totals(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<Totals> {
    let actions = Actions {
        range: Some(&facts.range),
        filter: &facts.filter,
        without_declined: facts.without_declined,
        source: &sources::of_actions(scope, Some(&facts.range), &facts.filter),
    };
    totals_of(tx, scope, &actions).await
}

/// Totals of exactly the actions of a list, of all time without a range: one statement, none where columns in memory
/// answer.
///
/// # Errors
/// When the database fails.
pub async fn totals_of_list(
    tx: &ReadTx,
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Result<Totals> {
    let actions = Actions {
        range,
        filter,
        without_declined: false,
        source: &sources::of_actions(scope, range, filter),
    };
    totals_of(tx, scope, &actions).await
}

async fn totals_of(tx: &ReadTx, scope: ReadScope, actions: &Actions<'_>) -> Result<Totals> {
    if let Some((totals, _)) = columns::actions(tx, scope, actions).await? {
        return Ok(totals);
    }
    sales::totals(tx, scope, actions).await
}
