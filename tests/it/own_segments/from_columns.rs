//! What columns in memory say of those of whom they know little or nothing: without a counted action, gone from the database,
//! or come to it since. And what they ask the database for.

use super::api::id_of;
use super::{explained_twice, listed, looked_up, plain};
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::drafts::{Shape, at, item, sale};
use crate::support::naive_segment;
use crate::support::world::{World, block_on};
use actiongraph::access::keys::Administrator;
use actiongraph::analytics::members::{LookedUp, Want};
use actiongraph::domain::action::{Slot, SlotValue, Status};
use actiongraph::domain::draft::{ActionDraft, AdSpaceRef};
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op};
use actiongraph::domain::money::Currency;
use actiongraph::domain::rule::{
    Called, Condition, Definitions, Found, Measure, Metric, Moment, Rule, SegmentSet, Subject,
    Threshold,
};
use actiongraph::domain::sales::RankBy;
use actiongraph::domain::time::{Instant, Span, Zone};
use actiongraph::store::apply::segments::{Order, carry_out};
use actiongraph::store::apply::users::{Stepped, UserRule, choose, step};
use actiongraph::store::columns::ColumnsOptions;
use actiongraph::store::columns::rules::{Answers, tell};
use actiongraph::store::imports::NewRun;
use actiongraph::store::members::sizes;
use actiongraph::store::segment_metrics::bought;
use actiongraph::store::{ReadTx, state};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

fn text(value: &str) -> SlotValue {
    SlotValue::Text(value.to_owned())
}

fn has<T>(metric: Metric, at_least: Option<i64>, at_most: Option<i64>) -> Filter<Condition<T>> {
    Filter::Test(Condition::Threshold(Threshold {
        measure: Measure {
            metric,
            currency: None,
            period: None,
            actions: Filter::default(),
            items: None,
        },
        at_least,
        at_most,
    }))
}

fn not<T>(part: Filter<T>) -> Filter<T> {
    Filter::Not(Box::new(part))
}

fn set_at(world: &World, rule: &Rule, at: Instant) -> Arc<SegmentSet> {
    let moment = Moment {
        publisher: world.publishers[0].id,
        at,
        zone: Zone::UTC,
    };
    Definitions::default()
        .set_of(rule, moment, &Found::new())
        .unwrap()
}

/// An order of a product of its own by a user, whose click came from a country or from nowhere.
fn order(user: &str, day: &str, status: Status, country: Option<&str>) -> ActionDraft {
    let when = at(&format!("2026-{day}T10:00:00Z"));
    let mut draft = sale(&format!("{user}-{day}"), when);
    draft.standing.status = status;
    draft.slots.insert(Slot::Subid1, text(user));
    if let Some(country) = country {
        draft.slots.insert(Slot::Country, text(country));
    }
    let number = user.bytes().map(u64::from).sum::<u64>();
    draft.items.push(item(&format!("1005{number}")));
    draft
}

/// Rules about a country that is not known, which let nobody in who has no fact.
fn rules_of_no_country<T: Clone>() -> Vec<Filter<Condition<T>>> {
    let no_country = || Filter::Test(Condition::ClickCountry(Op::IsNull(true)));
    let declined = || has(Metric::DeclinedActions, Some(1), None);
    vec![
        not(no_country()),
        Filter::All(vec![no_country(), declined()]),
        Filter::All(vec![not(no_country()), declined()]),
        Filter::All(vec![no_country(), has(Metric::Actions, Some(1), None)]),
        not(Filter::Any(vec![
            no_country(),
            has(Metric::Actions, Some(2), None),
        ])),
    ]
}

