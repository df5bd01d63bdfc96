//! What a child says of a workbook, a line for each row, and rows from those lines.

use super::super::ReadError;
use super::super::heading::{Aliases, Headings, NoHeadings, ROWS_ABOVE, headings};
use super::super::rows::Row;
use super::super::survey::Habits;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::BufRead;

/// The most cells of a workbook.
pub(super) const CELLS: u64 = 1_000_000;
/// The most sheets.
pub(super) const SHEETS: usize = 256;
/// The last column that any workbook has, from 0.
const COLUMNS: usize = 16_383;
/// The longest row, in bytes.
pub(super) const ROW_BYTES: usize = 1 << 20;
/// The most text of a workbook, in bytes.
pub(super) const TEXT_BYTES: u64 = 256 << 20;

/// A line of the child's output.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line {
    /// A sheet of this name begins.
    Sheet(String),
    /// A row: its number from 1, and its cells.
    Row(u64, Cells),
    /// The end, and how many cells there were. Nothing follows.
    End(u64),
    /// Why the workbook cannot be read. Nothing follows.
    Error(String),
}

impl Line {
    pub(super) fn to_text(&self) -> String {
        // Texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The cells of a row: column, text, and whether it is a number.
pub(super) type Cells = Vec<(u32, String, bool)>;

/// Rows of the sheets that have headings, one sheet after the other.
pub(in super::super) struct SheetRows<'a, R> {
    input: R,
    aliases: &'a Aliases,
    habits: Habits,
    page: u32,
    name: String,
    /// Headings of the present sheet; none where they are still looked for, or there are none.
    headings: Option<Headings>,
    /// Rows in which headings are looked for.
    ahead: Vec<(u64, Cells)>,
    is_looking: bool,
    /// Rows that stood below the headings among those.
    ready: VecDeque<Row>,
    ignored: Vec<String>,
    /// Why the first sheet without headings has none.
    without: Option<String>,
    has_found: bool,
    is_done: bool,
    text: String,
}

impl<'a, R: BufRead> SheetRows<'a, R> {
    pub(in super::super) fn new(input: R, aliases: &'a Aliases) -> Self {
        Self {
            input,
            aliases,
            habits: Habits::default(),
            page: 0,
            name: String::new(),
            headings: None,
            ahead: Vec::new(),
            is_looking: false,
            ready: VecDeque::new(),
            ignored: Vec::new(),
            without: None,
            has_found: false,
            is_done: false,
            text: String::new(),
        }
    }

    /// Reads on by the habits of the whole workbook.
    pub(in super::super) fn with(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    /// Headings that are not known and sheets without headings, once all was read.
    pub(in super::super) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    fn line(&mut self) -> Result<Line, String> {
        self.text.clear();
        self.input
            .read_line(&mut self.text)
            .map_err(|error| format!("what was read of the workbook is lost: {error}"))?;
        serde_json::from_str(&self.text)
            .map_err(|_| "what was read of the workbook is not whole; import it again".to_owned())
    }

    /// Looks for headings in the rows at the beginning of a sheet, which are ready then.
    fn settle(&mut self) -> Result<(), String> {
        let ahead = std::mem::take(&mut self.ahead);
        if !std::mem::take(&mut self.is_looking) || ahead.is_empty() {
            return Ok(());
        }
        let rows: Vec<Vec<String>> = ahead.iter().map(|(_, cells)| dense(cells)).collect();
        match headings(&rows, self.aliases) {
            Ok((place, found)) => {
                for heading in &found.ignored {
                    if !self.ignored.contains(heading) {
                        self.ignored.push(heading.clone());
                    }
                }
                let below = ahead.iter().skip(place + 1);
                let rows = below
                    .map(|(number, cells)| row((self.page, *number), &found, self.habits, cells));
                self.ready.extend(rows);
                self.headings = Some(found);
                self.has_found = true;
                Ok(())
            }
            Err(NoHeadings::NoRow(message)) => {
                self.ignored.push(format!("the sheet {}", self.name));
                let message = format!("in the sheet `{}` {message}", self.name);
                self.without.get_or_insert(message);
                Ok(())
            }
            Err(NoHeadings::Wrong(message)) => {
                Err(format!("in the sheet `{}` {message}", self.name))
            }
        }
    }

    fn step(&mut self) -> Result<Option<Row>, String> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                if row.is_empty() {
                    continue;
                }
                return Ok(Some(row));
            }
            if self.is_done {
                return Ok(None);
            }
            match self.line()? {
                Line::Row(number, cells) if self.is_looking => {
                    self.ahead.push((number, cells));
                    if self.ahead.len() > ROWS_ABOVE {
                        self.settle()?;
                    }
                }
                Line::Row(number, cells) => {
                    if let Some(headings) = &self.headings {
                        let place = (self.page, number);
                        self.ready
                            .push_back(row(place, headings, self.habits, &cells));
                    }
                }
                Line::Sheet(name) => {
                    self.settle()?;
                    self.page += 1;
                    self.name = name;
                    self.headings = None;
                    self.is_looking = true;
                }
                Line::End(_) => {
                    self.settle()?;
                    self.is_done = true;
                    if !self.has_found
                        && let Some(message) = self.without.take()
                    {
                        return Err(message);
                    }
                }
                Line::Error(message) => return Err(message),
            }
        }
    }
}

