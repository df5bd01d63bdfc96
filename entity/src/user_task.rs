//! An ad space whose actions wait for their users to be named anew.

use sea_orm::entity::prelude::*;

/// An ad space whose actions wait for their users to be named anew, and how far that has come.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_tasks")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The ad space.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ad_space_id: Uuid,
    /// The run that counts the work; none where nobody asked for it.
    pub run_id: Option<Uuid>,
    /// `ACTIONS`, then `TOMBSTONES`, then `USERS`.
    pub stage: String,
    /// The last row of the stage that is done; the nil id at its beginning.
    pub after_id: Uuid,
    /// When it last went on, µs since 1970 UTC.
    pub changed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
