//! GraphQL over HTTP as a client sees it, through a real port: methods, media types, statuses, keys, limits, headers.
//!
//! Not here: what operations mean, and the audit of the npm package `graphql-http` (tests/node).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actiongraph::access::key;
use actiongraph::access::keys::Administrator;
use actiongraph::app::{App, Parts, listen};
use actiongraph::clock::Clock;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::{KeyScope, Publisher};
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::settings::{Raw, Settings};
use actiongraph::store::keys::Changed;
use actiongraph::store::{Store, publishers};
use actiongraph::telemetry::Metrics;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::fresh_url;
use crate::support::server::key_of;

const JSON: &str = "application/json";
const NEW: &str = "application/graphql-response+json";
const WHOSE: &str = "{ viewer { publisher { slug } } }";

/// A server with the publishers `one` and `two` and a key for each; it stops when it is dropped.
struct Server {
    address: SocketAddr,
    client: Client,
    key: String,
    other_key: String,
    /// The test's own connections.
    store: Store,
    /// The server's.
    its_store: Store,
    clock: Clock,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

async fn add_publisher(store: &Store, slug: &str, now: Instant) -> (Publisher, String) {
    let publisher = publishers::create(store, slug, slug, Zone::UTC, Currency::USD, now)
        .await
        .unwrap();
    let secret = add_key(store, &publisher, now).await;
    (publisher, secret)
}

async fn add_key(store: &Store, publisher: &Publisher, now: Instant) -> String {
    key_of(store, publisher, &[KeyScope::Read], now).await
}

async fn revoke(store: &Store, publisher: &Publisher, prefix: &str, now: Instant) {
    let who = Administrator::command_line(publisher.id, now);
    let found = who.find(store, prefix).await.unwrap().unwrap();
    assert_eq!(
        who.revoke(store, &found, true).await.unwrap(),
        Changed::Done
    );
}

/// What a server is started with besides the defaults.
#[derive(Default)]
struct Wish {
    /// Whether callers on this machine read `one` without a key.
    demo: bool,
    /// Settings, as a configuration file has them.
    settings: &'static str,
}

async fn start(wish: Wish) -> Server {
    let clock = Clock::fixed(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000));
    let now = Instant::from_utc(clock.now()).unwrap();
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let (one, key) = add_publisher(&store, "one", now).await;
    let (_, other_key) = add_publisher(&store, "two", now).await;

    let mut raw = Raw::default();
    raw.add_file("test", wish.settings);
    raw.add_flag("listen", Some("127.0.0.1:0"));
    let settings = Settings::resolve(raw).unwrap();
    let demo = wish.demo.then_some(one);
    let stop = Arc::new(Notify::new());
    let (told, its_clock) = (Arc::clone(&stop), clock.clone());
    let (send, receive) = std::sync::mpsc::channel();
    // A thread of its own with its own connections, as in life: the tests may block.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let parts = Parts {
                store: Store::open(&url).await.unwrap(),
                clock: its_clock,
                metrics: Arc::new(Metrics::new()),
                syncs: Vec::new(),
                demo,
            };
            let its_store = parts.store.clone();
            let app = App::new(&settings, listen(settings.listen).unwrap(), parts).unwrap();
            send.send((app.address(), its_store)).unwrap();
            let stop = || {
                let told = Arc::clone(&told);
                async move { told.notified().await }
            };
            app.run_until(stop).await.unwrap();
        });
    });
    let (address, its_store) = receive.recv().unwrap();
    Server {
        address,
        client: crate::support::client::client()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap(),
        key,
        other_key,
        store,
        its_store,
        clock,
        stop,
        thread: Some(thread),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(
            std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()),
            "the server fell"
        );
    }
}

impl Server {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    fn post(&self) -> RequestBuilder {
        self.request(Method::POST, "/graphql")
            .bearer_auth(&self.key)
    }

