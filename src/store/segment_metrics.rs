//! What the members of segments did in stretches of time.

use super::columns::deeds;
use super::error::statement_too_large;
use super::listing::column;
use super::members::MAX_LISTED;
use super::sales::add_row;
use super::sql::Sql;
use super::sql::segment::{write_bought, write_done};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::rule::SegmentSet;
use crate::domain::sales::{RankBy, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use sea_orm::QueryResult;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

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

/// What the members of each set did in its stretch of time: from columns in memory, where they can tell who the members are.
/// The others take one statement for up to 100 sets, as long as the values in them, and the members of built-in segments that
/// they name, are few enough for one.
///
/// # Errors
/// When one of the sets is too large for a statement, or the database fails.
pub async fn done(
    tx: &ReadTx,
    scope: ReadScope,
    asked: &[(Arc<SegmentSet>, Span)],
) -> Result<Vec<Done>> {
    let told = deeds::done(tx, scope, asked).await?;
    let left = asked.iter().zip(&told);
    let left = left.filter(|(_, told)| told.is_none());
    let left = left.map(|(asked, _)| asked.clone());
    let mut read = by_sql(tx, &left.collect::<Vec<_>>()).await?.into_iter();
    let told = told.into_iter();
    Ok(told
        .map(|told| told.unwrap_or_else(|| read.next().unwrap_or_default()))
        .collect())
}

async fn by_sql(tx: &ReadTx, asked: &[(Arc<SegmentSet>, Span)]) -> Result<Vec<Done>> {
    let mut all = vec![Done::default(); asked.len()];
    for (place, row) in rows_of_each(tx, asked, write_done).await? {
        let Some(done) = all.get_mut(place) else {
            continue;
        };
        done.users += column::<i64>(&row, "users")?;
        add_row(&mut done.sums, &row)?;
    }
    Ok(all)
}

/// What was bought of the first products of each set, by what they are ranked by: by the members of one of users, of those of one
/// of products; declined actions left out. One statement for up to 100 sets, likewise.
///
/// # Errors
/// When one of the sets is too large for a statement, or the database fails.
pub async fn bought(
    tx: &ReadTx,
    asked: &[(Arc<SegmentSet>, Span)],
    ranking: (RankBy, usize),
) -> Result<Vec<HashMap<Uuid, Sums>>> {
    let mut all = vec![HashMap::new(); asked.len()];
    let write = |set: &SegmentSet, span: Span, sql: &mut Sql| write_bought(set, span, ranking, sql);
    for (place, row) in rows_of_each(tx, asked, write).await? {
        if let Some(products) = all.get_mut(place) {
            let sums: &mut Sums = products.entry(column(&row, "product_id")?).or_default();
            add_row(sums, &row)?;
        }
    }
    Ok(all)
}

/// The rows of a query of each set, with its place among all, in as few statements as they have room in.
async fn rows_of_each(
    tx: &ReadTx,
    asked: &[(Arc<SegmentSet>, Span)],
    write: impl Fn(&SegmentSet, Span, &mut Sql),
) -> Result<Vec<(usize, QueryResult)>> {
    let mut all = Vec::new();
    let (mut sql, mut first, mut waiting) = (tx.sql(), 0, 0);
    let most = tx.limits().statement_values;
    for (set, span) in asked {
        let mut own = sql.fresh();
        write(set, *span, &mut own);
        if own.bound() > most {
            return Err(statement_too_large(own.bound(), most));
        }
        let is_full = sql.bound() + own.bound() > most || sql.ids() + own.ids() > MAX_LISTED;
        if waiting == AT_ONCE || waiting > 0 && is_full {
            let full = std::mem::replace(&mut sql, own.fresh());
            all.extend(placed(tx, full, first).await?);
            first += waiting;
            waiting = 0;
        }
        sql.push(if waiting == 0 { "" } else { " UNION ALL " })
            .push(&format!("SELECT {waiting} AS place, s{waiting}.* FROM ("))
            .append(&own)
            .push(&format!(") s{waiting}"));
        waiting += 1;
    }
    if waiting > 0 {
        all.extend(placed(tx, sql, first).await?);
    }
    Ok(all)
}

/// The rows of a statement of [`rows_of_each`], whose first set has a place among all.
async fn placed(tx: &ReadTx, sql: Sql, first: usize) -> Result<Vec<(usize, QueryResult)>> {
    let rows = tx.rows(sql).await?.into_iter();
    let placed = rows.map(|row| {
        let place = usize::try_from(column::<i32>(&row, "place")?).unwrap_or(usize::MAX);
        Ok((first.saturating_add(place), row))
    });
    placed.collect()
}
