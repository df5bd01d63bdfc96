//! What people do with segments: links for what a segment likes best, and orders that wait too long.

use super::api::{action, ask, import};
use crate::support::server::{Running, running};
use serde_json::{Value, json};

const BASE: &str = "https://ad.admitad.com/g/0123456789abcdef0123456789abcd/";

async fn server() -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let server = running(&format!(
        "import_directory = \"{}\"",
        folder.path().display()
    ))
    .await;
    (folder, server)
}

async fn id_of(server: &Running, name: &str, rule: Value) -> Value {
    let create = "mutation($name: String!, $rule: SegmentRuleInput!) { made: createSegment(name: $name, rule: $rule) { \
                  segment { id } userErrors { field message } } }";
    let made = ask(server, create, json!({ "name": name, "rule": rule })).await;
    assert_eq!(made["made"]["userErrors"], json!([]), "{made:#}");
    made["made"]["segment"]["id"].clone()
}

/// The products of a list with their links, in the order of the ids.
fn linked(nodes: &Value, id: &str, url: &str) -> Vec<(String, String)> {
    let text = |node: &Value, at: &str| node.pointer(at).unwrap().as_str().unwrap().to_owned();
    let nodes = nodes.as_array().unwrap().iter();
    let mut found: Vec<_> = nodes
        .map(|node| (text(node, id), text(node, url)))
        .collect();
    found.sort();
    found
}

/// "Get links for the products that this segment likes most", and for the products of a segment.
#[tokio::test]
async fn links_are_made_for_the_products_that_a_segment_likes() {
    let (_folder, server) = server().await;
    let mut orders = vec![
        action(1, "fan", "DE", 20, "44", "approved"),
        action(2, "fan", "DE", 10, "44", "pending"),
        action(3, "other", "DE", 10, "44", "approved"),
    ];
    for order in &mut orders {
        order["website_id"] = json!(501);
        order["website_name"] = json!("My blog");
        order["advcampaign_name"] = json!("AliExpress WW");
    }
    import(&server, orders).await;
    let known = "{ adSpaces { nodes { id } } programs(filter: {externalId: {eq: \"6115\"}}) { nodes { id } } }";
    let known = ask(&server, known, json!({})).await;
    let set = "mutation($space: ID!, $program: ID!, $base: String!) { done: setDeeplink(adSpace: $space, program: $program, \
               base: $base, parameters: [{name: \"erid\", value: \"e1\"}]) { userErrors { field message } } }";
    let variables = json!({ "space": known["adSpaces"]["nodes"][0]["id"],
        "program": known["programs"]["nodes"][0]["id"], "base": BASE });
    let done = ask(&server, set, variables).await;
    assert_eq!(done["done"]["userErrors"], json!([]), "{done:#}");

    let often = json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": 2 } } });
    let fans = id_of(&server, "Fans", often).await;
    let third = json!({ "products": { "product": { "externalId": { "eq": "1005003" } } } });
    let third = id_of(&server, "The third", third).await;
    let query = "query($fans: ID!, $third: ID!, $range: RangeInput!) { \
                 liked: topSellingProducts(range: $range, filter: {user: {segment: {in: [$fans]}}}) { nodes { units product { \
                 externalId affiliateLink(country: \"DE\", subids: {subid1: \"fans\"}) { url } } } } \
                 targets: trafficTargets(range: $range, country: \"DE\", minOrders: 1, \
                 filter: {items: {some: {product: {segment: {in: [$third]}}}}}) { currency program { name } \
                 nodes { product { externalId } affiliateLink(subids: {subid1: \"third\"}) { url } } } }";
    let range = json!({ "last": { "count": 30, "unit": "DAY" } });
    let variables = json!({ "fans": fans, "third": third, "range": range });
    let data = ask(&server, query, variables).await;
    let link = |product: &str, subid: &str| {
        let url = format!(
            "{BASE}?erid=e1&ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F{product}.html&subid1={subid}"
        );
        (product.to_owned(), url)
    };
    assert_eq!(
        linked(
            &data["liked"]["nodes"],
            "/product/externalId",
            "/product/affiliateLink/url"
        ),
        [link("1005001", "fans"), link("1005002", "fans")],
        "{data:#}"
    );
    assert_eq!(
        linked(
            &data["targets"]["nodes"],
            "/product/externalId",
            "/affiliateLink/url"
        ),
        [link("1005003", "third")],
        "{data:#}"
    );
    assert_eq!(data["targets"]["currency"], "USD");
    assert_eq!(data["targets"]["program"]["name"], "AliExpress WW");
}

/// The hold of RU&CIS NEW lasts 30 days: what was ordered 60 days ago was in time 40 days ago, and is overdue since 30.
#[tokio::test]
async fn overdue_in_a_rule_is_as_of_when_the_segment_is_asked_for() {
    let (_folder, server) = server().await;
    let mut order = action(1, "waits", "RU", 60, "44", "pending");
    order["advcampaign_id"] = json!(25179);
    order["advcampaign_name"] = json!("AliExpress RU&CIS NEW");
    import(&server, vec![order]).await;
    let day = |days_ago: i64| {
        let day = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000 - days_ago);
        day.format("%Y-%m-%dT00:00:00Z").to_string()
    };
    let times = json!({ "before": day(40), "after": day(20) });
    for (overdue, sizes) in [(true, [0, 1, 1]), (false, [1, 0, 0])] {
        let rule = json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": 1,
            "actions": { "status": { "eq": "PENDING" }, "overdue": overdue } } } });
        let id = id_of(&server, &format!("overdue {overdue}"), rule.clone()).await;
        let mut variables = times.clone();
        variables["id"] = id;
        variables["rule"] = rule;
        let query = "query($id: ID!, $rule: SegmentRuleInput!, $before: DateTime!, $after: DateTime!) { segment(id: $id) { \
                     before: size(asOf: $before) after: size(asOf: $after) size sentence \
                     members(asOf: $before) { totalCount } \
                     trend(range: {between: {from: $before, to: $after}}, bucket: MONTH) { at size } } \
                     before: previewSegment(rule: $rule, asOf: $before) { size } \
                     now: previewSegment(rule: $rule) { size } \
                     users(filter: {segment: {in: [$id]}}) { totalCount } }";
        let data = ask(&server, query, variables).await;
        let segment = &data["segment"];
        assert_eq!(
            json!([segment["before"], segment["after"], segment["size"]]),
            json!(sizes),
            "{data:#}"
        );
        assert_eq!(segment["members"]["totalCount"], sizes[0]);
        assert_eq!(data["before"]["size"], sizes[0]);
        assert_eq!(data["now"]["size"], sizes[2]);
        assert_eq!(data["users"]["totalCount"], sizes[2]);
        let trend = segment["trend"].as_array().unwrap();
        assert_eq!(trend.last().unwrap()["size"], sizes[1], "{data:#}");
        let sentence = segment["sentence"].as_str().unwrap();
        assert!(sentence.contains("the hold is over"), "{sentence}");
    }
}
