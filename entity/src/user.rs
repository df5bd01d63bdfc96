//! A user: the publisher's own customer, known by a SubID slot. Never the API's caller.

use sea_orm::entity::prelude::*;

/// A user: the publisher's own customer, known by a SubID slot. Never the API's caller.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from the user space and the value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Which ad spaces share users. Unique with the value, since the id is derived from both.
    pub user_space: String,
    /// The SubID's value.
    pub value: String,
    /// Earliest order instant of an action of the user, of any status, µs since 1970 UTC.
    pub first_seen_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
