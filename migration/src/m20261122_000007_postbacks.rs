//! Postbacks: the secrets in their addresses, by their hash, and what an action's newest postback said.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::{NewTable, add_text_or_null, drop_column};

/// The table of secrets.
pub(crate) const TABLE: &str = "postback_secrets";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000007_postbacks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), TABLE)
            .uuid("id")
            .text("prefix")
            .text("hash")
            .text("label")
            .text_or_null("ad_space")
            .big("created_at_us")
            .big_or_null("revoked_at_us")
            .key(&["id"])
            .of_known_publisher()
            // As with API keys: the secret is what names the publisher.
            .index_over_all(&["prefix"])
            .create(manager)
            .await?;
        add_text_or_null(manager, "actions", "notice").await?;
        citus::distribute(manager, &[(TABLE, Spread::ByPublisher)]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        drop_column(manager, "actions", "notice").await?;
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
