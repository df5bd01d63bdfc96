//! The names that columns hold by number: lists that only grow. Each snapshot has the names of its own facts, and shares
//! most of them with those it was made from, so that nobody waits for anybody who reads or adds names.

use super::chunk::{Place, index};
use super::marks::Marks;
use crate::domain::money::Currency;
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use uuid::Uuid;

/// How many names are copied for a snapshot; those before them are shared.
const COPIED: usize = 8_192;

/// Names by number, and back.
#[derive(Clone, Debug)]
struct Part<K> {
    list: Vec<K>,
    places: HashMap<K, Place, RandomState>,
}

impl<K> Default for Part<K> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            places: HashMap::default(),
        }
    }
}

impl<K> Part<K> {
    fn bytes(&self) -> usize {
        // A key and a number in the map, a seventh more, and a byte of its own for each.
        let entry = size_of::<(K, Place)>() + 1;
        self.list.capacity() * size_of::<K>() + self.places.capacity() * entry * 8 / 7
    }
}

/// Names by number, from 1, and back.
#[derive(Clone, Debug)]
pub(super) struct Names<K> {
    /// Shared with other snapshots.
    shared: Arc<Part<K>>,
    /// Those that came since.
    own: Part<K>,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self {
            shared: Arc::default(),
            own: Part::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Names<K> {
    /// The number of a name, which gets one if it has none.
    pub(super) fn place(&mut self, name: &K) -> Place {
        let places = [&self.shared.places, &self.own.places];
        if let Some(place) = places.iter().find_map(|places| places.get(name)) {
            return *place;
        }
        self.own.list.push(name.clone());
        let place = Place::try_from(self.len()).unwrap_or(Place::MAX);
        self.own.places.insert(name.clone(), place);
        place
    }

    /// The number of a name, if it has one.
    pub(super) fn find(&self, name: &K) -> Option<usize> {
        let place = self.shared.places.get(name);
        place
            .or_else(|| self.own.places.get(name))
            .map(|place| index(*place))
    }

    /// The name of a number; none for 0.
    pub(super) fn name(&self, place: usize) -> Option<&K> {
        let place = place.checked_sub(1)?;
        match place.checked_sub(self.shared.list.len()) {
            None => self.shared.list.get(place),
            Some(place) => self.own.list.get(place),
        }
    }

    /// The names, by their numbers from 1.
    pub(super) fn all(&self) -> impl Iterator<Item = &K> {
        self.shared.list.iter().chain(&self.own.list)
    }

    fn len(&self) -> usize {
        self.shared.list.len() + self.own.list.len()
    }

    /// How many numbers there are, 0 for none among them.
    pub(super) fn room(&self) -> usize {
        self.len() + 1
    }

    /// For each number whether its name satisfies a condition; `none` is said of 0.
    pub(super) fn which(&self, none: bool, is: impl Fn(&K) -> bool) -> Marks {
        std::iter::once(none).chain(self.all().map(is)).collect()
    }

    /// Makes its names ready to be shared, once there are too many to copy them again and again.
    fn settle(&mut self) {
        if self.own.list.len() <= COPIED {
            return;
        }
        let mut all = Part::clone(&self.shared);
        let own = std::mem::take(&mut self.own);
        all.list.extend(own.list);
        all.places.extend(own.places);
        self.shared = Arc::new(all);
    }

    /// How many bytes they take beside the parts in `seen`, which are added to it.
    fn bytes(&self, seen: &mut HashSet<usize>) -> usize {
        let is_new = seen.insert(Arc::as_ptr(&self.shared).addr());
        self.own.bytes() + if is_new { self.shared.bytes() } else { 0 }
    }
}

/// All lists of names of a publisher.
#[derive(Clone, Debug, Default)]
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
    /// Makes the names ready to be shared by the snapshots that are made from this one.
    pub(super) fn settle(&mut self) {
        self.users.settle();
        self.products.settle();
        self.categories.settle();
        self.programs.settle();
        self.spaces.settle();
        self.countries.settle();
        self.devices.settle();
    }

    /// How many bytes it takes beside the parts in `seen`, which are added to it; short texts are not counted.
    pub(super) fn bytes(&self, seen: &mut HashSet<usize>) -> usize {
        let ids = [
            &self.users,
            &self.products,
            &self.categories,
            &self.programs,
            &self.spaces,
        ];
        ids.iter().map(|names| names.bytes(seen)).sum::<usize>()
            + self.countries.bytes(seen)
            + self.devices.bytes(seen)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_keep_their_numbers_whoever_shares_them(rounds in proptest::collection::vec(0usize..12_000, 1..6)) {
            let (mut names, mut known) = (Names::<usize>::default(), Vec::new());
            for count in rounds {
                let before = names.clone();
                let first = known.len();
                // Each comes twice, and gets one number.
                for name in (first..first + count).flat_map(|name| [name, name]) {
                    names.place(&name);
                }
                known.extend(first..first + count);
                names.settle();
                prop_assert_eq!(names.all().copied().collect::<Vec<_>>(), known.clone());
                prop_assert_eq!(names.room(), known.len() + 1);
                for name in [0, first, known.len() - usize::from(!known.is_empty())] {
                    let place = known.get(name).map(|_| name + 1);
                    prop_assert_eq!(names.find(&name), place);
                    prop_assert_eq!(place.and_then(|place| names.name(place)).copied(), place.map(|_| name));
                }
                // What was copied from before knows nothing of what came since.
                prop_assert_eq!(before.room(), first + 1);
                prop_assert_eq!(before.find(&first), None);
                prop_assert!(names.own.list.len() <= COPIED);
            }
        }
    }
}
