//! Rows into domain values. A row that cannot be one is reported with its table and key, never guessed.

use super::notices;
use crate::domain::action::Record;
use crate::domain::action::{ActionType, Item, Slot, SlotValue, Stamp, Standing, State, Status};
use crate::domain::draft::Place;
use crate::domain::error::{Error, Result};
use crate::domain::ledger::{Adjustment, AdjustmentKind, Balance};
use crate::domain::money::{Currency, Money};
use crate::domain::records::{
    Action, ActionState, AdSpace, CartItem, Category, ImportRun, Product, Program, RejectedRecord,
    RunCounts, RunState, User,
};
use crate::domain::time::{Day, Instant};
use entity::{
    action, action_item, action_state, ad_space, adjustment, balance, category, import_reject,
    import_run, product, program, user,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use uuid::Uuid;

/// What a row says that no row should say.
pub(super) fn inconsistent(table: &str, key: impl Debug, column: &str) -> Error {
    Error::internal(format!(
        "inconsistent row: table {table}, key {key:?}, column {column}"
    ))
}

/// An instant column.
pub(super) fn instant(micros: i64, table: &str, column: &str) -> Result<Instant> {
    Instant::from_micros(micros).map_err(|_| inconsistent(table, micros, column))
}

/// Likewise, or none.
pub(super) fn some_instant(
    micros: Option<i64>,
    table: &str,
    column: &str,
) -> Result<Option<Instant>> {
    micros
        .map(|micros| instant(micros, table, column))
        .transpose()
}

pub(super) fn currency(code: &str, table: &str) -> Result<Currency> {
    Currency::parse(code).map_err(|_| inconsistent(table, code, "currency"))
}

fn status(word: &str, table: &str) -> Result<Status> {
    Status::parse(word).ok_or_else(|| inconsistent(table, word, "status"))
}

pub(super) fn to_action(row: action::Model) -> Result<Action> {
    const TABLE: &str = "actions";
    let closing_day = row.closing_day.map(Day::from_days).transpose();
    Ok(Action {
        action_type: ActionType::parse(&row.action_type)
            .ok_or_else(|| inconsistent(TABLE, row.id, "action_type"))?,
        status: status(&row.status, TABLE)?,
        currency: currency(&row.currency, TABLE)?,
        clicked_at: some_instant(row.clicked_at_us, TABLE, "clicked_at_us")?,
        ordered_at: instant(row.ordered_at_us, TABLE, "ordered_at_us")?,
        status_updated_at: some_instant(row.status_updated_at_us, TABLE, "status_updated_at_us")?,
        closing_day: closing_day.map_err(|_| inconsistent(TABLE, row.id, "closing_day"))?,
        stamp: Stamp {
            changed_at: instant(row.changed_at_us, TABLE, "changed_at_us")?,
            observed_at: instant(row.observed_at_us, TABLE, "observed_at_us")?,
        },
        id: row.id,
        external_id: row.external_id,
        order_id: row.order_id,
        program_id: row.program_id,
        ad_space_id: row.ad_space_id,
        user_id: row.user_id,
        tariff_id: row.tariff_id,
        action_name: row.action_name,
        raw_status: row.raw_status,
        paid: row.paid,
        processed: row.processed,
        returned_to_hold: row.returned_to_hold,
        reward_e4: row.reward_e4,
        order_amount_e4: row.order_amount_e4,
        conversion_seconds: row.conversion_seconds,
        country: row.country,
        subids: [row.subid0, row.subid1, row.subid2, row.subid3, row.subid4],
        keyword: row.keyword,
        comment: row.comment,
        promo_code: row.promo_code,
        device: row.device,
        items_count: row.items_count,
    })
}

pub(super) fn to_item(row: action_item::Model) -> Result<Item> {
    Ok(Item {
        ordered_at: some_instant(row.ordered_at_us, "action_items", "ordered_at_us")?,
        external_id: row.external_id,
        product_id: row.product_id,
        category_id: row.category_id,
        amount_e4: row.amount_e4,
        reward_e4: row.reward_e4,
        rate_e4: row.rate_e4,
        is_percentage: row.is_percentage,
        tariff_id: row.tariff_id,
        rate_id: row.rate_id,
        units: row.units,
        product_country: row.product_country,
    })
}

pub(super) fn to_cart_item(row: action_item::Model, code: &str) -> Result<CartItem> {
    Ok(CartItem {
        action_id: row.action_id,
        ordinal: row.ordinal,
        currency: currency(code, "actions")?,
        item: to_item(row)?,
    })
}

/// What stands in the place of a state's beginning that nobody knows.
pub(super) const UNDATED: i64 = -1;

pub(super) fn to_state(row: action_state::Model) -> Result<ActionState> {
    const TABLE: &str = "action_states";
    let is_dated = row.changed_at_us != UNDATED;
    let changed_at_us = if is_dated { row.changed_at_us } else { 0 };
    Ok(ActionState {
        action_id: row.action_id,
        state: State {
            status: status(&row.status, TABLE)?,
            raw_status: row.raw_status,
            paid: row.paid,
            says_paid: State::id_says_paid(row.state_id),
            reward_e4: row.reward_e4,
            order_amount_e4: row.order_amount_e4,
            currency: currency(&row.currency, TABLE)?,
            stamp: Stamp {
                changed_at: instant(changed_at_us, TABLE, "changed_at_us")?,
                observed_at: instant(row.observed_at_us, TABLE, "observed_at_us")?,
            },
            is_dated,
        },
    })
}

/// A stored action as `domain::action::merge` wants it.
pub(super) fn to_record(row: action::Model, items: Vec<Item>) -> Result<Record> {
    let inherited = parse_inherited(&row.inherited)
        .ok_or_else(|| inconsistent("actions", row.id, "inherited"))?;
    let (notice, beneath) = notices::parse(row.notice.as_deref())
        .ok_or_else(|| inconsistent("actions", row.id, "notice"))?;
    let named = |told: Option<Uuid>, home: Uuid| match told {
        Some(told) => SlotValue::Name { told, home },
        None => SlotValue::Id(home),
    };
    let program = named(row.program_name_id, row.program_id);
    let ad_space = row.ad_space_id.map(|id| named(row.ad_space_name_id, id));
    let action = to_action(row)?;
    let mut slots = BTreeMap::from([(Slot::Program, program)]);
    let mut text = |slot: Slot, value: Option<String>| {
        if let Some(value) = value {
            slots.insert(slot, SlotValue::Text(value));
        }
    };
    text(Slot::OrderId, action.order_id);
    text(Slot::TariffId, action.tariff_id);
    text(Slot::ActionName, action.action_name);
    text(Slot::Country, action.country);
    for (slot, value) in Slot::SUBIDS.into_iter().zip(action.subids) {
        text(slot, value);
    }
    text(Slot::Keyword, action.keyword);
    text(Slot::Comment, action.comment);
    text(Slot::PromoCode, action.promo_code);
    text(Slot::Device, action.device);
    let mut number = |slot: Slot, value: Option<i64>| {
        if let Some(value) = value {
            slots.insert(slot, SlotValue::Number(value));
        }
    };
    number(Slot::OrderAmount, action.order_amount_e4);
    number(Slot::ClickedAt, action.clicked_at.map(Instant::micros));
    number(
        Slot::ClosingDay,
        action.closing_day.map(|day| i64::from(day.days())),
    );
    number(Slot::ConversionSeconds, action.conversion_seconds);
    if let Some(value) = ad_space {
        slots.insert(Slot::AdSpace, value);
    }
    if !items.is_empty() {
        slots.insert(Slot::Items, SlotValue::Items(items));
    }
    let standing = Standing {
        status: action.status,
        raw_status: action.raw_status,
        paid: action.paid,
        processed: action.processed,
        reward_e4: action.reward_e4,
        currency: action.currency,
        action_type: action.action_type,
        ordered_at: action.ordered_at,
        status_updated_at: action.status_updated_at,
    };
    Ok(Record {
        beneath: beneath.map(|beneath| beneath.of(&standing)),
        standing,
        stamp: action.stamp,
        slots,
        inherited,
        notice,
    })
}

/// Writes the stamps of slots that come from older states: `slot=changed,observed;…`, empty for none.
pub(super) fn print_inherited(inherited: &BTreeMap<Slot, Stamp>) -> String {
    let parts: Vec<String> = inherited
        .iter()
        .map(|(slot, stamp)| {
            format!(
                "{}={},{}",
                slot.as_str(),
                stamp.changed_at.micros(),
                stamp.observed_at.micros()
            )
        })
        .collect();
    parts.join(";")
}

fn parse_inherited(text: &str) -> Option<BTreeMap<Slot, Stamp>> {
    let moment = |text: &str| Instant::from_micros(text.parse().ok()?).ok();
    text.split(';')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (slot, stamp) = part.split_once('=')?;
            let (changed, observed) = stamp.split_once(',')?;
            Some((
                Slot::parse(slot)?,
                Stamp {
                    changed_at: moment(changed)?,
                    observed_at: moment(observed)?,
                },
            ))
        })
        .collect()
}

