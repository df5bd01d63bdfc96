//! The sync against a fake Admitad, step by step: no test waits for time to pass, a clock of the test's own is moved.

mod accounts;
mod behind;
mod budget;
mod entrances;
mod gaps;
mod killed;
mod programs;
mod rates;
mod refused;
mod served;

use crate::support::admitad::{Action, CLIENT_ID, CLIENT_SECRET, FakeAdmitad, Story, Trouble};
use crate::support::drafts::at;
use crate::support::world::World;
use actiongraph::clock::Clock;
use actiongraph::domain::deeplink::Hosts;
use actiongraph::domain::secret::Secret;
use actiongraph::domain::sync::{AccountState, Condition, Feed, Freshness};
use actiongraph::domain::time::{Day, Instant};
use actiongraph::ingest::admitad::tick::{Outcome, Setup, Sync};
use actiongraph::store::report::known_days;
use actiongraph::worker::upkeep;
use chrono::{NaiveDate, NaiveDateTime};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A minute, an hour and a day, in seconds.
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A database, a fake upstream, and the clock of both: 2026-03-10 12:00 UTC at first.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) fake: Arc<FakeAdmitad>,
    clock: Clock,
}

impl Stage {
    async fn new() -> Self {
        let clock = Clock::fixed(at("2026-03-10T12:00:00Z").to_utc());
        Self {
            world: World::new(1).await,
            fake: Arc::new(FakeAdmitad::start(clock.clone())),
            clock,
        }
    }

    /// Likewise, with actions that were ordered since 1 January and go on changing.
    async fn with_story(seed: u64, actions: usize) -> Self {
        let stage = Self::new().await;
        let start: NaiveDateTime = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().into();
        stage
            .fake
            .world(|world| world.follow(Story::new(seed, actions, 60, start)));
        stage
    }

