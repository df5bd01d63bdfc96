//! An issuer's published keys, as a JSON Web Key Set has them.
//!
//! What cannot be used is passed over with a warning, so that an issuer can publish keys for others beside ours. A set
//! that is none is refused as a whole.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::token::Algorithm;

/// The most keys that a set may have.
pub const MAX_KEYS: usize = 100;

/// How long a modulus of RSA may be, in bytes: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A public key that can be used.
#[derive(Debug)]
pub struct Key {
    /// What it is good for.
    pub algorithms: Vec<Algorithm>,
    pub(super) public: DecodingKey,
}

/// The keys that can be used, by their `kid`.
#[derive(Debug, Default)]
pub struct KeySet(HashMap<String, Arc<Key>>);

#[derive(Deserialize)]
struct Written {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set; gives the warnings beside it. Two keys of one `kid` that are not the same are both passed over: which
    /// of them is meant cannot be known.
    ///
    /// # Errors
    /// A sentence when it is no JSON Web Key Set, or one of too many keys.
    pub fn read(text: &[u8]) -> Result<(Self, Vec<String>), String> {
        let set: Written = serde_json::from_slice(text)
            .map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
        if set.keys.len() > MAX_KEYS {
            let count = set.keys.len();
            return Err(format!("it has {count} keys; the most is {MAX_KEYS}"));
        }
        let mut warnings = Vec::new();
        let mut found: HashMap<String, Option<(Value, Key)>> = HashMap::new();
        for (place, written) in set.keys.into_iter().enumerate() {
            let (kid, key) = match usable(&written) {
                Ok(usable) => usable,
                Err(why) => {
                    warnings.push(format!("key {place} is passed over: {why}"));
                    continue;
                }
            };
            match found.entry(kid) {
                Entry::Vacant(free) => {
                    free.insert(Some((written, key)));
                }
                Entry::Occupied(mut taken) => {
                    if taken
                        .get()
                        .as_ref()
                        .is_none_or(|(first, _)| *first != written)
                    {
                        let kid = shown(taken.key());
                        warnings.push(format!(
                            "keys of the kid {kid} are passed over: there are several"
                        ));
                        taken.insert(None);
                    }
                }
            }
        }
        let keys = found
            .into_iter()
            .filter_map(|(kid, key)| Some((kid, Arc::new(key?.1))));
        Ok((Self(keys.collect()), warnings))
    }

    /// The key of a `kid`.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<Arc<Key>> {
        self.0.get(kid).cloned()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key with its `kid`, or why it cannot be used.
fn usable(written: &Value) -> Result<(String, Key), String> {
    if written.get("d").is_some() || written.get("k").is_some() {
        return Err("it is a secret key, which nobody may publish".to_owned());
    }
    let jwk = Jwk::deserialize(written).map_err(|error| format!("it is no key: {error}"))?;
    let common = &jwk.common;
    let kid = common.key_id.clone().filter(|kid| !kid.is_empty());
    let kid = kid.ok_or("it has no kid")?;
    let other = |why: &str| format!("{}: {why}", shown(&kid));
    let is_for_signatures = common
        .public_key_use
        .as_ref()
        .is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !is_for_signatures {
        return Err(other("it is not for checking signatures"));
    }
    let mut algorithms = algorithms(&jwk.algorithm).map_err(other)?;
    if let Some(named) = common.key_algorithm {
        let named = named.to_string();
        algorithms.retain(|algorithm| algorithm.as_str() == named);
    }
    if algorithms.is_empty() {
        return Err(other(
            "its algorithm is not supported, or not one of its kind",
        ));
    }
    let public = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => rsa(key),
        _ => DecodingKey::from_jwk(&jwk).ok(),
    };
    let public = public.ok_or_else(|| other("its numbers cannot be read"))?;
    Ok((kid, Key { algorithms, public }))
}

/// What a key of a kind is good for; an error where it is of none of ours, or of the wrong size.
fn algorithms(parameters: &AlgorithmParameters) -> Result<Vec<Algorithm>, &'static str> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let sized = |text: &str, size: usize| bytes(text).is_some_and(|bytes| bytes.len() == size);
    match parameters {
        AlgorithmParameters::RSA(key) => {
            let modulus = bytes(&key.n).map_or(0, |bytes| trimmed(&bytes).len());
            if MODULUS.contains(&modulus) {
                Ok(vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512])
            } else {
                Err("RSA needs a modulus of 2048 to 8192 bits")
            }
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let (size, algorithm) = match key.curve {
                EllipticCurve::P256 => (32, Es256),
                EllipticCurve::P384 => (48, Es384),
                _ => return Err("its curve is not supported"),
            };
            if sized(&key.x, size) && sized(&key.y, size) {
                Ok(vec![algorithm])
            } else {
                Err("its point is not one of its curve")
            }
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            if sized(&key.x, 32) {
                Ok(vec![EdDsa])
            } else {
                Err("its point is not one of its curve")
            }
        }
        _ => Err("its kind is not supported"),
    }
}

