//! The keys of groups as numbers: from the piece of time down to the last dimension.

use super::super::chunk::Chunk;
use super::super::names::Names;
use super::Asked;
use crate::domain::action::{ActionType, Status};
use crate::domain::report::plan::{Part, What};
use crate::domain::report::{Dimension, KeyPart, UserAge, UserFrequency};
use crate::domain::time::DAY_US;
use std::cmp::Ordering;
use std::collections::HashMap;
use uuid::Uuid;

/// Where a part of a key is read.
pub(super) enum Of {
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
    /// By the piece of time from which on the user was there before.
    Age(Vec<usize>),
}

/// A part of the key: where it is read, and what its numbers stand for.
pub(super) struct Divider {
    pub(super) of: Of,
    pub(super) words: Vec<KeyPart>,
}

impl Divider {
    /// How many numbers there are.
    pub(super) fn room(&self) -> u64 {
        u64::try_from(self.words.len()).unwrap_or(u64::MAX).max(1)
    }

    fn number(&self, piece: usize, chunk: &Chunk, place: usize, item: Option<usize>) -> usize {
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
            Of::Age(since) => match (chunk.user(place), since.get(chunk.user(place))) {
                (0, _) => UserAge::Unattributed as usize,
                (_, Some(since)) if *since <= piece => UserAge::Returning as usize,
                _ => UserAge::New as usize,
            },
        }
    }
}

/// The beginning of a key: what does not depend on the dimensions.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// The number of the piece of time.
    piece: usize,
    /// The number of piece, day and currency.
    key: u64,
}

/// How keys are numbered: from the piece of time down to the last dimension.
pub(super) struct Key {
    /// Where pieces begin and end, and their names, in the order of time.
    pub(super) pieces: Vec<(i64, i64, i64)>,
    pub(super) first_day: i64,
    pub(super) days: u64,
    pub(super) currencies: u64,
    pub(super) dividers: Vec<Divider>,
}

impl Key {
    /// How many keys there can be; none where they cannot be numbered.
    pub(super) fn room(&self) -> Option<u64> {
        let pieces = u64::try_from(self.pieces.len().max(1)).ok()?;
        let mut room = pieces
            .checked_mul(self.days)?
            .checked_mul(self.currencies)?;
        for divider in &self.dividers {
            room = room.checked_mul(divider.room())?;
        }
        Some(room)
    }

    /// The piece, the day and the currency of an action; none outside of all pieces.
    pub(super) fn of_action(&self, chunk: &Chunk, place: usize) -> Option<Head> {
        let at = chunk.at(place);
        let (mut key, mut piece) = (0, 0);
        if !self.pieces.is_empty() {
            piece = self
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
        Some(Head { piece, key })
    }

    pub(super) fn divided(
        &self,
        Head { piece, mut key }: Head,
        chunk: &Chunk,
        place: usize,
        item: Option<usize>,
    ) -> u64 {
        for divider in &self.dividers {
            let number = divider.number(piece, chunk, place, item);
            key = key * divider.room() + u64::try_from(number).unwrap_or(0);
        }
        key
    }

    /// How many keys the dimensions alone make.
    pub(super) fn divided_room(&self) -> u64 {
        let rooms = self.dividers.iter().map(Divider::room);
        rooms.product::<u64>().max(1)
    }

    /// Which of two keys of the dimensions comes first.
    pub(super) fn compare(&self, one: u64, other: u64) -> Ordering {
        let mut below = self.divided_room();
        for divider in &self.dividers {
            below = (below / divider.room()).max(1);
            let word = |key: u64| {
                let number = usize::try_from(key / below % divider.room()).ok();
                number.and_then(|number| divider.words.get(number))
            };
            let order = word(one).cmp(&word(other));
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    /// A number taken apart: piece, day, currency, and the key.
    pub(super) fn apart(&self, mut key: u64) -> (usize, i64, usize, Vec<KeyPart>) {
        let mut parts: Vec<KeyPart> = Vec::with_capacity(self.dividers.len());
        let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        for divider in self.dividers.iter().rev() {
            let room = divider.room();
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
    pub(super) fn key(&self, levels: &HashMap<Uuid, [Uuid; 2]>) -> Option<Key> {
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
        let dividers = dividers
            .map(|by| self.divider(*by, &pieces, levels))
            .collect::<Option<_>>()?;
        Some(Key {
            pieces,
            first_day,
            days: u64::try_from(days).ok()?.max(1),
            currencies: u64::try_from(currencies).ok()?.max(1),
            dividers,
        })
    }

    fn divider(
        &self,
        by: Dimension,
        pieces: &[(i64, i64, i64)],
        levels: &HashMap<Uuid, [Uuid; 2]>,
    ) -> Option<Divider> {
        let text = |word: &str| KeyPart::Text(word.to_owned());
        let names = self.names;
        let ids = |of: &Names<Uuid>| {
            let all = 0..of.room();
            all.map(|place| of.name(place).map_or(KeyPart::None, |id| KeyPart::Id(*id)))
                .collect::<Vec<_>>()
        };
        let texts = |of: &Names<String>| {
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
            Dimension::UserAge => self.ages(pieces),
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

    /// Users by whether their first order that was not declined lies before the piece of time that an action lies in, or
    /// before the range where that is not divided.
    fn ages(&self, pieces: &[(i64, i64, i64)]) -> (Of, Vec<KeyPart>) {
        let words = UserAge::ALL.iter();
        let words = words.map(|word| KeyPart::Text(word.as_str().to_owned()));
        let firsts = self.matching.snapshot.firsts().iter();
        if !pieces.is_empty() {
            let since = firsts.map(|first| pieces.partition_point(|(from, ..)| from <= first));
            return (Of::Age(since.collect()), words.collect());
        }
        let from = self.range().0;
        let numbers = firsts.enumerate().map(|(user, first)| match user {
            0 => UserAge::Unattributed as usize,
            _ if *first < from => UserAge::Returning as usize,
            _ => UserAge::New as usize,
        });
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

    pub(super) fn count_by_user(&self) -> Vec<u32> {
        let mut counts = vec![0u32; self.names.users.room()];
        let (from, to) = self.range();
        self.matching.each(from, to, |chunk, place| {
            if let Some(count) = counts.get_mut(chunk.user(place)) {
                *count = count.saturating_add(1);
            }
        });
        counts
    }
}
