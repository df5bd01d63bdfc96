//! The rows that Admitad answers with, and how each is understood. Pure.
//!
//! Numbers and texts are taken alike, an empty text is nothing, and unknown fields are left. Upstream's ratios (CR, eCPC,
//! EPC) are not read: they are computed from counts and amounts.

use super::fault::Fault;
use super::page::unreadable;
use crate::domain::draft::RejectReason;
use crate::domain::money::{Currency, Excess, parse_e4};
use crate::domain::report::rates::parse_upstream_rate;
use crate::domain::secret::Secret;
use crate::domain::time::Day;
use crate::ingest::normalize::{ID_LIMIT, NAME_LIMIT, SUBID_LIMIT, URL_LIMIT};
use crate::ingest::raw::{Literal, LiteralError};
use crate::ingest::refusal::Refusal;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub use crate::domain::report::rates::Rate as RateRow;

/// Clicks and views of a day, of all SubIDs together or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickRow {
    /// The day, of upstream's calendar.
    pub day: Day,
    /// The SubID; none for clicks without one, and for clicks by day.
    pub subid: Option<String>,
    /// Clicks.
    pub clicks: i64,
    /// Views; upstream does not count them by SubID.
    pub views: Option<i64>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRow {
    /// Admitad's id.
    pub external_id: String,
    /// Name.
    pub name: String,
    /// Status of the program: `active`, …
    pub status: Option<String>,
    /// The account's part in it: `active`, `pending`, `declined`.
    pub connection_status: Option<String>,
    /// What it pays in.
    pub currency: Option<Currency>,
    /// Days that an action is on hold, on average.
    pub avg_hold_days: Option<i64>,
    /// Days that an action is on hold at the longest.
    pub max_hold_days: Option<i64>,
    /// Days from an action to its reward on the balance, on average.
    pub avg_payment_days: Option<i64>,
    /// Days between a click and an order that still count.
    pub cookie_days: Option<i64>,
    /// Countries whose actions it takes, upper case.
    pub countries: Vec<String>,
    /// Whether it takes those of all countries.
    pub all_countries: Option<bool>,
    /// Where it is offered: `00` is everywhere, `01` the CIS, else a country.
    pub regions: Vec<String>,
    /// The advertiser's site.
    pub site_url: Option<String>,
    /// A picture.
    pub image_url: Option<String>,
    /// The first day.
    pub activated: Option<String>,
    /// When its details last changed, as upstream writes it.
    pub modified: Option<String>,
    /// Product feeds.
    pub feeds: Vec<FeedRow>,
}

/// A product feed of a program. Its links hold the account's export code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// Name.
    pub name: String,
    /// Where it is as XML (YML).
    pub xml_link: Option<Secret>,
    /// Where it is as CSV.
    pub csv_link: Option<Secret>,
    /// When Admitad last took it over, as upstream writes it.
    pub updated: Option<String>,
}

/// An ad space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdSpaceRow {
    /// Admitad's id.
    pub external_id: String,
    /// Name.
    pub name: String,
    /// Status: `active`, …
    pub status: Option<String>,
    /// Kind: `website`, `social`, …
    pub kind: Option<String>,
    /// Its address.
    pub site_url: Option<String>,
}

/// A balance in one currency, in 1/10 000 of its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceRow {
    /// The currency.
    pub currency: Currency,
    /// Ready for withdrawal; may be negative.
    pub balance_e4: i64,
    /// On hold.
    pub processing_e4: i64,
    /// Earned today, as estimated.
    pub today_e4: i64,
    /// Waiting for the advertiser's payment.
    pub stalled_e4: i64,
}

/// A program of an ad space, and the link that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Admitad's id of the program.
    pub external_id: String,
    /// The link, with the code of the ad space and program.
    pub link: Option<Secret>,
    /// Whether the ad space takes part in the program.
    pub is_active: bool,
}

/// The commission rates of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommissionRow {
    /// The address that was asked for.
    pub url: String,
    /// The product's name.
    pub product_name: Option<String>,
    /// Percent of the order amount, in 1/10 000 of a percent.
    pub percent_e4: Option<i64>,
    /// The same for a hot product.
    pub hot_percent_e4: Option<i64>,
    /// Whether it is a hot product.
    pub is_hot: bool,
}

/// One row for each day and SubID: upstream repeats clicks and views on each currency's row, so equal numbers are one
/// number, and of different ones the greatest counts. Rows keep the order of their first.
#[must_use]
pub fn fold_clicks(rows: Vec<ClickRow>) -> Vec<ClickRow> {
    let mut places: BTreeMap<(Day, Option<String>), usize> = BTreeMap::new();
    let mut folded: Vec<ClickRow> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = *places
            .entry((row.day, row.subid.clone()))
            .or_insert(folded.len());
        match folded.get_mut(place) {
            Some(known) => {
                known.clicks = known.clicks.max(row.clicks);
                known.views = known.views.max(row.views);
            }
            None => folded.push(row),
        }
    }
    folded
}

