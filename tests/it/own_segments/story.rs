//! One analyst's whole story, through GraphQL alone but for the imports: a segment is defined, looked at before it is saved,
//! used as a filter, watched over time, frozen, and turned into links.

use super::api::{PAYLOAD, action, ask, import};
use crate::support::server::{Running, running};
use serde_json::{Value, json};

const BASE: &str = "https://ad.admitad.com/g/0123456789abcdef0123456789abcd/";

/// Categories by their AliExpress ids: electronics, something below it, and two others.
const ELECTRONICS: &str = "44";
const ACCESSORIES: &str = "629";
const PHONES: &str = "5090301";
const SPECIAL: &str = "200001075";

/// An order of a user from a country so many days ago: of a product of a category so many units.
fn order(
    number: u64,
    (user, country, days_ago): (&str, &str, i64),
    (product, category, units): (&str, &str, u32),
) -> Value {
    let mut order = action(number, user, country, days_ago, category, "approved");
    order["website_id"] = json!(501);
    order["website_name"] = json!("My blog");
    order["advcampaign_name"] = json!("AliExpress WW");
    let position = &mut order["positions"][0];
    position["quantity"] = json!(units);
    position["product_id"] = json!(product);
    position["product_url"] = json!(format!("https://www.aliexpress.com/item/{product}.html"));
    order
}

/// Two Poles who bought electronics twice and are quiet, one who was so in June, and those whom one condition each keeps out.
fn orders() -> Vec<Value> {
    let mut declined = order(15, ("refused", "PL", 45), ("101", ELECTRONICS, 1));
    declined["status"] = json!("declined");
    vec![
        order(1, ("ann", "PL", 60), ("101", ELECTRONICS, 5)),
        order(2, ("ann", "PL", 45), ("102", ACCESSORIES, 2)),
        order(3, ("ann", "PL", 50), ("103", PHONES, 1)),
        order(4, ("bea", "PL", 80), ("101", ELECTRONICS, 1)),
        order(5, ("bea", "PL", 40), ("104", ELECTRONICS, 3)),
        order(6, ("bea", "PL", 70), ("105", SPECIAL, 4)),
        order(7, ("early", "PL", 150), ("101", ELECTRONICS, 1)),
        order(8, ("early", "PL", 140), ("101", ELECTRONICS, 1)),
        order(9, ("lately", "PL", 60), ("101", ELECTRONICS, 50)),
        order(10, ("lately", "PL", 45), ("102", ACCESSORIES, 50)),
        order(11, ("lately", "PL", 10), ("103", PHONES, 50)),
        order(12, ("german", "DE", 60), ("101", ELECTRONICS, 50)),
        order(13, ("german", "DE", 45), ("102", ACCESSORIES, 50)),
        order(14, ("refused", "PL", 60), ("101", ELECTRONICS, 50)),
        declined,
        order(16, ("once", "PL", 60), ("101", ELECTRONICS, 50)),
        order(17, ("once", "PL", 50), ("105", SPECIAL, 50)),
    ]
}

/// "Users from Poland who bought electronics twice in 90 days and nothing in 30."
async fn rule(server: &Running) -> Value {
    let query = "{ categories(filter: {name: {eq: \"Consumer Electronics\"}}) { nodes { id } } }";
    let found = ask(server, query, json!({})).await;
    let electronics = &found["categories"]["nodes"][0]["id"];
    assert!(electronics.is_string(), "{found:#}");
    let last = |days: i64| json!({ "last": { "count": days, "unit": "DAY" } });
    json!({ "users": {
        "clickCountry": { "eq": "PL" },
        "and": [
            { "metric": { "metric": "ACTIONS", "atLeast": 2, "period": last(90),
                "items": { "category": { "within": [electronics] } } } },
            { "metric": { "metric": "ACTIONS", "atMost": 0, "period": last(30) } },
        ],
    } })
}

/// What is measured of electronics, in words.
const TWICE: &str =
    "actions in the last 90 days, of items with category within \"Consumer Electronics\"";

