//! What arguments say of the actions that are looked through: how often, and for how many points in time.

use std::sync::Arc;

use async_graphql::Value as ConstValue;
use async_graphql::parser::types as out;
use async_graphql_value::Value;

use super::ast::base_name;
use super::cost::{Arguments, Given, Looked, WINDOW};
use super::plan::Scan;
use super::schema::{FieldInfo, InputValue, ScanCost};
use crate::domain::time::{DAY_US, Instant};

/// The input that names segments in lists, each of which is looked up.
const SEGMENTS: &str = "SegmentFilter";

/// Microseconds of an hour.
const HOUR_US: u64 = 3_600_000_000;

/// How often a value has to be looked through something for.
pub(super) fn times(value: &Value, given: &InputValue) -> u64 {
    let times = match value {
        // What is declined is not looked for.
        Value::Null | Value::Boolean(false) => 0,
        Value::List(items) => items.len(),
        Value::Object(fields) if base_name(&given.ty) == SEGMENTS => {
            let lists = fields.values().map(|field| match field {
                Value::List(items) => items.len(),
                Value::Null => 0,
                _ => 1,
            });
            lists.sum()
        }
        _ => 1,
    };
    u64::try_from(times).unwrap_or(u64::MAX)
}

/// Whether a field's arguments say how far it looks back.
pub(super) fn names_period(arguments: &Arguments) -> bool {
    let mut arguments = arguments.iter();
    arguments.any(|(name, value)| {
        (name.node == *"range" || name.node == *WINDOW) && value.node != Value::Null
    })
}

/// Whether a field that does not ask by an argument for what that looks through asks for it by what is selected below.
pub(super) fn is_selected(field: &out::Field, argument: &InputValue) -> bool {
    let mut given = field.arguments.iter();
    let is_given =
        given.any(|(name, value)| name.node == argument.name && times(&value.node, argument) > 0);
    !is_given && selects(&field.selection_set.node, &argument.or_selected)
}

/// Whether a written set selects any of these names, at any depth.
fn selects(set: &out::SelectionSet, names: &[String]) -> bool {
    !names.is_empty()
        && set.items.iter().any(|item| match &item.node {
            out::Selection::Field(field) => {
                let field = &field.node;
                names.iter().any(|name| field.name.node == **name)
                    || selects(&field.selection_set.node, names)
            }
            out::Selection::InlineFragment(inline) => {
                selects(&inline.node.selection_set.node, names)
            }
            out::Selection::FragmentSpread(_) => false,
        })
}

/// Arguments that ask for another page than the first.
const LATER_PAGES: &[&str] = &["after", "last", "before"];

/// The argument that says by what a report is divided.
const GROUPS: &str = "groupBy";

/// What it says where the total that answers has nearly as many rows as there are actions.
const PRODUCTS: &str = "PRODUCT";

/// Whether no more actions are looked through than reports may read, by the arguments of the field.
pub(super) fn is_limited(cost: &ScanCost, arguments: &Given) -> bool {
    cost.is_limited && !arguments.get(GROUPS).is_some_and(names_products)
}

fn names_products(value: &ConstValue) -> bool {
    match value {
        ConstValue::Enum(word) => *word == *PRODUCTS,
        ConstValue::String(word) => word == PRODUCTS,
        ConstValue::List(items) => items.iter().any(names_products),
        _ => false,
    }
}

/// What a field of so many objects has to look through with these arguments.
pub(super) fn scan(info: &FieldInfo, range: &Looked, rows: u64) -> Option<Scan> {
    let (cost, if_given) = info.scan.as_ref()?;
    let given = |name: &str| {
        let value = range.arguments.get(name);
        value.is_some_and(|value| *value != ConstValue::Null)
    };
    let is_later = cost.is_of_first_page && LATER_PAGES.iter().any(|name| given(name));
    let is_asked = if_given.as_ref().is_none_or(|name| given(name));
    is_asked.then_some(Scan {
        fixed: 0,
        once: cost.once,
        weight: cost.weight,
        held: cost.held.filter(|_| !is_later),
        arguments: Arc::clone(&range.arguments),
        usual: range.usual,
        is_of_saved: cost.is_of_saved,
        is_limited: is_limited(cost, &range.arguments),
        entries: if cost.is_of_saved { rows } else { 1 },
        points: 1,
        number: 0,
    })
}

/// Into how many stretches of time a field divides its range, of which it may have so many; none where it does not.
pub(super) fn stretches(arguments: &Arguments, most: usize) -> Option<u64> {
    let argument = |name: &str| {
        let mut arguments = arguments.iter();
        let found = arguments.find(|(known, _)| known.node == *name);
        found.map(|(_, value)| &value.node)
    };
    let (Value::Object(range), bucket) = (argument("range")?, word(argument("bucket")?)?) else {
        return None;
    };
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let one = range.iter().find(|(_, value)| **value != Value::Null);
    let known = one.and_then(|(kind, value)| divided((kind.as_str(), value), bucket));
    Some(known.map_or(most, |known| known.clamp(1, most)))
}

