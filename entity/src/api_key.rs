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
    /// When it ends by itself, µs since 1970 UTC.
    pub expires_at_us: Option<i64>,
    /// When it was last used, give or take some minutes, µs since 1970 UTC.
    pub last_used_at_us: Option<i64>,
    /// Until when the secret before this one is taken, µs since 1970 UTC.
    pub previous_until_us: Option<i64>,
    /// How much cost it may run up at once.
    pub budget_capacity: Option<i64>,
    /// How much of that comes back in a second.
    pub budget_refill: Option<i64>,
    /// Whether it may ask for the schema; none where nothing was said.
    pub introspection: Option<bool>,
    /// SHA-256 of the secret before this one, in lower-case hexadecimal.
    pub previous_hash: Option<String>,
    /// What of the data it sees, as JSON; none for all.
    pub limits: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
