//! What operations cost.

use serde_json::{Value, json};

use async_graphql::{PathSegment, Value as ConstValue};

use super::super::{COST_EXCEEDED, Cost, DocumentLimits, Documents, Failed, LIMIT_EXCEEDED, Scan};

const SDL: &str = r#"
type Query {
  actions(first: Int = 20, last: Int): Actions
  segments(first: Int = 100): Segments
  plain: Actions
  nodes(ids: [ID!]!): [Node]!
  list: [Action!]
  limits: Limits!
  top(first: Int = 5): Top
}
type Limits { nodes: Int! depth: Int! }
type Top { nodes: [Item!]! hasMore: Boolean! }
type Actions { nodes: [Action!]! edges: [Edge!]! totals: [Money!]! totalCount: Int! pageInfo: PageInfo! }
type Edge { node: Action! cursor: String! }
type PageInfo { hasNextPage: Boolean! }
type Segments { nodes: [Segment!]! }
interface Node { id: ID! }
type Action implements Node { id: ID! items(first: Int = 10): Items reward: Money }
type Items { nodes: [Item!]! }
type Item { name: String reward: Money }
type Segment implements Node { id: ID! top(first: Int!): Actions }
type Money { amount: String }
"#;

fn cost(text: &str, variables: &Value) -> Cost {
    let documents = Documents::new(SDL, DocumentLimits::default()).unwrap();
    let variables = variables.as_object().unwrap();
    documents.prepare(text, None, variables).unwrap().cost
}

#[test]
fn pages_multiply_down_the_tree() {
    let none = json!({});
    for (text, nodes) in [
        ("{actions{nodes{id}}}", 20),
        ("{actions(first:7){nodes{id}}}", 7),
        ("{actions(last:9){edges{node{id}}}}", 9),
        ("{actions(first:7){edges{cursor} nodes{id}}}", 7),
        ("{actions(first:null){nodes{id}}}", 20),
        ("{plain{nodes{id}}}", 20),
        // What is asked of a connection but its entries costs nothing.
        (
            "{actions(first:100){totalCount totals{amount} pageInfo{hasNextPage}}}",
            0,
        ),
        (
            "{actions(first:10){nodes{items(first:5){nodes{name reward{amount}}}}}}",
            10 + 50,
        ),
        ("{actions(first:10){nodes{items{nodes{name}}}}}", 10 + 100),
        (
            "{segments{nodes{top(first:5){nodes{items(first:2){nodes{name}}}}}}}",
            100 + 500 + 1_000,
        ),
        (
            "{nodes(ids:[1,2,3]){id ...on Action{items(first:4){nodes{name}}}}}",
            3 + 12,
        ),
        ("{list{items{nodes{name}}}}", 10),
        // A field named `nodes` makes a connection only where it is a list, be there no `pageInfo`.
        ("{limits{nodes depth}}", 0),
        ("{limits{nodes} actions(first:3){nodes{id}}}", 3),
        ("{top{nodes{name} hasMore}}", 5),
        ("{top(first:3){nodes{name}}}", 3),
        ("{top(first:3){hasMore}}", 0),
        (
            "{a:actions(first:3){nodes{id}} b:actions(first:4){nodes{id}}}",
            7,
        ),
        // Merged fields count once, skipped ones not at all.
        (
            "{actions(first:3){nodes{id}} actions(first:3){nodes{reward{amount}}}}",
            3,
        ),
        ("{actions(first:3) @skip(if:true){nodes{id}}}", 0),
        (
            "{...F ...F} fragment F on Query{actions(first:3){...G}} fragment G on Actions{nodes{id}}",
            3,
        ),
        ("{actions(first:-5){nodes{id}}}", 0),
        ("{__schema{types{fields{name}}}}", 0),
    ] {
        assert_eq!(cost(text, &none).nodes, nodes, "{text}");
    }
}

#[test]
fn variables_count_with_their_values() {
    let text = "query($n:Int,$d:Int=4,$ids:[ID!]!,$on:Boolean!){
      a:actions(first:$n){nodes{id}} b:actions(first:$d){nodes{id}} nodes(ids:$ids){id} c:actions @include(if:$on){nodes{id}} }";
    let nodes = |variables: Value| cost(text, &variables).nodes;
    assert_eq!(
        nodes(json!({"n": 50, "d": 6, "ids": ["a", "b"], "on": false})),
        50 + 6 + 2
    );
    assert_eq!(nodes(json!({"ids": [], "on": true})), 20 + 4 + 20);
}

