//! The walls of a viewer who sees some rows only: every statement of its transaction reads them and nothing else.
//!
//! In front of each statement stand common table expressions with the names of the tables that it reads. They hold what
//! the viewer sees, and a name in a statement means them before it means a table: so no function of the store can forget
//! the limits, and none has to know them. What hangs on actions (carts, states, users, products) is seen where an action
//! that is seen shows it, and what sums actions up (lifetimes, first sights) is summed up anew over those. A table that
//! cannot be divided so is refused, and one that has no rule here is a fault: what is not decided is not shown.

mod lists;
mod text;

use super::sql::Sql;
use super::sql::statuses::is_counted;
use crate::domain::error::{Code, Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::limits::{Limits, SubidLimit};
use crate::domain::scope::Viewer;
use crate::domain::time::{Day, Instant};
use crate::domain::totals::Total;
use entity::{
    action, action_item, action_state, click_stat, commission_rate, feed_offer, product, program,
    publisher, totals_audience, totals_category, totals_channel, totals_product, totals_time, user,
};
use sea_orm::{DbBackend, EntityTrait, IdenStatic, Iterable};
use std::sync::Arc;
use text::{is_own, without_hints, words};

/// What a table is to a viewer with limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The same for everybody.
    Shared,
    /// Read through an expression.
    Walled,
    /// Sums of actions that know fewer of their properties.
    Summed(Total),
    /// Of nobody who sees some rows only: what it is, in words.
    Undivided(&'static str),
}

/// The rule of every table. Behind a wall stands who reads through it; before it, who reads the table itself.
const RULES: &[(&str, Rule)] = &[
    ("publishers", Rule::Walled),
    ("exchange_rates", Rule::Shared),
    ("actions", Rule::Walled),
    ("action_items", Rule::Walled),
    ("action_states", Rule::Walled),
    ("action_changes", Rule::Walled),
    ("click_stats", Rule::Walled),
    ("totals_time", Rule::Summed(Total::Time)),
    ("totals_channel", Rule::Summed(Total::Channel)),
    ("totals_audience", Rule::Summed(Total::Audience)),
    ("totals_category", Rule::Summed(Total::Category)),
    ("totals_product", Rule::Summed(Total::Product)),
    ("programs", Rule::Walled),
    ("ad_spaces", Rule::Walled),
    ("users", Rule::Walled),
    ("products", Rule::Walled),
    ("categories", Rule::Walled),
    ("feed_offers", Rule::Walled),
    ("commission_rates", Rule::Walled),
    ("segment_settings", Rule::Walled),
    ("segments", Rule::Walled),
    ("segment_versions", Rule::Walled),
    ("segment_uses", Rule::Walled),
    ("segment_members", Rule::Walled),
    ("awaited_products", Rule::Walled),
    ("deeplinks", Rule::Walled),
    ("user_lifetimes", Rule::Walled),
    ("product_lifetimes", Rule::Walled),
    ("publisher_states", Rule::Walled),
    ("adjustments", Rule::Undivided("Adjustments")),
    ("balances", Rule::Undivided("Balances")),
    ("import_runs", Rule::Undivided("Import runs")),
    ("import_rejects", Rule::Undivided("Rejected records")),
    ("uploads", Rule::Undivided("Uploads")),
    ("tombstones", Rule::Undivided("Deleted actions")),
    ("feeds", Rule::Undivided("Product feeds")),
    ("sync_accounts", Rule::Undivided("Accounts")),
    ("sync_states", Rule::Undivided("Accounts")),
    ("account_actions", Rule::Undivided("Accounts")),
    ("totals_tasks", Rule::Undivided("Tasks of totals")),
    ("user_tasks", Rule::Undivided("Tasks of users")),
    ("api_keys", Rule::Undivided("API keys")),
    ("audit_entries", Rule::Undivided("The audit trail")),
    ("postback_secrets", Rule::Undivided("Secrets of postbacks")),
];

/// The tables that have a rule.
pub fn tables() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(table, _)| *table)
}

