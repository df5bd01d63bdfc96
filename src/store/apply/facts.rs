//! The facts of a batch: actions with their carts and states, loaded, merged and written.

mod naming;

use super::super::convert::{print_inherited, to_item, to_record, to_state};
use super::super::listing::IDS;
use super::super::notices;
use super::super::sql::Sql;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::dimensions::AdSpaces;
use super::rows::{contribution, item_row, record_of, state_of, state_row};
use super::tombstones::{self, Buried};
use super::{Applied, totals};
use crate::domain::action::{Item, Merged, Record, SOURCE, Slot, State, merge, returned_to_hold};
use crate::domain::contribution::{Contribution, Deltas};
use crate::domain::draft::{ActionDraft, Deletion, action_id};
use crate::domain::id::PublisherId;
use crate::domain::text::fold;
use crate::domain::time::Instant;
use entity::{action, action_item, action_state};
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Where a batch finds an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nowhere.
    New,
    /// Among the facts.
    Stored,
    /// Behind a tombstone.
    Buried,
}

/// An action on its way through a batch.
#[derive(Debug)]
struct Fact {
    external_id: String,
    record: Record,
    /// Cart as it is stored; none for an action that is not among the facts.
    stored_items: Option<Vec<Item>>,
    /// What the stored action contributes to the totals; none for one that is not among the facts.
    contributes: Option<Contribution>,
    /// The user that it is stored with.
    held_user: Option<Uuid>,
    /// States by id, those that are stored and those that the batch brings.
    states: BTreeMap<Uuid, State>,
    /// Those that are to be written.
    new_states: Vec<Uuid>,
    found: Found,
    /// The re-read that no longer had it, unless it was seen after that.
    deleted_at: Option<Instant>,
    /// The row has to be written.
    is_dirty: bool,
    /// A reader can see the change.
    is_visible: bool,
}

/// The actions that a batch touches.
#[derive(Debug)]
pub(super) struct Facts(BTreeMap<Uuid, Fact>);

impl Facts {
    /// Reads what is known of the actions that the drafts and deletions speak of: a statement for up to [`IDS`] of them,
    /// two more if any is known, one more for those that have a tombstone.
    pub(super) async fn load(
        tx: &WriteTx,
        publisher: PublisherId,
        drafts: &[ActionDraft],
        deletions: &[Deletion],
    ) -> Result<Self, DbErr> {
        let deleted = deletions.iter().map(|gone| &gone.external_id);
        let ids = drafts
            .iter()
            .map(|draft| &draft.external_id)
            .chain(deleted)
            .map(|external_id| action_id(publisher, external_id))
            .collect();
        Self::load_ids(tx, publisher, ids).await
    }

