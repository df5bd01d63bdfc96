//! Segments that callers define: who is in them, what can be done with them, and what is refused.

mod api;
mod built_in;
mod built_in_trend;
mod changes;
mod deeds;
mod everywhere;
mod filters;
mod from_columns;
mod over_time;
mod periods;
mod sentences;
mod stories;
mod story;

use crate::support::check::{check, seed};
use crate::support::drafts::{COUNTRIES, CURRENCIES, Shape, USERS, at, instant};
use crate::support::naive_segment;
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, World, runtime};
use actiongraph::analytics::members::{LookedUp, Want};
use actiongraph::domain::filter::{Filter, ProductTest, UserTest};
use actiongraph::domain::id::PublisherId;
use actiongraph::domain::money::Currency;
use actiongraph::domain::page::{Direction, Nulls, PageRequest, SortKey};
use actiongraph::domain::rule::{
    Called, Condition, Definitions, Found, InSegments, Measure, Members, Metric, Moment, Rank,
    Refers as _, Rule, Segment, SegmentRef, SegmentSet, Subject, Take, Threshold,
};
use actiongraph::domain::time::{Day, Instant, Preset, Range, Unit, Zone};
use actiongraph::store::members::{Explained, explain, overlaps, sizes};
use actiongraph::store::products::{self, ProductSort};
use actiongraph::store::users::{self, UserSort};
use actiongraph::store::{ReadTx, Store};
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 240,
    actions: 190,
    wild: true,
};

/// A segment that rules of this test can name.
const NAMED: u128 = 77;

fn period() -> BoxedStrategy<Option<Range>> {
    // Of each unit so many that some reach beyond the first facts.
    let units = vec![
        (Unit::Hour, 2_000_u32),
        (Unit::Day, 130),
        (Unit::Week, 20),
        (Unit::Month, 6),
        (Unit::Quarter, 3),
        (Unit::Year, 2),
    ];
    let last = select(units).prop_flat_map(|(unit, most)| (1..=most, Just(unit), any::<bool>()));
    let preset = select(vec![
        Preset::Today,
        Preset::Yesterday,
        Preset::ThisWeek,
        Preset::LastWeek,
        Preset::ThisMonth,
        Preset::LastMonth,
        Preset::ThisQuarter,
        Preset::LastQuarter,
        Preset::ThisYear,
        Preset::LastYear,
    ]);
    let first = Day::parse("2026-02-01").unwrap();
    let start = at("2026-02-01T00:00:00Z").micros();
    prop_oneof![
        2 => Just(None),
        4 => last.prop_map(|(count, unit, whole_units)| Some(Range::Last { count, unit, whole_units })),
        3 => preset.prop_map(|preset| Some(Range::Preset(preset))),
        2 => (0i32..120, 0i32..100).prop_map(move |(from, days)| Some(Range::Days {
            from: first.plus(from).unwrap(),
            to: first.plus(from + days).unwrap(),
        })),
        2 => (0i64..100, 0i64..100).prop_map(move |(from, days)| Some(Range::Between {
            from: instant(start + from * 86_400_000_000),
            to: instant(start + (from + days) * 86_400_000_000),
        })),
    ]
    .boxed()
}

fn measure(pools: &Pools, subject: Subject) -> BoxedStrategy<Measure> {
    let metrics: Vec<Metric> = Metric::ALL
        .iter()
        .copied()
        .filter(|metric| *metric != Metric::Users || subject == Subject::Products)
        .collect();
    let actions = prop_oneof![
        3 => Just(Filter::default()),
        2 => queries::action_filter(pools),
    ];
    let items = proptest::option::weighted(0.3, queries::tree(queries::item_leaf(pools), 1));
    (
        select(metrics),
        select(CURRENCIES.to_vec()),
        period(),
        actions,
        items,
    )
        .prop_map(|(metric, code, period, actions, items)| Measure {
            metric,
            currency: metric.is_of_money().then(|| Currency::parse(code).unwrap()),
            period,
            actions,
            items,
        })
        .boxed()
}

fn bound(metric: Metric) -> BoxedStrategy<Option<i64>> {
    let values: Vec<i64> = match metric {
        Metric::OrderAmount | Metric::Reward => vec![0, 1, 10_000, 150_000, 2_000_000, -10_000],
        Metric::ApprovalRate => vec![0, 1, 333_333, 500_000, 1_000_000],
        Metric::DaysSinceLast | Metric::DaysSinceFirst => vec![0, 3, 10, 30, 60, 120],
        _ => vec![-1, 0, 1, 2, 3, 5],
    };
    proptest::option::weighted(0.7, select(values)).boxed()
}

