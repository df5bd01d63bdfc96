//! Which facts a question counts, and the sums that answer it.
//!
//! Sums of products and categories are sums of cart items; what an action's items do not cover is `unattributed`, so
//! that totals always equal the actions.

use super::action::words;
use super::filter::{ActionField, ActionTest, Filter, ProductTest};
use super::money::{Currency, Money};
use super::page::PageRequest;
use super::time::{Span, Zone};
use smallvec::SmallVec;
use uuid::Uuid;

words! {
    /// The instant of an action that a range is laid on. An action without it is outside every range.
    DateAxis {
        /// Order.
        Ordered = "ORDERED",
        /// Click.
        Clicked = "CLICKED",
        /// Last status change.
        StatusUpdated = "STATUS_UPDATED",
        /// Closing day; a day is in a range when its local start is.
        Closed = "CLOSED",
    }
}

/// A range on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisRange {
    /// The axis.
    pub axis: DateAxis,
    /// The half-open span.
    pub span: Span,
    /// The zone in which closing days start.
    pub zone: Zone,
}

impl AxisRange {
    /// The same axis and zone with another span.
    #[must_use]
    pub fn with_span(self, span: Span) -> Self {
        Self { span, ..self }
    }
}

/// The facts that a top list, a segment or `sales` counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactQuery {
    /// When.
    pub range: AxisRange,
    /// Which, in the caller's words.
    pub filter: Filter<ActionTest>,
    /// Whether declined actions do not count: unless the filter names statuses.
    pub without_declined: bool,
}

impl FactQuery {
    /// Facts in `range` that satisfy `filter`; declined actions do not count unless it names statuses.
    #[must_use]
    pub fn counted(range: AxisRange, filter: Filter<ActionTest>) -> Self {
        let status = |test: &ActionTest| {
            matches!(
                test,
                ActionTest::Field(ActionField::Status | ActionField::RawStatus, _)
            )
        };
        Self {
            range,
            without_declined: !filter.mentions(&status),
            filter,
        }
    }

    /// The same facts in another span.
    #[must_use]
    pub fn in_span(&self, span: Span) -> Self {
        Self {
            range: self.range.with_span(span),
            ..self.clone()
        }
    }
}

/// Sums in one currency, 1/10 000 of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencySums {
    /// The currency.
    pub currency: Currency,
    /// Order amount.
    pub order_amount_e4: i64,
    /// Reward.
    pub reward_e4: i64,
}

/// Counts and, per currency in code order, sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Distinct actions.
    pub actions: i64,
    /// Units sold.
    pub units: i64,
    /// Money, one entry per currency in code order. There are hundreds of thousands of these at a time, of one or two
    /// currencies as a rule.
    pub money: SmallVec<[CurrencySums; 2]>,
}

impl Sums {
    /// Order amounts, one per currency in code order.
    #[must_use]
    pub fn order_amounts(&self) -> Vec<Money> {
        self.money
            .iter()
            .map(|sums| Money {
                e4: sums.order_amount_e4,
                currency: sums.currency,
            })
            .collect()
    }

    /// Rewards, one per currency in code order.
    #[must_use]
    pub fn rewards(&self) -> Vec<Money> {
        self.money
            .iter()
            .map(|sums| Money {
                e4: sums.reward_e4,
                currency: sums.currency,
            })
            .collect()
    }

    /// Adds the sums of one currency, keeping code order.
    pub fn add_money(&mut self, more: CurrencySums) {
        let mut known = self.money.iter_mut();
        // They are few, and as a rule it is there.
        if let Some(sums) = known.find(|sums| sums.currency == more.currency) {
            sums.order_amount_e4 += more.order_amount_e4;
            sums.reward_e4 += more.reward_e4;
            return;
        }
        let behind = |sums: &CurrencySums| sums.currency < more.currency;
        let place = self.money.partition_point(behind);
        self.money.insert(place, more);
    }

    /// Adds other sums of actions that these do not hold.
    pub fn add(&mut self, more: &Self) {
        self.actions += more.actions;
        self.units += more.units;
        for money in &more.money {
            self.add_money(*money);
        }
    }

