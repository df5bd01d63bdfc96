//! A stretch of time between two instants.

use chrono::{Datelike, Days, Months, NaiveDateTime, NaiveTime};

use super::day::Day;
use super::error::TimeError;
use super::instant::Instant;
use super::zone::{Zone, day_of, start_of_day};

/// A stretch of time: from `from` on, up to but without `to`. Empty where both are equal; `from` is never later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first instant inside.
    pub from: Instant,
    /// The first instant after it.
    pub to: Instant,
}

impl Span {
    /// The span between two instants.
    ///
    /// # Errors
    /// [`TimeError::Reversed`], naming both, if `from` is later than `to`.
    pub fn new(from: Instant, to: Instant) -> Result<Self, TimeError> {
        if from <= to {
            Ok(Self { from, to })
        } else {
            Err(TimeError::Reversed {
                from: from.to_rfc3339(),
                to: to.to_rfc3339(),
            })
        }
    }

    /// The span that ends at `to` and begins at `from`, or is empty where `from` would be later.
    pub(super) fn ending(from: Instant, to: Instant) -> Self {
        Self {
            from: from.min(to),
            to,
        }
    }

    /// The span between two numbers of microseconds since 1970-01-01T00:00Z, as far as there are such instants.
    #[must_use]
    pub fn of_micros(from: i64, to: i64) -> Self {
        Self::ending(Instant::nearest(from), Instant::nearest(to))
    }

    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(&self, instant: Instant) -> bool {
        self.from <= instant && instant < self.to
    }

    /// Whether no instant lies in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// How long it is, in microseconds.
    #[must_use]
    pub const fn micros(&self) -> i64 {
        self.to.micros() - self.from.micros()
    }

    /// The days, both included, that begin in the span by the calendar of a zone; `None` if none does.
    ///
    /// For dates without a time, such as the closing date of an action: spans that follow each other share no day and
    /// leave none out. A day that the zone left out counts as beginning together with the next.
    #[must_use]
    pub fn local_days(&self, zone: Zone) -> Option<(Day, Day)> {
        let begins = |day: Day| start_of_day(day, zone);
        let mut last = day_of(self.to, zone);
        while begins(last) >= self.to {
            last = last.plus(-1).ok()?;
        }
        let mut first = day_of(self.from, zone);
        if begins(first) < self.from {
            first = first.plus(1).ok()?;
        }
        while let Ok(earlier) = first.plus(-1)
            && begins(earlier) >= self.from
        {
            first = earlier;
        }
        (first <= last).then_some((first, last))
    }

    /// The span between the same local dates and times a year earlier; what would lie before 1970 begins at its beginning.
    ///
    /// 29 February becomes 28 February, except as the end of a span that stops at its midnight: that is the end of the
    /// 28th, so it becomes midnight of 1 March.
    #[must_use]
    pub fn year_before(&self, zone: Zone) -> Self {
        let from = a_year_earlier(zone.nominal(self.from));
        let end = zone.nominal(self.to);
        let to = if end.time() == NaiveTime::MIN && is_leap_day(end) {
            a_year_earlier(end) + Days::new(1)
        } else {
            a_year_earlier(end)
        };
        Self::ending(zone.nearest(from), zone.nearest(to))
    }
}

fn is_leap_day(wall: NaiveDateTime) -> bool {
    wall.month() == 2 && wall.day() == 29
}

fn a_year_earlier(wall: NaiveDateTime) -> NaiveDateTime {
    wall - Months::new(12)
}