    /// Sends a query and answers status and body.
    async fn ask(&self, accept: &str, query: &str) -> (u16, Value) {
        let body = json!({ "query": query });
        let answer = self
            .post()
            .header("accept", accept)
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// Whose data a key reads; nothing when it is refused.
    async fn whose(&self, key: &str) -> Option<String> {
        let request = self.request(Method::POST, "/graphql").bearer_auth(key);
        let answer = request
            .json(&json!({ "query": WHOSE }))
            .send()
            .await
            .unwrap();
        let body: Value = answer.json().await.unwrap();
        body["data"]["viewer"]["publisher"]["slug"]
            .as_str()
            .map(str::to_owned)
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// An answer that refuses a request as a whole: its code, and never any data.
async fn refused(answer: Response, status: u16, code: &str) {
    assert_eq!(answer.status().as_u16(), status);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .is_some_and(|words| !words.is_empty())
    );
    assert!(body.get("data").is_none(), "{body}");
}

#[tokio::test]
async fn both_media_types_are_answered_as_asked() {
    let server = start(Wish::default()).await;
    for (accept, expected) in [
        (None, JSON),
        (Some("*/*"), JSON),
        (Some(JSON), JSON),
        (Some(NEW), NEW),
        (
            Some("application/graphql-response+json, application/json;q=0.9"),
            NEW,
        ),
    ] {
        let mut request = server.post().json(&json!({ "query": "{ __typename }" }));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(
            header(&answer, "content-type"),
            format!("{expected}; charset=utf-8")
        );
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "x-request-id").len(), 32);
        for name in ["Accept", "Origin", "Authorization"] {
            assert!(header(&answer, "vary").contains(name), "{name}");
        }
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["data"]["__typename"], "Query");
    }
    let request = server
        .post()
        .header("accept", "text/html")
        .json(&json!({ "query": "{ __typename }" }));
    refused(request.send().await.unwrap(), 406, "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn errors_in_requests_have_no_data_and_the_status_of_their_media_type() {
    let server = start(Wish::default()).await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nosuchfield }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "query ($id: ID!) { node(id: $id) { id } }",
            "BAD_USER_INPUT",
        ),
    ] {
        for (accept, status) in [(NEW, 400), (JSON, 200)] {
            let (found, body) = server.ask(accept, query).await;
            assert_eq!(found, status, "{query} {accept}");
            assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
            assert!(body.get("data").is_none(), "{body}");
        }
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_by_name_in_both_media_types() {
    let server = start(Wish::default()).await;
    for (body, word) in [
        (&b"{ \"not a JSON"[..], "not the JSON"),
        (b"", "empty"),
        (b"[{\"query\":\"{ __typename }\"}]", "Batches"),
        (
            b"{\"query\":\"{ __typename }\",\"query\":\"{ a }\"}",
            "duplicate",
        ),
        (b"{\"query\":\"\xff\"}", "UTF-8"),
        (b"{\"query\":5}", "`query`"),
        (
            b"{\"query\":\"{ __typename }\",\"variables\":[]}",
            "`variables`",
        ),
        (
            b"{\"query\":\"{ __typename }\",\"extensions\":1}",
            "`extensions`",
        ),
        (
            b"{\"query\":\"{ __typename }\",\"operationName\":1}",
            "`operationName`",
        ),
    ] {
        for accept in [NEW, JSON] {
            let request = server
                .post()
                .header("accept", accept)
                .header("content-type", JSON);
            let answer = request.body(body.to_vec()).send().await.unwrap();
            assert_eq!(
                header(&answer, "content-type"),
                format!("{accept}; charset=utf-8")
            );
            assert_eq!(answer.status().as_u16(), 400, "{word}");
            let body: Value = answer.json().await.unwrap();
            let message = body["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(word), "{message}");
        }
    }
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let server = start(Wish::default()).await;
    let query = br#"{"query":"{ __typename }"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=latin1",
    ] {
        let request = server.post().header("content-type", kind).body(&query[..]);
        refused(request.send().await.unwrap(), 415, "BAD_USER_INPUT").await;
    }
    let without = server.post().body(&query[..]).send().await.unwrap();
    refused(without, 415, "BAD_USER_INPUT").await;
    let packed = server
        .post()
        .header("content-type", JSON)
        .header("content-encoding", "gzip");
    refused(
        packed.body(&query[..]).send().await.unwrap(),
        415,
        "BAD_USER_INPUT",
    )
    .await;
    let fine = server
        .post()
        .header("content-type", "application/json; charset=UTF-8");
    assert_eq!(
        fine.body(&query[..])
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
}

/// A text as a parameter of an address.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn get_reads_and_never_writes() {
    let server = start(Wish::default()).await;
    let get = |query: &str| {
        let query = escaped(query);
        let path = format!(
            "/graphql?query={query}&variables={}",
            escaped("{\"n\":\"Query\"}")
        );
        server.request(Method::GET, &path).bearer_auth(&server.key)
    };
    let answer = get("query ($n: String!) { __type(name: $n) { name } }")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);

    for accept in [NEW, JSON] {
        let answer = get("mutation { __typename }")
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        assert_eq!(header(&answer, "allow"), "POST");
        assert_eq!(answer.status().as_u16(), 405);
        let body: Value = answer.json().await.unwrap();
        assert!(body.get("data").is_none(), "{body}");
    }
    let none = server
        .request(Method::GET, "/graphql")
        .bearer_auth(&server.key);
    refused(none.send().await.unwrap(), 400, "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn other_methods_and_addresses_are_told_where_to_go() {
    let server = start(Wish::default()).await;
    for method in [Method::PUT, Method::DELETE, Method::HEAD] {
        let answer = server.request(method, "/graphql").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405);
        assert_eq!(header(&answer, "allow"), "GET, POST, OPTIONS");
    }
    let answer = server
        .request(Method::POST, "/graphiql")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&answer, "allow"), "GET, HEAD");
    refused(answer, 405, "BAD_USER_INPUT").await;
    refused(
        server
            .request(Method::GET, "/nowhere")
            .send()
            .await
            .unwrap(),
        404,
        "NOT_FOUND",
    )
    .await;
    let home = server.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(
        (home.status().as_u16(), header(&home, "location")),
        (307, "/graphiql")
    );
}

