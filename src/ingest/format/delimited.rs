//! The reader of CSV: rows under a row of headings, divided by commas, semicolons, tabs or bars.
//!
//! Rows above the headings (titles, `sep=;`) are passed over. A row with more or fewer cells than headings is refused by
//! its line; a row longer than [`ROW_LIMIT`], as an open quotation mark makes, ends the reading.

use super::ReadError;
use super::heading::{Aliases, Headings, ROWS_ABOVE, headings};
use super::rows::Row;
use super::survey::Habits;
use super::text::{Allowance, Bounded};
use crate::domain::draft::RejectReason;
use csv::{ByteRecord, Position, ReaderBuilder};
use std::collections::VecDeque;
use std::io::Read;

/// The longest row, in bytes.
const ROW_LIMIT: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 1 << 17;
const TOO_LONG: &str = "a row is longer than 1 MiB; is a quotation mark left open before it?";

/// What may divide the cells.
pub(super) const DELIMITERS: &[(u8, &str)] = &[
    (b',', "commas"),
    (b';', "semicolons"),
    (b'\t', "tabs"),
    (b'|', "bars"),
];

/// Rows of CSV in UTF-8.
pub(super) struct Delimited<R> {
    reader: csv::Reader<Bounded<R>>,
    allowance: Allowance,
    headings: Headings,
    habits: Habits,
    /// Rows that were read while the headings were looked for.
    ahead: VecDeque<ByteRecord>,
    record: ByteRecord,
    is_done: bool,
}

impl<R: Read> Delimited<R> {
    /// Finds the headings.
    ///
    /// # Errors
    /// A sentence: no headings, or not the needed ones.
    pub(super) fn new(input: R, delimiter: u8, aliases: &Aliases) -> Result<Self, String> {
        let allowance = Allowance::of(ROW_LIMIT + CHUNK);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(CHUNK)
            .from_reader(Bounded::new(input, allowance.clone(), TOO_LONG));
        let mut ahead = VecDeque::new();
        let mut record = ByteRecord::new();
        while ahead.len() <= ROWS_ABOVE {
            allowance.renew();
            match reader.read_byte_record(&mut record) {
                Ok(true) => ahead.push_back(record.clone()),
                Ok(false) => break,
                Err(error) => return Err(unreadable(&error, record.position())),
            }
        }
        let rows: Vec<Vec<String>> = ahead.iter().map(cells).collect();
        let (place, headings) = headings(&rows, aliases)?;
        ahead.drain(..=place);
        Ok(Self {
            reader,
            allowance,
            headings,
            habits: Habits::default(),
            ahead,
            record,
            is_done: false,
        })
    }

    /// Reads on by the habits of the whole table.
    pub(super) fn with(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    /// Headings that are not known.
    pub(super) fn ignored(&self) -> &[String] {
        &self.headings.ignored
    }

    fn row(&self, record: &ByteRecord) -> Row {
        let (byte, line) = record
            .position()
            .map_or((0, 0), |position| (position.byte(), position.line()));
        let mut row = Row::at(1, byte, line);
        let wanted = self.headings.columns.len();
        let mut texts = Vec::with_capacity(wanted);
        for cell in record {
            match std::str::from_utf8(cell) {
                Ok(text) => texts.push(text),
                // The decoder lets nothing else through.
                Err(_) => texts.push(""),
            }
        }
        while texts.len() > wanted && texts.last().is_some_and(|text| text.trim().is_empty()) {
            texts.pop();
        }
        if texts.iter().all(|text| text.trim().is_empty()) {
            return row;
        }
        for (text, column) in texts.iter().zip(&self.headings.columns) {
            if let Some(column) = column {
                row.add(*column, text, self.habits, false);
            }
        }
        if texts.len() != wanted {
            let message = format!(
                "the row has {} cells under {wanted} headings; is a delimiter missing, or not in quotation marks?",
                texts.len()
            );
            row.refuse(RejectReason::Malformed, None, message);
        }
        row.finish();
        row
    }
}

impl<R: Read> Iterator for Delimited<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_done {
            if let Some(record) = self.ahead.pop_front() {
                let row = self.row(&record);
                if !row.is_empty() {
                    return Some(Ok(row));
                }
                continue;
            }
            self.allowance.renew();
            let mut record = std::mem::take(&mut self.record);
            let outcome = self.reader.read_byte_record(&mut record);
            let row = match outcome {
                Ok(true) => self.row(&record),
                Ok(false) => {
                    self.is_done = true;
                    return None;
                }
                Err(error) => {
                    self.is_done = true;
                    let position = Some(self.reader.position());
                    return Some(Err(ReadError::Format(unreadable(&error, position))));
                }
            };
            self.record = record;
            if !row.is_empty() {
                return Some(Ok(row));
            }
        }
        None
    }
}

