//! A question of a report, answered from columns: the rows that its statement would give.

use super::super::listing::column;
use super::super::report::Row;
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::matching::Matching;
use super::names::Directory;
use crate::domain::action::{ActionType, Status};
use crate::domain::columns::can_answer;
use crate::domain::error::{Error, Result};
use crate::domain::money::Currency;
use crate::domain::report::metric::{Measure, Standing};
use crate::domain::report::plan::{Ask, Part, Top, What};
use crate::domain::report::{Dimension, KeyPart, UserAge, UserFrequency};
use crate::domain::scope::ReadScope;
use crate::domain::time::DAY_US;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Up to how many groups are looked up by number, without a search.
const DENSE: usize = 1 << 21;
/// Up to how many pairs of a group and a user are noted as bits.
const BITS: usize = 1 << 27;

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
            names: &matching.snapshot.names(),
        };
        asked.rows(&levels)
    });
    Ok(summed.await.map_err(Error::internal)?)
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

/// Where a part of a key is read.
enum Of {
    Status,
    Kind,
    Currency,
    Program,
    Space,
    Country,
    Device,
    Product,
    /// By the number of the category.
    Category(Vec<usize>),
    /// By the number of the user.
    User(Vec<usize>),
}

/// A part of the key: where it is read, and what its numbers stand for.
struct Divider {
    of: Of,
    words: Vec<KeyPart>,
}

impl Divider {
    fn number(&self, chunk: &Chunk, place: usize, item: Option<usize>) -> usize {
        match &self.of {
            Of::Status => chunk.status(place),
            Of::Kind => chunk.kind(place),
            Of::Currency => chunk.currency(place),
            Of::Program => chunk.program(place),
            Of::Space => chunk.space(place),
            Of::Country => chunk.country(place),
            Of::Device => chunk.device(place),
            Of::Product => item.map_or(0, |item| chunk.product(item)),
            Of::Category(numbers) => {
                let category = item.map_or(0, |item| chunk.category(item));
                numbers.get(category).copied().unwrap_or(0)
            }
            Of::User(numbers) => numbers.get(chunk.user(place)).copied().unwrap_or(0),
        }
    }
}

/// A sum over the rows of a group.
enum Sum {
    /// Actions of the statuses marked.
    Actions([bool; 5]),
    Units,
    Amount([bool; 5]),
    Reward([bool; 5]),
    Paid,
    Amounted,
    Carted,
    /// Counted elsewhere.
    Nothing,
}

impl Sum {
    fn of(measure: Measure) -> Self {
        let statuses = |standing: Standing| {
            let is = |status: Status| match standing {
                Standing::Any => true,
                Standing::Pending => matches!(status, Status::Pending | Status::Unknown),
                Standing::Approved => status.counts_as_approved(),
                Standing::Declined => status == Status::Declined,
            };
            let mut marked = [false; 5];
            for (mark, status) in marked.iter_mut().zip(Status::ALL) {
                *mark = is(*status);
            }
            marked
        };
        match measure {
            Measure::Actions(standing) => Self::Actions(statuses(standing)),
            Measure::Units => Self::Units,
            Measure::OrderAmount(standing) => Self::Amount(statuses(standing)),
            Measure::Reward(standing) => Self::Reward(statuses(standing)),
            Measure::PaidReward => Self::Paid,
            Measure::Amounted => Self::Amounted,
            Measure::Carted => Self::Carted,
            Measure::Users
            | Measure::ActionsInCurrency
            | Measure::ConversionLag
            | Measure::ValidationLag
            | Measure::Clicks
            | Measure::Views => Self::Nothing,
        }
    }

    /// What an action adds; with `of_items` its money as its items say.
    fn of_action(&self, chunk: &Chunk, place: usize, of_items: bool) -> i64 {
        let is = |marked: &[bool; 5]| marked.get(chunk.status(place)).copied().unwrap_or(false);
        match self {
            Self::Actions(marked) => i64::from(is(marked)),
            Self::Units => chunk.units(place),
            Self::Amount(marked) | Self::Reward(marked) if !is(marked) => 0,
            Self::Amount(_) if of_items => {
                chunk.items(place).map(|item| chunk.item_amount(item)).sum()
            }
            Self::Amount(_) => chunk.amount(place),
            Self::Reward(_) if of_items => {
                chunk.items(place).map(|item| chunk.item_reward(item)).sum()
            }
            Self::Reward(_) => chunk.reward(place),
            Self::Paid if chunk.is_paid(place) => chunk.reward(place),
            Self::Amounted => i64::from(chunk.is_amounted(place)),
            Self::Carted => i64::from(chunk.is_carted(place)),
            Self::Paid | Self::Nothing => 0,
        }
    }

