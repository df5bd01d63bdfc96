//! How many facts a question may read one by one: what would be read is counted by totals first, and what is too much is
//! refused with its reason and a remedy.

use super::plan::count;
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::money::Currency;
use crate::domain::report::buckets::closing_days;
use crate::domain::report::{MAX_ROWS, ReportLimits};
use crate::domain::sales::{AxisRange, DateAxis};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use crate::domain::totals::{Grain, Source};
use crate::store::ReadTx;
use crate::store::columns::report::currencies;
use crate::store::report::{count_facts, from_columns, from_tables};
use std::collections::BTreeSet;

/// What may be read in a transaction.
#[derive(Clone, Copy)]
pub(in crate::analytics) struct FactLimit<'a> {
    /// The transaction.
    pub tx: &'a ReadTx,
    /// Whose rows.
    pub scope: ReadScope,
    /// How many of them.
    pub limits: ReportLimits,
    /// What reads them, as in "the report".
    pub reader: &'static str,
}

impl FactLimit<'_> {
    /// Refuses to read more facts than are allowed; says why they would be read, and what to do about it.
    ///
    /// # Errors
    /// When these are too many.
    pub(in crate::analytics) fn refuse(&self, found: i64, why: &str, remedy: &str) -> Result<()> {
        let (most, reader) = (self.limits.facts, self.reader);
        if found <= most {
            return Ok(());
        }
        let message = format!(
            "{reader} would read more than {most} actions one by one (limits.reportActions), because {why}; {remedy}"
        );
        let passed = PassedLimit::of("reportActions", most, found);
        Err(Error::limit("range", passed, message))
    }

    /// How many actions lie in a range, or at least more than are allowed; and in which currencies, on the axis of
    /// orders, as far as there are no more. One statement, and one before it where no total is left to who asks: the facts
    /// are counted no further than it takes to refuse them.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn count(&self, range: AxisRange) -> Result<(i64, Vec<Currency>)> {
        if range.axis == DateAxis::Ordered {
            let asked = count(range, self.scope.narrowing());
            let rows = match from_columns(self.tx, self.scope, &asked, MAX_ROWS).await? {
                Some(answer) => answer.rows,
                None => {
                    if asked.reads_facts() {
                        let found = self.count_up_to_limit(range).await?;
                        if found > self.limits.facts {
                            return Ok((found, Vec::new()));
                        }
                    }
                    let answer = from_tables(self.tx, self.scope, &asked, MAX_ROWS).await?;
                    answer.rows
                }
            };
            let found = rows.iter().filter_map(|row| row.values.first()).sum();
            let currencies: BTreeSet<Currency> =
                rows.iter().filter_map(|row| row.currency).collect();
            return Ok((found, currencies.into_iter().collect()));
        }
        Ok((self.count_up_to_limit(range).await?, Vec::new()))
    }

    /// How many actions lie in a range, or at least more than are allowed: one statement, of totals where some are left to
    /// who asks. The facts are counted no further than it takes to refuse them.
    async fn count_at_most(&self, range: AxisRange) -> Result<i64> {
        if range.axis != DateAxis::Ordered {
            return self.count_up_to_limit(range).await;
        }
        let asked = count(range, self.scope.narrowing());
        let is_of_total = matches!(asked.source, super::Source::Total(_));
        if is_of_total || currencies(self.tx, self.scope).await?.is_some() {
            let (found, _) = self.count(range).await?;
            return Ok(found);
        }
        self.count_up_to_limit(range).await
    }

    /// Likewise, of the facts alone.
    async fn count_up_to_limit(&self, range: AxisRange) -> Result<i64> {
        let stretch = match range.axis {
            DateAxis::Closed => closing_days(range.span, range.zone),
            _ => Some((range.span.from.micros(), range.span.to.micros())),
        };
        match stretch {
            Some(stretch) => self.count_in(range.axis, &[stretch]).await,
            None => Ok(0),
        }
    }

    /// How many actions lie in stretches of an axis, or at least more than are allowed: one statement.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn count_in(&self, axis: DateAxis, stretches: &[(i64, i64)]) -> Result<i64> {
        let limit = self.limits.facts + 1;
        count_facts(self.tx, self.scope, axis, stretches, limit).await
    }

    /// Refuses sums of which a source leaves more than is allowed to the facts: all of them, or the ends of the range that
    /// no cell of a total covers. What lies within a day is not counted. Up to two statements.
    ///
    /// # Errors
    /// When these are too many, or the database fails.
    pub(in crate::analytics) async fn check(
        &self,
        range: AxisRange,
        source: &Source,
        why: &str,
        remedy: &str,
    ) -> Result<()> {
        let whole = [range.span];
        let (spans, total) = match source {
            Source::Facts => (whole.as_slice(), None),
            Source::Total(total, cover) => (cover.ragged.as_slice(), Some(total)),
        };
        if spans.iter().map(Span::micros).sum::<i64>() <= Grain::Day.micros() {
            return Ok(());
        }
        let found = self.count_at_most(range).await?;
        let Some(total) = total.filter(|_| found > self.limits.facts) else {
            return self.refuse(found, why, remedy);
        };
        let ends: Vec<(i64, i64)> = spans
            .iter()
            .map(|span| (span.from.micros(), span.to.micros()))
            .collect();
        let found = self.count_in(range.axis, &ends).await?;
        let why = format!(
            "the range begins and ends inside the cells of {}",
            total.table()
        );
        self.refuse(found, &why, "ask for whole days with timeZone: \"UTC\"")
    }
}
