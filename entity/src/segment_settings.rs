//! What a publisher set of the built-in segments' parameters.

use sea_orm::entity::prelude::*;

/// What a publisher set of the built-in segments' parameters. A publisher without a row has the defaults.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_settings")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Raised by every change, from 1 on.
    pub version: i32,
    /// What was set, JSON; what is not in it has its default.
    pub parameters: String,
    /// When it was last changed, µs since 1970 UTC.
    pub changed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
