//! A question of a report, answered from columns: the rows that its statement would give.

mod keys;
mod sums;

use super::super::listing::column;
use super::super::report::Row;
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::matching::Matching;
use super::names::Directory;
use crate::domain::columns::can_answer;
use crate::domain::error::{Error, Result};
use crate::domain::money::Currency;
use crate::domain::report::metric::{Measure, Standing};
use crate::domain::report::plan::{Ask, Source, Top, What};
use crate::domain::report::{Dimension, KeyPart, too_many_groups};
use crate::domain::scope::ReadScope;
use crate::domain::time::DAY_US;
use crate::domain::totals::Total;
use keys::{Divider, Key, Of};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use sums::{Groups, Seen, Sum};
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

/// Answers a question of at most so many groups; nothing where there are no columns that can. As many statements as the
/// filter has conditions on related rows, and one for levels of categories.
///
/// # Errors
/// When there are more groups, as soon as that is seen, or the database fails.
pub(in crate::store) async fn answer(
    tx: &ReadTx,
    scope: ReadScope,
    ask: &Ask,
    most: usize,
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
            most,
        };
        asked.rows(&levels)
    });
    let rows = summed.await.map_err(Error::internal)??;
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

/// A row that a group is made of.
struct Fact<'a> {
    /// The number of its action in the question, from 1.
    action: u64,
    /// The key of its group.
    key: u64,
    chunk: &'a Chunk,
    place: usize,
    /// The cart item, where the question is by items.
    item: Option<usize>,
}

/// A question, and what it is asked of.
struct Asked<'a> {
    matching: &'a Matching,
    ask: &'a Ask,
    names: &'a Directory,
    /// How many groups there may be.
    most: usize,
}

impl Asked<'_> {
    fn range(&self) -> (i64, i64) {
        let span = self.ask.range.span;
        (span.from.micros(), span.to.micros())
    }

    /// The rows; none where there could be too many groups to number them.
    fn rows(&self, levels: &HashMap<Uuid, [Uuid; 2]>) -> Result<Option<Vec<Row>>> {
        let numbered = self.key(levels).and_then(|key| Some((key.room()?, key)));
        let Some((room, key)) = numbered else {
            return Ok(None);
        };
        let What::Sums(measures) = &self.ask.what else {
            return self.count_users(&key, room).map(Some);
        };
        let groups = self.sum_up(&key, room, measures)?;
        Ok(Some(match (&self.ask.per_user, &self.ask.top) {
            (Some(currencies), _) => self.by_user(&key, &groups, measures, currencies),
            (None, Some(top)) => self.top(&key, &groups, measures, top),
            (None, None) => groups.iter().map(|group| self.row(&key, group)).collect(),
        }))
    }

    /// How many groups are made at most. Those that are cut to the largest or summed up by user are no rows yet.
    fn most(&self) -> usize {
        match (&self.ask.per_user, &self.ask.top) {
            (None, None) => self.most,
            _ => usize::MAX,
        }
    }

    /// Shows the facts of the question, each cart item by itself where it is by items, until there are too many groups.
    fn each(&self, key: &Key, mut see: impl FnMut(&Fact<'_>) -> ControlFlow<()>) -> Result<()> {
        let over_items = self.over_items();
        let (from, to) = self.range();
        let mut action = 0;
        let seen = self.matching.each_until(from, to, |chunk, place| {
            let Some(head) = key.of_action(chunk, place) else {
                return ControlFlow::Continue(());
            };
            action += 1;
            let mut add = |item: Option<usize>| {
                see(&Fact {
                    action,
                    key: key.divided(head, chunk, place, item),
                    chunk,
                    place,
                    item,
                })
            };
            if over_items {
                chunk.items(place).try_for_each(|item| add(Some(item)))
            } else {
                add(None)
            }
        });
        match seen {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(too_many_groups(self.most, self.most + 1)),
        }
    }

    fn over_items(&self) -> bool {
        self.ask.dimensions.iter().any(|by| by.is_of_items())
    }

    fn sum_up(&self, key: &Key, room: u64, measures: &[Measure]) -> Result<Vec<Group>> {
        let sums: Vec<Sum> = measures.iter().map(|measure| Sum::of(*measure)).collect();
        let item_sums = self.ask.item_sums;
        let mut groups = Groups::new(room, self.most());
        self.each(key, |fact| {
            let group = groups.of(fact.key, || Group {
                key: fact.key,
                seen: 0,
                sums: vec![0; sums.len() + 2],
            });
            let Some((_, group)) = group else {
                return ControlFlow::Break(());
            };
            let (chunk, place) = (fact.chunk, fact.place);
            let is_first = std::mem::replace(&mut group.seen, fact.action) != fact.action;
            let more = sums.iter().map(|sum| match fact.item {
                Some(item) => sum.of_item(chunk, (place, item), is_first),
                None => sum.of_action(chunk, place, item_sums),
            });
            let more = [1, i64::from(is_first)].into_iter().chain(more);
            group
                .sums
                .iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
            ControlFlow::Continue(())
        })?;
        Ok(groups.into_all())
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
            ..Row::default()
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
                    currency: Some(*currency),
                    key: parts.clone(),
                    rows_read: own(0),
                    values,
                    ..Row::default()
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
    fn count_users(&self, key: &Key, room: u64) -> Result<Vec<Row>> {
        let users = self.names.users.room();
        let mut seen = Seen::new(room, users);
        let mut groups: Groups<(u64, i64, i64)> = Groups::new(room, self.most());
        self.each(key, |fact| {
            let group = groups.of(fact.key, || (fact.key, 0, 0));
            let Some((slot, (_, read, count))) = group else {
                return ControlFlow::Break(());
            };
            *read += 1;
            let user = fact.chunk.user(fact.place);
            if user > 0 {
                *count += seen.see(slot, user);
            }
            ControlFlow::Continue(())
        })?;
        let mut groups = groups.into_all();
        seen.settle(&mut groups);
        let row = |(number, rows_read, count): (u64, i64, i64)| {
            let (piece, _, _, parts) = key.apart(number);
            Row {
                piece: (0, key.pieces.get(piece).map_or(0, |(.., name)| *name)),
                key: parts,
                rows_read,
                values: vec![count],
                ..Row::default()
            }
        };
        Ok(groups.into_iter().map(row).collect())
    }
}
