//! The closed sets of words of reports.

use async_graphql::Enum;

use crate::domain::report;
use crate::domain::report::metric;

/// What a report's groups are divided by. Facts without a value, such as actions without an ad space, are a group of
/// their own, whose key is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Dimension")]
pub enum ReportDimension {
    /// The program.
    Program,
    /// The ad space.
    AdSpace,
    /// The country of the click.
    Country,
    /// The status.
    Status,
    /// Sale or lead.
    ActionType,
    /// The currency of reward and order amount.
    Currency,
    /// The class of the device.
    Device,
    /// The SubID `subid`.
    #[graphql(name = "SUBID0")]
    Subid0,
    /// The SubID `subid1`.
    #[graphql(name = "SUBID1")]
    Subid1,
    /// The SubID `subid2`.
    #[graphql(name = "SUBID2")]
    Subid2,
    /// The SubID `subid3`.
    #[graphql(name = "SUBID3")]
    Subid3,
    /// The SubID `subid4`.
    #[graphql(name = "SUBID4")]
    Subid4,
    /// The product of the cart items: amounts and units are those of the items, and an action counts in each of its
    /// products. Actions without a cart are in no group.
    Product,
    /// The category of the cart items at the top of the tree; otherwise as PRODUCT.
    #[graphql(name = "CATEGORY_LEVEL_1")]
    CategoryLevel1,
    /// The category of the cart items at the second level, at the first where an item's own category is there;
    /// otherwise as PRODUCT.
    #[graphql(name = "CATEGORY_LEVEL_2")]
    CategoryLevel2,
    /// The cart items' own category, at whatever level it is; otherwise as PRODUCT.
    CategoryOwn,
    /// The tariff of the action.
    Tariff,
    /// The promo code.
    PromoCode,
    /// Why actions were declined: their comment, regardless of case. Declined actions without a comment have an empty
    /// reason, actions that are not declined have none (null).
    DeclineReason,
    /// Whether the user is new: had no action that is not declined before the range began, whatever the filter. With `bucket`
    /// before the stretch of time began, so that who is new in one is returning in the next; the first stretch is cut to the
    /// range, and begins with it.
    UserAge,
    /// How many of the report's actions the user has in the range, with `bucket` as well.
    UserFrequency,
    /// Which of the report's `segments` of users the user is in, as of now. An action counts in each of them; those of users
    /// in none of them, and those without a user, are a group of their own.
    UserSegment,
    /// Which of the report's `segments` of products the product of the cart items is in, as of now; otherwise as PRODUCT. An
    /// item counts in each of them; those of products in none of them are a group of their own.
    ProductSegment,
}

/// Whether a user is new in a range, or in a stretch of time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "report::UserAge")]
pub enum UserAge {
    /// No action that is not declined before the range began, or before the stretch of time in a report with `bucket`.
    New,
    /// At least one such action before.
    Returning,
    /// The actions name no user.
    Unattributed,
}

/// How many of a report's actions a user has in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "report::UserFrequency")]
pub enum UserFrequency {
    /// One.
    Once,
    /// Two or three.
    Few,
    /// Four to nine.
    Regular,
    /// Ten or more.
    Loyal,
    /// The actions name no user.
    Unattributed,
}

