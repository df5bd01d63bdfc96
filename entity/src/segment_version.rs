//! What a segment was at a version; never changed.

use sea_orm::entity::prelude::*;

/// What a segment was at a version; never changed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_versions")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The segment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment_id: Uuid,
    /// The number of the version, from 1 on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// The name then.
    pub name: String,
    /// The description then.
    pub description: String,
    /// The rule: JSON in a form of our own, with a version.
    pub rule: String,
    /// The rule as its author sent it: JSON.
    pub given: String,
    /// When it was saved, µs since 1970 UTC.
    pub created_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