#[tokio::test]
async fn without_a_good_key_there_is_nothing_to_see() {
    let server = start(Wish::default()).await;
    let one = publishers::find(&server.store, "one")
        .await
        .unwrap()
        .unwrap();
    let now = Instant::from_utc(server.clock.now()).unwrap();
    let revoked = add_key(&server.store, &one, now).await;
    let prefix = key::prefix_of(&revoked).unwrap();
    revoke(&server.store, &one, prefix, now).await;
    let forged = format!("{}{}", &server.key[..12], &server.other_key[12..]);

    let mut seen = Vec::new();
    for given in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer nonsense".to_owned()),
        Some(format!("Basic {}", server.key)),
        Some(format!("Bearer {revoked}")),
        Some(format!("Bearer {forged}")),
    ] {
        for query in ["{ __schema { queryType { name } } }", WHOSE] {
            let mut request = server.request(Method::POST, "/graphql");
            if let Some(given) = &given {
                request = request.header("authorization", given);
            }
            let answer = request
                .json(&json!({ "query": query }))
                .send()
                .await
                .unwrap();
            assert_eq!(
                header(&answer, "www-authenticate"),
                "Bearer realm=\"actiongraph\""
            );
            assert_eq!(answer.status().as_u16(), 401, "{given:?}");
            seen.push(answer.text().await.unwrap());
        }
    }
    seen.dedup();
    assert_eq!(
        seen.len(),
        1,
        "bad, missing and revoked keys look the same: {seen:?}"
    );
    let body: Value = serde_json::from_str(&seen[0]).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert!(body.get("data").is_none());
}

#[tokio::test]
async fn a_key_reads_its_own_publisher_until_it_is_revoked() {
    let server = start(Wish::default()).await;
    assert_eq!(server.whose(&server.key).await.as_deref(), Some("one"));
    assert_eq!(
        server.whose(&server.other_key).await.as_deref(),
        Some("two")
    );

    let one = publishers::find(&server.store, "one")
        .await
        .unwrap()
        .unwrap();
    let now = Instant::from_utc(server.clock.now()).unwrap();
    let prefix = key::prefix_of(&server.key).unwrap();
    revoke(&server.store, &one, prefix, now).await;
    server.clock.advance(Duration::from_secs(3));
    assert_eq!(server.whose(&server.key).await, None);
    assert_eq!(
        server.whose(&server.other_key).await.as_deref(),
        Some("two")
    );
}

