//! Targets among some products: carts hold others as well, which are not ranked with them.

use super::{epoch, imported};
use crate::support::server::Running;
use actiongraph::access::keys::Administrator;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::limits::Limits;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::Instant;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An order: number, ad space, status, days before the server's present, and its cart as product and reward.
type Order<'a> = (u32, u32, &'a str, i64, &'a [(&'a str, &'a str)]);

/// Products 11 and 22 in one cart each time, 33 by itself.
const ORDERS: &[Order<'_>] = &[
    (1, 501, "approved", 3, &[("11", "3.00"), ("22", "5.00")]),
    (2, 501, "approved", 4, &[("11", "3.00"), ("22", "5.00")]),
    (3, 502, "declined", 5, &[("11", "1.00"), ("22", "1.00")]),
    (4, 502, "pending", 6, &[("33", "9.00")]),
    (5, 502, "approved", 7, &[("22", "8.00"), ("33", "1.00")]),
    (6, 501, "approved", 40, &[("11", "3.00"), ("22", "5.00")]),
];

fn page() -> String {
    let actions: Vec<Value> = ORDERS
        .iter()
        .map(|(number, space, status, days, cart)| {
            let micros = epoch().micros() - days * 86_400_000_000;
            let ordered = Instant::from_micros(micros).unwrap().to_rfc3339();
            let ordered = ordered.get(..19).unwrap().replace('T', " ");
            let updated = if *status == "pending" { "" } else { &ordered };
            let items: Vec<Value> = (1..)
                .zip(*cart)
                .map(|(place, (product, reward))| {
                    json!({ "id": number * 10 + place, "amount": "50.00", "payment": reward, "rate": "6.00",
                        "percentage": true, "product_id": product, "product_name": format!("Thing {product}") })
                })
                .collect();
            json!({
                "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": 6115,
                "advcampaign_name": "AliExpress WW", "website_id": space, "website_name": format!("Blog {space}"),
                "click_country_code": "DE", "action_type": "sale", "cart": 100, "status": status, "processed": 0,
                "subid1": format!("u{number}"), "payment": "9.00", "currency": "USD", "positions": items, "paid": 0,
                "action_date": ordered, "click_date": ordered, "status_updated": updated,
            })
        })
        .collect();
    json!({ "results": actions, "_meta": { "count": actions.len(), "limit": 500, "offset": 0 } })
        .to_string()
}

/// Rank, product, what an order is expected to bring, orders and units before, of targets that are asked for so.
async fn ranked(server: &Running, key: &str, more: &str) -> Vec<Value> {
    let query = format!(
        "{{ trafficTargets(range: {{last: {{count: 30, unit: DAY}}}}, minOrders: 1{more}) {{ totalCount baseApprovalRate \
         nodes {{ rank product {{ externalId }} expectedRewardPerOrder {{ amount }} orders trend {{ previous }} }} }} }}"
    );
    let answer = server.ask(key, &query).await;
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    let list = &answer["data"]["trafficTargets"];
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len(), "{more}");
    // Which products are ranked says nothing of what is approved.
    assert_eq!(list["baseApprovalRate"], 1.0, "{more}");
    let rows = nodes.iter().map(|node| {
        json!([
            node["rank"],
            node["product"]["externalId"],
            node["expectedRewardPerOrder"]["amount"],
            node["orders"],
            node["trend"]["previous"]
        ])
    });
    rows.collect()
}

