//! How many operations run, or have answers on their way, at once: in all, of one caller, and of one caller from one address,
//! since whoever shares a key with others is not to keep them out. And how many bytes of answers wait for their readers. Who
//! does not get through is told to come back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use uuid::Uuid;

use super::error::Refusal;
use super::wire::owner_of;
use crate::domain::error::{Code, PassedLimit};

/// How many may be inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// In all.
    pub all: u64,
    /// Of one caller.
    pub each: u64,
    /// Of one caller from one address; 0 counts nothing.
    pub each_from_one: u64,
    /// Bytes of answers that wait for their readers; those of one caller may be half as many.
    pub unsent_bytes: u64,
}

/// An answer of so many bytes goes out whatever waits: operations are counted, and with them those.
const SMALL: u64 = 64 << 10;

/// Counts who is inside.
#[derive(Debug)]
pub struct Turnstile {
    most: Places,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    all: u64,
    unsent_bytes: u64,
    each: HashMap<Uuid, Own>,
    from: HashMap<(Uuid, IpAddr), u64>,
}

/// What is one caller's.
#[derive(Debug, Default)]
struct Own {
    places: u64,
    unsent_bytes: u64,
}

/// The right to be inside, until it is dropped. Left with its request, it is kept until the answer is out.
#[derive(Debug)]
pub struct Pass {
    inside: Arc<Mutex<Inside>>,
    caller: Uuid,
    from: Option<IpAddr>,
    most_unsent: u64,
    unsent_bytes: u64,
}

impl Turnstile {
    /// A turnstile for so many.
    #[must_use]
    pub fn new(most: Places) -> Self {
        Self {
            most,
            inside: Arc::default(),
        }
    }

    /// Lets a caller in, who comes from an address where one is known.
    ///
    /// # Errors
    /// 503 when too many are inside, 429 when too many of them are this caller's.
    pub fn enter(&self, caller: Uuid, address: Option<IpAddr>) -> Result<Pass, Refusal> {
        let from = address
            .map(owner_of)
            .filter(|_| self.most.each_from_one > 0);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.most.all;
        if inside.all >= most {
            let words = format!(
                "The server runs {most} operations, the most it takes at a time. Try again in a second."
            );
            return Err(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::ServiceUnavailable,
                words,
            )
            .passing(PassedLimit::of(
                "concurrentOperations",
                most,
                inside.all + 1,
            )));
        }
        let own = inside.each.get(&caller).map_or(0, |own| own.places);
        let most = self.most.each;
        if own >= most {
            let words = format!(
                "{own} operations of this caller are running, the most at a time. Wait for one of them."
            );
            return Err(too_many(
                "concurrentOperationsPerCaller",
                (most, own),
                words,
            ));
        }
        if let Some(from) = from {
            let here = inside.from.entry((caller, from)).or_default();
            let most = self.most.each_from_one;
            if *here >= most {
                let words = format!(
                    "{here} operations of this caller are running that come from one address, the most at a time. Wait for one of them."
                );
                let name = "concurrentOperationsPerAddress";
                return Err(too_many(name, (most, *here), words));
            }
            *here += 1;
        }
        inside.each.entry(caller).or_default().places += 1;
        inside.all += 1;
        Ok(Pass {
            inside: Arc::clone(&self.inside),
            caller,
            from,
            most_unsent: self.most.unsent_bytes,
            unsent_bytes: 0,
        })
    }
}

impl Pass {
    /// Counts the bytes of an answer until it is out, if there is room for them.
    ///
    /// # Errors
    /// 503 when too many wait for their readers, in all or of this caller. A small answer goes out all the same, and so does
    /// one that waits alone.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let inside = Arc::clone(&self.inside);
        let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.each.get(&self.caller);
        let own = own.map_or(0, |own| own.unsent_bytes);
        if bytes > SMALL {
            let (all, most) = (inside.unsent_bytes, self.most_unsent);
            let share = most / 2;
            let sum = |waiting: u64| waiting.saturating_add(bytes);
            if own > 0 && sum(own) > share {
                let whose = format!("Answers to this caller of {share} bytes, half of all,");
                return Err(no_room(&whose, (share, sum(own))));
            }
            if all > 0 && sum(all) > most {
                let whose = format!("Answers of {most} bytes");
                return Err(no_room(&whose, (most, sum(all))));
            }
        }
        self.count(&mut inside, bytes);
        Ok(())
    }

    /// Counts the bytes of an answer that has to go out.
    pub fn hold_anyway(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let inside = Arc::clone(&self.inside);
        let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        self.count(&mut inside, bytes);
    }

    fn count(&mut self, inside: &mut Inside, bytes: u64) {
        self.unsent_bytes = self.unsent_bytes.saturating_add(bytes);
        inside.unsent_bytes = inside.unsent_bytes.saturating_add(bytes);
        let own = inside.each.entry(self.caller).or_default();
        own.unsent_bytes = own.unsent_bytes.saturating_add(bytes);
    }
}

