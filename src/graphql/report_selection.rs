//! What an operation selects of a report, so that nothing else is computed. Fields count under any alias and in any
//! fragment; what directives leave out is gone before execution.

use std::collections::BTreeSet;

use async_graphql::{SelectionField, Value};

use super::error::{Failure, Result};
use super::types::metric::metric_of;
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
                    self.metrics.insert(argument(&part)?);
                }
                "change" => {
                    self.compared = true;
                    self.metrics.insert(argument(&part)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn values(&mut self, values: SelectionField<'_>) {
        let fields = values.selection_set();
        self.metrics
            .extend(fields.filter_map(|field| metric_of(field.name())));
    }
}

/// The metric in `of`.
fn argument(field: &SelectionField<'_>) -> Result<Metric> {
    let unreadable = || Failure::internal("an argument of a selected field cannot be read");
    let arguments = field.arguments().map_err(|_| unreadable())?;
    let of = arguments.into_iter().find(|(name, _)| name == "of");
    let word = match of {
        Some((_, Value::Enum(word))) => word.to_string(),
        Some((_, Value::String(word))) => word,
        _ => return Err(unreadable()),
    };
    Metric::parse(&word).ok_or_else(unreadable)
}
