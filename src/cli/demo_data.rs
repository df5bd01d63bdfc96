//! The demo's database: kept from one start to the next, made anew when it is not whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::output::{Output, thousands};
use super::progress::Bar;
use super::{Failure, key, migrate, now};
use crate::access::keys::Administrator;
use crate::clock::Clock;
use crate::domain::deeplink::{Hosts, Template};
use crate::domain::id::{Kind, derive};
use crate::domain::key::KeyTerms;
use crate::domain::records::Program;
use crate::domain::scope::{KeyScope, Publisher, WriteScope};
use crate::domain::time::{DAY_US, Instant};
use crate::domain::traffic::DeeplinkSource;
use crate::ingest::demo;
use crate::ingest::pipeline::import_demo;
use crate::settings::is_sqlite;
use crate::store::apply::deeplinks;
use crate::store::keys::StoredKey;
use crate::store::{ReadTx, Store, ad_spaces, keys, programs, publishers};
use crate::telemetry::Metrics;

/// The label of the demo's own keys begins so and goes on with the time at which the data end. Such a key is made only
/// after everything was imported, so it is also the sign that the data are whole. The number changes with the data.
const MARK: &str = "demo data 4, until ";

/// When the data are called old, in microseconds: after a day.
const OLD: i64 = DAY_US;

/// What the demo serves.
pub(super) struct DemoData {
    /// The database.
    pub(super) store: Store,
    /// The publisher that callers on this machine read without a key.
    pub(super) first: Publisher,
    /// The publisher that needs one.
    pub(super) second: Publisher,
    /// Its key.
    pub(super) key: String,
}

/// Where the demo's data are.
pub(super) struct Home {
    /// The database.
    pub(super) url: String,
    /// Whether it is the demo's own file, which nobody else puts anything into.
    pub(super) is_own: bool,
}

/// Opens the demo's database, filled.
pub(super) async fn prepare(
    home: &Home,
    fresh: bool,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    output: &Output,
) -> Result<DemoData, Failure> {
    let is_there = !is_sqlite(&home.url) || files_of(&home.url).iter().any(|path| path.exists());
    let mut store = Store::open(&home.url).await?;
    if fresh && is_there {
        store = begin_anew(store, home).await?;
    }
    migrate(&store, output).await?;
    let mut whole = find_whole(&store).await?;
    if whole.is_none() {
        let known = publishers::list(&store).await?;
        check_own(&known)?;
        if !known.is_empty() {
            let words = "the demo's data are not whole: a start was interrupted, or they are of another version";
            if !home.is_own {
                return Err(
                    Failure::new(words).hint("`--fresh` throws them away and makes new ones.")
                );
            }
            output.note(&format!("Beginning anew: {words}."));
            store = begin_anew(store, home).await?;
            migrate(&store, output).await?;
        }
        let unhurried = store.patient(Duration::ZERO);
        fill(&unhurried, clock, metrics, output).await?;
        whole = find_whole(&store).await?;
    }
    let Some((first, second, marks)) = whole else {
        return Err(Failure::new("the demo's data could not be made"));
    };
    let now = now(clock);
    let end = marks.iter().find_map(end_of).unwrap_or(now);
    if now.micros() - end.micros() > OLD {
        output.note(&format!(
            "The demo's data end at {end}; `actiongraph demo --fresh` makes them end now."
        ));
    }
    // Keys are stored hashed, so one that can be printed has to be new. The old ones go when it is there.
    let secret = key::make(&store, &second, mark(end), now).await?;
    let who = Administrator::command_line(second.id, now);
    for StoredKey { key, .. } in marks.iter().filter(|mark| mark.key.revoked_at.is_none()) {
        who.revoke(&store, key, true).await?;
    }
    Ok(DemoData {
        store,
        first,
        second,
        key: secret,
    })
}

/// Both publishers, and the keys that say that all was imported; nothing if it was not.
async fn find_whole(
    store: &Store,
) -> Result<Option<(Publisher, Publisher, Vec<StoredKey>)>, Failure> {
    let mut found = Vec::new();
    for planned in demo::publishers() {
        found.extend(publishers::find(store, planned.slug).await?);
    }
    let mut found = found.into_iter();
    let (Some(first), Some(second)) = (found.next(), found.next()) else {
        return Ok(None);
    };
    let scope = WriteScope::for_entrance(second.id).read();
    let mut marks = keys::list(&ReadTx::new(store), scope).await?;
    marks.retain(|stored| stored.key.terms.label.starts_with(MARK));
    Ok((!marks.is_empty()).then_some((first, second, marks)))
}

fn end_of(mark: &StoredKey) -> Option<Instant> {
    Instant::parse_rfc3339(mark.key.terms.label.strip_prefix(MARK)?).ok()
}

/// The terms of the demo's own key.
fn mark(end: Instant) -> KeyTerms {
    KeyTerms {
        label: format!("{MARK}{end}"),
        // What its tabs of GraphiQL ask, those that define segments too.
        scopes: vec![KeyScope::Read, KeyScope::Segments],
        ..KeyTerms::default()
    }
}

