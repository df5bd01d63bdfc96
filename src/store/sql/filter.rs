//! A filter as a condition: what `domain::filter` says in memory, in SQL.
//!
//! Conditions are two-valued: each test of a column that may be missing asks first whether it is there, so that `NOT`
//! is the complement. Related rows are asked for by `EXISTS`, every one of which carries the publisher.

use super::segment::{write_built_in, write_in};
use super::segments_alone::write_segments_alone;
use super::{Sql, bound};
use crate::domain::catalog::{Catalog, Countries, CountryRule, Eligibility, country_codes};
use crate::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, AdjustmentField, AdjustmentTest,
    BalanceField, BalanceTest, CategoryField, CategoryTest, Filter, ImportField, ImportTest,
    ItemField, ItemTest, Op, ProductField, ProductTest, ProgramField, ProgramTest, Quantifier,
    SegmentField, SegmentTest, UserField, UserTest, Value,
};
use crate::domain::sales::{AxisRange, DateAxis};
use crate::domain::time::{DAY_US, Zone, end_of_day, start_of_day};
use sea_orm::DbBackend;

/// A condition that can be written about the row with an alias.
pub(in crate::store) trait Condition {
    /// Appends the condition on the row that the statement calls `row`.
    fn write(&self, row: &str, sql: &mut Sql);

    /// What it asks of the category that the row's `category_id` names, if it is of nothing else.
    fn category(&self) -> Option<&Filter<CategoryTest>> {
        None
    }
}

/// Appends a filter on the row that the statement calls `row`.
pub(in crate::store) fn write_filter<T: Condition>(filter: &Filter<T>, row: &str, sql: &mut Sql) {
    write_tree(filter, sql, &|test, sql| test.write(row, sql));
}

/// Appends a tree of conditions, each of which `write` appends.
pub(super) fn write_tree<T>(filter: &Filter<T>, sql: &mut Sql, write: &impl Fn(&T, &mut Sql)) {
    let mut list = |parts: &[Filter<T>], between: &str, none: &str| {
        if parts.is_empty() {
            sql.push(none);
            return;
        }
        for (place, part) in parts.iter().enumerate() {
            sql.push(if place == 0 { "(" } else { between });
            write_tree(part, sql, write);
        }
        sql.push(")");
    };
    match filter {
        Filter::All(parts) => list(parts, " AND ", "TRUE"),
        Filter::Any(parts) => list(parts, " OR ", "FALSE"),
        Filter::Not(part) => {
            sql.push("NOT (");
            write_tree(part, sql, write);
            sql.push(")");
        }
        Filter::Test(test) => write(test, sql),
    }
}

/// Appends the condition that a range lays on the action that the statement calls `row`.
pub(in crate::store) fn write_range(range: &AxisRange, row: &str, sql: &mut Sql) {
    let column = match range.axis {
        DateAxis::Ordered => "ordered_at_us",
        DateAxis::Clicked => "clicked_at_us",
        DateAxis::StatusUpdated => "status_updated_at_us",
        DateAxis::Closed => {
            match range.span.local_days(range.zone) {
                None => sql.push("FALSE"),
                Some((first, last)) => sql
                    .push(&format!("({row}.closing_day >= "))
                    .bind(first.days())
                    .push(&format!(" AND {row}.closing_day <= "))
                    .bind(last.days())
                    .push(")"),
            };
            return;
        }
    };
    sql.push(&format!("({row}.{column} >= "))
        .bind(range.span.from.micros())
        .push(&format!(" AND {row}.{column} < "))
        .bind(range.span.to.micros())
        .push(")");
}

