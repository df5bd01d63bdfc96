//! Totals equal the facts after every step, whatever arrives; what differs is found, and rebuilt.

mod rebuilt;

use crate::columns;
use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, at, instant};
use crate::support::world::{Facts, World, block_on};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::notice::Receipt;
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::Instant;
use actiongraph::domain::totals::{Grain, Tier, Total};
use actiongraph::store::apply::apply_notices;
use actiongraph::store::totals::{self, Manner};
use actiongraph::telemetry::Metrics;
use actiongraph::worker::upkeep;
use sea_orm::{ConnectionTrait, Database};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use uuid::Uuid;

/// Few actions with many states each: status changes both ways, other carts, other instants, late and repeated states.
const WILD: Shape = Shape {
    drafts: 120,
    actions: 18,
    wild: true,
};
const TAME: Shape = Shape {
    drafts: 160,
    actions: 50,
    wild: false,
};

/// A total's rows by their key in words, the sums in the order of [`Total::sums`].
type Rows = BTreeMap<String, Vec<i64>>;

/// The cell of an instant, by a plain division of the seconds of its grain; weeks begin on the Monday before 1970.
fn cell(grain: Grain, micros: i64) -> i64 {
    let seconds = micros / 1_000_000;
    let into_week = 3 * 86_400;
    match grain {
        Grain::QuarterHour => seconds / 900,
        Grain::Hour => seconds / 3_600,
        Grain::SixHours => seconds / 21_600,
        Grain::Day => seconds / 86_400,
        Grain::Week => (seconds + into_week) / 604_800,
        Grain::FourWeeks => (seconds + into_week) / 2_419_200,
    }
}

/// What a total should hold, added up action by action.
fn expected(facts: &Facts, total: Total) -> Rows {
    let mut rows = Rows::new();
    let mut add = |key: String, sums: &[i64]| {
        let held = rows.entry(key).or_insert_with(|| vec![0; sums.len()]);
        held.iter_mut()
            .zip(sums)
            .for_each(|(held, sum)| *held += sum);
    };
    for action in facts.actions.values() {
        let cart = facts.cart(action.id);
        for grain in total.grains() {
            let time = format!(
                "{} {} {} {}",
                grain.number(),
                cell(*grain, action.ordered_at_us),
                action.status,
                action.currency
            );
            let channel = format!(
                "{time} {} {}",
                action.program_id,
                action.ad_space_id.unwrap_or_default()
            );
            let of_action = [
                1,
                action.units,
                action.order_amount_e4.unwrap_or(0),
                i64::from(action.order_amount_e4.is_some()),
                action.reward_e4,
                if action.paid { action.reward_e4 } else { 0 },
                cart.iter().map(|item| item.amount_e4).sum(),
                cart.iter().map(|item| item.reward_e4).sum(),
                i64::from(cart.iter().any(|item| item.product_id.is_some())),
            ];
            match total {
                Total::Time => add(time, &of_action),
                Total::Channel => add(channel, &of_action),
                Total::Audience => add(
                    format!(
                        "{channel} {:?} {:?} {}",
                        action.country.as_deref().unwrap_or(""),
                        action.device.as_deref().unwrap_or(""),
                        action.action_type
                    ),
                    &of_action,
                ),
                Total::Product => {
                    let named =
                        |item: &entity::action_item::Model| item.product_id.unwrap_or_default();
                    for (product, sums) in by_key(cart, |item| Some(named(item))) {
                        add(format!("{time} {product}"), &sums);
                    }
                }
                Total::Category => {
                    for (key, sums) in by_category(facts, cart, &time) {
                        add(key, &sums);
                    }
                }
            }
        }
    }
    rows.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    rows
}

