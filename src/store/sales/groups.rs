//! Groups of sales as statements: of a total, and of the facts where its cells end.

use super::super::keyset::{Order, OrderBy, limit};
use super::{has_product, write_counted, write_facts};
use crate::domain::filter::{Filter, ItemTest, ProductTest};
use crate::domain::page::PageRequest;
use crate::domain::sales::{FactQuery, RankBy, SalesGroup};
use crate::domain::scope::ReadScope;
use crate::domain::totals::{Cover, Source, Tier, Total};
use crate::store::sql::Sql;
use crate::store::sql::cells::write_cells;
use crate::store::sql::filter::Condition as _;
use uuid::Uuid;

/// The groups that counted facts make, and where their sums are read.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a> {
    /// The facts.
    pub facts: &'a FactQuery,
    /// What they are grouped by.
    pub group: SalesGroup,
    /// Of groups of products those that are ranked; all without.
    pub products: Option<&'a Filter<ProductTest>>,
    /// Where they are read.
    pub source: &'a Source,
}

/// Which groups are summed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Only<'a> {
    /// All.
    All,
    /// Those of the products that pass.
    Products(&'a Filter<ProductTest>),
    /// Those with these keys.
    Keys(&'a [Option<Uuid>]),
    /// Those that a query lists.
    Listed(&'a str),
}

/// Columns of a group over the action `a`, its item `i` and the item's category `c`.
struct Grouping {
    key: &'static str,
    from: &'static str,
    also: String,
    sums: &'static str,
}

/// Cart items `i` with their actions `a`.
pub(super) const ITEMS: &str =
    "action_items i JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id";
const ITEMS_BY_CATEGORY: &str = "action_items i JOIN actions a ON a.publisher_id = i.publisher_id \
     AND a.id = i.action_id LEFT JOIN categories c ON c.publisher_id = i.publisher_id AND c.id = i.category_id";
const ITEM_SUMS: &str = "COUNT(DISTINCT i.action_id) AS actions, CAST(SUM(i.units) AS bigint) AS units, \
     CAST(SUM(i.amount_e4) AS bigint) AS amount, CAST(SUM(i.reward_e4) AS bigint) AS reward";
const ACTION_SUMS: &str = "COUNT(*) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
     CAST(COALESCE(SUM(a.order_amount_e4), 0) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward";
/// Sums of rows of a total, called `a`.
const TOTAL_SUMS: &str = "CAST(SUM(a.actions) AS bigint) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
     CAST(SUM(a.order_amount_e4) AS bigint) AS amount, CAST(SUM(a.reward_e4) AS bigint) AS reward";

impl Grouping {
    fn of(group: SalesGroup) -> Self {
        let by_category = |key| Self {
            key,
            from: ITEMS_BY_CATEGORY,
            also: String::new(),
            sums: ITEM_SUMS,
        };
        match group {
            SalesGroup::Product => Self {
                key: "i.product_id",
                from: ITEMS,
                also: format!(" AND {}", has_product("i")),
                sums: ITEM_SUMS,
            },
            SalesGroup::CategoryLevel1 => by_category("c.level1_id"),
            SalesGroup::CategoryLevel2 => by_category("c.level2_id"),
            SalesGroup::CategoryOwn => by_category("c.id"),
            SalesGroup::User => Self {
                key: "a.user_id",
                from: "actions a",
                also: String::new(),
                sums: ACTION_SUMS,
            },
        }
    }
}

/// The key of the group of what has none, in statements and cursors.
pub(super) const NO_KEY: Uuid = Uuid::nil();

impl<'a> Groups<'a> {
    /// Those that are ranked.
    pub(super) fn ranked(&self) -> Only<'a> {
        let products = self.products.filter(|products| {
            self.group == SalesGroup::Product && **products != Filter::default()
        });
        products.map_or(Only::All, Only::Products)
    }

    /// Whether there may be so many groups that only the first of them should be looked at closely.
    pub(super) fn are_many(&self) -> bool {
        matches!(self.group, SalesGroup::Product | SalesGroup::User)
    }

    /// Appends a query of the sums by key and currency: `key_id` (the nil id for none), `currency`, `actions`, `units`,
    /// `amount`, `reward`.
    pub(super) fn write_sums(&self, scope: ReadScope, only: &Only<'_>, sql: &mut Sql) {
        let mut parts = Vec::new();
        if let Source::Total(total, cover) = self.source {
            let mut part = sql.fresh();
            part.push(&format!(
                "SELECT {} AS key_id, a.currency, {TOTAL_SUMS}",
                self.total_key()
            ));
            self.write_total(scope, (*total, cover), only, &mut part);
            part.push(&format!(" GROUP BY {}, a.currency", self.total_key()));
            self.write_having(&mut part);
            parts.push(part);
        }
        let grouping = Grouping::of(self.group);
        for facts in self.read_as_facts() {
            let mut part = sql.fresh();
            part.push(&format!("SELECT COALESCE({}, ", grouping.key))
                .bind(NO_KEY);
            part.push(&format!(
                ") AS key_id, a.currency, {} FROM {} WHERE ",
                grouping.sums, grouping.from
            ));
            write_facts(&facts, scope, &mut part);
            part.push(&grouping.also);
            write_only(grouping.key, only, &mut part);
            // By its place: what is bound twice is two expressions.
            part.push(" GROUP BY 1, a.currency");
            parts.push(part);
        }
        let sums: Vec<String> = ["actions", "units", "amount", "reward"]
            .iter()
            .map(|name| format!("CAST(SUM(u.{name}) AS bigint) AS {name}"))
            .collect();
        let outer = format!("SELECT u.key_id, u.currency, {}", sums.join(", "));
        write_union(&outer, parts, "u.key_id, u.currency", sql);
    }

    /// Appends a query of `key_id` and `metric` for all groups that are ranked, as a ranking in a currency sees them.
    pub(super) fn write_metric(&self, scope: ReadScope, by: RankBy, sql: &mut Sql) {
        let mut parts = Vec::new();
        let ranked = self.ranked();
        let in_currency = |sql: &mut Sql| {
            if let Some(currency) = by.currency() {
                sql.push(" AND a.currency = ").bind(currency.as_str());
            }
        };
        if let Source::Total(total, cover) = self.source {
            let summed = match by {
                RankBy::Units => "units",
                RankBy::Actions => "actions",
                RankBy::OrderAmount(_) => "order_amount_e4",
                RankBy::Reward(_) => "reward_e4",
            };
            let mut part = sql.fresh();
            part.push(&format!(
                "SELECT {} AS key_id, CAST(SUM(a.{summed}) AS bigint) AS metric",
                self.total_key()
            ));
            self.write_total(scope, (*total, cover), &ranked, &mut part);
            in_currency(&mut part);
            part.push(&format!(" GROUP BY {}", self.total_key()));
            self.write_having(&mut part);
            parts.push(part);
        }
        let grouping = Grouping::of(self.group);
        let of_items = self.group != SalesGroup::User;
        let summed = match (by, of_items) {
            (RankBy::Actions, true) => "COUNT(DISTINCT i.action_id)",
            (RankBy::Actions, false) => "COUNT(*)",
            (RankBy::Units, true) => "CAST(SUM(i.units) AS bigint)",
            (RankBy::Units, false) => "CAST(SUM(a.units) AS bigint)",
            (RankBy::OrderAmount(_), true) => "CAST(SUM(i.amount_e4) AS bigint)",
            (RankBy::OrderAmount(_), false) => {
                "CAST(COALESCE(SUM(a.order_amount_e4), 0) AS bigint)"
            }
            (RankBy::Reward(_), true) => "CAST(SUM(i.reward_e4) AS bigint)",
            (RankBy::Reward(_), false) => "CAST(SUM(a.reward_e4) AS bigint)",
        };
        for facts in self.read_as_facts() {
            let mut part = sql.fresh();
            part.push(&format!("SELECT COALESCE({}, ", grouping.key))
                .bind(NO_KEY);
            part.push(&format!(
                ") AS key_id, {summed} AS metric FROM {} WHERE ",
                grouping.from
            ));
            write_facts(&facts, scope, &mut part);
            part.push(&grouping.also);
            write_only(grouping.key, &ranked, &mut part);
            in_currency(&mut part);
            part.push(" GROUP BY 1");
            parts.push(part);
        }
        let outer = "SELECT u.key_id, CAST(SUM(u.metric) AS bigint) AS metric";
        write_union(outer, parts, "u.key_id", sql);
    }

    /// Appends the query of one page of the ranking with its sums.
    pub(super) fn write_page(
        &self,
        scope: ReadScope,
        by: RankBy,
        page: &PageRequest,
        sql: &mut Sql,
    ) {
        let key = OrderBy {
            place: "r.metric".into(),
            nullable: false,
            descending: true,
            nulls_first: false,
        };
        let order = Order::tied_ascending(vec![key], "r.key_id");
        let reading = order.reading(page);
        sql.push("WITH g AS (");
        self.write_sums(scope, &self.ranked(), sql);
        sql.push(")");
        write_ranks(by, false, sql);
        sql.push(", p AS (SELECT r.*, row_number() OVER (ORDER BY ");
        reading.write(sql);
        sql.push(") AS spot FROM r WHERE TRUE");
        order.write_bounds(page, sql);
        sql.push(" ORDER BY ");
        reading.write(sql);
        sql.push(" LIMIT ").bind(limit(page));
        sql.push(
            ") SELECT p.key_id, p.metric, p.rank_no, g.currency, g.actions, g.units, g.amount, g.reward \
             FROM p JOIN g ON g.key_id = p.key_id ORDER BY p.spot, g.currency",
        );
    }

    /// What is read from the facts: everything, or what the total's cells do not cover.
    pub(super) fn read_as_facts(&self) -> Vec<FactQuery> {
        match self.source {
            Source::Facts => vec![self.facts.clone()],
            Source::Total(_, cover) => cover
                .ragged
                .iter()
                .map(|span| self.facts.in_span(*span))
                .collect(),
        }
    }

    /// Appends, behind a query of rows by key and currency, those of some products in what the cells do not cover.
    pub(super) fn write_ragged(&self, scope: ReadScope, products: &[Uuid], sql: &mut Sql) {
        let grouping = Grouping::of(SalesGroup::Product);
        for facts in self.read_as_facts() {
            sql.push(&format!(
                " UNION ALL SELECT {} AS key_id, a.currency, {} FROM {} WHERE ",
                grouping.key, grouping.sums, grouping.from
            ));
            write_facts(&facts, scope, sql);
            sql.push(&format!(" AND {} IN ", grouping.key))
                .bind_all(products.iter().copied())
                .push(&format!(" GROUP BY {}, a.currency", grouping.key));
        }
    }

    fn total_key(&self) -> &'static str {
        match self.group {
            SalesGroup::Product => "a.product_id",
            _ => "a.category_id",
        }
    }

    /// Appends ` FROM … WHERE …` for the rows of a total, called `a`.
    pub(super) fn write_total(
        &self,
        scope: ReadScope,
        (total, cover): (Total, &Cover),
        only: &Only<'_>,
        sql: &mut Sql,
    ) {
        let tiers: &[Tier] = match self.group {
            SalesGroup::CategoryLevel1 => &[Tier::Level1],
            SalesGroup::CategoryLevel2 => &[Tier::Own, Tier::Level2Beyond],
            SalesGroup::CategoryOwn => &[Tier::Own],
            SalesGroup::Product | SalesGroup::User => &[],
        };
        sql.push(&format!(" FROM {} a WHERE ", total.table()));
        write_cells(scope.publisher(), tiers, &cover.cells, "a", sql);
        write_counted(self.facts, sql);
        if self.group == SalesGroup::Product {
            sql.push(" AND a.product_id <> ").bind(NO_KEY);
        }
        write_only(self.total_key(), only, sql);
    }

    /// Two tiers cancel each other out where an item's own category lies deeper than the level.
    fn write_having(&self, sql: &mut Sql) {
        if self.group == SalesGroup::CategoryLevel2 {
            sql.push(" HAVING SUM(a.actions) <> 0");
        }
    }
}

/// Appends the one query, or the sums over several that do not overlap.
fn write_union(outer: &str, mut parts: Vec<Sql>, groups: &str, sql: &mut Sql) {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        sql.append(&only);
        return;
    }
    sql.push(outer).push(" FROM (");
    for (place, part) in parts.iter().enumerate() {
        sql.push(if place == 0 { "" } else { " UNION ALL " });
        sql.append(part);
    }
    sql.push(&format!(") u GROUP BY {groups}"));
}

