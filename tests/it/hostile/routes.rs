//! The same for every other address of the server: paths that lead out, addresses that are no text, bombs of percent signs,
//! wrong methods, wrong lengths and bodies that are nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::Value;

use super::{CODES, GROWTH, Named, grown, resident};
use crate::support::server::{Running, running};

/// Every route with the methods that it answers; `SECRET` is a good one.
const ROUTES: [(&str, &[&str]); 13] = [
    ("/graphql", &["GET", "POST", "OPTIONS"]),
    ("/traffic-targets.csv", &["GET"]),
    ("/import", &["POST"]),
    ("/postback/SECRET", &["GET", "POST"]),
    ("/postback/pb_00000000_0", &["GET", "POST"]),
    ("/", &["GET", "HEAD"]),
    ("/graphiql", &["GET", "HEAD"]),
    ("/assets/none.js", &["GET", "HEAD"]),
    ("/schema.graphql", &["GET", "HEAD"]),
    ("/livez", &["GET", "HEAD"]),
    ("/readyz", &["GET", "HEAD"]),
    ("/metrics", &["GET", "HEAD"]),
    ("/nowhere", &[]),
];

/// An answer, byte for byte.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// The bytes without the marks of their chunks; none where they break off.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let piece = bytes.get(end + 2..end + 2 + size)?;
        body.extend_from_slice(piece);
        bytes = bytes.get(end + 2 + size..)?.strip_prefix(b"\r\n")?;
        if size == 0 {
            return bytes.is_empty().then_some(body);
        }
    }
}

/// Whether as many bytes have come as the head announces; whether they are right is checked afterwards.
fn is_whole(bytes: &[u8], method: &str) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse::<usize>().ok());
    match length {
        Some(length) => method == "HEAD" || bytes.len() >= end + 4 + length,
        None => bytes.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// Reads an answer and checks its form: a status, a head, and as many bytes as the head says.
fn read(name: &str, method: &str, bytes: &[u8]) -> Answer {
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{name}: no head: {:?}", shown()));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let mut answer = Answer {
        status: status.unwrap_or_else(|| panic!("{name}: {}", shown())),
        head,
        body: bytes[end + 4..].to_vec(),
    };
    let announced = answer
        .header("content-length")
        .map(|length| length.parse::<usize>().unwrap());
    let is_bare = method == "HEAD" || [204, 304].contains(&answer.status);
    if is_bare {
        assert!(answer.body.is_empty(), "{name}: {}", shown());
    } else if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = unchunked(&answer.body).unwrap_or_else(|| panic!("{name}: {}", shown()));
    } else {
        assert_eq!(announced, Some(answer.body.len()), "{name}: {}", shown());
    }
    answer
}

/// Sends bytes and checks the answer; none where the connection is closed without a word.
fn sent(server: &Running, (name, method): (&str, &str), bytes: &[u8]) -> Option<Answer> {
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // The server may hang up before everything is sent.
    let _ = socket.write_all(bytes);
    let mut found = Vec::new();
    let mut piece = [0; 65_536];
    // To the end of the answer: after a body that has none, the connection may stay open for a while.
    while !is_whole(&found, method)
        && let Ok(count) = socket.read(&mut piece)
        && count > 0
    {
        found.extend_from_slice(&piece[..count]);
    }
    if found.is_empty() {
        return None;
    }
    let answer = read(name, method, &found);
    let status = answer.status;
    assert!(
        status < 500 || [503, 504, 507].contains(&status),
        "{name}: {}",
        answer.head
    );
    let is_json = answer
        .header("content-type")
        .is_some_and(|kind| kind.contains("json"));
    if is_json && !answer.body.is_empty() {
        check_json(name, &answer);
    }
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        !text.contains("root:") && !text.contains("[package]"),
        "{name}: {text:.300}"
    );
    assert!(
        !text.contains(&server.secrets[0][12..]),
        "{name}: a secret is told"
    );
    assert!(!answer.head.contains("evil"), "{name}: {}", answer.head);
    Some(answer)
}

