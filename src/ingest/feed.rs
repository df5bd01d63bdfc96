//! A product feed into the write path: what an offer says, which product it is, and the whole of a feed in parts.
//!
//! A feed is read to its end once before its first offer is written, so a damaged one leaves nothing behind.

use super::format::offers::{FeedFile, Part, RawOffer};
use super::pipeline::{Entrance, ImportReport, Progress, check_as_of, run_id};
use super::refusal::Refusal;
use crate::domain::column::ColumnKind;
use crate::domain::draft::{
    CategoryRef, ProductRef, Reject, RejectReason, URL_LIMIT, page_of, product_id_in,
};
use crate::domain::error::{Code, Error, Result};
use crate::domain::feed::{FeedSource, OfferDraft};
use crate::domain::money::{Currency, Excess, parse_e4};
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::feeds::{FeedBatch, close_feed, write_offers};
use crate::store::imports::{NewRun, begin, finish};
use std::collections::HashMap;
use std::path::Path;
use tokio::sync::mpsc;

/// How many offers make a part: one transaction.
const BATCH: usize = 1_000;
/// How many parts wait for the writer.
const WAITING: usize = 2;
/// How many rejected offers a report shows.
const SHOWN_REJECTS: usize = 5;
/// The longest id, in characters.
const ID_LIMIT: usize = 200;
/// The longest name, in characters.
const NAME_LIMIT: usize = 2_000;
/// How many categories of a feed's tree are remembered by name.
const CATEGORIES: usize = 100_000;

/// Names of the feed's categories by id.
type Names = HashMap<String, String>;

/// Imports the feed at `path`, called `name` in its run.
///
/// # Errors
/// When it was taken in the future, when the file is damaged or no feed, and then nothing of it is stored; or when the
/// database fails. Offers that cannot be understood are no error: they are kept, counted and reported.
pub async fn import_feed(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    (name, source): (&str, &FeedSource),
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    let started_at = now();
    check_as_of(source.observed_at, started_at)
        .map_err(|message| Error::bad_input("as_of", message))?;
    let run = NewRun {
        id: run_id(started_at)?,
        entrance: Entrance::Feed.as_str(),
        name: name.to_owned(),
        started_at,
        as_of: source.observed_at,
    };
    begin(store, scope, &run).await?;
    let mut report = ImportReport {
        run_id: run.id,
        ..ImportReport::default()
    };
    let outcome = read_and_write(store, scope, path, source, &mut report, (now, progress)).await;
    let (state, message) = match &outcome {
        Ok(()) if report.rejected == 0 => (RunState::Succeeded, None),
        Ok(()) => (RunState::Partial, None),
        Err(error) => (RunState::Failed, Some(error.message())),
    };
    finish(store, scope, run.id, now(), (state, message)).await?;
    outcome.map(|()| report)
}

/// What the reading thread hands over.
struct Offers {
    drafts: Vec<OfferDraft>,
    rejects: Vec<Reject>,
}

async fn read_and_write(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    source: &FeedSource,
    report: &mut ImportReport,
    (now, progress): (&(dyn Fn() -> Instant + Sync), &mut dyn Progress),
) -> Result<()> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&path, &sender));
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let size = |number: usize| u64::try_from(number).unwrap_or(0);
    while let Some(Offers { drafts, rejects }) = receiver.recv().await {
        let batch = FeedBatch {
            run_id: report.run_id,
            source,
            offers: &drafts,
            rejects: &rejects,
            rejected_before: i64::try_from(report.rejected).unwrap_or(i64::MAX),
            now: now(),
        };
        let applied = write_offers(store, scope, batch).await?;
        report.inserted += count(applied.inserted);
        report.updated += count(applied.updated);
        report.unchanged += count(applied.unchanged);
        report.stale += count(applied.stale);
        report.read += size(drafts.len() + rejects.len());
        report.rejected += size(rejects.len());
        let rounded = drafts.iter().map(|draft| u64::from(draft.rounded));
        report.rounded += rounded.sum::<u64>();
        progress.advanced(0, size(drafts.len() + rejects.len()), size(rejects.len()));
        let room = SHOWN_REJECTS.saturating_sub(report.first_rejects.len());
        report.first_rejects.extend(rejects.into_iter().take(room));
    }
    let ended = reading.await.map_err(Error::internal)?;
    ended.map_err(|sentence| Error::new(Code::BadUserInput, sentence))?;
    // A whole feed without a single offer that could be read is no reason to take all others away.
    if source.is_whole && report.read > report.rejected {
        close_feed(store, scope, source, report.run_id, now()).await?;
    }
    Ok(())
}

/// Reads the feed at `path` to its end, then again, and hands each offer, or why it is refused, to `each` until that wants
/// no more.
///
/// # Errors
/// A sentence for people, where the file is damaged or no feed; nothing of it was handed out then.
pub fn read_offers(
    path: &Path,
    each: &mut dyn FnMut(Result<OfferDraft, Reject>) -> bool,
) -> Result<(), String> {
    let feed = FeedFile::open(path)?;
    let mut names = Names::new();
    feed.read(&mut |part| {
        if let Part::Category(id, name) = part
            && names.len() < CATEGORIES
            && !id.is_empty()
            && (1..=NAME_LIMIT).contains(&name.chars().count())
        {
            names.insert(id, name);
        }
        true
    })?;
    feed.read(&mut |part| {
        let Part::Offer(raw) = part else { return true };
        each(draft(&raw, &names).map_err(|refusal| refusal.at(raw.place, raw.raw().as_bytes())))
    })
}

