//! The part of the write path that segments take: under the publisher's lock, so that names stay unique, no segment leads
//! back to itself and of two changes of one version only the first is taken. A version, once written, never changes.

mod check;

use super::super::apart;
use super::super::audit::write_segment;
use super::{lock, raise_version};
use crate::domain::audit::{Act, Note};
use crate::domain::error::{PassedLimit, Result};
use crate::domain::id::PublisherId;
use crate::domain::money::Currency;
use crate::domain::rule::{Refers as _, Rule, Segment, SegmentSet};
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::definitions::{name_key, to_segment};
use crate::store::sql::insert::{Conflict, insert};
use crate::store::sql::segment::{table, write_set};
use crate::store::tx::WriteTx;
use check::{broken, check_change, check_name, check_rule, definitions};
use entity::{segment, segment_use, segment_version};
use sea_orm::{DbBackend, DbErr};
use std::slice;
use std::sync::Arc;
use uuid::Uuid;

/// Why a segment is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none with this id.
    Missing,
    /// It is not in the version that was expected, but in this one.
    Moved(i32),
    /// Another one has the name.
    NameTaken,
    /// There are as many as there can be, which is so many.
    Full(i64),
    /// It is archived, and must be restored first.
    Archived,
    /// It is not archived, so that restoring it names it no other way.
    NotArchived,
    /// Its members are fixed: it is frozen.
    Frozen,
    /// It names segments that are archived, or not there any more, by these names.
    NamesArchived(Vec<String>),
    /// It would lead back to itself on this way.
    Cycle(Vec<String>),
    /// With what it names it is too large.
    TooLarge(Option<PassedLimit>, String),
    /// A segment that names it, by this name, would be too large or too deep with it.
    TooLargeFor(String, Option<PassedLimit>, String),
    /// These segments name it.
    Named(Vec<String>),
    /// It asks for a built-in segment in a currency that the publisher's settings do not go with, which this says.
    Unscored(Currency, String),
}

/// What became of a write.
pub type Written = std::result::Result<Segment, Refused>;

/// A change of a segment.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which.
    pub id: Uuid,
    /// The version that the author of the change knows.
    pub expected: i32,
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new rule, and as its author sent it.
    pub rule: Option<(Rule, String)>,
    /// The present.
    pub now: Instant,
}

impl Change {
    /// What of the segment it changes, by the names of the arguments.
    fn parts(&self) -> Vec<&'static str> {
        let parts = [
            ("name", self.name.is_some()),
            ("description", self.description.is_some()),
            ("rule", self.rule.is_some()),
        ];
        let given = parts.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Order {
    /// A new segment in its first version.
    Create {
        /// The segment.
        segment: Segment,
        /// Its rule.
        rule: Rule,
        /// The rule as its author sent it.
        given: String,
        /// Who is in it, of a frozen one.
        members: Option<Arc<SegmentSet>>,
    },
    /// A change.
    Update(Change),
    /// Put a segment away, which no other may name; in the version that it must have, if it must.
    Archive(Uuid, Option<i32>, Instant),
    /// Take a segment back that was put away, likewise; with a new name, where it has one, in a new version.
    Restore(Uuid, Option<i32>, Option<String>, Instant),
}

/// Carries an order out, all of it or nothing; what is refused, or was so before, leaves nothing in the trail either.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn carry_out(
    store: Store,
    scope: WriteScope,
    order: Order,
    note: Note,
) -> Result<Written> {
    apart(async move || match &order {
        Order::Create {
            segment,
            rule,
            given,
            members,
        } => {
            create(
                &store,
                (scope, &note),
                (segment, rule, given),
                members.as_deref(),
            )
            .await
        }
        Order::Update(change) => update(&store, (scope, &note), change).await,
        Order::Archive(id, expected, now) => {
            archive(&store, (scope, &note), (*id, *expected), *now).await
        }
        Order::Restore(id, expected, name, now) => {
            let name = name.as_deref();
            restore(&store, (scope, &note), (*id, *expected), (name, *now)).await
        }
    })
    .await
}