/// What a cart adds by tier and category; level 2 is what it has beyond the items' own.
fn by_category(
    facts: &Facts,
    cart: &[entity::action_item::Model],
    time: &str,
) -> Vec<(String, Vec<i64>)> {
    let own = |item: &entity::action_item::Model| Some(item.category_id.unwrap_or_default());
    let above = |item: &entity::action_item::Model, level1: bool| {
        let row = item.category_id.map(|id| &facts.categories[&id]);
        let level = |row: &entity::category::Model| {
            if level1 { row.level1_id } else { row.level2_id }
        };
        Some(row.map_or(Uuid::nil(), level))
    };
    let mut found = Vec::new();
    let mut put = |tier: Tier, sums: BTreeMap<Uuid, Vec<i64>>, sign: i64| {
        for (category, sums) in sums {
            let sums = sums.iter().map(|sum| sum * sign).collect();
            found.push((format!("{} {time} {category}", tier.number()), sums));
        }
    };
    put(Tier::Own, by_key(cart, own), 1);
    put(Tier::Level1, by_key(cart, |item| above(item, true)), 1);
    put(
        Tier::Level2Beyond,
        by_key(cart, |item| above(item, false)),
        1,
    );
    put(Tier::Level2Beyond, by_key(cart, own), -1);
    found
}

fn by_key(
    cart: &[entity::action_item::Model],
    key: impl Fn(&entity::action_item::Model) -> Option<Uuid>,
) -> BTreeMap<Uuid, Vec<i64>> {
    let mut sums: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for item in cart {
        if let Some(key) = key(item) {
            let held = sums.entry(key).or_insert_with(|| vec![1, 0, 0, 0]);
            held[1] += i64::from(item.units);
            held[2] += item.amount_e4;
            held[3] += item.reward_e4;
        }
    }
    sums
}

macro_rules! stored {
    ($world:expr, $place:expr, $table:ident, |$row:ident| $key:expr, [$($sum:ident),+]) => {
        $world
            .rows::<entity::$table::Entity>($place)
            .await
            .into_iter()
            .map(|$row| ($key, vec![$($row.$sum),+]))
            .collect::<Rows>()
    };
}

async fn stored(world: &World, place: usize, total: Total) -> Rows {
    macro_rules! of_actions {
        ($table:ident, |$row:ident| $more:expr) => {
            stored!(
                world,
                place,
                $table,
                |$row| format!(
                    "{} {} {} {}{}",
                    $row.grain, $row.cell, $row.status, $row.currency, $more
                ),
                [
                    actions,
                    units,
                    order_amount_e4,
                    amounted,
                    reward_e4,
                    paid_e4,
                    items_amount_e4,
                    items_reward_e4,
                    carted
                ]
            )
        };
    }
    match total {
        Total::Time => of_actions!(totals_time, |row| ""),
        Total::Channel => {
            of_actions!(totals_channel, |row| format!(
                " {} {}",
                row.program_id, row.ad_space_id
            ))
        }
        Total::Audience => of_actions!(totals_audience, |row| format!(
            " {} {} {:?} {:?} {}",
            row.program_id, row.ad_space_id, row.country, row.device, row.action_type
        )),
        Total::Category => stored!(
            world,
            place,
            totals_category,
            |row| format!(
                "{} {} {} {} {} {}",
                row.tier, row.grain, row.cell, row.status, row.currency, row.category_id
            ),
            [actions, units, order_amount_e4, reward_e4]
        ),
        Total::Product => stored!(
            world,
            place,
            totals_product,
            |row| format!(
                "{} {} {} {} {}",
                row.grain, row.cell, row.status, row.currency, row.product_id
            ),
            [actions, units, order_amount_e4, reward_e4]
        ),
    }
}

/// Products or users: counted actions, units, first order.
type Lives = BTreeMap<Uuid, (i64, i64, i64)>;

