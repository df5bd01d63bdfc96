//! What is read next of an account: a pure function of how far its feeds have come and of the time.
//!
//! | feed | reads | how often |
//! |---|---|---|
//! | ad spaces, programs | their lists | daily |
//! | status changes | all since an hour before the watermark | every few minutes |
//! | recent actions | the orders of the last two days, or since the last complete read | likewise |
//! | back-fill | a month of orders after the other, the newest first | once |
//! | exchange rates | day by day for each pair in use | daily |
//! | clicks | the days since the last round and some before, and a month after the other back | hourly |
//! | affiliate links | the programs of each ad space | daily |
//! | nightly re-read | the orders of 90 days, three days at a time | every night |
//!
//! The back-fill begins with the newest month because those are the figures that people look at first; nothing depends
//! on the order. What changes behind its back is seen by the feed of status changes, whose first window begins before it.

use super::lists::offset;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, after, before};
use crate::domain::time::{Day, Instant, day_at, start_of_day_at};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far a window of status changes reaches back behind what is known: for clocks that differ, and for changes that
/// the network shows late.
const OVERLAP: Duration = Duration::from_secs(3_600);
/// How far what is taken for known stays behind our clock. Status changes are read up to the network's present, whatever
/// its clock says; what it shows late within this is read again at once.
const MARGIN: Duration = Duration::from_secs(60);
/// How many days back recent orders are read.
const RECENT_DAYS: i32 = 2;
/// How many days back every night reads.
const NIGHTLY_DAYS: i32 = 90;
/// How many days a slice of it has: few, so that little shifts while it is read.
const NIGHTLY_SLICE: i32 = 3;
/// The hour at which a night's read begins, on the network's clock.
const NIGHT: Duration = Duration::from_secs(3 * 3_600);
/// How far the accounts' nights are spread.
const NIGHT_SPREAD_MINUTES: u64 = 60;
/// The pace of lists that hardly change.
pub(super) const DAILY: Duration = Duration::from_secs(86_400);

/// What does not change of an account while it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two reads of what is new.
    pub every: Duration,
    /// How far the back-fill goes.
    pub since: Day,
    /// The offset of the network's clock, in minutes east of UTC.
    pub offset_minutes: i32,
    /// A number of the account's own, so that not all accounts do the same at one time.
    pub spread: u64,
}

/// Which actions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// By the day of the order, both included, on the network's calendar.
    Ordered {
        /// First day.
        from: Day,
        /// Last day.
        to: Day,
    },
    /// By the last change of the status. It is asked for without an end: the network refuses one that lies in its future,
    /// and its clock may be behind ours.
    Changed {
        /// From then on.
        from: Instant,
        /// Up to when everything is known once it was read.
        to: Instant,
    },
}

/// A read of a window that may be in its middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which actions.
    pub window: Window,
    /// How many rows to skip.
    pub offset: u32,
    /// The last ids of the page before, in order: the next one must name one of them again, or rows were skipped.
    pub tail: Vec<String>,
    /// When its first page was asked for.
    pub begun: Instant,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before then.
    Wait(Instant),
    /// Read a page of actions.
    Actions(Feed, Reading),
    /// Read a page of a list, from this row on.
    List(Feed, u32),
    /// Read an exchange rate.
    Rate,
    /// Read a set of clicks.
    Clicks,
    /// Read the balance.
    Balance,
    /// Read the commission rates of some products.
    Commissions,
    /// Read the affiliate links of an ad space.
    Links,
}

/// What is read next.
#[must_use]
pub fn plan(pace: &Pace, state: &AccountState, now: Instant) -> Step {
    if let Some(until) = state.paused_until.filter(|until| *until > now) {
        return Step::Wait(until);
    }
    let mut next = after(now, DAILY);
    for feed in PLANNED {
        match due_at(pace, state, feed, now) {
            Some(at) if at <= now => return step(pace, feed, &state.feed(feed), now),
            Some(at) => next = next.min(at),
            None => {}
        }
    }
    Step::Wait(next)
}

/// The feeds that are read here, the most urgent first.
const PLANNED: [Feed; 11] = [
    Feed::AdSpaces,
    Feed::Status,
    Feed::Recent,
    Feed::Programs,
    Feed::Backfill,
    Feed::Rates,
    Feed::Clicks,
    Feed::Balance,
    Feed::Commissions,
    Feed::Links,
    Feed::Nightly,
];

