//! Ad spaces keep every name that they were ever told by, and actions, tombstones and adjustments the name that their ad
//! space is known by: whichever row a name leads to later, they follow it. Actions note likewise that their program is known
//! by its name.
//!
//! What is stored keeps the ad space and the program that it has. Where only the name of that one is known, the name is noted;
//! of the rest nobody knows any more how it was told, and it stays where it is. So does the program of an action behind a
//! tombstone: it is printed there with the action, without such a note. One that comes back has it as if an id had told it.

use sea_orm_migration::prelude::*;

use crate::citus;
use crate::table::{add_text_or_null, drop_column};

/// The column of names, and its table.
const NAMES: (&str, &str) = ("ad_spaces", "former_names");
/// The columns of names that were told: the table that gets one, the column that it stands beside, what that one names, and
/// which of those are known by their names only.
const TOLD: [(&str, &str, &str, &str); 4] = [
    ("actions", "ad_space", "ad_spaces", NO_ID),
    ("tombstones", "ad_space", "ad_spaces", NO_ID),
    ("adjustments", "ad_space", "ad_spaces", NO_ID),
    (
        "actions",
        "program",
        "programs",
        "s.external_id IS NULL AND s.catalog_key IS NULL",
    ),
];
const NO_ID: &str = "s.external_id IS NULL";

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000008_ad_space_names"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        add_text_or_null(manager, NAMES.0, NAMES.1).await?;
        for (table, what, ..) in TOLD {
            let mut column = ColumnDef::new(format!("{what}_name_id"))
                .uuid()
                .null()
                .take();
            let alter = Table::alter().table(table).add_column(&mut column).take();
            manager.alter_table(alter).await?;
        }
        for (table, what, named, is_by_name) in TOLD {
            let fill = format!(
                "UPDATE {table} SET {what}_name_id = {what}_id WHERE EXISTS (SELECT 1 FROM {named} s \
                 WHERE s.publisher_id = {table}.publisher_id AND s.id = {table}.{what}_id AND {is_by_name})"
            );
            manager.get_connection().execute_unprepared(&fill).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for (table, what) in [
            ("actions", "program_name_id"),
            ("adjustments", "ad_space_name_id"),
            ("tombstones", "ad_space_name_id"),
            ("actions", "ad_space_name_id"),
        ] {
            drop_column(manager, table, what).await?;
        }
        drop_column(manager, NAMES.0, NAMES.1).await
    }

    /// In one transaction on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
