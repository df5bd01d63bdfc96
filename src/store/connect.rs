//! Opening databases: this file and `connect/postgres.rs` alone make connections.
//!
//! SQLite, as it comes from the drivers, loses acknowledged writes after a full disk and fails transactions under
//! concurrency. Therefore: one writer connection, immediate transactions, and a connection that comes back to its pool
//! inside a transaction is thrown away (`tests/it/durability/` shows both, the cure and what happens without it).
//!
//! A commit on SQLite waits until the write-ahead log has reached the disk (`synchronous = FULL`): what was acknowledged
//! survives the machine, not only the process. On PostgreSQL that is the server's `synchronous_commit`, which is left
//! as its owner set it.

mod postgres;

use super::columns::{Columns, ColumnsOptions};
use super::error::{from_db, is_missing_table};
use super::statistics::Growth;
use super::turns::Turns;
use super::tx::Recorder;
use crate::clock::Clock;
use crate::domain::error::{Code, Error, Result};
use crate::domain::query_limits::QueryLimits;
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::{Connection as _, sqlite};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How many connections find out who asks, and whether the database answers, beside the readers.
const AT_THE_DOOR: u32 = 1;
/// The bytes of a page of an SQLite file: the unit in which its size is limited.
const SQLITE_PAGE: u32 = 4096;
/// Takes the lock under which one process migrates a PostgreSQL database, however long another one needs before.
const MIGRATION_LOCK: &str = "SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SELECT pg_advisory_xact_lock(7310579618466259041)";
/// How long connections that are busy are waited for when a store is closed.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a store waits for what others hold, and how large it may grow. The default is the server's.
///
/// A write waits at most `acquire_timeout` and `lock_timeout` together before it is told that the database is busy. Once it
/// has begun, each of its statements is waited for as long as `write_timeout` says: a server that was frozen, or whose
/// machine is gone, does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long a request waits for a connection of the pool: 2 s.
    pub acquire_timeout: Duration,
    /// How long an operation waits until others of the same caller leave it a reader, where that caller has its share: 5 s.
    pub turn_timeout: Duration,
    /// How long a write waits for another's lock, such as another process's write to the same SQLite file: 5 s.
    pub lock_timeout: Duration,
    /// How long a statement of a read may run: 5 s.
    pub read_timeout: Duration,
    /// How long each statement of a write is waited for, and its commit at a PostgreSQL server: 7 s.
    pub write_timeout: Duration,
    /// Likewise in work that no caller waits for, such as an import: 60 s.
    pub patient_write_timeout: Duration,
    /// How many connections each of the two PostgreSQL pools opens at most, beside the one that is kept for the door: 10.
    pub connections: u32,
    /// How many readers an SQLite file has: 4. They run beside the one writer, each on its own snapshot.
    pub sqlite_readers: u32,
    /// How large an SQLite file may grow, in bytes (beside its write-ahead log); beyond it writes are refused as if the
    /// disk were full. Without it, as large as the disk allows.
    pub max_bytes: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            acquire_timeout: Duration::from_secs(2),
            turn_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(7),
            patient_write_timeout: Duration::from_secs(60),
            connections: 10,
            sqlite_readers: 4,
            max_bytes: None,
        }
    }
}

/// An open database: a pool to read, one to write, and a connection that is kept for the door. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Arc<Pools>,
    recorder: Option<Recorder>,
    patience: Duration,
    write_time: Duration,
    columns: Option<Arc<Columns>>,
    limits: QueryLimits,
}

#[derive(Debug)]
struct Pools {
    read: DatabaseConnection,
    /// Recognises callers and tells whether the database answers, however many questions hold the readers.
    door: DatabaseConnection,
    write: DatabaseConnection,
    turns: Turns,
    backend: DbBackend,
    options: StoreOptions,
    description: String,
    growth: Growth,
}

