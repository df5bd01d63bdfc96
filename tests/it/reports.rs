//! Reports equal a plain count over all facts, to the cent: any dimensions, metrics, stretches of time, zones, filters,
//! orders, comparisons, conversions and pages.

use crate::support::check::{check, seed};
use crate::support::clicks;
use crate::support::drafts::{Shape, TEXTS, USERS, ZONES, at, currency, instant};
use crate::support::naive_report::{Answer, CLICKS, Naive, Name, WHOLE};
use crate::support::naive_segment;
use crate::support::queries::{self, Pools};
use crate::support::report_requests::{first, report_of};
use crate::support::world::{Facts, Reads, World, runtime};
use actiongraph::analytics::report;
use actiongraph::domain::error::Code;
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::id::PublisherId;
use actiongraph::domain::limits::Narrowing;
use actiongraph::domain::page::{Direction, PageRequest};
use actiongraph::domain::report::metric::{Metric, Unit, Values};
use actiongraph::domain::report::plan::{Part, Source};
use actiongraph::domain::report::rates::Rate;
use actiongraph::domain::report::{
    Bucket, Comparison, Dimension, Having, MAX_BUCKETS, OrderKey, Report, ReportLimits,
    ReportOrder, ReportRequest, Wanted,
};
use actiongraph::domain::rule::Subject;
use actiongraph::domain::sales::{AxisRange, DateAxis};
use actiongraph::domain::time::{Day, Preset, Range, Span, Unit as TimeUnit, WeekStart, Zone};
use actiongraph::store::rates;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// Data in which orders move and states have equal stamps.
const WILD: Shape = Shape {
    drafts: 260,
    actions: 220,
    wild: true,
};
/// More data, less wild, so that groups are larger.
const TAME: Shape = Shape {
    drafts: 500,
    actions: 420,
    wild: false,
};

/// Rates with gaps: one pair from the middle of the data on, one only the other way round, one not at all.
fn all_rates() -> Vec<Rate> {
    let day = |text: &str| i32::try_from(at(text).micros() / 86_400_000_000).unwrap();
    let rate = |from: &str, to: &str, on: &str, rate_e9| Rate {
        from: currency(from),
        to: currency(to),
        day: day(on),
        rate_e9,
    };
    vec![
        rate("RUB", "USD", "2025-01-01T00:00:00Z", 12_345_679),
        rate("RUB", "USD", "2026-03-01T00:00:00Z", 12_987_654),
        rate("RUB", "USD", "2026-04-05T00:00:00Z", 11_000_001),
        rate("USD", "EUR", "2026-03-10T00:00:00Z", 913_000_000),
        rate("EUR", "USD", "2026-04-01T00:00:00Z", 1_087_654_321),
        rate("USD", "EUR", "2026-04-04T00:00:00Z", 919_999_999),
    ]
}

fn setting(seed: u64, shape: Shape, reads: Reads) -> (Runtime, World, Facts, Pools) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed, shape).await;
        rates::save(&world.store, &all_rates()).await.unwrap();
        clicks::spread(&world, 0, seed).await;
        clicks::spread(&world, 1, seed + 1).await;
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

/// A range with the axis of orders more often than any other, and short where stretches of time are.
fn ranges(bucket: Option<Bucket>) -> BoxedStrategy<AxisRange> {
    let wide = match bucket {
        Some(Bucket::Day | Bucket::Week) => queries::wide_range(),
        _ => prop_oneof![6 => queries::wide_range(), 1 => queries::range()].boxed(),
    };
    let axis = prop_oneof![
        4 => Just(DateAxis::Ordered),
        1 => select(DateAxis::ALL.to_vec()),
    ];
    let zone = select(ZONES.to_vec()).prop_map(|name| Zone::parse(name).unwrap());
    let start = at("2026-02-01T00:00:00Z").micros();
    let longest = if bucket == Some(Bucket::QuarterHour) {
        200_000i64
    } else {
        800_000
    };
    let lasting = move |(from, length, zone): (i64, i64, Zone)| {
        let from = start + from * 1_000_000;
        AxisRange {
            axis: DateAxis::Ordered,
            span: Span {
                from: instant(from),
                to: instant(from + length * 1_000_000),
            },
            zone,
        }
    };
    let short = (0i64..10_000_000, 1i64..longest, zone.clone()).prop_map(lasting);
    let empty = (0i64..10_000_000, Just(0i64), zone).prop_map(lasting);
    let range = match bucket {
        Some(Bucket::QuarterHour | Bucket::Hour) => prop_oneof![14 => short, 1 => empty].boxed(),
        _ => prop_oneof![11 => wide, 3 => short, 1 => empty].boxed(),
    };
    (range, axis)
        .prop_map(|(range, axis)| AxisRange { axis, ..range })
        .boxed()
}

