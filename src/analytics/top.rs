//! Top sellers: ranked groups, their sums in any span, and the totals that shares are of.

use super::sources;
use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::page::Page;
use crate::domain::sales::{
    AxisRange, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use crate::store::ReadTx;
use crate::store::columns::sales as columns;
use crate::store::sales::{self, Actions, Groups};
use std::collections::HashMap;
use uuid::Uuid;

pub use crate::store::sales::products_in;

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
        source: &source,
    };
    sales::ranked(tx, scope, groups, query.by, &query.page).await
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
    let source = &sources::of_group(scope, facts, group);
    let groups = Groups {
        facts,
        group,
        source,
    };
    sales::group_count(tx, scope, groups, by).await
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
        source,
    };
    sales::sums_of(tx, scope, groups, keys).await
}

/// Totals of counted facts: one statement.
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
    sales::totals(tx, scope, &actions).await
}

/// Totals of exactly the actions of a list, of all time without a range: one statement.
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
    sales::totals(tx, scope, &actions).await
}
