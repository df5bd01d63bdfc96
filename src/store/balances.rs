//! Balances of accounts: what they are, and what they were.

use super::convert::to_balance;
use super::listing::{self, Listing, Wanted};
use super::sql::Sql;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{BalanceTest, Filter, Value};
use crate::domain::ledger::Balance;
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use entity::balance;
use uuid::Uuid;

/// What balances can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BalanceSort {
    /// When it was observed.
    ObservedAt,
}

struct Balances;

impl Listing for Balances {
    type Entity = balance::Entity;
    type Record = Balance;
    type Test = BalanceTest;
    type Sort = BalanceSort;
    const TABLE: &'static str = "balances";

    fn column(sort: BalanceSort) -> (&'static str, bool) {
        match sort {
            BalanceSort::ObservedAt => ("observed_at_us", false),
        }
    }

    fn value(record: &Balance, sort: BalanceSort) -> Value {
        match sort {
            BalanceSort::ObservedAt => record.observed_at.micros().into(),
        }
    }

    fn id(record: &Balance) -> Uuid {
        record.id
    }

    fn record(model: balance::Model) -> Result<Balance> {
        to_balance(model)
    }
}

/// Which balances are asked for.
#[derive(Clone, Debug, Default)]
pub struct BalanceList {
    /// All that were observed in it; without, the latest of each account and currency.
    pub range: Option<Span>,
    /// Which.
    pub filter: Filter<BalanceTest>,
}

impl BalanceList {
    /// Appends when, as a condition on the row `t`, led by ` AND `.
    fn write_when(&self, sql: &mut Sql) {
        match &self.range {
            Some(span) => sql
                .push(" AND t.observed_at_us >= ")
                .bind(span.from.micros())
                .push(" AND t.observed_at_us < ")
                .bind(span.to.micros()),
            None => sql.push(
                " AND NOT EXISTS (SELECT 1 FROM balances n WHERE n.publisher_id = t.publisher_id \
                 AND n.account = t.account AND n.currency = t.currency AND n.observed_at_us > t.observed_at_us)",
            ),
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
    list: &BalanceList,
    order: &[SortKey<BalanceSort>],
    page: &PageRequest,
) -> Result<Page<Balance>> {
    let mut also = tx.sql();
    list.write_when(&mut also);
    let wanted = Wanted {
        filter: &list.filter,
        order,
        page,
        also,
    };
    listing::list::<Balances>(tx, scope, wanted).await
}

/// How many a list has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &ReadTx, scope: ReadScope, list: &BalanceList) -> Result<i64> {
    let mut also = tx.sql();
    list.write_when(&mut also);
    listing::count::<Balances>(tx, scope, &list.filter, &also).await
}
