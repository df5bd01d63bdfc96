//! Requests for reports, to be varied by whoever asks.

use super::drafts::at;
use actiongraph::domain::filter::Filter;
use actiongraph::domain::page::PageRequest;
use actiongraph::domain::report::metric::Metric;
use actiongraph::domain::report::{ReportRequest, Wanted};
use actiongraph::domain::sales::{AxisRange, DateAxis};
use actiongraph::domain::time::{Span, WeekStart, Zone};

/// A range of orders, between two instants in RFC 3339.
pub(crate) fn orders(from: &str, to: &str, zone: &str) -> AxisRange {
    AxisRange {
        axis: DateAxis::Ordered,
        span: Span {
            from: at(from),
            to: at(to),
        },
        zone: Zone::parse(zone).unwrap(),
    }
}

/// The first rows of a list.
pub(crate) fn first(size: u32) -> PageRequest {
    PageRequest {
        size,
        forward: true,
        after: None,
        before: None,
    }
}

/// The number of all actions in a range, and nothing beside; the period before it ends where it begins.
pub(crate) fn report_of(range: AxisRange) -> ReportRequest {
    let (from, length) = (range.span.from.micros(), range.span.micros());
    ReportRequest {
        range,
        previous: Span::of_micros(from - length, from),
        filter: Filter::default(),
        dimensions: Vec::new(),
        segments: Vec::new(),
        bucket: None,
        week_start: WeekStart::Monday,
        metrics: vec![Metric::Actions],
        wanted: Wanted::default(),
        having: Vec::new(),
        order: Vec::new(),
        page: first(100),
        currency: None,
        compare: None,
        vanished: false,
        fill_gaps: false,
        now: at("2026-07-01T00:00:00Z"),
    }
}
