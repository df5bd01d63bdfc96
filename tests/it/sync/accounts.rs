//! Several accounts of one publisher side by side, and one account that gets another name.

use super::{
    DAY, HOUR, MINUTE, Stage, asked, assert_same, balances, failures, rows, setup, stored,
};
use crate::support::admitad::{
    Action, CLIENT_ID, CLIENT_SECRET, Clicks, FakeAdmitad, SECOND_SPACE, Trouble,
};
use crate::support::api::Api;
use crate::support::drafts::{at, sale};
use crate::support::world::World;
use actiongraph::domain::sync::{Condition, Feed, Freshness};
use actiongraph::ingest::admitad::tick::{Outcome, Setup, Sync};
use actiongraph::store::sync;
use chrono::NaiveDate;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The public half of the second account's key.
const SECOND: &str = "app-7c20";
const BY_DAY: &str =
    "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats WHERE slot = -1";

/// A second account of the same publisher: an application and an ad space of its own.
fn second(stage: &Stage) -> Arc<FakeAdmitad> {
    let fake = FakeAdmitad::start(stage.clock.clone());
    fake.world(|world| {
        world.client_id = SECOND;
        world.ad_spaces = vec![SECOND_SPACE];
        world.put((1_001..=1_040).map(|id| Action {
            ad_space: SECOND_SPACE.0,
            payment: 40_000,
            ..Action::sale(id, &day(id))
        }));
        world.clicks = vec![clicks(SECOND_SPACE.0, 9), clicks(SECOND_SPACE.0, 10)];
    });
    Arc::new(fake)
}

/// A time in February that goes with an action's id.
fn day(id: i64) -> String {
    format!("2026-02-{:02} 10:00:00", 1 + id % 28)
}

fn clicks(ad_space: i64, day: u32) -> Clicks {
    Clicks {
        day: NaiveDate::from_ymd_opt(2026, 3, day).unwrap(),
        program: 6115,
        ad_space,
        subids: [None, Some("u-1".to_owned()), None, None, None],
        clicks: i64::from(day),
        views: 100,
    }
}

/// The first account, with the first ad spaces.
async fn first() -> Stage {
    let stage = Stage {
        world: World::new(2).await,
        ..Stage::new().await
    };
    stage.fake.world(|world| {
        world.put((1..=60).map(|id| Action::sale(id, &day(id))));
        world.clicks = vec![clicks(2001, 8), clicks(2001, 10)];
    });
    stage
}

fn setup_of(fake: &FakeAdmitad, name: &str, client_id: &str) -> Setup {
    Setup {
        name: name.to_owned(),
        client_id: client_id.to_owned(),
        ..setup(fake, CLIENT_SECRET)
    }
}

/// Steps the syncs in turn until none has anything to do.
pub(super) async fn side_by_side(stage: &Stage, syncs: &mut [Sync]) {
    for _ in 0..5_000 {
        let mut is_idle = true;
        for sync in &mut *syncs {
            let outcome = sync.tick(stage.now()).await.unwrap();
            is_idle &= matches!(outcome, Outcome::Wait(_));
            if let Outcome::Paced(_) = outcome {
                stage.pass(1);
            }
        }
        if is_idle {
            return;
        }
    }
    panic!("it does not end");
}

fn truth(fake: &FakeAdmitad) -> Vec<String> {
    fake.world(crate::support::admitad::World::truth)
}

/// The actions that the network was asked for by their ids.
fn asked_for(fake: &FakeAdmitad) -> Vec<String> {
    let log = fake.log();
    let ids = log.iter().filter_map(|request| request.one("action_id"));
    ids.map(str::to_owned).collect()
}

/// The ids of the actions that are stored of publisher 0.
async fn ids(stage: &Stage) -> BTreeSet<i64> {
    let stored = stored(&stage.world, 0).await;
    stored.keys().map(|id| id.parse().unwrap()).collect()
}

/// The network takes actions back.
fn take_back(fake: &FakeAdmitad, ids: &[i64]) {
    fake.world(|world| world.actions.retain(|id, _| !ids.contains(id)));
}

