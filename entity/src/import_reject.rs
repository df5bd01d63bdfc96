//! A record that could not be understood.

use sea_orm::entity::prelude::*;

/// A record that could not be understood.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_rejects")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// Number within the run, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// Which page object of the input, from 1.
    pub page: i32,
    /// Index within the page, from 0.
    pub item: i32,
    /// Where the record starts in the (uncompressed) input.
    pub byte_offset: i64,
    /// Line in the input, from 1.
    pub line: i64,
    /// Stable code from a closed list.
    pub reason: String,
    /// The field at fault.
    pub field: Option<String>,
    /// What is wrong, the limit and the remedy, in a sentence.
    pub message: String,
    /// The record as it came, personal data blanked, at most 64 KiB.
    pub raw: String,
    /// The run by which it was mended.
    pub resolved_by_run: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