/// A column: its name, whether it may be missing, whether it holds folded text.
struct Column(&'static str, bool, bool);

impl Column {
    fn write(&self, row: &str, op: &Op, sql: &mut Sql) {
        let Self(name, nullable, folded) = self;
        let place = format!("{row}.{name}");
        if *folded {
            write_op(&place, *nullable, &op.folded(), sql);
        } else {
            write_op(&place, *nullable, op, sql);
        }
    }
}

pub(super) fn write_op(place: &str, nullable: bool, op: &Op, sql: &mut Sql) {
    if let Op::IsNull(wanted) = op {
        sql.push(place)
            .push(if *wanted { " IS NULL" } else { " IS NOT NULL" });
        return;
    }
    sql.push("(");
    if nullable {
        sql.push(place).push(" IS NOT NULL AND ");
    }
    match op {
        Op::Eq(value) => sql.push(place).push(" = ").bind(bound(value)),
        Op::Ne(value) => sql.push(place).push(" <> ").bind(bound(value)),
        Op::Lt(value) => sql.push(place).push(" < ").bind(bound(value)),
        Op::Lte(value) => sql.push(place).push(" <= ").bind(bound(value)),
        Op::Gt(value) => sql.push(place).push(" > ").bind(bound(value)),
        Op::Gte(value) => sql.push(place).push(" >= ").bind(bound(value)),
        Op::In(values) if values.is_empty() => sql.push("FALSE"),
        Op::In(values) => sql
            .push(place)
            .push(" IN ")
            .bind_all(values.iter().map(bound)),
        Op::NotIn(values) if values.is_empty() => sql.push("TRUE"),
        Op::NotIn(values) => sql
            .push(place)
            .push(" NOT IN ")
            .bind_all(values.iter().map(bound)),
        Op::Contains(part) => {
            // Not LIKE: it would read `%` and `_`, and SQLite's ignores ASCII case.
            let find = if sql.backend() == DbBackend::Postgres {
                "strpos("
            } else {
                "instr("
            };
            sql.push(find)
                .push(place)
                .push(", ")
                .bind(part.clone())
                .push(") > 0")
        }
        Op::StartsWith(part) => {
            let length = i32::try_from(part.chars().count()).unwrap_or(i32::MAX);
            sql.push("substr(")
                .push(place)
                .push(", 1, ")
                .bind(length)
                .push(") = ")
                .bind(part.clone())
        }
        Op::IsNull(_) => sql,
    };
    sql.push(")");
}

/// Appends `EXISTS` on a related row, with `inside` as its condition.
fn write_related(
    table: &str,
    alias: &str,
    row: &str,
    link: &str,
    sql: &mut Sql,
    inside: impl FnOnce(&mut Sql),
) {
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM {table} {alias} WHERE {alias}.publisher_id = {row}.publisher_id AND {link} AND "
    ));
    inside(sql);
    sql.push(")");
}

/// Appends the condition that the row's program passes a filter; fails without one.
fn write_program(row: &str, filter: &Filter<ProgramTest>, sql: &mut Sql) {
    let link = format!("fg.id = {row}.program_id");
    write_related("programs", "fg", row, &link, sql, |sql| {
        write_filter(filter, "fg", sql);
    });
}

/// Likewise for its ad space.
fn write_ad_space(row: &str, filter: &Filter<AdSpaceTest>, sql: &mut Sql) {
    let link = format!("fs.id = {row}.ad_space_id");
    write_related("ad_spaces", "fs", row, &link, sql, |sql| {
        write_filter(filter, "fs", sql);
    });
}

impl Condition for ActionTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        match self {
            Self::Field(ActionField::Eligibility, op) => write_eligibility(row, op, sql),
            Self::Field(ActionField::HoldEndsAt | ActionField::HoldEndedBy, op) => {
                write_op(&hold_end(row), true, op, sql);
            }
            Self::Field(field, op) => action_column(*field).write(row, op, sql),
            Self::Program(filter) => write_program(row, filter, sql),
            Self::AdSpace(filter) => write_ad_space(row, filter, sql),
            Self::User(filter) if write_segments_alone(filter, &format!("{row}.user_id"), sql) => {}
            Self::User(filter) => {
                write_related(
                    "users",
                    "fu",
                    row,
                    &format!("fu.id = {row}.user_id"),
                    sql,
                    |sql| {
                        write_filter(filter, "fu", sql);
                    },
                );
            }
            Self::Items(quantifier, filter) => {
                if *quantifier != Quantifier::Some {
                    sql.push("NOT ");
                }
                write_related(
                    "action_items",
                    "fi",
                    row,
                    &format!("fi.action_id = {row}.id"),
                    sql,
                    |sql| {
                        if *quantifier == Quantifier::Every {
                            sql.push("NOT ");
                        }
                        sql.push("(");
                        write_filter(filter, "fi", sql);
                        sql.push(")");
                    },
                );
            }
        }
    }
}

