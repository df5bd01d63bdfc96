//! Top sellers: ranked categories and products with share, change and what a page leaves out; and the sales of entities.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_graphql::{Context, Object};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Member;
use super::category::Category;
use super::info::AggregateInfo;
use super::product::Product;
use super::sales::{Change, Money, OtherSales, Sales, UnattributedSales, amounts};
use super::words::{AggregateSource, RankMetric};
use crate::analytics::{sources, top};
use crate::domain::error::Error;
use crate::domain::money::Currency;
use crate::domain::sales::{
    FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums, Totals, ratio,
};
use crate::domain::time::Span;
use crate::graphql::connection::{Count, ENTITIES, ListOrder, PageArgs, Slice, connection, size};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::filters::ProductFilter;
use crate::graphql::input::range::{RangeArgs, RangeInput};
use crate::graphql::input::reader::filter as read_filter;
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CurrencyCode, count};
use crate::graphql::siblings::{Group, lists_of_siblings, page_of_siblings};

/// The counted facts of a range.
///
/// # Errors
/// When an argument is not acceptable.
pub async fn facts(
    range: RangeInput,
    how: RangeArgs,
    filter: Option<&ActionFilter>,
    request: &RequestContext,
) -> Result<FactQuery> {
    let ranged = how.ranged(range, request)?;
    Ok(FactQuery::counted(
        ranged.range,
        read_filter("filter", filter, request).await?,
    ))
}

/// The sales of an entity, read for all its siblings: one statement for each group that they belong to.
///
/// # Errors
/// When the store fails.
pub async fn sales_of<T: Entity>(
    entity: &Member<T>,
    facts: &FactQuery,
    request: &Arc<RequestContext>,
    group_of: fn(&T) -> SalesGroup,
) -> Result<Sales> {
    let load = |group: Arc<Group<T>>| async move {
        let mut keys: Vec<(SalesGroup, BTreeSet<Uuid>)> = Vec::new();
        for entity in group.all() {
            let of = group_of(entity);
            match keys.iter_mut().find(|(other, _)| *other == of) {
                Some((_, keys)) => {
                    keys.insert(entity.key());
                }
                None => keys.push((of, BTreeSet::from([entity.key()]))),
            }
        }
        let mut sums: HashMap<Option<Uuid>, Sums> = HashMap::new();
        for (of, keys) in keys {
            let keys: Vec<Option<Uuid>> = keys.into_iter().map(Some).collect();
            sums.extend(top::sums_of(&request.tx, request.scope, facts, of, &keys).await?);
        }
        Ok(sums)
    };
    let sums: Arc<HashMap<Option<Uuid>, Sums>> = entity.batch("sales", facts, load).await?;
    Sales::new(sums.get(&Some(entity.key())).unwrap_or(&Sums::default()))
}

/// The metric that a caller ranks by.
///
/// # Errors
/// When it is money and no currency is given, or a currency is given and it is no money.
pub fn rank_by(
    metric: RankMetric,
    currency: Option<CurrencyCode>,
    request: &RequestContext,
) -> Result<RankBy> {
    let money = |name: &str| -> Result<Currency> {
        currency.map(|code| code.0).ok_or_else(|| {
            let main = request.viewer.publisher.currency;
            let message = format!(
                "a ranking by {name} needs one currency, because amounts of several cannot be compared: \
                 add currency, such as currency: \"{main}\""
            );
            Error::bad_input("currency", message).into()
        })
    };
    let counts = matches!(metric, RankMetric::Units | RankMetric::Actions);
    if let Some(CurrencyCode(given)) = currency.filter(|_| counts) {
        let message = format!(
            "a ranking by UNITS or ACTIONS counts in every currency: leave currency out, or rank by ORDER_AMOUNT or \
             REWARD, which rank what was sold in {given}"
        );
        return Err(Error::bad_input("currency", message).into());
    }
    Ok(match metric {
        RankMetric::Units => RankBy::Units,
        RankMetric::Actions => RankBy::Actions,
        RankMetric::OrderAmount => RankBy::OrderAmount(money("ORDER_AMOUNT")?),
        RankMetric::Reward => RankBy::Reward(money("REWARD")?),
    })
}

/// A ranked list as a whole: what its rows and its page are compared with.
pub struct Ranking {
    request: Arc<RequestContext>,
    query: SalesQuery,
    previous: Span,
    totals: OnceCell<Result<Totals>>,
    /// Whether columns in memory give the page: then nothing was read of the facts, nor counted.
    by_columns: bool,
    info: AggregateInfo,
}

impl Ranking {
    /// Refuses to read too many facts for the groups of a range.
    async fn check(&self, facts: &FactQuery) -> Result<()> {
        let (tx, scope) = (&self.request.tx, self.request.scope);
        let limits = self.request.limits.reports;
        Ok(top::check_groups(tx, scope, (facts, self.query.group), limits).await?)
    }

