//! From an input to the write path: records are read and normalised on a thread of their own, written in batches, and
//! counted. Memory is bounded by a few batches, whatever the size of the input.

use super::demo;
use super::format::input::{Input, Meter, Reading};
use super::format::json::JsonReader;
use super::format::machine::fault_of;
use super::format::{ReadError, decoded};
use super::normalize::{DEFAULT_OFFSET_MINUTES, NormalizeContext};
use super::raw::RawRecord;
use super::signs::{SIGN, beside};
use crate::domain::draft::{ActionDraft, Reject};
use crate::domain::error::{Code, Error, Result};
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::sync::after;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::{Batch, apply};
use crate::store::clicks::{self, ClicksBatch};
use crate::store::imports::{NewRun, begin, begin_again, begin_at, begin_file, finish};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many drafts make a batch: one transaction. Large ones touch each page of an index fewer times.
const BATCH: usize = 2_000;
/// How many batches wait for the writer: enough that neither side idles.
const WAITING: usize = 2;
/// How many new actions an import has at least for the planner to look at the tables anew.
const MANY: u64 = 1_000;
/// By how much clocks may differ.
const CLOCKS: Duration = Duration::from_secs(60);
/// How many rejected records a report shows.
const SHOWN_REJECTS: usize = 5;

/// Where an import comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// A file or standard input on the command line.
    File,
    /// The network's API, by the sync.
    Api,
    /// A ledger of deductions, fines and payouts.
    Adjustments,
    /// A product feed.
    Feed,
    /// Generated demo data.
    Demo,
    /// Counts of clicks.
    Clicks,
    /// Postbacks.
    Postback,
    /// A file sent to the server.
    Upload,
    /// Rejected records that were mended.
    Retry,
    /// No data: what names the users of an ad space was chosen anew.
    Users,
}

impl Entrance {
    /// The entrance as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "FILE",
            Self::Api => crate::store::sync::API,
            Self::Adjustments => "ADJUSTMENTS",
            Self::Feed => "FEED",
            Self::Demo => "DEMO",
            Self::Clicks => "CLICKS",
            Self::Postback => "POSTBACK",
            Self::Upload => "UPLOAD",
            Self::Retry => "RETRY",
            Self::Users => crate::store::apply::users::ENTRANCE,
        }
    }
}

/// How an input is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// What the run is called: the file's name.
    pub name: String,
    /// Where it comes in.
    pub entrance: Entrance,
    /// When the input was taken; its own latest stamp where none is given.
    pub as_of: Option<Instant>,
    /// Offset of upstream's local times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// What headings mean, and who reads workbooks.
    pub reading: Reading,
}

/// What became of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The run.
    pub run_id: Uuid,
    /// Records read.
    pub read: u64,
    /// Actions inserted.
    pub inserted: u64,
    /// Records that brought an action to a newer state.
    pub updated: u64,
    /// Records that changed nothing.
    pub unchanged: u64,
    /// Records older than what is stored.
    pub stale: u64,
    /// Records refused.
    pub rejected: u64,
    /// Amounts rounded half-even to four decimals.
    pub rounded: u64,
    /// The first few refused records.
    pub first_rejects: Vec<Reject>,
    /// The format and encoding that were recognised, in words; empty where the input is our own.
    pub format: String,
    /// Headings, tags and sheets that mean nothing to us.
    pub ignored: Vec<String>,
}

/// Who is told how far an import is.
pub trait Progress: Send {
    /// So many more bytes of the (packed) input, records and refused records.
    fn advanced(&mut self, bytes: u64, records: u64, rejected: u64);
}

/// A record as it leaves the normaliser.
type Incoming = Result<ActionDraft, Reject>;

/// What the reading thread hands over.
enum Read {
    Batch {
        drafts: Vec<ActionDraft>,
        rejects: Vec<Reject>,
        bytes: u64,
    },
    /// The input cannot be read any further.
    Broken(Error),
}

/// Imports a file of any format that [`Input`] knows, plain or gzipped, as a run that is seen from before the file is read.
///
/// # Errors
/// When the file cannot be read to its end, of which nothing is stored then, or the database fails. Records that cannot be
/// understood are no error: they are kept, counted and reported.
pub async fn import_file(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    options: &ImportOptions,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    openable(path).map_err(|error| {
        let sentence = format!("{}: {error}", path.display());
        let is_wrong_name = matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::InvalidInput
        );
        if is_wrong_name {
            return Error::bad_input("file", sentence);
        }
        fault_of(&error, sentence)
    })?;
    let size = std::fs::metadata(path).ok().map(|data| data.len());
    let run = begin_import(store, scope, options, size, now).await?;
    import_begun(store, scope, (path, run), options, now, progress).await
}

