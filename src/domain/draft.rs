//! What an entrance hands to the one write path: uniform records whose meaning is settled, and those that were refused.
//!
//! A draft names programs, ad spaces, products, categories and users as upstream does; `store::apply` gives them ids.

use super::action::{SOURCE, Slot, SlotValue, Stamp, Standing};
use super::catalog::{Catalog, name_key};
use super::deeplink::{TARGET_PARAMETER, innermost, looks_like_link, target_in};
use super::id::{Kind, PublisherId, derive};
use super::money::Currency;
use super::notice::Receipt;
use super::text::fold;
use super::time::Instant;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;
use uuid::Uuid;

/// Where a record stood in its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which page object (or stretch of bare records) of the input, from 1.
    pub page: u32,
    /// Index within the page, from 0.
    pub index: u32,
    /// Offset of the record's first byte in the uncompressed input.
    pub byte: u64,
    /// Line of that byte, from 1.
    pub line: u64,
}

/// A program as upstream names it; at least one of the two is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProgramRef {
    /// Upstream's id.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// An ad space as upstream names it; at least one of the two is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AdSpaceRef {
    /// Upstream's id.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// A product as upstream describes it; at least one of id, link and name is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProductRef {
    /// Product id.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Link to the product's page.
    pub url: Option<String>,
    /// Link to an image.
    pub image_url: Option<String>,
    /// Product country code, verbatim.
    pub country: Option<String>,
}

/// A category as upstream names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CategoryRef {
    /// Category id, or what stands for one where only a name was given.
    pub external_id: String,
    /// Name.
    pub name: Option<String>,
    /// Whether only a name was given, even where the shipped tree has an id for it.
    pub is_by_name: bool,
}

/// How the ids of categories begin that are known by their names alone.
const BY_NAME: &str = "name:";

impl CategoryRef {
    /// A category that has a name and no id: that of the shipped tree which alone is called so, else one of its own, the same
    /// for every spelling of the name.
    #[must_use]
    pub fn named(name: String) -> Self {
        let shipped = Catalog::shipped().category_by_name(&name);
        let external_id = match shipped {
            Some(category) => category.external_id.clone(),
            None => format!("{BY_NAME}{}", digest(&name_key(&name))),
        };
        Self {
            external_id,
            name: Some(name),
            is_by_name: true,
        }
    }

    /// A category whose id is given.
    #[must_use]
    pub fn with_id(external_id: String, name: Option<String>) -> Self {
        Self {
            external_id,
            name,
            is_by_name: false,
        }
    }
}

/// A cart item of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftItem {
    /// Upstream's position id.
    pub external_id: Option<String>,
    /// The product, if the position names one.
    pub product: Option<ProductRef>,
    /// The category, if the position names one.
    pub category: Option<CategoryRef>,
    /// Line amount, 1/10 000.
    pub amount_e4: i64,
    /// Line reward, 1/10 000.
    pub reward_e4: i64,
    /// Percent or fixed sum, 1/10 000.
    pub rate_e4: Option<i64>,
    /// Whether the rate is a percentage.
    pub is_percentage: Option<bool>,
    /// Tariff.
    pub tariff_id: Option<String>,
    /// Rate.
    pub rate_id: Option<String>,
    /// Units sold.
    pub units: i32,
    /// The position's own instant.
    pub ordered_at: Option<Instant>,
}

/// A record whose meaning is settled, ready for the write path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionDraft {
    /// Upstream's action id.
    pub external_id: String,
    /// The program.
    pub program: ProgramRef,
    /// The ad space, if named.
    pub ad_space: Option<AdSpaceRef>,
    /// What the state says.
    pub standing: Standing,
    /// Which [parts of the standing](Slot::STANDING) it leaves unsaid.
    pub unsaid: BTreeSet<Slot>,
    /// How new it is.
    pub stamp: Stamp,
    /// All filled slots but `AdSpace` and `Items`, which need ids.
    pub slots: BTreeMap<Slot, SlotValue>,
    /// The cart; empty when the input carries none.
    pub items: Vec<DraftItem>,
    /// How many of its amounts were rounded to four decimals.
    pub rounded: u32,
    /// How it came in, if it says nothing of when its status changed: a postback.
    pub receipt: Option<Receipt>,
}

impl ActionDraft {
    /// The derived id of the action.
    #[must_use]
    pub fn id(&self, publisher: PublisherId) -> Uuid {
        action_id(publisher, &self.external_id)
    }
}

/// What the network tells of a program beside its actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramDetails {
    /// Upstream's id.
    pub external_id: String,
    /// Name.
    pub name: Option<String>,
    /// What it pays in.
    pub currency: Option<Currency>,
    /// Status in upstream's word.
    pub status: Option<String>,
    /// How the publisher stands with it in upstream's word.
    pub connection_status: Option<String>,
    /// Days that an action is on hold on average.
    pub hold_days: Option<i32>,
    /// Days that an action is on hold at most.
    pub max_hold_days: Option<i32>,
    /// Days between a click and an order that still count.
    pub cookie_days: Option<i32>,
    /// Days from an action to its reward on the balance, on average.
    pub payment_days: Option<i32>,
    /// Codes of the countries whose actions it takes, upper case; none where nothing is said.
    pub countries: Vec<String>,
    /// Whether it takes the actions of all countries.
    pub all_countries: Option<bool>,
}

