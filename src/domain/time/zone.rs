//! Time zones: where a local day begins, and what a clock on the wall shows.
//!
//! `chrono-tz` knows the changes of clocks up to the year 2100; after that each zone keeps its last offset.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};

use super::day::Day;
use super::error::{TimeError, shown};
use super::instant::Instant;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time, the zone of a publisher who has set none.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of an IANA name, spelled exactly as there: no offsets, no abbreviations of one's own.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`], naming the value.
    pub fn parse(name: &str) -> Result<Self, TimeError> {
        Tz::from_str(name)
            .map(Self)
            .map_err(|_| TimeError::UnknownZone { value: shown(name) })
    }

    /// The IANA name, as it was given.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a wall clock shows at an instant.
    pub(in crate::domain) fn wall(self, instant: Instant) -> NaiveDateTime {
        let offset = self
            .0
            .offset_from_utc_datetime(&instant.to_utc().naive_utc());
        instant.to_utc().naive_utc() + TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    /// Microseconds since the epoch of the first instant at which a wall clock has reached a time.
    ///
    /// A time that happens twice is the earlier one; a time that is skipped is where the clock lands beyond it. So an
    /// earlier wall time never gives a later instant.
    fn micros_at(self, wall: NaiveDateTime) -> i64 {
        let mapped = self.0.from_local_datetime(&wall).earliest();
        let landed = || GapInfo::new(&wall, &self.0).and_then(|gap| gap.end);
        // A gap has an end in every zone: the clock was set forward to something.
        mapped.or_else(landed).map_or_else(
            || wall.and_utc().timestamp_micros(),
            |time| time.timestamp_micros(),
        )
    }

    /// The first instant at which a wall clock has reached a time (see [`start_of_day`] for the first and last day).
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside the years 1970 to 9999.
    pub(super) fn at(self, wall: NaiveDateTime) -> Result<Instant, TimeError> {
        if wall == Day::MIN.midnight() {
            return Ok(Instant::MIN);
        }
        Instant::from_micros(self.micros_at(wall))
    }

    /// As [`Zone::at`], but the nearest instant that there is instead of an error.
    pub(in crate::domain) fn nearest(self, wall: NaiveDateTime) -> Instant {
        if wall == Day::MIN.midnight() {
            return Instant::MIN;
        }
        Instant::nearest(self.micros_at(wall))
    }

    /// The wall time from which calendar arithmetic starts: the beginning of a day counts as midnight also where no
    /// clock shows midnight then, and a clock that was set back into yesterday does not lead out of the day.
    pub(in crate::domain) fn nominal(self, instant: Instant) -> NaiveDateTime {
        let day = day_of(instant, self);
        if instant == start_of_day(day, self) {
            day.midnight()
        } else {
            self.wall(instant).max(day.midnight())
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The first instant of a local day: when the calendar in that zone first shows the day, or a later one.
///
/// Where midnight is skipped, that is the moment the clock lands on; where it happens twice, the earlier one; a day
/// that the zone left out (Pacific/Apia, 2011-12-30) begins where the next begins and is empty. 1970-01-01 begins at
/// [`Instant::MIN`] and 9999-12-31 ends at [`Instant::MAX`] in every zone, so that the days cover the whole line.
#[must_use]
pub fn start_of_day(day: Day, zone: Zone) -> Instant {
    zone.nearest(day.midnight())
}

/// The instant at which a local day is over, which is where the next begins; [`Instant::MAX`] for 9999-12-31.
#[must_use]
pub fn end_of_day(day: Day, zone: Zone) -> Instant {
    day.plus(1)
        .map_or(Instant::MAX, |next| start_of_day(next, zone))
}

/// The local day that an instant lies in: the one whose [`start_of_day`] is the last not after the instant.
///
/// That is what a calendar on the wall shows, except where a clock was once set back across midnight (St. John's until
/// 2011): the day that had begun goes on.
#[must_use]
pub fn day_of(instant: Instant, zone: Zone) -> Day {
    let shown = Day::nearest(zone.wall(instant).date());
    match shown.plus(1) {
        Ok(next) if start_of_day(next, zone) <= instant => next,
        _ => shown,
    }
}
