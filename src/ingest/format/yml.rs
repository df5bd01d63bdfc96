//! The reader of YML (`<yml_catalog>`): the categories and the offers, one at a time.
//!
//! Files of this kind name a DOCTYPE `shops.dtd`. It is never fetched; one that defines anything by itself is refused,
//! and no entity but XML's own is known. Depth, attributes and lengths are bounded, and an end inside an open element is
//! an error.

use super::heading::{one_line, short};
use super::offers::{FIELDS, Part, RawOffer};
use super::text::{Allowance, Bounded};
use crate::domain::draft::{Place, RejectReason};
use crate::ingest::refusal::Refusal;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::io::{BufReader, Read};

/// How deep elements may stand in each other.
const DEPTH: usize = 32;
/// The most attributes of an element.
const ATTRIBUTES: usize = 64;
/// The longest tag or stretch of text, in bytes.
const EVENT_LIMIT: usize = 1 << 18;
/// The longest text of a field, in bytes.
const FIELD_LIMIT: usize = 64 * 1024;
/// How much is read at once.
const CHUNK: usize = 1 << 16;
const TOO_LONG: &str = "a tag or a text is longer than 256 KiB";

/// What is being read.
enum Open {
    /// A category: its id, and the depth of its tag.
    Category(String, usize),
    /// An offer, and the depth of its tag.
    Offer(RawOffer, usize),
}

/// A feed in UTF-8.
pub(super) struct Yml<R> {
    reader: Reader<BufReader<Bounded<R>>>,
    allowance: Allowance,
    /// Names of the open elements, from the root.
    open: Vec<String>,
    part: Option<Open>,
    text: String,
    is_too_long: bool,
    root: Option<String>,
    offers: u32,
}

