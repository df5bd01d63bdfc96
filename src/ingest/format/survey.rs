//! What only the whole of a table tells, noted while it is read through: how amounts are written, which numbers are whole,
//! and which actions' rows do not stand together.

use super::rows::{ROWS_LIMIT, Row};
use super::value::{has_decimal_comma, shows_all_digits};
use crate::domain::column::ColumnKind;
use crate::domain::time::Instant;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// How many actions of a table are remembered: about 35 MiB.
const REMEMBERED: usize = 1_800_000;

/// How a table writes amounts and numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Habits {
    /// Whether texts have amounts with decimal commas.
    pub(super) has_decimal_commas: bool,
    /// Whether numbers of a spreadsheet show that they kept all their digits.
    is_exact: bool,
}

impl Habits {
    /// Whether its numbers have kept all their digits: what was typed into a spreadsheet, or opened in it as a text, has lost
    /// those of every column.
    pub(super) fn is_exact(self) -> bool {
        self.is_exact
    }

    /// Notes how a cell is written.
    pub(super) fn note(&mut self, kind: ColumnKind, cell: &str, is_number: bool) {
        match (kind, is_number) {
            (ColumnKind::Money, false) => self.has_decimal_commas |= has_decimal_comma(cell),
            (ColumnKind::Id, true) => self.is_exact |= shows_all_digits(cell),
            _ => {}
        }
    }

    /// Takes over what was noted elsewhere.
    fn add(&mut self, other: Self) {
        self.has_decimal_commas |= other.has_decimal_commas;
        self.is_exact |= other.is_exact;
    }
}

/// What was noted of a table. The survey itself reads with nothing noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// How it writes.
    pub(super) habits: Habits,
    /// States of actions whose rows stand apart and differ, by their numbers ([`Row::state`]).
    scattered: Arc<HashSet<u64>>,
}

impl Marks {
    /// Whether rows of the same state as this one stand apart and differ.
    pub(super) fn is_scattered(&self, row: &Row) -> bool {
        let is_one = |state: u64| self.scattered.contains(&state);
        !self.scattered.is_empty() && row.state().is_some_and(is_one)
    }
}

/// A table that is read through, row by row.
pub(super) struct Survey {
    offset_minutes: i32,
    newest: Option<Instant>,
    marks: Marks,
    /// The rows that stand together at present.
    group: Option<Group>,
    /// States that were there, with a number for what their rows said.
    seen: HashMap<u64, u64>,
    scattered: HashSet<u64>,
}

/// Neighbouring rows of one state of an action.
struct Group {
    state: u64,
    first: Row,
    /// What they say, each once ([`Row::content`]); more lines than an action may have are refused as they are.
    lines: BTreeSet<u64>,
}

impl Survey {
    /// One that has seen nothing; `offset_minutes` is that of times without one.
    pub(super) fn new(offset_minutes: i32) -> Self {
        Self {
            offset_minutes,
            newest: None,
            marks: Marks::default(),
            group: None,
            seen: HashMap::new(),
            scattered: HashSet::new(),
        }
    }

    /// Takes the next row in.
    pub(super) fn take(&mut self, row: Row) {
        self.newest = self.newest.max(row.newest(self.offset_minutes));
        self.marks.habits.add(row.habits());
        if let Some(group) = self
            .group
            .as_mut()
            .filter(|group| group.first.goes_with(&row))
        {
            if group.lines.len() < ROWS_LIMIT {
                group.lines.insert(row.content());
            }
            return;
        }
        self.end_group();
        self.group = row.state().map(|state| Group {
            state,
            lines: BTreeSet::from([row.content()]),
            first: row,
        });
    }

    /// The newest time, and what was noted.
    pub(super) fn finished(mut self) -> (Option<Instant>, Marks) {
        self.end_group();
        self.marks.scattered = Arc::new(self.scattered);
        (self.newest, self.marks)
    }

    /// Rows that say of money and items what was said before are a repetition and harm nothing; others are lines that nobody
    /// can add up.
    fn end_group(&mut self) {
        let Some(group) = self.group.take() else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        group.lines.hash(&mut hasher);
        let content = hasher.finish();
        match self.seen.get(&group.state) {
            Some(known) if *known != content => {
                self.scattered.insert(group.state);
            }
            None if self.seen.len() < REMEMBERED => {
                self.seen.insert(group.state, content);
            }
            Some(_) | None => {}
        }
    }
}
