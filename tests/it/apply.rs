//! What arrives is stored once, newest state first, whatever the order, the batches and the repetitions.

use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, at, item, sale};
use crate::support::world::{Facts, World, block_on};
use actiongraph::domain::action::{Item, Slot, SlotValue, Standing};
use actiongraph::domain::draft::{
    ActionDraft, CategoryRef, DraftItem, Place, Reject, RejectReason, action_id,
};
use actiongraph::domain::filter::Filter;
use actiongraph::domain::page::PageRequest;
use actiongraph::domain::records::{RunCounts, RunState};
use actiongraph::store::actions::{self, ActionList, ActionParent};
use actiongraph::store::apply::{KEPT_REJECTS, apply};
use actiongraph::store::{ad_spaces, categories, imports, products, programs, state, users};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Few actions with many states each, many of one stamp.
const WILD: Shape = Shape {
    drafts: 70,
    actions: 12,
    wild: true,
};
/// As upstream is: an action's order stays where it is, and stamps differ.
const TAME: Shape = Shape {
    drafts: 160,
    actions: 60,
    wild: false,
};

/// The first line where two dumps differ, instead of both dumps.
fn assert_alike(left: &str, right: &str, what: &str) {
    if left == right {
        return;
    }
    let (a, b): (BTreeSet<&str>, BTreeSet<&str>) =
        (left.lines().collect(), right.lines().collect());
    let only_left: Vec<&&str> = a.difference(&b).take(2).collect();
    let only_right: Vec<&&str> = b.difference(&a).take(2).collect();
    panic!("{what}: the contents differ\n  here {only_left:#?}\n  there {only_right:#?}");
}

#[test]
fn any_order_batching_and_repetition_of_arrivals_ends_in_one_content() {
    block_on(async {
        for round in 0..5 {
            let seed = seed() + round * 1_000;
            let shape = if round % 2 == 0 { WILD } else { TAME };
            let drafts = Maker::new(seed, shape).drafts();
            let one = World::new(1).await;
            one.apply_in(0, &drafts, drafts.len()).await;
            let expected = one.dump(0).await;
            let mut dice = Dice::new(seed);
            for arrival in 0..4 {
                let mut arriving = drafts.clone();
                match arrival {
                    0 => {}
                    1 => arriving.reverse(),
                    _ => {
                        // Every state once, and some of them twice.
                        let again = arriving.iter().filter(|_| dice.percent(30)).cloned();
                        let again: Vec<ActionDraft> = again.collect();
                        arriving.extend(again);
                        dice.shuffle(&mut arriving);
                    }
                }
                let world = World::new(1).await;
                let mut rest = arriving.as_slice();
                while !rest.is_empty() {
                    let size = (1 + dice.below(if arrival == 0 { 1 } else { 15 })).min(rest.len());
                    world.apply_in(0, &rest[..size], size).await;
                    rest = &rest[size..];
                }
                let what = format!("seed {seed}, arrival {arrival}");
                assert_alike(&expected, &world.dump(0).await, &what);
            }
        }
    });
}