/// The clicks by day of each account of publisher 0.
async fn clicks_by_account(stage: &Stage) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for row in stage.world.rows::<entity::click_stat::Entity>(0).await {
        if row.slot == -1 {
            *sums.entry(row.account).or_default() += row.clicks;
        }
    }
    sums
}

fn sums<const N: usize>(sums: [(&str, i64); N]) -> BTreeMap<String, i64> {
    sums.map(|(name, sum)| (name.to_owned(), sum)).into()
}

#[tokio::test]
async fn two_accounts_of_a_publisher_are_each_complete_and_take_nothing_from_each_other() {
    let stage = first().await;
    let other = second(&stage);
    // A publisher beside them, whose account has the same ids.
    let foreign = FakeAdmitad::start(stage.clock.clone());
    foreign.world(|world| {
        world.put((1..=30).map(|id| Action::sale(id, "2026-02-03 10:00:00")));
        world.clicks = vec![clicks(2001, 10)];
    });
    let mut syncs = [
        stage.sync(),
        stage.sync_of(0, &setup_of(&other, "second", SECOND)),
        stage.sync_of(1, &setup(&foreign, CLIENT_SECRET)),
    ];
    side_by_side(&stage, &mut syncs).await;
    let both = [truth(&stage.fake), truth(&other)].concat();
    assert_same(&stored(&stage.world, 0).await, &both);
    assert_same(&stored(&stage.world, 1).await, &truth(&foreign));
    let told = sums([("main", 8 + 10), ("second", 9 + 10)]);
    assert_eq!(clicks_by_account(&stage).await, told);
    let of = |rows: &[entity::balance::Model], account: &str| {
        let own = rows.iter().filter(|row| row.account == account);
        own.map(|row| row.processing_e4).collect::<Vec<_>>()
    };
    let held = balances(&stage).await;
    assert_eq!(of(&held, "main"), [60 * 18_900]);
    assert_eq!(of(&held, "second"), [40 * 40_000]);

    // What each takes back or corrects at night does nothing to the other's rows, nor to what came in otherwise.
    let of_a_file = sale("77", at("2026-02-03T10:00:00Z"));
    stage.world.apply(0, &[of_a_file]).await;
    for (fake, id) in [(&stage.fake, 3), (&other, 1_003)] {
        fake.world(|world| {
            world.actions.remove(&id);
        });
    }
    foreign.world(|world| {
        world.actions.remove(&5);
    });
    other.world(|world| world.clicks = vec![clicks(SECOND_SPACE.0, 9)]);
    for fake in [&*stage.fake, &other, &foreign] {
        fake.take_log();
    }
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    let both = [truth(&stage.fake), truth(&other)].concat();
    let mut left = stored(&stage.world, 0).await;
    assert!(left.remove("77").is_some());
    assert_same(&left, &both);
    assert_same(&stored(&stage.world, 1).await, &truth(&foreign));
    // Nobody was asked for what is another's.
    for (fake, others) in [
        (&stage.fake, &["2004"][..]),
        (&other, &["2001", "2002", "2003"]),
    ] {
        let log = fake.log();
        let spaces = log.iter().filter_map(|request| {
            let path = request.path.strip_prefix("/advcampaigns/website/");
            request
                .one("website")
                .or(path.map(|path| path.trim_end_matches('/')))
        });
        let spaces: BTreeSet<&str> = spaces.collect();
        assert!(!spaces.is_empty());
        assert!(
            others.iter().all(|space| !spaces.contains(space)),
            "{spaces:?}"
        );
    }
    assert_eq!(asked_for(&stage.fake), ["3"]);
    assert_eq!(asked_for(&other), ["1003"]);
    assert_eq!(asked_for(&foreign), ["5"]);
    let told = sums([("main", 8 + 10), ("second", 9)]);
    assert_eq!(clicks_by_account(&stage).await, told);
    for place in [0, 1] {
        assert_eq!(stage.world.drift(place).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn freshness_tells_the_accounts_of_a_publisher_apart() {
    let stage = first().await;
    let other = second(&stage);
    let mut syncs = [
        stage.sync(),
        stage.sync_of(0, &setup_of(&other, "second", SECOND)),
    ];
    side_by_side(&stage, &mut syncs).await;
    // From now on the second one answers with pages of HTML.
    other.world(|world| {
        world.before_each(|request, world| {
            if request.path == "/statistics/actions/" {
                world.trouble("statistics/actions", Trouble::Html(200));
            }
        });
    });
    stage.pass(10 * MINUTE);
    for sync in &mut syncs {
        stage.drive(sync).await;
    }
    let accounts = sync::accounts(&stage.world.tx(), stage.world.read(0)).await;
    let states: Vec<(String, Freshness)> = accounts
        .unwrap()
        .iter()
        .map(|one| (one.account.clone(), one.freshness(stage.now())))
        .collect();
    assert_eq!(
        states,
        [
            ("main".to_owned(), Freshness::Fresh),
            ("second".to_owned(), Freshness::Failing)
        ]
    );
    let query = "{ freshness { entrance account lastError newestDataAt } }";
    let told = Api::of(&stage.world, 0).data(query, &json!({})).await["freshness"].take();
    let sources = told.as_array().unwrap();
    let names: Vec<_> = sources
        .iter()
        .map(|source| (source["entrance"].as_str(), source["account"].as_str()))
        .collect();
    assert_eq!(
        names,
        [(Some("API"), Some("main")), (Some("API"), Some("second"))]
    );
    assert_eq!(sources[0]["lastError"], json!(null));
    let error = sources[1]["lastError"].as_str().unwrap();
    assert!(error.contains("HTML"), "{error}");
    // The first one went on meanwhile; the second one still knows what it knew.
    assert!(
        sources[0]["newestDataAt"].as_str() > sources[1]["newestDataAt"].as_str(),
        "{told:#}"
    );
    let publisher = Api::of(&stage.world, 1).data(query, &json!({})).await;
    assert_eq!(publisher["freshness"], json!([]), "another publisher's");
}

async fn shown(stage: &Stage) -> Vec<String> {
    let all = sync::accounts(&stage.world.tx(), stage.world.read(0)).await;
    all.unwrap().into_iter().map(|one| one.account).collect()
}

/// The accounts that balances are stored of.
async fn balanced(stage: &Stage) -> Vec<String> {
    let mut all: Vec<String> = balances(stage)
        .await
        .into_iter()
        .map(|row| row.account)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test]
async fn an_account_under_another_name_is_the_same_account() {
    let stage = first().await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    assert_eq!(clicks_by_account(&stage).await, sums([("main", 18)]));
    // A server whose configuration has the new name already waits for the one that still has the old one.
    let mut renamed = stage.sync_of(0, &setup_of(&stage.fake, "blog", CLIENT_ID));
    let outcome = renamed.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
    assert_eq!(shown(&stage).await, ["main"]);
    sync.release(stage.now()).await.unwrap();
    // It goes on where the old name was: nothing is read from the beginning.
    stage.fake.take_log();
    stage.pass(HOUR + MINUTE);
    let outcomes = stage.drive(&mut renamed).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    assert_eq!(shown(&stage).await, ["blog"]);
    assert_eq!(clicks_by_account(&stage).await, sums([("blog", 18)]));
    assert_eq!(balanced(&stage).await, ["blog"]);
    let state = renamed.state().await.unwrap();
    assert_eq!(state.feed(Feed::Backfill).condition, Condition::Done);
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
    assert!(asked(&stage.fake, "/statistics/actions/") <= 4);
    // The old server is not the one to fetch it any more, as long as this one does.
    let outcome = sync.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
    // There is one account, so that the night takes out what is gone.
    stage.fake.world(|world| {
        world.actions.remove(&3);
    });
    stage.pass(DAY);
    stage.drive(&mut renamed).await;
    assert!(!stored(&stage.world, 0).await.contains_key("3"));
    stage.assert_true().await;
}

#[tokio::test]
async fn clicks_that_a_renamed_account_had_counted_twice_count_once_when_it_is_known_again() {
    let stage = first().await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    sync.release(stage.now()).await.unwrap();
    // As a version did that did not note whose the name was.
    #[expect(
        clippy::disallowed_methods,
        reason = "what an earlier version had stored is made behind the store's back"
    )]
    let db = Database::connect(&stage.world.url).await.unwrap();
    db.execute_unprepared("UPDATE sync_accounts SET client_id = NULL")
        .await
        .unwrap();
    let mut renamed = stage.sync_of(0, &setup_of(&stage.fake, "blog", CLIENT_ID));
    stage.complete(&mut renamed).await;
    stage.drive(&mut renamed).await;
    assert_eq!(rows(&stage, BY_DAY).await, 36, "that was the fault");
    renamed.release(stage.now()).await.unwrap();
    // Under the old name once, the two become one; under the new one again it stays one.
    let mut again = stage.sync();
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut again).await;
    assert_eq!(clicks_by_account(&stage).await, sums([("main", 18)]));
    assert_eq!(balanced(&stage).await, ["main"]);
    again.release(stage.now()).await.unwrap();
    let mut renamed = stage.sync_of(0, &setup_of(&stage.fake, "blog", CLIENT_ID));
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut renamed).await;
    assert_eq!(clicks_by_account(&stage).await, sums([("blog", 18)]));
    assert_eq!(shown(&stage).await, ["blog"]);
}

