//! Products of the priority list that are not known yet.

use std::sync::Arc;

use async_graphql::SimpleObject;
use uuid::Uuid;

use crate::domain::records;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, connection, page_by};
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::scalar::DateTime;
use crate::store::apply::priority::list_version;
use crate::store::awaited::{awaited, marked};

/// A product of the priority list that no action and no feed has named yet. As soon as one does, it is on the list as a
/// product, and no longer here.
#[derive(Clone, Debug, SimpleObject)]
pub struct AwaitedProduct {
    /// Its AliExpress product id; null where a link without one was listed.
    external_id: Option<String>,
    /// The id or the link, as it was listed.
    listed: String,
    /// When it was listed.
    listed_at: DateTime,
}

connection! {
    /// A page of products of the priority list that are not known yet.
    AwaitedProductConnection, AwaitedProductEdge of AwaitedProduct, with ListRead {
        /// The version of the whole priority list, products that are known and those that are not: `setPriorityProducts`,
        /// `addPriorityProducts` and `removePriorityProducts` take it as `expectedVersion`. It stays when a product of the
        /// list becomes known.
        async fn list_version(&self) -> Result<String> {
            let ListRead { request, waiting } = &self.more;
            let marked = marked(&request.tx, request.scope).await?;
            let version = list_version(&marked, waiting.iter().copied());
            Ok(version.simple().to_string())
        }
    }
}

/// The part of the list that was read for a page.
pub struct ListRead {
    request: Arc<RequestContext>,
    waiting: Vec<Uuid>,
}

impl AwaitedProductConnection {
    /// A page of them.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn of(request: &Arc<RequestContext>, page: &PageArgs) -> Result<Self> {
        let order = request.order("awaitedProducts");
        let page = page.request(ENTITIES, &order)?;
        let all = awaited(&request.tx, request.scope).await?;
        let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let waiting = all.iter().map(|one| one.id).collect();
        let key = |one: &records::AwaitedProduct| -> (Vec<i64>, Uuid) {
            (vec![-one.listed_at.micros()], one.id)
        };
        let page = page_by(all, &page, key).map(|one| AwaitedProduct {
            external_id: one.external_id,
            listed: one.written,
            listed_at: DateTime(one.listed_at),
        });
        Ok(Self {
            slice: Slice::new(page, order),
            count: Count::Known(count),
            more: ListRead {
                request: Arc::clone(request),
                waiting,
            },
        })
    }
}
