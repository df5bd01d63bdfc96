//! Accounts of several publishers with the key of one application: the network counts what they ask together.

use super::accounts::side_by_side;
use super::{CLIENT_SECRET, Stage, Trouble, World, setup};
use actiongraph::domain::sync::{Condition, Feed};
use actiongraph::domain::time::Day;
use actiongraph::ingest::admitad::Budgets;
use actiongraph::ingest::admitad::tick::{Outcome, Setup};

#[tokio::test]
async fn publishers_with_one_key_ask_no_more_together_than_it_may() {
    let stage = Stage {
        world: World::new(2).await,
        ..Stage::still(14, 200).await
    };
    assert_eq!(stage.fake.world(|world| world.rate_limit), 600);
    let setup = Setup {
        since: Some(Day::parse("2025-03-01").unwrap()),
        ..setup(&stage.fake, CLIENT_SECRET)
    };
    let mut budgets = Budgets::default();
    let mut syncs = [0, 1].map(|place| {
        let budget = budgets.of(&setup.base_url, &setup.client_id);
        stage.sync_of(place, &setup).with_budget(budget)
    });
    side_by_side(&stage, &mut syncs).await;
    for sync in &syncs {
        let state = sync.state().await.unwrap();
        assert_eq!(state.feed(Feed::Backfill).condition, Condition::Done);
        assert_eq!(state.error(), None);
    }
    let log = stage.fake.log();
    assert!(log.len() > 800, "{}", log.len());
    let refused = log.iter().filter(|request| request.status == 503);
    assert_eq!(refused.count(), 0);
}

#[tokio::test]
async fn who_is_to_wait_no_time_rests_as_usual() {
    let stage = Stage::still(14, 60).await;
    stage.fake.world(|world| {
        world.trouble("websites", Trouble::Status(429, "{}", Some(0)));
    });
    let mut sync = stage.sync();
    let outcome = sync.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    let paused = sync.state().await.unwrap().paused_until.unwrap();
    let rest = paused.micros() - stage.now().micros();
    assert!((40_000_000..=55_000_000).contains(&rest), "{rest}");
    let outcome = sync.tick(stage.now()).await.unwrap();
    assert_eq!(outcome, Outcome::Wait(paused));
    stage.pass(56);
    let outcome = sync.tick(stage.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Worked(_)), "{outcome:?}");
}
