//! Reports: the page of groups with totals, and what each group knows of itself.
//!
//! An answer is computed once, with all that the operation selects of it; the types here only hand it out.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::{Context, Object};
use async_graphql_value::Value;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Member;
use super::built_in_segment::BuiltInSegment;
use super::drill_down::{ActionFilterValue, BuiltInGiven, RangeValue, filter_of};
use super::report_info::{ReportInfo, TimeSpan};
use super::report_key::{Categories, ReportKey, categories};
use super::report_values::{PlainValues, ReportValues};
use super::report_words::ReportMetric;
use super::sales::Change;
use crate::domain::money::Currency;
use crate::domain::report;
use crate::domain::report::metric::{Metric, MetricValue, Unit, Values};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::rule::SegmentSet;
use crate::domain::sales::ratio;
use crate::domain::time::Span;
use crate::graphql::connection::connection;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::report::Currencies;
use crate::graphql::scalar::CurrencyCode;
use crate::graphql::written::{Plain, Ready, Rows, Slot, Slow, Written};

/// What is the same for all rows of a report.
#[derive(Debug)]
pub struct Asked {
    /// What groups are divided by.
    pub dimensions: Vec<Dimension>,
    /// The segments that dimensions of segments divide by, the built-in ones among them.
    pub segments: Vec<Arc<SegmentSet>>,
    /// The built-in ones, by the ids of their sets.
    pub built_in: HashMap<Uuid, BuiltInSegment>,
    /// Likewise, as they were given.
    pub built_in_given: BuiltInGiven,
    /// The range.
    pub span: Span,
    /// The report's own filter, as it was given.
    pub filter: Option<Map<String, Json>>,
    /// In which currencies money is looked at.
    pub currencies: Currencies,
    /// What is asked for of all facts of the report.
    pub totals: Values,
    /// Likewise of the period that is compared with, if one is.
    pub compared_totals: Option<Values>,
    /// Likewise of the totals less the page.
    pub others: Values,
}

impl Asked {
    /// Whether some of a metric's money is beside what was converted, because there was no rate for it: a number without
    /// it would pass for the whole.
    fn lacks_rate(&self, values: &Values, of: Metric) -> bool {
        let converted = self.currencies.converted;
        converted
            .zip(values.get(of))
            .is_some_and(|(to, value)| !value.is_all_in(to))
    }

    /// What a metric is now, against what it was before.
    fn change(
        &self,
        (values, before): (&Values, &Values),
        of: Metric,
        given: Option<CurrencyCode>,
    ) -> Result<Option<Change>> {
        let currency = self.currencies.of(of, given, "currency")?;
        if self.lacks_rate(values, of) || self.lacks_rate(before, of) {
            return Ok(None);
        }
        // What is not known is not zero.
        if [values, before]
            .iter()
            .any(|held| held.get(of) == Some(&MetricValue::Unknown))
        {
            return Ok(None);
        }
        let now = values.order(of, currency);
        let previous = before.order(of, currency);
        let unit = of.definition().unit;
        let (now, previous) = match (now, previous) {
            (Some(now), Some(previous)) => (now, previous),
            // Nothing of it is zero of it; a rate or a time without facts is none.
            (now, previous) if matches!(unit, Unit::Count | Unit::Money) => {
                (now.unwrap_or(0), previous.unwrap_or(0))
            }
            _ => return Ok(None),
        };
        Change::of_metric(unit, currency, previous, now).map(Some)
    }
}

/// A row, and what it is a row of.
pub struct Grouped {
    /// The row.
    pub row: report::ReportRow,
    /// The report.
    pub asked: Arc<Asked>,
}

impl Grouped {
    /// What the row's key says of a dimension.
    pub(super) fn part(&self, dimension: Dimension) -> Option<&KeyPart> {
        let place = self
            .asked
            .dimensions
            .iter()
            .position(|one| *one == dimension)?;
        self.row.key.get(place)
    }

    /// The id that it says.
    pub(super) fn id(&self, dimension: Dimension) -> Option<Uuid> {
        match self.part(dimension)? {
            KeyPart::Id(id) => Some(*id),
            KeyPart::None | KeyPart::Text(_) => None,
        }
    }

    /// The segment that someone defined of the row's key.
    pub(super) fn defined(&self, dimension: Dimension) -> Option<Uuid> {
        let id = self.id(dimension)?;
        (!self.asked.built_in.contains_key(&id)).then_some(id)
    }

    /// The built-in segment of the row's key.
    pub(super) fn built_in(&self, dimension: Dimension) -> Option<BuiltInSegment> {
        self.asked.built_in.get(&self.id(dimension)?).cloned()
    }

    /// The text that it says.
    pub(super) fn text(&self, dimension: Dimension) -> Option<&str> {
        match self.part(dimension)? {
            KeyPart::Text(text) => Some(text),
            KeyPart::None | KeyPart::Id(_) => None,
        }
    }

