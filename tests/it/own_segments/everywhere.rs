//! Built-in segments that are named directly, with no segment of one's own around them: as groups of a report and laid over
//! others. They have the members that `userSegments` and `productSegments` list.

use super::api::{id_of, often};
use super::built_in::{WRITES, listed_products, listed_users, period, set_rules, world};
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::world::block_on;
use actiongraph::domain::limits::Limits;
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Listed = (Value, BTreeSet<String>);

/// One as it is listed where segments are.
fn given(of_users: bool, condition: &Value) -> Value {
    let way = if of_users { "users" } else { "products" };
    json!({ way: condition })
}

/// A report by the segments has, in each group, exactly the actions of the members, and in the last those of nobody's.
async fn same_groups(api: &Api, listed: &[Listed], of_users: bool) -> usize {
    let (dimension, field) = if of_users {
        ("USER_SEGMENT", "builtInUserSegment")
    } else {
        ("PRODUCT_SEGMENT", "builtInProductSegment")
    };
    let kind = if of_users { "userKind" } else { "productKind" };
    let query = format!(
        "query($range: RangeInput!, $given: [BuiltInSegmentInput!]!) {{ report(range: $range, groupBy: [{dimension}], \
         builtInSegments: $given) {{ nodes {{ filter key {{ userSegment {{ id }} productSegment {{ id }} \
         {field} {{ {kind} name country device range }} }} values {{ actions users }} }} }} }}"
    );
    let range = json!({ "days": { "from": "2026-01-01", "to": "2026-12-31" } });
    let given_all: Vec<Value> = listed
        .iter()
        .map(|(condition, _)| given(of_users, condition))
        .collect();
    let variables = json!({ "range": range, "given": given_all });
    let data = api.data(&query, &variables).await;
    let rows = data["report"]["nodes"].as_array().unwrap();
    let mut met = 0;
    let mut everybody = BTreeSet::new();
    for (condition, members) in listed {
        everybody.extend(members.iter().cloned());
        let row = rows.iter().find(|row| {
            let named = &row["key"][field];
            let origin = |name: &str| named[name] == condition[name];
            named[kind] == condition["kind"] && origin("country") && origin("device")
        });
        let theirs = actions_of(api, &range, members, of_users).await;
        let Some(row) = row else {
            assert_eq!(theirs["totalCount"], 0, "{condition} {data:#}");
            continue;
        };
        met += 1;
        assert_eq!(
            row["values"]["actions"], theirs["totalCount"],
            "{condition} {row:#}"
        );
        assert_eq!(row["key"]["userSegment"], Value::Null);
        assert_eq!(row["key"]["productSegment"], Value::Null);
        assert!(
            row["key"][field]["range"]["between"]["from"].is_string(),
            "{row:#}"
        );
        same_by_filter(api, &range, row).await;
    }
    let nobody = rows.iter().find(|row| row["key"][field] == Value::Null);
    if let Some(row) = nobody {
        same_by_filter(api, &range, row).await;
        if of_users {
            let all = actions_of(api, &range, &everybody, of_users).await;
            let every = "query($range: RangeInput!) { actions(range: $range) { totalCount } }";
            let every = api.data(every, &json!({ "range": range })).await;
            let number = |value: &Value| value["totalCount"].as_i64().unwrap();
            assert_eq!(
                row["values"]["actions"],
                number(&every["actions"]) - number(&all),
                "{row:#}"
            );
        }
    }
    met
}

async fn actions_of(api: &Api, range: &Value, members: &BTreeSet<String>, of_users: bool) -> Value {
    let ids = json!({ "id": { "in": members } });
    let filter = if of_users {
        json!({ "user": ids })
    } else {
        json!({ "items": { "some": { "product": ids } } })
    };
    let query = "query($range: RangeInput!, $f: ActionFilter!) { actions(range: $range, filter: $f) { totalCount } }";
    let mut data = api
        .data(query, &json!({ "range": range, "f": filter }))
        .await;
    data["actions"].take()
}

/// The filter of a group lists its actions.
async fn same_by_filter(api: &Api, range: &Value, row: &Value) {
    let query = "query($range: RangeInput!, $f: ActionFilter!) { actions(range: $range, filter: $f) { totalCount } }";
    let variables = json!({ "range": range, "f": row["filter"] });
    let data = api.data(query, &variables).await;
    assert_eq!(
        data["actions"]["totalCount"], row["values"]["actions"],
        "{row:#}"
    );
}

