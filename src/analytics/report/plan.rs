//! From a request to its plan: which questions, to which sources. Pure.

use super::check::check;
use super::pieces::{Pieces, divided, whole};
use super::shape::default_order;
use crate::analytics::catalog::{CATALOG, Question, clicks, why_facts};
use crate::domain::error::Result;
use crate::domain::filter::Filter;
use crate::domain::limits::Narrowing;
use crate::domain::page::Direction;
use crate::domain::report::buckets::{closing_days, divide, earlier};
use crate::domain::report::metric::{
    Additivity, Measure, Metric, Standing, Unit, follows_from_sums,
};
use crate::domain::report::plan::{Ask, Part, PeriodPlan, Plan, Source, Top, What};
use crate::domain::report::{
    Bucket, Comparison, Dimension, OrderKey, ReportLimits, ReportOrder, ReportRequest,
};
use crate::domain::sales::{AxisRange, DateAxis};
use crate::domain::time::{DAY_US, Span};
use crate::domain::totals::{Grain, Total, cover};
use std::collections::{BTreeMap, BTreeSet};

/// How long before now the stretch ends that expectations rest on, in days: until then most actions are processed.
const BASE_ENDS: i64 = 30;
/// How long that stretch is, in days.
const BASE_LASTS: i64 = 360;

/// Plans a report for whoever sees the rows that `narrowing` leaves.
///
/// # Errors
/// When the request contradicts itself, or would be divided into too many stretches of time.
pub fn plan(request: &ReportRequest, narrowing: Narrowing, limits: ReportLimits) -> Result<Plan> {
    check(request, limits)?;
    let planner = Planner {
        request,
        narrowing,
        limits,
        clicks: clicks_of(request, narrowing)?,
        over_items: request.dimensions.iter().any(|by| by.is_of_items()),
    };
    planner.plan()
}

/// All metrics that a report measures somewhere.
pub(super) fn metrics(request: &ReportRequest) -> BTreeSet<Metric> {
    let wanted = &request.wanted;
    let beside = wanted.compared.iter().chain(&wanted.totals);
    let beside = beside.chain(&wanted.compared_totals);
    let beside = beside.chain(&wanted.others).copied();
    let mut all = metrics_of_groups(request);
    all.extend(beside);
    all
}

/// The metrics that are measured of each group: those asked for, those that the list is ordered and cut by, and those that
/// the page is taken off the totals of.
fn metrics_of_groups(request: &ReportRequest) -> BTreeSet<Metric> {
    let ordered = request.order.iter().filter_map(|order| match order.key {
        OrderKey::Metric(metric, _) => Some(metric),
        OrderKey::Dimension(_) | OrderKey::Time => None,
    });
    let had = request.having.iter().map(|having| having.metric);
    let asked = request.metrics.iter().copied();
    let taken_off = metrics_of_others(request);
    asked.chain(ordered).chain(had).chain(taken_off).collect()
}

/// The metrics that are measured of all facts: those asked for, and those that the page is taken off.
fn metrics_of_totals(request: &ReportRequest) -> BTreeSet<Metric> {
    let asked = request.wanted.totals.iter().copied();
    asked.chain(metrics_of_others(request)).collect()
}

/// What is asked for of the totals less the page, as far as it follows from sums: the rest is not answered.
fn metrics_of_others(request: &ReportRequest) -> impl Iterator<Item = Metric> {
    let over_items = request.dimensions.iter().any(|by| by.is_of_items());
    let asked = request.wanted.others.iter().copied();
    asked.filter(move |metric| follows_from_sums(*metric, over_items))
}

/// Whether a metric is of money, in a currency each.
pub(super) fn is_of_money(metric: Metric) -> bool {
    matches!(
        metric.definition().unit,
        Unit::Money | Unit::RatioPerCurrency
    )
}

/// Whether a metric counts clicks or views.
fn of_clicks(metric: Metric) -> bool {
    metric.definition().of_clicks()
}

