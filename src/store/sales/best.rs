//! The best sold products of a long range, without adding up all that were sold.
//!
//! Most products sell once in a while, few sell much. So the weeks' rows of two units and more are added up first (an
//! index holds them alone), over the weeks that touch the range: with one unit for every row that is not among them,
//! that bounds what a product can have sold. The products with the highest bounds are then summed exactly; once the
//! bounds of all others lie below the last of the page, the page is exact. Where they do not (flat sales), the caller
//! adds everything up.

use super::groups::Groups;
use super::write_counted;
use super::{add_row, key_of};
use crate::domain::error::Result;
use crate::domain::page::PageRequest;
use crate::domain::sales::{RankBy, SalesRow, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use crate::domain::totals::{Cells, Cover, Grain};
use crate::store::listing::column;
use crate::store::sql::Sql;
use crate::store::sql::cells::{write_cells, write_each};
use crate::store::tx::ReadTx;
use sea_orm::DbBackend;
use std::collections::HashMap;
use uuid::Uuid;

/// Units in the range below which adding everything up is quick.
pub const MANY_UNITS: i64 = 20_000;
/// The shortest range for which weeks are a fair bound, in days.
const LONG_DAYS: i64 = 14;
/// How many products are looked at by their bounds.
const HEADS: usize = 2_000;
/// How many cells the exact sums may be looked up in one by one.
const MOST_CELLS: i64 = 200;

/// A product with what its rows of two units and more sum up to, and how many rows these are.
struct Head {
    product: Uuid,
    units: i64,
    rows: i64,
}

/// The statuses and currencies that were sold in.
struct Kinds {
    statuses: Vec<String>,
    pairs: i64,
    units: i64,
}

/// The first rows of a ranking of products by units, with their sums, in order; nothing where bounds do not decide. At
/// most four statements.
pub(super) async fn best_products(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    cover: &Cover,
    page: &PageRequest,
) -> Result<Option<Vec<SalesRow>>> {
    let span = groups.facts.range.span;
    let cells: i64 = cover.cells.iter().map(|run| run.to - run.from).sum();
    if span.micros() < LONG_DAYS * Grain::Day.micros() || cells > MOST_CELLS {
        return Ok(None);
    }
    let last = Instant::from_micros(span.to.micros() - 1).unwrap_or(span.from);
    let weeks = Cells {
        grain: Grain::Week,
        from: Grain::Week.cell(span.from),
        to: Grain::Week.cell(last) + 1,
    };
    let kinds = kinds(tx, scope, groups, weeks).await?;
    if kinds.units < MANY_UNITS {
        return Ok(None);
    }
    let wanted = usize::try_from(page.size)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let heads = heads(tx, scope, groups, weeks, &kinds).await?;
    // A row that is not among the heads is of one unit at most, and there is one at most for each of these.
    let most_rows = (weeks.to - weeks.from) * kinds.pairs;
    let bound = |head: &Head| head.units + most_rows - head.rows;
    let unseen = match heads.last() {
        Some(last) if heads.len() == HEADS => last.units + most_rows,
        _ => most_rows,
    };
    let exact = |keys: Vec<Uuid>| summed(tx, scope, groups, (cover, &kinds), keys);
    let (first, rest) = heads.split_at(heads.len().min(wanted + wanted / 2 + 50));
    let mut sums = exact(first.iter().map(|head| head.product).collect()).await?;
    let Some(least) = nth_units(&sums, wanted) else {
        return Ok(None);
    };
    if unseen >= least {
        return Ok(None);
    }
    let open = rest.iter().filter(|head| bound(head) >= least);
    sums.extend(exact(open.map(|head| head.product).collect()).await?);
    let mut rows: Vec<SalesRow> = sums
        .into_iter()
        .map(|(product, sums)| SalesRow {
            key: Some(product),
            rank: 0,
            metric: sums.metric(RankBy::Units),
            sums,
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.metric), row.key));
    rows.truncate(wanted);
    Ok(Some(rows))
}

/// The units of the n-th product.
fn nth_units(sums: &HashMap<Uuid, Sums>, place: usize) -> Option<i64> {
    let mut units: Vec<i64> = sums.values().map(|sums| sums.units).collect();
    units.sort_unstable_by(|a, b| b.cmp(a));
    units.get(place - 1).copied()
}

