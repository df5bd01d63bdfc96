//! What nobody waits for any more is ended at the database, not only forgotten here.

use super::*;
use crate::store::StoreOptions;

/// A statement that takes for ever on either database.
fn endless(tx: &ReadTx) -> Sql {
    let mut sql = tx.sql();
    sql.push(match tx.backend() {
        DbBackend::Sqlite => {
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) AS c FROM n WHERE x < 0"
        }
        _ => "SELECT CAST(1 AS BIGINT) AS c FROM pg_sleep(600)",
    });
    sql
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own choice of a database"
)]
fn url(folder: &tempfile::TempDir) -> String {
    match std::env::var("TEST_BACKEND").as_deref() {
        Ok("postgres") => std::env::var("TEST_POSTGRES_URL").unwrap(),
        _ => format!("sqlite://{}/t.db?mode=rwc", folder.path().display()),
    }
}

/// More reads than there are connections, each left alone while the database works on it: if one went on, the next
/// reader would find no connection.
#[tokio::test]
async fn a_read_that_nobody_waits_for_gives_its_connection_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        read_timeout: Duration::from_secs(300),
        acquire_timeout: Duration::from_secs(20),
        connections: 2,
        ..StoreOptions::default()
    };
    let store = Store::open_with(&url(&folder), options).await.unwrap();
    for _ in 0..6 {
        let tx = ReadTx::new(&store);
        // A batch of a loader holds the transaction beyond the request.
        let held = tx.clone();
        let batch = tokio::runtime::Handle::current().spawn(async move {
            let sql = endless(&held);
            held.rows(sql).await
        });
        while tx.reading.running.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        drop(tx.cancel_on_drop());
        assert!(batch.await.unwrap().is_err());
        let mut more = tx.sql();
        more.push("SELECT 1 AS c");
        assert!(tx.rows(more).await.is_err(), "nothing more is read");
    }
    let tx = ReadTx::new(&store);
    let watch = tx.cancel_on_drop();
    let mut sql = tx.sql();
    sql.push("SELECT 1 AS c");
    assert_eq!(tx.rows(sql).await.unwrap().len(), 1);
    watch.done();
    let mut sql = tx.sql();
    sql.push("SELECT 2 AS c");
    assert_eq!(tx.rows(sql).await.unwrap().len(), 1);
}

/// Work of the program itself may take longer than any question, and does not take for ever.
#[tokio::test]
async fn a_patient_read_has_a_time_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        read_timeout: Duration::from_millis(200),
        acquire_timeout: Duration::from_secs(20),
        connections: 2,
        ..StoreOptions::default()
    };
    let store = Store::open_with(&url(&folder), options).await.unwrap();
    let slow = |tx: &ReadTx| {
        let mut sql = tx.sql();
        sql.push(match tx.backend() {
            DbBackend::Sqlite => {
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 8000000) SELECT COUNT(*) AS c FROM n"
            }
            _ => "SELECT CAST(1 AS BIGINT) AS c FROM pg_sleep(2)",
        });
        sql
    };
    let question = ReadTx::new(&store);
    let error = question.rows(slow(&question)).await.unwrap_err();
    assert_eq!(error.code(), Code::Timeout, "{error:?}");
    let patient = ReadTx::patient(&store, Duration::from_secs(300));
    assert_eq!(patient.rows(slow(&patient)).await.unwrap().len(), 1);
    drop((question, patient));
    // More of them than there are connections: each that takes too long gives its own back.
    for _ in 0..6 {
        let tx = ReadTx::patient(&store, Duration::from_millis(100));
        let error = tx.rows(endless(&tx)).await.unwrap_err();
        assert_eq!(error.code(), Code::Timeout, "{error:?}");
    }
}