#[test]
fn who_has_no_counted_action_has_no_country() {
    block_on(async {
        let world = World::new(1).await;
        let drafts = [
            order("declined", "03-01", Status::Declined, Some("PL")),
            order("nowhere", "03-02", Status::Pending, None),
            order("poland", "03-03", Status::Pending, Some("PL")),
            order("later", "03-04", Status::Declined, Some("PL")),
            order("later", "05-01", Status::Pending, Some("PL")),
            order("moved", "03-05", Status::Pending, Some("PL")),
            order("moved", "05-02", Status::Pending, None),
            order("moved", "05-03", Status::Declined, Some("KZ")),
            order("last", "05-04", Status::Approved, Some("KZ")),
        ];
        world.apply(0, &drafts).await;
        let (facts, by_sql) = (world.facts(0).await, world.store.clone());
        let world = world.in_columns().await;
        let users = rules_of_no_country().into_iter().map(Rule::Users);
        let products = rules_of_no_country().into_iter().map(Rule::Products);
        let mut seen = BTreeSet::new();
        for (number, rule) in users.chain(products).enumerate() {
            for day in ["2026-01-01", "2026-03-20", "2026-05-02", "2026-07-01"] {
                let at = at(&format!("{day}T12:00:00Z"));
                let set = set_at(&world, &rule, at);
                let expected = naive_segment::members(&facts, &set);
                let told = looked_up(&world, &set).await;
                let members = told.members.as_ref().expect("columns tell it");
                let members: BTreeSet<Uuid> = members.ids().iter().copied().collect();
                let what = format!("{day}: {}", rule.sentence(&Called::new()));
                assert_eq!(members, expected, "{what}");
                let by_sql = ReadTx::new(&by_sql);
                let size = sizes(&by_sql, &[Arc::clone(&set)]).await.unwrap();
                assert_eq!(size, [i64::try_from(expected.len()).unwrap()], "{what}");
                if !members.is_empty() {
                    seen.insert(number);
                }
            }
            let set = set_at(&world, &rule, at("2026-07-01T00:00:00Z"));
            let ids: Vec<Uuid> = match rule.subject() {
                Subject::Users => facts.users.keys().copied().collect(),
                Subject::Products => facts.products.keys().copied().collect(),
            };
            let (columns, sql) = explained_twice((&world, &by_sql), &set, &ids).await;
            assert_eq!(columns.len(), ids.len());
            assert_eq!(columns, sql, "{}", rule.sentence(&Called::new()));
        }
        assert_eq!(seen.len(), 10, "each rule lets somebody in at some time");
    });
}

/// Who bought something with a remark, said in a way that only the database can tell and that is true of whom it does not know.
fn remarked() -> Rule {
    let remark = ActionTest::Field(ActionField::Comment, Op::Contains("gift".to_owned()));
    Rule::Users(not(Filter::Test(Condition::Threshold(Threshold {
        measure: Measure {
            metric: Metric::Actions,
            currency: None,
            period: None,
            actions: Filter::Test(remark),
            items: None,
        },
        at_least: None,
        at_most: Some(0),
    }))))
}

/// Orders of an ad space, named by two SubIDs, each third of them with a remark.
fn orders_of_space(numbers: std::ops::Range<usize>) -> Vec<ActionDraft> {
    let draft = |number: usize| {
        let mut draft = sale(&format!("n{number}"), at("2026-04-01T10:00:00Z"));
        draft.ad_space = Some(AdSpaceRef {
            external_id: Some("501".to_owned()),
            name: None,
        });
        let (one, other) = (format!("one {number}"), format!("other {}", number / 2));
        draft.slots.insert(Slot::Subid1, text(&one));
        draft.slots.insert(Slot::Subid2, text(&other));
        draft.slots.insert(Slot::Country, text("PL"));
        if number.is_multiple_of(3) {
            draft.slots.insert(Slot::Comment, text("a gift"));
        }
        draft
    };
    numbers.map(draft).collect()
}

const NOW: &str = "2026-06-01T00:00:00Z";

/// Lets the second SubID name the users of the ad space: those whom the first one named are gone.
async fn name_anew(world: &World) {
    let spaces = world.rows::<entity::ad_space::Entity>(0).await;
    let space = spaces.iter().find(|row| row.external_id.is_some()).unwrap();
    let run = NewRun {
        id: Uuid::from_u128(0x7100_0000_0000_0000_8000_0000_0000_0001),
        entrance: "USERS",
        name: "users".to_owned(),
        started_at: at(NOW),
        as_of: at(NOW),
    };
    let rule = UserRule {
        slot: 2,
        space: "default".to_owned(),
    };
    let who = Administrator::command_line(world.publishers[0].id, at(NOW));
    let (scope, note) = (world.write(0), who.note().unwrap());
    choose(&world.store, scope, space.id, (&rule, &run), &note)
        .await
        .unwrap();
    while step(&world.store, scope, space.id, 2_000, at(NOW))
        .await
        .unwrap()
        == Stepped::On
    {}
}

