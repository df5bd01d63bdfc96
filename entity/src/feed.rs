//! A product feed.

use sea_orm::entity::prelude::*;

/// A product feed, by its name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feeds")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// What it is called.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// When the newest whole feed was taken, µs since 1970 UTC: what an older one offers is gone. 0 where only changes
    /// came.
    pub full_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
