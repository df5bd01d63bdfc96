//! Product feeds and commission rates: what they leave of products, categories, offers and the hot mark, in whatever
//! order they and the actions arrive. Not here: what the files mean (`ingest::feed`).

use crate::support::api::Api;
use crate::support::drafts::{at, item_called, sale};
use crate::support::world::{World, block_on};
use actiongraph::domain::draft::{ActionDraft, CategoryRef, ProductRef};
use actiongraph::domain::feed::{CommissionDraft, FeedSource};
use actiongraph::domain::scope::KeyScope;
use actiongraph::ingest::adjustments::{LedgerOptions, import_ledger};
use actiongraph::ingest::feed::import_feed;
use actiongraph::ingest::pipeline::{ImportReport, Progress};
use actiongraph::store::apply::feeds::write_commissions;
use actiongraph::store::commissions;
use entity::{category, feed_offer, import_run, product, totals_category};
use serde_json::json;
use std::io::Write as _;

struct Unseen;

impl Progress for Unseen {
    fn advanced(&mut self, _: u64, _: u64, _: u64) {}
}

/// A feed of offers (id, name, price), each in a category that the shipped tree does not know.
fn yml(offers: &[(&str, &str, &str)]) -> String {
    let mut text = String::from(
        "<!DOCTYPE yml_catalog SYSTEM \"shops.dtd\"><yml_catalog><shop><categories>\
         <category id=\"990001\" parentId=\"44\">Cables</category></categories><offers>",
    );
    for (id, name, price) in offers {
        text.push_str(&format!(
            "<offer id=\"{id}\" available=\"true\"><url>https://alitems.com/g/x/?ulp=https%3A%2F%2Faliexpress.ru%2Fitem%2F{id}.html</url>\
             <name>{name}</name><price>{price}</price><currencyId>USD</currencyId><categoryId>990001</categoryId>\
             <vendor>Acme</vendor></offer>"
        ));
    }
    text.push_str("</offers></shop></yml_catalog>");
    text
}

struct Taken<'a> {
    name: &'a str,
    is_hot: bool,
    is_whole: bool,
    at: &'a str,
}

async fn import(world: &World, text: &str, taken: &Taken<'_>) -> ImportReport {
    try_import(world, text, taken).await.unwrap()
}

async fn try_import(
    world: &World,
    text: &str,
    taken: &Taken<'_>,
) -> actiongraph::domain::error::Result<ImportReport> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let source = FeedSource {
        name: taken.name.to_owned(),
        is_hot: taken.is_hot,
        is_whole: taken.is_whole,
        observed_at: at(taken.at),
    };
    let now = || at("2026-06-30T00:00:00Z");
    let feed = ("feed.xml", &source);
    import_feed(
        &world.store,
        world.write(0),
        file.path(),
        feed,
        &now,
        &mut Unseen,
    )
    .await
}

