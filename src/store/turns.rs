//! Turns at the readers: whoever asks much waits for its own questions, and not others for them.
//!
//! A caller's transactions hold at most a share of the readers at a time; those beyond wait in the caller's own line, first
//! come, first served. A line is there for as long as somebody stands in it, so there are never more of them than operations
//! that run.

use crate::domain::error::{Code, Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

/// The lines of all callers.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// How many readers one caller has at most.
    share: usize,
    lines: Arc<Mutex<HashMap<Uuid, Line>>>,
}

/// The line of one caller.
#[derive(Debug)]
struct Line {
    turns: Arc<Semaphore>,
    /// How many wait or have their turn.
    standing: usize,
}

/// The right to hold a reader, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    // Given back before the place: whoever stands behind is let in by it.
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

/// A place in a caller's line, which goes with the last who leaves it.
#[derive(Debug)]
struct Place {
    lines: Arc<Mutex<HashMap<Uuid, Line>>>,
    caller: Uuid,
}

impl Turns {
    /// Turns at so many readers: half of them for one caller, at least one.
    pub(super) fn at(readers: u32) -> Self {
        let half = usize::try_from(readers / 2).unwrap_or(1);
        Self {
            share: half.max(1),
            lines: Arc::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` where the caller's other questions have not left it a reader in time.
    pub(super) async fn take(&self, caller: Uuid, patience: Duration) -> Result<Turn> {
        let (turns, place) = self.stand(caller);
        match timeout(patience, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn {
                _permit: permit,
                _place: place,
            }),
            _ => Err(self.busy()),
        }
    }

    fn stand(&self, caller: Uuid) -> (Arc<Semaphore>, Place) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(caller).or_insert_with(|| Line {
            turns: Arc::new(Semaphore::new(self.share)),
            standing: 0,
        });
        line.standing += 1;
        let place = Place {
            lines: Arc::clone(&self.lines),
            caller,
        };
        (Arc::clone(&line.turns), place)
    }

    fn busy(&self) -> Error {
        let words = format!(
            "This caller's other operations hold its share of the database's readers ({}), and none of them ended in time. \
             Wait for one of them, or ask for less.",
            self.share
        );
        Error::new(Code::ServiceUnavailable, words)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.caller) {
            line.standing = line.standing.saturating_sub(1);
            if line.standing == 0 {
                lines.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_caller_has_half_of_the_readers_and_is_forgotten_behind_the_last_of_its_turns() {
        let turns = Turns::at(5);
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = turns.take(one, SOON).await.unwrap();
        let second = turns.take(one, SOON).await.unwrap();
        let refused = turns.take(one, SOON).await.unwrap_err();
        assert_eq!(refused.code(), Code::ServiceUnavailable);
        assert!(refused.message().contains("(2)"), "{refused}");
        let other = turns.take(two, SOON).await.unwrap();
        drop(first);
        let third = turns.take(one, SOON).await.unwrap();
        drop((second, third, other));
        assert!(turns.lines.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_comes_first_is_served_first_and_who_goes_away_holds_up_nobody() {
        let turns = Turns::at(1);
        let caller = Uuid::from_u128(1);
        let long = Duration::from_secs(600);
        let held = turns.take(caller, long).await.unwrap();
        let mut away = Box::pin(turns.take(caller, long));
        let mut next = Box::pin(turns.take(caller, long));
        assert!(futures::poll!(&mut away).is_pending());
        assert!(futures::poll!(&mut next).is_pending());
        drop(away);
        drop(held);
        drop(next.await.unwrap());
        assert!(turns.lines.lock().unwrap().is_empty());
    }
}
