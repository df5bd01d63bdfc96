//! Templates of affiliate links, and the work that a new choice of an ad space's users leaves.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables.
pub(crate) const TABLES: [&str; 2] = ["deeplinks", "user_tasks"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000014_deeplinks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        for table in [deeplinks(backend), user_tasks(backend)] {
            table.create(manager).await?;
        }
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

/// Templates by ad space, program and who gave them.
fn deeplinks(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "deeplinks")
        .uuid("ad_space_id")
        .uuid("program_id")
        .word("source", &["BY_HAND", "UPSTREAM"])
        .text("base")
        .text("target_parameter")
        .text("extra")
        .big("changed_at_us")
        .key(&["ad_space_id", "program_id", "source"])
        .part_of("ad_space_id", "ad_spaces")
        .part_of("program_id", "programs")
}

/// Ad spaces whose actions wait for their users to be named anew.
fn user_tasks(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "user_tasks")
        .uuid("ad_space_id")
        .uuid_or_null("run_id")
        .word("stage", &["ACTIONS", "TOMBSTONES", "USERS"])
        .uuid("after_id")
        .big("changed_at_us")
        .key(&["ad_space_id"])
        .part_of("ad_space_id", "ad_spaces")
}
