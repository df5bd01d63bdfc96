//! Keys that expire, rotate, are limited and budgeted; and the trail of what administrators did.

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::{NewTable, add_text_or_null, drop_column};

/// The table of the trail.
pub(crate) const TABLE: &str = "audit_entries";

/// Columns of keys that hold points in time or numbers.
const NUMBERS: [&str; 5] = [
    "expires_at_us",
    "last_used_at_us",
    "previous_until_us",
    "budget_capacity",
    "budget_refill",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000017_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for name in NUMBERS {
            let mut column = ColumnDef::new(name).big_integer().null().take();
            let table = Table::alter()
                .table("api_keys")
                .add_column(&mut column)
                .take();
            manager.alter_table(table).await?;
        }
        let mut column = ColumnDef::new("introspection").boolean().null().take();
        let table = Table::alter()
            .table("api_keys")
            .add_column(&mut column)
            .take();
        manager.alter_table(table).await?;
        add_text_or_null(manager, "api_keys", "previous_hash").await?;
        add_text_or_null(manager, "api_keys", "limits").await?;
        NewTable::of_publisher(manager.get_database_backend(), TABLE)
            .uuid("id")
            .big("at_us")
            .text("actor")
            .text("act")
            .text("subject")
            .text("detail")
            .text_or_null("address")
            .key(&["id"])
            .of_known_publisher()
            .index(&["at_us"])
            .create(manager)
            .await?;
        citus::distribute(manager, &[(TABLE, Spread::ByPublisher)]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        manager
            .drop_table(Table::drop().table(TABLE).take())
            .await?;
        for name in NUMBERS {
            drop_column(manager, "api_keys", name).await?;
        }
        for name in ["introspection", "previous_hash", "limits"] {
            drop_column(manager, "api_keys", name).await?;
        }
        Ok(())
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
