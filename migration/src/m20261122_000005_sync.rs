//! The sync with the network: how far each feed of an account has come, who fetches it, and what the network tells of
//! programs. Runs get a sign of life, so that one whose process is gone can be told from one that goes on.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables, parents first.
pub(crate) const TABLES: [&str; 2] = ["sync_accounts", "sync_states"];

/// How a feed stands.
const CONDITIONS: &[&str] = &["WAITING", "READING", "DONE", "FAILING", "STOPPED"];

/// The columns that programs get.
const PROGRAM_COLUMNS: [&str; 5] = [
    "status",
    "connection_status",
    "hold_days",
    "max_hold_days",
    "described_at_us",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000005_sync"
    }
}

fn accounts(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "sync_accounts")
        .text("account")
        .text_or_null("lease_holder")
        .big("lease_until_us")
        .big_or_null("paused_until_us")
        .word("condition", CONDITIONS)
        .int("failures")
        .text_or_null("last_error")
        .key(&["account"])
        .of_known_publisher()
}

fn states(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "sync_states")
        .text("account")
        .text("feed")
        .word("condition", CONDITIONS)
        .big_or_null("watermark_us")
        .text_or_null("cursor")
        .uuid_or_null("run_id")
        .big_or_null("last_attempt_us")
        .big_or_null("last_success_us")
        .big_or_null("next_run_us")
        .int("failures")
        .text_or_null("last_error")
        .key(&["account", "feed"])
        .of_known_publisher()
}

fn program_column(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match name {
        "described_at_us" => column.big_integer(),
        "hold_days" | "max_hold_days" => column.integer(),
        _ => column.text(),
    };
    // Text sorts by its bytes, as in `table::NewTable`.
    if backend == DbBackend::Postgres && name.ends_with("status") {
        column.extra(r#"COLLATE "C""#);
    }
    column.null().take()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        accounts(backend).create(manager).await?;
        states(backend).create(manager).await?;
        // One column a statement: SQLite takes no more.
        for name in PROGRAM_COLUMNS {
            let column = program_column(backend, name);
            let alter = Table::alter().table("programs").add_column(column).take();
            manager.alter_table(alter).await?;
        }
        let alive = ColumnDef::new("alive_at_us").big_integer().null().take();
        let alter = Table::alter().table("import_runs").add_column(alive).take();
        manager.alter_table(alter).await?;
        let spread = TABLES.map(|table| (table, Spread::ByPublisher));
        citus::distribute(manager, &spread).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let drop = |table: &'static str, column: &'static str| {
            Table::alter().table(table).drop_column(column).take()
        };
        manager
            .alter_table(drop("import_runs", "alive_at_us"))
            .await?;
        for name in PROGRAM_COLUMNS {
            manager.alter_table(drop("programs", name)).await?;
        }
        for table in TABLES.into_iter().rev() {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
