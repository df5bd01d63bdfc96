//! What can be changed, one file for each thing.
//!
//! A mutation answers a payload with `userErrors` where the arguments are at fault, so that a client can branch; what
//! fails beyond that is an error as everywhere.

pub mod priority;
pub mod records;
pub mod segment_settings;
pub mod segments;
pub mod traffic;

use async_graphql::{MergedObject, SimpleObject};

use super::error::MAX_ERRORS;
use super::scalar::BigInt;
use crate::domain::error::{Code, Error, PassedLimit};

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
    code: &'static str,
    /// What is wrong, and what would be right.
    message: String,
    /// The limit that was passed, by its name in `limits`; null where it was none.
    limit: Option<&'static str>,
    /// How much that limit allows; null where it was none.
    maximum: Option<BigInt>,
    /// How much there was, at least where counting stopped at the limit; null where no limit was passed, or nobody counted.
    value: Option<BigInt>,
}

/// As many errors as an answer tells; where there are more, one of `field` says how many, with the code of the first of them.
pub fn bounded(errors: impl IntoIterator<Item = UserError>, field: &str) -> Vec<UserError> {
    let mut left = errors.into_iter();
    let mut told: Vec<UserError> = left.by_ref().take(MAX_ERRORS).collect();
    if let Some(next) = left.next() {
        let more = left.count().saturating_add(1);
        told.push(UserError {
            code: next.code,
            ..UserError::new(field, Code::BadUserInput, format!("and {more} more"))
        });
    }
    told
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
            code: code.as_str(),
            message: message.into(),
            limit: None,
            maximum: None,
            value: None,
        }
    }

    /// The same with the limit that was passed, if one was.
    #[must_use]
    pub fn passing(mut self, passed: Option<PassedLimit>) -> Self {
        let told = |number: u64| BigInt(i64::try_from(number).unwrap_or(i64::MAX));
        self.limit = passed.map(|passed| passed.name);
        self.maximum = passed.map(|passed| told(passed.maximum));
        self.value = passed.and_then(|passed| passed.value).map(told);
        self
    }

    /// An argument that was refused where its meaning is known; its field, or `field` where it says none.
    pub fn of(error: &Error, field: &str) -> Self {
        Self::new(
            error.field().unwrap_or(field),
            error.code(),
            error.message(),
        )
        .passing(error.passed())
    }
}
