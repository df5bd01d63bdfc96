//! Import runs and rejected records: lists, look-ups, freshness, and how a run is begun and ended.

use super::audit;
use super::connect::Store;
use super::convert::{some_instant, to_reject, to_run};
use super::keyset::{Order, OrderBy, limit};
use super::listing::{self, IDS, Listing, column, look_ups};
use super::sql::Sql;
use super::sql::insert::{Conflict, insert};
use super::tx::ReadTx;
use crate::domain::audit::{Deed, Note};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, ImportTest, Value};
use crate::domain::page::{Cursor, Page, PageRequest, SortKey};
use crate::domain::records::{ImportRun, RejectedRecord, RunState};
use crate::domain::scope::{ReadScope, WriteScope};
use crate::domain::time::Instant;
use entity::{import_reject, import_run};
use sea_orm::{FromQueryResult as _, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// What import runs can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportSort {
    /// Start.
    StartedAt,
}

struct Runs;

impl Listing for Runs {
    type Entity = import_run::Entity;
    type Record = ImportRun;
    type Test = ImportTest;
    type Sort = ImportSort;
    const TABLE: &'static str = "import_runs";

    fn column(sort: ImportSort) -> (&'static str, bool) {
        match sort {
            ImportSort::StartedAt => ("started_at_us", false),
        }
    }

    fn value(record: &ImportRun, sort: ImportSort) -> Value {
        match sort {
            ImportSort::StartedAt => record.started_at.micros().into(),
        }
    }

    fn id(record: &ImportRun) -> Uuid {
        record.id
    }

    fn record(model: import_run::Model) -> Result<ImportRun> {
        to_run(model)
    }
}

look_ups!(Runs, ImportRun, ImportTest, ImportSort);

/// How fresh an entrance's data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The entrance, such as `FILE`.
    pub entrance: String,
    /// End of the last run that went well.
    pub last_success: Option<Instant>,
    /// The last run.
    pub last_run: Option<ImportRun>,
    /// Observation time of the newest state that a finished run brought.
    pub newest_data: Option<Instant>,
}

/// The condition that a run went well: a file without a record is a success, one of nothing but rejects is not. It is that
/// of an index.
pub(super) fn went_well(row: &str) -> String {
    format!(
        "({row}.state = 'SUCCEEDED' OR {row}.state = 'PARTIAL' AND {row}.rejected_count < {row}.read_count)"
    )
}

/// The condition that a run has ended and took a record in: without a single such record it says nothing about any state.
/// It is that of an index.
pub(super) fn brought(row: &str) -> String {
    format!("{row}.state IN ('SUCCEEDED', 'PARTIAL') AND {row}.rejected_count < {row}.read_count")
}

/// A moment that a statement found among runs, if any.
pub(super) fn moment(row: &QueryResult, name: &str) -> Result<Option<Instant>> {
    some_instant(column(row, name)?, "import_runs", name)
}

/// How fresh each entrance is, by name: one statement, which takes from indexes what it tells and looks through no runs. A
/// run without a single record that was taken in, such as an empty file or the error page of a proxy, makes no data
/// fresher.
///
/// # Errors
/// When the database fails.
pub async fn freshness(tx: &ReadTx, scope: ReadScope) -> Result<Vec<Freshness>> {
    let publisher = scope.publisher().0;
    let mut sql = tx.sql();
    for (place, (of, row, condition, name)) in [
        ("finished_at_us", "s", went_well("s"), "last_success_us"),
        ("as_of_us", "n", brought("n"), "newest_us"),
    ]
    .iter()
    .enumerate()
    {
        sql.push(if place == 0 { "SELECT t.*, " } else { ", " });
        sql.push(&format!(
            "(SELECT MAX({row}.{of}) FROM import_runs {row} WHERE {row}.publisher_id = "
        ))
        .bind(publisher);
        sql.push(&format!(
            " AND {row}.entrance = e.entrance AND {condition}) AS {name}"
        ));
    }
    sql.push(" FROM (");
    write_entrances(publisher, &mut sql);
    sql.push(") e JOIN import_runs t ON t.publisher_id = ")
        .bind(publisher);
    sql.push(" AND t.id = (SELECT l.id FROM import_runs l WHERE l.publisher_id = ")
        .bind(publisher);
    sql.push(
        " AND l.entrance = e.entrance ORDER BY l.started_at_us DESC, l.id DESC LIMIT 1) WHERE e.entrance <> ",
    )
    // A run that names users anew brings no data.
    .bind(super::apply::users::ENTRANCE)
    .push(" ORDER BY e.entrance");
    let mut all = Vec::new();
    for row in tx.rows(sql).await? {
        let run = to_run(import_run::Model::from_query_result(&row, "").map_err(Error::internal)?)?;
        all.push(Freshness {
            entrance: run.entrance.clone(),
            last_success: moment(&row, "last_success_us")?,
            newest_data: moment(&row, "newest_us")?,
            last_run: Some(run),
        });
    }
    Ok(all)
}