/// Offers and lines of a ledger are no actions: they are not tried again as such, and the answer says what helps.
#[test]
fn rejected_offers_are_mended_in_their_file() {
    block_on(async {
        let world = World::new(1).await;
        let day = "2026-05-01T00:00:00Z";
        let report = import(
            &world,
            &yml(&[("1", "Cable", "1.50")]),
            &whole("one", day, false),
        )
        .await;
        let mut ledger = tempfile::NamedTempFile::new().unwrap();
        ledger.write_all(b"date,amount\n").unwrap();
        let options = LedgerOptions {
            name: "ledger.csv".to_owned(),
            account: "admitad".to_owned(),
            as_of: None,
            offset_minutes: 0,
        };
        let now = || at("2026-06-30T00:00:00Z");
        // Whatever becomes of it: there is a run.
        let _ = import_ledger(&world.store, world.write(0), ledger.path(), &options, &now).await;
        let api = Api::of(&world, 0).allowed(&[KeyScope::Read, KeyScope::Import]);
        let runs = api
            .data("{ imports { nodes { id entrance } } }", &json!({}))
            .await;
        for (entrance, words) in [
            ("FEED", "`actiongraph feed import`"),
            ("ADJUSTMENTS", "`actiongraph adjustments import`"),
        ] {
            let runs = runs["imports"]["nodes"].as_array().unwrap();
            let run = runs.iter().find(|run| run["entrance"] == entrance).unwrap();
            let mutation = format!(
                "mutation {{ retryRejectedRecords(run: {}, all: true) {{ run {{ id }} userErrors {{ field code message }} }} }}",
                run["id"]
            );
            let told = api.data(&mutation, &json!({})).await["retryRejectedRecords"].clone();
            assert_eq!(told["run"], json!(null), "{entrance}");
            assert_eq!(told["userErrors"][0]["field"], json!(["run"]));
            assert_eq!(told["userErrors"][0]["code"], "BAD_USER_INPUT");
            let message = told["userErrors"][0]["message"].as_str().unwrap();
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(report.read, 1);
    });
}

fn whole<'a>(name: &'a str, at: &'a str, is_hot: bool) -> Taken<'a> {
    Taken {
        name,
        is_hot,
        is_whole: true,
        at,
    }
}

async fn hot(world: &World) -> Vec<String> {
    let mut ids: Vec<String> = world
        .rows::<product::Entity>(0)
        .await
        .into_iter()
        .filter(|row| row.is_hot)
        .filter_map(|row| row.external_id)
        .collect();
    ids.sort();
    ids
}

#[test]
fn a_later_feed_takes_away_what_it_no_longer_has_and_the_hot_mark_with_it() {
    block_on(async {
        let world = World::new(1).await;
        let first = yml(&[("1", "One", "5"), ("2", "Two", "6")]);
        let report = import(
            &world,
            &first,
            &whole("Hot Products", "2026-03-01T00:00:00Z", true),
        )
        .await;
        assert_eq!((report.read, report.inserted, report.rejected), (2, 2, 0));
        assert_eq!(hot(&world).await, ["1", "2"]);
        let stored = world.rows::<feed_offer::Entity>(0).await;
        let again = import(
            &world,
            &first,
            &whole("Hot Products", "2026-03-01T00:00:00Z", true),
        )
        .await;
        assert_eq!((again.inserted, again.updated, again.unchanged), (0, 0, 2));
        assert_eq!(world.rows::<feed_offer::Entity>(0).await, stored);

        // Changes alone take nothing away; another feed neither.
        let change = yml(&[("2", "Two", "7")]);
        let part = Taken {
            is_whole: false,
            ..whole("Hot Products", "2026-03-02T00:00:00Z", true)
        };
        assert_eq!(import(&world, &change, &part).await.updated, 1);
        import(
            &world,
            &yml(&[("3", "Three", "1")]),
            &whole("All", "2026-03-09T00:00:00Z", false),
        )
        .await;
        assert_eq!(hot(&world).await, ["1", "2"]);
        import(
            &world,
            &change,
            &whole("Hot Products", "2026-03-03T00:00:00Z", true),
        )
        .await;
        assert_eq!(hot(&world).await, ["2"]);
        // An older whole feed brings nothing back.
        let old = import(
            &world,
            &first,
            &whole("Hot Products", "2026-03-02T12:00:00Z", true),
        )
        .await;
        assert_eq!((old.inserted, old.updated, old.stale), (0, 0, 2));
        assert_eq!(hot(&world).await, ["2"]);
        // A damaged one, and one without offers, take nothing away.
        let late = whole("Hot Products", "2026-03-04T00:00:00Z", true);
        assert!(
            try_import(&world, &first[..first.len() - 20], &late)
                .await
                .is_err()
        );
        import(&world, &yml(&[]), &late).await;
        assert_eq!(hot(&world).await, ["2"]);
        let runs = world.rows::<import_run::Entity>(0).await;
        assert!(runs.iter().all(|run| run.entrance == "FEED"));
        let failed = runs.iter().filter(|run| run.state == "FAILED").count();
        let gone: i64 = runs.iter().map(|run| run.deleted_count).sum();
        assert_eq!((failed, gone), (1, 1));
    });
}

/// An action with one product in its cart.
fn bought(product: &str, name: &str, when: &str) -> ActionDraft {
    let mut draft = sale(&format!("a-{product}"), at(when));
    let mut item = item_called(product, name);
    item.category = Some(CategoryRef::with_id("990001".to_owned(), None));
    draft.items = vec![item];
    draft
}

#[test]
fn actions_and_feeds_in_any_order_end_in_one_content_with_true_totals() {
    block_on(async {
        let mut contents = Vec::new();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let world = World::new(1).await;
            for step in order {
                match step {
                    0 => {
                        world
                            .apply(
                                0,
                                &[
                                    bought("1", "Bought late", "2026-03-05T00:00:00Z"),
                                    bought("2", "Bought early", "2026-02-01T00:00:00Z"),
                                ],
                            )
                            .await;
                    }
                    1 => {
                        let text = yml(&[("1", "Offered", "5"), ("2", "Offered", "6")]);
                        import(&world, &text, &whole("All", "2026-03-01T00:00:00Z", false)).await;
                    }
                    _ => {
                        let text = yml(&[("2", "Offered again", "8")]);
                        import(&world, &text, &whole("Hot", "2026-03-02T00:00:00Z", true)).await;
                    }
                }
            }
            assert_eq!(world.drift(0).await, Vec::<String>::new(), "{order:?}");
            let mut offers = world.rows::<feed_offer::Entity>(0).await;
            offers.sort_by_key(|offer| (offer.product_id, offer.feed.clone()));
            contents.push((
                world.rows::<product::Entity>(0).await,
                world.rows::<category::Entity>(0).await,
                world.rows::<totals_category::Entity>(0).await,
                offers,
            ));
        }
        let (products, categories, totals, offers) = &contents[0];
        for other in &contents[1..] {
            assert_eq!(products, &other.0);
            assert_eq!(categories, &other.1);
            assert_eq!(totals, &other.2);
            assert_eq!(offers, &other.3);
        }
        assert!(!totals.is_empty());
        let named = |id: &str| {
            let row = products
                .iter()
                .find(|row| row.external_id.as_deref() == Some(id));
            row.map(|row| (row.name.clone().unwrap(), row.url.is_some(), row.is_hot))
                .unwrap()
        };
        assert_eq!(named("1"), ("Bought late".to_owned(), true, false));
        assert_eq!(named("2"), ("Offered again".to_owned(), true, true));
        let cables = categories
            .iter()
            .find(|row| row.external_id == "990001")
            .unwrap();
        assert_eq!(cables.name, "Cables");
        assert!(cables.parent_id.is_some() && !cables.is_known);
    });
}

