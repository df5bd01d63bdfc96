//! A state that an action went through, the current one included.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A state that an action went through, the current one included.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "action_states")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The action.
    #[sea_orm(primary_key, auto_increment = false)]
    pub action_id: Uuid,
    /// Derived from what the state says, so that seeing it again adds nothing.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_id: Uuid,
    /// As in `actions.status`.
    pub status: String,
    /// The status in upstream's own word.
    pub raw_status: String,
    /// Reward released.
    pub paid: bool,
    /// Reward, 1/10 000 of the currency unit.
    pub reward_e4: i64,
    /// Order amount, likewise.
    pub order_amount_e4: Option<i64>,
    /// ISO 4217 code.
    pub currency: String,
    /// When the state began: the status change, else the order, µs since 1970 UTC; -1 where only a postback told of it,
    /// which does not say.
    pub changed_at_us: i64,
    /// When it was first observed, µs since 1970 UTC.
    pub observed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
