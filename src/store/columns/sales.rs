//! Sums by product and by user, and the first of them, from columns; and sums of actions that no total has.

use super::super::sales::{Actions, Completeness};
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::matching::Matching;
use super::segments::sums;
use crate::domain::action::Status;
use crate::domain::columns::{can_count, can_test};
use crate::domain::error::{Error, Result};
use crate::domain::filter::Value;
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::sales::{
    AxisRange, DateAxis, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums, Totals,
};
use crate::domain::scope::ReadScope;
use crate::domain::time::DAY_US;
use crate::domain::totals::Source;
use uuid::Uuid;

/// Counts and sums of one group in one currency.
#[derive(Clone, Copy, Default)]
struct Cell {
    actions: i64,
    amount: i64,
    reward: i64,
}

/// Sums by the number of a group, a cell for each currency.
pub(super) struct Tally {
    units: Vec<i64>,
    cells: Vec<Cell>,
    currencies: usize,
}

impl Tally {
    pub(super) fn new(groups: usize, currencies: usize) -> Self {
        Self {
            units: vec![0; groups],
            cells: vec![Cell::default(); groups * currencies],
            currencies,
        }
    }

    fn add(&mut self, group: usize, currency: usize, more: Cell, units: i64) {
        let cell = self.cells.get_mut(group * self.currencies + currency);
        if let (Some(cell), Some(sum)) = (cell, self.units.get_mut(group)) {
            cell.actions += more.actions;
            cell.amount += more.amount;
            cell.reward += more.reward;
            *sum += units;
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
        let more = Cell {
            actions: i64::from(is_first),
            amount: chunk.item_amount(item),
            reward: chunk.item_reward(item),
        };
        self.add(product, chunk.currency(place), more, chunk.item_units(item));
    }

    /// Adds an action to a group.
    pub(super) fn add_action(&mut self, chunk: &Chunk, place: usize, group: usize) {
        let more = Cell {
            actions: 1,
            amount: chunk.amount(place),
            reward: chunk.reward(place),
        };
        self.add(group, chunk.currency(place), more, chunk.units(place));
    }

    /// Likewise with the money that its items have.
    fn add_items_of_action(&mut self, chunk: &Chunk, place: usize, group: usize) {
        let items = chunk.items(place);
        let more = Cell {
            actions: 1,
            amount: items.clone().map(|item| chunk.item_amount(item)).sum(),
            reward: items.map(|item| chunk.item_reward(item)).sum(),
        };
        self.add(group, chunk.currency(place), more, chunk.units(place));
    }

    fn cells(&self, group: usize) -> &[Cell] {
        let from = group * self.currencies;
        self.cells.get(from..from + self.currencies).unwrap_or(&[])
    }

    /// How many actions a group has.
    pub(super) fn actions(&self, group: usize) -> i64 {
        self.cells(group).iter().map(|cell| cell.actions).sum()
    }

    /// The sums of a group, its currencies in the order of their codes.
    pub(super) fn sums(&self, group: usize, currencies: &[(usize, Currency)]) -> Sums {
        let cells = self.cells(group);
        let money = currencies.iter().filter_map(|(place, currency)| {
            let cell = cells.get(*place).filter(|cell| cell.actions > 0)?;
            Some((*currency, cell.amount, cell.reward))
        });
        let units = self.units.get(group).copied().unwrap_or(0);
        sums((self.actions(group), units), money)
    }

    /// What a group is ranked by; none where it has nothing of the currency.
    fn metric(&self, group: usize, by: RankBy, currency: Option<usize>) -> Option<i64> {
        let cell = || {
            self.cells(group)
                .get(currency?)
                .filter(|cell| cell.actions > 0)
        };
        match by {
            RankBy::Units => self.units.get(group).copied(),
            RankBy::Actions => Some(self.actions(group)),
            RankBy::OrderAmount(_) => cell().map(|cell| cell.amount),
            RankBy::Reward(_) => cell().map(|cell| cell.reward),
        }
    }

    fn clear(&mut self, group: usize) {
        let from = group * self.currencies;
        if let Some(cells) = self.cells.get_mut(from..from + self.currencies) {
            cells.fill(Cell::default());
        }
        if let Some(units) = self.units.get_mut(group) {
            *units = 0;
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

    /// Adds the products of an action's cart.
    pub(super) fn add_cart(&mut self, chunk: &Chunk, place: usize) {
        self.number += 1;
        for item in chunk.items(place) {
            let product = chunk.product(item);
            if product > 0 {
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
/// is asked for. As many statements as the filter has conditions on related rows.
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
    let Some(matching) = Matching::of_query(tx, scope, &query.facts).await? else {
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
                ranking.add_cart(chunk, place);
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
