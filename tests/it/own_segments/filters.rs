//! Segments in the filter of every question: each answers as with the members named by id, from columns in memory and from
//! SQL alike.

use super::api::id_of;
use super::built_in::world;
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::world::block_on;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every question that takes a filter on actions and sums up what it lets through.
const QUESTIONS: &[&str] = &[
    "userSegments(range: $range, filter: $f, first: 90) { nodes { kind country device size actions units orderAmount { amount \
     currency } reward { amount currency } users(first: 100) { nodes { user { id } actions recencyScore frequencyScore \
     monetaryScore } } topProducts(first: 5) { nodes { rank units product { id } } } } }",
    "productSegments(range: $range, filter: $f) { nodes { kind size units reward { amount currency } products(first: 100) { \
     nodes { units previousUnits lifetimeUnits approvalRate firstSoldAt product { id } } } } }",
    "userCohorts(range: $range, filter: $f, bucket: MONTH) { cohorts { size periods { users actions units reward { amount \
     currency } cumulativeRewardPerUser { amount currency } } } }",
    "userSegmentMovement(days: 60, filter: $f) { stayed moved entered left before { segment users } after { segment users } \
     steps(first: 40) { nodes { from to size users(first: 100) { nodes { user { id } } } } } }",
    "report(range: $range, filter: $f, groupBy: [COUNTRY, STATUS]) { totals { actions users } nodes { key { country status } \
     values { actions users units reward { amount currency } approvalRate } } }",
    "report(range: $range, filter: $f, groupBy: [PRODUCT], orderBy: [{metric: UNITS}]) { nodes { key { product { id } } \
     values { actions units reward { amount currency } } } }",
    "report(range: $range, filter: $f, bucket: WEEK, fillGaps: true) { nodes { time { from } values { actions users } } }",
    "report(range: $range, filter: $f, groupBy: [USER_AGE, USER_FREQUENCY]) { nodes { key { userAge userFrequency } values { \
     actions users } } }",
    "topSellingProducts(range: $range, filter: $f, first: 20) { nodes { rank units change { ratio } product { id } } }",
    "topSellingCategories(range: $range, filter: $f, first: 20) { nodes { rank units share category { id } } }",
    "actions(range: $range, filter: $f, first: 100) { totalCount totals { reward { amount currency } } nodes { id } }",
];

fn range() -> Value {
    json!({ "days": { "from": "2026-02-01", "to": "2026-06-30" } })
}

/// What a question answers, or its errors.
async fn answered(api: &Api, question: &str, filter: &Value) -> Value {
    let query = format!("query($range: RangeInput!, $f: ActionFilter) {{ it: {question} }}");
    // Not every question has a range.
    let query = if question.contains("$range") {
        query
    } else {
        query.replace("$range: RangeInput!, ", "")
    };
    let variables = json!({ "range": range(), "f": filter });
    api.data(&query, &variables).await["it"].take()
}

pub(super) async fn members(api: &Api, id: &str, of: &str) -> BTreeSet<String> {
    let query = format!(
        "query($id: ID!) {{ segment(id: $id) {{ size members(first: 100) {{ nodes {{ {of} {{ id }} }} }} }} }}"
    );
    let data = api.data(&query, &json!({ "id": id })).await;
    let nodes = data["segment"]["members"]["nodes"].as_array().unwrap();
    assert_eq!(data["segment"]["size"], nodes.len(), "a page holds all");
    let ids = nodes.iter().map(|node| node[of]["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// A filter by what it names, and the same by ids of members.
fn pairs(
    (users, buyers): (&str, &BTreeSet<String>),
    (products, sold): (&str, &BTreeSet<String>),
    (kind, built_in): (&Value, &BTreeSet<String>),
) -> Vec<(Value, Value)> {
    let of_user = |filter: Value| json!({ "user": filter });
    let of_product = |filter: Value| json!({ "items": { "some": { "product": filter } } });
    let by_id = |ids: &BTreeSet<String>| json!({ "id": { "in": ids } });
    let either = |one: Value, other: Value| json!({ "or": [one, other] });
    vec![
        (
            of_user(json!({ "segment": { "in": [users] } })),
            of_user(by_id(buyers)),
        ),
        (
            of_user(json!({ "segment": { "notIn": [users] } })),
            of_user(json!({ "not": by_id(buyers) })),
        ),
        (
            of_product(json!({ "segment": { "in": [products] } })),
            of_product(by_id(sold)),
        ),
        (
            of_user(json!({ "builtInSegment": kind })),
            of_user(by_id(built_in)),
        ),
        (
            either(
                of_user(json!({ "segment": { "in": [users] }, "builtInSegment": kind })),
                json!({ "not": of_product(json!({ "segment": { "in": [products] } })), "country": { "ne": "RU" } }),
            ),
            either(
                of_user(json!({ "and": [by_id(buyers), by_id(built_in)] })),
                json!({ "not": of_product(by_id(sold)), "country": { "ne": "RU" } }),
            ),
        ),
    ]
}

#[test]
fn every_question_takes_segments_and_columns_change_no_answer() {
    block_on(async {
        let world = world(seed() + 600).await;
        let sql = Api::of(&world, 0);
        let often = json!({ "users": { "rank": { "metric": "ACTIONS", "count": 4,
            "period": { "last": { "count": 120, "unit": "DAY" } } } } });
        let users = id_of(&sql, "Often", often).await;
        let sold = json!({ "products": { "rank": { "metric": "UNITS", "count": 3 } } });
        let products = id_of(&sql, "Most sold", sold).await;
        let kind =
            json!({ "kind": "RETURNING", "period": { "last": { "count": 100, "unit": "DAY" } } });
        let returning = id_of(&sql, "Back", json!({ "users": { "builtInSegment": kind } })).await;
        let buyers = members(&sql, &users, "user").await;
        let most_sold = members(&sql, &products, "product").await;
        let back = members(&sql, &returning, "user").await;
        assert!(buyers.len() > 1 && most_sold.len() == 3 && back.len() > 1 && back != buyers);
        let pairs = pairs((&users, &buyers), (&products, &most_sold), (&kind, &back));

        let world = world.in_columns().await;
        let columns = Api::of(&world, 0);
        let mut different = 0;
        for question in QUESTIONS {
            let all = answered(&sql, question, &Value::Null).await;
            for (named, listed) in &pairs {
                let expected = answered(&sql, question, listed).await;
                for (api, which) in [(&sql, "SQL"), (&columns, "columns")] {
                    let found = answered(api, question, named).await;
                    assert_eq!(found, expected, "{which}: {named}\n{question}");
                }
                let by_columns = answered(&columns, question, listed).await;
                assert_eq!(by_columns, expected, "columns: {listed}\n{question}");
                different += usize::from(expected != all);
            }
        }
        assert!(different > 30, "the filters say little: {different}");

        // It was columns that answered.
        for question in ["userSegments", "productSegments", "userCohorts"] {
            let query = format!(
                "query($range: RangeInput!, $f: ActionFilter) {{ {question}(range: $range, filter: $f) {{ info {{ source }} }} }}"
            );
            let variables = json!({ "range": range(), "f": pairs[0].0 });
            let data = columns.data(&query, &variables).await;
            assert_eq!(data[question]["info"]["source"], "COLUMNS", "{data:#}");
            let data = sql.data(&query, &variables).await;
            assert_ne!(data[question]["info"]["source"], "COLUMNS", "{data:#}");
        }
    });
}
