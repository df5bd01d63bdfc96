//! Cohorts: users by the period of their first counted action against the periods since.

use super::sources::lifetimes_answer;
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::report::Bucket;
use crate::domain::report::buckets::divide;
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use crate::domain::segment::{Cohort, MAX_PERIODS, cohorts};
use crate::domain::time::{Span, WeekStart};
use crate::store::ReadTx;
use crate::store::cohorts::{First, cohort_rows};
use crate::store::columns::cohorts as columns;

/// The cohorts of the periods of a range, the first and the last of which are cut to it: one statement, unless columns in
/// memory answer.
///
/// # Errors
/// When there are more than [`MAX_PERIODS`] periods, or the database fails.
pub async fn user_cohorts(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    (bucket, week_start): (Bucket, WeekStart),
) -> Result<Vec<Cohort>> {
    let periods = periods(facts, bucket, week_start)?;
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

fn periods(facts: &FactQuery, bucket: Bucket, week_start: WeekStart) -> Result<Vec<Span>> {
    let periods = divide(facts.range.span, bucket, facts.range.zone, week_start)?;
    if periods.len() > MAX_PERIODS {
        let message = format!(
            "the range has {} periods of a {}, the limit is {MAX_PERIODS}: ask for longer ones or a shorter range",
            periods.len(),
            bucket.as_str()
        );
        let passed = PassedLimit::of("cohortPeriods", MAX_PERIODS, periods.len());
        return Err(Error::limit("bucket", passed, message));
    }
    Ok(periods)
}
