//! Metrics: what a report can answer about a group, each with its formula, from one table.
//!
//! A metric is computed from [`Measured`] sums, which databases add up exactly; ratios are computed from sums and never
//! averaged. `metricDefinitions` of the API is this table.

use crate::domain::action::words;
use crate::domain::money::{Currency, Money};

words! {
    /// A metric. The names are those of the API's fields in capitals.
    Metric {
        /// Actions.
        Actions = "ACTIONS",
        /// Those on hold, or of unknown status.
        PendingActions = "PENDING_ACTIONS",
        /// Those approved, stalled ones included.
        ApprovedActions = "APPROVED_ACTIONS",
        /// Those declined.
        DeclinedActions = "DECLINED_ACTIONS",
        /// Distinct users.
        Users = "USERS",
        /// Units in the carts.
        Units = "UNITS",
        /// Order amounts.
        OrderAmount = "ORDER_AMOUNT",
        /// Of those on hold.
        PendingOrderAmount = "PENDING_ORDER_AMOUNT",
        /// Of those approved.
        ApprovedOrderAmount = "APPROVED_ORDER_AMOUNT",
        /// Of those declined.
        DeclinedOrderAmount = "DECLINED_ORDER_AMOUNT",
        /// Rewards.
        Reward = "REWARD",
        /// Of those on hold.
        PendingReward = "PENDING_REWARD",
        /// Of those approved.
        ApprovedReward = "APPROVED_REWARD",
        /// Of those declined.
        DeclinedReward = "DECLINED_REWARD",
        /// Released to the publisher.
        PaidReward = "PAID_REWARD",
        /// Approved reward and what is to be expected of the rest.
        ExpectedReward = "EXPECTED_REWARD",
        /// Approved of processed.
        ApprovalRate = "APPROVAL_RATE",
        /// Declined of processed.
        DeclineRate = "DECLINE_RATE",
        /// Order amount per action that has one.
        AverageOrderAmount = "AVERAGE_ORDER_AMOUNT",
        /// Reward per action.
        AverageReward = "AVERAGE_REWARD",
        /// Reward of order amount.
        EffectiveRate = "EFFECTIVE_RATE",
        /// Actions with a cart that names a product, of all.
        CartCoverage = "CART_COVERAGE",
        /// Seconds from click to order.
        ConversionLag = "CONVERSION_LAG",
        /// Seconds from order to the last change of a processed action's status.
        ValidationLag = "VALIDATION_LAG",
    }
}

words! {
    /// What a metric is measured in.
    Unit {
        /// A whole number.
        Count = "COUNT",
        /// An amount per currency.
        Money = "MONEY",
        /// A number from 0 to 1.
        Ratio = "RATIO",
        /// A number per currency.
        RatioPerCurrency = "RATIO_PER_CURRENCY",
        /// Median and 90th percentile, in seconds.
        Seconds = "SECONDS",
    }
}

words! {
    /// Whether the values of several groups can be added.
    Additivity {
        /// The values of groups that share no fact add up.
        Additive = "ADDITIVE",
        /// Computed anew from the sums of all groups.
        FromSums = "FROM_SUMS",
        /// Counted anew from the facts.
        Distinct = "DISTINCT",
        /// Taken anew from the facts in their order.
        Quantile = "QUANTILE",
    }
}

/// The statuses that a sum is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// All.
    Any,
    /// On hold or unknown.
    Pending,
    /// Approved, stalled ones included.
    Approved,
    /// Declined.
    Declined,
}

/// A sum that databases make: one column of a statement. All but [`Measure::Users`], the quantiles and, over
/// dimensions of items, the counts of actions add up over groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Distinct actions.
    Actions(Standing),
    /// Units.
    Units,
    /// Order amount, per currency.
    OrderAmount(Standing),
    /// Reward, per currency.
    Reward(Standing),
    /// Reward released, per currency.
    PaidReward,
    /// Actions with an order amount, per currency.
    Amounted,
    /// Actions, per currency.
    ActionsInCurrency,
    /// Actions with a cart that names a product.
    Carted,
    /// Distinct users.
    Users,
    /// Median and 90th percentile of the seconds from click to order, by nearest rank.
    ConversionLag,
    /// Likewise from order to status change, of processed actions.
    ValidationLag,
}

/// What is said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Which.
    pub metric: Metric,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether values add up.
    pub additivity: Additivity,
    /// Whether it can be asked for with dimensions of cart items.
    pub of_items: bool,
    /// The sums that it is computed from.
    pub needs: &'static [Measure],
}

/// Median and 90th percentile by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Median, seconds.
    pub median: i64,
    /// 90th percentile, seconds.
    pub p90: i64,
}

/// The value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Count(i64),
    /// Amounts, one per currency in code order.
    Money(Vec<Money>),
    /// A ratio of six decimals; none when its base is 0.
    Ratio(Option<f64>),
    /// Ratios, one per currency in code order.
    Ratios(Vec<(Currency, Option<f64>)>),
    /// Quantiles; none without facts that have the value.
    Quantiles(Option<Quantiles>),
}

/// The metrics of a group: those that were asked for, in the table's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(pub Vec<(Metric, MetricValue)>);

impl Values {
    /// The value of a metric, if it was asked for.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&MetricValue> {
        self.0
            .iter()
            .find(|(held, _)| *held == metric)
            .map(|(_, value)| value)
    }

    /// The value that groups are ordered and compared by: counts as they are, money in 1/10 000 of the currency,
    /// ratios in millionths, lags as their median in seconds. None where there is none, or none in the currency.
    #[must_use]
    pub fn order(&self, metric: Metric, currency: Option<Currency>) -> Option<i64> {
        match self.get(metric)? {
            MetricValue::Count(count) => Some(*count),
            MetricValue::Money(amounts) => amounts
                .iter()
                .find(|money| Some(money.currency) == currency)
                .map(|money| money.e4),
            MetricValue::Ratio(ratio) => ratio.map(millionths),
            MetricValue::Ratios(ratios) => ratios
                .iter()
                .find(|(held, _)| Some(*held) == currency)
                .and_then(|(_, ratio)| ratio.map(millionths)),
            MetricValue::Quantiles(quantiles) => quantiles.map(|lag| lag.median),
        }
    }
}

/// A ratio of six decimals as a whole number.
fn millionths(ratio: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "ratios have six decimals; beyond 64 bits the cast stops at the end of the line"
    )]
    let whole = (ratio * 1_000_000.0).round() as i64;
    whole
}
