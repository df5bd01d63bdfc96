//! What was measured of a group, and the values of metrics that follow from it.
//!
//! Amounts are whole numbers of billionths of 1/10 000 of the currency unit here, so that sums converted by exchange
//! rates are added before they are rounded, once and half to even.

use super::metric::{Metric, MetricValue, Quantiles, Standing, Values, adds_up, follows_from_sums};
use crate::domain::money::{Currency, Money};
use crate::domain::sales::ratio;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// How many parts 1/10 000 of a currency unit has here.
pub const FINE: i128 = 1_000_000_000;

/// Sums of money of facts in one currency, in the currency that they are shown in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneySums {
    /// Actions.
    pub actions: i64,
    /// Actions with an order amount.
    pub amounted: i64,
    /// Order amounts by [`Standing::place`].
    pub order_amount: [i128; 4],
    /// Rewards, likewise.
    pub reward: [i128; 4],
    /// Rewards released.
    pub paid: i128,
}

impl MoneySums {
    /// Adds other sums, so many times: once, or minus once.
    pub fn add(&mut self, more: &Self, times: i8) {
        self.actions += more.actions * i64::from(times);
        self.amounted += more.amounted * i64::from(times);
        for (sum, more) in self.order_amount.iter_mut().zip(more.order_amount) {
            *sum += more * i128::from(times);
        }
        for (sum, more) in self.reward.iter_mut().zip(more.reward) {
            *sum += more * i128::from(times);
        }
        self.paid += more.paid * i128::from(times);
    }
}

/// The currency that money is shown in, and the facts' own, which differ where it was converted.
type Currencies = (Currency, Currency);

/// Money by currencies, in their order. Of hundreds of thousands of groups nearly all have one, for which a tree would take
/// two kilobytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyByCurrency(SmallVec<[(Currencies, MoneySums); 1]>);

impl MoneyByCurrency {
    /// Adds sums to those of their currencies, so many times: once, or minus once.
    pub fn add(&mut self, currencies: Currencies, more: &MoneySums, times: i8) {
        match self.0.binary_search_by_key(&currencies, |(held, _)| *held) {
            Ok(place) => {
                if let Some((_, sums)) = self.0.get_mut(place) {
                    sums.add(more, times);
                }
            }
            Err(place) => {
                let mut sums = MoneySums::default();
                sums.add(more, times);
                self.0.insert(place, (currencies, sums));
            }
        }
    }

    /// The sums by their currencies, in the order of these.
    pub fn iter(&self) -> impl Iterator<Item = &(Currencies, MoneySums)> {
        self.0.iter()
    }

    /// How many bytes it takes beside its own.
    #[cfg(test)]
    pub(crate) fn bytes_beside(&self) -> usize {
        if self.0.spilled() {
            self.0.capacity() * size_of::<(Currencies, MoneySums)>()
        } else {
            0
        }
    }
}

/// What was measured of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Actions by [`Standing::place`].
    pub actions: [i64; 4],
    /// Units.
    pub units: i64,
    /// Actions with a cart that names a product.
    pub carted: i64,
    /// Distinct users.
    pub users: i64,
    /// Clicks.
    pub clicks: i64,
    /// Views.
    pub views: i64,
    /// Whether clicks and views of a day are not known that lies in the group's stretch of time.
    pub lacks_clicks: bool,
    /// Money by the currency shown and the facts' own.
    pub money: MoneyByCurrency,
    /// From click to order.
    pub conversion_lag: Option<Quantiles>,
    /// From order to status change.
    pub validation_lag: Option<Quantiles>,
}

impl Measured {
    /// Adds what adds up, so many times: once, or minus once.
    pub fn add(&mut self, more: &Self, times: i8) {
        for (sum, more) in self.actions.iter_mut().zip(more.actions) {
            *sum += more * i64::from(times);
        }
        self.units += more.units * i64::from(times);
        self.carted += more.carted * i64::from(times);
        self.clicks += more.clicks * i64::from(times);
        self.views += more.views * i64::from(times);
        for (currencies, more) in more.money.iter() {
            self.money.add(*currencies, more, times);
        }
    }

