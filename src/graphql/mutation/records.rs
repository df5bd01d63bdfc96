//! Rejected records are mended.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{UserError, bounded};
use crate::domain::error::{Code, PassedLimit};
use crate::domain::records;
use crate::domain::scope::{KeyScope, WriteScope};
use crate::domain::sync::Feed;
use crate::domain::time::parse_offset;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::siblings::alone;
use crate::graphql::types::import::ImportRun;
use crate::ingest::normalize::DEFAULT_OFFSET_MINUTES;
use crate::ingest::pipeline::Entrance;
use crate::ingest::retry::{Mended, retry_apart};
use crate::store::{ReadTx, imports};

/// A rejected record, mended or as it is.
#[derive(Debug, InputObject)]
pub struct RetriedRecord {
    /// Its number among the rejected records of its run.
    ordinal: i32,
    /// The record as it is to be read, a JSON object with the names of Admitad's API; as it was kept unless given.
    json: Option<String>,
}

/// What became of rejected records that were tried again.
#[derive(Clone, SimpleObject)]
pub struct RetryRejectedRecordsPayload {
    /// The run that read them: its own rejected records are those that are still not understood. Null where nothing was
    /// done.
    run: Option<ImportRun>,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

/// Mends rejected records.
#[derive(Default)]
pub struct RecordChanges;

#[Object]
impl RecordChanges {
    /// Reads rejected records of a run once more, as they are or mended, by the way of all records. Those that are
    /// understood now are noted as mended; the same again changes nothing. Runs of a product feed or a ledger hold no
    /// actions: mend their file and import it again. Neither do runs of the sync that read clicks, a balance, commission
    /// rates, links, programs or ad spaces: those are read again by themselves. It needs a key with the scope IMPORT.
    async fn retry_rejected_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run that rejected them.")] run: ID,
        #[graphql(desc = "Which of them, at most 1000 by default.")] records: Option<
            Vec<RetriedRecord>,
        >,
        #[graphql(
            desc = "All that are kept and not mended yet, as they are; instead of `records`.",
            default = false
        )]
        all: bool,
        #[graphql(
            desc = "The offset of times that name none, such as \"+03:00\"; that of the run unless given."
        )]
        utc_offset: Option<String>,
    ) -> Option<Result<RetryRejectedRecordsPayload>> {
        let asked = Asked {
            run,
            records,
            all,
            utc_offset,
        };
        let done = async { asked.run(request(ctx)?).await };
        Some(done.await)
    }
}

struct Asked {
    run: ID,
    records: Option<Vec<RetriedRecord>>,
    all: bool,
    utc_offset: Option<String>,
}

impl Asked {
    async fn run(self, request: &Arc<RequestContext>) -> Result<RetryRejectedRecordsPayload> {
        request.viewer.check(KeyScope::Import)?;
        let store = request.tx.store();
        // The request's own transaction begins with what the answer reads, behind the writing.
        let tx = ReadTx::new(store);
        let asked = match self.utc_offset.as_deref().map(parse_offset).transpose() {
            Ok(offset) => offset,
            Err(message) => return Ok(wrong(&["utcOffset"], Code::BadUserInput, &message)),
        };
        let key = Kind::ImportRun.key(&self.run);
        let found = match key {
            Some(key) => imports::by_ids(&tx, request.scope, &[key]).await?.pop(),
            None => None,
        };
        let Some(run) = found else {
            let message = "there is no such run; `imports` lists them";
            return Ok(wrong(&["run"], Code::NotFound, message));
        };
        if let Some(message) = no_actions(&run) {
            return Ok(wrong(&["run"], Code::BadUserInput, message));
        }
        let chosen = match self.chosen(&tx, request, &run).await? {
            Ok(chosen) => chosen,
            Err(payload) => return Ok(payload),
        };
        drop(tx);
        let scope = WriteScope::for_entrance(request.viewer.publisher.id);
        let offset = asked
            .or(run.offset_minutes)
            .unwrap_or(DEFAULT_OFFSET_MINUTES);
        let id = retry_apart(store.clone(), scope, run, chosen, offset, request.note()?).await?;
        request.renew().await;
        let found = imports::by_ids(&request.tx, request.scope, &[id]).await?;
        Ok(RetryRejectedRecordsPayload {
            run: found.into_iter().next().map(|run| alone(Arc::new(run))),
            user_errors: Vec::new(),
        })
    }

