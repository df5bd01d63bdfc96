//! Products of a category are found by an index: rules of segments ask for them, and a category that goes asks who is in it.

use sea_orm_migration::prelude::*;

use crate::citus;

/// The index: as both databases write it.
const CREATE: &str =
    "CREATE INDEX products_by_category ON products (publisher_id, category_id, id)";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000012_products_by_category"
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
        db.execute_unprepared("DROP INDEX products_by_category")
            .await
            .map(|_| ())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
