//! Exchange rates between the currencies of an account's actions and the publisher's own, day by day.
//!
//! Each pair of currencies has its own pace: one whose rate the network refuses rests alone, and the others go on.

use super::Fault;
use super::plan::{DAILY, chance};
use super::rest::refused_rest;
use super::tick::{Outcome, Sync, worked};
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use crate::store::{rates, sync};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many of the last days are asked for again as long as they have no rate: one may come late.
const AGAIN: i32 = 7;

/// How far the rates of a pair of currencies have come, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pair {
    /// The day that is asked for next, in days since 1970.
    next: i32,
    /// The last day that had a rate.
    had: Option<i32>,
    /// Until when it rests, in microseconds: it is through for today, or was refused.
    #[serde(default)]
    rests_until: Option<i64>,
    /// How often in a row it was refused.
    #[serde(default)]
    refusals: u32,
    /// What was said of it the last time, for people.
    #[serde(default)]
    refusal: Option<String>,
}

/// The pairs, and which of them are wanted now.
struct Pairs {
    all: BTreeMap<String, Pair>,
    wanted: Vec<(String, Currency)>,
    today: Day,
    now: Instant,
}

impl Pair {
    /// The day with which the next round begins: the one behind the last that had a rate, unless that is long ago.
    fn again(&self, today: Day) -> i32 {
        let first = today.days() - AGAIN + 1;
        let behind = self.had.map_or(first, |had| had + 1);
        self.next.min(behind.max(first))
    }
}

impl Pairs {
    /// The pair that is asked for now, and the day; none where all are through, or rest.
    fn due(&self) -> Option<(String, Currency, Day)> {
        self.wanted.iter().find_map(|(name, currency)| {
            let pair = self.all.get(name)?;
            let rests = pair.rests_until.is_some_and(|at| at > self.now.micros());
            let day = Day::from_days(pair.next).ok()?;
            (day <= self.today && !rests).then(|| (name.clone(), *currency, day))
        })
    }

    /// The network has answered for a day, with a rate or without one.
    fn answered(&mut self, name: &str, day: Day, has_rate: bool) {
        let Some(pair) = self.all.get_mut(name) else {
            return;
        };
        pair.next = day.days() + 1;
        if has_rate {
            pair.had = Some(day.days());
        }
        pair.refusals = 0;
        pair.refusal = None;
        pair.rests_until = None;
        if day >= self.today {
            pair.next = pair.again(self.today);
            pair.rests_until = Some(after(self.now, DAILY).micros());
        }
    }

    /// The network has refused a pair, which says nothing of the others.
    fn refused(&mut self, name: &str, refusal: &str, rest: impl Fn(u32) -> Duration) {
        if let Some(pair) = self.all.get_mut(name) {
            pair.rests_until = Some(after(self.now, rest(pair.refusals)).micros());
            pair.refusals = pair.refusals.saturating_add(1);
            pair.refusal = Some(refusal.to_owned());
        }
    }

    /// How the feed stands now: it goes on at once while a pair is due, else when the first one has rested.
    fn moved(&self, before: &FeedState, offset_minutes: i32) -> FeedState {
        let wanted = || {
            self.wanted
                .iter()
                .filter_map(|(name, _)| self.all.get(name))
        };
        let mut moved = FeedState {
            condition: Condition::Reading,
            cursor: serde_json::to_string(&self.all).ok(),
            last_attempt: Some(self.now),
            next_run: Some(self.now),
            failures: wanted().map(|pair| pair.refusals).max().unwrap_or(0),
            last_error: wanted().find_map(|pair| pair.refusal.clone()),
            ..before.clone()
        };
        if self.due().is_some() {
            return moved;
        }
        let tomorrow = after(self.now, DAILY);
        let rests = wanted().filter_map(|pair| Instant::from_micros(pair.rests_until?).ok());
        let first = rests.filter(|at| *at > self.now).min();
        moved.next_run = Some(first.map_or(tomorrow, |at| at.min(tomorrow)));
        if moved.last_error.is_some() {
            moved.condition = Condition::Failing;
        } else {
            moved.condition = Condition::Waiting;
            moved.watermark = Some(start_of_day_at(self.today, offset_minutes));
            moved.last_success = Some(self.now);
        }
        moved
    }
}

