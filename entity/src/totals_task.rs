//! How far rebuilding or verifying a publisher's totals has come.

use sea_orm::entity::prelude::*;

/// How far rebuilding or verifying a publisher's totals has come.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "totals_tasks")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// `REBUILD`: totals of this layout are made, without which nobody is served. `REPAIR`: totals that are of this layout
    /// already are made anew. `VERIFY`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub task: String,
    /// The layout of the totals that it works towards (`domain::totals::LAYOUT`).
    pub layout: i32,
    /// The slice that comes next; none when it is through.
    pub next_slice: Option<i64>,
    /// Rows that were found to differ from the facts, in the last round of verifying.
    pub drift_rows: i64,
    /// When it last went on, µs since 1970 UTC.
    pub updated_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