/// A set of the world has the same members by columns, by SQL and in a list, and as many as it should.
async fn same_everywhere(world: &World, set: &Arc<SegmentSet>, expected: usize) {
    let told = looked_up(world, set).await;
    let members = told.members.as_ref().expect("columns tell it");
    let members: BTreeSet<Uuid> = members.ids().iter().copied().collect();
    assert_eq!(members.len(), expected);
    let both = [Arc::clone(&told), Arc::clone(set)];
    let expected = i64::try_from(expected).unwrap();
    assert_eq!(
        sizes(&world.tx(), &both).await.unwrap(),
        [expected, expected]
    );
    assert_eq!(listed(world, &told, true).await, members);
    assert_eq!(listed(world, set, true).await, members);
}

#[test]
fn users_that_are_gone_are_in_no_segment() {
    block_on(async {
        let world = World::new(1).await;
        world.apply(0, &orders_of_space(0..12)).await;
        let world = world.in_columns().await;
        let set = set_at(&world, &remarked(), at(NOW));
        same_everywhere(&world, &set, 4).await;
        name_anew(&world).await;
        assert_eq!(world.rows::<entity::user::Entity>(0).await.len(), 6);
        // 0, 3, 6 and 9 of the orders, of two users each another.
        same_everywhere(&world, &set, 4).await;
        let often = set_at(
            &world,
            &Rule::Users(not(has(Metric::Actions, None, Some(1)))),
            at(NOW),
        );
        same_everywhere(&world, &often, 6).await;
    });
}

#[test]
fn users_that_come_are_in_no_segment_of_a_transaction_that_began_before() {
    block_on(async {
        let world = World::new(1).await;
        world.apply(0, &orders_of_space(0..12)).await;
        let world = world.in_columns().await;
        let (tx, scope) = (world.tx(), world.read(0));
        state(&tx, scope).await.unwrap();
        world.apply(0, &orders_of_space(12..30)).await;
        let set = set_at(&world, &remarked(), at(NOW));
        same_everywhere(&world, &set, 10).await;
        let mut earlier = LookedUp::default();
        let told = earlier.look_up(&tx, scope, &set, Want::Members);
        let told = told.await.unwrap();
        let members = told.members.as_ref().expect("columns tell it");
        assert_eq!(members.ids().len(), 4);
        let size = sizes(&tx, &[set]).await.unwrap();
        assert_eq!(size, [4]);
    });
}

/// However many ids satisfy what the database tests, a page of them is held at a time. Of what it measures it is asked for few
/// pages, and evaluates the rule itself where that is not enough.
#[test]
fn ids_are_read_in_pages() {
    block_on(async {
        let mut world = World::new(1).await;
        world.apply(0, &orders_of_space(0..30)).await;
        let set = set_at(&world, &remarked(), at(NOW));
        // Those without a remark are found, 20 of 30.
        for (ids_at_once, pages) in [(10_000, 1), (21, 1), (20, 2), (7, 3), (5, 5), (4, 5)] {
            world.store = world.store.with_columns(ColumnsOptions {
                least_changes: 0,
                ids_at_once,
                ..ColumnsOptions::default()
            });
            world.read_columns_in().await;
            let (tx, scope) = (world.tx(), world.read(0));
            state(&tx, scope).await.unwrap();
            let before = tx.statements();
            let told = tell(&tx, scope, &set, Some(100), &Answers::default()).await;
            let told = told
                .unwrap()
                .map(|told| (told.size, told.members.is_some()));
            let is_told = ids_at_once > 4;
            assert_eq!(told, is_told.then_some((10, true)), "{ids_at_once}");
            assert!(!tx.was_spared(), "the database looked through facts");
            // One more looks for the state, by which the columns are found.
            assert_eq!(tx.statements() - before, pages + 1, "{ids_at_once}");
            assert_eq!(sizes(&world.tx(), &[Arc::clone(&set)]).await.unwrap(), [10]);
        }
    });
}

