//! What a publisher has beside actions and clicks: rows of every kind that the schema can show, with a mark in whatever
//! texts they have.

use super::api::Api;
use super::drafts::{at, currency, rejects as refused};
use super::world::World;
use actiongraph::access::keys::Administrator;
use actiongraph::domain::deeplink::Template;
use actiongraph::domain::draft::{ProductRef, ProgramDetails};
use actiongraph::domain::feed::{CommissionDraft, FeedSource, OfferDraft};
use actiongraph::domain::key::{KeyBudget, KeyTerms};
use actiongraph::domain::ledger::Balance;
use actiongraph::domain::limits::{Limits, SubidLimit};
use actiongraph::domain::records::RunState;
use actiongraph::domain::report::rates::Rate;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::sync::{AccountState, Condition, Feed, FeedState, SyncStep};
use actiongraph::domain::time::Day;
use actiongraph::domain::traffic::DeeplinkSource;
use actiongraph::ingest::adjustments::{LedgerOptions, import_ledger};
use actiongraph::store::apply::feeds::{FeedBatch, write_commissions, write_offers};
use actiongraph::store::apply::ledger::write_balances;
use actiongraph::store::apply::{Described, ReadRecords, deeplinks, describe};
use actiongraph::store::postback_secrets::{self, NewSecret};
use actiongraph::store::sync::Taker;
use actiongraph::store::{imports, rates, sync};
use serde_json::{Value, json};
use std::io::Write as _;
use uuid::Uuid;

/// Shipped programs: one that actions name, and one that none does.
const SHIPPED: [&str; 2] = ["25179", "14289"];

/// When all of it comes in.
const NOW: &str = "2026-06-30T00:00:00Z";

fn product(external_id: &str) -> ProductRef {
    ProductRef {
        external_id: Some(external_id.to_owned()),
        name: None,
        url: None,
        image_url: None,
        country: None,
    }
}

/// A feed of hot products, by their ids at AliExpress and what their offers say of them, and what commission they pay.
pub(crate) async fn offers(
    world: &World,
    place: usize,
    feed: &str,
    products: &[(String, String)],
    has_links: bool,
) {
    let (scope, now) = (world.write(place), at(NOW));
    let source = FeedSource {
        name: feed.to_owned(),
        is_hot: true,
        is_whole: true,
        observed_at: at("2026-06-29T00:00:00Z"),
    };
    let offered = (2..).zip(products).map(|(number, (id, mark))| OfferDraft {
        product: product(id),
        category: None,
        affiliate_url: has_links.then(|| format!("https://alitems.com/g/{mark}/?ulp={id}")),
        price_e4: Some(number * 10_000),
        old_price_e4: Some(number * 20_000),
        currency: Some(currency("USD")),
        vendor: Some(mark.clone()),
        available: Some(number % 5 > 0),
        rounded: 0,
    });
    let (run_id, _) = world.begin(place, "FEED", feed, 1_000_000).await;
    let batch = FeedBatch {
        run_id,
        source: &source,
        offers: &offered.collect::<Vec<_>>(),
        rejects: &[],
        rejected_before: 0,
        now,
    };
    write_offers(&world.store, scope, batch).await.unwrap();
    let state = (RunState::Succeeded, None);
    imports::finish(&world.store, scope, run_id, now, state)
        .await
        .unwrap();
    let paid = (1..)
        .zip(products)
        .map(|(number, (id, _))| CommissionDraft {
            product: product(id),
            rate_e4: Some(number * 7_000),
            hot_rate_e4: Some(number * 9_000),
            is_hot: number % 2 == 0,
            observed_at: now,
        });
    let paid: Vec<CommissionDraft> = paid.collect();
    write_commissions(&world.store, scope, &paid, (None, now))
        .await
        .unwrap();
}

/// Templates of links, from both sources, of every ad space and each of these programs for which there is something to
/// carry.
pub(crate) async fn templates(
    world: &World,
    place: usize,
    programs: &[&str],
    carried: impl Fn(&entity::ad_space::Model, &str) -> Option<String>,
) {
    let known = world.rows::<entity::program::Entity>(place).await;
    for space in world.rows::<entity::ad_space::Entity>(place).await {
        for number in programs {
            let Some(mark) = carried(&space, number) else {
                continue;
            };
            let program = known
                .iter()
                .find(|row| row.external_id.as_deref() == Some(number));
            let sources = [DeeplinkSource::ByHand, DeeplinkSource::Upstream];
            for source in sources {
                let code = Uuid::as_simple(&space.id).to_string();
                let template = Template::stored(
                    format!("https://ad.admitad.com/g/{code}/"),
                    "ulp".to_owned(),
                    vec![("erid".to_owned(), mark.clone())],
                );
                let key = (space.id, program.unwrap().id, source);
                let (store, scope) = (&world.store, world.write(place));
                let note = who(world, place).note().unwrap();
                deeplinks::set(store, scope, key, &template, ("a program", &note))
                    .await
                    .unwrap();
            }
        }
    }
}