/// That an answer is JSON, and an error one of those that clients may rely on.
fn check_json(name: &str, answer: &Answer) {
    let body: Value = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{name}: {error}: {}", answer.head));
    for error in body["errors"].as_array().unwrap_or(&Vec::new()) {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{name}: {error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.len() <= 1_200),
            "{name}: {error}"
        );
    }
    let is_failure = answer.status >= 400 && answer.status != 503;
    assert!(!is_failure || body["errors"].is_array(), "{name}: {body}");
}

/// A request: what it is, its method, and its bytes.
struct Hostile {
    name: String,
    method: &'static str,
    bytes: Vec<u8>,
    /// Whether the connection may be closed without a word, because the request is no HTTP.
    may_close: bool,
}

/// A head with a key, up to its last line.
fn head(server: &Running, method: &str, target: &[u8]) -> Vec<u8> {
    let key = &server.keys[0];
    let rest =
        format!(" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n");
    [method.as_bytes(), b" ", target, rest.as_bytes()].concat()
}

fn without_body(server: &Running, method: &'static str, target: &[u8], name: String) -> Hostile {
    Hostile {
        name,
        method,
        bytes: [head(server, method, target), b"\r\n".to_vec()].concat(),
        may_close: !target.iter().all(|byte| (0x21..0x7F).contains(byte)),
    }
}

fn path_of(server: &Running, route: &str) -> String {
    route.replace("SECRET", &server.secrets[0])
}

/// What stands behind the question mark.
fn queries() -> Named<Vec<u8>> {
    let many =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let named = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    vec![
        named("half a percent sign", "query=%&a=%2&b=%zz&%".to_owned()),
        named("invalid UTF-8", "query=%ff%fe&variables=%c0%80&name=%ed%a0%80".to_owned()),
        named("a NUL", "query=%00&wait=true%00&range=%00&admitad_id=%00&offer_id=1".to_owned()),
        named("percent signs of percent signs", format!("query={}", "%2525".repeat(10_000))),
        named("a bomb of percent signs", "%25".repeat(18_000)),
        named("nothing but ampersands", "&".repeat(50_000)),
        named("nothing but equals signs", "=&".repeat(25_000)),
        named("one long value", format!("query={}", "x".repeat(55_000))),
        named("one long name", "x".repeat(55_000)),
        named("thousands of parameters", many(5_000, &|n| format!("a{n}=1&"))),
        named("the same one again and again", "query={viewer{scopes}}&".replace(['{', '}'], "%7B").repeat(2_000)),
        named("nested brackets", format!("query={}", "%7Ba".repeat(12_000))),
        named("nested JSON", format!("query=%7Ba%7D&variables={}", "%5B".repeat(15_000))),
        named("lines and another head", "query=a%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0aevil".to_owned()),
        named("times and amounts at the edges", "admitad_id=1&offer_id=1&payment_status=approved&payment_sum=1e400&currency=USD&time=99999999999999999999&as_of=9999-12-31T23:59:60Z&utc_offset=%2B99:99".to_owned()),
        named("a postback with everything huge", many(40, &|n| format!("subid{n}={}&admitad_id={}&", "9".repeat(600), "9".repeat(400)))),
        ("bytes that are no text".to_owned(), b"query=\xff\xfe\x80".to_vec()),
        ("a NUL as it stands".to_owned(), b"query=\0".to_vec()),
        ("a letter of another script".to_owned(), "query=\u{434}".as_bytes().to_vec()),
    ]
}

fn addresses(server: &Running) -> Vec<Hostile> {
    let mut all = Vec::new();
    for (route, methods) in ROUTES {
        let path = path_of(server, route);
        let method = methods.first().copied().unwrap_or("GET");
        for (name, query) in queries() {
            let target = [path.as_bytes(), b"?", &query].concat();
            let mut hostile =
                without_body(server, method, &target, format!("{method} {route}: {name}"));
            if method == "POST" {
                hostile.bytes.truncate(hostile.bytes.len() - 2);
                hostile
                    .bytes
                    .extend_from_slice(b"Content-Length: 1\r\n\r\nx");
            }
            all.push(hostile);
        }
    }
    all
}

