//! A page of actions: from the network through the normaliser into the write path, and what a re-read no longer names.

use super::pages::{Named, OVERLAP, Verdict};
use super::plan::{Reading, Window, finished};
use super::rest::{is_slow, patience, timed};
use super::tick::{Outcome, Sync, Work};
use super::{ActionsBy, ActionsOrder, ActionsQuery, Page, PageAt, backoff};
use crate::domain::draft::{ActionDraft, Deletion, Reject, action_id};
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after, before};
use crate::domain::time::Instant;
use crate::ingest::normalize::NormalizeContext;
use crate::ingest::raw::RawRecord;
use crate::store::apply::{Applied, Batch, apply};
use crate::store::sync::{actions_between, has_others};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// How many missing actions of a slice are asked for one by one in a night; more are left for the next.
const ASKED_FOR: usize = 300;
/// For how long an account counts that is configured no more: as far as a night reads back, and some.
const REMEMBERED: Duration = Duration::from_secs(100 * 86_400);
/// How long a set rests that keeps shifting, and one that has to be current.
const SHIFTING: (u32, u32) = (8, 5);

/// What a page brings.
struct Brought {
    named: Named,
    drafts: Vec<ActionDraft>,
    rejects: Vec<Reject>,
}

impl Sync {
    /// Reads a page of actions, or asks for one that a re-read no longer named.
    pub(super) async fn actions(
        &mut self,
        state: &AccountState,
        feed: Feed,
        reading: Reading,
        now: Instant,
    ) -> Result<Outcome> {
        if self.open.get(&feed).is_some_and(|open| open.is_read) {
            return self.ask_for_missing(state, feed, &reading, now).await;
        }
        // What a slice has named is known in memory alone: after a restart it is read from its beginning.
        let begins_anew = feed == Feed::Nightly && !self.open.contains_key(&feed);
        let reading = if begins_anew {
            Reading::new(reading.window, now)
        } else {
            reading
        };
        let at = PageAt {
            offset: reading.offset,
            ..PageAt::FIRST
        };
        let query = self.query(by(feed, &reading.window));
        let patience = patience(feed, state.failures, self.is_slow);
        let asking = self.client.actions_within(now, &query, at, patience);
        let page = match timed(asking).await {
            (Ok(page), took_long) => {
                self.is_slow = is_slow(feed, self.is_slow, took_long);
                page
            }
            (Err(fault), _) => return self.fault(state, feed, &fault, now).await,
        };
        self.answered(state, now).await?;
        self.bring(&state.feed(feed), feed, reading, page, now)
            .await
    }

    fn query(&self, by: ActionsBy) -> ActionsQuery {
        ActionsQuery {
            by,
            offset_minutes: self.pace.offset_minutes,
            order: ActionsOrder::Ascending,
        }
    }

    async fn bring(
        &mut self,
        state: &FeedState,
        feed: Feed,
        reading: Reading,
        page: Page<RawRecord>,
        now: Instant,
    ) -> Result<Outcome> {
        let what = format!("{} {}", feed.words(), reading.window.words());
        let context = NormalizeContext {
            offset_minutes: self.pace.offset_minutes,
            observed_at: now,
        };
        let open = self.run(feed, &reading, &what, now).await?;
        let brought = normalized(page, &context, |id, text| open.pages.knows(id, text));
        let mut verdict = open.pages.take(&reading, &brought.named);
        open.page += 1;
        let (page, run_id, rejected_before) = (open.page, open.run_id, open.rejected);
        let is_complete = verdict == Verdict::Whole && open.pages.is_complete();
        if feed == Feed::Nightly && is_complete && self.find_missing(feed, &reading, now).await? {
            // The slice is not done until these are known, so that it is read again if this process ends.
            verdict = Verdict::More(Reading::new(reading.window, reading.begun));
        }
        let mut next = self.after_page(state, feed, &reading, &verdict, now);
        next.run_id = Some(run_id);
        let error = next.last_error.clone();
        let mut step = self.moved(feed, next);
        if self.has_others(now).await? {
            let publisher = self.scope.publisher();
            let named = brought.named.records.iter();
            let ids = named.filter_map(|(id, _)| id.as_ref());
            step.named = ids.map(|id| action_id(publisher, id)).collect();
        }
        let batch = Batch {
            run_id,
            drafts: &brought.drafts,
            deletions: &[],
            rejects: &brought.rejects,
            rejected_before,
            sync: Some(&step),
            bytes_read: None,
            now,
        };
        let applied = apply(&self.store, self.scope, batch).await?;
        self.store.keep_statistics().await;
        let rejected = brought.rejects.len();
        if let Some(open) = self.open.get_mut(&feed) {
            open.rejected += i64::try_from(rejected).unwrap_or(i64::MAX);
        }
        if matches!(verdict, Verdict::Whole | Verdict::GivenUp) {
            self.end(feed, now, error.as_deref()).await?;
        }
        let pages = brought
            .named
            .total
            .div_ceil(PageAt::FIRST.limit - OVERLAP)
            .max(page);
        Ok(Outcome::Worked(Work {
            page,
            pages,
            read: size(brought.drafts.len() + rejected),
            rejected: size(rejected),
            ..work(feed, what, applied)
        }))
    }

