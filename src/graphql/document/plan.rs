//! What an operation's cost is made of, and what of it an answer came to.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, PathSegment, Value as ConstValue};

use crate::graphql::written::Tally;

/// What an operation's cost is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) parts: Vec<Part>,
}

/// A field that costs something, or holds some that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name in the answer.
    pub(super) key: Name,
    /// Each of its objects, in thousandths.
    pub(super) weight: u64,
    /// Its objects for each object of its parent, at most.
    pub(super) size: u64,
    pub(super) scans: Vec<Scan>,
    pub(super) parts: Vec<Part>,
}

/// The period that the publisher has set for questions that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsualPeriod {
    /// Of product segments.
    Products,
    /// Of user segments.
    Users,
    /// Of user segments, as the length of two windows.
    UsersTwice,
}

impl UsualPeriod {
    /// Reads the word of the schema.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "PRODUCTS" => Some(Self::Products),
            "USERS" => Some(Self::Users),
            "USERS_TWICE" => Some(Self::UsersTwice),
            _ => None,
        }
    }
}

/// Actions that a field has to look through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What it costs however few there are, in thousandths of a point.
    pub fixed: u64,
    /// What comes to that where the database reads them.
    pub once: u64,
    /// What a thousand actions cost, likewise, where the database reads them.
    pub weight: u64,
    /// What they cost where columns in memory hold them, which can answer that question; none where they never do.
    pub held: Option<u64>,
    /// The arguments of the field, or of the nearest above it that has a range or a filter: they say which. All scans of a
    /// field share them, since a caller decides how many conditions there are and how large each is.
    pub arguments: Arc<IndexMap<Name, ConstValue>>,
    /// The period that is looked through where they name none; all time without.
    pub usual: Option<UsualPeriod>,
    /// Whether it looks saved segments up, whose rules say whether columns can tell who is in them.
    pub is_of_saved: bool,
    /// Whether the database looks through no more of them than reports may read.
    pub is_limited: bool,
    /// For how many objects columns look through them, one by one: the database reads a level with one statement.
    pub entries: u64,
    /// At how many points in time they do so for each of them.
    pub points: u64,
    /// Its place among the scans of the operation.
    pub number: usize,
}

impl Scan {
    /// Adds another scan of the same facts; says whether it is one.
    pub(super) fn takes(&mut self, other: &Self) -> bool {
        let is_same = Arc::ptr_eq(&self.arguments, &other.arguments)
            && self.usual == other.usual
            && self.is_of_saved == other.is_of_saved
            && self.is_limited == other.is_limited
            && (self.entries, self.points) == (other.entries, other.points)
            && self.held.is_some() == other.held.is_some();
        if is_same {
            self.fixed = self.fixed.saturating_add(other.fixed);
            self.once = self.once.saturating_add(other.once);
            self.weight = self.weight.saturating_add(other.weight);
            let held = self.held.zip(other.held);
            self.held = held.map(|(own, more)| own.saturating_add(more));
        }
        is_same
    }

    /// What looking through so many actions costs, in thousandths of a point, by who holds them; where a limit holds, the
    /// database reads at most that many.
    #[must_use]
    pub fn price(&self, (actions, limit): (u64, u64), is_held: bool) -> u64 {
        let (once, each, actions) = match self.held.filter(|_| is_held) {
            Some(held) => {
                let passes = self.entries.saturating_mul(self.points);
                (0, held.saturating_mul(passes), actions)
            }
            None if self.is_limited => (self.once, self.weight, actions.min(limit)),
            None => (self.once, self.weight, actions),
        };
        let scanned = each.saturating_mul(actions) / 1_000;
        self.fixed.saturating_add(once).saturating_add(scanned)
    }
}

impl Plan {
    /// What the operation may cost at most, in thousandths of a point; `price` says what a scan costs.
    pub fn requested(&self, price: &impl Fn(&Scan) -> u64) -> u64 {
        let parts = self.parts.iter();
        parts.fold(0, |sum: u64, part| {
            sum.saturating_add(part.requested(1, price))
        })
    }

    /// What an answer cost, in thousandths of a point. What ended in an error was worked for all the same.
    pub fn used(&self, data: &ConstValue, failed: &Failed, price: &impl Fn(&Scan) -> u64) -> u64 {
        if *data == ConstValue::Null && !failed.is_empty() {
            // The error of one field took the whole answer along, and with it what others had read.
            let parts = self.parts.iter();
            return parts.fold(0, |sum: u64, part| sum.saturating_add(part.started(price)));
        }
        used(&self.parts, data, failed, price)
    }

    /// Gives each scan its number.
    pub(super) fn number(&mut self) {
        let mut next = 0;
        for part in &mut self.parts {
            part.number(&mut next);
        }
    }

    /// The scans of the operation, by their numbers.
    #[must_use]
    pub fn scans(&self) -> Vec<&Scan> {
        let mut found = Vec::new();
        for part in &self.parts {
            part.scans(&mut found);
        }
        found
    }
}

impl Part {
    fn number(&mut self, next: &mut usize) {
        for scan in &mut self.scans {
            scan.number = *next;
            *next += 1;
        }
        for part in &mut self.parts {
            part.number(next);
        }
    }

