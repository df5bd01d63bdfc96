//! Exchange rates: which is in force on a day, and what an amount is in another currency.

use super::measured::{FINE, half_even};
use crate::domain::money::Currency;
use std::collections::BTreeMap;

/// How many decimals a rate has.
pub const RATE_DECIMALS: usize = 9;
/// How many parts 1 has in a rate.
const RATE_SCALE: i128 = 1_000_000_000;

/// What one unit of a currency is worth in another from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From.
    pub from: Currency,
    /// To.
    pub to: Currency,
    /// The first day, days since 1970-01-01.
    pub day: i32,
    /// Units of `to` for one of `from`, in billionths; above 0.
    pub rate_e9: i64,
}

/// Dated rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(BTreeMap<(Currency, Currency), BTreeMap<i32, i64>>);

impl Rates {
    /// These rates; of two for one pair and day the last.
    #[must_use]
    pub fn new(rates: impl IntoIterator<Item = Rate>) -> Self {
        let mut held = Self::default();
        for rate in rates {
            let days = held.0.entry((rate.from, rate.to)).or_default();
            days.insert(rate.day, rate.rate_e9);
        }
        held
    }

    /// The rate of a pair on a day: the latest that is not later.
    fn in_force(&self, pair: (Currency, Currency), day: i32) -> Option<i128> {
        let days = self.0.get(&pair)?;
        let (_, rate) = days.range(..=day).next_back()?;
        (*rate > 0).then_some(i128::from(*rate))
    }

    /// An amount of 1/10 000 in another currency by the rate of a day, in [`FINE`] parts: exact by the rate of the pair,
    /// rounded half to even in those parts by the rate of the opposite pair, where there is only that.
    #[must_use]
    pub fn convert(
        &self,
        amount_e4: i64,
        (from, to): (Currency, Currency),
        day: i32,
    ) -> Option<i128> {
        let amount = i128::from(amount_e4);
        if from == to {
            return Some(amount * FINE);
        }
        if let Some(rate) = self.in_force((from, to), day) {
            return Some(amount * rate * (FINE / RATE_SCALE));
        }
        let rate = self.in_force((to, from), day)?;
        Some(half_even(amount * FINE * RATE_SCALE, rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn the_latest_rate_not_later_than_the_day_counts_and_the_opposite_one_where_there_is_only_that()
    {
        let (usd, rub) = (Currency::USD, code("RUB"));
        let rate = |day, rate_e9| Rate {
            from: usd,
            to: rub,
            day,
            rate_e9,
        };
        let rates = Rates::new([rate(10, 80_000_000_000), rate(20, 90_500_000_000)]);
        let fine = |e4: i128| Some(e4 * FINE);
        assert_eq!(rates.convert(3, (usd, rub), 9), None);
        assert_eq!(rates.convert(3, (usd, rub), 10), fine(240));
        assert_eq!(rates.convert(3, (usd, rub), 19), fine(240));
        assert_eq!(rates.convert(2, (usd, rub), 25), fine(181));
        assert_eq!(rates.convert(240, (rub, usd), 12), fine(3));
        assert_eq!(rates.convert(1, (rub, usd), 12), Some(12_500_000));
        assert_eq!(rates.convert(-7, (rub, rub), 0), fine(-7));
        assert_eq!(rates.convert(1, (code("EUR"), usd), 12), None);
    }
}
