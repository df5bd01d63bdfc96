//! The runs of all publishers added up, for whoever measures: what has ended long ago is read once, so that a look costs
//! what the last days brought and not what all years did.

use super::apply::users;
use super::convert::{inconsistent, instant, some_instant};
use super::imports::{brought, moment, went_well};
use super::listing::column;
use super::sql::Sql;
use super::sync::API;
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::records::{RunCounts, RunState};
use crate::domain::sync::before;
use crate::domain::time::Instant;
use sea_orm::QueryResult;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long ago a run began of which nothing new is expected once it has ended. A day's postbacks are one run, which ends
/// anew with each of them.
const SETTLED: Duration = Duration::from_secs(2 * 86_400);

/// The runs of an entrance of a publisher that ended, or stand, in one way, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSums {
    /// The publisher.
    pub publisher: PublisherId,
    /// The entrance, such as `FILE`.
    pub entrance: String,
    /// How they stand.
    pub state: RunState,
    /// How many.
    pub runs: i64,
    /// What became of their records.
    pub counts: RunCounts,
    /// The start of the oldest.
    pub oldest: Instant,
    /// The end of the last one that went well.
    pub last_success: Option<Instant>,
    /// The newest observation that one brought which has ended.
    pub newest_data: Option<Instant>,
}

impl RunSums {
    fn key(&self) -> (PublisherId, String, &'static str) {
        (self.publisher, self.entrance.clone(), self.state.as_str())
    }

    fn add(&mut self, other: &Self) {
        let (sums, more) = (&mut self.counts, &other.counts);
        self.runs += other.runs;
        sums.read += more.read;
        sums.inserted += more.inserted;
        sums.updated += more.updated;
        sums.unchanged += more.unchanged;
        sums.stale += more.stale;
        sums.deleted += more.deleted;
        sums.rejected += more.rejected;
        sums.rounded += more.rounded;
        self.oldest = self.oldest.min(other.oldest);
        self.last_success = self.last_success.max(other.last_success);
        self.newest_data = self.newest_data.max(other.newest_data);
    }
}

/// The runs that were not fetched, added up. It remembers the sums of those that began before a point in time and had
/// ended by then; whatever changes in such a run after that is seen by the next process.
#[derive(Debug)]
pub struct Tally(Mutex<Settled>);

#[derive(Debug)]
struct Settled {
    until: Instant,
    sums: Sums,
}

type Sums = BTreeMap<(PublisherId, String, &'static str), RunSums>;

impl Default for Tally {
    fn default() -> Self {
        Self(Mutex::new(Settled {
            until: Instant::MIN,
            sums: Sums::new(),
        }))
    }
}

impl Tally {
    /// The sums by publisher, entrance and state, of all runs that this transaction sees: two statements, over the runs
    /// since the last settled one. A run that names users anew brings no data and is none of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self, tx: &ReadTx, now: Instant) -> Result<Vec<RunSums>> {
        let mut settled = self.0.lock().await;
        let open = oldest_open(tx, settled.until).await?;
        let until = before(now, SETTLED);
        let until = open.map_or(until, |open| open.min(until));
        let until = until.max(settled.until);
        let mut recent = Sums::new();
        let (mut sums, from) = (settled.sums.clone(), settled.until);
        for (is_settled, one) in since(tx, from, until).await? {
            add(if is_settled { &mut sums } else { &mut recent }, &one);
        }
        (settled.until, settled.sums) = (until, sums);
        for one in settled.sums.values() {
            add(&mut recent, one);
        }
        Ok(recent.into_values().collect())
    }
}

fn add(sums: &mut Sums, one: &RunSums) {
    let held = sums.entry(one.key());
    held.and_modify(|held| held.add(one))
        .or_insert_with(|| one.clone());
}

/// Appends the runs that began at `from` or later, publisher by publisher, as the index has them: SQLite takes the tables
/// of a cross join in their order.
fn write_runs(sql: &mut Sql, from: Instant) {
    sql.push(
        " FROM publishers p CROSS JOIN import_runs t WHERE t.publisher_id = p.id AND t.started_at_us >= ",
    )
    .bind(from.micros())
    .push(" AND t.entrance NOT IN (")
    .bind(API)
    .push(", ")
    .bind(users::ENTRANCE)
    .push(")");
}

/// When the oldest run began that has not ended.
async fn oldest_open(tx: &ReadTx, from: Instant) -> Result<Option<Instant>> {
    let mut sql = tx.sql();
    sql.push("SELECT MIN(t.started_at_us) AS oldest_us");
    write_runs(&mut sql, from);
    sql.push(" AND t.finished_at_us IS NULL");
    let rows = tx.rows(sql).await?;
    match rows.first() {
        Some(row) => some_instant(column(row, "oldest_us")?, "import_runs", "started_at_us"),
        None => Ok(None),
    }
}

/// The sums of the runs since `from`, those before `until` apart.
async fn since(tx: &ReadTx, from: Instant, until: Instant) -> Result<Vec<(bool, RunSums)>> {
    const COUNTS: [&str; 8] = [
        "read",
        "inserted",
        "updated",
        "unchanged",
        "stale",
        "deleted",
        "rejected",
        "rounded",
    ];
    let mut sql = tx.sql();
    sql.push("SELECT t.publisher_id, t.entrance, t.state, CASE WHEN t.started_at_us < ")
        .bind(until.micros())
        .push(" THEN 1 ELSE 0 END AS settled, COUNT(*) AS runs, MIN(t.started_at_us) AS oldest_us");
    sql.push(&format!(
        ", MAX(CASE WHEN {} THEN t.finished_at_us END) AS last_success_us, MAX(CASE WHEN {} THEN t.as_of_us END) AS newest_us",
        went_well("t"),
        brought("t")
    ));
    for name in COUNTS {
        sql.push(&format!(
            ", CAST(SUM(t.{name}_count) AS bigint) AS {name}_count"
        ));
    }
    write_runs(&mut sql, from);
    sql.push(" GROUP BY t.publisher_id, t.entrance, t.state, 4");
    tx.rows(sql).await?.iter().map(sums_of).collect()
}

fn sums_of(row: &QueryResult) -> Result<(bool, RunSums)> {
    let entrance: String = column(row, "entrance")?;
    let state: String = column(row, "state")?;
    let is_settled: i32 = column(row, "settled")?;
    let sums = RunSums {
        publisher: PublisherId(column(row, "publisher_id")?),
        state: RunState::parse(&state)
            .ok_or_else(|| inconsistent("import_runs", &entrance, "state"))?,
        entrance,
        runs: column(row, "runs")?,
        counts: RunCounts {
            read: column(row, "read_count")?,
            inserted: column(row, "inserted_count")?,
            updated: column(row, "updated_count")?,
            unchanged: column(row, "unchanged_count")?,
            stale: column(row, "stale_count")?,
            deleted: column(row, "deleted_count")?,
            rejected: column(row, "rejected_count")?,
            rounded: column(row, "rounded_count")?,
        },
        oldest: instant(column(row, "oldest_us")?, "import_runs", "started_at_us")?,
        last_success: moment(row, "last_success_us")?,
        newest_data: moment(row, "newest_us")?,
    };
    Ok((is_settled == 1, sums))
}