fn due_at(pace: &Pace, state: &AccountState, feed: Feed, now: Instant) -> Option<Instant> {
    let of = state.feed(feed);
    let backfill = state.feed(Feed::Backfill);
    match feed {
        Feed::Backfill if of.condition == Condition::Done => {
            // Somebody moved the beginning further back.
            let begins = start_of_day_at(pace.since, pace.offset_minutes);
            (of.watermark.is_none_or(|from| begins < from)).then_some(now)
        }
        // What the back-fill has just read need not be read again, and rates are those of currencies that came in.
        Feed::Nightly if of.next_run.is_none() => {
            let done = backfill
                .last_success
                .filter(|_| backfill.condition == Condition::Done)?;
            Some(night_after(pace, done))
        }
        Feed::Rates | Feed::Clicks | Feed::Balance | Feed::Commissions | Feed::Links
            if of.next_run.is_none() =>
        {
            (backfill.condition == Condition::Done && of.last_attempt.is_none()).then_some(now)
        }
        _ => of
            .next_run
            .or_else(|| of.last_attempt.is_none().then_some(now)),
    }
}

fn step(pace: &Pace, feed: Feed, state: &FeedState, now: Instant) -> Step {
    match feed {
        Feed::AdSpaces | Feed::Programs => Step::List(feed, offset(state.cursor.as_deref())),
        Feed::Rates => Step::Rate,
        Feed::Clicks => Step::Clicks,
        Feed::Balance => Step::Balance,
        Feed::Commissions => Step::Commissions,
        Feed::Links => Step::Links,
        _ => {
            let going_on = state.cursor.as_deref().and_then(Reading::parse);
            Step::Actions(
                feed,
                going_on.unwrap_or_else(|| Reading::new(first_window(pace, feed, state, now), now)),
            )
        }
    }
}

/// The window that a feed begins with.
fn first_window(pace: &Pace, feed: Feed, state: &FeedState, now: Instant) -> Window {
    let today = day_at(now, pace.offset_minutes);
    match feed {
        Feed::Status => {
            let end = before(now, MARGIN);
            // Whole seconds are all that the network's times have.
            let end = Instant::from_micros(end.micros() / 1_000_000 * 1_000_000).unwrap_or(end);
            let known = state.watermark.map_or(end, |known| known.min(end));
            Window::Changed {
                from: before(known, OVERLAP),
                to: end,
            }
        }
        Feed::Recent => {
            // After an outage from the day before the last that is known.
            let known = state
                .watermark
                .map_or(today, |known| day_at(known, pace.offset_minutes));
            let from = back(today, RECENT_DAYS).min(back(known, 1));
            Window::Ordered {
                from: from.max(pace.since.min(today)),
                to: today,
            }
        }
        Feed::Backfill => {
            let to = state
                .watermark
                .map_or(today, |from| back(day_at(from, pace.offset_minutes), 1));
            month(pace, to)
        }
        _ => nights(pace, back(today, 1)),
    }
}

/// How far a feed has come with a window that was read completely.
#[must_use]
pub fn finished(
    pace: &Pace,
    feed: Feed,
    state: &FeedState,
    reading: &Reading,
    now: Instant,
) -> FeedState {
    let mut done = FeedState {
        condition: Condition::Waiting,
        cursor: None,
        last_success: Some(now),
        next_run: Some(after(reading.begun, pace.every).max(now)),
        ..state.clone()
    };
    let following = next_window(pace, feed, reading.window, now);
    match (feed, reading.window) {
        (_, Window::Changed { to, .. }) => done.watermark = Some(to),
        (Feed::Backfill, Window::Ordered { from, .. }) => {
            done.watermark = Some(start_of_day_at(from, pace.offset_minutes));
            if following.is_none() {
                done.condition = Condition::Done;
                done.next_run = None;
            }
        }
        (Feed::Nightly, _) => {
            done.watermark = Some(reading.begun);
            done.next_run = Some(night_after(pace, now));
        }
        _ => done.watermark = Some(reading.begun),
    }
    if let Some(window) = following {
        done.condition = Condition::Reading;
        done.cursor = Some(Reading::new(window, now).to_text());
        done.next_run = Some(now);
    }
    done
}

