//! An API key: only its hash is kept.

use sea_orm::entity::prelude::*;

/// An API key: only its hash is kept.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Random id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The eight characters after `ag_`, by which a key is found. Not secret.
    pub prefix: String,
    /// SHA-256 of the whole key, in lower-case hexadecimal.
    pub hash: String,
    /// What the key is for, in its owner's words.
    pub label: String,
    /// What it may do, words with commas between.
    pub scopes: String,
    /// When it was made, µs since 1970 UTC.
    pub created_at_us: i64,
    /// When it was revoked, µs since 1970 UTC.
    pub revoked_at_us: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
