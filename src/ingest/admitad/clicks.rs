//! Clicks of an account: by day for each program and ad space, and by SubID for the last days.
//!
//! The network counts clicks; it has no single one. A round reads the days since the last round and some before them
//! again, because the network corrects its counts, and goes one month further back until the beginning of what is wanted
//! is reached. By SubID it can be asked for one day at a time only, so those counts begin with the days on which the
//! account is fetched. After an outage a round reads a week of what was missed, and the next one follows at once.
//!
//! The network may refuse a set. Where it refuses all of a round, nothing is known better than before: the round rests and
//! is repeated. Where it answers others, it may be that program alone, which keeps nothing from the rest: what was left out
//! is kept ([`Kept`](super::kept::Kept)), asked for again every day, and reports know of it. Where that is more than is
//! kept, the present goes on and reports know of nothing until it is answered. The past is asked for again a day later,
//! and a few of its sets tell that it is refused: the present does not wait for it.
//!
//! A step asks for one page. The pages of a set are kept in memory until the last one: a set is stored as a whole.

use super::plan::Reading;
use super::round::{Round, Set};
use super::tick::{Outcome, Sync, Work};
use super::{ClickRow, ClicksQuery, Fault, Page, PageAt, fold_clicks, wire};
use crate::domain::clicks::ClickDay;
use crate::domain::draft::Reject;
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use crate::store::apply::clicks::{ClicksBatch, write};
use crate::store::sync::{clicked, step};
use std::time::Duration;

/// The pace of rounds.
const HOURLY: Duration = Duration::from_secs(3_600);
/// So many sets may be refused from the beginning of a round before it slows down.
const REFUSED: usize = 10;
/// How slow it gets.
const REFUSED_REST: Duration = Duration::from_secs(10);
/// The most pages of one set; what has more is left out rather than half a set stored.
const PAGES: u32 = 40;

/// What has come of a set so far.
#[derive(Debug)]
pub(super) struct Gathered {
    set: Set,
    at: PageAt,
    pages: u32,
    rows: Vec<ClickRow>,
    rejects: Vec<Reject>,
}

/// A step of a round: what it is about, and how the feed stands after it.
struct Place<'a> {
    round: Round,
    moved: FeedState,
    set: &'a Set,
    number: usize,
    sets: usize,
}

impl Sync {
    /// Reads a page of a set of clicks.
    pub(super) async fn clicks(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let before = state.feed(Feed::Clicks);
        let since = self.pace.since;
        let today = day_at(now, self.pace.offset_minutes);
        let mut pairs = clicked(&self.store, self.scope).await?;
        let others = self.others_spaces().await?;
        pairs.retain(|(_, ad_space)| !others.contains(ad_space));
        let known = before
            .watermark
            .map(|at| day_at(at, self.pace.offset_minutes));
        let stored: Option<Round> = before
            .cursor
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        let round = stored
            .unwrap_or_default()
            .going_on(&pairs, known, since, today);
        let sets = round.sets(&pairs, known, since);
        let number = round.next.unwrap_or(0);
        // What an earlier round left out is told until the next one has been there.
        let is_told = matches!(before.condition, Condition::Reading | Condition::Waiting);
        let moved = FeedState {
            condition: Condition::Reading,
            last_attempt: Some(now),
            next_run: Some(now),
            failures: 0,
            last_error: before.last_error.clone().filter(|_| is_told),
            ..before
        };
        let Some(set) = sets.get(number) else {
            return self.end_round(round, moved, &sets, now).await;
        };
        let mut got = self.gathered(set);
        let page = match self.page(&got, now).await {
            Ok(page) => page,
            Err(fault @ Fault::Refused { .. }) => {
                self.answered(state, now).await?;
                let mut place = Place::new(round, moved, set, sets.len());
                place.round.leave_out(set, &fault.to_string());
                let asked = sets.get(..=number).unwrap_or(&sets);
                if place.round.is_past_refused(asked) {
                    return self.end_round(place.round, place.moved, asked, now).await;
                }
                if number >= REFUSED && place.round.is_slower_after(set) {
                    place.moved.next_run = Some(after(now, REFUSED_REST));
                }
                return self.pass_by(place, now).await;
            }
            Err(fault) => return self.fault(state, Feed::Clicks, &fault, now).await,
        };
        self.answered(state, now).await?;
        let mut place = Place::new(round, moved, set, sets.len());
        place.round.is_answered |= set.is_of_all() && !set.is_again;
        let next = page.next(got.at);
        got.take(page);
        match next {
            None => self.store_set(place, got, now).await,
            Some(_) if got.pages >= PAGES => {
                let most = PAGES * PageAt::FIRST.limit;
                let why = format!("there are more than {most} rows of them");
                place.round.leave_out(set, &why);
                self.pass_by(place, now).await
            }
            Some(at) => {
                got.at = at;
                let read = got.rows.len();
                let reading = Reading::new(set.window(), now);
                let open = self.run(Feed::Clicks, &reading, "clicks", now).await?;
                open.gathered = Some(got);
                // Whoever takes over from a process that was killed ends the run that the feed names.
                place.moved.run_id = Some(open.run_id);
                let sync = self.moved(Feed::Clicks, place.moved);
                step(&self.store, self.scope, &sync).await?;
                Ok(worked(set.words(), (number, sets.len()), (read, 0)))
            }
        }
    }