/// The window behind this one; none where the feed has read all of it.
fn next_window(pace: &Pace, feed: Feed, window: Window, now: Instant) -> Option<Window> {
    let Window::Ordered { from, .. } = window else {
        return None;
    };
    let today = day_at(now, pace.offset_minutes);
    let first = match feed {
        Feed::Backfill => pace.since,
        Feed::Nightly => back(today, NIGHTLY_DAYS).max(pace.since),
        _ => return None,
    };
    if from <= first {
        return None;
    }
    Some(match feed {
        Feed::Backfill => month(pace, back(from, 1)),
        _ => nights(pace, back(from, 1)),
    })
}

/// The month up to a day, or what of it is wanted.
fn month(pace: &Pace, to: Day) -> Window {
    use chrono::Datelike as _;
    let date = to.to_date();
    let first = Day::from_ymd(date.year(), date.month(), 1).unwrap_or(to);
    Window::Ordered {
        from: first.max(pace.since).min(to),
        to,
    }
}

fn nights(pace: &Pace, to: Day) -> Window {
    Window::Ordered {
        from: back(to, NIGHTLY_SLICE - 1).max(pace.since).min(to),
        to,
    }
}

fn back(day: Day, days: i32) -> Day {
    day.plus(-days).unwrap_or(Day::MIN)
}

/// The first night's hour behind a point.
fn night_after(pace: &Pace, at: Instant) -> Instant {
    let minutes = pace.spread % NIGHT_SPREAD_MINUTES;
    let hour = NIGHT + Duration::from_secs(minutes * 60);
    let today = after(
        start_of_day_at(day_at(at, pace.offset_minutes), pace.offset_minutes),
        hour,
    );
    if today > at {
        today
    } else {
        after(today, DAILY)
    }
}

/// A number that differs by account and moment: what decides within a back-off, so that not all come back at once.
#[must_use]
pub fn chance(pace: &Pace, now: Instant) -> u32 {
    let mixed = pace
        .spread
        .wrapping_add(now.micros().unsigned_abs())
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u32::try_from(mixed >> 32).unwrap_or(u32::MAX)
}

impl Window {
    /// In which instants its orders lie, where it goes by orders.
    #[must_use]
    pub fn orders(&self, offset_minutes: i32) -> Option<(Instant, Instant)> {
        match *self {
            Self::Ordered { from, to } => {
                let end = to.plus(1).unwrap_or(Day::MAX);
                Some((
                    start_of_day_at(from, offset_minutes),
                    start_of_day_at(end, offset_minutes),
                ))
            }
            Self::Changed { .. } => None,
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Ordered { from, to } if from == to => from.to_string(),
            Self::Ordered { from, to } => format!("{from} to {to}"),
            Self::Changed { from, to } => format!("{from} to {to}"),
        }
    }
}

/// A reading as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Days of orders, or microseconds of changes.
    by: String,
    from: i64,
    to: i64,
    offset: u32,
    #[serde(default)]
    tail: Vec<String>,
    begun: i64,
}

impl Reading {
    /// A read that begins.
    #[must_use]
    pub fn new(window: Window, begun: Instant) -> Self {
        Self {
            window,
            offset: 0,
            tail: Vec::new(),
            begun,
        }
    }

    /// Where it goes on, as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (by, from, to) = match self.window {
            Window::Ordered { from, to } => ("order", i64::from(from.days()), i64::from(to.days())),
            Window::Changed { from, to } => ("change", from.micros(), to.micros()),
        };
        let stored = Stored {
            by: by.to_owned(),
            from,
            to,
            offset: self.offset,
            tail: self.tail.clone(),
            begun: self.begun.micros(),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads what [`Self::to_text`] wrote; nothing else is a reading.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let day = |days: i64| Day::from_days(i32::try_from(days).ok()?).ok();
        let window = match stored.by.as_str() {
            "order" => Window::Ordered {
                from: day(stored.from)?,
                to: day(stored.to)?,
            },
            "change" => Window::Changed {
                from: Instant::from_micros(stored.from).ok()?,
                to: Instant::from_micros(stored.to).ok()?,
            },
            _ => return None,
        };
        Some(Self {
            window,
            offset: stored.offset,
            tail: stored.tail,
            begun: Instant::from_micros(stored.begun).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
