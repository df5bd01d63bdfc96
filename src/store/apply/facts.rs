//! The facts of a batch: actions with their carts and states, loaded, merged and written.

use super::super::convert::{print_inherited, to_item, to_record, to_state};
use super::super::listing::IDS;
use super::super::notices;
use super::super::sql::Sql;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::dimensions::{
    AdSpaces, SeenUser, USER_SPACE, draft_category_id, product_id, program_id, user_id,
};
use super::{Applied, totals};
use crate::domain::action::{
    Item, Merged, Record, SOURCE, Slot, SlotValue, Stamp, State, merge, returned_to_hold,
};
use crate::domain::contribution::{Contribution, Deltas, ItemContribution};
use crate::domain::draft::ActionDraft;
use crate::domain::id::PublisherId;
use crate::domain::notice::Notice;
use crate::domain::text::fold;
use crate::domain::time::Instant;
use entity::{action, action_item, action_state};
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An action on its way through a batch.
#[derive(Debug)]
struct Fact {
    external_id: String,
    record: Record,
    /// Cart as it is stored; none for a new action.
    stored_items: Option<Vec<Item>>,
    /// What the stored action contributes to the totals; none for a new one.
    contributes: Option<Contribution>,
    /// States by id, those that are stored and those that the batch brings.
    states: BTreeMap<Uuid, State>,
    new_states: Vec<Uuid>,
    is_new: bool,
    /// The row has to be written.
    is_dirty: bool,
    /// A reader can see the change.
    is_visible: bool,
}

/// The actions that a batch touches.
#[derive(Debug)]
pub(super) struct Facts(BTreeMap<Uuid, Fact>);

impl Facts {
    /// Reads what is known of the actions that the drafts speak of: a statement for up to [`IDS`] of them,
    /// two more if any is known.
    pub(super) async fn load(
        tx: &WriteTx,
        publisher: PublisherId,
        drafts: &[ActionDraft],
    ) -> Result<Self, DbErr> {
        let mut ids: Vec<Uuid> = drafts.iter().map(|draft| draft.id(publisher)).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut rows = Vec::new();
        for ids in ids.chunks(IDS) {
            let sql = of_actions(tx, publisher, "actions t", "id", ids);
            rows.extend(tx.models::<action::Entity>(sql).await?);
        }
        let known: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut items: HashMap<Uuid, Vec<Item>> = HashMap::new();
        let mut states: HashMap<Uuid, BTreeMap<Uuid, State>> = HashMap::new();
        for ids in known.chunks(IDS) {
            let mut sql = of_actions(tx, publisher, "action_items t", "action_id", ids);
            sql.push(" ORDER BY t.action_id, t.ordinal");
            for row in tx.models::<action_item::Entity>(sql).await? {
                items
                    .entry(row.action_id)
                    .or_default()
                    .push(to_item(row).map_err(inconsistent)?);
            }
            let sql = of_actions(tx, publisher, "action_states t", "action_id", ids);
            for row in tx.models::<action_state::Entity>(sql).await? {
                let (action, id) = (row.action_id, row.state_id);
                states
                    .entry(action)
                    .or_default()
                    .insert(id, to_state(row).map_err(inconsistent)?.state);
            }
        }
        let mut facts = BTreeMap::new();
        for row in rows {
            let id = row.id;
            let cart = items.remove(&id).unwrap_or_default();
            let (external_id, user_id) = (row.external_id.clone(), row.user_id);
            let record = to_record(row, cart.clone()).map_err(inconsistent)?;
            facts.insert(
                id,
                Fact {
                    external_id,
                    contributes: Some(contribution(&record, user_id)),
                    record,
                    stored_items: Some(cart),
                    states: states.remove(&id).unwrap_or_default(),
                    new_states: Vec::new(),
                    is_new: false,
                    is_dirty: false,
                    is_visible: false,
                },
            );
        }
        Ok(Self(facts))
    }