/// Reads the feed in parts.
fn read(path: &Path, sender: &mpsc::Sender<Offers>) -> Result<(), String> {
    let mut offers = Offers {
        drafts: Vec::with_capacity(BATCH),
        rejects: Vec::new(),
    };
    let flush = |offers: &mut Offers| {
        let full = std::mem::replace(
            offers,
            Offers {
                drafts: Vec::with_capacity(BATCH),
                rejects: Vec::new(),
            },
        );
        sender.blocking_send(full).is_ok()
    };
    read_offers(path, &mut |offer| {
        match offer {
            Ok(draft) => offers.drafts.push(draft),
            Err(reject) => offers.rejects.push(reject),
        }
        offers.drafts.len() + offers.rejects.len() < BATCH || flush(&mut offers)
    })?;
    if !offers.drafts.is_empty() || !offers.rejects.is_empty() {
        flush(&mut offers);
    }
    Ok(())
}

/// What an offer says.
fn draft(raw: &RawOffer, names: &Names) -> Result<OfferDraft, Refusal> {
    raw.check()?;
    let text = |name, limit| raw.field(name, ColumnKind::Text, limit);
    let affiliate_url = text("url", URL_LIMIT)?;
    let target = affiliate_url.as_deref().and_then(page_of);
    let own_id = text("id", ID_LIMIT)?;
    let id = target
        .as_deref()
        .and_then(product_id_in)
        .map_or(own_id, |id| Some(id.to_owned()));
    let product = ProductRef {
        external_id: id,
        name: name(raw)?,
        url: target,
        image_url: text("picture", URL_LIMIT)?.map(first_link),
        country: None,
    };
    if product.natural_key().is_none() {
        let message =
            "the offer has neither an `id` nor a link to its product: it cannot be told apart";
        return Err(Refusal::new(
            RejectReason::MissingField,
            Some("id"),
            message,
        ));
    }
    let (price, old_price) = (price(raw, "price")?, price(raw, "oldprice")?);
    Ok(OfferDraft {
        product,
        category: category(raw, names)?,
        affiliate_url,
        price_e4: price.map(|(e4, _)| e4),
        old_price_e4: old_price.map(|(e4, _)| e4),
        currency: currency(raw, price.is_some() || old_price.is_some())?,
        vendor: text("vendor", NAME_LIMIT)?,
        available: raw
            .field("available", ColumnKind::Flag, ID_LIMIT)?
            .map(|word| word == "1"),
        rounded: [price, old_price]
            .into_iter()
            .flatten()
            .map(|(_, rounded)| u32::from(rounded))
            .sum(),
    })
}

/// The name, or what stands for it in offers of the type `vendor.model`.
fn name(raw: &RawOffer) -> Result<Option<String>, Refusal> {
    if let Some(name) = raw.field("name", ColumnKind::Text, NAME_LIMIT)? {
        return Ok(Some(name));
    }
    let mut parts = Vec::new();
    for part in ["typePrefix", "vendor", "model"] {
        parts.extend(raw.field(part, ColumnKind::Text, NAME_LIMIT)?);
    }
    Ok((!parts.is_empty()).then(|| parts.join(" ")))
}

/// The first of several links that one cell holds.
fn first_link(text: String) -> String {
    match text.split_once(",http") {
        Some((first, _)) => first.to_owned(),
        None => text,
    }
}

/// A price in 1/10 000, and whether it was rounded.
fn price(raw: &RawOffer, field: &'static str) -> Result<Option<(i64, bool)>, Refusal> {
    let Some(text) = raw.field(field, ColumnKind::Money, ID_LIMIT)? else {
        return Ok(None);
    };
    match parse_e4(&text, Excess::RoundHalfEven) {
        Ok(price) if price.0 >= 0 => Ok(Some(price)),
        Ok(_) => Err(bad(field, "is below 0")),
        Err(error) => Err(bad(field, &error.to_string())),
    }
}

fn currency(raw: &RawOffer, is_needed: bool) -> Result<Option<Currency>, Refusal> {
    let Some(code) = raw.field("currencyId", ColumnKind::Currency, ID_LIMIT)? else {
        if is_needed {
            let message = "`currencyId` is missing: a price without its currency says nothing";
            let field = Some("currencyId");
            return Err(Refusal::new(RejectReason::MissingField, field, message));
        }
        return Ok(None);
    };
    // YML has kept the code that the rouble had until 1998.
    let code = if code.eq_ignore_ascii_case("RUR") {
        "RUB"
    } else {
        &code
    };
    Currency::parse(code)
        .map(Some)
        .map_err(|error| bad("currencyId", &error.to_string()))
}

/// The category by its id; some feeds as CSV have a name in its place, which names none.
fn category(raw: &RawOffer, names: &Names) -> Result<Option<CategoryRef>, Refusal> {
    let id = raw.field("categoryId", ColumnKind::Text, NAME_LIMIT)?;
    let is_id = |id: &String| id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
    Ok(id.filter(is_id).map(|external_id| {
        let name = names.get(&external_id).cloned();
        CategoryRef::with_id(external_id, name)
    }))
}

fn bad(field: &str, what: &str) -> Refusal {
    Refusal::new(
        RejectReason::BadValue,
        Some(field),
        format!("`{field}` {what}"),
    )
}

#[cfg(test)]
mod tests;
