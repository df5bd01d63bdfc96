//! A segment over time: how many members it had, and what they did.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use uuid::Uuid;

use super::report_words::TimeBucket;
use super::sales::{Money, amounts};
use super::segment::{Segment, Sizes, defined, of, sizes_of_each};
use crate::analytics::members::Want;
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::report::buckets::divide;
use crate::domain::rule;
use crate::domain::rule::{Definitions, Moment, SegmentSet};
use crate::domain::time;
use crate::domain::time::Span;
use crate::graphql::context::{RequestContext, of_segment, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::loaders::Entity as _;
use crate::graphql::scalar::{DateTime, count};
use crate::graphql::siblings::Group;
use crate::store::segment_metrics::{Done, done};

/// How many points a trend may have: each is the segment, evaluated as of then.
pub const MAX_POINTS: usize = 60;

/// The stretches of time of a range that have begun, none of them reaching beyond now.
///
/// # Errors
/// When the range cannot be, or would be divided into too many.
pub fn stretches(
    request: &RequestContext,
    (range, how): (RangeInput, RangeArgs),
    bucket: TimeBucket,
) -> Result<Arc<[Span]>> {
    let ranged = how.ranged(range, request)?;
    let week_start = how
        .week_start
        .map_or_else(time::WeekStart::default, Into::into);
    let spans = divide(
        ranged.range.span,
        bucket.into(),
        ranged.range.zone,
        week_start,
    )?;
    if spans.len() > MAX_POINTS {
        let message = format!(
            "the trend would have {} points, at most {MAX_POINTS} are allowed: ask for a longer bucket or a shorter range",
            spans.len()
        );
        let passed = PassedLimit::of("segmentTrendPoints", MAX_POINTS, spans.len());
        return Err(Error::limit("bucket", passed, message).into());
    }
    let begun = spans.into_iter().filter(|span| span.from <= request.now);
    let cut = begun.map(|span| Span {
        from: span.from,
        to: span.to.min(request.now),
    });
    Ok(cut.collect())
}

fn moments(request: &RequestContext, spans: &[Span]) -> Vec<Moment> {
    spans.iter().map(|span| request.moment(span.to)).collect()
}

/// The points of a segment, and who is in it at each of them, if that is wanted, too: the sizes of all that were listed with it
/// are told together.
///
/// # Errors
/// When the segment cannot be evaluated, or the store fails.
pub async fn trend_of(
    segment: &Segment,
    request: &Arc<RequestContext>,
    all: &Arc<Definitions>,
    (spans, want): (Arc<[Span]>, Want),
) -> Result<Vec<SegmentPoint>> {
    let load = |group: Arc<Group<rule::Segment>>| {
        let moments = moments(request, &spans);
        async move {
            let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
            sizes_of_each(request, all, (&ids, &moments), want).await
        }
    };
    let trends: Arc<Sizes> = segment.batch("trend", &spans, load).await?;
    let sizes = of(&trends, segment.key())?;
    Ok(sizes
        .into_iter()
        .take(spans.len())
        .enumerate()
        .map(|(place, size)| SegmentPoint {
            segment: segment.clone(),
            spans: Arc::clone(&spans),
            place,
            size,
        })
        .collect())
}

/// A segment as of the end of a stretch of time.
#[derive(Clone)]
pub struct SegmentPoint {
    segment: Segment,
    /// The stretches of the whole trend.
    spans: Arc<[Span]>,
    /// Which of them it is.
    place: usize,
    size: i64,
}

impl SegmentPoint {
    fn span(&self) -> Result<Span> {
        let span = self.spans.get(self.place).copied();
        span.ok_or_else(|| Failure::internal("a point lies in no trend"))
    }
}

/// A segment as of the end of a stretch of time.
#[Object(name = "SegmentSizeAt")]
impl SegmentPoint {
    /// The beginning of the stretch of time.
    async fn from(&self) -> Result<DateTime> {
        Ok(DateTime(self.span()?.from))
    }

    /// The end of the stretch of time; now, for the one that is running.
    async fn at(&self) -> Result<DateTime> {
        Ok(DateTime(self.span()?.to))
    }

    /// Number of members as of the end.
    async fn size(&self) -> Result<i32> {
        count(self.size)
    }

    /// What those who are members as of the end did in the stretch of time.
    async fn metrics(&self, ctx: &Context<'_>) -> Option<Result<SegmentMetrics>> {
        let found = async {
            let request = request(ctx)?;
            let all = defined(&self.segment, request).await?;
            let load = |group: Arc<Group<rule::Segment>>| {
                let (all, spans) = (Arc::clone(&all), Arc::clone(&self.spans));
                async move {
                    let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
                    metrics_of_each(request, &all, &ids, &spans).await
                }
            };
            let known: Arc<Metrics> = self
                .segment
                .batch("trendMetrics", &self.spans, load)
                .await?;
            let own = known.get(&self.segment.key()).cloned();
            let own = own.unwrap_or_else(|| Ok(Vec::new()))?;
            SegmentMetrics::of(own.get(self.place).unwrap_or(&Done::default()))
        };
        Some(found.await)
    }
}

/// What the members of segments did in stretches of time, or what is wrong with a segment.
type Metrics = HashMap<Uuid, Result<Vec<Done>>>;

/// What the members of segments did in stretches of time: together for all segments, and for each by itself where they do
/// not fit into one statement. What is wrong with one of them is told of it alone.
///
/// # Errors
/// When the store fails.
async fn metrics_of_each(
    request: &RequestContext,
    all: &Definitions,
    ids: &[Uuid],
    spans: &[Span],
) -> Result<Metrics> {
    let moments = moments(request, spans);
    let each = request
        .sets_of_each(all, ids, &moments, Want::Members)
        .await;
    let with_spans = |sets: &[Arc<SegmentSet>]| -> Vec<(Arc<SegmentSet>, Span)> {
        sets.iter().cloned().zip(spans.iter().copied()).collect()
    };
    let fit = each.iter().flatten();
    let fit: Vec<(Arc<SegmentSet>, Span)> = fit.flat_map(|sets| with_spans(sets)).collect();
    let mut together = match done(&request.tx, &fit).await {
        Ok(known) => Some(known.into_iter()),
        Err(error) if error.code() == Code::LimitExceeded => None,
        Err(error) => return Err(error.into()),
    };
    let mut found = Metrics::with_capacity(ids.len());
    for (id, sets) in ids.iter().zip(each) {
        let metrics = match (sets, &mut together) {
            (Err(failure), _) => Err(failure),
            (Ok(sets), Some(known)) => Ok(known.by_ref().take(sets.len()).collect()),
            (Ok(sets), None) => done(&request.tx, &with_spans(&sets))
                .await
                .map_err(|error| of_segment(all.segment(*id), error.into())),
        };
        found.insert(*id, metrics);
    }
    Ok(found)
}

/// What the members of a segment did in a stretch of time; declined actions do not count.
#[derive(Clone, Debug, SimpleObject)]
pub struct SegmentMetrics {
    /// Number of their actions; of products, of the actions that have one of them in the cart.
    actions: i32,
    /// Number of distinct users of these actions: of a segment of users the members who did something.
    users: i32,
    /// Units of these actions; of products, of their cart items.
    units: i32,
    /// Order amounts of these actions, one per currency in the order of the codes; of products, of their cart items.
    order_amount: Vec<Money>,
    /// Rewards of these actions, one per currency in the order of the codes; of products, of their cart items.
    reward: Vec<Money>,
}

impl SegmentMetrics {
    fn of(done: &Done) -> Result<Self> {
        Ok(Self {
            actions: count(done.sums.actions)?,
            users: count(done.users)?,
            units: count(done.sums.units)?,
            order_amount: amounts(done.sums.order_amounts()),
            reward: amounts(done.sums.rewards()),
        })
    }
}
