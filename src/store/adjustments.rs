//! Adjustments: lists by the day, look-ups, and what they come to.

use super::convert::{adjustment_kind, to_adjustment};
use super::listing::{self, Listing, Wanted, column};
use super::sales::currency_of;
use super::sql::Sql;
use super::sql::filter::write_filter;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{AdjustmentTest, Filter, Value};
use crate::domain::ledger::{Adjustment, AdjustmentSum};
use crate::domain::money::Money;
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::sales::AxisRange;
use crate::domain::scope::ReadScope;
use entity::adjustment;
use uuid::Uuid;

/// What adjustments can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdjustmentSort {
    /// Day.
    Date,
    /// What it did to the balance.
    Amount,
    /// Kind, by its name.
    Kind,
}

struct Adjustments;

impl Listing for Adjustments {
    type Entity = adjustment::Entity;
    type Record = Adjustment;
    type Test = AdjustmentTest;
    type Sort = AdjustmentSort;
    const TABLE: &'static str = "adjustments";

    fn column(sort: AdjustmentSort) -> (&'static str, bool) {
        match sort {
            AdjustmentSort::Date => ("day", false),
            AdjustmentSort::Amount => ("amount_e4", false),
            AdjustmentSort::Kind => ("kind", false),
        }
    }

    fn value(record: &Adjustment, sort: AdjustmentSort) -> Value {
        match sort {
            AdjustmentSort::Date => i64::from(record.day.days()).into(),
            AdjustmentSort::Amount => record.amount.e4.into(),
            AdjustmentSort::Kind => record.kind.as_str().into(),
        }
    }

    fn id(record: &Adjustment) -> Uuid {
        record.id
    }

    fn record(model: adjustment::Model) -> Result<Adjustment> {
        to_adjustment(model)
    }
}

/// Which adjustments are asked for.
#[derive(Clone, Debug, Default)]
pub struct AdjustmentList {
    /// When: those whose day begins in it, by the calendar of its zone; all time without.
    pub range: Option<AxisRange>,
    /// Which.
    pub filter: Filter<AdjustmentTest>,
}

impl AdjustmentList {
    /// Appends the condition that the range lays on the row `t`, led by ` AND `.
    fn write_range(&self, sql: &mut Sql) {
        let Some(range) = &self.range else { return };
        match range.span.local_days(range.zone) {
            None => sql.push(" AND FALSE"),
            Some((first, last)) => sql
                .push(" AND t.day >= ")
                .bind(first.days())
                .push(" AND t.day <= ")
                .bind(last.days()),
        };
    }
}

/// One page of a list: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn list(
    tx: &ReadTx,
    scope: ReadScope,
    list: &AdjustmentList,
    order: &[SortKey<AdjustmentSort>],
    page: &PageRequest,
) -> Result<Page<Adjustment>> {
    let mut also = tx.sql();
    list.write_range(&mut also);
    let wanted = Wanted {
        filter: &list.filter,
        order,
        page,
        also,
    };
    listing::list::<Adjustments>(tx, scope, wanted).await
}

/// How many a list has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &ReadTx, scope: ReadScope, list: &AdjustmentList) -> Result<i64> {
    let mut also = tx.sql();
    list.write_range(&mut also);
    listing::count::<Adjustments>(tx, scope, &list.filter, &also).await
}

/// Adjustments by id, in no order: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_ids(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Vec<Adjustment>> {
    listing::by_ids::<Adjustments>(tx, scope, ids).await
}

/// What the adjustments of a list come to, by kind and currency: one statement.
///
/// # Errors
/// When the database fails.
pub async fn sums(
    tx: &ReadTx,
    scope: ReadScope,
    list: &AdjustmentList,
) -> Result<Vec<AdjustmentSum>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT t.kind, t.currency, COUNT(*) AS n, CAST(SUM(t.amount_e4) AS bigint) AS amount FROM adjustments t \
         WHERE t.publisher_id = ",
    )
    .bind(scope.publisher().0);
    list.write_range(&mut sql);
    sql.push(" AND ");
    write_filter(&list.filter, "t", &mut sql);
    sql.push(" GROUP BY t.kind, t.currency ORDER BY t.kind, t.currency");
    tx.rows(sql)
        .await?
        .iter()
        .map(|row| {
            Ok(AdjustmentSum {
                kind: adjustment_kind(&column::<String>(row, "kind")?)?,
                count: column(row, "n")?,
                amount: Money {
                    e4: column(row, "amount")?,
                    currency: currency_of(row)?,
                },
            })
        })
        .collect()
}
