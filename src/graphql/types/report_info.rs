//! How fresh and how complete a report is, where it was read, and what could not be converted.

use std::sync::Arc;

use async_graphql::{Object, SimpleObject};

use super::info::{AggregateInfo, AggregateWarning};
use crate::domain::report::{LackingClicks, MissingRate as Missing, Reading};
use crate::domain::time::{Day, Span};
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{BigInt, CurrencyCode, Date, DateTime};
use crate::graphql::written::{Plain, Slot, Slow, Written};

/// A stretch of time.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct TimeSpan {
    /// The first instant inside.
    from: DateTime,
    /// The first instant after it: not inside.
    to: DateTime,
}

impl From<Span> for TimeSpan {
    fn from(span: Span) -> Self {
        Self {
            from: DateTime(span.from),
            to: DateTime(span.to),
        }
    }
}

impl Plain for TimeSpan {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "from" => field.scalar(&self.from),
            "to" => field.scalar(&self.to),
            _ => Err(Slow),
        }
    }
}

/// How fresh and how complete a report is, and how it was answered.
#[derive(Clone)]
pub struct ReportInfo {
    /// Of the actions in the report's range and filter.
    pub facts: AggregateInfo,
    /// Where it was read, and how.
    pub told: Arc<Told>,
}

/// What an answer says of itself.
#[derive(Debug)]
pub struct Told {
    /// The range.
    pub range: Span,
    /// What it is compared with.
    pub compared: Span,
    /// Where it was read.
    pub reading: Reading,
    /// What could not be converted.
    pub missing_rates: Vec<Missing>,
    /// Whether clicks were asked for that are not known.
    pub lacking_clicks: Option<LackingClicks>,
    /// Plan and statements.
    pub explain: String,
}

/// How fresh and how complete a report is, where it was read, and what could not be converted.
#[Object]
impl ReportInfo {
    /// When the publisher's data last changed before this answer; null while there is none.
    async fn as_of(&self) -> Result<Option<DateTime>> {
        Ok(self.facts.state().await?.changed_at.map(DateTime))
    }

    /// Version of the publisher's data: it grows with every change, and equal versions give equal answers.
    async fn data_version(&self) -> Result<BigInt> {
        Ok(BigInt(self.facts.state().await?.data_version))
    }

    /// The range of the report, as instants.
    async fn range(&self) -> TimeSpan {
        self.told.range.into()
    }

    /// The period that `compareWith` names, as instants.
    async fn compared_range(&self) -> TimeSpan {
        self.told.compared.into()
    }

    /// What it was read from: names of totals that are kept beside the actions, "facts" for the actions and their cart
    /// items themselves, or "columns" for a copy of these in memory. All give the same answer; some give it faster.
    async fn sources(&self) -> Vec<&str> {
        self.told.reading.sources.clone()
    }

    /// Number of rows of these sources that were summed up.
    async fn rows_read(&self) -> BigInt {
        BigInt(self.told.reading.rows_read)
    }

    /// Share of the report's actions that the advertiser has not processed, from 0 to 1; null without actions.
    async fn unprocessed_share(&self) -> Result<Option<f64>> {
        Ok(self.facts.facts().await?.unprocessed_share)
    }

    /// Share of the report's actions with at least one cart item that names a product, from 0 to 1; null without actions.
    async fn cart_coverage(&self) -> Result<Option<f64>> {
        Ok(self.facts.facts().await?.cart_coverage)
    }

    /// What to keep in mind when reading it.
    async fn warnings(&self) -> Result<Vec<AggregateWarning>> {
        let mut warnings = AggregateWarning::of(self.facts.facts().await?);
        warnings.extend(self.told.lacking_clicks.map(AggregateWarning::of_clicks));
        Ok(warnings)
    }

    /// Rates that a conversion to the report's currency needed and that are not known. Amounts that need one are answered
    /// in their own currency, beside those that were converted.
    async fn missing_rates(&self) -> Result<Vec<MissingRate>> {
        self.told
            .missing_rates
            .iter()
            .map(MissingRate::new)
            .collect()
    }

    /// The plan of the report and its statements, for bug reports; its form can change. For keys with the scope ADMIN.
    async fn explain(&self) -> &str {
        &self.told.explain
    }
}

/// An exchange rate that is not known.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct MissingRate {
    /// The currency of the amounts.
    from: CurrencyCode,
    /// The currency that was asked for.
    to: CurrencyCode,
    /// The first day, in UTC, whose amounts needed it: a rate of that day or an earlier one would do.
    day: Date,
}

impl MissingRate {
    fn new(missing: &Missing) -> Result<Self> {
        let day = Day::from_days(missing.day)
            .map_err(|_| Failure::internal("a missing rate is of a day that is none"))?;
        Ok(Self {
            from: CurrencyCode(missing.from),
            to: CurrencyCode(missing.to),
            day: Date(day),
        })
    }
}
