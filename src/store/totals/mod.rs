//! The totals as the facts say them: verified slice by slice, and rebuilt where they must be.
//!
//! `apply` keeps totals by difference; here they are stated once more, in SQL over all facts of a slice. A slice is a
//! run of cells of the largest grain, so that every cell of every grain lies in one slice; behind the slices of time
//! come those of the lifetimes, cut by id. Each slice is verified in a transaction of its own, and rebuilt in one or, where
//! it has many actions, in several: a server goes on reading and writing meanwhile, and a command that was stopped goes on
//! with the slice where it was.

mod facts;
mod rebuild;
mod rounds;
mod steps;
mod verify;

pub use rebuild::{Finished, Manner, Rebuilt, behind, bring_up, is_half_way, rebuild};
pub use rounds::{Checked, Unchecked, verify_next};
pub use verify::{Drift, verify};

use super::listing::column;
use super::sql::Sql;
use super::tx::{ReadTx, WriteTx};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::time::{Instant, Span, Zone, day_of};
use crate::domain::totals::{Cells, Grain, Tier, Total};
use sea_orm::DbErr;
use std::collections::BTreeSet;
use std::fmt;
use uuid::Uuid;

/// How many parts the lifetimes are cut into, by the first four bits of their ids.
const LIFE_PARTS: i64 = 16;
/// The number of the first slice of lifetimes: behind every slice of time, which are less than 400 years apart.
const FIRST_LIFE_SLICE: i64 = 1_000_000;

/// A part of a publisher's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// All cells of all totals in this cell of the largest grain.
    Time(i64),
    /// The lifetimes of products and users whose ids begin with these four bits.
    Lives(u8),
}

impl Slice {
    /// Its number, by which slices follow each other.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Time(cell) => cell,
            Self::Lives(part) => FIRST_LIFE_SLICE + i64::from(part),
        }
    }

    /// The cells of a grain in a slice of time.
    fn cells(cell: i64, grain: Grain) -> Cells {
        let slice = Cells {
            grain: Grain::FourWeeks,
            from: cell,
            to: cell + 1,
        };
        within(slice, grain)
    }

    /// The microseconds of a slice of time, from and to.
    fn micros(cell: i64) -> (i64, i64) {
        (
            Grain::FourWeeks.start(cell),
            Grain::FourWeeks.start(cell + 1),
        )
    }

    /// The first and the last id of a slice of lifetimes, both inside.
    fn ids(part: u8) -> (Uuid, Uuid) {
        let low = u128::from(part) << 124;
        (
            Uuid::from_u128(low),
            Uuid::from_u128(low | (u128::MAX >> 4)),
        )
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(cell) => match Instant::from_micros(Grain::FourWeeks.start(*cell)) {
                Ok(from) => write!(formatter, "the four weeks from {}", day_of(from, Zone::UTC)),
                Err(_) => write!(formatter, "slice {cell}"),
            },
            Self::Lives(part) => write!(formatter, "part {} of the lifetimes", part + 1),
        }
    }
}

/// The cells of a grain that lie in larger ones.
fn within(cells: Cells, grain: Grain) -> Cells {
    let start = |cell: i64| grain.cell_of(cells.grain, cell);
    Cells {
        grain,
        from: start(cells.from),
        to: start(cells.to),
    }
}

/// Notes that a new publisher's totals, of which there are none, are of this version's layout.
pub(super) async fn note_current(
    tx: &WriteTx,
    publisher: PublisherId,
    now: Instant,
) -> std::result::Result<(), DbErr> {
    rebuild::note(tx, publisher, (rebuild::TASK, None), now).await
}