#[test]
fn too_much_is_refused_with_the_figures() {
    let documents = Documents::new(SDL, DocumentLimits::default()).unwrap();
    let at = |first: u64| {
        let text =
            format!("{{actions(first:100){{nodes{{items(first:{first}){{nodes{{name}}}}}}}}}}");
        documents.prepare(&text, None, &serde_json::Map::new())
    };
    assert_eq!(at(99).unwrap().cost.nodes, 10_000);
    let errors = at(100).unwrap_err();
    assert_eq!(errors[0].code, COST_EXCEEDED);
    assert_eq!(
        errors[0].message,
        "The operation could return 10100 nodes, the limit is 10000. Ask for smaller pages (first, last) or fewer lists inside lists."
    );
    // No product overflows, and a page larger than any is named before its rows are counted.
    let huge = "{segments(first:2147483647){nodes{top(first:2147483647){nodes{items(first:2147483647){nodes{name}}}}}}}";
    let errors = documents
        .prepare(huge, None, &serde_json::Map::new())
        .unwrap_err();
    assert_eq!(errors[0].code, LIMIT_EXCEEDED);
    let passed = errors[0].passed.as_ref().unwrap();
    assert_eq!(passed.coordinate.as_deref(), Some("Query.segments(first:)"));
    let endless = DocumentLimits {
        page: u64::MAX,
        ..DocumentLimits::default()
    };
    let errors = Documents::new(SDL, endless)
        .unwrap()
        .prepare(huge, None, &serde_json::Map::new())
        .unwrap_err();
    assert_eq!(errors[0].code, COST_EXCEEDED);
}

/// What columns look through for each object is paid for those that there were, and by the database once.
#[test]
fn what_is_looked_through_one_by_one_is_given_back() {
    const PRICED: &str = r#"
directive @cost(weight: String!) on FIELD_DEFINITION
directive @scanCost(weight: String!, inMemory: String, saved: Boolean, whole: Boolean) on FIELD_DEFINITION | ARGUMENT_DEFINITION
type Query { segments(first: Int): Segments @cost(weight: "0") }
type Segments { nodes: [Segment!] }
type Segment {
  size: Int @scanCost(weight: "100", inMemory: "2", saved: true)
  trend(range: Range @scanCost(weight: "100", inMemory: "3", saved: true, whole: true), bucket: Bucket): [Point!] @cost(weight: "0")
}
type Point { size: Int }
input Range { last: Last }
input Last { count: Int unit: Bucket }
enum Bucket { DAY MONTH }
"#;
    let documents = Documents::new(PRICED, DocumentLimits::default()).unwrap();
    let points = |text: &str, met: usize, is_held: bool| {
        let none = serde_json::Map::new();
        let prepared = documents.prepare(text, None, &none).unwrap();
        let plan = &prepared.plan;
        let price = |scan: &Scan| scan.price((1_000, u64::MAX), is_held);
        let node = json!({ "size": 1, "trend": [{ "size": 1 }] });
        let data = json!({ "segments": { "nodes": vec![node; met] } });
        let data = ConstValue::from_json(data).unwrap();
        let used = plan.used(&data, &Failed::default(), &price);
        (plan.requested(&price) / 1_000, used / 1_000)
    };
    let size = "{ segments(first: 10) { nodes { size } } }";
    assert_eq!(points(size, 4, true), (10 * 2 + 10, 4 * 2 + 4));
    assert_eq!(points(size, 0, true), (10 * 2 + 10, 0));
    assert_eq!(points(size, 4, false), (100 + 10, 100 + 4));
    let trend = "{ segments(first: 10) { nodes { trend(range: {last: {count: 4, unit: MONTH}}, bucket: MONTH) { size } } } }";
    assert_eq!(points(trend, 4, true), (10 * 5 * 3 + 10, 4 * 5 * 3 + 4));
    assert_eq!(points(trend, 4, false), (100 + 10, 100 + 4));
}

