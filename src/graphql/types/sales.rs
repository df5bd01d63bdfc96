//! Money and sums: what aggregates are answered in.

use async_graphql::SimpleObject;

use crate::domain::money;
use crate::domain::money::Currency;
use crate::domain::report::metric::Unit;
use crate::domain::sales::{RankBy, Sums, ratio};
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{CurrencyCode, Decimal, count};
use crate::graphql::written::{Plain, Ready, Slot, Slow, Written};

/// An amount in one currency.
#[derive(Clone, Copy, Debug, SimpleObject)]
#[graphql(name = "Money")]
pub struct Amount {
    /// The amount, in units of the currency (not cents).
    amount: Decimal,
    /// The currency.
    currency: CurrencyCode,
}

/// An amount as fields answer it: of all objects the most frequent one.
pub type Money = Ready<Amount>;

impl From<money::Money> for Amount {
    fn from(money: money::Money) -> Self {
        Self {
            amount: Decimal::new(money.e4, money.currency.minor_digits()),
            currency: CurrencyCode(money.currency),
        }
    }
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self(money.into())
    }
}

impl Plain for Amount {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "amount" => field.scalar(&self.amount),
            "currency" => field.scalar(&self.currency),
            _ => Err(Slow),
        }
    }
}

/// Amounts, one per currency.
pub fn amounts(all: Vec<money::Money>) -> Vec<Money> {
    all.into_iter().map(Money::from).collect()
}

/// Totals of exactly the actions that a filter lets through, declined ones included unless it says otherwise.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActionTotals {
    /// Number of actions.
    count: i32,
    /// Units in their carts.
    units: i32,
    /// Order amounts, one per currency in the order of the codes.
    order_amount: Vec<Money>,
    /// Rewards, one per currency in the order of the codes.
    reward: Vec<Money>,
}

impl ActionTotals {
    /// Totals as they are answered.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn new(sums: &Sums) -> Result<Self> {
        Ok(Self {
            count: count(sums.actions)?,
            units: count(sums.units)?,
            order_amount: amounts(sums.order_amounts()),
            reward: amounts(sums.rewards()),
        })
    }
}

/// What was sold: counted are all actions that are not declined, unless a filter names statuses.
#[derive(Clone, Debug, SimpleObject)]
pub struct Sales {
    /// Number of distinct actions.
    actions: i32,
    /// Units sold.
    units: i32,
    /// Order amounts, one per currency in the order of the codes.
    order_amount: Vec<Money>,
    /// Rewards, one per currency in the order of the codes.
    reward: Vec<Money>,
}

impl Sales {
    /// Sums as they are answered.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn new(sums: &Sums) -> Result<Self> {
        Ok(Self {
            actions: count(sums.actions)?,
            units: count(sums.units)?,
            order_amount: amounts(sums.order_amounts()),
            reward: amounts(sums.rewards()),
        })
    }
}

/// What a page of a ranked list leaves out: the totals without this page and without what is unattributed. Actions are
/// not among it, because one action can count in several rows.
#[derive(Clone, Debug, SimpleObject)]
pub struct OtherSales {
    /// Units sold.
    units: i32,
    /// Order amounts, one per currency in the order of the codes.
    order_amount: Vec<Money>,
    /// Rewards, one per currency in the order of the codes.
    reward: Vec<Money>,
}

impl OtherSales {
    /// Sums as they are answered.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn new(sums: &Sums) -> Result<Self> {
        Ok(Self {
            units: count(sums.units)?,
            order_amount: amounts(sums.order_amounts()),
            reward: amounts(sums.rewards()),
        })
    }
}

/// Money of actions that their cart items do not cover, so that rows, others and this together give the totals.
#[derive(Clone, Debug, SimpleObject)]
pub struct UnattributedSales {
    /// Order amounts, one per currency in the order of the codes.
    order_amount: Vec<Money>,
    /// Rewards, one per currency in the order of the codes.
    reward: Vec<Money>,
}

impl UnattributedSales {
    /// Sums as they are answered.
    pub fn new(sums: &Sums) -> Self {
        Self {
            order_amount: amounts(sums.order_amounts()),
            reward: amounts(sums.rewards()),
        }
    }
}

/// The change of a value against the period before.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct Change {
    /// The value in the period before: a count, an amount in the currency asked for, a rate to four decimals, or seconds
    /// (of the median).
    previous: Decimal,
    /// The value now less the one before.
    absolute: Decimal,
    /// The absolute change divided by the previous value, so 0.5 is growth by half; null where there was nothing before.
    ratio: Option<f64>,
}

impl Plain for Change {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "previous" => field.scalar(&self.previous),
            "absolute" => field.scalar(&self.absolute),
            "ratio" => field.maybe(self.ratio, Slot::float),
            _ => Err(Slow),
        }
    }
}

impl Change {
    /// The change of a metric from `previous` to `now`.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn new(by: RankBy, previous: i64, now: i64) -> Result<Self> {
        let unit = by.currency().map_or(Unit::Count, |_| Unit::Money);
        Self::of_metric(unit, by.currency(), previous, now)
    }

    /// The change of a metric of this unit, of values in its own scale ([`Values::order`]).
    ///
    /// [`Values::order`]: crate::domain::report::metric::Values::order
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn of_metric(
        unit: Unit,
        currency: Option<Currency>,
        previous: i64,
        now: i64,
    ) -> Result<Self> {
        let shown = |value: i64| match unit {
            Unit::Count | Unit::Seconds => Decimal::whole(value),
            Unit::Money => {
                let digits = currency.map_or(0, Currency::minor_digits);
                Some(Decimal::new(value, digits))
            }
            // Millionths, rounded half away from zero.
            Unit::Ratio | Unit::RatioPerCurrency => {
                Some(Decimal::new((value + value.signum() * 50) / 100, 0))
            }
        };
        let absolute = now.checked_sub(previous);
        match (shown(previous), absolute.and_then(shown)) {
            (Some(before), Some(difference)) => Ok(Self {
                previous: before,
                absolute: difference,
                ratio: ratio(absolute.unwrap_or_default(), previous),
            }),
            _ => Err(Failure::internal("a change is beyond 64 bits")),
        }
    }
}