/// Segments that are laid over each other share exactly the members that their lists share; one that someone defined lies
/// beside them.
async fn same_overlaps(
    api: &Api,
    listed: &[Listed],
    of_users: bool,
    defined: Option<&(String, BTreeSet<String>)>,
) {
    let query = "query($ids: [ID!], $given: [BuiltInSegmentInput!]) { segmentOverlap(ids: $ids, builtInSegments: $given) { \
                 segments { segment { id } builtIn { name subject } size onlyIn } \
                 pairs { one { id } oneBuiltIn { name } other { id } otherBuiltIn { name } both } union intersection } }";
    let ids: Option<Vec<&String>> = defined.map(|(id, _)| vec![id]);
    let given_all: Vec<Value> = listed
        .iter()
        .map(|(condition, _)| given(of_users, condition))
        .collect();
    let data = api
        .data(query, &json!({ "ids": ids, "given": given_all }))
        .await;
    let overlap = &data["segmentOverlap"];
    let own = defined.map(|(_, members)| members);
    let sets: Vec<&BTreeSet<String>> = own
        .into_iter()
        .chain(listed.iter().map(|(_, members)| members))
        .collect();
    let union: BTreeSet<&String> = sets.iter().copied().flatten().collect();
    let in_all = union
        .iter()
        .filter(|id| sets.iter().all(|set| set.contains(**id)));
    assert_eq!(overlap["intersection"], in_all.count(), "{data:#}");
    assert_eq!(overlap["union"], union.len(), "{data:#}");
    let segments = overlap["segments"].as_array().unwrap();
    assert_eq!(segments.len(), sets.len());
    for (place, (segment, members)) in segments.iter().zip(&sets).enumerate() {
        assert_eq!(segment["size"], members.len(), "{data:#}");
        let is_own = place < usize::from(defined.is_some());
        assert_eq!(segment["segment"].is_object(), is_own, "{data:#}");
        assert_eq!(segment["builtIn"].is_object(), !is_own, "{data:#}");
    }
    let mut pairs = overlap["pairs"].as_array().unwrap().iter();
    for (first, one) in sets.iter().enumerate() {
        for other in sets.iter().skip(first + 1) {
            let pair = pairs.next().unwrap();
            assert_eq!(pair["both"], one.intersection(other).count(), "{data:#}");
        }
    }
}

/// Asks a caller about a period in every way; gives how many groups of reports there were.
async fn compare(api: &Api, period: &Value, defined: Option<&(String, BTreeSet<String>)>) -> usize {
    let mut met = 0;
    let is_anybody = |listed: &Listed| listed.0["kind"] != "UNATTRIBUTED";
    let users: Vec<Listed> = listed_users(api, period)
        .await
        .into_iter()
        .filter(is_anybody)
        .collect();
    let products = listed_products(api, period).await;
    for (listed, of_users) in [(&users, true), (&products, false)] {
        for some in listed.chunks(20) {
            met += same_groups(api, some, of_users).await;
        }
        for some in listed.chunks(4).filter(|some| some.len() > 1) {
            let defined = defined.filter(|_| of_users);
            same_overlaps(api, some, of_users, defined).await;
        }
    }
    met
}

#[test]
fn groups_and_overlaps_have_the_members_that_are_listed() {
    block_on(async {
        let mut dice = Dice::new(seed() + 3);
        let mut met = 0;
        for round in 0..2 {
            let mut world = world(seed() + 300 + round).await;
            if round == 1 {
                world = world.in_columns().await;
            }
            let api = Api::of(&world, 0).allowed(WRITES);
            set_rules(&api, 0, &mut dice).await;
            let id = id_of(&api, "Twice", often(2)).await;
            let query = "query($id: ID!) { segment(id: $id) { members(first: 100) { nodes { user { id } } } } }";
            let data = api.data(query, &json!({ "id": id })).await;
            let nodes = data["segment"]["members"]["nodes"].as_array().unwrap();
            let members = nodes
                .iter()
                .map(|node| node["user"]["id"].as_str().unwrap().to_owned());
            let defined = (id, members.collect::<BTreeSet<String>>());
            assert!(!defined.1.is_empty());
            for _ in 0..2 {
                met += compare(&api, &period(&mut dice), Some(&defined)).await;
            }
        }
        assert!(met > 30, "{met}");
    });
}

