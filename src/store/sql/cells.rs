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

/// Appends what stands behind FROM for a total's rows in some cells, called `row`. Where a filter or a dimension may be
/// missing, NULL stands for it, as in `actions`, so that the same conditions can be written on both.
pub(in crate::store) fn write_rows(
    total: Total,
    publisher: PublisherId,
    cells: &[Cells],
    row: &str,
    sql: &mut Sql,
) {
    sql.push("(SELECT t.publisher_id, t.grain, t.cell");
    for key in total.keys() {
        match *key {
            "ad_space_id" => {
                sql.push(", NULLIF(t.ad_space_id, ")
                    .bind(Uuid::nil())
                    .push(") AS ad_space_id");
            }
            "country" | "device" => {
                sql.push(&format!(", NULLIF(t.{key}, '') AS {key}"));
            }
            key => {
                sql.push(&format!(", t.{key}"));
            }
        }
    }
    for sum in total.sums() {
        sql.push(&format!(", t.{sum}"));
    }
    sql.push(&format!(" FROM {} t WHERE ", total.table()));
    write_cells(publisher, &[], cells, "t", sql);
    sql.push(&format!(") {row}"));
}
