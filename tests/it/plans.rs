//! Golden plans: request to plan to SQL for each database, as files in `tests/golden/plans`. No database is asked.
//!
//! `UPDATE_GOLDEN=1` writes them. Citus runs PostgreSQL's statements; what is checked beyond is that each table in them
//! is cut by the publisher.

use crate::support::drafts::currency;
use crate::support::naive_segment;
use crate::support::report_requests::{first, orders, report_of};
use crate::support::statement::tables;
use actiongraph::analytics::report;
use actiongraph::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, Filter, Op, Value,
};
use actiongraph::domain::id::PublisherId;
use actiongraph::domain::limits::{Limits, Narrowing};
use actiongraph::domain::page::Direction;
use actiongraph::domain::report::metric::Metric;
use actiongraph::domain::report::plan::Plan;
use actiongraph::domain::report::{
    Bucket, Comparison, Dimension, Having, OrderKey, ReportLimits, ReportOrder, ReportRequest,
    Wanted,
};
use actiongraph::domain::sales::{AxisRange, DateAxis};
use actiongraph::domain::scope::WriteScope;
use actiongraph::store::report::{Dialect, statements};
use std::path::Path;

/// A request for the actions of a stretch of time.
fn request(from: &str, to: &str, zone: &str) -> ReportRequest {
    report_of(orders(from, to, zone))
}

fn most(metric: Metric, code: Option<&str>) -> Vec<ReportOrder> {
    vec![ReportOrder {
        key: OrderKey::Metric(metric, code.map(currency)),
        direction: Direction::Desc,
    }]
}

