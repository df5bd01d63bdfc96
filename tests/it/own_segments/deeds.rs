//! What the members of segments did, and what was bought most, against sums over the rows of the database: from SQL and from
//! columns in memory alike.

use super::api::{id_of, often};
use super::built_in::world;
use super::changes;
use super::filters::members;
use super::over_time::{done, money};
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::drafts::{at, item, sale};
use crate::support::naive::{Tally, rank};
use crate::support::world::{Facts, World, block_on};
use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::money::Currency;
use actiongraph::domain::sales::RankBy;
use actiongraph::domain::time::Instant;
use actiongraph::graphql::id::{IdOf, Kind, read};
use actiongraph::store::columns::ColumnsOptions;
use async_graphql::ID;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// A segment with its members.
struct Known {
    id: String,
    of_users: bool,
    members: BTreeSet<Uuid>,
}

impl Known {
    async fn of(api: &Api, id: String, of_users: bool) -> Self {
        let of = if of_users { "user" } else { "product" };
        let members = members(api, &id, of).await;
        let key = |id: String| {
            let (kind, key) = read(&ID(id), &UserIds::as_stored()).unwrap();
            assert_eq!(kind == IdOf::User, of_users);
            key
        };
        let keys = members.into_iter().map(key);
        Self {
            id,
            of_users,
            members: keys.collect(),
        }
    }
}

fn sold(at_least: i64) -> Value {
    json!({ "products": { "metric": { "metric": "UNITS", "atLeast": at_least } } })
}

async fn frozen(api: &Api, id: &str, name: &str) -> String {
    let named = format!(", name: \"{name}\"");
    let frozen = changes::done(api, "freezeSegment", id, &named).await;
    assert_eq!(frozen["userErrors"], json!([]), "{frozen:#}");
    frozen["segment"]["id"].as_str().unwrap().to_owned()
}

/// Segments of every kind: measured, measured by the database alone, of those who did nothing, of lists and fields, frozen.
async fn segments(api: &Api) -> Vec<Known> {
    let quiet = json!({ "metric": { "metric": "ACTIONS", "atMost": 0, "period": { "last": { "count": 60, "unit": "DAY" } } } });
    let remarked = json!({ "metric": { "metric": "ACTIONS", "atLeast": 1, "actions": { "comment": { "isNull": false } } } });
    let mut all = Vec::new();
    for (name, rule) in [
        ("Twice", often(2)),
        (
            "Abroad",
            json!({ "users": { "clickCountry": { "ne": "RU" } } }),
        ),
        ("Quiet", json!({ "users": quiet })),
        ("Remarked", json!({ "users": remarked })),
        (
            "Listed",
            json!({ "users": { "members": { "values": ["u1", "u2", "u3", "100%"] } } }),
        ),
        ("Sold thrice", sold(3)),
        (
            "Hot",
            json!({ "products": { "product": { "isHot": { "eq": true } } } }),
        ),
    ] {
        let of_users = rule.get("users").is_some();
        let id = id_of(api, name, rule).await;
        all.push(Known::of(api, id, of_users).await);
    }
    for place in [0, 5] {
        let (source, of_users) = (all[place].id.clone(), all[place].of_users);
        let id = frozen(api, &source, &format!("Then {place}")).await;
        all.push(Known::of(api, id, of_users).await);
    }
    all
}

/// The first products of a segment, and whether there are more.
fn top(facts: &Facts, known: &Known, span: (i64, i64), (by, first): (RankBy, usize)) -> Value {
    let mut groups: HashMap<Option<Uuid>, Tally> = HashMap::new();
    for action in facts.actions.values() {
        let is_within = (span.0..span.1).contains(&action.ordered_at_us);
        if action.status == "DECLINED" || !is_within {
            continue;
        }
        for item in facts.cart(action.id) {
            let member = if known.of_users {
                action.user_id
            } else {
                item.product_id
            };
            if item.product_id.is_some() && member.is_some_and(|id| known.members.contains(&id)) {
                groups
                    .entry(item.product_id)
                    .or_default()
                    .item(action, item);
            }
        }
    }
    let rows = rank(&groups, by);
    let nodes = rows.iter().take(first).map(|row| {
        json!({
            "rank": row.rank, "actions": row.sums.actions, "units": row.sums.units,
            "orderAmount": money(row.sums.order_amounts()), "reward": money(row.sums.rewards()),
            "product": { "id": Kind::Product.id(row.key.unwrap()).to_string() },
        })
    });
    json!({ "nodes": nodes.collect::<Vec<_>>(), "hasMore": rows.len() > first })
}

const SUMS: &str = "actions units orderAmount { amount currency } reward { amount currency }";