/// Filters: none, ones that totals can test, or any.
fn filters(pools: &Pools) -> BoxedStrategy<Filter<ActionTest>> {
    let text = |field, values: &'static [&'static str]| {
        let values = subsequence(values.to_vec(), 0..values.len());
        (values, 0usize..4).prop_map(move |(values, kind)| {
            let list: Vec<Value> = values.iter().map(|value| Value::from(*value)).collect();
            let op = match kind {
                0 => Op::In(list),
                1 => Op::NotIn(list),
                2 => list.first().cloned().map_or(Op::IsNull(true), Op::Ne),
                _ => Op::IsNull(values.len() % 2 == 0),
            };
            Filter::Test(ActionTest::Field(field, op))
        })
    };
    let held = prop_oneof![
        text(
            ActionField::Status,
            &["PENDING", "APPROVED", "DECLINED", "UNKNOWN"]
        ),
        text(ActionField::Currency, &["USD", "RUB", "EUR"]),
        text(ActionField::Country, &["RU", "KZ", "US", "DE"]),
        text(ActionField::Device, &["a", "A", "ab", "100%"]),
        text(ActionField::ActionType, &["SALE", "LEAD"]),
        queries::program_filter(pools, 1).prop_map(|f| Filter::Test(ActionTest::Program(f))),
        queries::ad_space_filter(pools, 1).prop_map(|f| Filter::Test(ActionTest::AdSpace(f))),
    ];
    let held = (held.clone(), held, 0usize..4).prop_map(|(one, other, kind)| match kind {
        0 => one,
        1 => Filter::All(vec![one, other]),
        2 => Filter::Any(vec![one, other]),
        _ => Filter::Not(Box::new(one)),
    });
    prop_oneof![
        5 => Just(Filter::default()),
        4 => held,
        2 => queries::action_filter(pools),
    ]
    .boxed()
}

const SUBIDS: [ActionField; 5] = [
    ActionField::Subid0,
    ActionField::Subid1,
    ActionField::Subid2,
    ActionField::Subid3,
    ActionField::Subid4,
];

/// Filters that counts of clicks can test, of a SubID at most one.
fn filters_of_clicks(pools: &Pools, slot: Option<usize>) -> BoxedStrategy<Filter<ActionTest>> {
    let subid = select(USERS.iter().chain(TEXTS).copied().collect::<Vec<&str>>());
    let subid = (subid, 0usize..4).prop_map(move |(text, kind)| {
        let Some(slot) = slot else {
            return Filter::default();
        };
        let op = match kind {
            0 => Op::Eq(Value::from(text)),
            1 => Op::Ne(Value::from(text)),
            2 => Op::Contains(text.to_owned()),
            _ => Op::IsNull(text.len() % 2 == 0),
        };
        Filter::Test(ActionTest::Field(SUBIDS[slot], op))
    });
    let one = prop_oneof![
        2 => subid,
        1 => queries::program_filter(pools, 1).prop_map(|f| Filter::Test(ActionTest::Program(f))),
        1 => queries::ad_space_filter(pools, 1).prop_map(|f| Filter::Test(ActionTest::AdSpace(f))),
    ];
    let held = (one.clone(), one, 0usize..4).prop_map(|(one, other, kind)| match kind {
        0 => one,
        1 => Filter::All(vec![one, other]),
        2 => Filter::Any(vec![one, other]),
        _ => Filter::Not(Box::new(one)),
    });
    prop_oneof![1 => Just(Filter::default()), 1 => held].boxed()
}

/// Ranges on the axes that clicks lie on.
fn ranges_of_clicks(bucket: Option<Bucket>) -> BoxedStrategy<AxisRange> {
    let axis = select(vec![
        DateAxis::Ordered,
        DateAxis::Ordered,
        DateAxis::Clicked,
    ]);
    (ranges(bucket), axis)
        .prop_map(|(range, axis)| AxisRange { axis, ..range })
        .boxed()
}

fn metric_order(metric: Metric) -> BoxedStrategy<OrderKey> {
    let code = select(vec!["USD", "RUB", "EUR"]);
    match metric.definition().unit {
        Unit::Money | Unit::RatioPerCurrency => code
            .prop_map(move |code| OrderKey::Metric(metric, Some(currency(code))))
            .boxed(),
        _ => Just(OrderKey::Metric(metric, None)).boxed(),
    }
}

