//! Segments that people made: what they are and what they were. Who is in them is `members`' to say; they are written in
//! `apply::segments`.

use super::convert::{inconsistent, instant, some_instant};
use super::listing::{self, Listing, column, look_ups};
use super::sql::Sql;
use super::tx::ReadTx;
use crate::domain::error::{Error, Result};
use crate::domain::filter::{Filter, Op, SegmentField, SegmentTest, Value};
use crate::domain::id::PublisherId;
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::rule::{Definitions, Rule, Segment, SegmentVersion, Subject};
use crate::domain::scope::ReadScope;
use crate::domain::text::fold;
use entity::segment;
use sea_orm::{FromQueryResult as _, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// What segments can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentSort {
    /// Name, folded.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it was changed last.
    UpdatedAt,
}

struct Segments;

impl Listing for Segments {
    type Entity = segment::Entity;
    type Record = Segment;
    type Test = SegmentTest;
    type Sort = SegmentSort;
    const TABLE: &'static str = "segments";

    fn column(sort: SegmentSort) -> (&'static str, bool) {
        match sort {
            SegmentSort::Name => ("name_key", false),
            SegmentSort::CreatedAt => ("created_at_us", false),
            SegmentSort::UpdatedAt => ("updated_at_us", false),
        }
    }

    fn value(record: &Segment, sort: SegmentSort) -> Value {
        match sort {
            SegmentSort::Name => name_key(record).into(),
            SegmentSort::CreatedAt => record.created_at.micros().into(),
            SegmentSort::UpdatedAt => record.updated_at.micros().into(),
        }
    }

    fn id(record: &Segment) -> Uuid {
        record.id
    }

    fn record(model: segment::Model) -> Result<Segment> {
        to_segment(model)
    }
}

look_ups!(Segments, Segment, SegmentTest, SegmentSort);

/// What names are unique by: folded; the name of an archived segment is free, so its id stands behind.
pub(super) fn name_key(segment: &Segment) -> String {
    let folded = fold(&segment.name);
    match segment.archived_at {
        None => folded,
        Some(_) => format!("{folded}\u{1}{}", segment.id),
    }
}

/// Whether another segment than `own` has a name, as it stands beside those that are not archived: one statement.
///
/// # Errors
/// When the database fails.
pub async fn is_taken(
    tx: &ReadTx,
    scope: ReadScope,
    name: &str,
    own: Option<Uuid>,
) -> Result<bool> {
    let mut sql = tx.sql();
    sql.push("SELECT t.id FROM segments t WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND t.name_key = ")
        .bind(fold(name));
    let rows = tx.rows(sql).await?;
    let others = rows.iter().map(|row| column::<Uuid>(row, "id"));
    let others = others.collect::<Result<Vec<Uuid>>>()?;
    Ok(others.into_iter().any(|id| Some(id) != own))
}

/// How many segments there are that are not archived: one statement.
///
/// # Errors
/// When the database fails.
pub async fn kept(tx: &ReadTx, scope: ReadScope) -> Result<i64> {
    let is_kept = SegmentTest(SegmentField::ArchivedAt, Op::IsNull(true));
    count(tx, scope, &Filter::Test(is_kept)).await
}

pub(super) fn to_segment(row: segment::Model) -> Result<Segment> {
    const TABLE: &str = "segments";
    let subject =
        Subject::parse(&row.subject).ok_or_else(|| inconsistent(TABLE, row.id, "subject"))?;
    Ok(Segment {
        id: row.id,
        subject,
        name: row.name,
        description: row.description,
        version: row.version,
        created_at: instant(row.created_at_us, TABLE, "created_at_us")?,
        updated_at: instant(row.updated_at_us, TABLE, "updated_at_us")?,
        frozen_at: some_instant(row.frozen_at_us, TABLE, "frozen_at_us")?,
        frozen_from: row.frozen_from_id.zip(row.frozen_from_version),
        archived_at: some_instant(row.archived_at_us, TABLE, "archived_at_us")?,
    })
}

/// Appends the query for segments with their rules, and all that these name, whatever their state.
pub(super) fn write_definitions(publisher: PublisherId, ids: &[Uuid], sql: &mut Sql) {
    sql.push("WITH RECURSIVE need(id) AS (SELECT s.id FROM segments s WHERE s.publisher_id = ")
        .bind(publisher.0)
        .push(" AND s.id IN ")
        .bind_all(ids.iter().copied())
        .push(
            " UNION SELECT u.used_id FROM need n JOIN segment_uses u ON u.segment_id = n.id AND u.publisher_id = ",
        )
        .bind(publisher.0)
        .push(
            ") SELECT t.*, v.rule FROM need n JOIN segments t ON t.id = n.id \
             JOIN segment_versions v ON v.publisher_id = t.publisher_id AND v.segment_id = t.id AND v.version = t.version \
             WHERE t.publisher_id = ",
        )
        .bind(publisher.0);
}

