//! Which ad spaces the names of a batch's actions lead to, and who their users are, as their ad spaces say.

use super::super::dimensions::{AdSpaces, SeenUser, USER_SPACE, user_id};
use super::{Fact, Facts};
use crate::domain::action::{Slot, SlotValue};
use crate::domain::draft::ActionDraft;
use crate::domain::id::PublisherId;
use uuid::Uuid;

impl Facts {
    /// Names the users anew, as the ad spaces say now: marks the actions that have another one, and gives the new ones with
    /// the instants of their orders.
    pub(in crate::store::apply) fn name_users(
        &mut self,
        publisher: PublisherId,
        spaces: &AdSpaces,
    ) -> Vec<SeenUser> {
        let mut users = Vec::new();
        for fact in self.0.values_mut() {
            let named = fact.user(publisher, spaces);
            let named = named.map(|(id, space, value)| (id, space.to_owned(), value.to_owned()));
            if named.as_ref().map(|(id, ..)| *id) == fact.held_user {
                continue;
            }
            fact.is_dirty = true;
            fact.is_visible = true;
            let ordered_at = fact.record.standing.ordered_at.micros();
            users.extend(named.map(|(id, space, value)| (id, space, value, ordered_at)));
        }
        users
    }

    /// Leads the actions whose ad space was told by a name to another one.
    pub(in crate::store::apply) fn lead(&mut self, told: Uuid, home: Uuid) {
        for fact in self.0.values_mut() {
            let value = SlotValue::Name { told, home };
            fact.record.slots.insert(Slot::AdSpace, value);
            fact.is_dirty = true;
            fact.is_visible = true;
        }
    }

    /// The users that the drafts name, with the instants of their orders: of all drafts, stale ones included, so that
    /// the order of arrival does not matter.
    pub(in crate::store::apply) fn users(
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
}

impl Fact {
    /// The user, with space and value; none where the SubID that names it is empty.
    pub(super) fn user<'a>(
        &'a self,
        publisher: PublisherId,
        spaces: &'a AdSpaces,
    ) -> Option<(Uuid, &'a str, &'a str)> {
        let (space, slot) = spaces.user_rule(self.record.id(Slot::AdSpace));
        let value = self.record.text(*Slot::SUBIDS.get(slot)?)?;
        Some((user_id(publisher, space, value), space, value))
    }
}
