//! Built-in segments as conditions: whoever names one means exactly those that `userSegments` and `productSegments` list.

use super::api::{created, id_of, told};
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::drafts::{COUNTRIES, Shape};
use crate::support::world::{World, block_on};
use actiongraph::domain::limits::{Limits, SubidLimit};
use actiongraph::domain::scope::KeyScope;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 260,
    actions: 220,
    wild: true,
};

/// A world with marked products and devices.
pub(super) async fn world(seed: u64) -> World {
    let world = World::rich(seed, SHAPE).await;
    let facts = world.facts(0).await;
    let hot: Vec<Uuid> = facts.products.keys().copied().step_by(3).collect();
    let listed: Vec<Uuid> = facts.products.keys().copied().step_by(4).collect();
    world.mark_products(0, "is_hot", &hot).await;
    world.mark_products(0, "is_priority", &listed).await;
    for (place, device) in ["mobile", "desktop"].into_iter().enumerate() {
        let ids = facts.actions.keys().copied().skip(place).step_by(4);
        world
            .mark_devices(0, device, &ids.collect::<Vec<_>>())
            .await;
    }
    world
}

/// A period that has something in it, more often than not.
pub(super) fn period(dice: &mut Dice) -> Value {
    let count = 1 + dice.below(150);
    let day = |dice: &mut Dice| format!("2026-{:02}-{:02}", 1 + dice.below(6), 1 + dice.below(28));
    let (one, other) = (day(dice), day(dice));
    let (from, to) = (one.clone().min(other.clone()), one.max(other));
    match dice.below(5) {
        0 => json!({ "last": { "count": count, "unit": "DAY" } }),
        1 => json!({ "last": { "count": 1 + count / 10, "unit": "WEEK", "wholeUnits": true } }),
        2 => json!({ "days": { "from": from, "to": to } }),
        3 => {
            json!({ "between": { "from": format!("{from}T05:10:00Z"), "to": format!("{to}T21:30:00Z") } })
        }
        _ => json!({ "preset": dice.pick(&["LAST_MONTH", "THIS_YEAR", "LAST_QUARTER"]) }),
    }
}

/// Settings that little data gets many members from.
pub(super) async fn set_rules(api: &Api, version: i64, dice: &mut Dice) {
    let scoring = if dice.percent(50) {
        json!({ "percentiles": [10 + dice.below(20), 35 + dice.below(10), 50 + dice.below(20), 75 + dice.below(20)] })
    } else {
        json!({ "thresholds": { "recencyDays": [5, 20, 40, 70], "actions": [2, 3, 4, 6],
            "amounts": ["10", "20", "50", "90"], "currency": "USD" } })
    };
    let high_value = if dice.percent(50) {
        json!({ "topPercent": 5 + dice.below(60) })
    } else {
        json!({ "amount": { "amount": "25", "currency": dice.pick(&["USD", "RUB"]) } })
    };
    let users = json!({
        "scoring": scoring, "highValue": high_value, "minimumActions": 1 + dice.below(3),
        "minimumUsers": dice.pick(&[1, 5]),
        "monetary": dice.pick(&["ORDER_AMOUNT", "REWARD"]),
    });
    let products = json!({
        "bestSellers": 1 + dice.below(6), "minimumUnits": 1 + dice.below(3), "changePercent": 10 + dice.below(60),
        "changeUnits": dice.below(6), "riskyProcessed": 1 + dice.below(3), "riskyPercent": 30 + dice.below(60),
        "abcAPercent": 20 + dice.below(40), "abcBPercent": 65 + dice.below(30),
        "rankBy": dice.pick(&["UNITS", "ORDER_AMOUNT", "REWARD"]),
    });
    let mutation = "mutation($version: BigInt!, $users: UserRulesInput, $products: ProductRulesInput) { \
                    updateSegmentSettings(version: $version, users: $users, products: $products) { userErrors { message } } }";
    let variables = json!({ "version": version.to_string(), "users": users, "products": products });
    let set = api.data(mutation, &variables).await;
    assert_eq!(
        set["updateSegmentSettings"]["userErrors"],
        json!([]),
        "{set:#}"
    );
}