/// Appends the selection of a publisher's entrances, each found behind the one before.
fn write_entrances(publisher: i64, sql: &mut Sql) {
    sql.push(
        "WITH RECURSIVE found(entrance) AS (SELECT MIN(f.entrance) FROM import_runs f WHERE f.publisher_id = ",
    )
    .bind(publisher);
    sql.push(
        " UNION ALL SELECT (SELECT MIN(f.entrance) FROM import_runs f WHERE f.publisher_id = ",
    )
    .bind(publisher);
    sql.push(
        " AND f.entrance > b.entrance) FROM found b WHERE b.entrance IS NOT NULL) \
         SELECT b.entrance FROM found b WHERE b.entrance IS NOT NULL",
    );
}

/// How fresh each entrance is, for a viewer who sees some rows only: neither its runs nor its faults, which are of all
/// rows. One statement.
///
/// # Errors
/// When the database fails.
pub async fn freshness_at_large(tx: &ReadTx, scope: ReadScope) -> Result<Vec<Freshness>> {
    let mut all = freshness(&tx.undivided(), scope).await?;
    all.iter_mut().for_each(|one| one.last_run = None);
    Ok(all)
}

/// A page of each run's rejected records, in the input's order: one statement for all of them.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn rejects_of(
    tx: &ReadTx,
    scope: ReadScope,
    runs: &[Uuid],
    resolved: Option<bool>,
    page: &PageRequest,
) -> Result<HashMap<Uuid, Page<RejectedRecord>>> {
    let key = OrderBy {
        place: "t.ordinal".into(),
        nullable: false,
        descending: false,
        nulls_first: false,
    };
    let order = Order::new(vec![key], "t.run_id");
    listing::check_page(page, 1)?;
    let mut found: HashMap<Uuid, Vec<(RejectedRecord, Cursor)>> = HashMap::new();
    for ids in runs.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT * FROM (SELECT t.*, row_number() OVER (PARTITION BY t.run_id ORDER BY ");
        order.reading(page).write(&mut sql);
        sql.push(") AS place FROM import_rejects t WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
        sql.push(" AND t.run_id IN ").bind_all(ids.iter().copied());
        sql.push(mended(resolved));
        order.write_bounds(page, &mut sql);
        sql.push(") w WHERE place <= ")
            .bind(limit(page))
            .push(" ORDER BY run_id, place");
        for row in tx.rows(sql).await? {
            let model =
                import_reject::Model::from_query_result(&row, "").map_err(Error::internal)?;
            let reject = to_reject(model);
            let cursor = Cursor {
                values: vec![i64::from(reject.ordinal).into()],
                id: reject.run_id,
            };
            found
                .entry(reject.run_id)
                .or_default()
                .push((reject, cursor));
        }
    }
    Ok(found
        .into_iter()
        .map(|(run, rows)| (run, Page::cut(rows, page)))
        .collect())
}

/// The condition on rejected records that were mended, or were not.
fn mended(resolved: Option<bool>) -> &'static str {
    match resolved {
        None => "",
        Some(true) => " AND t.resolved_by_run IS NOT NULL",
        Some(false) => " AND t.resolved_by_run IS NULL",
    }
}

/// How many rejected records of each run are kept: one statement.
///
/// # Errors
/// When the database fails.
pub async fn rejects_kept(
    tx: &ReadTx,
    scope: ReadScope,
    runs: &[Uuid],
    resolved: Option<bool>,
) -> Result<HashMap<Uuid, i64>> {
    let mut kept = HashMap::new();
    for ids in runs.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT run_id, COUNT(*) AS n FROM import_rejects t WHERE t.publisher_id = ");
        sql.bind(scope.publisher().0)
            .push(" AND t.run_id IN ")
            .bind_all(ids.iter().copied());
        sql.push(mended(resolved)).push(" GROUP BY run_id");
        for row in tx.rows(sql).await? {
            kept.insert(column(&row, "run_id")?, column(&row, "n")?);
        }
    }
    Ok(kept)
}

