//! An action that a full re-read of upstream no longer had.

use sea_orm::entity::prelude::*;

/// An action that a full re-read of upstream no longer had: kept whole, outside the facts, until it is seen again.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstones")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The action.
    #[sea_orm(primary_key, auto_increment = false)]
    pub action_id: Uuid,
    /// When the re-read began that no longer had it, µs since 1970 UTC.
    pub deleted_at_us: i64,
    /// Its ad space, which may move to another row; overrules what `action` says.
    pub ad_space_id: Option<Uuid>,
    /// Of the name that the ad space is known by, as in `actions`.
    pub ad_space_name_id: Option<Uuid>,
    /// Its row of `actions`, as JSON.
    pub action: String,
    /// Its rows of `action_items`, as a JSON list.
    pub items: String,
    /// Its rows of `action_states`, as a JSON list.
    pub states: String,
}

impl ActiveModelBehavior for ActiveModel {}
