//! The catalogue of sources: which total can answer which question.
//!
//! A total fits when it has every dimension that is grouped by, can test every condition of the filter and holds every
//! sum asked for; the smallest that fits answers. To add a source, add a line.
//!
//! Clicks are in no total and no fact: counts of them are a source beside the one of the actions, which answers less.
//!
//! Columns of the facts in memory are no row here: whether there are any is seen when a question is asked, so a plan says
//! where it is read without them, and that they may answer instead ([`can_answer`](crate::domain::columns::can_answer)).

use crate::domain::error::{Error, Result};
use crate::domain::filter::{ActionField, ActionTest, Filter};
use crate::domain::limits::{Narrowing, slot_name};
use crate::domain::report::metric::Measure;
use crate::domain::report::plan::Source;
use crate::domain::report::{Bucket, Dimension};
use crate::domain::sales::DateAxis;
use crate::domain::totals::Total;
use std::collections::BTreeSet;

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
    /// What limits on the rows look at.
    pub narrowing: Narrowing,
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
            && question.narrowing.leaves(self.total)
            && question
                .measures
                .iter()
                .all(|measure| self.measures(*measure))
    }

    fn measures(&self, measure: Measure) -> bool {
        match measure {
            Measure::Users
            | Measure::ConversionLag
            | Measure::ValidationLag
            | Measure::Clicks
            | Measure::Views => false,
            Measure::PaidReward | Measure::Amounted | Measure::Carted => !self.of_items,
            Measure::Actions(_)
            | Measure::ActionsInCurrency
            | Measure::Units
            | Measure::OrderAmount(_)
            | Measure::Reward(_) => true,
        }
    }
}

/// Which counts of clicks answer a question: those of all SubIDs together, or those by the SubID of a slot.
///
/// # Errors
/// The argument that asks for more than upstream counts, and what could be asked instead.
pub(super) fn clicks(question: &Question<'_>, bucket: Option<Bucket>) -> Result<Source> {
    let of_views = question.measures.contains(&Measure::Views);
    let counted = if of_views { "views" } else { "clicks" };
    let refused = |field: &str, why: String| {
        let rule = if of_views {
            "views are known by day, program and ad space"
        } else {
            "clicks are known by day, program, ad space and one SubID at a time"
        };
        Err(Error::bad_input(
            field,
            format!("{why}: {rule}; keep to these, or leave out what counts {counted}"),
        ))
    };
    if !matches!(question.axis, DateAxis::Ordered | DateAxis::Clicked) {
        let axis = question.axis.as_str();
        return refused(
            "dateAxis",
            format!("there are no {counted} on the axis {axis}, only on ORDERED and CLICKED"),
        );
    }
    if let Some(bucket) = bucket.filter(|bucket| *bucket < Bucket::Day) {
        let word = bucket.as_str();
        return refused("bucket", format!("{counted} cannot be divided by {word}"));
    }
    let mut slots = BTreeSet::new();
    for by in question.dimensions {
        match by.subid_slot() {
            Some(slot) => {
                slots.insert(slot);
            }
            None if matches!(by, Dimension::Program | Dimension::AdSpace) => {}
            None => {
                return refused(
                    "groupBy",
                    format!("{counted} cannot be grouped by {}", by.as_str()),
                );
            }
        }
    }
    let many = if of_views {
        "a SubID"
    } else {
        "several SubIDs"
    };
    if slots.len() > 1 || of_views && !slots.is_empty() {
        return refused("groupBy", format!("{counted} cannot be grouped by {many}"));
    }
    for slot in (0..)
        .zip(SUBIDS)
        .filter(|(_, field)| tests(question.filter, *field))
    {
        slots.insert(slot.0);
    }
    if slots.len() > 1 || of_views && !slots.is_empty() {
        return refused("filter", format!("{counted} cannot be filtered by {many}"));
    }
    slots.extend(question.narrowing.slots());
    if slots.len() > 1 || of_views && !slots.is_empty() {
        let limited: Vec<String> = question.narrowing.slots().map(slot_name).collect();
        let limited = limited.join(" and ");
        return refused(
            "metrics",
            format!("this key sees the rows of some values of {limited}"),
        );
    }
    let is_strange = |test: &ActionTest| match test {
        ActionTest::Program(_) | ActionTest::AdSpace(_) => false,
        ActionTest::Field(field, _) => !SUBIDS.contains(field),
        ActionTest::User(_) | ActionTest::Items(..) => true,
    };
    if question.filter.mentions(&is_strange) {
        return refused(
            "filter",
            format!("the filter tests what {counted} are not counted by"),
        );
    }
    Ok(Source::Clicks(slots.into_iter().next()))
}

/// The fields that hold SubIDs, by slot.
const SUBIDS: [ActionField; 5] = [
    ActionField::Subid0,
    ActionField::Subid1,
    ActionField::Subid2,
    ActionField::Subid3,
    ActionField::Subid4,
];

/// Whether a filter tests a field of actions.
fn tests(filter: &Filter<ActionTest>, field: ActionField) -> bool {
    filter
        .mentions(&|test: &ActionTest| matches!(test, ActionTest::Field(held, _) if *held == field))
}

/// Why no total answers a question, in words for whoever asked.
pub(super) fn why_facts(question: &Question<'_>) -> String {
    if question.axis != DateAxis::Ordered {
        return format!(
            "totals are kept by the instant of the order, not on the axis {}",
            question.axis.as_str()
        );
    }
    if !Total::ALL
        .iter()
        .any(|total| question.narrowing.leaves(*total))
    {
        return "no total keeps apart the rows that the key is limited to".to_owned();
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
