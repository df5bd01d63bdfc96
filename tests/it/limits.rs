//! What a request may cost and how it may come in: each limit is told, configurable, and refuses by name.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::client::client;
use crate::support::is_postgres;
use crate::support::server::{Running, running};

async fn sent(server: &Running, key: &str, body: &Value) -> Response {
    let request = server.client.post(server.at("/graphql")).bearer_auth(key);
    request.json(body).send().await.unwrap()
}

async fn answer(server: &Running, query: &str) -> Value {
    server.ask(&server.keys[0], query).await
}

fn socket(server: &Running) -> TcpStream {
    let socket = TcpStream::connect(server.address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket
}

/// Whether an answer has come, before anybody reads it.
fn is_answered(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let is_answered = socket.peek(&mut [0]).is_ok();
    socket.set_nonblocking(false).unwrap();
    is_answered
}

/// Every limit of documents and variables, set low: what is refused names it as `limits` does.
#[tokio::test]
async fn every_limit_can_be_set_and_refuses_by_its_name() {
    for (setting, value, limit, query, variables) in [
        ("max_document_bytes", 120, "documentBytes", format!("{{ viewer {{ scopes }} }} # {}", "x".repeat(200)), json!({})),
        ("max_document_tokens", 10, "documentTokens", "{ viewer { scopes publisher { slug name } } limits { nodes } }".to_owned(), json!({})),
        ("max_document_nesting", 5, "documentNesting", "{ a { b { c { d { e { f } } } } } }".to_owned(), json!({})),
        ("max_document_depth", 2, "documentDepth", "{ viewer { publisher { slug } } }".to_owned(), json!({})),
        ("max_document_selections", 10, "documentSelections", "{ ...A ...A b: viewer { scopes } } fragment A on Query { viewer { scopes key { label prefix } credential } }".to_owned(), json!({})),
        ("max_document_aliases", 1, "documentAliases", "{ a: viewer { scopes } b: viewer { scopes } }".to_owned(), json!({})),
        ("max_document_repeats", 1, "documentRepeats", "{ viewer { scopes } viewer { scopes } }".to_owned(), json!({})),
        ("max_document_fields", 1, "documentFields", "{ viewer { scopes } limits { nodes } }".to_owned(), json!({})),
        ("max_document_directives", 1, "documentDirectives", "{ viewer @skip(if: false) @include(if: true) { scopes } }".to_owned(), json!({})),
        ("max_document_all_directives", 1, "documentAllDirectives", "{ viewer @skip(if: false) { scopes @skip(if: false) } }".to_owned(), json!({})),
        ("max_document_operations", 1, "documentOperations", "query A { viewer { scopes } } query B { viewer { scopes } }".to_owned(), json!({})),
        ("max_root_fields", 1, "rootFields", "{ viewer { scopes } limits { nodes } }".to_owned(), json!({})),
        ("max_variables", 1, "variables", "query($a: Int, $b: Int) { actions(first: $a, last: $b) { totalCount } }".to_owned(), json!({})),
        ("max_variable_values", 1, "variableValues", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }".to_owned(), json!({"ids": ["a", "b"]})),
        ("max_variable_bytes", 5, "variableBytes", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }".to_owned(), json!({"ids": ["abcdef"]})),
        ("max_written_bytes", 10_000, "writtenBytes", "query($text: String) { products(filter: {name: {eq: $text}}) { totalCount } }".to_owned(), json!({"text": "x".repeat(10_000)})),
        ("max_page_rows", 7, "pageRows", "{ actions(first: 8) { nodes { id } } }".to_owned(), json!({})),
        ("max_operation_rows", 7, "operationRows", "{ actions(first: 8) { nodes { id } } }".to_owned(), json!({})),
        ("max_operation_cost", 10, "cost", "{ actions(first: 100) { nodes { id } } }".to_owned(), json!({})),
    ] {
        let server = running(&format!("{setting} = {value}")).await;
        let body = json!({ "query": query, "variables": variables });
        let refused: Value = sent(&server, &server.keys[0], &body).await.json().await.unwrap();
        assert!(refused.get("data").is_none(), "{setting}: {refused}");
        let error = &refused["errors"][0];
        let told = &error["extensions"];
        assert_eq!(told["limit"], limit, "{setting}: {refused}");
        assert_eq!(told["maximum"], value, "{setting}: {refused}");
        assert!(told["value"].as_u64() > Some(value), "{setting}: {refused}");
        let code = told["code"].as_str().unwrap();
        assert!(["LIMIT_EXCEEDED", "COST_EXCEEDED"].contains(&code), "{setting}: {refused}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&value.to_string()), "{setting}: {message}");
        // What `limits` tells is what was set, where its own question fits the limit.
        let shown = answer(&server, &format!("{{ limits {{ {limit} }} }}")).await;
        if shown.get("errors").is_none() {
            assert_eq!(shown["data"]["limits"][limit], value, "{setting}");
        }
    }
}

#[tokio::test]
async fn a_limit_names_the_field_and_argument_of_the_schema() {
    let server = running("max_page_rows = 50").await;
    let told = answer(&server, "{ list: actions(first: 51) { nodes { id } } }").await;
    let extensions = &told["errors"][0]["extensions"];
    assert_eq!(extensions["coordinate"], "Query.actions(first:)", "{told}");
    let told = answer(
        &server,
        "{ limits { pages { maximum } reportPages { maximum } } }",
    )
    .await;
    assert_eq!(
        told["data"]["limits"],
        json!({"pages": {"maximum": 50}, "reportPages": {"maximum": 50}})
    );
    // A limit of the field itself, met while it is answered, under any name.
    let server = running("").await;
    let told = answer(
        &server,
        "{ some: products(last: 101) { nodes { id } } viewer { scopes } }",
    )
    .await;
    let extensions = &told["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "LIMIT_EXCEEDED", "{told}");
    assert_eq!(extensions["coordinate"], "Query.products(last:)", "{told}");
    assert!(told["data"]["viewer"]["scopes"].is_array(), "{told}");
}

#[tokio::test]
async fn errors_are_as_many_and_as_long_as_the_settings_say() {
    let server = running("max_errors = 2\nmax_error_characters = 40").await;
    let told = answer(&server, "{ a b c d e }").await;
    let errors = told["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{told}");
    for error in errors {
        assert!(
            error["message"].as_str().unwrap().chars().count() <= 40,
            "{told}"
        );
    }
    let told = answer(&server, "{ a: products(last: 101) { nodes { id } } b: products(last: 101) { nodes { id } } c: products(last: 101) { nodes { id } } }").await;
    assert_eq!(told["errors"].as_array().unwrap().len(), 2, "{told}");
}

#[tokio::test]
async fn a_body_is_as_large_as_the_settings_say() {
    let server = running("max_body_bytes = 2000").await;
    let body =
        json!({ "query": "{ viewer { scopes } }", "extensions": { "x": "y".repeat(2_000) } });
    let refused = sent(&server, &server.keys[0], &body).await;
    assert_eq!(refused.status(), 413);
    let told: Value = refused.json().await.unwrap();
    let extensions = &told["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["limit"], &extensions["maximum"]),
        (&json!("bodyBytes"), &json!(2000))
    );
    assert!(extensions["value"].as_u64() > Some(2_000));
    let shown = answer(&server, "{ limits { bodyBytes operationMilliseconds } }").await;
    assert_eq!(
        shown["data"]["limits"],
        json!({"bodyBytes": 2000, "operationMilliseconds": 10000})
    );
}

/// One request that has not sent its body is inside; the next one does not get in.
#[tokio::test]
async fn so_many_operations_run_at_a_time_and_no_more() {
    for (settings, others) in [
        ("max_concurrent_operations = 1", 503),
        ("max_concurrent_operations_per_caller = 1", 200),
        ("max_concurrent_operations_per_address = 1", 200),
    ] {
        // However slow the machine is, the first waits for its body.
        let server = running(&format!("{settings}\nbody_deadline_ms = 120000")).await;
        let body = "{\"query\":\"{ viewer { scopes } }\"}";
        let (first, rest) = body.split_at(5);
        let begin = || {
            let mut slow = socket(&server);
            write!(
                slow,
                "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
                server.keys[0],
                body.len()
            )
            .unwrap();
            slow
        };
        let mut slow = begin();
        let query = json!({ "query": "{ viewer { scopes } }" });
        // It takes a moment until the first is inside, and another can be there before it.
        let refused = loop {
            let answer = sent(&server, &server.keys[0], &query).await;
            if answer.status() != 200 {
                break answer;
            }
            if is_answered(&slow) {
                slow = begin();
            }
        };
        assert_eq!(refused.status(), if others == 503 { 503 } else { 429 });
        assert_eq!(refused.headers()["retry-after"], "1");
        let told: Value = refused.json().await.unwrap();
        let limit = told["errors"][0]["extensions"]["limit"].as_str().unwrap();
        assert!(limit.starts_with("concurrentOperations"), "{told}");
        assert_eq!(told["errors"][0]["extensions"]["maximum"], 1);
        let other = sent(&server, &server.keys[1], &query).await;
        assert_eq!(other.status(), others);
        // Whoever uses the same key elsewhere.
        let elsewhere = client().local_address(IpAddr::from([127, 0, 0, 2]));
        let elsewhere = elsewhere.timeout(Duration::from_secs(60)).build().unwrap();
        let request = elsewhere.post(server.at("/graphql")).json(&query);
        let beside = request.bearer_auth(&server.keys[0]).send().await.unwrap();
        let is_of_address = limit == "concurrentOperationsPerAddress";
        assert_eq!(beside.status() == 200, is_of_address, "{settings}");
        slow.write_all(rest.as_bytes()).unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(sent(&server, &server.keys[0], &query).await.status(), 200);
    }
}

/// A file that is on its way has a place among the operations of whoever sends it.
#[tokio::test]
async fn files_on_their_way_count_like_operations() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "import_directory = {:?}\nmax_concurrent_operations_per_caller = 1\nbody_deadline_ms = 120000",
        folder.path()
    );
    let server = running(&settings).await;
    let begin = || {
        let mut slow = socket(&server);
        write!(
            slow,
            "POST /import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n[",
            server.keys[0]
        )
        .unwrap();
        slow
    };
    let mut slow = begin();
    let query = json!({ "query": "{ viewer { scopes } }" });
    let refused = loop {
        let answer = sent(&server, &server.keys[0], &query).await;
        if answer.status() != 200 {
            break answer;
        }
        if is_answered(&slow) {
            slow = begin();
        }
    };
    assert_eq!(refused.status(), 429);
    let file = server.client.post(server.at("/import")).body("[]");
    let file = file.bearer_auth(&server.keys[0]).send().await.unwrap();
    assert_eq!(file.status(), 429);
    let told: Value = file.json().await.unwrap();
    let limit = &told["errors"][0]["extensions"]["limit"];
    assert_eq!(limit, "concurrentOperationsPerCaller", "{told}");
    assert_eq!(sent(&server, &server.keys[1], &query).await.status(), 200);
    drop(slow);
    while sent(&server, &server.keys[0], &query).await.status() == 429 {}
}

#[tokio::test]
async fn connections_that_send_nothing_or_half_a_head_are_closed() {
    let server = running("head_deadline_ms = 1000\nkeep_alive_seconds = 1").await;
    let mut silent = socket(&server);
    let mut half = socket(&server);
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .unwrap();
    let mut idle = socket(&server);
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    for (what, socket, begins) in [
        ("silent", &mut silent, ""),
        ("half a head", &mut half, "HTTP/1.1 408"),
        ("idle", &mut idle, "HTTP/1.1 200"),
    ] {
        let mut text = String::new();
        // To the end: the server closes.
        socket.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(begins), "{what}: {text}");
    }
}