#[tokio::test]
async fn a_name_that_was_another_accounts_does_not_mix_the_two() {
    let (stage, other, syncs) = both().await;
    stop(&stage, syncs).await;
    // "second" is the name of the first account now; what is stored under it was read from the second one.
    let mut taken = stage.sync_of(0, &setup_of(&stage.fake, "second", CLIENT_ID));
    // Long enough for the lease to be renewed.
    for _ in 0..3 {
        stage.drive(&mut taken).await;
        stage.pass(HOUR + MINUTE);
    }
    let aside = "second (app-7c20)";
    assert_eq!(shown(&stage).await, ["second"], "nobody fetches the other");
    let told = sums([("second", 18), (aside, 19)]);
    assert_eq!(clicks_by_account(&stage).await, told);
    assert_eq!(balanced(&stage).await, ["second", aside]);
    // What was put aside is there when its own account comes, under any name.
    let mut back = stage.sync_of(0, &setup_of(&other, "third", SECOND));
    stage.drive(&mut back).await;
    let told = sums([("second", 18), ("third", 19)]);
    assert_eq!(clicks_by_account(&stage).await, told);
    assert_eq!(shown(&stage).await, ["second", "third"]);
    let state = back.state().await.unwrap();
    assert_eq!(state.feed(Feed::Backfill).condition, Condition::Done);
}

