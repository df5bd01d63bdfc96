//! What a user ever did: counted actions of all time, declined ones left out.

use sea_orm::entity::prelude::*;

/// What a user ever did: counted actions of all time, declined ones left out.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_lifetimes")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// Actions.
    pub actions: i64,
    /// The first of the orders, µs since 1970 UTC.
    pub first_ordered_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
