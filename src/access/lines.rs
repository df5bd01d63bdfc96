//! Lines in front of the database: whoever makes keys up takes nothing from those whose keys are good.
//!
//! A secret that opened something before is looked up again in a line of its own kind, which is as long as there are such
//! secrets. All others, of which anybody can send any number, stand in a short one: one of them is looked up at a time, and
//! who finds no place is told to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::domain::error::{Code, Error, Result};

/// How many secrets that nobody knows wait to be looked up, or are.
const PLACES: usize = 256;

/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lines for everything that is recognised by a secret. Clones are the same lines.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    known: Arc<Semaphore>,
    unknown: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// The right to look something up, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: Option<OwnedSemaphorePermit>,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(1)),
            unknown: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

impl Lines {
    /// Waits until a secret may be looked up. Whoever stood before may have looked up the same.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` where the line is full, or it takes too long.
    pub(super) async fn turn(&self, is_known: bool) -> Result<Turn> {
        let (line, place) = if is_known {
            (&self.known, None)
        } else {
            let place = Arc::clone(&self.places).try_acquire_owned();
            (&self.unknown, Some(place.map_err(|_| busy())?))
        };
        match timeout(PATIENCE, Arc::clone(line).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Turn {
                _turn: turn,
                _place: place,
            }),
            _ => Err(busy()),
        }
    }
}

/// The answer to whoever cannot be recognised just now.
fn busy() -> Error {
    let words = "Too many keys that this server does not know are sent to it just now. Try again in a second.";
    Error::new(Code::ServiceUnavailable, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_made_up_waits_in_a_short_line_and_holds_up_nothing_that_is_known() {
        let lines = Lines::default();
        let held = lines.turn(false).await.unwrap();
        let mut waiting: Vec<_> = (1..PLACES).map(|_| Box::pin(lines.turn(false))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending(), "one at a time");
        }
        let refused = lines.turn(false).await.unwrap_err();
        assert_eq!(refused.code(), Code::ServiceUnavailable);
        drop(lines.turn(true).await.unwrap());
        // Who goes away leaves a place, and the turn goes to the next.
        drop(waiting.pop());
        let mut last = Box::pin(lines.turn(false));
        assert!(futures::poll!(&mut last).is_pending());
        drop(held);
        for one in waiting {
            drop(one.await.unwrap());
        }
        drop(last.await.unwrap());
    }
}