/// Between the look at who is in a segment and the writing of its members, users can go.
#[test]
fn nobody_who_is_gone_is_frozen() {
    block_on(async {
        let world = World::new(1).await;
        world.apply(0, &orders_of_space(0..12)).await;
        let mut other = sale("elsewhere", at("2026-04-02T10:00:00Z"));
        other.slots.insert(Slot::Subid1, text("stays"));
        world.apply(0, &[other]).await;
        let world = world.in_columns().await;
        let rule = Rule::Users(has(Metric::Actions, Some(1), None));
        let seen = looked_up(&world, &set_at(&world, &rule, at(NOW))).await;
        assert_eq!(seen.members.as_ref().unwrap().ids().len(), 13);
        name_anew(&world).await;
        let mut frozen = plain(5, Subject::Users);
        frozen.frozen_at = Some(at(NOW));
        frozen.frozen_from = Some((Uuid::from_u128(4), 1));
        let who = Administrator::command_line(world.publishers[0].id, at(NOW));
        let order = Order::Create {
            segment: frozen.clone(),
            rule: rule.clone(),
            given: "{}".to_owned(),
            members: Some(seen),
        };
        let (store, scope) = (world.store.clone(), world.write(0));
        let written = carry_out(store, scope, order, who.note().unwrap()).await;
        let written = written.unwrap().unwrap();
        let rows = world.rows::<entity::segment_member::Entity>(0).await;
        let users = world.rows::<entity::user::Entity>(0).await;
        let stays = users.iter().find(|row| row.value == "stays").unwrap().id;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0].member_id, stays);
        let moment = Moment {
            publisher: world.publishers[0].id,
            at: at(NOW),
            zone: Zone::UTC,
        };
        let id = written.id;
        let all = Definitions::new([(written, rule)]);
        let set = all.set(id, moment, &Found::new()).unwrap();
        let size = sizes(&world.tx(), &[Arc::clone(&set)]).await.unwrap();
        assert_eq!(size, [1], "as many as are listed");
        assert_eq!(listed(&world, &set, true).await.len(), 1);
    });
}

/// A size is counted without the ids, which come when they are asked for, as far as there is room for them.
#[test]
fn a_size_keeps_no_member() {
    block_on(async {
        let world = World::new(1).await;
        world.apply(0, &orders_of_space(0..12)).await;
        let world = world.in_columns().await;
        let rule = Rule::Users(has(Metric::Actions, Some(1), None));
        let set = Arc::new(SegmentSet {
            id: Uuid::from_u128(9),
            ..SegmentSet::clone(&set_at(&world, &rule, at(NOW)))
        });
        let (tx, scope) = (world.tx(), world.read(0));
        let mut looked_up = LookedUp::default();
        let counted = looked_up.look_up(&tx, scope, &set, Want::Size).await;
        let counted = counted.unwrap();
        assert_eq!((counted.size, counted.members.is_some()), (Some(12), false));
        let before = tx.statements();
        assert_eq!(sizes(&tx, &[counted]).await.unwrap(), [12]);
        let named = looked_up.look_up(&tx, scope, &set, Want::Members).await;
        let named = named.unwrap();
        assert_eq!(named.members.as_ref().unwrap().ids().len(), 12);
        for want in [Want::Size, Want::Members] {
            let again = looked_up.look_up(&tx, scope, &set, want).await.unwrap();
            assert!(Arc::ptr_eq(&again, &named), "it is known");
        }
        assert_eq!(tx.statements(), before, "all of it without a statement");
        assert!(tx.was_spared());
        for (most, is_spared) in [(12, true), (11, false)] {
            let tx = world.tx();
            let told = tell(&tx, scope, &set, Some(most), &Answers::default()).await;
            let told = told.unwrap().expect("columns tell it");
            assert_eq!(told.size, 12);
            assert_eq!(told.members.is_some(), is_spared);
            assert_eq!(tx.was_spared(), is_spared, "the database reads the rule");
        }
    });
}

/// The database ranks what was bought, and sends the first products alone.
#[test]
fn no_more_products_are_read_than_are_asked_for() {
    block_on(async {
        let world = World::new(1).await;
        let users = ["a", "b", "c", "d", "e"];
        let draft = |user: &&str| order(user, "03-01", Status::Pending, None);
        let drafts: Vec<ActionDraft> = users.iter().map(draft).collect();
        world.apply(0, &drafts).await;
        let rule = Rule::Users(has(Metric::Actions, Some(1), None));
        let set = set_at(&world, &rule, at(NOW));
        let span = Span {
            from: at("2026-01-01T00:00:00Z"),
            to: at(NOW),
        };
        let mut products: Vec<Uuid> = world.facts(0).await.products.keys().copied().collect();
        products.sort_unstable();
        assert_eq!(products.len(), 5);
        for (by, expected) in [
            (RankBy::Units, 2),
            (RankBy::Actions, 2),
            (RankBy::Reward(Currency::USD), 2),
            (RankBy::Reward(Currency::parse("EUR").unwrap()), 0),
        ] {
            let asked = [(Arc::clone(&set), span), (Arc::clone(&set), span)];
            let found = bought(&world.tx(), &asked, (by, 2)).await.unwrap();
            assert_eq!(found.len(), 2);
            for found in found {
                let mut found: Vec<Uuid> = found.into_keys().collect();
                found.sort_unstable();
                // All are alike: the first by their ids.
                assert_eq!(found, products[..expected], "{by:?}");
            }
        }
    });
}