fn is_in_words(sentence: &Value) {
    let sentence = sentence.as_str().unwrap();
    for part in ["Users: ", "is \"PL\"", TWICE, ": at least 2", ": at most 0"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
}

/// Sees how many it would be, and why, before anything is saved; then saves it.
async fn defined(server: &Running, rule: &Value) -> Value {
    let preview = "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule) { size problems { message } sentence \
                   sample { user { value } reasons { condition actual holds } } } segments { totalCount } }";
    let mut seen = ask(server, preview, json!({ "rule": rule })).await;
    let sentence = seen["previewSegment"]["sentence"].take();
    is_in_words(&sentence);
    let why = |electronics: &str| {
        json!([
            { "condition": "the click country of the latest action is \"PL\"", "actual": "PL", "holds": true },
            { "condition": format!("{TWICE}: at least 2"), "actual": electronics, "holds": true },
            { "condition": "actions in the last 30 days: at most 0", "actual": "0", "holds": true },
        ])
    };
    assert_eq!(
        seen,
        json!({
            "previewSegment": { "size": 2, "problems": [], "sentence": null, "sample": [
                { "user": { "value": "ann" }, "reasons": why("2") },
                { "user": { "value": "bea" }, "reasons": why("2") },
            ] },
            "segments": { "totalCount": 0 },
        })
    );
    let create = format!(
        "mutation($rule: SegmentRuleInput!) {{ done: createSegment(name: \"Quiet Poles\", rule: $rule) {PAYLOAD} }}"
    );
    let made = ask(server, &create, json!({ "rule": rule })).await;
    let done = &made["done"];
    assert_eq!(done["userErrors"], json!([]), "{made:#}");
    assert_eq!(done["warnings"], json!([]), "{made:#}");
    assert_eq!(done["segment"]["state"], "LIVE");
    let id = done["segment"]["id"].clone();
    let kept = ask(
        server,
        "query($id: ID!) { segment(id: $id) { sentence } }",
        json!({ "id": id }),
    )
    .await;
    is_in_words(&kept["segment"]["sentence"]);
    id
}

/// Its actions, and what it buys, by categories of both kinds of level.
async fn filters_actions_and_categories(server: &Running, id: &Value) {
    let query = "query($id: ID!, $range: RangeInput!) { \
                 actions(filter: {user: {segment: {in: [$id]}}}, orderBy: [{field: ORDERED_AT, direction: ASC}]) { totalCount \
                 totals { count units reward { amount currency } } nodes { orderedAt user { value } } } \
                 top: topSellingCategories(range: $range, filter: {user: {segment: {in: [$id]}}}) { \
                 nodes { rank units category { name } } totals { units } } \
                 own: topSellingCategories(range: $range, level: OWN, filter: {user: {segment: {in: [$id]}}}) { \
                 nodes { rank units category { name } } } }";
    let range = json!({ "last": { "count": 90, "unit": "DAY" } });
    let data = ask(server, query, json!({ "id": id, "range": range })).await;
    let actions = &data["actions"];
    assert_eq!(actions["totalCount"], 6, "{data:#}");
    assert_eq!(
        actions["totals"],
        json!({ "count": 6, "units": 16, "reward": [{ "amount": "9.00", "currency": "USD" }] })
    );
    let users: Vec<&Value> = actions["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| &node["user"]["value"])
        .collect();
    assert_eq!(
        users,
        ["bea", "bea", "ann", "ann", "ann", "bea"],
        "{data:#}"
    );
    let row = |rank: i64, units: i64, name: &str| json!({ "rank": rank, "units": units, "category": { "name": name } });
    assert_eq!(
        data["top"],
        json!({ "nodes": [
            row(1, 11, "Consumer Electronics"),
            row(2, 4, "Special Category"),
            row(3, 1, "Phones & Telecommunications"),
        ], "totals": { "units": 16 } })
    );
    assert_eq!(
        data["own"]["nodes"],
        json!([
            row(1, 9, "Consumer Electronics"),
            row(2, 4, "Special Category"),
            row(3, 2, "Accessories & Parts"),
            row(4, 1, "Mobile Phones"),
        ])
    );
}

/// Who was in it at the end of each quarter, and what they did in it: the server's present is 4 October 2024.
async fn is_watched_over_time(server: &Running, id: &Value) {
    let query = "query($id: ID!) { segment(id: $id) { \
                 trend(range: {days: {from: \"2024-01-01\", to: \"2024-10-03\"}}, bucket: QUARTER) { \
                 at size metrics { actions users units reward { amount currency } } } } }";
    let data = ask(server, query, json!({ "id": id })).await;
    let point = |at: &str, size: i64, (actions, users, units): (i64, i64, i64), reward: Value| {
        json!({ "at": at, "size": size,
            "metrics": { "actions": actions, "users": users, "units": units, "reward": reward } })
    };
    let usd = |amount: &str| json!([{ "amount": amount, "currency": "USD" }]);
    assert_eq!(
        data["segment"]["trend"],
        json!([
            point("2024-04-01T00:00:00Z", 0, (0, 0, 0), json!([])),
            // "early" had bought twice in May.
            point("2024-07-01T00:00:00Z", 1, (2, 1, 2), usd("3.00")),
            point("2024-10-01T00:00:00Z", 2, (6, 2, 16), usd("9.00")),
            point("2024-10-04T00:00:00Z", 2, (0, 0, 0), json!([])),
        ]),
        "{data:#}"
    );
}

/// Says how links are made.
async fn gives_a_template(server: &Running) {
    let known = "{ adSpaces { nodes { id } } programs(filter: {externalId: {eq: \"6115\"}}) { nodes { id } } }";
    let known = ask(server, known, json!({})).await;
    let set = "mutation($space: ID!, $program: ID!, $base: String!) { done: setDeeplink(adSpace: $space, program: $program, \
               base: $base) { deeplink { isUsed source } userErrors { field message } } }";
    let variables = json!({ "space": known["adSpaces"]["nodes"][0]["id"],
        "program": known["programs"]["nodes"][0]["id"], "base": BASE });
    let done = ask(server, set, variables).await;
    assert_eq!(
        done["done"],
        json!({ "deeplink": { "isUsed": true, "source": "BY_HAND" }, "userErrors": [] })
    );
}

async fn frozen(server: &Running, id: &Value) -> Value {
    let freeze = format!(
        "mutation($id: ID!) {{ done: freezeSegment(id: $id, name: \"Quiet Poles, October\") {PAYLOAD} }}"
    );
    let mut done = ask(server, &freeze, json!({ "id": id })).await;
    assert_eq!(done["done"]["userErrors"], json!([]), "{done:#}");
    assert_eq!(done["done"]["segment"]["state"], "FROZEN");
    done["done"]["segment"]["id"].take()
}

/// What the members of a segment bought most, with the links to it, in the order of the answer.
async fn liked(server: &Running, segment: &Value) -> Vec<Value> {
    let query = "query($segment: ID!, $range: RangeInput!) { topSellingProducts(range: $range, by: UNITS, \
                 filter: {user: {segment: {in: [$segment]}}}) { nodes { rank units product { externalId \
                 affiliateLink(country: \"PL\", subids: {subid1: \"quiet\"}) { url } } } } }";
    let range = json!({ "last": { "count": 90, "unit": "DAY" } });
    let variables = json!({ "segment": segment, "range": range });
    let mut data = ask(server, query, variables).await;
    let nodes = data["topSellingProducts"]["nodes"].take();
    serde_json::from_value(nodes).unwrap()
}

/// A row of [`liked`].
fn linked(rank: i64, units: i64, product: &str) -> Value {
    let url =
        format!("{BASE}?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F{product}.html&subid1=quiet");
    json!({ "rank": rank, "units": units,
        "product": { "externalId": product, "affiliateLink": { "url": url } } })
}

#[tokio::test]
async fn a_segment_leads_from_its_rule_to_links_for_what_it_likes_most() {
    let folder = tempfile::tempdir().unwrap();
    let server = running(&format!(
        "import_directory = \"{}\"",
        folder.path().display()
    ))
    .await;
    import(&server, orders()).await;
    let rule = rule(&server).await;
    let id = defined(&server, &rule).await;
    filters_actions_and_categories(&server, &id).await;
    is_watched_over_time(&server, &id).await;
    gives_a_template(&server).await;
    let then = frozen(&server, &id).await;

    // "ann" buys again: she leaves the segment, and stays in what was frozen.
    let again = order(18, ("ann", "PL", 5), ("101", ELECTRONICS, 1));
    import(&server, vec![again]).await;
    assert_eq!(
        liked(&server, &then).await,
        [
            linked(1, 7, "101"),
            linked(2, 4, "105"),
            linked(3, 3, "104"),
            linked(4, 2, "102"),
            linked(5, 1, "103"),
        ]
    );
    assert_eq!(
        liked(&server, &id).await,
        [
            linked(1, 4, "105"),
            linked(2, 3, "104"),
            linked(3, 1, "101"),
        ]
    );
}
