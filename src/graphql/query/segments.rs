//! Root fields of segments that callers define.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::domain::filter::{Filter, Op, SegmentField, SegmentTest};
use crate::domain::rule;
use crate::domain::text::fold;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::built_in::BuiltInSegmentInput;
use crate::graphql::input::order::SegmentOrder;
use crate::graphql::input::rule::SegmentRuleInput;
use crate::graphql::scalar::DateTime;
use crate::graphql::siblings::alone;
use crate::graphql::types::awaited_product::AwaitedProductConnection;
use crate::graphql::types::segment::{Segment, SegmentConnection, SegmentState, SegmentSubject};
use crate::graphql::types::segment_overlap::SegmentOverlap;
use crate::graphql::types::segment_preview::SegmentPreview;
use crate::store;
use crate::store::keyset::printed_order;

/// Segments that callers define.
#[derive(Default)]
pub struct Segments;

#[Object]
impl Segments {
    /// A segment, whatever its state; null for an id that is malformed, foreign or unknown.
    async fn segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Option<Result<Segment>> {
        let found = async {
            let request = request(ctx)?;
            let Some(key) = Kind::Segment.key(&id) else {
                return Ok(None);
            };
            let segment = request.loaders.one::<rule::Segment>(key).await?;
            Ok(segment.map(alone))
        };
        found.await.transpose()
    }

    /// Segments that were defined, by name unless ordered otherwise; not the archived ones unless asked for.
    async fn segments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of users or of products; both unless given.")] subject: Option<
            SegmentSubject,
        >,
        #[graphql(desc = "In one of these states; LIVE and FROZEN unless given.")] state: Option<
            Vec<SegmentState>,
        >,
        #[graphql(desc = "Whose names hold this text, without regard to case.")]
        name_contains: Option<String>,
        #[graphql(desc = "Frozen from this segment.")] frozen_from: Option<ID>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<SegmentOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<SegmentConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let wanted = Wanted {
            subject,
            state,
            name_contains,
            frozen_from,
        };
        let found = async {
            let request = request(ctx)?;
            let keys = SegmentOrder::keys(order_by.as_deref(), request.limits.queries.order_keys)?;
            let order = request.order(&printed_order("segments", &keys));
            let page = page.request(ENTITIES, &order)?;
            let filter = wanted.filter();
            let (tx, scope) = (&request.tx, request.scope);
            let page = store::definitions::list(tx, scope, &filter, &keys, &page).await?;
            let asked: (Arc<RequestContext>, _) = (Arc::clone(request), filter);
            let count = Count::ask(move || {
                let (request, filter) = asked.clone();
                async move { Ok(store::definitions::count(&request.tx, request.scope, &filter).await?) }
            });
            Ok(SegmentConnection {
                slice: Slice::new(request.known(page).await, order),
                count,
            })
        };
        Some(found.await)
    }

    /// Products of the priority list that no action and no feed has named yet, those that were listed last first:
    /// `setPriorityProducts` and `addPriorityProducts` put them there.
    async fn awaited_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<AwaitedProductConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { AwaitedProductConnection::of(request(ctx)?, &page).await };
        Some(found.await)
    }

    /// What a rule would be as a segment: its size, some members with the reasons, what it costs, and everything that is
    /// wrong with it. Nothing is saved.
    async fn preview_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] rule: SegmentRuleInput,
        #[graphql(
            desc = "The segment whose new rule it would be: what `updateSegment` refuses of it is a problem here as well, such as a rule that leads back to its segment. The rule of a new one unless given."
        )]
        segment: Option<ID>,
        #[graphql(
            desc = "As of then: what was ordered later does not count. Statuses and names are today's. Now unless given."
        )]
        as_of: Option<DateTime>,
        #[graphql(
            desc = "How many members to show, at most 100 by default.",
            default = 10
        )]
        sample_size: i32,
    ) -> Option<Result<SegmentPreview>> {
        let found = async {
            let rule = (&rule, segment.as_ref());
            SegmentPreview::of(request(ctx)?, rule, as_of, sample_size).await
        };
        Some(found.await)
    }

    /// How segments overlap: sizes, each two of them, all of them, and how many are in one alone.
    async fn segment_overlap(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The segments: with `builtInSegments` 2 to 8 by default, all of users or all of products."
        )]
        ids: Option<Vec<ID>>,
        #[graphql(
            desc = "Built-in segments, behind `ids`; each has the members that `userSegments` or `productSegments` lists over its period."
        )]
        built_in_segments: Option<Vec<BuiltInSegmentInput>>,
        #[graphql(desc = "As of then, as `size` of a segment; now unless given.")] as_of: Option<
            DateTime,
        >,
    ) -> Option<Result<SegmentOverlap>> {
        let found = async {
            let ids = ids.as_deref().unwrap_or_default();
            SegmentOverlap::of(request(ctx)?, (ids, built_in_segments.as_deref()), as_of).await
        };
        Some(found.await)
    }
}

/// Which segments are asked for.
struct Wanted {
    subject: Option<SegmentSubject>,
    state: Option<Vec<SegmentState>>,
    name_contains: Option<String>,
    frozen_from: Option<ID>,
}

impl Wanted {
    fn filter(&self) -> Filter<SegmentTest> {
        let test = |field, op| Filter::Test(SegmentTest(field, op));
        let usual = [SegmentState::Live, SegmentState::Frozen];
        let states = self.state.as_deref().unwrap_or(&usual).iter();
        let states = states.map(|state| {
            let (archived, frozen) = match state {
                SegmentState::Live => (false, Some(false)),
                SegmentState::Frozen => (false, Some(true)),
                SegmentState::Archived => (true, None),
            };
            let archived = test(SegmentField::ArchivedAt, Op::IsNull(!archived));
            let frozen = frozen.map(|frozen| test(SegmentField::FrozenAt, Op::IsNull(!frozen)));
            Filter::All([archived].into_iter().chain(frozen).collect())
        });
        let mut all = vec![Filter::Any(states.collect())];
        if let Some(subject) = self.subject {
            let word = rule::Subject::from(subject).as_str();
            all.push(test(SegmentField::Subject, Op::Eq(word.into())));
        }
        if let Some(part) = &self.name_contains {
            // Behind the name of an archived segment stands its id, which no name can hold the sign before.
            let part = fold(part).replace(['\u{0}', '\u{1}'], "\u{fffd}");
            all.push(test(SegmentField::Name, Op::Contains(part)));
        }
        if let Some(id) = &self.frozen_from {
            let key = Kind::Segment.key(id);
            all.push(key.map_or_else(
                || Filter::Any(Vec::new()),
                |key| test(SegmentField::FrozenFrom, Op::Eq(key.into())),
            ));
        }
        Filter::All(all)
    }
}
