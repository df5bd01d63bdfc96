//! An input of any format: what it is, whether it can be read to its end, and its records.
//!
//! Every input is read through once before its first record is handed out: one that is cut off, cannot be unpacked or
//! decoded, or is too large is refused as a whole. Records of JSON that are broken in themselves are rejects, and cut
//! nothing off.

use super::delimited::{DELIMITERS, Delimited};
use super::detect::{self, Detected, Kind, SAMPLE};
use super::heading::Aliases;
use super::json::{Cut, JsonReader};
use super::machine::Faults;
use super::rows::{Records, Row};
use super::sheet::lines::SheetRows;
use super::sheet::parent::{Spooled, spool};
use super::survey::{Marks, Survey};
use super::text::{Utf8, beginning, is_utf8};
use super::xml::Xml;
use super::{Decoded, ReadError, decoded, told};
use crate::domain::error::Error;
use crate::domain::time::Instant;
use crate::ingest::latest::Newest;
use crate::ingest::raw::RawRecord;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How inputs are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What headings mean.
    pub aliases: Aliases,
    /// Our own binary, which reads workbooks in a process of its own; the running one where none is named.
    pub program: Option<PathBuf>,
}

/// How many bytes of an input have been read.
pub type Meter = Arc<AtomicU64>;

/// Records of an input, one after the other.
pub type AnyRecords<'a> = Box<dyn Iterator<Item = Result<RawRecord, ReadError>> + 'a>;

/// A file that is known to be readable.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    kind: Kind,
    encoding: &'static Encoding,
    aliases: Aliases,
    /// The rows of a workbook.
    rows: Option<Spooled>,
    surveyed: Surveyed,
    is_packed: bool,
    faults: Faults,
}

/// What reading all of an input has told.
#[derive(Debug, Default)]
struct Surveyed {
    /// The newest of its times.
    newest: Option<Instant>,
    /// Headings, tags and sheets that mean nothing.
    ignored: Vec<String>,
    /// How its cells are to be read.
    marks: Marks,
}

impl Input {
    /// Recognises the format of the file at `path` and reads it to its end. `offset_minutes` is that of
    /// times without one.
    ///
    /// # Errors
    /// A sentence for people: what is wrong, and the remedy. Where the machine cannot read it just now, whatever it is, that.
    pub fn open(path: &Path, reading: &Reading, offset_minutes: i32) -> Result<Self, Error> {
        let faults = Faults::default();
        let opened = Self::opened(path, reading, offset_minutes, &faults);
        opened.map_err(|sentence| faults.or(sentence))
    }

    fn opened(
        path: &Path,
        reading: &Reading,
        offset_minutes: i32,
        faults: &Faults,
    ) -> Result<Self, String> {
        let unpacked = || unpacked(path, None, faults);
        let mut file = unpacked()?;
        let is_packed = matches!(file, Decoded::Gzip(_));
        let sample = beginning(&mut file, SAMPLE).map_err(|error| unreadable(&error))?;
        let Detected { kind, encoding } = detect::detect(&sample, &reading.aliases)?;
        let mut input = Self {
            path: path.to_owned(),
            kind,
            encoding: encoding.unwrap_or(UTF_8),
            aliases: reading.aliases.clone(),
            rows: None,
            surveyed: Surveyed::default(),
            is_packed,
            faults: faults.clone(),
        };
        match kind {
            Kind::Delimited(_) if encoding.is_none() => {
                let whole = is_utf8(&mut unpacked()?).map_err(|error| unreadable(&error))?;
                input.encoding = if whole { UTF_8 } else { WINDOWS_1251 };
            }
            Kind::Archive | Kind::Compound => {
                let program = reading.program.as_deref();
                let is_archive = kind == Kind::Archive;
                input.rows = Some(spool(unpacked()?, is_archive, program, faults)?);
            }
            Kind::Json | Kind::Delimited(_) | Kind::Xml => {}
        }
        input.surveyed = input.survey(offset_minutes)?;
        Ok(input)
    }