/// A run that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// UUIDv7 of the start.
    pub id: Uuid,
    /// Entrance, such as `FILE`.
    pub entrance: &'static str,
    /// File name.
    pub name: String,
    /// Start.
    pub started_at: Instant,
    /// Observation time of its states.
    pub as_of: Instant,
}

/// Notes that a run begins.
///
/// # Errors
/// When the database fails.
pub async fn begin(store: &Store, scope: WriteScope, run: &NewRun) -> Result<()> {
    begin_row(store, run_row(scope, run)).await
}

/// Notes that a run begins whose times are of an offset, unless they name one.
///
/// # Errors
/// When the database fails.
pub async fn begin_at(
    store: &Store,
    scope: WriteScope,
    run: &NewRun,
    offset_minutes: i32,
) -> Result<()> {
    let mut model = run_row(scope, run);
    model.offset_minutes = Some(offset_minutes);
    begin_row(store, model).await
}

/// Notes that a run begins that reads a file of so many bytes, where that is known, and whose times are of an offset, unless
/// they name one.
///
/// # Errors
/// When the database fails.
pub async fn begin_file(
    store: &Store,
    scope: WriteScope,
    run: &NewRun,
    (offset_minutes, bytes): (i32, Option<u64>),
) -> Result<()> {
    let mut model = run_row(scope, run);
    model.offset_minutes = Some(offset_minutes);
    model.bytes_read = Some(0);
    model.bytes_total = bytes.and_then(|bytes| i64::try_from(bytes).ok());
    begin_row(store, model).await
}

async fn begin_row(store: &Store, model: import_run::Model) -> Result<()> {
    store
        .write(async |tx| insert(tx, std::slice::from_ref(&model), Conflict::Fail).await)
        .await
        .map(|_| ())
}

/// Notes that a run begins which somebody asked for, with the offset of its times, and in the same transaction in the trail
/// that it was.
///
/// # Errors
/// When the database fails.
pub async fn begin_told(
    store: &Store,
    scope: WriteScope,
    (run, offset_minutes): (&NewRun, i32),
    (note, deed): (&Note, &Deed),
) -> Result<()> {
    let mut model = run_row(scope, run);
    model.offset_minutes = Some(offset_minutes);
    store
        .write(async |tx| {
            insert(tx, std::slice::from_ref(&model), Conflict::Fail).await?;
            audit::write(tx, scope.publisher(), note, deed).await
        })
        .await
}

/// The row of a run that begins.
pub(super) fn run_row(scope: WriteScope, run: &NewRun) -> import_run::Model {
    import_run::Model {
        publisher_id: scope.publisher().0,
        id: run.id,
        entrance: run.entrance.to_owned(),
        name: run.name.clone(),
        state: RunState::Running.as_str().to_owned(),
        started_at_us: run.started_at.micros(),
        finished_at_us: None,
        as_of_us: run.as_of.micros(),
        offset_minutes: None,
        read_count: 0,
        inserted_count: 0,
        deleted_count: 0,
        updated_count: 0,
        unchanged_count: 0,
        stale_count: 0,
        rejected_count: 0,
        rounded_count: 0,
        error: None,
        alive_at_us: Some(run.started_at.micros()),
        bytes_read: None,
        bytes_total: None,
    }
}

/// Notes that the file of a run is read, from its beginning: what an earlier reader that fell silent had counted and refused
/// is forgotten. What it wrote is stored, and is the same when it is written again.
///
/// # Errors
/// When the database fails.
pub async fn begin_again(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    as_of: Instant,
    now: Instant,
) -> Result<()> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("DELETE FROM import_rejects WHERE publisher_id = ")
                .bind(scope.publisher().0);
            sql.push(" AND run_id = ").bind(run);
            tx.execute(sql).await?;
            let mut sql = tx.sql();
            sql.push("UPDATE import_runs SET state = ")
                .bind(RunState::Running.as_str());
            sql.push(", as_of_us = ").bind(as_of.micros());
            sql.push(", alive_at_us = ").bind(now.micros());
            sql.push(
                ", finished_at_us = NULL, error = NULL, bytes_read = 0, read_count = 0, inserted_count = 0, \
                 updated_count = 0, unchanged_count = 0, stale_count = 0, deleted_count = 0, rejected_count = 0, \
                 rounded_count = 0 WHERE publisher_id = ",
            )
            .bind(scope.publisher().0)
            .push(" AND id = ")
            .bind(run);
            tx.execute(sql).await.map(|_| ())
        })
        .await
}

