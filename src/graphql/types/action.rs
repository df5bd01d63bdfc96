//! Actions and the states that they went through.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Member;
use super::action_item::ActionItemConnection;
use super::ad_space::AdSpace;
use super::info::AggregateInfo;
use super::program::Program;
use super::sales::{ActionTotals, Money};
use super::user::User;
use super::words::{ActionStatus, ActionType, Eligibility};
use crate::analytics::top::totals_of_list;
use crate::domain::action::Status;
use crate::domain::catalog;
use crate::domain::page::PageRequest;
use crate::domain::records;
use crate::domain::sales::Totals;
use crate::domain::time::{Instant, Zone, day_of};
use crate::graphql::connection::{
    Count, ENTITIES, ListOrder, PageArgs, Slice, connection, page_by,
};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::Kind;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::{ActionOrder, check_money};
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::input::reader::filter;
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CountryCode, Date, DateTime, count};
use crate::graphql::siblings::{Group, pages_of_siblings};
use crate::store::actions::{ActionList, ActionParent, counts_of_parents, of_parents, states_of};
use crate::store::keyset::printed_order;

/// A target action in its latest state.
pub type Action = Member<records::Action>;

/// A target action: an order or another event that a user made at the advertiser's, in its latest state.
#[Object(name = "Action")]
impl Action {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Action.id(self.key())
    }

    /// Id at Admitad.
    async fn external_id(&self) -> &str {
        &self.external_id
    }

    /// The advertiser's order number; a text, it can be longer than a number holds.
    async fn order_id(&self) -> Option<&str> {
        self.order_id.as_deref()
    }

    /// The program.
    async fn program(&self, ctx: &Context<'_>) -> Option<Result<Program>> {
        let found = async {
            self.related(request(ctx)?, "program", |action| Some(action.program_id))
                .await
        };
        found.await.transpose()
    }

    /// The ad space; null where the source does not name it.
    async fn ad_space(&self, ctx: &Context<'_>) -> Option<Result<AdSpace>> {
        let found = async {
            self.related(request(ctx)?, "adSpace", |action| action.ad_space_id)
                .await
        };
        found.await.transpose()
    }

    /// The user, the publisher's own customer; null for an unattributed action.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = async {
            self.related(request(ctx)?, "user", |action| action.user_id)
                .await
        };
        found.await.transpose()
    }

    /// Id of the tariff.
    async fn tariff_id(&self) -> Option<&str> {
        self.tariff_id.as_deref()
    }

    /// Name of the rate, such as "Paid order".
    async fn action_name(&self) -> Option<&str> {
        self.action_name.as_deref()
    }

    /// What the user did.
    async fn action_type(&self) -> ActionType {
        self.action_type.into()
    }

    /// Where it stands.
    async fn status(&self) -> ActionStatus {
        self.status.into()
    }

    /// The status in Admitad's word.
    async fn raw_status(&self) -> &str {
        &self.raw_status
    }

    /// Whether the reward was released for withdrawal.
    async fn paid(&self) -> bool {
        self.paid
    }

    /// Whether the advertiser has processed it.
    async fn processed(&self) -> bool {
        self.processed
    }

    /// Whether it is on hold after it had been decided.
    async fn returned_to_hold(&self) -> bool {
        self.returned_to_hold
    }

    /// The publisher's reward, as it stands.
    async fn reward(&self) -> Money {
        records::Action::reward(self).into()
    }

    /// The order amount; null where there is none, as for leads.
    async fn order_amount(&self) -> Option<Money> {
        records::Action::order_amount(self).map(Into::into)
    }

    /// Whether the program is expected to pay, by its rules for the click's country on the UTC day of the order. Compare
    /// with `reward`.
    async fn eligibility(&self, ctx: &Context<'_>) -> Option<Result<Eligibility>> {
        let found = async {
            let key = |action: &records::Action| Some(action.program_id);
            let program: Option<Program> = self.related(request(ctx)?, "program", key).await?;
            let on = day_of(self.ordered_at, Zone::UTC);
            let expected = program.map_or(catalog::Eligibility::Unknown, |program| {
                records::Program::eligibility(&program, self.country.as_deref(), on)
            });
            Ok(expected.into())
        };
        Some(found.await)
    }

    /// The end of its hold: the order and its program's hold time; null where that is not known. An action that is on hold
    /// after it is overdue: its buyer may not have confirmed the receipt, or the advertiser is late.
    async fn hold_ends_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.hold_end(ctx)
            .await
            .map(|end| end.map(DateTime))
            .transpose()
    }

    /// Whether it is on hold past its program's hold time; false where that is not known.
    async fn overdue(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        let found = async {
            let end = self.hold_end(ctx).await?;
            let now = request(ctx)?.now;
            Ok(self.status == Status::Pending && end.is_some_and(|end| end < now))
        };
        Some(found.await)
    }

    /// The click.
    async fn clicked_at(&self) -> Option<DateTime> {
        self.clicked_at.map(DateTime)
    }

    /// The order.
    async fn ordered_at(&self) -> DateTime {
        DateTime(self.ordered_at)
    }

    /// The last change of status; null while there was none.
    async fn status_updated_at(&self) -> Option<DateTime> {
        self.status_updated_at.map(DateTime)
    }

    /// The day on which it is or was closed for processing, in Admitad's calendar.
    async fn closing_date(&self) -> Option<Date> {
        self.closing_day.map(Date)
    }

    /// Seconds from the click to the order.
    async fn conversion_seconds(&self) -> Result<Option<i32>> {
        self.conversion_seconds.map(count).transpose()
    }

    /// The country of the click.
    async fn country(&self) -> Option<CountryCode> {
        self.country.clone().map(CountryCode)
    }

    /// The SubID `subid`.
    async fn subid(&self) -> Option<&str> {
        self.subid_at(0)
    }

    /// The SubID `subid1`.
    async fn subid1(&self) -> Option<&str> {
        self.subid_at(1)
    }

    /// The SubID `subid2`.
    async fn subid2(&self) -> Option<&str> {
        self.subid_at(2)
    }

    /// The SubID `subid3`.
    async fn subid3(&self) -> Option<&str> {
        self.subid_at(3)
    }

    /// The SubID `subid4`.
    async fn subid4(&self) -> Option<&str> {
        self.subid_at(4)
    }

    /// The keyword of contextual advertising.
    async fn keyword(&self) -> Option<&str> {
        self.keyword.as_deref()
    }

    /// The advertiser's comment, such as the reason of a decline.
    async fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The promo code.
    async fn promo_code(&self) -> Option<&str> {
        self.promo_code.as_deref()
    }

    /// The class of the device, where it is known.
    async fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Number of cart items.
    async fn items_count(&self) -> i32 {
        self.items_count
    }

    /// The cart, in its order.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many items from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only items before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ActionItemConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { ActionItemConnection::of(self, request(ctx)?, &page).await };
        Some(found.await)
    }

    /// The states that it went through, the oldest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many states from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only states behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many states from the end, at most 100 by default.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Only states before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ActionStateConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { ActionStateConnection::of(self, request(ctx)?, &page).await };
        Some(found.await)
    }
}

