//! Products worth sending traffic to, each with its reasons and its link.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use uuid::Uuid;

use super::Member;
use super::affiliate_link::{AffiliateLink, Destination, SubidsInput};
use super::info::AggregateInfo;
use super::product::{Product, percent};
use super::program::Program;
use super::sales::{Change, Money};
use super::words::AggregateSource;
use crate::analytics::traffic as targets;
use crate::domain::error::Error;
use crate::domain::feed::{CommissionRate, ProductOffer};
use crate::domain::money;
use crate::domain::sales::RankBy;
use crate::domain::traffic::target;
use crate::domain::traffic::target::{Signals, TargetPlan, TargetRequest, TargetRow, reasons};
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, connection};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::filters::ProductFilter;
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::input::reader::filter as read_filter;
use crate::graphql::input::rules::product_rules;
use crate::graphql::scalar::{CurrencyCode, Decimal, count};
use crate::graphql::siblings::{Group, page_of_siblings};

/// Whether a product can be ordered, as its feeds say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "target::Availability")]
pub enum Availability {
    /// A feed offers it.
    Available,
    /// Feeds have it, and none offers it.
    Unavailable,
    /// No feed says.
    Unknown,
}

/// Why a product is worth traffic, or less so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "target::TargetReasonKind")]
pub enum TrafficTargetReasonKind {
    /// What an order is expected to bring.
    ExpectedReward,
    /// It is on the publisher's priority list.
    Priority,
    /// It is a hot product.
    Hot,
    /// It sells more than in the period before, as the segment RISING says: by `changePercent` at least, and `changeUnits` or
    /// more in the larger of both (`segmentSettings`). From nothing there is no rise.
    Rising,
    /// Of at least `riskyProcessed` processed orders (`segmentSettings`) the base rate or more were approved; never said
    /// without a base rate, nor of a product with LOW_APPROVAL.
    HighApproval,
    /// What Admitad pays of the order amount is known.
    CommissionRate,
    /// Against it: it sells less than in the period before, as the segment FALLING says, likewise.
    Falling,
    /// Against it: of at least `riskyProcessed` processed orders fewer than `riskyPercent` are approved, as the segment RISKY
    /// says.
    LowApproval,
    /// Against it: most of its orders are not processed yet.
    MostlyPending,
    /// Against it: its feeds say that it cannot be ordered.
    Unavailable,
}

/// A reason for sending traffic to a product, or against it.
#[derive(Clone, Debug, SimpleObject)]
pub struct TrafficTargetReason {
    /// Which.
    kind: TrafficTargetReasonKind,
    /// Whether it speaks for the product.
    speaks_for: bool,
    /// The same in a sentence.
    text: String,
}

/// A list as a whole: what its rows are compared with and linked to.
pub struct Targets {
    request: Arc<RequestContext>,
    plan: TargetPlan,
    destination: Destination,
    program: Option<Program>,
    info: AggregateInfo,
}

impl Targets {
    fn money(&self, e4: i64) -> Money {
        let currency = self.plan.query.currency;
        Money::from(money::Money { e4, currency })
    }
}

/// What a caller asks of products worth sending traffic to.
pub struct TrafficTargetArgs {
    /// When.
    pub range: RangeInput,
    /// How the range is meant.
    pub how: RangeArgs,
    /// Which actions.
    pub filter: Option<ActionFilter>,
    /// Which products.
    pub products: Option<ProductFilter>,
    /// In which currency.
    pub currency: Option<CurrencyCode>,
    /// Where the traffic goes.
    pub destination: Destination,
    /// How many orders a product has at least.
    pub min_orders: i32,
    /// Whether products are left out that feeds have and none offers.
    pub only_available: bool,
    /// Which page.
    pub page: PageArgs,
}