/// The slices of a publisher that hold facts or totals, in their order; with a span, those of time that touch it: a
/// statement for the facts, and one for each total.
///
/// # Errors
/// When the database fails.
pub async fn slices(tx: &ReadTx, publisher: PublisherId, span: Option<Span>) -> Result<Vec<Slice>> {
    let mut cells: BTreeSet<i64> = BTreeSet::new();
    let mut sql = tx.sql();
    write_slices_of_actions(publisher, &mut sql);
    for row in tx.rows(sql).await? {
        cells.insert(column(&row, "cell")?);
    }
    for total in Total::ALL {
        let mut sql = tx.sql();
        write_slices(total, publisher, &mut sql);
        for row in tx.rows(sql).await? {
            cells.insert(column(&row, "cell")?);
        }
    }
    let wanted = |cell: i64| {
        let (from, to) = Slice::micros(cell);
        span.is_none_or(|span| span.from.micros() < to && from < span.to.micros())
    };
    let mut slices: Vec<Slice> = cells
        .into_iter()
        .filter(|cell| wanted(*cell))
        .map(Slice::Time)
        .collect();
    if span.is_none() {
        slices.extend((0..LIFE_PARTS).filter_map(|part| u8::try_from(part).ok().map(Slice::Lives)));
    }
    Ok(slices)
}

/// Appends a query of the slices in which a publisher has actions: each of them is found by its first action behind the slice
/// before, which is one step into the index of their instants, however many actions a slice has.
fn write_slices_of_actions(publisher: PublisherId, sql: &mut Sql) {
    let (slice, lead) = (Grain::FourWeeks.micros(), Grain::FourWeeks.lead());
    let first = "SELECT MIN(a.ordered_at_us) FROM actions a WHERE a.publisher_id = ";
    sql.push("WITH RECURSIVE s(at_us) AS (")
        .push(first)
        .bind(publisher.0);
    sql.push(" UNION ALL SELECT (")
        .push(first)
        .bind(publisher.0);
    sql.push(&format!(
        " AND a.ordered_at_us >= ((s.at_us + {lead}) / {slice} + 1) * {slice} - {lead}) FROM s WHERE s.at_us IS NOT NULL) \
         SELECT ((s.at_us + {lead}) / {slice}) AS cell FROM s WHERE s.at_us IS NOT NULL"
    ));
}

/// Appends a query of the slices in which a total has a row, of whatever grain: each of them is found by its first cell
/// behind the slice before, which is one step into the key, however many rows a slice has.
fn write_slices(total: Total, publisher: PublisherId, sql: &mut Sql) {
    let tiers: &[Option<Tier>] = if total == Total::Category {
        &[
            Some(Tier::Own),
            Some(Tier::Level1),
            Some(Tier::Level2Beyond),
        ]
    } else {
        &[None]
    };
    let ways: Vec<(Option<Tier>, Grain)> = tiers
        .iter()
        .flat_map(|tier| total.grains().iter().map(|grain| (*tier, *grain)))
        .collect();
    let (slice, lead) = (Grain::FourWeeks.micros(), Grain::FourWeeks.lead());
    let of = |grain: Grain, cell: &str| {
        format!(
            "(({cell} * {} - {} + {lead}) / {slice})",
            grain.micros(),
            grain.lead()
        )
    };
    for (place, (tier, grain)) in ways.iter().enumerate() {
        sql.push(if place == 0 { "WITH RECURSIVE " } else { ", " });
        sql.push(&format!("s{place}(cell) AS ("));
        write_first(total, publisher, (*tier, *grain), sql);
        sql.push(" UNION ALL SELECT (");
        write_first(total, publisher, (*tier, *grain), sql);
        sql.push(&format!(
            " AND t.cell >= (({} + 1) * {slice} - {lead} + {}) / {}) FROM s{place} s WHERE s.cell IS NOT NULL)",
            of(*grain, "s.cell"),
            grain.lead(),
            grain.micros()
        ));
    }
    for (place, (_, grain)) in ways.iter().enumerate() {
        sql.push(if place == 0 { " " } else { " UNION " });
        sql.push(&format!(
            "SELECT {} AS cell FROM s{place} s WHERE s.cell IS NOT NULL",
            of(*grain, "s.cell")
        ));
    }
}

/// Appends a query of the first cell of a grain, and of a tier where there are any; more conditions can follow.
fn write_first(
    total: Total,
    publisher: PublisherId,
    (tier, grain): (Option<Tier>, Grain),
    sql: &mut Sql,
) {
    sql.push(&format!(
        "SELECT MIN(t.cell) FROM {} t WHERE t.publisher_id = ",
        total.table()
    ))
    .bind(publisher.0);
    if let Some(tier) = tier {
        sql.push(" AND t.tier = ").bind(tier.number());
    }
    sql.push(" AND t.grain = ").bind(grain.number());
}
