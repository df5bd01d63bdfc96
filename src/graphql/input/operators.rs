//! What a field is compared with. All operators that are given must hold; a missing value fails every one but `isNull`.

use async_graphql::{ID, InputObject, InputType, MaybeUndefined};

use super::reader::{Operators, Reader};
use crate::domain::error::{Error, PassedLimit};
use crate::domain::filter::{Op, Value};
use crate::domain::rule::{InSegments, SegmentRef, Subject};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::scalar::{CountryCode, CurrencyCode, Date, DateTime, Decimal};
use crate::graphql::types::words::{
    ActionStatus, ActionType, AdjustmentKind, Eligibility, ImportState,
};

/// A value that a field can be compared with.
trait Comparable {
    /// The value as the filter has it.
    fn value(&self, reader: &Reader) -> Result<Value>;
}

macro_rules! comparable {
    ($($type:ty => |$this:ident, $reader:ident| $value:expr;)+) => {$(
        impl Comparable for $type {
            fn value(&self, $reader: &Reader) -> Result<Value> {
                let $this = self;
                $value
            }
        }
    )+};
}

comparable! {
    String => |text, reader| Ok(reader.text(text)?.into());
    i32 => |number, _reader| Ok(i64::from(*number).into());
    bool => |flag, _reader| Ok((*flag).into());
    Decimal => |amount, _reader| Ok(amount.e4.into());
    DateTime => |time, _reader| Ok(time.0.micros().into());
    Date => |date, _reader| Ok(i64::from(date.0.days()).into());
    CountryCode => |country, _reader| Ok(country.0.as_str().into());
    CurrencyCode => |currency, _reader| Ok(currency.0.as_str().into());
    ID => |id, reader| Ok(reader.key(id)?.into());
    ActionStatus => |word, _reader| Ok(word.as_str().into());
    ActionType => |word, _reader| Ok(word.as_str().into());
    Eligibility => |word, _reader| Ok(word.as_str().into());
    ImportState => |word, _reader| Ok(word.as_str().into());
    AdjustmentKind => |word, _reader| Ok(word.as_str().into());
}