    /// Reads what is known of actions by their ids.
    pub(super) async fn load_ids(
        tx: &WriteTx,
        publisher: PublisherId,
        mut ids: Vec<Uuid>,
    ) -> Result<Self, DbErr> {
        ids.sort_unstable();
        ids.dedup();
        let mut rows = Vec::new();
        for ids in ids.chunks(IDS) {
            let sql = of_actions(tx, publisher, "actions t", "id", ids);
            rows.extend(tx.models::<action::Entity>(sql).await?);
        }
        let known: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut items: HashMap<Uuid, Vec<action_item::Model>> = HashMap::new();
        let mut states: HashMap<Uuid, Vec<action_state::Model>> = HashMap::new();
        for ids in known.chunks(IDS) {
            let mut sql = of_actions(tx, publisher, "action_items t", "action_id", ids);
            sql.push(" ORDER BY t.action_id, t.ordinal");
            for row in tx.models::<action_item::Entity>(sql).await? {
                items.entry(row.action_id).or_default().push(row);
            }
            let sql = of_actions(tx, publisher, "action_states t", "action_id", ids);
            for row in tx.models::<action_state::Entity>(sql).await? {
                states.entry(row.action_id).or_default().push(row);
            }
        }
        let mut facts = BTreeMap::new();
        for row in rows {
            let id = row.id;
            let cart = items.remove(&id).unwrap_or_default();
            let states = states.remove(&id).unwrap_or_default();
            facts.insert(id, Fact::stored(row, cart, states)?);
        }
        ids.retain(|id| !facts.contains_key(id));
        for buried in tombstones::load(tx, publisher, &ids).await? {
            facts.insert(buried.action.id, Fact::buried(buried)?);
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
                        held_user: None,
                        states: BTreeMap::from([(state_id, state)]),
                        new_states: vec![state_id],
                        found: Found::New,
                        deleted_at: None,
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
            let receipt = draft.receipt.map(|receipt| receipt.at);
            fact.see_alive(receipt.unwrap_or(draft.stamp.observed_at));
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

    /// Takes out the actions that a re-read no longer had, unless they were observed after it had begun; tells how many.
    pub(super) fn delete(&mut self, publisher: PublisherId, deletions: &[Deletion]) -> i64 {
        let mut deleted = 0;
        for gone in deletions {
            let id = action_id(publisher, &gone.external_id);
            let Some(fact) = self.0.get_mut(&id) else {
                continue;
            };
            let at = Some(gone.observed_at);
            if fact.last_seen() < gone.observed_at && fact.deleted_at < at {
                deleted += i64::from(fact.deleted_at.is_none());
                fact.deleted_at = at;
                fact.is_dirty = true;
            }
        }
        deleted
    }

    /// Writes actions, carts and states, and what went behind a tombstone or came back.
    pub(super) async fn write(
        &self,
        tx: &WriteTx,
        publisher: PublisherId,
        spaces: &AdSpaces,
    ) -> Result<(), DbErr> {
        let (gone, alive): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .filter(|(_, fact)| fact.is_dirty)
            .partition(|(_, fact)| fact.deleted_at.is_some());
        // What was looked for under the lock and is nowhere cannot be in the way.
        for (is_new, conflict) in [(true, Conflict::Fail), (false, Conflict::Replace)] {
            let rows: Vec<action::Model> = alive
                .iter()
                .filter(|(_, fact)| (fact.found == Found::New) == is_new)
                .map(|(id, fact)| fact.row(publisher, **id, spaces))
                .collect();
            insert(tx, &rows, conflict).await?;
        }
        let recarted = || {
            let alive = alive.iter().copied();
            alive.filter(|(_, fact)| fact.stored_items.as_deref() != Some(fact.record.items()))
        };
        let replaced: Vec<Uuid> = recarted()
            .filter(|(_, fact)| fact.found == Found::Stored)
            .map(|(id, _)| *id)
            .collect();
        for ids in replaced.chunks(IDS) {
            let mut sql = tx.sql();
            sql.push("DELETE FROM action_items WHERE publisher_id = ")
                .bind(publisher.0);
            sql.push(" AND ").among("action_id", ids);
            tx.execute(sql).await?;
        }
        let items: Vec<action_item::Model> = recarted()
            .flat_map(|(id, fact)| fact.item_rows(publisher, *id))
            .collect();
        insert(tx, &items, Conflict::Fail).await?;
        let lower = Conflict::Lower("observed_at_us");
        for (is_new, conflict) in [(true, Conflict::Fail), (false, lower)] {
            let states: Vec<action_state::Model> = self
                .0
                .iter()
                .filter(|(_, fact)| fact.deleted_at.is_none())
                .filter(|(_, fact)| (fact.found == Found::New) == is_new)
                .flat_map(|(id, fact)| fact.state_rows(publisher, *id))
                .collect();
            insert(tx, &states, conflict).await?;
        }
        let back: Vec<Uuid> = alive
            .iter()
            .filter(|(_, fact)| fact.found == Found::Buried)
            .map(|(id, _)| **id)
            .collect();
        tombstones::unearth(tx, publisher, &back).await?;
        let gone: Vec<Buried> = gone
            .iter()
            .filter_map(|(id, fact)| fact.grave(publisher, **id, spaces))
            .collect();
        tombstones::bury(tx, publisher, &gone).await
    }

    /// The differences that the batch makes to the totals.
    pub(super) async fn deltas(
        &self,
        tx: &WriteTx,
        publisher: PublisherId,
        spaces: &AdSpaces,
    ) -> Result<Deltas, DbErr> {
        let changed: Vec<(Option<&Contribution>, Option<Contribution>)> = self
            .0
            .values()
            .filter(|fact| fact.is_dirty)
            .map(|fact| {
                let user = fact.user(publisher, spaces).map(|(id, _, _)| id);
                let is_fact = fact.deleted_at.is_none();
                let after = is_fact.then(|| contribution(&fact.record, user));
                (fact.contributes.as_ref(), after)
            })
            .filter(|(before, after)| *before != after.as_ref())
            .collect();
        let both = changed
            .iter()
            .flat_map(|(before, after)| before.iter().copied().chain(after));
        let categories = both
            .flat_map(|contribution| &contribution.items)
            .filter_map(|item| item.category_id)
            .collect();
        let levels = totals::levels(tx, publisher, &categories).await?;
        let mut deltas = Deltas::default();
        for (before, after) in &changed {
            deltas.replace(*before, after.as_ref(), &levels);
        }
        Ok(deltas)
    }

    /// What the change log notes: the actions that a reader can see changed, also those of the batch that only moved to
    /// another ad space with it.
    pub(super) fn changes<'a>(
        &'a self,
        moved: &'a BTreeMap<Uuid, String>,
    ) -> impl Iterator<Item = (Uuid, &'static str, &'a str)> {
        let visible = self.0.iter().filter_map(|(id, fact)| {
            let kind = fact.change()?;
            Some((*id, kind, fact.record.standing.status.as_str()))
        });
        let moved = moved
            .iter()
            .filter(|(id, _)| self.0.get(*id).is_none_or(|fact| fact.change().is_none()));
        visible.chain(moved.map(|(id, status)| (*id, "UPDATED", status.as_str())))
    }

    /// Whether an answer can have changed: an action, or the history of one.
    pub(super) fn wrote_anything(&self) -> bool {
        self.0.values().any(|fact| {
            fact.change().is_some() || fact.deleted_at.is_none() && !fact.new_states.is_empty()
        })
    }
}

/// The rows of a table that belong to some actions, up to [`IDS`] of them.
pub(super) fn of_actions(
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
    sql.push(" AND t.").among(column, ids);
    sql
}

impl Fact {
    /// An action that is among the facts.
    fn stored(
        row: action::Model,
        cart: Vec<action_item::Model>,
        states: Vec<action_state::Model>,
    ) -> Result<Self, DbErr> {
        let cart = cart
            .into_iter()
            .map(|row| to_item(row).map_err(inconsistent))
            .collect::<Result<Vec<_>, _>>()?;
        let mut by_id = BTreeMap::new();
        for row in states {
            let id = row.state_id;
            by_id.insert(id, to_state(row).map_err(inconsistent)?.state);
        }
        let (external_id, user_id) = (row.external_id.clone(), row.user_id);
        let record = to_record(row, cart.clone()).map_err(inconsistent)?;
        Ok(Self {
            external_id,
            contributes: Some(contribution(&record, user_id)),
            held_user: user_id,
            record,
            stored_items: Some(cart),
            states: by_id,
            new_states: Vec::new(),
            found: Found::Stored,
            deleted_at: None,
            is_dirty: false,
            is_visible: false,
        })
    }

