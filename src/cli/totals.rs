//! `actiongraph verify` and `actiongraph rebuild`: do the totals equal the facts, and making them anew.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, thousands};
use super::progress::Steps;
use super::{Database, Failure, Outcome, block_on, now, open_for_long, publisher, told_to_stop};
use crate::clock::Clock;
use crate::domain::error::{Code, Error};
use crate::domain::scope::{Publisher, WriteScope};
use crate::domain::time::{Day, Span, Zone, end_of_day, start_of_day};
use crate::store::totals::Drift;
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
        let mut findings = Findings::default();
        let work = verify_all(args, span, &store, output, &mut findings);
        let ended = tokio::select! {
            ended = work => Some(ended),
            () = told_to_stop() => None,
        };
        store.close().await;
        match ended {
            Some(Ok(())) => findings.outcome(),
            Some(Err(failure)) => {
                // What failed is the end of it, and not all that there is to say.
                if let Some(found) = findings.failure() {
                    output.note(&found.message);
                }
                Err(failure)
            }
            None => Err(findings.stopped()),
        }
    })
}

/// What verifying has found until now. It outlives the work, which ends in its midst where the command is stopped.
#[derive(Default)]
struct Findings {
    /// The publishers whose totals differ, and whether a rebuild of theirs was stopped.
    wrong: Vec<(String, bool)>,
    /// Slices that could not be compared.
    uncompared: usize,
}

impl Findings {
    /// What is not in order, as the end of the command.
    fn failure(&self) -> Option<Failure> {
        let slices = match self.uncompared {
            0 => None,
            1 => Some("1 slice could not be compared".to_owned()),
            more => Some(format!("{} slices could not be compared", number(more))),
        };
        let Some((first, is_half_way)) = self.wrong.first() else {
            return slices.map(Failure::new);
        };
        let message = match slices {
            None => "some totals are wrong".to_owned(),
            Some(slices) => format!("some totals are wrong, and {slices}"),
        };
        // One that was stopped would go on where it was, and pass over what is wrong before.
        let afresh = if *is_half_way { " --afresh" } else { "" };
        Some(Failure::new(message).hint(format!(
            "`actiongraph rebuild --publisher {first}{afresh}` makes them anew while the server goes on."
        )))
    }

    /// The end of a command that has looked at everything.
    fn outcome(&self) -> Outcome {
        self.failure().map_or(Ok(ExitCode::SUCCESS), Err)
    }

    /// The end of a command that was stopped.
    fn stopped(&self) -> Failure {
        match self.failure() {
            None => Failure::new("stopped; what was looked at until now is in order"),
            Some(found) => Failure {
                message: format!("stopped; of what was looked at, {}", found.message),
                ..found
            },
        }
    }
}

/// Verifies the chosen publishers, one after the other.
async fn verify_all(
    args: &VerifyArgs,
    span: Option<Span>,
    store: &Store,
    output: &Output,
    findings: &mut Findings,
) -> Result<(), Failure> {
    for publisher in chosen(store, args.publisher.as_deref()).await? {
        verify_one(&publisher, span, store, output, findings).await?;
    }
    Ok(())
}