fn link(id: &str) -> String {
    format!("https://aliexpress.ru/item/{id}.html")
}

/// What the network answered of a product.
fn answer(id: &str, is_hot: bool, when: &str) -> CommissionDraft {
    CommissionDraft {
        product: ProductRef {
            external_id: None,
            name: None,
            url: Some(link(id)),
            image_url: None,
            country: None,
        },
        rate_e4: Some(70_000),
        hot_rate_e4: Some(690_000),
        is_hot,
        observed_at: at(when),
    }
}

#[test]
fn commission_rates_mark_hot_products_and_are_asked_for_the_oldest_first() {
    block_on(async {
        let world = World::new(2).await;
        let text = yml(&[("1", "One", "5"), ("2", "Two", "6"), ("3", "Three", "6")]);
        import(&world, &text, &whole("All", "2026-03-01T00:00:00Z", false)).await;
        world
            .apply(
                0,
                &[
                    bought("1", "One", "2026-03-05T00:00:00Z"),
                    bought("2", "Two", "2026-03-06T00:00:00Z"),
                    bought("3", "Three", "2026-01-06T00:00:00Z"),
                ],
            )
            .await;
        let part = async |part: (u32, u32)| {
            let (sold, asked) = (at("2026-03-01T00:00:00Z"), at("2026-03-20T00:00:00Z"));
            let due = commissions::due(&world.tx(), world.read(0), sold, asked, part).await;
            let due = due.unwrap().into_iter();
            due.map(|due| due.url).collect::<Vec<_>>()
        };
        let due = async || part((0, 10)).await;
        let mut asked = due().await;
        asked.sort();
        assert_eq!(asked, [link("1"), link("2")], "sold lately, with a link");
        let now = at("2026-03-20T00:00:00Z");
        let write = async |drafts: &[CommissionDraft]| {
            write_commissions(&world.store, world.write(0), drafts, (None, now))
                .await
                .unwrap()
        };
        assert_eq!(write(&[answer("1", true, "2026-03-10T00:00:00Z")]).await, 1);
        assert_eq!(
            write(&[answer("1", true, "2026-03-10T00:00:00Z")]).await,
            0,
            "once more"
        );
        assert_eq!(
            write(&[answer("1", false, "2026-03-09T00:00:00Z")]).await,
            0,
            "older"
        );
        assert_eq!(hot(&world).await, ["1"]);
        assert_eq!(due().await, [link("2"), link("1")]);
        assert_eq!(part((1, 10)).await, [link("1")]);
        assert_eq!(part((0, 1)).await, [link("2")]);
        let query = "{ products(filter: {externalId: {in: [\"1\", \"2\"]}}, orderBy: [{field: EXTERNAL_ID, direction: ASC}]) { \
                     nodes { externalId isHot commissionRate hotCommissionRate \
                     offers { feed affiliateUrl price { amount currency } oldPrice { amount } vendor available isHot } } } }";
        let data = Api::of(&world, 0).data(query, &json!({})).await;
        assert_eq!(
            data["products"]["nodes"][0],
            json!({
                "externalId": "1", "isHot": true, "commissionRate": "7.00", "hotCommissionRate": "69.00",
                "offers": [{
                    "feed": "All",
                    "affiliateUrl": "https://alitems.com/g/x/?ulp=https%3A%2F%2Faliexpress.ru%2Fitem%2F1.html",
                    "price": {"amount": "5.00", "currency": "USD"}, "oldPrice": null, "vendor": "Acme",
                    "available": true, "isHot": false
                }]
            })
        );
        assert_eq!(data["products"]["nodes"][1]["commissionRate"], json!(null));
        let other = Api::of(&world, 1).data(query, &json!({})).await;
        assert_eq!(other["products"]["nodes"], json!([]));
        // Not hot any more.
        assert_eq!(
            write(&[answer("1", false, "2026-03-11T00:00:00Z")]).await,
            1
        );
        assert!(hot(&world).await.is_empty());
    });
}