/// The limits of one viewer at one moment.
#[derive(Debug)]
pub(super) struct Walls {
    publisher: PublisherId,
    limits: Arc<Limits>,
    /// The first instant whose orders are seen.
    from: Option<Instant>,
    /// The first day whose clicks are seen.
    first_day: Option<i32>,
}

impl Walls {
    /// The walls of a viewer; none for one who sees everything.
    pub(super) fn of(viewer: &Viewer, now: Instant) -> Option<Self> {
        let (limits, zone) = (&viewer.limits, viewer.publisher.zone);
        (!limits.is_none()).then(|| Self {
            publisher: viewer.publisher.id,
            limits: Arc::clone(limits),
            from: limits.from(now, zone),
            first_day: limits.first_day(now, zone).map(Day::days),
        })
    }

    /// The statement that reads behind the walls what `sql` would read without them.
    pub(super) fn around(&self, sql: &Sql) -> Result<Sql> {
        let text = without_hints(sql.text());
        if text.starts_with("WITH RECURSIVE") {
            // A wall that may be recursive would read itself, not the table that it is called as.
            return Err(Error::internal(
                "store::walls cannot stand before WITH RECURSIVE",
            ));
        }
        let mut needed = self.named(&text)?;
        self.close(&mut needed);
        let mut walls = sql.fresh();
        if !needed.is_empty() {
            self.write_named_lists(&mut walls);
        }
        for (table, _) in RULES.iter().filter(|(table, _)| needed.contains(table)) {
            walls.push(if walls.text().is_empty() {
                "WITH "
            } else {
                ", "
            });
            walls.push(table).push(" AS NOT MATERIALIZED (");
            self.write(table, &mut walls);
            walls.push(")");
        }
        if walls.text().is_empty() {
            return Ok(sql.clone());
        }
        match text.strip_prefix("WITH ") {
            Some(rest) => walls.push(", ").append(&sql.with_text(rest)),
            None => walls.push(" ").append(&sql.with_text(&text)),
        };
        Ok(walls)
    }

