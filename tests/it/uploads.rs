//! Files sent to the server, what their runs tell, who may send them, what becomes of an upload whose server is killed,
//! and rejected records that are mended.
//!
//! Not here: what formats there are and how they are read (`formats`).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use crate::support::books::{self, Cell};
use crate::support::server::{Running, key_of, running};
use actiongraph::access::REMEMBERED;
use actiongraph::domain::records::RunState;
use actiongraph::domain::scope::{KeyScope, WriteScope};
use actiongraph::domain::time::Instant;
use actiongraph::ingest::format::input::Reading;
use actiongraph::ingest::uploads::{UploadLimits, Uploads};
use actiongraph::store::uploads::{Upload, enqueue, renew, take};
use actiongraph::store::{ReadTx, imports};
use actiongraph::worker::imports::{Reader, Reads, SIGN};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

async fn with_folder(settings: &str) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let settings = format!("import_directory = \"{place}\"\n{settings}");
    (running(&settings).await, folder)
}

/// A page of so many actions, from the number `first` on; `bad` of them have no reward.
fn page(first: u64, count: u64, bad: u64) -> String {
    let actions: Vec<Value> = (first..first + count)
        .map(|number| {
            json!({"action_id": number, "advcampaign_id": 6115, "status": "pending", "currency": "USD",
                "payment": if number < first + bad { Value::Null } else { json!("1.50") },
                "action_date": "2024-03-05 13:30:00"})
        })
        .collect();
    json!({ "results": actions }).to_string()
}

impl Running {
    async fn upload(&self, key: &str, query: &str, body: Vec<u8>) -> (u16, Value) {
        let request = self.client.post(self.at(&format!("/import{query}")));
        let answer = request.bearer_auth(key).body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }
}

fn roomy() -> UploadLimits {
    UploadLimits {
        bytes: 10_000_000,
        waiting_files: 100,
        waiting_bytes: 1 << 30,
    }
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

/// Waits until the files are gone, which they are soon after their runs have ended.
async fn emptied(folder: &Path) {
    let gone = async {
        while !is_empty(folder) {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, gone)
        .await
        .expect("files that are in are gone");
}

#[tokio::test]
async fn a_file_that_is_sent_is_a_run_with_its_progress_and_its_report() {
    let (server, folder) = with_folder("").await;
    let key = &server.keys[0];
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(page(1, 50, 0).as_bytes()).unwrap();
    let (status, told) = server
        .upload(
            key,
            "?wait=true&name=May&utc_offset=%2B00:00",
            packed.finish().unwrap(),
        )
        .await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["run"]["state"], "SUCCEEDED", "{told}");
    assert_eq!(told["run"]["counts"]["inserted"], 50);

    let (status, told) = server.upload(key, "", page(30, 40, 0).into_bytes()).await;
    assert_eq!(status, 202, "{told}");
    let see = told["see"].as_str().unwrap();
    let mut seen = server.data(0, see).await;
    while ["QUEUED", "RUNNING"].contains(&seen["node"]["state"].as_str().unwrap()) {
        tokio::task::yield_now().await;
        seen = server.data(0, see).await;
    }
    assert_eq!(seen["node"]["state"], "SUCCEEDED");
    assert_eq!(seen["node"]["counts"]["read"], 40);
    assert_eq!(seen["node"]["bytesTotal"], seen["node"]["bytesRead"]);
    assert_eq!(
        server.data(1, see).await["node"],
        Value::Null,
        "another's run"
    );

    let runs = server
        .data(
            0,
            "{ imports { nodes { name entrance asOf } } actions { totalCount } }",
        )
        .await;
    assert_eq!(runs["actions"]["totalCount"], 69);
    let named: Vec<&Value> = runs["imports"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["entrance"] == "UPLOAD" && run["name"] == "May")
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["asOf"], "2024-03-05T13:30:00Z");
    emptied(folder.path()).await;
}

