//! Users as customers: movement between RFM segments and cohorts are what plain loops over all actions give, and the
//! parameters of the segments can be set.

use crate::support::api::Api;
use crate::support::check::{check, seed};
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, at, sale};
use crate::support::naive::{self, Tally};
use crate::support::queries::{self, Pools};
use crate::support::report_requests::orders;
use crate::support::world::{Facts, Reads, World, block_on, runtime};
use actiongraph::analytics::cohorts::user_cohorts;
use actiongraph::analytics::movement::moved;
use actiongraph::analytics::segments;
use actiongraph::domain::action::{Slot, SlotValue, Status};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::filter::{
    ActionField, ActionTest, Filter, Op, UserField, UserTest, Value as Operand,
};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::money::Currency;
use actiongraph::domain::report::Bucket;
use actiongraph::domain::sales::{AxisRange, DateAxis, FactQuery, RankBy, Sums};
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::segment::{Cohort, Step, UserRules, UserSegment};
use actiongraph::domain::time::{Instant, Span, WeekStart, Zone};
use actiongraph::store::{ReadTx, Recorder, Store};
use chrono::{DateTime, Datelike as _, Days, NaiveDate};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 280,
    actions: 240,
    wild: true,
};

/// Everybody with a counted action, by first action.
fn first_actions(facts: &Facts, query: &FactQuery) -> BTreeMap<Uuid, i64> {
    let to_end = query.range.with_span(Span {
        from: Instant::MIN,
        to: query.range.span.to,
    });
    let mut first: BTreeMap<Uuid, i64> = BTreeMap::new();
    for action in facts.actions.values() {
        if let Some(user) = action.user_id
            && naive::in_range(action, &to_end)
            && naive::counts(facts, action, query)
        {
            let at = naive::axis_value(action, query.range.axis, query.range.zone).unwrap();
            let first = first.entry(user).or_insert(at);
            *first = at.min(*first);
        }
    }
    first
}

/// The first day of the calendar unit that an instant lies in.
fn unit_of(micros: i64, bucket: Bucket, zone: Zone, week_start: WeekStart) -> NaiveDate {
    let zone = chrono_tz::Tz::from_str(zone.name()).unwrap();
    let date = DateTime::from_timestamp_micros(micros)
        .unwrap()
        .with_timezone(&zone)
        .date_naive();
    let day = |year: i32, month: u32| NaiveDate::from_ymd_opt(year, month, 1).unwrap();
    match bucket {
        Bucket::Week => {
            let first = match week_start {
                WeekStart::Monday => 0,
                WeekStart::Sunday => 6,
                other => panic!("{other:?} is not asked for"),
            };
            let into = (date.weekday().num_days_from_monday() + 7 - first) % 7;
            date - Days::new(into.into())
        }
        Bucket::Month => day(date.year(), date.month()),
        Bucket::Quarter => day(date.year(), date.month0() / 3 * 3 + 1),
        Bucket::Year => day(date.year(), 1),
        other => panic!("{other:?} is no length of a period of cohorts"),
    }
}

#[derive(Default)]
struct Found {
    users: BTreeSet<Uuid>,
    actions: i64,
    tally: Tally,
}

/// What is asked of cohorts: the facts, and how their range is divided.
type Asked = (FactQuery, (Bucket, WeekStart));

/// Questions about cohorts, most of them on the axis of orders where columns are asked, which have no other.
fn questions(pools: &Pools, reads: Reads) -> BoxedStrategy<Asked> {
    let range = prop_oneof![5 => queries::wide_range(), 1 => queries::range()];
    let weight = match reads {
        Reads::Database => 0.2,
        Reads::Columns => 0.8,
    };
    let buckets = vec![Bucket::Week, Bucket::Month, Bucket::Quarter, Bucket::Year];
    let cut = (
        select(buckets),
        select(vec![WeekStart::Monday, WeekStart::Sunday]),
    );
    let filter = weighted(0.4, queries::action_filter(pools));
    let asked = (range, proptest::bool::weighted(weight), filter, cut);
    asked
        .prop_map(|(mut range, on_orders, filter, cut)| {
            if on_orders {
                range.axis = DateAxis::Ordered;
            }
            (FactQuery::counted(range, filter.unwrap_or_default()), cut)
        })
        .boxed()
}