/// Requests by name, each of which shows another way to an answer.
#[expect(clippy::too_many_lines, reason = "a list")]
fn requests() -> Vec<(&'static str, ReportRequest)> {
    let quarter = || request("2026-04-02T00:00:00Z", "2026-07-01T00:00:00Z", "UTC");
    let test = |field, op| Filter::Test(ActionTest::Field(field, op));
    vec![
        (
            "categories-over-90-days",
            ReportRequest {
                dimensions: vec![Dimension::CategoryLevel1],
                metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
                order: most(Metric::Units, None),
                page: first(10),
                ..quarter()
            },
        ),
        (
            "categories-of-level-2-by-week",
            ReportRequest {
                dimensions: vec![Dimension::CategoryLevel2, Dimension::Status],
                bucket: Some(Bucket::Week),
                metrics: vec![Metric::Units, Metric::OrderAmount],
                ..request("2026-05-04T00:00:00Z", "2026-06-01T00:00:00Z", "UTC")
            },
        ),
        (
            "products-over-30-days",
            ReportRequest {
                dimensions: vec![Dimension::Product],
                metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
                order: most(Metric::Units, None),
                ..request("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "UTC")
            },
        ),
        (
            "categories-by-local-days",
            ReportRequest {
                dimensions: vec![Dimension::CategoryLevel1],
                bucket: Some(Bucket::Day),
                metrics: vec![Metric::Units],
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-15T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "products-by-local-days",
            ReportRequest {
                dimensions: vec![Dimension::Product],
                bucket: Some(Bucket::Day),
                metrics: vec![Metric::Units],
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-15T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "categories-over-90-local-days-compared",
            ReportRequest {
                dimensions: vec![Dimension::CategoryLevel1],
                metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
                wanted: Wanted {
                    compared: vec![Metric::Units],
                    ..Wanted::default()
                },
                order: most(Metric::Units, None),
                page: first(10),
                compare: Some(Comparison::PreviousPeriod),
                ..request(
                    "2026-04-01T18:30:00Z",
                    "2026-06-30T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "products-over-30-local-days-compared",
            ReportRequest {
                dimensions: vec![Dimension::Product],
                metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
                wanted: Wanted {
                    compared: vec![Metric::Units],
                    ..Wanted::default()
                },
                order: most(Metric::Units, None),
                compare: Some(Comparison::YearBefore),
                ..request(
                    "2026-05-31T18:30:00Z",
                    "2026-06-30T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "products-by-reward-with-totals",
            ReportRequest {
                dimensions: vec![Dimension::Product],
                metrics: vec![Metric::Reward],
                wanted: Wanted {
                    totals: vec![Metric::Reward],
                    others: vec![Metric::Reward],
                    ..Wanted::default()
                },
                order: most(Metric::Reward, Some("USD")),
                filter: test(ActionField::Status, Op::Ne(Value::from("DECLINED"))),
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-11T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "users-new-and-returning",
            ReportRequest {
                dimensions: vec![Dimension::UserAge],
                metrics: vec![Metric::Actions, Metric::Users, Metric::Reward],
                ..quarter()
            },
        ),
        (
            "users-by-age-and-frequency",
            ReportRequest {
                dimensions: vec![Dimension::UserAge, Dimension::UserFrequency],
                metrics: vec![Metric::Actions, Metric::Users, Metric::Reward],
                filter: test(ActionField::Status, Op::Ne(Value::from("DECLINED"))),
                ..quarter()
            },
        ),
        (
            "users-by-frequency-and-program",
            ReportRequest {
                dimensions: vec![Dimension::UserFrequency, Dimension::Program],
                metrics: vec![Metric::Users],
                ..quarter()
            },
        ),
        (
            "days-of-a-year-in-kolkata",
            ReportRequest {
                dimensions: vec![Dimension::Status],
                bucket: Some(Bucket::Day),
                metrics: vec![Metric::Reward],
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-07T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "days-in-utc",
            ReportRequest {
                dimensions: vec![Dimension::Status],
                bucket: Some(Bucket::Day),
                metrics: vec![Metric::Reward],
                ..request("2025-07-01T00:00:00Z", "2026-07-01T00:00:00Z", "UTC")
            },
        ),
        (
            "quarters-of-an-hour",
            ReportRequest {
                bucket: Some(Bucket::QuarterHour),
                ..request("2026-06-30T12:00:00Z", "2026-07-01T00:00:00Z", "UTC")
            },
        ),
        (
            "program-by-country",
            ReportRequest {
                dimensions: vec![Dimension::Program, Dimension::Country],
                metrics: vec![
                    Metric::Actions,
                    Metric::ApprovedReward,
                    Metric::ApprovalRate,
                ],
                compare: Some(Comparison::PreviousPeriod),
                wanted: Wanted {
                    compared: vec![Metric::ApprovedReward],
                    ..Wanted::default()
                },
                ..quarter()
            },
        ),
        (
            "rows-totals-and-others-of-different-metrics",
            ReportRequest {
                dimensions: vec![Dimension::Country],
                metrics: vec![Metric::Actions, Metric::ValidationLag],
                wanted: Wanted {
                    compared: vec![Metric::DeclinedActions],
                    totals: vec![Metric::Users, Metric::Reward],
                    // Users do not add up, so that nothing is left of them beside a page.
                    others: vec![Metric::Users, Metric::Units],
                    ..Wanted::default()
                },
                having: vec![Having {
                    metric: Metric::ApprovedActions,
                    currency: None,
                    at_least: Some(1),
                    at_most: None,
                }],
                order: most(Metric::OrderAmount, Some("USD")),
                compare: Some(Comparison::YearBefore),
                ..quarter()
            },
        ),
        (
            "totals-alone-converted",
            ReportRequest {
                dimensions: vec![Dimension::AdSpace],
                bucket: Some(Bucket::Week),
                wanted: Wanted {
                    totals: vec![Metric::Reward, Metric::ConversionLag],
                    ..Wanted::default()
                },
                currency: Some(currency("EUR")),
                ..request("2026-05-04T00:00:00Z", "2026-06-01T00:00:00Z", "UTC")
            },
        ),
        (
            "filtered-by-ad-space-and-country",
            ReportRequest {
                dimensions: vec![Dimension::AdSpace],
                filter: Filter::All(vec![
                    test(ActionField::Country, Op::IsNull(true)),
                    Filter::Test(ActionTest::AdSpace(Filter::Test(AdSpaceTest(
                        AdSpaceField::Name,
                        Op::Contains("Blog".to_owned()),
                    )))),
                ]),
                ..quarter()
            },
        ),
        (
            "months-in-new-york-converted",
            ReportRequest {
                bucket: Some(Bucket::Month),
                metrics: vec![Metric::OrderAmount, Metric::AverageOrderAmount],
                currency: Some(currency("EUR")),
                compare: Some(Comparison::YearBefore),
                wanted: Wanted {
                    compared: vec![Metric::OrderAmount],
                    ..Wanted::default()
                },
                ..request(
                    "2026-01-01T05:00:00Z",
                    "2026-07-01T04:00:00Z",
                    "America/New_York",
                )
            },
        ),
        (
            "medians-by-program",
            ReportRequest {
                dimensions: vec![Dimension::Program],
                metrics: vec![Metric::ConversionLag, Metric::ValidationLag],
                ..quarter()
            },
        ),
        (
            "clicks-by-program-and-ad-space",
            ReportRequest {
                dimensions: vec![Dimension::Program, Dimension::AdSpace],
                metrics: vec![Metric::Clicks, Metric::Ctr, Metric::Cr, Metric::Ecpc],
                filter: Filter::Test(ActionTest::AdSpace(Filter::Test(AdSpaceTest(
                    AdSpaceField::Name,
                    Op::Contains("Blog".to_owned()),
                )))),
                wanted: Wanted {
                    totals: vec![Metric::Clicks, Metric::Ctr, Metric::Cr, Metric::Ecpc],
                    others: vec![Metric::Clicks],
                    ..Wanted::default()
                },
                ..quarter()
            },
        ),
        (
            "clicks-by-subid-and-week",
            ReportRequest {
                dimensions: vec![Dimension::Subid1],
                bucket: Some(Bucket::Week),
                metrics: vec![Metric::Clicks, Metric::Epc],
                filter: test(ActionField::Subid1, Op::IsNull(false)),
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-22T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "users-by-segment-of-users",
            ReportRequest {
                dimensions: vec![Dimension::UserSegment],
                segments: naive_segment::some_sets(PublisherId(1))[..2].to_vec(),
                metrics: vec![Metric::Users, Metric::Reward],
                ..quarter()
            },
        ),
        (
            "units-by-segment-of-products-and-country",
            ReportRequest {
                dimensions: vec![Dimension::ProductSegment, Dimension::Country],
                segments: naive_segment::some_sets(PublisherId(1))[2..].to_vec(),
                metrics: vec![Metric::Units],
                wanted: Wanted {
                    totals: vec![Metric::Units],
                    ..Wanted::default()
                },
                ..quarter()
            },
        ),
        (
            "tariffs-and-promo-codes",
            ReportRequest {
                dimensions: vec![Dimension::Tariff, Dimension::PromoCode],
                metrics: vec![Metric::Actions, Metric::Reward],
                order: most(Metric::Reward, Some("USD")),
                ..quarter()
            },
        ),
        (
            "reasons-of-declines",
            ReportRequest {
                dimensions: vec![Dimension::DeclineReason],
                metrics: vec![Metric::DeclinedActions, Metric::Reward],
                filter: test(ActionField::Status, Op::Eq(Value::from("DECLINED"))),
                order: most(Metric::DeclinedActions, None),
                ..quarter()
            },
        ),
        (
            "devices-and-types-by-week",
            ReportRequest {
                dimensions: vec![Dimension::Device, Dimension::ActionType],
                bucket: Some(Bucket::Week),
                metrics: vec![Metric::Actions, Metric::AverageOrderAmount],
                ..request("2026-05-04T00:00:00Z", "2026-06-01T00:00:00Z", "UTC")
            },
        ),
        // Whoever sees some programs only is not answered from the total that does not keep them apart.
        (
            "days-of-a-limited-key",
            ReportRequest {
                dimensions: vec![Dimension::Status],
                bucket: Some(Bucket::Day),
                metrics: vec![Metric::Reward],
                ..request(
                    "2026-06-01T18:30:00Z",
                    "2026-06-07T18:30:00Z",
                    "Asia/Kolkata",
                )
            },
        ),
        (
            "expected-reward-by-closing-day",
            ReportRequest {
                bucket: Some(Bucket::Week),
                metrics: vec![Metric::ExpectedReward],
                range: AxisRange {
                    axis: DateAxis::Closed,
                    ..request(
                        "2026-07-01T04:00:00Z",
                        "2026-07-29T04:00:00Z",
                        "America/New_York",
                    )
                    .range
                },
                ..quarter()
            },
        ),
    ]
}

/// What the key sees that sends a request: all, but where the name of the request says that it is limited.
fn narrowing(name: &str) -> Narrowing {
    let is_limited = name.ends_with("-of-a-limited-key");
    let programs = is_limited.then(|| vec!["6115".to_owned()]);
    let limits = Limits {
        programs,
        ..Limits::default()
    };
    limits.narrowing()
}

/// A plan with two currencies, where it has to know them.
fn planned(name: &str, request: &ReportRequest) -> Plan {
    let mut plan = report::plan(request, narrowing(name), ReportLimits::default()).unwrap();
    plan.current.fill(&["RUB", "USD"].map(currency));
    plan
}

#[test]
fn plans_and_statements_are_those_of_the_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plans");
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever changes plans on purpose says so; the product's settings have nothing to do with it"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let scope = WriteScope::for_entrance(PublisherId(1)).read();
    let mut wrong = Vec::new();
    for (name, request) in requests() {
        let plan = planned(name, &request);
        let text = |dialect| statements(&plan, scope, dialect).join("\n\n") + "\n";
        let (sqlite, postgres) = (text(Dialect::Sqlite), text(Dialect::Postgres));
        let folder = folder.join(name);
        for (file, text) in [
            ("request.txt", format!("{request:#?}\n")),
            ("plan.txt", format!("{plan}\n")),
            ("sqlite.sql", sqlite),
            ("postgres.sql", postgres.clone()),
            ("citus.sql", postgres),
        ] {
            let path = folder.join(file);
            if update {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            if golden != text {
                wrong.push(format!("{name}/{file}: is now\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_table_of_a_plan_is_cut_by_the_publisher() {
    let scope = WriteScope::for_entrance(PublisherId(1)).read();
    let mut seen = 0;
    for (name, request) in requests() {
        let plan = planned(name, &request);
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            for statement in statements(&plan, scope, dialect) {
                let tables = tables(&statement);
                assert!(!tables.is_empty(), "{name}: no table in\n{statement}");
                for alias in tables {
                    seen += 1;
                    assert!(
                        statement.contains(&format!("{alias}.publisher_id")),
                        "{name}: nothing says whose rows {alias} has:\n{statement}"
                    );
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
