//! Tombstones: actions that a full re-read of upstream no longer had. They are kept whole, outside the facts.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::m20261122_000001_spine::action_changes;
use crate::table::NewTable;

/// The tables.
pub(crate) const TABLES: [&str; 1] = ["tombstones"];

/// What the change log can say of an action since this migration.
const KINDS: &[&str] = &["INSERTED", "UPDATED", "DELETED", "RESTORED"];
/// What it could say before.
const OLD_KINDS: &[&str] = &["INSERTED", "UPDATED"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000004_tombstones"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        NewTable::of_publisher(manager.get_database_backend(), "tombstones")
            .uuid("action_id")
            .big("deleted_at_us")
            .uuid_or_null("ad_space_id")
            .text("action")
            .text("items")
            .text("states")
            .key(&["action_id"])
            .create(manager)
            .await?;
        let counter = ColumnDef::new("deleted_count")
            .big_integer()
            .not_null()
            .default(0)
            .take();
        let mut runs = Table::alter();
        runs.table("import_runs").add_column(counter);
        manager.alter_table(runs).await?;
        allow(manager, KINDS).await?;
        citus::distribute(manager, &TABLES.map(|table| (table, Spread::ByPublisher))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM action_changes WHERE kind IN ('DELETED', 'RESTORED')")
            .await?;
        allow(manager, OLD_KINDS).await?;
        let mut runs = Table::alter();
        runs.table("import_runs").drop_column("deleted_count");
        manager.alter_table(runs).await?;
        manager
            .drop_table(Table::drop().table("tombstones").take())
            .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Lets the change log say these kinds. SQLite cannot change a rule of a table: there the table is made anew.
async fn allow(manager: &SchemaManager<'_>, kinds: &'static [&'static str]) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared(
            "CREATE TABLE kept_changes AS SELECT * FROM action_changes; DROP TABLE action_changes",
        )
        .await?;
        action_changes(DbBackend::Sqlite, kinds)
            .create(manager)
            .await?;
        db.execute_unprepared(
            "INSERT INTO action_changes SELECT * FROM kept_changes; DROP TABLE kept_changes",
        )
        .await?;
        return Ok(());
    }
    let listed: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    db.execute_unprepared(&format!(
        "ALTER TABLE action_changes DROP CONSTRAINT ck_action_changes_kind; \
         ALTER TABLE action_changes ADD CONSTRAINT ck_action_changes_kind CHECK (kind IN ({}))",
        listed.join(", ")
    ))
    .await?;
    Ok(())
}
