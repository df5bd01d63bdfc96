//! A calendar day, without a time and without a zone.

use std::fmt;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use super::error::TimeError;
use super::parse::Cursor;

/// A day of the calendar: whole days since 1970-01-01, always within [`Day::MIN`] and [`Day::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Day(i32);

impl TryFrom<i32> for Day {
    type Error = TimeError;

    fn try_from(days: i32) -> Result<Self, TimeError> {
        Self::from_days(days)
    }
}

impl From<Day> for i32 {
    fn from(day: Day) -> Self {
        day.0
    }
}

impl Day {
    /// The first day: 1970-01-01.
    pub const MIN: Self = Self(0);
    /// The last day: 9999-12-31.
    pub const MAX: Self = Self(2_932_896);

    /// The day that is so many days after 1970-01-01.
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside 1970-01-01 to 9999-12-31.
    pub fn from_days(days: i32) -> Result<Self, TimeError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&days) {
            Ok(Self(days))
        } else {
            let value = NaiveDate::from_epoch_days(days).map_or_else(
                || format!("day {days} after 1970-01-01"),
                |date| date.to_string(),
            );
            Err(TimeError::OutOfYears { value })
        }
    }

    /// Whole days since 1970-01-01.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// [`TimeError`], naming the text, if it is not of that form, does not exist or is outside the years 1970 to 9999.
    pub fn parse(value: &str) -> Result<Self, TimeError> {
        let read = || {
            let mut cursor = Cursor::new(value);
            let date = cursor.date()?;
            cursor.end()?;
            date.date()
        };
        let date = read()
            .map_err(|flaw| TimeError::of(flaw, value, |value| TimeError::NotADay { value }))?;
        Self::from_date(date)
    }

    /// The day of a year, month (1 to 12) and day of the month (from 1).
    ///
    /// # Errors
    /// [`TimeError`] if there is no such day or it is outside the years 1970 to 9999.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Result<Self, TimeError> {
        let date =
            NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| TimeError::NoSuchTime {
                value: format!("{year:04}-{month:02}-{day:02}"),
            })?;
        Self::from_date(date)
    }

    /// The day of a chrono date.
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside 1970-01-01 to 9999-12-31.
    pub fn from_date(date: NaiveDate) -> Result<Self, TimeError> {
        Self::from_days(date.to_epoch_days())
    }

    /// The day of a chrono date, or the nearest that there is.
    pub(super) fn nearest(date: NaiveDate) -> Self {
        Self(date.to_epoch_days().clamp(Self::MIN.0, Self::MAX.0))
    }

    /// The same day for chrono.
    #[must_use]
    pub fn to_date(self) -> NaiveDate {
        NaiveDate::default() + Days::new(u64::from(self.0.unsigned_abs()))
    }

    /// Midnight at the beginning of the day, on a local clock.
    pub(super) fn midnight(self) -> NaiveDateTime {
        self.to_date().and_time(NaiveTime::MIN)
    }

    /// The year, 1970 to 9999.
    #[must_use]
    pub fn year(self) -> i32 {
        self.to_date().year()
    }

    /// The day so many days later (earlier, if negative).
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside 1970-01-01 to 9999-12-31.
    pub fn plus(self, days: i32) -> Result<Self, TimeError> {
        Self::from_days(self.0.saturating_add(days))
    }

    /// Days from this day to another; negative if the other is earlier.
    #[must_use]
    pub const fn days_until(self, other: Self) -> i32 {
        other.0 - self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_date(), out)
    }
}

/// Reads a day as upstream writes it (`closing_date`): `YYYY-MM-DD`. It is a day of upstream's calendar and is not converted.
///
/// # Errors
/// As [`Day::parse`].
pub fn parse_upstream_day(value: &str) -> Result<Day, TimeError> {
    Day::parse(value)
}
