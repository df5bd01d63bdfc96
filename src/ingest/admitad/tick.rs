//! One account's sync, a step at a time: who may fetch it, what is due, one request, and what follows from the answer.
//!
//! A step ends by itself and waits for nothing but the answer to its one request. How far each feed has come is read
//! from the database at every step and moves in the transaction of the rows, so that a process can end anywhere. In
//! memory is only what a restart may lose: the token, the budget of requests, and what the pages of an open read have
//! named. When to step is the caller's business (`worker`, `cli`), what is due is [`super::plan`]'s.

use super::budget::{RETRY_AFTER_LONGEST, SharedBudget, limited_rest};
use super::clicks::Gathered;
use super::lists::refused;
use super::pages::Pages;
use super::plan::{Pace, Reading, Step, Window, chance, plan};
use super::rest::{refused_rest, unauthorized_rest};
use super::token::EXTRA;
use super::{Client, Credentials, Fault, Turn, backoff};
use crate::domain::deeplink::Hosts;
use crate::domain::draft::{ActionDraft, Deletion, Reject};
use crate::domain::error::{Code, Error, Result};
use crate::domain::records::RunState;
use crate::domain::scope::{Publisher, WriteScope};
use crate::domain::secret::Secret;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, SyncStep, after};
use crate::domain::time::{Day, Instant, day_at};
use crate::ingest::pipeline::{Entrance, run_id};
use crate::store::Store;
use crate::store::apply::ReadRecords;
use crate::store::imports::{self, NewRun};
use crate::store::sync::{self, Lease, Taker};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How long a lease holds without being renewed: so short that another server has read what is new before it is five
/// minutes old, when this one is killed just before it would have.
const LEASE: Duration = Duration::from_secs(30);
/// How old it may get before it is renewed.
const LEASE_RENEWED: Duration = Duration::from_secs(7);
/// How many days the first back-fill goes back where the settings say nothing.
const TWO_YEARS: i32 = 731;
/// How long a feed rests whose scope is missing.
const SCOPE_REST: Duration = Duration::from_secs(3_600);

/// What the configuration says of an account.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name.
    pub name: String,
    /// Where the network answers.
    pub base_url: String,
    /// The public half of its credentials.
    pub client_id: String,
    /// The other half.
    pub client_secret: Secret,
    /// The offset of the network's times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// How far the first back-fill goes; two years where nothing is said.
    pub since: Option<Day>,
    /// The pause between two reads of what is new.
    pub every: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// The hosts that affiliate links may be on.
    pub hosts: Hosts,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Of which feed.
    pub feed: Feed,
    /// What was read, for people.
    pub what: String,
    /// Which page, from 1.
    pub page: u32,
    /// Of how many.
    pub pages: u32,
    /// Records read.
    pub read: u64,
    /// Actions that were new.
    pub inserted: u64,
    /// Actions that changed.
    pub updated: u64,
    /// Actions that the network no longer has.
    pub deleted: u64,
    /// Records that were refused.
    pub rejected: u64,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something was read; there may be more at once.
    Worked(Work),
    /// Something went wrong and is noted; there may be more at once.
    Failed {
        /// Of which feed.
        feed: Feed,
        /// What, for people.
        message: String,
        /// Whether it is of no use to go on without somebody's help.
        is_stopped: bool,
    },
    /// The account's key lacks a right that it may do without: the feed is left out, and all is well.
    LeftOut {
        /// The feed.
        feed: Feed,
        /// What is left out and what to do about it, for people.
        message: String,
    },
    /// There is more to do, but not before then: the network takes only so many requests a minute.
    Paced(Instant),
    /// There is nothing to do before then.
    Wait(Instant),
    /// Another server fetches this account, until then unless it renews.
    Elsewhere(Instant),
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) run_id: Uuid,
    pub(super) pages: Pages,
    pub(super) page: u32,
    pub(super) rejected: i64,
    /// Actions that a complete re-read no longer named: what of them is asked for one by one, and what came of it.
    pub(super) missing: Vec<String>,
    pub(super) found: Vec<ActionDraft>,
    pub(super) gone: Vec<Deletion>,
    /// Whether the whole window has been read and only the missing ones are left.
    pub(super) is_read: bool,
    /// The pages so far of a set of clicks that has more.
    pub(super) gathered: Option<Gathered>,
    /// What was left out, for people; none where all was read.
    pub(super) left_out: Option<String>,
}

impl Open {
    /// What a page of a list brought, for the run to count and to keep.
    pub(super) fn took<'a>(&mut self, read: usize, rejects: &'a [Reject]) -> ReadRecords<'a> {
        let rejected_before = self.rejected;
        self.rejected += i64::try_from(rejects.len()).unwrap_or(i64::MAX);
        ReadRecords {
            run_id: self.run_id,
            read,
            rejects,
            rejected_before,
        }
    }
}

