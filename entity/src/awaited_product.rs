//! A product of the publisher's priority list that nothing has named yet.

use sea_orm::entity::prelude::*;

/// A product of the publisher's priority list that nothing has named yet. It goes away when the product comes.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "awaited_products")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The id that the product will have: derived from the natural key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// Its natural key.
    pub natural_key: String,
    /// The product id or link, as it was listed.
    pub written: String,
    /// When it was listed, µs since 1970 UTC.
    pub listed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
