//! Callers share the readers of the database: one that asks slow questions waits for them itself, and others do not.

use std::io::Write as _;
use std::net::TcpStream;

use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::support::is_postgres;
use crate::support::server::{Running, running};

/// More than either database has readers.
const MANY: usize = 24;

const SLOW: &str = "{ programs { nodes { id } } }";
const QUICK: &str = "{ adSpaces { nodes { id } } }";

/// Makes whoever reads programs wait until the statement is ended.
async fn slow_down(server: &Running) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection beside the server's, which makes a table slow"
    )]
    let db = Database::connect(&server.url).await.unwrap();
    let endless = if is_postgres() {
        "SELECT COUNT(*) FROM pg_sleep(600)"
    } else {
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n WHERE x < 0"
    };
    for sql in [
        "ALTER TABLE programs RENAME TO programs_kept".to_owned(),
        format!("CREATE VIEW programs AS SELECT p.* FROM programs_kept p WHERE ({endless}) >= 0"),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
    db.close().await.unwrap();
}

/// A question that is under way for as long as its connection stands.
fn under_way(server: &Running, key: &str, query: &str) -> TcpStream {
    let body = json!({ "query": query }).to_string();
    let mut socket = TcpStream::connect(server.address).unwrap();
    write!(
        socket,
        "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

fn code(answer: &Value) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

#[tokio::test]
async fn a_caller_with_slow_questions_holds_up_nobody_but_itself() {
    let settings = "statement_deadline_ms = 600000\nrequest_deadline_ms = 600000\nbudget_capacity = 0\nmax_concurrent_operations_per_address = 0";
    let server = running(settings).await;
    slow_down(&server).await;
    let slow: Vec<TcpStream> = (0..MANY)
        .map(|_| under_way(&server, &server.keys[0], SLOW))
        .collect();
    // Its next question finds no reader when its share is taken.
    let refused = loop {
        let answer = server.ask(&server.keys[0], QUICK).await;
        if answer.get("errors").is_some() {
            break answer;
        }
    };
    assert_eq!(code(&refused), Some("SERVICE_UNAVAILABLE"), "{refused}");
    let told = refused["errors"][0]["message"].as_str().unwrap();
    assert!(told.starts_with("This caller's other operations"), "{told}");

    // Others have theirs, and are recognised.
    for _ in 0..3 {
        let answer = server.ask(&server.keys[1], QUICK).await;
        assert_eq!(answer["data"]["adSpaces"]["nodes"], json!([]), "{answer}");
    }
    let ready = server.client.get(server.at("/readyz")).send().await;
    assert_eq!(ready.unwrap().status(), StatusCode::OK);
    let unknown = format!("ag_00000000_{}", "x".repeat(43));
    let request = server.client.post(server.at("/graphql"));
    let request = request
        .bearer_auth(unknown)
        .json(&json!({ "query": QUICK }));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);

    // Nothing is left of it when it goes away.
    drop(slow);
    while server
        .ask(&server.keys[0], QUICK)
        .await
        .get("errors")
        .is_some()
    {}
}
