//! The ledger: what an import of adjustments leaves, what repeated, corrected and late ones change, and what the API
//! answers of it. Not here: what the lines of a file mean (`ingest::ledger`).

use crate::support::api::Api;
use crate::support::drafts::{at, sale};
use crate::support::world::{World, block_on};
use actiongraph::domain::action::Status;
use actiongraph::domain::draft::{ActionDraft, AdSpaceRef};
use actiongraph::domain::ledger::Balance;
use actiongraph::domain::money::Currency;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::adjustments::{LedgerOptions, import_ledger};
use actiongraph::ingest::pipeline::ImportReport;
use actiongraph::store::apply::ledger::write_balances;
use entity::{action, adjustment, import_run};
use serde_json::{Value, json};
use std::io::Write as _;

/// Imports a ledger that was taken at `as_of`.
async fn import(world: &World, place: usize, text: &str, as_of: &str) -> ImportReport {
    try_import(world, place, text.as_bytes(), as_of)
        .await
        .unwrap()
}

async fn try_import(
    world: &World,
    place: usize,
    bytes: &[u8],
    as_of: &str,
) -> actiongraph::domain::error::Result<ImportReport> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let options = LedgerOptions {
        name: "ledger.csv".to_owned(),
        account: "admitad".to_owned(),
        as_of: Some(at(as_of)),
        offset_minutes: 180,
    };
    let now = || at("2026-06-30T00:00:00Z");
    import_ledger(
        &world.store,
        world.write(place),
        file.path(),
        &options,
        &now,
    )
    .await
}

async fn rows(world: &World) -> Vec<adjustment::Model> {
    let mut rows = world.rows::<adjustment::Entity>(0).await;
    for row in &mut rows {
        // Runs have ids of their own.
        row.run_id = uuid::Uuid::nil();
    }
    rows
}

fn counts(report: &ImportReport) -> (u64, u64, u64, u64, u64, u64) {
    (
        report.read,
        report.inserted,
        report.updated,
        report.unchanged,
        report.stale,
        report.rejected,
    )
}

const HEAD: &str = "date,kind,amount,currency,reference,comment,program,ad_space\n";
const FIRST: &str = "2026-03-05,Payout,100,USD,P-1,,,\n\
                     2026-03-06,Antispam deduction,10.50,USD,,for March,AliExpress WW,My blog\n\
                     2026-03-06,Antispam deduction,10.50,USD,,for March,AliExpress WW,My blog\n\
                     2026-03-07,Fine,2,RUB,F-1,,Some shop,\n\
                     2026-03-08,Payment for action ID 1,5,USD,,,,\n\
                     2026-03-09,Weather,5,USD,,,,\n";

#[test]
fn equal_lines_are_two_and_the_same_file_again_changes_nothing() {
    block_on(async {
        let world = World::new(1).await;
        let text = format!("{HEAD}{FIRST}");
        let report = import(&world, 0, &text, "2026-04-01T00:00:00Z").await;
        assert_eq!(counts(&report), (6, 4, 0, 1, 0, 1));
        let stored = rows(&world).await;
        assert_eq!(stored.len(), 4);
        let deducted: i64 = stored
            .iter()
            .filter(|row| row.kind == "DEDUCTION")
            .map(|row| row.amount_e4)
            .sum();
        assert_eq!(deducted, -210_000, "both of two equal lines");

        let again = import(&world, 0, &text, "2026-04-01T00:00:00Z").await;
        assert_eq!(counts(&again), (6, 0, 0, 5, 0, 1));
        assert_eq!(rows(&world).await, stored);
        // Another file that overlaps with it, in another order.
        let lines: Vec<&str> = FIRST.lines().rev().collect();
        let overlapping = format!("{HEAD}{}\n2026-03-10,Bonus,1,USD,,,,\n", lines.join("\n"));
        let more = import(&world, 0, &overlapping, "2026-04-01T00:00:00Z").await;
        assert_eq!(counts(&more), (7, 1, 0, 5, 0, 1));
        assert_eq!(rows(&world).await.len(), 5);

        let runs = world.rows::<import_run::Entity>(0).await;
        let mut told: Vec<_> = runs
            .iter()
            .map(|run| {
                (
                    run.entrance.as_str(),
                    run.state.as_str(),
                    run.read_count,
                    run.rejected_count,
                )
            })
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                ("ADJUSTMENTS", "PARTIAL", 6, 1),
                ("ADJUSTMENTS", "PARTIAL", 6, 1),
                ("ADJUSTMENTS", "PARTIAL", 7, 1)
            ]
        );
        assert!(
            world.rows::<action::Entity>(0).await.is_empty(),
            "never actions"
        );
    });
}

