//! Segments that people make: what they are, what they were, who was in them, and which of them name which.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables, parents before those that hang on them.
pub(crate) const TABLES: [&str; 4] = [
    "segments",
    "segment_versions",
    "segment_members",
    "segment_uses",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000012_segments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        for table in [
            segments(backend),
            segment_versions(backend),
            segment_members(backend),
            segment_uses(backend),
        ] {
            table.create(manager).await?;
        }
        citus::distribute(manager, &TABLES.map(|table| (table, Spread::ByPublisher))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for table in TABLES.iter().rev() {
            manager
                .drop_table(Table::drop().table(*table).take())
                .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Segments as they are.
fn segments(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "segments")
        .uuid("id")
        .word("subject", &["USERS", "PRODUCTS"])
        .text("name")
        .text("name_key")
        .text("description")
        .int("version")
        .big("created_at_us")
        .big("updated_at_us")
        .big_or_null("frozen_at_us")
        .uuid_or_null("frozen_from_id")
        .int_or_null("frozen_from_version")
        .big_or_null("archived_at_us")
        .key(&["id"])
        .of_known_publisher()
        .unique(&["name_key"])
        .index(&["frozen_from_id"])
}

/// What segments were at each version.
fn segment_versions(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "segment_versions")
        .uuid("segment_id")
        .int("version")
        .text("name")
        .text("description")
        .text("rule")
        .text("given")
        .big("created_at_us")
        .key(&["segment_id", "version"])
        .part_of("segment_id", "segments")
}

/// Who was in a segment when it was frozen.
fn segment_members(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "segment_members")
        .uuid("segment_id")
        .uuid("member_id")
        .key(&["segment_id", "member_id"])
        .part_of("segment_id", "segments")
        .in_key_order()
}

/// Which segments a segment names, as it is.
fn segment_uses(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "segment_uses")
        .uuid("segment_id")
        .uuid("used_id")
        .key(&["segment_id", "used_id"])
        .part_of("segment_id", "segments")
        .index(&["used_id"])
        .in_key_order()
}
