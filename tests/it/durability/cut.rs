//! Requests that go away in the middle: their futures are dropped at every point where they can be.

use super::{Desk, assert_sound, assert_stored, eventually, number, outside, run};
use crate::support::{fresh_store, is_postgres};
use actiongraph::analytics::top;
use actiongraph::domain::filter::Filter;
use actiongraph::store::ReadTx;
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// Drives a future until it was woken so many times, then drops it; its output if it was done by then.
async fn cut<F: Future>(future: F, wakes: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = wakes;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// How often a request goes away.
const ROUNDS: usize = 60;
/// How many actions a batch has: enough that the database does not answer before it is asked whether it has.
const SIZE: usize = 60;
/// Soon enough to be called at once on a busy machine; far below every time-out that would hide a lock that stayed.
const AT_ONCE: Duration = Duration::from_secs(4);

/// One thread, so that every answer of the database is waited for.
#[tokio::test]
async fn a_write_that_is_dropped_leaves_no_lock_and_no_half_batch() {
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let db = outside(&url).await;
    let mut stored = BTreeSet::new();
    let mut cuts = 0;
    // An answer that is there at once is no point to be dropped at, so the points differ from round to round.
    for round in 0..ROUNDS {
        let wakes = round % 20;
        let name = format!("cut-{round}");
        let outcome = cut(desk.put_new(&name, SIZE), wakes).await;
        let next = format!("next-{round}");
        let written = timeout(AT_ONCE, desk.put_new(&next, SIZE)).await;
        assert!(
            written.is_ok(),
            "cut after {wakes} wakes: the next write waits"
        );
        assert_eq!(
            written.unwrap().unwrap().inserted,
            i64::try_from(SIZE).unwrap()
        );
        stored.insert(next);
        if let Some(written) = outcome {
            assert_eq!(written.unwrap().inserted, i64::try_from(SIZE).unwrap());
            stored.insert(name);
            continue;
        }
        cuts += 1;
        // Dropped after the commit was sent, it is stored; before, it is not. Half of it never is.
        let there = number(
            &db,
            &format!("SELECT COUNT(*) FROM actions WHERE external_id LIKE '{name}/%'"),
        )
        .await;
        assert!(
            there == 0 || there == i64::try_from(SIZE).unwrap(),
            "{there} of {SIZE} after {wakes} wakes"
        );
        if there > 0 {
            stored.insert(name);
        }
    }
    assert!(cuts > ROUNDS / 4, "only {cuts} of {ROUNDS} were dropped");
    store.close().await;
    assert_stored(&db, &desk, &stored, SIZE).await;
    if !is_postgres() {
        assert_sound(&db).await;
    }
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_read_that_is_dropped_leaves_no_transaction() {
    let (store, url) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let db = outside(&url).await;
    desk.put_new("first", 3_000).await.unwrap();
    let none = Filter::All(Vec::new());
    let mut cuts = 0;
    for round in 0..ROUNDS {
        let wakes = round % 6;
        let read = async {
            let tx = ReadTx::new(&store);
            top::totals_of_list(&tx, desk.scope.read(), None, &none).await
        };
        let outcome = cut(read, wakes).await;
        cuts += usize::from(outcome.is_none());
        let name = format!("next-{round}");
        let written = timeout(AT_ONCE, desk.put_new(&name, 1)).await;
        assert!(
            written.is_ok(),
            "cut after {wakes} wakes: the next write waits"
        );
        written.unwrap().unwrap();
    }
    assert!(cuts > ROUNDS / 10, "only {cuts} of {ROUNDS} were dropped");
    if is_postgres() {
        eventually("no session is inside a transaction", async || {
            number(
                &db,
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'",
            )
            .await
                == 0
        })
        .await;
    } else {
        // With a reader's snapshot still open the log could not be folded to its end.
        eventually("the whole log can be folded into the file", async || {
            number(&db, "PRAGMA wal_checkpoint(TRUNCATE)").await == 0
        })
        .await;
        run(&db, "BEGIN IMMEDIATE; COMMIT").await;
    }
    // All readers are back: as many as there are can read at once.
    let reads = (0..4).map(|_| desk.count());
    for read in futures::future::join_all(reads).await {
        read.unwrap();
    }
    store.close().await;
}
