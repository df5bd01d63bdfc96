//! `actiongraph feed`: brings product feeds in.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::accounts::find_or_create;
use super::import::{SOME_REJECTED, shown, slug, time, told};
use super::output::Output;
use super::progress::Bar;
use super::{Database, Failure, Outcome, block_on, migrate, now, open};
use crate::clock::Clock;
use crate::domain::feed::FeedSource;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::ingest::feed::import_feed;

/// What can be done with product feeds.
#[derive(Subcommand)]
pub(super) enum FeedCommand {
    /// Store what a product feed (YML or CSV, also gzipped) says of products, categories and offers
    Import(ImportArgs),
}

/// Flags of `feed import`.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// The feed: a YML file (<yml_catalog>), or CSV with the columns id or url, and name
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose products they are: a name such as my-blog; it is created when it is new
    #[arg(long, value_name = "NAME", value_parser = slug)]
    publisher: String,
    /// What the feed is called: one of the same name follows it, and takes away what it no longer has [default: the
    /// file's name]
    #[arg(long, value_name = "FEED", value_parser = feed_name)]
    feed: Option<String>,
    /// It is a feed of hot products: what it has is hot, as long as the feed has it
    #[arg(long)]
    hot: bool,
    /// It has changes only (as with `last_import`): what it does not have stays
    #[arg(long)]
    changes_only: bool,
    /// When it was taken, such as 2026-05-03T10:00:00Z; an older one never replaces a newer one [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Instant>,
    #[command(flatten)]
    database: Database,
}

fn feed_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if (1..=200).contains(&name.chars().count()) && !name.contains('\0') {
        return Ok(name.to_owned());
    }
    Err("the name of a feed has 1 to 200 characters".to_owned())
}

pub(super) fn run(command: &FeedCommand, output: &Output) -> Outcome {
    match command {
        FeedCommand::Import(args) => import(args, output),
    }
}

fn import(args: &ImportArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    let file = shown(&args.file);
    let name = args.feed.clone().map_or_else(|| feed_name(&file), Ok);
    let name = name.map_err(Failure::usage)?;
    block_on(async {
        if !args.file.is_file() {
            let message = format!("{} is no file that can be read", args.file.display());
            return Err(Failure::new(message));
        }
        let store = open(&settings).await?;
        migrate(&store, output).await?;
        let clock = Clock::system();
        let publisher = find_or_create(&store, &args.publisher, now(&clock), &|text| {
            output.note(text);
        })
        .await?;
        let source = FeedSource {
            name,
            is_hot: args.hot,
            is_whole: !args.changes_only,
            observed_at: args.as_of.unwrap_or_else(|| now(&clock)),
        };
        let scope = WriteScope::for_entrance(publisher.id);
        let asked = || now(&clock);
        let mut bar = Bar::new(output, &file, None);
        let feed = (file.as_str(), &source);
        let report = import_feed(&store, scope, &args.file, feed, &asked, &mut bar).await?;
        output.line(&told(&file, &publisher, &store.describe(), &report))?;
        store.close().await;
        Ok(if report.rejected == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(SOME_REJECTED)
        })
    })
}
