//! What can be changed, and how a caller is told what cannot.

pub mod retry;
pub mod segment_settings;

use async_graphql::{MergedObject, SimpleObject};

use crate::domain::error::Code;

/// Everything that can be changed, by POST. Each field says which scope a key needs for it.
#[derive(Default, MergedObject)]
pub struct Mutation(retry::Retries, segment_settings::SegmentSettingsChange);

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
    /// What is wrong with an argument, named from the outside in.
    pub fn new<'a>(
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
}