/// Segments whose conditions are told by rows of other tables, by lists, by comments, and by each other.
async fn segments_of_related_rows(api: &Api, prefix: &str) {
    let by_program = json!({ "metric": { "metric": "ACTIONS", "atLeast": 1,
        "actions": { "program": { "name": { "contains": "Ali" } }, "adSpace": { "name": { "contains": "o" } } } } });
    let rules = [
        json!({ "users": { "and": [ by_program, { "user": { "value": { "contains": "u" } } } ] } }),
        json!({ "users": { "and": [ { "clickCountry": { "isNull": false } },
            { "members": { "values": ["u1", "u2", "u3", "100%"] } } ] } }),
        json!({ "products": { "and": [
            { "metric": { "metric": "UNITS", "atLeast": 1, "items": { "category": { "name": { "contains": "a" } } } } },
            { "product": { "name": { "isNull": false } } } ] } }),
    ];
    let mut first = None;
    for (number, rule) in rules.into_iter().enumerate() {
        let id = id_of(api, &format!("{prefix} {number}"), rule).await;
        first.get_or_insert(id);
    }
    let named = json!({ "users": { "and": [ { "segment": { "in": [first.unwrap()] } },
        { "metric": { "metric": "REWARD", "currency": "USD", "atLeast": "0.5", "period": { "last": { "count": 30, "unit": "DAY" } } } } ] } });
    id_of(api, &format!("{prefix} named"), named).await;
}

/// What the segments of a publisher came to over some days, and how many statements that took.
async fn trends(api: &Api, days: i64, more: &str) -> (Value, usize) {
    let query = format!(
        "query($days: Int!) {{ segments {{ nodes {{ name trend(range: {{last: {{count: $days, unit: DAY, \
         wholeUnits: true}}}}, bucket: DAY) {{ at size {more} }} }} }} }}"
    );
    let _ = api.statements.take();
    let data = api.data(&query, &json!({ "days": days })).await;
    (data, api.statements.take().len())
}

#[test]
fn what_does_not_change_over_time_is_asked_once() {
    const SHAPE: Shape = Shape {
        drafts: 240,
        actions: 190,
        wild: true,
    };
    block_on(async {
        let world = World::rich(seed() + 51, SHAPE).await;
        let by_sql = Api::of(&world, 0);
        segments_of_related_rows(&by_sql, "a").await;
        let (expected, _) = trends(&by_sql, 60, "").await;
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        let (found, many) = trends(&api, 60, "").await;
        assert_eq!(found, expected);
        let (_, few) = trends(&api, 2, "").await;
        assert_eq!(many, few, "whatever the number of points");
        // The page, definitions, state; the program, the ad space, users by value; the list; the category, products by name.
        assert!(many <= 13, "{many}");
        let metrics = "metrics { actions users }";
        let (expected, _) = trends(&by_sql, 60, metrics).await;
        let (found, many) = trends(&api, 60, metrics).await;
        assert_eq!(found, expected);
        assert!(many <= 16, "{many}");

        // What is measured by the database alone is its own as a whole, as soon as there are several moments.
        let comment = json!({ "metric": { "metric": "ACTIONS", "atLeast": 1, "actions": { "comment": { "isNull": false } } } });
        let rule =
            json!({ "users": { "and": [ { "clickCountry": { "isNull": false } }, comment ] } });
        id_of(&api, "comments", rule).await;
        let (expected, _) = trends(&by_sql, 60, "").await;
        let (found, many) = trends(&api, 60, "").await;
        assert_eq!(found, expected);
        let (_, few) = trends(&api, 2, "").await;
        assert_eq!(many, few, "whatever the number of points");
    });
}