/// Writes a new segment in its first version; of a frozen one, with its members.
async fn create(
    store: &Store,
    (scope, note): (WriteScope, &Note),
    (segment, rule, given): (&Segment, &Rule, &str),
    members: Option<&SegmentSet>,
) -> Result<Written> {
    let publisher = scope.publisher();
    let text = rule.to_text()?;
    let version = to_version(publisher, segment, (&text, given));
    let limits = &store.limits().rules;
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            if count(tx, publisher).await? >= limits.segments {
                return Ok(Err(Refused::Full(limits.segments)));
            }
            if let Some(refused) = check_name(tx, publisher, segment).await? {
                return Ok(Err(refused));
            }
            if segment.frozen_at.is_none()
                && let Some(refused) = check_rule(tx, (publisher, limits), segment.id, rule).await?
            {
                return Ok(Err(refused));
            }
            insert(tx, &[to_row(publisher, segment)], Conflict::Fail).await?;
            insert(tx, slice::from_ref(&version), Conflict::Fail).await?;
            match members {
                Some(set) => take_members(tx, publisher, segment.id, set).await?,
                None => write_uses(tx, publisher, segment.id, rule).await?,
            }
            let act = if segment.frozen_at.is_some() {
                Act::SegmentFrozen
            } else {
                Act::SegmentCreated
            };
            write_segment(tx, publisher, note, (act, segment, &[])).await?;
            raise_version(tx, publisher, sequence, segment.created_at).await?;
            Ok(Ok(segment.clone()))
        })
        .await
}

/// Changes a segment, which then has a new version.
async fn update(
    store: &Store,
    (scope, note): (WriteScope, &Note),
    change: &Change,
) -> Result<Written> {
    let publisher = scope.publisher();
    let text = change
        .rule
        .as_ref()
        .map(|(rule, _)| rule.to_text())
        .transpose()?;
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let Some(mut segment) = read(tx, publisher, change.id).await? else {
                return Ok(Err(Refused::Missing));
            };
            if segment.version != change.expected {
                return Ok(Err(Refused::Moved(segment.version)));
            }
            if segment.archived_at.is_some() {
                return Ok(Err(Refused::Archived));
            }
            if segment.frozen_at.is_some() && change.rule.is_some() {
                return Ok(Err(Refused::Frozen));
            }
            let before = segment.version;
            segment.version += 1;
            segment.updated_at = change.now;
            if let Some(name) = &change.name {
                segment.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                segment.description.clone_from(description);
            }
            if let Some(refused) = check_name(tx, publisher, &segment).await? {
                return Ok(Err(refused));
            }
            if let Some((rule, _)) = &change.rule {
                if let Some(refused) =
                    check_change(tx, (publisher, &store.limits().rules), &segment, rule).await?
                {
                    return Ok(Err(refused));
                }
                write_uses(tx, publisher, segment.id, rule).await?;
            }
            insert(tx, &[to_row(publisher, &segment)], Conflict::Replace).await?;
            let given = change.rule.as_ref().map(|(_, given)| given.as_str());
            next_version(
                tx,
                publisher,
                (&segment, before),
                text.as_deref().zip(given),
            )
            .await?;
            let parts = change.parts();
            let told = (Act::SegmentUpdated, &segment, parts.as_slice());
            write_segment(tx, publisher, note, told).await?;
            raise_version(tx, publisher, sequence, change.now).await?;
            Ok(Ok(segment))
        })
        .await
}

/// Puts a segment away, which no other may name.
async fn archive(
    store: &Store,
    (scope, note): (WriteScope, &Note),
    (id, expected): (Uuid, Option<i32>),
    now: Instant,
) -> Result<Written> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let mut segment = match known(tx, publisher, id, expected).await? {
                Ok(segment) => segment,
                Err(refused) => return Ok(Err(refused)),
            };
            if segment.archived_at.is_some() {
                return Ok(Ok(segment));
            }
            let named = users_of(tx, publisher, id).await?;
            if !named.is_empty() {
                return Ok(Err(Refused::Named(named)));
            }
            segment.archived_at = Some(now);
            segment.updated_at = now;
            insert(tx, &[to_row(publisher, &segment)], Conflict::Replace).await?;
            write_segment(tx, publisher, note, (Act::SegmentArchived, &segment, &[])).await?;
            raise_version(tx, publisher, sequence, now).await?;
            Ok(Ok(segment))
        })
        .await
}

