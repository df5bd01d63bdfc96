//! What the members of segments did over time, against sums over the rows of the database.

use super::api::{id_of, often};
use super::built_in::world;
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::naive::Tally;
use crate::support::world::{Facts, block_on};
use actiongraph::domain::money::Money;
use actiongraph::domain::time::Instant;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Users with so many actions that count before a point in time.
fn often_before(facts: &Facts, least: usize, at: i64) -> BTreeSet<Uuid> {
    let mut actions: BTreeMap<Uuid, usize> = BTreeMap::new();
    for action in facts.actions.values() {
        if action.status != "DECLINED"
            && action.ordered_at_us < at
            && let Some(user) = action.user_id
        {
            *actions.entry(user).or_default() += 1;
        }
    }
    let often = actions.into_iter().filter(|(_, many)| *many >= least);
    let often = often.map(|(user, _)| user);
    often
        .filter(|user| facts.users[user].first_seen_us < at)
        .collect()
}

/// Products of which so many units were sold before a point in time.
fn sold_before(facts: &Facts, least: i64, at: i64) -> BTreeSet<Uuid> {
    let mut units: BTreeMap<Uuid, i64> = BTreeMap::new();
    for action in facts.actions.values() {
        if action.status != "DECLINED" && action.ordered_at_us < at {
            for item in facts.cart(action.id) {
                if let Some(product) = item.product_id {
                    *units.entry(product).or_default() += i64::from(item.units);
                }
            }
        }
    }
    let sold = units.into_iter().filter(|(_, many)| *many >= least);
    let sold = sold.map(|(product, _)| product);
    sold.filter(|product| facts.products[product].first_seen_us < at)
        .collect()
}

pub(super) fn money(all: Vec<Money>) -> Value {
    let one =
        |money: Money| json!({ "amount": money.amount(), "currency": money.currency.as_str() });
    all.into_iter().map(one).collect()
}

fn told(tally: &Tally, users: &BTreeSet<Uuid>) -> Value {
    let sums = tally.sums();
    json!({
        "actions": sums.actions, "users": users.len(), "units": sums.units,
        "orderAmount": money(sums.order_amounts()), "reward": money(sums.rewards()),
    })
}

/// What users did, or what was done with products, from one point in time to another.
pub(super) fn done(
    facts: &Facts,
    members: &BTreeSet<Uuid>,
    of_users: bool,
    span: (i64, i64),
) -> Value {
    let (mut tally, mut users) = (Tally::default(), BTreeSet::new());
    for action in facts.actions.values() {
        let is_within = (span.0..span.1).contains(&action.ordered_at_us);
        if action.status == "DECLINED" || !is_within {
            continue;
        }
        if of_users {
            if let Some(user) = action.user_id.filter(|user| members.contains(user)) {
                tally.action(facts, action);
                users.insert(user);
            }
            continue;
        }
        for item in facts.cart(action.id) {
            if item
                .product_id
                .is_some_and(|product| members.contains(&product))
            {
                tally.item(action, item);
                users.extend(action.user_id);
            }
        }
    }
    told(&tally, &users)
}

pub(super) const TREND: &str = "from at size metrics { actions users units orderAmount { amount currency } reward { amount currency } }";

#[test]
fn the_metrics_of_a_trend_are_what_the_members_of_then_did() {
    block_on(async {
        let mut seen = 0;
        for round in 0..2 {
            let mut world = world(seed() + 400 + round).await;
            let facts = world.facts(0).await;
            if round == 1 {
                world = world.in_columns().await;
            }
            let api = Api::of(&world, 0);
            let users = id_of(&api, "Twice", often(2)).await;
            let sold = json!({ "products": { "metric": { "metric": "UNITS", "atLeast": 3 } } });
            let products = id_of(&api, "Sold thrice", sold).await;
            let query = format!(
                "query($range: RangeInput!, $bucket: TimeBucket!) {{ segments {{ \
                 nodes {{ id trend(range: $range, bucket: $bucket) {{ {TREND} }} }} }} }}"
            );
            for (range, bucket) in [
                (
                    json!({ "days": { "from": "2026-01-10", "to": "2026-07-20" } }),
                    "MONTH",
                ),
                (
                    json!({ "days": { "from": "2026-03-03", "to": "2026-04-20" } }),
                    "WEEK",
                ),
                (json!({ "last": { "count": 50, "unit": "DAY" } }), "DAY"),
            ] {
                let variables = json!({ "range": range, "bucket": bucket });
                let _ = api.statements.take();
                let data = api.data(&query, &variables).await;
                let statements = api.statements.take();
                // The page, its definitions, the sizes, the metrics.
                assert!(statements.len() <= 6, "{statements:#?}");
                let nodes = data["segments"]["nodes"].as_array().unwrap();
                assert_eq!(nodes.len(), 2, "{data:#}");
                for node in nodes {
                    let of_users = node["id"] == users.as_str();
                    assert!(of_users || node["id"] == products.as_str());
                    let mut before = None;
                    for point in node["trend"].as_array().unwrap() {
                        let instant = |name: &str| {
                            let text = point[name].as_str().unwrap();
                            Instant::parse_rfc3339(text).unwrap().micros()
                        };
                        let span = (instant("from"), instant("at"));
                        assert!(before.is_none_or(|before| before == span.0), "{point:#}");
                        before = Some(span.1);
                        let members = if of_users {
                            often_before(&facts, 2, span.1)
                        } else {
                            sold_before(&facts, 3, span.1)
                        };
                        assert_eq!(point["size"], members.len(), "{point:#}");
                        let expected = done(&facts, &members, of_users, span);
                        assert_eq!(point["metrics"], expected, "{span:?} {point:#}");
                        seen += usize::from(expected["actions"] != 0);
                    }
                }
            }
        }
        assert!(seen > 60, "the trends say little: {seen}");
    });
}

/// Of a segment that cannot be evaluated any more only its own metrics are missing, and limits hold.
#[test]
fn a_trend_has_limits() {
    block_on(async {
        let world = world(seed() + 410).await;
        let api = Api::of(&world, 0);
        let id = id_of(&api, "Once", often(1)).await;
        let query = "query($id: ID!, $days: Int!) { segment(id: $id) { \
                     trend(range: {last: {count: $days, unit: DAY, wholeUnits: true}}, bucket: DAY) { metrics { actions } } } }";
        let most = api.data(query, &json!({ "id": id, "days": 60 })).await;
        assert_eq!(most["segment"]["trend"].as_array().unwrap().len(), 60);
        let more = api.answer(query, &json!({ "id": id, "days": 61 })).await;
        let error = &more["errors"][0];
        assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED", "{more:#}");
        assert_eq!(error["extensions"]["limit"], "segmentTrendPoints");
        assert_eq!(error["extensions"]["maximum"], 60, "{more:#}");
    });
}
