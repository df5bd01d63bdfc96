//! The reader of Admitad's JSON, as upstream sends it and as people store it.
//!
//! It takes page objects (`{"results": […], "_meta": {…}}`, keys in any order), several of them one after another with
//! or without blanks, lines or commas between, lists of pages, bare lists of actions, and JSON Lines of actions or of
//! pages, all in one input if need be. Of a page with two `results`, both are read. It holds one record at a time, at
//! most [`RECORD_LIMIT`] bytes long; the input may be of any length.
//!
//! A broken record is a reject, and reading goes on at the next sound record or page (`super::recover`).

use super::scan::{self, End, Object, Pair};
use super::window::{LIMIT, Window};
use super::{InputError, ReadError};
use crate::domain::draft::{Place, RejectReason};
use crate::ingest::raw::RawRecord;
use crate::ingest::refusal::Refusal;
use std::io::Read;

/// The longest record, in bytes; longer ones are refused as too long.
pub const RECORD_LIMIT: usize = LIMIT;

/// How far a suspicious value is looked into before it is measured.
const FORETASTE: usize = 1 << 16;

/// Reads records from JSON of any of the shapes above; an iterator.
pub struct JsonReader<R> {
    pub(super) window: Window<R>,
    pub(super) state: State,
    /// Open lists around the present place, pages' own lists apart.
    pub(super) lists: u32,
    page: u32,
    index: u32,
    /// Whether the present page number belongs to a stretch of bare records.
    pub(super) in_stretch: bool,
    /// Whether something broken was skipped, so that brackets need not match.
    pub(super) recovering: bool,
    /// Whether nothing sound has come since something broken: then values are measured by their brackets first, so
    /// that nested beginnings of pages cost no more than their depth allows.
    pub(super) is_suspicious: bool,
    /// Where the input ended although something had begun and not ended.
    cut: Option<Cut>,
    done: bool,
}

/// Where in the grammar the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Where pages, lists and bare records may stand.
    Outer,
    /// Among the records of a page.
    Records,
    /// Behind the records of a page, before the bracket that closes it.
    Tail,
}

/// Where an input is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// In a value that begins here. It may as well be one that lacks a bracket or a quote, and has taken in all that follows.
    Value {
        /// Its first byte.
        byte: u64,
        /// The line of it.
        line: u64,
    },
    /// Between two values, here at the end.
    End {
        /// The end.
        byte: u64,
        /// Its line.
        line: u64,
    },
}

/// What one step of the reader came to.
pub(super) enum Step {
    /// Nothing to hand out yet.
    Onward,
    /// This is handed out.
    Yield(Result<RawRecord, ReadError>),
    /// The end.
    End,
}

impl<R: Read> Iterator for JsonReader<R> {
    type Item = Result<RawRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let step = match self.state {
                State::Outer => self.outer(),
                State::Records => self.records(),
                State::Tail => self.tail(),
            };
            match step {
                Step::Onward => {}
                Step::Yield(item) => return Some(item),
                Step::End => self.done = true,
            }
        }
        self.window
            .take_failure()
            .map(|failure| Err(ReadError::Input(failure)))
    }
}

impl<R: Read> JsonReader<R> {
    /// A reader of an input that is not packed; see [`super::decoded`].
    pub fn new(input: R) -> Self {
        Self {
            window: Window::new(input),
            state: State::Outer,
            lists: 0,
            page: 0,
            index: 0,
            in_stretch: false,
            recovering: false,
            is_suspicious: false,
            cut: None,
            done: false,
        }
    }

    /// How many bytes, unpacked, have been read and settled: for showing progress.
    pub fn bytes_read(&mut self) -> u64 {
        self.window.place().0
    }

    /// Where an input is cut off. None where it is whole, or not read to its end.
    ///
    /// What is broken in itself cuts nothing off: reading has gone on behind it.
    pub(super) fn cut_off(&self) -> Option<Cut> {
        self.cut.filter(|_| self.done)
    }

