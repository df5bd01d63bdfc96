//! What rises, falls and is seldom approved among targets is what the segments of products say.

use super::{Order, epoch, imported, page};
use crate::support::server::Running;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A product, its orders in the period before, those in the range, and how many of these were declined.
const SOLD: &[(&str, u32, u32, u32)] = &[
    ("11", 6, 12, 0),
    ("22", 12, 6, 0),
    ("33", 0, 12, 0),
    ("44", 10, 14, 0),
    ("55", 4, 9, 0),
    ("66", 10, 20, 0),
    ("77", 21, 10, 0),
    ("88", 0, 10, 6),
];

fn orders() -> String {
    let mut orders: Vec<Order<'_>> = Vec::new();
    let mut add = |product: &'static str, status: &'static str, days: i64, count: u32| {
        for _ in 0..count {
            let number = u32::try_from(orders.len()).unwrap() * 10 + 1;
            orders.push((number, product, "Thing", status, "1.00", days));
        }
    };
    for (product, before, now, declined) in SOLD {
        add(product, "approved", 40, *before);
        add(product, "approved", 3, now - declined);
        add(product, "declined", 3, *declined);
    }
    page(epoch(), &orders)
}

/// The products of the nodes of a list.
fn products<'a>(nodes: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let ids = nodes.map(|node| node["product"]["externalId"].as_str().unwrap().to_owned());
    ids.collect()
}

/// What targets say of products and what segments do, over the same range: reason and segment, and the products of both.
async fn compare(server: &Running, expected: &[(&str, &str, &[&str])]) {
    const RANGE: &str = "range: {last: {count: 30, unit: DAY}}";
    let query = format!(
        "{{ trafficTargets({RANGE}, minOrders: 1, first: 20) {{ nodes {{ product {{ externalId }} reasons {{ kind }} }} }} \
         productSegments({RANGE}, segments: [RISING, FALLING, RISKY]) {{ nodes {{ kind products(first: 20) {{ nodes {{ product {{ externalId }} }} }} }} }} }}"
    );
    let data = server.data(0, &query).await;
    let targets = data["trafficTargets"]["nodes"].as_array().unwrap();
    assert_eq!(targets.len(), SOLD.len());
    let segments = data["productSegments"]["nodes"].as_array().unwrap();
    for (reason, segment, names) in expected {
        let has = |target: &&Value| {
            let mut reasons = target["reasons"].as_array().unwrap().iter();
            reasons.any(|one| one["kind"] == *reason)
        };
        let told = products(targets.iter().filter(has));
        let found = segments.iter().find(|one| one["kind"] == *segment);
        let members = found.unwrap()["products"]["nodes"].as_array().unwrap();
        assert_eq!(told, products(members.iter()), "{reason}");
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(told, names, "{reason}");
    }
}

#[tokio::test]
async fn reasons_are_those_of_segments_also_where_the_publisher_has_set_them() {
    let server = imported(orders()).await;
    compare(
        &server,
        &[
            ("RISING", "RISING", &["11", "66"]),
            ("FALLING", "FALLING", &["22", "77"]),
            ("LOW_APPROVAL", "RISKY", &["88"]),
        ],
    )
    .await;
    let set = "mutation { updateSegmentSettings(version: 0, products: {changePercent: 30, changeUnits: 5, riskyPercent: 30}) { \
               userErrors { message } } }";
    let set = server.data(0, set).await;
    assert_eq!(set["updateSegmentSettings"]["userErrors"], json!([]));
    compare(
        &server,
        &[
            ("RISING", "RISING", &["11", "44", "55", "66"]),
            ("FALLING", "FALLING", &["22", "77"]),
            ("LOW_APPROVAL", "RISKY", &[]),
        ],
    )
    .await;
}