fn cells(record: &ByteRecord) -> Vec<String> {
    record
        .iter()
        .map(|cell| String::from_utf8_lossy(cell).into_owned())
        .collect()
}

fn unreadable(error: &csv::Error, position: Option<&Position>) -> String {
    let line = position.map_or(1, Position::line);
    match error.kind() {
        csv::ErrorKind::Io(error) => format!("the CSV cannot be read beyond line {line}: {error}"),
        _ => format!("the CSV cannot be read beyond line {line}: {error}"),
    }
}

/// The first rows of a text by a delimiter.
pub(super) fn first_rows(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let records = reader.byte_records().map_while(Result::ok);
    records
        .take(ROWS_ABOVE + 1)
        .map(|record| cells(&record))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::format::rows::Records;
    use proptest::prelude::*;

    const HEAD: &str = "ID;Program;Action time;Earnings;Product name;Weather\n";

    fn read(text: &str) -> Result<Vec<String>, String> {
        let rows = Delimited::new(text.as_bytes(), b';', &Aliases::default())?;
        Ok(Records::new(rows)
            .map(|record| match record {
                Ok(record) => format!("{}: {}", record.place.line, record.text),
                Err(ReadError::Reject(reject)) => {
                    format!("{}! {}", reject.place.line, reject.message)
                }
                Err(error) => format!("!! {error:?}"),
            })
            .collect())
    }

    #[test]
    fn rows_under_headings_are_records_with_their_lines() {
        let text = format!(
            "sep=;\nReport\n\n{HEAD}1;AliExpress WW;05.03.2024 13:30;1,89;\"A \"\"B\"\";\nC\";fair\n\n;;;;;\n2;X;y;1;;;;\n3;X;y;1\n"
        );
        let found = read(&text).unwrap();
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(
            found[0].starts_with("5: {") && found[0].contains("2024-03-05 13:30:00"),
            "{found:#?}"
        );
        assert!(
            found[0].contains("A \\\"B\\\";\\nC") && !found[0].contains("fair"),
            "{found:#?}"
        );
        assert!(
            found[1].starts_with("9: {"),
            "empty cells behind a row are none: {found:#?}"
        );
        assert!(
            found[2].starts_with("10! the row has 4 cells under 6 headings"),
            "{found:#?}"
        );
    }

    #[test]
    fn an_open_quotation_mark_ends_the_reading_in_bounded_memory() {
        let open = format!("1;X;y;\"1;{}", "x".repeat(3 << 20));
        let found = read(&format!("{HEAD}{}{open}", "1;X;y;1;;\n".repeat(30))).unwrap();
        assert!(
            found
                .last()
                .is_some_and(|last| last.contains("line 32: a row is longer than 1 MiB")),
            "{}",
            found.len()
        );
        let error = read(&format!("{HEAD}{open}")).unwrap_err();
        assert!(error.contains("longer than 1 MiB"), "{error}");
        let error = read(&format!("\"{}", "x".repeat(3 << 20))).unwrap_err();
        assert!(error.contains("longer than 1 MiB"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_errors(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
            let mut text = format!("{HEAD}1;AliExpress WW;05.03.2024 13:30;1,89;A;fair\n2;X;y;1;\"b\";\n").into_bytes();
            let at = at.min(text.len());
            text.splice(at..at, bytes.iter().copied());
            for input in [&text, &bytes] {
                for (delimiter, _) in DELIMITERS {
                    if let Ok(rows) = Delimited::new(input.as_slice(), *delimiter, &Aliases::default()) {
                        prop_assert!(Records::new(rows).count() <= input.len());
                    }
                }
            }
        }
    }
}
