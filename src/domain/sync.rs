//! The sync with the network: which feeds an account has, how far each has come, and how fresh that makes the data.
//!
//! Pure values. What is fetched next is planned in `ingest::admitad`; where this rests is `store::sync`.

use super::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// What is read of an account, each at its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// Ad spaces with their ids, so that actions that name one find it.
    AdSpaces,
    /// Actions whose status changed, every few minutes.
    Status,
    /// Actions of the last days by their order, because new ones may carry no time of a status change.
    Recent,
    /// What programs are: names, currencies, hold times.
    Programs,
    /// All actions since the beginning, month by month, once.
    Backfill,
    /// Exchange rates of the currencies in use.
    Rates,
    /// Clicks and views.
    Clicks,
    /// The balance and its history.
    Balance,
    /// What commission products pay.
    Commissions,
    /// The links of ad spaces to programs.
    Links,
    /// All actions of the last months again, for what the network changed or took back without a word.
    Nightly,
}

impl Feed {
    /// Every feed, the most urgent first.
    pub const ALL: [Self; 11] = [
        Self::AdSpaces,
        Self::Status,
        Self::Recent,
        Self::Programs,
        Self::Backfill,
        Self::Rates,
        Self::Clicks,
        Self::Balance,
        Self::Commissions,
        Self::Links,
        Self::Nightly,
    ];

    /// The feed as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdSpaces => "AD_SPACES",
            Self::Status => "STATUS",
            Self::Recent => "RECENT",
            Self::Programs => "PROGRAMS",
            Self::Backfill => "BACKFILL",
            Self::Rates => "RATES",
            Self::Clicks => "CLICKS",
            Self::Balance => "BALANCE",
            Self::Commissions => "COMMISSIONS",
            Self::Links => "LINKS",
            Self::Nightly => "NIGHTLY",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feed| feed.as_str() == text)
    }

    /// The feed of a run, by the name that the sync gives its runs: the account's, a colon and the feed's words, and what
    /// is more.
    #[must_use]
    pub fn of_run(name: &str) -> Option<Self> {
        // The name of an account holds no colon.
        let (_, what) = name.split_once(": ")?;
        Self::ALL
            .into_iter()
            .find(|feed| what.starts_with(feed.words()))
    }

    /// Whether the records that it reads are actions.
    #[must_use]
    pub fn is_of_actions(self) -> bool {
        matches!(
            self,
            Self::Status | Self::Recent | Self::Backfill | Self::Nightly
        )
    }

    /// What it reads, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AdSpaces => "ad spaces",
            Self::Status => "status changes",
            Self::Recent => "recent actions",
            Self::Programs => "programs",
            Self::Backfill => "back-fill",
            Self::Rates => "exchange rates",
            Self::Clicks => "clicks",
            Self::Balance => "balance",
            Self::Commissions => "commission rates",
            Self::Links => "affiliate links",
            Self::Nightly => "nightly re-read",
        }
    }
}

/// How a feed or an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Its last read was complete; it waits for the next.
    #[default]
    Waiting,
    /// In the middle of a read.
    Reading,
    /// There is nothing more to read.
    Done,
    /// Its last attempt failed; it is tried again by itself.
    Failing,
    /// A person has to do something; it is tried again now and then.
    Stopped,
}

impl Condition {
    /// The condition as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Reading => "READING",
            Self::Done => "DONE",
            Self::Failing => "FAILING",
            Self::Stopped => "STOPPED",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Waiting,
            Self::Reading,
            Self::Done,
            Self::Failing,
            Self::Stopped,
        ]
        .into_iter()
        .find(|condition| condition.as_str() == text)
    }
}