    /// The newest status change, order or click that the input names.
    #[must_use]
    pub fn newest(&self) -> Option<Instant> {
        self.surveyed.newest
    }

    /// What the input is, for people: `CSV (semicolons, windows-1251)`.
    #[must_use]
    pub fn format(&self) -> String {
        let encoding = self.encoding.name();
        let mut words = match self.kind {
            Kind::Json if self.encoding == UTF_8 => "JSON".to_owned(),
            Kind::Json => format!("JSON ({encoding})"),
            Kind::Xml => format!("XML ({encoding})"),
            Kind::Delimited(delimiter) => {
                let divided = DELIMITERS.iter().find(|(byte, _)| *byte == delimiter);
                let divided = divided.map_or("", |(_, words)| words);
                let guessed = if self.encoding == WINDOWS_1251 {
                    ", for it is not UTF-8"
                } else {
                    ""
                };
                format!("CSV ({divided}, {encoding}{guessed})")
            }
            Kind::Archive => "XLSX".to_owned(),
            Kind::Compound => "XLS".to_owned(),
        };
        if self.is_packed {
            words.push_str(", gzip");
        }
        words
    }

    /// Headings, tags and sheets that mean nothing to us, in words.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.surveyed.ignored
    }

    /// The records; `meter` counts the bytes of the file that they were read from.
    ///
    /// # Errors
    /// Where the file is no longer what it was when it was opened, or the machine cannot read it just now.
    pub fn records(&self, meter: &Meter) -> Result<AnyRecords<'_>, Error> {
        self.handed(meter).map_err(|sentence| self.failed(sentence))
    }

    /// Why reading its records ended, whose reader says so in a sentence.
    #[must_use]
    pub fn failed(&self, sentence: String) -> Error {
        self.faults.or(sentence)
    }

    fn handed(&self, meter: &Meter) -> Result<AnyRecords<'_>, String> {
        let meter = Some(Arc::clone(meter));
        let marks = &self.surveyed.marks;
        Ok(match self.kind {
            Kind::Json => Box::new(JsonReader::new(self.json(meter)?)),
            Kind::Xml => {
                let rows = Xml::new(self.text(meter)?, &self.aliases);
                Box::new(Records::marked(rows.with(marks.habits), marks))
            }
            Kind::Delimited(delimiter) => {
                let rows = Delimited::new(self.text(meter)?, delimiter, &self.aliases)?;
                Box::new(Records::marked(rows.with(marks.habits), marks))
            }
            Kind::Archive | Kind::Compound => {
                let rows = SheetRows::new(self.spooled(meter)?, &self.aliases);
                Box::new(Records::marked(rows.with(marks.habits), marks))
            }
        })
    }

    /// Reads all of it.
    fn survey(&self, offset_minutes: i32) -> Result<Surveyed, String> {
        match self.kind {
            Kind::Json => self.survey_json(offset_minutes),
            Kind::Xml => {
                let mut rows = Xml::new(self.text(None)?, &self.aliases);
                let surveyed = survey(&mut rows, offset_minutes)?;
                Ok(surveyed.ignoring(rows.ignored()))
            }
            Kind::Delimited(delimiter) => {
                let mut rows = Delimited::new(self.text(None)?, delimiter, &self.aliases)?;
                let surveyed = survey(&mut rows, offset_minutes)?;
                Ok(surveyed.ignoring(rows.ignored().to_vec()))
            }
            Kind::Archive | Kind::Compound => {
                let mut rows = SheetRows::new(self.spooled(None)?, &self.aliases);
                let surveyed = survey(&mut rows, offset_minutes)?;
                Ok(surveyed.ignoring(rows.ignored().to_vec()))
            }
        }
    }

    /// Reads all records of JSON, as they will be read again.
    fn survey_json(&self, offset_minutes: i32) -> Result<Surveyed, String> {
        let mut newest = Newest::new(offset_minutes);
        let mut reader = JsonReader::new(self.json(None)?);
        for record in reader.by_ref() {
            match record {
                Ok(record) => newest.look(record.text.as_bytes()),
                Err(ReadError::Reject(_)) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        match reader.cut_off() {
            None => {}
            Some(Cut::Value { byte, line }) => {
                return Err(format!(
                    "the JSON ends in the middle of what begins at byte {byte} (line {line}): the file is not whole, or a \
                     bracket or quote is missing there, and nothing of it was imported; download it again, or mend it there"
                ));
            }
            Some(Cut::End { byte, line }) => {
                return Err(format!(
                    "the JSON ends in the middle, at byte {byte} (line {line}): the file is not whole, and nothing of it was \
                     imported; download it again, or remove what is left of its last record"
                ));
            }
        }
        Ok(Surveyed {
            newest: newest.instant(),
            ..Surveyed::default()
        })
    }

    /// JSON in UTF-8 is taken as it is: a record that is none costs itself alone.
    fn json(&self, meter: Option<Meter>) -> Result<Box<dyn Read>, String> {
        Ok(if self.encoding == UTF_8 {
            Box::new(unpacked(&self.path, meter, &self.faults)?)
        } else {
            Box::new(self.text(meter)?)
        })
    }

    fn text(&self, meter: Option<Meter>) -> Result<Utf8<Decoded<Counted>>, String> {
        Ok(Utf8::new(
            unpacked(&self.path, meter, &self.faults)?,
            self.encoding,
        ))
    }

    fn spooled(&self, meter: Option<Meter>) -> Result<BufReader<Counted>, String> {
        let Some(rows) = &self.rows else {
            return Err("the workbook was not read; import it again".to_owned());
        };
        let file = rows.open().map_err(|error| {
            self.faults.note_ours(&error);
            unreadable(&error)
        })?;
        let size_of =
            |file: io::Result<std::fs::Metadata>| file.map_or(1, |data| data.len().max(1));
        // Its rows take another room than itself: progress is told in bytes of the workbook.
        let scale = (
            size_of(std::fs::metadata(&self.path)),
            size_of(file.metadata()),
        );
        Ok(BufReader::new(Counted {
            input: file,
            read: 0,
            scale,
            meter,
            faults: self.faults.clone(),
        }))
    }
}

impl Surveyed {
    fn ignoring(self, ignored: Vec<String>) -> Self {
        Self { ignored, ..self }
    }
}

fn survey(
    rows: &mut dyn Iterator<Item = Result<Row, ReadError>>,
    offset_minutes: i32,
) -> Result<Surveyed, String> {
    let mut survey = Survey::new(offset_minutes);
    for row in rows {
        match row {
            Ok(row) => survey.take(row),
            Err(ReadError::Reject(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let (newest, marks) = survey.finished();
    Ok(Surveyed {
        newest,
        marks,
        ..Surveyed::default()
    })
}

fn unreadable(error: &io::Error) -> String {
    format!("the input cannot be read: {}", told(error))
}

fn unpacked(
    path: &Path,
    meter: Option<Meter>,
    faults: &Faults,
) -> Result<Decoded<Counted>, String> {
    let input = File::open(path).map_err(|error| {
        faults.note(&error);
        format!("the input cannot be opened: {error}")
    })?;
    let counted = Counted {
        input,
        read: 0,
        scale: (1, 1),
        meter,
        faults: faults.clone(),
    };
    decoded(counted).map_err(|error| unreadable(&error))
}

/// A file that counts what was read of it.
struct Counted {
    input: File,
    read: u64,
    /// What a byte counts for, as a fraction.
    scale: (u64, u64),
    meter: Option<Meter>,
    faults: Faults,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into);
        let count = count.inspect_err(|error| self.faults.note(error))?;
        self.read += u64::try_from(count).unwrap_or(0);
        if let Some(meter) = &self.meter {
            let (worth, of) = self.scale;
            let told = u128::from(self.read) * u128::from(worth) / u128::from(of);
            meter.store(u64::try_from(told).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        Ok(count)
    }
}