fn dimensions() -> BoxedStrategy<Vec<Dimension>> {
    // Those that totals know come more often, and so do few at once.
    let known = vec![
        Dimension::Status,
        Dimension::Currency,
        Dimension::Program,
        Dimension::AdSpace,
        Dimension::Country,
        Dimension::Device,
        Dimension::ActionType,
    ];
    let items = select(vec![
        Dimension::Product,
        Dimension::Product,
        Dimension::CategoryLevel1,
        Dimension::CategoryLevel2,
        Dimension::CategoryOwn,
    ]);
    let with_items = (items, subsequence(known[..2].to_vec(), 0..=2)).prop_map(|(item, more)| {
        let mut all = vec![item];
        all.extend(more);
        all
    });
    let subid = select(vec![
        Dimension::Subid0,
        Dimension::Subid1,
        Dimension::Subid2,
        Dimension::Subid3,
        Dimension::Subid4,
    ]);
    let of_clicks = (
        subid,
        subsequence(vec![Dimension::Program, Dimension::AdSpace], 0..=2),
        0u8..3,
    );
    let of_clicks = of_clicks.prop_map(|(subid, mut all, kind)| {
        if kind == 0 {
            all.push(subid);
        }
        all
    });
    prop_oneof![
        1 => Just(Vec::new()),
        3 => of_clicks,
        3 => subsequence(known, 0..3).prop_shuffle(),
        4 => with_items,
        1 => subsequence(vec![Dimension::UserAge, Dimension::UserFrequency], 1..=2).prop_shuffle(),
        1 => subsequence(vec![Dimension::UserSegment, Dimension::ProductSegment, Dimension::Status], 1..=2),
        3 => subsequence(Dimension::ALL.to_vec(), 0..4).prop_shuffle(),
    ]
    .boxed()
}

fn weighted_flag(percent: u32) -> BoxedStrategy<bool> {
    (0..100u32).prop_map(move |dice| dice < percent).boxed()
}

/// The metrics of another part of a report than its rows: mostly some of all, whatever the rows have.
fn beside(metrics: &[Metric], percent: u32) -> BoxedStrategy<Vec<Metric>> {
    let some = subsequence(metrics.to_vec(), 0..metrics.len());
    (weighted_flag(percent), some)
        .prop_map(|(is_wanted, some)| if is_wanted { some } else { Vec::new() })
        .boxed()
}

/// A request with the segments that its dimensions take. Their groups overlap, so nothing is summed up over them.
fn with_segments(mut request: ReportRequest) -> ReportRequest {
    let subjects: Vec<Subject> = request
        .dimensions
        .iter()
        .filter_map(|by| by.segments_of())
        .collect();
    request.segments = naive_segment::some_sets(PublisherId(1));
    request
        .segments
        .retain(|set| subjects.contains(&set.subject));
    if !subjects.is_empty() {
        request.wanted.others.clear();
        request.wanted.running = false;
    }
    request
}

/// Requests, some of which ask for no more than the largest groups.
fn requests(pools: &Pools) -> BoxedStrategy<ReportRequest> {
    let additive = select(vec![
        OrderKey::Metric(Metric::Actions, None),
        OrderKey::Metric(Metric::DeclinedActions, None),
        OrderKey::Metric(Metric::Units, None),
        OrderKey::Metric(Metric::OrderAmount, Some(currency("RUB"))),
        OrderKey::Metric(Metric::PendingReward, Some(currency("USD"))),
    ]);
    (any_requests(pools), weighted(0.2, additive), 1u32..5)
        .prop_map(|(request, top, size)| {
            let request = with_segments(request);
            let Some(key) = top else { return request };
            ReportRequest {
                bucket: None,
                metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
                wanted: Wanted {
                    groups: false,
                    running: false,
                    ..request.wanted
                },
                having: Vec::new(),
                order: vec![ReportOrder {
                    key,
                    direction: Direction::Desc,
                }],
                page: first(size),
                currency: None,
                compare: None,
                ..request
            }
        })
        .boxed()
}

