//! Top sellers, sums and totals are what adding the facts up one by one gives.

use crate::support::check::{check, seed};
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::naive;
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, Reads, World, runtime};
use actiongraph::analytics::{facts_info, list_info, top};
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::page::{Page, PageRequest};
use actiongraph::domain::sales::{
    AxisRange, CurrencySums, DateAxis, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums,
    Totals,
};
use actiongraph::domain::time::{Span, Zone};
use actiongraph::store::{ReadTx, Recorder};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, HashMap};
use tokio::runtime::Runtime;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 240,
    actions: 200,
    wild: true,
};
const GROUPS: [SalesGroup; 5] = [
    SalesGroup::Product,
    SalesGroup::CategoryLevel1,
    SalesGroup::CategoryLevel2,
    SalesGroup::CategoryOwn,
    SalesGroup::User,
];

fn setting(reads: Reads) -> (Runtime, World, Facts, Pools) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 2, SHAPE).await;
        let facts = world.facts(0).await;
        let world = match reads {
            Reads::Database => world,
            Reads::Columns => world.in_columns().await,
        };
        (world, facts)
    });
    let pools = Pools::of(&facts);
    (runtime, world, facts, pools)
}

/// Counted facts: mostly all of most of the data, else any filter in any range.
fn facts_query(pools: &Pools) -> BoxedStrategy<FactQuery> {
    let range = prop_oneof![4 => queries::wide_range(), 1 => queries::range()];
    let filter = weighted(0.3, queries::action_filter(pools));
    (range, filter)
        .prop_map(|(range, filter)| FactQuery::counted(range, filter.unwrap_or_default()))
        .boxed()
}

fn page(size: u32, forward: bool) -> PageRequest {
    PageRequest {
        size,
        forward,
        after: None,
        before: None,
    }
}

fn shown(page: &Page<SalesRow>) -> Vec<SalesRow> {
    page.rows.iter().map(|(row, _)| row.clone()).collect()
}

#[test]
fn ranked_groups_walked_either_way_are_those_of_a_plain_count() {
    compare_ranked(Reads::Database);
}

#[test]
fn ranked_groups_of_columns_are_those_of_a_plain_count() {
    compare_ranked(Reads::Columns);
}

fn compare_ranked(reads: Reads) {
    let (runtime, world, facts, pools) = setting(reads);
    let group = select(GROUPS.to_vec());
    let asked = (
        facts_query(&pools),
        group,
        queries::rank_by(),
        (1u32..9, any::<bool>()),
        weighted(0.3, queries::product_filter(&pools, 2)),
    );
    check(
        160,
        &asked,
        |(query, group, by, (size, forward), products)| {
            let mut groups = naive::groups(&facts, &query, group);
            if let (SalesGroup::Product, Some(products)) = (group, &products) {
                // Of a cart those that pass, whatever else lay in it.
                groups.retain(|key, _| {
                    let product = &facts.products[&key.unwrap()];
                    products.matches(&|test| naive::product_test(&facts, product, test))
                });
            }
            let mut expected = naive::rank(&groups, by);
            let mut asked = SalesQuery {
                facts: query,
                group,
                by,
                page: page(size, forward),
                products: products.unwrap_or_default(),
            };
            let (mut found, mut steps, count) = (
                Vec::new(),
                0,
                runtime.block_on(async {
                    top::group_count(&world.tx(), world.read(0), &asked)
                        .await
                        .unwrap()
                }),
            );
            prop_assert_eq!(count, i64::try_from(expected.len()).unwrap());
            if !forward {
                expected.reverse();
            }
            loop {
                let answer = runtime
                    .block_on(async { top::ranked(&world.tx(), world.read(0), &asked).await })
                    .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
                let mut rows = shown(&answer);
                let (more, behind) = if forward {
                    (answer.has_next, answer.has_previous)
                } else {
                    rows.reverse();
                    (answer.has_previous, answer.has_next)
                };
                prop_assert_eq!(behind, steps > 0, "rows behind the page");
                found.extend(rows);
                prop_assert_eq!(more, found.len() < expected.len(), "rows before the page");
                steps += 1;
                if !more {
                    break;
                }
                if forward {
                    asked.page.after = answer.rows.last().map(|(_, cursor)| cursor.clone());
                } else {
                    asked.page.before = answer.rows.first().map(|(_, cursor)| cursor.clone());
                }
                prop_assert!(steps < 400, "the walk does not end");
            }
            prop_assert_eq!(found, expected);
            Ok(())
        },
    );
}

