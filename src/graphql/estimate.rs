//! How many actions a question looks through, before it is asked: from a table of the publisher's days that is kept in
//! memory and looked at again when the data changed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ID, InputType, Name, Value};
use async_graphql_value::Value as Written;

use super::bill::Bill;
use super::context::RequestContext;
use super::document::{Scan, UsualPeriod, WINDOW};
use super::id::Kind;
use super::input::action_filter::ActionFilter;
use super::input::range::{RangeArgs, RangeInput};
use super::input::reader::{Conditions as _, Reader};
use super::input::rule::SegmentRuleInput;
use super::input::rules::{ProductRulesInput, UserRulesInput};
use super::scalar::{DateTime, TimeZone};
use crate::access::user_ids::UserIds;
use crate::domain::columns::{can_tell, can_test};
use crate::domain::error::{Code, Result};
use crate::domain::id::PublisherId;
use crate::domain::query_limits::QueryLimits;
use crate::domain::report::ReportLimits;
use crate::domain::rule::Definitions;
use crate::domain::scope::ReadScope;
use crate::domain::segment::SegmentSettings;
use crate::domain::time::{DAY_US, Instant, Span};
use crate::store::{self, ReadTx, Store, definitions};
use uuid::Uuid;

/// For how long the days are taken for current without asking for the version of the data.
const FRESH_US: i64 = 10_000_000;

/// Publishers whose days are kept at a time.
const CAPACITY: usize = 1_024;

/// What is known of every publisher's days. It reads before the requests' own transactions begin, in the turns of their callers:
/// an estimate need not be of their state, and who holds one reader must not wait for another.
pub(super) struct Estimates {
    store: Store,
    known: Mutex<HashMap<PublisherId, Known>>,
}

#[derive(Clone)]
struct Known {
    version: i64,
    /// The last number of the change log.
    changes: i64,
    looked: Instant,
    days: Arc<Days>,
}

/// Actions by day of the order.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// UTC days since 1970-01-01, ascending, with the actions up to their ends.
    sums: Vec<(i64, u64)>,
    /// Actions of the day that has most.
    busiest: u64,
}

impl Days {
    fn new(days: Vec<(i64, u64)>) -> Self {
        let busiest = days.iter().map(|(_, actions)| *actions).max();
        let mut sum = 0_u64;
        let add = |(day, actions): (i64, u64)| {
            sum = sum.saturating_add(actions);
            (day, sum)
        };
        Self {
            sums: days.into_iter().map(add).collect(),
            busiest: busiest.unwrap_or(0),
        }
    }

    fn all(&self) -> u64 {
        self.sums.last().map_or(0, |(_, sum)| *sum)
    }

    /// Actions of days before `day`.
    fn before(&self, day: i64) -> u64 {
        let place = self.sums.partition_point(|(known, _)| *known < day);
        match place.checked_sub(1).and_then(|last| self.sums.get(last)) {
            Some((_, sum)) => *sum,
            None => 0,
        }
    }

    /// Actions of the days that a span touches; of all without one.
    fn within(&self, span: Option<Span>) -> u64 {
        let Some(span) = span else {
            return self.all();
        };
        let first = span.from.micros().div_euclid(DAY_US);
        let behind = (span.to.micros() - 1).div_euclid(DAY_US) + 1;
        self.before(behind).saturating_sub(self.before(first))
    }

    /// Actions that the database reads at most for whatever obeys these limits: what lies within a day is read in any case.
    pub(super) fn read_at_most(&self, limits: ReportLimits) -> u64 {
        let limit = u64::try_from(limits.facts).unwrap_or(0);
        limit.max(self.busiest)
    }

    /// Actions that a scan looks through. For a key with limits they are a figure of the calendar: what it is told and charged
    /// says nothing of the rows that it does not see, and how many it sees would have to be counted first.
    pub(super) fn scanned(
        &self,
        scan: &Scan,
        request: &RequestContext,
        settings: SegmentSettings,
    ) -> u64 {
        let spans = match spans(scan, request, settings) {
            Spans::All => vec![None],
            Spans::These(spans) => spans.into_iter().map(Some).collect(),
        };
        let counted = spans.into_iter().map(|span| {
            if request.tx.is_limited() {
                unseen(span)
            } else {
                self.within(span)
            }
        });
        counted.fold(0, u64::saturating_add)
    }
}

