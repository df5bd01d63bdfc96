//! Who is in a segment, computed the plain way: loops over all facts for each condition. What periods mean, and what is
//! measured of whom, is written out here once more, because the code under test has it in one place for SQL and columns.

use super::drafts::at;
use super::naive::{item_test, matches, product_test, user_test};
use super::world::Facts;
use actiongraph::domain::action::SOURCE;
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::id::{Kind, PublisherId, derive};
use actiongraph::domain::rule::{
    BuiltIn, Condition, InSegments, Measure, Members, Metric, Rank, Rule, SegmentSet, SetOf,
    Subject, Take, Threshold,
};
use actiongraph::domain::time::{Instant, Preset, Range, Unit, Zone};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime};
use chrono::{TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// Whether someone is in segments.
pub(crate) fn in_segments(facts: &Facts, named: &InSegments, id: Uuid) -> bool {
    let sets = named.segments.iter();
    let inside = sets
        .map(|named| named.set.as_ref().expect("segments are in their places"))
        .any(|set| members(facts, set).contains(&id));
    inside == named.inside
}

/// Whether someone is in a built-in segment, whose members are in their place.
pub(crate) fn in_built_in(built_in: &BuiltIn, id: Uuid) -> bool {
    let members = built_in
        .members
        .as_ref()
        .expect("members are in their place");
    members.ids().contains(&id)
}

/// The members of a segment.
pub(crate) fn members(facts: &Facts, set: &SegmentSet) -> BTreeSet<Uuid> {
    let SetOf::Rule { rule, at, zone } = &set.of else {
        panic!("facts do not know who was in a frozen segment");
    };
    let place = Place {
        facts,
        publisher: set.publisher,
        subject: set.subject,
        at: *at,
        zone: *zone,
    };
    match rule {
        Rule::Users(filter) => {
            place.members(filter, |id, test| user_test(facts, &facts.users[&id], test))
        }
        Rule::Products(filter) => place.members(filter, |id, test| {
            product_test(facts, &facts.products[&id], test)
        }),
    }
}

struct Place<'a> {
    facts: &'a Facts,
    publisher: PublisherId,
    subject: Subject,
    at: Instant,
    zone: Zone,
}

/// What is known of a condition before anyone is looked at.
enum Known {
    Set(BTreeSet<Uuid>),
    Values(BTreeMap<Uuid, i64>),
    Nothing,
}