/// What an answer of a bucket that holds too little for so many points says is left in it.
fn left_when_empty(body: &Value, requested: u64) -> u64 {
    let told = &body["errors"][0]["extensions"];
    assert_eq!(told["code"], "RATE_LIMITED", "{body}");
    assert_eq!(told["limit"], "budgetCapacity", "{body}");
    assert_eq!(told["maximum"], 140, "as `limits` says: {body}");
    assert_eq!(told["value"], requested, "{body}");
    let cost = &body["extensions"]["cost"];
    assert_eq!(cost["requestedQueryCost"], requested, "{body}");
    assert_eq!(cost["maximumQueryCost"], 500_000, "{body}");
    assert!(cost.get("actualQueryCost").is_none(), "{body}");
    let throttle = &cost["throttle"];
    assert_eq!(throttle["capacity"], 140, "{body}");
    assert_eq!(throttle["restoreRate"], 10, "{body}");
    let left = throttle["available"].as_u64().unwrap();
    assert!(left < requested, "{body}");
    let words = body["errors"][0]["message"].as_str().unwrap();
    assert!(
        words.contains(&format!("{left} are left of 140")),
        "{words}"
    );
    left
}

#[tokio::test]
async fn a_caller_pays_from_a_bucket_that_fills_again() {
    let server = running("budget_capacity = 140\nbudget_restore = 10").await;
    let query = "{ actions(first: 40) { nodes { id } } }";
    let costs = async |key: &str| {
        let body = json!({ "query": query });
        let answer = sent(&server, key, &body).await;
        let again = answer.headers().get("retry-after").cloned();
        let (status, body): (_, Value) = (answer.status(), answer.json().await.unwrap());
        (status, again, body)
    };
    let (status, _, body) = costs(&server.keys[0]).await;
    assert_eq!(status, 200, "{body}");
    let cost = &body["extensions"]["cost"];
    let requested = cost["requestedQueryCost"].as_u64().unwrap();
    let actual = cost["actualQueryCost"].as_u64().unwrap();
    assert_eq!(requested, 125, "45 for the list, 2 for each action: {body}");
    assert!(actual < requested, "there are no rows to pay for: {body}");
    let throttle = &cost["throttle"];
    assert_eq!(
        (&throttle["capacity"], &throttle["restoreRate"]),
        (&json!(140), &json!(10))
    );
    assert_eq!(
        throttle["available"].as_u64(),
        Some(140 - actual),
        "what was not used came back"
    );
    let mut spent = 0;
    let refused = loop {
        let answer = costs(&server.keys[0]).await;
        if answer.0 != 200 {
            break answer;
        }
        spent += 1;
        assert!(spent < 60, "the bucket has no bottom");
    };
    let (status, again, body) = refused;
    assert_eq!(status, 429);
    let left = left_when_empty(&body, requested);
    let seconds: u64 = again.unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=14).contains(&seconds));
    assert_eq!(seconds, (requested - left).div_ceil(10), "{body}");
    assert_eq!(
        costs(&server.keys[1]).await.0,
        200,
        "another caller has another bucket"
    );
    server.clock.advance(Duration::from_secs(seconds));
    assert_eq!(costs(&server.keys[0]).await.0, 200, "as Retry-After said");
    let shown = answer(&server, "{ limits { budgetCapacity budgetRestoreRate } }").await;
    assert_eq!(
        shown["data"]["limits"],
        json!({"budgetCapacity": 140, "budgetRestoreRate": 10})
    );
    // What no bucket could ever hold is no matter of waiting.
    let body = json!({ "query": "{ actions(first: 100) { nodes { id } } }" });
    let refused = sent(&server, &server.keys[1], &body).await;
    let told: Value = refused.json().await.unwrap();
    assert_eq!(
        told["errors"][0]["extensions"]["code"], "COST_EXCEEDED",
        "{told}"
    );
    let value = &told["errors"][0]["extensions"]["value"];
    let cost = &told["extensions"]["cost"];
    assert_eq!(cost["requestedQueryCost"], *value, "{told}");
    assert_eq!(cost["throttle"]["capacity"], 140, "{told}");
}

