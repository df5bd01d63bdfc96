//! Steps of a rebuild: a slice is made anew in transactions that are short, however many actions it has, because whoever
//! writes waits for each of them.
//!
//! Between two steps of a slice some of its cells are made anew and some are not yet. That harms nobody: what an action
//! contributes leaves and enters the cells of all grains at once, so that right cells stay right, and wrong ones stay as
//! wrong as they were until their step.

use super::facts::{
    Lives, columns, smallest, write_cells, write_drifted_carts, write_larger, write_lives,
    write_smallest, write_stretch,
};
use super::{Slice, within};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::totals::{Cells, Grain, Total};
use crate::store::listing::column;
use crate::store::sql::Sql;
use crate::store::tx::{ReadTx, WriteTx};
use sea_orm::DbErr;
use uuid::Uuid;

/// Into how many runs of ids a step is divided at most, as a power of two: beyond it looking for the rows of a run takes
/// longer than writing them.
const MOST_BITS: u32 = 8;

/// Ids from one to another, both inside.
pub(super) type Ids = (Uuid, Uuid);

/// What is made anew in one transaction, in this order.
pub(super) type Step = Vec<Part>;

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What the actions of a stretch of microseconds say of their carts.
    Carts((i64, i64)),
    /// Days of a total's smallest cells, from the facts.
    Smallest(Total, Cells),
    /// Larger cells of a total, from its smallest; of some products only.
    Larger(Total, Cells, Option<Ids>),
    /// Lifetimes.
    Lives(Lives, Ids),
}

/// The steps of a slice, each of about so many actions at most: up to two statements.
///
/// # Errors
/// When the database fails.
pub(super) async fn of_slice(
    tx: &ReadTx,
    publisher: PublisherId,
    slice: Slice,
    most: i64,
) -> Result<Vec<Step>> {
    match slice {
        Slice::Time(cell) => Ok(of_time(cell, &by_day(tx, publisher, cell).await?, most)),
        Slice::Lives(part) => {
            let mut steps = vec![Step::new()];
            for lives in Lives::ALL {
                let (first, last) = Slice::ids(part);
                let many = living(tx, publisher, lives, (first, last)).await?;
                let divided = runs((first, last), many, most);
                let mut parts = divided.map(|ids| Part::Lives(lives, ids));
                if let (Some(step), Some(part)) = (steps.last_mut(), parts.next()) {
                    step.push(part);
                }
                steps.extend(parts.map(|part| vec![part]));
            }
            Ok(steps)
        }
    }
}

/// The steps of a slice of time with so many actions by day.
fn of_time(cell: i64, by_day: &[(i64, i64)], most: i64) -> Vec<Step> {
    let count = |days: Cells| -> i64 {
        let days = days.from..days.to;
        let those = by_day.iter().filter(|(day, _)| days.contains(day));
        those.map(|(_, actions)| actions).sum()
    };
    let whole = Slice::cells(cell, Grain::Day);
    if count(whole) <= most {
        let mut step = smallest_of(whole);
        for (total, grain) in larger_grains() {
            step.push(Part::Larger(total, Slice::cells(cell, grain), None));
        }
        return vec![step];
    }
    let mut steps = Vec::new();
    for days in runs_of_days(whole, by_day, most) {
        let step = smallest_of(days);
        if count(days) <= most {
            steps.push(step);
        } else {
            // A day alone: one total at a time.
            steps.extend(step.into_iter().map(|part| vec![part]));
        }
    }
    for (total, grain) in larger_grains() {
        let cells = Slice::cells(cell, grain);
        if grain != Grain::Week {
            steps.push(vec![Part::Larger(total, cells, None)]);
            continue;
        }
        for from in cells.from..cells.to {
            let to = from + 1;
            let week = Cells { grain, from, to };
            if total == Total::Product {
                let all = (Uuid::nil(), Uuid::max());
                let divided = runs(all, count(within(week, Grain::Day)), most);
                steps.extend(divided.map(|ids| vec![Part::Larger(total, week, Some(ids))]));
            } else {
                steps.push(vec![Part::Larger(total, week, None)]);
            }
        }
    }
    steps
}

/// What is made from the facts of days.
fn smallest_of(days: Cells) -> Step {
    let carts = Part::Carts(stretch(days));
    let totals = Total::ALL.map(|total| Part::Smallest(total, within(days, smallest(total))));
    [carts].into_iter().chain(totals).collect()
}

/// The grains of all totals but their smallest.
fn larger_grains() -> impl Iterator<Item = (Total, Grain)> {
    let grains = |total: Total| {
        total
            .grains()
            .iter()
            .skip(1)
            .map(move |grain| (total, *grain))
    };
    Total::ALL.into_iter().flat_map(grains)
}