/// The length of the stretches of time that a report is divided into, in the time zone of the report. The first and the
/// last one are cut to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Bucket")]
pub enum TimeBucket {
    /// Fifteen minutes.
    QuarterHour,
    /// Sixty minutes.
    Hour,
    /// A local calendar day, of 23 to 25 hours where clocks change.
    Day,
    /// Seven local days, from the first day of weeks on.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

/// What the groups of a report are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "report::Comparison")]
pub enum ReportComparison {
    /// The period before: of equal length just before the range; for presets the calendar period before, cut at the same
    /// point.
    PreviousPeriod,
    /// The same local dates and times a year earlier.
    YearBefore,
}

/// A metric of a report. Formulas, units and the dimensions that each can be asked for with are in `metricDefinitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "metric::Metric")]
pub enum ReportMetric {
    /// Actions of any status, declined ones included.
    Actions,
    /// Actions on hold, or of unknown status.
    PendingActions,
    /// Approved actions, stalled ones included.
    ApprovedActions,
    /// Declined actions.
    DeclinedActions,
    /// Distinct users.
    Users,
    /// Units sold.
    Units,
    /// Order amounts; needs a currency to be ordered by or compared.
    OrderAmount,
    /// Order amounts of actions on hold, or of unknown status; needs a currency.
    PendingOrderAmount,
    /// Order amounts of approved actions; needs a currency.
    ApprovedOrderAmount,
    /// Order amounts of declined actions; needs a currency.
    DeclinedOrderAmount,
    /// Rewards of any status; needs a currency.
    Reward,
    /// Rewards of actions on hold, or of unknown status; needs a currency.
    PendingReward,
    /// Rewards of approved actions; needs a currency.
    ApprovedReward,
    /// Rewards of declined actions; needs a currency.
    DeclinedReward,
    /// Rewards that are released to the publisher; needs a currency.
    PaidReward,
    /// Approved rewards and what is to be expected of those on hold; needs a currency.
    ExpectedReward,
    /// Approved of processed actions.
    ApprovalRate,
    /// Declined of processed actions.
    DeclineRate,
    /// Order amount per action that has one; needs a currency.
    AverageOrderAmount,
    /// Reward per action; needs a currency.
    AverageReward,
    /// Reward as a share of the order amount; needs a currency.
    EffectiveRate,
    /// Share of the actions with a cart item that names a product.
    CartCoverage,
    /// Seconds from click to order; ordered by and compared by the median.
    ConversionLag,
    /// Seconds from order to the last change of a processed action's status; ordered by and compared by the median.
    ValidationLag,
    /// Clicks.
    Clicks,
    /// Views.
    Views,
    /// Clicks as a share of views.
    Ctr,
    /// Actions of any status per click.
    Cr,
    /// Rewards on hold and approved per click; needs a currency.
    Ecpc,
    /// Rewards on hold and approved per hundred clicks; needs a currency.
    Epc,
    /// Rewards on hold and approved per thousand views; needs a currency.
    Ecpm,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "metric::Unit")]
pub enum MetricUnit {
    /// A whole number.
    Count,
    /// Amounts, one per currency.
    Money,
    /// A number, from 0 to 1 for shares.
    Ratio,
    /// Ratios, one per currency.
    RatioPerCurrency,
    /// Median and 90th percentile, in seconds.
    Seconds,
}

/// Whether the values of several groups of a report can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "metric::Additivity")]
pub enum MetricAdditivity {
    /// Yes, where the groups share no action. Counts of actions by product or category do not add up: an action counts
    /// in each of its products.
    Additive,
    /// No: it is computed anew from the sums of all groups; in `others` from those of the groups that are left.
    FromSums,
    /// No: it is counted anew from the actions.
    Distinct,
    /// No: it is taken anew from the actions in their order.
    Quantile,
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::resolver_utils::EnumType;

    fn words<E: EnumType>() -> Vec<&'static str> {
        E::items().iter().map(|item| item.name).collect()
    }

    /// Arguments and keys are read by the domain's words.
    #[test]
    fn the_api_spells_as_the_domain_does() {
        macro_rules! same {
            ($($api:ty = $domain:ty),+ $(,)?) => {$(
                let spelled: Vec<&str> = <$domain>::ALL.iter().map(|word| word.as_str()).collect();
                assert_eq!(words::<$api>(), spelled);
            )+};
        }
        same!(
            ReportDimension = report::Dimension,
            UserAge = report::UserAge,
            UserFrequency = report::UserFrequency,
            TimeBucket = report::Bucket,
            ReportComparison = report::Comparison,
            ReportMetric = metric::Metric,
            MetricUnit = metric::Unit,
            MetricAdditivity = metric::Additivity,
        );
    }
}