async fn kinds(tx: &ReadTx, scope: ReadScope, groups: Groups<'_>, weeks: Cells) -> Result<Kinds> {
    let mut sql = tx.sql();
    sql.push("SELECT a.status, a.currency, CAST(SUM(a.units) AS bigint) AS units FROM totals_time a WHERE ");
    let days = Cells {
        grain: Grain::Day,
        from: Grain::Day.cell_of(Grain::Week, weeks.from),
        to: Grain::Day.cell_of(Grain::Week, weeks.to),
    };
    write_cells(scope.publisher(), &[], &[days], "a", &mut sql);
    write_counted(groups.facts, &mut sql);
    sql.push(" GROUP BY a.status, a.currency");
    let mut kinds = Kinds {
        statuses: Vec::new(),
        pairs: 0,
        units: 0,
    };
    for row in tx.rows(sql).await? {
        let status: String = column(&row, "status")?;
        if !kinds.statuses.contains(&status) {
            kinds.statuses.push(status);
        }
        kinds.pairs += 1;
        kinds.units += column::<i64>(&row, "units")?;
    }
    Ok(kinds)
}

async fn heads(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    weeks: Cells,
    kinds: &Kinds,
) -> Result<Vec<Head>> {
    let mut sql = tx.sql();
    // The numbers are part of the text: only so does the planner know the index of these rows.
    sql.push(
        "SELECT a.product_id AS key_id, CAST(SUM(a.units) AS bigint) AS units, COUNT(*) AS n FROM totals_product a",
    );
    if tx.backend() == DbBackend::Sqlite {
        // Its planner would rather read all rows of the weeks by the key.
        sql.push(" INDEXED BY ix_totals_product_cell_status_product_id_units");
    }
    sql.push(" WHERE a.grain = 4 AND a.units >= 2 AND a.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND a.cell >= ").bind(weeks.from);
    sql.push(" AND a.cell < ").bind(weeks.to);
    write_kinds(groups, kinds, &mut sql);
    sql.push(" AND a.product_id <> ").bind(Uuid::nil());
    sql.push(" GROUP BY a.product_id ORDER BY units DESC, key_id LIMIT ")
        .bind(i64::try_from(HEADS).unwrap_or(i64::MAX));
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                product: column(row, "key_id")?,
                units: column(row, "units")?,
                rows: column(row, "n")?,
            })
        })
        .collect()
}

/// Appends the counted statuses by their names, so that the key can be followed beyond them, and the filter.
fn write_kinds(groups: Groups<'_>, kinds: &Kinds, sql: &mut Sql) {
    sql.push(" AND a.status IN ")
        .bind_all(kinds.statuses.iter().cloned());
    write_counted(groups.facts, sql);
}

/// The exact sums of some products in the range.
async fn summed(
    tx: &ReadTx,
    scope: ReadScope,
    groups: Groups<'_>,
    (cover, kinds): (&Cover, &Kinds),
    products: Vec<Uuid>,
) -> Result<HashMap<Uuid, Sums>> {
    if products.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.sql();
    sql.push("SELECT u.key_id, u.currency, CAST(SUM(u.actions) AS bigint) AS actions, CAST(SUM(u.units) AS bigint) AS units, ")
        .push("CAST(SUM(u.amount) AS bigint) AS amount, CAST(SUM(u.reward) AS bigint) AS reward FROM (")
        .push("SELECT a.product_id AS key_id, a.currency, a.actions, a.units, a.order_amount_e4 AS amount, ")
        .push("a.reward_e4 AS reward FROM ");
    write_each(&cover.cells, &mut sql);
    sql.push(" v CROSS JOIN totals_product a WHERE a.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND a.grain = v.column1 AND a.cell = v.column2");
    write_kinds(groups, kinds, &mut sql);
    sql.push(" AND a.product_id IN ")
        .bind_all(products.iter().copied());
    groups.write_ragged(scope, &products, &mut sql);
    sql.push(") u GROUP BY u.key_id, u.currency");
    let mut sums: HashMap<Uuid, Sums> = HashMap::new();
    for row in tx.rows(sql).await? {
        if let Some(product) = key_of(&row)? {
            add_row(sums.entry(product).or_default(), &row)?;
        }
    }
    Ok(sums)
}