/// Takes a segment back that was put away; by a new name, if it is given one.
async fn restore(
    store: &Store,
    (scope, note): (WriteScope, &Note),
    (id, expected): (Uuid, Option<i32>),
    (name, now): (Option<&str>, Instant),
) -> Result<Written> {
    let publisher = scope.publisher();
    let limits = &store.limits().rules;
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let mut segment = match known(tx, publisher, id, expected).await? {
                Ok(segment) => segment,
                Err(refused) => return Ok(Err(refused)),
            };
            if segment.archived_at.take().is_none() {
                let is_other = name.is_some_and(|name| name != segment.name);
                return Ok(if is_other {
                    Err(Refused::NotArchived)
                } else {
                    Ok(segment)
                });
            }
            segment.updated_at = now;
            let before = segment.version;
            let name = name.filter(|name| *name != segment.name);
            if let Some(name) = name {
                segment.version += 1;
                name.clone_into(&mut segment.name);
            }
            if count(tx, publisher).await? >= limits.segments {
                return Ok(Err(Refused::Full(limits.segments)));
            }
            if let Some(refused) = check_name(tx, publisher, &segment).await? {
                return Ok(Err(refused));
            }
            let all = definitions(tx, (publisher, limits), &[id]).await?;
            if let Some(rule) = all.rule(id).filter(|_| segment.frozen_at.is_none())
                && let Some(refused) = check_rule(tx, (publisher, limits), id, rule).await?
            {
                return Ok(Err(refused));
            }
            insert(tx, &[to_row(publisher, &segment)], Conflict::Replace).await?;
            let mut changed: &[&str] = &[];
            if name.is_some() {
                next_version(tx, publisher, (&segment, before), None).await?;
                changed = &["name"];
            }
            let told = (Act::SegmentRestored, &segment, changed);
            write_segment(tx, publisher, note, told).await?;
            raise_version(tx, publisher, sequence, now).await?;
            Ok(Ok(segment))
        })
        .await
}

async fn read(tx: &WriteTx, publisher: PublisherId, id: Uuid) -> Result<Option<Segment>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM segments t WHERE t.publisher_id = ")
        .bind(publisher.0)
        .push(" AND t.id = ")
        .bind(id);
    let row = tx.models::<segment::Entity>(sql).await?.pop();
    row.map(|row| to_segment(row).map_err(|error| broken(&error)))
        .transpose()
}

async fn known(
    tx: &WriteTx,
    publisher: PublisherId,
    id: Uuid,
    expected: Option<i32>,
) -> Result<Written, DbErr> {
    Ok(match read(tx, publisher, id).await? {
        None => Err(Refused::Missing),
        Some(segment) if expected.is_some_and(|expected| expected != segment.version) => {
            Err(Refused::Moved(segment.version))
        }
        Some(segment) => Ok(segment),
    })
}

async fn count(tx: &WriteTx, publisher: PublisherId) -> Result<i64, DbErr> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT COUNT(*) AS n FROM segments t WHERE t.archived_at_us IS NULL AND t.publisher_id = ",
    )
    .bind(publisher.0);
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| row.try_get("", "n"))
}

/// The names of the segments that name another one and are not archived.
async fn users_of(tx: &WriteTx, publisher: PublisherId, id: Uuid) -> Result<Vec<String>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.name FROM segment_uses u JOIN segments t ON t.publisher_id = u.publisher_id AND t.id = u.segment_id WHERE u.publisher_id = ")
        .bind(publisher.0)
        .push(" AND u.used_id = ")
        .bind(id)
        .push(" AND t.archived_at_us IS NULL ORDER BY t.name_key");
    let rows = tx.rows(sql).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

