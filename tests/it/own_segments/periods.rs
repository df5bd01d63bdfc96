//! The periods of questions that name none: the publisher's setting, which a question's own words go before.

use super::api::id_of;
use super::built_in::{WRITES, world};
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::world::block_on;
use serde_json::{Value, json};

async fn set(api: &Api, version: i64, users: Value, products: Value) -> Value {
    let mutation = "mutation($version: BigInt!, $users: UserRulesInput, $products: ProductRulesInput) { \
                    it: updateSegmentSettings(version: $version, users: $users, products: $products) { \
                    settings { version users { periodDays } products { periodDays } } userErrors { field code message } } }";
    let variables = json!({ "version": version.to_string(), "users": users, "products": products });
    api.data(mutation, &variables).await["it"].take()
}

fn last(days: i64) -> Value {
    json!({ "last": { "count": days, "unit": "DAY" } })
}

/// Everything that looks back, asked with these arguments.
async fn seen(api: &Api, (users, products, days): (Value, Value, Value), segment: &Value) -> Value {
    let query = "query($users: RangeInput, $products: RangeInput, $days: Int, $segment: BuiltInUserSegment!, \
                 $sold: BuiltInProductSegment!) { \
                 userSegments(range: $users) { nodes { kind size actions } } \
                 productSegments(range: $products) { nodes { kind size units } } \
                 userSegmentMovement(days: $days) { beforeRange { from to } afterRange { from to } moved entered left } \
                 users(first: 50) { nodes { value rfm(range: $users) { score actions } } } \
                 are: users(filter: {builtInSegment: $segment}) { totalCount } \
                 sold: products(filter: {builtInSegment: $sold}) { totalCount } \
                 report(range: {days: {from: \"2026-01-01\", to: \"2026-12-31\"}}, groupBy: [USER_SEGMENT], \
                 builtInSegments: [{users: $segment}]) { nodes { key { builtInUserSegment { range } } values { actions } } } }";
    let mut segment = segment.clone();
    let mut sold = json!({ "kind": "BEST_SELLERS" });
    if !users.is_null() {
        segment["period"] = users.clone();
    }
    if !products.is_null() {
        sold["period"] = products.clone();
    }
    let variables = json!({
        "users": users, "products": products, "days": days, "segment": segment, "sold": sold,
    });
    api.data(query, &variables).await
}

#[test]
fn what_names_no_period_looks_back_as_far_as_is_set() {
    block_on(async {
        let world = world(seed() + 500).await;
        let api = Api::of(&world, 0).allowed(WRITES);
        let nothing = || (Value::Null, Value::Null, Value::Null);
        let returning = json!({ "kind": "RETURNING" });
        let id = id_of(
            &api,
            "Back",
            json!({ "users": { "builtInSegment": returning } }),
        )
        .await;
        let size = "query($id: ID!, $range: RangeInput!) { segment(id: $id) { size sentence rule } \
                    userSegments(range: $range, segments: [RETURNING]) { nodes { size } } }";
        let mut all = Vec::new();
        for (version, users, products) in [(0, 90, 30), (1, 150, 120), (2, 45, 75)] {
            if version > 0 {
                let (of_users, of_products) = (
                    json!({ "periodDays": users }),
                    json!({ "periodDays": products }),
                );
                let done = set(&api, version - 1, of_users, of_products).await;
                let settings = json!({ "version": version.to_string(), "users": { "periodDays": users },
                    "products": { "periodDays": products } });
                assert_eq!(done["settings"], settings, "{done:#}");
            }
            let own = seen(&api, nothing(), &returning).await;
            let given = (last(users), last(products), json!(users));
            assert_eq!(
                own,
                seen(&api, given, &returning).await,
                "{users} and {products} days"
            );
            // A segment without a period follows the setting.
            let variables = json!({ "id": id, "range": last(users) });
            let data = api.data(size, &variables).await;
            assert_eq!(
                data["segment"]["size"], data["userSegments"]["nodes"][0]["size"],
                "{data:#}"
            );
            let sentence = data["segment"]["sentence"].as_str().unwrap();
            assert!(
                sentence.contains(&format!("in the last {users} days")),
                "{sentence}"
            );
            assert_eq!(
                data["segment"]["rule"],
                json!({ "users": { "builtInSegment": returning } })
            );
            all.push(own);
        }
        assert!(
            all[0] != all[1] && all[1] != all[2],
            "the periods make a difference"
        );

        // The parameters of a question go before the setting, its range before both.
        let query = "query($rules: UserRulesInput, $range: RangeInput) { userSegments(range: $range, rules: $rules) { \
                     nodes { kind size actions } parameters { periodDays } } }";
        let ask = async |rules: Value, range: Value| {
            let variables = json!({ "rules": rules, "range": range });
            api.data(query, &variables).await["userSegments"].take()
        };
        let hundred = ask(json!({ "periodDays": 100 }), Value::Null).await;
        assert_eq!(hundred["nodes"], ask(Value::Null, last(100)).await["nodes"]);
        assert_eq!(hundred["parameters"]["periodDays"], 100);
        let both = ask(json!({ "periodDays": 100 }), last(20)).await;
        assert_eq!(both["nodes"], ask(Value::Null, last(20)).await["nodes"]);
        let default = ask(json!({ "periodDays": null }), Value::Null).await;
        assert_eq!(default["nodes"], ask(Value::Null, last(90)).await["nodes"]);
    });
}