/// Notes a sign of life of a run, as long as it is not ended.
///
/// # Errors
/// When the database fails.
pub async fn stay_alive(store: &Store, scope: WriteScope, run: Uuid, now: Instant) -> Result<()> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE import_runs SET alive_at_us = ")
                .bind(now.micros());
            sql.push(" WHERE publisher_id = ").bind(scope.publisher().0);
            sql.push(" AND id = ").bind(run);
            sql.push(" AND state = ").bind(RunState::Running.as_str());
            tx.execute(sql).await.map(|_| ())
        })
        .await
}

/// Removes rejected records of runs that ended before `until`, at most `most`; gives how many. The runs and their counts
/// stay. Where there is nothing to remove nothing is written.
///
/// # Errors
/// When the database fails.
pub async fn forget_rejects(
    store: &Store,
    scope: WriteScope,
    until: Instant,
    most: u32,
) -> Result<u64> {
    let old = |sql: &mut Sql, most: u32| {
        sql.push(
            "SELECT j.run_id, j.ordinal FROM import_runs r JOIN import_rejects j ON j.publisher_id = r.publisher_id \
             AND j.run_id = r.id WHERE r.publisher_id = ",
        )
        .bind(scope.publisher().0);
        // No run ends before it starts, and by its start it is found.
        sql.push(" AND r.started_at_us < ").bind(until.micros());
        sql.push(" AND r.finished_at_us < ").bind(until.micros());
        sql.push(" AND r.rejected_count > 0 LIMIT ")
            .bind(i64::from(most));
    };
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    old(&mut sql, 1);
    if tx.rows(sql).await?.is_empty() {
        return Ok(0);
    }
    drop(tx);
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("DELETE FROM import_rejects WHERE publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND (run_id, ordinal) IN (");
            old(&mut sql, most);
            sql.push(")");
            tx.execute(sql).await
        })
        .await
}

/// Notes that rejected records of a run were mended by another one.
///
/// # Errors
/// When the database fails.
pub async fn resolve(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    ordinals: &[i32],
    by: Uuid,
) -> Result<()> {
    store
        .write(async |tx| {
            for ordinals in ordinals.chunks(IDS) {
                let mut sql = tx.sql();
                sql.push("UPDATE import_rejects SET resolved_by_run = ")
                    .bind(by);
                sql.push(" WHERE publisher_id = ").bind(scope.publisher().0);
                sql.push(" AND run_id = ").bind(run);
                sql.push(" AND ordinal IN ")
                    .bind_all(ordinals.iter().copied());
                tx.execute(sql).await?;
            }
            Ok(())
        })
        .await
}

/// Rejected records of a run that nobody has mended yet: those named, or all.
///
/// # Errors
/// When the database fails.
pub async fn unresolved(
    tx: &ReadTx,
    scope: ReadScope,
    run: Uuid,
    ordinals: Option<&[i32]>,
) -> Result<Vec<RejectedRecord>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM import_rejects t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND t.run_id = ").bind(run);
    sql.push(" AND t.resolved_by_run IS NULL");
    if let Some(ordinals) = ordinals {
        sql.push(" AND t.ordinal IN ")
            .bind_all(ordinals.iter().copied());
    }
    sql.push(" ORDER BY t.ordinal");
    let rows = tx.models::<import_reject::Entity>(sql).await?;
    Ok(rows.into_iter().map(to_reject).collect())
}

/// Notes how a run ended.
///
/// # Errors
/// When the database fails.
pub async fn finish(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    now: Instant,
    outcome: (RunState, Option<&str>),
) -> Result<()> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE import_runs SET state = ")
                .bind(outcome.0.as_str());
            sql.push(", finished_at_us = ")
                .bind(now.micros())
                .push(", error = ")
                .bind(outcome.1.map(str::to_owned));
            sql.push(" WHERE publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND id = ")
                .bind(run);
            tx.execute(sql).await.map(|_| ())
        })
        .await
}
