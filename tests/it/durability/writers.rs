//! Many writers at once: within a process, from two processes, and beside one that holds the lock.

use super::{Desk, assert_refused, at, draft, number, outside, run};
use crate::support::db::fresh_sqlite;
use crate::support::{fresh_store, is_postgres};
use actiongraph::domain::error::Code;
use actiongraph::store::{Store, StoreOptions};
use futures::future::join_all;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

const WRITERS: i64 = 8;
const BATCHES: i64 = 50;

/// Eight writers of fifty batches; each batch has an action of its own and one that all eight of its desk write, each
/// with another state. The desks are dealt out to the writers in turn.
async fn crowd(desks: &[Desk]) {
    let writer = async |number: i64| {
        let desk = &desks[usize::try_from(number).unwrap() % desks.len()];
        let mut inserted = 0;
        for batch in 0..BATCHES {
            let drafts = [
                draft(&format!("own-{number}-{batch}"), 0),
                draft(&format!("shared-{batch}"), number),
            ];
            let applied = desk.put(&drafts).await.unwrap();
            assert_eq!(
                applied.inserted + applied.updated + applied.unchanged + applied.stale,
                2
            );
            inserted += applied.inserted;
        }
        inserted
    };
    let inserted: i64 = join_all((0..WRITERS).map(writer)).await.iter().sum();
    let mut publishers: Vec<_> = desks.iter().map(|desk| desk.scope.publisher()).collect();
    publishers.sort_unstable();
    publishers.dedup();
    let shared = BATCHES * i64::try_from(publishers.len()).unwrap();
    assert_eq!(inserted, WRITERS * BATCHES + shared, "inserted once each");
}

/// Asserts what all writers together left.
async fn assert_all_there(url: &str, publishers: i64) {
    let db = outside(url).await;
    let count = async |sql: &str| number(&db, sql).await;
    assert_eq!(
        count("SELECT COUNT(*) FROM actions").await,
        WRITERS * BATCHES + BATCHES * publishers
    );
    assert_eq!(
        count("SELECT COUNT(*) FROM action_states").await,
        2 * WRITERS * BATCHES,
        "every state that was sent is in the history"
    );
    assert_eq!(
        count("SELECT CAST(SUM(read_count) AS bigint) FROM import_runs").await,
        2 * WRITERS * BATCHES
    );
    assert_eq!(
        count(
            "SELECT CAST(SUM(inserted_count + updated_count + unchanged_count + stale_count) AS bigint) FROM import_runs"
        )
        .await,
        2 * WRITERS * BATCHES
    );
    // The newest state won, whoever came last.
    assert_eq!(
        count(&format!(
            "SELECT COUNT(*) FROM actions WHERE external_id LIKE 'shared-%' AND changed_at_us < {}",
            at(WRITERS - publishers).micros()
        ))
        .await,
        0
    );
    assert_eq!(
        count("SELECT COUNT(*) FROM action_changes").await,
        count("SELECT CAST(SUM(change_seq) AS bigint) FROM publisher_states").await,
        "the change logs have no gaps"
    );
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_of_one_publisher_lose_nothing() {
    let (store, url) = fresh_store().await;
    crowd(&[Desk::new(&store, "one").await]).await;
    store.close().await;
    assert_all_there(&url, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_of_two_publishers_lose_nothing() {
    let (store, url) = fresh_store().await;
    crowd(&[
        Desk::new(&store, "one").await,
        Desk::new(&store, "two").await,
    ])
    .await;
    store.close().await;
    assert_all_there(&url, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_at_once_and_lose_nothing() {
    let (store, url) = fresh_store().await;
    let second = Store::open(&url).await.unwrap();
    let desk = Desk::new(&store, "one").await;
    crowd(&[desk.clone(), desk.through(&second)]).await;
    store.close().await;
    second.close().await;
    assert_all_there(&url, 1).await;
}

/// The same new action, user, product and program from two writers at the same time: one inserts, the other merges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_action_from_two_writers_is_inserted_once() {
    let (store, url) = fresh_store().await;
    let second = Store::open(&url).await.unwrap();
    let desk = Desk::new(&store, "one").await;
    let other = desk.through(&second);
    for round in 0..20 {
        let id = format!("same-{round}");
        let (mine, theirs) = ([draft(&id, 1)], [draft(&id, 2)]);
        let (a, b) = tokio::join!(desk.put(&mine), other.put(&theirs));
        assert_eq!(a.unwrap().inserted + b.unwrap().inserted, 1);
    }
    assert_eq!(desk.count().await.unwrap(), 20);
    store.close().await;
    second.close().await;
    let db = outside(&url).await;
    for (table, rows) in [("users", 1), ("products", 2), ("action_states", 40)] {
        let counted = number(&db, &format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(counted, rows, "{table}");
    }
}

/// Two servers that start at once on an empty database both find it ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_migrate_at_once_both_succeed() {
    let url = crate::support::fresh_url().await;
    let open = async || {
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        store.is_ready().await.unwrap();
        store
    };
    for store in join_all([open(), open(), open()]).await {
        store.close().await;
    }
}

/// An older program does not touch what a newer one made.
#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (store, url) = fresh_store().await;
    let db = outside(&url).await;
    run(
        &db,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)",
    )
    .await;
    for refused in [store.migrate().await, store.is_ready().await] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(error.message().contains("newer version"), "{error}");
    }
    store.close().await;
}

/// Another process's short write is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_given_back_is_waited_for() {
    if is_postgres() {
        return;
    }
    let url = fresh_sqlite();
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let desk = Desk::new(&store, "one").await;
    let other = outside(&url).await;
    run(&other, "BEGIN IMMEDIATE").await;
    let mut writes =
        pin!(join_all((0..5).map(async |batch: i32| {
            desk.put_new(&format!("waits-{batch}"), 3).await
        })));
    assert!(
        timeout(Duration::from_secs(1), &mut writes).await.is_err(),
        "they wait"
    );
    let read = timeout(Duration::from_secs(2), async {
        store.is_ready().await.unwrap();
        desk.count().await.unwrap()
    });
    assert_eq!(read.await.unwrap(), 0, "reading does not wait");
    run(&other, "COMMIT").await;
    for written in writes.await {
        assert_eq!(written.unwrap().inserted, 3);
    }
    store.close().await;
}

