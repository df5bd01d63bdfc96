//! A segment over time: how many members it had, and what they did.

use std::sync::Arc;

use async_graphql::{Context, Object};
use uuid::Uuid;

use super::report_words::TimeBucket;
use super::segment::{Segment, Sizes, of, sizes_of_each};
use super::segment_deeds::{Metrics, SegmentMetrics, metrics_of_each};
use crate::analytics::members::Want;
use crate::domain::report::buckets::divide;
use crate::domain::rule;
use crate::domain::rule::{Definitions, Moment};
use crate::domain::time;
use crate::domain::time::Span;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::loaders::Entity as _;
use crate::graphql::scalar::{DateTime, count};
use crate::graphql::siblings::Group;

/// The stretches of time of a range that have begun, none of them reaching beyond now.
///
/// # Errors
/// When the range cannot be, or would be divided into too many.
fn stretches(
    request: &RequestContext,
    (range, how): (RangeInput, RangeArgs),
    bucket: TimeBucket,
) -> Result<Arc<[Span]>> {
    let ranged = how.ranged(range, request)?;
    let week_start = how
        .week_start
        .map_or_else(time::WeekStart::default, Into::into);
    let calendar = (ranged.range.zone, week_start);
    let most = ("segmentTrendPoints", request.limits.queries.trend_points);
    let spans = divide(ranged.range.span, bucket.into(), calendar, most)?;
    let begun = spans.into_iter().filter(|span| span.from <= request.now);
    let cut = begun.map(|span| Span {
        from: span.from,
        to: span.to.min(request.now),
    });
    Ok(cut.collect())
}

/// The stretches of time that a field divides its range into, and what it has to know of the members.
///
/// # Errors
/// When the range cannot be, or would be divided into too many.
pub fn asked(
    ctx: &Context<'_>,
    ranged: (RangeInput, RangeArgs),
    bucket: TimeBucket,
) -> Result<(Arc<[Span]>, Want)> {
    let spans = stretches(request(ctx)?, ranged, bucket)?;
    // Who is in it at each moment is kept where it is asked for what they did, too.
    let want = if ctx.look_ahead().field("metrics").exists() {
        Want::Members
    } else {
        Want::Size
    };
    Ok((spans, want))
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
            all: Arc::clone(all),
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
    /// Its definition, with those of all that were listed with it.
    all: Arc<Definitions>,
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
            let load = |group: Arc<Group<rule::Segment>>| {
                let (all, spans) = (Arc::clone(&self.all), Arc::clone(&self.spans));
                async move {
                    let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
                    let moments = moments(request, &spans);
                    metrics_of_each(request, &all, &ids, (&moments, &spans)).await
                }
            };
            let known: Arc<Metrics> = self
                .segment
                .batch("trendMetrics", &self.spans, load)
                .await?;
            SegmentMetrics::of_place(&known, self.segment.key(), self.place)
        };
        Some(found.await)
    }
}
