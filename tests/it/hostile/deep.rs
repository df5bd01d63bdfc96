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
    let depth = DEPTH.to_string();
    let segments = SEGMENTS.to_string();
    let server = alone(&[
        STACK,
        ("ACTIONGRAPH_MAX_FILTER_DEPTH", &depth),
        ("ACTIONGRAPH_MAX_SEGMENT_DEPTH", &segments),
    ])
    .await;
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

/// Segments that name each other, each as deep as it may be: evaluated inside each other.
#[tokio::test(flavor = "multi_thread")]
async fn segments_inside_segments_are_evaluated_on_the_stack_of_any_thread() {
    let depth = DEPTH.to_string();
    let segments = SEGMENTS.to_string();
    let server = alone(&[
        STACK,
        ("ACTIONGRAPH_MAX_FILTER_DEPTH", &depth),
        ("ACTIONGRAPH_MAX_SEGMENT_DEPTH", &segments),
        ("ACTIONGRAPH_MAX_SEGMENT_METRICS", "100"),
        ("ACTIONGRAPH_MAX_SEGMENT_CONDITIONS", "500"),
    ])
    .await;
    let beside = json!({"user": {"userSpace": {"eq": "x"}}});
    let mut innermost = rules().swap_remove(0).2;
    for number in 1..=SEGMENTS {
        let levels = DEPTH - 2;
        let rule = json!({"users": nesting(levels, &["or", "and", "not"], &beside, &innermost)});
        let name = format!("segment {number}");
        let variables = json!({"name": name, "rule": rule});
        let answer = answered(&server, &name, CREATE, &variables);
        let segment = &answer["data"]["createSegment"]["segment"];
        assert!(segment["size"].is_number(), "{name}: {answer}");
        let named = json!({"in": [segment["id"]]});
        let filter = json!({"user": {"segment": named}});
        let filter = nesting(
            DEPTH - 3,
            &["or", "not"],
            &json!({"country": {"eq": "PL"}}),
            &filter,
        );
        let answer = answered(&server, &name, ACTIONS, &json!({"filter": filter}));
        assert!(answer["errors"].is_null(), "{name}: {answer}");
        innermost = json!({"user": {"segment": named}});
    }
}
