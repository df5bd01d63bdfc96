//! Reports: the page of groups with totals, and what each group knows of itself.
//!
//! An answer is computed once, with all that the operation selects of it; the types here only hand it out. What a key
//! names is read for the whole page at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_graphql::{Context, Object};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Member;
use super::ad_space::AdSpace;
use super::built_in_segment::BuiltInSegment;
use super::category::Category;
use super::drill_down::{ActionFilterValue, BuiltInGiven, RangeValue, filter_of};
use super::product::Product;
use super::program::Program;
use super::report_info::{ReportInfo, TimeSpan};
use super::report_values::ReportValues;
use super::report_words::{ReportMetric, UserAge, UserFrequency};
use super::sales::Change;
use super::segment::Segment;
use super::words::{ActionStatus, ActionType, CategoryLevel};
use crate::domain::action;
use crate::domain::money::Currency;
use crate::domain::records;
use crate::domain::report;
use crate::domain::report::metric::{Metric, Unit, Values};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::rule::SegmentSet;
use crate::domain::sales::ratio;
use crate::domain::time::Span;
use crate::graphql::connection::connection;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::report::Currencies;
use crate::graphql::scalar::{CountryCode, CurrencyCode};
use crate::graphql::siblings::{Group, by_key};

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
    /// Likewise of the totals less the page.
    pub others: Values,
}

/// A row, and what it is a row of.
pub struct Grouped {
    /// The row.
    pub row: report::ReportRow,
    /// The report.
    pub asked: Arc<Asked>,
}

impl Grouped {
    fn part(&self, dimension: Dimension) -> Option<&KeyPart> {
        let place = self
            .asked
            .dimensions
            .iter()
            .position(|one| *one == dimension)?;
        self.row.key.get(place)
    }

    fn id(&self, dimension: Dimension) -> Option<Uuid> {
        match self.part(dimension)? {
            KeyPart::Id(id) => Some(*id),
            KeyPart::None | KeyPart::Text(_) => None,
        }
    }

    /// The segment that someone defined of the row's key.
    fn defined(&self, dimension: Dimension) -> Option<Uuid> {
        let id = self.id(dimension)?;
        (!self.asked.built_in.contains_key(&id)).then_some(id)
    }

    fn built_in(&self, dimension: Dimension) -> Option<BuiltInSegment> {
        self.asked.built_in.get(&self.id(dimension)?).cloned()
    }

    fn text(&self, dimension: Dimension) -> Option<&str> {
        match self.part(dimension)? {
            KeyPart::Text(text) => Some(text),
            KeyPart::None | KeyPart::Id(_) => None,
        }
    }

    fn word<W>(&self, dimension: Dimension, parse: fn(&str) -> Option<W>) -> Result<Option<W>> {
        let read = |text| {
            parse(text).ok_or_else(|| Failure::internal("a report's key has an unknown word"))
        };
        self.text(dimension).map(read).transpose()
    }

    /// The categories of the row's key.
    fn categories(&self) -> Vec<Uuid> {
        let ids = LEVELS.iter().map(|(_, dimension)| self.id(*dimension));
        ids.flatten().collect()
    }
}

/// The dimensions that are levels of the category tree.
const LEVELS: &[(CategoryLevel, Dimension)] = &[
    (CategoryLevel::One, Dimension::CategoryLevel1),
    (CategoryLevel::Two, Dimension::CategoryLevel2),
    (CategoryLevel::Own, Dimension::CategoryOwn),
];

type Categories = HashMap<Uuid, Member<records::Category>>;

/// The categories of all rows of the page, of all levels.
async fn categories(
    row: &Member<Grouped>,
    request: &Arc<RequestContext>,
) -> Result<Arc<Categories>> {
    let load = |group: Arc<Group<Grouped>>| async move {
        let keys: BTreeSet<Uuid> = group.all().flat_map(Grouped::categories).collect();
        Ok(by_key(request.loaders.many(keys).await?))
    };
    row.batch("categories", &(), load).await
}

/// A group of actions of a report.
#[derive(Clone)]
pub struct ReportRow(pub Member<Grouped>);

impl ReportRow {
    /// The value of a metric in a currency.
    ///
    /// # Errors
    /// When the metric needs a currency and has none.
    fn currency(&self, of: Metric, given: Option<CurrencyCode>) -> Result<Option<Currency>> {
        self.0.asked.currencies.of(of, given, "currency")
    }

    /// Whether some of a metric's money is beside what was converted, because there was no rate for it: a number without
    /// it would pass for the whole.
    fn lacks_rate(&self, values: &Values, of: Metric) -> bool {
        let converted = self.0.asked.currencies.converted;
        converted
            .zip(values.get(of))
            .is_some_and(|(to, value)| !value.is_all_in(to))
    }

