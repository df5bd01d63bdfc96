//! Products that are hot or on the priority list are found by an index of theirs alone: they are few among many, and every
//! question about segments of products asks for them.

use sea_orm_migration::prelude::*;

use crate::citus;

/// The index: as both databases write it.
const CREATE: &str = "CREATE INDEX products_marked ON products (publisher_id, id, is_hot, is_priority) \
                      WHERE is_hot OR is_priority";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000002_marked_products"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared(CREATE).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX products_marked")
            .await
            .map(|_| ())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
