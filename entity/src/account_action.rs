//! Which account of a publisher with several named an action.

use sea_orm::entity::prelude::*;

/// An account has named an action in a read of its own: only what it named itself can it miss later. Kept where a
/// publisher has several accounts.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_actions")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The action.
    #[sea_orm(primary_key, auto_increment = false)]
    pub action_id: Uuid,
    /// The account, by its name in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
}

impl ActiveModelBehavior for ActiveModel {}