#[test]
fn a_corrected_line_replaces_the_wrong_one_whatever_comes_first() {
    block_on(async {
        let wrong =
            format!("{HEAD}2026-03-07,Fine,2,USD,F-1,wrong,,\n2026-03-07,Fine,9,USD,F-2,,,\n");
        let right = format!("{HEAD}2026-03-08,Fine,3,USD,F-1,right,,My blog\n");
        let (early, late) = ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z");
        let mut found = Vec::new();
        for order in [[0, 1], [1, 0]] {
            let world = World::new(1).await;
            let mut reports = Vec::new();
            for input in order {
                let (text, taken) = [(&wrong, early), (&right, late)][input];
                reports.push(counts(&import(&world, 0, text, taken).await));
            }
            found.push((rows(&world).await, reports));
        }
        let (one, reports) = &found[0];
        assert_eq!(reports, &[(2, 2, 0, 0, 0, 0), (1, 0, 1, 0, 0, 0)]);
        assert_eq!(found[1].1, [(1, 1, 0, 0, 0, 0), (2, 1, 0, 0, 1, 0)]);
        assert_eq!(one, &found[1].0, "any order ends in one content");
        let fine = one
            .iter()
            .find(|row| row.external_reference.as_deref() == Some("F-1"))
            .unwrap();
        assert_eq!(
            (fine.amount_e4, fine.comment.as_deref()),
            (-30_000, Some("right"))
        );
    });
}

#[test]
fn what_cannot_be_read_to_its_end_leaves_nothing_but_a_failed_run() {
    block_on(async {
        let world = World::new(1).await;
        let text = format!("{HEAD}{FIRST}");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let whole = try_import(&world, 0, &packed, "2026-04-01T00:00:00Z").await;
        assert_eq!(whole.unwrap().inserted, 4);

        let world = World::new(1).await;
        for bytes in [&packed[..packed.len() - 12], b"no,table\n1,2\n", b""] {
            let error = try_import(&world, 0, bytes, "2026-04-01T00:00:00Z").await;
            assert!(error.is_err(), "{bytes:?}");
        }
        assert!(rows(&world).await.is_empty());
        let runs = world.rows::<import_run::Entity>(0).await;
        assert_eq!(runs.len(), 3);
        assert!(
            runs.iter()
                .all(|run| run.state == "FAILED" && run.error.is_some()),
            "{runs:?}"
        );
    });
}

/// An action of AliExpress WW that was ordered at a time.
fn draft(external_id: &str, ordered: &str) -> ActionDraft {
    let mut draft = sale(external_id, at(ordered));
    draft.standing.status = Status::Approved;
    draft.standing.raw_status = "approved".to_owned();
    draft.standing.processed = true;
    draft.standing.reward_e4 = 0;
    draft
}

fn actions(ordered: &str) -> Vec<ActionDraft> {
    let mut all = Vec::new();
    for (id, status, reward) in [
        ("a", Status::Approved, 500_000),
        ("b", Status::ApprovedButStalled, 250_000),
        ("c", Status::Pending, 900_000),
        ("d", Status::Declined, 900_000),
    ] {
        let mut action = draft(id, ordered);
        action.standing.status = status;
        action.standing.reward_e4 = reward;
        all.push(action);
    }
    all
}

