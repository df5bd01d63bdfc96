//! The columns of a report's statements: keys of groups and sums, for each source.

use super::super::Sql;
use super::super::statuses::{is_approved, is_declined, is_pending};
use crate::domain::report::metric::{Measure, Standing};
use crate::domain::report::plan::{Ask, Source};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::sales::DateAxis;
use crate::domain::totals::Grain;
use crate::store::sales::has_product;
use uuid::Uuid;

/// A sum over the rows of a group.
pub(super) enum Column {
    /// The sum of an expression.
    Sum(String),
    /// The number of distinct actions of the items that satisfy a condition.
    Actions(Option<String>),
}

impl Column {
    /// The aggregate over the rows of a group.
    pub(super) fn aggregate(&self) -> String {
        match self {
            Self::Sum(what) if what == "1" => "COUNT(*)".to_owned(),
            Self::Sum(what) => format!("CAST(COALESCE(SUM({what}), 0) AS bigint)"),
            Self::Actions(None) => "COUNT(DISTINCT i.action_id)".to_owned(),
            Self::Actions(Some(condition)) => {
                format!("COUNT(DISTINCT CASE WHEN {condition} THEN i.action_id END)")
            }
        }
    }
}

/// The condition that the status of a row is of a standing.
fn is(row: &str, standing: Standing) -> Option<String> {
    match standing {
        Standing::Any => None,
        Standing::Pending => Some(is_pending(row)),
        Standing::Approved => Some(is_approved(row)),
        Standing::Declined => Some(is_declined(row)),
    }
}

/// An expression where the standing is right, else 0.
fn where_is(row: &str, standing: Standing, what: &str) -> Column {
    Column::Sum(is(row, standing).map_or_else(
        || what.to_owned(),
        |condition| format!("CASE WHEN {condition} THEN {what} ELSE 0 END"),
    ))
}

fn flag(condition: &str) -> Column {
    Column::Sum(format!("CASE WHEN {condition} THEN 1 ELSE 0 END"))
}

/// A measure over the rows of the total `t`.
fn of_total(measure: Measure, item_sums: bool) -> Column {
    match measure {
        Measure::Actions(standing) => where_is("t", standing, "t.actions"),
        Measure::Units => Column::Sum("t.units".to_owned()),
        Measure::OrderAmount(standing) if item_sums => where_is("t", standing, "t.items_amount_e4"),
        Measure::OrderAmount(standing) => where_is("t", standing, "t.order_amount_e4"),
        Measure::Reward(standing) if item_sums => where_is("t", standing, "t.items_reward_e4"),
        Measure::Reward(standing) => where_is("t", standing, "t.reward_e4"),
        Measure::PaidReward => Column::Sum("t.paid_e4".to_owned()),
        Measure::Amounted => Column::Sum("t.amounted".to_owned()),
        Measure::Carted => Column::Sum("t.carted".to_owned()),
        // The others are no sums; none of them is planned on a total.
        Measure::ActionsInCurrency
        | Measure::Users
        | Measure::ConversionLag
        | Measure::ValidationLag
        | Measure::Clicks
        | Measure::Views => Column::Sum("t.actions".to_owned()),
    }
}

/// A measure over the actions `a`.
fn of_actions(measure: Measure, item_sums: bool) -> Column {
    match measure {
        Measure::Actions(standing) => where_is("a", standing, "1"),
        Measure::Units => Column::Sum("a.units".to_owned()),
        Measure::OrderAmount(standing) if item_sums => where_is("a", standing, "a.items_amount_e4"),
        Measure::OrderAmount(standing) => where_is("a", standing, "a.order_amount_e4"),
        Measure::Reward(standing) if item_sums => where_is("a", standing, "a.items_reward_e4"),
        Measure::Reward(standing) => where_is("a", standing, "a.reward_e4"),
        Measure::PaidReward => {
            Column::Sum("CASE WHEN a.paid THEN a.reward_e4 ELSE 0 END".to_owned())
        }
        Measure::Amounted => flag("a.order_amount_e4 IS NOT NULL"),
        Measure::Carted => flag(&format!(
            "EXISTS (SELECT 1 FROM action_items n WHERE n.publisher_id = a.publisher_id AND n.action_id = a.id AND {})",
            has_product("n")
        )),
        Measure::ActionsInCurrency
        | Measure::Users
        | Measure::ConversionLag
        | Measure::ValidationLag
        | Measure::Clicks
        | Measure::Views => Column::Sum("1".to_owned()),
    }
}