impl TrafficTargetArgs {
    /// The list.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn list(self, request: &Arc<RequestContext>) -> Result<TrafficTargetConnection> {
        let ranged = self.how.ranged(self.range, request)?;
        let asked = TargetRequest {
            range: ranged.range,
            previous: ranged.previous,
            filter: read_filter("filter", self.filter.as_ref(), request).await?,
            products: read_filter("products", self.products.as_ref(), request).await?,
            currency: self.currency.map(|code| code.0),
            min_orders: min_orders(self.min_orders)?,
            only_available: self.only_available,
        };
        let links = request.links().await?;
        let none = Default::default();
        let chosen = links.program_for(&self.destination.question(&none, request));
        let program = chosen.and_then(|program| links.program(program.id));
        let publisher = (&request.viewer.publisher, request.scope);
        let bounds = (request.now, request.limits.reports);
        let plan = targets::plan(&request.tx, publisher, asked, chosen, bounds).await?;
        let order = request.order(&format!("trafficTargets {}", plan.query.currency));
        let page = self.page.request(ENTITIES, &order)?;
        let rows = targets::targets(&request.tx, request.scope, &plan.query, &page).await?;
        let counted = (Arc::clone(request), plan.query.clone());
        let count = Count::ask(move || {
            let (request, query) = counted.clone();
            async move { Ok(targets::target_count(&request.tx, request.scope, &query).await?) }
        });
        let info = AggregateInfo::new(
            request,
            plan.query.facts.clone(),
            AggregateSource::from(&targets::source_of(request.scope, &plan.query.facts)),
        );
        let list = Arc::new(Targets {
            request: Arc::clone(request),
            plan,
            destination: self.destination,
            program,
            info,
        });
        let page = page_of_siblings(rows.map(Arc::new)).map(|row| TrafficTarget {
            row,
            list: Arc::clone(&list),
        });
        Ok(TrafficTargetConnection {
            slice: Slice::new(page, order),
            count,
            more: list,
        })
    }
}

fn min_orders(asked: i32) -> Result<u32> {
    u32::try_from(asked)
        .ok()
        .filter(|asked| *asked > 0)
        .ok_or_else(|| {
            let message = format!(
                "minOrders is {asked}: ask for 1 or more; {} is usual, so that one lucky order does not lead",
                target::MIN_ORDERS
            );
            Failure::from(Error::bad_input("minOrders", message))
        })
}

/// A product worth sending traffic to.
#[derive(Clone)]
pub struct TrafficTarget {
    row: Member<TargetRow>,
    list: Arc<Targets>,
}

impl TrafficTarget {
    async fn entity(&self) -> Result<Product> {
        let request = &self.list.request;
        let found = self
            .row
            .related(request, "product", |row| Some(row.product_id))
            .await?;
        found.ok_or_else(|| Failure::internal("a sold product is not there"))
    }

    async fn previous_units(&self) -> Result<i64> {
        let list = &self.list;
        let load = |group: Arc<Group<TargetRow>>| async move {
            let ids: Vec<Uuid> = group.all().map(|row| row.product_id).collect();
            let (request, plan) = (&list.request, &list.plan);
            let (tx, scope) = (&request.tx, request.scope);
            let asked = (ids.as_slice(), request.limits.reports);
            Ok(targets::units_in(tx, scope, &plan.query, plan.previous, asked).await?)
        };
        let before: Arc<HashMap<Uuid, i64>> = self.row.batch("previous", &(), load).await?;
        Ok(before.get(&self.row.product_id).copied().unwrap_or(0))
    }

    async fn offers(&self) -> Result<Vec<ProductOffer>> {
        let product = self.entity().await?;
        let offers = product.offered(&self.list.request).await?;
        Ok(offers
            .get(&self.row.product_id)
            .cloned()
            .unwrap_or_default())
    }

    async fn says(&self) -> Result<target::Availability> {
        let offers = self.offers().await?;
        Ok(target::Availability::of(
            offers.iter().map(|offer| offer.available),
        ))
    }

    async fn rate(&self) -> Result<Option<CommissionRate>> {
        self.entity().await?.commission(&self.list.request).await
    }
}

/// A product worth sending traffic to: its orders in the range and the currency of the list, what another one is expected
/// to bring, and why.
#[Object]
impl TrafficTarget {
    /// Competition rank over the whole list: equal values have equal ranks.
    async fn rank(&self) -> Result<i32> {
        count(self.row.rank)
    }

    /// What an order is expected to bring: (approved reward + reward on hold × the list's `baseApprovalRate`) / orders of
    /// any status. The list is ranked by it before it is rounded.
    async fn expected_reward_per_order(&self) -> Money {
        Money::from(self.row.per_order(self.list.plan.query.currency))
    }

    /// Distinct orders (actions) of any status; one order can count for several products.
    async fn orders(&self) -> Result<i32> {
        count(self.row.sums.orders)
    }

