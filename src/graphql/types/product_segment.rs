//! The built-in segments of products over a range, and their members.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use async_graphql::{Context, Object};
use uuid::Uuid;

use super::Member;
use super::built_in_trend::{Unsaid, trend};
use super::info::{AggregateInfo, segments_source};
use super::product::Product;
use super::report_words::TimeBucket;
use super::sales::{Money, amounts};
use super::segment_member::SegmentReason;
use super::segment_parameters::ProductSegmentParameters;
use super::segment_trend::{SegmentPoint, asked};
use super::words::ProductSegmentKind;
use crate::analytics::segments::{self, ProductSegments};
use crate::domain::filter::Filter;
use crate::domain::page::{Page, PageRequest};
use crate::domain::rule::{BuiltIn, BuiltInKind};
use crate::domain::sales::{FactQuery, Sums, ratio};
use crate::domain::segment::{ProductRules, ProductSegment, ProductStats};
use crate::domain::time::Range;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, SEGMENTS, Slice, connection, page_by};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::range::{RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::reader::filter;
use crate::graphql::input::rules::{ProductRulesInput, product_rules};
use crate::graphql::scalar::{DateTime, TimeZone, count};
use crate::graphql::siblings::{Group, page_of_siblings, pages_of_siblings};

/// A segment with its members, as places in the statistics of all products.
pub struct Division {
    kind: ProductSegment,
    all: Arc<ProductSegments>,
    members: Vec<usize>,
    sums: Sums,
    /// The range as it was asked for.
    period: Range,
    /// What was asked for that the condition on being in the segment does not say.
    unsaid: Option<Unsaid>,
}

impl Division {
    /// The condition on being in it, and its name for people.
    fn named(&self) -> (BuiltIn, String) {
        let name = ProductSegmentKind::from(self.kind).name().to_owned();
        (built_in(self.kind, self.period), name)
    }
}

/// The condition on being in a segment over a period.
fn built_in(kind: ProductSegment, period: Range) -> BuiltIn {
    BuiltIn {
        kind: BuiltInKind::Products(kind),
        period: Some(period),
        currency: None,
        members: None,
    }
}

/// A built-in segment of products over a range.
pub type ProductSegmentResult = Member<Division>;

/// A built-in segment of products over a range.
#[Object(name = "ProductSegmentResult")]
impl ProductSegmentResult {
    /// Which segment.
    async fn kind(&self) -> ProductSegmentKind {
        self.kind.into()
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        ProductSegmentKind::from(self.kind).name()
    }

    /// Number of products in it.
    async fn size(&self) -> Result<i32> {
        count(i64::try_from(self.members.len()).unwrap_or(i64::MAX))
    }

    /// Units of its products that were sold in the range.
    async fn units(&self) -> Result<i32> {
        count(self.sums.units)
    }

    /// Order amounts of its products' items in the range, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.sums.order_amounts())
    }

    /// Rewards of its products' items in the range, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.sums.rewards())
    }

    /// Its size as of the end of each stretch of time of a range, at most 60 by default, and what its members did in that stretch: the
    /// segment divided anew as of then, as `trend` of a `Segment` whose rule is the condition `builtInSegment` with the same
    /// period and nothing else. A period by `last` or by name moves on with time, a fixed one is cut where the stretch ends.
    /// Parameters are those that the publisher has set. What the condition cannot say is refused: `productSegments` with a filter,
    /// with `rules` that differ from what is set, or on another axis, time zone or start of weeks.
    async fn trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "The length of the stretches of time.")] bucket: TimeBucket,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks; MONDAY unless given.")] week_start: Option<
            WeekStart,
        >,
    ) -> Option<Result<Vec<SegmentPoint>>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let found = async {
            let list = ("productSegments", self.unsaid);
            let asked = asked(ctx, (range, how), bucket)?;
            trend(self, request(ctx)?, Division::named, list, asked).await
        };
        Some(found.await)
    }

    /// Its products: most units in the range first, then most units in the previous period. Where the rules rank by an
    /// amount, the largest amount comes before both.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<SegmentProductConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { SegmentProductConnection::of(self, request(ctx)?, &page).await };
        Some(found.await)
    }
}