fn ids(nodes: &Value, at: &str) -> BTreeSet<String> {
    let nodes = nodes.as_array().unwrap();
    nodes
        .iter()
        .map(|node| node.pointer(at).unwrap().as_str().unwrap().to_owned())
        .collect()
}

/// What a caller is told of the built-in segments of users over a period: conditions with the members that are listed.
pub(super) async fn listed_users(api: &Api, period: &Value) -> Vec<(Value, BTreeSet<String>)> {
    let query = "query($range: RangeInput!) { userSegments(range: $range, first: 90) { nodes { kind country device size \
                 users(first: 100) { nodes { user { id } } } } } }";
    let data = api.data(query, &json!({ "range": period })).await;
    let nodes = data["userSegments"]["nodes"].as_array().unwrap();
    let mut listed: Vec<(Value, BTreeSet<String>)> = nodes
        .iter()
        .map(|node| {
            let mut condition = json!({ "kind": node["kind"], "period": period });
            match node["kind"].as_str().unwrap() {
                "COUNTRY" => condition["country"] = node["country"].clone(),
                "DEVICE" => condition["device"] = node["device"].clone(),
                _ => {}
            }
            let members = ids(&node["users"]["nodes"], "/user/id");
            assert_eq!(node["size"], members.len(), "a page holds all: {node:#}");
            (condition, members)
        })
        .collect();
    // Where nobody comes from, nobody is.
    let seen: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node["country"].as_str())
        .collect();
    let unseen = COUNTRIES.iter().find(|code| !seen.contains(*code));
    let unseen = unseen.copied().unwrap_or("AQ");
    let nobody = json!({ "kind": "COUNTRY", "period": period, "country": unseen });
    listed.push((nobody, BTreeSet::new()));
    listed
}

pub(super) async fn listed_products(api: &Api, period: &Value) -> Vec<(Value, BTreeSet<String>)> {
    let query = "query($range: RangeInput!) { productSegments(range: $range) { nodes { kind size \
                 products(first: 100) { nodes { product { id } } } } } }";
    let data = api.data(query, &json!({ "range": period })).await;
    let nodes = data["productSegments"]["nodes"].as_array().unwrap();
    let listed = nodes.iter().map(|node| {
        let members = ids(&node["products"]["nodes"], "/product/id");
        assert_eq!(node["size"], members.len(), "a page holds all: {node:#}");
        (json!({ "kind": node["kind"], "period": period }), members)
    });
    listed.collect()
}

/// Every way in which a condition on users can be asked finds these, and its complement all others.
async fn same_users(api: &Api, condition: &Value, members: &BTreeSet<String>) {
    let query = "query($c: BuiltInUserSegment!, $ids: [ID!]!) { \
                 is: users(first: 100, filter: {builtInSegment: $c}) { totalCount nodes { id } } \
                 not: users(first: 100, filter: {not: {builtInSegment: $c}}) { nodes { id } } \
                 all: users { totalCount } \
                 done: actions(filter: {user: {builtInSegment: $c}}) { totalCount totals { reward { amount } } } \
                 theirs: actions(filter: {user: {id: {in: $ids}}}) { totalCount totals { reward { amount } } } \
                 preview: previewSegment(rule: {users: {builtInSegment: $c}}, sampleSize: 100) { size problems { message } \
                 sample { user { id } reasons { needed actual holds } } } \
                 nested: previewSegment(rule: {users: {and: [{user: {builtInSegment: $c}}, {metric: {metric: ACTIONS, \
                 atLeast: 1, actions: {user: {builtInSegment: $c}, status: {in: [PENDING, APPROVED, DECLINED, \
                 APPROVED_BUT_STALLED, UNKNOWN]}}}}]}}) { size } }";
    let given: Vec<&String> = members.iter().collect();
    let data = api
        .data(query, &json!({ "c": condition, "ids": given }))
        .await;
    let count = json!(members.len());
    let what = format!("{condition}\n{data:#}");
    assert_eq!(&ids(&data["is"]["nodes"], "/id"), members, "{what}");
    assert_eq!(data["is"]["totalCount"], count, "{what}");
    let others = ids(&data["not"]["nodes"], "/id");
    assert!(others.is_disjoint(members), "{what}");
    assert_eq!(
        json!(others.len() + members.len()),
        data["all"]["totalCount"],
        "{what}"
    );
    assert_eq!(data["done"], data["theirs"], "{what}");
    assert_eq!(data["preview"]["problems"], json!([]), "{what}");
    assert_eq!(data["preview"]["size"], count, "{what}");
    assert_eq!(
        &ids(&data["preview"]["sample"], "/user/id"),
        members,
        "{what}"
    );
    for member in data["preview"]["sample"].as_array().unwrap() {
        let reason = &member["reasons"][0];
        assert_eq!(reason["holds"], true, "{what}");
        assert!(
            reason["needed"].is_string() && reason["actual"].is_string(),
            "{what}"
        );
    }
    assert_eq!(data["nested"]["size"], count, "{what}");
}

