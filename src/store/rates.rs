//! Exchange rates: stored by day, read for a report that converts.

use super::connect::Store;
use super::convert::inconsistent;
use super::listing::column;
use super::sql::insert::{Conflict, insert};
use super::sync::write_step;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::report::rates::Rate;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use entity::exchange_rate;
use std::collections::BTreeMap;

/// The rates between a currency and all others: one statement.
///
/// # Errors
/// When the database fails.
pub async fn of_currency(tx: &ReadTx, currency: Currency) -> Result<Vec<Rate>> {
    let mut sql = tx.sql();
    sql.push("SELECT r.from_currency, r.to_currency, r.day, r.rate_e9 FROM exchange_rates r WHERE r.to_currency = ")
        .bind(currency.as_str())
        .push(" OR r.from_currency = ")
        .bind(currency.as_str());
    let code = |code: String| {
        Currency::parse(&code).map_err(|_| inconsistent("exchange_rates", code, "currency"))
    };
    tx.rows(sql)
        .await?
        .iter()
        .map(|row| {
            Ok(Rate {
                from: code(column(row, "from_currency")?)?,
                to: code(column(row, "to_currency")?)?,
                day: column(row, "day")?,
                rate_e9: column(row, "rate_e9")?,
            })
        })
        .collect()
}

/// Stores rates; one that is known for its pair and day is replaced. Gives how many were stored.
///
/// # Errors
/// When the database fails; then none is stored.
pub async fn save(store: &Store, rates: &[Rate]) -> Result<usize> {
    let rows = rows(rates);
    store
        .write(async |tx| insert(tx, &rows, Conflict::Replace).await)
        .await?;
    Ok(rows.len())
}

/// Likewise in one transaction with the step of the sync that brought them: whoever lost the lease stores none.
///
/// # Errors
/// When the lease is another's, or the database fails; then none is stored.
pub async fn save_step(
    store: &Store,
    scope: WriteScope,
    rates: &[Rate],
    step: &SyncStep,
) -> Result<()> {
    let rows = rows(rates);
    store
        .write(async |tx| {
            insert(tx, &rows, Conflict::Replace).await?;
            write_step(tx, scope.publisher(), step).await
        })
        .await
}

fn rows(rates: &[Rate]) -> Vec<exchange_rate::Model> {
    // Of two for one pair and day the last: a statement cannot write one row twice.
    let rates: BTreeMap<(Currency, Currency, i32), i64> = rates
        .iter()
        .map(|rate| ((rate.from, rate.to, rate.day), rate.rate_e9))
        .collect();
    rates
        .into_iter()
        .map(|((from, to, day), rate_e9)| exchange_rate::Model {
            from_currency: from.as_str().to_owned(),
            to_currency: to.as_str().to_owned(),
            day,
            rate_e9,
        })
        .collect()
}