fn expected_lives(facts: &Facts) -> (Lives, Lives) {
    let (mut products, mut users) = (Lives::new(), Lives::new());
    for action in facts
        .actions
        .values()
        .filter(|action| action.status != "DECLINED")
    {
        let at = action.ordered_at_us;
        let see = |lives: &mut Lives, id: Uuid, units: i64| {
            let life = lives.entry(id).or_insert((0, 0, i64::MAX));
            *life = (life.0 + 1, life.1 + units, life.2.min(at));
        };
        for (product, sums) in by_key(facts.cart(action.id), |item| item.product_id) {
            see(&mut products, product, sums[1]);
        }
        if let Some(user) = action.user_id {
            see(&mut users, user, 0);
        }
    }
    (products, users)
}

async fn assert_totals_are_the_facts(world: &World, place: usize, what: &str) {
    let facts = world.facts(place).await;
    for total in Total::ALL {
        let (expected, stored) = (expected(&facts, total), stored(world, place, total).await);
        if expected != stored {
            let all = expected.keys().chain(stored.keys());
            let key = all
                .into_iter()
                .find(|key| expected.get(*key) != stored.get(*key))
                .unwrap();
            panic!(
                "{what}: {} at {key}: the facts say {:?}, stored is {:?}",
                total.table(),
                expected.get(key),
                stored.get(key)
            );
        }
    }
    columns::assert_follow(world, place, what).await;
    let (products, users) = expected_lives(&facts);
    let rows = world.rows::<entity::product_lifetimes::Entity>(place).await;
    let stored: Lives = rows
        .into_iter()
        .map(|row| {
            (
                row.product_id,
                (row.actions, row.units, row.first_ordered_at_us),
            )
        })
        .collect();
    assert_eq!(stored, products, "{what}: lifetimes of products");
    let rows = world.rows::<entity::user_lifetimes::Entity>(place).await;
    let stored: Lives = rows
        .into_iter()
        .map(|row| (row.user_id, (row.actions, 0, row.first_ordered_at_us)))
        .collect();
    assert_eq!(stored, users, "{what}: lifetimes of users");
}

#[test]
fn totals_are_the_facts_after_every_step() {
    block_on(async {
        // Columns follow every step, by what the change log says, and never begin anew.
        let world = World::new(2).await.in_columns().await;
        let mut gone = 0;
        for round in 0..4 {
            let seed = seed() + 77 + round;
            let mut dice = Dice::new(seed);
            let place = usize::try_from(round % 2).unwrap();
            let shape = if round < 2 { WILD } else { TAME };
            let mut arriving = Maker::new(seed, shape).drafts();
            let again: Vec<_> = arriving
                .iter()
                .filter(|_| dice.percent(25))
                .cloned()
                .collect();
            arriving.extend(again);
            dice.shuffle(&mut arriving);
            let mut rest = arriving.as_slice();
            let mut step = 0;
            while !rest.is_empty() {
                let size = (1 + dice.below(25)).min(rest.len());
                world.apply_in(place, &rest[..size], size).await;
                step += 1;
                let what = format!("seed {seed}, step {step}");
                assert_totals_are_the_facts(&world, place, &what).await;
                gone += reread(&world, place, &mut dice, &what).await;
                // Some of what went is seen again, later than the re-read that missed it.
                let mut seen: Vec<_> = rest[..size]
                    .iter()
                    .filter(|_| dice.percent(20))
                    .cloned()
                    .collect();
                for draft in &mut seen {
                    draft.stamp.observed_at = at("2026-12-01T00:00:00Z");
                }
                rest = &rest[size..];
                world.apply_in(place, &seen, 25).await;
                assert_totals_are_the_facts(&world, place, &format!("{what}, seen again")).await;
            }
            for place in 0..2 {
                assert_totals_are_the_facts(&world, place, "at the end").await;
                assert_eq!(world.drift(place).await, Vec::<String>::new());
            }
        }
        let stats = world.store.columns().unwrap().stats();
        assert_eq!(stats.builds, 2, "one for each publisher: {stats:?}");
        assert!(stats.catch_ups > 40, "{stats:?}");
        let back = world.rows::<entity::action_change::Entity>(0).await;
        let back = back.iter().filter(|row| row.kind == "RESTORED").count();
        assert!(gone > 20 && back > 5, "{gone} went, {back} came back");
    });
}