impl Sync {
    /// Reads the rate of a day between a currency of the actions and the publisher's own.
    pub(super) async fn rate(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let before = state.feed(Feed::Rates);
        let offset = self.pace.offset_minutes;
        let mut pairs = self.pairs(before.cursor.as_deref(), now).await?;
        let Some((name, currency, day)) = pairs.due() else {
            let step = self.moved(Feed::Rates, pairs.moved(&before, offset));
            sync::step(&self.store, self.scope, &step).await?;
            return Ok(worked(Feed::Rates, Feed::Rates.words().to_owned(), (0, 0)));
        };
        let what = format!("rate {name} of {day}");
        let target = self.publisher.currency;
        let rate = match self.client.rate(now, currency, target, day).await {
            Ok(rate) => rate,
            // A refusal says nothing of the day: it is asked for again.
            Err(fault @ Fault::Refused { in_json: true, .. }) => {
                self.answered(state, now).await?;
                let message = format!("{what}: {fault}");
                let random = chance(&self.pace, now);
                let rest = |before: u32| refused_rest(Feed::Rates, before, random);
                pairs.refused(&name, &message, rest);
                let step = self.moved(Feed::Rates, pairs.moved(&before, offset));
                sync::step(&self.store, self.scope, &step).await?;
                return Ok(Outcome::Failed {
                    feed: Feed::Rates,
                    message,
                    is_stopped: false,
                });
            }
            Err(fault) => return self.fault(state, Feed::Rates, &fault, now).await,
        };
        self.answered(state, now).await?;
        let found: Vec<_> = rate.into_iter().collect();
        pairs.answered(&name, day, !found.is_empty());
        let step = self.moved(Feed::Rates, pairs.moved(&before, offset));
        rates::save_step(&self.store, self.scope, &found, &step).await?;
        Ok(worked(Feed::Rates, what, (found.len(), 0)))
    }

    /// How far the pairs have come, with those of currencies that are new.
    async fn pairs(&self, cursor: Option<&str>, now: Instant) -> Result<Pairs> {
        // A cursor of an earlier version begins anew: it may have passed by days whose rates were refused.
        let mut all: BTreeMap<String, Pair> = cursor
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let target = self.publisher.currency;
        let used = sync::currencies(&self.store, self.scope).await?;
        let wanted: Vec<(String, Currency)> = used
            .iter()
            .filter_map(|code| Currency::parse(code).ok())
            .filter(|currency| *currency != target)
            .map(|currency| (format!("{currency}>{target}"), currency))
            .collect();
        for (name, _) in &wanted {
            all.entry(name.clone()).or_insert_with(|| Pair {
                next: self.pace.since.days(),
                ..Pair::default()
            });
        }
        Ok(Pairs {
            all,
            wanted,
            today: day_at(now, self.pace.offset_minutes),
            now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_a_rate_are_asked_for_again_for_a_week() {
        let today = Day::parse("2026-03-10").unwrap();
        let next = |next: i32, had: Option<i32>| {
            let pair = Pair {
                next: today.days() + next,
                had: had.map(|had| today.days() + had),
                ..Pair::default()
            };
            pair.again(today) - today.days()
        };
        assert_eq!(next(1, Some(0)), 1);
        assert_eq!(next(1, Some(-3)), -2);
        assert_eq!(next(1, Some(-40)), -6);
        assert_eq!(next(1, None), -6);
        // A server that was away has not asked for these yet.
        assert_eq!(next(-20, Some(-21)), -20);
    }

    #[test]
    fn a_cursor_from_before_pairs_rested_is_read() {
        let text = r#"{"EUR>USD":{"next":20522,"had":20521},"RUB>USD":{"next":20522,"had":null}}"#;
        let pairs: BTreeMap<String, Pair> = serde_json::from_str(text).unwrap();
        assert_eq!(pairs["EUR>USD"].had, Some(20_521));
        assert!(pairs.values().all(|pair| pair.rests_until.is_none()));
    }
}