async fn same_products(api: &Api, condition: &Value, members: &BTreeSet<String>) {
    let query = "query($c: BuiltInProductSegment!, $ids: [ID!]!) { \
                 is: products(first: 100, filter: {builtInSegment: $c}) { totalCount nodes { id } } \
                 not: products(first: 100, filter: {not: {builtInSegment: $c}}) { nodes { id } } \
                 all: products { totalCount } \
                 sold: actions(filter: {items: {some: {product: {builtInSegment: $c}}}}) { totalCount } \
                 theirs: actions(filter: {items: {some: {product: {id: {in: $ids}}}}}) { totalCount } \
                 preview: previewSegment(rule: {products: {builtInSegment: $c}}, sampleSize: 100) { size problems { message } \
                 sample { product { id } reasons { needed actual holds } } } }";
    let given: Vec<&String> = members.iter().collect();
    let data = api
        .data(query, &json!({ "c": condition, "ids": given }))
        .await;
    let what = format!("{condition}\n{data:#}");
    assert_eq!(&ids(&data["is"]["nodes"], "/id"), members, "{what}");
    let others = ids(&data["not"]["nodes"], "/id");
    assert!(others.is_disjoint(members), "{what}");
    assert_eq!(
        json!(others.len() + members.len()),
        data["all"]["totalCount"],
        "{what}"
    );
    assert_eq!(data["sold"], data["theirs"], "{what}");
    assert_eq!(data["preview"]["problems"], json!([]), "{what}");
    assert_eq!(data["preview"]["size"], members.len(), "{what}");
    assert_eq!(
        &ids(&data["preview"]["sample"], "/product/id"),
        members,
        "{what}"
    );
    for member in data["preview"]["sample"].as_array().unwrap() {
        assert_eq!(member["reasons"][0]["holds"], true, "{what}");
        assert!(member["reasons"][0]["actual"].is_string(), "{what}");
    }
}

/// Asks a caller about several periods; gives which kinds had members.
async fn compare(api: &Api, dice: &mut Dice, periods: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..periods {
        let period = period(dice);
        for (condition, members) in listed_users(api, &period).await {
            same_users(api, &condition, &members).await;
            if !members.is_empty() {
                seen.insert(format!("users {}", condition["kind"]));
            }
        }
        for (condition, members) in listed_products(api, &period).await {
            same_products(api, &condition, &members).await;
            if !members.is_empty() {
                seen.insert(format!("products {}", condition["kind"]));
            }
        }
    }
    seen
}

pub(super) const WRITES: &[KeyScope] = &[KeyScope::Read, KeyScope::Segments];

#[test]
fn conditions_find_those_that_are_listed() {
    block_on(async {
        let mut dice = Dice::new(seed());
        let mut seen = BTreeSet::new();
        for round in 0..4 {
            let mut world = world(seed() + 40 + round).await;
            if round % 2 == 1 {
                world = world.in_columns().await;
            }
            let api = Api::of(&world, 0).allowed(WRITES);
            if round > 0 {
                set_rules(&api, 0, &mut dice).await;
            }
            seen.extend(compare(&api, &mut dice, 4).await);
        }
        // Nearly all kinds: there are 15 of users without UNATTRIBUTED, which nobody is in, and 11 of products.
        assert!(seen.len() >= 22, "{seen:#?}");
    });
}

/// Members with their reasons, by id.
fn reasons(nodes: &Value, at: &str) -> BTreeMap<String, Value> {
    let nodes = nodes.as_array().unwrap().iter();
    nodes
        .map(|node| {
            let id = node.pointer(at).unwrap().as_str().unwrap().to_owned();
            (id, node["reasons"].clone())
        })
        .collect()
}

