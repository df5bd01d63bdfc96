//! A point on the line of time, to the microsecond, and how it is written.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::error::{TimeError, shown};
use super::parse::{Cursor, Flaw, wall_micros};

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z, always within [`Instant::MIN`] and [`Instant::MAX`].
///
/// Both databases keep it as that whole number, so neither can round it or change its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Instant(i64);

impl TryFrom<i64> for Instant {
    type Error = TimeError;

    fn try_from(micros: i64) -> Result<Self, TimeError> {
        Self::from_micros(micros)
    }
}

impl From<Instant> for i64 {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl Instant {
    /// The first instant: 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// The last instant: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant that is so many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside the years 1970 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimeError::OutOfYears {
                value: written(micros),
            })
        }
    }

    /// The instant that is so many microseconds after 1970-01-01T00:00:00Z, or the nearest that there is.
    pub(in crate::domain) fn nearest(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, such as `2026-05-03T10:00:00Z` or `2026-05-03T12:00:00.5+02:00`.
    ///
    /// What is finer than a microsecond is cut off. A leap second (`:60`) is the beginning of the next minute, its
    /// fraction dropped, so that it never sorts after a later event.
    ///
    /// # Errors
    /// [`TimeError`], naming the text, if it is not of that form, does not exist or is outside the years 1970 to 9999 in UTC.
    pub fn parse_rfc3339(value: &str) -> Result<Self, TimeError> {
        let read = || {
            let mut cursor = Cursor::new(value);
            let date = cursor.date()?;
            cursor.one_of(b"Tt")?;
            let time = cursor.time()?;
            let offset = cursor.offset()?;
            cursor.end()?;
            Ok(wall_micros(date, time)? - offset)
        };
        within_years(value, read(), |value| TimeError::NotAnInstant { value })
    }

    /// Writes RFC 3339 in UTC, with a fraction of three or six digits only where it is not zero.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        written(self.0)
    }

    /// The instant of a chrono date and time; what is finer than a microsecond is cut off.
    ///
    /// A leap second, which chrono keeps as a nanosecond part beyond the second, is the beginning of the next second.
    ///
    /// # Errors
    /// [`TimeError::OutOfYears`] outside the years 1970 to 9999.
    pub fn from_utc(time: DateTime<Utc>) -> Result<Self, TimeError> {
        if time.timestamp_subsec_nanos() >= 1_000_000_000 {
            Self::from_micros((time.timestamp() + 1) * 1_000_000)
        } else {
            Self::from_micros(time.timestamp_micros())
        }
    }

    /// The same instant for chrono.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::microseconds(self.0)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_rfc3339())
    }
}

/// Reads a time as upstream writes it: `YYYY-MM-DD HH:MM:SS`, also with `T` between and with a fraction, in a zone of a
/// fixed offset (minutes east of UTC; Admitad's default is +180). A text that names its own offset is taken at its word.
///
/// Fractions and leap seconds are treated as in [`Instant::parse_rfc3339`].
///
/// # Errors
/// [`TimeError`], naming the text, if it is not of that form, does not exist or is outside the years 1970 to 9999 in UTC;
/// [`TimeError::Offset`] if the offset is not from -12:00 to +14:00.
pub fn parse_upstream(value: &str, offset_minutes: i32) -> Result<Instant, TimeError> {
    if !(-720..=840).contains(&offset_minutes) {
        return Err(TimeError::Offset {
            minutes: offset_minutes,
        });
    }
    let read = || {
        let mut cursor = Cursor::new(value);
        let date = cursor.date()?;
        cursor.one_of(b" Tt")?;
        let time = cursor.time()?;
        let offset = if cursor.is_at_end() {
            i64::from(offset_minutes) * 60_000_000
        } else {
            cursor.offset()?
        };
        cursor.end()?;
        Ok(wall_micros(date, time)? - offset)
    };
    within_years(value, read(), |value| TimeError::NotALocalTime { value })
}

fn within_years(
    value: &str,
    read: Result<i64, Flaw>,
    form: fn(String) -> TimeError,
) -> Result<Instant, TimeError> {
    let micros = read.map_err(|flaw| TimeError::of(flaw, value, form))?;
    Instant::from_micros(micros).map_err(|_| TimeError::OutOfYears {
        value: format!("`{}`", shown(value)),
    })
}

/// RFC 3339 of any number of microseconds, also outside the years that an [`Instant`] can have (for errors).
fn written(micros: i64) -> String {
    let Some(time) = DateTime::from_timestamp_micros(micros) else {
        return format!("{micros} µs after 1970");
    };
    let digits = match micros.rem_euclid(1_000_000) {
        0 => SecondsFormat::Secs,
        fraction if fraction % 1_000 == 0 => SecondsFormat::Millis,
        _ => SecondsFormat::Micros,
    };
    time.to_rfc3339_opts(digits, true)
}
