//! How fresh the data is: of each entrance, and of each account that is fetched.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Object, SimpleObject};
use uuid::Uuid;

use super::import::ImportRun;
use super::words::{FreshnessState, SyncCondition, SyncFeed};
use crate::domain::action::SOURCE;
use crate::domain::records::RunState;
use crate::domain::sync::{self, AccountState, FeedState};
use crate::domain::time::Instant;
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::scalar::{DateTime, count};
use crate::graphql::siblings::siblings;
use crate::store;
use crate::store::imports::{by_ids, freshness, freshness_at_large};
use crate::store::sync::API;

/// How fresh the data of one source is.
pub struct SourceFreshness {
    now: Instant,
    entrance: String,
    last_success: Option<Instant>,
    newest: Option<Instant>,
    last_run: Option<ImportRun>,
    account: Option<AccountState>,
}

impl SourceFreshness {
    /// The freshness of all sources of the viewer's publisher.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn all(request: &Arc<RequestContext>) -> Result<Vec<Self>> {
        let (tx, scope) = (&request.tx, request.scope);
        if request.viewer.limits.rows() {
            let all = freshness_at_large(tx, scope).await?.into_iter();
            return Ok(all
                .map(|one| Self {
                    now: request.now,
                    entrance: one.entrance,
                    last_success: one.last_success,
                    newest: one.newest_data,
                    last_run: None,
                    account: None,
                })
                .collect());
        }
        let accounts = store::sync::accounts(tx, scope).await?;
        let mut entrances = freshness(tx, scope).await?;
        // What is fetched is told by account.
        entrances.retain(|one| one.entrance != API || accounts.is_empty());
        let latest: Vec<Option<Uuid>> = accounts.iter().map(last_run).collect();
        let ids: Vec<Uuid> = latest.iter().flatten().copied().collect();
        let fetched = if ids.is_empty() {
            Vec::new()
        } else {
            by_ids(tx, scope, &ids).await?
        };
        let known = entrances.iter().filter_map(|one| one.last_run.clone());
        let runs = siblings(known.chain(fetched).map(Arc::new));
        let runs: HashMap<Uuid, ImportRun> = runs.into_iter().map(|run| (run.id, run)).collect();
        let mut all: Vec<Self> = accounts
            .into_iter()
            .zip(latest)
            .map(|(account, run)| Self {
                now: request.now,
                entrance: API.to_owned(),
                last_success: account.last_success(),
                newest: account.known_until(),
                last_run: run.and_then(|run| runs.get(&run).cloned()),
                account: Some(account),
            })
            .collect();
        all.extend(entrances.into_iter().map(|one| Self {
            now: request.now,
            entrance: one.entrance,
            last_success: one.last_success,
            newest: one.newest_data,
            last_run: one.last_run.and_then(|run| runs.get(&run.id).cloned()),
            account: None,
        }));
        all.sort_by(|a, b| a.entrance.cmp(&b.entrance));
        Ok(all)
    }

    fn state(&self) -> sync::Freshness {
        match (&self.account, &self.last_run) {
            (Some(account), _) => account.freshness(self.now),
            (None, Some(run)) if run.state == RunState::Failed => sync::Freshness::Failing,
            (None, _) => sync::Freshness::OnDemand,
        }
    }
}

/// The run of an account's last attempt.
fn last_run(account: &AccountState) -> Option<Uuid> {
    let feeds = account.feeds.values().filter(|feed| feed.run_id.is_some());
    feeds.max_by_key(|feed| feed.last_attempt)?.run_id
}

/// How fresh the data of one source is: of an account that is fetched, or of what comes in by another entrance. A key that
/// is limited to some rows is told of each entrance how fresh its data is, and nothing of accounts, runs and faults.
#[Object]
impl SourceFreshness {
    /// The network.
    async fn source(&self) -> &str {
        SOURCE
    }

    /// The entrance through which the data came, such as "FILE"; "API" for an account that is fetched.
    async fn entrance(&self) -> &str {
        &self.entrance
    }

    /// The account's name in the configuration; null for what is not fetched.
    async fn account(&self) -> Option<&str> {
        self.account.as_ref().map(|one| one.account.as_str())
    }

    /// How fresh it is.
    #[graphql(name = "state")]
    async fn shown_state(&self) -> FreshnessState {
        self.state().into()
    }

    /// When a run last succeeded, all or in part or without a single record; of an account, when the current actions were
    /// last read completely. Null where none has.
    async fn last_success_at(&self) -> Option<DateTime> {
        self.last_success.map(DateTime)
    }

    /// The latest run.
    async fn last_run(&self) -> Option<ImportRun> {
        self.last_run.clone()
    }

    /// When it is read next; null for what is not fetched.
    async fn next_run_at(&self) -> Option<DateTime> {
        self.account.as_ref()?.next_run().map(DateTime)
    }

    /// What went wrong last and is not mended yet, with what to do about it; null where all is well.
    async fn last_error(&self) -> Option<&str> {
        match &self.account {
            Some(account) => account.error(),
            None => self.last_run.as_ref()?.error.as_deref(),
        }
    }

    /// The latest point in time whose state is known; null where there is none.
    async fn newest_data_at(&self) -> Option<DateTime> {
        self.newest.map(DateTime)
    }

    /// Seconds that have passed since the latest point in time whose state is known, at least 0; null where there is
    /// none.
    async fn lag_seconds(&self) -> Result<Option<i32>> {
        let seconds =
            |newest: Instant| count((self.now.micros() - newest.micros()).max(0) / 1_000_000);
        self.newest.map(seconds).transpose()
    }

    /// What is read of the account, each at its own pace; empty for what is not fetched.
    async fn feeds(&self) -> Vec<FeedFreshness> {
        let feeds = self.account.iter().flat_map(|account| &account.feeds);
        feeds
            .map(|(feed, state)| FeedFreshness::new(*feed, state))
            .collect()
    }
}

/// How far a feed of an account has come.
#[derive(Clone, Debug, SimpleObject)]
pub struct FeedFreshness {
    /// Which.
    feed: SyncFeed,
    /// How it stands.
    condition: SyncCondition,
    /// Everything up to here is in; of the first read of everything, everything from here on.
    known_at: Option<DateTime>,
    /// The last attempt.
    last_attempt_at: Option<DateTime>,
    /// The end of the last complete read; of the first read of everything, of its last part.
    last_success_at: Option<DateTime>,
    /// When it is read next; null for never.
    next_run_at: Option<DateTime>,
    /// Faults in a row.
    failures: i32,
    /// The last fault, with what to do about it; null where the last attempt went well.
    last_error: Option<String>,
}

impl FeedFreshness {
    fn new(feed: sync::Feed, state: &FeedState) -> Self {
        Self {
            feed: feed.into(),
            condition: state.condition.into(),
            known_at: state.watermark.map(DateTime),
            last_attempt_at: state.last_attempt.map(DateTime),
            last_success_at: state.last_success.map(DateTime),
            next_run_at: state.next_run.map(DateTime),
            failures: i32::try_from(state.failures).unwrap_or(i32::MAX),
            last_error: state.last_error.clone(),
        }
    }
}