/// Compares the reasons of all that are listed over a period with those that a rule around their segment gives; how many.
async fn same_reasons(api: &Api, period: &Value) -> usize {
    const REASONS: &str = "reasons { condition needed actual holds }";
    let users = format!(
        "query($range: RangeInput!) {{ users: userSegments(range: $range, first: 90) {{ nodes {{ kind country device \
         members: users(first: 100) {{ nodes {{ user {{ id }} {REASONS} }} }} }} }} }}"
    );
    let products = format!(
        "query($range: RangeInput!) {{ products: productSegments(range: $range) {{ nodes {{ kind \
         members: products(first: 100) {{ nodes {{ product {{ id }} {REASONS} }} }} }} }} }}"
    );
    let preview = format!(
        "query($rule: SegmentRuleInput!) {{ previewSegment(rule: $rule, sampleSize: 100) {{ problems {{ message }} \
         sample {{ user {{ id }} product {{ id }} {REASONS} }} }} }}"
    );
    let mut compared = 0;
    for (subject, at, listed) in [
        ("users", "/user/id", users),
        ("products", "/product/id", products),
    ] {
        let listed = api.data(&listed, &json!({ "range": period })).await;
        for node in listed[subject]["nodes"].as_array().unwrap() {
            let mut condition = json!({ "kind": node["kind"], "period": period });
            match node["kind"].as_str().unwrap() {
                "COUNTRY" => condition["country"] = node["country"].clone(),
                "DEVICE" => condition["device"] = node["device"].clone(),
                _ => {}
            }
            let rule = json!({ subject: { "builtInSegment": condition } });
            let seen = api.data(&preview, &json!({ "rule": rule })).await;
            let seen = &seen["previewSegment"];
            assert_eq!(seen["problems"], json!([]), "{rule} {seen:#}");
            let theirs = reasons(&node["members"]["nodes"], at);
            assert_eq!(theirs, reasons(&seen["sample"], at), "{rule}");
            for all in theirs.values() {
                assert_eq!(all.as_array().unwrap().len(), 1, "{rule} {all}");
                assert_eq!(all[0]["holds"], true, "{rule} {all}");
            }
            compared += theirs.len();
        }
    }
    compared
}

/// Who is listed in a built-in segment is in it for the reason that a rule around the segment gives.
#[test]
fn those_that_are_listed_have_the_reasons_of_a_rule_around_their_segment() {
    block_on(async {
        let mut dice = Dice::new(seed() + 9);
        let mut compared = 0;
        for round in 0..2 {
            let mut world = world(seed() + 100 + round).await;
            if round == 1 {
                world = world.in_columns().await;
            }
            let api = Api::of(&world, 0).allowed(WRITES);
            let near = json!({ "last": { "count": 120, "unit": "DAY" } });
            compared += same_reasons(&api, &near).await;
            set_rules(&api, 0, &mut dice).await;
            for period in [near, period(&mut dice)] {
                compared += same_reasons(&api, &period).await;
            }
        }
        assert!(compared > 50, "{compared}");
    });
}

/// What reasons need is there when a page is: they send no statement, however many members they are of.
#[test]
fn reasons_of_those_that_are_listed_send_no_statement() {
    block_on(async {
        let world = world(seed() + 105).await;
        let api = Api::of(&world, 0);
        let query = |more: &str| {
            format!(
                "{{ userSegments(range: {{last: {{count: 120, unit: DAY}}}}, first: 90) {{ nodes {{ users(first: 80) {{ \
                 nodes {{ actions {more} }} }} }} }} \
                 productSegments(range: {{last: {{count: 120, unit: DAY}}}}) {{ nodes {{ products(first: 100) {{ \
                 nodes {{ units {more} }} }} }} }} }}"
            )
        };
        let _ = api.statements.take();
        api.data(&query(""), &json!({})).await;
        let without = api.statements.take().len();
        api.data(
            &query("reasons { condition needed actual holds }"),
            &json!({}),
        )
        .await;
        let with = api.statements.take();
        assert_eq!(with.len(), without, "{}", with.join("\n"));
    });
}

