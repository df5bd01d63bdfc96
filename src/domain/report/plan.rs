//! What a report reads: questions to sources, each of which becomes one statement. Values without a database, so that a
//! plan can be printed and compared.
//!
//! Which source answers, and how time is cut into pieces, is decided in `analytics::report`; SQL is made of it in
//! `store::report`.

use super::Dimension;
use super::metric::Measure;
use crate::domain::columns::can_answer;
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::money::Currency;
use crate::domain::rule::SegmentSet;
use crate::domain::sales::{AxisRange, DateAxis};
use crate::domain::time::Span;
use crate::domain::totals::{Cells, Grain, Total};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Where sums are read. There can be more of them: whatever holds columns for dimensions and sums for measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A table of sums.
    Total(Total),
    /// The actions.
    Facts,
    /// The actions with their cart items.
    Items,
    /// Counts of clicks: of all SubIDs together, or by the SubID of a slot.
    Clicks(Option<u8>),
}

impl Source {
    /// Its name in `info.sources`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Total(total) => total.table(),
            Self::Facts | Self::Items => "facts",
            Self::Clicks(_) => "click_stats",
        }
    }
}

/// What is read of a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A run of a total's cells, as one.
    Run(Cells),
    /// A run of a total's cells, each of which is a piece, called by its number.
    Each(Cells),
    /// Many short runs of a total's cells, each of which is a piece, called by its first cell.
    Runs {
        /// Length of the cells.
        grain: Grain,
        /// From a cell up to but without another.
        runs: Vec<(i64, i64)>,
    },
    /// Stretches of the facts, each of which is a piece, called by its first value on the axis: microsecond or day. Of
    /// counts of clicks: of the microseconds that their days stand at.
    Facts(Vec<(i64, i64)>),
}

impl Part {
    /// How many cells a UTC day has, and which of them each run begins with, where the runs begin alike and none goes
    /// on into the next day. Then a run is known by its day, and its cells can be listed one by one, which databases
    /// look up much faster than runs.
    #[must_use]
    pub fn beat(&self) -> Option<(i64, i64)> {
        let Self::Runs { grain, runs } = self else {
            return None;
        };
        let a_day = cells_a_day(*grain)?;
        let first = runs.first()?.0.rem_euclid(a_day);
        let fits = |(from, to): &(i64, i64)| {
            from.rem_euclid(a_day) == first && first + (to - from) <= a_day
        };
        runs.iter().all(fits).then_some((a_day, first))
    }
}

/// How many cells of a grain a UTC day has; nothing for days and longer ones.
#[must_use]
pub fn cells_a_day(grain: Grain) -> Option<i64> {
    let a_day = Grain::Day.micros() / grain.micros();
    (a_day > 1).then_some(a_day)
}

/// What is asked about each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Sums, by currency.
    Sums(Vec<Measure>),
    /// Distinct users.
    Users,
    /// Median and 90th percentile of the seconds from click to order.
    ConversionLag,
    /// Likewise from order to status change.
    ValidationLag,
    /// Clicks and views.
    Clicks,
}

/// The largest groups alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// By this sum, downwards; ties by the key.
    pub by: Measure,
    /// In this currency, for money.
    pub currency: Option<Currency>,
    /// So many.
    pub count: u32,
}

/// A question that one statement answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub what: What,
    /// Of what.
    pub source: Source,
    /// Of when: on which axis, and all in all.
    pub range: AxisRange,
    /// The stretches that make up the range.
    pub parts: Vec<Part>,
    /// Where pieces belong, by part and name: slots of time, and whether they add to them or take off. Empty where the
    /// report is not divided by time.
    pub places: BTreeMap<(usize, i64), Vec<(usize, i8)>>,
    /// The microseconds at which the stretches of time of its pieces begin, in their order, where pieces of facts are days.
    pub begins: Vec<i64>,
    /// Grouped by these.
    pub dimensions: Vec<Dimension>,
    /// The segments that dimensions of segments divide by.
    pub segments: Vec<Arc<SegmentSet>>,
    /// Money and units as the items say, though nothing is grouped by items.
    pub item_sums: bool,
    /// Grouped by UTC day as well, for exchange rates.
    pub per_day: bool,
    /// Which actions.
    pub filter: Filter<ActionTest>,
    /// Only the largest groups.
    pub top: Option<Top>,
    /// Summed up by user first, and by what the users are then; with the currencies of the facts, which a plan does not
    /// know and a reading fills in.
    pub per_user: Option<Vec<Currency>>,
}

