//! Who may: a key becomes a viewer.
//!
//! [`Keyring`] recognises keys, and the secrets in addresses of postbacks, and remembers them for [`REMEMBERED`]; [`key`]
//! knows what they look like. Where a request carries them is `http`'s business.

pub mod key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::error::{Code, Error, Result};
use crate::domain::scope::{Credential, Viewer, WriteScope};
use crate::store::{Store, keys, postback_secrets};

/// How long a recognised key is trusted without asking the database, and so how late a revocation can take effect.
pub const REMEMBERED: Duration = Duration::from_secs(3);

/// How many recognised keys are remembered at a time.
const CAPACITY: usize = 1024;

/// Recognises keys; clones share what they remember.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    viewers: Memory<Viewer>,
    doors: Memory<PostbackDoor>,
}

/// What the secret in a postback's address opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostbackDoor {
    /// Whose actions come in by it.
    pub scope: WriteScope,
    /// The ad space of postbacks that name none.
    pub ad_space: Option<String>,
}

impl Keyring {
    /// A keyring over the keys of `store` that remembers nothing yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            viewers: Memory::default(),
            doors: Memory::default(),
        }
    }

    /// The viewer that `secret` stands for. `elapsed` is the reading of a clock that never goes backwards.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, in the same words for keys that are malformed, unknown or revoked; otherwise what the store
    /// says.
    pub async fn authenticate(&self, secret: &str, elapsed: Duration) -> Result<Arc<Viewer>> {
        let hash = key::hash(secret);
        if let Some(viewer) = self.viewers.recall(&hash, elapsed) {
            return Ok(viewer);
        }
        let prefix = key::prefix_of(secret).ok_or_else(refusal)?;
        let stored = keys::by_prefix(&self.store, prefix).await?;
        // All candidates are compared, each in constant time, so that the time taken says nothing.
        let mut found = None;
        for candidate in stored {
            if key::same(&hash, &candidate.hash) && candidate.revoked_at.is_none() {
                found = Some(candidate);
            }
        }
        let found = found.ok_or_else(refusal)?;
        let viewer = Arc::new(Viewer {
            publisher: found.publisher,
            credential: Credential::Key {
                id: found.id,
                prefix: found.prefix,
                label: found.label,
                scopes: found.scopes,
            },
            limits: Arc::default(),
        });
        self.viewers.keep(hash, elapsed, &viewer);
        Ok(viewer)
    }

    /// What `secret`, from the address of a postback, opens; none if it is malformed, unknown or revoked. `elapsed` is
    /// the reading of a clock that never goes backwards.
    ///
    /// # Errors
    /// What the store says.
    pub async fn postback(
        &self,
        secret: &str,
        elapsed: Duration,
    ) -> Result<Option<Arc<PostbackDoor>>> {
        let hash = key::hash(secret);
        if let Some(door) = self.doors.recall(&hash, elapsed) {
            return Ok(Some(door));
        }
        // What has not the form of a secret is looked for as well: how long an answer takes says nothing of the form.
        let prefix = key::postback_prefix_of(secret).unwrap_or("");
        let stored = postback_secrets::by_prefix(&self.store, prefix).await?;
        let mut found = None;
        for candidate in stored {
            if key::same(&hash, &candidate.hash) && candidate.revoked_at.is_none() {
                found = Some(candidate);
            }
        }
        Ok(found.map(|found| {
            let door = Arc::new(PostbackDoor {
                scope: WriteScope::for_entrance(found.publisher.id),
                ad_space: found.ad_space,
            });
            self.doors.keep(hash, elapsed, &door);
            door
        }))
    }
}

/// What was recognised lately, by the hash of what it was recognised by.
struct Memory<T>(Arc<Mutex<HashMap<key::Hash, Known<T>>>>);

struct Known<T> {
    since: Duration,
    what: Arc<T>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Memory<T> {
    fn recall(&self, hash: &key::Hash, elapsed: Duration) -> Option<Arc<T>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(hash)?;
        is_fresh(entry, elapsed).then(|| Arc::clone(&entry.what))
    }

    fn keep(&self, hash: key::Hash, elapsed: Duration, what: &Arc<T>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.retain(|_, entry| is_fresh(entry, elapsed));
        }
        if known.len() >= CAPACITY {
            known.clear();
        }
        let what = Arc::clone(what);
        let since = elapsed;
        known.insert(hash, Known { since, what });
    }
}

fn is_fresh<T>(entry: &Known<T>, elapsed: Duration) -> bool {
    elapsed.saturating_sub(entry.since) < REMEMBERED
}

/// The one answer to every request without a good key.
#[must_use]
pub fn refusal() -> Error {
    Error::new(
        Code::Unauthenticated,
        "A valid API key is needed: send the header `Authorization: Bearer ag_...`. `actiongraph key create` makes one.",
    )
}
