//! How far what is stored may be behind upstream: five minutes, whatever clocks, refusals, limits, tokens and restarts do.

use super::{HOUR, MINUTE, Stage, failures, stored};
use crate::support::admitad::{Action, Trouble};
use actiongraph::domain::sync::{Condition, Feed, Freshness};
use actiongraph::ingest::admitad::tick::{Outcome, Sync};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Seconds between two looks.
const STEP: u64 = 5;
/// How late anything may be, in microseconds.
const LATE: i64 = 300_000_000;
const REFUSAL: &str =
    r#"{"error":"invalid_request","error_description":"No such thing","error_code":3}"#;

const LIMITED: &str =
    r#"{"error":"rate_limit","error_description":"Rate limit exceeded","error_code":4}"#;
const UNKNOWN_TOKEN: &str =
    r#"{"error":"invalid_token","error_description":"The token is unknown","error_code":1}"#;

/// What happened upstream: when, to which action, and its status from then on.
struct Change {
    at: i64,
    id: i64,
    status: &'static str,
}

/// Lets something happen: an order, or what becomes of one that was placed before.
fn happen(stage: &Stage, changes: &mut Vec<Change>) {
    let number = i64::try_from(changes.len()).unwrap();
    stage.fake.world(|world| {
        let local = stage.clock.now() + world.skew + TimeDelta::hours(3);
        let local = local.format("%Y-%m-%d %H:%M:%S").to_string();
        let (action, status) = if number % 2 == 0 || number < 9 {
            (Action::sale(10_000 + number, &local), "pending")
        } else {
            let known = world.actions[&(10_000 + number - 9)].clone();
            (known.becomes("approved", &local), "approved")
        };
        changes.push(Change {
            at: stage.now().micros(),
            id: action.id,
            status,
        });
        world.put([action]);
    });
}

/// Does what is due; whether anything was stored.
async fn work(stage: &Stage, sync: &mut Sync) -> bool {
    let mut is_changed = false;
    for _ in 0..1_000 {
        match sync.tick(stage.now()).await.unwrap() {
            Outcome::Worked(_) => is_changed = true,
            Outcome::Failed { .. } | Outcome::LeftOut { .. } => {}
            Outcome::Paced(_) | Outcome::Wait(_) | Outcome::Elsewhere(_) => return is_changed,
        }
    }
    panic!("it does not end");
}

/// What upstream changed more than five minutes ago and is not stored.
fn late(stored: &BTreeMap<String, String>, changes: &[Change], now: i64) -> Vec<String> {
    let missing = changes.iter().filter(|change| now - change.at > LATE);
    let missing = missing.filter(|change| {
        let line = stored.get(&change.id.to_string());
        let held = line.and_then(|line| line.split(' ').next());
        // What has happened to it since may be known as well.
        !changes
            .iter()
            .filter(|later| later.id == change.id && later.at >= change.at)
            .any(|later| held == Some(later.status))
    });
    missing
        .map(|change| {
            let age = (now - change.at) / 1_000_000;
            format!("{} {} for {age} s", change.id, change.status)
        })
        .collect()
}

/// A stage whose account is complete ten minutes before midnight of Admitad's calendar, by our clock.
async fn stage(skew: i64) -> (Stage, Sync) {
    let stage = Stage::new().await;
    stage.pass(8 * HOUR + 50 * MINUTE);
    stage.fake.world(|world| {
        world.skew = TimeDelta::seconds(skew);
        world.put((1..=40).map(|id| {
            let day = 1 + id % 28;
            Action::sale(id, &format!("2026-02-{day:02} 10:00:00"))
        }));
    });
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    (stage, sync)
}