/// The refusal of what is too dear for everybody tells what is left once it is paid; who has nothing left is told so, and no
/// price of what was not read.
#[tokio::test]
async fn a_refusal_for_its_cost_tells_what_is_left() {
    let settings = "budget_capacity = 2\nbudget_restore = 1\nmax_operation_cost = 10";
    let server = running(settings).await;
    let body = json!({ "query": "{ actions(first: 50) { nodes { id } } }" });
    for left in [1, 0] {
        let refused = sent(&server, &server.keys[0], &body).await;
        let told: Value = refused.json().await.unwrap();
        let error = &told["errors"][0]["extensions"];
        assert_eq!(error["code"], "COST_EXCEEDED", "{told}");
        let cost = &told["extensions"]["cost"];
        assert_eq!(cost["requestedQueryCost"], error["value"], "{told}");
        assert_eq!(cost["maximumQueryCost"], 10, "{told}");
        assert_eq!(cost["throttle"]["available"], left, "{told}");
    }
    let refused = sent(&server, &server.keys[0], &body).await;
    assert_eq!(refused.status(), 429);
    let told: Value = refused.json().await.unwrap();
    assert_eq!(
        told["extensions"]["cost"],
        json!({
            "maximumQueryCost": 10,
            "throttle": {"available": 0, "capacity": 2, "restoreRate": 1}
        })
    );
}

