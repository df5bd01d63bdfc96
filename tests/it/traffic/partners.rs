//! The file of targets over HTTP, for keys that are limited: line for line what a server gives that never had the rest.

use super::{BASE, epoch, imported, set};
use crate::support::server::Running;
use actiongraph::access::keys::Administrator;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::limits::{Limits, SubidLimit};
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::Instant;
use serde_json::{Value, json};

/// An order, by its number: everything that keys are limited by comes with everything else.
struct Order(u32);

impl Order {
    fn all() -> impl Iterator<Item = Self> {
        (0..48).map(Self)
    }

    fn space(&self) -> (u32, &'static str) {
        [(501, "Blog"), (502, "HIDDEN blog")][(self.0 % 2) as usize]
    }

    fn program(&self) -> (u32, &'static str) {
        [(6115, "AliExpress WW"), (25179, "HIDDEN program")][(self.0 / 2 % 2) as usize]
    }

    fn subid2(&self) -> &'static str {
        ["partner-a", "HIDDEN"][(self.0 / 4 % 2) as usize]
    }

    fn days_ago(&self) -> u32 {
        [3, 50][(self.0 / 8 % 2) as usize]
    }

    /// Products that anybody sees orders of, and one for each of eight orders alone, so that whole products are hidden.
    fn product(&self) -> u32 {
        if self.0 < 32 {
            11 + self.0 % 3
        } else {
            100 + self.0 % 8
        }
    }

    fn json(&self) -> Value {
        let number = self.0 + 1;
        let micros = epoch().micros() - i64::from(self.days_ago()) * 86_400_000_000;
        let ordered = Instant::from_micros(micros).unwrap().to_rfc3339();
        let ordered = ordered.get(..19).unwrap().replace('T', " ");
        let ((space, space_name), (program, program_name)) = (self.space(), self.program());
        let product = self.product();
        let (status, updated) = match self.0 % 5 {
            0 => ("pending", ""),
            1 => ("declined", ordered.as_str()),
            _ => ("approved", ordered.as_str()),
        };
        let country = ["DE", "PL"][(self.0 % 3 % 2) as usize];
        let reward = format!("{}.{:02}", 1 + self.0, self.0);
        json!({
            "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": program,
            "advcampaign_name": program_name, "website_id": space, "website_name": space_name,
            "click_country_code": country, "action_type": "sale", "cart": 100,
            "status": status, "processed": 0, "subid1": format!("u{number}"), "subid2": self.subid2(), "payment": reward,
            "currency": "USD", "paid": 0, "action_date": ordered, "click_date": ordered, "status_updated": updated,
            "positions": [{ "id": number, "amount": "100.00", "payment": reward, "rate": "6.00", "percentage": true,
                "product_id": product.to_string(), "product_name": format!("Product {product}") }],
        })
    }
}

/// A server that has these orders, with a template of links for each ad space and program of them that is seen.
async fn server_of(orders: impl Iterator<Item = Order>) -> Running {
    let actions: Vec<Value> = orders.map(|order| order.json()).collect();
    let meta = json!({ "count": actions.len(), "limit": 500, "offset": 0 });
    let server = imported(json!({ "results": actions, "_meta": meta }).to_string()).await;
    let all = named(&server).await;
    let of = |kind: &'static str| all.iter().filter(move |(argument, ..)| *argument == kind);
    for (_, _, space) in of("adSpace") {
        for (_, _, program) in of("program") {
            let set = server.data(0, &set(space, program, BASE, "")).await;
            assert_eq!(set["setDeeplink"]["userErrors"], json!([]), "{set}");
        }
    }
    server
}

/// What the file's parameters may name: the parameter, the name, the id.
async fn named(server: &Running) -> Vec<(&'static str, String, String)> {
    let query = "{ adSpaces { nodes { id name } } programs { nodes { id name } } }";
    let data = server.data(0, query).await;
    let mut all = Vec::new();
    for (list, argument) in [("adSpaces", "adSpace"), ("programs", "program")] {
        for node in data[list]["nodes"].as_array().unwrap() {
            let text = |field: &str| node[field].as_str().unwrap().to_owned();
            all.push((argument, text("name"), text("id")));
        }
    }
    all
}

