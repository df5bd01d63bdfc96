//! The reader of Admitad's XML export: `<stat>` rows under any root, a tag for each field.
//!
//! Entities are not expanded: a DOCTYPE is refused, and of references only XML's own five and those to characters are
//! known. Depth, attributes and lengths are bounded, and an end inside an open element is an error.

use super::ReadError;
use super::heading::{Aliases, listed, one_line, short};
use super::rows::{FIELD_LIMIT, Row};
use super::survey::Habits;
use super::text::{Allowance, Bounded};
use crate::domain::draft::RejectReason;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeSet;
use std::io::{BufReader, Read};

/// The row's tag.
const ROW: &str = "stat";
/// How deep elements may stand in each other.
const DEPTH: usize = 32;
/// The most attributes of an element.
const ATTRIBUTES: usize = 64;
/// The longest tag or stretch of text, in bytes.
const EVENT_LIMIT: usize = 1 << 18;
/// How much is read at once.
const CHUNK: usize = 1 << 16;
/// How many unknown tags are remembered.
const UNKNOWN: usize = 60;
const TOO_LONG: &str = "a tag or a text is longer than 256 KiB";

/// Rows of XML in UTF-8.
pub(super) struct Xml<'a, R> {
    reader: Reader<BufReader<Bounded<R>>>,
    allowance: Allowance,
    aliases: &'a Aliases,
    habits: Habits,
    buffer: Vec<u8>,
    /// Names of the open elements, from the root.
    open: Vec<String>,
    /// The row that is being read, and the depth of its tag.
    row: Option<(Row, usize)>,
    /// The text of the field that is being read.
    text: String,
    root: Option<String>,
    /// Elements below the root that are no rows.
    others: BTreeSet<String>,
    unknown: BTreeSet<String>,
    rows: u64,
    is_done: bool,
}

