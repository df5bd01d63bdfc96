//! Root fields about users as customers: how they move between segments, their cohorts, and what the built-in segments go
//! by.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, Object};

use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::rules::UserRulesInput;
use crate::graphql::scalar::{CurrencyCode, DateTime, TimeZone};
use crate::graphql::types::cohort::{CohortArgs, UserCohorts};
use crate::graphql::types::movement::{MovementArgs, UserSegmentMovement};
use crate::graphql::types::segment_parameters::SegmentSettings;
use crate::graphql::types::words::CohortBucket;

/// Customers.
#[derive(Default)]
pub struct Customers;

#[Object]
impl Customers {
    /// The parameters of the built-in segments that apply where a question does not say otherwise.
    async fn segment_settings(&self, ctx: &Context<'_>) -> Option<Result<SegmentSettings>> {
        let found = async {
            let request = request(ctx)?;
            let stored = request.segment_settings().await?;
            SegmentSettings::new(&stored, request.viewer.publisher.currency)
        };
        Some(found.await)
    }

    /// Where the users of each RFM segment at one date are at another. Both dates look back over a window of so many days;
    /// the counts add up to what `userSegments` gives for the ranges between.
    async fn user_segment_movement(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The earlier date: its window ends with, and is without, this instant. As many days before the later one as the windows are long unless given."
        )]
        from: Option<DateTime>,
        #[graphql(
            desc = "The later date: its window ends with, and is without, this instant. Now unless given."
        )]
        to: Option<DateTime>,
        #[graphql(
            desc = "The length of both windows, in days of 24 hours; 1 to 3660. `periodDays` of `rules`, else of the publisher's setting, else 90, unless given."
        )]
        days: Option<i32>,
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
        #[graphql(
            desc = "Which instant of an action the windows are laid on; ORDERED unless given."
        )]
        date_axis: Option<DateAxis>,
        #[graphql(
            desc = "The time zone in which closing days begin, where the windows are laid on CLOSED; the publisher's unless given."
        )]
        time_zone: Option<TimeZone>,
    ) -> Option<Result<UserSegmentMovement>> {
        let args = MovementArgs {
            from,
            to,
            days,
            currency,
            rules,
            filter,
            axis: date_axis,
            zone: time_zone,
        };
        let found = async { args.movement(request(ctx)?).await };
        Some(found.await)
    }

    /// Users by the period of their first counted action ever against the periods since: how many came back, and what
    /// they brought. Users whose first action lies before the range are not in it.
    async fn user_cohorts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When; at most 120 periods by default.")] range: RangeInput,
        #[graphql(
            desc = "The length of the periods.",
            default_with = "CohortBucket::Month"
        )]
        bucket: CohortBucket,
        #[graphql(desc = "The only currency of amounts; all unless given.")] currency: Option<
            CurrencyCode,
        >,
        #[graphql(
            desc = "Which actions; everything but DECLINED counts unless the filter names statuses. First actions are those of the filter as well."
        )]
        filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(
            desc = "The time zone of the range and of the periods; the publisher's unless given."
        )]
        time_zone: Option<TimeZone>,
        #[graphql(
            desc = "The first day of weeks, in the range and in the periods; MONDAY unless given."
        )]
        week_start: Option<WeekStart>,
    ) -> Option<Result<UserCohorts>> {
        let args = CohortArgs {
            range,
            how: RangeArgs {
                axis: date_axis,
                zone: time_zone,
                week_start,
            },
            bucket,
            currency,
            filter,
        };
        let found = async { args.cohorts(request(ctx)?).await };
        Some(found.await)
    }
}