/// Looks at every moment of half an hour; `is_killed` is asked each time a read is due.
async fn never_late(
    stage: &Stage,
    mut sync: Sync,
    what: &str,
    mut is_killed: impl FnMut() -> bool,
) {
    let mut changes = Vec::new();
    let mut held = stored(&stage.world, 0).await;
    let (mut was_due, mut is_fresh) = (false, true);
    for step in 0..30 * MINUTE / STEP {
        stage.pass(STEP);
        if step % 3 == 0 {
            happen(stage, &mut changes);
        }
        let state = sync.state().await.unwrap();
        let is_due = state.feed(Feed::Status).is_due(stage.now());
        if is_due && !was_due && is_killed() {
            // Just before it would have read; its lease was renewed a moment ago and is nobody's to give back.
            sync = stage.sync();
        }
        was_due = is_due;
        if work(stage, &mut sync).await {
            held = stored(&stage.world, 0).await;
        }
        let late = late(&held, &changes, stage.now().micros());
        assert_eq!(late, Vec::<String>::new(), "{what}, step {step}");
        let state = sync.state().await.unwrap();
        is_fresh &= state.freshness(stage.now()) != Freshness::Late;
    }
    assert!(changes.len() > 100);
    assert!(is_fresh, "{what}");
}

#[tokio::test]
async fn nothing_is_later_than_five_minutes_whatever_the_clocks_say() {
    for skew in [-180, 0, 180] {
        let (stage, sync) = stage(skew).await;
        never_late(&stage, sync, &format!("skew {skew}"), || false).await;
        let log = stage.fake.log();
        assert!(log.iter().all(|request| request.status != 400), "{skew}");
    }
}

#[tokio::test]
async fn nothing_is_later_than_five_minutes_when_requests_are_refused_twice() {
    for skew in [0, 180] {
        let (stage, sync) = stage(skew).await;
        let mut asked = 0;
        stage.fake.world(|world| {
            world.before_each(move |request, world| {
                if request.one("status_updated_start").is_none() {
                    return;
                }
                asked += 1;
                // Each read twice.
                if asked % 3 != 0 {
                    world.trouble("statistics/actions", Trouble::Status(400, REFUSAL, None));
                }
            });
        });
        never_late(&stage, sync, "refused", || false).await;
        let log = stage.fake.log();
        let refused = log.iter().filter(|request| request.status == 400);
        assert!(refused.count() >= 8);
    }
}

#[tokio::test]
async fn nothing_is_later_than_five_minutes_when_every_second_read_is_one_too_many() {
    for retry_after in [None, Some(60)] {
        let (stage, sync) = stage(0).await;
        let mut asked = 0;
        stage.fake.world(|world| {
            world.before_each(move |request, world| {
                if request.path != "/statistics/actions/" {
                    return;
                }
                asked += 1;
                if asked % 2 == 1 {
                    let limited = Trouble::Status(503, LIMITED, retry_after);
                    world.trouble("statistics/actions", limited);
                }
            });
        });
        never_late(&stage, sync, &format!("limited, {retry_after:?}"), || false).await;
        let log = stage.fake.log();
        let limited = log.iter().filter(|request| request.status == 503).count();
        assert!(limited >= 12, "{limited}");
    }
}

#[tokio::test]
async fn nothing_is_later_than_five_minutes_when_tokens_end_after_a_minute_and_a_half() {
    for gives_refresh in [true, false] {
        let (stage, sync) = stage(0).await;
        stage.fake.world(|world| {
            world.token_life = TimeDelta::seconds(90);
            world.gives_refresh = gives_refresh;
            world.revoke_tokens();
            world.revoke_refresh();
        });
        stage.fake.take_log();
        never_late(&stage, sync, &format!("tokens, {gives_refresh}"), || false).await;
        let log = stage.fake.log();
        let tokens = log.iter().filter(|request| request.path == "/token/");
        assert!(tokens.count() >= 8);
    }
}