/// Paths that lead elsewhere, or nowhere.
fn paths(server: &Running) -> Vec<Hostile> {
    let long = "x".repeat(60_000);
    let up = "../".repeat(10_000);
    let up_coded = "%2e%2e%2f".repeat(5_000);
    let own: [&str; 34] = [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/..%252f..%252fetc%252fpasswd",
        "/assets/..%5c..%5cCargo.toml",
        "/assets/..%c0%af..%c0%afetc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/../../Cargo.toml",
        "/assets/../Cargo.toml",
        "/assets/%00",
        "/assets/index.html%00.js",
        "/assets/%ff%fe",
        "/assets/%",
        "/assets/",
        "/assets",
        "/postback/",
        "/postback/%00",
        "/postback/%ff%fe",
        "/postback/%",
        "/postback/../metrics",
        "/postback/..%2fmetrics",
        "/postback/pb_%252e",
        "/graphql/../metrics",
        "/graphql%00",
        "/graphql/",
        "/import/../../x",
        "/schema.graphql/..",
        "//",
        "//evil.example/graphql",
        "/%0d%0aSet-Cookie:%20evil=1",
    ];
    let mut targets: Vec<String> = own.map(str::to_owned).to_vec();
    for prefix in ["/", "/assets/", "/postback/"] {
        targets.extend([&long, &up, &up_coded].map(|end| format!("{prefix}{end}")));
    }
    targets
        .extend(["http://evil.example/graphql", "*", "evil", "/a b", "?", "#"].map(str::to_owned));
    let all = targets.into_iter().map(|target| {
        let name = format!("the path {target:.60}");
        let mut hostile = without_body(server, "GET", target.as_bytes(), name);
        hostile.may_close |= !target.starts_with('/');
        hostile
    });
    all.collect()
}

/// Methods that a route does not have.
fn methods(server: &Running) -> Vec<Hostile> {
    let mut all = Vec::new();
    for (route, own) in ROUTES {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get",
            "EVIL", "PROPFIND",
        ] {
            if own.contains(&method) {
                continue;
            }
            let path = path_of(server, route);
            all.push(without_body(
                server,
                method,
                path.as_bytes(),
                format!("{method} {route}: a wrong method"),
            ));
        }
    }
    all
}

