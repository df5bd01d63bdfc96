//! What the totals should be, as statements over the facts.

use super::steps::Ids;
use super::within;
use crate::domain::id::PublisherId;
use crate::domain::totals::{Cells, Grain, Tier, Total};
use crate::store::sales::has_product;
use crate::store::sql::Sql;
use crate::store::sql::statuses::is_counted;
use uuid::Uuid;

/// The columns that lead a total's rows before its own: grain and cell; publisher is the statement's.
pub(super) fn columns(total: Total) -> Vec<&'static str> {
    let mut columns = vec!["grain", "cell"];
    columns.extend(total.keys());
    columns.extend(total.sums());
    columns
}

/// The columns of a total's key without the publisher.
pub(super) fn keys(total: Total) -> Vec<&'static str> {
    let mut keys = vec!["grain", "cell"];
    keys.extend(total.keys());
    keys
}

/// An expression for the cell of an order.
fn cell(grain: Grain) -> String {
    format!(
        "((a.ordered_at_us + {}) / {})",
        grain.lead(),
        grain.micros()
    )
}

/// Appends a query of what the smallest cells of a total in a stretch of microseconds should hold, with [`columns`].
pub(super) fn write_smallest(
    total: Total,
    publisher: PublisherId,
    stretch: (i64, i64),
    sql: &mut Sql,
) {
    match total {
        Total::Time | Total::Channel | Total::Audience => {
            of_actions(total, publisher, stretch, sql);
        }
        Total::Product => {
            of_items(total, ("i.product_id", None), publisher, stretch, sql);
        }
        Total::Category => {
            for (place, (tier, level)) in
                [(Tier::Own, "i.category_id"), (Tier::Level1, "c.level1_id")]
                    .into_iter()
                    .enumerate()
            {
                sql.push(if place == 0 { "" } else { " UNION ALL " });
                of_items(total, (level, Some(tier)), publisher, stretch, sql);
            }
            sql.push(" UNION ALL ");
            beyond(publisher, stretch, sql);
        }
    }
}

fn of_actions(total: Total, publisher: PublisherId, stretch: (i64, i64), sql: &mut Sql) {
    let grain = smallest(total);
    sql.push(&format!(
        "SELECT {} AS grain, {} AS cell",
        grain.number(),
        cell(grain)
    ));
    for key in total.keys() {
        match *key {
            "ad_space_id" => {
                sql.push(", COALESCE(a.ad_space_id, ")
                    .bind(Uuid::nil())
                    .push(") AS ad_space_id");
            }
            "country" | "device" => {
                sql.push(&format!(", COALESCE(a.{key}, '') AS {key}"));
            }
            key => {
                sql.push(&format!(", a.{key} AS {key}"));
            }
        }
    }
    sql.push(&format!(
        ", COUNT(*) AS actions, CAST(SUM(a.units) AS bigint) AS units, \
         CAST(SUM(COALESCE(a.order_amount_e4, 0)) AS bigint) AS order_amount_e4, \
         COUNT(a.order_amount_e4) AS amounted, CAST(SUM(a.reward_e4) AS bigint) AS reward_e4, \
         CAST(SUM(CASE WHEN a.paid THEN a.reward_e4 ELSE 0 END) AS bigint) AS paid_e4, \
         CAST(SUM(a.items_amount_e4) AS bigint) AS items_amount_e4, \
         CAST(SUM(a.items_reward_e4) AS bigint) AS items_reward_e4, \
         CAST(SUM(CASE WHEN EXISTS (SELECT 1 FROM action_items n WHERE n.publisher_id = a.publisher_id \
         AND n.action_id = a.id AND {}) THEN 1 ELSE 0 END) AS bigint) AS carted FROM actions a WHERE ",
        has_product("n")
    ));
    write_stretch(publisher, stretch, sql);
    // By their places: an expression that is bound twice is two expressions.
    let places: Vec<String> = (2..total.keys().len() + 3)
        .map(|place| place.to_string())
        .collect();
    sql.push(" GROUP BY ").push(&places.join(", "));
}