fn row((page, number): (u32, u64), headings: &Headings, habits: Habits, cells: &Cells) -> Row {
    let mut row = Row::at(page, 0, number);
    for (at, text, is_number) in cells {
        let at = usize::try_from(*at).unwrap_or(usize::MAX);
        if let Some(Some(column)) = headings.columns.get(at) {
            row.add(*column, text, habits, *is_number);
        }
    }
    row.finish();
    row
}

/// The cells of a row with the empty ones between them.
fn dense(cells: &Cells) -> Vec<String> {
    let mut row = Vec::new();
    for (at, text, _) in cells {
        let at = usize::try_from(*at).unwrap_or(usize::MAX).min(COLUMNS);
        if row.len() <= at {
            row.resize(at + 1, String::new());
        }
        if let Some(cell) = row.get_mut(at) {
            text.clone_into(cell);
        }
    }
    row
}

impl<R: BufRead> Iterator for SheetRows<'_, R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done && self.ready.is_empty() {
            return None;
        }
        match self.step() {
            Ok(row) => row.map(Ok),
            Err(message) => {
                self.is_done = true;
                self.ready.clear();
                Some(Err(ReadError::Format(message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::format::rows::Records;
    use proptest::prelude::*;

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| line.to_text() + "\n").collect()
    }

    fn cells(texts: &[&str]) -> Cells {
        let cells = texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty());
        cells
            .map(|(at, text)| (u32::try_from(at).unwrap(), (*text).to_owned(), false))
            .collect()
    }

    /// Page, line and text of each record, and what is ignored.
    type Read = (Vec<(u32, u64, String)>, Vec<String>);

    fn read(lines: &[Line]) -> Result<Read, String> {
        let text = text(lines);
        let aliases = Aliases::default();
        let mut rows = SheetRows::new(text.as_bytes(), &aliases);
        let mut found = Vec::new();
        for record in Records::new(&mut rows) {
            match record {
                Ok(record) => found.push((record.place.page, record.place.line, record.text)),
                Err(ReadError::Format(message)) => return Err(message),
                Err(other) => panic!("{other:?}"),
            }
        }
        Ok((found, rows.ignored().to_vec()))
    }

    fn table(first: u64) -> Vec<Line> {
        vec![
            Line::Row(
                first,
                cells(&["ID", "Program", "Action time", "Earnings", "Weather"]),
            ),
            Line::Row(
                first + 1,
                cells(&["1", "AliExpress WW", "45356.5625", "1,89", "fair"]),
            ),
        ]
    }

    #[test]
    fn sheets_with_headings_are_read_and_others_named() {
        let mut lines = vec![
            Line::Sheet("Notes".to_owned()),
            Line::Row(1, cells(&["Hello", "ID"])),
        ];
        lines.push(Line::Sheet("May".to_owned()));
        lines.push(Line::Row(1, cells(&["Report"])));
        lines.extend(table(3));
        lines.push(Line::Sheet("June".to_owned()));
        lines.extend(table(1));
        lines.push(Line::Sheet("Empty".to_owned()));
        lines.push(Line::End(20));
        let (found, ignored) = read(&lines).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].0, found[0].1, found[1].0, found[1].1),
            (2, 4, 3, 2)
        );
        assert!(found[0].2.contains("2024-03-05 13:30:00"), "{found:?}");
        assert_eq!(ignored, ["the sheet Notes", "Weather"]);
    }

    #[test]
    fn no_headings_at_all_and_half_an_output_are_errors() {
        let lines = [
            Line::Sheet("A".to_owned()),
            Line::Row(1, cells(&["x", "y"])),
            Line::End(2),
        ];
        assert!(
            read(&lines)
                .unwrap_err()
                .contains("in the sheet `A` there is no row of headings")
        );
        let cut = read(&lines[..2]).unwrap_err();
        assert!(cut.contains("not whole"), "{cut}");
        let missing = [
            Line::Sheet("A".to_owned()),
            Line::Row(1, cells(&["ID", "Program"])),
            Line::End(2),
        ];
        assert!(
            read(&missing)
                .unwrap_err()
                .contains("no column for `action_date`")
        );
        assert_eq!(
            read(&[Line::Sheet("A".to_owned()), Line::End(0)]).unwrap(),
            (vec![], vec![])
        );
        assert_eq!(
            read(&[Line::Error("broken".to_owned())]).unwrap_err(),
            "broken"
        );
    }

    proptest! {
        #[test]
        fn any_lines_are_rows_or_errors(lines in proptest::collection::vec("\\PC{0,30}", 0..6), at in 0u32..20_000) {
            let mut whole = text(&[Line::Sheet("A".to_owned())]);
            whole.push_str(&text(&table(1)));
            whole.push_str(&text(&[Line::Row(9, vec![(at, "1".to_owned(), false), (0, "2".to_owned(), true)])]));
            for line in lines {
                whole.push_str(&line);
                whole.push('\n');
            }
            let aliases = Aliases::default();
            prop_assert!(Records::new(SheetRows::new(whole.as_bytes(), &aliases)).count() < 10);
        }
    }
}
