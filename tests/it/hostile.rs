//! What the internet sends: broken, endless, nested, huge. Every answer is well-formed with a stable code, the server goes
//! on, and its memory stays bounded.

mod deep;
mod refused;
mod routes;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::server::{Running, running};
use crate::support::usage::Usage;

/// How much the whole battery may grow the process, in bytes.
const GROWTH: u64 = 64 << 20;

/// Codes that a client may rely on (docs/ERRORS.md), but for faults of ours.
const CODES: [&str; 13] = [
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "CONFLICT",
    "LIMIT_EXCEEDED",
    "COST_EXCEEDED",
    "RATE_LIMITED",
    "TIMEOUT",
    "SERVICE_UNAVAILABLE",
    "STORAGE_FULL",
];

/// How much a request may take that grows while it is written out, in bytes, in a build without optimizations.
const WRITING: u64 = 32 << 20;

/// Memory of this process, which is also the server's, in bytes.
fn resident() -> u64 {
    Usage::own().resident()
}

/// Where requests go, and with which key.
trait Target {
    fn address(&self) -> SocketAddr;
    fn key(&self) -> &str;
}

impl Target for Running {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn key(&self) -> &str {
        &self.keys[0]
    }
}

/// By how much two rounds of so many requests grew the process, in bytes; the figure of docs/SECURITY.md is printed.
#[expect(
    clippy::print_stderr,
    reason = "a figure for people, which nextest shows on request"
)]
fn grown(what: &str, requests: usize, before: u64) -> u64 {
    let grown = resident().saturating_sub(before);
    eprintln!(
        "hostile {what}: {requests} requests a round; two rounds grew the process by {} KiB, {} KiB are allowed",
        grown >> 10,
        GROWTH >> 10
    );
    grown
}

fn raw(server: &impl Target, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // The server may hang up before everything is sent.
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(server: &impl Target, more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{more}",
        server.key()
    )
}

/// A whole request with a body as it stands.
fn with_body(server: &impl Target, body: &[u8]) -> Vec<u8> {
    let mut bytes = head(server, &format!("Content-Length: {}\r\n\r\n", body.len())).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn query(text: &str) -> Vec<u8> {
    json!({ "query": text }).to_string().into_bytes()
}

/// The status and the body of an answer, checked: JSON with data or with errors that have a stable code.
fn checked(name: &str, answer: &str) -> (u16, Value) {
    let status: u16 = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{name}: no answer"))
        .parse()
        .unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body.trim())
        .unwrap_or_else(|error| panic!("{name}: {error}: {answer:.300}"));
    assert!(status < 500 || status == 503, "{name}: {answer:.300}");
    for error in body["errors"].as_array().unwrap_or(&Vec::new()) {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{name}: {error}");
        assert!(
            error["message"].as_str().unwrap().chars().count() <= 300,
            "{name}: {error}"
        );
    }
    assert!(
        body["errors"].is_array() || body["data"].is_object(),
        "{name}: {body}"
    );
    assert!(
        body["errors"]
            .as_array()
            .is_none_or(|errors| errors.len() <= 20),
        "{name}"
    );
    (status, body)
}

type Named<T> = Vec<(String, T)>;

/// Brackets of every kind, from what is allowed to far beyond.
fn nested() -> Named<String> {
    let mut all = Vec::new();
    for levels in [50, 61, 1_240, 1_560, 7_800, 33_000] {
        for (kind, open, close) in [
            ("fields", "{a", "}"),
            ("lists", "[", "]"),
            ("objects", "{a:", "}"),
            ("parentheses", "(", ")"),
            ("types", "[", "]"),
        ] {
            let inner = format!("{}{}", open.repeat(levels), close.repeat(levels));
            let text = match kind {
                "fields" => inner,
                "types" => {
                    let inner = inner.replacen("[]", "[Int]", 1);
                    format!("query($a: {inner}) {{ viewer {{ scopes }} }}")
                }
                _ => format!("{{ nodes(ids: {inner}) {{ id }} }}"),
            };
            all.push((format!("{kind} nested {levels} deep"), text));
        }
    }
    all
}