    /// How many pages (or stretches of bare records) have begun.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.page
    }

    fn outer(&mut self) -> Step {
        let Some(byte) = self
            .window
            .peek_past(|byte| scan::is_space(byte) || byte == b',')
        else {
            return if self.lists > 0 {
                self.truncated("inside a list")
            } else {
                Step::End
            };
        };
        match byte {
            b'{' => {
                if self.window.byte_before() == b'\n' {
                    self.recovering = false;
                }
                return self.object();
            }
            b'[' => self.lists = self.lists.saturating_add(1),
            b']' if self.lists > 0 => self.lists -= 1,
            b']' | b'}' if self.recovering => {}
            0xef if self.starts_with(b"\xef\xbb\xbf") => self.window.skip(2),
            _ if self.recovering => return self.go_on(),
            b'<' => {
                let what = "an HTML or XML document, the kind of page that servers and proxies show on failure";
                self.begin_page();
                self.in_stretch = false;
                return self.abandon(foreign(what));
            }
            0xfe | 0xff => return self.stray("text in UTF-16, or no text; save it as UTF-8"),
            _ => return self.stray("neither a page object, nor a list, nor an action object"),
        }
        self.in_stretch = false;
        self.window.skip(1);
        Step::Onward
    }

    fn starts_with(&mut self, bytes: &[u8]) -> bool {
        while self.window.rest().len() < bytes.len() && self.window.more() {}
        self.window.rest().starts_with(bytes)
    }

    /// Something that is no JSON of ours stands where a page or a record should.
    fn stray(&mut self, what: &str) -> Step {
        if self.lists == 0 && !self.in_stretch {
            self.begin_page();
        } else {
            self.begin_stretch();
        }
        self.broken(foreign(what))
    }

    /// An object where a page or a bare record may stand.
    fn object(&mut self) -> Step {
        while self.window.rest().len() < 64 && self.window.more() {}
        let is_page = scan::begins_page(self.window.rest());
        if self.is_suspicious
            && !is_page
            && let Some(step) = self.hopeless(Self::begin_stretch)
        {
            return step;
        }
        loop {
            match scan::object(self.window.rest(), self.window.is_complete()) {
                Object::Page(end) => {
                    self.begin_page();
                    self.in_stretch = false;
                    self.recovering = false;
                    self.state = State::Records;
                    self.window.skip(end);
                    return Step::Onward;
                }
                Object::Record(end) => {
                    self.begin_stretch();
                    return self.record(end);
                }
                Object::Failure(end) => {
                    self.begin_page();
                    self.in_stretch = false;
                    let said = said_error(&self.window.rest()[..end]);
                    let message = format!(
                        "upstream answered with an error instead of a page: {said}; fetch it again"
                    );
                    return self.refuse(end, malformed(Some("error"), message));
                }
                Object::WithoutResults(end) => {
                    self.begin_page();
                    self.in_stretch = false;
                    let message = "a page without a list of `results`; fetch it again".to_owned();
                    // Records under another name are not lost.
                    self.is_suspicious = true;
                    let refusal = malformed(Some("results"), message);
                    return if end > 2 {
                        self.broken(refusal)
                    } else {
                        self.refuse(end, refusal)
                    };
                }
                Object::Broken(why) => {
                    self.begin_stretch();
                    return self.broken(malformed(None, not_json(&why)));
                }
                Object::More => {
                    if let Some(step) = self.wait_for_more(Self::begin_stretch) {
                        return step;
                    }
                }
            }
        }
    }

    fn records(&mut self) -> Step {
        match self
            .window
            .peek_past(|byte| scan::is_space(byte) || byte == b',')
        {
            None => return self.truncated("inside the `results` of a page"),
            Some(b']') => {
                self.state = State::Tail;
                self.window.skip(1);
                return Step::Onward;
            }
            Some(b'}') if self.recovering => {
                self.state = State::Outer;
                self.window.skip(1);
                return Step::Onward;
            }
            Some(_) => {}
        }
        while self.window.rest().len() < 64 && self.window.more() {}
        if self.window.rest().starts_with(b"{") && scan::begins_page(self.window.rest()) {
            return self.cut_short();
        }
        if self.is_suspicious
            && let Some(step) = self.hopeless(|_| {})
        {
            return step;
        }
        loop {
            match scan::value_end(self.window.rest(), self.window.is_complete()) {
                End::At(end) => return self.record(end),
                End::Broken(why) => return self.broken(malformed(None, not_json(&why))),
                End::More => {
                    if let Some(step) = self.wait_for_more(|_| {}) {
                        return step;
                    }
                }
            }
        }
    }

    fn tail(&mut self) -> Step {
        match self
            .window
            .peek_past(|byte| scan::is_space(byte) || byte == b',')
        {
            None => return self.truncated("behind the `results` of a page"),
            Some(b'}') => {
                self.state = State::Outer;
                self.recovering = false;
                self.window.skip(1);
                return Step::Onward;
            }
            Some(b'{' | b'[') => return self.cut_short(),
            Some(_) => {}
        }
        if self.is_suspicious
            && let Some(step) = self.hopeless(|_| {})
        {
            return step;
        }
        loop {
            match scan::pair(self.window.rest(), self.window.is_complete()) {
                Pair::List(end) => {
                    self.state = State::Records;
                    self.window.skip(end);
                    return Step::Onward;
                }
                Pair::Other { end, .. } => {
                    self.window.skip(end);
                    return Step::Onward;
                }
                Pair::Broken(why) => {
                    self.state = State::Outer;
                    return self.broken(malformed(None, not_json(&why)));
                }
                Pair::More => {
                    if let Some(step) = self.wait_for_more(|_| {}) {
                        return step;
                    }
                }
            }
        }
    }

    /// The next page begins although the present one has not ended: its rest is missing.
    fn cut_short(&mut self) -> Step {
        let known = std::mem::replace(&mut self.recovering, true);
        self.state = State::Outer;
        if known {
            return Step::Onward;
        }
        let refusal = malformed(
            None,
            "the page ends before its closing bracket; fetch it again".to_owned(),
        );
        self.refuse(0, refusal)
    }

    /// Refuses a value that nests too deep, before it is measured in earnest.
    fn hopeless(&mut self, before_refusal: impl Fn(&mut Self)) -> Option<Step> {
        while self.window.rest().len() < FORETASTE && self.window.more() {}
        let rest = self.window.rest();
        if !scan::is_too_deep(rest.get(..FORETASTE).unwrap_or(rest)) {
            return None;
        }
        before_refusal(self);
        Some(self.abandon(malformed(None, not_json("it nests too deep"))))
    }

    /// Reads on in the middle of a value; a step if that cannot be.
    fn wait_for_more(&mut self, before_refusal: impl Fn(&mut Self)) -> Option<Step> {
        if self.window.rest().len() > LIMIT {
            before_refusal(self);
            return Some(self.broken(too_long()));
        }
        if self.window.more() || self.window.rest().len() > LIMIT {
            return None;
        }
        if self.window.is_complete() && !self.window.has_failed() {
            let (byte, line) = self.window.place();
            self.cut = self.cut.or(Some(Cut::Value { byte, line }));
            before_refusal(self);
            return Some(self.broken(malformed(
                None,
                format!("the input ends inside a value; {CUT_OFF}"),
            )));
        }
        self.window.has_failed().then_some(Step::End)
    }

    /// The input ends where something should follow.
    fn truncated(&mut self, whereabouts: &str) -> Step {
        // Behind something broken the brackets of lists need not match; those of a page were seen since.
        if !self.recovering || self.state != State::Outer {
            let (byte, line) = self.window.place();
            self.cut = self.cut.or(Some(Cut::End { byte, line }));
        }
        self.state = State::Outer;
        self.lists = 0;
        if self.recovering || self.window.has_failed() {
            return Step::End;
        }
        let message = format!("the input ends {whereabouts}; {CUT_OFF}");
        self.refuse(0, malformed(None, message))
    }

    /// Hands out the record of so many bytes.
    fn record(&mut self, end: usize) -> Step {
        if end > LIMIT {
            return self.refuse(end, too_long());
        }
        let bytes = &self.window.rest()[..end];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if text.starts_with('{') => text.to_owned(),
            Ok(_) => {
                return self.refuse(
                    end,
                    malformed(None, "a record must be an object".to_owned()),
                );
            }
            Err(error) => {
                let at = error.valid_up_to();
                let message =
                    format!("byte {at} of the record is not UTF-8; save the file as UTF-8");
                return self.refuse(end, malformed(None, message));
            }
        };
        let place = self.place();
        self.index = self.index.saturating_add(1);
        self.window.skip(end);
        self.is_suspicious = false;
        Step::Yield(Ok(RawRecord { place, text }))
    }

    /// Refuses so many bytes.
    pub(super) fn refuse(&mut self, end: usize, refusal: Refusal) -> Step {
        let place = self.place();
        self.index = self.index.saturating_add(1);
        let reject = refusal.at(place, &self.window.rest()[..end]);
        self.window.skip(end);
        Step::Yield(Err(ReadError::Reject(reject)))
    }

    /// The place of the next record.
    pub(super) fn place(&mut self) -> Place {
        let (byte, line) = self.window.place();
        Place {
            page: self.page.max(1),
            index: self.index,
            byte,
            line,
        }
    }

    /// Counts on for a record whose text was left behind already.
    pub(super) fn count_record(&mut self) {
        self.index = self.index.saturating_add(1);
    }

    fn begin_page(&mut self) {
        self.page = self.page.saturating_add(1);
        self.index = 0;
    }

    fn begin_stretch(&mut self) {
        if !self.in_stretch {
            self.begin_page();
            self.in_stretch = true;
        }
    }
}

/// What is wrong with an input that is cut off, and what to do about it.
const CUT_OFF: &str = "what should follow is missing; import the whole file";

fn foreign(what: &str) -> Refusal {
    malformed(None, format!("here stands {what}; fetch it again"))
}

fn malformed(field: Option<&str>, message: String) -> Refusal {
    Refusal::new(RejectReason::Malformed, field, message)
}

fn too_long() -> Refusal {
    let message = format!("the record is longer than {LIMIT} bytes; split or shorten it");
    Refusal::new(RejectReason::TooLong, None, message)
}

fn not_json(why: &str) -> String {
    let why = why
        .replace(" at line", ", at line")
        .replace(" column", ", column");
    format!(
        "the record is not JSON: {why}, counted from its beginning; mend it and import it again"
    )
}

/// What an error answer says, in short.
fn said_error(bytes: &[u8]) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes).unwrap_or_default();
    let said: Vec<String> = ["error", "error_description", "error_code"]
        .iter()
        .filter_map(|key| fields.get(*key))
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect())
        .collect();
    said.join(", ")
}

impl From<InputError> for ReadError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

#[cfg(test)]
mod tests;