/// An answer that would be longer than it may be is told as such, whole and with its cost; what is short is answered.
#[tokio::test]
async fn an_answer_is_as_long_as_the_settings_say() {
    let server = running("max_answer_bytes = 10000").await;
    let shown = answer(&server, "{ limits { answerBytes } }").await;
    assert_eq!(shown["data"]["limits"]["answerBytes"], 10_000);
    let types = "{ __schema { types { name description } } }";
    let told = answer(&server, types).await;
    assert_eq!(told["data"], Value::Null);
    let error = &told["errors"][0];
    assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED", "{told}");
    assert_eq!(error["extensions"]["limit"], "answerBytes");
    assert_eq!(error["extensions"]["maximum"], 10_000);
    let words = error["message"].as_str().unwrap();
    assert!(
        words.contains("10000 bytes") && words.contains("smaller pages"),
        "{words}"
    );
    assert!(
        told["extensions"]["cost"]["actualQueryCost"]
            .as_u64()
            .unwrap()
            > 1
    );
}

/// Reading a long text is paid for as well, also where it is refused; and who has nothing left is answered before that.
#[tokio::test]
async fn long_requests_pay_for_being_read() {
    let server = running("budget_capacity = 1000\nbudget_restore = 1").await;
    let long =
        |query: &str| json!({ "query": query, "operationName": "A", "more": "x".repeat(204_800) });
    let left = async |query: &str| {
        let answered = sent(&server, &server.keys[0], &long(query)).await;
        let (status, told): (u16, Value) =
            (answered.status().into(), answered.json().await.unwrap());
        (status, told)
    };
    let (status, told) = left("query A { viewer { scopes } }").await;
    assert_eq!(status, 200, "{told}");
    let cost = &told["extensions"]["cost"];
    let (requested, actual) = (&cost["requestedQueryCost"], &cost["actualQueryCost"]);
    assert_eq!(requested, actual, "{told}");
    assert!((196..=210).contains(&requested.as_u64().unwrap()), "{told}");
    let available = cost["throttle"]["available"].as_u64().unwrap();
    assert_eq!(available, 1_000 - requested.as_u64().unwrap(), "{told}");
    // Four more that are refused take all that is left.
    for _ in 0..4 {
        let (_, told) = left("query A { nonsense }").await;
        assert_eq!(
            told["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED",
            "{told}"
        );
    }
    let (status, told) = left("query A { viewer { scopes } }").await;
    assert_eq!(status, 429, "{told}");
    // Nothing of the body came, and nobody waits for it.
    let begun = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n",
        server.keys[0]
    );
    let told = begun_at(&server, &begun);
    assert!(told.starts_with("HTTP/1.1 429"), "{told}");
}

