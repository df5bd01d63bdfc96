//! Sums of cart items by category, status and currency.

use sea_orm::entity::prelude::*;

/// Sums of cart items by category, status and currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "totals_category")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// How the rows count, by number (`domain::totals::Tier`).
    #[sea_orm(primary_key, auto_increment = false)]
    pub tier: i32,
    /// Length of the cell, by number (`domain::totals::Grain`).
    #[sea_orm(primary_key, auto_increment = false)]
    pub grain: i32,
    /// Number of the cell, in UTC, by the instant of the order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cell: i64,
    /// Status, as in `actions`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub status: String,
    /// Currency, as in `actions`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// The category; the nil id for items without one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub category_id: Uuid,
    /// Distinct actions with such an item.
    pub actions: i64,
    /// Units sold.
    pub units: i64,
    /// Sum of the items' amounts, 1/10 000 of the currency unit.
    pub order_amount_e4: i64,
    /// Sum of the items' rewards, likewise.
    pub reward_e4: i64,
}

impl ActiveModelBehavior for ActiveModel {}
