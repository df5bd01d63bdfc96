//! What parameters of built-in segments make of a few actions whose figures are known by heart.

use crate::support::api::Api;
use crate::support::drafts::{at, currency, item_called, sale};
use crate::support::world::{Reads, World, block_on};
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::scope::KeyScope;
use serde_json::{Value, json};

const WRITES: &[KeyScope] = &[KeyScope::Read, KeyScope::Segments];

/// An order of so many units of a product that were worth so much together.
fn order(product: &str, units: i32, code: &str, (amount, reward): (i64, i64)) -> ActionDraft {
    let mut draft = sale(product, at("2026-06-10T10:00:00Z"));
    draft.standing.currency = currency(code);
    let mut item = item_called(product, product);
    item.units = units;
    item.amount_e4 = amount * 10_000;
    item.reward_e4 = reward * 10_000;
    draft.standing.reward_e4 = item.reward_e4;
    draft.items.push(item);
    draft
}

/// 81 cases at 1 USD, 10 phones at 500 USD, and two carpets at 450 000 RUB.
async fn shop(reads: Reads) -> World {
    let world = World::new(1).await;
    let orders = [
        order("case", 81, "USD", (81, 8)),
        order("phone", 10, "USD", (5_000, 4)),
        order("carpet", 2, "RUB", (900_000, 90_000)),
    ];
    world.apply(0, &orders).await;
    match reads {
        Reads::Database => world,
        Reads::Columns => world.in_columns().await,
    }
}

const JUNE: &str = "{days: {from: \"2026-06-01\", to: \"2026-06-30\"}}";

/// The names of the products of each segment, in their order, with the parameters that applied.
async fn segments(api: &Api, rules: &Value) -> Value {
    let query = format!(
        "query($rules: ProductRulesInput) {{ productSegments(range: {JUNE}, rules: $rules, segments: [BEST_SELLERS, ABC_A, \
         ABC_B, ABC_C]) {{ parameters {{ rankBy currency }} nodes {{ kind products {{ nodes {{ product {{ name }} }} }} }} }} }}"
    );
    let data = api.data(&query, &json!({ "rules": rules })).await;
    let found = &data["productSegments"];
    let mut all = json!({ "by": found["parameters"] });
    for node in found["nodes"].as_array().unwrap() {
        let members = node["products"]["nodes"].as_array().unwrap();
        let names = members
            .iter()
            .map(|member| member["product"]["name"].clone());
        all[node["kind"].as_str().unwrap()] = names.collect();
    }
    all
}

#[test]
fn products_are_ranked_by_units_or_by_an_amount_in_one_currency() {
    block_on(async {
        for reads in [Reads::Database, Reads::Columns] {
            let world = shop(reads).await;
            let api = Api::of(&world, 0);
            let units = json!({
                "by": { "rankBy": "UNITS", "currency": null },
                "BEST_SELLERS": ["case", "phone", "carpet"], "ABC_A": ["case"], "ABC_B": ["phone"], "ABC_C": ["carpet"],
            });
            assert_eq!(segments(&api, &json!({})).await, units);
            // Without a currency it is the publisher's.
            for rules in [
                json!({ "rankBy": "ORDER_AMOUNT" }),
                json!({ "rankBy": "ORDER_AMOUNT", "currency": "USD" }),
            ] {
                let amount = json!({
                    "by": { "rankBy": "ORDER_AMOUNT", "currency": "USD" },
                    "BEST_SELLERS": ["phone", "case"], "ABC_A": ["phone"], "ABC_B": [], "ABC_C": ["case"],
                });
                assert_eq!(segments(&api, &rules).await, amount, "{rules}");
            }
            let rub = json!({ "rankBy": "ORDER_AMOUNT", "currency": "RUB" });
            let carpet = json!({
                "by": { "rankBy": "ORDER_AMOUNT", "currency": "RUB" },
                "BEST_SELLERS": ["carpet"], "ABC_A": ["carpet"], "ABC_B": [], "ABC_C": [],
            });
            assert_eq!(segments(&api, &rub).await, carpet);
            // 8 of 12 USD are less than 80 %, so that the phones are of A as well.
            let reward = json!({
                "by": { "rankBy": "REWARD", "currency": "USD" },
                "BEST_SELLERS": ["case", "phone"], "ABC_A": ["case", "phone"], "ABC_B": [], "ABC_C": [],
            });
            assert_eq!(segments(&api, &json!({ "rankBy": "REWARD" })).await, reward);
        }
    });
}