    fn share(&self, of: Metric, given: Option<CurrencyCode>) -> Result<Option<f64>> {
        let currency = self.currency(of, given)?;
        let totals = &self.0.asked.totals;
        let values = &self.0.row.values;
        if self.lacks_rate(values, of) || self.lacks_rate(totals, of) {
            return Ok(None);
        }
        let base = totals.order(of, currency);
        let part = values.order(of, currency);
        Ok(ratio(part.unwrap_or(0), base.unwrap_or(0)))
    }

    fn change(&self, of: Metric, given: Option<CurrencyCode>) -> Result<Option<Change>> {
        let currency = self.currency(of, given)?;
        let Some(compared) = &self.0.row.compared else {
            return Ok(None);
        };
        let values = &self.0.row.values;
        if self.lacks_rate(values, of) || self.lacks_rate(compared, of) {
            return Ok(None);
        }
        let now = values.order(of, currency);
        let previous = compared.order(of, currency);
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

    async fn filter(&self, request: &Arc<RequestContext>) -> Result<Option<ActionFilterValue>> {
        let asked = &self.0.asked;
        let tree = if asked.dimensions.contains(&Dimension::CategoryLevel2) {
            categories(&self.0, request).await?
        } else {
            Arc::default()
        };
        let level = |id: Uuid| tree.get(&id).map(|category| category.level);
        let key: Vec<(Dimension, &KeyPart)> = asked
            .dimensions
            .iter()
            .copied()
            .zip(&self.0.row.key)
            .collect();
        Ok(filter_of(
            asked.filter.as_ref(),
            &key,
            &level,
            &asked.segments,
            &asked.built_in_given,
        ))
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
    async fn key(&self) -> ReportKey {
        ReportKey(self.0.clone())
    }

    /// The metrics of the group.
    async fn values(&self) -> ReportValues {
        ReportValues(self.0.row.values.clone())
    }

    /// The metrics of the same group in the period that `compareWith` names: zeros where there was nothing. A stretch of
    /// time is compared with what lies as far before it as that period lies before the range: as many months, days or
    /// hours, or a year.
    async fn compared(&self) -> Option<ReportValues> {
        self.0.row.compared.clone().map(ReportValues)
    }

    /// Running sums: of this row and of all before it in the report's order, those of earlier pages included. Metrics
    /// that do not add up are null.
    async fn running(&self) -> Option<ReportValues> {
        self.0.row.running.clone().map(ReportValues)
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
        RangeValue(self.0.row.time.unwrap_or(self.0.asked.span))
    }
}

/// What the actions of a group have in common.
#[derive(Clone)]
pub struct ReportKey(Member<Grouped>);

/// What the actions of a group have in common, a field for each dimension: null where the report is not grouped by it,
/// and for the group of those that lack it.
#[Object]
impl ReportKey {
    /// The program.
    async fn program(&self, ctx: &Context<'_>) -> Option<Result<Program>> {
        let key = |row: &Grouped| row.id(Dimension::Program);
        let found = async { self.0.related(request(ctx)?, "program", key).await };
        found.await.transpose()
    }

    /// The ad space; null for actions without one.
    async fn ad_space(&self, ctx: &Context<'_>) -> Option<Result<AdSpace>> {
        let key = |row: &Grouped| row.id(Dimension::AdSpace);
        let found = async { self.0.related(request(ctx)?, "adSpace", key).await };
        found.await.transpose()
    }

    /// The country of the click; null for actions without one.
    async fn country(&self) -> Option<CountryCode> {
        let code = self.0.text(Dimension::Country)?;
        Some(CountryCode(code.to_owned()))
    }

    /// The status.
    async fn status(&self) -> Result<Option<ActionStatus>> {
        let word = self.0.word(Dimension::Status, action::Status::parse)?;
        Ok(word.map(Into::into))
    }

    /// Sale or lead.
    async fn action_type(&self) -> Result<Option<ActionType>> {
        let word = self
            .0
            .word(Dimension::ActionType, action::ActionType::parse)?;
        Ok(word.map(Into::into))
    }

    /// The currency.
    async fn currency(&self) -> Result<Option<CurrencyCode>> {
        let parse = |text: &str| Currency::parse(text).ok();
        let code = self.0.word(Dimension::Currency, parse)?;
        Ok(code.map(CurrencyCode))
    }

    /// The class of the device; null for actions without one.
    async fn device(&self) -> Option<&str> {
        self.0.text(Dimension::Device)
    }

    /// The SubID `subid`; null for actions without one.
    async fn subid0(&self) -> Option<&str> {
        self.0.text(Dimension::Subid0)
    }

    /// The SubID `subid1`; null for actions without one.
    async fn subid1(&self) -> Option<&str> {
        self.0.text(Dimension::Subid1)
    }

    /// The SubID `subid2`; null for actions without one.
    async fn subid2(&self) -> Option<&str> {
        self.0.text(Dimension::Subid2)
    }

    /// The SubID `subid3`; null for actions without one.
    async fn subid3(&self) -> Option<&str> {
        self.0.text(Dimension::Subid3)
    }

    /// The SubID `subid4`; null for actions without one.
    async fn subid4(&self) -> Option<&str> {
        self.0.text(Dimension::Subid4)
    }

    /// The product; null for items without one.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let key = |row: &Grouped| row.id(Dimension::Product);
        let found = async { self.0.related(request(ctx)?, "product", key).await };
        found.await.transpose()
    }

    /// The category, at the level that the report is grouped by; null for items without one.
    async fn category(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which, where the report is grouped by several levels; the lowest of them unless given."
        )]
        level: Option<CategoryLevel>,
    ) -> Option<Result<Category>> {
        let grouped = LEVELS.iter().rev().find(|(one, dimension)| {
            level.is_none_or(|level| level == *one) && self.0.part(*dimension).is_some()
        });
        let id = self.0.id(grouped?.1)?;
        let found = async {
            let all = categories(&self.0, request(ctx)?).await?;
            Ok(all.get(&id).cloned())
        };
        found.await.transpose()
    }

    /// The tariff; null for actions without one.
    async fn tariff(&self) -> Option<&str> {
        self.0.text(Dimension::Tariff)
    }

    /// The promo code; null for actions without one.
    async fn promo_code(&self) -> Option<&str> {
        self.0.text(Dimension::PromoCode)
    }

    /// The reason of the decline, empty where none is stated; null for actions that are not declined.
    async fn decline_reason(&self) -> Option<&str> {
        self.0.text(Dimension::DeclineReason)
    }

    /// Whether the users are new in the range of the report.
    async fn user_age(&self) -> Result<Option<UserAge>> {
        let word = self.0.word(Dimension::UserAge, report::UserAge::parse)?;
        Ok(word.map(Into::into))
    }

    /// The segment that the users are in, of `segments`; null for users in none of the report's segments, and for the group
    /// of a built-in one.
    async fn user_segment(&self, ctx: &Context<'_>) -> Option<Result<Segment>> {
        let key = |row: &Grouped| row.defined(Dimension::UserSegment);
        let found = async { self.0.related(request(ctx)?, "userSegment", key).await };
        found.await.transpose()
    }

    /// The segment that the products are in, of `segments`; null for products in none of the report's segments, and for the
    /// group of a built-in one.
    async fn product_segment(&self, ctx: &Context<'_>) -> Option<Result<Segment>> {
        let key = |row: &Grouped| row.defined(Dimension::ProductSegment);
        let found = async { self.0.related(request(ctx)?, "productSegment", key).await };
        found.await.transpose()
    }

    /// The built-in segment that the users are in, of `builtInSegments`; null for all other groups.
    async fn built_in_user_segment(&self) -> Option<BuiltInSegment> {
        self.0.built_in(Dimension::UserSegment)
    }

    /// The built-in segment that the products are in, of `builtInSegments`; null for all other groups.
    async fn built_in_product_segment(&self) -> Option<BuiltInSegment> {
        self.0.built_in(Dimension::ProductSegment)
    }

    /// How many of the report's actions the users have in the range.
    async fn user_frequency(&self) -> Result<Option<UserFrequency>> {
        let word = self
            .0
            .word(Dimension::UserFrequency, report::UserFrequency::parse)?;
        Ok(word.map(Into::into))
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
    ReportConnection, ReportEdge of ReportRow, with Answered {
        /// The metrics of all actions of the report, whatever `having` and page. By product or category amounts and units
        /// are those of the cart items, counts are of all actions.
        async fn totals(&self) -> Option<ReportValues> {
            Some(ReportValues(self.more.asked.totals.clone()))
        }

        /// The totals less this page: all other groups as one. Metrics that do not add up are null.
        async fn others(&self) -> Option<ReportValues> {
            Some(ReportValues(self.more.asked.others.clone()))
        }

        /// How fresh and how complete these numbers are, and where they were read.
        async fn info(&self) -> ReportInfo {
            self.more.info.clone()
        }
    }
}
