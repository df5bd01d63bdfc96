//! What an account's actions hang on: ad spaces, programs and exchange rates.

use super::plan::DAILY;
use super::tick::{Outcome, Sync, Work, worked};
use super::{Fault, PageAt};
use crate::domain::catalog::is_country;
use crate::domain::draft::{AdSpaceRef, ProgramDetails, Reject};
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use crate::store::apply::{Described, describe};
use crate::store::{ReadTx, rates, sync};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A page of a list, whatever it lists.
#[derive(Default)]
struct Listed {
    ad_spaces: Vec<AdSpaceRef>,
    programs: Vec<ProgramDetails>,
    rejects: Vec<Reject>,
    rows: u32,
    total: u32,
    next: Option<PageAt>,
}

/// Where a read of the ad spaces stands, and of which the account has told, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Spaces {
    /// From which row on it goes on; none where it begins.
    next: Option<u32>,
    /// The network's ids of those that this read has named so far.
    named: BTreeSet<String>,
    /// Those of the last whole read.
    whole: BTreeSet<String>,
}

impl Spaces {
    fn of(cursor: Option<&str>) -> Self {
        cursor
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// How it stands behind a page.
    fn after(mut self, offset: u32, listed: &Listed) -> Self {
        if offset == 0 {
            self.named.clear();
        }
        let ids = listed.ad_spaces.iter();
        self.named
            .extend(ids.filter_map(|space| space.external_id.clone()));
        self.next = listed.next.map(|next| next.offset);
        if self.next.is_none() {
            self.whole = std::mem::take(&mut self.named);
        }
        self
    }
}

/// How many of the last days are asked for again as long as they have no rate: one may come late.
const RATES_AGAIN: i32 = 7;

/// How far the rates of a pair of currencies have come, in days since 1970, as it is stored.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Pair {
    /// The day that is asked for next.
    next: i32,
    /// The last day that had a rate.
    had: Option<i32>,
}

impl Pair {
    /// The day with which the next round begins: the one behind the last that had a rate, unless that is long ago.
    fn again(self, today: Day) -> i32 {
        let first = today.days() - RATES_AGAIN + 1;
        let behind = self.had.map_or(first, |had| had + 1);
        self.next.min(behind.max(first))
    }
}

/// From which row on a read of ad spaces or programs goes on.
pub(super) fn offset(cursor: Option<&str>) -> u32 {
    let number = cursor.and_then(|text| text.parse().ok());
    number.or(Spaces::of(cursor).next).unwrap_or(0)
}

/// Where a read goes on whose request was refused: a window of actions, and a list, begin anew. What else a cursor holds was
/// answered, and stays.
pub(super) fn refused(feed: Feed, cursor: Option<String>) -> Option<String> {
    match feed {
        Feed::AdSpaces => {
            let told = Spaces {
                whole: Spaces::of(cursor.as_deref()).whole,
                ..Spaces::default()
            };
            serde_json::to_string(&told).ok()
        }
        Feed::Programs => None,
        _ => cursor.filter(|_| !feed.is_of_actions()),
    }
}

impl Sync {
    /// The ad spaces, by the network's ids, that other accounts of the publisher tell of and this one does not: the
    /// network would tell this one nothing of them. None where this one has told of none yet, or an account that is
    /// configured no more told of them: then nobody else asks for them.
    pub(super) async fn others_spaces(&self) -> Result<BTreeSet<String>> {
        let all = sync::accounts(&ReadTx::new(&self.store), self.scope.read()).await?;
        let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
        for account in all {
            let of = account.feed(Feed::AdSpaces);
            let told = Spaces::of(of.cursor.as_deref()).whole;
            let is_own = account.account == self.account;
            (if is_own { &mut own } else { &mut others }).extend(told);
        }
        others.retain(|space| !own.is_empty() && !own.contains(space));
        Ok(others)
    }

    /// Reads a page of ad spaces or programs.
    pub(super) async fn list(
        &mut self,
        state: &AccountState,
        feed: Feed,
        offset: u32,
        now: Instant,
    ) -> Result<Outcome> {
        let at = PageAt {
            offset,
            ..PageAt::FIRST
        };
        let listed = match self.listed(feed, at, now).await {
            Ok(listed) => listed,
            Err(fault) => return self.fault(state, feed, &fault, now).await,
        };
        self.answered(state, now).await?;
        let read = usize::try_from(listed.rows).unwrap_or(usize::MAX);
        let open = self.run_of_list(feed, now).await?;
        let records = open.took(read, &listed.rejects);
        let of = state.feed(feed);
        let cursor = if feed == Feed::AdSpaces {
            let spaces = Spaces::of(of.cursor.as_deref()).after(offset, &listed);
            serde_json::to_string(&spaces).ok()
        } else {
            listed.next.map(|next| next.offset.to_string())
        };
        let mut next = FeedState {
            condition: Condition::Reading,
            cursor,
            run_id: Some(records.run_id),
            last_attempt: Some(now),
            next_run: Some(now),
            failures: 0,
            last_error: None,
            ..of
        };
        if listed.next.is_none() {
            next.condition = Condition::Waiting;
            next.watermark = Some(now);
            next.last_success = Some(now);
            next.next_run = Some(after(now, DAILY));
        }
        let described = Described {
            ad_spaces: &listed.ad_spaces,
            programs: &listed.programs,
            records,
            sync: Some(&self.moved(feed, next)),
            now,
        };
        describe(&self.store, self.scope, described).await?;
        if listed.next.is_none() {
            self.end(feed, now, None).await?;
        }
        Ok(Outcome::Worked(Work {
            feed,
            what: feed.words().to_owned(),
            page: offset / PageAt::FIRST.limit + 1,
            pages: listed.total.div_ceil(PageAt::FIRST.limit).max(1),
            read: u64::from(listed.rows),
            inserted: 0,
            updated: 0,
            deleted: 0,
            rejected: u64::try_from(listed.rejects.len()).unwrap_or(u64::MAX),
        }))
    }

