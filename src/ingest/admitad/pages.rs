//! What the pages of one read say together: whether rows were skipped while the set shifted, and whether all of it was
//! seen. Pure.
//!
//! Pages are cut from a set that changes while it is read. Each page begins a few rows before the end of the last one:
//! as long as it names one of the last rows again, nothing in between was skipped, for the rows have an order. What was
//! named twice is one action.

use super::plan::Reading;
use std::collections::BTreeMap;

/// By how many rows a page goes back into the one before.
pub(super) const OVERLAP: u32 = 10;
/// How often a read begins anew because rows were skipped, before it is left for the next time.
const PASSES: u32 = 3;

/// A page as it was named: each record's id and a number that stands for its text.
pub(super) struct Named {
    /// The records in their order; no id for one that names none.
    pub(super) records: Vec<(Option<String>, u64)>,
    /// How many rows the page had, unreadable ones included.
    pub(super) rows: u32,
    /// How many rows the network says there are in all.
    pub(super) total: u32,
}

/// What to do after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Read on from there.
    More(Reading),
    /// Rows were skipped: read it again from the beginning.
    Again(Reading),
    /// All of it was read.
    Whole,
    /// It kept shifting; what was read is stored, the rest is for the next time.
    GivenUp,
}

/// What the pages of a read have named so far.
#[derive(Debug)]
pub(super) struct Pages {
    /// Everything that was named in any pass, with its latest text.
    seen: BTreeMap<String, u64>,
    /// How often it was begun.
    passes: u32,
    /// What the first page of this pass said how many there are.
    total: Option<u32>,
    /// Whether every page of this pass said the same number, named every row, and continued the one before.
    is_steady: bool,
    /// Whether all the pages of this pass were seen, not just the later ones.
    from_start: bool,
}

impl Pages {
    /// Of a read that begins, or goes on after a restart.
    pub(super) fn new(reading: &Reading) -> Self {
        Self {
            seen: BTreeMap::new(),
            passes: 1,
            total: None,
            is_steady: true,
            from_start: reading.offset == 0,
        }
    }

    /// Whether a record was named before with the same text.
    pub(super) fn knows(&self, id: &str, text: u64) -> bool {
        self.seen.get(id) == Some(&text)
    }

    /// Whether an action was named.
    pub(super) fn has(&self, id: &str) -> bool {
        self.seen.contains_key(id)
    }

    /// Whether every action of a whole read was named, beyond doubt: only then can one that is missing be gone.
    pub(super) fn is_complete(&self) -> bool {
        self.from_start && self.passes == 1 && self.is_steady
    }

    /// Takes a page in.
    pub(super) fn take(&mut self, reading: &Reading, page: &Named) -> Verdict {
        let linked = reading.tail.is_empty()
            || page
                .records
                .iter()
                .any(|(id, _)| id.as_ref().is_some_and(|id| reading.tail.contains(id)));
        self.is_steady &= linked
            && page.records.iter().all(|(id, _)| id.is_some())
            && self.total.is_none_or(|total| total == page.total)
            && u32::try_from(page.records.len()) == Ok(page.rows);
        self.total.get_or_insert(page.total);
        for (id, text) in &page.records {
            if let Some(id) = id {
                self.seen.insert(id.clone(), *text);
            }
        }
        if !linked {
            return self.again(reading);
        }
        let read = reading.offset.saturating_add(page.rows);
        if read < page.total && page.rows > 0 {
            return Verdict::More(next(reading, page));
        }
        // A number above the rows that there are is no reason to ask for ever, but nothing to conclude from either.
        self.is_steady &= read >= page.total;
        Verdict::Whole
    }

    fn again(&mut self, reading: &Reading) -> Verdict {
        if self.passes >= PASSES {
            return Verdict::GivenUp;
        }
        self.passes += 1;
        self.total = None;
        self.is_steady = true;
        self.from_start = true;
        Verdict::Again(Reading::new(reading.window, reading.begun))
    }
}

