//! The ledger: what moved the balance and was no action, and what the balance was.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables.
pub(crate) const TABLES: [&str; 2] = ["adjustments", "balances"];

/// What an adjustment can be.
const KINDS: &[&str] = &[
    "DEDUCTION",
    "FINE",
    "PAYOUT",
    "TRANSFER",
    "BONUS",
    "CORRECTION",
];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000009_adjustments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        adjustments(backend).create(manager).await?;
        balances(backend).create(manager).await?;
        citus::distribute(manager, &TABLES.map(|table| (table, Spread::ByPublisher))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        for table in TABLES {
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

/// Deductions, fines, payouts and the like.
fn adjustments(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "adjustments")
        .uuid("id")
        .text("account")
        .word("kind", KINDS)
        .int("day")
        .big_or_null("at_us")
        .big("amount_e4")
        .text("currency")
        .uuid_or_null("program_id")
        .uuid_or_null("ad_space_id")
        .text_or_null("comment")
        .text_or_null("comment_folded")
        .text_or_null("external_reference")
        .uuid("run_id")
        .big("observed_at_us")
        .key(&["id"])
        .parent("program_id", "programs")
        .parent("ad_space_id", "ad_spaces")
        .index(&["day", "id"])
}

/// What the balance of an account was.
fn balances(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "balances")
        .uuid("id")
        .text("account")
        .text("currency")
        .big("observed_at_us")
        .big("balance_e4")
        .big("processing_e4")
        .big("today_e4")
        .big("stalled_e4")
        .key(&["id"])
        .of_known_publisher()
        .unique(&["account", "currency", "observed_at_us"])
}
