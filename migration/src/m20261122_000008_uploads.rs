//! Uploads: runs that wait for their turn, with their progress; rejected records that were mended; scopes of keys.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::{NewTable, drop_column};

/// The table of uploads that are not in yet.
pub(crate) const TABLE: &str = "uploads";

/// The states of runs before and after.
const OLD_STATES: &[&str] = &["RUNNING", "SUCCEEDED", "PARTIAL", "FAILED"];
const STATES: &[&str] = &["QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED"];

/// The columns that runs had before.
const RUN_COLUMNS: &str = "publisher_id, id, entrance, name, state, started_at_us, finished_at_us, as_of_us, read_count, \
     inserted_count, updated_count, unchanged_count, stale_count, rejected_count, rounded_count, error, deleted_count, \
     alive_at_us";
/// The columns that rejected records had before.
const REJECT_COLUMNS: &str =
    "publisher_id, run_id, ordinal, page, item, byte_offset, line, reason, field, message, raw";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000008_uploads"
    }
}

/// Runs as they are on SQLite, which cannot change a rule of a table.
fn runs(states: &'static [&'static str], has_bytes: bool) -> NewTable {
    let table = NewTable::of_publisher(DbBackend::Sqlite, "import_runs")
        .uuid("id")
        .text("entrance")
        .text("name")
        .word("state", states)
        .big("started_at_us")
        .big_or_null("finished_at_us")
        .big("as_of_us")
        .big("read_count")
        .big("inserted_count")
        .big("updated_count")
        .big("unchanged_count")
        .big("stale_count")
        .big("rejected_count")
        .big("rounded_count")
        .text_or_null("error")
        .big("deleted_count")
        .big_or_null("alive_at_us");
    let table = if has_bytes {
        table.big_or_null("bytes_read").big_or_null("bytes_total")
    } else {
        table
    };
    table
        .key(&["id"])
        .of_known_publisher()
        .index(&["started_at_us", "id"])
}

/// Rejected records as they are on SQLite.
fn rejects(has_resolved: bool) -> NewTable {
    let table = NewTable::of_publisher(DbBackend::Sqlite, "import_rejects")
        .uuid("run_id")
        .int("ordinal")
        .int("page")
        .int("item")
        .big("byte_offset")
        .big("line")
        .text("reason")
        .text_or_null("field")
        .text("message")
        .text("raw");
    let table = if has_resolved {
        table.uuid_or_null("resolved_by_run")
    } else {
        table
    };
    table
        .key(&["run_id", "ordinal"])
        .part_of("run_id", "import_runs")
}

/// Makes both tables anew on SQLite: dropping a table takes its parts along, so both are kept beside.
async fn remake(manager: &SchemaManager<'_>, is_new: bool) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared(
        "CREATE TABLE kept_rejects AS SELECT * FROM import_rejects; DROP TABLE import_rejects; \
         CREATE TABLE kept_runs AS SELECT * FROM import_runs; DROP TABLE import_runs",
    )
    .await?;
    let states = if is_new { STATES } else { OLD_STATES };
    runs(states, is_new).create(manager).await?;
    rejects(is_new).create(manager).await?;
    db.execute_unprepared(&format!(
        "INSERT INTO import_runs ({RUN_COLUMNS}) SELECT {RUN_COLUMNS} FROM kept_runs; DROP TABLE kept_runs; \
         INSERT INTO import_rejects ({REJECT_COLUMNS}) SELECT {REJECT_COLUMNS} FROM kept_rejects; DROP TABLE kept_rejects"
    ))
    .await?;
    Ok(())
}

/// Changes the rule of the states on PostgreSQL.
async fn allow(manager: &SchemaManager<'_>, states: &[&str]) -> Result<(), DbErr> {
    let listed: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
    let db = manager.get_connection();
    db.execute_unprepared(&format!(
        "ALTER TABLE import_runs DROP CONSTRAINT ck_import_runs_state; \
         ALTER TABLE import_runs ADD CONSTRAINT ck_import_runs_state CHECK (state IN ({}))",
        listed.join(", ")
    ))
    .await?;
    Ok(())
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    let alter = Table::alter().table(table).add_column(column).take();
    manager.alter_table(alter).await
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        let mut scopes = ColumnDef::new("scopes").text().not_null().take();
        if backend == DbBackend::Sqlite {
            remake(manager, true).await?;
        } else {
            for name in ["bytes_read", "bytes_total"] {
                let column = ColumnDef::new(name).big_integer().null().take();
                add(manager, "import_runs", column).await?;
            }
            let resolved = ColumnDef::new("resolved_by_run").uuid().null().take();
            add(manager, "import_rejects", resolved).await?;
            allow(manager, STATES).await?;
            scopes.extra(r#"COLLATE "C""#);
        }
        add(manager, "api_keys", scopes.default("read").take()).await?;
        NewTable::of_publisher(backend, TABLE)
            .uuid("run_id")
            .big_or_null("as_of_us")
            .int("offset_minutes")
            .big("queued_at_us")
            .text_or_null("holder")
            .big("lease_until_us")
            .key(&["run_id"])
            .part_of("run_id", "import_runs")
            .create(manager)
            .await?;
        citus::distribute(manager, &[(TABLE, Spread::ByPublisher)]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        manager
            .drop_table(Table::drop().table(TABLE).take())
            .await?;
        drop_column(manager, "api_keys", "scopes").await?;
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM import_runs WHERE state = 'QUEUED'")
            .await?;
        if manager.get_database_backend() == DbBackend::Sqlite {
            return remake(manager, false).await;
        }
        allow(manager, OLD_STATES).await?;
        drop_column(manager, "import_rejects", "resolved_by_run").await?;
        for name in ["bytes_read", "bytes_total"] {
            drop_column(manager, "import_runs", name).await?;
        }
        Ok(())
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
