//! Questions that are more than a list: ranked sales, segments, and how complete the facts behind an answer are.
//!
//! Which data answers a question, and what is made of it, is decided here; the statements are `store`'s, what makes
//! a member of a segment is `domain`'s.

pub mod built_in;
mod catalog;
pub mod cohorts;
pub mod members;
pub mod movement;
pub mod report;
pub mod segments;
pub mod sources;
pub mod top;
pub mod traffic;

use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::sales::{AxisRange, FactQuery, ratio};
use crate::domain::scope::ReadScope;
use crate::store::ReadTx;
use crate::store::columns::sales as columns;
use crate::store::sales::{Actions, completeness};

/// How complete the facts behind an answer are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FactsInfo {
    /// Share of the facts that are on hold or of unknown status; none without facts.
    pub unprocessed_share: Option<f64>,
    /// Share of the facts with at least one cart item that names a product; none without facts.
    pub cart_coverage: Option<f64>,
    /// How many facts there are.
    pub actions: i64,
}

/// How complete counted facts are: one statement, none where columns in memory answer.
///
/// # Errors
/// When the database fails.
pub async fn facts_info(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<FactsInfo> {
    info(
        tx,
        scope,
        (Some(&facts.range), &facts.filter),
        facts.without_declined,
    )
    .await
}

/// How complete the actions of a list are: likewise.
///
/// # Errors
/// When the database fails.
pub async fn list_info(
    tx: &ReadTx,
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Result<FactsInfo> {
    info(tx, scope, (range, filter), false).await
}

async fn info(
    tx: &ReadTx,
    scope: ReadScope,
    (range, filter): (Option<&AxisRange>, &Filter<ActionTest>),
    without_declined: bool,
) -> Result<FactsInfo> {
    let source = sources::of_actions(scope, range, filter);
    let actions = Actions {
        range,
        filter,
        without_declined,
        source: &source,
    };
    let facts = match columns::actions(tx, scope, &actions).await? {
        Some((_, facts)) => facts,
        None => completeness(tx, scope, &actions).await?,
    };
    Ok(FactsInfo {
        unprocessed_share: ratio(facts.unprocessed, facts.actions),
        cart_coverage: ratio(facts.with_cart, facts.actions),
        actions: facts.actions,
    })
}
