//! Products of the priority list that are not known yet.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The table.
pub(crate) const TABLE: &str = "awaited_products";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000018_awaited_products"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), TABLE)
            .uuid("product_id")
            .text("natural_key")
            .text("written")
            .big("listed_at_us")
            .key(&["product_id"])
            .of_known_publisher()
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
