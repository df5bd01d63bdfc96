//! What moves with every write to a publisher's data.

use super::convert::instant;
use super::listing::column;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;

/// The version of a publisher's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataState {
    /// Raised by every transaction that changed an answer.
    pub data_version: i64,
    /// When the data last changed.
    pub changed_at: Option<Instant>,
    /// The last number in the change log.
    pub change_seq: i64,
}

/// The version of the data that this transaction sees: one statement.
///
/// # Errors
/// When the database fails.
pub async fn state(tx: &ReadTx, scope: ReadScope) -> Result<DataState> {
    let mut sql = tx.sql();
    sql.push("SELECT s.change_seq, s.data_version, s.changed_at_us FROM publisher_states s WHERE s.publisher_id = ");
    sql.bind(scope.publisher().0);
    let rows = tx.rows(sql).await?;
    let Some(row) = rows.first() else {
        return Ok(DataState::default());
    };
    let changed_at: i64 = column(row, "changed_at_us")?;
    Ok(DataState {
        data_version: column(row, "data_version")?,
        changed_at: (changed_at > 0)
            .then(|| instant(changed_at, "publisher_states", "changed_at_us"))
            .transpose()?,
        change_seq: column(row, "change_seq")?,
    })
}
