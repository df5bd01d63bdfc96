//! Money: whole numbers of 1/10 000 of a currency unit beside an ISO 4217 code. Never a float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many units of ours make one unit of the currency.
pub const SCALE: i64 = 10_000;

/// The largest amount that is accepted, in currency units: far above any order, far below an overflow of sums.
pub const MAX_UNITS: i64 = 10_000_000_000;

/// An ISO 4217 code: three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(*b"USD");

    /// Reads a code; lower case is taken as upper case.
    ///
    /// # Errors
    /// When it is not three letters.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match text.trim().as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) => Ok(Self([
                a.to_ascii_uppercase(),
                b.to_ascii_uppercase(),
                c.to_ascii_uppercase(),
            ])),
            _ => Err(MoneyError::Currency(short(text))),
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimals ISO 4217 gives the currency; 2 where it is silent.
    #[must_use]
    pub fn minor_digits(self) -> usize {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// 1/10 000 of the currency unit.
    pub e4: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The amount as text: at least the currency's decimals, at most four.
    #[must_use]
    pub fn amount(self) -> String {
        format_e4(self.e4, self.currency.minor_digits())
    }
}

/// Why an amount or a currency is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("{0:?} is not a decimal number; write one like -12.50")]
    Syntax(String),
    /// More than four decimals where none may be lost.
    #[error("{0:?} has more than 4 decimals; round it to 4")]
    Precision(String),
    /// Beyond the largest amount.
    #[error("{0:?} is beyond the largest amount of 10000000000")]
    Range(String),
    /// Not a currency code.
    #[error("{0:?} is not a currency; write its three-letter ISO 4217 code, such as USD")]
    Currency(String),
}

/// What to do with decimals beyond the fourth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Refuse the amount: for what a caller types.
    Refuse,
    /// Round half to even: for what upstream sends.
    RoundHalfEven,
}

/// Reads a decimal such as `31.5`, `-0.0001` or `1e2` as a whole number of 1/10 000; the flag says whether it was
/// rounded.
///
/// # Errors
/// [`MoneyError`] for anything else, for too many decimals with [`Excess::Refuse`], and beyond [`MAX_UNITS`].
pub fn parse_e4(text: &str, excess: Excess) -> Result<(i64, bool), MoneyError> {
    let syntax = || MoneyError::Syntax(short(text));
    let range = || MoneyError::Range(short(text));
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| syntax())?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let empty = whole.is_empty() && fraction.is_empty();
    if empty || !digits_only(whole) || !digits_only(fraction) || mantissa.ends_with('.') {
        return Err(syntax());
    }
    let digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .map(|byte| byte - b'0')
        .collect();
    // The place, in `digits`, behind the last digit that counts as 1/10 000.
    let kept = i64::try_from(whole.len()).map_err(|_| range())? + i64::from(exponent) + 4;
    let mut value: i64 = 0;
    for place in 0..kept.max(0) {
        let digit = usize::try_from(place)
            .ok()
            .and_then(|place| digits.get(place))
            .copied()
            .unwrap_or(0);
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i64::from(digit)))
            .ok_or_else(range)?;
        if value > MAX_UNITS * SCALE {
            return Err(range());
        }
        if value == 0 && place > 400 {
            break;
        }
    }
    let (up, exact) = rounding(&digits, kept, value);
    if !exact && excess == Excess::Refuse {
        return Err(MoneyError::Precision(short(text)));
    }
    let value = value + i64::from(up);
    Ok((if negative { -value } else { value }, !exact))
}

/// Whether the digits from place `kept` on round the value up (half to even), and whether they are all zero.
fn rounding(digits: &[u8], kept: i64, value: i64) -> (bool, bool) {
    let Ok(start) = usize::try_from(kept) else {
        // All digits lie below the first that counts: less than half of it.
        return (false, digits.iter().all(|digit| *digit == 0));
    };
    let tail = digits.get(start..).unwrap_or(&[]);
    let exact = tail.iter().all(|digit| *digit == 0);
    let up = match tail.split_first() {
        Some((first, rest)) if *first == 5 && rest.iter().all(|digit| *digit == 0) => {
            value % 2 == 1
        }
        Some((first, _)) => *first >= 5,
        None => false,
    };
    (up, exact)
}