/// Arguments with which a question stays one that columns in memory answer, whatever they say.
const PLAIN: &[&str] = &[
    "after",
    "asOf",
    "before",
    "bucket",
    "by",
    "currency",
    "days",
    "first",
    "from",
    "ids",
    "last",
    "products",
    "range",
    "rule",
    "rules",
    "sampleSize",
    "segment",
    "segments",
    "timeZone",
    "to",
    "weekStart",
];

/// For each scan whether columns in memory answer a question like its own, as far as its arguments say: not every filter, not
/// every rule and no other axis of time is theirs. What is wrongly taken for dear is given back.
pub(super) fn are_plain(scans: &[&Scan], now: Instant, limits: QueryLimits) -> Vec<bool> {
    // All scans of a field share its arguments, which are read once: a filter may be large, and have many scans.
    let mut read: HashMap<*const IndexMap<Name, Value>, bool> = HashMap::new();
    // What a rule measures has a price of its own, which does not know the rest of the rule.
    let mut are_told = true;
    for scan in scans {
        if let Entry::Vacant(entry) = read.entry(Arc::as_ptr(&scan.arguments)) {
            are_told &= given(scan, "rule").is_none_or(|rule| tells_columns(rule, now, limits));
            let is_plain = scan.arguments.iter().all(|(name, value)| {
                *value == Value::Null
                    || match name.as_str() {
                        "filter" => tests_columns(value, now, limits),
                        other => PLAIN.contains(&other),
                    }
            });
            entry.insert(is_plain);
        }
    }
    let is_plain = |scan: &&Scan| {
        let own = read.get(&Arc::as_ptr(&scan.arguments));
        are_told && own.copied().unwrap_or(false)
    };
    scans.iter().map(is_plain).collect()
}

/// An argument that is not null.
fn given<'a>(scan: &'a Scan, name: &str) -> Option<&'a Value> {
    let value = scan.arguments.get(&Name::new(name));
    value.filter(|value| **value != Value::Null)
}

/// A reader of what is looked at for its form alone: whom ids stand for makes no difference.
fn reader(argument: &'static str, now: Instant, limits: QueryLimits) -> Reader {
    Reader::new(argument, now, UserIds::as_stored(), limits)
}

/// Whether columns can test a filter of actions: the same reading as where it is answered. One that cannot be read is none.
fn tests_columns(filter: &Value, now: Instant, limits: QueryLimits) -> bool {
    let given = <ActionFilter as InputType>::parse(Some(filter.clone())).ok();
    let read = given.and_then(|given| given.read(&mut reader("filter", now, limits)).ok());
    read.is_some_and(|filter| can_test(&filter))
}

/// Whether columns tell who is in a rule, likewise.
fn tells_columns(rule: &Value, now: Instant, limits: QueryLimits) -> bool {
    let given = <SegmentRuleInput as InputType>::parse(Some(rule.clone())).ok();
    let read = given.and_then(|given| given.read(&mut reader("rule", now, limits)).ok());
    read.flatten().is_some_and(|rule| can_tell(&rule))
}

/// The saved segments that an operation is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Those whose ids it names.
    named: BTreeSet<Uuid>,
    /// Whether it lists all.
    lists: bool,
}

impl Saved {
    /// Of an operation as the executor gets it. Every text that is a segment's id is taken for one.
    pub(super) fn of(document: &ExecutableDocument) -> Self {
        let mut saved = Self::default();
        for (_, operation) in document.operations.iter() {
            saved.in_set(&operation.node.selection_set.node);
        }
        saved
    }

