//! A rule in words, for people who look at a segment or ask why someone is in it.

use super::{
    BuiltIn, BuiltInKind, Condition, InSegments, Measure, Metric, Rank, Rule, Segment, Take,
    Threshold,
};
use crate::domain::filter::{
    ActionField, ActionTest, AdSpaceTest, CategoryTest, Filter, ItemField, ItemTest, Op,
    ProductField, ProductTest, ProgramTest, Quantifier, UserField, UserTest, Value,
};
use crate::domain::money::format_e4;
use crate::domain::segment::UserSegment;
use crate::domain::time::{Day, Instant, Preset, Range, Unit};
use std::fmt::Debug;

/// How many values of a list are named one by one.
const NAMED: usize = 3;

/// What the whole numbers of a field are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Amount,
    Instant,
    Day,
}

/// A condition in words.
trait Told {
    fn tell(&self) -> String;

    /// The built-in segment that it is about, if it is about one.
    fn built_in(&self) -> Option<&BuiltIn> {
        None
    }
}

impl<T: Told> Told for Filter<T> {
    fn tell(&self) -> String {
        let list = |parts: &[Self], between: &str, none: &str| match parts {
            [] => none.to_owned(),
            [one] => one.tell(),
            parts => {
                let parts: Vec<String> = parts.iter().map(Told::tell).collect();
                format!("({})", parts.join(between))
            }
        };
        match self {
            Self::All(parts) => list(parts, " and ", "everything"),
            Self::Any(parts) => list(parts, " or ", "nothing"),
            Self::Not(part) => format!("not ({})", part.tell()),
            Self::Test(test) => test.tell(),
        }
    }
}

/// A variant's name as words: `FirstSeen` is "first seen".
fn words(name: impl Debug) -> String {
    let mut text = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn value(value: &Value, kind: Kind) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Int(number) => match kind {
            Kind::Plain => number.to_string(),
            Kind::Amount => format_e4(*number, 2),
            Kind::Instant => Instant::from_micros(*number)
                .map_or_else(|_| number.to_string(), Instant::to_rfc3339),
            Kind::Day => i32::try_from(*number)
                .ok()
                .and_then(|days| Day::from_days(days).ok())
                .map_or_else(|| number.to_string(), |day| day.to_string()),
        },
        Value::Text(text) => format!("{text:?}"),
        Value::Id(_) => "a certain one".to_owned(),
    }
}

fn list(values: &[Value], kind: Kind) -> String {
    if values.len() > NAMED || values.iter().any(|value| matches!(value, Value::Id(_))) {
        return format!("one of {}", values.len());
    }
    let named: Vec<String> = values.iter().map(|one| value(one, kind)).collect();
    format!("one of {}", named.join(", "))
}

fn op(name: &str, op: &Op, kind: Kind) -> String {
    match op {
        Op::Eq(one) => format!("{name} is {}", value(one, kind)),
        Op::Ne(one) => format!("{name} is there and not {}", value(one, kind)),
        Op::In(values) => format!("{name} is {}", list(values, kind)),
        Op::NotIn(values) => format!("{name} is there and not {}", list(values, kind)),
        Op::Lt(one) => format!("{name} is below {}", value(one, kind)),
        Op::Lte(one) => format!("{name} is at most {}", value(one, kind)),
        Op::Gt(one) => format!("{name} is above {}", value(one, kind)),
        Op::Gte(one) => format!("{name} is at least {}", value(one, kind)),
        Op::Contains(part) => format!("{name} contains {part:?}"),
        Op::StartsWith(part) => format!("{name} begins with {part:?}"),
        Op::IsNull(true) => format!("{name} is missing"),
        Op::IsNull(false) => format!("{name} is there"),
    }
}

impl Told for InSegments {
    fn tell(&self) -> String {
        let names: Vec<String> = self
            .segments
            .iter()
            .map(|named| {
                let set = named.set.as_ref();
                set.map_or_else(|| "another".to_owned(), |set| format!("{:?}", set.name))
            })
            .collect();
        let names = names.join(" or ");
        if self.inside {
            format!("in the segment {names}")
        } else {
            format!("not in the segment {names}")
        }
    }
}

impl Told for BuiltIn {
    fn tell(&self) -> String {
        let mut text = String::from("in the built-in segment ");
        match &self.kind {
            BuiltInKind::Products(kind) => text.push_str(kind.as_str()),
            BuiltInKind::Users { kind, origin } => {
                text.push_str(kind.as_str());
                if matches!(kind, UserSegment::Country | UserSegment::Device) {
                    text.push(' ');
                    text.push_str(origin.as_deref().unwrap_or("unknown"));
                }
            }
        }
        text.push(' ');
        match self.period {
            Some(_) => text.push_str(&period(self.period)),
            None => text.push_str("in the period that is set"),
        }
        if let Some(currency) = self.currency {
            text.push_str(&format!(", by amounts in {currency}"));
        }
        text
    }
}

