//! What was done to keys, segments and settings: written once, never changed.

use sea_orm::entity::prelude::*;

/// What was done to keys, segments and settings: written once, never changed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Sorted by time, otherwise random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When, µs since 1970 UTC.
    pub at_us: i64,
    /// Who, in words: a key's public part, the subject of a token, or the command line.
    pub actor: String,
    /// What, such as `KEY_CREATED`.
    pub act: String,
    /// To what: the public part of a key or of an address for postbacks, the id of a row, or a name.
    pub subject: String,
    /// What was changed, in words.
    pub detail: String,
    /// The address that the request came from; none for the command line.
    pub address: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