connection! {
    /// A page of product segments.
    ProductSegmentResultConnection, ProductSegmentResultEdge of ProductSegmentResult, with (AggregateInfo, ProductRules) {
        /// How fresh and how complete these numbers are.
        async fn info(&self) -> AggregateInfo {
            self.more.0.clone()
        }

        /// The parameters that applied: those of the question, else the publisher's, else the defaults.
        async fn parameters(&self) -> Result<ProductSegmentParameters> {
            ProductSegmentParameters::new(&self.more.1)
        }
    }
}

/// A product with its statistics, in a segment.
pub struct Placed {
    stats: ProductStats,
    /// Its place among all products, from 1 on.
    place: usize,
    kind: ProductSegment,
    rules: ProductRules,
    period: Range,
}

impl Deref for Placed {
    type Target = ProductStats;

    fn deref(&self) -> &ProductStats {
        &self.stats
    }
}

/// A product in a segment, with its sales in the range.
pub type SegmentProduct = Member<Placed>;

/// A product in a segment, with its sales in the range.
#[Object(name = "SegmentProduct")]
impl SegmentProduct {
    /// The product.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let found = async {
            self.related(request(ctx)?, "product", |placed| Some(placed.product_id))
                .await
        };
        found.await.transpose()
    }

    /// Units sold in the range.
    async fn units(&self) -> Result<i32> {
        count(self.sums.units)
    }

    /// Units sold in the previous period.
    async fn previous_units(&self) -> Result<i32> {
        count(self.previous_units)
    }

    /// Units sold from the beginning to the end of the range.
    async fn lifetime_units(&self) -> Result<i32> {
        count(self.lifetime_units)
    }

    /// Number of distinct actions in the range.
    async fn actions(&self) -> Result<i32> {
        count(self.sums.actions)
    }

    /// Order amounts of its items in the range, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.sums.order_amounts())
    }

    /// Rewards of its items in the range, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.sums.rewards())
    }

    /// Its actions in the range that the advertiser has decided, declined ones included.
    async fn processed(&self) -> Result<i32> {
        count(self.processed)
    }

    /// Those of them that were approved, stalled ones included, divided by all of them; null where none was decided.
    async fn approval_rate(&self) -> Option<f64> {
        ratio(self.approved, self.processed)
    }

    /// Its first counted sale; null where there is none.
    async fn first_sold_at(&self) -> Option<DateTime> {
        self.first_sold.map(DateTime)
    }

    /// Why it is in the segment, as members of a segment are told of the condition `builtInSegment`: what it needs by the
    /// parameters that applied, and what is true by the range and the filter of the question.
    async fn reasons(&self) -> Vec<SegmentReason> {
        let built_in = built_in(self.kind, self.period);
        let needed = self.kind.needed(&self.rules);
        let actual = self.kind.actual(&self.stats, self.place, &self.rules);
        vec![SegmentReason::of_built_in(
            built_in.sentence(),
            needed,
            actual,
        )]
    }
}

connection! {
    /// A page of the products of a segment.
    SegmentProductConnection, SegmentProductEdge of SegmentProduct
}

impl SegmentProductConnection {
    async fn of(
        segment: &ProductSegmentResult,
        request: &RequestContext,
        page: &PageArgs,
    ) -> Result<Self> {
        // A cursor belongs to what products were ranked by.
        let order = request.order(&format!("segmentProducts {:?}", segment.all.rules.rank_by));
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<Division>>| {
            let page = page.clone();
            async move {
                let pages = group
                    .all()
                    .map(|segment| (segment.kind, members(segment, &page)));
                Ok(pages_of_siblings(pages.collect()))
            }
        };
        let pages: Arc<HashMap<ProductSegment, _>> = segment.batch("products", &page, load).await?;
        Ok(Self {
            slice: Slice::new(pages.get(&segment.kind).cloned().unwrap_or_default(), order),
            count: Count::Known(i64::try_from(segment.members.len()).unwrap_or(i64::MAX)),
        })
    }
}

