//! A segment that another one names in its rule, as it is.

use sea_orm::entity::prelude::*;

/// A segment that another one names in its rule, as it is.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_uses")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The segment whose rule it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment_id: Uuid,
    /// The segment that is named.
    #[sea_orm(primary_key, auto_increment = false)]
    pub used_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}
