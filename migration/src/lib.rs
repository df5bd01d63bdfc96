//! The migrations of Actiongraph's database, for SQLite, PostgreSQL and Citus alike.
//!
//! A migration is history: it never changes once it was released, and it never names the `entity` crate, because an
//! entity changes with the code. That both agree after the last migration is held by `tests/it/schema_drift.rs`, and
//! that every table can be distributed by `tests/fixtures/citus_lint.sql`.
//!
//! To add one: a module `mYYYYMMDD_NNNNNN_what`, listed at the end of [`Migrator::migrations`]. A new table that
//! belongs to a publisher goes through [`table::NewTable`], which puts `publisher_id` first in every key, and is
//! distributed at the end of the migration by [`citus::distribute`].

pub use sea_orm_migration::prelude::MigratorTrait;
use sea_orm_migration::prelude::{MigrationTrait, async_trait};

mod citus;
mod m20261122_000001_spine;
mod m20261122_000002_totals;
mod m20261122_000003_rates;
mod m20261122_000004_tombstones;
mod m20261122_000005_sync;
mod m20261122_000006_clicks;
mod m20261122_000007_postbacks;
mod m20261122_000008_uploads;
mod m20261122_000009_adjustments;
mod m20261122_000010_feeds;
mod m20261129_000012_segments;
mod m20261129_000013_segment_settings;
mod m20261129_000014_deeplinks;
mod m20261129_000017_keys;
mod m20261129_000018_awaited_products;
mod m20261130_000001_account_identity;
mod m20261130_000002_marked_products;
mod m20261130_000003_account_actions;
mod m20261130_000004_runs_by_entrance;
mod m20261130_000005_program_details;
mod m20261130_000006_run_offsets;
mod m20261130_000007_user_ids_secret;
mod m20261130_000008_ad_space_names;
mod m20261130_000010_repaired_totals;
mod m20261130_000012_products_by_category;
mod table;

