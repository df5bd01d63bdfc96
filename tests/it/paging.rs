//! Walking pages gives each row exactly once, in the order of a plain sort, either way and whatever the page size.

use crate::support::check::{check, seed};
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, rejects};
use crate::support::naive;
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, World, runtime};
use actiongraph::domain::draft::Place;
use actiongraph::domain::error::{Code, Result};
use actiongraph::domain::filter::{Filter, Value};
use actiongraph::domain::page::{
    Cursor, Direction, Nulls, Page, PageRequest, SortKey, fingerprint,
};
use actiongraph::domain::records::{Action, AdSpace, Category, Product, Program, User};
use actiongraph::domain::text::fold;
use actiongraph::store::actions::{self, ActionList, ActionParent, ActionSort};
use actiongraph::store::keyset::printed_order;
use actiongraph::store::products::{self, ProductSort};
use actiongraph::store::users::{self, UserSort};
use actiongraph::store::{ad_spaces, categories, imports, programs};
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Debug;
use tokio::runtime::Runtime;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 170,
    actions: 140,
    wild: true,
};
const SORTS: [ActionSort; 10] = [
    ActionSort::OrderedAt,
    ActionSort::ClickedAt,
    ActionSort::StatusUpdatedAt,
    ActionSort::ClosingDate,
    ActionSort::Reward,
    ActionSort::OrderAmount,
    ActionSort::Status,
    ActionSort::Country,
    ActionSort::OrderId,
    ActionSort::ExternalId,
];

fn setting() -> (Runtime, World, Facts) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 4, SHAPE).await;
        let facts = world.facts(0).await;
        (world, facts)
    });
    (runtime, world, facts)
}

/// A row: its id, and its value of a sort key.
type Row<'a, S> = (Uuid, Box<dyn Fn(S) -> Value + 'a>);

/// The whole order: the keys one after the other, then the id in the direction of the first key.
fn sorted<S: Copy>(mut rows: Vec<Row<'_, S>>, order: &[SortKey<S>]) -> Vec<Uuid> {
    let turned = |ordering: Ordering, direction: Direction| match direction {
        Direction::Asc => ordering,
        Direction::Desc => ordering.reverse(),
    };
    rows.sort_by(|(id, value), (other_id, other)| {
        for key in order {
            let ordering = match (value(key.field), other(key.field)) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) if key.nulls == Nulls::First => Ordering::Less,
                (Value::Null, _) => Ordering::Greater,
                (_, Value::Null) if key.nulls == Nulls::First => Ordering::Greater,
                (_, Value::Null) => Ordering::Less,
                (value, other) => turned(value.cmp(&other), key.direction),
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        turned(id.cmp(other_id), order[0].direction)
    });
    rows.into_iter().map(|(id, _)| id).collect()
}

fn action_value(action: &entity::action::Model, sort: ActionSort) -> Value {
    match sort {
        ActionSort::OrderedAt => action.ordered_at_us.into(),
        ActionSort::ClickedAt => action.clicked_at_us.into(),
        ActionSort::StatusUpdatedAt => action.status_updated_at_us.into(),
        ActionSort::ClosingDate => action.closing_day.map(i64::from).into(),
        ActionSort::Reward => action.reward_e4.into(),
        ActionSort::OrderAmount => action.order_amount_e4.into(),
        ActionSort::Status => action.status.clone().into(),
        ActionSort::Country => action.country.clone().into(),
        ActionSort::OrderId => action.order_id.clone().into(),
        ActionSort::ExternalId => action.external_id.clone().into(),
    }
}

fn sort_actions<'a>(
    actions: impl Iterator<Item = &'a entity::action::Model>,
    order: &[SortKey<ActionSort>],
) -> Vec<Uuid> {
    let row = |action: &'a entity::action::Model| {
        let value: Box<dyn Fn(ActionSort) -> Value + 'a> =
            Box::new(move |sort| action_value(action, sort));
        (action.id, value)
    };
    sorted(actions.map(row).collect(), order)
}

