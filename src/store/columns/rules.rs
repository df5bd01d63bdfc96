//! Who a rule lets in, and why, from columns: the same as `store::sql::segment` says by SQL.
//!
//! Each condition becomes a mark for every number of the directory of users or products: what is measured in one pass over
//! the facts, what stands in other rows by SQL. Who has no fact is in no column, so a rule that can let such in is left to
//! the database.

use super::super::members::{Explained, Measured};
use super::super::sql::filter::Condition as Write;
use super::super::sql::segment::{Place, table, write_condition};
use super::super::tx::ReadTx;
use super::chunk::{Chunk, index};
use super::matching::{Asking, Matching, is_in};
use super::names::{Directory, Names};
use super::snapshot::Snapshot;
use crate::domain::action::Status;
use crate::domain::columns::{can_measure, can_tell};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, Op, ProductTest, UserTest, Value};
use crate::domain::rule::{
    Condition, Measure, MemberIds, Metric, Rank, Rule, SegmentSet, SetOf, Subject, Take, Threshold,
};
use crate::domain::scope::ReadScope;
use crate::domain::time::{DAY_US, Instant, Span, Zone};
use futures::future::{BoxFuture, FutureExt as _};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Who a rule lets in; nothing where it measures nothing, where it can let in who has no fact, where there are no columns,
/// and where these are more than `most`. As many statements as it has conditions that columns cannot test.
///
/// # Errors
/// When the database fails.
pub async fn members(
    tx: &ReadTx,
    scope: ReadScope,
    set: &SegmentSet,
    most: usize,
) -> Result<Option<MemberIds>> {
    let Some(ready) = Ready::of(tx, scope, set).await? else {
        return Ok(None);
    };
    let found = tokio::task::spawn_blocking(move || ready.members());
    let found = found.await.map_err(Error::internal)?;
    let fits = found.ids().len() <= most;
    if !fits {
        tx.note_left();
    }
    Ok(fits.then_some(found))
}

/// What the conditions of a rule say of some members; nothing likewise, where one of them has no fact, and where a condition
/// measures what columns do not hold.
///
/// # Errors
/// When the database fails.
pub async fn explain(
    tx: &ReadTx,
    scope: ReadScope,
    set: &SegmentSet,
    ids: &[Uuid],
) -> Result<Option<HashMap<Uuid, Explained>>> {
    if !matches!(&set.of, SetOf::Rule { rule, .. } if can_tell(rule)) {
        return Ok(None);
    }
    let Some(ready) = Ready::of(tx, scope, set).await? else {
        return Ok(None);
    };
    let ids = ids.to_vec();
    let told = tokio::task::spawn_blocking(move || ready.explain(&ids));
    told.await.map_err(Error::internal)
}

/// A rule whose conditions need nothing of the database any more.
struct Ready {
    snapshot: Arc<Snapshot>,
    subject: Subject,
    at: Instant,
    tree: Filter<Test>,
}

/// A condition.
enum Test {
    /// The numbers that satisfy it.
    Known(Vec<bool>),
    /// The click country of the latest of these actions.
    Country(Op, Matching),
    /// A bound on what a gauge shows.
    Threshold(Threshold, Gauge),
    /// A place among what a gauge shows.
    Rank(Rank, Gauge),
}

/// Something to be measured.
struct Gauge {
    matching: Matching,
    measure: Measure,
    span: Span,
}

/// What a condition says of every number.
struct Said {
    holds: Vec<bool>,
    measured: All,
}

/// What was measured of every number; nothing of those of whom there is nothing to be measured.
enum All {
    Nothing,
    Values(Vec<Option<i64>>),
    Places(HashMap<usize, (i64, i64)>),
    /// By the numbers of the countries, 0 for an action without one.
    Countries(Vec<Option<usize>>),
}

impl Ready {
    async fn of(tx: &ReadTx, scope: ReadScope, set: &SegmentSet) -> Result<Option<Self>> {
        let SetOf::Rule { rule, at, zone } = &set.of else {
            return Ok(None);
        };
        if !rule.is_measured() {
            return Ok(None);
        }
        let snapshot = if rule.may_hold_of_nothing() {
            None
        } else {
            super::snapshot(tx, scope).await?
        };
        let Some(snapshot) = snapshot else {
            tx.note_left();
            return Ok(None);
        };
        let asking = Asking {
            tx,
            scope,
            snapshot: &snapshot,
        };
        let preparing = Preparing {
            asking: &asking,
            place: Place::of(set, *at, *zone),
            when: (*at, *zone),
        };
        let tree = match rule {
            Rule::Users(filter) => asking.tree(filter, &|test| preparing.user(test)).await?,
            Rule::Products(filter) => asking.tree(filter, &|test| preparing.product(test)).await?,
        };
        Ok(Some(Self {
            subject: set.subject,
            at: *at,
            tree,
            snapshot: Arc::clone(&snapshot),
        }))
    }

