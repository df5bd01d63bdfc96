//! What becomes of segments when what they stand on changes: those that name them or are named, versions, settings.

use super::api::{PAYLOAD, created, id_of, often, told};
use crate::support::api::Api;
use crate::support::drafts::{Shape, at};
use crate::support::world::{World, block_on};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::money::Currency;
use actiongraph::domain::segment::{Scoring, SegmentSettings, Thresholds, UserSettings};
use actiongraph::store::apply::settings::set_segment_settings;
use serde_json::{Value, json};

const SHAPE: Shape = Shape {
    drafts: 260,
    actions: 200,
    wild: false,
};

/// A rule that names one segment.
fn by(id: &str) -> Value {
    json!({ "users": { "segment": { "in": [id] } } })
}

/// What a mutation of one segment says; `arguments` stand behind its id.
async fn done(api: &Api, mutation: &str, id: &str, arguments: &str) -> Value {
    let query = format!("mutation($id: ID!) {{ done: {mutation}(id: $id{arguments}) {PAYLOAD} }}");
    api.data(&query, &json!({ "id": id })).await["done"].take()
}

async fn changed(api: &Api, id: &str, rule: Value) -> Value {
    let query = format!(
        "mutation($id: ID!, $rule: SegmentRuleInput) {{ done: updateSegment(id: $id, expectedVersion: 1, rule: $rule) {PAYLOAD} }}"
    );
    api.data(&query, &json!({ "id": id, "rule": rule })).await["done"].take()
}

fn is_conflict(payload: &Value) {
    let expected = [("expectedVersion".to_owned(), "CONFLICT".to_owned())];
    assert_eq!(told(payload), expected, "{payload:#}");
    assert_eq!(payload["segment"], Value::Null);
}

#[test]
fn a_frozen_segment_tells_its_rule_whatever_became_of_those_that_it_names() {
    block_on(async {
        let world = World::rich(61, SHAPE).await;
        let api = Api::of(&world, 0);
        let named = id_of(&api, "named", often(2)).await;
        let source = id_of(&api, "source", by(&named)).await;
        let frozen = done(&api, "freezeSegment", &source, ", name: \"frozen\"").await;
        assert_eq!(frozen["userErrors"], json!([]), "{frozen:#}");
        let sentences = || async {
            let query = "{ segments(first: 10) { nodes { name sentence size } } }";
            let data = api.data(query, &json!({})).await;
            let nodes = data["segments"]["nodes"].as_array().unwrap().clone();
            let of = nodes.iter().find(|node| node["name"] == "frozen").unwrap();
            of["sentence"].as_str().unwrap().to_owned()
        };
        let sentence = sentences().await;
        assert!(sentence.contains("\"named\""), "{sentence}");
        for id in [&source, &named] {
            let archived = done(&api, "archiveSegment", id, "").await;
            assert_eq!(archived["segment"]["state"], "ARCHIVED", "{archived:#}");
        }
        assert_eq!(sentences().await, sentence);
    });
}

#[test]
fn a_change_that_another_segment_cannot_bear_is_refused_with_its_name() {
    block_on(async {
        let world = World::rich(62, SHAPE).await;
        let api = Api::of(&world, 0);
        let refused = |payload: &Value, name: &str| {
            let expected = [("rule".to_owned(), "LIMIT_EXCEEDED".to_owned())];
            assert_eq!(told(payload), expected, "{payload:#}");
            let message = payload["userErrors"][0]["message"].as_str().unwrap();
            assert!(message.contains(&format!("{name:?}")), "{message}");
        };
        // Deep: five levels are allowed, and a sixth would come in at the bottom.
        let bottom = id_of(&api, "bottom", often(1)).await;
        let mut above = bottom.clone();
        for level in 1..=5 {
            above = id_of(&api, &format!("level {level}"), by(&above)).await;
        }
        let other = id_of(&api, "other", often(2)).await;
        refused(&changed(&api, &bottom, by(&other)).await, "level 5");
        // Large: one that names another often.
        let small = id_of(&api, "small", often(1)).await;
        let often_named = vec![json!({ "segment": { "in": [small] } }); 12];
        let rule = json!({ "users": { "and": often_named } });
        let wide = id_of(&api, "wide", rule).await;
        let metric = |least: i64| json!({ "metric": { "metric": "ACTIONS", "atLeast": least } });
        let three = json!({ "users": { "and": [metric(1), metric(2), metric(3)] } });
        refused(&changed(&api, &small, three.clone()).await, "wide");
        // One that is put away bears anything: it is checked when it comes back.
        done(&api, "archiveSegment", &wide, "").await;
        let taken = changed(&api, &small, three).await;
        assert_eq!(taken["userErrors"], json!([]), "{taken:#}");
        let restored = done(&api, "restoreSegment", &wide, "").await;
        assert_eq!(
            told(&restored),
            [("rule".to_owned(), "LIMIT_EXCEEDED".to_owned())]
        );
    });
}

