//! Runs know by which offset their times were read, so that their rejected records are read again by the same one. Of runs
//! from before nothing is known.

use sea_orm_migration::prelude::*;

use crate::citus;

/// The table and its new column.
const COLUMN: (&str, &str) = ("import_runs", "offset_minutes");

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000006_run_offsets"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let (table, name) = COLUMN;
        let column = ColumnDef::new(name).integer().null().take();
        let alter = Table::alter().table(table).add_column(column).take();
        manager.alter_table(alter).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let (table, name) = COLUMN;
        let alter = Table::alter().table(table).drop_column(name).take();
        manager.alter_table(alter).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