/// Writes a whole number of 1/10 000 with at least `min_digits` and at most four decimals.
#[must_use]
pub fn format_e4(e4: i64, min_digits: usize) -> String {
    let sign = if e4 < 0 { "-" } else { "" };
    let size = e4.unsigned_abs();
    let scale = SCALE.unsigned_abs();
    let mut fraction = format!("{:04}", size % scale);
    while fraction.len() > min_digits.min(4) && fraction.ends_with('0') {
        fraction.pop();
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}", size / scale)
}

/// A bound that was given in 1/10 000, in units of which `scale` make one: a multiple of [`SCALE`] or a part of it. Where
/// they are larger than 1/10 000 it is rounded inwards, so up for a least value. None beyond any value.
#[must_use]
pub fn bound_in(scale: i64, e4: i64, is_least: bool) -> Option<i64> {
    if scale >= SCALE {
        return e4.checked_mul(scale / SCALE);
    }
    let step = SCALE / scale.max(1);
    let more = is_least && e4.rem_euclid(step) > 0;
    e4.div_euclid(step).checked_add(i64::from(more))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_upstream_and_callers_write() {
        for (text, e4) in [
            ("31.50", 315_000),
            ("31.5", 315_000),
            ("0", 0),
            ("-0.0001", -1),
            (".5", 5_000),
            ("1e2", 1_000_000),
            ("1.5E-1", 1_500),
            ("+7", 70_000),
            ("0000000000000000000001.10", 11_000),
        ] {
            assert_eq!(parse_e4(text, Excess::Refuse), Ok((e4, false)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            "1,5",
            "1.2.3",
            "NaN",
            "1e",
            "0x10",
            " 1",
            "٣",
            "1e99999999999",
        ] {
            assert!(parse_e4(text, Excess::RoundHalfEven).is_err(), "{text}");
        }
        assert!(matches!(
            parse_e4("10000000001", Excess::Refuse),
            Err(MoneyError::Range(_))
        ));
        assert!(matches!(
            parse_e4("1e300", Excess::Refuse),
            Err(MoneyError::Range(_))
        ));
        assert!(matches!(
            parse_e4("0.00001", Excess::Refuse),
            Err(MoneyError::Precision(_))
        ));
    }

    #[test]
    fn rounds_half_to_even_and_says_so() {
        for (text, e4) in [
            ("0.00005", 0),
            ("0.00015", 2),
            ("0.000051", 1),
            ("-0.00025", -2),
            ("1e-9", 0),
        ] {
            assert_eq!(
                parse_e4(text, Excess::RoundHalfEven),
                Ok((e4, true)),
                "{text}"
            );
        }
    }

    #[test]
    fn prints_at_least_the_currency_s_decimals() {
        assert_eq!(
            Money {
                e4: 315_000,
                currency: Currency::USD
            }
            .amount(),
            "31.50"
        );
        assert_eq!(
            Money {
                e4: 315_001,
                currency: Currency::USD
            }
            .amount(),
            "31.5001"
        );
        assert_eq!(
            Money {
                e4: -10_000,
                currency: Currency(*b"JPY")
            }
            .amount(),
            "-1"
        );
        assert_eq!(
            Money {
                e4: 0,
                currency: Currency(*b"KWD")
            }
            .amount(),
            "0.000"
        );
    }

    #[test]
    fn bounds_are_rounded_inwards_where_units_are_larger() {
        for (scale, e4, least, most) in [
            (1, 15_000, Some(2), Some(1)),
            (1, -15_000, Some(-1), Some(-2)),
            (1, 20_000, Some(2), Some(2)),
            (100, 12_345, Some(124), Some(123)),
            (SCALE, 15_001, Some(15_001), Some(15_001)),
            (1_000_000, 5_000, Some(500_000), Some(500_000)),
            (1_000_000, i64::MAX, None, None),
        ] {
            assert_eq!(bound_in(scale, e4, true), least, "{scale} {e4}");
            assert_eq!(bound_in(scale, e4, false), most, "{scale} {e4}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(e4 in -MAX_UNITS * SCALE..=MAX_UNITS * SCALE, digits in 0usize..=4) {
            prop_assert_eq!(parse_e4(&format_e4(e4, digits), Excess::Refuse), Ok((e4, false)));
        }

        #[test]
        fn any_text_is_an_answer_or_an_error(text in ".{0,40}") {
            let _ = parse_e4(&text, Excess::RoundHalfEven);
        }
    }
}
