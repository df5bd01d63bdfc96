//! Postbacks as Admitad sends them, through a real port: what they do to actions, who may send them, what comes of bad
//! ones, and that what was acknowledged is stored.
//!
//! Not here: which of two states is newer (`domain::notice`), what each parameter means (`ingest::postback`).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

mod killed;
mod orders;

use crate::support::server::{Running, running, secret};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::format::input::Reading;
use actiongraph::store::postback_secrets;
use actiongraph::{domain::scope::WriteScope, ingest::pipeline};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// What every postback of these tests says unless said otherwise.
const PLAIN: &[(&str, &str)] = &[
    ("offer_id", "6115"),
    ("offer_name", "AliExpress WW"),
    ("admitad_id", "900000001"),
    ("website_id", "77"),
    ("website_name", "My blog"),
    ("subid1", "u-1007"),
    ("payment_sum", "1.89"),
    ("payment_status", "new"),
    ("currency", "USD"),
    ("order_id", "3019000000000001"),
    ("order_sum", "31.50"),
    ("click_time", "1709629200"),
    ("time", "1709634600"),
    ("type", "sale"),
    ("country_code", "PL"),
    (
        "user_agent",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148",
    ),
    ("user_referer", "https://blog.example/post-1"),
    ("reward_ready", "false"),
];

const SEEN: &str = "{ action(by: {externalId: \"900000001\"}) { status rawStatus paid statusUpdatedAt device country \
    orderAmount { amount } reward { amount } adSpace { name } program { name } returnedToHold \
    items { totalCount } history { nodes { status paid changedAt observedAt } } } }";

fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = PLAIN
        .iter()
        .filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
    kept.chain(changes).copied().collect()
}

impl Running {
    fn get(&self, secret: &str, changes: &[(&str, &str)]) -> RequestBuilder {
        self.client
            .get(self.at(&format!("/postback/{secret}")))
            .query(&with(changes))
    }

    /// Sends a postback for publisher `one` and expects this result.
    async fn tell(&self, changes: &[(&str, &str)], result: &str) -> Value {
        let answer = self.get(&self.secrets[0], changes).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{changes:?}");
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["result"], result, "{changes:?}: {told}");
        told
    }

    async fn count(&self, place: usize) -> Value {
        self.data(place, "{ actions { totalCount } }").await["actions"]["totalCount"].clone()
    }
}

#[tokio::test]
async fn an_action_lives_by_postbacks_and_is_the_apis_when_the_api_has_it() {
    let server = running("").await;
    server.tell(&[], "STORED").await;
    let seen = server.data(0, SEEN).await;
    let action = &seen["action"];
    assert_eq!(action["status"], "PENDING");
    assert_eq!(action["rawStatus"], "pending");
    assert_eq!(action["device"], "mobile");
    assert_eq!(action["adSpace"]["name"], "My blog");
    assert_eq!(action["orderAmount"]["amount"], "31.50");

    server.clock.advance(Duration::from_secs(3_600));
    let approved_at = server.now().to_rfc3339();
    let form = [("payment_status", "approved"), ("subid1", "u-1008")];
    let answer = server
        .get(&server.secrets[0], &[("payment_status", "declined")])
        .build()
        .unwrap();
    let answer = server
        .client
        .post(answer.url().clone())
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    server.clock.advance(Duration::from_secs(60));
    server
        .tell(
            &[("payment_status", "approved"), ("reward_ready", "true")],
            "STORED",
        )
        .await;
    let action = server.data(0, SEEN).await["action"].clone();
    assert_eq!(action["status"], "APPROVED", "the body counts");
    assert_eq!(action["paid"], true);
    let history = action["history"]["nodes"].as_array().unwrap();
    assert_eq!(history.len(), 3, "{action:#}");
    assert_eq!(history[1]["changedAt"], approved_at.as_str());

    // The API's page of later has the last word, and what only it knows.
    server.clock.advance(Duration::from_secs(3_600));
    let page = json!({"results": [{"action_id": 900_000_001, "advcampaign_id": 6115, "website_name": "My blog",
        "status": "declined", "payment": "1.89", "cart": "31.50", "currency": "USD", "action_type": "sale",
        "action_date": "2024-03-05 10:30:00", "status_updated": "2024-10-04 01:30:00", "comment": "returned",
        "positions": [{"id": 1, "product_id": "4001", "amount": "31.50", "payment": "1.89"}]}]});
    import(&server, &page).await;
    let action = server.data(0, SEEN).await["action"].clone();
    assert_eq!(action["status"], "DECLINED");
    assert_eq!(action["statusUpdatedAt"], "2024-10-04T01:30:00Z");
    assert_eq!(action["items"]["totalCount"], 1);
    assert_eq!(action["device"], "mobile", "only postbacks know it");
    assert_eq!(server.count(0).await, 1, "one action");
    // And a postback behind it is newer again.
    server.clock.advance(Duration::from_secs(60));
    server
        .tell(&[("payment_status", "pending")], "STORED")
        .await;
    let action = server.data(0, SEEN).await["action"].clone();
    assert_eq!(action["status"], "PENDING");
    assert_eq!(action["returnedToHold"], true);
    assert_eq!(action["statusUpdatedAt"], Value::Null);

    let runs = server
        .data(
            0,
            "{ imports { nodes { entrance state name counts { read inserted } } } \
                   freshness { entrance lastSuccessAt newestDataAt } }",
        )
        .await;
    let run = runs["imports"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["entrance"] == "POSTBACK")
        .unwrap()
        .clone();
    assert_eq!(run["state"], "SUCCEEDED");
    assert_eq!(run["counts"], json!({"read": 4, "inserted": 1}));
    assert!(
        run["name"]
            .as_str()
            .unwrap()
            .starts_with("Postbacks of 2024-10-0")
    );
}

