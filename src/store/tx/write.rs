//! A write transaction, in which nothing is waited for without end: a server that was frozen, or whose machine is gone, does
//! not tell.

use super::super::connect::Store;
use super::super::error::silent;
use super::super::sql::Sql;
use super::Recorder;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    QueryResult, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// One write transaction.
#[derive(Debug)]
pub struct WriteTx {
    transaction: DatabaseTransaction,
    backend: DbBackend,
    recorder: Option<Recorder>,
    /// How long each answer of the database is waited for.
    time: Duration,
    /// How long the end of a transaction that failed is waited for.
    time_to_end: Duration,
    /// One was waited for in vain.
    is_silent: AtomicBool,
}

impl WriteTx {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is one of the files that begin transactions"
    )]
    pub(super) async fn begin(store: &Store) -> Result<Self, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let wait = store.options().acquire_timeout + store.options().lock_timeout;
        // The wait for the one writer and the wait for the lock of another process together.
        let transaction = timeout(wait, store.writer().begin_with_options(options))
            .await
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))??;
        Ok(Self {
            transaction,
            backend: store.backend(),
            recorder: store.recorder().cloned(),
            time: store.write_time(),
            time_to_end: store.options().acquire_timeout,
            is_silent: AtomicBool::new(false),
        })
    }

    /// A statement under construction, for this database.
    pub(in crate::store) fn sql(&self) -> Sql {
        Sql::new(self.backend)
    }

    /// Which database it is.
    pub(in crate::store) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Rows of an entity.
    pub(in crate::store) async fn models<E: EntityTrait>(
        &self,
        sql: Sql,
    ) -> Result<Vec<E::Model>, DbErr> {
        self.note(&sql);
        let rows = E::find().from_raw_sql(sql.statement());
        self.in_time(rows.all(&self.transaction)).await
    }

    /// Rows of any shape.
    pub(in crate::store) async fn rows(&self, sql: Sql) -> Result<Vec<QueryResult>, DbErr> {
        self.note(&sql);
        self.in_time(self.transaction.query_all_raw(sql.statement()))
            .await
    }

    /// Runs a statement; gives the number of rows it touched.
    pub(in crate::store) async fn execute(&self, sql: Sql) -> Result<u64, DbErr> {
        self.note(&sql);
        let done = self.in_time(self.transaction.execute_raw(sql.statement()));
        Ok(done.await?.rows_affected())
    }

    /// Waits for a statement's answer as long as one may take.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        match timeout(self.time, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.is_silent.store(true, Ordering::Relaxed);
                Err(silent(self.time))
            }
        }
    }

    /// Commits. Where a server does not answer that, nobody knows whether it is done. SQLite is no server that could fall
    /// silent: it may fold its log into the file, which takes a while when much was written, and then it is done.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        if self.backend == DbBackend::Sqlite {
            return self.transaction.commit().await;
        }
        timeout(self.time, self.transaction.commit())
            .await
            .unwrap_or_else(|_| Err(silent(self.time)))
    }

    /// Ends what failed. A database that did not answer is not asked once more: the connection goes back to the pool as it
    /// is, which closes it when nothing comes of it soon.
    pub(super) async fn undo(self) {
        if self.is_silent.load(Ordering::Relaxed) {
            return;
        }
        // A failed rollback leaves the connection inside the transaction; the pool then throws it away.
        match timeout(self.time_to_end, self.transaction.rollback()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the database had rolled back already"),
            Err(_) => tracing::debug!("the database does not say that it has rolled back"),
        }
    }

    fn note(&self, sql: &Sql) {
        if let Some(recorder) = &self.recorder {
            recorder.note(sql.text());
        }
    }
}
