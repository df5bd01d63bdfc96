//! The ranges that callers ask for, and the spans that they mean at a given moment in a given zone.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use super::day::Day;
use super::error::TimeError;
use super::instant::Instant;
use super::span::Span;
use super::zone::{Zone, day_of, end_of_day, start_of_day};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// A unit that relative ranges are counted in. All but the hour follow the local calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Sixty minutes, whatever the clock on the wall does.
    Hour,
    /// A local calendar day, of 23 to 25 hours where clocks change.
    Day,
    /// Seven local days.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months, from January, April, July or October on.
    Quarter,
    /// A calendar year.
    Year,
}

impl Unit {
    /// The largest count that [`Range::Last`] takes: 366 days in hours, about 50 years in the others.
    #[must_use]
    pub const fn max_count(self) -> u32 {
        match self {
            Self::Hour => 8_784,
            Self::Day => 18_250,
            Self::Week => 2_600,
            Self::Month => 600,
            Self::Quarter => 200,
            Self::Year => 50,
        }
    }

    /// The unit's length in months, or in days if it is shorter than a month.
    fn step(self) -> Step {
        match self {
            // Hours are handled on the line of time and have no step of their own in the calendar.
            Self::Hour | Self::Day => Step::Days(1),
            Self::Week => Step::Days(7),
            Self::Month => Step::Months(1),
            Self::Quarter => Step::Months(3),
            Self::Year => Step::Months(12),
        }
    }

    /// The first day of the unit that a date lies in.
    fn first_day(self, date: NaiveDate, week_start: WeekStart) -> NaiveDate {
        match self {
            Self::Hour | Self::Day => date,
            Self::Week => date - Days::new(week_start.days_into(date)),
            Self::Month => date - Days::new(date.day0().into()),
            Self::Quarter => first_of_month(date) - Months::new(date.month0() % 3),
            Self::Year => date - Days::new(date.ordinal0().into()),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
            Self::Quarter => "QUARTER",
            Self::Year => "YEAR",
        })
    }
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy)]
enum Step {
    Days(u32),
    Months(u32),
}

impl Step {
    /// The wall time so many steps earlier; a day that the month does not have becomes its last.
    fn back(self, wall: NaiveDateTime, count: u32) -> NaiveDateTime {
        match self {
            Self::Days(days) => wall - Days::new(u64::from(days) * u64::from(count)),
            Self::Months(months) => wall - Months::new(months * count),
        }
    }

    /// The same point one step earlier, as the end of a comparison: where the month does not have the day, the month
    /// is over (31 May is compared with the whole of April).
    fn same_point(self, wall: NaiveDateTime) -> NaiveDateTime {
        let earlier = self.back(wall, 1);
        match self {
            Self::Months(_) if earlier.day() < wall.day() => {
                earlier.date().and_time(NaiveTime::MIN) + Days::new(1)
            }
            _ => earlier,
        }
    }
}

/// The day that weeks begin with; Monday (ISO 8601) unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WeekStart {
    /// Weeks run from Monday to Sunday, as in ISO 8601.
    #[default]
    Monday,
    /// Weeks run from Tuesday to Monday.
    Tuesday,
    /// Weeks run from Wednesday to Tuesday.
    Wednesday,
    /// Weeks run from Thursday to Wednesday.
    Thursday,
    /// Weeks run from Friday to Thursday.
    Friday,
    /// Weeks run from Saturday to Friday.
    Saturday,
    /// Weeks run from Sunday to Saturday.
    Sunday,
}

impl WeekStart {
    /// How many days of its week are over when a date begins.
    pub(in crate::domain) fn days_into(self, date: NaiveDate) -> u64 {
        let first = match self {
            Self::Monday => 0,
            Self::Tuesday => 1,
            Self::Wednesday => 2,
            Self::Thursday => 3,
            Self::Friday => 4,
            Self::Saturday => 5,
            Self::Sunday => 6,
        };
        u64::from((date.weekday().num_days_from_monday() + 7 - first) % 7)
    }
}