#[test]
fn a_period_is_checked_at_its_place_and_set_from_the_version_that_is_known() {
    block_on(async {
        let world = world(seed() + 510).await;
        let api = Api::of(&world, 0).allowed(WRITES);
        let wrong = set(
            &api,
            0,
            json!({ "periodDays": 0 }),
            json!({ "periodDays": 3_661 }),
        )
        .await;
        assert_eq!(wrong["settings"], Value::Null, "{wrong:#}");
        let errors = wrong["userErrors"].as_array().unwrap();
        let places: Vec<&Value> = errors.iter().map(|error| &error["field"]).collect();
        assert_eq!(
            places,
            [
                &json!(["products", "periodDays"]),
                &json!(["users", "periodDays"])
            ]
        );
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains("from 1 to 3660"), "{message}");

        let done = set(&api, 0, json!({ "periodDays": 7 }), json!({})).await;
        assert_eq!(done["settings"]["users"]["periodDays"], 7, "{done:#}");
        assert_eq!(done["settings"]["products"]["periodDays"], 30);
        let late = set(&api, 0, json!({ "periodDays": 8 }), json!({})).await;
        assert_eq!(late["userErrors"][0]["code"], "CONFLICT", "{late:#}");
        let back = set(&api, 1, json!({ "periodDays": null }), json!({})).await;
        assert_eq!(back["settings"]["users"]["periodDays"], 90, "{back:#}");
        let query = "{ userSegments(rules: {periodDays: 0}) { totalCount } }";
        let answer = api.answer(query, &json!({})).await;
        let error = &answer["errors"][0]["extensions"];
        assert_eq!(error["argument"], "rules.periodDays", "{answer:#}");
    });
}

/// What is charged follows the period that applies.
#[test]
fn a_question_without_a_period_costs_what_the_one_with_it_costs() {
    block_on(async {
        let world = world(seed() + 520).await;
        let api = Api::of(&world, 0).allowed(WRITES);
        let cost = async |query: &str| {
            let mut answer = api.answer(query, &json!({})).await;
            assert_eq!(answer.get("errors"), None, "{query} {answer:#}");
            answer["extensions"]["cost"]["requestedQueryCost"].take()
        };
        let questions = |users: &str, products: &str, movement: &str| {
            [
                format!(
                    "{{ userSegments{users} {{ nodes {{ topProducts {{ nodes {{ rank }} }} }} }} }}"
                ),
                format!("{{ users {{ nodes {{ rfm{users} {{ score }} }} }} }}"),
                format!(
                    "{{ productSegments{products} {{ nodes {{ products {{ nodes {{ units }} }} }} }} }}"
                ),
                format!("{{ userSegmentMovement{movement} {{ moved }} }}"),
            ]
        };
        let with = |days: i64, name: &str| {
            let range = format!("{{last: {{count: {days}, unit: DAY}}}}");
            match name {
                "range" => format!("(range: {range})"),
                _ => format!("{{kind: {name}, period: {range}}}"),
            }
        };
        let mut all = Vec::new();
        for (version, users, products) in [(0, 90, 30), (1, 20, 150)] {
            if version > 0 {
                let of_users = json!({ "periodDays": users });
                set(&api, 0, of_users, json!({ "periodDays": products })).await;
            }
            let movement = format!("(days: {users})");
            let mut costs = Vec::new();
            let named = questions(&with(users, "range"), &with(products, "range"), &movement);
            for (own, named) in questions("", "", "").iter().zip(&named) {
                let own_cost = cost(own).await;
                assert_eq!(own_cost, cost(named).await, "{own} {named}");
                costs.push(own_cost);
            }
            let filter = |segment: &str| {
                format!("{{ users(filter: {{builtInSegment: {segment}}}) {{ nodes {{ id }} }} }}")
            };
            let own = cost(&filter("{kind: NEW}")).await;
            assert_eq!(own, cost(&filter(&with(users, "NEW"))).await);
            all.push(costs);
        }
        assert!(all[0] != all[1], "{all:?}");
    });
}
