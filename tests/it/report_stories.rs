//! Reports whose answers are known by heart: who is new when, and what is gone since the period before.

use crate::support::api::Api;
use crate::support::drafts::{Shape, at, sale};
use crate::support::world::{Reads, World, block_on};
use actiongraph::domain::action::{Slot, SlotValue, Status};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::time::Day;
use serde_json::{Value, json};

/// An order of a user that is closed after thirty days.
fn order(user: &str, day: &str, status: Status) -> ActionDraft {
    let mut draft = sale(&format!("{user} {day}"), at(&format!("{day}T10:00:00Z")));
    draft.standing.status = status;
    draft.standing.raw_status = status.as_str().to_lowercase();
    draft.standing.processed = status.is_processed();
    let name = SlotValue::Text(user.to_owned());
    draft.slots.insert(Slot::Subid1, name);
    let closes = i64::from(Day::parse(day).unwrap().days()) + 30;
    draft
        .slots
        .insert(Slot::ClosingDay, SlotValue::Number(closes));
    draft
}

/// Users who come and come back.
async fn comers(reads: Reads) -> World {
    let world = World::new(1).await;
    let orders = [
        ("anna", "2026-02-10", Status::Pending),
        ("anna", "2026-03-05", Status::Pending),
        ("anna", "2026-04-07", Status::Pending),
        // What was declined does not make a user known.
        ("ben", "2026-02-01", Status::Declined),
        ("ben", "2026-03-20", Status::Pending),
        ("ben", "2026-04-02", Status::Pending),
        ("carl", "2026-01-10", Status::Pending),
        ("carl", "2026-02-20", Status::Pending),
        ("dora", "2026-02-10", Status::Pending),
        ("dora", "2026-02-20", Status::Pending),
    ];
    let drafts = orders.map(|(user, day, status)| order(user, day, status));
    world.apply(0, &drafts).await;
    match reads {
        Reads::Database => world,
        Reads::Columns => world.in_columns().await,
    }
}