    async fn group_count(&self) -> Result<i64> {
        if self.by_columns {
            self.check(&self.query.facts).await?;
        }
        let request = &self.request;
        Ok(top::group_count(&request.tx, request.scope, &self.query).await?)
    }

    async fn totals(&self) -> Result<Totals> {
        let read = || async {
            let (facts, tx, scope) = (&self.query.facts, &self.request.tx, self.request.scope);
            if self.by_columns {
                let limits = self.request.limits.reports;
                let told = (top::RANKING, top::REMEDY);
                let asked = (Some(&facts.range), &facts.filter);
                top::check_totals(tx, scope, asked, limits, told).await?;
            }
            Ok(top::totals(tx, scope, facts).await?)
        };
        self.totals.get_or_init(read).await.clone()
    }

    /// The metric of the whole list, which shares are of.
    async fn base(&self) -> Result<i64> {
        Ok(self.totals().await?.facts.metric(self.query.by))
    }

    async fn others(&self, page: impl Iterator<Item = &Sums>) -> Result<OtherSales> {
        let rest = page.fold(self.totals().await?.items, |rest, row| rest.less(row));
        OtherSales::new(&rest)
    }
}

/// What a caller asks of top sellers.
pub struct RankingArgs {
    /// When.
    pub range: RangeInput,
    /// How the range is meant.
    pub how: RangeArgs,
    /// Which actions.
    pub filter: Option<ActionFilter>,
    /// Of products which are ranked.
    pub products: Option<ProductFilter>,
    /// By what.
    pub by: RankMetric,
    /// In which currency.
    pub currency: Option<CurrencyCode>,
    /// Which page.
    pub page: PageArgs,
}

/// A ranked page, its order, the number of groups and the whole list.
struct Ranked {
    page: crate::domain::page::Page<Member<SalesRow>>,
    order: ListOrder,
    count: Count,
    ranking: Arc<Ranking>,
}

impl RankingArgs {
    async fn ranked(&self, request: &Arc<RequestContext>, group: SalesGroup) -> Result<Ranked> {
        let by = rank_by(self.by, self.currency, request)?;
        let previous = self.how.ranged(self.range, request)?.previous;
        let facts = facts(self.range, self.how, self.filter.as_ref(), request).await?;
        let products = read_filter("products", self.products.as_ref(), request).await?;
        let order = request.order(&format!("sales {group:?} {by:?}"));
        let page = self.page.request(ENTITIES, &order)?;
        let query = SalesQuery {
            facts,
            group,
            by,
            page,
            products,
        };
        let by_columns = sources::columns_rank(&request.tx, request.scope, &query).await?;
        let source = if by_columns {
            AggregateSource::Columns
        } else {
            AggregateSource::from(&sources::of_group(request.scope, &query.facts, query.group))
        };
        let info = AggregateInfo::new(request, query.facts.clone(), source);
        let ranking = Arc::new(Ranking {
            request: Arc::clone(request),
            query,
            previous,
            totals: OnceCell::new(),
            by_columns,
            info,
        });
        if !by_columns {
            ranking.check(&ranking.query.facts).await?;
        }
        let rows = top::ranked(&request.tx, request.scope, &ranking.query).await?;
        let asked = Arc::clone(&ranking);
        Ok(Ranked {
            page: page_of_siblings(rows.map(Arc::new)),
            order,
            count: Count::ask(move || {
                let ranking = Arc::clone(&asked);
                async move { ranking.group_count().await }
            }),
            ranking,
        })
    }

    /// Ranked categories.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn categories(
        &self,
        request: &Arc<RequestContext>,
        group: SalesGroup,
    ) -> Result<CategorySalesConnection> {
        let Ranked {
            page,
            order,
            count,
            ranking,
        } = self.ranked(request, group).await?;
        let page = page.map(|row| CategorySales {
            row,
            ranking: Arc::clone(&ranking),
        });
        Ok(CategorySalesConnection {
            slice: Slice::new(page, order),
            count,
            more: ranking,
        })
    }

    /// Ranked products.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn products(&self, request: &Arc<RequestContext>) -> Result<ProductSalesConnection> {
        let Ranked {
            page,
            order,
            count,
            ranking,
        } = self.ranked(request, SalesGroup::Product).await?;
        let page = page.map(|row| ProductSales {
            row,
            ranking: Arc::clone(&ranking),
        });
        Ok(ProductSalesConnection {
            slice: Slice::new(page, order),
            count,
            more: ranking,
        })
    }
}

async fn share(row: &SalesRow, ranking: &Ranking) -> Result<Option<f64>> {
    Ok(ratio(row.metric, ranking.base().await?))
}

