//! What a postback of Admitad's says: its parameters become a record like any other, or are no action at all. Pure.
//!
//! | parameter | field | |
//! |---|---|---|
//! | `admitad_id` | `action_id` | the action; `action_id` of a postback is the rate's, and is not kept |
//! | `payment_status` | `status` | `new` is the first state, `pending` is back on hold |
//! | `time`, `click_time` | `action_date`, `click_date` | seconds since 1970, in UTC |
//! | `payment_sum`, `order_sum` | `payment`, `cart` | |
//! | `reward_ready` | `paid` | |
//! | `user_agent` | `device` | its class alone; it and `user_referer` are not kept |
//!
//! The others keep their name or get the API's. A value of blanks, and a macro that was left as it is (`[[[subid]]]`),
//! are none; of a parameter that is there twice the last value counts; unknown ones are ignored.

use super::normalize::NormalizeContext;
use super::raw::RawRecord;
use super::refusal::Refusal;
use crate::domain::draft::{ActionDraft, Place, Reject, RejectReason};
use crate::domain::time::Instant;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The parameters of an action that are taken as they are, and the fields that they become.
const FIELDS: &[(&str, &str)] = &[
    ("admitad_id", "action_id"),
    ("offer_id", "advcampaign_id"),
    ("offer_name", "advcampaign_name"),
    ("website_id", "website_id"),
    ("website_name", "website_name"),
    ("subid", "subid"),
    ("subid1", "subid1"),
    ("subid2", "subid2"),
    ("subid3", "subid3"),
    ("subid4", "subid4"),
    ("action", "action"),
    ("payment_sum", "payment"),
    ("payment_status", "status"),
    ("currency", "currency"),
    ("order_id", "order_id"),
    ("order_sum", "cart"),
    ("conversion_time", "conversion_time"),
    ("type", "action_type"),
    ("country_code", "click_country_code"),
    ("reward_ready", "paid"),
];

/// Those that are Unix times.
const TIMES: &[(&str, &str)] = &[("time", "action_date"), ("click_time", "click_date")];

/// Those that are read but not kept.
const USER_AGENT: &str = "user_agent";

/// All parameters that Admitad documents for actions, for people who set a postback up.
pub const DOCUMENTED: &[&str] = &[
    "offer_id",
    "offer_name",
    "admitad_id",
    "website_id",
    "website_name",
    "subid",
    "subid1",
    "subid2",
    "subid3",
    "subid4",
    "action",
    "action_id",
    "payment_sum",
    "payment_status",
    "currency",
    "order_id",
    "order_sum",
    "click_time",
    "time",
    "conversion_time",
    "type",
    "country_code",
    "user_agent",
    "user_referer",
    "reward_ready",
];

/// What a postback tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A state of an action.
    Action(Box<ActionDraft>),
    /// A state of an action that cannot be understood.
    Refused(Box<Reject>),
    /// Something else than an action: a program's status, a cooperation's, or that a referral joined. Nothing is kept
    /// of it.
    Nothing,
}

/// Reads a postback: its parameters in their order, those of the body behind those of the address.
///
/// `ad_space` is the name of the ad space of postbacks that name none.
#[must_use]
pub fn read<N: AsRef<str>, V: AsRef<str>>(
    parameters: impl IntoIterator<Item = (N, V)>,
    received_at: Instant,
    ad_space: Option<&str>,
) -> Told {
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut is_empty = true;
    for (name, value) in parameters {
        let (name, value) = (name.as_ref(), value.as_ref());
        is_empty = false;
        if is_macro(value) || value.trim().is_empty() {
            given.remove(name);
        } else if is_known(name) {
            given.insert(name.to_owned(), value.to_owned());
        }
    }
    let is_action = ["admitad_id", "payment_status", "payment_sum"]
        .iter()
        .any(|name| given.contains_key(*name));
    let is_other = given.contains_key("offer_status") || given.contains_key("partnership_status");
    if !is_action && (is_empty || is_other) {
        return Told::Nothing;
    }
    let record = RawRecord {
        place: Place::default(),
        text: text_of(&given, received_at, ad_space),
    };
    let context = NormalizeContext {
        offset_minutes: 0,
        observed_at: received_at,
    };
    let read = match check(&given) {
        Some(refusal) => Err(Box::new(refusal.at(record.place, record.text.as_bytes()))),
        None => record.draft(&context),
    };
    match read {
        Ok(draft) => Told::Action(Box::new(draft)),
        Err(reject) => Told::Refused(reject),
    }
}

