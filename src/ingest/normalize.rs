//! From text to meaning: an upstream action becomes a draft, or is refused with its reason. Pure.
//!
//! - The key is `action_id`, else `id`. Empty texts, blanks and null are nothing.
//! - Money has four decimals; more are rounded half to even, and counted. A missing reward refuses the record.
//! - A missing currency is the program's own; without a known program the record is refused.
//! - A missing status, type or payment is unsaid, and leaves what is known of it as it is; so does a type that we do not
//!   know. What is on hold or declined is not paid, though.
//! - A conversion time below nothing is unsaid: it comes of clocks that differ.
//! - Times are local times of upstream's offset. `-`, and dates of all zeros, are nothing.
//! - A click country is two letters, upper-cased; anything else is nothing, for a country is never worth an order.
//! - SubIDs are kept as they are, blanks around them included; one of nothing but blanks is none.
//! - An id is a text or a whole number; `true` and `12.5` as ids refuse the record.
//! - A record with `received_at` is a postback: it says nothing of when its status changed (ADR 0022).
//! - Category and product ids of `0` are nothing: upstream writes that where it knows none. A category that has a name then is
//!   known by it.
//!
//! What a field was called is said in each refusal, so that the reject names what to mend.

use super::raw::{Literal, LiteralError, Positions, RawAction, RawPosition};
use super::refusal::Refusal;
use crate::domain::action::{ActionType, Slot, SlotValue, Stamp, Standing, Status};
use crate::domain::catalog::Catalog;
use crate::domain::draft::{
    ActionDraft, AdSpaceRef, CategoryRef, DraftItem, ProductRef, ProgramRef, RejectReason,
};
use crate::domain::money::{Currency, Excess, MoneyError, parse_e4};
use crate::domain::notice::Receipt;
use crate::domain::time::{Instant, TimeError, parse_upstream, parse_upstream_day};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Upstream's offset unless set otherwise: its account days begin at 00:00 UTC+3.
pub const DEFAULT_OFFSET_MINUTES: i32 = 180;

/// The longest id, word or code, in characters.
pub(super) const ID_LIMIT: usize = 200;
/// The longest SubID, in characters; upstream's own limits are 50 and 120.
pub(super) const SUBID_LIMIT: usize = 1_000;
/// The longest name, keyword or comment, in characters.
pub(super) const NAME_LIMIT: usize = 2_000;
/// The longest link, in characters.
pub(super) const URL_LIMIT: usize = 4_000;
/// The longest cart.
const ITEMS_LIMIT: usize = 1_000;
/// The most units of one cart item.
const UNITS_LIMIT: i32 = 1_000_000;

/// What the meaning of a record depends on beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormalizeContext {
    /// Offset of upstream's local times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// When the state was observed.
    pub observed_at: Instant,
}

/// What the action says.
///
/// # Errors
/// [`Refusal`], naming the field at fault.
pub fn normalize(raw: &RawAction<'_>, context: &NormalizeContext) -> Result<ActionDraft, Refusal> {
    let mut fields = Fields {
        offset_minutes: context.offset_minutes,
        rounded: 0,
        at: None,
    };
    let external_id = match fields.id(raw.action_id, "action_id")? {
        Some(id) => id,
        None => fields
            .id(raw.id, "id")?
            .ok_or_else(|| fields.missing("action_id"))?,
    };
    let program = ProgramRef {
        external_id: fields.id(raw.advcampaign_id, "advcampaign_id")?,
        name: fields.name(raw.advcampaign_name, "advcampaign_name")?,
    };
    if program.external_id.is_none() && program.name.is_none() {
        return Err(fields.missing("advcampaign_id"));
    }
    let ad_space = AdSpaceRef {
        external_id: fields.id(raw.website_id, "website_id")?,
        name: fields.name(raw.website_name, "website_name")?,
    };
    let has_ad_space = ad_space.external_id.is_some() || ad_space.name.is_some();
    let mut standing = fields.standing(raw, &program)?;
    let unsaid = fields.unsaid(raw, &standing)?;
    let receipt = fields.receipt(raw, &mut standing)?;
    let slots = fields.slots(raw)?;
    let items = fields.items(&raw.positions)?;
    Ok(ActionDraft {
        external_id,
        program,
        ad_space: has_ad_space.then_some(ad_space),
        stamp: Stamp {
            changed_at: changed_at(&standing, context.offset_minutes),
            observed_at: match receipt {
                None => context.observed_at,
                // The first state holds from the order on: whatever else is known of the action is newer.
                Some(receipt) if receipt.is_first => standing.ordered_at,
                Some(receipt) => receipt.at,
            },
        },
        standing,
        unsaid,
        slots,
        items,
        rounded: fields.rounded,
        receipt,
    })
}

