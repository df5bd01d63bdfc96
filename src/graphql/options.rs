//! How an engine is set, and how a request is paid for.

use super::document::DocumentLimits;
use super::error::Bounds;
use crate::access::budget::Allowance;
use crate::domain::query_limits::QueryLimits;
use crate::domain::report::ReportLimits;
use crate::domain::traffic::LinkSettings;
use std::sync::Arc;

/// The limits of an engine, those of the door before it, which `limits` tells with them, and what else is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// What documents may be.
    pub documents: DocumentLimits,
    /// What the door allows.
    pub door: DoorLimits,
    /// What a report or a ranking may read.
    pub reports: ReportLimits,
    /// What questions and changes may hold.
    pub queries: QueryLimits,
    /// What the configuration says of affiliate links.
    pub links: Arc<LinkSettings>,
    /// How answers are written.
    pub writing: Writing,
}

/// How answers are written; they are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// Rows of plain values at once.
    #[default]
    AtOnce,
    /// Field by field, as the framework does it: what the other is compared with.
    ByField,
}

impl EngineOptions {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            errors: self.documents.errors,
            message_chars: self.documents.message_chars,
        }
    }
}

/// The limits of whoever takes requests in: told here, kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorLimits {
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// Bytes of a file that is sent to be imported.
    pub import_bytes: u64,
    /// Files of a publisher that may wait to be imported.
    pub waiting_imports: u64,
    /// Bytes that they may have together.
    pub waiting_import_bytes: u64,
    /// Bytes of an answer.
    pub answer_bytes: u64,
    /// Milliseconds that a request's head may take to arrive.
    pub head_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes: u64,
    /// Milliseconds that an answer may wait for its reader.
    pub send_ms: u64,
    /// Bytes of all answers that wait for their readers.
    pub unsent_bytes: u64,
    /// Milliseconds that a request's body may take to arrive.
    pub body_ms: u64,
    /// Milliseconds that an operation may take.
    pub operation_ms: u64,
    /// Milliseconds that a statement may take.
    pub statement_ms: u64,
    /// Seconds for which a connection without a request is kept.
    pub keep_alive_seconds: u64,
    /// Operations that run at the same time.
    pub operations: u64,
    /// Operations of one caller that run at the same time.
    pub operations_per_caller: u64,
    /// Those of them that come from one address; 0 where they are not counted.
    pub operations_per_address: u64,
    /// Connections that are open at the same time.
    pub connections: u64,
    /// Connections of one address that are open at the same time; 0 where they are not counted.
    pub connections_per_address: u64,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1_000_000,
            import_bytes: 1 << 30,
            waiting_imports: 100,
            waiting_import_bytes: 10 << 30,
            answer_bytes: 10_000_000,
            head_ms: 5_000,
            head_bytes: 32_768,
            send_ms: 30_000,
            unsent_bytes: 256_000_000,
            body_ms: 10_000,
            operation_ms: 10_000,
            statement_ms: 5_000,
            keep_alive_seconds: 30,
            operations: 256,
            operations_per_caller: 64,
            operations_per_address: 16,
            connections: 10_000,
            connections_per_address: 1_000,
        }
    }
}

/// How a request is paid for.
#[derive(Clone, Debug, Default)]
pub struct Spending {
    /// The caller's bucket; none where nothing is counted.
    pub allowance: Option<Allowance>,
    /// Whether only the cost is asked for: nothing is executed.
    pub estimate_only: bool,
    /// Points that reading the request took, beyond what every request takes.
    pub reading: u64,
}

impl Spending {
    /// Points that the caller can ever have at a time.
    pub(super) fn capacity(&self) -> u64 {
        let allowance = self.allowance.as_ref();
        allowance.map_or(u64::MAX, |allowance| allowance.terms().capacity)
    }
}

/// Whether a caller may ask for the schema itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Introspection {
    /// Yes.
    #[default]
    Allowed,
    /// No.
    Refused,
}
