//! The totals, kept by difference beside the facts, and how far rebuilding and verifying them has come.
//!
//! What each total answers stands in `docs/DATA.md`; what a row counts, in the program's `domain::contribution`.
//!
//! Grain and cell follow `publisher_id` in the keys (behind the tier, where there is one), so that a stretch of time is
//! a run of rows; the rest of the key follows in the order in which questions narrow it. There is one other index: of the
//! weeks in which a product sold more than one unit, for the best sellers. Foreign keys there are none: the rows come from facts that have theirs, in the same
//! transaction, and a look-up for each of them would be felt by every import.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables.
pub(crate) const TABLES: [&str; 8] = [
    "totals_time",
    "totals_channel",
    "totals_audience",
    "totals_category",
    "totals_product",
    "product_lifetimes",
    "user_lifetimes",
    "totals_tasks",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000002_totals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        let tables: [NewTable; TABLES.len()] = [
            time(backend),
            channel(backend),
            audience(backend),
            category(backend),
            product(backend),
            product_lifetimes(backend),
            user_lifetimes(backend),
            tasks(backend),
        ];
        for table in tables {
            table.create(manager).await?;
        }
        manager.drop_index(by_order(&[]).0).await?;
        manager.create_index(by_order(REPORTED).1).await?;
        citus::distribute(manager, &TABLES.map(|table| (table, Spread::ByPublisher))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        manager.drop_index(by_order(REPORTED).0).await?;
        manager.create_index(by_order(&[]).1).await?;
        for table in TABLES.into_iter().rev() {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// What reports by user read of the actions in a range, so that they find it in the index of the order's instant.
const REPORTED: &[&str] = &["status", "user_id", "currency", "reward_e4"];

/// How the index of actions by the order's instant is dropped and made, with these columns behind its own.
fn by_order(more: &[&'static str]) -> (IndexDropStatement, IndexCreateStatement) {
    let name = "ix_actions_ordered_at_us_id";
    let mut dropped = Index::drop();
    dropped.name(name).table("actions");
    let mut made = Index::create().name(name).table("actions").take();
    for column in ["publisher_id", "ordered_at_us", "id"].iter().chain(more) {
        made.col(*column);
    }
    (dropped, made)
}

fn cells(backend: DbBackend, name: &'static str) -> NewTable {
    NewTable::of_publisher(backend, name)
        .int("grain")
        .big("cell")
        .text("status")
        .text("currency")
}

fn of_actions(table: NewTable) -> NewTable {
    table
        .big("actions")
        .big("units")
        .big("order_amount_e4")
        .big("amounted")
        .big("reward_e4")
        .big("paid_e4")
        .big("items_amount_e4")
        .big("items_reward_e4")
        .big("carted")
        .in_key_order()
}

fn of_items(table: NewTable) -> NewTable {
    table
        .big("actions")
        .big("units")
        .big("order_amount_e4")
        .big("reward_e4")
        .in_key_order()
}

fn time(backend: DbBackend) -> NewTable {
    of_actions(cells(backend, "totals_time")).key(&["grain", "cell", "status", "currency"])
}

fn channel(backend: DbBackend) -> NewTable {
    of_actions(
        cells(backend, "totals_channel")
            .uuid("program_id")
            .uuid("ad_space_id"),
    )
    .key(&[
        "grain",
        "cell",
        "status",
        "currency",
        "program_id",
        "ad_space_id",
    ])
}

fn audience(backend: DbBackend) -> NewTable {
    of_actions(
        cells(backend, "totals_audience")
            .uuid("program_id")
            .uuid("ad_space_id")
            .text("country")
            .text("device")
            .text("action_type"),
    )
    .key(&[
        "grain",
        "cell",
        "status",
        "currency",
        "program_id",
        "ad_space_id",
        "country",
        "device",
        "action_type",
    ])
}

fn category(backend: DbBackend) -> NewTable {
    of_items(
        cells(backend, "totals_category")
            .int("tier")
            .uuid("category_id"),
    )
    .key(&["tier", "grain", "cell", "status", "currency", "category_id"])
}

fn product(backend: DbBackend) -> NewTable {
    let busy_weeks = Expr::col("grain").eq(4).and(Expr::col("units").gte(2));
    of_items(cells(backend, "totals_product").uuid("product_id"))
        .key(&["grain", "cell", "status", "product_id", "currency"])
        .index_where(&["cell", "status", "product_id", "units"], busy_weeks)
}

fn product_lifetimes(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "product_lifetimes")
        .uuid("product_id")
        .big("actions")
        .big("units")
        .big("first_ordered_at_us")
        .key(&["product_id"])
        .in_key_order()
}

fn user_lifetimes(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "user_lifetimes")
        .uuid("user_id")
        .big("actions")
        .big("first_ordered_at_us")
        .key(&["user_id"])
        .in_key_order()
}

fn tasks(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "totals_tasks")
        .word("task", &["REBUILD", "VERIFY"])
        .int("layout")
        .big_or_null("next_slice")
        .big("drift_rows")
        .big("updated_at_us")
        .key(&["task"])
        .of_known_publisher()
}
