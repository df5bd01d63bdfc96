//! What Citus needs beyond PostgreSQL: two settings before tables are made, and the distribution afterwards.
//!
//! On SQLite and on PostgreSQL without the extension nothing here does anything.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// How a table is spread over the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Copied to every node: small, rarely written, without a publisher.
    Reference,
    /// Cut by `publisher_id`, so that a publisher's rows of all tables live on one node.
    ByPublisher,
}

/// Whether the database is PostgreSQL with the extension `citus`.
///
/// # Errors
/// What the database answers.
pub(crate) async fn is_citus(manager: &SchemaManager<'_>) -> Result<bool, DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let installed = Query::select()
        .column("extname")
        .from("pg_extension")
        .and_where(Expr::col("extname").eq("citus"))
        .take();
    let found = manager.get_connection().query_one(&installed).await?;
    Ok(found.is_some())
}

/// To be called before the first table of a migration is made or dropped, in its transaction.
///
/// # Errors
/// What the database answers.
pub(crate) async fn prepare(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if !is_citus(manager).await? {
        return Ok(());
    }
    let db = manager.get_connection();
    // Without this, CREATE TABLE fails that refers to a reference table and a distributed one, and so does converting
    // the parents first.
    db.execute_unprepared("SET LOCAL citus.enable_local_reference_table_foreign_keys = off")
        .await?;
    // Several tables are changed in one transaction, some of them copied to all nodes: one connection per node keeps
    // the order.
    db.execute_unprepared("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        .await?;
    Ok(())
}

/// To be called last in a migration that makes tables: spreads them in the order given, which is parents before
/// children.
///
/// # Errors
/// What the database answers.
pub(crate) async fn distribute(
    manager: &SchemaManager<'_>,
    tables: &[(&'static str, Spread)],
) -> Result<(), DbErr> {
    if !is_citus(manager).await? {
        return Ok(());
    }
    let db = manager.get_connection();
    for (table, spread) in tables {
        // Literals, not parameters: the function wants a `regclass`, and a bound text is none.
        let sql = match spread {
            Spread::Reference => format!("SELECT create_reference_table('{table}')"),
            Spread::ByPublisher => {
                format!("SELECT create_distributed_table('{table}', 'publisher_id')")
            }
        };
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}