/// Who comes back when it was told to is answered, however long the text that has to be read each time.
#[tokio::test]
async fn whoever_waits_as_long_as_told_is_answered() {
    let server = running("budget_capacity = 1000\nbudget_restore = 10").await;
    let body = json!({ "query": "{ viewer { scopes } }", "more": "x".repeat(204_800) });
    let refused = loop {
        let answered = sent(&server, &server.keys[0], &body).await;
        if answered.status() != 200 {
            break answered;
        }
    };
    assert_eq!(refused.status(), 429);
    let seconds = refused.headers()["retry-after"].to_str().unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    let told: Value = refused.json().await.unwrap();
    let words = told["errors"][0]["message"].as_str().unwrap();
    assert!(words.contains(&format!("again in {seconds} s")), "{told}");
    server.clock.advance(Duration::from_secs(seconds));
    let answered = sent(&server, &server.keys[0], &body).await;
    assert_eq!(answered.status(), 200);
}

/// How the answer begins to a request of which no more is sent.
fn begun_at(server: &Running, begun: &str) -> String {
    let mut socket = socket(server);
    socket.write_all(begun.as_bytes()).unwrap();
    let mut start = [0; 12];
    socket.read_exact(&mut start).unwrap();
    String::from_utf8_lossy(&start).into_owned()
}

