//! Reads that take too long: they end, and whoever asks next finds the readers free.

use super::{Desk, assert_refused, named};
use crate::support::db::fresh_sqlite;
use crate::support::is_postgres;
use actiongraph::domain::error::Code;
use actiongraph::domain::filter::{
    ActionTest, Filter, ItemTest, Op, ProductField, ProductTest, Quantifier,
};
use actiongraph::store::{ReadTx, Store, StoreOptions, actions};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::timeout;

/// How many readers an SQLite file has.
const READERS: usize = 4;

/// A filter that takes some 10 s over the actions of [`slow_desk`]: two hundred searches in the long name of each item's
/// product, each of which nearly succeeds at a thousand places.
fn slow() -> Filter<ActionTest> {
    searches(200)
}

/// So many such searches.
fn searches(count: usize) -> Filter<ActionTest> {
    let search = |number: usize| {
        let part = format!("{}b{number}", "a".repeat(1_000));
        let name = ProductTest::Field(ProductField::Name, Op::Contains(part));
        Filter::Test(ItemTest::Product(Filter::Test(name)))
    };
    let searches = Filter::Any((0..count).map(search).collect());
    Filter::Test(ActionTest::Items(Quantifier::Some, searches))
}

/// A thousand actions, the products of which have names of two thousand letters.
async fn slow_desk(store: &Store) -> Desk {
    let desk = Desk::new(store, "one").await;
    let mut drafts = named("many", 1_000);
    for item in drafts.iter_mut().flat_map(|draft| &mut draft.items) {
        if let Some(product) = &mut item.product {
            product.name = Some("a".repeat(2_000));
        }
    }
    assert_eq!(desk.put(&drafts).await.unwrap().inserted, 1_000);
    desk
}

/// Nobody waiting for its answer any more does not end a statement on SQLite: as many long reads as there are readers
/// would hold all of them, and every read after them would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_take_too_long_leave_the_readers_free() {
    if is_postgres() {
        return;
    }
    let url = fresh_sqlite();
    let options = StoreOptions {
        read_timeout: Duration::from_millis(500),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&url, options).await.unwrap();
    store.migrate().await.unwrap();
    let desk = slow_desk(&store).await;
    let scope = desk.scope.read();
    let (slow, all) = (slow(), Filter::All(Vec::new()));

    let long = join_all((0..2 * READERS).map(async |_| {
        let tx = ReadTx::new(&store);
        actions::count(&tx, scope, None, &slow).await
    }));
    let refused: Vec<_> = timeout(Duration::from_secs(60), long).await.unwrap();
    let refused: Vec<_> = refused.into_iter().map(Result::unwrap_err).collect();
    // Those that found no reader in time are told that the database is busy.
    let ended = refused.iter().filter(|error| error.code() == Code::Timeout);
    assert!(ended.count() >= READERS, "{refused:?}");
    for error in &refused {
        let code = match error.code() {
            Code::Timeout => Code::Timeout,
            _ => Code::ServiceUnavailable,
        };
        assert_refused(error, code);
    }

    // Each of these keeps its reader until all have answered, so all readers are free.
    let readers: Vec<_> = (0..READERS).map(|_| ReadTx::new(&store)).collect();
    let short = join_all(
        readers
            .iter()
            .map(|tx| actions::count(tx, scope, None, &all)),
    );
    for counted in timeout(options.acquire_timeout, short).await.unwrap() {
        assert_eq!(counted.unwrap(), 1_000);
    }
    drop(readers);
    store.close().await;
}

/// Columns of millions of facts take longer to read in than any question may: what the program reads for itself goes on
/// where a question would have been ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_waits_for_may_last() {
    if is_postgres() {
        return;
    }
    let options = StoreOptions {
        read_timeout: Duration::from_millis(200),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&fresh_sqlite(), options).await.unwrap();
    store.migrate().await.unwrap();
    let scope = slow_desk(&store).await.scope.read();
    for (tx, may_last) in [
        (ReadTx::unhurried(&store), true),
        (ReadTx::new(&store), false),
    ] {
        let all = Filter::All(Vec::new());
        assert_eq!(actions::count(&tx, scope, None, &all).await.unwrap(), 1_000);
        tokio::time::sleep(2 * options.read_timeout).await;
        match actions::count(&tx, scope, None, &searches(2)).await {
            Ok(found) => assert!(may_last && found == 0, "{found}"),
            Err(error) => assert!(!may_last && error.code() == Code::Timeout, "{error}"),
        }
    }
    store.close().await;
}