/// The database reads no more actions than reports may, where a field says so; columns in memory go through all of them.
#[test]
fn a_limit_on_actions_limits_their_price() {
    const PRICED: &str = r#"
directive @scanCost(weight: String!, inMemory: String, limited: Boolean) on FIELD_DEFINITION | ARGUMENT_DEFINITION
type Query {
  report(range: Int, groupBy: [By!], vanished: Boolean @scanCost(weight: "150", limited: true),
    segments: [ID!] @scanCost(weight: "40")): Int @scanCost(weight: "150", inMemory: "14", limited: true)
  top(range: Int): Int @scanCost(weight: "240")
}
enum By { STATUS PRODUCT }
"#;
    const LIMIT: u64 = 2_000_000;
    let documents = Documents::new(PRICED, DocumentLimits::default()).unwrap();
    let points = |text: &str, actions: u64, is_held: bool| {
        let variables = json!({ "by": ["PRODUCT"] });
        let document = format!(
            "query($by: [By!] = [STATUS]) {{ {text} all: report(groupBy: $by) @skip(if: true) }}"
        );
        let variables = variables.as_object().unwrap();
        let prepared = documents.prepare(&document, None, variables).unwrap();
        let price = |scan: &Scan| scan.price((actions, LIMIT), is_held);
        prepared.plan.requested(&price) / 1_000
    };
    let (below, at, above) = (LIMIT / 2, LIMIT, 10 * LIMIT);
    for (text, weight) in [
        ("report(range: 1)", 150),
        ("report(range: 1, vanished: true)", 300),
        ("report(range: 1, groupBy: [STATUS])", 150),
    ] {
        assert_eq!(points(text, below, false), weight * below / 1_000, "{text}");
        assert_eq!(points(text, at, false), weight * at / 1_000, "{text}");
        assert_eq!(
            points(text, above, false),
            points(text, at, false),
            "{text}"
        );
    }
    for (text, weight) in [
        ("top(range: 1)", 240),
        ("report(range: 1, groupBy: [STATUS, PRODUCT])", 150),
        ("report(range: 1, groupBy: PRODUCT, vanished: true)", 300),
        ("report(range: 1, groupBy: $by)", 150),
    ] {
        assert_eq!(points(text, above, false), weight * above / 1_000, "{text}");
    }
    // What is not limited beside it costs what it did.
    let both = "report(range: 1, vanished: true, segments: [1])";
    let expected = (300 * at + 40 * above) / 1_000;
    assert_eq!(points(both, above, false), expected);
    let held = 14 * above / 1_000;
    assert_eq!(points("report(range: 1)", above, true), held);
}

/// What ended in an error was looked through all the same; what is null without one was not.
#[test]
fn errors_bring_no_scan_back() {
    const PRICED: &str = r#"
directive @cost(weight: String!) on FIELD_DEFINITION
directive @scanCost(weight: String!) on FIELD_DEFINITION
type Query { top: Top @cost(weight: "5") @scanCost(weight: "100") other: Int @scanCost(weight: "1000") }
type Top { nodes: [Item!] }
type Item { name: String sales: Sales @cost(weight: "4") @scanCost(weight: "10") }
type Sales { units: Int }
"#;
    let documents = Documents::new(PRICED, DocumentLimits::default()).unwrap();
    let text = "{ top { nodes { name sales { units } } } other }";
    let prepared = documents
        .prepare(text, None, &serde_json::Map::new())
        .unwrap();
    let used = |data: Value, paths: &[&[&str]]| {
        let field = |name: &&str| PathSegment::Field((*name).to_owned());
        let paths: Vec<Vec<PathSegment>> = paths
            .iter()
            .map(|path| path.iter().map(field).collect())
            .collect();
        let failed = Failed::of(paths.iter().map(Vec::as_slice));
        let data = ConstValue::from_json(data).unwrap();
        prepared
            .plan
            .used(&data, &failed, &|scan| scan.price((1_000, u64::MAX), false))
            / 1_000
    };
    let item = json!({ "name": "x", "sales": { "units": 1 } });
    let without = json!({ "name": "x", "sales": null });
    let one = |item: &Value| json!({ "top": { "nodes": [item] }, "other": null });
    assert_eq!(used(one(&item), &[]), 5 + 100 + 1 + 4 + 10);
    assert_eq!(used(one(&without), &[]), 5 + 100 + 1);
    let sales: &[&str] = &["top", "nodes", "sales"];
    assert_eq!(used(one(&without), &[sales]), 5 + 100 + 1 + 4 + 10);
    let two = json!({ "top": { "nodes": [without, without] }, "other": null });
    assert_eq!(
        used(two, &[sales]),
        5 + 100 + 2 + 4 + 10,
        "a level is one statement"
    );
    let none = json!({ "top": null, "other": null });
    assert_eq!(used(none.clone(), &[]), 0);
    assert_eq!(
        used(none.clone(), &[&["top"]]),
        5 + 100,
        "nothing below it was begun"
    );
    assert_eq!(used(none.clone(), &[&["other"]]), 1_000);
    assert_eq!(used(none, &[sales]), 5 + 100 + 1 + 4 + 10);
    let hole = json!({ "top": { "nodes": [null] }, "other": null });
    assert_eq!(used(hole, &[sales]), 5 + 100 + 4 + 10);
    let all = 5 + 100 + 1 + 4 + 10 + 1_000;
    assert_eq!(used(Value::Null, &[&["other"]]), all);
}
