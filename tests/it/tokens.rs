//! JSON Web Tokens from outside: which are taken, what they see and may spend, and what becomes of them when their
//! issuer changes its keys or is not there.

use crate::support::issuer::{ISSUER, Publisher, Signer, unsigned};
use crate::support::server::{Running, running};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::limits::{Limits, SubidLimit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::Duration;

const WHO: &str = "{ viewer { credential publisher { slug } scopes key { prefix } token { issuer subject expiresAt } } }";

/// The clock of the server, in seconds.
fn present(server: &Running) -> i64 {
    server.now().micros() / 1_000_000
}

/// The claims of a good token, with some changed; `null` takes one away.
fn claims(server: &Running, more: Value) -> Value {
    let mut all = json!({
        "iss": ISSUER, "aud": ["actiongraph"], "sub": "anna", "publisher": "one", "scope": "openid read",
        "iat": present(server), "exp": present(server) + 300,
    });
    let Value::Object(more) = more else {
        panic!("an object")
    };
    for (name, value) in more {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(&name);
        } else {
            all[name] = value;
        }
    }
    all
}

fn code(answer: &Value) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

/// Asserts that a token is refused as such, and gives the sentence.
async fn refused(server: &Running, token: &str) -> String {
    let request = server.client.post(server.at("/graphql")).bearer_auth(token);
    let answer = request.json(&json!({ "query": WHO })).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401, "{token}");
    assert_eq!(
        answer.headers()["www-authenticate"],
        "Bearer realm=\"actiongraph\", error=\"invalid_token\"",
        "{token}"
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(code(&body), Some("UNAUTHENTICATED"), "{body}");
    body["errors"][0]["message"].as_str().unwrap().to_owned()
}

async fn accepted(server: &Running, token: &str) -> Value {
    let mut answer = server.ask(token, WHO).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"]["viewer"].take()
}

