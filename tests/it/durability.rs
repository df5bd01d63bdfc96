//! A write that was acknowledged is stored, one that was refused is not, and nothing else ends the writing: full disks,
//! other writers, broken connections, requests that go away, processes that are killed.
//!
//! Not here: what a batch means (`domain::action`, `store::apply`).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

mod cut;
mod frozen;
mod full_disk;
mod killed;
mod large;
mod long;
mod lost;
mod restarted;
mod writers;

use crate::support::db::eventually;
use crate::support::drafts::{item_called, sale};
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::draft::{ActionDraft, CategoryRef};
use actiongraph::domain::error::{Code, Error, Result};
use actiongraph::domain::filter::Filter;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::store::apply::{Applied, Batch, apply};
use actiongraph::store::imports::{NewRun, begin};
use actiongraph::store::{ReadTx, Store, actions, publishers};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

/// 2026-01-01.
const START: i64 = 1_767_225_600_000_000;
/// How many cart items each action of these tests has.
const ITEMS: i64 = 2;

/// The instant so many seconds after the start.
fn at(seconds: i64) -> Instant {
    Instant::from_micros(START + seconds * 1_000_000).unwrap()
}

/// An action with two items; `version` says how new its state is.
fn draft(external_id: &str, version: i64) -> ActionDraft {
    let mut draft = sale(external_id, at(0));
    draft.standing.reward_e4 = 21_000;
    draft.standing.status_updated_at = Some(at(version));
    (draft.stamp.changed_at, draft.stamp.observed_at) = (at(version), at(version));
    draft.slots = BTreeMap::from([
        (Slot::OrderAmount, SlotValue::Number(300_000)),
        (Slot::Subid1, SlotValue::Text("user-1".to_owned())),
    ]);
    draft.items = (1..=ITEMS)
        .map(|number| {
            let product = format!("{}", 1000 + number);
            let mut item = item_called(&product, &format!("Cable {number}"));
            item.category = Some(CategoryRef::with_id("7".to_owned(), None));
            (item.amount_e4, item.reward_e4) = (100_000 * number, 7_000 * number);
            item
        })
        .collect();
    draft
}

/// A publisher in a store, and an import run to write under.
#[derive(Clone)]
struct Desk {
    store: Store,
    scope: WriteScope,
    run: Uuid,
}

impl Desk {
    async fn new(store: &Store, slug: &str) -> Self {
        let publisher = publishers::create(store, slug, slug, Zone::UTC, Currency::USD, at(0))
            .await
            .unwrap();
        let scope = WriteScope::for_entrance(publisher.id);
        let run = NewRun {
            id: Uuid::from_u128(u128::from(next()) + 1),
            entrance: "FILE",
            name: "test".to_owned(),
            started_at: at(0),
            as_of: at(0),
        };
        begin(store, scope, &run).await.unwrap();
        Self {
            store: store.clone(),
            scope,
            run: run.id,
        }
    }

    /// The same publisher and run through another store of the same database.
    fn through(&self, store: &Store) -> Self {
        Self {
            store: store.clone(),
            ..self.clone()
        }
    }

    async fn put(&self, drafts: &[ActionDraft]) -> Result<Applied> {
        let batch = Batch {
            run_id: self.run,
            drafts,
            deletions: &[],
            rejects: &[],
            rejected_before: 0,
            sync: None,
            bytes_read: None,
            now: at(1),
        };
        apply(&self.store, self.scope, batch).await
    }

    /// Writes a batch of new actions.
    async fn put_new(&self, batch: &str, size: usize) -> Result<Applied> {
        self.put(&named(batch, size)).await
    }

    /// Notes that a run begins, under a name of some length: one row, written by a statement of its own.
    async fn note(&self, name: &str) -> Result<()> {
        let run = NewRun {
            id: Uuid::from_u128(u128::from(next()) + 1),
            entrance: "FILE",
            name: name.to_owned(),
            started_at: at(0),
            as_of: at(0),
        };
        begin(&self.store, self.scope, &run).await
    }

