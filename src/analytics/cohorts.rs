//! Cohorts: users by the period of their first counted action against the periods since.

use super::sources::lifetimes_answer;
use crate::domain::error::Result;
use crate::domain::report::Bucket;
use crate::domain::report::buckets::divide;
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use crate::domain::segment::{Cohort, cohorts};
use crate::domain::time::{Span, WeekStart};
use crate::store::ReadTx;
use crate::store::cohorts::{First, cohort_rows};
use crate::store::columns::cohorts as columns;

/// The cohorts of the periods of a range, the first and the last of which are cut to it: one statement, unless columns in
/// memory answer.
///
/// # Errors
/// When there are more periods than the limits allow, or the database fails.
pub async fn user_cohorts(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    (bucket, week_start): (Bucket, WeekStart),
) -> Result<Vec<Cohort>> {
    let most = tx.limits().cohort_periods;
    let periods = periods(facts, (bucket, week_start), most)?;
    let rows = match columns::cohort_rows(tx, scope, facts, &periods).await? {
        Some(rows) => rows,
        None => {
            let first = if lifetimes_answer(scope, facts) {
                First::Lifetimes
            } else {
                First::Facts
            };
            cohort_rows(tx, scope, facts, &periods, first).await?
        }
    };
    Ok(cohorts(&periods, rows))
}

fn periods(
    facts: &FactQuery,
    (bucket, week_start): (Bucket, WeekStart),
    most: usize,
) -> Result<Vec<Span>> {
    let calendar = (facts.range.zone, week_start);
    divide(facts.range.span, bucket, calendar, ("cohortPeriods", most))
}