#[test]
fn settings_keep_the_segments_that_people_made_and_one_gone_bad_fails_alone() {
    block_on(async {
        let world = World::rich(63, SHAPE).await;
        let api = Api::of(&world, 0);
        let month = json!({ "last": { "count": 30, "unit": "DAY" } });
        let champions = json!({ "builtInSegment": { "kind": "CHAMPIONS", "period": month, "currency": "USD" } });
        let bad = id_of(&api, "In dollars", json!({ "users": champions })).await;
        id_of(&api, "Twice", often(2)).await;
        let query = "{ segments(first: 10) { nodes { name size sentence \
                     trend(range: {last: {count: 60, unit: DAY}}, bucket: MONTH) { size } } } }";
        api.data(query, &json!({})).await;

        let roubles = "mutation { done: updateSegmentSettings(version: \"0\", users: {scoring: {thresholds: {recencyDays: [1, 2, 3, 4], \
                       actions: [1, 2, 3, 4], amounts: [1, 2, 3, 4], currency: \"RUB\"}}}) { settings { version } \
                       userErrors { field code message } } }";
        let refused = api.data(roubles, &json!({})).await;
        let error = &refused["done"]["userErrors"][0];
        assert_eq!(refused["done"]["settings"], Value::Null, "{refused:#}");
        assert_eq!(
            (&error["field"][0], &error["code"]),
            (&json!("users"), &json!("CONFLICT"))
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("\"In dollars\""), "{message}");

        // Settings that came in beside the check, as by two that are faster than each other.
        let thresholds = Thresholds {
            recency_days: [1, 2, 3, 4],
            actions: [1, 2, 3, 4],
            amounts_e4: [1, 2, 3, 4],
            currency: Currency::parse("RUB").unwrap(),
        };
        let settings = SegmentSettings {
            users: UserSettings {
                scoring: Some(Scoring::Thresholds(thresholds)),
                ..UserSettings::default()
            },
            ..SegmentSettings::default()
        };
        let now = at("2026-07-01T00:00:00Z");
        let note = Administrator::command_line(world.publishers[0].id, now).note();
        let told = (["users"].as_slice(), &note.unwrap());
        let set = set_segment_settings(&world.store, world.write(0), &settings, 0, told).await;
        assert!(set.unwrap());
        let answer = api.answer(query, &json!({})).await;
        let nodes = answer["data"]["segments"]["nodes"].as_array().unwrap();
        let of = |name: &str| nodes.iter().find(|node| node["name"] == name).unwrap();
        assert!(of("Twice")["size"].is_i64(), "{answer:#}");
        assert!(of("Twice")["trend"].is_array(), "{answer:#}");
        assert_eq!(of("In dollars")["size"], Value::Null);
        assert!(of("In dollars")["sentence"].is_string());
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2, "size and trend of one: {answer:#}");
        for error in errors {
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("segment \"In dollars\""), "{message}");
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        }
        // A change that makes nothing worse is taken, and so is the way out.
        let other = roubles.replace("version: \"0\"", "version: \"1\"");
        let taken = api.data(&other, &json!({})).await;
        assert_eq!(taken["done"]["userErrors"], json!([]), "{taken:#}");
        let archived = done(&api, "archiveSegment", &bad, "").await;
        assert_eq!(archived["userErrors"], json!([]), "{archived:#}");
    });
}

#[test]
fn a_segment_is_put_away_taken_back_and_frozen_in_the_version_that_is_expected() {
    block_on(async {
        let world = World::rich(64, SHAPE).await;
        let api = Api::of(&world, 0);
        let sold = |least: i64| json!({ "products": { "metric": { "metric": "UNITS", "atLeast": least } } });
        let id = id_of(&api, "Sold", sold(2)).await;
        let renewed = changed(&api, &id, sold(3)).await;
        assert_eq!(renewed["segment"]["version"], 2, "{renewed:#}");

        is_conflict(&done(&api, "freezeSegment", &id, ", expectedVersion: 1").await);
        is_conflict(&done(&api, "archiveSegment", &id, ", expectedVersion: 1").await);
        let arguments = ", name: \"Sold then\", expectedVersion: 2";
        let frozen = done(&api, "freezeSegment", &id, arguments).await;
        assert_eq!(frozen["userErrors"], json!([]), "{frozen:#}");
        assert_eq!(frozen["segment"]["state"], "FROZEN");
        let query = "query($id: ID!, $frozen: ID!) { live: segment(id: $id) { size } \
                     frozen: segment(id: $frozen) { size subject frozenFromVersion members(first: 100) { totalCount } } \
                     products(filter: {segment: {in: [$frozen]}}) { totalCount } }";
        let ids = json!({ "id": id, "frozen": frozen["segment"]["id"] });
        let seen = api.data(query, &ids).await;
        let size = &seen["live"]["size"];
        assert_ne!(size, 0, "{seen:#}");
        assert_eq!(
            seen["frozen"],
            json!({ "size": size, "subject": "PRODUCTS", "frozenFromVersion": 2, "members": { "totalCount": size } })
        );
        assert_eq!(&seen["products"]["totalCount"], size);

        let archived = done(&api, "archiveSegment", &id, ", expectedVersion: 2").await;
        assert_eq!(archived["segment"]["state"], "ARCHIVED", "{archived:#}");
        is_conflict(&done(&api, "restoreSegment", &id, ", expectedVersion: 1").await);
        let restored = done(&api, "restoreSegment", &id, ", expectedVersion: 2").await;
        assert_eq!(restored["userErrors"], json!([]), "{restored:#}");
        assert_eq!(restored["segment"]["state"], "LIVE");
        let taken = created(&api, "sold", sold(1)).await;
        assert_eq!(told(&taken), [("name".to_owned(), "CONFLICT".to_owned())]);
    });
}
