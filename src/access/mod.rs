//! Who may: a key or a token becomes a viewer.
//!
//! [`budget`] says what they may spend, [`documents`] what they may ask, [`user_ids`] how users are shown to those who may
//! not know them. [`Keyring`] recognises keys, and the secrets in addresses of postbacks, and remembers them for [`REMEMBERED`]; [`key`]
//! knows what they look like, [`lines`] in which order they are looked up. [`token`] does the same for JSON Web Tokens. Where a request carries them is `http`'s business.

pub mod budget;
pub mod documents;
pub mod key;
pub mod keys;
mod lines;
pub mod token;
pub mod user_ids;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

use crate::domain::error::{Code, Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::key::ApiKey;
use crate::domain::scope::{Credential, Viewer, WriteScope};
use crate::domain::time::Instant;
use crate::store::keys::{StoredKey, by_prefix, note_uses};
use crate::store::{Store, postback_secrets};
use lines::Lines;

/// How long a recognised key is trusted without asking the database, and so how late a revocation can take effect.
pub const REMEMBERED: Duration = Duration::from_secs(3);

/// How many recognised keys are remembered at a time.
const CAPACITY: usize = 4096;

/// Recognises keys; clones share what they remember.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    viewers: Memory<Known>,
    doors: Memory<PostbackDoor>,
    /// Keys that opened nothing lately: whoever sends one again and again takes no connection away from those who are answered.
    no_keys: Memory<()>,
    /// Secrets of postbacks, likewise.
    no_doors: Memory<()>,
    lines: Lines,
    uses: Arc<Mutex<Uses>>,
}

/// When keys were last used, since that was last written.
type Uses = HashMap<(PublisherId, Uuid), Instant>;

/// A key that was recognised.
struct Known {
    viewer: Arc<Viewer>,
    key: Uuid,
    /// When what was recognised ends: the key, or the secret that another took the place of.
    until: Option<Instant>,
}

impl Known {
    fn stands(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
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
            no_keys: Memory::default(),
            no_doors: Memory::default(),
            lines: Lines::default(),
            uses: Arc::default(),
        }
    }

    /// The viewer that `secret` stands for at `now`. `elapsed` is the reading of a clock that never goes backwards.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, in the same words for keys that are malformed, unknown, ended or revoked; otherwise what the
    /// store says.
    pub async fn authenticate(
        &self,
        secret: &str,
        elapsed: Duration,
        now: Instant,
    ) -> Result<Arc<Viewer>> {
        let hash = key::hash(secret);
        let known = match self.viewers.recall(&hash, elapsed) {
            Some(known) => known,
            None => {
                let known = self.look_up(secret, &hash, elapsed, now).await?;
                known.ok_or_else(refusal)?
            }
        };
        if !known.stands(now) {
            return Err(refusal());
        }
        self.note_use(known.viewer.publisher.id, known.key, now);
        Ok(Arc::clone(&known.viewer))
    }

    /// What a key stands for that is not remembered, if it stands for anything.
    async fn look_up(
        &self,
        secret: &str,
        hash: &key::Hash,
        elapsed: Duration,
        now: Instant,
    ) -> Result<Option<Arc<Known>>> {
        let Some(prefix) = key::prefix_of(secret) else {
            return Ok(None);
        };
        if self.no_keys.recall(hash, elapsed).is_some() {
            return Ok(None);
        }
        let _turn = self.lines.turn(self.viewers.knew(hash)).await?;
        if let Some(known) = self.viewers.recall(hash, elapsed) {
            return Ok(Some(known));
        }
        if self.no_keys.recall(hash, elapsed).is_some() {
            return Ok(None);
        }
        let known = self.recognise(prefix, hash, now).await?.map(Arc::new);
        match &known {
            Some(known) => self.viewers.keep(*hash, elapsed, known),
            None => {
                self.viewers.forget(hash);
                self.no_keys.keep(*hash, elapsed, &Arc::new(()));
            }
        }
        Ok(known)
    }

    async fn recognise(
        &self,
        prefix: &str,
        hash: &key::Hash,
        now: Instant,
    ) -> Result<Option<Known>> {
        let stored = by_prefix(&self.store, prefix).await?;
        // All candidates are compared, each in constant time and with both of its secrets, so that the time taken says
        // nothing.
        let mut found = None;
        for candidate in stored {
            let is_this = key::same(hash, &candidate.hash);
            let was_this = key::same(hash, candidate.previous_hash.as_deref().unwrap_or(""));
            let replaced = candidate.key.previous_until.unwrap_or(Instant::MIN);
            let ends = candidate.key.terms.expires_at;
            let until = match (is_this, was_this) {
                (true, _) => ends,
                (false, true) => Some(ends.map_or(replaced, |ends| ends.min(replaced))),
                (false, false) => continue,
            };
            if candidate.key.is_active(now) {
                found = Some((candidate, until));
            }
        }
        let Some((StoredKey { key, publisher, .. }, until)) = found else {
            return Ok(None);
        };
        let ApiKey {
            id, prefix, terms, ..
        } = key;
        Ok(Some(Known {
            key: id,
            until,
            viewer: Arc::new(Viewer {
                publisher,
                credential: Credential::Key {
                    id,
                    prefix,
                    label: terms.label,
                    scopes: terms.scopes,
                    expires_at: terms.expires_at,
                    budget: terms.budget,
                    introspection: terms.introspection,
                },
                limits: Arc::new(terms.limits),
            }),
        }))
    }

    fn note_use(&self, publisher: PublisherId, key: Uuid, now: Instant) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.insert((publisher, key), now);
    }

    /// Writes when keys were last used, as far as that was not written yet: for a task beside the answering.
    ///
    /// # Errors
    /// What the store says; then it is written with the next ones.
    pub async fn write_uses(&self) -> Result<()> {
        let taken = {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *uses)
        };
        if taken.is_empty() {
            return Ok(());
        }
        let list: Vec<_> = taken.iter().map(|((p, id), at)| (*p, *id, *at)).collect();
        let written = note_uses(&self.store, &list).await;
        if written.is_err() {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, at) in taken {
                uses.entry(key).or_insert(at);
            }
        }
        written
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
        if self.no_doors.recall(&hash, elapsed).is_some() {
            return Ok(None);
        }
        let _turn = self.lines.turn(self.doors.knew(&hash)).await?;
        if let Some(door) = self.doors.recall(&hash, elapsed) {
            return Ok(Some(door));
        }
        if self.no_doors.recall(&hash, elapsed).is_some() {
            return Ok(None);
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
        let Some(found) = found else {
            self.doors.forget(&hash);
            self.no_doors.keep(hash, elapsed, &Arc::new(()));
            return Ok(None);
        };
        let door = Arc::new(PostbackDoor {
            scope: WriteScope::for_entrance(found.publisher.id),
            ad_space: found.ad_space,
        });
        self.doors.keep(hash, elapsed, &door);
        Ok(Some(door))
    }
}

/// What was recognised lately, by the hash of what it was recognised by.
struct Memory<T>(Arc<Mutex<HashMap<key::Hash, Recalled<T>>>>);

struct Recalled<T> {
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

    /// Whether it was recognised when it was last looked up, however long ago.
    fn knew(&self, hash: &key::Hash) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(hash)
    }

    /// It is recognised no more.
    fn forget(&self, hash: &key::Hash) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(hash);
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
        known.insert(hash, Recalled { since, what });
    }
}

fn is_fresh<T>(entry: &Recalled<T>, elapsed: Duration) -> bool {
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