/// A product whose category carts say by its id, by the name that the shipped tree has, and by names that nobody knows.
#[test]
fn categories_by_id_and_by_name_in_any_order_end_in_one_content() {
    let by_id = |id: &str, name: &str| CategoryRef::with_id(id.to_owned(), Some(name.to_owned()));
    let by_name = |name: &str| CategoryRef::named(name.to_owned());
    let carts = [
        ("1", "9", by_id("990001", "Toys for trees")),
        ("2", "9", by_name("Ёлочные игрушки")),
        ("3", "9", by_name("ёлочные  ИГРУШКИ")),
        ("4", "9", by_name("toys for trees")),
        ("5", "8", by_name("consumer electronics")),
        ("6", "7", by_name("Ёлочные игрушки")),
        // The shipped tree has an id for it, which nobody gave.
        ("7", "9", by_name("Consumer Electronics")),
    ];
    let drafts: Vec<ActionDraft> = carts
        .into_iter()
        .map(|(number, product, category)| {
            let when = at(&format!("2026-03-0{number}T00:00:00Z"));
            let mut draft = sale(number, when);
            let mut item = item(product);
            item.category = Some(category);
            draft.items = vec![item];
            draft
        })
        .collect();
    block_on(async {
        let one = World::new(1).await;
        one.apply_in(0, &drafts, drafts.len()).await;
        let expected = one.dump(0).await;
        let mut dice = Dice::new(seed());
        for round in 0..6 {
            let mut arriving = drafts.clone();
            match round {
                0 => arriving.reverse(),
                _ => dice.shuffle(&mut arriving),
            }
            let world = World::new(1).await;
            for draft in &arriving {
                world.apply(0, std::slice::from_ref(draft)).await;
            }
            let what = format!("seed {}, round {round}", seed());
            assert_alike(&expected, &world.dump(0).await, &what);
            assert_eq!(world.drift(0).await, Vec::<String>::new(), "{what}");
        }
        let facts = one.facts(0).await;
        let called = |name: &str| {
            let found = facts.categories.values().filter(|row| row.name == name);
            let found: Vec<_> = found.collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0]
        };
        // The newest spelling of those of one name, under "Unknown"; no cart is without a category.
        let own = called("Ёлочные игрушки");
        assert!(!own.is_known && own.parent_id.is_some() && own.level == 2);
        assert!(called("Consumer Electronics").is_known);
        let carts = facts.items.values().flatten();
        assert!(carts.clone().count() == 7 && carts.clone().all(|item| item.category_id.is_some()));
        // An id says more of a product than any name.
        let product = |id: &str| {
            let found = facts.products.values();
            let mut found = found.filter(|row| row.external_id.as_deref() == Some(id));
            found.next().unwrap().category_id
        };
        assert_eq!(product("9"), Some(called("Toys for trees").id));
        assert_eq!(product("8"), Some(called("Consumer Electronics").id));
        assert_eq!(product("7"), Some(own.id));
    });
}

/// Drafts of which no two say something of one action as of one stamp: then the stamp alone says which is newer.
fn without_ties(mut drafts: Vec<ActionDraft>) -> Vec<ActionDraft> {
    let mut seen = BTreeSet::new();
    drafts.retain(|draft| seen.insert((draft.external_id.clone(), draft.stamp)));
    drafts
}

/// What the rules say of the states of one action, one rule at a time.
struct Expected<'a> {
    newest: &'a ActionDraft,
    slots: BTreeMap<Slot, SlotValue>,
    cart: &'a [DraftItem],
    states: BTreeSet<(i64, String, bool, i64, Option<i64>)>,
}

fn expected(drafts: &[ActionDraft]) -> BTreeMap<&str, Expected<'_>> {
    let mut by_action: BTreeMap<&str, Vec<&ActionDraft>> = BTreeMap::new();
    for draft in drafts {
        by_action.entry(&draft.external_id).or_default().push(draft);
    }
    by_action
        .into_iter()
        .map(|(id, mut states)| {
            states.sort_by_key(|draft| draft.stamp);
            let mut slots = BTreeMap::new();
            let mut cart: &[DraftItem] = &[];
            for draft in &states {
                slots.extend(draft.slots.clone());
                if !draft.items.is_empty() {
                    cart = &draft.items;
                }
            }
            let history = states.iter().map(|draft| {
                let amount = match draft.slots.get(&Slot::OrderAmount) {
                    Some(SlotValue::Number(amount)) => Some(*amount),
                    _ => None,
                };
                let Standing {
                    raw_status,
                    paid,
                    reward_e4,
                    ..
                } = &draft.standing;
                let changed = draft.stamp.changed_at.micros();
                (changed, raw_status.clone(), *paid, *reward_e4, amount)
            });
            let expected = Expected {
                newest: states[states.len() - 1],
                slots,
                cart,
                states: history.collect(),
            };
            (id, expected)
        })
        .collect()
}