#[tokio::test]
async fn a_token_of_every_algorithm_reads_beside_keys() {
    let signers = [
        (Signer::rsa(), "rsa"),
        (Signer::ecdsa("P-256"), "p256"),
        (Signer::ecdsa("P-384"), "p384"),
        (Signer::ed25519(1), "ed"),
    ];
    let keys: Vec<Value> = signers
        .iter()
        .map(|(signer, kid)| signer.jwk(kid))
        .collect();
    let publisher = Publisher::of(&keys);
    let server = running(&publisher.settings("")).await;
    for (place, algorithm) in [
        (0, "RS256"),
        (0, "RS384"),
        (0, "RS512"),
        (0, "PS256"),
        (0, "PS384"),
        (0, "PS512"),
        (1, "ES256"),
        (2, "ES384"),
        (3, "EdDSA"),
    ] {
        let (signer, kid) = &signers[place];
        let token = signer.token(algorithm, kid, &claims(&server, json!({})));
        let seen = accepted(&server, &token).await;
        let expected = json!({
            "credential": "TOKEN", "publisher": { "slug": "one" }, "scopes": ["READ"], "key": null,
            "token": { "issuer": ISSUER, "subject": "anna", "expiresAt": "2024-10-04T00:05:00Z" },
        });
        assert_eq!(seen, expected, "{algorithm}");
    }
    let with_key = server.data(1, WHO).await;
    assert_eq!(with_key["viewer"]["credential"], "API_KEY");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_not_told_unless_it_has_expired() {
    let (rsa, ed) = (Signer::rsa(), Signer::ed25519(1));
    let publisher = Publisher::of(&[rsa.jwk("rsa"), ed.jwk("ed")]);
    let more = "jwt_programs_claim = \"programs\"\njwt_hide_reward_claim = \"no_reward\"\n\
                jwt_unlimited_without_claim = true";
    let server = running(&publisher.settings(more)).await;
    let now = present(&server);
    let with = |more: Value| ed.token("EdDSA", "ed", &claims(&server, more));
    let good = claims(&server, json!({}));
    accepted(&server, &with(json!({}))).await;
    let tampered = {
        let token = with(json!({}));
        let mut parts = token.split('.');
        let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
        let payload = claims(&server, json!({ "publisher": "two" }));
        let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
        format!("{header}.{payload}.{signature}")
    };
    // The public key as a shared secret: who takes HS256 takes this for the issuer's.
    let shared = {
        let text = unsigned(&json!({ "alg": "HS256", "kid": "rsa" }), &good);
        let secret = rsa.jwk("rsa")["n"].as_str().unwrap().to_owned();
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&secret, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let none = unsigned(&json!({ "alg": "none", "kid": "ed" }), &good);
    let wrong = [
        ("issuer", with(json!({ "iss": "https://other.example/" }))),
        ("audience", with(json!({ "aud": "other" }))),
        ("no audience", with(json!({ "aud": null }))),
        ("not yet", with(json!({ "nbf": now + 61 }))),
        ("made later", with(json!({ "iat": now + 61 }))),
        ("no end", with(json!({ "exp": null }))),
        ("no subject", with(json!({ "sub": null }))),
        ("no publisher", with(json!({ "publisher": null }))),
        ("unknown publisher", with(json!({ "publisher": "three" }))),
        ("programs", with(json!({ "programs": "" }))),
        ("programs", with(json!({ "programs": [6115] }))),
        ("reward", with(json!({ "no_reward": "yes" }))),
        ("scope", with(json!({ "scope": 5 }))),
        ("unknown kid", ed.token("EdDSA", "other", &good)),
        ("another's kid", ed.token("EdDSA", "rsa", &good)),
        ("another's algorithm", ed.token("RS256", "ed", &good)),
        ("tampered", tampered),
        ("HS256", shared),
        ("none", format!("{none}.")),
        ("none", format!("{none}.AAAA")),
        ("huge", with(json!({ "more": "x".repeat(9_000) }))),
        ("no token", "a.b.c".to_owned()),
        ("nothing", "..".to_owned()),
    ];
    for (what, token) in &wrong {
        let told = refused(&server, token).await;
        assert_eq!(
            told,
            "The token is not accepted here. The server's log says why, under the id of this request.",
            "{what}"
        );
    }
    let token = with(json!({}));
    server.clock.advance(Duration::from_secs(359));
    accepted(&server, &token).await;
    server.clock.advance(Duration::from_secs(1));
    let told = refused(&server, &token).await;
    assert!(told.contains("has expired"), "{told}");
}

#[tokio::test]
async fn keys_are_exchanged_without_a_restart() {
    let (old, new) = (Signer::ed25519(1), Signer::ed25519(2));
    let publisher = Publisher::of(&[old.jwk("old")]);
    // Only tokens cause reads here.
    let settings = publisher.settings("");
    let seldom = settings.replace("refresh_seconds = 1\n", "refresh_seconds = 3600\n");
    let server = running(&seldom).await;
    let claims = claims(&server, json!({ "exp": present(&server) + 3_600 }));
    let with_old = old.token("EdDSA", "old", &claims);
    let with_new = new.token("EdDSA", "new", &claims);
    accepted(&server, &with_old).await;
    refused(&server, &with_new).await;
    let reads = publisher.reads();
    publisher.publish(&[new.jwk("new")]);
    // Soon after a read that an unknown key brought about, there is no other.
    refused(&server, &with_new).await;
    assert_eq!(publisher.reads(), reads);
    accepted(&server, &with_old).await;
    server.clock.advance(Duration::from_secs(30));
    accepted(&server, &with_new).await;
    assert_eq!(publisher.reads(), reads + 1);
    refused(&server, &with_old).await;
}

#[tokio::test]
async fn keys_that_are_withdrawn_end_with_the_next_read() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let server = running(&publisher.settings("")).await;
    let token = signer.token("EdDSA", "a", &claims(&server, json!({})));
    accepted(&server, &token).await;
    publisher.publish(&[]);
    publisher.read_again().await;
    refused(&server, &token).await;
}

#[tokio::test]
async fn an_issuer_that_is_down_is_trusted_for_a_while() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let server = running(&publisher.settings("jwt_stale_seconds = 600\nmetrics = \"local\"")).await;
    let lasting = claims(&server, json!({ "exp": present(&server) + 86_400 }));
    let token = signer.token("EdDSA", "a", &lasting);
    accepted(&server, &token).await;
    for (status, body) in [
        (500, "{}"),
        (404, ""),
        (200, "<html>"),
        (302, ""),
        (200, "{\"keys\": 5}"),
    ] {
        publisher.say(status, body);
        publisher.read_again().await;
        accepted(&server, &token).await;
    }
    publisher.say(200, &" ".repeat(600_000));
    publisher.read_again().await;
    accepted(&server, &token).await;
    let request = server.client.get(server.at("/metrics"));
    let metrics = request.send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("actiongraph_token_keys 1\n"), "{metrics}");
    assert!(metrics.contains("actiongraph_token_keys_reads_total{outcome=\"failed\"}"));
    server.clock.advance(Duration::from_secs(600));
    refused(&server, &token).await;
    publisher.publish(&[signer.jwk("a")]);
    publisher.read_again().await;
    accepted(&server, &token).await;
}

