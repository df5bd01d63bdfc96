//! An upload that is not in yet: its file lies with the server that received it.

use sea_orm::entity::prelude::*;

/// An upload that is not in yet.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "uploads")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The run that it is to become.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// Observation time that its sender gave, µs since 1970 UTC.
    pub as_of_us: Option<i64>,
    /// Offset of times without one, minutes east of UTC.
    pub offset_minutes: i32,
    /// When it was received, µs since 1970 UTC.
    pub queued_at_us: i64,
    /// The process that reads it.
    pub holder: Option<String>,
    /// Until when no other process may, µs since 1970 UTC.
    pub lease_until_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
