//! What the database said of conditions that columns cannot test, so that a rule is asked about once for all its moments.

use super::marks::Marks;
use super::rules::Marked;
use crate::domain::time::Instant;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// How many bytes are kept of what the database said, and as many of whom rules let in, before all of it is forgotten with the
/// next rule.
const ROOM: usize = 32 << 20;

/// What the database said in one transaction, by the statements. What does not depend on the moment is the same statement
/// at every moment.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    marks: HashMap<String, Arc<Marks>>,
    bytes: usize,
    /// Whom the rules of segments let in, by their moments.
    told: HashMap<(Uuid, Instant), Arc<Marked>>,
    told_bytes: usize,
    /// The first moment of each segment, at which the database may be asked for it.
    first: HashMap<Uuid, Instant>,
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look at what was said, for a segment at a moment: at its first moment, and for a rule that is not saved, the
    /// database may be asked, later only what it was asked before.
    pub(super) fn look(&self, segment: Uuid, at: Instant) -> Look<'_> {
        let mut kept = self.lock();
        let is_first = !kept.first.contains_key(&segment);
        if is_first && kept.bytes > ROOM {
            kept.marks.clear();
            kept.bytes = 0;
        }
        let may_ask = segment.is_nil() || *kept.first.entry(segment).or_insert(at) == at;
        drop(kept);
        Look {
            answers: self,
            may_ask,
            has_missed: AtomicBool::new(false),
        }
    }

    /// Whom the rule of a segment lets in, where that was told before: who asks how many they are asks who they are next.
    pub(super) fn told(&self, segment: Uuid, at: Instant) -> Option<Arc<Marked>> {
        self.lock().told.get(&(segment, at)).cloned()
    }

    /// Keeps whom it lets in, unless it is not saved: there may be another one then.
    pub(super) fn keep_told(&self, segment: Uuid, at: Instant, marked: &Arc<Marked>) {
        if segment.is_nil() {
            return;
        }
        let mut kept = self.lock();
        if kept.told_bytes > ROOM {
            kept.told.clear();
            kept.told_bytes = 0;
        }
        kept.told_bytes += marked.bytes();
        kept.told.insert((segment, at), Arc::clone(marked));
    }
}

/// A look at what was said, for one rule at one moment.
#[derive(Debug)]
pub(super) struct Look<'a> {
    answers: &'a Answers,
    may_ask: bool,
    has_missed: AtomicBool,
}

impl Look<'_> {
    /// What the database said to a statement.
    pub(super) fn find(&self, statement: &str) -> Option<Arc<Marks>> {
        self.answers.lock().marks.get(statement).cloned()
    }

    /// Keeps what it said.
    pub(super) fn keep(&self, statement: String, marks: &Arc<Marks>) {
        let mut kept = self.answers.lock();
        kept.bytes += statement.len() + marks.bytes();
        kept.marks.insert(statement, Arc::clone(marks));
    }

    /// Whether it may be asked; where not, that something is missing is noted.
    pub(super) fn may_ask(&self) -> bool {
        if !self.may_ask {
            self.miss();
        }
        self.may_ask
    }

    /// Notes that something is missing.
    pub(super) fn miss(&self) {
        self.has_missed.store(true, Ordering::Relaxed);
    }

    /// Whether something is missing, so that nothing can be told.
    pub(super) fn has_missed(&self) -> bool {
        self.has_missed.load(Ordering::Relaxed)
    }
}