#[test]
fn the_api_lists_adjustments_and_says_what_is_left_of_rewards() {
    block_on(async {
        let world = World::new(2).await;
        world.apply(0, &actions("2026-03-04T12:00:00Z")).await;
        import(&world, 0, &format!("{HEAD}{FIRST}"), "2026-04-01T00:00:00Z").await;
        let api = Api::of(&world, 0);
        let data = api
            .data(
                "{ adjustments(range: {days: {from: \"2026-03-06\", to: \"2026-03-31\"}}) { totalCount \
                 totals { count amount { amount currency } deductions { amount currency } payouts { amount } \
                 byKind { kind count amount { amount currency } } } \
                 nodes { __typename kind date occurredAt amount { amount currency } account comment reference \
                 program { name externalId } adSpace { name } importRun { entrance } } } }",
                &json!({}),
            )
            .await;
        let found = &data["adjustments"];
        assert_eq!(found["totalCount"], 3);
        assert_eq!(
            found["totals"],
            json!({
                "count": 3,
                "amount": [{"amount": "-2.00", "currency": "RUB"}, {"amount": "-21.00", "currency": "USD"}],
                "deductions": [{"amount": "2.00", "currency": "RUB"}, {"amount": "21.00", "currency": "USD"}],
                "payouts": [],
                "byKind": [
                    {"kind": "DEDUCTION", "count": 2, "amount": [{"amount": "-21.00", "currency": "USD"}]},
                    {"kind": "FINE", "count": 1, "amount": [{"amount": "-2.00", "currency": "RUB"}]}
                ]
            })
        );
        assert_eq!(
            found["nodes"][0],
            json!({
                "__typename": "Adjustment", "kind": "FINE", "date": "2026-03-07", "occurredAt": null,
                "amount": {"amount": "-2.00", "currency": "RUB"}, "account": "admitad", "comment": null,
                "reference": "F-1", "program": {"name": "Some shop", "externalId": null}, "adSpace": null,
                "importRun": {"entrance": "ADJUSTMENTS"}
            })
        );
        assert_eq!(found["nodes"][1]["program"]["externalId"], "6115");
        assert_eq!(found["nodes"][1]["adSpace"]["name"], "My blog");

        let data = api
            .data(
                "{ earnings(range: {days: {from: \"2026-03-01\", to: \"2026-03-31\"}}) { approvedReward { amount } \
                 deductions { amount currency } netReward { amount currency } payouts { amount currency } \
                 bonuses { amount } info { source actions } } }",
                &json!({}),
            )
            .await;
        let earned = &data["earnings"];
        assert_eq!(earned["approvedReward"], json!([{"amount": "75.00"}]));
        assert_eq!(
            earned["netReward"],
            json!([{"amount": "-2.00", "currency": "RUB"}, {"amount": "54.00", "currency": "USD"}])
        );
        assert_eq!(
            earned["payouts"],
            json!([{"amount": "100.00", "currency": "USD"}])
        );
        assert_eq!(earned["bonuses"], json!([]));
        assert_eq!(earned["info"]["actions"], 2);

        // The other publisher has none of it.
        let data = Api::of(&world, 1)
            .data(
                "{ adjustments { totalCount totals { count } } balances { totalCount } \
                 earnings(range: {preset: THIS_YEAR}) { netReward { amount } } }",
                &json!({}),
            )
            .await;
        assert_eq!(
            data["adjustments"],
            json!({"totalCount": 0, "totals": {"count": 0}})
        );
        assert_eq!(data["earnings"], json!({"netReward": []}));
    });
}

