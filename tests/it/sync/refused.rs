//! Records of lists, balances, commission rates and links that cannot be read: kept like those of actions, told by the
//! API, and in nobody's way.

use super::{DAY, HOUR, MINUTE, Stage, balances, commissions, failures};
use crate::support::admitad::{Request, Trouble, World};
use crate::support::api::Api;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::sync::{Condition, Feed};
use actiongraph::worker::upkeep;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
                       {"id":{"none":1},"gotolink":"https://ad.admitad.com/g/x/"}],"_meta":{"count":2}}"#,
    ),
    (
        "advcampaigns",
        r#"{"results":[{"id":6115,"name":"AliExpress WW","connection_status":"active","currency":"USD"},
                       {"id":7,"currency":"dollars","feeds_info":[{"xml_link":"http://export.admitad.com/feed?code=f00d"}]}],"_meta":{"count":2}}"#,
    ),
    (
        "websites",
        r#"{"results":[{"id":2001,"name":"My blog"},{"name":"without an id"}],"_meta":{"count":2}}"#,
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

/// They are no actions: trying them again as such is refused with what will become of them.
async fn cannot_be_retried(api: &Api, run: &Value, what: &str) {
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

/// Rejected records are kept like those of files, and no longer; their runs stay.
async fn are_forgotten_in_time(stage: &Stage, api: &Api, runs: usize) {
    let kept = std::time::Duration::from_secs(90 * DAY);
    let forget = async || upkeep::forget_rejects(&stage.world.store, kept, stage.now()).await;
    let held = async || {
        stage
            .world
            .rows::<entity::import_reject::Entity>(0)
            .await
            .len()
    };
    let before = held().await;
    assert!(!forget().await.unwrap());
    assert_eq!(held().await, before);
    stage.pass(91 * DAY);
    while forget().await.unwrap() {}
    assert_eq!(held().await, 0);
    let told = rejected(api).await;
    assert_eq!(told.len(), runs, "their runs still count them");
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
        cannot_be_retried(&api, run, what).await;
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
    are_forgotten_in_time(&stage, &api, runs.len()).await;
}

/// A page of an ad space's links: one program has another link now, one cannot be read, one is left out.
fn links(ad_space: &str, with_refused: bool) -> Value {
    let link = |of: &str| {
        json!(format!(
            "https://ad.admitad.com/g/code{ad_space}of{of}/?i=4"
        ))
    };
    let readable = json!({"id": 25_179, "gotolink": link("25179"), "connection_status": "active"});
    let refused = json!({"id": 25_179, "gotolink": {"none": 1}, "connection_status": "active"});
    json!({"results": [
        {"id": 6115, "gotolink": link("6115new"), "connection_status": "active"},
        if with_refused { refused } else { readable },
    ], "_meta": {"count": 2}})
}

/// The rates of the products that are asked for: of the first one nothing that can be read, of the second one nothing.
fn rates(request: &Request) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let urls = body["urls"].as_array().unwrap().iter().enumerate();
    let rows = urls.filter(|(place, _)| *place != 1).map(|(place, url)| {
        let rate = if place == 0 { "lots" } else { "9.99" };
        json!({"url": url, "commission_rate": rate, "hot_commission_rate": null, "is_hot": false})
    });
    json!({"commission_rates": rows.collect::<Vec<_>>()})
}

/// What each list answers from now on: a good record that says something new, one that is refused, and some say nothing
/// of what they told before.
fn refuse(request: &Request, world: &mut World) {
    let path = request.path.trim_matches('/').to_owned();
    let body = match path.as_str() {
        "websites" => json!({"results": [
            {"id": 2001, "name": "My blog"}, {"id": 2002, "name": {"none": 1}}, {"id": 2005, "name": "One more"},
        ], "_meta": {"count": 3}}),
        "advcampaigns" => json!({"results": [
            {"id": 6115, "name": "AliExpress WW", "connection_status": "active", "currency": "USD", "max_hold_time": 61},
            {"id": 25_179, "name": "AliExpress RU&CIS NEW", "connection_status": "pending", "currency": "roubles"},
        ], "_meta": {"count": 2}}),
        "aliexpress/commission_rates" => rates(request),
        path => match path.strip_prefix("advcampaigns/website/") {
            Some(space) => links(space, true),
            None => return,
        },
    };
    let (status, kind) = (200, "application/json");
    let body = body.to_string().into_bytes();
    world.trouble(&path, Trouble::Answer { status, kind, body });
}

/// The stored links by ad space and program, as Admitad calls them.
async fn shown(stage: &Stage) -> BTreeMap<(String, String), String> {
    let spaces = stage.world.rows::<entity::ad_space::Entity>(0).await;
    let programs = stage.world.rows::<entity::program::Entity>(0).await;
    let links = stage.world.rows::<entity::deeplink::Entity>(0).await;
    let named = links.into_iter().map(|link| {
        let space = spaces.iter().find(|row| row.id == link.ad_space_id);
        let program = programs.iter().find(|row| row.id == link.program_id);
        let id = |id: Option<String>| id.unwrap_or_default();
        let space = id(space.unwrap().external_id.clone());
        let program = id(program.unwrap().external_id.clone());
        ((space, program), link.base)
    });
    named.collect()
}

/// What an ad space is called.
fn name(rows: &[entity::ad_space::Model], id: &str) -> Option<String> {
    let mut rows = rows.iter();
    let row = rows.find(|row| row.external_id.as_deref() == Some(id));
    row.map(|row| row.name.clone())
}

/// The links that each request for rates named.
fn rates_asked_for(stage: &Stage) -> Vec<Vec<String>> {
    let requests = stage.fake.take_log().into_iter();
    let requests = requests.filter(|request| request.path == "/aliexpress/commission_rates/");
    let urls = requests.map(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        serde_json::from_value(body["urls"].clone()).unwrap()
    });
    urls.collect()
}