/// How far a feed has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedState {
    /// How it stands.
    pub condition: Condition,
    /// Everything up to here is in; of the back-fill, everything from here on.
    pub watermark: Option<Instant>,
    /// Where an unfinished read goes on, in the reader's own words.
    pub cursor: Option<String>,
    /// The run of the last attempt.
    pub run_id: Option<Uuid>,
    /// The last attempt.
    pub last_attempt: Option<Instant>,
    /// The end of the last complete read.
    pub last_success: Option<Instant>,
    /// When it is read again; none for never, or before the first attempt for at once.
    pub next_run: Option<Instant>,
    /// Faults in a row.
    pub failures: u32,
    /// The last fault, for people; none where the last attempt went well.
    pub last_error: Option<String>,
}

impl FeedState {
    /// Whether it is to be read at `now`.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        match self.next_run {
            Some(at) => at <= now,
            None => self.last_attempt.is_none(),
        }
    }
}

/// How far an account has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Its name in the configuration.
    pub account: String,
    /// Who fetches it, and until when unless renewed.
    pub lease: Option<(String, Instant)>,
    /// Until when nothing of it is fetched.
    pub paused_until: Option<Instant>,
    /// How it stands: waiting, failing or stopped.
    pub condition: Condition,
    /// Faults in a row.
    pub failures: u32,
    /// The last fault, for people.
    pub last_error: Option<String>,
    /// Its feeds.
    pub feeds: BTreeMap<Feed, FeedState>,
}

/// A move of a feed, to be written in the transaction of the rows that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStep {
    /// The account.
    pub account: String,
    /// Who has to hold the account's lease for the step to be written.
    pub holder: String,
    /// The feed.
    pub feed: Feed,
    /// How far it has come now.
    pub state: FeedState,
    /// The actions that were named by the account's own read, where that is noted.
    pub named: Vec<Uuid>,
}

/// How fresh an entrance's data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Known up to a few minutes ago.
    Fresh,
    /// The first read of everything is under way.
    Filling,
    /// Older than it should be, although nothing failed.
    Late,
    /// The last attempts failed; it is tried again.
    Failing,
    /// A person has to do something.
    Stopped,
    /// Nothing came in yet.
    Never,
    /// Comes when somebody sends it.
    OnDemand,
}

impl Freshness {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Fresh,
        Self::Filling,
        Self::Late,
        Self::Failing,
        Self::Stopped,
        Self::Never,
        Self::OnDemand,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "FRESH",
            Self::Filling => "FILLING",
            Self::Late => "LATE",
            Self::Failing => "FAILING",
            Self::Stopped => "STOPPED",
            Self::Never => "NEVER",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// How old what is known may be before it is called late, where it is read at the usual pace: five minutes, and the minute
/// by which what is taken for known stays behind. At a slower pace it is that pace and what is left of these.
const PATIENCE: Duration = Duration::from_secs(6 * 60);
/// The usual pace.
const USUAL_PACE: Duration = Duration::from_secs(150);

impl AccountState {
    /// A feed of it.
    #[must_use]
    pub fn feed(&self, feed: Feed) -> FeedState {
        self.feeds.get(&feed).cloned().unwrap_or_default()
    }

    /// Up to when the actions are known: every status change, and every order.
    #[must_use]
    pub fn known_until(&self) -> Option<Instant> {
        let of = |feed| self.feeds.get(&feed).and_then(|state| state.watermark);
        Some(of(Feed::Status)?.min(of(Feed::Recent)?))
    }

    /// When the current actions were last read completely.
    #[must_use]
    pub fn last_success(&self) -> Option<Instant> {
        let of = |feed| self.feeds.get(&feed).and_then(|state| state.last_success);
        Some(of(Feed::Status)?.min(of(Feed::Recent)?))
    }

    /// When something of it is fetched next; none where nothing will be.
    #[must_use]
    pub fn next_run(&self) -> Option<Instant> {
        let due = self.feeds.values().filter_map(|state| state.next_run).min();
        match (due, self.paused_until) {
            (Some(due), Some(pause)) => Some(due.max(pause)),
            (due, pause) => due.or(pause),
        }
    }

