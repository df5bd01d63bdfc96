//! Writes on a thread of their own, for callers that want a future which can be sent between threads: once begun, a write
//! goes on, whether or not its caller waits.

use crate::domain::error::{Error, Result};
use tokio::runtime::Handle;

/// Runs a write on a thread of its own.
///
/// # Errors
/// As the write, and when its thread ends otherwise.
pub(super) async fn apart<T, F>(write: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let runtime = Handle::current();
    let work = move || runtime.block_on(write());
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}
