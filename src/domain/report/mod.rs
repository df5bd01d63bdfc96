//! Reports: what can be asked for, and what an answer holds.
//!
//! A report counts exactly the facts of its filter in its range, divides them into groups by any dimensions and
//! optionally by time, and answers metrics of each group. Which data it is read from and by which statements is
//! `analytics`' and `store`'s; what a metric is says [`metric`], how its value follows from measured sums [`measured`].

pub mod buckets;
pub mod measured;
pub mod metric;
pub mod plan;
pub mod rates;

use super::action::words;
use super::clicks::KnownDays;
use super::error::{Error, PassedLimit};
use super::filter::{ActionTest, Filter};
use super::money::Currency;
use super::page::{Direction, PageRequest};
use super::rule::{SegmentSet, Subject};
use super::sales::AxisRange;
use super::time::{Day, Instant, Span, WeekStart};
use metric::{Metric, Values};
use std::sync::Arc;
use uuid::Uuid;

/// How many stretches of time a report can be divided into.
pub const MAX_BUCKETS: usize = 10_000;
/// How many groups a report may have, counted per currency and, where money is converted, per UTC day: whatever pieces
/// their stretches of time are read in.
pub const MAX_ROWS: usize = 200_000;
/// How many actions a report or a ranking may read where no total answers it.
pub const MAX_FACTS: i64 = 2_000_000;

/// What a report or a ranking may read, and what a report may be divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportLimits {
    /// Actions one by one, and likewise counts of clicks by SubID.
    pub facts: i64,
    /// Groups, per currency and day ([`MAX_ROWS`]).
    pub rows: usize,
    /// Stretches of time.
    pub stretches: usize,
    /// Segments that it is grouped by.
    pub segments: usize,
    /// Dimensions.
    pub dimensions: usize,
    /// Conditions on groups.
    pub conditions: usize,
}

impl Default for ReportLimits {
    fn default() -> Self {
        Self {
            facts: MAX_FACTS,
            rows: MAX_ROWS,
            stretches: MAX_BUCKETS,
            segments: 20,
            dimensions: 5,
            conditions: 10,
        }
    }
}

/// The refusal of a report of more groups than are allowed; `found` is at least how many there are.
#[must_use]
pub fn too_many_groups(most: usize, found: usize) -> Error {
    Error::limit(
        "groupBy",
        PassedLimit::of("reportRows", most, found),
        format!(
            "the report has more than {most} groups, counted per currency and, where money is converted, per UTC day; \
             group by less, filter more or ask for a shorter range"
        ),
    )
}

words! {
    /// The length of the stretches of time that a report is divided into. All but the quarter hour and the hour follow
    /// the local calendar.
    Bucket {
        /// Fifteen minutes.
        QuarterHour = "QUARTER_HOUR",
        /// An hour.
        Hour = "HOUR",
        /// A local day, of 23 to 25 hours where clocks change.
        Day = "DAY",
        /// Seven local days.
        Week = "WEEK",
        /// A calendar month.
        Month = "MONTH",
        /// Three calendar months.
        Quarter = "QUARTER",
        /// A calendar year.
        Year = "YEAR",
    }
}

words! {
    /// What facts are grouped by.
    Dimension {
        /// Program.
        Program = "PROGRAM",
        /// Ad space; actions without one are a group of their own.
        AdSpace = "AD_SPACE",
        /// Click country, likewise.
        Country = "COUNTRY",
        /// Status.
        Status = "STATUS",
        /// Sale or lead.
        ActionType = "ACTION_TYPE",
        /// Currency.
        Currency = "CURRENCY",
        /// Device class; actions without one are a group of their own.
        Device = "DEVICE",
        /// `subid`, likewise.
        Subid0 = "SUBID0",
        /// `subid1`, likewise.
        Subid1 = "SUBID1",
        /// `subid2`, likewise.
        Subid2 = "SUBID2",
        /// `subid3`, likewise.
        Subid3 = "SUBID3",
        /// `subid4`, likewise.
        Subid4 = "SUBID4",
        /// Product of the cart items; items without one are a group of their own.
        Product = "PRODUCT",
        /// Category of the cart items at level 1; items without one are a group of their own.
        CategoryLevel1 = "CATEGORY_LEVEL_1",
        /// Likewise at level 2, or above where an item's own is.
        CategoryLevel2 = "CATEGORY_LEVEL_2",
        /// The items' own categories.
        CategoryOwn = "CATEGORY_OWN",
        /// Tariff of the action.
        Tariff = "TARIFF",
        /// Promo code.
        PromoCode = "PROMO_CODE",
        /// Reason of a declined action: its comment; declined ones without one are unstated, others have none.
        DeclineReason = "DECLINE_REASON",
        /// Whether the user had a counted (not declined) action before the stretch of time began, as it is cut to the
        /// range, or before the range where the report is not divided by time; whatever the report's filter. Actions
        /// without a user are unattributed.
        UserAge = "USER_AGE",
        /// How many of the report's actions the user has in the range: 1, 2 to 3, 4 to 9, more.
        UserFrequency = "USER_FREQUENCY",
        /// Which of the report's segments of users the user is in; an action counts in each of them, those of users in none
        /// and those without a user are a group of their own.
        UserSegment = "USER_SEGMENT",
        /// Which of the report's segments of products the product of the cart items is in, likewise.
        ProductSegment = "PRODUCT_SEGMENT",
    }
}