#[expect(
    clippy::too_many_lines,
    reason = "one choice after the other, of all that a report can be asked"
)]
fn any_requests(pools: &Pools) -> BoxedStrategy<ReportRequest> {
    let bucket = weighted(0.55, select(Bucket::ALL.to_vec()));
    let week_start = select(vec![
        WeekStart::Monday,
        WeekStart::Wednesday,
        WeekStart::Saturday,
        WeekStart::Sunday,
    ]);
    let pools = pools.clone();
    (dimensions(), bucket, 0u8..4, 0usize..SUBIDS.len())
        .prop_flat_map(move |(dimensions, bucket, kind, slot)| {
            let over_items = dimensions.iter().any(|by| by.is_of_items());
            // Clicks where they can be asked for, of all SubIDs or one.
            let slots: Vec<u8> = dimensions.iter().filter_map(|by| by.subid_slot()).collect();
            let of_clicks = kind < 3
                && slots.len() < 2
                && bucket.is_none_or(|bucket| bucket >= Bucket::Day)
                && dimensions.iter().all(|by| {
                    by.subid_slot().is_some()
                        || [Dimension::Program, Dimension::AdSpace].contains(by)
                });
            let slot = match slots.first() {
                Some(slot) => Some(usize::from(*slot)),
                None => Some(slot).filter(|_| kind == 0),
            };
            let metrics: Vec<Metric> = Metric::ALL
                .iter()
                .copied()
                .filter(|metric| !over_items || !WHOLE.contains(metric))
                .filter(|metric| of_clicks || !CLICKS.contains(metric))
                .filter(|metric| slot.is_none() || !metric.definition().of_views())
                .collect();
            let (range, filter) = if of_clicks {
                (ranges_of_clicks(bucket), filters_of_clicks(&pools, slot))
            } else {
                (ranges(bucket), filters(&pools))
            };
            let mut keys: Vec<BoxedStrategy<OrderKey>> =
                metrics.iter().map(|metric| metric_order(*metric)).collect();
            keys.extend(
                dimensions
                    .iter()
                    .map(|by| Just(OrderKey::Dimension(*by)).boxed()),
            );
            keys.extend(bucket.map(|_| Just(OrderKey::Time).boxed()));
            let order = select(keys).prop_flat_map(|key| key).prop_flat_map(|key| {
                select(vec![Direction::Asc, Direction::Desc])
                    .prop_map(move |direction| ReportOrder { key, direction })
            });
            let having = select(metrics.clone())
                .prop_flat_map(metric_order)
                .prop_flat_map(|key| {
                    let bound = || weighted(0.6, prop_oneof![0i64..6, -20_000i64..2_000_000]);
                    (bound(), bound()).prop_map(move |(at_least, at_most)| {
                        let OrderKey::Metric(metric, currency) = key else {
                            panic!("a metric")
                        };
                        Having {
                            metric,
                            currency,
                            at_least,
                            at_most,
                        }
                    })
                });
            (
                (Just(dimensions), Just(bucket), range, filter),
                (
                    subsequence(metrics.clone(), 0..metrics.len()),
                    beside(&metrics, 50),
                    beside(&metrics, 80),
                    beside(&metrics, 60),
                    beside(&metrics, 40),
                ),
                (
                    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(having, 1..3)],
                    prop_oneof![
                        1 => Just(Vec::new()),
                        2 => prop::collection::vec(order.clone(), 1),
                        1 => prop::collection::vec(order, 2..4),
                    ],
                ),
                (
                    weighted(0.3, select(vec!["USD", "EUR", "RUB", "BRL"])),
                    weighted(0.3, select(Comparison::ALL.to_vec())),
                    weighted_flag(20),
                    weighted_flag(40),
                ),
            )
        })
        .prop_flat_map(|parts| {
            let page = (1u32..40, any::<bool>());
            let ahead = (0i64..90, 1i64..100);
            let wanted = (weighted_flag(50), weighted_flag(40));
            (Just(parts), ahead, page, wanted)
        })
        .prop_flat_map(move |parts| (Just(parts), week_start.clone()))
        .prop_map(
            |(
                (
                    (
                        (dimensions, bucket, range, filter),
                        (metrics, compared, totals, others, compared_totals),
                        (having, order),
                        (code, compare, fill_gaps, vanished),
                    ),
                    (ahead, length),
                    (size, forward),
                    (groups, running),
                ),
                week_start,
            )| {
                let from = range.span.from.micros();
                let previous = match bucket {
                    Some(Bucket::QuarterHour | Bucket::Hour) => {
                        Span::of_micros(from - range.span.micros(), from)
                    }
                    _ if length % 3 == 0 => Span::of_micros(from - range.span.micros(), from),
                    _ => {
                        let from = from - ahead * 86_400_000_000;
                        Span::of_micros(from, from + length * 86_400_000_000)
                    }
                };
                ReportRequest {
                    previous,
                    filter,
                    dimensions,
                    bucket,
                    week_start,
                    metrics,
                    wanted: Wanted {
                        groups,
                        compared,
                        totals,
                        compared_totals,
                        others,
                        running,
                        explain: false,
                    },
                    having,
                    order,
                    page: PageRequest {
                        forward,
                        ..first(size)
                    },
                    currency: code.map(currency),
                    compare,
                    vanished,
                    fill_gaps,
                    ..report_of(range)
                }
            },
        )
        .boxed()
}

