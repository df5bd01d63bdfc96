//! What claims say, and that none of them is read for more than it says.

use super::*;
use serde_json::json;

fn policy() -> TokenPolicy {
    let name = |text: &str| Some(text.to_owned());
    TokenPolicy {
        issuer: "https://login.example/".to_owned(),
        audiences: vec!["actiongraph".to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        leeway: Duration::from_secs(60),
        claims: ClaimNames {
            publisher: "publisher".to_owned(),
            scopes: "scope".to_owned(),
            programs: name("programs"),
            ad_spaces: name("spaces"),
            subids: name("subids"),
            not_before: name("from"),
            last_days: name("days"),
            hide_user_keys: name("no_keys"),
            hide_reward: name("no_reward"),
            budget: name("budget"),
        },
        required: Vec::new(),
        unlimited_without_claim: true,
        scope_prefix: String::new(),
        allow_admin: false,
    }
}

const NOW: i64 = 1_800_000_000;

fn now() -> Instant {
    Instant::from_micros(NOW * 1_000_000).unwrap()
}

/// The claims of a good token with some of them changed; `null` in `more` takes one away.
fn claims(more: Value) -> Claims {
    let mut all = json!({
        "iss": "https://login.example/", "aud": "actiongraph", "sub": "anna", "exp": NOW + 300,
        "publisher": "shop", "scope": "openid read import admin",
    });
    let (Value::Object(all), Value::Object(more)) = (&mut all, more) else {
        panic!("objects")
    };
    for (name, value) in more {
        if value.is_null() {
            all.remove(&name);
        } else {
            all.insert(name, value);
        }
    }
    Claims(all.clone().into_iter().collect())
}

fn read(more: Value) -> Result<Bearer, Flaw> {
    claims(more).read(&policy(), now())
}

#[test]
fn a_good_token_says_who_what_and_whose() {
    let bearer = read(json!({})).unwrap();
    assert_eq!(bearer.subject, "anna");
    assert_eq!(bearer.publisher, "shop");
    assert_eq!(bearer.scopes, [KeyScope::Read, KeyScope::Import]);
    assert!(bearer.limits.is_none());
    assert_eq!(bearer.expires_at.micros(), (NOW + 300) * 1_000_000);
    let lists = read(json!({ "aud": ["other", "actiongraph"], "scope": ["segments", "read"] }));
    assert_eq!(lists.unwrap().scopes, [KeyScope::Read, KeyScope::Segments]);
    assert_eq!(read(json!({ "scope": null })).unwrap().scopes, []);
}

#[test]
fn administrators_and_prefixes_are_as_the_settings_say() {
    let mut policy = policy();
    policy.allow_admin = true;
    let scopes = |policy: &TokenPolicy, scope: &str| {
        claims(json!({ "scope": scope }))
            .read(policy, now())
            .unwrap()
            .scopes
    };
    assert_eq!(scopes(&policy, "admin"), [KeyScope::Admin]);
    policy.scope_prefix = "ag:".to_owned();
    assert_eq!(scopes(&policy, "read ag:import ag:fly"), [KeyScope::Import]);
}

#[test]
fn times_hold_to_the_second_with_the_leeway() {
    let expired = Err(Flaw::Expired);
    assert_eq!(read(json!({ "exp": NOW - 60 })), expired);
    assert!(read(json!({ "exp": NOW - 59 })).is_ok());
    assert_eq!(read(json!({ "exp": NOW as f64 - 60.5 })), expired);
    assert_eq!(read(json!({ "exp": -1 })), expired);
    for name in ["nbf", "iat"] {
        assert_eq!(read(json!({ name: NOW + 61 })), Err(Flaw::NotYet), "{name}");
        assert!(read(json!({ name: NOW + 60 })).is_ok(), "{name}");
    }
    assert_eq!(
        read(json!({ "exp": null })),
        Err(Flaw::Missing("exp".to_owned()))
    );
    for wrong in [
        json!("1800000300"),
        json!(true),
        json!(i64::MAX),
        json!(1e300),
        json!([1]),
    ] {
        for name in ["exp", "nbf", "iat"] {
            let flaw = read(json!({ name: wrong })).unwrap_err();
            assert_eq!(flaw, Flaw::Claim(name.to_owned()), "{wrong}");
        }
    }
}

#[test]
fn issuers_and_audiences_are_exact() {
    for iss in [
        json!(null),
        json!("https://login.example"),
        json!(["https://login.example/"]),
        json!(1),
    ] {
        assert_eq!(read(json!({ "iss": iss })), Err(Flaw::Issuer), "{iss}");
    }
    for aud in [
        json!(null),
        json!("Actiongraph"),
        json!([]),
        json!(["other"]),
    ] {
        assert_eq!(read(json!({ "aud": aud })), Err(Flaw::Audience), "{aud}");
    }
    assert_eq!(
        read(json!({ "aud": [1] })),
        Err(Flaw::Claim("aud".to_owned()))
    );
}

#[test]
fn limits_are_those_of_keys_and_leave_reading_alone() {
    let bearer = read(json!({
        "programs": ["25179"], "spaces": "501", "subids": [{ "slot": 2, "prefixes": ["p7-"] }],
        "from": "2026-01-01", "days": 90, "no_keys": true, "no_reward": true,
        "budget": { "capacity": 20000, "refill": 200 },
    }))
    .unwrap();
    let expected = Limits {
        programs: Some(vec!["25179".to_owned()]),
        ad_spaces: Some(vec!["501".to_owned()]),
        subids: vec![SubidLimit {
            slot: 2,
            values: vec![],
            prefixes: vec!["p7-".to_owned()],
        }],
        not_before: Some(Day::parse("2026-01-01").unwrap().days()),
        last_days: Some(90),
        hide_user_keys: true,
        hide_reward: true,
    };
    assert_eq!(bearer.limits, expected);
    assert_eq!(bearer.scopes, [KeyScope::Read]);
    let budget = KeyBudget {
        capacity: 20_000,
        refill: 200,
    };
    assert_eq!(bearer.budget, Some(budget));
    assert!(
        read(json!({ "no_reward": false }))
            .unwrap()
            .limits
            .is_none()
    );
}

#[test]
fn what_cannot_be_understood_refuses_the_token() {
    for (name, wrong) in [
        ("programs", json!([])),
        ("programs", json!([25179])),
        ("programs", json!({})),
        ("programs", json!("")),
        ("spaces", json!(["a", 1])),
        ("subids", json!([])),
        ("subids", json!([{ "slot": 9, "values": ["a"] }])),
        ("subids", json!([{ "slot": 1 }])),
        (
            "subids",
            json!([{ "slot": 1, "values": ["a"], "suffixes": ["b"] }]),
        ),
        ("from", json!("yesterday")),
        ("from", json!(20000)),
        ("days", json!(0)),
        ("days", json!(-1)),
        ("days", json!("90")),
        ("days", json!(1.5)),
        ("no_keys", json!("true")),
        ("no_reward", json!(1)),
        ("budget", json!({ "capacity": 0, "refill": 1 })),
        ("budget", json!({ "capacity": 5 })),
        ("budget", json!({ "capacity": 5, "refill": 1, "bonus": 1 })),
        ("scope", json!(5)),
        ("scope", json!(["read", 5])),
        ("publisher", json!(7)),
        ("publisher", json!("Not A Slug")),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!(5)),
        ("sub", json!("x".repeat(201))),
    ] {
        let told = read(json!({ name: wrong }));
        let is_refused = matches!(told, Err(Flaw::Claim(_) | Flaw::Limit(_)));
        assert!(is_refused, "{name} {wrong}: {told:?}");
    }
    for name in [
        "programs",
        "spaces",
        "subids",
        "from",
        "days",
        "no_keys",
        "no_reward",
        "budget",
        "nbf",
    ] {
        let mut claims = claims(json!({}));
        claims.0.insert(name.to_owned(), Value::Null);
        let told = claims.read(&policy(), now());
        assert!(matches!(told, Err(Flaw::Claim(_))), "{name}: {told:?}");
    }
    for name in ["publisher", "sub"] {
        let told = read(json!({ name: null }));
        assert_eq!(told, Err(Flaw::Missing(name.to_owned())));
    }
}