/// Walks from one end to the other; every cursor goes out as text and comes back. `ask` gives a page's ids.
fn walk<T: Debug>(
    (size, forward): (u32, bool),
    fingerprint: u32,
    id: impl Fn(&T) -> Uuid,
    mut ask: impl FnMut(&PageRequest) -> Result<Page<T>>,
) -> Result<Vec<Uuid>, TestCaseError> {
    let mut request = PageRequest {
        size,
        forward,
        after: None,
        before: None,
    };
    let mut found = Vec::new();
    for step in 0.. {
        prop_assert!(step < 500, "the walk does not end");
        let page = ask(&request).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        prop_assert!(
            page.rows.len() <= usize::try_from(size).unwrap(),
            "a page too long"
        );
        let mut ids: Vec<Uuid> = page.rows.iter().map(|(row, _)| id(row)).collect();
        let (more, behind, last) = if forward {
            (page.has_next, page.has_previous, page.rows.last())
        } else {
            ids.reverse();
            (page.has_previous, page.has_next, page.rows.first())
        };
        prop_assert_eq!(behind, step > 0, "whether rows lie behind");
        found.extend(ids);
        if !more {
            break;
        }
        let Some((_, cursor)) = last else {
            return Err(TestCaseError::fail("an empty page says that more follows"));
        };
        let cursor = Cursor::decode(&cursor.encode(fingerprint), fingerprint, "after").unwrap();
        if forward {
            request.after = Some(cursor);
        } else {
            request.before = Some(cursor);
        }
    }
    if !forward {
        found.reverse();
    }
    Ok(found)
}

/// The first place where two lists differ, instead of both lists.
fn alike(found: &[Uuid], expected: &[Uuid]) -> Result<(), TestCaseError> {
    let place = found.iter().zip(expected).position(|(a, b)| a != b);
    prop_assert!(
        found == expected,
        "{} rows instead of {}; the first difference is at {place:?}",
        found.len(),
        expected.len()
    );
    Ok(())
}

#[test]
fn actions_in_any_order_are_walked_once_each_either_way() {
    let (runtime, world, facts) = setting();
    let pools = Pools::of(&facts);
    let asked = (
        queries::order(&SORTS),
        1u32..40,
        any::<bool>(),
        proptest::option::weighted(0.3, queries::range()),
        proptest::option::weighted(0.3, queries::action_filter(&pools)),
    );
    check(120, &asked, |(order, size, forward, range, filter)| {
        let filter = filter.unwrap_or_default();
        let matching = facts
            .actions
            .values()
            .filter(|action| range.is_none_or(|range| naive::in_range(action, &range)))
            .filter(|action| naive::matches(&facts, action, &filter));
        let expected = sort_actions(matching, &order);
        let fingerprint = fingerprint(&printed_order("actions", &order));
        let found = walk(
            (size, forward),
            fingerprint,
            |action: &Action| action.id,
            |page| {
                let list = ActionList {
                    range,
                    filter: filter.clone(),
                    order: order.clone(),
                    page: page.clone(),
                };
                runtime.block_on(async { actions::list(&world.tx(), world.read(0), &list).await })
            },
        )?;
        alike(&found, &expected)
    });
}

/// `after` and `before` together, from either end: a stretch of the whole list.
#[test]
fn a_page_between_two_cursors_is_a_stretch_of_the_list() {
    let (runtime, world, facts) = setting();
    let places = (0..facts.actions.len(), 0..facts.actions.len());
    let asked = (queries::order(&SORTS), 1u32..40, any::<bool>(), places);
    check(120, &asked, |(order, size, forward, (after, before))| {
        let list = |page: PageRequest| {
            let list = ActionList {
                range: None,
                filter: Filter::default(),
                order: order.clone(),
                page,
            };
            runtime.block_on(async {
                actions::list(&world.tx(), world.read(0), &list)
                    .await
                    .unwrap()
            })
        };
        let whole = list(PageRequest {
            size: 1_000,
            forward: true,
            after: None,
            before: None,
        });
        let ids: Vec<Uuid> = whole.rows.iter().map(|(action, _)| action.id).collect();
        let page = list(PageRequest {
            size,
            forward,
            after: Some(whole.rows[after].1.clone()),
            before: Some(whole.rows[before].1.clone()),
        });
        let between: &[Uuid] = ids.get(after + 1..before).unwrap_or_default();
        let size = usize::try_from(size).unwrap();
        let expected = end_of(between, size, forward);
        let found: Vec<Uuid> = page.rows.iter().map(|(action, _)| action.id).collect();
        alike(&found, expected)?;
        let more = if forward {
            page.has_next
        } else {
            page.has_previous
        };
        prop_assert_eq!(more, between.len() > size);
        Ok(())
    });
}

