//! Who is in segments, as numbers of columns: for what they did, to which whoever has no fact has added nothing.

use super::super::listing::column;
use super::super::tx::ReadTx;
use super::marks::Marks;
use super::names::{Directory, Names};
use super::rules::{self, Answers};
use super::snapshot::Snapshot;
use crate::domain::error::Result;
use crate::domain::rule::{MemberIds, SegmentSet, SetOf, Subject};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// How many members of frozen segments are read: what takes some hundred megabytes while it is read. More are SQL's.
const MOST_FROZEN: usize = 200_000;
/// How many bytes of marks are kept at a time. Sets that would go beyond are SQL's.
const MOST_MARKED: usize = 64 << 20;

/// Who is in a set.
#[derive(Clone, Debug)]
pub(super) enum Crowd {
    /// By their ids.
    Listed(Arc<MemberIds>),
    /// By their numbers.
    Marked(Arc<Marks>),
}

impl Crowd {
    /// Their numbers, of users or of products.
    pub(super) fn marks(&self, names: &Names<Uuid>) -> Arc<Marks> {
        match self {
            Self::Listed(members) => Arc::new(marked(members.ids(), names)),
            Self::Marked(marks) => Arc::clone(marks),
        }
    }
}

fn marked<'a>(ids: impl IntoIterator<Item = &'a Uuid>, names: &Names<Uuid>) -> Marks {
    let mut marks = Marks::none(names.room());
    for number in ids.into_iter().filter_map(|id| names.find(id)) {
        marks.put(number);
    }
    marks
}

/// The names of a subject.
pub(super) fn named(subject: Subject, names: &Directory) -> &Names<Uuid> {
    match subject {
        Subject::Users => &names.users,
        Subject::Products => &names.products,
    }
}

/// Who is in sets, of each of which is asked what was done in a stretch of time; nothing of those that are left to SQL. One
/// statement for all that are frozen, and those of the conditions that columns cannot test, of sets whose members nobody
/// looked up.
pub(super) async fn crowds(
    tx: &ReadTx,
    scope: ReadScope,
    snapshot: &Snapshot,
    asked: &[(Arc<SegmentSet>, Span)],
) -> Result<Vec<Option<Crowd>>> {
    let frozen = frozen(tx, scope, snapshot, asked).await?;
    let answers = Answers::default();
    let mut room = MOST_MARKED;
    let mut all = Vec::with_capacity(asked.len());
    for (set, span) in asked {
        let crowd = match (&set.members, &set.of) {
            (Some(members), _) => Some(Crowd::Listed(Arc::clone(members))),
            (None, SetOf::Frozen) => frozen.get(&set.id).cloned().map(Crowd::Marked),
            // Who does something up to the moment has a fact before it. What those do afterwards who had none, no mark tells.
            (None, SetOf::Rule { at, .. }) if span.to <= *at && room > 0 => {
                let told = rules::tell_of_seen(tx, scope, set, &answers).await?;
                room = room.saturating_sub(told.as_ref().map_or(0, Marks::bytes));
                told.map(|marks| Crowd::Marked(Arc::new(marks)))
            }
            (None, SetOf::Rule { .. }) => None,
        };
        if crowd.is_none() {
            tx.note_left();
        }
        all.push(crowd);
    }
    Ok(all)
}

/// Who is in the frozen segments, unless they are too many: one statement, none without such segments.
async fn frozen(
    tx: &ReadTx,
    scope: ReadScope,
    snapshot: &Snapshot,
    asked: &[(Arc<SegmentSet>, Span)],
) -> Result<HashMap<Uuid, Arc<Marks>>> {
    let sets = asked.iter().map(|(set, _)| set);
    let sets = sets.filter(|set| set.of == SetOf::Frozen && set.members.is_none());
    let subjects: HashMap<Uuid, Subject> = sets.map(|set| (set.id, set.subject)).collect();
    if subjects.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.sql();
    sql.push("SELECT m.segment_id, m.member_id FROM segment_members m WHERE m.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" AND m.segment_id IN ")
        .bind_all(subjects.keys().copied())
        .push(&format!(" LIMIT {}", MOST_FROZEN + 1));
    let rows = tx.rows(sql).await?;
    if rows.len() > MOST_FROZEN {
        return Ok(HashMap::new());
    }
    let mut members: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in &rows {
        let all = members.entry(column(row, "segment_id")?).or_default();
        all.push(column(row, "member_id")?);
    }
    let names = snapshot.names();
    let frozen = subjects.into_iter().map(|(id, subject)| {
        let members = members.get(&id).into_iter().flatten();
        (id, Arc::new(marked(members, named(subject, names))))
    });
    Ok(frozen.collect())
}
