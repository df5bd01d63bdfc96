//! A database for each test: an SQLite file, or a database of the PostgreSQL cluster that `TEST_POSTGRES_URL` names.

use actiongraph::store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether the tests run on PostgreSQL.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own switch, not a setting"
)]
pub(crate) fn is_postgres() -> bool {
    match std::env::var("TEST_BACKEND").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("TEST_BACKEND is {other:?}; it is sqlite or postgres"),
    }
}

fn name() -> String {
    format!(
        "t{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The URL of an empty database of the chosen backend.
pub(crate) async fn fresh_url() -> String {
    if is_postgres() {
        fresh_postgres().await
    } else {
        fresh_sqlite()
    }
}

/// The URL of an empty SQLite file, whatever the chosen backend.
pub(crate) fn fresh_sqlite() -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("databases");
    std::fs::create_dir_all(&folder).unwrap();
    forget_old_files(&folder);
    let path = folder.join(format!("{}.db", name()));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    // A plain connection, other than the store's, opens only a file that is there.
    std::fs::write(&path, "").unwrap();
    format!("sqlite://{}", path.display())
}

/// Files of earlier runs go after an hour: a test that failed can still be looked into.
fn forget_old_files(folder: &PathBuf) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > Duration::from_secs(3_600)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own switch, not a setting"
)]
fn cluster_url() -> String {
    std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL names the cluster; scripts/with-postgres sets it")
}

/// The same cluster, another database.
fn with_database(url: &str, database: &str) -> String {
    let (head, query) = url
        .split_once('?')
        .map_or((url, None), |(head, query)| (head, Some(query)));
    let (server, _) = head.rsplit_once('/').unwrap();
    query.map_or_else(
        || format!("{server}/{database}"),
        |query| format!("{server}/{database}?{query}"),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the cluster is prepared past the room that opens connections"
)]
async fn fresh_postgres() -> String {
    let cluster = cluster_url();
    let admin = Database::connect(&cluster).await.unwrap();
    let database = name();
    admin
        .execute_unprepared(&format!("DROP DATABASE IF EXISTS {database}"))
        .await
        .unwrap();
    admin
        .execute_unprepared(&format!("CREATE DATABASE {database} TEMPLATE template0"))
        .await
        .unwrap();
    admin.close().await.unwrap();
    with_database(&cluster, &database)
}

/// An open, migrated database of the chosen backend, and its URL. Statements have more time than a server gives them: whether an
/// answer is right does not depend on what else the machine does.
pub(crate) async fn fresh_store() -> (Store, String) {
    let url = fresh_url().await;
    let patient = StoreOptions {
        read_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&url, patient).await.unwrap();
    store.migrate().await.unwrap();
    (store, url)
}

/// The sessions that PostgreSQL holds for stores of ours in this database; SQLite has none.
pub(crate) async fn sessions(db: &DatabaseConnection) -> BTreeSet<i32> {
    if !is_postgres() {
        return BTreeSet::new();
    }
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'actiongraph'";
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// Waits until PostgreSQL holds no session but those that were there `before` a process, which has been killed: until then it
/// may still finish what the process sent last, such as a COMMIT.
pub(crate) async fn until_forgotten(db: &DatabaseConnection, before: &BTreeSet<i32>) {
    eventually("the server has noticed", async || {
        sessions(db).await.is_subset(before)
    })
    .await;
}

/// Waits for a condition, for at most a minute: the machine may be busy.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(in_time.is_ok(), "not within a minute: {what}");
}
