//! Accounts of several publishers with the key of one application: the network counts what they ask together.

use super::accounts::side_by_side;
use super::{CLIENT_SECRET, Stage, World, setup};
use actiongraph::domain::sync::{Condition, Feed};
use actiongraph::domain::time::Day;
use actiongraph::ingest::admitad::Budgets;
use actiongraph::ingest::admitad::tick::Setup;

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
