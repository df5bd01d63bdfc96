//! Built-in segments as conditions of filters and rules.

use async_graphql::{InputObject, MaybeUndefined, OneofObject};

use super::range::RangeInput;
use super::reader::Reader;
use crate::domain::filter::{Filter, ProductTest, UserTest};
use crate::domain::money::Currency;
use crate::domain::rule::{BuiltIn, BuiltInKind, Condition};
use crate::domain::segment::UserSegment;
use crate::domain::time::{Range, WeekStart, Zone};
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{CountryCode, CurrencyCode};
use crate::graphql::types::words::{ProductSegmentKind, UserSegmentKind};

/// Being in a built-in segment of users over a period: its members are those of `userSegments` over the period, with the
/// parameters that the publisher has set (`segmentSettings`).
#[derive(Clone, Debug, InputObject)]
pub struct BuiltInUserSegment {
    /// Which segment. Nobody is in UNATTRIBUTED: its actions are those of `{not: {user: {}}}`, a filter on actions.
    kind: UserSegmentKind,
    /// When, by the order's instant, in the publisher's time zone. It ends with now, or with the moment that a segment
    /// is asked as of; in the rule of a segment it is kept as it is given and moves on with time. Without it the days up to
    /// now that the publisher has set when it is asked (`segmentSettings`), else 90.
    period: Option<RangeInput>,
    /// The currency of the monetary score and of HIGH_VALUE; as the publisher set it unless given. Refused with segments
    /// that know no amounts.
    currency: Option<CurrencyCode>,
    /// The country of the segment COUNTRY, which needs it; null for users whose latest action names none.
    country: MaybeUndefined<CountryCode>,
    /// The class of device of the segment DEVICE, such as mobile, which needs it; null for users whose latest action
    /// names none.
    device: MaybeUndefined<String>,
}

/// Being in a built-in segment of products over a period: its members are those of `productSegments` over the period,
/// with the parameters that the publisher has set (`segmentSettings`).
#[derive(Clone, Debug, InputObject)]
pub struct BuiltInProductSegment {
    /// Which segment.
    kind: ProductSegmentKind,
    /// When, by the order's instant, in the publisher's time zone. It ends with now, or with the moment that a segment
    /// is asked as of; in the rule of a segment it is kept as it is given and moves on with time. Without it the days up to
    /// now that the publisher has set when it is asked (`segmentSettings`), else 30.
    period: Option<RangeInput>,
}

/// A built-in segment over a period, in exactly one of two ways: wherever segments are laid over each other or divide a report.
#[derive(Clone, Debug, OneofObject)]
pub enum BuiltInSegmentInput {
    /// One of users.
    Users(BuiltInUserSegment),
    /// One of products.
    Products(BuiltInProductSegment),
}

/// Reads built-in segments that an argument lists, in their order.
///
/// # Errors
/// When one cannot be accepted, or is named twice.
pub fn list(given: &[BuiltInSegmentInput], reader: &mut Reader) -> Result<Vec<BuiltIn>> {
    let mut all: Vec<BuiltIn> = Vec::with_capacity(given.len());
    for (number, one) in given.iter().enumerate() {
        reader.item(number, |reader| {
            let read = match one {
                BuiltInSegmentInput::Users(one) => reader.field("users", |reader| one.read(reader)),
                BuiltInSegmentInput::Products(one) => {
                    reader.field("products", |reader| one.read(reader))
                }
            };
            let read = read?;
            if read.as_ref().is_some_and(|read| all.contains(read)) {
                let message = "the built-in segment is named twice: name it once";
                return Err(reader.refuse(message).into());
            }
            all.extend(read);
            Ok(())
        })?;
    }
    Ok(all)
}

/// A period that is kept as it is given.
///
/// # Errors
/// When it ends before it begins, counts nothing, or reaches too far.
pub fn period(given: RangeInput, reader: &Reader) -> Result<Range> {
    let range = given
        .range()
        .map_err(|failure| reader.refuse(failure.error().message()))?;
    let place = reader.place();
    range
        .resolve(reader.now(), Zone::UTC, WeekStart::default())
        .map_err(|error| Failure::time(&place, &error))?;
    Ok(range)
}

