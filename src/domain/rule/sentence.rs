//! A rule in words, for people who look at a segment or ask why someone is in it.

mod filters;

use super::{
    BuiltIn, BuiltInKind, Condition, InSegments, Measure, Members, Metric, Rank, Rule, Segment,
    Take, Threshold,
};
use crate::domain::filter::{Filter, Op, Value};
use crate::domain::money::format_e4;
use crate::domain::segment::UserSegment;
use crate::domain::time::{Day, Instant, Preset, Range, Unit};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use uuid::Uuid;

/// How many values of a list are named one by one.
const NAMED: usize = 3;

/// A kind of things that rules name by their ids or list, and people by what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// An action.
    Action,
    /// An ad space.
    AdSpace,
    /// A category.
    Category,
    /// A product.
    Product,
    /// A program.
    Program,
    /// A user.
    User,
}

/// What a rule names a thing by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Its id.
    Id(Uuid),
    /// The name of a listed member: a product's natural key, or a user's value in any user space.
    Listed(String),
}

/// What things that are there are called in a sentence; nothing for those without a name, and where that is not shown.
pub type Called = HashMap<(Thing, Name), Option<String>>;

/// Tells what a thing is called, if it is there.
type Call<'a> = &'a dyn Fn(Thing, Name) -> Option<Option<String>>;

/// What the whole numbers of a field are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Amount,
    Instant,
    Day,
    /// Ids of things, which are told by what these are called.
    Thing(Thing),
}

