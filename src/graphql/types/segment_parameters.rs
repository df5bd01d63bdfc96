//! The parameters of the built-in segments, as they apply.

use async_graphql::SimpleObject;

use super::sales::Money;
use super::words::{MonetaryMetric, ProductMetric};
use crate::domain::money::{self, Currency};
use crate::domain::sales::RankBy;
use crate::domain::segment::{HighValue, ProductRules, Scoring, UserRules};
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{BigInt, CurrencyCode, DateTime, Decimal, count};
use crate::store::segment_settings::StoredSettings;

/// The parameters of the product segments.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductSegmentParameters {
    /// What products are ranked by, for BEST_SELLERS and ABC_A to ABC_C.
    rank_by: ProductMetric,
    /// The one currency of the amounts that they are ranked by; null where UNITS rank, which count in every currency.
    currency: Option<CurrencyCode>,
    /// How many products are best sellers.
    best_sellers: i32,
    /// Units below which a product is neither best seller nor new, hot or dormant.
    minimum_units: i32,
    /// Growth or fall of units, in percent, from which a product is rising or falling.
    change_percent: i32,
    /// Units of the larger of both periods below which a product is neither rising nor falling.
    change_units: i32,
    /// Processed actions below which a product is not called risky.
    risky_processed: i32,
    /// Approval rate, in percent, below which a product is risky.
    risky_percent: i32,
    /// Cumulative share, in percent of what products are ranked by, at which class A ends.
    abc_a_percent: i32,
    /// Cumulative share, in percent of what products are ranked by, at which class B ends.
    abc_b_percent: i32,
    /// Local days that a question without a range looks back over.
    period_days: i32,
}

impl ProductSegmentParameters {
    /// Rules as they are answered.
    ///
    /// # Errors
    /// When a number does not fit.
    pub fn new(rules: &ProductRules) -> Result<Self> {
        let rank_by = match rules.rank_by {
            RankBy::Units => ProductMetric::Units,
            RankBy::OrderAmount(_) => ProductMetric::OrderAmount,
            RankBy::Reward(_) => ProductMetric::Reward,
            RankBy::Actions => return Err(Failure::internal("products are ranked by actions")),
        };
        Ok(Self {
            rank_by,
            currency: rules.rank_by.currency().map(CurrencyCode),
            best_sellers: count(i64::try_from(rules.best_sellers).unwrap_or(i64::MAX))?,
            minimum_units: count(rules.minimum_units)?,
            change_percent: count(rules.change_percent)?,
            change_units: count(rules.change_units)?,
            risky_processed: count(rules.risky_processed)?,
            risky_percent: count(rules.risky_percent)?,
            abc_a_percent: count(rules.abc_a_percent)?,
            abc_b_percent: count(rules.abc_b_percent)?,
            period_days: count(rules.period_days)?,
        })
    }
}

/// Fixed values that part the scores 1 to 5.
#[derive(Clone, Debug, SimpleObject)]
pub struct RfmThresholds {
    /// Days of 24 hours from the last action to the end of the range: up to the first, recency is 5, up to the last 2.
    recency_days: Vec<i32>,
    /// Numbers of actions: from the first on frequency is 2, from the last on 5.
    actions: Vec<i32>,
    /// Amounts: from the first on monetary is 2, from the last on 5.
    amounts: Vec<Decimal>,
}

/// The parameters of the user segments.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserSegmentParameters {
    /// The one currency of the monetary score.
    currency: CurrencyCode,
    /// What amounts are.
    monetary: MonetaryMetric,
    /// Counted actions below which a user is not scored.
    minimum_actions: i32,
    /// Users with so many actions below which they are not compared: then percentiles give nobody a score, and the top percent
    /// is nobody.
    minimum_users: i32,
    /// The nearest-rank percentiles that part the scores; null where fixed values do.
    percentiles: Option<Vec<i32>>,
    /// The fixed values that part the scores; null where percentiles do.
    thresholds: Option<RfmThresholds>,
    /// The percent of the scored users that are of high value, by amount; null where an amount decides.
    high_value_percent: Option<i32>,
    /// The amount from which on a user is of high value; null where a percent decides.
    high_value_amount: Option<Money>,
    /// Local days that a question without a range looks back over, and the length of the windows of `userSegmentMovement`.
    period_days: i32,
}

impl UserSegmentParameters {
    /// Rules as they are answered.
    ///
    /// # Errors
    /// When a number does not fit.
    pub fn new(rules: &UserRules) -> Result<Self> {
        let counts =
            |numbers: &[i64]| -> Result<Vec<i32>> { numbers.iter().copied().map(count).collect() };
        let (percentiles, thresholds) = match &rules.scoring {
            Scoring::Percentiles(percents) => (Some(counts(percents)?), None),
            Scoring::Thresholds(fixed) => {
                let digits = fixed.currency.minor_digits();
                let amounts = fixed.amounts_e4.iter();
                let thresholds = RfmThresholds {
                    recency_days: counts(&fixed.recency_days)?,
                    actions: counts(&fixed.actions)?,
                    amounts: amounts.map(|e4| Decimal::new(*e4, digits)).collect(),
                };
                (None, Some(thresholds))
            }
        };
        let (high_value_percent, high_value_amount) = match rules.high_value {
            HighValue::TopPercent(percent) => (Some(count(percent)?), None),
            HighValue::Amount { e4, currency } => {
                (None, Some(money::Money { e4, currency }.into()))
            }
        };
        Ok(Self {
            currency: CurrencyCode(rules.currency),
            monetary: rules.monetary.into(),
            minimum_actions: count(rules.minimum_actions)?,
            minimum_users: count(rules.minimum_users)?,
            percentiles,
            thresholds,
            high_value_percent,
            high_value_amount,
            period_days: count(rules.period_days)?,
        })
    }
}

/// The parameters of the built-in segments that apply where a question does not say otherwise: what the publisher set,
/// else the defaults.
#[derive(Clone, Debug, SimpleObject)]
pub struct SegmentSettings {
    /// Raised by every change, 0 while nothing was ever set: `updateSegmentSettings` asks for it.
    version: BigInt,
    /// When they were last changed; null while nothing was ever set.
    changed_at: Option<DateTime>,
    /// Of the product segments.
    products: ProductSegmentParameters,
    /// Of the user segments.
    users: UserSegmentParameters,
}

impl SegmentSettings {
    /// Settings as they apply, with `main` as the currency where none was set.
    ///
    /// # Errors
    /// When what is stored contradicts itself.
    pub fn new(stored: &StoredSettings, main: Currency) -> Result<Self> {
        let (Ok(products), Ok(users)) = (
            stored.settings.products.rules(main),
            stored.settings.users.rules(main),
        ) else {
            return Err(Failure::internal(
                "stored segment settings are not acceptable",
            ));
        };
        Ok(Self {
            version: BigInt(stored.version.into()),
            changed_at: stored.changed_at.map(DateTime),
            products: ProductSegmentParameters::new(&products)?,
            users: UserSegmentParameters::new(&users)?,
        })
    }
}