impl Action {
    /// The end of its hold, by its program.
    async fn hold_end(&self, ctx: &Context<'_>) -> Result<Option<Instant>> {
        let key = |action: &records::Action| Some(action.program_id);
        let program: Option<Program> = self.related(request(ctx)?, "program", key).await?;
        Ok(program.and_then(|program| program.hold_ends_at(self.ordered_at)))
    }

    fn subid_at(&self, slot: usize) -> Option<&str> {
        self.subids.get(slot).and_then(Option::as_deref)
    }
}

connection! {
    /// A page of actions with the totals of the whole list.
    ActionConnection, ActionEdge of Action, with ActionsAsked {
        /// Totals of exactly what the filter and the range let through, whatever the page.
        async fn totals(&self) -> Option<Result<ActionTotals>> {
            Some(self.more.totals().await)
        }

        /// How fresh and how complete the totals are; null with an error where that would read too much: the rows stay.
        async fn info(&self) -> Option<AggregateInfo> {
            Some(self.more.info.clone())
        }
    }
}

connection! {
    /// A page of the actions that hang below something.
    RelatedActionConnection, RelatedActionEdge of Action
}

/// The list that a page of actions belongs to.
pub struct ActionsAsked {
    request: Arc<RequestContext>,
    list: ActionList,
    totals: OnceCell<Result<Totals>>,
    info: AggregateInfo,
}