/// The days one behind the other, as many together as have so many actions at most, and one at least.
fn runs_of_days(whole: Cells, by_day: &[(i64, i64)], most: i64) -> Vec<Cells> {
    let mut runs = Vec::new();
    let (mut from, mut held) = (whole.from, 0);
    for (day, actions) in by_day {
        if held > 0 && held + actions > most {
            runs.push(Cells {
                from,
                to: *day,
                ..whole
            });
            (from, held) = (*day, 0);
        }
        held += actions;
    }
    runs.push(Cells { from, ..whole });
    runs
}

/// The ids from one to another in so many runs that each has about so many of the rows at most. The ids differ in bits that
/// follow each other.
fn runs((first, last): Ids, rows: i64, most: i64) -> impl Iterator<Item = Ids> {
    let bits = (0..MOST_BITS).find(|bits| rows >> bits <= most);
    let bits = bits.unwrap_or(MOST_BITS);
    let free = (last.as_u128() - first.as_u128()).count_ones();
    let width = free.saturating_sub(bits);
    let inside = u128::MAX.checked_shr(u128::BITS - width).unwrap_or(0);
    (0..1u128 << bits).map(move |run| {
        let low = first.as_u128() | run.checked_shl(width).unwrap_or(0);
        (Uuid::from_u128(low), Uuid::from_u128(low | inside))
    })
}

/// The microseconds of cells, from and to.
fn stretch(cells: Cells) -> (i64, i64) {
    (cells.grain.start(cells.from), cells.grain.start(cells.to))
}

/// How many actions each day of a slice has: days without are left out.
async fn by_day(tx: &ReadTx, publisher: PublisherId, cell: i64) -> Result<Vec<(i64, i64)>> {
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT (a.ordered_at_us / {}) AS day, COUNT(*) AS n FROM actions a WHERE ",
        Grain::Day.micros()
    ));
    write_stretch(publisher, Slice::micros(cell), &mut sql);
    sql.push(" GROUP BY 1 ORDER BY 1");
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| Ok((column(row, "day")?, column(row, "n")?)))
        .collect()
}