/// A measure over the cart items `i` of the actions `a`.
fn of_items(measure: Measure) -> Column {
    match measure {
        Measure::Actions(standing) => Column::Actions(is("a", standing)),
        Measure::Units => Column::Sum("i.units".to_owned()),
        Measure::OrderAmount(standing) => where_is("a", standing, "i.amount_e4"),
        Measure::Reward(standing) => where_is("a", standing, "i.reward_e4"),
        Measure::PaidReward
        | Measure::Amounted
        | Measure::Carted
        | Measure::ActionsInCurrency
        | Measure::Users
        | Measure::ConversionLag
        | Measure::ValidationLag
        | Measure::Clicks
        | Measure::Views => Column::Actions(None),
    }
}

/// The sums of a question, the number of actions first; `facts` is whether its rows are facts, which they can also be
/// at the ragged ends of a total's range.
pub(super) fn sums(ask: &Ask, measures: &[Measure], facts: bool) -> Vec<Column> {
    let over_items = ask.source == Source::Items
        || ask
            .dimensions
            .iter()
            .any(|dimension| dimension.is_of_items());
    let one = |measure: &Measure| match (facts, over_items) {
        (false, _) => of_total(*measure, ask.item_sums),
        (true, true) => of_items(*measure),
        (true, false) => of_actions(*measure, ask.item_sums),
    };
    std::iter::once(&Measure::Actions(Standing::Any))
        .chain(measures)
        .map(one)
        .collect()
}

/// The name of the key column of the dimension at a place.
pub(super) fn key_name(place: usize) -> String {
    format!("k{place}")
}

/// The column of a total that holds a dimension.
pub(in crate::store) fn total_column(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Program => "program_id",
        Dimension::AdSpace => "ad_space_id",
        Dimension::Country => "country",
        Dimension::Status => "status",
        Dimension::ActionType => "action_type",
        Dimension::Currency => "currency",
        Dimension::Device => "device",
        Dimension::Product => "product_id",
        Dimension::CategoryLevel1 | Dimension::CategoryLevel2 | Dimension::CategoryOwn => {
            "category_id"
        }
        Dimension::Subid0
        | Dimension::Subid1
        | Dimension::Subid2
        | Dimension::Subid3
        | Dimension::Subid4
        | Dimension::Tariff
        | Dimension::PromoCode
        | Dimension::DeclineReason
        | Dimension::UserAge
        | Dimension::UserFrequency
        | Dimension::UserSegment
        | Dimension::ProductSegment => "status",
    }
}

/// Appends the key of a dimension over the total `t`, with its word for none also where the filter had it hidden.
pub(super) fn write_total_key(dimension: Dimension, hidden: &[&str], sql: &mut Sql) {
    let column = total_column(dimension);
    if !hidden.contains(&column) {
        sql.push("t.").push(column);
        return;
    }
    sql.push(&format!("COALESCE(t.{column}, "));
    if is_id(dimension) {
        sql.bind(Uuid::nil());
    } else {
        sql.push("''");
    }
    sql.push(")");
}