impl ActionsAsked {
    fn new(request: &Arc<RequestContext>, list: ActionList) -> Self {
        let info = AggregateInfo::of_list(request, list.range, list.filter.clone());
        Self {
            request: Arc::clone(request),
            list,
            totals: OnceCell::new(),
            info,
        }
    }

    async fn totals(&self) -> Result<ActionTotals> {
        let read = || async {
            let (tx, scope) = (&self.request.tx, self.request.scope);
            let (range, filter) = (self.list.range.as_ref(), &self.list.filter);
            self.info.check("totals").await?;
            let found = totals_of_list(tx, scope, range, filter).await;
            found.map_err(Failure::from)
        };
        ActionTotals::new(&self.totals.get_or_init(read).await.clone()?.facts)
    }
}

/// The actions that a caller asks for.
pub struct ActionArgs {
    /// When; all time without.
    pub range: Option<RangeInput>,
    /// How the range is meant.
    pub how: RangeArgs,
    /// Which.
    pub filter: Option<ActionFilter>,
    /// In which order.
    pub order_by: Option<Vec<ActionOrder>>,
    /// Which page.
    pub page: PageArgs,
}

impl ActionArgs {
    /// The list, and its order.
    async fn read(&self, request: &RequestContext) -> Result<(ActionList, ListOrder)> {
        let filter = filter("filter", self.filter.as_ref(), request).await?;
        let order = ActionOrder::keys(self.order_by.as_deref(), request.limits.queries.order_keys)?;
        check_money(&order, &filter)?;
        let range = self
            .range
            .map(|range| self.how.ranged(range, request))
            .transpose()?;
        let list_order = request.order(&printed_order("actions", &order));
        let page = self.page.request(ENTITIES, &list_order)?;
        let range = range.map(|ranged| ranged.range);
        Ok((
            ActionList {
                range,
                filter,
                order,
                page,
            },
            list_order,
        ))
    }

    /// A page of all actions.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn all(&self, request: &Arc<RequestContext>) -> Result<ActionConnection> {
        let (list, order) = self.read(request).await?;
        let page = crate::store::actions::list(&request.tx, request.scope, &list).await?;
        let slice = Slice::new(request.known(page).await, order);
        let asked = (Arc::clone(request), list.clone());
        let count = Count::ask(move || {
            let (request, list) = asked.clone();
            async move {
                let (tx, scope) = (&request.tx, request.scope);
                Ok(
                    crate::store::actions::count(tx, scope, list.range.as_ref(), &list.filter)
                        .await?,
                )
            }
        });
        Ok(ActionConnection {
            slice,
            count,
            more: ActionsAsked::new(request, list),
        })
    }

    /// A page of the actions below an entity, read for all its siblings.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn below<T: Entity>(
        &self,
        entity: &Member<T>,
        parent: ActionParent,
        request: &Arc<RequestContext>,
    ) -> Result<RelatedActionConnection> {
        let (list, order) = self.read(request).await?;
        let load = |group: Arc<Group<T>>| {
            let list = list.clone();
            async move {
                let ids = keys(&group);
                Ok(pages_of_siblings(
                    of_parents(&request.tx, request.scope, parent, &ids, &list).await?,
                ))
            }
        };
        let pages: Arc<HashMap<Uuid, _>> = entity.batch("actions", &list, load).await?;
        let slice = Slice::new(pages.get(&entity.key()).cloned().unwrap_or_default(), order);
        let asked = (Arc::clone(request), list, entity.clone());
        let count = Count::ask(move || {
            let (request, list, entity) = asked.clone();
            async move { counted(&entity, parent, &request, &list).await }
        });
        Ok(RelatedActionConnection { slice, count })
    }
}

