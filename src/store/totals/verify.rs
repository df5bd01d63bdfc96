//! Do the totals equal the facts?

use super::Slice;
use super::facts::{
    CART_SUMS, Lives, columns, keys, smallest, write_carts_compared, write_cells, write_larger,
    write_lives, write_smallest,
};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::totals::{Grain, Total};
use crate::store::listing::column;
use crate::store::sql::Sql;
use crate::store::tx::ReadTx;
use sea_orm::QueryResult;
use uuid::Uuid;

/// How many rows of a table that differ are told one by one.
const TOLD: i64 = 5;

/// Rows of one table that differ from the facts: `actions` where they say of their carts what these do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The table.
    pub table: &'static str,
    /// How many rows.
    pub rows: i64,
    /// The first of them, in words: the key, and by how much the total differs.
    pub examples: Vec<String>,
}

/// Compares a slice of totals with the facts: a statement for each total and grain, two for lifetimes; and in one more what
/// the actions of the slice say of their carts with the items, because totals of actions are sums of that. Nothing is answered
/// for what is equal.
///
/// # Errors
/// When the database fails.
pub async fn verify(tx: &ReadTx, publisher: PublisherId, slice: Slice) -> Result<Vec<Drift>> {
    let mut drifts = Vec::new();
    match slice {
        Slice::Time(cell) => {
            let sql = compare_carts(tx, publisher, cell);
            drifts.extend(read(tx, sql, "actions", &["action_id"], &CART_SUMS).await?);
            for total in Total::ALL {
                for grain in total.grains() {
                    let sql = compare(tx, publisher, cell, (total, *grain));
                    drifts.extend(read(tx, sql, total.table(), &keys(total), total.sums()).await?);
                }
            }
        }
        Slice::Lives(part) => {
            for lives in Lives::ALL {
                let (table, key, values) = lives.table();
                let sql = compare_lives(tx, publisher, part, lives);
                drifts.extend(read(tx, sql, table, &[key], values).await?);
            }
        }
    }
    Ok(drifts)
}

/// The differences between what is stored of a total's grain and what should be.
fn compare(tx: &ReadTx, publisher: PublisherId, slice: i64, (total, grain): (Total, Grain)) -> Sql {
    let mut sql = tx.sql();
    let (keys, columns) = (keys(total), columns(total));
    sql.push("WITH d AS (");
    sql.push(&format!("SELECT {} FROM (", columns.join(", ")));
    if grain == smallest(total) {
        write_smallest(total, publisher, Slice::micros(slice), &mut sql);
    } else {
        let cells = Slice::cells(slice, grain);
        write_larger(total, cells, publisher, None, &mut sql);
    }
    sql.push(") f UNION ALL SELECT ").push(&keys.join(", "));
    for sum in total.sums() {
        sql.push(&format!(", -{sum}"));
    }
    sql.push(&format!(" FROM {} WHERE ", total.table()));
    write_cells(total, publisher, Slice::cells(slice, grain), "", &mut sql);
    sql.push(")");
    write_difference(&keys, total.sums(), &mut sql);
    sql
}

/// The differences between what actions say of their carts and the items.
fn compare_carts(tx: &ReadTx, publisher: PublisherId, slice: i64) -> Sql {
    let mut sql = tx.sql();
    sql.push("WITH d AS (");
    write_carts_compared(publisher, Slice::micros(slice), &mut sql);
    sql.push(")");
    write_difference(&["action_id"], &CART_SUMS, &mut sql);
    sql
}

fn compare_lives(tx: &ReadTx, publisher: PublisherId, part: u8, lives: Lives) -> Sql {
    let (table, key, values) = lives.table();
    let (first, last) = Slice::ids(part);
    let mut sql = tx.sql();
    sql.push(&format!(
        "WITH d AS (SELECT {key}, {} FROM (",
        values.join(", ")
    ));
    write_lives(lives, publisher, (first, last), &mut sql);
    sql.push(&format!(") f UNION ALL SELECT {key}"));
    for value in values {
        sql.push(&format!(", -{value}"));
    }
    sql.push(&format!(" FROM {table} WHERE publisher_id = "))
        .bind(publisher.0);
    sql.push(&format!(" AND {key} >= ")).bind(first);
    sql.push(&format!(" AND {key} <= ")).bind(last).push(")");
    write_difference(&[key], values, &mut sql);
    sql
}

/// Appends the query for the rows of `d` that do not cancel each other out, the first [`TOLD`] of them with their count.
fn write_difference(keys: &[&str], values: &[&str], sql: &mut Sql) {
    let key = keys.join(", ");
    let sums: Vec<String> = values
        .iter()
        .map(|value| format!("CAST(SUM({value}) AS bigint) AS {value}"))
        .collect();
    let any: Vec<String> = values
        .iter()
        .map(|value| format!("SUM({value}) <> 0"))
        .collect();
    sql.push(&format!(
        ", e AS (SELECT {key}, {} FROM d GROUP BY {key} HAVING {}) \
         SELECT e.*, (SELECT COUNT(*) FROM e) AS drift_rows FROM e ORDER BY {key} LIMIT ",
        sums.join(", "),
        any.join(" OR ")
    ))
    .bind(TOLD);
}

async fn read(
    tx: &ReadTx,
    sql: Sql,
    table: &'static str,
    keys: &[&str],
    values: &[&str],
) -> Result<Option<Drift>> {
    let rows = tx.rows(sql).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let examples: Result<Vec<String>> = rows.iter().map(|row| told(row, keys, values)).collect();
    Ok(Some(Drift {
        table,
        rows: column(first, "drift_rows")?,
        examples: examples?,
    }))
}

/// A row that differs: its key, and by how much the stored sums are too small or too large.
fn told(row: &QueryResult, keys: &[&str], values: &[&str]) -> Result<String> {
    let mut words = Vec::new();
    for key in keys {
        let shown = match *key {
            "grain" | "tier" => column::<i32>(row, key)?.to_string(),
            "cell" => column::<i64>(row, key)?.to_string(),
            key if key.ends_with("_id") => column::<Uuid>(row, key)?.to_string(),
            key => column::<String>(row, key)?,
        };
        words.push(format!("{key} {shown}"));
    }
    for value in values {
        let missing: i64 = column(row, value)?;
        if missing != 0 {
            words.push(format!("{value} off by {}", -missing));
        }
    }
    Ok(words.join(", "))
}