#[test]
fn the_newest_state_stands_and_empty_values_overwrite_nothing() {
    block_on(async {
        for round in 0..3 {
            let drafts = without_ties(Maker::new(seed() + 50 + round, TAME).drafts());
            let world = World::new(1).await;
            world.apply(0, &drafts).await;
            let (tx, scope) = (world.tx(), world.read(0));
            let publisher = scope.publisher();
            for (external_id, expected) in expected(&drafts) {
                let id = action_id(publisher, external_id);
                let found = actions::by_external_id(&tx, scope, external_id)
                    .await
                    .unwrap();
                let [action] = found.as_slice() else {
                    panic!("{external_id}: {found:?}")
                };
                assert_eq!(action.id, id);
                let standing = &expected.newest.standing;
                assert_eq!(action.stamp, expected.newest.stamp);
                assert_eq!(action.status, standing.status);
                assert_eq!(action.raw_status, standing.raw_status);
                assert_eq!(action.reward_e4, standing.reward_e4);
                assert_eq!(
                    (action.paid, action.processed),
                    (standing.paid, standing.processed)
                );
                assert_eq!(action.status_updated_at, standing.status_updated_at);
                let text = |slot| match expected.slots.get(&slot) {
                    Some(SlotValue::Text(text)) => Some(text.clone()),
                    _ => None,
                };
                let number = |slot| match expected.slots.get(&slot) {
                    Some(SlotValue::Number(number)) => Some(*number),
                    _ => None,
                };
                assert_eq!(action.order_id, text(Slot::OrderId));
                assert_eq!(action.country, text(Slot::Country));
                assert_eq!(action.subids, Slot::SUBIDS.map(text));
                assert_eq!(action.comment, text(Slot::Comment));
                assert_eq!(action.device, text(Slot::Device));
                assert_eq!(action.order_amount_e4, number(Slot::OrderAmount));
                assert_eq!(
                    action.closing_day.map(|day| i64::from(day.days())),
                    number(Slot::ClosingDay)
                );
                assert_eq!(action.user_id.is_some(), text(Slot::Subid1).is_some());
                let cart = actions::items_of(&tx, scope, &[id]).await.unwrap();
                let lines: Vec<_> = cart.iter().map(|row| line(&row.item)).collect();
                let wanted: Vec<_> = expected.cart.iter().map(draft_line).collect();
                assert_eq!(lines, wanted, "{external_id}");
                assert_eq!(usize::try_from(action.items_count).unwrap(), cart.len());
                let history = actions::states_of(&tx, scope, &[id]).await.unwrap();
                let shown: BTreeSet<_> = history
                    .iter()
                    .map(|row| {
                        let state = &row.state;
                        let changed = state.stamp.changed_at.micros();
                        let word = state.raw_status.clone();
                        (
                            changed,
                            word,
                            state.paid,
                            state.reward_e4,
                            state.order_amount_e4,
                        )
                    })
                    .collect();
                assert_eq!(history.len(), shown.len(), "no state twice");
                assert_eq!(shown, expected.states, "{external_id}");
                let decided = history
                    .iter()
                    .any(|row| row.state.status.is_processed() && row.state.stamp < action.stamp);
                let pending = action.status == actiongraph::domain::action::Status::Pending;
                assert_eq!(action.returned_to_hold, pending && decided, "{external_id}");
            }
        }
    });
}

type Line = (Option<String>, i64, i64, i32, bool, bool, Option<String>);

fn line(item: &Item) -> Line {
    let Item {
        external_id,
        amount_e4,
        reward_e4,
        units,
        tariff_id,
        ..
    } = item.clone();
    let (product, category) = (item.product_id.is_some(), item.category_id.is_some());
    (
        external_id,
        amount_e4,
        reward_e4,
        units,
        product,
        category,
        tariff_id,
    )
}

fn draft_line(item: &DraftItem) -> Line {
    let DraftItem {
        external_id,
        amount_e4,
        reward_e4,
        units,
        tariff_id,
        ..
    } = item.clone();
    let (product, category) = (item.product.is_some(), item.category.is_some());
    (
        external_id,
        amount_e4,
        reward_e4,
        units,
        product,
        category,
        tariff_id,
    )
}

/// All rows, the change log and the publisher's numbers.
async fn everything(world: &World) -> String {
    let log = world.rows::<entity::action_change::Entity>(0).await;
    let numbers = world.rows::<entity::publisher_state::Entity>(0).await;
    format!("{}{log:#?}{numbers:#?}", world.dump(0).await)
}