    /// What was read of a set before; nothing of another one.
    fn gathered(&mut self, set: &Set) -> Gathered {
        let open = self.open.get_mut(&Feed::Clicks);
        open.and_then(|open| open.gathered.take())
            .filter(|got| got.set == *set)
            .unwrap_or_else(|| Gathered {
                set: set.clone(),
                at: PageAt::FIRST,
                pages: 0,
                rows: Vec::new(),
                rejects: Vec::new(),
            })
    }

    async fn page(&self, got: &Gathered, now: Instant) -> Result<Page<ClickRow>, Fault> {
        let query = ClicksQuery {
            from: got.set.days.0,
            to: got.set.days.1,
            program: Some(got.set.program.clone()),
            ad_space: Some(got.set.ad_space.clone()),
            slot: got.set.slot,
        };
        match got.set.slot {
            None => self.client.clicks_by_day(now, &query, got.at).await,
            Some(_) => self.client.clicks_by_subid(now, &query, got.at).await,
        }
    }

    /// Puts a set that was read to its end in the place of what is stored of it.
    async fn store_set(
        &mut self,
        mut place: Place<'_>,
        got: Gathered,
        now: Instant,
    ) -> Result<Outcome> {
        let set = place.set;
        let reading = Reading::new(set.window(), now);
        let open = self.run(Feed::Clicks, &reading, "clicks", now).await?;
        let (run_id, rejected_before) = (open.run_id, open.rejected);
        let rejected = got.rejects.len();
        open.rejected += i64::try_from(rejected).unwrap_or(i64::MAX);
        place.moved.run_id = Some(run_id);
        let sync = self.moved(Feed::Clicks, place.after());
        let unread = got.unread();
        let (rows, rejects) = got.finished();
        let batch = ClicksBatch {
            run_id,
            account: &self.account,
            offset_minutes: self.pace.offset_minutes,
            rows: &rows,
            replaces: &set.replaced(),
            unread: &unread,
            rejects: &rejects,
            rejected_before,
            sync: Some(&sync),
            now,
        };
        write(&self.store, self.scope, batch).await?;
        let read = (rows.len() + rejected, rejected);
        Ok(worked(set.words(), (place.number + 1, place.sets), read))
    }

    /// Goes on behind a set that stays as it was: one that the network does not tell of, or that is more than is ever
    /// read, keeps nothing from the others.
    async fn pass_by(&mut self, mut place: Place<'_>, now: Instant) -> Result<Outcome> {
        let reading = Reading::new(place.set.window(), now);
        let open = self.run(Feed::Clicks, &reading, "clicks", now).await?;
        place.moved.run_id = Some(open.run_id);
        let sync = self.moved(Feed::Clicks, place.after());
        step(&self.store, self.scope, &sync).await?;
        let (place, words) = ((place.number + 1, place.sets), place.set.words());
        Ok(worked(words, place, (0, 0)))
    }

