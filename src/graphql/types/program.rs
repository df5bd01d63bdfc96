//! Programs, with their terms and country rules as of a day.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use async_graphql::{Context, ID, Object};

use super::Member;
use super::action::{ActionArgs, RelatedActionConnection};
use super::catalogue::{CountryRule, ProgramTerm};
use super::words::Eligibility;
use crate::domain::catalog::{self, Catalog};
use crate::domain::records;
use crate::domain::time::{Day, day_of};
use crate::graphql::connection::{PageArgs, connection};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::ActionOrder;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CountryCode, CurrencyCode, Date, TimeZone};
use crate::store::actions::ActionParent;

/// A program.
pub type Program = Member<records::Program>;

/// A program of an advertiser.
#[Object(name = "Program")]
impl Program {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Program.id(self.key())
    }

    /// Id at Admitad, such as "6115"; null where it is not known.
    async fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The currency that it pays in unless an action says otherwise; null where it is not known.
    async fn currency(&self) -> Option<CurrencyCode> {
        self.currency.map(CurrencyCode)
    }

    /// Days that an action usually waits for its processing; null where it is not known.
    async fn hold_days(&self) -> Option<i32> {
        self.usual_hold_days()
    }

    /// Days after which an action that is still on hold is overdue: the longest hold where Admitad names one, else
    /// `holdDays`; null where neither is known.
    async fn hold_limit_days(&self) -> Option<i32> {
        records::Program::hold_limit_days(self)
    }

    /// Days between a click and an order that still count; null where it is not known.
    async fn cookie_days(&self) -> Option<i32> {
        self.usual_cookie_days()
    }

    /// Days until what an action earns is on the balance, on average; null where Admitad does not say.
    async fn payment_days(&self) -> Option<i32> {
        self.payment_days
    }

    /// The terms that hold on a day; none for a program that the shipped catalogue does not know.
    async fn terms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today in the publisher's time zone unless given.")]
        as_of: Option<Date>,
    ) -> Result<Vec<ProgramTerm>> {
        let on = day(ctx, as_of)?;
        let key = self.catalog_key.as_deref().unwrap_or_default();
        Ok(Catalog::shipped()
            .terms_on(key, on)
            .into_iter()
            .map(ProgramTerm::from)
            .collect())
    }

    /// The rules by country of the click that hold on a day; none for a program that the shipped catalogue does not know.
    async fn country_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today in the publisher's time zone unless given.")]
        as_of: Option<Date>,
    ) -> Result<Vec<CountryRule>> {
        let on = day(ctx, as_of)?;
        let rules = self.shipped().map_or(&[][..], |program| &program.rules);
        let holds = |rule: &&catalog::CountryRule| {
            rule.valid_from.is_none_or(|from| from <= on) && rule.valid_to.is_none_or(|to| on <= to)
        };
        Ok(rules.iter().filter(holds).map(CountryRule::from).collect())
    }

    /// Whether it is expected to pay for actions after a click from a country on a day: by the rules of the shipped catalogue;
    /// for a program that it does not know, by the countries that Admitad names for it now.
    async fn eligibility(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The country of the click.")] country: CountryCode,
        #[graphql(desc = "The day of the order; today in the publisher's time zone unless given.")]
        as_of: Option<Date>,
    ) -> Result<Eligibility> {
        let on = day(ctx, as_of)?;
        Ok(records::Program::eligibility(self, Some(&country.0), on).into())
    }

    /// The program's actions, the latest order first unless ordered otherwise.
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
        let found = async { args.below(self, ActionParent::Program, request(ctx)?).await };
        Some(found.await)
    }
}

impl Program {
    fn shipped(&self) -> Option<&'static catalog::Program> {
        Catalog::shipped().program(self.catalog_key.as_deref()?)
    }
}

fn day(ctx: &Context<'_>, given: Option<Date>) -> Result<Day> {
    let request = request(ctx)?;
    Ok(given.map_or_else(
        || day_of(request.now, request.viewer.publisher.zone),
        |day| day.0,
    ))
}

connection! {
    /// A page of programs.
    ProgramConnection, ProgramEdge of Program
}
