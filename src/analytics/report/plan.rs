//! From a request to its plan: which questions, to which sources. Pure.

use super::pieces::{Pieces, divided, whole};
use super::shape::default_order;
use crate::analytics::catalog::{CATALOG, Question, clicks, why_facts};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::filter::Filter;
use crate::domain::limits::Narrowing;
use crate::domain::page::Direction;
use crate::domain::report::buckets::{closing_days, divide, earlier};
use crate::domain::report::metric::{Additivity, Measure, Metric, Standing, Unit};
use crate::domain::report::plan::{Ask, Part, PeriodPlan, Plan, Source, Top, What};
use crate::domain::report::{Bucket, Comparison, Dimension, OrderKey, ReportOrder, ReportRequest};
use crate::domain::rule::Subject;
use crate::domain::sales::{AxisRange, DateAxis};
use crate::domain::time::{DAY_US, Span};
use crate::domain::totals::{Grain, Total, cover};
use std::collections::{BTreeMap, BTreeSet};

/// How long before now the stretch ends that expectations rest on, in days: until then most actions are processed.
const BASE_ENDS: i64 = 30;
/// How long that stretch is, in days.
const BASE_LASTS: i64 = 360;

/// How many segments a report can be grouped by.
pub const MAX_SEGMENTS: usize = 20;

/// Plans a report for whoever sees the rows that `narrowing` leaves.
///
/// # Errors
/// When the request contradicts itself, or would be divided into too many stretches of time.
pub fn plan(request: &ReportRequest, narrowing: Narrowing) -> Result<Plan> {
    check(request)?;
    let metrics = metrics(request);
    let planner = Planner {
        request,
        narrowing,
        clicks: clicks_of(request, narrowing, &metrics)?,
        metrics,
        over_items: request.dimensions.iter().any(|by| by.is_of_items()),
    };
    planner.plan()
}

/// The metrics that a report measures: those asked for, and those that it is ordered and cut by.
pub(super) fn metrics(request: &ReportRequest) -> Vec<Metric> {
    let ordered = request.order.iter().filter_map(|order| match order.key {
        OrderKey::Metric(metric, _) => Some(metric),
        OrderKey::Dimension(_) | OrderKey::Time => None,
    });
    let had = request.having.iter().map(|having| having.metric);
    let asked = request.metrics.iter().copied();
    let all: BTreeSet<Metric> = asked.chain(ordered).chain(had).collect();
    all.into_iter().collect()
}

/// Whether a metric is of money, in a currency each.
pub(super) fn is_of_money(metric: Metric) -> bool {
    matches!(
        metric.definition().unit,
        Unit::Money | Unit::RatioPerCurrency
    )
}

/// Where clicks and views are read: decided once for a report, so that its rows add up to its totals.
fn clicks_of(
    request: &ReportRequest,
    narrowing: Narrowing,
    metrics: &[Metric],
) -> Result<Option<Source>> {
    let mut measures = Vec::new();
    for metric in metrics.iter().map(|metric| metric.definition()) {
        measures.extend(metric.of_clicks().then_some(Measure::Clicks));
        measures.extend(metric.of_views().then_some(Measure::Views));
    }
    if measures.is_empty() {
        return Ok(None);
    }
    let question = Question {
        axis: request.range.axis,
        dimensions: &request.dimensions,
        filter: &request.filter,
        narrowing,
        measures: &measures,
    };
    clicks(&question, request.bucket).map(Some)
}

fn check(request: &ReportRequest) -> Result<()> {
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
    check_segments(request)?;
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
fn check_segments(request: &ReportRequest) -> Result<()> {
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
                "the report is grouped by {}, but segments and builtInSegments name none of {}: say which, at most {MAX_SEGMENTS}",
                by.as_str(),
                subject.as_str()
            );
            return Err(Error::bad_input("segments", message));
        }
        if many > 1 && (request.wanted.others || request.wanted.running) {
            let message = format!(
                "{many} segments can overlap, and an action counts in each, so neither others nor running sums mean \
                 anything: leave them out, or group by one segment"
            );
            return Err(Error::bad_input("segments", message));
        }
    }
    if request.segments.len() > MAX_SEGMENTS {
        let message = format!(
            "segments and builtInSegments name {}, the most is {MAX_SEGMENTS}: ask in several reports",
            request.segments.len()
        );
        let passed = PassedLimit::of("reportSegments", MAX_SEGMENTS, request.segments.len());
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

/// A request being planned.
struct Planner<'a> {
    request: &'a ReportRequest,
    narrowing: Narrowing,
    metrics: Vec<Metric>,
    /// Where clicks and views are read, if there is a metric of them.
    clicks: Option<Source>,
    over_items: bool,
}