#[test]
fn applying_everything_again_changes_nothing() {
    block_on(async {
        for (round, shape) in [WILD, TAME].into_iter().enumerate() {
            let drafts = Maker::new(seed() + 70 + u64::try_from(round).unwrap(), shape).drafts();
            let world = World::new(1).await;
            world.apply(0, &drafts).await;
            let before = everything(&world).await;
            for size in [1, 7, drafts.len()] {
                let (_, applied) = world.apply_in(0, &drafts, size).await;
                assert_alike(
                    &before,
                    &everything(&world).await,
                    &format!("batches of {size}"),
                );
                assert_eq!((applied.inserted, applied.updated), (0, 0));
                let rest = i64::try_from(drafts.len()).unwrap();
                assert_eq!(applied.unchanged + applied.stale, rest);
            }
        }
    });
}

#[test]
fn an_older_state_never_changes_how_an_action_stands() {
    block_on(async {
        let mut drafts = without_ties(Maker::new(seed() + 80, TAME).drafts());
        drafts.sort_by_key(|draft| draft.stamp);
        let newest: BTreeMap<String, ActionDraft> = drafts
            .iter()
            .map(|draft| (draft.external_id.clone(), draft.clone()))
            .collect();
        let world = World::new(1).await;
        let newest: Vec<ActionDraft> = newest.into_values().collect();
        world.apply(0, &newest).await;
        let standing = async || -> Vec<_> {
            let rows = world.rows::<entity::action::Entity>(0).await;
            let standing = rows.into_iter().map(|row| {
                (
                    (
                        row.id,
                        row.status,
                        row.raw_status,
                        row.paid,
                        row.processed,
                        row.reward_e4,
                    ),
                    (
                        row.currency,
                        row.action_type,
                        row.ordered_at_us,
                        row.status_updated_at_us,
                    ),
                    (row.changed_at_us, row.observed_at_us),
                )
            });
            standing.collect()
        };
        let before = standing().await;
        let history = world.rows::<entity::action_state::Entity>(0).await.len();
        let (_, applied) = world.apply_in(0, &drafts, 9).await;
        assert_eq!(standing().await, before);
        assert_eq!((applied.inserted, applied.updated), (0, 0));
        assert!(applied.stale > 20, "there were older states: {applied:?}");
        let after = world.rows::<entity::action_state::Entity>(0).await.len();
        assert!(after > history + 20, "older states enter the history");
    });
}

/// What a reader can see of a publisher: the dump without observation times.
async fn visible(world: &World) -> (BTreeMap<Uuid, String>, String) {
    let mut actions: BTreeMap<Uuid, String> = BTreeMap::new();
    for mut row in world.rows::<entity::action::Entity>(0).await {
        row.observed_at_us = 0;
        row.inherited.clear();
        row.program_name_id = None;
        row.ad_space_name_id = None;
        actions.insert(row.id, format!("{row:?}"));
    }
    for row in world.rows::<entity::action_item::Entity>(0).await {
        actions
            .entry(row.action_id)
            .or_default()
            .push_str(&format!("{row:?}"));
    }
    let mut rest = String::new();
    macro_rules! add {
        ($table:ident, $($hidden:ident),*) => {
            for mut row in world.rows::<entity::$table::Entity>(0).await {
                $(row.$hidden = 0;)*
                rest.push_str(&format!("{} {row:?}\n", stringify!($table)));
            }
        };
    }
    add!(program, name_at_us);
    add!(ad_space, name_at_us);
    add!(category, name_at_us);
    add!(product, name_at_us, url_at_us, image_at_us, category_at_us);
    for row in world.rows::<entity::user::Entity>(0).await {
        rest.push_str(&format!("{row:?}\n"));
    }
    for row in world.rows::<entity::action_state::Entity>(0).await {
        rest.push_str(&format!("{row:?}\n"));
    }
    (actions, rest)
}