impl Place<'_> {
    fn members<T>(
        &self,
        filter: &Filter<Condition<T>>,
        own: impl Fn(Uuid, &T) -> bool,
    ) -> BTreeSet<Uuid> {
        let seen: Vec<(Uuid, i64)> = match self.subject {
            Subject::Users => {
                let all = self.facts.users.values();
                all.map(|row| (row.id, row.first_seen_us)).collect()
            }
            Subject::Products => {
                let all = self.facts.products.values();
                all.map(|row| (row.id, row.first_seen_us)).collect()
            }
        };
        // Conditions are few, and what they ask of facts is the same for all.
        let known: BTreeMap<*const Condition<T>, Known> = filter
            .tests()
            .map(|condition| (std::ptr::from_ref(condition), self.known(condition)))
            .collect();
        seen.into_iter()
            .filter(|(_, first)| *first < self.at.micros())
            .map(|(id, _)| id)
            .filter(|id| {
                filter.matches(&|condition| match (
                    &known[&std::ptr::from_ref(condition)],
                    condition,
                ) {
                    (Known::Set(set), _) => set.contains(id),
                    (Known::Values(values), Condition::Threshold(threshold)) => {
                        let zero = of_nothing(threshold.measure.metric);
                        values.get(id).copied().or(zero).is_some_and(|value| {
                            threshold.at_least.is_none_or(|least| value >= least)
                                && threshold.at_most.is_none_or(|most| value <= most)
                        })
                    }
                    (Known::Nothing, Condition::Own(filter)) => {
                        filter.matches(&|test| own(*id, test))
                    }
                    (Known::Nothing, Condition::ClickCountry(op)) => op.holds(&self.country(*id)),
                    _ => panic!("there are no other conditions"),
                })
            })
            .collect()
    }

    fn known<T>(&self, condition: &Condition<T>) -> Known {
        match condition {
            Condition::Rank(rank) => Known::Set(self.ranked(rank)),
            Condition::Members(members) => Known::Set(self.listed(members)),
            Condition::Threshold(threshold) => Known::Values(self.measured(&threshold.measure)),
            Condition::Own(_) | Condition::ClickCountry(_) => Known::Nothing,
        }
    }

    fn listed(&self, members: &Members) -> BTreeSet<Uuid> {
        let mut found: BTreeSet<Uuid> = members.ids.iter().copied().collect();
        for name in &members.names {
            match self.subject {
                Subject::Users => {
                    let all = self.facts.users.values().filter(|row| row.value == *name);
                    found.extend(all.map(|row| row.id));
                }
                Subject::Products => {
                    let key = format!("{SOURCE}\0{name}");
                    found.insert(derive(self.publisher, Kind::Product, &key));
                }
            }
        }
        found
    }

    fn ranked(&self, rank: &Rank) -> BTreeSet<Uuid> {
        let mut values: Vec<(i64, Uuid)> = self
            .measured(&rank.measure)
            .into_iter()
            .map(|(id, value)| (if rank.is_largest { -value } else { value }, id))
            .collect();
        values.sort_unstable();
        let many = values.len();
        let taken = match rank.take {
            Take::Count(count) => usize::try_from(count).unwrap(),
            Take::PercentE4(percent) => {
                (many * usize::try_from(percent).unwrap()).div_ceil(1_000_000)
            }
        };
        values.into_iter().take(taken).map(|(_, id)| id).collect()
    }

    /// The click country of the latest action that is not declined.
    fn country(&self, id: Uuid) -> Value {
        let latest = self
            .facts
            .actions
            .values()
            .filter(|action| action.status != "DECLINED")
            .filter(|action| action.ordered_at_us < self.at.micros())
            .filter(|action| match self.subject {
                Subject::Users => action.user_id == Some(id),
                Subject::Products => {
                    let mut cart = self.facts.cart(action.id).iter();
                    cart.any(|item| item.product_id == Some(id))
                }
            })
            .max_by_key(|action| (action.ordered_at_us, action.id));
        latest.and_then(|action| action.country.clone()).into()
    }

    /// What is measured of each that has a fact.
    fn measured(&self, measure: &Measure) -> BTreeMap<Uuid, i64> {
        let (from, to) = span(measure.period, self.at, self.zone);
        let declined_count = declined_count(measure);
        let mut sums: BTreeMap<Uuid, Sums> = BTreeMap::new();
        for action in self.facts.actions.values() {
            let counts = (from..to).contains(&action.ordered_at_us)
                && (declined_count || action.status != "DECLINED")
                && measure
                    .currency
                    .is_none_or(|currency| action.currency == currency.as_str())
                && matches(self.facts, action, &measure.actions);
            if !counts {
                continue;
            }
            let cart = self.facts.cart(action.id);
            let fits = |item: &&entity::action_item::Model| {
                measure
                    .items
                    .as_ref()
                    .is_none_or(|filter| filter.matches(&|test| item_test(self.facts, item, test)))
            };
            if self.subject == Subject::Users && measure.items.is_none() {
                let Some(user) = action.user_id else { continue };
                let units = cart.iter().map(|item| i64::from(item.units)).sum();
                let amount = action.order_amount_e4.unwrap_or(0);
                sums.entry(user)
                    .or_default()
                    .add(action, (units, amount, action.reward_e4));
                continue;
            }
            for item in cart.iter().filter(fits) {
                let id = match self.subject {
                    Subject::Users => action.user_id,
                    Subject::Products => item.product_id,
                };
                let line = (i64::from(item.units), item.amount_e4, item.reward_e4);
                if let Some(id) = id {
                    sums.entry(id).or_default().add(action, line);
                }
            }
        }
        let values = sums.into_iter();
        values
            .filter_map(|(id, sums)| Some((id, sums.value(measure.metric, self.at)?)))
            .collect()
    }
}

/// What someone without a fact of the period has.
fn of_nothing(metric: Metric) -> Option<i64> {
    match metric {
        Metric::Actions
        | Metric::Units
        | Metric::OrderAmount
        | Metric::Reward
        | Metric::ApprovedActions
        | Metric::DeclinedActions
        | Metric::ActiveDays
        | Metric::Users => Some(0),
        Metric::ApprovalRate | Metric::DaysSinceLast | Metric::DaysSinceFirst => None,
    }
}