/// What a question is about, before it has a source.
struct Topic<'a> {
    what: What,
    range: AxisRange,
    slots: &'a [Span],
    dimensions: &'a [Dimension],
    item_sums: bool,
}

impl Planner<'_> {
    fn plan(&self) -> Result<Plan> {
        let request = self.request;
        let mut forced = BTreeSet::new();
        let (range, zone) = (request.range.span, request.range.zone);
        let slots = match request.bucket {
            Some(bucket) => divide(range, bucket, zone, request.week_start)?,
            None => Vec::new(),
        };
        let compared = request.compare.map(|comparison| {
            let span = match comparison {
                Comparison::PreviousPeriod => request.previous,
                Comparison::YearBefore => range.year_before(zone),
            };
            let slots = earlier(&slots, (range, span), comparison, zone);
            (request.range.with_span(span), slots)
        });
        let current = self.period(request.range, slots, &mut forced);
        let compared = compared.map(|(range, slots)| self.period(range, slots, &mut forced));
        let base = self.metrics.contains(&Metric::ExpectedReward).then(|| {
            let end = request.now.micros() - BASE_ENDS * DAY_US;
            let topic = Topic {
                what: What::Sums(vec![
                    Measure::Reward(Standing::Approved),
                    Measure::Reward(Standing::Declined),
                ]),
                range: request
                    .range
                    .with_span(Span::of_micros(end - BASE_LASTS * DAY_US, end)),
                slots: &[],
                dimensions: &[],
                item_sums: false,
            };
            Ask {
                per_day: false,
                ..self.ask(topic, &mut forced)
            }
        });
        Ok(Plan {
            current,
            compared,
            base,
            forced: forced.into_iter().collect(),
        })
    }

    /// The questions about a range that is divided into these stretches, if it is.
    fn period(
        &self,
        range: AxisRange,
        slots: Vec<Span>,
        forced: &mut BTreeSet<String>,
    ) -> PeriodPlan {
        let request = self.request;
        if range.span.is_empty() {
            return PeriodPlan::default();
        }
        let wanted = request.wanted;
        let mut totals = Vec::new();
        if wanted.totals || wanted.others {
            let all = self.asks(range, &[], &[], self.over_items, forced);
            // Only what adds up has others.
            let adds_up = |ask: &Ask| matches!(ask.what, What::Sums(_) | What::Clicks);
            totals = all
                .into_iter()
                .filter(|ask| wanted.totals || adds_up(ask))
                .collect();
        }
        let alone = request.page.size == 0 && !wanted.groups && !wanted.others;
        let mut groups = if alone {
            Vec::new()
        } else {
            self.asks(range, &slots, &request.dimensions, false, forced)
        };
        let top = self.top(&groups);
        if let (Some(top), Some(ask)) = (top, groups.first_mut()) {
            ask.top = Some(top);
        }
        PeriodPlan {
            groups,
            totals,
            slots,
        }
    }

    /// The questions about the groups of a period: the sums first, then what does not add up, each by itself.
    fn asks(
        &self,
        range: AxisRange,
        slots: &[Span],
        dimensions: &[Dimension],
        item_sums: bool,
        forced: &mut BTreeSet<String>,
    ) -> Vec<Ask> {
        let needs: BTreeSet<Measure> = self
            .metrics
            .iter()
            .flat_map(|metric| metric.definition().needs)
            .copied()
            .collect();
        let sums: Vec<Measure> = needs.iter().copied().filter(|need| is_sum(*need)).collect();
        let others = needs.iter().filter_map(|need| match need {
            Measure::Users => Some(What::Users),
            Measure::ConversionLag => Some(What::ConversionLag),
            Measure::ValidationLag => Some(What::ValidationLag),
            _ => None,
        });
        let mut asks = Vec::new();
        if self.is_by_user(range, slots, dimensions) {
            // Users are counted in the same statement.
            let counted = needs.contains(&Measure::Users).then_some(Measure::Users);
            let topic = Topic {
                what: What::Sums(sums.iter().copied().chain(counted).collect()),
                range,
                slots,
                dimensions,
                item_sums,
            };
            asks.push(Ask {
                per_user: Some(Vec::new()),
                ..self.ask(topic, forced)
            });
        }
        let rest = others.filter(|what| asks.is_empty() || *what != What::Users);
        let first = asks.is_empty().then_some(What::Sums(sums));
        let clicks = self.clicks.map(|_| What::Clicks);
        let rest: Vec<What> = first.into_iter().chain(clicks).chain(rest).collect();
        for what in rest {
            let topic = Topic {
                what,
                range,
                slots,
                dimensions,
                item_sums,
            };
            asks.push(self.ask(topic, forced));
        }
        asks
    }

    /// Whether facts are summed up by user first: where nothing but what users are divides them.
    fn is_by_user(&self, range: AxisRange, slots: &[Span], dimensions: &[Dimension]) -> bool {
        let of_users = |by: &Dimension| matches!(by, Dimension::UserAge | Dimension::UserFrequency);
        range.axis == DateAxis::Ordered
            && slots.is_empty()
            && !dimensions.is_empty()
            && dimensions.iter().all(of_users)
            && !self.is_per_day()
    }

    /// Whether sums are of single days, because they are converted.
    fn is_per_day(&self) -> bool {
        self.request.currency.is_some() && self.metrics.iter().any(|metric| is_of_money(*metric))
    }

    /// The largest groups alone, where a page needs no others.
    fn top(&self, asks: &[Ask]) -> Option<Top> {
        let request = self.request;
        let page = &request.page;
        let wanted = request.wanted;
        let plain = request.bucket.is_none()
            // Few groups are quicker summed up at once.
            && request.dimensions.iter().any(|by| has_many_values(*by))
            // Its texts are empty where a reason is not stated.
            && !request.dimensions.contains(&Dimension::DeclineReason)
            && request.having.is_empty()
            && request.compare.is_none()
            && !wanted.groups
            && !wanted.running
            && page.forward
            && page.after.is_none()
            && page.before.is_none();
        let [ask] = asks else { return None };
        if !plain || ask.per_day || ask.per_user.is_some() {
            return None;
        }
        let order = match request.order.as_slice() {
            [] => default_order(request),
            order => order.to_vec(),
        };
        let [
            ReportOrder {
                key: OrderKey::Metric(metric, currency),
                direction: Direction::Desc,
            },
        ] = order.as_slice()
        else {
            return None;
        };
        let definition = metric.definition();
        let [by] = definition.needs else { return None };
        (definition.additivity == Additivity::Additive).then_some(Top {
            by: *by,
            currency: *currency,
            count: page.size.saturating_add(1),
        })
    }

    /// A question with its source: the smallest total that fits, else the facts.
    fn ask(&self, topic: Topic<'_>, forced: &mut BTreeSet<String>) -> Ask {
        let per_day = matches!(topic.what, What::Sums(_)) && self.is_per_day();
        let (source, pieces) = self.source(&topic, per_day, forced);
        Ask {
            what: topic.what,
            source,
            range: topic.range,
            parts: pieces.parts,
            places: pieces.places,
            dimensions: topic.dimensions.to_vec(),
            segments: if topic.dimensions.is_empty() {
                Vec::new()
            } else {
                self.request.segments.clone()
            },
            item_sums: topic.item_sums,
            per_day,
            filter: self.request.filter.clone(),
            top: None,
            per_user: None,
        }
    }

    fn source(
        &self,
        topic: &Topic<'_>,
        per_day: bool,
        forced: &mut BTreeSet<String>,
    ) -> (Source, Pieces) {
        let measures: Vec<Measure> = match (&topic.what, self.clicks) {
            (What::Clicks, source) => {
                return (source.unwrap_or(Source::Clicks(None)), facts(topic));
            }
            (What::Sums(measures), _) => measures.clone(),
            (What::Users, _) => vec![Measure::Users],
            (What::ConversionLag, _) => vec![Measure::ConversionLag],
            (What::ValidationLag, _) => vec![Measure::ValidationLag],
        };
        let question = Question {
            axis: topic.range.axis,
            dimensions: topic.dimensions,
            filter: &self.request.filter,
            narrowing: self.narrowing,
            measures: &measures,
        };
        for entry in CATALOG.iter().filter(|entry| entry.fits(&question)) {
            let grains: Vec<Grain> = entry
                .total
                .grains()
                .iter()
                .copied()
                .filter(|grain| !per_day || *grain <= Grain::Day)
                .collect();
            if let Some(pieces) = cells(topic, self.request.bucket, &grains) {
                return (Source::Total(entry.total), pieces);
            }
        }
        let reason = why_facts(&question);
        forced.insert(reason);
        let over_items = topic.dimensions.iter().any(|by| by.is_of_items());
        let source = if over_items {
            Source::Items
        } else {
            Source::Facts
        };
        (source, facts(topic))
    }
}