    /// What is added up over the money of each currency shown, in the order of their codes; `add` is told the currency of
    /// the facts as well.
    fn shown<S: Default>(&self, add: impl Fn(&mut S, Currency, &MoneySums)) -> Vec<(Currency, S)> {
        let mut shown: Vec<(Currency, S)> = Vec::new();
        // Those that are shown in one currency follow each other.
        for ((currency, own), sums) in self.money.iter() {
            if shown.last().is_none_or(|(held, _)| held != currency) {
                shown.push((*currency, S::default()));
            }
            if let Some((_, sum)) = shown.last_mut() {
                add(sum, *own, sums);
            }
        }
        shown
    }

    fn amounts(&self, of: impl Fn(&MoneySums) -> i128) -> MetricValue {
        let shown = self.shown(|sum: &mut i128, _, sums| *sum += of(sums));
        let money = shown.into_iter().map(|(currency, sum)| Money {
            e4: round(sum, FINE),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    /// Sums divided by counts; nothing in a currency that has none.
    fn averages(&self, of: impl Fn(&MoneySums) -> (i128, i64)) -> MetricValue {
        let shown = self.shown(|held: &mut (i128, i64), _, sums| {
            let (sum, count) = of(sums);
            held.0 += sum;
            held.1 += count;
        });
        let counted = shown.into_iter().filter(|(_, (_, count))| *count > 0);
        let money = counted.map(|(currency, (sum, count))| Money {
            e4: round(sum, FINE * i128::from(count)),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    /// Reward that is on hold or approved, so many times, per click or view; nothing without any.
    fn earned(&self, times: i128, count: i64) -> MetricValue {
        let shown = self.shown(|sum: &mut i128, _, sums| {
            *sum += at(&sums.reward, Standing::Pending.place());
            *sum += at(&sums.reward, Standing::Approved.place());
        });
        let money = shown.into_iter().filter(|_| count > 0);
        let money = money.map(|(currency, sum)| Money {
            e4: round(sum.saturating_mul(times), FINE * i128::from(count)),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    fn effective_rates(&self) -> MetricValue {
        let any = Standing::Any.place();
        let shown = self.shown(|held: &mut [i128; 2], _, sums| {
            let [amount, reward] = held;
            *amount += at(&sums.order_amount, any);
            *reward += at(&sums.reward, any);
        });
        let rates = shown.into_iter().map(|(currency, sums)| {
            let [amount, reward] = sums.map(|sum| round(sum, FINE));
            (currency, ratio(reward, amount))
        });
        MetricValue::Ratios(rates.collect())
    }

    fn expected(&self, bases: &Bases) -> MetricValue {
        let shown = self.shown(|sum: &mut i128, own, sums| {
            let [approved, pending] = [Standing::Approved, Standing::Pending]
                .map(|standing| at(&sums.reward, standing.place()));
            let hope = bases.0.get(&own).map_or(0, |base| base.part_of(pending));
            *sum += approved + hope;
        });
        let money = shown.into_iter().map(|(currency, sum)| Money {
            e4: round(sum, FINE),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    /// The value of a metric.
    #[must_use]
    pub fn value(&self, metric: Metric, bases: &Bases) -> MetricValue {
        use Standing::{Any, Approved, Declined, Pending};
        if self.lacks_clicks && metric.definition().needs_all_clicks() {
            return MetricValue::Unknown;
        }
        let count = |standing: Standing| at(&self.actions, standing.place());
        let actions = |standing| MetricValue::Count(count(standing));
        let amount =
            |standing: Standing| self.amounts(|sums| at(&sums.order_amount, standing.place()));
        let reward = |standing: Standing| self.amounts(|sums| at(&sums.reward, standing.place()));
        let processed = count(Approved) + count(Declined);
        match metric {
            Metric::Actions => actions(Any),
            Metric::PendingActions => actions(Pending),
            Metric::ApprovedActions => actions(Approved),
            Metric::DeclinedActions => actions(Declined),
            Metric::Users => MetricValue::Count(self.users),
            Metric::Units => MetricValue::Count(self.units),
            Metric::OrderAmount => amount(Any),
            Metric::PendingOrderAmount => amount(Pending),
            Metric::ApprovedOrderAmount => amount(Approved),
            Metric::DeclinedOrderAmount => amount(Declined),
            Metric::Reward => reward(Any),
            Metric::PendingReward => reward(Pending),
            Metric::ApprovedReward => reward(Approved),
            Metric::DeclinedReward => reward(Declined),
            Metric::PaidReward => self.amounts(|sums| sums.paid),
            Metric::ExpectedReward => self.expected(bases),
            Metric::ApprovalRate => MetricValue::Ratio(ratio(count(Approved), processed)),
            Metric::DeclineRate => MetricValue::Ratio(ratio(count(Declined), processed)),
            Metric::AverageOrderAmount => {
                self.averages(|sums| (at(&sums.order_amount, Any.place()), sums.amounted))
            }
            Metric::AverageReward => {
                self.averages(|sums| (at(&sums.reward, Any.place()), sums.actions))
            }
            Metric::EffectiveRate => self.effective_rates(),
            Metric::CartCoverage => MetricValue::Ratio(ratio(self.carted, count(Any))),
            Metric::ConversionLag => MetricValue::Quantiles(self.conversion_lag),
            Metric::ValidationLag => MetricValue::Quantiles(self.validation_lag),
            Metric::Clicks => MetricValue::Count(self.clicks),
            Metric::Views => MetricValue::Count(self.views),
            Metric::Ctr => MetricValue::Ratio(ratio(self.clicks, self.views)),
            Metric::Cr => MetricValue::Ratio(ratio(count(Any), self.clicks)),
            Metric::Ecpc => self.earned(1, self.clicks),
            Metric::Epc => self.earned(100, self.clicks),
            Metric::Ecpm => self.earned(1_000, self.views),
        }
    }

    /// The values of metrics, in their order.
    #[must_use]
    pub fn values(&self, metrics: &[Metric], bases: &Bases) -> Values {
        let value = |metric: &Metric| (*metric, self.value(*metric, bases));
        Values(metrics.iter().map(value).collect())
    }

    /// The values of those metrics that add up over a report's groups.
    #[must_use]
    pub fn sums(&self, metrics: &[Metric], over_items: bool) -> Values {
        let additive = metrics
            .iter()
            .filter(|metric| adds_up(**metric, over_items));
        let none = Bases::default();
        Values(
            additive
                .map(|metric| (*metric, self.value(*metric, &none)))
                .collect(),
        )
    }

    /// The values of those metrics that follow from sums over a report's groups, where this is what is left of all when
    /// some were taken off.
    #[must_use]
    pub fn left(&self, metrics: &[Metric], over_items: bool, bases: &Bases) -> Values {
        let known = metrics.iter().copied();
        let known: Vec<Metric> = known
            .filter(|metric| follows_from_sums(*metric, over_items))
            .collect();
        self.values(&known, bases)
    }
}

fn at<T: Copy + Default>(sums: &[T; 4], place: usize) -> T {
    sums.get(place).copied().unwrap_or_default()
}

/// Which part of the processed reward was approved before: what [`Metric::ExpectedReward`] expects of what is on hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// Reward approved, 1/10 000.
    pub approved_e4: i64,
    /// Reward declined, 1/10 000.
    pub declined_e4: i64,
}

impl Base {
    /// The part of an amount that is to be expected, half to even.
    fn part_of(self, amount: i128) -> i128 {
        let processed = i128::from(self.approved_e4) + i128::from(self.declined_e4);
        if processed == 0 {
            return 0;
        }
        scaled(amount, i128::from(self.approved_e4), processed)
    }
}

/// The bases of each currency that facts are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bases(pub BTreeMap<Currency, Base>);

/// A quotient, half to even; at the end of 64 bits where it lies beyond.
#[must_use]
pub fn round(dividend: i128, divisor: i128) -> i64 {
    let quotient = half_even(dividend, divisor);
    i64::try_from(quotient).unwrap_or(if quotient < 0 { i64::MIN } else { i64::MAX })
}

/// A quotient of whole numbers, half to even; 0 for a divisor of 0.
#[must_use]
pub fn half_even(dividend: i128, divisor: i128) -> i128 {
    if divisor == 0 {
        return 0;
    }
    let (floor, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let double = rest.saturating_mul(2);
    let up = double > divisor.abs() || (double == divisor.abs() && floor % 2 != 0);
    if divisor > 0 {
        floor + i128::from(up)
    } else {
        floor - i128::from(up)
    }
}

/// An amount times a fraction, half to even, also where the product is beyond 128 bits.
fn scaled(amount: i128, part: i128, of: i128) -> i128 {
    // In two steps the product stays small: whole shares first, then what is left over.
    let (whole, rest) = (amount.div_euclid(of), amount.rem_euclid(of));
    whole
        .saturating_mul(part)
        .saturating_add(half_even(rest.saturating_mul(part), of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotients_are_rounded_half_to_even_on_both_sides_of_zero() {
        for (dividend, divisor, expected) in [
            (5, 2, 2),
            (7, 2, 4),
            (-5, 2, -2),
            (-7, 2, -4),
            (5, -2, -2),
            (7, -2, -4),
            (10, 3, 3),
            (11, 3, 4),
            (-11, 3, -4),
            (1, 0, 0),
        ] {
            assert_eq!(round(dividend, divisor), expected, "{dividend} / {divisor}");
        }
    }

    #[test]
    fn what_is_expected_of_reward_on_hold_is_the_part_that_was_approved() {
        let mut measured = Measured::default();
        let sums = MoneySums {
            reward: [0, 101 * FINE, 1_000 * FINE, 0],
            ..MoneySums::default()
        };
        measured.money.add((Currency::USD, Currency::USD), &sums, 1);
        let expected = |bases: &Bases| measured.value(Metric::ExpectedReward, bases);
        let usd = |e4| {
            MetricValue::Money(vec![Money {
                e4,
                currency: Currency::USD,
            }])
        };
        assert_eq!(expected(&Bases::default()), usd(1_000));
        let base = Base {
            approved_e4: 3,
            declined_e4: 1,
        };
        // 75.75 of what is on hold.
        let bases = Bases(BTreeMap::from([(Currency::USD, base)]));
        assert_eq!(expected(&bases), usd(1_076));
    }

    #[test]
    fn nothing_is_said_of_clicks_of_which_some_days_are_not_known() {
        let known = Measured {
            actions: [3, 0, 3, 0],
            clicks: 10,
            views: 100,
            ..Measured::default()
        };
        let lacking = Measured {
            lacks_clicks: true,
            ..known.clone()
        };
        let none = Bases::default();
        for metric in Metric::ALL {
            let is_ratio = ["CTR", "CR", "ECPC", "EPC", "ECPM"].contains(&metric.as_str());
            let found = lacking.value(*metric, &none);
            if is_ratio {
                assert_eq!(found, MetricValue::Unknown, "{metric:?}");
            } else {
                assert_eq!(found, known.value(*metric, &none), "{metric:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn scaling_is_exact(amount in -1_000_000_000_000i128..1_000_000_000_000, part in -1_000_000i128..1_000_000, of in 1i128..1_000_000) {
            prop_assert_eq!(scaled(amount, part, of), half_even(amount * part, of));
        }
    }
}
