//! A sync whose process is killed at random points: what is stored is whole, and going on gives what an undisturbed sync
//! gives.

use super::served::{command, upstream};
use crate::support::admitad::{Action, FakeAdmitad};
use crate::support::check::{seed, soak};
use crate::support::content::{assert_same_content, assert_verified, content};
use crate::support::db::{sessions, until_forgotten};
use crate::support::dice::Dice;
use crate::support::world::World;
use actiongraph::clock::Clock;
use chrono::{NaiveDateTime, TimeDelta};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How many kills `make test` has.
const FEW: usize = 2;
/// How often the first read is killed before it may go on to its end, and how often upstream changes and the read of that
/// is killed.
const IN_A_ROW: usize = 2;

/// What two syncs do not share: the times at which they read, and the order in which they came to read it.
const OF_THE_READ: [&str; 11] = [
    "action_changes",
    "*.observed_at_us",
    "*.name_at_us",
    "*.described_at_us",
    // The stamps of single fields have their times of reading, too.
    "actions.inherited",
    "balances.id",
    "deeplinks.changed_at_us",
    // When an action was missed, and its rows as they were, with their times of reading.
    "tombstones.deleted_at_us",
    "tombstones.action",
    "tombstones.items",
    "tombstones.states",
];

/// A connection past the store: what is stored is read there, and the lease of a process that is gone is let run out.
#[expect(
    clippy::disallowed_methods,
    reason = "what the store does is under test, so it is done without it"
)]
async fn outside(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

fn to_the_end(world: &World, fake: &FakeAdmitad, folder: &Path) {
    let output = command(world, fake, folder, &["sync", "--once"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
}

/// Upstream changes some actions of the last months and takes two back: others each time, at a time that is the same for
/// whoever reads them.
fn change(fake: &FakeAdmitad, round: usize, local: NaiveDateTime) {
    let since = local - TimeDelta::days(80);
    let at = local.format("%Y-%m-%d %H:%M:%S").to_string();
    fake.world(|world| {
        let recent = world.actions.values();
        let recent = recent.filter(|action| action.ordered > since).cloned();
        let mut chosen: Vec<Action> = recent.skip(round * 20).take(12).collect();
        assert_eq!(chosen.len(), 12);
        for gone in chosen.drain(..2) {
            world.actions.remove(&gone.id);
        }
        world.put(chosen.into_iter().map(|mut action| {
            action.paid = false;
            let is_declined = action.status == "declined";
            action.becomes(if is_declined { "approved" } else { "declined" }, &at)
        }));
    });
}

/// Makes what is read of changes due, and the night.
async fn let_it_be_night(db: &DatabaseConnection) {
    for sql in [
        "UPDATE sync_states SET next_run_us = 0 WHERE feed IN ('STATUS', 'RECENT', 'NIGHTLY') AND next_run_us IS NOT NULL",
        // The first night comes behind the back-fill.
        "UPDATE sync_states SET last_success_us = 0 WHERE feed = 'BACKFILL'",
    ] {
        db.execute_unprepared(sql).await.unwrap();
    }
}

/// The syncs that are killed.
struct Killing<'a> {
    fake: &'a FakeAdmitad,
    folder: &'a Path,
    dice: Dice,
    kills: usize,
    too_late: usize,
}

impl Killing<'_> {
    /// Starts a sync that takes about so many milliseconds, and kills it somewhere in them; what is stored is whole.
    async fn kill_one(&mut self, world: &World, db: &DatabaseConnection, whole: &mut usize) {
        let before = sessions(db).await;
        let mut sync = command(world, self.fake, self.folder, &["sync", "--once"]);
        let mut child = sync
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Anywhere: while it starts, asks, writes, or has ended.
        let wait = self.dice.below(*whole);
        let delay = Duration::from_millis(u64::try_from(wait).unwrap());
        tokio::time::sleep(delay).await;
        if child.try_wait().unwrap().is_none() {
            self.kills += 1;
        } else {
            // The machine has become quicker.
            *whole = wait.max(50);
            self.too_late += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        until_forgotten(db, &before).await;
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
}

/// How many milliseconds a sync takes that reads everything which is due.
fn measured(world: &World, fake: &FakeAdmitad, folder: &Path) -> usize {
    let stopwatch = Clock::system();
    to_the_end(world, fake, folder);
    usize::try_from(stopwatch.elapsed().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_is_killed_again_and_again_ends_as_if_nothing_had_been() {
    let (fake, folder) = (upstream(), tempfile::tempdir().unwrap());
    let local = (Clock::system().now() + TimeDelta::hours(3)).naive_utc();
    let at_first = fake.world(|world| world.actions.clone());
    let undisturbed = World::new(1).await;
    let mut whole = measured(&undisturbed, &fake, folder.path());
    let db = outside(&undisturbed.url).await;
    let wanted_at_first = content(&db, &OF_THE_READ).await;
    for table in ["totals_time ", "click_stats ", "balances ", "deeplinks "] {
        assert!(
            wanted_at_first.iter().any(|line| line.starts_with(table)),
            "{table}is not compared"
        );
    }
    let actions = undisturbed.facts(0).await.actions.len();
    assert!(actions > 500, "{actions}");
    let mut night = 0;
    for round in 0..IN_A_ROW {
        change(&fake, round, local);
        let_it_be_night(&db).await;
        night = measured(&undisturbed, &fake, folder.path());
    }
    let wanted = content(&db, &OF_THE_READ).await;
    let left = undisturbed.facts(0).await.actions.len();
    assert_eq!(left, actions - 2 * IN_A_ROW, "the night has found them");
    let mut killing = Killing {
        fake: &fake,
        folder: folder.path(),
        dice: Dice::new(seed() + 60),
        kills: 0,
        too_late: 0,
    };
    while killing.kills < soak("SOAK_KILLS").unwrap_or(FEW) {
        fake.world(|world| world.actions = at_first.clone());
        let world = World::new(1).await;
        let db = outside(&world.url).await;
        for _ in 0..IN_A_ROW {
            killing.kill_one(&world, &db, &mut whole).await;
        }
        to_the_end(&world, &fake, folder.path());
        let got = content(&db, &OF_THE_READ).await;
        assert_same_content(&got, &wanted_at_first, "killed at first");
        // Upstream goes on while nobody reads, and while somebody does.
        for round in 0..IN_A_ROW {
            change(&fake, round, local);
            let_it_be_night(&db).await;
            killing.kill_one(&world, &db, &mut night).await;
        }
        to_the_end(&world, &fake, folder.path());
        // A night that went on where it was killed has not seen what was taken back behind it: the next one does.
        let_it_be_night(&db).await;
        to_the_end(&world, &fake, folder.path());
        let got = content(&db, &OF_THE_READ).await;
        assert_same_content(&got, &wanted, "killed");
        assert_verified(&world.url, "killed");
        let runs = world.rows::<entity::import_run::Entity>(0).await;
        let open = runs.iter().filter(|run| run.state == "RUNNING").count();
        assert_eq!(open, 0, "what was killed is told to have failed");
    }
    let (kills, too_late) = (killing.kills, killing.too_late);
    assert!(
        too_late <= 2 * kills + 8,
        "{too_late} came too late, {kills} did not"
    );
}
