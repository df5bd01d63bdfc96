//! What callers may spend: a bucket of points for each, that fills again with time.
//!
//! A request takes what it may cost at most, and gives back what it did not use. Buckets live in the memory of one
//! server: several servers on one database each keep their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::domain::scope::Viewer;

/// Buckets that are remembered at a time, before the full ones are forgotten.
const CAPACITY: usize = 10_000;

/// Parts of a point in which buckets are kept: with a millisecond as the unit of time, nothing is rounded.
const PARTS: u64 = 1_000;

/// How large a bucket is, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Points that it holds at most.
    pub capacity: u64,
    /// Points that come back in a second.
    pub restore: u64,
}

impl Terms {
    /// Terms; none where nothing is counted, which either figure says by being 0.
    #[must_use]
    pub fn new(capacity: u64, restore: u64) -> Option<Self> {
        (capacity > 0 && restore > 0).then_some(Self { capacity, restore })
    }
}

/// The buckets of all callers.
#[derive(Debug, Default)]
pub struct Budgets {
    buckets: Mutex<HashMap<Uuid, Arc<Mutex<Bucket>>>>,
}

/// What is in a bucket, in parts of a point, at a moment.
#[derive(Debug)]
struct Bucket {
    parts: u64,
    at: Duration,
    /// How large it is, and how fast it fills.
    terms: Terms,
}

impl Bucket {
    fn fill(&mut self, now: Duration) {
        let terms = self.terms;
        let passed = now.saturating_sub(self.at).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // A millisecond brings a thousandth of what a second brings.
        let more = passed.saturating_mul(terms.restore);
        self.parts = self
            .parts
            .saturating_add(more)
            .min(terms.capacity.saturating_mul(PARTS));
        self.at += Duration::from_millis(passed);
    }
}

/// One caller's bucket, at the moment of a request.
#[derive(Clone, Debug)]
pub struct Allowance {
    bucket: Arc<Mutex<Bucket>>,
    terms: Terms,
    now: Duration,
}

/// A bucket that holds less than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty {
    /// Points that are in it.
    pub available: u64,
    /// Whole seconds until it holds what was asked for, at least 1.
    pub seconds: u64,
}

impl Budgets {
    /// The bucket of a caller, full when it is new. `now` is the reading of a clock that never goes backwards.
    #[must_use]
    pub fn of(&self, viewer: &Viewer, terms: Terms, now: Duration) -> Allowance {
        let caller = viewer.caller();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CAPACITY && !buckets.contains_key(&caller) {
            buckets.retain(|_, bucket| {
                let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
                bucket.fill(now);
                bucket.parts < bucket.terms.capacity.saturating_mul(PARTS)
            });
        }
        let full = || {
            Arc::new(Mutex::new(Bucket {
                parts: terms.capacity.saturating_mul(PARTS),
                at: now,
                terms,
            }))
        };
        let bucket = Arc::clone(buckets.entry(caller).or_insert_with(full));
        Allowance { bucket, terms, now }
    }
}

impl Allowance {
    /// How large the bucket is, and how fast it fills.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Points that are left.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.filled().parts / PARTS
    }

    /// Takes points.
    ///
    /// # Errors
    /// When the bucket holds fewer; then nothing is taken.
    pub fn take(&self, points: u64) -> Result<(), Empty> {
        let mut bucket = self.filled();
        let wanted = points.saturating_mul(PARTS);
        match bucket.parts.checked_sub(wanted) {
            Some(left) => {
                bucket.parts = left;
                Ok(())
            }
            None => Err(Empty {
                available: bucket.parts / PARTS,
                seconds: (wanted - bucket.parts)
                    .div_ceil(self.terms.restore.saturating_mul(PARTS))
                    .max(1),
            }),
        }
    }

    /// Takes points, or as many as there are.
    pub fn take_at_most(&self, points: u64) {
        let mut bucket = self.filled();
        bucket.parts = bucket.parts.saturating_sub(points.saturating_mul(PARTS));
    }

    /// Gives points back that were taken and not used.
    pub fn give_back(&self, points: u64) {
        let mut bucket = self.filled();
        bucket.parts = bucket
            .parts
            .saturating_add(points.saturating_mul(PARTS))
            .min(self.terms.capacity.saturating_mul(PARTS));
    }

    fn filled(&self) -> std::sync::MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        // What was decided about the caller may have changed since the last request.
        bucket.terms = self.terms;
        bucket.fill(self.now);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(parts: u64, terms: Terms) -> Arc<Mutex<Bucket>> {
        let at = Duration::ZERO;
        Arc::new(Mutex::new(Bucket { parts, at, terms }))
    }

    #[test]
    fn a_bucket_empties_says_when_to_come_back_and_fills_again() {
        let terms = Terms::new(100, 10).unwrap();
        let bucket = bucket(100_000, terms);
        let at = |millis: u64| Allowance {
            bucket: Arc::clone(&bucket),
            terms,
            now: Duration::from_millis(millis),
        };
        assert_eq!(at(0).take(70), Ok(()));
        let empty = Empty {
            available: 30,
            seconds: 4,
        };
        assert_eq!(at(0).take(70), Err(empty));
        assert_eq!(at(0).available(), 30, "a refusal takes nothing");
        at(0).take_at_most(0);
        assert_eq!(at(0).available(), 30);
        at(0).give_back(20);
        assert_eq!(at(500).available(), 55);
        assert_eq!(at(550).available(), 55, "half a point is kept");
        assert_eq!(at(600).available(), 56);
        assert_eq!(at(60_000).available(), 100, "never more than it holds");
        at(60_000).give_back(1_000);
        assert_eq!(at(60_000).available(), 100);
        at(60_000).take_at_most(99);
        assert_eq!(at(60_000).available(), 1);
        at(60_000).take_at_most(99);
        assert_eq!(at(60_000).available(), 0, "what there is");
        at(60_000).give_back(1_000);
        // A clock that seems to go back takes nothing away.
        assert_eq!(at(0).available(), 100);
        assert_eq!(Terms::new(0, 5), None);
        assert_eq!(Terms::new(5, 0), None);
    }
}
