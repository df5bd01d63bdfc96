//! Totals: which sums are kept, at which grains, and how a stretch of time is covered with their cells.
//!
//! A total is a table of sums over cells of time in UTC. One copy serves every time zone, because all offsets in use
//! are multiples of fifteen minutes: the inside of a stretch is summed from large cells, its ends from small ones, and
//! what is smaller than a total's smallest cell is read from the facts. The sums themselves are kept by difference:
//! whenever an action changes, what it contributed before leaves every cell and what it contributes now enters, in the
//! same transaction (`store::apply`).
//!
//! Not here: what an action contributes (`contribution`), SQL (`store`), which total answers a question (`analytics`).

use super::filter::{ActionField, ActionTest, Filter};
use super::time::{DAY_US, Instant, Span};

/// The layout of the totals that this version keeps. Raise it when what is kept changes: totals of an older layout are
/// rebuilt when a database is brought up to this version.
pub const LAYOUT: i32 = 1;

/// Microseconds of a quarter of an hour.
const QUARTER_HOUR_US: i64 = 900_000_000;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;
/// 1970-01-01 was a Thursday: three days after the Monday that its week began with.
const INTO_WEEK_US: i64 = 3 * DAY_US;

/// The length of a total's cells. Cells are numbered from the one that holds 1970-01-01T00:00Z, which has number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// Fifteen minutes.
    QuarterHour,
    /// An hour.
    Hour,
    /// Six hours from 0, 6, 12 or 18 o'clock UTC on.
    SixHours,
    /// A UTC day.
    Day,
    /// A week of UTC days from Monday on.
    Week,
    /// Four such weeks.
    FourWeeks,
}

impl Grain {
    /// All grains, from the smallest.
    pub const ALL: [Self; 6] = [
        Self::QuarterHour,
        Self::Hour,
        Self::SixHours,
        Self::Day,
        Self::Week,
        Self::FourWeeks,
    ];

    /// The grain's number in the tables.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::QuarterHour => 0,
            Self::Hour => 1,
            Self::SixHours => 2,
            Self::Day => 3,
            Self::Week => 4,
            Self::FourWeeks => 5,
        }
    }

    /// The length of a cell in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        match self {
            Self::QuarterHour => QUARTER_HOUR_US,
            Self::Hour => HOUR_US,
            Self::SixHours => 6 * HOUR_US,
            Self::Day => DAY_US,
            Self::Week => 7 * DAY_US,
            Self::FourWeeks => 28 * DAY_US,
        }
    }

    /// How long before 1970-01-01T00:00Z cell 0 began, in microseconds.
    #[must_use]
    pub const fn lead(self) -> i64 {
        match self {
            Self::QuarterHour | Self::Hour | Self::SixHours | Self::Day => 0,
            Self::Week | Self::FourWeeks => INTO_WEEK_US,
        }
    }

    /// The cell that an instant lies in.
    #[must_use]
    pub const fn cell(self, instant: Instant) -> i64 {
        (instant.micros() + self.lead()).div_euclid(self.micros())
    }

    /// The cell that a cell of a smaller grain lies in.
    #[must_use]
    pub const fn cell_of(self, smaller: Self, cell: i64) -> i64 {
        (smaller.start(cell) + self.lead()).div_euclid(self.micros())
    }

    /// The microsecond at which a cell begins; negative for cell 0 of the weeks.
    #[must_use]
    pub const fn start(self, cell: i64) -> i64 {
        cell * self.micros() - self.lead()
    }
}

/// Cells of one grain, from one up to but without another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cells {
    /// Their length.
    pub grain: Grain,
    /// The first.
    pub from: i64,
    /// The one after the last.
    pub to: i64,
}

/// Cells and stretches that make up a span: they do not overlap, and nothing is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Runs of cells, in the order of time.
    pub cells: Vec<Cells>,
    /// What is left to the facts: at most one stretch at each end.
    pub ragged: Vec<Span>,
}

/// Covers a span with the fewest cells of the grains given, which ascend.
#[must_use]
pub fn cover(span: Span, grains: &[Grain]) -> Cover {
    let mut found = Cover::default();
    fill(span.from.micros(), span.to.micros(), grains, &mut found);
    found
}