/// A segment of the product 11.
async fn segment(server: &Running) -> String {
    let rule = "products: {product: {externalId: {eq: \"11\"}}}";
    let mutation = format!(
        "mutation {{ createSegment(name: \"S\", rule: {{{rule}}}) {{ segment {{ id }} userErrors {{ message }} }} }}"
    );
    let made = server.data(0, &mutation).await;
    assert_eq!(made["createSegment"]["userErrors"], json!([]), "{made:#}");
    made["createSegment"]["segment"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn targets_are_ranked_among_the_products_that_were_chosen() {
    let server = imported(page()).await;
    let id = segment(&server).await;
    let priority = "mutation { setPriorityProducts(products: {externalIds: [\"33\"]}) { userErrors { message } } }";
    let set = server.data(0, priority).await;
    assert_eq!(set["setPriorityProducts"]["userErrors"], json!([]));

    // (3 + 3) / 3, (5 + 5 + 8) / 4, (9 + 1) / 2
    let first = json!([1, "11", "2.00", 3, "1"]);
    let second = json!([1, "22", "4.50", 4, "1"]);
    let third = json!([1, "33", "5.00", 2, "0"]);
    let behind = |row: &Value, rank: i64| {
        let mut row = row.clone();
        row[0] = json!(rank);
        row
    };
    let all = vec![third.clone(), behind(&second, 2), behind(&first, 3)];
    let key = &server.keys[0];
    // By the filter of actions alone the carts count with all that is in them.
    let carts =
        format!(", filter: {{items: {{some: {{product: {{segment: {{in: [\"{id}\"]}}}}}}}}}}");
    let of_carts = ranked(&server, key, &carts).await;
    let names: Vec<&Value> = of_carts.iter().map(|row| &row[1]).collect();
    assert_eq!(names, ["22", "11"], "{of_carts:?}");
    for (products, expected) in [
        ("{}".to_owned(), all),
        (
            format!("{{segment: {{in: [\"{id}\"]}}}}"),
            vec![first.clone()],
        ),
        (
            format!("{{segment: {{notIn: [\"{id}\"]}}}}"),
            vec![third.clone(), behind(&second, 2)],
        ),
        ("{isPriority: {eq: true}}".to_owned(), vec![third.clone()]),
        (
            "{builtInSegment: {kind: PRIORITY, period: {last: {count: 30, unit: DAY}}}}".to_owned(),
            vec![third.clone()],
        ),
        (
            "{name: {contains: \"THING 2\"}}".to_owned(),
            vec![second.clone()],
        ),
        (
            format!("{{or: [{{segment: {{in: [\"{id}\"]}}}}, {{externalId: {{eq: \"22\"}}}}]}}"),
            vec![second.clone(), behind(&first, 2)],
        ),
        ("{externalId: {eq: \"44\"}}".to_owned(), Vec::new()),
    ] {
        // From totals, and from the facts.
        for filter in ["", ", filter: {country: {eq: \"DE\"}}"] {
            let more = format!(", products: {products}{filter}");
            assert_eq!(ranked(&server, key, &more).await, expected, "{more}");
        }
    }
    // Of the carts with 11 the products but 11.
    let both = format!("{carts}, products: {{segment: {{notIn: [\"{id}\"]}}}}");
    let beside = ranked(&server, key, &both).await;
    assert_eq!(beside.len(), 1, "{beside:?}");
    // (5 + 5) / 3
    assert_eq!(beside[0], json!([1, "22", "3.3333", 3, "1"]));
}

#[tokio::test]
async fn a_limited_key_chooses_among_the_products_that_it_sees() {
    let server = imported(page()).await;
    let terms = KeyTerms {
        label: "partner".to_owned(),
        scopes: vec![KeyScope::Read],
        limits: Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..Limits::default()
        },
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let key = who.create(&server.store, terms).await.unwrap().secret;
    for filter in ["", ", filter: {country: {eq: \"DE\"}}"] {
        let among = async |products: &str| {
            ranked(&server, &key, &format!(", products: {products}{filter}")).await
        };
        assert_eq!(
            among("{externalId: {in: [\"11\", \"33\"]}}").await,
            [json!([1, "11", "3.00", 2, "1"])]
        );
        assert_eq!(
            among("{externalId: {ne: \"11\"}}").await,
            [json!([1, "22", "5.00", 2, "1"])]
        );
        assert_eq!(
            among("{externalId: {eq: \"33\"}}").await,
            Vec::<Value>::new()
        );
    }
}

#[tokio::test]
async fn the_file_has_the_products_that_were_chosen() {
    let server = imported(page()).await;
    let id = segment(&server).await;
    let get = async |key: &str, products: &str| {
        let address = server.at("/traffic-targets.csv?last=30d&minOrders=1");
        let request = server.client.get(address).bearer_auth(key);
        let answer = request.query(&[("products", products)]).send();
        let answer = answer.await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let of_segment = json!({ "segment": { "in": [id] } }).to_string();
    let (status, text) = get(&server.keys[0], &of_segment).await;
    assert_eq!(status, 200, "{text}");
    let rows: Vec<&str> = text.split("\r\n").skip(1).collect();
    assert!(rows[0].starts_with("1,11,Thing 11,"), "{text}");
    assert_eq!(rows[1..], [""], "{text}");
    for (key, products, part) in [
        (0, "{", "not JSON"),
        (0, "{\"colour\": 1}", "colour"),
        (1, of_segment.as_str(), "no such segment"),
    ] {
        let (status, text) = get(&server.keys[key], products).await;
        assert_eq!(status, 400, "{products}: {text}");
        assert!(text.contains(part), "{products}: {text}");
    }
}

/// Rank, actions and actions before, by product, of the best sellers that are asked for so.
async fn sold(server: &Running, key: &str, more: &str) -> BTreeMap<String, Value> {
    let query = format!(
        "{{ topSellingProducts(range: {{last: {{count: 30, unit: DAY}}}}, by: ACTIONS{more}) {{ totalCount totals {{ actions }} \
         nodes {{ rank actions change {{ previous }} product {{ externalId }} }} }} }}"
    );
    let answer = server.ask(key, &query).await;
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    let list = &answer["data"]["topSellingProducts"];
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len(), "{more}");
    let ranks: Vec<i64> = nodes
        .iter()
        .map(|node| node["rank"].as_i64().unwrap())
        .collect();
    assert!(ranks.is_sorted(), "{more}: {ranks:?}");
    let rows = nodes.iter().map(|node| {
        let product = node["product"]["externalId"].as_str().unwrap();
        let row = json!([node["rank"], node["actions"], node["change"]["previous"]]);
        (product.to_owned(), row)
    });
    let mut rows: BTreeMap<String, Value> = rows.collect();
    // Which products are ranked says nothing of what was sold.
    rows.insert("all".to_owned(), list["totals"]["actions"].clone());
    rows
}

#[tokio::test]
async fn best_sellers_are_ranked_among_the_products_that_were_chosen() {
    let server = imported(page()).await;
    let id = segment(&server).await;
    let priority = "mutation { setPriorityProducts(products: {externalIds: [\"33\"]}) { userErrors { message } } }";
    let set = server.data(0, priority).await;
    assert_eq!(set["setPriorityProducts"]["userErrors"], json!([]));
    let key = &server.keys[0];
    let rows = |rows: &[(&str, i64, i64, &str)], all: i64| -> BTreeMap<String, Value> {
        let rows = rows.iter().map(|(product, rank, actions, before)| {
            ((*product).to_owned(), json!([rank, actions, before]))
        });
        rows.chain([("all".to_owned(), json!(all))]).collect()
    };
    let (first, second, third) = (("11", 2, 2, "1"), ("22", 1, 3, "1"), ("33", 2, 2, "0"));
    // By the filter of actions alone the carts count with all that is in them.
    let carts =
        format!(", filter: {{items: {{some: {{product: {{segment: {{in: [\"{id}\"]}}}}}}}}}}");
    assert_eq!(
        sold(&server, key, &carts).await,
        rows(&[("11", 1, 2, "1"), ("22", 1, 2, "1")], 2)
    );
    for (products, expected) in [
        ("{}".to_owned(), vec![first, second, third]),
        (
            format!("{{segment: {{in: [\"{id}\"]}}}}"),
            vec![("11", 1, 2, "1")],
        ),
        (
            format!("{{segment: {{notIn: [\"{id}\"]}}}}"),
            vec![second, third],
        ),
        (
            "{isPriority: {eq: true}}".to_owned(),
            vec![("33", 1, 2, "0")],
        ),
        (
            "{builtInSegment: {kind: PRIORITY, period: {last: {count: 30, unit: DAY}}}}".to_owned(),
            vec![("33", 1, 2, "0")],
        ),
        (
            format!(
                "{{or: [{{segment: {{in: [\"{id}\"]}}}}, {{name: {{contains: \"THING 3\"}}}}]}}"
            ),
            vec![("11", 1, 2, "1"), ("33", 1, 2, "0")],
        ),
        ("{externalId: {eq: \"44\"}}".to_owned(), Vec::new()),
    ] {
        // From totals, and from the facts; and each with a page that columns do not give.
        for more in [
            "",
            ", filter: {country: {eq: \"DE\"}}",
            ", last: 9",
            ", dateAxis: CLICKED",
        ] {
            let more = format!(", products: {products}{more}");
            assert_eq!(
                sold(&server, key, &more).await,
                rows(&expected, 4),
                "{more}"
            );
        }
    }
    // Of the carts with 11 the products but 11.
    let both = format!("{carts}, products: {{segment: {{notIn: [\"{id}\"]}}}}");
    assert_eq!(
        sold(&server, key, &both).await,
        rows(&[("22", 1, 2, "1")], 2)
    );
}

#[tokio::test]
async fn a_limited_key_ranks_the_best_sellers_that_it_sees() {
    let server = imported(page()).await;
    let terms = KeyTerms {
        label: "partner".to_owned(),
        scopes: vec![KeyScope::Read],
        limits: Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..Limits::default()
        },
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    let key = who.create(&server.store, terms).await.unwrap().secret;
    for filter in ["", ", filter: {country: {eq: \"DE\"}}"] {
        for (products, expected) in [
            ("{externalId: {in: [\"11\", \"33\"]}}", Some("11")),
            ("{externalId: {ne: \"11\"}}", Some("22")),
            ("{externalId: {eq: \"33\"}}", None),
        ] {
            let mut found = sold(&server, &key, &format!(", products: {products}{filter}")).await;
            assert_eq!(found.remove("all"), Some(json!(2)), "{products}");
            let rows = expected.map(|product| (product.to_owned(), json!([1, 2, "1"])));
            assert_eq!(found, rows.into_iter().collect(), "{products}{filter}");
        }
    }
}