    /// The word that it says.
    pub(super) fn word<W>(
        &self,
        dimension: Dimension,
        parse: fn(&str) -> Option<W>,
    ) -> Result<Option<W>> {
        let read = |text| {
            parse(text).ok_or_else(|| Failure::internal("a report's key has an unknown word"))
        };
        self.text(dimension).map(read).transpose()
    }
}

/// A group of actions of a report.
#[derive(Clone)]
pub struct ReportRow(pub Member<Grouped>);

impl ReportRow {
    fn share(&self, of: Metric, given: Option<CurrencyCode>) -> Result<Option<f64>> {
        let asked = &self.0.asked;
        let currency = asked.currencies.of(of, given, "currency")?;
        let totals = &asked.totals;
        let values = &self.0.row.values;
        if asked.lacks_rate(values, of) || asked.lacks_rate(totals, of) {
            return Ok(None);
        }
        let base = totals.order(of, currency);
        let part = values.order(of, currency);
        Ok(ratio(part.unwrap_or(0), base.unwrap_or(0)))
    }

    fn change(&self, of: Metric, given: Option<CurrencyCode>) -> Result<Option<Change>> {
        let Some(compared) = &self.0.row.compared else {
            return Ok(None);
        };
        self.0
            .asked
            .change((&self.0.row.values, compared), of, given)
    }

    async fn filter(&self, request: &Arc<RequestContext>) -> Result<Option<ActionFilterValue>> {
        let tree = if self.needs_categories() {
            categories(&self.0, request).await?
        } else {
            Arc::default()
        };
        Ok(self.filter_in(&tree))
    }

    /// Whether a filter depends on the categories of the key.
    fn needs_categories(&self) -> bool {
        let dimensions = &self.0.asked.dimensions;
        dimensions.contains(&Dimension::CategoryLevel2)
    }

    fn filter_in(&self, tree: &Categories) -> Option<ActionFilterValue> {
        let asked = &self.0.asked;
        let level = |id: Uuid| tree.get(&id).map(|category| category.level);
        let key: Vec<(Dimension, &KeyPart)> = asked
            .dimensions
            .iter()
            .copied()
            .zip(&self.0.row.key)
            .collect();
        filter_of(
            asked.filter.as_ref(),
            &key,
            &level,
            &asked.segments,
            &asked.built_in_given,
        )
    }

    /// The stretch of time that lists the row's actions.
    fn span(&self) -> Span {
        self.0.row.time.unwrap_or(self.0.asked.span)
    }
}

/// What a row is put in relation to with these arguments.
fn look(field: &Field) -> Result<(Metric, Option<CurrencyCode>), Slow> {
    let of = field.get_argument("of").map(|value| &value.node);
    let metric = match of {
        Some(Value::Enum(word)) => Metric::parse(word),
        _ => None,
    };
    let currency = match field.get_argument("currency").map(|value| &value.node) {
        Some(Value::String(code)) => Some(Currency::parse(code).map_err(|_| Slow)?),
        None | Some(Value::Null) => None,
        Some(_) => return Err(Slow),
    };
    Ok((metric.ok_or(Slow)?, currency.map(CurrencyCode)))
}

impl Plain for ReportRow {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        let row = &self.0.row;
        let values = |field: Slot<'_, '_>, values| PlainValues(values).write(field);
        match field.name() {
            "time" => field.maybe(row.time, |field, span| field.object(&TimeSpan::from(span))),
            "key" => field.object(&ReportKey(self.0.clone())),
            "values" => values(field, &row.values),
            "compared" => field.maybe(row.compared.as_ref(), values),
            "running" => field.maybe(row.running.as_ref(), values),
            "share" => {
                let (of, currency) = look(field.field())?;
                let share = self.share(of, currency).map_err(|_| Slow)?;
                field.maybe(share, Slot::float)
            }
            "change" => {
                let (of, currency) = look(field.field())?;
                let change = self.change(of, currency).map_err(|_| Slow)?;
                field.maybe(change, |field, change| field.object(&change))
            }
            "filter" if !self.needs_categories() => {
                let filter = self.filter_in(&Categories::new());
                field.maybe(filter, |field, filter| field.scalar(&filter))
            }
            "range" => field.scalar(&RangeValue(self.span())),
            _ => Err(Slow),
        }
    }
}

/// A group of actions of a report.
#[Object]
impl ReportRow {
    /// The stretch of time, cut to the range; null in a report without `bucket`.
    async fn time(&self) -> Option<TimeSpan> {
        self.0.row.time.map(Into::into)
    }

    /// What the actions of the group have in common.
    async fn key(&self) -> Ready<ReportKey> {
        Ready(ReportKey(self.0.clone()))
    }

