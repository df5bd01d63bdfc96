//! How long a read is waited for, and how long what fails rests: short at first where it has to be current. Pure.

use super::backoff;
use crate::domain::sync::{AccountState, Condition, Feed};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long a feed rests at least whose request is refused, and at first one that has to be current: what is refused
/// once or twice must not make it five minutes late.
const REFUSED_REST: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));
/// How often in a row that is "at first".
const AT_FIRST: u32 = 2;
/// How long an account rests whose key is not accepted.
const UNAUTHORIZED_REST: Duration = Duration::from_secs(900);
/// How long it rests at least, and how much longer at most, where its key has been accepted before and may be again.
const DOUBTED_REST: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));
/// How long an answer is waited for that has to be current. A connection that hangs is given up and the request repeated
/// long before it is five minutes late.
const CURRENT_PATIENCE: Duration = Duration::from_secs(20);
/// After so many faults in a row such an answer is waited for as long as any other: it may be that the network is slow.
const SLOW: u32 = 3;

/// Whether what a feed reads has to be current.
fn is_current(feed: Feed) -> bool {
    matches!(feed, Feed::Status | Feed::Recent)
}

/// How long a feed rests that is refused and was refused so often before. `random` is any number.
pub(super) fn refused_rest(feed: Feed, failures: u32, random: u32) -> Duration {
    let least = if is_current(feed) && failures < AT_FIRST {
        REFUSED_REST.1
    } else {
        REFUSED_REST.0
    };
    backoff(failures.saturating_add(4), random, None).max(least)
}

/// How an account stands whose key is not accepted and was not so often since the last answer, and how long it rests. Where it
/// was accepted before, that may be the network's fault: a new token is not always known at once wherever it is asked for.
/// Faults of another kind say nothing of the key. `random` is any number.
pub(super) fn unauthorized_rest(
    state: &AccountState,
    times: u32,
    random: u32,
) -> (Condition, Duration) {
    let mut feeds = state.feeds.values();
    let was_accepted = feeds.any(|feed| feed.last_success.is_some());
    let is_stopped = state.condition == Condition::Stopped;
    if !was_accepted || is_stopped || times >= AT_FIRST {
        return (Condition::Stopped, UNAUTHORIZED_REST);
    }
    let (least, more) = DOUBTED_REST;
    let nanos = more.as_nanos() * u128::from(random) / u128::from(u32::MAX);
    let rest = least + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    (Condition::Failing, rest)
}

/// How long an answer of a feed is waited for, where that is less than for others, after so many faults in a row. A network
/// that is known to be slow is waited for: it would be given up each time otherwise.
pub(super) fn patience(feed: Feed, failures: u32, is_slow: bool) -> Option<Duration> {
    (is_current(feed) && failures < SLOW && !is_slow).then_some(CURRENT_PATIENCE)
}

/// What something comes to, and whether it took longer than an answer is waited for that has to be current.
pub(super) async fn timed<T>(asking: impl Future<Output = T>) -> (T, bool) {
    slower_than(CURRENT_PATIENCE, asking).await
}

async fn slower_than<T>(patience: Duration, asking: impl Future<Output = T>) -> (T, bool) {
    let mut asking = pin!(asking);
    match timeout(patience, asking.as_mut()).await {
        Ok(answer) => (answer, false),
        Err(_) => (asking.await, true),
    }
}

/// Whether the network is known to be slow after a page came: one that has to be current tells, as it is short.
pub(super) fn is_slow(feed: Feed, was_slow: bool, took_long: bool) -> bool {
    if is_current(feed) {
        took_long
    } else {
        was_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sync::FeedState;
    use crate::domain::time::Instant;
    use std::collections::BTreeMap;

    #[test]
    fn a_key_that_was_accepted_is_tried_twice_before_somebody_is_called() {
        let mut state = AccountState::default();
        let stopped = (Condition::Stopped, UNAUTHORIZED_REST);
        assert_eq!(unauthorized_rest(&state, 0, 0), stopped);
        let read = FeedState {
            last_success: Some(Instant::MIN),
            ..FeedState::default()
        };
        state.feeds = BTreeMap::from([(Feed::Clicks, read)]);
        // Whatever else went wrong before.
        state.failures = 7;
        for times in 0..AT_FIRST {
            for (random, seconds) in [(0, 10), (u32::MAX, 30)] {
                let rest = Duration::from_secs(seconds);
                let found = unauthorized_rest(&state, times, random);
                assert_eq!(found, (Condition::Failing, rest));
            }
        }
        assert_eq!(unauthorized_rest(&state, AT_FIRST, 0), stopped);
        // Whoever takes an account over that is stopped calls nobody off.
        state.condition = Condition::Stopped;
        assert_eq!(unauthorized_rest(&state, 0, 0), stopped);
    }

    #[test]
    fn what_has_to_be_current_is_waited_for_for_a_short_time_at_first() {
        assert_eq!(patience(Feed::Backfill, 0, false), None);
        assert_eq!(patience(Feed::Status, 2, false), Some(CURRENT_PATIENCE));
        assert_eq!(patience(Feed::Recent, 3, false), None);
    }

    #[test]
    fn a_slow_network_is_waited_for_until_a_page_comes_in_time() {
        let mut slow = false;
        // The fourth attempt brings a page, late.
        slow = is_slow(Feed::Status, slow, true);
        assert_eq!(patience(Feed::Status, 0, slow), None);
        assert_eq!(patience(Feed::Recent, 0, slow), None);
        for (feed, took_long) in [(Feed::Backfill, false), (Feed::Recent, true)] {
            slow = is_slow(feed, slow, took_long);
            assert!(slow, "{feed:?}");
        }
        slow = is_slow(Feed::Backfill, is_slow(Feed::Recent, slow, false), true);
        assert_eq!(patience(Feed::Status, 0, slow), Some(CURRENT_PATIENCE));
    }

    #[tokio::test]
    async fn what_takes_long_is_waited_for_to_its_end() {
        let (second, moment) = (Duration::from_secs(1), Duration::from_millis(20));
        assert_eq!(slower_than(second, async { 7 }).await, (7, false));
        let late = async {
            tokio::time::sleep(moment).await;
            8
        };
        assert_eq!(slower_than(Duration::ZERO, late).await, (8, true));
    }
}