/// Two accounts that were read completely, the second one's network in which something is done first, and a night later,
/// so that each has named all of its own.
async fn both_with(change: impl FnOnce(&FakeAdmitad)) -> (Stage, Arc<FakeAdmitad>, [Sync; 2]) {
    let stage = first().await;
    let other = second(&stage);
    change(&other);
    let mut syncs = [
        stage.sync(),
        stage.sync_of(0, &setup_of(&other, "second", SECOND)),
    ];
    side_by_side(&stage, &mut syncs).await;
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    (stage, other, syncs)
}

async fn both() -> (Stage, Arc<FakeAdmitad>, [Sync; 2]) {
    both_with(|_| {}).await
}

async fn stop(stage: &Stage, syncs: [Sync; 2]) {
    for mut sync in syncs {
        sync.release(stage.now()).await.unwrap();
    }
}

#[tokio::test]
async fn names_that_move_along_or_are_swapped_starve_nobody() {
    for (names, comes_first) in [(["second", "third"], 0), (["second", "main"], 1)] {
        let (stage, other, mut syncs) = both().await;
        // While a server still has the old names, whoever wants one waits.
        stage.pass(HOUR);
        side_by_side(&stage, &mut syncs).await;
        let setups = [
            setup_of(&stage.fake, names[0], CLIENT_ID),
            setup_of(&other, names[1], SECOND),
        ];
        let mut moved = setups.each_ref().map(|setup| stage.sync_of(0, setup));
        for sync in &mut moved {
            let outcome = sync.tick(stage.now()).await.unwrap();
            assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
        }
        stop(&stage, syncs).await;
        stage.fake.take_log();
        other.take_log();
        stage.pass(HOUR);
        moved[comes_first].tick(stage.now()).await.unwrap();
        side_by_side(&stage, &mut moved).await;
        let told = sums([(names[0], 18), (names[1], 19)]);
        assert_eq!(clicks_by_account(&stage).await, told, "{names:?}");
        for (sync, fake) in moved.iter().zip([&*stage.fake, &other]) {
            let state = sync.state().await.unwrap();
            assert_eq!(state.freshness(stage.now()), Freshness::Fresh, "{names:?}");
            // It goes on where it was.
            assert!(asked(fake, "/statistics/actions/") <= 4, "{names:?}");
        }
        // And each still knows what is its own.
        take_back(&stage.fake, &[3]);
        take_back(&other, &[1_003]);
        stage.pass(DAY);
        side_by_side(&stage, &mut moved).await;
        let all = [truth(&stage.fake), truth(&other)].concat();
        assert_same(&stored(&stage.world, 0).await, &all);
    }
}