    fn scans<'p>(&'p self, into: &mut Vec<&'p Scan>) {
        into.extend(&self.scans);
        for part in &self.parts {
            part.scans(into);
        }
    }

    /// What objects cost that were written at once, where `met` of those they hang on have some.
    fn written(&self, tally: &Tally<'_>, met: u64, price: &impl Fn(&Scan) -> u64) -> u64 {
        let own = self.scanned(price).saturating_mul(met);
        let own = own.saturating_add(self.weight.saturating_mul(tally.entries));
        self.parts.iter().fold(own, |sum, part| {
            let below = tally.below(&part.key);
            let below = below.map_or(0, |tally| part.written(&tally, tally.met, price));
            sum.saturating_add(below)
        })
    }

    /// What it has to look through where so many of the objects were met of those that it was asked for.
    fn scanned_of(&self, met: u64, price: &impl Fn(&Scan) -> u64) -> u64 {
        let scans = self.scans.iter();
        scans.fold(0_u64, |sum, scan| {
            let own = if met < scan.entries {
                price(&Scan {
                    entries: met,
                    ..scan.clone()
                })
            } else {
                price(scan)
            };
            sum.saturating_add(own)
        })
    }

    fn scanned(&self, price: &impl Fn(&Scan) -> u64) -> u64 {
        let scans = self.scans.iter();
        scans.fold(0_u64, |sum, scan| sum.saturating_add(price(scan)))
    }

    /// What it costs once, and what it has to look through, with all that hangs on it.
    fn started(&self, price: &impl Fn(&Scan) -> u64) -> u64 {
        let own = self.weight.saturating_add(self.scanned(price));
        self.parts
            .iter()
            .fold(own, |sum, part| sum.saturating_add(part.started(price)))
    }

    /// What it cost where it is null because of an error: nothing that hangs on it was begun if the error is its own.
    fn lost(&self, failed: &Failed, price: &impl Fn(&Scan) -> u64) -> u64 {
        if failed.below.is_empty() {
            self.weight.saturating_add(self.scanned(price))
        } else {
            self.started(price)
        }
    }

    /// A level is read with one statement, however many rows it hangs on: a scan counts once. What columns look through for each
    /// of them is in its price.
    fn requested(&self, rows: u64, price: &impl Fn(&Scan) -> u64) -> u64 {
        let entries = rows.saturating_mul(self.size);
        let own = entries
            .saturating_mul(self.weight)
            .saturating_add(self.scanned(price));
        self.parts.iter().fold(own, |sum, part| {
            sum.saturating_add(part.requested(entries, price))
        })
    }
}

/// Which fields of an answer ended in an error, by their names in it.
#[derive(Debug, Default)]
pub struct Failed {
    below: HashMap<Name, Failed>,
}

impl Failed {
    /// Those at the ends of paths.
    pub fn of<'p>(paths: impl IntoIterator<Item = &'p [PathSegment]>) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut place = &mut root;
            for segment in path {
                if let PathSegment::Field(key) = segment {
                    place = place.below.entry(Name::new(key)).or_default();
                }
            }
        }
        root
    }

    fn is_empty(&self) -> bool {
        self.below.is_empty()
    }
}

fn used(parts: &[Part], data: &ConstValue, failed: &Failed, price: &impl Fn(&Scan) -> u64) -> u64 {
    let nothing = Failed::default();
    let mut scanned = vec![false; parts.len()];
    let mut met = vec![0_u64; parts.len()];
    let mut sum = 0_u64;
    walk(data, &mut |object| {
        // Where objects were written at once, no field of them ended in an error.
        if let Some(written) = Tally::of(object) {
            for (part, scanned) in parts.iter().zip(&mut scanned) {
                if let Some(tally) = written.below(&part.key) {
                    let met = u64::from(!std::mem::replace(scanned, true));
                    sum = sum.saturating_add(part.written(&tally, met, price));
                }
            }
            return;
        }
        for ((part, scanned), met) in parts.iter().zip(&mut scanned).zip(&mut met) {
            let Some(value) = object.get(&part.key) else {
                continue;
            };
            let failed = failed.below.get(&part.key);
            if *value == ConstValue::Null {
                // Once for all objects of the level, as what is looked through.
                if let Some(failed) = failed
                    && !std::mem::replace(scanned, true)
                {
                    sum = sum.saturating_add(part.lost(failed, price));
                }
                continue;
            }
            if !std::mem::replace(scanned, true) || *met > 0 {
                *met += 1;
            }
            sum = sum
                .saturating_add(part.weight.saturating_mul(entries(value)))
                .saturating_add(used(&part.parts, value, failed.unwrap_or(&nothing), price));
        }
    });
    for (part, met) in parts.iter().zip(met).filter(|(_, met)| *met > 0) {
        sum = sum.saturating_add(part.scanned_of(met, price));
    }
    if has_holes(data) {
        for (part, scanned) in parts.iter().zip(scanned) {
            if let Some(failed) = failed.below.get(&part.key).filter(|_| !scanned) {
                sum = sum.saturating_add(part.lost(failed, price));
            }
        }
    }
    sum
}

/// Whether a list has lost an entry, which the error of a field can take along.
fn has_holes(value: &ConstValue) -> bool {
    match value {
        ConstValue::List(items) => items
            .iter()
            .any(|item| *item == ConstValue::Null || has_holes(item)),
        _ => false,
    }
}

/// Objects in a value.
fn entries(value: &ConstValue) -> u64 {
    match value {
        ConstValue::List(items) => items.iter().map(entries).sum(),
        ConstValue::Null => 0,
        ConstValue::Object(object) => Tally::of(object).map_or(1, |written| written.entries),
        _ => 1,
    }
}

fn walk<'v>(value: &'v ConstValue, visit: &mut impl FnMut(&'v IndexMap<Name, ConstValue>)) {
    match value {
        ConstValue::List(items) => items.iter().for_each(|item| walk(item, visit)),
        ConstValue::Object(object) => visit(object),
        _ => {}
    }
}