fn condition<T: std::fmt::Debug + Clone + 'static>(
    pools: &Pools,
    subject: Subject,
    own: BoxedStrategy<Filter<T>>,
    segment: fn(InSegments) -> T,
) -> BoxedStrategy<Condition<T>> {
    let threshold = measure(pools, subject).prop_flat_map(|measure| {
        let bounds = (bound(measure.metric), bound(measure.metric));
        bounds.prop_map(move |(at_least, at_most)| {
            Condition::Threshold(Threshold {
                measure: measure.clone(),
                at_least,
                at_most,
            })
        })
    });
    let take = prop_oneof![
        (1u32..12).prop_map(Take::Count),
        (1u32..1_000_000).prop_map(Take::PercentE4),
    ];
    let rank =
        (measure(pools, subject), any::<bool>(), take).prop_map(|(measure, is_largest, take)| {
            Condition::Rank(Rank {
                measure,
                is_largest,
                take,
            })
        });
    let names = match subject {
        Subject::Users => select(USERS.to_vec()).prop_map(str::to_owned).boxed(),
        Subject::Products => (0u64..9)
            .prop_map(|id| format!("id:{}", 1_005_000 + id))
            .boxed(),
    };
    let members = (
        queries::ids(pools, subject == Subject::Users),
        proptest::collection::vec(names, 0..4),
    )
        .prop_map(|(ids, names)| Condition::Members(Members { ids, names }));
    let named = any::<bool>().prop_map(move |inside| {
        let segments = vec![SegmentRef::from(Uuid::from_u128(NAMED))];
        Condition::Own(Filter::Test(segment(InSegments { inside, segments })))
    });
    prop_oneof![
        2 => own.prop_map(Condition::Own),
        2 => queries::country_op().prop_map(Condition::ClickCountry),
        6 => threshold,
        3 => rank,
        2 => members,
        2 => named,
    ]
    .boxed()
}

fn rule(pools: &Pools, subject: Subject) -> BoxedStrategy<Rule> {
    match subject {
        Subject::Users => {
            let own = queries::user_filter(pools, 1);
            let leaf = condition(pools, subject, own, UserTest::Segment);
            queries::tree(leaf, 2).prop_map(Rule::Users).boxed()
        }
        Subject::Products => {
            let own = queries::product_filter(pools, 1);
            let leaf = condition(pools, subject, own, ProductTest::Segment);
            queries::tree(leaf, 2).prop_map(Rule::Products).boxed()
        }
    }
}

fn plain(id: u128, subject: Subject) -> Segment {
    Segment {
        id: Uuid::from_u128(id),
        subject,
        name: format!("segment {id}"),
        description: String::new(),
        version: 1,
        created_at: Instant::MIN,
        updated_at: Instant::MIN,
        frozen_at: None,
        frozen_from: None,
        archived_at: None,
    }
}

/// A rule at a moment; the segment that it can name is of those with at least two actions ever.
fn placed(rule: &Rule, publisher: PublisherId, at: Instant, zone: Zone) -> Arc<SegmentSet> {
    let threshold = Threshold {
        measure: Measure {
            metric: Metric::Actions,
            currency: None,
            period: None,
            actions: Filter::default(),
            items: None,
        },
        at_least: Some(2),
        at_most: None,
    };
    let subject = rule.subject();
    let often = match subject {
        Subject::Users => Rule::Users(Filter::Test(Condition::Threshold(threshold))),
        Subject::Products => Rule::Products(Filter::Test(Condition::Threshold(threshold))),
    };
    let defined = Definitions::new([(plain(NAMED, subject), often)]);
    let moment = Moment {
        publisher,
        at,
        zone,
    };
    let mut named = rule.clone();
    assert!(named.named().len() <= 1);
    defined.set_of(rule, moment, &Found::new()).unwrap()
}

fn everything() -> PageRequest {
    PageRequest {
        size: 100_000,
        forward: true,
        after: None,
        before: None,
    }
}

fn by<S>(field: S) -> [SortKey<S>; 1] {
    [SortKey {
        field,
        direction: Direction::Asc,
        nulls: Nulls::Last,
    }]
}

