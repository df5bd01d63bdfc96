//! What a report should answer, computed the plain way: loops over all facts, with none of `analytics` and `store`.

use super::naive::{self, in_range, line_up, local_start};
use super::naive_segment;
use super::world::Facts;
use actiongraph::domain::filter::{ActionField, ActionTest};
use actiongraph::domain::money::{Currency, Money};
use actiongraph::domain::page::Direction;
use actiongraph::domain::report::metric::{Metric, MetricValue, Quantiles, Values};
use actiongraph::domain::report::plan::What;
use actiongraph::domain::report::rates::Rate;
use actiongraph::domain::report::{
    Bucket, Comparison, Dimension, KeyPart, OrderKey, ReportRequest,
};
use actiongraph::domain::rule::{SegmentSet, Subject};
use actiongraph::domain::sales::{AxisRange, DateAxis};
use actiongraph::domain::text::fold;
use actiongraph::domain::time::{Instant, Span, WeekStart, Zone};
use chrono::{
    DateTime, Datelike as _, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset as _,
    TimeDelta, TimeZone as _, Timelike as _,
};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use uuid::Uuid;

type Action = entity::action::Model;
type Item = entity::action_item::Model;
type Clicks = entity::click_stat::Model;

const QUARTER: i64 = 900_000_000;
const DAY: i64 = 86_400_000_000;

/// A stretch of time: from, and up to but without, µs.
type Slot = (i64, i64);

/// A group's name: the microseconds of its stretch of time, and its key.
pub(crate) type Name = (Option<(i64, i64)>, Vec<KeyPart>);

/// A row as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub time: Option<(i64, i64)>,
    pub key: Vec<KeyPart>,
    pub values: Values,
    pub compared: Option<Values>,
    pub running: Option<Values>,
}

/// An answer as it should be: the whole list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub rows: Vec<Row>,
    pub totals: Values,
    /// Those of the period that is compared with.
    pub compared_totals: Option<Values>,
    /// Currency and first day.
    pub missing: BTreeMap<Currency, i32>,
}

/// Facts of a group, in the order of their ids.
#[derive(Clone, Default)]
struct Group<'a> {
    actions: BTreeMap<Uuid, &'a Action>,
    items: Vec<(&'a Action, &'a Item)>,
    clicks: i64,
    views: i64,
    /// Whether a day of its time may have had clicks that nobody has counted.
    lacks_clicks: bool,
}

impl Group<'_> {
    /// Takes in what another group has.
    fn take(&mut self, more: &Self) {
        self.actions.extend(&more.actions);
        self.items.extend(&more.items);
        self.clicks += more.clicks;
        self.views += more.views;
    }
}

/// The segments that the user of an action or the product of an item is in; none for one that is in none.
fn segments_of(
    members: &[(&SegmentSet, BTreeSet<Uuid>)],
    subject: Subject,
    action: &Action,
    item: Option<&Item>,
) -> Vec<KeyPart> {
    let id = match subject {
        Subject::Users => action.user_id,
        Subject::Products => item.and_then(|item| item.product_id),
    };
    let own = members.iter().filter(|(set, _)| set.subject == subject);
    let found: Vec<KeyPart> = own
        .filter(|(_, members)| id.is_some_and(|id| members.contains(&id)))
        .map(|(set, _)| KeyPart::Id(set.id))
        .collect();
    if found.is_empty() {
        return vec![KeyPart::None];
    }
    found
}

/// What a report is computed with.
pub(crate) struct Naive<'a> {
    pub facts: &'a Facts,
    pub rates: &'a [Rate],
    pub request: &'a ReportRequest,
}

/// The days of the calendar unit that a day lies in, from one up to but without another.
fn unit(day: i32, bucket: Bucket, week_start: WeekStart) -> (i32, i32) {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    let date = epoch + Days::new(u64::try_from(day).unwrap());
    let days = |date: NaiveDate| i32::try_from((date - epoch).num_days()).unwrap();
    let first_of = |year: i32, month: u32| {
        let year = year + i32::try_from((month - 1) / 12).unwrap();
        days(NaiveDate::from_ymd_opt(year, (month - 1) % 12 + 1, 1).unwrap())
    };
    match bucket {
        Bucket::Week => {
            let starts = [
                WeekStart::Monday,
                WeekStart::Tuesday,
                WeekStart::Wednesday,
                WeekStart::Thursday,
                WeekStart::Friday,
                WeekStart::Saturday,
                WeekStart::Sunday,
            ];
            let wanted = starts
                .iter()
                .position(|start| *start == week_start)
                .unwrap();
            let mut first = day;
            // 1970-01-01 was a Thursday, the fourth of its week.
            while (first + 3).rem_euclid(7) != i32::try_from(wanted).unwrap() {
                first -= 1;
            }
            (first, first + 7)
        }
        Bucket::Month => (
            first_of(date.year(), date.month()),
            first_of(date.year(), date.month() + 1),
        ),
        Bucket::Quarter => {
            let month = date.month0() / 3 * 3 + 1;
            (
                first_of(date.year(), month),
                first_of(date.year(), month + 3),
            )
        }
        Bucket::Year => (first_of(date.year(), 1), first_of(date.year() + 1, 1)),
        _ => (day, day + 1),
    }
}

/// Whether an hour on the wall begins at an instant, in microseconds.
fn begins_hour(at: i64, zone: Zone) -> bool {
    let tz = chrono_tz::Tz::from_str(zone.name()).unwrap();
    let wall = |micros: i64| {
        DateTime::from_timestamp_micros(micros)
            .unwrap()
            .with_timezone(&tz)
    };
    let offset = |micros: i64| {
        let utc = DateTime::from_timestamp_micros(micros).unwrap().naive_utc();
        tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()
    };
    wall(at).minute() == 0 || offset(at) != offset(at - 1)
}

/// The stretch of time that an instant lies in, before it is cut to the range.
fn stretch(at: i64, bucket: Bucket, range: &AxisRange, week_start: WeekStart) -> (i64, i64) {
    match bucket {
        Bucket::QuarterHour => {
            let from = at.div_euclid(QUARTER) * QUARTER;
            (from, from + QUARTER)
        }
        Bucket::Hour => {
            let mut from = at.div_euclid(QUARTER) * QUARTER;
            while from > 0 && !begins_hour(from, range.zone) {
                from -= QUARTER;
            }
            let mut to = at.div_euclid(QUARTER) * QUARTER + QUARTER;
            while !begins_hour(to, range.zone) {
                to += QUARTER;
            }
            (from, to)
        }
        _ => {
            let last = 2_932_896;
            let start = |day: i32| {
                if day > last {
                    Instant::MAX.micros()
                } else {
                    local_start(day.max(0), range.zone)
                }
            };
            let mut day = i32::try_from(at / DAY).unwrap();
            while day < last && start(day + 1) <= at {
                day += 1;
            }
            while start(day) > at {
                day -= 1;
            }
            let (first, next) = unit(day, bucket, week_start);
            (start(first), start(next))
        }
    }
}

