//! Clicks and views of an upstream day.

use sea_orm::entity::prelude::*;

/// Clicks and views of an upstream day, by program, ad space and SubID.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "click_stats")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The SubID that these clicks are divided by, 0 to 4; -1 for all SubIDs together.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i32,
    /// The day of upstream's calendar, days since 1970-01-01.
    #[sea_orm(primary_key, auto_increment = false)]
    pub click_day: i32,
    /// The account that they were read from, by its configured name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    /// The program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub program_id: Uuid,
    /// The ad space; the nil id for none.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ad_space_id: Uuid,
    /// The SubID's value; empty for clicks without one, and where all are together.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subid: String,
    /// Noon of the day on upstream's clock, microseconds since 1970 UTC: the instant that the day stands for.
    pub noon_us: i64,
    /// Clicks.
    pub clicks: i64,
    /// Views, where upstream counts them.
    pub views: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