/// Verifies a publisher. What differs is printed when it is found: the slices behind it can take hours.
async fn verify_one(
    publisher: &Publisher,
    span: Option<Span>,
    store: &Store,
    output: &Output,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let slug = &publisher.slug;
    let slices = totals::slices(&ReadTx::new(store), publisher.id, span).await?;
    let mut steps = Steps::new(output, &format!("{slug}: verifying"));
    let (mut wrong, mut uncompared) = (0, 0);
    for (place, slice) in slices.iter().enumerate() {
        // Each slice in a transaction of its own: writers go on meanwhile.
        let tx = ReadTx::new(store);
        let compared = totals::verify(&tx, publisher.id, *slice).await;
        drop(tx);
        match compared {
            Ok(drifts) if drifts.is_empty() => {}
            Ok(drifts) => {
                let say = |drift: &Drift| output.line(&told(slug, drift));
                steps.beside(|| drifts.iter().try_for_each(say))?;
                if wrong == 0 {
                    findings.wrong.push((slug.clone(), false));
                    let is_half_way =
                        totals::is_half_way(&ReadTx::new(store), publisher.id).await?;
                    if let Some(last) = findings.wrong.last_mut() {
                        last.1 = is_half_way;
                    }
                }
                wrong += 1;
            }
            Err(error) if is_of_all(&error) => return Err(error.into()),
            Err(error) => {
                let why = Failure::from(error).message;
                steps.beside(|| {
                    output.note(&format!("{slug}: {slice} could not be compared: {why}"));
                });
                uncompared += 1;
                findings.uncompared += 1;
            }
        }
        steps.advanced(place + 1, slices.len());
    }
    drop(steps);
    output.line(&format!(
        "{slug}: {}",
        summary(wrong, uncompared, slices.len())
    ))?;
    if wrong == 0 && span.is_some() {
        output.line("Lifetimes of products and users are of no day and were left out; without --from and --to they are compared, too.")?;
    }
    Ok(())
}

/// Whether what kept a slice from being compared keeps the others from it as well.
fn is_of_all(error: &Error) -> bool {
    matches!(error.code(), Code::ServiceUnavailable | Code::StorageFull)
}

/// A table that differs in a slice, in a line.
fn told(slug: &str, drift: &Drift) -> String {
    let rows = match drift.rows {
        1 => "1 row differs".to_owned(),
        rows => format!(
            "{} rows differ",
            thousands(u64::try_from(rows).unwrap_or(0))
        ),
    };
    let example = drift.examples.first().map_or("", String::as_str);
    format!("{slug}: {}: {rows}, for example {example}", drift.table)
}

/// What became of a publisher's slices.
fn summary(wrong: usize, uncompared: usize, all: usize) -> String {
    let count = number(all);
    let slices = match (wrong, uncompared) {
        (0, 0) => return format!("totals equal the facts ({count} slices)"),
        (0, _) => {
            let compared = number(all.saturating_sub(uncompared));
            return format!(
                "totals equal the facts where they could be compared ({compared} of {count} slices)"
            );
        }
        (wrong, _) => number(wrong),
    };
    format!("totals differ from the facts ({slices} of {count} slices)")
}

fn number(count: usize) -> String {
    thousands(u64::try_from(count).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(rows: i64) -> Drift {
        Drift {
            table: "totals_time",
            rows,
            examples: vec!["grain 3, units off by 3".to_owned()],
        }
    }

    #[test]
    fn what_was_found_is_told_also_when_it_was_stopped() {
        let mut findings = Findings::default();
        assert!(findings.failure().is_none());
        assert!(findings.stopped().message.ends_with("is in order"));
        findings.uncompared = 1;
        assert_eq!(
            findings.stopped().message,
            "stopped; of what was looked at, 1 slice could not be compared"
        );
        findings.wrong = vec![("one".to_owned(), true), ("two".to_owned(), false)];
        findings.uncompared = 1_200;
        let stopped = findings.stopped();
        assert_eq!(
            stopped.message,
            "stopped; of what was looked at, some totals are wrong, and 1,200 slices could not be compared"
        );
        let hint = stopped.hint.unwrap_or_default();
        assert!(hint.contains("--publisher one --afresh"), "{hint}");
        findings.uncompared = 0;
        let failure = findings.failure().map(|failure| failure.message);
        assert_eq!(failure.as_deref(), Some("some totals are wrong"));
    }

    #[test]
    fn a_publisher_is_in_order_only_where_it_was_compared() {
        assert_eq!(summary(0, 0, 40), "totals equal the facts (40 slices)");
        assert_eq!(
            summary(0, 1, 40),
            "totals equal the facts where they could be compared (39 of 40 slices)"
        );
        assert_eq!(
            summary(2, 1, 1_040),
            "totals differ from the facts (2 of 1,040 slices)"
        );
        assert_eq!(
            told("one", &drift(1)),
            "one: totals_time: 1 row differs, for example grain 3, units off by 3"
        );
        assert!(told("one", &drift(1_234)).contains(": 1,234 rows differ, "));
    }
}