#[tokio::test]
async fn large_bodies_are_refused_before_they_are_read() {
    let server = start(Wish::default()).await;
    // Ten gigabytes are announced and none of them sent: the answer comes all the same.
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        socket,
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n",
        server.key
    )
    .unwrap();
    let mut start = [0_u8; 12];
    socket.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");

    let body = json!({ "query": "{ __typename }", "extensions": { "x": "y".repeat(1_000_000) } })
        .to_string();
    let announced = server
        .post()
        .header("content-type", JSON)
        .body(body.clone());
    refused(announced.send().await.unwrap(), 413, "LIMIT_EXCEEDED").await;

    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = vec![Ok(body.into_bytes())];
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        socket,
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.key
    )
    .unwrap();
    for piece in pieces {
        let piece = piece.unwrap();
        write!(socket, "{:x}\r\n", piece.len()).unwrap();
        // The server may hang up in the middle; what counts is what it said.
        let _ = socket.write_all(&piece);
        let _ = socket.write_all(b"\r\n");
    }
    let mut start = [0_u8; 12];
    socket.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");

    let small = json!({ "query": "{ __typename }", "extensions": { "x": "y".repeat(900_000) } });
    assert_eq!(
        server
            .post()
            .json(&small)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn a_body_that_dribbles_in_is_given_up() {
    let server = start(Wish {
        settings: "body_deadline_ms = 100",
        ..Wish::default()
    })
    .await;
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        socket,
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"query\"",
        server.key
    )
    .unwrap();
    let mut answer = String::new();
    // Read to the end: the connection is closed, too.
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn only_listed_pages_may_read_answers() {
    let settings = "cors_origins = [\"https://shop.example\"]";
    let server = start(Wish {
        settings,
        ..Wish::default()
    })
    .await;
    let preflight = |origin: &str| {
        server
            .request(Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization, content-type",
            )
    };
    let listed = preflight("https://shop.example").send().await.unwrap();
    assert_eq!(listed.status().as_u16(), 204);
    assert_eq!(
        header(&listed, "access-control-allow-origin"),
        "https://shop.example"
    );
    assert!(header(&listed, "access-control-allow-methods").contains("POST"));
    assert!(header(&listed, "access-control-allow-headers").contains("authorization"));
    assert_eq!(header(&listed, "access-control-allow-credentials"), "");
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "null",
    ] {
        let answer = preflight(origin).send().await.unwrap();
        assert_eq!(
            header(&answer, "access-control-allow-origin"),
            "",
            "{origin}"
        );
        assert_eq!(
            header(&answer, "access-control-allow-methods"),
            "",
            "{origin}"
        );
        let query = json!({ "query": "{ __typename }" });
        let answer = server
            .post()
            .header("origin", origin)
            .json(&query)
            .send()
            .await
            .unwrap();
        assert_eq!(
            header(&answer, "access-control-allow-origin"),
            "",
            "{origin}"
        );
    }
    let query = json!({ "query": "{ __typename }" });
    let answer = server
        .post()
        .header("origin", "https://shop.example")
        .json(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(
        header(&answer, "access-control-allow-origin"),
        "https://shop.example"
    );
}

#[tokio::test]
async fn the_page_is_served_under_a_strict_policy() {
    let server = start(Wish::default()).await;
    let page = server
        .request(Method::GET, "/graphiql")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    let policy = header(&page, "content-security-policy").to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("http") && !policy.contains("unsafe-eval"));
    let text = page.text().await.unwrap();
    // Built with the page's files, or saying how to build them.
    assert!(
        text.contains("/assets/") || text.contains("make web"),
        "{text}"
    );

    let schema = server
        .request(Method::GET, "/schema.graphql")
        .send()
        .await
        .unwrap();
    assert_eq!(schema.status().as_u16(), 200);
    let tag = header(&schema, "etag").to_owned();
    assert!(schema.text().await.unwrap().contains("type Query"));
    let again = server
        .request(Method::GET, "/schema.graphql")
        .header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status().as_u16(), 304);
    refused(
        server
            .request(Method::GET, "/assets/../index.html")
            .send()
            .await
            .unwrap(),
        404,
        "NOT_FOUND",
    )
    .await;
}

