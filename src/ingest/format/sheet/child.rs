//! What happens in the child: limits first, then the workbook's cells, row by row, to its output.
//!
//! XLSX is read cell by cell as a stream. XLS has no such reader: its sheets are laid out in memory, which the limit
//! bounds. Whatever the reader does with a hostile file, it does it here.

use super::lines::{CELLS, Cells, Line, ROW_BYTES, SHEETS, TEXT_BYTES};
use calamine::{Data, DataRef, ExcelDateTime, Reader, SheetType, Xls, Xlsx};
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

/// The most memory, in bytes of address space.
#[cfg(unix)]
const MEMORY: u64 = 512 << 20;
/// The most computing, in seconds.
#[cfg(unix)]
const COMPUTING: u64 = 60;

/// With what the process ends where its rows could not be written: there is no room for them.
pub const UNWRITTEN: u8 = 74;

/// Reads the workbook at `path` into lines. Called in a process of its own and nowhere else: it takes from the process
/// what it may not use.
///
/// # Errors
/// When the output cannot be written. What is wrong with the workbook is said in the output.
pub fn read_sheet(path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut sink = Sink {
        out,
        cells: 0,
        bytes: 0,
        row: Vec::new(),
        row_number: None,
        row_bytes: 0,
    };
    let last = match limit().and_then(|()| read(path, &mut sink)) {
        Ok(()) => Line::End(sink.cells),
        Err(Stop::Broken(message)) => Line::Error(message),
        Err(Stop::Output(error)) => return Err(error),
    };
    sink.line(&last)?;
    sink.out.flush()
}

#[cfg(unix)]
fn limit() -> Result<(), Stop> {
    use rlimit::Resource;
    let limits = [
        (Resource::AS, MEMORY),
        (Resource::CPU, COMPUTING),
        (Resource::CORE, 0),
    ];
    for (resource, most) in limits {
        resource.set(most, most).map_err(|error| {
            Stop::Broken(format!(
                "workbooks cannot be read here, since what they may use cannot be limited: {error}; save it as CSV"
            ))
        })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit() -> Result<(), Stop> {
    Err(Stop::Broken(
        "workbooks are read on Unix only, where their memory can be bounded; save it as CSV"
            .to_owned(),
    ))
}

/// Why reading stops.
enum Stop {
    /// The workbook is not readable, or too much.
    Broken(String),
    /// Nobody listens.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn broken(error: impl std::fmt::Display) -> Stop {
    let text: String = error.to_string().chars().take(200).collect();
    Stop::Broken(format!("the workbook cannot be read: {text}"))
}

fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut magic = [0; 2];
    let open = || File::open(path).map_err(broken);
    io::Read::read_exact(&mut open()?, &mut magic).map_err(broken)?;
    let input = BufReader::new(open()?);
    if magic == *b"PK" {
        read_xlsx(Xlsx::new(input).map_err(broken)?, sink)
    } else {
        read_xls(Xls::new(input).map_err(broken)?, sink)
    }
}

/// Names of the worksheets, in the workbook's order.
fn sheets(all: &[calamine::Sheet]) -> Result<Vec<String>, Stop> {
    let sheets = all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let names: Vec<String> = sheets.map(|sheet| sheet.name.clone()).collect();
    if names.len() > SHEETS {
        return Err(Stop::Broken(format!(
            "the workbook has {} sheets, at most {SHEETS} are taken; save the one with the actions as CSV",
            names.len()
        )));
    }
    Ok(names)
}

fn read_xlsx(mut book: Xlsx<BufReader<File>>, sink: &mut Sink<'_>) -> Result<(), Stop> {
    for name in sheets(book.sheets_metadata())? {
        sink.line(&Line::Sheet(shortened(&name)))?;
        let mut cells = match book.worksheet_cells_reader(&name) {
            Ok(cells) => cells,
            Err(error) => return Err(broken(error)),
        };
        while let Some(cell) = cells.next_cell().map_err(broken)? {
            let (row, column) = cell.get_position();
            sink.cell((row, column), cell.get_value())?;
        }
        sink.end_row()?;
    }
    Ok(())
}

fn read_xls(mut book: Xls<BufReader<File>>, sink: &mut Sink<'_>) -> Result<(), Stop> {
    for name in sheets(book.sheets_metadata())? {
        sink.line(&Line::Sheet(shortened(&name)))?;
        let range = book.worksheet_range(&name).map_err(broken)?;
        let (top, left) = range.start().unwrap_or((0, 0));
        for (row, column, value) in range.used_cells() {
            let row = u32::try_from(row).unwrap_or(u32::MAX).saturating_add(top);
            let column = u32::try_from(column)
                .unwrap_or(u32::MAX)
                .saturating_add(left);
            sink.cell((row, column), &borrowed(value))?;
        }
        sink.end_row()?;
    }
    Ok(())
}

fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

fn borrowed(value: &Data) -> DataRef<'_> {
    match value {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(text) => DataRef::SharedString(text),
        Data::Bool(flag) => DataRef::Bool(*flag),
        Data::DateTime(time) => DataRef::DateTime(*time),
        Data::DateTimeIso(text) | Data::DurationIso(text) => DataRef::SharedString(text),
        Data::Error(error) => DataRef::Error(error.clone()),
        _ => DataRef::Empty,
    }
}

