//! The door for files: `POST /import`. The body goes into a file as it comes, and the file into the queue.
//!
//! What is in it is recognised by the worker that reads it: any format that `actiongraph import` takes.

use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use url::form_urlencoded;
use uuid::Uuid;

use super::error::Refusal;
use super::observe::reference_of;
use super::state::HttpState;
use super::viewer::{address_of, viewer};
use crate::access::REMEMBERED;
use crate::clock::Clock;
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::records::{ImportRun, RunState};
use crate::domain::scope::{KeyScope, Viewer, WriteScope};
use crate::domain::time::{Instant, parse_offset};
use crate::graphql::id::Kind;
use crate::ingest::normalize::DEFAULT_OFFSET_MINUTES;
use crate::ingest::pipeline::{check_as_of, run_id as new_run_id};
use crate::ingest::uploads::{Full, Room, UploadLimits};
use crate::store::uploads::{Upload, Waiting, enqueue, is_queued, queued as queued_of};
use crate::store::{ReadTx, imports};

/// The slowest that a body may come, in bytes a second, beside the time that every body has.
const SLOWEST: u64 = 16 * 1024;

/// After how many seconds a file may be sent again that had no room.
const RETRY_SECONDS: u64 = 10;

/// How long the database may take for all that is asked of it while a file is taken: where it does not answer, the sender
/// is told so within eight seconds.
const DATABASE: Duration = Duration::from_secs(7);

/// How long the database is asked whether a file is in the queue, where it did not answer when it was put there.
const DOUBT: Duration = Duration::from_secs(120);

/// What the address says of a file.
struct Asked {
    name: String,
    as_of: Option<Instant>,
    offset_minutes: i32,
    wait: bool,
}

/// Takes a file.
pub async fn post(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    match take(&request, payload, &state).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.error_response(),
    }
}

async fn take(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let reference = reference_of(request);
    let refuse = |error: Error| Refusal::of(&error, &reference);
    let mut patience = Patience::new(&reference);
    let viewer = patience.within(importer(request, state)).await?;
    // A file on its way takes a connection, a disk and, when it waits, a look at the database now and then.
    let pass = state
        .turnstile
        .enter(viewer.caller(), address_of(request))?;
    request.extensions_mut().insert(pass);
    let asked = asked(request.query_string(), state.now())?;
    check_coding(request)?;
    let scope = WriteScope::for_entrance(viewer.publisher.id);
    let mut room = state.uploads.enter(scope.publisher());
    let limits = state.uploads.limits();
    let waiting = patience.within(in_queue(state, scope, &reference)).await?;
    room.behind(waiting).map_err(|full| no_room(limits, full))?;
    check_length(request, limits.bytes)?;
    let now = state.now();
    let run_id = new_run_id(now).map_err(refuse)?;
    let mut part = Part::begin(state, run_id, room)
        .await
        .map_err(|error| error.into_refusal(&reference))?;
    let received = receive(payload, &mut part, state).await;
    let bytes = received.map_err(|error| error.into_refusal(&reference))?;
    // The file may have come for hours: by now the key may be revoked, or be another one's.
    patience.within(importer(request, state)).await?;
    let waiting = patience.within(in_queue(state, scope, &reference)).await?;
    part.room
        .settle(waiting)
        .map_err(|full| no_room(limits, full))?;
    let upload = Upload {
        scope,
        run_id,
        name: asked.name,
        as_of: asked.as_of,
        offset_minutes: asked.offset_minutes,
        queued_at: now,
    };
    let ends = state.uploads.ends();
    #[expect(
        clippy::disallowed_methods,
        reason = "its end is awaited below as long as the sender waits; it takes a write or two"
    )]
    let queueing = actix_web::rt::spawn(queue(state.clone(), part, upload, bytes));
    let queueing = async {
        let queueing = queueing.await.map_err(Error::internal);
        queueing.flatten().map_err(refuse)
    };
    patience.within(queueing).await?;
    if !asked.wait {
        return Ok(answer(StatusCode::ACCEPTED, &queued(run_id, bytes)));
    }
    reported(request, state, (run_id, bytes), ends).await
}

/// Whoever sends a file, and may.
async fn importer(request: &HttpRequest, state: &HttpState) -> Result<Arc<Viewer>, Refusal> {
    let viewer = viewer(request, state).await?;
    viewer
        .check(KeyScope::Import)
        .map_err(|error| Refusal::of(&error, &reference_of(request)))?;
    Ok(viewer)
}