/// Whether a publisher's actions can have very many values of a dimension.
fn has_many_values(dimension: Dimension) -> bool {
    matches!(
        dimension,
        Dimension::Product
            | Dimension::PromoCode
            | Dimension::Subid0
            | Dimension::Subid1
            | Dimension::Subid2
            | Dimension::Subid3
            | Dimension::Subid4
    )
}

/// A question for the number of actions whose order lies in a range, by currency.
pub(super) fn count(range: AxisRange, narrowing: Narrowing) -> Ask {
    let totals = [Total::Time, Total::Channel];
    let total = totals.into_iter().find(|total| narrowing.leaves(*total));
    let found = cover(range.span, total.map_or(&[], Total::grains));
    let ends = found.ragged.iter();
    let ends = ends.map(|span| Part::Facts(vec![(span.from.micros(), span.to.micros())]));
    let runs = found.cells.into_iter().map(Part::Run);
    Ask {
        what: What::Sums(Vec::new()),
        source: total.map_or(Source::Facts, Source::Total),
        range,
        parts: runs.chain(ends).collect(),
        places: BTreeMap::new(),
        dimensions: Vec::new(),
        segments: Vec::new(),
        item_sums: false,
        per_day: false,
        filter: Filter::default(),
        top: None,
        per_user: None,
    }
}