impl Store {
    /// Opens `sqlite://PATH` or `postgres://…`; an SQLite file is made where there is none.
    ///
    /// # Errors
    /// For other URLs, and when the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, StoreOptions::default()).await
    }

    /// Likewise, with other limits than the server's.
    ///
    /// # Errors
    /// For other URLs, and when the database cannot be reached.
    pub async fn open_with(url: &str, options: StoreOptions) -> Result<Self> {
        let pools = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(url, options).await?,
            Some("postgres" | "postgresql") => postgres::open(url, options).await?,
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
            patience: Duration::ZERO,
            write_time: options.write_timeout,
            columns: None,
            limits: QueryLimits::default(),
        })
    }

    /// The same store, every statement of which is noted: for tests that count and read statements.
    #[must_use]
    pub fn recorded(&self, recorder: &Recorder) -> Self {
        Self {
            recorder: Some(recorder.clone()),
            ..self.clone()
        }
    }

    /// The same store without the notes: for what is read beside requests.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        Self {
            recorder: None,
            ..self.clone()
        }
    }

    /// Brings the tables up to date. Of several processes that do so at once, one does it and the others wait.
    ///
    /// # Errors
    /// When a newer version of the program made the tables, or a migration fails; what it did is rolled back.
    pub async fn migrate(&self) -> Result<()> {
        if self.pending().await? == 0 {
            return Ok(());
        }
        self.migrate_alone().await.map_err(|error| from_db(&error))
    }

    /// How many migrations are not applied yet. It only reads, so it waits for no writer.
    async fn pending(&self) -> Result<usize> {
        let sql =
            Statement::from_string(self.pools.backend, "SELECT version FROM seaql_migrations");
        let mut applied = HashSet::new();
        match self.pools.door.query_all_raw(sql).await {
            Ok(rows) => {
                for row in rows {
                    let version: String =
                        row.try_get_by_index(0).map_err(|error| from_db(&error))?;
                    applied.insert(version);
                }
            }
            Err(error) if is_missing_table(&error) => {}
            Err(error) => return Err(from_db(&error)),
        }
        let known = Migrator::migrations();
        let pending = known.iter().filter(|known| !applied.remove(known.name()));
        let pending = pending.count();
        if applied.is_empty() {
            return Ok(pending);
        }
        Err(Error::new(
            Code::ServiceUnavailable,
            "The database was made by a newer version of Actiongraph; install that one.",
        ))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a migration is no write of the store's: it is not run again, and it may take its time"
    )]
    async fn migrate_alone(&self) -> Result<(), DbErr> {
        let write = &self.pools.write;
        if self.pools.backend == DbBackend::Sqlite {
            // The write lock of the file is the lock; each migration is a savepoint inside.
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let lock = write.begin_with_options(options).await?;
            Migrator::up(&lock, None).await?;
            return lock.commit().await;
        }
        // A lock that stands beside the migrations' own transactions, of which some may have to be several.
        let lock = write.begin().await?;
        lock.execute_unprepared(MIGRATION_LOCK).await?;
        Migrator::up(write, None).await?;
        lock.commit().await
    }

    /// Whether the database answers and its tables are up to date.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when not.
    pub async fn is_ready(&self) -> Result<()> {
        let pending = self.pending().await?;
        if pending == 0 {
            return Ok(());
        }
        Err(Error::new(
            Code::ServiceUnavailable,
            format!("{pending} migrations are pending; run `actiongraph migrate`"),
        ))
    }

    /// What is open, without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        self.pools.description.clone()
    }

    /// Closes the pools, when their connections have come back; on SQLite the write-ahead log is folded into the file.
    /// Connections that do not come back, because a read lasts or the server hangs, are waited for some seconds. A failure is
    /// logged: what was committed is stored all the same.
    pub async fn close(self) {
        let Pools {
            read, door, write, ..
        } = &*self.pools;
        let readers = async { futures::join!(close_pool(read), close_pool(door)) };
        if self.is_apart() {
            let all = async { futures::join!(readers, close_pool(write)) };
            if timeout(CLOSING, all).await.is_err() {
                tracing::warn!(
                    "the database does not answer: its connections are left as they are"
                );
            }
            return;
        }
        if timeout(CLOSING, readers).await.is_err() {
            tracing::warn!("a read does not end: its connection is left as it is");
        }
        // The writer last, however long it takes: the last connection of an SQLite file folds the log.
        close_pool(write).await;
    }

    pub(super) fn reader(&self) -> &DatabaseConnection {
        &self.pools.read
    }

    /// The connection that is kept for the door.
    pub(super) fn door(&self) -> &DatabaseConnection {
        &self.pools.door
    }

    /// The turns of callers at the readers.
    pub(super) fn turns(&self) -> &Turns {
        &self.pools.turns
    }

    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.pools.write
    }

    pub(super) fn grown(&self) -> &Growth {
        &self.pools.growth
    }

    /// Whether the database is a server of its own, which works while this process does.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.backend() != DbBackend::Sqlite
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.pools.backend
    }

    /// The same database for work in the background: a write waits so long in all for a database that cannot be reached,
    /// such as one that is being restarted, before it fails. Its statements may take longer than those that a caller waits for.
    #[must_use]
    pub fn patient(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.with_write_time(self.options().patient_write_timeout)
        }
    }

    /// The same database for writes that are made again soon whatever becomes of them: they wait no longer than those of a caller.
    #[must_use]
    pub fn impatient(&self) -> Self {
        Self {
            patience: Duration::ZERO,
            write_time: self.options().write_timeout,
            ..self.clone()
        }
    }

    /// The same database for writes whose statements may take so long, where that is more than they may already.
    pub(super) fn with_write_time(&self, time: Duration) -> Self {
        Self {
            write_time: self.write_time.max(time),
            ..self.clone()
        }
    }

    /// How long each statement of a write is waited for.
    pub(super) fn write_time(&self) -> Duration {
        self.write_time
    }

    /// The same database with columns of its facts in memory, which a worker has to read in
    /// ([`Columns::build_next`]); without any where they may take no room.
    #[must_use]
    pub fn with_columns(&self, options: ColumnsOptions) -> Self {
        let columns = (options.max_bytes > 0).then(|| Arc::new(Columns::new(options)));
        Self {
            columns,
            ..self.clone()
        }
    }

    /// The same database for questions and changes that may be so large.
    #[must_use]
    pub fn with_limits(self, limits: QueryLimits) -> Self {
        Self { limits, ..self }
    }

    /// How large questions and changes may be.
    pub(super) fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    /// The columns in memory, if there are any.
    #[must_use]
    pub fn columns(&self) -> Option<&Arc<Columns>> {
        self.columns.as_ref()
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn options(&self) -> &StoreOptions {
        &self.pools.options
    }

    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }
}

