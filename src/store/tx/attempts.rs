//! How often a write is tried, and how long it waits for a database that cannot be reached.

use super::super::connect::Store;
use super::super::error::{from_db, is_conflict, is_lost};
use super::WriteTx;
use crate::domain::error::{Code, Result};
use sea_orm::DbErr;
use std::time::Duration;

/// How often a write is tried when another writer is in its way or its connection breaks.
const ATTEMPTS: u32 = 5;
/// How long a patient writer waits first for a database that cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long it waits at most between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where a write failed: what another attempt is worth depends on it.
enum Failed<T> {
    /// Before the commit was sent: nothing of it can be stored.
    Before(DbErr),
    /// At the commit, and what the write would have given.
    AtCommit(DbErr, T),
}

impl<T> Failed<T> {
    fn is_worth_another(&self) -> bool {
        match self {
            Self::Before(error) => is_conflict(error) || is_lost(error),
            // Where the connection broke at the commit, or nothing answered it, the write may be stored: run again, it would
            // count twice.
            Self::AtCommit(error, _) => is_conflict(error),
        }
    }

    fn error(&self) -> &DbErr {
        match self {
            Self::Before(error) | Self::AtCommit(error, _) => error,
        }
    }

    fn into_error(self) -> DbErr {
        match self {
            Self::Before(error) | Self::AtCommit(error, _) => error,
        }
    }
}

/// The pauses of a patient writer while the database cannot be reached: doubling, until its patience is spent.
#[derive(Debug)]
struct Pauses {
    next: Duration,
    left: Duration,
}

impl Pauses {
    fn new(patience: Duration) -> Self {
        Self {
            next: FIRST_PAUSE,
            left: patience,
        }
    }

    /// Waits, unless there is no patience left; tells whether another attempt is in order.
    async fn pause(&mut self, error: &DbErr) -> bool {
        let is_away = from_db(error).code() == Code::ServiceUnavailable;
        if !is_away || self.left.is_zero() {
            return false;
        }
        let pause = self.next.min(self.left);
        tracing::warn!(%error, seconds_left = self.left.as_secs(), "the database cannot be reached; waiting for it");
        tokio::time::sleep(pause).await;
        self.left -= pause;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

impl Store {
    /// Runs `work` in one write transaction and commits it. When another writer was in its way, or its connection broke
    /// before the commit, the whole of it is run again, so it must do nothing but read and write through its
    /// transaction. A [patient](Self::patient) store also waits for a database that cannot be reached.
    ///
    /// # Errors
    /// What `work` or the commit failed with; then nothing of it is stored. Only when the connection to a PostgreSQL
    /// server breaks at the commit itself, or the commit is not answered, nobody knows: that is `SERVICE_UNAVAILABLE`, and
    /// what is sent again is merged with what is stored.
    pub(in crate::store) async fn write<T>(
        &self,
        work: impl AsyncFn(&WriteTx) -> Result<T, DbErr>,
    ) -> Result<T> {
        let mut pauses = Pauses::new(self.patience());
        loop {
            let error = match self.write_at_once(&work).await {
                Ok(value) => return Ok(value),
                Err(Failed::Before(error)) => error,
                Err(Failed::AtCommit(error, _)) => return Err(from_db(&error)),
            };
            if !pauses.pause(&error).await {
                return Err(from_db(&error));
            }
        }
    }

    /// Like [`Self::write`], for a writer that can tell whether a write is stored whose commit was not answered:
    /// `is_stored` looks for what `work` gave, in a transaction of its own.
    pub(in crate::store) async fn write_once<T>(
        &self,
        work: impl AsyncFn(&WriteTx) -> Result<T, DbErr>,
        is_stored: impl AsyncFn(&WriteTx, &T) -> Result<bool, DbErr>,
    ) -> Result<T> {
        let mut pauses = Pauses::new(self.patience());
        let mut doubtful: Option<T> = None;
        loop {
            let failed = match doubtful.take() {
                None => self.write_at_once(&work).await,
                Some(value) => match self
                    .write_at_once(&async |tx: &WriteTx| is_stored(tx, &value).await)
                    .await
                {
                    Ok(true) => Ok(value),
                    Ok(false) => continue,
                    // The look itself changed nothing, wherever it failed.
                    Err(failed) => Err(Failed::AtCommit(failed.into_error(), value)),
                },
            };
            let failed = match failed {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if !pauses.pause(failed.error()).await {
                return Err(from_db(failed.error()));
            }
            if let Failed::AtCommit(_, value) = failed {
                doubtful = Some(value);
            }
        }
    }

    /// A few attempts without a pause.
    async fn write_at_once<T>(
        &self,
        work: &impl AsyncFn(&WriteTx) -> Result<T, DbErr>,
    ) -> Result<T, Failed<T>> {
        let mut attempt = 1;
        loop {
            let failed = match self.try_write(work).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if attempt >= ATTEMPTS || !failed.is_worth_another() {
                return Err(failed);
            }
            tracing::debug!(attempt, error = %failed.error(), "a write runs again");
            attempt += 1;
        }
    }

    async fn try_write<T>(
        &self,
        work: &impl AsyncFn(&WriteTx) -> Result<T, DbErr>,
    ) -> Result<T, Failed<T>> {
        let tx = WriteTx::begin(self).await.map_err(Failed::Before)?;
        match work(&tx).await {
            Ok(value) => match tx.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(Failed::AtCommit(error, value)),
            },
            Err(error) => {
                tx.undo().await;
                Err(Failed::Before(error))
            }
        }
    }
}