/// Appends ` AND ` and the condition on a key, a column of an item or of a row of a total, unless all are summed.
pub(super) fn write_only(key: &str, only: &Only<'_>, sql: &mut Sql) {
    match only {
        Only::All => {}
        Only::Products(products) => {
            let (row, _) = key.split_once('.').unwrap_or((key, ""));
            sql.push(" AND ");
            // What a filter of actions says of the product of an item.
            ItemTest::Product((*products).clone()).write(row, sql);
        }
        Only::Keys(keys) => write_key_in(key, keys, sql),
        Only::Listed(query) => {
            // The facts have NULL where a total has the nil id.
            sql.push(&format!(" AND COALESCE({key}, "))
                .bind(NO_KEY)
                .push(&format!(") IN ({query})"));
        }
    }
}

/// Appends the condition that a key is one of these; none is NULL in the facts and the nil id in totals.
fn write_key_in(key: &str, keys: &[Option<Uuid>], sql: &mut Sql) {
    let has_none = keys.contains(&None);
    let listed = keys.iter().flatten().copied();
    sql.push(&format!(" AND ({key} IN "))
        .bind_all(listed.chain(has_none.then_some(NO_KEY)));
    if has_none {
        sql.push(&format!(" OR {key} IS NULL"));
    }
    sql.push(")");
}