impl Told for UserTest {
    fn tell(&self) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    UserField::FirstSeen => Kind::Instant,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind)
            }
            Self::Segment(named) => named.tell(),
            Self::BuiltIn(built_in) => built_in.tell(),
        }
    }

    fn built_in(&self) -> Option<&BuiltIn> {
        match self {
            Self::BuiltIn(built_in) => Some(built_in.as_ref()),
            Self::Field(..) | Self::Segment(_) => None,
        }
    }
}

impl Told for ProductTest {
    fn tell(&self) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    ProductField::FirstSeen => Kind::Instant,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind)
            }
            Self::Category(filter) => format!("category: {}", filter.tell()),
            Self::Segment(named) => named.tell(),
            Self::BuiltIn(built_in) => built_in.tell(),
        }
    }

    fn built_in(&self) -> Option<&BuiltIn> {
        match self {
            Self::BuiltIn(built_in) => Some(built_in.as_ref()),
            Self::Field(..) | Self::Category(_) | Self::Segment(_) => None,
        }
    }
}

impl Told for CategoryTest {
    fn tell(&self) -> String {
        op(&words(self.0), &self.1, Kind::Plain)
    }
}

impl Told for ProgramTest {
    fn tell(&self) -> String {
        op(&words(self.0), &self.1, Kind::Plain)
    }
}

impl Told for AdSpaceTest {
    fn tell(&self) -> String {
        op(&words(self.0), &self.1, Kind::Plain)
    }
}

impl Told for ItemTest {
    fn tell(&self) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    ItemField::Amount | ItemField::Reward => Kind::Amount,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind)
            }
            Self::Product(filter) => format!("product: {}", filter.tell()),
            Self::Category(filter) => format!("category: {}", filter.tell()),
        }
    }
}

impl Told for ActionTest {
    fn tell(&self) -> String {
        match self {
            // When it is asked is not part of the rule.
            Self::Field(ActionField::HoldEndedBy, Op::Lt(_)) => "the hold is over".to_owned(),
            Self::Field(field, by) => {
                let kind = match field {
                    ActionField::Reward | ActionField::OrderAmount => Kind::Amount,
                    ActionField::ClickedAt
                    | ActionField::OrderedAt
                    | ActionField::StatusUpdatedAt
                    | ActionField::HoldEndsAt
                    | ActionField::HoldEndedBy => Kind::Instant,
                    ActionField::ClosingDay => Kind::Day,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind)
            }
            Self::Program(filter) => format!("program: {}", filter.tell()),
            Self::AdSpace(filter) => format!("ad space: {}", filter.tell()),
            Self::User(filter) => format!("user: {}", filter.tell()),
            Self::Items(quantifier, filter) => {
                let which = match quantifier {
                    Quantifier::Some => "an item with",
                    Quantifier::Every => "only items with",
                    Quantifier::None => "no item with",
                };
                format!("{which} {}", filter.tell())
            }
        }
    }
}

/// A period in words, led by a preposition.
fn period(range: Option<Range>) -> String {
    match range {
        None => "ever".to_owned(),
        Some(Range::Between { from, to }) => {
            format!("from {} to {}", from.to_rfc3339(), to.to_rfc3339())
        }
        Some(Range::Days { from, to }) => format!("from {from} to {to}"),
        Some(Range::Last {
            count,
            unit,
            whole_units,
        }) => {
            let whole = if whole_units { "whole " } else { "" };
            let unit = match unit {
                Unit::Hour => "hours",
                Unit::Day => "days",
                Unit::Week => "weeks",
                Unit::Month => "months",
                Unit::Quarter => "quarters",
                Unit::Year => "years",
            };
            format!("in the last {count} {whole}{unit}")
        }
        Some(Range::Preset(preset)) => match preset {
            Preset::Today => "today".to_owned(),
            Preset::Yesterday => "yesterday".to_owned(),
            other => words(other),
        },
    }
}

