//! Runs are found by their entrance: the latest one, the last that went well and the newest that one brought, without
//! looking through all of them.

use sea_orm_migration::prelude::*;

use crate::citus;

/// The indexes by name, each as both databases write it.
const INDEXES: [(&str, &str); 3] = [
    (
        "import_runs_latest",
        "ON import_runs (publisher_id, entrance, started_at_us, id)",
    ),
    (
        "import_runs_went_well",
        "ON import_runs (publisher_id, entrance, finished_at_us) \
         WHERE (state = 'SUCCEEDED' OR state = 'PARTIAL' AND rejected_count < read_count)",
    ),
    (
        "import_runs_brought",
        "ON import_runs (publisher_id, entrance, as_of_us) \
         WHERE state IN ('SUCCEEDED', 'PARTIAL') AND rejected_count < read_count",
    ),
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000004_runs_by_entrance"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        for (name, rest) in INDEXES {
            db.execute_unprepared(&format!("CREATE INDEX {name} {rest}"))
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let db = manager.get_connection();
        for (name, _) in INDEXES {
            db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