    /// Ends a round, with those of its sets that were asked for.
    async fn end_round(
        &mut self,
        round: Round,
        mut moved: FeedState,
        sets: &[Set],
        now: Instant,
    ) -> Result<Outcome> {
        let offset = self.pace.offset_minutes;
        let today = day_at(now, offset);
        let until = round.until(today);
        let is_past_only = round.past_only;
        let left_out = round.words();
        let kept = round.kept_with(sets);
        let (round, is_useful) = match kept {
            Some(kept) => (round.ended(sets, kept, self.pace.since, today), true),
            None => (round.put_off(sets, today), false),
        };
        if is_useful {
            moved.last_success = Some(now);
            if !is_past_only {
                moved.watermark = Some(start_of_day_at(until, offset));
            }
        }
        let is_behind = moved.watermark.is_none_or(|at| day_at(at, offset) < today);
        moved.condition = Condition::Waiting;
        let words = left_out.clone().or_else(|| round.kept_words());
        let is_news = moved.last_error != words;
        moved.last_error = words;
        // What was missed and the past go on at once, the present is read by the hour, and so is what is refused.
        let goes_on = is_useful && (round.past_only || is_behind);
        if !goes_on {
            moved.next_run = Some(after(now, HOURLY));
        }
        moved.cursor = serde_json::to_string(&round).ok();
        step(&self.store, self.scope, &self.moved(Feed::Clicks, moved)).await?;
        if let Some(words) = left_out.as_ref().filter(|_| is_news) {
            let (publisher, account) = (self.publisher.slug.as_str(), self.account.as_str());
            tracing::warn!(publisher, account, "{words}");
        }
        if let Some(open) = self.open.get_mut(&Feed::Clicks) {
            // What the past's rounds repeat was said by the run before.
            open.left_out = left_out.filter(|_| is_news || !is_past_only);
        }
        self.end(Feed::Clicks, now, None).await?;
        let place = (sets.len(), sets.len());
        Ok(worked("clicks".to_owned(), place, (0, 0)))
    }
}

impl<'a> Place<'a> {
    fn new(round: Round, moved: FeedState, set: &'a Set, sets: usize) -> Self {
        Self {
            number: round.next.unwrap_or(0),
            round,
            moved,
            set,
            sets,
        }
    }

    /// How the feed stands when it goes on behind the set.
    fn after(&mut self) -> FeedState {
        self.round.next = Some(self.number + 1);
        FeedState {
            cursor: serde_json::to_string(&self.round).ok(),
            ..self.moved.clone()
        }
    }
}

impl Gathered {
    fn take(&mut self, page: Page<ClickRow>) {
        self.pages += 1;
        self.rows.extend(page.items);
        self.rejects.extend(page.rejects);
    }

    /// The days of which a row was refused: that row's own, or all where it names none.
    fn unread(&self) -> Vec<Day> {
        let (from, to) = self.set.days;
        let all = || (from.days()..=to.days()).filter_map(|days| Day::from_days(days).ok());
        let mut unread = Vec::new();
        for reject in &self.rejects {
            match wire::day_of_clicks(&reject.raw) {
                Some(day) if self.set.slot.is_none() => unread.push(day),
                _ => return all().collect(),
            }
        }
        unread
    }

    /// The rows of the whole set, and what was refused.
    fn finished(self) -> (Vec<ClickDay>, Vec<Reject>) {
        let set = self.set;
        // A day outside of what was asked for is none of the set.
        let inside = |row: &ClickRow| (set.days.0..=set.days.1).contains(&row.day);
        let day = |row: ClickRow| ClickDay {
            day: row.day,
            program_external_id: set.program.clone(),
            ad_space_external_id: Some(set.ad_space.clone()),
            slot: set.slot,
            subid: row.subid,
            clicks: row.clicks,
            views: row.views,
        };
        let rows = fold_clicks(self.rows).into_iter().filter(inside).map(day);
        (rows.collect(), self.rejects)
    }
}

fn worked(what: String, (set, sets): (usize, usize), (read, rejected): (usize, usize)) -> Outcome {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Outcome::Worked(Work {
        feed: Feed::Clicks,
        what,
        page: number(set).max(1),
        pages: number(sets).max(1),
        read: u64::try_from(read).unwrap_or(u64::MAX),
        inserted: 0,
        updated: 0,
        deleted: 0,
        rejected: u64::try_from(rejected).unwrap_or(u64::MAX),
    })
}