impl<'a, R: Read> Xml<'a, R> {
    pub(super) fn new(input: R, aliases: &'a Aliases) -> Self {
        let allowance = Allowance::of(EVENT_LIMIT + CHUNK);
        let bounded = Bounded::new(input, allowance.clone(), TOO_LONG);
        let mut reader = Reader::from_reader(BufReader::with_capacity(CHUNK, bounded));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            allowance,
            aliases,
            habits: Habits::default(),
            buffer: Vec::new(),
            open: Vec::new(),
            row: None,
            text: String::new(),
            root: None,
            others: BTreeSet::new(),
            unknown: BTreeSet::new(),
            rows: 0,
            is_done: false,
        }
    }

    /// Reads on by the habits of the whole table.
    pub(super) fn with(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    /// Tags of rows that are not known, once all was read.
    pub(super) fn ignored(&self) -> Vec<String> {
        self.unknown.iter().cloned().collect()
    }

    /// The next row; none at the end.
    fn step(&mut self) -> Result<Option<Row>, String> {
        loop {
            self.buffer.clear();
            self.allowance.renew();
            let mut buffer = std::mem::take(&mut self.buffer);
            let event = self
                .reader
                .read_event_into(&mut buffer)
                .map_err(|error| self.damaged(&error.to_string()))?;
            let finished = match event {
                Event::Start(tag) => {
                    self.begin(&tag)?;
                    None
                }
                Event::End(_) => self.end(),
                Event::Text(text) => {
                    self.say(&text.xml10_content());
                    None
                }
                Event::CData(text) => {
                    self.say(&text.xml10_content());
                    None
                }
                Event::GeneralRef(reference) => {
                    let character = reference
                        .resolve_char_ref()
                        .map_err(|error| self.damaged(&error.to_string()))?;
                    let character = match (character, &*reference) {
                        (Some(character), _) => character,
                        (None, "amp") => '&',
                        (None, "lt") => '<',
                        (None, "gt") => '>',
                        (None, "quot") => '"',
                        (None, "apos") => '\'',
                        (None, other) => {
                            return Err(self.damaged(&format!(
                                "the entity `&{};` is not one of XML's own, and no others are expanded",
                                short(other)
                            )));
                        }
                    };
                    self.say(character.encode_utf8(&mut [0; 4]));
                    None
                }
                Event::DocType(_) => {
                    return Err(
                        "the XML has a DOCTYPE, which can make a small file expand without end; exports have none. Remove \
                         the line if you trust the file"
                            .to_owned(),
                    );
                }
                Event::Eof => return self.at_end(),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            };
            self.buffer = buffer;
            if finished.is_some() {
                return Ok(finished);
            }
        }
    }

    fn damaged(&self, what: &str) -> String {
        format!(
            "the XML is damaged near byte {} (behind row {}): {}; export it again",
            self.reader.buffer_position(),
            self.rows,
            one_line(what)
        )
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.local_name();
        let name: &str = name.as_ref();
        if self.open.len() >= DEPTH {
            return Err(self.damaged(&format!(
                "elements stand more than {DEPTH} deep in each other"
            )));
        }
        let mut attributes = tag.attributes();
        let few = attributes.with_checks(false).take(ATTRIBUTES + 1);
        if few.count() > ATTRIBUTES {
            return Err(self.damaged(&format!(
                "the element `{}` has more than {ATTRIBUTES} attributes",
                short(name)
            )));
        }
        if self.open.is_empty() && self.root.is_none() {
            self.root = Some(short(name));
        }
        if self.row.is_none() {
            if name.eq_ignore_ascii_case(ROW) {
                let byte = self.reader.buffer_position();
                self.rows += 1;
                self.row = Some((Row::at(1, byte, self.rows), self.open.len()));
            } else if !self.open.is_empty() && self.others.len() < UNKNOWN {
                self.others.insert(short(name));
            }
        }
        self.text.clear();
        self.open.push(name.to_owned());
        Ok(())
    }

    /// Text inside an element; only that of a row's own fields counts.
    fn say(&mut self, text: &str) {
        let Some((row, depth)) = &mut self.row else {
            return;
        };
        if self.open.len() != *depth + 2 {
            return;
        }
        if self.text.len() + text.len() > FIELD_LIMIT {
            let name = self.open.last().map_or("", String::as_str);
            let message = format!(
                "`{}` has more than {FIELD_LIMIT} bytes; shorten it",
                short(name)
            );
            row.refuse(RejectReason::TooLong, None, message);
            return;
        }
        self.text.push_str(text);
    }

    /// The end of an element; gives the row that ends with it.
    fn end(&mut self) -> Option<Row> {
        let name = self.open.pop()?;
        let (row, depth) = self.row.as_mut()?;
        let above = self.open.len().checked_sub(*depth)?;
        if above == 0 {
            let (mut row, _) = self.row.take()?;
            row.finish();
            return (!row.is_empty()).then_some(row);
        }
        if above == 1 {
            match self.aliases.find(&name) {
                Some(column) => row.add(column, &self.text, self.habits, false),
                None if self.unknown.len() < UNKNOWN => {
                    self.unknown.insert(short(&name));
                }
                None => {}
            }
        } else if self.unknown.len() < UNKNOWN {
            self.unknown.insert(short(&name));
        }
        self.text.clear();
        None
    }

    fn at_end(&self) -> Result<Option<Row>, String> {
        if let Some(name) = self.open.last() {
            return Err(format!(
                "the XML ends inside `<{}>` (behind row {}): the file is not whole; download it again",
                short(name),
                self.rows
            ));
        }
        let Some(root) = &self.root else {
            return Err("the XML has no element at all; export it again".to_owned());
        };
        if self.rows == 0 && root.eq_ignore_ascii_case("workbook") {
            return Err(
                "it is an Excel 2003 XML workbook; open it and save it as XLSX or CSV".to_owned(),
            );
        }
        if self.rows == 0 && !self.others.is_empty() {
            return Err(format!(
                "the XML holds no `<{ROW}>` rows; its root is `<{root}>` with {}. Take the report on actions with Export, \
                 XML",
                listed(self.others.iter().map(String::as_str))
            ));
        }
        Ok(None)
    }
}