/// Closes a pool, when its connections have come back.
async fn close_pool(pool: &DatabaseConnection) {
    if let Err(error) = pool.close_by_ref().await {
        tracing::warn!(%error, "closing the database failed");
    }
}

async fn open_sqlite(url: &str, options: StoreOptions) -> Result<Pools> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    if path.is_empty() || path == ":memory:" {
        return Err(Error::bad_input(
            "database-url",
            "an SQLite URL needs a file, such as sqlite://actiongraph.db",
        ));
    }
    if let Some(folder) = Path::new(path)
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
    let write = connect_sqlite(url, Pool::Writer, &options).await?;
    let read = connect_sqlite(url, Pool::Readers, &options).await?;
    let door = connect_sqlite(url, Pool::Door, &options).await?;
    Ok(Pools {
        read,
        door,
        write,
        turns: Turns::at(options.sqlite_readers),
        backend: DbBackend::Sqlite,
        options,
        description: format!("SQLite {path}"),
        growth: Growth::default(),
    })
}

/// What the connections of a pool to an SQLite file are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Writer,
    Readers,
    Door,
}

impl Pool {
    /// How many there are.
    fn size(self, options: &StoreOptions) -> u32 {
        match self {
            Self::Writer => 1,
            Self::Readers => options.sqlite_readers,
            Self::Door => AT_THE_DOOR,
        }
    }

    /// How much of the file each remembers, as SQLite is told it: KiB below zero. An import touches pages all over its
    /// indexes, and what it need not write twice saves most; at the door a few rows are read.
    fn cache(self) -> &'static str {
        match self {
            Self::Writer => "-98304",
            Self::Readers => "-32768",
            Self::Door => "-1024",
        }
    }
}

