//! Reports: which data answers one, by which statements, and what is made of their rows.

use crate::domain::error::{Error, Result};
use crate::domain::report::{Report, ReportRequest};
use crate::domain::scope::ReadScope;
use crate::store::ReadTx;

/// Answers a report.
///
/// # Errors
/// When the request contradicts itself or is too large, or the database fails.
pub async fn run(_tx: &ReadTx, _scope: ReadScope, _request: &ReportRequest) -> Result<Report> {
    Err(Error::internal("reports are not computed yet"))
}
