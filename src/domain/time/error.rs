//! What can be wrong with a time that somebody wrote, said so that they can mend it.

use super::range::Unit;

/// A time, day, zone or range that cannot be used. Its text names the value, what is allowed and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Text that is not an RFC 3339 date and time.
    #[error(
        "`{value}` is not a date and time with an offset: write it like 2026-05-03T10:00:00Z or 2026-05-03T12:00:00+02:00"
    )]
    NotAnInstant {
        /// The text, shortened.
        value: String,
    },
    /// Text that is not a local date and time as upstream writes it.
    #[error("`{value}` is not a local date and time: it should look like 2026-05-03 10:00:00")]
    NotALocalTime {
        /// The text, shortened.
        value: String,
    },
    /// Text or numbers that are not a calendar day.
    #[error("`{value}` is not a calendar day: write it like 2026-05-03")]
    NotADay {
        /// The text, shortened.
        value: String,
    },
    /// Well-formed, but the calendar or the clock has no such moment (30 February, 25 o'clock).
    #[error("`{value}` does not exist in the calendar: check the day of the month and the hour")]
    NoSuchTime {
        /// The text, shortened.
        value: String,
    },
    /// Before 1970 or after 9999.
    #[error("{value} is outside the years 1970 to 9999 (in UTC): use a time within them")]
    OutOfYears {
        /// The text, shortened, or what was computed.
        value: String,
    },
    /// A name that the time zone database does not have.
    #[error(
        "`{value}` is not an IANA time zone: use a name such as Europe/Warsaw or UTC, spelled exactly so, not an offset or an abbreviation"
    )]
    UnknownZone {
        /// The name, shortened.
        value: String,
    },
    /// A range that ends before it begins.
    #[error("the range begins at {from} and ends at {to}, which is earlier: swap `from` and `to`")]
    Reversed {
        /// Where the range begins.
        from: String,
        /// Where the range ends.
        to: String,
    },
    /// A relative range of no units or of too many.
    #[error(
        "`last` was asked for {count} of unit {unit}: the count must be from 1 to {max}; for longer ranges use `between` or `days`"
    )]
    Count {
        /// The count asked for.
        count: u32,
        /// The unit asked for.
        unit: Unit,
        /// The most that this unit allows.
        max: u32,
    },
    /// A fixed offset that no place on earth has.
    #[error(
        "an offset of {minutes} minutes from UTC is not in use anywhere: it must be from -720 to 840 (+03:00 is 180)"
    )]
    Offset {
        /// The offset, in minutes east of UTC.
        minutes: i32,
    },
}

impl TimeError {
    /// What is wrong with a text that a reader from `parse` refused, given the error for a wrong form.
    pub(super) fn of(flaw: super::parse::Flaw, value: &str, form: fn(String) -> Self) -> Self {
        match flaw {
            super::parse::Flaw::Form => form(shown(value)),
            super::parse::Flaw::Calendar => Self::NoSuchTime {
                value: shown(value),
            },
        }
    }
}

/// A caller's text as an error may repeat it: short, and without control characters.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut text: String = value
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
