//! Callers share the readers of the database: one that asks slow questions waits for them itself, and others do not.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use actiongraph::domain::scope::KeyScope;
use futures::future::join_all;
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::drafts::Shape;
use crate::support::is_postgres;
use crate::support::server::{Running, running};
use crate::support::world::{World, block_on};

/// More than either database has readers.
const MANY: usize = 24;

const SLOW: &str = "{ programs { nodes { id } } }";
const QUICK: &str = "{ adSpaces { nodes { id } } }";

/// Looks through actions, and so has an estimate.
const COUNTED: &str = "actions(filter: {country: {eq: \"RU\"}}) { totalCount }";

/// Longer than one wait for a turn, and shorter than two.
const ONE_WAIT: Duration = Duration::from_secs(8);

/// Changes the tables under the server.
async fn alter(server: &Running, statements: &[String]) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection beside the server's, which changes its tables"
    )]
    let db = Database::connect(&server.url).await.unwrap();
    for sql in statements {
        db.execute_unprepared(sql).await.unwrap();
    }
    db.close().await.unwrap();
}

/// Makes whoever reads programs wait until the statement is ended.
async fn slow_down(server: &Running) {
    let endless = if is_postgres() {
        "SELECT COUNT(*) FROM pg_sleep(600)"
    } else {
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n WHERE x < 0"
    };
    let statements = [
        "ALTER TABLE programs RENAME TO programs_kept".to_owned(),
        format!("CREATE VIEW programs AS SELECT p.* FROM programs_kept p WHERE ({endless}) >= 0"),
    ];
    alter(server, &statements).await;
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
    let counted = format!("{{ {COUNTED} }}");
    server.data(0, &counted).await;
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

    // All fields of an operation wait for one turn together, and what has read nothing is not paid.
    let both = format!("{{ a: {COUNTED} b: adSpaces {{ nodes {{ id }} }} }}");
    let refused = server.ask(&server.keys[0], &both);
    let refused = tokio::time::timeout(ONE_WAIT, refused).await.unwrap();
    assert_eq!(
        refused["data"],
        json!({ "a": null, "b": null }),
        "{refused}"
    );
    let errors = refused["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{refused}");
    for error in errors {
        let told = &error["extensions"]["code"];
        assert_eq!(told, "SERVICE_UNAVAILABLE", "{refused}");
    }
    let cost = &refused["extensions"]["cost"];
    assert!(cost["requestedQueryCost"].as_u64() > Some(2), "{refused}");
    assert_eq!(cost["actualQueryCost"], 1, "{refused}");

    // What an estimate looks up waits for a turn as well: what is known of the data is old now.
    server.clock.advance(Duration::from_secs(60));
    let refused = server.ask(&server.keys[0], &counted).await;
    assert_eq!(code(&refused), Some("SERVICE_UNAVAILABLE"), "{refused}");
    assert_eq!(refused.get("data"), None, "{refused}");
    server.data(1, &counted).await;

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

/// A body of a question by GET is read by nobody, so that it is thrown away: behind it the sender's end is seen.
#[tokio::test]
async fn who_goes_away_behind_a_body_that_nobody_reads_is_missed() {
    let settings = "statement_deadline_ms = 600000\nrequest_deadline_ms = 600000\nmax_concurrent_operations_per_caller = 1";
    let server = running(settings).await;
    slow_down(&server).await;
    let mut socket = TcpStream::connect(server.address).unwrap();
    write!(
        socket,
        "GET /graphql?query=%7Bprograms%7Bnodes%7Bid%7D%7D%7D HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 1000000\r\n\r\n{}",
        server.keys[0],
        "x".repeat(100_000)
    )
    .unwrap();
    let ask = async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.ask(&server.keys[0], QUICK).await
    };
    let answer = loop {
        let answer = ask().await;
        if answer.get("errors").is_some() {
            break answer;
        }
    };
    assert_eq!(code(&answer), Some("RATE_LIMITED"), "{answer}");
    drop(socket);
    let come_in = async { while ask().await.get("errors").is_some() {} };
    let come_in = tokio::time::timeout(Duration::from_secs(60), come_in).await;
    come_in.expect("its question is still under way");
}

/// It was read and looked at, whoever is at fault.
#[tokio::test]
async fn what_fails_before_an_operation_is_paid_for() {
    const TIMES: u64 = 3;
    // The clock stands still, so that nothing comes back.
    let server = running("").await;
    let left = async || {
        let told = server.ask(&server.keys[0], "{ viewer { scopes } }").await;
        let throttle = &told["extensions"]["cost"]["throttle"];
        throttle["available"].as_u64().unwrap()
    };
    // What an estimate looks up is not there.
    let broken = "ALTER TABLE totals_time RENAME TO totals_time_kept".to_owned();
    alter(&server, &[broken]).await;
    let first = left().await;
    let before = left().await;
    let query = format!("{{ {COUNTED} }} # {}", "x".repeat(20 << 10));
    for _ in 0..TIMES {
        let failed = server.ask(&server.keys[0], &query).await;
        assert_eq!(failed.get("data"), None, "{failed}");
        assert_eq!(code(&failed), Some("INTERNAL_SERVER_ERROR"), "{failed}");
    }
    // Each a point, and one for each KiB of its text beyond the first four.
    let paid = before - left().await - (first - before);
    assert!(paid >= TIMES * 17, "{paid} points");
}

/// An estimate looks up what it needs before its operation holds a reader: operations that each wait for one more than they hold
/// would wait in vain, and then have the price of what could not be looked up.
#[test]
fn estimates_hold_no_reader_while_they_wait_for_another() {
    const SHAPE: Shape = Shape {
        drafts: 60,
        actions: 40,
        wild: false,
    };
    /// More than the shares of two callers, on either database.
    const TOGETHER: usize = 12;
    block_on(async {
        let world = World::rich(seed() + 41, SHAPE).await;
        let rule = "rule: {users: {metric: {metric: ACTIONS, atLeast: 2}}}";
        let made = format!(
            "mutation {{ made: createSegment(name: \"told\", {rule}) {{ segment {{ id }} }} }}"
        );
        let made = Api::of(&world, 0).data(&made, &json!({})).await;
        let id = &made["made"]["segment"]["id"];
        let world = world.in_columns().await;
        let callers = [1, 2]
            .map(|number| Api::of(&world, 0).with_key(Uuid::from_u128(number), KeyScope::ALL));
        let query = format!("{{ segment(id: {id}) {{ size }} productSegments {{ totalCount }} }}");
        let ask = async |caller: &Api| {
            let answer = caller.answer(&query, &json!({})).await;
            assert!(answer.get("errors").is_none(), "{answer}");
            let cost = &answer["extensions"]["cost"];
            cost["requestedQueryCost"].as_u64().unwrap()
        };
        let alone = ask(&callers[0]).await;
        let asked = (0..TOGETHER).map(|place| ask(&callers[place % 2]));
        let together = tokio::time::timeout(ONE_WAIT, join_all(asked)).await;
        assert_eq!(together.unwrap(), [alone; TOGETHER]);
    });
}
