//! JSON Web Tokens: a token of the configured issuer becomes the viewer that its claims say.
//!
//! | what | where |
//! |---|---|
//! | signatures | [`signature`], by `ring` behind `jsonwebtoken` |
//! | the issuer's keys | [`key_set`] |
//! | what claims mean | [`domain::token`](crate::domain::token) |
//!
//! Where keys come from is decided by whoever makes an [`Issuer`]; when they are read again by `worker`. A token is not
//! remembered: each request checks it, so that a key that is gone opens nothing any more.

pub mod key_set;
mod signature;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jsonwebtoken::decode_header;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::{Memory, key};
use crate::domain::error::{Code, Error, Result};
use crate::domain::id::of_subject;
use crate::domain::scope::{Credential, Publisher, Viewer};
use crate::domain::time::Instant;
use crate::domain::token::{Bearer, Flaw, TokenPolicy, is_of_access};
use crate::store::{Store, publishers};
use key_set::{Key, KeySet};

/// The longest token that is read, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;

/// How long a request waits for keys that its token made us read.
const WAIT: Duration = Duration::from_secs(5);

/// Fetches the issuer's key set as it stands now; a sentence where that cannot be done.
pub type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// How often keys are read, and how long they are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two reads.
    pub refresh: Duration,
    /// The least pause between two reads that an unknown key or a failure brings about.
    pub unknown_key: Duration,
    /// How long keys are trusted after they were last read.
    pub stale: Duration,
}

/// The issuer whose tokens are taken, with its keys as far as they are known.
pub struct Issuer {
    policy: TokenPolicy,
    pace: Pace,
    store: Store,
    fetch: Fetch,
    held: RwLock<Held>,
    asked: Mutex<Option<Asked>>,
    wanted: Notify,
    /// How many reads have ended, well or not.
    rounds: watch::Sender<u64>,
    publishers: Memory<Publisher>,
}

/// The keys, and when they were read.
#[derive(Default)]
struct Held {
    keys: Arc<KeySet>,
    since: Option<Duration>,
}

/// The last read that a token brought about.
#[derive(Clone, Copy)]
struct Asked {
    at: Duration,
    /// How many reads had ended.
    round: u64,
}

/// What a read of the keys brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// How many keys can be used.
    pub keys: usize,
    /// What of the set was passed over, and why.
    pub warnings: Vec<String>,
}

