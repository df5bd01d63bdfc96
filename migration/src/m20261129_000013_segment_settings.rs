//! What a publisher set of the built-in segments' parameters.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The table.
pub(crate) const TABLES: [&str; 1] = ["segment_settings"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000013_segment_settings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), "segment_settings")
            .int("version")
            .text("parameters")
            .big("changed_at_us")
            .key(&[])
            .of_known_publisher()
            .create(manager)
            .await?;
        citus::distribute(manager, &TABLES.map(|table| (table, Spread::ByPublisher))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for table in TABLES {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
