//! The trail of what was done, as administrators see it.

use async_graphql::{Enum, Object};
use uuid::Uuid;

use crate::domain::audit::{Act, AuditEntry as Entry};
use crate::graphql::connection::connection;
use crate::graphql::id::Kind;
use crate::graphql::scalar::DateTime;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Act")]
pub enum AuditAct {
    /// Made a key.
    KeyCreated,
    /// Changed what a key may do or see.
    KeyUpdated,
    /// Gave a key another secret.
    KeyRotated,
    /// Revoked a key.
    KeyRevoked,
    /// Made an address for postbacks.
    PostbackSecretCreated,
    /// Revoked an address for postbacks.
    PostbackSecretRevoked,
    /// Stored how links of an ad space and a program are made.
    DeeplinkSet,
    /// Removed what was stored of that by hand.
    DeeplinkRemoved,
    /// Chose what names the users of an ad space.
    AdSpaceUsersUpdated,
    /// Said that a name belongs to an ad space.
    AdSpaceNamed,
    /// Defined a segment.
    SegmentCreated,
    /// Changed a segment.
    SegmentUpdated,
    /// Put a segment away.
    SegmentArchived,
    /// Took a segment back that was put away.
    SegmentRestored,
    /// Took the members of a segment as a new one.
    SegmentFrozen,
    /// Changed the parameters of the built-in segments.
    SegmentSettingsUpdated,
    /// Changed the list of priority products.
    PriorityProductsChanged,
    /// Had rejected records of a run read again, as they were or corrected.
    RecordsRetried,
}

/// The type of the row that something was done to, where it was one.
fn kind_of(act: Act) -> Option<Kind> {
    match act {
        Act::DeeplinkSet | Act::DeeplinkRemoved | Act::AdSpaceUsersUpdated | Act::AdSpaceNamed => {
            Some(Kind::AdSpace)
        }
        Act::SegmentCreated
        | Act::SegmentUpdated
        | Act::SegmentArchived
        | Act::SegmentRestored
        | Act::SegmentFrozen => Some(Kind::Segment),
        Act::RecordsRetried => Some(Kind::ImportRun),
        Act::KeyCreated
        | Act::KeyUpdated
        | Act::KeyRotated
        | Act::KeyRevoked
        | Act::PostbackSecretCreated
        | Act::PostbackSecretRevoked
        | Act::SegmentSettingsUpdated
        | Act::PriorityProductsChanged => None,
    }
}

/// An entry of the trail. There is no way to change or remove one.
#[derive(Clone)]
pub struct AuditEntry(pub Entry);

/// An entry of the trail of what was done. There is no way to change or remove one.
#[Object]
impl AuditEntry {
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who: a key by its public part, the subject of a token, or the command line.
    async fn actor(&self) -> &str {
        &self.0.actor.name
    }

    /// The address that the request came from; null for the command line.
    async fn address(&self) -> Option<&str> {
        self.0.actor.address.as_deref()
    }

    /// What.
    async fn act(&self) -> AuditAct {
        let act: Act = self.0.deed.act;
        act.into()
    }

    /// To what: a key or an address for postbacks by its public part; a segment, an ad space (of links, users and names) or a run
    /// (of rejected records) by its id; else `segmentSettings` or `priorityProducts`.
    async fn subject(&self) -> String {
        let subject = &self.0.deed.subject;
        let row = kind_of(self.0.deed.act).zip(Uuid::try_parse(subject).ok());
        row.map_or_else(|| subject.clone(), |(kind, id)| kind.id(id).0)
    }

    /// What it is since then, in words, without secrets; empty where the act says all.
    async fn detail(&self) -> &str {
        &self.0.deed.detail
    }
}

connection! {
    /// A page of the trail of what was done.
    AuditEntryConnection, AuditEntryEdge of AuditEntry
}