/// What of a publisher waits already.
async fn in_queue(
    state: &HttpState,
    scope: WriteScope,
    reference: &str,
) -> Result<Waiting, Refusal> {
    let waiting = queued_of(&state.store, scope).await;
    waiting.map_err(|error| Refusal::of(&error, reference))
}

/// Refuses a file that is announced as too large before any of it is read.
fn check_length(request: &HttpRequest, most: u64) -> Result<(), Refusal> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    match announced.filter(|length| *length > most) {
        Some(length) => Err(too_large(most, length)),
        None => Ok(()),
    }
}

/// What is left of the time that the database has for a file.
struct Patience<'a> {
    /// Senders wait in the machine's time, whatever the clock of the server says.
    stopwatch: Clock,
    left: Duration,
    reference: &'a str,
}

impl<'a> Patience<'a> {
    fn new(reference: &'a str) -> Self {
        Self {
            stopwatch: Clock::system(),
            left: DATABASE,
            reference,
        }
    }

    /// Does one step of what the database has to do.
    async fn within<T>(
        &mut self,
        step: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let begun = self.stopwatch.elapsed();
        let done = tokio::time::timeout(self.left, step).await;
        let took = self.stopwatch.elapsed().saturating_sub(begun);
        self.left = self.left.saturating_sub(took);
        done.unwrap_or_else(|_| Err(Refusal::of(&busy(), self.reference)))
    }
}

/// The database did not answer in time.
fn busy() -> Error {
    Error::new(
        Code::ServiceUnavailable,
        "The database is busy or cannot be reached; send the file again in a moment.",
    )
}

/// Waits until a run has ended, and reports it for as long as its sender is known: whoever waits is recognised again as often
/// as a key is trusted without asking.
async fn reported(
    request: &HttpRequest,
    state: &HttpState,
    (run_id, bytes): (Uuid, u64),
    mut ends: watch::Receiver<u64>,
) -> Result<HttpResponse, Refusal> {
    loop {
        match ended(request, state, run_id).await {
            Ok(Some(run)) => return Ok(answer(StatusCode::OK, &report(&run))),
            Ok(None) => {}
            // The file is in the queue; its sender waits for the database, as it does.
            Err(refusal) if matches!(refusal.code(), Code::ServiceUnavailable | Code::Timeout) => {}
            Err(refusal) => return Err(refusal),
        }
        if let Ok(Err(_)) = tokio::time::timeout(REMEMBERED, ends.changed()).await {
            return Ok(answer(StatusCode::ACCEPTED, &queued(run_id, bytes)));
        }
    }
}

/// A run that has ended, for whoever may know of it still.
async fn ended(
    request: &HttpRequest,
    state: &HttpState,
    run_id: Uuid,
) -> Result<Option<ImportRun>, Refusal> {
    let viewer = importer(request, state).await?;
    let run = found(state, &viewer, run_id).await;
    let run = run.map_err(|error| Refusal::of(&error, &reference_of(request)))?;
    Ok(run.filter(|run| !matches!(run.state, RunState::Queued | RunState::Running)))
}

/// A file that is not whole yet. It stays open until it has its last name: whoever sweeps would take it for one that was
/// left behind otherwise.
struct Part {
    path: PathBuf,
    file: File,
    /// The room that it takes until it is queued.
    room: Room,
}

impl Part {
    async fn begin(state: &Data<HttpState>, run_id: Uuid, room: Room) -> Result<Self, Broken> {
        let uploads = Arc::clone(&state.uploads);
        let path = uploads.part(run_id);
        // It may wait for another server that sweeps.
        let begun = tokio::task::spawn_blocking(move || uploads.begin(run_id)).await;
        let file = begun
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(Broken::Disk)?;
        Ok(Self {
            path,
            file: File::from_std(file),
            room,
        })
    }
}