/// Another process that keeps the lock is not waited for for ever; afterwards writing goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_kept_is_a_clean_error() {
    if is_postgres() {
        return;
    }
    let url = fresh_sqlite();
    let options = StoreOptions {
        acquire_timeout: Duration::from_millis(100),
        lock_timeout: Duration::from_millis(300),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&url, options).await.unwrap();
    store.migrate().await.unwrap();
    let desk = Desk::new(&store, "one").await;
    let other = outside(&url).await;
    run(&other, "BEGIN IMMEDIATE").await;
    // Four times over: those who queue behind the one that waits are told in time, too.
    let refused =
        join_all((0..12).map(async |batch: i32| desk.put_new(&format!("waits-{batch}"), 3).await));
    for written in timeout(Duration::from_millis(1_500), refused)
        .await
        .unwrap()
    {
        assert_refused(&written.unwrap_err(), Code::ServiceUnavailable);
    }
    run(&other, "COMMIT").await;
    assert_eq!(desk.put_new("then", 3).await.unwrap().inserted, 3);
    assert_eq!(
        desk.count().await.unwrap(),
        3,
        "nothing that was refused is stored"
    );
    store.close().await;
}

/// The server's own limits keep the promise: an error within eight seconds.
#[test]
fn nobody_waits_longer_than_eight_seconds_for_a_lock() {
    let options = StoreOptions::default();
    assert!(options.acquire_timeout + options.lock_timeout <= Duration::from_secs(8));
    assert!(options.write_timeout <= Duration::from_secs(7));
    assert!(
        options.lock_timeout > Duration::from_secs(3),
        "a lock of 3 s is no error"
    );
    assert!(
        options.write_timeout > options.lock_timeout,
        "a server that is well speaks first"
    );
}