    /// What a cart item adds; its action counts where the group sees it first.
    fn of_item(&self, chunk: &Chunk, (place, item): (usize, usize), is_first: bool) -> i64 {
        let is = |marked: &[bool; 5]| marked.get(chunk.status(place)).copied().unwrap_or(false);
        match self {
            Self::Actions(marked) => i64::from(is_first && is(marked)),
            Self::Units => chunk.item_units(item),
            Self::Amount(marked) if is(marked) => chunk.item_amount(item),
            Self::Reward(marked) if is(marked) => chunk.item_reward(item),
            _ => 0,
        }
    }
}

/// Groups by the number of their key.
enum Slots {
    /// A number for each key that there can be, from 1.
    Dense(Vec<u32>),
    Sparse(HashMap<u64, u32>),
}

impl Slots {
    fn new(keys: u64) -> Self {
        match usize::try_from(keys) {
            Ok(keys) if keys <= DENSE => Self::Dense(vec![0; keys]),
            _ => Self::Sparse(HashMap::new()),
        }
    }

    /// The slot of a key, which is `next` if it had none.
    fn of(&mut self, key: u64, next: usize) -> usize {
        let fresh = u32::try_from(next + 1).unwrap_or(u32::MAX);
        let slot = match self {
            Self::Dense(slots) => {
                let found = usize::try_from(key).ok().and_then(|key| slots.get_mut(key));
                match found {
                    Some(slot) if *slot > 0 => *slot,
                    Some(slot) => {
                        *slot = fresh;
                        fresh
                    }
                    None => fresh,
                }
            }
            Self::Sparse(slots) => *slots.entry(key).or_insert(fresh),
        };
        usize::try_from(slot - 1).unwrap_or(usize::MAX)
    }
}

/// The users of each group, each once.
enum Seen {
    /// A bit for each pair, `users` for each group.
    Bits {
        bits: Vec<u64>,
        users: usize,
    },
    Pairs(Vec<(u32, u32)>),
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

/// How keys are numbered: from the piece of time down to the last dimension.
struct Key {
    /// Where pieces begin and end, and their names, in the order of time.
    pieces: Vec<(i64, i64, i64)>,
    first_day: i64,
    days: u64,
    currencies: u64,
    dividers: Vec<Divider>,
}

impl Key {
    /// How many keys there can be; none where they cannot be numbered.
    fn room(&self) -> Option<u64> {
        let pieces = u64::try_from(self.pieces.len().max(1)).ok()?;
        let mut room = pieces
            .checked_mul(self.days)?
            .checked_mul(self.currencies)?;
        for divider in &self.dividers {
            room = room.checked_mul(u64::try_from(divider.words.len()).ok()?)?;
        }
        Some(room)
    }

    /// The number of the piece, the day and the currency of an action; none outside of all pieces.
    fn of_action(&self, chunk: &Chunk, place: usize) -> Option<u64> {
        let at = chunk.at(place);
        let mut key = 0;
        if !self.pieces.is_empty() {
            let piece = self
                .pieces
                .partition_point(|(from, ..)| *from <= at)
                .checked_sub(1)?;
            self.pieces.get(piece).filter(|(_, to, _)| at < *to)?;
            key = u64::try_from(piece).ok()?;
        }
        if self.days > 1 {
            let day = at.div_euclid(DAY_US) - self.first_day;
            key = key * self.days + u64::try_from(day).ok()?;
        }
        if self.currencies > 1 {
            key = key * self.currencies + u64::try_from(chunk.currency(place)).ok()?;
        }
        Some(key)
    }

    fn divided(&self, mut key: u64, chunk: &Chunk, place: usize, item: Option<usize>) -> u64 {
        for divider in &self.dividers {
            let room = u64::try_from(divider.words.len()).unwrap_or(u64::MAX);
            let number = divider.number(chunk, place, item);
            key = key * room + u64::try_from(number).unwrap_or(0);
        }
        key
    }

