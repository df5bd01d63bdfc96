//! API keys from outside: made, limited, rotated and revoked over the API and on the command line, and the trail of it.

use crate::support::server::{Running, key_of, running};
use actiongraph::access::keys::Administrator;
use actiongraph::access::{Keyring, REMEMBERED, key};
use actiongraph::domain::error::Code;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::limits::Limits;
use actiongraph::domain::scope::KeyScope;
use actiongraph::store::Recorder;
use actiongraph::store::keys::Changed;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const WHO: &str =
    "{ viewer { key { prefix label } scopes limits { lastDays hidesReward adSpaces } } }";

fn code(answer: &Value) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

async fn admin(server: &Running) -> String {
    let scopes = [KeyScope::Read, KeyScope::Admin];
    key_of(&server.store, &server.publishers[0], &scopes, server.now()).await
}

/// The payload of a mutation.
async fn done(server: &Running, key: &str, field: &str, call: &str, below: &str) -> Value {
    let query =
        format!("mutation {{ {field}({call}) {{ {below} userErrors {{ field code message }} }} }}");
    let answer = server.ask(key, &query).await;
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    answer["data"][field].clone()
}

fn prefix(secret: &str) -> &str {
    &secret[3..11]
}

#[tokio::test]
async fn an_administrator_makes_a_key_that_does_what_was_decided() {
    let server = running("").await;
    let admin = admin(&server).await;
    let made = done(
        &server,
        &admin,
        "createApiKey",
        "input: {label: \"partner\", limits: {adSpaces: [\"501\"], lastDays: 30, hideReward: true}, \
         budget: {capacity: 5000, refill: 50}, introspection: false, expiresAt: \"2099-01-01T00:00:00Z\"}",
        "secret apiKey { prefix label scopes isActive expiresAt lastUsedAt budget { capacity refill } introspection \
         limits { adSpaces lastDays hidesReward hidesUserKeys } }",
    )
    .await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(made["apiKey"]["prefix"], prefix(secret));
    assert_eq!(made["apiKey"]["scopes"], json!(["READ"]));
    assert_eq!(
        made["apiKey"]["budget"],
        json!({ "capacity": 5000, "refill": 50 })
    );
    let who = server.ask(secret, WHO).await;
    assert_eq!(
        who["data"]["viewer"],
        json!({
            "key": { "prefix": prefix(secret), "label": "partner" },
            "scopes": ["READ"],
            "limits": { "lastDays": 30, "hidesReward": true, "adSpaces": ["501"] },
        })
    );
    // It reads and nothing else, and what cannot be divided is not for it.
    for query in [
        "{ apiKeys { nodes { prefix } } }",
        "{ auditTrail { nodes { act } } }",
        "{ imports { nodes { id } } }",
    ] {
        assert_eq!(
            code(&server.ask(secret, query).await),
            Some("FORBIDDEN"),
            "{query}"
        );
    }
    let more = "mutation { createApiKey(input: {}) { secret } }";
    assert_eq!(code(&server.ask(secret, more).await), Some("FORBIDDEN"));
    // The secret is told this once: neither the list nor the trail has it.
    let listed = server
        .ask(&admin, "{ apiKeys { totalCount nodes { prefix label scopes } } auditTrail { totalCount nodes { actor act subject detail address } } }")
        .await;
    let text = listed.to_string();
    assert!(!text.contains(&secret[12..]), "{text}");
    let trail = listed["data"]["auditTrail"]["nodes"].as_array().unwrap();
    // Entries of one moment have no order.
    let entry = trail
        .iter()
        .find(|entry| entry["subject"] == prefix(secret))
        .unwrap();
    assert_eq!(entry["act"], "KEY_CREATED");
    assert_eq!(entry["address"], "127.0.0.1");
    assert!(entry["actor"].as_str().unwrap().contains(prefix(&admin)));
    let detail = entry["detail"].as_str().unwrap();
    assert!(detail.contains("ad spaces: 501"), "{detail}");
    // Nobody sees another publisher's keys.
    let other = server
        .ask(
            &server.keys[1],
            "{ apiKeys { nodes { prefix } } auditTrail { nodes { subject } } }",
        )
        .await;
    assert!(!other.to_string().contains(prefix(secret)), "{other}");
}