impl Drop for Part {
    /// What is not there any more cannot be removed, and what is left is of no use.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Moves a file that is whole to where it is read from, and queues it. A sender that goes away meanwhile, or is told that it
/// takes too long, does not stop it: what is in the queue has to be there.
async fn queue(
    state: Data<HttpState>,
    part: Part,
    upload: Upload,
    bytes: u64,
) -> Result<(), Error> {
    let file = state.uploads.file(upload.run_id);
    // How long it has lain without being queued counts from here; where that cannot be noted, from its last byte.
    if let Ok(open) = part.file.try_clone().await {
        let _ = open
            .into_std()
            .await
            .set_modified(state.now().to_utc().into());
    }
    tokio::fs::rename(&part.path, &file)
        .await
        .map_err(|error| stored(&error))?;
    if let Err(error) = kept(state.uploads.folder()).await {
        let _ = tokio::fs::remove_file(&file).await;
        return Err(stored(&error));
    }
    if let Err(error) = enqueue(&state.store, &upload, bytes).await {
        // A commit that was not answered may have put it there; its sender is told in time whatever comes of asking.
        let doubting = state.store.patient(DOUBT);
        let there = match error.code() {
            Code::ServiceUnavailable => is_queued(&doubting, &upload, bytes).await,
            _ => Ok(false),
        };
        match there {
            Ok(true) => {}
            Ok(false) => {
                let _ = tokio::fs::remove_file(&file).await;
                return Err(error);
            }
            Err(doubt) => {
                let cause = doubt.cause().map(ToString::to_string);
                let run = upload.run_id;
                tracing::warn!(%run, cause, "whether a file is queued cannot be told, so it stays: {doubt}");
                return Err(error);
            }
        }
    }
    state.uploads.tell_arrived();
    Ok(())
}

/// Lets the names in a folder reach the disk: what is in the queue must be found after a loss of power.
async fn kept(folder: &Path) -> std::io::Result<()> {
    // Elsewhere folders cannot be opened.
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = async { File::open(folder).await?.sync_all().await };
    match synced.await {
        Err(error) if !knows_no_sync(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a folder cannot be synced at all, as on some network file systems or where it may be written to and not read: then
/// its names reach the disk when the system sees fit.
fn knows_no_sync(error: &std::io::Error) -> bool {
    /// What Unix calls a file that is not open for this.
    const BAD_FILE: i32 = 9;
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
    ) || error.raw_os_error() == Some(BAD_FILE)
}

/// Reads what the address says.
fn asked(query: &str, now: Instant) -> Result<Asked, Refusal> {
    let mut asked = Asked {
        name: "upload".to_owned(),
        as_of: None,
        offset_minutes: DEFAULT_OFFSET_MINUTES,
        wait: false,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "name" if value.contains('\0') || value.chars().count() > 200 => {
                return Err(Refusal::bad_request(
                    "`name` has at most 200 characters, and none of them is U+0000.",
                ));
            }
            "name" => value.trim().clone_into(&mut asked.name),
            "as_of" => {
                let moment = Instant::parse_rfc3339(&value).map_err(|error| error.to_string());
                let moment = moment.and_then(|at| check_as_of(at, now).map(|()| at));
                asked.as_of = Some(
                    moment.map_err(|error| Refusal::bad_request(format!("`as_of`: {error}")))?,
                );
            }
            "utc_offset" => {
                // In an address a plus sign is a blank.
                let value = value.replacen(' ', "+", 1);
                asked.offset_minutes = parse_offset(&value)
                    .map_err(|error| Refusal::bad_request(format!("`utc_offset`: {error}")))?;
            }
            "wait" => match value.as_ref() {
                "true" | "1" => asked.wait = true,
                "false" | "0" => asked.wait = false,
                _ => return Err(Refusal::bad_request("`wait` is true or false.")),
            },
            other => {
                let other: String = other.chars().take(60).collect();
                return Err(Refusal::bad_request(format!(
                    "There is no parameter {other:?}; there are name, as_of, utc_offset and wait."
                )));
            }
        }
    }
    if asked.name.is_empty() {
        "upload".clone_into(&mut asked.name);
    }
    Ok(asked)
}

/// Packed files are recognised by their content, whether or not a header says so.
fn check_coding(request: &HttpRequest) -> Result<(), Refusal> {
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING);
    let good = codings.all(|coding| {
        coding
            .to_str()
            .is_ok_and(|coding| matches!(coding.trim(), "gzip" | "x-gzip" | "identity"))
    });
    if good {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::BadUserInput,
        "Send the file as it is, or with `Content-Encoding: gzip`.",
    ))
}

/// Why a body is not received.
enum Broken {
    Refused(Refusal),
    Disk(std::io::Error),
}

impl Broken {
    fn into_refusal(self, reference: &str) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Disk(error) => Refusal::of(&stored(&error), reference),
        }
    }
}

/// What a failure to store a file means.
fn stored(error: &std::io::Error) -> Error {
    let full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    if full {
        let words = "No room is left for the file; free some and send it again.";
        return Error::new(Code::StorageFull, words).because(error.to_string());
    }
    Error::internal(error.to_string())
}

