//! What columns of the facts in memory can answer: which conditions they can test, and which questions they hold the
//! columns for. Whether there are any is seen when a question is asked (`store::columns`).

use super::filter::{ActionField, ActionTest, Filter, ItemField, ItemTest};
use super::report::Dimension;
use super::report::metric::Measure;
use super::report::plan::{Ask, Part, Source, What};
use super::rule::{Measure as RuleMeasure, Rule};
use super::sales::{DateAxis, FactQuery};
use super::totals::Total;

/// Whether columns can tell which actions pass a filter.
#[must_use]
pub fn can_test(filter: &Filter<ActionTest>) -> bool {
    !filter.mentions(&|test: &ActionTest| !tests(test))
}

fn tests(test: &ActionTest) -> bool {
    match test {
        ActionTest::Field(field, _) => matches!(
            field,
            ActionField::Id
                | ActionField::ActionType
                | ActionField::Status
                | ActionField::Paid
                | ActionField::Reward
                | ActionField::OrderAmount
                | ActionField::Currency
                | ActionField::OrderedAt
                | ActionField::Country
                | ActionField::Device
                | ActionField::ItemsCount
        ),
        ActionTest::Program(_) | ActionTest::AdSpace(_) | ActionTest::User(_) => true,
        ActionTest::Items(_, filter) => can_test_items(filter),
    }
}

/// Whether columns can tell which cart items pass a filter.
#[must_use]
pub fn can_test_items(filter: &Filter<ItemTest>) -> bool {
    !filter.mentions(&|test: &ItemTest| {
        matches!(
            test,
            ItemTest::Field(ItemField::TariffId | ItemField::ProductCountry, _)
        )
    })
}

/// Whether columns hold what a rule measures.
#[must_use]
pub fn can_measure(measure: &RuleMeasure) -> bool {
    can_test(&measure.actions) && measure.items.as_ref().is_none_or(can_test_items)
}

/// Whether columns tell everything that a rule asks of the facts, of everybody whom it can let in.
#[must_use]
pub fn can_tell(rule: &Rule) -> bool {
    let holds = |condition: Option<&RuleMeasure>| condition.is_none_or(can_measure);
    let are_held = match rule {
        Rule::Users(tree) => tree.tests().all(|test| holds(test.measure())),
        Rule::Products(tree) => tree.tests().all(|test| holds(test.measure())),
    };
    are_held && !(rule.is_measured() && rule.may_hold_of_nothing())
}

/// Whether columns hold the facts of a query: on the axis of orders, by what they can test.
#[must_use]
pub fn can_count(facts: &FactQuery) -> bool {
    facts.range.axis == DateAxis::Ordered && can_test(&facts.filter)
}

/// Whether columns can answer a question of a report that would be read from the facts, or from the total of products,
/// which has nearly as many rows.
#[must_use]
pub fn can_answer(ask: &Ask) -> bool {
    let is_read_there = match ask.source {
        Source::Facts | Source::Items => {
            ask.parts.iter().all(|part| matches!(part, Part::Facts(_)))
        }
        Source::Total(Total::Product) => !ask.tells_pieces(),
        Source::Total(_) | Source::Clicks(_) => false,
    };
    let is_held = match &ask.what {
        What::Sums(measures) => measures.iter().all(|measure| holds(*measure, ask)),
        What::Users => true,
        What::ConversionLag | What::ValidationLag | What::Clicks => false,
    };
    is_read_there
        && is_held
        && ask.range.axis == DateAxis::Ordered
        && ask.dimensions.iter().all(|by| divides(*by))
        && can_test(&ask.filter)
}

fn holds(measure: Measure, ask: &Ask) -> bool {
    match measure {
        Measure::Actions(_)
        | Measure::Units
        | Measure::OrderAmount(_)
        | Measure::Reward(_)
        | Measure::PaidReward
        | Measure::Amounted
        | Measure::Carted => true,
        Measure::Users => ask.per_user.is_some(),
        Measure::ActionsInCurrency
        | Measure::ConversionLag
        | Measure::ValidationLag
        | Measure::Clicks
        | Measure::Views => false,
    }
}

fn divides(by: Dimension) -> bool {
    match by {
        Dimension::Program
        | Dimension::AdSpace
        | Dimension::Country
        | Dimension::Status
        | Dimension::ActionType
        | Dimension::Currency
        | Dimension::Device
        | Dimension::Product
        | Dimension::CategoryLevel1
        | Dimension::CategoryLevel2
        | Dimension::CategoryOwn
        | Dimension::UserAge
        | Dimension::UserFrequency => true,
        Dimension::Subid0
        | Dimension::Subid1
        | Dimension::Subid2
        | Dimension::Subid3
        | Dimension::Subid4
        | Dimension::Tariff
        | Dimension::PromoCode
        | Dimension::DeclineReason
        | Dimension::UserSegment
        | Dimension::ProductSegment => false,
    }
}
