//! What becomes of segments when what they stand on changes: those that name them or are named, versions, settings.

use super::api::{PAYLOAD, created, id_of, often, told};
use super::plain;
use crate::support::api::Api;
use crate::support::drafts::{Shape, at};
use crate::support::world::{World, block_on};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::money::Currency;
use actiongraph::domain::rule::{BuiltIn, BuiltInKind, Rule, Subject};
use actiongraph::domain::segment::{
    Scoring, SegmentSettings, Thresholds, UserSegment, UserSettings,
};
use actiongraph::graphql::id::Kind;
use actiongraph::store::apply::segments::{Change, Order, Refused, carry_out};
use actiongraph::store::apply::settings::{SettingsChange, SettingsRefused, set_segment_settings};
use actiongraph::store::segment_settings::{StoredSettings, segment_settings};
use async_graphql::ID;
use serde_json::{Value, json};
use uuid::Uuid;

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
pub(super) async fn done(api: &Api, mutation: &str, id: &str, arguments: &str) -> Value {
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

        // Settings that an older server let in.
        let thresholds = r#"{"recency_days":[1,2,3,4],"actions":[1,2,3,4],"amounts_e4":[1,2,3,4],"currency":"RUB"}"#;
        let users = format!(r#"{{"scoring":{{"thresholds":{thresholds}}}}}"#);
        let stored = format!(r#"{{"form":1,"products":{{}},"users":{users}}}"#);
        world.store_segment_settings(0, &stored).await;
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

/// As with a rule: the first twenty problems, and how many more there are.
#[test]
fn settings_that_many_segments_do_not_go_with_say_how_many() {
    block_on(async {
        let world = World::rich(65, SHAPE).await;
        let api = Api::of(&world, 0);
        let champions = json!({ "builtInSegment": { "kind": "CHAMPIONS", "currency": "USD" } });
        for number in 0..23 {
            let name = format!("In dollars {number}");
            id_of(&api, &name, json!({ "users": champions })).await;
        }
        let roubles = "mutation { done: updateSegmentSettings(version: \"0\", users: {scoring: {thresholds: {recencyDays: [1, 2, 3, 4], \
                       actions: [1, 2, 3, 4], amounts: [1, 2, 3, 4], currency: \"RUB\"}}}) { settings { version } \
                       userErrors { field code message } } }";
        let refused = api.data(roubles, &json!({})).await;
        let errors = refused["done"]["userErrors"].as_array().unwrap();
        assert_eq!(errors.len(), 21, "{refused:#}");
        assert_eq!(
            errors[20],
            json!({ "field": ["users"], "code": "CONFLICT", "message": "and 3 more" })
        );
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

fn champions(currency: &str) -> Rule {
    Rule::from(BuiltIn {
        kind: BuiltInKind::Users {
            kind: UserSegment::Champions,
            origin: None,
        },
        period: None,
        currency: Some(Currency::parse(currency).unwrap()),
        members: None,
    })
}

/// Settings that score users so, in the place of others.
fn change(before: StoredSettings, scoring: Option<Scoring>) -> SettingsChange {
    SettingsChange {
        before,
        after: SegmentSettings {
            users: UserSettings {
                scoring,
                ..UserSettings::default()
            },
            ..SegmentSettings::default()
        },
        main: Currency::USD,
    }
}

/// The checks of the doors are repeated under the publisher's lock: what comes in between, as by two that are faster than each
/// other, is refused there.
#[test]
fn settings_and_segments_that_do_not_go_together_are_refused_under_the_lock() {
    block_on(async {
        let world = World::rich(65, SHAPE).await;
        let now = at("2026-07-01T00:00:00Z");
        let roubles = Thresholds {
            recency_days: [1, 2, 3, 4],
            actions: [1, 2, 3, 4],
            amounts_e4: [1, 2, 3, 4],
            currency: Currency::parse("RUB").unwrap(),
        };
        let note = || {
            Administrator::command_line(world.publishers[0].id, now)
                .note()
                .unwrap()
        };
        let written = async |change: SettingsChange| {
            let scope = world.write(0);
            set_segment_settings(&world.store, scope, change, (&["users"], &note()))
                .await
                .unwrap()
        };
        let stored = async || segment_settings(&world.tx(), world.read(0)).await.unwrap();
        let create = async |number: u128, currency: &str| {
            let order = Order::Create {
                segment: plain(number, Subject::Users),
                rule: champions(currency),
                given: "{}".to_owned(),
                members: None,
            };
            let scope = world.write(0);
            carry_out(world.store.clone(), scope, order, note())
                .await
                .unwrap()
        };

        assert!(create(1, "USD").await.is_ok());
        let none = StoredSettings::default();
        let refused = written(change(none, Some(Scoring::Thresholds(roubles)))).await;
        let Err(SettingsRefused::Unfit(unfit)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((unfit.len(), unfit[0].segment.as_str()), (1, "segment 1"));
        assert_eq!(
            unfit[0].problem.place,
            ["scoring", "thresholds", "currency"]
        );
        assert_eq!(stored().await, none);

        let archived = Order::Archive(Uuid::from_u128(1), None, now);
        let archived = carry_out(world.store.clone(), world.write(0), archived, note()).await;
        assert!(archived.unwrap().is_ok());
        assert_eq!(
            written(change(none, Some(Scoring::Thresholds(roubles)))).await,
            Ok(())
        );
        assert_eq!(
            written(change(none, None)).await,
            Err(SettingsRefused::Moved)
        );
        let refused = create(2, "USD").await;
        assert!(
            matches!(refused, Err(Refused::Unscored(Currency::USD, _))),
            "{refused:?}"
        );
        let fits = create(3, "RUB").await.unwrap();
        let update = Order::Update(Change {
            id: fits.id,
            expected: 1,
            name: None,
            description: None,
            rule: Some((champions("EUR"), "{}".to_owned())),
            now,
        });
        let refused = carry_out(world.store.clone(), world.write(0), update, note())
            .await
            .unwrap();
        assert!(matches!(refused, Err(Refused::Unscored(..))), "{refused:?}");
        assert_eq!(written(change(stored().await, None)).await, Ok(()));
        assert!(create(4, "EUR").await.is_ok());
    });
}

/// A preview of a segment's new rule says what `updateSegment` would: that it leads back, and that it is of another subject.
#[test]
fn a_preview_of_a_change_sees_what_the_change_would_be_refused_for() {
    block_on(async {
        let world = World::rich(66, SHAPE).await;
        let api = Api::of(&world, 0);
        let bottom = id_of(&api, "bottom", often(1)).await;
        let middle = id_of(&api, "middle", by(&bottom)).await;
        let top = id_of(&api, "top", by(&middle)).await;
        let other = id_of(&api, "other", often(2)).await;
        let query = "query($id: ID, $rule: SegmentRuleInput!) { it: previewSegment(segment: $id, rule: $rule) { size \
                     problems { field code message } } }";
        let preview = async |id: Option<&str>, rule: Value| {
            let variables = json!({ "id": id, "rule": rule });
            api.data(query, &variables).await["it"].take()
        };
        for (id, named) in [
            (&bottom, &top),
            (&bottom, &middle),
            (&middle, &top),
            (&top, &top),
        ] {
            let seen = preview(Some(id), by(named)).await;
            assert_eq!(seen["size"], Value::Null, "{seen:#}");
            let refused = changed(&api, id, by(named)).await;
            assert_eq!(seen["problems"], refused["userErrors"], "{seen:#}");
            let place = json!(["rule", "users", "segment", "in", "0"]);
            assert_eq!(seen["problems"][0]["field"], place, "{seen:#}");
            let message = seen["problems"][0]["message"].as_str().unwrap();
            assert!(
                message.contains("leads back to its own segment"),
                "{message}"
            );
        }
        // The same rules are those of any other segment.
        for (id, named) in [
            (None, &top),
            (Some(top.as_str()), &other),
            (Some(other.as_str()), &top),
        ] {
            let seen = preview(id, by(named)).await;
            assert_eq!(seen["problems"], json!([]), "{seen:#}");
            assert!(seen["size"].is_i64(), "{seen:#}");
        }
        let sold = json!({ "products": { "metric": { "metric": "UNITS", "atLeast": 2 } } });
        let seen = preview(Some(&other), sold.clone()).await;
        let refused = changed(&api, &other, sold).await;
        assert_eq!(seen["problems"], refused["userErrors"], "{seen:#}");
        assert_eq!(seen["problems"].as_array().unwrap().len(), 1, "{seen:#}");
        let variables = json!({ "id": "x", "rule": often(1) });
        let answer = api.answer(query, &variables).await;
        let error = &answer["errors"][0]["extensions"];
        assert_eq!(
            (&error["code"], &error["argument"]),
            (&json!("BAD_USER_INPUT"), &json!("segment"))
        );
    });
}

/// A list that is replaced every day has many versions: whoever asks for the rule, or for the latest, reads no others.
#[test]
fn of_many_versions_only_those_are_read_that_are_asked_for() {
    block_on(async {
        let world = World::rich(67, SHAPE).await;
        let api = Api::of(&world, 0);
        let id = id_of(&api, "kept daily", often(2)).await;
        let now = at("2026-06-01T00:00:00Z");
        for expected in 1..300 {
            let change = Order::Update(Change {
                id: Kind::Segment.key(&ID(id.clone())).unwrap(),
                expected,
                name: None,
                description: Some(format!("day {}", expected + 1)),
                rule: None,
                now,
            });
            let note = Administrator::command_line(world.publishers[0].id, now).note();
            let done = carry_out(world.store.clone(), world.write(0), change, note.unwrap()).await;
            assert!(done.unwrap().is_ok());
        }
        let _ = api.statements.take();
        let query = "query($id: ID!) { segment(id: $id) { rule versions(first: 2) { version description } } }";
        let seen = api.data(query, &json!({ "id": id })).await;
        let version =
            |number: i64| json!({ "version": number, "description": format!("day {number}") });
        assert_eq!(
            seen["segment"],
            json!({ "rule": often(2), "versions": [version(300), version(299)] })
        );
        let sent = api.statements.take();
        let of_given: Vec<&String> = sent.iter().filter(|sql| sql.contains("v.given")).collect();
        assert_eq!(of_given.len(), 1, "{sent:#?}");
        assert!(of_given[0].contains("v.version = t.version"), "{sent:#?}");

        let query = "query($id: ID!) { segment(id: $id) { earliest: versions(first: 3, before: 3) { version rule } \
                     none: versions(before: 1) { version } usual: versions { version } \
                     late: versions(first: 1, before: 1000) { version } } }";
        let seen = api.data(query, &json!({ "id": id })).await;
        let seen = &seen["segment"];
        assert_eq!(
            seen["earliest"],
            json!([{ "version": 2, "rule": often(2) }, { "version": 1, "rule": often(2) }])
        );
        assert_eq!(seen["none"], json!([]));
        assert_eq!(seen["late"], json!([{ "version": 300 }]));
        let usual = seen["usual"].as_array().unwrap();
        assert_eq!(
            (usual.len(), &usual[0], &usual[19]),
            (20, &json!({ "version": 300 }), &json!({ "version": 281 }))
        );
        let query = "query($id: ID!) { segment(id: $id) { versions(first: 101) { version } } }";
        let refused = api.answer(query, &json!({ "id": id })).await;
        let error = &refused["errors"][0]["extensions"];
        assert_eq!(
            (&error["code"], &error["argument"]),
            (&json!("LIMIT_EXCEEDED"), &json!("first")),
            "{refused:#}"
        );
    });
}