#[tokio::test]
async fn a_name_that_a_new_account_gets_leaves_the_old_one_what_it_had() {
    let (stage, other, syncs) = both().await;
    stop(&stage, syncs).await;
    // A third account is called as the second one was, which is called "shop" now.
    let third = FakeAdmitad::start(stage.clock.clone());
    third.world(|world| {
        world.client_id = "app-0003";
        world.put((2_001..=2_010).map(|id| Action::sale(id, "2026-02-07 10:00:00")));
    });
    let setups = [
        setup(&stage.fake, CLIENT_SECRET),
        setup_of(&third, "second", "app-0003"),
        setup_of(&other, "shop", SECOND),
    ];
    let configured = setups
        .each_ref()
        .map(|setup| (setup.name.clone(), setup.client_id.clone()));
    let (store, scope) = (&stage.world.store, stage.world.write(0));
    let retired = sync::retire(store, scope, &configured, stage.now()).await;
    assert_eq!(retired.unwrap(), 0, "all are configured");
    let mut syncs = setups.each_ref().map(|setup| stage.sync_of(0, setup));
    stage.pass(HOUR + MINUTE);
    other.take_log();
    side_by_side(&stage, &mut syncs).await;
    // The new one is read from its beginning, the old one goes on where it was.
    let all = [truth(&stage.fake), truth(&other), truth(&third)].concat();
    assert_same(&stored(&stage.world, 0).await, &all);
    assert_eq!(shown(&stage).await, ["main", "second", "shop"]);
    let told = sums([("main", 18), ("second", 0), ("shop", 19)]);
    assert_eq!(clicks_by_account(&stage).await, told);
    assert!(asked(&other, "/statistics/actions/") <= 4);
}