fn are_those_of_plain_loops(reads: Reads) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 16, SHAPE).await;
        let facts = world.facts(0).await;
        let world = match reads {
            Reads::Database => world,
            Reads::Columns => world.in_columns().await,
        };
        (world, facts)
    });
    let asked = questions(&Pools::of(&facts), reads);
    let (returned, told) = (Cell::new(0), Cell::new(0));
    check(120, &asked, |(query, (bucket, week_start))| {
        let zone = query.range.zone;
        let (found, is_told) = runtime.block_on(async {
            let (tx, scope) = (world.tx(), world.read(0));
            let found = user_cohorts(&tx, scope, &query, (bucket, week_start)).await;
            (found, tx.was_spared())
        });
        let Ok(found) = found else {
            // Weeks of decades are too many.
            prop_assert!(query.range.span.micros() > 120 * 7 * 86_400_000_000);
            return Ok(());
        };
        told.set(told.get() + u32::from(is_told));
        let first = first_actions(&facts, &query);
        let unit = |micros| unit_of(micros, bucket, zone, week_start);
        let mut cells: BTreeMap<(NaiveDate, NaiveDate), Found> = BTreeMap::new();
        for action in naive::counted(&facts, &query) {
            let Some(user) = action.user_id else { continue };
            let (begun, at) = (
                first[&user],
                naive::axis_value(action, query.range.axis, zone).unwrap(),
            );
            if begun >= query.range.span.from.micros() {
                let cell = cells.entry((unit(begun), unit(at))).or_default();
                cell.users.insert(user);
                cell.actions += 1;
                cell.tally.action(&facts, action);
            }
        }
        let mut seen = 0;
        for cohort in &found {
            let own = unit(cohort.span.from.micros());
            let size = cells.get(&(own, own)).map_or(0, |cell| cell.users.len());
            prop_assert_eq!(usize::try_from(cohort.size).unwrap(), size);
            let mut reward = 0;
            for (age, period) in cohort.periods.iter().enumerate() {
                prop_assert_eq!(period.age, age);
                let cell = cells.get(&(own, unit(period.span.from.micros())));
                seen += usize::from(cell.is_some());
                let users = cell.map_or(0, |cell| cell.users.len());
                prop_assert_eq!(usize::try_from(period.users).unwrap(), users);
                let sums = cell.map_or_else(Sums::default, |cell| cell.tally.sums());
                prop_assert_eq!(&period.sums, &sums);
                prop_assert_eq!(period.sums.actions, cell.map_or(0, |cell| cell.actions));
                reward += sums.metric(RankBy::Reward(Currency::USD));
                let usd = RankBy::Reward(Currency::USD);
                prop_assert_eq!(period.cumulative.metric(usd), reward);
                if age > 0 && users > 0 {
                    returned.set(returned.get() + 1);
                }
            }
        }
        prop_assert_eq!(seen, cells.len(), "every cell is shown once");
        Ok(())
    });
    assert!(returned.get() > 100, "users came back: {}", returned.get());
    let told = told.get();
    match reads {
        Reads::Database => assert_eq!(told, 0, "there are no columns"),
        Reads::Columns => assert!(told > 40, "columns told {told}"),
    }
}

#[test]
fn cohorts_are_those_of_plain_loops() {
    are_those_of_plain_loops(Reads::Database);
}

#[test]
fn cohorts_of_columns_are_those_of_plain_loops() {
    are_those_of_plain_loops(Reads::Columns);
}

/// The cohorts of a question by a store, and whether it was columns that told them.
async fn cohorts_by(store: &Store, world: &World, asked: &Asked) -> (Option<Vec<Cohort>>, bool) {
    let tx = ReadTx::new(store);
    let (query, cut) = asked;
    let found = user_cohorts(&tx, world.read(0), query, *cut).await;
    let is_told = found.is_ok() && tx.was_spared();
    (found.ok(), is_told)
}