    /// Orders that were approved, stalled ones included.
    async fn approved_orders(&self) -> Result<i32> {
        count(self.row.sums.approved)
    }

    /// Orders that were declined.
    async fn declined_orders(&self) -> Result<i32> {
        count(self.row.sums.declined)
    }

    /// Share of the processed orders that were approved, from 0 to 1; null where none was processed. Its base is
    /// `approvedOrders` + `declinedOrders`.
    async fn approval_rate(&self) -> Option<f64> {
        self.row.sums.approval_rate()
    }

    /// Units sold that were not declined.
    async fn units(&self) -> Result<i32> {
        count(self.row.sums.units)
    }

    /// Order amount of the product, of any status.
    async fn order_amount(&self) -> Money {
        self.list.money(self.row.sums.order_amount_e4)
    }

    /// Reward that was approved.
    async fn approved_reward(&self) -> Money {
        self.list.money(self.row.sums.approved_e4)
    }

    /// Reward on hold.
    async fn pending_reward(&self) -> Money {
        self.list.money(self.row.sums.pending_e4)
    }

    /// Change of `units` against the previous period.
    async fn trend(&self) -> Option<Result<Change>> {
        let found = async {
            let previous = self.previous_units().await?;
            Change::new(RankBy::Units, previous, self.row.sums.units)
        };
        Some(found.await)
    }

    /// Whether it is a hot product.
    async fn is_hot(&self) -> Result<bool> {
        Ok(self.entity().await?.is_hot)
    }

    /// Whether it is on the publisher's priority list.
    async fn is_priority(&self) -> Result<bool> {
        Ok(self.entity().await?.is_priority)
    }

    /// Whether it can be ordered, as its feeds say.
    async fn availability(&self) -> Result<Availability> {
        Ok(self.says().await?.into())
    }

    /// What Admitad pays of its order amount, in percent; null where that is not known.
    async fn commission_rate(&self) -> Result<Option<Decimal>> {
        Ok(percent(self.rate().await?.and_then(|rate| rate.rate_e4)))
    }

    /// Why it is worth traffic, and what speaks against it.
    async fn reasons(&self) -> Result<Vec<TrafficTargetReason>> {
        let product = self.entity().await?;
        let signals = Signals {
            previous_units: self.previous_units().await?,
            is_hot: product.is_hot,
            is_priority: product.is_priority,
            rate_e4: self.rate().await?.and_then(|rate| rate.rate_e4),
            availability: self.says().await?,
        };
        let rules = product_rules(None, &self.list.request).await?;
        let (plan, row) = (&self.list.plan, &self.row);
        let found = reasons(row, &signals, &rules, plan.query.currency, plan.base);
        Ok(found
            .into_iter()
            .map(|(kind, text)| TrafficTargetReason {
                kind: kind.into(),
                speaks_for: kind.speaks_for(),
                text,
            })
            .collect())
    }

    /// The link to it, for the ad space, program and country that the list was asked for.
    async fn affiliate_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the link tells, to come back with the actions.")] subids: Option<
            SubidsInput,
        >,
    ) -> Option<Result<AffiliateLink>> {
        let found = async {
            let product = self.entity().await?;
            let destination = &self.list.destination;
            product.link(destination, subids, request(ctx)?).await
        };
        Some(found.await)
    }

    /// The product.
    async fn product(&self) -> Option<Result<Product>> {
        Some(self.entity().await)
    }
}

connection! {
    /// A page of products worth sending traffic to.
    TrafficTargetConnection, TrafficTargetEdge of TrafficTarget, with Arc<Targets> {
        /// The currency of the list: orders in others are left out.
        async fn currency(&self) -> CurrencyCode {
            CurrencyCode(self.more.plan.query.currency)
        }

        /// The program that the traffic goes through: the one that was named, or that the country chooses of those with a
        /// template; null where there is none.
        async fn program(&self) -> Option<Program> {
            self.more.program.clone()
        }

        /// Which part of the reward on hold is expected, from 0 to 1: of the processed reward in this currency the part
        /// that was approved, by the list's filter, over the 360 days that end 30 days before now. Null where none was
        /// processed then; nothing of what is on hold is expected in that case.
        async fn base_approval_rate(&self) -> Option<f64> {
            self.more.plan.base.ratio()
        }

        /// How fresh and how complete these numbers are.
        async fn info(&self) -> AggregateInfo {
            self.more.info.clone()
        }
    }
}
