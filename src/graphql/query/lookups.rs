//! Root fields that look up one thing: by id, by key, or about the request itself.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, OneofObject};

use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::records;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::siblings::alone;
use crate::graphql::types::action::Action;
use crate::graphql::types::freshness::SourceFreshness;
use crate::graphql::types::node::{Node, nodes};
use crate::graphql::types::viewer::{Limits, Viewer};
use crate::store::actions::{by_external_id, by_order};

/// An order of a program.
#[derive(Debug, InputObject)]
pub struct OrderKey {
    /// The program's id.
    program: ID,
    /// The advertiser's order number.
    order_id: String,
}

/// What names one action, in exactly one of three ways.
#[derive(Debug, OneofObject)]
pub enum ActionKey {
    /// By its global id.
    Id(ID),
    /// By its id at Admitad.
    ExternalId(String),
    /// By its order, where the order is one action.
    Order(OrderKey),
}

/// Looks up one thing.
#[derive(Default)]
pub struct Lookups;

#[Object]
impl Lookups {
    /// Whatever has this global id; null for an id that is malformed, foreign or unknown.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> Option<Result<Node>> {
        let found = async { Ok(nodes(request(ctx)?, &[id]).await?.pop().flatten()) };
        found.await.transpose()
    }

    /// Whatever has these global ids, in their order; null for each that is malformed, foreign or unknown.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, at most 100 by default.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        let request = request(ctx)?;
        let most = request.limits.queries.nodes;
        if ids.len() > most {
            let message = format!(
                "ids has {} ids, the most is {most}: ask in several requests",
                ids.len()
            );
            let passed = PassedLimit::of("nodes", most, ids.len());
            return Err(Error::limit("ids", passed, message).into());
        }
        nodes(request, &ids).await
    }

    /// Who asks.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(request(ctx)?.viewer.clone()))
    }

    /// The limits on requests.
    async fn limits(&self, ctx: &Context<'_>) -> Result<Limits> {
        let request = request(ctx)?;
        Limits::new(&request.limits, request.allowance.as_ref())
    }

    /// How fresh the data is, by entrance; of the network's API, by account.
    async fn freshness(&self, ctx: &Context<'_>) -> Result<Vec<SourceFreshness>> {
        SourceFreshness::all(request(ctx)?).await
    }

    /// One action; null where there is none. More than one is an error.
    async fn action(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What names the action.")] by: ActionKey,
    ) -> Option<Result<Action>> {
        let found = async { action(request(ctx)?, by).await };
        found.await.transpose()
    }
}

async fn action(request: &Arc<RequestContext>, by: ActionKey) -> Result<Option<Action>> {
    let (tx, scope) = (&request.tx, request.scope);
    let mut found = match by {
        ActionKey::Id(id) => {
            let Some(key) = Kind::Action.key(&id) else {
                return Ok(None);
            };
            let action = request.loaders.one::<records::Action>(key).await?;
            return Ok(action.map(alone));
        }
        ActionKey::ExternalId(id) => by_external_id(tx, scope, &text("by.externalId", id)?).await?,
        ActionKey::Order(order) => {
            let order_id = text("by.order.orderId", order.order_id)?;
            match Kind::Program.key(&order.program) {
                Some(program) => by_order(tx, scope, program, &order_id).await?,
                None => return Ok(None),
            }
        }
    };
    if found.len() > 1 {
        let message =
            "more than one action answers to this key: ask actions with a filter, or give the id";
        return Err(Error::new(Code::Conflict, message).into());
    }
    let action = found.pop().map(Arc::new);
    request
        .loaders
        .feed(action.iter().map(Arc::clone).collect())
        .await;
    Ok(action.map(alone))
}

fn text(argument: &str, text: String) -> Result<String> {
    if crate::domain::text::has_nul(&text) {
        let message = format!("{argument} contains the character U+0000, which no key has");
        return Err(Error::bad_input(argument, message).into());
    }
    Ok(text)
}
