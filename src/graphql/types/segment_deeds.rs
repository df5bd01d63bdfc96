//! What the members of segments did in stretches of time, and what was bought most.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::SimpleObject;
use futures::future::{BoxFuture, FutureExt as _};
use uuid::Uuid;

use super::ranking::{Firsts, TopProducts, firsts, rank_by};
use super::sales::{Money, amounts};
use super::segment::{Segment, defined};
use super::words::RankMetric;
use crate::analytics::members::Want;
use crate::analytics::segments::set_products;
use crate::domain::error::Code;
use crate::domain::rule;
use crate::domain::rule::{Definitions, Moment, SegmentSet};
use crate::domain::sales::{RankBy, SalesRow};
use crate::domain::time::Span;
use crate::graphql::connection::{ENTITIES, size};
use crate::graphql::context::{RequestContext, of_segment};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::loaders::Entity as _;
use crate::graphql::scalar::{CurrencyCode, count};
use crate::graphql::siblings::Group;
use crate::store::segment_metrics::{Done, done};

/// What is told of each of some segments, or what is wrong with it.
type Told<T> = HashMap<Uuid, Result<T>>;

/// What the members of segments did in stretches of time, or what is wrong with a segment.
pub(super) type Metrics = Told<Vec<Done>>;

/// Asks something of sets: together for all segments, and for each by itself where they do not fit into one statement. What is
/// wrong with one of them is told of it alone.
async fn of_each<'a, T: Send>(
    all: &Definitions,
    ids: &[Uuid],
    each: &'a [Result<Vec<Arc<SegmentSet>>>],
    ask: impl Fn(Vec<&'a [Arc<SegmentSet>]>) -> BoxFuture<'a, crate::domain::error::Result<Vec<T>>>,
) -> Result<Told<Vec<T>>> {
    let fit = each.iter().flatten().map(Vec::as_slice).collect();
    let mut together = match ask(fit).await {
        Ok(known) => Some(known.into_iter()),
        Err(error) if error.code() == Code::LimitExceeded => None,
        Err(error) => return Err(error.into()),
    };
    let mut found = HashMap::with_capacity(ids.len());
    for (id, sets) in ids.iter().zip(each) {
        let told = match (sets, &mut together) {
            (Err(failure), _) => Err(failure.clone()),
            (Ok(sets), Some(known)) => Ok(known.by_ref().take(sets.len()).collect()),
            (Ok(sets), None) => ask(vec![sets])
                .await
                .map_err(|error| of_segment(all.segment(*id), error.into())),
        };
        found.insert(*id, told);
    }
    Ok(found)
}

/// What the members of segments as of moments did in the stretches of time that go with these.
///
/// # Errors
/// When the store fails.
pub(super) async fn metrics_of_each(
    request: &RequestContext,
    all: &Definitions,
    ids: &[Uuid],
    (moments, spans): (&[Moment], &[Span]),
) -> Result<Metrics> {
    let each = request.sets_of_each(all, ids, moments, Want::Members).await;
    let ask = move |sets: Vec<&[Arc<SegmentSet>]>| {
        let asked = sets
            .into_iter()
            .flat_map(|sets| sets.iter().cloned().zip(spans.iter().copied()));
        let asked: Vec<(Arc<SegmentSet>, Span)> = asked.collect();
        async move { done(&request.tx, request.scope, &asked).await }.boxed()
    };
    of_each(all, ids, &each, ask).await
}

/// What the members of a segment as of now did in a range.
///
/// # Errors
/// When the range cannot be, the segment cannot be evaluated, or the store fails.
pub(super) async fn metrics(
    segment: &Segment,
    request: &Arc<RequestContext>,
    (range, how): (RangeInput, RangeArgs),
) -> Result<SegmentMetrics> {
    let span = how.ranged(range, request)?.range.span;
    let all = defined(segment, request).await?;
    let load = |group: Arc<Group<rule::Segment>>| async move {
        let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
        let now = request.moment(request.now);
        metrics_of_each(request, &all, &ids, (&[now], &[span])).await
    };
    let known: Arc<Metrics> = segment.batch("metrics", &span, load).await?;
    SegmentMetrics::of_place(&known, segment.key(), 0)
}

/// The first products of segments, or what is wrong with a segment.
struct Tops {
    lists: Firsts<Uuid>,
    failed: HashMap<Uuid, Failure>,
}

impl Tops {
    fn of(told: Told<Vec<Vec<SalesRow>>>, first: u32) -> Self {
        let (mut lists, mut failed) = (HashMap::new(), HashMap::new());
        for (id, told) in told {
            match told {
                Ok(rows) => {
                    lists.insert(id, rows.into_iter().next().unwrap_or_default());
                }
                Err(failure) => {
                    failed.insert(id, failure);
                }
            }
        }
        Self {
            lists: firsts(lists, first),
            failed,
        }
    }
}

/// The first products of segments as of now in a stretch of time.
async fn tops_of_each(
    request: &RequestContext,
    all: &Definitions,
    ids: &[Uuid],
    (span, by, first): (Span, RankBy, u32),
) -> Result<Tops> {
    let now = [request.moment(request.now)];
    let each = request.sets_of_each(all, ids, &now, Want::Members).await;
    // One more tells whether the list goes on.
    let rows = usize::try_from(first)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let ask = move |sets: Vec<&[Arc<SegmentSet>]>| {
        let sets = sets.concat();
        async move { set_products(&request.tx, request.scope, (&sets, span), (by, rows)).await }
            .boxed()
    };
    let told = of_each(all, ids, &each, ask).await?;
    Ok(Tops::of(told, first))
}

/// How the products of a segment are ranked.
pub(super) struct TopArgs {
    /// How many.
    pub first: i32,
    /// By what.
    pub by: RankMetric,
    /// In which currency.
    pub currency: Option<CurrencyCode>,
}

/// The products that the members of a segment of users bought most in a range, or those of a segment of products that were
/// bought most.
///
/// # Errors
/// When an argument is not acceptable, the segment cannot be evaluated, or the store fails.
pub(super) async fn top_products(
    segment: &Segment,
    request: &Arc<RequestContext>,
    (range, how): (RangeInput, RangeArgs),
    args: TopArgs,
) -> Result<TopProducts> {
    let first = size("first", args.first, ENTITIES, &request.limits.queries.pages)?;
    let by = rank_by(args.by, args.currency, request)?;
    let span = how.ranged(range, request)?.range.span;
    let asked = (span, by, first);
    let all = defined(segment, request).await?;
    let load = |group: Arc<Group<rule::Segment>>| async move {
        let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
        tops_of_each(request, &all, &ids, asked).await
    };
    let tops: Arc<Tops> = segment.batch("topProducts", &asked, load).await?;
    match tops.failed.get(&segment.key()) {
        Some(failure) => Err(failure.clone()),
        None => Ok(TopProducts::of(&tops.lists, &segment.key())),
    }
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
    /// Of a segment, in the stretch of time at a place.
    pub(super) fn of_place(known: &Metrics, id: Uuid, place: usize) -> Result<Self> {
        let own = known.get(&id).cloned();
        let own = own.unwrap_or_else(|| Ok(Vec::new()))?;
        Self::of(own.get(place).unwrap_or(&Done::default()))
    }

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