    /// Brings the drafts in, in their order.
    pub(super) fn merge(
        &mut self,
        publisher: PublisherId,
        drafts: &[ActionDraft],
        spaces: &AdSpaces,
    ) -> Applied {
        let mut applied = Applied::default();
        for draft in drafts {
            let id = draft.id(publisher);
            let arriving = record_of(publisher, draft, spaces);
            let state = state_of(draft);
            let state_id = state.id(publisher, id);
            let Some(fact) = self.0.get_mut(&id) else {
                applied.inserted += 1;
                self.0.insert(
                    id,
                    Fact {
                        external_id: draft.external_id.clone(),
                        record: arriving,
                        stored_items: None,
                        contributes: None,
                        states: BTreeMap::from([(state_id, state)]),
                        new_states: vec![state_id],
                        is_new: true,
                        is_dirty: true,
                        is_visible: true,
                    },
                );
                continue;
            };
            let held_before = returned_to_hold(
                &fact.record.standing,
                fact.record.shown_stamp(),
                fact.states.values(),
            );
            fact.see_state(state_id, state);
            match merge(&mut fact.record, &arriving) {
                Merged::Updated => {
                    applied.updated += 1;
                    fact.is_dirty = true;
                    fact.is_visible = true;
                }
                Merged::Filled => {
                    applied.stale += 1;
                    fact.is_dirty = true;
                    fact.is_visible = true;
                }
                Merged::Observed => {
                    applied.unchanged += 1;
                    fact.is_dirty = true;
                }
                Merged::Same => applied.unchanged += 1,
                Merged::Stale => applied.stale += 1,
            }
            if held_before
                != returned_to_hold(
                    &fact.record.standing,
                    fact.record.shown_stamp(),
                    fact.states.values(),
                )
            {
                fact.is_dirty = true;
                fact.is_visible = true;
            }
        }
        applied
    }

    /// The users that the drafts name, with the instants of their orders: of all drafts, stale ones included, so that
    /// the order of arrival does not matter.
    pub(super) fn users(
        &self,
        publisher: PublisherId,
        drafts: &[ActionDraft],
        spaces: &AdSpaces,
    ) -> Vec<SeenUser> {
        let named = drafts.iter().filter_map(|draft| {
            let ad_space = draft.ad_space.as_ref().map(|space| spaces.id_of(space));
            let (space, slot) = spaces.user_rule(ad_space);
            let Some(SlotValue::Text(value)) = draft.slots.get(Slot::SUBIDS.get(slot)?) else {
                return None;
            };
            Some((space, value.as_str(), draft.standing.ordered_at))
        });
        // Where ad spaces are set apart, one state may bring the ad space and another the value.
        let pieced = self.0.values().filter(|fact| fact.is_dirty);
        let pieced = pieced.filter_map(|fact| {
            let (_, space, value) = fact.user(publisher, spaces)?;
            (space != USER_SPACE).then_some((space, value, fact.record.standing.ordered_at))
        });
        named
            .chain(pieced)
            .map(|(space, value, ordered_at)| {
                let id = user_id(publisher, space, value);
                (id, space.to_owned(), value.to_owned(), ordered_at.micros())
            })
            .collect()
    }

    /// Writes actions, carts and states.
    pub(super) async fn write(
        &self,
        tx: &WriteTx,
        publisher: PublisherId,
        spaces: &AdSpaces,
    ) -> Result<(), DbErr> {
        let dirty = || self.0.iter().filter(|(_, fact)| fact.is_dirty);
        let rows: Vec<action::Model> = dirty()
            .map(|(id, fact)| fact.row(publisher, *id, spaces))
            .collect();
        insert(tx, &rows, Conflict::Replace).await?;
        let recarted = || {
            dirty().filter(|(_, fact)| fact.stored_items.as_deref() != Some(fact.record.items()))
        };
        let replaced: Vec<Uuid> = recarted()
            .filter(|(_, fact)| !fact.is_new)
            .map(|(id, _)| *id)
            .collect();
        for ids in replaced.chunks(IDS) {
            let mut sql = tx.sql();
            sql.push("DELETE FROM action_items WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND action_id IN ").bind_all(ids.iter().copied());
            tx.execute(sql).await?;
        }
        let items: Vec<action_item::Model> = recarted()
            .flat_map(|(id, fact)| {
                (0i32..)
                    .zip(fact.record.items())
                    .map(move |(ordinal, item)| item_row(publisher, *id, ordinal, item))
            })
            .collect();
        insert(tx, &items, Conflict::Fail).await?;
        let states: Vec<action_state::Model> = self
            .0
            .iter()
            .flat_map(|(id, fact)| {
                fact.new_states.iter().filter_map(move |state_id| {
                    fact.states
                        .get(state_id)
                        .map(|state| state_row(publisher, *id, *state_id, state))
                })
            })
            .collect();
        insert(tx, &states, Conflict::Lower("observed_at_us"))
            .await
            .map(|_| ())
    }