/// A database with somebody's data in it is no place for a demo.
fn check_own(known: &[Publisher]) -> Result<(), Failure> {
    let planned = demo::publishers();
    let foreign = known
        .iter()
        .find(|known| !planned.iter().any(|planned| planned.slug == known.slug));
    match foreign {
        None => Ok(()),
        Some(foreign) => Err(Failure::new(format!(
            "this database holds data of {}; the demo wants one of its own",
            foreign.slug
        ))
        .hint("Name another: --database-url sqlite://PATH, or leave it out.")),
    }
}

/// Throws the database away, if there is nothing in it but the demo's, and opens a new one.
async fn begin_anew(store: Store, home: &Home) -> Result<Store, Failure> {
    if !home.is_own {
        // A file with other tables than ours may be anything.
        store.is_ready().await.map_err(|_| {
            Failure::new("this is no database of the demo, so it is not thrown away")
                .hint("Remove it yourself, or name another: --database-url sqlite://PATH")
        })?;
        check_own(&publishers::list(&store).await?)?;
    }
    store.close().await;
    if !is_sqlite(&home.url) {
        return Err(
            Failure::new("data in PostgreSQL are not thrown away by the demo")
                .hint("Empty the database yourself, or use SQLite: --database-url sqlite://PATH"),
        );
    }
    for path in files_of(&home.url) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(
                    Failure::new(format!("cannot remove {}: {error}", path.display()))
                        .hint("Is another demo running on it?"),
                );
            }
            _ => {}
        }
    }
    Ok(Store::open(&home.url).await?)
}

fn files_of(url: &str) -> Vec<PathBuf> {
    let rest = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .unwrap_or(url);
    let path = rest.split('?').next().unwrap_or(rest);
    let path = path
        .replace("%3F", "?")
        .replace("%23", "#")
        .replace("%25", "%");
    ["", "-wal", "-shm", "-journal"]
        .iter()
        .map(|end| PathBuf::from(format!("{path}{end}")))
        .collect()
}

async fn fill(
    store: &Store,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    output: &Output,
) -> Result<(), Failure> {
    let end = now(clock);
    output.note("Making demo data, once: two years of actions for two publishers.");
    let mut last = None;
    for (index, planned) in demo::publishers().into_iter().enumerate() {
        let publisher = match publishers::find(store, planned.slug).await? {
            Some(publisher) => publisher,
            None => {
                let (zone, currency) = (planned.zone, planned.currency);
                publishers::create(store, planned.slug, planned.name, zone, currency, end).await?
            }
        };
        let scope = WriteScope::for_entrance(publisher.id);
        let mut bar = Bar::new(output, planned.slug, None);
        let asked = || now(clock);
        let begun = clock.elapsed();
        let report = import_demo(store, scope, index, end, &asked, &mut bar).await?;
        drop(bar);
        link(store, &publisher, end).await?;
        metrics.imported("inserted", report.inserted);
        metrics.imported("updated", report.updated);
        metrics.imported("unchanged", report.unchanged);
        metrics.imported("stale", report.stale);
        metrics.imported("rejected", report.rejected);
        let seconds = clock.elapsed().saturating_sub(begun).as_secs();
        output.note(&format!(
            "  {}: {} records in {seconds} s",
            planned.slug,
            thousands(report.read)
        ));
        last = Some(publisher);
    }
    if let Some(last) = last {
        key::make(store, &last, mark(end), end).await?;
    }
    Ok(())
}

/// Gives the demo's first ad space templates of links, so that every product has one. The codes are nobody's.
async fn link(store: &Store, publisher: &Publisher, now: Instant) -> Result<(), Failure> {
    let scope = WriteScope::for_entrance(publisher.id);
    let tx = ReadTx::new(store);
    let programs = programs::all(&tx, scope.read()).await?;
    let spaces = ad_spaces::all(&tx, scope.read()).await?;
    drop(tx);
    let Some(space) = spaces.iter().min_by_key(|space| &space.external_id) else {
        return Ok(());
    };
    let shipped = |program: &&Program| program.catalog_key.as_deref() != Some("aliexpress-ru-cis");
    for program in programs.iter().filter(shipped) {
        let code = derive(
            publisher.id,
            Kind::State,
            &format!("deeplink {}", program.id),
        );
        let base = format!("https://ad.admitad.com/g/{}/", code.simple());
        let template = Template::new(&base, None, &[], &Hosts::default())?;
        let key = (space.id, program.id, DeeplinkSource::ByHand);
        let note = Administrator::command_line(publisher.id, now).note()?;
        deeplinks::set(store, scope, key, &template, (&program.name, &note)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_files_of_a_database_are_found_again() {
        let url = crate::settings::sqlite_url(Path::new("/a b/50%?#.db"));
        assert_eq!(files_of(&url)[0], Path::new("/a b/50%?#.db"));
        assert_eq!(files_of(&url)[1], Path::new("/a b/50%?#.db-wal"));
        assert_eq!(files_of("sqlite:x.db?mode=rwc")[0], Path::new("x.db"));
    }
}
