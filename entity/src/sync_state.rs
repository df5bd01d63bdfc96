//! How far a feed of an account has come.

use sea_orm::entity::prelude::*;

/// How far a feed of an account has come.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_states")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Name of the account in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    /// `BACKFILL`, `STATUS`, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub feed: String,
    /// `WAITING`, `READING`, `DONE`, `FAILING` or `STOPPED` (a person has to do something).
    pub condition: String,
    /// Everything up to here is in (for `BACKFILL`, everything from here on), µs since 1970 UTC.
    pub watermark_us: Option<i64>,
    /// Where an unfinished read goes on.
    pub cursor: Option<String>,
    /// The run of the last attempt.
    pub run_id: Option<Uuid>,
    /// The last attempt, µs since 1970 UTC.
    pub last_attempt_us: Option<i64>,
    /// The end of the last complete read, µs since 1970 UTC.
    pub last_success_us: Option<i64>,
    /// When it is read again, µs since 1970 UTC; none for never.
    pub next_run_us: Option<i64>,
    /// Faults in a row.
    pub failures: i32,
    /// The last fault, for people; none where the last attempt went well.
    pub last_error: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
