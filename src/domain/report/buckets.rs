//! The stretches of time that a report is divided into.

use super::{Bucket, MAX_BUCKETS};
use crate::domain::error::{Error, Result};
use crate::domain::time::{Day, Instant, Span, WeekStart, Zone, day_of, end_of_day, start_of_day};
use chrono::{Datelike as _, Days, NaiveDate, Timelike as _};

/// Microseconds of a quarter of an hour.
const QUARTER_HOUR_US: i64 = 900_000_000;

/// Divides a span by the calendar and the clock of a zone; the first and the last stretch are cut to the span. A day
/// that the zone left out is no stretch.
///
/// An hour begins where a clock on the wall shows a full hour, and where it is changed within the hour.
///
/// # Errors
/// When there would be more than [`MAX_BUCKETS`].
pub fn divide(span: Span, bucket: Bucket, zone: Zone, week_start: WeekStart) -> Result<Vec<Span>> {
    let mut slots = Vec::new();
    let mut from = span.from;
    while from < span.to {
        if slots.len() == MAX_BUCKETS {
            return Err(Error::limit(
                "bucket",
                format!(
                    "the range has more than {MAX_BUCKETS} stretches of {}; ask for longer ones or a shorter range",
                    bucket.as_str()
                ),
            ));
        }
        let to = next(from, bucket, (zone, week_start), span.to).min(span.to);
        slots.push(Span { from, to });
        from = to;
    }
    Ok(slots)
}

/// Where the stretch that an instant lies in is over; `end` is as far as anyone looks.
fn next(
    at: Instant,
    bucket: Bucket,
    (zone, week_start): (Zone, WeekStart),
    end: Instant,
) -> Instant {
    match bucket {
        Bucket::QuarterHour => next_quarter(at),
        Bucket::Hour => {
            let mut mark = next_quarter(at);
            while mark < end && !begins_hour(mark, zone) {
                mark = next_quarter(mark);
            }
            mark
        }
        Bucket::Day | Bucket::Week | Bucket::Month | Bucket::Quarter | Bucket::Year => {
            let last = last_day(day_of(at, zone), bucket, week_start);
            let mut over = end_of_day(last, zone);
            // A day that the zone left out ends where it begins.
            let mut day = last;
            while over <= at {
                let Ok(following) = day.plus(1) else {
                    return Instant::MAX;
                };
                day = last_day(following, bucket, week_start);
                over = end_of_day(day, zone);
            }
            over
        }
    }
}

fn next_quarter(at: Instant) -> Instant {
    Instant::nearest((at.micros().div_euclid(QUARTER_HOUR_US) + 1) * QUARTER_HOUR_US)
}

fn begins_hour(at: Instant, zone: Zone) -> bool {
    let offset = |instant: Instant| zone.wall(instant) - instant.to_utc().naive_utc();
    let before = Instant::nearest(at.micros() - 1);
    zone.wall(at).minute() == 0 || offset(at) != offset(before)
}