#[test]
fn segments_tell_what_their_members_did_and_what_was_bought_most() {
    block_on(async {
        let world = world(seed() + 420).await;
        let facts = world.facts(0).await;
        let by_sql = Api::of(&world, 0);
        let all = segments(&by_sql).await;
        let world = world.in_columns().await;
        let by_columns = Api::of(&world, 0);
        let usd = Currency::parse("USD").unwrap();
        let rankings = [
            ("UNITS", "", RankBy::Units, 3),
            ("ACTIONS", "", RankBy::Actions, 50),
            (
                "ORDER_AMOUNT",
                ", currency: \"USD\"",
                RankBy::OrderAmount(usd),
                2,
            ),
            ("REWARD", ", currency: \"USD\"", RankBy::Reward(usd), 4),
        ];
        let asked: Vec<String> = rankings
            .iter()
            .map(|(by, currency, _, first)| {
                format!(
                    "{by}: topProducts(range: $range, first: {first}, by: {by}{currency}) {{ hasMore nodes {{ rank {SUMS} \
                     product {{ id }} }} }}"
                )
            })
            .collect();
        let query = format!(
            "query($range: RangeInput!) {{ segments(state: [LIVE, FROZEN], first: 12) {{ nodes {{ id \
             metrics(range: $range) {{ users {SUMS} }} {} }} }} }}",
            asked.join(" ")
        );
        let mut seen = 0;
        // The last one goes on beyond the present.
        for (from, to) in [
            ("2026-02-01T00:00:00Z", "2026-05-31T12:30:00Z"),
            ("2026-05-01T07:00:00Z", "2026-06-20T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let range = json!({ "between": { "from": from, "to": to } });
            let micros = |text| Instant::parse_rfc3339(text).unwrap().micros();
            let span = (micros(from), micros(to));
            for (api, which) in [(&by_sql, "SQL"), (&by_columns, "columns")] {
                let data = api.data(&query, &json!({ "range": range })).await;
                let nodes = data["segments"]["nodes"].as_array().unwrap();
                assert_eq!(nodes.len(), all.len());
                for (place, known) in all.iter().enumerate() {
                    let what = format!("{which}, segment {place}, {from}");
                    let node = nodes.iter().find(|node| node["id"] == known.id.as_str());
                    let node = node.unwrap();
                    let expected = done(&facts, &known.members, known.of_users, span);
                    assert_eq!(node["metrics"], expected, "{what}");
                    seen += usize::from(expected["actions"] != 0);
                    for (name, _, by, first) in rankings {
                        let expected = top(&facts, known, span, (by, first));
                        assert_eq!(node[name], expected, "{what}, {name}");
                    }
                }
            }
        }
        assert!(seen > 30, "the segments say little: {seen}");
    });
}

/// What members of all kinds of segments did over time is the same from columns, also of those whose members the database
/// tells.
#[test]
fn columns_sum_up_trends_as_the_database_does() {
    block_on(async {
        let world = world(seed() + 430).await;
        let by_sql = Api::of(&world, 0);
        let all = segments(&by_sql).await;
        let world = world.in_columns().await;
        let by_columns = Api::of(&world, 0);
        let query = format!(
            "query($bucket: TimeBucket!) {{ segments(state: [LIVE, FROZEN], first: 12) {{ nodes {{ id \
             trend(range: {{days: {{from: \"2026-02-10\", to: \"2026-07-05\"}}}}, bucket: $bucket) {{ at size \
             metrics {{ users {SUMS} }} }} }} }} }}"
        );
        for bucket in ["WEEK", "MONTH", "QUARTER"] {
            let variables = json!({ "bucket": bucket });
            let expected = by_sql.data(&query, &variables).await;
            let found = by_columns.data(&query, &variables).await;
            assert_eq!(found, expected, "{bucket}");
        }
        // Columns sum up whatever they can tell, and whoever the database lists for them.
        for (place, known) in all.iter().enumerate() {
            let query = "query($id: ID!) { segment(id: $id) { metrics(range: {last: {count: 90, unit: DAY}}) { actions } \
                         topProducts(range: {last: {count: 90, unit: DAY}}) { hasMore } } }";
            let _ = by_columns.statements.take();
            by_columns.data(query, &json!({ "id": known.id })).await;
            let statements = by_columns.statements.take();
            let reads = statements.iter().filter(|text| text.contains("actions a"));
            // A comment is no column: the database says who left one.
            let is_remarked = place == 3;
            assert_eq!(reads.count() > 0, is_remarked, "{place}: {statements:#?}");
        }
        // Whatever a page of ids holds.
        let mut world = world;
        world.store = world.store.with_columns(ColumnsOptions {
            least_changes: 0,
            ids_at_once: 2,
            ..ColumnsOptions::default()
        });
        world.read_columns_in().await;
        let variables = json!({ "bucket": "MONTH" });
        let expected = by_sql.data(&query, &variables).await;
        let found = Api::of(&world, 0).data(&query, &variables).await;
        assert_eq!(found, expected);
    });
}

/// A range of days goes on to the end of today, for which nothing has been ordered beyond the present.
#[test]
fn what_members_by_their_fields_did_until_today_is_told_by_columns() {
    block_on(async {
        let world = World::new(1).await;
        let draft = |number: usize, when: &str| {
            let mut draft = sale(&format!("d{number}"), at(when));
            let user = SlotValue::Text(format!("user {}", number % 3));
            draft.slots.insert(Slot::Subid1, user);
            draft.items.push(item("100500"));
            draft
        };
        let drafts: Vec<ActionDraft> = (0..7)
            .map(|number| draft(number, "2026-06-30T10:00:00Z"))
            .collect();
        world.apply(0, &drafts).await;
        let by_sql = Api::of(&world, 0);
        let rule = json!({ "users": { "user": { "value": { "contains": "user" } } } });
        let id = id_of(&by_sql, "Named", rule).await;
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        // The present is the beginning of 1 July.
        let query = "query($id: ID!) { segment(id: $id) { metrics(range: {days: {from: \"2026-06-01\", to: \"2026-07-01\"}}) \
                     { actions users } topProducts(range: {days: {from: \"2026-06-01\", to: \"2026-07-01\"}}) \
                     { nodes { actions } } } }";
        let _ = api.statements.take();
        let found = api.data(query, &json!({ "id": id })).await;
        let sent = api.statements.take();
        let expected = json!({ "segment": { "metrics": { "actions": 7, "users": 3 },
            "topProducts": { "nodes": [{ "actions": 7 }] } } });
        assert_eq!(found, expected);
        assert!(
            !sent.iter().any(|text| text.contains("actions a")),
            "{sent:#?}"
        );
        // As soon as something was, it is the database that knows whose it is.
        world.apply(0, &[draft(7, "2026-07-01T05:00:00Z")]).await;
        let found = api.data(query, &json!({ "id": id })).await;
        assert_eq!(found["segment"]["metrics"]["actions"], 8);
        assert_eq!(found, by_sql.data(query, &json!({ "id": id })).await);
    });
}

#[test]
fn five_segments_take_as_many_statements_as_two() {
    block_on(async {
        let world = world(seed() + 440).await;
        let by_sql = Api::of(&world, 0);
        for least in 1..=3 {
            id_of(&by_sql, &format!("bought {least}"), often(least)).await;
            id_of(&by_sql, &format!("sold {least}"), sold(least)).await;
        }
        let world = world.in_columns().await;
        let by_columns = Api::of(&world, 0);
        let query = "query($first: Int!) { segments(first: $first) { nodes { \
                     metrics(range: {last: {count: 90, unit: DAY}}) { actions users } \
                     topProducts(range: {last: {count: 90, unit: DAY}}) { nodes { units product { name } } } } } }";
        for (api, which, most) in [(&by_sql, "SQL", 7), (&by_columns, "columns", 6)] {
            let mut counts = Vec::new();
            for first in [2, 5] {
                let _ = api.statements.take();
                let data = api.data(query, &json!({ "first": first })).await;
                assert_eq!(
                    data["segments"]["nodes"].as_array().unwrap().len(),
                    first,
                    "{data:#}"
                );
                counts.push(api.statements.take());
            }
            assert_eq!(counts[0].len(), counts[1].len(), "{which}: {counts:#?}");
            assert!(counts[1].len() <= most, "{which}: {counts:#?}");
        }
    });
}

/// What is wrong with one segment, or with an argument, is told at its place, and of it alone.
#[test]
fn rankings_of_segments_are_refused_as_others_are() {
    block_on(async {
        let world = world(seed() + 450).await;
        let api = Api::of(&world, 0);
        let id = id_of(&api, "Twice", often(2)).await;
        for (arguments, place) in [
            ("by: REWARD", "currency"),
            ("by: UNITS, currency: \"USD\"", "currency"),
            ("first: 101", "first"),
        ] {
            let query = format!(
                "query($id: ID!) {{ segment(id: $id) {{ size topProducts(range: {{preset: THIS_YEAR}}, {arguments}) {{ \
                 hasMore }} }} }}"
            );
            let answer = api.answer(&query, &json!({ "id": id })).await;
            let error = &answer["errors"][0];
            assert!(
                error["message"].as_str().unwrap().contains(place),
                "{answer:#}"
            );
            assert_eq!(answer["data"]["segment"]["topProducts"], Value::Null);
            assert!(answer["data"]["segment"]["size"].is_number(), "{answer:#}");
        }
    });
}