/// A key with limits divides what it sees.
#[test]
fn walls_stand_before_them() {
    block_on(async {
        let world = world(seed() + 310).await;
        // As after an import: without statistics PostgreSQL takes a loop inside a loop for one of a few rows.
        world.store.analyze().await.unwrap();
        for limits in [
            Limits {
                ad_spaces: Some(vec!["501".to_owned()]),
                ..Limits::default()
            },
            Limits {
                last_days: Some(90),
                ..Limits::default()
            },
        ] {
            let api = Api::limited(&world, 0, limits);
            let period = json!({ "last": { "count": 150, "unit": "DAY" } });
            assert!(compare(&api, &period, None).await > 3);
        }
    });
}

#[test]
fn they_are_refused_at_their_places() {
    block_on(async {
        let world = world(seed() + 320).await;
        let api = Api::of(&world, 0);
        let month = json!({ "last": { "count": 30, "unit": "DAY" } });
        let new = json!({ "users": { "kind": "NEW", "period": month } });
        let rising = json!({ "products": { "kind": "RISING", "period": month } });
        let days = |count: usize| json!({ "users": { "kind": "NEW", "period": { "last": { "count": count, "unit": "DAY" } } } });
        let report = "query($given: [BuiltInSegmentInput!]!) { it: report(range: {last: {count: 30, unit: DAY}}, \
                      groupBy: [USER_SEGMENT], builtInSegments: $given) { nodes { values { actions } } } }";
        let overlap = "query($given: [BuiltInSegmentInput!]!) { it: segmentOverlap(builtInSegments: $given) { union } }";
        let country = json!({ "users": { "kind": "COUNTRY", "period": month } });
        let many: Vec<Value> = (1..=21).map(days).collect();
        for (query, given, code, argument) in [
            (
                report,
                json!([new, new]),
                "BAD_USER_INPUT",
                "builtInSegments.1",
            ),
            (
                report,
                json!([new, country]),
                "BAD_USER_INPUT",
                "builtInSegments.1.users.country",
            ),
            (report, json!([new, rising]), "BAD_USER_INPUT", "segments"),
            (report, json!([]), "BAD_USER_INPUT", "segments"),
            (report, json!(many), "LIMIT_EXCEEDED", "segments"),
            (
                overlap,
                json!([new, rising]),
                "BAD_USER_INPUT",
                "builtInSegments.1",
            ),
            (overlap, json!([new]), "BAD_USER_INPUT", "ids"),
        ] {
            let answer = api.answer(query, &json!({ "given": given })).await;
            let error = &answer["errors"][0]["extensions"];
            assert_eq!(
                (&error["code"], &error["argument"]),
                (&json!(code), &json!(argument)),
                "{given} {answer:#}"
            );
        }
        let others = "query($given: [BuiltInSegmentInput!]!) { it: report(range: {last: {count: 30, unit: DAY}}, \
                      groupBy: [USER_SEGMENT], builtInSegments: $given) { others { actions } } }";
        let answer = api
            .answer(others, &json!({ "given": [days(3), days(4)] }))
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{answer:#}"
        );
    });
}

/// As of a day they have the members of that day.
#[test]
fn overlaps_are_as_of_a_day() {
    block_on(async {
        let world = world(seed() + 330).await;
        let api = Api::of(&world, 0);
        let near = json!({ "last": { "count": 40, "unit": "DAY" } });
        let range =
            json!({ "between": { "from": "2026-04-01T00:00:00Z", "to": "2026-05-11T00:00:00Z" } });
        let then = listed_users(&api, &range).await;
        let size_of = |kind: &str| {
            let listed = then.iter().find(|(condition, _)| condition["kind"] == kind);
            listed.unwrap().1.len()
        };
        let query = "query($given: [BuiltInSegmentInput!]!) { segmentOverlap(builtInSegments: $given, \
                     asOf: \"2026-05-11T00:00:00Z\") { intersection segments { size builtIn { userKind range } } } }";
        let kinds = ["NEW", "RETURNING"];
        let given = kinds.map(|kind| json!({ "users": { "kind": kind, "period": near } }));
        let data = api.data(query, &json!({ "given": given })).await;
        let overlap = &data["segmentOverlap"];
        assert_eq!(overlap["intersection"], 0, "nobody is both: {data:#}");
        for (segment, kind) in overlap["segments"].as_array().unwrap().iter().zip(kinds) {
            assert_eq!(segment["builtIn"]["userKind"], kind);
            assert_eq!(segment["size"], size_of(kind), "{data:#}");
            let between = &segment["builtIn"]["range"]["between"];
            assert_eq!(between["to"], "2026-05-11T00:00:00Z", "{data:#}");
        }
        assert!(size_of("NEW") + size_of("RETURNING") > 3);
    });
}