/// Whether a text has the form of a token: three parts between dots. No API key has a dot.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Issuer {
    /// An issuer whose keys are not known yet; `fetch` brings them.
    #[must_use]
    pub fn new(policy: TokenPolicy, pace: Pace, store: Store, fetch: Fetch) -> Self {
        Self {
            policy,
            pace,
            store,
            fetch,
            held: RwLock::default(),
            asked: Mutex::default(),
            wanted: Notify::new(),
            rounds: watch::Sender::new(0),
            publishers: Memory::default(),
        }
    }

    /// The viewer that `token` stands for at `now`. `elapsed` is the reading of a clock that never goes backwards.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, with the reason as the private cause; the caller is told only when the token has expired.
    /// Otherwise what the store says.
    pub async fn authenticate(
        &self,
        token: &str,
        elapsed: Duration,
        now: Instant,
    ) -> Result<Arc<Viewer>> {
        let bearer = self.check(token, elapsed, now).await.map_err(refusal)?;
        let publisher = self.publisher(&bearer.publisher, elapsed).await?;
        let Bearer {
            subject,
            scopes,
            limits,
            budget,
            expires_at,
            ..
        } = bearer;
        let issuer = self.policy.issuer.clone();
        Ok(Arc::new(Viewer {
            publisher,
            credential: Credential::Token {
                caller: of_subject(&issuer, &subject),
                issuer,
                subject,
                scopes,
                expires_at,
                budget,
            },
            limits: Arc::new(limits),
        }))
    }

    /// Checks the form, the signature and the claims of a token.
    async fn check(&self, token: &str, elapsed: Duration, now: Instant) -> Result<Bearer, Flaw> {
        if token.len() > MAX_BYTES {
            return Err(Flaw::TooLong(MAX_BYTES));
        }
        let header = decode_header(token).map_err(|_| Flaw::Malformed)?;
        let algorithm = signature::algorithm_of(header.alg)
            .filter(|algorithm| self.policy.algorithms.contains(algorithm))
            .ok_or(Flaw::Algorithm)?;
        if !is_of_access(header.typ.as_deref()) {
            return Err(Flaw::Kind);
        }
        let kid = header.kid.ok_or(Flaw::UnknownKey)?;
        let key = match self.key(&kid, elapsed) {
            Ok(key) => key,
            Err(_) => {
                self.ask(elapsed).await;
                self.key(&kid, elapsed)?
            }
        };
        // The set says what its keys are good for: what a token says of itself chooses among that, and adds nothing.
        if !key.algorithms.contains(&algorithm) {
            return Err(Flaw::Algorithm);
        }
        signature::claims(token, &key, algorithm)?.read(&self.policy, now)
    }

    fn key(&self, kid: &str, elapsed: Duration) -> Result<Arc<Key>, Flaw> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = held
            .since
            .is_some_and(|since| elapsed.saturating_sub(since) < self.pace.stale);
        if !is_fresh {
            return Err(Flaw::Stale);
        }
        held.keys.get(kid).ok_or(Flaw::UnknownKey)
    }

    /// Has the keys read because of a token, and waits for it; at most once in a while, however many tokens there are.
    /// Who comes while they are being read waits for the same read.
    async fn ask(&self, elapsed: Duration) {
        let mut rounds = self.rounds.subscribe();
        let round = *rounds.borrow_and_update();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let lately =
                asked.filter(|asked| elapsed.saturating_sub(asked.at) < self.pace.unknown_key);
            match lately {
                Some(asked) if asked.round != round => return,
                Some(_) => {}
                None => {
                    *asked = Some(Asked { at: elapsed, round });
                    self.wanted.notify_one();
                }
            }
        }
        // Whether it came in time, went wrong or changed nothing is seen when the key is looked for again.
        let _ = timeout(WAIT, rounds.changed()).await;
    }

    /// Ends when a token wants the keys to be read.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// How often the keys are read.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Reads the keys. Those before stay where that fails. One task alone calls this, so that there is one read at a time.
    ///
    /// # Errors
    /// A sentence about what went wrong.
    pub async fn refresh(&self, elapsed: Duration) -> Result<Refreshed, String> {
        let read = (self.fetch)().await.and_then(|text| KeySet::read(&text));
        let told = read.map(|(keys, warnings)| {
            let count = keys.len();
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            *held = Held {
                keys: Arc::new(keys),
                since: Some(elapsed),
            };
            Refreshed {
                keys: count,
                warnings,
            }
        });
        // Who asked meanwhile waits for this read, and is not owed another; who asks from now on may be.
        let _ = self.wanted.notified().now_or_never();
        self.rounds.send_modify(|round| *round += 1);
        told
    }

    async fn publisher(&self, slug: &str, elapsed: Duration) -> Result<Publisher> {
        let name = key::hash(slug);
        if let Some(known) = self.publishers.recall(&name, elapsed) {
            return Ok((*known).clone());
        }
        let found = publishers::find(&self.store, slug).await?;
        let found = Arc::new(found.ok_or_else(|| refusal(Flaw::Publisher))?);
        self.publishers.keep(name, elapsed, &found);
        Ok((*found).clone())
    }
}

/// The answer to a token that is not taken. Why is for the log: it would help whoever tries tokens out.
fn refusal(flaw: Flaw) -> Error {
    let words = if flaw == Flaw::Expired {
        "The token has expired: get another one from its issuer."
    } else {
        "The token is not accepted here. The server's log says why, under the id of this request."
    };
    Error::new(Code::Unauthenticated, words).because(flaw)
}

#[cfg(test)]
mod tests;
