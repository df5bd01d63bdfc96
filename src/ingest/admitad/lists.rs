//! What an account's actions hang on: ad spaces and programs.

use super::plan::DAILY;
use super::tick::{Outcome, Sync, Work};
use super::{Fault, PageAt};
use crate::domain::catalog::is_country;
use crate::domain::draft::{AdSpaceRef, ProgramDetails, Reject};
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after};
use crate::domain::time::Instant;
use crate::store::apply::{Described, describe};
use crate::store::{ReadTx, sync};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
}
