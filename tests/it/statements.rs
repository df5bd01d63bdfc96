//! Nested fields cost one statement per level, never one per row: each shape is asked with small and with large pages
//! and sends the same number of statements, every one of which names the publisher.

use crate::support::api::Api;
use crate::support::drafts::Shape;
use crate::support::statement::{of_anybody, tables};
use crate::support::world::{World, block_on};
use serde_json::json;

/// A shape: its name, how many statements it sends, the operation with `$first` as its page size.
const SHAPES: &[(&str, usize, &str)] = &[
    (
        "a page",
        1,
        "query($first: Int) { actions(first: $first) { nodes { orderId } } }",
    ),
    (
        "a page with its count",
        2,
        "query($first: Int) { actions(first: $first) { totalCount nodes { id } } }",
    ),
    (
        "a page with totals",
        2,
        "query($first: Int) { actions(first: $first) { totals { count reward { amount } } nodes { id } } }",
    ),
    (
        "a page with what it hangs on",
        4,
        "query($first: Int) { actions(first: $first) { nodes { program { name } adSpace { name } user { value } } } }",
    ),
    (
        "carts with products and categories",
        4,
        "query($first: Int) { actions(first: $first) { nodes { items { nodes { amount { amount } \
         product { name category { name } } } } } } }",
    ),
    (
        "carts under aliases and fragments",
        4,
        "query($first: Int) { actions(first: $first) { nodes { ...A b: items { nodes { product { url } } } } } } \
         fragment A on Action { a: items { nodes { product { name ... on Product { category { name } } } } } }",
    ),
    (
        "history",
        2,
        "query($first: Int) { actions(first: $first) { nodes { history { nodes { status } } } } }",
    ),
    (
        "users with their latest actions and carts",
        4,
        "query($first: Int) { users(first: $first) { nodes { actions(first: 3) { nodes { orderId \
         items(first: 2) { nodes { product { name } } } } } } } }",
    ),
    (
        "products with sales",
        2,
        "query($first: Int) { products(first: $first) { nodes { name \
         sales(range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}) { units reward { amount } } } } }",
    ),
    (
        "the category tree",
        3,
        "query($first: Int) { categories(first: $first, filter: {level: {eq: 1}}) { nodes { name \
         children { name products(first: 2) { nodes { name } } } } } }",
    ),
    (
        "top categories with products",
        7,
        "query($first: Int) { topSellingCategories(range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, \
         first: $first) { totals { units } nodes { rank share change { ratio } category { name } \
         products(first: 3) { nodes { units product { name } } } } } }",
    ),
    (
        "product segments with members",
        5,
        "query($first: Int) { productSegments(range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}) { nodes { \
         name size products(first: $first) { nodes { units product { name category { name } } } } } } }",
    ),
    (
        "user segments with top products and members",
        7,
        "query($first: Int) { userSegments(first: 40, range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}) { nodes { \
         name size topProducts(first: 3) { nodes { product { name category { name } } } } \
         users(first: $first) { nodes { user { value } } } } } }",
    ),
    (
        "users with their scores",
        4,
        "query($first: Int) { users(first: $first) { nodes { value rfm(range: {days: {from: \"2026-02-01\", \
         to: \"2026-06-30\"}}) { score segment amount { amount } } } } }",
    ),
    (
        "members of built-in segments, twice of one period",
        5,
        "query($first: Int) { users(first: $first, filter: {builtInSegment: {kind: NEW, \
         period: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}}}) { \
         nodes { value } } actions(first: $first, filter: {user: {builtInSegment: {kind: CHAMPIONS, \
         period: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}}}}) { nodes { orderId } } }",
    ),
    (
        "movement with its users",
        6,
        "query($first: Int) { userSegmentMovement(from: \"2026-04-01T00:00:00Z\", to: \"2026-06-01T00:00:00Z\", days: 60) { \
         entered left parameters { currency } steps(first: 50) { nodes { from to size users(first: $first) { nodes { \
         user { value } before { score } after { score } } } } } } }",
    ),
    (
        "cohorts",
        1,
        "{ userCohorts(range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, bucket: WEEK) { cohorts { size \
         periods { users share cumulativeRewardPerUser { amount } } } } }",
    ),
    (
        "cohorts of a filter",
        1,
        "{ userCohorts(range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, filter: {currency: {eq: \"USD\"}}) { \
         cohorts { size periods { users actions } } } }",
    ),
    (
        "a report from totals, with its keys",
        3,
        "query($first: Int) { report(first: $first, range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, \
         groupBy: [PROGRAM, AD_SPACE]) { nodes { filter values { actions } key { program { name } adSpace { name } } } } }",
    ),
    (
        "a report by products, with what it hangs on",
        5,
        "query($first: Int) { report(first: $first, range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, \
         groupBy: [PRODUCT]) { totalCount totals { units } nodes { filter values { units } share(of: UNITS) \
         change(of: UNITS) { ratio } key { product { name category { name } } } } } }",
    ),
    (
        "a report of everything by day",
        1,
        "query($first: Int) { report(first: $first, range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}, \
         bucket: DAY, timeZone: \"Asia/Kolkata\", fillGaps: true) { totalCount nodes { time { from } range filter \
         values { actions } running { actions } } } }",
    ),
    (
        "products with links",
        4,
        "query($first: Int) { products(first: $first) { nodes { name a: affiliateLink(country: \"DE\") { url explanation \
         program { name } adSpace { name } } b: affiliateLink(country: \"RU\") { url } } } }",
    ),
    (
        "ad spaces with their templates",
        4,
        "query($first: Int) { adSpaces(first: $first) { nodes { name deeplinks { base program { name } } } } }",
    ),
    (
        "top products among those that were chosen",
        4,
        "query($first: Int) { topSellingProducts(first: $first, products: {isPriority: {eq: false}}, range: {days: {from: \
         \"2026-02-01\", to: \"2026-06-30\"}}) { totalCount nodes { rank units change { ratio } product { name } } } }",
    ),
    (
        "traffic targets with all that is told of them",
        10,
        "query($first: Int) { trafficTargets(first: $first, minOrders: 1, range: {days: {from: \"2026-02-01\", \
         to: \"2026-06-30\"}}) { nodes { rank product { name } trend { ratio } availability commissionRate \
         reasons { text } affiliateLink { url explanation } } } }",
    ),
    (
        "imports with rejected records",
        2,
        "query($first: Int) { imports(first: $first) { nodes { name rejectedRecords { nodes { message } } } } }",
    ),
];

