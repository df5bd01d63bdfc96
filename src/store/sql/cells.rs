//! Rows of totals: those of some cells, with the columns that filters know.

use super::Sql;
use crate::domain::id::PublisherId;
use crate::domain::totals::{Cells, Tier, Total};
use uuid::Uuid;

/// Appends the condition that a total's row, which the statement calls `row`, is the publisher's and lies in one of
/// these cells: one scan with alternatives, which both databases plan as runs of the key. `tiers` are those of
/// [`Total::Category`].
pub(in crate::store) fn write_cells(
    publisher: PublisherId,
    tiers: &[Tier],
    cells: &[Cells],
    row: &str,
    sql: &mut Sql,
) {
    sql.push(&format!("{row}.publisher_id = "))
        .bind(publisher.0);
    if !tiers.is_empty() {
        sql.push(&format!(" AND {row}.tier IN "))
            .bind_all(tiers.iter().map(|tier| tier.number()));
    }
    for (place, run) in cells.iter().enumerate() {
        sql.push(if place == 0 { " AND (" } else { " OR " });
        sql.push(&format!("({row}.grain = "))
            .bind(run.grain.number());
        sql.push(&format!(" AND {row}.cell >= ")).bind(run.from);
        sql.push(&format!(" AND {row}.cell < "))
            .bind(run.to)
            .push(")");
    }
    sql.push(if cells.is_empty() { " AND FALSE" } else { ")" });
}

/// Appends a table of single cells: grain in `column1`, number in `column2`. For look-ups by the rest of the key, cell by
/// cell.
pub(in crate::store) fn write_each(cells: &[Cells], sql: &mut Sql) {
    let mut is_first = true;
    sql.push("(VALUES ");
    for run in cells {
        for cell in run.from..run.to {
            sql.push(if is_first { "(" } else { ", (" });
            is_first = false;
            sql.bind(run.grain.number()).push(", ").bind(cell).push(")");
        }
    }
    sql.push(")");
}

/// The columns of totals that hold a word for none where the facts hold NULL: the nil id, the empty text.
pub(in crate::store) const FILLED: &[&str] = &["ad_space_id", "country", "device"];

/// Appends what stands behind FROM for a total's rows, called `row`, with NULL for none in the columns `nulled`, as in
/// `actions`: so that one condition can be written on both.
pub(in crate::store) fn write_nulled(
    total: Total,
    publisher: PublisherId,
    nulled: &[&str],
    row: &str,
    sql: &mut Sql,
) {
    if !total.keys().iter().any(|key| nulled.contains(key)) {
        sql.push(&format!("{} {row}", total.table()));
        return;
    }
    sql.push("(SELECT x.publisher_id, x.grain, x.cell");
    for key in total.keys() {
        if nulled.contains(key) {
            sql.push(&format!(", NULLIF(x.{key}, "));
            if key.ends_with("_id") {
                sql.bind(Uuid::nil());
            } else {
                sql.push("''");
            }
            sql.push(&format!(") AS {key}"));
        } else {
            sql.push(&format!(", x.{key}"));
        }
    }
    for sum in total.sums() {
        sql.push(&format!(", x.{sum}"));
    }
    sql.push(&format!(
        " FROM {} x WHERE x.publisher_id = ",
        total.table()
    ))
    .bind(publisher.0)
    .push(&format!(") {row}"));
}