    fn in_set(&mut self, set: &SelectionSet) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    self.lists |= field.node.name.node == *"segments";
                    for (_, value) in &field.node.arguments {
                        self.in_value(&value.node);
                    }
                    self.in_set(&field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => {
                    self.in_set(&inline.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn in_value(&mut self, value: &Written) {
        match value {
            Written::String(text) if text.len() < LONGEST_ID => {
                self.named.extend(Kind::Segment.key(&ID(text.clone())));
            }
            Written::List(items) => items.iter().for_each(|item| self.in_value(item)),
            Written::Object(fields) => fields.values().for_each(|field| self.in_value(field)),
            _ => {}
        }
    }
}

/// Longer than any id of a segment.
const LONGEST_ID: usize = 100;

/// Whether columns in memory hold the facts that a request is about, up to a number of the change log.
pub(super) fn are_held(request: &RequestContext, changes: i64) -> bool {
    let publisher = request.scope.publisher();
    let columns = request.tx.store().columns();
    !request.tx.is_limited() && columns.is_some_and(|columns| columns.are_held(publisher, changes))
}

/// Asks for columns in memory that are not there, if an operation that is refused for its price would cost no more than `most`
/// with them; whether they are being read in. What a key with limits asks they never answer, so that it causes none to be read.
pub(super) async fn are_coming(
    bill: &Bill,
    most: u64,
    (document, changes): (&ExecutableDocument, i64),
    request: &RequestContext,
) -> bool {
    let publisher = request.scope.publisher();
    let may_answer = request.scope.sees_all() && !request.tx.is_limited();
    let columns = request.tx.store().columns().filter(|_| may_answer);
    let Some(columns) = columns.filter(|columns| !columns.are_held(publisher, changes)) else {
        return false;
    };
    let scans = bill.scans();
    let plain = are_plain(&scans, request.now, request.limits.queries);
    let cost = |are_told: bool| {
        bill.in_memory(|scan| {
            let is_plain = plain.get(scan.number).copied().unwrap_or(false);
            is_plain && (are_told || !scan.is_of_saved)
        })
    };
    if cost(true) > most {
        return false;
    }
    // Their rules are read in the operation's own transaction: it may have begun, and nothing is read beside it then.
    let are_told = scans.iter().all(|scan| !scan.is_of_saved) || {
        let told = tells(&request.tx, &Saved::of(document), request.scope).await;
        told.unwrap_or(false)
    };
    cost(are_told) <= most && columns.ask(publisher, changes)
}

/// What the publisher has set of the built-in segments, where a scan asks for their periods: one statement, which the question
/// itself needs as well.
///
/// # Errors
/// When the store fails.
pub(super) async fn settings_for(
    scans: &[&Scan],
    request: &RequestContext,
) -> super::error::Result<SegmentSettings> {
    if scans.iter().all(|scan| scan.usual.is_none()) {
        return Ok(SegmentSettings::default());
    }
    Ok(request.segment_settings().await?.settings)
}

/// What a scan looks through.
enum Spans {
    /// All actions that there are.
    All,
    /// Those ordered in these; none where the field refuses its range.
    These(Vec<Span>),
}

/// The stretches of time that a scan's field is about: those of its range, or the windows before two points in time.
fn spans(scan: &Scan, request: &RequestContext, settings: SegmentSettings) -> Spans {
    let argument = |name: &str| given(scan, name).cloned();
    let (products, users) = usual_days(argument("rules"), scan.usual, settings);
    let two = scan.usual == Some(UsualPeriod::UsersTwice);
    let window = argument(WINDOW).or_else(|| two.then(|| Value::from(users)));
    if let Some(days) = window {
        let at = |name| match argument(name) {
            Some(value) => <DateTime as InputType>::parse(Some(value)).ok(),
            None => None,
        };
        return Spans::These(windows((at("from"), at("to")), &days, request.now));
    }
    let range = match (argument("range"), scan.usual) {
        (Some(range), _) => match <RangeInput as InputType>::parse(Some(range)) {
            Ok(range) => range,
            Err(_) => return Spans::These(Vec::new()),
        },
        (None, Some(UsualPeriod::Products)) => RangeInput::last_days(products),
        (None, Some(_)) => RangeInput::last_days(users),
        (None, None) => return Spans::All,
    };
    let args = RangeArgs {
        zone: argument("timeZone").and_then(|zone| <TimeZone as InputType>::parse(Some(zone)).ok()),
        ..RangeArgs::default()
    };
    let ranged = args.ranged(range, request);
    Spans::These(ranged.into_iter().map(|ranged| ranged.range.span).collect())
}

/// How many days questions of product and of user segments look back over that name no period: the same parameters laid on the
/// same settings as where they are answered. Rules that cannot be read change nothing; their question is refused.
fn usual_days(
    rules: Option<Value>,
    usual: Option<UsualPeriod>,
    mut settings: SegmentSettings,
) -> (i64, i64) {
    match usual.filter(|_| rules.is_some()) {
        Some(UsualPeriod::Products) => {
            if let Ok(rules) = <ProductRulesInput as InputType>::parse(rules) {
                rules.onto(&mut settings.products);
            }
        }
        Some(UsualPeriod::Users | UsualPeriod::UsersTwice) => {
            if let Ok(rules) = <UserRulesInput as InputType>::parse(rules) {
                rules.onto(&mut settings.users);
            }
        }
        None => {}
    }
    settings.usual_days()
}

/// The windows of so many days before two points in time: now unless given, and that many days earlier.
fn windows(
    (from, to): (Option<DateTime>, Option<DateTime>),
    days: &Value,
    now: Instant,
) -> Vec<Span> {
    let days = match days {
        Value::Number(days) => days.as_i64().unwrap_or(0),
        _ => 0,
    };
    let back = |end: Instant| {
        let micros = end.micros().saturating_sub(days.saturating_mul(DAY_US));
        Instant::from_micros(micros).unwrap_or(Instant::MIN)
    };
    let to = to.map_or(now, |to| to.0);
    let from = from.map_or_else(|| back(to), |from| from.0);
    [from, to]
        .map(|end| Span {
            from: back(end),
            to: end,
        })
        .to_vec()
}

/// What a key with limits is charged for each day of a range, in actions: about what a publisher of middle size has.
const UNSEEN_A_DAY: u64 = 128;

/// The days that it is charged at most, and where a question has no range.
const UNSEEN_DAYS: u64 = 365;

/// Actions that a key with limits is charged for.
fn unseen(span: Option<Span>) -> u64 {
    let days = span.map_or(UNSEEN_DAYS, |span| {
        let micros = span.to.micros().saturating_sub(span.from.micros());
        u64::try_from(micros)
            .unwrap_or(0)
            .div_ceil(DAY_US.unsigned_abs())
    });
    days.min(UNSEEN_DAYS).saturating_mul(UNSEEN_A_DAY)
}

impl Estimates {
    /// Estimates on a database, of which nothing is known yet.
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// The days of the publisher that a request is about, and the last number of its change log.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn days(&self, request: &RequestContext) -> Result<(Arc<Days>, i64)> {
        if request.tx.is_limited() {
            // It is charged by the calendar.
            return Ok((Arc::default(), 0));
        }
        let (publisher, now) = (request.scope.publisher(), request.now);
        let known = self.known().get(&publisher).cloned();
        if let Some(known) = &known
            && (0..FRESH_US).contains(&(now.micros() - known.looked.micros()))
        {
            return Ok((Arc::clone(&known.days), known.changes));
        }
        let tx = ReadTx::in_turn(&self.store, &request.viewer);
        let watch = tx.cancel_on_drop();
        let state = store::state(&tx, request.scope).await?;
        let (version, changes) = (state.data_version, state.change_seq);
        let days = match known {
            Some(known) if known.version == version => known.days,
            _ => Arc::new(Days::new(store::days::actions(&tx, request.scope).await?)),
        };
        watch.done();
        let entry = Known {
            version,
            changes,
            looked: now,
            days: Arc::clone(&days),
        };
        let mut all = self.known();
        if all.len() >= CAPACITY {
            all.clear();
        }
        all.insert(publisher, entry);
        Ok((days, changes))
    }

    /// Whether columns tell who is in all saved segments that an operation is about, with those that these name: at most two
    /// statements. What cannot be read is taken for dear.
    ///
    /// # Errors
    /// When no reader is free for the caller: the price would be another one than a moment later.
    pub(super) async fn tells_saved(
        &self,
        saved: &Saved,
        request: &RequestContext,
    ) -> Result<bool> {
        let tx = ReadTx::in_turn(&self.store, &request.viewer);
        let watch = tx.cancel_on_drop();
        let told = match tells(&tx, saved, request.scope).await {
            Err(error) if error.code() == Code::ServiceUnavailable => Err(error),
            told => Ok(told.unwrap_or(false)),
        };
        watch.done();
        told
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PublisherId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether columns tell who is in all of these saved segments.
async fn tells(tx: &ReadTx, saved: &Saved, scope: ReadScope) -> Result<bool> {
    let all = read_saved(tx, saved, scope).await?;
    let mut all = all.each();
    Ok(all.all(|(segment, rule)| segment.frozen_at.is_some() || can_tell(rule)))
}

/// The saved segments that an operation is about.
async fn read_saved(tx: &ReadTx, saved: &Saved, scope: ReadScope) -> Result<Definitions> {
    let named: Vec<Uuid> = saved.named.iter().copied().collect();
    let mut all = definitions::load(tx, scope, &named).await?;
    if saved.lists {
        all.extend(definitions::live(tx, scope).await?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::document::{DocumentLimits, Documents, MILLI};
    use super::super::schema::sdl;
    use super::*;

    /// Points that a question may cost of a publisher with so many actions, of which a range has so many; where columns
    /// hold them, or not.
    fn points(query: &str, (all, in_range): (u64, u64), is_held: bool) -> u64 {
        let documents = Documents::new(&sdl(), DocumentLimits::default()).unwrap();
        let none = serde_json::Map::new();
        let prepared = documents.prepare(query, None, &none).unwrap();
        let scans = prepared.plan.scans();
        let plain = are_plain(&scans, at(20_000), QueryLimits::default());
        prepared.plan.requested(&|scan: &Scan| {
            let is_ranged = scan.arguments.contains_key("range");
            let actions = if is_ranged { in_range } else { all };
            scan.price((actions, u64::MAX), is_held && plain[scan.number])
        }) / MILLI
    }

    /// The example of docs/SEGMENTS.md, of a publisher with two million actions in two years.
    #[test]
    fn a_trend_with_metrics_over_a_year_is_no_question_too_dear() {
        let text = include_str!("../../docs/SEGMENTS.md");
        let examples = text.split("```graphql\n").skip(1);
        let mut examples = examples.filter_map(|part| part.split_once("```"));
        let (example, _) = examples
            .find(|(example, _)| example.contains("trend(range:"))
            .unwrap();
        let actions = (2_740 * 730, 2_740 * 366);
        let limit = DocumentLimits::default().cost;
        let (held, read) = (
            points(example, actions, true),
            points(example, actions, false),
        );
        assert!(held < limit, "{held}");
        assert!(read > limit, "what the database reads is dear: {read}");
    }

    /// Columns evaluate each segment at each point, whatever the range.
    #[test]
    fn each_segment_and_each_point_is_paid_for() {
        let price = |what: &str, first: u64| {
            let query = format!("{{ segments(first: {first}) {{ nodes {{ {what} }} }} }}");
            points(&query, (2_000_000, 7_000), true)
        };
        let trend = "trend(range: {last: {count: 60, unit: HOUR}}, bucket: HOUR) { size }";
        let (size, over_time) = (price("size", 1), price(trend, 1));
        assert!(size > 2_000, "a pass over all actions: {size}");
        assert!(over_time >= 60 * size, "{over_time} of {size}");
        let top = "topProducts(range: {last: {count: 90, unit: DAY}}) { hasMore }";
        let metrics = "metrics(range: {last: {count: 90, unit: DAY}}) { actions }";
        for what in ["size", trend, top, metrics] {
            let (one, all) = (price(what, 1), price(what, 100));
            assert!(
                (95 * one..=105 * one).contains(&all),
                "{what}: {one}, {all}"
            );
        }
        let metrics = "trend(range: {last: {count: 60, unit: HOUR}}, bucket: HOUR) { size metrics { actions } }";
        assert!(price(metrics, 1) > over_time);
    }

    #[test]
    fn later_pages_are_those_of_columns_but_of_top_products() {
        const RANGE: &str = "range: {last: {count: 90, unit: DAY}}";
        let actions = (1_000_000, 100_000);
        for (field, later, are_told) in [
            ("userSegments", "after: \"x\"", true),
            ("productSegments", "last: 3", true),
            ("report", "bucket: DAY, first: 9, after: \"x\"", true),
            ("topSellingProducts", "first: 3", true),
            ("topSellingProducts", "first: 3, after: \"x\"", false),
            ("topSellingProducts", "first: 3, before: \"x\"", false),
            ("topSellingProducts", "last: 3", false),
        ] {
            let query = format!("{{ {field}({RANGE}, {later}) {{ pageInfo {{ hasNextPage }} }} }}");
            let (held, read) = (
                points(&query, actions, true),
                points(&query, actions, false),
            );
            assert_eq!(held < read, are_told, "{query}: {held}, {read}");
        }
    }

    fn at(day: i64) -> Instant {
        Instant::from_micros(day * DAY_US).unwrap()
    }

    #[test]
    fn what_is_not_seen_is_charged_by_the_calendar() {
        let span = |from, to| {
            Some(Span {
                from: at(from),
                to: at(to),
            })
        };
        assert_eq!(unseen(span(10, 11)), 128);
        assert_eq!(unseen(span(10, 40)), 30 * 128);
        assert_eq!(unseen(span(0, 100_000)), 365 * 128);
        assert_eq!(unseen(None), 365 * 128);
    }

    #[test]
    fn rules_say_how_far_a_question_looks_back() {
        let mut settings = SegmentSettings::default();
        (settings.products.period_days, settings.users.period_days) = (Some(7), Some(14));
        let asked = |usual, rules: serde_json::Value| {
            usual_days(Value::from_json(rules).ok(), Some(usual), settings)
        };
        use UsualPeriod::{Products, Users, UsersTwice};
        let days = |days: i32| serde_json::json!({ "periodDays": days });
        assert_eq!(asked(Products, days(3_660)), (3_660, 14));
        assert_eq!(asked(Users, days(3_660)), (7, 3_660));
        assert_eq!(asked(UsersTwice, days(3_660)), (7, 3_660));
        let none = || serde_json::json!({ "periodDays": null });
        assert_eq!(asked(Products, none()), (30, 14));
        assert_eq!(asked(Users, none()), (7, 90));
        for rules in ["{\"minimumActions\": 2}", "{\"periodDays\": \"x\"}", "null"] {
            let rules: serde_json::Value = serde_json::from_str(rules).unwrap();
            assert_eq!(asked(Users, rules), (7, 14));
        }
        assert_eq!(usual_days(None, Some(Users), settings), (7, 14));
    }

    #[test]
    fn two_windows_look_back_from_two_points_in_time() {
        let ends = |spans: Vec<Span>| -> Vec<(i64, i64)> {
            let day = |instant: Instant| instant.micros() / DAY_US;
            let both = spans.iter().map(|span| (day(span.from), day(span.to)));
            both.collect()
        };
        let now = at(1_000);
        let days = Value::from(30);
        assert_eq!(
            ends(windows((None, None), &days, now)),
            [(940, 970), (970, 1_000)]
        );
        let given = (Some(DateTime(at(500))), Some(DateTime(at(900))));
        assert_eq!(ends(windows(given, &days, now)), [(470, 500), (870, 900)]);
        assert_eq!(
            ends(windows((None, None), &Value::from(i32::MAX), now))[1],
            (0, 1_000)
        );
    }

    #[test]
    fn days_are_summed_by_halves() {
        let days = Days::new(vec![(10, 3), (12, 4), (15, 5)]);
        let within = |from: i64, to: i64| {
            days.within(Some(Span {
                from: at(from),
                to: at(to),
            }))
        };
        assert_eq!(days.within(None), 12);
        assert_eq!(within(0, 100), 12);
        assert_eq!(within(10, 11), 3);
        assert_eq!(within(11, 12), 0);
        assert_eq!(within(11, 13), 4);
        assert_eq!(within(12, 16), 9);
        assert_eq!(within(16, 20), 0);
        assert_eq!(Days::default().within(None), 0);
    }

    #[test]
    fn a_day_is_read_whatever_the_limit() {
        let days = Days::new(vec![(10, 3), (12, 9), (15, 5)]);
        let most = |facts| {
            days.read_at_most(ReportLimits {
                facts,
                ..ReportLimits::default()
            })
        };
        assert_eq!((most(2), most(9), most(10)), (9, 9, 10));
        let limits = ReportLimits::default();
        assert_eq!(Days::default().read_at_most(limits), 2_000_000);
    }
}