fn is_known(name: &str) -> bool {
    DOCUMENTED.contains(&name) || matches!(name, "offer_status" | "partnership_status")
}

/// A macro that nobody replaced.
fn is_macro(value: &str) -> bool {
    let value = value.trim();
    value.starts_with("[[[") && value.ends_with("]]]")
}

/// The record in the words of the API, so that it is read, kept and mended as any other.
fn text_of(
    given: &BTreeMap<String, String>,
    received_at: Instant,
    ad_space: Option<&str>,
) -> String {
    let mut record = Map::new();
    for (parameter, field) in FIELDS {
        if let Some(value) = given.get(*parameter) {
            record.insert((*field).to_owned(), Value::String(value.clone()));
        }
    }
    for (parameter, field) in TIMES {
        if let Some(value) = given.get(*parameter) {
            let text = unix(value).map_or_else(|| value.clone(), Instant::to_rfc3339);
            record.insert((*field).to_owned(), Value::String(text));
        }
    }
    if let Some(user_agent) = given.get(USER_AGENT) {
        let class = device_class(user_agent).to_owned();
        record.insert("device".to_owned(), Value::String(class));
    }
    let names_none = !record.contains_key("website_id") && !record.contains_key("website_name");
    if let Some(name) = ad_space.filter(|_| names_none) {
        record.insert("website_name".to_owned(), Value::String(name.to_owned()));
    }
    let received = Value::String(received_at.to_rfc3339());
    record.insert("received_at".to_owned(), received);
    Value::Object(record).to_string()
}

/// What can be said in the words of postbacks; the rest is settled for all records alike.
fn check(given: &BTreeMap<String, String>) -> Option<Refusal> {
    for (name, remedy) in [
        ("admitad_id", "without it the action cannot be told apart"),
        ("payment_status", "without it the action has no status"),
        (
            "payment_sum",
            "a reward is always given, 0 if there is none",
        ),
        ("time", "without it the action cannot be placed in time"),
    ] {
        if !given.contains_key(name) {
            let message = format!(
                "`{name}` is missing, {remedy}; choose the simple mode for the postback's parameters"
            );
            return Some(Refusal::new(
                RejectReason::MissingField,
                Some(name),
                message,
            ));
        }
    }
    for (name, _) in TIMES {
        if given.get(*name).is_some_and(|value| unix(value).is_none()) {
            let message = format!("`{name}` is no number of seconds since 1970");
            return Some(Refusal::new(RejectReason::BadValue, Some(name), message));
        }
    }
    None
}

/// An instant from whole seconds since 1970.
fn unix(text: &str) -> Option<Instant> {
    let text = text.trim();
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| is_plain)?;
    Instant::from_micros(seconds.checked_mul(1_000_000)?).ok()
}

/// The class of a device by its user agent: `desktop`, `mobile`, `tablet` or `other`.
///
/// The few marks that browsers have agreed on: `Mobile` is in the name of every phone's browser and in none of a
/// tablet's on Android; an iPad names itself (a newer one pretends to be a Mac, and cannot be told from one). Programs,
/// crawlers, televisions and consoles are `other`. Shops' apps show what they run on.
#[must_use]
pub fn device_class(user_agent: &str) -> &'static str {
    let text = user_agent.to_ascii_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if has(&[
        "bot",
        "crawl",
        "spider",
        "curl/",
        "wget/",
        "python",
        "okhttp/",
        "java/",
        "smart-tv",
        "smarttv",
        "appletv",
        "googletv",
        "android tv",
        "hbbtv",
        "playstation",
        "xbox",
        "nintendo",
    ]) && !has(&["cubot"])
    {
        return "other";
    }
    let is_android = has(&["android"]);
    if has(&["ipad", "tablet", "kindle", "silk/", "playbook"])
        || is_android && !has(&["mobile", "dalvik"])
    {
        return "tablet";
    }
    if is_android
        || has(&[
            "mobile",
            "iphone",
            "ipod",
            "windows phone",
            "blackberry",
            "opera mini",
            "symbian",
            "midp",
        ])
    {
        return "mobile";
    }
    if has(&["windows", "macintosh", "mac os x", "x11", "linux", "cros "]) {
        return "desktop";
    }
    "other"
}

#[cfg(test)]
mod tests;