/// Exports that have a category's name and no id: nothing is sold under no category.
#[tokio::test]
async fn a_category_of_a_name_alone_is_a_category() {
    let (server, _folder) = with_folder("").await;
    let table = "Action ID;Program ID;Status;Earnings;Currency;Action time;Product ID;Category\n\
                 1;6115;approved;1.50;USD;2024-03-05 13:30:00;7;Ёлочные игрушки\n\
                 2;6115;approved;1.50;USD;2024-03-05 13:30:00;8;Consumer Electronics\n";
    let upload = server.upload(&server.keys[0], "?wait=true", table.as_bytes().to_vec());
    let (status, told) = upload.await;
    assert_eq!((status, &told["run"]["state"]), (200, &json!("SUCCEEDED")));
    let seen = server
        .data(
            0,
            "{ categories(filter: { isKnown: { eq: false } }) { nodes { name externalId parent { externalId } } } \
               actions { nodes { items { nodes { category { name isKnown } } } } } }",
        )
        .await;
    // What has no category at all stands among them.
    let unknown = seen["categories"]["nodes"].as_array().unwrap();
    let is_own = |category: &&Value| category["externalId"] != "unknown";
    let own: Vec<&Value> = unknown.iter().filter(is_own).collect();
    assert_eq!((unknown.len(), own.len()), (2, 1), "{seen}");
    assert_eq!(own[0]["name"], "Ёлочные игрушки");
    assert_eq!(own[0]["parent"]["externalId"], "unknown");
    assert!(own[0]["externalId"].as_str().unwrap().starts_with("name:"));
    let mut sold: Vec<&Value> = seen["actions"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| &action["items"]["nodes"][0]["category"])
        .collect();
    sold.sort_by_key(|category| category["isKnown"].as_bool());
    assert_eq!(
        sold,
        [
            &json!({ "name": "Ёлочные игрушки", "isKnown": false }),
            &json!({ "name": "Consumer Electronics", "isKnown": true })
        ]
    );
}

