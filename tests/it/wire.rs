//! Connections on the open internet: whoever sends half a head, reads nothing, opens too many or says too much takes nothing
//! from others; whoever is slow but goes on is served. Over plain sockets and under TLS alike.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actiongraph::domain::scope::KeyScope;
use actiongraph::store::Store;
use actix_http::encoding::Decoder;
use actix_web::error::PayloadError;
use actix_web::http::header::ContentEncoding;
use actix_web::web::Bytes;
use futures::TryStreamExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::fresh_url;
use crate::support::process::serve;
use crate::support::server::{Running, key_of, running};
use crate::support::usage::Usage;

/// Longer than any of these answers takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client of these tests waits between two of its bytes.
const PAUSE: Duration = Duration::from_millis(20);

const ALIVE: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

const SCHEMA: &str = "GET /schema.graphql HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection, plain or under TLS.
trait Wire: Read + Write + Send {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for StreamOwned<ClientConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    folder.join(name)
}

/// The settings of TLS, or none.
fn secrecy(is_secret: bool) -> String {
    if !is_secret {
        return String::new();
    }
    format!(
        "tls_certificate = {:?}\ntls_key = {:?}\n",
        fixture("certificate.pem").display().to_string(),
        fixture("key.pem").display().to_string()
    )
}

fn plain(server: &Running) -> TcpStream {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn secret(server: &Running) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(fixture("certificate.pem")).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, plain(server))
}

fn connected(server: &Running, is_secret: bool) -> Box<dyn Wire> {
    if is_secret {
        Box::new(secret(server))
    } else {
        Box::new(plain(server))
    }
}

