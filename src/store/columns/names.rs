//! The names that columns hold by number: lists that only grow, so that all snapshots of a publisher share them.

use super::chunk::{Place, index};
use crate::domain::money::Currency;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::Hash;
use uuid::Uuid;

/// Names by number, from 1, and back.
#[derive(Debug)]
pub(super) struct Names<K> {
    list: Vec<K>,
    places: HashMap<K, Place, RandomState>,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            places: HashMap::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Names<K> {
    /// The number of a name, which gets one if it has none.
    pub(super) fn place(&mut self, name: &K) -> Place {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.list.push(name.clone());
        let place = Place::try_from(self.list.len()).unwrap_or(Place::MAX);
        self.places.insert(name.clone(), place);
        place
    }

    /// The number of a name, if it has one.
    pub(super) fn find(&self, name: &K) -> Option<usize> {
        self.places.get(name).map(|place| index(*place))
    }

    /// The name of a number; none for 0.
    pub(super) fn name(&self, place: usize) -> Option<&K> {
        self.list.get(place.checked_sub(1)?)
    }

    /// The names, by their numbers from 1.
    pub(super) fn all(&self) -> impl Iterator<Item = &K> {
        self.list.iter()
    }

    /// How many numbers there are, 0 for none among them.
    pub(super) fn room(&self) -> usize {
        self.list.len() + 1
    }

    /// For each number whether its name satisfies a condition; `none` is said of 0.
    pub(super) fn which(&self, none: bool, is: impl Fn(&K) -> bool) -> Vec<bool> {
        std::iter::once(none)
            .chain(self.list.iter().map(is))
            .collect()
    }

    fn bytes(&self) -> usize {
        // A key and a number in the map, a seventh more, and a byte of its own for each.
        let entry = size_of::<(K, Place)>() + 1;
        self.list.capacity() * size_of::<K>() + self.places.capacity() * entry * 8 / 7
    }
}

/// All lists of names of a publisher.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub users: Names<Uuid>,
    pub products: Names<Uuid>,
    pub categories: Names<Uuid>,
    pub programs: Names<Uuid>,
    pub spaces: Names<Uuid>,
    pub countries: Names<String>,
    pub devices: Names<String>,
    pub currencies: Names<Currency>,
}

impl Directory {
    /// How many bytes it takes, short texts not counted.
    pub(super) fn bytes(&self) -> usize {
        let ids = [
            &self.users,
            &self.products,
            &self.categories,
            &self.programs,
            &self.spaces,
        ];
        ids.iter().map(|names| names.bytes()).sum::<usize>()
            + self.countries.bytes()
            + self.devices.bytes()
    }

    /// The currencies with their numbers, in the order of their codes.
    pub(super) fn currencies_in_order(&self) -> Vec<(usize, Currency)> {
        let all = 1..self.currencies.room();
        let mut all: Vec<(usize, Currency)> = all
            .filter_map(|place| Some((place, *self.currencies.name(place)?)))
            .collect();
        all.sort_by_key(|(_, currency)| *currency);
        all
    }
}