#[test]
fn filters_orders_pages_and_ids_of_adjustments() {
    block_on(async {
        let world = World::new(1).await;
        let lines: String = (1..=25)
            .map(|number| {
                format!(
                    "2026-03-{:02},Fine,{}.5,USD,R-{number},Why №{number},,\n",
                    number % 7 + 1,
                    number * 7 % 11
                )
            })
            .collect();
        import(
            &world,
            0,
            &format!("{HEAD}{lines}{FIRST}"),
            "2026-04-01T00:00:00Z",
        )
        .await;
        let api = Api::of(&world, 0);
        let asked = "query($f: AdjustmentFilter, $o: [AdjustmentOrder!], $n: Int, $a: String) { \
                     adjustments(filter: $f, orderBy: $o, first: $n, after: $a) { totalCount \
                     nodes { id amount { amount } reference } pageInfo { hasNextPage endCursor } } }";
        for (filter, expected) in [
            (json!({"kind": {"eq": "PAYOUT"}}), 1),
            (
                json!({"kind": {"in": ["FINE", "DEDUCTION"]}, "currency": {"eq": "USD"}}),
                27,
            ),
            (json!({"amount": {"lt": "-50"}}), 1),
            (json!({"comment": {"contains": "WHY №2"}}), 7),
            (json!({"reference": {"eq": "R-9"}}), 1),
            (json!({"reference": {"isNull": true}}), 2),
            (json!({"program": {"name": {"eq": "aliexpress ww"}}}), 2),
            (json!({"adSpace": {"name": {"startsWith": "my"}}}), 2),
            (json!({"not": {"date": {"lte": "2026-03-06"}}}), 4),
            (json!({"account": {"ne": "admitad"}}), 0),
        ] {
            let data = api.data(asked, &json!({"f": filter})).await;
            assert_eq!(data["adjustments"]["totalCount"], expected, "{filter}");
        }
        // A walk by amount, in pages of 4, gives every row once, in order.
        let (mut after, mut walked) = (Value::Null, Vec::new());
        loop {
            let variables = json!({
                "f": {"currency": {"eq": "USD"}}, "o": [{"field": "AMOUNT", "direction": "ASC"}], "n": 4, "a": after
            });
            let data = api.data(asked, &variables).await;
            let page = &data["adjustments"];
            walked.extend(page["nodes"].as_array().unwrap().clone());
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        let values: Vec<f64> = walked
            .iter()
            .map(|node| node["amount"]["amount"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(values.len(), 28);
        assert!(values.is_sorted(), "{values:?}");
        let ids: std::collections::BTreeSet<&str> = walked
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 28);
        let data = api
            .data(
                "query($id: ID!) { node(id: $id) { __typename id ... on Adjustment { reference } } }",
                &json!({"id": walked[3]["id"]}),
            )
            .await;
        assert_eq!(data["node"]["__typename"], "Adjustment");
        assert_eq!(data["node"]["reference"], walked[3]["reference"]);
        // Amounts of several currencies have no order.
        let answer = api
            .answer(asked, &json!({"o": [{"field": "AMOUNT"}]}))
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    });
}

#[test]
fn balances_are_shown_as_they_were_observed() {
    block_on(async {
        let world = World::new(1).await;
        let observed = |account: &str, currency: &str, when: &str, balance_e4: i64| Balance {
            id: uuid::Uuid::nil(),
            account: account.to_owned(),
            observed_at: at(when),
            currency: Currency::parse(currency).unwrap(),
            balance_e4,
            processing_e4: 10_000,
            today_e4: 5_000,
            stalled_e4: 0,
        };
        let now: Instant = at("2026-06-03T00:00:00Z");
        let all = [
            observed("main", "USD", "2026-06-01T00:00:00Z", 100_000),
            observed("main", "USD", "2026-06-02T00:00:00Z", -20_000),
            observed("main", "RUB", "2026-06-01T00:00:00Z", 70_000),
            observed("second", "USD", "2026-05-01T00:00:00Z", 30_000),
        ];
        for _ in 0..2 {
            write_balances(&world.store, world.write(0), &all, (None, now))
                .await
                .unwrap();
        }
        let api = Api::of(&world, 0);
        let data = api
            .data(
                "{ latest: balances { totalCount nodes { account currency observedAt balance { amount } \
                 processing { amount } today { amount } stalled { amount } } } \
                 history: balances(range: {days: {from: \"2026-06-01\", to: \"2026-06-02\"}}, \
                 filter: {currency: {eq: \"USD\"}}) { totalCount nodes { balance { amount currency } } } }",
                &json!({}),
            )
            .await;
        assert_eq!(data["latest"]["totalCount"], 3);
        assert_eq!(
            data["latest"]["nodes"][0],
            json!({
                "account": "main", "currency": "USD", "observedAt": "2026-06-02T00:00:00Z",
                "balance": {"amount": "-2.00"}, "processing": {"amount": "1.00"}, "today": {"amount": "0.50"},
                "stalled": {"amount": "0.00"}
            })
        );
        assert_eq!(
            data["history"],
            json!({"totalCount": 2, "nodes": [
                {"balance": {"amount": "-2.00", "currency": "USD"}},
                {"balance": {"amount": "10.00", "currency": "USD"}}
            ]})
        );
    });
}

#[test]
fn an_ad_space_whose_id_arrives_takes_its_adjustments_along() {
    block_on(async {
        let world = World::new(1).await;
        import(&world, 0, &format!("{HEAD}{FIRST}"), "2026-04-01T00:00:00Z").await;
        let mut action = draft("a", "2026-03-04T12:00:00Z");
        action.ad_space = Some(AdSpaceRef {
            external_id: Some("42".to_owned()),
            name: Some("My blog".to_owned()),
        });
        world.apply(0, &[action]).await;
        let data = Api::of(&world, 0)
            .data(
                "{ adSpaces { totalCount } adjustments(filter: {adSpace: {externalId: {eq: \"42\"}}}) { totalCount } }",
                &json!({}),
            )
            .await;
        assert_eq!(
            data,
            json!({"adSpaces": {"totalCount": 1}, "adjustments": {"totalCount": 2}})
        );
    });
}
