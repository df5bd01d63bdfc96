//! An import whose process is killed: what is stored is whole, and the same file again gives what an undisturbed import
//! gives.

use super::{ITEMS, eventually, number, outside};
use crate::support;
use crate::support::check::{seed, soak};
use crate::support::content::{assert_same_content, assert_verified};
use crate::support::db::{fresh_sqlite, until_forgotten};
use crate::support::dice::Dice;
use crate::support::{fresh_url, is_postgres};
use sea_orm::DatabaseConnection;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How many actions the file has.
pub(super) const ACTIONS: u64 = 12_000;

/// A file of response pages as upstream sends them, two items in each cart.
pub(super) fn export(folder: &Path) -> PathBuf {
    let mut text = String::new();
    for page in 0..ACTIONS / 500 {
        text.push_str("{\"results\": [");
        for place in 0..500 {
            let id = page * 500 + place;
            let status = ["pending", "approved", "declined"][usize::try_from(id % 3).unwrap()];
            let (minute, hour) = (id % 60, id / 60 % 24);
            write!(
                text,
                "{}{{\"action_id\": {id}, \"order_id\": \"3019{id}\", \"advcampaign_id\": 6115, \
                 \"advcampaign_name\": \"AliExpress WW\", \"website_name\": \"My blog\", \"click_country_code\": \"PL\", \
                 \"action\": \"Paid order\", \"action_type\": \"sale\", \"cart\": \"31.50\", \"status\": \"{status}\", \
                 \"subid1\": \"u-{}\", \"payment\": 1.89, \"currency\": \"USD\", \
                 \"action_date\": \"2026-02-0{} {hour:02}:{minute:02}:00\", \
                 \"status_updated\": \"2026-03-01 {hour:02}:{minute:02}:00\", \"positions\": [",
                if place == 0 { "" } else { "," },
                id % 700,
                1 + id % 9,
            )
            .unwrap();
            for item in 0..ITEMS {
                write!(
                    text,
                    "{}{{\"id\": {}, \"amount\": \"15.75\", \"payment\": \"0.945\", \"product_id\": \"{}\", \
                     \"product_name\": \"Thing {}\", \"product_category_id\": 7}}",
                    if item == 0 { "" } else { "," },
                    id * 10 + u64::try_from(item).unwrap(),
                    4000 + (id + u64::try_from(item).unwrap()) % 900,
                    (id + u64::try_from(item).unwrap()) % 900,
                )
                .unwrap();
            }
            text.push_str("]}");
        }
        writeln!(
            text,
            "], \"_meta\": {{\"count\": {ACTIONS}, \"limit\": 500, \"offset\": {}}}}}",
            page * 500
        )
        .unwrap();
    }
    let path = folder.join("export.json");
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn import(file: &Path, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", "my-blog", "--database-url", url])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(super) fn import_to_the_end(file: &Path, url: &str) {
    let output = import(file, url).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
}

/// Every row that an answer can come from; runs and times of commits are left out.
pub(super) async fn content(db: &DatabaseConnection) -> Vec<String> {
    support::content::content(db, &[]).await
}

/// Asserts that every stored action is whole and that the runs' counters are what the rows are. Gives the actions.
pub(super) async fn assert_whole_batches(db: &DatabaseConnection) -> i64 {
    let count = async |sql: &str| number(db, sql).await;
    let actions = count("SELECT COUNT(*) FROM actions").await;
    assert_eq!(actions % 500, 0, "whole batches");
    for (table, each) in [
        ("action_items", ITEMS),
        ("action_states", 1),
        ("action_changes", 1),
    ] {
        assert_eq!(
            count(&format!("SELECT COUNT(*) FROM {table}")).await,
            actions * each,
            "{table}"
        );
    }
    for (counted, is) in [
        ("inserted_count", "(SELECT COUNT(*) FROM actions)"),
        (
            "read_count",
            "COALESCE(SUM(inserted_count + updated_count + unchanged_count + stale_count), 0)",
        ),
    ] {
        let differs =
            format!("SELECT CAST(COALESCE(SUM({counted}), 0) - {is} AS bigint) FROM import_runs");
        assert_eq!(count(&differs).await, 0, "{counted}");
    }
    actions
}

/// Asserts that the rows which are compared are those that a user can see, not facts alone.
fn assert_compared(content: &[String]) {
    for table in [
        "actions",
        "action_items",
        "action_states",
        "action_changes",
        "ad_spaces",
        "categories",
        "products",
        "programs",
        "users",
        "totals_time",
        "totals_channel",
        "totals_audience",
        "totals_category",
        "totals_product",
        "product_lifetimes",
        "user_lifetimes",
    ] {
        let start = format!("{table} ");
        let rows = content.iter().filter(|line| line.starts_with(&start));
        assert!(rows.count() > 0, "{table} is not compared");
    }
}

/// When imports are killed, for each of some databases: how many actions are stored then, and how long after that.
/// `SOAK_KILLS` says how many kills there are to be, at random points; without it there are a few.
fn kill_points(total: i64) -> Vec<Vec<(i64, Duration)>> {
    let mut dice = Dice::new(seed());
    let mut after = |actions: i64| {
        let delay = Duration::from_millis(u64::try_from(dice.below(60)).unwrap());
        (actions, delay)
    };
    let Some(kills) = soak("SOAK_KILLS") else {
        let few = if is_postgres() {
            vec![vec![total / 6, total / 2]]
        } else {
            vec![vec![1, total / 2], vec![total / 4, total * 2 / 3]]
        };
        return few
            .into_iter()
            .map(|points| points.into_iter().map(&mut after).collect())
            .collect();
    };
    let mut random = Dice::new(seed() + 1);
    let mut point =
        || i64::try_from(random.below(usize::try_from(total * 5 / 6).unwrap())).unwrap();
    // A kill that comes too late counts for nothing, so there are points for more than those.
    (0..kills.div_ceil(5) * 3)
        .map(|_| {
            let mut points: Vec<i64> = (0..5).map(|_| point()).collect();
            points.sort_unstable();
            points.into_iter().map(&mut after).collect()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_leaves_whole_batches_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = export(folder.path());
    let undisturbed = fresh_url().await;
    import_to_the_end(&file, &undisturbed);
    let total = i64::try_from(ACTIONS).unwrap();
    let db = outside(&undisturbed).await;
    assert_eq!(assert_whole_batches(&db).await, total);
    let wanted = content(&db).await;
    assert_compared(&wanted);
    let (mut cut_short, mut kills) = (0, 0);
    let cuts = soak("SOAK_KILLS");
    for points in kill_points(total) {
        if cuts.is_some_and(|cuts| cut_short >= cuts) {
            break;
        }
        let url = if is_postgres() {
            fresh_url().await
        } else {
            fresh_sqlite()
        };
        // The tables are there before, so that the test can look into them.
        let store = actiongraph::store::Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        let db = outside(&url).await;
        for (kill_at, delay) in &points {
            let mut child = import(&file, &url);
            eventually("the import is under way", async || {
                number(&db, "SELECT COUNT(*) FROM actions").await >= *kill_at
            })
            .await;
            // Anywhere in the batch that follows, not only where one has just been committed.
            tokio::time::sleep(*delay).await;
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if is_postgres() {
                until_forgotten(&db, &BTreeSet::new()).await;
            } else {
                super::assert_sound(&db).await;
            }
            if assert_whole_batches(&db).await < total {
                cut_short += 1;
            }
        }
        import_to_the_end(&file, &url);
        let killed = format!("killed at {points:?}");
        assert_same_content(&content(&db).await, &wanted, &killed);
        assert_verified(&url, &killed);
        db.close().await.unwrap();
    }
    assert!(
        cut_short >= cuts.unwrap_or(1) && cut_short * 2 >= kills,
        "only {cut_short} of {kills} imports were cut short"
    );
}