/// The first or last page.
fn end_page(size: u32, forward: bool) -> PageRequest {
    PageRequest {
        size,
        forward,
        after: None,
        before: None,
    }
}

/// What a page from one end holds.
fn end_of(all: &[Uuid], size: usize, forward: bool) -> &[Uuid] {
    if forward {
        &all[..all.len().min(size)]
    } else {
        &all[all.len().saturating_sub(size)..]
    }
}

/// All parents of a kind, and one that does not exist.
fn parents_of(facts: &Facts, parent: ActionParent) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = match parent {
        ActionParent::User => facts.users.keys().copied().collect(),
        ActionParent::Program => facts.programs.keys().copied().collect(),
        ActionParent::AdSpace => facts.ad_spaces.keys().copied().collect(),
        ActionParent::Product => facts.products.keys().copied().collect(),
    };
    ids.push(Uuid::from_u128(9));
    ids
}

fn hangs_under(
    facts: &Facts,
    action: &entity::action::Model,
    parent: ActionParent,
    id: Uuid,
) -> bool {
    match parent {
        ActionParent::User => action.user_id == Some(id),
        ActionParent::Program => action.program_id == id,
        ActionParent::AdSpace => action.ad_space_id == Some(id),
        ActionParent::Product => {
            let mut cart = facts.cart(action.id).iter();
            cart.any(|item| item.product_id == Some(id))
        }
    }
}

#[test]
fn nested_actions_are_walked_once_each_under_every_parent() {
    let (runtime, world, facts) = setting();
    let parents = [
        ActionParent::User,
        ActionParent::Program,
        ActionParent::AdSpace,
        ActionParent::Product,
    ];
    let asked = (
        select(parents.to_vec()),
        queries::order(&SORTS),
        1u32..12,
        any::<bool>(),
        proptest::option::weighted(0.4, queries::wide_range()),
        any::<usize>(),
    );
    check(60, &asked, |(parent, order, size, forward, range, pick)| {
        let ids = parents_of(&facts, parent);
        let under = |id: Uuid| {
            let inside = facts
                .actions
                .values()
                .filter(|action| hangs_under(&facts, action, parent, id))
                .filter(|action| range.is_none_or(|range| naive::in_range(action, &range)));
            sort_actions(inside, &order)
        };
        let ask = |ids: &[Uuid], page: &PageRequest| {
            let list = ActionList {
                range,
                filter: Filter::default(),
                order: order.clone(),
                page: page.clone(),
            };
            runtime.block_on(async {
                actions::of_parents(&world.tx(), world.read(0), parent, ids, &list).await
            })
        };
        let pages = ask(&ids, &end_page(size, forward))
            .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let counts = runtime.block_on(async {
            let (tx, filter) = (world.tx(), Filter::default());
            let parents = (parent, ids.as_slice());
            actions::counts_of_parents(&tx, world.read(0), parents, range.as_ref(), &filter)
                .await
                .unwrap()
        });
        let size = usize::try_from(size).unwrap();
        for id in &ids {
            let expected = under(*id);
            let count = counts.get(id).copied().unwrap_or(0);
            prop_assert_eq!(count, i64::try_from(expected.len()).unwrap());
            let page = pages.get(id).cloned().unwrap_or_default();
            let cut = end_of(&expected, size, forward);
            let found: Vec<Uuid> = page.rows.iter().map(|(action, _)| action.id).collect();
            alike(&found, cut)?;
            let (more, behind) = if forward {
                (page.has_next, page.has_previous)
            } else {
                (page.has_previous, page.has_next)
            };
            prop_assert_eq!((more, behind), (expected.len() > size, false));
        }
        let one = ids[pick % ids.len()];
        let asked = (u32::try_from(size).unwrap(), forward);
        let found = walk(
            asked,
            1,
            |action: &Action| action.id,
            |page| {
                Ok(ask(&[one], page)?.remove(&one).unwrap_or(Page {
                    has_next: page.before.is_some(),
                    has_previous: page.after.is_some(),
                    ..Page::default()
                }))
            },
        )?;
        alike(&found, &under(one))
    });
}

