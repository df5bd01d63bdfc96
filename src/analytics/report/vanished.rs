//! Groups of the period that a report is compared with, of which its range has nothing. Pure.

use super::shape::Groups;
use crate::domain::error::Result;
use crate::domain::report::{ReportRequest, too_many_groups};

/// Adds the groups of an earlier period that the range has nothing of, where a report shows them: with nothing measured.
///
/// # Errors
/// When there are more groups than are allowed.
pub(super) fn add(
    request: &ReportRequest,
    most: usize,
    groups: &mut Groups,
    before: Option<&Groups>,
) -> Result<()> {
    let Some(before) = before.filter(|_| request.vanished) else {
        return Ok(());
    };
    // A range without a moment has no stretches that those of the period before could stand for.
    let has_place = |slot: Option<usize>| slot.is_some() == request.bucket.is_some();
    for name in before.keys().filter(|(slot, _)| has_place(*slot)) {
        groups.entry(name.clone()).or_default();
    }
    if groups.len() > most {
        return Err(too_many_groups(most, groups.len()));
    }
    Ok(())
}
