//! Metrics: what a report can answer about a group, each with its formula, from one table.
//!
//! A metric is computed from [`Measured`](super::measured::Measured) sums, which databases add up exactly; ratios are
//! computed from sums and never averaged. `metricDefinitions` of the API is [`DEFINITIONS`]. How the values are computed
//! is [`measured`](super::measured)'s.

use super::{Bucket, Dimension};
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
        /// Approved reward and what is to be expected of what is on hold.
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
        /// Clicks.
        Clicks = "CLICKS",
        /// Views.
        Views = "VIEWS",
        /// Clicks of views.
        Ctr = "CTR",
        /// Actions of clicks.
        Cr = "CR",
        /// Reward per click.
        Ecpc = "ECPC",
        /// Reward per hundred clicks.
        Epc = "EPC",
        /// Reward per thousand views.
        Ecpm = "ECPM",
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
    /// Clicks, in no currency.
    Clicks,
    /// Views, likewise.
    Views,
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

const ANY: Standing = Standing::Any;
const PENDING: Standing = Standing::Pending;
const APPROVED: Standing = Standing::Approved;
const DECLINED: Standing = Standing::Declined;

impl Standing {
    /// All, in the order of [`Standing::place`].
    pub const ALL: [Self; 4] = [ANY, PENDING, APPROVED, DECLINED];

    /// Its place in arrays of sums by standing.
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::Any => 0,
            Self::Pending => 1,
            Self::Approved => 2,
            Self::Declined => 3,
        }
    }
}

/// Writes the table: a line for each metric.
macro_rules! definitions {
    ($($metric:ident: $unit:ident, $additivity:ident, $of_items:literal, [$($needs:expr),+], $description:literal, $formula:literal;)+) => {
        /// All metrics, in the order of [`Metric::ALL`].
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            metric: Metric::$metric,
            description: $description,
            formula: $formula,
            unit: Unit::$unit,
            additivity: Additivity::$additivity,
            of_items: $of_items,
            needs: &[$($needs),+],
        }),+];

        impl Metric {
            /// What is said of the metric.
            #[must_use]
            pub fn definition(self) -> &'static Definition {
                const PLACES: &[Metric] = &[$(Metric::$metric),+];
                let place = PLACES.iter().position(|metric| *metric == self);
                &DEFINITIONS[place.unwrap_or(0)]
            }
        }
    };
}

