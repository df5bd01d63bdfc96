//! Tables with headings of their own, as CSV: a ledger, a product feed. Delimiter and encoding are found out, plain or
//! gzipped, in constant memory.
//!
//! What the columns mean is said by who reads them. Tables of actions are `delimited`'s.

use super::delimited::{DELIMITERS, first_rows};
use super::heading::{ROWS_ABOVE, folded, listed, short};
use super::text::{Allowance, Bounded, Utf8, beginning, glimpse, is_utf8};
use super::value::{self, Cell, Manner};
use super::{Decoded, decoded, told};
use crate::domain::column::ColumnKind;
use crate::domain::draft::{Place, RejectReason};
use crate::domain::text::has_nul;
use crate::ingest::refusal::Refusal;
use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The longest row, in bytes.
const ROW_LIMIT: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 1 << 16;
/// How much of an input is looked at.
const SAMPLE: usize = 1 << 16;
const TOO_LONG: &str = "a row is longer than 1 MiB; is a quotation mark left open before it?";

/// A column of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Heading {
    /// What it is called here, and may be called there.
    pub name: &'static str,
    /// What else it may be called; case, blanks and punctuation don't count.
    pub also: &'static [&'static str],
}

impl Heading {
    fn is(&self, folded_cell: &str) -> bool {
        std::iter::once(&self.name)
            .chain(self.also)
            .any(|known| folded(known) == folded_cell)
    }
}

/// Where the column called `cell` stands among `headings`.
fn column_of(headings: &[Heading], cell: &str) -> Option<usize> {
    let cell = folded(cell);
    if cell.is_empty() {
        return None;
    }
    headings.iter().position(|heading| heading.is(&cell))
}

/// A table whose headings were found.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    headings: &'static [Heading],
    delimiter: u8,
    encoding: &'static Encoding,
    /// For each cell of a row its column.
    columns: Vec<Option<usize>>,
    /// How many rows stand above the first.
    above: usize,
    /// Headings that mean nothing here.
    pub ignored: Vec<String>,
}

impl Table {
    /// Finds delimiter, encoding and headings of the file at `path`; of each group of `needed` names one column must be
    /// there.
    ///
    /// # Errors
    /// A sentence for people: what is wrong, and the remedy.
    pub fn open(
        path: &Path,
        headings: &'static [Heading],
        needed: &[&[&str]],
    ) -> Result<Self, String> {
        let sample = beginning(&mut unpacked(path)?, SAMPLE).map_err(|error| unreadable(&error))?;
        let encoding = match Encoding::for_bom(&sample) {
            Some((encoding, _)) => encoding,
            None if is_utf8(&mut unpacked(path)?).map_err(|error| unreadable(&error))? => UTF_8,
            None => WINDOWS_1251,
        };
        let text = glimpse(&sample, encoding);
        let known = |row: &Vec<String>| {
            let cells = row.iter();
            cells
                .filter(|cell| column_of(headings, cell).is_some())
                .count()
        };
        let mut best: Option<(usize, u8, usize, Vec<String>)> = None;
        for (delimiter, _) in DELIMITERS {
            for (place, row) in first_rows(&text, *delimiter).into_iter().enumerate() {
                let count = known(&row);
                if count > 0 && best.as_ref().is_none_or(|(most, ..)| count > *most) {
                    best = Some((count, *delimiter, place, row));
                }
            }
        }
        let names = listed(headings.iter().map(|heading| heading.name));
        let Some((_, delimiter, place, row)) = best else {
            return Err(format!(
                "there is no row of headings among the first {ROWS_ABOVE}; put headings such as {names} above the rows"
            ));
        };
        let columns = columns_of(headings, &row)?;
        for group in needed {
            let has = |name: &&str| {
                let column = headings.iter().position(|heading| heading.name == *name);
                column.is_some_and(|column| columns.contains(&Some(column)))
            };
            if !group.iter().any(has) {
                return Err(format!(
                    "there is no column {}; the headings are {}. Known are {names}",
                    listed(group.iter().copied()),
                    listed(row.iter().map(String::as_str))
                ));
            }
        }
        let unknown = row.iter().zip(&columns);
        let ignored = unknown
            .filter(|(cell, column)| column.is_none() && !cell.trim().is_empty())
            .map(|(cell, _)| short(cell))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            headings,
            delimiter,
            encoding,
            columns,
            above: place + 1,
            ignored,
        })
    }

    /// Hands the rows to `each`, one after the other, until it says that it wants no more.
    ///
    /// # Errors
    /// A sentence, where the input cannot be read any further.
    pub fn read(&self, each: &mut dyn FnMut(TableRow<'_>) -> bool) -> Result<(), String> {
        let allowance = Allowance::of(ROW_LIMIT + CHUNK);
        let text = Utf8::new(unpacked(&self.path)?, self.encoding);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .buffer_capacity(CHUNK)
            .from_reader(Bounded::new(text, allowance.clone(), TOO_LONG));
        let mut record = ByteRecord::new();
        let (mut passed, mut index) = (0, 0);
        loop {
            allowance.renew();
            let more = reader.read_byte_record(&mut record).map_err(|error| {
                let line = reader.position().line();
                let why = match error.kind() {
                    csv::ErrorKind::Io(error) => told(error),
                    _ => format!("{error}; repeat the import with a whole file"),
                };
                format!("the CSV cannot be read beyond line {line}: {why}")
            })?;
            if !more {
                return Ok(());
            }
            passed += 1;
            if passed <= self.above || record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            let row = self.row(&record, index);
            index += 1;
            if !each(row) {
                return Ok(());
            }
        }
    }

    fn row(&self, record: &ByteRecord, index: u32) -> TableRow<'_> {
        let (byte, line) = record
            .position()
            .map_or((0, 0), |position| (position.byte(), position.line()));
        let mut cells = vec![None; self.headings.len()];
        for (cell, column) in record.iter().zip(&self.columns) {
            if let Some(slot) = column.and_then(|column| cells.get_mut(column)) {
                // The decoder lets nothing but UTF-8 through.
                *slot = std::str::from_utf8(cell).ok().map(str::to_owned);
            }
        }
        TableRow {
            headings: self.headings,
            place: Place {
                page: 1,
                index,
                byte,
                line,
            },
            is_whole: record.len() == self.columns.len(),
            cells,
        }
    }
}

