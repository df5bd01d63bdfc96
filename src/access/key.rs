//! What an API key looks like: `ag_<8>_<43>`; the secret in a postback's address is `pb_<8>_<43>`.
//!
//! The eight letters are public and find the key in the database; the 43 are 32 random bytes. Only the SHA-256 of the
//! whole is stored: with 256 random bits there is nothing to guess, so a slow hash would only slow requests down.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a key.
pub type Hash = [u8; 32];

/// Letters of a prefix: none that look alike (no `i`, `l`, `o`), and no `u`.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What API keys begin with.
const API: &str = "ag";
/// What the secrets in addresses of postbacks begin with.
const POSTBACK: &str = "pb";

const PREFIX_LENGTH: usize = 8;
const SECRET_LENGTH: usize = 43;

/// A new key. The secret is not kept anywhere: show it once.
pub struct NewKey {
    /// The whole key, for its owner only.
    pub secret: String,
    /// Its public part.
    pub prefix: String,
    /// What is stored: the hash in hexadecimal.
    pub hash: String,
}

/// Makes a key.
///
/// # Errors
/// When the system has no randomness to give.
pub fn make() -> Result<NewKey, getrandom::Error> {
    make_kind(API)
}

/// Makes a secret for the address of postbacks.
///
/// # Errors
/// When the system has no randomness to give.
pub fn make_postback() -> Result<NewKey, getrandom::Error> {
    make_kind(POSTBACK)
}

/// Makes another secret for the key with a prefix.
///
/// # Errors
/// When the system has no randomness to give.
pub fn make_again(prefix: &str) -> Result<NewKey, getrandom::Error> {
    make_with(API, prefix.to_owned())
}

fn make_kind(kind: &str) -> Result<NewKey, getrandom::Error> {
    let mut short = [0_u8; PREFIX_LENGTH];
    getrandom::fill(&mut short)?;
    let letter = |byte: &u8| {
        LETTERS
            .get(usize::from(byte % 32))
            .map(|letter| char::from(*letter))
    };
    make_with(kind, short.iter().filter_map(letter).collect())
}

fn make_with(kind: &str, prefix: String) -> Result<NewKey, getrandom::Error> {
    let mut long = [0_u8; 32];
    getrandom::fill(&mut long)?;
    let secret = format!("{kind}_{prefix}_{}", URL_SAFE_NO_PAD.encode(long));
    let hash = to_hex(&hash(&secret));
    Ok(NewKey {
        secret,
        prefix,
        hash,
    })
}

/// An id for a key made at `millis` (since 1970): sorted by time, otherwise random.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_id(millis: u64) -> Result<uuid::Uuid, getrandom::Error> {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// The SHA-256 of a whole key.
#[must_use]
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// The public part of a text of the form of an API key.
#[must_use]
pub fn prefix_of(secret: &str) -> Option<&str> {
    prefix_of_kind(API, secret)
}

/// The public part of a text of the form of a postback's secret.
#[must_use]
pub fn postback_prefix_of(secret: &str) -> Option<&str> {
    prefix_of_kind(POSTBACK, secret)
}

fn prefix_of_kind<'a>(kind: &str, secret: &'a str) -> Option<&'a str> {
    let rest = secret.strip_prefix(kind)?.strip_prefix('_')?;
    let (prefix, rest) = rest.split_once('_')?;
    let fits = prefix.len() == PREFIX_LENGTH
        && prefix.bytes().all(|byte| LETTERS.contains(&byte))
        && rest.len() == SECRET_LENGTH
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    fits.then_some(prefix)
}

/// Whether a stored hash (hexadecimal) is this one, in constant time.
#[must_use]
pub fn same(hash: &Hash, stored: &str) -> bool {
    to_hex(hash).as_bytes().ct_eq(stored.as_bytes()).into()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_form_and_its_hash_is_what_is_stored() {
        let key = make().unwrap();
        assert_eq!(key.secret.len(), 3 + 8 + 1 + 43);
        assert_eq!(prefix_of(&key.secret), Some(key.prefix.as_str()));
        assert!(same(&hash(&key.secret), &key.hash));
        assert_eq!(key.hash.len(), 64);
        assert!(!key.hash.contains(&key.secret[12..]));
        assert_ne!(make().unwrap().secret, key.secret);
    }

    #[test]
    fn a_postbacks_secret_is_no_key() {
        let secret = make_postback().unwrap();
        assert_eq!(
            postback_prefix_of(&secret.secret),
            Some(secret.prefix.as_str())
        );
        assert_eq!(prefix_of(&secret.secret), None);
        assert_eq!(postback_prefix_of(&make().unwrap().secret), None);
    }

    #[test]
    fn one_letter_less_or_other_is_another_key() {
        let key = make().unwrap();
        let last = if key.secret.ends_with('A') { 'B' } else { 'A' };
        let mut other = key.secret.clone();
        other.pop();
        assert_eq!(prefix_of(&other), None);
        other.push(last);
        assert_eq!(prefix_of(&other), Some(key.prefix.as_str()));
        assert!(!same(&hash(&other), &key.hash));
    }

    #[test]
    fn what_is_no_key_has_no_prefix() {
        let long = "x".repeat(43);
        for text in [
            String::new(),
            "ag_".to_owned(),
            format!("ag_short_{long}"),
            format!("AG_bcdfghjk_{long}"),
            format!("ag_BCDFGHJK_{long}"),
            format!("ag_bcdfghjk_{long}x"),
            format!("ag_bcdfghjk_{}é", "x".repeat(41)),
            format!(" ag_bcdfghjk_{long}"),
        ] {
            assert_eq!(prefix_of(&text), None, "{text:?}");
        }
        assert!(prefix_of(&format!("ag_bcdfghjk_{long}")).is_some());
    }

    #[test]
    fn ids_are_sorted_by_time() {
        let (early, late) = (new_id(1_000).unwrap(), new_id(2_000).unwrap());
        assert!(early < late);
        assert_eq!(early.get_version_num(), 7);
    }
}