impl Ask {
    /// Whether rows tell the piece that they are of.
    #[must_use]
    pub fn tells_pieces(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether users are new by what lies before the stretch of time of an action, which the name of its piece does not
    /// tell.
    #[must_use]
    pub fn needs_begins(&self) -> bool {
        !self.begins.is_empty() && self.dimensions.contains(&Dimension::UserAge)
    }

    /// Whether rows tell how the reason of a decline is written, which keys have folded.
    #[must_use]
    pub fn tells_reasons(&self) -> bool {
        matches!(self.what, What::Sums(_)) && self.dimensions.contains(&Dimension::DeclineReason)
    }

    /// How many rows a group can have of one piece of time: of a category at level 2 those of its own items, and what it has
    /// beyond them.
    fn tiers(&self) -> usize {
        let has_two = self.source == Source::Total(Total::Category)
            && self.dimensions.contains(&Dimension::CategoryLevel2);
        if has_two && self.tells_pieces() { 2 } else { 1 }
    }

    /// Whether there can be more rows than groups, because stretches of time are made of several pieces or share some.
    #[must_use]
    pub fn is_piecemeal(&self) -> bool {
        let slots: BTreeSet<usize> = self.slots().collect();
        self.slots().count() > slots.len() || self.tiers() > 1
    }

    fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.values().flatten().map(|(slot, _)| *slot)
    }

    /// How many rows one part can have for each group: a stretch has a piece of it between its edges, and one at each, which it
    /// shares with its neighbour; with room for one more, since facts that lie at an edge can be all on the other side.
    #[must_use]
    pub fn rows_of_part(&self) -> usize {
        4 * self.tiers()
    }

    /// How many groups pieces can name for each that there is: of an edge between two stretches both, also where all its
    /// facts lie on one side.
    #[must_use]
    pub fn names_of_group(&self) -> usize {
        3 * self.tiers()
    }

    /// The same question about each of its parts.
    pub fn by_parts(&self) -> impl Iterator<Item = Self> + '_ {
        self.parts.iter().enumerate().map(|(number, part)| {
            let own = self.places.range((number, i64::MIN)..=(number, i64::MAX));
            let places = own.map(|((_, piece), slots)| ((0, *piece), slots.clone()));
            Self {
                parts: vec![part.clone()],
                places: places.collect(),
                ..self.clone()
            }
        })
    }

    /// Whether keys that are missing are filled with a total's word for none: the nil id, the empty text.
    #[must_use]
    pub fn fills_keys(&self) -> bool {
        matches!(self.source, Source::Total(_)) || self.top.is_some()
    }

    /// Whether it reads facts, and not just at the ragged ends of its range.
    #[must_use]
    pub fn reads_facts(&self) -> bool {
        matches!(self.source, Source::Facts | Source::Items)
    }

    /// The stretches of facts that it reads beside the cells of a total, because these are too long.
    #[must_use]
    pub fn ends(&self) -> Vec<(i64, i64)> {
        if !matches!(self.source, Source::Total(_)) {
            return Vec::new();
        }
        let parts = self.parts.iter();
        let ends = parts.filter_map(|part| match part {
            Part::Facts(spans) => Some(spans),
            Part::Run(_) | Part::Each(_) | Part::Runs { .. } => None,
        });
        ends.flatten().copied().collect()
    }
}

/// The questions about one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeriodPlan {
    /// The stretches of time that the report is divided into; none where it is not.
    pub slots: Vec<Span>,
    /// About the groups.
    pub groups: Vec<Ask>,
    /// About all facts.
    pub totals: Vec<Ask>,
}