/// Walks the pages of a report.
fn walk(
    runtime: &Runtime,
    world: &World,
    request: &ReportRequest,
    steps: usize,
) -> Result<Vec<Report>, actiongraph::domain::error::Error> {
    let mut request = request.clone();
    let mut reports = Vec::new();
    loop {
        let report = runtime.block_on(async {
            report::run(
                &world.tx(),
                world.read(0),
                &request,
                ReportLimits::default(),
            )
            .await
        })?;
        let (more, last) = if request.page.forward {
            (report.page.has_next, report.page.rows.last())
        } else {
            (report.page.has_previous, report.page.rows.first())
        };
        let cursor = last.map(|(_, cursor)| cursor.clone());
        if request.page.forward {
            request.page.after = cursor;
        } else {
            request.page.before = cursor;
        }
        reports.push(report);
        if !more || reports.len() == steps {
            return Ok(reports);
        }
    }
}

fn compare(
    request: &ReportRequest,
    naive: &Naive<'_>,
    expected: &Answer,
    reports: &[Report],
) -> Result<(), TestCaseError> {
    let mut start = 0;
    for report in reports {
        prop_assert_eq!(
            report.lacking_clicks.is_some(),
            naive.is_short_of_clicks(),
            "{:?}",
            report.lacking_clicks
        );
        let rows = &report.page.rows;
        let count = expected.rows.len();
        let groups = request.wanted.groups.then(|| i64::try_from(count).unwrap());
        prop_assert_eq!(report.groups, groups, "groups");
        let end = (start + rows.len()).min(count);
        let here = if request.page.forward {
            &expected.rows[start..end]
        } else {
            &expected.rows[count - end..count - start]
        };
        start = end;
        let more = if request.page.forward {
            report.page.has_next
        } else {
            report.page.has_previous
        };
        prop_assert_eq!(more, end < count, "more than {} of {}", end, count);
        prop_assert!(!rows.is_empty() || count == 0);
        let mut names: Vec<Name> = Vec::new();
        for ((row, _), expected) in rows.iter().zip(here) {
            let time = row.time.map(|span| (span.from.micros(), span.to.micros()));
            prop_assert_eq!(time, expected.time);
            prop_assert_eq!(&row.key, &expected.key);
            prop_assert_eq!(
                &row.values,
                &expected.values,
                "of {:?} {:?}",
                row.key,
                row.time
            );
            prop_assert_eq!(
                &row.compared,
                &expected.compared,
                "of {:?} {:?}",
                row.key,
                row.time
            );
            prop_assert_eq!(&row.running, &expected.running, "up to {:?}", row.key);
            names.push((time, row.key.clone()));
        }
        prop_assert_eq!(&report.totals, &expected.totals, "totals");
        prop_assert_eq!(
            &report.compared_totals,
            &expected.compared_totals,
            "totals of the period compared with"
        );
        compare_rows_read(request, naive, report)?;
        if request.wanted.others.is_empty() {
            prop_assert_eq!(&report.others, &Values::default(), "others");
        } else {
            prop_assert_eq!(&report.others, &naive.others(&names), "others");
        }
    }
    Ok(())
}

/// Nothing is read only where there is nothing; of facts alone each is read once for each question that it belongs to.
fn compare_rows_read(
    request: &ReportRequest,
    naive: &Naive<'_>,
    report: &Report,
) -> Result<(), TestCaseError> {
    let read = report.reading.rows_read;
    if read == 0 {
        prop_assert!(naive.has_nothing(), "nothing was read");
    }
    if let Some(facts) = facts_read(request, naive) {
        prop_assert_eq!(read, facts, "rows read");
    }
    Ok(())
}

/// How many facts a report reads that reads nothing else.
fn facts_read(request: &ReportRequest, naive: &Naive<'_>) -> Option<i64> {
    let plan = report::plan(request, Narrowing::default(), ReportLimits::default()).unwrap();
    let is_of_facts = |part: &Part| matches!(part, Part::Facts(_));
    let of_facts = plan
        .asks()
        .all(|ask| ask.reads_facts() && ask.parts.iter().all(is_of_facts));
    let facts = plan
        .asks()
        .map(|ask| naive.facts_read(&ask.range, &ask.dimensions, &ask.what));
    of_facts.then(|| facts.sum())
}

