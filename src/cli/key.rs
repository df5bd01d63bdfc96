//! `actiongraph key`: makes, lists and revokes API keys.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::{Database, Failure, Outcome, block_on, now, open, publisher};
use crate::access::key;
use crate::clock::Clock;
use crate::domain::scope::{KeyScope, Publisher, WriteScope};
use crate::domain::time::Instant;
use crate::store::keys::{self, NewKey};
use crate::store::{Store, publishers};

/// What can be done with keys.
#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key for a publisher; it is shown once
    Create(CreateArgs),
    /// List keys, without their secrets
    List(ListArgs),
    /// Revoke a key; running servers stop taking it within five seconds
    Revoke(RevokeArgs),
}

/// Flags of `key create`.
#[derive(Args)]
pub(super) struct CreateArgs {
    /// Whose data the key is for
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// What the key is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// What it may do: read, import, segments; several times for several
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope, default_value = "read")]
    scopes: Vec<KeyScope>,
    #[command(flatten)]
    database: Database,
}

/// Flags of `key list`.
#[derive(Args)]
pub(super) struct ListArgs {
    /// Only this publisher's keys
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Flags of `key revoke`.
#[derive(Args)]
pub(super) struct RevokeArgs {
    /// The key's public part, as `key list` shows it (or the whole key)
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    database: Database,
}

fn scope(text: &str) -> Result<KeyScope, String> {
    KeyScope::parse(text).ok_or_else(|| {
        let words: Vec<&str> = KeyScope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!(
            "there is no scope {text:?}; there are {}",
            words.join(" and ")
        )
    })
}

pub(super) fn run(command: &KeyCommand, output: &Output) -> Outcome {
    match command {
        KeyCommand::Create(args) => create(args, output),
        KeyCommand::List(args) => list(args, output),
        KeyCommand::Revoke(args) => revoke(args, output),
    }
}

fn create(args: &CreateArgs, output: &Output) -> Outcome {
    if args.label.chars().count() > 200 {
        return Err(Failure::usage("a label has at most 200 letters"));
    }
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let secret = make(
            &store,
            &publisher,
            (&args.label, &args.scopes),
            now(&Clock::system()),
        )
        .await?;
        output.note(&format!(
            "A key for {}. It is shown this once: keep it like a password, and send it as `Authorization: Bearer KEY`.",
            publisher.slug
        ));
        output.line(&secret)?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Makes and stores a key; answers its secret.
pub(super) async fn make(
    store: &Store,
    publisher: &Publisher,
    (label, scopes): (&str, &[KeyScope]),
    now: Instant,
) -> Result<String, Failure> {
    let random = |error| Failure::new(format!("the system gives no randomness: {error}"));
    let key = key::make().map_err(random)?;
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    let new = NewKey {
        id: key::new_id(millis).map_err(random)?,
        prefix: &key.prefix,
        hash: &key.hash,
        label,
        scopes,
    };
    keys::insert(store, WriteScope::for_entrance(publisher.id), new, now).await?;
    Ok(key.secret)
}

fn list(args: &ListArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let listed = match &args.publisher {
            Some(slug) => vec![publisher(&store, slug).await?],
            None => publishers::list(&store).await?,
        };
        let mut rows = Vec::new();
        for publisher in listed {
            let scope = WriteScope::for_entrance(publisher.id).read();
            for key in keys::list(&store, scope).await? {
                let revoked = key
                    .revoked_at
                    .map_or_else(|| "-".to_owned(), Instant::to_rfc3339);
                let created = key.created_at.to_rfc3339();
                rows.push(vec![
                    key.prefix,
                    publisher.slug.clone(),
                    created,
                    revoked,
                    KeyScope::print(&key.scopes),
                    key.label,
                ]);
            }
        }
        if rows.is_empty() {
            output.note("No keys. `actiongraph key create --publisher NAME` makes one.");
        } else {
            output.print(&table(
                &["KEY", "PUBLISHER", "CREATED", "REVOKED", "SCOPES", "LABEL"],
                &rows,
            ))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn revoke(args: &RevokeArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    // A whole key may be given too; only its public part is used.
    let text = args.key.trim();
    let prefix = key::prefix_of(text).unwrap_or_else(|| text.strip_prefix("ag_").unwrap_or(text));
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let found = keys::by_prefix(&store, prefix).await?;
        if found.is_empty() {
            return Err(Failure::new(format!("no such key: {prefix}"))
                .hint("`actiongraph key list` shows all keys by their public part."));
        }
        let now = now(&Clock::system());
        let mut revoked = false;
        for key in found {
            let scope = WriteScope::for_entrance(key.publisher.id);
            revoked |= keys::revoke(&store, scope, &key.prefix, now).await?;
        }
        let words = if revoked {
            "is revoked"
        } else {
            "was revoked before"
        };
        output.line(&format!("{prefix} {words}."))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
