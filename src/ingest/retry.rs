//! Rejected records once more: as they were kept, or as somebody mended them, by the same way as any record, in a run of
//! their own.

use super::normalize::NormalizeContext;
use super::pipeline::{Entrance, run_id};
use super::raw::RawRecord;
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::draft::{ActionDraft, Reject};
use crate::domain::error::Result;
use crate::domain::records::{ImportRun, RejectedRecord, RunState};
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::apply::{Batch, apply};
use crate::store::imports::{NewRun, begin_told, finish, resolve};
use crate::store::{Store, apart};
use uuid::Uuid;

/// How many records are written at once.
const BATCH: usize = 2_000;

/// A rejected record, and its text as it is to be read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// As it was kept.
    pub kept: RejectedRecord,
    /// The text, where it is another than what was kept.
    pub text: Option<String>,
}

/// Reads records again, under a run that is named after theirs; gives its id. Those that are understood now are noted
/// as mended, the others are rejected records of the new run.
///
/// Their states count as observed when those of the old run were; `offset_minutes` is that of times without one.
///
/// # Errors
/// When the database fails; what was written before is stored, and the same again changes nothing.
pub async fn retry(
    store: &Store,
    scope: WriteScope,
    run: &ImportRun,
    records: Vec<Mended>,
    offset_minutes: i32,
    note: &Note,
) -> Result<Uuid> {
    let now = note.now;
    let id = run_id(now)?;
    let begun = NewRun {
        id,
        entrance: Entrance::Retry.as_str(),
        name: format!("Rejected records of {}", run.name),
        started_at: now,
        as_of: run.as_of,
    };
    let corrected = records
        .iter()
        .filter(|record| record.text.is_some())
        .count();
    let detail = format!(
        "{} records of {:?}, {corrected} of them corrected",
        records.len(),
        run.name
    );
    let deed = Deed::to_row(Act::RecordsRetried, run.id, detail);
    begin_told(store, scope, (&begun, offset_minutes), (note, &deed)).await?;
    let context = NormalizeContext {
        offset_minutes,
        observed_at: run.as_of,
    };
    let written = write(store, scope, (run.id, id), &records, (&context, now)).await;
    let outcome = match &written {
        Ok(0) => (RunState::Succeeded, None),
        Ok(_) => (RunState::Partial, None),
        Err(error) => (RunState::Failed, Some(error.message())),
    };
    finish(store, scope, id, now, outcome).await?;
    written.map(|_| id)
}

/// As [`retry`], on a thread of its own, for callers that want a future which can be sent between threads; once begun it
/// goes on, whether or not its caller waits.
///
/// # Errors
/// As [`retry`].
pub async fn retry_apart(
    store: Store,
    scope: WriteScope,
    run: ImportRun,
    records: Vec<Mended>,
    offset_minutes: i32,
    note: Note,
) -> Result<Uuid> {
    apart(async move || retry(&store, scope, &run, records, offset_minutes, &note).await).await
}

/// Writes what is understood; gives how many are not.
async fn write(
    store: &Store,
    scope: WriteScope,
    (old, new): (Uuid, Uuid),
    records: &[Mended],
    (context, now): (&NormalizeContext, Instant),
) -> Result<i64> {
    let mut rejected = 0;
    for records in records.chunks(BATCH) {
        let (mut drafts, mut rejects, mut mended) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match read(record, context) {
                Ok(draft) => {
                    drafts.push(draft);
                    mended.push(record.kept.ordinal);
                }
                Err(reject) => rejects.push(*reject),
            }
        }
        let batch = Batch {
            run_id: new,
            drafts: &drafts,
            deletions: &[],
            rejects: &rejects,
            rejected_before: rejected,
            sync: None,
            bytes_read: None,
            now,
        };
        apply(store, scope, batch).await?;
        resolve(store, scope, old, &mended, new).await?;
        rejected += i64::try_from(rejects.len()).unwrap_or(i64::MAX);
    }
    Ok(rejected)
}

fn read(record: &Mended, context: &NormalizeContext) -> Result<ActionDraft, Box<Reject>> {
    let text = record.text.as_ref().unwrap_or(&record.kept.raw);
    let raw = RawRecord {
        place: record.kept.place,
        text: text.clone(),
    };
    raw.draft(context)
}
