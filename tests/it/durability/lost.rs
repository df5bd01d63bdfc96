//! Connections that break, statements that take too long, pools that are exhausted.

use super::restarted::Cluster;
use super::{Desk, assert_refused, assert_stored, eventually, number, outside, run};
use crate::support::{fresh_store, is_postgres};
use actiongraph::domain::error::Code;
use actiongraph::domain::filter::{ActionTest, Filter, Quantifier};
use actiongraph::store::{ReadTx, Store, StoreOptions, actions};
use std::collections::BTreeSet;
use std::pin::pin;
use std::process::Command;
use std::time::Duration;
use tokio::time::timeout;

/// Whoever waits for a lock in this database, but the asker.
pub(super) const WAITING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
     AND wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_backend_is_ended_is_written_once() {
    if !is_postgres() {
        return;
    }
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let (holder, admin) = (outside(&url).await, outside(&url).await);
    // In the middle of the batch: its actions are being inserted when the table is locked.
    run(
        &holder,
        "BEGIN; LOCK TABLE action_items IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let drafts = super::named("batch", 5);
    let mut write = pin!(desk.put(&drafts));
    let ended = async {
        eventually("the write waits", async || {
            number(&admin, &format!("SELECT COUNT(*) {WAITING}")).await == 1
        })
        .await;
        run(
            &admin,
            &format!("SELECT pg_terminate_backend(pid) {WAITING}"),
        )
        .await;
        // The second attempt has come as far as the first.
        eventually("the write waits again", async || {
            number(&admin, &format!("SELECT COUNT(*) {WAITING}")).await == 1
        })
        .await;
        run(&holder, "COMMIT").await;
    };
    let (written, ()) = tokio::join!(&mut write, ended);
    assert_eq!(written.unwrap().inserted, 5);
    assert_stored(&admin, &desk, &BTreeSet::from(["batch".to_owned()]), 5).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_ended_again_and_again_is_a_clean_error() {
    if !is_postgres() {
        return;
    }
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let (holder, admin) = (outside(&url).await, outside(&url).await);
    run(
        &holder,
        "BEGIN; LOCK TABLE action_items IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let end_all = async {
        loop {
            run(
                &admin,
                &format!("SELECT pg_terminate_backend(pid) {WAITING}"),
            )
            .await;
        }
    };
    let error = tokio::select! {
        written = desk.put_new("batch", 5) => written.unwrap_err(),
        () = end_all => unreachable!(),
    };
    assert_refused(&error, Code::ServiceUnavailable);
    run(&holder, "COMMIT").await;
    desk.put_new("then", 5).await.unwrap();
    assert_stored(&admin, &desk, &BTreeSet::from(["then".to_owned()]), 5).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_and_a_write_that_wait_for_ever_are_clean_errors() {
    if !is_postgres() {
        return;
    }
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let impatient = StoreOptions {
        read_timeout: Duration::from_millis(200),
        lock_timeout: Duration::from_millis(200),
        ..StoreOptions::default()
    };
    let second = Store::open_with(&url, impatient).await.unwrap();
    let desk = desk.through(&second);
    let holder = outside(&url).await;
    run(
        &holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let soon = Duration::from_secs(2);
    let read = timeout(soon, desk.count()).await.unwrap().unwrap_err();
    assert_refused(&read, Code::Timeout);
    let write = timeout(soon, desk.put_new("batch", 2))
        .await
        .unwrap()
        .unwrap_err();
    assert_refused(&write, Code::ServiceUnavailable);
    run(&holder, "COMMIT").await;
    assert_eq!(desk.put_new("then", 2).await.unwrap().inserted, 2);
    assert_eq!(desk.count().await.unwrap(), 2);
    store.close().await;
    second.close().await;
}

/// Tells a process of a cluster of the test's own to stand still, or to go on.
pub(super) fn signal(name: &str, process: i64) {
    let told = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(told.unwrap().success(), "{name}");
}

/// A server that hangs does not say that a statement takes too long: whoever waits for it looks at a clock of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_at_a_server_that_hangs_is_a_clean_error_within_eight_seconds() {
    if !is_postgres() {
        return;
    }
    let cluster = Cluster::start();
    // With the times of a server.
    let store = Store::open(&cluster.url).await.unwrap();
    store.migrate().await.unwrap();
    let desk = Desk::new(&store, "one").await;
    let (holder, admin) = (outside(&cluster.url).await, outside(&cluster.url).await);
    run(
        &holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let read = timeout(Duration::from_secs(8), desk.count());
    let freeze = async {
        eventually("the read waits", async || {
            number(&admin, &format!("SELECT COUNT(*) {WAITING}")).await == 1
        })
        .await;
        let process = number(&admin, &format!("SELECT pid::BIGINT {WAITING}")).await;
        signal("-STOP", process);
        process
    };
    let (read, process) = tokio::join!(read, freeze);
    signal("-CONT", process);
    assert_refused(&read.unwrap().unwrap_err(), Code::Timeout);
    run(&holder, "COMMIT").await;
    assert_eq!(desk.count().await.unwrap(), 0);
    store.close().await;
}

/// Likewise a write. The connection is none of the pool's any more, although its server does not say that it has rolled back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_at_a_server_that_hangs_is_a_clean_error_and_leaves_no_connection_behind() {
    if !is_postgres() {
        return;
    }
    let cluster = Cluster::start();
    // Whoever migrates holds one connection and works on another.
    let made = Store::open(&cluster.url).await.unwrap();
    made.migrate().await.unwrap();
    made.close().await;
    // With the times of a server.
    let options = StoreOptions {
        connections: 1,
        ..StoreOptions::default()
    };
    let store = Store::open_with(&cluster.url, options).await.unwrap();
    let (desk, other) = (
        Desk::new(&store, "one").await,
        Desk::new(&store, "two").await,
    );
    let (holder, admin) = (outside(&cluster.url).await, outside(&cluster.url).await);
    run(
        &holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let write = timeout(Duration::from_secs(14), desk.put_new("batch", 2));
    let freeze = async {
        eventually("the write waits", async || {
            number(&admin, &format!("SELECT COUNT(*) {WAITING}")).await == 1
        })
        .await;
        let process = number(&admin, &format!("SELECT pid::BIGINT {WAITING}")).await;
        signal("-STOP", process);
        process
    };
    let (write, process) = tokio::join!(write, freeze);
    let error = write.map(Result::unwrap_err);
    run(&holder, "COMMIT").await;
    // The process stands still, and there is room for one connection.
    let next = timeout(
        Duration::from_secs(30),
        eventually("another one writes", async || {
            other.put_new("other", 2).await.is_ok()
        }),
    )
    .await;
    signal("-CONT", process);
    assert_refused(&error.unwrap(), Code::ServiceUnavailable);
    next.unwrap();
    assert_stored(&admin, &desk, &BTreeSet::new(), 2).await;
    desk.put_new("then", 2).await.unwrap();
    assert_stored(&admin, &desk, &BTreeSet::from(["then".to_owned()]), 2).await;
    store.close().await;
}

/// Nothing was read yet, so nobody can tell that it is another transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_read_whose_backend_is_ended_is_answered() {
    if !is_postgres() {
        return;
    }
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    desk.put_new("batch", 3).await.unwrap();
    let (holder, admin) = (outside(&url).await, outside(&url).await);
    let count = async |tx: &ReadTx, filter: &Filter<ActionTest>| {
        actions::count(tx, desk.scope.read(), None, filter).await
    };
    let all = Filter::All(Vec::new());
    let waits = async || {
        eventually("the read waits", async || {
            number(&admin, &format!("SELECT COUNT(*) {WAITING}")).await == 1
        })
        .await;
    };
    let end = async || {
        run(
            &admin,
            &format!("SELECT pg_terminate_backend(pid) {WAITING}"),
        )
        .await;
    };
    run(
        &holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let tx = ReadTx::new(&store);
    let ended = async {
        waits().await;
        end().await;
        // The second attempt has come as far as the first.
        waits().await;
        run(&holder, "COMMIT").await;
    };
    let (read, ()) = tokio::join!(count(&tx, &all), ended);
    assert_eq!(read.unwrap(), 3);
    assert_eq!(tx.statements(), 2, "each attempt is a statement");

    // What was read already stands for one state of everything: it goes no further than its transaction.
    run(
        &holder,
        "BEGIN; LOCK TABLE action_items IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let items = ActionTest::Items(Quantifier::Some, Filter::All(Vec::new()));
    let items = Filter::Test(items);
    let ended = async {
        waits().await;
        end().await;
        run(&holder, "COMMIT").await;
    };
    let (read, ()) = tokio::join!(count(&tx, &items), ended);
    assert_refused(&read.unwrap_err(), Code::ServiceUnavailable);
    assert_eq!(tx.statements(), 3);
    drop(tx);
    assert_eq!(desk.count().await.unwrap(), 3);
    store.close().await;
}

/// More reads than connections: the one too many is told within about two seconds, on both databases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_is_a_clean_error_soon() {
    let (store, _) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let mut open = Vec::new();
    let error = loop {
        assert!(open.len() <= 20, "the pool has no end");
        let tx = ReadTx::new(&store);
        let none = Filter::All(Vec::new());
        let read = actions::count(&tx, desk.scope.read(), None, &none);
        match timeout(Duration::from_millis(2_900), read).await.unwrap() {
            Ok(_) => open.push(tx),
            Err(error) => break error,
        }
    };
    assert!(open.len() >= 4);
    assert_refused(&error, Code::ServiceUnavailable);
    // Writers have connections of their own.
    assert_eq!(desk.put_new("batch", 2).await.unwrap().inserted, 2);
    open.clear();
    assert_eq!(desk.count().await.unwrap(), 2);
    store.close().await;
}