/// How many reports with groups were read from each source, divided by time or not: a test that asks nothing finds nothing.
fn note(
    seen: &RefCell<BTreeMap<String, u32>>,
    request: &ReportRequest,
    naive: &Naive<'_>,
    report: &Report,
) {
    let also = [
        ("empty range", request.range.span.is_empty()),
        ("no rows", report.page.rows.is_empty()),
        (
            "facts alone",
            facts_read(request, naive).is_some_and(|read| read > 0),
        ),
        (
            "users by age and time",
            request.dimensions.contains(&Dimension::UserAge) && request.bucket.is_some(),
        ),
        (
            "totals compared",
            report
                .compared_totals
                .as_ref()
                .is_some_and(|totals| *totals != Values::default()),
        ),
        ("vanished", request.vanished && request.compare.is_some()),
    ];
    for (way, _) in also.into_iter().filter(|(_, is_met)| *is_met) {
        *seen.borrow_mut().entry(way.to_owned()).or_default() += 1;
    }
    if report.page.rows.is_empty() {
        return;
    }
    let divided = if request.bucket.is_some() {
        " by time"
    } else {
        ""
    };
    let plan = report::plan(request, Narrowing::default(), ReportLimits::default()).unwrap();
    let ways = plan.current.groups.iter().flat_map(|ask| {
        let top = ask.top.map(|_| format!("top of {}", ask.source.name()));
        let users = ask.per_user.as_ref().map(|_| "by user".to_owned());
        top.into_iter().chain(users)
    });
    for way in ways {
        *seen.borrow_mut().entry(way).or_default() += 1;
    }
    if plan
        .asks()
        .any(|ask| matches!(ask.source, Source::Clicks(_)))
    {
        let way = match report.lacking_clicks {
            Some(_) => "some clicks not known",
            None => "all clicks known",
        };
        *seen.borrow_mut().entry(way.to_owned()).or_default() += 1;
    }
    for source in &report.reading.sources {
        *seen
            .borrow_mut()
            .entry(format!("{source}{divided}"))
            .or_default() += 1;
    }
}

#[test]
fn reports_are_what_a_plain_count_gives() {
    compare_with_plain_counts(seed() + 11, WILD, 1_200, Reads::Database);
}

#[test]
fn reports_of_larger_groups_are_what_a_plain_count_gives() {
    compare_with_plain_counts(seed() + 13, TAME, 800, Reads::Database);
}

#[test]
fn reports_of_columns_are_what_a_plain_count_gives() {
    compare_with_plain_counts(seed() + 17, TAME, 650, Reads::Columns);
}

/// What must have been met.
const WAYS: [&str; 11] = [
    "by user",
    "top of facts",
    "top of totals_product",
    "some clicks not known",
    "all clicks known",
    "empty range",
    "no rows",
    "facts alone",
    "users by age and time",
    "totals compared",
    "vanished",
];

fn compare_with_plain_counts(seed: u64, shape: Shape, cases: u32, reads: Reads) {
    let (runtime, world, facts, pools) = setting(seed, shape, reads);
    let rates = all_rates();
    let seen = RefCell::new(BTreeMap::new());
    let (asked, refused) = (Cell::new(0u32), Cell::new(0u32));
    check(cases, &requests(&pools), |request| {
        asked.set(asked.get() + 1);
        let found = walk(&runtime, &world, &request, 3);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                prop_assert_eq!(error.code(), Code::LimitExceeded, "{:?}", error);
                prop_assert!(
                    error.message().contains(&MAX_BUCKETS.to_string())
                        || error.message().contains("200000"),
                    "{}",
                    error.message()
                );
                refused.set(refused.get() + 1);
                return Ok(());
            }
        };
        let naive = Naive {
            facts: &facts,
            rates: &rates,
            request: &request,
        };
        let expected = naive.answer();
        compare(&request, &naive, &expected, &found)?;
        note(&seen, &request, &naive, &found[0]);
        if request.currency.is_some() {
            let missing = found[0].missing_rates.iter();
            let missing: Vec<_> = missing.map(|rate| (rate.from, rate.day)).collect();
            prop_assert_eq!(missing, expected.missing.into_iter().collect::<Vec<_>>());
        }
        Ok(())
    });
    // A report that is refused is compared with nothing.
    let (asked, refused) = (asked.get(), refused.get());
    assert!(refused * 20 <= asked, "{refused} of {asked} were refused");
    let seen = seen.into_inner();
    for way in WAYS {
        assert!(
            seen.get(way).is_some_and(|count| *count > 2),
            "{way}: {seen:?}"
        );
    }
    let mut sources = vec![
        "totals_time",
        "totals_channel",
        "totals_audience",
        "totals_category",
        "click_stats",
        "facts",
    ];
    sources.push(match reads {
        Reads::Database => "totals_product",
        Reads::Columns => "columns",
    });
    for source in sources {
        for divided in ["", " by time"] {
            let name = format!("{source}{divided}");
            assert!(
                seen.get(&name).is_some_and(|count| *count > 3),
                "{name}: {seen:?}"
            );
        }
    }
}

