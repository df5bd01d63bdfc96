//! The scalars of the schema, and how counts become `Int`. What they mean is the domain's business (`domain::money`,
//! `domain::time`); here is only their way in and out.

use async_graphql::{InputValueError, InputValueResult, Pos, Scalar, ScalarType, Value};

use super::document::{Judge, Judges};
use super::error::{Result, plain};
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::money::{Currency, Excess, SCALE, format_e4, parse_e4};
use crate::domain::time::{Day, Instant, Zone};

/// A decimal number in 1/10 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The number, times 10 000.
    pub e4: i64,
    digits: usize,
}

impl Decimal {
    /// A number that prints with at least `digits` decimals.
    pub fn new(e4: i64, digits: usize) -> Self {
        Self { e4, digits }
    }

    /// A whole number; none beyond what fits.
    pub fn whole(number: i64) -> Option<Self> {
        Some(Self::new(number.checked_mul(SCALE)?, 0))
    }
}

/// An exact decimal number, written as a string such as "31.50" so that no digit is lost. Amounts have at least the
/// decimals of their currency and at most 4. Taken as a string or as a whole number; more than 4 decimals are refused.
#[Scalar(
    name = "Decimal",
    specified_by_url = "https://www.w3.org/TR/xmlschema-2/#decimal"
)]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) if !number.is_f64() => number.to_string(),
            other => {
                return refused(
                    &other,
                    "a decimal number: write it as a string such as \"12.50\"",
                );
            }
        };
        let (e4, _) = parse_e4(&text, Excess::Refuse).map_err(InputValueError::custom)?;
        Ok(Self::new(e4, 0))
    }

    fn to_value(&self) -> Value {
        Value::String(format_e4(self.e4, self.digits))
    }
}

/// A whole number of up to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number that can be beyond 32 bits, written as a string such as "9007199254740993". Taken as a string or as a
/// whole number.
#[Scalar(
    name = "BigInt",
    specified_by_url = "https://www.w3.org/TR/xmlschema-2/#integer"
)]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        match number {
            Some(number) => Ok(Self(number)),
            None => refused(
                &value,
                "a whole number of 64 bits: write it as a string such as \"42\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Instant);

/// A point in time in RFC 3339, such as "2026-05-03T10:00:00Z", from 1970 to 9999. Answers are in UTC, with up to six
/// decimals of the second only where they are not zero; any offset is taken.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Instant::parse_rfc3339(&text)
                .map(Self)
                .map_err(InputValueError::custom),
            other => refused(
                &other,
                "a date and time: write it as a string such as \"2026-05-03T10:00:00Z\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339())
    }
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub Day);

/// A calendar day such as "2026-05-03", from 1970 to 9999. Which instants it covers depends on the time zone that the
/// field names.
#[Scalar(
    name = "Date",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"
)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Day::parse(&text).map(Self).map_err(InputValueError::custom),
            other => refused(
                &other,
                "a calendar day: write it as a string such as \"2026-05-03\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(pub Zone);

/// A time zone by its IANA name, such as "Europe/Warsaw" or "UTC". Offsets and abbreviations are refused, because they
/// know nothing of daylight saving.
#[Scalar(
    name = "TimeZone",
    specified_by_url = "https://www.iana.org/time-zones"
)]
impl ScalarType for TimeZone {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Zone::parse(&text)
                .map(Self)
                .map_err(InputValueError::custom),
            other => refused(
                &other,
                "a time zone: write it as a string such as \"Europe/Warsaw\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.name().to_owned())
    }
}

/// A country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryCode(pub String);

/// A country by its ISO 3166-1 alpha-2 code, such as "PL". Either case is taken.
#[Scalar(
    name = "CountryCode",
    specified_by_url = "https://www.iso.org/iso-3166-country-codes.html"
)]
impl ScalarType for CountryCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text)
                if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
            {
                Ok(Self(text.to_ascii_uppercase()))
            }
            other => refused(
                other,
                "a country: write its two-letter ISO 3166-1 code, such as \"PL\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// A currency by its ISO 4217 code, such as "USD". Either case is taken.
#[Scalar(
    name = "CurrencyCode",
    specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html"
)]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Currency::parse(&text)
                .map(Self)
                .map_err(InputValueError::custom),
            other => refused(
                &other,
                "a currency: write its three-letter ISO 4217 code, such as \"USD\"",
            ),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
    }
}

/// An address on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

/// An address on the web, as the source gave it.
#[Scalar(
    name = "URL",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3986"
)]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => refused(&other, "an address: write it as a string"),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

fn refused<T: ScalarType + async_graphql::InputType>(
    value: &Value,
    wanted: &str,
) -> InputValueResult<T> {
    let shown: String = value.to_string().chars().take(60).collect();
    Err(InputValueError::custom(format!("{shown} is not {wanted}")))
}

/// What is wrong with a value of a scalar, as the scalar itself says it.
fn judge<T: ScalarType + async_graphql::InputType>(value: Value) -> Result<(), String> {
    let parsed = <T as ScalarType>::parse(value);
    parsed
        .map(drop)
        .map_err(|error| plain(&error.into_server_error(Pos::default()).message))
}