    fn members(&self) -> MemberIds {
        let names = self.snapshot.names();
        let marks = self.marks(&self.tree, &names, &mut Vec::new());
        let all = named(self.subject, &names);
        let inside = (1..marks.len()).filter(|number| is_in(&marks, *number));
        MemberIds::new(
            inside
                .filter_map(|number| all.name(number).copied())
                .collect(),
        )
    }

    fn explain(&self, ids: &[Uuid]) -> Option<HashMap<Uuid, Explained>> {
        let names = self.snapshot.names();
        let all = named(self.subject, &names);
        let numbers: Option<Vec<usize>> = ids.iter().map(|id| all.find(id)).collect();
        let mut said = Vec::new();
        self.marks(&self.tree, &names, &mut said);
        let explained = numbers?.into_iter().map(|number| Explained {
            holds: said.iter().map(|said| is_in(&said.holds, number)).collect(),
            measured: said
                .iter()
                .map(|said| said.measured.of(number, &names))
                .collect(),
        });
        Some(ids.iter().copied().zip(explained).collect())
    }

    /// For each number whether it satisfies a tree; what its conditions say is added to `said`, in their order.
    fn marks(&self, tree: &Filter<Test>, names: &Directory, said: &mut Vec<Said>) -> Vec<bool> {
        let room = named(self.subject, names).room();
        let mut parts = |parts: &[Filter<Test>], start: bool, add: fn(bool, bool) -> bool| {
            let mut marks = vec![start; room];
            for part in parts {
                let others = self.marks(part, names, said);
                for (mark, other) in marks.iter_mut().zip(others) {
                    *mark = add(*mark, other);
                }
            }
            marks
        };
        match tree {
            Filter::All(all) => parts(all, true, |one, other| one && other),
            Filter::Any(any) => parts(any, false, |one, other| one || other),
            Filter::Not(part) => {
                let mut marks = self.marks(part, names, said);
                marks.iter_mut().for_each(|mark| *mark = !*mark);
                marks
            }
            Filter::Test(test) => {
                let mut own = self.say(test, names, room);
                // Names may have come since a list was made: nobody of them is on it.
                own.holds.resize(room, false);
                let marks = own.holds.clone();
                said.push(own);
                marks
            }
        }
    }

    fn say(&self, test: &Test, names: &Directory, room: usize) -> Said {
        match test {
            Test::Known(holds) => Said {
                holds: holds.clone(),
                measured: All::Nothing,
            },
            Test::Country(op, matching) => {
                let latest = self.countries(matching, room);
                let holds = |country: &Option<usize>| match country {
                    Some(country) => op.holds(&match names.countries.name(*country) {
                        Some(code) => code.as_str().into(),
                        None => Value::Null,
                    }),
                    None => false,
                };
                Said {
                    holds: latest.iter().map(holds).collect(),
                    measured: All::Countries(latest),
                }
            }
            Test::Threshold(threshold, gauge) => {
                let values = self.values(gauge, names, room);
                let of_nothing = gauge.measure.metric.is_zero_of_nothing() && threshold.holds(0);
                let holds =
                    |value: &Option<i64>| value.map_or(of_nothing, |value| threshold.holds(value));
                Said {
                    holds: values.iter().map(holds).collect(),
                    measured: All::Values(values),
                }
            }
            Test::Rank(rank, gauge) => self.ranked(rank, &self.values(gauge, names, room), names),
        }
    }

    /// The click country of the latest action of each number.
    fn countries(&self, matching: &Matching, room: usize) -> Vec<Option<usize>> {
        let mut latest: Vec<(i64, Uuid, Option<usize>)> = vec![(i64::MIN, Uuid::nil(), None); room];
        let of_products = self.subject == Subject::Products;
        matching.each_counted(i64::MIN, self.at.micros(), |chunk, place| {
            let own = (chunk.at(place), chunk.id(place), Some(chunk.country(place)));
            let mut see = |number: usize| {
                if let Some(known) = latest.get_mut(number).filter(|known| **known < own) {
                    *known = own;
                }
            };
            if of_products {
                chunk.items(place).for_each(|item| see(chunk.product(item)));
            } else {
                see(chunk.user(place));
            }
        });
        latest.into_iter().map(|(.., country)| country).collect()
    }