#[tokio::test]
async fn answers_travel_compressed() {
    let server = start(Wish::default()).await;
    let plain = crate::support::client::client().no_gzip().build().unwrap();
    for coding in ["gzip", "br", "zstd"] {
        let url = format!("http://{}/schema.graphql", server.address);
        let answer = plain
            .get(url)
            .header("accept-encoding", coding)
            .send()
            .await
            .unwrap();
        assert_eq!(header(&answer, "content-encoding"), coding);
    }
}

#[tokio::test]
async fn whoever_runs_the_server_can_see_how_it_does() {
    let server = start(Wish {
        settings: "metrics = \"local\"",
        ..Wish::default()
    })
    .await;
    for (path, word) in [("/livez", "alive"), ("/readyz", "ready")] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["status"], word);
    }
    let (status, _) = server.ask(NEW, "{ __typename }").await;
    assert_eq!(status, 200);
    let text = server
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "actiongraph_http_requests_total{route=\"/graphql\",method=\"POST\",status=\"200\"} 1",
        "actiongraph_graphql_operations_total{outcome=\"complete\"} 1",
        "actiongraph_build_info",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_server_whose_database_is_gone_is_alive_but_not_ready() {
    let server = start(Wish::default()).await;
    let ready = || server.request(Method::GET, "/readyz").send();
    assert_eq!(ready().await.unwrap().status().as_u16(), 200);
    server.its_store.clone().close().await;
    let alive = server.request(Method::GET, "/livez").send().await.unwrap();
    assert_eq!(alive.status().as_u16(), 200);
    // For a second everybody is told what was found last.
    assert_eq!(ready().await.unwrap().status().as_u16(), 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(ready().await.unwrap().status().as_u16(), 503);
}

#[tokio::test]
async fn the_demo_answers_this_machine_without_a_key_and_nobody_else() {
    let server = start(Wish {
        demo: true,
        ..Wish::default()
    })
    .await;
    let query = json!({ "query": WHOSE });
    let ask = || server.request(Method::POST, "/graphql").json(&query);
    let body: Value = ask().send().await.unwrap().json().await.unwrap();
    assert_eq!(body["data"]["viewer"]["publisher"]["slug"], "one", "{body}");
    assert_eq!(
        server.whose(&server.other_key).await.as_deref(),
        Some("two")
    );
    refused(
        ask().bearer_auth("wrong").send().await.unwrap(),
        401,
        "UNAUTHENTICATED",
    )
    .await;

    // A name that points here by the will of others, and pages of other sites.
    refused(
        ask().header("host", "evil.example").send().await.unwrap(),
        421,
        "FORBIDDEN",
    )
    .await;
    refused(
        ask()
            .header("origin", "https://evil.example")
            .send()
            .await
            .unwrap(),
        421,
        "FORBIDDEN",
    )
    .await;
    let picture = server
        .request(Method::GET, "/graphql?query=%7B__typename%7D")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "no-cors");
    refused(picture.send().await.unwrap(), 421, "FORBIDDEN").await;
    let page = server
        .request(Method::GET, "/graphiql")
        .header("host", "evil.example");
    refused(page.send().await.unwrap(), 421, "FORBIDDEN").await;
    let local = ask().header("host", format!("localhost:{}", server.address.port()));
    assert_eq!(local.send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = start(Wish::default()).await;
    let error = listen(server.address).unwrap_err();
    let words = format!("Port {} on 127.0.0.1 is in use", server.address.port());
    assert!(error.message().contains(&words), "{error}");
}
