//! Who a rule lets in, and why, from columns: the same as `store::sql::segment` says by SQL.
//!
//! Each condition becomes a mark for every number of the directory of users or products: what is measured in one pass over
//! the facts, what stands in other rows by SQL. Who has no fact is in no column, so a rule that can let such in is left to
//! the database, and nobody without a fact is let in here, whatever the conditions say of them.

pub use super::answers::Answers;

use super::super::members::{Explained, Measured};
use super::super::sql::Sql;
use super::super::sql::filter::Condition as Write;
use super::super::sql::segment::{Place, table, write_condition};
use super::super::tx::ReadTx;
use super::answers::Look;
use super::crowds::named;
use super::marks::Marks;
use super::matching::{Asking, Matching};
use super::names::{Directory, Names};
use super::related::{ALL_PAGES, FEW_PAGES};
use super::snapshot::Snapshot;
use super::summing::Summing;
use crate::domain::columns::{can_measure, can_tell};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, Op, ProductTest, UserTest, Value};
use crate::domain::rule::{
    Condition, Measure, MemberIds, Metric, Rank, Rule, SegmentSet, SetOf, Subject, Take, Threshold,
};
use crate::domain::scope::ReadScope;
use crate::domain::time::{Instant, Span, Zone};
use futures::future::{BoxFuture, FutureExt as _};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Who a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How many.
    pub size: usize,
    /// Who, where that was asked for and they are no more than was allowed.
    pub members: Option<MemberIds>,
}

/// Who a rule lets in, and of up to `most` of them, if that is asked for, which; nothing where it measures nothing, where it
/// can let in who has no fact, and where there are no columns. As many statements as it has conditions that columns cannot
/// test, and for each page of ids that satisfy one, for all moments of the rule together: nothing is told of a further moment
/// at which the database would have to be asked again, and where too many satisfy what the database measures.
///
/// # Errors
/// When the database fails.
pub async fn tell(
    tx: &ReadTx,
    scope: ReadScope,
    set: &SegmentSet,
    most: Option<usize>,
    answers: &Answers,
) -> Result<Option<Told>> {
    let SetOf::Rule { at, .. } = &set.of else {
        return Ok(None);
    };
    let marked = match answers.told(set.id, *at) {
        Some(marked) => marked,
        None => {
            let look = answers.look(set.id, *at);
            let Some(ready) = Ready::of(tx, scope, set, Some(&look)).await? else {
                return Ok(None);
            };
            if look.has_missed() {
                tx.note_left();
                return Ok(None);
            }
            let marked = tokio::task::spawn_blocking(move || ready.tell());
            let marked = Arc::new(marked.await.map_err(Error::internal)?);
            answers.keep_told(set.id, *at, &marked);
            marked
        }
    };
    let subject = set.subject;
    let told = tokio::task::spawn_blocking(move || marked.told(subject, most));
    let told = told.await.map_err(Error::internal)?;
    if most.is_some() && told.members.is_none() {
        tx.note_left();
    }
    Ok(Some(told))
}

/// The numbers of those whom a rule lets in, as far as they have a fact before its moment: of the others nothing is said, so
/// that a rule which measures nothing or can let such in is told as well. Nothing where there are no columns, and where the
/// database would have to be asked again at a further moment. As many statements as [`tell`].
///
/// # Errors
/// When the database fails.
pub(super) async fn tell_of_seen(
    tx: &ReadTx,
    scope: ReadScope,
    set: &SegmentSet,
    answers: &Answers,
) -> Result<Option<Marks>> {
    let SetOf::Rule { at, .. } = &set.of else {
        return Ok(None);
    };
    let look = answers.look(set.id, *at);
    let Some(ready) = Ready::made(tx, scope, set, Some(&look)).await? else {
        return Ok(None);
    };
    if look.has_missed() {
        return Ok(None);
    }
    let told = tokio::task::spawn_blocking(move || ready.tell_marks());
    told.await.map_err(Error::internal).map(Some)
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
    let Some(ready) = Ready::of(tx, scope, set, None).await? else {
        return Ok(None);
    };
    let ids = ids.to_vec();
    let told = tokio::task::spawn_blocking(move || ready.explain(&ids));
    told.await.map_err(Error::internal)
}

