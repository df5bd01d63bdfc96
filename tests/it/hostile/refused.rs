//! What is refused is refused before it costs much: a public key may send as many of these as it likes.

use std::net::SocketAddr;
use std::time::Duration;

use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::store::{Store, publishers};
use serde_json::{Value, json};

use super::{Named, Target, bodies, checked, documents, query, raw, with_body};
use crate::support::fresh_url;
use crate::support::process::{Process, serve};
use crate::support::server::key_of;
use crate::support::usage::Usage;

/// How much memory a request that is refused may take before it is, in bytes.
const READING: u64 = 32 << 20;

/// How long one may keep processors busy before it is refused, in a build with optimizations.
const COMPUTING: Duration = Duration::from_millis(100);

/// How many times as long the same work takes here. Tests are built without optimizations, which makes reading a document or
/// a body about ten times slower (every step through an iterator is a call); with them there is nothing to allow for.
const SLOWER: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

/// How often what seems too dear is asked in all.
const TRIES: usize = 3;

/// A server in a process of its own, as people run it: nothing else is counted with it.
pub(super) struct Alone {
    process: Process,
    key: String,
}

impl Target for Alone {
    fn address(&self) -> SocketAddr {
        self.process.address.parse().unwrap()
    }

    fn key(&self) -> &str {
        &self.key
    }
}

/// One with these settings, and a key of everything.
pub(super) async fn alone(settings: &[(&str, &str)]) -> Alone {
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let now = Instant::parse_rfc3339("2026-03-01T00:00:00Z").unwrap();
    let publisher = publishers::create(&store, "one", "one", Zone::UTC, Currency::USD, now)
        .await
        .unwrap();
    let key = key_of(&store, &publisher, KeyScope::ALL, now).await;
    store.close().await;
    // Whether an answer is right does not depend on what else the machine does.
    let mut all = vec![
        ("ACTIONGRAPH_BUDGET_CAPACITY", "0"),
        ("ACTIONGRAPH_STATEMENT_DEADLINE_MS", "60000"),
        ("ACTIONGRAPH_REQUEST_DEADLINE_MS", "60000"),
    ];
    all.extend_from_slice(settings);
    let process = serve(&url, &all);
    Alone { process, key }
}

/// What a request cost, and what it was answered.
struct Cost {
    name: String,
    bytes: u64,
    time: Duration,
    answer: Value,
}

impl Cost {
    fn is_refused(&self) -> bool {
        self.answer["errors"].is_array()
    }
}

/// Sends each request after one that is well, which has to go on being answered.
fn costs(server: &Alone, requests: &Named<Vec<u8>>) -> Vec<Cost> {
    let usage = Usage::of(server.process.id());
    let healthy = with_body(server, &query("{ viewer { publisher { slug } } }"));
    let works = |after: &str| {
        let (status, body) = checked(after, &raw(server, &healthy));
        assert_eq!(status, 200, "after {after}");
        let slug = &body["data"]["viewer"]["publisher"]["slug"];
        assert_eq!(slug, "one", "after {after}");
    };
    // What is kept for good is touched first.
    works("nothing");
    let cost = |(name, body): &(String, Vec<u8>)| {
        let request = with_body(server, body);
        let once = || {
            let before = usage.computed();
            let mut answer = Value::Null;
            let bytes = usage.peak_of(|| answer = checked(name, &raw(server, &request)).1);
            let time = usage.computed().saturating_sub(before);
            works(name);
            Cost {
                name: name.clone(),
                bytes,
                time,
                answer,
            }
        };
        let mut cost = once();
        // Neighbours make the same work dearer: what is too dear has to be so each time.
        for _ in 1..TRIES {
            if cost.is_refused() && cost.time > COMPUTING * SLOWER {
                let again = once();
                cost.time = cost.time.min(again.time);
                cost.bytes = cost.bytes.max(again.bytes);
            }
        }
        cost
    };
    requests.iter().map(cost).collect()
}

/// Tells the dearest, and asserts that none of them is too dear.
#[expect(
    clippy::print_stderr,
    reason = "figures for people, which nextest shows on request"
)]
fn assert_cheap(mut costs: Vec<Cost>) {
    let most = COMPUTING * SLOWER;
    costs.sort_by_key(|cost| (cost.time, cost.bytes));
    for cost in costs.iter().rev().take(5) {
        eprintln!(
            "hostile {}: refused after {:?} of {most:?}, with {} KiB of {} KiB",
            cost.name,
            cost.time,
            cost.bytes >> 10,
            READING >> 10
        );
    }
    let most_bytes = costs.iter().map(|cost| cost.bytes).max();
    eprintln!("hostile: {} KiB at most", most_bytes.unwrap_or(0) >> 10);
    for cost in &costs {
        assert!(cost.bytes <= READING, "{}: {} bytes", cost.name, cost.bytes);
        assert!(cost.time <= most, "{}: {:?}", cost.name, cost.time);
    }
}

/// Requests of moderate size that ask for much work before they can be refused.
fn dear_to_read() -> Named<Vec<u8>> {
    let comments = vec![json!({ "comment": {} }); 16_000];
    let filtered = "query($f: ActionFilter) { actions(filter: $f) { totalCount } }";
    let written = format!(
        "{{ actions(filter: {{ and: [{}] }}) {{ totalCount }} }}",
        "{ comment: {} } ".repeat(800)
    );
    let counted: String = (0..20)
        .map(|n| format!("a{n}: actions(filter: $f) {{ totalCount }} "))
        .collect();
    let whole = "types { fields { name description args { name description type { name } } \
                 type { fields { name args { name } } ofType { name } } } }";
    let schemas: String = (0..20)
        .map(|n| format!("a{n}: __schema {{ {whole} }} "))
        .collect();
    let undeclared = vec![json!({ "": 0 }); 120_000];
    let sent = |query: &str, variables: Value| {
        json!({ "query": query, "variables": variables })
            .to_string()
            .into_bytes()
    };
    vec![
        (
            "16,000 priced conditions".to_owned(),
            sent(filtered, json!({ "f": { "and": comments } })),
        ),
        (
            "800 priced conditions as written".to_owned(),
            query(&written),
        ),
        (
            "a large filter of 20 fields".to_owned(),
            sent(
                &format!("query($f: ActionFilter) {{ {counted} }}"),
                json!({ "f": { "and": &comments[..1_000] } }),
            ),
        ),
        (
            "the schema twenty times".to_owned(),
            query(&format!("{{ {schemas} }}")),
        ),
        (
            "variables that are not declared".to_owned(),
            sent("{ viewer { scopes } }", json!({ "x": undeclared })),
        ),
    ]
}

mod heavy {
    use super::*;

    #[tokio::test]
    async fn hostile_documents_are_refused_before_they_cost_much() {
        let server = alone(&[]).await;
        let requests: Named<Vec<u8>> = documents().into_iter().chain(bodies()).collect();
        let mut costs = costs(&server, &requests);
        costs.retain(Cost::is_refused);
        assert!(costs.len() * 2 > requests.len(), "{} of them", costs.len());
        assert_cheap(costs);
    }

    #[tokio::test]
    async fn requests_that_ask_for_much_are_refused_before_they_cost_much() {
        let server = alone(&[]).await;
        let costs = costs(&server, &dear_to_read());
        for cost in &costs {
            let code = cost.answer["errors"][0]["extensions"]["code"].as_str();
            let is_limit = ["LIMIT_EXCEEDED", "COST_EXCEEDED"].contains(&code.unwrap_or_default());
            assert!(is_limit, "{}: {}", cost.name, cost.answer);
        }
        assert_cheap(costs);
    }
}