    /// These sums less others; currencies that cancel out stay with zero.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.actions -= other.actions;
        rest.units -= other.units;
        for money in &other.money {
            rest.add_money(CurrencySums {
                currency: money.currency,
                order_amount_e4: -money.order_amount_e4,
                reward_e4: -money.reward_e4,
            });
        }
        rest
    }

    /// The value of a metric; money in `currency`, 0 where there is none of it.
    #[must_use]
    pub fn metric(&self, by: RankBy) -> i64 {
        let in_currency = |currency| {
            self.money
                .iter()
                .find(|sums| sums.currency == currency)
                .copied()
        };
        match by {
            RankBy::Units => self.units,
            RankBy::Actions => self.actions,
            RankBy::OrderAmount(currency) => {
                in_currency(currency).map_or(0, |sums| sums.order_amount_e4)
            }
            RankBy::Reward(currency) => in_currency(currency).map_or(0, |sums| sums.reward_e4),
        }
    }
}

/// What top sellers are ranked by. Money ranks in one currency, and only facts in it are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RankBy {
    /// Units sold.
    Units,
    /// Distinct actions.
    Actions,
    /// Order amount in a currency.
    OrderAmount(Currency),
    /// Reward in a currency.
    Reward(Currency),
}

impl RankBy {
    /// The currency, if it ranks by money.
    #[must_use]
    pub fn currency(self) -> Option<Currency> {
        match self {
            Self::Units | Self::Actions => None,
            Self::OrderAmount(currency) | Self::Reward(currency) => Some(currency),
        }
    }
}

/// What facts are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SalesGroup {
    /// Product; items without one have no group.
    Product,
    /// Category at level 1; items without a category are a group of their own.
    CategoryLevel1,
    /// Category at level 2, or above where an item's own is.
    CategoryLevel2,
    /// The items' own categories.
    CategoryOwn,
    /// User; actions without one are a group of their own.
    User,
}

/// A ranked list of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalesQuery {
    /// The facts.
    pub facts: FactQuery,
    /// The groups.
    pub group: SalesGroup,
    /// The ranking, largest first, ties by id.
    pub by: RankBy,
    /// The page.
    pub page: PageRequest,
    /// Of groups of products those that are ranked. What else lay in their carts is not, unless it passes as well.
    pub products: Filter<ProductTest>,
}

/// One group of a ranked list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalesRow {
    /// The product's, category's or user's id; none for items without a category.
    pub key: Option<Uuid>,
    /// Competition rank over all groups: equal values, equal ranks.
    pub rank: i64,
    /// Value of the metric it is ranked by.
    pub metric: i64,
    /// Its sums over all currencies.
    pub sums: Sums,
}

/// All facts of a question: as the actions say, and as their cart items say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Distinct actions, their units, and the actions' own money.
    pub facts: Sums,
    /// What the cart items cover.
    pub items: Sums,
}

impl Totals {
    /// Money of the actions that their items do not cover; its counts are 0.
    #[must_use]
    pub fn unattributed(&self) -> Sums {
        let mut rest = self.facts.less(&self.items);
        rest.actions = 0;
        rest.units = 0;
        rest
    }
}

/// A share or ratio of two whole numbers, to six decimals; none when the base is 0.
#[must_use]
pub fn ratio(part: i64, base: i64) -> Option<f64> {
    if base == 0 {
        return None;
    }
    // Scaled in whole numbers and rounded half away from zero, so that every platform prints the same digits.
    let scaled = i128::from(part) * 10_000_000 / i128::from(base);
    let millionths = (scaled + scaled.signum() * 5) / 10;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio of six decimals; money never passes here"
    )]
    let ratio = millionths as f64 / 1_000_000.0;
    Some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_six_decimals_and_no_base_of_zero() {
        assert_eq!(ratio(1, 3), Some(0.333_333));
        assert_eq!(ratio(2, 3), Some(0.666_667));
        assert_eq!(ratio(-2, 3), Some(-0.666_667));
        assert_eq!(ratio(5, 0), None);
        assert_eq!(ratio(i64::MAX, 1).map(|ratio| ratio > 9.2e18), Some(true));
    }

    #[test]
    fn sums_keep_currencies_apart_and_in_code_order() {
        let usd = |e4| CurrencySums {
            currency: Currency::USD,
            order_amount_e4: e4,
            reward_e4: 1,
        };
        let rub = CurrencySums {
            currency: Currency::parse("RUB").unwrap(),
            order_amount_e4: 7,
            reward_e4: 1,
        };
        let mut sums = Sums::default();
        for money in [usd(1), rub, usd(2)] {
            sums.add_money(money);
        }
        assert_eq!(
            sums.order_amounts()
                .iter()
                .map(|money| money.e4)
                .collect::<Vec<_>>(),
            [7, 3]
        );
        assert_eq!(
            sums.less(&sums)
                .rewards()
                .iter()
                .map(|money| money.e4)
                .collect::<Vec<_>>(),
            [0, 0]
        );
    }
}