#[tokio::test]
async fn a_wrong_input_is_named() {
    let server = running("").await;
    let admin = admin(&server).await;
    for (input, field) in [
        ("{limits: {subids: [{slot: 7, values: [\"a\"]}]}}", "limits"),
        (
            "{limits: {subids: [{slot: -1, values: [\"a\"]}]}}",
            "limits",
        ),
        ("{limits: {programs: []}}", "limits"),
        ("{limits: {lastDays: 0}}", "limits"),
        ("{limits: {lastDays: -3}}", "limits"),
        ("{scopes: []}", "scopes"),
        ("{scopes: [READ, ADMIN], limits: {lastDays: 3}}", "scopes"),
        ("{budget: {capacity: 0, refill: 1}}", "budget"),
        ("{expiresAt: \"1999-01-01T00:00:00Z\"}", "expiresAt"),
    ] {
        let made = done(
            &server,
            &admin,
            "createApiKey",
            &format!("input: {input}"),
            "secret",
        )
        .await;
        assert_eq!(made["secret"], Value::Null);
        assert_eq!(
            made["userErrors"][0]["field"],
            json!(["input", field]),
            "{input}"
        );
        assert_eq!(made["userErrors"][0]["code"], "BAD_USER_INPUT");
    }
    let missing = done(
        &server,
        &admin,
        "revokeApiKey",
        "key: \"nonesuch\"",
        "apiKey { prefix }",
    )
    .await;
    assert_eq!(missing["userErrors"][0]["code"], "NOT_FOUND");
    // A key of another publisher is as if there were none.
    let foreign = prefix(&server.keys[1]);
    let missing = done(
        &server,
        &admin,
        "revokeApiKey",
        &format!("key: \"{foreign}\""),
        "apiKey { prefix }",
    )
    .await;
    assert_eq!(missing["userErrors"][0]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn both_secrets_open_until_the_old_one_ends() {
    let server = running("").await;
    let admin = admin(&server).await;
    let scopes = [KeyScope::Read];
    let old = key_of(&server.store, &server.publishers[0], &scopes, server.now()).await;
    assert_eq!(code(&server.ask(&old, WHO).await), None);
    let call = format!("key: \"{}\", keepHours: 2", prefix(&old));
    let rotated = done(
        &server,
        &admin,
        "rotateApiKey",
        &call,
        "secret apiKey { prefix oldSecretUntil }",
    )
    .await;
    let new = rotated["secret"].as_str().unwrap();
    assert_eq!(prefix(new), prefix(&old));
    assert_ne!(new, old);
    for secret in [&old, new] {
        assert_eq!(code(&server.ask(secret, WHO).await), None);
    }
    server.clock.advance(Duration::from_secs(2 * 3_600 - 1));
    assert_eq!(code(&server.ask(&old, WHO).await), None);
    // It ends to the second, also where it was recognised just before.
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&server.ask(&old, WHO).await), Some("UNAUTHENTICATED"));
    assert_eq!(code(&server.ask(new, WHO).await), None);
    let long = format!("key: \"{}\", keepHours: 721", prefix(new));
    let refused = done(&server, &admin, "rotateApiKey", &long, "secret").await;
    assert_eq!(refused["userErrors"][0]["field"], json!(["keepHours"]));
}