/// Answers a request for links with few of them, all of them sound.
fn tell_few_links(request: &Request, world: &mut World) {
    let path = request.path.trim_matches('/').to_owned();
    if let Some(space) = path.strip_prefix("advcampaigns/website/") {
        let body = links(space, false).to_string().into_bytes();
        let (status, kind) = (200, "application/json");
        world.trouble(&path, Trouble::Answer { status, kind, body });
    }
}

#[tokio::test]
async fn a_refused_record_takes_nothing_away_and_keeps_nothing_from_the_good_ones() {
    let stage = Stage::still(9, 1_000).await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    let links_before = shown(&stage).await;
    assert_eq!(links_before.len(), 3 * 3);
    let programs_before = stage.world.rows::<entity::program::Entity>(0).await;
    let spaces_before = stage.world.rows::<entity::ad_space::Entity>(0).await;
    stage.fake.world(|world| world.before_each(refuse));
    // A week later products are asked for again, too.
    stage.pass(8 * DAY);
    let rates_before: BTreeMap<_, _> = commissions(&stage)
        .await
        .into_iter()
        .map(|row| (row.product_id, row))
        .collect();
    stage.fake.take_log();
    let outcomes = stage.drive(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());

    // Links: what is told anew is taken, what is refused or not told stays.
    let mut wanted = links_before.clone();
    for space in ["2001", "2002", "2003", "2005"] {
        let base = format!("https://ad.admitad.com/g/code{space}of6115new/");
        wanted.insert((space.to_owned(), "6115".to_owned()), base);
    }
    assert_eq!(shown(&stage).await, wanted);
    // Programs and ad spaces likewise.
    let programs = stage.world.rows::<entity::program::Entity>(0).await;
    assert_eq!(programs.len(), programs_before.len());
    for (now, before) in programs.iter().zip(&programs_before) {
        if now.external_id.as_deref() == Some("6115") {
            assert_eq!((before.max_hold_days, now.max_hold_days), (None, Some(61)));
        } else {
            assert_eq!(now, before);
        }
    }
    let spaces = stage.world.rows::<entity::ad_space::Entity>(0).await;
    assert_eq!(name(&spaces, "2005").as_deref(), Some("One more"));
    for id in ["2001", "2002", "2003"] {
        assert_eq!(name(&spaces, id), name(&spaces_before, id));
    }
    assert_eq!(spaces.len(), spaces_before.len() + 1);
    // Rates: whatever was not answered in an answer with a refused record stays; the others are those that were told.
    let requests = rates_asked_for(&stage);
    assert!(requests.len() > 1, "{}", requests.len());
    let mut asked: Vec<&String> = requests.iter().flatten().collect();
    let unread: Vec<&String> = requests
        .iter()
        .flat_map(|urls| urls.iter().take(2))
        .collect();
    let products = stage.world.rows::<entity::product::Entity>(0).await;
    for row in commissions(&stage).await {
        let product = products.iter().find(|product| product.id == row.product_id);
        let url = product.unwrap().url.as_ref().unwrap();
        match rates_before.get(&row.product_id) {
            Some(before) if unread.contains(&url) || !asked.contains(&url) => {
                assert!(before.rate_e4.is_some());
                assert_eq!(&row, before);
            }
            _ => assert_eq!(row.rate_e4, Some(99_900), "{url}"),
        }
    }
    assert_eq!(commissions(&stage).await.len(), rates_before.len());
    // None is asked for twice: one that can never be read keeps the others from nothing.
    let count = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), count);

    // Read without a fault, what is not told any more is gone.
    stage.fake.world(|world| world.before_each(tell_few_links));
    stage.pass(DAY + MINUTE);
    stage.drive(&mut sync).await;
    wanted.retain(|(space, program), _| program != "14289" && space != "2005");
    let mut told = shown(&stage).await;
    told.retain(|(space, _), _| space != "2005");
    assert_eq!(told, wanted);
}
