//! Nobody sees another publisher's rows or names: two publishers hold actions with the same upstream ids, and the
//! second asks for everything that the first one has. The list of fields comes from the schema itself, so a new field
//! cannot be missed.

use crate::support::api::Api;
use crate::support::clicks;
use crate::support::drafts::Shape;
use crate::support::world::{World, block_on};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A query for everything under a root field; a root field without one here fails the test.
fn everything(field: &str) -> &'static str {
    match field {
        "node" | "nodes" | "action" | "metricDefinitions" => "",
        // For administrators: `keys` asks them.
        "apiKeys" | "auditTrail" => "",
        "viewer" => "{ viewer { publisher { slug name } } }",
        "limits" => "{ limits { nodes } }",
        "freshness" => "{ freshness { entrance lastRun { id name } } }",
        "actions" => {
            "{ actions(first: 100) { totalCount nodes { id orderId subid1 comment program { id name } adSpace { id name } \
             user { id value } items { nodes { externalId product { id name } category { id name } } } } } }"
        }
        "products" => {
            "{ products(first: 100) { totalCount nodes { id name url actions { nodes { id } } } } }"
        }
        "categories" => {
            "{ categories(first: 100, filter: {isKnown: {eq: false}}) { nodes { id name } } }"
        }
        "programs" => "{ programs(first: 100) { nodes { id name actions { nodes { id } } } } }",
        "adSpaces" => {
            "{ adSpaces(first: 100) { nodes { id name deeplinks { base } actions { nodes { id } } } } }"
        }
        "users" => {
            "{ users(first: 100) { totalCount nodes { id value actions { nodes { id } } } } }"
        }
        "imports" => {
            "{ imports(first: 100) { nodes { id name rejectedRecords { nodes { raw } } } } }"
        }
        "adjustments" => {
            "{ adjustments(first: 100) { totalCount totals { count } nodes { id comment reference program { id } \
             adSpace { id } importRun { id } } } }"
        }
        "earnings" => "{ earnings(range: {preset: THIS_YEAR}) { netReward { amount } } }",
        "balances" => {
            "{ balances(first: 100) { totalCount nodes { account balance { amount } } } }"
        }
        "topSellingCategories" => {
            "{ topSellingCategories(range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}) { totals { units } \
             nodes { units category { id name } products(first: 50) { nodes { product { id name } } } } } }"
        }
        "topSellingProducts" => {
            "{ topSellingProducts(first: 100, range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}) { \
             totals { units } nodes { units product { id name } } } }"
        }
        "productSegments" => {
            "{ productSegments(range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}) { nodes { size \
             products(first: 100) { nodes { product { id name } } } } } }"
        }
        "userSegments" => {
            "{ userSegments(first: 40, range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}) { nodes { size \
             users(first: 100) { nodes { user { id value } } } topProducts(first: 50) { nodes { product { id } } } } } }"
        }
        "trafficTargets" => {
            "{ trafficTargets(first: 100, minOrders: 1, range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}) { totalCount \
             nodes { product { id name } affiliateLink { url program { name } } } } }"
        }
        "segmentSettings" => "{ segmentSettings { version users { currency } } }",
        "userSegmentMovement" => {
            "{ userSegmentMovement(from: \"2026-04-01T00:00:00Z\", to: \"2026-07-01T00:00:00Z\", days: 365) { entered steps(first: 50) { nodes { \
             size users(first: 100) { nodes { user { id value } } } } } } }"
        }
        "userCohorts" => {
            "{ userCohorts(range: {days: {from: \"2026-01-01\", to: \"2026-12-31\"}}) { cohorts { size periods { users } } } }"
        }
        "report" => {
            "{ byItems: report(first: 2000, range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}, \
             groupBy: [PRODUCT, CATEGORY_OWN]) { totals { actions } nodes { filter values { units } key { product { id name } \
             category { id name } } } } \
             byActions: report(first: 2000, range: {days: {from: \"1970-01-01\", to: \"9999-12-31\"}}, \
             groupBy: [PROGRAM, AD_SPACE, SUBID1]) { nodes { values { users clicks cr } key { program { id name } adSpace { id name } subid1 } } } }"
        }
        // Nothing is there before someone defines it; `own_segments` and `feeds` try what one publisher has on the other.
        "segment" | "segments" | "segmentOverlap" | "awaitedProducts" => "",
        "previewSegment" => {
            "{ previewSegment(sampleSize: 100, rule: {products: {}}) { size sample { product { id name } } } }"
        }
        other => panic!("the schema has a new root field {other}: say here what to ask of it"),
    }
}