/// Whole cohorts, money of every currency included, after every write and every deletion.
#[test]
fn cohorts_of_columns_are_those_of_sql_whatever_is_written() {
    let runtime = runtime();
    let (world, by_sql) = runtime.block_on(async {
        let world = World::rich(seed() + 18, SHAPE).await;
        let by_sql = world.store.clone();
        (world.in_columns().await, by_sql)
    });
    let (told, currencies) = (Cell::new(0), Cell::new(0));
    let mut gone = 0;
    for round in 0..4 {
        let facts = runtime.block_on(world.facts(0));
        let asked = questions(&Pools::of(&facts), Reads::Columns);
        check(60, &asked, |asked| {
            let (found, expected) = runtime.block_on(async {
                let found = cohorts_by(&world.store, &world, &asked).await;
                (found, cohorts_by(&by_sql, &world, &asked).await)
            });
            prop_assert!(!expected.1, "it is SQL that is compared with");
            prop_assert_eq!(&found.0, &expected.0);
            told.set(told.get() + u32::from(found.1));
            let cohorts = found.0.iter().flatten();
            let most = cohorts
                .flat_map(|cohort| &cohort.periods)
                .map(|period| period.sums.money.len())
                .max();
            currencies.set(currencies.get().max(most.unwrap_or(0)));
            Ok(())
        });
        gone += runtime.block_on(async {
            let more = Maker::new(seed() + 180 + round, SHAPE).drafts();
            world.apply(0, &more[..60]).await;
            let known = facts.actions.values().step_by(9);
            let ids: Vec<&str> = known.map(|row| row.external_id.as_str()).collect();
            let began = at("2026-08-01T00:00:00Z");
            world.delete(0, &ids, began).await.deleted
        });
    }
    assert!(told.get() > 80, "columns told {}", told.get());
    assert!(gone > 20, "{gone} went");
    assert_eq!(currencies.get(), 3, "a cell has the money of each currency");
    let stats = world.store.columns().unwrap().stats();
    assert!(stats.catch_ups > 2, "{stats:?}");
}

/// An order of a user, which became what it is at noon of a day.
fn order_of(user: &str, day: &str, status: Status) -> ActionDraft {
    let mut draft = sale(
        &format!("{user} {day}"),
        at(&format!("2026-{day}T10:00:00Z")),
    );
    draft.standing.status = status;
    let user = SlotValue::Text(user.to_owned());
    draft.slots.insert(Slot::Subid1, user);
    draft
}

/// Sizes of the cohorts of three months, each with the users of its periods.
async fn sizes_of_months(world: &World, by_sql: &Store) -> Vec<(i64, Vec<i64>)> {
    let range = orders("2026-02-01T00:00:00Z", "2026-05-01T00:00:00Z", "UTC");
    let query = FactQuery::counted(range, Filter::default());
    let asked = (query, (Bucket::Month, WeekStart::Monday));
    let (found, is_told) = cohorts_by(&world.store, world, &asked).await;
    assert!(is_told, "columns tell it");
    let (expected, _) = cohorts_by(by_sql, world, &asked).await;
    assert_eq!(found, expected);
    let users = |cohort: &Cohort| cohort.periods.iter().map(|period| period.users).collect();
    let found = found.unwrap();
    found
        .iter()
        .map(|cohort| (cohort.size, users(cohort)))
        .collect()
}