#[test]
fn a_shape_sends_the_same_number_of_statements_whatever_the_page() {
    block_on(async {
        let world = World::rich(
            7,
            Shape {
                drafts: 300,
                actions: 220,
                wild: false,
            },
        )
        .await;
        let api = Api::of(&world, 0);
        let mut wrong = Vec::new();
        for (name, expected, query) in SHAPES {
            for first in [2, 100] {
                let data = api.data(query, &json!({ "first": first })).await;
                let sent = api.statements.take();
                assert!(data.to_string().len() > 60, "{name}: the answer is empty");
                if sent.len() != *expected {
                    wrong.push(format!(
                        "{name}, first {first}: {} instead of {expected}\n  {}",
                        sent.len(),
                        sent.join("\n  ")
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn every_statement_names_the_publisher_for_every_table_it_reads() {
    block_on(async {
        let world = World::rich(
            8,
            Shape {
                drafts: 120,
                actions: 90,
                wild: false,
            },
        )
        .await;
        let api = Api::of(&world, 0);
        let mut seen = 0;
        for (name, _, query) in SHAPES {
            api.data(query, &json!({ "first": 5 })).await;
            for statement in api.statements.take() {
                seen += tables(&statement).len();
                let open = of_anybody(&statement);
                assert!(
                    open.is_empty(),
                    "{name}: nothing says whose rows {open:?} have:\n{statement}"
                );
            }
        }
        assert!(seen > 50, "{seen}");
    });
}
