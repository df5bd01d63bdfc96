//! How often Admitad may be asked, and how long to wait after a failure. Pure: the time and chance are passed in.

use crate::domain::time::Instant;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Requests that Admitad takes in a minute from one application.
pub const REQUESTS_PER_MINUTE: i64 = 600;
/// How many requests may be made at once after a rest.
const BURST: i64 = 60;
/// Requests of a minute that are not given out: tokens and repetitions are counted only after they were sent
/// ([`RateBudget::charge`]).
const SPARE: i64 = 8;
/// Microseconds from one request to the next in the long run, rounded up: the burst and a minute of these make, with what
/// is spared, at most [`REQUESTS_PER_MINUTE`].
const INTERVAL: i64 = 60_000_000 / (REQUESTS_PER_MINUTE - SPARE - BURST) + 1;
/// How far ahead of the present the next free place may lie before a request has to wait.
const TOLERANCE: i64 = (BURST - 1) * INTERVAL;
/// How far ahead it can lie at all: beyond that, the clock was set back.
const HORIZON: i64 = 2 * 60_000_000;

/// How long is waited after too many requests at least, and how much longer at most, where the network does not say:
/// within a minute what was too much is forgotten.
const LIMITED_REST: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(15));

/// The first back-off.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// The longest back-off.
const BACKOFF_LONGEST: Duration = Duration::from_mins(5);
/// The longest wait that a server can ask for.
pub(super) const RETRY_AFTER_LONGEST: Duration = Duration::from_hours(1);

/// What a budget says to one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may go, and is counted.
    Go,
    /// It is not counted; ask again after so long.
    Wait(Duration),
}

/// A budget of requests: as long as each is asked for, there are never more than [`REQUESTS_PER_MINUTE`] within any 60
/// seconds, wherever these begin.
///
/// It spreads them: 60 at once, then one in 0.11 s. A window that may be used up at once would allow more together
/// where one ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateBudget {
    /// When all requests so far would have been made at the long-run pace, in microseconds.
    free_at: i64,
}

impl RateBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for one request.
    #[must_use]
    pub fn take(&mut self, now: Instant) -> Turn {
        self.heed_clock(now);
        let early = self.free_at - now.micros() - TOLERANCE;
        if early > 0 {
            return Turn::Wait(micros(early));
        }
        self.count(now, 1);
        Turn::Go
    }

    /// Counts requests that were made without being asked for: a token that had to be fetched, a repetition
    /// ([`super::Client::requests`] tells how many there were).
    pub fn charge(&mut self, now: Instant, requests: u32) {
        self.heed_clock(now);
        self.count(now, requests);
    }

    /// Grants nothing for so long (at most an hour): Admitad has said that it is enough.
    pub fn rest(&mut self, now: Instant, pause: Duration) {
        self.heed_clock(now);
        let pause = i64::try_from(pause.min(RETRY_AFTER_LONGEST).as_micros()).unwrap_or(i64::MAX);
        self.free_at = self
            .free_at
            .max(now.micros().saturating_add(TOLERANCE).saturating_add(pause));
    }

    fn count(&mut self, now: Instant, requests: u32) {
        self.free_at = self.free_at.max(now.micros()) + INTERVAL * i64::from(requests.min(100));
    }

    /// A clock that was set back must not stop the synchronisation for as long.
    fn heed_clock(&mut self, now: Instant) {
        let longest = HORIZON + i64::try_from(RETRY_AFTER_LONGEST.as_micros()).unwrap_or(0);
        if self.free_at - now.micros() > longest {
            self.free_at = now.micros() + TOLERANCE;
        }
    }
}

/// The budget of an application, on which all accounts with its key draw: the network counts by application, whosever
/// account it is.
#[derive(Clone, Debug, Default)]
pub struct SharedBudget(Arc<Mutex<RateBudget>>);

impl SharedBudget {
    /// Asks for one request ([`RateBudget::take`]).
    #[must_use]
    pub fn take(&self, now: Instant) -> Turn {
        self.held().take(now)
    }

    /// Counts requests that were made without being asked for ([`RateBudget::charge`]).
    pub fn charge(&self, now: Instant, requests: u32) {
        self.held().charge(now, requests);
    }

    /// Grants nothing for so long ([`RateBudget::rest`]).
    pub fn rest(&self, now: Instant, pause: Duration) {
        self.held().rest(now, pause);
    }

    fn held(&self) -> MutexGuard<'_, RateBudget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budgets of all applications.
#[derive(Debug, Default)]
pub struct Budgets(BTreeMap<(String, String), SharedBudget>);

impl Budgets {
    /// The budget of an application, by the address where it asks and the public half of its credentials.
    pub fn of(&mut self, base_url: &str, client_id: &str) -> SharedBudget {
        // One address may be written in several ways.
        let url = url::Url::parse(base_url).map_or_else(|_| base_url.to_owned(), String::from);
        let key = (url.trim_end_matches('/').to_owned(), client_id.to_owned());
        self.0.entry(key).or_default().clone()
    }
}

fn micros(count: i64) -> Duration {
    Duration::from_micros(count.unsigned_abs())
}

/// How long to wait after so many failures in a row (0 after the first): anything between nothing and 500 ms, doubled
/// with every failure up to five minutes ("full jitter"), so that many who failed together don't return together.
///
/// `random` is any number, each as likely as the others. What a server has asked for (`Retry-After`, at most an hour) is
/// waited for in any case.
#[must_use]
pub fn backoff(attempt: u32, random: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = 2_u32.checked_pow(attempt).unwrap_or(u32::MAX);
    let longest = BACKOFF_FIRST.saturating_mul(doubled).min(BACKOFF_LONGEST);
    let nanos = longest.as_nanos() * u128::from(random) / u128::from(u32::MAX);
    let jittered = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    match retry_after {
        None => jittered,
        Some(asked) => asked.min(RETRY_AFTER_LONGEST).max(jittered),
    }
}

/// How long to wait after too many requests where the network does not say: never the same, so that accounts that asked
/// together don't ask together again. `random` is any number, each as likely as the others.
#[must_use]
pub(super) fn limited_rest(random: u32) -> Duration {
    let (least, more) = LIMITED_REST;
    let nanos = more.as_nanos() * u128::from(random) / u128::from(u32::MAX);
    least + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(1_700_000_000_000_000 + micros).unwrap()
    }