/// One account's sync.
#[derive(Debug)]
pub struct Sync {
    pub(super) store: Store,
    pub(super) scope: WriteScope,
    pub(super) publisher: Publisher,
    pub(super) account: String,
    pub(super) client: Client,
    pub(super) pace: Pace,
    pub(super) hosts: Hosts,
    pub(super) open: BTreeMap<Feed, Open>,
    /// Whether the last page that has to be current took longer than such a page is waited for.
    pub(super) is_slow: bool,
    /// How often the key was not accepted since the last answer.
    unauthorized: u32,
    client_id: String,
    holder: String,
    budget: SharedBudget,
    charged: u64,
    lease_until: Instant,
}

impl Sync {
    /// The sync of an account that belongs to a publisher. Nothing is asked yet.
    ///
    /// # Errors
    /// When the address is none that may be asked.
    pub fn new(store: &Store, publisher: &Publisher, setup: &Setup, now: Instant) -> Result<Self> {
        let base = Url::parse(&setup.base_url)
            .map_err(|error| Error::bad_input("base_url", error.to_string()))?;
        let credentials = Credentials {
            client_id: setup.client_id.clone(),
            client_secret: setup.client_secret.clone(),
        };
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Error::internal(error.to_string()))?;
        let holder = Uuid::from_bytes(random);
        let spread =
            crate::domain::id::derive(publisher.id, crate::domain::id::Kind::State, &setup.name);
        let today = day_at(now, setup.offset_minutes);
        Ok(Self {
            client: Client::new(base, credentials, setup.timeout)?,
            store: store.clone(),
            scope: WriteScope::for_entrance(publisher.id),
            publisher: publisher.clone(),
            account: setup.name.clone(),
            pace: Pace {
                every: setup.every,
                since: setup
                    .since
                    .unwrap_or_else(|| today.plus(-TWO_YEARS).unwrap_or(Day::MIN)),
                offset_minutes: setup.offset_minutes,
                spread: spread.as_u64_pair().1,
            },
            hosts: setup.hosts.clone(),
            open: BTreeMap::new(),
            is_slow: false,
            unauthorized: 0,
            client_id: setup.client_id.clone(),
            holder: holder.simple().to_string(),
            budget: SharedBudget::default(),
            charged: 0,
            lease_until: Instant::MIN,
        })
    }

    /// The sync with the budget of its application, on which other accounts draw as well.
    #[must_use]
    pub fn with_budget(self, budget: SharedBudget) -> Self {
        Self { budget, ..self }
    }

    /// What keeps the account's lease while a step is under way.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        Keeper {
            store: self.store.clone(),
            scope: self.scope,
            account: self.account.clone(),
            holder: self.holder.clone(),
        }
    }

    /// Whose data it fetches.
    #[must_use]
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The account's name.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// How far it has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn state(&self) -> Result<AccountState> {
        sync::account(&self.store, self.scope, &self.account).await
    }

    /// One step.
    ///
    /// # Errors
    /// When the database fails; what goes wrong with the network is an [`Outcome`].
    pub async fn tick(&mut self, now: Instant) -> Result<Outcome> {
        if let Some(until) = self.lease(now).await? {
            return Ok(Outcome::Elsewhere(until));
        }
        match self.step(now).await {
            // Only a lost lease contradicts what is stored.
            Err(error) if error.code() == Code::Conflict => {
                self.open.clear();
                self.lease_until = Instant::MIN;
                Ok(Outcome::Elsewhere(after(now, LEASE)))
            }
            outcome => outcome,
        }
    }

    /// Lets another server fetch the account at once, and notes the ends of runs that are open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&mut self, now: Instant) -> Result<()> {
        let stopped = "stopped; what was read is stored, the rest comes with the next run";
        for (_, open) in std::mem::take(&mut self.open) {
            let outcome = (RunState::Failed, Some(stopped));
            imports::finish(&self.store, self.scope, open.run_id, now, outcome).await?;
        }
        self.lease_until = Instant::MIN;
        sync::release(&self.store, self.scope, &self.account, &self.holder).await
    }

    /// Takes or renews the lease; until when it is another's, if it is.
    async fn lease(&mut self, now: Instant) -> Result<Option<Instant>> {
        let is_fresh = self.lease_until > after(now, LEASE.saturating_sub(LEASE_RENEWED));
        if is_fresh && self.lease_until <= after(now, LEASE) {
            return Ok(None);
        }
        let until = after(now, LEASE);
        let taker = Taker {
            account: &self.account,
            client_id: &self.client_id,
            holder: &self.holder,
        };
        match sync::lease(&self.store, self.scope, taker, now, until).await? {
            Lease::Elsewhere(until) => {
                self.open.clear();
                self.lease_until = Instant::MIN;
                return Ok(Some(until));
            }
            Lease::Taken => self.open.clear(),
            Lease::Kept => {}
        }
        self.lease_until = until;
        Ok(None)
    }

    async fn step(&mut self, now: Instant) -> Result<Outcome> {
        let state = self.state().await?;
        let step = plan(&self.pace, &state, now);
        if let Step::Wait(until) = step {
            return Ok(Outcome::Wait(until));
        }
        if let Turn::Wait(wait) = self.budget.take(now) {
            return Ok(Outcome::Paced(after(now, wait)));
        }
        self.charged += 1;
        match step {
            Step::Wait(until) => Ok(Outcome::Wait(until)),
            Step::Actions(feed, reading) => self.actions(&state, feed, reading, now).await,
            Step::List(feed, offset) => self.list(&state, feed, offset, now).await,
            Step::Rate => self.rate(&state, now).await,
            Step::Clicks => self.clicks(&state, now).await,
            Step::Balance => self.balance(&state, now).await,
            Step::Commissions => self.commissions(&state, now).await,
            Step::Links => self.links(&state, now).await,
        }
    }

    /// Notes that the network has answered: requests beside the one that was planned count, and old faults are over.
    pub(super) async fn answered(&mut self, state: &AccountState, now: Instant) -> Result<()> {
        self.charge(now);
        self.unauthorized = 0;
        if state.condition == Condition::Waiting && state.failures == 0 {
            return Ok(());
        }
        let well = AccountState {
            account: self.account.clone(),
            ..AccountState::default()
        };
        sync::note(&self.store, self.scope, &self.holder, &well).await
    }

    fn charge(&mut self, now: Instant) {
        let sent = self.client.requests();
        let more = sent.saturating_sub(self.charged);
        self.budget
            .charge(now, u32::try_from(more).unwrap_or(u32::MAX));
        self.charged = self.charged.max(sent);
    }

    /// A move of a feed by this server.
    pub(super) fn moved(&self, feed: Feed, state: FeedState) -> SyncStep {
        SyncStep {
            account: self.account.clone(),
            holder: self.holder.clone(),
            feed,
            state,
            named: Vec::new(),
        }
    }

    /// The run of a read, begun where it is not.
    pub(super) async fn run(
        &mut self,
        feed: Feed,
        reading: &Reading,
        what: &str,
        now: Instant,
    ) -> Result<&mut Open> {
        if !self.open.contains_key(&feed) {
            let run = NewRun {
                id: run_id(now)?,
                entrance: Entrance::Api.as_str(),
                name: format!("{}: {what}", self.account),
                started_at: now,
                as_of: now,
            };
            let offset = self.pace.offset_minutes;
            imports::begin_at(&self.store, self.scope, &run, offset).await?;
            let open = Open {
                run_id: run.id,
                pages: Pages::new(reading),
                page: 0,
                rejected: 0,
                missing: Vec::new(),
                found: Vec::new(),
                gone: Vec::new(),
                is_read: false,
                gathered: None,
                left_out: None,
            };
            self.open.insert(feed, open);
        }
        self.open
            .get_mut(&feed)
            .ok_or_else(|| Error::internal("a run that was begun is not there"))
    }

    /// The run of a read that has no window of actions, such as a list or the balance; begun where it is not.
    pub(super) async fn run_of_list(&mut self, feed: Feed, now: Instant) -> Result<&mut Open> {
        let today = day_at(now, self.pace.offset_minutes);
        let window = Window::Ordered {
            from: today,
            to: today,
        };
        let reading = Reading::new(window, now);
        self.run(feed, &reading, feed.words(), now).await
    }

    /// Ends the run of a read.
    pub(super) async fn end(
        &mut self,
        feed: Feed,
        now: Instant,
        error: Option<&str>,
    ) -> Result<()> {
        let Some(open) = self.open.remove(&feed) else {
            return Ok(());
        };
        let state = match (error, open.rejected, &open.left_out) {
            (Some(_), ..) => RunState::Failed,
            (None, 0, None) => RunState::Succeeded,
            (None, ..) => RunState::Partial,
        };
        let outcome = (state, error.or(open.left_out.as_deref()));
        imports::finish(&self.store, self.scope, open.run_id, now, outcome).await
    }

    /// Notes what went wrong, where it belongs: with the account, or with the feed alone.
    pub(super) async fn fault(
        &mut self,
        state: &AccountState,
        feed: Feed,
        fault: &Fault,
        now: Instant,
    ) -> Result<Outcome> {
        self.charge(now);
        if let Fault::MissingScope { scope } = fault
            && EXTRA.contains(&scope.as_str())
        {
            return self.leave_out(state, feed, scope, now).await;
        }
        let message = fault.to_string();
        self.end(feed, now, Some(&message)).await?;
        let attempt = FeedState {
            last_attempt: Some(now),
            ..state.feed(feed)
        };
        let random = chance(&self.pace, now);
        let rest = |failures: u32| backoff(failures, random, fault.retry_after());
        let (of_account, of_feed) = match fault {
            Fault::MissingScope { .. } => (None, Some((Condition::Stopped, SCOPE_REST))),
            Fault::Refused { .. } => {
                let rest = refused_rest(feed, attempt.failures, random);
                (None, Some((Condition::Failing, rest)))
            }
            Fault::Unreadable { .. } => (None, Some((Condition::Failing, rest(attempt.failures)))),
            Fault::Unauthorized { .. } => {
                let rest = unauthorized_rest(state, self.unauthorized, random);
                self.unauthorized = self.unauthorized.saturating_add(1);
                (Some(rest), None)
            }
            Fault::Unavailable { .. } => (Some((Condition::Failing, rest(state.failures))), None),
            Fault::RateLimited { .. } => {
                let rest = fault.retry_after().unwrap_or(limited_rest(random));
                let rest = rest.min(RETRY_AFTER_LONGEST);
                self.budget.rest(now, rest);
                // Once is nothing to speak of.
                let condition = if state.failures < 2 {
                    Condition::Waiting
                } else {
                    Condition::Failing
                };
                (Some((condition, rest)), None)
            }
        };
        if let Some((condition, rest)) = of_account {
            let noted = AccountState {
                account: self.account.clone(),
                paused_until: Some(after(now, rest)),
                condition,
                failures: state.failures.saturating_add(1),
                last_error: (condition != Condition::Waiting).then(|| message.clone()),
                ..AccountState::default()
            };
            sync::note(&self.store, self.scope, &self.holder, &noted).await?;
        }
        let noted = match of_feed {
            Some((condition, rest)) => FeedState {
                condition,
                next_run: Some(after(now, rest)),
                failures: attempt.failures.saturating_add(1),
                last_error: Some(message.clone()),
                cursor: match fault {
                    Fault::Refused { .. } => refused(feed, attempt.cursor),
                    _ => attempt.cursor,
                },
                ..attempt
            },
            // It is due again as soon as the account is.
            None => FeedState {
                next_run: Some(now),
                ..attempt
            },
        };
        let is_stopped = noted.condition == Condition::Stopped
            || of_account.is_some_and(|(condition, _)| condition == Condition::Stopped);
        sync::step(&self.store, self.scope, &self.moved(feed, noted)).await?;
        Ok(Outcome::Failed {
            feed,
            message,
            is_stopped,
        })
    }

    /// Notes that a feed is left out whose right the account's key lacks and may lack.
    async fn leave_out(
        &mut self,
        state: &AccountState,
        feed: Feed,
        scope: &str,
        now: Instant,
    ) -> Result<Outcome> {
        let what = feed.words();
        let message = format!(
            "{what}: left out, because the account's key lacks the scope {scope}, which nothing else needs. To have this, \
             too, tick it for the application on the API page of the account's settings at Admitad; it is asked for again \
             within an hour."
        );
        if let Some(open) = self.open.get_mut(&feed) {
            open.left_out = Some(message.clone());
        }
        self.end(feed, now, None).await?;
        let noted = FeedState {
            condition: Condition::Stopped,
            last_attempt: Some(now),
            next_run: Some(after(now, SCOPE_REST)),
            failures: 0,
            last_error: Some(message.clone()),
            ..state.feed(feed)
        };
        sync::step(&self.store, self.scope, &self.moved(feed, noted)).await?;
        Ok(Outcome::LeftOut { feed, message })
    }
}

/// What keeps an account's lease while one of its steps is under way, however long it waits for the network or for the
/// database.
#[derive(Clone, Debug)]
pub struct Keeper {
    store: Store,
    scope: WriteScope,
    account: String,
    holder: String,
}

impl Keeper {
    /// Renews the lease where it is held; whether it is. One that is another's stays so, and the step will find out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew(&self, now: Instant) -> Result<bool> {
        let until = after(now, LEASE);
        sync::renew(&self.store, self.scope, &self.account, &self.holder, until).await
    }
}

/// A step of one request that read so many rows and no actions, and refused some of them.
pub(super) fn worked(feed: Feed, what: String, (read, rejected): (usize, usize)) -> Outcome {
    Outcome::Worked(Work {
        feed,
        what,
        page: 1,
        pages: 1,
        read: u64::try_from(read).unwrap_or(u64::MAX),
        inserted: 0,
        updated: 0,
        deleted: 0,
        rejected: u64::try_from(rejected).unwrap_or(u64::MAX),
    })
}