    async fn count(&self) -> Result<i64> {
        let tx = ReadTx::new(&self.store);
        actions::count(&tx, self.scope.read(), None, &Filter::All(Vec::new())).await
    }
}

/// The drafts of a batch: `batch/0`, `batch/1`, …
fn named(batch: &str, size: usize) -> Vec<ActionDraft> {
    (0..size)
        .map(|number| draft(&format!("{batch}/{number}"), 0))
        .collect()
}

fn next() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A connection past the store, as another program would have it.
#[expect(
    clippy::disallowed_methods,
    reason = "what others do to the database is done past the store"
)]
async fn outside(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap();
}

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// Asserts that SQLite finds no fault in a file.
async fn assert_sound(db: &DatabaseConnection) {
    assert_eq!(texts(db, "PRAGMA integrity_check").await, ["ok"]);
    let dangling = Statement::from_string(db.get_database_backend(), "PRAGMA foreign_key_check");
    assert!(db.query_all_raw(dangling).await.unwrap().is_empty());
}

/// Asserts that exactly these batches are stored, each whole, and that the run's counters and the change log say so.
async fn assert_stored(
    db: &DatabaseConnection,
    desk: &Desk,
    batches: &BTreeSet<String>,
    size: usize,
) {
    let publisher = desk.scope.publisher().0;
    let stored: BTreeSet<String> = texts(
        db,
        &format!("SELECT external_id FROM actions WHERE publisher_id = {publisher}"),
    )
    .await
    .into_iter()
    .collect();
    let wanted: BTreeSet<String> = batches
        .iter()
        .flat_map(|batch| (0..size).map(move |number| format!("{batch}/{number}")))
        .collect();
    let lost = wanted.difference(&stored).count();
    assert_eq!(lost, 0, "acknowledged and not stored, of {}", wanted.len());
    let extra: Vec<_> = stored.difference(&wanted).take(5).collect();
    assert!(extra.is_empty(), "refused and stored: {extra:?}");
    assert_whole(db, desk).await;
}

/// Asserts that the stored actions have their items, states and log entries, and that the counters of all runs are what
/// the rows are, where no action was sent twice.
async fn assert_whole(db: &DatabaseConnection, desk: &Desk) {
    let publisher = desk.scope.publisher().0;
    let count = async |what: &str| {
        number(
            db,
            &format!(
                "SELECT CAST({what} AS bigint) FROM actions a WHERE a.publisher_id = {publisher}"
            ),
        )
        .await
    };
    let actions = count("COUNT(*)").await;
    for (what, of) in [
        ("action_items", ITEMS),
        ("action_states", 1),
        ("action_changes", 1),
    ] {
        let rows = number(
            db,
            &format!("SELECT COUNT(*) FROM {what} WHERE publisher_id = {publisher}"),
        )
        .await;
        assert_eq!(rows, actions * of, "{what} of {actions} actions");
    }
    for (what, rows) in [
        ("SUM(read_count)", actions),
        ("SUM(inserted_count)", actions),
    ] {
        let counted = number(
            db,
            &format!(
                "SELECT CAST({what} AS bigint) FROM import_runs WHERE publisher_id = {publisher}"
            ),
        )
        .await;
        assert_eq!(counted, rows, "{what}");
    }
    let newest = number(
        db,
        &format!("SELECT change_seq FROM publisher_states WHERE publisher_id = {publisher}"),
    )
    .await;
    assert_eq!(newest, actions, "the change log has no gap");
}

/// Asserts an error's code, and that it tells nothing of the inside.
#[track_caller]
fn assert_refused(error: &Error, code: Code) {
    assert_eq!(error.code(), code, "{error:?}");
    let told = error.message().to_lowercase();
    for inside in [
        "sql",
        "database or disk",
        "lock",
        "pool",
        "timed out",
        "/",
        "_",
    ] {
        assert!(!told.contains(inside), "{told}");
    }
}