#[test]
fn pages_and_reasons_follow_what_products_are_ranked_by() {
    block_on(async {
        let world = shop(Reads::Database).await;
        let api = Api::of(&world, 0);
        let query = format!(
            "query($rules: ProductRulesInput, $after: String) {{ productSegments(range: {JUNE}, rules: $rules, \
             segments: [BEST_SELLERS]) {{ nodes {{ products(first: 1, after: $after) {{ pageInfo {{ hasNextPage endCursor }} \
             nodes {{ product {{ name }} reasons {{ needed actual }} }} }} }} }} }}"
        );
        let by_amount = json!({ "rankBy": "ORDER_AMOUNT" });
        let page = async |after: Value| {
            let variables = json!({ "rules": by_amount, "after": after });
            api.data(&query, &variables).await["productSegments"]["nodes"][0]["products"].take()
        };
        let first = page(Value::Null).await;
        assert_eq!(
            first["nodes"],
            json!([{ "product": { "name": "phone" }, "reasons": [{
                "needed": "among the 100 of the largest order amount in USD, at least 1 units",
                "actual": "5000.00 USD, 10 units, at place 1",
            }] }])
        );
        let cursor = &first["pageInfo"]["endCursor"];
        let second = page(cursor.clone()).await;
        assert_eq!(second["nodes"][0]["product"]["name"], "case", "{second:#}");
        assert_eq!(second["pageInfo"]["hasNextPage"], false);
        // Another ranking is another list.
        let other = json!({ "rules": { "rankBy": "UNITS" }, "after": cursor });
        let refused = api.answer(&query, &other).await;
        let code = &refused["errors"][0]["extensions"]["code"];
        assert_eq!(code, "BAD_USER_INPUT", "{refused:#}");
    });
}

#[test]
fn a_ranking_that_is_set_goes_for_conditions_and_reports() {
    block_on(async {
        for reads in [Reads::Database, Reads::Columns] {
            let world = shop(reads).await;
            let api = Api::of(&world, 0).allowed(WRITES);
            let change = "mutation($version: BigInt!, $products: ProductRulesInput) { updateSegmentSettings(version: $version, \
                          products: $products) { settings { products { rankBy currency } } userErrors { field code } } }";
            let ask = format!(
                "query($sold: BuiltInProductSegment!) {{ products(filter: {{builtInSegment: $sold}}) {{ nodes {{ name }} }} \
                 actions(range: {JUNE}, filter: {{items: {{some: {{product: {{builtInSegment: $sold}}}}}}}}) {{ totalCount }} \
                 report(range: {JUNE}, groupBy: [PRODUCT_SEGMENT], builtInSegments: [{{products: $sold}}]) {{ nodes {{ \
                 key {{ builtInProductSegment {{ name }} }} values {{ units }} }} }} }}"
            );
            let june = json!({ "days": { "from": "2026-06-01", "to": "2026-06-30" } });
            let sold = json!({ "sold": { "kind": "ABC_A", "period": june } });
            for (version, products, (name, units)) in [
                (0, json!({}), ("case", 81)),
                (1, json!({ "rankBy": "ORDER_AMOUNT" }), ("phone", 10)),
                (2, json!({ "currency": "RUB" }), ("carpet", 2)),
                (3, json!({ "currency": null }), ("phone", 10)),
                (4, json!({ "rankBy": null }), ("case", 81)),
            ] {
                let variables = json!({ "version": version, "products": products });
                let set = api.data(change, &variables).await;
                let errors = &set["updateSegmentSettings"]["userErrors"];
                assert_eq!(*errors, json!([]), "{products}");
                let data = api.data(&ask, &sold).await;
                assert_eq!(
                    data["products"]["nodes"],
                    json!([{ "name": name }]),
                    "{products}"
                );
                assert_eq!(data["actions"]["totalCount"], 1, "{products}");
                let groups = data["report"]["nodes"].as_array().unwrap();
                let of_segment = |group: &&Value| group["key"]["builtInProductSegment"].is_object();
                let group = groups.iter().find(of_segment).unwrap();
                assert_eq!(group["values"]["units"], units, "{products} {data:#}");
            }
            let units = json!({ "version": 5, "products": { "currency": "USD" } });
            let refused = api.data(change, &units).await;
            assert_eq!(
                refused["updateSegmentSettings"],
                json!({ "settings": null, "userErrors": [{ "field": ["products", "currency"], "code": "BAD_USER_INPUT" }] })
            );
        }
    });
}

