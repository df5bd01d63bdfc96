//! Products.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use uuid::Uuid;

use super::Member;
use super::action::{ActionArgs, RelatedActionConnection, keys};
use super::affiliate_link::{AffiliateLink, Destination, SubidsInput};
use super::category::Category;
use super::offer::ProductOffer;
use super::ranking::{facts, sales_of};
use super::sales::Sales;
use crate::domain::feed;
use crate::domain::records;
use crate::domain::sales::SalesGroup;
use crate::graphql::connection::{PageArgs, connection};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::order::ActionOrder;
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput, WeekStart};
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CountryCode, DateTime, Decimal, TimeZone, Url};
use crate::graphql::siblings::Group;
use crate::store::actions::ActionParent;
use crate::store::commissions;
use crate::store::feeds::offers_of;

/// A product.
pub type Product = Member<records::Product>;

/// A product, with the latest of what the sources said of it.
#[Object(name = "Product")]
impl Product {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Product.id(self.key())
    }

    /// AliExpress product id.
    async fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Latest name.
    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Latest link to the product; no affiliate link.
    async fn url(&self) -> Option<Url> {
        self.url.clone().map(Url)
    }

    /// Latest image.
    async fn image_url(&self) -> Option<Url> {
        self.image_url.clone().map(Url)
    }

    /// Latest category, for display: sums go by the category of each cart item.
    async fn category(&self, ctx: &Context<'_>) -> Option<Result<Category>> {
        let found = async {
            self.related(request(ctx)?, "category", |product| product.category_id)
                .await
        };
        found.await.transpose()
    }

    /// Country code, as the source wrote it.
    async fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Whether it is a hot product: a feed of hot products has it, or Admitad calls it so.
    async fn is_hot(&self) -> bool {
        self.is_hot
    }

    /// Whether it is on the publisher's priority list.
    async fn is_priority(&self) -> bool {
        self.is_priority
    }

    /// What product feeds offer, by the feeds' names.
    async fn offers(&self, ctx: &Context<'_>) -> Option<Result<Vec<ProductOffer>>> {
        let found = async {
            let offers = self.offered(request(ctx)?).await?;
            let own = offers.get(&self.key()).into_iter().flatten();
            Ok(own.map(ProductOffer::from).collect())
        };
        Some(found.await)
    }

    /// What Admitad pays of its order amount, in percent; null where that was not asked for, or not answered.
    async fn commission_rate(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let rate = self.commission(request(ctx)?).await?;
        Ok(percent(rate.and_then(|rate| rate.rate_e4)))
    }

    /// The same by a link for hot products.
    async fn hot_commission_rate(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let rate = self.commission(request(ctx)?).await?;
        Ok(percent(rate.and_then(|rate| rate.hot_rate_e4)))
    }

    /// A link that pays, to this product: for the country of those who will click, through an ad space. Without a template
    /// for them, `url` is null and the answer says what to configure.
    async fn affiliate_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The ad space whose traffic it is; the only one with a template unless given."
        )]
        ad_space: Option<ID>,
        #[graphql(desc = "The program; chosen by the country unless given.")] program: Option<ID>,
        #[graphql(desc = "The country of those who will click; it decides which program pays.")]
        country: Option<CountryCode>,
        #[graphql(desc = "What the link tells, to come back with the actions.")] subids: Option<
            SubidsInput,
        >,
    ) -> Option<Result<AffiliateLink>> {
        let destination = Destination::new(ad_space.as_ref(), program.as_ref(), country);
        let found = async { self.link(&destination, subids, request(ctx)?).await };
        Some(found.await)
    }

    /// The earliest order that carried it, or the earliest product feed.
    async fn first_seen_at(&self) -> DateTime {
        DateTime(self.first_seen)
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
            sales_of(self, &facts, request(ctx)?, |_| SalesGroup::Product).await
        };
        Some(found.await)
    }

    /// The actions with this product in their cart, the latest order first unless ordered otherwise.
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
        let found = async { args.below(self, ActionParent::Product, request(ctx)?).await };
        Some(found.await)
    }
}

impl Product {
    /// What feeds offer, of all siblings: one statement.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn offered(
        &self,
        request: &Arc<RequestContext>,
    ) -> Result<Arc<HashMap<Uuid, Vec<feed::ProductOffer>>>> {
        let load = |group: Arc<Group<records::Product>>| async move {
            Ok(offers_of(&request.tx, request.scope, &keys(&group)).await?)
        };
        self.batch("offers", &(), load).await
    }

    /// A link that pays; the offers of feeds are read where the product is hot.
    ///
    /// # Errors
    /// When a SubID is not acceptable or the store fails.
    pub async fn link(
        &self,
        destination: &Destination,
        subids: Option<SubidsInput>,
        request: &Arc<RequestContext>,
    ) -> Result<AffiliateLink> {
        let subids = subids.unwrap_or_default().read()?;
        let offers = if self.is_hot {
            Some(self.offered(request).await?)
        } else {
            None
        };
        let own = offers.as_ref().and_then(|offers| offers.get(&self.key()));
        let own = own.map_or(&[][..], Vec::as_slice);
        destination.link(self, own, &subids, request).await
    }

    /// What Admitad pays, read for all siblings in one statement.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn commission(
        &self,
        request: &Arc<RequestContext>,
    ) -> Result<Option<feed::CommissionRate>> {
        let load = |group: Arc<Group<records::Product>>| async move {
            Ok(commissions::of_products(&request.tx, request.scope, &keys(&group)).await?)
        };
        let rates: Arc<HashMap<Uuid, feed::CommissionRate>> =
            self.batch("commissionRates", &(), load).await?;
        Ok(rates.get(&self.key()).copied())
    }
}

/// A percentage with at least two decimals.
pub fn percent(e4: Option<i64>) -> Option<Decimal> {
    e4.map(|e4| Decimal::new(e4, 2))
}

connection! {
    /// A page of products.
    ProductConnection, ProductEdge of Product
}
