//! Product feeds, YML or CSV, plain or gzipped: offers as they stand, one at a time and in constant memory.
//!
//! What their fields mean is `ingest::feed`'s.

use super::detect;
use super::headed::{Heading, Table};
use super::heading::Aliases;
use super::text::{Utf8, beginning};
use super::value::{self, Cell, Manner};
use super::yml::Yml;
use super::{Decoded, decoded};
use crate::domain::column::ColumnKind;
use crate::domain::draft::{Place, RejectReason};
use crate::domain::text::has_nul;
use crate::ingest::refusal::Refusal;
use encoding_rs::{Encoding, UTF_8};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// How much of an input is looked at.
const SAMPLE: usize = 1 << 16;

/// The fields of an offer that are read, in the words of YML, with what Admitad's CSV and others call them.
pub(super) const FIELDS: &[Heading] = &[
    Heading {
        name: "id",
        also: &["offer_id", "product_id"],
    },
    Heading {
        name: "url",
        also: &["link", "affiliate_url", "gotolink"],
    },
    Heading {
        name: "name",
        also: &["title", "product_name"],
    },
    Heading {
        name: "typePrefix",
        also: &[],
    },
    Heading {
        name: "model",
        also: &[],
    },
    Heading {
        name: "vendor",
        also: &["brand"],
    },
    Heading {
        name: "picture",
        also: &["image", "image_link"],
    },
    Heading {
        name: "price",
        also: &[],
    },
    Heading {
        name: "oldprice",
        also: &["old_price"],
    },
    Heading {
        name: "currencyId",
        also: &["currency"],
    },
    Heading {
        name: "categoryId",
        also: &["category_id"],
    },
    Heading {
        name: "available",
        also: &["in_stock"],
    },
];

/// What a feed has.
#[derive(Debug)]
pub enum Part {
    /// A category of its tree: id and name.
    Category(String, String),
    /// An offer.
    Offer(RawOffer),
}

/// An offer as it stands.
#[derive(Clone, Debug, Default)]
pub struct RawOffer {
    /// Where it stands.
    pub place: Place,
    /// What its fields say.
    pub(super) fields: BTreeMap<&'static str, String>,
    /// Why it cannot be read.
    pub(super) refusal: Option<Refusal>,
}

impl RawOffer {
    /// Refuses an offer that cannot be read.
    ///
    /// # Errors
    /// A sentence about it.
    pub fn check(&self) -> Result<(), Refusal> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    /// What a field says, read as a kind of cell; nothing where it is empty.
    ///
    /// # Errors
    /// Where it is longer than `limit` characters, cannot be stored, or could mean two things.
    pub fn field(
        &self,
        name: &str,
        kind: ColumnKind,
        limit: usize,
    ) -> Result<Option<String>, Refusal> {
        let Some(text) = self.fields.get(name) else {
            return Ok(None);
        };
        let refuse = |reason, what: String| {
            Err(Refusal::new(reason, Some(name), format!("`{name}` {what}")))
        };
        if has_nul(text) {
            let what = "holds the character U+0000, which cannot be stored";
            return refuse(RejectReason::BadValue, what.to_owned());
        }
        if text.len() > limit && text.chars().count() > limit {
            let what = format!("is longer than the {limit} characters that are taken");
            return refuse(RejectReason::TooLong, what);
        }
        match value::read(kind, text, Manner::default()) {
            Cell::Nothing => Ok(None),
            Cell::Text(text) => Ok(Some(text.into_owned())),
            Cell::Amount { amount, .. } => Ok(Some(amount)),
            Cell::Released => Ok(Some(text.clone())),
            Cell::Unclear(what) => refuse(RejectReason::BadValue, what),
        }
    }

    /// The offer as a JSON object, as it is kept where it is refused.
    #[must_use]
    pub fn raw(&self) -> String {
        serde_json::to_string(&self.fields).unwrap_or_default()
    }
}

/// A feed whose form is known.
#[derive(Debug)]
pub enum FeedFile {
    /// YML, in an encoding.
    Yml(PathBuf, &'static Encoding),
    /// CSV.
    Csv(Box<Table>),
}

impl FeedFile {
    /// Recognises the form of the feed at `path`.
    ///
    /// # Errors
    /// A sentence for people: what is wrong, and the remedy.
    pub fn open(path: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("the input cannot be read: {error}");
        let sample = beginning(&mut unpacked(path)?, SAMPLE).map_err(cannot)?;
        let plain = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&sample);
        let is_marked = Encoding::for_bom(&sample).is_some_and(|(encoding, _)| encoding != UTF_8);
        if plain.trim_ascii_start().first() == Some(&b'<') || is_marked {
            let detected = detect::detect(&sample, &Aliases::default())?;
            if detected.kind == detect::Kind::Xml {
                let encoding = detected.encoding.unwrap_or(UTF_8);
                return Ok(Self::Yml(path.to_owned(), encoding));
            }
        }
        let table = Table::open(path, FIELDS, &[&["id", "url"], &["name", "model", "url"]])?;
        Ok(Self::Csv(Box::new(table)))
    }

    /// Hands what the feed has to `each`, one after the other, until it says that it wants no more.
    ///
    /// # Errors
    /// A sentence, where the feed is damaged, cut off or hostile.
    pub fn read(&self, each: &mut dyn FnMut(Part) -> bool) -> Result<(), String> {
        match self {
            Self::Yml(path, encoding) => {
                let text = BufReader::new(Utf8::new(unpacked(path)?, encoding));
                Yml::new(text).read(each)
            }
            Self::Csv(table) => table.read(&mut |row| {
                let fields = FIELDS.iter().filter_map(|heading| {
                    Some((heading.name, row.raw_cell(heading.name)?.to_owned()))
                });
                each(Part::Offer(RawOffer {
                    place: row.place,
                    fields: fields.collect(),
                    refusal: row.check().err(),
                }))
            }),
        }
    }
}

fn unpacked(path: &Path) -> Result<Decoded<File>, String> {
    let cannot = |error: std::io::Error| format!("the input cannot be read: {error}");
    decoded(File::open(path).map_err(cannot)?).map_err(cannot)
}