/// Month, age, users and actions of each row of a report by age.
async fn by_age(api: &Api, arguments: &str) -> Value {
    let query = format!(
        "{{ report({arguments}, groupBy: [USER_AGE], timeZone: \"UTC\") {{ nodes {{ time {{ from }} key {{ userAge }} \
         values {{ users actions }} filter }} }} }}"
    );
    let data = api.data(&query, &json!({})).await;
    let row = |node: &Value| {
        assert_eq!(node["filter"], json!(null), "no filter says who is new");
        let month = node["time"]["from"].as_str().map(|from| &from[..10]);
        let values = &node["values"];
        json!([
            month,
            node["key"]["userAge"],
            values["users"],
            values["actions"]
        ])
    };
    data["report"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

/// A chart of new against returning users by month counts each user as new once.
#[test]
fn who_is_new_in_a_month_is_returning_in_the_next() {
    for reads in [Reads::Database, Reads::Columns] {
        block_on(async {
            let world = comers(reads).await;
            let api = Api::of(&world, 0);
            let spring = "range: {days: {from: \"2026-01-15\", to: \"2026-04-30\"}}";
            assert_eq!(
                by_age(&api, &format!("{spring}, bucket: MONTH")).await,
                json!([
                    ["2026-02-01", "NEW", 3, 4],
                    ["2026-02-01", "RETURNING", 1, 1],
                    ["2026-03-01", "NEW", 1, 1],
                    ["2026-03-01", "RETURNING", 1, 1],
                    ["2026-04-01", "RETURNING", 2, 2],
                ])
            );
            // In one piece the range counts: only Carl was there before.
            assert_eq!(
                by_age(&api, spring).await,
                json!([[null, "NEW", 3, 8], [null, "RETURNING", 1, 1]])
            );
            // A first stretch that is cut begins with the range: Dora came on the tenth.
            let cut = "range: {days: {from: \"2026-02-15\", to: \"2026-02-28\"}}, bucket: MONTH";
            assert_eq!(
                by_age(&api, cut).await,
                json!([["2026-02-15", "RETURNING", 2, 2]])
            );
            // By whatever day actions are laid on months, orders say who was there before.
            let closed = "range: {days: {from: \"2026-01-15\", to: \"2026-05-31\"}}, bucket: MONTH, dateAxis: CLOSED";
            assert_eq!(
                by_age(&api, closed).await,
                json!([
                    ["2026-02-01", "RETURNING", 1, 1],
                    ["2026-03-01", "RETURNING", 3, 4],
                    ["2026-03-01", "NEW", 1, 1],
                    ["2026-04-01", "RETURNING", 2, 2],
                    ["2026-05-01", "RETURNING", 2, 2],
                ])
            );
        });
    }
}

const SHAPE: Shape = Shape {
    drafts: 300,
    actions: 220,
    wild: false,
};

async fn march(api: &Api, also: &str) -> Value {
    let query = format!(
        "{{ report(range: {{days: {{from: \"2026-03-01\", to: \"2026-03-31\"}}}}, groupBy: [COUNTRY, STATUS, SUBID1], \
         first: 10000, {also}) {{ totalCount totals {{ actions }} comparedTotals {{ actions users }} \
         totalsChange(of: ACTIONS) {{ previous absolute }} \
         nodes {{ values {{ actions users approvalRate }} compared {{ actions }} change(of: ACTIONS) {{ absolute }} }} }} }}"
    );
    api.data(&query, &json!({})).await["report"].take()
}

fn number(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_i64().or(text).unwrap()
}

/// The totals are compared as rows are, and groups that the period before alone has are rows where somebody asks for them.
#[test]
fn groups_that_are_gone_have_rows_where_they_are_asked_for() {
    block_on(async {
        let world = World::rich(31, SHAPE).await;
        let api = Api::of(&world, 0);
        let rows = |report: &Value| report["nodes"].as_array().unwrap().clone();
        let before = |report: &Value| {
            let compared = rows(report);
            let compared = compared
                .iter()
                .map(|row| number(&row["compared"]["actions"]));
            compared.sum::<i64>()
        };
        let plain = march(&api, "").await;
        let all = march(&api, "includeVanished: true").await;
        let (now, then) = (
            number(&all["totals"]["actions"]),
            number(&all["comparedTotals"]["actions"]),
        );
        assert_eq!(number(&all["totalsChange"]["previous"]), then);
        assert_eq!(number(&all["totalsChange"]["absolute"]), now - then);
        for part in ["totals", "comparedTotals", "totalsChange"] {
            assert_eq!(plain[part], all[part]);
        }
        // Groups do not overlap, so that all of them together are the totals.
        assert_eq!(before(&all), then);
        assert!(before(&plain) < then);
        assert_eq!(all["totalCount"], json!(rows(&all).len()));
        let gone: Vec<Value> = rows(&all)
            .into_iter()
            .filter(|row| row["values"]["actions"] == json!(0))
            .collect();
        assert_eq!(rows(&plain).len() + gone.len(), rows(&all).len());
        assert!(!gone.is_empty());
        for row in &gone {
            let nothing = json!({ "actions": 0, "users": 0, "approvalRate": null });
            assert_eq!(row["values"], nothing);
            let had = number(&row["compared"]["actions"]);
            assert!(had > 0);
            assert_eq!(number(&row["change"]["absolute"]), -had);
        }
        // Conditions look at what the range has of them.
        let had = "includeVanished: true, having: [{metric: ACTIONS, atMost: 0}]";
        assert_eq!(rows(&march(&api, had).await), gone);
        let kept = "includeVanished: true, having: [{metric: ACTIONS, atLeast: 1}]";
        assert_eq!(rows(&march(&api, kept).await), rows(&plain));
        // Their number alone is told as well, without a row.
        let count = "{ report(range: {days: {from: \"2026-03-01\", to: \"2026-03-31\"}}, groupBy: [COUNTRY, STATUS, SUBID1], \
                     includeVanished: true) { totalCount } }";
        let count = api.data(count, &json!({})).await;
        assert_eq!(count["report"]["totalCount"], all["totalCount"]);
    });
}
