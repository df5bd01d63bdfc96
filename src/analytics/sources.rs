//! Which data answers a question about sales: a total that has all that is asked for, else the facts.

use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::sales::{AxisRange, DateAxis, FactQuery, SalesGroup, SalesQuery};
use crate::domain::scope::ReadScope;
use crate::domain::totals::{Source, Total};
use crate::store::ReadTx;
use crate::store::columns::sales::{can_rank, sum_up};
use crate::store::columns::segments as columns;
use crate::store::sales::Actions;

/// The source of sums of actions in a range; all time without one.
#[must_use]
pub fn of_actions(
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Source {
    let totals = left(scope, &[Total::Time, Total::Channel, Total::Audience]);
    match range {
        Some(range) => of(range, &totals, filter),
        None => Source::of_all_time(&totals, filter),
    }
}

/// The totals that answer for the rows that are seen.
fn left(scope: ReadScope, totals: &[Total]) -> Vec<Total> {
    let narrowing = scope.narrowing();
    let left = totals.iter().filter(|total| narrowing.leaves(**total));
    left.copied().collect()
}

/// The source of sums of counted facts by a group.
#[must_use]
pub fn of_group(scope: ReadScope, facts: &FactQuery, group: SalesGroup) -> Source {
    let totals: &[Total] = match group {
        SalesGroup::Product => &[Total::Product],
        SalesGroup::CategoryLevel1 | SalesGroup::CategoryLevel2 | SalesGroup::CategoryOwn => {
            &[Total::Category]
        }
        SalesGroup::User => &[],
    };
    of(&facts.range, &left(scope, totals), &facts.filter)
}

/// Whether lifetimes of products and users answer what counted and when it began: by the order, everything but declined
/// actions, no filter, all rows.
#[must_use]
pub fn lifetimes_answer(scope: ReadScope, facts: &FactQuery) -> bool {
    !scope.narrowing().is_some()
        && facts.range.axis == DateAxis::Ordered
        && facts.without_declined
        && facts.filter == Filter::default()
}

/// Whether columns in memory answer for counted facts in this transaction: a statement at most, once in a transaction.
///
/// # Errors
/// When the database fails.
pub async fn columns_answer(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<bool> {
    columns::are_there(tx, scope, facts).await
}

/// Whether columns in memory sum up the actions of a list, which no total has, likewise; of all time without a range.
///
/// # Errors
/// When the database fails.
pub async fn columns_sum_up(
    tx: &ReadTx,
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Result<bool> {
    let actions = Actions {
        range,
        filter,
        without_declined: false,
        source: &of_actions(scope, range, filter),
    };
    sum_up(tx, scope, &actions).await
}

/// Whether columns in memory give this page of a ranking, likewise.
///
/// # Errors
/// When the database fails.
pub async fn columns_rank(tx: &ReadTx, scope: ReadScope, query: &SalesQuery) -> Result<bool> {
    Ok(can_rank(&query.facts, query.group, &query.page)
        && columns::are_there(tx, scope, &query.facts).await?)
}

fn of(range: &AxisRange, totals: &[Total], filter: &Filter<ActionTest>) -> Source {
    // Totals stand on the order's instant.
    if range.axis == DateAxis::Ordered {
        Source::first_of(totals, filter, range.span)
    } else {
        Source::Facts
    }
}
