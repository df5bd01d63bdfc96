//! Keeps accounts of the network current, side by side: a loop around the steps of each ([`Sync::tick`]).
//!
//! Here is all the waiting that a sync does. A step is never torn: who stops waits for its end, as long as told. While it
//! is under way, the account's lease is renewed beside it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{lasting, present};
use crate::clock::Clock;
use crate::domain::error::Error;
use crate::domain::sync::{AccountState, Feed, Freshness};
use crate::domain::time::Instant;
use crate::ingest::admitad::tick::{Outcome, Sync};
use crate::telemetry::{Metrics, SyncGauges};

/// The longest nap, so that a lease is renewed in time and a lost one is noticed.
const NAP: Duration = Duration::from_secs(8);
/// The pause between two renewals of the lease while a step is under way.
const SIGN: Duration = Duration::from_secs(8);
/// The first and the longest pause after a fault of the database.
const DATABASE_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Who is told what the steps do.
pub trait Watch {
    /// A step ended.
    fn stepped(&self, sync: &Sync, outcome: &Outcome);
    /// How an account stands, told when it has nothing more to do for now and after a fault.
    fn stands(&self, sync: &Sync, state: &AccountState, now: Instant);
    /// The database failed.
    fn database(&self, sync: &Sync, error: &Error);
}

/// Keeps accounts current until `stop` says so, then lets running steps end for as long as `patience`.
pub async fn run(
    syncs: &mut [Sync],
    clock: &Clock,
    watch: &dyn Watch,
    stop: watch::Receiver<bool>,
    patience: Duration,
) {
    {
        let all = join_all(syncs.iter_mut().map(|sync| {
            let stop = stop.clone();
            lasting("an account is kept current", async move || {
                keep(sync, clock, watch, stop.clone()).await;
            })
        }));
        let mut stopped = stop.clone();
        tokio::select! {
            _ = all => {}
            () = async { told(&mut stopped).await; sleep(patience).await } => {
                tracing::warn!("a step of the sync does not end; leaving without it");
            }
        }
    }
    for sync in syncs {
        if let Err(error) = sync.release(present(clock)).await {
            watch.database(sync, &error);
        }
    }
}

async fn keep(sync: &mut Sync, clock: &Clock, watch: &dyn Watch, mut stop: watch::Receiver<bool>) {
    let mut faults = 0;
    while !*stop.borrow() {
        let nap = match step(sync, clock, watch).await {
            Ok(nap) => {
                faults = 0;
                nap
            }
            Err(error) => {
                watch.database(sync, &error);
                let (first, longest) = DATABASE_PAUSE;
                let pause = first.saturating_mul(1 << faults.min(6)).min(longest);
                faults += 1;
                pause
            }
        };
        if !nap.is_zero() {
            tokio::select! {
                () = sleep(nap) => {}
                () = told(&mut stop) => {}
            }
        }
    }
}

/// One step, told to whoever watches; gives how long to wait for the next.
async fn step(sync: &mut Sync, clock: &Clock, watch: &dyn Watch) -> Result<Duration, Error> {
    let now = present(clock);
    let outcome = tick(sync, clock, now).await?;
    watch.stepped(sync, &outcome);
    let until = match outcome {
        Outcome::Worked(_) | Outcome::LeftOut { .. } => None,
        Outcome::Paced(until) => Some(until),
        Outcome::Failed { .. } => {
            watch.stands(sync, &sync.state().await?, now);
            None
        }
        Outcome::Wait(until) | Outcome::Elsewhere(until) => {
            watch.stands(sync, &sync.state().await?, now);
            Some(until)
        }
    };
    Ok(until.map_or(Duration::ZERO, |until| nap(now, until)))
}

/// A step with its lease held until it ends: it may wait long for the network, and for its turn to write.
async fn tick(sync: &mut Sync, clock: &Clock, now: Instant) -> Result<Outcome, Error> {
    let keeper = sync.keeper();
    let mut step = pin!(sync.tick(now));
    loop {
        // Both go on side by side: they may wait for the same connection.
        let renewed = async {
            sleep(SIGN).await;
            keeper.renew(present(clock)).await
        };
        tokio::select! {
            outcome = &mut step => return outcome,
            renewed = renewed => {
                if let Err(error) = renewed {
                    // The database may be back before the lease runs out; if not, the step tells of it.
                    tracing::debug!("a lease could not be renewed: {error}");
                }
            }
        }
    }
}

/// How long to wait until a point, at most a nap and at least a moment.
fn nap(now: Instant, until: Instant) -> Duration {
    let wait = u64::try_from(until.micros() - now.micros()).unwrap_or(0);
    Duration::from_micros(wait).clamp(Duration::from_millis(5), NAP)
}

/// Ends when `stop` says so, or nobody can say so any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if stop.changed().await.is_err() {
            return;
        }
    }
}

