//! The first tables: publishers and their keys, the catalogue as imports teach it, actions, and the import runs.
//!
//! # Foreign keys
//!
//! A foreign key costs a look-up for each row written, so it stands where a broken reference could come from a mistake
//! and would be seen, and not where the writer derives the id and writes the other row in the same transaction anyway:
//!
//! - items and states → their action, rejects → their run: they are parts of it, and removing it removes them;
//! - actions → programs and ad spaces: small tables that stay in the cache, and no action makes sense without a program;
//! - products → categories, categories → the category above: paid once per product or category, not per cart item;
//! - everything else that has no such parent → its publisher.
//!
//! Without one, on purpose: items → products and categories (two look-ups for each cart item, millions in an import),
//! actions → users (a large table in random order), and the change log (it outlives the action and the run it names;
//! its numbers come from the publisher's row of `publisher_states`, under its lock).
//!
//! # Indexes
//!
//! Each answers a question of the API, and each is paid by every row of an import: the orders in which actions are
//! walked (one per date axis), the actions of a user, of a program and of an order number, the sales of a product and
//! of a category. Text search has none: `contains` can't use one.
//!
//! On SQLite the tables keep their rowid. Ids are derived and so come in random order; appending rows beside a slim key
//! index was quicker than inserting whole rows by id (a million cart items: 28 and 29 s against 41 and 42 s
//! `WITHOUT ROWID`; a rough trial outside the product, each case run once on a shared machine).

use sea_orm_migration::prelude::*;

use crate::citus::{self, Spread};
use crate::table::NewTable;

mod actions;
mod catalogue;
mod imports;
mod publishers;

pub(crate) use actions::action_changes;

/// The tables, parents before children: the order in which they are made and distributed.
pub(crate) const TABLES: [&str; 14] = [
    "publishers",
    "publisher_states",
    "api_keys",
    "programs",
    "ad_spaces",
    "categories",
    "users",
    "products",
    "import_runs",
    "import_rejects",
    "actions",
    "action_items",
    "action_states",
    "action_changes",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000001_spine"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        let tables: [NewTable; TABLES.len()] = [
            publishers::publishers(backend),
            publishers::publisher_states(backend),
            publishers::api_keys(backend),
            catalogue::programs(backend),
            catalogue::ad_spaces(backend),
            catalogue::categories(backend),
            catalogue::users(backend),
            catalogue::products(backend),
            imports::import_runs(backend),
            imports::import_rejects(backend),
            actions::actions(backend),
            actions::action_items(backend),
            actions::action_states(backend),
            action_changes(backend, &["INSERTED", "UPDATED"]),
        ];
        for table in tables {
            table.create(manager).await?;
        }
        citus::distribute(manager, &TABLES.map(|table| (table, spread(table)))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for table in TABLES.into_iter().rev() {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }

    /// In one transaction on SQLite too: all tables are there or none.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn spread(table: &str) -> Spread {
    if table == "publishers" {
        Spread::Reference
    } else {
        Spread::ByPublisher
    }
}
