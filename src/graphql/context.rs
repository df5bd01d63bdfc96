//! What every resolver of one request can reach: who asks, when, through which transaction and loaders.

use std::sync::Arc;

use async_graphql::Context;

use super::error::{Failure, Result};
use super::loaders::Loaders;
use crate::domain::scope::{ReadScope, Viewer};
use crate::domain::time::Instant;
use crate::store::ReadTx;

/// One request. It is the same for all its fields, which therefore see one state of the data and one present.
pub struct RequestContext {
    /// Who asks.
    pub viewer: Viewer,
    /// What the viewer may read.
    pub scope: ReadScope,
    /// The present.
    pub now: Instant,
    /// The transaction that everything is read through.
    pub tx: ReadTx,
    /// Entities by id.
    pub loaders: Loaders,
    /// Under which name faults are found in the log.
    pub reference: String,
}

/// The request that a field belongs to.
///
/// # Errors
/// When the schema was executed without one, which only a mistake in `engine` can cause.
pub fn request<'a>(ctx: &Context<'a>) -> Result<&'a Arc<RequestContext>> {
    ctx.data::<Arc<RequestContext>>()
        .map_err(|_| Failure::internal("the operation has no request context"))
}
