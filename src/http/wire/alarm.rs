//! A timer that is set often and rings seldom.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Wakes a task at a point in time, or earlier: who is woken looks at the time and sets it again. So a deadline that moves
/// on with every request costs nothing but a comparison.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    rings: Duration,
}

impl Alarm {
    /// Wakes the task at `then` or earlier. Gives when it does; both are times of the stopwatch that says `now`.
    pub(super) fn set(&mut self, now: Duration, then: Duration, cx: &mut Context<'_>) -> Duration {
        if self.sleep.is_none() || self.rings > then || self.rings <= now {
            let sleep = sleep(then.saturating_sub(now));
            match &mut self.sleep {
                Some(old) => old.set(sleep),
                None => self.sleep = Some(Box::pin(sleep)),
            }
            self.rings = then;
        }
        let rang = self
            .sleep
            .as_mut()
            .is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if rang {
            cx.waker().wake_by_ref();
        }
        self.rings
    }
}
