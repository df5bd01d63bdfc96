//! Users: the publisher's customers.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, ID, Object};

use super::Member;
use super::action::{ActionArgs, RelatedActionConnection};
use super::ranking::{facts, sales_of};
use super::rfm::{RfmScore, rfm_of};
use super::sales::Sales;
use crate::domain::records;
use crate::domain::sales::SalesGroup;
use crate::graphql::connection::{PageArgs, connection};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::id::IdOf;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::ActionOrder;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::rules::{UserRulesInput, user_rules};
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CurrencyCode, DateTime, TimeZone};
use crate::store::actions::ActionParent;

/// A user: the publisher's customer.
pub type User = Member<records::User>;

/// A user: the publisher's own customer, known by a SubID. Not the caller of the API, who is the viewer.
#[Object(name = "User")]
impl User {
    /// Global id.
    pub async fn id(&self, ctx: &Context<'_>) -> Result<ID> {
        Ok(IdOf::User.id(self.key(), &request(ctx)?.user_ids))
    }

    /// The value of the SubID that names the user.
    async fn value(&self) -> &str {
        &self.value
    }

    /// The user space: the same value in another space is another user.
    async fn user_space(&self) -> &str {
        &self.user_space
    }

    /// The earliest order, of any status.
    async fn first_seen_at(&self) -> DateTime {
        DateTime(self.first_seen)
    }

    /// What was sold in a range. Counted is everything but DECLINED, unless the filter names statuses.
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "Which actions; all unless given.")] filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
    ) -> Option<Result<Sales>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let found = async {
            let facts = facts(range, how, filter.as_ref(), request(ctx)?).await?;
            sales_of(self, &facts, request(ctx)?, |_| SalesGroup::User).await
        };
        Some(found.await)
    }

    /// How recently, how often and for how much the user acted in a range, scored among all users of the range; null
    /// without a counted action in it. Counted is everything but DECLINED, unless the filter names statuses.
    async fn rfm(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "When; the days up to now of `periodDays` in `rules`, else of the publisher's setting, else 90, unless given."
        )]
        range: Option<RangeInput>,
        #[graphql(
            desc = "The currency of the monetary score; the publisher's setting, else its main one, unless given."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "The parameters of the scores; the publisher's settings unless given.")]
        rules: Option<UserRulesInput>,
        #[graphql(desc = "Which actions; all unless given.")] filter: Option<ActionFilter>,
        #[graphql(desc = "Which instant of an action the range is laid on; ORDERED unless given.")]
        date_axis: Option<DateAxis>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks in the range; MONDAY unless given.")]
        week_start: Option<WeekStart>,
    ) -> Option<Result<RfmScore>> {
        let how = RangeArgs {
            axis: date_axis,
            zone: time_zone,
            week_start,
        };
        let found = async {
            let request = request(ctx)?;
            let currency = currency.map(|code| code.0);
            let rules = user_rules(rules.as_ref(), currency, request).await?;
            let range = range.unwrap_or_else(|| RangeInput::last_days(rules.period_days));
            let facts = facts(range, how, filter.as_ref(), request).await?;
            rfm_of(self, &facts, &rules, request).await
        };
        found.await.transpose()
    }

    /// The user's actions, the latest order first unless ordered otherwise.
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
        let found = async { args.below(self, ActionParent::User, request(ctx)?).await };
        Some(found.await)
    }
}

connection! {
    /// A page of users.
    UserConnection, UserEdge of User
}
