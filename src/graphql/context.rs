//! What every resolver of one request can reach: who asks, when, through which transaction and loaders.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Context;
use tokio::sync::OnceCell;

use super::error::{Failure, Result};
use super::loaders::{Entity, Loaders};
use super::siblings::{Member, page_of_siblings};
use crate::domain::page::Page;
use crate::domain::scope::{ReadScope, Viewer};
use crate::domain::time::Instant;
use crate::store::{self, DataState, ReadTx};

/// One request. It is the same for all its fields, which therefore see one state of the data and one present.
pub struct RequestContext {
    /// Who asks.
    pub viewer: Viewer,
    /// What the viewer may read.
    pub scope: ReadScope,
    /// The address that the request came from, where one is known.
    pub address: Option<IpAddr>,
    /// The present.
    pub now: Instant,
    /// The transaction that everything is read through.
    pub tx: ReadTx,
    /// Entities by id.
    pub loaders: Loaders,
    state: OnceCell<Result<DataState>>,
}

impl RequestContext {
    /// The context of a request that reads through `tx`.
    pub fn new(viewer: Viewer, address: Option<IpAddr>, now: Instant, tx: ReadTx) -> Arc<Self> {
        let scope = ReadScope::of(&viewer);
        let loaders = Loaders::new(tx.clone(), scope);
        Arc::new(Self {
            viewer,
            scope,
            address,
            now,
            tx,
            loaders,
            state: OnceCell::new(),
        })
    }

    /// The version of the publisher's data that this request sees: one statement for all that ask.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn state(&self) -> Result<DataState> {
        let read = || async {
            store::state(&self.tx, self.scope)
                .await
                .map_err(Failure::from)
        };
        self.state.get_or_init(read).await.clone()
    }

    /// Makes siblings of a page's rows and remembers them for look-ups by id.
    pub async fn known<E: Entity>(&self, page: Page<E>) -> Page<Member<E>> {
        let page = page.map(Arc::new);
        let rows: Vec<Arc<E>> = page.rows.iter().map(|(row, _)| Arc::clone(row)).collect();
        self.loaders.feed(rows).await;
        page_of_siblings(page)
    }
}

/// The request that a field belongs to.
///
/// # Errors
/// When the schema was executed without one, which only a mistake in `engine` can cause.
pub fn request<'a>(ctx: &Context<'a>) -> Result<&'a Arc<RequestContext>> {
    ctx.data::<Arc<RequestContext>>()
        .map_err(|_| Failure::internal("the operation has no request context"))
}