/// When the state came about. A day without a clock begins before the orders of that day, and nothing is decided before it is
/// ordered. No other order makes its state newer: one whose time was mistyped would stay for ever.
fn changed_at(standing: &Standing, offset_minutes: i32) -> Instant {
    const DAY: i64 = 86_400_000_000;
    let Some(updated) = standing.status_updated_at else {
        return standing.ordered_at;
    };
    let local = |at: Instant| {
        at.micros()
            .saturating_add(i64::from(offset_minutes) * 60_000_000)
    };
    let since = local(standing.ordered_at).saturating_sub(local(updated));
    let is_day = local(updated).rem_euclid(DAY) == 0 && (0..DAY).contains(&since);
    if is_day { standing.ordered_at } else { updated }
}

/// Reads fields, and remembers what the draft says of the whole.
struct Fields {
    offset_minutes: i32,
    rounded: u32,
    /// Which cart item is being read.
    at: Option<usize>,
}

impl Fields {
    fn standing(&mut self, raw: &RawAction<'_>, program: &ProgramRef) -> Result<Standing, Refusal> {
        let raw_status = self
            .text(raw.status, "status", ID_LIMIT)?
            .map_or_else(String::new, Cow::into_owned);
        let status = Status::from_upstream(&raw_status);
        let currency = match self.text(raw.currency, "currency", ID_LIMIT)? {
            Some(text) => {
                Currency::parse(&text).map_err(|error| self.no_money("currency", &error))?
            }
            None => own_currency(program).ok_or_else(|| self.missing("currency"))?,
        };
        let action_type = match self
            .text(raw.action_type, "action_type", ID_LIMIT)?
            .as_deref()
        {
            Some("sale") => ActionType::Sale,
            Some("lead") => ActionType::Lead,
            _ => ActionType::Unknown,
        };
        Ok(Standing {
            status,
            raw_status,
            paid: self.flag(raw.paid, "paid")?.unwrap_or(false),
            processed: self
                .flag(raw.processed, "processed")?
                .unwrap_or_else(|| status.is_processed()),
            reward_e4: self
                .money(raw.payment, "payment")?
                .ok_or_else(|| self.missing("payment"))?,
            currency,
            action_type,
            ordered_at: self
                .instant(raw.action_date, "action_date")?
                .ok_or_else(|| self.missing("action_date"))?,
            status_updated_at: self.instant(raw.status_updated, "status_updated")?,
        })
    }

    /// Which parts of the standing the record does not have.
    fn unsaid(&self, raw: &RawAction<'_>, standing: &Standing) -> Result<BTreeSet<Slot>, Refusal> {
        // What is on hold or declined is not paid, whether or not the record says so as well.
        let is_paid_said = self.text(raw.paid, "paid", ID_LIMIT)?.is_some()
            || matches!(standing.status, Status::Pending | Status::Declined);
        let said = [
            (Slot::Status, !standing.raw_status.is_empty()),
            (Slot::Paid, is_paid_said),
            (
                Slot::ActionType,
                standing.action_type != ActionType::Unknown,
            ),
        ];
        let unsaid = said.into_iter().filter(|(_, is_said)| !is_said);
        Ok(unsaid.map(|(part, _)| part).collect())
    }

    /// How the record came in, if it is a postback: then its status is one of postbacks' words, and becomes the API's.
    fn receipt(
        &self,
        raw: &RawAction<'_>,
        standing: &mut Standing,
    ) -> Result<Option<Receipt>, Refusal> {
        let Some(at) = self.instant(raw.received_at, "received_at")? else {
            return Ok(None);
        };
        if standing.status_updated_at.is_some() {
            return Ok(None);
        }
        if standing.status == Status::Unknown {
            return Err(self.bad("status", "is none of new, pending, approved and declined"));
        }
        let is_first = standing.raw_status.eq_ignore_ascii_case("new");
        standing.raw_status = standing.status.as_str().to_ascii_lowercase();
        Ok(Some(Receipt {
            at,
            is_first,
            says_paid: self.text(raw.paid, "paid", ID_LIMIT)?.is_some(),
        }))
    }