/// Parents of a nested list: what they are, and which.
type Parents<'a> = (SalesGroup, &'a [Option<Uuid>]);

/// Appends `WITH … ` tables of the products within parents: `g`, the sums by parent, product and currency, and `r`, the
/// products with metric and rank within their parent.
pub(super) fn write_products_in(
    facts: &FactQuery,
    scope: ReadScope,
    (parent, keys): Parents<'_>,
    by: RankBy,
    sql: &mut Sql,
) {
    let (above, grouping) = (Grouping::of(parent), Grouping::of(SalesGroup::Product));
    // Users sum actions; their products are found through the items, which know the action.
    let from = if above.from == "actions a" {
        grouping.from
    } else {
        above.from
    };
    sql.push(&format!(
        "WITH s AS (SELECT {} AS parent_id, {} AS key_id, a.currency, {} FROM {from} WHERE ",
        above.key, grouping.key, grouping.sums
    ));
    write_facts(facts, scope, sql);
    sql.push(&grouping.also);
    write_key_in(above.key, keys, sql);
    sql.push(&format!(
        " GROUP BY {}, {}, a.currency), g AS (SELECT COALESCE(parent_id, ",
        above.key, grouping.key
    ))
    .bind(NO_KEY)
    .push(") AS parent_id, key_id, currency, actions, units, amount, reward FROM s)");
    write_ranks(by, true, sql);
}

/// Appends the tables `m`, the metric of each group of `g`, and `r`, the same with their ranks.
fn write_ranks(by: RankBy, in_parents: bool, sql: &mut Sql) {
    let metric = match by {
        RankBy::Units => "units",
        RankBy::Actions => "actions",
        RankBy::OrderAmount(_) => "amount",
        RankBy::Reward(_) => "reward",
    };
    let (partition, parent_id) = if in_parents {
        ("PARTITION BY parent_id ", "parent_id, ")
    } else {
        ("", "")
    };
    sql.push(&format!(
        ", m AS (SELECT {parent_id}key_id, CAST(SUM({metric}) AS bigint) AS metric FROM g"
    ));
    if let Some(currency) = by.currency() {
        sql.push(" WHERE currency = ").bind(currency.as_str());
    }
    sql.push(&format!(
        " GROUP BY {parent_id}key_id), r AS (SELECT {parent_id}key_id, metric, \
         RANK() OVER ({partition}ORDER BY metric DESC) AS rank_no, \
         row_number() OVER ({partition}ORDER BY metric DESC, key_id ASC) AS place FROM m)"
    ));
}
