//! The stretches of time that a report is divided into.

use super::{Bucket, Comparison};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::time::{Day, Instant, Span, WeekStart, Zone, day_of, end_of_day, start_of_day};
use chrono::{
    Datelike as _, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _,
};

/// Microseconds of a quarter of an hour.
const QUARTER_HOUR_US: i64 = 900_000_000;

/// Divides a span by the calendar and the clock of a zone; the first and the last stretch are cut to the span. A day
/// that the zone left out is no stretch.
///
/// An hour begins where a clock on the wall shows a full hour, and where it is changed within the hour.
///
/// # Errors
/// When there would be more than `most`, a limit by its name in `limits` and how much it allows.
pub fn divide(
    span: Span,
    bucket: Bucket,
    (zone, week_start): (Zone, WeekStart),
    (limit, most): (&'static str, usize),
) -> Result<Vec<Span>> {
    let mut slots = Vec::new();
    let mut from = span.from;
    while from < span.to {
        if slots.len() == most {
            return Err(Error::limit(
                "bucket",
                PassedLimit::of(limit, most, most.saturating_add(1)),
                format!(
                    "the range has more than {most} stretches of {}; ask for longer ones or a shorter range",
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

/// How far a period lies before the range that is compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So many calendar months, to the same time of the same day; a day that the month does not have is its end.
    Months(u32),
    /// So long by a clock on the wall.
    Wall(TimeDelta),
    /// So many microseconds.
    Micros(i64),
}

impl Step {
    /// A year, or what lies between the beginnings of a range and of the period before it: whole months where both are
    /// periods of the calendar, else so long on the wall, where that leads from the range's end to the period's as well,
    /// else so many microseconds.
    fn between(range: Span, period: Span, comparison: Comparison, zone: Zone) -> Self {
        if comparison == Comparison::YearBefore {
            return Self::Months(12);
        }
        let [from, before] = [range.from, period.from].map(|at| zone.nominal(at));
        let fits = |step: &Self| {
            step.back(range.from, zone) == period.from && step.back(range.to, zone) == period.to
        };
        let steps = [
            months_between(before, from).map(Self::Months),
            Some(Self::Wall(from - before)),
        ];
        steps
            .into_iter()
            .flatten()
            .find(fits)
            .unwrap_or_else(|| Self::Micros(range.from.micros() - period.from.micros()))
    }

    /// The instant that lies so far before another.
    fn back(self, at: Instant, zone: Zone) -> Instant {
        match self {
            Self::Months(count) => {
                let wall = zone.nominal(at);
                let earlier = wall - Months::new(count);
                if earlier.day() < wall.day() {
                    return zone.nearest(earlier.date().and_time(NaiveTime::MIN) + Days::new(1));
                }
                zone.nearest(earlier)
            }
            Self::Wall(step) => zone.nearest(zone.nominal(at) - step),
            Self::Micros(step) => Instant::nearest(at.micros() - step),
        }
    }
}

/// How many months lie between the beginnings of two months; nothing where one of both is another time.
fn months_between(from: NaiveDateTime, to: NaiveDateTime) -> Option<u32> {
    let begins = |wall: NaiveDateTime| wall.day() == 1 && wall.time() == NaiveTime::MIN;
    let number = |wall: NaiveDateTime| wall.year() * 12 + i32::try_from(wall.month0()).unwrap_or(0);
    (begins(from) && begins(to))
        .then(|| u32::try_from(number(to) - number(from)).ok())
        .flatten()
}

/// The stretches of a period that those of a range are compared with, in their order: each edge moved as far as the period
/// lies before the range, and no further than the period reaches. So they cover the period, and none of it twice. A stretch
/// that has no counterpart, such as 29 February the year before, is compared with an empty one; but a range that begins on
/// 29 February is compared from 28 February on, and the hours of that day with those of the 28th.
#[must_use]
pub fn earlier(
    slots: &[Span],
    (range, period): (Span, Span),
    comparison: Comparison,
    zone: Zone,
) -> Vec<Span> {
    let step = Step::between(range, period, comparison, zone);
    let mut from = period.from;
    let mut found = Vec::with_capacity(slots.len());
    for (place, slot) in slots.iter().enumerate() {
        let to = if place + 1 == slots.len() {
            period.to
        } else {
            // A clock that is set back shows an hour twice: what was reached is not left again.
            let edge = first_of_leap_day(range, slot.to, comparison, zone);
            let moved = edge.unwrap_or_else(|| step.back(slot.to, zone));
            moved.min(period.to).max(from)
        };
        found.push(Span { from, to });
        from = to;
    }
    found
}

/// The same time of 28 February the year before, of an instant on the 29 February that a range begins on.
fn first_of_leap_day(
    range: Span,
    at: Instant,
    comparison: Comparison,
    zone: Zone,
) -> Option<Instant> {
    let [first, wall] = [range.from, at].map(|edge| zone.nominal(edge));
    let is_leap_day = (wall.month(), wall.day()) == (2, 29) && wall.date() == first.date();
    (is_leap_day && comparison == Comparison::YearBefore)
        .then(|| zone.nearest(wall - Months::new(12)))
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
    use crate::domain::report::MAX_BUCKETS;

    const MOST: (&str, usize) = ("reportStretches", MAX_BUCKETS);

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn edges(from: &str, to: &str, bucket: Bucket, zone: &str) -> Vec<String> {
        let span = Span {
            from: at(from),
            to: at(to),
        };
        let slots = divide(
            span,
            bucket,
            (Zone::parse(zone).unwrap(), WeekStart::Sunday),
            MOST,
        )
        .unwrap();
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

    /// The edges of the stretches that those of a range are compared with.
    fn moved(
        (range, period): ((&str, &str), Option<(&str, &str)>),
        bucket: Bucket,
        zone: &str,
    ) -> Vec<String> {
        let span = |(from, to): (&str, &str)| Span {
            from: at(from),
            to: at(to),
        };
        let zone = Zone::parse(zone).unwrap();
        let range = span(range);
        let (period, comparison) = match period {
            Some(period) => (span(period), Comparison::PreviousPeriod),
            None => (range.year_before(zone), Comparison::YearBefore),
        };
        let slots = divide(range, bucket, (zone, WeekStart::Monday), MOST).unwrap();
        let found = earlier(&slots, (range, period), comparison, zone);
        assert_eq!(found.len(), slots.len());
        assert_eq!(found.first().map(|slot| slot.from), Some(period.from));
        assert_eq!(found.last().map(|slot| slot.to), Some(period.to));
        found
            .windows(2)
            .for_each(|pair| assert_eq!(pair[0].to, pair[1].from));
        found.iter().map(|slot| slot.from.to_rfc3339()).collect()
    }

    #[test]
    fn a_month_is_compared_with_as_many_days_before() {
        let month = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
        let before = ("2026-01-29T00:00:00Z", "2026-03-01T00:00:00Z");
        let found = moved((month, Some(before)), Bucket::Month, "UTC");
        assert_eq!(found, ["2026-01-29T00:00:00Z"]);
        let weeks = moved((month, Some(before)), Bucket::Week, "UTC");
        assert_eq!(
            weeks,
            [
                "2026-01-29T00:00:00Z",
                "2026-01-30T00:00:00Z",
                "2026-02-06T00:00:00Z",
                "2026-02-13T00:00:00Z",
                "2026-02-20T00:00:00Z",
                "2026-02-27T00:00:00Z"
            ]
        );
    }

    #[test]
    fn calendar_months_are_compared_with_those_before() {
        let months = ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
        let before = ("2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z");
        assert_eq!(
            moved((months, Some(before)), Bucket::Month, "UTC"),
            [
                "2025-10-01T00:00:00Z",
                "2025-11-01T00:00:00Z",
                "2025-12-01T00:00:00Z"
            ]
        );
        // The days that February does not have are compared with nothing.
        let march = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
        let february = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
        let days = moved((march, Some(february)), Bucket::Day, "UTC");
        assert_eq!(
            days[27..],
            [
                "2026-02-28T00:00:00Z",
                "2026-03-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
                "2026-03-01T00:00:00Z"
            ]
        );
    }

    #[test]
    fn local_days_are_moved_by_days_and_instants_by_their_distance() {
        // Summer time begins on 29 March.
        let days = ("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z");
        let before = ("2026-03-26T23:00:00Z", "2026-03-28T23:00:00Z");
        assert_eq!(
            moved((days, Some(before)), Bucket::Day, "Europe/Berlin"),
            ["2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z"]
        );
        let instants = ("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z");
        let before = ("2026-03-27T00:00:00Z", "2026-03-28T23:00:00Z");
        assert_eq!(
            moved((instants, Some(before)), Bucket::Day, "Europe/Berlin"),
            ["2026-03-27T00:00:00Z", "2026-03-27T23:00:00Z"]
        );
        // An hour that the clock shows twice is there once on the day before.
        let night = ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        let before = ("2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z");
        let hours = moved((night, Some(before)), Bucket::Hour, "Europe/Berlin");
        assert_eq!(
            hours[1..5],
            [
                "2026-10-23T23:00:00Z",
                "2026-10-24T00:00:00Z",
                "2026-10-24T00:00:00Z",
                "2026-10-24T01:00:00Z"
            ]
        );
    }

    #[test]
    fn the_year_before_has_the_same_dates() {
        let weeks = ("2026-01-05T00:00:00Z", "2026-02-02T00:00:00Z");
        assert_eq!(
            moved((weeks, None), Bucket::Week, "UTC"),
            [
                "2025-01-05T00:00:00Z",
                "2025-01-12T00:00:00Z",
                "2025-01-19T00:00:00Z",
                "2025-01-26T00:00:00Z"
            ]
        );
        let leap = ("2024-02-01T00:00:00Z", "2024-04-01T00:00:00Z");
        let days = moved((leap, None), Bucket::Day, "UTC");
        assert_eq!(
            days[27..31],
            [
                "2023-02-28T00:00:00Z",
                "2023-03-01T00:00:00Z",
                "2023-03-01T00:00:00Z",
                "2023-03-02T00:00:00Z"
            ]
        );
        // Unless the range begins with that day: then its last day of February is what it is compared with.
        let leap = ("2024-02-29T00:00:00Z", "2024-03-03T00:00:00Z");
        let days = moved((leap, None), Bucket::Day, "UTC");
        assert_eq!(
            days,
            [
                "2023-02-28T00:00:00Z",
                "2023-03-01T00:00:00Z",
                "2023-03-02T00:00:00Z"
            ]
        );
        let hours = moved((leap, None), Bucket::Hour, "UTC");
        assert_eq!(hours[1], "2023-02-28T01:00:00Z");
        assert_eq!(
            hours[23..25],
            ["2023-02-28T23:00:00Z", "2023-03-01T00:00:00Z"]
        );
        // What the later year does not have is counted with the day before it.
        let after = ("2025-02-01T00:00:00Z", "2025-04-01T00:00:00Z");
        let days = moved((after, None), Bucket::Day, "UTC");
        assert_eq!(
            days[27..29],
            ["2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z"]
        );
    }

    #[test]
    fn the_whole_line_of_time_can_be_divided_by_years_and_not_by_hours() {
        let span = Span {
            from: Instant::MIN,
            to: Instant::MAX,
        };
        let years = divide(span, Bucket::Year, (Zone::UTC, WeekStart::Monday), MOST).unwrap();
        assert_eq!(years.len(), 8_030);
        assert!(divide(span, Bucket::Hour, (Zone::UTC, WeekStart::Monday), MOST).is_err());
    }
}
