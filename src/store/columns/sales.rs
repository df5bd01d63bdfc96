//! Sums by product and by user, and the first of them, from columns; and sums of actions that no total has.

use super::super::sales::{Actions, Completeness};
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::matching::{Asking, Matching};
use super::segments::sums;
use crate::domain::action::Status;
use crate::domain::columns::{can_count, can_test};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, ItemTest, Value};
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::sales::{
    AxisRange, DateAxis, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use crate::domain::time::DAY_US;
use crate::domain::totals::Source;
use std::ops::Range;
use uuid::Uuid;

/// Sums by the number of a group: of each its units, and then three numbers for each currency: how many actions, the order
/// amount, the reward. What belongs to a group stands together, since groups come in no order.
pub(super) struct Tally {
    sums: Vec<i64>,
    currencies: usize,
}

/// How many numbers there are for each currency.
const NUMBERS: usize = 3;

/// What one fact adds to a group.
#[derive(Clone, Copy)]
struct More {
    actions: i64,
    units: i64,
    amount: i64,
    reward: i64,
}

impl Tally {
    pub(super) fn new(groups: usize, currencies: usize) -> Self {
        Self {
            sums: vec![0; groups * (1 + NUMBERS * currencies)],
            currencies,
        }
    }

    /// Where the numbers of a group are.
    fn room(&self, group: usize) -> Range<usize> {
        let width = 1 + NUMBERS * self.currencies;
        group * width..(group + 1) * width
    }

    fn add(&mut self, group: usize, currency: usize, more: More) {
        let room = self.room(group);
        if let Some([units, cells @ ..]) = self.sums.get_mut(room)
            && let Some([actions, amount, reward, ..]) = cells.get_mut(NUMBERS * currency..)
        {
            *units += more.units;
            *actions += more.actions;
            *amount += more.amount;
            *reward += more.reward;
        }
    }

    /// Adds a cart item to its product; `is_first` of the product in its cart, whose action counts then.
    pub(super) fn add_item(
        &mut self,
        chunk: &Chunk,
        (place, item): (usize, usize),
        product: usize,
        is_first: bool,
    ) {
        let more = More {
            actions: i64::from(is_first),
            units: chunk.item_units(item),
            amount: chunk.item_amount(item),
            reward: chunk.item_reward(item),
        };
        self.add(product, chunk.currency(place), more);
    }

    /// Adds an action to a group.
    pub(super) fn add_action(&mut self, chunk: &Chunk, place: usize, group: usize) {
        let more = More {
            actions: 1,
            units: chunk.units(place),
            amount: chunk.amount(place),
            reward: chunk.reward(place),
        };
        self.add(group, chunk.currency(place), more);
    }

    /// Likewise with the money that its items have.
    fn add_items_of_action(&mut self, chunk: &Chunk, place: usize, group: usize) {
        let items = chunk.items(place);
        let more = More {
            actions: 1,
            units: chunk.units(place),
            amount: items.clone().map(|item| chunk.item_amount(item)).sum(),
            reward: items.map(|item| chunk.item_reward(item)).sum(),
        };
        self.add(group, chunk.currency(place), more);
    }

    /// The units of a group, and its numbers by currency.
    fn of(&self, group: usize) -> (i64, &[[i64; NUMBERS]]) {
        match self.sums.get(self.room(group)) {
            Some([units, cells @ ..]) => (*units, cells.as_chunks().0),
            _ => (0, &[]),
        }
    }

    /// How many actions a group has.
    pub(super) fn actions(&self, group: usize) -> i64 {
        self.of(group).1.iter().map(|[actions, ..]| actions).sum()
    }

    /// The sums of a group, its currencies in the order of their codes.
    pub(super) fn sums(&self, group: usize, currencies: &[(usize, Currency)]) -> Sums {
        let (units, cells) = self.of(group);
        let actions = cells.iter().map(|[actions, ..]| actions).sum();
        let money = currencies.iter().filter_map(|(place, currency)| {
            let [actions, amount, reward] = cells.get(*place)?;
            (*actions > 0).then_some((*currency, *amount, *reward))
        });
        sums((actions, units), money)
    }

    /// What a group is ranked by; none where it has nothing of the currency.
    fn metric(&self, group: usize, by: RankBy, currency: Option<usize>) -> Option<i64> {
        let (units, cells) = self.of(group);
        let money = || cells.get(currency?).filter(|[actions, ..]| *actions > 0);
        match by {
            RankBy::Units => Some(units),
            RankBy::Actions => Some(self.actions(group)),
            RankBy::OrderAmount(_) => money().map(|[_, amount, _]| *amount),
            RankBy::Reward(_) => money().map(|[.., reward]| *reward),
        }
    }

    fn clear(&mut self, group: usize) {
        let room = self.room(group);
        if let Some(sums) = self.sums.get_mut(room) {
            sums.fill(0);
        }
    }
}

/// Groups being summed up and ranked, again and again in the same room.
pub(super) struct Ranking {
    tally: Tally,
    /// The last action that each group was seen in.
    seen: Vec<u64>,
    touched: Vec<usize>,
    number: u64,
}

impl Ranking {
    pub(super) fn new(groups: usize, currencies: usize) -> Self {
        Self {
            tally: Tally::new(groups, currencies),
            seen: vec![0; groups],
            touched: Vec::new(),
            number: 0,
        }
    }

    fn touch(&mut self, group: usize) -> bool {
        let is_new = self.tally.actions(group) == 0;
        if is_new {
            self.touched.push(group);
        }
        self.seen
            .get_mut(group)
            .is_some_and(|seen| std::mem::replace(seen, self.number) != self.number)
    }

    /// Adds the products of an action's cart, of the items that are looked at.
    fn add_cart(&mut self, matching: &Matching, chunk: &Chunk, place: usize) {
        self.number += 1;
        for item in chunk.items(place) {
            let product = chunk.product(item);
            if product > 0 && matching.item_passes(chunk, item) {
                let is_first = self.touch(product);
                self.tally.add_item(chunk, (place, item), product, is_first);
            }
        }
    }

    /// Adds an action to its user, also to nobody.
    fn add_user(&mut self, chunk: &Chunk, place: usize) {
        let user = chunk.user(place);
        self.number += 1;
        self.touch(user);
        self.tally.add_action(chunk, place, user);
    }

    /// The first groups with their competition ranks, ties by the name; and begins anew.
    pub(super) fn take(
        &mut self,
        by: RankBy,
        first: usize,
        currencies: &[(usize, Currency)],
        name: impl Fn(usize) -> Option<Uuid>,
    ) -> Vec<SalesRow> {
        let currency = place_of(by, currencies);
        let order = |(metric, key, _): &(i64, Uuid, usize)| (std::cmp::Reverse(*metric), *key);
        let mut ranked: Vec<(i64, Uuid, usize)> = self
            .touched
            .iter()
            .filter_map(|group| {
                let metric = self.tally.metric(*group, by, currency)?;
                Some((metric, name(*group).unwrap_or_default(), *group))
            })
            .collect();
        if first < ranked.len() {
            ranked.select_nth_unstable_by_key(first, order);
            ranked.truncate(first);
        }
        ranked.sort_unstable_by_key(order);
        let rows = rows(&ranked, |group| self.tally.sums(group, currencies));
        for group in self.touched.drain(..) {
            self.tally.clear(group);
        }
        rows
    }
}

/// The place of the currency of a ranking; none for a ranking without one, and where nothing has it.
pub(super) fn place_of(by: RankBy, currencies: &[(usize, Currency)]) -> Option<usize> {
    let code = by.currency()?;
    let found = currencies.iter().find(|(_, other)| *other == code);
    found.map(|(place, _)| *place)
}

/// Rows with competition ranks of groups in their order: what each is ranked by, its name, nil for none, and its number.
pub(super) fn rows(ranked: &[(i64, Uuid, usize)], sums: impl Fn(usize) -> Sums) -> Vec<SalesRow> {
    let mut held = (0, None);
    let rows = (1i64..).zip(ranked).map(|(place, (metric, key, group))| {
        if held.1 != Some(*metric) {
            held = (place, Some(*metric));
        }
        SalesRow {
            key: (!key.is_nil()).then_some(*key),
            rank: held.0,
            metric: *metric,
            sums: sums(*group),
        }
    });
    rows.collect()
}

/// The first page of products or users by their sales; nothing where there are no columns that can tell, or another page
/// is asked for. As many statements as the filters have conditions on related rows.
///
/// # Errors
/// When the database fails.
pub async fn ranked(
    tx: &ReadTx,
    scope: ReadScope,
    query: &SalesQuery,
) -> Result<Option<Page<SalesRow>>> {
    let page = &query.page;
    if !can_rank(&query.facts, query.group, page) {
        if ranks(query.group) {
            tx.note_left();
        }
        return Ok(None);
    }
    let Some(matching) = matching(tx, scope, query).await? else {
        return Ok(None);
    };
    let (range, group, by) = (query.facts.range.span, query.group, query.by);
    let first = usize::try_from(page.size)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let summed = tokio::task::spawn_blocking(move || {
        let names = matching.snapshot.names();
        let of_products = group == SalesGroup::Product;
        let groups = if of_products {
            &names.products
        } else {
            &names.users
        };
        let mut ranking = Ranking::new(groups.room(), names.currencies.room());
        let (from, to) = (range.from.micros(), range.to.micros());
        matching.each_counted(from, to, |chunk, place| {
            if of_products {
                ranking.add_cart(&matching, chunk, place);
            } else {
                ranking.add_user(chunk, place);
            }
        });
        let currencies = names.currencies_in_order();
        ranking.take(by, first, &currencies, |place| groups.name(place).copied())
    });
    let rows: Vec<SalesRow> = summed.await.map_err(Error::internal)?;
    let rows = rows.into_iter().map(|row| {
        let cursor = Cursor {
            values: vec![Value::Int(row.metric)],
            id: row.key.unwrap_or_default(),
        };
        (row, cursor)
    });
    Ok(Some(Page::cut(rows.collect(), page)))
}

/// The facts of a ranking, of which the items with the products that are ranked are looked at; nothing where there are no
/// columns.
async fn matching(tx: &ReadTx, scope: ReadScope, query: &SalesQuery) -> Result<Option<Matching>> {
    let Some(asking) = Asking::of(tx, scope, None).await? else {
        return Ok(None);
    };
    let facts = &query.facts;
    let mut matching = asking
        .matching(&facts.filter, facts.without_declined)
        .await?;
    if query.group == SalesGroup::Product && query.products != Filter::default() {
        let ranked = Filter::Test(ItemTest::Product(query.products.clone()));
        matching.only_items(asking.items(&ranked).await?);
    }
    Ok(Some(matching))
}

/// Whether columns rank such groups; totals rank the others.
fn ranks(group: SalesGroup) -> bool {
    matches!(group, SalesGroup::Product | SalesGroup::User)
}

/// Whether columns can give a page of a ranking.
#[must_use]
pub fn can_rank(facts: &FactQuery, group: SalesGroup, page: &PageRequest) -> bool {
    can_count(facts)
        && ranks(group)
        && page.forward
        && page.after.is_none()
        && page.before.is_none()
}

/// Totals of actions that would be read from the facts, and how complete these are; nothing where a total has them, where
/// they are of a day at most, and where there are no columns that can tell. As many statements as the filter has conditions
/// on related rows.
///
/// # Errors
/// When the database fails.
pub async fn actions(
    tx: &ReadTx,
    scope: ReadScope,
    asked: &Actions<'_>,
) -> Result<Option<(Totals, Completeness)>> {
    if !reads_many(asked) {
        return Ok(None);
    }
    if !can_sum_up(asked) {
        tx.note_left();
        return Ok(None);
    }
    let matching = Matching::of(tx, scope, asked.filter, asked.without_declined).await?;
    let Some(matching) = matching else {
        return Ok(None);
    };
    let (from, to) = asked.range.map_or((i64::MIN, i64::MAX), |range| {
        (range.span.from.micros(), range.span.to.micros())
    });
    let summed = tokio::task::spawn_blocking(move || {
        let names = matching.snapshot.names();
        // One group of all actions by their own money, and one by that of their items.
        let mut tally = Tally::new(2, names.currencies.room());
        let mut complete = Completeness::default();
        matching.each_counted(from, to, |chunk, place| {
            tally.add_action(chunk, place, 0);
            tally.add_items_of_action(chunk, place, 1);
            complete.actions += 1;
            complete.unprocessed += i64::from(is_unprocessed(chunk, place));
            complete.with_cart += i64::from(chunk.is_carted(place));
        });
        let currencies = names.currencies_in_order();
        let totals = Totals {
            facts: tally.sums(0, &currencies),
            items: tally.sums(1, &currencies),
        };
        (totals, complete)
    });
    summed.await.map(Some).map_err(Error::internal)
}

/// Whether [`actions`] gives these totals: a statement at most, once in a transaction.
///
/// # Errors
/// When the database fails.
pub async fn sum_up(tx: &ReadTx, scope: ReadScope, asked: &Actions<'_>) -> Result<bool> {
    Ok(reads_many(asked) && can_sum_up(asked) && super::snapshot(tx, scope).await?.is_some())
}

/// Whether facts of more than a day are read: what lies within a day is read at once.
fn reads_many(asked: &Actions<'_>) -> bool {
    let is_long = |range: &AxisRange| range.span.micros() > DAY_US;
    *asked.source == Source::Facts && asked.range.is_none_or(is_long)
}

fn can_sum_up(asked: &Actions<'_>) -> bool {
    let is_by_order = |range: &AxisRange| range.axis == DateAxis::Ordered;
    asked.range.is_none_or(is_by_order) && can_test(asked.filter)
}

fn is_unprocessed(chunk: &Chunk, place: usize) -> bool {
    let status = Status::ALL.get(chunk.status(place));
    status.is_some_and(|status| !status.is_processed())
}