    /// When what failed, and may go well by itself, is tried again; none where nothing like that is waited for.
    #[must_use]
    pub fn retry_at(&self, now: Instant) -> Option<Instant> {
        let pause = self
            .paused_until
            .filter(|until| *until > now && self.condition != Condition::Stopped);
        let feeds = self.feeds.values();
        let failing = feeds.filter(|feed| feed.condition == Condition::Failing);
        let retry = failing.filter_map(|feed| feed.next_run).min();
        pause.or(retry)
    }

    /// Its last fault that is not mended yet, the account's own before those of its feeds. That a feed is left out, which is
    /// none, is said where there is no fault.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        let (left_out, others): (Vec<&FeedState>, Vec<&FeedState>) = Feed::ALL
            .iter()
            .filter_map(|feed| self.feeds.get(feed))
            .partition(|of| of.condition == Condition::Stopped && of.failures == 0);
        let of_feeds = others.into_iter().chain(left_out);
        let of_feeds = of_feeds.filter_map(|of| of.last_error.as_deref());
        self.last_error
            .as_deref()
            .into_iter()
            .chain(of_feeds)
            .next()
    }

    /// How fresh its data are.
    #[must_use]
    pub fn freshness(&self, now: Instant) -> Freshness {
        // A missing scope stops clicks or rates alone; the actions are what freshness is about.
        let actions = [Feed::Status, Feed::Recent, Feed::Backfill];
        let any = |wanted: Condition| {
            self.condition == wanted
                || actions
                    .iter()
                    .any(|feed| self.feed(*feed).condition == wanted)
        };
        if any(Condition::Stopped) {
            return Freshness::Stopped;
        }
        if any(Condition::Failing) {
            return Freshness::Failing;
        }
        if self.feeds.is_empty() {
            return Freshness::Never;
        }
        // While one of the two is being read, the other one waits.
        let pace = [Feed::Status, Feed::Recent].map(|feed| {
            let of = self.feed(feed);
            match (of.next_run, of.last_attempt) {
                (Some(next), Some(last)) => next.micros() - last.micros(),
                _ => 0,
            }
        });
        let slower = pace.into_iter().max().unwrap_or(0) - micros(USUAL_PACE);
        let patience = micros(PATIENCE) + slower.max(0);
        let late = |at: Instant| at.micros() + patience < now.micros();
        // Nobody has come back for what was due long ago, nor for anything else: no server fetches this account any more.
        let attempts = self.feeds.values().filter_map(|feed| feed.last_attempt);
        if self.next_run().is_none_or(late) && attempts.max().is_none_or(late) {
            return Freshness::Late;
        }
        match self.known_until() {
            _ if self.feed(Feed::Backfill).condition != Condition::Done => Freshness::Filling,
            Some(known) if !late(known) => Freshness::Fresh,
            _ => Freshness::Late,
        }
    }
}

/// A duration as a difference of instants.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A point so much later, or the last one that there is.
#[must_use]
pub fn after(at: Instant, duration: Duration) -> Instant {
    Instant::nearest(at.micros().saturating_add(micros(duration)))
}

/// A point so much earlier, or the first one that there is.
#[must_use]
pub fn before(at: Instant, duration: Duration) -> Instant {
    Instant::nearest(at.micros().saturating_sub(micros(duration)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_is_left_out_hides_no_fault() {
        let of = |condition, failures, words: &str| FeedState {
            condition,
            failures,
            last_error: Some(words.to_owned()),
            ..FeedState::default()
        };
        let mut state = AccountState {
            feeds: BTreeMap::from([(Feed::Balance, of(Condition::Stopped, 0, "left out"))]),
            ..AccountState::default()
        };
        assert_eq!(state.error(), Some("left out"));
        let failing = of(Condition::Failing, 1, "refused");
        state.feeds.insert(Feed::Nightly, failing);
        assert_eq!(state.error(), Some("refused"));
        let stopped = of(Condition::Stopped, 2, "a scope that is needed");
        state.feeds.insert(Feed::Clicks, stopped);
        assert_eq!(state.error(), Some("a scope that is needed"));
        state.last_error = Some("no way to the network".to_owned());
        assert_eq!(state.error(), Some("no way to the network"));
    }
}