/// A full re-read that misses some actions, and is older than what is known of others; gives how many went.
async fn reread(world: &World, place: usize, dice: &mut Dice, what: &str) -> i64 {
    let facts = world.facts(place).await;
    let missed: Vec<_> = facts
        .actions
        .values()
        .filter(|_| dice.percent(15))
        .collect();
    let began = ["2026-05-15", "2026-11-01", "2026-12-05"][dice.below(3)];
    let began = at(&format!("{began}T00:00:00Z"));
    let ids: Vec<&str> = missed.iter().map(|row| row.external_id.as_str()).collect();
    let applied = world.delete(place, &ids, began).await;
    let older = missed
        .iter()
        .filter(|row| row.observed_at_us < began.micros())
        .count();
    assert_eq!(applied.deleted, i64::try_from(older).unwrap(), "{what}");
    let left = world.facts(place).await.actions.len();
    assert_eq!(left, facts.actions.len() - older, "{what}");
    assert_totals_are_the_facts(world, place, &format!("{what}, re-read")).await;
    applied.deleted
}

#[test]
fn rebuilt_totals_are_those_that_were_kept() {
    block_on(async {
        let world = World::rich(seed() + 5, TAME).await;
        let before = world.dump(0).await;
        assert!(
            before.contains("totals_product"),
            "there is something to compare"
        );
        // In a transaction for each slice, and in many.
        for step in [Manner::default().step, 20, 3, 0] {
            world.rebuild_in_steps(0, step).await;
            assert_eq!(world.dump(0).await, before, "{step} actions at a time");
        }
        assert_totals_are_the_facts(&world, 0, "rebuilt").await;
        // The category that was hung elsewhere lies three levels deep: its sums at level 2 are another's.
        let beyond = world.rows::<entity::totals_category::Entity>(0).await;
        assert!(
            beyond
                .iter()
                .any(|row| row.tier == Tier::Level2Beyond.number())
        );
    });
}

/// Ways to spoil totals, and the tables in which that shows.
const SPOILS: &[(&str, &[&str])] = &[
    (
        "UPDATE totals_time SET reward_e4 = reward_e4 + 1 WHERE grain = 3",
        &["totals_time"],
    ),
    (
        "DELETE FROM totals_product WHERE grain = 4",
        &["totals_product"],
    ),
    (
        "UPDATE totals_category SET actions = actions - 1 WHERE tier = 1 AND grain = 3",
        &["totals_category"],
    ),
    (
        "UPDATE user_lifetimes SET first_ordered_at_us = first_ordered_at_us + 1",
        &["user_lifetimes"],
    ),
    (
        "UPDATE actions SET status = 'DECLINED' WHERE status = 'APPROVED'",
        &[
            "totals_time",
            "totals_channel",
            "totals_audience",
            "totals_category",
            "totals_product",
        ],
    ),
    // What actions say of their carts is what totals of actions are made of.
    (
        "UPDATE actions SET items_reward_e4 = items_reward_e4 + 1 WHERE items_count > 1",
        &[
            "actions",
            "totals_time",
            "totals_channel",
            "totals_audience",
        ],
    ),
    (
        "UPDATE actions SET units = units + 1, items_amount_e4 = 7 WHERE items_count > 0",
        &[
            "actions",
            "totals_time",
            "totals_channel",
            "totals_audience",
        ],
    ),
    (
        "UPDATE action_items SET units = units + 1",
        &[
            "actions",
            "totals_category",
            "totals_product",
            "product_lifetimes",
        ],
    ),
    // Left over where there are no facts, nor anything of another total or grain.
    (
        "INSERT INTO totals_product (publisher_id, grain, cell, status, product_id, currency, actions, units, \
         order_amount_e4, reward_e4) SELECT publisher_id, grain, cell - 4000, status, product_id, currency, \
         actions, units, order_amount_e4, reward_e4 FROM totals_product WHERE grain = 3",
        &["totals_product"],
    ),
    (
        "INSERT INTO totals_category (publisher_id, tier, grain, cell, status, currency, category_id, actions, \
         units, order_amount_e4, reward_e4) SELECT publisher_id, tier, grain, cell - 200, status, currency, \
         category_id, actions, units, order_amount_e4, reward_e4 FROM totals_category \
         WHERE grain = 5 AND tier = 1",
        &["totals_category"],
    ),
    (
        "INSERT INTO totals_channel (publisher_id, grain, cell, status, currency, program_id, ad_space_id, \
         actions, units, order_amount_e4, amounted, reward_e4, paid_e4, items_amount_e4, items_reward_e4, carted) \
         SELECT publisher_id, grain, cell - 96000, status, currency, program_id, ad_space_id, \
         actions, units, order_amount_e4, amounted, reward_e4, paid_e4, items_amount_e4, items_reward_e4, carted \
         FROM totals_channel WHERE grain = 1",
        &["totals_channel"],
    ),
    (
        "INSERT INTO totals_audience (publisher_id, grain, cell, status, currency, program_id, ad_space_id, \
         country, device, action_type, actions, units, order_amount_e4, amounted, reward_e4, paid_e4, \
         items_amount_e4, items_reward_e4, carted) SELECT publisher_id, grain, cell - 600, status, currency, \
         program_id, ad_space_id, country, device, action_type, actions, units, order_amount_e4, amounted, \
         reward_e4, paid_e4, items_amount_e4, items_reward_e4, carted FROM totals_audience WHERE grain = 4",
        &["totals_audience"],
    ),
];