fn of_items(
    total: Total,
    (level, tier): (&str, Option<Tier>),
    publisher: PublisherId,
    stretch: (i64, i64),
    sql: &mut Sql,
) {
    let grain = smallest(total);
    sql.push(&format!(
        "SELECT {} AS grain, {} AS cell",
        grain.number(),
        cell(grain)
    ));
    if let Some(tier) = tier {
        sql.push(&format!(", {} AS tier", tier.number()));
    }
    sql.push(", a.status AS status, ");
    if tier.is_some() {
        sql.push("a.currency AS currency, ");
    }
    write_key(level, tier.is_some(), sql);
    if tier.is_none() {
        sql.push(", a.currency AS currency");
    }
    sql.push(
        ", COUNT(DISTINCT i.action_id) AS actions, CAST(SUM(i.units) AS bigint) AS units, \
         CAST(SUM(i.amount_e4) AS bigint) AS order_amount_e4, CAST(SUM(i.reward_e4) AS bigint) AS reward_e4 FROM ",
    );
    write_carts(level, sql);
    sql.push(" WHERE ");
    write_stretch(publisher, stretch, sql);
    let first = if tier.is_some() { 4 } else { 3 };
    sql.push(&format!(
        " GROUP BY 2, {first}, {}, {}",
        first + 1,
        first + 2
    ));
}

fn write_key(level: &str, of_categories: bool, sql: &mut Sql) {
    let name = if of_categories {
        "category_id"
    } else {
        "product_id"
    };
    sql.push(&format!("COALESCE({level}, "))
        .bind(Uuid::nil())
        .push(&format!(") AS {name}"));
}

fn write_carts(level: &str, sql: &mut Sql) {
    sql.push(
        "actions a JOIN action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id",
    );
    if level.starts_with("c.") {
        sql.push(
            " LEFT JOIN categories c ON c.publisher_id = i.publisher_id AND c.id = i.category_id",
        );
    }
}

/// What sums at level 2 have beyond those by the items' own categories, of actions with an item that lies deeper.
fn beyond(publisher: PublisherId, stretch: (i64, i64), sql: &mut Sql) {
    let grain = smallest(Total::Category);
    sql.push(&format!(
        "SELECT {} AS grain, cell, {} AS tier, status, currency, category_id, \
         CAST(SUM(actions) AS bigint) AS actions, CAST(SUM(units) AS bigint) AS units, \
         CAST(SUM(order_amount_e4) AS bigint) AS order_amount_e4, CAST(SUM(reward_e4) AS bigint) AS reward_e4 FROM (",
        grain.number(),
        Tier::Level2Beyond.number()
    ));
    for (place, (level, sign)) in [("c.level2_id", ""), ("i.category_id", "-")]
        .into_iter()
        .enumerate()
    {
        sql.push(if place == 0 { "" } else { " UNION ALL " });
        sql.push(&format!(
            "SELECT {} AS cell, a.status, a.currency, ",
            cell(grain)
        ));
        write_key(level, true, sql);
        sql.push(&format!(
            ", {sign}COUNT(DISTINCT i.action_id) AS actions, {sign}SUM(i.units) AS units, \
             {sign}SUM(i.amount_e4) AS order_amount_e4, {sign}SUM(i.reward_e4) AS reward_e4 FROM "
        ));
        write_carts("c.", sql);
        sql.push(" WHERE ");
        write_stretch(publisher, stretch, sql);
        sql.push(
            " AND EXISTS (SELECT 1 FROM action_items d JOIN categories e ON e.publisher_id = d.publisher_id \
             AND e.id = d.category_id WHERE d.publisher_id = a.publisher_id AND d.action_id = a.id \
             AND e.level2_id <> e.id) GROUP BY 1, 2, 3, 4",
        );
    }
    sql.push(
        ") b GROUP BY cell, status, currency, category_id HAVING SUM(actions) <> 0 OR SUM(units) <> 0 \
         OR SUM(order_amount_e4) <> 0 OR SUM(reward_e4) <> 0",
    );
}

/// Appends a query of the actions of a stretch that say of their carts what these do not, by `action_id`.
pub(super) fn write_drifted_carts(publisher: PublisherId, stretch: (i64, i64), sql: &mut Sql) {
    sql.push("SELECT d.action_id FROM (");
    write_carts_compared(publisher, stretch, sql);
    let any = CART_SUMS.map(|sum| format!("SUM(d.{sum}) <> 0"));
    sql.push(&format!(
        ") d GROUP BY d.action_id HAVING {}",
        any.join(" OR ")
    ));
}

/// What an action says of its cart, which every sum over actions reads instead of the items.
pub(super) const CART_SUMS: [&str; 3] = ["units", "items_amount_e4", "items_reward_e4"];

/// Appends a query of the items of a stretch's actions, and of what these say of them, taken off: rows whose [`CART_SUMS`]
/// cancel each other out for each `action_id`.
pub(super) fn write_carts_compared(publisher: PublisherId, stretch: (i64, i64), sql: &mut Sql) {
    sql.push(
        "SELECT i.action_id, i.units, i.amount_e4 AS items_amount_e4, i.reward_e4 AS items_reward_e4 FROM ",
    );
    write_carts("i.", sql);
    sql.push(" WHERE ");
    write_stretch(publisher, stretch, sql);
    sql.push(
        " UNION ALL SELECT a.id, -a.units, -a.items_amount_e4, -a.items_reward_e4 FROM actions a WHERE ",
    );
    write_stretch(publisher, stretch, sql);
}