    /// The differences that the batch makes to the totals.
    pub(super) async fn deltas(
        &self,
        tx: &WriteTx,
        publisher: PublisherId,
        spaces: &AdSpaces,
    ) -> Result<Deltas, DbErr> {
        let changed: Vec<(Option<&Contribution>, Contribution)> = self
            .0
            .values()
            .filter(|fact| fact.is_dirty)
            .map(|fact| {
                let user = fact.user(publisher, spaces).map(|(id, _, _)| id);
                (fact.contributes.as_ref(), contribution(&fact.record, user))
            })
            .filter(|(before, after)| *before != Some(after))
            .collect();
        let both = changed
            .iter()
            .flat_map(|(before, after)| before.iter().copied().chain([after]));
        let categories = both
            .flat_map(|contribution| &contribution.items)
            .filter_map(|item| item.category_id)
            .collect();
        let levels = totals::levels(tx, publisher, &categories).await?;
        let mut deltas = Deltas::default();
        for (before, after) in &changed {
            deltas.replace(*before, Some(after), &levels);
        }
        Ok(deltas)
    }

    /// What the change log notes: the actions that a reader can see changed, also those that only moved to another ad
    /// space with this batch.
    pub(super) fn changes<'a>(
        &'a self,
        spaces: &'a AdSpaces,
    ) -> impl Iterator<Item = (Uuid, &'static str, &'a str)> {
        let visible = self.0.iter().filter(|(_, fact)| fact.is_visible);
        let moved = spaces
            .moved
            .iter()
            .filter(|(id, _)| self.0.get(*id).is_none_or(|fact| !fact.is_visible));
        visible
            .map(|(id, fact)| {
                (
                    *id,
                    if fact.is_new { "INSERTED" } else { "UPDATED" },
                    fact.record.standing.status.as_str(),
                )
            })
            .chain(moved.map(|(id, status)| (*id, "UPDATED", status.as_str())))
    }

    /// Whether an answer can have changed: an action, or the history of one.
    pub(super) fn wrote_anything(&self) -> bool {
        self.0
            .values()
            .any(|fact| fact.is_visible || !fact.new_states.is_empty())
    }
}

/// The rows of a table that belong to some actions, up to [`IDS`] of them.
fn of_actions(
    tx: &WriteTx,
    publisher: PublisherId,
    table: &str,
    column: &str,
    ids: &[Uuid],
) -> Sql {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM ")
        .push(table)
        .push(" WHERE t.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND t.")
        .push(column)
        .push(" IN ")
        .bind_all(ids.iter().copied());
    sql
}

impl Fact {
    /// Keeps a state with the earliest observation of it.
    fn see_state(&mut self, id: Uuid, state: State) {
        match self.states.get_mut(&id) {
            None => {
                self.states.insert(id, state);
                self.new_states.push(id);
            }
            Some(held) if state.stamp.observed_at < held.stamp.observed_at => {
                held.stamp.observed_at = state.stamp.observed_at;
                if !self.new_states.contains(&id) {
                    self.new_states.push(id);
                }
            }
            Some(_) => {}
        }
    }