/// What a scalar does not take is found before anything is done: nothing is committed of which the answer is lost.
#[tokio::test]
async fn a_mutation_with_a_wrong_value_does_nothing_at_all() {
    let server = running("").await;
    let admin = admin(&server).await;
    let scopes = [KeyScope::Read];
    let old = key_of(&server.store, &server.publishers[0], &scopes, server.now()).await;
    let query = |variables: &str, wrong: &str| {
        format!(
            "mutation{variables} {{ a: rotateApiKey(key: \"{}\", keepHours: 0) {{ secret }} \
             b: createApiKey(input: {{label: \"b\", scopes: [READ], expiresAt: {wrong}}}) {{ secret }} }}",
            prefix(&old)
        )
    };
    for (query, variables) in [
        (query("", "\"x\""), json!({})),
        (query("($at: DateTime)", "$at"), json!({ "at": "x" })),
    ] {
        let request = server
            .client
            .post(server.at("/graphql"))
            .bearer_auth(&admin);
        let body = json!({ "query": query, "variables": variables });
        let answer = request.json(&body).send().await.unwrap();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told.get("data"), None, "{told:#}");
        let extensions = &told["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "BAD_USER_INPUT", "{told:#}");
        assert_eq!(extensions["argument"], "input", "{told:#}");
        assert_eq!(
            extensions["coordinate"], "Mutation.createApiKey(input:)",
            "{told:#}"
        );
    }
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(
        code(&server.ask(&old, WHO).await),
        None,
        "it was not rotated"
    );
}

/// Whoever sends a wrong key or secret again and again does not reach the database each time.
#[tokio::test]
async fn what_opens_nothing_is_remembered_for_a_while() {
    let server = running("").await;
    let recorder = Recorder::default();
    let keyring = Keyring::new(server.store.recorded(&recorder));
    let wrong = format!("{}x", &server.keys[0][..server.keys[0].len() - 1]);
    let wrong = if wrong == server.keys[0] {
        wrong.replace('x', "y")
    } else {
        wrong
    };
    let (elapsed, now) = (server.clock.elapsed(), server.now());
    let tried = |elapsed| {
        let (keyring, wrong, recorder) = (&keyring, &wrong, &recorder);
        async move {
            assert!(keyring.authenticate(wrong, elapsed, now).await.is_err());
            assert_eq!(keyring.postback(wrong, elapsed).await.unwrap(), None);
            recorder.take().len()
        }
    };
    assert_eq!(tried(elapsed).await, 2);
    assert_eq!(tried(elapsed).await, 0);
    assert_eq!(tried(elapsed + REMEMBERED).await, 2);
    // One door knows nothing of what another refused.
    assert!(
        keyring
            .postback(&server.keys[0], elapsed)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        keyring
            .authenticate(&server.keys[0], elapsed, now)
            .await
            .is_ok()
    );
}

/// Of keys that nobody has, anybody can send any number: they wait for each other, and no good key waits for them.
#[tokio::test]
async fn keys_that_are_made_up_take_nothing_from_those_that_are_good() {
    const MANY: usize = 600;
    let server = running("").await;
    let keyring = Keyring::new(server.store.clone());
    let (elapsed, now) = (server.clock.elapsed(), server.now());
    let good = &server.keys[0];
    keyring.authenticate(good, elapsed, now).await.unwrap();
    let made_up: Vec<String> = (0..MANY).map(|_| key::make().unwrap().secret).collect();
    let told = made_up
        .iter()
        .map(|secret| keyring.authenticate(secret, elapsed, now));
    // It is looked up again, beside all of them.
    let again = keyring.authenticate(good, elapsed + REMEMBERED, now);
    let (told, again) = futures::join!(futures::future::join_all(told), again);
    assert!(again.is_ok());
    let codes: Vec<Code> = told
        .into_iter()
        .map(|one| one.unwrap_err().code())
        .collect();
    let count = |code| codes.iter().filter(|one| **one == code).count();
    assert!(count(Code::ServiceUnavailable) > 0, "the line is short");
    assert!(count(Code::Unauthenticated) > 100);
    let both = count(Code::ServiceUnavailable) + count(Code::Unauthenticated);
    assert_eq!(both, MANY, "{codes:?}");
    // Who is sent away comes back.
    let mut refused = 0;
    for secret in &made_up {
        let told = keyring.authenticate(secret, elapsed, now).await;
        refused += usize::from(told.unwrap_err().code() == Code::Unauthenticated);
    }
    assert_eq!(refused, MANY);
}

#[tokio::test]
async fn a_revoked_or_changed_key_is_so_everywhere_within_five_seconds() {
    let server = running("").await;
    assert!(REMEMBERED < Duration::from_secs(5));
    let admin = admin(&server).await;
    let secret = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read],
        server.now(),
    )
    .await;
    let clock = &server.clock;
    // Another server, which remembers for itself.
    let elsewhere = Keyring::new(server.store.clone());
    let there = || elsewhere.authenticate(&secret, clock.elapsed(), server.now());
    assert!(there().await.is_ok());
    assert_eq!(
        code(&server.ask(&secret, "{ imports { totalCount } }").await),
        None
    );

    let call = format!(
        "key: \"{}\", input: {{limits: {{lastDays: 3}}}}",
        prefix(&secret)
    );
    done(
        &server,
        &admin,
        "updateApiKey",
        &call,
        "apiKey { limits { lastDays } }",
    )
    .await;
    clock.advance(REMEMBERED);
    assert_eq!(
        code(&server.ask(&secret, "{ imports { totalCount } }").await),
        Some("FORBIDDEN")
    );

    let call = format!("key: \"{}\"", prefix(&secret));
    let revoked = done(
        &server,
        &admin,
        "revokeApiKey",
        &call,
        "apiKey { isActive revokedAt }",
    )
    .await;
    assert_eq!(revoked["apiKey"]["isActive"], false);
    clock.advance(REMEMBERED);
    assert_eq!(there().await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        code(&server.ask(&secret, WHO).await),
        Some("UNAUTHENTICATED")
    );
    let again = done(&server, &admin, "revokeApiKey", &call, "apiKey { prefix }").await;
    assert_eq!(again["userErrors"][0]["code"], "CONFLICT");
}