/// Orders of two programs, two ad spaces and three partners.
fn orders() -> String {
    let actions: Vec<Value> = (0..60)
        .map(|number| {
            json!({
                "action_id": 1_000 + number, "order_id": format!("O{number}"), "status": "approved", "currency": "USD",
                "advcampaign_id": if number % 2 == 0 { 6115 } else { 25179 },
                "advcampaign_name": if number % 2 == 0 { "AliExpress WW" } else { "AliExpress RU&CIS NEW" },
                "website_id": 501 + number % 3, "website_name": format!("Blog {}", number % 3),
                "payment": format!("{}.50", number + 1), "cart": "100.00", "subid2": format!("p{}-x", number % 3),
                "subid": format!("user{}", number % 7), "action_date": format!("2024-0{}-15 10:00:00", 7 + number % 3),
                "positions": [{ "product_id": format!("{}", 7_000 + number % 5), "product_name": "Lamp", "payment": "1.00",
                    "amount": "100.00", "product_category_id": "2" }],
            })
        })
        .collect();
    json!({ "results": actions }).to_string()
}

/// Claims, and the limits of a key that say the same.
fn alike() -> Vec<(Value, Limits)> {
    let subid = || SubidLimit {
        slot: 2,
        values: vec!["p1-x".to_owned()],
        prefixes: vec!["p2".to_owned()],
    };
    let list = |text: &str| Some(vec![text.to_owned()]);
    let august = actiongraph::domain::time::Day::parse("2024-08-01").unwrap();
    vec![
        (json!({}), Limits::default()),
        (
            json!({ "programs": ["6115"] }),
            Limits {
                programs: list("6115"),
                ..Limits::default()
            },
        ),
        (
            json!({ "spaces": "502" }),
            Limits {
                ad_spaces: list("502"),
                ..Limits::default()
            },
        ),
        (
            json!({ "subids": [{ "slot": 2, "values": ["p1-x"], "prefixes": ["p2"] }] }),
            Limits {
                subids: vec![subid()],
                ..Limits::default()
            },
        ),
        (
            json!({ "from": "2024-08-01", "days": 40, "no_keys": true }),
            Limits {
                not_before: Some(august.days()),
                last_days: Some(40),
                hide_user_keys: true,
                ..Limits::default()
            },
        ),
        (
            json!({ "no_reward": true, "scope": "read import segments" }),
            Limits {
                hide_reward: true,
                ..Limits::default()
            },
        ),
    ]
}

const EVERYTHING: &[&str] = &[
    "{ actions(first: 100) { totalCount totals { count reward { amount } } nodes { id orderId subid2 reward { amount } program { name } } } }",
    "{ actions(first: 100) { totalCount nodes { id orderId program { name } adSpace { name } } } }",
    "{ products(first: 50) { totalCount nodes { id name firstSeenAt } } users(first: 50) { totalCount nodes { id } } }",
    "{ programs { totalCount nodes { name } } adSpaces { totalCount nodes { name } } }",
    "{ topSellingProducts(range: {preset: THIS_YEAR}, by: UNITS) { totals { units } nodes { rank units share product { name } } } }",
    "{ report(range: {preset: THIS_YEAR}, groupBy: [PROGRAM]) { totals { actions } nodes { values { actions } } } }",
    "{ userSegments(range: {preset: THIS_YEAR}) { nodes { kind name size } } }",
    "{ imports { totalCount } }",
    "{ earnings(range: {preset: THIS_YEAR}) { netReward { amount } } }",
    "{ apiKeys { totalCount } }",
    "{ viewer { scopes limits { programs adSpaces subids { slot values prefixes } notBefore lastDays hidesUserKeys hidesReward } } }",
];

