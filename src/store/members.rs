//! Who is in segments: sizes, overlaps, and why. Lists of members are lists of users or products with a filter.

use super::columns::rules;
use super::error::statement_too_large;
use super::listing::{IDS, column};
use super::sql::Sql;
use super::sql::segment::{Actual, table, write_actual, write_each, write_set};
use super::tx::ReadTx;
use crate::domain::error::{Error, Result};
use crate::domain::rule::{Called, MemberIds, SegmentSet, SetOf, Subject};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use crate::domain::totals::{Grain, Total};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// How many ids of built-in segments a statement about several sets lists: what takes some tens of megabytes.
pub(super) const MAX_LISTED: usize = 500_000;

/// How many sets one statement counts: SQLite takes 500 queries in one.
const AT_ONCE: usize = 200;

/// How many members each set has: no statement for those whose members were looked up or counted, one for up to 200 others, as
/// long as the values in them, and the members of built-in segments that they name, are few enough for one.
///
/// # Errors
/// When one of the sets is too large for a statement, or the database fails.
pub async fn sizes(tx: &ReadTx, sets: &[Arc<SegmentSet>]) -> Result<Vec<i64>> {
    let known = |set: &SegmentSet| {
        let members = set.members.as_ref();
        let listed = members.and_then(|members| i64::try_from(members.ids().len()).ok());
        listed.or(set.size)
    };
    let asked: Vec<&Arc<SegmentSet>> = sets.iter().filter(|set| known(set).is_none()).collect();
    let mut counted = count(tx, &asked).await?.into_iter();
    let size =
        |set: &Arc<SegmentSet>| known(set).unwrap_or_else(|| counted.next().unwrap_or_default());
    Ok(sets.iter().map(size).collect())
}

async fn count(tx: &ReadTx, sets: &[&Arc<SegmentSet>]) -> Result<Vec<i64>> {
    let mut all = Vec::with_capacity(sets.len());
    let (mut sql, mut waiting) = (tx.sql(), 0);
    let most = tx.limits().statement_values;
    for set in sets {
        let mut own = sql.fresh();
        write_set(set, &mut own);
        check(&own, most)?;
        let is_full = sql.bound() + own.bound() > most || sql.ids() + own.ids() > MAX_LISTED;
        if waiting == AT_ONCE || waiting > 0 && is_full {
            let full = std::mem::replace(&mut sql, own.fresh());
            all.extend(counted(tx, full, waiting).await?);
            waiting = 0;
        }
        sql.push(if waiting == 0 { "" } else { " UNION ALL " })
            .push(&format!("SELECT {waiting} AS place, COUNT(*) AS n FROM ("))
            .append(&own)
            .push(&format!(") s{waiting}"));
        waiting += 1;
    }
    if waiting > 0 {
        all.extend(counted(tx, sql, waiting).await?);
    }
    Ok(all)
}

/// What a statement of [`sizes`] counts, by the places of its sets.
async fn counted(tx: &ReadTx, sql: Sql, sets: usize) -> Result<Vec<i64>> {
    let mut sizes = vec![0; sets];
    for row in tx.rows(sql).await? {
        let place = usize::try_from(column::<i32>(&row, "place")?).unwrap_or(usize::MAX);
        if let Some(size) = sizes.get_mut(place) {
            *size = column(&row, "n")?;
        }
    }
    Ok(sizes)
}

/// How many members are in exactly which of up to 31 sets, as bits from the first set on: one statement, none where the members
/// of all were looked up.
///
/// # Errors
/// When the sets are too large for one statement, or the database fails.
pub async fn overlaps(tx: &ReadTx, sets: &[Arc<SegmentSet>]) -> Result<BTreeMap<i64, i64>> {
    let known: Option<Vec<Arc<MemberIds>>> = sets.iter().map(|set| set.members.clone()).collect();
    if let Some(known) = known {
        // There may be millions of them.
        let counted = tokio::task::spawn_blocking(move || overlaps_of(&known));
        return counted.await.map_err(Error::internal);
    }
    let mut sql = tx.sql();
    sql.push("SELECT CAST(g.mask AS bigint) AS mask, COUNT(*) AS n FROM (SELECT u.id, SUM(u.bit) AS mask FROM (");
    for (place, set) in sets.iter().enumerate() {
        sql.push(if place == 0 { "" } else { " UNION ALL " });
        sql.push(&format!(
            "SELECT s{place}.id, {} AS bit FROM (",
            1_i64 << place
        ));
        write_set(set, &mut sql);
        sql.push(&format!(") s{place}"));
    }
    sql.push(") u GROUP BY u.id) g GROUP BY g.mask");
    check(&sql, tx.limits().statement_values)?;
    let rows = tx.rows(sql).await?;
    rows.iter()
        .map(|row| Ok((column(row, "mask")?, column(row, "n")?)))
        .collect()
}

/// Likewise, of members that were looked up: all lists are gone through at once, in the order of their ids.
fn overlaps_of(sets: &[Arc<MemberIds>]) -> BTreeMap<i64, i64> {
    let mut left: Vec<&[Uuid]> = sets.iter().map(|members| members.ids()).collect();
    let mut counts = BTreeMap::new();
    while let Some(next) = left.iter().filter_map(|ids| ids.first()).min().copied() {
        let mut mask = 0_i64;
        for (place, ids) in left.iter_mut().enumerate() {
            while let Some((_, rest)) = ids.split_first().filter(|(first, _)| **first == next) {
                *ids = rest;
                mask |= 1 << place;
            }
        }
        *counts.entry(mask).or_default() += 1;
    }
    counts
}

