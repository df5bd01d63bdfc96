//! From the accounts of the settings to syncs that can be stepped: their publishers are found or made.

use super::{Failure, now};
use crate::clock::Clock;
use crate::domain::money::Currency;
use crate::domain::scope::{Publisher, WriteScope};
use crate::domain::time::{Instant, Zone};
use crate::ingest::admitad::Budgets;
use crate::ingest::admitad::client::TIMEOUT;
use crate::ingest::admitad::tick::{Setup, Sync};
use crate::settings::Settings;
use crate::store::{Store, publishers, sync};
use std::collections::BTreeMap;
use std::time::Duration;

/// The pace where the settings say never and somebody reads by hand.
const USUAL: Duration = Duration::from_secs(150);

/// The syncs of the configured accounts, or of those called `name`; none where the settings say never and no name is
/// given.
pub(super) async fn syncs(
    store: &Store,
    settings: &Settings,
    clock: &Clock,
    name: Option<&Wanted>,
    tell: &dyn Fn(&str),
) -> Result<Vec<Sync>, Failure> {
    if name.is_none() && settings.sync_every.is_none() {
        return Ok(Vec::new());
    }
    let mut syncs = Vec::new();
    let mut budgets = Budgets::default();
    for account in &settings.accounts {
        let is_wanted = match name {
            Some(Wanted::Called(name)) => {
                account.name == *name || format!("{}/{}", account.publisher, account.name) == *name
            }
            Some(Wanted::All) | None => true,
        };
        if !is_wanted {
            continue;
        }
        let publisher = find_or_create(store, &account.publisher, now(clock), tell).await?;
        let setup = Setup {
            name: account.name.clone(),
            base_url: account.base_url.clone(),
            client_id: account.client_id.clone(),
            client_secret: account.client_secret.clone(),
            offset_minutes: account.offset_minutes,
            since: account.since,
            every: settings.sync_every.unwrap_or(USUAL),
            timeout: TIMEOUT,
            hosts: settings.links.hosts.clone(),
        };
        let budget = budgets.of(&setup.base_url, &setup.client_id);
        syncs.push(Sync::new(store, &publisher, &setup, now(clock))?.with_budget(budget));
    }
    retire(store, settings, &syncs, now(clock)).await?;
    Ok(syncs)
}

/// Retires what was fetched of these accounts' publishers under names that are configured no more. Of publishers without
/// an account here nothing is known: another server may have them.
async fn retire(
    store: &Store,
    settings: &Settings,
    syncs: &[Sync],
    now: Instant,
) -> Result<(), Failure> {
    let publishers: BTreeMap<&str, &Publisher> = syncs
        .iter()
        .map(|sync| (sync.publisher().slug.as_str(), sync.publisher()))
        .collect();
    for (slug, publisher) in publishers {
        let of_it = settings
            .accounts
            .iter()
            .filter(|account| account.publisher == slug);
        let names: Vec<(String, String)> = of_it
            .map(|account| (account.name.clone(), account.client_id.clone()))
            .collect();
        let scope = WriteScope::for_entrance(publisher.id);
        let retired = sync::retire(store, scope, &names, now).await?;
        if retired > 0 {
            tracing::info!(
                publisher = slug,
                accounts = retired,
                "accounts that are configured no more are left alone; what they brought stays"
            );
        }
    }
    Ok(())
}

/// Which accounts somebody asks for by hand.
pub(super) enum Wanted {
    /// All of them.
    All,
    /// Those with a name, or the one with the name of its publisher before it.
    Called(String),
}

/// The publisher called `slug`, made where there is none.
pub(super) async fn find_or_create(
    store: &Store,
    slug: &str,
    now: Instant,
    tell: &dyn Fn(&str),
) -> Result<Publisher, Failure> {
    if let Some(publisher) = publishers::find(store, slug).await? {
        return Ok(publisher);
    }
    let publisher = publishers::create(store, slug, slug, Zone::UTC, Currency::USD, now).await?;
    tell(&format!(
        "New publisher {slug}: time zone UTC, main currency USD. `actiongraph key create --publisher {slug}` makes a key."
    ));
    Ok(publisher)
}
