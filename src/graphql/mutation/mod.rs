//! What can be changed, one file for each thing.
//!
//! A mutation answers a payload with `userErrors` where the arguments are at fault, so that a client can branch; what
//! fails beyond that is an error as everywhere.

pub mod records;
pub mod segment_settings;
pub mod segments;
pub mod traffic;

use async_graphql::{MergedObject, SimpleObject};

use crate::domain::error::{Code, Error};

/// Everything that can be changed. It needs POST and a key with the scope that each field names.
#[derive(Default, MergedObject)]
pub struct Mutation(
    records::RecordChanges,
    traffic::TrafficChanges,
    segments::SegmentMutations,
    segment_settings::SegmentSettingsChange,
    super::keys::KeyMutations,
);

/// What cannot be done with what was sent, for people to mend.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// The argument at fault, from the outside in.
    field: Vec<String>,
    /// A stable code.
    code: String,
    /// What is wrong, and what would be right.
    message: String,
}

impl UserError {
    /// What is wrong at a place, whose steps have dots between.
    pub fn new(place: &str, code: Code, message: impl Into<String>) -> Self {
        Self::at(place.split('.'), code, message)
    }

    /// What is wrong at a place, from the outside in.
    pub fn at<'a>(
        field: impl IntoIterator<Item = &'a str>,
        code: Code,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into_iter().map(str::to_owned).collect(),
            code: code.as_str().to_owned(),
            message: message.into(),
        }
    }

    /// An argument that was refused where its meaning is known; its field, or `field` where it says none.
    pub fn of(error: &Error, field: &str) -> Self {
        Self::new(
            error.field().unwrap_or(field),
            error.code(),
            error.message(),
        )
    }
}