/// The list of priority products, as its publisher sees it: those that are known, and those that are not yet.
async fn priority(api: &Api) -> (Vec<String>, Vec<String>) {
    let query = "{ products(first: 100, filter: {isPriority: {eq: true}}, orderBy: [{field: EXTERNAL_ID}]) { \
                 nodes { externalId } } awaitedProducts { totalCount nodes { externalId listed listedAt } } \
                 productSegments(range: {preset: THIS_YEAR}, segments: [PRIORITY]) { nodes { size } } }";
    let data = api.data(query, &json!({})).await;
    let texts = |nodes: &serde_json::Value, name: &str| -> Vec<String> {
        let nodes = nodes.as_array().unwrap();
        let mut texts: Vec<String> = nodes
            .iter()
            .map(|node| node[name].as_str().unwrap().to_owned())
            .collect();
        texts.sort();
        texts
    };
    let known = texts(&data["products"]["nodes"], "externalId");
    let awaited = texts(&data["awaitedProducts"]["nodes"], "listed");
    assert_eq!(data["awaitedProducts"]["totalCount"], awaited.len());
    assert_eq!(data["productSegments"]["nodes"][0]["size"], known.len());
    (known, awaited)
}

/// The version of the list, as a question tells it.
async fn version_of_list(api: &Api) -> serde_json::Value {
    let data = api
        .data("{ awaitedProducts { listVersion } }", &json!({}))
        .await;
    data["awaitedProducts"]["listVersion"].clone()
}

/// Of two who change the same list the second is told; what arrives meanwhile is no change of the list.
#[test]
fn a_change_of_the_list_can_name_the_version_that_it_is_made_to() {
    block_on(async {
        let world = World::new(2).await;
        let api = Api::of(&world, 0);
        let change = |how: &str| {
            format!(
                "mutation($ids: [String!]!, $version: String) {{ list: {how}PriorityProducts(products: {{externalIds: $ids}}, \
                 expectedVersion: $version) {{ changed awaited version userErrors {{ code field }} }} }}"
            )
        };
        let empty = version_of_list(&api).await;
        let first = json!({ "ids": ["7001", "7002"], "version": empty });
        let set = api.data(&change("set"), &first).await;
        assert_eq!(set["list"]["changed"], 2, "{set:#}");
        let version = set["list"]["version"].clone();
        assert_ne!(version, empty);
        assert_eq!(version_of_list(&api).await, version);
        let conflict = json!({ "changed": null, "awaited": null, "version": null,
            "userErrors": [{ "code": "CONFLICT", "field": ["expectedVersion"] }] });
        for how in ["set", "add", "remove"] {
            for old in [empty.clone(), json!("no version")] {
                let late = json!({ "ids": ["7003"], "version": old });
                let late = api.data(&change(how), &late).await;
                assert_eq!(late["list"], conflict, "{how}");
            }
        }

        // A product of the list arrives, and another one that is not on it.
        let drafts = [
            bought("7002", "Plug", "2026-06-02T00:00:00Z"),
            bought("7008", "Hat", "2026-06-02T00:00:00Z"),
        ];
        world.apply(0, &drafts).await;
        assert_eq!(version_of_list(&api).await, version);
        let add = json!({ "ids": ["7003"], "version": version });
        let added = api.data(&change("add"), &add).await;
        assert_eq!(
            (&added["list"]["changed"], &added["list"]["awaited"]),
            (&json!(1), &json!(2)),
            "{added:#}"
        );
        assert_eq!(version_of_list(&api).await, added["list"]["version"]);
        let remove = json!({ "ids": ["7003"], "version": added["list"]["version"] });
        let removed = api.data(&change("remove"), &remove).await;
        assert_eq!(removed["list"]["version"], version, "it is what it was");
        // Who names no version has the last word.
        let any = json!({ "ids": ["7008"], "version": null });
        let any = api.data(&change("set"), &any).await;
        assert_eq!(any["list"]["changed"], 3, "{any:#}");
        assert_eq!(version_of_list(&Api::of(&world, 1)).await, empty);
    });
}

