//! What a caller of the API is promised beyond the sums: that answers come in time however a database plans, and that
//! freshness is honest.

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::world::{World, block_on};
use actiongraph::domain::action::Status;
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

/// A number of nodes is no page of nodes.
#[test]
fn telling_the_limits_is_no_page_of_rows() {
    block_on(async {
        let world = World::new(1).await;
        let api = Api::of(&world, 0);
        let answer = api.answer("{ limits { nodes } }", &json!({})).await;
        assert_eq!(answer["extensions"]["cost"]["rows"], 0);
        assert_eq!(answer["extensions"]["cost"]["requestedQueryCost"], 1);
        assert!(answer["data"]["limits"]["nodes"].as_u64() > Some(0));
    });
}

/// A currency that changes nothing about an answer would make it look like one in that currency.
#[test]
fn a_ranking_by_counts_refuses_a_currency() {
    block_on(async {
        let world = World::new(1).await;
        let drafts = Maker::new(3, Shape::default()).drafts();
        world.apply(0, &drafts[..20]).await;
        let api = Api::of(&world, 0);
        let range = json!({ "days": { "from": "2026-01-01", "to": "2026-06-30" } });
        let ranked = async |field: &str, by: &str, currency: &str| {
            let asked = match field {
                "topProducts" => format!(
                    "userSegments(range: $range) {{ nodes {{ topProducts(by: {by}{currency}) {{ hasMore }} }} }}"
                ),
                root => format!("{root}(range: $range, by: {by}{currency}) {{ totalCount }}"),
            };
            let query = format!("query($range: RangeInput!) {{ {asked} }}");
            let answer = api.answer(&query, &json!({ "range": range })).await;
            answer["errors"][0].clone()
        };
        for field in ["topSellingProducts", "topSellingCategories", "topProducts"] {
            for by in ["UNITS", "ACTIONS"] {
                let refused = ranked(field, by, ", currency: \"RUB\"").await;
                assert_eq!(refused["extensions"]["code"], "BAD_USER_INPUT", "{field}");
                assert_eq!(refused["extensions"]["argument"], "currency", "{field}");
                let message = refused["message"].as_str().unwrap();
                assert!(message.contains("ORDER_AMOUNT or REWARD"), "{message}");
                assert_eq!(ranked(field, by, "").await, json!(null), "{field} by {by}");
                let none = ranked(field, by, ", currency: null").await;
                assert_eq!(none, json!(null), "{field} by {by}");
            }
            for by in ["ORDER_AMOUNT", "REWARD"] {
                let ranked = ranked(field, by, ", currency: \"RUB\"").await;
                assert_eq!(ranked, json!(null), "{field} by {by}");
            }
        }
    });
}

/// Values that no scalar takes are refused before execution, and the argument that holds them is named.
#[test]
fn a_refused_value_names_its_argument() {
    block_on(async {
        let world = World::new(1).await;
        let api = Api::of(&world, 0);
        let days = json!({ "days": { "from": "2026-02-30", "to": "2026-03-01" } });
        for (query, variables, argument) in [
            (
                "{ actions(first: 1, filter: {country: {eq: \"RUS\"}}) { totalCount } }",
                json!({}),
                "filter",
            ),
            (
                "query($c: CountryCode) { actions(filter: {country: {eq: $c}}) { totalCount } }",
                json!({ "c": "RUS" }),
                "filter",
            ),
            (
                "query($r: RangeInput!) { ...F } fragment F on Query { actions { nodes { id } } \
                 top: topSellingProducts(first: 1, range: $r) { totalCount } }",
                json!({ "r": days }),
                "range",
            ),
            (
                "{ viewer { publisher { name } } actions(timeZone: \"Mars/Base\") { totalCount } }",
                json!({}),
                "timeZone",
            ),
        ] {
            let answer = api.answer(query, &variables).await;
            assert_eq!(answer.get("data"), None, "{answer:#}");
            let extensions = &answer["errors"][0]["extensions"];
            assert_eq!(extensions["code"], "BAD_USER_INPUT", "{answer:#}");
            assert_eq!(extensions["argument"], argument, "{answer:#}");
        }
    });
}

/// An action is overdue when it is on hold past its program's hold time: 30 days in the shipped catalogue, unless the
/// network names another.
#[test]
fn actions_on_hold_past_their_programs_hold_time_are_overdue() {
    block_on(async {
        let world = World::new(1).await;
        let mut drafts = Maker::new(
            3,
            Shape {
                wild: false,
                ..Shape::default()
            },
        )
        .drafts();
        drafts.truncate(6);
        // The present is 1 July: 30 days before it is 1 June.
        let cases = [
            ("late", "25179", Status::Pending, "2026-05-31T23:59:59Z"),
            ("in time", "25179", Status::Pending, "2026-06-01T00:00:00Z"),
            ("done", "25179", Status::Approved, "2026-02-01T00:00:00Z"),
            (
                "nobody knows",
                "6115",
                Status::Pending,
                "2026-01-01T00:00:00Z",
            ),
            ("longer", "14289", Status::Pending, "2026-05-31T00:00:00Z"),
            ("too long", "14289", Status::Pending, "2026-05-01T00:00:00Z"),
        ];
        for (draft, (id, program, status, ordered_at)) in drafts.iter_mut().zip(cases) {
            draft.external_id = id.to_owned();
            draft.program.external_id = Some(program.to_owned());
            draft.standing.status = status;
            draft.standing.ordered_at = at(ordered_at);
        }
        world.apply(0, &drafts).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "what a sync learns of a program is put there by hand"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        db.execute_unprepared(
            "UPDATE programs SET hold_days = 20, max_hold_days = 45 WHERE catalog_key = 'aliexpress-tr'",
        )
        .await
        .unwrap();
        let api = Api::of(&world, 0);
        let asked =
            "{ nodes { externalId overdue holdEndsAt program { holdDays holdLimitDays } } }";
        let data = api
            .data(
                &format!(
                    "{{ late: actions(filter: {{overdue: true}}, orderBy: [{{field: ORDERED_AT, direction: ASC}}]) {asked} \
                     rest: actions(filter: {{overdue: false}}) {{ totalCount nodes {{ overdue }} }} \
                     no: actions(filter: {{externalId: {{eq: \"nobody knows\"}}}}) {asked} }}"
                ),
                &json!({}),
            )
            .await;
        assert_eq!(
            data["late"]["nodes"],
            json!([
                { "externalId": "too long", "overdue": true, "holdEndsAt": "2026-06-15T00:00:00Z",
                  "program": { "holdDays": 20, "holdLimitDays": 45 } },
                { "externalId": "late", "overdue": true, "holdEndsAt": "2026-06-30T23:59:59Z",
                  "program": { "holdDays": 30, "holdLimitDays": 30 } },
            ])
        );
        assert_eq!(data["rest"]["totalCount"], 4);
        let overdue: Vec<_> = data["rest"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["overdue"].clone())
            .collect();
        assert_eq!(overdue, vec![json!(false); 4]);
        assert_eq!(
            data["no"]["nodes"],
            json!([{ "externalId": "nobody knows", "overdue": false, "holdEndsAt": null,
                     "program": { "holdDays": null, "holdLimitDays": null } }])
        );
    });
}