/// Expected eligibility, by the shipped country rules or the countries that the network names, the click country and the
/// UTC day of the order: what `Program::eligibility` says in memory.
fn write_eligibility(row: &str, op: &Op, sql: &mut Sql) {
    let wanted: Vec<&str> = Eligibility::ALL
        .into_iter()
        .map(Eligibility::as_str)
        .filter(|word| op.holds(&Value::from(*word)))
        .collect();
    if wanted.is_empty() {
        // `IN (NULL)` would be neither true nor false, and so would its complement.
        sql.push("FALSE");
        return;
    }
    sql.push("COALESCE((SELECT CASE");
    for program in Catalog::shipped().programs() {
        let named = |rule: &&CountryRule| rule.countries != Countries::AllOthers;
        let (named, others): (Vec<&CountryRule>, Vec<&CountryRule>) =
            program.rules.iter().partition(named);
        for rule in named.into_iter().chain(others) {
            sql.push(" WHEN fe.catalog_key = ")
                .bind(program.key.as_str());
            if let Some(from) = rule.valid_from {
                sql.push(&format!(" AND {row}.ordered_at_us >= "))
                    .bind(start_of_day(from, Zone::UTC).micros());
            }
            if let Some(to) = rule.valid_to {
                sql.push(&format!(" AND {row}.ordered_at_us < "))
                    .bind(end_of_day(to, Zone::UTC).micros());
            }
            sql.push(&format!(" AND {row}.country IN "));
            match &rule.countries {
                Countries::These(codes) => sql.bind_all(codes.iter().map(String::as_str)),
                Countries::AllOthers => sql.bind_all(country_codes()),
            };
            sql.push(" THEN ").push(match rule.eligibility {
                Eligibility::Full => "'FULL'",
                Eligibility::Reduced => "'REDUCED'",
                Eligibility::NotPaid => "'NOT_PAID'",
                Eligibility::Unknown => "'UNKNOWN'",
            });
        }
    }
    // Of a program that is not shipped the countries count that the network names. LIKE reads a code as it is: it is one
    // of those in the list.
    sql.push(&format!(
        " WHEN fe.catalog_key IS NULL AND {row}.country IN "
    ));
    sql.bind_all(country_codes());
    sql.push(&format!(
        " THEN CASE WHEN fe.all_countries THEN 'FULL' WHEN fe.countries IS NULL THEN 'UNKNOWN' \
         WHEN ' ' || fe.countries || ' ' LIKE '% ' || {row}.country || ' %' THEN 'FULL' ELSE 'NOT_PAID' END"
    ));
    sql.push(&format!(
        " END FROM programs fe WHERE fe.publisher_id = {row}.publisher_id AND fe.id = {row}.program_id), 'UNKNOWN') IN "
    ));
    sql.bind_all(wanted);
}

/// The end of an action's hold: what `Program::hold_ends_at` says in memory.
fn hold_end(row: &str) -> String {
    let shipped: String = Catalog::shipped()
        .programs()
        .iter()
        .filter_map(|program| {
            Some(format!(
                " WHEN '{}' THEN {}",
                program.key, program.hold_days?
            ))
        })
        .collect();
    format!(
        "(SELECT {row}.ordered_at_us + COALESCE(fh.max_hold_days, fh.hold_days, CASE fh.catalog_key{shipped} END) \
         * {DAY_US} FROM programs fh WHERE fh.publisher_id = {row}.publisher_id AND fh.id = {row}.program_id)"
    )
}