#[test]
fn the_change_log_names_every_action_that_a_reader_sees_change_and_no_other() {
    block_on(async {
        for (round, shape) in [WILD, TAME].into_iter().enumerate() {
            let drafts = Maker::new(seed() + 90 + u64::try_from(round).unwrap(), shape).drafts();
            let world = World::new(1).await;
            let mut before = visible(&world).await;
            let (mut logged, mut version) = (0, 0);
            for (step, batch) in drafts.chunks(4).chain(drafts.chunks(11)).enumerate() {
                let (run, _) = world.apply_in(0, batch, batch.len()).await;
                let after = visible(&world).await;
                let changed: BTreeSet<Uuid> = after
                    .0
                    .iter()
                    .filter(|(id, shown)| before.0.get(id) != Some(shown))
                    .map(|(id, _)| *id)
                    .collect();
                let log = world.rows::<entity::action_change::Entity>(0).await;
                let new = &log[logged..];
                let named: BTreeSet<Uuid> = new.iter().map(|row| row.action_id).collect();
                assert_eq!(named, changed, "step {step}");
                assert_eq!(named.len(), new.len(), "step {step}: an action twice");
                for (row, seq) in log.iter().zip(1i64..) {
                    assert_eq!(row.seq, seq, "no gap");
                }
                for row in new {
                    assert_eq!(row.run_id, run);
                    let is_new = !before.0.contains_key(&row.action_id);
                    assert_eq!(row.kind, if is_new { "INSERTED" } else { "UPDATED" });
                }
                let numbers = state(&world.tx(), world.read(0)).await.unwrap();
                assert_eq!(numbers.change_seq, i64::try_from(log.len()).unwrap());
                let moved = numbers.data_version - version;
                assert!((0..=1).contains(&moved), "one version a transaction");
                if before != after {
                    assert_eq!(
                        moved, 1,
                        "step {step}: an answer changed, the version did not"
                    );
                }
                (logged, version, before) = (log.len(), numbers.data_version, after);
            }
        }
    });
}