/// Begins the run of an input before any of it is read, so that whoever looks sees that it is read; `bytes` is its size, where
/// it has one.
///
/// # Errors
/// When the observation lies in the future, or the database fails.
pub async fn begin_import(
    store: &Store,
    scope: WriteScope,
    options: &ImportOptions,
    bytes: Option<u64>,
    now: &(dyn Fn() -> Instant + Sync),
) -> Result<Uuid> {
    let started_at = now();
    check_observed(options, started_at)?;
    let run = NewRun {
        id: run_id(started_at)?,
        entrance: options.entrance.as_str(),
        name: options.name.clone(),
        started_at,
        as_of: options.as_of.unwrap_or(started_at),
    };
    begin_file(store, scope, &run, (options.offset_minutes, bytes)).await?;
    Ok(run.id)
}

/// Notes that a run failed, and why.
///
/// # Errors
/// When the database fails.
pub async fn note_failure(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    now: Instant,
    why: &str,
) -> Result<()> {
    finish(store, scope, run, now, (RunState::Failed, Some(why))).await
}

/// Imports a file likewise, as a run that [was begun](begin_import) and is noted as failed where it fails.
///
/// # Errors
/// As [`import_file`].
pub async fn import_begun(
    store: &Store,
    scope: WriteScope,
    (path, run): (&Path, Uuid),
    options: &ImportOptions,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    let outcome = import_as(store, scope, (path, run), options, now, progress).await;
    if let Err(error) = &outcome {
        note_failure(store, scope, run, now(), error.message()).await?;
    }
    outcome
}

/// Imports a file likewise, as a run that is queued already; where an earlier reader fell silent, from its beginning. A run
/// that fails is not noted as such: whoever reads the queue knows whether it is tried again.
///
/// # Errors
/// As [`import_file`].
pub async fn import_queued(
    store: &Store,
    scope: WriteScope,
    (path, run): (&Path, Uuid),
    options: &ImportOptions,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    openable(path).map_err(|error| fault_of(&error, format!("{}: {error}", path.display())))?;
    check_observed(options, now())?;
    // It is read through before its first record is written, and whoever looks sees that it is read.
    let as_of = options.as_of.unwrap_or_else(now);
    begin_again(store, scope, run, as_of, now()).await?;
    import_as(store, scope, (path, run), options, now, progress).await
}

/// Whether a file can be opened.
fn openable(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path).map(|_| ())
}

fn check_observed(options: &ImportOptions, now: Instant) -> Result<()> {
    options.as_of.map_or(Ok(()), |as_of| {
        check_as_of(as_of, now).map_err(|message| Error::bad_input("as_of", message))
    })
}

/// Refuses an observation that has not been made yet, but for clocks that differ by a little: its states would be newer than
/// all that are still to come.
///
/// # Errors
/// A sentence about it.
pub fn check_as_of(as_of: Instant, now: Instant) -> std::result::Result<(), String> {
    if as_of <= after(now, CLOCKS) {
        return Ok(());
    }
    Err(format!(
        "{} lies in the future; say when the file was taken, or leave it out",
        as_of.to_rfc3339()
    ))
}

/// Reads a file as a run that is there already. Where that fails, the run is as it was.
async fn import_as(
    store: &Store,
    scope: WriteScope,
    (path, run): (&Path, Uuid),
    options: &ImportOptions,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    let (path, asked) = (path.to_owned(), options.clone());
    let survey = tokio::task::spawn_blocking(move || {
        let opened = Input::open(&path, &asked.reading, asked.offset_minutes);
        let newest = || opened.as_ref().ok()?.newest();
        let as_of = asked.as_of.or_else(newest);
        (opened, as_of)
    });
    // All of it is read, of a large file for long.
    let survey = beside(store, scope, run, (now, SIGN), survey).await;
    let (opened, as_of) = survey.map_err(Error::internal)?;
    // A date of the future in the file must not make its states newer than all that are still to come.
    let as_of = as_of.unwrap_or_else(now).min(now());
    let (format, ignored) = opened.as_ref().map_or_else(
        |_| (String::new(), Vec::new()),
        |input| (input.format(), input.ignored().to_vec()),
    );
    let bytes = Meter::default();
    let meter = Meter::clone(&bytes);
    let context = NormalizeContext {
        offset_minutes: options.offset_minutes,
        observed_at: as_of,
    };
    let records = move |send: &mut dyn FnMut(Incoming) -> bool| {
        let input = opened?;
        let mut records = input.records(&meter)?;
        hand_out(&mut records, &context, send)
            .map(|_| ())
            .map_err(|sentence| input.failed(sentence))
    };
    // What the survey told, and a sign of life behind it.
    begin_again(store, scope, run, as_of, now()).await?;
    let source = Source { records, bytes };
    let report = write_run(store, scope, run, (now, progress), source).await?;
    Ok(ImportReport {
        format,
        ignored,
        ..report
    })
}