pub(super) fn to_product(row: product::Model) -> Result<Product> {
    Ok(Product {
        first_seen: instant(row.first_seen_us, "products", "first_seen_us")?,
        id: row.id,
        external_id: row.external_id,
        name: row.name,
        url: row.url,
        image_url: row.image_url,
        category_id: row.category_id,
        country: row.country,
        is_hot: row.is_hot,
        is_priority: row.is_priority,
    })
}

pub(super) fn to_category(row: category::Model) -> Category {
    Category {
        id: row.id,
        external_id: row.external_id,
        name: row.name,
        parent_id: row.parent_id,
        level: row.level,
        level1_id: row.level1_id,
        level2_id: row.level2_id,
        is_known: row.is_known,
    }
}

pub(super) fn to_program(row: program::Model) -> Result<Program> {
    Ok(Program {
        currency: row
            .currency
            .as_deref()
            .map(|code| currency(code, "programs"))
            .transpose()?,
        id: row.id,
        external_id: row.external_id,
        catalog_key: row.catalog_key,
        name: row.name,
        hold_days: row.hold_days,
        max_hold_days: row.max_hold_days,
        cookie_days: row.cookie_days,
        payment_days: row.payment_days,
        countries: row
            .countries
            .map(|codes| codes.split(' ').map(str::to_owned).collect())
            .unwrap_or_default(),
        all_countries: row.all_countries,
    })
}

