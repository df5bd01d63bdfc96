//! Ranges: which, on which instant of an action, in which zone.

use async_graphql::{Enum, InputObject, OneofObject};

use crate::domain::error::Error;
use crate::domain::sales;
use crate::domain::sales::AxisRange;
use crate::domain::time;
use crate::domain::time::{Range, Span};
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{Date, DateTime, TimeZone};

/// The instant of an action that a range is laid on. An action that lacks it is outside every range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "sales::DateAxis")]
pub enum DateAxis {
    /// The order.
    Ordered,
    /// The click.
    Clicked,
    /// The last change of status.
    StatusUpdated,
    /// The closing day: inside when the day begins inside, in the time zone of the range.
    Closed,
}

/// The day that weeks begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "time::WeekStart")]
pub enum WeekStart {
    /// Weeks from Monday to Sunday, as in ISO 8601.
    Monday,
    /// Weeks from Tuesday to Monday.
    Tuesday,
    /// Weeks from Wednesday to Tuesday.
    Wednesday,
    /// Weeks from Thursday to Wednesday.
    Thursday,
    /// Weeks from Friday to Thursday.
    Friday,
    /// Weeks from Saturday to Friday.
    Saturday,
    /// Weeks from Sunday to Saturday.
    Sunday,
}

/// A unit of time. All but the hour follow the calendar of the time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "time::Unit")]
pub enum TimeUnit {
    /// Sixty minutes.
    Hour,
    /// A local calendar day, of 23 to 25 hours where clocks change.
    Day,
    /// Seven local days.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

/// A range by name, in the calendar of the time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "time::Preset")]
pub enum RangePreset {
    /// The running day, up to now.
    Today,
    /// The whole day before today.
    Yesterday,
    /// The running week, up to now.
    ThisWeek,
    /// The whole week before the running one.
    LastWeek,
    /// The running month, up to now.
    ThisMonth,
    /// The whole month before the running one.
    LastMonth,
    /// The running quarter, up to now.
    ThisQuarter,
    /// The whole quarter before the running one.
    LastQuarter,
    /// The running year, up to now.
    ThisYear,
    /// The whole year before the running one.
    LastYear,
}

/// A range between two points in time.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct BetweenInput {
    /// The first instant inside.
    from: DateTime,
    /// The first instant after it: not inside.
    to: DateTime,
}

/// A range of calendar days in the time zone.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct DaysInput {
    /// The first day.
    from: Date,
    /// The last day: inside.
    to: Date,
}

/// A range of so many units up to now.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct LastInput {
    /// How many: at most 8784 hours, 18250 days, 2600 weeks, 600 months, 200 quarters or 50 years.
    count: i32,
    /// Of what.
    unit: TimeUnit,
    /// Only finished units: the range ends where the running unit began instead of now.
    #[graphql(default)]
    whole_units: bool,
}

/// A range of time, in exactly one of four ways.
#[derive(Clone, Copy, Debug, OneofObject)]
pub enum RangeInput {
    /// From a point in time up to, but without, another.
    Between(BetweenInput),
    /// Calendar days in the time zone, the first and the last included.
    Days(DaysInput),
    /// So many units up to now.
    Last(LastInput),
    /// A range by name.
    Preset(RangePreset),
}

impl RangeInput {
    /// The last so many days.
    pub fn last_days(days: i64) -> Self {
        Self::Last(LastInput {
            // More than there are is refused as more than there can be.
            count: i32::try_from(days).unwrap_or(i32::MAX),
            unit: TimeUnit::Day,
            whole_units: false,
        })
    }

    /// The range that is meant, without its instants.
    ///
    /// # Errors
    /// When it counts less than nothing.
    pub fn range(self) -> Result<Range> {
        Ok(match self {
            Self::Between(given) => Range::Between {
                from: given.from.0,
                to: given.to.0,
            },
            Self::Days(given) => Range::Days {
                from: given.from.0,
                to: given.to.0,
            },
            Self::Last(given) => Range::Last {
                count: u32::try_from(given.count).map_err(|_| {
                    let message = format!(
                        "`last` was asked for {}: the count must be at least 1",
                        given.count
                    );
                    Error::bad_input("range.last.count", message)
                })?,
                unit: given.unit.into(),
                whole_units: given.whole_units,
            },
            Self::Preset(preset) => Range::Preset(preset.into()),
        })
    }
}

/// How a range is to be understood.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeArgs {
    /// The instant that it is laid on; the order without.
    pub axis: Option<DateAxis>,
    /// The zone; the publisher's without.
    pub zone: Option<TimeZone>,
    /// The first day of weeks; Monday without.
    pub week_start: Option<WeekStart>,
}

/// A range as facts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranged {
    /// What was asked for.
    pub range: AxisRange,
    /// What it is compared with.
    pub previous: Span,
}

impl RangeArgs {
    /// What `range` means in this request.
    ///
    /// # Errors
    /// When it ends before it begins, or reaches too far.
    pub fn ranged(self, range: RangeInput, request: &RequestContext) -> Result<Ranged> {
        let zone = self
            .zone
            .map_or(request.viewer.publisher.zone, |zone| zone.0);
        let week_start = self
            .week_start
            .map_or_else(time::WeekStart::default, Into::into);
        let period = range
            .range()?
            .resolve(request.now, zone, week_start)
            .map_err(|error| Failure::time("range", &error))?;
        let axis = self.axis.map_or(sales::DateAxis::Ordered, Into::into);
        Ok(Ranged {
            range: AxisRange {
                axis,
                span: period.current,
                zone,
            },
            previous: period.previous,
        })
    }
}