    /// An action behind a tombstone: should it come back, everything of it has to be written.
    fn buried(buried: Buried) -> Result<Self, DbErr> {
        let mut fact = Self::stored(buried.action, buried.items, buried.states)?;
        let at = Instant::from_micros(buried.deleted_at_us)
            .map_err(|error| DbErr::Custom(format!("tombstones.deleted_at_us: {error}")))?;
        fact.contributes = None;
        fact.stored_items = None;
        fact.new_states = fact.states.keys().copied().collect();
        fact.found = Found::Buried;
        fact.deleted_at = Some(at);
        Ok(fact)
    }

    /// Takes it out from behind its tombstone, if it was observed after the re-read that no longer had it had begun.
    fn see_alive(&mut self, observed_at: Instant) {
        if self.deleted_at.is_some_and(|gone| gone <= observed_at) {
            self.deleted_at = None;
            self.is_dirty = true;
        }
    }

    /// What the change log says of it; nothing where a reader sees what was there before.
    fn change(&self) -> Option<&'static str> {
        match (self.found, self.deleted_at) {
            (Found::New, None) => Some("INSERTED"),
            (Found::Stored, None) => self.is_visible.then_some("UPDATED"),
            (Found::Stored, Some(_)) => Some("DELETED"),
            (Found::Buried, None) => Some("RESTORED"),
            (Found::New | Found::Buried, Some(_)) => None,
        }
    }

