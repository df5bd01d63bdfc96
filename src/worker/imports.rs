//! Uploads: those whose files lie with this server are read, one at a time for each publisher, under a lease that a
//! server which was killed lets run out.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use uuid::Uuid;

use crate::domain::error::{Code, Error, Result};
use crate::domain::records::RunState;
use crate::domain::scope::WriteScope;
use crate::domain::sync::before;
use crate::domain::time::Instant;
use crate::ingest::format::input::Reading;
use crate::ingest::pipeline::{Entrance, ImportOptions, Progress, import_queued};
use crate::ingest::uploads::Uploads;
use crate::store::Store;
use crate::store::imports::finish;
use crate::store::uploads::{self, Upload};
use crate::telemetry;

/// How long an upload belongs to a reader that gives no sign of life.
const LEASE: Duration = Duration::from_secs(30);
/// How often a reader gives one, and notes how far it is.
pub const SIGN: Duration = Duration::from_secs(2);
/// How long the file of an upload is looked for, on whatever server, before its run is given up.
const LOOKED_FOR: Duration = Duration::from_secs(3_600);
/// How long an import waits for a database that is being restarted.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How many uploads are read side by side, each of another publisher.
const SIDE_BY_SIDE: usize = 4;
/// The first and the longest pause before a file is read again that was no reason for what failed.
const PAUSE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));
/// How often a file is read where room, a part of the machine or the database are missing: for about a day.
const TRIES: u32 = 300;
/// How often where nobody knows what failed: it may be the file after all.
const TRIES_UNKNOWN: u32 = 5;

/// What reads uploads.
pub struct Reader<'a> {
    /// The database, patient.
    pub store: &'a Store,
    /// Where the files lie.
    pub uploads: &'a Uploads,
    /// How they are read.
    pub reading: &'a Reading,
    /// The name of this process among those that read.
    pub holder: String,
    /// How often it gives a sign of life: [`SIGN`].
    pub sign: Duration,
}

impl Reader<'_> {
    /// Removes whole files that nobody has queued.
    async fn forget(&self, now: Instant) -> Result<()> {
        let old = match self.uploads.old(now) {
            Ok(old) if old.is_empty() => return Ok(()),
            Ok(old) => old,
            Err(error) => {
                tracing::warn!(%error, "the folder of uploads cannot be read");
                return Ok(());
            }
        };
        let queued = uploads::among(self.store, &old).await?;
        for run in old.into_iter().filter(|run| !queued.contains(run)) {
            match tokio::fs::remove_file(self.uploads.file(run)).await {
                Ok(()) => tracing::info!(%run, "a file that was sent and not queued is removed"),
                Err(error) => {
                    tracing::warn!(%run, %error, "a file that was not queued cannot be removed");
                }
            }
        }
        Ok(())
    }
}

/// The uploads that are being read, and those that were found and wait for their turn. A long one holds up nobody but
/// its own publisher.
pub struct Reads<'a> {
    reader: &'a Reader<'a>,
    now: &'a (dyn Fn() -> Instant + Sync),
    found: VecDeque<Upload>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, (Upload, Result<Left>)>>,
    /// Whose uploads are under way.
    busy: Vec<WriteScope>,
    /// Those that are read again later. Another server, or this one after a restart, need not wait for that.
    resting: HashMap<Uuid, Rest>,
}

/// A file that is read again.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// How often it was read in vain.
    tries: u32,
    until: Instant,
}

/// How an upload was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Its run has ended, however.
    Ended,
    /// Another process has it, or has its file.
    Elsewhere,
    /// It is read again later: what failed was no fault of the file's.
    Waiting,
}