/// What was a first action is none once it is declined or gone, and is one again when it comes back.
#[test]
fn users_change_their_cohorts_with_their_first_actions() {
    block_on(async {
        let world = World::new(1).await;
        let (pending, declined) = (Status::Pending, Status::Declined);
        let mut drafts = vec![
            order_of("before", "01-15", pending),
            order_of("before", "03-15", pending),
            order_of("moves", "02-10", pending),
            order_of("moves", "03-10", pending),
            order_of("moves", "04-10", pending),
            order_of("stays", "02-11", pending),
            order_of("stays", "04-11", declined),
            order_of("nobody", "03-12", declined),
        ];
        // Without a user.
        drafts.push(sale("unattributed", at("2026-02-12T10:00:00Z")));
        world.apply(0, &drafts).await;
        let by_sql = world.store.clone();
        let world = world.in_columns().await;
        let same = async |expected: [(i64, Vec<i64>); 3], what: &str| {
            assert_eq!(sizes_of_months(&world, &by_sql).await, expected, "{what}");
        };
        let begun = [(2, vec![2, 1, 1]), (0, vec![0, 0]), (0, vec![0])];
        same(begun, "at first").await;

        let mut first = order_of("moves", "02-10", declined);
        first.stamp.changed_at = at("2026-05-01T00:00:00Z");
        first.stamp.observed_at = first.stamp.changed_at;
        world.apply(0, &[first]).await;
        let moved = [(1, vec![1, 0, 0]), (1, vec![1, 1]), (0, vec![0])];
        same(moved.clone(), "the first action is declined").await;

        let went = world.delete(0, &["before 01-15"], at("2026-06-01T00:00:00Z"));
        assert_eq!(went.await.deleted, 1);
        let joined = [(1, vec![1, 0, 0]), (2, vec![2, 1]), (0, vec![0])];
        same(joined, "who began before begins in the range").await;

        let mut back = order_of("before", "01-15", pending);
        back.stamp.observed_at = at("2026-07-01T00:00:00Z");
        world.apply(0, &[back]).await;
        same(moved, "what was gone is seen again").await;
    });
}

/// A question of columns asks for the state of the data, and for what only the database knows of users.
#[test]
fn cohorts_of_columns_send_no_statement_over_facts() {
    block_on(async {
        let mut world = World::rich(seed() + 19, SHAPE).await.in_columns().await;
        let recorder = Recorder::default();
        world.store = world.store.recorded(&recorder);
        let of_user = |field, op| {
            let test = Filter::Test(UserTest::Field(field, op));
            Filter::Test(ActionTest::User(test))
        };
        let some = Op::Ne(Operand::from("u1"));
        let since = Op::Gte(Operand::Int(0));
        let either = Filter::Any(vec![
            of_user(UserField::Value, some),
            of_user(UserField::FirstSeen, since),
        ]);
        let status = Filter::Test(ActionTest::Field(
            ActionField::Status,
            Op::Eq(Operand::from(Status::Declined.as_str())),
        ));
        let comment = Filter::Test(ActionTest::Field(ActionField::Comment, Op::IsNull(true)));
        let range = || orders("2026-02-01T00:00:00Z", "2026-07-01T00:00:00Z", "UTC");
        for (filter, others, is_told) in [
            (Filter::default(), 0, true),
            (status, 0, true),
            (either, 2, true),
            (comment, 0, false),
        ] {
            let asked = (
                FactQuery::counted(range(), filter),
                (Bucket::Month, WeekStart::Monday),
            );
            let (found, told) = cohorts_by(&world.store, &world, &asked).await;
            let (sent, what) = (recorder.take(), &asked.0.filter);
            assert!(found.is_some(), "{what:?}");
            assert_eq!(told, is_told, "{what:?}");
            let of_facts = |text: &&String| text.contains("FROM actions");
            let of_state = |text: &&String| text.contains("publisher_states");
            let read = sent.iter().filter(of_facts).count();
            assert_eq!(read == 0, is_told, "{what:?}: {sent:?}");
            if is_told {
                assert_eq!(sent.len(), 1 + others, "{what:?}: {sent:?}");
                assert_eq!(sent.iter().filter(of_state).count(), 1, "{sent:?}");
            }
        }
    });
}