/// Reads an operator if it was given. A null would silently drop the condition, so it is refused.
fn operator<V: InputType>(
    (name, given): (&'static str, &MaybeUndefined<V>),
    reader: &mut Reader,
    ops: &mut Vec<Op>,
    read: impl FnOnce(&V, &Reader) -> Result<Op>,
) -> Result<()> {
    let done = reader.field(name, |reader| match given {
        MaybeUndefined::Undefined => Ok(()),
        MaybeUndefined::Null => Err(reader
            .refuse("null is not compared with: leave the operator out, or use isNull: true")
            .into()),
        MaybeUndefined::Value(value) => {
            reader.test()?;
            ops.push(read(value, reader)?);
            Ok(())
        }
    });
    reader.keep(done).map(|_| ())
}

fn one<V: Comparable>(make: fn(Value) -> Op) -> impl FnOnce(&V, &Reader) -> Result<Op> {
    move |value, reader| Ok(make(value.value(reader)?))
}

fn many<V: Comparable>(make: fn(Vec<Value>) -> Op) -> impl FnOnce(&Vec<V>, &Reader) -> Result<Op> {
    move |values, reader| {
        reader.values(values.len())?;
        let values: Result<Vec<Value>> = values.iter().map(|value| value.value(reader)).collect();
        Ok(make(values?))
    }
}

macro_rules! operators {
    ($(#[$($doc:tt)*])* $name:ident of text) => {
        operators! {
            @make [$(#[$($doc)*])*] $name, String,
            [
                /// Holds this text somewhere.
                contains: MaybeUndefined<String>,
                /// Begins with this text.
                starts_with: MaybeUndefined<String>,
            ]
            [
                ("contains", contains, |text: &String, reader: &Reader| Ok(Op::Contains(reader.text(text)?))),
                ("startsWith", starts_with, |text: &String, reader: &Reader| Ok(Op::StartsWith(reader.text(text)?)))
            ]
        }
    };
    ($(#[$($doc:tt)*])* $name:ident of $value:ty) => {
        operators! { @make [$(#[$($doc)*])*] $name, $value, [] [] }
    };
    ($(#[$($doc:tt)*])* $name:ident of ordered $value:ty) => {
        operators! {
            @make [$(#[$($doc)*])*] $name, $value,
            [
                /// Below this value.
                lt: MaybeUndefined<$value>,
                /// At most this value.
                lte: MaybeUndefined<$value>,
                /// Above this value.
                gt: MaybeUndefined<$value>,
                /// At least this value.
                gte: MaybeUndefined<$value>,
            ]
            [("lt", lt, one(Op::Lt)), ("lte", lte, one(Op::Lte)), ("gt", gt, one(Op::Gt)), ("gte", gte, one(Op::Gte))]
        }
    };
    (
        @make [$($doc:tt)*] $name:ident, $value:ty,
        [$($fields:tt)*] [$(($text:literal, $field:ident, $read:expr)),*]
    ) => {
        $($doc)*
        #[derive(Debug, InputObject)]
        pub struct $name {
            /// Equal to this value.
            eq: MaybeUndefined<$value>,
            /// Present and not equal to this value.
            ne: MaybeUndefined<$value>,
            /// One of these values; of an empty list, nothing is.
            #[graphql(name = "in")]
            one_of: MaybeUndefined<Vec<$value>>,
            /// Present and none of these values.
            not_in: MaybeUndefined<Vec<$value>>,
            $($fields)*
            /// Missing (true) or present (false).
            is_null: MaybeUndefined<bool>,
        }

        impl Operators for $name {
            fn read(&self, reader: &mut Reader) -> Result<Vec<Op>> {
                let mut ops = Vec::new();
                operator(("eq", &self.eq), reader, &mut ops, one(Op::Eq))?;
                operator(("ne", &self.ne), reader, &mut ops, one(Op::Ne))?;
                operator(("in", &self.one_of), reader, &mut ops, many(Op::In))?;
                operator(("notIn", &self.not_in), reader, &mut ops, many(Op::NotIn))?;
                $(operator(($text, &self.$field), reader, &mut ops, $read)?;)*
                operator(("isNull", &self.is_null), reader, &mut ops, |wanted, _| Ok(Op::IsNull(*wanted)))?;
                Ok(ops)
            }
        }
    };
}

operators! {
    /// Comparisons with a text, exactly as it is stored; fields that say so are compared without regard to case.
    StringFilter of text
}
operators! {
    /// Comparisons with a whole number.
    IntFilter of ordered i32
}
operators! {
    /// Comparisons with an amount, in the currency of each row; filter by `currency` too.
    MoneyFilter of ordered Decimal
}
operators! {
    /// Comparisons with a point in time.
    DateTimeFilter of ordered DateTime
}
operators! {
    /// Comparisons with a calendar day.
    DateFilter of ordered Date
}
operators! {
    /// Comparisons with an id.
    IdFilter of ID
}
operators! {
    /// Comparisons with a country.
    CountryFilter of CountryCode
}
operators! {
    /// Comparisons with a currency.
    CurrencyFilter of CurrencyCode
}
operators! {
    /// Comparisons with an action's status. APPROVED does not include APPROVED_BUT_STALLED.
    StatusFilter of ActionStatus
}
operators! {
    /// Comparisons with an action's type.
    ActionTypeFilter of ActionType
}
operators! {
    /// Comparisons with the eligibility that is expected of an action.
    EligibilityFilter of Eligibility
}
operators! {
    /// Comparisons with what an adjustment is.
    AdjustmentKindFilter of AdjustmentKind
}
operators! {
    /// Comparisons with the state of an import run.
    ImportStateFilter of ImportState
}

/// Comparisons with a flag.
#[derive(Debug, InputObject)]
pub struct BooleanFilter {
    /// Equal to this value.
    eq: MaybeUndefined<bool>,
    /// Missing (true) or present (false).
    is_null: MaybeUndefined<bool>,
}

impl Operators for BooleanFilter {
    fn read(&self, reader: &mut Reader) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        operator(("eq", &self.eq), reader, &mut ops, one(Op::Eq))?;
        operator(("isNull", &self.is_null), reader, &mut ops, |wanted, _| {
            Ok(Op::IsNull(*wanted))
        })?;
        Ok(ops)
    }
}

/// Membership in segments, evaluated now.
#[derive(Debug, InputObject)]
pub struct SegmentFilter {
    /// In at least one of these segments, at most 20 by default; of an empty list, nothing is.
    #[graphql(name = "in")]
    one_of: MaybeUndefined<Vec<ID>>,
    /// In none of these segments, at most 20 by default.
    not_in: MaybeUndefined<Vec<ID>>,
}

impl SegmentFilter {
    /// Reads it: segments of a subject.
    ///
    /// # Errors
    /// When an id is none of a segment, or there are too many.
    pub fn read(&self, subject: Subject, reader: &mut Reader) -> Result<Vec<InSegments>> {
        let lists = [("in", &self.one_of, true), ("notIn", &self.not_in, false)];
        let mut found = Vec::new();
        for (name, given, inside) in lists {
            let read = reader.field(name, |reader| {
                let ids = match given {
                    MaybeUndefined::Undefined => return Ok(None),
                    MaybeUndefined::Null => {
                        let message = "null is not compared with: leave the operator out";
                        return Err(reader.refuse(message).into());
                    }
                    MaybeUndefined::Value(ids) => ids,
                };
                reader.test()?;
                let most = reader.limits().filters.segments;
                if ids.len() > most {
                    let place = reader.place();
                    let message = format!(
                        "{place} names {} segments, the most is {most}: make a segment of them and name that",
                        ids.len()
                    );
                    let passed = PassedLimit::of("filterSegments", most, ids.len());
                    return Err(Error::limit(place, passed, message).into());
                }
                let mut segments = Vec::with_capacity(ids.len());
                for (number, id) in ids.iter().enumerate() {
                    let id = reader.item(number, |reader| {
                        let key = Kind::Segment.key(id).ok_or_else(|| {
                            reader.refuse("that is no id of type Segment; `segments` lists them")
                        })?;
                        reader.name(key, subject);
                        Ok(key)
                    });
                    segments.extend(reader.keep(id)?.map(SegmentRef::from));
                }
                Ok(Some(InSegments { inside, segments }))
            });
            found.extend(reader.keep(read)?.flatten());
        }
        Ok(found)
    }
}

/// Reads a list of ids as one condition.
///
/// # Errors
/// When there are too many, or one is no id of the type that is being filtered.
pub fn ids(given: &Vec<ID>, reader: &mut Reader) -> Result<Op> {
    reader.test()?;
    many(Op::In)(given, reader)
}