    /// A number taken apart: piece, day, currency, and the key.
    fn apart(&self, mut key: u64) -> (usize, i64, usize, Vec<KeyPart>) {
        let mut parts: Vec<KeyPart> = Vec::with_capacity(self.dividers.len());
        let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        for divider in self.dividers.iter().rev() {
            let room = u64::try_from(divider.words.len()).unwrap_or(1).max(1);
            let word = divider.words.get(index(key % room));
            parts.push(word.cloned().unwrap_or(KeyPart::None));
            key /= room;
        }
        parts.reverse();
        let currency = index(key % self.currencies);
        key /= self.currencies;
        let day = i64::try_from(key % self.days).unwrap_or(0) + self.first_day;
        (index(key / self.days), day, currency, parts)
    }
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

    fn key(&self, levels: &HashMap<Uuid, [Uuid; 2]>) -> Option<Key> {
        let (from, to) = self.range();
        let is_sums = matches!(self.ask.what, What::Sums(_));
        let by_day = is_sums && self.ask.per_day;
        let first_day = if by_day { from.div_euclid(DAY_US) } else { 0 };
        let days = if by_day {
            to.div_euclid(DAY_US) - first_day + 1
        } else {
            1
        };
        let mut pieces = Vec::new();
        if self.ask.tells_pieces() {
            for part in &self.ask.parts {
                let Part::Facts(list) = part else { return None };
                pieces.extend(list.iter().map(|(from, to)| (*from, *to, *from)));
            }
            pieces.sort_unstable();
        }
        let currencies = if is_sums {
            self.names.currencies.room()
        } else {
            1
        };
        let dividers = self.ask.dimensions.iter();
        Some(Key {
            pieces,
            first_day,
            days: u64::try_from(days).ok()?.max(1),
            currencies: u64::try_from(currencies).ok()?.max(1),
            dividers: dividers
                .map(|by| self.divider(*by, levels))
                .collect::<Option<_>>()?,
        })
    }

    fn divider(&self, by: Dimension, levels: &HashMap<Uuid, [Uuid; 2]>) -> Option<Divider> {
        let text = |word: &str| KeyPart::Text(word.to_owned());
        let names = self.names;
        let ids = |of: &super::names::Names<Uuid>| {
            let all = 0..of.room();
            all.map(|place| of.name(place).map_or(KeyPart::None, |id| KeyPart::Id(*id)))
                .collect::<Vec<_>>()
        };
        let texts = |of: &super::names::Names<String>| {
            let all = 0..of.room();
            all.map(|place| of.name(place).map_or(KeyPart::None, |word| text(word)))
                .collect::<Vec<_>>()
        };
        let (of, words) = match by {
            Dimension::Status => (
                Of::Status,
                Status::ALL.iter().map(|word| text(word.as_str())).collect(),
            ),
            Dimension::ActionType => (
                Of::Kind,
                ActionType::ALL
                    .iter()
                    .map(|word| text(word.as_str()))
                    .collect(),
            ),
            Dimension::Currency => {
                let all = 0..names.currencies.room();
                let word = |place| {
                    let code = names.currencies.name(place);
                    code.map_or(KeyPart::None, |code| text(code.as_str()))
                };
                (Of::Currency, all.map(word).collect())
            }
            Dimension::Program => (Of::Program, ids(&names.programs)),
            Dimension::AdSpace => (Of::Space, ids(&names.spaces)),
            Dimension::Country => (Of::Country, texts(&names.countries)),
            Dimension::Device => (Of::Device, texts(&names.devices)),
            Dimension::Product => (Of::Product, ids(&names.products)),
            Dimension::CategoryOwn => (
                Of::Category((0..names.categories.room()).collect()),
                ids(&names.categories),
            ),
            Dimension::CategoryLevel1 => self.level(levels, |[level1, _]| level1),
            Dimension::CategoryLevel2 => self.level(levels, |[_, level2]| level2),
            Dimension::UserAge => self.ages(),
            Dimension::UserFrequency => self.frequencies(),
            _ => return None,
        };
        Some(Divider { of, words })
    }

    /// Categories by those above them.
    fn level(
        &self,
        levels: &HashMap<Uuid, [Uuid; 2]>,
        pick: impl Fn([Uuid; 2]) -> Uuid,
    ) -> (Of, Vec<KeyPart>) {
        let mut words = vec![KeyPart::None];
        let mut places: HashMap<Uuid, usize> = HashMap::new();
        let all = 0..self.names.categories.room();
        let numbers = all.map(|place| {
            let above = self
                .names
                .categories
                .name(place)
                .and_then(|id| levels.get(id));
            let Some(above) = above.map(|above| pick(*above)) else {
                return 0;
            };
            *places.entry(above).or_insert_with(|| {
                words.push(KeyPart::Id(above));
                words.len() - 1
            })
        });
        let numbers = numbers.collect();
        (Of::Category(numbers), words)
    }

