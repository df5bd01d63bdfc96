//! What an operation selects of a report, so that nothing else is computed. Fields count under any alias and in any
//! fragment; what directives leave out is gone before execution.

use std::collections::BTreeSet;

use async_graphql::{SelectionField, Value};

use super::error::{Failure, Result};
use super::scalar::CurrencyCode;
use super::types::metric::metric_of;
use crate::domain::money::Currency;
use crate::domain::report::Wanted;
use crate::domain::report::metric::Metric;

/// What is selected of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// All metrics, in the table's order.
    pub metrics: BTreeSet<Metric>,
    /// What is wanted beside the rows.
    pub wanted: Wanted,
    /// Whether rows are, or where their page stands.
    pub rows: bool,
    /// Whether they are compared.
    pub compared: bool,
    /// What is looked at in one currency, each once.
    pub looks: Vec<Look>,
}

/// A metric that a row is asked to put in relation to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// To what.
    pub relation: Relation,
    /// The metric.
    pub metric: Metric,
    /// The currency that was given.
    pub currency: Option<CurrencyCode>,
}

/// What a value of a row is put in relation to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The totals.
    Share,
    /// The period before.
    Change,
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
                "totalCount" => selected.wanted.groups = true,
                "totals" => {
                    selected.wanted.totals = true;
                    selected.values(part);
                }
                "others" => {
                    selected.rows = true;
                    selected.wanted.others = true;
                    selected.values(part);
                }
                "info" => {
                    let mut parts = part.selection_set();
                    selected.wanted.explain |= parts.any(|part| part.name() == "explain");
                }
                _ => {}
            }
        }
        Ok(selected)
    }

    fn row(&mut self, row: SelectionField<'_>) -> Result<()> {
        self.rows = true;
        for part in row.selection_set() {
            match part.name() {
                "values" => self.values(part),
                "compared" => {
                    self.compared = true;
                    self.values(part);
                }
                "running" => {
                    self.wanted.running = true;
                    self.values(part);
                }
                "share" => {
                    self.wanted.totals = true;
                    self.look(Relation::Share, &part)?;
                }
                "change" => {
                    self.compared = true;
                    self.look(Relation::Change, &part)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn look(&mut self, relation: Relation, field: &SelectionField<'_>) -> Result<()> {
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
        self.metrics.insert(metric);
        if !self.looks.contains(&look) {
            self.looks.push(look);
        }
        Ok(())
    }

    fn values(&mut self, values: SelectionField<'_>) {
        let fields = values.selection_set();
        self.metrics
            .extend(fields.filter_map(|field| metric_of(field.name())));
    }
}