#[test]
fn a_currency_beside_units_and_a_ranking_by_actions_are_refused() {
    block_on(async {
        let world = shop(Reads::Database).await;
        let api = Api::of(&world, 0);
        let query =
            "query($rules: ProductRulesInput) { productSegments(rules: $rules) { totalCount } }";
        let answer = async |rules: Value| api.answer(query, &json!({ "rules": rules })).await;
        let refused = answer(json!({ "currency": "RUB" })).await;
        let error = &refused["errors"][0];
        assert_eq!(
            error["extensions"]["argument"], "rules.currency",
            "{refused:#}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("leave currency out"), "{message}");
        let refused = answer(json!({ "rankBy": "ACTIONS" })).await;
        let message = refused["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("rankBy") || message.contains("ACTIONS"),
            "{message}"
        );
    });
}

/// So many users: the first ordered once, the second twice and later, and so on.
async fn crowd(count: u32, reads: Reads) -> World {
    let world = World::new(1).await;
    let mut drafts = Vec::new();
    for user in 1..=count {
        for time in 0..user {
            let day = 3 * user + time;
            let when = at(&format!("2026-06-{day:02}T10:00:00Z"));
            let mut draft = sale(&format!("{user} {time}"), when);
            let name = SlotValue::Text(format!("u{user}"));
            draft.slots.insert(Slot::Subid1, name);
            drafts.push(draft);
        }
    }
    world.apply(0, &drafts).await;
    match reads {
        Reads::Database => world,
        Reads::Columns => world.in_columns().await,
    }
}

/// How many are in RFM segments and of high value, and the scores of all users.
async fn scored(api: &Api, rules: &Value) -> (i64, i64, Vec<Value>) {
    let query = format!(
        "query($rules: UserRulesInput) {{ userSegments(range: {JUNE}, rules: $rules) {{ nodes {{ kind size }} }} \
         users(first: 10) {{ nodes {{ value rfm(range: {JUNE}, rules: $rules) {{ score actions }} }} }} }}"
    );
    let data = api.data(&query, &json!({ "rules": rules })).await;
    let nodes = data["userSegments"]["nodes"].as_array().unwrap();
    let others = [
        "NEW",
        "RETURNING",
        "HIGH_VALUE",
        "COUNTRY",
        "DEVICE",
        "UNATTRIBUTED",
    ];
    let sum = |wanted: &dyn Fn(&str) -> bool| -> i64 {
        let nodes = nodes
            .iter()
            .filter(|node| wanted(node["kind"].as_str().unwrap()));
        nodes.map(|node| node["size"].as_i64().unwrap()).sum()
    };
    let mut users: Vec<(String, Value)> = Vec::new();
    for user in data["users"]["nodes"].as_array().unwrap() {
        assert!(user["rfm"]["actions"].is_number(), "{user}");
        let name = user["value"].as_str().unwrap().to_owned();
        users.push((name, user["rfm"]["score"].clone()));
    }
    users.sort_by(|(one, _), (other, _)| one.cmp(other));
    let scores = users.into_iter().map(|(_, score)| score).collect();
    (
        sum(&|kind| !others.contains(&kind)),
        sum(&|kind| kind == "HIGH_VALUE"),
        scores,
    )
}

#[test]
fn a_few_users_are_not_compared_with_each_other() {
    block_on(async {
        for (count, reads) in [
            (1, Reads::Database),
            (4, Reads::Columns),
            (5, Reads::Database),
            (5, Reads::Columns),
        ] {
            let world = crowd(count, reads).await;
            let api = Api::of(&world, 0);
            let all = i64::from(count);
            let places = usize::try_from(count).unwrap();
            let (segments, valued, scores) = scored(&api, &json!({ "monetary": "REWARD" })).await;
            if count < 5 {
                assert_eq!((segments, valued), (0, 0), "{count} users");
                assert_eq!(scores, vec![Value::Null; places], "{count} users");
            } else {
                assert_eq!((segments, valued), (5, 1));
                assert_eq!(scores, ["111", "222", "333", "444", "555"]);
            }
            let moved = "query($rules: UserRulesInput) { userSegmentMovement(days: 30, rules: $rules) { entered } }";
            let entered = async |rules: Value| {
                let data = api.data(moved, &json!({ "rules": rules })).await;
                data["userSegmentMovement"]["entered"].as_i64().unwrap()
            };
            assert_eq!(entered(json!({})).await, segments, "{count} users");
            assert_eq!(entered(json!({ "minimumUsers": 1 })).await, all);
            // Who sets another minimum is told of scores, and fixed values ask for no company.
            let (segments, valued, _) =
                scored(&api, &json!({ "monetary": "REWARD", "minimumUsers": 1 })).await;
            assert_eq!((segments, valued), (all, 1), "{count} users");
            let six = json!({ "monetary": "REWARD", "minimumUsers": 6 });
            assert_eq!(scored(&api, &six).await.0, 0, "{count} users");
            let fixed = json!({
                "monetary": "REWARD",
                "scoring": { "thresholds": { "recencyDays": [7, 14, 21, 28], "actions": [2, 3, 4, 5],
                    "amounts": ["1", "1.5", "2", "2.5"], "currency": "USD" } },
                "highValue": { "amount": { "amount": "0.5", "currency": "USD" } },
            });
            let (segments, valued, scores) = scored(&api, &fixed).await;
            assert_eq!((segments, valued), (all, all), "{count} users");
            assert!(scores.iter().all(Value::is_string), "{scores:?}");
        }
    });
}

#[test]
fn the_minimum_of_users_is_set_and_told_of_in_reasons() {
    block_on(async {
        let world = crowd(4, Reads::Database).await;
        let api = Api::of(&world, 0).allowed(WRITES);
        let change = "mutation($version: BigInt!, $users: UserRulesInput) { updateSegmentSettings(version: $version, \
                      users: $users) { settings { users { minimumUsers } } userErrors { message } } }";
        let june = json!({ "days": { "from": "2026-06-01", "to": "2026-06-30" } });
        let kind = |kind: &str| json!({ "builtInSegment": { "kind": kind, "period": june } });
        let make = "mutation($rule: SegmentRuleInput!) { createSegment(name: \"either\", rule: $rule) { segment { id } } }";
        let rule =
            json!({ "users": { "or": [kind("NEW"), kind("HIGH_VALUE"), kind("CHAMPIONS")] } });
        let made = api.data(make, &json!({ "rule": rule })).await;
        let id = &made["createSegment"]["segment"]["id"];
        let ask = "query($id: ID!, $valued: BuiltInUserSegment!) { users(filter: {builtInSegment: $valued}) { totalCount } \
                   segment(id: $id) { members { nodes { reasons { condition needed actual holds } } } } }";
        let variables = json!({ "id": id, "valued": { "kind": "HIGH_VALUE", "period": june } });
        for (version, minimum, valued) in [(0, Value::Null, 0), (1, json!(4), 1), (2, json!(5), 0)]
        {
            let users = json!({ "monetary": "REWARD", "minimumUsers": minimum });
            let set = api
                .data(change, &json!({ "version": version, "users": users }))
                .await;
            let settings = &set["updateSegmentSettings"]["settings"];
            let least = minimum.as_i64().unwrap_or(5);
            assert_eq!(settings["users"]["minimumUsers"], least, "{set:#}");
            let data = api.data(ask, &variables).await;
            assert_eq!(data["users"]["totalCount"], valued, "{minimum}");
            let reasons = data["segment"].to_string();
            let told = [
                "fewer than 5 users to compare: 2.00 USD",
                "fewer than 5 users to compare: 4 actions",
            ];
            for text in told {
                assert_eq!(reasons.contains(text), valued == 0, "{minimum}: {reasons}");
            }
        }
    });
}