/// The change against the previous period, read for the whole page.
async fn change(row: &Member<SalesRow>, ranking: &Arc<Ranking>) -> Result<Change> {
    let load = |group: Arc<Group<SalesRow>>| async move {
        let keys: Vec<Option<Uuid>> = group.all().map(|row| row.key).collect();
        let (request, query) = (&ranking.request, &ranking.query);
        let before = query.facts.in_span(ranking.previous);
        ranking.check(&before).await?;
        Ok(top::sums_of(&request.tx, request.scope, &before, query.group, &keys).await?)
    };
    let before: Arc<HashMap<Option<Uuid>, Sums>> = row.batch("previous", &(), load).await?;
    let by = ranking.query.by;
    let previous = before.get(&row.key).map_or(0, |sums| sums.metric(by));
    Change::new(by, previous, row.metric)
}

/// The sales of one category in a range.
#[derive(Clone)]
pub struct CategorySales {
    row: Member<SalesRow>,
    ranking: Arc<Ranking>,
}

/// The sales of one category in a range, summed over the cart items in it.
#[Object]
impl CategorySales {
    /// Competition rank over the whole list: equal values have equal ranks.
    async fn rank(&self) -> Result<i32> {
        count(self.row.rank)
    }

    /// Units sold.
    async fn units(&self) -> Result<i32> {
        count(self.row.sums.units)
    }

    /// Number of distinct actions; one action can count in several categories.
    async fn actions(&self) -> Result<i32> {
        count(self.row.sums.actions)
    }

    /// Order amounts of the items, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.row.sums.order_amounts())
    }

    /// Rewards of the items, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.row.sums.rewards())
    }

    /// Share of the totals, from 0 to 1, of what the list is ranked by; null where the total is 0.
    async fn share(&self) -> Option<Result<f64>> {
        share(&self.row, &self.ranking).await.transpose()
    }

    /// Change of what the list is ranked by against the previous period.
    async fn change(&self) -> Option<Result<Change>> {
        Some(change(&self.row, &self.ranking).await)
    }

    /// The category; null for the row of the items without one.
    async fn category(&self, ctx: &Context<'_>) -> Option<Result<Category>> {
        let found = async {
            self.row
                .related(request(ctx)?, "category", |row| row.key)
                .await
        };
        found.await.transpose()
    }

    /// The top products within the category, ranked as this list is.
    async fn products(
        &self,
        #[graphql(desc = "How many, at most 100 by default.", default = 5)] first: i32,
    ) -> Option<Result<TopProducts>> {
        Some(TopProducts::in_category(&self.row, &self.ranking, first).await)
    }
}

connection! {
    /// A page of categories by their sales.
    CategorySalesConnection, CategorySalesEdge of CategorySales, with Arc<Ranking> {
        /// Totals of all counted actions, whatever the page.
        async fn totals(&self) -> Option<Result<Sales>> {
            let totals = async { Sales::new(&self.more.totals().await?.facts) };
            Some(totals.await)
        }

        /// The categories that are not on this page, as one.
        async fn others(&self) -> Option<Result<OtherSales>> {
            Some(self.more.others(self.slice.nodes().map(|node| &node.row.sums)).await)
        }

        /// Money of actions that their cart items do not cover.
        async fn unattributed(&self) -> Option<Result<UnattributedSales>> {
            let totals = self.more.totals().await;
            Some(totals.map(|totals| UnattributedSales::new(&totals.unattributed())))
        }

        /// How fresh and how complete these numbers are.
        async fn info(&self) -> AggregateInfo {
            self.more.info.clone()
        }
    }
}

/// The sales of one product in a range.
#[derive(Clone)]
pub struct ProductSales {
    row: Member<SalesRow>,
    ranking: Arc<Ranking>,
}

/// The sales of one product in a range, summed over its cart items.
#[Object]
impl ProductSales {
    /// Competition rank over the whole list: equal values have equal ranks.
    async fn rank(&self) -> Result<i32> {
        count(self.row.rank)
    }

    /// Units sold.
    async fn units(&self) -> Result<i32> {
        count(self.row.sums.units)
    }

    /// Number of distinct actions; one action can count for several products.
    async fn actions(&self) -> Result<i32> {
        count(self.row.sums.actions)
    }

    /// Order amounts of the items, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.row.sums.order_amounts())
    }

    /// Rewards of the items, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.row.sums.rewards())
    }

    /// Share of the totals, from 0 to 1, of what the list is ranked by; null where the total is 0.
    async fn share(&self) -> Option<Result<f64>> {
        share(&self.row, &self.ranking).await.transpose()
    }

    /// Change of what the list is ranked by against the previous period.
    async fn change(&self) -> Option<Result<Change>> {
        Some(change(&self.row, &self.ranking).await)
    }

    /// The product.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let found = async {
            self.row
                .related(request(ctx)?, "product", |row| row.key)
                .await
        };
        found.await.transpose()
    }
}