/// Imports the generated actions of one of the demo's publishers, in the order in which upstream would have sent them.
///
/// # Errors
/// When the database fails.
pub async fn import_demo(
    store: &Store,
    scope: WriteScope,
    publisher_index: usize,
    end: Instant,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    let records = move |send: &mut dyn FnMut(Incoming) -> bool| {
        read_demo(publisher_index, end, send)
            .map_err(|sentence| Error::new(Code::BadUserInput, sentence))
    };
    let source = Source {
        records,
        bytes: Meter::default(),
    };
    let started_at = now();
    let run = NewRun {
        id: run_id(started_at)?,
        entrance: Entrance::Demo.as_str(),
        name: "demo data".to_owned(),
        started_at,
        as_of: end,
    };
    begin_at(store, scope, &run, DEFAULT_OFFSET_MINUTES).await?;
    let outcome = write_run(store, scope, run.id, (now, progress), source).await;
    if let Err(error) = &outcome {
        note_failure(store, scope, run.id, now(), error.message()).await?;
    }
    let report = outcome?;
    write_demo_clicks(store, scope, publisher_index, end, now).await?;
    Ok(report)
}

/// Writes the generated clicks of one of the demo's publishers, as a run of their own.
async fn write_demo_clicks(
    store: &Store,
    scope: WriteScope,
    publisher_index: usize,
    end: Instant,
    now: &(dyn Fn() -> Instant + Sync),
) -> Result<()> {
    let started_at = now();
    let new = NewRun {
        id: run_id(started_at)?,
        entrance: Entrance::Clicks.as_str(),
        name: "demo clicks".to_owned(),
        started_at,
        as_of: end,
    };
    begin(store, scope, &new).await?;
    for set in demo::clicks(publisher_index, demo::SEED, end) {
        let batch = ClicksBatch {
            run_id: new.id,
            account: "demo",
            offset_minutes: DEFAULT_OFFSET_MINUTES,
            rows: &set.rows,
            replaces: &set.replaces,
            unread: &[],
            rejects: &[],
            rejected_before: 0,
            sync: None,
            now: now(),
        };
        clicks::write(store, scope, batch).await?;
    }
    finish(store, scope, new.id, now(), (RunState::Succeeded, None)).await
}

/// Hands records out until there are no more, or nobody wants any; says whether all were wanted.
fn hand_out(
    records: &mut dyn Iterator<Item = std::result::Result<RawRecord, ReadError>>,
    context: &NormalizeContext,
    send: &mut dyn FnMut(Incoming) -> bool,
) -> std::result::Result<bool, String> {
    for item in records {
        let record = match item {
            Ok(raw) => raw.draft(context).map_err(|reject| *reject),
            Err(ReadError::Reject(reject)) => Err(reject),
            Err(error) => return Err(error.to_string()),
        };
        if !send(record) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Hands out the generated actions of one of the demo's publishers: yesterday's pages, then today's.
fn read_demo(
    publisher_index: usize,
    end: Instant,
    send: &mut dyn FnMut(Incoming) -> bool,
) -> std::result::Result<(), String> {
    for input in demo::inputs(publisher_index, demo::SEED, end) {
        let context = NormalizeContext {
            offset_minutes: DEFAULT_OFFSET_MINUTES,
            observed_at: input.observed_at(),
        };
        let input = decoded(input).map_err(|error| format!("the input cannot be read: {error}"))?;
        if !hand_out(&mut JsonReader::new(input), &context, send)? {
            break;
        }
    }
    Ok(())
}

/// Where records come from: `records` hands out one after the other until it is told to stop.
struct Source<F> {
    records: F,
    bytes: Meter,
}

/// Writes all records as a run that is there already, and notes how it ended where that is well.
async fn write_run<F>(
    store: &Store,
    scope: WriteScope,
    run: Uuid,
    (now, progress): (&(dyn Fn() -> Instant + Sync), &mut dyn Progress),
    source: Source<F>,
) -> Result<ImportReport>
where
    F: FnOnce(&mut dyn FnMut(Incoming) -> bool) -> Result<()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || read(source, &sender));
    let mut report = ImportReport {
        run_id: run,
        ..ImportReport::default()
    };
    let written = write_all(store, scope, receiver, &mut report, (now, progress)).await;
    // The thread ends by itself: it has read everything, or finds that nobody receives any more.
    let ended = reading.await.map_err(Error::internal);
    let outcome = written.and(ended);
    if outcome.is_ok() {
        let state = match report.rejected {
            0 => RunState::Succeeded,
            _ => RunState::Partial,
        };
        finish(store, scope, run, now(), (state, None)).await?;
    }
    if report.inserted >= MANY
        && let Err(error) = store.analyze().await
    {
        // The facts are stored; only plans are worse until the next time.
        tracing::warn!(
            error = error.message(),
            "the planner's statistics are as old as before"
        );
    }
    outcome.map(|()| report)
}