/// Into how many stretches of a length a range is divided at most; nothing of what cannot be read, which is refused later.
fn divided((kind, range): (&str, &Value), bucket: &str) -> Option<u64> {
    let (least, _) = hours(bucket)?;
    let of = |hours: u64| hours.div_ceil(least).saturating_add(1);
    match (kind, range) {
        ("last", Value::Object(last)) => {
            let Value::Number(count) = last.get("count")? else {
                return None;
            };
            let (count, unit) = (count.as_u64()?, word(last.get("unit")?)?);
            if unit == bucket {
                return Some(count.saturating_add(1));
            }
            Some(of(count.saturating_mul(hours(unit)?.1)))
        }
        ("between", Value::Object(range)) => {
            let (from, to) = (instant(range.get("from")?)?, instant(range.get("to")?)?);
            let lasts = to.micros().saturating_sub(from.micros());
            let lasts = u64::try_from(lasts).unwrap_or(0);
            Some(of(lasts.div_ceil(HOUR_US)))
        }
        ("days", Value::Object(range)) => {
            let (from, to) = (day(range.get("from")?)?, day(range.get("to")?)?);
            let days = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
            // The last day is inside, and the clock may be changed on one.
            Some(of(days
                .saturating_add(1)
                .saturating_mul(24)
                .saturating_add(1)))
        }
        ("preset", preset) => {
            let unit = word(preset)?.rsplit('_').next().unwrap_or_default();
            let unit = hours(unit).map_or("DAY", |_| unit);
            Some(of(hours(unit)?.1))
        }
        _ => None,
    }
}

/// A word of an enum, or a text: variables hold both as texts.
fn word(value: &Value) -> Option<&str> {
    match value {
        Value::Enum(word) => Some(word.as_str()),
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// How many hours a unit of time has at least and at most.
fn hours(unit: &str) -> Option<(u64, u64)> {
    Some(match unit {
        "HOUR" => (1, 1),
        "DAY" => (23, 25),
        "WEEK" => (7 * 24 - 1, 7 * 24 + 1),
        "MONTH" => (28 * 24 - 1, 31 * 24 + 1),
        "QUARTER" => (90 * 24 - 1, 92 * 24 + 1),
        "YEAR" => (365 * 24 - 1, 366 * 24 + 1),
        _ => return None,
    })
}

/// What a date and time with its offset means.
fn instant(text: &Value) -> Option<Instant> {
    Instant::parse_rfc3339(word(text)?).ok()
}

/// A date, as days since 1970-01-01.
fn day(text: &Value) -> Option<i64> {
    let midnight = format!("{}T00:00:00Z", word(text)?);
    let midnight = Instant::parse_rfc3339(&midnight).ok()?;
    Some(midnight.micros().div_euclid(DAY_US))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::Selection;

    fn points(arguments: &str) -> Option<u64> {
        let document = parse_query(format!("{{ trend({arguments}) }}")).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        match &operation.node.selection_set.node.items[0].node {
            Selection::Field(field) => stretches(&field.node.arguments, 60),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_divided_into_so_many_stretches_at_most() {
        for (arguments, expected) in [
            ("range: {last: {count: 12, unit: MONTH}}, bucket: MONTH", 13),
            ("range: {last: {count: 60, unit: HOUR}}, bucket: HOUR", 60),
            ("range: {last: {count: 9, unit: YEAR}}, bucket: DAY", 60),
            ("range: {last: {count: 1, unit: YEAR}}, bucket: MONTH", 15),
            ("range: {last: {count: 2, unit: WEEK}}, bucket: MONTH", 2),
            (
                "range: {days: {from: \"2026-01-01\", to: \"2026-01-07\"}}, bucket: DAY",
                9,
            ),
            (
                "range: {between: {from: \"2026-01-01T05:00:00Z\", to: \"2026-01-01T09:00:00Z\"}}, bucket: HOUR",
                5,
            ),
            // Two instants are as far apart as their offsets say.
            (
                "range: {between: {from: \"2026-01-02T00:00:00+14:00\", to: \"2026-01-02T12:00:00-12:00\"}}, bucket: HOUR",
                39,
            ),
            (
                "range: {between: {from: \"2026-01-01T00:00:00-12:00\", to: \"2026-01-02T02:00:00+14:00\"}}, bucket: HOUR",
                1,
            ),
            (
                "range: {between: {from: \"2026-01-01T05:00:00Z\", to: \"2026-01-01T09:00:00.000001Z\"}}, bucket: HOUR",
                6,
            ),
            (
                "range: {between: {from: \"2026-01-01\", to: \"2026-01-02\"}}, bucket: HOUR",
                60,
            ),
            ("range: {preset: LAST_MONTH}, bucket: WEEK", 6),
            ("range: {preset: TODAY}, bucket: HOUR", 26),
            ("range: {days: {from: \"x\", to: \"y\"}}, bucket: DAY", 60),
            (
                "range: {last: {count: 2, unit: DAY}}, bucket: QUARTER_HOUR",
                60,
            ),
        ] {
            assert_eq!(points(arguments), Some(expected), "{arguments}");
        }
        assert_eq!(points("range: {preset: TODAY}"), None);
        assert_eq!(points("bucket: DAY"), None);
    }
}