/// A cell's text; nothing where it is empty.
fn said(value: &DataRef<'_>) -> Option<String> {
    match value {
        DataRef::Int(number) => Some(number.to_string()),
        DataRef::Float(number) => Some(digits(*number)),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Some(text.clone())
        }
        DataRef::SharedString(text) => Some((*text).to_owned()),
        DataRef::Bool(flag) => Some(flag.to_string()),
        DataRef::DateTime(time) => Some(moment(time)),
        DataRef::Error(error) => Some(error.to_string()),
        DataRef::Empty => None,
    }
}

/// A number as a spreadsheet shows it: whole ones exactly, others with 15 digits, which is all they can be trusted with.
fn digits(number: f64) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return format!("{number:.0}");
    }
    let rounded = format!("{number:.14e}").parse::<f64>().unwrap_or(number);
    if (1e-6..1e18).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
            .replace('e', "E+")
            .replace("E+-", "E-")
    }
}

/// A date and time, rounded to a second; a length of time, or a time without a date, as `hours:minutes:seconds`.
fn moment(time: &ExcelDateTime) -> String {
    let days = time.as_f64();
    if time.is_duration() || (0.0..1.0).contains(&days) {
        let seconds = (days * 86_400.0).round();
        if !(0.0..1e12).contains(&seconds) {
            return digits(days);
        }
        // It is whole and small by now, so that nothing is cut off.
        let text = format!("{seconds:.0}");
        let seconds: u64 = text.parse().unwrap_or(0);
        return format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
    }
    // Half a second more, so that what lacks a millisecond is not a second early.
    let kept = days + 0.5 / 86_400.0;
    let whole = ExcelDateTime::new(kept, calamine::ExcelDateTimeType::DateTime, is_1904(time));
    let (year, month, day, hour, minute, second, _) = whole.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Whether the workbook counts from 1904, which only shows in what it makes of a number.
fn is_1904(time: &ExcelDateTime) -> bool {
    let plain = ExcelDateTime::new(time.as_f64(), calamine::ExcelDateTimeType::DateTime, false);
    plain.to_ymd_hms_milli() != time.to_ymd_hms_milli()
}

/// Where the lines go, with what may still go there.
struct Sink<'a> {
    out: &'a mut dyn Write,
    cells: u64,
    bytes: u64,
    row: Cells,
    row_number: Option<u32>,
    row_bytes: usize,
}

impl Sink<'_> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let text = line.to_text();
        self.bytes += u64::try_from(text.len()).unwrap_or(0) + 1;
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    fn cell(&mut self, (row, column): (u32, u32), value: &DataRef<'_>) -> Result<(), Stop> {
        self.cells += 1;
        if self.cells > CELLS {
            return Err(Stop::Broken(format!(
                "the workbook has more than {CELLS} cells; save it as CSV"
            )));
        }
        if self.row_number != Some(row) {
            if self.row_number.is_some_and(|before| row < before) {
                return Err(Stop::Broken(
                    "the workbook's rows are out of order; open it and save it anew".to_owned(),
                ));
            }
            self.end_row()?;
            self.row_number = Some(row);
        }
        let Some(text) = said(value) else {
            return Ok(());
        };
        self.row_bytes += text.len();
        if self.row_bytes > ROW_BYTES {
            return Err(Stop::Broken(format!(
                "row {} is longer than {} KiB; save the workbook as CSV",
                u64::from(row) + 1,
                ROW_BYTES >> 10
            )));
        }
        let is_number = matches!(value, DataRef::Int(_) | DataRef::Float(_));
        self.row.push((column, text, is_number));
        Ok(())
    }

    /// Hands out the row that is complete.
    fn end_row(&mut self) -> Result<(), Stop> {
        let cells = std::mem::take(&mut self.row);
        self.row_bytes = 0;
        if let Some(number) = self.row_number.take()
            && !cells.is_empty()
        {
            self.line(&Line::Row(u64::from(number) + 1, cells))?;
        }
        if self.bytes > TEXT_BYTES {
            return Err(Stop::Broken(format!(
                "the workbook holds more than {} MiB of text; save it as CSV",
                TEXT_BYTES >> 20
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType;

    #[test]
    fn numbers_are_written_as_spreadsheets_show_them() {
        for (number, text) in [
            (31.5, "31.5"),
            (31.499_999_999_999_996, "31.5"),
            (0.1 + 0.2, "0.3"),
            (900_000_001.0, "900000001"),
            (1_005_000_000_000_001.0, "1005000000000001"),
            (-2.25, "-2.25"),
            (3.019e18, "3.019E+18"),
        ] {
            assert_eq!(digits(number), text);
        }
    }

    #[test]
    fn dates_are_whole_seconds_in_both_counts() {
        let moment_of = |days: f64, kind, is_1904| moment(&ExcelDateTime::new(days, kind, is_1904));
        let date = ExcelDateTimeType::DateTime;
        assert_eq!(moment_of(45_356.562_5, date, false), "2024-03-05 13:30:00");
        assert_eq!(
            moment_of(45_356.562_499_99, date, false),
            "2024-03-05 13:30:00"
        );
        assert_eq!(moment_of(43_894.562_5, date, true), "2024-03-05 13:30:00");
        assert_eq!(moment_of(0.0625, date, false), "1:30:00");
        assert_eq!(
            moment_of(1.5, ExcelDateTimeType::TimeDelta, false),
            "36:00:00"
        );
    }
}
