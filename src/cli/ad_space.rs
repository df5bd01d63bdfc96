//! `actiongraph ad-space`: what an ad space was called, where nothing tells it.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::Output;
use super::{Database, Failure, Outcome, block_on, now, open, publisher};
use crate::access::keys::Administrator;
use crate::clock::Clock;
use crate::domain::scope::WriteScope;
use crate::store::apply::names::{Named, name};
use crate::store::{ReadTx, ad_spaces};

/// What can be done with ad spaces.
#[derive(Subcommand)]
pub(super) enum AdSpaceCommand {
    /// Say that a name belongs to an ad space: actions that are known by the name only become its own
    Alias(AliasArgs),
}

/// Flags of `ad-space alias`.
#[derive(Args)]
pub(super) struct AliasArgs {
    /// Whose ad space
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// Its id at Admitad
    #[arg(long, value_name = "ID")]
    ad_space: String,
    /// What it was called
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(command: &AdSpaceCommand, output: &Output) -> Outcome {
    match command {
        AdSpaceCommand::Alias(args) => alias(args, output),
    }
}

fn alias(args: &AliasArgs, output: &Output) -> Outcome {
    let (id, named) = (args.ad_space.trim(), args.name.trim());
    if named.is_empty() || named.chars().count() > 200 {
        return Err(Failure::usage("a name has 1 to 200 letters"));
    }
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let scope = WriteScope::for_entrance(publisher.id);
        let who = Administrator::command_line(publisher.id, now(&Clock::system()));
        let words = match name(&store, scope, (id, named), &who.note()?).await? {
            Named::NoAdSpace => {
                let all = ad_spaces::all(&ReadTx::new(&store), scope.read()).await?;
                let known: Vec<String> =
                    all.into_iter().filter_map(|row| row.external_id).collect();
                return Err(Failure::new(format!("no ad space has the id {id}"))
                    .hint(format!("Known ids: {}.", known.join(", "))));
            }
            Named::Same => "was a name of it before".to_owned(),
            Named::Added {
                leads_here: false, ..
            } => "is a name of it now, but leads to another ad space that has it, too".to_owned(),
            Named::Added { moved, .. } => {
                format!("is a name of it now: {moved} actions moved to it")
            }
        };
        output.line(&format!("Ad space {id}: {named:?} {words}."))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