#[test]
fn a_claim_that_is_required_must_be_there() {
    let mut policy = policy();
    policy.required = vec!["programs".to_owned()];
    let missing = claims(json!({})).read(&policy, now());
    assert_eq!(missing, Err(Flaw::Missing("programs".to_owned())));
    assert!(
        claims(json!({ "programs": ["1"] }))
            .read(&policy, now())
            .is_ok()
    );
}

#[test]
fn a_token_without_the_claim_of_a_limit_is_not_taken_for_unlimited() {
    let mut policy = policy();
    policy.unlimited_without_claim = false;
    let all = json!({
        "programs": ["1"], "spaces": "501", "subids": [{ "slot": 2, "values": ["a"] }], "from": "2026-01-01", "days": 9,
        "no_keys": false, "no_reward": false,
    });
    // What its bearer may spend is the server's own where it says nothing.
    assert!(claims(all.clone()).read(&policy, now()).is_ok());
    for name in all.as_object().unwrap().keys() {
        let mut without = claims(all.clone());
        without.0.remove(name);
        let told = without.read(&policy, now());
        assert_eq!(told, Err(Flaw::Missing(name.clone())));
    }
    policy.claims = ClaimNames {
        publisher: policy.claims.publisher,
        scopes: policy.claims.scopes,
        ..ClaimNames::default()
    };
    assert!(claims(json!({})).read(&policy, now()).is_ok(), "no limits");
}

#[test]
fn a_token_is_one_for_access_as_far_as_its_header_tells() {
    for good in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(is_of_access(Some(good)), "{good}");
    }
    assert!(is_of_access(None));
    for bad in [
        "",
        "JWS",
        "logout+jwt",
        "id+jwt",
        "application/jwt ",
        "dpop+jwt",
    ] {
        assert!(!is_of_access(Some(bad)), "{bad:?}");
    }
}

#[test]
fn a_claim_that_stands_twice_is_none() {
    assert!(serde_json::from_str::<Claims>(r#"{"days":1,"days":9000}"#).is_err());
    assert!(serde_json::from_str::<Claims>("[1]").is_err());
    assert!(serde_json::from_str::<Claims>(r#"{"days":1}"#).is_ok());
}
