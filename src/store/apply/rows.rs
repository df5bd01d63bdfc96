//! Between drafts, records and rows: what a draft says as a record and as a state, and the rows that hold them.

use super::super::convert::UNDATED;
use super::dimensions::{AdSpaces, told_program};
use super::goods::{draft_category_id, product_id};
use crate::domain::action::{Item, Record, Slot, SlotValue, Stamp, State};
use crate::domain::contribution::{Contribution, ItemContribution};
use crate::domain::draft::ActionDraft;
use crate::domain::id::PublisherId;
use crate::domain::notice::Notice;
use crate::domain::time::Instant;
use entity::{action_item, action_state};
use uuid::Uuid;

/// What an action contributes to the totals.
pub(super) fn contribution(record: &Record, user_id: Option<Uuid>) -> Contribution {
    let standing = &record.standing;
    let text = |slot: Slot| record.text(slot).map(str::to_owned);
    let items = record.items().iter().map(|item| ItemContribution {
        product_id: item.product_id,
        category_id: item.category_id,
        units: item.units.into(),
        amount_e4: item.amount_e4,
        reward_e4: item.reward_e4,
    });
    Contribution {
        ordered_at: standing.ordered_at,
        status: standing.status,
        currency: standing.currency,
        program_id: record.program_id(),
        ad_space_id: record.id(Slot::AdSpace),
        country: text(Slot::Country),
        device: text(Slot::Device),
        action_type: standing.action_type.as_str(),
        user_id,
        paid: standing.paid,
        reward_e4: standing.reward_e4,
        order_amount_e4: record.number(Slot::OrderAmount),
        items: items.collect(),
    }
}

pub(super) fn record_of(publisher: PublisherId, draft: &ActionDraft, spaces: &AdSpaces) -> Record {
    let mut slots = draft.slots.clone();
    slots.insert(Slot::Program, told_program(publisher, &draft.program));
    if let Some(reference) = &draft.ad_space {
        slots.insert(Slot::AdSpace, spaces.told(reference));
    }
    if !draft.items.is_empty() {
        let items = draft.items.iter().map(|item| Item {
            external_id: item.external_id.clone(),
            product_id: item
                .product
                .as_ref()
                .and_then(|product| product_id(publisher, product)),
            category_id: item
                .category
                .as_ref()
                .map(|category| draft_category_id(publisher, category)),
            amount_e4: item.amount_e4,
            reward_e4: item.reward_e4,
            rate_e4: item.rate_e4,
            is_percentage: item.is_percentage,
            tariff_id: item.tariff_id.clone(),
            rate_id: item.rate_id.clone(),
            units: item.units,
            ordered_at: item.ordered_at,
            product_country: item
                .product
                .as_ref()
                .and_then(|product| product.country.clone()),
        });
        slots.insert(Slot::Items, SlotValue::Items(items.collect()));
    }
    Record {
        standing: draft.standing.clone(),
        stamp: draft.stamp,
        slots,
        inherited: draft
            .unsaid
            .iter()
            .map(|part| (*part, Stamp::NEVER))
            .collect(),
        notice: Notice::of(&draft.standing, draft.receipt),
        beneath: None,
    }
}

pub(super) fn state_of(draft: &ActionDraft) -> State {
    let order_amount_e4 = match draft.slots.get(&Slot::OrderAmount) {
        Some(SlotValue::Number(amount)) => Some(*amount),
        _ => None,
    };
    // What is not known is no part of the state's identity: the same postback again is the same state.
    let is_dated = draft.receipt.is_none_or(|receipt| receipt.is_first);
    State {
        status: draft.standing.status,
        raw_status: draft.standing.raw_status.clone(),
        paid: draft.standing.paid,
        // Whether a postback says it is told apart in its notice.
        says_paid: !(is_dated && draft.unsaid.contains(&Slot::Paid)),
        reward_e4: draft.standing.reward_e4,
        order_amount_e4,
        currency: draft.standing.currency,
        stamp: Stamp {
            changed_at: if is_dated {
                draft.stamp.changed_at
            } else {
                Instant::MIN
            },
            observed_at: draft
                .receipt
                .map_or(draft.stamp.observed_at, |receipt| receipt.at),
        },
        is_dated,
    }
}

pub(super) fn item_row(
    publisher: PublisherId,
    action_id: Uuid,
    ordinal: i32,
    item: &Item,
) -> action_item::Model {
    action_item::Model {
        publisher_id: publisher.0,
        action_id,
        ordinal,
        external_id: item.external_id.clone(),
        product_id: item.product_id,
        category_id: item.category_id,
        amount_e4: item.amount_e4,
        reward_e4: item.reward_e4,
        rate_e4: item.rate_e4,
        is_percentage: item.is_percentage,
        tariff_id: item.tariff_id.clone(),
        rate_id: item.rate_id.clone(),
        units: item.units,
        ordered_at_us: item.ordered_at.map(Instant::micros),
        product_country: item.product_country.clone(),
    }
}

pub(super) fn state_row(
    publisher: PublisherId,
    action_id: Uuid,
    state_id: Uuid,
    state: &State,
) -> action_state::Model {
    action_state::Model {
        publisher_id: publisher.0,
        action_id,
        state_id,
        status: state.status.as_str().to_owned(),
        raw_status: state.raw_status.clone(),
        paid: state.paid,
        reward_e4: state.reward_e4,
        order_amount_e4: state.order_amount_e4,
        currency: state.currency.as_str().to_owned(),
        changed_at_us: if state.is_dated {
            state.stamp.changed_at.micros()
        } else {
            UNDATED
        },
        observed_at_us: state.stamp.observed_at.micros(),
    }
}