    fn user<'a>(
        &'a self,
        publisher: PublisherId,
        spaces: &'a AdSpaces,
    ) -> Option<(Uuid, &'a str, &'a str)> {
        let (space, slot) = spaces.user_rule(self.record.id(Slot::AdSpace));
        let value = self.record.text(*Slot::SUBIDS.get(slot)?)?;
        Some((user_id(publisher, space, value), space, value))
    }

    fn row(&self, publisher: PublisherId, id: Uuid, spaces: &AdSpaces) -> action::Model {
        let Record {
            standing,
            stamp,
            inherited,
            ..
        } = &self.record;
        let text = |slot: Slot| self.record.text(slot).map(str::to_owned);
        let items = self.record.items();
        action::Model {
            publisher_id: publisher.0,
            id,
            source: SOURCE.to_owned(),
            external_id: self.external_id.clone(),
            order_id: text(Slot::OrderId),
            program_id: self.record.program_id,
            ad_space_id: self.record.id(Slot::AdSpace),
            user_id: self.user(publisher, spaces).map(|(id, _, _)| id),
            tariff_id: text(Slot::TariffId),
            action_name: text(Slot::ActionName),
            action_type: standing.action_type.as_str().to_owned(),
            status: standing.status.as_str().to_owned(),
            raw_status: standing.raw_status.clone(),
            paid: standing.paid,
            processed: standing.processed,
            returned_to_hold: returned_to_hold(
                standing,
                self.record.shown_stamp(),
                self.states.values(),
            ),
            reward_e4: standing.reward_e4,
            order_amount_e4: self.record.number(Slot::OrderAmount),
            currency: standing.currency.as_str().to_owned(),
            clicked_at_us: self.record.number(Slot::ClickedAt),
            ordered_at_us: standing.ordered_at.micros(),
            status_updated_at_us: standing
                .status_updated_at
                .map(Instant::micros),
            closing_day: self
                .record
                .number(Slot::ClosingDay)
                .and_then(|day| i32::try_from(day).ok()),
            conversion_seconds: self.record.number(Slot::ConversionSeconds),
            country: text(Slot::Country),
            subid0: text(Slot::Subid0),
            subid1: text(Slot::Subid1),
            subid2: text(Slot::Subid2),
            subid3: text(Slot::Subid3),
            subid4: text(Slot::Subid4),
            keyword: text(Slot::Keyword),
            comment_folded: self.record.text(Slot::Comment).map(fold),
            comment: text(Slot::Comment),
            promo_code: text(Slot::PromoCode),
            device: text(Slot::Device),
            items_count: i32::try_from(items.len()).unwrap_or(i32::MAX),
            units: items.iter().map(|item| i64::from(item.units)).sum(),
            items_amount_e4: items.iter().map(|item| item.amount_e4).sum(),
            items_reward_e4: items.iter().map(|item| item.reward_e4).sum(),
            changed_at_us: stamp.changed_at.micros(),
            observed_at_us: stamp.observed_at.micros(),
            inherited: print_inherited(inherited),
            notice: notices::print(self.record.notice.as_ref(), self.record.beneath.as_ref()),
        }
    }
}

/// What an action contributes to the totals.
fn contribution(record: &Record, user_id: Option<Uuid>) -> Contribution {
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
        program_id: record.program_id,
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

fn record_of(publisher: PublisherId, draft: &ActionDraft, spaces: &AdSpaces) -> Record {
    let mut slots = draft.slots.clone();
    if let Some(reference) = &draft.ad_space {
        slots.insert(Slot::AdSpace, SlotValue::Id(spaces.id_of(reference)));
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
        program_id: program_id(publisher, &draft.program),
        standing: draft.standing.clone(),
        stamp: draft.stamp,
        slots,
        inherited: BTreeMap::new(),
        notice: Notice::of(&draft.standing, draft.receipt),
        beneath: None,
    }
}

fn state_of(draft: &ActionDraft) -> State {
    let order_amount_e4 = match draft.slots.get(&Slot::OrderAmount) {
        Some(SlotValue::Number(amount)) => Some(*amount),
        _ => None,
    };
    State {
        status: draft.standing.status,
        raw_status: draft.standing.raw_status.clone(),
        paid: draft.standing.paid,
        reward_e4: draft.standing.reward_e4,
        order_amount_e4,
        currency: draft.standing.currency,
        stamp: match draft.receipt {
            None => draft.stamp,
            Some(receipt) => Stamp {
                // What is not known is no part of the state's identity: the same postback again is the same state.
                changed_at: if receipt.is_first {
                    draft.stamp.changed_at
                } else {
                    Instant::MIN
                },
                observed_at: receipt.at,
            },
        },
    }
}

fn item_row(
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

fn state_row(
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
        changed_at_us: state.stamp.changed_at.micros(),
        observed_at_us: state.stamp.observed_at.micros(),
    }
}

/// A stored row that cannot be read back stops the batch, with its place in the log.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn inconsistent(error: crate::domain::error::Error) -> DbErr {
    let cause = error
        .cause()
        .map_or_else(|| error.to_string(), ToString::to_string);
    DbErr::Custom(cause)
}
