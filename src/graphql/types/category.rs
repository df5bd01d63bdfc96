//! Categories and their tree.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use uuid::Uuid;

use super::Member;
use super::action::keys;
use super::product::ProductConnection;
use super::ranking::{facts, sales_of};
use super::sales::Sales;
use crate::domain::records;
use crate::domain::sales::SalesGroup;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::ProductOrder;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::TimeZone;
use crate::graphql::siblings::{Group, by_key, lists_of_siblings, pages_of_siblings};
use crate::store::categories::children_of;
use crate::store::keyset::printed_order;
use crate::store::products::{counts_of_categories, of_categories};

/// A category.
pub type Category = Member<records::Category>;

/// A product category of AliExpress.
#[Object(name = "Category")]
impl Category {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Category.id(self.key())
    }

    /// AliExpress category id; "unknown" for the node above categories that the tree does not know, and "name:" with a sum of
    /// the name for those that carts call by a name alone.
    async fn external_id(&self) -> &str {
        &self.external_id
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// Level in the tree, 1 at the top.
    async fn level(&self) -> i32 {
        self.level
    }

    /// Whether the shipped category tree has it; if not, an import taught it.
    async fn is_known(&self) -> bool {
        self.is_known
    }

    /// The category above; null at the top.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Category>> {
        let found = async {
            self.related(request(ctx)?, "parent", |category| category.parent_id)
                .await
        };
        found.await.transpose()
    }

    /// The way from the top of the tree to this category, both included.
    async fn path(&self, ctx: &Context<'_>) -> Option<Result<Vec<Category>>> {
        let found = async { path(self, request(ctx)?).await };
        Some(found.await)
    }

    /// The categories right below, by name.
    async fn children(&self, ctx: &Context<'_>) -> Option<Result<Vec<Category>>> {
        let found = async { children(self, request(ctx)?).await };
        Some(found.await)
    }

    /// The products whose latest category is this one or one below it, the latest first unless ordered otherwise.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order, by its first key, then the next; at most 5 by default.")]
        order_by: Option<Vec<ProductOrder>>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<ProductConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { products(self, request(ctx)?, order_by.as_deref(), &page).await };
        Some(found.await)
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
            sales_of(self, &facts, request(ctx)?, sales_group).await
        };
        Some(found.await)
    }
}

/// A category's sales are those of all items within it.
fn sales_group(category: &records::Category) -> SalesGroup {
    match category.level {
        ..=1 => SalesGroup::CategoryLevel1,
        2 => SalesGroup::CategoryLevel2,
        _ => SalesGroup::CategoryOwn,
    }
}

fn line(category: &records::Category) -> Vec<Uuid> {
    let mut line = vec![category.level1_id, category.level2_id, category.id];
    line.dedup();
    line
}

async fn path(category: &Category, request: &Arc<RequestContext>) -> Result<Vec<Category>> {
    let load = |group: Arc<Group<records::Category>>| async move {
        Ok(by_key(
            request
                .loaders
                .many::<records::Category>(group.all().flat_map(line))
                .await?,
        ))
    };
    let loaded: Arc<HashMap<Uuid, Category>> = category.batch("path", &(), load).await?;
    Ok(line(category)
        .iter()
        .filter_map(|key| loaded.get(key))
        .cloned()
        .collect())
}

async fn children(category: &Category, request: &Arc<RequestContext>) -> Result<Vec<Category>> {
    let load = |group: Arc<Group<records::Category>>| async move {
        let mut below: HashMap<Uuid, Vec<records::Category>> = HashMap::new();
        for child in children_of(&request.tx, request.scope, &keys(&group)).await? {
            if let Some(parent) = child.parent_id {
                below.entry(parent).or_default().push(child);
            }
        }
        Ok(lists_of_siblings(below))
    };
    let loaded: Arc<HashMap<Uuid, Vec<Category>>> = category.batch("children", &(), load).await?;
    Ok(loaded.get(&category.key()).cloned().unwrap_or_default())
}

async fn products(
    category: &Category,
    request: &Arc<RequestContext>,
    order_by: Option<&[ProductOrder]>,
    page: &PageArgs,
) -> Result<ProductConnection> {
    let keys_of_order = ProductOrder::keys(order_by, request.limits.queries.order_keys)?;
    let order = request.order(&printed_order("products", &keys_of_order));
    let page = page.request(ENTITIES, &order)?;
    let load = |group: Arc<Group<records::Category>>| {
        let (sort, page) = (keys_of_order.clone(), page.clone());
        async move {
            let ids = keys(&group);
            Ok(pages_of_siblings(
                of_categories(&request.tx, request.scope, &ids, &sort, &page).await?,
            ))
        }
    };
    let pages: Arc<HashMap<Uuid, _>> = category
        .batch("products", &(&keys_of_order, &page), load)
        .await?;
    let slice = Slice::new(
        pages.get(&category.key()).cloned().unwrap_or_default(),
        order,
    );
    let asked = (Arc::clone(request), category.clone());
    let count = Count::ask(move || {
        let (request, category) = asked.clone();
        async move { counted(&category, &request).await }
    });
    Ok(ProductConnection { slice, count })
}

async fn counted(category: &Category, request: &Arc<RequestContext>) -> Result<i64> {
    let load = |group: Arc<Group<records::Category>>| async move {
        Ok(counts_of_categories(&request.tx, request.scope, &keys(&group)).await?)
    };
    let counts: Arc<HashMap<Uuid, i64>> = category.batch("productCounts", &(), load).await?;
    Ok(counts.get(&category.key()).copied().unwrap_or(0))
}

crate::graphql::connection::connection! {
    /// A page of categories.
    CategoryConnection, CategoryEdge of Category
}