impl Dimension {
    /// Whether it divides cart items, not actions. A report over such a dimension sums items, and an action can count
    /// in several of its groups.
    #[must_use]
    pub fn is_of_items(self) -> bool {
        matches!(
            self,
            Self::Product
                | Self::CategoryLevel1
                | Self::CategoryLevel2
                | Self::CategoryOwn
                | Self::ProductSegment
        )
    }

    /// What it takes segments of, if it does.
    #[must_use]
    pub fn segments_of(self) -> Option<Subject> {
        match self {
            Self::UserSegment => Some(Subject::Users),
            Self::ProductSegment => Some(Subject::Products),
            _ => None,
        }
    }

    /// Which SubID it divides by, if it does.
    #[must_use]
    pub fn subid_slot(self) -> Option<u8> {
        match self {
            Self::Subid0 => Some(0),
            Self::Subid1 => Some(1),
            Self::Subid2 => Some(2),
            Self::Subid3 => Some(3),
            Self::Subid4 => Some(4),
            _ => None,
        }
    }
}

words! {
    /// A value of [`Dimension::UserAge`].
    UserAge {
        /// The user had no counted action before the stretch of time, or the range, began: the first one ever lies in it.
        New = "NEW",
        /// There was one before.
        Returning = "RETURNING",
        /// The action names no user.
        Unattributed = "UNATTRIBUTED",
    }
}

words! {
    /// A value of [`Dimension::UserFrequency`].
    UserFrequency {
        /// One of the report's actions.
        Once = "ONCE",
        /// Two or three.
        Few = "FEW",
        /// Four to nine.
        Regular = "REGULAR",
        /// Ten or more.
        Loyal = "LOYAL",
        /// The action names no user.
        Unattributed = "UNATTRIBUTED",
    }
}

/// The value of one dimension in a group's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// The facts that lack it: no ad space, no country, no product ...
    None,
    /// An id: program, ad space, product, category, segment.
    Id(Uuid),
    /// A word or text: country, status, SubID ... As a decline reason, the empty text is a declined action that states
    /// none; another one is folded while groups are made, and in a report's rows as one of its actions writes it.
    Text(String),
}

/// What is asked for beside the values of the groups, each part with metrics of its own, once each and in the table's
/// order. What nobody asked for is not computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many groups there are.
    pub groups: bool,
    /// Metrics of the groups in the period that is compared with, if one is ([`ReportRequest::compare`]).
    pub compared: Vec<Metric>,
    /// Metrics of the totals; also those that shares are of.
    pub totals: Vec<Metric>,
    /// Metrics of the totals of the period that is compared with, likewise.
    pub compared_totals: Vec<Metric>,
    /// Metrics of the totals less the page.
    pub others: Vec<Metric>,
    /// Running sums of the groups' metrics.
    pub running: bool,
    /// The plan and its statements.
    pub explain: bool,
}

/// A condition on a metric of a group, for `having`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Having {
    /// The metric.
    pub metric: Metric,
    /// The currency that a metric of money is looked at in.
    pub currency: Option<Currency>,
    /// At least this, in the metric's own scale (see [`metric::MetricValue::order`]).
    pub at_least: Option<i64>,
    /// At most this.
    pub at_most: Option<i64>,
}

/// What groups are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKey {
    /// A metric; one of money in the currency given. Groups without a value stand last.
    Metric(Metric, Option<Currency>),
    /// A dimension's key: names by their bytes, ids by the name shown is not offered.
    Dimension(Dimension),
    /// The beginning of the stretch of time.
    Time,
}