/// Logs what the steps do, and measures how the accounts stand.
pub struct Measured<'a>(pub &'a Metrics);

impl Watch for Measured<'_> {
    fn stepped(&self, sync: &Sync, outcome: &Outcome) {
        let (publisher, account) = (sync.publisher().slug.as_str(), sync.account());
        match outcome {
            Outcome::Worked(work) => {
                self.0.sync_step("worked");
                for (outcome, records) in [
                    ("inserted", work.inserted),
                    ("updated", work.updated),
                    ("deleted", work.deleted),
                    ("rejected", work.rejected),
                ] {
                    if records > 0 {
                        self.0.imported(outcome, records);
                    }
                }
                tracing::debug!(
                    publisher,
                    account,
                    what = work.what,
                    page = work.page,
                    pages = work.pages,
                    read = work.read,
                    inserted = work.inserted,
                    updated = work.updated,
                    deleted = work.deleted,
                    rejected = work.rejected,
                    "synced"
                );
            }
            Outcome::Failed { feed, message, .. } => {
                self.0.sync_step("failed");
                tracing::warn!(publisher, account, feed = feed.words(), "{message}");
            }
            Outcome::LeftOut { message, .. } => {
                self.0.sync_step("left_out");
                tracing::info!(publisher, account, "{message}");
            }
            Outcome::Elsewhere(_) => self.0.sync_step("elsewhere"),
            Outcome::Paced(_) | Outcome::Wait(_) => {}
        }
    }

    fn stands(&self, sync: &Sync, state: &AccountState, now: Instant) {
        let seconds = |at: Option<Instant>| at.map_or(0, |at| at.micros() / 1_000_000);
        let faults = state.feeds.values().map(|feed| feed.failures).max();
        let gauges = SyncGauges {
            known_until: seconds(state.known_until()),
            last_success: seconds(state.last_success()),
            next_run: seconds(state.next_run()),
            failures: i64::from(state.failures.max(faults.unwrap_or(0))),
        };
        let names = (sync.publisher().slug.as_str(), sync.account());
        let states = Freshness::ALL.map(Freshness::as_str);
        let state = state.freshness(now).as_str();
        self.0.synced(names, gauges, state, &states);
    }

    fn database(&self, sync: &Sync, error: &Error) {
        let cause = error.cause().map(ToString::to_string);
        let (publisher, account) = (sync.publisher().slug.as_str(), sync.account());
        tracing::warn!(
            publisher,
            account,
            cause,
            "a step of the sync could not be stored: {error}"
        );
    }
}

/// Why reading an account once did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Something is wrong, in words for people.
    Failed(Vec<String>),
    /// Another server fetches the account.
    Elsewhere,
    /// It was told to stop.
    Stopped,
}

/// How often a passing fault of a feed is waited for before reading once gives up.
const PATIENCE: u32 = 5;

/// Reads everything of an account that is due, once.
///
/// # Errors
/// When the database fails; what else went wrong is in the answer.
pub async fn once(
    sync: &mut Sync,
    clock: &Clock,
    watch: &dyn Watch,
    mut stop: watch::Receiver<bool>,
) -> Result<Result<(), Unfinished>, Error> {
    let mut wrong: Vec<String> = Vec::new();
    // Of each feed: that others go on says nothing of one that fails for good.
    let mut faults: BTreeMap<Feed, u32> = BTreeMap::new();
    let ended = loop {
        if *stop.borrow() {
            break Err(Unfinished::Stopped);
        }
        let now = present(clock);
        let outcome = tick(sync, clock, now).await?;
        watch.stepped(sync, &outcome);
        let until = match outcome {
            // What is left out is said, and is no fault.
            Outcome::LeftOut { .. } => continue,
            Outcome::Worked(work) => {
                faults.remove(&work.feed);
                continue;
            }
            Outcome::Failed {
                feed,
                message,
                is_stopped,
            } => {
                let faults = faults.entry(feed).or_default();
                *faults += 1;
                if is_stopped {
                    wrong.push(message);
                } else if *faults > PATIENCE {
                    wrong.push(message);
                    break Err(Unfinished::Failed(wrong));
                }
                continue;
            }
            Outcome::Elsewhere(_) => break Err(Unfinished::Elsewhere),
            Outcome::Paced(until) => until,
            Outcome::Wait(until) => {
                let state = sync.state().await?;
                watch.stands(sync, &state, now);
                match state.retry_at(now) {
                    // What stopped waits for a person, not for us.
                    Some(at) if wrong.is_empty() => at,
                    _ if wrong.is_empty() => break Ok(()),
                    Some(at) if state.paused_until.is_none() => at.min(until),
                    _ => break Err(Unfinished::Failed(wrong)),
                }
            }
        };
        tokio::select! {
            () = sleep(nap(now, until)) => {}
            () = told(&mut stop) => {}
        }
    };
    sync.release(present(clock)).await?;
    Ok(ended)
}
