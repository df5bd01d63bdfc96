//! Segments as a caller of the API meets them.

use crate::support::api::Api;
use crate::support::drafts::{Shape, at, item, sale};
use crate::support::server::{Running, key_of, running};
use crate::support::world::{World, block_on};
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::scope::KeyScope;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 260,
    actions: 200,
    wild: false,
};

/// What a payload is asked for.
pub(super) const PAYLOAD: &str = "{ segment { id name version state } userErrors { field code message } warnings { field code message } }";

pub(super) async fn created(api: &Api, name: &str, rule: Value) -> Value {
    let mutation = format!(
        "mutation($name: String!, $rule: SegmentRuleInput!) {{ made: createSegment(name: $name, rule: $rule) {PAYLOAD} }}"
    );
    let mut data = api
        .data(&mutation, &json!({ "name": name, "rule": rule }))
        .await;
    data["made"].take()
}

pub(super) async fn id_of(api: &Api, name: &str, rule: Value) -> String {
    let made = created(api, name, rule).await;
    assert_eq!(made["userErrors"], json!([]), "{made:#}");
    made["segment"]["id"].as_str().unwrap().to_owned()
}

pub(super) fn often(at_least: i64) -> Value {
    json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": at_least } } })
}

/// The errors of a payload, each as its place and its code.
pub(super) fn told(payload: &Value) -> Vec<(String, String)> {
    let errors = payload["userErrors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| {
            let place: Vec<&str> = error["field"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step.as_str().unwrap())
                .collect();
            (place.join("."), error["code"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// An action of a user, so many days before the server's present, with one item.
pub(super) fn action(
    number: u64,
    user: &str,
    country: &str,
    days_ago: i64,
    category: &str,
    status: &str,
) -> Value {
    let day = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000 - days_ago);
    let at = (day - chrono::TimeDelta::hours(2))
        .format("%Y-%m-%d %H:%M:%S")
        .to_string();
    json!({
        "action_id": number, "advcampaign_id": 6115, "status": status, "currency": "USD", "payment": "1.50",
        "cart": "20.00", "action_date": at, "subid1": user, "click_country_code": country,
        "positions": [{
            "id": number * 10, "datetime": at, "amount": "20.00", "payment": "1.50", "product_id": format!("100500{number}"),
            "product_name": format!("thing {number}"), "product_category_id": category, "product_category_name": "c",
            "product_url": format!("https://www.aliexpress.com/item/100500{number}.html"),
        }],
    })
}

pub(super) async fn import(server: &Running, actions: Vec<Value>) {
    let body = json!({ "results": actions }).to_string();
    let address = server.at("/import?wait=true&utc_offset=%2B00:00");
    let request = server.client.post(address).bearer_auth(&server.keys[0]);
    let answer: Value = request
        .body(body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["run"]["state"], "SUCCEEDED", "{answer}");
}

pub(super) async fn ask(server: &Running, query: &str, variables: Value) -> Value {
    let request = server
        .client
        .post(server.at("/graphql"))
        .bearer_auth(&server.keys[0]);
    let body = json!({ "query": query, "variables": variables });
    let mut answer: Value = request
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    answer["data"].take()
}

/// What an analyst does: "users from Poland who bought electronics twice in 90 days and nothing in 30".
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
#[tokio::test]
async fn an_analyst_defines_previews_uses_watches_and_freezes_a_segment() {
    let folder = tempfile::tempdir().unwrap();
    let server = running(&format!(
        "import_directory = \"{}\"",
        folder.path().display()
    ))
    .await;
    let (electronics, other) = ("44", "200001075");
    import(
        &server,
        vec![
            action(1, "in", "PL", 60, electronics, "approved"),
            action(2, "in", "PL", 45, electronics, "pending"),
            action(3, "lately", "PL", 60, electronics, "approved"),
            action(4, "lately", "PL", 45, electronics, "approved"),
            action(5, "lately", "PL", 10, other, "approved"),
            action(6, "german", "DE", 60, electronics, "approved"),
            action(7, "german", "DE", 45, electronics, "approved"),
            action(8, "once", "PL", 60, electronics, "approved"),
            action(9, "once", "PL", 50, other, "approved"),
            action(10, "declined", "PL", 60, electronics, "approved"),
            action(11, "declined", "PL", 45, electronics, "declined"),
            action(12, "moved", "PL", 80, electronics, "approved"),
            action(13, "moved", "DE", 40, electronics, "approved"),
            action(14, "early", "PL", 100, electronics, "approved"),
            action(15, "early", "PL", 95, electronics, "approved"),
        ],
    )
    .await;
    let found = ask(
        &server,
        "{ categories(filter: {externalId: {eq: \"44\"}}) { nodes { id } } }",
        json!({}),
    )
    .await;
    let category = found["categories"]["nodes"][0]["id"].clone();
    let rule = json!({ "users": {
        "clickCountry": { "eq": "PL" },
        "and": [
            { "metric": { "metric": "ACTIONS", "atLeast": 2, "period": { "last": { "count": 90, "unit": "DAY" } },
                "items": { "category": { "within": [category] } } } },
            { "metric": { "metric": "ACTIONS", "atMost": 0, "period": { "last": { "count": 30, "unit": "DAY" } } } },
        ],
    } });

    let preview = "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule) { size problems { message } sentence \
                   cost { actionsRead class } sample { user { value } reasons { condition needed actual holds } } } }";
    let seen = ask(&server, preview, json!({ "rule": rule })).await;
    let seen = &seen["previewSegment"];
    assert_eq!(
        (&seen["size"], &seen["problems"]),
        (&json!(1), &json!([])),
        "{seen:#}"
    );
    assert_eq!(seen["sample"][0]["user"]["value"], "in");
    // The country is looked for among all fifteen actions, 90 days hold thirteen of them, and 30 days one.
    assert_eq!(
        seen["cost"],
        json!({ "actionsRead": "29", "class": "LOW" }),
        "{seen:#}"
    );
    let reasons = seen["sample"][0]["reasons"].as_array().unwrap();
    let facts: Vec<(&Value, &Value, &Value)> = reasons
        .iter()
        .map(|reason| (&reason["needed"], &reason["actual"], &reason["holds"]))
        .collect();
    let (yes, none) = (json!(true), Value::Null);
    assert_eq!(
        facts,
        [
            (&none, &json!("PL"), &yes),
            (&json!("at least 2"), &json!("2"), &yes),
            (&json!("at most 0"), &json!("0"), &yes),
        ],
        "{seen:#}"
    );
    assert!(
        seen["sentence"]
            .as_str()
            .unwrap()
            .contains("in the last 90 days"),
        "{seen}"
    );
    assert_eq!(
        ask(&server, "{ segments { totalCount } }", json!({})).await["segments"]["totalCount"],
        0
    );

    let create = format!(
        "mutation($rule: SegmentRuleInput!) {{ createSegment(name: \"Quiet Poles\", rule: $rule) {PAYLOAD} }}"
    );
    let made = ask(&server, &create, json!({ "rule": rule })).await;
    let id = made["createSegment"]["segment"]["id"].clone();
    assert_eq!(made["createSegment"]["userErrors"], json!([]), "{made:#}");

    let usage = "query($id: ID!) { segment(id: $id) { rule sentence size members { totalCount nodes { user { value } } } \
                 trend(range: {last: {count: 60, unit: DAY}}, bucket: WEEK) { at size } \
                 early: size(asOf: \"2024-09-01T00:00:00Z\") } \
                 actions(filter: {user: {segment: {in: [$id]}}}) { totalCount nodes { user { value } } totals { count } } \
                 others: actions(filter: {user: {segment: {notIn: [$id]}}}) { totalCount } \
                 topSellingCategories(range: {last: {count: 90, unit: DAY}}, filter: {user: {segment: {in: [$id]}}}) { \
                 nodes { units } } \
                 users(filter: {segment: {in: [$id]}}) { nodes { value } } }";
    let used = ask(&server, usage, json!({ "id": id })).await;
    assert_eq!(
        used["segment"]["rule"], rule,
        "the rule is given back as it was sent"
    );
    assert_eq!(used["segment"]["size"], 1);
    assert_eq!(
        used["segment"]["members"],
        json!({ "totalCount": 1, "nodes": [{ "user": { "value": "in" } }] })
    );
    assert_eq!(used["actions"]["totalCount"], 2);
    assert_eq!(used["actions"]["totals"]["count"], 2);
    assert_eq!(used["others"]["totalCount"], 13);
    assert_eq!(
        used["topSellingCategories"]["nodes"],
        json!([{ "units": 2 }])
    );
    assert_eq!(used["users"]["nodes"], json!([{ "value": "in" }]));
    let trend = used["segment"]["trend"].as_array().unwrap();
    assert_eq!(trend.last().unwrap()["size"], 1, "{trend:?}");
    assert!(trend.iter().any(|point| point["size"] != 1), "{trend:?}");
    // On 1 September "early" had bought twice and was quiet, and "in" had bought twelve days before.
    assert_eq!(used["segment"]["early"], 1, "{used:#}");

    let freeze = format!(
        "mutation($id: ID!) {{ freezeSegment(id: $id, name: \"Quiet Poles, October\") {PAYLOAD} }}"
    );
    let frozen = ask(&server, &freeze, json!({ "id": id })).await;
    let frozen = frozen["freezeSegment"]["segment"].clone();
    assert_eq!(frozen["state"], "FROZEN");

    // An import shows as soon as it is in: "in" buys, "once" had bought a second time.
    import(
        &server,
        vec![
            action(16, "in", "PL", 5, other, "pending"),
            action(17, "once", "PL", 44, electronics, "pending"),
            action(18, "once", "PL", 43, electronics, "pending"),
        ],
    )
    .await;
    let ids = json!({ "id": id, "frozen": frozen["id"] });
    let query = "query($id: ID!, $frozen: ID!) { now: users(filter: {segment: {in: [$id]}}) { nodes { value } } \
                 then: users(filter: {segment: {in: [$frozen]}}) { nodes { value } } \
                 segment(id: $frozen) { size frozenFromVersion frozenFrom { id } \
                 members { nodes { reasons { condition needed actual holds } } } } \
                 segmentOverlap(ids: [$id, $frozen]) { union intersection segments { size onlyIn } pairs { both } } }";
    let seen = ask(&server, query, ids).await;
    assert_eq!(seen["now"]["nodes"], json!([{ "value": "once" }]));
    assert_eq!(seen["then"]["nodes"], json!([{ "value": "in" }]));
    let then = server.now().to_rfc3339();
    let reason = json!({
        "condition": format!("in the segment \"Quiet Poles\" at version 1 when it was frozen on {then}"),
        "needed": null, "actual": null, "holds": true,
    });
    assert_eq!(
        seen["segment"],
        json!({ "size": 1, "frozenFromVersion": 1, "frozenFrom": { "id": id },
        "members": { "nodes": [{ "reasons": [reason] }] } })
    );
    assert_eq!(
        seen["segmentOverlap"],
        json!({ "union": 2, "intersection": 0,
        "segments": [{ "size": 1, "onlyIn": 1 }, { "size": 1, "onlyIn": 1 }], "pairs": [{ "both": 0 }] })
    );
}

#[test]
fn every_problem_of_a_rule_is_told_at_once_with_its_place() {
    block_on(async {
        let world = World::rich(31, SHAPE).await;
        let api = Api::of(&world, 0);
        let products = id_of(&api, "things", json!({ "products": { "product": {} } })).await;
        let rule = json!({ "users": { "and": [
            { "metric": { "metric": "REWARD", "atLeast": 1 } },
            { "metric": { "metric": "ACTIONS" } },
            { "metric": { "metric": "USERS", "atMost": 1 } },
            { "rank": { "metric": "UNITS", "count": 0 } },
            { "segment": { "in": ["nonsense", products] } },
            { "user": { "id": { "in": ["nonsense"] }, "value": { "eq": null } } },
            { "metric": { "metric": "UNITS", "atLeast": 3, "atMost": 2, "period": { "last": { "count": 0, "unit": "DAY" } } } },
        ] } });
        let made = created(&api, "  ", rule.clone()).await;
        let all = told(&made);
        let bad = |place: &str| (place.to_owned(), "BAD_USER_INPUT".to_owned());
        for place in [
            "name",
            "rule.users.and.0.metric.currency",
            "rule.users.and.1.metric",
            "rule.users.and.2.metric.metric",
            "rule.users.and.3.rank",
            "rule.users.and.4.segment.in.0",
            "rule.users.and.4.segment.in.1",
            "rule.users.and.5.user.id.in",
            "rule.users.and.5.user.value.eq",
            "rule.users.and.6.metric",
            "rule.users.and.6.metric.period",
        ] {
            assert!(all.contains(&bad(place)), "{place} is missing in {all:#?}");
        }
        assert_eq!(all.len(), 11, "{all:#?}");
        let preview = "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule) { size problems { field } } }";
        let seen = api.data(preview, &json!({ "rule": rule })).await;
        assert_eq!(seen["previewSegment"]["size"], Value::Null);
        assert_eq!(
            seen["previewSegment"]["problems"].as_array().unwrap().len(),
            10
        );
        assert_eq!(
            api.data("{ segments { totalCount } }", &json!({})).await["segments"]["totalCount"],
            1
        );
        every_problem_of_a_write_is_told_at_once(&api, &products).await;
    });
}

/// Beside what is wrong with a rule: that a name is taken, that a segment leads back, that its version is another one, and how
/// many problems are left out.
async fn every_problem_of_a_write_is_told_at_once(api: &Api, products: &str) {
    let by = |id: &str| json!({ "users": { "segment": { "in": [id] } } });
    let below = id_of(api, "below", often(2)).await;
    let above = id_of(api, "above", by(&below)).await;
    let bad = |place: &str| (place.to_owned(), "BAD_USER_INPUT".to_owned());
    let conflict = |place: &str| (place.to_owned(), "CONFLICT".to_owned());

    let lines: String = (0..25).map(|number| format!("shoe {number}\n")).collect();
    let rule = json!({ "products": { "members": { "csv": format!("id\n{lines}") } } });
    let made = created(api, "Above", rule.clone()).await;
    let all = told(&made);
    assert_eq!(all.len(), 22, "20 lines, how many more, the name: {made:#}");
    assert_eq!(
        (&all[20], &all[21]),
        (&bad("rule"), &conflict("name")),
        "{made:#}"
    );
    assert_eq!(made["userErrors"][20]["message"], "and 5 more");
    let priority = "mutation($csv: String!) { set: setPriorityProducts(products: {csv: $csv}) { userErrors { message } } }";
    let set = api
        .data(priority, &json!({ "csv": format!("id\n{lines}") }))
        .await;
    assert_eq!(set["set"]["userErrors"][20]["message"], "and 5 more");

    let update = format!(
        "mutation($id: ID!, $rule: SegmentRuleInput) {{ done: updateSegment(id: $id, expectedVersion: 7, name: \"ABOVE\", \
         rule: $rule) {PAYLOAD} }}"
    );
    let rule = json!({ "users": { "and": [
        { "metric": { "metric": "ACTIONS" } }, { "segment": { "in": [products, above] } },
    ] } });
    let done = api
        .data(&update, &json!({ "id": below, "rule": rule }))
        .await;
    assert_eq!(
        told(&done["done"]),
        [
            bad("rule.users.and.0.metric"),
            bad("rule.users.and.1.segment.in.0"),
            bad("rule.users.and.1.segment.in.1"),
            conflict("expectedVersion"),
            conflict("name"),
        ],
        "{done:#}"
    );
    let freeze = format!(
        "mutation($id: ID!) {{ done: freezeSegment(id: $id, expectedVersion: 7, name: \" \", description: \"{}\") {PAYLOAD} }}",
        "x".repeat(2_001)
    );
    let done = api.data(&freeze, &json!({ "id": below })).await;
    assert_eq!(
        told(&done["done"]),
        [conflict("expectedVersion"), bad("name"), bad("description")],
        "{done:#}"
    );
}

#[test]
fn a_change_needs_the_version_that_it_is_made_to_and_keeps_the_earlier_one() {
    block_on(async {
        let world = World::rich(32, SHAPE).await;
        let api = Api::of(&world, 0);
        let id = id_of(&api, "Often", often(2)).await;
        let mutation = format!(
            "mutation($id: ID!, $v: Int!, $rule: SegmentRuleInput, $name: String) {{ \
             done: updateSegment(id: $id, expectedVersion: $v, rule: $rule, name: $name) {PAYLOAD} }}"
        );
        let one = json!({ "id": id, "v": 1, "rule": often(3) });
        let other = json!({ "id": id, "v": 1, "rule": often(4) });
        let (one, other) = futures::join!(api.data(&mutation, &one), api.data(&mutation, &other));
        let (won, lost): (Vec<Value>, Vec<Value>) = [one["done"].clone(), other["done"].clone()]
            .into_iter()
            .partition(|done| done["userErrors"] == json!([]));
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:#?} {lost:#?}");
        assert_eq!(won[0]["segment"]["version"], 2);
        assert_eq!(
            told(&lost[0]),
            [("expectedVersion".to_owned(), "CONFLICT".to_owned())]
        );

        let renamed = api
            .data(
                &mutation,
                &json!({ "id": id, "v": 2, "name": "Very often" }),
            )
            .await;
        assert_eq!(renamed["done"]["segment"]["version"], 3, "{renamed:#}");
        let asked = api
            .data(
                "query($id: ID!) { segment(id: $id) { name versions { version name rule } } }",
                &json!({ "id": id }),
            )
            .await;
        let versions = asked["segment"]["versions"].as_array().unwrap();
        let numbers: Vec<&Value> = versions.iter().map(|version| &version["version"]).collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert_eq!(
            (&versions[2]["name"], &versions[2]["rule"]),
            (&json!("Often"), &often(2))
        );
        assert_eq!(
            versions[0]["rule"], versions[1]["rule"],
            "a new name keeps the rule"
        );
    });
}

#[test]
fn names_are_unique_until_they_are_archived() {
    block_on(async {
        let world = World::rich(33, SHAPE).await;
        let api = Api::of(&world, 0);
        let first = id_of(&api, "Ёлка", often(2)).await;
        let taken = created(&api, " ёлка ", often(3)).await;
        assert_eq!(told(&taken), [("name".to_owned(), "CONFLICT".to_owned())]);
        let one = |name: &str| format!("mutation($id: ID!) {{ done: {name}(id: $id) {PAYLOAD} }}");
        let archived = api
            .data(&one("archiveSegment"), &json!({ "id": first }))
            .await;
        assert_eq!(
            archived["done"]["segment"]["state"], "ARCHIVED",
            "{archived}"
        );
        let second = id_of(&api, "ёлка", often(3)).await;
        let refused = api
            .data(&one("restoreSegment"), &json!({ "id": first }))
            .await;
        assert_eq!(
            told(&refused["done"]),
            [("name".to_owned(), "CONFLICT".to_owned())]
        );
        let listed = "{ usual: segments { nodes { id } } gone: segments(state: [ARCHIVED]) { totalCount nodes { id } } }";
        let listed = api.data(listed, &json!({})).await;
        assert_eq!(listed["usual"]["nodes"], json!([{ "id": second }]));
        assert_eq!(
            listed["gone"],
            json!({ "totalCount": 1, "nodes": [{ "id": first }] })
        );
        let named = "query($id: ID!) { users(filter: {segment: {in: [$id]}}) { totalCount } }";
        let answer = api.answer(named, &json!({ "id": first })).await;
        let error = &answer["errors"][0];
        assert_eq!(
            error["extensions"]["argument"], "filter.segment.in.0",
            "{answer:#}"
        );
        assert!(
            error["message"].as_str().unwrap().contains("archived"),
            "{answer:#}"
        );
        let restore = format!(
            "mutation($id: ID!, $name: String) {{ done: restoreSegment(id: $id, name: $name) {PAYLOAD} }}"
        );
        let under = async |name: &str| {
            let variables = json!({ "id": first, "name": name });
            api.data(&restore, &variables).await["done"].take()
        };
        assert_eq!(
            told(&under("ЁЛКА").await),
            [("name".to_owned(), "CONFLICT".to_owned())]
        );
        assert_eq!(
            told(&under("\n").await),
            [("name".to_owned(), "BAD_USER_INPUT".to_owned())]
        );
        let restored = under(" Old fir ").await;
        assert_eq!(
            restored["segment"],
            json!({ "id": first, "name": "Old fir", "version": 2, "state": "LIVE" }),
            "{restored:#}"
        );
        // It is restored once; another name is not taken silently for none.
        assert_eq!(under("Old fir").await["userErrors"], json!([]));
        assert_eq!(
            told(&under("Young fir").await),
            [("name".to_owned(), "CONFLICT".to_owned())]
        );
        let versions = "query($id: ID!) { segment(id: $id) { rule versions { version name } } }";
        let seen = api.data(versions, &json!({ "id": first })).await;
        assert_eq!(
            seen["segment"],
            json!({ "rule": often(2), "versions": [
                { "version": 2, "name": "Old fir" }, { "version": 1, "name": "Ёлка" },
            ] })
        );
    });
}

#[test]
fn no_segment_leads_back_to_itself_and_none_goes_that_another_names() {
    block_on(async {
        let world = World::rich(34, SHAPE).await;
        let api = Api::of(&world, 0);
        let by = |id: &str| json!({ "users": { "segment": { "notIn": [id] } } });
        let one = id_of(&api, "one", often(2)).await;
        let two = id_of(&api, "two", by(&one)).await;
        let three = id_of(&api, "three", by(&two)).await;
        let update = format!(
            "mutation($id: ID!, $rule: SegmentRuleInput) {{ done: updateSegment(id: $id, expectedVersion: 1, rule: $rule) {PAYLOAD} }}"
        );
        let looped = api
            .data(&update, &json!({ "id": one, "rule": by(&three) }))
            .await;
        let error = &looped["done"]["userErrors"][0];
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("three → two → one"),
            "{looped:#}"
        );
        let archive = format!("mutation($id: ID!) {{ done: archiveSegment(id: $id) {PAYLOAD} }}");
        let kept = api.data(&archive, &json!({ "id": two })).await;
        let error = &kept["done"]["userErrors"][0];
        assert_eq!(error["code"], "CONFLICT");
        assert!(
            error["message"].as_str().unwrap().contains("three"),
            "{kept:#}"
        );

        // Two writers close a circle from both ends: one of them is refused.
        let left = id_of(&api, "left", often(2)).await;
        let right = id_of(&api, "right", often(2)).await;
        let (a, b) = (
            json!({ "id": left, "rule": by(&right) }),
            json!({ "id": right, "rule": by(&left) }),
        );
        let (a, b) = futures::join!(api.data(&update, &a), api.data(&update, &b));
        let errors = [told(&a["done"]).len(), told(&b["done"]).len()];
        assert_eq!(errors.iter().sum::<usize>(), 1, "{a:#} {b:#}");

        // A segment means what the segments that it names mean now.
        let sizes = "query($a: ID!, $b: ID!) { all: users { totalCount } a: segment(id: $a) { size } b: segment(id: $b) { size } }";
        let seen = api.data(sizes, &json!({ "a": one, "b": two })).await;
        assert_eq!(
            seen["a"]["size"].as_i64().unwrap() + seen["b"]["size"].as_i64().unwrap(),
            seen["all"]["totalCount"].as_i64().unwrap()
        );
        let _ = api.statements.take();
        api.data(
            "query($id: ID!) { users(filter: {segment: {in: [$id]}}) { nodes { value } } }",
            &json!({ "id": three }),
        )
        .await;
        assert_eq!(
            api.statements.take().len(),
            2,
            "definitions are one statement, however deep"
        );
    });
}

/// A circle is found wherever filters name segments: those of products in carts, and those of users of actions.
#[test]
fn no_segment_leads_back_through_what_its_metrics_filter() {
    block_on(async {
        let world = World::rich(67, SHAPE).await;
        let api = Api::of(&world, 0);
        let first = id_of(&api, "first", often(2)).await;
        let measured = |subject: &str, actions: Value| json!({ subject: { "metric": { "metric": "ACTIONS", "atLeast": 1, "actions": actions } } });
        let bought_by =
            |id: &str| measured("products", json!({ "user": { "segment": { "in": [id] } } }));
        let buyers_of = |id: &str| {
            let some = json!({ "product": { "segment": { "in": [id] } } });
            measured("users", json!({ "items": { "some": some } }))
        };
        let second = id_of(&api, "second", bought_by(&first)).await;
        let mutation = format!(
            "mutation($id: ID!, $rule: SegmentRuleInput) {{ done: updateSegment(id: $id, expectedVersion: 1, rule: $rule) {PAYLOAD} }}"
        );
        let rule = buyers_of(&second);
        let looped = api
            .data(&mutation, &json!({ "id": first, "rule": rule }))
            .await;
        let place = "rule.users.metric.actions.items.some.product.segment.in.0";
        let refused = [(place.to_owned(), "BAD_USER_INPUT".to_owned())];
        assert_eq!(told(&looped["done"]), refused, "{looped:#}");
        let message = looped["done"]["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("second → first"), "{message}");

        // From the other end it is the segment of users that leads back.
        let third = id_of(&api, "third", buyers_of(&second)).await;
        let looped = api
            .data(
                &mutation,
                &json!({ "id": second, "rule": bought_by(&third) }),
            )
            .await;
        let place = "rule.products.metric.actions.user.segment.in.0";
        let refused = [(place.to_owned(), "BAD_USER_INPUT".to_owned())];
        assert_eq!(told(&looped["done"]), refused, "{looped:#}");
        let message = looped["done"]["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("third → second"), "{message}");
    });
}

#[test]
fn lists_of_members_are_read_with_their_lines_and_keep_what_is_not_known_yet() {
    block_on(async {
        let world = World::rich(35, SHAPE).await;
        let api = Api::of(&world, 0);
        let data = api.data("{ products(first: 2, filter: {externalId: {isNull: false}}) { nodes { id externalId } } }", &json!({})).await;
        let known: Vec<&str> = data["products"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["externalId"].as_str().unwrap())
            .collect();
        let csv = format!(
            "product_id;note\n{};x\n99999999991;y\nhttps://www.aliexpress.com/item/{}.html\n",
            known[0], known[1]
        );
        let made = created(
            &api,
            "listed",
            json!({ "products": { "members": { "csv": csv } } }),
        )
        .await;
        assert_eq!(made["userErrors"], json!([]), "{made:#}");
        assert_eq!(made["warnings"].as_array().unwrap().len(), 1, "{made:#}");
        assert_eq!(
            made["warnings"][0]["field"],
            json!(["rule", "products", "members", "csv", "3"])
        );
        let bad = created(
            &api,
            "bad",
            json!({ "products": { "members": { "csv": "id\nshoe\n1\n" } } }),
        )
        .await;
        assert_eq!(
            told(&bad),
            [(
                "rule.products.members.csv.2".to_owned(),
                "BAD_USER_INPUT".to_owned()
            )]
        );
        assert!(
            bad["userErrors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("line 2"),
            "{bad:#}"
        );
        let id = made["segment"]["id"].as_str().unwrap();
        let query = "query($id: ID!) { segment(id: $id) { size members { nodes { product { externalId } reasons { holds } } } } \
                     actions(filter: {items: {some: {product: {segment: {in: [$id]}}}}}) { totalCount } \
                     named: actions(filter: {items: {some: {product: {externalId: {in: [\"A\", \"B\"]}}}}}) { totalCount } }"
            .replace("\"A\"", &format!("{:?}", known[0]))
            .replace("\"B\"", &format!("{:?}", known[1]));
        let seen = api.data(&query, &json!({ "id": id })).await;
        assert_eq!(seen["segment"]["size"], 2, "{seen:#}");
        assert_eq!(seen["actions"], seen["named"]);
        assert_ne!(seen["actions"]["totalCount"], 0);

        let priority = "mutation($csv: String!) { set: setPriorityProducts(products: {csv: $csv}) { changed userErrors { message } warnings { field } } }";
        let set = api.data(priority, &json!({ "csv": csv })).await;
        // Two that are known, and one that waits to be.
        assert_eq!(set["set"]["changed"], 3, "{set:#}");
        assert_eq!(set["set"]["warnings"].as_array().unwrap().len(), 1);
        let again = api.data(priority, &json!({ "csv": csv })).await;
        assert_eq!(again["set"]["changed"], 0);
        let version =
            "{ freshness { entrance } products(filter: {isPriority: {eq: true}}) { totalCount } }";
        assert_eq!(
            api.data(version, &json!({})).await["products"]["totalCount"],
            2
        );
        let less = "mutation($id: String!) { gone: removePriorityProducts(products: {externalIds: [$id]}) { changed } \
                    more: addPriorityProducts(products: {urls: [\"https://www.aliexpress.com/item/99999999992.html\"]}) { changed warnings { code } } }";
        let less = api.data(less, &json!({ "id": known[0] })).await;
        assert_eq!(
            less,
            json!({ "gone": { "changed": 1 }, "more": { "changed": 1, "warnings": [{ "code": "NOT_FOUND" }] } })
        );
        becomes_known(&world, &api, id).await;
    });
}

/// Who and what a list names without being known yet is a member as soon as an action names it.
async fn becomes_known(world: &World, api: &Api, id: &str) {
    let users = json!({ "users": { "members": { "values": ["comes later", "never comes"] } } });
    let users = created(api, "people", users).await;
    assert_eq!(users["userErrors"], json!([]), "{users:#}");
    assert_eq!(users["warnings"].as_array().unwrap().len(), 2, "{users:#}");
    let variables = json!({ "products": id, "users": users["segment"]["id"] });
    let sizes = "query($products: ID!, $users: ID!) { products: segment(id: $products) { size members { nodes { \
                     product { externalId } } } } users: segment(id: $users) { size members { nodes { user { value } } } } }";
    let before = api.data(sizes, &variables).await;
    assert_eq!(
        (&before["products"]["size"], &before["users"]["size"]),
        (&json!(2), &json!(0)),
        "{before:#}"
    );
    let mut draft = sale("later", at("2026-06-20T10:00:00Z"));
    let name = SlotValue::Text("comes later".to_owned());
    draft.slots.insert(Slot::Subid1, name);
    draft.items.push(item("99999999991"));
    world.apply(0, &[draft]).await;
    let after = api.data(sizes, &variables).await;
    assert_eq!(after["products"]["size"], 3, "{after:#}");
    let products = after["products"]["members"]["nodes"].as_array().unwrap();
    let is_later = |node: &Value| node["product"]["externalId"] == "99999999991";
    assert!(products.iter().any(is_later), "{after:#}");
    assert_eq!(
        after["users"],
        json!({ "size": 1, "members": { "nodes": [{ "user": { "value": "comes later" } }] } })
    );
}

#[test]
fn another_publisher_s_segment_is_as_if_it_did_not_exist() {
    block_on(async {
        let world = World::rich(36, SHAPE).await;
        let (first, second) = (Api::of(&world, 0), Api::of(&world, 1));
        let id = id_of(&first, "mine", often(1)).await;
        let theirs = "query($id: ID!) { segment(id: $id) { id } node(id: $id) { id } segments { totalCount } }";
        let seen = second.data(theirs, &json!({ "id": id })).await;
        assert_eq!(
            seen,
            json!({ "segment": null, "node": null, "segments": { "totalCount": 0 } })
        );
        for query in [
            "query($id: ID!) { users(filter: {segment: {in: [$id]}}) { totalCount } }",
            "query($id: ID!) { actions(filter: {user: {segment: {notIn: [$id]}}}) { totalCount } }",
        ] {
            let answer = second.answer(query, &json!({ "id": id })).await;
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
                "{answer:#}"
            );
            assert!(
                answer["errors"][0]["message"]
                    .as_str()
                    .unwrap()
                    .contains("no such segment"),
                "{answer:#}"
            );
        }
        for mutation in [
            "archiveSegment(id: $id)",
            "restoreSegment(id: $id)",
            "freezeSegment(id: $id)",
            "updateSegment(id: $id, expectedVersion: 1, name: \"x\")",
        ] {
            let done = second
                .data(
                    &format!("mutation($id: ID!) {{ done: {mutation} {PAYLOAD} }}"),
                    &json!({ "id": id }),
                )
                .await;
            assert_eq!(
                told(&done["done"]),
                [("id".to_owned(), "NOT_FOUND".to_owned())],
                "{mutation}"
            );
        }
        // The same name is free for them.
        id_of(&second, "mine", often(1)).await;
    });
}

#[test]
fn segments_that_are_listed_are_counted_in_one_statement() {
    block_on(async {
        let world = World::rich(37, SHAPE).await;
        let api = Api::of(&world, 0);
        for number in 1..6 {
            id_of(&api, &format!("s{number}"), often(number)).await;
        }
        for first in [2, 5] {
            let _ = api.statements.take();
            let query = "query($first: Int) { segments(first: $first) { nodes { name rule sentence size versions { version } \
                         trend(range: {days: {from: \"2026-03-01\", to: \"2026-05-31\"}}, bucket: MONTH) { size } } } }";
            api.data(query, &json!({ "first": first })).await;
            let sent = api.statements.take();
            assert_eq!(
                sent.len(),
                6,
                "list, rules, definitions, versions, sizes and trends: {}",
                sent.join("\n")
            );
        }
        let _ = api.statements.take();
        let members = "query($first: Int) { segments(first: 1) { nodes { members(first: $first) { nodes { user { value } reasons { actual } } } } } }";
        for first in [1, 20] {
            api.data(members, &json!({ "first": first })).await;
            assert_eq!(
                api.statements.take().len(),
                5,
                "list, definitions, members, whether and what"
            );
        }
    });
}

/// The sentences of a page name what their rules name by ids: one statement for each kind of things, whatever the page. Whoever
/// does not see a thing does not learn its name.
#[test]
fn things_that_rules_name_by_ids_are_called_by_their_names() {
    block_on(async {
        let world = World::rich(38, SHAPE).await;
        let api = Api::of(&world, 0);
        let query = "{ programs(first: 1) { nodes { id name } } adSpaces(first: 1) { nodes { id name } } \
                     categories(first: 5) { nodes { id name } } }";
        let known = api.data(query, &json!({})).await;
        let of = |list: &str, number: usize| known[list]["nodes"][number].clone();
        let (program, space) = (of("programs", 0), of("adSpaces", 0));
        let categories: Vec<Value> = (0..5).map(|number| of("categories", number)).collect();
        let ids: Vec<&Value> = categories.iter().map(|one| &one["id"]).collect();
        let rule = |ids: &[&Value]| {
            json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": 1,
                "actions": { "program": { "id": { "eq": program["id"] } }, "adSpace": { "id": { "in": [space["id"]] } } },
                "items": { "category": { "within": ids } } } } })
        };
        id_of(&api, "a", rule(&ids[..1])).await;
        id_of(&api, "b", rule(&ids)).await;
        for first in [1, 2] {
            let _ = api.statements.take();
            let query = "query($first: Int) { segments(first: $first) { nodes { sentence } } }";
            let data = api.data(query, &json!({ "first": first })).await;
            let sent = api.statements.take();
            assert_eq!(
                sent.len(),
                5,
                "list, definitions, and three kinds of things: {}",
                sent.join("\n")
            );
            let sentence = data["segments"]["nodes"][first - 1]["sentence"]
                .as_str()
                .unwrap();
            let name = |one: &Value| format!("{:?}", one["name"].as_str().unwrap());
            let within = if first == 1 {
                format!("category within {}", name(&categories[0]))
            } else {
                let named: Vec<String> = categories.iter().take(3).map(name).collect();
                format!("category within one of {} and 2 more", named.join(", "))
            };
            for part in [
                format!("program is {}", name(&program)),
                format!("ad space is {}", name(&space)),
                within,
            ] {
                assert!(sentence.contains(&part), "{part}: {sentence}");
            }
        }
        let limits = Limits {
            programs: Some(Vec::new()),
            ..Limits::default()
        };
        let limited = Api::limited(&world, 0, limits);
        let preview =
            "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule) { sentence } }";
        let seen = limited
            .data(preview, &json!({ "rule": rule(&ids[..1]) }))
            .await;
        let sentence = seen["previewSegment"]["sentence"].as_str().unwrap();
        // The shipped programs are everybody's.
        assert!(
            sentence.contains("ad space is one that is not there"),
            "{sentence}"
        );
        assert!(
            sentence.contains("category within one that is not there"),
            "{sentence}"
        );
    });
}