/// Columns hold every row: a caller who sees some of them is answered by SQL, as before.
#[test]
fn cohorts_say_where_they_were_read() {
    block_on(async {
        let world = World::rich(seed() + 20, SHAPE).await;
        let limits = Limits {
            programs: Some(vec!["6115".to_owned()]),
            ..Limits::default()
        };
        let range = format!("range: {RANGE}");
        let query = format!(
            "{{ plain: userCohorts({range}) {{ ...All }} \
             weeks: userCohorts({range}, bucket: WEEK, weekStart: SUNDAY, timeZone: \"America/St_Johns\", currency: \"RUB\") {{ ...All }} \
             orders: userCohorts({range}, dateAxis: ORDERED) {{ ...All }} \
             country: userCohorts({range}, filter: {{country: {{eq: \"RU\"}}}}) {{ ...All }} \
             comments: userCohorts({range}, filter: {{comment: {{isNull: true}}}}) {{ ...All }} \
             closed: userCohorts({range}, dateAxis: CLOSED) {{ ...All }} }} \
             fragment All on UserCohorts {{ info {{ source }} cohorts {{ period {{ from to }} size periods {{ age users share actions \
             units orderAmount {{ amount currency }} reward {{ amount currency }} cumulativeActions cumulativeReward {{ amount \
             currency }} cumulativeRewardPerUser {{ amount currency }} }} }} }}"
        );
        let by_sql = Api::of(&world, 0).data(&query, &json!({})).await;
        let limited = Api::limited(&world, 0, limits.clone())
            .data(&query, &json!({}))
            .await;
        assert_ne!(limited["plain"]["cohorts"], by_sql["plain"]["cohorts"]);
        let world = world.in_columns().await;
        let told = Api::of(&world, 0).data(&query, &json!({})).await;
        for (name, before, source) in [
            ("plain", "TOTALS_AND_FACTS", "COLUMNS"),
            ("weeks", "TOTALS_AND_FACTS", "COLUMNS"),
            ("orders", "TOTALS_AND_FACTS", "COLUMNS"),
            ("country", "FACTS", "COLUMNS"),
            ("comments", "FACTS", "FACTS"),
            ("closed", "FACTS", "FACTS"),
        ] {
            assert_eq!(told[name]["cohorts"], by_sql[name]["cohorts"], "{name}");
            assert_eq!(by_sql[name]["info"]["source"], before, "{name}");
            assert_eq!(told[name]["info"]["source"], source, "{name}");
        }
        let again = Api::limited(&world, 0, limits)
            .data(&query, &json!({}))
            .await;
        assert_eq!(again, limited, "a key with limits is SQL's");
    });
}

/// The steps of users between two dates, each user by itself, from the lists of members.
fn steps_of(facts: &Facts, dates: &[segments::UserSegments]) -> BTreeMap<Step, BTreeSet<Uuid>> {
    let segment_of = |all: &segments::UserSegments, user: Uuid| -> Option<UserSegment> {
        let is_in = |members: &[usize]| {
            let mut members = members.iter();
            members.any(|member| all.users[*member].user_id == user)
        };
        let mut list = all.list.iter();
        let own = list.find(|entry| entry.kind.is_rfm() && is_in(&entry.members));
        own.map(|entry| entry.kind)
    };
    let mut steps: BTreeMap<Step, BTreeSet<Uuid>> = BTreeMap::new();
    for user in facts.users.keys() {
        let step = (segment_of(&dates[0], *user), segment_of(&dates[1], *user));
        if step != (None, None) {
            steps.entry(step).or_default().insert(*user);
        }
    }
    steps
}

#[test]
fn movement_adds_up_to_the_sizes_of_both_dates() {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 17, SHAPE).await;
        let facts = world.facts(0).await;
        (world, facts)
    });
    let pools = Pools::of(&facts);
    let asked = (
        (-20i64..60, 1i64..60, 5i64..90),
        weighted(0.3, queries::action_filter(&pools)),
        select(DateAxis::ALL.to_vec()),
        (1i64..3, select(vec![1i64, 1, 1, 5])),
    );
    let steps = Cell::new(0);
    check(
        80,
        &asked,
        |((from, gap, days), filter, axis, (minimum_actions, minimum_users))| {
            let day = |day: i64| {
                let start = at("2026-03-01T00:00:00Z").micros();
                Instant::from_micros(start + day * 86_400_000_000).unwrap()
            };
            let window = |to: i64| {
                let span = Span {
                    from: day(to - days),
                    to: day(to),
                };
                let zone = Zone::UTC;
                FactQuery::counted(
                    AxisRange { axis, span, zone },
                    filter.clone().unwrap_or_default(),
                )
            };
            let rules = UserRules {
                minimum_actions,
                minimum_users,
                ..UserRules::of(Currency::USD)
            };
            let (before, after) = (window(from), window(from + gap));
            let (found, sizes) = runtime.block_on(async {
                let (tx, scope) = (world.tx(), world.read(0));
                let found = moved(&tx, scope, (&before, &after), &rules).await.unwrap();
                let mut sizes = Vec::new();
                for window in [&before, &after] {
                    sizes.push(segments::users(&tx, scope, window, &rules).await.unwrap());
                }
                (found, sizes)
            });
            let expected = steps_of(&facts, &sizes);
            let shown: BTreeMap<Step, BTreeSet<Uuid>> = found
                .movement
                .0
                .iter()
                .map(|(step, movers)| (*step, movers.iter().map(|mover| mover.user_id).collect()))
                .collect();
            prop_assert_eq!(&shown, &expected);
            let size = |place: usize, kind: UserSegment| {
                let mut list = sizes[place].list.iter();
                list.find(|entry| entry.kind == kind)
                    .map_or(0, |entry| entry.size)
            };
            for kind in UserSegment::ALL.iter().filter(|kind| kind.is_rfm()) {
                let came = found.movement.count(|(_, to)| to == Some(*kind));
                let went = found.movement.count(|(from, _)| from == Some(*kind));
                prop_assert_eq!((went, came), (size(0, *kind), size(1, *kind)));
            }
            steps.set(steps.get() + shown.len());
            Ok(())
        },
    );
    assert!(steps.get() > 300, "{} steps were taken", steps.get());
}

