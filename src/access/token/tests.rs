//! An issuer with keys of its own: what it signed is taken, and nothing else.

use super::*;
use crate::domain::token::{Algorithm, ClaimNames};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const NOW: i64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn published(keys: &[(&str, u8)]) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(kid, seed)| {
            let x = URL_SAFE_NO_PAD.encode(pair(*seed).public_key());
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn token(header: &Value, seed: u8) -> String {
    let claims = json!({
        "iss": "me", "aud": "us", "sub": "anna", "exp": NOW + 60, "publisher": "shop", "scope": "read",
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// What the issuer publishes, to be changed while it is read, and how often it was read.
#[derive(Clone, Default)]
struct Published(Arc<(Mutex<Option<String>>, AtomicUsize)>);

impl Published {
    fn says(&self, text: Option<String>) {
        *self.0.0.lock().unwrap() = text;
    }

    fn reads(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

async fn issuer(published: &Published) -> (Issuer, tempfile::TempDir) {
    let policy = TokenPolicy {
        issuer: "me".to_owned(),
        audiences: vec!["us".to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        leeway: Duration::ZERO,
        claims: ClaimNames {
            publisher: "publisher".to_owned(),
            scopes: "scope".to_owned(),
            ..ClaimNames::default()
        },
        required: Vec::new(),
        unlimited_without_claim: false,
        scope_prefix: String::new(),
        allow_admin: false,
    };
    let pace = Pace {
        refresh: SECOND * 300,
        unknown_key: SECOND * 30,
        stale: SECOND * 1_000,
    };
    let theirs = published.clone();
    let fetch: Fetch = Box::new(move || {
        theirs.0.1.fetch_add(1, Ordering::Relaxed);
        let text = theirs.0.0.lock().unwrap().clone();
        Box::pin(async move {
            text.map(String::into_bytes)
                .ok_or_else(|| "down".to_owned())
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display());
    let store = Store::open(&url).await.unwrap();
    (Issuer::new(policy, pace, store, fetch), folder)
}

async fn check(issuer: &Issuer, token: &str, elapsed: Duration) -> Result<Bearer, Flaw> {
    let now = Instant::from_micros(NOW * 1_000_000).unwrap();
    issuer.check(token, elapsed, now).await
}

#[tokio::test]
async fn what_the_named_key_signed_is_taken_and_nothing_else() {
    let published = Published::default();
    published.says(Some(self::published(&[("a", 1), ("b", 2)])));
    let (issuer, _folder) = issuer(&published).await;
    issuer.refresh(Duration::ZERO).await.unwrap();
    let good = token(&json!({ "alg": "EdDSA", "kid": "a" }), 1);
    assert_eq!(check(&issuer, &good, SECOND).await.unwrap().subject, "anna");
    let mut tampered = good.clone();
    let payload = good.find('.').unwrap() + 8;
    tampered.replace_range(
        payload..=payload,
        if good.as_bytes()[payload] == b'A' {
            "B"
        } else {
            "A"
        },
    );
    for (token, flaw) in [
        (
            token(&json!({ "alg": "EdDSA", "kid": "b" }), 1),
            Flaw::Signature,
        ),
        (token(&json!({ "alg": "EdDSA" }), 1), Flaw::UnknownKey),
        (
            token(&json!({ "alg": "ES256", "kid": "a" }), 1),
            Flaw::Algorithm,
        ),
        (
            token(&json!({ "alg": "HS256", "kid": "a" }), 1),
            Flaw::Algorithm,
        ),
        (
            token(&json!({ "alg": "none", "kid": "a" }), 1),
            Flaw::Malformed,
        ),
        (token(&json!({ "kid": "a" }), 1), Flaw::Malformed),
        // What a header may ask to have understood is not understood here.
        (
            token(&json!({ "alg": "EdDSA", "kid": "a", "crit": ["exp"] }), 1),
            Flaw::Malformed,
        ),
        (
            token(&json!({ "alg": "EdDSA", "kid": "a", "b64": false }), 1),
            Flaw::Malformed,
        ),
        (tampered, Flaw::Signature),
        (format!("{good}x"), Flaw::Signature),
        (
            good.rsplit_once('.').unwrap().0.to_owned() + ".",
            Flaw::Signature,
        ),
        (format!("{good}.x"), Flaw::Malformed),
        ("..".to_owned(), Flaw::Malformed),
        (".".repeat(MAX_BYTES + 1), Flaw::TooLong(MAX_BYTES)),
    ] {
        let told = check(&issuer, &token, SECOND).await.unwrap_err();
        // A letter too many in the signature may make it no base64 at all.
        let is_it = told == flaw || (told, flaw.clone()) == (Flaw::Malformed, Flaw::Signature);
        assert!(is_it, "{token}: {flaw:?}");
    }
}

#[tokio::test]
async fn keys_are_kept_through_failures_until_they_are_stale() {
    let published = Published::default();
    let (issuer, _folder) = issuer(&published).await;
    let good = token(&json!({ "alg": "EdDSA", "kid": "a" }), 1);
    assert!(issuer.refresh(Duration::ZERO).await.is_err());
    assert!(issuer.key("a", SECOND).is_err());
    published.says(Some(self::published(&[("a", 1)])));
    assert_eq!(issuer.refresh(SECOND).await.unwrap().keys, 1);
    published.says(None);
    assert_eq!(issuer.refresh(SECOND * 300).await, Err("down".to_owned()));
    assert!(check(&issuer, &good, SECOND * 1_000).await.is_ok());
    assert_eq!(issuer.key("a", SECOND * 1_001).unwrap_err(), Flaw::Stale);
    published.says(Some("{\"keys\":[]}".to_owned()));
    issuer.refresh(SECOND * 1_002).await.unwrap();
    assert_eq!(
        issuer.key("a", SECOND * 1_002).unwrap_err(),
        Flaw::UnknownKey
    );
}

#[tokio::test]
async fn many_tokens_with_unknown_keys_cause_one_read() {
    let published = Published::default();
    published.says(Some(self::published(&[("a", 1)])));
    let (issuer, _folder) = issuer(&published).await;
    let refreshing = async {
        loop {
            issuer.wanted().await;
            // All of them wait by now.
            tokio::task::yield_now().await;
            issuer.refresh(SECOND).await.unwrap();
        }
    };
    let unknown = token(&json!({ "alg": "EdDSA", "kid": "x" }), 1);
    let asking = async {
        let many = (0..50).map(|_| check(&issuer, &unknown, SECOND));
        let told = futures::future::join_all(many).await;
        assert!(told.iter().all(|told| *told == Err(Flaw::UnknownKey)));
        assert_eq!(published.reads(), 1);
        // Soon after, nothing is read; after the pause, it is.
        check(&issuer, &unknown, SECOND * 30).await.unwrap_err();
        assert_eq!(published.reads(), 1);
        published.says(Some(self::published(&[("x", 1)])));
        check(&issuer, &unknown, SECOND * 31).await.unwrap();
        assert_eq!(published.reads(), 2);
    };
    tokio::select! {
        () = refreshing => {}
        () = asking => {}
    }
}

#[test]
fn keys_have_no_dots() {
    assert!(looks_like_one("a.b.c") && looks_like_one(".."));
    assert!(!looks_like_one(&key::make().unwrap().secret));
    assert!(!looks_like_one("a.b") && !looks_like_one("a.b.c.d"));
}