impl<'a> Reads<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(reader: &'a Reader<'a>, now: &'a (dyn Fn() -> Instant + Sync)) -> Self {
        Self {
            reader,
            now,
            found: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            busy: Vec::new(),
            resting: HashMap::new(),
        }
    }

    /// Looks for uploads that wait, and starts as many as there is room for; they are read while [`Self::ended`] is awaited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&mut self) -> Result<()> {
        let reader = self.reader;
        match reader.uploads.sweep() {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "what uploads had left that broke off is removed"),
            Err(error) => tracing::warn!(%error, "the folder of uploads cannot be swept"),
        }
        reader.forget((self.now)()).await?;
        // What was found before is found again, unless somebody else had it meanwhile.
        self.found.clear();
        let now = (self.now)();
        for upload in uploads::waiting(reader.store, now).await? {
            let rest = self.resting.get(&upload.run_id);
            if rest.is_some_and(|rest| now < rest.until) {
                continue;
            }
            let is_here = |upload: &Upload| reader.uploads.file(upload.run_id).exists();
            // The oldest of each publisher, the next one when that is in. Those whose files lie elsewhere are in nobody's
            // way.
            let is_next = |other: &Upload| other.scope == upload.scope && is_here(other);
            let waits = self.busy.contains(&upload.scope) || self.found.iter().any(is_next);
            if !waits || !is_here(&upload) {
                self.found.push_back(upload);
            }
        }
        self.start();
        Ok(())
    }

    fn start(&mut self) {
        let (reader, now) = (self.reader, self.now);
        while self.under_way.len() < SIDE_BY_SIDE
            && let Some(upload) = self.found.pop_front()
        {
            self.busy.push(upload.scope);
            let rest = self.resting.get(&upload.run_id);
            let tries = rest.map_or(0, |rest| rest.tries);
            self.under_way.push(Box::pin(async move {
                let outcome = one(reader, &upload, now, tries).await;
                (upload, outcome)
            }));
        }
    }

    /// Reads on until one is done with, and starts what waits for its room: tells whether its run has ended, and with it
    /// made way for the next of its publisher. Nothing where none is under way.
    pub async fn ended(&mut self) -> Option<Result<bool>> {
        let (upload, outcome) = self.under_way.next().await?;
        let busy = |busy: &WriteScope| *busy == upload.scope;
        if let Some(place) = self.busy.iter().position(busy) {
            self.busy.swap_remove(place);
        }
        match &outcome {
            Ok(Left::Ended) => {
                self.resting.remove(&upload.run_id);
            }
            Ok(Left::Waiting) => self.rest(upload.run_id),
            Ok(Left::Elsewhere) | Err(_) => {}
        }
        self.start();
        Some(outcome.map(|left| left == Left::Ended))
    }

    /// Notes that an upload was read in vain.
    fn rest(&mut self, run: Uuid) {
        let now = (self.now)();
        let rest = self.resting.entry(run).or_insert(Rest {
            tries: 0,
            until: now,
        });
        let (first, longest) = PAUSE;
        let pause = first.saturating_mul(1 << rest.tries.min(6)).min(longest);
        rest.until = later(now, pause);
        rest.tries += 1;
    }
}

/// Reads an upload that was read so often in vain.
async fn one(
    reader: &Reader<'_>,
    upload: &Upload,
    now: &(dyn Fn() -> Instant + Sync),
    tried: u32,
) -> Result<Left> {
    let store = reader.store;
    let begun = now();
    let file = reader.uploads.file(upload.run_id);
    if !file.exists() {
        let age = begun.micros() - upload.queued_at.micros();
        if age < i64::try_from(LOOKED_FOR.as_micros()).unwrap_or(i64::MAX) {
            return Ok(Left::Elsewhere);
        }
        let words = "The server that had received the file did not read it, and is gone with it; send the file again.";
        let outcome = (RunState::Failed, Some(words));
        finish(store, upload.scope, upload.run_id, begun, outcome).await?;
        return end(reader, upload).await;
    }
    if !uploads::take(store, upload, &reader.holder, begun, later(begun, LEASE)).await? {
        return Ok(Left::Elsewhere);
    }
    let read = Arc::new(AtomicU64::new(0));
    let work = import(reader, upload, &file, now, Arc::clone(&read));
    let work = AssertUnwindSafe(work).catch_unwind();
    let Some(outcome) = under_lease(reader, upload, now, &read, work).await? else {
        // Another process has it now.
        return Ok(Left::Elsewhere);
    };
    let words = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            let cause = error.cause().map(ToString::to_string);
            tracing::warn!(run = %upload.run_id, cause, "an upload was not imported: {error}");
            if is_tried_again(error.code(), tried) {
                // Whoever comes next may take it up at once.
                let (over, words) = (before(begun, SIGN), error.message());
                let held = uploads::put_back(store, upload, &reader.holder, over, words).await?;
                return Ok(if held { Left::Waiting } else { Left::Elsewhere });
            }
            Some(last_words(&error, tried))
        }
        Err(panic) => {
            let cause = telemetry::words_of(panic.as_ref());
            tracing::error!(run = %upload.run_id, cause, "an upload panicked");
            // It would do so again.
            Some(
                "The server made an error while it read the file, and does not try again."
                    .to_owned(),
            )
        }
    };
    if let Some(words) = &words {
        let outcome = (RunState::Failed, Some(words.as_str()));
        finish(store, upload.scope, upload.run_id, now(), outcome).await?;
    }
    if let Err(error) = tokio::fs::remove_file(&file).await {
        tracing::warn!(run = %upload.run_id, %error, "the file of an upload cannot be removed");
    }
    end(reader, upload).await
}

