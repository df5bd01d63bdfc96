//! What administrators do with keys, from the command line or over the API: make, change, rotate, revoke.

use std::time::Duration;

use super::key;
use crate::domain::audit::{Actor, Note};
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::key::{ApiKey, KeyTerms};
use crate::domain::scope::{Credential, Viewer, WriteScope};
use crate::domain::time::Instant;
use crate::store::keys::{self, Change, Changed, NewKey};
use crate::store::{ReadTx, Store};

/// The longest that a secret is taken beside the one that took its place.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

/// A key with a secret that was just made. It is not kept anywhere: show it once.
#[derive(Clone, Debug)]
pub struct WithSecret {
    /// The key.
    pub key: ApiKey,
    /// The whole of it, for its owner only.
    pub secret: String,
}

/// Who administers, or changes what the trail tells of, and when.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Whose keys.
    pub publisher: PublisherId,
    /// Who, from where.
    pub actor: Actor,
    /// When.
    pub now: Instant,
}

impl Administrator {
    /// A caller of the API.
    #[must_use]
    pub fn caller(viewer: &Viewer, address: Option<String>, now: Instant) -> Self {
        let name = match &viewer.credential {
            Credential::Key { prefix, label, .. } if label.is_empty() => format!("key {prefix}"),
            Credential::Key { prefix, label, .. } => format!("key {prefix} ({label})"),
            Credential::Token {
                issuer, subject, ..
            } => format!("{subject} (token of {issuer})"),
            Credential::LoopbackDemo => "a caller of the demo".to_owned(),
        };
        Self {
            publisher: viewer.publisher.id,
            actor: Actor { name, address },
            now,
        }
    }

    /// Whoever runs a command.
    #[must_use]
    pub fn command_line(publisher: PublisherId, now: Instant) -> Self {
        let actor = Actor {
            name: "the command line".to_owned(),
            address: None,
        };
        Self {
            publisher,
            actor,
            now,
        }
    }

    fn scope(&self) -> WriteScope {
        WriteScope::for_entrance(self.publisher)
    }

    /// What the trail says of a change that is made now: a note for each entry.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn note(&self) -> Result<Note> {
        Ok(Note {
            id: self.new_id()?,
            actor: self.actor.clone(),
            now: self.now,
        })
    }

    fn new_id(&self) -> Result<uuid::Uuid> {
        let millis = u64::try_from(self.now.micros() / 1_000).unwrap_or(0);
        key::new_id(millis).map_err(no_randomness)
    }

    /// Makes a key. Its terms have been checked.
    ///
    /// # Errors
    /// When the system has no randomness to give, or the database fails.
    pub async fn create(&self, store: &Store, terms: KeyTerms) -> Result<WithSecret> {
        let made = key::make().map_err(no_randomness)?;
        let new = NewKey {
            id: self.new_id()?,
            prefix: &made.prefix,
            hash: &made.hash,
            terms: &terms,
        };
        keys::insert(store, self.scope(), new, &self.note()?).await?;
        let key = ApiKey {
            id: new.id,
            prefix: made.prefix.clone(),
            created_at: self.now,
            last_used_at: None,
            revoked_at: None,
            previous_until: None,
            terms,
        };
        Ok(WithSecret {
            key,
            secret: made.secret,
        })
    }

    /// The publisher's key with a public part.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, store: &Store, prefix: &str) -> Result<Option<ApiKey>> {
        let all = keys::list(&ReadTx::new(store), self.scope().read()).await?;
        let mut keys = all.into_iter().map(|stored| stored.key);
        Ok(keys.find(|key| key.prefix == prefix))
    }

    /// Gives a key other terms, which have been checked, if it still has those that it was found with. Unless `force` is
    /// set, the last key that administers goes on to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update(
        &self,
        store: &Store,
        key: &ApiKey,
        terms: &KeyTerms,
        force: bool,
    ) -> Result<Changed> {
        let change = Change::Terms {
            before: &key.terms,
            after: terms,
        };
        let change = (key.id, change);
        keys::change(store, self.scope(), change, force, &self.note()?).await
    }

    /// Gives a key another secret; the one before is taken for `overlap` more. None where the key was revoked.
    ///
    /// # Errors
    /// When the system has no randomness to give, or the database fails.
    pub async fn rotate(
        &self,
        store: &Store,
        key: &ApiKey,
        overlap: Duration,
    ) -> Result<Option<WithSecret>> {
        let made = key::make_again(&key.prefix).map_err(no_randomness)?;
        let overlap = overlap.min(LONGEST_OVERLAP);
        let micros = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
        let keep_until =
            Instant::from_micros(self.now.micros().saturating_add(micros)).unwrap_or(Instant::MAX);
        let change = Change::Secret {
            hash: &made.hash,
            keep_until,
        };
        let changed =
            keys::change(store, self.scope(), (key.id, change), false, &self.note()?).await?;
        Ok((changed == Changed::Done).then(|| WithSecret {
            key: ApiKey {
                previous_until: Some(keep_until),
                ..key.clone()
            },
            secret: made.secret,
        }))
    }

    /// Revokes a key. Unless `force` is set, the last key that administers stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, store: &Store, key: &ApiKey, force: bool) -> Result<Changed> {
        let change = (key.id, Change::Revoked);
        keys::change(store, self.scope(), change, force, &self.note()?).await
    }
}

pub(super) fn no_randomness(error: getrandom::Error) -> Error {
    Error::internal(format!("the system gives no randomness: {error}"))
}
