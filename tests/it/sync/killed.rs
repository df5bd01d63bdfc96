//! A sync whose process is killed at random points: what is stored is whole, and going on gives what an undisturbed sync
//! gives.

use super::served::{command, upstream};
use crate::support::check::{seed, soak};
use crate::support::content::{assert_same_content, assert_verified, content};
use crate::support::dice::Dice;
use crate::support::world::World;
use actiongraph::clock::Clock;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How many kills `make test` has.
const FEW: usize = 2;
/// How often one sync is killed before it may go on to its end.
const IN_A_ROW: usize = 2;

/// What two syncs do not share: the times at which they read, and the order in which they came to read it.
const OF_THE_READ: [&str; 7] = [
    "action_changes",
    "*.observed_at_us",
    "*.name_at_us",
    "*.described_at_us",
    // The stamps of single fields have their times of reading, too.
    "actions.inherited",
    "balances.id",
    "deeplinks.changed_at_us",
];

/// A connection past the store: what is stored is read there, and the lease of a process that is gone is let run out.
#[expect(
    clippy::disallowed_methods,
    reason = "what the store does is under test, so it is done without it"
)]
async fn outside(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

fn to_the_end(world: &World, fake: &crate::support::admitad::FakeAdmitad, folder: &Path) {
    let output = command(world, fake, folder, &["sync", "--once"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_is_killed_again_and_again_ends_as_if_nothing_had_been() {
    let (fake, folder) = (upstream(), tempfile::tempdir().unwrap());
    let undisturbed = World::new(1).await;
    let stopwatch = Clock::system();
    to_the_end(&undisturbed, &fake, folder.path());
    let mut whole = usize::try_from(stopwatch.elapsed().as_millis()).unwrap();
    let db = outside(&undisturbed.url).await;
    let wanted = content(&db, &OF_THE_READ).await;
    for table in ["totals_time ", "click_stats ", "balances ", "deeplinks "] {
        assert!(
            wanted.iter().any(|line| line.starts_with(table)),
            "{table}is not compared"
        );
    }
    let actions = undisturbed.facts(0).await.actions.len();
    assert!(actions > 500, "{actions}");
    let mut dice = Dice::new(seed() + 60);
    let (mut kills, mut too_late) = (0, 0);
    while kills < soak("SOAK_KILLS").unwrap_or(FEW) {
        let world = World::new(1).await;
        let db = outside(&world.url).await;
        for _ in 0..IN_A_ROW {
            let mut sync = command(&world, &fake, folder.path(), &["sync", "--once"]);
            let mut child = sync
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Anywhere: while it starts, asks, writes, or has ended.
            let wait = dice.below(whole);
            let delay = Duration::from_millis(u64::try_from(wait).unwrap());
            tokio::time::sleep(delay).await;
            if child.try_wait().unwrap().is_none() {
                kills += 1;
            } else {
                // The machine has become quicker.
                whole = wait.max(50);
                too_late += 1;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(
                world.drift(0).await,
                Vec::<String>::new(),
                "after {delay:?}"
            );
            let stored = world.facts(0).await;
            for action in stored.actions.values() {
                let cart = usize::try_from(action.items_count).unwrap();
                assert_eq!(stored.cart(action.id).len(), cart, "a whole cart");
            }
            db.execute_unprepared("UPDATE sync_accounts SET lease_until_us = 0")
                .await
                .unwrap();
        }
        to_the_end(&world, &fake, folder.path());
        let got = content(&db, &OF_THE_READ).await;
        assert_same_content(&got, &wanted, "killed");
        assert_verified(&world.url, "killed");
        let runs = world.rows::<entity::import_run::Entity>(0).await;
        let open = runs.iter().filter(|run| run.state == "RUNNING").count();
        assert_eq!(open, 0, "what was killed is told to have failed");
    }
    assert!(
        too_late <= 2 * kills + 8,
        "{too_late} came too late, {kills} did not"
    );
}
