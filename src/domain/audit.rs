//! The trail of what was done: by administrators to keys and addresses of postbacks, and by whoever may to what everybody
//! of a publisher sees. Imports are no part of it: their runs tell of themselves.

use super::action::words;
use super::time::Instant;
use uuid::Uuid;

words! {
    /// What was done.
    Act {
        /// Made a key.
        KeyCreated = "KEY_CREATED",
        /// Changed what a key may do or see.
        KeyUpdated = "KEY_UPDATED",
        /// Gave a key another secret.
        KeyRotated = "KEY_ROTATED",
        /// Revoked a key.
        KeyRevoked = "KEY_REVOKED",
        /// Made an address for postbacks.
        PostbackSecretCreated = "POSTBACK_SECRET_CREATED",
        /// Revoked an address for postbacks.
        PostbackSecretRevoked = "POSTBACK_SECRET_REVOKED",
        /// Stored how links of an ad space and a program are made.
        DeeplinkSet = "DEEPLINK_SET",
        /// Removed what was stored of that by hand.
        DeeplinkRemoved = "DEEPLINK_REMOVED",
        /// Chose what names the users of an ad space.
        AdSpaceUsersUpdated = "AD_SPACE_USERS_UPDATED",
        /// Said that a name belongs to an ad space.
        AdSpaceNamed = "AD_SPACE_NAMED",
        /// Defined a segment.
        SegmentCreated = "SEGMENT_CREATED",
        /// Changed a segment.
        SegmentUpdated = "SEGMENT_UPDATED",
        /// Put a segment away.
        SegmentArchived = "SEGMENT_ARCHIVED",
        /// Took a segment back that was put away.
        SegmentRestored = "SEGMENT_RESTORED",
        /// Took the members of a segment as a new one.
        SegmentFrozen = "SEGMENT_FROZEN",
        /// Changed the parameters of the built-in segments.
        SegmentSettingsUpdated = "SEGMENT_SETTINGS_UPDATED",
        /// Changed the list of priority products.
        PriorityProductsChanged = "PRIORITY_PRODUCTS_CHANGED",
        /// Had rejected records of a run read again, as they were or corrected.
        RecordsRetried = "RECORDS_RETRIED",
    }
}

/// Who does something, from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who, in words.
    pub name: String,
    /// The address that the request came from; none for the command line.
    pub address: Option<String>,
}

/// What the trail says of a change, beside what the change says itself: who makes it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Id of the entry: sorted by time, otherwise random. A note is for one entry.
    pub id: Uuid,
    /// Who.
    pub actor: Actor,
    /// When.
    pub now: Instant,
}

/// What was done to what, in the words of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What.
    pub act: Act,
    /// To what: the public part of a key or of an address for postbacks, the id of a row, or the name of what there is one
    /// of.
    pub subject: String,
    /// What it is now, in words; never a secret.
    pub detail: String,
}

impl Deed {
    /// What was done to a row.
    #[must_use]
    pub fn to_row(act: Act, id: Uuid, detail: String) -> Self {
        Self {
            act,
            subject: id.to_string(),
            detail,
        }
    }
}

/// An entry of the trail. There is no way to change or remove one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Sorted by time, otherwise random.
    pub id: Uuid,
    /// When.
    pub at: Instant,
    /// Who, from where.
    pub actor: Actor,
    /// What, to what.
    pub deed: Deed,
}
