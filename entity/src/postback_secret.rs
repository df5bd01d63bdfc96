//! A secret in a postback's address.

use sea_orm::entity::prelude::*;

/// A secret in a postback's address.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "postback_secrets")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Random id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The part of it that may be shown.
    pub prefix: String,
    /// SHA-256 of the whole secret, lower-case hexadecimal.
    pub hash: String,
    /// What it is for.
    pub label: String,
    /// The ad space of postbacks that name none.
    pub ad_space: Option<String>,
    /// When it was made, µs since 1970 UTC.
    pub created_at_us: i64,
    /// When it was revoked, µs since 1970 UTC.
    pub revoked_at_us: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
