//! Work on a thread of its own, for callers that want a future which can be sent between threads: once begun, it goes on,
//! whether or not its caller waits. A write that a request asks for is such work.

use crate::domain::error::{Error, Result};
use tokio::runtime::Handle;

/// Runs work on a thread of its own.
///
/// # Errors
/// As the work, and when its thread ends otherwise.
pub async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work()))
        .await
        .map_err(Error::internal)?
}