#[test]
fn a_stretch_between_two_ranks_is_a_stretch_of_the_plain_list() {
    let (runtime, world, _, pools) = setting(Reads::Database);
    let group = select(GROUPS.to_vec());
    let ends = (0usize..1_000, 0usize..1_000, any::<bool>());
    let asked = (
        facts_query(&pools),
        group,
        queries::rank_by(),
        1u32..9,
        ends,
    );
    check(
        60,
        &asked,
        |(query, group, by, size, (after, before, forward))| {
            let mut asked = SalesQuery {
                facts: query,
                group,
                by,
                page: page(100_000, true),
                products: Filter::default(),
            };
            let answer = |asked: &SalesQuery| {
                runtime.block_on(async {
                    top::ranked(&world.tx(), world.read(0), asked)
                        .await
                        .unwrap()
                })
            };
            let all = answer(&asked);
            if all.rows.is_empty() {
                return Ok(());
            }
            let (after, before) = (after % all.rows.len(), before % all.rows.len());
            asked.page = PageRequest {
                size,
                forward,
                after: Some(all.rows[after].1.clone()),
                before: Some(all.rows[before].1.clone()),
            };
            let between: Vec<SalesRow> = shown(&all)
                .into_iter()
                .take(before)
                .skip(after + 1)
                .collect();
            let size = usize::try_from(size).unwrap();
            let expected: Vec<SalesRow> = if forward {
                between.iter().take(size).cloned().collect()
            } else {
                between[between.len().saturating_sub(size)..].to_vec()
            };
            let found = answer(&asked);
            prop_assert_eq!(shown(&found), expected);
            let more = if forward {
                found.has_next
            } else {
                found.has_previous
            };
            prop_assert_eq!(more, between.len() > size);
            Ok(())
        },
    );
}

fn totals_of(facts: &Facts, actions: &[&entity::action::Model]) -> Totals {
    let (mut own, mut items) = (
        naive::Tally::default(),
        BTreeMap::<String, CurrencySums>::new(),
    );
    for action in actions {
        own.action(facts, action);
        let currency = actiongraph::domain::money::Currency::parse(&action.currency).unwrap();
        let sums = items
            .entry(action.currency.clone())
            .or_insert(CurrencySums {
                currency,
                order_amount_e4: 0,
                reward_e4: 0,
            });
        for item in facts.cart(action.id) {
            sums.order_amount_e4 += item.amount_e4;
            sums.reward_e4 += item.reward_e4;
        }
    }
    let facts = own.sums();
    Totals {
        items: Sums {
            money: items.into_values().collect(),
            ..facts.clone()
        },
        facts,
    }
}

#[test]
fn totals_equal_the_facts_and_their_items() {
    compare_totals(Reads::Database);
}

#[test]
fn totals_of_columns_equal_the_facts_and_their_items() {
    compare_totals(Reads::Columns);
}

