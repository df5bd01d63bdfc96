//! Cart items of actions.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object};
use uuid::Uuid;

use super::Member;
use super::action::{Action, keys};
use super::category::Category;
use super::product::Product;
use super::sales::Money;
use crate::domain::money;
use crate::domain::page::{Page, PageRequest};
use crate::domain::records;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, connection, page_by};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::scalar::{DateTime, Decimal};
use crate::graphql::siblings::{Group, pages_of_siblings};
use crate::store::actions::items_of;

/// A line of an action's cart.
pub type ActionItem = Member<records::CartItem>;

/// A line of an action's cart.
#[Object(name = "ActionItem")]
impl ActionItem {
    /// Id of the position at Admitad.
    async fn external_id(&self) -> Option<&str> {
        self.item.external_id.as_deref()
    }

    /// Place in the cart, from 0.
    async fn ordinal(&self) -> i32 {
        self.ordinal
    }

    /// The product; null where the source does not name it.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let found = async {
            self.related(request(ctx)?, "product", |line| line.item.product_id)
                .await
        };
        found.await.transpose()
    }

    /// The item's own category, which sums go by; null where the source does not name it.
    async fn category(&self, ctx: &Context<'_>) -> Option<Result<Category>> {
        let found = async {
            self.related(request(ctx)?, "category", |line| line.item.category_id)
                .await
        };
        found.await.transpose()
    }

    /// Amount of the line.
    async fn amount(&self) -> Money {
        money::Money {
            e4: self.item.amount_e4,
            currency: self.currency,
        }
        .into()
    }

    /// Reward of the line.
    async fn reward(&self) -> Money {
        money::Money {
            e4: self.item.reward_e4,
            currency: self.currency,
        }
        .into()
    }

    /// Units sold; 1 unless the source says otherwise.
    async fn units(&self) -> i32 {
        self.item.units
    }

    /// The rate: a percentage of the amount or a fixed sum, as `isPercentage` says.
    async fn rate(&self) -> Option<Decimal> {
        self.item.rate_e4.map(|e4| Decimal::new(e4, 2))
    }

    /// Whether the rate is a percentage; null where there is no rate.
    async fn is_percentage(&self) -> Option<bool> {
        self.item.is_percentage
    }

    /// Id of the tariff.
    async fn tariff_id(&self) -> Option<&str> {
        self.item.tariff_id.as_deref()
    }

    /// Id of the rate.
    async fn rate_id(&self) -> Option<&str> {
        self.item.rate_id.as_deref()
    }

    /// When the line was ordered, where the source says it.
    async fn ordered_at(&self) -> Option<DateTime> {
        self.item.ordered_at.map(DateTime)
    }

    /// The product's country code, as the source wrote it.
    async fn product_country(&self) -> Option<&str> {
        self.item.product_country.as_deref()
    }
}

connection! {
    /// A page of an action's cart.
    ActionItemConnection, ActionItemEdge of ActionItem
}

type Carts = HashMap<Uuid, Vec<records::CartItem>>;

impl ActionItemConnection {
    /// A page of an action's cart, read for all its siblings.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn of(
        action: &Action,
        request: &Arc<RequestContext>,
        page: &PageArgs,
    ) -> Result<Self> {
        let order = request.order("items");
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<records::Action>>| async move {
            let mut carts = Carts::new();
            for line in items_of(&request.tx, request.scope, &keys(&group)).await? {
                carts.entry(line.action_id).or_default().push(line);
            }
            Ok(carts)
        };
        let carts: Arc<Carts> = action.batch("carts", &(), load).await?;
        let total = carts.get(&action.id).map_or(0, Vec::len);
        let load = |_: Arc<Group<records::Action>>| {
            let page = page.clone();
            async move { Ok(pages_of_siblings(paged(&carts, &page))) }
        };
        let pages: Arc<HashMap<Uuid, _>> = action.batch("items", &page, load).await?;
        Ok(Self {
            slice: Slice::new(pages.get(&action.id).cloned().unwrap_or_default(), order),
            count: Count::Known(i64::try_from(total).unwrap_or(i64::MAX)),
        })
    }
}

fn paged(carts: &Carts, page: &PageRequest) -> HashMap<Uuid, Page<records::CartItem>> {
    let place = |line: &records::CartItem| (vec![i64::from(line.ordinal)], Uuid::nil());
    carts
        .iter()
        .map(|(action, lines)| (*action, page_by(lines.clone(), page, place)))
        .collect()
}