/// The version of the data of the first two publishers, with the last number of the change log and its time.
async fn versions(world: &World) -> [(i64, (i64, i64)); 2] {
    let mut found = [(0, (0, 0)); 2];
    for (place, found) in found.iter_mut().enumerate() {
        let rows = world.rows::<entity::publisher_state::Entity>(place).await;
        let log = (rows[0].change_seq, rows[0].changed_at_us);
        *found = (rows[0].data_version, log);
    }
    found
}

#[test]
fn what_differs_is_found_and_a_rebuild_repairs_it() {
    block_on(async {
        let world = World::rich(seed() + 6, TAME).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is spoilt behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let steps = [Manner::default().step, 5].into_iter().cycle();
        for ((spoil, tables), step) in SPOILS.iter().zip(steps) {
            assert_eq!(world.drift(0).await, Vec::<String>::new(), "before {spoil}");
            let id = world.publishers[0].id.0;
            let mine = if spoil.contains("WHERE") {
                format!("{spoil} AND publisher_id = {id}")
            } else {
                format!("{spoil} WHERE publisher_id = {id}")
            };
            db.execute_unprepared(&mine).await.unwrap();
            let found = world.drift(0).await.join("\n");
            for table in *tables {
                assert!(
                    found.contains(&format!("{table}: ")),
                    "{spoil}: {table} in {found}"
                );
            }
            assert_eq!(
                world.drift(1).await,
                Vec::<String>::new(),
                "the neighbour, after {spoil}"
            );
            let [mine, neighbours] = versions(&world).await;
            world.rebuild_in_steps(0, step).await;
            let [mended, others] = versions(&world).await;
            // Equal versions give equal answers, and these are other ones now.
            assert!(mended.0 > mine.0, "{spoil}: {mine:?}, then {mended:?}");
            assert_eq!(mended.1, mine.1, "nothing came in");
            assert_eq!(others, neighbours, "the neighbour, after {spoil}");
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn a_rebuild_that_was_stopped_goes_on_where_it_was() {
    block_on(async {
        let world = World::rich(seed() + 7, TAME).await;
        let now = at("2026-07-02T00:00:00Z");
        let scope = WriteScope::for_entrance(world.publishers[0].id);
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is spoilt behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let all = totals::slices(&world.tx(), scope.publisher(), None)
            .await
            .unwrap();
        assert!(all.len() > 3, "{all:?}");
        // Two slices were done, by the notes; the first of them is spoilt since.
        let next = all[2].number();
        db.execute_unprepared(&format!(
            "UPDATE totals_tasks SET next_slice = {next} WHERE publisher_id = {}",
            scope.publisher().0
        ))
        .await
        .unwrap();
        let mut told = Vec::new();
        totals::rebuild(&world.store, scope, now, Manner::default(), |rebuilt| {
            told.push(rebuilt.done);
        })
        .await
        .unwrap();
        assert_eq!(told.first(), Some(&3), "it begins with the third");
        assert_eq!(told.len(), all.len() - 2);
        // Through: the totals of this publisher are no longer behind.
        let mut behind = Vec::new();
        totals::bring_up(&world.store, now, |slug, _| behind.push(slug.to_owned()))
            .await
            .unwrap();
        assert_eq!(behind, Vec::<String>::new());
    });
}

#[test]
fn a_server_compares_slice_after_slice_and_counts_what_differs() {
    block_on(async {
        let world = World::rich(seed() + 8, TAME).await;
        let now = |step: usize| {
            let start = at("2026-07-02T00:00:00Z");
            let step = i64::try_from(step).unwrap();
            instant(start.micros() + step)
        };
        let mut slices = 0;
        for publisher in &world.publishers {
            let all = totals::slices(&world.tx(), publisher.id, None).await;
            slices += all.unwrap().len();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is spoilt behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let spoil = format!(
            "DELETE FROM totals_channel WHERE grain = 1 AND publisher_id = {}",
            world.publishers[1].id.0
        );
        let spoilt = db.execute_unprepared(&spoil).await.unwrap().rows_affected();
        let metrics = Metrics::new();
        let mut seen = BTreeMap::new();
        // Both publishers take turns, so the one with fewer slices comes round again.
        for step in 0..2 * slices {
            let checked = upkeep::tick(&world.store, now(step))
                .await
                .unwrap()
                .unwrap();
            upkeep::report(Some(&checked), &metrics);
            let slices: &mut Vec<i64> = seen.entry(checked.publisher.clone()).or_default();
            slices.push(checked.slice.number());
            let text = metrics.to_text().unwrap();
            let shown = format!(
                "actiongraph_totals_drift_rows{{publisher=\"{}\"}} {}\n",
                checked.publisher, checked.drift_rows
            );
            assert!(text.contains(&shown), "{shown} in {text}");
            if checked.publisher == "publisher-1" {
                assert_eq!(checked.drift_rows, 0, "{checked:?}");
            }
        }
        assert_eq!(seen.len(), 2);
        for (publisher, seen) in seen {
            let distinct: BTreeSet<i64> = seen.iter().copied().collect();
            assert!(seen.len() > distinct.len(), "{publisher} was gone round");
            let round: Vec<i64> = distinct.into_iter().collect();
            assert_eq!(
                seen[..round.len()],
                round,
                "{publisher}: in order, none left out"
            );
        }
        let rows = world.rows::<entity::totals_task::Entity>(1).await;
        let verified = rows.iter().find(|row| row.task == "VERIFY").unwrap();
        assert!(spoilt > 0 && verified.drift_rows > 0, "{verified:?}");
        // A rebuild that is through has mended it: the gauge falls with the next turn, not with the next round.
        world.rebuild(1).await;
        for step in 2 * slices..2 * slices + 2 {
            let checked = upkeep::tick(&world.store, now(step)).await.unwrap();
            upkeep::report(checked.as_ref(), &metrics);
        }
        let text = metrics.to_text().unwrap();
        let mended = "actiongraph_totals_drift_rows{publisher=\"publisher-2\"} 0\n";
        assert!(text.contains(mended), "{text}");
    });
}

/// Sums that are beyond 64 bits cannot be compared: such a slice has had its turn all the same, and so has its publisher.
#[test]
fn a_slice_that_cannot_be_compared_keeps_nobody_from_a_turn() {
    block_on(async {
        let world = World::rich(seed() + 12, TAME).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is spoilt behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        // All actions of about four weeks at one instant, each with the largest reward that there is.
        let spoil = format!(
            "UPDATE actions SET ordered_at_us = ordered_at_us - ordered_at_us % 2419200000000, status = 'APPROVED', \
             currency = 'USD', reward_e4 = 9223372036854775807 WHERE publisher_id = {}",
            world.publishers[0].id.0
        );
        db.execute_unprepared(&spoil).await.unwrap();
        let mut all = BTreeMap::new();
        for publisher in &world.publishers {
            let slices = totals::slices(&world.tx(), publisher.id, None).await;
            let numbers = slices.unwrap().into_iter().map(totals::Slice::number);
            let numbers: BTreeSet<i64> = numbers.collect();
            all.insert(publisher.slug.clone(), numbers);
        }
        let steps: usize = all.values().map(BTreeSet::len).sum();
        let metrics = Metrics::new();
        let (mut failed, mut seen) = (0, BTreeMap::<String, BTreeSet<i64>>::new());
        let start = at("2026-07-02T00:00:00Z").micros();
        for step in 0..2 * i64::try_from(steps).unwrap() {
            let now = instant(start + step);
            match upkeep::tick(&world.store, now).await {
                Ok(checked) => {
                    let checked = checked.unwrap();
                    let seen = seen.entry(checked.publisher).or_default();
                    seen.insert(checked.slice.number());
                }
                Err(unchecked) => {
                    assert_eq!(unchecked.publisher.as_deref(), Some("publisher-1"));
                    upkeep::report_failure(&unchecked, &metrics);
                    failed += 1;
                }
            }
        }
        let shown = format!(
            "actiongraph_totals_verification_failures_total{{publisher=\"publisher-1\"}} {failed}\n"
        );
        let text = metrics.to_text().unwrap();
        assert!(failed > 0 && text.contains(&shown), "{shown} in {text}");
        assert_eq!(seen["publisher-2"], all["publisher-2"]);
        let left: Vec<i64> = all["publisher-1"]
            .difference(&seen["publisher-1"])
            .copied()
            .collect();
        // Lifetimes come behind all slices of time, and add up no rewards.
        assert!(
            !left.is_empty() && left.iter().all(|slice| *slice < 1_000_000),
            "{left:?}"
        );
    });
}

/// A publisher's day: what changes, what was seen last of each action, and what a re-read missed.
struct Edited {
    place: usize,
    changes: Vec<ActionDraft>,
    seen: BTreeMap<String, ActionDraft>,
    late: Vec<ActionDraft>,
    gone: Vec<String>,
}

impl Edited {
    fn new(place: usize) -> Self {
        let shape = Shape {
            drafts: 1_200,
            actions: 240,
            wild: false,
        };
        let seed = seed() + 10 + u64::try_from(place).unwrap();
        Self {
            place,
            changes: Maker::new(seed, shape).drafts(),
            seen: BTreeMap::new(),
            late: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// A sync that brings what changed meanwhile, some of it twice.
    async fn sync(&mut self, world: &World, dice: &mut Dice, changes: &[ActionDraft]) {
        self.late
            .extend(changes.iter().filter(|_| dice.percent(20)).cloned());
        world.apply_in(self.place, changes, changes.len()).await;
        for draft in changes {
            self.seen.insert(draft.external_id.clone(), draft.clone());
        }
        if self.late.len() > 7 {
            let late = std::mem::take(&mut self.late);
            world.apply_in(self.place, &late, late.len()).await;
        }
    }

    /// A re-read that misses a few actions.
    async fn miss(&mut self, world: &World, dice: &mut Dice, now: Instant) {
        let facts = world.facts(self.place).await;
        let known: Vec<&str> = facts
            .actions
            .values()
            .map(|row| row.external_id.as_str())
            .collect();
        let missed: BTreeSet<&str> = (0..3).map(|_| *dice.pick(&known)).collect();
        let missed: Vec<&str> = missed.into_iter().collect();
        world.delete(self.place, &missed, now).await;
        self.gone.extend(missed.into_iter().map(str::to_owned));
    }

    /// About half of what was missed is there again.
    async fn restore(&mut self, world: &World, dice: &mut Dice, now: Instant) {
        let gone = std::mem::take(&mut self.gone);
        let back = gone.iter().filter(|_| dice.percent(50));
        let back: Vec<ActionDraft> = back
            .map(|id| {
                let mut draft = self.seen[id].clone();
                draft.stamp.observed_at = now;
                draft
            })
            .collect();
        if !back.is_empty() {
            world.apply_in(self.place, &back, back.len()).await;
        }
    }

    /// Postbacks about actions: a status and a reward of now, and no cart. Gives what they changed.
    async fn notify(&self, world: &World, dice: &mut Dice, now: Instant) -> i64 {
        let all: Vec<&ActionDraft> = self.seen.values().collect();
        let told: Vec<ActionDraft> = [0; 2]
            .map(|_| (*dice.pick(&all)).clone())
            .map(|mut draft| {
                draft.standing.reward_e4 += 10_000;
                draft.items = Vec::new();
                draft.stamp.observed_at = now;
                draft.receipt = Some(Receipt {
                    at: now,
                    is_first: false,
                    says_paid: dice.percent(50),
                });
                draft
            })
            .to_vec();
        let scope = world.write(self.place);
        let applied = apply_notices(&world.store, scope, &told, &[], now).await;
        let applied = applied.unwrap();
        applied.inserted + applied.updated
    }
}

#[test]
fn after_a_day_of_edits_nothing_differs() {
    block_on(async {
        let world = World::new(2).await;
        let mut dice = Dice::new(seed() + 10);
        let mut days = [0, 1].map(Edited::new);
        let mut told = [0, 0];
        // A sync every five minutes for both publishers, by turns.
        for step in 0..240 {
            let begins = at("2026-07-01T00:00:00Z").micros();
            let now = instant(begins + i64::try_from(step).unwrap() * 1_000_000);
            for day in &mut days {
                let changes = day.changes[5 * step..5 * (step + 1)].to_vec();
                day.sync(&world, &mut dice, &changes).await;
                match step % 10 {
                    9 => day.miss(&world, &mut dice, now).await,
                    4 => day.restore(&world, &mut dice, now).await,
                    2 | 7 => told[day.place] += day.notify(&world, &mut dice, now).await,
                    _ => {}
                }
            }
        }
        for (place, told) in told.into_iter().enumerate() {
            assert!(told > 0, "publisher {place}: postbacks changed {told}");
            let changes = world.rows::<entity::action_change::Entity>(place).await;
            for kind in ["INSERTED", "UPDATED", "DELETED", "RESTORED"] {
                let count = changes.iter().filter(|row| row.kind == kind).count();
                assert!(count > 10, "publisher {place}: {count} {kind}");
            }
            assert_totals_are_the_facts(&world, place, "after the day").await;
            assert_eq!(world.drift(place).await, Vec::<String>::new());
        }
        let verified = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
            .args(["verify", "--database-url", &world.url])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{verified:?}");
        for publisher in ["publisher-1", "publisher-2"] {
            let equal = format!("{publisher}: totals equal the facts (");
            assert!(said.contains(&equal), "{said}");
        }
        for place in 0..2 {
            let kept = world.dump(place).await;
            for step in [Manner::default().step, 12] {
                world.rebuild_in_steps(place, step).await;
                assert_eq!(
                    world.dump(place).await,
                    kept,
                    "what was kept is what is made anew"
                );
            }
        }
    });
}