fn compare_totals(reads: Reads) {
    let (runtime, world, facts, pools) = setting(reads);
    let range = weighted(0.7, queries::range());
    let asked = (facts_query(&pools), range, queries::action_filter(&pools));
    check(150, &asked, |(query, range, filter)| {
        let scope = world.read(0);
        let (counted, exact, info, list) = runtime.block_on(async {
            let tx = world.tx();
            let counted = top::totals(&tx, scope, &query).await.unwrap();
            let exact = top::totals_of_list(&tx, scope, range.as_ref(), &filter)
                .await
                .unwrap();
            let info = facts_info(&tx, scope, &query).await.unwrap();
            let list = list_info(&tx, scope, range.as_ref(), &filter)
                .await
                .unwrap();
            (counted, exact, info, list)
        });
        let actions = naive::counted(&facts, &query);
        prop_assert_eq!(&counted, &totals_of(&facts, &actions));
        let all = facts.actions.values();
        let filtered: Vec<_> = all
            .filter(|action| range.is_none_or(|range| naive::in_range(action, &range)))
            .filter(|action| naive::matches(&facts, action, &filter))
            .collect();
        prop_assert_eq!(&exact, &totals_of(&facts, &filtered));
        for (totals, actions, info) in [(&counted, &actions, info), (&exact, &filtered, list)] {
            let unattributed = totals.unattributed();
            for money in &totals.facts.money {
                let rest: (i64, i64) = actions
                    .iter()
                    .filter(|action| action.currency == money.currency.as_str())
                    .map(|action| {
                        let cart = facts.cart(action.id);
                        let amount: i64 = cart.iter().map(|item| item.amount_e4).sum();
                        let reward: i64 = cart.iter().map(|item| item.reward_e4).sum();
                        (
                            action.order_amount_e4.unwrap_or(0) - amount,
                            action.reward_e4 - reward,
                        )
                    })
                    .fold((0, 0), |sum, rest| (sum.0 + rest.0, sum.1 + rest.1));
                let shown = unattributed
                    .money
                    .iter()
                    .find(|rest| rest.currency == money.currency);
                let shown = shown.map(|rest| (rest.order_amount_e4, rest.reward_e4));
                prop_assert_eq!(shown, Some(rest));
            }
            let share = |is: &dyn Fn(&entity::action::Model) -> bool| {
                let part = actions.iter().filter(|action| is(action)).count();
                #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
                let share = part as f64 / actions.len() as f64;
                share
            };
            let near = |found: Option<f64>, expected: f64| {
                found.is_some_and(|found| (found - expected).abs() < 0.000_001)
            };
            prop_assert_eq!(info.actions, i64::try_from(actions.len()).unwrap());
            if actions.is_empty() {
                prop_assert_eq!((info.unprocessed_share, info.cart_coverage), (None, None));
                continue;
            }
            let open = |action: &entity::action::Model| {
                matches!(action.status.as_str(), "PENDING" | "UNKNOWN")
            };
            let carted = |action: &entity::action::Model| {
                facts
                    .cart(action.id)
                    .iter()
                    .any(|item| item.product_id.is_some())
            };
            prop_assert!(near(info.unprocessed_share, share(&open)));
            prop_assert!(near(info.cart_coverage, share(&carted)));
        }
        Ok(())
    });
}

#[test]
fn sums_of_groups_and_products_within_them_are_those_of_a_plain_count() {
    let (runtime, world, facts, pools) = setting(Reads::Database);
    let group = select(GROUPS.to_vec());
    let asked = (
        facts_query(&pools),
        group,
        queries::rank_by(),
        1u32..6,
        any::<u64>(),
    );
    check(100, &asked, |(query, group, by, first, pick)| {
        let groups = naive::groups(&facts, &query, group);
        let mut keys: Vec<Option<Uuid>> = groups.keys().copied().collect();
        keys.sort_unstable();
        keys.retain(|key| key.map_or(pick, |id| id.as_u64_pair().1 ^ pick) % 3 > 0);
        keys.push(Some(Uuid::from_u128(5)));
        let scope = world.read(0);
        let sums = runtime.block_on(async {
            top::sums_of(&world.tx(), scope, &query, group, &keys)
                .await
                .unwrap()
        });
        let expected: HashMap<Option<Uuid>, Sums> = keys
            .iter()
            .filter_map(|key| Some((*key, groups.get(key)?.sums())))
            .collect();
        prop_assert_eq!(sums, expected);
        if group == SalesGroup::Product {
            return Ok(());
        }
        let within = runtime.block_on(async {
            top::products_in(&world.tx(), scope, &query, (group, &keys), by, first).await
        });
        let within = within.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        for key in keys {
            let mut expected = naive::rank(&naive::products_of(&facts, &query, group, key), by);
            expected.truncate(usize::try_from(first).unwrap());
            let found = within.get(&key).cloned().unwrap_or_default();
            prop_assert_eq!(found, expected, "products of {:?}", key);
        }
        Ok(())
    });
}

/// The sums of all groups and what the items do not cover make the totals, in each currency.
#[test]
fn groups_and_what_is_unattributed_make_the_totals() {
    let (runtime, world, _, pools) = setting(Reads::Database);
    let group = select(GROUPS[1..4].to_vec());
    check(40, &(facts_query(&pools), group), |(facts, group)| {
        let asked = SalesQuery {
            facts,
            group,
            by: RankBy::Units,
            page: page(100_000, true),
            products: Filter::default(),
        };
        let (all, totals) = runtime.block_on(async {
            let (tx, scope) = (world.tx(), world.read(0));
            let all = top::ranked(&tx, scope, &asked).await.unwrap();
            (all, top::totals(&tx, scope, &asked.facts).await.unwrap())
        });
        let mut sums = Sums::default();
        for (row, _) in &all.rows {
            sums.add(&row.sums);
        }
        sums.add(&totals.unattributed());
        prop_assert_eq!(sums.units, totals.facts.units);
        prop_assert_eq!(sums.money, totals.facts.money);
        Ok(())
    });
}