/// Documents that are refused are paid for, too: reading them takes time.
#[tokio::test]
async fn nonsense_is_not_free() {
    let server = running("budget_capacity = 3\nbudget_restore = 1").await;
    let body = json!({ "query": "{ nonsense" });
    for _ in 0..3 {
        assert_eq!(sent(&server, &server.keys[0], &body).await.status(), 200);
    }
    assert_eq!(sent(&server, &server.keys[0], &body).await.status(), 429);
}

/// Whatever is refused before it runs takes a point, and is answered 429 when there is none.
#[tokio::test]
async fn no_refusal_is_free() {
    let trusted = tempfile::tempdir().unwrap();
    let path = trusted.path().join("trusted.json");
    let known = "{ viewer { credential } }";
    let hash = actiongraph::access::documents::sha256(known);
    std::fs::write(&path, json!({ hash: known }).to_string()).unwrap();
    let path = path.to_str().unwrap();
    let enforced = format!("trusted_documents = {path:?}\ntrusted_documents_mode = \"enforce\"");
    let query = |text: &str| json!({ "query": text }).to_string();
    for (what, settings, body) in [
        ("json", "", "{ \"query\": ".to_owned()),
        (
            "id",
            "",
            json!({ "documentId": "0".repeat(64) }).to_string(),
        ),
        ("untrusted", &*enforced, query("{ viewer { scopes } }")),
        (
            "introspection",
            "introspection = \"off\"",
            query("{ __schema { queryType { name } } }"),
        ),
        (
            "too dear",
            "max_operation_cost = 10",
            query("{ actions(first: 50) { nodes { id } } }"),
        ),
        (
            "above the budget",
            "",
            query("{ actions(first: 50) { nodes { id } } }"),
        ),
        (
            "a scalar",
            "",
            query("{ actions(filter: {country: {eq: \"RUS\"}}) { totalCount } }"),
        ),
    ] {
        let settings = format!("budget_capacity = 3\nbudget_restore = 1\n{settings}");
        let server = running(&settings).await;
        let ask = || async {
            let request = server.client.post(server.at("/graphql"));
            let request = request.bearer_auth(&server.keys[0]);
            let request = request.header("content-type", "application/json");
            request
                .body(body.clone())
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        };
        for _ in 0..3 {
            assert_ne!(ask().await, 429, "{what}");
        }
        assert_eq!(ask().await, 429, "{what}");
    }
    // The file of targets is refused at the same price.
    let server = running("budget_capacity = 3\nbudget_restore = 1").await;
    let ask = || async {
        let address = server.at("/traffic-targets.csv?colour=red");
        let request = server.client.get(address).bearer_auth(&server.keys[0]);
        request.send().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(ask().await.status(), 400);
    }
    let refused = ask().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
}

/// What a caller may not do takes a point likewise.
#[tokio::test]
async fn what_a_caller_may_not_do_is_not_free() {
    use crate::support::server::key_of;
    use actiongraph::domain::scope::KeyScope;
    let server = running("budget_capacity = 3\nbudget_restore = 1").await;
    let (store, one) = (&server.store, &server.publishers[0]);
    let key = key_of(store, one, &[KeyScope::Import], server.now()).await;
    let body = json!({ "query": "{ viewer { scopes } }" });
    for _ in 0..3 {
        assert_eq!(sent(&server, &key, &body).await.status(), 403, "no READ");
    }
    assert_eq!(sent(&server, &key, &body).await.status(), 429, "no READ");
    let mutation = [(
        "query",
        "mutation { revokeApiKey(key: \"x\") { userErrors { code } } }",
    )];
    let by_get = || async {
        let request = server.client.get(server.at("/graphql")).query(&mutation);
        let request = request.bearer_auth(&server.keys[0]);
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(by_get().await, 405);
    }
    assert_eq!(by_get().await, 429);
}

