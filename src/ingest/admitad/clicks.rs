//! Clicks of an account: by day for each program and ad space, and by SubID for the last days.
//!
//! The network counts clicks; it has no single one. A round reads the last days again, because it corrects its counts,
//! and goes one month further back until the beginning of what is wanted is reached. By SubID it can be asked for one
//! day at a time only, so those counts begin with the days on which the account is fetched.

use super::plan::{Reading, Window};
use super::tick::{Outcome, Sync, Work};
use super::{ClicksQuery, Fault, PageAt, fold_clicks};
use crate::domain::clicks::{ClickDay, Replaced};
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use crate::store::apply::clicks::{ClicksBatch, write};
use crate::store::sync::{clicked, step};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The pace of rounds.
const HOURLY: Duration = Duration::from_secs(3_600);
/// How many days before today a round reads again.
const AGAIN: i32 = 3;
/// How many days before today it reads by SubID.
const BY_SUBID: i32 = 1;
/// The SubIDs: `subid`, `subid1` to `subid4`.
const SLOTS: u8 = 5;
/// The most pages of one set of clicks by SubID; what is beyond is left out rather than half a set stored.
const PAGES: u32 = 40;

/// Where a round stands, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Round {
    /// The first day by which all later ones are in, in days since 1970.
    back: Option<i32>,
    /// Which of the round's sets is next; none between rounds.
    #[serde(default)]
    next: Option<usize>,
    /// Of how many programs and ad spaces the round is: when one comes up, it begins anew.
    #[serde(default)]
    pairs: usize,
    /// Whether the last days were just read and only the past goes on.
    #[serde(default)]
    past_only: bool,
}

/// A set of clicks that is read and written as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    days: (Day, Day),
    slot: Option<u8>,
    program: String,
    ad_space: String,
}

impl Sync {
    /// Reads one set of clicks.
    pub(super) async fn clicks(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let before = state.feed(Feed::Clicks);
        let mut round: Round = before
            .cursor
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let today = day_at(now, self.pace.offset_minutes);
        let pairs = clicked(&self.store, self.scope).await?;
        if round.pairs != pairs.len() {
            (round.pairs, round.next) = (pairs.len(), None);
        }
        let sets = round.sets(&pairs, self.pace.since, today);
        let place = round.next.unwrap_or(0);
        let mut moved = FeedState {
            condition: Condition::Reading,
            last_attempt: Some(now),
            next_run: Some(now),
            failures: 0,
            last_error: None,
            ..before
        };
        let Some(set) = sets.get(place) else {
            round = round.ended(&sets, self.pace.since, today);
            moved.last_success = Some(now);
            moved.watermark = Some(start_of_day_at(today, self.pace.offset_minutes));
            moved.condition = Condition::Waiting;
            // The past goes on at once, the present is read by the hour.
            if !round.past_only {
                moved.next_run = Some(after(now, HOURLY));
            }
            moved.cursor = serde_json::to_string(&round).ok();
            step(&self.store, self.scope, &self.moved(Feed::Clicks, moved)).await?;
            self.end(Feed::Clicks, now, None).await?;
            return Ok(worked("clicks".to_owned(), (place, place), 0));
        };
        let rows = match self.rows(set, now).await {
            Ok(rows) => rows,
            Err(fault) => return self.fault(state, Feed::Clicks, &fault, now).await,
        };
        self.answered(state, now).await?;
        round.next = Some(place + 1);
        moved.cursor = serde_json::to_string(&round).ok();
        let window = Window::Ordered {
            from: set.days.0,
            to: set.days.1,
        };
        let what = format!("clicks {}", window.words());
        let reading = Reading::new(window, now);
        let run_id = self
            .run(Feed::Clicks, &reading, "clicks", now)
            .await?
            .run_id;
        moved.run_id = Some(run_id);
        let sync = self.moved(Feed::Clicks, moved);
        let Some(rows) = rows else {
            // More than is ever read: the set stays as it was.
            step(&self.store, self.scope, &sync).await?;
            return Ok(worked(what, (place + 1, sets.len()), 0));
        };
        let replaces = Replaced {
            days: set.days,
            program: Some(set.program.clone()),
            ad_space: Some(set.ad_space.clone()),
            slot: set.slot,
        };
        let batch = ClicksBatch {
            run_id,
            account: &self.account,
            offset_minutes: self.pace.offset_minutes,
            rows: &rows,
            replaces: &replaces,
            sync: Some(&sync),
            now,
        };
        write(&self.store, self.scope, batch).await?;
        Ok(worked(what, (place + 1, sets.len()), rows.len()))
    }