/// What `GET /traffic-targets.csv` answers to a key.
async fn file(server: &Running, key: &str, query: &str) -> (u16, String) {
    let request = server
        .client
        .get(server.at(&format!("/traffic-targets.csv{query}")));
    let answer = request.bearer_auth(key).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn limited_key(server: &Running, limits: Limits) -> String {
    let terms = KeyTerms {
        label: "partner".to_owned(),
        scopes: vec![KeyScope::Read],
        limits,
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    who.create(&server.store, terms).await.unwrap().secret
}

const QUESTIONS: &[&str] = &[
    "?minOrders=1",
    "?last=90d&minOrders=1&country=DE&subid1=me",
    "?last=90d&minOrders=2&country=PL&bom=true",
    "?last=90d&minOrders=1&first=2",
    "?last=90d&minOrders=1&filter=%7B%22country%22%3A%7B%22eq%22%3A%22DE%22%7D%7D",
    "?last=90d&minOrders=1&filter=%7B%22or%22%3A%5B%7B%22subid2%22%3A%7B%22eq%22%3A%22HIDDEN%22%7D%7D%2C%7B%22status%22%3A%7B%22eq%22%3A%22APPROVED%22%7D%7D%5D%7D",
    "?last=90d&minOrders=1&dateAxis=CLICKED&onlyAvailable=false",
    "?last=90d&minOrders=1&products=%7B%22externalId%22%3A%7B%22in%22%3A%5B%2211%22%2C%2212%22%2C%22107%22%5D%7D%7D",
];

async fn is_the_file_of_the_rest(limits: Limits, is_seen: impl Fn(&Order) -> bool) {
    let full = server_of(Order::all()).await;
    let part = server_of(Order::all().filter(|order| is_seen(order))).await;
    let key = limited_key(&full, limits).await;
    let mut lines = 0;
    for query in QUESTIONS {
        let told = file(&full, &key, query).await;
        let expected = file(&part, &part.keys[0], query).await;
        assert_eq!(told, expected, "{query}");
        assert_eq!(told.0, 200, "{query}: {}", told.1);
        let whole = file(&full, &full.keys[0], query).await;
        assert_ne!(told, whole, "{query}: nothing is hidden");
        lines += told.1.split("\r\n").count() - 2;
    }
    assert!(lines > QUESTIONS.len(), "{lines} lines");
    // What is hidden is answered like what never was.
    let (all, seen) = (named(&full).await, named(&part).await);
    for (argument, name, id) in all {
        if !seen.iter().any(|(_, seen, _)| *seen == name) {
            let query = format!("?minOrders=1&{argument}={id}");
            let told = file(&full, &key, &query).await;
            let expected = file(&part, &part.keys[0], &query).await;
            assert_eq!(told, expected, "{argument} {name}");
            let says = format!("there is no such {argument}");
            assert!(told.1.contains(&says), "{argument} {name}: {}", told.1);
        }
    }
}

#[tokio::test]
async fn a_key_of_an_ad_space_gets_the_file_of_its_orders() {
    let limits = Limits {
        ad_spaces: Some(vec!["501".to_owned()]),
        ..Limits::default()
    };
    is_the_file_of_the_rest(limits, |order| order.space().0 == 501).await;
}

#[tokio::test]
async fn a_key_of_a_program_gets_the_file_of_its_orders() {
    let limits = Limits {
        programs: Some(vec!["6115".to_owned()]),
        ..Limits::default()
    };
    is_the_file_of_the_rest(limits, |order| order.program().0 == 6115).await;
}

#[tokio::test]
async fn a_key_of_a_subid_gets_the_file_of_its_orders() {
    let limits = Limits {
        subids: vec![SubidLimit {
            slot: 2,
            values: Vec::new(),
            prefixes: vec!["partner-".to_owned()],
        }],
        ..Limits::default()
    };
    is_the_file_of_the_rest(limits, |order| order.subid2() == "partner-a").await;
}

#[tokio::test]
async fn a_key_of_the_last_days_gets_the_file_of_their_orders() {
    let limits = Limits {
        last_days: Some(20),
        ..Limits::default()
    };
    is_the_file_of_the_rest(limits, |order| order.days_ago() < 20).await;
}

/// Whoever sees no rewards gets no file, for its order tells them.
#[tokio::test]
async fn a_key_without_rewards_gets_no_line_that_tells_them() {
    let full = server_of(Order::all()).await;
    let limits = Limits {
        hide_reward: true,
        ..Limits::default()
    };
    let key = limited_key(&full, limits).await;
    for query in QUESTIONS {
        let (status, text) = file(&full, &key, query).await;
        assert_eq!(status, 403, "{query}: {text}");
        assert!(text.contains("FORBIDDEN"), "{query}: {text}");
    }
}