/// The clicks of a day.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn clicks_of_day(text: &str) -> Result<ClickRow, Refusal> {
    let row = Fields::of(text)?;
    let day = row.needed("date")?;
    let day = Day::parse(day.get(..10).unwrap_or(&day))
        .map_err(|error| bad("date", &error.to_string()))?;
    row.clicks(day, None)
}

/// The day that a row of clicks names, which may be refused for something else.
pub(super) fn day_of_clicks(text: &str) -> Option<Day> {
    let day = Fields::of(text).ok()?.needed("date").ok()?;
    Day::parse(day.get(..10).unwrap_or(&day)).ok()
}

/// The clicks of a SubID on a day, from the field of its slot.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn clicks_of_subid(text: &str, day: Day, slot: &str) -> Result<ClickRow, Refusal> {
    let row = Fields::of(text)?;
    let name = if row.is_given(slot) { slot } else { "subid" };
    let subid = row.whole_text(name)?;
    row.clicks(day, subid)
}

/// A program.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn program(text: &str) -> Result<ProgramRow, Refusal> {
    let row = Fields::of(text)?;
    let external_id = row.needed("id")?;
    Ok(ProgramRow {
        name: row.text("name")?.unwrap_or_else(|| external_id.clone()),
        external_id,
        status: row.text("status")?,
        connection_status: row.text("connection_status")?,
        currency: row.currency("currency")?,
        avg_hold_days: row.count("avg_hold_time")?,
        max_hold_days: row.count("max_hold_time")?,
        avg_payment_days: row.count("avg_money_transfer_time")?,
        cookie_days: row.count("goto_cookie_lifetime")?,
        countries: row.words("action_countries"),
        all_countries: row.flag("allow_actions_all_countries")?,
        regions: row.objects("regions", |region| region.needed("region")),
        site_url: row.text("site_url")?,
        image_url: row.text("image")?,
        activated: row.text("activation_date")?,
        modified: row.text("modified_date")?,
        feeds: row.objects("feeds_info", |feed| {
            Ok(FeedRow {
                name: feed.text("name")?.unwrap_or_default(),
                xml_link: feed.text("xml_link")?.map(Secret::new),
                csv_link: feed.text("csv_link")?.map(Secret::new),
                updated: feed.text("admitad_last_update")?,
            })
        }),
    })
}

/// A program of an ad space with the link that leads to it.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn link(text: &str) -> Result<LinkRow, Refusal> {
    let row = Fields::of(text)?;
    Ok(LinkRow {
        external_id: row.needed("id")?,
        link: row
            .text("gotolink")?
            .filter(|link| !link.is_empty())
            .map(Secret::new),
        is_active: row
            .text("connection_status")?
            .is_none_or(|status| status == "active"),
    })
}

/// An ad space.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn ad_space(text: &str) -> Result<AdSpaceRow, Refusal> {
    let row = Fields::of(text)?;
    let external_id = row.needed("id")?;
    Ok(AdSpaceRow {
        name: row.text("name")?.unwrap_or_else(|| external_id.clone()),
        external_id,
        status: row.text("status")?,
        kind: row.text("kind")?,
        site_url: row.text("site_url")?,
    })
}

/// A balance in a currency.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn balance(text: &str) -> Result<BalanceRow, Refusal> {
    let row = Fields::of(text)?;
    let amount = |name| row.amount(name).map(Option::unwrap_or_default);
    Ok(BalanceRow {
        currency: row.currency("currency")?.ok_or_else(|| lacks("currency"))?,
        balance_e4: amount("balance")?,
        processing_e4: amount("processing")?,
        today_e4: amount("today")?,
        stalled_e4: amount("stalled")?,
    })
}

/// The commission rates of a product.
///
/// # Errors
/// Where a field is not of its kind, or a needed one is missing.
pub fn commission(text: &str) -> Result<CommissionRow, Refusal> {
    let row = Fields::of(text)?;
    Ok(CommissionRow {
        url: row.needed("url")?,
        product_name: row.text("product_name")?,
        percent_e4: row.amount("commission_rate")?,
        hot_percent_e4: row.amount("hot_commission_rate")?,
        is_hot: row.flag("is_hot")?.unwrap_or_default(),
    })
}

/// The rate of a pair; none where the answer has none.
pub(super) fn rate(
    body: &str,
    (from, to): (Currency, Currency),
    day: Day,
) -> Result<Option<RateRow>, Fault> {
    let row: Fields<'_> = match serde_json::from_str(body) {
        Ok(fields) => Fields(fields),
        Err(error) => return Err(unreadable(body, &error)),
    };
    let wrong = |what: String| Fault::Unreadable {
        cause: what,
        excerpt: String::new(),
    };
    let text = row.text("rate").map_err(|refusal| wrong(refusal.message))?;
    let Some(text) = text.filter(|text| text.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
    else {
        return Ok(None);
    };
    let rate_e9 = parse_upstream_rate(&text).map_err(wrong)?;
    Ok(Some(RateRow {
        from,
        to,
        day: day.days(),
        rate_e9,
    }))
}

