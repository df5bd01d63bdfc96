//! Opening databases: the only file that makes connections.
//!
//! SQLite, as it comes from the drivers, loses acknowledged writes after a full disk and fails transactions under
//! concurrency. Therefore: one writer connection, immediate transactions, and a connection that comes back to its pool
//! inside a transaction is thrown away.

use super::error::from_db;
use super::tx::Recorder;
use crate::domain::error::{Code, Error, Result};
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::{Connection as _, Executor as _, sqlite};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

/// How many readers an SQLite file has. They run beside the one writer, each on its own snapshot.
const SQLITE_READERS: u32 = 4;
/// How many connections a PostgreSQL pool opens at most.
const POSTGRES_CONNECTIONS: u32 = 10;
/// How long a request waits for a connection before it is told that the server is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long SQLite waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement of a request may run on PostgreSQL.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// An open database: a pool to read and one to write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Arc<Pools>,
    recorder: Option<Recorder>,
}

#[derive(Debug)]
struct Pools {
    read: DatabaseConnection,
    write: DatabaseConnection,
    backend: DbBackend,
    description: String,
}

impl Store {
    /// Opens `sqlite://PATH` or `postgres://…`; an SQLite file is made where there is none.
    ///
    /// # Errors
    /// For other URLs, and when the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        let pools = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(url).await?,
            Some("postgres" | "postgresql") => open_postgres(url).await?,
            _ => {
                return Err(Error::bad_input(
                    "database-url",
                    "the database URL must begin with sqlite:// or postgres://, such as sqlite:///var/lib/actiongraph.db",
                ));
            }
        };
        Ok(Self {
            pools: Arc::new(pools),
            recorder: None,
        })
    }

    /// The same store, every statement of which is noted: for tests that count and read statements.
    #[must_use]
    pub fn recorded(&self, recorder: &Recorder) -> Self {
        Self {
            pools: Arc::clone(&self.pools),
            recorder: Some(recorder.clone()),
        }
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    /// When a migration fails; what it did is rolled back.
    pub async fn migrate(&self) -> Result<()> {
        Migrator::up(&self.pools.write, None)
            .await
            .map_err(|error| from_db(&error))
    }

    /// Whether the database answers and its tables are up to date.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when not.
    pub async fn is_ready(&self) -> Result<()> {
        let pending = Migrator::get_pending_migrations(&self.pools.read)
            .await
            .map_err(|error| from_db(&error))?;
        if pending.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Code::ServiceUnavailable,
            format!(
                "{} migrations are pending; run `actiongraph migrate`",
                pending.len()
            ),
        ))
    }

    /// What is open, without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        self.pools.description.clone()
    }

    /// Closes the pools; on SQLite the write-ahead log is folded into the file. A failure is logged: what was
    /// committed is stored all the same.
    pub async fn close(self) {
        for pool in [&self.pools.read, &self.pools.write] {
            if let Err(error) = pool.close_by_ref().await {
                tracing::warn!(%error, "closing the database failed");
            }
        }
    }

    /// Refreshes the planner's statistics, after much was written.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn analyze(&self) -> Result<()> {
        let statement = match self.pools.backend {
            DbBackend::Sqlite => "PRAGMA analysis_limit = 1000; ANALYZE",
            _ => "ANALYZE",
        };
        self.pools
            .write
            .execute_unprepared(statement)
            .await
            .map_err(|error| from_db(&error))?;
        Ok(())
    }

    pub(super) fn reader(&self) -> &DatabaseConnection {
        &self.pools.read
    }

    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.pools.write
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.pools.backend
    }

    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }
}

async fn open_sqlite(url: &str) -> Result<Pools> {
    let options = sqlite::SqliteConnectOptions::from_str(url).map_err(|error| {
        Error::bad_input("database-url", format!("the SQLite URL cannot be read: {error}"))
    })?;
    let path = options.get_filename().to_path_buf();
    if path.as_os_str().is_empty() || path == Path::new(":memory:") || url.contains(":memory:") {
        return Err(Error::bad_input(
            "database-url",
            "an SQLite URL needs a file, such as sqlite://actiongraph.db",
        ));
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        return Err(Error::bad_input(
            "database-url",
            format!(
                "there is no folder {}; create it or name another",
                folder.display()
            ),
        ));
    }
    let write = connect_sqlite(url, 1).await?;
    let read = connect_sqlite(url, SQLITE_READERS).await?;
    Ok(Pools {
        read,
        write,
        backend: DbBackend::Sqlite,
        description: format!("SQLite {}", path.display()),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that opens connections"
)]
async fn connect_sqlite(url: &str, size: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .min_connections(1)
        .acquire_timeout(if size == 1 {
            BUSY_TIMEOUT
        } else {
            ACQUIRE_TIMEOUT
        })
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlite::SqliteSynchronous::Normal)
                .busy_timeout(BUSY_TIMEOUT)
                .statement_cache_capacity(200)
                .pragma("cache_size", "-32768")
                .pragma("temp_store", "MEMORY")
                .pragma("mmap_size", "268435456")
        })
        .map_sqlx_sqlite_pool_opts(|options| {
            options.after_release(|connection, _| {
                Box::pin(async move {
                    // The ping runs behind a rollback that the dropped transaction has queued. A connection that is
                    // still inside a transaction then would swallow every later commit: it goes.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
        });
    Database::connect(options)
        .await
        .map_err(|error| from_db(&error))
}

async fn open_postgres(url: &str) -> Result<Pools> {
    let write = connect_postgres(url, None).await?;
    let read = connect_postgres(url, Some(READ_TIMEOUT)).await?;
    Ok(Pools {
        read,
        write,
        backend: DbBackend::Postgres,
        description: "PostgreSQL".to_owned(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that opens connections"
)]
async fn connect_postgres(url: &str, timeout: Option<Duration>) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|options| options.application_name("actiongraph"))
        .map_sqlx_postgres_pool_opts(move |options| {
            options.after_connect(move |connection, _| {
                Box::pin(async move {
                    if let Some(timeout) = timeout {
                        let statement = format!("SET statement_timeout = {}", timeout.as_millis());
                        connection
                            .execute(sea_orm::sqlx::AssertSqlSafe(statement))
                            .await?;
                    }
                    Ok(())
                })
            })
        });
    Database::connect(options)
        .await
        .map_err(|error| from_db(&error))
}