#[test]
fn declined_actions_count_only_where_the_filter_names_statuses() {
    let (runtime, world, facts, _) = setting(Reads::Database);
    let range = AxisRange {
        axis: DateAxis::Ordered,
        span: Span {
            from: actiongraph::domain::time::Instant::MIN,
            to: actiongraph::domain::time::Instant::MAX,
        },
        zone: Zone::UTC,
    };
    let field = |field, op| Filter::Test(ActionTest::Field(field, op));
    let count = |filter: Filter<ActionTest>| {
        let query = FactQuery::counted(range, filter);
        let totals = runtime.block_on(async {
            top::totals(&world.tx(), world.read(0), &query)
                .await
                .unwrap()
        });
        usize::try_from(totals.facts.actions).unwrap()
    };
    let declined = facts
        .actions
        .values()
        .filter(|action| action.status == "DECLINED")
        .count();
    assert!(declined > 10, "there are declined actions to leave out");
    let all = facts.actions.len();
    assert_eq!(count(Filter::default()), all - declined);
    assert_eq!(
        count(field(ActionField::ItemsCount, Op::Gte(Value::Int(0)))),
        all - declined
    );
    assert_eq!(
        count(field(ActionField::Status, Op::Eq("DECLINED".into()))),
        declined
    );
    let deep = Filter::Not(Box::new(field(
        ActionField::RawStatus,
        Op::Eq("no such word".into()),
    )));
    assert_eq!(count(Filter::All(vec![Filter::default(), deep])), all);
}

#[test]
fn the_best_sold_of_a_long_range_are_found_by_their_bounds() {
    let runtime = runtime();
    runtime.block_on(async {
        let world = World::new(1).await;
        let mut drafts = Maker::new(seed() + 9, SHAPE).drafts();
        // A few products sell much, so that bounds decide, and two of them just as much, so that ties do.
        let mut dice = Dice::new(seed() + 9);
        for item in drafts.iter_mut().flat_map(|draft| &mut draft.items) {
            item.units = [1, 1, 2, 40, 900, 9_000][dice.below(6)];
        }
        world.apply(0, &drafts).await;
        let facts = world.facts(0).await;
        let recorder = Recorder::default();
        let store = world.store.recorded(&recorder);
        let mut by_bounds = 0;
        for (from, to) in [
            ("2026-02-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            ("2026-02-10T18:30:00Z", "2026-04-01T05:15:00Z"),
            ("2026-03-02T00:00:00Z", "2026-03-16T00:00:00Z"),
        ] {
            let span = Span {
                from: at(from),
                to: at(to),
            };
            let range = AxisRange {
                axis: DateAxis::Ordered,
                span,
                zone: Zone::UTC,
            };
            let approved = Op::In(vec![Value::from("APPROVED"), Value::from("PENDING")]);
            let approved = Filter::Test(ActionTest::Field(ActionField::Status, approved));
            for filter in [Filter::default(), approved] {
                for size in [1, 2, 3, 5] {
                    let facts_query = FactQuery::counted(range, filter.clone());
                    let asked = SalesQuery {
                        facts: facts_query.clone(),
                        group: SalesGroup::Product,
                        by: RankBy::Units,
                        page: page(size, true),
                        products: Filter::default(),
                    };
                    let tx = ReadTx::new(&store);
                    let found = top::ranked(&tx, world.read(0), &asked).await;
                    let found = shown(&found.unwrap());
                    let groups = naive::groups(&facts, &facts_query, SalesGroup::Product);
                    let mut expected = naive::rank(&groups, RankBy::Units);
                    expected.truncate(usize::try_from(size).unwrap());
                    assert_eq!(found, expected, "{from} {to} {size}");
                    let sent = recorder.take();
                    let all_added = sent
                        .iter()
                        .any(|statement| statement.starts_with("WITH m AS"));
                    by_bounds += usize::from(!all_added);
                }
            }
        }
        assert!(by_bounds >= 12, "bounds decided {by_bounds} of 24 times");
    });
}