/// Brings a database to the tables that this version works with, and back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_spine::Migration),
            Box::new(m20261122_000002_totals::Migration),
            Box::new(m20261122_000003_rates::Migration),
            Box::new(m20261122_000004_tombstones::Migration),
            Box::new(m20261122_000005_sync::Migration),
            Box::new(m20261122_000006_clicks::Migration),
            Box::new(m20261122_000007_postbacks::Migration),
            Box::new(m20261122_000008_uploads::Migration),
            Box::new(m20261122_000009_adjustments::Migration),
            Box::new(m20261122_000010_feeds::Migration),
            Box::new(m20261129_000012_segments::Migration),
            Box::new(m20261129_000013_segment_settings::Migration),
            Box::new(m20261129_000014_deeplinks::Migration),
            Box::new(m20261129_000017_keys::Migration),
            Box::new(m20261129_000018_awaited_products::Migration),
            Box::new(m20261130_000001_account_identity::Migration),
            Box::new(m20261130_000002_marked_products::Migration),
            Box::new(m20261130_000003_account_actions::Migration),
            Box::new(m20261130_000004_runs_by_entrance::Migration),
            Box::new(m20261130_000005_program_details::Migration),
            Box::new(m20261130_000006_run_offsets::Migration),
            Box::new(m20261130_000007_user_ids_secret::Migration),
            Box::new(m20261130_000008_ad_space_names::Migration),
            Box::new(m20261130_000010_repaired_totals::Migration),
            Box::new(m20261130_000012_products_by_category::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use sea_orm_migration::sea_orm::sqlx::test_block_on;
    use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "the crate stands below the one that opens connections"
    )]
    async fn memory() -> DatabaseConnection {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        db.execute_unprepared("PRAGMA foreign_keys = ON")
            .await
            .unwrap();
        db
    }

    /// Every table, index and their SQL, but for what the migrator itself keeps.
    async fn objects(db: &DatabaseConnection) -> Vec<String> {
        let sql = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') AS object FROM sqlite_master \
                   WHERE tbl_name <> 'seaql_migrations' ORDER BY type, name";
        let rows = db
            .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
            .await
            .unwrap();
        rows.iter()
            .map(|row| row.try_get("", "object").unwrap())
            .collect()
    }

    #[test]
    fn up_down_up_ends_where_it_was() {
        test_block_on(async {
            let db = memory().await;
            Migrator::up(&db, None).await.unwrap();
            let first = objects(&db).await;
            let tables = m20261122_000001_spine::TABLES
                .into_iter()
                .chain(m20261122_000002_totals::TABLES)
                .chain(m20261122_000004_tombstones::TABLES)
                .chain(m20261122_000005_sync::TABLES)
                .chain(m20261122_000009_adjustments::TABLES)
                .chain(m20261122_000010_feeds::TABLES)
                .chain(m20261129_000012_segments::TABLES)
                .chain(m20261129_000013_segment_settings::TABLES)
                .chain(m20261129_000014_deeplinks::TABLES)
                .chain([
                    m20261129_000017_keys::TABLE,
                    m20261129_000018_awaited_products::TABLE,
                    m20261130_000003_account_actions::TABLE,
                ]);
            for table in tables {
                let made = format!("table {table}: CREATE TABLE");
                assert!(
                    first.iter().any(|object| object.starts_with(&made)),
                    "{table} in {first:#?}"
                );
            }

            Migrator::down(&db, None).await.unwrap();
            assert_eq!(objects(&db).await, Vec::<String>::new());

            Migrator::up(&db, None).await.unwrap();
            assert_eq!(objects(&db).await, first);
        });
    }

    #[test]
    fn going_up_twice_changes_nothing() {
        test_block_on(async {
            let db = memory().await;
            Migrator::up(&db, None).await.unwrap();
            let first = objects(&db).await;
            Migrator::up(&db, None).await.unwrap();
            assert_eq!(objects(&db).await, first);
            let pending = Migrator::get_pending_migrations(&db).await.unwrap();
            assert!(pending.is_empty());
        });
    }

    #[test]
    fn the_database_refuses_what_no_code_should_write() {
        test_block_on(async {
            let db = memory().await;
            Migrator::up(&db, None).await.unwrap();
            let publisher = |id: i64| {
                format!(
                    "INSERT INTO publishers (id, slug, name, time_zone, currency, created_at_us) \
                     VALUES ({id}, 'demo', 'Demo', 'UTC', 'USD', 0)"
                )
            };
            db.execute_unprepared(
                &(publisher(1)
                    + "; INSERT INTO programs (publisher_id, id, source, natural_key, external_id, \
                   name, name_folded, currency, name_at_us) VALUES \
                   (1, x'0A', 'admitad', '6115', '6115', 'WW', 'ww', 'USD', 0)"),
            )
            .await
            .unwrap();
            let action = |publisher: i64, id: &str, external_id: &str, status: &str| {
                format!(
                    "INSERT INTO actions (publisher_id, id, source, external_id, program_id, action_type, status, \
                     raw_status, paid, processed, returned_to_hold, reward_e4, currency, ordered_at_us, items_count, \
                     units, items_amount_e4, items_reward_e4, changed_at_us, observed_at_us, inherited) VALUES \
                     ({publisher}, x'{id}', 'admitad', '{external_id}', x'0A', 'SALE', '{status}', '', 0, 0, 0, 0, \
                     'USD', 0, 0, 0, 0, 0, 0, 0, '')"
                )
            };
            let item = "INSERT INTO action_items (publisher_id, action_id, ordinal, amount_e4, reward_e4, units) VALUES";

            db.execute_unprepared(&action(1, "01", "900", "PENDING"))
                .await
                .unwrap();
            db.execute_unprepared(&format!("{item} (1, x'01', 0, 1, 1, 1)"))
                .await
                .unwrap();
            for (why, sql) in [
                ("a status of its own", action(1, "02", "901", "OPEN")),
                (
                    "the id derived from upstream's again",
                    action(1, "01", "900", "PENDING"),
                ),
                (
                    "a program of another publisher",
                    action(2, "02", "901", "PENDING"),
                ),
                (
                    "an item of no action",
                    format!("{item} (1, x'02', 0, 1, 1, 1)"),
                ),
                (
                    "an item at a place that is taken",
                    format!("{item} (1, x'01', 0, 1, 1, 1)"),
                ),
                ("a slug twice", publisher(2)),
            ] {
                assert!(db.execute_unprepared(&sql).await.is_err(), "{why}");
            }

            db.execute_unprepared("DELETE FROM actions").await.unwrap();
            let left = db
                .query_all_raw(Statement::from_string(
                    db.get_database_backend(),
                    "SELECT ordinal FROM action_items",
                ))
                .await
                .unwrap();
            assert!(left.is_empty(), "items go with their action");
        });
    }
}
