//! What the network tells of a program that the shipped catalogue does not know: it is shown, and filters know it.

use super::{DAY, MINUTE, Stage};
use crate::support::admitad::{Action, Trouble};
use crate::support::api::Api;
use serde_json::{Value, json};

/// The list of programs: a shipped one, and two of the publisher's own.
fn programs(countries: &Value, cookie_days: &Value) -> Vec<u8> {
    json!({"results": [
        {"id": 14_289, "name": "AliExpress TR", "connection_status": "active", "goto_cookie_lifetime": 9,
         "avg_money_transfer_time": 40, "action_countries": ["DE"], "allow_actions_all_countries": false},
        {"id": 77, "name": "Shoes", "connection_status": "active", "currency": "USD", "goto_cookie_lifetime": cookie_days,
         "avg_money_transfer_time": "26.4", "action_countries": countries, "allow_actions_all_countries": false},
        {"id": 78, "name": "Hats", "connection_status": "active", "currency": "USD", "allow_actions_all_countries": true},
    ], "_meta": {"count": 3, "limit": 500, "offset": 0}})
    .to_string()
    .into_bytes()
}

fn tell(stage: &Stage, countries: Value, cookie_days: Value) {
    stage.fake.world(|world| {
        world.before_each(move |request, world| {
            if request.path == "/advcampaigns/" {
                let body = programs(&countries, &cookie_days);
                let (status, kind) = (200, "application/json");
                world.trouble("advcampaigns", Trouble::Answer { status, kind, body });
            }
        });
    });
}

async fn shown(api: &Api) -> Vec<Value> {
    let query = "{ programs(first: 20) { nodes { externalId cookieDays paymentDays pl: eligibility(country: \"PL\") \
                 de: eligibility(country: \"DE\") tr: eligibility(country: \"TR\") } } }";
    let mut data = api.data(query, &json!({})).await;
    let mut nodes = data["programs"]["nodes"].take();
    let nodes = nodes.as_array_mut().unwrap();
    nodes.retain(|node| {
        ["77", "78", "14289"]
            .map(Value::from)
            .contains(&node["externalId"])
    });
    nodes.sort_by_key(|node| node["externalId"].to_string());
    std::mem::take(nodes)
}

/// The ids of the actions of an eligibility.
async fn of(api: &Api, eligibility: &str) -> Vec<Value> {
    let query = format!(
        "{{ actions(first: 20, filter: {{ eligibility: {{ in: [{eligibility}] }} }}) {{ nodes {{ externalId eligibility }} }} }}"
    );
    let data = api.data(&query, &json!({})).await;
    let nodes = data["actions"]["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["eligibility"] == eligibility));
    let mut ids: Vec<Value> = nodes
        .iter()
        .map(|node| node["externalId"].clone())
        .collect();
    ids.sort_by_key(Value::to_string);
    ids
}

#[tokio::test]
async fn programs_that_are_not_shipped_have_the_details_that_the_network_tells() {
    let stage = Stage::new().await;
    let sale = |id: i64, program: i64, country: Option<&'static str>| Action {
        program,
        country,
        ..Action::sale(id, "2026-03-05 10:00:00")
    };
    stage.fake.world(|world| {
        world.put([
            sale(1, 77, Some("PL")),
            sale(2, 77, Some("TR")),
            sale(3, 77, None),
            sale(4, 78, Some("TR")),
            sale(5, 14_289, Some("TR")),
            sale(6, 14_289, Some("DE")),
        ]);
    });
    tell(&stage, json!(["pl", "DE", "Europe"]), json!(30));
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    let api = Api::of(&stage.world, 0);
    // Of a shipped program the rules are the catalogue's.
    let shipped = json!({"externalId": "14289", "cookieDays": 9, "paymentDays": 40, "pl": "UNKNOWN", "de": "UNKNOWN",
                         "tr": "FULL"});
    let open = json!({"externalId": "78", "cookieDays": null, "paymentDays": null, "pl": "FULL", "de": "FULL",
                      "tr": "FULL"});
    let own = |cookie_days: i32, de: &str| {
        json!({"externalId": "77", "cookieDays": cookie_days, "paymentDays": 26, "pl": "FULL", "de": de,
               "tr": "NOT_PAID"})
    };
    assert_eq!(
        shown(&api).await,
        [shipped.clone(), own(30, "FULL"), open.clone()]
    );
    assert_eq!(of(&api, "FULL").await, ["1", "4", "5"]);
    assert_eq!(of(&api, "NOT_PAID").await, ["2"]);
    assert_eq!(of(&api, "UNKNOWN").await, ["3", "6"]);
    // What the network changes is changed; what it no longer tells stays.
    tell(&stage, json!(["PL"]), Value::Null);
    stage.pass(DAY + MINUTE);
    stage.drive(&mut sync).await;
    let api = Api::of(&stage.world, 0);
    assert_eq!(shown(&api).await, [shipped, own(30, "NOT_PAID"), open]);
}
