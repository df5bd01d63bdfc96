//! Who may: a key becomes a viewer.
//!
//! [`Keyring`] recognises keys and remembers them for [`REMEMBERED`]; [`key`] knows what a key looks like. Which header
//! carries it is `http`'s business.

pub mod key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::error::{Code, Error, Result};
use crate::domain::scope::{Credential, Viewer};
use crate::store::{Store, keys};

/// How long a recognised key is trusted without asking the database, and so how late a revocation can take effect.
pub const REMEMBERED: Duration = Duration::from_secs(3);

/// How many recognised keys are remembered at a time.
const CAPACITY: usize = 1024;

/// Recognises keys; clones share what they remember.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    known: Arc<Mutex<HashMap<key::Hash, Known>>>,
}

struct Known {
    since: Duration,
    viewer: Arc<Viewer>,
}

impl Keyring {
    /// A keyring over the keys of `store` that remembers nothing yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Arc::default(),
        }
    }

    /// The viewer that `secret` stands for. `elapsed` is the reading of a clock that never goes backwards.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, in the same words for keys that are malformed, unknown or revoked; otherwise what the store
    /// says.
    pub async fn authenticate(&self, secret: &str, elapsed: Duration) -> Result<Arc<Viewer>> {
        let hash = key::hash(secret);
        if let Some(viewer) = self.remembered(&hash, elapsed) {
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
            },
        });
        self.remember(hash, elapsed, &viewer);
        Ok(viewer)
    }

    fn remembered(&self, hash: &key::Hash, elapsed: Duration) -> Option<Arc<Viewer>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(hash)?;
        is_fresh(entry, elapsed).then(|| Arc::clone(&entry.viewer))
    }

    fn remember(&self, hash: key::Hash, elapsed: Duration, viewer: &Arc<Viewer>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.retain(|_, entry| is_fresh(entry, elapsed));
        }
        if known.len() >= CAPACITY {
            known.clear();
        }
        let viewer = Arc::clone(viewer);
        let since = elapsed;
        known.insert(hash, Known { since, viewer });
    }
}

fn is_fresh(entry: &Known, elapsed: Duration) -> bool {
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
