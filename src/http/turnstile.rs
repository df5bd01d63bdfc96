//! How many operations run, or have answers on their way, at once: in all, and of one caller. Who does not get through is
//! told to come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use uuid::Uuid;

use super::error::Refusal;
use crate::domain::error::{Code, PassedLimit};

/// Counts who is inside.
#[derive(Debug)]
pub struct Turnstile {
    most: u64,
    most_each: u64,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    all: u64,
    each: HashMap<Uuid, u64>,
}

/// The right to be inside, until it is dropped. Left with its request, it is kept until the answer is out.
#[derive(Debug)]
pub struct Pass {
    inside: Arc<Mutex<Inside>>,
    caller: Uuid,
}

impl Turnstile {
    /// A turnstile for so many in all, and of each caller.
    #[must_use]
    pub fn new(most: u64, most_each: u64) -> Self {
        Self {
            most,
            most_each,
            inside: Arc::default(),
        }
    }

    /// Lets a caller in.
    ///
    /// # Errors
    /// 503 when too many are inside, 429 when too many of them are this caller's.
    pub fn enter(&self, caller: Uuid) -> Result<Pass, Refusal> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.all >= self.most {
            let words = format!(
                "The server runs {} operations, the most it takes at a time. Try again in a second.",
                self.most
            );
            return Err(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::ServiceUnavailable,
                words,
            )
            .passing(PassedLimit::of(
                "concurrentOperations",
                self.most,
                inside.all + 1,
            )));
        }
        let own = inside.each.entry(caller).or_default();
        if *own >= self.most_each {
            let words = format!(
                "{own} operations of this caller are running, the most at a time. Wait for one of them."
            );
            let refusal = refused(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, words);
            let name = "concurrentOperationsPerCaller";
            return Err(refusal.passing(PassedLimit::of(name, self.most_each, *own + 1)));
        }
        *own += 1;
        inside.all += 1;
        Ok(Pass {
            inside: Arc::clone(&self.inside),
            caller,
        })
    }
}

fn refused(status: StatusCode, code: Code, words: String) -> Refusal {
    Refusal::new(status, code, words).with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        if let Some(own) = inside.each.get_mut(&self.caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                inside.each.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_inside_is_counted_and_forgotten() {
        let turnstile = Turnstile::new(3, 2);
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = turnstile.enter(one).unwrap();
        let second = turnstile.enter(one).unwrap();
        assert_eq!(
            turnstile.enter(one).unwrap_err().code(),
            Code::RateLimited,
            "two of one caller"
        );
        let third = turnstile.enter(two).unwrap();
        assert_eq!(
            turnstile.enter(two).unwrap_err().code(),
            Code::ServiceUnavailable,
            "three in all"
        );
        drop((first, second));
        drop(turnstile.enter(two).unwrap());
        drop(third);
        let inside = turnstile.inside.lock().unwrap();
        assert_eq!((inside.all, inside.each.len()), (0, 0));
    }
}