/// What a clock on the wall shows, whose days begin where the calendar's do.
fn wall(at: i64, zone: Zone) -> NaiveDateTime {
    let tz = chrono_tz::Tz::from_str(zone.name()).unwrap();
    let utc = DateTime::from_timestamp_micros(at).unwrap();
    let shown = utc.with_timezone(&tz).naive_local();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    let mut day = i32::try_from((shown.date() - epoch).num_days()).unwrap() - 1;
    while local_start(day + 1, zone) <= at {
        day += 1;
    }
    let midnight = epoch + Days::new(u64::try_from(day).unwrap());
    let midnight = midnight.and_time(NaiveTime::MIN);
    if at == local_start(day, zone) {
        midnight
    } else {
        shown.max(midnight)
    }
}

/// The first microsecond at which a clock on the wall has reached a time.
fn reached(time: NaiveDateTime, zone: Zone) -> i64 {
    let tz = chrono_tz::Tz::from_str(zone.name()).unwrap();
    if time.and_utc().timestamp_micros() == 0 {
        return 0;
    }
    if let Some(found) = tz.from_local_datetime(&time).earliest() {
        return found.timestamp_micros().clamp(0, Instant::MAX.micros());
    }
    // Left out: clocks are set at full quarters of an hour.
    let mut at = (time.and_utc().timestamp_micros() / QUARTER - 64) * QUARTER;
    let shown = |at: i64| {
        let utc = DateTime::from_timestamp_micros(at).unwrap();
        utc.with_timezone(&tz).naive_local()
    };
    while shown(at) < time {
        at += QUARTER;
    }
    at
}

/// How far a period lies before a range.
enum Way {
    Months(u32),
    Clock(TimeDelta),
    Exactly(i64),
}

impl Way {
    fn back(&self, at: i64, zone: Zone) -> i64 {
        match self {
            Self::Months(count) => {
                let now = wall(at, zone);
                let then = now - Months::new(*count);
                if then.day() == now.day() {
                    return reached(then, zone);
                }
                // The month does not have the day: it is over.
                reached((then.date() + Days::new(1)).and_time(NaiveTime::MIN), zone)
            }
            Self::Clock(time) => reached(wall(at, zone) - *time, zone),
            Self::Exactly(time) => (at - time).clamp(0, Instant::MAX.micros()),
        }
    }
}