    /// What the network has of a set; none where that is too much.
    async fn rows(&self, set: &Set, now: Instant) -> Result<Option<Vec<ClickDay>>, Fault> {
        let query = ClicksQuery {
            from: set.days.0,
            to: set.days.1,
            program: Some(set.program.clone()),
            ad_space: Some(set.ad_space.clone()),
            slot: set.slot,
        };
        let mut rows = Vec::new();
        if set.slot.is_none() {
            rows = self.client.clicks_by_day(now, &query).await?.items;
        } else {
            let mut at = Some(PageAt::FIRST);
            let mut pages = 0;
            while let Some(here) = at {
                pages += 1;
                if pages > PAGES {
                    return Ok(None);
                }
                let page = self.client.clicks_by_subid(now, &query, here).await?;
                at = page.next(here);
                rows.extend(page.items);
            }
        }
        let day = |row: super::ClickRow| ClickDay {
            day: row.day,
            program_external_id: set.program.clone(),
            ad_space_external_id: Some(set.ad_space.clone()),
            slot: set.slot,
            subid: row.subid,
            clicks: row.clicks,
            views: row.views,
        };
        // A day outside of what was asked for is none of the set.
        let inside = |row: &super::ClickRow| (set.days.0..=set.days.1).contains(&row.day);
        let rows = fold_clicks(rows).into_iter().filter(inside).map(day);
        Ok(Some(rows.collect()))
    }
}

impl Round {
    /// The sets of a round: the last days, then by SubID, then the month before what is in.
    fn sets(&self, pairs: &[(String, String)], since: Day, today: Day) -> Vec<Set> {
        let of = |days: (Day, Day), slot: Option<u8>| {
            pairs.iter().map(move |(program, ad_space)| Set {
                days,
                slot,
                program: program.clone(),
                ad_space: ad_space.clone(),
            })
        };
        let ago = |days: i32| today.plus(-days).unwrap_or(Day::MIN).max(since.min(today));
        let mut all = Vec::new();
        if !self.past_only {
            all.extend(of((ago(AGAIN), today), None));
            for days in 0..=BY_SUBID {
                for slot in 0..SLOTS {
                    all.extend(of((ago(days), ago(days)), Some(slot)));
                }
            }
        }
        let back = self.back.and_then(|days| Day::from_days(days).ok());
        let covered = back.unwrap_or(ago(AGAIN));
        if covered > since {
            let to = covered.plus(-1).unwrap_or(Day::MIN);
            let from = to.plus(-30).unwrap_or(Day::MIN).max(since);
            all.extend(of((from, to), None));
        }
        all
    }

    /// What is known after all its sets were read.
    fn ended(&self, sets: &[Set], since: Day, today: Day) -> Self {
        let back = sets.iter().map(|set| set.days.0.days()).min();
        let back = back.into_iter().chain(self.back).min();
        let is_whole = back.is_none_or(|back| back <= since.min(today).days());
        Self {
            back,
            next: None,
            pairs: self.pairs,
            past_only: !is_whole,
        }
    }
}

fn worked(what: String, (set, sets): (usize, usize), read: usize) -> Outcome {
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
        rejected: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn rounds_walk_back_to_the_beginning() {
        let pairs = [("1".to_owned(), "2".to_owned())];
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let mut round = Round::default();
        let mut read = Vec::new();
        for _ in 0..10 {
            let all = round.sets(&pairs, since, today);
            read.extend(
                all.iter()
                    .filter(|set| set.slot.is_none())
                    .map(|set| format!("{}..{}", set.days.0, set.days.1)),
            );
            round = round.ended(&all, since, today);
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
        // From then on the last days alone, and two of them by five SubIDs.
        let last = round.sets(&pairs, since, today);
        assert_eq!(last.len(), 11);
        let none = Round::default();
        assert!(none.sets(&[], since, today).is_empty());
        assert!(!none.ended(&[], since, today).past_only);
    }
}
