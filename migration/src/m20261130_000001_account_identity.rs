//! Accounts of the network know by which credentials they were fetched: one that gets another name in the configuration
//! is the same account. Of accounts that nobody has fetched since, nothing is known.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus;

/// The table and its new column.
const COLUMN: (&str, &str) = ("sync_accounts", "client_id");

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000001_account_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let (table, name) = COLUMN;
        let mut column = ColumnDef::new(name);
        column.text();
        // Text sorts by its bytes, as in `table::NewTable`.
        if manager.get_database_backend() == DbBackend::Postgres {
            column.extra(r#"COLLATE "C""#);
        }
        let alter = Table::alter()
            .table(table)
            .add_column(column.null().take())
            .take();
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
