//! Root fields of reports.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::analytics::report::run;
use crate::domain::error::Error;
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::report::{Comparison, OrderKey, ReportRequest};
use crate::domain::rule::SegmentSet;
use crate::domain::time;
use crate::graphql::EngineOptions;
use crate::graphql::connection::{Count, ListOrder, PageArgs, REPORT_GROUPS, Slice};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::action_filter::{ActionFilter, only_currency};
use crate::graphql::input::built_in::BuiltInSegmentInput;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::reader::filter as read_filter;
use crate::graphql::input::report::{
    Currencies, Divided, ReportHaving, ReportOrder, check_looks, check_metrics, dimensions, having,
    order,
};
use crate::graphql::report_selection::Selected;
use crate::graphql::scalar::{CurrencyCode, TimeZone};
use crate::graphql::siblings::page_of_siblings;
use crate::graphql::types::built_in_segment::{AskedBuiltIn, BuiltInSegment, built_in_of};
use crate::graphql::types::drill_down::BuiltInGiven;
use crate::graphql::types::info::AggregateInfo;
use crate::graphql::types::metric::{MetricDefinition, definitions};
use crate::graphql::types::report::{Answered, Asked, Grouped, ReportConnection, ReportRow};
use crate::graphql::types::report_info::{ReportInfo, Told};
use crate::graphql::types::report_words::{ReportComparison, ReportDimension, TimeBucket};
use crate::graphql::types::segment::segments_of;

/// Reports.
#[derive(Default)]
pub struct Reports;

#[Object]
impl Reports {
    /// Actions of a range, divided into groups by any dimensions and by time, with any metrics of each group. Exactly the
    /// actions of the filter count, declined ones included. Only what is selected is computed. Without `groupBy` and
    /// `bucket` there is one row: all of it.
    async fn report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "What to divide by, at most 5 dimensions by default, each once.")]
        group_by: Option<Vec<ReportDimension>>,
        #[graphql(
            desc = "The segments of USER_SEGMENT and PRODUCT_SEGMENT in `groupBy`, at most 20 together by default."
        )]
        segments: Option<Vec<ID>>,
        #[graphql(
            desc = "Built-in segments of USER_SEGMENT and PRODUCT_SEGMENT in `groupBy`, beside `segments`, at most 20 together with these by default; each has the members that `userSegments` or `productSegments` lists over its period, whatever the report's range."
        )]
        built_in_segments: Option<Vec<BuiltInSegmentInput>>,
        #[graphql(
            desc = "Divides by time as well, into stretches of this length in the time zone; not divided by time unless given."
        )]
        bucket: Option<TimeBucket>,
        #[graphql(desc = "Which actions: exactly these; all of any status unless given.")]
        filter: Option<ActionFilter>,
        #[graphql(
            desc = "Which groups stay: those that satisfy all of these, at most 10 by default."
        )]
        having: Option<Vec<ReportHaving>>,
        #[graphql(
            desc = "The order of the groups, at most 5 keys by default, ties by time and key. By time, then by the number of actions, the most first, unless given."
        )]
        order_by: Option<Vec<ReportOrder>>,
        #[graphql(
            desc = "What `compared` and `change`, of rows and of totals, compare with; read only where one of them is selected, or `includeVanished` given. Groups that only that period has are no rows without `includeVanished`; its totals count them.",
            default_with = "ReportComparison::PreviousPeriod"
        )]
        compare_with: ReportComparison,
        #[graphql(
            desc = "Whether groups that only the period of `compareWith` has appear as well, with zeros, nulls for rates and times, and what they had in `compared`. Order, pages and `totalCount` are of all rows. `having` looks at the range, so at zeros.",
            default = false
        )]
        include_vanished: bool,
        #[graphql(
            desc = "Whether stretches of time without actions appear, with zeros: for each group that has actions at another time of the range. Needs `bucket`.",
            default = false
        )]
        fill_gaps: bool,
        #[graphql(
            desc = "Converts all money to this currency: each day's amounts by the latest rate up to that day (in UTC). Amounts without a rate stay as they are, and `info.missingRates` says which. Not converted unless given."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(
            desc = "The time zone of the range and of the stretches of time; the publisher's unless given."
        )]
        time_zone: Option<TimeZone>,
        #[graphql(
            desc = "The first day of weeks, in the range and in the stretches of time; MONDAY unless given."
        )]
        week_start: Option<WeekStart>,
        #[graphql(
            desc = "How many groups from the start, at most 10000 by default; 100 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 10000 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ReportConnection>> {
        let args = ReportArgs {
            range,
            how: RangeArgs {
                axis: date_axis,
                zone: time_zone,
                week_start,
            },
            group_by,
            segments,
            built_in_segments,
            bucket,
            filter,
            having,
            order_by,
            compare_with,
            include_vanished,
            fill_gaps,
            currency,
            page: PageArgs {
                first,
                after,
                last,
                before,
            },
        };
        let found = async { args.report(ctx).await };
        Some(found.await)
    }

    /// The metrics of reports: what each is, how it is computed and what it can be asked for with.
    async fn metric_definitions(&self) -> Vec<MetricDefinition> {
        definitions()
    }
}