    fn slots(&mut self, raw: &RawAction<'_>) -> Result<BTreeMap<Slot, SlotValue>, Refusal> {
        let country = self.text(raw.click_country_code, "click_country_code", NAME_LIMIT)?;
        let country = country.map(|code| code.to_ascii_uppercase());
        let country = country
            .filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()));
        let texts = [
            (Slot::OrderId, self.id(raw.order_id, "order_id")?),
            (Slot::TariffId, self.id(raw.tariff_id, "tariff_id")?),
            (Slot::ActionName, self.name(raw.action, "action")?),
            (Slot::Country, country),
            (Slot::Subid0, self.subid(raw.subid, "subid")?),
            (Slot::Subid1, self.subid(raw.subid1, "subid1")?),
            (Slot::Subid2, self.subid(raw.subid2, "subid2")?),
            (Slot::Subid3, self.subid(raw.subid3, "subid3")?),
            (Slot::Subid4, self.subid(raw.subid4, "subid4")?),
            (Slot::Keyword, self.name(raw.keyword, "keyword")?),
            (Slot::Comment, self.name(raw.comment, "comment")?),
            (Slot::PromoCode, self.name(raw.promocode, "promocode")?),
            (Slot::Device, self.word(raw.device, "device")?),
        ];
        let numbers = [
            (Slot::OrderAmount, self.money(raw.cart, "cart")?),
            (
                Slot::ClickedAt,
                self.instant(raw.click_date, "click_date")?
                    .map(Instant::micros),
            ),
            (
                Slot::ClosingDay,
                self.day(raw.closing_date, "closing_date")?,
            ),
            (
                Slot::ConversionSeconds,
                self.seconds(raw.conversion_time, "conversion_time")?,
            ),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(slot, text)| Some((slot, SlotValue::Text(text?))));
        let numbers = numbers
            .into_iter()
            .filter_map(|(slot, number)| Some((slot, SlotValue::Number(number?))));
        Ok(texts.chain(numbers).collect())
    }

    fn items(&mut self, positions: &Positions<'_>) -> Result<Vec<DraftItem>, Refusal> {
        let positions = match positions {
            Positions::Absent => return Ok(Vec::new()),
            Positions::NoList => return Err(self.bad("positions", "is no list")),
            Positions::Listed(positions) if positions.len() > ITEMS_LIMIT => {
                let message = format!(
                    "`positions` has {} items; at most {ITEMS_LIMIT} are taken",
                    positions.len()
                );
                return Err(Refusal::new(
                    RejectReason::TooLong,
                    Some("positions"),
                    message,
                ));
            }
            Positions::Listed(positions) => positions,
        };
        let mut items = Vec::with_capacity(positions.len());
        for (at, position) in positions.iter().enumerate() {
            self.at = Some(at);
            let position = position.as_ref().ok_or_else(|| {
                let name = format!("positions[{at}]");
                Refusal::new(
                    RejectReason::BadValue,
                    Some(&name),
                    format!("`{name}` is no object; send an object or leave it out"),
                )
            })?;
            items.push(self.item(position)?);
        }
        self.at = None;
        Ok(items)
    }

    fn item(&mut self, raw: &RawPosition<'_>) -> Result<DraftItem, Refusal> {
        if let Some(name) = raw.twice {
            return Err(self.bad(name, "stands twice in one cart item"));
        }
        if raw.action_date.is_given() {
            let what = "stands in a cart item, so a bracket is missing before it";
            return Err(self.bad("action_date", what));
        }
        let product = ProductRef {
            external_id: self
                .id(raw.product_id, "product_id")?
                .filter(|id| id != "0"),
            name: self.name(raw.product_name, "product_name")?,
            url: self.url(raw.product_url, "product_url")?,
            image_url: self.url(raw.product_image, "product_image")?,
            country: self.word(raw.product_country, "product_country_code")?,
        };
        let has_product =
            product.external_id.is_some() || product.name.is_some() || product.url.is_some();
        let category_id = self
            .id(raw.product_category_id, "product_category_id")?
            .filter(|id| id != "0");
        let category_name = self.name(raw.product_category_name, "product_category_name")?;
        Ok(DraftItem {
            external_id: self.id(raw.id, "id")?,
            product: has_product.then_some(product),
            category: match (category_id, category_name) {
                (Some(external_id), name) => Some(CategoryRef::with_id(external_id, name)),
                (None, Some(name)) => Some(CategoryRef::named(name)),
                (None, None) => None,
            },
            amount_e4: self.money(raw.amount, "amount")?.unwrap_or(0),
            reward_e4: self.money(raw.payment, "payment")?.unwrap_or(0),
            rate_e4: self.money(raw.rate, "rate")?,
            is_percentage: self.flag(raw.percentage, "percentage")?,
            tariff_id: self.id(raw.tariff_id, "tariff_id")?,
            rate_id: self.id(raw.rate_id, "rate_id")?,
            units: self.units(raw.quantity)?,
            ordered_at: self.instant(raw.datetime, "datetime")?,
        })
    }

    /// A text without the blanks around it; nothing where nothing is left.
    fn text<'a>(
        &self,
        value: Literal<'a>,
        field: &str,
        limit: usize,
    ) -> Result<Option<Cow<'a, str>>, Refusal> {
        let text = self.verbatim(value, field, limit)?;
        Ok(text.map(trimmed).filter(|text| !text.is_empty()))
    }

    fn verbatim<'a>(
        &self,
        value: Literal<'a>,
        field: &str,
        limit: usize,
    ) -> Result<Option<Cow<'a, str>>, Refusal> {
        let text = value.text().map_err(|error| match error {
            LiteralError::Kind => self.bad(field, "is neither a text nor a number"),
            LiteralError::Nul => {
                self.bad(field, "holds the character U+0000, which cannot be stored")
            }
            LiteralError::Escape => self.bad(field, "holds an escape that stands for no character"),
        })?;
        // Bytes are counted first: characters are never more.
        if let Some(text) = text.as_deref().filter(|text| text.len() > limit) {
            let length = text.chars().count();
            if length > limit {
                let name = self.named(field);
                let message = format!(
                    "`{name}` has {length} characters, at most {limit} are taken; shorten it"
                );
                return Err(Refusal::new(RejectReason::TooLong, Some(&name), message));
            }
        }
        Ok(text)
    }

    fn word(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text(value, field, ID_LIMIT)?.map(Cow::into_owned))
    }

    fn name(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text(value, field, NAME_LIMIT)?.map(Cow::into_owned))
    }

    fn url(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text(value, field, URL_LIMIT)?.map(Cow::into_owned))
    }

    fn subid(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        let text = self.verbatim(value, field, SUBID_LIMIT)?;
        Ok(text
            .filter(|text| !text.trim().is_empty())
            .map(Cow::into_owned))
    }

    /// An id: a text or a whole number. A flag or a fraction stands for nothing that could be found again.
    fn id(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        if value.is_no_id() {
            return Err(self.bad(
                field,
                "is neither a text nor a whole number, so it is no id",
            ));
        }
        self.digits(value, field)
    }

    /// A text; whole numbers that passed through a spreadsheet (`11.0`) are the same still.
    fn digits(&self, value: Literal<'_>, field: &str) -> Result<Option<String>, Refusal> {
        let text = self.text(value, field, ID_LIMIT)?;
        Ok(text.map(|text| match text.split_once('.') {
            Some((whole, zeros))
                if is_number(whole)
                    && !zeros.is_empty()
                    && zeros.bytes().all(|byte| byte == b'0') =>
            {
                whole.to_owned()
            }
            _ => text.into_owned(),
        }))
    }

    fn money(&mut self, value: Literal<'_>, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(value, field, ID_LIMIT)? else {
            return Ok(None);
        };
        let (e4, rounded) =
            parse_e4(&text, Excess::RoundHalfEven).map_err(|error| self.no_money(field, &error))?;
        self.rounded += u32::from(rounded);
        Ok(Some(e4))
    }

    fn flag(&self, value: Literal<'_>, field: &str) -> Result<Option<bool>, Refusal> {
        match self.text(value, field, ID_LIMIT)?.as_deref() {
            None => Ok(None),
            Some("1" | "true" | "True") => Ok(Some(true)),
            Some("0" | "false" | "False") => Ok(Some(false)),
            Some(_) => Err(self.bad(field, "is neither 0 nor 1")),
        }
    }

    fn instant(&self, value: Literal<'_>, field: &str) -> Result<Option<Instant>, Refusal> {
        match self.text(value, field, ID_LIMIT)?.as_deref() {
            None => Ok(None),
            Some(text) if is_no_date(text) => Ok(None),
            Some(text) => parse_upstream(text, self.offset_minutes)
                .map(Some)
                .map_err(|error| self.no_time(field, &error)),
        }
    }

    /// Days since 1970-01-01; a time behind the day is dropped.
    fn day(&self, value: Literal<'_>, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self
            .text(value, field, ID_LIMIT)?
            .filter(|text| !is_no_date(text))
        else {
            return Ok(None);
        };
        let day = match text.as_bytes().get(10) {
            Some(b' ' | b'T') => text.get(..10).unwrap_or(&text),
            _ => &text,
        };
        let day = parse_upstream_day(day).map_err(|error| self.no_time(field, &error))?;
        Ok(Some(i64::from(day.days())))
    }

    fn seconds(&self, value: Literal<'_>, field: &str) -> Result<Option<i64>, Refusal> {
        // An order before its click says that two clocks differ, and nothing of the time between them.
        let Some(text) = self.digits(value, field)?.filter(|text| !is_negative(text)) else {
            return Ok(None);
        };
        let name = self.named(field);
        match text.parse::<i64>() {
            Ok(seconds) if (0..=i64::from(i32::MAX)).contains(&seconds) => Ok(Some(seconds)),
            Ok(_) => {
                let message = format!("`{name}` must be from 0 to {} seconds", i32::MAX);
                Err(Refusal::new(RejectReason::OutOfRange, Some(&name), message))
            }
            Err(_) => Err(self.bad(field, "is not a whole number of seconds")),
        }
    }

    /// Units of a cart item: 1 unless a whole number from 1 says otherwise.
    fn units(&self, value: Literal<'_>) -> Result<i32, Refusal> {
        let units = self
            .digits(value, "quantity")?
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|units| *units >= 1);
        let Some(units) = units else { return Ok(1) };
        i32::try_from(units)
            .ok()
            .filter(|units| *units <= UNITS_LIMIT)
            .ok_or_else(|| {
                let name = self.named("quantity");
                let message = format!("`{name}` is {units}; at most {UNITS_LIMIT} are taken");
                Refusal::new(RejectReason::OutOfRange, Some(&name), message)
            })
    }

    fn named(&self, field: &str) -> String {
        self.at
            .map_or_else(|| field.to_owned(), |at| format!("positions[{at}].{field}"))
    }

    fn missing(&self, field: &str) -> Refusal {
        let name = self.named(field);
        let remedy = match field {
            "action_id" => {
                "and there is no `id`: an action without an id cannot be told apart; export it with its id"
            }
            "advcampaign_id" => {
                "and there is no `advcampaign_name`: say which program the action belongs to"
            }
            "currency" => "and the program is not one that we know: say the currency, such as USD",
            "payment" => "a reward is always given, 0 if there is none",
            _ => "without it the action cannot be placed in time",
        };
        Refusal::new(
            RejectReason::MissingField,
            Some(&name),
            format!("`{name}` is missing, {remedy}"),
        )
    }

    fn bad(&self, field: &str, what: &str) -> Refusal {
        let name = self.named(field);
        Refusal::new(
            RejectReason::BadValue,
            Some(&name),
            format!("`{name}` {what}; mend it and import the record again"),
        )
    }

    fn no_money(&self, field: &str, error: &MoneyError) -> Refusal {
        let reason = match error {
            MoneyError::Range(_) => RejectReason::OutOfRange,
            MoneyError::Syntax(_) | MoneyError::Precision(_) | MoneyError::Currency(_) => {
                RejectReason::BadValue
            }
        };
        let name = self.named(field);
        Refusal::new(reason, Some(&name), format!("`{name}`: {error}"))
    }

    fn no_time(&self, field: &str, error: &TimeError) -> Refusal {
        let reason = match error {
            TimeError::OutOfYears { .. } => RejectReason::OutOfRange,
            _ => RejectReason::BadValue,
        };
        let name = self.named(field);
        Refusal::new(reason, Some(&name), format!("`{name}`: {error}"))
    }
}

/// The currency that the catalogue gives the program.
fn own_currency(program: &ProgramRef) -> Option<Currency> {
    let catalog = Catalog::shipped();
    let by_id = program
        .external_id
        .as_deref()
        .and_then(|id| catalog.program_by_external_id(id));
    let by_name = || {
        program
            .name
            .as_deref()
            .and_then(|name| catalog.program_by_name(name))
    };
    by_id.or_else(by_name).map(|program| program.currency)
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a length of time is below nothing: `-3`, `-0:00:03`.
fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| {
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
        !rest.is_empty() && rest.bytes().all(is_part)
    })
}

/// How upstream writes that there is no date.
fn is_no_date(text: &str) -> bool {
    text == "-" || text.starts_with("0000-00-00")
}

#[cfg(test)]
mod tests;
