//! Where traffic goes: templates and links through the API, products worth sending traffic to against a plain
//! computation, files of them, and what names the users of an ad space.

mod chosen;
mod partners;
mod reasons;
mod users;

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::naive::counted;
use crate::support::server::{Running, key_of, running};
use crate::support::world::{Facts, World, block_on};
use actiongraph::access::REMEMBERED;
use actiongraph::access::keys::Administrator;
use actiongraph::domain::deeplink::Template;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::limits::Limits;
use actiongraph::domain::money::Currency;
use actiongraph::domain::sales::{AxisRange, DateAxis, FactQuery};
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::{Instant, Span, Zone};
use actiongraph::domain::traffic::{ConfiguredDeeplink, LinkSettings};
use actiongraph::store::keys::Changed;
use actiongraph::worker::links::named_in_vain;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const BASE: &str = "https://ad.admitad.com/g/0123456789abcdef0123456789abcd/";

async fn imported(body: String) -> Running {
    let server = running("").await;
    send(&server, 0, body).await;
    server
}

async fn send(server: &Running, place: usize, body: String) {
    let request = server.client.post(server.at("/import?wait=true"));
    let answer = request.bearer_auth(&server.keys[place]).body(body).send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    assert_eq!(answer["run"]["state"], "SUCCEEDED", "{answer}");
}

/// An order of a product: number, product, name, status, reward, days before the server's present.
type Order<'a> = (u32, &'a str, &'a str, &'a str, &'a str, i64);

fn page(server_now: Instant, orders: &[Order<'_>]) -> String {
    let actions: Vec<Value> = orders
        .iter()
        .map(|(number, product, name, status, reward, days)| {
            let micros = server_now.micros() - days * 86_400_000_000;
            let ordered = Instant::from_micros(micros).unwrap().to_rfc3339();
            let ordered = ordered.get(..19).unwrap().replace('T', " ");
            let updated = if *status == "pending" { "" } else { &ordered };
            json!({
                "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": 6115,
                "advcampaign_name": "AliExpress WW", "website_id": 501, "website_name": "My blog",
                "click_country_code": "DE", "action_type": "sale", "cart": 100, "status": status, "processed": 0,
                "subid1": format!("u{number}"), "subid2": "post-1", "payment": reward, "currency": "USD",
                "positions": [{ "id": number + 1, "amount": "100.00", "payment": reward, "rate": "6.00", "percentage": true,
                    "product_id": product, "product_name": name }],
                "paid": 0, "action_date": ordered, "click_date": ordered, "status_updated": updated,
            })
        })
        .collect();
    json!({ "results": actions, "_meta": { "count": actions.len(), "limit": 500, "offset": 0 } })
        .to_string()
}

fn epoch() -> Instant {
    Instant::from_utc(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000)).unwrap()
}

/// Ten orders: of product 11 five, the best; of 22 four, one a formula by its name; of 33 one lucky one.
fn orders() -> String {
    page(
        epoch(),
        &[
            (1, "11", "Cable", "approved", "6.00", 3),
            (2, "11", "Cable", "approved", "6.00", 4),
            (3, "11", "Cable", "pending", "6.00", 5),
            (4, "11", "Cable", "declined", "6.00", 6),
            (5, "11", "Cable", "approved", "2.00", 60),
            (
                6,
                "22",
                "=HYPERLINK(\"http://evil.example\")",
                "approved",
                "1.00",
                3,
            ),
            (
                7,
                "22",
                "=HYPERLINK(\"http://evil.example\")",
                "approved",
                "1.00",
                3,
            ),
            (
                8,
                "22",
                "=HYPERLINK(\"http://evil.example\")",
                "approved",
                "1.00",
                3,
            ),
            (9, "33", "Lucky", "approved", "500.00", 3),
            (10, "11", "Cable", "declined", "3.00", 70),
        ],
    )
}