    #[test]
    fn a_greedy_caller_gets_nearly_all_of_a_minute_and_no_more() {
        let mut budget = RateBudget::new();
        let (mut now, mut granted) = (0, Vec::new());
        while now < 300_000_000 {
            match budget.take(at(now)) {
                Turn::Go => granted.push(now),
                Turn::Wait(wait) => now += i64::try_from(wait.as_micros()).unwrap(),
            }
        }
        let within = |from: i64| {
            let to = from + 60_000_000;
            granted.iter().filter(|at| (from..=to).contains(at)).count()
        };
        let most = granted.iter().map(|at| within(*at)).max().unwrap();
        assert!((590..=600).contains(&most), "{most}");
        assert!(within(120_000_000) >= 530, "{}", within(120_000_000));
    }

    #[test]
    fn a_rest_is_kept_and_a_clock_set_back_does_not_stop_it() {
        let mut budget = RateBudget::new();
        budget.rest(at(0), Duration::from_secs(30));
        assert_eq!(budget.take(at(0)), Turn::Wait(Duration::from_secs(30)));
        assert_eq!(budget.take(at(30_000_000)), Turn::Go);
        let day = 86_400_000_000;
        let mut budget = RateBudget::new();
        assert_eq!(budget.take(at(day)), Turn::Go);
        assert_eq!(budget.take(at(0)), Turn::Go);
    }

    #[test]
    fn accounts_of_one_application_share_its_minute() {
        let mut budgets = Budgets::default();
        let one = budgets.of("https://api.admitad.com/", "app-1");
        let same = budgets.of("https://API.admitad.com", "app-1");
        let others = [
            budgets.of("https://api.admitad.com/", "app-2"),
            budgets.of("https://api.example/", "app-1"),
        ];
        let granted = |budget: &SharedBudget| {
            let mut granted = 0;
            while budget.take(at(0)) == Turn::Go {
                granted += 1;
            }
            granted
        };
        assert_eq!((granted(&one), granted(&same)), (BURST, 0));
        for other in &others {
            assert_eq!(granted(other), BURST);
        }
        same.rest(at(0), Duration::from_secs(30));
        assert_eq!(one.take(at(0)), Turn::Wait(Duration::from_secs(30)));
    }

    #[test]
    fn too_much_is_waited_for_up_to_a_minute() {
        assert_eq!(limited_rest(0), Duration::from_secs(40));
        assert_eq!(limited_rest(u32::MAX), Duration::from_secs(55));
    }

    #[test]
    fn waiting_doubles_up_to_five_minutes() {
        let longest = |attempt| backoff(attempt, u32::MAX, None);
        assert_eq!(longest(0), Duration::from_millis(500));
        assert_eq!(longest(1), Duration::from_secs(1));
        assert_eq!(longest(9), Duration::from_secs(256));
        assert_eq!(longest(10), Duration::from_mins(5));
        assert_eq!(longest(u32::MAX), Duration::from_mins(5));
        let asked = Some(Duration::from_secs(40));
        assert_eq!(backoff(0, u32::MAX, asked), Duration::from_secs(40));
        assert_eq!(backoff(20, u32::MAX, asked), Duration::from_mins(5));
        let absurd = Some(Duration::from_secs(1 << 40));
        assert_eq!(backoff(0, 0, absurd), Duration::from_hours(1));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_its_requests(
            steps in prop::collection::vec((0_i64..400_000, 1_u32..40), 200..900),
        ) {
            let mut budget = RateBudget::new();
            let (mut now, mut made) = (0, Vec::new());
            for (later, wanted) in steps {
                now += later;
                for _ in 0..wanted {
                    if budget.take(at(now)) == Turn::Go {
                        made.push(now);
                    }
                }
            }
            for (first, from) in made.iter().enumerate() {
                let until = made.partition_point(|at| *at <= from + 60_000_000);
                prop_assert!(until - first <= 600, "{} from {from}", until - first);
            }
        }

        #[test]
        fn waiting_as_told_is_enough(
            gaps in prop::collection::vec(0_i64..2_000_000, 1..300),
        ) {
            let mut budget = RateBudget::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                if let Turn::Wait(wait) = budget.take(at(now)) {
                    prop_assert!(wait <= Duration::from_secs(60));
                    now += i64::try_from(wait.as_micros()).unwrap();
                    prop_assert_eq!(budget.take(at(now)), Turn::Go);
                }
            }
        }

        #[test]
        fn jitter_stays_within_its_bound(attempt: u32, random: u32, asked in prop::option::of(0_u64..10_000)) {
            let asked = asked.map(Duration::from_secs);
            let wait = backoff(attempt, random, asked);
            let bound = backoff(attempt, u32::MAX, None);
            prop_assert!(wait <= bound.max(asked.unwrap_or_default()));
            prop_assert!(wait >= asked.unwrap_or_default().min(RETRY_AFTER_LONGEST));
        }
    }
}