/// A request for some numbers of a range, divided by time.
fn divided(
    range: Range,
    (now, zone): (&str, &str),
    bucket: Bucket,
    dimensions: Vec<Dimension>,
) -> ReportRequest {
    let (now, zone) = (at(now), Zone::parse(zone).unwrap());
    let period = range.resolve(now, zone, WeekStart::Monday).unwrap();
    let range = AxisRange {
        axis: DateAxis::Ordered,
        span: period.current,
        zone,
    };
    ReportRequest {
        previous: period.previous,
        dimensions,
        bucket: Some(bucket),
        metrics: vec![Metric::Actions, Metric::Units],
        page: first(10_000),
        now,
        ..report_of(range)
    }
}

fn days(from: &str, to: &str) -> Range {
    Range::Days {
        from: Day::parse(from).unwrap(),
        to: Day::parse(to).unwrap(),
    }
}

fn last(count: u32, unit: TimeUnit, whole_units: bool) -> Range {
    Range::Last {
        count,
        unit,
        whole_units,
    }
}

/// Ranges of all kinds, each divided so that the stretches of both periods lie differently in the calendar.
#[expect(clippy::too_many_lines, reason = "a list")]
fn comparisons() -> Vec<(Range, &'static str, &'static str, Bucket, Comparison)> {
    use Comparison::{PreviousPeriod, YearBefore};
    let (may, june) = ("2026-05-31T10:00:00Z", "2026-06-15T00:00:00Z");
    let between = Range::Between {
        from: at("2026-03-20T23:00:00Z"),
        to: at("2026-04-10T22:00:00Z"),
    };
    vec![
        (
            days("2026-03-01", "2026-03-31"),
            june,
            "UTC",
            Bucket::Month,
            PreviousPeriod,
        ),
        (
            days("2026-04-01", "2026-05-31"),
            june,
            "Europe/Berlin",
            Bucket::Week,
            PreviousPeriod,
        ),
        (
            days("2026-04-05", "2026-04-30"),
            june,
            "Australia/Lord_Howe",
            Bucket::Hour,
            PreviousPeriod,
        ),
        (
            last(2, TimeUnit::Month, true),
            june,
            "America/New_York",
            Bucket::Month,
            PreviousPeriod,
        ),
        (
            last(2, TimeUnit::Month, true),
            june,
            "America/New_York",
            Bucket::Day,
            PreviousPeriod,
        ),
        (
            last(1, TimeUnit::Month, false),
            may,
            "Asia/Kolkata",
            Bucket::Day,
            PreviousPeriod,
        ),
        (
            last(90, TimeUnit::Hour, false),
            "2026-03-31T00:00:00Z",
            "Europe/Berlin",
            Bucket::Hour,
            PreviousPeriod,
        ),
        (
            Range::Preset(Preset::ThisMonth),
            may,
            "UTC",
            Bucket::Week,
            PreviousPeriod,
        ),
        (
            Range::Preset(Preset::ThisQuarter),
            may,
            "America/Santiago",
            Bucket::Month,
            PreviousPeriod,
        ),
        (between, june, "Europe/Berlin", Bucket::Day, PreviousPeriod),
        (
            days("2027-01-04", "2027-06-27"),
            june,
            "UTC",
            Bucket::Week,
            YearBefore,
        ),
        (
            days("2027-03-03", "2027-05-31"),
            june,
            "America/St_Johns",
            Bucket::Month,
            YearBefore,
        ),
    ]
}

/// A stretch of time is compared with its counterpart, whatever the calendar: nothing of the earlier period is lost, and
/// nothing is counted twice.
#[test]
fn stretches_are_compared_with_their_counterparts() {
    let (runtime, world, facts, _) = setting(seed() + 19, TAME, Reads::Database);
    let mut counted = 0;
    for (range, now, zone, bucket, comparison) in comparisons() {
        for dimensions in [Vec::new(), vec![Dimension::CategoryLevel1]] {
            let alone = dimensions.is_empty();
            let mut request = divided(range, (now, zone), bucket, dimensions);
            request.metrics = vec![Metric::Actions, Metric::Users, Metric::Reward];
            request.compare = Some(comparison);
            request.wanted.compared.clone_from(&request.metrics);
            request.fill_gaps = true;
            let found = walk(&runtime, &world, &request, 1).unwrap();
            let naive = Naive {
                facts: &facts,
                rates: &[],
                request: &request,
            };
            compare(&request, &naive, &naive.answer(), &found).unwrap();
            if alone {
                let rows = found[0].page.rows.iter();
                let compared = rows.filter_map(|(row, _)| row.compared.as_ref());
                let actions = compared.filter_map(|values| values.order(Metric::Actions, None));
                let sum: i64 = actions.sum();
                let all = naive.actions_compared_with();
                assert_eq!(sum, i64::try_from(all).unwrap(), "{range:?}");
                counted += sum;
            }
        }
    }
    assert!(counted > 300, "{counted}");
}