fn next(reading: &Reading, page: &Named) -> Reading {
    // Of a page that is hardly longer than the overlap, half.
    let back = OVERLAP.min(page.rows / 2);
    let last = usize::try_from(back).unwrap_or(0);
    let ids = page.records.iter().rev().take(last);
    let tail = ids.filter_map(|(id, _)| id.clone()).collect();
    Reading {
        offset: reading.offset.saturating_add(page.rows - back),
        tail,
        ..reading.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::Window;
    use super::*;
    use crate::domain::time::{Day, Instant};
    use proptest::prelude::*;

    fn begin() -> Reading {
        let window = Window::Ordered {
            from: Day::MIN,
            to: Day::MIN,
        };
        Reading::new(window, Instant::MIN)
    }

    fn page(set: &[u32], reading: &Reading, limit: usize) -> Named {
        let from = usize::try_from(reading.offset).unwrap().min(set.len());
        let rows = &set[from..set.len().min(from + limit)];
        Named {
            records: rows.iter().map(|id| (Some(id.to_string()), 0)).collect(),
            rows: u32::try_from(rows.len()).unwrap(),
            total: u32::try_from(set.len()).unwrap(),
        }
    }

    #[test]
    fn a_set_at_rest_is_read_once_and_completely() {
        for size in [0, 1, 49, 50, 51, 500] {
            let set: Vec<u32> = (0..size).collect();
            let mut reading = begin();
            let mut pages = Pages::new(&reading);
            loop {
                match pages.take(&reading, &page(&set, &reading, 50)) {
                    Verdict::More(next) => reading = next,
                    verdict => {
                        assert_eq!(verdict, Verdict::Whole);
                        break;
                    }
                }
            }
            assert!(pages.is_complete(), "{size}");
            assert!(set.iter().all(|id| pages.has(&id.to_string())));
        }
    }

    #[test]
    fn whoever_begins_in_the_middle_does_not_know_all() {
        let set: Vec<u32> = (0..200).collect();
        let mut reading = begin();
        let mut pages = Pages::new(&reading);
        let Verdict::More(second) = pages.take(&reading, &page(&set, &reading, 100)) else {
            panic!("there is more");
        };
        reading = second;
        let mut pages = Pages::new(&reading);
        while let Verdict::More(next) = pages.take(&reading, &page(&set, &reading, 100)) {
            reading = next;
        }
        assert!(!pages.is_complete());
    }

    proptest! {
        /// Whatever is taken out and put in while the pages are read: what was there all the time is seen, or the read
        /// says that it has given up.
        #[test]
        fn nothing_that_stays_is_skipped(
            size in 60u32..400,
            changes in prop::collection::vec(
                (prop::collection::btree_set(0u32..400, 0..40), prop::collection::btree_set(1_000u32..1_400, 0..40)),
                1..12,
            ),
        ) {
            let mut set: Vec<u32> = (0..size).map(|id| id * 10).collect();
            let stays: Vec<u32> = set
                .iter()
                .copied()
                .filter(|id| changes.iter().all(|(gone, _)| !gone.contains(&(id / 10))))
                .collect();
            let mut reading = begin();
            let mut pages = Pages::new(&reading);
            let mut changes = changes.iter();
            let verdict = loop {
                match pages.take(&reading, &page(&set, &reading, 50)) {
                    Verdict::More(next) | Verdict::Again(next) => reading = next,
                    verdict => break verdict,
                }
                if let Some((gone, come)) = changes.next() {
                    set.retain(|id| !gone.contains(&(id / 10)));
                    set.extend(come.iter().map(|id| (id - 1_000) * 10 + 1));
                    set.sort_unstable();
                    set.dedup();
                }
            };
            if verdict == Verdict::Whole {
                for id in stays {
                    prop_assert!(pages.has(&id.to_string()), "{id}");
                }
            } else {
                prop_assert_eq!(verdict, Verdict::GivenUp);
                prop_assert!(!pages.is_complete());
            }
        }
    }
}