    /// How far a feed has come after a page.
    fn after_page(
        &self,
        state: &FeedState,
        feed: Feed,
        reading: &Reading,
        verdict: &Verdict,
        now: Instant,
    ) -> FeedState {
        let well = FeedState {
            condition: Condition::Reading,
            last_attempt: Some(now),
            next_run: Some(now),
            failures: 0,
            last_error: None,
            ..state.clone()
        };
        match verdict {
            Verdict::More(next) | Verdict::Again(next) => FeedState {
                cursor: Some(next.to_text()),
                ..well
            },
            Verdict::Whole => finished(&self.pace, feed, &well, reading, now),
            Verdict::GivenUp => {
                let is_slice = matches!(feed, Feed::Backfill | Feed::Nightly);
                let rest = if is_slice { SHIFTING.0 } else { SHIFTING.1 };
                FeedState {
                    condition: Condition::Failing,
                    // Slices have a place to go on from; the others begin with what is known.
                    cursor: is_slice.then(|| Reading::new(reading.window, now).to_text()),
                    next_run: Some(after(now, backoff(rest, u32::MAX, None))),
                    failures: state.failures.saturating_add(1),
                    last_error: Some(format!(
                        "The list of actions ({}) kept changing while it was read. Nothing is lost: it is read again by itself.",
                        reading.window.words()
                    )),
                    ..well
                }
            }
        }
    }

    /// Finds what is known of a slice and was not named by a complete re-read; whether there is any.
    async fn find_missing(&mut self, feed: Feed, reading: &Reading, now: Instant) -> Result<bool> {
        let Some(orders) = reading.window.orders(self.pace.offset_minutes) else {
            return Ok(false);
        };
        // Of several accounts of one publisher each can miss what it has named itself, and nothing else.
        let account = self.account.as_str();
        let of = self.has_others(now).await?.then_some(account);
        let known = actions_between(&self.store, self.scope, orders, of).await?;
        let Some(open) = self.open.get_mut(&feed) else {
            return Ok(false);
        };
        open.missing = known
            .into_iter()
            .filter(|action| action.observed_at < reading.begun)
            .map(|action| action.external_id)
            // The network is asked for numbers; an action of another name came from elsewhere.
            .filter(|id| !open.pages.has(id) && id.parse::<i64>().is_ok())
            .take(ASKED_FOR)
            .collect();
        open.is_read = !open.missing.is_empty();
        Ok(open.is_read)
    }

    /// Whether the publisher has other accounts, or had one lately that is configured no more.
    async fn has_others(&self, now: Instant) -> Result<bool> {
        let since = before(now, REMEMBERED);
        has_others(&self.store, self.scope, &self.account, since).await
    }