/// Whether a file is read once more, which was read so often in vain before this time.
fn is_tried_again(code: Code, tried: u32) -> bool {
    let tries = match code {
        Code::BadUserInput | Code::LimitExceeded => return false,
        Code::ServiceUnavailable | Code::StorageFull | Code::Timeout => TRIES,
        _ => TRIES_UNKNOWN,
    };
    tried + 1 < tries
}

/// What a run says that failed for good.
fn last_words(error: &Error, tried: u32) -> String {
    match tried {
        0 => error.message().to_owned(),
        _ => format!(
            "{} The file was read {} times in vain and is gone; send it again.",
            error.message(),
            tried + 1
        ),
    }
}

async fn end(reader: &Reader<'_>, upload: &Upload) -> Result<Left> {
    uploads::remove(reader.store, upload).await?;
    reader.uploads.tell_ended();
    Ok(Left::Ended)
}

async fn import(
    reader: &Reader<'_>,
    upload: &Upload,
    file: &Path,
    now: &(dyn Fn() -> Instant + Sync),
    read: Arc<AtomicU64>,
) -> Result<()> {
    let options = ImportOptions {
        name: upload.name.clone(),
        entrance: Entrance::Upload,
        as_of: upload.as_of,
        offset_minutes: upload.offset_minutes,
        reading: reader.reading.clone(),
    };
    let (store, scope) = (reader.store, upload.scope);
    let queued = (file, upload.run_id);
    let imported = import_queued(store, scope, queued, &options, now, &mut Counted(read)).await;
    imported.map(|_| ())
}

/// Runs `work` to its end and gives signs of life beside it; nothing when the lease is lost.
async fn under_lease<T>(
    reader: &Reader<'_>,
    upload: &Upload,
    now: &(dyn Fn() -> Instant + Sync),
    read: &AtomicU64,
    work: impl Future<Output = T>,
) -> Result<Option<T>> {
    // Neither stands still while the other one waits: either may hold the one writer of an SQLite file.
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = signs(reader, upload, now, read) => return Ok(None),
    };
    let held = sign(reader.store, reader, upload, now, read).await?;
    Ok(held.then_some(outcome))
}

/// Gives signs of life until the lease is lost.
async fn signs(
    reader: &Reader<'_>,
    upload: &Upload,
    now: &(dyn Fn() -> Instant + Sync),
    read: &AtomicU64,
) {
    // The next one makes up for one that fails.
    let store = reader.store.impatient();
    loop {
        tokio::time::sleep(reader.sign).await;
        match sign(&store, reader, upload, now, read).await {
            Ok(true) => {}
            Ok(false) => return,
            // The database may be back before the lease runs out.
            Err(error) => tracing::warn!(%error, "the lease of an upload could not be renewed"),
        }
    }
}

/// Gives a sign of life; tells whether this process still has the upload.
async fn sign(
    store: &Store,
    reader: &Reader<'_>,
    upload: &Upload,
    now: &(dyn Fn() -> Instant + Sync),
    read: &AtomicU64,
) -> Result<bool> {
    let bytes = read.load(Ordering::Relaxed);
    let until = later(now(), LEASE);
    uploads::renew(store, upload, &reader.holder, until, bytes).await
}

fn later(now: Instant, by: Duration) -> Instant {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Instant::from_micros(now.micros().saturating_add(micros)).unwrap_or(Instant::MAX)
}

/// Counts the bytes that were read, for the lease to note.
struct Counted(Arc<AtomicU64>);

impl Progress for Counted {
    fn advanced(&mut self, bytes: u64, _: u64, _: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A name for this process that no other has.
///
/// # Errors
/// When the system has no randomness to give.
pub fn holder() -> Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_where_it_is_not_to_blame() {
        for (code, tries) in [
            (Code::BadUserInput, 1),
            (Code::LimitExceeded, 1),
            (Code::Internal, TRIES_UNKNOWN),
            (Code::StorageFull, TRIES),
            (Code::ServiceUnavailable, TRIES),
        ] {
            let again = (0..).take_while(|tried| is_tried_again(code, *tried));
            assert_eq!(
                again.count() + 1,
                usize::try_from(tries).unwrap(),
                "{code:?}"
            );
        }
        let error = Error::new(Code::StorageFull, "No room.");
        assert_eq!(last_words(&error, 0), "No room.");
        assert!(last_words(&error, 4).starts_with("No room. The file was read 5 times"));
    }
}