async fn write_uses(
    tx: &WriteTx,
    publisher: PublisherId,
    id: Uuid,
    rule: &Rule,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM segment_uses WHERE publisher_id = ")
        .bind(publisher.0)
        .push(" AND segment_id = ")
        .bind(id);
    tx.execute(sql).await?;
    let named = rule.clone().named().into_iter();
    let rows: Vec<segment_use::Model> = named
        .map(|used_id| segment_use::Model {
            publisher_id: publisher.0,
            segment_id: id,
            used_id,
        })
        .collect();
    insert(tx, &rows, Conflict::Fail).await.map(|_| ())
}

/// Writes who is in a set as the members of a frozen segment: one statement, so that nobody is read in between. Members that
/// were looked up before the lock was taken may be gone since: who is not there any more is no member.
async fn take_members(
    tx: &WriteTx,
    publisher: PublisherId,
    id: Uuid,
    set: &SegmentSet,
) -> Result<(), DbErr> {
    if tx.backend() == DbBackend::Postgres {
        // As much as readers have: with less, who is in none of a large set would be looked for row by row.
        let mut sql = tx.sql();
        sql.push("SET LOCAL work_mem = '32MB'");
        tx.execute(sql).await?;
    }
    let mut members = tx.sql();
    write_set(set, &mut members);
    let mut sql = tx.sql();
    sql.push("INSERT INTO segment_members (publisher_id, segment_id, member_id) SELECT f.publisher_id, f.id, x.id FROM (")
        .append(&members)
        .push(&format!(
            ") s JOIN {} x ON x.id = s.id AND x.publisher_id = ",
            table(set.subject)
        ))
        .bind(publisher.0)
        .push(" CROSS JOIN segments f WHERE f.publisher_id = ")
        .bind(publisher.0)
        .push(" AND f.id = ")
        .bind(id);
    tx.execute(sql).await.map(|_| ())
}

/// Writes the next version of a segment: the rule of the one before, where it has no new one.
async fn next_version(
    tx: &WriteTx,
    publisher: PublisherId,
    (segment, before): (&Segment, i32),
    rule: Option<(&str, &str)>,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT v.* FROM segment_versions v WHERE v.publisher_id = ")
        .bind(publisher.0)
        .push(" AND v.segment_id = ")
        .bind(segment.id)
        .push(" AND v.version = ")
        .bind(before);
    let held = tx.models::<segment_version::Entity>(sql).await?.pop();
    let missing = || DbErr::RecordNotFound("segment_versions".into());
    let mut row = held.ok_or_else(missing)?;
    row.version = segment.version;
    row.name.clone_from(&segment.name);
    row.description.clone_from(&segment.description);
    row.created_at_us = segment.updated_at.micros();
    if let Some((text, given)) = rule {
        text.clone_into(&mut row.rule);
        given.clone_into(&mut row.given);
    }
    insert(tx, &[row], Conflict::Fail).await.map(|_| ())
}

fn to_row(publisher: PublisherId, segment: &Segment) -> segment::Model {
    segment::Model {
        publisher_id: publisher.0,
        id: segment.id,
        subject: segment.subject.as_str().to_owned(),
        name: segment.name.clone(),
        name_key: name_key(segment),
        description: segment.description.clone(),
        version: segment.version,
        created_at_us: segment.created_at.micros(),
        updated_at_us: segment.updated_at.micros(),
        frozen_at_us: segment.frozen_at.map(Instant::micros),
        frozen_from_id: segment.frozen_from.map(|(id, _)| id),
        frozen_from_version: segment.frozen_from.map(|(_, version)| version),
        archived_at_us: segment.archived_at.map(Instant::micros),
    }
}

fn to_version(
    publisher: PublisherId,
    segment: &Segment,
    (rule, given): (&str, &str),
) -> segment_version::Model {
    segment_version::Model {
        publisher_id: publisher.0,
        segment_id: segment.id,
        version: segment.version,
        name: segment.name.clone(),
        description: segment.description.clone(),
        rule: rule.to_owned(),
        given: given.to_owned(),
        created_at_us: segment.created_at.micros(),
    }
}