    /// The tables that a statement names and that have walls.
    fn named(&self, text: &str) -> Result<Vec<&'static str>> {
        let words: Vec<&str> = words(text).collect();
        for pair in words.windows(2) {
            let [lead, name] = pair else { continue };
            let reads = matches!(*lead, "FROM" | "JOIN");
            let known = RULES.iter().any(|(table, _)| table == name);
            if reads && !known && !is_own(&words, name) {
                return Err(Error::internal(format!(
                    "store::walls has no rule for the table {name}"
                )));
            }
        }
        let mut needed = Vec::new();
        for (table, rule) in RULES.iter().filter(|(table, _)| words.contains(table)) {
            match rule {
                Rule::Undivided(what) if self.limits.rows() => return Err(undivided(what)),
                Rule::Undivided(what) if self.tells(table) => return Err(telling(what)),
                Rule::Summed(total) if !self.limits.narrowing().leaves(*total) => {
                    // A column can be called as a total is; a total that is read has FROM before it.
                    return Err(Error::internal(format!(
                        "{table} does not keep apart what the key is limited to"
                    )));
                }
                Rule::Shared | Rule::Undivided(_) => {}
                Rule::Walled | Rule::Summed(_) => needed.push(*table),
            }
        }
        Ok(needed)
    }

    /// Whether a table that cannot be divided tells what is hidden: records as they came, and what accounts are paid.
    fn tells(&self, table: &str) -> bool {
        let Limits {
            hide_reward,
            hide_user_keys,
            ..
        } = *self.limits;
        match table {
            "import_rejects" => hide_reward || hide_user_keys,
            "adjustments" | "balances" => hide_reward,
            _ => false,
        }
    }

    /// Adds the tables that walls read behind walls of their own.
    fn close(&self, needed: &mut Vec<&'static str>) {
        let reads = |table: &str| -> &'static [&'static str] {
            match table {
                "action_items" | "action_states" | "action_changes" | "users"
                | "user_lifetimes" => &["actions"],
                "programs" | "ad_spaces" => &["actions", "click_stats"],
                "deeplinks" => &["actions", "click_stats", "ad_spaces"],
                "products" | "product_lifetimes" => &["actions", "action_items"],
                "categories" | "feed_offers" | "commission_rates" => {
                    &["actions", "action_items", "products"]
                }
                "publisher_states" => &["actions", "action_changes"],
                _ => &[],
            }
        };
        let more: Vec<&'static str> = needed
            .iter()
            .flat_map(|table| reads(table))
            .copied()
            .collect();
        if self.limits.rows() {
            needed.extend(more);
        }
    }

    /// Appends what a viewer sees of a table.
    fn write(&self, table: &str, sql: &mut Sql) {
        match table {
            "publishers" => {
                sql.push(&format!(
                    "SELECT {} FROM {} t WHERE t.id = ",
                    self.columns::<publisher::Entity>(),
                    base(table, sql)
                ))
                .bind(self.publisher.0);
            }
            "actions" => {
                self.select(table, &self.columns::<action::Entity>(), sql);
                self.write_channel("t", sql);
                for subid in &self.limits.subids {
                    sql.push(" AND ");
                    write_subid(&format!("t.{}", column_of(subid.slot)), subid, sql);
                }
                if let Some(from) = self.from {
                    sql.push(" AND t.ordered_at_us >= ").bind(from.micros());
                }
            }
            "action_items" => self.of_actions(table, &self.columns::<action_item::Entity>(), sql),
            "action_states" => self.of_actions(table, &self.columns::<action_state::Entity>(), sql),
            "action_changes" => self.of_actions(table, "t.*", sql),
            "click_stats" => self.write_clicks(sql),
            "programs" => self.write_programs(sql),
            "ad_spaces" => {
                self.select(table, "t.*", sql);
                self.shown_by(&["actions", "click_stats"], "ad_space_id", sql);
            }
            "users" => self.write_users(sql),
            "products" => self.write_products(sql),
            "categories" => self.write_categories(sql),
            "feed_offers" => {
                self.select(table, &self.columns::<feed_offer::Entity>(), sql);
                self.shown_by_key("products", sql);
            }
            "commission_rates" => {
                self.select(table, &self.columns::<commission_rate::Entity>(), sql);
                self.shown_by_key("products", sql);
            }
            // Their parameters name no row.
            "segment_settings" => self.select(table, "t.*", sql),
            // What a publisher defined names values and members of all rows.
            "segments" | "segment_versions" | "segment_uses" | "segment_members"
            | "awaited_products" => {
                self.select(table, "t.*", sql);
                sql.push(" AND FALSE");
            }
            "deeplinks" => {
                self.select(table, "t.*", sql);
                self.write_channel("t", sql);
                if self.limits.rows() {
                    sql.push(
                        " AND EXISTS (SELECT 1 FROM ad_spaces a WHERE a.publisher_id = t.publisher_id \
                         AND a.id = t.ad_space_id)",
                    );
                }
            }
            "user_lifetimes" | "product_lifetimes" => self.write_lives(table, sql),
            "publisher_states" => self.write_state(sql),
            "totals_time" => self.select(table, &self.columns::<totals_time::Entity>(), sql),
            "totals_category" => {
                self.select(table, &self.columns::<totals_category::Entity>(), sql);
            }
            "totals_product" => self.select(table, &self.columns::<totals_product::Entity>(), sql),
            "totals_channel" => {
                self.select(table, &self.columns::<totals_channel::Entity>(), sql);
                self.write_channel("t", sql);
            }
            "totals_audience" => {
                self.select(table, &self.columns::<totals_audience::Entity>(), sql);
                self.write_channel("t", sql);
            }
            // Nothing, where someone gave a table a rule and no wall.
            _ => {
                sql.push(&format!(
                    "SELECT t.* FROM {} t WHERE FALSE",
                    base(table, sql)
                ));
            }
        }
    }

    /// Appends a selection of the publisher's rows of a table, called `t`.
    fn select(&self, table: &str, columns: &str, sql: &mut Sql) {
        let from = base(table, sql);
        sql.push(&format!(
            "SELECT {columns} FROM {from} t WHERE t.publisher_id = "
        ))
        .bind(self.publisher.0);
    }

    /// Appends a selection of what belongs to actions that are seen.
    fn of_actions(&self, table: &str, columns: &str, sql: &mut Sql) {
        self.select(table, columns, sql);
        if self.limits.rows() {
            sql.push(
                " AND EXISTS (SELECT 1 FROM actions a WHERE a.publisher_id = t.publisher_id AND a.id = t.action_id)",
            );
        }
    }

    /// Appends the condition that a row of one of these tables names the row `t`.
    fn shown_by(&self, tables: &[&str], column: &str, sql: &mut Sql) {
        if !self.limits.rows() {
            return;
        }
        for (place, table) in tables.iter().enumerate() {
            sql.push(if place == 0 { " AND (" } else { " OR " });
            sql.push(&format!(
                "EXISTS (SELECT 1 FROM {table} a WHERE a.publisher_id = t.publisher_id AND a.{column} = t.id)"
            ));
        }
        sql.push(")");
    }

    /// Appends the condition that the product of the row `t` is seen.
    fn shown_by_key(&self, table: &str, sql: &mut Sql) {
        if self.limits.rows() {
            sql.push(&format!(
                " AND EXISTS (SELECT 1 FROM {table} a WHERE a.publisher_id = t.publisher_id AND a.id = t.product_id)"
            ));
        }
    }

    /// Clicks by the SubID that is limited; those of all SubIDs together would tell of others.
    fn write_clicks(&self, sql: &mut Sql) {
        self.select("click_stats", &self.columns::<click_stat::Entity>(), sql);
        self.write_channel("t", sql);
        match self.limits.subids.as_slice() {
            [] => {}
            [one] => {
                sql.push(" AND t.slot = ").bind(i32::from(one.slot));
                sql.push(" AND ");
                write_subid("t.subid", one, sql);
            }
            // Upstream counts by one SubID at a time.
            _ => {
                sql.push(" AND FALSE");
            }
        }
        if let Some(day) = self.first_day {
            sql.push(" AND t.click_day >= ").bind(day);
        }
    }

    /// The shipped programs, which are everybody's, and those of actions and clicks that are seen. Of a shipped one there is
    /// what was shipped: what the network told the publisher's accounts of it no action shows, and whether one does could
    /// only be found out by looking through them for each row.
    fn write_programs(&self, sql: &mut Sql) {
        if !self.limits.rows() {
            self.select("programs", "t.*", sql);
            return;
        }
        let columns = program::Column::iter().map(|column| {
            let name = column.as_str();
            match column {
                program::Column::Status
                | program::Column::ConnectionStatus
                | program::Column::HoldDays
                | program::Column::MaxHoldDays
                | program::Column::CookieDays
                | program::Column::PaymentDays
                | program::Column::Countries
                | program::Column::AllCountries
                | program::Column::DescribedAtUs => {
                    format!("CASE WHEN t.catalog_key IS NULL THEN t.{name} END AS {name}")
                }
                _ => format!("t.{name}"),
            }
        });
        let columns: Vec<String> = columns.collect();
        self.select("programs", &columns.join(", "), sql);
        sql.push(
            " AND (t.catalog_key IS NOT NULL OR EXISTS (SELECT 1 FROM actions a WHERE a.publisher_id = t.publisher_id \
             AND a.program_id = t.id) OR EXISTS (SELECT 1 FROM click_stats a WHERE a.publisher_id = t.publisher_id \
             AND a.program_id = t.id))",
        );
    }

    /// The users of actions that are seen, since the first of those.
    fn write_users(&self, sql: &mut Sql) {
        let since = "(SELECT MIN(a.ordered_at_us) FROM actions a WHERE a.publisher_id = t.publisher_id AND a.user_id = t.id) \
                     AS first_seen_us";
        let columns = self.columns::<user::Entity>();
        self.select("users", &self.since(&columns, since), sql);
        self.shown_by(&["actions"], "user_id", sql);
    }

    /// The products in the carts of actions that are seen, since the first of those.
    fn write_products(&self, sql: &mut Sql) {
        let since = "(SELECT MIN(a.ordered_at_us) FROM action_items i JOIN actions a ON a.publisher_id = i.publisher_id \
                     AND a.id = i.action_id WHERE i.publisher_id = t.publisher_id AND i.product_id = t.id) AS first_seen_us";
        let columns = self.columns::<product::Entity>();
        self.select("products", &self.since(&columns, since), sql);
        self.shown_by(&["action_items"], "product_id", sql);
    }

    /// Columns with another beginning, where rows are not seen.
    fn since(&self, columns: &str, since: &str) -> String {
        if self.limits.rows() {
            columns.replace("t.first_seen_us", since)
        } else {
            columns.to_owned()
        }
    }

    /// The shipped tree, and what imports taught of the products and items that are seen.
    fn write_categories(&self, sql: &mut Sql) {
        self.select("categories", "t.*", sql);
        if self.limits.rows() {
            // The node that unknown categories hang under is no secret.
            sql.push(" AND (t.is_known OR t.external_id = ")
                .bind(crate::domain::catalog::UNKNOWN_CATEGORY);
            for table in ["action_items", "products"] {
                sql.push(&format!(
                    " OR EXISTS (SELECT 1 FROM {table} a WHERE a.publisher_id = t.publisher_id AND a.category_id = t.id)"
                ));
            }
            sql.push(")");
        }
    }

    /// Lifetimes over the actions that are seen.
    fn write_lives(&self, table: &str, sql: &mut Sql) {
        if !self.limits.rows() {
            self.select(table, "t.*", sql);
            return;
        }
        sql.push(if table == "user_lifetimes" {
            "SELECT t.publisher_id, t.user_id, COUNT(*) AS actions, MIN(t.ordered_at_us) AS first_ordered_at_us \
             FROM actions t WHERE t.user_id IS NOT NULL AND "
        } else {
            "SELECT t.publisher_id, i.product_id, COUNT(DISTINCT i.action_id) AS actions, \
             CAST(SUM(i.units) AS bigint) AS units, MIN(t.ordered_at_us) AS first_ordered_at_us FROM action_items i \
             JOIN actions t ON t.publisher_id = i.publisher_id AND t.id = i.action_id \
             WHERE i.product_id IS NOT NULL AND "
        })
        .push(&is_counted("t"))
        .push(" AND t.publisher_id = ")
        .bind(self.publisher.0);
        sql.push(if table == "user_lifetimes" {
            " GROUP BY t.publisher_id, t.user_id"
        } else {
            " GROUP BY t.publisher_id, i.product_id"
        });
    }

    /// The state of the data as the last change that is seen left it: numbers that others' changes do not move.
    fn write_state(&self, sql: &mut Sql) {
        if !self.limits.rows() {
            self.select("publisher_states", "t.*", sql);
            return;
        }
        sql.push(
            "SELECT t.publisher_id, 0 AS change_seq, t.committed_at_us AS data_version, t.committed_at_us AS changed_at_us \
             FROM action_changes t WHERE t.publisher_id = ",
        )
        .bind(self.publisher.0)
        .push(" ORDER BY t.seq DESC LIMIT 1");
    }

    /// The columns of an entity's table, called `t`, without what the viewer may not see.
    fn columns<E: EntityTrait>(&self) -> String
    where
        E::Column: Iterable + IdenStatic,
    {
        let shown = E::Column::iter().map(|column| {
            let name = column.as_str();
            self.instead(name).map_or_else(
                || format!("t.{name}"),
                |instead| format!("{instead} AS {name}"),
            )
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    /// What stands in the place of a column that is hidden.
    fn instead(&self, column: &str) -> Option<&'static str> {
        let limits = &self.limits;
        match column {
            "reward_e4" | "items_reward_e4" | "paid_e4" if limits.hide_reward => {
                Some("CAST(0 AS bigint)")
            }
            "rate_e4" | "hot_rate_e4" if limits.hide_reward => Some("CAST(NULL AS bigint)"),
            "subid0" | "subid1" | "subid2" | "subid3" | "subid4" if limits.hide_user_keys => {
                Some("CAST(NULL AS text)")
            }
            "subid" | "value" if limits.hide_user_keys => Some("CAST('' AS text)"),
            // What users' ids are hidden by is read past the walls, by the program alone.
            "user_ids_secret" => Some("CAST(NULL AS text)"),
            // What a postback said holds all of it once more.
            "notice" => Some("CAST(NULL AS text)"),
            // A ready link names the ad space that it is for.
            "affiliate_url"
                if limits.programs.is_some()
                    || limits.ad_spaces.is_some()
                    || !limits.subids.is_empty() =>
            {
                Some("CAST(NULL AS text)")
            }
            _ => None,
        }
    }
}

/// The refusal of what cannot be divided.
fn undivided(what: &str) -> Error {
    Error::new(
        Code::Forbidden,
        format!(
            "{what} cannot be divided, and this key is limited to some rows: `viewer {{ limits }}` says to which. A key \
             without limits on rows can read them."
        ),
    )
}

fn telling(what: &str) -> Error {
    Error::new(
        Code::Forbidden,
        format!(
            "{what} tell what is hidden from this key: `viewer {{ limits }}` says what that is. A key that nothing is \
             hidden from can read them."
        ),
    )
}

/// The table itself, where an expression with its name stands before it: SQLite takes an expression for its own table
/// otherwise, PostgreSQL never does.
fn base(table: &str, sql: &Sql) -> String {
    match sql.backend() {
        DbBackend::Sqlite => format!("main.{table}"),
        _ => table.to_owned(),
    }
}

/// The column of a SubID in the facts.
fn column_of(slot: u8) -> String {
    format!("subid{slot}")
}

/// Appends the condition that a SubID has one of the values, or begins in one of the ways.
fn write_subid(column: &str, limit: &SubidLimit, sql: &mut Sql) {
    sql.push(&format!("({column} IN "))
        .bind_all(limit.values.iter().cloned());
    for prefix in &limit.prefixes {
        let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
        sql.push(&format!(" OR substr({column}, 1, "))
            .bind(length)
            .push(") = ")
            .bind(prefix.clone());
    }
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a statement reads behind a wall, by the text between its brackets.
    fn wall<'a>(text: &'a str, table: &str) -> &'a str {
        let start = format!("{table} AS NOT MATERIALIZED (");
        let (_, rest) = text.split_once(&start).unwrap();
        let mut open = 1;
        let end = rest.find(|letter| {
            open += i32::from(letter == '(') - i32::from(letter == ')');
            open == 0
        });
        &rest[..end.unwrap()]
    }

    #[test]
    fn what_a_key_is_limited_to_is_read_from_the_tables_and_not_from_what_is_seen_of_them() {
        let limits = Limits {
            programs: Some(vec!["1".to_owned()]),
            ad_spaces: Some(vec!["2".to_owned()]),
            ..Limits::default()
        };
        let walls = Walls {
            publisher: PublisherId(1),
            limits: Arc::new(limits),
            from: None,
            first_day: None,
        };
        for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
            let mut sql = Sql::new(backend);
            sql.push("SELECT 1 FROM deeplinks d JOIN programs p ON p.id = d.program_id");
            let walled = walls.around(&sql).unwrap();
            let text = walled.text();
            for list in ["limited_programs", "limited_ad_spaces"] {
                let before = text.find(list).unwrap() < text.find("actions AS").unwrap();
                assert!(before, "{text}");
                assert!(wall(text, "deeplinks").contains(list), "{text}");
            }
            assert!(!wall(text, "deeplinks").contains("FROM programs"), "{text}");
            assert!(!wall(text, "deeplinks").contains("main.programs"), "{text}");
        }
    }
}