#[tokio::test]
async fn segments_are_defined_with_a_key_that_may() {
    let server = running("").await;
    let reader = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read],
        server.now(),
    )
    .await;
    let mutation = "mutation { createSegment(name: \"x\", rule: {users: {}}) { segment { id } } }";
    let answer = server.ask(&reader, mutation).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{answer:#}"
    );
    let preview = "{ previewSegment(rule: {users: {}}) { size } }";
    assert_eq!(
        server.ask(&reader, preview).await["data"]["previewSegment"]["size"],
        0
    );
    let priority = "mutation { addPriorityProducts(products: {ids: []}) { changed } }";
    let answer = server.ask(&reader, priority).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{answer:#}"
    );
}

/// Which categories a segment's own products were sold in: no carts are counted with all that is in them.
#[test]
fn a_report_by_segments_and_categories_has_the_items_that_are_in_both() {
    block_on(async {
        let world = World::rich(39, SHAPE).await;
        let api = Api::of(&world, 0);
        let facts = world.facts(0).await;
        let chosen = facts.products.values().step_by(2);
        let ids: Vec<&String> = chosen.filter_map(|row| row.external_id.as_ref()).collect();
        let rule = json!({ "products": { "members": { "externalIds": ids } } });
        let id = id_of(&api, "every other one", rule).await;
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let span = from.micros()..to.micros();
        let mut units: BTreeMap<Option<Uuid>, i64> = BTreeMap::new();
        for action in facts.actions.values() {
            if action.status == "DECLINED" || !span.contains(&action.ordered_at_us) {
                continue;
            }
            for item in facts.cart(action.id) {
                let product = item.product_id.map(|key| &facts.products[&key]);
                let product = product.and_then(|row| row.external_id.as_ref());
                if product.is_some_and(|one| ids.contains(&one)) {
                    *units.entry(item.category_id).or_default() += i64::from(item.units);
                }
            }
        }
        let mut units: Vec<i64> = units.into_values().collect();
        units.sort_unstable();
        let query = "query($ids: [ID!]!) { report(range: {days: {from: \"2026-01-01\", to: \"2026-12-31\"}}, \
                     groupBy: [PRODUCT_SEGMENT, CATEGORY_OWN], segments: $ids, filter: {status: {ne: DECLINED}}, \
                     first: 100) { nodes { key { productSegment { id } } values { units } } } }";
        let data = api.data(query, &json!({ "ids": [id] })).await;
        let nodes = data["report"]["nodes"].as_array().unwrap().iter();
        let theirs = nodes.filter(|node| node["key"]["productSegment"]["id"] == id.as_str());
        let theirs = theirs.map(|node| node["values"]["units"].as_i64().unwrap());
        let mut theirs: Vec<i64> = theirs.collect();
        theirs.sort_unstable();
        assert_eq!(theirs, units, "{data:#}");
        assert!(units.len() > 1, "{units:?}");
    });
}