#[tokio::test]
async fn a_limited_token_sees_exactly_what_an_equally_limited_key_sees() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "import_directory = \"{}\"\njwt_programs_claim = \"programs\"\njwt_ad_spaces_claim = \"spaces\"\n\
         jwt_subids_claim = \"subids\"\njwt_not_before_claim = \"from\"\njwt_last_days_claim = \"days\"\n\
         jwt_hide_user_keys_claim = \"no_keys\"\njwt_hide_reward_claim = \"no_reward\"\n\
         jwt_unlimited_without_claim = true",
        folder.path().display()
    );
    let server = running(&publisher.settings(&more)).await;
    // A token that may bring data in does so.
    let importer = claims(&server, json!({ "scope": "read import" }));
    let importer = signer.token("EdDSA", "a", &importer);
    let request = server.client.post(server.at("/import?wait=true"));
    let answer = request
        .bearer_auth(importer)
        .body(orders())
        .send()
        .await
        .unwrap();
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["run"]["counts"]["inserted"], 60, "{told}");
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let mut counts = Vec::new();
    for (more, limits) in alike() {
        let token = signer.token("EdDSA", "a", &claims(&server, more));
        let terms = KeyTerms {
            limits,
            ..KeyTerms::default()
        };
        let key = who.create(&server.store, terms).await.unwrap().secret;
        for query in EVERYTHING {
            let (mut one, mut other) = (
                server.ask(&token, query).await,
                server.ask(&key, query).await,
            );
            for answer in [&mut one, &mut other] {
                assert_ne!(code(answer), Some("GRAPHQL_VALIDATION_FAILED"), "{answer}");
                // How full the bucket is belongs to the caller, and what a key lacks is told in its own words.
                answer.as_object_mut().unwrap().remove("extensions");
                if code(answer) == Some("FORBIDDEN") && query.contains("apiKeys") {
                    answer["errors"][0]["message"] = Value::Null;
                }
            }
            assert_eq!(one, other, "{query}");
            if query.starts_with("{ actions(first: 100) { totalCount nodes") {
                counts.push(one["data"]["actions"]["totalCount"].clone());
            }
        }
    }
    assert_eq!(json!(counts), json!([60, 30, 20, 40, 20, 60]));
}

/// An issuer that forgets a limit opens nothing by it, unless the settings say that it means no limit.
#[tokio::test]
async fn a_token_without_the_claim_of_a_limit_is_refused_unless_the_settings_say_otherwise() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let named = "jwt_programs_claim = \"programs\"\njwt_hide_reward_claim = \"no_reward\"\n";
    let token = |server: &Running, more: Value| signer.token("EdDSA", "a", &claims(server, more));
    let server = running(&publisher.settings(named)).await;
    let both = json!({ "programs": ["6115"], "no_reward": false });
    accepted(&server, &token(&server, both)).await;
    for more in [
        json!({}),
        json!({ "programs": ["6115"] }),
        json!({ "no_reward": true }),
    ] {
        refused(&server, &token(&server, more)).await;
    }
    let open = "jwt_unlimited_without_claim = true\n";
    let server = running(&publisher.settings(&format!("{named}{open}"))).await;
    accepted(&server, &token(&server, json!({}))).await;
    // One that must be there all the same is said by its name.
    let but_for_one = format!("{named}{open}jwt_required_claims = [\"programs\"]");
    let server = running(&publisher.settings(&but_for_one)).await;
    accepted(&server, &token(&server, json!({ "programs": "6115" }))).await;
    refused(&server, &token(&server, json!({ "no_reward": true }))).await;
}

#[tokio::test]
async fn a_token_that_says_that_it_is_something_else_is_refused() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let server = running(&publisher.settings("")).await;
    let token =
        |kind: Value| signer.token_of_kind(&kind, ("EdDSA", "a"), &claims(&server, json!({})));
    for kind in [
        json!(null),
        json!("at+jwt"),
        json!("JWT"),
        json!("application/AT+JWT"),
    ] {
        accepted(&server, &token(kind)).await;
    }
    for kind in [json!("logout+jwt"), json!("dpop+jwt"), json!(""), json!(5)] {
        refused(&server, &token(kind)).await;
    }
}