/// Whom a rule lets in, by the numbers of a snapshot.
#[derive(Debug)]
pub(super) struct Marked {
    snapshot: Arc<Snapshot>,
    marks: Marks,
}

impl Marked {
    /// How many bytes it takes beside the snapshot.
    pub(super) fn bytes(&self) -> usize {
        self.marks.bytes()
    }

    fn told(&self, subject: Subject, most: Option<usize>) -> Told {
        let size = self.marks.count();
        let members = most.filter(|most| size <= *most).map(|_| {
            let all = named(subject, self.snapshot.names());
            let numbers = self.marks.numbers();
            let ids = numbers.filter_map(|number| all.name(number).copied());
            MemberIds::new(ids.collect())
        });
        Told { size, members }
    }
}

/// A rule whose conditions need nothing of the database any more.
struct Ready {
    snapshot: Arc<Snapshot>,
    subject: Subject,
    at: Instant,
    /// How many numbers there were when it was made ready: the facts name no other. Who came since has none.
    room: usize,
    tree: Filter<Test>,
}

/// A condition.
enum Test {
    /// The numbers that satisfy it.
    Known(Arc<Marks>),
    /// The click country of the latest action that was not declined is one of these, by the numbers of countries, 0 for none.
    Country(Marks),
    /// A bound on what a gauge shows.
    Threshold(Threshold, Gauge),
    /// A place among what a gauge shows.
    Rank(Rank, Gauge),
}

/// Something to be measured.
struct Gauge {
    matching: Matching,
    metric: Metric,
    /// The number of the currency that alone counts; one that no fact has, for one that none is in.
    currency: Option<usize>,
    /// Whether cart items are measured, not whole actions.
    of_items: bool,
    span: Span,
}

/// What a condition shows of a number, beside whether it holds.
enum Shown {
    Value(i64),
    Place(i64, i64),
    /// By the number of the country, 0 for an action without one.
    Country(usize),
}

/// What conditions say of a number, in their order: whether each holds, and what it shows.
type Said = Vec<(bool, Option<Shown>)>;

/// What conditions say of some numbers: for who asks why.
#[derive(Default)]
struct Heard(Vec<(usize, Said)>);

impl Heard {
    fn hear(&mut self, marks: &Marks, shown: impl Fn(usize) -> Option<Shown>) {
        for (number, said) in &mut self.0 {
            said.push((marks.has(*number), shown(*number)));
        }
    }
}

impl Ready {
    async fn of(
        tx: &ReadTx,
        scope: ReadScope,
        set: &SegmentSet,
        look: Option<&Look<'_>>,
    ) -> Result<Option<Self>> {
        let SetOf::Rule { rule, .. } = &set.of else {
            return Ok(None);
        };
        if !rule.is_measured() {
            return Ok(None);
        }
        if rule.may_hold_of_nothing() {
            tx.note_left();
            return Ok(None);
        }
        Self::made(tx, scope, set, look).await
    }

