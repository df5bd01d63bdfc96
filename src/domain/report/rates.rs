//! Exchange rates: which is in force on a day, what an amount is in another currency, and how a file of them is read.

use super::measured::{FINE, half_even};
use crate::domain::money::Currency;
use crate::domain::time::Day;
use std::collections::BTreeMap;

/// How many decimals a rate has.
pub const RATE_DECIMALS: usize = 9;
/// The columns of a file of rates, in any order.
pub const COLUMNS: [&str; 4] = ["from", "to", "day", "rate"];
/// How many faults of a file are told.
const MAX_FAULTS: usize = 20;
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

    /// The rate of a pair on a day, and since when it is known: the latest that is not later.
    fn in_force(&self, pair: (Currency, Currency), day: i32) -> Option<(i32, i128)> {
        let days = self.0.get(&pair)?;
        let (since, rate) = days.range(..=day).next_back()?;
        (*rate > 0).then_some((*since, i128::from(*rate)))
    }

    /// An amount of 1/10 000 in another currency by the latest rate up to a day, in [`FINE`] parts: exact by a rate of the
    /// pair, rounded half to even in those parts by one of the opposite pair, where that is the later one.
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
        let direct = self.in_force((from, to), day);
        let opposite = self.in_force((to, from), day);
        match (direct, opposite) {
            // Of one day the pair's own is the exact one.
            (Some((since, rate)), opposite) if opposite.is_none_or(|(later, _)| since >= later) => {
                Some(amount * rate * (FINE / RATE_SCALE))
            }
            (_, opposite) => {
                let (_, rate) = opposite?;
                Some(half_even(amount * FINE * RATE_SCALE, rate))
            }
        }
    }
}

/// What is wrong with a line of a file of rates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Reads a file of rates: comma-separated, with the heading `from,to,day,rate` in any order. A rate is what one unit of
/// `from` is worth in `to` from the day on, with at most nine decimals.
///
/// # Errors
/// What is wrong, line by line, up to the twentieth fault.
pub fn parse_csv(text: &str) -> Result<Vec<Rate>, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    let Some((heading, first)) = lines.next() else {
        return Err(vec![Fault {
            line: 1,
            what: "the file is empty; begin it with the heading from,to,day,rate".to_owned(),
        }]);
    };
    let names: Vec<String> = fields(heading).map(str::to_ascii_lowercase).collect();
    let places = COLUMNS.map(|column| names.iter().position(|name| name == column));
    let [Some(from), Some(to), Some(day), Some(rate)] = places else {
        return Err(vec![Fault {
            line: first,
            what: format!("the heading is {heading:?}; it must name from, to, day and rate"),
        }]);
    };
    let (mut rates, mut faults) = (Vec::new(), Vec::new());
    for (line, number) in lines {
        let row: Vec<&str> = fields(line).collect();
        let field = |place: usize| row.get(place).copied().unwrap_or("");
        match read(field(from), field(to), field(day), field(rate)) {
            Ok(rate) => rates.push(rate),
            Err(what) => faults.push(Fault { line: number, what }),
        }
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    if faults.is_empty() {
        Ok(rates)
    } else {
        Err(faults)
    }
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',')
        .map(|field| field.trim().trim_matches('"').trim())
}

fn read(from: &str, to: &str, day: &str, rate: &str) -> Result<Rate, String> {
    let code = |text: &str| Currency::parse(text).map_err(|error| error.to_string());
    let (from, to) = (code(from)?, code(to)?);
    if from == to {
        return Err(format!(
            "from and to are both {from}; a currency is worth 1 of itself"
        ));
    }
    Ok(Rate {
        from,
        to,
        day: Day::parse(day).map_err(|error| error.to_string())?.days(),
        rate_e9: rate_e9(rate)?,
    })
}

/// A rate as upstream writes it: a decimal above 0 as a whole number of billionths; more than nine decimals are rounded half
/// to even.
///
/// # Errors
/// What is wrong with it, in words; also where nothing but 0 is left of it.
pub fn parse_upstream_rate(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let Some(tail) = fraction
        .get(RATE_DECIMALS..)
        .filter(|tail| !tail.is_empty())
    else {
        return rate_e9(text);
    };
    if !tail.bytes().all(|byte| byte.is_ascii_digit()) {
        return rate_e9(text);
    }
    let kept = text.get(..text.len() - tail.len()).unwrap_or(text);
    // A rate that rounds up from nothing is above 0: count it in, and out again.
    let floor = match rate_e9(kept) {
        Ok(floor) => floor,
        Err(_) if kept.bytes().all(|byte| matches!(byte, b'0' | b'.')) && kept.starts_with('0') => {
            0
        }
        Err(error) => return Err(error),
    };
    let half = format!("5{}", "0".repeat(tail.len() - 1));
    let up = match tail.cmp(half.as_str()) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => floor % 2,
        std::cmp::Ordering::Greater => 1,
    };
    match floor.checked_add(up) {
        Some(rate) if rate > 0 => Ok(rate),
        _ => rate_e9(kept),
    }
}