/// A UUIDv7 of the start of a run: its time is passed in, its randomness is the system's.
///
/// # Errors
/// When the system has no randomness to give.
pub fn run_id(now: Instant) -> Result<Uuid> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| Error::internal(error.to_string()))?;
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// Reads records into batches, on a thread of its own.
fn read<F>(source: Source<F>, sender: &mpsc::Sender<Read>)
where
    F: FnOnce(&mut dyn FnMut(Incoming) -> bool) -> Result<()>,
{
    let (mut drafts, mut rejects) = (Vec::with_capacity(BATCH), Vec::new());
    let Source { records, bytes } = source;
    let mut told = 0;
    let mut flush = |drafts: &mut Vec<ActionDraft>, rejects: &mut Vec<Reject>| {
        let read = bytes.load(Ordering::Relaxed);
        let batch = Read::Batch {
            drafts: std::mem::replace(drafts, Vec::with_capacity(BATCH)),
            rejects: std::mem::take(rejects),
            bytes: read - told,
        };
        told = read;
        sender.blocking_send(batch).is_ok()
    };
    let mut send = |record: Incoming| {
        match record {
            Ok(draft) => drafts.push(draft),
            Err(reject) => rejects.push(reject),
        }
        drafts.len() + rejects.len() < BATCH || flush(&mut drafts, &mut rejects)
    };
    let outcome = records(&mut send);
    flush(&mut drafts, &mut rejects);
    if let Err(error) = outcome {
        // Nobody may be listening any more; then the writer has an error of its own.
        let _ = sender.blocking_send(Read::Broken(error));
    }
}

async fn write_all(
    store: &Store,
    scope: WriteScope,
    mut receiver: mpsc::Receiver<Read>,
    report: &mut ImportReport,
    (now, progress): (&(dyn Fn() -> Instant + Sync), &mut dyn Progress),
) -> Result<()> {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let size = |number: usize| u64::try_from(number).unwrap_or(0);
    let mut bytes_read = 0;
    while let Some(read) = receiver.recv().await {
        let (drafts, rejects, bytes) = match read {
            Read::Batch {
                drafts,
                rejects,
                bytes,
            } => (drafts, rejects, bytes),
            Read::Broken(error) => return Err(error),
        };
        bytes_read += bytes;
        if !drafts.is_empty() || !rejects.is_empty() {
            let batch = Batch {
                run_id: report.run_id,
                drafts: &drafts,
                deletions: &[],
                rejects: &rejects,
                rejected_before: i64::try_from(report.rejected).unwrap_or(i64::MAX),
                sync: None,
                bytes_read: (bytes_read > 0).then_some(bytes_read),
                now: now(),
            };
            let applied = apply(store, scope, batch).await?;
            store.keep_statistics().await;
            report.inserted += count(applied.inserted);
            report.updated += count(applied.updated);
            report.unchanged += count(applied.unchanged);
            report.stale += count(applied.stale);
        }
        let records = size(drafts.len() + rejects.len());
        report.read += records;
        report.rejected += size(rejects.len());
        report.rounded += drafts
            .iter()
            .map(|draft| u64::from(draft.rounded))
            .sum::<u64>();
        progress.advanced(bytes, records, size(rejects.len()));
        let room = SHOWN_REJECTS.saturating_sub(report.first_rejects.len());
        report.first_rejects.extend(rejects.into_iter().take(room));
    }
    Ok(())
}