impl<R: Read> Iterator for Xml<'_, R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        match self.step() {
            Ok(Some(row)) => Some(Ok(row)),
            Ok(None) => {
                self.is_done = true;
                None
            }
            Err(message) => {
                self.is_done = true;
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

    fn read(text: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let aliases = Aliases::default();
        let mut rows = Xml::new(text.as_bytes(), &aliases);
        let mut found = Vec::new();
        for record in Records::new(&mut rows) {
            match record {
                Ok(record) => found.push(record.text),
                Err(ReadError::Reject(reject)) => found.push(format!("! {}", reject.message)),
                Err(ReadError::Format(message)) => return Err(message),
                Err(other) => panic!("{other:?}"),
            }
        }
        Ok((found, rows.ignored()))
    }

    const SAMPLE: &str = "<?xml version=\"1.0\"?>\n<stats><stat><action_id>900000001</action_id><advcampaign_name>A &amp; B \
                          &#1046;</advcampaign_name><closing_date>-</closing_date><payment>1.89</payment><weather>fair</weather>\
                          <product_name><![CDATA[<Cable>]]></product_name><x><y>z</y></x></stat></stats>";

    #[test]
    fn stat_rows_are_records() {
        let (found, ignored) = read(SAMPLE).unwrap();
        assert_eq!(
            found,
            [
                "{\"action_id\":\"900000001\",\"advcampaign_name\":\"A & B Ж\",\"payment\":\"1.89\",\
              \"positions\":[{\"payment\":\"1.89\",\"product_name\":\"<Cable>\"}]}"
            ]
        );
        assert_eq!(ignored, ["weather", "x", "y"]);
        assert_eq!(read("<stats/>").unwrap(), (vec![], vec![]));
        let twice = read("<a><b><stat><id>1</id><id>2</id></stat></b></a>").unwrap();
        assert!(twice.0[0].contains("stands twice"), "{twice:?}");
        let two = read("<a><stat><id>1</id><product_name>A</product_name><product_name>B</product_name></stat></a>").unwrap();
        assert!(
            two.0[0].contains("[{\"product_name\":\"A\"},{\"product_name\":\"B\"}]"),
            "{two:?}"
        );
    }

    #[test]
    fn hostile_and_damaged_documents_end_in_their_errors() {
        let deep = "<a>".repeat(100_000);
        let attributes = format!(
            "<stats><stat {}>",
            (0..100).map(|at| format!("a{at}='x' ")).collect::<String>()
        );
        let long = format!("<stats><stat><comment>{}", "x".repeat(1 << 20));
        let cut = SAMPLE.split_once("<x>").unwrap().0;
        for (text, words) in [
            (
                "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a><stat><id>&c;</id></stat></a>",
                "DOCTYPE",
            ),
            ("<a><stat><id>&c;</id></stat></a>", "`&c;`"),
            (deep.as_str(), "32 deep"),
            (attributes.as_str(), "64 attributes"),
            (long.as_str(), "256 KiB"),
            (cut, "ends inside"),
            ("<a><stat></b></a>", "damaged"),
            (
                "<yml_catalog><shop><offers/></shop></yml_catalog>",
                "root is `<yml_catalog>`",
            ),
            ("<Workbook><Worksheet/></Workbook>", "Excel 2003"),
            ("<!-- -->", "no element"),
        ] {
            let error = read(text).expect_err(words);
            assert!(
                error.contains(words) && error.len() < 600,
                "{words} in {error}"
            );
        }
        let long_field = format!(
            "<a><stat><id>1</id><comment>{}</comment></stat></a>",
            "x".repeat(70_000)
        );
        assert!(read(&long_field).unwrap().0[0].contains("65536 bytes"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_errors(bytes in proptest::collection::vec(any::<u8>(), 0..60), at in 0usize..400, cut in 0usize..400) {
            let mut text = SAMPLE.as_bytes().to_vec();
            let at = at.min(text.len());
            let end = (at + cut % 20).min(text.len());
            text.splice(at..end, bytes.iter().copied());
            let aliases = Aliases::default();
            for input in [&text, &bytes] {
                prop_assert!(Records::new(Xml::new(input.as_slice(), &aliases)).count() <= input.len() + 1);
            }
        }
    }
}