impl<R: Read> Yml<R> {
    pub(super) fn new(input: R) -> Self {
        let allowance = Allowance::of(EVENT_LIMIT + CHUNK);
        let bounded = Bounded::new(input, allowance.clone(), TOO_LONG);
        let mut reader = Reader::from_reader(BufReader::with_capacity(CHUNK, bounded));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            allowance,
            open: Vec::new(),
            part: None,
            text: String::new(),
            is_too_long: false,
            root: None,
            offers: 0,
        }
    }

    pub(super) fn read(mut self, each: &mut dyn FnMut(Part) -> bool) -> Result<(), String> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            self.allowance.renew();
            let event = self
                .reader
                .read_event_into(&mut buffer)
                .map_err(|error| self.damaged(&error.to_string()))?;
            match event {
                Event::Start(tag) => self.begin(&tag)?,
                Event::End(_) => {
                    if let Some(part) = self.end()
                        && !each(part)
                    {
                        return Ok(());
                    }
                }
                Event::Text(text) => self.say(&text.xml10_content()),
                Event::CData(text) => self.say(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference
                        .resolve_char_ref()
                        .map_err(|error| self.damaged(&error.to_string()))?;
                    let character = character.or_else(|| own_entity(&reference));
                    let Some(character) = character else {
                        let what = format!(
                            "the entity `&{};` is not one of XML's own, and no others are expanded",
                            short(&reference)
                        );
                        return Err(self.damaged(&what));
                    };
                    self.say(character.encode_utf8(&mut [0; 4]));
                }
                Event::DocType(text) => {
                    let text: &str = &text;
                    if text.contains(['[', '<']) {
                        return Err("the DOCTYPE defines entities or elements by itself, which can make a small file expand \
                                    without end; remove it if you trust the file"
                            .to_owned());
                    }
                }
                Event::Eof => return self.at_end(),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn damaged(&self, what: &str) -> String {
        format!(
            "the feed is damaged near byte {} (behind offer {}): {}; download it again",
            self.reader.buffer_position(),
            self.offers,
            one_line(what)
        )
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.local_name();
        let name: &str = name.as_ref();
        if self.open.len() >= DEPTH {
            let what = format!("elements stand more than {DEPTH} deep in each other");
            return Err(self.damaged(&what));
        }
        let mut attributes = tag.attributes();
        if attributes.with_checks(false).take(ATTRIBUTES + 1).count() > ATTRIBUTES {
            let what = format!(
                "the element `{}` has more than {ATTRIBUTES} attributes",
                short(name)
            );
            return Err(self.damaged(&what));
        }
        if self.root.is_none() {
            self.root = Some(short(name));
        }
        let depth = self.open.len();
        if self.part.is_none() {
            let above = self.open.last().map_or("", String::as_str);
            match (above, name) {
                ("categories", "category") => {
                    let id = attribute(tag, "id").unwrap_or_default();
                    self.part = Some(Open::Category(id, depth));
                }
                ("offers", "offer") => self.part = Some(Open::Offer(self.offer(tag), depth)),
                _ => {}
            }
        }
        self.text.clear();
        self.is_too_long = false;
        self.open.push(name.to_owned());
        Ok(())
    }

    fn offer(&mut self, tag: &BytesStart<'_>) -> RawOffer {
        let place = Place {
            page: 1,
            index: self.offers,
            byte: self.reader.buffer_position(),
            line: u64::from(self.offers) + 1,
        };
        self.offers = self.offers.saturating_add(1);
        let mut offer = RawOffer {
            place,
            ..RawOffer::default()
        };
        for name in ["id", "available"] {
            if let Some(value) = attribute(tag, name) {
                offer.fields.insert(name, value);
            }
        }
        offer
    }

    fn say(&mut self, text: &str) {
        if self.part.is_none() {
            return;
        }
        if self.text.len() + text.len() > FIELD_LIMIT {
            self.is_too_long = true;
            return;
        }
        self.text.push_str(text);
    }

    fn end(&mut self) -> Option<Part> {
        let name = self.open.pop()?;
        let depth = self.open.len();
        match self.part.take()? {
            Open::Category(id, at) if at == depth => {
                let name = self.text.trim().to_owned();
                Some(Part::Category(id, name))
            }
            Open::Offer(offer, at) if at == depth => Some(Part::Offer(offer)),
            Open::Offer(mut offer, at) => {
                let field = FIELDS.iter().find(|field| field.name == name);
                if let Some(field) = field.filter(|_| at + 1 == depth) {
                    self.fill(&mut offer, field.name);
                }
                self.text.clear();
                self.part = Some(Open::Offer(offer, at));
                None
            }
            open @ Open::Category(..) => {
                self.part = Some(open);
                None
            }
        }
    }

    /// Of several texts of a field, as pictures are, the first counts.
    fn fill(&self, offer: &mut RawOffer, name: &'static str) {
        if self.is_too_long {
            let message = format!("`{name}` has more than {FIELD_LIMIT} bytes");
            offer.refusal = Some(Refusal::new(RejectReason::TooLong, Some(name), message));
        } else if !self.text.trim().is_empty() {
            let text = self.text.trim();
            offer.fields.entry(name).or_insert_with(|| text.to_owned());
        }
    }

    fn at_end(&self) -> Result<(), String> {
        if let Some(name) = self.open.last() {
            return Err(format!(
                "the feed ends inside `<{}>` (behind offer {}): the file is not whole; download it again",
                short(name),
                self.offers
            ));
        }
        match self.root.as_deref() {
            Some("yml_catalog") => Ok(()),
            Some(root) => Err(format!(
                "it is no YML feed: its root is `<{root}>`, not `<yml_catalog>`"
            )),
            None => Err("the XML has no element at all; download the feed again".to_owned()),
        }
    }
}

fn own_entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok()??;
    let value: &str = &attribute.value;
    let value = quick_xml::escape::unescape(value).ok()?;
    (value.len() <= FIELD_LIMIT).then(|| value.trim().to_owned())
}
