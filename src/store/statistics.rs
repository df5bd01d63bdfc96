//! The planner's statistics, kept up with tables that grow.
//!
//! PostgreSQL keeps the plans of prepared statements and of foreign keys. One that was made while a table was empty can walk
//! an index of thousands of rows for each row that it looks for, until something analyzes the table: its own housekeeping
//! looks once a minute. So whoever writes has the keys analyzed whenever the tables have grown to twice what they were.
//! SQLite prefers a whole key without statistics, and is analyzed after large imports alone.

use super::connect::Store;
use super::error::{from_db, silent};
use crate::domain::error::Result;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How many new actions are worth a first look.
const FIRST: i64 = 500;

/// How large the tables of facts are, and that their keys are unique: what a plan for one row needs. All columns of all
/// tables would take ten times as long.
const ANALYZE_KEYS: &str = "ANALYZE actions (publisher_id, id), action_items (publisher_id, action_id, ordinal), \
     action_states (publisher_id, action_id, state_id), action_changes (publisher_id, seq), users (publisher_id, id), \
     products (publisher_id, id), user_lifetimes (publisher_id, user_id), product_lifetimes (publisher_id, product_id)";

/// How long `ANALYZE` is waited for: all of a large database is read for some minutes, and a server that hangs does not tell.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What this process adds, and whether it is time to look at the statistics.
#[derive(Debug, Default)]
pub(super) struct Growth {
    added: Mutex<Added>,
    is_time: Notify,
}

#[derive(Debug)]
struct Added {
    /// Actions so far.
    actions: i64,
    /// With how many it is time to look.
    due: i64,
}

impl Default for Added {
    fn default() -> Self {
        Self {
            actions: 0,
            due: FIRST,
        }
    }
}

impl Growth {
    fn with<T>(&self, look: impl FnOnce(&mut Added) -> T) -> T {
        // Two numbers are sound whoever failed while it held them.
        look(&mut self.added.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts actions that were added.
    fn add(&self, inserted: i64) {
        let is_time = self.with(|added| {
            added.actions = added.actions.saturating_add(inserted);
            added.actions >= added.due
        });
        if is_time {
            self.is_time.notify_one();
        }
    }

    /// How many actions were added, if it is time to look; then it is no more until there are twice as many.
    fn take(&self) -> Option<i64> {
        self.with(|added| {
            let is_time = added.actions >= added.due;
            if is_time {
                added.due = added.actions.saturating_mul(2);
            }
            is_time.then_some(added.actions)
        })
    }

    /// It is not time before so many more are added.
    fn wait(&self, more: i64) {
        self.with(|added| added.due = added.due.max(added.actions.saturating_add(more)));
    }
}

impl Store {
    /// Refreshes the planner's statistics, after much was written.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn analyze(&self) -> Result<()> {
        let statement = match self.backend() {
            DbBackend::Sqlite => "PRAGMA analysis_limit = 1000; ANALYZE",
            _ => "ANALYZE",
        };
        self.run(statement).await
    }

    async fn run(&self, statement: &str) -> Result<()> {
        let ran = timeout(LONGEST, self.writer().execute_unprepared(statement)).await;
        let ran = ran.unwrap_or_else(|_| Err(silent(LONGEST)));
        ran.map(|_| ()).map_err(|error| from_db(&error))
    }

    /// Counts actions that were just committed.
    pub(super) fn has_grown(&self, inserted: i64) {
        if self.backend() != DbBackend::Sqlite {
            self.grown().add(inserted);
        }
    }

    /// Waits until it is time to look at the statistics.
    pub async fn growth(&self) {
        self.grown().is_time.notified().await;
    }

    /// Has the keys of facts analyzed, if actions that were added made them twice as large. A failure is logged: the facts are
    /// stored, only plans are worse until the next time.
    pub async fn keep_statistics(&self) {
        let Some(added) = self.grown().take() else {
            return;
        };
        if let Err(error) = self.look(added).await {
            let cause = error.cause().map(ToString::to_string);
            tracing::warn!(
                cause,
                "the planner's statistics are as old as before: {error}"
            );
        }
    }

    /// Analyzes the keys, unless what they are known to have is more than what was added.
    async fn look(&self, added: i64) -> Result<()> {
        let mut known = self.known().await?;
        if known < added {
            self.run(ANALYZE_KEYS).await?;
            known = self.known().await?;
        }
        self.grown().wait(known);
        Ok(())
    }

    /// How many actions there are according to the statistics; -1 where there are none yet.
    async fn known(&self) -> Result<i64> {
        let sql = "SELECT CAST(reltuples AS bigint) AS n FROM pg_class WHERE oid = to_regclass('actions')";
        let asked = Statement::from_string(self.backend(), sql);
        let time = self.write_time();
        let row = timeout(time, self.writer().query_one_raw(asked))
            .await
            .unwrap_or_else(|_| Err(silent(time)))
            .map_err(|error| from_db(&error))?;
        row.map_or(Ok(-1), |row| row.try_get("", "n"))
            .map_err(|error| from_db(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_looked_at_whenever_it_has_doubled() {
        let growth = Growth::default();
        let looks = (0..100).filter_map(|_| {
            growth.add(100);
            growth.take()
        });
        assert_eq!(
            looks.collect::<Vec<i64>>(),
            [500, 1_000, 2_000, 4_000, 8_000]
        );
    }

    #[test]
    fn a_large_table_that_was_there_is_not_looked_at_for_little() {
        let growth = Growth::default();
        growth.add(FIRST);
        assert_eq!(growth.take(), Some(FIRST));
        growth.wait(1_000_000);
        growth.add(999_999);
        assert_eq!(growth.take(), None);
        growth.add(1);
        assert_eq!(growth.take(), Some(1_000_500));
    }
}