/// What a caller asks of a report.
struct ReportArgs {
    range: RangeInput,
    how: RangeArgs,
    group_by: Option<Vec<ReportDimension>>,
    segments: Option<Vec<ID>>,
    built_in_segments: Option<Vec<BuiltInSegmentInput>>,
    bucket: Option<TimeBucket>,
    filter: Option<ActionFilter>,
    having: Option<Vec<ReportHaving>>,
    order_by: Option<Vec<ReportOrder>>,
    compare_with: ReportComparison,
    include_vanished: bool,
    fill_gaps: bool,
    currency: Option<CurrencyCode>,
    page: PageArgs,
}

impl ReportArgs {
    async fn report(&self, ctx: &Context<'_>) -> Result<ReportConnection> {
        let request = request(ctx)?;
        let selected = Selected::of(ctx.field())?;
        if selected.explain {
            request.viewer.check_explain()?;
        }
        let filter = read_filter("filter", self.filter.as_ref(), request).await?;
        let currencies = Currencies {
            converted: self.currency.map(|code| code.0),
            only: only_currency(&filter),
            main: Some(request.viewer.publisher.currency),
        };
        let (mut asked, order) = self.request(request, filter, currencies, &selected)?;
        asked.segments = self.segments(request).await?;
        let built_in = self.built_in(request).await?;
        let sets = built_in.iter().map(|one| Arc::clone(&one.set));
        asked.segments.extend(sets);
        let report = run(&request.tx, request.scope, &asked, request.limits.reports).await?;
        let span = asked.range.span;
        let compared = match Comparison::from(self.compare_with) {
            Comparison::PreviousPeriod => asked.previous,
            Comparison::YearBefore => span.year_before(asked.range.zone),
        };
        let info = ReportInfo {
            facts: AggregateInfo::of_list(request, Some(asked.range), asked.filter),
            told: Arc::new(Told {
                range: span,
                compared,
                reading: report.reading,
                missing_rates: report.missing_rates,
                lacking_clicks: report.lacking_clicks,
                explain: report.explain,
            }),
        };
        let asked = Arc::new(Asked {
            dimensions: asked.dimensions,
            segments: asked.segments,
            built_in_given: given_built_in(ctx, &built_in)?,
            built_in: by_set(built_in),
            span,
            filter: given_filter(ctx)?,
            currencies,
            totals: report.totals,
            compared_totals: report.compared_totals,
            others: report.others,
        });
        let grouped = |row| {
            let asked = Arc::clone(&asked);
            Arc::new(Grouped { row, asked })
        };
        let page = page_of_siblings(report.page.map(grouped)).map(ReportRow);
        Ok(ReportConnection {
            slice: Slice::new(page, order),
            count: Count::Known(report.groups.unwrap_or_default()),
            more: Answered { asked, info },
        })
    }

    /// The segments that the report is divided by, as of now.
    async fn segments(&self, request: &Arc<RequestContext>) -> Result<Vec<Arc<SegmentSet>>> {
        let ids = self.segments.as_deref().unwrap_or_default();
        let (segments, all) = segments_of(request, "segments", ids).await?;
        let moment = request.moment(request.now);
        let ids: Vec<Uuid> = segments.iter().map(|segment| segment.id).collect();
        request.sets(&all, &ids, &[moment]).await
    }

    /// The built-in segments that the report is divided by, as of now.
    async fn built_in(&self, request: &RequestContext) -> Result<Vec<AskedBuiltIn>> {
        let given = self.built_in_segments.as_deref();
        built_in_of(request, BUILT_IN, given, request.now).await
    }