#[test]
fn what_is_hidden_moves_no_cut() {
    block_on(async {
        let mut dice = Dice::new(seed() + 7);
        let world = world(seed() + 50).await;
        set_rules(&Api::of(&world, 0).allowed(WRITES), 0, &mut dice).await;
        let facts = world.facts(0).await;
        let slot = |number: usize| {
            let values: BTreeSet<String> = facts
                .actions
                .values()
                .filter_map(|action| match number {
                    0 => action.subid0.clone(),
                    _ => action.subid1.clone(),
                })
                .collect();
            values.into_iter().step_by(2).collect::<Vec<String>>()
        };
        let limits = [
            Limits {
                ad_spaces: Some(vec!["501".to_owned()]),
                ..Limits::default()
            },
            Limits {
                subids: vec![SubidLimit {
                    slot: 1,
                    values: slot(1),
                    prefixes: Vec::new(),
                }],
                ..Limits::default()
            },
            Limits {
                last_days: Some(90),
                hide_reward: true,
                ..Limits::default()
            },
        ];
        let world = world.in_columns().await;
        for limits in limits {
            let hides = limits.hide_reward;
            let api = Api::limited(&world, 0, limits);
            let period = json!({ "last": { "count": 120, "unit": "DAY" } });
            let mut members_seen = 0;
            for (condition, members) in listed_users(&api, &period).await {
                members_seen += members.len();
                if hides {
                    let query = "query($c: BuiltInUserSegment!) { users(first: 100, filter: {builtInSegment: $c}) { \
                                 nodes { id } } }";
                    let data = api.data(query, &json!({ "c": condition })).await;
                    assert_eq!(ids(&data["users"]["nodes"], "/id"), members, "{condition}");
                } else {
                    same_users(&api, &condition, &members).await;
                }
            }
            for (condition, members) in listed_products(&api, &period).await {
                same_products(&api, &condition, &members).await;
            }
            assert!(members_seen > 5, "{members_seen}");
        }
    });
}

#[test]
fn a_segment_as_of_a_day_has_the_members_of_that_day() {
    block_on(async {
        let world = world(seed() + 60).await;
        let api = Api::of(&world, 0);
        let last = json!({ "last": { "count": 40, "unit": "DAY" } });
        for kind in ["CHAMPIONS", "NEW", "RETURNING", "HIGH_VALUE", "HIBERNATING"] {
            let rule = json!({ "users": { "builtInSegment": { "kind": kind, "period": last } } });
            let id = id_of(&api, kind, rule).await;
            for (from, to) in [("2026-04-01", "2026-05-11"), ("2026-03-01", "2026-04-10")] {
                let query = "query($id: ID!, $to: DateTime!, $kind: UserSegmentKind!, $range: RangeInput!) { \
                             segment(id: $id) { size(asOf: $to) members(asOf: $to, first: 100) { nodes { user { id } } } } \
                             userSegments(range: $range, segments: [$kind], first: 5) { nodes { users(first: 100) { nodes { user { id } } } } } }";
                let (from, to) = (format!("{from}T00:00:00Z"), format!("{to}T00:00:00Z"));
                let range = json!({ "between": { "from": from, "to": to } });
                let data = api
                    .data(
                        query,
                        &json!({ "id": id, "to": to, "kind": kind, "range": range }),
                    )
                    .await;
                let listed = ids(
                    &data["userSegments"]["nodes"][0]["users"]["nodes"],
                    "/user/id",
                );
                let members = ids(&data["segment"]["members"]["nodes"], "/user/id");
                assert_eq!(members, listed, "{kind} {range}");
                assert_eq!(data["segment"]["size"], listed.len(), "{kind} {range}");
            }
        }
        for kind in [
            "BEST_SELLERS",
            "RISING",
            "FALLING",
            "DORMANT",
            "ABC_B",
            "NEW",
        ] {
            let rule =
                json!({ "products": { "builtInSegment": { "kind": kind, "period": last } } });
            let id = id_of(&api, &format!("products {kind}"), rule).await;
            let query = "query($id: ID!, $to: DateTime!, $kind: ProductSegmentKind!, $range: RangeInput!) { \
                         segment(id: $id) { members(asOf: $to, first: 100) { nodes { product { id } } } } \
                         productSegments(range: $range, segments: [$kind]) { nodes { products(first: 100) { \
                         nodes { product { id } } } } } }";
            let range = json!({ "between": { "from": "2026-04-01T00:00:00Z", "to": "2026-05-11T00:00:00Z" } });
            let variables =
                json!({ "id": id, "to": "2026-05-11T00:00:00Z", "kind": kind, "range": range });
            let data = api.data(query, &variables).await;
            let listed = &data["productSegments"]["nodes"][0]["products"]["nodes"];
            let members = &data["segment"]["members"]["nodes"];
            assert_eq!(
                ids(members, "/product/id"),
                ids(listed, "/product/id"),
                "{kind}"
            );
        }
    });
}