/// Covers all time from an instant on.
#[must_use]
pub fn cover_from(from: Instant, grains: &[Grain]) -> Cover {
    let Some(largest) = grains.last() else {
        return Cover::default();
    };
    let last = largest.cell(Instant::MAX);
    let mut found = Cover::default();
    if largest.start(last) < from.micros() {
        fill(from.micros(), Instant::MAX.micros(), grains, &mut found);
        return found;
    }
    fill(from.micros(), largest.start(last), grains, &mut found);
    found.cells.push(Cells {
        grain: *largest,
        from: last,
        to: last + 1,
    });
    found
}

/// Covers a stretch of microseconds: the largest grain inside, the smaller ones on both sides of it.
fn fill(from: i64, to: i64, grains: &[Grain], found: &mut Cover) {
    if from >= to {
        return;
    }
    let Some((grain, smaller)) = grains.split_last() else {
        found.ragged.push(Span {
            from: Instant::nearest(from),
            to: Instant::nearest(to),
        });
        return;
    };
    let first = (from + grain.lead() + grain.micros() - 1).div_euclid(grain.micros());
    let end = (to + grain.lead()).div_euclid(grain.micros());
    if first >= end {
        fill(from, to, smaller, found);
        return;
    }
    fill(from, grain.start(first), smaller, found);
    found.cells.push(Cells {
        grain: *grain,
        from: first,
        to: end,
    });
    fill(grain.start(end), to, smaller, found);
}

/// A total: a table of sums that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Total {
    /// By status and currency: series in any time zone, and the totals of everything.
    Time,
    /// By program and ad space as well.
    Channel,
    /// By program, ad space, country, device and type of action as well.
    Audience,
    /// Cart items by category, status and currency.
    Category,
    /// Cart items by product, status and currency.
    Product,
}

impl Total {
    /// All totals.
    pub const ALL: [Self; 5] = [
        Self::Time,
        Self::Channel,
        Self::Audience,
        Self::Category,
        Self::Product,
    ];

    /// Its table, which is also its name in `info.source`.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Time => "totals_time",
            Self::Channel => "totals_channel",
            Self::Audience => "totals_audience",
            Self::Category => "totals_category",
            Self::Product => "totals_product",
        }
    }

    /// Its grains, from the smallest. Small cells where local days are asked for, large ones where a cell has many
    /// rows that the next cell repeats.
    #[must_use]
    pub const fn grains(self) -> &'static [Grain] {
        match self {
            Self::Time => &[
                Grain::QuarterHour,
                Grain::Hour,
                Grain::SixHours,
                Grain::Day,
                Grain::FourWeeks,
            ],
            Self::Channel => &[Grain::Hour, Grain::Day, Grain::FourWeeks],
            Self::Audience | Self::Category => &[Grain::Day, Grain::Week, Grain::FourWeeks],
            // Most products sell once in a week: four weeks have nearly as many rows as their weeks.
            Self::Product => &[Grain::Day, Grain::Week],
        }
    }

    /// The columns beside publisher, grain and cell that make up its key, in the key's order.
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Time => &["status", "currency"],
            Self::Channel => &["status", "currency", "program_id", "ad_space_id"],
            Self::Audience => &[
                "status",
                "currency",
                "program_id",
                "ad_space_id",
                "country",
                "device",
                "action_type",
            ],
            Self::Category => &["tier", "status", "currency", "category_id"],
            Self::Product => &["status", "product_id", "currency"],
        }
    }

    /// Whether a filter looks at nothing but what this total keeps apart.
    #[must_use]
    pub fn answers(self, filter: &Filter<ActionTest>) -> bool {
        let of_channel = matches!(self, Self::Channel | Self::Audience);
        !filter.mentions(&|test| match test {
            ActionTest::Field(field, _) => match field {
                ActionField::Status | ActionField::Currency => false,
                ActionField::Country | ActionField::Device | ActionField::ActionType => {
                    self != Self::Audience
                }
                _ => true,
            },
            ActionTest::Program(_) | ActionTest::AdSpace(_) => !of_channel,
            ActionTest::User(_) | ActionTest::Items(..) => true,
        })
    }

    /// The columns of its sums.
    #[must_use]
    pub const fn sums(self) -> &'static [&'static str] {
        match self {
            Self::Time | Self::Channel | Self::Audience => &[
                "actions",
                "units",
                "order_amount_e4",
                "amounted",
                "reward_e4",
                "paid_e4",
                "items_amount_e4",
                "items_reward_e4",
                "carted",
            ],
            Self::Category | Self::Product => &["actions", "units", "order_amount_e4", "reward_e4"],
        }
    }
}