async fn ids(server: &Running, place: usize) -> (String, String, String) {
    let query = "{ adSpaces { nodes { id } } programs(filter: {externalId: {eq: \"6115\"}}) { nodes { id } } \
                 products(filter: {externalId: {eq: \"11\"}}) { nodes { id } } }";
    let data = server.data(place, query).await;
    let of = |list: &str| {
        data[list]["nodes"][0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (of("adSpaces"), of("programs"), of("products"))
}

fn set(space: &str, program: &str, base: &str, more: &str) -> String {
    format!(
        "mutation {{ setDeeplink(adSpace: \"{space}\", program: \"{program}\", base: \"{base}\"{more}) {{ deeplink {{ base \
         targetParameter parameters {{ name value }} source isUsed changedAt adSpace {{ name }} program {{ name }} }} \
         userErrors {{ field code message }} }} }}"
    )
}

#[tokio::test]
async fn a_template_is_stored_checked_shown_and_removed() {
    let server = imported(orders()).await;
    let (space, program, _) = ids(&server, 0).await;
    let wrong = |base: &str, more: &str| set(&space, &program, base, more);
    for (query, field, part) in [
        (
            wrong("http://ad.admitad.com/g/abcdefgh/", ""),
            "base",
            "https://",
        ),
        (
            wrong("https://evil.example/g/abcdefgh/", ""),
            "base",
            "deeplink_hosts",
        ),
        (
            wrong(BASE, ", targetParameter: \"subid1\""),
            "targetParameter",
            "SubID",
        ),
        (
            wrong(
                BASE,
                ", parameters: [{name: \"i\", value: \"1\"}, {name: \"i\", value: \"2\"}]",
            ),
            "parameters.1.name",
            "twice",
        ),
        (set("x", &program, BASE, ""), "adSpace", "adSpaces"),
        (set(&space, "x", BASE, ""), "program", "programs"),
    ] {
        let data = server.data(0, &query).await;
        let done = &data["setDeeplink"];
        assert_eq!(done["deeplink"], Value::Null, "{query}");
        let error = &done["userErrors"][0];
        let place: Vec<&str> = field.split('.').collect();
        assert_eq!(error["field"], json!(place), "{query}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}

#[tokio::test]
async fn templates_need_a_scope_and_move_the_version() {
    let server = imported(orders()).await;
    let (space, program, _) = ids(&server, 0).await;
    let wrong = |base: &str, more: &str| set(&space, &program, base, more);
    // Who may read only may not, and nobody sees another's ad space.
    let scopes = [KeyScope::Read, KeyScope::Import];
    let reader = key_of(&server.store, &server.publishers[0], &scopes, server.now()).await;
    let refused = server.ask(&reader, &wrong(BASE, "")).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let foreign = server.data(1, &wrong(BASE, "")).await;
    assert_eq!(foreign["setDeeplink"]["userErrors"][0]["code"], "NOT_FOUND");

    let version = "{ topSellingProducts(range: {preset: TODAY}) { info { dataVersion } } }";
    let before = server.data(0, version).await;
    let more = ", parameters: [{name: \"erid\", value: \"LjN 8\"}]";
    let query = wrong(&format!("{BASE}?i=4"), more);
    let stored = server.data(0, &query).await;
    let deeplink = &stored["setDeeplink"]["deeplink"];
    assert_eq!(deeplink["source"], "BY_HAND");
    assert_eq!(
        deeplink["parameters"],
        json!([{ "name": "i", "value": "4" }, { "name": "erid", "value": "LjN 8" }])
    );
    assert_ne!(server.data(0, version).await, before);
    let again = server.data(0, version).await;
    server.data(0, &query).await;
    assert_eq!(
        server.data(0, version).await,
        again,
        "the same again changes nothing"
    );
    let shown = server
        .data(
            0,
            "{ adSpaces { nodes { deeplinks { base isUsed source } } } }",
        )
        .await;
    assert_eq!(
        shown["adSpaces"]["nodes"][0]["deeplinks"],
        json!([{ "base": BASE, "isUsed": true, "source": "BY_HAND" }])
    );
    // Each mutation of a document answers what it wrote, not what the first of them saw.
    let both = format!(
        "mutation {{ one: setDeeplink(adSpace: \"{space}\", program: \"{program}\", base: \"{BASE}?i=1\") {{ deeplink \
         {{ parameters {{ value }} }} }} two: setDeeplink(adSpace: \"{space}\", program: \"{program}\", base: \
         \"{BASE}\") {{ deeplink {{ parameters {{ value }} }} }} }}"
    );
    let data = server.data(0, &both).await;
    assert_eq!(
        data["one"]["deeplink"]["parameters"],
        json!([{ "value": "1" }])
    );
    assert_eq!(data["two"]["deeplink"]["parameters"], json!([]));
    let remove = format!(
        "mutation {{ removeDeeplink(adSpace: \"{space}\", program: \"{program}\") {{ removed deeplink {{ base }} \
         userErrors {{ message }} }} }}"
    );
    let gone = json!({ "removed": true, "deeplink": null, "userErrors": [] });
    assert_eq!(server.data(0, &remove).await["removeDeeplink"], gone);
    let gone = json!({ "removed": false, "deeplink": null, "userErrors": [] });
    assert_eq!(server.data(0, &remove).await["removeDeeplink"], gone);
}

#[tokio::test]
async fn a_link_is_made_for_the_country_and_says_why_there_is_none() {
    let server = imported(orders()).await;
    let (space, program, product) = ids(&server, 0).await;
    let link = |arguments: &str| {
        format!(
            "{{ node(id: \"{product}\") {{ ... on Product {{ affiliateLink({arguments}) {{ url target kind isHot reason \
             explanation program {{ name }} adSpace {{ name }} warnings {{ code }} }} }} }} }}"
        )
    };
    let of = |data: &Value| data["node"]["affiliateLink"].clone();
    let none = of(&server
        .data(0, &link(&format!("adSpace: \"{space}\"")))
        .await);
    assert_eq!(
        (&none["url"], &none["reason"]),
        (&Value::Null, &json!("NO_TEMPLATE"))
    );
    assert!(
        none["explanation"]
            .as_str()
            .unwrap()
            .contains("setDeeplink"),
        "{none}"
    );
    server.data(0, &set(&space, &program, BASE, "")).await;
    let made = of(&server
        .data(
            0,
            &link("country: \"DE\", subids: {subid: \"blog & co\", subid4: \"клик\"}"),
        )
        .await);
    assert_eq!(
        made["url"],
        format!(
            "{BASE}?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F11.html&subid=blog%20%26%20co\
             &subid4=%D0%BA%D0%BB%D0%B8%D0%BA"
        )
    );
    assert_eq!(made["target"], "https://www.aliexpress.com/item/11.html");
    assert_eq!(
        (&made["kind"], &made["reason"]),
        (&json!("DEEPLINK"), &json!("COUNTRY_PAID"))
    );
    assert_eq!(made["program"]["name"], "AliExpress WW");
    let unpaid = of(&server.data(0, &link("country: \"KZ\"")).await);
    assert_eq!(
        (&unpaid["url"], &unpaid["reason"]),
        (&Value::Null, &json!("NO_PROGRAM_PAYS"))
    );
    let named = of(&server
        .data(
            0,
            &link(&format!("country: \"KZ\", program: \"{program}\"")),
        )
        .await);
    assert_eq!(named["warnings"], json!([{ "code": "NOT_PAID" }]));
    let unknown = of(&server.data(0, &link("adSpace: \"QWRTcGFjZTp4\"")).await);
    assert_eq!(unknown["reason"], "UNKNOWN");
    let long = "x".repeat(51);
    for (subids, part) in [
        (
            format!("subid1: \"{long}\""),
            "subid1 has 51 characters, the network takes 50",
        ),
        ("subid2: \"a\\u0000\"".to_owned(), "U+0000"),
        ("subid3: \"日\"".to_owned(), "Latin and Cyrillic"),
    ] {
        let answer = server
            .ask(&server.keys[0], &link(&format!("subids: {{{subids}}}")))
            .await;
        let error = &answer["errors"][0];
        assert!(
            error["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
        let argument = error["extensions"]["argument"].as_str().unwrap();
        assert!(argument.starts_with("subids.subid"), "{answer}");
    }
}

#[tokio::test]
async fn the_configuration_gives_templates_that_those_by_hand_overrule() {
    let server = running(
        "[[deeplinks]]\npublisher = \"one\"\nad_space = \"501\"\nprogram = \"6115\"\n\
         base = \"https://alitems.com/g/configured/\"\n[[deeplinks]]\npublisher = \"two\"\nad_space = \"my BLOG\"\n\
         program = \"AliExpress WW\"\nbase = \"https://alitems.com/g/configured2/\"\n\
         [[deeplinks]]\npublisher = \"two\"\nad_space = \"My blogg\"\nprogram = \"25179\"\n\
         base = \"https://alitems.com/g/configured3/\"\n",
    )
    .await;
    let shown = "{ adSpaces { nodes { deeplinks { base isUsed source changedAt } } } }";
    for place in [0, 1] {
        // What is configured waits until the ad space is known.
        assert_eq!(
            server.data(place, shown).await["adSpaces"]["nodes"],
            json!([])
        );
        send(&server, place, orders()).await;
    }
    let of = |data: &Value| data["adSpaces"]["nodes"][0]["deeplinks"].clone();
    let configured = |base: &str, is_used: bool| json!({ "base": base, "isUsed": is_used, "source": "CONFIGURATION", "changedAt": null });
    let first = configured("https://alitems.com/g/configured/", true);
    assert_eq!(of(&server.data(0, shown).await), json!([first]));
    let second = configured("https://alitems.com/g/configured2/", true);
    assert_eq!(of(&server.data(1, shown).await), json!([second]));
    let (space, program, _) = ids(&server, 0).await;
    server.data(0, &set(&space, &program, BASE, "")).await;
    let both = of(&server.data(0, shown).await);
    assert_eq!(
        (&both[0]["source"], &both[0]["isUsed"]),
        (&json!("BY_HAND"), &json!(true))
    );
    assert_eq!(
        both[1],
        configured("https://alitems.com/g/configured/", false)
    );
    // One that is misspelt is told where a link would need it.
    let explained = async |place: usize, key: &str| -> String {
        let (space, _, product) = ids(&server, place).await;
        let programs = "{ programs(filter: {externalId: {eq: \"25179\"}}) { nodes { id } } }";
        let program = server.data(place, programs).await["programs"]["nodes"][0]["id"].take();
        let query = format!(
            "{{ node(id: \"{product}\") {{ ... on Product {{ affiliateLink(adSpace: \"{space}\", program: {program}) {{ \
             reason explanation }} }} }} }}"
        );
        let link = server.ask(key, &query).await["data"]["node"]["affiliateLink"].take();
        assert_eq!(link["reason"], "NO_TEMPLATE", "{link}");
        link["explanation"].as_str().unwrap().to_owned()
    };
    let told = explained(1, &server.keys[1]).await;
    let words = "the configuration has one for ad space \"My blogg\", which you do not have";
    assert!(told.contains(words), "{told}");
    // It is nobody else's.
    let told = explained(0, &server.keys[0]).await;
    assert!(!told.contains("blogg"), "{told}");
    // Whoever is limited may be shown no ad space that is there.
    let terms = KeyTerms {
        label: "partner".to_owned(),
        scopes: vec![KeyScope::Read],
        limits: Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..Limits::default()
        },
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[1].id, server.now());
    let limited = who.create(&server.store, terms).await.unwrap().secret;
    let told = explained(1, &limited).await;
    assert!(!told.contains("blogg"), "{told}");
}

#[test]
fn what_is_configured_in_vain_is_told_at_the_start() {
    block_on(async {
        let world = World::new(2).await;
        let slug = |place: usize| world.publishers[place].slug.clone();
        let template = || Template::new(BASE, None, &[], &Default::default()).unwrap();
        let one = |publisher: String, ad_space: &str, program: &str| ConfiguredDeeplink {
            publisher,
            ad_space: ad_space.to_owned(),
            program: program.to_owned(),
            template: template(),
        };
        let links = LinkSettings {
            deeplinks: vec![
                one("nobody".to_owned(), "501", "6115"),
                one(slug(0), "no such blog", "6115"),
                one(slug(1), "no such blog", "6115"),
            ],
            ..LinkSettings::default()
        };
        let maker = Maker::new(9, Shape::default());
        world.apply(0, &maker.drafts()).await;
        let told = named_in_vain(&world.store, &links).await.unwrap();
        assert_eq!(told.len(), 2, "who has no ad space yet waits: {told:?}");
        assert!(
            told.iter()
                .any(|words| words.contains("no publisher \"nobody\"")),
            "{told:?}"
        );
        let space = told.iter().find(|words| words.contains("\"no such blog\""));
        assert!(space.unwrap().contains(&slug(0)), "{told:?}");
    });
}

#[tokio::test]
async fn targets_are_of_the_program_that_was_named_with_a_template_or_without() {
    let server = imported(orders()).await;
    let (_, program, _) = ids(&server, 0).await;
    let query = format!(
        "{{ trafficTargets(range: {{last: {{count: 30, unit: DAY}}}}, country: \"DE\", program: \"{program}\", minOrders: 3) \
         {{ totalCount currency program {{ name }} nodes {{ affiliateLink {{ url reason }} }} }} }}"
    );
    let list = server.data(0, &query).await["trafficTargets"].clone();
    assert_eq!(list["program"]["name"], "AliExpress WW", "{list:#}");
    assert_eq!(
        (&list["currency"], &list["totalCount"]),
        (&json!("USD"), &json!(2))
    );
    let link = &list["nodes"][0]["affiliateLink"];
    assert_eq!(link, &json!({ "url": null, "reason": "NO_TEMPLATE" }));
}

#[tokio::test]
async fn targets_are_ranked_by_what_an_order_is_expected_to_bring() {
    let server = imported(orders()).await;
    let (space, program, _) = ids(&server, 0).await;
    server.data(0, &set(&space, &program, BASE, "")).await;
    let query = |more: &str| {
        format!(
            "{{ trafficTargets(range: {{last: {{count: 30, unit: DAY}}}}, country: \"DE\"{more}) {{ totalCount currency \
             program {{ name }} baseApprovalRate nodes {{ rank product {{ externalId }} \
             expectedRewardPerOrder {{ amount currency }} orders approvedOrders declinedOrders approvalRate units \
             trend {{ previous }} pendingReward {{ amount }} reasons {{ kind speaksFor text }} availability \
             affiliateLink(subids: {{subid1: \"me\"}}) {{ url }} }} }} }}"
        )
    };
    let list = server.data(0, &query(", minOrders: 3")).await["trafficTargets"].clone();
    // Of 5.00 that were processed before, 2.00 were approved.
    assert_eq!(list["baseApprovalRate"], 0.4);
    assert_eq!(
        (&list["currency"], &list["totalCount"]),
        (&json!("USD"), &json!(2))
    );
    assert_eq!(list["program"]["name"], "AliExpress WW");
    let best = &list["nodes"][0];
    // (6 + 6 + 6 × 0.4) / 4
    assert_eq!(
        best["expectedRewardPerOrder"],
        json!({ "amount": "3.60", "currency": "USD" })
    );
    assert_eq!(
        (
            &best["orders"],
            &best["approvedOrders"],
            &best["declinedOrders"],
            &best["units"]
        ),
        (&json!(4), &json!(2), &json!(1), &json!(3))
    );
    assert_eq!(best["approvalRate"], 0.666_667);
    assert_eq!(
        best["trend"]["previous"], "0",
        "the older ones lie before the period before"
    );
    assert_eq!(best["availability"], "UNKNOWN");
    assert_eq!(best["reasons"][0]["kind"], "EXPECTED_REWARD");
    assert_eq!(
        best["affiliateLink"]["url"],
        format!("{BASE}?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F11.html&subid1=me")
    );
    let names = |list: &Value| -> Vec<String> {
        let nodes = list["nodes"].as_array().unwrap();
        nodes
            .iter()
            .map(|node| node["product"]["externalId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&list), ["11", "22"]);
    let all = server.data(0, &query(", minOrders: 1")).await["trafficTargets"].clone();
    assert_eq!(
        names(&all),
        ["33", "11", "22"],
        "one lucky order leads where one is enough"
    );
    let usual = server.data(0, &query("")).await["trafficTargets"].clone();
    assert_eq!(names(&usual), [""; 0]);
    let answer = server.ask(&server.keys[0], &query(", minOrders: 0")).await;
    assert_eq!(answer["errors"][0]["extensions"]["argument"], "minOrders");
}

/// A key of the first publisher's that is limited to an ad space without actions.
async fn blind_key(server: &Running) -> String {
    let terms = KeyTerms {
        label: "partner".to_owned(),
        scopes: vec![KeyScope::Read],
        limits: Limits {
            ad_spaces: Some(vec!["nowhere".to_owned()]),
            ..Limits::default()
        },
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    who.create(&server.store, terms).await.unwrap().secret
}

#[tokio::test]
async fn the_file_has_what_the_api_answers() {
    let server = imported(orders()).await;
    let (space, program, _) = ids(&server, 0).await;
    server.data(0, &set(&space, &program, BASE, "")).await;
    let get = async |key: Option<&str>, query: &str| {
        let mut request = server
            .client
            .get(server.at(&format!("/traffic-targets.csv{query}")));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let key = Some(server.keys[0].as_str());
    assert_eq!(get(None, "").await.0, 401);
    let (status, kind, text) =
        get(key, "?last=30d&country=DE&minOrders=1&subid1=me&bom=true").await;
    assert_eq!(status, 200, "{text}");
    assert!(kind.starts_with("text/csv; charset=utf-8"), "{kind}");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(
        lines[0].starts_with("rank,product_id,product_name,"),
        "{text}"
    );
    assert_eq!(lines.len(), 1 + 3 + 1, "{text}");
    assert!(
        lines[1].starts_with("1,33,Lucky,,500.00,USD,1,1,0,1.0,"),
        "{text}"
    );
    assert!(lines[2].contains(&format!(
        "{BASE}?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F11.html&subid1=me"
    )));
    assert!(
        lines[3].contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""),
        "{text}"
    );
    let (_, _, one) = get(key, "?last=30d&minOrders=1&first=1").await;
    assert_eq!(one.split("\r\n").count(), 3, "{one}");
    assert!(!one.starts_with('\u{feff}'));
    // Another tenant, and a key that is limited to what has no action, get a file without a line of it.
    let limited = blind_key(&server).await;
    for other in [&server.keys[1], &limited] {
        let (status, _, text) = get(Some(other), "?last=30d&minOrders=1").await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(text.split("\r\n").count(), 2, "{text}");
    }
    for (query, part) in [
        ("?colour=red", "There is no parameter"),
        ("?last=30", "such as 30d"),
        ("?filter=%7B%22colour%22%3A1%7D", "colour"),
        ("?minOrders=0", "minOrders"),
        ("?country=Germany", "ISO 3166"),
        ("?subid1=%00", "U+0000"),
    ] {
        let (status, _, text) = get(key, query).await;
        assert_eq!(status, 400, "{query}: {text}");
        assert!(text.contains(part), "{query}: {text}");
    }
    let other = get(Some(&server.keys[1]), "?minOrders=1").await.2;
    assert_eq!(
        other.split("\r\n").count(),
        2,
        "another publisher has no such products: {other}"
    );
    // No scope, no file.
    let importer = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Import],
        server.now(),
    )
    .await;
    assert_eq!(get(Some(&importer), "").await.0, 403);
}

/// A file of several pages whose key ends behind the first breaks off: nobody takes it for whole.
#[tokio::test]
async fn a_file_whose_key_is_revoked_on_the_way_breaks_off() {
    const PRODUCTS: u32 = 800;
    let names: Vec<String> = (1..=PRODUCTS).map(|number| number.to_string()).collect();
    let orders: Vec<Order<'_>> = (1..=PRODUCTS)
        .zip(&names)
        .map(|(number, name)| (number, name.as_str(), name.as_str(), "approved", "1.00", 3))
        .collect();
    let server = running("").await;
    for part in orders.chunks(400) {
        send(&server, 0, page(epoch(), part)).await;
    }
    let (store, one) = (&server.store, &server.publishers[0]);
    let key = key_of(store, one, &[KeyScope::Read], server.now()).await;
    let begin = async || {
        let address = server.at("/traffic-targets.csv?last=30d&minOrders=1");
        let request = server.client.get(address).bearer_auth(&key);
        // Packed, pages would wait for each other.
        let request = request.header("accept-encoding", "identity");
        request.send().await.unwrap()
    };
    // Whole, as long as the key stands; from here on it is remembered.
    let whole = begin().await.text().await.unwrap();
    let lines = usize::try_from(PRODUCTS).unwrap() + 2;
    assert_eq!(whole.split("\r\n").count(), lines);
    // The server trusts what it remembers until its clock, which stands still, is moved: behind the first piece.
    let who = Administrator::command_line(one.id, server.now());
    let found = who.find(store, &key[3..11]).await.unwrap().unwrap();
    let changed = who.revoke(store, &found, true).await.unwrap();
    assert_eq!(changed, Changed::Done);
    let mut answer = begin().await;
    assert_eq!(answer.status(), 200, "it is remembered");
    let mut text = answer.chunk().await.unwrap().unwrap().to_vec();
    server.clock.advance(REMEMBERED);
    let is_whole = loop {
        match answer.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let text = String::from_utf8(text).unwrap();
    let count = text.split("\r\n").count();
    assert!(!is_whole, "{count} lines came as a whole file");
    assert!(text.starts_with("rank,product_id,"), "{text}");
    assert!(whole.starts_with(&text), "what came is right");
    assert!(count < lines, "{count} lines");
    assert_eq!(begin().await.status(), 401, "no other file begins");
}

/// A file is of what a segment ordered, or of a segment's products: ids of segments stand in its filter as in the API's.
#[tokio::test]
async fn a_segment_in_the_filter_of_a_file_says_whose_orders_it_is_of() {
    let server = imported(orders()).await;
    let create = async |rule: &str| -> String {
        let mutation = format!(
            "mutation {{ createSegment(name: {rule:?}, rule: {{{rule}}}) {{ segment {{ id }} userErrors {{ message }} }} }}"
        );
        let made = server.data(0, &mutation).await;
        let made = &made["createSegment"];
        assert_eq!(made["userErrors"], json!([]), "{made:#}");
        made["segment"]["id"].as_str().unwrap().to_owned()
    };
    let users = create("users: {user: {value: {in: [\"u6\", \"u7\", \"u8\"]}}}").await;
    let products = create("products: {product: {externalId: {eq: \"33\"}}}").await;
    let get = async |key: &str, filter: Value| {
        let address = server.at("/traffic-targets.csv?last=30d&minOrders=1");
        let request = server.client.get(address).bearer_auth(key);
        let answer = request.query(&[("filter", filter.to_string())]).send();
        let answer = answer.await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // The beginning of each row: its rank and its product.
    let rows = async |filter: Value| -> Vec<String> {
        let (status, text) = get(&server.keys[0], filter).await;
        assert_eq!(status, 200, "{text}");
        let rows = text.split("\r\n").skip(1).filter(|row| !row.is_empty());
        rows.map(|row| row.split(',').take(2).collect::<Vec<_>>().join(","))
            .collect()
    };
    let by = |how: &str| json!({ "user": { "segment": { how: [users] } } });
    assert_eq!(rows(by("in")).await, ["1,22"]);
    assert_eq!(rows(by("notIn")).await, ["1,33", "2,11"]);
    let sold = json!({ "items": { "some": { "product": { "segment": { "in": [products] } } } } });
    assert_eq!(rows(sold).await, ["1,33"]);
    let (status, text) = get(&server.keys[1], by("in")).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("no such segment"), "{text}");
}

/// What the plain computation knows of a product: orders by status group, units, and money.
#[derive(Default)]
struct Plain {
    orders: [BTreeSet<Uuid>; 3],
    approved_e4: i128,
    pending_e4: i128,
    units: i64,
}

fn plain(facts: &Facts, query: &FactQuery, currency: Currency) -> BTreeMap<Uuid, Plain> {
    let mut found: BTreeMap<Uuid, Plain> = BTreeMap::new();
    let none = Vec::new();
    for action in counted(facts, query) {
        if action.currency != currency.as_str() {
            continue;
        }
        for item in facts.items.get(&action.id).unwrap_or(&none) {
            let Some(product) = item.product_id else {
                continue;
            };
            let plain = found.entry(product).or_default();
            plain.orders[0].insert(action.id);
            match action.status.as_str() {
                "APPROVED" | "APPROVED_BUT_STALLED" => {
                    plain.orders[1].insert(action.id);
                    plain.approved_e4 += i128::from(item.reward_e4);
                }
                "DECLINED" => {
                    plain.orders[2].insert(action.id);
                    continue;
                }
                _ => plain.pending_e4 += i128::from(item.reward_e4),
            }
            plain.units += i64::from(item.units);
        }
    }
    found
}

/// Rewards of processed actions in the base's span: approved, declined.
fn plain_base(facts: &Facts, query: &FactQuery, currency: Currency) -> i128 {
    let mut sums = [0i128; 2];
    for action in counted(facts, query) {
        if action.currency == currency.as_str() {
            match action.status.as_str() {
                "APPROVED" | "APPROVED_BUT_STALLED" => sums[0] += i128::from(action.reward_e4),
                "DECLINED" => sums[1] += i128::from(action.reward_e4),
                _ => {}
            }
        }
    }
    let [approved, declined] = sums.map(|sum| sum.max(0));
    if approved + declined == 0 {
        0
    } else {
        approved * 1_000_000 / (approved + declined)
    }
}

#[test]
fn ranks_and_numbers_are_those_of_a_plain_computation() {
    block_on(async {
        for seed in [3, 4, 5] {
            let shape = Shape {
                drafts: 420,
                actions: 300,
                wild: false,
            };
            let world = World::rich(seed, shape).await;
            let api = Api::of(&world, 0);
            let facts = world.facts(0).await;
            for (from, to) in [
                ("2026-02-01T00:00:00Z", "2026-06-30T00:00:00Z"),
                ("2026-03-01T07:13:00Z", "2026-04-10T05:00:00Z"),
            ] {
                for (filter, only) in [
                    ("", false),
                    (", filter: {items: {some: {units: {gte: 0}}}}", true),
                ] {
                    for chosen in [None, Some(chosen(&facts))] {
                        compare(&api, &facts, (from, to), (filter, only), chosen).await;
                    }
                }
            }
        }
    });
}

/// Two of three products.
fn chosen(facts: &Facts) -> BTreeMap<Uuid, String> {
    let named = facts.products.values();
    let named = named.filter_map(|product| Some((product.id, product.external_id.clone()?)));
    let two_of_three = named.enumerate().filter(|(place, _)| place % 3 < 2);
    two_of_three.map(|(_, product)| product).collect()
}

async fn compare(
    api: &Api,
    facts: &Facts,
    (from, to): (&str, &str),
    (filter, only): (&str, bool),
    chosen: Option<BTreeMap<Uuid, String>>,
) {
    let currency = Currency::USD;
    let range = AxisRange {
        axis: DateAxis::Ordered,
        span: Span {
            from: at(from),
            to: at(to),
        },
        zone: Zone::UTC,
    };
    let query = FactQuery {
        range,
        filter: Default::default(),
        without_declined: false,
    };
    let now = at("2026-07-01T00:00:00Z").micros();
    let day = 86_400_000_000;
    let before = Span {
        from: Instant::from_micros(now - 390 * day).unwrap(),
        to: Instant::from_micros(now - 30 * day).unwrap(),
    };
    let with_items = |facts: &Facts| {
        let mut kept = facts.clone();
        if only {
            kept.actions
                .retain(|id, _| facts.items.get(id).is_some_and(|items| !items.is_empty()));
        }
        kept
    };
    let kept = with_items(facts);
    let base = plain_base(&kept, &query.in_span(before), currency);
    let mut expected: Vec<(i128, Uuid, Plain)> = plain(&kept, &query, currency)
        .into_iter()
        .filter(|(_, plain)| plain.orders[0].len() >= 2)
        .filter(|(product, _)| chosen.as_ref().is_none_or(|all| all.contains_key(product)))
        .map(|(product, plain)| {
            let orders = i128::try_from(plain.orders[0].len()).unwrap();
            let value = (plain.approved_e4 * 1_000_000 + plain.pending_e4 * base) / orders;
            (value, product, plain)
        })
        .collect();
    expected.sort_by_key(|(value, product, _)| (-value, *product));
    let products = chosen.map_or_else(String::new, |chosen| {
        let ids: Vec<String> = chosen.into_values().collect();
        format!(", products: {{externalId: {{in: {}}}}}", json!(ids))
    });
    let ask = format!(
        "query($after: String) {{ trafficTargets(range: {{between: {{from: \"{from}\", to: \"{to}\"}}}}, currency: \"USD\", \
         minOrders: 2, first: 3, after: $after{filter}{products}) {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ rank \
         orders approvedOrders declinedOrders units product {{ id }} expectedRewardPerOrder {{ amount }} }} }} }}"
    );
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let data = api.data(&ask, &json!({ "after": after })).await;
        let list = &data["trafficTargets"];
        assert_eq!(list["totalCount"], expected.len(), "{ask}");
        seen.extend(list["nodes"].as_array().unwrap().iter().cloned());
        if list["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = list["pageInfo"]["endCursor"].clone();
    }
    assert!(expected.len() > 1, "there is something to compare");
    assert_eq!(seen.len(), expected.len());
    for (place, (node, (value, product, plain))) in seen.iter().zip(&expected).enumerate() {
        let better = expected.iter().filter(|(other, ..)| other > value).count();
        let id = actiongraph::graphql::id::Kind::Product.id(*product);
        let [orders, approved, declined] = [0, 1, 2].map(|place: usize| plain.orders[place].len());
        let e4 = (value + value.signum() * 500_000) / 1_000_000;
        let amount = actiongraph::domain::money::format_e4(i64::try_from(e4).unwrap(), 2);
        assert_eq!(
            node,
            &json!({
                "rank": better + 1, "orders": orders, "approvedOrders": approved, "declinedOrders": declined,
                "units": plain.units, "product": { "id": id.to_string() }, "expectedRewardPerOrder": { "amount": amount }
            }),
            "place {place} of {ask}"
        );
    }
}

#[test]
fn what_is_there_twice_is_asked_once() {
    // The maker's products have links of every kind; a template makes one of each.
    block_on(async {
        let world = World::new(1).await;
        world
            .apply(0, &Maker::new(9, Shape::default()).drafts())
            .await;
        let api = Api::of(&world, 0);
        let query = "{ products(first: 100) { nodes { a: affiliateLink(country: \"DE\") { url reason program { name } } \
                     b: affiliateLink(country: \"RU\") { reason adSpace { name deeplinks { base } } } } } }";
        let data = api.data(query, &json!({})).await;
        assert_eq!(
            api.statements.take().len(),
            4,
            "products, templates, programs, ad spaces"
        );
        for node in data["products"]["nodes"].as_array().unwrap() {
            assert_eq!(node["a"]["reason"], "NO_TEMPLATE");
        }
    });
}
