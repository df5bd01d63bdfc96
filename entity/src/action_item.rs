//! A cart item (position) of an action.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A cart item (position) of an action.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "action_items")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The action.
    #[sea_orm(primary_key, auto_increment = false)]
    pub action_id: Uuid,
    /// Place in the cart, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// Upstream's position id.
    pub external_id: Option<String>,
    /// The product, if the position names one.
    pub product_id: Option<Uuid>,
    /// The item's own category; all sums use it.
    pub category_id: Option<Uuid>,
    /// Line amount, 1/10 000 of the action's currency unit.
    pub amount_e4: i64,
    /// Line reward, likewise.
    pub reward_e4: i64,
    /// Rate: percent or fixed sum, in 1/10 000.
    pub rate_e4: Option<i64>,
    /// Whether the rate is a percentage.
    pub is_percentage: Option<bool>,
    /// Upstream's tariff id.
    pub tariff_id: Option<String>,
    /// Upstream's rate id.
    pub rate_id: Option<String>,
    /// Units sold: 1 unless the source says otherwise.
    pub units: i32,
    /// The position's own instant, µs since 1970 UTC.
    pub ordered_at_us: Option<i64>,
    /// Product country code, verbatim from an export.
    pub product_country: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
