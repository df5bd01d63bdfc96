//! Root fields that analyse: top sellers and segments.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, Object};

use crate::domain::sales::SalesGroup;
use crate::graphql::connection::PageArgs;
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::filters::ProductFilter;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::rules::{ProductRulesInput, UserRulesInput};
use crate::graphql::scalar::{CurrencyCode, TimeZone};
use crate::graphql::types::product_segment::{ProductSegmentArgs, ProductSegmentResultConnection};
use crate::graphql::types::ranking::{
    CategorySalesConnection, ProductSalesConnection, RankingArgs,
};
use crate::graphql::types::user_segment::{UserSegmentArgs, UserSegmentResultConnection};
use crate::graphql::types::words::{
    CategoryLevel, ProductSegmentKind, RankMetric, UserSegmentKind,
};

/// Analyses.
#[derive(Default)]
pub struct Analyses;

#[Object]
impl Analyses {
    /// Categories by their sales in a range, the highest rank first.
    async fn top_selling_categories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "What to rank by.", default_with = "RankMetric::Units")] by: RankMetric,
        #[graphql(
            desc = "The currency of a ranking by ORDER_AMOUNT or REWARD: needed for these, refused with the others. Only what was sold in it is ranked."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(
            desc = "The level of the tree that items are counted at.",
            default_with = "CategoryLevel::One"
        )]
        level: CategoryLevel,
        #[graphql(
            desc = "Which actions; everything but DECLINED counts unless the filter names statuses."
        )]
        filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<CategorySalesConnection>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let args = RankingArgs {
            range,
            how,
            filter,
            products: None,
            by,
            currency,
            page,
        };
        let group = match level {
            CategoryLevel::One => SalesGroup::CategoryLevel1,
            CategoryLevel::Two => SalesGroup::CategoryLevel2,
            CategoryLevel::Own => SalesGroup::CategoryOwn,
        };
        let found = async { args.categories(request(ctx)?, group).await };
        Some(found.await)
    }

    /// Products by their sales in a range, the highest rank first.
    async fn top_selling_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "What to rank by.", default_with = "RankMetric::Units")] by: RankMetric,
        #[graphql(
            desc = "The currency of a ranking by ORDER_AMOUNT or REWARD: needed for these, refused with the others. Only what was sold in it is ranked."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(
            desc = "Which actions; everything but DECLINED counts unless the filter names statuses."
        )]
        filter: Option<ActionFilter>,
        #[graphql(
            desc = "Which products are ranked; all that were sold unless given. `filter` chooses carts with all that is in them, this chooses among their products. Totals and shares are of all that was sold all the same."
        )]
        products: Option<ProductFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ProductSalesConnection>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let args = RankingArgs {
            range,
            how,
            filter,
            products,
            by,
            currency,
            page,
        };
        let found = async { args.products(request(ctx)?).await };
        Some(found.await)
    }

    /// The built-in segments of products over a range.
    async fn product_segments(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "When; the days up to now of `periodDays` in `rules`, else of the publisher's setting, else 30, unless given."
        )]
        range: Option<RangeInput>,
        #[graphql(desc = "Which segments; all unless given.")] segments: Option<
            Vec<ProductSegmentKind>,
        >,
        #[graphql(desc = "The parameters of the segments; the publisher's settings unless given.")]
        rules: Option<ProductRulesInput>,
        #[graphql(
            desc = "Which actions; everything but DECLINED counts unless the filter names statuses."
        )]
        filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
        #[graphql(
            desc = "How many from the start, at most 250 by default; 100 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 250 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ProductSegmentResultConnection>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let args = ProductSegmentArgs {
            range,
            how,
            segments,
            rules,
            filter,
            page,
        };
        let found = async { args.segments(request(ctx)?).await };
        Some(found.await)
    }

    /// The built-in segments of users over a range: new and returning, the ten RFM segments, high value, by country, by
    /// device, unattributed.
    async fn user_segments(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "When; the days up to now of `periodDays` in `rules`, else of the publisher's setting, else 90, unless given."
        )]
        range: Option<RangeInput>,
        #[graphql(desc = "Which segments; all unless given.")] segments: Option<
            Vec<UserSegmentKind>,
        >,
        #[graphql(
            desc = "The currency of the monetary score; the publisher's setting, else its main one, unless given."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "The parameters of the segments; the publisher's settings unless given.")]
        rules: Option<UserRulesInput>,
        #[graphql(
            desc = "Which actions; everything but DECLINED counts unless the filter names statuses."
        )]
        filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
        #[graphql(
            desc = "How many from the start, at most 250 by default; 100 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 250 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<UserSegmentResultConnection>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let args = UserSegmentArgs {
            range,
            how,
            segments,
            currency,
            rules,
            filter,
            page,
        };
        let found = async { args.segments(request(ctx)?).await };
        Some(found.await)
    }
}