/// A range by name. `This…` and `Today` run from the beginning of the local unit up to now; `Last…` and `Yesterday` are
/// the whole unit before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Preset {
    /// The running local day, up to now.
    Today,
    /// The local day before today, whole.
    Yesterday,
    /// The running week, up to now.
    ThisWeek,
    /// The week before the running one, whole.
    LastWeek,
    /// The running calendar month, up to now.
    ThisMonth,
    /// The calendar month before the running one, whole.
    LastMonth,
    /// The running quarter, up to now.
    ThisQuarter,
    /// The quarter before the running one, whole.
    LastQuarter,
    /// The running calendar year, up to now.
    ThisYear,
    /// The calendar year before the running one, whole.
    LastYear,
}

impl Preset {
    /// The unit, and whether it is the running one.
    const fn unit(self) -> (Unit, bool) {
        match self {
            Self::Today => (Unit::Day, true),
            Self::Yesterday => (Unit::Day, false),
            Self::ThisWeek => (Unit::Week, true),
            Self::LastWeek => (Unit::Week, false),
            Self::ThisMonth => (Unit::Month, true),
            Self::LastMonth => (Unit::Month, false),
            Self::ThisQuarter => (Unit::Quarter, true),
            Self::LastQuarter => (Unit::Quarter, false),
            Self::ThisYear => (Unit::Year, true),
            Self::LastYear => (Unit::Year, false),
        }
    }
}

/// A range as a caller asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Range {
    /// From an instant up to, but without, another.
    Between {
        /// The first instant inside.
        from: Instant,
        /// The first instant after it.
        to: Instant,
    },
    /// Local days, the first and the last included.
    Days {
        /// The first day.
        from: Day,
        /// The last day.
        to: Day,
    },
    /// A number of units up to now, by the local calendar: a month before 31 March is the last day of February, and the
    /// time of day stays through changes of clocks.
    Last {
        /// How many, from 1 to [`Unit::max_count`].
        count: u32,
        /// Of what.
        unit: Unit,
        /// Only finished units: ends where the running unit began instead of now.
        whole_units: bool,
    },
    /// A range by name.
    Preset(Preset),
}

/// What a range means at a moment: the span asked for, and the one to compare it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// The span asked for.
    pub current: Span,
    /// The span before it that `change` compares with; see [`Range::resolve`].
    pub previous: Span,
    /// The zone whose calendar both follow.
    pub zone: Zone,
}

impl Range {
    /// The spans that the range means at `now` in a zone.
    ///
    /// The previous span, by kind of range:
    /// - `Between`, and `Last` in hours: as many microseconds, just before.
    /// - `Days`: as many local days, just before.
    /// - `Last`: as long on the wall clock, just before; with `whole_units` as many units, just before.
    /// - presets of a running unit: the unit before from its beginning to the same local point (15 May 10:00 gives
    ///   1 April 00:00 to 15 April 10:00), or to its end if it has no such point.
    /// - presets of a finished unit: the whole unit before.
    ///
    /// What of it would lie before 1970, where nothing can be stored, is left out.
    ///
    /// # Errors
    /// [`TimeError::Reversed`] if it ends before it begins, [`TimeError::Count`] for a count of nothing or too much, and
    /// [`TimeError::OutOfYears`] if the current span would reach outside the years 1970 to 9999.
    pub fn resolve(
        &self,
        now: Instant,
        zone: Zone,
        week_start: WeekStart,
    ) -> Result<Period, TimeError> {
        let (current, previous) = match *self {
            Self::Between { from, to } => {
                let current = Span::new(from, to)?;
                (current, just_before(current))
            }
            Self::Days { from, to } => days(from, to, zone)?,
            Self::Last { count, unit, .. } if count == 0 || count > unit.max_count() => {
                return Err(TimeError::Count {
                    count,
                    unit,
                    max: unit.max_count(),
                });
            }
            Self::Last {
                count,
                unit: Unit::Hour,
                whole_units,
            } => {
                let to = if whole_units {
                    start_of_hour(now, zone)
                } else {
                    now
                };
                let from = Instant::from_micros(to.micros() - i64::from(count) * HOUR)?;
                let current = Span::ending(from, to);
                (current, just_before(current))
            }
            Self::Last {
                count,
                unit,
                whole_units: false,
            } => last(count, unit, now, zone)?,
            Self::Last {
                count,
                unit,
                whole_units: true,
            } => finished(
                count,
                unit,
                first_midnight(unit, now, zone, week_start),
                zone,
            )?,
            Self::Preset(preset) => match preset.unit() {
                (unit, true) => {
                    running(unit, now, first_midnight(unit, now, zone, week_start), zone)?
                }
                (unit, false) => {
                    finished(1, unit, first_midnight(unit, now, zone, week_start), zone)?
                }
            },
        };
        Ok(Period {
            current,
            previous,
            zone,
        })
    }
}