#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
#[test]
fn a_report_by_segments_counts_an_action_in_each_and_its_rows_list_their_actions() {
    block_on(async {
        let world = World::rich(38, SHAPE).await;
        let api = Api::of(&world, 0);
        let twice = id_of(&api, "twice", often(2)).await;
        let thrice = id_of(&api, "thrice", often(3)).await;
        let sold = json!({ "products": { "metric": { "metric": "UNITS", "atLeast": 4 } } });
        let sold = id_of(&api, "sold", sold).await;
        let range = "range: {days: {from: \"2026-02-01\", to: \"2026-05-31\"}}";
        for (by, key, segments) in [
            (
                "USER_SEGMENT",
                "userSegment { id name }",
                vec![&twice, &thrice],
            ),
            ("PRODUCT_SEGMENT", "productSegment { id name }", vec![&sold]),
        ] {
            let query = format!(
                "query($ids: [ID!]!) {{ report({range}, groupBy: [{by}], segments: $ids) {{ nodes {{ key {{ {key} }} range filter \
                 values {{ actions }} share(of: ACTIONS) }} totals {{ actions }} }} }}"
            );
            let data = api.data(&query, &json!({ "ids": segments })).await;
            let rows = data["report"]["nodes"].as_array().unwrap();
            assert_eq!(rows.len(), segments.len() + 1, "{data:#}");
            assert!(
                api.statements
                    .take()
                    .iter()
                    .filter(|text| text.contains("segments t"))
                    .count()
                    >= 1
            );
            for row in rows {
                let list = "query($f: ActionFilter, $r: RangeInput) { actions(filter: $f, range: $r) { totalCount } }";
                let listed = api
                    .data(list, &json!({ "f": row["filter"], "r": row["range"] }))
                    .await;
                assert_eq!(
                    listed["actions"]["totalCount"], row["values"]["actions"],
                    "{row:#}"
                );
            }
        }
        let refusals = [
            (
                format!(
                    "{{ report({range}, groupBy: [USER_SEGMENT]) {{ nodes {{ values {{ actions }} }} }} }}"
                ),
                "say which",
            ),
            (
                format!(
                    "query($twice: [ID!]) {{ report({range}, segments: $twice) {{ nodes {{ values {{ actions }} }} }} }}"
                ),
                "USER_SEGMENT",
            ),
            (
                format!(
                    "query($both: [ID!]) {{ report({range}, groupBy: [USER_SEGMENT], segments: $both) {{ nodes {{ running {{ actions }} }} }} }}"
                ),
                "one segment",
            ),
            (
                format!(
                    "query($both: [ID!]) {{ report({range}, groupBy: [USER_SEGMENT], segments: $both) {{ nodes {{ values {{ clicks }} }} }} }}"
                ),
                "clicks",
            ),
        ];
        for (query, words) in refusals {
            let used = |name: &str| query.contains(&format!("${name}"));
            let mut variables = serde_json::Map::new();
            if used("twice") {
                variables.insert("twice".to_owned(), json!([twice]));
            }
            if used("both") {
                variables.insert("both".to_owned(), json!([twice, thrice]));
            }
            let answer = api.answer(&query, &Value::Object(variables)).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer:#}");
            assert!(
                error["message"].as_str().unwrap().contains(words),
                "{answer:#}"
            );
        }
    });
}
