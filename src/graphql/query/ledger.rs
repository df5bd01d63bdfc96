//! Root fields of the ledger: adjustments, earnings, balances.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::domain::page::{Direction, Nulls, SortKey};
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::input::filters::{AdjustmentFilter, BalanceFilter};
use crate::graphql::input::order::{AdjustmentOrder, check_amount};
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::reader;
use crate::graphql::scalar::TimeZone;
use crate::graphql::siblings::page_of_siblings;
use crate::graphql::types::ledger::{
    AdjustmentConnection, AdjustmentsAsked, BalanceConnection, Earnings,
};
use crate::store::adjustments::{self, AdjustmentList};
use crate::store::balances::{self, BalanceList, BalanceSort};
use crate::store::keyset::printed_order;

/// The ledger.
#[derive(Default)]
pub struct Ledger;

#[Object]
impl Ledger {
    /// What moved the balance and was no action (deductions, fines, payouts), the latest day first unless ordered
    /// otherwise, with the totals of the whole list.
    async fn adjustments(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "When: those whose day in the account's calendar begins in it, in the time zone of the range; all time unless given."
        )]
        range: Option<RangeInput>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<AdjustmentFilter>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<AdjustmentOrder>>,
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
    ) -> Option<Result<AdjustmentConnection>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async {
            let request = request(ctx)?;
            let range = range.map(|range| how.ranged(range, request)).transpose()?;
            let list = AdjustmentList {
                range: range.map(|ranged| ranged.range),
                filter: reader::filter("filter", filter.as_ref(), request).await?,
            };
            let keys =
                AdjustmentOrder::keys(order_by.as_deref(), request.limits.queries.order_keys)?;
            check_amount(&keys, &list.filter)?;
            let order = request.order(&printed_order("adjustments", &keys));
            let page = page.request(ENTITIES, &order)?;
            let (tx, scope) = (&request.tx, request.scope);
            let page = adjustments::list(tx, scope, &list, &keys, &page).await?;
            let asked = (Arc::clone(request), list.clone());
            let count = Count::ask(move || {
                let (request, list) = asked.clone();
                async move { Ok(adjustments::count(&request.tx, request.scope, &list).await?) }
            });
            Ok(AdjustmentConnection {
                slice: Slice::new(request.known(page).await, order),
                count,
                more: AdjustmentsAsked::new(request, list),
            })
        };
        Some(found.await)
    }

    /// What was earned in a range, net of deductions and fines: rewards by the date axis, adjustments by their day.
    async fn earnings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(
            desc = "Which instant of an action the range is laid on; ORDERED unless given. Deductions follow the confirmation, so STATUS_UPDATED sets what was confirmed in the range against what was taken in it."
        )]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
    ) -> Option<Result<Earnings>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let found = async {
            let request = request(ctx)?;
            Earnings::of(request, how.ranged(range, request)?.range).await
        };
        Some(found.await)
    }

    /// Balances of the accounts at Admitad, the latest first: without a range what they are, the latest of each account
    /// and currency; with one, each time that they were asked for in it.
    async fn balances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When they were asked for; only the latest of each unless given.")]
        range: Option<RangeInput>,
        #[graphql(desc = "Which; all unless given.")] filter: Option<BalanceFilter>,
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
    ) -> Option<Result<BalanceConnection>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async {
            let request = request(ctx)?;
            let range = range.map(|range| how.ranged(range, request)).transpose()?;
            let list = BalanceList {
                range: range.map(|ranged| ranged.range.span),
                filter: reader::filter("filter", filter.as_ref(), request).await?,
            };
            let keys = [SortKey {
                field: BalanceSort::ObservedAt,
                direction: Direction::Desc,
                nulls: Nulls::Last,
            }];
            let order = request.order(&printed_order("balances", &keys));
            let page = page.request(ENTITIES, &order)?;
            let (tx, scope) = (&request.tx, request.scope);
            let page = balances::list(tx, scope, &list, &keys, &page).await?;
            let asked = (Arc::clone(request), list);
            let count = Count::ask(move || {
                let (request, list) = asked.clone();
                async move { Ok(balances::count(&request.tx, request.scope, &list).await?) }
            });
            Ok(BalanceConnection {
                slice: Slice::new(page_of_siblings(page.map(Arc::new)), order),
                count,
            })
        };
        Some(found.await)
    }
}
