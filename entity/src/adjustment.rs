//! What moved an account's balance and was no action.

use sea_orm::entity::prelude::*;

/// What moved an account's balance and was no action: a deduction, a fine, a payout.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "adjustments")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from account, kind and currency with the reference, where it has one; else from all that it says and its
    /// number among equal lines.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account at the network.
    pub account: String,
    /// `DEDUCTION`, `FINE`, `PAYOUT`, `TRANSFER`, `BONUS` or `CORRECTION`.
    pub kind: String,
    /// The day in the account's calendar, days since 1970-01-01.
    pub day: i32,
    /// The instant, where the source had one, µs since 1970 UTC.
    pub at_us: Option<i64>,
    /// What it did to the balance: below 0 where it was lowered, 1/10 000.
    pub amount_e4: i64,
    /// Currency code.
    pub currency: String,
    /// The program, where one is named.
    pub program_id: Option<Uuid>,
    /// The ad space, where one is named.
    pub ad_space_id: Option<Uuid>,
    /// Of the name that the ad space is known by, as in `actions`.
    pub ad_space_name_id: Option<Uuid>,
    /// What the source says of it.
    pub comment: Option<String>,
    /// The comment, Unicode-folded for searching.
    pub comment_folded: Option<String>,
    /// The source's own reference.
    pub external_reference: Option<String>,
    /// The run that brought its content.
    pub run_id: Uuid,
    /// When its content was last observed, µs since 1970 UTC.
    pub observed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