    fn item_rows(
        &self,
        publisher: PublisherId,
        id: Uuid,
    ) -> impl Iterator<Item = action_item::Model> {
        (0i32..)
            .zip(self.record.items())
            .map(move |(ordinal, item)| item_row(publisher, id, ordinal, item))
    }

    /// The states that are to be written.
    fn state_rows(
        &self,
        publisher: PublisherId,
        id: Uuid,
    ) -> impl Iterator<Item = action_state::Model> {
        self.new_states.iter().filter_map(move |state_id| {
            let state = self.states.get(state_id)?;
            Some(state_row(publisher, id, *state_id, state))
        })
    }

    /// What lies behind its tombstone; none where it has none.
    fn grave(&self, publisher: PublisherId, id: Uuid, spaces: &AdSpaces) -> Option<Buried> {
        let all = self.states.iter();
        Some(Buried {
            deleted_at_us: self.deleted_at?.micros(),
            action: self.row(publisher, id, spaces),
            items: self.item_rows(publisher, id).collect(),
            states: all
                .map(|(state_id, state)| state_row(publisher, id, *state_id, state))
                .collect(),
        })
    }

    /// When the action was last seen at upstream, also by a postback.
    fn last_seen(&self) -> Instant {
        let told = self.record.notice.as_ref();
        let told = told.map(|notice| notice.received_at);
        let states = self.states.values().map(|state| state.stamp.observed_at);
        let seen = states.chain(told).chain([self.record.stamp.observed_at]);
        seen.max().unwrap_or(Instant::MIN)
    }

    /// Keeps a state with the earliest observation of it; behind a tombstone, that makes the tombstone another.
    fn see_state(&mut self, id: Uuid, state: State) {
        match self.states.get_mut(&id) {
            None => {
                self.states.insert(id, state);
                self.new_states.push(id);
                self.is_dirty |= self.deleted_at.is_some();
            }
            Some(held) if state.stamp.observed_at < held.stamp.observed_at => {
                held.stamp.observed_at = state.stamp.observed_at;
                self.is_dirty |= self.deleted_at.is_some();
                if !self.new_states.contains(&id) {
                    self.new_states.push(id);
                }
            }
            Some(_) => {}
        }
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
            program_id: self.record.program_id(),
            program_name_id: self.record.told_name(Slot::Program),
            ad_space_id: self.record.id(Slot::AdSpace),
            ad_space_name_id: self.record.told_name(Slot::AdSpace),
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
            status_updated_at_us: standing.status_updated_at.map(Instant::micros),
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

/// A stored row that cannot be read back stops the batch, with its place in the log.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn inconsistent(error: crate::domain::error::Error) -> DbErr {
    let cause = error
        .cause()
        .map_or_else(|| error.to_string(), ToString::to_string);
    DbErr::Custom(cause)
}
