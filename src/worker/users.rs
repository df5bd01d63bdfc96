//! Actions of ad spaces that name their users anew: one step for each ad space that waits.

use crate::domain::error::Result;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::users::{STEP, Stepped, step, waiting};

/// Leads the next rows of every ad space that waits; tells whether there is more to do.
///
/// # Errors
/// When the database fails; what was led until then stays.
pub async fn tick(store: &Store, now: Instant) -> Result<bool> {
    let mut more = false;
    for (scope, ad_space) in waiting(store).await? {
        more |= step(store, scope, ad_space, STEP, now).await? == Stepped::On;
    }
    Ok(more)
}
