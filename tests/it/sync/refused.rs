//! Records of lists, balances, commission rates and links that cannot be read: kept like those of actions, told by the
//! API, and in nobody's way.

use super::{DAY, HOUR, MINUTE, Stage, balances, commissions, failures};
use crate::support::admitad::Trouble;
use crate::support::api::Api;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::sync::{Condition, Feed};
use serde_json::{Value, json};

/// What Admitad answers to each request, a sound record and one that is none.
const ANSWERS: [(&str, &str); 5] = [
    (
        "me/balance/extended",
        r#"[{"currency":"USD","balance":"12.50","processing":"1.00","today":"0.00","stalled":"0.00"},
            {"currency":"EUR","balance":"twelve","processing":"1.00","today":"0.00","stalled":"0.00"}]"#,
    ),
    (
        "aliexpress/commission_rates",
        r#"{"commission_rates":[{"url":"https://www.aliexpress.com/item/1.html","commission_rate":"lots"}]}"#,
    ),
    (
        "advcampaigns/website/2001",
        r#"{"results":[{"id":6115,"gotolink":"https://ad.admitad.com/g/code2001of6115/?i=4","connection_status":"active"},
                       {"id":{"none":1},"gotolink":"https://ad.admitad.com/g/x/"}]}"#,
    ),
    (
        "advcampaigns",
        r#"{"results":[{"id":6115,"name":"AliExpress WW","connection_status":"active","currency":"USD"},
                       {"id":7,"currency":"dollars","feeds_info":[{"xml_link":"http://export.admitad.com/feed?code=f00d"}]}]}"#,
    ),
    (
        "websites",
        r#"{"results":[{"id":2001,"name":"My blog"},{"name":"without an id"}]}"#,
    ),
];

/// The rejected records of every run of the sync, by what the run read.
async fn rejected(api: &Api) -> Vec<Value> {
    let query = "{ imports(first: 100) { nodes { id name state counts { read rejected } \
                 rejectedRecords { nodes { ordinal reason field message raw } } } } }";
    let mut runs = api.data(query, &json!({})).await["imports"]["nodes"].take();
    let runs = runs.as_array_mut().unwrap();
    runs.retain(|run| run["counts"]["rejected"] != json!(0));
    std::mem::take(runs)
}

#[tokio::test]
async fn what_is_refused_of_lists_and_balances_is_kept_with_its_reason() {
    let stage = Stage::still(9, 300).await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    let api = Api::of(&stage.world, 0).allowed(&[KeyScope::Read, KeyScope::Import]);
    assert_eq!(rejected(&api).await, Vec::<Value>::new());
    let rates = commissions(&stage).await.len();
    // From now on each answer has a record that cannot be read.
    stage.fake.world(|world| {
        world.before_each(|request, world| {
            let path = request.path.trim_matches('/');
            if let Some((path, body)) = ANSWERS.into_iter().find(|(known, _)| *known == path) {
                world.trouble(path, Trouble::Status(200, body, None));
            }
        });
    });
    // A week later products are asked for again, too.
    stage.pass(8 * DAY);
    let outcomes = stage.drive(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    let runs = rejected(&api).await;
    for (what, reason, field, raw) in [
        ("balance", "BAD_VALUE", Some("balance"), "twelve"),
        (
            "commission rates",
            "BAD_VALUE",
            Some("commission_rate"),
            "lots",
        ),
        ("affiliate links", "BAD_VALUE", Some("id"), "none"),
        ("programs", "BAD_VALUE", Some("currency"), "dollars"),
        ("ad spaces", "MISSING_FIELD", Some("id"), "without an id"),
    ] {
        let name = format!("main: {what}");
        let run = runs
            .iter()
            .find(|run| run["name"] == json!(name))
            .unwrap_or_else(|| panic!("no run of {what}: {runs:#?}"));
        assert_eq!(run["state"], "PARTIAL", "{run:#}");
        let kept = run["rejectedRecords"]["nodes"].as_array().unwrap();
        assert_eq!(json!(kept.len()), run["counts"]["rejected"], "{run:#}");
        assert!(run["counts"]["read"].as_i64() >= run["counts"]["rejected"].as_i64());
        let first = &kept[0];
        assert_eq!(
            (&first["reason"], &first["field"]),
            (&json!(reason), &json!(field))
        );
        assert!(first["raw"].as_str().unwrap().contains(raw), "{first:#}");
        assert!(
            !first["raw"].as_str().unwrap().contains("f00d"),
            "{first:#}"
        );
        // They are no actions: trying them again as such is refused with what will become of them.
        let mutation = format!(
            "mutation {{ retryRejectedRecords(run: {}, all: true) {{ run {{ id }} userErrors {{ field code message }} }} }}",
            run["id"]
        );
        let told = api.data(&mutation, &json!({})).await["retryRejectedRecords"].clone();
        assert_eq!(told["run"], json!(null), "{what}");
        assert_eq!(told["userErrors"][0]["code"], "BAD_USER_INPUT");
        let message = told["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("read again by itself"), "{message}");
    }
    // The sound records beside them came in, and nothing stopped.
    let held = balances(&stage).await;
    assert!(held.iter().any(|row| row.balance_e4 == 125_000), "{held:?}");
    assert_eq!(commissions(&stage).await.len(), rates);
    let state = sync.state().await.unwrap();
    for feed in [
        Feed::Balance,
        Feed::Commissions,
        Feed::Links,
        Feed::Programs,
    ] {
        assert_eq!(state.feed(feed).condition, Condition::Waiting, "{feed:?}");
    }
    // In order again, the next read has nothing to refuse.
    stage.fake.world(|world| world.before_each(|_, _| {}));
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(rejected(&api).await.len(), runs.len());
    let open = stage.world.rows::<entity::import_run::Entity>(0).await;
    assert!(open.iter().all(|run| run.state != "RUNNING"), "{open:?}");
}