/// How many rows the lifetimes of some ids are made of.
async fn living(
    tx: &ReadTx,
    publisher: PublisherId,
    lives: Lives,
    (first, last): Ids,
) -> Result<i64> {
    let (table, key) = match lives {
        Lives::Products => ("action_items", "product_id"),
        Lives::Users => ("actions", "user_id"),
    };
    let mut sql = tx.sql();
    sql.push(&format!(
        "SELECT COUNT(*) AS n FROM {table} r WHERE r.publisher_id = "
    ))
    .bind(publisher.0);
    sql.push(&format!(" AND r.{key} >= ")).bind(first);
    sql.push(&format!(" AND r.{key} <= ")).bind(last);
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

impl Part {
    /// Makes it anew.
    pub(super) async fn make(self, tx: &WriteTx, publisher: PublisherId) -> Result<(), DbErr> {
        match self {
            Self::Carts(stretch) => mend_carts(tx, publisher, stretch).await,
            Self::Smallest(total, cells) => {
                remove(tx, publisher, (total, cells), None).await?;
                let mut sql = tx.sql();
                write_into(total.table(), &columns(total), publisher, &mut sql);
                write_smallest(total, publisher, stretch(cells), &mut sql);
                sql.push(") f");
                tx.execute(sql).await.map(|_| ())
            }
            Self::Larger(total, cells, ids) => {
                remove(tx, publisher, (total, cells), ids).await?;
                let mut sql = tx.sql();
                write_into(total.table(), &columns(total), publisher, &mut sql);
                write_larger(total, cells, publisher, ids, &mut sql);
                sql.push(") f");
                tx.execute(sql).await.map(|_| ())
            }
            Self::Lives(lives, ids) => make_lives(tx, publisher, lives, ids).await,
        }
    }
}

/// Has actions say of their carts what these say, where they do not.
async fn mend_carts(
    tx: &WriteTx,
    publisher: PublisherId,
    stretch: (i64, i64),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push(
        "UPDATE actions SET (units, items_amount_e4, items_reward_e4) = (SELECT CAST(COALESCE(SUM(i.units), 0) AS bigint), \
         CAST(COALESCE(SUM(i.amount_e4), 0) AS bigint), CAST(COALESCE(SUM(i.reward_e4), 0) AS bigint) FROM action_items i \
         WHERE i.publisher_id = actions.publisher_id AND i.action_id = actions.id) WHERE publisher_id = ",
    )
    .bind(publisher.0);
    sql.push(" AND id IN (");
    write_drifted_carts(publisher, stretch, &mut sql);
    sql.push(")");
    tx.execute(sql).await.map(|_| ())
}

async fn remove(
    tx: &WriteTx,
    publisher: PublisherId,
    (total, cells): (Total, Cells),
    ids: Option<Ids>,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push(&format!("DELETE FROM {} WHERE ", total.table()));
    write_cells(total, publisher, cells, "", &mut sql);
    if let Some((first, last)) = ids {
        sql.push(" AND product_id >= ").bind(first);
        sql.push(" AND product_id <= ").bind(last);
    }
    tx.execute(sql).await.map(|_| ())
}

async fn make_lives(
    tx: &WriteTx,
    publisher: PublisherId,
    lives: Lives,
    ids: Ids,
) -> Result<(), DbErr> {
    let (table, key, values) = lives.table();
    let mut sql = tx.sql();
    sql.push(&format!("DELETE FROM {table} WHERE publisher_id = "))
        .bind(publisher.0);
    sql.push(&format!(" AND {key} >= ")).bind(ids.0);
    sql.push(&format!(" AND {key} <= ")).bind(ids.1);
    tx.execute(sql).await?;
    let columns: Vec<&str> = [key].into_iter().chain(values.iter().copied()).collect();
    let mut sql = tx.sql();
    write_into(table, &columns, publisher, &mut sql);
    write_lives(lives, publisher, ids, &mut sql);
    sql.push(") f");
    tx.execute(sql).await.map(|_| ())
}

/// Appends the beginning of a statement that fills a table from a query, which follows.
fn write_into(table: &str, columns: &[&str], publisher: PublisherId, sql: &mut Sql) {
    let columns = columns.join(", ");
    sql.push(&format!(
        "INSERT INTO {table} (publisher_id, {columns}) SELECT "
    ))
    .bind(publisher.0)
    .push(&format!(", {columns} FROM ("));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days_of(steps: &[Step]) -> Vec<(i64, i64)> {
        let carts = steps.iter().flatten().filter_map(|part| match part {
            Part::Carts(stretch) => Some(*stretch),
            _ => None,
        });
        carts.collect()
    }

    #[test]
    fn a_small_slice_is_one_step_and_a_large_one_misses_no_day() {
        let whole = Slice::cells(700, Grain::Day);
        let by_day: Vec<(i64, i64)> = (whole.from..whole.to)
            .filter(|day| day % 3 != 0)
            .map(|day| (day, 1 + day % 5))
            .collect();
        let all: i64 = by_day.iter().map(|(_, actions)| actions).sum();
        assert_eq!(of_time(700, &by_day, all).len(), 1);
        assert_eq!(of_time(700, &[], 0).len(), 1);
        for most in [0, 1, 4, 7, all - 1] {
            let steps = of_time(700, &by_day, most);
            let days = days_of(&steps);
            assert!(days.len() > 1, "{most}");
            let (first, last) = (days[0], days[days.len() - 1]);
            assert_eq!((first.0, last.1), Slice::micros(700), "{most}");
            assert!(days.windows(2).all(|pair| pair[0].1 == pair[1].0), "{most}");
            for total in Total::ALL {
                for grain in total.grains() {
                    let mut cells: Vec<Cells> = steps
                        .iter()
                        .flatten()
                        .filter_map(|part| match part {
                            Part::Smallest(of, cells) | Part::Larger(of, cells, _)
                                if *of == total && cells.grain == *grain =>
                            {
                                Some(*cells)
                            }
                            _ => None,
                        })
                        .collect();
                    cells.dedup();
                    let slice = Slice::cells(700, *grain);
                    assert_eq!(cells[0].from, slice.from, "{total:?} {grain:?}");
                    assert_eq!(cells[cells.len() - 1].to, slice.to, "{total:?} {grain:?}");
                    assert!(cells.windows(2).all(|pair| pair[0].to == pair[1].from));
                }
            }
        }
    }

    #[test]
    fn runs_of_ids_follow_each_other() {
        let all = (Uuid::nil(), Uuid::max());
        for (ids, rows) in [
            (all, 0),
            (all, 7),
            (all, 1_000_000),
            (Slice::ids(0), 9),
            (Slice::ids(15), 70),
        ] {
            let found: Vec<Ids> = runs(ids, rows, 5).collect();
            assert_eq!((found[0].0, found[found.len() - 1].1), ids, "{rows}");
            for pair in found.windows(2) {
                assert_eq!(pair[0].1.as_u128() + 1, pair[1].0.as_u128(), "{rows}");
            }
            assert!(rows <= 5 || found.len() > 1, "{rows}");
        }
    }
}
