//! A mark for each number of a list of names: a bit, whatever the number of conditions.

use crate::domain::filter::Filter;

const BITS: usize = 64;

/// A mark for each number below a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Bits from the first number on; those from the room on are not set.
    words: Vec<u64>,
    room: usize,
}

impl Marks {
    /// Nobody, of so many numbers.
    pub(super) fn none(room: usize) -> Self {
        Self {
            words: vec![0; room.div_ceil(BITS)],
            room,
        }
    }

    /// Everybody, of so many numbers.
    pub(super) fn all(room: usize) -> Self {
        let mut marks = Self::none(room);
        marks.flip();
        marks
    }

    /// Whether a number is marked; none is from the room on.
    pub(super) fn has(&self, number: usize) -> bool {
        let word = self.words.get(number / BITS).copied().unwrap_or(0);
        word >> (number % BITS) & 1 == 1
    }

    /// Marks a number, if it has room.
    pub(super) fn put(&mut self, number: usize) {
        if number < self.room
            && let Some(word) = self.words.get_mut(number / BITS)
        {
            *word |= 1 << (number % BITS);
        }
    }

    /// Those that satisfy a tree of conditions, each of which marks its own.
    pub(super) fn of_tree<T>(
        tree: &Filter<T>,
        room: usize,
        test: &mut impl FnMut(&T) -> Self,
    ) -> Self {
        match tree {
            Filter::All(parts) => {
                let mut marks = Self::all(room);
                for part in parts {
                    marks.keep(&Self::of_tree(part, room, test));
                }
                marks
            }
            Filter::Any(parts) => {
                let mut marks = Self::none(room);
                for part in parts {
                    marks.add(&Self::of_tree(part, room, test));
                }
                marks
            }
            Filter::Not(part) => {
                let mut marks = Self::of_tree(part, room, test);
                marks.flip();
                marks
            }
            Filter::Test(condition) => test(condition),
        }
    }

    /// Takes the mark of a number back.
    pub(super) fn drop(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / BITS) {
            *word &= !(1 << (number % BITS));
        }
    }

    /// Keeps the marks that others have, too.
    pub(super) fn keep(&mut self, others: &Self) {
        let others = others.words.iter().copied().chain(std::iter::repeat(0));
        for (word, other) in self.words.iter_mut().zip(others) {
            *word &= other;
        }
    }

    /// Adds the marks of others, as far as there is room.
    pub(super) fn add(&mut self, others: &Self) {
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            *word |= other;
        }
        self.cut();
    }

    /// Marks those that are not marked, and no other.
    pub(super) fn flip(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.cut();
    }

    /// How many are marked.
    pub(super) fn count(&self) -> usize {
        let count = |word: &u64| usize::try_from(word.count_ones()).unwrap_or(0);
        self.words.iter().map(count).sum()
    }

    /// The numbers that are marked, ascending.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        (0..self.room).filter(|number| self.has(*number))
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * 8
    }

    /// Takes back the marks beyond the room.
    fn cut(&mut self) {
        let inside = self.room % BITS;
        if inside > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << inside) - 1;
        }
    }
}

impl FromIterator<bool> for Marks {
    fn from_iter<I: IntoIterator<Item = bool>>(marks: I) -> Self {
        let mut made = Self::default();
        for is in marks {
            if made.room.is_multiple_of(BITS) {
                made.words.push(0);
            }
            made.room += 1;
            if is {
                made.put(made.room - 1);
            }
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn plain(marks: &Marks) -> Vec<bool> {
        (0..marks.room).map(|number| marks.has(number)).collect()
    }

    proptest! {
        #[test]
        fn marks_are_a_list_of_flags(one in vec(any::<bool>(), 0..200), other in vec(any::<bool>(), 0..200)) {
            let (first, second): (Marks, Marks) =
                (one.iter().copied().collect(), other.iter().copied().collect());
            prop_assert_eq!(plain(&first), one.clone());
            prop_assert_eq!(first.count(), one.iter().filter(|is| **is).count());
            let numbers: Vec<usize> = (0..one.len()).filter(|number| one[*number]).collect();
            prop_assert_eq!(first.numbers().collect::<Vec<_>>(), numbers);
            let has = |number: usize| other.get(number).copied().unwrap_or(false);
            let with = |add: fn(bool, bool) -> bool| -> Vec<bool> {
                one.iter().enumerate().map(|(number, is)| add(*is, has(number))).collect()
            };
            let (mut kept, mut added, mut flipped) = (first.clone(), first.clone(), first.clone());
            kept.keep(&second);
            prop_assert_eq!(plain(&kept), with(|one, other| one && other));
            added.add(&second);
            prop_assert_eq!(plain(&added), with(|one, other| one || other));
            prop_assert_eq!(added.count(), plain(&added).iter().filter(|is| **is).count());
            flipped.flip();
            prop_assert_eq!(plain(&flipped), with(|one, _| !one));
            prop_assert_eq!(flipped.count(), one.len() - first.count());
            prop_assert_eq!(Marks::all(one.len()).count(), one.len());
            prop_assert!(!first.has(one.len()) && !flipped.has(one.len()));
            let mut put = Marks::none(one.len());
            one.iter().enumerate().filter(|(_, is)| **is).for_each(|(number, _)| put.put(number));
            put.put(one.len());
            prop_assert_eq!(put, first);
        }
    }
}