/// What an analyst does: "champions from Poland", used wherever a segment is.
#[test]
fn built_in_segments_are_part_of_segments_overlaps_trends_and_reports() {
    block_on(async {
        let world = world(seed() + 70).await;
        let api = Api::of(&world, 0);
        let near = json!({ "last": { "count": 60, "unit": "DAY" } });
        let kind = |kind: &str| json!({ "builtInSegment": { "kind": kind, "period": near } });
        let both = json!({ "users": { "and": [kind("RETURNING"), { "clickCountry": { "in": COUNTRIES } }] } });
        let some = id_of(&api, "Returning from somewhere", both).await;
        let back = id_of(&api, "Returning", json!({ "users": kind("RETURNING") })).await;
        let named = json!({ "users": { "or": [{ "segment": { "in": [back] } }, kind("NEW")] } });
        let either = id_of(&api, "Either", named).await;
        let query = "query($some: ID!, $back: ID!, $either: ID!, $range: RangeInput!) { \
                     segment(id: $some) { sentence size members { nodes { reasons { condition needed actual holds } } } \
                     trend(range: {last: {count: 90, unit: DAY}}, bucket: MONTH) { size } } \
                     segmentOverlap(ids: [$back, $either]) { intersection segments { size } } \
                     report(range: $range, groupBy: [USER_SEGMENT], segments: [$back, $some]) { \
                     nodes { key { userSegment { name } } values { users } } } \
                     userSegments(range: $range, segments: [NEW, RETURNING]) { nodes { kind size } } }";
        let variables = json!({ "some": some, "back": back, "either": either, "range": near });
        let data = api.data(query, &variables).await;
        let size_of = |kind: &str| -> i64 {
            let nodes = data["userSegments"]["nodes"].as_array().unwrap();
            let node = nodes.iter().find(|node| node["kind"] == kind).unwrap();
            node["size"].as_i64().unwrap()
        };
        let (new, returning) = (size_of("NEW"), size_of("RETURNING"));
        assert!(returning > 3, "{data:#}");
        let sentence = data["segment"]["sentence"].as_str().unwrap();
        assert!(
            sentence.contains("in the built-in segment RETURNING in the last 60 days"),
            "{sentence}"
        );
        let trend = data["segment"]["trend"].as_array().unwrap();
        assert_eq!(trend.last().unwrap()["size"], data["segment"]["size"]);
        let reasons = &data["segment"]["members"]["nodes"][0]["reasons"];
        assert_eq!(
            reasons[0]["needed"],
            "an action in the period, the first one before it"
        );
        let actual = reasons[0]["actual"].as_str().unwrap();
        assert!(actual.starts_with("the first action 20"), "{reasons}");
        let overlap = &data["segmentOverlap"];
        assert_eq!(overlap["segments"][0]["size"], returning);
        assert_eq!(overlap["segments"][1]["size"], returning + new);
        assert_eq!(overlap["intersection"], returning);
        let rows = data["report"]["nodes"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["key"]["userSegment"]["name"] == "Returning");
        assert_eq!(row.unwrap()["values"]["users"], returning, "{rows:#?}");

        let freeze = "mutation($id: ID!) { freezeSegment(id: $id, name: \"Returning then\") { segment { id size } \
                      userErrors { message } } }";
        let frozen = api.data(freeze, &json!({ "id": back })).await;
        let frozen = &frozen["freezeSegment"];
        assert_eq!(frozen["segment"]["size"], returning, "{frozen:#}");
    });
}

