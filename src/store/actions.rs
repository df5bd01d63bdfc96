//! Actions: lists, look-ups, carts, history, and the exact totals of a filter.

use super::convert::{to_action, to_cart_item, to_state};
use super::listing::{self, Children, IDS, Listing, Wanted, column};
use super::sql::Sql;
use super::sql::filter::write_range;
use super::tx::ReadTx;
use crate::domain::action::State;
use crate::domain::draft::action_id;
use crate::domain::error::Result;
use crate::domain::filter::{ActionTest, Filter, Value};
use crate::domain::notice::history;
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::{Action, ActionState, CartItem};
use crate::domain::sales::AxisRange;
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use entity::{action, action_item, action_state};
use sea_orm::{EntityTrait, FromQueryResult as _};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What actions can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionSort {
    /// Order.
    OrderedAt,
    /// Click.
    ClickedAt,
    /// Last status change.
    StatusUpdatedAt,
    /// Closing day.
    ClosingDate,
    /// Reward; only meaningful within one currency.
    Reward,
    /// Order amount; only meaningful within one currency.
    OrderAmount,
    /// Status, by its name.
    Status,
    /// Click country.
    Country,
    /// Order number.
    OrderId,
    /// Upstream's id, as text.
    ExternalId,
}

/// A list of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionList {
    /// When; all time without.
    pub range: Option<AxisRange>,
    /// Which.
    pub filter: Filter<ActionTest>,
    /// The order; ties by id.
    pub order: Vec<SortKey<ActionSort>>,
    /// The page.
    pub page: PageRequest,
}

/// What an action can hang under in a nested list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionParent {
    /// Its user.
    User,
    /// Its program.
    Program,
    /// Its ad space.
    AdSpace,
    /// A product in its cart.
    Product,
}

impl ActionParent {
    fn children<'a>(self, ids: &'a [Uuid]) -> Children<'a> {
        let (parent, join) = match self {
            Self::User => ("t.user_id", ""),
            Self::Program => ("t.program_id", ""),
            Self::AdSpace => ("t.ad_space_id", ""),
            Self::Product => (
                "carts.product_id",
                // The first item of the product in each cart, so that an action comes once.
                " JOIN action_items carts ON carts.publisher_id = t.publisher_id AND carts.action_id = t.id \
                 AND NOT EXISTS (SELECT 1 FROM action_items e WHERE e.publisher_id = carts.publisher_id \
                 AND e.action_id = carts.action_id AND e.product_id = carts.product_id AND e.ordinal < carts.ordinal)",
            ),
        };
        Children { parent, join, ids }
    }
}

struct Actions;

impl Listing for Actions {
    type Entity = action::Entity;
    type Record = Action;
    type Test = ActionTest;
    type Sort = ActionSort;
    const TABLE: &'static str = "actions";

    fn column(sort: ActionSort) -> (&'static str, bool) {
        match sort {
            ActionSort::OrderedAt => ("ordered_at_us", false),
            ActionSort::ClickedAt => ("clicked_at_us", true),
            ActionSort::StatusUpdatedAt => ("status_updated_at_us", true),
            ActionSort::ClosingDate => ("closing_day", true),
            ActionSort::Reward => ("reward_e4", false),
            ActionSort::OrderAmount => ("order_amount_e4", true),
            ActionSort::Status => ("status", false),
            ActionSort::Country => ("country", true),
            ActionSort::OrderId => ("order_id", true),
            ActionSort::ExternalId => ("external_id", false),
        }
    }

    fn value(action: &Action, sort: ActionSort) -> Value {
        match sort {
            ActionSort::OrderedAt => action.ordered_at.micros().into(),
            ActionSort::ClickedAt => action.clicked_at.map(Instant::micros).into(),
            ActionSort::StatusUpdatedAt => action.status_updated_at.map(Instant::micros).into(),
            ActionSort::ClosingDate => action.closing_day.map(|day| i64::from(day.days())).into(),
            ActionSort::Reward => action.reward_e4.into(),
            ActionSort::OrderAmount => action.order_amount_e4.into(),
            ActionSort::Status => action.status.as_str().into(),
            ActionSort::Country => action.country.clone().into(),
            ActionSort::OrderId => action.order_id.clone().into(),
            ActionSort::ExternalId => action.external_id.clone().into(),
        }
    }

    fn id(action: &Action) -> Uuid {
        action.id
    }

    fn record(model: action::Model) -> Result<Action> {
        to_action(model)
    }
}

/// The condition of a range, led by ` AND `; nothing without one.
fn within(tx: &ReadTx, range: Option<&AxisRange>) -> Sql {
    let mut sql = tx.sql();
    if let Some(range) = range {
        sql.push(" AND ");
        write_range(range, "t", &mut sql);
    }
    sql
}

