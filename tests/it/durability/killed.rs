//! An import whose process is killed: what is stored is whole, and the same file again gives what an undisturbed import
//! gives.

use super::{ITEMS, eventually, number, outside, texts};
use crate::support::db::fresh_sqlite;
use crate::support::{fresh_url, is_postgres};
use sea_orm::DatabaseConnection;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many actions the file has.
const ACTIONS: u64 = 12_000;

/// A file of response pages as upstream sends them, two items in each cart.
fn export(folder: &Path) -> PathBuf {
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

fn import(file: &Path, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", "my-blog", "--database-url", url])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn import_to_the_end(file: &Path, url: &str) {
    let output = import(file, url).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
}

/// Every row that an answer can come from, as text, in a fixed order; runs and times of commits are left out.
async fn content(db: &DatabaseConnection) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns, order) in [
        (
            "actions",
            "id, external_id, order_id, program_id, ad_space_id, user_id, status, reward_e4, order_amount_e4, \
          ordered_at_us, status_updated_at_us, country, items_count, units, items_amount_e4, items_reward_e4, \
          changed_at_us, observed_at_us, inherited, returned_to_hold",
            "id",
        ),
        (
            "action_items",
            "action_id, ordinal, product_id, category_id, amount_e4, reward_e4, units",
            "action_id, ordinal",
        ),
        (
            "action_states",
            "action_id, state_id, status, reward_e4, changed_at_us, observed_at_us",
            "action_id, state_id",
        ),
        ("action_changes", "seq, action_id, kind, status", "seq"),
        (
            "products",
            "id, natural_key, name, category_id, first_seen_us, name_at_us",
            "id",
        ),
        ("users", "id, value, first_seen_us", "id"),
        ("programs", "id, natural_key, name, name_at_us", "id"),
        ("ad_spaces", "id, name", "id"),
        ("categories", "id, name, parent_id", "id"),
        (
            "publisher_states",
            "publisher_id, change_seq",
            "publisher_id",
        ),
    ] {
        let parts: Vec<String> = columns
            .split(',')
            .map(|column| {
                let column = column.trim();
                let text = if !is_postgres() && (column == "id" || column.ends_with("_id")) {
                    format!("hex({column})")
                } else {
                    format!("CAST({column} AS text)")
                };
                format!("COALESCE({text}, '-')")
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM {table} ORDER BY {order}",
            parts.join(" || '|' || ")
        );
        all.push(table.to_owned());
        all.extend(texts(db, &sql).await);
    }
    all
}

/// Asserts that every stored action is whole and that the runs' counters are what the rows are. Gives the actions.
async fn assert_whole_batches(db: &DatabaseConnection) -> i64 {
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
    for counter in ["read_count", "inserted_count"] {
        let counted = count(&format!(
            "SELECT CAST(COALESCE(SUM({counter}), 0) AS bigint) FROM import_runs"
        ))
        .await;
        assert_eq!(counted, actions, "{counter}");
    }
    actions
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
    let mut cut_short = 0;
    // How many actions are stored when the process is killed.
    let points = if is_postgres() {
        vec![total / 6, total / 2]
    } else {
        vec![1, total / 4, total / 2, total * 2 / 3]
    };
    for &kill_at in &points {
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
        let mut child = import(&file, &url);
        eventually("the import is under way", async || {
            number(&db, "SELECT COUNT(*) FROM actions").await >= kill_at
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        if is_postgres() {
            eventually("the server has noticed", async || {
                number(
                    &db,
                    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'actiongraph'",
                )
                .await
                    == 0
            })
            .await;
        } else {
            super::assert_sound(&db).await;
        }
        if assert_whole_batches(&db).await < total {
            cut_short += 1;
        }
        import_to_the_end(&file, &url);
        let content = content(&db).await;
        assert_eq!(content.len(), wanted.len());
        for (row, wanted) in content.iter().zip(&wanted) {
            assert_eq!(row, wanted, "killed at {kill_at}");
        }
        db.close().await.unwrap();
    }
    assert!(
        cut_short * 2 >= points.len(),
        "only {cut_short} imports were cut short"
    );
}