impl BuiltInUserSegment {
    fn read(&self, reader: &mut Reader) -> Result<Option<BuiltIn>> {
        reader.test()?;
        let kind = UserSegment::from(self.kind);
        let period = reader.field("period", |reader| {
            self.period.map(|given| period(given, reader)).transpose()
        });
        let period = reader.keep(period)?;
        let currency = reader.field("currency", |reader| self.currency(kind, reader));
        let currency = reader.keep(currency)?.flatten();
        let country = self.country.as_opt_ref();
        let country = country.map(|code| code.map(|code| code.0.as_str()));
        let country = reader.field("country", |reader| {
            origin(country, UserSegment::Country, kind, reader)
        });
        let country = reader.keep(country)?.flatten();
        let device = self.device.as_opt_ref();
        let device = device.map(|class| class.map(String::as_str));
        let device = reader.field("device", |reader| {
            origin(device, UserSegment::Device, kind, reader)
        });
        let device = reader.keep(device)?.flatten();
        Ok(period.map(|period| BuiltIn {
            kind: BuiltInKind::Users {
                kind,
                origin: country.or(device),
            },
            period,
            currency,
            members: None,
        }))
    }

    fn currency(&self, kind: UserSegment, reader: &mut Reader) -> Result<Option<Currency>> {
        let Some(CurrencyCode(currency)) = self.currency else {
            return Ok(None);
        };
        if !kind.is_rfm() && kind != UserSegment::HighValue {
            let message = "this segment knows no amounts: leave currency out";
            return Err(reader.refuse(message).into());
        }
        reader.scored_in(currency);
        Ok(Some(currency))
    }
}

/// The country or the device of a segment by it, which needs one; others have none.
fn origin(
    given: Option<Option<&str>>,
    of: UserSegment,
    kind: UserSegment,
    reader: &Reader,
) -> Result<Option<String>> {
    match given {
        None if kind == of => {
            let message = format!(
                "{} is one segment for each: say which, or null for users whose latest action names none",
                of.as_str()
            );
            Err(reader.refuse(&message).into())
        }
        None | Some(None) => Ok(None),
        Some(Some(_)) if kind != of => {
            let message = format!("that belongs to {} alone: leave it out", of.as_str());
            Err(reader.refuse(&message).into())
        }
        Some(Some(text)) => reader.text(text).map(Some),
    }
}

impl BuiltInProductSegment {
    fn read(&self, reader: &mut Reader) -> Result<Option<BuiltIn>> {
        reader.test()?;
        let period = reader.field("period", |reader| {
            self.period.map(|given| period(given, reader)).transpose()
        });
        Ok(reader.keep(period)?.map(|period| BuiltIn {
            kind: BuiltInKind::Products(self.kind.into()),
            period,
            currency: None,
            members: None,
        }))
    }
}

/// A condition as a filter; none where it could not be read, which was noted.
fn filter<T>(read: Option<BuiltIn>, test: fn(Box<BuiltIn>) -> T) -> Filter<T> {
    read.map_or_else(Filter::default, |read| Filter::Test(test(Box::new(read))))
}

/// Reads a condition of a filter on users.
///
/// # Errors
/// When it cannot be accepted.
pub fn of_users(given: &BuiltInUserSegment, reader: &mut Reader) -> Result<Filter<UserTest>> {
    Ok(filter(given.read(reader)?, UserTest::BuiltIn))
}

/// Reads a condition of a filter on products.
///
/// # Errors
/// When it cannot be accepted.
pub fn of_products(
    given: &BuiltInProductSegment,
    reader: &mut Reader,
) -> Result<Filter<ProductTest>> {
    Ok(filter(given.read(reader)?, ProductTest::BuiltIn))
}

/// Reads a condition of a rule on users.
///
/// # Errors
/// When it cannot be accepted.
pub fn in_rule_of_users(
    given: &BuiltInUserSegment,
    reader: &mut Reader,
) -> Result<Filter<Condition<UserTest>>> {
    of_users(given, reader).map(|read| Filter::Test(Condition::Own(read)))
}

/// Reads a condition of a rule on products.
///
/// # Errors
/// When it cannot be accepted.
pub fn in_rule_of_products(
    given: &BuiltInProductSegment,
    reader: &mut Reader,
) -> Result<Filter<Condition<ProductTest>>> {
    of_products(given, reader).map(|read| Filter::Test(Condition::Own(read)))
}