impl Measure {
    /// What is measured, in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = match self.metric {
            Metric::OrderAmount => "order amount".to_owned(),
            Metric::Reward => "reward".to_owned(),
            Metric::ApprovalRate => "approval rate".to_owned(),
            Metric::DaysSinceLast => "days since the latest action".to_owned(),
            Metric::DaysSinceFirst => "days since the first action".to_owned(),
            other => words(other),
        };
        if let Some(currency) = self.currency {
            text.push_str(&format!(" in {currency}"));
        }
        text.push(' ');
        text.push_str(&period(self.period));
        if self.actions != Filter::default() {
            text.push_str(&format!(", of actions with {}", self.actions.tell()));
        }
        if let Some(items) = &self.items {
            text.push_str(&format!(", of items with {}", items.tell()));
        }
        text
    }

    /// A value of it, in words.
    #[must_use]
    pub fn shown(&self, value: i64) -> String {
        match (self.metric, self.currency) {
            (Metric::ApprovalRate, _) => {
                let text = format!("{}.{:06}", value / 1_000_000, value % 1_000_000);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            (Metric::OrderAmount | Metric::Reward, Some(currency)) => {
                format!("{} {currency}", format_e4(value, currency.minor_digits()))
            }
            _ => value.to_string(),
        }
    }
}

impl Threshold {
    /// What is needed, in words.
    #[must_use]
    pub fn needed(&self) -> String {
        let shown = |value| self.measure.shown(value);
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) if least == most => format!("exactly {}", shown(least)),
            (Some(least), Some(most)) => format!("from {} to {}", shown(least), shown(most)),
            (Some(least), None) => format!("at least {}", shown(least)),
            (None, Some(most)) => format!("at most {}", shown(most)),
            (None, None) => "any value".to_owned(),
        }
    }
}

impl Rank {
    /// What is needed, in words.
    #[must_use]
    pub fn needed(&self) -> String {
        let which = if self.is_largest {
            "largest"
        } else {
            "smallest"
        };
        match self.take {
            Take::Count(count) => format!("among the {count} {which}"),
            Take::PercentE4(percent) => {
                let percent = format_e4(i64::from(percent), 0);
                format!("among the {which} {percent} percent")
            }
        }
    }
}

impl<T: Told> Told for Condition<T> {
    fn tell(&self) -> String {
        match self {
            Self::Own(filter) => filter.tell(),
            Self::ClickCountry(by) => op("the click country of the latest action", by, Kind::Plain),
            Self::Threshold(threshold) => {
                format!("{}: {}", threshold.measure.sentence(), threshold.needed())
            }
            Self::Rank(rank) => format!("{}: {}", rank.measure.sentence(), rank.needed()),
            Self::Members(members) => {
                format!("one of {} listed", members.ids.len() + members.names.len())
            }
        }
    }
}

/// A condition of a rule in words.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    /// All of it.
    pub sentence: String,
    /// What is needed of what is measured.
    pub needed: Option<String>,
    /// What is measured.
    pub measure: Option<&'a Measure>,
    /// The built-in segment that it is about.
    pub built_in: Option<&'a BuiltIn>,
}

fn describe<T: Told>(condition: &Condition<T>) -> Described<'_> {
    let (needed, measure) = match condition {
        Condition::Threshold(threshold) => (Some(threshold.needed()), Some(&threshold.measure)),
        Condition::Rank(rank) => (Some(rank.needed()), Some(&rank.measure)),
        Condition::Own(_) | Condition::ClickCountry(_) | Condition::Members(_) => (None, None),
    };
    Described {
        sentence: condition.tell(),
        needed,
        measure,
        built_in: match condition {
            Condition::Own(Filter::Test(test)) => test.built_in(),
            _ => None,
        },
    }
}

impl BuiltIn {
    /// The condition in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.tell()
    }
}

impl Segment {
    /// Why the members of a frozen segment are in it, in words; `source` is the segment that it was frozen from. Nothing of
    /// one that is not frozen.
    #[must_use]
    pub fn frozen_sentence(&self, source: Option<&Self>) -> Option<String> {
        let frozen_at = self.frozen_at?.to_rfc3339();
        let name = source.map_or_else(|| "another".to_owned(), |one| format!("{:?}", one.name));
        let version = self.frozen_from.map(|(_, version)| version);
        let version = version.map_or_else(String::new, |number| format!(" at version {number}"));
        Some(format!(
            "in the segment {name}{version} when it was frozen on {frozen_at}"
        ))
    }
}

impl Rule {
    /// The rule in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Users(filter) => format!("Users: {}", filter.tell()),
            Self::Products(filter) => format!("Products: {}", filter.tell()),
        }
    }

    /// Its conditions, in their order.
    #[must_use]
    pub fn conditions(&self) -> Vec<Described<'_>> {
        match self {
            Self::Users(filter) => filter.tests().map(describe).collect(),
            Self::Products(filter) => filter.tests().map(describe).collect(),
        }
    }
}