/// Appends the key of a dimension over facts. `filled` puts the totals' word for none where there is none.
pub(super) fn write_fact_key(dimension: Dimension, ask: &Ask, filled: bool, sql: &mut Sql) {
    let column = match dimension {
        Dimension::Program => "a.program_id",
        Dimension::AdSpace => "a.ad_space_id",
        Dimension::Country => "a.country",
        Dimension::Status => "a.status",
        Dimension::ActionType => "a.action_type",
        Dimension::Currency => "a.currency",
        Dimension::Device => "a.device",
        Dimension::Subid0 => "a.subid0",
        Dimension::Subid1 => "a.subid1",
        Dimension::Subid2 => "a.subid2",
        Dimension::Subid3 => "a.subid3",
        Dimension::Subid4 => "a.subid4",
        Dimension::Tariff => "a.tariff_id",
        Dimension::PromoCode => "a.promo_code",
        Dimension::Product => "i.product_id",
        Dimension::CategoryLevel1 => "c.level1_id",
        Dimension::CategoryLevel2 => "c.level2_id",
        Dimension::CategoryOwn => "i.category_id",
        Dimension::UserSegment => "gu.segment_id",
        Dimension::ProductSegment => "gp.segment_id",
        Dimension::DeclineReason => {
            sql.push(&format!(
                "CASE WHEN {} THEN COALESCE(a.comment_folded, '') END",
                is_declined("a")
            ));
            return;
        }
        Dimension::UserAge => return write_user_age(ask, sql),
        Dimension::UserFrequency => {
            return write_user_frequency("a.user_id IS NULL", "q.frequency", sql);
        }
    };
    if !filled {
        sql.push(column);
        return;
    }
    sql.push("COALESCE(").push(column).push(", ");
    if is_id(dimension) {
        sql.bind(Uuid::nil());
    } else {
        sql.push("''");
    }
    sql.push(")");
}

/// Appends how one of a group's actions writes the reason of its decline, which their key has folded.
pub(super) fn write_reason(sql: &mut Sql) {
    sql.push(&format!(
        "MIN(CASE WHEN {} THEN a.comment END) AS reason, ",
        is_declined("a")
    ));
}

/// Appends whether the lifetime `l` of the user of the action `a` began before the stretch of time `p` that the action lies
/// in, or before the range where that is one piece.
fn write_user_age(ask: &Ask, sql: &mut Sql) {
    sql.push("CASE WHEN a.user_id IS NULL THEN 'UNATTRIBUTED' WHEN l.first_ordered_at_us < ");
    if ask.needs_begins() {
        sql.push("p.begins");
    } else if ask.tells_pieces() {
        sql.push("p.lo");
    } else {
        sql.bind(ask.range.span.from.micros());
    }
    sql.push(" THEN 'RETURNING' ELSE 'NEW' END");
}

/// Appends how often a user bought, where `is_none` says that there is no user.
pub(super) fn write_user_frequency(is_none: &str, count: &str, sql: &mut Sql) {
    sql.push(&format!(
        "CASE WHEN {is_none} THEN 'UNATTRIBUTED' WHEN {count} < 2 THEN 'ONCE' WHEN {count} < 4 THEN 'FEW' \
         WHEN {count} < 10 THEN 'REGULAR' ELSE 'LOYAL' END"
    ));
}

/// Whether the keys of a dimension are ids.
pub(in crate::store) fn is_id(dimension: Dimension) -> bool {
    matches!(
        dimension,
        Dimension::Program
            | Dimension::AdSpace
            | Dimension::Product
            | Dimension::CategoryLevel1
            | Dimension::CategoryLevel2
            | Dimension::CategoryOwn
            | Dimension::UserSegment
            | Dimension::ProductSegment
    )
}

/// The column of an axis.
pub(super) fn axis_column(axis: DateAxis) -> &'static str {
    match axis {
        DateAxis::Ordered => "ordered_at_us",
        DateAxis::Clicked => "clicked_at_us",
        DateAxis::StatusUpdated => "status_updated_at_us",
        DateAxis::Closed => "closing_day",
    }
}

/// The UTC day of the action `a` on an axis.
pub(super) fn fact_day(axis: DateAxis) -> String {
    match axis {
        DateAxis::Closed => "CAST(a.closing_day AS bigint)".to_owned(),
        other => format!("a.{} / {}", axis_column(other), Grain::Day.micros()),
    }
}

/// The UTC day of a cell of the total `t`.
pub(super) fn cell_day(grain: Grain) -> String {
    format!("t.cell / {}", (Grain::Day.micros() / grain.micros()).max(1))
}

/// The name that a total has for no key.
pub(in crate::store) fn is_none(key: &KeyPart) -> bool {
    match key {
        KeyPart::None => true,
        KeyPart::Id(id) => id.is_nil(),
        KeyPart::Text(text) => text.is_empty(),
    }
}
