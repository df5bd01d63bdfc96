//! The log of a server as a process of its own: what it says, and what stands in none of its lines.

use crate::support::client::client;
use crate::support::fresh_url;
use crate::support::process::serve;
use crate::support::server::{key_of, secret};
use actiongraph::access::documents::sha256;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::store::{Store, publishers};
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use std::time::Duration;

const QUERY: &str = "{ viewer { publisher { slug } } }";

/// A database with a publisher, a key of it that reads, and a secret for its postbacks.
async fn place() -> (String, String, String) {
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let now = Instant::parse_rfc3339("2026-03-01T00:00:00Z").unwrap();
    let publisher = publishers::create(&store, "one", "one", Zone::UTC, Currency::USD, now)
        .await
        .unwrap();
    let key = key_of(&store, &publisher, &[KeyScope::Read], now).await;
    let secret = secret(&store, &publisher, None, now).await;
    store.close().await;
    (url, key, secret)
}

fn patient() -> Client {
    let wait = Duration::from_secs(60);
    client().timeout(wait).build().unwrap()
}

/// The status of an answer, and the reference under which the log has its request.
async fn sent(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let reference = answer.headers()["x-request-id"].to_str().unwrap();
    (answer.status().as_u16(), reference.to_owned())
}

/// A secret of the same public part that opens nothing.
fn wrong(secret: &str, ending: &str) -> String {
    format!("{}{ending}", &secret[..secret.len() - ending.len()])
}

/// How a name and a password begin that are sent as `me` and whatever.
const BASIC: &str = "bWU6";

#[track_caller]
fn assert_hides(log: &str, hidden: &str) {
    let lines = log.lines().filter(|line| line.contains(hidden));
    let found: Vec<&str> = lines.take(3).collect();
    assert!(found.is_empty(), "{hidden}: {found:#?}");
}

#[tokio::test]
async fn no_secret_stands_in_the_most_talkative_log() {
    let (url, key, secret) = place().await;
    let server = serve(&url, &[("ACTIONGRAPH_LOG", "trace")]);
    let client = patient();
    let get = |path: &str| client.get(format!("http://{}{path}", server.address));
    let (no_key, no_secret) = ("NobodysKeyNobodysKey", "NobodysDoorNobodysDr");
    let (wrong_key, wrong_secret) = (wrong(&key, no_key), wrong(&secret, no_secret));
    let asks = || {
        let address = format!("http://{}/graphql", server.address);
        client.post(address).json(&json!({ "query": QUERY }))
    };
    let query = [("query", "{ whisperedAlias: __typename }")];
    let postback = |secret: &str| format!("/postback/{secret}?admitad_id=7&payment_status=x");
    let requests = [
        (asks().bearer_auth(&key), Some(200)),
        (asks().bearer_auth(&wrong_key), Some(401)),
        (asks().bearer_auth("ag_short_MalformedKey!"), Some(401)),
        (
            asks().bearer_auth("eyJhbGciOiJub25lIn0.MalformedToken."),
            Some(401),
        ),
        (
            asks().header("authorization", "Bearer  Two MalformedWords"),
            Some(401),
        ),
        (asks().basic_auth("me", Some(&key)), Some(401)),
        (get("/graphql").query(&query).bearer_auth(&key), Some(200)),
        (get("/graphql").query(&query), Some(401)),
        (get("/graphql").query(&[("key", &key)]), Some(401)),
        (
            get("/graphql")
                .query(&[("access_token", &key)])
                .bearer_auth(&key),
            None,
        ),
        (
            get("/traffic-targets.csv")
                .query(&[("key", &key)])
                .bearer_auth(&key),
            Some(400),
        ),
        (get(&format!("/{key}")), Some(404)),
        (get(&postback(&secret)), Some(200)),
        (get(&postback(&wrong_secret)), Some(404)),
        // What is no text, and what is no door.
        (get(&format!("/postback/{secret}%FF")), Some(404)),
        (get(&format!("/postback/{secret}/x")), Some(404)),
        (
            client.put(format!("http://{}/postback/{secret}", server.address)),
            None,
        ),
    ];
    let mut references = Vec::new();
    for (place, (request, status)) in requests.into_iter().enumerate() {
        let (told, reference) = sent(request).await;
        assert!(
            status.is_none_or(|status| status == told),
            "{place}: {told}"
        );
        references.push(reference);
    }
    let log = server.log_with(&references).await;
    assert!(log.contains("TRACE"), "it is as talkative as it can be");
    for hidden in [
        &key[12..],
        // What comes behind the public part.
        &secret[secret.len() - no_secret.len()..],
        no_key,
        no_secret,
        "MalformedKey",
        "MalformedToken",
        "MalformedWords",
        "whisperedAlias",
        BASIC,
    ] {
        assert_hides(&log, hidden);
    }
}

#[tokio::test]
async fn a_document_that_is_not_trusted_is_named_by_its_hash() {
    let (url, key, _) = place().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    std::fs::write(&file, json!({ sha256(QUERY): QUERY }).to_string()).unwrap();
    let file = file.display().to_string();
    let settings = [
        ("ACTIONGRAPH_TRUSTED_DOCUMENTS", file.as_str()),
        ("ACTIONGRAPH_TRUSTED_DOCUMENTS_MODE", "log"),
    ];
    let server = serve(&url, &settings);
    let client = patient();
    let ask = async |query: &str| {
        let address = format!("http://{}/graphql", server.address);
        let request = client.post(address).bearer_auth(&key);
        let (status, reference) = sent(request.json(&json!({ "query": query }))).await;
        assert_eq!(status, 200, "{query}");
        reference
    };
    let other = "query Stranger { __typename }";
    let (known, unknown) = (ask(QUERY).await, ask(other).await);
    let log = server.log_with(&[known.clone(), unknown.clone()]).await;
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a document that is not trusted runs"))
        .collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("WARN"), "{log}");
    assert!(warnings[0].contains(&sha256(other)), "{log}");
    assert!(warnings[0].contains(&unknown), "{log}");
    assert!(
        !log.contains("__typename"),
        "documents stand in no line: {log}"
    );
    assert!(!warnings[0].contains(&known), "{log}");
}