#[test]
fn a_report_that_would_read_too_many_facts_is_refused_with_a_remedy() {
    let (runtime, world, facts, _) = setting(seed() + 23, TAME, Reads::Database);
    let run = |request: &ReportRequest, most: i64| {
        let limits = ReportLimits {
            facts: most,
            ..ReportLimits::default()
        };
        runtime.block_on(async { report::run(&world.tx(), world.read(0), request, limits).await })
    };
    let all = i64::try_from(facts.actions.len()).unwrap();
    let spring = || days("2026-03-01", "2026-05-30");
    let now = "2026-07-01T00:00:00Z";
    let by = |zone, dimension| divided(spring(), (now, zone), Bucket::Day, vec![dimension]);
    let subids = by("UTC", Dimension::Subid0);
    let local = by("Asia/Kolkata", Dimension::CategoryLevel1);
    let aligned = by("UTC", Dimension::CategoryLevel1);
    // What expectations rest on is longer than the range, which is a day here.
    let mut expected = divided(
        days("2026-05-01", "2026-05-01"),
        (now, "UTC"),
        Bucket::Day,
        Vec::new(),
    );
    expected.range.axis = DateAxis::Closed;
    expected.metrics = vec![Metric::ExpectedReward];
    for (request, words) in [
        (&subids, ["SUBID0", "shorter range"]),
        (&local, ["totals_category", "timeZone: \"UTC\""]),
        (&expected, ["CLOSED", "leave out expectedReward"]),
    ] {
        let error = run(request, 2).unwrap_err();
        assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
        for word in words.into_iter().chain(["more than 2 actions"]) {
            assert!(
                error.message().contains(word),
                "{word}: {}",
                error.message()
            );
        }
        run(request, all).unwrap();
    }
    assert_eq!(
        run(&aligned, 2).unwrap().reading.sources,
        ["totals_category"]
    );
    let found = run(&local, all).unwrap();
    assert_eq!(found.reading.sources, ["totals_category", "facts"]);
}

/// What a caller may have are groups: whatever zone they are of, and whatever they are read from.
#[test]
fn a_report_of_too_many_groups_is_refused_whatever_they_are_read_in() {
    for reads in [Reads::Database, Reads::Columns] {
        let (runtime, world, _, _) = setting(seed() + 29, TAME, reads);
        let run = |request: &ReportRequest, rows: usize| {
            let limits = ReportLimits {
                rows,
                ..ReportLimits::default()
            };
            runtime
                .block_on(async { report::run(&world.tx(), world.read(0), request, limits).await })
        };
        let spring = || days("2026-03-01", "2026-05-30");
        let mut read = Vec::new();
        for zone in ["UTC", "Asia/Kolkata"] {
            for (bucket, dimension) in [
                (Bucket::Day, Dimension::AdSpace),
                (Bucket::Week, Dimension::Status),
                (Bucket::Day, Dimension::CategoryLevel2),
                (Bucket::Day, Dimension::UserAge),
            ] {
                let now = ("2026-07-01T00:00:00Z", zone);
                let mut request = divided(spring(), now, bucket, vec![dimension]);
                request.dimensions.push(Dimension::Currency);
                request.wanted.groups = true;
                let all = run(&request, 200_000).unwrap();
                // Groups are counted per currency, which each of these has one of.
                let groups = usize::try_from(all.groups.unwrap()).unwrap();
                assert!(groups > 20, "{groups}");
                let enough = run(&request, groups).unwrap();
                assert_eq!(enough.page, all.page, "{zone} {dimension:?}");
                assert_eq!(enough.totals, all.totals);
                for few in [groups - 1, groups / 3, 1] {
                    let error = run(&request, few).unwrap_err();
                    assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
                    let words = format!("more than {few} groups");
                    assert!(error.message().contains(&words), "{}", error.message());
                }
                read.extend(all.reading.sources);
            }
            // As many groups as there are keys and stretches of time, with those that have no action.
            let now = ("2026-07-01T00:00:00Z", zone);
            let mut request = divided(spring(), now, Bucket::Day, vec![Dimension::Status]);
            request.fill_gaps = true;
            let error = run(&request, 100).unwrap_err();
            assert!(
                error.message().contains("100 groups"),
                "{}",
                error.message()
            );
        }
        for source in ["totals_channel", "totals_time", "totals_category", "facts"] {
            // Columns answer what the facts would.
            let source = match (source, reads) {
                ("facts", Reads::Columns) => "columns",
                (source, _) => source,
            };
            assert!(read.contains(&source), "{source}: {read:?}");
        }
    }
}
