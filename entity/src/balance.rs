//! What the balance of an account was at one time.

use sea_orm::entity::prelude::*;

/// What the balance of an account was at one time, in one currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "balances")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from account, currency and instant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account at the network.
    pub account: String,
    /// Currency code.
    pub currency: String,
    /// When it was asked for, µs since 1970 UTC.
    pub observed_at_us: i64,
    /// Ready for withdrawal, 1/10 000.
    pub balance_e4: i64,
    /// On hold, 1/10 000.
    pub processing_e4: i64,
    /// Estimated for the running day, 1/10 000.
    pub today_e4: i64,
    /// Confirmed while the program's balance is empty, 1/10 000.
    pub stalled_e4: i64,
}

impl ActiveModelBehavior for ActiveModel {}