    /// Likewise, with actions that change no more.
    pub(crate) async fn still(seed: u64, actions: usize) -> Self {
        let (moving, stage) = (Self::with_story(seed, actions).await, Self::new().await);
        let (actions, clicks) = moving
            .fake
            .world(|world| (world.actions.clone(), world.clicks.clone()));
        stage.fake.world(|world| {
            world.put(actions.into_values());
            world.clicks = clicks;
        });
        stage
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_utc(self.clock.now()).unwrap()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn sync(&self) -> Sync {
        self.sync_of(0, &setup(&self.fake, CLIENT_SECRET))
    }

    fn sync_of(&self, place: usize, setup: &Setup) -> Sync {
        let publisher = &self.world.publishers[place];
        Sync::new(&self.world.store, publisher, setup, self.now()).unwrap()
    }

    /// Steps until there is nothing to do, with the clock moved where only the pace is waited for; gives what happened.
    async fn drive(&self, sync: &mut Sync) -> Vec<Outcome> {
        let mut all = Vec::new();
        for _ in 0..10_000 {
            let outcome = sync.tick(self.now()).await.unwrap();
            let until = match outcome {
                Outcome::Wait(_) | Outcome::Elsewhere(_) => {
                    all.push(outcome);
                    return all;
                }
                Outcome::Paced(until) => Some(until),
                Outcome::Worked(_) | Outcome::Failed { .. } | Outcome::LeftOut { .. } => None,
            };
            if let Some(until) = until {
                let wait = u64::try_from(until.micros() - self.now().micros()).unwrap();
                self.clock.advance(Duration::from_micros(wait));
            }
            all.push(outcome);
        }
        panic!("it does not end");
    }

    /// Likewise through pauses, until the back-fill is done and nothing failed last; gives what happened.
    async fn complete(&self, sync: &mut Sync) -> Vec<Outcome> {
        self.until(sync, |state, now| state.freshness(now) == Freshness::Fresh)
            .await
    }

    /// Likewise, until the state is a certain one.
    pub(crate) async fn until(
        &self,
        sync: &mut Sync,
        is_reached: impl Fn(&AccountState, Instant) -> bool,
    ) -> Vec<Outcome> {
        let mut all = Vec::new();
        for _ in 0..200 {
            all.extend(self.drive(sync).await);
            let state = sync.state().await.unwrap();
            if is_reached(&state, self.now()) {
                return all;
            }
            self.pass(30);
        }
        panic!("it does not get complete: {:#?}", sync.state().await);
    }

    /// Asserts that what is stored of publisher 0 is what upstream has now, and that totals are the facts.
    pub(crate) async fn assert_true(&self) {
        let told = self.fake.world(crate::support::admitad::World::truth);
        assert_same(&stored(&self.world, 0).await, &told);
        assert_eq!(self.world.drift(0).await, Vec::<String>::new());
    }
}

fn setup(fake: &FakeAdmitad, secret: &str) -> Setup {
    Setup {
        hosts: Hosts::default(),
        name: "main".to_owned(),
        base_url: fake.base_url(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(secret),
        offset_minutes: 180,
        since: Some(Day::parse("2025-12-15").unwrap()),
        every: Duration::from_secs(150),
        timeout: Duration::from_secs(30),
    }
}

/// Asserts that nothing is stored half: each cart is whole, and totals are the facts.
pub(crate) async fn whole_carts(world: &World) {
    let facts = world.facts(0).await;
    for action in facts.actions.values() {
        let items = usize::try_from(action.items_count).unwrap();
        assert_eq!(facts.cart(action.id).len(), items, "{action:?}");
    }
    assert_eq!(world.drift(0).await, Vec::<String>::new());
}

/// What is stored of a publisher's actions, by upstream's id: status, reward, order amount, times and cart.
async fn stored(world: &World, place: usize) -> BTreeMap<String, String> {
    let facts = world.facts(place).await;
    let mut all = BTreeMap::new();
    for action in facts.actions.values() {
        let items = facts.items.get(&action.id).map_or(0, Vec::len);
        let line = format!(
            "{} {} {:?} {} {:?} {:?} cart {}",
            action.raw_status,
            action.reward_e4,
            action.order_amount_e4,
            action.ordered_at_us,
            action.status_updated_at_us,
            action.subid1,
            items,
        );
        all.insert(action.external_id.clone(), line);
    }
    all
}

/// The same of upstream's records.
fn assert_same(stored: &BTreeMap<String, String>, records: &[String]) {
    let mut told = BTreeMap::new();
    for record in records {
        let record: Value = serde_json::from_str(record).unwrap();
        let micros = |name: &str| {
            let text = record[name].as_str().filter(|text| !text.is_empty())?;
            let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
            Some(time.and_utc().timestamp_micros() - 3 * 3_600_000_000)
        };
        let money = |name: &str| {
            let text = match &record[name] {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
            let digits = format!("{whole}{rest:0<4}");
            Some(digits.parse::<i64>().unwrap())
        };
        let line = format!(
            "{} {} {:?} {} {:?} {:?} cart {}",
            record["status"].as_str().unwrap(),
            money("payment").unwrap(),
            money("cart"),
            micros("action_date").unwrap(),
            micros("status_updated"),
            record["subid1"].as_str(),
            record["positions"].as_array().unwrap().len(),
        );
        told.insert(record["action_id"].to_string(), line);
    }
    let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) =
        (stored.keys().collect(), told.keys().collect());
    let lost: Vec<_> = theirs.difference(&ours).collect();
    let kept: Vec<_> = ours.difference(&theirs).collect();
    assert!(lost.is_empty(), "not stored: {lost:?}");
    assert!(kept.is_empty(), "upstream has no more: {kept:?}");
    for (id, line) in &told {
        let stored = stored
            .get(id)
            .map(|line| line.rsplit_once(" cart ").unwrap());
        let line = line.rsplit_once(" cart ").unwrap();
        // An empty cart says nothing of the cart that was.
        let cart = |cart: &str| line.1 != "0" && cart != line.1;
        assert!(
            stored.is_some_and(|stored| stored.0 == line.0 && !cart(stored.1)),
            "{id}: {stored:?}, {line:?}"
        );
    }
    assert!(!told.is_empty());
}

fn failures(outcomes: &[Outcome]) -> Vec<&str> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Failed { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect()
}

fn asked(fake: &FakeAdmitad, path: &str) -> usize {
    fake.log()
        .iter()
        .filter(|request| request.path == path)
        .count()
}

#[tokio::test]
async fn it_goes_from_empty_to_complete_and_stays_there() {
    let stage = Stage::with_story(7, 1_400).await;
    let mut sync = stage.sync();
    let state = sync.state().await.unwrap();
    assert_eq!(state.freshness(stage.now()), Freshness::Never);
    let outcomes = stage.complete(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    stage.assert_true().await;
    // Each month once, each list once.
    assert_eq!(asked(&stage.fake, "/websites/"), 1);
    assert_eq!(asked(&stage.fake, "/advcampaigns/"), 1);
    // Five minutes at a time.
    for _ in 0..30 {
        stage.pass(300);
        stage.drive(&mut sync).await;
        let state = sync.state().await.unwrap();
        let known = state.known_until().unwrap();
        // What is paced behind it takes moments more.
        assert!(stage.now().micros() - known.micros() <= 120_000_000);
        assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
    }
    // Three days at a time, as if the server had been away, until nothing happens any more, and a night.
    for _ in 0..12 {
        stage.pass(3 * DAY);
        let outcomes = stage.drive(&mut sync).await;
        assert_eq!(failures(&outcomes), Vec::<&str>::new());
    }
    stage.assert_true().await;
    // Rates of the currencies in use came in, day by day.
    let rates = rows(&stage, "SELECT COUNT(*) AS n FROM exchange_rates").await;
    assert!(rates > 100, "{rates}");
    let programs = stage.world.rows::<entity::program::Entity>(0).await;
    assert!(
        programs
            .iter()
            .any(|row| row.external_id.as_deref() == Some("6115") && row.hold_days.is_some()),
        "{programs:?}"
    );
    let spaces = stage.world.rows::<entity::ad_space::Entity>(0).await;
    assert!(!spaces.is_empty() && spaces.iter().all(|row| row.external_id.is_some()));
}

#[tokio::test]
async fn the_balance_and_what_products_pay_come_in() {
    let stage = Stage::still(9, 300).await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    let (first, products) = (balances(&stage).await, commissions(&stage).await);
    assert!(!first.is_empty() && first.iter().all(|row| row.account == "main"));
    assert!(products.len() > 20, "{}", products.len());
    assert!(products.iter().all(|row| row.rate_e4.is_some()));
    let hot = products.iter().filter(|row| row.is_hot).count();
    assert!(hot > 0 && hot < products.len(), "{hot}");
    // A balance that has not changed is none to keep; products are not asked for again within a week.
    let asked_before = asked(&stage.fake, "/aliexpress/commission_rates/");
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(balances(&stage).await.len(), first.len());
    stage.fake.world(|world| {
        world
            .put([Action::sale(990_001, "2026-03-09 10:00:00")
                .becomes("approved", "2026-03-10 14:50:00")]);
    });
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(balances(&stage).await.len(), first.len() + 1);
    assert_eq!(
        asked(&stage.fake, "/aliexpress/commission_rates/"),
        asked_before
    );
    // A key that may not see the balance loses nothing else.
    stage.fake.world(|world| {
        world
            .scopes
            .retain(|scope| *scope != "private_data_balance");
    });
    let mut other = stage.sync_of(0, &setup(&stage.fake, CLIENT_SECRET));
    stage.pass(DAY);
    stage.drive(&mut other).await;
    let state = other.state().await.unwrap();
    let balance = state.feed(Feed::Balance);
    assert_eq!(
        (balance.condition, balance.failures),
        (Condition::Stopped, 0)
    );
    let told = balance.last_error.unwrap();
    assert!(told.contains("scope private_data_balance"), "{told}");
    assert!(told.contains("tick it"), "{told}");
    assert_eq!(state.feed(Feed::Commissions).condition, Condition::Waiting);
    // Nor one that may not ask for commission rates, when products are asked for again a week later.
    stage.fake.world(|world| {
        world
            .scopes
            .retain(|scope| *scope != "aliexpress_commission");
    });
    stage.pass(8 * DAY);
    let outcomes = stage.drive(&mut other).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    let commissions = other.state().await.unwrap().feed(Feed::Commissions);
    assert_eq!(
        (commissions.condition, commissions.failures),
        (Condition::Stopped, 0)
    );
}

#[tokio::test]
async fn the_links_of_ad_spaces_come_in() {
    let stage = Stage::still(9, 120).await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    let links = stage.world.rows::<entity::deeplink::Entity>(0).await;
    let spaces = stage.world.rows::<entity::ad_space::Entity>(0).await;
    assert!(
        links.len() > 3 && links.len() % spaces.len() == 0,
        "{links:?}"
    );
    for link in &links {
        let space = spaces
            .iter()
            .find(|space| space.id == link.ad_space_id)
            .unwrap();
        let code = format!(
            "https://ad.admitad.com/g/code{}of",
            space.external_id.as_deref().unwrap()
        );
        assert!(link.base.starts_with(&code), "{link:?}");
        assert_eq!(
            (link.source.as_str(), link.extra.as_str()),
            ("UPSTREAM", "[[\"i\",\"4\"]]")
        );
    }
    // The same again changes nothing; a key that may not see them loses nothing else.
    stage.pass(DAY + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(stage.world.rows::<entity::deeplink::Entity>(0).await, links);
    stage.fake.world(|world| {
        world
            .scopes
            .retain(|scope| *scope != "advcampaigns_for_website");
    });
    let mut other = stage.sync_of(0, &setup(&stage.fake, CLIENT_SECRET));
    stage.pass(DAY);
    stage.drive(&mut other).await;
    let state = other.state().await.unwrap();
    assert_eq!(state.feed(Feed::Links).condition, Condition::Stopped);
    assert_eq!(state.feed(Feed::Programs).condition, Condition::Waiting);
    assert_eq!(stage.world.rows::<entity::deeplink::Entity>(0).await, links);
}

async fn balances(stage: &Stage) -> Vec<entity::balance::Model> {
    stage.world.rows::<entity::balance::Entity>(0).await
}

async fn commissions(stage: &Stage) -> Vec<entity::commission_rate::Model> {
    stage.world.rows::<entity::commission_rate::Entity>(0).await
}

/// A number that a statement gives.
async fn rows(stage: &Stage, sql: &str) -> i64 {
    use sea_orm::{ConnectionTrait as _, Database, Statement};
    #[expect(
        clippy::disallowed_methods,
        reason = "what is stored is read past the room that opens connections, which is under test"
    )]
    let db = Database::connect(&stage.world.url).await.unwrap();
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

#[tokio::test]
async fn tokens_that_end_are_replaced_without_a_word() {
    let stage = Stage::with_story(8, 700).await;
    stage.fake.world(|world| {
        world.token_life = chrono::TimeDelta::seconds(90);
    });
    let mut sync = stage.sync();
    let mut outcomes = stage.complete(&mut sync).await;
    for round in 0..6 {
        stage.pass(300);
        if round == 2 {
            stage.fake.world(|world| {
                world.revoke_tokens();
                world.revoke_refresh();
            });
        }
        outcomes.extend(stage.drive(&mut sync).await);
    }
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    assert!(asked(&stage.fake, "/token/") >= 6);
}

#[tokio::test]
async fn too_many_requests_are_waited_for() {
    let stage = Stage::with_story(9, 1_200).await;
    stage.fake.world(|world| world.rate_limit = 3);
    let mut sync = stage.sync();
    let outcomes = stage.complete(&mut sync).await;
    assert!(!failures(&outcomes).is_empty());
    stage.assert_true().await;
    let state = sync.state().await.unwrap();
    assert_eq!(state.error(), None, "what is over is not told any more");
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_asked_for_again() {
    let stage = Stage::with_story(10, 900).await;
    let mut sync = stage.sync();
    stage.fake.world(|world| {
        for trouble in [
            Trouble::Html(200),
            Trouble::Html(502),
            Trouble::Half,
            Trouble::Cut,
            Trouble::HangUp,
            Trouble::Lost,
            Trouble::WrongPage,
            Trouble::Status(500, "{}", None),
        ] {
            world.trouble("statistics/actions", trouble);
        }
        world.trouble("websites", Trouble::Half);
        world.trouble("token", Trouble::Html(502));
    });
    let outcomes = stage.complete(&mut sync).await;
    assert!(failures(&outcomes).len() >= 9, "{:?}", failures(&outcomes));
    stage.assert_true().await;
    let failed = stage.world.rows::<entity::import_run::Entity>(0).await;
    assert!(
        failed.iter().all(|run| run.state != "RUNNING"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn pages_that_shift_and_repeat_lose_nothing() {
    let stage = Stage::new().await;
    let sale = |id: i64| {
        let day = 1 + id % 28;
        Action::sale(id, &format!("2026-02-{day:02} 10:00:00"))
    };
    stage.fake.world(|world| world.put((1..=2_300).map(sale)));
    // While the pages of February are read, forty of its first actions go, one at a time, and others come.
    let (mut gone, mut came) = (0, 0);
    stage.fake.world(|world| {
        for _ in 0..3 {
            world.trouble("statistics/actions", Trouble::Repeat);
        }
        world.before_each(move |request, world| {
            let is_later = request.one("offset").is_some_and(|offset| offset != "0");
            if request.path == "/statistics/actions/" && is_later && gone < 40 {
                gone += 20;
                for id in gone - 19..=gone {
                    world.actions.remove(&(28 * id));
                }
                came += 1;
                world.put([Action::sale(5_000 + came, "2026-02-01 09:00:00")]);
            }
        });
    });
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    let stored = stored(&stage.world, 0).await;
    let told = stage.fake.world(crate::support::admitad::World::truth);
    for record in told {
        let record: Value = serde_json::from_str(&record).unwrap();
        let id = record["action_id"].to_string();
        assert!(stored.contains_key(&id), "{id} was skipped");
    }
}

#[tokio::test]
async fn what_upstream_takes_back_is_found_by_the_nightly_read() {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.put((1..=30).map(|id| {
            let day = 1 + id % 28;
            Action::sale(id, &format!("2026-02-{day:02} 10:00:00"))
        }));
    });
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.assert_true().await;
    stage.fake.world(|world| {
        world.actions.remove(&3);
        world.actions.remove(&17);
        // Moved to another day, and changed without a word.
        let mut moved = world.actions[&5].clone();
        moved.ordered = NaiveDate::from_ymd_opt(2026, 2, 25)
            .unwrap()
            .and_hms_opt(8, 0, 0)
            .unwrap();
        let mut changed = world.actions[&6].clone();
        changed.payment = 5_000;
        world.put([moved, changed]);
    });
    stage.pass(300);
    stage.drive(&mut sync).await;
    assert_eq!(stored(&stage.world, 0).await.len(), 30, "nobody has told");
    stage.pass(DAY);
    let outcomes = stage.drive(&mut sync).await;
    let deleted: u64 = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Worked(work) => work.deleted,
            _ => 0,
        })
        .sum();
    assert_eq!(deleted, 2);
    stage.assert_true().await;
    let night = sync.state().await.unwrap().feed(Feed::Nightly);
    assert_eq!(night.condition, Condition::Waiting);
    assert!(night.next_run > Some(stage.now()));
    // It comes back when it is seen again.
    stage.fake.world(|world| {
        world.put([
            Action::sale(3, "2026-02-04 10:00:00").becomes("approved", "2026-03-11 14:50:00")
        ]);
    });
    stage.pass(3 * HOUR);
    stage.drive(&mut sync).await;
    stage.assert_true().await;
}

#[tokio::test]
async fn clicks_come_in_by_day_and_by_subid_and_are_corrected() {
    let stage = Stage::still(18, 300).await;
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    let by_day =
        "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats WHERE slot = -1";
    let told = |stage: &Stage| -> i64 {
        stage
            .fake
            .world(|world| world.clicks.iter().map(|clicks| clicks.clicks).sum())
    };
    assert!(told(&stage) > 0);
    assert_eq!(rows(&stage, by_day).await, told(&stage));
    let state = sync.state().await.unwrap().feed(Feed::Clicks);
    assert_eq!(state.condition, Condition::Waiting);
    // Reports know the days that were read, whatever was counted on them.
    let known = known_days(&stage.world.tx(), stage.world.read(0), None).await;
    let (known, gaps) = known.unwrap();
    assert_eq!(gaps, []);
    let known = known.unwrap();
    let days = [known.first.day, known.last.day].map(|day| day.to_string());
    assert_eq!(days, ["2025-12-15", "2026-03-10"]);
    // Nothing new changes nothing; the present is read again by the hour.
    let version = "SELECT data_version AS n FROM publisher_states";
    let before = rows(&stage, version).await;
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(rows(&stage, version).await, before);
    // Clicks of today, with a SubID, and then a correction.
    let today = NaiveDate::from_ymd_opt(2026, 3, 10).unwrap();
    let of_today = |clicks| crate::support::admitad::Clicks {
        day: today,
        program: 6115,
        ad_space: 2001,
        subids: [None, Some("u-1".to_owned()), None, None, None],
        clicks,
        views: 100,
    };
    let by_subid = "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats WHERE slot = 1 AND subid = 'u-1'";
    for clicks in [9, 7] {
        stage.fake.world(|world| {
            world.clicks.retain(|clicks| clicks.day != today);
            world.clicks.push(of_today(clicks));
        });
        stage.pass(HOUR + MINUTE);
        stage.drive(&mut sync).await;
        assert_eq!(rows(&stage, by_day).await, told(&stage));
        assert_eq!(rows(&stage, by_subid).await, clicks);
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on_where_it_was() {
    let undisturbed = Stage::still(11, 1_500).await;
    let mut sync = undisturbed.sync();
    undisturbed.complete(&mut sync).await;
    let wanted = undisturbed.world.dump(0).await;

    let stage = Stage::still(11, 1_500).await;
    let mut ticks = 0;
    let mut restarts = 0;
    let mut sync = stage.sync();
    loop {
        let outcome = sync.tick(stage.now()).await.unwrap();
        ticks += 1;
        match outcome {
            Outcome::Worked(_) => {}
            Outcome::Elsewhere(until) => {
                // The lease of the process that is gone runs out.
                let wait = u64::try_from(until.micros() - stage.now().micros()).unwrap();
                stage.clock.advance(Duration::from_micros(wait));
            }
            Outcome::Wait(_) => break,
            other => panic!("{other:?}"),
        }
        if ticks % 4 == 0 {
            // The process is gone without a word; what it had in memory with it.
            sync = stage.sync();
            restarts += 1;
        }
    }
    assert!(restarts >= 3, "{restarts}");
    stage.assert_true().await;
    let state = sync.state().await.unwrap();
    assert_eq!(state.feed(Feed::Backfill).condition, Condition::Done);
    // Every request was made once: pages that were stored are not asked for again. Only status changes and recent
    // orders, which came due again meanwhile, and the new processes' tokens come on top.
    let slices = |stage: &Stage| -> Vec<String> {
        let log = stage.fake.log();
        let pages = log.iter().filter(|request| {
            request.path == "/statistics/actions/"
                && request.one("date_start").is_some()
                && request
                    .one("date_end")
                    .is_some_and(|end| end != "10.03.2026")
        });
        pages
            .map(|request| format!("{:?}", request.query))
            .collect()
    };
    let (once, again) = (slices(&undisturbed), slices(&stage));
    assert!(!once.is_empty());
    assert_eq!(once, again);
    // Observations differ by the time that passed; everything else is the same.
    let plain = |dump: &str| -> Vec<String> {
        let mut lines: Vec<String> = dump.lines().map(without_times_of_reading).collect();
        lines.sort();
        lines
    };
    let got = stage.world.dump(0).await;
    assert_eq!(got.lines().count(), wanted.lines().count());
    for (got, wanted) in plain(&got).iter().zip(plain(&wanted).iter()) {
        assert_eq!(got, wanted);
    }
    let runs = stage.world.rows::<entity::import_run::Entity>(0).await;
    assert!(
        runs.iter().all(|run| run.state != "RUNNING"),
        "runs of processes that are gone have ended"
    );
}

/// A dumped row without the times at which it was read.
fn without_times_of_reading(line: &str) -> String {
    let mut out = line.to_owned();
    for name in ["observed_at_us: ", "name_at_us: ", "described_at_us: Some("] {
        while let Some(place) = out.find(name) {
            let from = place + name.len();
            let digits = out[from..].bytes().take_while(u8::is_ascii_digit).count();
            out.replace_range(place..from + digits, "");
        }
    }
    out
}

#[tokio::test]
async fn of_two_servers_one_fetches_and_the_other_takes_over() {
    let stage = Stage::with_story(12, 300).await;
    let (mut first, mut second) = (stage.sync(), stage.sync());
    assert!(matches!(
        first.tick(stage.now()).await.unwrap(),
        Outcome::Worked(_)
    ));
    let log = stage.fake.log().len();
    assert!(matches!(
        second.tick(stage.now()).await.unwrap(),
        Outcome::Elsewhere(_)
    ));
    assert_eq!(stage.fake.log().len(), log, "it asked nothing");
    // Given back, it can be taken at once.
    first.release(stage.now()).await.unwrap();
    assert!(matches!(
        second.tick(stage.now()).await.unwrap(),
        Outcome::Worked(_)
    ));
    assert!(matches!(
        first.tick(stage.now()).await.unwrap(),
        Outcome::Elsewhere(_)
    ));
    // Run out, it can be taken over; who was asleep meanwhile writes nothing any more.
    stage.pass(10 * MINUTE);
    assert!(matches!(
        first.tick(stage.now()).await.unwrap(),
        Outcome::Worked(_)
    ));
    assert!(matches!(
        second.tick(stage.now()).await.unwrap(),
        Outcome::Elsewhere(_)
    ));
    stage.complete(&mut first).await;
    stage.assert_true().await;
}

#[tokio::test]
async fn who_lost_the_lease_while_asking_stores_nothing() {
    let stage = Stage::with_story(13, 300).await;
    let (mut slow, mut other) = (stage.sync(), stage.sync());
    // The list of ad spaces first: what is held is a page of actions.
    slow.tick(stage.now()).await.unwrap();
    stage
        .fake
        .world(|world| world.trouble("statistics/actions", Trouble::Hold));
    let now = stage.now();
    let asking = async { slow.tick(now).await.unwrap() };
    let meanwhile = async {
        let fake = Arc::clone(&stage.fake);
        let held = tokio::task::spawn_blocking(move || fake.wait_until_held(1));
        held.await.unwrap();
        stage.pass(10 * MINUTE);
        let outcome = other.tick(stage.now()).await.unwrap();
        assert!(matches!(outcome, Outcome::Worked(_)), "{outcome:?}");
        let before = stored(&stage.world, 0).await;
        stage.fake.release();
        before
    };
    let (outcome, before) = futures::join!(asking, meanwhile);
    assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
    assert_eq!(stored(&stage.world, 0).await, before);
    stage.complete(&mut other).await;
    stage.assert_true().await;
}

#[tokio::test]
async fn two_accounts_of_two_publishers_stay_apart() {
    let stage = Stage {
        world: World::new(2).await,
        ..Stage::still(14, 200).await
    };
    let other = FakeAdmitad::start(stage.clock.clone());
    other.world(|world| {
        world.put((1..=40).map(|id| Action::sale(id, "2026-02-03 10:00:00")));
    });
    let mut first = stage.sync();
    let mut second = stage.sync_of(1, &setup(&other, CLIENT_SECRET));
    for _ in 0..100 {
        // Side by side.
        first.tick(stage.now()).await.unwrap();
        second.tick(stage.now()).await.unwrap();
    }
    stage.complete(&mut first).await;
    stage.complete(&mut second).await;
    stage.assert_true().await;
    let told = other.world(crate::support::admitad::World::truth);
    assert_same(&stored(&stage.world, 1).await, &told);
}

#[tokio::test]
async fn a_wrong_secret_says_what_to_do_and_is_nowhere() {
    let stage = Stage::with_story(15, 100).await;
    let mut sync = stage.sync_of(0, &setup(&stage.fake, "wr0ng-secret-word"));
    let outcomes = stage.drive(&mut sync).await;
    let told = failures(&outcomes);
    assert_eq!(told.len(), 1, "one attempt: {told:?}");
    assert!(told[0].contains("client id and secret"), "{told:?}");
    let state = sync.state().await.unwrap();
    assert_eq!(state.freshness(stage.now()), Freshness::Stopped);
    assert!(state.error().unwrap().contains("restart"), "{state:?}");
    let asked = stage.fake.log().len();
    stage.pass(5 * MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(stage.fake.log().len(), asked, "it does not knock on and on");
    assert_nowhere(&stage, &["wr0ng-secret-word"]).await;
    drop(sync);
    // Mended and restarted, it goes on at once.
    stage.pass(5 * MINUTE);
    let mut mended = stage.sync();
    stage.complete(&mut mended).await;
    stage.assert_true().await;
    let state = mended.state().await.unwrap();
    assert_eq!((state.error(), state.failures), (None, 0));
    let tokens = stage.fake.world(|world| world.live_tokens());
    assert!(!tokens.is_empty());
    let mut secrets = vec![CLIENT_SECRET];
    secrets.extend(tokens.iter().map(String::as_str));
    assert_nowhere(&stage, &secrets).await;
}

/// Asserts that nothing in the database holds one of the words, in clear or in the form of a basic authorisation.
async fn assert_nowhere(stage: &Stage, words: &[&str]) {
    use base64::Engine as _;
    use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
    #[expect(
        clippy::disallowed_methods,
        reason = "what is stored is read past the room that opens connections, which is under test"
    )]
    let db = Database::connect(&stage.world.url).await.unwrap();
    let backend = db.get_database_backend();
    let tables = if backend == DbBackend::Postgres {
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    };
    let tables = db
        .query_all_raw(Statement::from_string(backend, tables))
        .await
        .unwrap();
    assert!(tables.len() > 20);
    let mut looked = 0;
    for table in tables {
        let table: String = table.try_get("", "name").unwrap();
        let columns = if backend == DbBackend::Postgres {
            format!(
                "SELECT column_name AS name FROM information_schema.columns WHERE table_name = '{table}'"
            )
        } else {
            format!("SELECT name FROM pragma_table_info('{table}')")
        };
        let columns = db
            .query_all_raw(Statement::from_string(backend, columns))
            .await
            .unwrap();
        for column in columns {
            let column: String = column.try_get("", "name").unwrap();
            for word in words {
                let pair = format!("{CLIENT_ID}:{word}");
                let packed = base64::engine::general_purpose::STANDARD.encode(pair);
                let sql = format!(
                    "SELECT COUNT(*) AS n FROM {table} WHERE CAST({column} AS text) LIKE '%{word}%' \
                     OR CAST({column} AS text) LIKE '%{packed}%'"
                );
                let row = db
                    .query_one_raw(Statement::from_string(backend, sql))
                    .await
                    .unwrap()
                    .unwrap();
                let found: i64 = row.try_get("", "n").unwrap();
                assert_eq!(found, 0, "{table}.{column}");
                looked += 1;
            }
        }
    }
    assert!(looked > 100);
}

#[tokio::test]
async fn a_missing_scope_stops_its_feed_alone() {
    let stage = Stage::with_story(16, 200).await;
    stage
        .fake
        .world(|world| world.scopes.retain(|scope| *scope != "websites"));
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.assert_true().await;
    let state: AccountState = sync.state().await.unwrap();
    let feed = state.feed(Feed::AdSpaces);
    assert_eq!(feed.condition, Condition::Stopped);
    assert!(feed.last_error.unwrap().contains("scope websites"));
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
    // Granted, it is asked for again by itself.
    stage.fake.world(|world| world.scopes.push("websites"));
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    let feed = sync.state().await.unwrap().feed(Feed::AdSpaces);
    assert_eq!(
        (feed.condition, feed.last_error),
        (Condition::Waiting, None)
    );
}

#[tokio::test]
async fn clocks_that_differ_lose_nothing() {
    for skew in [-50, -3, 3, 50] {
        let stage = Stage::with_story(17, 200).await;
        stage
            .fake
            .world(|world| world.skew = chrono::TimeDelta::minutes(skew));
        let mut sync = stage.sync();
        stage
            .until(&mut sync, |state, _| {
                let is_done = state.feed(Feed::Backfill).condition == Condition::Done;
                is_done && state.last_success().is_some()
            })
            .await;
        for _ in 0..6 {
            stage.pass(8 * HOUR);
            stage.drive(&mut sync).await;
        }
        let refusals = stage.fake.log();
        let refusals = refusals.iter().filter(|request| request.status == 400);
        assert_eq!(refusals.count(), 0, "it names no time of its own clock");
        let ours = stored(&stage.world, 0).await;
        let told = stage.fake.world(crate::support::admitad::World::truth);
        // What changed within the margin is still to come.
        let same = told.iter().filter(|record| {
            let record: Value = serde_json::from_str(record).unwrap();
            ours.contains_key(&record["action_id"].to_string())
        });
        assert_eq!(same.count(), told.len(), "skew {skew}");
        let state = sync.state().await.unwrap();
        assert!(state.feed(Feed::Status).last_success.is_some());
    }
}

#[tokio::test]
async fn a_run_whose_process_is_gone_is_noted_as_failed() {
    let stage = Stage::new().await;
    let scope = stage.world.write(0);
    let run = |number: u128| actiongraph::store::imports::NewRun {
        id: uuid::Uuid::from_u128(0x7000_0000_0000_0000_8000_0000_0000_0000 + number),
        entrance: "FILE",
        name: "a.json".to_owned(),
        started_at: stage.now(),
        as_of: stage.now(),
    };
    actiongraph::store::imports::begin(&stage.world.store, scope, &run(1))
        .await
        .unwrap();
    stage.pass(14 * MINUTE);
    let ended = upkeep::end_silent_runs(&stage.world.store, stage.now()).await;
    assert_eq!(ended.unwrap(), 0, "it may just be slow");
    stage.pass(2 * MINUTE);
    let (one, two) = futures::join!(
        upkeep::end_silent_runs(&stage.world.store, stage.now()),
        upkeep::end_silent_runs(&stage.world.store, stage.now())
    );
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    let runs = stage.world.rows::<entity::import_run::Entity>(0).await;
    assert_eq!(runs[0].state, "FAILED");
    assert!(runs[0].error.as_deref().unwrap().contains("ended"));
}
