//! An exchange rate: what one unit of a currency is worth in another from a day on.

use sea_orm::entity::prelude::*;

/// An exchange rate: what one unit of a currency is worth in another from a day on.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exchange_rates")]
pub struct Model {
    /// From, ISO 4217.
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_currency: String,
    /// To, ISO 4217.
    #[sea_orm(primary_key, auto_increment = false)]
    pub to_currency: String,
    /// The first day that it is in force, days since 1970-01-01.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
    /// Billionths of a unit of `to_currency` for one of `from_currency`.
    pub rate_e9: i64,
}

impl ActiveModelBehavior for ActiveModel {}
