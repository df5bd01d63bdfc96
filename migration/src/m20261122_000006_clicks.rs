//! Clicks and views as upstream counts them: by its day, account, program, ad space and SubID.
//!
//! The key begins with slot and day, because every question is about one slot and a stretch of days. The instant that a
//! day stands for lies within two hours before and 26 hours behind its beginning in UTC, so that a stretch of instants
//! is a run of the key as well. The ad space is in the key and can be none, so that it has no foreign key.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The table.
pub(crate) const TABLE: &str = "click_stats";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000006_clicks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), TABLE)
            .int_between("slot", -1, 4)
            .int("click_day")
            .text("account")
            .uuid("program_id")
            .uuid("ad_space_id")
            .text("subid")
            .big("noon_us")
            .big("clicks")
            .big_or_null("views")
            .key(&[
                "slot",
                "click_day",
                "account",
                "program_id",
                "ad_space_id",
                "subid",
            ])
            .parent("program_id", "programs")
            .in_key_order()
            .create(manager)
            .await?;
        citus::distribute(manager, &[(TABLE, Spread::ByPublisher)]).await
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
