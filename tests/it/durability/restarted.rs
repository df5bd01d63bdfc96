//! A PostgreSQL server that is restarted under a running import: the import waits for it and ends as if nothing had been.

use super::killed::{ACTIONS, assert_whole_batches, content, export, import, import_to_the_end};
use super::{eventually, number, outside};
use crate::support::content::{assert_same_content, assert_verified};
use crate::support::{fresh_url, is_postgres};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A cluster of the test's own, gone with it: others go on with theirs.
pub(super) struct Cluster {
    process: Child,
    pub(super) url: String,
    restart: String,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-postgres");
        let told = r#"echo "$TEST_POSTGRES_URL"; echo "$TEST_POSTGRES_RESTART"; cat"#;
        let mut process = Command::new(script)
            .args(["bash", "-c", told])
            // What it acknowledges is to survive it.
            .env("ACTIONGRAPH_POSTGRES_CONF", "synchronous_commit = on")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        Self {
            url: line(),
            restart: line(),
            process,
        }
    }

    /// Is away for so many seconds.
    fn restart(&self, seconds: u8) {
        let status = Command::new(&self.restart)
            .arg(seconds.to_string())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its input tells the script to go; it removes the cluster.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_outlives_restarts_of_its_database() {
    if !is_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = export(folder.path());
    let undisturbed = fresh_url().await;
    import_to_the_end(&file, &undisturbed);
    let wanted = content(&outside(&undisturbed).await).await;
    let cluster = Cluster::start();
    let store = actiongraph::store::Store::open(&cluster.url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let total = i64::try_from(ACTIONS).unwrap();
    let mut child = import(&file, &cluster.url);
    // Once as quickly as it can, once for longer than any request would wait.
    for (reached, seconds) in [(1, 0), (total / 2, 4)] {
        let db = outside(&cluster.url).await;
        eventually("the import is under way", async || {
            number(&db, "SELECT COUNT(*) FROM actions").await >= reached
        })
        .await;
        drop(db);
        assert!(child.try_wait().unwrap().is_none(), "it is still running");
        cluster.restart(seconds);
    }
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let db = outside(&cluster.url).await;
    assert_eq!(assert_whole_batches(&db).await, total, "each batch once");
    assert_same_content(&content(&db).await, &wanted, "restarted");
    assert_verified(&cluster.url, "restarted");
    let runs = number(
        &db,
        "SELECT COUNT(*) FROM import_runs WHERE state = 'SUCCEEDED'",
    )
    .await;
    assert_eq!(runs, 1);
    db.close().await.unwrap();
}
