//! What `/metrics` tells of the entrances that are not fetched: files, uploads, postbacks, feeds. They are read from the
//! runs, so that what a command line brought in is there, too.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use crate::support::server::{Running, running};
use actiongraph::domain::feed::FeedSource;
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::feed::import_feed;
use actiongraph::ingest::pipeline::Progress;
use actiongraph::store::imports::{NewRun, begin};
use actiongraph::store::uploads::{Upload, enqueue};
use serde_json::{Value, json};
use std::io::Write as _;
use uuid::Uuid;

struct Unseen;

impl Progress for Unseen {
    fn advanced(&mut self, _: u64, _: u64, _: u64) {}
}

/// A moment so many seconds before the server's present.
fn ago(server: &Running, seconds: i64) -> Instant {
    Instant::from_micros(server.now().micros() - seconds * 1_000_000).unwrap()
}

async fn upload(server: &Running, place: usize, actions: &Value, as_of: Instant) {
    let query = [
        ("wait", "true".to_owned()),
        ("as_of", as_of.to_rfc3339()),
        ("name", "may.json".to_owned()),
    ];
    let request = server.client.post(server.at("/import")).query(&query);
    let request = request.bearer_auth(&server.keys[place]);
    let body = json!({ "results": actions }).to_string();
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
}

/// A feed as the command line brings it in, in a process of its own.
async fn feed(server: &Running, observed_at: Instant) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"id,name,price,currencyId,url\n1,Cable,1.50,USD,https://aliexpress.ru/item/1.html\n2,Lamp,much,USD,https://aliexpress.ru/item/2.html\n")
        .unwrap();
    let source = FeedSource {
        name: "hot".to_owned(),
        is_hot: true,
        is_whole: true,
        observed_at,
    };
    let now = || server.now();
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    let feed = ("hot.csv", &source);
    import_feed(&server.store, scope, file.path(), feed, &now, &mut Unseen)
        .await
        .unwrap();
}

async fn postback(server: &Running, id: &str, sum: &str) {
    let address = server.at(&format!("/postback/{}", server.secrets[0]));
    let query = [
        ("admitad_id", id),
        ("offer_id", "6115"),
        ("payment_sum", sum),
        ("payment_status", "new"),
        ("currency", "USD"),
        ("time", "1709634600"),
        ("type", "sale"),
    ];
    let answer = server.client.get(address).query(&query).send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 200);
}

async fn metrics(server: &Running) -> Vec<String> {
    let answer = server.client.get(server.at("/metrics")).send().await;
    let text = answer.unwrap().text().await.unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Brings something in through each entrance, good and bad; one file waits elsewhere, one is being read.
async fn bring(server: &Running) {
    let action = |id: u64, payment: Value| {
        json!({"action_id": id, "advcampaign_id": 6115, "status": "pending", "currency": "USD", "payment": payment,
            "action_date": "2024-03-05 13:30:00"})
    };
    let two = json!([action(1, json!("1.50")), action(2, Value::Null)]);
    upload(server, 0, &two, ago(server, 600)).await;
    upload(
        server,
        1,
        &json!([action(3, json!("1.50"))]),
        ago(server, 60),
    )
    .await;
    feed(server, ago(server, 7_200)).await;
    postback(server, "900000001", "1.89").await;
    postback(server, "900000002", "many").await;
    // One waits on a server that is not there.
    let scope = WriteScope::for_entrance(server.publishers[1].id);
    let waits = Upload {
        scope,
        run_id: Uuid::from_u128(6),
        name: "elsewhere.json".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: ago(server, 90),
    };
    enqueue(&server.store, &waits, 10).await.unwrap();
    // And one goes on.
    let run = NewRun {
        id: Uuid::from_u128(7),
        entrance: "FILE",
        name: "june.json".to_owned(),
        started_at: server.now(),
        as_of: server.now(),
    };
    begin(&server.store, scope, &run).await.unwrap();
}

#[tokio::test]
async fn each_entrance_has_its_runs_records_last_success_and_lag() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("import_directory = {:?}\n", folder.path());
    let server = running(&settings).await;
    let told = metrics(&server).await;
    assert!(
        !told
            .iter()
            .any(|line| line.starts_with("actiongraph_entrance_") && line.contains("publisher=")),
        "nothing has come in: {told:#?}"
    );
    bring(&server).await;

    let told = metrics(&server).await;
    let success = server.now().micros() / 1_000_000;
    let of = |name: &str, labels: &str, value: i64| {
        let line = format!("actiongraph_entrance_{name}{{{labels}}} {value}");
        assert!(told.contains(&line), "{line} in {told:#?}");
    };
    for (publisher, entrance, lag) in [
        ("one", "UPLOAD", 600),
        ("two", "UPLOAD", 60),
        ("one", "FEED", 7_200),
        ("one", "POSTBACK", 0),
    ] {
        let labels = format!("publisher=\"{publisher}\",entrance=\"{entrance}\"");
        of("last_success_seconds", &labels, success);
        of("lag_seconds", &labels, lag);
        let waiting = i64::from(publisher == "two") * 90;
        of("waiting_seconds", &labels, waiting);
        let ended = if publisher == "one" {
            "PARTIAL"
        } else {
            "SUCCEEDED"
        };
        of("runs", &format!("{labels},state=\"{ended}\""), 1);
        of("runs", &format!("{labels},state=\"FAILED\""), 0);
        of("records", &format!("{labels},outcome=\"inserted\""), 1);
        let rejected = i64::from(publisher == "one");
        of(
            "records",
            &format!("{labels},outcome=\"rejected\""),
            rejected,
        );
    }
    of(
        "runs",
        "publisher=\"two\",entrance=\"UPLOAD\",state=\"QUEUED\"",
        1,
    );
    let file = "publisher=\"two\",entrance=\"FILE\"";
    of("runs", &format!("{file},state=\"RUNNING\""), 1);
    of("last_success_seconds", file, 0);
    let lag = format!("actiongraph_entrance_lag_seconds{{{file}}}");
    assert!(
        !told.iter().any(|line| line.starts_with(&lag)),
        "a run that has brought nothing yet makes nothing fresh"
    );
}
