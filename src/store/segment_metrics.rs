//! What the members of segments did in stretches of time.

use super::error::statement_too_large;
use super::listing::column;
use super::members::MAX_LISTED;
use super::sales::currency_of;
use super::sql::segment::write_done;
use super::sql::{MAX_BOUND, Sql};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::rule::SegmentSet;
use crate::domain::sales::{CurrencySums, Sums};
use crate::domain::time::Span;
use std::sync::Arc;

/// How many sets one statement sums up: each is two queries deep, and SQLite takes 500 queries in one.
const AT_ONCE: usize = 100;

/// What the members of a set did in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Distinct users who did it: of a set of users its members, of one of products who bought them.
    pub users: i64,
    /// Their actions that are not declined, with units and money; of products those of their cart items.
    pub sums: Sums,
}

/// What the members of each set did in its stretch of time: one statement for up to 100 sets, as long as the values in
/// them, and the members of built-in segments that they name, are few enough for one.
///
/// # Errors
/// When one of the sets is too large for a statement, or the database fails.
pub async fn done(tx: &ReadTx, asked: &[(Arc<SegmentSet>, Span)]) -> Result<Vec<Done>> {
    let mut all = Vec::with_capacity(asked.len());
    let (mut sql, mut waiting) = (tx.sql(), 0);
    for (set, span) in asked {
        let mut own = sql.fresh();
        write_done(set, *span, &mut own);
        if own.bound() > MAX_BOUND {
            return Err(statement_too_large(own.bound()));
        }
        let is_full = sql.bound() + own.bound() > MAX_BOUND || sql.ids() + own.ids() > MAX_LISTED;
        if waiting == AT_ONCE || waiting > 0 && is_full {
            let full = std::mem::replace(&mut sql, own.fresh());
            all.extend(summed(tx, full, waiting).await?);
            waiting = 0;
        }
        sql.push(if waiting == 0 { "" } else { " UNION ALL " })
            .push(&format!("SELECT {waiting} AS place, s{waiting}.* FROM ("))
            .append(&own)
            .push(&format!(") s{waiting}"));
        waiting += 1;
    }
    if waiting > 0 {
        all.extend(summed(tx, sql, waiting).await?);
    }
    Ok(all)
}

/// What a statement of [`done`] sums up, by the places of its sets.
async fn summed(tx: &ReadTx, sql: Sql, sets: usize) -> Result<Vec<Done>> {
    let mut all = vec![Done::default(); sets];
    for row in tx.rows(sql).await? {
        let place = usize::try_from(column::<i32>(&row, "place")?).unwrap_or(usize::MAX);
        let Some(done) = all.get_mut(place) else {
            continue;
        };
        done.users += column::<i64>(&row, "users")?;
        done.sums.actions += column::<i64>(&row, "actions")?;
        done.sums.units += column::<i64>(&row, "units")?;
        done.sums.add_money(CurrencySums {
            currency: currency_of(&row)?,
            order_amount_e4: column(&row, "amount")?,
            reward_e4: column(&row, "reward")?,
        });
    }
    Ok(all)
}
