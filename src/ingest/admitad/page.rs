//! A page of Admitad's answers: from its text to the rows in it, and where the next one begins. Pure.

use super::answer::excerpt;
use super::fault::Fault;
use crate::domain::draft::{Place, Reject, RejectReason};
use crate::ingest::format::json::RECORD_LIMIT;
use crate::ingest::raw::{Literal, RawRecord};
use crate::ingest::refusal::Refusal;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// The largest page that Admitad gives.
pub const MAX_LIMIT: u32 = 500;

/// Which part of a long answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAt {
    /// How many rows, at most [`MAX_LIMIT`]; Admitad itself would give 20.
    pub limit: u32,
    /// How many rows before it.
    pub offset: u32,
}

impl PageAt {
    /// The first page, as large as there are.
    pub const FIRST: Self = Self {
        limit: MAX_LIMIT,
        offset: 0,
    };

    /// As asked, with a limit that Admitad takes.
    pub(super) fn allowed(self) -> Self {
        Self {
            limit: self.limit.clamp(1, MAX_LIMIT),
            ..self
        }
    }

    /// Its number, from 1.
    fn number(self) -> u32 {
        self.offset / self.limit.max(1) + 1
    }
}

/// A page as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was understood, in Admitad's order.
    pub items: Vec<T>,
    /// What was not.
    pub rejects: Vec<Reject>,
    /// How many rows Admitad sent: each of them is an item, a reject, or was folded into an item.
    pub rows: u32,
    /// How many rows there are on all pages together, as Admitad counts them at this moment.
    pub total: u32,
}

impl<T> Page<T> {
    /// Where the next page begins; none after the last. Pages are counted by the rows that came, so that a page which
    /// is shorter than asked for leaves no gap.
    #[must_use]
    pub fn next(&self, at: PageAt) -> Option<PageAt> {
        let offset = at.offset.saturating_add(self.rows);
        (self.rows > 0 && offset < self.total).then_some(PageAt { offset, ..at })
    }
}

impl Page<RawRecord> {
    /// The same page with its records understood one by one.
    #[must_use]
    pub fn map<U>(self, read: impl Fn(&str) -> Result<U, Refusal>) -> Page<U> {
        let (mut items, mut rejects) = (Vec::with_capacity(self.items.len()), self.rejects);
        for RawRecord { place, text } in &self.items {
            match read(text) {
                Ok(row) => items.push(row),
                Err(refusal) => rejects.push(refusal.at(*place, text.as_bytes())),
            }
        }
        Page {
            items,
            rejects,
            rows: self.rows,
            total: self.total,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default)]
    count: Literal<'a>,
    #[serde(borrow, default)]
    offset: Literal<'a>,
}

/// The records of a page object, each with its text untouched.
///
/// Whoever reads a list to its end removes what the list no longer names. So a page has to say how many rows there are, and
/// an empty one ends a list only where that number says so, too: anything else is half an answer.
///
/// # Errors
/// [`Fault::Unreadable`] if it is no sound page, or not the one that was asked for.
pub fn records(body: &str, at: PageAt) -> Result<Page<RawRecord>, Fault> {
    let envelope: Envelope<'_> =
        serde_json::from_str(body).map_err(|error| unreadable(body, &error))?;
    let meta = envelope.meta.unwrap_or_default();
    if let Some(offset) = whole(meta.offset)
        && offset != at.offset
    {
        return Err(half(format!(
            "the page begins at row {offset}, but the one from row {} on was asked for",
            at.offset
        )));
    }
    let rows = u32::try_from(envelope.results.len()).unwrap_or(u32::MAX);
    let Some(total) = whole(meta.count) else {
        return Err(half(
            "the page does not say how many rows there are (`_meta.count`)".to_owned(),
        ));
    };
    if rows == 0 && at.offset < total {
        return Err(half(format!(
            "the page from row {} on is empty, although there are {total} rows",
            at.offset
        )));
    }
    let mut page = split(body, &envelope.results, at.number());
    page.total = total.max(at.offset.saturating_add(rows));
    Ok(page)
}

