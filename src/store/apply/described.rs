//! What the network tells of ad spaces and programs beside the actions: written like facts, in one transaction under
//! the publisher's lock.

use super::super::connect::Store;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::dimensions::{self, AdSpaces, Moves, program_id, program_of};
use super::{ReadRecords, lock, raise_version};
use crate::domain::action::SOURCE;
use crate::domain::draft::{AdSpaceRef, ProgramDetails, ProgramRef};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::scope::WriteScope;
use crate::domain::sync::SyncStep;
use crate::domain::text::fold;
use crate::domain::time::Instant;
use entity::program;
use sea_orm::DbErr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How the publisher stands with a program that it takes part in.
const TAKES_PART: &str = "active";

/// Descriptions to be written.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// Ad spaces with their ids; one that is known by the name only is merged with its id.
    pub ad_spaces: &'a [AdSpaceRef],
    /// Programs. Those are kept that the publisher has actions of, or takes part in: the network lists all it has.
    pub programs: &'a [ProgramDetails],
    /// The records that said so, and the run they belong to.
    pub records: ReadRecords<'a>,
    /// How far a sync has come with these rows.
    pub sync: Option<&'a SyncStep>,
    /// The present: when they were observed.
    pub now: Instant,
}

/// Writes descriptions: all of them or nothing. Gives whether something changed; what is known already changes nothing.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn describe(store: &Store, scope: WriteScope, described: Described<'_>) -> Result<bool> {
    store
        .write(async |tx| describe_in(tx, scope.publisher(), described).await)
        .await
}

async fn describe_in(
    tx: &WriteTx,
    publisher: PublisherId,
    described: Described<'_>,
) -> Result<bool, DbErr> {
    let sequence = lock(tx, publisher).await?;
    let spaces = AdSpaces::load(tx, publisher).await?;
    let at = described.now.micros();
    let news: Vec<(&AdSpaceRef, i64)> = described
        .ad_spaces
        .iter()
        .filter(|space| !spaces.has(space, at))
        .map(|space| (space, at))
        .collect();
    let run = (described.records.run_id, described.now);
    let mut moves = Moves::new(publisher, sequence, run);
    let spaces = spaces.add(tx, &news, &mut moves).await?;
    let programs = write_programs(tx, publisher, described).await?;
    let is_changed = spaces.is_changed || programs > 0;
    if is_changed {
        raise_version(tx, publisher, moves.sequence, described.now).await?;
    }
    let (sync, now) = (described.sync, described.now);
    described.records.end(tx, publisher, sync, now).await?;
    Ok(is_changed)
}

async fn write_programs(
    tx: &WriteTx,
    publisher: PublisherId,
    described: Described<'_>,
) -> Result<u64, DbErr> {
    let mut told: BTreeMap<Uuid, (ProgramRef, &ProgramDetails)> = BTreeMap::new();
    for details in described.programs {
        let reference = ProgramRef {
            external_id: Some(details.external_id.clone()),
            name: details.name.clone(),
        };
        told.insert(program_id(publisher, &reference), (reference, details));
    }
    if told.is_empty() {
        return Ok(0);
    }
    let ids = told.keys().copied();
    let stored = dimensions::known::<program::Entity>(tx, publisher, "programs", ids).await?;
    let mut rows: HashMap<Uuid, program::Model> =
        stored.into_iter().map(|row| (row.id, row)).collect();
    let mut changed = Vec::new();
    for (id, (reference, details)) in told {
        let takes_part = details.connection_status.as_deref() == Some(TAKES_PART);
        let before = rows.remove(&id);
        let Some(mut row) = before
            .clone()
            .or_else(|| takes_part.then(|| fresh(publisher, id, &reference)))
        else {
            continue;
        };
        tell(&mut row, details, described.now);
        if before.as_ref() != Some(&row) {
            row.described_at_us = Some(described.now.micros());
            changed.push(row);
        }
    }
    insert(tx, &changed, Conflict::Replace).await
}

/// Codes as they are stored: each once, in order, with blanks between.
fn words(codes: &[String]) -> String {
    let codes: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    codes.join(" ")
}

fn fresh(publisher: PublisherId, id: Uuid, reference: &ProgramRef) -> program::Model {
    let (natural_key, _) = program_of(reference);
    let name = reference
        .external_id
        .as_ref()
        .map_or_else(String::new, |id| format!("Program {id}"));
    program::Model {
        publisher_id: publisher.0,
        id,
        source: SOURCE.to_owned(),
        natural_key,
        external_id: reference.external_id.clone(),
        catalog_key: None,
        name_folded: fold(&name),
        name,
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
    }
}

/// Takes over what is told; what is not told stays. A shipped program keeps its shipped name and currency.
fn tell(row: &mut program::Model, details: &ProgramDetails, now: Instant) {
    let is_shipped = row.catalog_key.is_some();
    if let Some(name) = details
        .name
        .as_ref()
        .filter(|name| !is_shipped && **name != row.name)
    {
        let mut held = Some(row.name.clone());
        dimensions::describe(&mut held, &mut row.name_at_us, Some(name), now.micros());
        row.name = held.unwrap_or_default();
        row.name_folded = fold(&row.name);
    }
    if let Some(currency) = details.currency.filter(|_| !is_shipped) {
        row.currency = Some(currency.as_str().to_owned());
    }
    let text = |told: &Option<String>, held: &mut Option<String>| {
        if told.is_some() {
            held.clone_from(told);
        }
    };
    text(&details.status, &mut row.status);
    text(&details.connection_status, &mut row.connection_status);
    row.hold_days = details.hold_days.or(row.hold_days);
    row.max_hold_days = details.max_hold_days.or(row.max_hold_days);
    row.cookie_days = details.cookie_days.or(row.cookie_days);
    row.payment_days = details.payment_days.or(row.payment_days);
    row.all_countries = details.all_countries.or(row.all_countries);
    if !details.countries.is_empty() {
        row.countries = Some(words(&details.countries));
    }
}
