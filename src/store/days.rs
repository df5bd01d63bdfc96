//! How many actions each day has, for estimates.

use super::listing::column;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::scope::ReadScope;
use crate::domain::totals::Grain;

/// A publisher's actions by UTC day of the order, in days since 1970-01-01, ascending: one statement on totals.
///
/// # Errors
/// When the database fails.
pub async fn actions(tx: &ReadTx, scope: ReadScope) -> Result<Vec<(i64, u64)>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.cell AS cell, CAST(SUM(t.actions) AS BIGINT) AS actions FROM totals_time t WHERE t.publisher_id = ");
    sql.bind(scope.publisher().0);
    sql.push(" AND t.grain = ").bind(Grain::Day.number());
    sql.push(" GROUP BY t.cell ORDER BY t.cell");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| {
            let actions: i64 = column(row, "actions")?;
            Ok((column(row, "cell")?, u64::try_from(actions).unwrap_or(0)))
        })
        .collect()
}
