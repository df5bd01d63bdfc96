//! What an operation selects of a report, so that nothing else is computed. Fields count under any alias and in any
//! fragment; what directives leave out is gone before execution.

use std::collections::BTreeSet;

use async_graphql::{SelectionField, Value};

use super::error::{Failure, Result};
use super::scalar::CurrencyCode;
use super::types::metric::metric_of;
use crate::domain::money::Currency;
use crate::domain::report::Wanted;
use crate::domain::report::metric::{Additivity, Metric};

/// What is selected of a report. Metrics are in the table's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Metrics of the rows; also those of running sums, shares and changes.
    pub metrics: BTreeSet<Metric>,
    /// Metrics of the rows in the period that is compared with; also those of changes.
    pub of_compared: BTreeSet<Metric>,
    /// Metrics of the totals; also those of shares, and of changes of totals.
    pub of_totals: BTreeSet<Metric>,
    /// Metrics of the totals of the period that is compared with; also those of changes of totals.
    pub of_compared_totals: BTreeSet<Metric>,
    /// Metrics of the totals less the page.
    pub of_others: BTreeSet<Metric>,
    /// Whether the number of groups is.
    pub groups: bool,
    /// Whether running sums are.
    pub running: bool,
    /// Whether the plan and its statements are.
    pub explain: bool,
    /// Whether rows are, or where their page stands.
    pub rows: bool,
    /// Whether they or the totals are compared.
    pub compared: bool,
    /// What is looked at in one currency, each once.
    pub looks: Vec<Look>,
}

/// A metric that a row or the totals are asked to put in relation to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// To what.
    pub relation: Relation,
    /// The metric.
    pub metric: Metric,
    /// The currency that was given.
    pub currency: Option<CurrencyCode>,
}

/// What a value is put in relation to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// A row's to the totals.
    Share,
    /// A row's to the period before.
    Change,
    /// The totals' to that period.
    TotalsChange,
}

impl Selected {
    /// What is selected of the report that `field` is.
    ///
    /// # Errors
    /// When an argument cannot be read, which validation has seen to.
    pub fn of(field: SelectionField<'_>) -> Result<Self> {
        let mut selected = Self::default();
        for part in field.selection_set() {
            match part.name() {
                "nodes" => selected.row(part)?,
                "edges" => {
                    selected.rows = true;
                    for node in part.selection_set().filter(|part| part.name() == "node") {
                        selected.row(node)?;
                    }
                }
                "pageInfo" => selected.rows = true,
                "totalCount" => selected.groups = true,
                "totals" => selected.of_totals.extend(metrics_of(part)),
                "comparedTotals" => {
                    selected.compared = true;
                    selected.of_compared_totals.extend(metrics_of(part));
                }
                "totalsChange" => {
                    selected.compared = true;
                    let metric = selected.look(Relation::TotalsChange, &part)?;
                    selected.of_totals.insert(metric);
                    selected.of_compared_totals.insert(metric);
                }
                "others" => {
                    selected.rows = true;
                    selected.of_others.extend(metrics_of(part));
                }
                "info" => {
                    let mut parts = part.selection_set();
                    selected.explain |= parts.any(|part| part.name() == "explain");
                }
                _ => {}
            }
        }
        Ok(selected)
    }

    /// All metrics that are selected somewhere.
    pub fn all_metrics(&self) -> BTreeSet<Metric> {
        let parts = [
            &self.metrics,
            &self.of_compared,
            &self.of_totals,
            &self.of_compared_totals,
            &self.of_others,
        ];
        parts.into_iter().flatten().copied().collect()
    }

    /// What is wanted beside the values of the rows.
    pub fn wanted(&self) -> Wanted {
        let list = |metrics: &BTreeSet<Metric>| metrics.iter().copied().collect();
        Wanted {
            groups: self.groups,
            compared: list(&self.of_compared),
            totals: list(&self.of_totals),
            compared_totals: list(&self.of_compared_totals),
            others: list(&self.of_others),
            running: self.running,
            explain: self.explain,
        }
    }

    fn row(&mut self, row: SelectionField<'_>) -> Result<()> {
        self.rows = true;
        for part in row.selection_set() {
            match part.name() {
                "values" => self.metrics.extend(metrics_of(part)),
                "compared" => {
                    self.compared = true;
                    self.of_compared.extend(metrics_of(part));
                }
                "running" => {
                    self.running = true;
                    // What does not add up is null there, and need not be known.
                    let sums = metrics_of(part)
                        .into_iter()
                        .filter(|metric| metric.definition().additivity == Additivity::Additive);
                    self.metrics.extend(sums);
                }
                "share" => {
                    let metric = self.look(Relation::Share, &part)?;
                    self.metrics.insert(metric);
                    self.of_totals.insert(metric);
                }
                "change" => {
                    self.compared = true;
                    let metric = self.look(Relation::Change, &part)?;
                    self.metrics.insert(metric);
                    self.of_compared.insert(metric);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes what is put in relation to something; gives the metric.
    fn look(&mut self, relation: Relation, field: &SelectionField<'_>) -> Result<Metric> {
        let unreadable = || Failure::internal("an argument of a selected field cannot be read");
        let arguments = field.arguments().map_err(|_| unreadable())?;
        let text = |name: &str| {
            let value = arguments.iter().find(|(other, _)| other == name);
            match value {
                Some((_, Value::Enum(word))) => Some(word.as_str()),
                Some((_, Value::String(text))) => Some(text.as_str()),
                _ => None,
            }
        };
        let metric = text("of").and_then(Metric::parse).ok_or_else(unreadable)?;
        // A text that is no currency is refused where the field reads it.
        let currency = text("currency").and_then(|code| Currency::parse(code).ok());
        let look = Look {
            relation,
            metric,
            currency: currency.map(CurrencyCode),
        };
        if !self.looks.contains(&look) {
            self.looks.push(look);
        }
        Ok(metric)
    }
}

/// The metrics that are selected of values.
fn metrics_of(values: SelectionField<'_>) -> Vec<Metric> {
    let fields = values.selection_set();
    fields.filter_map(|field| metric_of(field.name())).collect()
}
