//! `actiongraph import`: reads exports and says what became of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::accounts::find_or_create;
use super::output::{Output, thousands};
use super::progress::Bar;
use super::spool::Spool;
use super::{Database, Failure, Outcome, block_on, migrate, now, open, told_to_stop};
use crate::clock::Clock;
use crate::domain::id::check_slug;
use crate::domain::scope::{Publisher, WriteScope};
use crate::domain::time::{Instant, parse_offset};
use crate::ingest::format::heading::Aliases;
use crate::ingest::format::input::Reading;
use crate::ingest::pipeline::{
    Entrance, ImportOptions, ImportReport, begin_import, import_begun, import_file, note_failure,
};
use crate::ingest::signs::{SIGN, beside};
use crate::store::Store;

/// How long an import waits for a database that cannot be reached, such as one that is being restarted.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the run of a pipe says that could not be read or kept. Whoever asks the API need not know the machine's folders.
const UNREADABLE: &str = "The input could not be read to its end, or there was no room to keep it; the command said which.";
/// The exit code when records were refused.
pub(super) const SOME_REJECTED: u8 = 3;

/// Flags of `import`.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// Exports of actions, known by their content: pages of /statistics/actions/ (JSON, JSON Lines), XML, CSV, XLSX,
    /// XLS, each also gzipped; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Whose actions they are: a name such as my-blog; it is created when it is new
    #[arg(long, value_name = "NAME", value_parser = slug)]
    publisher: String,
    /// When the export was taken, such as 2026-05-03T10:00:00Z [default: the latest time in the file]
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Instant>,
    /// The offset of times in the export
    #[arg(long, value_name = "OFFSET", value_parser = parse_offset, default_value = "+03:00", allow_hyphen_values = true)]
    utc_offset: i32,
    #[command(flatten)]
    database: Database,
}

pub(super) fn slug(text: &str) -> Result<String, String> {
    check_slug(text).map(|()| text.to_owned())
}

pub(super) fn time(text: &str) -> Result<Instant, String> {
    Instant::parse_rfc3339(text).map_err(|error| error.to_string())
}

pub(super) fn run(args: &ImportArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    if args.files.iter().filter(|file| is_input(file)).count() > 1 {
        return Err(Failure::usage("standard input (-) can be read once only"));
    }
    block_on(async {
        let store = open(&settings).await?.patient(PATIENCE);
        migrate(&store, output).await?;
        let clock = Clock::system();
        let tell = |words: &str| output.note(words);
        let publisher = find_or_create(&store, &args.publisher, now(&clock), &tell).await?;
        let reading = Reading {
            aliases: Aliases::with(&settings.aliases),
            program: None,
        };
        let job = Job {
            args,
            reading,
            store: &store,
            publisher: &publisher,
            clock: &clock,
            output,
        };
        let work = import_all(&job);
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = told_to_stop() => Err(Failure::new("stopped")
                .hint("What was imported so far is stored. Run the same command again for the rest.")),
        };
        store.close().await;
        outcome
    })
}

fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What is imported, how and where to.
struct Job<'a> {
    args: &'a ImportArgs,
    reading: Reading,
    store: &'a Store,
    publisher: &'a Publisher,
    clock: &'a Clock,
    output: &'a Output,
}

/// Every file, also after one that failed; the worst decides the exit code.
async fn import_all(job: &Job<'_>) -> Outcome {
    let output = job.output;
    let (mut failed, mut rejected) = (Vec::new(), 0);
    for file in &job.args.files {
        match import_one(job, file).await {
            Ok(report) => {
                rejected += report.rejected;
                let database = job.store.describe();
                output.line(&told(&shown(file), job.publisher, &database, &report))?;
            }
            Err(failure) => {
                output.note(&format!("error: {}: {}", shown(file), failure.message));
                if let Some(hint) = failure.hint {
                    output.note(&hint);
                }
                failed.push(shown(file));
            }
        }
    }
    match (failed.as_slice(), rejected) {
        ([], 0) => Ok(ExitCode::SUCCESS),
        ([], _) => Ok(ExitCode::from(SOME_REJECTED)),
        (failed, _) => Err(Failure::new(format!("not imported: {}", failed.join(", ")))
            .hint("Files can be imported again: nothing is counted twice.")),
    }
}

async fn import_one(job: &Job<'_>, file: &Path) -> Result<ImportReport, Failure> {
    let args = job.args;
    let kind = if is_input(file) {
        None
    } else {
        let data = std::fs::metadata(file).map_err(|error| Failure::new(error.to_string()))?;
        Some(data.file_type())
    };
    if kind.is_some_and(|kind| kind.is_dir()) {
        return Err(Failure::new("is a folder").hint("Name the files in it."));
    }
    let options = ImportOptions {
        name: shown(file),
        entrance: Entrance::File,
        as_of: args.as_of,
        offset_minutes: args.utc_offset,
        reading: job.reading.clone(),
    };
    let scope = WriteScope::for_entrance(job.publisher.id);
    let asked = || now(job.clock);
    let bar = |path: &Path| -> Result<Bar, Failure> {
        let size = std::fs::metadata(path).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Bar::new(job.output, &options.name, Some(size.len())))
    };
    if kind.is_some_and(|kind| kind.is_file()) {
        let mut bar = bar(file)?;
        return Ok(import_file(job.store, scope, file, &options, &asked, &mut bar).await?);
    }
    // A pipe or a device, by its name or as standard input, is read once only. Its run is seen from before that.
    let run = begin_import(job.store, scope, &options, None, &asked).await?;
    let taken = taken(kind.map(|_| file.to_owned()));
    let taken = beside(job.store, scope, run, (&asked, SIGN), taken).await;
    let ready = taken.and_then(|spool| Ok((bar(spool.path())?, spool)));
    let (mut bar, spool) = match ready {
        Ok(ready) => ready,
        Err(failure) => {
            note_failure(job.store, scope, run, asked(), UNREADABLE).await?;
            return Err(failure);
        }
    };
    let begun = (spool.path(), run);
    Ok(import_begun(job.store, scope, begun, &options, &asked, &mut bar).await?)
}

