//! Root fields about where to send traffic.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, ID, Object};

use crate::graphql::connection::PageArgs;
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::filters::ProductFilter;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::scalar::{CountryCode, CurrencyCode, TimeZone};
use crate::graphql::types::affiliate_link::Destination;
use crate::graphql::types::traffic_target::{TrafficTargetArgs, TrafficTargetConnection};

/// Where to send traffic.
#[derive(Default)]
pub struct Traffic;

#[Object]
impl Traffic {
    /// Products worth sending traffic to now: those whose orders in the range bring the most, as far as is known and
    /// expected, the highest first. Each has its reasons and its link.
    async fn traffic_targets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose orders are looked at: when.")] range: RangeInput,
        #[graphql(
            desc = "The country that the traffic comes from: it chooses the program of the links and, by it, the currency. Orders of all countries are looked at unless `filter` says otherwise."
        )]
        country: Option<CountryCode>,
        #[graphql(
            desc = "The ad space that the traffic goes through, for the links; the only one with a template unless given."
        )]
        ad_space: Option<ID>,
        #[graphql(
            desc = "The program that the traffic goes through, for the links; chosen by the country unless given."
        )]
        program: Option<ID>,
        #[graphql(
            desc = "The currency that is ranked in; the program's unless given, else the publisher's main one. Orders in others are left out."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "Which actions; all unless given.")] filter: Option<ActionFilter>,
        #[graphql(
            desc = "Which products are ranked; all that were sold unless given. `filter` chooses carts with all that is in them, this chooses among their products."
        )]
        products: Option<ProductFilter>,
        #[graphql(
            desc = "How many orders in the range a product has at least, so that one lucky order does not lead.",
            default = 5
        )]
        min_orders: i32,
        #[graphql(
            desc = "Leaves out the products that feeds have and none offers.",
            default = true
        )]
        only_available: bool,
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
    ) -> Option<Result<TrafficTargetConnection>> {
        let args = TrafficTargetArgs {
            range,
            how: RangeArgs {
                axis: date_axis,
                zone: time_zone,
                week_start,
            },
            filter,
            products,
            currency,
            destination: Destination::new(ad_space.as_ref(), program.as_ref(), country),
            min_orders,
            only_available,
            page: PageArgs {
                first,
                after,
                last,
                before,
            },
        };
        let found = async { args.list(request(ctx)?).await };
        Some(found.await)
    }
}