fn text(text: &Option<String>) -> Value {
    text.clone().into()
}

macro_rules! lists_are_walked {
    ($($test:ident: $module:ident, $rows:ident, $record:ident, $sorts:expr, $value:expr;)+) => {$(
        #[test]
        fn $test() {
            let (runtime, world, facts) = setting();
            let asked = (queries::order(&$sorts), 1u32..60, any::<bool>());
            check(40, &asked, |(order, size, forward)| {
                let rows = facts.$rows.values().map(|row| {
                    let value: Box<dyn Fn(_) -> Value> = Box::new(move |sort| $value(row, sort));
                    (row.id, value)
                });
                let expected = sorted(rows.collect(), &order);
                let fingerprint = fingerprint(&printed_order("list", &order));
                let found = walk((size, forward), fingerprint, |row: &$record| row.id, |page| {
                    runtime.block_on(async {
                        let (tx, scope) = (world.tx(), world.read(0));
                        $module::list(&tx, scope, &Filter::default(), &order, page).await
                    })
                })?;
                alike(&found, &expected)
            });
        }
    )+};
}

lists_are_walked! {
    products_are_walked_once_each: products, products, Product,
        [ProductSort::Name, ProductSort::FirstSeenAt, ProductSort::ExternalId],
        |row: &entity::product::Model, sort| match sort {
            ProductSort::Name => row.name.as_deref().map(fold).into(),
            ProductSort::FirstSeenAt => row.first_seen_us.into(),
            ProductSort::ExternalId => text(&row.external_id),
        };
    users_are_walked_once_each: users, users, User, [UserSort::Value, UserSort::FirstSeenAt],
        |row: &entity::user::Model, sort| match sort {
            UserSort::Value => Value::from(row.value.clone()),
            UserSort::FirstSeenAt => row.first_seen_us.into(),
        };
    categories_are_walked_once_each: categories, categories, Category,
        [categories::CategorySort::Name, categories::CategorySort::Level,
         categories::CategorySort::ExternalId],
        |row: &entity::category::Model, sort| match sort {
            categories::CategorySort::Name => Value::from(fold(&row.name)),
            categories::CategorySort::Level => i64::from(row.level).into(),
            categories::CategorySort::ExternalId => row.external_id.clone().into(),
        };
    programs_are_walked_once_each: programs, programs, Program,
        [programs::ProgramSort::Name, programs::ProgramSort::ExternalId],
        |row: &entity::program::Model, sort| match sort {
            programs::ProgramSort::Name => Value::from(fold(&row.name)),
            programs::ProgramSort::ExternalId => text(&row.external_id),
        };
    ad_spaces_are_walked_once_each: ad_spaces, ad_spaces, AdSpace,
        [ad_spaces::AdSpaceSort::Name, ad_spaces::AdSpaceSort::ExternalId],
        |row: &entity::ad_space::Model, sort| match sort {
            ad_spaces::AdSpaceSort::Name => Value::from(fold(&row.name)),
            ad_spaces::AdSpaceSort::ExternalId => text(&row.external_id),
        };
}