pub(super) fn to_ad_space(row: ad_space::Model) -> AdSpace {
    AdSpace {
        id: row.id,
        external_id: row.external_id,
        name: row.name,
        user_space: row.user_space,
        user_subid_slot: row.user_subid_slot,
    }
}

pub(super) fn to_user(row: user::Model) -> Result<User> {
    Ok(User {
        first_seen: instant(row.first_seen_us, "users", "first_seen_us")?,
        id: row.id,
        user_space: row.user_space,
        value: row.value,
    })
}

pub(super) fn to_run(row: import_run::Model) -> Result<ImportRun> {
    const TABLE: &str = "import_runs";
    let state = RunState::parse(&row.state).ok_or_else(|| inconsistent(TABLE, row.id, "state"))?;
    // The last sign of life of a reader may be older than the end.
    let is_whole = matches!(state, RunState::Succeeded | RunState::Partial);
    Ok(ImportRun {
        state,
        started_at: instant(row.started_at_us, TABLE, "started_at_us")?,
        finished_at: some_instant(row.finished_at_us, TABLE, "finished_at_us")?,
        as_of: instant(row.as_of_us, TABLE, "as_of_us")?,
        offset_minutes: row.offset_minutes,
        counts: RunCounts {
            read: row.read_count,
            inserted: row.inserted_count,
            updated: row.updated_count,
            unchanged: row.unchanged_count,
            stale: row.stale_count,
            deleted: row.deleted_count,
            rejected: row.rejected_count,
            rounded: row.rounded_count,
        },
        id: row.id,
        entrance: row.entrance,
        name: row.name,
        error: row.error,
        bytes_read: row.bytes_total.filter(|_| is_whole).or(row.bytes_read),
        bytes_total: row.bytes_total,
    })
}

/// A kind of adjustment.
pub(super) fn adjustment_kind(word: &str) -> Result<AdjustmentKind> {
    AdjustmentKind::parse(word).ok_or_else(|| inconsistent("adjustments", word, "kind"))
}

pub(super) fn to_adjustment(row: adjustment::Model) -> Result<Adjustment> {
    const TABLE: &str = "adjustments";
    Ok(Adjustment {
        kind: adjustment_kind(&row.kind)?,
        day: Day::from_days(row.day).map_err(|_| inconsistent(TABLE, row.id, "day"))?,
        at: some_instant(row.at_us, TABLE, "at_us")?,
        amount: Money {
            e4: row.amount_e4,
            currency: currency(&row.currency, TABLE)?,
        },
        id: row.id,
        account: row.account,
        program_id: row.program_id,
        ad_space_id: row.ad_space_id,
        comment: row.comment,
        reference: row.external_reference,
        run_id: row.run_id,
    })
}

pub(super) fn to_balance(row: balance::Model) -> Result<Balance> {
    const TABLE: &str = "balances";
    Ok(Balance {
        observed_at: instant(row.observed_at_us, TABLE, "observed_at_us")?,
        currency: currency(&row.currency, TABLE)?,
        id: row.id,
        account: row.account,
        balance_e4: row.balance_e4,
        processing_e4: row.processing_e4,
        today_e4: row.today_e4,
        stalled_e4: row.stalled_e4,
    })
}

pub(super) fn to_reject(row: import_reject::Model) -> RejectedRecord {
    RejectedRecord {
        run_id: row.run_id,
        ordinal: row.ordinal,
        place: Place {
            page: u32::try_from(row.page).unwrap_or(0),
            index: u32::try_from(row.item).unwrap_or(0),
            byte: u64::try_from(row.byte_offset).unwrap_or(0),
            line: u64::try_from(row.line).unwrap_or(0),
        },
        reason: row.reason,
        field: row.field,
        message: row.message,
        raw: row.raw,
        resolved_by_run: row.resolved_by_run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_stamps_survive_the_way_in_and_out() {
        let stamp = |changed, observed| Stamp {
            changed_at: Instant::from_micros(changed).unwrap(),
            observed_at: Instant::from_micros(observed).unwrap(),
        };
        let stamps = BTreeMap::from([(Slot::Comment, stamp(1, 2)), (Slot::Items, stamp(3, 4))]);
        assert_eq!(parse_inherited(&print_inherited(&stamps)), Some(stamps));
        assert_eq!(parse_inherited(""), Some(BTreeMap::new()));
        assert_eq!(parse_inherited("nonsense"), None);
    }
}