async fn counted<T: Entity>(
    entity: &Member<T>,
    parent: ActionParent,
    request: &Arc<RequestContext>,
    list: &ActionList,
) -> Result<i64> {
    let load = |group: Arc<Group<T>>| async move {
        let ids = keys(&group);
        let (tx, scope) = (&request.tx, request.scope);
        Ok(counts_of_parents(tx, scope, (parent, &ids), list.range.as_ref(), &list.filter).await?)
    };
    let counts: Arc<HashMap<Uuid, i64>> = entity
        .batch("actionCounts", &(&list.range, &list.filter), load)
        .await?;
    Ok(counts.get(&entity.key()).copied().unwrap_or(0))
}

/// The keys of a group's entities, each once.
pub fn keys<T: Entity>(group: &Group<T>) -> Vec<Uuid> {
    let keys: std::collections::BTreeSet<Uuid> = group.all().map(Entity::key).collect();
    keys.into_iter().collect()
}

/// A state that an action went through.
pub type ActionState = Member<records::ActionState>;

/// A state that an action went through.
#[Object(name = "ActionState")]
impl ActionState {
    /// Where the action stood.
    async fn status(&self) -> ActionStatus {
        self.state.status.into()
    }

    /// The status in Admitad's word.
    async fn raw_status(&self) -> &str {
        &self.state.raw_status
    }

    /// Whether the reward was released for withdrawal.
    async fn paid(&self) -> bool {
        self.state.paid
    }

    /// The publisher's reward.
    async fn reward(&self) -> Money {
        let (e4, currency) = (self.state.reward_e4, self.state.currency);
        crate::domain::money::Money { e4, currency }.into()
    }

    /// The order amount.
    async fn order_amount(&self) -> Option<Money> {
        let currency = self.state.currency;
        self.state
            .order_amount_e4
            .map(|e4| crate::domain::money::Money { e4, currency }.into())
    }

    /// When the state began: the change of status, else the order.
    async fn changed_at(&self) -> DateTime {
        DateTime(self.state.stamp.changed_at)
    }

    /// When the state was first seen by an import.
    async fn observed_at(&self) -> DateTime {
        DateTime(self.state.stamp.observed_at)
    }
}

connection! {
    /// A page of the states that an action went through.
    ActionStateConnection, ActionStateEdge of ActionState
}

impl ActionStateConnection {
    async fn of(action: &Action, request: &Arc<RequestContext>, page: &PageArgs) -> Result<Self> {
        let order = request.order("history");
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<records::Action>>| async move {
            Ok(states_of(&request.tx, request.scope, &keys(&group)).await?)
        };
        let states: Arc<Vec<records::ActionState>> = action.batch("states", &(), load).await?;
        let total = states
            .iter()
            .filter(|state| state.action_id == action.id)
            .count();
        let load = |_: Arc<Group<records::Action>>| {
            let page = page.clone();
            async move { Ok(pages_of_siblings(paged(&states, &page))) }
        };
        let pages: Arc<HashMap<Uuid, _>> = action.batch("history", &page, load).await?;
        Ok(Self {
            slice: Slice::new(pages.get(&action.key()).cloned().unwrap_or_default(), order),
            count: Count::Known(i64::try_from(total).unwrap_or(i64::MAX)),
        })
    }
}

fn paged(
    states: &[records::ActionState],
    page: &PageRequest,
) -> HashMap<Uuid, crate::domain::page::Page<records::ActionState>> {
    let mut by_action: HashMap<Uuid, Vec<(i64, records::ActionState)>> = HashMap::new();
    for state in states {
        let states = by_action.entry(state.action_id).or_default();
        states.push((
            i64::try_from(states.len()).unwrap_or(i64::MAX),
            state.clone(),
        ));
    }
    let page_of = |states| {
        page_by(states, page, |(place, _)| (vec![*place], Uuid::nil())).map(|(_, state)| state)
    };
    by_action
        .into_iter()
        .map(|(action, states)| (action, page_of(states)))
        .collect()
}
