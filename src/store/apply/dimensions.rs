//! What facts hang on: programs, ad spaces and users, brought up to date before the facts. Categories and products are
//! in `goods`.
//!
//! Each describing field is the newest state's that had one; equal stamps are settled by the value, so the order of
//! arrival does not matter.

mod moves;

pub(super) use moves::Moves;

use super::super::listing::IDS;
use super::super::publishers::program_key;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use crate::domain::action::{SOURCE, SlotValue};
use crate::domain::catalog::{self, Catalog};
use crate::domain::draft::{ActionDraft, AdSpaceRef, ProgramRef};
use crate::domain::id::{Kind, PublisherId, derive};
use crate::domain::text::fold;
use entity::{ad_space, program, user};
use sea_orm::{DbErr, EntityTrait};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How users of an ad space that says nothing else are known.
pub(super) const USER_SPACE: &str = "default";
/// Which SubID names the user where an ad space says nothing else.
pub(super) const USER_SLOT: usize = 1;

/// How many names an ad space keeps of those that it was told by. Nobody renames one so often; who puts something else
/// into its name shall not make every import slower for ever.
const FORMER_NAMES: usize = 200;

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

/// The program that a draft names, as an action keeps it.
pub(super) fn told_program(publisher: PublisherId, reference: &ProgramRef) -> SlotValue {
    let id = program_id(publisher, reference);
    match reference.external_id {
        Some(_) => SlotValue::Id(id),
        None => SlotValue::Name { told: id, home: id },
    }
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

/// An ad space, with the names that it had.
#[derive(Clone, Debug)]
struct Space {
    row: ad_space::Model,
    /// Every name that was told with its id but the present one, folded.
    former: BTreeSet<String>,
}

/// The publisher's ad spaces, with those that a batch brings.
///
/// What is told by a name alone leads to the ad space with an id that has this name, else to one that ever had it; while
/// there is none, the name stands for an ad space of its own. Nothing that is told by a name changes an ad space with an id,
/// and what was told with an id only grows: so where a name leads depends on what was told, and not on what came first.
#[derive(Debug)]
pub(super) struct AdSpaces {
    publisher: PublisherId,
    spaces: BTreeMap<Uuid, Space>,
    /// Where names lead that were told with an id, by what they stand for by themselves.
    homes: BTreeMap<Uuid, Uuid>,
    /// Whether a row was written.
    pub(super) is_changed: bool,
}

impl AdSpaces {
    /// Reads the ad spaces, brings new ones, and merges those that were known by name only with the id that arrived.
    pub(super) async fn bring(
        tx: &WriteTx,
        publisher: PublisherId,
        drafts: &[ActionDraft],
        moves: &mut Moves,
    ) -> Result<Self, DbErr> {
        let named: Vec<(&AdSpaceRef, i64)> = drafts
            .iter()
            .filter_map(|draft| {
                let reference = draft.ad_space.as_ref()?;
                Some((reference, draft.stamp.changed_at.micros()))
            })
            .collect();
        let held = Self::load(tx, publisher).await?;
        held.add(tx, &named, moves).await
    }

    /// Reads the ad spaces.
    pub(super) async fn load(tx: &WriteTx, publisher: PublisherId) -> Result<Self, DbErr> {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM ad_spaces t WHERE t.publisher_id = ")
            .bind(publisher.0);
        let mut spaces = BTreeMap::new();
        for row in tx.models::<ad_space::Entity>(sql).await? {
            spaces.insert(row.id, Space::stored(row)?);
        }
        let mut loaded = Self {
            publisher,
            spaces,
            homes: BTreeMap::new(),
            is_changed: false,
        };
        loaded.homes = loaded.find_homes();
        Ok(loaded)
    }

    /// Whether an ad space is known by this id and has this name already, as new as `at`: an older one would give way to
    /// what was told between.
    pub(super) fn has(&self, reference: &AdSpaceRef, at: i64) -> bool {
        reference.external_id.is_some()
            && self.spaces.values().any(|space| {
                let is_new = space.is_named() && space.row.name_at_us >= at;
                let is_named = |name: &String| is_new && *name == space.row.name;
                space.row.external_id == reference.external_id
                    && reference.name.as_ref().is_none_or(is_named)
            })
    }

    /// Brings ad spaces as they are named by states that are as new as the numbers say.
    pub(super) async fn add(
        mut self,
        tx: &WriteTx,
        named: &[(&AdSpaceRef, i64)],
        moves: &mut Moves,
    ) -> Result<Self, DbErr> {
        let before = self.before();
        // Ids first: a name of the same batch may belong to one.
        let (with_id, by_name): (Vec<_>, Vec<_>) = named
            .iter()
            .partition(|(reference, _)| reference.external_id.is_some());
        for (reference, at) in with_id {
            self.see(reference, at);
        }
        self.homes = self.find_homes();
        for (reference, at) in by_name {
            self.see(reference, at);
        }
        self.settle(tx, before, moves).await?;
        Ok(self)
    }

    /// Says that a name belongs to the ad space with an id; gives that one's row, and whether that was news.
    pub(super) async fn name(
        &mut self,
        tx: &WriteTx,
        (external_id, name): (&str, &str),
        moves: &mut Moves,
    ) -> Result<Option<(ad_space::Model, bool)>, DbErr> {
        let before = self.before();
        let mut spaces = self.spaces.values_mut();
        let found = spaces.find(|space| space.row.external_id.as_deref() == Some(external_id));
        let Some(space) = found else { return Ok(None) };
        let folded = fold(name);
        let is_present = space.is_named() && space.row.name_folded == folded;
        let is_news = !is_present && space.former.insert(folded);
        space.print()?;
        let row = space.row.clone();
        self.homes = self.find_homes();
        self.settle(tx, before, moves).await?;
        Ok(Some((row, is_news)))
    }

    /// The rows and where names led, before something is told.
    fn before(&self) -> Before {
        let rows = self.spaces.iter();
        Before {
            rows: rows.map(|(id, space)| (*id, space.row.clone())).collect(),
            homes: self.homes.clone(),
        }
    }

    /// Writes what was told, and moves what was told by names to where they lead now.
    async fn settle(
        &mut self,
        tx: &WriteTx,
        before: Before,
        moves: &mut Moves,
    ) -> Result<(), DbErr> {
        let joined = self.join_names();
        let mut changed = Vec::new();
        for (id, space) in &mut self.spaces {
            space.print()?;
            if before.rows.get(id) != Some(&space.row) {
                changed.push(space.row.clone());
            }
        }
        insert(tx, &changed, Conflict::Replace).await?;
        let is_news = |row: &ad_space::Model| {
            let old = before.rows.get(&row.id);
            old.is_none_or(|old| content(old) != content(row))
        };
        self.is_changed = changed.iter().any(is_news) || !joined.is_empty();
        for (old, new, is_other_rule) in joined {
            self.join(tx, (old, new), moves).await?;
            super::users::move_ad_space(tx, self.publisher, (old, new), is_other_rule).await?;
            self.remove(tx, old).await?;
        }
        let led: Vec<(Uuid, Uuid, Uuid)> = self
            .homes
            .iter()
            .filter_map(|(told, new)| Some((*told, *before.homes.get(told)?, *new)))
            .filter(|(_, old, new)| old != new)
            .collect();
        for (told, old, new) in led {
            self.lead(tx, told, (old, new), moves).await?;
            self.is_changed = true;
        }
        Ok(())
    }

    fn see(&mut self, reference: &AdSpaceRef, at: i64) {
        let id = self.id_of(reference);
        let publisher = self.publisher;
        let space = self.spaces.entry(id).or_insert_with(|| {
            let name = reference
                .external_id
                .as_ref()
                .map_or_else(String::new, |id| format!("Ad space {id}"));
            Space::new(ad_space::Model {
                publisher_id: publisher.0,
                id,
                source: SOURCE.to_owned(),
                natural_key: natural_key(reference),
                external_id: reference.external_id.clone(),
                name_folded: fold(&name),
                name,
                user_space: USER_SPACE.to_owned(),
                user_subid_slot: i32::try_from(USER_SLOT).unwrap_or(1),
                name_at_us: 0,
                former_names: None,
            })
        });
        // A name that leads to an id says nothing new of it.
        if space.row.external_id == reference.external_id {
            space.call(reference.name.as_ref(), at);
        }
    }

    /// The id of the ad space that a draft names: by its id, else the one that its name leads to.
    pub(super) fn id_of(&self, reference: &AdSpaceRef) -> Uuid {
        let told = self.id_for_itself(reference);
        self.homes.get(&told).copied().unwrap_or(told)
    }

    /// What a draft names, as an action keeps it.
    pub(super) fn told(&self, reference: &AdSpaceRef) -> SlotValue {
        let home = self.id_of(reference);
        self.told_name(reference)
            .map_or(SlotValue::Id(home), |told| SlotValue::Name { told, home })
    }

    /// What a draft's name stands for by itself; none where it has an id.
    pub(super) fn told_name(&self, reference: &AdSpaceRef) -> Option<Uuid> {
        let is_name = reference.external_id.is_none();
        is_name.then(|| self.id_for_itself(reference))
    }

    fn id_for_itself(&self, reference: &AdSpaceRef) -> Uuid {
        id_of_key(self.publisher, &natural_key(reference))
    }

    /// Where names lead: to the ad space with an id that has the name now, else to one that had it; of several to the oldest
    /// one. Ids are numbers that count up, so that the shorter one of two is the older one.
    fn find_homes(&self) -> BTreeMap<Uuid, Uuid> {
        let mut found: BTreeMap<&str, (bool, usize, &str, Uuid)> = BTreeMap::new();
        for space in self.spaces.values() {
            let Some(external_id) = &space.row.external_id else {
                continue;
            };
            let present = space.is_named().then_some(&space.row.name_folded);
            let present = present.into_iter().map(|name| (false, name));
            let former = space.former.iter().map(|name| (true, name));
            for (is_former, name) in present.chain(former) {
                let place = (
                    is_former,
                    external_id.len(),
                    external_id.as_str(),
                    space.row.id,
                );
                let first = found.entry(name).or_insert(place);
                *first = place.min(*first);
            }
        }
        found
            .into_iter()
            .map(|(name, (.., id))| (id_of_key(self.publisher, &key_of_name(name)), id))
            .collect()
    }

    /// Removes the ad spaces known by name only whose name leads to one with an id now, which inherits how users are named;
    /// gives old and new ids, and whether they named their users otherwise.
    fn join_names(&mut self) -> Vec<(Uuid, Uuid, bool)> {
        let mut joined = Vec::new();
        for (old, new) in &self.homes {
            let Some(space) = self.spaces.remove(old) else {
                continue;
            };
            let row = self.spaces.get_mut(new).map(|space| &mut space.row);
            let is_other_rule = row.is_some_and(|row| inherit_rule(row, &space.row));
            joined.push((*old, *new, is_other_rule));
        }
        joined
    }

    /// The user space of an ad space and which SubID names its users.
    pub(super) fn user_rule(&self, ad_space: Option<Uuid>) -> (&str, usize) {
        let space = ad_space.and_then(|id| self.spaces.get(&id));
        space.map_or((USER_SPACE, USER_SLOT), |space| {
            (
                space.row.user_space.as_str(),
                usize::try_from(space.row.user_subid_slot).unwrap_or(USER_SLOT),
            )
        })
    }
}

/// What was there before something is told.
struct Before {
    rows: BTreeMap<Uuid, ad_space::Model>,
    homes: BTreeMap<Uuid, Uuid>,
}

impl Space {
    fn new(row: ad_space::Model) -> Self {
        Self {
            row,
            former: BTreeSet::new(),
        }
    }

    fn stored(row: ad_space::Model) -> Result<Self, DbErr> {
        let names = row.former_names.as_deref().map(serde_json::from_str);
        let former = names
            .transpose()
            .map_err(|error| DbErr::Custom(format!("ad_spaces.former_names: {error}")))?;
        Ok(Self {
            former: former.unwrap_or_default(),
            row,
        })
    }

    /// Puts the names into the row.
    fn print(&mut self) -> Result<(), DbErr> {
        let names = serde_json::to_string(&self.former);
        let names = names.map_err(|error| DbErr::Custom(error.to_string()))?;
        self.row.former_names = (!self.former.is_empty()).then_some(names);
        Ok(())
    }

    /// Whether somebody told its name; otherwise it is called by its id.
    fn is_named(&self) -> bool {
        self.row.name_at_us != 0
    }

    /// Names it as a state says that is as new as `at`. It keeps the name that is not the latest.
    fn call(&mut self, name: Option<&String>, at: i64) {
        let Some(name) = name else { return };
        if self.row.external_id.is_some() {
            let held = self.is_named().then(|| self.row.name_folded.clone());
            for name in held.into_iter().chain([fold(name)]) {
                if self.former.len() < FORMER_NAMES {
                    self.former.insert(name);
                }
            }
        }
        let mut held = Some(std::mem::take(&mut self.row.name));
        describe(&mut held, &mut self.row.name_at_us, Some(name), at);
        self.row.name = held.unwrap_or_default();
        self.row.name_folded = fold(&self.row.name);
        self.former.remove(&self.row.name_folded);
    }
}

/// What a reader can see of an ad space, and what decides where names lead: all but how new its name is.
fn content(row: &ad_space::Model) -> (&str, &Option<String>, &str, i32) {
    (
        &row.name,
        &row.former_names,
        &row.user_space,
        row.user_subid_slot,
    )
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

fn natural_key(reference: &AdSpaceRef) -> String {
    match &reference.external_id {
        Some(id) => format!("id:{id}"),
        None => key_of_name(&fold(reference.name.as_deref().unwrap_or(""))),
    }
}

fn key_of_name(folded: &str) -> String {
    format!("name:{folded}")
}

fn id_of_key(publisher: PublisherId, natural_key: &str) -> Uuid {
    derive(
        publisher,
        Kind::AdSpace,
        &format!("{SOURCE}\0{natural_key}"),
    )
}
