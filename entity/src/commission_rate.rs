//! What commission a product pays.

use sea_orm::entity::prelude::*;

/// What commission a product pays, as Admitad last answered.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commission_rates")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The product.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// Percent of the order amount, 1/10 000 of a percent.
    pub rate_e4: Option<i64>,
    /// The same by a link for hot products.
    pub hot_rate_e4: Option<i64>,
    /// Whether it is a hot product.
    pub is_hot: bool,
    /// When it was asked, µs since 1970 UTC.
    pub observed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
