//! Exchange rates: what one unit of a currency was worth in another from a day on. They belong to no publisher.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The table.
pub(crate) const TABLE: &str = "exchange_rates";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000003_rates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::shared(manager.get_database_backend(), TABLE)
            .text("from_currency")
            .text("to_currency")
            .int("day")
            .big("rate_e9")
            .key(&["from_currency", "to_currency", "day"])
            .create(manager)
            .await?;
        citus::distribute(manager, &[(TABLE, Spread::Reference)]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