/// Much of one thing, and things that grow by themselves.
fn bombs() -> Named<String> {
    let many =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let doubling = many(24, &|n| {
        format!(" fragment F{n} on Query {{ ...F{} ...F{0} }}", n + 1)
    });
    let aliases = many(10_000, &|n| format!("a{n}:a "));
    let unknown = many(180, &|n| format!("f{n} "));
    let named = |name: &str, text: String| (name.to_owned(), text);
    vec![
        named("ten thousand aliases", format!("{{ {aliases} }}")),
        named("unknown fields", format!("{{ {unknown} }}")),
        named("a fragment bomb", format!("{{ ...F0 }}{doubling} fragment F24 on Query {{ __typename }}")),
        named("fragments in a ring", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
        named("thousands of directives", format!("{{ viewer {} {{ scopes }} }}", "@skip(if:false)".repeat(6_000))),
        named("circular introspection", "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned()),
        named("a long string", format!("{{ node(id: \"{}\") {{ id }} }}", "x".repeat(95_000))),
        named("a long name", format!("{{ {} }}", "x".repeat(95_000))),
        named("nothing but marks", "{}[]()!$&|:=@...".repeat(100)),
        named("an empty document", String::new()),
        named("a comment", "#".repeat(99_000)),
        named("huge pages", "{ users(first: 100) { nodes { actions(first: 100) { nodes { items(first: 100) { nodes { amount { amount } } } } } } } }".to_owned()),
    ]
}

/// Values at the edges of what their types hold, and beyond.
fn edges() -> Named<String> {
    let mut all = Vec::new();
    let huge = [
        &"9".repeat(10_000),
        &format!("-{}", "9".repeat(400)),
        "1e400",
        "0.0000001",
        "2147483648",
    ];
    for number in huge {
        all.push((
            format!("the number {number:.20}"),
            format!("{{ actions(first: {number}) {{ totalCount }} }}"),
        ));
        all.push((
            format!("the amount {number:.20}"),
            format!("{{ actions(filter: {{ reward: {{ gt: {number} }} }}) {{ totalCount }} }}"),
        ));
    }
    for day in [
        "0000-01-01",
        "9999-12-31",
        "10000-01-01",
        "1969-12-31",
        "2024-02-30",
        "-0001-01-01",
        "+262142-01-01",
        "２０２４-01-01",
        "",
    ] {
        all.push((format!("the day {day}"), format!("{{ actions(range: {{ days: {{ from: {day:?}, to: {day:?} }} }}) {{ totalCount }} }}")));
    }
    for moment in [
        "9999-12-31T23:59:60Z",
        "1970-01-01T00:00:00.000000000001Z",
        "2016-12-31T23:59:60Z",
        "2024-01-01T00:00:00+99:99",
        "2024-13-01T00:00:00Z",
        "1677-09-21T00:12:43Z",
    ] {
        all.push((format!("the moment {moment}"), format!("{{ actions(range: {{ between: {{ from: {moment:?}, to: \"9999-12-31T00:00:00Z\" }} }}) {{ totalCount }} }}")));
    }
    for text in [
        "\\u0000",
        "\\uD800",
        "\\u{110000}",
        "\\u202e",
        "%' OR 1=1 --",
        "\\\\",
        "{{7*7}}",
    ] {
        all.push((
            format!("the text {text}"),
            format!(
                "{{ products(filter: {{ name: {{ contains: \"{text}\" }} }}) {{ totalCount }} }}"
            ),
        ));
        all.push((
            format!("the cursor {text}"),
            format!("{{ products(after: \"{text}\") {{ totalCount nodes {{ id }} }} }}"),
        ));
        all.push((
            format!("the id {text}"),
            format!("{{ node(id: \"{text}\") {{ id }} }}"),
        ));
    }
    all
}

/// Bodies that are hostile by what they say.
fn documents() -> Named<Vec<u8>> {
    let all = nested().into_iter().chain(bombs()).chain(edges());
    all.map(|(name, text)| (name, query(&text))).collect()
}

/// Bodies that are hostile by their form.
fn bodies() -> Named<Vec<u8>> {
    let mut all: Named<Vec<u8>> = vec![
        ("invalid UTF-8".to_owned(), b"{\"query\":\"{ \xff\xfe }\"}".to_vec()),
        ("a NUL".to_owned(), b"{\"query\":\"{ viewer { scopes } }\"}\0".to_vec()),
        ("an escaped NUL".to_owned(), b"{\"query\":\"{ \\u0000 }\"}".to_vec()),
        ("a lone surrogate".to_owned(), b"{\"query\":\"{ \\ud800 }\"}".to_vec()),
        ("UTF-16".to_owned(), "{\"query\":\"{ viewer }\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a batch".to_owned(), b"[{\"query\":\"{ viewer { scopes } }\"}]".to_vec()),
        ("no JSON".to_owned(), b"query={viewer{scopes}}".to_vec()),
        ("an empty body".to_owned(), Vec::new()),
        ("blanks".to_owned(), vec![b' '; 900_000]),
        ("JSON nested 100,000 deep".to_owned(), format!("{{\"query\":\"{{a}}\",\"variables\":{}", "{\"a\":".repeat(100_000)).into_bytes()),
        ("lists nested 100,000 deep".to_owned(), format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":{}", "[".repeat(100_000)).into_bytes()),
        ("a number of 100,000 digits".to_owned(), format!("{{\"query\":\"query($a:Int){{actions(first:$a){{totalCount}}}}\",\"variables\":{{\"a\":{}}}}}", "9".repeat(100_000)).into_bytes()),
        ("a million variables".to_owned(), {
            let many: String = (0..80_000).map(|n| format!("\"v{n}\":1,")).collect();
            format!("{{\"query\":\"{{viewer{{scopes}}}}\",\"variables\":{{{many}\"z\":1}}}}").into_bytes()
        }),
        ("the same name twice".to_owned(), b"{\"query\":\"{a}\",\"query\":\"{b}\"}".to_vec()),
    ];
    let ids: Vec<String> = (0..60_000).map(|n| n.to_string()).collect();
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    all.push((
        "60,000 ids".to_owned(),
        json!({ "query": query, "variables": { "ids": ids } })
            .to_string()
            .into_bytes(),
    ));
    all
}

#[tokio::test]
async fn a_battery_of_hostile_requests_leaves_the_server_as_it_was() {
    let server = running("budget_capacity = 0").await;
    let healthy = with_body(&server, &query("{ viewer { publisher { slug } } }"));
    let works = |after: &str| {
        let (status, body) = checked(after, &raw(&server, &healthy));
        assert_eq!(status, 200, "after {after}");
        assert_eq!(
            body["data"]["viewer"]["publisher"]["slug"], "one",
            "after {after}"
        );
    };
    works("nothing");
    let requests: Named<Vec<u8>> = documents().into_iter().chain(bodies()).collect();
    // Once to touch what is kept for good (pools, caches), then again to see what every further one costs.
    let mut before = 0;
    for round in 0..3 {
        if round == 1 {
            before = resident();
        }
        for (name, body) in &requests {
            checked(name, &raw(&server, &with_body(&server, body)));
        }
        works("the documents");
    }
    let grown = grown("documents and bodies", requests.len(), before);
    assert!(
        grown < GROWTH,
        "two rounds grew the server by {grown} bytes"
    );
}

/// What is sent, and the statuses that may answer it; the empty one is a connection that is closed without a word.
type Broken = (&'static str, String, &'static [&'static str]);

/// Heads that are no heads.
fn broken_heads(server: &Running, length: usize, whole: &str) -> Vec<Broken> {
    vec![
        ("half a head", head(server, ""), &["", "408"]),
        (
            "a head without end",
            head(server, &"X: y\r\n".repeat(200)),
            &["", "400", "408", "431"],
        ),
        (
            "a huge header",
            head(server, &format!("X: {}\r\n\r\n", "y".repeat(300_000))),
            &["", "400", "408", "431"],
        ),
        (
            "a negative length",
            head(server, "Content-Length: -1\r\n\r\n"),
            &["400"],
        ),
        (
            "two lengths",
            head(
                server,
                &format!("Content-Length: 5\r\nContent-Length: {length}\r\n\r\n{whole}"),
            ),
            &["400"],
        ),
    ]
}

/// Lengths and pieces that do not fit.
fn broken_bodies(server: &Running, length: usize, whole: &str) -> Vec<Broken> {
    vec![
        (
            "a length and chunks",
            head(
                server,
                &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{whole}"),
            ),
            &["400"],
        ),
        (
            "a length that is no number",
            head(server, "Content-Length: ten\r\n\r\n"),
            &["400"],
        ),
        (
            "a length beyond 64 bits",
            head(server, "Content-Length: 99999999999999999999999\r\n\r\n"),
            &["400"],
        ),
        (
            "a length that is too long",
            head(
                server,
                &format!("Content-Length: {}\r\n\r\n{whole}", length + 10),
            ),
            &["408"],
        ),
        (
            "a length that is huge",
            head(server, "Content-Length: 9000000000000000000\r\n\r\n"),
            &["413"],
        ),
        (
            "chunks that are none",
            head(server, "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            &["400"],
        ),
        (
            "a chunk without end",
            head(
                server,
                "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
            ),
            &["400", "408", "413"],
        ),
    ]
}

/// Where a head says twice where its body ends, a proxy may believe the other of the two, and what follows would be somebody
/// else's request (RFC 9112, 6.1): it is refused, good as its body may be, and the connection ends with that.
#[tokio::test]
async fn a_body_with_a_length_and_pieces_ends_its_connection() {
    let server = running("").await;
    let body = String::from_utf8(query("{ viewer { publisher { slug } } }")).unwrap();
    let pieces = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let begun = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n",
        server.keys[0]
    );
    let next = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let whole = format!("{begun}{chunked}Connection: close\r\n\r\n{pieces}");
    let answer = raw(&server, whole.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for length in [0, body.len(), pieces.len()] {
        let length = format!("Content-Length: {length}\r\n");
        for both in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
            let bad = format!("{begun}{both}\r\n{pieces}{next}");
            let answer = ended(&server, &bad);
            assert!(answer.starts_with("HTTP/1.1 400"), "{both}{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{both}{answer}");
            let answer = answer.to_lowercase();
            assert!(answer.contains("connection: close\r\n"), "{both}{answer}");
            // So it is behind a good one.
            let answer = ended(&server, &format!("{next}{bad}"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{both}{answer}");
            assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 2, "{both}{answer}");
        }
    }
}

/// What is answered until the server ends the connection, which it does by itself.
fn ended(server: &Running, bytes: &str) -> String {
    let mut socket = TcpStream::connect(server.address).unwrap();
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// What is no HTTP, or hardly any.
fn no_http(server: &Running, length: usize, whole: &str) -> Vec<Broken> {
    vec![
        (
            "another protocol",
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            &["", "400", "408"],
        ),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}".to_owned(),
            &["", "400", "408"],
        ),
        (
            "HTTP/2 to another port",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            &["", "400", "408", "505"],
        ),
        (
            "no host",
            "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
            &["200", "400"],
        ),
        (
            "a method of 10,000 letters",
            format!("{} / HTTP/1.1\r\n\r\n", "A".repeat(10_000)),
            &["", "400", "405", "404", "408"],
        ),
        (
            "an address of 100 kB",
            format!(
                "GET /graphql?query={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "a".repeat(100_000)
            ),
            &["", "400", "401", "408", "414", "431"],
        ),
        (
            "an address with a NUL",
            "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            &["", "400", "408"],
        ),
        (
            "a smuggled request",
            head(
                server,
                &format!(
                    "Transfer-Encoding: chunked, identity\r\nContent-Length: {length}\r\n\r\n{whole}"
                ),
            ),
            &["400"],
        ),
    ]
}

#[tokio::test]
async fn broken_http_is_answered_or_closed_and_hurts_nobody() {
    let server = running("body_deadline_ms = 1000\nhead_deadline_ms = 2000").await;
    let body = query("{ viewer { publisher { slug } } }");
    let length = body.len();
    let whole = String::from_utf8(body.clone()).unwrap();
    let broken = broken_heads(&server, length, &whole)
        .into_iter()
        .chain(broken_bodies(&server, length, &whole))
        .chain(no_http(&server, length, &whole));
    for (name, bytes, allowed) in broken {
        let answer = raw(&server, bytes.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(allowed.contains(&status), "{name}: {answer:.200}");
    }
    // Many requests on one connection, all at once, are answered in their order.
    let one = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{whole}",
        server.keys[0]
    );
    let last = String::from_utf8(with_body(&server, &body)).unwrap();
    let answers = raw(&server, format!("{}{last}", one.repeat(50)).as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 51);
    assert_eq!(answers.matches("\"slug\":\"one\"").count(), 51);
    // Sockets that are opened, fed a little and left, or reset.
    let mut left = Vec::new();
    for n in 0..300 {
        let mut socket = TcpStream::connect(server.address).unwrap();
        let _ = socket.write_all(&one.as_bytes()[..n % one.len()]);
        if n % 3 == 0 {
            let _ = socket.shutdown(Shutdown::Both);
        } else {
            left.push(socket);
        }
    }
    // Those that lack the end of a body hold a place each, all that one address has, until the time for the body is over.
    let come_in = async {
        loop {
            let (status, body) = checked("after all", &raw(&server, last.as_bytes()));
            if status == 200 {
                break;
            }
            let told = &body["errors"][0]["extensions"];
            assert_eq!(told["limit"], "concurrentOperationsPerAddress", "{body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let come_in = tokio::time::timeout(Duration::from_secs(60), come_in).await;
    come_in.expect("places are not given back");
    drop(left);
}

/// A small request that is large when it is written out: a filter in twenty fields, and those in thirty places.
fn written_out() -> Vec<u8> {
    let many = |from: usize, to: usize, one: &dyn Fn(usize) -> String| {
        (from..to).map(one).collect::<String>()
    };
    let users = |n: usize| format!("a{n}: users(first: 1) {{ nodes {{ ...F }} }} ");
    let counted = |n: usize| format!("b{n}: actions(filter: $f) {{ totalCount }} ");
    let query = format!(
        "query($f: ActionFilter) {{ ...A ...B }} fragment A on Query {{ {} }} fragment B on Query {{ {} }} fragment F on User {{ {} }}",
        many(0, 15, &users),
        many(15, 30, &users),
        many(0, 20, &counted)
    );
    let filter = json!({ "and": vec![json!({ "not": {} }); 140] });
    json!({ "query": query, "variables": { "f": filter } })
        .to_string()
        .into_bytes()
}

/// Fragments and variables make much of little: what is written out is paid for, also where it is refused.
#[tokio::test]
async fn what_grows_while_it_is_written_out_is_paid_for_and_takes_little() {
    // The clock stands still, so that nothing comes back.
    let server = running("").await;
    let left = async || {
        let told = server.ask(&server.keys[0], "{ viewer { scopes } }").await;
        told["extensions"]["cost"]["throttle"]["available"]
            .as_u64()
            .unwrap()
    };
    let before = left().await;
    let body = written_out();
    assert!(body.len() < 4_096, "{} bytes", body.len());
    let request = with_body(&server, &body);
    let taken = Usage::own().peak_of(|| {
        let (status, answer) = checked("written out", &raw(&server, &request));
        let told = &answer["errors"][0]["extensions"];
        assert_eq!(told["limit"], "writtenBytes", "{status} {answer}");
    });
    eprintln!("hostile written out: {} KiB", taken >> 10);
    assert!(taken < WRITING, "it took {taken} bytes");
    // A point for each KiB of the four MiB beyond the first sixteen, and few for the requests themselves.
    let paid = before - left().await;
    assert!((4_081..4_100).contains(&paid), "{paid} points");
}