/// Writes the body to a file until it has reached the disk; gives its size.
async fn receive(mut payload: Payload, part: &mut Part, state: &HttpState) -> Result<u64, Broken> {
    let limits = state.uploads.limits();
    let most = limits.bytes;
    let begun = state.clock.elapsed();
    let mut bytes: u64 = 0;
    loop {
        // A body has its time, and more the more of it has come.
        let allowed = state.options.body_deadline + Duration::from_secs(bytes / SLOWEST);
        let left = allowed.saturating_sub(state.clock.elapsed().saturating_sub(begun));
        let piece = match tokio::time::timeout(left, payload.next()).await {
            Ok(Some(piece)) => {
                piece.map_err(|_| Broken::Refused(Refusal::bad_request("The body broke off.")))?
            }
            Ok(None) => break,
            Err(_) => {
                let words = format!(
                    "The body came slower than {SLOWEST} bytes a second: send it faster, or in parts."
                );
                let most = allowed.as_millis();
                let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, words)
                    .passing(PassedLimit::uncounted("bodyMilliseconds", most))
                    .with(header::CONNECTION, HeaderValue::from_static("close"));
                return Err(Broken::Refused(refusal));
            }
        };
        let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        bytes += more;
        if bytes > most {
            return Err(Broken::Refused(too_large(most, bytes)));
        }
        part.room
            .take(more)
            .map_err(|full| Broken::Refused(no_room(limits, full)))?;
        part.file.write_all(&piece).await.map_err(Broken::Disk)?;
    }
    if bytes == 0 {
        return Err(Broken::Refused(Refusal::bad_request(
            "The body is empty: send the file as the body, not as a form.",
        )));
    }
    part.file.sync_all().await.map_err(Broken::Disk)?;
    Ok(bytes)
}

fn too_large(most: u64, bytes: u64) -> Refusal {
    let message = format!(
        "The file is larger than {most} bytes: send it in parts, or raise `import_max_bytes` in the server's settings."
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, message)
        .passing(PassedLimit::of("importBytes", most, bytes))
}

/// What a publisher is told whose files wait already.
fn no_room(limits: UploadLimits, full: Full) -> Refusal {
    let (name, most, value, what) = match full {
        Full::Files(files) => ("waitingImports", limits.waiting_files, files, "files"),
        Full::Bytes(bytes) => ("waitingImportBytes", limits.waiting_bytes, bytes, "bytes"),
    };
    let message = format!(
        "More than {most} {what} of this publisher would wait to be imported: send the file again when some are in."
    );
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message)
        .passing(PassedLimit::of(name, most, value))
        .retrying(RETRY_SECONDS)
}

async fn found(
    state: &HttpState,
    viewer: &Viewer,
    run_id: Uuid,
) -> Result<Option<ImportRun>, Error> {
    let tx = ReadTx::new(&state.store);
    let scope = WriteScope::for_entrance(viewer.publisher.id).read();
    Ok(imports::by_ids(&tx, scope, &[run_id]).await?.pop())
}

/// The answer to a file that waits: where to look for it.
fn queued(run_id: Uuid, bytes: u64) -> Value {
    let id = Kind::ImportRun.id(run_id).to_string();
    let see = format!(
        "{{ node(id: \"{id}\") {{ ... on ImportRun {{ state bytesRead bytesTotal counts {{ read rejected }} error }} }} }}"
    );
    json!({ "run": { "id": id, "state": "QUEUED", "bytesTotal": bytes }, "see": see })
}

fn report(run: &ImportRun) -> Value {
    let counts = &run.counts;
    json!({ "run": {
        "id": Kind::ImportRun.id(run.id).to_string(),
        "state": run.state.as_str(),
        "counts": {
            "read": counts.read,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "stale": counts.stale,
            "rejected": counts.rejected,
            "rounded": counts.rounded,
        },
        "error": run.error,
    } })
}

fn answer(status: StatusCode, body: &Value) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("application/json; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"));
    answer.body(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_knows_no_sync_is_good_enough_and_one_that_fails_is_not() {
        // EACCES, EBADF and EINVAL; then EIO, ENOSPC and ENOENT.
        let unsupported = std::io::Error::from(ErrorKind::Unsupported);
        for code in [13, 9, 22] {
            assert!(knows_no_sync(&std::io::Error::from_raw_os_error(code)));
        }
        assert!(knows_no_sync(&unsupported));
        for code in [5, 28, 2] {
            assert!(!knows_no_sync(&std::io::Error::from_raw_os_error(code)));
        }
        let folder = tempfile::tempdir().unwrap();
        kept(folder.path()).await.unwrap();
        if cfg!(unix) {
            assert!(kept(&folder.path().join("missing")).await.is_err());
        }
    }
}