fn action_column(field: ActionField) -> Column {
    match field {
        ActionField::Id
        | ActionField::Eligibility
        | ActionField::HoldEndsAt
        | ActionField::HoldEndedBy => Column("id", false, false),
        ActionField::ExternalId => Column("external_id", false, false),
        ActionField::OrderId => Column("order_id", true, false),
        ActionField::TariffId => Column("tariff_id", true, false),
        ActionField::ActionName => Column("action_name", true, false),
        ActionField::ActionType => Column("action_type", false, false),
        ActionField::Status => Column("status", false, false),
        ActionField::RawStatus => Column("raw_status", false, false),
        ActionField::Paid => Column("paid", false, false),
        ActionField::Processed => Column("processed", false, false),
        ActionField::ReturnedToHold => Column("returned_to_hold", false, false),
        ActionField::Reward => Column("reward_e4", false, false),
        ActionField::OrderAmount => Column("order_amount_e4", true, false),
        ActionField::Currency => Column("currency", false, false),
        ActionField::ClickedAt => Column("clicked_at_us", true, false),
        ActionField::OrderedAt => Column("ordered_at_us", false, false),
        ActionField::StatusUpdatedAt => Column("status_updated_at_us", true, false),
        ActionField::ClosingDay => Column("closing_day", true, false),
        ActionField::ConversionSeconds => Column("conversion_seconds", true, false),
        ActionField::Country => Column("country", true, false),
        ActionField::Subid0 => Column("subid0", true, false),
        ActionField::Subid1 => Column("subid1", true, false),
        ActionField::Subid2 => Column("subid2", true, false),
        ActionField::Subid3 => Column("subid3", true, false),
        ActionField::Subid4 => Column("subid4", true, false),
        ActionField::Keyword => Column("keyword", true, false),
        ActionField::Comment => Column("comment_folded", true, true),
        ActionField::PromoCode => Column("promo_code", true, false),
        ActionField::Device => Column("device", true, false),
        ActionField::ItemsCount => Column("items_count", false, false),
    }
}

impl Condition for ItemTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        match self {
            Self::Field(field, op) => {
                let column = match field {
                    ItemField::Amount => Column("amount_e4", false, false),
                    ItemField::Reward => Column("reward_e4", false, false),
                    ItemField::Units => Column("units", false, false),
                    ItemField::TariffId => Column("tariff_id", true, false),
                    ItemField::ProductCountry => Column("product_country", true, false),
                };
                column.write(row, op, sql);
            }
            Self::Product(filter)
                if write_segments_alone(filter, &format!("{row}.product_id"), sql) => {}
            Self::Product(filter) => {
                write_related(
                    "products",
                    "fp",
                    row,
                    &format!("fp.id = {row}.product_id"),
                    sql,
                    |sql| {
                        write_filter(filter, "fp", sql);
                    },
                );
            }
            Self::Category(filter) => write_category(row, "fc", filter, sql),
        }
    }
}

fn write_category(row: &str, alias: &str, filter: &Filter<CategoryTest>, sql: &mut Sql) {
    write_related(
        "categories",
        alias,
        row,
        &format!("{alias}.id = {row}.category_id"),
        sql,
        |sql| {
            write_filter(filter, alias, sql);
        },
    );
}

impl Condition for ProductTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        match self {
            Self::Field(field, op) => {
                let column = match field {
                    ProductField::Id => Column("id", false, false),
                    ProductField::ExternalId => Column("external_id", true, false),
                    ProductField::Name => Column("name_folded", true, true),
                    ProductField::Url => Column("url", true, false),
                    ProductField::Country => Column("country", true, false),
                    ProductField::IsHot => Column("is_hot", false, false),
                    ProductField::IsPriority => Column("is_priority", false, false),
                    ProductField::FirstSeen => Column("first_seen_us", false, false),
                };
                column.write(row, op, sql);
            }
            Self::Category(filter) => write_category(row, "fd", filter, sql),
            Self::Segment(named) => write_in(named, &format!("{row}.id"), sql),
            Self::BuiltIn(built_in) => write_built_in(built_in, &format!("{row}.id"), sql),
        }
    }

    fn category(&self) -> Option<&Filter<CategoryTest>> {
        match self {
            Self::Category(filter) => Some(filter),
            _ => None,
        }
    }
}

impl Condition for CategoryTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let Self(field, op) = self;
        let column = match field {
            CategoryField::Id => Column("id", false, false),
            CategoryField::ExternalId => Column("external_id", false, false),
            CategoryField::Name => Column("name_folded", false, true),
            CategoryField::Level => Column("level", false, false),
            CategoryField::IsKnown => Column("is_known", false, false),
            CategoryField::Within => return write_within(row, op, sql),
        };
        column.write(row, op, sql);
    }
}