    /// Any rule: of those who have no fact it says nothing that holds.
    async fn made(
        tx: &ReadTx,
        scope: ReadScope,
        set: &SegmentSet,
        look: Option<&Look<'_>>,
    ) -> Result<Option<Self>> {
        let SetOf::Rule { rule, at, zone } = &set.of else {
            return Ok(None);
        };
        let Some(asking) = Asking::of(tx, scope, look).await? else {
            return Ok(None);
        };
        let room = named(set.subject, asking.snapshot.names()).room();
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
            room,
            tree,
            snapshot: asking.snapshot,
        }))
    }

    /// Who satisfies the rule and has a fact before the moment.
    fn tell_marks(&self) -> Marks {
        let mut marks = self.marks(&self.tree, &mut Heard::default());
        marks.keep(&self.seen());
        marks
    }

    fn tell(self) -> Marked {
        Marked {
            marks: self.tell_marks(),
            snapshot: self.snapshot,
        }
    }

    /// Who has a fact before the moment. Those whom the names tell beside are gone from the database, or came to it since.
    fn seen(&self) -> Marks {
        let to = self.at.micros();
        let firsts = self.snapshot.first_seen(self.subject);
        firsts.iter().map(|first| *first < to).collect()
    }

    fn explain(&self, ids: &[Uuid]) -> Option<HashMap<Uuid, Explained>> {
        let numbers: Option<Vec<(usize, Said)>> = {
            let names = self.snapshot.names();
            let all = named(self.subject, names);
            let number = |id| all.find(id).filter(|number| *number < self.room);
            let numbers = ids.iter().map(number);
            numbers.map(|number| Some((number?, Vec::new()))).collect()
        };
        let mut heard = Heard(numbers?);
        self.marks(&self.tree, &mut heard);
        let names = self.snapshot.names();
        let measured = |shown: Shown| match shown {
            Shown::Value(value) => Measured::Value(value),
            Shown::Place(value, place) => Measured::Place(value, place),
            Shown::Country(number) => Measured::Country(names.countries.name(number).cloned()),
        };
        let explained = heard.0.into_iter().map(|(_, said)| {
            let said = said.into_iter();
            let (holds, measured) = said
                .map(|(holds, shown)| (holds, shown.map(measured)))
                .unzip();
            Explained { holds, measured }
        });
        Some(ids.iter().copied().zip(explained).collect())
    }

    /// For each number whether it satisfies a tree. What is measured for one condition is forgotten before the next.
    fn marks(&self, tree: &Filter<Test>, heard: &mut Heard) -> Marks {
        Marks::of_tree(tree, self.room, &mut |test| self.say(test, heard))
    }

    fn say(&self, test: &Test, heard: &mut Heard) -> Marks {
        match test {
            Test::Known(known) => {
                heard.hear(known, |_| None);
                let mut marks = Marks::none(self.room);
                marks.add(known);
                marks
            }
            Test::Country(countries) => {
                let latest = self.countries();
                let of = |number: usize| latest.get(number).copied().flatten().map(usize::from);
                let holds = |country: &Option<u16>| countries.has(country.unwrap_or(0).into());
                let marks = latest.iter().map(holds).collect();
                heard.hear(&marks, |number| of(number).map(Shown::Country));
                marks
            }
            Test::Threshold(threshold, gauge) => {
                let values = self.values(gauge);
                let of_nothing = gauge.metric.is_zero_of_nothing() && threshold.holds(0);
                let holds =
                    |value: &Option<i64>| value.map_or(of_nothing, |value| threshold.holds(value));
                let marks = values.iter().map(holds).collect();
                let shown = |number: usize| values.get(number).copied()?.map(Shown::Value);
                heard.hear(&marks, shown);
                marks
            }
            Test::Rank(rank, gauge) => self.ranked(rank, &self.values(gauge), heard),
        }
    }

    /// The click country of the latest action of each number; nothing of a number without one.
    fn countries(&self) -> Cow<'_, [Option<u16>]> {
        let at = self.at.micros();
        if self.snapshot.has_between(at, i64::MAX) {
            let earlier = self.snapshot.countries_before(at, self.subject, self.room);
            return Cow::Owned(earlier);
        }
        Cow::Borrowed(self.snapshot.latest_countries(self.subject))
    }

    /// Takes the first of a ranking, ties by id.
    fn ranked(&self, rank: &Rank, values: &[Option<i64>], heard: &mut Heard) -> Marks {
        let mut order: Vec<(i64, Uuid, usize)> = {
            let names = self.snapshot.names();
            let all = named(self.subject, names);
            let values = values.iter().enumerate();
            let ranked =
                values.filter_map(|(number, value)| Some(((*value)?, *all.name(number)?, number)));
            ranked.collect()
        };
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
        let mut marks = Marks::none(self.room);
        let mut places: HashMap<usize, (i64, i64)> = heard
            .0
            .iter()
            .map(|(number, _)| (*number, (0, 0)))
            .collect();
        for (place, (value, _, number)) in (1_i64..).zip(order) {
            if is_taken(place) {
                marks.put(number);
            }
            if let Some(own) = places.get_mut(&number) {
                *own = (value, place);
            }
        }
        heard.hear(&marks, |number| {
            let (value, place) = places.get(&number).filter(|(_, place)| *place > 0)?;
            Some(Shown::Place(*value, *place))
        });
        marks
    }

    /// What a gauge shows of each number.
    fn values(&self, gauge: &Gauge) -> Vec<Option<i64>> {
        let of_products = self.subject == Subject::Products;
        let mut sums = Summing::new(gauge.metric, self.room);
        let (from, to) = (gauge.span.from.micros(), gauge.span.to.micros());
        gauge.matching.each_counted(from, to, |chunk, place| {
            let currency = gauge.currency;
            if currency.is_some_and(|currency| currency != chunk.currency(place)) {
                return;
            }
            sums.next();
            if !gauge.of_items {
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
                other => self.test(other).await,
            }
        }
        .boxed()
    }

    fn product<'f>(&'f self, condition: &'f Condition<ProductTest>) -> BoxFuture<'f, Result<Test>> {
        async move {
            match condition {
                Condition::Own(filter) => self.asking.products(filter).await.map(Test::Known),
                other => self.test(other).await,
            }
        }
        .boxed()
    }

    /// A condition: by columns, or by SQL where these cannot test it.
    async fn test<T: Write + Sync>(&self, condition: &Condition<T>) -> Result<Test> {
        match condition {
            Condition::ClickCountry(op) => Ok(self.country(op)),
            Condition::Threshold(threshold) => match self.gauge(&threshold.measure).await? {
                Some(gauge) => Ok(Test::Threshold(threshold.clone(), gauge)),
                None => self.by_sql(condition, FEW_PAGES).await,
            },
            Condition::Rank(rank) => match self.gauge(&rank.measure).await? {
                Some(gauge) => Ok(Test::Rank(rank.clone(), gauge)),
                None => self.by_sql(condition, FEW_PAGES).await,
            },
            Condition::Own(_) | Condition::Members(_) => self.by_sql(condition, ALL_PAGES).await,
        }
    }

    fn country(&self, op: &Op) -> Test {
        let names = self.asking.snapshot.names();
        // Who has no action has no country, as has one whose latest action names none.
        let countries = names.countries.which(op.holds(&Value::Null), |code| {
            op.holds(&code.as_str().into())
        });
        Test::Country(countries)
    }

    /// A gauge; none where columns do not hold what is measured, which is noted.
    async fn gauge(&self, measure: &Measure) -> Result<Option<Gauge>> {
        if !can_measure(measure) {
            self.asking.tx.note_left();
            return Ok(None);
        }
        let counted = measure.is_without_declined();
        let mut matching = self.asking.matching(&measure.actions, counted).await?;
        if let Some(items) = &measure.items {
            matching.only_items(self.asking.items(items).await?);
        }
        let currency = measure.currency.map(|code| {
            let names = self.asking.snapshot.names();
            names.currencies.find(&code).unwrap_or(usize::MAX)
        });
        let (at, zone) = self.when;
        Ok(Some(Gauge {
            matching,
            metric: measure.metric,
            currency,
            of_items: self.place.subject == Subject::Products || measure.items.is_some(),
            span: measure.span(at, zone),
        }))
    }

    async fn by_sql<T: Write>(&self, condition: &Condition<T>, pages: usize) -> Result<Test> {
        let write = |sql: &mut Sql| write_condition(condition, self.place, sql);
        let names: fn(&Directory) -> &Names<Uuid> = match self.place.subject {
            Subject::Users => |names| &names.users,
            Subject::Products => |names| &names.products,
        };
        let from = format!("{} x", table(self.place.subject));
        let listed = self.asking.listed((&from, names), write, pages);
        listed.await.map(Test::Known)
    }
}
