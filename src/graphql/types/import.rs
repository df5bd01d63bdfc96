//! Import runs and what they rejected.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use uuid::Uuid;

use super::Member;
use super::action::keys;
use super::words::ImportState;
use crate::domain::records;
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, connection};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{BigInt, DateTime, count};
use crate::graphql::siblings::{Group, pages_of_siblings};
use crate::store::imports::{rejects_kept, rejects_of};

/// An import run.
pub type ImportRun = Member<records::ImportRun>;

/// A run of an import.
#[Object(name = "ImportRun")]
impl ImportRun {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::ImportRun.id(self.key())
    }

    /// The entrance through which the data came, such as "FILE".
    async fn entrance(&self) -> &str {
        &self.entrance
    }

    /// The name of the file.
    async fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, or that it has not.
    async fn state(&self) -> ImportState {
        self.state.into()
    }

    /// When it started.
    async fn started_at(&self) -> DateTime {
        DateTime(self.started_at)
    }

    /// When it ended; null while it runs, and where it was cut off.
    async fn finished_at(&self) -> Option<DateTime> {
        self.finished_at.map(DateTime)
    }

    /// When the states that it brought were observed.
    async fn as_of(&self) -> DateTime {
        DateTime(self.as_of)
    }

    /// What became of its records.
    async fn counts(&self) -> Result<ImportCounts> {
        let counts = &self.counts;
        Ok(ImportCounts {
            read: count(counts.read)?,
            inserted: count(counts.inserted)?,
            updated: count(counts.updated)?,
            unchanged: count(counts.unchanged)?,
            stale: count(counts.stale)?,
            deleted: count(counts.deleted)?,
            rejected: count(counts.rejected)?,
            rounded: count(counts.rounded)?,
        })
    }

    /// Bytes of the file that were read so far and whose records are stored, packed as it came; 0 while the file is read through
    /// for the first time, and null for runs that read no export.
    async fn bytes_read(&self) -> Option<BigInt> {
        self.bytes_read.map(BigInt)
    }

    /// Bytes of the file; null for standard input and pipes, whose size nobody knows, and for runs that read no export.
    async fn bytes_total(&self) -> Option<BigInt> {
        self.bytes_total.map(BigInt)
    }

    /// Why it failed, or what was in the way of an upload that is going to be read again; null otherwise.
    async fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The records that were rejected and kept, in their order; at most 10000 of a run are kept, for as long as the server
    /// is told to; `counts` has them all.
    async fn rejected_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only those that were mended since, or only those that were not; all unless given."
        )]
        resolved: Option<bool>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<RejectedRecordConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found =
            async { RejectedRecordConnection::of(self, request(ctx)?, resolved, &page).await };
        Some(found.await)
    }
}

/// What became of the records of an import run.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct ImportCounts {
    /// Records read.
    read: i32,
    /// Actions that were new.
    inserted: i32,
    /// Actions that changed.
    updated: i32,
    /// Records that changed nothing.
    unchanged: i32,
    /// Records older than what is stored; at most the history changed.
    stale: i32,
    /// Actions that a full re-read of upstream no longer had.
    deleted: i32,
    /// Records that were rejected.
    rejected: i32,
    /// Amounts that were rounded to four decimals.
    rounded: i32,
}

/// A record that was rejected.
pub type RejectedRecord = Member<records::RejectedRecord>;

/// A record that an import rejected.
#[Object(name = "RejectedRecord")]
impl RejectedRecord {
    /// Number among the rejected records of its run, from 0.
    async fn ordinal(&self) -> i32 {
        self.ordinal
    }

    /// The page of the input, from 1.
    async fn page(&self) -> Result<i32> {
        count(i64::from(self.place.page))
    }

    /// Place on its page, from 0.
    async fn index(&self) -> Result<i32> {
        count(i64::from(self.place.index))
    }

    /// Byte of the input at which it begins, from 0.
    async fn byte(&self) -> BigInt {
        BigInt(i64::try_from(self.place.byte).unwrap_or(i64::MAX))
    }

    /// Line of the input on which it begins, from 1.
    async fn line(&self) -> BigInt {
        BigInt(i64::try_from(self.place.line).unwrap_or(i64::MAX))
    }

    /// Why, as a stable code.
    async fn reason(&self) -> &str {
        &self.reason
    }

    /// The field at fault, where it is one.
    async fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Why, in a sentence.
    async fn message(&self) -> &str {
        &self.message
    }

    /// The run by which it was mended; null where nobody has.
    async fn resolved_by_run(&self) -> Option<ID> {
        let run = self.resolved_by_run?;
        Some(Kind::ImportRun.id(run))
    }

    /// The record as it came, without personal data.
    async fn raw(&self) -> &str {
        &self.raw
    }
}

connection! {
    /// A page of import runs.
    ImportConnection, ImportEdge of ImportRun
}

connection! {
    /// A page of rejected records.
    RejectedRecordConnection, RejectedRecordEdge of RejectedRecord
}

impl RejectedRecordConnection {
    async fn of(
        run: &ImportRun,
        request: &Arc<RequestContext>,
        resolved: Option<bool>,
        page: &PageArgs,
    ) -> Result<Self> {
        let order = request.order(match resolved {
            None => "rejectedRecords",
            Some(true) => "rejectedRecords resolved",
            Some(false) => "rejectedRecords unresolved",
        });
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<records::ImportRun>>| {
            let page = page.clone();
            async move {
                Ok(pages_of_siblings(
                    rejects_of(&request.tx, request.scope, &keys(&group), resolved, &page).await?,
                ))
            }
        };
        let pages: Arc<HashMap<Uuid, _>> = run
            .batch("rejectedRecords", &(resolved, page.clone()), load)
            .await?;
        let asked = (Arc::clone(request), run.clone());
        let count = Count::ask(move || {
            let (request, run) = asked.clone();
            async move { kept(&run, &request, resolved).await }
        });
        Ok(Self {
            slice: Slice::new(pages.get(&run.key()).cloned().unwrap_or_default(), order),
            count,
        })
    }
}

async fn kept(
    run: &ImportRun,
    request: &Arc<RequestContext>,
    resolved: Option<bool>,
) -> Result<i64> {
    let load = |group: Arc<Group<records::ImportRun>>| async move {
        Ok(rejects_kept(&request.tx, request.scope, &keys(&group), resolved).await?)
    };
    let kept: Arc<HashMap<Uuid, i64>> = run.batch("rejectsKept", &resolved, load).await?;
    Ok(kept.get(&run.key()).copied().unwrap_or(0))
}