fn half_even(part: i128, of: i128) -> i128 {
    let (whole, rest) = (part.div_euclid(of), part.rem_euclid(of));
    match (rest * 2).cmp(&of) {
        Ordering::Less => whole,
        Ordering::Greater => whole + 1,
        Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

/// A ratio of six decimals, half away from zero.
fn ratio(part: i64, of: i64) -> Option<f64> {
    if of == 0 {
        return None;
    }
    let (size, base) = (
        i128::from(part.unsigned_abs()),
        i128::from(of.unsigned_abs()),
    );
    let millionths = (size * 2_000_000 + base) / (base * 2);
    let sign = if (part < 0) == (of < 0) { 1 } else { -1 };
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let ratio = (millionths * sign) as f64 / 1_000_000.0;
    Some(ratio)
}

fn is_pending(action: &Action) -> bool {
    ["PENDING", "UNKNOWN"].contains(&action.status.as_str())
}
fn is_approved(action: &Action) -> bool {
    ["APPROVED", "APPROVED_BUT_STALLED"].contains(&action.status.as_str())
}
fn is_declined(action: &Action) -> bool {
    action.status == "DECLINED"
}
fn any(_: &Action) -> bool {
    true
}

fn currency(action: &Action) -> Currency {
    Currency::parse(&action.currency).unwrap()
}

/// Amounts of facts: which action, and how much.
type Amounts<'a> = Vec<(&'a Action, i64)>;

impl<'a> Naive<'a> {
    /// The whole answer.
    #[expect(clippy::too_many_lines, reason = "a report from beginning to end")]
    pub(crate) fn answer(&self) -> Answer {
        let request = self.request;
        let mut missing = BTreeMap::new();
        let slots = self.slots(&request.range);
        let needed = self.needed();
        let mut groups = self.groups(&request.range, &slots, &needed);
        let before = self.before();
        let asked_before = &request.wanted.compared;
        let slots_before = before
            .map(|range| self.slots_before(&slots, range.span))
            .unwrap_or_default();
        let groups_before =
            before.map(|range| self.groups(&range, &slots_before, &self.needed_before()));
        if let Some(before) = groups_before.as_ref().filter(|_| request.vanished) {
            self.add_vanished(before, (&slots, &slots_before), &mut groups);
        }
        if request.fill_gaps {
            self.fill(&mut groups);
        }
        let place_of: BTreeMap<(i64, i64), usize> = slots
            .iter()
            .enumerate()
            .map(|(place, slot)| (*slot, place))
            .collect();
        let mut rows = Vec::new();
        for ((time, key), group) in &groups {
            let measured = self.values(group, &needed, self.over_items(), &mut missing);
            let stays = request.having.iter().all(|having| {
                match self.order(&measured, having.metric, having.currency) {
                    Some(value) => {
                        having.at_least.is_none_or(|least| value >= least)
                            && having.at_most.is_none_or(|most| value <= most)
                    }
                    None => having.at_least.is_none() && having.at_most.is_none(),
                }
            });
            let compared = groups_before.as_ref().map(|groups| {
                let time = time.and_then(|time| slots_before.get(place_of[&time]).copied());
                let name = (time, key.clone());
                let lost = request.bucket.is_some() && name.0.is_none();
                let group = groups.get(&name).filter(|_| !lost).cloned();
                let whole = before.map(|range| (range.span.from.micros(), range.span.to.micros()));
                let nothing = Group {
                    lacks_clicks: time.or(whole).is_some_and(|span| self.lacks_clicks(span)),
                    ..Group::default()
                };
                self.values(
                    &group.unwrap_or(nothing),
                    asked_before,
                    self.over_items(),
                    &mut missing,
                )
            });
            if stays {
                rows.push((time, key, group, measured, compared));
            }
        }
        if let Some(groups) = &groups_before {
            // A rate can be missed by a group that is not shown.
            for group in groups.values() {
                self.values(group, asked_before, self.over_items(), &mut missing);
            }
        }
        rows.sort_by(|one, other| {
            self.compare((one.0, one.1, &one.3), (other.0, other.1, &other.3))
        });
        let additive = self.additive(&request.metrics);
        let mut sum = Group::default();
        let rows = rows
            .into_iter()
            .map(|(time, key, group, measured, compared)| {
                sum.take(group);
                Row {
                    time: *time,
                    key: self.shown(key),
                    values: Values(
                        measured
                            .0
                            .into_iter()
                            .filter(|(metric, _)| request.metrics.contains(metric))
                            .collect(),
                    ),
                    compared,
                    running: request.wanted.running.then(|| {
                        self.values(&sum, &additive, self.over_items(), &mut BTreeMap::new())
                    }),
                }
            });
        let rows = rows.collect();
        // What is asked for of the rest needs the rates of all.
        let others = self.summed(&request.wanted.others);
        self.totals(&request.range, &others, &mut missing);
        Answer {
            rows,
            totals: self.totals(&request.range, &request.wanted.totals, &mut missing),
            compared_totals: before
                .map(|range| self.totals(&range, &request.wanted.compared_totals, &mut missing)),
            missing,
        }
    }

    /// The metrics that decide which groups the earlier period has: a group of clicks alone is one where someone asks for
    /// clicks, also of the range where groups that are gone have rows.
    fn needed_before(&self) -> Vec<Metric> {
        let mut needed = self.request.wanted.compared.clone();
        if self.request.vanished {
            let now = self.needed().into_iter();
            needed.extend(now.filter(|metric| CLICKS.contains(metric)));
        }
        needed
    }

    /// Adds a group without anything for each that the earlier period alone has.
    fn add_vanished(
        &self,
        before: &BTreeMap<Name, Group<'a>>,
        (slots, slots_before): (&[Slot], &[Slot]),
        groups: &mut BTreeMap<Name, Group<'a>>,
    ) {
        let range = self.request.range.span;
        let whole = (range.from.micros(), range.to.micros());
        for (time, key) in before.keys() {
            let place = slots_before.iter().position(|slot| Some(*slot) == *time);
            let now = place.map(|place| slots[place]);
            if now.is_none() && self.request.bucket.is_some() {
                continue;
            }
            groups.entry((now, key.clone())).or_insert_with(|| Group {
                lacks_clicks: self.lacks_clicks(now.unwrap_or(whole)),
                ..Group::default()
            });
        }
    }

    /// The period that is compared with.
    fn before(&self) -> Option<AxisRange> {
        let request = self.request;
        let span = match request.compare? {
            Comparison::PreviousPeriod => request.previous,
            Comparison::YearBefore => request.range.span.year_before(request.range.zone),
        };
        Some(request.range.with_span(span))
    }

    /// How many actions the period has that is compared with.
    pub(crate) fn actions_compared_with(&self) -> usize {
        let before = self.before();
        before.map_or(0, |range| self.matching(&range).count())
    }

    /// Whether the range has nothing that groups are made of.
    pub(crate) fn has_nothing(&self) -> bool {
        let range = &self.request.range;
        self.groups(range, &self.slots(range), &self.needed())
            .is_empty()
    }

    /// How many facts a question to the facts of a range reads: those of which it asks something, cart items where it divides
    /// by these, each once for each segment that it counts in.
    pub(crate) fn facts_read(
        &self,
        range: &AxisRange,
        dimensions: &[Dimension],
        what: &What,
    ) -> i64 {
        let members: Vec<(&SegmentSet, BTreeSet<Uuid>)> = self
            .request
            .segments
            .iter()
            .map(|set| (set.as_ref(), naive_segment::members(self.facts, set)))
            .collect();
        let times = |action: &Action, item: Option<&Item>| -> usize {
            let subjects = dimensions.iter().filter_map(|by| by.segments_of());
            subjects
                .map(|subject| segments_of(&members, subject, action, item).len())
                .product()
        };
        let over_items = !dimensions.is_empty() && self.over_items();
        let facts = self.matching(range).filter(|action| match what {
            What::ConversionLag => action.conversion_seconds.is_some(),
            What::ValidationLag => {
                action.status_updated_at_us.is_some()
                    && (is_approved(action) || is_declined(action))
            }
            _ => true,
        });
        let read: usize = facts
            .map(|action| {
                if over_items {
                    let cart = self.facts.cart(action.id).iter();
                    cart.map(|item| times(action, Some(item))).sum()
                } else {
                    times(action, None)
                }
            })
            .sum();
        i64::try_from(read).unwrap()
    }

    /// The value that groups are ordered and cut by; none where part of the money could not be converted.
    fn order(&self, values: &Values, metric: Metric, code: Option<Currency>) -> Option<i64> {
        let value = values.get(metric)?;
        let shown: Vec<Currency> = match value {
            MetricValue::Money(amounts) => amounts.iter().map(|money| money.currency).collect(),
            MetricValue::Ratios(ratios) => ratios.iter().map(|(currency, _)| *currency).collect(),
            _ => Vec::new(),
        };
        if let Some(to) = self.request.currency
            && shown.iter().any(|currency| *currency != to)
        {
            return None;
        }
        value.order(code)
    }

    /// What remains of the totals beside some rows. Money is taken off before it is rounded.
    pub(crate) fn others(&self, page: &[Name]) -> Values {
        let range = &self.request.range;
        let groups = self.groups(range, &self.slots(range), &self.needed());
        let summed = self.summed(&self.request.wanted.others);
        let all = self.all(range, &summed);
        let of_page: Vec<&Group<'a>> = page
            .iter()
            .filter_map(|name| groups.get(&self.folded(name)))
            .collect();
        let rest = self.rest(&all, &of_page);
        let additive = self.additive(&summed);
        let less = summed.iter().map(|metric| {
            let value = match self.amounts(&all, *metric) {
                _ if !additive.contains(metric) => self.of_rest(&all, &rest, *metric),
                Some(amounts) => {
                    let mut missing = BTreeMap::new();
                    let mut left = self.fine(&all, &amounts, &mut missing);
                    for group in &of_page {
                        let amounts = self.amounts(group, *metric).unwrap();
                        for (currencies, sum) in self.fine(group, &amounts, &mut missing) {
                            *left.entry(currencies).or_default() -= sum;
                        }
                    }
                    let mut shown: BTreeMap<Currency, i128> = BTreeMap::new();
                    for ((to, _), sum) in left {
                        *shown.entry(to).or_default() += sum;
                    }
                    let money = shown.into_iter().map(|(currency, sum)| Money {
                        e4: i64::try_from(half_even(sum, 1_000_000_000)).unwrap(),
                        currency,
                    });
                    MetricValue::Money(money.collect())
                }
                None => {
                    let count = |group: &Group<'a>| {
                        let mut missing = BTreeMap::new();
                        match self.value(group, *metric, self.over_items(), &mut missing) {
                            MetricValue::Count(count) => count,
                            other => panic!("{other:?} does not add up"),
                        }
                    };
                    let on_page: i64 = of_page.iter().map(|group| count(group)).sum();
                    MetricValue::Count(count(&all) - on_page)
                }
            };
            (*metric, value)
        });
        Values(less.collect())
    }

    /// The facts that are in none of some groups; of items all actions stay, and of these only money is asked.
    fn rest(&self, all: &Group<'a>, page: &[&Group<'a>]) -> Group<'a> {
        let mut rest = all.clone();
        for group in page {
            let place = |item: &Item| (item.action_id, item.ordinal);
            let shown: BTreeSet<(Uuid, i32)> =
                group.items.iter().map(|(_, item)| place(item)).collect();
            rest.items.retain(|(_, item)| !shown.contains(&place(item)));
            if !self.over_items() {
                rest.actions.retain(|id, _| !group.actions.contains_key(id));
            }
            rest.clicks -= group.clicks;
            rest.views -= group.views;
        }
        rest
    }

    /// What is computed from the sums of the rest. A currency of which nothing is left stays, with nothing.
    fn of_rest(&self, all: &Group<'a>, rest: &Group<'a>, metric: Metric) -> MetricValue {
        if rest.lacks_clicks && RATIOS.contains(&metric) {
            return MetricValue::Unknown;
        }
        let mut missing = BTreeMap::new();
        let shown = self.fine(all, &Vec::new(), &mut missing);
        let shown: BTreeSet<Currency> = shown.into_keys().map(|(to, _)| to).collect();
        let keeps = match metric {
            Metric::Ecpc | Metric::Epc => rest.clicks > 0,
            Metric::Ecpm => rest.views > 0,
            Metric::AverageReward | Metric::AverageOrderAmount => false,
            _ => true,
        };
        let beside = shown.iter().copied().filter(|_| keeps);
        match self.value(rest, metric, self.over_items(), &mut missing) {
            MetricValue::Money(mut money) => {
                for currency in beside {
                    if !money.iter().any(|held| held.currency == currency) {
                        money.push(Money { e4: 0, currency });
                    }
                }
                money.sort_by_key(|held| held.currency);
                MetricValue::Money(money)
            }
            MetricValue::Ratios(mut ratios) => {
                for currency in beside {
                    if !ratios.iter().any(|(held, _)| *held == currency) {
                        ratios.push((currency, None));
                    }
                }
                ratios.sort_by_key(|(held, _)| *held);
                MetricValue::Ratios(ratios)
            }
            other => other,
        }
    }

    /// The name that a group has beside the list, where decline reasons are folded.
    fn folded(&self, name: &Name) -> Name {
        let mut name = name.clone();
        for (by, part) in self.request.dimensions.iter().zip(&mut name.1) {
            if let (Dimension::DeclineReason, KeyPart::Text(text)) = (by, part) {
                *text = fold(text);
            }
        }
        name
    }

    /// The key as it is shown: decline reasons as one of the report's actions writes them, the first in the order of bytes.
    fn shown(&self, key: &[KeyPart]) -> Vec<KeyPart> {
        let mut key = key.to_vec();
        for (by, part) in self.request.dimensions.iter().zip(&mut key) {
            if let (Dimension::DeclineReason, KeyPart::Text(text)) = (by, part) {
                let first = |range: &AxisRange| {
                    let declined = self.matching(range).filter(|a| is_declined(a));
                    let comments = declined.filter_map(|action| action.comment.as_deref());
                    comments.filter(|comment| fold(comment) == *text).min()
                };
                // A group that is gone is written as it was.
                let now = first(&self.request.range);
                let before = self.before().filter(|_| self.request.vanished);
                if let Some(first) = now.or_else(|| before.and_then(|range| first(&range))) {
                    first.clone_into(text);
                }
            }
        }
        key
    }

    /// The amounts of a metric of money that adds up.
    fn amounts(&self, group: &Group<'a>, metric: Metric) -> Option<Amounts<'a>> {
        let (counts, is_reward): (fn(&Action) -> bool, bool) = match metric {
            Metric::OrderAmount => (any, false),
            Metric::PendingOrderAmount => (is_pending, false),
            Metric::ApprovedOrderAmount => (is_approved, false),
            Metric::DeclinedOrderAmount => (is_declined, false),
            Metric::Reward => (any, true),
            Metric::PendingReward => (is_pending, true),
            Metric::ApprovedReward => (is_approved, true),
            Metric::DeclinedReward => (is_declined, true),
            Metric::PaidReward => (|action| action.paid, true),
            _ => return None,
        };
        let of = |action: &Action, reward: i64, amount: i64| match (counts(action), is_reward) {
            (false, _) => 0,
            (true, true) => reward,
            (true, false) => amount,
        };
        if self.over_items() {
            let items = group.items.iter();
            let items =
                items.map(|(action, item)| (*action, of(action, item.reward_e4, item.amount_e4)));
            return Some(items.collect());
        }
        let actions = group.actions.values().map(|action| {
            let amount = action.order_amount_e4.unwrap_or(0);
            (*action, of(action, action.reward_e4, amount))
        });
        Some(actions.collect())
    }

    /// The metrics of groups that are asked for, ordered by, cut by, or taken off the totals.
    fn needed(&self) -> Vec<Metric> {
        let request = self.request;
        let mut needed = request.metrics.clone();
        needed.extend(request.having.iter().map(|having| having.metric));
        needed.extend(request.order.iter().filter_map(|order| match order.key {
            OrderKey::Metric(metric, _) => Some(metric),
            _ => None,
        }));
        if request.order.is_empty() {
            needed.push(Metric::Actions);
        }
        needed.extend(self.summed(&request.wanted.others));
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    fn over_items(&self) -> bool {
        self.request.dimensions.iter().any(|by| {
            matches!(
                by,
                Dimension::Product
                    | Dimension::CategoryLevel1
                    | Dimension::CategoryLevel2
                    | Dimension::CategoryOwn
                    | Dimension::ProductSegment
            )
        })
    }

    /// Those of some metrics whose values add up over groups.
    fn additive(&self, metrics: &[Metric]) -> Vec<Metric> {
        let counts = [
            Metric::Actions,
            Metric::PendingActions,
            Metric::ApprovedActions,
            Metric::DeclinedActions,
        ];
        let never = [
            Metric::Users,
            Metric::ExpectedReward,
            Metric::ApprovalRate,
            Metric::DeclineRate,
            Metric::AverageOrderAmount,
            Metric::AverageReward,
            Metric::EffectiveRate,
            Metric::CartCoverage,
            Metric::ConversionLag,
            Metric::ValidationLag,
            Metric::Ctr,
            Metric::Cr,
            Metric::Ecpc,
            Metric::Epc,
            Metric::Ecpm,
        ];
        let metrics = metrics.iter().copied();
        metrics
            .filter(|metric| {
                !(never.contains(metric) || self.over_items() && counts.contains(metric))
            })
            .collect()
    }

    /// Those of some metrics that follow from sums over groups: what adds up, and what is computed from that.
    fn summed(&self, metrics: &[Metric]) -> Vec<Metric> {
        let never = [Metric::Users, Metric::ConversionLag, Metric::ValidationLag];
        let of_actions = [
            Metric::Actions,
            Metric::PendingActions,
            Metric::ApprovedActions,
            Metric::DeclinedActions,
            Metric::ApprovalRate,
            Metric::DeclineRate,
        ];
        let metrics = metrics.iter().copied();
        metrics
            .filter(|metric| {
                !(never.contains(metric) || self.over_items() && of_actions.contains(metric))
            })
            .collect()
    }

    fn matching(&self, range: &AxisRange) -> impl Iterator<Item = &'a Action> {
        let (facts, filter, range) = (self.facts, self.request.filter.clone(), *range);
        facts.actions.values().filter(move |action| {
            in_range(action, &range) && naive::matches(facts, action, &filter)
        })
    }

    /// The slot of the counts of clicks that are read: that of the SubID which the report names, else of all together.
    fn slot_of_clicks(&self) -> i32 {
        let subids = [
            (Dimension::Subid0, ActionField::Subid0),
            (Dimension::Subid1, ActionField::Subid1),
            (Dimension::Subid2, ActionField::Subid2),
            (Dimension::Subid3, ActionField::Subid3),
            (Dimension::Subid4, ActionField::Subid4),
        ];
        let slot = subids.iter().position(|(by, field)| {
            let tests =
                |test: &ActionTest| matches!(test, ActionTest::Field(held, _) if held == field);
            self.request.dimensions.contains(by) || self.request.filter.mentions(&tests)
        });
        slot.map_or(-1, |slot| i32::try_from(slot).unwrap())
    }

    /// Whether a day's noon lies in a stretch of time, and not in the future, that is earlier than the first day anything was
    /// counted on, or later than the last one. No account is fetched here that could say more.
    fn lacks_clicks(&self, (from, to): (i64, i64)) -> bool {
        let to = to.min(self.request.now.micros());
        let slot = self.slot_of_clicks();
        let counted = self.facts.clicks.iter().filter(|row| row.slot == slot);
        let mut days: Vec<(i32, i64)> = counted.map(|row| (row.click_day, row.noon_us)).collect();
        days.sort_unstable();
        let (Some((_, first)), Some((_, last))) = (days.first(), days.last()) else {
            return from < to;
        };
        // Whole days that lie between are passed by at once.
        let mut earlier = first - ((first - to) / DAY).max(1) * DAY;
        while earlier >= from {
            if earlier < to {
                return true;
            }
            earlier -= DAY;
        }
        let mut later = last + ((from - last) / DAY).max(1) * DAY;
        while later < to {
            if later >= from {
                return true;
            }
            later += DAY;
        }
        false
    }

    /// Whether the report asks for clicks that may not all be known, of its range or of the period compared with.
    pub(crate) fn is_short_of_clicks(&self) -> bool {
        let wanted = &self.request.wanted;
        let asks = |metrics: &[Metric]| metrics.iter().any(|metric| CLICKS.contains(metric));
        let lacks = |range: AxisRange| {
            self.lacks_clicks((range.span.from.micros(), range.span.to.micros()))
        };
        let is_asked_now = asks(&self.needed()) || asks(&wanted.totals);
        let is_asked_before = asks(&self.needed_before()) || asks(&wanted.compared_totals);
        is_asked_now && lacks(self.request.range)
            || is_asked_before && self.before().is_some_and(lacks)
    }

    /// The counts of clicks that some metrics count, each as an action that has of an action what a count knows.
    fn clicks(&self, range: &AxisRange, metrics: &[Metric]) -> Vec<(Action, &'a Clicks)> {
        if !metrics.iter().any(|metric| CLICKS.contains(metric)) {
            return Vec::new();
        }
        let slot = self.slot_of_clicks();
        let span = (range.span.from.micros(), range.span.to.micros());
        let any_action = self.facts.actions.values().next().unwrap();
        let counted = self.facts.clicks.iter().filter(|row| {
            row.slot == slot
                && (span.0..span.1).contains(&row.noon_us)
                && (row.clicks, row.views.unwrap_or(0)) != (0, 0)
        });
        let mut found = Vec::new();
        for row in counted {
            let mut action = any_action.clone();
            action.program_id = row.program_id;
            action.ad_space_id = (!row.ad_space_id.is_nil()).then_some(row.ad_space_id);
            let subid = (!row.subid.is_empty()).then(|| row.subid.clone());
            match slot {
                0 => action.subid0 = subid,
                1 => action.subid1 = subid,
                2 => action.subid2 = subid,
                3 => action.subid3 = subid,
                4 => action.subid4 = subid,
                _ => {}
            }
            if naive::matches(self.facts, &action, &self.request.filter) {
                found.push((action, row));
            }
        }
        found
    }

    fn slots(&self, range: &AxisRange) -> Vec<(i64, i64)> {
        let Some(bucket) = self.request.bucket else {
            return Vec::new();
        };
        let mut slots = Vec::new();
        let mut at = range.span.from.micros();
        while at < range.span.to.micros() {
            let slot = self.slot(at, bucket, range);
            slots.push(slot);
            at = slot.1;
        }
        slots
    }

    fn slot(&self, at: i64, bucket: Bucket, range: &AxisRange) -> (i64, i64) {
        let (from, to) = stretch(at, bucket, range, self.request.week_start);
        (
            from.max(range.span.from.micros()),
            to.min(range.span.to.micros()),
        )
    }

    /// What stretches of a range are compared with: each edge moved as far as the period lies before the range.
    fn slots_before(&self, slots: &[(i64, i64)], period: Span) -> Vec<(i64, i64)> {
        let Some(comparison) = self.request.compare else {
            return Vec::new();
        };
        let (zone, range) = (self.request.range.zone, self.request.range.span);
        let [range, period] = [range, period].map(|span| (span.from.micros(), span.to.micros()));
        let (now, then) = (wall(range.0, zone), wall(period.0, zone));
        let first = |at: &NaiveDateTime| at.day() == 1 && at.time() == NaiveTime::MIN;
        let months = (now.year() - then.year()) * 12 + now.month().cast_signed()
            - then.month().cast_signed();
        let mut ways = Vec::new();
        if comparison == Comparison::YearBefore {
            ways.push(Way::Months(12));
        } else {
            if first(&now) && first(&then) && months >= 0 {
                ways.push(Way::Months(months.cast_unsigned()));
            }
            ways.push(Way::Clock(now - then));
            ways.retain(|way| {
                (way.back(range.0, zone), way.back(range.1, zone)) == (period.0, period.1)
            });
            ways.push(Way::Exactly(range.0 - period.0));
        }
        let mut edges = vec![period.0];
        for (_, to) in slots {
            let reached = *edges.last().unwrap();
            edges.push(ways[0].back(*to, zone).clamp(reached, period.1));
        }
        if !slots.is_empty() {
            *edges.last_mut().unwrap() = period.1;
        }
        edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// The groups that have an action or, where one of the metrics counts these, a click or a view.
    fn groups(
        &self,
        range: &AxisRange,
        slots: &[(i64, i64)],
        metrics: &[Metric],
    ) -> BTreeMap<Name, Group<'a>> {
        let slot_of = |at: i64| {
            let found = slots.iter().find(|(from, to)| (*from..*to).contains(&at));
            found.copied()
        };
        let mut of_user: BTreeMap<Uuid, usize> = BTreeMap::new();
        for action in self.matching(range) {
            if let Some(user) = action.user_id {
                *of_user.entry(user).or_default() += 1;
            }
        }
        let members: Vec<(&SegmentSet, BTreeSet<Uuid>)> = self
            .request
            .segments
            .iter()
            .map(|set| (set.as_ref(), naive_segment::members(self.facts, set)))
            .collect();
        let mut groups: BTreeMap<Name, Group<'a>> = BTreeMap::new();
        for action in self.matching(range) {
            let at = naive::axis_value(action, range.axis, range.zone).unwrap();
            let time = slot_of(at);
            // Who is new in a stretch of time had nothing before it.
            let begin = time.map_or(range.span.from.micros(), |(from, _)| from);
            let keys = |item: Option<&Item>| -> Vec<Vec<KeyPart>> {
                let mut keys = vec![Vec::new()];
                for by in &self.request.dimensions {
                    let parts = match by.segments_of() {
                        Some(subject) => segments_of(&members, subject, action, item),
                        None => vec![self.key(action, item, *by, begin, &of_user)],
                    };
                    keys = keys
                        .into_iter()
                        .flat_map(|key: Vec<KeyPart>| {
                            parts.iter().map(move |part| {
                                let mut key = key.clone();
                                key.push(part.clone());
                                key
                            })
                        })
                        .collect();
                }
                keys
            };
            if !self.over_items() {
                for key in keys(None) {
                    let group = groups.entry((time, key)).or_default();
                    group.actions.insert(action.id, action);
                }
                continue;
            }
            for item in self.facts.cart(action.id) {
                for key in keys(Some(item)) {
                    let group = groups.entry((time, key)).or_default();
                    group.actions.insert(action.id, action);
                    group.items.push((action, item));
                }
            }
        }
        for (action, row) in self.clicks(range, metrics) {
            let time = slot_of(row.noon_us);
            let part = |by: &Dimension| self.key(&action, None, *by, 0, &of_user);
            let key = self.request.dimensions.iter().map(part).collect();
            let group = groups.entry((time, key)).or_default();
            group.clicks += row.clicks;
            group.views += row.views.unwrap_or(0);
        }
        let whole = (range.span.from.micros(), range.span.to.micros());
        for ((time, _), group) in &mut groups {
            group.lacks_clicks = self.lacks_clicks(time.unwrap_or(whole));
        }
        groups
    }

    fn key(
        &self,
        action: &Action,
        item: Option<&Item>,
        by: Dimension,
        begin: i64,
        of_user: &BTreeMap<Uuid, usize>,
    ) -> KeyPart {
        let text = |text: &Option<String>| text.clone().map_or(KeyPart::None, KeyPart::Text);
        let word = |word: &str| KeyPart::Text(word.to_owned());
        let id = |id: Option<Uuid>| id.map_or(KeyPart::None, KeyPart::Id);
        let category = item.and_then(|item| item.category_id);
        let at_level = |level: i32| {
            category.map(|own| {
                let line = line_up(self.facts, own);
                let found = line
                    .iter()
                    .find(|id| self.facts.categories[*id].level == level);
                *found.unwrap_or(&own)
            })
        };
        match by {
            Dimension::Program => KeyPart::Id(action.program_id),
            Dimension::AdSpace => id(action.ad_space_id),
            Dimension::Country => text(&action.country),
            Dimension::Status => word(&action.status),
            Dimension::ActionType => word(&action.action_type),
            Dimension::Currency => word(&action.currency),
            Dimension::Device => text(&action.device),
            Dimension::Subid0 => text(&action.subid0),
            Dimension::Subid1 => text(&action.subid1),
            Dimension::Subid2 => text(&action.subid2),
            Dimension::Subid3 => text(&action.subid3),
            Dimension::Subid4 => text(&action.subid4),
            Dimension::Product => id(item.and_then(|item| item.product_id)),
            Dimension::CategoryLevel1 => id(at_level(1)),
            Dimension::CategoryLevel2 => id(at_level(2)),
            Dimension::CategoryOwn => id(category),
            Dimension::Tariff => text(&action.tariff_id),
            Dimension::PromoCode => text(&action.promo_code),
            Dimension::DeclineReason => {
                if is_declined(action) {
                    KeyPart::Text(fold(action.comment.as_deref().unwrap_or_default()))
                } else {
                    KeyPart::None
                }
            }
            Dimension::UserAge => {
                let Some(user) = action.user_id else {
                    return word("UNATTRIBUTED");
                };
                let before = self.facts.actions.values().any(|other| {
                    other.user_id == Some(user)
                        && !is_declined(other)
                        && other.ordered_at_us < begin
                });
                word(if before { "RETURNING" } else { "NEW" })
            }
            Dimension::UserFrequency => match action.user_id.map(|user| of_user[&user]) {
                None => word("UNATTRIBUTED"),
                Some(1) => word("ONCE"),
                Some(2 | 3) => word("FEW"),
                Some(4..=9) => word("REGULAR"),
                Some(_) => word("LOYAL"),
            },
            Dimension::UserSegment | Dimension::ProductSegment => {
                panic!("an action can be in several")
            }
        }
    }

    fn fill(&self, groups: &mut BTreeMap<Name, Group<'a>>) {
        let mut keys: BTreeSet<Vec<KeyPart>> = groups.keys().map(|(_, key)| key.clone()).collect();
        if self.request.dimensions.is_empty() {
            keys.insert(Vec::new());
        }
        for slot in self.slots(&self.request.range) {
            for key in &keys {
                let group = groups.entry((Some(slot), key.clone())).or_default();
                group.lacks_clicks = self.lacks_clicks(slot);
            }
        }
    }

    fn compare(
        &self,
        one: (&Option<(i64, i64)>, &Vec<KeyPart>, &Values),
        other: (&Option<(i64, i64)>, &Vec<KeyPart>, &Values),
    ) -> Ordering {
        let mut order: Vec<(OrderKey, Direction)> = self
            .request
            .order
            .iter()
            .map(|order| (order.key, order.direction))
            .collect();
        if order.is_empty() {
            order.push((OrderKey::Time, Direction::Asc));
            order.push((OrderKey::Metric(Metric::Actions, None), Direction::Desc));
        }
        for (key, direction) in order {
            let pair = [one, other].map(|(time, parts, values)| match key {
                OrderKey::Time => time.map(|time| (time.0, None)),
                OrderKey::Metric(metric, currency) => {
                    let value = self.order(values, metric, currency);
                    value.map(|value| (value, None))
                }
                OrderKey::Dimension(by) => {
                    let place = self.request.dimensions.iter().position(|held| *held == by);
                    let part = parts[place.unwrap()].clone();
                    (part != KeyPart::None).then_some((0, Some(part)))
                }
            });
            let by = match pair {
                [None, None] => Ordering::Equal,
                [None, Some(_)] => Ordering::Greater,
                [Some(_), None] => Ordering::Less,
                [Some(one), Some(other)] if direction == Direction::Asc => one.cmp(&other),
                [Some(one), Some(other)] => other.cmp(&one),
            };
            if by.is_ne() {
                return by;
            }
        }
        one.0.cmp(other.0).then_with(|| one.1.cmp(other.1))
    }

    /// The values of all facts: over items, their money and units, and all actions.
    fn totals(
        &self,
        range: &AxisRange,
        metrics: &[Metric],
        missing: &mut BTreeMap<Currency, i32>,
    ) -> Values {
        let all = self.all(range, metrics);
        self.values(&all, metrics, self.over_items(), missing)
    }

    /// All facts of a range as one group.
    fn all(&self, range: &AxisRange, metrics: &[Metric]) -> Group<'a> {
        let clicks = self.clicks(range, metrics);
        let mut group = Group {
            actions: self
                .matching(range)
                .map(|action| (action.id, action))
                .collect(),
            items: Vec::new(),
            clicks: clicks.iter().map(|(_, row)| row.clicks).sum(),
            views: clicks.iter().filter_map(|(_, row)| row.views).sum(),
            lacks_clicks: self.lacks_clicks((range.span.from.micros(), range.span.to.micros())),
        };
        for action in group.actions.values() {
            for item in self.facts.cart(action.id) {
                group.items.push((action, item));
            }
        }
        group
    }

    fn values(
        &self,
        group: &Group<'a>,
        metrics: &[Metric],
        over_items: bool,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> Values {
        let mut values = Vec::new();
        for metric in metrics {
            if over_items && WHOLE.contains(metric) {
                continue;
            }
            let value = self.value(group, *metric, over_items, missing);
            let is_known = !(group.lacks_clicks && RATIOS.contains(metric));
            values.push((
                *metric,
                if is_known {
                    value
                } else {
                    MetricValue::Unknown
                },
            ));
        }
        Values(values)
    }

    #[expect(clippy::too_many_lines, reason = "one metric after the other")]
    fn value(
        &self,
        group: &Group<'a>,
        metric: Metric,
        over_items: bool,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> MetricValue {
        let actions: Vec<&Action> = group.actions.values().copied().collect();
        let count = |is: fn(&Action) -> bool| {
            i64::try_from(actions.iter().filter(|action| is(action)).count()).unwrap()
        };
        let amounts = |is: fn(&Action) -> bool| -> Amounts<'a> {
            if over_items {
                let items = group.items.iter();
                return items
                    .map(|(action, item)| (*action, if is(action) { item.amount_e4 } else { 0 }))
                    .collect();
            }
            let of = |action: &'a Action| {
                let amount = action.order_amount_e4.unwrap_or(0);
                (action, if is(action) { amount } else { 0 })
            };
            group.actions.values().map(|action| of(action)).collect()
        };
        let rewards = |is: fn(&Action) -> bool| -> Amounts<'a> {
            if over_items {
                let items = group.items.iter();
                return items
                    .map(|(action, item)| (*action, if is(action) { item.reward_e4 } else { 0 }))
                    .collect();
            }
            let of = |action: &'a Action| (action, if is(action) { action.reward_e4 } else { 0 });
            group.actions.values().map(|action| of(action)).collect()
        };
        let mut money =
            |amounts: Amounts<'_>| self.money(group, &amounts, &mut |_, sum| sum, missing);
        let processed = count(is_approved) + count(is_declined);
        match metric {
            Metric::Actions => MetricValue::Count(count(any)),
            Metric::PendingActions => MetricValue::Count(count(is_pending)),
            Metric::ApprovedActions => MetricValue::Count(count(is_approved)),
            Metric::DeclinedActions => MetricValue::Count(count(is_declined)),
            Metric::Users => {
                let users: BTreeSet<Uuid> =
                    actions.iter().filter_map(|action| action.user_id).collect();
                MetricValue::Count(i64::try_from(users.len()).unwrap())
            }
            Metric::Units => {
                let units = |item: &Item| i64::from(item.units);
                let carts = actions.iter().flat_map(|action| self.facts.cart(action.id));
                MetricValue::Count(if over_items {
                    group.items.iter().map(|(_, item)| units(item)).sum()
                } else {
                    carts.map(units).sum()
                })
            }
            Metric::OrderAmount => money(amounts(any)),
            Metric::PendingOrderAmount => money(amounts(is_pending)),
            Metric::ApprovedOrderAmount => money(amounts(is_approved)),
            Metric::DeclinedOrderAmount => money(amounts(is_declined)),
            Metric::Reward => money(rewards(any)),
            Metric::PendingReward => money(rewards(is_pending)),
            Metric::ApprovedReward => money(rewards(is_approved)),
            Metric::DeclinedReward => money(rewards(is_declined)),
            Metric::PaidReward => money(rewards(|action| action.paid)),
            Metric::ExpectedReward => self.expected(group, &rewards, missing),
            Metric::ApprovalRate => MetricValue::Ratio(ratio(count(is_approved), processed)),
            Metric::DeclineRate => MetricValue::Ratio(ratio(count(is_declined), processed)),
            Metric::AverageOrderAmount => {
                let counted = |action: &Action| action.order_amount_e4.is_some();
                self.average(group, &amounts(any), counted, missing)
            }
            Metric::AverageReward => self.average(group, &rewards(any), any, missing),
            Metric::EffectiveRate => {
                let (reward, amount) = (money(rewards(any)), money(amounts(any)));
                let (MetricValue::Money(rewards), MetricValue::Money(amounts)) = (reward, amount)
                else {
                    panic!("money");
                };
                let rates = rewards.iter().zip(&amounts).map(|(reward, amount)| {
                    assert_eq!(reward.currency, amount.currency);
                    (reward.currency, ratio(reward.e4, amount.e4))
                });
                MetricValue::Ratios(rates.collect())
            }
            Metric::CartCoverage => {
                let carted = actions.iter().filter(|action| {
                    let cart = self.facts.cart(action.id);
                    cart.iter().any(|item| item.product_id.is_some())
                });
                let carted = i64::try_from(carted.count()).unwrap();
                MetricValue::Ratio(ratio(carted, count(any)))
            }
            Metric::ConversionLag => quantiles(
                actions
                    .iter()
                    .filter_map(|action| action.conversion_seconds),
            ),
            Metric::ValidationLag => quantiles(actions.iter().filter_map(|action| {
                let at = action.status_updated_at_us?;
                (is_approved(action) || is_declined(action))
                    .then_some((at - action.ordered_at_us) / 1_000_000)
            })),
            Metric::Clicks => MetricValue::Count(group.clicks),
            Metric::Views => MetricValue::Count(group.views),
            Metric::Ctr => MetricValue::Ratio(ratio(group.clicks, group.views)),
            Metric::Cr => MetricValue::Ratio(ratio(count(any), group.clicks)),
            Metric::Ecpc => self.earned(group, &rewards, (1, group.clicks), missing),
            Metric::Epc => self.earned(group, &rewards, (100, group.clicks), missing),
            Metric::Ecpm => self.earned(group, &rewards, (1_000, group.views), missing),
        }
    }

    /// Billionths of 1/10 000 of an amount in the currency asked for, or none where there is no rate.
    fn converted(&self, sum: i64, own: Currency, day: i32) -> Option<i128> {
        let to = self.request.currency.unwrap();
        let latest = |from: Currency, to: Currency| {
            let rates = self
                .rates
                .iter()
                .filter(|rate| rate.from == from && rate.to == to && rate.day <= day);
            rates
                .max_by_key(|rate| rate.day)
                .map(|rate| (rate.day, i128::from(rate.rate_e9)))
        };
        let sum = i128::from(sum);
        if own == to {
            return Some(sum * 1_000_000_000);
        }
        match (latest(own, to), latest(to, own)) {
            (Some((_, rate)), None) => Some(sum * rate),
            (Some((since, rate)), Some((other, _))) if since >= other => Some(sum * rate),
            (_, Some((_, rate))) => Some(half_even(sum * 1_000_000_000_000_000_000, rate)),
            (None, None) => None,
        }
    }

    fn day(&self, action: &Action) -> i32 {
        match self.request.range.axis {
            DateAxis::Closed => action.closing_day.unwrap(),
            axis => {
                let at = naive::axis_value(action, axis, Zone::UTC).unwrap();
                i32::try_from(at.div_euclid(DAY)).unwrap()
            }
        }
    }

    /// Billionths of 1/10 000, by the currency shown and the facts' own.
    fn fine(
        &self,
        group: &Group<'_>,
        amounts: &Amounts<'_>,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> BTreeMap<(Currency, Currency), i128> {
        let mut sums: BTreeMap<(Currency, i32), i64> = BTreeMap::new();
        for action in group.actions.values() {
            sums.insert((currency(action), self.day(action)), 0);
        }
        for (action, amount) in amounts {
            *sums.get_mut(&(currency(action), self.day(action))).unwrap() += amount;
        }
        let mut shown: BTreeMap<(Currency, Currency), i128> = BTreeMap::new();
        for ((own, day), sum) in sums {
            let plain = i128::from(sum) * 1_000_000_000;
            let (to, sum) = match self.request.currency {
                None => (own, plain),
                Some(to) => match self.converted(sum, own, day) {
                    Some(sum) => (to, sum),
                    None => {
                        let first = missing.entry(own).or_insert(day);
                        *first = day.min(*first);
                        (own, plain)
                    }
                },
            };
            *shown.entry((to, own)).or_default() += sum;
        }
        shown
    }

    fn money(
        &self,
        group: &Group<'_>,
        amounts: &Amounts<'_>,
        share: &mut dyn FnMut(Currency, i128) -> i128,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> MetricValue {
        let mut shown: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((to, own), sum) in self.fine(group, amounts, missing) {
            *shown.entry(to).or_default() += share(own, sum);
        }
        let money = shown.into_iter().map(|(currency, sum)| Money {
            e4: i64::try_from(half_even(sum, 1_000_000_000)).unwrap(),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    fn expected(
        &self,
        group: &Group<'a>,
        rewards: &dyn Fn(fn(&Action) -> bool) -> Amounts<'a>,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> MetricValue {
        let end = self.request.now.micros() - 30 * DAY;
        let range = self.request.range.with_span(Span {
            from: Instant::from_micros(end - 360 * DAY).unwrap(),
            to: Instant::from_micros(end).unwrap(),
        });
        let mut base: BTreeMap<Currency, (i128, i128)> = BTreeMap::new();
        for action in self.matching(&range) {
            let sums = base.entry(currency(action)).or_default();
            if is_approved(action) {
                sums.0 += i128::from(action.reward_e4);
            }
            if is_approved(action) || is_declined(action) {
                sums.1 += i128::from(action.reward_e4);
            }
        }
        let approved = self.fine(group, &rewards(is_approved), missing);
        let mut shown: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((to, own), pending) in self.fine(group, &rewards(is_pending), missing) {
            let (part, of) = base.get(&own).copied().unwrap_or_default();
            let hope = match of.cmp(&0) {
                Ordering::Equal => 0,
                Ordering::Greater => half_even(pending * part, of),
                Ordering::Less => half_even(-pending * part, -of),
            };
            *shown.entry(to).or_default() += approved[&(to, own)] + hope;
        }
        let money = shown.into_iter().map(|(currency, sum)| Money {
            e4: i64::try_from(half_even(sum, 1_000_000_000)).unwrap(),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    /// What is not declined, so many times, divided by so many.
    fn earned(
        &self,
        group: &Group<'a>,
        rewards: &dyn Fn(fn(&Action) -> bool) -> Amounts<'a>,
        (times, count): (i128, i64),
        missing: &mut BTreeMap<Currency, i32>,
    ) -> MetricValue {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        let kept = rewards(|action| !is_declined(action));
        for ((to, _), sum) in self.fine(group, &kept, missing) {
            *sums.entry(to).or_default() += sum * times;
        }
        let sums = sums.into_iter().filter(|_| count > 0);
        let money = sums.map(|(currency, sum)| Money {
            e4: i64::try_from(half_even(sum, 1_000_000_000 * i128::from(count))).unwrap(),
            currency,
        });
        MetricValue::Money(money.collect())
    }

    fn average(
        &self,
        group: &Group<'a>,
        amounts: &Amounts<'a>,
        counted: fn(&Action) -> bool,
        missing: &mut BTreeMap<Currency, i32>,
    ) -> MetricValue {
        let mut sums: BTreeMap<Currency, (i128, i128)> = BTreeMap::new();
        for ((to, _), sum) in self.fine(group, amounts, missing) {
            sums.entry(to).or_default().0 += sum;
        }
        for action in group.actions.values().filter(|action| counted(action)) {
            let own = currency(action);
            let to = self
                .request
                .currency
                .filter(|_| self.converted(0, own, self.day(action)).is_some());
            sums.get_mut(&to.unwrap_or(own)).unwrap().1 += 1;
        }
        let money = sums.into_iter().filter(|(_, (_, count))| *count > 0);
        let money = money.map(|(currency, (sum, count))| Money {
            e4: i64::try_from(half_even(sum, 1_000_000_000 * count)).unwrap(),
            currency,
        });
        MetricValue::Money(money.collect())
    }
}

/// Metrics of clicks.
pub(crate) const CLICKS: [Metric; 7] = [
    Metric::Clicks,
    Metric::Views,
    Metric::Ctr,
    Metric::Cr,
    Metric::Ecpc,
    Metric::Epc,
    Metric::Ecpm,
];

/// What clicks and views are divided by, or divide.
const RATIOS: [Metric; 5] = [
    Metric::Ctr,
    Metric::Cr,
    Metric::Ecpc,
    Metric::Epc,
    Metric::Ecpm,
];

/// Metrics of whole actions.
pub(crate) const WHOLE: [Metric; 6] = [
    Metric::PaidReward,
    Metric::AverageOrderAmount,
    Metric::AverageReward,
    Metric::CartCoverage,
    Metric::ConversionLag,
    Metric::ValidationLag,
];

fn quantiles(values: impl Iterator<Item = i64>) -> MetricValue {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    let at = |percent: usize| values[(values.len() * percent).div_ceil(100) - 1];
    MetricValue::Quantiles((!values.is_empty()).then(|| Quantiles {
        median: at(50),
        p90: at(90),
    }))
}