fn columns_of(headings: &[Heading], row: &[String]) -> Result<Vec<Option<usize>>, String> {
    let columns: Vec<Option<usize>> = row.iter().map(|cell| column_of(headings, cell)).collect();
    for (at, column) in columns.iter().enumerate() {
        let before = columns.iter().take(at).position(|other| other == column);
        if let (Some(column), Some(before)) = (column, before) {
            return Err(format!(
                "two headings mean `{}`: column {} and column {}; remove or rename one of them",
                headings.get(*column).map_or("", |heading| heading.name),
                before + 1,
                at + 1
            ));
        }
    }
    Ok(columns)
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct TableRow<'a> {
    headings: &'a [Heading],
    /// Where it stands.
    pub place: Place,
    is_whole: bool,
    cells: Vec<Option<String>>,
}

impl TableRow<'_> {
    /// Refuses a row that has more or fewer cells than there are headings.
    ///
    /// # Errors
    /// A sentence about it.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.is_whole {
            return Ok(());
        }
        let message = "the row has more or fewer cells than there are headings; is a delimiter missing, or not in quotation marks?";
        Err(Refusal::new(RejectReason::Malformed, None, message))
    }

    pub(super) fn raw_cell(&self, name: &str) -> Option<&str> {
        let column = self
            .headings
            .iter()
            .position(|heading| heading.name == name)?;
        self.cells.get(column)?.as_deref()
    }

    /// What stands under a heading, as a kind of cell is read: a text and, for an amount, the currency that it names.
    /// Nothing where nothing stands there.
    ///
    /// # Errors
    /// Where it could mean two things, is longer than `limit` characters, or cannot be stored.
    pub fn cell(
        &self,
        name: &str,
        kind: ColumnKind,
        limit: usize,
    ) -> Result<Option<(String, Option<String>)>, Refusal> {
        let Some(text) = self.raw_cell(name) else {
            return Ok(None);
        };
        if has_nul(text) {
            let message = format!("`{name}` holds the character U+0000, which cannot be stored");
            return Err(Refusal::new(RejectReason::BadValue, Some(name), message));
        }
        if text.len() > limit && text.chars().count() > limit {
            let message = format!("`{name}` is longer than the {limit} characters that are taken");
            return Err(Refusal::new(RejectReason::TooLong, Some(name), message));
        }
        match value::read(kind, text, Manner::default()) {
            Cell::Nothing => Ok(None),
            Cell::Text(text) => Ok(Some((text.into_owned(), None))),
            Cell::Amount { amount, currency } => Ok(Some((amount, Some(currency)))),
            Cell::Released => Ok(Some((text.to_owned(), None))),
            Cell::Unclear(message) => Err(Refusal::new(
                RejectReason::BadValue,
                Some(name),
                format!("`{name}` {message}"),
            )),
        }
    }

    /// The text under a heading.
    ///
    /// # Errors
    /// Where it is longer than `limit` characters, or cannot be stored.
    pub fn text(&self, name: &str, limit: usize) -> Result<Option<String>, Refusal> {
        Ok(self
            .cell(name, ColumnKind::Text, limit)?
            .map(|(text, _)| text))
    }

    /// The row as a JSON object of its known columns, as it is kept where it is refused.
    #[must_use]
    pub fn raw(&self) -> String {
        let cells = self.headings.iter().zip(&self.cells);
        let fields: serde_json::Map<String, serde_json::Value> = cells
            .filter_map(|(heading, cell)| Some((heading.name.to_owned(), cell.as_deref()?.into())))
            .collect();
        serde_json::Value::Object(fields).to_string()
    }
}

fn unpacked(path: &Path) -> Result<Decoded<File>, String> {
    let input = File::open(path).map_err(|error| format!("the input cannot be opened: {error}"))?;
    decoded(input).map_err(|error| unreadable(&error))
}

fn unreadable(error: &std::io::Error) -> String {
    format!("the input cannot be read: {}", told(error))
}
