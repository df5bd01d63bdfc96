//! Reading dates and times from text, strictly: fixed widths, ASCII digits, nothing before or after.
//!
//! Written by hand because chrono's readers take more than the formats allow (years of six digits, signs, spaces) and
//! keep leap seconds, which the two databases treat differently.

use chrono::NaiveDate;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It does not look like the format.
    Form,
    /// It does, but there is no such day or time of day.
    Calendar,
}

const SECOND: i64 = 1_000_000;

/// What is left of a text that is being read.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
        }
    }

    /// Refuses anything that has not been read.
    pub(super) fn end(&self) -> Result<(), Flaw> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Flaw::Form)
        }
    }

    /// Whether everything has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes one character out of a set.
    pub(super) fn one_of(&mut self, allowed: &[u8]) -> Result<u8, Flaw> {
        match self.rest.split_first() {
            Some((byte, rest)) if allowed.contains(byte) => {
                self.rest = rest;
                Ok(*byte)
            }
            _ => Err(Flaw::Form),
        }
    }

    fn digit(&mut self) -> Result<u32, Flaw> {
        self.one_of(b"0123456789")
            .map(|byte| u32::from(byte - b'0'))
    }

    fn number(&mut self, width: usize) -> Result<u32, Flaw> {
        (0..width).try_fold(0, |number, _| Ok(number * 10 + self.digit()?))
    }

    /// Takes `YYYY-MM-DD`. The year is not judged here.
    pub(super) fn date(&mut self) -> Result<DateParts, Flaw> {
        let year = self.number(4)?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        Ok(DateParts { year, month, day })
    }

    /// Takes `HH:MM:SS`, with or without a fraction.
    pub(super) fn time(&mut self) -> Result<TimeParts, Flaw> {
        let hour = self.number(2)?;
        self.one_of(b":")?;
        let minute = self.number(2)?;
        self.one_of(b":")?;
        let second = self.number(2)?;
        let micros = self.fraction()?;
        Ok(TimeParts {
            hour,
            minute,
            second,
            micros,
        })
    }

    /// Takes a point and digits, if there is a point; what is finer than a microsecond is cut off.
    fn fraction(&mut self) -> Result<u32, Flaw> {
        if self.one_of(b".").is_err() {
            return Ok(0);
        }
        let mut micros = self.digit()? * 100_000;
        let mut worth = 10_000;
        while let Ok(digit) = self.digit() {
            micros += digit * worth;
            worth /= 10;
        }
        Ok(micros)
    }

    /// Takes `Z` or `+HH:MM`; gives microseconds east of UTC.
    pub(super) fn offset(&mut self) -> Result<i64, Flaw> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        if hours > 23 || minutes > 59 {
            return Err(Flaw::Calendar);
        }
        Ok(sign * i64::from(hours * 60 + minutes) * 60 * SECOND)
    }
}

/// A date as written, not yet known to exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateParts {
    year: u32,
    month: u32,
    day: u32,
}

impl DateParts {
    /// The date, if the calendar has it.
    pub(super) fn date(self) -> Result<NaiveDate, Flaw> {
        i32::try_from(self.year)
            .ok()
            .and_then(|year| NaiveDate::from_ymd_opt(year, self.month, self.day))
            .ok_or(Flaw::Calendar)
    }
}

/// A time of day as written, not yet known to exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeParts {
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
}

impl TimeParts {
    /// Microseconds since midnight, up to and including a whole day.
    ///
    /// Second 60 is the beginning of the next minute, whatever its fraction: that keeps the order of events, and both
    /// databases then hold the same. It is taken in any minute, because which minute has a leap second depends on the
    /// offset and is announced only months ahead.
    pub(super) fn since_midnight(self) -> Result<i64, Flaw> {
        if self.hour > 23 || self.minute > 59 || self.second > 60 {
            return Err(Flaw::Calendar);
        }
        let seconds = i64::from(self.hour * 3_600 + self.minute * 60 + self.second);
        let micros = if self.second == 60 {
            0
        } else {
            i64::from(self.micros)
        };
        Ok(seconds * SECOND + micros)
    }
}

/// Microseconds from the epoch to a wall time, as if its clock showed UTC.
pub(super) fn wall_micros(date: DateParts, time: TimeParts) -> Result<i64, Flaw> {
    let days = i64::from(date.date()?.to_epoch_days());
    Ok(days * 86_400 * SECOND + time.since_midnight()?)
}
