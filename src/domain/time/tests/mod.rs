//! Tests of the time module: how times are written, where days begin, what ranges mean.

mod days;
mod ranges;
mod text;

use super::*;

/// The value of something that a test takes for granted.
pub(super) fn ok<T>(result: Result<T, TimeError>) -> T {
    result.unwrap_or_else(|error| unreachable!("a test's own value: {error}"))
}

pub(super) fn at(text: &str) -> Instant {
    ok(Instant::parse_rfc3339(text))
}

pub(super) fn day(text: &str) -> Day {
    ok(Day::parse(text))
}

pub(super) fn zone(name: &str) -> Zone {
    ok(Zone::parse(name))
}

pub(super) fn span(from: &str, to: &str) -> Span {
    ok(Span::new(at(from), at(to)))
}