/// Where clicks and views are read: decided once for a report, so that its rows add up to its totals.
fn clicks_of(request: &ReportRequest, narrowing: Narrowing) -> Result<Option<Source>> {
    let mut measures = Vec::new();
    for metric in metrics(request).iter().map(|metric| metric.definition()) {
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

/// A request being planned.
struct Planner<'a> {
    request: &'a ReportRequest,
    narrowing: Narrowing,
    limits: ReportLimits,
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
    /// Whether sums are of single days, because they are converted.
    per_day: bool,
}

/// Part of a report: how its facts are divided, and what is measured of the groups.
struct Division<'a> {
    range: AxisRange,
    slots: &'a [Span],
    dimensions: &'a [Dimension],
    item_sums: bool,
    metrics: BTreeSet<Metric>,
}

impl Planner<'_> {
    fn plan(&self) -> Result<Plan> {
        let request = self.request;
        let mut forced = BTreeSet::new();
        let (range, zone) = (request.range.span, request.range.zone);
        let slots = match request.bucket {
            Some(bucket) => {
                let most = ("reportStretches", self.limits.stretches);
                divide(range, bucket, (zone, request.week_start), most)?
            }
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
        let current = self.current(slots, &mut forced);
        let compared = compared.map(|(range, slots)| self.compared(range, slots, &mut forced));
        let base = metrics(request).contains(&Metric::ExpectedReward).then(|| {
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
                per_day: false,
            };
            self.ask(topic, &mut forced)
        });
        Ok(Plan {
            current,
            compared,
            base,
            forced: forced.into_iter().collect(),
            most_rows: self.limits.rows,
        })
    }

    /// The questions about the range, which is divided into these stretches, if it is.
    fn current(&self, slots: Vec<Span>, forced: &mut BTreeSet<String>) -> PeriodPlan {
        let request = self.request;
        let range = request.range;
        if range.span.is_empty() {
            return PeriodPlan::default();
        }
        let totals = self.totals(range, metrics_of_totals(request), forced);
        let wanted = &request.wanted;
        let alone = request.page.size == 0 && !wanted.groups && wanted.others.is_empty();
        let mut groups = Vec::new();
        if !alone {
            let metrics = metrics_of_groups(request);
            groups = self.groups(range, &slots, metrics, forced);
        }
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

    /// The questions about the period that is compared with: about its groups and about all of it, by what is asked for
    /// of them.
    fn compared(
        &self,
        range: AxisRange,
        slots: Vec<Span>,
        forced: &mut BTreeSet<String>,
    ) -> PeriodPlan {
        let (request, wanted) = (self.request, &self.request.wanted);
        if range.span.is_empty() {
            return PeriodPlan::default();
        }
        let set = |metrics: &[Metric]| metrics.iter().copied().collect::<BTreeSet<Metric>>();
        let totals = self.totals(range, set(&wanted.compared_totals), forced);
        let mut of_groups = set(&wanted.compared);
        let has_page = request.page.size > 0;
        let shows_vanished = request.vanished && (has_page || wanted.groups);
        if shows_vanished && metrics_of_groups(request).iter().any(|one| of_clicks(*one)) {
            // Nor is a group left out that was clicked before and is not now.
            of_groups.insert(Metric::Clicks);
        }
        let mut groups = Vec::new();
        if shows_vanished || has_page && !of_groups.is_empty() {
            groups = self.groups(range, &slots, of_groups, forced);
        }
        if groups.is_empty() && totals.is_empty() {
            return PeriodPlan::default();
        }
        PeriodPlan {
            groups,
            totals,
            slots,
        }
    }

    /// The questions about all facts of a range; none where nothing is measured of them.
    fn totals(
        &self,
        range: AxisRange,
        metrics: BTreeSet<Metric>,
        forced: &mut BTreeSet<String>,
    ) -> Vec<Ask> {
        if metrics.is_empty() {
            return Vec::new();
        }
        let division = Division {
            range,
            slots: &[],
            dimensions: &[],
            item_sums: self.over_items,
            metrics,
        };
        self.asks(&division, forced)
    }

    fn groups(
        &self,
        range: AxisRange,
        slots: &[Span],
        metrics: BTreeSet<Metric>,
        forced: &mut BTreeSet<String>,
    ) -> Vec<Ask> {
        let division = Division {
            range,
            slots,
            dimensions: &self.request.dimensions,
            item_sums: false,
            metrics,
        };
        self.asks(&division, forced)
    }

    /// The questions about the groups of a division: the sums first, then what does not add up, each by itself.
    fn asks(&self, division: &Division<'_>, forced: &mut BTreeSet<String>) -> Vec<Ask> {
        let metrics = &division.metrics;
        let of_money = metrics.iter().any(|metric| is_of_money(*metric));
        let per_day = self.request.currency.is_some() && of_money;
        let needs: BTreeSet<Measure> = metrics
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
        let topic = |what| Topic {
            per_day: per_day && matches!(what, What::Sums(_)),
            what,
            range: division.range,
            slots: division.slots,
            dimensions: division.dimensions,
            item_sums: division.item_sums,
        };
        let mut asks = Vec::new();
        if is_by_user(division) && !per_day {
            // Users are counted in the same statement.
            let counted = needs.contains(&Measure::Users).then_some(Measure::Users);
            let what = What::Sums(sums.iter().copied().chain(counted).collect());
            asks.push(Ask {
                per_user: Some(Vec::new()),
                ..self.ask(topic(what), forced)
            });
        }
        let rest = others.filter(|what| asks.is_empty() || *what != What::Users);
        let first = asks.is_empty().then_some(What::Sums(sums));
        let has_clicks = metrics.iter().any(|metric| of_clicks(*metric));
        let clicks = has_clicks.then_some(What::Clicks);
        let rest: Vec<What> = first.into_iter().chain(clicks).chain(rest).collect();
        asks.extend(rest.into_iter().map(|what| self.ask(topic(what), forced)));
        asks
    }

    /// The largest groups alone, where a page needs no others.
    fn top(&self, asks: &[Ask]) -> Option<Top> {
        let request = self.request;
        let page = &request.page;
        let wanted = &request.wanted;
        let plain = request.bucket.is_none()
            // Few groups are quicker summed up at once.
            && request.dimensions.iter().any(|by| has_many_values(*by))
            // Its texts are empty where a reason is not stated.
            && !request.dimensions.contains(&Dimension::DeclineReason)
            && request.having.is_empty()
            && (request.compare.is_none() || wanted.compared.is_empty() && !request.vanished)
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
        let (source, pieces) = self.source(&topic, forced);
        Ask {
            what: topic.what,
            source,
            range: topic.range,
            parts: pieces.parts,
            places: pieces.places,
            begins: pieces.begins,
            dimensions: topic.dimensions.to_vec(),
            segments: if topic.dimensions.is_empty() {
                Vec::new()
            } else {
                self.request.segments.clone()
            },
            item_sums: topic.item_sums,
            per_day: topic.per_day,
            filter: self.request.filter.clone(),
            top: None,
            per_user: None,
        }
    }

    fn source(&self, topic: &Topic<'_>, forced: &mut BTreeSet<String>) -> (Source, Pieces) {
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
                .filter(|grain| !topic.per_day || *grain <= Grain::Day)
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

/// Whether facts are summed up by user first: where nothing but what users are divides them.
fn is_by_user(division: &Division<'_>) -> bool {
    let of_users = |by: &Dimension| matches!(by, Dimension::UserAge | Dimension::UserFrequency);
    division.range.axis == DateAxis::Ordered
        && division.slots.is_empty()
        && !division.dimensions.is_empty()
        && division.dimensions.iter().all(of_users)
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
        begins: Vec::new(),
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
            ..Pieces::default()
        };
    }
    let mut pieces = Pieces::default();
    let mut list = Vec::new();
    for (slot, span) in topic.slots.iter().enumerate() {
        if let Some(stretch) = on_axis(span) {
            pieces.places.insert((0, stretch.0), vec![(slot, 1)]);
            list.push(stretch);
            if topic.range.axis == DateAxis::Closed {
                pieces.begins.push(span.from.micros());
            }
        }
    }
    if !list.is_empty() {
        pieces.parts.push(Part::Facts(list));
    }
    pieces
}