/// A condition in words.
trait Told {
    fn tell(&self, call: Call<'_>) -> String;

    /// The built-in segment that it is about, if it is about one.
    fn built_in(&self) -> Option<&BuiltIn> {
        None
    }

    /// Whether it says which thing it is about, by the thing itself.
    fn is_which(&self) -> bool {
        false
    }
}

/// A condition on what segments are sets of.
trait OfSubject: Told {
    /// What the members are.
    const THING: Thing;
}

/// What a filter says of something with a name.
fn about<T: Told>(name: &str, filter: &Filter<T>, call: Call<'_>) -> String {
    let mark = match only(filter) {
        Some(test) if test.is_which() => "",
        _ => ":",
    };
    format!("{name}{mark} {}", filter.tell(call))
}

/// The condition of a filter that has no other.
fn only<T>(filter: &Filter<T>) -> Option<&T> {
    match filter {
        Filter::Test(test) => Some(test),
        Filter::All(parts) | Filter::Any(parts) => match parts.as_slice() {
            [one] => only(one),
            _ => None,
        },
        Filter::Not(_) => None,
    }
}

impl<T: Told> Told for Filter<T> {
    fn tell(&self, call: Call<'_>) -> String {
        let list = |parts: &[Self], between: &str, none: &str| match parts {
            [] => none.to_owned(),
            [one] => one.tell(call),
            parts => {
                let parts: Vec<String> = parts.iter().map(|part| part.tell(call)).collect();
                format!("({})", parts.join(between))
            }
        };
        match self {
            Self::All(parts) => list(parts, " and ", "everything"),
            Self::Any(parts) => list(parts, " or ", "nothing"),
            Self::Not(part) => format!("not ({})", part.tell(call)),
            Self::Test(test) => test.tell(call),
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

fn value(value: &Value, kind: Kind, call: Call<'_>) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Int(number) => match kind {
            Kind::Plain | Kind::Thing(_) => number.to_string(),
            Kind::Amount => format_e4(*number, 2),
            Kind::Instant => Instant::from_micros(*number)
                .map_or_else(|_| number.to_string(), Instant::to_rfc3339),
            Kind::Day => i32::try_from(*number)
                .ok()
                .and_then(|days| Day::from_days(days).ok())
                .map_or_else(|| number.to_string(), |day| day.to_string()),
        },
        Value::Text(text) => format!("{text:?}"),
        Value::Id(id) => match kind {
            Kind::Thing(thing) => {
                let unnamed = || Some("a certain one".to_owned());
                let called = call(thing, Name::Id(*id));
                let called = called.and_then(|name| name.or_else(unnamed));
                called.unwrap_or_else(|| "one that is not there".to_owned())
            }
            _ => "a certain one".to_owned(),
        },
    }
}

fn list(values: &[Value], kind: Kind, call: Call<'_>) -> String {
    if let (Kind::Thing(_), [one]) = (kind, values) {
        return value(one, kind, call);
    }
    let named = values.iter().take(NAMED);
    let named: Vec<String> = named.map(|one| value(one, kind, call)).collect();
    let named = named.join(", ");
    match values.len().saturating_sub(NAMED) {
        0 if named.is_empty() => "one of none".to_owned(),
        0 => format!("one of {named}"),
        more => format!("one of {named} and {more} more"),
    }
}

/// How many are listed, and what the first of them are called: who is not there, or must not be named, is only counted.
fn listed(members: &Members, thing: Thing, call: Call<'_>) -> String {
    let ids = members.ids.iter().map(|id| Name::Id(*id));
    let all = ids.chain(members.names.iter().cloned().map(Name::Listed));
    let count = members.ids.len().saturating_add(members.names.len());
    let first = all.take(NAMED);
    let named: Vec<String> = first.filter_map(|name| call(thing, name)?).collect();
    let mut text = format!("one of {count} listed");
    if !named.is_empty() {
        text.push_str(&format!(": {}", named.join(", ")));
        match count.saturating_sub(named.len()) {
            0 => {}
            more => text.push_str(&format!(" and {more} more")),
        }
    }
    text
}

fn op(name: &str, op: &Op, kind: Kind, call: Call<'_>) -> String {
    let shown = |one| value(one, kind, call);
    match op {
        Op::Eq(one) => format!("{name} is {}", shown(one)),
        Op::Ne(one) => format!("{name} is there and not {}", shown(one)),
        Op::In(values) => format!("{name} is {}", list(values, kind, call)),
        Op::NotIn(values) => format!("{name} is there and not {}", list(values, kind, call)),
        Op::Lt(one) => format!("{name} is below {}", shown(one)),
        Op::Lte(one) => format!("{name} is at most {}", shown(one)),
        Op::Gt(one) => format!("{name} is above {}", shown(one)),
        Op::Gte(one) => format!("{name} is at least {}", shown(one)),
        Op::Contains(part) => format!("{name} contains {part:?}"),
        Op::StartsWith(part) => format!("{name} begins with {part:?}"),
        Op::IsNull(true) => format!("{name} is missing"),
        Op::IsNull(false) => format!("{name} is there"),
    }
}

/// Which thing it is, or is not, in words that stand behind what kind of thing it is.
fn which((is, not): (&str, &str), by: &Op, thing: Thing, call: Call<'_>) -> String {
    let kind = Kind::Thing(thing);
    match by {
        Op::Eq(one) => format!("{is} {}", value(one, kind, call)),
        Op::Ne(one) => format!("{not} {}", value(one, kind, call)),
        Op::In(values) => format!("{is} {}", list(values, kind, call)),
        Op::NotIn(values) => format!("{not} {}", list(values, kind, call)),
        other => op("id", other, kind, call),
    }
}

impl Told for InSegments {
    fn tell(&self, _: Call<'_>) -> String {
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
    fn tell(&self, _: Call<'_>) -> String {
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
    fn sentence(&self, call: Call<'_>) -> String {
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
            text.push_str(&format!(", of actions with {}", self.actions.tell(call)));
        }
        if let Some(items) = &self.items {
            text.push_str(&format!(", of items with {}", items.tell(call)));
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

impl<T: OfSubject> Told for Condition<T> {
    fn tell(&self, call: Call<'_>) -> String {
        match self {
            Self::Own(filter) => filter.tell(call),
            Self::ClickCountry(by) => op(
                "the click country of the latest action",
                by,
                Kind::Plain,
                call,
            ),
            Self::Threshold(threshold) => {
                format!(
                    "{}: {}",
                    threshold.measure.sentence(call),
                    threshold.needed()
                )
            }
            Self::Rank(rank) => format!("{}: {}", rank.measure.sentence(call), rank.needed()),
            Self::Members(members) => listed(members, T::THING, call),
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

fn describe<'a, T: OfSubject>(condition: &'a Condition<T>, call: Call<'_>) -> Described<'a> {
    let (needed, measure) = match condition {
        Condition::Threshold(threshold) => (Some(threshold.needed()), Some(&threshold.measure)),
        Condition::Rank(rank) => (Some(rank.needed()), Some(&rank.measure)),
        Condition::Own(_) | Condition::ClickCountry(_) | Condition::Members(_) => (None, None),
    };
    Described {
        sentence: condition.tell(call),
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
        self.tell(&|_, _| None)
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
    /// The rule in words, with what the things that it names are called.
    #[must_use]
    pub fn sentence(&self, called: &Called) -> String {
        self.tell(&|thing, name| called.get(&(thing, name)).cloned())
    }

    /// The things whose names its sentence has, by what it names them by.
    #[must_use]
    pub fn things(&self) -> BTreeSet<(Thing, Name)> {
        let things = RefCell::new(BTreeSet::new());
        self.tell(&|thing, name| {
            things.borrow_mut().insert((thing, name));
            None
        });
        things.into_inner()
    }

    fn tell(&self, call: Call<'_>) -> String {
        match self {
            Self::Users(filter) => format!("Users: {}", filter.tell(call)),
            Self::Products(filter) => format!("Products: {}", filter.tell(call)),
        }
    }

    /// Its conditions, in their order.
    #[must_use]
    pub fn conditions(&self, called: &Called) -> Vec<Described<'_>> {
        let call: Call<'_> = &|thing, name| called.get(&(thing, name)).cloned();
        match self {
            Self::Users(filter) => filter.tests().map(|test| describe(test, call)).collect(),
            Self::Products(filter) => filter.tests().map(|test| describe(test, call)).collect(),
        }
    }
}
