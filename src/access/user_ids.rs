//! The ids of users as a caller is shown them: as they are stored, or, to whoever may not know the values that users are
//! known by, through a permutation that only the publisher's secret can undo.
//!
//! A stored id is a hash of the value, without a secret: whoever guesses a value knows the id. What stands for it here is
//! made by a Feistel network over the two halves of its 16 bytes, four rounds of HMAC-SHA256 under the secret, which nobody
//! without the secret can tell from a permutation drawn at random (Luby and Rackoff). So ids are computed both ways, and
//! no table holds them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::keys::no_randomness;
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::Viewer;
use crate::domain::secret::Secret;
use crate::store::publishers::{keep_user_ids_secret, user_ids_secret};
use crate::store::{Store, apart};

/// The rounds of the network, which tells them apart. Three would do against whoever sees ids; the fourth is for those who
/// send made-up ones as well.
const ROUNDS: [u8; 4] = [0, 1, 2, 3];

/// What is computed under the key of an order beside the rounds, and under the publisher's to get that key.
const ORDER: u8 = 4;
const SEAL: u8 = 5;

/// Bytes of a seal.
const SEALED: usize = 16;

/// How the ids of users are shown to a caller, and read back.
#[derive(Clone)]
pub struct UserIds(Option<Arc<hmac::Key>>);

impl UserIds {
    /// For callers who may know the users, and for what leaves no trace of an id: as they are stored.
    #[must_use]
    pub fn as_stored() -> Self {
        Self(None)
    }

    /// Through the permutation of a secret.
    #[must_use]
    pub fn hidden_by(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self(Some(Arc::new(key)))
    }

    /// Whether they are shown as they are stored.
    #[must_use]
    pub fn are_stored(&self) -> bool {
        self.0.is_none()
    }

    /// How ids are shown in the cursors of an order, which is printed so: no id of one means anything in another, nor where
    /// users are shown.
    #[must_use]
    pub fn in_order(&self, printed: &str) -> Self {
        let key = self.0.as_ref().map(|key| {
            let key = signed(key, ORDER, printed.as_bytes());
            Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
        });
        Self(key)
    }

    /// What shows that some bytes were written here; nothing for whoever is shown ids as they are stored.
    #[must_use]
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(key) = &self.0 else {
            return Vec::new();
        };
        let seal = signed(key, SEAL, bytes);
        seal.as_ref().iter().take(SEALED).copied().collect()
    }

    /// The bytes before their seal, if it is theirs.
    #[must_use]
    pub fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        if self.are_stored() {
            return Some(sealed);
        }
        let (bytes, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEALED)?)?;
        bool::from(self.seal(bytes).ct_eq(seal)).then_some(bytes)
    }

    /// What the caller is shown of a stored id.
    #[must_use]
    pub fn shown(&self, stored: Uuid) -> Uuid {
        let Some(key) = &self.0 else { return stored };
        let halves = ROUNDS
            .iter()
            .fold(stored.as_u64_pair(), |(left, right), round| {
                (right, left ^ mixed(key, *round, right))
            });
        Uuid::from_u64_pair(halves.0, halves.1)
    }

    /// The stored id of what the caller was shown. What nobody was shown becomes an id as well, which is nobody's.
    #[must_use]
    pub fn stored(&self, shown: Uuid) -> Uuid {
        let Some(key) = &self.0 else { return shown };
        let halves = ROUNDS
            .iter()
            .rev()
            .fold(shown.as_u64_pair(), |(left, right), round| {
                (right ^ mixed(key, *round, left), left)
            });
        Uuid::from_u64_pair(halves.0, halves.1)
    }
}

impl fmt::Debug for UserIds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.are_stored() {
            "UserIds(as stored)"
        } else {
            "UserIds(hidden)"
        })
    }
}

/// What a round makes of one half.
fn mixed(key: &hmac::Key, round: u8, half: u64) -> u64 {
    let tag = signed(key, round, &half.to_be_bytes());
    let first = tag.as_ref().iter().take(8);
    first.fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The code of some bytes under a key; what it is for keeps the uses of a key apart.
fn signed(key: &hmac::Key, what_for: u8, bytes: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&[what_for]);
    context.update(bytes);
    context.sign()
}