async fn small() -> World {
    let shape = Shape {
        drafts: 120,
        actions: 100,
        wild: false,
    };
    World::rich(5, shape).await
}

const RANGE: &str = "{days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";

#[test]
fn settings_apply_where_a_question_says_nothing_else() {
    block_on(async {
        let world = small().await;
        let api = Api::of(&world, 0).allowed(&[KeyScope::Read, KeyScope::Segments]);
        let state = "{ segmentSettings { version changedAt products { bestSellers abcBPercent } \
                     users { currency minimumActions minimumUsers percentiles highValuePercent } } }";
        let data = api.data(state, &json!({})).await;
        assert_eq!(
            data["segmentSettings"],
            json!({"version": "0", "changedAt": null, "products": {"bestSellers": 100, "abcBPercent": 95},
                "users": {"currency": "USD", "minimumActions": 1, "minimumUsers": 5, "percentiles": [20, 40, 60, 80], "highValuePercent": 10}})
        );
        let change = "mutation($version: BigInt!, $products: ProductRulesInput, $users: UserRulesInput, $code: CurrencyCode) { \
                      updateSegmentSettings(version: $version, products: $products, users: $users, monetaryCurrency: $code) { \
                      settings { version changedAt products { bestSellers riskyPercent } users { currency percentiles \
                      thresholds { recencyDays actions amounts } highValuePercent highValueAmount { amount currency } } } \
                      userErrors { field code } } }";
        let thresholds = json!({"recencyDays": [7, 30, 60, 90], "actions": [2, 3, 5, 10],
            "amounts": ["10", "20", "50", "100"], "currency": "RUB"});
        let set = json!({"version": 0, "code": "RUB", "products": {"bestSellers": 3}, "users": {
            "scoring": {"thresholds": thresholds}, "highValue": {"amount": {"amount": "99.5", "currency": "USD"}}}});
        let data = api.data(change, &set).await;
        let payload = &data["updateSegmentSettings"];
        assert_eq!(
            payload["settings"],
            json!({"version": "1", "changedAt": "2026-07-01T00:00:00Z", "products": {"bestSellers": 3, "riskyPercent": 50},
                "users": {"currency": "RUB", "percentiles": null, "thresholds": {"recencyDays": [7, 30, 60, 90],
                "actions": [2, 3, 5, 10], "amounts": ["10.00", "20.00", "50.00", "100.00"]}, "highValuePercent": null,
                "highValueAmount": {"amount": "99.50", "currency": "USD"}}})
        );
        // A question that names another currency than the thresholds have cannot be answered with them.
        let ask = format!(
            "query($rules: UserRulesInput, $code: CurrencyCode) {{ userSegments(range: {RANGE}, rules: $rules, currency: $code) \
             {{ parameters {{ currency minimumActions percentiles highValuePercent }} nodes {{ size }} }} }}"
        );
        let wrong = api.answer(&ask, &json!({"code": "USD"})).await;
        assert_eq!(
            wrong["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{wrong}"
        );
        let rules = json!({"code": "USD", "rules": {"scoring": null, "highValue": {"topPercent": 3}, "minimumActions": 2}});
        let data = api.data(&ask, &rules).await;
        assert_eq!(
            data["userSegments"]["parameters"],
            json!({"currency": "USD", "minimumActions": 2, "percentiles": [20, 40, 60, 80], "highValuePercent": 3})
        );
        let ask = format!(
            "query($rules: ProductRulesInput) {{ productSegments(range: {RANGE}, rules: $rules, segments: [BEST_SELLERS]) \
             {{ parameters {{ bestSellers }} nodes {{ size }} }} }}"
        );
        for (rules, expected) in [
            (json!({}), 3),
            (json!({"bestSellers": 2}), 2),
            (json!({"bestSellers": null}), 100),
        ] {
            let data = api.data(&ask, &json!({"rules": rules})).await;
            let shown = &data["productSegments"];
            assert_eq!(shown["parameters"]["bestSellers"], expected, "{rules}");
            assert!(
                shown["nodes"][0]["size"].as_i64().unwrap() <= expected,
                "{rules}"
            );
        }
        // Another publisher has the defaults.
        let data = Api::of(&world, 1).data(state, &json!({})).await;
        assert_eq!(data["segmentSettings"]["version"], "0");
    });
}

#[test]
fn settings_that_cannot_be_are_refused_at_their_places_and_change_nothing() {
    block_on(async {
        let world = small().await;
        let api = Api::of(&world, 0).allowed(&[KeyScope::Read, KeyScope::Segments]);
        let change = "mutation($version: BigInt!, $products: ProductRulesInput, $users: UserRulesInput) { \
                      updateSegmentSettings(version: $version, products: $products, users: $users) { settings { version } \
                      userErrors { field code message } } }";
        let wrong = json!({"version": 0, "products": {"bestSellers": 0, "abcAPercent": 101},
            "users": {"minimumActions": 0, "minimumUsers": 0, "scoring": {"percentiles": [20, 20, 60, 80]}}});
        let data = api.data(change, &wrong).await;
        let payload = &data["updateSegmentSettings"];
        assert_eq!(payload["settings"], Value::Null);
        let fields: Vec<String> = payload["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                let field = error["field"].as_array().unwrap().iter();
                field
                    .map(|part| part.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join(".")
            })
            .collect();
        assert_eq!(
            fields,
            [
                "products.bestSellers",
                "products.abcAPercent",
                "products.abcBPercent",
                "users.minimumActions",
                "users.minimumUsers",
                "users.scoring.percentiles"
            ]
        );
        // The version guards against changes that did not see each other.
        for (version, conflicts) in [(0, false), (0, true), (2, true), (1, false)] {
            let given = json!({"version": version, "products": {"bestSellers": 5 + version}});
            let data = api.data(change, &given).await;
            let errors = data["updateSegmentSettings"]["userErrors"]
                .as_array()
                .unwrap();
            let codes: Vec<&Value> = errors.iter().map(|error| &error["code"]).collect();
            assert_eq!(codes == ["CONFLICT"], conflicts, "{version}: {data}");
            assert_eq!(codes.is_empty(), !conflicts, "{version}: {data}");
        }
        let before = "{ segmentSettings { version products { bestSellers } } }";
        let data = api.data(before, &json!({})).await;
        assert_eq!(
            data["segmentSettings"],
            json!({"version": "2", "products": {"bestSellers": 6}})
        );
        let reader = Api::of(&world, 0).allowed(&[KeyScope::Read]);
        let refused = reader.answer(change, &json!({"version": 2})).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    });
}

#[test]
fn scores_of_users_are_those_of_the_segments() {
    block_on(async {
        let world = small().await;
        let api = Api::of(&world, 0);
        let ask = format!(
            "{{ userSegments(first: 2, range: {RANGE}, segments: [NEW, RETURNING]) {{ nodes {{ users(first: 100) {{ nodes {{ \
             recencyScore frequencyScore monetaryScore actions lastActionAt user {{ value rfm(range: {RANGE}) {{ recency \
             frequency monetary score actions lastActionAt segment }} }} }} }} }} }} \
             users(first: 100) {{ nodes {{ value rfm(range: {RANGE}) {{ score }} }} }} }}"
        );
        let data = api.data(&ask, &json!({})).await;
        let mut scored = BTreeMap::new();
        for segment in data["userSegments"]["nodes"].as_array().unwrap() {
            for member in segment["users"]["nodes"].as_array().unwrap() {
                let rfm = &member["user"]["rfm"];
                for (one, other) in [
                    ("recencyScore", "recency"),
                    ("frequencyScore", "frequency"),
                    ("monetaryScore", "monetary"),
                    ("actions", "actions"),
                    ("lastActionAt", "lastActionAt"),
                ] {
                    assert_eq!(member[one], rfm[other], "{member}");
                }
                let digits = ["recency", "frequency", "monetary"].map(|name| rfm[name].to_string());
                assert_eq!(rfm["score"].as_str().unwrap(), digits.concat());
                scored.insert(member["user"]["value"].to_string(), rfm["score"].clone());
            }
        }
        assert!(scored.len() > 5, "{scored:?}");
        for user in data["users"]["nodes"].as_array().unwrap() {
            let expected = scored.get(&user["value"].to_string());
            assert_eq!(user["rfm"].get("score"), expected, "{user}");
        }
    });
}

/// Scores are cuts over everybody, where many are equal: the order in which states of actions arrive moves nobody.
#[test]
fn scores_do_not_depend_on_the_order_in_which_actions_arrive() {
    block_on(async {
        let mut dice = Dice::new(seed() + 41);
        let drafts = Maker::new(seed() + 41, SHAPE).drafts();
        let query = "{ users(first: 100) { totalCount nodes { value rfm(range: {last: {count: 150, unit: DAY}}) { score segment \
                     daysSinceLastAction actions amount { amount currency } } } } \
                     userSegments(range: {last: {count: 150, unit: DAY}}, first: 90) { nodes { kind country size } } }";
        let mut first: Option<Value> = None;
        for round in 0..4 {
            let mut arriving = drafts.clone();
            if round > 0 {
                dice.shuffle(&mut arriving);
            }
            let mut world = World::new(1).await;
            if round % 2 == 1 {
                world = world.in_columns().await;
            }
            let mut rest = arriving.as_slice();
            while !rest.is_empty() {
                let size = (1 + dice.below(40)).min(rest.len());
                world.apply_in(0, &rest[..size], size).await;
                rest = &rest[size..];
            }
            let data = Api::of(&world, 0).data(query, &json!({})).await;
            let users = data["users"]["nodes"].as_array().unwrap();
            let scored = users.iter().filter(|user| user["rfm"]["score"].is_string());
            assert!(scored.count() > 5, "{data:#}");
            let expected = first.get_or_insert_with(|| data.clone());
            assert_eq!(*expected, data, "arrival {round}");
        }
    });
}

#[test]
fn what_cannot_be_compared_or_divided_is_refused() {
    block_on(async {
        let world = small().await;
        let api = Api::of(&world, 0);
        for (ask, code, word) in [
            (
                "{ userSegmentMovement(from: \"2026-05-01T00:00:00Z\", to: \"2026-05-01T00:00:00Z\") { left } }",
                "BAD_USER_INPUT",
                "later than from",
            ),
            (
                "{ userSegmentMovement(from: \"2026-05-01T00:00:00Z\", to: \"2026-06-01T00:00:00Z\", days: 0) { left } }",
                "BAD_USER_INPUT",
                "days is 0",
            ),
            (
                "{ userSegmentMovement(from: \"2026-07-02T00:00:00Z\") { left } }",
                "BAD_USER_INPUT",
                "later than from",
            ),
            (
                "{ userCohorts(range: {days: {from: \"2020-01-01\", to: \"2026-01-01\"}}, bucket: WEEK) { info { source } } }",
                "LIMIT_EXCEEDED",
                "120",
            ),
        ] {
            let answer = api.answer(ask, &json!({})).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], code, "{answer}");
            assert!(
                error["message"].as_str().unwrap().contains(word),
                "{answer}"
            );
        }
    });
}
