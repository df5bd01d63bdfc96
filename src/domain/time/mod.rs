//! Time as the product means it: instants, calendar days, time zones, spans and the ranges that callers ask for.
//!
//! Everything here is pure. The present is a parameter, nothing waits, and nothing is read from the machine; the zone
//! rules are the IANA data compiled into `chrono-tz`. What does not live here: the clock (`src/clock.rs`), the axis that
//! a range is applied to, the cells that totals are kept in, and the GraphQL scalars.
//!
//! The line of time that the product knows runs from [`Instant::MIN`] (1970-01-01T00:00:00Z) to [`Instant::MAX`]
//! (9999-12-31T23:59:59.999999Z). Local days tile it: see [`start_of_day`].

/// A day of 24 hours, in µs.
pub const DAY_US: i64 = 86_400_000_000;

mod day;
mod error;
mod instant;
mod offset;
mod parse;
mod range;
mod span;
mod zone;

#[cfg(test)]
mod tests;

pub use day::{Day, parse_upstream_day};
pub use error::TimeError;
pub use instant::{Instant, parse_upstream};
pub use offset::{day_at, parse_offset, start_of_day_at};
pub use range::{Period, Preset, Range, Unit, WeekStart};
pub use span::Span;
pub use zone::{Zone, day_of, end_of_day, start_of_day};