#[test]
fn products_of_categories_are_walked_once_each_with_those_of_the_categories_below() {
    let (runtime, world, facts) = setting();
    let sorts = [
        ProductSort::Name,
        ProductSort::FirstSeenAt,
        ProductSort::ExternalId,
    ];
    let mut ids: Vec<Uuid> = facts
        .products
        .values()
        .filter_map(|product| product.category_id)
        .flat_map(|category| naive::line_up(&facts, category))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() > 6, "the carts name categories of several levels");
    let asked = (queries::order(&sorts), 1u32..9, any::<bool>(), 0..ids.len());
    check(50, &asked, |(order, size, forward, pick)| {
        let under = |category: Uuid| {
            let inside = facts.products.values().filter(|product| {
                product
                    .category_id
                    .is_some_and(|own| naive::line_up(&facts, own).contains(&category))
            });
            let rows = inside.map(|row| {
                let value: Box<dyn Fn(ProductSort) -> Value> = Box::new(move |sort| match sort {
                    ProductSort::Name => row.name.as_deref().map(fold).into(),
                    ProductSort::FirstSeenAt => row.first_seen_us.into(),
                    ProductSort::ExternalId => text(&row.external_id),
                });
                (row.id, value)
            });
            sorted(rows.collect(), &order)
        };
        let ask = |ids: &[Uuid], page: &PageRequest| {
            runtime.block_on(async {
                products::of_categories(&world.tx(), world.read(0), ids, &order, page).await
            })
        };
        let first = PageRequest {
            size,
            forward: true,
            after: None,
            before: None,
        };
        let pages: HashMap<_, _> = ask(&ids, &first).unwrap();
        for id in &ids {
            let expected = under(*id);
            let cut = &expected[..expected.len().min(usize::try_from(size).unwrap())];
            let page = pages.get(id).cloned().unwrap_or_default();
            let found: Vec<Uuid> = page.rows.iter().map(|(product, _)| product.id).collect();
            alike(&found, cut)?;
        }
        let one = ids[pick];
        let found = walk(
            (size, forward),
            1,
            |product: &Product| product.id,
            |page| Ok(ask(&[one], page)?.remove(&one).unwrap_or_default()),
        )?;
        alike(&found, &under(one))
    });
}

#[test]
fn rejects_are_walked_in_the_order_of_the_input() {
    let runtime = runtime();
    let (world, runs) = runtime.block_on(async {
        let world = World::new(2).await;
        let mut runs = Vec::new();
        for (place, batches) in [
            (0, vec![7, 0, 23, 1]),
            (0, vec![4]),
            (0, vec![]),
            (1, vec![9]),
        ] {
            let mut all = Vec::new();
            for count in batches {
                let from = u32::try_from(all.iter().map(Vec::len).sum::<usize>()).unwrap();
                all.push(rejects(from, count));
            }
            let batches: Vec<_> = all.iter().map(|list| (&[][..], list.as_slice())).collect();
            runs.push((world.run(place, &batches).await.0, all.concat()));
        }
        (world, runs)
    });
    let ids: Vec<Uuid> = runs.iter().map(|(id, _)| *id).collect();
    let kept = runtime
        .block_on(async { imports::rejects_kept(&world.tx(), world.read(0), &ids, None).await })
        .unwrap();
    assert_eq!(kept, HashMap::from([(ids[0], 31), (ids[1], 4)]));
    for (size, forward) in [
        (1, true),
        (4, true),
        (4, false),
        (31, true),
        (32, false),
        (100, true),
    ] {
        for (id, expected) in &runs[..3] {
            let mut found = Vec::new();
            let ids = walk(
                (size, forward),
                3,
                |reject| reject_id(*id, reject),
                |page| {
                    let pages = runtime.block_on(async {
                        imports::rejects_of(&world.tx(), world.read(0), &[*id], None, page).await
                    })?;
                    let page = pages.get(id).cloned().unwrap_or_default();
                    found.extend(page.rows.iter().map(|(row, _)| (row.ordinal, row.place)));
                    Ok(page)
                },
            )
            .unwrap();
            assert_eq!(ids.len(), expected.len());
            assert!(ids.is_sorted(), "by number");
            found.sort_by_key(|(ordinal, _)| *ordinal);
            let places: Vec<Place> = found.iter().map(|(_, place)| *place).collect();
            let expected: Vec<Place> = expected.iter().map(|reject| reject.place).collect();
            assert_eq!(places, expected);
        }
    }
    // Several runs in one statement, another publisher's among them.
    let first = PageRequest {
        size: 5,
        forward: true,
        after: None,
        before: None,
    };
    let pages = runtime
        .block_on(async {
            imports::rejects_of(&world.tx(), world.read(0), &ids, None, &first).await
        })
        .unwrap();
    let shown = |id: &Uuid| pages.get(id).map(|page| (page.rows.len(), page.has_next));
    let shown: Vec<_> = ids.iter().map(shown).collect();
    assert_eq!(shown, [Some((5, true)), Some((4, false)), None, None]);
}

