//! Sentences of segments that list their members: the first of them are called by their names, as far as whoever looks sees them.

use super::api::id_of;
use crate::support::api::Api;
use crate::support::drafts::Shape;
use crate::support::world::{World, block_on};
use actiongraph::domain::limits::Limits;
use serde_json::{Value, json};

const SHAPE: Shape = Shape {
    drafts: 260,
    actions: 200,
    wild: false,
};

/// A product id that no product has.
const UNKNOWN: &str = "1005009999999999";

/// A rule in words, as a preview tells it.
async fn previewed(api: &Api, rule: &Value) -> String {
    let query = "query($rule: SegmentRuleInput!) { previewSegment(rule: $rule) { sentence problems { message } } }";
    let data = api.data(query, &json!({ "rule": rule })).await;
    let preview = &data["previewSegment"];
    assert_eq!(preview["problems"], json!([]), "{rule}");
    preview["sentence"].as_str().unwrap().to_owned()
}

fn quoted(value: &Value) -> String {
    format!("{:?}", value.as_str().unwrap())
}

#[test]
fn listed_members_are_called_by_their_names() {
    block_on(async {
        let world = World::rich(39, SHAPE).await;
        let api = Api::of(&world, 0);
        let query = "{ products(first: 5, filter: {externalId: {isNull: false}, name: {isNull: false}}) { nodes { id name \
                     externalId } } users(first: 5) { nodes { id value } } }";
        let known = api.data(query, &json!({})).await;
        let products = known["products"]["nodes"].as_array().unwrap();
        let users = known["users"]["nodes"].as_array().unwrap();
        assert_eq!((products.len(), users.len()), (5, 5), "{known:#}");

        // Ids come first, then what is listed otherwise; who is not there is counted.
        let two = json!({ "products": { "members": { "ids": [products[0]["id"]],
            "externalIds": [products[1]["externalId"], UNKNOWN] } } });
        let names = (quoted(&products[0]["name"]), quoted(&products[1]["name"]));
        assert_eq!(
            previewed(&api, &two).await,
            format!(
                "Products: one of 3 listed: {}, {} and 1 more",
                names.0, names.1
            )
        );
        let one = json!({ "products": { "members": { "ids": [products[0]["id"]] } } });
        assert_eq!(
            previewed(&api, &one).await,
            format!("Products: one of 1 listed: {}", names.0)
        );
        let none = json!({ "products": { "members": { "externalIds": [UNKNOWN] } } });
        assert_eq!(previewed(&api, &none).await, "Products: one of 1 listed");

        let mut values: Vec<&str> = users
            .iter()
            .map(|user| user["value"].as_str().unwrap())
            .collect();
        let by_value = json!({ "users": { "members": { "values": values } } });
        values.sort_unstable();
        values.dedup();
        let told: Vec<String> = values
            .iter()
            .take(3)
            .map(|value| format!("{value:?}"))
            .collect();
        let more = values.len() - told.len();
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let all = format!(
            "Users: one of {} listed: {}{more}",
            values.len(),
            told.join(", ")
        );
        assert_eq!(previewed(&api, &by_value).await, all);
        let by_id = json!({ "users": { "members": { "ids": [users[0]["id"]] } } });
        assert_eq!(
            previewed(&api, &by_id).await,
            format!("Users: one of 1 listed: {}", quoted(&users[0]["value"]))
        );

        // A page of segments takes one statement for the products of all of them, and none for values.
        id_of(&api, "a", by_value).await;
        id_of(&api, "b", two).await;
        id_of(&api, "c", one).await;
        for (first, statements) in [(1, 2), (2, 3), (3, 3)] {
            let _ = api.statements.take();
            let query =
                "query($first: Int) { segments(first: $first) { nodes { name sentence } } }";
            let data = api.data(query, &json!({ "first": first })).await;
            let sent = api.statements.take();
            assert_eq!(sent.len(), statements, "{first}: {}", sent.join("\n"));
            assert_eq!(data["segments"]["nodes"][0]["sentence"], all.as_str());
        }
        let reasons = "{ segments(first: 3) { nodes { name members(first: 2) { nodes { reasons { condition } } } } } }";
        let data = api.data(reasons, &json!({})).await;
        let condition = &data["segments"]["nodes"][2]["members"]["nodes"][0]["reasons"][0];
        assert_eq!(
            condition["condition"],
            format!("one of 1 listed: {}", names.0)
        );
    });
}

/// What a key does not see has no name in what it is told, and neither has who is known by values that it may not know.
#[test]
fn nobody_is_called_by_a_name_that_the_viewer_does_not_see() {
    block_on(async {
        let world = World::rich(39, SHAPE).await;
        let api = Api::of(&world, 0);
        let query = "{ products(first: 3, filter: {externalId: {isNull: false}}) { nodes { id externalId } } \
                     users(first: 3) { nodes { id value } } }";
        let known = api.data(query, &json!({})).await;
        let products = known["products"]["nodes"].as_array().unwrap();
        let users = known["users"]["nodes"].as_array().unwrap();
        let nobody = Limits {
            ad_spaces: Some(Vec::new()),
            ..Limits::default()
        };
        let blind = Api::limited(&world, 0, nobody);
        for (rule, sentence) in [
            (
                json!({ "products": { "members": { "ids": [products[0]["id"]],
                    "externalIds": [products[1]["externalId"]] } } }),
                "Products: one of 2 listed",
            ),
            (
                json!({ "users": { "members": { "ids": [users[0]["id"]] } } }),
                "Users: one of 1 listed",
            ),
            (
                json!({ "users": { "members": { "values": [users[1]["value"], users[2]["value"]] } } }),
                "Users: one of 2 listed",
            ),
        ] {
            assert_eq!(previewed(&blind, &rule).await, sentence, "{rule}");
        }
        let hidden = Limits {
            hide_user_keys: true,
            ..Limits::default()
        };
        let hiding = Api::limited(&world, 0, hidden);
        let shown = hiding
            .data("{ users(first: 1) { nodes { id } } }", &json!({}))
            .await;
        let id = &shown["users"]["nodes"][0]["id"];
        let rule = json!({ "users": { "members": { "ids": [id] } } });
        assert_eq!(previewed(&hiding, &rule).await, "Users: one of 1 listed");
        // What products are called is no secret to it.
        let rule = json!({ "products": { "members": { "ids": [products[0]["id"]] } } });
        let sentence = previewed(&hiding, &rule).await;
        assert!(
            sentence.starts_with("Products: one of 1 listed: \""),
            "{sentence}"
        );
    });
}
