//! A record that is refused: why, what is said about it, and how it is kept.

use super::personal::blank_personal_data;
use crate::domain::draft::{Place, Reject, RejectReason};

/// How much of a refused record is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// Why a record is refused, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RejectReason,
    /// The field at fault, as upstream calls it.
    pub field: Option<String>,
    /// A sentence with the limit and the remedy.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(
        reason: RejectReason,
        field: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            field: field.map(str::to_owned),
            message: message.into(),
        }
    }

    /// The refusal of the record that stood there; its text is kept without personal data and at most 64 KiB of it.
    #[must_use]
    pub fn at(self, place: Place, raw: &[u8]) -> Reject {
        let Self {
            reason,
            field,
            message,
        } = self;
        Reject {
            place,
            reason,
            field,
            message,
            raw: kept(raw),
        }
    }
}

/// What is kept of a record's bytes: readable text without personal data and without U+0000, which PostgreSQL cannot
/// store.
fn kept(raw: &[u8]) -> String {
    let raw = raw.get(..KEPT).unwrap_or(raw);
    let mut text = blank_personal_data(&String::from_utf8_lossy(raw)).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(KEPT));
    text
}
