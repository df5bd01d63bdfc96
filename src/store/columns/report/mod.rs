//! A question of a report, answered from columns: the rows that its statement would give.

mod keys;
mod sums;

use super::super::listing::column;
use super::super::report::Row;
use super::super::tx::ReadTx;
use super::matching::Matching;
use super::names::Directory;
use crate::domain::columns::can_answer;
use crate::domain::error::{Error, Result};
use crate::domain::money::Currency;
use crate::domain::report::metric::{Measure, Standing};
use crate::domain::report::plan::{Ask, Source, Top, What};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::scope::ReadScope;
use crate::domain::time::DAY_US;
use crate::domain::totals::Total;
use keys::{Divider, Key, Of};
use std::collections::{BTreeMap, HashMap, HashSet};
use sums::{Seen, Slots, Sum};
use uuid::Uuid;

/// The currencies of the facts, in the order of their codes, where columns answer a question; else nothing.
///
/// # Errors
/// When the database fails.
pub async fn currencies(tx: &ReadTx, scope: ReadScope) -> Result<Option<Vec<Currency>>> {
    let Some(snapshot) = super::snapshot(tx, scope).await? else {
        return Ok(None);
    };
    let all = snapshot.names().currencies_in_order();
    Ok(Some(
        all.into_iter().map(|(_, currency)| currency).collect(),
    ))
}

/// Answers a question; nothing where there are no columns that can. As many statements as the filter has conditions on
/// related rows, and one for levels of categories.
pub(in crate::store) async fn answer(
    tx: &ReadTx,
    scope: ReadScope,
    ask: &Ask,
) -> Result<Option<Vec<Row>>> {
    if !can_answer(ask) {
        let is_of_facts = |source| matches!(source, Source::Facts | Source::Items);
        // What a total leaves of the facts at the ends of stretches is read there.
        let ends: i64 = ask.ends().iter().map(|(from, to)| to - from).sum();
        let reads_much =
            is_of_facts(ask.source) || ask.source == Source::Total(Total::Product) || ends > DAY_US;
        if reads_much {
            tx.note_left();
        }
        return Ok(None);
    }
    let Some(matching) = Matching::of(tx, scope, &ask.filter, false).await? else {
        return Ok(None);
    };
    let by_level = [Dimension::CategoryLevel1, Dimension::CategoryLevel2];
    let levels = if ask.dimensions.iter().any(|by| by_level.contains(by)) {
        levels(tx, scope).await?
    } else {
        HashMap::new()
    };
    let ask = ask.clone();
    let summed = tokio::task::spawn_blocking(move || {
        let asked = Asked {
            matching: &matching,
            ask: &ask,
            names: matching.snapshot.names(),
        };
        asked.rows(&levels)
    });
    let rows = summed.await.map_err(Error::internal)?;
    if rows.is_none() {
        tx.note_left();
    }
    Ok(rows)
}

/// The categories of levels 1 and 2 that each category lies in.
async fn levels(tx: &ReadTx, scope: ReadScope) -> Result<HashMap<Uuid, [Uuid; 2]>> {
    let mut sql = tx.sql();
    sql.push("SELECT c.id, c.level1_id, c.level2_id FROM categories c WHERE c.publisher_id = ")
        .bind(scope.publisher().0);
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| {
            let above = [column(row, "level1_id")?, column(row, "level2_id")?];
            Ok((column(row, "id")?, above))
        })
        .collect()
}

/// What was summed up of a group.
struct Group {
    /// The key with the currency, the piece and the day in it.
    key: u64,
    /// The last action that it was seen in.
    seen: u64,
    /// Rows read, actions, and the measures in their order.
    sums: Vec<i64>,
}

/// A question, and what it is asked of.
struct Asked<'a> {
    matching: &'a Matching,
    ask: &'a Ask,
    names: &'a Directory,
}