fn wanted<'a>(tx: &ReadTx, list: &'a ActionList) -> Wanted<'a, Actions> {
    Wanted {
        filter: &list.filter,
        order: &list.order,
        page: &list.page,
        also: within(tx, list.range.as_ref()),
    }
}

/// One page of actions: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn list(tx: &ReadTx, scope: ReadScope, list: &ActionList) -> Result<Page<Action>> {
    listing::list::<Actions>(tx, scope, wanted(tx, list)).await
}

/// How many actions a filter has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count(
    tx: &ReadTx,
    scope: ReadScope,
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Result<i64> {
    listing::count::<Actions>(tx, scope, filter, &within(tx, range)).await
}

/// Actions by id, in no order: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_ids(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Vec<Action>> {
    listing::by_ids::<Actions>(tx, scope, ids).await
}

/// The action that upstream calls so, at most one per network: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_external_id(
    tx: &ReadTx,
    scope: ReadScope,
    external_id: &str,
) -> Result<Vec<Action>> {
    // The id is derived from upstream's, so the primary key finds it.
    by_ids(tx, scope, &[action_id(scope.publisher(), external_id)]).await
}

/// Actions of an order, at most two: enough to tell that it is not one. One statement.
///
/// # Errors
/// When the database fails.
pub async fn by_order(
    tx: &ReadTx,
    scope: ReadScope,
    program_id: Uuid,
    order_id: &str,
) -> Result<Vec<Action>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM actions t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND t.program_id = ")
        .bind(program_id)
        .push(" AND t.order_id = ")
        .bind(order_id);
    sql.push(" ORDER BY t.id LIMIT 2");
    tx.models::<action::Entity>(sql)
        .await?
        .into_iter()
        .map(to_action)
        .collect()
}

/// The carts of actions, by action and place: one statement.
///
/// # Errors
/// When the database fails.
pub async fn items_of(tx: &ReadTx, scope: ReadScope, actions: &[Uuid]) -> Result<Vec<CartItem>> {
    let mut items = Vec::new();
    for ids in actions.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push(
            "SELECT t.*, a.currency AS action_currency FROM action_items t \
             JOIN actions a ON a.publisher_id = t.publisher_id AND a.id = t.action_id WHERE t.publisher_id = ",
        );
        sql.bind(scope.publisher().0)
            .push(" AND t.action_id IN ")
            .bind_all(ids.iter().copied());
        sql.push(" ORDER BY t.action_id, t.ordinal");
        for row in tx.rows(sql).await? {
            let code: String = column(&row, "action_currency")?;
            let model = <action_item::Entity as EntityTrait>::Model::from_query_result(&row, "")
                .map_err(crate::domain::error::Error::internal)?;
            items.push(to_cart_item(model, &code)?);
        }
    }
    Ok(items)
}

/// The states that actions went through, by action, oldest first: one statement.
///
/// # Errors
/// When the database fails.
pub async fn states_of(
    tx: &ReadTx,
    scope: ReadScope,
    actions: &[Uuid],
) -> Result<Vec<ActionState>> {
    let mut states = Vec::new();
    for ids in actions.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM action_states t WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
        sql.push(" AND t.action_id IN ")
            .bind_all(ids.iter().copied());
        sql.push(" ORDER BY t.action_id, t.changed_at_us, t.observed_at_us, t.state_id");
        let mut of_each: BTreeMap<Uuid, Vec<State>> = BTreeMap::new();
        for model in tx.models::<action_state::Entity>(sql).await? {
            let stored = to_state(model)?;
            of_each
                .entry(stored.action_id)
                .or_default()
                .push(stored.state);
        }
        for (action_id, of_one) in of_each {
            let seen = history(of_one).into_iter();
            states.extend(seen.map(|state| ActionState { action_id, state }));
        }
    }
    Ok(states)
}

/// A page of actions for each parent: one statement for all of them.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn of_parents(
    tx: &ReadTx,
    scope: ReadScope,
    parent: ActionParent,
    ids: &[Uuid],
    list: &ActionList,
) -> Result<HashMap<Uuid, Page<Action>>> {
    listing::of_parents::<Actions>(tx, scope, &parent.children(ids), &wanted(tx, list)).await
}

/// How many actions each parent has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn counts_of_parents(
    tx: &ReadTx,
    scope: ReadScope,
    (parent, ids): (ActionParent, &[Uuid]),
    range: Option<&AxisRange>,
    filter: &Filter<ActionTest>,
) -> Result<HashMap<Uuid, i64>> {
    listing::counts_of_parents::<Actions>(
        tx,
        scope,
        &parent.children(ids),
        filter,
        &within(tx, range),
    )
    .await
}