#[tokio::test]
async fn an_estimate_executes_nothing() {
    let server = running("").await;
    let body = json!({ "query": "{ actions(first: 40) { nodes { id } totals { count } } }" });
    let request = server
        .client
        .post(server.at("/graphql"))
        .bearer_auth(&server.keys[0]);
    let request = request.header("x-actiongraph-estimate", "true").json(&body);
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    let cost = &told["extensions"]["cost"];
    assert_eq!(told["data"], Value::Null, "{told}");
    assert!(told.get("errors").is_none(), "{told}");
    assert!(cost["requestedQueryCost"].as_u64() > Some(40), "{told}");
    assert_eq!(cost["statements"], 0);
    assert_eq!(cost["rows"], 40);
    assert!(cost.get("actualQueryCost").is_none(), "{told}");
    let whole: Value = sent(&server, &server.keys[0], &body)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        whole["extensions"]["cost"]["requestedQueryCost"],
        cost["requestedQueryCost"]
    );
}

/// It is read as any request is, and pays for that.
#[tokio::test]
async fn an_estimate_pays_for_being_read() {
    let server = running("budget_capacity = 1000\nbudget_restore = 1").await;
    let query = "{ actions(first: 40) { nodes { id } } }";
    let body = json!({ "query": query, "more": "x".repeat(204_800) }).to_string();
    let reading = (body.len() - 4_096).div_ceil(1_024);
    for times in 1..=4 {
        let request = server.client.post(server.at("/graphql"));
        let request = request.bearer_auth(&server.keys[0]);
        let request = request.header("content-type", "application/json");
        let request = request.header("x-actiongraph-estimate", "true");
        let told = request.body(body.clone()).send().await.unwrap();
        let told: Value = told.json().await.unwrap();
        let left = &told["extensions"]["cost"]["throttle"]["available"];
        assert_eq!(*left, 1_000 - times * (1 + reading), "{told}");
    }
}

/// A client that goes away leaves nothing running at the database.
#[tokio::test]
async fn who_goes_away_takes_the_statement_along() {
    use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
    if !is_postgres() {
        // SQLite's readers wait for nobody, so that nothing can be held up from outside; src/store/tx/tests.rs ends
        // a statement that runs for ever.
        return;
    }
    let server = running("request_deadline_ms = 600000\nstatement_deadline_ms = 600000").await;
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection beside the server's"
    )]
    let outside = Database::connect(&server.url).await.unwrap();
    let run = async |sql: &str| {
        let sql = Statement::from_string(DbBackend::Postgres, sql.to_owned());
        outside.query_all_raw(sql).await.unwrap()
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the lock that holds the server up"
    )]
    let lock = sea_orm::TransactionTrait::begin(&outside).await.unwrap();
    lock.execute_unprepared("LOCK TABLE actions IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut gone = socket(&server);
    let body = json!({ "query": "{ actions { nodes { id } } }" }).to_string();
    write!(
        gone,
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.keys[0],
        body.len()
    )
    .unwrap();
    while run(waiting).await.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(gone);
    while !run(waiting).await.is_empty() {
        tokio::task::yield_now().await;
    }
    lock.rollback().await.unwrap();
    let told = answer(&server, "{ actions { totalCount } }").await;
    assert_eq!(told["data"]["actions"]["totalCount"], 0);
    // Nothing of its price came back: what it did until then is not known.
    let cost = &told["extensions"]["cost"];
    let points = |value: &Value| value.as_u64().unwrap();
    let throttle = &cost["throttle"];
    let left = points(&throttle["available"]) + points(&cost["actualQueryCost"]);
    assert!(left < points(&throttle["capacity"]), "{told}");
}
