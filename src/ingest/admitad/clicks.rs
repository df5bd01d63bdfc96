//! Clicks of an account: by day for each program and ad space, and by SubID for the last days.
//!
//! The network counts clicks; it has no single one. A round reads the days since the last round and some before them
//! again, because the network corrects its counts, and goes one month further back until the beginning of what is wanted
//! is reached. By SubID it can be asked for one day at a time only, so those counts begin with the days on which the
//! account is fetched. After an outage a round reads a week of what was missed, and the next one follows at once.
//!
//! A step asks for one page. The pages of a set are kept in memory until the last one: a set is stored as a whole.

use super::plan::{Reading, Window};
use super::tick::{Outcome, Sync, Work};
use super::{ClickRow, ClicksQuery, Fault, Page, PageAt, fold_clicks, wire};
use crate::domain::clicks::{ClickDay, Replaced};
use crate::domain::draft::Reject;
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use crate::store::apply::clicks::{ClicksBatch, write};
use crate::store::sync::{clicked, step};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The pace of rounds.
const HOURLY: Duration = Duration::from_secs(3_600);
/// How many days before the last one that is known a round reads again.
const AGAIN: i32 = 3;
/// How many of them it reads by SubID.
const BY_SUBID: i32 = 1;
/// How many days beyond what is known a round reads at most, after an outage.
const CATCH_UP: i32 = 7;
/// The SubIDs: `subid`, `subid1` to `subid4`.
const SLOTS: u8 = 5;
/// So many sets may be refused from the beginning of a round before it slows down.
const REFUSED: usize = 10;
/// How slow it gets.
const REFUSED_REST: Duration = Duration::from_secs(10);
/// The most pages of one set; what has more is left out rather than half a set stored.
const PAGES: u32 = 40;

/// Where a round stands, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Round {
    /// The first day by which all later ones are in, in days since 1970. Reports know it by this name
    /// ([`KnownDays::of_feed`](crate::domain::clicks::KnownDays::of_feed)).
    back: Option<i32>,
    /// The first day that was read by SubID, likewise.
    #[serde(default)]
    by_subid: Option<i32>,
    /// Which of the round's sets is next; none between rounds.
    #[serde(default)]
    next: Option<usize>,
    /// Of how many programs and ad spaces the round is: when one comes up, it begins anew.
    #[serde(default)]
    pairs: usize,
    /// Whether the last days were just read and only the past goes on.
    #[serde(default)]
    past_only: bool,
    /// The round's last day. It stays the same however long the round takes and whatever interrupts it: the sets behind
    /// an interruption are of the same days as those before it.
    #[serde(default)]
    until: Option<i32>,
    /// Whether the network has answered for any set of it.
    #[serde(default)]
    is_answered: bool,
    /// How many sets were left out since the last days were read.
    #[serde(default)]
    left_out: usize,
    /// Why the first of them was.
    #[serde(default)]
    why: Option<String>,
}

/// A set of clicks that is read and written as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    days: (Day, Day),
    slot: Option<u8>,
    program: String,
    ad_space: String,
}

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
            .going_on(pairs.len(), known, since, today);
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
                if !place.round.is_answered && number >= REFUSED {
                    // It may be more than this set that is refused.
                    place.moved.next_run = Some(after(now, REFUSED_REST));
                }
                return self.pass_by(place, now).await;
            }
            Err(fault) => return self.fault(state, Feed::Clicks, &fault, now).await,
        };
        self.answered(state, now).await?;
        let mut place = Place::new(round, moved, set, sets.len());
        place.round.is_answered = true;
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

    /// Ends a round all of whose sets were read.
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
        // A round of which nothing was answered has brought nothing, and one of the past nothing of the present.
        let is_useful = round.is_answered || sets.is_empty();
        if is_useful && !round.past_only {
            moved.watermark = Some(start_of_day_at(until, offset));
        }
        let is_behind = moved.watermark.is_none_or(|at| day_at(at, offset) < today);
        let is_past_only = round.past_only;
        let left_out = round.words();
        let round = round.ended(sets, self.pace.since, today);
        moved.last_success = Some(now);
        moved.condition = Condition::Waiting;
        let is_news = moved.last_error != left_out;
        moved.last_error.clone_from(&left_out);
        // What was missed and the past go on at once, the present is read by the hour.
        let goes_on = round.past_only || is_behind && (is_useful || is_past_only);
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

