//! Root fields for administrators: keys, and what was done to them.

use async_graphql::{Context, Object};
use std::sync::Arc;
use uuid::Uuid;

use crate::domain::scope::KeyScope;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, page_by};
use crate::graphql::context::request;
use crate::graphql::error::Result;
use crate::graphql::types::audit::{AuditEntry, AuditEntryConnection};
use crate::graphql::types::key::{ApiKey, ApiKeyConnection};
use crate::store::audit::{trail, trail_length};
use crate::store::keys::list;

/// What administrators ask.
#[derive(Default)]
pub struct Keys;

#[Object]
impl Keys {
    /// The publisher's API keys without their secrets, the oldest first, revoked ones included. For keys with the scope
    /// ADMIN.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ApiKeyConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async {
            let request = request(ctx)?;
            request.viewer.check(KeyScope::Admin)?;
            let order = request.order("apiKeys");
            let page = page.request(ENTITIES, &order)?;
            let all: Vec<ApiKey> = list(&request.tx, request.scope)
                .await?
                .into_iter()
                .map(|stored| ApiKey {
                    key: stored.key,
                    now: request.now,
                })
                .collect();
            let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
            let place = |key: &ApiKey| -> (Vec<i64>, Uuid) {
                (vec![key.key.created_at.micros()], key.key.id)
            };
            Ok(ApiKeyConnection {
                slice: Slice::new(page_by(all, &page, place), order),
                count: Count::Known(count),
            })
        };
        Some(found.await)
    }

    /// What was done, the latest first: to keys and addresses for postbacks, templates of links, the users of ad spaces,
    /// segments, their settings, the list of priority products, and rejected records. Written with each change, never
    /// changed; what was refused is not in it, and what imports did, their runs tell. For keys with the scope ADMIN.
    async fn audit_trail(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async {
            let request = request(ctx)?;
            request.viewer.check(KeyScope::Admin)?;
            let order = request.order("auditTrail");
            let page = page.request(ENTITIES, &order)?;
            let page = trail(&request.tx, request.scope, &page).await?;
            let asked = Arc::clone(request);
            let count = Count::ask(move || {
                let request = Arc::clone(&asked);
                async move { Ok(trail_length(&request.tx, request.scope).await?) }
            });
            Ok(AuditEntryConnection {
                slice: Slice::new(page.map(AuditEntry), order),
                count,
            })
        };
        Some(found.await)
    }
}
