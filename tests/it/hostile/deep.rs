//! Filters and rules nest as deep as any setting allows, on the stack that threads of a server have: what overflows it
//! ends the server for everybody.

use serde_json::{Value, json};

use super::refused::{Alone, alone};
use super::{checked, raw, with_body};

/// The stack of a thread where nothing else is said, in bytes, as a variable of the environment.
const STACK: (&str, &str) = ("RUST_MIN_STACK", "2097152");

/// The most that `max_filter_depth` can be.
const DEPTH: usize = 24;

/// The most that `max_segment_depth` can be.
const SEGMENTS: usize = 10;

/// A server whose filters and segments may nest so deep.
async fn with_depths(filters: usize, segments: usize) -> Alone {
    let (filters, segments) = (filters.to_string(), segments.to_string());
    alone(&[
        STACK,
        ("ACTIONGRAPH_MAX_FILTER_DEPTH", &filters),
        ("ACTIONGRAPH_MAX_SEGMENT_DEPTH", &segments),
        ("ACTIONGRAPH_MAX_SEGMENT_METRICS", "100"),
        ("ACTIONGRAPH_MAX_SEGMENT_CONDITIONS", "500"),
    ])
    .await
}

fn answered(server: &Alone, name: &str, text: &str, variables: &Value) -> Value {
    let body = json!({"query": text, "variables": variables}).to_string();
    checked(name, &raw(server, &with_body(server, body.as_bytes()))).1
}

/// An innermost condition inside so many others, which are put around it by these words in turn.
fn nesting(levels: usize, by: &[&str], beside: &Value, innermost: &Value) -> Value {
    let mut filter = beside.clone();
    let fields = innermost.as_object().unwrap().clone();
    filter.as_object_mut().unwrap().extend(fields);
    for word in by.iter().cycle().take(levels) {
        let inner = match *word {
            "not" => filter,
            _ => json!([filter, beside]),
        };
        filter = beside.clone();
        filter[*word] = inner;
    }
    filter
}

const ACTIONS: &str = "query($filter: ActionFilter) { actions(filter: $filter, first: 1) { totalCount nodes { id } } \
     topSellingProducts(by: UNITS, filter: $filter, range: {last: {count: 30, unit: DAY}}, first: 1) { nodes { units } } }";

const PREVIEW: &str = "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule, sampleSize: 1) { size \
     problems { message } } }";

const CREATE: &str = "mutation($name: String!, $rule: SegmentRuleInput!) { createSegment(name: $name, rule: $rule) { \
     segment { id size } userErrors { message } } }";

/// Rules of users whose innermost parts have so many levels of their own.
fn rules() -> Vec<(&'static str, usize, Value)> {
    let period = json!({"last": {"count": 90, "unit": "DAY"}});
    let built_in = json!({"kind": "NEW", "period": period});
    let items = json!({"some": {"units": {"gt": 1}, "product": {
        "name": {"in": ["Lamp"]},
        "category": {"name": {"in": ["Food", "Home"]}, "level": {"eq": 1}}
    }}});
    let metric = json!({"metric": "ACTIONS", "atLeast": 1, "period": period, "actions": {
        "country": {"in": ["PL", "DE"]}, "items": items}});
    vec![
        (
            "a built-in segment",
            1,
            json!({"user": {"firstSeenAt": {"gte": "2025-01-01T00:00:00Z"}, "builtInSegment": built_in}}),
        ),
        ("a metric", 4, json!({"metric": metric})),
        (
            "a rank",
            4,
            json!({"rank": {"metric": "UNITS", "count": 5, "period": period, "items": {
            "product": {"category": {"or": [{"level": {"eq": 1}}]}}}}}),
        ),
    ]
}

const BY: [&[&str]; 4] = [&["or"], &["and"], &["not"], &["or", "and", "not"]];

#[tokio::test(flavor = "multi_thread")]
async fn what_nests_as_deep_as_it_may_is_answered_on_the_stack_of_any_thread() {
    let server = with_depths(DEPTH, SEGMENTS).await;
    let plain = json!({"country": {"eq": "PL"}});
    let items = json!({"items": {"some": {"product": {"category": {"name": {"eq": "Food"}}}}}});
    for by in BY {
        for (levels, is_allowed) in [(DEPTH - 4, true), (DEPTH - 3, false), (40, false)] {
            let name = format!("actions, {by:?}, {levels} levels");
            let filter = nesting(levels, by, &plain, &items);
            let answer = answered(&server, &name, ACTIONS, &json!({"filter": filter}));
            assert_eq!(answer["errors"].is_null(), is_allowed, "{name}: {answer}");
        }
        let beside = json!({"clickCountry": {"eq": "PL"}});
        for (what, own, innermost) in rules() {
            for (levels, is_allowed) in [(DEPTH - own - 1, true), (DEPTH - own, false), (40, false)]
            {
                let name = format!("{what}, {by:?}, {levels} levels");
                let rule = json!({"users": nesting(levels, by, &beside, &innermost)});
                let answer = answered(&server, &name, PREVIEW, &json!({"rule": rule}));
                let is_right = answer["data"]["previewSegment"]["problems"] == json!([]);
                assert_eq!(is_right, is_allowed, "{name}: {answer}");
            }
        }
    }
}

/// Creates segments that name each other, each as deep as it may be, and asks for what each of the users in it did. What
/// was answered to all that.
async fn chained(depth: usize, segments: usize) -> Vec<Value> {
    let server = with_depths(depth, segments).await;
    let beside = json!({"user": {"userSpace": {"eq": "x"}}});
    let mut innermost = rules().swap_remove(0).2;
    let mut answers = Vec::new();
    for number in 1..=segments {
        let by = ["or", "and", "not"];
        let rule = json!({"users": nesting(depth - 2, &by, &beside, &innermost)});
        let name = format!("segment {number} of {depth} levels");
        let created = answered(&server, &name, CREATE, &json!({"name": name, "rule": rule}));
        let id = &created["data"]["createSegment"]["segment"]["id"];
        assert!(id.is_string(), "{name}: {created}");
        let named = json!({"in": [id]});
        let filter = json!({"user": {"segment": named}});
        let filter = nesting(
            depth - 3,
            &["or", "not"],
            &json!({"country": {"eq": "PL"}}),
            &filter,
        );
        let asked = answered(&server, &name, ACTIONS, &json!({"filter": filter}));
        answers.extend([created, asked]);
        innermost = json!({"user": {"segment": named}});
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_inside_segments_are_evaluated_on_the_stack_of_any_thread() {
    for answer in chained(12, 5).await {
        assert!(answer["errors"].is_null(), "{answer}");
    }
}

/// The highest settings together allow more than databases do: that is said, and the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_nests_deeper_than_a_database_takes_is_refused() {
    for answer in chained(DEPTH, SEGMENTS).await {
        for error in answer["errors"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED", "{answer}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("write them flatter"), "{answer}");
        }
    }
}
