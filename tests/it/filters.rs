//! A filter says the same in SQL as in memory, and a range holds the same instants and days as a calendar on a wall.

use crate::support::check::{check, seed};
use crate::support::drafts::{Shape, ZONES, at, instant, moments};
use crate::support::naive;
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, World, runtime};
use actiongraph::domain::filter::Filter;
use actiongraph::domain::page::{Direction, Nulls, PageRequest, SortKey};
use actiongraph::domain::sales::{AxisRange, DateAxis};
use actiongraph::domain::time::{Span, Zone};
use actiongraph::store::actions::{self, ActionList, ActionSort};
use actiongraph::store::{ad_spaces, categories, products, programs, users};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tokio::runtime::Runtime;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 260,
    actions: 210,
    wild: true,
};

fn setting() -> (Runtime, World, Facts, Pools) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed(), SHAPE).await;
        let mut facts = world.facts(0).await;
        let hot: Vec<Uuid> = facts.products.keys().copied().step_by(3).collect();
        let priority: Vec<Uuid> = facts.products.keys().copied().step_by(4).collect();
        world.mark_products(0, "is_hot", &hot).await;
        world.mark_products(0, "is_priority", &priority).await;
        facts = world.facts(0).await;
        (world, facts)
    });
    let pools = Pools::of(&facts);
    (runtime, world, facts, pools)
}

fn everything() -> PageRequest {
    PageRequest {
        size: 100_000,
        forward: true,
        after: None,
        before: None,
    }
}

fn by<S>(field: S) -> Vec<SortKey<S>> {
    vec![SortKey {
        field,
        direction: Direction::Asc,
        nulls: Nulls::Last,
    }]
}

/// The rows are the expected ones, each once, and so many are counted.
fn same(
    rows: impl Iterator<Item = Uuid>,
    expected: &BTreeSet<Uuid>,
    count: i64,
) -> Result<(), TestCaseError> {
    let rows: Vec<Uuid> = rows.collect();
    let found: BTreeSet<Uuid> = rows.iter().copied().collect();
    prop_assert_eq!(rows.len(), found.len(), "a row twice");
    let missing: Vec<&Uuid> = expected.difference(&found).collect();
    let extra: Vec<&Uuid> = found.difference(expected).collect();
    prop_assert!(
        missing.is_empty() && extra.is_empty(),
        "{} rows are missing, the first {:?}; {} are too many, the first {:?}",
        missing.len(),
        missing.first(),
        extra.len(),
        extra.first()
    );
    prop_assert_eq!(count, i64::try_from(expected.len()).unwrap());
    Ok(())
}

#[test]
fn actions_of_a_filter_and_a_range_are_those_that_it_holds_for() {
    let (runtime, world, facts, pools) = setting();
    let range = proptest::option::weighted(0.3, queries::range());
    check(
        1_000,
        &(range, queries::action_filter(&pools)),
        |(range, filter)| {
            let expected: BTreeSet<Uuid> = facts
                .actions
                .values()
                .filter(|action| range.is_none_or(|range| naive::in_range(action, &range)))
                .filter(|action| naive::matches(&facts, action, &filter))
                .map(|action| action.id)
                .collect();
            let list = ActionList {
                range,
                filter,
                order: by(ActionSort::ExternalId),
                page: everything(),
            };
            let not = Filter::Not(Box::new(list.filter.clone()));
            let (page, count, others) = runtime.block_on(async {
                let (tx, scope) = (world.tx(), world.read(0));
                let page = actions::list(&tx, scope, &list).await;
                let count = actions::count(&tx, scope, range.as_ref(), &list.filter).await;
                (
                    page,
                    count,
                    actions::count(&tx, scope, range.as_ref(), &not).await,
                )
            });
            let page = page.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            let all = facts.actions.values();
            let all =
                all.filter(|action| range.is_none_or(|range| naive::in_range(action, &range)));
            let others = usize::try_from(others.unwrap()).unwrap();
            prop_assert_eq!(
                others,
                all.count() - expected.len(),
                "not is the complement"
            );
            same(
                page.rows.iter().map(|(action, _)| action.id),
                &expected,
                count.unwrap(),
            )
        },
    );
}