/// Whether declined actions count: where decisions are measured, and where the filter names statuses.
fn declined_count(measure: &Measure) -> bool {
    match measure.metric {
        Metric::ApprovedActions | Metric::DeclinedActions | Metric::ApprovalRate => true,
        Metric::Actions
        | Metric::Units
        | Metric::OrderAmount
        | Metric::Reward
        | Metric::ActiveDays
        | Metric::DaysSinceLast
        | Metric::DaysSinceFirst
        | Metric::Users => measure.actions.tests().any(|test| {
            matches!(
                test,
                ActionTest::Field(ActionField::Status | ActionField::RawStatus, _)
            )
        }),
    }
}

/// The microseconds from which and before which a period looks at a moment; nothing is known then of what comes later.
fn span(period: Option<Range>, at: Instant, zone: Zone) -> (i64, i64) {
    let zone: Tz = zone.name().parse().unwrap();
    let now = at.micros();
    let wall = DateTime::from_timestamp_micros(now).unwrap();
    let wall = wall.with_timezone(&zone).naive_local();
    let begin = |date: NaiveDate| reached(zone, date.and_time(NaiveTime::MIN));
    let first = |unit| first_day(unit, wall.date());
    let before = |unit, count| back(first(unit).and_time(NaiveTime::MIN), unit, count);
    let (from, to) = match period {
        None => (0, now),
        Some(Range::Between { from, to }) => (from.micros(), to.micros()),
        Some(Range::Days { from, to }) => {
            (begin(from.to_date()), begin(to.to_date() + Days::new(1)))
        }
        Some(Range::Last {
            count,
            unit: Unit::Hour,
            whole_units,
        }) => {
            let minutes = i64::from(wall.minute()) * 60_000_000;
            let seconds = i64::from(wall.second()) * 1_000_000;
            let into = minutes + seconds + i64::from(wall.nanosecond() / 1_000);
            let end = if whole_units { now - into } else { now };
            (end - i64::from(count) * HOUR, end)
        }
        Some(Range::Last {
            count,
            unit,
            whole_units: false,
        }) => (reached(zone, back(wall, unit, count)), now),
        Some(Range::Last { count, unit, .. }) => {
            (reached(zone, before(unit, count)), begin(first(unit)))
        }
        Some(Range::Preset(preset)) => match preset {
            Preset::Today => (begin(first(Unit::Day)), now),
            Preset::ThisWeek => (begin(first(Unit::Week)), now),
            Preset::ThisMonth => (begin(first(Unit::Month)), now),
            Preset::ThisQuarter => (begin(first(Unit::Quarter)), now),
            Preset::ThisYear => (begin(first(Unit::Year)), now),
            Preset::Yesterday => (reached(zone, before(Unit::Day, 1)), begin(wall.date())),
            Preset::LastWeek => (
                reached(zone, before(Unit::Week, 1)),
                begin(first(Unit::Week)),
            ),
            Preset::LastMonth => (
                reached(zone, before(Unit::Month, 1)),
                begin(first(Unit::Month)),
            ),
            Preset::LastQuarter => (
                reached(zone, before(Unit::Quarter, 1)),
                begin(first(Unit::Quarter)),
            ),
            Preset::LastYear => (
                reached(zone, before(Unit::Year, 1)),
                begin(first(Unit::Year)),
            ),
        },
    };
    (from, to.min(now))
}

/// The first day of the unit that a day lies in; weeks begin on Mondays.
fn first_day(unit: Unit, day: NaiveDate) -> NaiveDate {
    let month = match unit {
        Unit::Hour | Unit::Day => return day,
        Unit::Week => return day - Days::new(day.weekday().num_days_from_monday().into()),
        Unit::Month => day.month(),
        Unit::Quarter => (day.month() - 1) / 3 * 3 + 1,
        Unit::Year => 1,
    };
    NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap()
}