connection! {
    /// A page of products by their sales.
    ProductSalesConnection, ProductSalesEdge of ProductSales, with Arc<Ranking> {
        /// Totals of all counted actions, whatever the page.
        async fn totals(&self) -> Option<Result<Sales>> {
            let totals = async { Sales::new(&self.more.totals().await?.facts) };
            Some(totals.await)
        }

        /// The products that are not on this page, also those that were not chosen, and the items without a product, as one.
        async fn others(&self) -> Option<Result<OtherSales>> {
            Some(self.more.others(self.slice.nodes().map(|node| &node.row.sums)).await)
        }

        /// Money of actions that their cart items do not cover.
        async fn unattributed(&self) -> Option<Result<UnattributedSales>> {
            let totals = self.more.totals().await;
            Some(totals.map(|totals| UnattributedSales::new(&totals.unattributed())))
        }

        /// How fresh and how complete these numbers are.
        async fn info(&self) -> AggregateInfo {
            self.more.info.clone()
        }
    }
}

/// A product in the top list of a category or of a segment.
#[derive(Clone)]
pub struct RankedProduct(pub Member<SalesRow>);

/// A product in the top list of a category or of a segment, with its sales there in the range.
#[Object]
impl RankedProduct {
    /// Competition rank within this category or segment: equal values have equal ranks.
    async fn rank(&self) -> Result<i32> {
        count(self.0.rank)
    }

    /// Units sold.
    async fn units(&self) -> Result<i32> {
        count(self.0.sums.units)
    }

    /// Number of distinct actions.
    async fn actions(&self) -> Result<i32> {
        count(self.0.sums.actions)
    }

    /// Order amounts of the items, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.0.sums.order_amounts())
    }

    /// Rewards of the items, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.0.sums.rewards())
    }

    /// The product.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let found = async {
            self.0
                .related(request(ctx)?, "product", |row| row.key)
                .await
        };
        found.await.transpose()
    }
}

/// The first products of a top list.
pub struct TopProducts {
    nodes: Vec<RankedProduct>,
    has_more: bool,
}

/// The first products of a top list, the highest rank first.
#[Object]
impl TopProducts {
    /// The products.
    async fn nodes(&self) -> Vec<RankedProduct> {
        self.nodes.clone()
    }

    /// Whether the list goes on.
    async fn has_more(&self) -> bool {
        self.has_more
    }
}

/// The first rows of each of many lists, and whether each goes on. The lists were read with one row more.
pub type Firsts<K> = HashMap<K, (Vec<Member<SalesRow>>, bool)>;

/// Cuts lists that were read with one row more than asked for, and makes siblings of their rows.
pub fn firsts<K: Eq + std::hash::Hash + Clone>(
    mut lists: HashMap<K, Vec<SalesRow>>,
    asked: u32,
) -> Firsts<K> {
    let asked = usize::try_from(asked).unwrap_or(usize::MAX);
    let longer: HashMap<K, bool> = lists
        .iter()
        .map(|(key, rows)| (key.clone(), rows.len() > asked))
        .collect();
    lists.values_mut().for_each(|rows| rows.truncate(asked));
    let lists = lists_of_siblings(lists).into_iter();
    lists
        .map(|(key, rows)| {
            let more = longer.get(&key).copied().unwrap_or(false);
            (key, (rows, more))
        })
        .collect()
}

impl TopProducts {
    /// The list of one key.
    pub fn of<K: Eq + std::hash::Hash>(lists: &Firsts<K>, key: &K) -> Self {
        let (rows, has_more) = lists.get(key).cloned().unwrap_or_default();
        Self {
            nodes: rows.into_iter().map(RankedProduct).collect(),
            has_more,
        }
    }

    async fn in_category(
        row: &Member<SalesRow>,
        ranking: &Arc<Ranking>,
        first: i32,
    ) -> Result<Self> {
        let sizes = &ranking.request.limits.queries.pages;
        let first = size("first", first, ENTITIES, sizes)?;
        let load = |group: Arc<Group<SalesRow>>| async move {
            let keys: Vec<Option<Uuid>> = group.all().map(|row| row.key).collect();
            let (request, query) = (&ranking.request, &ranking.query);
            let (tx, scope, facts) = (&request.tx, request.scope, &query.facts);
            let (group, limits) = (query.group, request.limits.reports);
            top::check_products_in(tx, scope, (facts, group), limits).await?;
            let within = (group, keys.as_slice());
            let lists = top::products_in(tx, scope, facts, within, query.by, first + 1).await?;
            Ok(firsts(lists, first))
        };
        let lists: Arc<Firsts<Option<Uuid>>> = row.batch("products", &first, load).await?;
        Ok(Self::of(&lists, &row.key))
    }
}
