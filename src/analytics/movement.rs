//! Movement between RFM segments from one date to another, over windows of equal length.

use super::segments::{UserSegments, users};
use crate::domain::error::Result;
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use crate::domain::segment::{Movement, Rfm, UserRules, UserSegment, movement};
use crate::store::ReadTx;
use uuid::Uuid;

/// The users of two windows, and who went where.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The segments over the earlier window.
    pub before: UserSegments,
    /// The segments over the later window.
    pub after: UserSegments,
    /// Who went where.
    pub movement: Movement,
}

/// Compares the windows `before` and `after`, which count the same facts: four statements.
///
/// # Errors
/// When the database fails.
pub async fn moved(
    tx: &ReadTx,
    scope: ReadScope,
    (before, after): (&FactQuery, &FactQuery),
    rules: &UserRules,
) -> Result<Moved> {
    let before = users(tx, scope, before, rules).await?;
    let after = users(tx, scope, after, rules).await?;
    let movement = movement(&standing(&before), &standing(&after));
    Ok(Moved {
        before,
        after,
        movement,
    })
}

/// Each user with its RFM segment.
fn standing(segments: &UserSegments) -> Vec<(Uuid, Option<UserSegment>)> {
    let all = segments.users.iter().zip(&segments.scores);
    all.map(|(user, score)| (user.user_id, score.map(Rfm::segment)))
        .collect()
}
