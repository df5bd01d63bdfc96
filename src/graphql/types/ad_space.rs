//! Ad spaces.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, ID, Object};

use super::Member;
use super::action::{ActionArgs, RelatedActionConnection};
use super::affiliate_link::{Deeplink, deeplinks_of};
use crate::domain::records;
use crate::graphql::connection::{PageArgs, connection};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::ActionOrder;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::TimeZone;
use crate::store::actions::ActionParent;

/// A source of the publisher's traffic.
pub type AdSpace = Member<records::AdSpace>;

/// An ad space (website): a source of the publisher's traffic.
#[Object(name = "AdSpace")]
impl AdSpace {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::AdSpace.id(self.key())
    }

    /// Id at Admitad; null where the source names the ad space only.
    async fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The user space: ad spaces of one space share their users.
    async fn user_space(&self) -> &str {
        &self.user_space
    }

    /// Which SubID names the user: 0 for `subid`, 1 to 4 for `subid1` to `subid4`.
    async fn user_subid_slot(&self) -> i32 {
        self.user_subid_slot
    }

    /// How affiliate links of this ad space are made, of each program and of every source.
    async fn deeplinks(&self, ctx: &Context<'_>) -> Option<Result<Vec<Deeplink>>> {
        let found = async { Ok(deeplinks_of(&request(ctx)?.links().await?, self.key())) };
        Some(found.await)
    }

    /// The actions that came from here, the latest order first unless ordered otherwise.
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
    ) -> Option<Result<RelatedActionConnection>> {
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
        let found = async { args.below(self, ActionParent::AdSpace, request(ctx)?).await };
        Some(found.await)
    }
}

connection! {
    /// A page of ad spaces.
    AdSpaceConnection, AdSpaceEdge of AdSpace
}