fn ids(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(id) if name == "id" => {
                        into.insert(id.clone());
                    }
                    _ => ids(field, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, into)),
        _ => {}
    }
}

async fn root_fields(api: &Api) -> Vec<String> {
    let data = api
        .data("{ __schema { queryType { fields { name } } } }", &json!({}))
        .await;
    let fields = data["__schema"]["queryType"]["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|field| field["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_one_publisher_has_the_other_never_sees() {
    block_on(async {
        let world = World::rich(
            11,
            Shape {
                drafts: 160,
                actions: 120,
                wild: false,
            },
        )
        .await;
        for place in [0, 1] {
            clicks::spread(&world, place, 11).await;
        }
        let (first, second) = (Api::of(&world, 0), Api::of(&world, 1));
        let mut theirs = BTreeSet::new();
        for field in root_fields(&first).await {
            let query = everything(&field);
            if query.is_empty() {
                continue;
            }
            let (mut a, mut b) = (BTreeSet::new(), BTreeSet::new());
            ids(&first.data(query, &json!({})).await, &mut a);
            ids(&second.data(query, &json!({})).await, &mut b);
            assert!(
                a.is_disjoint(&b),
                "{field}: both publishers see {:?}",
                a.intersection(&b).next()
            );
            theirs.extend(a);
        }
        assert!(
            theirs.len() > 150,
            "the first publisher shows {} ids",
            theirs.len()
        );

        // Foreign ids are as if they did not exist: alone, in a list, in a filter, as a parent.
        let theirs: Vec<String> = theirs.into_iter().collect();
        for chunk in theirs.chunks(100) {
            let data = second
                .data(
                    "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
                    &json!({ "ids": chunk }),
                )
                .await;
            let found = data["nodes"].as_array().unwrap();
            assert_eq!(found.len(), chunk.len());
            assert!(found.iter().all(Value::is_null), "{found:?}");
        }
        let mine = first
            .data(
                "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
                &json!({ "ids": theirs[..50] }),
            )
            .await;
        assert!(
            mine["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .all(|node| !node.is_null())
        );
        for id in &theirs {
            let one = second
                .data(
                    "query($id: ID!) { node(id: $id) { id } action(by: {id: $id}) { id } }",
                    &json!({ "id": id }),
                )
                .await;
            assert_eq!(one, json!({ "node": null, "action": null }));
        }
    });
}

#[test]
fn a_filter_by_another_publisher_s_ids_finds_nothing() {
    block_on(async {
        let world = World::rich(
            12,
            Shape {
                drafts: 120,
                actions: 90,
                wild: false,
            },
        )
        .await;
        let (first, second) = (Api::of(&world, 0), Api::of(&world, 1));
        let of = |field: &str, data: &Value| -> Vec<String> {
            let rows = data[field]["nodes"].as_array().unwrap();
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let query = "{ actions(first: 100) { nodes { id } } users(first: 100) { nodes { id } } \
                     adSpaces { nodes { id } } products(first: 100) { nodes { id } } }";
        let data = first.data(query, &json!({})).await;
        for filter in [
            json!({ "id": { "in": of("actions", &data) } }),
            json!({ "user": { "id": { "in": of("users", &data) } } }),
            json!({ "adSpace": { "id": { "in": of("adSpaces", &data) } } }),
            json!({ "items": { "some": { "product": { "id": { "in": of("products", &data) } } } } }),
        ] {
            let ask =
                "query($f: ActionFilter) { actions(filter: $f) { totalCount totals { count } } }";
            let found = second.data(ask, &json!({ "f": filter })).await;
            assert_eq!(
                found["actions"],
                json!({ "totalCount": 0, "totals": { "count": 0 } }),
                "{filter}"
            );
            let own = first.data(ask, &json!({ "f": filter })).await;
            assert_ne!(own["actions"]["totalCount"], json!(0), "{filter}");
        }
    });
}