/// The body of a mutation comes slowly: by its end the key is revoked.
#[tokio::test]
async fn a_key_that_is_revoked_while_its_body_comes_changes_nothing() {
    let server = running("").await;
    let secret = admin(&server).await;
    assert_eq!(code(&server.ask(&secret, WHO).await), None);
    let body = json!({ "query": "mutation { createApiKey(input: {label: \"late\"}) { secret } }" });
    let body = body.to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    // The connection is warm: it has been served before.
    write!(stream, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut alive = Vec::new();
    while !alive.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        alive.extend(byte);
    }
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    )
    .unwrap();
    // Nothing tells from outside that its head was read. Where it was not, the key is refused all the same.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let call = format!("key: \"{}\"", prefix(&secret));
    let revoked = done(
        &server,
        &server.keys[0],
        "revokeApiKey",
        &call,
        "apiKey { isActive }",
    )
    .await;
    assert_eq!(revoked["apiKey"]["isActive"], false);
    server.clock.advance(REMEMBERED);
    stream.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let keys = server
        .ask(&server.keys[0], "{ apiKeys { nodes { label } } }")
        .await;
    assert!(!keys.to_string().contains("late"), "{keys}");
}

#[tokio::test]
async fn an_expired_key_opens_nothing_to_the_microsecond() {
    let server = running("").await;
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let end = server.now().micros() + 1_000_000;
    let terms = KeyTerms {
        expires_at: Some(actiongraph::domain::time::Instant::from_micros(end).unwrap()),
        ..KeyTerms::default()
    };
    let secret = who.create(&server.store, terms).await.unwrap().secret;
    assert_eq!(code(&server.ask(&secret, WHO).await), None);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        code(&server.ask(&secret, WHO).await),
        Some("UNAUTHENTICATED")
    );
}