/// The fields of a row; of a name that stands twice the last counts.
struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Result<Self, Refusal> {
        serde_json::from_str(text).map(Self).map_err(|error| {
            Refusal::new(
                RejectReason::Malformed,
                None,
                format!("the record is no object: {error}"),
            )
        })
    }

    fn is_given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text as it stands; nothing but blanks is none.
    fn whole_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let text = Literal::of(value).text().map_err(|error| {
            bad(
                name,
                match error {
                    LiteralError::Kind => "is neither a text nor a number",
                    LiteralError::Nul => "holds the character U+0000, which cannot be stored",
                    LiteralError::Escape => "holds an escape that stands for no character",
                },
            )
        })?;
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let limit = limit_of(name);
        // Bytes are counted first: characters are never more.
        if text.len() > limit && text.chars().count() > limit {
            let length = text.chars().count();
            let message =
                format!("the field {name} has {length} characters, at most {limit} are taken");
            return Err(Refusal::new(RejectReason::TooLong, Some(name), message));
        }
        Ok(Some(text.into_owned()))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let text = self.whole_text(name)?;
        Ok(text.map(|text| text.trim().to_owned()))
    }

    fn needed(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| lacks(name))
    }

    fn amount(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let read = |text: String| {
            parse_e4(&text, Excess::RoundHalfEven)
                .map(|(e4, _)| e4)
                .map_err(|error| bad(name, &error.to_string()))
        };
        self.text(name)?.map(read).transpose()
    }

    /// A count; decimals of an average are rounded off.
    fn count(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let amount = self.amount(name)?;
        match amount {
            Some(e4) if e4 < 0 => Err(bad(name, "is below 0")),
            amount => Ok(amount.map(|e4| (e4 + 5_000) / 10_000)),
        }
    }

    fn currency(&self, name: &str) -> Result<Option<Currency>, Refusal> {
        let read =
            |text: String| Currency::parse(&text).map_err(|error| bad(name, &error.to_string()));
        self.text(name)?.map(read).transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let text = self.text(name)?.map(|text| text.to_ascii_lowercase());
        match text.as_deref() {
            None => Ok(None),
            Some("1" | "true" | "yes") => Ok(Some(true)),
            Some("0" | "false" | "no") => Ok(Some(false)),
            Some(_) => Err(bad(name, "is neither true nor false")),
        }
    }

    fn clicks(&self, day: Day, subid: Option<String>) -> Result<ClickRow, Refusal> {
        Ok(ClickRow {
            day,
            subid,
            clicks: self.count("clicks")?.ok_or_else(|| lacks("clicks"))?,
            views: self.count("views")?,
        })
    }

    /// The values of a list; one that is missing, or is none, has none.
    fn list(&self, name: &str) -> Vec<&'a RawValue> {
        let list = self.0.get(name).map(|list| list.get());
        list.and_then(|list| serde_json::from_str(list).ok())
            .unwrap_or_default()
    }

    fn words(&self, name: &str) -> Vec<String> {
        let words = self.list(name).into_iter();
        let words = words.filter_map(|word| Literal::of(word).text().ok().flatten());
        words
            .map(|word| word.trim().to_uppercase())
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// The objects of a list that are understood: details that a program can do without.
    fn objects<T>(&self, name: &str, read: impl Fn(&Fields<'_>) -> Result<T, Refusal>) -> Vec<T> {
        let objects = self.list(name).into_iter();
        objects
            .filter_map(|object| {
                Fields::of(object.get())
                    .and_then(|fields| read(&fields))
                    .ok()
            })
            .collect()
    }
}

/// How many characters of a field are taken: as many as the same field of an action may have, so that whatever is read
/// can be stored and stand in a key.
fn limit_of(name: &str) -> usize {
    match name {
        "id" | "code" | "currency" | "date" | "region" | "status" | "connection_status" => ID_LIMIT,
        "url" | "site_url" | "image" | "gotolink" | "xml_link" | "csv_link" => URL_LIMIT,
        subid if subid.starts_with("subid") => SUBID_LIMIT,
        _ => NAME_LIMIT,
    }
}

fn lacks(name: &str) -> Refusal {
    let message = format!("the field {name} is missing");
    Refusal::new(RejectReason::MissingField, Some(name), message)
}

fn bad(name: &str, what: &str) -> Refusal {
    let message = format!("the field {name} cannot be read: {what}");
    Refusal::new(RejectReason::BadValue, Some(name), message)
}