/// The definitions in the rows of [`write_definitions`] or [`write_live`].
pub(super) fn to_definitions(rows: &[QueryResult]) -> Result<Definitions> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let model = segment::Model::from_query_result(row, "").map_err(Error::internal)?;
        let rule = Rule::from_text(&column::<String>(row, "rule")?)?;
        all.push((to_segment(model)?, rule));
    }
    Ok(Definitions::new(all))
}

/// Segments with their rules, and all that these name, whatever their state; without those that there are not: one
/// statement. For a key with limits there are none: what people defined speaks of all rows.
///
/// # Errors
/// When the database fails.
pub async fn load(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Definitions> {
    if ids.is_empty() || tx.is_limited() {
        return Ok(Definitions::default().within(tx.limits().rules));
    }
    let mut sql = tx.sql();
    write_definitions(scope.publisher(), ids, &mut sql);
    let all = to_definitions(&tx.rows(sql).await?)?;
    Ok(all.within(tx.limits().rules))
}

/// All segments that are evaluated whenever they are asked for, with their rules: one statement.
///
/// # Errors
/// When the database fails.
pub async fn live(tx: &ReadTx, scope: ReadScope) -> Result<Definitions> {
    let mut sql = tx.sql();
    write_live(scope.publisher(), &mut sql);
    let all = to_definitions(&tx.rows(sql).await?)?;
    Ok(all.within(tx.limits().rules))
}

/// Appends the query for the segments that are evaluated whenever they are asked for, neither archived nor frozen, with their
/// rules.
pub(super) fn write_live(publisher: PublisherId, sql: &mut Sql) {
    sql.push(
        "SELECT t.*, v.rule FROM segments t JOIN segment_versions v ON v.publisher_id = t.publisher_id \
         AND v.segment_id = t.id AND v.version = t.version WHERE t.publisher_id = ",
    )
    .bind(publisher.0)
    .push(" AND t.archived_at_us IS NULL AND t.frozen_at_us IS NULL");
}

/// The rules of segments as their authors sent them: one statement, which reads no earlier version.
///
/// # Errors
/// When the database fails.
pub async fn given(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<HashMap<Uuid, String>> {
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(listing::IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.id, v.given");
        write_versions(scope, ids, &mut sql);
        sql.push(" AND v.version = t.version");
        for row in tx.rows(sql).await? {
            found.insert(column(&row, "id")?, column(&row, "given")?);
        }
    }
    Ok(found)
}

/// Which versions of each segment are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// So many at most, the latest.
    pub first: u32,
    /// Only those before this one.
    pub before: Option<i32>,
    /// Whether their rules are read.
    pub with_rules: bool,
}

/// Versions of segments, the latest first: one statement, which reads no others.
///
/// # Errors
/// When the database fails.
pub async fn versions(
    tx: &ReadTx,
    scope: ReadScope,
    ids: &[Uuid],
    which: Versions,
) -> Result<HashMap<Uuid, Vec<SegmentVersion>>> {
    let mut found: HashMap<Uuid, Vec<SegmentVersion>> = HashMap::new();
    let before = i64::from(which.before.unwrap_or(i32::MAX));
    for ids in ids.chunks(listing::IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT v.segment_id, v.version, v.name, v.description, v.created_at_us");
        if which.with_rules {
            sql.push(", v.given");
        }
        write_versions(scope, ids, &mut sql);
        // Versions are numbered without gaps.
        sql.push(" AND v.version < ")
            .bind(before)
            .push(" AND v.version >= CASE WHEN t.version < ")
            .bind(before)
            .push(" THEN t.version + 1 ELSE ")
            .bind(before)
            .push(" END - ")
            .bind(i64::from(which.first))
            .push(" ORDER BY v.segment_id, v.version DESC");
        for row in tx.rows(sql).await? {
            let version = to_segment_version(&row, which.with_rules)?;
            let own = found.entry(column(&row, "segment_id")?).or_default();
            own.push(version);
        }
    }
    Ok(found)
}

fn to_segment_version(row: &QueryResult, with_rule: bool) -> Result<SegmentVersion> {
    let given = with_rule.then(|| column(row, "given")).transpose()?;
    Ok(SegmentVersion {
        version: column(row, "version")?,
        name: column(row, "name")?,
        description: column(row, "description")?,
        given,
        created_at: instant(
            column(row, "created_at_us")?,
            "segment_versions",
            "created_at_us",
        )?,
    })
}

/// Appends where versions of segments are read, `v`, and of which.
fn write_versions(scope: ReadScope, ids: &[Uuid], sql: &mut Sql) {
    sql.push(
        " FROM segments t JOIN segment_versions v ON v.publisher_id = t.publisher_id AND v.segment_id = t.id \
         WHERE t.publisher_id = ",
    )
    .bind(scope.publisher().0)
    .push(" AND t.id IN ")
    .bind_all(ids.iter().copied());
}
