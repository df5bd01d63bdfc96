//! Cohorts: users by the period of their first counted action against the periods since.

use crate::domain::money::{Currency, Money};
use crate::domain::report::measured::round;
use crate::domain::sales::Sums;
use crate::domain::time::Span;
use std::collections::HashMap;

/// The most periods that a range may be divided into.
pub const MAX_PERIODS: usize = 120;

/// What the users of one cohort did in one period, both by their places among the periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortRow {
    /// The period of their first action.
    pub cohort: usize,
    /// The period looked at.
    pub period: usize,
    /// Users with a counted action in it.
    pub users: i64,
    /// Sums of their counted actions in it.
    pub sums: Sums,
}

/// A cohort: the users whose first counted action ever lies in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// The period.
    pub span: Span,
    /// How many users.
    pub size: i64,
    /// What they did in each period from that one on.
    pub periods: Vec<CohortPeriod>,
}

/// What the users of a cohort did in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortPeriod {
    /// The period.
    pub span: Span,
    /// Its number since the cohort's own, which is 0.
    pub age: usize,
    /// The size of the cohort.
    pub size: i64,
    /// Users with a counted action in it.
    pub users: i64,
    /// Sums of their counted actions in it.
    pub sums: Sums,
    /// Sums from the cohort's own period up to and with this one.
    pub cumulative: Sums,
}

impl CohortPeriod {
    /// What each user of the cohort has brought so far, one entry per currency in code order: the cumulative rewards
    /// divided by the size, half to even.
    #[must_use]
    pub fn cumulative_reward_per_user(&self) -> Vec<Money> {
        let size = i128::from(self.size);
        let each = |currency: Currency, e4: i64| Money {
            e4: round(i128::from(e4), size),
            currency,
        };
        let sums = self.cumulative.money.iter();
        sums.map(|sums| each(sums.currency, sums.reward_e4))
            .collect()
    }
}

/// The cohorts of periods in their order, from what was found of them. Periods in which nothing was done are there, with
/// zeros.
#[must_use]
pub fn cohorts(periods: &[Span], rows: Vec<CohortRow>) -> Vec<Cohort> {
    let mut found: HashMap<(usize, usize), CohortRow> = rows
        .into_iter()
        .map(|row| ((row.cohort, row.period), row))
        .collect();
    let mut list = Vec::with_capacity(periods.len());
    for (cohort, span) in periods.iter().enumerate() {
        // Whoever is in the cohort did something in its own period.
        let size = found.get(&(cohort, cohort)).map_or(0, |row| row.users);
        let mut cumulative = Sums::default();
        let since = periods.iter().enumerate().skip(cohort);
        let since = since.map(|(period, span)| {
            let row = found.remove(&(cohort, period));
            let (users, sums) = row.map_or((0, Sums::default()), |row| (row.users, row.sums));
            cumulative.add(&sums);
            CohortPeriod {
                span: *span,
                age: period - cohort,
                size,
                users,
                sums,
                cumulative: cumulative.clone(),
            }
        });
        list.push(Cohort {
            span: *span,
            size,
            periods: since.collect(),
        });
    }
    list
}