#[tokio::test]
async fn a_new_token_that_is_not_known_at_once_stops_no_account_that_went_well() {
    let (stage, mut sync) = stage(0).await;
    // Each read is answered so twice: to the token that was held, and to the new one.
    let refused = |reads: usize| {
        stage.fake.world(|world| {
            for _ in 0..2 * reads {
                let unknown = Trouble::Status(401, UNKNOWN_TOKEN, None);
                world.trouble("statistics/actions", unknown);
            }
        });
    };
    let rest = |until: Option<actiongraph::domain::time::Instant>| {
        (until.unwrap().micros() - stage.now().micros()) / 1_000_000
    };
    refused(2);
    stage.pass(5 * MINUTE);
    for attempt in 1..=2 {
        let outcomes = stage.drive(&mut sync).await;
        let told = failures(&outcomes);
        assert_eq!(told.len(), 1, "{told:?}");
        let state = sync.state().await.unwrap();
        assert_eq!(
            (state.condition, state.failures),
            (Condition::Failing, attempt)
        );
        let rest = rest(state.paused_until);
        assert!((10..=30).contains(&rest), "{rest}");
        stage.pass(31);
    }
    let outcomes = stage.drive(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    let state = sync.state().await.unwrap();
    assert_eq!((state.error(), state.failures), (None, 0));
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
    // Where it goes on, somebody has to look.
    refused(3);
    stage.pass(5 * MINUTE);
    for _ in 0..3 {
        stage.drive(&mut sync).await;
        stage.pass(31);
    }
    let state = sync.state().await.unwrap();
    assert_eq!(state.freshness(stage.now()), Freshness::Stopped);
    assert!(rest(state.paused_until) > 800);
    stage.pass(15 * MINUTE);
    let outcomes = stage.drive(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    let state = sync.state().await.unwrap();
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
}

#[tokio::test]
async fn a_token_that_is_not_known_after_other_faults_stops_no_account() {
    let (stage, mut sync) = stage(0).await;
    stage.fake.world(|world| {
        for _ in 0..2 {
            let busy = Trouble::Status(503, "busy", None);
            world.trouble("statistics/actions", busy);
        }
        // Of the token that was held, and of the new one.
        for _ in 0..2 {
            let unknown = Trouble::Status(401, UNKNOWN_TOKEN, None);
            world.trouble("statistics/actions", unknown);
        }
    });
    stage.pass(5 * MINUTE);
    for failures_then in 1..=3 {
        let outcomes = stage.drive(&mut sync).await;
        let told = failures(&outcomes);
        assert_eq!(told.len(), 1, "{told:?}");
        let state = sync.state().await.unwrap();
        assert_eq!(
            (state.condition, state.failures),
            (Condition::Failing, failures_then)
        );
        stage.pass(31);
    }
    let outcomes = stage.drive(&mut sync).await;
    assert_eq!(failures(&outcomes), Vec::<&str>::new());
    let state = sync.state().await.unwrap();
    assert_eq!((state.error(), state.failures), (None, 0));
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
}

#[tokio::test]
async fn nothing_is_later_than_five_minutes_when_servers_are_killed_before_they_read() {
    let (stage, sync) = stage(0).await;
    let mut kills = 0;
    // Every other time: whoever takes over may be killed as well, the next time.
    let is_killed = || {
        kills += 1;
        kills % 2 == 1
    };
    never_late(&stage, sync, "killed", is_killed).await;
    assert!(kills >= 4, "{kills}");
}

#[tokio::test]
async fn a_lease_is_kept_for_as_long_as_an_answer_is_waited_for() {
    let stage = Stage::with_story(13, 300).await;
    let (mut slow, mut other) = (stage.sync(), stage.sync());
    // The list of ad spaces first: what is held is a page of actions.
    slow.tick(stage.now()).await.unwrap();
    stage
        .fake
        .world(|world| world.trouble("statistics/actions", Trouble::Hold));
    let (now, keeper) = (stage.now(), slow.keeper());
    let asking = async { slow.tick(now).await.unwrap() };
    let meanwhile = async {
        let fake = Arc::clone(&stage.fake);
        let held = tokio::task::spawn_blocking(move || fake.wait_until_held(1));
        held.await.unwrap();
        for _ in 0..6 {
            stage.pass(20);
            assert!(keeper.renew(stage.now()).await.unwrap());
            let outcome = other.tick(stage.now()).await.unwrap();
            assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
        }
        stage.fake.release();
    };
    let (outcome, ()) = futures::join!(asking, meanwhile);
    assert!(matches!(outcome, Outcome::Worked(_)), "{outcome:?}");
    // What another one has taken over is not taken back.
    stage.pass(10 * MINUTE);
    let outcome = other.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Worked(_)), "{outcome:?}");
    assert!(!keeper.renew(stage.now()).await.unwrap());
    let outcome = slow.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
}