/// So many units earlier on the calendar.
fn back(wall: NaiveDateTime, unit: Unit, count: u32) -> NaiveDateTime {
    match unit {
        Unit::Hour => panic!("hours are none of the calendar's"),
        Unit::Day => wall - Days::new(count.into()),
        Unit::Week => wall - Days::new(7 * u64::from(count)),
        Unit::Month => wall - Months::new(count),
        Unit::Quarter => wall - Months::new(3 * count),
        Unit::Year => wall - Months::new(12 * count),
    }
}

/// The microseconds at which a clock on the wall first shows a time, or where it lands when it skips that.
fn reached(zone: Tz, wall: NaiveDateTime) -> i64 {
    if let Some(time) = zone.from_local_datetime(&wall).earliest() {
        return time.timestamp_micros();
    }
    let minute = wall.with_second(0).unwrap().with_nanosecond(0).unwrap();
    let mut later = (1..24 * 60).map(|minutes| minute + TimeDelta::minutes(minutes));
    let landed = later.find_map(|wall| zone.from_local_datetime(&wall).earliest());
    landed.unwrap().timestamp_micros()
}

/// Sums in the making.
#[derive(Default)]
struct Sums {
    /// Actions with their statuses and instants.
    actions: BTreeMap<Uuid, (String, i64)>,
    users: BTreeSet<Uuid>,
    units: i64,
    amount: i64,
    reward: i64,
}

impl Sums {
    fn add(&mut self, action: &entity::action::Model, (units, amount, reward): (i64, i64, i64)) {
        self.actions
            .insert(action.id, (action.status.clone(), action.ordered_at_us));
        self.users.extend(action.user_id);
        self.units += units;
        self.amount += amount;
        self.reward += reward;
    }

    fn value(&self, metric: Metric, at: Instant) -> Option<i64> {
        let number = |words: &[&str]| {
            let found = self.actions.values();
            let found = found.filter(|(status, _)| words.contains(&status.as_str()));
            i64::try_from(found.count()).unwrap()
        };
        let approved = || number(&["APPROVED", "APPROVED_BUT_STALLED"]);
        let instants = || self.actions.values().map(|(_, ordered)| *ordered);
        let size = |size: usize| i64::try_from(size).unwrap();
        Some(match metric {
            Metric::Actions => size(self.actions.len()),
            Metric::Units => self.units,
            Metric::OrderAmount => self.amount,
            Metric::Reward => self.reward,
            Metric::ApprovedActions => approved(),
            Metric::DeclinedActions => number(&["DECLINED"]),
            Metric::ApprovalRate => {
                let processed = approved() + number(&["DECLINED"]);
                (approved() * 1_000_000).checked_div(processed)?
            }
            Metric::ActiveDays => size(
                instants()
                    .map(|at| at / DAY)
                    .collect::<BTreeSet<i64>>()
                    .len(),
            ),
            Metric::DaysSinceLast => (at.micros() - instants().max()?) / DAY,
            Metric::DaysSinceFirst => (at.micros() - instants().min()?) / DAY,
            Metric::Users => size(self.users.len()),
        })
    }
}

/// Two segments of users and two of products of a publisher, which overlap, as of the end of the tests' data.
pub(crate) fn some_sets(publisher: PublisherId) -> Vec<Arc<SegmentSet>> {
    let often = |at_least| Threshold {
        measure: Measure {
            metric: Metric::Actions,
            currency: None,
            period: None,
            actions: Filter::default(),
            items: None,
        },
        at_least: Some(at_least),
        at_most: None,
    };
    let country = Op::In(vec!["RU".into(), "KZ".into(), "US".into()]);
    let rules = [
        Rule::Users(Filter::Test(Condition::Threshold(often(2)))),
        Rule::Users(Filter::Test(Condition::ClickCountry(country))),
        Rule::Products(Filter::Test(Condition::Threshold(often(2)))),
        Rule::Products(Filter::Test(Condition::Threshold(often(4)))),
    ];
    let sets = (0x5e9_u128..).zip(rules).map(|(number, rule)| {
        Arc::new(SegmentSet {
            id: Uuid::from_u128(number),
            name: format!("segment {number}"),
            publisher,
            subject: rule.subject(),
            of: SetOf::Rule {
                rule,
                at: at("2026-06-15T00:00:00Z"),
                zone: Zone::UTC,
            },
            members: None,
            size: None,
        })
    });
    sets.collect()
}