macro_rules! lists_agree {
    ($($test:ident: $module:ident, $filter:ident, $rows:ident, $sort:expr, $holds:expr;)+) => {$(
        #[test]
        fn $test() {
            let (runtime, world, facts, pools) = setting();
            check(150, &queries::$filter(&pools, 3), |filter| {
                let holds: &dyn Fn(&Facts, &Uuid) -> bool = &|facts, id| {
                    filter.matches(&|test| $holds(facts, &facts.$rows[id], test))
                };
                let expected: BTreeSet<Uuid> =
                    facts.$rows.keys().filter(|id| holds(&facts, id)).copied().collect();
                let (page, count) = runtime.block_on(async {
                    let (tx, scope) = (world.tx(), world.read(0));
                    let page = $module::list(&tx, scope, &filter, &by($sort), &everything()).await;
                    (page, $module::count(&tx, scope, &filter).await)
                });
                let page = page.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
                same(page.rows.iter().map(|(row, _)| row.id), &expected, count.unwrap())
            });
        }
    )+};
}

lists_agree! {
    products_of_a_filter: products, product_filter, products, products::ProductSort::Name,
        naive::product_test;
    categories_of_a_filter: categories, category_filter, categories, categories::CategorySort::Name,
        naive::category_test;
    programs_of_a_filter: programs, program_filter, programs, programs::ProgramSort::Name,
        |_: &Facts, row, test| naive::program_test(row, test);
    ad_spaces_of_a_filter: ad_spaces, ad_space_filter, ad_spaces, ad_spaces::AdSpaceSort::Name,
        |_: &Facts, row, test| naive::ad_space_test(row, test);
    users_of_a_filter: users, user_filter, users, users::UserSort::Value,
        naive::user_test;
}

/// Every zone, a local day at a time, around both changes of clocks: no action is in two days and none in no day.
#[test]
fn local_days_around_changes_of_clocks_share_out_the_actions() {
    let (runtime, world, facts, _) = setting();
    let filter = Filter::default();
    for name in ZONES {
        let zone = Zone::parse(name).unwrap();
        for axis in DateAxis::ALL {
            let mut counted = 0;
            let first = 20_520; // 2026-03-08
            for local in first..first + 30 {
                let start = |day| instant(naive::local_start(day, zone));
                let span = Span {
                    from: start(local),
                    to: start(local + 1),
                };
                let range = AxisRange {
                    axis: *axis,
                    span,
                    zone,
                };
                let found = runtime.block_on(async {
                    actions::count(&world.tx(), world.read(0), Some(&range), &filter).await
                });
                let expected = facts
                    .actions
                    .values()
                    .filter(|action| match axis {
                        // A closing day is its own day, whatever the zone.
                        DateAxis::Closed => action.closing_day == Some(local),
                        axis => naive::axis_value(action, *axis, zone).is_some_and(|at| {
                            start(local).micros() <= at && at < start(local + 1).micros()
                        }),
                    })
                    .count();
                let expected = i64::try_from(expected).unwrap();
                assert_eq!(
                    found.unwrap(),
                    expected,
                    "{name} {axis:?} {}",
                    naive::day(local)
                );
                counted += expected;
            }
            assert!(
                counted > 5,
                "{name} {axis:?}: the data does not reach these days"
            );
        }
    }
}

/// A microsecond makes the difference at both ends, and a span of nothing holds nothing.
#[test]
fn a_range_begins_with_its_first_instant_and_ends_before_its_last() {
    let (runtime, world, facts, _) = setting();
    let filter = Filter::default();
    let mut met = 0;
    for moment in moments() {
        let here = facts
            .actions
            .values()
            .filter(|action| action.ordered_at_us == moment.micros())
            .count();
        met += here;
        let at = |from: i64, to: i64| {
            let range = AxisRange {
                axis: DateAxis::Ordered,
                span: Span {
                    from: instant(from),
                    to: instant(to),
                },
                zone: Zone::UTC,
            };
            runtime.block_on(async {
                actions::count(&world.tx(), world.read(0), Some(&range), &filter)
                    .await
                    .unwrap()
            })
        };
        let micros = moment.micros();
        let here = i64::try_from(here).unwrap();
        assert_eq!(at(micros, micros + 1), here, "{moment}");
        assert_eq!(at(micros, micros), 0, "{moment}");
        let day = 3_600_000_000 * 24;
        let before = (micros - day).max(0);
        assert_eq!(
            at(before, micros + 1) - at(before, micros),
            here,
            "{moment}"
        );
    }
    assert!(met > 10, "the data does not reach these moments");
    assert!(at("2026-03-29T01:00:00Z").micros() > 0);
}