/// Where sums are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The facts.
    Facts,
    /// A total; what its cells do not cover, the facts.
    Total(Total, Cover),
}

impl Source {
    /// Likewise over all time.
    #[must_use]
    pub fn of_all_time(totals: &[Total], filter: &Filter<ActionTest>) -> Self {
        let fits = totals.iter().find(|total| total.answers(filter));
        fits.map_or(Self::Facts, |total| {
            let largest = total.grains().last().copied().unwrap_or(Grain::Day);
            let all = Cells {
                grain: largest,
                from: 0,
                to: largest.cell(Instant::MAX) + 1,
            };
            let cover = Cover {
                cells: vec![all],
                ragged: Vec::new(),
            };
            Self::Total(*total, cover)
        })
    }

    /// The first of these totals that answers a filter over a span; the facts where none does, or where no cell of it
    /// lies in the span.
    #[must_use]
    pub fn first_of(totals: &[Total], filter: &Filter<ActionTest>, span: Span) -> Self {
        let fits = totals.iter().find(|total| total.answers(filter));
        fits.map(|total| (*total, cover(span, total.grains())))
            .filter(|(_, cover)| !cover.cells.is_empty())
            .map_or(Self::Facts, |(total, cover)| Self::Total(total, cover))
    }
}

/// How the rows of [`Total::Category`] count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// By the items' own categories.
    Own,
    /// By the categories of level 1 that these lie in.
    Level1,
    /// What sums by the categories of level 2 have beyond [`Tier::Own`]: both together are the sums at level 2. There
    /// are rows only where an item's own category lies deeper than level 2; the sums of that category itself are taken
    /// off here, so that both together give nothing for it.
    Level2Beyond,
}

impl Tier {
    /// The tier's number in the table.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Own => 0,
            Self::Level1 => 1,
            Self::Level2Beyond => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn weeks_begin_on_monday() {
        let monday = at("2026-11-23T00:00:00Z");
        let sunday = at("2026-11-22T23:59:59Z");
        assert_eq!(Grain::Week.cell(monday), Grain::Week.cell(sunday) + 1);
        assert_eq!(Grain::Week.start(Grain::Week.cell(monday)), monday.micros());
        assert_eq!(Grain::Week.cell(Instant::MIN), 0);
        assert_eq!(Grain::FourWeeks.cell(Instant::MIN), 0);
    }

    #[test]
    fn a_local_day_of_kolkata_is_hours_and_quarters() {
        let span = Span {
            from: at("2026-05-01T18:30:00Z"),
            to: at("2026-05-02T18:30:00Z"),
        };
        let found = cover(span, Total::Time.grains());
        let lengths: Vec<(Grain, i64)> = found
            .cells
            .iter()
            .map(|cells| (cells.grain, cells.to - cells.from))
            .collect();
        assert_eq!(
            lengths,
            [
                (Grain::QuarterHour, 2),
                (Grain::Hour, 5),
                (Grain::SixHours, 3),
                (Grain::QuarterHour, 2)
            ]
        );
        assert_eq!(found.ragged, []);
    }

    proptest! {
        #[test]
        fn a_cover_is_the_span(from in 0i64..4_000_000_000_000_000, length in 0i64..40_000_000_000_000, which in 0usize..5) {
            let span = Span { from: Instant::nearest(from), to: Instant::nearest(from + length) };
            let found = cover(span, Total::ALL[which].grains());
            let mut pieces: Vec<(i64, i64)> = found.ragged.iter().map(|span| (span.from.micros(), span.to.micros())).collect();
            for cells in &found.cells {
                prop_assert!(cells.from < cells.to);
                pieces.push((cells.grain.start(cells.from), cells.grain.start(cells.to)));
            }
            pieces.sort_unstable();
            let mut end = from;
            for (start, next) in pieces {
                prop_assert_eq!(start, end);
                prop_assert!(next > start);
                end = next;
            }
            prop_assert_eq!(end, from + length);
            prop_assert!(found.ragged.len() <= 2);
        }
    }
}
