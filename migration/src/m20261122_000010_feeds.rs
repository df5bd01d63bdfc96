//! Product feeds: which there are, what they offer, and what commission products pay.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::citus::{self, Spread};
use crate::table::NewTable;

/// The tables.
pub(crate) const TABLES: [&str; 3] = ["feeds", "feed_offers", "commission_rates"];

/// The migration.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000010_feeds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        citus::prepare(manager).await?;
        let backend = manager.get_database_backend();
        for table in [
            feeds(backend),
            feed_offers(backend),
            commission_rates(backend),
        ] {
            table.create(manager).await?;
        }
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

/// Feeds by name.
fn feeds(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "feeds")
        .text("name")
        .big("full_at_us")
        .key(&["name"])
        .of_known_publisher()
}

/// What a feed says of a product.
fn feed_offers(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "feed_offers")
        .uuid("product_id")
        .text("feed")
        .text_or_null("affiliate_url")
        .big_or_null("price_e4")
        .big_or_null("old_price_e4")
        .text_or_null("currency")
        .text_or_null("vendor")
        .flag_or_null("available")
        .flag("hot")
        .big("observed_at_us")
        .key(&["product_id", "feed"])
        .parent("product_id", "products")
        .index(&["feed", "observed_at_us"])
}

/// What commission a product pays.
fn commission_rates(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "commission_rates")
        .uuid("product_id")
        .big_or_null("rate_e4")
        .big_or_null("hot_rate_e4")
        .flag("is_hot")
        .big("observed_at_us")
        .key(&["product_id"])
        .parent("product_id", "products")
}