/// One key of a report's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportOrder {
    /// What is ordered by.
    pub key: OrderKey,
    /// Direction.
    pub direction: Direction,
}

words! {
    /// What groups are compared with.
    Comparison {
        /// The period before.
        PreviousPeriod = "PREVIOUS_PERIOD",
        /// The same local dates a year earlier.
        YearBefore = "YEAR_BEFORE",
    }
}

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRequest {
    /// When.
    pub range: AxisRange,
    /// The period before, as the range's kind defines it.
    pub previous: Span,
    /// Which actions: exactly these.
    pub filter: Filter<ActionTest>,
    /// The dimensions, in the key's order, each once.
    pub dimensions: Vec<Dimension>,
    /// The segments that dimensions of segments divide by.
    pub segments: Vec<Arc<SegmentSet>>,
    /// Divided by time as well.
    pub bucket: Option<Bucket>,
    /// The first day of weeks.
    pub week_start: WeekStart,
    /// What is answered of each group, each once, in the table's order. Metrics of [`ReportRequest::having`],
    /// [`ReportRequest::order`] and [`ReportRequest::wanted`] need not be among them.
    pub metrics: Vec<Metric>,
    /// What is answered beside the groups.
    pub wanted: Wanted,
    /// Which groups stay.
    pub having: Vec<Having>,
    /// The order; where empty, by time, then by the number of actions, the most first. Ties by time and key, groups without
    /// a value last.
    pub order: Vec<ReportOrder>,
    /// The page.
    pub page: PageRequest,
    /// The currency that all money is converted to, by the rate of each day.
    pub currency: Option<Currency>,
    /// What groups are compared with.
    pub compare: Option<Comparison>,
    /// Whether groups of the period that is compared with appear with zeros where the range has nothing of them.
    pub vanished: bool,
    /// Whether stretches of time without facts appear with zeros.
    pub fill_gaps: bool,
    /// The present.
    pub now: Instant,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow {
    /// The stretch of time, cut to the range, if the report is divided by time.
    pub time: Option<Span>,
    /// The values of the dimensions, in their order.
    pub key: Vec<KeyPart>,
    /// Its metrics.
    pub values: Values,
    /// The same group in the period that is compared with, if that was asked for: zeros where it has none there.
    /// Stretches of time are compared with what [`buckets::earlier`] says. Groups of that period alone are rows where
    /// [`ReportRequest::vanished`] says so.
    pub compared: Option<Values>,
    /// Sums of this row and all before it in the report's order, whatever the page, if they were asked for: only what
    /// adds up ([`metric::adds_up`]).
    pub running: Option<Values>,
}

/// What a report was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The sources, in words of the catalogue: names of totals, or `facts`, also where only the ends of stretches of time
    /// are read there.
    pub sources: Vec<&'static str>,
    /// Rows of totals and facts that were summed up.
    pub rows_read: i64,
}

/// A missing exchange rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRate {
    /// From.
    pub from: Currency,
    /// To.
    pub to: Currency,
    /// The first UTC day that needed it, days since 1970-01-01.
    pub day: i32,
}

/// What is said where a report asks for clicks, and not all of its clicks are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LackingClicks {
    /// The days that are known, if any is.
    pub known: Option<KnownDays>,
    /// Whether it asks for days that are not among them.
    pub is_beyond: bool,
    /// The first and the last day of what upstream refuses of some of its programs and ad spaces.
    pub gap: Option<(Day, Day)>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The page, with cursors.
    pub page: super::page::Page<ReportRow>,
    /// How many groups there are after `having`, if that was asked for.
    pub groups: Option<i64>,
    /// All facts of the report, whatever `having` and page: what was asked for of them. Over dimensions of cart items:
    /// money as the items say, actions whether they have items or not.
    pub totals: Values,
    /// Likewise of the period that is compared with, if one is.
    pub compared_totals: Option<Values>,
    /// The totals less this page: what was asked for of them and follows from sums ([`metric::follows_from_sums`]).
    pub others: Values,
    /// Where it was read.
    pub reading: Reading,
    /// Which rates are missing; amounts that need them are answered in their own currency.
    pub missing_rates: Vec<MissingRate>,
    /// Whether clicks were asked for that are not known: of the range, or of the period compared with.
    pub lacking_clicks: Option<LackingClicks>,
    /// The plan and its statements with their texts, if they were asked for; else empty.
    pub explain: String,
}
