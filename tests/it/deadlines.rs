//! Time and connections over raw sockets: what is too slow is answered in the form of all errors with the limit that it
//! passed, leaves nothing running at the database, and holds nobody else up; a connection too many waits its turn.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::is_postgres;
use crate::support::server::{Running, running};

/// Longer than any of these answers takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn socket(server: &Running) -> TcpStream {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A request with a body of which so much is announced.
fn request(server: &Running, path: &str, length: usize, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
        server.keys[0]
    )
}

/// The head and the JSON of an answer, read until the server closes.
fn read(mut socket: TcpStream) -> (String, Value) {
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let body = serde_json::from_str(body.trim());
    (
        head.to_owned(),
        body.unwrap_or_else(|error| panic!("{error}: {text}")),
    )
}

fn asked(server: &Running, query: &str) -> (String, Value) {
    let body = json!({ "query": query }).to_string();
    let mut socket = socket(server);
    write!(socket, "{}", request(server, "/graphql", body.len(), &body)).unwrap();
    read(socket)
}

/// That the server answers others.
fn check_healthy(server: &Running) {
    let (head, body) = asked(server, "{ viewer { publisher { slug } } }");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body["data"]["viewer"]["publisher"]["slug"], "one", "{body}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_names_its_limit() {
    let server = running("body_deadline_ms = 200").await;
    for path in ["/graphql", "/import"] {
        let mut slow = socket(&server);
        write!(slow, "{}", request(&server, path, 100, "{")).unwrap();
        let (head, body) = read(slow);
        assert!(head.starts_with("HTTP/1.1 408"), "{path}: {head}");
        let told = &body["errors"][0]["extensions"];
        assert_eq!(told["code"], "TIMEOUT", "{path}: {body}");
        assert_eq!(told["limit"], "bodyMilliseconds", "{path}: {body}");
        assert_eq!(told["maximum"], 200, "{path}: {body}");
        check_healthy(&server);
    }
}

/// A connection beside the server's, to a database that can hold it up.
async fn outside(server: &Running) -> DatabaseConnection {
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection beside the server's"
    )]
    let outside = Database::connect(&server.url).await;
    outside.unwrap()
}

/// A lock that every reader of actions waits for, until it is rolled back.
async fn lock(outside: &DatabaseConnection) -> sea_orm::DatabaseTransaction {
    #[expect(
        clippy::disallowed_methods,
        reason = "the lock that holds the server up"
    )]
    let lock = sea_orm::TransactionTrait::begin(outside).await.unwrap();
    lock.execute_unprepared("LOCK TABLE actions IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    lock
}

/// Waits until nobody waits for a lock any more: what was given up is cancelled at the database.
async fn nobody_waits(outside: &DatabaseConnection) {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let cancelled = async {
        loop {
            let sql = Statement::from_string(DbBackend::Postgres, waiting);
            if outside.query_all_raw(sql).await.unwrap().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, cancelled)
        .await
        .expect("the statement is cancelled");
}

/// Reports by quarters of an hour over months, which takes the planning alone longer than the least that can be set.
fn long_question() -> String {
    let report = |name: &str| {
        format!(
            "{name}: report(range: {{days: {{from: \"2024-01-01\", to: \"2024-04-13\"}}}}, bucket: QUARTER_HOUR, fillGaps: true, \
             first: 100) {{ nodes {{ values {{ actions }} }} totals {{ actions }} }} "
        )
    };
    let reports: Vec<String> = ('a'..='t').map(|name| report(&name.to_string())).collect();
    format!("{{ {} }}", reports.concat())
}

#[tokio::test]
async fn an_operation_over_its_time_is_given_up_with_its_statement() {
    let (milliseconds, question) = if is_postgres() {
        (500, "{ actions { nodes { id } } }".to_owned())
    } else {
        // Readers of SQLite wait for nobody, so that the question itself has to be long.
        (10, long_question())
    };
    let settings = format!(
        "request_deadline_ms = {milliseconds}\nstatement_deadline_ms = 600000\nbudget_capacity = 0"
    );
    let server = running(&settings).await;
    let beside = if is_postgres() {
        Some(outside(&server).await)
    } else {
        None
    };
    let held = match &beside {
        Some(beside) => Some(lock(beside).await),
        None => None,
    };
    let (head, body) = asked(&server, &question);
    assert!(head.starts_with("HTTP/1.1 504"), "{head}\n{body:.300}");
    assert!(head.to_lowercase().contains("retry-after: "), "{head}");
    assert!(body.get("data").is_none(), "{body}");
    let told = &body["errors"][0];
    assert_eq!(told["extensions"]["code"], "TIMEOUT", "{body}");
    assert_eq!(
        told["extensions"]["limit"], "operationMilliseconds",
        "{body}"
    );
    assert_eq!(told["extensions"]["maximum"], milliseconds, "{body}");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("shorter range"), "{message}");
    if let (Some(beside), Some(held)) = (beside, held) {
        nobody_waits(&beside).await;
        // Others are answered while the table is still locked, and everybody after.
        let (head, _) = asked(&server, "{ viewer { scopes } }");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        held.rollback().await.unwrap();
        let (head, body) = asked(&server, &question);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body["data"]["actions"]["nodes"], json!([]), "{body}");
    }
}

#[tokio::test]
async fn a_statement_over_its_time_fails_its_field_alone() {
    if !is_postgres() {
        // Nothing holds a statement of SQLite up from outside; src/store/tx/tests.rs ends one that runs for ever.
        return;
    }
    let server = running("statement_deadline_ms = 300\nrequest_deadline_ms = 600000").await;
    let beside = outside(&server).await;
    let held = lock(&beside).await;
    let (head, body) = asked(
        &server,
        "{ viewer { scopes } late: actions { nodes { id } } }",
    );
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body["data"]["viewer"]["scopes"].is_array(), "{body}");
    assert_eq!(body["data"]["late"], Value::Null, "{body}");
    let told = &body["errors"][0];
    assert_eq!(told["path"], json!(["late"]), "{body}");
    assert_eq!(told["extensions"]["code"], "TIMEOUT", "{body}");
    assert_eq!(
        told["extensions"]["limit"], "statementMilliseconds",
        "{body}"
    );
    assert_eq!(told["extensions"]["maximum"], 300, "{body}");
    assert_eq!(told["extensions"]["coordinate"], "Query.actions", "{body}");
    nobody_waits(&beside).await;
    held.rollback().await.unwrap();
    check_healthy(&server);
}

/// It is neither refused nor lost: it waits, as a connection that the system holds, and is answered when there is room.
#[tokio::test]
async fn a_connection_beyond_the_limit_waits_until_another_ends() {
    let server = running("max_connections = 2\nworkers = 1\nkeep_alive_seconds = 600").await;
    let alive = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut held = socket(&server);
            held.write_all(alive.as_bytes()).unwrap();
            // An answer says that the server has taken the connection.
            let mut answer = [0; 12];
            held.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            held
        })
        .collect();
    let mut surplus = socket(&server);
    let body = json!({ "query": "{ viewer { publisher { slug } } }" }).to_string();
    write!(
        surplus,
        "{}",
        request(&server, "/graphql", body.len(), &body)
    )
    .unwrap();
    surplus
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let early = surplus.peek(&mut [0]).expect_err("it waits");
    assert!(
        matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "neither answered nor closed: {early}"
    );
    drop(held);
    surplus.set_read_timeout(Some(PATIENCE)).unwrap();
    let (head, body) = read(surplus);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body["data"]["viewer"]["publisher"]["slug"], "one", "{body}");
    check_healthy(&server);
}