    /// Asks for the next action that a re-read did not name: it may have moved to another day. After the last, what is
    /// gone leaves the facts.
    async fn ask_for_missing(
        &mut self,
        state: &AccountState,
        feed: Feed,
        reading: &Reading,
        now: Instant,
    ) -> Result<Outcome> {
        let id = self.open.get_mut(&feed).and_then(|open| open.missing.pop());
        if let Some(id) = id {
            let number = id.parse().unwrap_or_default();
            let query = self.query(ActionsBy::Id(number));
            let page = match self.client.actions(now, &query, PageAt::FIRST).await {
                Ok(page) => page,
                Err(fault) => return self.fault(state, feed, &fault, now).await,
            };
            self.answered(state, now).await?;
            let context = NormalizeContext {
                offset_minutes: self.pace.offset_minutes,
                observed_at: now,
            };
            let is_empty = page.rows == 0;
            let brought = normalized(page, &context, |_, _| false);
            let draft = brought
                .drafts
                .into_iter()
                .find(|draft| draft.external_id == id);
            if let Some(open) = self.open.get_mut(&feed) {
                match draft {
                    Some(draft) => open.found.push(draft),
                    // An answer about something else is no answer.
                    None if is_empty => open.gone.push(Deletion {
                        external_id: id,
                        observed_at: reading.begun,
                    }),
                    None => {}
                }
            }
        }
        let Some(open) = self
            .open
            .get_mut(&feed)
            .filter(|open| open.missing.is_empty())
        else {
            let what = format!("{}: what is missing", feed.words());
            return Ok(Outcome::Worked(work(feed, what, Applied::default())));
        };
        let (found, gone) = (
            std::mem::take(&mut open.found),
            std::mem::take(&mut open.gone),
        );
        let (run_id, rejected_before) = (open.run_id, open.rejected);
        let mut next = self.after_page(&state.feed(feed), feed, reading, &Verdict::Whole, now);
        next.run_id = Some(run_id);
        let step = self.moved(feed, next);
        let batch = Batch {
            run_id,
            drafts: &found,
            deletions: &gone,
            rejects: &[],
            rejected_before,
            sync: Some(&step),
            bytes_read: None,
            now,
        };
        let applied = apply(&self.store, self.scope, batch).await?;
        self.end(feed, now, None).await?;
        let what = format!("{} {}", feed.words(), reading.window.words());
        Ok(Outcome::Worked(Work {
            read: size(found.len()),
            ..work(feed, what, applied)
        }))
    }
}

/// What is asked for. What has to be current has no end: our clock may be minutes, and a day, behind the network's or
/// ahead of it.
fn by(feed: Feed, window: &Window) -> ActionsBy {
    match *window {
        Window::Ordered { from, .. } if feed == Feed::Recent => ActionsBy::OrderedSince(from),
        Window::Ordered { from, to } => ActionsBy::Ordered { from, to },
        Window::Changed { from, .. } => ActionsBy::StatusUpdated { from, to: None },
    }
}

/// What the records of a page mean; those that are known with this very text are not written again.
fn normalized(
    page: Page<RawRecord>,
    context: &NormalizeContext,
    is_known: impl Fn(&str, u64) -> bool,
) -> Brought {
    let mut brought = Brought {
        named: Named {
            records: Vec::with_capacity(page.items.len()),
            rows: page.rows,
            total: page.total,
        },
        drafts: Vec::with_capacity(page.items.len()),
        rejects: page.rejects,
    };
    for record in page.items {
        let mut hasher = DefaultHasher::new();
        record.text.hash(&mut hasher);
        let text = hasher.finish();
        match record.draft(context) {
            Ok(draft) => {
                if !is_known(&draft.external_id, text) {
                    brought.drafts.push(draft.clone());
                }
                brought.named.records.push((Some(draft.external_id), text));
            }
            Err(reject) => {
                brought.named.records.push((id_of(&record), text));
                brought.rejects.push(*reject);
            }
        }
    }
    brought
}

/// The id of a record that is refused for something else.
fn id_of(record: &RawRecord) -> Option<String> {
    let action = record.action().ok()?;
    let text = |literal: crate::ingest::raw::Literal<'_>| {
        let text = literal.text().ok()??;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    text(action.action_id).or_else(|| text(action.id))
}

fn work(feed: Feed, what: String, applied: Applied) -> Work {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Work {
        feed,
        what,
        page: 1,
        pages: 1,
        read: 0,
        inserted: count(applied.inserted),
        updated: count(applied.updated),
        deleted: count(applied.deleted),
        rejected: 0,
    }
}

fn size(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
