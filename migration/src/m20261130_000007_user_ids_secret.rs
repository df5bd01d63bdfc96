//! Each publisher has a secret through which the ids of its users are shown to keys that may not know who they are. It is
//! made when it is first needed, so that there is none yet.

use sea_orm_migration::prelude::*;

use crate::citus;
use crate::table::{add_text_or_null, drop_column};

/// The table and its new column.
const COLUMN: (&str, &str) = ("publishers", "user_ids_secret");

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000007_user_ids_secret"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let (table, name) = COLUMN;
        add_text_or_null(manager, table, name).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let (table, name) = COLUMN;
        drop_column(manager, table, name).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
