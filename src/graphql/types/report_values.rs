//! The metrics of a group of a report, a field for each.

use async_graphql::{Object, SimpleObject};

use super::metric::metric_of;
use super::sales::{Amount, Money, amounts};
use crate::domain::money::Currency;
use crate::domain::report::metric::{Metric, MetricValue, Quantiles, Values};
use crate::graphql::error::Result;
use crate::graphql::scalar::{CurrencyCode, count};
use crate::graphql::written::{Plain, Slot, Slow, Written};

/// A ratio in one currency.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct CurrencyRatio {
    /// The currency.
    currency: CurrencyCode,
    /// The ratio, to six decimals; null where its base is 0.
    ratio: Option<f64>,
}

impl CurrencyRatio {
    fn new((currency, ratio): &(Currency, Option<f64>)) -> Self {
        Self {
            currency: CurrencyCode(*currency),
            ratio: *ratio,
        }
    }
}

impl Plain for CurrencyRatio {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "currency" => field.scalar(&self.currency),
            "ratio" => field.maybe(self.ratio, Slot::float),
            _ => Err(Slow),
        }
    }
}

/// How long something took, over many actions: percentiles by nearest rank.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct Lag {
    /// Median, in seconds.
    median: i32,
    /// 90th percentile, in seconds: nine in ten took at most this long.
    p90: i32,
}

impl Lag {
    fn new(lag: Quantiles) -> Result<Self> {
        Ok(Self {
            median: count(lag.median)?,
            p90: count(lag.p90)?,
        })
    }
}

impl Plain for Lag {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "median" => field.int(self.median),
            "p90" => field.int(self.p90),
            _ => Err(Slow),
        }
    }
}

/// The metrics of a group.
#[derive(Clone, Debug)]
pub struct ReportValues(pub Values);

impl ReportValues {
    fn count(&self, metric: Metric) -> Option<Result<i32>> {
        match self.0.get(metric)? {
            MetricValue::Count(number) => Some(count(*number)),
            _ => None,
        }
    }

    fn money(&self, metric: Metric) -> Option<Vec<Money>> {
        match self.0.get(metric)? {
            MetricValue::Money(money) => Some(amounts(money.clone())),
            _ => None,
        }
    }

    fn ratio(&self, metric: Metric) -> Option<f64> {
        match self.0.get(metric)? {
            MetricValue::Ratio(ratio) => *ratio,
            _ => None,
        }
    }

    fn ratios(&self, metric: Metric) -> Option<Vec<CurrencyRatio>> {
        let MetricValue::Ratios(ratios) = self.0.get(metric)? else {
            return None;
        };
        Some(ratios.iter().map(CurrencyRatio::new).collect())
    }

    fn lag(&self, metric: Metric) -> Option<Result<Lag>> {
        match self.0.get(metric)? {
            MetricValue::Quantiles(lag) => lag.map(Lag::new),
            _ => None,
        }
    }
}

/// The metrics of a group, to be written as [`ReportValues`].
#[derive(Clone, Copy)]
pub struct PlainValues<'a>(pub &'a Values);

impl PlainValues<'_> {
    /// Writes them.
    ///
    /// # Errors
    /// Where one of them does not fit.
    pub fn write(self, field: Slot<'_, '_>) -> Written {
        field.object_of::<ReportValues>(|metric| self.metric(metric))
    }

    fn metric(self, field: Slot<'_, '_>) -> Written {
        let metric = metric_of(field.name()).ok_or(Slow)?;
        match self.0.get(metric) {
            None | Some(MetricValue::Quantiles(None) | MetricValue::Unknown) => field.null(),
            Some(MetricValue::Count(number)) => field.int(count(*number).map_err(|_| Slow)?),
            Some(MetricValue::Money(money)) => {
                field.list(money.iter().map(|money| Amount::from(*money)))
            }
            Some(MetricValue::Ratio(ratio)) => field.maybe(*ratio, Slot::float),
            Some(MetricValue::Ratios(ratios)) => field.list(ratios.iter().map(CurrencyRatio::new)),
            Some(MetricValue::Quantiles(Some(lag))) => {
                field.object(&Lag::new(*lag).map_err(|_| Slow)?)
            }
        }
    }
}

impl Plain for ReportValues {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        PlainValues(&self.0).metric(field)
    }
}

/// The metrics of a group of actions; what is not selected is not computed. In `running` a metric that does not add up is
/// null, in `others` one that follows from no sums. Amounts are one per currency in the order of the codes; in reports with
/// a `currency` they are in it, but for what has no rate (see `info.missingRates`). The formulas are in
/// `metricDefinitions`.
#[Object]
impl ReportValues {
    /// Number of actions of any status, declined ones included; by product or category those with an item of it.
    async fn actions(&self) -> Option<Result<i32>> {
        self.count(Metric::Actions)
    }

    /// Number of actions on hold, or of unknown status.
    async fn pending_actions(&self) -> Option<Result<i32>> {
        self.count(Metric::PendingActions)
    }

    /// Number of approved actions, stalled ones included.
    async fn approved_actions(&self) -> Option<Result<i32>> {
        self.count(Metric::ApprovedActions)
    }

    /// Number of declined actions.
    async fn declined_actions(&self) -> Option<Result<i32>> {
        self.count(Metric::DeclinedActions)
    }