/// Parameters of the built-in segments, products on the priority list, and a rate of exchange.
pub(crate) async fn settings(world: &World, place: usize, priorities: &[String]) {
    let api = Api::of(world, place).allowed(KeyScope::ALL);
    let version = "{ segmentSettings { version } }";
    let version = api.data(version, &json!({})).await["segmentSettings"]["version"].clone();
    let change = "mutation($v: BigInt!) { updateSegmentSettings(version: $v, products: {bestSellers: 7, changeUnits: 1}, \
                  users: {minimumActions: 2, minimumUsers: 1}) { userErrors { message } } }";
    done(&api, change, json!({ "v": version })).await;
    let put = "mutation($ids: [String!]) { put: addPriorityProducts(products: {externalIds: $ids}) { \
               userErrors { message } } }";
    done(&api, put, json!({ "ids": priorities })).await;
    let rate = Rate {
        from: currency("USD"),
        to: currency("RUB"),
        day: Day::parse("2026-01-01").unwrap().days(),
        rate_e9: 90_000_000_000,
    };
    rates::save(&world.store, &[rate]).await.unwrap();
}

/// The payload of a mutation that has nothing against it.
async fn done(api: &Api, mutation: &str, variables: Value) -> Value {
    let mut data = api.data(mutation, &variables).await;
    let (_, payload) = data.as_object_mut().unwrap().iter_mut().next().unwrap();
    assert_eq!(payload["userErrors"], json!([]), "{mutation}\n{payload:#}");
    payload.take()
}

/// What has ids that are not derived from anything.
pub(crate) struct Papers {
    /// Segments, by their global ids: of users first, then one of products.
    pub segments: Vec<String>,
    /// API keys, by their public parts.
    pub keys: Vec<String>,
}

/// What only the publisher itself may see: segments, the ledger, runs and what they rejected, keys and their trail,
/// accounts, awaited products, and a program and an ad space that no action names.
pub(crate) async fn papers(world: &World, place: usize, mark: &str) -> Papers {
    let run = rejects(world, place, mark).await;
    ledger(world, place, mark).await;
    account(world, place, mark, run).await;
    described(world, place, mark).await;
    let listed = "mutation($ids: [String!]) { put: addPriorityProducts(products: {externalIds: $ids, \
                  urls: [\"https://shop.example/awaited\"]}) { userErrors { message } } }";
    let api = Api::of(world, place).allowed(KeyScope::ALL);
    let ids = [format!("98765432{place}1"), format!("98765432{place}2")];
    done(&api, listed, json!({ "ids": ids })).await;
    Papers {
        segments: segments(&api, mark).await,
        keys: keys(world, place, mark).await,
    }
}

async fn rejects(world: &World, place: usize, mark: &str) -> Uuid {
    let mut rejects = refused(0, 3);
    for (index, reject) in rejects.iter_mut().enumerate() {
        reject.message = format!("{mark} {index}");
        reject.raw = format!("{{\"comment\":\"{mark}\"}}");
    }
    world.run(place, &[(&[], &rejects)]).await.0
}

async fn ledger(world: &World, place: usize, mark: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let head = "date,kind,amount,currency,reference,comment,program,ad_space";
    let line = |day, kind, amount, reference: &str| {
        format!("2026-03-0{day},{kind},{amount},USD,{reference},{mark},{mark} shop,{mark} site\n")
    };
    let lines = [
        line(5, "Payout", 98_765, "P-1"),
        line(6, "Fine", 43_210, ""),
        line(7, "Bonus", 1, "B-1"),
    ];
    write!(file, "{head}\n{}", lines.concat()).unwrap();
    let options = LedgerOptions {
        name: format!("{mark}.csv"),
        account: mark.to_owned(),
        as_of: Some(at(NOW)),
        offset_minutes: 180,
    };
    let (store, scope, now) = (&world.store, world.write(place), || at(NOW));
    import_ledger(store, scope, file.path(), &options, &now)
        .await
        .unwrap();
    let balance = |code: &str| Balance {
        id: Uuid::nil(),
        account: mark.to_owned(),
        observed_at: at(NOW),
        currency: currency(code),
        balance_e4: 987_650_000,
        processing_e4: 432_100_000,
        today_e4: 5_000,
        stalled_e4: 1,
    };
    let balances = [balance("USD"), balance("RUB")];
    write_balances(store, scope, &balances, (None, at(NOW)))
        .await
        .unwrap();
}

/// Whoever sits at the server's own command line.
fn who(world: &World, place: usize) -> Administrator {
    Administrator::command_line(world.publishers[place].id, at(NOW))
}

async fn account(world: &World, place: usize, mark: &str, run: Uuid) {
    let (store, scope, holder) = (&world.store, world.write(place), "server");
    let (now, until) = (at(NOW), at("2026-07-09T00:00:00Z"));
    let taker = Taker {
        account: mark,
        client_id: mark,
        holder,
    };
    sync::lease(store, scope, taker, now, until).await.unwrap();
    let step = SyncStep {
        account: mark.to_owned(),
        holder: holder.to_owned(),
        feed: Feed::Recent,
        state: FeedState {
            condition: Condition::Failing,
            watermark: Some(now),
            cursor: None,
            run_id: Some(run),
            last_attempt: Some(now),
            last_success: Some(now),
            next_run: Some(until),
            failures: 3,
            last_error: Some(mark.to_owned()),
        },
        named: Vec::new(),
    };
    sync::step(store, scope, &step).await.unwrap();
    let state = AccountState {
        account: mark.to_owned(),
        condition: Condition::Failing,
        failures: 3,
        last_error: Some(mark.to_owned()),
        ..AccountState::default()
    };
    sync::note(store, scope, holder, &state).await.unwrap();
}