/// A category is within another when it is that one or lies below it: the tree has at most three levels, and a row
/// names itself and both of its ancestors.
fn write_within(row: &str, op: &Op, sql: &mut Sql) {
    let (ids, inside): (&[Value], bool) = match op {
        Op::Eq(id) => (std::slice::from_ref(id), true),
        Op::Ne(id) => (std::slice::from_ref(id), false),
        Op::In(ids) => (ids, true),
        Op::NotIn(ids) => (ids, false),
        _ => (&[], true),
    };
    if ids.is_empty() {
        sql.push(if inside { "FALSE" } else { "TRUE" });
        return;
    }
    sql.push(if inside { "(" } else { "NOT (" });
    for (place, column) in ["id", "level2_id", "level1_id"].into_iter().enumerate() {
        sql.push(if place == 0 { "" } else { " OR " });
        sql.push(&format!("{row}.{column} IN "))
            .bind_all(ids.iter().map(bound));
    }
    sql.push(")");
}

impl Condition for ProgramTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let column = match self.0 {
            ProgramField::Id => Column("id", false, false),
            ProgramField::ExternalId => Column("external_id", true, false),
            ProgramField::Name => Column("name_folded", false, true),
            ProgramField::Currency => Column("currency", true, false),
        };
        column.write(row, &self.1, sql);
    }
}

impl Condition for AdSpaceTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let column = match self.0 {
            AdSpaceField::Id => Column("id", false, false),
            AdSpaceField::ExternalId => Column("external_id", true, false),
            AdSpaceField::Name => Column("name_folded", false, true),
        };
        column.write(row, &self.1, sql);
    }
}

impl Condition for UserTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let (field, op) = match self {
            Self::Field(field, op) => (field, op),
            Self::Segment(named) => return write_in(named, &format!("{row}.id"), sql),
            Self::BuiltIn(built_in) => {
                return write_built_in(built_in, &format!("{row}.id"), sql);
            }
        };
        let column = match field {
            UserField::Id => Column("id", false, false),
            UserField::Value => Column("value", false, false),
            UserField::UserSpace => Column("user_space", false, false),
            UserField::FirstSeen => Column("first_seen_us", false, false),
        };
        column.write(row, op, sql);
    }
}

impl Condition for SegmentTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let column = match self.0 {
            SegmentField::Id => Column("id", false, false),
            SegmentField::Subject => Column("subject", false, false),
            SegmentField::Name => Column("name_key", false, true),
            SegmentField::FrozenAt => Column("frozen_at_us", true, false),
            SegmentField::FrozenFrom => Column("frozen_from_id", true, false),
            SegmentField::ArchivedAt => Column("archived_at_us", true, false),
        };
        column.write(row, &self.1, sql);
    }
}

impl Condition for ImportTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let column = match self.0 {
            ImportField::Id => Column("id", false, false),
            ImportField::State => Column("state", false, false),
            ImportField::Entrance => Column("entrance", false, false),
            ImportField::Name => Column("name", false, false),
            ImportField::StartedAt => Column("started_at_us", false, false),
        };
        column.write(row, &self.1, sql);
    }
}

impl Condition for AdjustmentTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        match self {
            Self::Field(field, op) => {
                let column = match field {
                    AdjustmentField::Id => Column("id", false, false),
                    AdjustmentField::Account => Column("account", false, false),
                    AdjustmentField::Kind => Column("kind", false, false),
                    AdjustmentField::Day => Column("day", false, false),
                    AdjustmentField::Amount => Column("amount_e4", false, false),
                    AdjustmentField::Currency => Column("currency", false, false),
                    AdjustmentField::Comment => Column("comment_folded", true, true),
                    AdjustmentField::Reference => Column("external_reference", true, false),
                };
                column.write(row, op, sql);
            }
            Self::Program(filter) => write_program(row, filter, sql),
            Self::AdSpace(filter) => write_ad_space(row, filter, sql),
        }
    }
}

impl Condition for BalanceTest {
    fn write(&self, row: &str, sql: &mut Sql) {
        let column = match self.0 {
            BalanceField::Account => Column("account", false, false),
            BalanceField::Currency => Column("currency", false, false),
        };
        column.write(row, &self.1, sql);
    }
}