/// A decimal above 0 as a whole number of billionths.
fn rate_e9(text: &str) -> Result<i64, String> {
    let wrong = |why: &str| format!("the rate {text:?} {why}");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(wrong(
            "is not a decimal number; write one like 0.0125 or 92.5",
        ));
    }
    if fraction.len() > RATE_DECIMALS {
        return Err(wrong("has more than 9 decimals; round it to 9"));
    }
    let rate: i64 = format!("{whole}{fraction:0<RATE_DECIMALS$}")
        .parse()
        .map_err(|_| wrong("is too large; at most 9000000000 can be stored"))?;
    if rate == 0 {
        return Err(wrong("is not above 0"));
    }
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn a_rate_of_upstream_is_rounded_to_nine_decimals() {
        for (text, e9) in [
            ("92.5", 92_500_000_000),
            (" 0.0109170305676856 ", 10_917_031),
            ("0.0000000005", 0),
            ("0.0000000015", 2),
            ("0.00000000250", 2),
            ("0.00000000051", 1),
            ("1.0000000009999", 1_000_000_001),
        ] {
            assert_eq!(parse_upstream_rate(text).unwrap_or_default(), e9, "{text}");
        }
        for text in [
            "",
            "x",
            "1.",
            "-1",
            "0",
            "0.0000000000",
            "1.0000000000x",
            "1e5",
        ] {
            assert!(parse_upstream_rate(text).is_err(), "{text}");
        }
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

    #[test]
    fn the_later_of_a_rate_and_its_opposite_counts_and_of_one_day_the_pairs_own() {
        let (usd, rub) = (Currency::USD, code("RUB"));
        let rate = |from, to, day, rate_e9| Rate {
            from,
            to,
            day,
            rate_e9,
        };
        let rates = Rates::new([
            rate(usd, rub, 10, 50_000_000_000),
            // Eighty roubles for a dollar.
            rate(rub, usd, 20, 12_500_000),
            rate(usd, rub, 30, 90_000_000_000),
            rate(rub, usd, 30, 1_000_000),
        ]);
        let fine = |e4: i128| Some(e4 * FINE);
        assert_eq!(rates.convert(1, (usd, rub), 19), fine(50));
        assert_eq!(rates.convert(1, (usd, rub), 20), fine(80));
        assert_eq!(rates.convert(80, (rub, usd), 29), fine(1));
        assert_eq!(rates.convert(1, (usd, rub), 30), fine(90));
        assert_eq!(rates.convert(1_000, (rub, usd), 30), fine(1));
    }

    #[test]
    fn files_are_read_in_any_order_of_columns() {
        let read = parse_csv(
            "\u{feff}day, rate ,from,to\r\n\"2026-03-01\",92.5,usd,RUB\r\n\r\n1970-01-02,0.000000001,EUR,USD\n",
        );
        let rate = |from, to, day, rate_e9| Rate {
            from: code(from),
            to: code(to),
            day,
            rate_e9,
        };
        assert_eq!(
            read.unwrap(),
            [
                rate("USD", "RUB", 20_513, 92_500_000_000),
                rate("EUR", "USD", 1, 1)
            ]
        );
    }

    #[test]
    fn faults_are_told_with_their_lines() {
        let faults = |text: &str| -> Vec<String> {
            parse_csv(text)
                .unwrap_err()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert!(faults("")[0].contains("empty"));
        assert!(faults("from,to,rate\n")[0].starts_with("line 1: the heading"));
        let text = "from,to,day,rate\nUSD,EUR,2026-01-01,0.9\nUSD,EUR,2026-02-30,0.9\nUSD,USD,2026-01-01,1\n\
                    USD,EURO,2026-01-01,1\nUSD,EUR,2026-01-01,-1\nUSD,EUR,2026-01-01,0.0000000001\n\
                    USD,EUR,2026-01-01,0\nUSD,EUR,2026-01-01,99999999999\nUSD,EUR\n";
        let found = faults(text);
        for (line, words) in [
            (3, "calendar"),
            (4, "both USD"),
            (5, "three-letter"),
            (6, "decimal number"),
            (7, "9 decimals"),
            (8, "above 0"),
            (9, "too large"),
            (10, "calendar day"),
        ] {
            let fault = found
                .iter()
                .find(|fault| fault.starts_with(&format!("line {line}: ")));
            assert!(
                fault.is_some_and(|fault| fault.contains(words)),
                "{line}: {found:#?}"
            );
        }
        assert_eq!(found.len(), 8);
    }
}