definitions! {
    Actions: Count, Additive, true, [Measure::Actions(ANY)],
        "Actions of any status, declined ones included. Over cart items: distinct actions with an item of the group.",
        "count(actions)";
    PendingActions: Count, Additive, true, [Measure::Actions(PENDING)],
        "Actions on hold, or of a status that upstream did not explain.",
        "count(actions where status is PENDING or UNKNOWN)";
    ApprovedActions: Count, Additive, true, [Measure::Actions(APPROVED)],
        "Approved actions, stalled ones included.",
        "count(actions where status is APPROVED or APPROVED_BUT_STALLED)";
    DeclinedActions: Count, Additive, true, [Measure::Actions(DECLINED)],
        "Declined actions.",
        "count(actions where status is DECLINED)";
    Users: Count, Distinct, true, [Measure::Users],
        "Distinct users of the actions; actions without a user are not counted.",
        "count(distinct user)";
    Units: Count, Additive, true, [Measure::Units],
        "Units sold: those of the actions' cart items.",
        "sum(item units)";
    OrderAmount: Money, Additive, true, [Measure::OrderAmount(ANY)],
        "Order amounts, per currency. Over cart items: the items' amounts.",
        "sum(order amount)";
    PendingOrderAmount: Money, Additive, true, [Measure::OrderAmount(PENDING)],
        "Order amounts of actions on hold, or of a status that upstream did not explain, per currency.",
        "sum(order amount where status is PENDING or UNKNOWN)";
    ApprovedOrderAmount: Money, Additive, true, [Measure::OrderAmount(APPROVED)],
        "Order amounts of approved actions, stalled ones included, per currency.",
        "sum(order amount where status is APPROVED or APPROVED_BUT_STALLED)";
    DeclinedOrderAmount: Money, Additive, true, [Measure::OrderAmount(DECLINED)],
        "Order amounts of declined actions, per currency.",
        "sum(order amount where status is DECLINED)";
    Reward: Money, Additive, true, [Measure::Reward(ANY)],
        "Rewards of any status, per currency. Over cart items: the items' rewards.",
        "sum(reward)";
    PendingReward: Money, Additive, true, [Measure::Reward(PENDING)],
        "Rewards of actions on hold, or of a status that upstream did not explain, per currency.",
        "sum(reward where status is PENDING or UNKNOWN)";
    ApprovedReward: Money, Additive, true, [Measure::Reward(APPROVED)],
        "Rewards of approved actions, stalled ones included, per currency.",
        "sum(reward where status is APPROVED or APPROVED_BUT_STALLED)";
    DeclinedReward: Money, Additive, true, [Measure::Reward(DECLINED)],
        "Rewards of declined actions, per currency.",
        "sum(reward where status is DECLINED)";
    PaidReward: Money, Additive, false, [Measure::PaidReward],
        "Rewards that are released to the publisher, per currency.",
        "sum(reward where paid)";
    ExpectedReward: Money, FromSums, true, [Measure::Reward(APPROVED), Measure::Reward(PENDING)],
        "Approved reward, and of what is on hold the part that was approved before, per currency: by the report's filter, \
         whatever the group, over the 360 days that end 30 days before now. Without a processed reward then, nothing is \
         expected of what is on hold.",
        "approvedReward + pendingReward * approvedReward / (approvedReward + declinedReward) of the 360 days";
    ApprovalRate: Ratio, FromSums, true, [Measure::Actions(APPROVED), Measure::Actions(DECLINED)],
        "Share of the processed actions that were approved, stalled ones included; null when none was processed.",
        "approvedActions / (approvedActions + declinedActions)";
    DeclineRate: Ratio, FromSums, true, [Measure::Actions(APPROVED), Measure::Actions(DECLINED)],
        "Share of the processed actions that were declined; null when none was processed.",
        "declinedActions / (approvedActions + declinedActions)";
    AverageOrderAmount: Money, FromSums, false, [Measure::OrderAmount(ANY), Measure::Amounted],
        "Order amount per action that has one, per currency.",
        "orderAmount / count(actions with an order amount)";
    AverageReward: Money, FromSums, false, [Measure::Reward(ANY), Measure::ActionsInCurrency],
        "Reward per action, per currency.",
        "reward / actions";
    EffectiveRate: RatioPerCurrency, FromSums, true, [Measure::Reward(ANY), Measure::OrderAmount(ANY)],
        "Reward as a share of the order amount, per currency; null when that is 0.",
        "reward / orderAmount";
    CartCoverage: Ratio, FromSums, false, [Measure::Carted, Measure::Actions(ANY)],
        "Share of the actions with at least one cart item that names a product; null without actions.",
        "count(actions with a named product) / actions";
    ConversionLag: Seconds, Quantile, false, [Measure::ConversionLag],
        "Seconds from click to order of the actions that tell: median and 90th percentile by nearest rank.",
        "nearest rank of (ordered at - clicked at)";
    ValidationLag: Seconds, Quantile, false, [Measure::ValidationLag],
        "Seconds from order to the last change of status of processed actions: median and 90th percentile by nearest rank.",
        "nearest rank of (status updated at - ordered at) where processed";
    Clicks: Count, Additive, false, [Measure::Clicks],
        "Clicks on the days whose noon on the account's clock lies in the stretch of time, as upstream counts them; those of \
         days that are not known are not among them.",
        "sum(clicks)";
    Views: Count, Additive, false, [Measure::Views],
        "Views on these days. Upstream does not count them by SubID.",
        "sum(views)";
    Ctr: Ratio, FromSums, false, [Measure::Clicks, Measure::Views],
        "Click-through rate: clicks as a share of views; null without views, and where clicks of a day of the stretch are not \
         known.",
        "clicks / views";
    Cr: Ratio, FromSums, false, [Measure::Actions(ANY), Measure::Clicks],
        "Conversion rate: actions of any status, declined ones included, per click; null without clicks, and where clicks of \
         a day of the stretch are not known: actions of days without their clicks would raise it.",
        "actions / clicks";
    Ecpc: Money, FromSums, false, [Measure::Reward(PENDING), Measure::Reward(APPROVED), Measure::Clicks],
        "Effective reward per click, per currency: on hold and approved, without what was declined; null where clicks of a \
         day of the stretch are not known.",
        "(pendingReward + approvedReward) / clicks";
    Epc: Money, FromSums, false, [Measure::Reward(PENDING), Measure::Reward(APPROVED), Measure::Clicks],
        "The same per hundred clicks, which is what upstream calls EPC; null likewise.",
        "100 * (pendingReward + approvedReward) / clicks";
    Ecpm: Money, FromSums, false, [Measure::Reward(PENDING), Measure::Reward(APPROVED), Measure::Views],
        "Effective reward per thousand views, per currency: on hold and approved, without what was declined; null where \
         views of a day of the stretch are not known.",
        "1000 * (pendingReward + approvedReward) / views";
}

impl Definition {
    /// Whether it counts clicks or views, which are known by day, program, ad space and SubID alone.
    #[must_use]
    pub fn of_clicks(&self) -> bool {
        self.of_views() || self.needs.contains(&Measure::Clicks)
    }

