//! One run of an entrance.

use sea_orm::entity::prelude::*;

/// One run of an entrance.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_runs")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// UUIDv7 of the start.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `FILE`, `DEMO`, …
    pub entrance: String,
    /// File name, `-` for standard input.
    pub name: String,
    /// `RUNNING`, `SUCCEEDED`, `PARTIAL` (some rejected) or `FAILED`.
    pub state: String,
    /// Start, µs since 1970 UTC.
    pub started_at_us: i64,
    /// End, µs since 1970 UTC.
    pub finished_at_us: Option<i64>,
    /// Observation time of the input's states, µs since 1970 UTC.
    pub as_of_us: i64,
    /// Offset of times that name none, minutes east of UTC; null where none was needed or known.
    pub offset_minutes: Option<i32>,
    /// Records read.
    pub read_count: i64,
    /// Actions inserted.
    pub inserted_count: i64,
    /// Actions brought to a newer state.
    pub updated_count: i64,
    /// Records that changed nothing.
    pub unchanged_count: i64,
    /// Records older than what is stored.
    pub stale_count: i64,
    /// Actions that upstream no longer had.
    pub deleted_count: i64,
    /// Records rejected; all are counted, the first 10 000 are kept.
    pub rejected_count: i64,
    /// Amounts rounded half-even to four decimals.
    pub rounded_count: i64,
    /// Bytes of its file that were read, as far as is known.
    pub bytes_read: Option<i64>,
    /// Bytes of its file, where that has a size.
    pub bytes_total: Option<i64>,
    /// Why the run failed.
    pub error: Option<String>,
    /// The last sign of life of the process that does it, µs since 1970 UTC.
    pub alive_at_us: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
