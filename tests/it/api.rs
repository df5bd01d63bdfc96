//! What a caller of the API is promised beyond the sums: that answers come in time however a database plans, and that
//! freshness is honest.

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape};
use crate::support::world::{World, block_on};
use actiongraph::domain::draft::{Place, Reject, RejectReason};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::json;

/// The query that the product is judged by.
const MORNING: &str = include_str!("../fixtures/morning.graphql");

/// SQLite knows nothing of the data until `ANALYZE` ran. Looking up a cart by its product instead of its action would
/// then read all carts once for each action: hours, not milliseconds.
#[test]
fn sqlite_finds_carts_by_their_action_without_statistics() {
    block_on(async {
        let world = World::rich(
            5,
            Shape {
                drafts: 60,
                ..Shape::default()
            },
        )
        .await;
        if !world.url.starts_with("sqlite:") {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "plans are asked for past the room that opens connections"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let api = Api::of(&world, 0);
        let range = json!({ "days": { "from": "2026-01-01", "to": "2026-06-30" } });
        api.data(MORNING, &json!({ "range": range })).await;
        api.data(
            "query($range: RangeInput!) { actions(range: $range) { info { cartCoverage } } \
             topSellingProducts(range: $range, by: REWARD, currency: \"USD\") { totalCount nodes { rank } info { cartCoverage } } }",
            &json!({ "range": range }),
        )
        .await;
        let statements = api.statements.take();
        assert!(statements.iter().any(|sql| sql.contains("action_items")));
        for sql in statements {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let plan = Statement::from_string(DbBackend::Sqlite, plan);
            for row in db.query_all_raw(plan).await.unwrap() {
                let step: String = row.try_get("", "detail").unwrap();
                assert!(!step.contains("product_id>?"), "{step}\n{sql}");
            }
        }
    });
}

#[test]
fn what_brought_nothing_in_makes_no_data_fresher() {
    block_on(async {
        let world = World::new(1).await;
        let drafts = Maker::new(3, Shape::default()).drafts();
        world.apply(0, &drafts[..3]).await;
        let api = Api::of(&world, 0);
        let query = "{ freshness { lastSuccessAt newestDataAt lastRun { state counts { read rejected } } } }";
        let before = api.data(query, &json!({})).await;

        let error_page = Reject {
            place: Place {
                page: 1,
                ..Place::default()
            },
            reason: RejectReason::Malformed,
            field: None,
            message: "here stands an HTML document".to_owned(),
            raw: "<html>".to_owned(),
        };
        world.run(0, &[(&[], &[error_page])]).await;
        let after = api.data(query, &json!({})).await;
        let (before, after) = (&before["freshness"][0], &after["freshness"][0]);
        assert_eq!(after["lastRun"]["state"], "PARTIAL");
        assert_eq!(
            after["lastRun"]["counts"],
            json!({ "read": 1, "rejected": 1 })
        );
        assert_ne!(before["newestDataAt"], json!(null));
        for field in ["lastSuccessAt", "newestDataAt"] {
            assert_eq!(before[field], after[field], "{field}");
        }
    });
}

/// Nobody can keep to a limit that is not told.
#[test]
fn the_limits_that_are_told_are_the_ones_that_hold() {
    block_on(async {
        let world = World::new(1).await;
        let api = Api::of(&world, 0);
        let told = api
            .data(
                "{ limits { documentRepeats documentNesting nodes } }",
                &json!({}),
            )
            .await;
        let limit = |name: &str| usize::try_from(told["limits"][name].as_u64().unwrap()).unwrap();
        let repeated = |times: usize| {
            let fields: Vec<_> = (0..times).map(|n| format!("a{n}: __typename")).collect();
            format!("{{ {} }}", fields.join(" "))
        };
        let nested = |times: usize| {
            let (open, close) = ("[".repeat(times - 2), "]".repeat(times - 2));
            format!("{{ nodes(ids: {open}{close}) {{ id }} }}")
        };
        let ids = |count: usize| format!("{{ nodes(ids: {:?}) {{ id }} }}", vec!["x"; count]);
        let code = async |document: String| {
            let answer = api.answer(&document, &json!({})).await;
            answer["errors"][0]["extensions"]["code"].clone()
        };
        let exceeded = json!("LIMIT_EXCEEDED");
        let repeats = limit("documentRepeats");
        assert_eq!(code(repeated(repeats)).await, json!(null));
        assert_eq!(code(repeated(repeats + 1)).await, exceeded);
        let nesting = limit("documentNesting");
        assert_ne!(code(nested(nesting)).await, exceeded);
        assert_eq!(code(nested(nesting + 1)).await, exceeded);
        let nodes = limit("nodes");
        assert_eq!(code(ids(nodes)).await, json!(null));
        assert_eq!(code(ids(nodes + 1)).await, exceeded);
    });
}