fn no_room(whose: &str, (most, value): (u64, u64)) -> Refusal {
    let words = format!(
        "{whose} wait for their readers, the most at a time. Try again in a second, and read what you are sent."
    );
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let refusal = refused(status, Code::ServiceUnavailable, words);
    refusal.passing(PassedLimit::of("unsentBytes", most, value))
}

fn too_many(name: &'static str, (most, inside): (u64, u64), words: String) -> Refusal {
    refused(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, words).passing(PassedLimit::of(
        name,
        most,
        inside + 1,
    ))
}

fn refused(status: StatusCode, code: Code, words: String) -> Refusal {
    Refusal::new(status, code, words).with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        inside.unsent_bytes = inside.unsent_bytes.saturating_sub(self.unsent_bytes);
        if let Some(own) = inside.each.get_mut(&self.caller) {
            own.places = own.places.saturating_sub(1);
            own.unsent_bytes = own.unsent_bytes.saturating_sub(self.unsent_bytes);
            if own.places == 0 {
                inside.each.remove(&self.caller);
            }
        }
        if let Some(from) = self.from {
            let from = (self.caller, from);
            if let Some(count) = inside.from.get_mut(&from) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    inside.from.remove(&from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_inside_is_counted_and_forgotten() {
        let turnstile = Turnstile::new(Places {
            all: 3,
            each: 2,
            each_from_one: 0,
            unsent_bytes: 0,
        });
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let enter = |caller| turnstile.enter(caller, Some(IpAddr::from([192, 0, 2, 1])));
        let first = enter(one).unwrap();
        let second = enter(one).unwrap();
        assert_eq!(
            enter(one).unwrap_err().code(),
            Code::RateLimited,
            "two of one caller"
        );
        let third = enter(two).unwrap();
        assert_eq!(
            enter(two).unwrap_err().code(),
            Code::ServiceUnavailable,
            "three in all"
        );
        drop((first, second));
        drop(enter(two).unwrap());
        drop(third);
        let inside = turnstile.inside.lock().unwrap();
        assert_eq!(
            (inside.all, inside.each.len(), inside.from.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn answers_that_wait_are_counted_together() {
        let turnstile = Turnstile::new(Places {
            all: 10,
            each: 10,
            each_from_one: 0,
            unsent_bytes: 1_000_000,
        });
        let enter = |caller| turnstile.enter(Uuid::from_u128(caller), None).unwrap();
        let (mut first, mut second, mut third) = (enter(1), enter(2), enter(3));
        first.hold(2_000_000).unwrap();
        let refused = second.hold(100_000).unwrap_err();
        assert_eq!(refused.code(), Code::ServiceUnavailable);
        third.hold(1_000).unwrap();
        third.hold_anyway(2_000_000);
        drop((first, third));
        second.hold(999_000).unwrap();
        drop(second);
        assert_eq!(turnstile.inside.lock().unwrap().unsent_bytes, 0);
    }

    #[test]
    fn one_caller_leaves_room_for_the_answers_of_others() {
        let turnstile = Turnstile::new(Places {
            all: 10,
            each: 10,
            each_from_one: 0,
            unsent_bytes: 1_000_000,
        });
        let enter = |caller| turnstile.enter(Uuid::from_u128(caller), None).unwrap();
        let (mut one, mut other) = (enter(1), enter(2));
        one.hold(300_000).unwrap();
        let (mut more, mut less) = (enter(1), enter(1));
        assert!(more.hold(300_000).is_err(), "more than half");
        less.hold(200_000).unwrap();
        other.hold(500_000).unwrap();
        drop(one);
        more.hold(300_000).unwrap();
        drop((more, less, other));
        let inside = turnstile.inside.lock().unwrap();
        assert_eq!((inside.unsent_bytes, inside.each.len()), (0, 0));
    }

    #[test]
    fn who_shares_a_key_has_places_of_its_own() {
        let turnstile = Turnstile::new(Places {
            all: 10,
            each: 3,
            each_from_one: 2,
            unsent_bytes: 0,
        });
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let enter = |caller, address: &str| turnstile.enter(caller, address.parse().ok());
        let here = ["192.0.2.1", "::ffff:192.0.2.1"].map(|from| enter(one, from).unwrap());
        assert_eq!(
            enter(one, "192.0.2.1").unwrap_err().code(),
            Code::RateLimited,
            "two from one address"
        );
        let beside = enter(two, "192.0.2.1").unwrap();
        let elsewhere = enter(one, "192.0.2.2").unwrap();
        assert_eq!(
            enter(one, "192.0.2.3").unwrap_err().code(),
            Code::RateLimited,
            "three in all"
        );
        drop(here);
        let network = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"];
        let network = network.map(|from| enter(one, from).unwrap());
        drop((beside, elsewhere, network));
        let inside = turnstile.inside.lock().unwrap();
        assert_eq!(
            (inside.all, inside.each.len(), inside.from.len()),
            (0, 0, 0)
        );
    }
}