/// Appends the condition that the order of the action `a` lies in a stretch of microseconds.
pub(super) fn write_stretch(publisher: PublisherId, (from, to): (i64, i64), sql: &mut Sql) {
    sql.push("a.publisher_id = ").bind(publisher.0);
    sql.push(" AND a.ordered_at_us >= ").bind(from);
    sql.push(" AND a.ordered_at_us < ").bind(to);
}

/// Appends a query of what larger cells should hold, by the smallest cells of the total; of some products only.
pub(super) fn write_larger(
    total: Total,
    cells: Cells,
    publisher: PublisherId,
    ids: Option<Ids>,
    sql: &mut Sql,
) {
    let (base, grain) = (smallest(total), cells.grain);
    sql.push(&format!(
        "SELECT {} AS grain, ((t.cell * {} - {} + {}) / {}) AS cell",
        grain.number(),
        base.micros(),
        base.lead(),
        grain.lead(),
        grain.micros()
    ));
    for key in total.keys() {
        sql.push(&format!(", t.{key} AS {key}"));
    }
    for sum in total.sums() {
        sql.push(&format!(", CAST(SUM(t.{sum}) AS bigint) AS {sum}"));
    }
    sql.push(&format!(" FROM {} t WHERE ", total.table()));
    write_cells(total, publisher, within(cells, base), "t.", sql);
    if let Some((first, last)) = ids {
        sql.push(" AND t.product_id >= ").bind(first);
        sql.push(" AND t.product_id <= ").bind(last);
    }
    let places: Vec<String> = (2..total.keys().len() + 3)
        .map(|place| place.to_string())
        .collect();
    sql.push(" GROUP BY ").push(&places.join(", "));
    let any: Vec<String> = total
        .sums()
        .iter()
        .map(|sum| format!("SUM(t.{sum}) <> 0"))
        .collect();
    sql.push(" HAVING ").push(&any.join(" OR "));
}

/// Appends the condition on a total's rows that they lie in cells.
pub(super) fn write_cells(
    total: Total,
    publisher: PublisherId,
    cells: Cells,
    row: &str,
    sql: &mut Sql,
) {
    sql.push(&format!("{row}publisher_id = ")).bind(publisher.0);
    if total == Total::Category {
        // The key begins with it; all tiers belong to the slice.
        sql.push(&format!(" AND {row}tier IN (0, 1, 2)"));
    }
    sql.push(&format!(" AND {row}grain = "))
        .bind(cells.grain.number());
    sql.push(&format!(" AND {row}cell >= ")).bind(cells.from);
    sql.push(&format!(" AND {row}cell < ")).bind(cells.to);
}

/// The smallest grain of a total.
pub(super) fn smallest(total: Total) -> Grain {
    total.grains().first().copied().unwrap_or(Grain::Day)
}

/// The tables of lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lives {
    /// Of products.
    Products,
    /// Of users.
    Users,
}

impl Lives {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Products, Self::Users];

    /// Table, key column and the other columns.
    pub(super) const fn table(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Products => (
                "product_lifetimes",
                "product_id",
                &["actions", "units", "first_ordered_at_us"],
            ),
            Self::Users => (
                "user_lifetimes",
                "user_id",
                &["actions", "first_ordered_at_us"],
            ),
        }
    }
}

/// Appends a query of what the lifetimes of some ids should hold: the key, then the other columns.
pub(super) fn write_lives(lives: Lives, publisher: PublisherId, (first, last): Ids, sql: &mut Sql) {
    let key = match lives {
        Lives::Products => {
            sql.push(
                "SELECT i.product_id AS product_id, COUNT(DISTINCT i.action_id) AS actions, \
                 CAST(SUM(i.units) AS bigint) AS units, MIN(a.ordered_at_us) AS first_ordered_at_us FROM action_items i \
                 JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id WHERE i.publisher_id = ",
            );
            "i.product_id"
        }
        Lives::Users => {
            sql.push(
                "SELECT a.user_id AS user_id, COUNT(*) AS actions, MIN(a.ordered_at_us) AS first_ordered_at_us \
                 FROM actions a WHERE a.publisher_id = ",
            );
            "a.user_id"
        }
    };
    sql.bind(publisher.0);
    sql.push(&format!(" AND {key} >= ")).bind(first);
    sql.push(&format!(" AND {key} <= ")).bind(last);
    sql.push(&format!(" AND {} GROUP BY {key}", is_counted("a")));
}
