//! The change log: one row for each change of an action, in commit order.

use sea_orm::entity::prelude::*;

/// The change log: one row for each change of an action, in commit order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "action_changes")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Number within the publisher, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// The action.
    pub action_id: Uuid,
    /// `INSERTED` or `UPDATED`.
    pub kind: String,
    /// The status after the change.
    pub status: String,
    /// The import run that brought it.
    pub run_id: Uuid,
    /// When the change was written, µs since 1970 UTC.
    pub committed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