/// Reads the head of an answer.
fn one_head(wire: &mut (impl Read + ?Sized)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// Reads one answer with a body of known length.
fn one_answer(wire: &mut (impl Read + ?Sized)) -> (String, Vec<u8>) {
    let head = one_head(wire);
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
    let mut body = vec![0; length];
    wire.read_exact(&mut body).unwrap();
    (head, body)
}

/// Everything until the server closes; whether by a farewell or not is its business.
fn rest(wire: &mut (impl Read + ?Sized)) -> Vec<u8> {
    let mut all = Vec::new();
    let mut space = vec![0; 1 << 16];
    loop {
        match wire.read(&mut space) {
            Ok(0) => return all,
            Ok(bytes) => all.extend_from_slice(&space[..bytes]),
            Err(error) if waits(&error) => panic!("it is still open: {error}"),
            Err(_) => return all,
        }
    }
}

fn waits(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Sends a byte now and then until the server closes, and gives what it said.
fn dripped(wire: &mut dyn Wire, byte: impl Fn(&mut dyn Wire) -> std::io::Result<()>) -> String {
    wire.socket().set_read_timeout(Some(PAUSE)).unwrap();
    let mut said = Vec::new();
    let mut space = [0; 4096];
    loop {
        // A byte that comes too late is refused; what was said before can still be read.
        let _ = byte(wire);
        match wire.read(&mut space) {
            Ok(0) => break,
            Ok(bytes) => said.extend_from_slice(&space[..bytes]),
            Err(error) if waits(&error) => {}
            Err(_) => break,
        }
    }
    String::from_utf8(said).unwrap()
}

/// What a refusal tells, as the head and the extensions of its one error.
fn told(answer: &str) -> (String, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let head = head.to_lowercase();
    let (_, reference) = head.split_once("x-request-id: ").unwrap();
    assert!(reference[..32].bytes().all(|byte| byte.is_ascii_hexdigit()));
    for header in [
        "connection: close",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    let error = &body["errors"][0];
    let maximum = error["extensions"]["maximum"].to_string();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&maximum), "{message}");
    (head, error["extensions"].clone())
}

/// The audit's finding: the framework has a deadline for the first head of a connection alone.
#[tokio::test]
async fn a_head_that_does_not_end_is_refused_on_a_used_connection_too() {
    for is_secret in [false, true] {
        let mut references = BTreeSet::new();
        let more = "head_deadline_ms = 1000\nkeep_alive_seconds = 86400";
        let server = running(&(secrecy(is_secret) + more)).await;
        for used in [false, true] {
            for drips in [false, true] {
                let mut wire = connected(&server, is_secret);
                if used {
                    wire.write_all(ALIVE.as_bytes()).unwrap();
                    assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
                }
                wire.write_all(b"G").unwrap();
                let answer = if drips {
                    dripped(&mut *wire, |wire| wire.write_all(b"E"))
                } else {
                    String::from_utf8(rest(&mut *wire)).unwrap()
                };
                let (head, extensions) = told(&answer);
                assert!(head.starts_with("http/1.1 408"), "{head}");
                assert_eq!(extensions["code"], "TIMEOUT");
                assert_eq!(extensions["limit"], "headMilliseconds");
                let (_, reference) = head.split_once("x-request-id: ").unwrap();
                assert!(references.insert(reference[..32].to_owned()), "{head}");
                assert_eq!(extensions["maximum"], 1000);
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    for is_secret in [false, true] {
        let more = "head_deadline_ms = 1000\nkeep_alive_seconds = 1";
        let server = running(&(secrecy(is_secret) + more)).await;
        let mut wire = connected(&server, is_secret);
        wire.write_all(ALIVE.as_bytes()).unwrap();
        one_answer(&mut *wire);
        assert_eq!(rest(&mut *wire), b"");
        let mut silent = plain(&server);
        assert_eq!(rest(&mut silent), b"");
    }
    // Pieces of a record of TLS say nothing either, however many come.
    let server = running(&(secrecy(true) + "keep_alive_seconds = 1")).await;
    let mut wire = secret(&server);
    wire.write_all(ALIVE.as_bytes()).unwrap();
    one_answer(&mut wire);
    wire.sock.write_all(&[23, 3, 3, 0x40, 0]).unwrap();
    let said = dripped(&mut wire, |wire| wire.socket().write_all(b"x"));
    assert_eq!(said, "");
}

#[tokio::test]
async fn heads_in_pieces_and_requests_one_after_the_other_are_answered() {
    for is_secret in [false, true] {
        let server = running(&secrecy(is_secret)).await;
        let mut wire = connected(&server, is_secret);
        // A head that begins in the packet in which the one before ends.
        let (first, second) = ALIVE.split_at(9);
        wire.write_all(format!("{ALIVE}{first}").as_bytes())
            .unwrap();
        assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
        wire.write_all(second.as_bytes()).unwrap();
        assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
        // A byte at a time.
        for byte in ALIVE.as_bytes() {
            wire.write_all(&[*byte]).unwrap();
            wire.flush().unwrap();
        }
        assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
        // Many at once, far more than a head may have bytes.
        let body = json!({ "query": "{ viewer { publisher { slug } } }" }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nX: {}\r\nContent-Length: {}\r\n\r\n{body}",
            server.keys[0],
            "x".repeat(900),
            body.len()
        );
        wire.write_all(request.repeat(60).as_bytes()).unwrap();
        for _ in 0..60 {
            let (head, body) = one_answer(&mut *wire);
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert!(
                String::from_utf8(body)
                    .unwrap()
                    .contains("\"slug\":\"one\"")
            );
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_names_its_limit() {
    for is_secret in [false, true] {
        let more = "max_head_bytes = 4096";
        let server = running(&(secrecy(is_secret) + more)).await;
        let head = |bytes: usize| {
            let begin = "GET /livez HTTP/1.1\r\nHost: x\r\nX: ";
            format!("{begin}{}\r\n\r\n", "x".repeat(bytes - begin.len() - 4))
        };
        for used in [false, true] {
            let mut wire = connected(&server, is_secret);
            if used {
                wire.write_all(head(4_096).as_bytes()).unwrap();
                assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
            }
            let large = head(100_000);
            wire.write_all(large.as_bytes()).unwrap();
            let (head, body) = one_answer(&mut *wire);
            let (head, extensions) = told(&format!(
                "{}\r\n\r\n{}",
                head.trim(),
                String::from_utf8(body).unwrap()
            ));
            assert!(head.starts_with("http/1.1 431"), "{head}");
            assert_eq!(extensions["code"], "LIMIT_EXCEEDED");
            assert_eq!(extensions["limit"], "headBytes");
            assert_eq!(extensions["maximum"], 4_096);
            assert_eq!(extensions["value"], 4_097);
            assert_eq!(rest(&mut *wire), b"", "and it is closed");
        }
        // A body is no part of its head, though it come in the same breath.
        let query = format!("{{ viewer {{ scopes }} }} # {}", "x".repeat(60_000));
        let body = json!({ "query": query }).to_string();
        let mut wire = connected(&server, is_secret);
        write!(
            wire,
            "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            server.keys[0],
            body.len()
        )
        .unwrap();
        assert!(one_answer(&mut *wire).0.starts_with("http/1.1 200"));
    }
}

/// What follows a body that was refused unread cannot be told from a request, and never is one.
#[tokio::test]
async fn a_body_that_nobody_reads_ends_its_connection() {
    let server = running("").await;
    for length in ["Transfer-Encoding: chunked", "Content-Length: 1000000"] {
        let mut wire = plain(&server);
        write!(
            wire,
            "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        )
        .unwrap();
        let (head, _) = one_answer(&mut wire);
        assert!(head.starts_with("http/1.1 401"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        let said = dripped(&mut wire, |wire| {
            wire.write_all(format!("5\r\nhello\r\n{ALIVE}").as_bytes())
        });
        assert_eq!(said, "", "{length}");
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let server = running("max_connections_per_address = 2\nkeep_alive_seconds = 86400").await;
    let limits = "{\"query\":\"{ limits { connectionsPerAddress } }\"}";
    let ask = |wire: &mut TcpStream| {
        let sent = write!(
            wire,
            "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{limits}",
            server.keys[0],
            limits.len()
        );
        sent.is_ok() && wire.read(&mut [0; 12]).is_ok_and(|bytes| bytes == 12)
    };
    let mut held = [plain(&server), plain(&server)];
    assert!(held.iter_mut().all(ask));
    let mut third = plain(&server);
    assert!(!ask(&mut third), "closed without a word");
    drop(held);
    // It takes a moment until the server knows that they are gone.
    while !ask(&mut plain(&server)) {}
}

/// Texts long enough to make an answer of some megabytes, more than any system keeps for who does not read.
async fn furnished(server: &Running) {
    let actions: Vec<Value> = (1..=100)
        .map(|number| {
            json!({
                "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": 6115,
                "advcampaign_name": "AliExpress WW", "website_id": 501, "website_name": "My blog",
                "action_type": "sale", "cart": 100, "status": "approved", "processed": 0, "subid1": "u".repeat(100),
                "payment": "6.00", "currency": "USD", "paid": 0, "action_date": "2024-03-05 13:30:00",
                "click_date": "2024-03-05 13:00:00", "status_updated": "2024-03-06 13:30:00",
                "positions": [{ "id": number, "amount": "100.00", "payment": "6.00", "rate": "6.00", "percentage": true,
                    "product_id": "11", "product_name": "Cable" }],
            })
        })
        .collect();
    let request = server.client.post(server.at("/import?wait=true"));
    let request = request.bearer_auth(&server.keys[0]);
    let body = json!({ "results": actions }).to_string();
    let run: Value = request
        .body(body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(run["run"]["counts"]["inserted"], 100, "{run}");
}

/// An operation as bytes of a request.
fn operation(key: &str, query: &str) -> String {
    let body = json!({ "query": query }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Many texts of an action.
fn texts() -> String {
    let texts: String = (0..38).map(|n| format!("a{n}: subid1 ")).collect();
    format!("fragment T on Action {{ {texts} }}")
}

/// A question with a long answer, as bytes of a request.
fn long_question_of(key: &str) -> String {
    let pages: String = (0..20)
        .map(|n| format!("p{n}: actions(first: 100) {{ nodes {{ ...T }} }} "))
        .collect();
    operation(key, &format!("{{ {pages} }} {}", texts()))
}

fn long_question(server: &Running) -> String {
    long_question_of(&server.keys[0])
}

const LONG: &str = "budget_capacity = 0\nmax_document_aliases = 100\nmax_document_repeats = 100\n";

/// The head of a long answer, and how much of a body it announces: more than any system keeps for who does not read.
fn begun(wire: &mut (impl Read + ?Sized)) -> usize {
    let head = one_head(wire);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length = length.lines().next().unwrap().trim().parse().unwrap();
    assert!(
        length > 7_000_000,
        "{length} bytes are too few to get stuck"
    );
    length
}

#[tokio::test]
async fn who_does_not_read_is_hung_up_on_and_only_then_others_come_in() {
    let settings =
        format!("{LONG}send_deadline_ms = 5000\nmax_concurrent_operations_per_caller = 1");
    let server = running(&settings).await;
    furnished(&server).await;
    let mut wire = plain(&server);
    wire.write_all(long_question(&server).as_bytes()).unwrap();
    let length = begun(&mut wire);
    let ask = async || {
        let request = server.client.post(server.at("/graphql"));
        let request = request.bearer_auth(&server.keys[0]);
        let query = json!({ "query": "{ viewer { scopes } }" });
        request.json(&query).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 429, "the answer is still on its way");
    while ask().await == 429 {}
    assert_eq!(ask().await, 200);
    let got = rest(&mut wire).len();
    assert!(got < length, "{got} of {length} bytes were sent");
}

/// The time for a piece begins anew with each, the pace is that of the whole answer.
#[tokio::test]
async fn who_reads_too_slowly_is_hung_up_on() {
    let server = running(&format!("{LONG}send_deadline_ms = 2000")).await;
    furnished(&server).await;
    let mut wire = narrow(&server, 4_096).await;
    wire.write_all(long_question(&server).as_bytes()).unwrap();
    let length = begun(&mut wire);
    // 8 KiB a second; a place is held for as long as the answer is on its way.
    let mut got = 0;
    let is_cut = async {
        let mut space = [0; 1_024];
        while let Ok(bytes) = wire.read(&mut space) {
            if bytes == 0 {
                break;
            }
            got += bytes;
            // What the systems hold still comes, though nobody sends any more.
            if wire.write_all(b"x").is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(125)).await;
        }
    };
    let is_cut = tokio::time::timeout(PATIENCE, is_cut).await;
    is_cut.expect("it is still open");
    assert!(got < length, "{got} of {length} bytes were sent");
}

/// Long answers wait for their readers only as far as there is room for all of them, and one caller has half of it; short ones
/// and those of mutations always go out.
#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_together() {
    let server = running(&format!("{LONG}max_unsent_bytes = 25000000")).await;
    furnished(&server).await;
    let question = long_question(&server);
    let mut waits = plain(&server);
    waits.write_all(question.as_bytes()).unwrap();
    let length = begun(&mut waits);
    let mut other = plain(&server);
    other.write_all(question.as_bytes()).unwrap();
    let (head, body) = one_answer(&mut other);
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
    let told: Value = serde_json::from_slice(&body).unwrap();
    let told = &told["errors"][0]["extensions"];
    assert_eq!(told["limit"], "unsentBytes", "{told}");
    assert_eq!(told["maximum"], 12_500_000, "half of all");
    assert!(told["value"].as_u64() > Some(12_500_000), "{told}");
    // Others have the other half.
    let neighbour = key_of(
        &server.store,
        &server.publishers[0],
        KeyScope::ALL,
        server.now(),
    );
    let neighbour = neighbour.await;
    let mut elsewhere = plain(&server);
    elsewhere
        .write_all(long_question_of(&neighbour).as_bytes())
        .unwrap();
    begun(&mut elsewhere);
    // What a mutation did is told, however long that is.
    let made = format!(
        "mutation {{ createSegment(name: \"all\", rule: {{users: {{metric: {{metric: ACTIONS, atLeast: 1}}}}}}) {{ segment {{ \
         members(first: 1) {{ nodes {{ user {{ actions(first: 100) {{ nodes {{ ...T }} }} }} }} }} }} }} }} {}",
        texts()
    );
    let made = operation(&server.keys[0], &made);
    other.write_all(made.as_bytes()).unwrap();
    let (head, body) = one_answer(&mut other);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(body.len() > 100_000, "{}", String::from_utf8_lossy(&body));
    let short = server.data(0, "{ viewer { scopes } }").await;
    assert!(short["viewer"]["scopes"].is_array(), "{short}");
    // Once it is read, there is room again.
    let mut body = vec![0; length];
    waits.read_exact(&mut body).unwrap();
    other.write_all(question.as_bytes()).unwrap();
    let (head, _) = one_answer(&mut other);
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

/// Also of answers that anybody may ask for.
#[tokio::test]
async fn who_asks_again_and_again_and_never_reads_is_hung_up_on() {
    for is_secret in [false, true] {
        let server = running(&(secrecy(is_secret) + "send_deadline_ms = 1000")).await;
        let mut wire = connected(&server, is_secret);
        // Forty times the schema is more than any system keeps.
        wire.write_all(SCHEMA.repeat(40).as_bytes()).unwrap();
        let hung_up = async {
            // Who writes on learns that nobody is there.
            while wire.write_all(ALIVE.as_bytes()).is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let hung_up = tokio::time::timeout(PATIENCE, hung_up).await;
        hung_up.expect("it is still open");
    }
}

/// Slower than the time for a piece that nobody takes, but never silent for as long.
#[tokio::test]
async fn who_reads_slowly_but_goes_on_gets_everything() {
    const TIMES: usize = 150;
    for is_secret in [false, true] {
        let server = running(&(secrecy(is_secret) + "send_deadline_ms = 2000")).await;
        let mut wire = connected(&server, is_secret);
        wire.write_all(SCHEMA.repeat(TIMES).as_bytes()).unwrap();
        let (_, first) = one_answer(&mut *wire);
        for number in 1..TIMES {
            let (head, body) = one_answer(&mut *wire);
            assert!(head.starts_with("http/1.1 200"), "{number}: {head}");
            assert_eq!(body, first, "{number}");
            // In all three seconds.
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What an idle connection may cost a server, in bytes: ten thousand of them stay within 200 MB. The framework alone keeps two
/// buffers of 8 KiB for each.
const IDLE: u64 = 20_000;

/// What one costs at most that sends as much of a head as it may.
const HALF: u64 = 3 * 32_768;

/// A socket whose system keeps so much of what is not read.
async fn narrow(server: &Running, bytes: u32) -> TcpStream {
    let socket = actix_web::rt::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    let socket = socket.connect(server.address).await.unwrap();
    let socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A socket that asks for the schema more often than any system keeps, and reads the beginning.
async fn unread(server: &Running) -> TcpStream {
    let mut socket = narrow(server, 4_096).await;
    socket.write_all(SCHEMA.repeat(40).as_bytes()).unwrap();
    let mut status = [0; 12];
    socket.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    socket
}

/// The text that everybody may ask for is there once, however many do and never read it.
#[tokio::test]
async fn answers_that_nobody_reads_are_not_copied_for_each() {
    const COUNT: u64 = 40;
    let server = running("max_connections_per_address = 0\nsend_deadline_ms = 600000").await;
    let mut one = plain(&server);
    one.write_all(SCHEMA.as_bytes()).unwrap();
    let size = u64::try_from(one_answer(&mut one).1.len()).unwrap();
    assert!(size > 150_000, "{size} bytes are no more than buffers hold");
    // What is kept for good is there before.
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(unread(&server).await);
    }
    tokio::time::sleep(25 * PAUSE).await;
    let before = Usage::own().resident();
    for _ in 0..COUNT {
        held.push(unread(&server).await);
    }
    // Until the systems have taken what they take.
    tokio::time::sleep(25 * PAUSE).await;
    let grown = Usage::own().resident().saturating_sub(before);
    let each = each("that do not read the schema", COUNT, grown);
    assert!(each < size, "{each} bytes for {size}");
}

/// How long this process, which is also the server's, has kept processors busy.
fn busy() -> Duration {
    Usage::own().computed()
}

/// Requests that nobody gets to yet lie with their sender: they keep no processor busy, and are answered in their turn.
#[tokio::test]
async fn many_requests_behind_an_answer_that_is_slow_to_go_out_wait() {
    const READ: usize = 20;
    const SCHEMAS: usize = 60;
    const BEHIND: usize = 220;
    let server = running("send_deadline_ms = 600000").await;
    let mut wire = narrow(&server, 65_536).await;
    wire.write_all(SCHEMA.repeat(SCHEMAS).as_bytes()).unwrap();
    let alive = ALIVE.trim_end();
    let padded = format!("{alive}\r\nX: {}\r\n\r\n", "x".repeat(900));
    wire.write_all(padded.repeat(BEHIND).as_bytes()).unwrap();
    let (_, schema) = one_answer(&mut wire);
    // With each that is read the next is begun.
    for _ in 1..READ {
        assert_eq!(one_answer(&mut wire).1, schema);
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(25 * PAUSE).await;
    let before = busy();
    tokio::time::sleep(100 * PAUSE).await;
    let busy = busy().saturating_sub(before);
    assert!(busy < 50 * PAUSE, "{busy:?} of two seconds");
    let mut rest = std::io::BufReader::new(wire);
    for _ in READ..SCHEMAS {
        assert_eq!(one_answer(&mut rest).1, schema);
    }
    for _ in 0..BEHIND {
        assert!(one_answer(&mut rest).0.starts_with("http/1.1 200"));
    }
}

/// Its sender, who is told that the connection ends, sends it again on another: what came with it must not have been done.
#[tokio::test]
async fn a_request_behind_the_last_of_a_connection_is_not_answered() {
    for is_secret in [false, true] {
        let server = running(&secrecy(is_secret)).await;
        let mut wire = connected(&server, is_secret);
        let last = format!("{}\r\nConnection: close\r\n\r\n", ALIVE.trim_end());
        wire.write_all(format!("{ALIVE}{last}{ALIVE}").as_bytes())
            .unwrap();
        let (head, _) = one_answer(&mut *wire);
        assert!(!head.contains("connection: close"), "{head}");
        let (head, _) = one_answer(&mut *wire);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(rest(&mut *wire), b"");
    }
}

/// The framework answers as the last request wishes that it has looked at; so it gets to look at one.
#[tokio::test]
async fn each_of_some_requests_in_one_packet_is_answered_as_it_wishes() {
    const SCOPES: &str = "{ viewer { scopes } }";
    for is_secret in [false, true] {
        let server = running(&secrecy(is_secret)).await;
        let head = ALIVE.replace("GET", "HEAD");
        let mut wire = connected(&server, is_secret);
        for _ in 0..2 {
            wire.write_all(format!("{ALIVE}{head}").as_bytes()).unwrap();
            let (_, body) = one_answer(&mut *wire);
            assert!(!body.is_empty());
            assert!(one_head(&mut *wire).starts_with("http/1.1 200"));
            // Blank lines before a request are none of it.
            let both = format!("{head}\r\n\r\n\n{ALIVE}");
            wire.write_all(both.as_bytes()).unwrap();
            assert!(one_head(&mut *wire).starts_with("http/1.1 200"));
            assert_eq!(one_answer(&mut *wire).1, body);
        }
        let last = |request: &str| request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let first = operation(&server.keys[0], SCOPES);
        let second = last(&operation(&server.keys[0], &format!("{SCOPES} # the last")));
        wire.write_all(format!("{first}{second}").as_bytes())
            .unwrap();
        for is_last in [false, true] {
            let (head, _) = one_answer(&mut *wire);
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert_eq!(head.contains("connection: close"), is_last, "{head}");
        }
        assert_eq!(rest(&mut *wire), b"");

        // Where a body in pieces ends is not known before it is read.
        let (head, body) = first.split_once("\r\n\r\n").unwrap();
        let (head, _) = head.split_once("\r\nContent-Length").unwrap();
        let length = body.len();
        let pieces = format!(
            "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        );
        let mut wire = connected(&server, is_secret);
        for is_last in [false, true] {
            let behind = if is_last { ALIVE } else { "" };
            wire.write_all(format!("{pieces}{behind}").as_bytes())
                .unwrap();
            let (head, _) = one_answer(&mut *wire);
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert_eq!(head.contains("connection: close"), is_last, "{head}");
        }
        assert_eq!(rest(&mut *wire), b"");
    }
}

/// HTTP/1.0 knows no pieces: an answer whose length is not known beforehand ends with its connection.
#[tokio::test]
async fn an_answer_that_is_packed_comes_in_pieces_only_where_these_are_known() {
    let server = running("").await;
    let ask = operation(&server.keys[0], "{ viewer { publisher { slug } } }");
    let with = |header: &str| {
        let headers = format!("\r\nAccept-Encoding: gzip\r\n{header}\r\n");
        ask.replacen("\r\n", &headers, 1)
    };
    let old = with("Connection: keep-alive").replacen("HTTP/1.1", "HTTP/1.0", 1);
    let other = with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c");
    for (request, is_in_pieces) in [(old, false), (other, true)] {
        let mut wire = plain(&server);
        wire.write_all(request.as_bytes()).unwrap();
        let head = one_head(&mut wire);
        assert!(head.contains(" 200 ok\r\n"), "{head}");
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        let pieces = "transfer-encoding: chunked\r\n";
        assert_eq!(head.contains(pieces), is_in_pieces, "{head}");
        assert!(!head.contains("keep-alive"), "{head}");
        let body = rest(&mut wire);
        if is_in_pieces {
            assert!(head.contains("connection: close\r\n"), "{head}");
            assert!(body.ends_with(b"\r\n0\r\n\r\n"));
        } else {
            let body = unpacked(ContentEncoding::Gzip, body).await;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["data"]["viewer"]["publisher"]["slug"], "one");
        }
    }
}

/// `curl --http2` and browsers ask so; they get HTTP/1.1, whole, and the end of the connection.
#[tokio::test]
async fn who_asks_for_another_protocol_gets_this_one() {
    let server = running("").await;
    for wish in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: Upgrade\r\nUpgrade: websocket",
    ] {
        for coding in ["identity", "gzip"] {
            let mut wire = plain(&server);
            write!(
                wire,
                "{}\r\nAccept-Encoding: {coding}\r\n{wish}\r\n\r\n",
                SCHEMA.trim_end()
            )
            .unwrap();
            let answer = rest(&mut wire);
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
            let (head, body) = answer.split_at(end.unwrap() + 4);
            let head = String::from_utf8(head.to_vec()).unwrap().to_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert!(head.contains("connection: close"), "{head}");
            assert!(!head.contains("transfer-encoding"), "{head}");
            if coding == "identity" {
                let length = format!("content-length: {}\r\n", body.len());
                assert!(head.contains(&length), "{head}");
                assert!(body.ends_with(b"}\n"), "all of it");
            } else {
                assert_eq!(body[..2], [0x1f, 0x8b], "gzip");
            }
        }
    }
}

async fn unpacked(way: ContentEncoding, body: Vec<u8>) -> Vec<u8> {
    let whole = futures::stream::iter([Ok::<_, PayloadError>(Bytes::from(body))]);
    let pieces: Vec<Bytes> = Decoder::new(whole, way).try_collect().await.unwrap();
    pieces.concat()
}

/// Whoever asks for it again and again, without a key, keeps no processor busy.
#[tokio::test]
async fn a_public_file_is_compressed_once() {
    let server = running("").await;
    let mut wire = plain(&server);
    let mut answers = std::io::BufReader::new(wire.try_clone().unwrap());
    let mut ask = |way: &str| {
        let head = SCHEMA.trim_end();
        write!(wire, "{head}\r\nAccept-Encoding: {way}\r\n\r\n").unwrap();
        one_answer(&mut answers)
    };
    let (head, schema) = ask("identity");
    assert!(!head.contains("content-encoding"), "{head}");
    for way in [
        ContentEncoding::Brotli,
        ContentEncoding::Gzip,
        ContentEncoding::Deflate,
        ContentEncoding::Zstd,
    ] {
        let (head, first) = ask(way.as_str());
        let told = format!("content-encoding: {}\r\n", way.as_str());
        assert!(head.contains(&told), "{head}");
        assert!(head.contains("vary: accept-encoding\r\n"), "{head}");
        assert!(first.len() < schema.len() / 2, "{}", first.len());
        let before = busy();
        for _ in 0..40 {
            assert_eq!(ask(way.as_str()).1, first);
        }
        let busy = busy().saturating_sub(before);
        assert!(busy < 40 * PAUSE, "{busy:?} for {way:?}");
        assert_eq!(unpacked(way, first).await, schema);
    }
}

/// How many connections a process may hold one end of, two thousand at most.
fn many() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let (_, line) = limits.split_once("Max open files").unwrap();
    let files = line.split_whitespace().next().unwrap().parse::<u64>();
    files.unwrap_or(u64::MAX).saturating_sub(200).min(2_000)
}

/// What each of so many connections costs that cost so much together, which is printed.
#[expect(
    clippy::print_stderr,
    reason = "a figure for people, which nextest shows on request"
)]
fn each(what: &str, count: u64, bytes: u64) -> u64 {
    let each = bytes / count;
    eprintln!("{count} connections {what}: {each} bytes each");
    each
}

/// The server is a process of its own, as people run it, so that the clients' ends of the connections count for nothing.
#[tokio::test]
async fn connections_that_do_nothing_cost_little() {
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let settings = [
        ("ACTIONGRAPH_MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("ACTIONGRAPH_KEEP_ALIVE_SECONDS", "86400"),
        ("ACTIONGRAPH_HEAD_DEADLINE_MS", "600000"),
    ];
    let server = serve(&url, &settings);
    let usage = Usage::of(server.id());
    let plain = || {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let alive = |wire: &mut TcpStream| {
        wire.write_all(ALIVE.as_bytes()).unwrap();
        assert!(one_answer(wire).0.starts_with("http/1.1 200"));
    };
    // What is kept for good is there before.
    for _ in 0..50 {
        alive(&mut plain());
    }
    let count = many();
    let before = usage.resident();
    let grown = || usage.resident().saturating_sub(before);
    let mut idle: Vec<TcpStream> = (0..count).map(|_| plain()).collect();
    idle.iter_mut().for_each(alive);
    let idle_each = each("that have had an answer", count, grown());
    assert!(idle_each <= IDLE, "{idle_each} bytes");
    let half = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(32_000));
    for wire in &mut idle {
        wire.write_all(half.as_bytes()).unwrap();
    }
    // All of them were read when the last of each thread's was, which it says by answering.
    for wire in idle.iter_mut().rev().take(50) {
        wire.write_all(b"\r\nHost: x\r\n\r\n").unwrap();
        let mut status = [0; 12];
        wire.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 307");
    }
    let half_each = each("with 32 kB of a head", count, grown());
    assert!(half_each <= HALF, "{half_each} bytes");
}