/// What a condition measured of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A value.
    Value(i64),
    /// A value, and its place in the ranking.
    Place(i64, i64),
    /// The country of the latest click; none where it is not known.
    Country(Option<String>),
}

/// Why a member is in a set: for each condition of its rule, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Whether it holds.
    pub holds: Vec<bool>,
    /// What it measured; nothing where it measures nothing, or where there is nothing to be measured.
    pub measured: Vec<Option<Measured>>,
}

/// Why users or products are in a set, or not: one statement, and one for each condition that measures something; where
/// columns in memory tell all that it measures, those of its own fields and of lists.
///
/// # Errors
/// When the set is too large for one statement, or the database fails.
pub async fn explain(
    tx: &ReadTx,
    scope: ReadScope,
    set: &SegmentSet,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Explained>> {
    let SetOf::Rule { rule, .. } = &set.of else {
        return Ok(HashMap::new());
    };
    if let Some(explained) = rules::explain(tx, scope, set, ids).await? {
        return Ok(explained);
    }
    let conditions = rule.conditions(&Called::new()).len();
    let mut sql = tx.sql();
    sql.push("SELECT x.id");
    write_each(set, &mut sql);
    sql.push(&format!(
        " FROM {} x WHERE x.publisher_id = ",
        table(set.subject)
    ))
    .bind(set.publisher.0)
    .push(" AND x.id IN ")
    .bind_all(ids.iter().copied());
    check(&sql, tx.limits().statement_values)?;
    let mut found = HashMap::new();
    for row in tx.rows(sql).await? {
        let holds = (0..conditions)
            .map(|number| Ok(column::<i32>(&row, &format!("h{number}"))? == 1))
            .collect::<Result<Vec<bool>>>()?;
        let explained = Explained {
            holds,
            measured: vec![None; conditions],
        };
        found.insert(column::<Uuid>(&row, "id")?, explained);
    }
    for number in 0..conditions {
        let mut sql = tx.sql();
        let Some(actual) = write_actual(set, number, ids, &mut sql) else {
            continue;
        };
        check(&sql, tx.limits().statement_values)?;
        for row in tx.rows(sql).await? {
            let measured = match actual {
                Actual::Value => Measured::Value(column(&row, "value")?),
                Actual::Place => Measured::Place(column(&row, "value")?, column(&row, "place")?),
                Actual::Country => Measured::Country(column(&row, "country")?),
            };
            let place = found
                .get_mut(&column::<Uuid>(&row, "id")?)
                .and_then(|explained: &mut Explained| explained.measured.get_mut(number));
            if let Some(place) = place {
                *place = Some(measured);
            }
        }
    }
    Ok(found)
}

/// How many actions lie in stretches of time, to the day: one statement, from the totals where these keep apart what is
/// seen.
///
/// # Errors
/// When the database fails.
pub async fn actions_in(tx: &ReadTx, scope: ReadScope, spans: &[Span]) -> Result<Vec<i64>> {
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let from_totals = scope.narrowing().leaves(Total::Time);
    let (place_in_time, actions) = if from_totals {
        ("t.cell", "t.actions")
    } else {
        ("t.ordered_at_us", "1")
    };
    let day = |cell: i64| {
        if from_totals {
            cell
        } else {
            Grain::Day.start(cell)
        }
    };
    let mut sql = tx.sql();
    sql.push("SELECT ");
    for (place, span) in spans.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " });
        sql.push(&format!("CAST(COALESCE(SUM(CASE WHEN {place_in_time} >= "))
            .bind(day(Grain::Day.cell(span.from)))
            .push(&format!(" AND {place_in_time} < "))
            .bind(day(Grain::Day.cell(span.to) + 1))
            .push(&format!(
                " THEN {actions} ELSE 0 END), 0) AS bigint) AS n{place}"
            ));
    }
    if from_totals {
        sql.push(" FROM totals_time t WHERE t.publisher_id = ")
            .bind(scope.publisher().0)
            .push(" AND t.grain = ")
            .bind(Grain::Day.number());
    } else {
        sql.push(" FROM actions t WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
    }
    let rows = tx.rows(sql).await?;
    let numbers = 0..spans.len();
    numbers
        .map(|place| {
            rows.first()
                .map_or(Ok(0), |row| column(row, &format!("n{place}")))
        })
        .collect()
}

fn check(sql: &Sql, most: usize) -> Result<()> {
    if sql.bound() > most {
        return Err(statement_too_large(sql.bound(), most));
    }
    Ok(())
}

/// Which of these ids users or products have: one statement for up to 10,000.
///
/// # Errors
/// When the database fails.
pub async fn known_ids(
    tx: &ReadTx,
    scope: ReadScope,
    subject: Subject,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>> {
    let mut found = HashSet::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push(&format!(
            "SELECT x.id FROM {} x WHERE x.publisher_id = ",
            table(subject)
        ))
        .bind(scope.publisher().0)
        .push(" AND x.id IN ")
        .bind_all(ids.iter().copied());
        for row in tx.rows(sql).await? {
            found.insert(column(&row, "id")?);
        }
    }
    Ok(found)
}

/// Which of these SubID values users have: one statement for up to 10,000.
///
/// # Errors
/// When the database fails.
pub async fn known_values(
    tx: &ReadTx,
    scope: ReadScope,
    values: &[&str],
) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for values in values.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT x.value FROM users x WHERE x.publisher_id = ")
            .bind(scope.publisher().0)
            .push(" AND x.value IN ")
            .bind_all(values.iter().copied());
        for row in tx.rows(sql).await? {
            found.insert(column(&row, "value")?);
        }
    }
    Ok(found)
}