/// What a file is answered whose length nobody announced, and which does not end.
fn chunked(server: &Running, key: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).unwrap();
    let head = format!(
        "POST /import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let piece = format!("3e8\r\n{}\r\n", " ".repeat(1_000));
    for _ in 0..20 {
        if stream.write_all(piece.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// A body comes slowly; meanwhile another file arrives, is read, and the folder is swept for it.
#[tokio::test]
async fn a_file_that_comes_slowly_is_left_alone_by_the_sweeps_for_others() {
    let (server, folder) = with_folder("").await;
    let (slow, quick) = (&server.keys[0], &server.keys[1]);
    let body = page(1, 20, 0);
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).unwrap();
    let head = format!(
        "POST /import?wait=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {slow}\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let begun = async {
        while !folder.path().exists() || is_empty(folder.path()) {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, begun)
        .await
        .expect("it is being received");
    let (status, told) = server
        .upload(quick, "?wait=true", page(1, 1, 0).into_bytes())
        .await;
    assert_eq!((status, &told["run"]["state"]), (200, &json!("SUCCEEDED")));
    assert!(
        !is_empty(folder.path()),
        "what is half there is still there"
    );
    stream.write_all(second.as_bytes()).unwrap();
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = server.data(0, "{ actions { totalCount } }").await;
    assert_eq!(seen["actions"]["totalCount"], 20);
    emptied(folder.path()).await;
}

/// Revokes a key, and lets the time pass for which it is trusted without asking.
async fn revoke(server: &Running, key: &str) {
    let mutation = format!(
        "mutation {{ revokeApiKey(key: \"{}\") {{ apiKey {{ isActive }} userErrors {{ message }} }} }}",
        &key[3..11]
    );
    let done = server.data(0, &mutation).await["revokeApiKey"].clone();
    assert_eq!(done["apiKey"]["isActive"], false, "{done}");
    server.clock.advance(REMEMBERED);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_its_file_comes_brings_nothing_in() {
    let (server, folder) = with_folder("").await;
    let one = &server.publishers[0];
    let key = key_of(&server.store, one, &[KeyScope::Import], server.now()).await;
    let mut stream = TcpStream::connect(server.address).unwrap();
    let timeout = Some(Duration::from_secs(60));
    stream.set_read_timeout(timeout).unwrap();
    let piece = page(1, 1, 0);
    let begun = format!(
        "POST /import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{piece}\r\n",
        piece.len()
    );
    stream.write_all(begun.as_bytes()).unwrap();
    let received = async {
        while is_empty(folder.path()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), received)
        .await
        .expect("it is being received");
    revoke(&server, &key).await;
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(is_empty(folder.path()), "nothing is left of it");
    let seen = server
        .data(0, "{ imports { totalCount } actions { totalCount } }")
        .await;
    assert_eq!(seen["imports"]["totalCount"], 0);
    assert_eq!(seen["actions"]["totalCount"], 0);
}

/// Another file of the publisher is being read elsewhere, so that its sender waits; by then the key is revoked.
#[tokio::test]
async fn a_key_that_is_revoked_while_it_waits_is_told_nothing_of_its_run() {
    let (server, _folder) = with_folder("").await;
    let one = &server.publishers[0];
    let key = key_of(&server.store, one, &[KeyScope::Import], server.now()).await;
    let (now, scope) = (server.now(), WriteScope::for_entrance(one.id));
    let elsewhere = Upload {
        scope,
        run_id: Uuid::from_u128(1),
        name: "elsewhere".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: now,
    };
    enqueue(&server.store, &elsewhere, 10).await.unwrap();
    let until = later(now, 3_600);
    assert!(
        take(&server.store, &elsewhere, "elsewhere", now, until)
            .await
            .unwrap()
    );
    let sent = server.upload(&key, "?wait=true", page(1, 1, 0).into_bytes());
    let revoked = async {
        let runs = "{ imports { totalCount } }";
        while server.data(0, runs).await["imports"]["totalCount"] != 2 {
            tokio::task::yield_now().await;
        }
        revoke(&server, &key).await;
    };
    let ((status, told), ()) = futures::join!(sent, revoked);
    assert_eq!(status, 401, "{told}");
    assert_eq!(told.get("run"), None, "{told}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_told_and_leaves_nothing() {
    let (server, folder) = with_folder("import_max_bytes = 5000").await;
    let one = &server.publishers[0];
    let reader = key_of(&server.store, one, &[KeyScope::Read], server.now()).await;
    let (status, told) = server.upload(&reader, "", page(1, 1, 0).into_bytes()).await;
    assert_eq!(status, 403);
    assert_eq!(told["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert!(
        told["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("--scope import")
    );
    assert_eq!(server.upload("ag_nonsense", "", vec![b'{']).await.0, 401);

    let key = &server.keys[0];
    assert_eq!(server.upload(key, "", vec![b' '; 6_000]).await.0, 413);
    let head = chunked(&server, key);
    assert!(
        head.starts_with("HTTP/1.1 413"),
        "without an announced length: {head}"
    );
    for (query, words) in [
        ("?wait=maybe", "true or false"),
        ("?as_of=today", "as_of"),
        ("?as_of=2999-01-01T00:00:00Z", "lies in the future"),
        ("?utc_offset=99", "utc_offset"),
        ("?publisher=two", "There is no parameter \"publisher\""),
    ] {
        let (status, told) = server.upload(key, query, vec![b'[', b']']).await;
        assert_eq!(status, 400, "{query}");
        assert!(
            told["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains(words),
            "{told}"
        );
    }
    assert_eq!(server.upload(key, "", Vec::new()).await.0, 400);
    let coded = server.client.post(server.at("/import")).bearer_auth(key);
    let coded = coded.header("content-encoding", "br").body("x");
    assert_eq!(coded.send().await.unwrap().status().as_u16(), 415);
    let get = server.client.get(server.at("/import")).bearer_auth(key);
    assert_eq!(get.send().await.unwrap().status().as_u16(), 405);
    let runs = server.data(0, "{ imports { totalCount } }").await;
    assert_eq!(runs["imports"]["totalCount"], 0);

    // What is no export is a run that failed.
    let (status, told) = server
        .upload(
            key,
            "?wait=1",
            b"<html><body>502 Bad Gateway</body></html>".to_vec(),
        )
        .await;
    assert_eq!(
        (status, &told["run"]["state"]),
        (200, &json!("FAILED")),
        "{told}"
    );
    assert!(!told["run"]["error"].as_str().unwrap().is_empty());
    emptied(folder.path()).await;
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let (server, _folder) = with_folder("").await;
    let one = &server.publishers[0];
    let writer = key_of(&server.store, one, &[KeyScope::Import], server.now()).await;
    let query = "{ viewer { scopes } }";
    let refused = server.ask(&writer, query).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    assert_eq!(refused.get("data"), None);
    let (status, _) = server
        .upload(&writer, "?wait=1", page(1, 1, 0).into_bytes())
        .await;
    assert_eq!(status, 200);
    let both = server.data(0, query).await;
    assert_eq!(
        both["viewer"]["scopes"],
        json!(["READ", "IMPORT", "SEGMENTS", "ADMIN"])
    );
    let reader = key_of(&server.store, one, &[KeyScope::Read], server.now()).await;
    assert_eq!(
        server.ask(&reader, query).await["data"]["viewer"]["scopes"],
        json!(["READ"])
    );
    let mutation = "mutation { retryRejectedRecords(run: \"x\", all: true) { run { id } } }";
    let refused = server.ask(&reader, mutation).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    let by_get = server
        .client
        .get(server.at("/graphql"))
        .query(&[("query", mutation)])
        .bearer_auth(&server.keys[0]);
    assert_eq!(by_get.send().await.unwrap().status().as_u16(), 405);
}

#[tokio::test]
async fn headings_of_the_configuration_are_known_to_uploads() {
    let table = "Action ID,Program ID,Mein Lohn,Currency,Action time\n1,6115,2.25,USD,2024-03-05 13:30:00\n";
    let alias = "[aliases]\n\"Mein Lohn\" = \"payment\"\n";
    for (settings, state) in [(alias, "SUCCEEDED"), ("", "FAILED")] {
        let (server, _folder) = with_folder(settings).await;
        let (_, told) = server
            .upload(&server.keys[0], "?wait=1", table.as_bytes().to_vec())
            .await;
        assert_eq!(told["run"]["state"], state, "{told}");
        if settings.is_empty() {
            continue;
        }
        let seen = server
            .data(0, "{ actions { nodes { reward { amount } } } }")
            .await;
        assert_eq!(seen["actions"]["nodes"][0]["reward"]["amount"], "2.25");
    }
}

#[tokio::test]
async fn rejected_records_are_read_again_by_the_offset_of_their_run() {
    let (server, _folder) = with_folder("").await;
    let key = &server.keys[0];
    let (_, told) = server
        .upload(
            key,
            "?wait=1&utc_offset=%2B05:30",
            page(1, 1, 1).into_bytes(),
        )
        .await;
    let run = told["run"]["id"].as_str().unwrap().to_owned();
    let raw = page(1, 1, 0);
    let record: Value = serde_json::from_str(&raw).unwrap();
    let mended = record["results"][0].to_string();
    let again = format!(
        "mutation {{ retryRejectedRecords(run: \"{run}\", records: [{{ordinal: 0, json: {}}}]) {{ run {{ state }} userErrors {{ message }} }} }}",
        json!(mended)
    );
    let done = server.data(0, &again).await["retryRejectedRecords"].clone();
    assert_eq!(done["run"]["state"], "SUCCEEDED", "{done}");
    let seen = server.data(0, "{ actions { nodes { orderedAt } } }").await;
    assert_eq!(
        seen["actions"]["nodes"][0]["orderedAt"],
        "2024-03-05T08:00:00Z"
    );
}

#[tokio::test]
async fn rejected_records_are_mended_and_tried_again() {
    let (server, _folder) = with_folder("").await;
    let key = &server.keys[0];
    let (_, told) = server
        .upload(key, "?wait=1", page(1, 5, 3).into_bytes())
        .await;
    assert_eq!(told["run"]["state"], "PARTIAL");
    let run = told["run"]["id"].as_str().unwrap().to_owned();
    let rejects = |which: &str| {
        format!(
            "{{ node(id: \"{run}\") {{ ... on ImportRun {{ rejectedRecords{which} {{ totalCount nodes {{ ordinal raw resolvedByRun }} }} }} }} }}"
        )
    };
    let seen = server.data(0, &rejects("")).await["node"]["rejectedRecords"].clone();
    assert_eq!(seen["totalCount"], 3);
    let raw = seen["nodes"][1]["raw"].as_str().unwrap();
    let mended = raw.replace("null", "\"2.25\"");
    let payload = "{ run { id entrance name state counts { read inserted rejected } } userErrors { field code message } }";
    let ask = |records: &str| {
        format!("mutation {{ retryRejectedRecords(run: \"{run}\", {records}) {payload} }}")
    };
    let one = ask(&format!(
        "records: [{{ordinal: 1, json: {}}}, {{ordinal: 2}}]",
        json!(mended)
    ));
    let done = server.data(0, &one).await["retryRejectedRecords"].clone();
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["run"]["state"], "PARTIAL");
    assert_eq!(done["run"]["entrance"], "RETRY");
    assert_eq!(
        done["run"]["counts"],
        json!({"read": 2, "inserted": 1, "rejected": 1})
    );
    let left =
        server.data(0, &rejects("(resolved: false)")).await["node"]["rejectedRecords"].clone();
    assert_eq!(left["totalCount"], 2);
    let gone =
        server.data(0, &rejects("(resolved: true)")).await["node"]["rejectedRecords"].clone();
    assert_eq!(gone["totalCount"], 1);
    assert_eq!(gone["nodes"][0]["ordinal"], 1);
    assert_eq!(gone["nodes"][0]["resolvedByRun"], done["run"]["id"]);
    // The state is as old as the file was.
    let action = server
        .data(
            0,
            "{ action(by: {externalId: \"2\"}) { reward { amount } } actions { totalCount } }",
        )
        .await;
    assert_eq!(action["action"]["reward"]["amount"], "2.25");
    assert_eq!(action["actions"]["totalCount"], 3);

    for (records, code) in [
        ("records: [{ordinal: 1}]", "NOT_FOUND"),
        ("records: [{ordinal: 0}, {ordinal: 0}]", "NOT_FOUND"),
        ("records: [{ordinal: -1}]", "NOT_FOUND"),
        ("records: []", "BAD_USER_INPUT"),
        ("all: true, records: [{ordinal: 0}]", "BAD_USER_INPUT"),
        ("all: true, utcOffset: \"x\"", "BAD_USER_INPUT"),
    ] {
        let told = server.data(0, &ask(records)).await["retryRejectedRecords"].clone();
        assert_eq!(told["run"], Value::Null, "{records}");
        assert_eq!(told["userErrors"][0]["code"], code, "{records}: {told}");
    }
    // Each that is not there is told at its place, the first twenty of them, and how many more there are.
    let many: Vec<String> = (100..125)
        .map(|ordinal| format!("{{ordinal: {ordinal}}}"))
        .collect();
    let many = ask(&format!("records: [{}]", many.join(", ")));
    let told = server.data(0, &many).await["retryRejectedRecords"].clone();
    let errors = told["userErrors"].as_array().unwrap();
    let more = json!({ "field": ["records"], "code": "NOT_FOUND", "message": "and 5 more" });
    assert_eq!((errors.len(), &errors[20]), (21, &more), "{told}");
    assert_eq!(errors[19]["field"], json!(["records", "19", "ordinal"]));
    let of =
        async |caller| server.data(caller, &ask("all: true")).await["retryRejectedRecords"].clone();
    let (other, all) = (of(1).await, of(0).await);
    assert_eq!(other["userErrors"][0]["code"], "NOT_FOUND", "another's run");
    assert_eq!(
        all["run"]["counts"],
        json!({"read": 2, "inserted": 0, "rejected": 2})
    );
    let nonsense = ask("records: [{ordinal: 0, json: \"[1, 2\"}]");
    let told = server.data(0, &nonsense).await["retryRejectedRecords"].clone();
    assert_eq!(told["run"]["counts"]["rejected"], 1, "{told}");
}

/// Tables whose rows cannot be added up: lines that stand apart, in two currencies, too many, or alike but for their money.
fn tables_that_do_not_add_up() -> [String; 4] {
    let head = "Action ID,Program ID,Earnings,Currency,Action time,Product name\n";
    let line = |id: u32, payment: &str, currency: &str, product: &str| {
        format!("{id},6115,{payment},{currency},2024-03-05 13:30:00,{product}\n")
    };
    let table = |lines: &[String]| format!("{head}{}", lines.concat());
    let many: Vec<String> = (0..1_001)
        .map(|number| line(1, "1.50", "USD", &format!("Thing {number}")))
        .collect();
    [
        table(&[line(1, "1.50", "USD", "A"), line(1, "2.50", "EUR", "B")]),
        table(&[
            line(1, "1.50", "USD", "A"),
            line(2, "9.00", "USD", "A"),
            line(1, "2.50", "USD", "B"),
        ]),
        table(&many),
        table(&[line(1, "1.50", "USD", "A"), line(1, "2.50", "USD", "A")]),
    ]
}

#[tokio::test]
async fn what_cannot_be_added_up_is_not_stored_when_it_is_tried_again() {
    for table in tables_that_do_not_add_up() {
        let (server, _folder) = with_folder("").await;
        let key = &server.keys[0];
        let (_, told) = server.upload(key, "?wait=1", table.into_bytes()).await;
        assert_eq!(told["run"]["state"], "PARTIAL", "{told}");
        let run = told["run"]["id"].as_str().unwrap();
        let again = format!(
            "mutation {{ retryRejectedRecords(run: \"{run}\", all: true) {{ run {{ state counts {{ inserted }} }} userErrors {{ message }} }} }}"
        );
        let done = server.data(0, &again).await["retryRejectedRecords"].clone();
        assert_eq!(done["run"]["state"], "PARTIAL", "{done}");
        assert_eq!(done["run"]["counts"]["inserted"], 0, "{done}");
        let seen = server
            .data(0, "{ action(by: {externalId: \"1\"}) { id } }")
            .await;
        assert_eq!(seen["action"], Value::Null);
    }
}

fn later(now: Instant, seconds: i64) -> Instant {
    Instant::from_micros(now.micros() + seconds * 1_000_000).unwrap()
}

async fn state_of(server: &Running, scope: WriteScope, run: Uuid) -> (RunState, i64) {
    let tx = ReadTx::new(&server.store);
    let found = imports::by_ids(&tx, scope.read(), &[run]).await.unwrap();
    (found[0].state, found[0].counts.read)
}

/// Looks once, and reads what is found; how many have ended.
async fn tick(reader: &Reader<'_>, now: &(dyn Fn() -> Instant + Sync)) -> usize {
    let mut reads = Reads::new(reader, now);
    reads.look().await.unwrap();
    let mut count = 0;
    while let Some(ended) = reads.ended().await {
        count += usize::from(ended.unwrap());
    }
    count
}

/// Makes a file that does not end before it is told to: a pipe, with the text again and again. When it has ended, it is a
/// file with the text, as whoever reads it once more finds it.
fn endless(
    path: &Path,
    text: String,
) -> (std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
    let (end, ending) = std::sync::mpsc::channel();
    let path = path.to_owned();
    let writing = std::thread::spawn(move || {
        // Whoever only looks at its beginning goes away before that much.
        let pieces = (256 << 10) / text.len();
        loop {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            if (0..pieces).all(|_| pipe.write_all(text.as_bytes()).is_ok()) {
                ending.recv().unwrap();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, &text).unwrap();
                return;
            }
        }
    });
    (end, writing)
}

/// While a long upload is read, one of another publisher that arrives later is read beside it; one of the same waits.
#[tokio::test]
async fn a_long_upload_holds_up_its_own_publisher_only() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let now = server.now();
    let put = async |number: u128, publisher: usize| {
        let upload = Upload {
            scope: WriteScope::for_entrance(server.publishers[publisher].id),
            run_id: Uuid::from_u128(number),
            name: "one of many".to_owned(),
            as_of: Some(now),
            offset_minutes: 0,
            queued_at: later(now, i64::try_from(number).unwrap()),
        };
        enqueue(&server.store, &upload, 10).await.unwrap();
        upload
    };
    let short = |upload: &Upload| {
        std::fs::write(place.file(upload.run_id), page(1, 1, 0)).unwrap();
    };
    let reader = Reader {
        store: &server.store,
        uploads: &place,
        reading: &Reading::default(),
        holder: "one".to_owned(),
        sign: SIGN,
    };
    let moment = || later(now, 60);
    let mut reads = Reads::new(&reader, &moment);
    let long = put(1, 0).await;
    let (end, writing) = endless(&place.file(long.run_id), page(1, 20, 0));
    reads.look().await.unwrap();
    let begun = async {
        let running = async || state_of(&server, long.scope, long.run_id).await.0;
        while running().await == RunState::Queued {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = reads.ended() => panic!("{ended:?}"),
        () = begun => {}
    }
    let both = async { (put(2, 0).await, put(3, 1).await) };
    // What is read goes on meanwhile: it may just hold the one writer.
    let (behind, other) = tokio::select! {
        ended = reads.ended() => panic!("{ended:?}"),
        both = both => both
    };
    short(&behind);
    short(&other);
    reads.look().await.unwrap();
    assert!(reads.ended().await.unwrap().unwrap());
    let state = async |upload: &Upload| state_of(&server, upload.scope, upload.run_id).await.0;
    assert_eq!(state(&other).await, RunState::Succeeded);
    assert_eq!(state(&long).await, RunState::Running);
    assert_eq!(state(&behind).await, RunState::Queued);
    end.send(()).unwrap();
    writing.join().unwrap();
    assert!(reads.ended().await.unwrap().unwrap());
    // How its text begins depends on when its readers, of the form and of the whole, open the pipe.
    let ended = state(&long).await;
    assert!(
        !matches!(ended, RunState::Queued | RunState::Running),
        "{ended:?}"
    );
    assert!(reads.ended().await.is_none());
    reads.look().await.unwrap();
    assert!(reads.ended().await.unwrap().unwrap());
    assert_eq!(state(&behind).await, RunState::Succeeded);
}

/// Signs of life are given beside the work: neither keeps the one writer of an SQLite file while it waits for the other, and
/// whoever else writes has a turn.
#[tokio::test]
async fn an_upload_that_gives_many_signs_of_life_ends_and_lets_others_write() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let now = server.now();
    let upload = |number: u128, publisher: usize| Upload {
        scope: WriteScope::for_entrance(server.publishers[publisher].id),
        run_id: Uuid::from_u128(number),
        name: "long".to_owned(),
        as_of: Some(now),
        offset_minutes: 0,
        queued_at: now,
    };
    let long = upload(1, 0);
    enqueue(&server.store, &long, 10).await.unwrap();
    std::fs::write(place.file(long.run_id), page(1, 3_000, 0)).unwrap();
    let reader = Reader {
        store: &server.store,
        uploads: &place,
        reading: &Reading::default(),
        holder: "one".to_owned(),
        sign: Duration::from_millis(20),
    };
    let moment = || later(now, 60);
    let mut reads = Reads::new(&reader, &moment);
    reads.look().await.unwrap();
    let others = async {
        let patient = server.store.patient(Duration::from_secs(10));
        for number in 2..12 {
            // Its file is nowhere.
            let other = upload(number, 1);
            let written = enqueue(&patient, &other, 10);
            let written = tokio::time::timeout(Duration::from_secs(15), written).await;
            written.expect("it has its turn").unwrap();
        }
    };
    let both = async { tokio::join!(reads.ended(), others) };
    let both = tokio::time::timeout(Duration::from_secs(120), both).await;
    let (ended, ()) = both.expect("it goes on");
    assert!(ended.unwrap().unwrap());
    assert_eq!(
        state_of(&server, long.scope, long.run_id).await,
        (RunState::Succeeded, 3_000)
    );
    assert!(is_empty(folder.path()));
}

/// The databases of a user share a folder unless told otherwise: what one has queued is no rubbish to the other.
#[tokio::test]
async fn a_server_leaves_the_uploads_of_another_database_in_its_folder_alone() {
    let (ours, other) = (running("").await, running("").await);
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let now = other.now();
    let upload = Upload {
        scope: WriteScope::for_entrance(other.publishers[0].id),
        run_id: Uuid::from_u128(1),
        name: "of another".to_owned(),
        as_of: Some(now),
        offset_minutes: 0,
        queued_at: now,
    };
    enqueue(&other.store, &upload, 10).await.unwrap();
    let path = place.file(upload.run_id);
    std::fs::write(&path, page(1, 5, 0)).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let two_days_ago = later(now, -2 * 86_400).to_utc();
    file.set_modified(two_days_ago.into()).unwrap();
    let moment = || later(now, 60);
    for (server, count) in [(&ours, 0), (&other, 1)] {
        assert!(path.exists());
        let reader = Reader {
            store: &server.store,
            uploads: &place,
            reading: &Reading::default(),
            holder: "one".to_owned(),
            sign: SIGN,
        };
        assert_eq!(tick(&reader, &moment).await, count);
    }
    assert_eq!(
        state_of(&other, upload.scope, upload.run_id).await,
        (RunState::Succeeded, 5)
    );
}

/// Reading it panics: in the step that is the fifth to ask the time, when it has been taken.
#[tokio::test]
async fn an_upload_that_panics_fails_and_is_not_read_again() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let (now, scope) = (
        server.now(),
        WriteScope::for_entrance(server.publishers[0].id),
    );
    let upload = Upload {
        scope,
        run_id: Uuid::from_u128(1),
        name: "broken".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: now,
    };
    enqueue(&server.store, &upload, 10).await.unwrap();
    std::fs::write(place.file(upload.run_id), page(1, 20, 0)).unwrap();
    let reader = Reader {
        store: &server.store,
        uploads: &place,
        reading: &Reading::default(),
        holder: "one".to_owned(),
        sign: SIGN,
    };
    let asked = AtomicU32::new(0);
    let moment = || {
        assert!(asked.fetch_add(1, Ordering::Relaxed) != 4, "hunter2");
        later(now, 60)
    };
    assert_eq!(tick(&reader, &moment).await, 1);
    assert!(asked.load(Ordering::Relaxed) > 4);
    let tx = ReadTx::new(&server.store);
    let found = imports::by_ids(&tx, scope.read(), &[upload.run_id]).await;
    let run = found.unwrap().remove(0);
    assert_eq!(run.state, RunState::Failed);
    let words = run.error.unwrap();
    assert!(
        words.contains("The server made an error") && !words.contains("hunter2"),
        "{words}"
    );
    assert!(is_empty(folder.path()));
    assert_eq!(tick(&reader, &|| later(now, 4_000)).await, 0);
}

/// There is nothing to read a workbook with: it is no fault of the file's, which waits and goes in as soon as there is.
#[tokio::test]
async fn an_upload_that_the_machine_cannot_read_waits_and_goes_in_later() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let (now, scope) = (
        server.now(),
        WriteScope::for_entrance(server.publishers[0].id),
    );
    let upload = |number: u128| Upload {
        scope,
        run_id: Uuid::from_u128(number),
        name: "a workbook".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: later(now, i64::try_from(number).unwrap()),
    };
    let (book, plain) = (upload(1), upload(2));
    for one in [&book, &plain] {
        enqueue(&server.store, one, 10).await.unwrap();
    }
    let text = |words: &str| Cell::Text(words.to_owned());
    let rows = [
        [
            "Action ID",
            "Program ID",
            "Earnings",
            "Currency",
            "Action time",
        ]
        .map(text),
        ["7", "6115", "2.25", "USD", "2024-03-05 13:30:00"].map(text),
    ];
    let bytes = books::xlsx(&rows.map(Vec::from));
    std::fs::write(place.file(book.run_id), bytes).unwrap();
    std::fs::write(place.file(plain.run_id), page(1, 1, 0)).unwrap();
    let by = |program: &str| Reading {
        program: Some(PathBuf::from(program)),
        ..Reading::default()
    };
    let (none, ours) = (
        by("/nonexistent/actiongraph"),
        by(env!("CARGO_BIN_EXE_actiongraph")),
    );
    let reader = |reading| Reader {
        store: &server.store,
        uploads: &place,
        reading,
        holder: "one".to_owned(),
        sign: SIGN,
    };
    // The other one of the publisher is read all the same.
    let at = |seconds: i64| move || later(now, seconds);
    let (poor, moment) = (reader(&none), at(60));
    let mut reads = Reads::new(&poor, &moment);
    reads.look().await.unwrap();
    assert!(!reads.ended().await.unwrap().unwrap());
    assert!(reads.ended().await.is_none());
    assert!(place.file(book.run_id).exists());
    let tx = ReadTx::new(&server.store);
    let found = imports::by_ids(&tx, scope.read(), &[book.run_id]).await;
    let run = found.unwrap().remove(0);
    assert_eq!(run.state, RunState::Queued, "it has not failed");
    assert!(run.error.is_some() && run.finished_at.is_none(), "{run:?}");
    drop(tx);
    // It rests, and the next one is read.
    reads.look().await.unwrap();
    assert!(reads.ended().await.unwrap().unwrap());
    let state = state_of(&server, scope, plain.run_id).await;
    assert_eq!(state, (RunState::Succeeded, 1));
    assert!(place.file(book.run_id).exists());
    // A server that has what is needed reads it at once.
    assert_eq!(tick(&reader(&ours), &at(61)).await, 1);
    let state = state_of(&server, scope, book.run_id).await;
    assert_eq!(state, (RunState::Succeeded, 1));
    assert!(is_empty(folder.path()));
}

#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
#[tokio::test]
async fn an_upload_whose_server_was_killed_is_taken_up_again() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let place = Uploads::new(folder.path().to_owned(), roomy());
    let (now, scope) = (
        server.now(),
        WriteScope::for_entrance(server.publishers[0].id),
    );
    let upload = |number: u128, queued: i64| Upload {
        scope,
        run_id: Uuid::from_u128(number),
        name: "killed".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: later(now, queued),
    };
    let (first, second, lost) = (upload(1, 0), upload(2, 1), upload(3, 2));
    for one in [&first, &second, &lost] {
        enqueue(&server.store, one, 10).await.unwrap();
    }
    std::fs::write(place.file(first.run_id), page(1, 20, 1)).unwrap();
    // What it was just receiving is of no use; what another server receives is left alone, and so is what is nobody's.
    let cut_off = place.part(Uuid::from_u128(4));
    std::fs::write(&cut_off, "{\"results\": [").unwrap();
    let received = place.begin(Uuid::from_u128(5)).unwrap();
    // Whole files that nobody queued: one that is just being queued, and one that was left behind a week ago.
    let (fresh, left) = (
        place.file(Uuid::from_u128(6)),
        place.file(Uuid::from_u128(7)),
    );
    for (path, seconds) in [(&fresh, 0), (&left, -7 * 86_400 - 100)] {
        let file = std::fs::File::create(path).unwrap();
        file.set_modified(later(now, seconds).to_utc().into())
            .unwrap();
    }
    let foreign = folder.path().join("notes.part");
    std::fs::write(&foreign, "mine").unwrap();
    std::fs::write(place.file(second.run_id), page(11, 20, 0)).unwrap();
    // A server takes the first, and is killed; meanwhile no other may have one of the publisher's.
    let until = later(now, 30);
    assert!(
        take(&server.store, &first, "dead", now, until)
            .await
            .unwrap()
    );
    assert!(
        !take(&server.store, &first, "other", now, until)
            .await
            .unwrap()
    );
    assert!(
        !take(&server.store, &second, "other", now, until)
            .await
            .unwrap()
    );
    let reader = Reader {
        store: &server.store,
        uploads: &place,
        reading: &Reading::default(),
        holder: "alive".to_owned(),
        sign: SIGN,
    };
    let at = |seconds: i64| move || later(now, seconds);
    assert_eq!(tick(&reader, &at(20)).await, 0);
    assert!(!cut_off.exists() && foreign.exists());
    assert!(!left.exists() && fresh.exists());
    assert!(place.part(Uuid::from_u128(5)).exists());
    drop(received);
    assert_eq!(
        state_of(&server, scope, first.run_id).await.0,
        RunState::Queued
    );
    // When its lease has run out, the next one reads both, and each only once.
    assert_eq!(tick(&reader, &at(40)).await, 1);
    assert_eq!(
        state_of(&server, scope, first.run_id).await,
        (RunState::Partial, 20)
    );
    assert_eq!(tick(&reader, &at(41)).await, 1);
    assert_eq!(
        state_of(&server, scope, second.run_id).await,
        (RunState::Succeeded, 20)
    );
    assert!(
        !renew(&server.store, &first, "dead", until, 5)
            .await
            .unwrap()
    );
    // One whose file nobody has is waited for, and then given up with words.
    assert_eq!(tick(&reader, &at(60)).await, 0);
    assert_eq!(tick(&reader, &at(3_700)).await, 1);
    assert_eq!(
        state_of(&server, scope, lost.run_id).await.0,
        RunState::Failed
    );
    assert_eq!(tick(&reader, &at(3_701)).await, 0);
    for theirs in [&foreign, &fresh] {
        std::fs::remove_file(theirs).unwrap();
    }
    assert!(is_empty(folder.path()));
    let seen = server.data(0, "{ actions { totalCount } }").await;
    assert_eq!(seen["actions"]["totalCount"], 29);
}
