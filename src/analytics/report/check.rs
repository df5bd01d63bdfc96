//! What contradicts itself in a request: refused before anything is planned.

use super::plan::{is_of_money, metrics};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::report::metric::Metric;
use crate::domain::report::{Dimension, OrderKey, ReportLimits, ReportRequest};
use crate::domain::rule::Subject;
use std::collections::BTreeSet;

/// Refuses a request that contradicts itself.
///
/// # Errors
/// The argument that does not go with the others, and what could be asked instead.
pub(super) fn check(request: &ReportRequest, limits: ReportLimits) -> Result<()> {
    let mut seen = BTreeSet::new();
    for dimension in &request.dimensions {
        if !seen.insert(*dimension) {
            let word = dimension.as_str();
            return Err(Error::bad_input(
                "groupBy",
                format!("{word} is listed twice; list each dimension once"),
            ));
        }
    }
    check_segments(request, limits.segments)?;
    let over_items = request.dimensions.iter().any(|by| by.is_of_items());
    for metric in metrics(request) {
        let definition = metric.definition();
        if over_items && !definition.of_items && !definition.of_clicks() {
            return Err(Error::bad_input(
                "groupBy",
                format!(
                    "{} is a metric of whole actions; it cannot be asked for by product or category",
                    metric.as_str()
                ),
            ));
        }
    }
    let needs_currency = |field: &str, metric: Metric| {
        Error::bad_input(
            field,
            format!(
                "{} has a value in each currency; name the currency to go by",
                metric.as_str()
            ),
        )
    };
    for having in &request.having {
        if is_of_money(having.metric) && having.currency.is_none() {
            return Err(needs_currency("having", having.metric));
        }
    }
    for order in &request.order {
        match order.key {
            OrderKey::Metric(metric, None) if is_of_money(metric) => {
                return Err(needs_currency("orderBy", metric));
            }
            OrderKey::Dimension(dimension) if !request.dimensions.contains(&dimension) => {
                let word = dimension.as_str();
                return Err(Error::bad_input(
                    "orderBy",
                    format!("the report is not grouped by {word}; add it to groupBy"),
                ));
            }
            OrderKey::Time if request.bucket.is_none() => {
                return Err(Error::bad_input(
                    "orderBy",
                    "the report is not divided by time; add a bucket",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Segments and the dimensions that take them go together, and what adds up needs groups that do not overlap.
fn check_segments(request: &ReportRequest, most: usize) -> Result<()> {
    for by in &request.dimensions {
        let Some(subject) = by.segments_of() else {
            continue;
        };
        let many = request
            .segments
            .iter()
            .filter(|set| set.subject == subject)
            .count();
        if many == 0 {
            let message = format!(
                "the report is grouped by {}, but segments and builtInSegments name none of {}: say which, at most {most}",
                by.as_str(),
                subject.as_str()
            );
            return Err(Error::bad_input("segments", message));
        }
        if many > 1 && (!request.wanted.others.is_empty() || request.wanted.running) {
            let message = format!(
                "{many} segments can overlap, and an action counts in each, so neither others nor running sums mean \
                 anything: leave them out, or group by one segment"
            );
            return Err(Error::bad_input("segments", message));
        }
    }
    if request.segments.len() > most {
        let message = format!(
            "segments and builtInSegments name {}, the most is {most}: ask in several reports",
            request.segments.len()
        );
        let passed = PassedLimit::of("reportSegments", most, request.segments.len());
        return Err(Error::limit("segments", passed, message));
    }
    let unused = request.segments.iter().find(|set| {
        let takes = |by: &Dimension| by.segments_of() == Some(set.subject);
        !request.dimensions.iter().any(takes)
    });
    if let Some(set) = unused {
        let word = set.subject.as_str();
        let dimension = match set.subject {
            Subject::Users => Dimension::UserSegment,
            Subject::Products => Dimension::ProductSegment,
        };
        let message = format!(
            "the segment {:?} is one of {word}, which the report is not grouped by: add {} to groupBy, or filter by it",
            set.name,
            dimension.as_str()
        );
        return Err(Error::bad_input("segments", message));
    }
    Ok(())
}
