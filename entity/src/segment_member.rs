//! Who was in a segment when it was frozen.

use sea_orm::entity::prelude::*;

/// Who was in a segment when it was frozen.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_members")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The frozen segment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment_id: Uuid,
    /// The user or the product.
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}