#[tokio::test]
async fn the_last_administrator_is_told_before_the_door_closes() {
    let server = running("").await;
    // The key of the publisher administers, too.
    let first = &server.keys[0];
    let second = admin(&server).await;
    let revoke = |key: &str, more: &str| format!("key: \"{}\"{more}", prefix(key));
    let done_with = |key: String, call: String| {
        let server = &server;
        async move { done(server, &key, "revokeApiKey", &call, "apiKey { prefix }").await }
    };
    let gone = done_with(second.clone(), revoke(first, "")).await;
    assert_eq!(gone["userErrors"], json!([]));
    let refused = done_with(second.clone(), revoke(&second, "")).await;
    assert_eq!(refused["userErrors"][0]["code"], "CONFLICT");
    assert_eq!(refused["userErrors"][0]["field"], json!(["force"]));
    let demoted = format!("key: \"{}\", input: {{scopes: [READ]}}", prefix(&second));
    let refused = done(
        &server,
        &second,
        "updateApiKey",
        &demoted,
        "apiKey { prefix }",
    )
    .await;
    assert_eq!(refused["userErrors"][0]["code"], "CONFLICT");
    let forced = done_with(second.clone(), revoke(&second, ", force: true")).await;
    assert_eq!(forced["userErrors"], json!([]));
}

#[tokio::test]
async fn the_last_use_is_noted_beside_the_answering() {
    let server = running("").await;
    let keyring = Keyring::new(server.store.clone());
    let secret = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read],
        server.now(),
    )
    .await;
    let (elapsed, now) = (server.clock.elapsed(), server.now());
    keyring.authenticate(&secret, elapsed, now).await.unwrap();
    let who = Administrator::command_line(server.publishers[0].id, now);
    let found = || async {
        who.find(&server.store, prefix(&secret))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(found().await.last_used_at, None);
    keyring.write_uses().await.unwrap();
    assert_eq!(found().await.last_used_at, Some(now));
}

#[tokio::test]
async fn how_reports_are_answered_is_for_administrators() {
    let server = running("").await;
    let reader = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read],
        server.now(),
    )
    .await;
    let query =
        "{ report(range: {preset: TODAY}) { nodes { values { actions } } info { explain } } }";
    assert_eq!(code(&server.ask(&reader, query).await), Some("FORBIDDEN"));
    assert_eq!(code(&server.ask(&admin(&server).await, query).await), None);
}

#[tokio::test]
async fn a_change_made_from_terms_of_yesterday_changes_nothing() {
    let server = running("").await;
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let made = who
        .create(&server.store, KeyTerms::default())
        .await
        .unwrap();
    let limited = KeyTerms {
        limits: Limits {
            last_days: Some(3),
            ..Limits::default()
        },
        ..made.key.terms.clone()
    };
    let change = async |terms: &KeyTerms| {
        let changed = who.update(&server.store, &made.key, terms, false).await;
        changed.unwrap()
    };
    assert_eq!(change(&limited).await, Changed::Done);
    // Whoever looked at the key before, and wants another label, does not take the limits away.
    let labelled = KeyTerms {
        label: "partner".to_owned(),
        ..made.key.terms.clone()
    };
    assert_eq!(change(&labelled).await, Changed::Meanwhile);
    let found = who.find(&server.store, prefix(&made.secret)).await.unwrap();
    assert_eq!(found.unwrap().terms, limited);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_administrators_do_not_lock_each_other_out() {
    let server = running("").await;
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let terms = KeyTerms {
        scopes: vec![KeyScope::Read, KeyScope::Admin],
        ..KeyTerms::default()
    };
    let mut last = who
        .find(&server.store, prefix(&server.keys[0]))
        .await
        .unwrap()
        .unwrap();
    for _ in 0..8 {
        let next = who.create(&server.store, terms.clone()).await.unwrap().key;
        let (one, other) = tokio::join!(
            who.revoke(&server.store, &last, false),
            who.revoke(&server.store, &next, false)
        );
        let mut both = [one.unwrap(), other.unwrap()];
        if both[0] == Changed::Done {
            last = next;
        }
        both.sort_by_key(|changed| *changed != Changed::Done);
        assert_eq!(both, [Changed::Done, Changed::LastAdmin]);
    }
}
