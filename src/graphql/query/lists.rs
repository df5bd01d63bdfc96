//! Root fields that list entities.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::filters::{
    AdSpaceFilter, CategoryFilter, ImportFilter, ProductFilter, ProgramFilter, UserFilter,
};
use crate::graphql::input::order::{
    ActionOrder, AdSpaceOrder, CategoryOrder, ImportOrder, ProductOrder, ProgramOrder, UserOrder,
};
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::reader;
use crate::graphql::scalar::TimeZone;
use crate::graphql::types::action::{ActionArgs, ActionConnection};
use crate::graphql::types::ad_space::AdSpaceConnection;
use crate::graphql::types::category::CategoryConnection;
use crate::graphql::types::import::ImportConnection;
use crate::graphql::types::product::ProductConnection;
use crate::graphql::types::program::ProgramConnection;
use crate::graphql::types::user::UserConnection;
use crate::store;
use crate::store::keyset::printed_order;

/// A page of a list whose store module has `list` and `count`.
macro_rules! listed {
    ($module:ident as $connection:ident by $order:ident, $ctx:ident, $filter:ident, $order_by:ident, $page:ident) => {{
        let found = async {
            let request = request($ctx)?;
            let filter = reader::filter("filter", $filter.as_ref(), request).await?;
            let keys = $order::keys($order_by.as_deref(), request.limits.queries.order_keys)?;
            let order = request.order(&printed_order(stringify!($module), &keys));
            let page = $page.request(ENTITIES, &order)?;
            let page =
                store::$module::list(&request.tx, request.scope, &filter, &keys, &page).await?;
            let asked = (Arc::clone(request), filter);
            let count = Count::ask(move || {
                let (request, filter) = asked.clone();
                async move { Ok(store::$module::count(&request.tx, request.scope, &filter).await?) }
            });
            Ok($connection {
                slice: Slice::new(request.known(page).await, order),
                count,
            })
        };
        Some(found.await)
    }};
}

/// Lists entities.
#[derive(Default)]
pub struct Lists;

#[Object]
impl Lists {
    /// Actions, the latest order first unless ordered otherwise, with the totals of the whole list.
    async fn actions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When; all time unless given.")] range: Option<RangeInput>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<ActionFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<ActionOrder>>,
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
    ) -> Option<Result<ActionConnection>> {
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
        let args = ActionArgs {
            range,
            how,
            filter,
            order_by,
            page,
        };
        let found = async { args.all(request(ctx)?).await };
        Some(found.await)
    }

    /// Products, the latest first unless ordered otherwise.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<ProductFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<ProductOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ProductConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(products as ProductConnection by ProductOrder, ctx, filter, order_by, page)
    }

    /// Categories, by name unless ordered otherwise.
    async fn categories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<CategoryFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<CategoryOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<CategoryConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(categories as CategoryConnection by CategoryOrder, ctx, filter, order_by, page)
    }

    /// Programs, by name unless ordered otherwise.
    async fn programs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<ProgramFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<ProgramOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ProgramConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(programs as ProgramConnection by ProgramOrder, ctx, filter, order_by, page)
    }

    /// Ad spaces, by name unless ordered otherwise.
    async fn ad_spaces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<AdSpaceFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<AdSpaceOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<AdSpaceConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(ad_spaces as AdSpaceConnection by AdSpaceOrder, ctx, filter, order_by, page)
    }

    /// Users: the publisher's customers, the latest first unless ordered otherwise.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<UserOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<UserConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(users as UserConnection by UserOrder, ctx, filter, order_by, page)
    }

    /// Import runs, the latest first unless ordered otherwise.
    async fn imports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<ImportFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<ImportOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ImportConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        listed!(imports as ImportConnection by ImportOrder, ctx, filter, order_by, page)
    }
}
