//! What the metrics of reports are: the table that computes them, as the API tells it.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::Object;

use super::report_words::{
    MetricAdditivity, MetricUnit, ReportDimension, ReportMetric, TimeBucket,
};
use crate::domain::report::metric::{DEFINITIONS, Definition, Metric};

/// The name of the field of `ReportValues` that holds a metric.
pub fn field_name(metric: Metric) -> String {
    let mut name = String::new();
    for (place, word) in metric.as_str().split('_').enumerate() {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        match letters.next().filter(|_| place > 0) {
            Some(first) => {
                name.push(first.to_ascii_uppercase());
                name.push_str(letters.as_str());
            }
            None => name.push_str(&lower),
        }
    }
    name
}

/// The metric that a field of `ReportValues` holds.
pub fn metric_of(field: &str) -> Option<Metric> {
    static NAMES: LazyLock<HashMap<String, Metric>> = LazyLock::new(|| {
        let all = Metric::ALL.iter();
        all.map(|metric| (field_name(*metric), *metric)).collect()
    });
    NAMES.get(field).copied()
}

/// All definitions, in the order of the table.
pub fn definitions() -> Vec<MetricDefinition> {
    DEFINITIONS.iter().map(MetricDefinition).collect()
}

/// What a metric of reports is.
#[derive(Clone, Copy)]
pub struct MetricDefinition(&'static Definition);

/// What a metric of reports is and how it is computed: the table that reports are computed by.
#[Object]
impl MetricDefinition {
    /// The metric, as `orderBy`, `having`, `share` and `change` name it.
    async fn metric(&self) -> ReportMetric {
        self.0.metric.into()
    }

    /// The field of `ReportValues` that holds it.
    async fn field(&self) -> String {
        field_name(self.0.metric)
    }

    /// What it is, in a sentence.
    async fn description(&self) -> &str {
        self.0.description
    }

    /// How it is computed.
    async fn formula(&self) -> &str {
        self.0.formula
    }

    /// What it is measured in.
    async fn unit(&self) -> MetricUnit {
        self.0.unit.into()
    }

    /// Whether the values of several groups can be added. `running` holds what adds up, `others` also what is computed from
    /// sums that do.
    async fn additivity(&self) -> MetricAdditivity {
        self.0.additivity.into()
    }

    /// What a report that asks for it can be grouped by; by one SubID at a time where clicks count.
    async fn dimensions(&self) -> Vec<ReportDimension> {
        self.0.dimensions().map(Into::into).collect()
    }

    /// The shortest stretches of time that a report which asks for it can be divided by.
    async fn shortest_bucket(&self) -> TimeBucket {
        self.0.shortest_bucket().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_the_metrics_words_in_camel_case_and_lead_back() {
        assert_eq!(field_name(Metric::Actions), "actions");
        assert_eq!(field_name(Metric::PendingOrderAmount), "pendingOrderAmount");
        for metric in Metric::ALL {
            assert_eq!(metric_of(&field_name(*metric)), Some(*metric));
        }
        assert_eq!(metric_of("__typename"), None);
    }
}
