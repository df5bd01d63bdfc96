//! What is known of each product and each user for the built-in segments, from columns: the same as `store::segments`
//! reads by SQL.

use super::super::convert::instant;
use super::super::listing::column;
use super::super::segments::{UserFacts, nothing_known};
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::matching::Matching;
use super::names::{Directory, Names};
use super::sales::Tally;
use crate::domain::action::Status;
use crate::domain::columns::can_count;
use crate::domain::error::{Error, Result};
use crate::domain::money::Currency;
use crate::domain::sales::{CurrencySums, FactQuery, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::segment::{ProductStats, UserStats};
use crate::domain::time::Span;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Whether columns answer a query in this transaction: they hold what it asks, and are there.
///
/// # Errors
/// When the database fails.
pub async fn are_there(tx: &ReadTx, scope: ReadScope, facts: &FactQuery) -> Result<bool> {
    Ok(can_count(facts) && super::snapshot(tx, scope).await?.is_some())
}

/// What is known of each product that was sold before the range's end or is on the priority list; nothing where there
/// are no columns that can tell. One statement, and those of the filter's conditions on related rows.
///
/// # Errors
/// When the database fails.
pub async fn product_stats(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    previous: Span,
) -> Result<Option<Vec<ProductStats>>> {
    if !can_count(facts) {
        tx.note_left();
        return Ok(None);
    }
    let Some(matching) = Matching::of_query(tx, scope, facts).await? else {
        return Ok(None);
    };
    let mut sql = tx.sql();
    sql.push("SELECT p.id, p.is_hot, p.is_priority FROM products p WHERE p.publisher_id = ")
        .bind(scope.publisher().0);
    // In the words of the index of the few products that are marked.
    sql.push(" AND (p.is_hot OR p.is_priority)");
    let mut marks: HashMap<Uuid, (bool, bool)> = HashMap::new();
    for row in tx.rows(sql).await? {
        let mark = (column(&row, "is_hot")?, column(&row, "is_priority")?);
        marks.insert(column(&row, "id")?, mark);
    }
    let range = facts.range.span;
    let summed = tokio::task::spawn_blocking(move || products(&matching, range, previous, marks));
    summed.await.map_err(Error::internal)?.map(Some)
}

/// What the facts say of a product.
#[derive(Clone, Copy)]
struct Product {
    /// The last action that it was seen in.
    seen: u64,
    previous: i64,
    lifetime: i64,
    first: i64,
    processed: i64,
    approved: i64,
}

fn products(
    matching: &Matching,
    range: Span,
    previous: Span,
    marks: HashMap<Uuid, (bool, bool)>,
) -> Result<Vec<ProductStats>> {
    let (from, to) = (range.from.micros(), range.to.micros());
    let is_previous = |at: i64| previous.from.micros() <= at && at < previous.to.micros();
    let names = matching.snapshot.names();
    let mut known = vec![
        Product {
            seen: 0,
            previous: 0,
            lifetime: 0,
            first: i64::MAX,
            processed: 0,
            approved: 0,
        };
        names.products.room()
    ];
    let mut tally = Tally::new(names.products.room(), names.currencies.room());
    // What all time says is kept beside the rows, as long as nothing but declined actions is left out.
    let start = if matching.is_plain() {
        take_lives(matching, to, &mut known);
        from.min(previous.from.micros())
    } else {
        i64::MIN
    };
    let mut number = 0;
    matching.each(start, to, |chunk, place| {
        number += 1;
        let at = chunk.at(place);
        let counts = matching.counts(chunk, place);
        for item in chunk.items(place) {
            let Some(product) = known.get_mut(chunk.product(item)) else {
                continue;
            };
            let is_first = product.seen != number;
            product.seen = number;
            if counts {
                let units = chunk.item_units(item);
                if !matching.is_plain() {
                    product.lifetime += units;
                    product.first = product.first.min(at);
                }
                if is_previous(at) {
                    product.previous += units;
                }
                if at >= from {
                    tally.add_item(chunk, (place, item), chunk.product(item), is_first);
                }
            }
            if at >= from && is_first {
                decide(product, chunk, place);
            }
        }
    });
    told(&known, &tally, names, to, marks)
}

/// What is told of each product, of those that were sold or decided about before an instant, or are on the list.
fn told(
    known: &[Product],
    tally: &Tally,
    names: &Directory,
    to: i64,
    mut marks: HashMap<Uuid, (bool, bool)>,
) -> Result<Vec<ProductStats>> {
    let mut stats = Vec::new();
    let currencies = names.currencies_in_order();
    for (place, product) in known.iter().enumerate().skip(1) {
        let Some(id) = names.products.name(place) else {
            continue;
        };
        let mark = marks.remove(id);
        let is_known = product.first < to || product.processed > 0;
        if !is_known && !mark.is_some_and(|(_, is_priority)| is_priority) {
            continue;
        }
        let (is_hot, is_priority) = mark.unwrap_or_default();
        let first = (product.first < to).then_some(product.first);
        stats.push(ProductStats {
            sums: tally.sums(place, &currencies),
            previous_units: product.previous,
            lifetime_units: product.lifetime,
            first_sold: first
                .map(|at| instant(at, "actions", "ordered_at_us"))
                .transpose()?,
            processed: product.processed,
            approved: product.approved,
            is_hot,
            is_priority,
            ..nothing_known(*id)
        });
    }
    // What was never sold is known for being on the list alone.
    let listed = marks
        .into_iter()
        .filter(|(_, (_, is_priority))| *is_priority);
    stats.extend(listed.map(|(id, (is_hot, is_priority))| ProductStats {
        is_hot,
        is_priority,
        ..nothing_known(id)
    }));
    Ok(stats)
}

/// Counts an action of the range that the advertiser has decided.
fn decide(product: &mut Product, chunk: &Chunk, place: usize) {
    let status = Status::ALL.get(chunk.status(place)).copied();
    let status = status.unwrap_or(Status::Unknown);
    product.processed += i64::from(status.is_processed());
    product.approved += i64::from(status.counts_as_approved());
}

/// What all time up to an instant says of each product: what the parts before it say, and what came between.
fn take_lives(matching: &Matching, to: i64, known: &mut [Product]) {
    let lives = matching.snapshot.lives();
    for (product, first) in known.iter_mut().zip(&lives.firsts) {
        product.first = *first;
    }
    let (units, start) = lives.before(to);
    for (product, units) in known.iter_mut().zip(units) {
        product.lifetime = *units;
    }
    for (chunk, is_inside) in matching.snapshot.behind(start, i64::MIN, to) {
        for place in 0..chunk.len() {
            let is_in = is_inside || chunk.at(place) < to;
            if is_in && matching.counts(chunk, place) {
                for item in chunk.items(place) {
                    if let Some(product) = known.get_mut(chunk.product(item)) {
                        product.lifetime += chunk.item_units(item);
                    }
                }
            }
        }
    }
}

/// What is known of each user with a counted action in the range; nothing where there are no columns that can tell. As
/// many statements as the filter has conditions on related rows.
///
/// # Errors
/// When the database fails.
pub async fn user_stats(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
) -> Result<Option<UserFacts>> {
    if !can_count(facts) {
        tx.note_left();
        return Ok(None);
    }
    let Some(matching) = Matching::of_query(tx, scope, facts).await? else {
        return Ok(None);
    };
    let range = facts.range.span;
    let summed = tokio::task::spawn_blocking(move || users(&matching, range));
    summed.await.map_err(Error::internal)?.map(Some)
}

/// The latest counted action of a user in the range, by its order and then its id.
#[derive(Clone, Copy)]
struct Latest<'a> {
    at: i64,
    action: Option<(&'a Chunk, usize)>,
}

impl<'a> Latest<'a> {
    const NONE: Self = Self {
        at: i64::MIN,
        action: None,
    };

    /// Takes an action that is later.
    fn take(&mut self, at: i64, action: (&'a Chunk, usize)) {
        let id = |(chunk, place): (&Chunk, usize)| chunk.id(place);
        // Ids are seldom needed, and lie elsewhere.
        if at > self.at || at == self.at && self.action.map(id) < Some(id(action)) {
            *self = Self {
                at,
                action: Some(action),
            };
        }
    }
}

fn users(matching: &Matching, range: Span) -> Result<UserFacts> {
    let (from, to) = (range.from.micros(), range.to.micros());
    let names = matching.snapshot.names();
    let mut latest = vec![Latest::NONE; names.users.room()];
    let mut tally = Tally::new(names.users.room(), names.currencies.room());
    let mut count = 0;
    let mut add = |chunk, place, at, number| {
        tally.add_action(chunk, place, number);
        if let Some(latest) = latest.get_mut(number) {
            count += usize::from(latest.action.is_none());
            latest.take(at, (chunk, place));
        }
    };
    let firsts = if matching.is_plain() {
        matching.each_counted(from, to, |chunk, place| {
            add(chunk, place, chunk.at(place), chunk.user(place));
        });
        Cow::Borrowed(matching.snapshot.firsts())
    } else {
        let mut firsts = vec![i64::MAX; names.users.room()];
        matching.each_counted(i64::MIN, to, |chunk, place| {
            let (at, number) = (chunk.at(place), chunk.user(place));
            if let Some(first) = firsts.get_mut(number) {
                *first = at.min(*first);
            }
            if at >= from {
                add(chunk, place, at, number);
            }
        });
        Cow::Owned(firsts)
    };
    let currencies = names.currencies_in_order();
    // One text for all who come from the same place.
    let texts = |names: &Names<String>| -> Vec<Arc<str>> {
        names.all().map(|name| Arc::from(name.as_str())).collect()
    };
    let (countries, devices) = (texts(&names.countries), texts(&names.devices));
    let text = |texts: &[Arc<str>], place: usize| texts.get(place.checked_sub(1)?).cloned();
    let mut found = UserFacts {
        unattributed: tally.sums(0, &currencies),
        users: Vec::with_capacity(count),
    };
    for (place, (latest, first)) in latest.iter().zip(firsts.iter()).enumerate().skip(1) {
        let (Some((chunk, action)), Some(id)) = (latest.action, names.users.name(place)) else {
            continue;
        };
        found.users.push(UserStats {
            user_id: *id,
            sums: tally.sums(place, &currencies),
            first_at: instant(*first, "actions", "ordered_at_us")?,
            last_at: instant(latest.at, "actions", "ordered_at_us")?,
            country: text(&countries, chunk.country(action)),
            device: text(&devices, chunk.device(action)),
        });
    }
    Ok(found)
}

/// Sums as the domain has them, from a row of each currency.
pub(super) fn sums(
    (actions, units): (i64, i64),
    money: impl Iterator<Item = (Currency, i64, i64)>,
) -> Sums {
    Sums {
        actions,
        units,
        money: money
            .map(|(currency, order_amount_e4, reward_e4)| CurrencySums {
                currency,
                order_amount_e4,
                reward_e4,
            })
            .collect(),
    }
}
