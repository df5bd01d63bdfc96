//! Who is in segments, as numbers of columns: for what they did, to which whoever has no fact has added nothing.

use super::super::listing::column;
use super::super::tx::ReadTx;
use super::marks::Marks;
use super::names::{Directory, Names};
use super::related::page;
use super::rules::{self, Answers};
use super::snapshot::Snapshot;
use crate::domain::error::Result;
use crate::domain::rule::{MemberIds, SegmentSet, SetOf, Subject};
use crate::domain::scope::ReadScope;
use crate::domain::time::{Instant, Span};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// How many members of frozen segments are read, page by page. More are SQL's.
const MOST_FROZEN: usize = 200_000;
/// How many bytes of marks are kept at a time, of sets of one stretch of time. Sets that would go beyond are SQL's.
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

/// Who tells who is in sets.
pub(super) struct Crowds<'a> {
    tx: &'a ReadTx,
    scope: ReadScope,
    snapshot: &'a Snapshot,
    frozen: HashMap<Uuid, Arc<Marks>>,
    answers: Answers,
}

impl<'a> Crowds<'a> {
    /// Of these sets: a statement for each page of members of all that are frozen.
    pub(super) async fn of<'s>(
        tx: &'a ReadTx,
        scope: ReadScope,
        snapshot: &'a Snapshot,
        sets: impl Iterator<Item = &'s SegmentSet>,
    ) -> Result<Self> {
        let sets = sets.filter(|set| set.of == SetOf::Frozen && set.members.is_none());
        let subjects: HashMap<Uuid, Subject> = sets.map(|set| (set.id, set.subject)).collect();
        Ok(Self {
            tx,
            scope,
            snapshot,
            frozen: frozen(tx, scope, snapshot, &subjects).await?,
            answers: Answers::default(),
        })
    }

    /// Who is in some of the sets, of which is asked what was done in a stretch of time; nothing of those that are left to SQL.
    /// The statements of the conditions that columns cannot test, of sets whose members nobody looked up.
    pub(super) async fn tell(
        &self,
        sets: &[Arc<SegmentSet>],
        span: Span,
    ) -> Result<Vec<Option<Crowd>>> {
        let mut room = MOST_MARKED;
        let mut all = Vec::with_capacity(sets.len());
        for set in sets {
            let crowd = match (&set.members, &set.of) {
                (Some(members), _) => Some(Crowd::Listed(Arc::clone(members))),
                (None, SetOf::Frozen) => self.frozen.get(&set.id).cloned().map(Crowd::Marked),
                (None, SetOf::Rule { at, .. }) if room > 0 && self.is_told(*at, span) => {
                    let (scope, answers) = (self.scope, &self.answers);
                    let told = rules::tell_of_seen(self.tx, scope, set, answers).await?;
                    room = room.saturating_sub(told.as_ref().map_or(0, Marks::bytes));
                    told.map(|marks| Crowd::Marked(Arc::new(marks)))
                }
                (None, SetOf::Rule { .. }) => None,
            };
            if crowd.is_none() {
                self.tx.note_left();
            }
            all.push(crowd);
        }
        Ok(all)
    }

    /// Whether everybody who did something in a stretch of time has a fact before a moment. What those do afterwards who had
    /// none, no mark tells; a day that goes on beyond the present has nothing there as a rule.
    fn is_told(&self, at: Instant, span: Span) -> bool {
        span.to <= at || !self.snapshot.has_between(at.micros(), span.to.micros())
    }
}

/// Who is in the frozen segments, unless they are too many: a statement for each page of them, none without such segments.
async fn frozen(
    tx: &ReadTx,
    scope: ReadScope,
    snapshot: &Snapshot,
    subjects: &HashMap<Uuid, Subject>,
) -> Result<HashMap<Uuid, Arc<Marks>>> {
    if subjects.is_empty() {
        return Ok(HashMap::new());
    }
    let names = snapshot.names();
    let (page, mut count) = (page(tx), 0);
    let mut after: Option<(Uuid, Uuid)> = None;
    let mut members: HashMap<Uuid, Marks> = HashMap::new();
    loop {
        let mut sql = tx.sql();
        sql.push("SELECT m.segment_id, m.member_id FROM segment_members m WHERE m.publisher_id = ")
            .bind(scope.publisher().0)
            .push(" AND m.segment_id IN ")
            .bind_all(subjects.keys().copied());
        if let Some((segment, member)) = after {
            sql.push(" AND (m.segment_id, m.member_id) > (")
                .bind(segment)
                .push(", ")
                .bind(member)
                .push(")");
        }
        sql.push(" ORDER BY m.segment_id, m.member_id LIMIT ")
            .bind(i64::try_from(page).unwrap_or(i64::MAX));
        let rows = tx.rows(sql).await?;
        for row in &rows {
            let (segment, member): (Uuid, Uuid) =
                (column(row, "segment_id")?, column(row, "member_id")?);
            after = Some((segment, member));
            if let Some(names) = subjects.get(&segment).map(|of| named(*of, names))
                && let Some(number) = names.find(&member)
            {
                let marks = members.entry(segment);
                marks
                    .or_insert_with(|| Marks::none(names.room()))
                    .put(number);
            }
        }
        count += rows.len();
        if count > MOST_FROZEN {
            return Ok(HashMap::new());
        }
        if rows.len() < page {
            break;
        }
    }
    let all = subjects.keys().map(|segment| {
        let marks = members.remove(segment).unwrap_or_default();
        (*segment, Arc::new(marks))
    });
    Ok(all.collect())
}
