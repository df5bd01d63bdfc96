//! Sums of actions by status and currency.

use sea_orm::entity::prelude::*;

/// Sums of actions by status and currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "totals_time")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
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
    /// Distinct actions.
    pub actions: i64,
    /// Units in their carts.
    pub units: i64,
    /// Sum of their order amounts, 1/10 000 of the currency unit.
    pub order_amount_e4: i64,
    /// Actions that have an order amount.
    pub amounted: i64,
    /// Sum of their rewards, likewise.
    pub reward_e4: i64,
    /// Sum of the rewards that are released, likewise.
    pub paid_e4: i64,
    /// Sum of their cart items' amounts, likewise.
    pub items_amount_e4: i64,
    /// Sum of their cart items' rewards, likewise.
    pub items_reward_e4: i64,
    /// Actions with a cart item that names a product.
    pub carted: i64,
}

impl ActiveModelBehavior for ActiveModel {}