/// A page that is sound, and not all that it should be.
fn half(cause: String) -> Fault {
    Fault::Unreadable {
        cause,
        excerpt: String::new(),
    }
}

/// The rows of an answer that is a bare list, or a page object all the same.
///
/// # Errors
/// [`Fault::Unreadable`] if it is neither.
pub fn list(body: &str) -> Result<Page<RawRecord>, Fault> {
    if !body.trim_start().starts_with('[') {
        return records(body, PageAt::FIRST);
    }
    let rows: Vec<&RawValue> =
        serde_json::from_str(body).map_err(|error| unreadable(body, &error))?;
    Ok(split(body, &rows, 1))
}

/// The rows of an answer that has them under a name of its own.
///
/// # Errors
/// [`Fault::Unreadable`] if it does not.
pub fn named(body: &str, name: &str) -> Result<Page<RawRecord>, Fault> {
    let fields: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(body).map_err(|error| unreadable(body, &error))?;
    let Some(rows) = fields.get(name) else {
        return Err(Fault::Unreadable {
            cause: format!("it has no `{name}`"),
            excerpt: excerpt(body),
        });
    };
    let rows: Vec<&RawValue> =
        serde_json::from_str(rows.get()).map_err(|error| unreadable(body, &error))?;
    Ok(split(body, &rows, 1))
}

/// Rows with their places; those that cannot be records are refused.
fn split(body: &str, rows: &[&RawValue], page: u32) -> Page<RawRecord> {
    let (mut items, mut rejects) = (Vec::with_capacity(rows.len()), Vec::new());
    let (mut seen, mut line) = (0, 1_u64);
    for (index, row) in (0_u32..).zip(rows) {
        let byte = (row.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
        let skipped = body.get(seen..byte).unwrap_or_default();
        line += u64::try_from(skipped.matches('\n').count()).unwrap_or(0);
        seen = byte;
        let place = Place {
            page,
            index,
            byte: u64::try_from(byte).unwrap_or(u64::MAX),
            line,
        };
        match judged(row.get()) {
            Ok(()) => items.push(RawRecord {
                place,
                text: row.get().to_owned(),
            }),
            Err(refusal) => rejects.push(refusal.at(place, row.get().as_bytes())),
        }
    }
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Page {
        items,
        rejects,
        rows: count,
        total: count,
    }
}

fn judged(row: &str) -> Result<(), Refusal> {
    if row.len() > RECORD_LIMIT {
        let message = format!(
            "the record has {} bytes, {RECORD_LIMIT} are allowed",
            row.len()
        );
        return Err(Refusal::new(RejectReason::TooLong, None, message));
    }
    if !row.starts_with('{') {
        return Err(Refusal::new(
            RejectReason::Malformed,
            None,
            "a record must be an object",
        ));
    }
    Ok(())
}

fn whole(literal: Literal<'_>) -> Option<u32> {
    literal.text().ok()??.trim().parse().ok()
}

/// What to say of a body that is not the JSON it should be.
pub(super) fn unreadable(body: &str, error: &serde_json::Error) -> Fault {
    let start = body.trim_start();
    let cause = if start.is_empty() {
        "it is empty".to_owned()
    } else if start.starts_with('<') {
        "it is a page of HTML, as servers and proxies show on failure".to_owned()
    } else {
        // Of a text in the place of something else the parser repeats all there is.
        let said = excerpt(&error.to_string());
        match error.classify() {
            Category::Eof => format!("it ends in the middle, after {} bytes", body.len()),
            Category::Data => format!("it is not of the expected form ({said})"),
            Category::Syntax | Category::Io => format!("it is not JSON ({said})"),
        }
    };
    Fault::Unreadable {
        cause,
        excerpt: excerpt(body),
    }
}