    /// The records that were named, or what is wrong with the naming.
    async fn chosen(
        self,
        tx: &ReadTx,
        request: &Arc<RequestContext>,
        run: &records::ImportRun,
    ) -> Result<std::result::Result<Vec<Mended>, RetryRejectedRecordsPayload>> {
        let named = match (self.records, self.all) {
            (None, true) => {
                let kept = imports::unresolved(tx, request.scope, run.id, None).await?;
                let all = kept.into_iter().map(|kept| Mended { kept, text: None });
                return Ok(Ok(all.collect()));
            }
            (Some(named), false) if !named.is_empty() => named,
            _ => {
                let message = "name records, or ask for all of them: one of the two";
                return Ok(Err(wrong(&["records"], Code::BadUserInput, message)));
            }
        };
        let most = request.limits.queries.retried_records;
        if named.len() > most {
            let message = format!(
                "{} records are too many, at most {most} are allowed: send them in several requests",
                named.len()
            );
            let passed = PassedLimit::of("retriedRecords", most, named.len());
            let error = UserError::new("records", Code::LimitExceeded, message);
            return Ok(Err(RetryRejectedRecordsPayload {
                run: None,
                user_errors: vec![error.passing(Some(passed))],
            }));
        }
        let ordinals: Vec<i32> = named.iter().map(|record| record.ordinal).collect();
        let kept = imports::unresolved(tx, request.scope, run.id, Some(&ordinals)).await?;
        let mut kept: HashMap<i32, records::RejectedRecord> = kept
            .into_iter()
            .map(|record| (record.ordinal, record))
            .collect();
        let mut chosen = Vec::with_capacity(named.len());
        let mut user_errors = Vec::new();
        for (place, record) in named.into_iter().enumerate() {
            match kept.remove(&record.ordinal) {
                Some(kept) => chosen.push(Mended {
                    kept,
                    text: record.json,
                }),
                None => {
                    let message = format!(
                        "there is no rejected record {} of this run that is kept, not mended and not named twice",
                        record.ordinal
                    );
                    let field = ["records", &place.to_string(), "ordinal"];
                    user_errors.push(UserError::at(field, Code::NotFound, &message));
                }
            }
        }
        if user_errors.is_empty() {
            return Ok(Ok(chosen));
        }
        Ok(Err(RetryRejectedRecordsPayload {
            run: None,
            user_errors: bounded(user_errors, "records"),
        }))
    }
}

/// Why the records of a run cannot be tried again one by one: they are no actions, and would be refused as such for ever.
fn no_actions(run: &records::ImportRun) -> Option<&'static str> {
    let is_api = run.entrance == Entrance::Api.as_str();
    if is_api && Feed::of_run(&run.name).is_some_and(|feed| !feed.is_of_actions()) {
        return Some(
            "the run read something else than actions (its name says what), which is read again by itself: the next run takes these records as soon as Admitad sends them in order",
        );
    }
    // A feed and a ledger mean something as a whole only: what they lack is gone.
    if run.entrance == Entrance::Feed.as_str() {
        Some(
            "the run read a product feed, whose offers are no actions; mend the file and import it again with `actiongraph feed import`",
        )
    } else if run.entrance == Entrance::Adjustments.as_str() {
        Some(
            "the run read a ledger, whose lines are no actions; mend the file and import it again with `actiongraph adjustments import`",
        )
    } else {
        None
    }
}

fn wrong(field: &[&str], code: Code, message: &str) -> RetryRejectedRecordsPayload {
    RetryRejectedRecordsPayload {
        run: None,
        user_errors: vec![UserError::at(field.iter().copied(), code, message)],
    }
}
