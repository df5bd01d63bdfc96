//! Signs of life of a run while its input is read and nothing of it is written yet: a run that gives none is taken for one
//! whose process is gone.

use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::imports::stay_alive;
use std::time::Duration;
use uuid::Uuid;

/// How often a run gives a sign of life: many times before it is taken for gone.
pub const SIGN: Duration = Duration::from_secs(60);

/// Does `work`, which writes nothing, to its end; beside it the run gives a sign of life each time that `every` has passed.
pub async fn beside<T>(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    (now, every): (&(dyn Fn() -> Instant + Sync), Duration),
    work: impl Future<Output = T>,
) -> T {
    // Neither waits for the other one, and a sign holds the one writer of an SQLite file for its own statement alone.
    tokio::select! {
        done = work => done,
        never = give(store, scope, run, (now, every)) => never,
    }
}

/// Gives signs of life for as long as it is asked to; it has no end, and so any result.
async fn give<T>(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    (now, every): (&(dyn Fn() -> Instant + Sync), Duration),
) -> T {
    // The next one makes up for one that fails.
    let store = store.impatient();
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = stay_alive(&store, scope, run, now()).await {
            tracing::warn!(%run, %error, "a sign of life of an import could not be noted");
        }
    }
}
