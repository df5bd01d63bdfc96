//! What a server does beside answering: steps that are called again and again, each of which ends by itself.
//!
//! A step ([`upkeep::tick`], [`Sync::tick`](crate::ingest::admitad::tick::Sync::tick)) is a function that tests call;
//! the loops around them are here. Not here: what a step does with facts and totals (`store`), and what is fetched
//! (`ingest`).

pub mod columns;
pub mod imports;
pub mod links;
pub mod sync;
pub mod token_keys;
pub mod upkeep;
pub mod users;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use crate::clock::Clock;
use crate::domain::error::{Error, Result};
use crate::domain::time::Instant;
use crate::ingest::inbox::Writer;
use crate::store::Store;
use crate::telemetry::{self, Metrics};
use imports::{Reader, Reads};

/// The pause between two looks for runs whose process is gone.
const ROUNDS: Duration = Duration::from_secs(600);

/// The pause between two looks for rejected records that are kept no longer.
const KEEPING: Duration = Duration::from_secs(3_600);

/// How what is done in the background is done.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// The pause between two slices of totals; none for never.
    pub verify_every: Option<Duration>,
    /// How long rejected records are kept; none for ever.
    pub rejects_kept: Option<Duration>,
}

/// How long is waited before what has panicked begins anew: what panics at once must not do nothing else.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// Does something in the background to its end, whatever happens inside: all of it lies in one future, which a panic would end
/// with the process. What panics is told, and begins anew after a pause.
pub(crate) async fn lasting(what: &'static str, work: impl AsyncFnMut()) {
    begun_again(what, AFTER_PANIC, work).await;
}

async fn begun_again(what: &'static str, pause: Duration, mut work: impl AsyncFnMut()) {
    loop {
        let done = AssertUnwindSafe(work()).catch_unwind().await;
        let Err(panic) = done else { return };
        let cause = telemetry::words_of(panic.as_ref());
        tracing::error!(
            what,
            cause,
            "what is done in the background panicked; it begins anew"
        );
        drop(panic);
        tokio::time::sleep(pause).await;
    }
}

/// Goes on for as long as it is asked to.
pub async fn run(store: &Store, clock: &Clock, metrics: &Metrics, upkeep: Upkeep) {
    let (every, kept) = (upkeep.verify_every, upkeep.rejects_kept);
    futures::join!(
        lasting("totals are verified", async || {
            verify(store, clock, metrics, every).await;
        }),
        lasting("silent runs are ended", async || {
            end_silent_runs(store, clock).await;
        }),
        lasting("old rejected records are removed", async || {
            forget_rejects(store, clock, kept).await;
        }),
        lasting("users are named anew", async || {
            name_users(store, clock).await;
        }),
        lasting("statistics are kept", async || {
            keep_statistics(store).await;
        })
    );
}

async fn verify(store: &Store, clock: &Clock, metrics: &Metrics, verify_every: Option<Duration>) {
    let Some(pause) = verify_every else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(pause).await;
        match upkeep::tick(store, present(clock)).await {
            Ok(checked) => upkeep::report(checked.as_ref(), metrics),
            Err(unchecked) => upkeep::report_failure(&unchecked, metrics),
        }
    }
}

/// Removes rejected records that are kept no longer, step by step.
async fn forget_rejects(store: &Store, clock: &Clock, kept: Option<Duration>) {
    let Some(kept) = kept else {
        return std::future::pending().await;
    };
    loop {
        match upkeep::forget_rejects(store, kept, present(clock)).await {
            // There is more.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(KEEPING).await,
            Err(error) => {
                let cause = error.cause().map(ToString::to_string);
                tracing::warn!(cause, "old rejected records could not be removed: {error}");
                tokio::time::sleep(KEEPING).await;
            }
        }
    }
}

/// Leads actions to the users that ad spaces name anew, step by step.
async fn name_users(store: &Store, clock: &Clock) {
    loop {
        match users::tick(store, present(clock)).await {
            // There is more.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(LOOK).await,
            Err(error) => {
                let cause = error.cause().map(ToString::to_string);
                tracing::warn!(cause, "actions could not be led to their users: {error}");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// Keeps the planner's statistics up with tables that grow.
async fn keep_statistics(store: &Store) {
    loop {
        store.growth().await;
        store.keep_statistics().await;
    }
}

/// Writes postbacks, group after group, for as long as any can come.
pub async fn write_postbacks(postbacks: &mut Writer, store: &Store, clock: &Clock) {
    lasting("postbacks are written", async || {
        let now = || present(clock);
        while postbacks.next(store, now).await.is_some() {}
    })
    .await;
}

/// How long a server waits before it looks for work that others left.
const LOOK: Duration = Duration::from_secs(5);

/// Reads uploads as they come, for as long as it is asked to.
pub async fn read_uploads(reader: Result<Reader<'_>>, clock: &Clock) {
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            tracing::error!(%error, "uploads are not read");
            return std::future::pending().await;
        }
    };
    lasting("uploads are read", async || read(&reader, clock).await).await;
}

async fn read(reader: &Reader<'_>, clock: &Clock) {
    let report = |error: &Error| {
        let cause = error.cause().map(ToString::to_string);
        tracing::warn!(cause, "uploads could not be read: {error}");
    };
    let now = || Instant::from_utc(clock.now()).unwrap_or(Instant::MIN);
    let mut reads = Reads::new(reader, &now);
    loop {
        if let Err(error) = reads.look().await {
            report(&error);
        }
        let mut pause = std::pin::pin!(tokio::time::sleep(LOOK));
        // Until there may be more to read than was found.
        loop {
            tokio::select! {
                Some(ended) = reads.ended() => match ended {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => report(&error),
                },
                () = reader.uploads.arrival() => break,
                () = &mut pause => break,
            }
        }
    }
}

async fn end_silent_runs(store: &Store, clock: &Clock) {
    loop {
        if let Err(error) = upkeep::end_silent_runs(store, present(clock)).await {
            let cause = error.cause().map(ToString::to_string);
            tracing::warn!(cause, "runs could not be looked through: {error}");
        }
        tokio::time::sleep(ROUNDS).await;
    }
}

/// The point in time that a clock shows.
fn present(clock: &Clock) -> Instant {
    Instant::from_utc(clock.now()).unwrap_or(Instant::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_begins_anew() {
        let mut begun = 0;
        begun_again("a test", Duration::ZERO, async || {
            begun += 1;
            assert!(begun > 2, "it panics twice");
        })
        .await;
        assert_eq!(begun, 3);
    }
}