async fn listed(world: &World, set: &Arc<SegmentSet>, inside: bool) -> BTreeSet<Uuid> {
    let segments = vec![SegmentRef {
        id: set.id,
        set: Some(Arc::clone(set)),
    }];
    let named = InSegments { inside, segments };
    let (tx, scope) = (world.tx(), world.read(0));
    let page = everything();
    match set.subject {
        Subject::Users => {
            let filter = Filter::Test(UserTest::Segment(named));
            let order = by(UserSort::Value);
            let found = users::list(&tx, scope, &filter, &order, &page).await;
            let rows = found.unwrap().rows.into_iter();
            rows.map(|(row, _)| row.id).collect()
        }
        Subject::Products => {
            let filter = Filter::Test(ProductTest::Segment(named));
            let order = by(ProductSort::Name);
            let found = products::list(&tx, scope, &filter, &order, &page).await;
            let rows = found.unwrap().rows.into_iter();
            rows.map(|(row, _)| row.id).collect()
        }
    }
}

/// A set with its members, as far as columns tell them.
async fn looked_up(world: &World, set: &Arc<SegmentSet>) -> Arc<SegmentSet> {
    let (tx, scope) = (world.tx(), world.read(0));
    let mut looked_up = LookedUp::default();
    let found = looked_up.look_up(&tx, scope, set, Want::Members);
    found.await.unwrap()
}

type Reasons = HashMap<Uuid, Explained>;

/// Why some are in a set: by columns, and by SQL.
async fn explained_twice(
    (world, by_sql): (&World, &Store),
    set: &SegmentSet,
    ids: &[Uuid],
) -> (Reasons, Reasons) {
    let scope = world.read(0);
    let columns = explain(&world.tx(), scope, set, ids).await.unwrap();
    let sql = explain(&ReadTx::new(by_sql), scope, set, ids).await;
    (columns, sql.unwrap())
}

/// A world, the same without columns, and its facts.
async fn world_of(in_columns: bool) -> (World, Store, Facts) {
    let mut world = World::rich(seed(), SHAPE).await;
    let (facts, by_sql) = (world.facts(0).await, world.store.clone());
    if in_columns {
        world = world.in_columns().await;
    }
    (world, by_sql, facts)
}

/// Rules against a plain computation; where columns are in memory, these tell who is in most of them, and why.
fn agree(subject: Subject, in_columns: bool) {
    let runtime = runtime();
    let (world, by_sql, facts) = runtime.block_on(world_of(in_columns));
    let told = Cell::new(0);
    let pools = Pools::of(&facts);
    let publisher = world.publishers[0].id;
    let start = at("2026-03-01T00:00:00Z").micros();
    let moment = (0i64..120, 0i64..86_400)
        .prop_map(move |(day, second)| instant(start + (day * 86_400 + second) * 1_000_000 + 37));
    // Clocks in Cairo skip a midnight of these months, those in Santiago repeat the hour before one.
    let zone = select(vec![
        "UTC",
        "Europe/Warsaw",
        "Asia/Kolkata",
        "Africa/Cairo",
        "America/Santiago",
    ]);
    let met = std::cell::RefCell::new(BTreeMap::<&str, usize>::new());
    check(
        250,
        &(rule(&pools, subject), moment, zone),
        |(rule, at, zone)| {
            let set = placed(&rule, publisher, at, Zone::parse(zone).unwrap());
            let expected = naive_segment::members(&facts, &set);
            let set = runtime.block_on(looked_up(&world, &set));
            if let Some(members) = &set.members {
                told.set(told.get() + 1);
                let ids: Vec<Uuid> = expected.iter().copied().collect();
                prop_assert_eq!(members.ids(), &ids, "{}", rule.sentence(&Called::new()));
                let some = &ids[..ids.len().min(7)];
                let both = explained_twice((&world, &by_sql), &set, some);
                let (columns, sql) = runtime.block_on(both);
                prop_assert_eq!(columns, sql, "{}", rule.sentence(&Called::new()));
            }
            let (inside, outside, size) = runtime.block_on(async {
                let size = sizes(&world.tx(), &[Arc::clone(&set)]).await.unwrap();
                (
                    listed(&world, &set, true).await,
                    listed(&world, &set, false).await,
                    size[0],
                )
            });
            let missing = expected.difference(&inside).next();
            let extra = inside.difference(&expected).next();
            prop_assert!(
                missing.is_none() && extra.is_none(),
                "missing {missing:?}, too many {extra:?}: {}",
                rule.sentence(&Called::new())
            );
            prop_assert_eq!(size, i64::try_from(expected.len()).unwrap());
            let all = match subject {
                Subject::Users => facts.users.len(),
                Subject::Products => facts.products.len(),
            };
            prop_assert_eq!(
                outside.len(),
                all - inside.len(),
                "outside is the complement"
            );
            prop_assert!(outside.is_disjoint(&inside));
            let read = Rule::from_text(&rule.to_text().unwrap()).unwrap();
            prop_assert_eq!(&read, &rule);
            let kind = match (inside.is_empty(), outside.is_empty()) {
                (true, _) => "none",
                (false, true) => "all",
                (false, false) => "some",
            };
            *met.borrow_mut().entry(kind).or_default() += 1;
            Ok(())
        },
    );
    let met = met.into_inner();
    assert!(
        met.get("some").copied().unwrap_or_default() > 60 || met.values().sum::<usize>() < 200,
        "the rules say little: {met:?}"
    );
    let told = told.get();
    assert!(
        in_columns && (told > 60 || met.values().sum::<usize>() < 200) || told == 0,
        "columns told {told} of {met:?}"
    );
}