/// All that a pipe or a device gives, or standard input where none is named.
async fn taken(named: Option<PathBuf>) -> Result<Spool, Failure> {
    let taken = tokio::task::spawn_blocking(move || match named {
        None => Spool::take(std::io::stdin().lock()),
        Some(file) => {
            let opened = std::fs::File::open(file);
            Spool::take(opened.map_err(|error| Failure::new(error.to_string()))?)
        }
    });
    taken
        .await
        .map_err(|error| Failure::new(error.to_string()))?
}

/// What a file is called: its own name, without where it lies.
pub(super) fn shown(file: &Path) -> String {
    match file.file_name() {
        _ if is_input(file) => "standard input".to_owned(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => file.display().to_string(),
    }
}

/// The closing report.
pub(super) fn told(
    name: &str,
    publisher: &Publisher,
    database: &str,
    report: &ImportReport,
) -> String {
    let mut text = format!("{name} -> publisher {} ({database})\n", publisher.slug);
    if !report.format.is_empty() {
        text.push_str(&format!("  {:<10}{}\n", "format", report.format));
    }
    if !report.ignored.is_empty() {
        text.push_str(&format!(
            "  {:<10}{}\n",
            "ignored",
            report.ignored.join(", ")
        ));
    }
    let counts = [
        ("read", report.read, ""),
        ("new", report.inserted, ""),
        ("updated", report.updated, "a newer state"),
        ("unchanged", report.unchanged, "known already"),
        (
            "stale",
            report.stale,
            "older than what is stored; kept in the history only",
        ),
        ("rejected", report.rejected, "not imported; see below"),
        (
            "rounded",
            report.rounded,
            "amounts with more than 4 decimals",
        ),
    ];
    let width = counts
        .iter()
        .map(|(_, count, _)| thousands(*count).len())
        .max()
        .unwrap_or(1);
    for (label, count, words) in counts {
        let always = matches!(label, "read" | "new" | "updated" | "unchanged" | "rejected");
        if count == 0 && !always {
            continue;
        }
        let words = if count == 0 { "" } else { words };
        let line = format!("  {label:<10}{:>width$}  {words}", thousands(count));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if report.read == 0 {
        text.push_str("It holds no records: an empty page, or a download that failed.\n");
    }
    if !report.first_rejects.is_empty() {
        text.push_str("The first rejected records:\n");
    }
    for reject in &report.first_rejects {
        let place = reject.place;
        let field = reject
            .field
            .as_ref()
            .map(|field| format!(" {field}"))
            .unwrap_or_default();
        text.push_str(&format!(
            "  page {}, record {}, line {}, byte {}: {}{field}\n    {}\n",
            place.page,
            place.index + 1,
            thousands(place.line),
            thousands(place.byte),
            reject.reason.as_str(),
            reject.message
        ));
    }
    let shown = u64::try_from(report.first_rejects.len()).unwrap_or(u64::MAX);
    if report.rejected > shown {
        text.push_str(&format!(
            "  and {} more: ask the API for the rejects of import run {}.\n",
            thousands(report.rejected - shown),
            report.run_id
        ));
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::{Place, Reject, RejectReason};
    use crate::domain::id::PublisherId;
    use crate::domain::money::Currency;
    use crate::domain::time::Zone;

    #[test]
    fn the_report_says_what_happened_and_where_to_see_more() {
        let publisher = Publisher {
            id: PublisherId(1),
            slug: "my-blog".to_owned(),
            name: String::new(),
            zone: Zone::UTC,
            currency: Currency::USD,
        };
        let reject = Reject {
            place: Place {
                page: 2,
                index: 6,
                byte: 10_234,
                line: 512,
            },
            reason: RejectReason::MissingField,
            field: Some("action_id".to_owned()),
            message: "the record has no action_id".to_owned(),
            raw: String::new(),
        };
        let report = ImportReport {
            run_id: uuid::Uuid::nil(),
            read: 1_234_567,
            inserted: 1_234_000,
            updated: 0,
            unchanged: 500,
            stale: 0,
            rejected: 67,
            rounded: 3,
            first_rejects: vec![reject],
            format: "CSV (commas, UTF-8)".to_owned(),
            ignored: vec!["Weather".to_owned(), "Mood".to_owned()],
        };
        let text = told("may.json", &publisher, "SQLite x.db", &report);
        let expected = "\
may.json -> publisher my-blog (SQLite x.db)
  format    CSV (commas, UTF-8)
  ignored   Weather, Mood
  read      1,234,567
  new       1,234,000
  updated           0
  unchanged       500  known already
  rejected         67  not imported; see below
  rounded           3  amounts with more than 4 decimals
The first rejected records:
  page 2, record 7, line 512, byte 10,234: MISSING_FIELD action_id
    the record has no action_id
  and 66 more: ask the API for the rejects of import run 00000000-0000-0000-0000-000000000000.";
        assert_eq!(text, expected);
    }
}