/// The span of equal length that ends where a span begins.
fn just_before(span: Span) -> Span {
    Span::ending(
        Instant::nearest(span.from.micros() - span.micros()),
        span.from,
    )
}

fn days(from: Day, to: Day, zone: Zone) -> Result<(Span, Span), TimeError> {
    if from > to {
        return Err(TimeError::Reversed {
            from: from.to_string(),
            to: to.to_string(),
        });
    }
    let current = Span::ending(start_of_day(from, zone), end_of_day(to, zone));
    let before = from.plus(-(from.days_until(to) + 1)).unwrap_or(Day::MIN);
    Ok((
        current,
        Span::ending(start_of_day(before, zone), current.from),
    ))
}

/// The last units up to now.
fn last(count: u32, unit: Unit, now: Instant, zone: Zone) -> Result<(Span, Span), TimeError> {
    let end = zone.nominal(now);
    let begin = unit.step().back(end, count);
    let current = Span::ending(zone.at(begin)?, now);
    let before = begin - (end - begin);
    Ok((current, Span::ending(zone.nearest(before), current.from)))
}

/// The last finished units, given the wall time at which the running one began.
fn finished(
    count: u32,
    unit: Unit,
    end: NaiveDateTime,
    zone: Zone,
) -> Result<(Span, Span), TimeError> {
    let begin = unit.step().back(end, count);
    let current = Span::ending(zone.at(begin)?, zone.at(end)?);
    let before = unit.step().back(begin, count);
    Ok((current, Span::ending(zone.nearest(before), current.from)))
}

/// The running unit up to now, given the wall time at which it began.
fn running(
    unit: Unit,
    now: Instant,
    begin: NaiveDateTime,
    zone: Zone,
) -> Result<(Span, Span), TimeError> {
    let current = Span::ending(zone.at(begin)?, now);
    let before = unit.step().back(begin, 1);
    let point = unit.step().same_point(zone.nominal(now));
    let previous = Span::ending(zone.nearest(before), zone.nearest(point).min(current.from));
    Ok((current, previous))
}

/// The wall time at which the unit that runs at `now` began.
fn first_midnight(unit: Unit, now: Instant, zone: Zone, week_start: WeekStart) -> NaiveDateTime {
    let today = day_of(now, zone).to_date();
    unit.first_day(today, week_start).and_time(NaiveTime::MIN)
}

fn first_of_month(date: NaiveDate) -> NaiveDate {
    date - Days::new(date.day0().into())
}

/// When the running hour began: the last instant not after `now` at which a clock on the wall showed a full hour, or at
/// which it was changed within the hour (Australia/Lord_Howe changes by half an hour).
fn start_of_hour(now: Instant, zone: Zone) -> Instant {
    let offset = |instant: Instant| zone.wall(instant) - instant.to_utc().naive_utc();
    let wall = zone.wall(now);
    let into = i64::from(wall.minute()) * MINUTE
        + i64::from(wall.second()) * 1_000_000
        + i64::from(wall.nanosecond() / 1_000);
    let mut start = Instant::nearest(now.micros() - into);
    if offset(start) == offset(now) {
        return start;
    }
    // The clock was changed since: halve the distance to that change until its microsecond is found.
    let mut after = now;
    while after.micros() - start.micros() > 1 {
        let middle = Instant::nearest(start.micros() + (after.micros() - start.micros()) / 2);
        if offset(middle) == offset(now) {
            after = middle;
        } else {
            start = middle;
        }
    }
    after
}