/// How often a file is tried again that another process is just making.
const OPENINGS: u32 = 40;

/// Opens a pool, also while another process makes the same file: changing a new file to a write-ahead log needs it
/// alone, and SQLite does not wait for that but says at once that it is locked.
async fn connect_sqlite(
    url: &str,
    pool: Pool,
    limits: &StoreOptions,
) -> Result<DatabaseConnection> {
    let mut opening = 1;
    loop {
        match try_connect_sqlite(url, pool, limits).await {
            Err(error) if error.code() == Code::ServiceUnavailable && opening < OPENINGS => {
                opening += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that opens connections"
)]
async fn try_connect_sqlite(
    url: &str,
    pool: Pool,
    limits: &StoreOptions,
) -> Result<DatabaseConnection> {
    let limits = *limits;
    // Who waits for the one writer waits for those before it, and they may be waiting for another process's lock.
    let queue = if pool == Pool::Writer {
        limits.acquire_timeout + limits.lock_timeout
    } else {
        limits.acquire_timeout
    };
    let pages = limits
        .max_bytes
        .map(|bytes| (bytes / u64::from(SQLITE_PAGE)).max(1));
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool.size(&limits))
        .min_connections(1)
        .acquire_timeout(queue)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .create_if_missing(true)
                .foreign_keys(true)
                .page_size(SQLITE_PAGE)
                .journal_mode(sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlite::SqliteSynchronous::Full)
                .busy_timeout(limits.lock_timeout)
                .statement_cache_capacity(400)
                .pragma("fullfsync", "ON")
                // Folded into the file every 64 MiB: an import rewrites the same pages in batch after batch.
                .pragma("wal_autocheckpoint", "16384")
                .pragma("cache_size", pool.cache())
                .pragma("temp_store", "MEMORY");
            match pages {
                Some(pages) => options.pragma("max_page_count", pages.to_string()),
                None => options,
            }
        })
        .map_sqlx_sqlite_pool_opts(move |options| {
            // Readers alone: a write may take its time, and ends with a commit or a rollback of its own.
            let options = match pool {
                Pool::Writer => options,
                Pool::Readers | Pool::Door => options
                    .after_connect(move |connection, _| {
                        Box::pin(interrupt_after(connection, limits.read_timeout))
                    })
                    .before_acquire(move |connection, _| {
                        Box::pin(async move {
                            interrupt_after(connection, limits.read_timeout).await?;
                            Ok(true)
                        })
                    }),
            };
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

/// How many steps of SQLite's machine lie between two looks at the clock: some tenths of a millisecond.
const STEPS: i32 = 20_000;

/// Ends statements on this connection when the time of whoever takes it from the pool is over, or its taker is gone:
/// otherwise as many long reads as there are readers would hold all of them for good. A taker without hurry has all the time
/// that it needs.
async fn interrupt_after(
    connection: &mut sqlite::SqliteConnection,
    time: Duration,
) -> Result<(), sea_orm::SqlxError> {
    let clock = Clock::system();
    let taker = READER.try_with(Taker::clone).unwrap_or_default();
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || {
            (taker.has_time || clock.elapsed() < time) && !taker.abandoned.load(Ordering::Relaxed)
        });
    Ok(())
}

/// Who takes a connection to read.
#[derive(Clone, Debug, Default)]
pub(super) struct Taker {
    /// Set when nobody waits for an answer any more.
    pub abandoned: Arc<AtomicBool>,
    /// Nobody waits from the beginning: the transaction may last beyond the time of a question.
    pub has_time: bool,
}

tokio::task_local! {
    /// Who takes a connection. The pool's callbacks know nothing of it, but they run in the taker's task.
    static READER: Taker;
}

/// Takes a connection for a reader, whose statements on it end when it goes away.
pub(super) async fn for_reader<T>(taker: &Taker, taken: impl Future<Output = T>) -> T {
    READER.scope(taker.clone(), taken).await
}