    /// Takes the first of a ranking, ties by id.
    fn ranked(&self, rank: &Rank, values: &[Option<i64>], names: &Directory) -> Said {
        let all = named(self.subject, names);
        let mut order: Vec<(i64, Uuid, usize)> = values
            .iter()
            .enumerate()
            .filter_map(|(number, value)| Some(((*value)?, *all.name(number)?, number)))
            .collect();
        if rank.is_largest {
            order.sort_unstable_by_key(|(value, id, _)| (Reverse(*value), *id));
        } else {
            order.sort_unstable();
        }
        let many = i64::try_from(order.len()).unwrap_or(i64::MAX);
        let is_taken = |place: i64| match rank.take {
            Take::Count(count) => place <= i64::from(count),
            Take::PercentE4(percent) => {
                (place - 1).saturating_mul(1_000_000) < many.saturating_mul(i64::from(percent))
            }
        };
        let mut holds = vec![false; values.len()];
        let mut places = HashMap::with_capacity(order.len());
        for (place, (value, _, number)) in (1_i64..).zip(order) {
            if let Some(mark) = holds.get_mut(number) {
                *mark = is_taken(place);
            }
            places.insert(number, (value, place));
        }
        Said {
            holds,
            measured: All::Places(places),
        }
    }

    /// What a gauge shows of each number.
    fn values(&self, gauge: &Gauge, names: &Directory, room: usize) -> Vec<Option<i64>> {
        let measure = &gauge.measure;
        let currency = match measure.currency {
            Some(code) => match names.currencies.find(&code) {
                Some(number) => Some(number),
                None => return vec![None; room],
            },
            None => None,
        };
        let of_products = self.subject == Subject::Products;
        let of_items = of_products || measure.items.is_some();
        let mut sums = Summing::new(measure.metric, room);
        let (from, to) = (gauge.span.from.micros(), gauge.span.to.micros());
        gauge.matching.each_counted(from, to, |chunk, place| {
            if currency.is_some_and(|currency| currency != chunk.currency(place)) {
                return;
            }
            sums.number += 1;
            if !of_items {
                sums.add(chunk.user(place), chunk, (place, None));
                return;
            }
            for item in chunk.items(place) {
                if gauge.matching.item_passes(chunk, item) {
                    let number = if of_products {
                        chunk.product(item)
                    } else {
                        chunk.user(place)
                    };
                    sums.add(number, chunk, (place, Some(item)));
                }
            }
        });
        sums.shown(self.at)
    }
}

fn named(subject: Subject, names: &Directory) -> &Names<Uuid> {
    match subject {
        Subject::Users => &names.users,
        Subject::Products => &names.products,
    }
}

impl All {
    fn of(&self, number: usize, names: &Directory) -> Option<Measured> {
        match self {
            Self::Nothing => None,
            Self::Values(values) => values.get(number).copied()?.map(Measured::Value),
            Self::Places(places) => {
                let (value, place) = places.get(&number)?;
                Some(Measured::Place(*value, *place))
            }
            Self::Countries(countries) => {
                let country = countries.get(number).copied()??;
                Some(Measured::Country(names.countries.name(country).cloned()))
            }
        }
    }
}

/// Who makes conditions ready.
struct Preparing<'a> {
    asking: &'a Asking<'a>,
    place: Place,
    when: (Instant, Zone),
}

impl Preparing<'_> {
    fn user<'f>(&'f self, condition: &'f Condition<UserTest>) -> BoxFuture<'f, Result<Test>> {
        async move {
            match condition {
                Condition::Own(filter) => self.asking.users(filter).await.map(Test::Known),
                other => self.test(other, |names| &names.users).await,
            }
        }
        .boxed()
    }

    fn product<'f>(&'f self, condition: &'f Condition<ProductTest>) -> BoxFuture<'f, Result<Test>> {
        async move {
            match condition {
                Condition::Own(filter) => self.asking.products(filter).await.map(Test::Known),
                other => self.test(other, |names| &names.products).await,
            }
        }
        .boxed()
    }

    /// A condition: by columns, or by SQL where these cannot test it.
    async fn test<T: Write + Sync>(
        &self,
        condition: &Condition<T>,
        names: fn(&Directory) -> &Names<Uuid>,
    ) -> Result<Test> {
        let measure = match condition {
            Condition::ClickCountry(op) => {
                let (tx, scope) = (self.asking.tx, self.asking.scope);
                let all = Filter::default();
                let found = Matching::of(tx, scope, &all, true).await?;
                return match found {
                    Some(matching) => Ok(Test::Country(op.clone(), matching)),
                    None => self.by_sql(condition, names).await,
                };
            }
            Condition::Threshold(threshold) => &threshold.measure,
            Condition::Rank(rank) => &rank.measure,
            Condition::Own(_) | Condition::Members(_) => {
                return self.by_sql(condition, names).await;
            }
        };
        let Some(gauge) = self.gauge(measure).await? else {
            self.asking.tx.note_left();
            return self.by_sql(condition, names).await;
        };
        Ok(match condition {
            Condition::Rank(rank) => Test::Rank(rank.clone(), gauge),
            Condition::Threshold(threshold) => Test::Threshold(threshold.clone(), gauge),
            _ => Test::Known(Vec::new()),
        })
    }

    async fn gauge(&self, measure: &Measure) -> Result<Option<Gauge>> {
        if !can_measure(measure) {
            return Ok(None);
        }
        let (tx, scope) = (self.asking.tx, self.asking.scope);
        let without_declined = measure.is_without_declined();
        let found = Matching::of(tx, scope, &measure.actions, without_declined).await?;
        let Some(mut matching) = found else {
            return Ok(None);
        };
        if let Some(items) = &measure.items {
            matching.only_items(self.asking.items(items).await?);
        }
        let (at, zone) = self.when;
        Ok(Some(Gauge {
            matching,
            measure: measure.clone(),
            span: measure.span(at, zone),
        }))
    }

    async fn by_sql<T: Write>(
        &self,
        condition: &Condition<T>,
        names: fn(&Directory) -> &Names<Uuid>,
    ) -> Result<Test> {
        let write = |sql: &mut super::super::sql::Sql| write_condition(condition, self.place, sql);
        let subject = table(self.place.subject);
        Ok(Test::Known(
            self.asking.listed(subject, write, names).await?,
        ))
    }
}

