//! Sets of clicks that were left out: they are kept, so that they are asked for again and reports know of them. Pure.
//!
//! Of a program, an ad space and a SubID the days that touch each other are one set, so that what is refused for good is
//! one, however long it goes on.

use crate::domain::clicks::LeftOut;
use serde::{Deserialize, Serialize};

/// How many sets are kept of all SubIDs together, and how many by SubID.
pub(super) const MOST: usize = 1_000;
/// How many days of a set are asked for again at once; by SubID a request is of one.
const AT_ONCE: i32 = 31;

/// Sets without a day in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Kept(Vec<LeftOut>);

impl Kept {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<&LeftOut> {
        self.0.first()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether there are more than are kept, by SubID or of all SubIDs together.
    pub(super) fn are_too_many(&self, by_subid: bool) -> bool {
        let of_kind = self.0.iter().filter(|set| set.slot.is_some() == by_subid);
        of_kind.count() > MOST
    }

    /// Adds a set. Beyond what tells that there are too many nothing is added.
    pub(super) fn add(&mut self, mut set: LeftOut) {
        let touches = |held: &LeftOut| {
            is_alike(held, &set) && held.from <= set.to + 1 && set.from <= held.to + 1
        };
        let (touching, others): (Vec<LeftOut>, Vec<LeftOut>) =
            std::mem::take(&mut self.0).into_iter().partition(touches);
        self.0 = others;
        if touching.is_empty() && self.are_too_many(set.slot.is_some()) {
            return;
        }
        for held in touching {
            set.from = set.from.min(held.from);
            set.to = set.to.max(held.to);
        }
        self.0.push(set);
    }

    /// Adds all sets of another list.
    pub(super) fn add_all(&mut self, others: &Self) {
        for set in &others.0 {
            self.add(set.clone());
        }
    }

    /// Takes days out that have been answered.
    pub(super) fn take_out(&mut self, answered: &LeftOut) {
        for held in std::mem::take(&mut self.0) {
            if !overlap(&held, answered) {
                self.0.push(held);
                continue;
            }
            let (before, behind) = (answered.from - 1, answered.to + 1);
            if held.from <= before {
                let to = before;
                self.0.push(LeftOut { to, ..held.clone() });
            }
            if behind <= held.to {
                let from = behind;
                self.0.push(LeftOut { from, ..held });
            }
        }
    }

    /// Takes all sets by SubID out, or all of all SubIDs together.
    pub(super) fn forget(&mut self, by_subid: bool) {
        self.0.retain(|set| set.slot.is_some() != by_subid);
    }

    /// Whether a day of a set is among them, or may have been: of more than are kept nobody knows.
    pub(super) fn may_have(&self, set: &LeftOut) -> bool {
        self.are_too_many(set.slot.is_some()) || self.0.iter().any(|held| overlap(held, set))
    }

    /// Leaves out what nobody asks for any more: days before a day, and whatever is not wanted.
    pub(super) fn cut(&mut self, first: i32, is_wanted: impl Fn(&LeftOut) -> bool) {
        self.0.retain(|set| set.to >= first && is_wanted(set));
        for set in &mut self.0 {
            set.from = set.from.max(first);
        }
    }

    /// What is asked for again: of each set the last days.
    pub(super) fn again(&self) -> impl Iterator<Item = LeftOut> + '_ {
        self.0.iter().map(|set| {
            let days = if set.slot.is_some() { 1 } else { AT_ONCE };
            LeftOut {
                from: set.from.max(set.to - days + 1),
                ..set.clone()
            }
        })
    }
}

/// Whether sets are of the same but for their days.
fn is_alike(one: &LeftOut, other: &LeftOut) -> bool {
    one.slot == other.slot && one.program == other.program && one.ad_space == other.ad_space
}

fn overlap(one: &LeftOut, other: &LeftOut) -> bool {
    is_alike(one, other) && one.from <= other.to && other.from <= one.to
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(program: usize, slot: Option<u8>, from: i32, to: i32) -> LeftOut {
        LeftOut {
            program: program.to_string(),
            ad_space: "2001".to_owned(),
            slot,
            from,
            to,
        }
    }

    #[test]
    fn what_is_refused_for_good_is_one_set() {
        let mut kept = Kept::default();
        for day in (0..700).rev() {
            kept.add(set(1, None, day, day + 3));
        }
        kept.add(set(1, Some(0), 5, 5));
        kept.add(set(2, None, 5, 5));
        assert_eq!(kept.count(), 3);
        let again: Vec<LeftOut> = kept.again().collect();
        assert_eq!(again.first(), Some(&set(1, None, 672, 702)));
        assert_eq!(again.get(1), Some(&set(1, Some(0), 5, 5)));
        kept.cut(6, |set| set.program == "1");
        assert_eq!(kept, Kept(vec![set(1, None, 6, 702)]));
    }

    #[test]
    fn a_list_does_not_grow_for_ever() {
        let mut kept = Kept::default();
        for program in 0..3 * MOST {
            kept.add(set(program, None, 1, 2));
            kept.add(set(program, Some(3), 1, 1));
        }
        assert_eq!(kept.count(), 2 * (MOST + 1));
        assert!(kept.are_too_many(false) && kept.are_too_many(true));
        // Whichever was not added may have been.
        let later = set(3 * MOST, None, 1, 2);
        assert!(kept.may_have(&later));
        kept.forget(true);
        assert!(kept.are_too_many(false) && !kept.are_too_many(true));
        kept.take_out(&set(0, None, 0, 9));
        assert!(!kept.are_too_many(false) && !kept.may_have(&later));
        kept.forget(false);
        assert!(kept.is_empty());
    }

    proptest! {
        /// Days that are added and taken out, against a set of days.
        #[test]
        fn it_holds_the_days_that_were_added_and_not_taken_out(
            steps in prop::collection::vec((any::<bool>(), 0usize..2, 0i32..40, 0i32..9), 0..40),
        ) {
            let (mut kept, mut days) = (Kept::default(), BTreeSet::new());
            for (adds, program, from, more) in steps {
                let set = set(program, None, from, from + more);
                for day in from..=from + more {
                    if adds {
                        days.insert((program, day));
                    } else {
                        days.remove(&(program, day));
                    }
                }
                if adds {
                    kept.add(set);
                } else {
                    kept.take_out(&set);
                }
            }
            for program in 0..2 {
                for day in 0..50 {
                    let held = kept.may_have(&set(program, None, day, day));
                    prop_assert_eq!(held, days.contains(&(program, day)));
                }
            }
        }
    }
}