    /// Users by whether their first order that was not declined lies before the range.
    fn ages(&self) -> (Of, Vec<KeyPart>) {
        let from = self.range().0;
        let firsts = self.matching.snapshot.firsts().iter();
        let numbers = firsts.enumerate().map(|(user, first)| match user {
            0 => UserAge::Unattributed as usize,
            _ if *first < from => UserAge::Returning as usize,
            _ => UserAge::New as usize,
        });
        let words = UserAge::ALL.iter();
        let words = words.map(|word| KeyPart::Text(word.as_str().to_owned()));
        (Of::User(numbers.collect()), words.collect())
    }

    /// Users by how many of the question's actions they have in the range.
    fn frequencies(&self) -> (Of, Vec<KeyPart>) {
        let counts = self.count_by_user();
        let numbers = counts
            .iter()
            .enumerate()
            .map(|(user, count)| match (user, count) {
                (0, _) => UserFrequency::Unattributed as usize,
                (_, 0..2) => UserFrequency::Once as usize,
                (_, 2..4) => UserFrequency::Few as usize,
                (_, 4..10) => UserFrequency::Regular as usize,
                _ => UserFrequency::Loyal as usize,
            });
        let words = UserFrequency::ALL.iter();
        let words = words.map(|word| KeyPart::Text(word.as_str().to_owned()));
        (Of::User(numbers.collect()), words.collect())
    }

    fn count_by_user(&self) -> Vec<u32> {
        let mut counts = vec![0u32; self.names.users.room()];
        let (from, to) = self.range();
        self.matching.each(from, to, |chunk, place| {
            if let Some(count) = counts.get_mut(chunk.user(place)) {
                *count = count.saturating_add(1);
            }
        });
        counts
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

    /// The rows of the largest groups.
    fn top(&self, key: &Key, groups: &[Group], measures: &[Measure], top: &Top) -> Vec<Row> {
        let place = measures.iter().position(|measure| *measure == top.by);
        let place = match (top.by, place) {
            (Measure::Actions(Standing::Any), _) | (_, None) => 0,
            (_, Some(place)) => place + 1,
        };
        let mut found: BTreeMap<Vec<KeyPart>, (Option<i64>, Vec<Row>)> = BTreeMap::new();
        let mut all_read = 0;
        for group in groups {
            let mut row = self.row(key, group);
            all_read += std::mem::take(&mut row.rows_read);
            let (rank, rows) = found.entry(row.key.clone()).or_default();
            if top.currency.is_none() || top.currency == row.currency {
                let value = row.values.get(place).copied().unwrap_or(0);
                *rank = Some(rank.unwrap_or(0) + value);
            }
            rows.push(row);
        }
        let mut ranked: Vec<(Option<i64>, Vec<Row>)> = found.into_values().collect();
        // The sort is stable: ties stay in the order of their keys.
        ranked.sort_by_key(|(rank, _)| Reverse(*rank));
        ranked.truncate(usize::try_from(top.count).unwrap_or(usize::MAX));
        let mut rows: Vec<Row> = ranked.into_iter().flat_map(|(_, rows)| rows).collect();
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
        let mut seen = match usize::try_from(room)
            .ok()
            .and_then(|room| room.checked_mul(users))
        {
            Some(pairs) if pairs <= BITS => Seen::Bits {
                bits: vec![0; pairs / 64 + 1],
                users,
            },
            _ => Seen::Pairs(Vec::new()),
        };
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

impl Seen {
    /// Notes a user in a group: 1 where that is known to be new.
    fn see(&mut self, slot: usize, user: usize) -> i64 {
        match self {
            Self::Bits { bits, users } => {
                let bit = slot * *users + user;
                let Some(word) = bits.get_mut(bit / 64) else {
                    return 0;
                };
                let mask = 1u64 << (bit % 64);
                let is_new = *word & mask == 0;
                *word |= mask;
                i64::from(is_new)
            }
            Self::Pairs(pairs) => {
                let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
                pairs.push((number(slot), number(user)));
                0
            }
        }
    }

    /// Counts what was not counted at once.
    fn settle(self, groups: &mut [(u64, i64, i64)]) {
        let Self::Pairs(mut pairs) = self else { return };
        pairs.sort_unstable();
        pairs.dedup();
        for (slot, _) in pairs {
            let slot = usize::try_from(slot).unwrap_or(usize::MAX);
            if let Some((.., count)) = groups.get_mut(slot) {
                *count += 1;
            }
        }
    }
}
