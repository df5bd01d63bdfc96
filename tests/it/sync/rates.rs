//! Exchange rates: none is lost because it was refused or came late.

use super::{DAY, MINUTE, Stage, asked, rows};
use crate::support::admitad::{Action, Trouble};
use actiongraph::clock::Clock;
use actiongraph::domain::error::Error;
use actiongraph::domain::sync::{AccountState, Condition, Feed};
use actiongraph::domain::time::Instant;
use actiongraph::ingest::admitad::tick::{Outcome, Sync};
use actiongraph::worker::sync::{Unfinished, Watch, once};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

const REFUSAL: &str =
    r#"{"error":"invalid_request","error_description":"No such thing","error_code":3}"#;
const NONE: &str = r#"{"error":"not_found","error_description":"No such rate","error_code":3}"#;
/// The days from 15 December 2025 to 10 March 2026.
const DAYS: i64 = 17 + 31 + 28 + 10;

/// Steps until the rates of today are in.
async fn read(stage: &Stage, sync: &mut Sync) {
    let from = stage.now();
    let is_read = |state: &AccountState, _| {
        let rates = state.feed(Feed::Rates);
        rates.condition == Condition::Waiting && rates.last_success >= Some(from)
    };
    stage.until(sync, is_read).await;
}

/// How many days have a rate of a currency.
async fn days(stage: &Stage, currency: &str) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM exchange_rates WHERE from_currency = '{currency}' AND to_currency = 'USD'"
    );
    rows(stage, &sql).await
}

#[tokio::test]
async fn a_refused_rate_is_asked_for_again_until_it_comes() {
    let stage = Stage::still(9, 120).await;
    stage.fake.world(|world| {
        for _ in 0..10 {
            world.trouble("currencies/rate", Trouble::Status(400, REFUSAL, None));
        }
        // A page of somebody else's says nothing of rates either.
        world.trouble("currencies/rate", Trouble::Html(404));
    });
    let mut sync = stage.sync();
    read(&stage, &mut sync).await;
    assert_eq!(days(&stage, "RUB").await, DAYS);
    let log = stage.fake.log();
    let refused = log.iter().filter(|request| request.status == 400);
    assert_eq!(refused.count(), 10);
    assert_eq!(sync.state().await.unwrap().error(), None);
}

/// An action in a currency of its own.
fn of_currency(id: i64, currency: &'static str) -> Action {
    Action {
        currency,
        ..Action::sale(id, "2026-02-10 10:00:00")
    }
}

#[tokio::test]
async fn what_was_answered_is_not_asked_for_again_because_another_day_is_refused() {
    let stage = Stage::still(9, 120).await;
    stage.fake.world(|world| {
        world.put([of_currency(1, "EUR")]);
        let mut troubles = BTreeMap::from([
            // The pair is refused, by the network and by a page of somebody else's.
            ("10.02.2026", Trouble::Status(400, REFUSAL, None)),
            ("20.02.2026", Trouble::Html(404)),
        ]);
        world.before_each(move |request, world| {
            let is_second = request.one("base") == Some("RUB");
            let trouble = request
                .one("date")
                .filter(|_| is_second)
                .and_then(|day| troubles.remove(day));
            if let Some(trouble) = trouble {
                world.trouble("currencies/rate", trouble);
            }
        });
    });
    let mut sync = stage.sync();
    read(&stage, &mut sync).await;
    assert_eq!(days(&stage, "RUB").await, DAYS);
    assert_eq!(days(&stage, "EUR").await, DAYS);
    let (mut answered, mut refused) = (BTreeSet::new(), 0);
    for request in stage.fake.log() {
        if request.path != "/currencies/rate/" {
            continue;
        }
        let asked = ["base", "date"].map(|name| request.one(name).unwrap_or_default().to_owned());
        assert!(!answered.contains(&asked), "{asked:?} again");
        if request.status == 200 {
            answered.insert(asked);
        } else {
            refused += 1;
        }
    }
    assert_eq!(refused, 2);
    assert_eq!(sync.state().await.unwrap().error(), None);
}

/// Lets time pass with every step, and with every refusal long enough for whatever rests.
struct Passing(Clock);

impl Watch for Passing {
    fn stepped(&self, _: &Sync, outcome: &Outcome) {
        let seconds = match outcome {
            Outcome::Failed { .. } => 6 * MINUTE,
            _ => 1,
        };
        self.0.advance(Duration::from_secs(seconds));
    }

    fn stands(&self, _: &Sync, _: &AccountState, _: Instant) {}

    fn database(&self, _: &Sync, error: &Error) {
        panic!("{error}");
    }
}

#[tokio::test]
async fn a_pair_that_is_refused_for_good_keeps_nothing_from_the_others() {
    let stage = Stage::still(9, 120).await;
    stage.fake.world(|world| {
        world.put([of_currency(1, "ABC")]);
        world.before_each(|request, world| {
            if request.one("base") == Some("ABC") {
                world.trouble("currencies/rate", Trouble::Status(400, REFUSAL, None));
            }
        });
    });
    let mut sync = stage.sync();
    let is_refused = |state: &AccountState, _| {
        let rates = state.feed(Feed::Rates);
        rates.condition == Condition::Failing
    };
    stage.until(&mut sync, is_refused).await;
    assert_eq!(days(&stage, "RUB").await, DAYS);
    let state = sync.state().await.unwrap();
    let error = state.error().unwrap();
    assert!(error.contains("rate ABC>USD of 2025-12-15"), "{error}");
    // The next day's is asked for in its turn, and no other one again.
    stage.fake.take_log();
    stage.pass(DAY + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(days(&stage, "RUB").await, DAYS + 1);
    let log = stage.fake.take_log();
    let of = |base: &str| {
        let asked = log
            .iter()
            .filter(|request| request.one("base") == Some(base));
        asked.count()
    };
    assert_eq!(of("RUB"), 1);
    assert!(of("ABC") > 0);

    // Who reads once ends, and says why.
    stage.pass(10 * MINUTE);
    let (_stop, stopped) = watch::channel(false);
    let passing = Passing(stage.clock.clone());
    let ended = once(&mut sync, &stage.clock, &passing, stopped).await;
    let Err(Unfinished::Failed(messages)) = ended.unwrap() else {
        panic!("it ended well");
    };
    assert!(messages[0].contains("rate ABC>USD"), "{messages:?}");
}

#[tokio::test]
async fn a_rate_that_comes_late_is_asked_for_again() {
    let stage = Stage::still(9, 120).await;
    stage.fake.world(|world| {
        world.before_each(|request, world| {
            let is_of_rates = request.path == "/currencies/rate/";
            let is_recent = matches!(request.one("date"), Some("09.03.2026" | "10.03.2026"));
            if is_of_rates && is_recent {
                world.trouble("currencies/rate", Trouble::Status(404, NONE, None));
            }
        });
    });
    let mut sync = stage.sync();
    read(&stage, &mut sync).await;
    assert_eq!(days(&stage, "RUB").await, DAYS - 2);
    stage.fake.world(|world| world.before_each(|_, _| {}));
    stage.fake.take_log();
    stage.pass(DAY + MINUTE);
    read(&stage, &mut sync).await;
    assert_eq!(days(&stage, "RUB").await, DAYS + 1);
    assert_eq!(asked(&stage.fake, "/currencies/rate/"), 3);
}