/// Imports a page for publisher `one` with the server's present as its observation.
async fn import(server: &Running, page: &Value) {
    struct Silent;
    impl pipeline::Progress for Silent {
        fn advanced(&mut self, _: u64, _: u64, _: u64) {}
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.json");
    std::fs::write(&file, page.to_string()).unwrap();
    let now = server.now();
    let options = pipeline::ImportOptions {
        name: "page".to_owned(),
        entrance: pipeline::Entrance::File,
        as_of: Some(now),
        offset_minutes: 0,
        reading: Reading::default(),
    };
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    let asked = move || now;
    let report =
        pipeline::import_file(&server.store, scope, &file, &options, &asked, &mut Silent).await;
    assert_eq!(report.unwrap().rejected, 0);
}

/// What of an answer must not tell a secret from nothing.
async fn face(answer: Response) -> (u16, Vec<(String, String)>, String) {
    let status = answer.status().as_u16();
    let mut headers: Vec<(String, String)> = answer
        .headers()
        .iter()
        // Whether a connection stays open is a matter of how its bytes came in, not of the secret.
        .filter(|(name, _)| !["connection", "date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    // Their order differs from one thread of the server to the next.
    headers.sort();
    (status, headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_wrong_secret_learns_nothing() {
    let server = running("").await;
    let revoked = secret(&server.store, &server.publishers[0], None, server.now()).await;
    assert_eq!(
        server
            .get(&revoked, &[])
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    let prefix = &revoked[3..11];
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let note = who.note().unwrap();
    assert!(
        postback_secrets::revoke(&server.store, scope, prefix, &note)
            .await
            .unwrap()
    );
    server.clock.advance(Duration::from_secs(5));
    let nowhere = face(
        server
            .client
            .get(server.at("/nowhere/at-all"))
            .query(&with(&[]))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(nowhere.0, 404);
    let mut forged = server.secrets[0].clone();
    forged.replace_range(14..16, "zz");
    let long = "x".repeat(3_000);
    for wrong in [
        revoked.as_str(),
        &forged,
        "pb_",
        "nonsense",
        "%00",
        &long,
        &server.keys[0],
    ] {
        let seen = face(
            server
                .get(wrong, &[("admitad_id", "5")])
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(seen, nowhere, "{wrong}");
        let request = server.client.post(server.at(&format!("/postback/{wrong}")));
        let seen = face(request.form(&with(&[])).send().await.unwrap()).await;
        assert_eq!(seen, nowhere, "{wrong}");
    }
    assert_eq!(
        server.count(0).await,
        1,
        "the one from before it was revoked"
    );
    assert_eq!(server.count(1).await, 0);
}

#[tokio::test]
async fn a_secret_writes_its_own_publisher_alone() {
    let server = running("").await;
    server.tell(&[], "STORED").await;
    server
        .get(
            &server.secrets[1],
            &[("payment_status", "declined"), ("subid1", "u-2")],
        )
        .send()
        .await
        .unwrap();
    for (place, status) in [(0, "PENDING"), (1, "DECLINED")] {
        assert_eq!(server.count(place).await, 1);
        assert_eq!(server.data(place, SEEN).await["action"]["status"], status);
        let users = server.data(place, "{ users { totalCount } }").await;
        assert_eq!(users["users"]["totalCount"], 1);
    }
}

#[tokio::test]
async fn bad_postbacks_are_kept_and_listed_and_do_not_harm_others() {
    let server = running("metrics = \"local\"").await;
    let long = "9".repeat(60_000);
    for (changes, field) in [
        ([("payment_sum", "1,89 $")].as_slice(), "payment"),
        (&[("time", "now")], "time"),
        (&[("payment_status", "won")], "status"),
        (&[("subid1", "a\0b")], "subid1"),
        (&[("subid2", &long[..5_000])], "subid2"),
        (&[("payment_sum", "99999999999999999999")], "payment"),
        (&[("order_sum", "-922337203685477.5808")], "cart"),
        (&[("admitad_id", " ")], "admitad_id"),
    ] {
        let told = server.tell(changes, "REJECTED").await;
        assert_eq!(told["field"], field, "{told}");
    }
    server
        .tell(
            &[("offer_name", "ВсеИнструменты ♥"), ("subid", "' OR 1=1 --")],
            "STORED",
        )
        .await;
    assert_eq!(server.count(0).await, 1);
    let runs = server
        .data(0, "{ imports { nodes { state counts { read rejected } rejectedRecords { totalCount nodes { field raw } } } } }")
        .await;
    let run = &runs["imports"]["nodes"][0];
    assert_eq!(run["state"], "PARTIAL");
    assert_eq!(run["counts"], json!({"read": 9, "rejected": 8}));
    assert_eq!(run["rejectedRecords"]["totalCount"], 8);
    let kept = run.to_string();
    assert!(
        !kept.contains("blog.example") && !kept.contains("iPhone"),
        "{kept}"
    );

    // What is no form is not even read.
    let address = server.at(&format!("/postback/{}", server.secrets[0]));
    let huge = server
        .client
        .post(&address)
        .form(&[("subid", "x".repeat(70_000))]);
    let huge = huge.send().await.unwrap();
    assert_eq!(huge.status().as_u16(), 413);
    let told: Value = huge.json().await.unwrap();
    // It is no limit that `limits` tells.
    assert_eq!(told["errors"][0]["extensions"]["limit"], Value::Null);
    let json = server.client.post(&address).json(&json!({"admitad_id": 1}));
    assert_eq!(json.send().await.unwrap().status().as_u16(), 415);
    // Events that are no actions are nothing to keep.
    for pairs in [&[][..], &[("offer_id", "1"), ("offer_status", "dead")]] {
        let answer = server
            .client
            .get(&address)
            .query(pairs)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["result"], "NOTHING");
    }
    assert_eq!(server.count(0).await, 1);
    let metrics = server
        .client
        .get(server.at("/metrics"))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "actiongraph_postbacks_total{outcome=\"stored\"} 1",
        "actiongraph_postbacks_total{outcome=\"rejected\"} 8",
        "actiongraph_postbacks_total{outcome=\"nothing\"} 2",
        "route=\"/postback/{secret}\"",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(
        !metrics.contains(&server.secrets[0][..11]),
        "no secret in a metric"
    );
}

#[tokio::test]
async fn the_same_postback_two_hundred_times_at_once_is_one_action() {
    let server = running("").await;
    let changes = [("payment_status", "approved")];
    let sent = (0..200).map(|_| server.get(&server.secrets[0], &changes).send());
    for answer in futures::future::join_all(sent).await {
        assert_eq!(answer.unwrap().status().as_u16(), 200);
    }
    assert_eq!(server.count(0).await, 1);
    let action = server.data(0, SEEN).await["action"].clone();
    assert_eq!(action["history"]["nodes"].as_array().unwrap().len(), 1);
    let runs = server
        .data(
            0,
            "{ imports { nodes { counts { read inserted updated unchanged } } } }",
        )
        .await;
    let counts = &runs["imports"]["nodes"][0]["counts"];
    assert_eq!(
        counts,
        &json!({"read": 200, "inserted": 1, "updated": 0, "unchanged": 199})
    );
}

#[tokio::test]
async fn an_address_can_name_the_ad_space_of_postbacks_that_name_none() {
    let server = running("").await;
    let now: Instant = server.now();
    let named = secret(
        &server.store,
        &server.publishers[0],
        Some("My channel"),
        now,
    )
    .await;
    let changes = [("website_id", ""), ("website_name", "[[[website_name]]]")];
    let answer = server.get(&named, &changes).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let action = server.data(0, SEEN).await["action"].clone();
    assert_eq!(action["adSpace"]["name"], "My channel");
}
