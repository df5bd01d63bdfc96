//! An account of the network whose data a server fetches: who fetches it, and whether all of it waits.

use sea_orm::entity::prelude::*;

/// An account of the network whose data a server fetches: who fetches it, and whether all of it waits.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_accounts")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Name of the account in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    /// The process that fetches it; none where nobody does.
    pub lease_holder: Option<String>,
    /// Until when it may, unless it renews, µs since 1970 UTC.
    pub lease_until_us: i64,
    /// Until when nothing of the account is fetched, µs since 1970 UTC.
    pub paused_until_us: Option<i64>,
    /// `WAITING`, `FAILING` (the network cannot be reached), `STOPPED` (a person has to do something) or `DONE` (it is
    /// configured no more).
    pub condition: String,
    /// Faults in a row.
    pub failures: i32,
    /// The last fault, for people.
    pub last_error: Option<String>,
    /// The public half of the credentials that it was last fetched with: by them it is the same account under another
    /// name. None where it was not fetched since that is noted.
    pub client_id: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
