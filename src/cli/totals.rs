//! `actiongraph verify` and `actiongraph rebuild`: do the totals equal the facts, and making them anew.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, table, thousands};
use super::progress::Steps;
use super::{Database, Failure, Outcome, block_on, now, open_for_long, publisher, told_to_stop};
use crate::clock::Clock;
use crate::domain::scope::{Publisher, WriteScope};
use crate::domain::time::{Day, Span, Zone, end_of_day, start_of_day};
use crate::store::{ReadTx, Store, publishers, totals};

/// Flags of `verify`.
#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Whose totals [default: every publisher's]
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    /// Only what holds this UTC day and later ones, such as 2026-05-01; then lifetimes of products and users, which are of
    /// no day, are left out
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Day>,
    /// Only what holds this UTC day and earlier ones, likewise
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Day>,
    #[command(flatten)]
    database: Database,
}

/// Flags of `rebuild`.
#[derive(Args)]
pub(super) struct RebuildArgs {
    /// Whose totals [default: every publisher's]
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    /// Begin with the first slice, also if an earlier rebuild was stopped half-way
    #[arg(long)]
    afresh: bool,
    #[command(flatten)]
    database: Database,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).map_err(|error| error.to_string())
}

async fn chosen(store: &Store, slug: Option<&str>) -> Result<Vec<Publisher>, Failure> {
    match slug {
        Some(slug) => Ok(vec![publisher(store, slug).await?]),
        None => Ok(publishers::list(store).await?),
    }
}

pub(super) fn verify(args: &VerifyArgs, output: &Output) -> Outcome {
    let span = match (args.from, args.to) {
        (None, None) => None,
        (from, to) => {
            let (from, to) = (from.unwrap_or(Day::MIN), to.unwrap_or(Day::MAX));
            let span = Span::new(start_of_day(from, Zone::UTC), end_of_day(to, Zone::UTC));
            Some(span.map_err(|error| Failure::usage(error.to_string()))?)
        }
    };
    let settings = args.database.settings()?;
    block_on(async {
        let store = open_for_long(&settings).await?;
        store.is_ready().await?;
        let work = verify_all(args, span, &store, output);
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = told_to_stop() => Err(Failure::new("stopped; what was looked at until now is in order")),
        };
        store.close().await;
        outcome
    })
}

async fn verify_all(
    args: &VerifyArgs,
    span: Option<Span>,
    store: &Store,
    output: &Output,
) -> Outcome {
    let mut wrong = Vec::new();
    for publisher in chosen(store, args.publisher.as_deref()).await? {
        let tx = ReadTx::new(store);
        let slices = totals::slices(&tx, publisher.id, span).await?;
        let mut steps = Steps::new(output, &format!("{}: verifying", publisher.slug));
        let mut found: Vec<Vec<String>> = Vec::new();
        for (place, slice) in slices.iter().enumerate() {
            // Each slice in a transaction of its own: writers go on meanwhile.
            let tx = ReadTx::new(store);
            for drift in totals::verify(&tx, publisher.id, *slice).await? {
                let rows = thousands(u64::try_from(drift.rows).unwrap_or(0));
                let example = drift.examples.into_iter().next().unwrap_or_default();
                found.push(vec![drift.table.to_owned(), rows, example]);
            }
            steps.advanced(place + 1, slices.len());
        }
        drop(steps);
        let count = thousands(u64::try_from(slices.len()).unwrap_or(u64::MAX));
        if found.is_empty() {
            output.line(&format!(
                "{}: totals equal the facts ({count} slices)",
                publisher.slug
            ))?;
            if span.is_some() {
                output.line("Lifetimes of products and users are of no day and were left out; without --from and --to they are compared, too.")?;
            }
        } else {
            output.line(&format!("{}: totals differ from the facts", publisher.slug))?;
            output.print(&table(&["table", "rows", "for example"], &found))?;
            let is_half_way = totals::is_half_way(&ReadTx::new(store), publisher.id).await?;
            wrong.push((publisher.slug, is_half_way));
        }
    }
    match wrong.first() {
        None => Ok(ExitCode::SUCCESS),
        Some((first, is_half_way)) => {
            // One that was stopped would go on where it was, and pass over what is wrong before.
            let afresh = if *is_half_way { " --afresh" } else { "" };
            Err(Failure::new("some totals are wrong").hint(format!(
                "`actiongraph rebuild --publisher {first}{afresh}` makes them anew while the server goes on."
            )))
        }
    }
}

pub(super) fn rebuild(args: &RebuildArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open_for_long(&settings).await?;
        store.is_ready().await?;
        let work = rebuild_all(args, &store, output);
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = told_to_stop() => Err(Failure::new("stopped")
                .hint("What was rebuilt so far stays. Run the same command again for the rest.")),
        };
        store.close().await;
        outcome
    })
}

async fn rebuild_all(args: &RebuildArgs, store: &Store, output: &Output) -> Outcome {
    let now = now(&Clock::system());
    for publisher in chosen(store, args.publisher.as_deref()).await? {
        let mut steps = Steps::new(output, &format!("{}: rebuilding", publisher.slug));
        let scope = WriteScope::for_entrance(publisher.id);
        let manner = totals::Manner {
            afresh: args.afresh,
            ..totals::Manner::default()
        };
        let finished = totals::rebuild(store, scope, now, manner, |rebuilt| {
            steps.advanced(rebuilt.done, rebuilt.of);
        })
        .await?;
        drop(steps);
        let number = |count: usize| thousands(u64::try_from(count).unwrap_or(u64::MAX));
        let done = match finished.passed_over {
            0 => format!("{} slices", number(finished.slices)),
            before => format!(
                "went on at slice {} of {}; those before are of the rebuild that was stopped, --afresh makes them anew, too",
                number(before + 1),
                number(finished.slices)
            ),
        };
        output.line(&format!(
            "{}: totals rebuilt from the facts ({done})",
            publisher.slug
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