fn members(segment: &Division, page: &PageRequest) -> Page<Placed> {
    let all = &segment.all;
    let member = |place: &usize| Some((*place, all.stats.get(*place)?));
    let members: Vec<(usize, &ProductStats)> = segment.members.iter().filter_map(member).collect();
    let key = |(_, stats): &(usize, &ProductStats)| {
        (stats.order(all.rules.rank_by).to_vec(), stats.product_id)
    };
    page_by(members, page, key).map(|(place, stats)| Placed {
        stats: stats.clone(),
        place: place.saturating_add(1),
        kind: segment.kind,
        rules: all.rules,
        period: segment.period,
    })
}

/// What a caller asks of product segments.
pub struct ProductSegmentArgs {
    /// When; the period of the parameters without.
    pub range: Option<RangeInput>,
    /// How the range is meant.
    pub how: RangeArgs,
    /// Which segments; all without.
    pub segments: Option<Vec<ProductSegmentKind>>,
    /// Their parameters.
    pub rules: Option<ProductRulesInput>,
    /// Which actions.
    pub filter: Option<ActionFilter>,
    /// Which page.
    pub page: PageArgs,
}

impl ProductSegmentArgs {
    /// A page of the segments.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn segments(
        &self,
        request: &Arc<RequestContext>,
    ) -> Result<ProductSegmentResultConnection> {
        let rules = product_rules(self.rules.as_ref(), request).await?;
        let usual = || RangeInput::last_days(rules.period_days);
        let range = self.range.unwrap_or_else(usual);
        let ranged = self.how.ranged(range, request)?;
        let period = range.range()?;
        let facts = FactQuery::counted(
            ranged.range,
            filter("filter", self.filter.as_ref(), request).await?,
        );
        let is_filtered = facts.filter != Filter::default();
        // A condition names its period, and has all else from the publisher.
        let set = request.segment_parameters().await?.of_products();
        let has_own_rules = !set.is_ok_and(|set| {
            let period_days = rules.period_days;
            rules == ProductRules { period_days, ..set }
        });
        let own = (is_filtered, has_own_rules);
        let unsaid = Unsaid::first(request, (range, self.how), own)?;
        let order = request.order("productSegments");
        let page = self.page.request(SEGMENTS, &order)?;
        let wanted = |kind: &&ProductSegment| {
            let kind = ProductSegmentKind::from(**kind);
            self.segments
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&kind))
        };
        let kinds: Vec<(i64, ProductSegment)> = (0..)
            .zip(ProductSegment::ALL.iter().filter(wanted).copied())
            .collect();
        let total = i64::try_from(kinds.len()).unwrap_or(i64::MAX);
        let all =
            segments::products(&request.tx, request.scope, &facts, ranged.previous, &rules).await?;
        let all = Arc::new(all);
        let page = page_by(kinds, &page, |(place, _)| (vec![*place], Uuid::nil()));
        let shown: Vec<ProductSegment> = page.rows.iter().map(|((_, kind), _)| *kind).collect();
        let mut members = all.members_of(&shown).into_iter();
        let divided = page.map(|(_, kind)| {
            let members = members.next().unwrap_or_default();
            let sums = all.sums(&members);
            Arc::new(Division {
                kind,
                all: Arc::clone(&all),
                members,
                sums,
                period,
                unsaid,
            })
        });
        let info = AggregateInfo::new(
            request,
            facts.clone(),
            segments_source(request, &facts).await?,
        );
        let slice = Slice::new(page_of_siblings(divided), order);
        Ok(ProductSegmentResultConnection {
            slice,
            count: Count::Known(total),
            more: (info, rules),
        })
    }
}
