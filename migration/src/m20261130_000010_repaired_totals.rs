//! Totals that are made anew though they are of this version's layout are noted under a word of their own: where such a
//! rebuild was stopped, the server need not refuse to start.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus;
use crate::table::NewTable;

const TASKS: &[&str] = &["REBUILD", "REPAIR", "VERIFY"];
const OLD_TASKS: &[&str] = &["REBUILD", "VERIFY"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000010_repaired_totals"
    }
}

fn table(words: &'static [&'static str]) -> NewTable {
    NewTable::of_publisher(DbBackend::Sqlite, "totals_tasks")
        .word("task", words)
        .int("layout")
        .big_or_null("next_slice")
        .big("drift_rows")
        .big("updated_at_us")
        .key(&["task"])
        .of_known_publisher()
}

/// Lets the table of tasks say these words. SQLite cannot change a rule of a table: there the table is made anew.
async fn allow(manager: &SchemaManager<'_>, words: &'static [&'static str]) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared(
            "CREATE TABLE kept_tasks AS SELECT * FROM totals_tasks; DROP TABLE totals_tasks",
        )
        .await?;
        table(words).create(manager).await?;
        db.execute_unprepared(
            "INSERT INTO totals_tasks (publisher_id, task, layout, next_slice, drift_rows, updated_at_us) \
             SELECT publisher_id, task, layout, next_slice, drift_rows, updated_at_us FROM kept_tasks; \
             DROP TABLE kept_tasks",
        )
        .await?;
        return Ok(());
    }
    let listed: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    db.execute_unprepared(&format!(
        "ALTER TABLE totals_tasks DROP CONSTRAINT ck_totals_tasks_task; \
         ALTER TABLE totals_tasks ADD CONSTRAINT ck_totals_tasks_task CHECK (task IN ({}))",
        listed.join(", ")
    ))
    .await?;
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        allow(manager, TASKS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM totals_tasks WHERE task = 'REPAIR'")
            .await?;
        allow(manager, OLD_TASKS).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