impl Asked<'_> {
    fn range(&self) -> (i64, i64) {
        let span = self.ask.range.span;
        (span.from.micros(), span.to.micros())
    }

    /// The rows; none where there could be too many groups to number them.
    fn rows(&self, levels: &HashMap<Uuid, [Uuid; 2]>) -> Option<Vec<Row>> {
        let key = self.key(levels)?;
        let room = key.room()?;
        match &self.ask.what {
            What::Sums(measures) => {
                let groups = self.sum_up(&key, room, measures);
                Some(match (&self.ask.per_user, &self.ask.top) {
                    (Some(currencies), _) => self.by_user(&key, &groups, measures, currencies),
                    (None, Some(top)) => self.top(&key, &groups, measures, top),
                    (None, None) => groups.iter().map(|group| self.row(&key, group)).collect(),
                })
            }
            _ => Some(self.count_users(&key, room)),
        }
    }

    fn over_items(&self) -> bool {
        self.ask.dimensions.iter().any(|by| by.is_of_items())
    }

    fn sum_up(&self, key: &Key, room: u64, measures: &[Measure]) -> Vec<Group> {
        let sums: Vec<Sum> = measures.iter().map(|measure| Sum::of(*measure)).collect();
        let (over_items, item_sums) = (self.over_items(), self.ask.item_sums);
        let mut slots = Slots::new(room);
        let mut groups: Vec<Group> = Vec::new();
        let mut number = 0;
        let (from, to) = self.range();
        self.matching.each(from, to, |chunk, place| {
            number += 1;
            let Some(head) = key.of_action(chunk, place) else {
                return;
            };
            let mut add = |item: Option<usize>| {
                let key = key.divided(head, chunk, place, item);
                let slot = slots.of(key, groups.len());
                if slot == groups.len() {
                    groups.push(Group {
                        key,
                        seen: 0,
                        sums: vec![0; sums.len() + 2],
                    });
                }
                let Some(group) = groups.get_mut(slot) else {
                    return;
                };
                let is_first = std::mem::replace(&mut group.seen, number) != number;
                let more = sums.iter().map(|sum| match item {
                    Some(item) => sum.of_item(chunk, (place, item), is_first),
                    None => sum.of_action(chunk, place, item_sums),
                });
                let more = [1, i64::from(is_first)].into_iter().chain(more);
                group
                    .sums
                    .iter_mut()
                    .zip(more)
                    .for_each(|(sum, more)| *sum += more);
            };
            if over_items {
                chunk.items(place).for_each(|item| add(Some(item)));
            } else {
                add(None);
            }
        });
        groups
    }

    fn row(&self, key: &Key, group: &Group) -> Row {
        let (piece, day, currency, parts) = key.apart(group.key);
        let [rows_read, values @ ..] = group.sums.as_slice() else {
            return Row::default();
        };
        Row {
            piece: (0, key.pieces.get(piece).map_or(0, |(.., name)| *name)),
            day: self
                .ask
                .per_day
                .then(|| i32::try_from(day).unwrap_or(i32::MAX)),
            currency: self.names.currencies.name(currency).copied(),
            key: parts,
            rows_read: *rows_read,
            values: values.to_vec(),
        }
    }

    /// The rows of the largest groups. Which they are is found by numbers alone: there can be as many as products.
    fn top(&self, key: &Key, groups: &[Group], measures: &[Measure], top: &Top) -> Vec<Row> {
        let place = measures.iter().position(|measure| *measure == top.by);
        let place = match (top.by, place) {
            (Measure::Actions(Standing::Any), _) | (_, None) => 1,
            (_, Some(place)) => place + 2,
        };
        let currency = top.currency.map(|code| self.names.currencies.find(&code));
        let room = key.divided_room();
        let mut ranks: HashMap<u64, Option<i64>> = HashMap::with_capacity(groups.len());
        let mut all_read = 0;
        for group in groups {
            all_read += group.sums.first().copied().unwrap_or(0);
            let rank = ranks.entry(group.key % room).or_default();
            let own = usize::try_from(group.key / room % key.currencies).ok();
            if currency.is_none_or(|asked| asked == own) {
                let value = group.sums.get(place).copied().unwrap_or(0);
                *rank = Some(rank.unwrap_or(0) + value);
            }
        }
        let mut ranked: Vec<(u64, Option<i64>)> = ranks.into_iter().collect();
        let order = |(one, rank): &(u64, Option<i64>), (other, than): &(u64, Option<i64>)| {
            than.cmp(rank).then_with(|| key.compare(*one, *other))
        };
        let count = usize::try_from(top.count).unwrap_or(usize::MAX);
        if count < ranked.len() {
            ranked.select_nth_unstable_by(count, order);
            ranked.truncate(count);
        }
        let first: HashSet<u64> = ranked.into_iter().map(|(number, _)| number).collect();
        let chosen = groups
            .iter()
            .filter(|group| first.contains(&(group.key % room)));
        let mut rows: Vec<Row> = chosen.map(|group| self.row(key, group)).collect();
        for row in &mut rows {
            row.rows_read = 0;
        }
        if let Some(first) = rows.first_mut() {
            first.rows_read = all_read;
        }
        rows
    }

    /// Rows by what users are, one for each currency; what has no currency is in the first.
    fn by_user(
        &self,
        key: &Key,
        groups: &[Group],
        measures: &[Measure],
        currencies: &[Currency],
    ) -> Vec<Row> {
        let of_money = |measure: &Measure| {
            matches!(
                measure,
                Measure::OrderAmount(_)
                    | Measure::Reward(_)
                    | Measure::PaidReward
                    | Measure::Amounted
            )
        };
        let mut found: BTreeMap<Vec<KeyPart>, Vec<Row>> = BTreeMap::new();
        for group in groups {
            let row = self.row(key, group);
            found.entry(row.key.clone()).or_default().push(row);
        }
        let users = self.users_by_key(key);
        let mut all = Vec::new();
        for (parts, rows) in found {
            for (number, currency) in currencies.iter().enumerate() {
                let own = rows.iter().find(|row| row.currency == Some(*currency));
                let own = |place: usize| {
                    own.and_then(|row| row.values.get(place))
                        .copied()
                        .unwrap_or(0)
                };
                let any = |place: usize| rows.iter().filter_map(|row| row.values.get(place)).sum();
                let mut values = vec![own(0)];
                for (place, measure) in measures.iter().enumerate() {
                    values.push(match measure {
                        _ if of_money(measure) => own(place + 1),
                        _ if number > 0 => 0,
                        Measure::Users => users.get(&parts).copied().unwrap_or(0),
                        _ => any(place + 1),
                    });
                }
                all.push(Row {
                    piece: (0, 0),
                    day: None,
                    currency: Some(*currency),
                    key: parts.clone(),
                    rows_read: own(0),
                    values,
                });
            }
        }
        all
    }

    /// How many users are what.
    fn users_by_key(&self, key: &Key) -> HashMap<Vec<KeyPart>, i64> {
        let counts = self.count_by_user();
        let mut found: BTreeMap<Vec<usize>, i64> = BTreeMap::new();
        for (user, _) in counts
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, count)| **count > 0)
        {
            let numbers = key.dividers.iter().map(|divider| match &divider.of {
                Of::User(numbers) => numbers.get(user).copied().unwrap_or(0),
                _ => 0,
            });
            *found.entry(numbers.collect()).or_default() += 1;
        }
        let word = |(divider, number): (&Divider, usize)| {
            divider.words.get(number).cloned().unwrap_or(KeyPart::None)
        };
        found
            .into_iter()
            .map(|(numbers, count)| (key.dividers.iter().zip(numbers).map(word).collect(), count))
            .collect()
    }

    /// The distinct users of each group.
    fn count_users(&self, key: &Key, room: u64) -> Vec<Row> {
        let over_items = self.over_items();
        let users = self.names.users.room();
        let mut slots = Slots::new(room);
        let mut seen = Seen::new(room, users);
        let mut groups: Vec<(u64, i64, i64)> = Vec::new();
        let (from, to) = self.range();
        self.matching.each(from, to, |chunk, place| {
            let Some(head) = key.of_action(chunk, place) else {
                return;
            };
            let user = chunk.user(place);
            let mut add = |item: Option<usize>| {
                let key = key.divided(head, chunk, place, item);
                let slot = slots.of(key, groups.len());
                if slot == groups.len() {
                    groups.push((key, 0, 0));
                }
                let Some((_, read, count)) = groups.get_mut(slot) else {
                    return;
                };
                *read += 1;
                if user > 0 {
                    *count += seen.see(slot, user);
                }
            };
            if over_items {
                chunk.items(place).for_each(|item| add(Some(item)));
            } else {
                add(None);
            }
        });
        seen.settle(&mut groups);
        let row = |(number, rows_read, count): (u64, i64, i64)| {
            let (piece, _, _, parts) = key.apart(number);
            Row {
                piece: (0, key.pieces.get(piece).map_or(0, |(.., name)| *name)),
                day: None,
                currency: None,
                key: parts,
                rows_read,
                values: vec![count],
            }
        };
        groups.into_iter().map(row).collect()
    }
}