#[tokio::test]
async fn an_account_under_another_name_still_takes_back_its_own_and_nothing_else() {
    let (stage, other, syncs) = both().await;
    stop(&stage, syncs).await;
    let mut syncs = [
        stage.sync(),
        stage.sync_of(0, &setup_of(&other, "shop", SECOND)),
    ];
    // Before the new name has read anything of its own.
    take_back(&other, &[1_003, 1_017]);
    take_back(&stage.fake, &[3]);
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    let all = [truth(&stage.fake), truth(&other)].concat();
    assert_same(&stored(&stage.world, 0).await, &all);
    assert_eq!(stage.world.drift(0).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_account_that_is_configured_no_more_takes_nothing_with_it() {
    let (stage, other, syncs) = both().await;
    let before = ids(&stage).await;
    stop(&stage, syncs).await;
    let (store, scope) = (&stage.world.store, stage.world.write(0));
    let configured = [("main".to_owned(), CLIENT_ID.to_owned())];
    let retired = sync::retire(store, scope, &configured, stage.now()).await;
    assert_eq!(retired.unwrap(), 1);
    take_back(&other, &[1_003]);
    take_back(&stage.fake, &[3]);
    let mut sync = stage.sync();
    for _ in 0..3 {
        stage.pass(DAY);
        stage.drive(&mut sync).await;
    }
    let mut left = before;
    left.remove(&3);
    assert_eq!(ids(&stage).await, left);
    // Configured again, it takes back what is gone.
    let mut syncs = [sync, stage.sync_of(0, &setup_of(&other, "second", SECOND))];
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    left.remove(&1_003);
    assert_eq!(ids(&stage).await, left);
}

#[tokio::test]
async fn what_two_accounts_name_stays_for_as_long_as_one_does() {
    // Two keys of one account, or an ad space that has moved to another account.
    let (stage, other, mut syncs) = both_with(|other| {
        other.world(|world| world.put((1..=5).map(|id| Action::sale(id, &day(id)))));
    })
    .await;
    let mut wanted = ids(&stage).await;
    take_back(&stage.fake, &[2, 3]);
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    assert_eq!(ids(&stage).await, wanted, "the second one still names them");
    take_back(&other, &[3]);
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    wanted.remove(&3);
    assert_eq!(ids(&stage).await, wanted);
}

#[tokio::test]
async fn new_credentials_under_an_old_name_take_nothing_back() {
    let (stage, _other, syncs) = both().await;
    let before = ids(&stage).await;
    stop(&stage, syncs).await;
    // Another account altogether, by a slip of the hand.
    let third = FakeAdmitad::start(stage.clock.clone());
    third.world(|world| {
        world.client_id = "app-0003";
        world.put([Action::sale(2_001, "2026-03-11 10:00:00")]);
    });
    let mut sync = stage.sync_of(0, &setup_of(&third, "second", "app-0003"));
    for _ in 0..2 {
        stage.pass(DAY);
        stage.drive(&mut sync).await;
    }
    let mut wanted = before;
    wanted.insert(2_001);
    assert_eq!(ids(&stage).await, wanted);
    // What it names itself, it takes back.
    take_back(&third, &[2_001]);
    stage.pass(DAY);
    stage.drive(&mut sync).await;
    wanted.remove(&2_001);
    assert_eq!(ids(&stage).await, wanted);
}

/// How many actions an account of publisher 0 has named.
async fn named_by(stage: &Stage, account: &str) -> i64 {
    let count = format!("SELECT COUNT(*) AS n FROM account_actions WHERE account = '{account}'");
    rows(stage, &count).await
}

#[tokio::test]
async fn a_server_with_other_credentials_forgets_nothing_of_an_account_that_another_one_fetches() {
    let (stage, other, mut syncs) = both().await;
    let named = named_by(&stage, "second").await;
    assert_eq!(named, 40);
    // As long as a server holds the account, one that has other credentials for it waits, however often it tries.
    let third = FakeAdmitad::start(stage.clock.clone());
    third.world(|world| world.client_id = "app-0003");
    let mut changed = stage.sync_of(0, &setup_of(&third, "second", "app-0003"));
    for _ in 0..3 {
        stage.pass(MINUTE);
        side_by_side(&stage, &mut syncs).await;
        let outcome = changed.tick(stage.now()).await.unwrap();
        assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
        assert_eq!(named_by(&stage, "second").await, named);
    }
    take_back(&other, &[1_003]);
    stage.pass(DAY);
    side_by_side(&stage, &mut syncs).await;
    assert!(!ids(&stage).await.contains(&1_003), "it takes back its own");
    // When it is its turn, it is another account.
    stop(&stage, syncs).await;
    changed.tick(stage.now()).await.unwrap();
    assert_eq!(named_by(&stage, "second").await, 0);
}

#[tokio::test]
async fn ad_spaces_that_none_of_the_others_asks_for_are_not_left_out() {
    for tells_of_its_own in [false, true] {
        let (stage, _other, syncs) = both().await;
        stop(&stage, syncs).await;
        let (store, scope) = (&stage.world.store, stage.world.write(0));
        let configured = [
            ("main".to_owned(), CLIENT_ID.to_owned()),
            ("shop".to_owned(), "app-0004".to_owned()),
        ];
        let retired = sync::retire(store, scope, &configured, stage.now()).await;
        assert_eq!(retired.unwrap(), 1);
        // Another key of the second account, which may not list its ad spaces, or lists another one alone.
        let shop = second(&stage);
        shop.world(|world| {
            world.client_id = "app-0004";
            if tells_of_its_own {
                world.ad_spaces = vec![(2_005, "Shop")];
            } else {
                world.scopes.retain(|scope| *scope != "websites");
            }
        });
        let mut syncs = [
            stage.sync(),
            stage.sync_of(0, &setup_of(&shop, "shop", "app-0004")),
        ];
        stage.pass(HOUR);
        side_by_side(&stage, &mut syncs).await;
        let told = clicks_by_account(&stage).await;
        assert_eq!(told.get("shop"), Some(&19), "{told:?}");
    }
}
