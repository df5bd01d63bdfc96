//! The only file that asks the time.
//!
//! Everything else takes *now* as a value. What a point in time means lives in `domain::time`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time: the machine's own, or one that stands still until it is moved by hand.
///
/// Clones share one time.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System { started: Instant },
    ByHand(Arc<Mutex<Hands>>),
}

#[derive(Debug)]
struct Hands {
    now: DateTime<Utc>,
    elapsed: Duration,
}

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System {
            started: monotonic(),
        })
    }

    /// A clock that stands at `now` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self(Kind::ByHand(Arc::new(Mutex::new(Hands {
            now,
            elapsed: Duration::ZERO,
        }))))
    }

    /// The point in time, as calendars count.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that asks the time"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Kind::System { .. } => Utc::now(),
            Kind::ByHand(hands) => hands.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// How long ago the clock was made. It never goes backwards, whatever happens to the machine's calendar, so that
    /// ages and durations are measured with it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::ByHand(hands) => hands.lock().unwrap_or_else(PoisonError::into_inner).elapsed,
        }
    }

    /// Moves a fixed clock forward; the machine's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Kind::ByHand(hands) = &self.0 {
            let mut hands = hands.lock().unwrap_or_else(PoisonError::into_inner);
            hands.elapsed += by;
            hands.now += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that asks the time"
)]
fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_by_hand() {
        let clock = Clock::fixed(DateTime::UNIX_EPOCH);
        let shared = clock.clone();
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
        shared.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().timestamp_millis(), 1_500);
        assert_eq!(clock.elapsed(), Duration::from_millis(1_500));
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = Clock::system();
        let before = clock.elapsed();
        assert!(clock.now() > DateTime::UNIX_EPOCH);
        assert!(clock.elapsed() >= before);
    }
}