/// An action that a full re-read of its stretch of time no longer had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Upstream's action id.
    pub external_id: String,
    /// When the re-read began: a state that was observed later brings the action back.
    pub observed_at: Instant,
}

/// The derived id of the action that upstream calls `external_id`.
#[must_use]
pub fn action_id(publisher: PublisherId, external_id: &str) -> Uuid {
    derive(publisher, Kind::Action, &format!("{SOURCE}\0{external_id}"))
}

impl ProductRef {
    /// What identifies the product: its id, else the id in its link, else the link, else the name.
    #[must_use]
    pub fn natural_key(&self) -> Option<String> {
        if let Some(id) = self.product_id() {
            return Some(format!("id:{id}"));
        }
        if let Some(url) = &self.url {
            return Some(format!("url:{}", digest(url)));
        }
        self.name
            .as_ref()
            .map(|name| format!("name:{}", digest(&fold(name))))
    }

    /// The product id: as given, else the one in the link.
    #[must_use]
    pub fn product_id(&self) -> Option<&str> {
        self.external_id
            .as_deref()
            .or_else(|| self.url.as_deref().and_then(product_id_in))
    }
}

/// The product id in an AliExpress link such as `https://www.aliexpress.com/item/1005000000000001.html`.
#[must_use]
pub fn product_id_in(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/item/")?;
    let path = rest.split(['?', '#']).next()?;
    let file = path.rsplit('/').next()?;
    let id = file.strip_suffix(".html")?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// The longest link to a product, in characters.
pub const URL_LIMIT: usize = 4_000;

/// The page that a link leads to: itself where it is a product's, else the target of an affiliate link, however often it is
/// wrapped or encoded. None where the link is neither.
#[must_use]
pub fn page_of(link: &str) -> Option<String> {
    let url = Url::parse(link).ok()?;
    let Some(said) = target_in(&url, TARGET_PARAMETER) else {
        return product_id_in(link).map(|_| link.to_owned());
    };
    innermost(&said, TARGET_PARAMETER, looks_like_link, page_at)
}

/// An address as products are known by it.
fn page_at(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let is_page = matches!(url.scheme(), "http" | "https") && url.has_host();
    let page = url.to_string();
    (is_page && page.chars().count() <= URL_LIMIT).then_some(page)
}

/// The first half of a SHA-256, in hexadecimal: short, and safe to compare by.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Why a record was refused: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// The bytes are not what the format says.
    Malformed,
    /// A needed field is missing.
    MissingField,
    /// A field is not of its kind.
    BadValue,
    /// A field is beyond its limits.
    OutOfRange,
    /// A field or the record is too long.
    TooLong,
}

impl RejectReason {
    /// The stable code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::MissingField => "MISSING_FIELD",
            Self::BadValue => "BAD_VALUE",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::TooLong => "TOO_LONG",
        }
    }
}

/// A record that was refused: kept, listed and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where it stood.
    pub place: Place,
    /// Why.
    pub reason: RejectReason,
    /// The field at fault.
    pub field: Option<String>,
    /// A sentence with the place, the limit and the remedy.
    pub message: String,
    /// The record as it came, personal data blanked, cut at 64 KiB.
    pub raw: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_in_a_link_is_found() {
        for (url, id) in [
            (
                "https://www.aliexpress.com/item/1005000000000001.html",
                Some("1005000000000001"),
            ),
            (
                "https://aliexpress.ru/item/usb-cable/4000.html?x=/item/1.html",
                Some("4000"),
            ),
            ("https://aliexpress.ru/item/4000", None),
            ("https://www.aliexpress.com/store/12.html", None),
            ("https://www.aliexpress.com/item/x12.html", None),
        ] {
            assert_eq!(product_id_in(url), id, "{url}");
        }
    }

    #[test]
    fn a_category_without_an_id_is_known_by_its_name() {
        let id = |name: &str| CategoryRef::named(name.to_owned()).external_id;
        assert_eq!(id("home  appliances"), "6");
        assert_eq!(id("Ёлки и огни"), id("ёлки  и ОГНИ"));
        assert_ne!(id("Ёлки"), id("Огни"));
        let own = CategoryRef::named("Игрушки".to_owned());
        assert!(own.is_by_name && own.external_id.len() < 50);
        assert_eq!(own.name.as_deref(), Some("Игрушки"));
        // The tree's id of a name is none that was given.
        assert!(CategoryRef::named("Food".to_owned()).is_by_name);
    }

    #[test]
    fn a_product_has_one_identity_however_it_is_named() {
        let by = |external_id: Option<&str>, url: Option<&str>, name: Option<&str>| ProductRef {
            external_id: external_id.map(str::to_owned),
            name: name.map(str::to_owned),
            url: url.map(str::to_owned),
            image_url: None,
            country: None,
        };
        let link = "https://www.aliexpress.com/item/7.html";
        assert_eq!(
            by(Some("7"), None, None).natural_key(),
            by(None, Some(link), Some("x")).natural_key()
        );
        assert_eq!(
            by(None, None, Some("Ёлка")).natural_key(),
            by(None, None, Some("ёлка")).natural_key()
        );
        assert_eq!(by(None, None, None).natural_key(), None);
    }
}