/// A reject as an id that sorts by its number.
fn reject_id(run: Uuid, reject: &actiongraph::domain::records::RejectedRecord) -> Uuid {
    assert_eq!(reject.run_id, run);
    Uuid::from_u128(u128::try_from(reject.ordinal).unwrap())
}

#[test]
fn rows_that_come_in_between_pages_move_no_other_row() {
    let runtime = runtime();
    let asked = (
        queries::order(&SORTS),
        5u32..30,
        any::<bool>(),
        any::<u64>(),
    );
    check(8, &asked, |(order, size, forward, seed)| {
        let world = runtime.block_on(World::new(1));
        let shape = Shape {
            drafts: 80,
            actions: 80,
            wild: false,
        };
        let mut news = Maker::new(seed ^ 1, shape).drafts();
        for draft in &mut news {
            draft.external_id = format!("new-{}", draft.external_id);
        }
        runtime.block_on(world.apply(0, &Maker::new(seed, shape).drafts()));
        let facts = runtime.block_on(world.facts(0));
        let expected = sort_actions(facts.actions.values(), &order);
        let (mut dice, mut news) = (Dice::new(seed), news.into_iter());
        let found = walk(
            (size, forward),
            5,
            |action: &Action| action.id,
            |page| {
                let list = ActionList {
                    range: None,
                    filter: Filter::default(),
                    order: order.clone(),
                    page: page.clone(),
                };
                runtime.block_on(async {
                    let answer = actions::list(&world.tx(), world.read(0), &list).await;
                    let some: Vec<_> = news.by_ref().take(dice.below(12)).collect();
                    world.apply(0, &some).await;
                    answer
                })
            },
        )?;
        let old: Vec<Uuid> = found
            .into_iter()
            .filter(|id| facts.actions.contains_key(id))
            .collect();
        alike(&old, &expected)
    });
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let (runtime, world, _) = setting();
    let key = |field| SortKey {
        field,
        direction: Direction::Desc,
        nulls: Nulls::Last,
    };
    let ask = |order: Vec<SortKey<ActionSort>>, after: Option<Cursor>, before: Option<Cursor>| {
        let list = ActionList {
            range: None,
            filter: Filter::default(),
            order,
            page: PageRequest {
                size: 3,
                forward: true,
                after,
                before,
            },
        };
        runtime.block_on(async { actions::list(&world.tx(), world.read(0), &list).await })
    };
    let one = vec![key(ActionSort::OrderedAt)];
    let two = vec![key(ActionSort::OrderedAt), key(ActionSort::Country)];
    let cursor = ask(one.clone(), None, None).unwrap().rows[2].1.clone();
    let mut prints = vec![
        fingerprint(&printed_order("actions", &one)),
        fingerprint(&printed_order("users", &one)),
        fingerprint(&printed_order("actions", &two)),
    ];
    for change in [Nulls::First, Nulls::Last] {
        for direction in [Direction::Asc, Direction::Desc] {
            let other = SortKey {
                nulls: change,
                direction,
                ..key(ActionSort::OrderedAt)
            };
            prints.push(fingerprint(&printed_order("actions", &[other])));
        }
    }
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), 6, "each order has a fingerprint of its own");
    let own = fingerprint(&printed_order("actions", &one));
    for other in prints {
        let read = Cursor::decode(&cursor.encode(own), other, "after");
        assert_eq!(read.is_ok(), other == own);
    }
    // Past the text, a cursor with too few or too many values is refused by the list itself.
    for (order, after, before) in [
        (two.clone(), Some(cursor.clone()), None),
        (two, None, Some(cursor.clone())),
        (Vec::new(), Some(cursor), None),
    ] {
        let error = ask(order, after, before).unwrap_err();
        assert_eq!(error.code(), Code::BadUserInput);
    }
}