fn is_sum(measure: Measure) -> bool {
    // The number of actions is in every answer.
    !matches!(
        measure,
        Measure::Users
            | Measure::ConversionLag
            | Measure::ValidationLag
            | Measure::Clicks
            | Measure::Views
            | Measure::ActionsInCurrency
            | Measure::Actions(Standing::Any)
    )
}

fn cells(topic: &Topic<'_>, bucket: Option<Bucket>, grains: &[Grain]) -> Option<Pieces> {
    match bucket {
        Some(bucket) if !topic.slots.is_empty() => divided(topic.slots, bucket, grains),
        _ => whole(topic.range.span, grains),
    }
}

/// The stretches of a question on its axis, to be read from the facts, or from counts of clicks by their instants.
fn facts(topic: &Topic<'_>) -> Pieces {
    let on_axis = |span: &Span| match topic.range.axis {
        DateAxis::Closed => closing_days(*span, topic.range.zone),
        _ => (!span.is_empty()).then_some((span.from.micros(), span.to.micros())),
    };
    if topic.slots.is_empty() {
        let part = on_axis(&topic.range.span).map(|stretch| Part::Facts(vec![stretch]));
        return Pieces {
            parts: part.into_iter().collect(),
            places: BTreeMap::new(),
        };
    }
    let mut pieces = Pieces::default();
    let mut list = Vec::new();
    for (slot, span) in topic.slots.iter().enumerate() {
        if let Some(stretch) = on_axis(span) {
            pieces.places.insert((0, stretch.0), vec![(slot, 1)]);
            list.push(stretch);
        }
    }
    if !list.is_empty() {
        pieces.parts.push(Part::Facts(list));
    }
    pieces
}