#[test]
fn a_listed_product_is_a_priority_as_soon_as_an_action_or_a_feed_brings_it() {
    block_on(async {
        let world = World::new(2).await;
        let api = Api::of(&world, 0);
        let list = "mutation($p: ProductList!) { list: setPriorityProducts(products: $p) { changed awaited \
                    userErrors { message } warnings { code } } }";
        let listed = json!({ "p": { "externalIds": ["7001", "7002", "7003"],
            "urls": ["https://www.aliexpress.com/item/7004.html?x=1", "https://shop.example/thing"] } });
        let set = api.data(list, &listed).await;
        assert_eq!(set["list"]["changed"], 5, "{set:#}");
        assert_eq!(set["list"]["awaited"], 5);
        assert_eq!(set["list"]["warnings"].as_array().unwrap().len(), 5);
        let again = api.data(list, &listed).await;
        assert_eq!(
            (&again["list"]["changed"], &again["list"]["awaited"]),
            (&json!(0), &json!(5))
        );

        let feed = yml(&[("7001", "Cable", "3.00"), ("7009", "Lamp", "4.00")]);
        import(&world, &feed, &whole("feed", "2026-06-01T00:00:00Z", false)).await;
        let drafts = [
            bought("7002", "Plug", "2026-06-02T00:00:00Z"),
            bought("7008", "Hat", "2026-06-02T00:00:00Z"),
        ];
        world.apply(0, &drafts).await;
        world.apply(1, &drafts).await;
        let (known, awaited) = priority(&api).await;
        assert_eq!(known, ["7001", "7002"]);
        assert_eq!(
            awaited,
            [
                "7003",
                "https://shop.example/thing",
                "https://www.aliexpress.com/item/7004.html?x=1"
            ]
        );
        assert_eq!(
            priority(&Api::of(&world, 1)).await,
            (vec![], vec![]),
            "it is nobody else's"
        );

        let less = api
            .data(list, &json!({ "p": { "externalIds": ["7003"] } }))
            .await;
        assert_eq!(
            (&less["list"]["changed"], &less["list"]["awaited"]),
            (&json!(4), &json!(1))
        );
        let off = "mutation { list: removePriorityProducts(products: {externalIds: [\"7003\"]}) { changed awaited } }";
        let off = api.data(off, &json!({})).await;
        assert_eq!(off["list"], json!({ "changed": 1, "awaited": 0 }));
        world
            .apply(0, &[bought("7003", "Cup", "2026-06-03T00:00:00Z")])
            .await;
        assert_eq!(priority(&api).await, (vec![], vec![]));

        let many: Vec<String> = (0..9_999).map(|number| format!("8{number:06}")).collect();
        let full = api
            .data(list, &json!({ "p": { "externalIds": many } }))
            .await;
        assert_eq!(
            full["list"]["awaited"], 9_999,
            "{}",
            full["list"]["userErrors"]
        );
        let more = "mutation { list: addPriorityProducts(products: {externalIds: [\"91\", \"92\"]}) { changed \
                    userErrors { code field } } }";
        let refused = api.data(more, &json!({})).await;
        assert_eq!(
            refused["list"],
            json!({ "changed": null, "userErrors": [{ "code": "LIMIT_EXCEEDED", "field": ["products"] }] })
        );
    });
}