#[test]
fn what_cannot_be_is_refused_at_its_place() {
    block_on(async {
        let world = world(seed() + 80).await;
        let api = Api::of(&world, 0).allowed(WRITES);
        let thresholds = "mutation { updateSegmentSettings(version: \"0\", users: {scoring: {thresholds: {recencyDays: [1, 2, 3, 4], \
                          actions: [1, 2, 3, 4], amounts: [1, 2, 3, 4], currency: \"RUB\"}}}) { userErrors { message } } }";
        api.data(thresholds, &json!({})).await;
        let month = json!({ "last": { "count": 30, "unit": "DAY" } });
        let none = json!({ "last": { "count": 0, "unit": "DAY" } });
        let rule = json!({ "users": { "and": [
            { "builtInSegment": { "kind": "COUNTRY", "period": month } },
            { "builtInSegment": { "kind": "NEW", "period": month, "country": "PL" } },
            { "builtInSegment": { "kind": "DEVICE", "period": none } },
            { "user": { "builtInSegment": { "kind": "CHAMPIONS", "period": month, "currency": "USD" } } },
            { "builtInSegment": { "kind": "RETURNING", "period": month, "currency": "USD" } },
            { "builtInSegment": { "kind": "DEVICE", "period": month, "device": null } },
            { "builtInSegment": { "kind": "HIGH_VALUE", "period": month } },
        ] } });
        let made = created(&api, "refused", rule).await;
        let places: Vec<String> = told(&made).into_iter().map(|(place, _)| place).collect();
        assert_eq!(
            places,
            [
                "rule.users.and.0.builtInSegment.country",
                "rule.users.and.1.builtInSegment.country",
                "rule.users.and.2.builtInSegment.period",
                "rule.users.and.2.builtInSegment.device",
                "rule.users.and.4.builtInSegment.currency",
                "rule.users.and.3.user.builtInSegment.currency",
            ],
            "{made:#}"
        );
        let query = "query($f: UserFilter) { users(filter: $f) { totalCount } }";
        let champions = json!({ "builtInSegment": { "kind": "CHAMPIONS", "period": month, "currency": "USD" } });
        let answer = api
            .answer(query, &json!({ "f": { "or": [champions] } }))
            .await;
        let error = &answer["errors"][0];
        assert_eq!(
            error["extensions"]["argument"], "filter.or.0.builtInSegment.currency",
            "{answer:#}"
        );
        let many: Vec<Value> = (1..=130)
            .map(|count| json!({ "builtInSegment": { "kind": "NEW", "period": { "last": { "count": count, "unit": "DAY" } } } }))
            .collect();
        let answer = api.answer(query, &json!({ "f": { "or": many } })).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED",
            "{answer:#}"
        );
    });
}

#[test]
fn a_period_is_divided_once_and_its_price_is_told() {
    block_on(async {
        let world = world(seed() + 90).await;
        let api = Api::of(&world, 0);
        let one = "query($p: RangeInput!) { a: users(filter: {builtInSegment: {kind: CHAMPIONS, period: $p}}) { nodes { id } } }";
        let many = "query($p: RangeInput!) { a: users(filter: {builtInSegment: {kind: CHAMPIONS, period: $p}}) { nodes { id } } \
                    b: users(filter: {not: {builtInSegment: {kind: AT_RISK, period: $p}}}) { nodes { id } } \
                    c: actions(filter: {user: {builtInSegment: {kind: COUNTRY, country: \"RU\", period: $p}}}) { nodes { id } } }";
        let period = json!({ "p": { "last": { "count": 90, "unit": "DAY" } } });
        let _ = api.statements.take();
        let answer = api.answer(one, &period).await;
        // The settings, two of the division, the page.
        let statements = api.statements.take();
        assert_eq!(statements.len(), 4, "{statements:#?}");
        api.data(many, &period).await;
        let statements = api.statements.take();
        assert_eq!(statements.len(), 6, "{statements:#?}");
        let cost = |answer: &Value| {
            answer["extensions"]["cost"]["requestedQueryCost"]
                .as_f64()
                .unwrap()
        };
        let plain = api
            .answer(
                "{ a: users(filter: {value: {eq: \"x\"}}) { nodes { id } } }",
                &json!({}),
            )
            .await;
        assert!(
            cost(&answer) >= cost(&plain) + 1_500.0,
            "{answer:#} {plain:#}"
        );
    });
}