/// What a re-read of upstream no longer had leaves every answer, and comes back as it was when it is seen again.
#[test]
fn an_action_that_upstream_no_longer_has_leaves_and_comes_back_whole() {
    block_on(async {
        let drafts = Maker::new(seed() + 110, TAME).drafts();
        let (world, plain) = (World::new(1).await, World::new(1).await);
        world.apply(0, &drafts).await;
        plain.apply(0, &drafts).await;
        let whole = plain.dump(0).await;
        assert_eq!(world.dump(0).await, whole);
        let ids: BTreeSet<&str> = drafts
            .iter()
            .map(|draft| draft.external_id.as_str())
            .collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let (gone, kept) = ids.split_at(ids.len() / 3);

        // Too old a re-read, and one that misses what nobody knows, change nothing.
        let old = world.delete(0, gone, at("2026-06-01T00:00:00Z")).await;
        let unknown = world
            .delete(0, &["no such action"], at("2026-08-01T00:00:00Z"))
            .await;
        assert_eq!((old.deleted, unknown.deleted), (0, 0));
        assert_eq!(world.dump(0).await, whole);

        let first = world.delete(0, gone, at("2026-08-01T00:00:00Z")).await;
        let again = world.delete(0, gone, at("2026-08-01T00:00:00Z")).await;
        assert_eq!(first.deleted, i64::try_from(gone.len()).unwrap());
        assert_eq!(again.deleted, 0, "a repeated re-read");
        let facts = world.facts(0).await;
        assert_eq!(facts.actions.len(), kept.len());
        assert!(
            facts
                .actions
                .values()
                .all(|row| kept.contains(&row.external_id.as_str()))
        );
        assert_eq!(world.drift(0).await, Vec::<String>::new());
        let log = world.rows::<entity::action_change::Entity>(0).await;
        let logged = log.iter().filter(|row| row.kind == "DELETED").count();
        assert_eq!(logged, gone.len());

        // Everything again, as old as it was: nothing comes back, nothing of it is lost.
        world.apply(0, &drafts).await;
        assert_eq!(world.facts(0).await.actions.len(), kept.len());

        // Seen again, later than the re-read had begun: as in a database from which nothing ever went.
        let mut later = drafts.clone();
        for draft in &mut later {
            draft.stamp.observed_at = at("2026-08-02T00:00:00Z");
        }
        world.apply(0, &later).await;
        plain.apply(0, &later).await;
        assert_eq!(world.dump(0).await, plain.dump(0).await);
        let log = world.rows::<entity::action_change::Entity>(0).await;
        let restored = log.iter().filter(|row| row.kind == "RESTORED").count();
        assert_eq!(restored, gone.len());
        let left = world.rows::<entity::tombstone::Entity>(0).await;
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn writers_of_one_publisher_wait_for_each_other() {
    block_on(async {
        let drafts = Maker::new(seed() + 95, TAME).drafts();
        let alone = World::new(1).await;
        alone.apply(0, &drafts).await;
        let world = World::new(1).await;
        let (left, right) = drafts.split_at(drafts.len() / 2);
        tokio::join!(
            world.apply_in(0, left, 9),
            world.apply_in(0, right, 7),
            world.apply_in(0, left, 13)
        );
        assert_alike(&alone.dump(0).await, &world.dump(0).await, "three writers");
        let log = world.rows::<entity::action_change::Entity>(0).await;
        let numbers: Vec<i64> = log.iter().map(|row| row.seq).collect();
        assert!(
            numbers
                .iter()
                .copied()
                .eq(1..=i64::try_from(log.len()).unwrap()),
            "no gap"
        );
    });
}

#[test]
fn publishers_with_the_same_upstream_ids_never_mix() {
    block_on(async {
        let (mine, theirs) = (
            Maker::new(seed() + 97, TAME).drafts(),
            Maker::new(seed() + 98, TAME).drafts(),
        );
        let alone = World::new(1).await;
        alone.apply(0, &mine).await;
        let world = World::new(2).await;
        for (place, drafts) in [(0, &mine[..80]), (1, &theirs[..]), (0, &mine[80..])] {
            world.apply(place, drafts).await;
        }
        assert_alike(
            &alone.dump(0).await,
            &world.dump(0).await,
            "beside another publisher",
        );
        let (own, other) = (world.facts(0).await, world.facts(1).await);
        let shared = own.actions.values().filter(|action| {
            other
                .actions
                .values()
                .any(|other| other.external_id == action.external_id)
        });
        assert!(
            shared.count() > 20,
            "both know actions of the same upstream ids"
        );
        assert_no_way_leads_to(&world, &other).await;
    });
}

/// Nothing of the second publisher's is found in the first one's scope, by any way that an id can be asked.
async fn assert_no_way_leads_to(world: &World, other: &Facts) {
    let (tx, scope) = (world.tx(), world.read(0));
    let all = |map: &BTreeMap<Uuid, entity::action::Model>| -> Vec<Uuid> {
        map.keys().copied().collect()
    };
    let ids = all(&other.actions);
    assert_eq!(actions::by_ids(&tx, scope, &ids).await.unwrap(), []);
    assert_eq!(actions::items_of(&tx, scope, &ids).await.unwrap(), []);
    assert_eq!(actions::states_of(&tx, scope, &ids).await.unwrap(), []);
    let keys = |ids: Vec<&Uuid>| -> Vec<Uuid> { ids.into_iter().copied().collect() };
    let their_users = keys(other.users.keys().collect());
    let their_products = keys(other.products.keys().collect());
    let their_spaces = keys(other.ad_spaces.keys().collect());
    let their_programs = keys(other.programs.keys().collect());
    let their_categories = keys(other.categories.keys().collect());
    assert_eq!(users::by_ids(&tx, scope, &their_users).await.unwrap(), []);
    assert_eq!(
        products::by_ids(&tx, scope, &their_products).await.unwrap(),
        []
    );
    assert_eq!(
        ad_spaces::by_ids(&tx, scope, &their_spaces).await.unwrap(),
        []
    );
    assert_eq!(
        programs::by_ids(&tx, scope, &their_programs).await.unwrap(),
        []
    );
    assert_eq!(
        categories::by_ids(&tx, scope, &their_categories)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        categories::children_of(&tx, scope, &their_categories)
            .await
            .unwrap(),
        []
    );
    let page = PageRequest {
        size: 100,
        forward: true,
        after: None,
        before: None,
    };
    let list = ActionList {
        range: None,
        filter: Filter::default(),
        order: Vec::new(),
        page: page.clone(),
    };
    for (parent, ids) in [
        (ActionParent::User, &their_users),
        (ActionParent::Product, &their_products),
        (ActionParent::AdSpace, &their_spaces),
        (ActionParent::Program, &their_programs),
    ] {
        let found = actions::of_parents(&tx, scope, parent, ids, &list)
            .await
            .unwrap();
        assert!(found.is_empty(), "{parent:?}");
    }
    let found = products::of_categories(&tx, scope, &their_categories, &[], &page).await;
    assert!(found.unwrap().is_empty());
    let runs = world.rows::<entity::import_run::Entity>(1).await;
    let runs: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    assert!(!runs.is_empty());
    assert_eq!(imports::by_ids(&tx, scope, &runs).await.unwrap(), []);
}

#[test]
fn ten_thousand_rejects_of_a_run_are_kept_and_all_are_counted() {
    block_on(async {
        let world = World::new(1).await;
        let drafts = Maker::new(seed() + 99, TAME).drafts();
        let reject = |line| Reject {
            place: Place {
                line,
                ..Place::default()
            },
            reason: RejectReason::MissingField,
            field: None,
            message: "an action needs an id".to_owned(),
            raw: "{}".to_owned(),
        };
        let rejects: Vec<Reject> = (1..=10_321).map(reject).collect();
        let batches: Vec<_> = drafts.chunks(16).zip(rejects.chunks(1_033)).collect();
        let (run, applied) = world.run(0, &batches).await;
        let (tx, scope) = (world.tx(), world.read(0));
        let kept = imports::rejects_kept(&tx, scope, &[run], None)
            .await
            .unwrap();
        assert_eq!(kept[&run], KEPT_REJECTS);
        let rows = world.rows::<entity::import_reject::Entity>(0).await;
        let ordinals = rows.iter().map(|row| i64::from(row.ordinal));
        assert!(ordinals.eq(0..KEPT_REJECTS), "numbered without gaps");
        assert!(
            rows.iter()
                .all(|row| row.line == i64::from(row.ordinal) + 1),
            "the first ones"
        );
        let run = imports::by_ids(&tx, scope, &[run]).await.unwrap().remove(0);
        assert_eq!(run.state, RunState::Partial);
        let rounded: u32 = drafts.iter().map(|draft| draft.rounded).sum();
        let expected = RunCounts {
            read: 10_321 + 160,
            inserted: applied.inserted,
            updated: applied.updated,
            unchanged: applied.unchanged,
            stale: applied.stale,
            deleted: 0,
            rejected: 10_321,
            rounded: i64::from(rounded),
        };
        assert_eq!(run.counts, expected);
        let sum = applied.inserted + applied.updated + applied.unchanged + applied.stale;
        assert_eq!(sum, 160, "each draft is one of the four");
    });
}

/// Carts of a thousand positions: more products in one batch than a statement may bind values.
#[test]
fn a_batch_of_huge_carts_comes_in() {
    block_on(async {
        let mut drafts = Maker::new(seed() + 100, TAME).drafts();
        drafts.truncate(40);
        for (number, draft) in drafts.iter_mut().enumerate() {
            draft.external_id = number.to_string();
            draft.items = (0..1_700)
                .map(|place| item(&format!("{}", number * 10_000 + place)))
                .collect();
        }
        let world = World::new(1).await;
        let (run, applied) = world.apply_in(0, &drafts, drafts.len()).await;
        assert_eq!(applied.inserted, 40);
        let facts = world.facts(0).await;
        assert_eq!(facts.products.len(), 40 * 1_700);
        assert_eq!(
            facts.items.values().map(Vec::len).sum::<usize>(),
            40 * 1_700
        );
        let batch = actiongraph::store::apply::Batch {
            run_id: run,
            drafts: &drafts,
            deletions: &[],
            rejects: &[],
            rejected_before: 0,
            sync: None,
            bytes_read: None,
            now: at("2026-08-01T00:00:00Z"),
        };
        let again = apply(&world.store, world.write(0), batch).await.unwrap();
        assert_eq!(again.unchanged, 40);
    });
}
