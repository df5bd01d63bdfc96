//! How many actions a question looks through, before it is asked: from a table of the publisher's days that is kept in
//! memory and looked at again when the data changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{InputType, Name, Value};

use super::context::RequestContext;
use super::document::Scan;
use super::input::range::{RangeArgs, RangeInput};
use super::scalar::TimeZone;
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::time::{DAY_US, Instant, Span};
use crate::store::{self, ReadTx, Store};

/// For how long the days are taken for current without asking for the version of the data.
const FRESH_US: i64 = 10_000_000;

/// Publishers whose days are kept at a time.
const CAPACITY: usize = 1_024;

/// What is known of every publisher's days. It reads beside the requests' own transactions: an estimate need not be of
/// their state.
pub(super) struct Estimates {
    store: Store,
    known: Mutex<HashMap<PublisherId, Known>>,
}

#[derive(Clone)]
struct Known {
    version: i64,
    looked: Instant,
    days: Arc<Days>,
}

/// Actions by day of the order.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// UTC days since 1970-01-01, ascending, with the actions up to their ends.
    sums: Vec<(i64, u64)>,
}

impl Days {
    fn new(days: Vec<(i64, u64)>) -> Self {
        let mut sum = 0_u64;
        let add = |(day, actions): (i64, u64)| {
            sum = sum.saturating_add(actions);
            (day, sum)
        };
        Self {
            sums: days.into_iter().map(add).collect(),
        }
    }

    fn all(&self) -> u64 {
        self.sums.last().map_or(0, |(_, sum)| *sum)
    }

    /// Actions of days before `day`.
    fn before(&self, day: i64) -> u64 {
        let place = self.sums.partition_point(|(known, _)| *known < day);
        match place.checked_sub(1).and_then(|last| self.sums.get(last)) {
            Some((_, sum)) => *sum,
            None => 0,
        }
    }

    /// Actions of the days that a span touches; of all without one.
    fn within(&self, span: Option<Span>) -> u64 {
        let Some(span) = span else {
            return self.all();
        };
        let first = span.from.micros().div_euclid(DAY_US);
        let behind = (span.to.micros() - 1).div_euclid(DAY_US) + 1;
        self.before(behind).saturating_sub(self.before(first))
    }

    /// Actions that a scan looks through. A key with limits is told no number of actions that it does not see.
    pub(super) fn scanned(&self, scan: &Scan, request: &RequestContext) -> u64 {
        let counted = self.counted(scan, request);
        if request.tx.is_limited() {
            roughly(counted)
        } else {
            counted
        }
    }

    fn counted(&self, scan: &Scan, request: &RequestContext) -> u64 {
        let argument = |name: &str| scan.arguments.get(&Name::new(name)).cloned();
        let Some(range) = argument("range").filter(|range| *range != Value::Null) else {
            return self.all();
        };
        let Ok(range) = <RangeInput as InputType>::parse(Some(range)) else {
            // The field refuses it.
            return 0;
        };
        let zone = argument("timeZone")
            .filter(|zone| *zone != Value::Null)
            .and_then(|zone| <TimeZone as InputType>::parse(Some(zone)).ok());
        let args = RangeArgs {
            zone,
            ..RangeArgs::default()
        };
        match args.ranged(range, request) {
            Ok(ranged) => self.within(Some(ranged.range.span)),
            Err(_) => 0,
        }
    }
}

/// A number of actions up to the next power of four, and 4,096 for every smaller one: enough to charge for, too little
/// to count by.
fn roughly(actions: u64) -> u64 {
    let mut rough = 4_096_u64;
    while rough < actions {
        rough = rough.saturating_mul(4);
    }
    rough
}

impl Estimates {
    /// Estimates on a database, of which nothing is known yet.
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// The days of the publisher that a request is about.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn days(&self, request: &RequestContext) -> Result<Arc<Days>> {
        let (publisher, now) = (request.scope.publisher(), request.now);
        let known = self.known().get(&publisher).cloned();
        if let Some(known) = &known
            && (0..FRESH_US).contains(&(now.micros() - known.looked.micros()))
        {
            return Ok(Arc::clone(&known.days));
        }
        let tx = ReadTx::new(&self.store);
        let version = store::state(&tx, request.scope).await?.data_version;
        let days = match known {
            Some(known) if known.version == version => known.days,
            _ => Arc::new(Days::new(store::days::actions(&tx, request.scope).await?)),
        };
        let entry = Known {
            version,
            looked: now,
            days: Arc::clone(&days),
        };
        let mut all = self.known();
        if all.len() >= CAPACITY {
            all.clear();
        }
        all.insert(publisher, entry);
        Ok(days)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PublisherId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_roughly_counts_nothing() {
        for (actions, told) in [(0, 4_096), (1, 4_096), (4_096, 4_096), (4_097, 16_384)] {
            assert_eq!(roughly(actions), told);
        }
        assert_eq!(roughly(u64::MAX), u64::MAX);
    }

    #[test]
    fn days_are_summed_by_halves() {
        let days = Days::new(vec![(10, 3), (12, 4), (15, 5)]);
        let at = |day: i64| Instant::from_micros(day * DAY_US).unwrap();
        let within = |from: i64, to: i64| {
            days.within(Some(Span {
                from: at(from),
                to: at(to),
            }))
        };
        assert_eq!(days.within(None), 12);
        assert_eq!(within(0, 100), 12);
        assert_eq!(within(10, 11), 3);
        assert_eq!(within(11, 12), 0);
        assert_eq!(within(11, 13), 4);
        assert_eq!(within(12, 16), 9);
        assert_eq!(within(16, 20), 0);
        assert_eq!(Days::default().within(None), 0);
    }
}
