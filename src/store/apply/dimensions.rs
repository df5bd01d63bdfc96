//! What facts hang on: programs, ad spaces and users, brought up to date before the facts. Categories and products are
//! in `goods`.
//!
//! Each describing field is the newest state's that had one; equal stamps are settled by the value, so the order of
//! arrival does not matter.

use super::super::listing::IDS;
use super::super::publishers::program_key;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use crate::domain::action::SOURCE;
use crate::domain::catalog::{self, Catalog};
use crate::domain::draft::{ActionDraft, AdSpaceRef, ProgramRef};
use crate::domain::id::{Kind, PublisherId, derive};
use crate::domain::text::fold;
use entity::{ad_space, program, user};
use sea_orm::{DbErr, EntityTrait};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// How users of an ad space that says nothing else are known.
pub(super) const USER_SPACE: &str = "default";
/// Which SubID names the user where an ad space says nothing else.
pub(super) const USER_SLOT: usize = 1;

/// The program that a draft names: its natural key and, where shipped, the catalogue's entry.
pub(super) fn program_of(reference: &ProgramRef) -> (String, Option<&'static catalog::Program>) {
    let shipped = match (&reference.external_id, &reference.name) {
        (Some(id), _) => Catalog::shipped().program_by_external_id(id),
        (None, Some(name)) => Catalog::shipped().program_by_name(name),
        (None, None) => None,
    };
    let key = match (shipped, &reference.external_id) {
        (Some(shipped), _) => program_key(shipped),
        (None, Some(id)) => format!("id:{id}"),
        (None, None) => format!("name:{}", fold(reference.name.as_deref().unwrap_or(""))),
    };
    (key, shipped)
}

/// The id of the program that a draft names.
pub(super) fn program_id(publisher: PublisherId, reference: &ProgramRef) -> Uuid {
    derive(
        publisher,
        Kind::Program,
        &format!("{SOURCE}\0{}", program_of(reference).0),
    )
}

/// The id of a user.
pub(super) fn user_id(publisher: PublisherId, space: &str, value: &str) -> Uuid {
    derive(publisher, Kind::User, &format!("{space}\0{value}"))
}

/// Replaces a described field when the stamp is newer, or equal with a larger value.
pub(super) fn describe<T: Ord + Clone>(
    held: &mut Option<T>,
    held_at: &mut i64,
    value: Option<&T>,
    at: i64,
) -> bool {
    let Some(value) = value else { return false };
    if (*held_at, held.as_ref()) >= (at, Some(value)) {
        return false;
    }
    let changed = held.as_ref() != Some(value);
    *held = Some(value.clone());
    let moved = *held_at != at;
    *held_at = at;
    changed || moved
}

/// Rows of a table by their ids.
pub(super) async fn known<E: EntityTrait>(
    tx: &WriteTx,
    publisher: PublisherId,
    table: &str,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<E::Model>, DbErr> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut rows = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM ")
            .push(table)
            .push(" t WHERE t.publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ").among("t.id", ids);
        rows.extend(tx.models::<E>(sql).await?);
    }
    Ok(rows)
}

/// A program to be brought, and the stamp of the state that names it.
pub(super) type SeenProgram<'a> = (&'a ProgramRef, i64);