/// Bodies that are nothing, and lengths that do not fit, at each route that reads a body.
fn bodies(server: &Running) -> Vec<Hostile> {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let with_length = |kind: &str, body: &[u8]| {
        [
            format!("{kind}Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
            body,
        ]
        .concat()
    };
    let rests: Named<Vec<u8>> = [
        ("an empty body", with_length("", b"")),
        ("NULs", with_length("", &vec![0; 60_000])),
        ("invalid UTF-8", with_length("", &vec![0xFF; 60_000])),
        ("a form of percent signs", with_length(form, "%25".repeat(20_000).as_bytes())),
        ("a form with NULs and no text", with_length(form, b"admitad_id=%00&offer_id=%ff%fe&time=\0&subid=\xff")),
        ("a form of ampersands", with_length(form, &vec![b'&'; 60_000])),
        ("a form that is too large", with_length(form, &vec![b'a'; 70_000])),
        ("a type of 10,000 letters", with_length(&format!("Content-Type: {}\r\n", "x/".repeat(5_000)), b"{}")),
        ("half an archive", with_length("", b"PK\x03\x04\x14\0\0\0\x08\0")),
        ("half of gzip", with_length("Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0")),
        ("an unknown coding", with_length("Content-Encoding: evil\r\n", b"x")),
        ("JSON without an end", with_length("Content-Type: application/json\r\n", "[".repeat(60_000).as_bytes())),
        ("XML of entities", with_length("", b"<!DOCTYPE a [<!ENTITY b \"&b;&b;\"><!ENTITY c SYSTEM \"file:///etc/passwd\">]><a>&b;&c;</a>")),
        ("a negative length", b"Content-Length: -1\r\n\r\n".to_vec()),
        ("a length that is no number", b"Content-Length: ten\r\n\r\n".to_vec()),
        ("a length beyond 64 bits", b"Content-Length: 99999999999999999999999\r\n\r\n".to_vec()),
        ("a length that is huge", b"Content-Length: 9000000000000000000\r\n\r\n".to_vec()),
        ("two lengths", b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_vec()),
        ("a length that is too long", b"Content-Length: 50\r\n\r\nx".to_vec()),
        ("a length and chunks", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
        ("chunks that are none", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        ("a chunk without end", b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx".to_vec()),
    ]
    .map(|(name, rest)| (name.to_owned(), rest))
    .to_vec();
    let mut all = Vec::new();
    for route in [
        "/graphql",
        "/import?wait=true",
        "/postback/SECRET",
        "/livez",
        "/traffic-targets.csv",
    ] {
        let path = path_of(server, route);
        for (name, rest) in &rests {
            all.push(Hostile {
                name: format!("POST {route}: {name}"),
                method: "POST",
                bytes: [head(server, "POST", path.as_bytes()), rest.clone()].concat(),
                // A body whose pieces cannot be told apart is no HTTP.
                may_close: name.contains("chunk"),
            });
        }
    }
    all
}

/// Sends a request of the battery, and checks its answer.
fn check(server: &Running, (name, method): (&str, &str), bytes: &[u8], may_close: bool) {
    let answer = sent(server, (name, method), bytes);
    assert!(
        answer.is_some() || may_close,
        "{name}: closed without a word"
    );
    let Some(answer) = answer else { return };
    if name.ends_with("a wrong method") && !name.contains("/nowhere") {
        assert!(
            (400..500).contains(&answer.status),
            "{name}: {}",
            answer.head
        );
        let is_told = answer.status != 405 || answer.header("allow").is_some();
        assert!(is_told, "{name}: {}", answer.head);
    }
}

/// That each door still does what it is for.
fn check_healthy(server: &Running, after: &str) {
    let postback = path_of(
        server,
        "/postback/SECRET?admitad_id=77&offer_id=6115&payment_status=pending&payment_sum=1.5&currency=USD&time=1709645400",
    );
    for (target, part) in [
        (
            "/graphql?query=%7Bviewer%7Bpublisher%7Bslug%7D%7D%7D",
            "\"slug\":\"one\"",
        ),
        ("/traffic-targets.csv", ","),
        (&*postback, "STORED"),
        ("/schema.graphql", "type Query"),
        ("/livez", "alive"),
        ("/readyz", "ready"),
        ("/metrics", "# EOF"),
    ] {
        let name = format!("{target:.20} after {after}");
        let request = without_body(server, "GET", target.as_bytes(), name.clone());
        let answer = sent(server, (&name, "GET"), &request.bytes).unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{name}: {text:.300}");
        assert!(text.contains(part), "{name}: {text:.300}");
    }
}

#[tokio::test]
async fn every_route_answers_hostile_requests_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "import_directory = {:?}\nbudget_capacity = 0\nbody_deadline_ms = 300\nhead_deadline_ms = 2000",
        folder.path()
    );
    let server = running(&settings).await;
    check_healthy(&server, "nothing");
    let mut requests = addresses(&server);
    requests.extend(paths(&server));
    requests.extend(methods(&server));
    requests.extend(bodies(&server));
    let mut before = 0;
    // Once to touch what is kept for good, then again to see what every further one costs.
    for round in 0..3 {
        if round == 1 {
            before = resident();
        }
        let mut failed = Vec::new();
        for Hostile {
            name,
            method,
            bytes,
            may_close,
        } in &requests
        {
            // All of them are told at once, not one with each run of the battery.
            let check = AssertUnwindSafe(|| check(&server, (name, method), bytes, *may_close));
            if catch_unwind(check).is_err() {
                failed.push(name);
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
        check_healthy(&server, "a round");
    }
    let grown = grown("routes", requests.len(), before);
    assert!(
        grown < GROWTH,
        "two rounds grew the server by {grown} bytes"
    );
}
