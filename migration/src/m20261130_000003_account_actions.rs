//! Which account of a publisher that has several named an action: only what its own reads brought can an account miss.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The table.
pub(crate) const TABLE: &str = "account_actions";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000003_account_actions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), TABLE)
            .uuid("action_id")
            .text("account")
            .key(&["action_id", "account"])
            .in_key_order()
            .part_of("action_id", "actions")
            .create(manager)
            .await?;
        citus::distribute(manager, &[(TABLE, Spread::ByPublisher)]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
