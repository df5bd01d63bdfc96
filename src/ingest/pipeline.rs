//! From an input to the write path: records are read and normalised on a thread of their own, written in batches, and
//! counted. Memory is bounded by a few batches, whatever the size of the input.

use super::format::json::JsonReader;
use super::format::{ReadError, decoded};
use super::normalize::{DEFAULT_OFFSET_MINUTES, NormalizeContext};
use super::{demo, latest};
use crate::domain::draft::{ActionDraft, Reject};
use crate::domain::error::{Code, Error, Result};
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::{Batch, apply};
use crate::store::imports::{NewRun, begin, finish};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many drafts make a batch: one transaction. Large ones touch each page of an index fewer times.
const BATCH: usize = 2_000;
/// How many batches wait for the writer: enough that neither side idles.
const WAITING: usize = 2;
/// How many new actions an import has at least for the planner to look at the tables anew.
const MANY: u64 = 1_000;
/// How many rejected records a report shows.
const SHOWN_REJECTS: usize = 5;

/// Where an import comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// A file or standard input on the command line.
    File,
    /// The network's API, by the sync.
    Api,
    /// Generated demo data.
    Demo,
}

impl Entrance {
    /// The entrance as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "FILE",
            Self::Api => crate::store::sync::API,
            Self::Demo => "DEMO",
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
    Broken(String),
}

/// Imports a file of Admitad's response pages, plain or gzipped.
///
/// # Errors
/// When the file cannot be read to its end (what was read before is stored, and the error says so), or the database
/// fails. Records that cannot be understood are no error: they are kept, counted and reported.
pub async fn import_file(
    store: &Store,
    scope: WriteScope,
    path: &Path,
    options: &ImportOptions,
    now: &(dyn Fn() -> Instant + Sync),
    progress: &mut dyn Progress,
) -> Result<ImportReport> {
    let open = || {
        File::open(path)
            .map_err(|error| Error::bad_input("file", format!("{}: {error}", path.display())))
    };
    let as_of = match options.as_of {
        Some(as_of) => as_of,
        None => newest_stamp(open()?, options.offset_minutes)
            .await?
            .unwrap_or_else(now),
    };
    let bytes = Arc::new(AtomicU64::new(0));
    let input = Counted {
        input: open()?,
        bytes: Arc::clone(&bytes),
    };
    let context = NormalizeContext {
        offset_minutes: options.offset_minutes,
        observed_at: as_of,
    };
    let records = move |send: &mut dyn FnMut(Incoming) -> bool| read_pages(input, &context, send);
    run(
        store,
        scope,
        options,
        as_of,
        (now, progress),
        Source { records, bytes },
    )
    .await
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
    let options = ImportOptions {
        name: "demo data".to_owned(),
        entrance: Entrance::Demo,
        as_of: Some(end),
        offset_minutes: DEFAULT_OFFSET_MINUTES,
    };
    let records =
        move |send: &mut dyn FnMut(Incoming) -> bool| read_demo(publisher_index, end, send);
    let source = Source {
        records,
        bytes: Arc::default(),
    };
    run(store, scope, &options, end, (now, progress), source).await
}

/// The newest stamp of a file, read in a pass of its own.
async fn newest_stamp(file: File, offset_minutes: i32) -> Result<Option<Instant>> {
    // What cannot even be unpacked is told by the pass that reads the records, in the import's run.
    let read = move || latest::latest_stamp(decoded(file).ok()?, offset_minutes);
    tokio::task::spawn_blocking(read)
        .await
        .map_err(Error::internal)
}

/// A file that counts what was read of it.
struct Counted {
    input: File,
    bytes: Arc<AtomicU64>,
}

impl std::io::Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(into)?;
        self.bytes
            .fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

/// Hands out the records of Admitad's response pages, plain or gzipped.
fn read_pages(
    input: impl std::io::Read,
    context: &NormalizeContext,
    send: &mut dyn FnMut(Incoming) -> bool,
) -> std::result::Result<(), String> {
    let input = decoded(input).map_err(|error| format!("the input cannot be read: {error}"))?;
    for item in JsonReader::new(input) {
        let record = match item {
            Ok(raw) => raw.draft(context).map_err(|reject| *reject),
            Err(ReadError::Reject(reject)) => Err(reject),
            Err(ReadError::Input(error)) => return Err(error.to_string()),
        };
        if !send(record) {
            break;
        }
    }
    Ok(())
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
        let mut heard = true;
        read_pages(input, &context, &mut |record| {
            heard = send(record);
            heard
        })?;
        if !heard {
            break;
        }
    }
    Ok(())
}

/// Where records come from: `records` hands out one after the other until it is told to stop.
struct Source<F> {
    records: F,
    bytes: Arc<AtomicU64>,
}

async fn run<F>(
    store: &Store,
    scope: WriteScope,
    options: &ImportOptions,
    as_of: Instant,
    (now, progress): (&(dyn Fn() -> Instant + Sync), &mut dyn Progress),
    source: Source<F>,
) -> Result<ImportReport>
where
    F: FnOnce(&mut dyn FnMut(Incoming) -> bool) -> std::result::Result<(), String> + Send + 'static,
{
    let started_at = now();
    let run_id = run_id(started_at)?;
    let entrance = options.entrance.as_str();
    begin(
        store,
        scope,
        &NewRun {
            id: run_id,
            entrance,
            name: options.name.clone(),
            started_at,
            as_of,
        },
    )
    .await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || read(source, &sender));
    let mut report = ImportReport {
        run_id,
        ..ImportReport::default()
    };
    let written = write_all(store, scope, receiver, &mut report, (now, progress)).await;
    // The thread ends by itself: it has read everything, or finds that nobody receives any more.
    let ended = reading.await.map_err(Error::internal);
    let outcome = written.and(ended);
    let state = match &outcome {
        Ok(()) if report.rejected == 0 => RunState::Succeeded,
        Ok(()) => RunState::Partial,
        Err(_) => RunState::Failed,
    };
    let message = outcome
        .as_ref()
        .err()
        .map(|error| error.message().to_owned());
    finish(store, scope, run_id, now(), (state, message.as_deref())).await?;
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

/// A UUIDv7 of the start: its time is passed in, its randomness is the system's.
pub(super) fn run_id(now: Instant) -> Result<Uuid> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| Error::internal(error.to_string()))?;
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// Reads records into batches, on a thread of its own.
fn read<F>(source: Source<F>, sender: &mpsc::Sender<Read>)
where
    F: FnOnce(&mut dyn FnMut(Incoming) -> bool) -> std::result::Result<(), String>,
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
    if let Err(message) = outcome {
        // Nobody may be listening any more; then the writer has an error of its own.
        let _ = sender.blocking_send(Read::Broken(message));
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
    while let Some(read) = receiver.recv().await {
        let (drafts, rejects, bytes) = match read {
            Read::Batch {
                drafts,
                rejects,
                bytes,
            } => (drafts, rejects, bytes),
            Read::Broken(message) => return Err(Error::new(Code::BadUserInput, message)),
        };
        if !drafts.is_empty() || !rejects.is_empty() {
            let batch = Batch {
                run_id: report.run_id,
                drafts: &drafts,
                deletions: &[],
                rejects: &rejects,
                rejected_before: i64::try_from(report.rejected).unwrap_or(i64::MAX),
                sync: None,
                now: now(),
            };
            let applied = apply(store, scope, batch).await?;
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
