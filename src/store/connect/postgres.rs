//! The pools of a PostgreSQL server's database.

use super::super::error::from_db;
use super::super::statistics::Growth;
use super::super::turns::Turns;
use super::{AT_THE_DOOR, Pools, StoreOptions};
use crate::domain::error::Result;
use sea_orm::sqlx::Executor as _;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::timeout;

/// How long a server keeps the locks of a writer that fell silent inside a transaction.
const SILENCE: Duration = Duration::from_secs(60);

/// Opens the pools of a server's database.
pub(super) async fn open(url: &str, options: StoreOptions) -> Result<Pools> {
    let milliseconds = |time: Duration| time.as_millis().max(1);
    // Without its warnings: a ROLLBACK outside a transaction, which each connection ends with, is none. A writer finds
    // rows by their keys: a plan that was made while a table was small must not walk it when it has grown.
    let write = format!(
        "SET client_min_messages = error; SET jit = off; SET enable_seqscan = off; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}",
        milliseconds(options.lock_timeout),
        milliseconds(SILENCE),
    );
    // Questions are short: compiling them or sharing them out takes longer than they do, sorting and grouping should not go to disk, and a
    // plan for any publisher and any range fits none.
    let read = format!(
        "SET client_min_messages = error; SET jit = off; SET max_parallel_workers_per_gather = 0; SET work_mem = '32MB'; SET plan_cache_mode = force_custom_plan; \
         SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}",
        milliseconds(options.read_timeout),
        milliseconds(SILENCE),
    );
    Ok(Pools {
        write: connect(url, write, options.connections, &options).await?,
        door: connect(url, read.clone(), AT_THE_DOOR, &options).await?,
        read: connect(url, read, options.connections, &options).await?,
        turns: Turns::at(options.connections),
        backend: DbBackend::Postgres,
        options,
        description: "PostgreSQL".to_owned(),
        growth: Growth::default(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that opens connections"
)]
async fn connect(
    url: &str,
    settings: String,
    size: u32,
    limits: &StoreOptions,
) -> Result<DatabaseConnection> {
    let patience = limits.acquire_timeout;
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .acquire_timeout(limits.acquire_timeout)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|options| options.application_name("actiongraph"))
        .map_sqlx_postgres_pool_opts(move |options| {
            let settings = settings.clone();
            options
                .after_connect(move |connection, _| {
                    let settings = settings.clone();
                    Box::pin(async move {
                        connection
                            .execute(sea_orm::sqlx::AssertSqlSafe(settings))
                            .await?;
                        Ok(())
                    })
                })
                .after_release(move |connection, _| {
                    Box::pin(async move {
                        // Whoever went away while BEGIN was under way left the server inside a transaction that the
                        // driver does not know of. A server that does not answer would keep the connection from the pool
                        // for good: as a fault, it is closed without another word.
                        match timeout(patience, connection.execute("ROLLBACK")).await {
                            Ok(ended) => ended.map(|_| true),
                            Err(_) => Err(std::io::Error::from(ErrorKind::TimedOut).into()),
                        }
                    })
                })
        });
    Database::connect(options)
        .await
        .map_err(|error| from_db(&error))
}