impl PeriodPlan {
    /// Fills in the currencies of the facts, where a question asks for them.
    pub fn fill(&mut self, currencies: &[Currency]) {
        for ask in self.groups.iter_mut().chain(&mut self.totals) {
            if let Some(held) = &mut ask.per_user {
                held.clear();
                held.extend_from_slice(currencies);
            }
        }
    }
}

/// All questions of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of its range.
    pub current: PeriodPlan,
    /// Of the period that is compared with.
    pub compared: Option<PeriodPlan>,
    /// The sums that expectations rest on.
    pub base: Option<Ask>,
    /// Why facts are read, in words; none where totals answer everything.
    pub forced: Vec<String>,
    /// How many groups there may be, per currency and day.
    pub most_rows: usize,
}

impl Plan {
    /// All questions, in the order in which they are asked.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        let periods = [Some(&self.current), self.compared.as_ref()];
        periods
            .into_iter()
            .flatten()
            .flat_map(|period| period.groups.iter().chain(&period.totals))
            .chain(&self.base)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut period = |name: &str, plan: &PeriodPlan| {
            if !plan.slots.is_empty() {
                writeln!(f, "{name}: {} stretches of time", plan.slots.len())?;
            }
            for ask in &plan.groups {
                writeln!(f, "{name}, groups: {ask}")?;
            }
            for ask in &plan.totals {
                writeln!(f, "{name}, totals: {ask}")?;
            }
            Ok(())
        };
        period("range", &self.current)?;
        if let Some(compared) = &self.compared {
            period("compared", compared)?;
        }
        if let Some(base) = &self.base {
            writeln!(f, "base of expectations: {base}")?;
        }
        for reason in &self.forced {
            writeln!(f, "facts are read: {reason}")?;
        }
        write!(f, "at most {} groups, per currency and day", self.most_rows)
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Sums(measures) => write!(f, "sums {measures:?}")?,
            What::Users => write!(f, "distinct users")?,
            What::ConversionLag => write!(f, "quantiles from click to order")?,
            What::ValidationLag => write!(f, "quantiles from order to status change")?,
            What::Clicks => write!(f, "clicks and views")?,
        }
        match self.source {
            Source::Total(total) => write!(f, " of {}", total.table())?,
            Source::Facts => write!(f, " of actions")?,
            Source::Items => write!(f, " of actions with their items")?,
            Source::Clicks(None) => write!(f, " of click_stats, all SubIDs together")?,
            Source::Clicks(Some(slot)) => write!(f, " of click_stats by SubID {slot}")?,
        }
        let dimensions: Vec<&str> = self.dimensions.iter().map(|by| by.as_str()).collect();
        if !dimensions.is_empty() {
            write!(f, " by {}", dimensions.join(", "))?;
        }
        if self.dimensions.iter().any(|by| by.segments_of().is_some()) {
            write!(f, ", of {} segments", self.segments.len())?;
        }
        if self.per_day {
            write!(f, ", by UTC day")?;
        }
        if self.per_user.is_some() {
            write!(f, ", by user first")?;
        }
        if let Some(top) = &self.top {
            write!(f, ", the first {} by {:?}", top.count, top.by)?;
            if let Some(currency) = top.currency {
                write!(f, " in {currency}")?;
            }
        }
        if can_answer(self) {
            write!(f, ", or of columns in memory")?;
        }
        let axis = self.range.axis;
        if axis != DateAxis::Ordered {
            write!(f, ", on the axis {}", axis.as_str())?;
        }
        for part in &self.parts {
            match (self.source, part) {
                (Source::Clicks(_), Part::Facts(spans)) => {
                    write!(f, "\n  {} stretches of days", spans.len())?;
                }
                _ => write!(f, "\n  {part}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(cells) => write!(f, "{} cells of {:?}", cells.to - cells.from, cells.grain),
            Self::Each(cells) => write!(
                f,
                "{} cells of {:?}, each by itself",
                cells.to - cells.from,
                cells.grain
            ),
            Self::Runs { grain, runs } => {
                let cells: i64 = runs.iter().map(|(from, to)| to - from).sum();
                write!(f, "{} runs of {cells} cells of {grain:?}", runs.len())
            }
            Self::Facts(spans) => write!(f, "{} stretches of facts", spans.len()),
        }
    }
}
