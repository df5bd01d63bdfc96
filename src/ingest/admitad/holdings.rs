//! What an account holds and what products pay: its balance, and the commission rates of what it sells.

use super::plan::DAILY;
use super::tick::{Outcome, Sync, worked};
use crate::domain::draft::ProductRef;
use crate::domain::error::Result;
use crate::domain::feed::CommissionDraft;
use crate::domain::ledger::{Balance, balance_id};
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after, before};
use crate::domain::time::Instant;
use crate::store::ReadTx;
use crate::store::apply::feeds::write_commissions;
use crate::store::apply::ledger::write_balances;
use crate::store::commissions::{self, Due};
use std::collections::BTreeSet;
use std::time::Duration;

/// The pause between two looks at the balance.
const HOURLY: Duration = Duration::from_secs(3_600);
/// How many products are asked for at once.
const PRODUCTS: u32 = 50;
/// How often products are asked for in a day.
const ROUNDS: u32 = 20;
/// Products that were sold in so long are asked for.
const SOLD: Duration = Duration::from_secs(30 * 86_400);
/// A product is asked for again after so long.
const KNOWN: Duration = Duration::from_secs(7 * 86_400);

impl Sync {
    /// Reads what the account's balance is now.
    pub(super) async fn balance(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let page = match self.client.balance(now).await {
            Ok(page) => page,
            Err(fault) => return self.fault(state, Feed::Balance, &fault, now).await,
        };
        self.answered(state, now).await?;
        let publisher = self.scope.publisher();
        let balances: Vec<Balance> = page
            .items
            .iter()
            .map(|row| Balance {
                id: balance_id(publisher, &self.account, row.currency, now),
                account: self.account.clone(),
                observed_at: now,
                currency: row.currency,
                balance_e4: row.balance_e4,
                processing_e4: row.processing_e4,
                today_e4: row.today_e4,
                stalled_e4: row.stalled_e4,
            })
            .collect();
        let read = (balances.len() + page.rejects.len(), page.rejects.len());
        let open = self.run_of_list(Feed::Balance, now).await?;
        let records = open.took(read.0, &page.rejects);
        let next = FeedState {
            run_id: Some(records.run_id),
            ..complete(&state.feed(Feed::Balance), HOURLY, now)
        };
        let step = self.moved(Feed::Balance, next);
        let told = Some((records, &step));
        write_balances(&self.store, self.scope, &balances, (told, now)).await?;
        self.end(Feed::Balance, now, None).await?;
        let what = Feed::Balance.words().to_owned();
        Ok(worked(Feed::Balance, what, read))
    }

    /// Reads what commission some of the products pay that were sold lately: first those that nobody has asked for.
    pub(super) async fn commissions(
        &mut self,
        state: &AccountState,
        now: Instant,
    ) -> Result<Outcome> {
        let of = state.feed(Feed::Commissions);
        let (round, passed_by) = of.cursor.as_deref().and_then(parse).unwrap_or_default();
        let (sold_since, asked_before) = (before(now, SOLD), before(now, KNOWN));
        let tx = ReadTx::new(&self.store);
        let scope = self.scope.read();
        let part = (passed_by, PRODUCTS);
        let due = commissions::due(&tx, scope, sold_since, asked_before, part).await?;
        drop(tx);
        let is_last = due.len() < PRODUCTS as usize || round + 1 >= ROUNDS;
        // Several products may lead to one page.
        let urls: BTreeSet<&String> = due.iter().map(|due| &due.url).collect();
        let urls: Vec<String> = urls.into_iter().cloned().collect();
        let mut drafts: Vec<CommissionDraft> =
            due.into_iter().map(|due| unanswered(due, now)).collect();
        let (mut read, mut rejects, mut unread) = (0, Vec::new(), 0);
        if !urls.is_empty() {
            let page = match self.client.commission_rates(now, &urls).await {
                Ok(page) => page,
                Err(fault) => return self.fault(state, Feed::Commissions, &fault, now).await,
            };
            self.answered(state, now).await?;
            read = page.items.len() + page.rejects.len();
            rejects = page.rejects;
            let mut answered: BTreeSet<String> = BTreeSet::new();
            for row in page.items {
                answered.insert(row.url.clone());
                let of_page = |draft: &&mut CommissionDraft| {
                    draft.product.url.as_deref() == Some(row.url.as_str())
                };
                for draft in drafts.iter_mut().filter(of_page) {
                    draft.rate_e4 = row.percent_e4;
                    draft.hot_rate_e4 = row.hot_percent_e4;
                    draft.is_hot = row.is_hot;
                }
            }
            // Of what a refused record was about, what is known stays: nobody knows which product that was. It is asked for
            // again tomorrow; today the others have their turn.
            if !rejects.is_empty() {
                let (all, is_answered) = (drafts.len(), |url: &String| answered.contains(url));
                drafts.retain(|draft| draft.product.url.as_ref().is_some_and(is_answered));
                unread = u32::try_from(all - drafts.len()).unwrap_or(PRODUCTS);
            }
        }
        let next = if is_last {
            complete(&of, DAILY, now)
        } else {
            FeedState {
                condition: Condition::Reading,
                cursor: Some(format!("{}:{}", round + 1, passed_by + unread)),
                last_attempt: Some(now),
                next_run: Some(now),
                failures: 0,
                last_error: None,
                ..of
            }
        };
        let open = self.run_of_list(Feed::Commissions, now).await?;
        let records = open.took(read, &rejects);
        let next = FeedState {
            run_id: Some(records.run_id),
            ..next
        };
        let step = self.moved(Feed::Commissions, next);
        let told = Some((records, &step));
        write_commissions(&self.store, self.scope, &drafts, (told, now)).await?;
        if is_last {
            self.end(Feed::Commissions, now, None).await?;
        }
        let what = Feed::Commissions.words().to_owned();
        Ok(worked(Feed::Commissions, what, (read, rejects.len())))
    }
}

/// Where a pass over the products stands: how many rounds it had, and how many products of which nothing could be read.
fn parse(cursor: &str) -> Option<(u32, u32)> {
    let (round, passed_by) = cursor.split_once(':')?;
    Some((round.parse().ok()?, passed_by.parse().ok()?))
}

/// A product of which nothing is known even after asking, so that the next ones are asked for.
fn unanswered(due: Due, now: Instant) -> CommissionDraft {
    CommissionDraft {
        product: ProductRef {
            // The link need not tell the id: without it the answer would be another product's.
            external_id: due.external_id,
            // Its name is what carts and feeds call it.
            name: None,
            url: Some(due.url),
            image_url: None,
            country: None,
        },
        rate_e4: None,
        hot_rate_e4: None,
        is_hot: false,
        observed_at: now,
    }
}

/// A feed whose read was complete just now.
pub(super) fn complete(of: &FeedState, pause: Duration, now: Instant) -> FeedState {
    FeedState {
        condition: Condition::Waiting,
        watermark: Some(now),
        cursor: None,
        last_attempt: Some(now),
        last_success: Some(now),
        next_run: Some(after(now, pause)),
        failures: 0,
        last_error: None,
        run_id: of.run_id,
    }
}