#[tokio::test]
async fn a_token_does_what_its_scopes_and_the_settings_allow() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let make = "mutation { createApiKey(input: {label: \"x\"}) { secret userErrors { message } } }";
    let token = |server: &Running, scope: Value| {
        signer.token("EdDSA", "a", &claims(server, json!({ "scope": scope })))
    };
    let server = running(&publisher.settings("")).await;
    for scope in [
        json!(null),
        json!("openid"),
        json!("segments"),
        json!("admin"),
    ] {
        let answer = server.ask(&token(&server, scope.clone()), WHO).await;
        assert_eq!(code(&answer), Some("FORBIDDEN"), "{scope}: {answer}");
    }
    let answer = server.ask(&token(&server, json!("read admin")), make).await;
    assert_eq!(code(&answer), Some("FORBIDDEN"), "{answer}");
    let told = answer["errors"][0]["message"].as_str().unwrap();
    assert!(told.starts_with("This token"), "{told}");

    let more = "jwt_allow_admin = true\njwt_scope_prefix = \"ag:\"";
    let server = running(&publisher.settings(more)).await;
    let answer = server.ask(&token(&server, json!("read admin")), WHO).await;
    assert_eq!(code(&answer), Some("FORBIDDEN"), "{answer}");
    let admin = token(&server, json!(["ag:read", "ag:admin"]));
    let answer = server.ask(&admin, make).await;
    assert!(
        answer["data"]["createApiKey"]["secret"].is_string(),
        "{answer}"
    );
    let trail = server
        .ask(&admin, "{ auditTrail { nodes { actor act } } }")
        .await;
    let nodes = trail["data"]["auditTrail"]["nodes"].as_array().unwrap();
    let actor = format!("anna (token of {ISSUER})");
    assert!(
        nodes.iter().any(|entry| entry["actor"] == actor.as_str()),
        "{trail}"
    );
}

#[tokio::test]
async fn a_budget_is_that_of_the_subject_whatever_the_token() {
    let signer = Signer::ed25519(1);
    let publisher = Publisher::of(&[signer.jwk("a")]);
    let server = running(&publisher.settings("jwt_budget_claim = \"budget\"")).await;
    let token = |subject: &str, number: i64| {
        let budget = json!({ "capacity": 140, "refill": 10 });
        let more = json!({ "sub": subject, "jti": number, "budget": budget });
        signer.token("EdDSA", "a", &claims(&server, more))
    };
    let query = "{ actions(first: 40) { nodes { id } } }";
    let mut told = Vec::new();
    while told.len() < 60 && told.last().is_none_or(|code| code == "OK") {
        let number = i64::try_from(told.len()).unwrap();
        let answer = server.ask(&token("anna", number), query).await;
        told.push(code(&answer).unwrap_or("OK").to_owned());
    }
    assert!(told.len() > 1, "{told:?}");
    assert_eq!(
        told.last().map(String::as_str),
        Some("RATE_LIMITED"),
        "{told:?}"
    );
    let answer = server.ask(&token("boris", 0), query).await;
    assert_eq!(code(&answer), None, "{answer}");
}

#[tokio::test]
async fn a_server_without_an_issuer_takes_no_tokens() {
    let signer = Signer::ed25519(1);
    let server = running("").await;
    let token = signer.token("EdDSA", "a", &claims(&server, json!({})));
    let request = server.client.post(server.at("/graphql")).bearer_auth(token);
    let answer = request.json(&json!({ "query": WHO })).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    assert_eq!(
        answer.headers()["www-authenticate"],
        "Bearer realm=\"actiongraph\""
    );
}

#[tokio::test]
async fn keys_come_from_a_file_as_well() {
    let (old, new) = (Signer::ed25519(1), Signer::ed25519(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let publish =
        |keys: &[Value]| std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    publish(&[old.jwk("old")]);
    let server = running(&format!(
        "jwt_issuer = \"{ISSUER}\"\njwt_audiences = [\"actiongraph\"]\njwt_keys_file = \"{}\"\n",
        path.display()
    ))
    .await;
    accepted(
        &server,
        &old.token("EdDSA", "old", &claims(&server, json!({}))),
    )
    .await;
    publish(&[new.jwk("new")]);
    // The first token may have been there before the first read, and have brought one about.
    server.clock.advance(Duration::from_secs(30));
    accepted(
        &server,
        &new.token("EdDSA", "new", &claims(&server, json!({}))),
    )
    .await;
}