/// Brings programs that the shipped catalogue does not know; tells whether a row was written.
pub(super) async fn write_programs<'a>(
    tx: &WriteTx,
    publisher: PublisherId,
    programs: impl IntoIterator<Item = SeenProgram<'a>>,
) -> Result<bool, DbErr> {
    let mut seen: BTreeMap<Uuid, (String, Vec<SeenProgram<'a>>)> = BTreeMap::new();
    for (program, at) in programs {
        let (key, shipped) = program_of(program);
        if shipped.is_none() {
            seen.entry(program_id(publisher, program))
                .or_insert_with(|| (key, Vec::new()))
                .1
                .push((program, at));
        }
    }
    if seen.is_empty() {
        return Ok(false);
    }
    let stored = known::<program::Entity>(tx, publisher, "programs", seen.keys().copied()).await?;
    let mut rows: HashMap<Uuid, program::Model> =
        stored.into_iter().map(|row| (row.id, row)).collect();
    let mut changed = Vec::new();
    for (id, (natural_key, programs)) in seen {
        let mut dirty = !rows.contains_key(&id);
        let external_id = programs
            .iter()
            .find_map(|(program, _)| program.external_id.clone());
        let row = rows.entry(id).or_insert_with(|| program::Model {
            publisher_id: publisher.0,
            id,
            source: SOURCE.to_owned(),
            natural_key,
            catalog_key: None,
            name: external_id
                .as_ref()
                .map_or_else(String::new, |id| format!("Program {id}")),
            external_id,
            name_folded: String::new(),
            currency: None,
            name_at_us: 0,
            status: None,
            connection_status: None,
            hold_days: None,
            max_hold_days: None,
            cookie_days: None,
            payment_days: None,
            countries: None,
            all_countries: None,
            described_at_us: None,
        });
        let mut held = Some(row.name.clone());
        for (program, at) in programs {
            let name = program.name.as_ref();
            dirty |= describe(&mut held, &mut row.name_at_us, name, at);
        }
        if dirty {
            row.name = held.unwrap_or_default();
            row.name_folded = fold(&row.name);
            changed.push(row.clone());
        }
    }
    insert(tx, &changed, Conflict::Replace).await?;
    Ok(!changed.is_empty())
}

/// A user to be brought: space, value, order instant.
pub(super) type SeenUser = (Uuid, String, String, i64);

/// Brings users; an earlier order lowers the first one seen. Tells whether a row was written.
pub(super) async fn write_users(
    tx: &WriteTx,
    publisher: PublisherId,
    seen: &[SeenUser],
) -> Result<bool, DbErr> {
    let mut rows: BTreeMap<Uuid, user::Model> = BTreeMap::new();
    for (id, space, value, at) in seen {
        let row = rows.entry(*id).or_insert_with(|| user::Model {
            publisher_id: publisher.0,
            id: *id,
            user_space: space.clone(),
            value: value.clone(),
            first_seen_us: *at,
        });
        row.first_seen_us = row.first_seen_us.min(*at);
    }
    let rows: Vec<user::Model> = rows.into_values().collect();
    Ok(insert(tx, &rows, Conflict::Lower("first_seen_us")).await? > 0)
}

/// The publisher's ad spaces, with those that a batch brings.
#[derive(Debug)]
pub(super) struct AdSpaces {
    publisher: PublisherId,
    rows: BTreeMap<Uuid, ad_space::Model>,
    /// Stored actions that moved to the ad space that their name turned out to be, with their statuses.
    pub(super) moved: BTreeMap<Uuid, String>,
    /// Whether a row was written.
    pub(super) is_changed: bool,
}

impl AdSpaces {
    /// Reads the ad spaces, brings new ones, and merges those that were known by name only with the id that arrived.
    pub(super) async fn bring(
        tx: &WriteTx,
        publisher: PublisherId,
        drafts: &[ActionDraft],
    ) -> Result<Self, DbErr> {
        let named: Vec<(&AdSpaceRef, i64)> = drafts
            .iter()
            .filter_map(|draft| {
                let reference = draft.ad_space.as_ref()?;
                Some((reference, draft.stamp.changed_at.micros()))
            })
            .collect();
        Self::load(tx, publisher).await?.add(tx, &named).await
    }

    /// Reads the ad spaces.
    pub(super) async fn load(tx: &WriteTx, publisher: PublisherId) -> Result<Self, DbErr> {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM ad_spaces t WHERE t.publisher_id = ")
            .bind(publisher.0);
        let stored = tx.models::<ad_space::Entity>(sql).await?;
        Ok(Self {
            publisher,
            rows: stored.into_iter().map(|row| (row.id, row)).collect(),
            moved: BTreeMap::new(),
            is_changed: false,
        })
    }

    /// Whether an ad space is known by this id and has this name already.
    pub(super) fn has(&self, reference: &AdSpaceRef) -> bool {
        reference.external_id.is_some()
            && self.rows.values().any(|row| {
                row.external_id == reference.external_id
                    && reference.name.as_ref().is_none_or(|name| *name == row.name)
            })
    }

    /// Brings ad spaces as they are named by states that are as new as the numbers say.
    pub(super) async fn add(
        mut self,
        tx: &WriteTx,
        named: &[(&AdSpaceRef, i64)],
    ) -> Result<Self, DbErr> {
        let before = self.rows.clone();
        // Ids first: a name of the same batch may belong to one.
        for (reference, at) in named {
            if reference.external_id.is_some() {
                self.see(reference, *at);
            }
        }
        for (reference, at) in named {
            self.see(reference, *at);
        }
        let merged = self.merge_names();
        let changed: Vec<ad_space::Model> = self
            .rows
            .values()
            .filter(|row| before.get(&row.id) != Some(*row))
            .cloned()
            .collect();
        insert(tx, &changed, Conflict::Replace).await?;
        self.is_changed = !changed.is_empty() || !merged.is_empty();
        for (old, new, is_other_rule) in merged {
            if before.contains_key(&old) {
                self.move_actions(tx, old, new).await?;
                super::users::move_ad_space(tx, self.publisher, (old, new), is_other_rule).await?;
                self.remove(tx, old).await?;
            }
        }
        Ok(self)
    }

    fn see(&mut self, reference: &AdSpaceRef, at: i64) {
        let id = self.id_of(reference);
        let publisher = self.publisher;
        let row = self.rows.entry(id).or_insert_with(|| ad_space::Model {
            publisher_id: publisher.0,
            id,
            source: SOURCE.to_owned(),
            natural_key: natural_key(reference),
            external_id: reference.external_id.clone(),
            name: reference
                .external_id
                .as_ref()
                .map_or_else(String::new, |id| format!("Ad space {id}")),
            name_folded: String::new(),
            user_space: USER_SPACE.to_owned(),
            user_subid_slot: i32::try_from(USER_SLOT).unwrap_or(1),
            name_at_us: 0,
        });
        name_space(row, reference.name.as_ref(), at);
    }

    /// The id of the ad space that a draft names: by its id, else the one with an id that has the name, else by name.
    pub(super) fn id_of(&self, reference: &AdSpaceRef) -> Uuid {
        if reference.external_id.is_none()
            && let Some(name) = &reference.name
        {
            let folded = fold(name);
            let with_id = self
                .rows
                .values()
                .filter(|row| row.external_id.is_some() && row.name_folded == folded)
                .min_by(|a, b| a.external_id.cmp(&b.external_id));
            if let Some(row) = with_id {
                return row.id;
            }
        }
        derive(
            self.publisher,
            Kind::AdSpace,
            &format!("{SOURCE}\0{}", natural_key(reference)),
        )
    }

    /// Removes the ad spaces known by name only whose name one with an id has now, which inherits what describes them;
    /// gives old and new ids, and whether they named their users otherwise.
    fn merge_names(&mut self) -> Vec<(Uuid, Uuid, bool)> {
        let by_name: Vec<ad_space::Model> = self
            .rows
            .values()
            .filter(|row| row.external_id.is_none())
            .cloned()
            .collect();
        let mut merged = Vec::new();
        for old in by_name {
            let new = self.id_of(&AdSpaceRef {
                external_id: None,
                name: Some(old.name.clone()),
            });
            if new == old.id {
                continue;
            }
            self.rows.remove(&old.id);
            let mut is_other_rule = false;
            if let Some(row) = self.rows.get_mut(&new) {
                name_space(row, Some(&old.name), old.name_at_us);
                is_other_rule = inherit_rule(row, &old);
            }
            merged.push((old.id, new, is_other_rule));
        }
        merged
    }

    /// Moves the actions of one ad space to another, and what else hangs on it.
    async fn move_actions(&mut self, tx: &WriteTx, old: Uuid, new: Uuid) -> Result<(), DbErr> {
        let mut sql = tx.sql();
        sql.push("SELECT id, status FROM actions WHERE publisher_id = ")
            .bind(self.publisher.0)
            .push(" AND ad_space_id = ")
            .bind(old);
        for row in tx.rows(sql).await? {
            self.moved
                .insert(row.try_get("", "id")?, row.try_get("", "status")?);
        }
        let mut sql = tx.sql();
        sql.push("UPDATE actions SET ad_space_id = ")
            .bind(new)
            .push(" WHERE publisher_id = ");
        sql.bind(self.publisher.0)
            .push(" AND ad_space_id = ")
            .bind(old);
        tx.execute(sql).await?;
        for table in ["tombstones", "adjustments"] {
            let mut sql = tx.sql();
            sql.push(&format!("UPDATE {table} SET ad_space_id = "))
                .bind(new)
                .push(" WHERE publisher_id = ");
            sql.bind(self.publisher.0)
                .push(" AND ad_space_id = ")
                .bind(old);
            tx.execute(sql).await?;
        }
        super::totals::move_ad_space(tx, self.publisher, old, new).await?;
        super::deeplinks::move_ad_space(tx, self.publisher, old, new).await
    }

    /// Removes an ad space that nothing hangs on.
    async fn remove(&self, tx: &WriteTx, old: Uuid) -> Result<(), DbErr> {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ad_spaces WHERE publisher_id = ")
            .bind(self.publisher.0);
        sql.push(" AND id = ").bind(old);
        tx.execute(sql).await.map(|_| ())
    }

    /// The user space of an ad space and which SubID names its users.
    pub(super) fn user_rule(&self, ad_space: Option<Uuid>) -> (&str, usize) {
        let row = ad_space.and_then(|id| self.rows.get(&id));
        row.map_or((USER_SPACE, USER_SLOT), |row| {
            (
                row.user_space.as_str(),
                usize::try_from(row.user_subid_slot).unwrap_or(USER_SLOT),
            )
        })
    }
}

/// Lets an ad space whose users are named as usual name them as the one does that it is merged with; tells whether the
/// actions of both are named otherwise.
fn inherit_rule(row: &mut ad_space::Model, old: &ad_space::Model) -> bool {
    let rule = |row: &ad_space::Model| (row.user_space.clone(), row.user_subid_slot);
    if rule(row) == rule(old) {
        return false;
    }
    let usual = (USER_SPACE.to_owned(), i32::try_from(USER_SLOT).unwrap_or(1));
    if rule(row) == usual {
        row.user_space.clone_from(&old.user_space);
        row.user_subid_slot = old.user_subid_slot;
    }
    true
}

/// Names an ad space as a state says that is as new as `at`.
fn name_space(row: &mut ad_space::Model, name: Option<&String>, at: i64) {
    let mut held = Some(row.name.clone());
    describe(&mut held, &mut row.name_at_us, name, at);
    row.name = held.unwrap_or_default();
    row.name_folded = fold(&row.name);
}

fn natural_key(reference: &AdSpaceRef) -> String {
    match &reference.external_id {
        Some(id) => format!("id:{id}"),
        None => format!("name:{}", fold(reference.name.as_deref().unwrap_or(""))),
    }
}