impl Set {
    fn window(&self) -> Window {
        Window::Ordered {
            from: self.days.0,
            to: self.days.1,
        }
    }

    /// What it is, for people.
    fn words(&self) -> String {
        format!("clicks {}", self.window().words())
    }

    fn replaced(&self) -> Replaced {
        Replaced {
            days: self.days,
            program: Some(self.program.clone()),
            ad_space: Some(self.ad_space.clone()),
            slot: self.slot,
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

impl Round {
    /// The round that goes on, or the next one where it is over or other programs and ad spaces have come up.
    fn going_on(self, pairs: usize, known: Option<Day>, since: Day, today: Day) -> Self {
        if self.next.is_some() && self.until.is_some() && self.pairs == pairs {
            return self;
        }
        let until = known.map_or(today, |known| {
            let known = known.max(since);
            known.plus(CATCH_UP).unwrap_or(Day::MAX).min(today)
        });
        // What the present left out is told until the past is in.
        let (left_out, why) = if self.past_only {
            (self.left_out, self.why)
        } else {
            (0, None)
        };
        Self {
            next: None,
            pairs,
            until: Some(until.days()),
            is_answered: false,
            left_out,
            why,
            ..self
        }
    }

    fn until(&self, today: Day) -> Day {
        let until = self.until.and_then(|days| Day::from_days(days).ok());
        until.unwrap_or(today)
    }

    /// The sets of a round: the days since the last one that is known, with some before, then by SubID, then the month
    /// before what is in.
    fn sets(&self, pairs: &[(String, String)], known: Option<Day>, since: Day) -> Vec<Set> {
        let of = |days: (Day, Day), slot: Option<u8>| {
            pairs.iter().map(move |(program, ad_space)| Set {
                days,
                slot,
                program: program.clone(),
                ad_space: ad_space.clone(),
            })
        };
        let until = self.until(known.unwrap_or(since));
        let known = known.map_or(until, |known| known.max(since).min(until));
        let before = |days: i32| known.plus(-days).unwrap_or(Day::MIN).max(since.min(until));
        let mut all = Vec::new();
        if !self.past_only {
            all.extend(of((before(AGAIN), until), None));
            for days in (before(BY_SUBID).days()..=until.days()).rev() {
                let day = Day::from_days(days).unwrap_or(until);
                for slot in 0..SLOTS {
                    all.extend(of((day, day), Some(slot)));
                }
            }
        }
        let back = self.back.and_then(|days| Day::from_days(days).ok());
        let covered = back.unwrap_or(before(AGAIN));
        if covered > since {
            let to = covered.plus(-1).unwrap_or(Day::MIN);
            let from = to.plus(-30).unwrap_or(Day::MIN).max(since);
            all.extend(of((from, to), None));
        }
        all
    }

    /// Notes a set that was left out.
    fn leave_out(&mut self, set: &Set, why: &str) {
        self.left_out += 1;
        let by = match set.slot {
            None => String::new(),
            Some(0) => " by subid".to_owned(),
            Some(slot) => format!(" by subid{slot}"),
        };
        self.why.get_or_insert_with(|| {
            format!(
                "The {}{by} of program {} in ad space {} were left out, and what is stored of them stays: {why}",
                set.words(),
                set.program,
                set.ad_space
            )
        });
    }

    /// What was left out, for people.
    fn words(&self) -> Option<String> {
        let why = self.why.as_deref()?;
        Some(match self.left_out {
            0 | 1 => why.to_owned(),
            more => format!("{why} (and {} more like that)", more - 1),
        })
    }

    /// What is known after all its sets were read.
    fn ended(self, sets: &[Set], since: Day, today: Day) -> Self {
        let first = |by_subid: bool| {
            let sets = sets
                .iter()
                .filter(move |set| set.slot.is_some() == by_subid);
            sets.map(|set| set.days.0.days())
        };
        let back = first(false).chain(self.back).min();
        let by_subid = first(true).chain(self.by_subid).min();
        let is_whole = back.is_none_or(|back| back <= since.min(today).days());
        // What was missed comes before the past.
        let is_present = self.until(today) >= today;
        Self {
            back,
            by_subid,
            next: None,
            until: None,
            past_only: !is_whole && (self.past_only || is_present),
            ..self
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clicks::KnownDays;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// The days that a round reads, all SubIDs together and by SubID.
    fn days(sets: &[Set]) -> (Vec<String>, Vec<String>) {
        let (by_subid, by_day): (Vec<&Set>, Vec<&Set>) =
            sets.iter().partition(|set| set.slot.is_some());
        let words = |set: &Set| format!("{}..{}", set.days.0, set.days.1);
        let mut subids: Vec<String> = by_subid.iter().map(|set| set.days.0.to_string()).collect();
        subids.dedup();
        (by_day.into_iter().map(words).collect(), subids)
    }

    #[test]
    fn rounds_walk_back_to_the_beginning() {
        let pairs = [("1".to_owned(), "2".to_owned())];
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let (mut round, mut known) = (Round::default(), None);
        let mut read = Vec::new();
        for _ in 0..10 {
            round = round.going_on(1, known, since, today);
            let all = round.sets(&pairs, known, since);
            read.extend(days(&all).0);
            round = round.ended(&all, since, today);
            known = Some(today);
            if !round.past_only {
                break;
            }
        }
        assert_eq!(
            read,
            [
                "2026-03-07..2026-03-10",
                "2026-02-04..2026-03-06",
                "2026-01-10..2026-02-03"
            ]
        );
        // Reports are told the same days.
        let cursor = serde_json::to_string(&round).unwrap();
        let watermark = Some(start_of_day_at(today, 180));
        for (by_subid, first) in [(false, since), (true, day("2026-03-09"))] {
            let told = KnownDays::of_feed(watermark, Some(&cursor), by_subid).unwrap();
            assert_eq!((told.first.day, told.last.day), (first, today));
        }
        // From then on the last days alone, and two of them by five SubIDs.
        let last = round
            .going_on(1, known, since, today)
            .sets(&pairs, known, since);
        assert_eq!(last.len(), 11);
        let none = Round::default().going_on(0, None, since, today);
        assert!(none.sets(&[], None, since).is_empty());
        assert!(!none.ended(&[], since, today).past_only);
    }

    #[test]
    fn a_round_reads_what_an_outage_missed_in_weeks() {
        let pairs = [("1".to_owned(), "2".to_owned())];
        let since = day("2026-01-10");
        let whole = Round {
            back: Some(since.days()),
            ..Round::default()
        };
        let (known, today) = (day("2026-03-02"), day("2026-03-12"));
        let round = whole.clone().going_on(1, Some(known), since, today);
        let (by_day, by_subid) = days(&round.sets(&pairs, Some(known), since));
        assert_eq!(by_day, ["2026-02-27..2026-03-09"]);
        assert_eq!(by_subid.len(), 9);
        assert_eq!(
            (
                by_subid.first().unwrap().as_str(),
                by_subid.last().unwrap().as_str()
            ),
            ("2026-03-09", "2026-03-01")
        );
        // A round that is interrupted goes on with its own days.
        let interrupted = Round {
            next: Some(3),
            ..round
        };
        let later = interrupted.going_on(1, Some(known), since, day("2026-03-20"));
        assert_eq!(later.next, Some(3));
        assert_eq!(days(&later.sets(&pairs, Some(known), since)).0, by_day);
        // What lies before the beginning is not wanted.
        let old = whole.going_on(1, Some(day("2025-06-01")), since, today);
        let (by_day, by_subid) = days(&old.sets(&pairs, Some(day("2025-06-01")), since));
        assert_eq!(by_day, ["2026-01-10..2026-01-17"]);
        assert_eq!(by_subid.len(), 8);
    }
}