/// The secrets of publishers, as far as they were needed: none ever changes.
#[derive(Debug, Default)]
pub struct UserIdsSecrets(Mutex<HashMap<PublisherId, UserIds>>);

impl UserIdsSecrets {
    /// How the ids of users are shown to a caller. The publisher gets its secret when the first caller needs it.
    ///
    /// # Errors
    /// When the system has no randomness to give, or the database fails.
    pub async fn of(&self, store: &Store, viewer: &Viewer) -> Result<UserIds> {
        if !viewer.limits.hide_user_keys {
            return Ok(UserIds::as_stored());
        }
        let publisher = viewer.publisher.id;
        if let Some(known) = self.known(publisher) {
            return Ok(known);
        }
        // No part of the answer, and not to be told from it by what it takes.
        let store = store.unrecorded();
        let kept = user_ids_secret(&store, publisher).await?;
        let secret = match kept {
            Some(secret) => secret,
            None => {
                let fresh = fresh()?;
                let keep =
                    move || async move { keep_user_ids_secret(&store, publisher, &fresh).await };
                apart(keep).await?
            }
        };
        let ids = UserIds::hidden_by(&secret);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(publisher, ids.clone());
        Ok(ids)
    }

    fn known(&self, publisher: PublisherId) -> Option<UserIds> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&publisher).cloned()
    }
}

/// A new secret.
fn fresh() -> Result<Secret> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(no_randomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hidden(secret: &str) -> UserIds {
        UserIds::hidden_by(&Secret::new(secret))
    }

    proptest! {
        #[test]
        fn what_is_shown_is_found_again(bits in any::<u128>()) {
            let (id, ids) = (Uuid::from_u128(bits), hidden("a secret"));
            prop_assert_eq!(ids.stored(ids.shown(id)), id);
            prop_assert_eq!(ids.shown(ids.stored(id)), id);
            prop_assert_ne!(ids.shown(id), id);
            prop_assert_ne!(ids.shown(id), hidden("another").shown(id));
            prop_assert_eq!(UserIds::as_stored().shown(id), id);
            prop_assert_eq!(UserIds::as_stored().stored(id), id);
        }

        #[test]
        fn one_bit_changes_half_of_them(bits in any::<u128>(), place in 0_u32..128) {
            let ids = hidden("a secret");
            let shown = |bits| ids.shown(Uuid::from_u128(bits)).as_u128();
            let changed = (shown(bits) ^ shown(bits ^ (1 << place))).count_ones();
            prop_assert!((24..=104).contains(&changed), "{} bits change", changed);
        }
    }

    #[test]
    fn what_is_shown_stays_the_same_for_ever() {
        // Computed by an implementation of its own in another language: partners keep these ids.
        let shown = hidden("a secret").shown(Uuid::from_u128(0x1234_5678));
        assert_eq!(shown.to_string(), "e523b8a1-c669-5e9e-3ade-9e844507edd4");
    }

    #[test]
    fn a_seal_belongs_to_its_bytes_and_its_order() {
        let ids = hidden("a secret");
        let (one, other) = (ids.in_order("one"), ids.in_order("other"));
        let sealed = |ids: &UserIds| [b"bytes".to_vec(), ids.seal(b"bytes")].concat();
        assert_eq!(one.open(&sealed(&one)), Some(&b"bytes"[..]));
        for foreign in [&other, &ids, &hidden("another").in_order("one")] {
            assert_eq!(one.open(&sealed(foreign)), None);
        }
        assert_eq!(one.open(b"bytes"), None);
        let stored = UserIds::as_stored().in_order("one");
        assert_eq!(stored.open(&sealed(&stored)), Some(&b"bytes"[..]));
        assert_ne!(one.shown(Uuid::nil()), other.shown(Uuid::nil()));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", hidden("s3cr3t")).contains("s3cr3t"));
        assert_eq!(fresh().unwrap().expose().len(), 43);
        assert_ne!(fresh().unwrap(), fresh().unwrap());
    }
}