    async fn listed(&self, feed: Feed, at: PageAt, now: Instant) -> Result<Listed, Fault> {
        if feed == Feed::AdSpaces {
            let page = self.client.ad_spaces(now, at).await?;
            let next = page.next(at);
            let ad_spaces = page.items.into_iter().map(|row| AdSpaceRef {
                external_id: Some(row.external_id),
                name: Some(row.name),
            });
            return Ok(Listed {
                ad_spaces: ad_spaces.collect(),
                rejects: page.rejects,
                rows: page.rows,
                total: page.total,
                next,
                ..Listed::default()
            });
        }
        let page = self.client.programs(now, at).await?;
        let next = page.next(at);
        let days = |days: Option<i64>| days.and_then(|days| i32::try_from(days).ok());
        let programs = page.items.into_iter().map(|row| ProgramDetails {
            external_id: row.external_id,
            name: Some(row.name),
            currency: row.currency,
            status: row.status,
            connection_status: row.connection_status,
            hold_days: days(row.avg_hold_days),
            max_hold_days: days(row.max_hold_days),
            cookie_days: days(row.cookie_days),
            payment_days: days(row.avg_payment_days),
            // What is no country says nothing of any.
            countries: row
                .countries
                .into_iter()
                .filter(|code| is_country(code))
                .collect(),
            all_countries: row.all_countries,
        });
        Ok(Listed {
            programs: programs.collect(),
            rejects: page.rejects,
            rows: page.rows,
            total: page.total,
            next,
            ..Listed::default()
        })
    }

    /// Reads the rate of a day between a currency of the actions and the publisher's own.
    pub(super) async fn rate(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let before = state.feed(Feed::Rates);
        let today = day_at(now, self.pace.offset_minutes);
        // One of an earlier version begins anew: it may have passed by days whose rates were refused.
        let mut pairs: BTreeMap<String, Pair> = before
            .cursor
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let target = self.publisher.currency;
        let used = sync::currencies(&self.store, self.scope).await?;
        let wanted = used
            .iter()
            .filter_map(|code| Currency::parse(code).ok())
            .filter(|currency| *currency != target)
            .find_map(|currency| {
                let name = format!("{currency}>{target}");
                let next = pairs.get(&name).map(|pair| pair.next);
                let day = next.unwrap_or(self.pace.since.days());
                let day = Day::from_days(day).ok().filter(|day| *day <= today)?;
                Some((currency, name, day))
            });
        let mut next = FeedState {
            condition: Condition::Waiting,
            last_attempt: Some(now),
            failures: 0,
            last_error: None,
            ..before
        };
        let Some((currency, name, day)) = wanted else {
            for pair in pairs.values_mut() {
                pair.next = pair.again(today);
            }
            next.cursor = serde_json::to_string(&pairs).ok();
            next.watermark = Some(start_of_day_at(today, self.pace.offset_minutes));
            next.last_success = Some(now);
            next.next_run = Some(after(now, DAILY));
            sync::step(&self.store, self.scope, &self.moved(Feed::Rates, next)).await?;
            return Ok(worked(Feed::Rates, Feed::Rates.words().to_owned(), (0, 0)));
        };
        let rate = match self.client.rate(now, currency, target, day).await {
            Ok(rate) => rate,
            // A refusal says nothing of the day: it is asked for again.
            Err(fault) => return self.fault(state, Feed::Rates, &fault, now).await,
        };
        self.answered(state, now).await?;
        let found: Vec<_> = rate.into_iter().collect();
        let what = format!("rate {name} of {day}");
        let pair = pairs.entry(name).or_default();
        pair.next = day.days() + 1;
        if !found.is_empty() {
            pair.had = Some(day.days());
        }
        next.cursor = serde_json::to_string(&pairs).ok();
        next.condition = Condition::Reading;
        next.next_run = Some(now);
        let step = self.moved(Feed::Rates, next);
        rates::save_step(&self.store, self.scope, &found, &step).await?;
        Ok(worked(Feed::Rates, what, (found.len(), 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_takes_away_no_more_than_the_place_in_a_list() {
        let spaces = Some(r#"{"next":500,"named":["7"],"whole":["7","8"]}"#.to_owned());
        let left = refused(Feed::AdSpaces, spaces);
        let spaces = Spaces::of(left.as_deref());
        assert_eq!((offset(left.as_deref()), spaces.named.len()), (0, 0));
        assert_eq!(spaces.whole, ["7", "8"].map(str::to_owned).into());
        let kept = |feed: Feed| refused(feed, Some("500".to_owned())).is_some();
        for feed in [Feed::Rates, Feed::Clicks, Feed::Commissions, Feed::Links] {
            assert!(kept(feed), "{feed:?}");
        }
        for feed in [Feed::Programs, Feed::Backfill, Feed::Recent, Feed::Status] {
            assert!(!kept(feed), "{feed:?}");
        }
    }

    #[test]
    fn days_without_a_rate_are_asked_for_again_for_a_week() {
        let today = Day::parse("2026-03-10").unwrap();
        let next = |next: i32, had: Option<i32>| {
            let pair = Pair {
                next: today.days() + next,
                had: had.map(|had| today.days() + had),
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
}
