//! Users as customers: movement between RFM segments and cohorts are what plain loops over all actions give, and the
//! parameters of the segments can be set.

use crate::support::api::Api;
use crate::support::check::{check, seed};
use crate::support::dice::Dice;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::naive::{self, Tally};
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, World, block_on, runtime};
use actiongraph::analytics::cohorts::user_cohorts;
use actiongraph::analytics::movement::moved;
use actiongraph::analytics::segments;
use actiongraph::domain::money::Currency;
use actiongraph::domain::report::Bucket;
use actiongraph::domain::sales::{AxisRange, DateAxis, FactQuery, RankBy, Sums};
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::segment::{Step, UserRules, UserSegment};
use actiongraph::domain::time::{Instant, Span, WeekStart, Zone};
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

#[test]
fn cohorts_are_those_of_plain_loops() {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 16, SHAPE).await;
        let facts = world.facts(0).await;
        (world, facts)
    });
    let pools = Pools::of(&facts);
    let asked = (
        prop_oneof![5 => queries::wide_range(), 1 => queries::range()],
        weighted(0.4, queries::action_filter(&pools)),
        select(vec![
            Bucket::Week,
            Bucket::Month,
            Bucket::Quarter,
            Bucket::Year,
        ]),
        select(vec![WeekStart::Monday, WeekStart::Sunday]),
    );
    let returned = Cell::new(0);
    check(120, &asked, |(range, filter, bucket, week_start)| {
        let query = FactQuery::counted(range, filter.unwrap_or_default());
        let zone = query.range.zone;
        let found = runtime.block_on(async {
            let (tx, scope) = (world.tx(), world.read(0));
            user_cohorts(&tx, scope, &query, (bucket, week_start)).await
        });
        let Ok(found) = found else {
            // Weeks of decades are too many.
            prop_assert!(query.range.span.micros() > 120 * 7 * 86_400_000_000);
            return Ok(());
        };
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
        1i64..3,
    );
    let steps = Cell::new(0);
    check(
        80,
        &asked,
        |((from, gap, days), filter, axis, minimum_actions)| {
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
                     users { currency minimumActions percentiles highValuePercent } } }";
        let data = api.data(state, &json!({})).await;
        assert_eq!(
            data["segmentSettings"],
            json!({"version": "0", "changedAt": null, "products": {"bestSellers": 100, "abcBPercent": 95},
                "users": {"currency": "USD", "minimumActions": 1, "percentiles": [20, 40, 60, 80], "highValuePercent": 10}})
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
            "users": {"minimumActions": 0, "scoring": {"percentiles": [20, 20, 60, 80]}}});
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