#[test]
fn users_of_a_rule_are_those_that_it_lets_in() {
    agree(Subject::Users, false);
}

#[test]
fn products_of_a_rule_are_those_that_it_lets_in() {
    agree(Subject::Products, false);
}

#[test]
fn users_of_a_rule_are_the_same_by_columns() {
    agree(Subject::Users, true);
}

#[test]
fn products_of_a_rule_are_the_same_by_columns() {
    agree(Subject::Products, true);
}

/// Sets laid over each other count each member once, in exactly the sets that it is in.
#[test]
fn overlaps_are_those_of_the_sets() {
    let runtime = runtime();
    runtime.block_on(async {
        let world = World::rich(seed() + 1, SHAPE).await;
        let facts = world.facts(0).await;
        let publisher = world.publishers[0].id;
        let country = |code: &str| {
            let op = actiongraph::domain::filter::Op::Eq(code.into());
            Rule::Users(Filter::Test(Condition::ClickCountry(op)))
        };
        let often = Rule::Users(Filter::Test(Condition::Own(Filter::Test(
            UserTest::Segment(InSegments {
                inside: true,
                segments: vec![Uuid::from_u128(NAMED).into()],
            }),
        ))));
        let now = at("2026-07-01T00:00:00Z");
        let twice = Rule::Users(Filter::Test(Condition::Threshold(Threshold {
            measure: Measure {
                metric: Metric::Actions,
                currency: None,
                period: None,
                actions: Filter::default(),
                items: None,
            },
            at_least: Some(2),
            at_most: None,
        })));
        let rules = [country(COUNTRIES[0]), often, country(COUNTRIES[1]), twice];
        let sets: Vec<_> = rules
            .iter()
            .map(|rule| placed(rule, publisher, now, Zone::UTC))
            .collect();
        let members: Vec<_> = sets
            .iter()
            .map(|set| naive_segment::members(&facts, set))
            .collect();
        let laid_over = |members: &[&BTreeSet<Uuid>]| {
            let mut expected = BTreeMap::new();
            for id in facts.users.keys() {
                let bits = members.iter().enumerate();
                let bits = bits.filter(|(_, set)| set.contains(id));
                let mask: i64 = bits.map(|(place, _)| 1 << place).sum();
                if mask != 0 {
                    *expected.entry(mask).or_insert(0_i64) += 1;
                }
            }
            assert!(expected.len() > 2, "{expected:?}");
            expected
        };
        let expected = laid_over(&members.iter().collect::<Vec<_>>());
        assert_eq!(overlaps(&world.tx(), &sets).await.unwrap(), expected);

        // The same where columns tell the members, of all of them or of some.
        let world = world.in_columns().await;
        let tx = world.tx();
        let mut with_members = Vec::new();
        for set in &sets {
            with_members.push(looked_up(&world, set).await);
        }
        let told = with_members.iter().map(|set| set.members.is_some());
        let told: Vec<bool> = told.collect();
        assert_eq!(told, [true, false, true, true], "one names a segment alone");
        assert_eq!(overlaps(&tx, &with_members).await.unwrap(), expected);
        let known = [0, 2, 3];
        let expected = laid_over(&known.map(|place| &members[place]));
        let sets_known = known.map(|place| Arc::clone(&with_members[place]));
        let before = tx.statements();
        assert_eq!(overlaps(&tx, &sets_known).await.unwrap(), expected);
        assert_eq!(tx.statements(), before);
        let numbers = sizes(&world.tx(), &sets).await.unwrap();
        let lengths: Vec<i64> = members
            .iter()
            .map(|set| i64::try_from(set.len()).unwrap())
            .collect();
        assert_eq!(numbers, lengths);
    });
}