/// A key of RSA. Some issuers write a zero before the modulus, which `ring` does not take.
fn rsa(key: &RSAKeyParameters) -> Option<DecodingKey> {
    let (modulus, exponent) = (bytes(&key.n)?, bytes(&key.e)?);
    let key = DecodingKey::from_rsa_raw_components(trimmed(&modulus), trimmed(&exponent));
    Some(key)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A `kid` as warnings repeat it.
fn shown(kid: &str) -> String {
    let short: String = kid.chars().take(60).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(size: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![7_u8; size])
    }

    fn read(keys: &Value) -> (KeySet, Vec<String>) {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn keys_are_good_for_what_their_kind_and_their_issuer_say() {
        let (set, warnings) = read(&json!([
            { "kty": "RSA", "kid": "r", "use": "sig", "n": point(256), "e": "AQAB" },
            { "kty": "RSA", "kid": "r-one", "alg": "PS256", "n": point(256), "e": "AQAB" },
            { "kty": "EC", "kid": "e", "crv": "P-256", "x": point(32), "y": point(32) },
            { "kty": "EC", "kid": "e-384", "crv": "P-384", "x": point(48), "y": point(48), "x5c": ["ignored"] },
            { "kty": "OKP", "kid": "o", "crv": "Ed25519", "x": point(32), "key_ops": ["verify"] },
        ]));
        assert_eq!(warnings, [""; 0]);
        let good_for = |kid: &str| set.get(kid).unwrap().algorithms.clone();
        assert_eq!(good_for("r").len(), 6);
        assert_eq!(good_for("r-one"), [Algorithm::Ps256]);
        assert_eq!(good_for("e"), [Algorithm::Es256]);
        assert_eq!(good_for("e-384"), [Algorithm::Es384]);
        assert_eq!(good_for("o"), [Algorithm::EdDsa]);
        assert!(set.get("x").is_none());
    }

    #[test]
    fn what_cannot_be_used_is_passed_over_with_a_warning() {
        let okp = |more: Value| {
            let mut key = json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": point(32) });
            let fields = key.as_object_mut().unwrap();
            for (name, value) in more.as_object().unwrap() {
                fields.insert(name.clone(), value.clone());
            }
            key
        };
        for (key, part) in [
            (
                json!({ "kty": "oct", "kid": "k", "k": point(32) }),
                "secret",
            ),
            (okp(json!({ "d": point(32) })), "secret"),
            (okp(json!({ "use": "enc" })), "not for checking"),
            (okp(json!({ "key_ops": ["sign"] })), "not for checking"),
            (okp(json!({ "alg": "HS256" })), "not supported"),
            (okp(json!({ "alg": "RS256" })), "not supported"),
            (okp(json!({ "alg": "none" })), "not supported"),
            (okp(json!({ "crv": "Ed448" })), "not supported"),
            (okp(json!({ "x": "!" })), "point"),
            (okp(json!({ "x": point(31) })), "point"),
            (okp(json!({ "kid": "" })), "no kid"),
            (okp(json!({ "kid": 5 })), "no key"),
            (okp(json!({ "kid": null })), "no kid"),
            (
                json!({ "kty": "RSA", "kid": "k", "n": point(128), "e": "AQAB" }),
                "2048",
            ),
            (
                json!({ "kty": "RSA", "kid": "k", "n": point(1025), "e": "AQAB" }),
                "2048",
            ),
            (
                json!({ "kty": "EC", "kid": "k", "crv": "P-521", "x": point(66), "y": point(66) }),
                "curve",
            ),
            (
                json!({ "kty": "EC", "kid": "k", "crv": "P-256", "x": point(32), "y": point(33) }),
                "point",
            ),
            (json!("key"), "no key"),
            (json!({ "kid": "k" }), "not supported"),
        ] {
            let (set, warnings) = read(&json!([key.clone()]));
            assert!(set.is_empty(), "{key}");
            assert!(warnings.concat().contains(part), "{key}: {warnings:?}");
        }
    }

    #[test]
    fn two_keys_of_one_kid_are_none_and_the_same_key_twice_is_one() {
        let key = |x: u8| {
            let x = URL_SAFE_NO_PAD.encode([x; 32]);
            json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": x })
        };
        let (set, warnings) = read(&json!([key(1), key(2), key(1)]));
        assert!(set.is_empty());
        assert_eq!(warnings.len(), 2);
        let (set, warnings) = read(&json!([key(1), key(1)]));
        assert_eq!((set.len(), warnings.len()), (1, 0));
    }

    #[test]
    fn what_is_no_set_is_refused_and_an_empty_one_is_one() {
        for text in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
            assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
        }
        let many = json!({ "keys": vec![json!({}); 101] }).to_string();
        assert!(KeySet::read(many.as_bytes()).unwrap_err().contains("101"));
        assert!(read(&json!([])).0.is_empty());
    }
}