/// What the scalars of the schema take that stand in arguments, for the stage before execution.
pub(super) fn judges() -> Judges {
    fn of<T: ScalarType + async_graphql::InputType>() -> (String, Judge) {
        (T::type_name().into_owned(), judge::<T>)
    }
    Judges::from([
        of::<BigInt>(),
        of::<CountryCode>(),
        of::<CurrencyCode>(),
        of::<Date>(),
        of::<DateTime>(),
        of::<Decimal>(),
        of::<TimeZone>(),
        of::<Url>(),
    ])
}

/// A count as `Int`.
///
/// # Errors
/// Beyond 2 147 483 647, where the type of the field ends.
pub fn count(number: i64) -> Result<i32> {
    i32::try_from(number).map_err(|_| {
        let message =
            format!("the count {number} is beyond what an Int holds; ask for a smaller range");
        let passed = PassedLimit::of("counts", i32::MAX, number);
        Error::new(Code::LimitExceeded, message)
            .passing(passed)
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::String(value.to_owned())
    }

    #[test]
    fn decimals_are_taken_as_strings_and_whole_numbers_only() {
        assert_eq!(
            Decimal::parse(text("12.5")).ok().map(|number| number.e4),
            Some(125_000)
        );
        assert_eq!(
            Decimal::parse(Value::from(7)).ok().map(|number| number.e4),
            Some(70_000)
        );
        for refused in [
            Value::from(1.5),
            text("1.23456"),
            text("1,5"),
            Value::Null,
            Value::from(true),
        ] {
            assert!(Decimal::parse(refused.clone()).is_err(), "{refused}");
        }
        assert_eq!(Decimal::new(315_000, 2).to_value(), text("31.50"));
        assert_eq!(Decimal::whole(12).unwrap().to_value(), text("12"));
        assert_eq!(Decimal::whole(i64::MAX), None);
    }

    #[test]
    fn wide_numbers_travel_as_strings() {
        let wide = 9_007_199_254_740_993_i64;
        assert_eq!(BigInt(wide).to_value(), text("9007199254740993"));
        assert_eq!(
            BigInt::parse(text("9007199254740993")).ok(),
            Some(BigInt(wide))
        );
        assert_eq!(BigInt::parse(Value::from(wide)).ok(), Some(BigInt(wide)));
        assert!(BigInt::parse(Value::from(1.5)).is_err());
        assert!(BigInt::parse(text("1e3")).is_err());
    }

    #[test]
    fn times_are_kept_to_the_microsecond() {
        let read = DateTime::parse(text("2026-05-03T12:00:00.000001+02:00"))
            .ok()
            .unwrap();
        assert_eq!(read.to_value(), text("2026-05-03T10:00:00.000001Z"));
        assert!(DateTime::parse(text("2026-05-03")).is_err());
        assert!(DateTime::parse(text("1969-12-31T23:59:59Z")).is_err());
        assert_eq!(
            Date::parse(text("2024-02-29")).ok().unwrap().to_value(),
            text("2024-02-29")
        );
        assert!(Date::parse(text("2023-02-29")).is_err());
        assert!(TimeZone::parse(text("+03:00")).is_err());
        assert_eq!(
            TimeZone::parse(text("Asia/Kathmandu"))
                .ok()
                .unwrap()
                .to_value(),
            text("Asia/Kathmandu")
        );
    }

    /// Scalars whose names end so are answered and never taken.
    const ANSWERED: &str = "Value";

    #[test]
    fn every_scalar_is_judged_before_anything_runs() {
        let text = crate::graphql::sdl();
        let judges = judges();
        let mut known = 0;
        for line in text.lines() {
            let Some(name) = line.strip_prefix("scalar ") else {
                continue;
            };
            let name = name.split(' ').next().unwrap();
            if !name.ends_with(ANSWERED) {
                assert!(judges.contains_key(name), "{name} has no judge");
                known += 1;
            }
        }
        assert_eq!(known, judges.len());
        let said = judges["Date"](Value::from("2026-02-30")).unwrap_err();
        assert!(!said.contains("Failed to parse"), "{said}");
        assert_eq!(judges["Date"](Value::from("2026-02-28")), Ok(()));
    }

    #[test]
    fn codes_are_taken_in_either_case() {
        assert_eq!(
            CountryCode::parse(text("pl")).ok().unwrap().to_value(),
            text("PL")
        );
        assert!(CountryCode::parse(text("POL")).is_err());
        assert_eq!(
            CurrencyCode::parse(text("rub")).ok().unwrap().to_value(),
            text("RUB")
        );
        assert!(CurrencyCode::parse(text("RU")).is_err());
    }

    #[test]
    fn counts_end_where_int_ends() {
        assert_eq!(count(2_147_483_647).unwrap(), i32::MAX);
        assert!(
            count(2_147_483_648)
                .unwrap_err()
                .to_string()
                .contains("2147483648")
        );
    }
}