    /// The metrics of the group.
    async fn values(&self) -> Ready<ReportValues> {
        Ready(ReportValues(self.0.row.values.clone()))
    }

    /// The metrics of the same group in the period that `compareWith` names: zeros where there was nothing. A stretch of
    /// time is compared with what lies as far before it as that period lies before the range: as many months, days or
    /// hours, or a year.
    async fn compared(&self) -> Option<Ready<ReportValues>> {
        self.0.row.compared.clone().map(ReportValues).map(Ready)
    }

    /// Running sums: of this row and of all before it in the report's order, those of earlier pages included. Metrics
    /// that do not add up are null.
    async fn running(&self) -> Option<Ready<ReportValues>> {
        self.0.row.running.clone().map(ReportValues).map(Ready)
    }

    /// The group's share of the totals, from 0 to 1; null where the total is 0, and where the group or the totals have
    /// money without a rate to the report's `currency`.
    #[graphql(name = "share")]
    async fn share_field(
        &self,
        #[graphql(desc = "Of what: a metric that counts, or of amounts.")] of: ReportMetric,
        #[graphql(
            desc = "The currency of a metric of money: needed for these unless the report has a `currency` or its filter lets one through; refused with the others."
        )]
        currency: Option<CurrencyCode>,
    ) -> Option<Result<f64>> {
        self.share(of.into(), currency).transpose()
    }

    /// The change of a metric against the period that `compareWith` names; null where a rate or a time has no value in
    /// one of both, and where one of both has money without a rate to the report's `currency`.
    #[graphql(name = "change")]
    async fn change_field(
        &self,
        #[graphql(desc = "Of what.")] of: ReportMetric,
        #[graphql(
            desc = "The currency of a metric of money: needed for these unless the report has a `currency` or its filter lets one through; refused with the others."
        )]
        currency: Option<CurrencyCode>,
    ) -> Option<Result<Change>> {
        self.change(of.into(), currency).transpose()
    }

    /// The filter that lists exactly the group's actions: the report's own filter and what the key says. Pass it to
    /// `actions`, or to a further report, as a variable of type `ActionFilter`, with the row's `range` as one of type
    /// `RangeInput` and the report's own `dateAxis` and `timeZone`. Null for groups of new or returning users and by frequency
    /// of users, which depend on all actions of a user and which no filter says.
    #[graphql(name = "filter")]
    async fn filter_field(&self, ctx: &Context<'_>) -> Option<Result<ActionFilterValue>> {
        let found = async { self.filter(request(ctx)?).await };
        found.await.transpose()
    }

    /// The range of the group's actions, to be passed on with `filter`: its stretch of time, or the range of the report.
    async fn range(&self) -> RangeValue {
        RangeValue(self.span())
    }
}

/// What a report offers beside its rows.
pub struct Answered {
    /// The report.
    pub asked: Arc<Asked>,
    /// What it says of itself.
    pub info: ReportInfo,
}

connection! {
    /// A page of a report: groups of actions with their metrics.
    ReportConnection, ReportEdge of ReportRow, in Rows, with Answered {
        /// The metrics of all actions of the report, whatever `having` and page. By product or category amounts and units
        /// are those of the cart items, counts are of all actions.
        async fn totals(&self) -> Option<Ready<ReportValues>> {
            Some(Ready(ReportValues(self.more.asked.totals.clone())))
        }

        /// The metrics of all actions of the period that `compareWith` names, those of groups among them that have no row.
        async fn compared_totals(&self) -> Option<Ready<ReportValues>> {
            self.more.asked.compared_totals.clone().map(ReportValues).map(Ready)
        }

        /// The change of a metric of the totals against the period that `compareWith` names; null where a row's `change` is.
        async fn totals_change(
            &self,
            #[graphql(desc = "Of what.")] of: ReportMetric,
            #[graphql(
                desc = "The currency of a metric of money: needed for these unless the report has a `currency` or its filter lets one through; refused with the others."
            )]
            currency: Option<CurrencyCode>,
        ) -> Option<Result<Change>> {
            let asked = &self.more.asked;
            let before = asked.compared_totals.as_ref()?;
            asked.change((&asked.totals, before), of.into(), currency).transpose()
        }

        /// The totals less this page: all other groups as one. What is computed from sums that add up is computed from those
        /// that are left; users and times are null, and so are counts of actions and their rates by product or category.
        /// Rates of clicks are null where the totals' are.
        async fn others(&self) -> Option<Ready<ReportValues>> {
            Some(Ready(ReportValues(self.more.asked.others.clone())))
        }

        /// How fresh and how complete these numbers are, and where they were read.
        async fn info(&self) -> ReportInfo {
            self.more.info.clone()
        }
    }
}

impl Plain for ReportEdge {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        match field.name() {
            "node" => field.object(&self.node),
            "cursor" => field.text(&self.cursor),
            _ => Err(Slow),
        }
    }
}
