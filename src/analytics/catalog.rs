//! The catalogue of sources: which total can answer which question.
//!
//! A total fits when it has every dimension that is grouped by, can test every condition of the filter and holds every
//! sum asked for; the smallest that fits answers. To add a source, add a line.

use crate::domain::filter::{ActionTest, Filter};
use crate::domain::report::Dimension;
use crate::domain::report::metric::Measure;
use crate::domain::sales::DateAxis;
use crate::domain::totals::Total;

/// What a total can be asked.
pub(super) struct Entry {
    /// Which total.
    pub total: Total,
    /// By what it can be grouped.
    dimensions: &'static [Dimension],
    /// Whether its sums are of cart items.
    of_items: bool,
}

/// The totals, smaller ones first. All lie on the axis of orders.
pub(super) const CATALOG: &[Entry] = &[
    Entry {
        total: Total::Time,
        dimensions: &[Dimension::Status, Dimension::Currency],
        of_items: false,
    },
    Entry {
        total: Total::Channel,
        dimensions: &[
            Dimension::Status,
            Dimension::Currency,
            Dimension::Program,
            Dimension::AdSpace,
        ],
        of_items: false,
    },
    Entry {
        total: Total::Audience,
        dimensions: &[
            Dimension::Status,
            Dimension::Currency,
            Dimension::Program,
            Dimension::AdSpace,
            Dimension::Country,
            Dimension::Device,
            Dimension::ActionType,
        ],
        of_items: false,
    },
    Entry {
        total: Total::Category,
        dimensions: &[
            Dimension::Status,
            Dimension::Currency,
            Dimension::CategoryLevel1,
            Dimension::CategoryLevel2,
            Dimension::CategoryOwn,
        ],
        of_items: true,
    },
    Entry {
        total: Total::Product,
        dimensions: &[Dimension::Status, Dimension::Currency, Dimension::Product],
        of_items: true,
    },
];

/// A question to be placed.
pub(super) struct Question<'a> {
    /// Axis of its range.
    pub axis: DateAxis,
    /// Grouped by.
    pub dimensions: &'a [Dimension],
    /// Filtered by.
    pub filter: &'a Filter<ActionTest>,
    /// The sums.
    pub measures: &'a [Measure],
}

impl Entry {
    /// Whether the total answers a question, whatever its stretch of time.
    pub(super) fn fits(&self, question: &Question<'_>) -> bool {
        let of_items = question.dimensions.iter().filter(|by| by.is_of_items());
        // Two dimensions of items would ask for items by both at once, which no total keeps.
        of_items.count() == usize::from(self.of_items)
            && question.axis == DateAxis::Ordered
            && question
                .dimensions
                .iter()
                .all(|by| self.dimensions.contains(by))
            && self.total.answers(question.filter)
            && question
                .measures
                .iter()
                .all(|measure| self.measures(*measure))
    }

    fn measures(&self, measure: Measure) -> bool {
        match measure {
            Measure::Users | Measure::ConversionLag | Measure::ValidationLag => false,
            Measure::PaidReward | Measure::Amounted | Measure::Carted => !self.of_items,
            Measure::Actions(_)
            | Measure::ActionsInCurrency
            | Measure::Units
            | Measure::OrderAmount(_)
            | Measure::Reward(_) => true,
        }
    }
}

/// Why no total answers a question, in words for whoever asked.
pub(super) fn why_facts(question: &Question<'_>) -> String {
    if question.axis != DateAxis::Ordered {
        return format!(
            "totals are kept by the instant of the order, not on the axis {}",
            question.axis.as_str()
        );
    }
    let known = |by: &Dimension| CATALOG.iter().any(|entry| entry.dimensions.contains(by));
    let strange: Vec<&str> = question
        .dimensions
        .iter()
        .filter(|by| !known(by))
        .map(|by| by.as_str())
        .collect();
    if !strange.is_empty() {
        return format!("no total is kept by {}", strange.join(" and "));
    }
    if !Total::ALL
        .iter()
        .any(|total| total.answers(question.filter))
    {
        return "the filter tests what no total is kept by: totals know status, currency, program, ad space, country, \
                device and action type"
            .to_owned();
    }
    if question
        .measures
        .iter()
        .any(|measure| matches!(measure, Measure::Users))
    {
        return "distinct users do not add up".to_owned();
    }
    if question
        .measures
        .iter()
        .any(|measure| matches!(measure, Measure::ConversionLag | Measure::ValidationLag))
    {
        return "medians do not add up".to_owned();
    }
    "no total has these dimensions and conditions together for these stretches of time".to_owned()
}