    /// Whether it counts views, which are not known by SubID.
    #[must_use]
    pub fn of_views(&self) -> bool {
        self.needs.contains(&Measure::Views)
    }

    /// Whether it puts clicks or views in relation to something: nothing can be said where they are not known of all days.
    #[must_use]
    pub fn needs_all_clicks(&self) -> bool {
        self.of_clicks() && self.additivity == Additivity::FromSums
    }

    /// The dimensions that the metric can be asked for with; of several SubIDs one at a time where it counts clicks.
    pub fn dimensions(&self) -> impl Iterator<Item = Dimension> + '_ {
        let fits = |dimension: &Dimension| {
            if self.of_clicks() {
                let is_subid = dimension.subid_slot().is_some() && !self.of_views();
                is_subid || matches!(dimension, Dimension::Program | Dimension::AdSpace)
            } else {
                self.of_items || !dimension.is_of_items()
            }
        };
        Dimension::ALL.iter().copied().filter(fits)
    }

    /// The shortest stretches of time that it can be divided by.
    #[must_use]
    pub fn shortest_bucket(&self) -> Bucket {
        if self.of_clicks() {
            Bucket::Day
        } else {
            Bucket::QuarterHour
        }
    }
}

/// Whether the values of a report's groups add up to the value of all of them. Over dimensions of cart items counts of
/// actions do not: an action can be in several groups.
#[must_use]
pub fn adds_up(metric: Metric, over_items: bool) -> bool {
    metric.definition().additivity == Additivity::Additive && follows_from_sums(metric, over_items)
}

/// Whether the value of several of a report's groups together follows from their sums: it adds up, or is computed from
/// sums that do.
#[must_use]
pub fn follows_from_sums(metric: Metric, over_items: bool) -> bool {
    let definition = metric.definition();
    let counts_actions = definition.needs.iter().any(|measure| {
        matches!(
            measure,
            Measure::Actions(_) | Measure::ActionsInCurrency | Measure::Amounted | Measure::Carted
        )
    });
    match definition.additivity {
        Additivity::Additive | Additivity::FromSums => !(over_items && counts_actions),
        Additivity::Distinct | Additivity::Quantile => false,
    }
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
    /// Nothing can be said: clicks of a day are not known that it would have to count.
    Unknown,
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

    /// The value that groups are ordered and compared by ([`MetricValue::order`]); none if the metric was not asked for.
    #[must_use]
    pub fn order(&self, metric: Metric, currency: Option<Currency>) -> Option<i64> {
        self.get(metric)?.order(currency)
    }
}

impl MetricValue {
    /// Whether all of it is in one currency, as far as it is of money.
    #[must_use]
    pub fn is_all_in(&self, currency: Currency) -> bool {
        match self {
            Self::Money(amounts) => amounts.iter().all(|money| money.currency == currency),
            Self::Ratios(ratios) => ratios.iter().all(|(held, _)| *held == currency),
            Self::Count(_) | Self::Ratio(_) | Self::Quantiles(_) | Self::Unknown => true,
        }
    }

    /// The value that groups are ordered and compared by: counts as they are, money in 1/10 000 of the currency,
    /// ratios in millionths, lags as their median in seconds. None where there is none, or none in the currency.
    #[must_use]
    pub fn order(&self, currency: Option<Currency>) -> Option<i64> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Money(amounts) => amounts
                .iter()
                .find(|money| Some(money.currency) == currency)
                .map(|money| money.e4),
            Self::Ratio(ratio) => ratio.map(millionths),
            Self::Ratios(ratios) => ratios
                .iter()
                .find(|(held, _)| Some(*held) == currency)
                .and_then(|(_, ratio)| ratio.map(millionths)),
            Self::Quantiles(quantiles) => quantiles.map(|lag| lag.median),
            Self::Unknown => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_and_times_are_of_several_groups_does_not_follow_from_sums() {
        let left = |over_items| {
            let all = Metric::ALL.iter().copied();
            all.filter(|metric| !follows_from_sums(*metric, over_items))
                .filter(|metric| !over_items || metric.definition().of_items)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            left(false),
            [Metric::Users, Metric::ConversionLag, Metric::ValidationLag]
        );
        // An action can have items of several groups.
        assert_eq!(
            left(true),
            [
                Metric::Actions,
                Metric::PendingActions,
                Metric::ApprovedActions,
                Metric::DeclinedActions,
                Metric::Users,
                Metric::ApprovalRate,
                Metric::DeclineRate,
            ]
        );
    }

    #[test]
    fn the_table_has_a_line_for_each_metric() {
        let defined: Vec<Metric> = DEFINITIONS.iter().map(|line| line.metric).collect();
        assert_eq!(defined, Metric::ALL);
        for metric in Metric::ALL {
            assert_eq!(metric.definition().metric, *metric);
        }
    }
}
