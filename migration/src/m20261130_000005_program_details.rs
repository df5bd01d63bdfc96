//! What the network tells of programs beyond their status: how long a click counts, when a reward is paid, and the
//! countries whose actions it takes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus;

/// The columns that programs get.
const COLUMNS: [&str; 4] = ["cookie_days", "payment_days", "countries", "all_countries"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000005_program_details"
    }
}

fn column(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match name {
        "countries" => column.text(),
        "all_countries" => column.boolean(),
        _ => column.integer(),
    };
    // Text sorts by its bytes, as in `table::NewTable`.
    if backend == DbBackend::Postgres && name == "countries" {
        column.extra(r#"COLLATE "C""#);
    }
    column.null().take()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        // One column a statement: SQLite takes no more.
        for name in COLUMNS {
            let column = column(manager.get_database_backend(), name);
            let alter = Table::alter().table("programs").add_column(column).take();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for name in COLUMNS {
            let alter = Table::alter().table("programs").drop_column(name).take();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
