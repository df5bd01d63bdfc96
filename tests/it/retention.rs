//! Rejected records are kept for as long as the settings say, whatever entrance they came in by; their runs stay.

use crate::support::drafts::{at, rejects};
use crate::support::world::World;
use actiongraph::domain::sync::after;
use actiongraph::domain::time::Instant;
use actiongraph::store::imports;
use actiongraph::worker::upkeep;
use std::time::Duration;
use uuid::Uuid;

/// How long they are kept here.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// A moment so many seconds behind the first run's ninetieth day.
fn later(seconds: u64) -> Instant {
    after(at("2026-09-29T00:00:00Z"), Duration::from_secs(seconds))
}

/// How many rejected records of each run are kept.
async fn kept(world: &World, runs: &[(usize, Uuid)]) -> Vec<i64> {
    let mut all = Vec::new();
    for (place, run) in runs {
        let found = imports::rejects_kept(&world.tx(), world.read(*place), &[*run], None).await;
        all.push(found.unwrap().get(run).copied().unwrap_or(0));
    }
    all
}

#[tokio::test]
async fn rejected_records_go_when_their_time_is_over_and_a_step_takes_so_many() {
    let world = World::new(2).await;
    let mut runs = Vec::new();
    // Runs a second apart, the first one at midnight of the first of July.
    for (place, count) in [(0, 1_700), (0, 3), (1, 500), (1, 2)] {
        let refused = rejects(0, count);
        runs.push((place, world.run(place, &[(&[], &refused)]).await.0));
    }
    let step = async |now| {
        upkeep::forget_rejects(&world.store, KEPT, now)
            .await
            .unwrap()
    };
    assert!(!step(later(0)).await, "their last moment");
    assert_eq!(kept(&world, &runs).await, [1_700, 3, 500, 2]);
    // The first run's are over: a thousand, and the rest.
    assert!(step(later(1)).await);
    assert_eq!(kept(&world, &runs).await, [700, 3, 500, 2]);
    assert!(step(later(1)).await);
    assert!(!step(later(1)).await);
    assert_eq!(kept(&world, &runs).await, [0, 3, 500, 2]);
    // Those of several runs and publishers, until the last but one.
    while step(later(3)).await {}
    assert_eq!(kept(&world, &runs).await, [0, 0, 0, 2]);
    // What the runs say of them stays.
    for place in [0, 1] {
        let counted = world.rows::<entity::import_run::Entity>(place).await;
        let counted: Vec<i64> = counted.iter().map(|run| run.rejected_count).collect();
        assert_eq!(counted, [[1_700, 3], [500, 2]][place]);
    }
}

#[tokio::test]
async fn rejected_records_of_a_run_that_goes_on_are_kept() {
    let world = World::new(1).await;
    let (run, now) = world.begin(0, "FILE", "slow", 1_000_000).await;
    let refused = rejects(0, 5);
    let batch = actiongraph::store::apply::Batch {
        run_id: run,
        drafts: &[],
        deletions: &[],
        rejects: &refused,
        rejected_before: 0,
        sync: None,
        bytes_read: None,
        now,
    };
    actiongraph::store::apply::apply(&world.store, world.write(0), batch)
        .await
        .unwrap();
    let year = later(365 * 86_400);
    assert!(
        !upkeep::forget_rejects(&world.store, KEPT, year)
            .await
            .unwrap()
    );
    assert_eq!(kept(&world, &[(0, run)]).await, [5]);
}