/// The last day of the calendar unit that a day lies in.
fn last_day(day: Day, bucket: Bucket, week_start: WeekStart) -> Day {
    let date = day.to_date();
    let month = |year: i32, month: u32| {
        // The day before the first of the month after.
        let (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        NaiveDate::from_ymd_opt(year, month, 1).map(|first| first - Days::new(1))
    };
    let last = match bucket {
        Bucket::QuarterHour | Bucket::Hour | Bucket::Day => Some(date),
        Bucket::Week => Some(date + Days::new(6 - week_start.days_into(date))),
        Bucket::Month => month(date.year(), date.month()),
        Bucket::Quarter => month(date.year(), date.month0() / 3 * 3 + 3),
        Bucket::Year => month(date.year(), 12),
    };
    last.and_then(|date| Day::from_date(date).ok())
        .unwrap_or(Day::MAX)
}

/// The closing days, from one up to but without another, whose local start lies in a span.
#[must_use]
pub fn closing_days(span: Span, zone: Zone) -> Option<(i64, i64)> {
    let (first, last) = (!span.is_empty())
        .then(|| span.local_days(zone))
        .flatten()?;
    Some((i64::from(first.days()), i64::from(last.days()) + 1))
}

/// The UTC day of an instant, days since 1970-01-01.
#[must_use]
pub fn utc_day(at: Instant) -> i32 {
    let day = day_of(at, Zone::UTC);
    debug_assert!(start_of_day(day, Zone::UTC) <= at);
    day.days()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn edges(from: &str, to: &str, bucket: Bucket, zone: &str) -> Vec<String> {
        let span = Span {
            from: at(from),
            to: at(to),
        };
        let slots = divide(span, bucket, Zone::parse(zone).unwrap(), WeekStart::Sunday).unwrap();
        assert_eq!(slots.first().map(|slot| slot.from), Some(span.from));
        assert_eq!(slots.last().map(|slot| slot.to), Some(span.to));
        slots.windows(2).for_each(|pair| {
            assert_eq!(pair[0].to, pair[1].from);
        });
        slots.iter().map(|slot| slot.from.to_rfc3339()).collect()
    }

    #[test]
    fn hours_follow_the_clock_on_the_wall() {
        assert_eq!(
            edges(
                "2026-05-01T00:00:00Z",
                "2026-05-01T02:00:00Z",
                Bucket::Hour,
                "Asia/Kolkata"
            ),
            [
                "2026-05-01T00:00:00Z",
                "2026-05-01T00:30:00Z",
                "2026-05-01T01:30:00Z"
            ]
        );
        // Lord Howe sets its clocks back by half an hour at 15:00Z: 02:00 becomes 01:30.
        assert_eq!(
            edges(
                "2026-04-04T14:00:00Z",
                "2026-04-04T17:00:00Z",
                Bucket::Hour,
                "Australia/Lord_Howe"
            ),
            [
                "2026-04-04T14:00:00Z",
                "2026-04-04T15:00:00Z",
                "2026-04-04T15:30:00Z",
                "2026-04-04T16:30:00Z"
            ]
        );
    }

    #[test]
    fn days_follow_the_calendar_and_what_was_left_out_is_none() {
        assert_eq!(
            edges(
                "2011-12-29T12:00:00Z",
                "2011-12-31T12:00:00Z",
                Bucket::Day,
                "Pacific/Apia"
            ),
            [
                "2011-12-29T12:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-31T10:00:00Z"
            ]
        );
        assert_eq!(
            edges(
                "2026-03-28T12:00:00Z",
                "2026-03-31T00:00:00Z",
                Bucket::Day,
                "Europe/Berlin"
            ),
            [
                "2026-03-28T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
                "2026-03-30T22:00:00Z"
            ]
        );
        let months = edges(
            "2025-11-15T00:00:00Z",
            "2026-03-01T00:00:00Z",
            Bucket::Quarter,
            "UTC",
        );
        assert_eq!(months, ["2025-11-15T00:00:00Z", "2026-01-01T00:00:00Z"]);
        let weeks = edges(
            "2026-11-20T00:00:00Z",
            "2026-11-30T00:00:00Z",
            Bucket::Week,
            "UTC",
        );
        assert_eq!(
            weeks,
            [
                "2026-11-20T00:00:00Z",
                "2026-11-22T00:00:00Z",
                "2026-11-29T00:00:00Z"
            ]
        );
    }

    #[test]
    fn the_whole_line_of_time_can_be_divided_by_years_and_not_by_hours() {
        let span = Span {
            from: Instant::MIN,
            to: Instant::MAX,
        };
        let years = divide(span, Bucket::Year, Zone::UTC, WeekStart::Monday).unwrap();
        assert_eq!(years.len(), 8_030);
        assert!(divide(span, Bucket::Hour, Zone::UTC, WeekStart::Monday).is_err());
    }
}
