//! Cohorts: users by the period of their first counted action against the periods since.

use std::sync::Arc;

use async_graphql::Object;

use super::info::{AggregateInfo, segments_source};
use super::report_info::TimeSpan;
use super::sales::{Money, amounts};
use super::words::CohortBucket;
use crate::analytics::cohorts::user_cohorts;
use crate::domain::money;
use crate::domain::sales::{FactQuery, ratio};
use crate::domain::segment;
use crate::domain::time::WeekStart;
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::input::reader::filter;
use crate::graphql::scalar::{CurrencyCode, count};

/// The cohorts of a range.
pub struct UserCohorts {
    list: Vec<UserCohort>,
    info: AggregateInfo,
}

/// The users whose first counted action ever lies in one period of a range.
#[derive(Clone)]
pub struct UserCohort {
    cohort: segment::Cohort,
    only: Option<CurrencyCode>,
}

/// What the users of a cohort did in one period.
pub struct UserCohortPeriod {
    period: segment::CohortPeriod,
    only: Option<CurrencyCode>,
}

/// The cohorts of a range: users by the period of their first counted action ever, and what they did since.
#[Object]
impl UserCohorts {
    /// The cohorts, one for each period of the range, the first period first.
    async fn cohorts(&self) -> Vec<UserCohort> {
        self.list.clone()
    }

    /// How fresh and how complete these numbers are.
    async fn info(&self) -> AggregateInfo {
        self.info.clone()
    }
}

/// The users whose first counted action ever lies in one period of a range.
#[Object]
impl UserCohort {
    /// The period. The first and the last one are cut to the range.
    async fn period(&self) -> TimeSpan {
        self.cohort.span.into()
    }

    /// Number of users.
    async fn size(&self) -> Result<i32> {
        count(self.cohort.size)
    }

    /// What they did in each period, from that of their first action to the last of the range.
    async fn periods(&self) -> Vec<UserCohortPeriod> {
        let since = self.cohort.periods.iter();
        since
            .map(|period| UserCohortPeriod {
                period: period.clone(),
                only: self.only,
            })
            .collect()
    }
}

/// What the users of a cohort did in one period.
#[Object]
impl UserCohortPeriod {
    /// Number of the period since that of the first action, which is 0.
    async fn age(&self) -> Result<i32> {
        count(i64::try_from(self.period.age).unwrap_or(i64::MAX))
    }

    /// The period.
    async fn period(&self) -> TimeSpan {
        self.period.span.into()
    }

    /// Number of users of the cohort with a counted action in the period.
    async fn users(&self) -> Result<i32> {
        count(self.period.users)
    }

    /// The same divided by the size of the cohort, from 0 to 1; null for a cohort of nobody.
    async fn share(&self) -> Option<f64> {
        ratio(self.period.users, self.period.size)
    }

    /// Number of their counted actions in the period.
    async fn actions(&self) -> Result<i32> {
        count(self.period.sums.actions)
    }

    /// Units that they bought in the period.
    async fn units(&self) -> Result<i32> {
        count(self.period.sums.units)
    }

    /// Order amounts in the period, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        self.amounts(self.period.sums.order_amounts())
    }

    /// Rewards in the period, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        self.amounts(self.period.sums.rewards())
    }

    /// Number of their counted actions from the first period up to and with this one.
    async fn cumulative_actions(&self) -> Result<i32> {
        count(self.period.cumulative.actions)
    }

    /// Rewards from the first period up to and with this one, one per currency in the order of the codes.
    async fn cumulative_reward(&self) -> Vec<Money> {
        self.amounts(self.period.cumulative.rewards())
    }

    /// What each user of the cohort has brought so far: the cumulative rewards divided by the size of the cohort, to
    /// four decimals, half to even; one per currency in the order of the codes.
    async fn cumulative_reward_per_user(&self) -> Vec<Money> {
        self.amounts(self.period.cumulative_reward_per_user())
    }
}

impl UserCohortPeriod {
    fn amounts(&self, all: Vec<money::Money>) -> Vec<Money> {
        let wanted = |money: &money::Money| self.only.is_none_or(|only| only.0 == money.currency);
        amounts(all.into_iter().filter(wanted).collect())
    }
}

/// What a caller asks of cohorts.
pub struct CohortArgs {
    /// When.
    pub range: RangeInput,
    /// How the range is meant.
    pub how: RangeArgs,
    /// The length of the periods.
    pub bucket: CohortBucket,
    /// The only currency to show; all without.
    pub currency: Option<CurrencyCode>,
    /// Which actions.
    pub filter: Option<ActionFilter>,
}

impl CohortArgs {
    /// The cohorts.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn cohorts(&self, request: &Arc<RequestContext>) -> Result<UserCohorts> {
        let ranged = self.how.ranged(self.range, request)?;
        let filter = filter("filter", self.filter.as_ref(), request).await?;
        let facts = FactQuery::counted(ranged.range, filter);
        let week_start = self
            .how
            .week_start
            .map_or_else(WeekStart::default, Into::into);
        let cut = (self.bucket.into(), week_start);
        let found = user_cohorts(&request.tx, request.scope, &facts, cut).await?;
        let only = self.currency;
        let list = found.into_iter().map(|cohort| UserCohort { cohort, only });
        let source = segments_source(request, &facts).await?;
        Ok(UserCohorts {
            list: list.collect(),
            info: AggregateInfo::new(request, facts, source),
        })
    }
}