/// What the facts of a number add up to.
#[derive(Clone, Copy, Default)]
struct Sum {
    /// The last action that it was seen in; 0 where it was in none.
    seen: u64,
    value: i64,
    /// Of a rate, what it is divided by.
    base: i64,
}

/// A metric being summed up for all numbers.
struct Summing {
    metric: Metric,
    sums: Vec<Sum>,
    /// What is counted but once for each number, where that is not actions: UTC days, or users.
    distinct: Vec<(u32, i64)>,
    /// The action that is being added.
    number: u64,
}

impl Summing {
    fn new(metric: Metric, room: usize) -> Self {
        Self {
            metric,
            sums: vec![Sum::default(); room],
            distinct: Vec::new(),
            number: 0,
        }
    }

    /// Adds an action, or one of its items, to a number; 0 is nobody.
    fn add(&mut self, number: usize, chunk: &Chunk, (place, item): (usize, Option<usize>)) {
        let action = self.number;
        let Some(sum) = self.sums.get_mut(number).filter(|_| number > 0) else {
            return;
        };
        let (is_new, is_first) = (sum.seen == 0, sum.seen != action);
        sum.seen = action;
        let status = || Status::ALL.get(chunk.status(place)).copied();
        let is = |holds: fn(Status) -> bool| i64::from(is_first && status().is_some_and(holds));
        let at = chunk.at(place);
        let more = match self.metric {
            Metric::Actions => i64::from(is_first),
            Metric::Units => item.map_or_else(|| chunk.units(place), |item| chunk.item_units(item)),
            Metric::OrderAmount => {
                item.map_or_else(|| chunk.amount(place), |item| chunk.item_amount(item))
            }
            Metric::Reward => {
                item.map_or_else(|| chunk.reward(place), |item| chunk.item_reward(item))
            }
            Metric::ApprovedActions => is(Status::counts_as_approved),
            Metric::DeclinedActions => is(|status| status == Status::Declined),
            Metric::ApprovalRate => {
                sum.base += is(Status::is_processed);
                is(Status::counts_as_approved)
            }
            Metric::DaysSinceLast | Metric::DaysSinceFirst if is_new => at,
            Metric::DaysSinceLast => at.max(sum.value) - sum.value,
            Metric::DaysSinceFirst => at.min(sum.value) - sum.value,
            Metric::ActiveDays | Metric::Users => {
                let distinct = match self.metric {
                    Metric::Users => i64::try_from(chunk.user(place)).unwrap_or(0),
                    _ => at / DAY_US,
                };
                if self.metric == Metric::ActiveDays || distinct > 0 {
                    self.distinct
                        .push((u32::try_from(number).unwrap_or(u32::MAX), distinct));
                }
                0
            }
        };
        sum.value = sum.value.saturating_add(more);
    }

    /// What is shown of each number at a moment.
    fn shown(mut self, at: Instant) -> Vec<Option<i64>> {
        self.distinct.sort_unstable();
        self.distinct.dedup();
        for (number, _) in &self.distinct {
            if let Some(sum) = self.sums.get_mut(index(*number)) {
                sum.value += 1;
            }
        }
        let metric = self.metric;
        let shown = |sum: &Sum| match metric {
            _ if sum.seen == 0 => None,
            Metric::ApprovalRate => sum.value.saturating_mul(1_000_000).checked_div(sum.base),
            Metric::DaysSinceLast | Metric::DaysSinceFirst => {
                Some((at.micros() - sum.value) / DAY_US)
            }
            _ => Some(sum.value),
        };
        self.sums.iter().map(shown).collect()
    }
}
