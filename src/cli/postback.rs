//! `actiongraph postback`: makes, lists and revokes the addresses that Admitad sends postbacks to.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::{Database, Failure, Outcome, block_on, now, open, publisher};
use crate::access::key;
use crate::access::keys::Administrator;
use crate::clock::Clock;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::ingest::postback::DOCUMENTED;
use crate::store::postback_secrets::{self, NewSecret};
use crate::store::publishers;

/// What can be done with the addresses of postbacks.
#[derive(Subcommand)]
pub(super) enum PostbackCommand {
    /// Make an address for a publisher's postbacks; it is shown once
    Create(CreateArgs),
    /// List addresses, without their secrets
    List(ListArgs),
    /// Revoke an address; running servers stop taking it within five seconds
    Revoke(RevokeArgs),
}

/// Flags of `postback create`.
#[derive(Args)]
pub(super) struct CreateArgs {
    /// Whose actions come in
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// What the address is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// The ad space of postbacks that name none
    #[arg(long, value_name = "NAME")]
    ad_space: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Flags of `postback list`.
#[derive(Args)]
pub(super) struct ListArgs {
    /// Only this publisher's addresses
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Flags of `postback revoke`.
#[derive(Args)]
pub(super) struct RevokeArgs {
    /// The secret's public part, as `postback list` shows it (or the whole secret or address)
    #[arg(value_name = "SECRET")]
    secret: String,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(command: &PostbackCommand, output: &Output) -> Outcome {
    match command {
        PostbackCommand::Create(args) => create(args, output),
        PostbackCommand::List(args) => list(args, output),
        PostbackCommand::Revoke(args) => revoke(args, output),
    }
}

fn create(args: &CreateArgs, output: &Output) -> Outcome {
    let ad_space = args.ad_space.as_deref().map(str::trim);
    for text in [Some(args.label.as_str()), ad_space].into_iter().flatten() {
        if text.chars().count() > 200 {
            return Err(Failure::usage(
                "a label and an ad space have at most 200 letters",
            ));
        }
    }
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let random = |error| Failure::new(format!("the system gives no randomness: {error}"));
        let made = key::make_postback().map_err(random)?;
        let now = now(&Clock::system());
        let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
        let new = NewSecret {
            id: key::new_id(millis).map_err(random)?,
            prefix: &made.prefix,
            hash: &made.hash,
            label: &args.label,
            ad_space: ad_space.filter(|name| !name.is_empty()),
        };
        let scope = WriteScope::for_entrance(publisher.id);
        let who = Administrator::command_line(publisher.id, now);
        postback_secrets::insert(&store, scope, new, &who.note()?).await?;
        output.note(&told(&publisher.slug));
        output.line(&format!("https://YOUR-HOST/postback/{}", made.secret))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What to do with a new address.
fn told(slug: &str) -> String {
    format!(
        "The address for postbacks of {slug}. It is shown this once: whoever knows it can send actions.\n\
         In Admitad: Tools, Postback URL; paste it with your host in place of YOUR-HOST, choose GET or POST, the simple \
         mode, and all statuses. Admitad then sends:\n  {}\n\
         In the advanced mode keep these names, and at least admitad_id, offer_id, payment_status, payment_sum, currency \
         and time.",
        DOCUMENTED.join(", ")
    )
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
            for secret in postback_secrets::list(&store, scope).await? {
                let revoked = secret
                    .revoked_at
                    .map_or_else(|| "-".to_owned(), Instant::to_rfc3339);
                let created = secret.created_at.to_rfc3339();
                rows.push(vec![
                    secret.prefix,
                    publisher.slug.clone(),
                    created,
                    revoked,
                    secret.ad_space.unwrap_or_else(|| "-".to_owned()),
                    secret.label,
                ]);
            }
        }
        if rows.is_empty() {
            output.note(
                "No addresses for postbacks. `actiongraph postback create --publisher NAME` makes one.",
            );
        } else {
            output.print(&table(
                &[
                    "SECRET",
                    "PUBLISHER",
                    "CREATED",
                    "REVOKED",
                    "AD SPACE",
                    "LABEL",
                ],
                &rows,
            ))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn revoke(args: &RevokeArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    // The whole secret or address may be given too; only its public part is used.
    let text = args.secret.trim();
    let text = text.rsplit_once('/').map_or(text, |(_, secret)| secret);
    let prefix =
        key::postback_prefix_of(text).unwrap_or_else(|| text.strip_prefix("pb_").unwrap_or(text));
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let found = postback_secrets::by_prefix(&store, prefix).await?;
        if found.is_empty() {
            return Err(Failure::new(format!("no such address: {prefix}")).hint(
                "`actiongraph postback list` shows all addresses by the public part of their secret.",
            ));
        }
        let now = now(&Clock::system());
        let mut revoked = false;
        for secret in found {
            let scope = WriteScope::for_entrance(secret.publisher.id);
            let note = Administrator::command_line(secret.publisher.id, now).note()?;
            revoked |= postback_secrets::revoke(&store, scope, &secret.prefix, &note).await?;
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