    /// What the engine is asked but segments, and the order of the list.
    fn request(
        &self,
        request: &RequestContext,
        filter: Filter<ActionTest>,
        currencies: Currencies,
        selected: &Selected,
    ) -> Result<(ReportRequest, ListOrder)> {
        check_looks(&selected.looks, currencies)?;
        let ranged = self.how.ranged(self.range, request)?;
        let EngineOptions {
            reports, queries, ..
        } = request.limits.as_ref();
        let dimensions = dimensions(self.group_by.as_deref(), reports.dimensions)?;
        let bucket = self.bucket.map(Into::into);
        let divided = Divided {
            dimensions: &dimensions,
            time: bucket.is_some(),
        };
        if self.fill_gaps && bucket.is_none() {
            let message = "fillGaps fills stretches of time: add bucket, such as bucket: DAY, or leave fillGaps out";
            return Err(Error::bad_input("fillGaps", message).into());
        }
        let most = queries.order_keys;
        let order = order(self.order_by.as_deref(), divided, currencies, most)?;
        let having = having(self.having.as_deref(), currencies, reports.conditions)?;
        let others = order.iter().filter_map(|order| match order.key {
            OrderKey::Metric(metric, _) => Some(metric),
            OrderKey::Dimension(_) | OrderKey::Time => None,
        });
        let others = others.chain(having.iter().map(|having| having.metric));
        check_metrics(
            selected.all_metrics().into_iter().chain(others),
            &dimensions,
        )?;
        let week_start = self
            .how
            .week_start
            .map_or_else(time::WeekStart::default, Into::into);
        let converted = currencies.converted;
        let segments = self.segments.as_deref().unwrap_or_default();
        let built_in = self.built_in_segments.as_deref().unwrap_or_default();
        let order_of_pages = request.order(&format!(
            "report {dimensions:?} {segments:?} {built_in:?} {bucket:?} {week_start:?} {order:?} {converted:?}"
        ));
        let mut page = self.page.request(REPORT_GROUPS, &order_of_pages)?;
        if !selected.rows {
            page.size = 0;
        }
        let shows_vanished = self.include_vanished && (selected.rows || selected.groups);
        let asked = ReportRequest {
            range: ranged.range,
            previous: ranged.previous,
            filter,
            dimensions,
            segments: Vec::new(),
            bucket,
            week_start,
            metrics: selected.metrics.iter().copied().collect(),
            wanted: selected.wanted(),
            having,
            order,
            page,
            currency: converted,
            compare: (selected.compared || shows_vanished).then(|| self.compare_with.into()),
            vanished: shows_vanished,
            fill_gaps: self.fill_gaps,
            now: request.now,
        };
        Ok((asked, order_of_pages))
    }
}

/// The argument of built-in segments.
const BUILT_IN: &str = "builtInSegments";

/// An argument as it was given, with the values of variables.
fn given(ctx: &Context<'_>, argument: &str) -> Result<Json> {
    let arguments = ctx.field().arguments().map_err(|_| unreadable())?;
    let given = arguments.into_iter().find(|(name, _)| name == argument);
    let given = given.map_or(Value::Null, |(_, value)| value);
    given.into_json().map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    Failure::internal("an argument of a report cannot be read twice")
}

/// The argument `filter` as it was given.
fn given_filter(ctx: &Context<'_>) -> Result<Option<Map<String, Json>>> {
    match given(ctx, "filter")? {
        Json::Object(filter) => Ok(Some(filter)),
        Json::Null => Ok(None),
        _ => Err(unreadable()),
    }
}

/// The built-in segments as they were given, by the ids of their sets: what stands in `users` or in `products` is what a
/// filter takes.
fn given_built_in(ctx: &Context<'_>, all: &[AskedBuiltIn]) -> Result<BuiltInGiven> {
    let list = match given(ctx, BUILT_IN)? {
        Json::Array(list) => list,
        Json::Null => Vec::new(),
        // One that stands for a list of itself.
        one => vec![one],
    };
    let mut found = BuiltInGiven::with_capacity(all.len());
    for (one, given) in all.iter().zip(list) {
        let condition = match given {
            Json::Object(way) => way.into_iter().map(|(_, condition)| condition).next(),
            _ => None,
        };
        let condition = condition.ok_or_else(unreadable)?;
        found.insert(one.set.id, condition);
    }
    Ok(found)
}

fn by_set(all: Vec<AskedBuiltIn>) -> HashMap<Uuid, BuiltInSegment> {
    let all = all.into_iter();
    all.map(|one| (one.set.id, one.segment)).collect()
}
