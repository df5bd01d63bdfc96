//! What can be changed, one file for each thing.
//!
//! A mutation answers a payload with `userErrors` where the arguments are at fault, so that a client can branch; what
//! fails beyond that is an error as everywhere.

pub mod records;
pub mod traffic;

use async_graphql::{MergedObject, SimpleObject};

use crate::domain::error::{Code, Error};

/// Everything that can be changed. It needs POST and a key with the scope that each field names.
#[derive(Default, MergedObject)]
pub struct Mutation(records::RecordChanges, traffic::TrafficChanges);

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
    /// An argument at fault.
    pub fn new(field: &[&str], code: Code, message: &str) -> Self {
        Self {
            field: field.iter().map(|part| (*part).to_owned()).collect(),
            code: code.as_str().to_owned(),
            message: message.to_owned(),
        }
    }

    /// An argument that was refused where its meaning is known; its field, or `field` where it says none.
    pub fn of(error: &Error, field: &str) -> Self {
        Self::new(
            &[error.field().unwrap_or(field)],
            error.code(),
            error.message(),
        )
    }
}
