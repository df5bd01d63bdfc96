//! What moves with every write to a publisher's data.

use sea_orm::entity::prelude::*;

/// What moves with every write to a publisher's data.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publisher_states")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The last number given out in the change log; raised in the writing transaction, under this row's lock.
    pub change_seq: i64,
    /// Raised by every transaction that changed an answer.
    pub data_version: i64,
    /// When the data last changed, µs since 1970 UTC; 0 when they never did.
    pub changed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