/// A program that nothing but the network tells of, and of a shipped one what the network tells of it.
async fn described(world: &World, place: usize, mark: &str) {
    let program = |external_id: &str| ProgramDetails {
        external_id: external_id.to_owned(),
        name: Some(format!("{mark} program")),
        currency: Some(currency("EUR")),
        status: Some(mark.to_owned()),
        connection_status: Some("active".to_owned()),
        hold_days: Some(21),
        max_hold_days: Some(43),
        cookie_days: Some(17),
        payment_days: Some(59),
        countries: vec!["PL".to_owned(), "DE".to_owned()],
        all_countries: Some(false),
    };
    let own = format!("7770{place}");
    let programs = [own.as_str(), SHIPPED[0], SHIPPED[1]].map(program);
    let (run_id, now) = world.begin(place, "API", mark, 1_000_000).await;
    let records = ReadRecords {
        run_id,
        read: 1,
        rejects: &[],
        rejected_before: 0,
    };
    let described = Described {
        ad_spaces: &[],
        programs: &programs,
        records,
        sync: None,
        now,
    };
    let (store, scope) = (&world.store, world.write(place));
    describe(store, scope, described).await.unwrap();
    let state = (RunState::Succeeded, None);
    imports::finish(store, scope, run_id, now, state)
        .await
        .unwrap();
}

async fn segments(api: &Api, mark: &str) -> Vec<String> {
    const CREATE: &str = "mutation($name: String!, $mark: String!, $rule: SegmentRuleInput!) { made: createSegment(\
                          name: $name, description: $mark, rule: $rule) { segment { id } userErrors { message } } }";
    let create = async |name: &str, rule: Value| {
        let variables = json!({ "name": format!("{mark} {name}"), "mark": mark, "rule": rule });
        let made = done(api, CREATE, variables).await;
        made["segment"]["id"].as_str().unwrap().to_owned()
    };
    let act = async |call: String| {
        let mutation =
            format!("mutation {{ {call} {{ segment {{ id }} userErrors {{ message }} }} }}");
        let done = done(api, &mutation, json!({})).await;
        done["segment"]["id"].as_str().unwrap().to_owned()
    };
    let often = json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": 1 } } });
    let often = create("often", often).await;
    let listed = json!({ "users": { "members": { "values": ["user 3", "user 4", mark] } } });
    let listed = create("listed", listed).await;
    let of_it = json!({ "users": { "segment": { "in": [often] } } });
    let of_it = create("of it", of_it).await;
    let goods = json!({ "products": { "metric": { "metric": "UNITS", "atLeast": 1 } } });
    let goods = create("goods", goods).await;
    let away = json!({ "users": { "members": { "values": [mark] } } });
    let away = create("away", away).await;
    act(format!(
        "updateSegment(id: \"{listed}\", expectedVersion: 1, description: \"{mark} twice\")"
    ))
    .await;
    act(format!("archiveSegment(id: \"{away}\")")).await;
    let freeze =
        |id: &str, name: &str| format!("freezeSegment(id: \"{id}\", name: \"{mark} {name}\")");
    let frozen = act(freeze(&often, "frozen")).await;
    let frozen_goods = act(freeze(&goods, "frozen goods")).await;
    vec![often, listed, of_it, away, frozen, goods, frozen_goods]
}

async fn keys(world: &World, place: usize, mark: &str) -> Vec<String> {
    let limits = Limits {
        ad_spaces: Some(vec![mark.to_owned()]),
        subids: vec![SubidLimit {
            slot: 2,
            values: vec![mark.to_owned()],
            prefixes: Vec::new(),
        }],
        ..Limits::default()
    };
    let terms = [
        KeyTerms {
            label: mark.to_owned(),
            limits,
            budget: Some(KeyBudget {
                capacity: 98_765,
                refill: 43_210,
            }),
            ..KeyTerms::default()
        },
        KeyTerms {
            label: format!("{mark} administrator"),
            scopes: KeyScope::ALL.to_vec(),
            ..KeyTerms::default()
        },
    ];
    let who = who(world, place);
    let mut prefixes = Vec::new();
    for terms in terms {
        let made = who.create(&world.store, terms).await.unwrap();
        prefixes.push(made.secret.get(3..11).unwrap().to_owned());
    }
    let secret = NewSecret {
        id: Uuid::from_u128(0x7777 + u128::try_from(place).unwrap()),
        prefix: "0123abcd",
        hash: &"0".repeat(64),
        label: mark,
        ad_space: Some(mark),
    };
    let scope = world.write(place);
    postback_secrets::insert(&world.store, scope, secret, &who.note().unwrap())
        .await
        .unwrap();
    prefixes
}