    /// Number of distinct users; actions without one are not counted.
    async fn users(&self) -> Option<Result<i32>> {
        self.count(Metric::Users)
    }

    /// Units in the carts.
    async fn units(&self) -> Option<Result<i32>> {
        self.count(Metric::Units)
    }

    /// Order amounts; by product or category those of the items.
    async fn order_amount(&self) -> Option<Vec<Money>> {
        self.money(Metric::OrderAmount)
    }

    /// Order amounts of actions on hold, or of unknown status.
    async fn pending_order_amount(&self) -> Option<Vec<Money>> {
        self.money(Metric::PendingOrderAmount)
    }

    /// Order amounts of approved actions, stalled ones included.
    async fn approved_order_amount(&self) -> Option<Vec<Money>> {
        self.money(Metric::ApprovedOrderAmount)
    }

    /// Order amounts of declined actions.
    async fn declined_order_amount(&self) -> Option<Vec<Money>> {
        self.money(Metric::DeclinedOrderAmount)
    }

    /// Rewards of any status; by product or category those of the items.
    async fn reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::Reward)
    }

    /// Rewards of actions on hold, or of unknown status.
    async fn pending_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::PendingReward)
    }

    /// Rewards of approved actions, stalled ones included.
    async fn approved_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::ApprovedReward)
    }

    /// Rewards of declined actions.
    async fn declined_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::DeclinedReward)
    }

    /// Rewards that are released to the publisher; not by product or category.
    async fn paid_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::PaidReward)
    }

    /// Approved rewards, and of those on hold the part that was approved before: in the actions of the same filter over
    /// the 360 days that end 30 days before now.
    async fn expected_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::ExpectedReward)
    }

    /// Share of the processed actions that were approved, from 0 to 1; null where none was processed.
    async fn approval_rate(&self) -> Option<f64> {
        self.ratio(Metric::ApprovalRate)
    }

    /// Share of the processed actions that were declined, from 0 to 1; null where none was processed.
    async fn decline_rate(&self) -> Option<f64> {
        self.ratio(Metric::DeclineRate)
    }

    /// Order amount per action that has one; not by product or category.
    async fn average_order_amount(&self) -> Option<Vec<Money>> {
        self.money(Metric::AverageOrderAmount)
    }

    /// Reward per action; not by product or category.
    async fn average_reward(&self) -> Option<Vec<Money>> {
        self.money(Metric::AverageReward)
    }

    /// Reward as a share of the order amount, per currency.
    async fn effective_rate(&self) -> Option<Vec<CurrencyRatio>> {
        self.ratios(Metric::EffectiveRate)
    }

    /// Share of the actions with at least one cart item that names a product, from 0 to 1; null without actions. Not by
    /// product or category.
    async fn cart_coverage(&self) -> Option<f64> {
        self.ratio(Metric::CartCoverage)
    }

    /// Time from click to order of the actions that tell both; null where none does. Not by product or category.
    async fn conversion_lag(&self) -> Option<Result<Lag>> {
        self.lag(Metric::ConversionLag)
    }

    /// Time from order to the last change of status, of processed actions; null where there is none. Not by product or
    /// category.
    async fn validation_lag(&self) -> Option<Result<Lag>> {
        self.lag(Metric::ValidationLag)
    }

    /// Number of clicks, as upstream counts them by day, program, ad space and one SubID at a time: of the days whose noon
    /// on the account's clock lies in the stretch of time. A report of clicks is divided and filtered by no more than
    /// these, and its groups are also those in which nobody ordered. Days whose clicks are not known bring none, nor do
    /// programs whose clicks the network refuses; the ratios of clicks and views are null where there is such a day or
    /// program, and the warning CLICKS_INCOMPLETE says which days are known.
    async fn clicks(&self) -> Option<Result<i32>> {
        self.count(Metric::Clicks)
    }

    /// Number of views, likewise; upstream does not count them by SubID.
    async fn views(&self) -> Option<Result<i32>> {
        self.count(Metric::Views)
    }

    /// Click-through rate: clicks as a share of views; null without views, and where clicks of a day of the stretch of time
    /// are not known.
    async fn ctr(&self) -> Option<f64> {
        self.ratio(Metric::Ctr)
    }

    /// Conversion rate: actions of any status, declined ones included, per click; null without clicks, and where clicks of a
    /// day of the stretch of time are not known: a rate of all actions by some of the clicks would be too high.
    async fn cr(&self) -> Option<f64> {
        self.ratio(Metric::Cr)
    }

    /// Rewards on hold and approved per click, declined ones excluded; empty without clicks, null where clicks of a day of the
    /// stretch of time are not known.
    async fn ecpc(&self) -> Option<Vec<Money>> {
        self.money(Metric::Ecpc)
    }

    /// Rewards on hold and approved per hundred clicks, declined ones excluded; empty without clicks, null where clicks of a
    /// day of the stretch of time are not known.
    async fn epc(&self) -> Option<Vec<Money>> {
        self.money(Metric::Epc)
    }

    /// Rewards on hold and approved per thousand views, declined ones excluded; empty without views, null where views of a day
    /// of the stretch of time are not known.
    async fn ecpm(&self) -> Option<Vec<Money>> {
        self.money(Metric::Ecpm)
    }
}
