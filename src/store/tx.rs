//! Transactions: one to read for a whole operation, one to write for a whole batch.

mod attempts;
mod write;

use super::columns::Snapshot;
use super::connect::{Store, Taker, for_reader};
use super::error::{from_db, is_conflict, is_lost, silent, too_long};
use super::sql::Sql;
use super::turns::Turn;
use super::walls::Walls;
use crate::domain::clicks::LeftOutDays;
use crate::domain::error::{Code, Error, PassedLimit, Result};
use crate::domain::id::PublisherId;
use crate::domain::query_limits::QueryLimits;
use crate::domain::scope::Viewer;
use crate::domain::time::Instant;
use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IsolationLevel, QueryResult, Statement, TransactionOptions, TransactionTrait as _,
};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

pub use write::WriteTx;

/// How often a statement that nobody waits for is cancelled at most, until it has ended.
const CANCELLATIONS: usize = 10;

/// The pause after each.
const BETWEEN_CANCELLATIONS: Duration = Duration::from_millis(20);

/// How much longer a read is waited for than PostgreSQL lets it run, so that the server speaks first.
const REACH: Duration = Duration::from_secs(1);

/// Notes the text of every statement: for tests that count and read them.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<std::sync::Mutex<Vec<String>>>);

impl Recorder {
    /// The statements so far, and forgets them.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, text: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.to_owned());
    }
}

/// One read transaction, so that everything in a request sees one state. It begins with its first statement; where that is not
/// answered because the connection breaks, it begins anew, once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadTx {
    reading: Arc<Reading>,
    /// What it is limited to.
    walls: Option<Arc<Walls>>,
}

/// A publisher, and the columns that hold what a transaction sees of it, if there are any.
pub(super) type FoundColumns = (PublisherId, Option<Arc<Snapshot>>);

/// Which connections a transaction is read through.
#[derive(Clone, Copy, Debug)]
enum Through {
    /// The readers, whoever holds how many of them: for the program itself.
    Readers,
    /// The readers, when it is this caller's turn.
    Turns(Uuid),
    /// The connection that is kept for the door.
    Door,
}

/// A transaction that has begun.
#[derive(Debug)]
struct Begun {
    // Ends before the turn does: whoever is let in next needs its connection.
    transaction: DatabaseTransaction,
    _turn: Option<Turn>,
    /// Whether it has answered anything.
    has_answered: AtomicBool,
}

impl Begun {
    /// A statement to be asked once more, where that can come to be.
    fn spare(&self, statement: &Statement) -> Option<Statement> {
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        (!has_answered).then(|| statement.clone())
    }

    /// Takes note of an answer. Tells whether the same can be asked in another transaction: this one was undone or its
    /// connection broke, and nobody has seen anything of what it sees.
    fn is_replaceable<T>(&self, answer: &Result<T, DbErr>) -> bool {
        match answer {
            Ok(_) => {
                self.has_answered.store(true, Ordering::Relaxed);
                false
            }
            Err(error) => {
                let is_first = !self.has_answered.load(Ordering::Relaxed);
                is_first && (is_lost(error) || is_conflict(error))
            }
        }
    }
}

/// What has come of beginning a transaction.
#[derive(Debug, Default)]
enum Start {
    /// Nothing was asked yet.
    #[default]
    Due,
    /// It has begun.
    Begun(Arc<Begun>),
    /// It could not begin, and why: who asks next need not wait for as long again.
    Failed(Code, String),
}

#[derive(Debug)]
struct Reading {
    store: Store,
    through: Through,
    transaction: Mutex<Start>,
    statements: AtomicU32,
    columns: Mutex<Option<FoundColumns>>,
    /// Questions about facts that columns left to the database.
    left: AtomicU32,
    /// Statements that are under way.
    running: AtomicU32,
    /// Whether anybody waits for an answer still, or ever did.
    taker: Taker,
    /// How long a statement may run, where that is not the time of a question.
    statement_time: Option<Duration>,
    /// The process that serves it at a PostgreSQL server; 0 before it begins, and on SQLite.
    process: AtomicI32,
}

/// Ends what a transaction is reading when it is dropped before it is [done](Self::done): whoever asked has gone away, or
/// was told that it takes too long. On SQLite the statement is interrupted, at PostgreSQL it is cancelled.
#[derive(Debug)]
#[must_use]
pub struct CancelOnDrop(Option<ReadTx>);

impl CancelOnDrop {
    /// Nothing is left to end.
    pub fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(tx) = self.0.take() {
            tx.cancel();
        }
    }
}

impl ReadTx {
    /// A read transaction on `store`, not yet begun, that sees everything: for the program itself. What a caller asks is
    /// read through [`Self::for_viewer`].
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self::through(store, Through::Readers)
    }

    /// A read transaction for finding out who asks: it waits for no question.
    #[must_use]
    pub(super) fn at_door(store: &Store) -> Self {
        Self::through(store, Through::Door)
    }

    fn through(store: &Store, through: Through) -> Self {
        Self {
            reading: Arc::new(Reading {
                store: store.clone(),
                through,
                transaction: Mutex::default(),
                statements: AtomicU32::new(0),
                columns: Mutex::default(),
                left: AtomicU32::new(0),
                running: AtomicU32::new(0),
                taker: Taker::default(),
                statement_time: None,
                process: AtomicI32::new(0),
            }),
            walls: None,
        }
    }

    /// A read transaction that may last beyond the time of a question: for work of the program itself that reads much, in
    /// many short statements. SQLite would end it otherwise, whatever each of them takes.
    #[must_use]
    pub fn unhurried(store: &Store) -> Self {
        let mut tx = Self::new(store);
        if let Some(reading) = Arc::get_mut(&mut tx.reading) {
            reading.taker.has_time = true;
        }
        tx
    }

    /// A read transaction whose statements may take a time of their own: for long work of the program itself, which must not
    /// stop for good where a question would have been given up.
    #[must_use]
    pub fn patient(store: &Store, statement_time: Duration) -> Self {
        let mut tx = Self::unhurried(store);
        if let Some(reading) = Arc::get_mut(&mut tx.reading) {
            reading.statement_time = Some(statement_time);
        }
        tx
    }

    /// A read transaction on `store`, not yet begun, that sees what `viewer` may see at `now`: its limits are part of
    /// every statement. It begins when it is the caller's turn at the readers.
    #[must_use]
    pub fn for_viewer(store: &Store, viewer: &Viewer, now: Instant) -> Self {
        Self {
            walls: Walls::of(viewer, now).map(Arc::new),
            ..Self::through(store, Through::Turns(viewer.caller()))
        }
    }

    /// A read transaction on `store`, not yet begun, for what the program looks up before it answers a caller: it sees
    /// everything, and begins when it is the caller's turn at the readers.
    #[must_use]
    pub fn in_turn(store: &Store, viewer: &Viewer) -> Self {
        Self::through(store, Through::Turns(viewer.caller()))
    }

    /// The same transaction without limits, for what says nothing of any row: how fresh the data is, and how
    /// far accounts have come.
    pub(super) fn undivided(&self) -> Self {
        Self {
            reading: Arc::clone(&self.reading),
            walls: None,
        }
    }

    /// What of clicks that were left out would be seen if they were there.
    pub(super) fn seen_of(&self, left: LeftOutDays) -> Option<LeftOutDays> {
        match &self.walls {
            Some(walls) => walls.seen_of(left),
            None => Some(left),
        }
    }

    /// Whether rows or columns are kept from whoever reads: what was read for others, such as columns in memory, is not
    /// for it then.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.walls.is_some()
    }

    /// The statement as it is sent.
    fn walled(&self, sql: Sql) -> Result<Sql> {
        match &self.walls {
            Some(walls) => walls.around(&sql),
            None => Ok(sql),
        }
    }

    /// Watches over the transaction: what it reads is ended when the watch is dropped.
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }

    /// Ends what is being read; nothing more is read afterwards.
    fn cancel(self) {
        // SQLite asks for this while it works.
        self.reading.taker.abandoned.store(true, Ordering::Relaxed);
        let process = self.reading.process.load(Ordering::Relaxed);
        if process == 0 || self.reading.running.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let patience = self.reading.store.options().acquire_timeout.saturating_mul(2);
                let cancelled = timeout(patience, self.cancel_at_server(process)).await;
                if let Err(error) = cancelled.unwrap_or_else(|_| Err(silent(patience))) {
                    tracing::warn!(%error, "a statement that nobody waits for could not be cancelled");
                }
                // Only now may the connection serve another: the cancellation was for this one.
                drop(self);
            });
        }
    }

    /// Tells the server to end what a process of it does. A statement can be on its way to it, and what comes too early is
    /// ignored: so this looks whether there is one, and again whether it has ended.
    async fn cancel_at_server(&self, process: i32) -> Result<(), DbErr> {
        let mut has_met = false;
        for _ in 0..CANCELLATIONS {
            let cancel = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND state = 'active'",
                [process.into()],
            );
            let found = self.reading.store.writer().query_one_raw(cancel).await?;
            let is_done =
                found.is_none() && (has_met || self.reading.running.load(Ordering::Relaxed) == 0);
            if is_done {
                break;
            }
            has_met |= found.is_some();
            tokio::time::sleep(BETWEEN_CANCELLATIONS).await;
        }
        Ok(())
    }

    /// Ends the transaction: the next statement begins another one, which sees what was written until then. One that could not
    /// begin is tried again.
    pub async fn renew(&self) {
        // From here on the process serves others: it must not be told to stop what this one began.
        self.reading.process.store(0, Ordering::Relaxed);
        self.reading.columns.lock().await.take();
        *self.reading.transaction.lock().await = Start::Due;
    }

    /// The store that it reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.reading.store
    }

    /// How many statements it has sent.
    #[must_use]
    pub fn statements(&self) -> u32 {
        self.reading.statements.load(Ordering::Relaxed)
    }

    /// The columns that hold what this transaction sees of a publisher, once they were looked for.
    pub(super) fn columns(&self) -> &Mutex<Option<FoundColumns>> {
        &self.reading.columns
    }

    /// Notes that the database has to look through facts, because columns cannot answer.
    pub fn note_left(&self) {
        self.reading.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether columns in memory, or totals, gave all that is theirs to give where they can: the database looked through no
    /// facts for it.
    #[must_use]
    pub fn was_spared(&self) -> bool {
        self.reading.left.load(Ordering::Relaxed) == 0
    }

    /// A statement under construction, for this database.
    pub(super) fn sql(&self) -> Sql {
        Sql::new(self.reading.store.backend())
    }

    /// How large questions may be.
    #[must_use]
    pub fn limits(&self) -> &QueryLimits {
        self.reading.store.limits()
    }

    /// Which database it is.
    pub(super) fn backend(&self) -> DbBackend {
        self.reading.store.backend()
    }

    /// Rows of an entity.
    pub(super) async fn models<E: EntityTrait>(&self, sql: Sql) -> Result<Vec<E::Model>> {
        let statement = self.walled(sql)?.statement();
        let begun = self.begun(&statement.sql).await?;
        self.in_time(async {
            let again = begun.spare(&statement);
            let asked = E::find().from_raw_sql(statement);
            let answer = asked.all(&begun.transaction).await;
            let Some(again) = again.filter(|_| begun.is_replaceable(&answer)) else {
                return answer.map_err(|error| from_db(&error));
            };
            let begun = self.replaced(begun, &again.sql).await?;
            let asked = E::find().from_raw_sql(again);
            let answer = asked.all(&begun.transaction).await;
            begun.is_replaceable(&answer);
            answer.map_err(|error| from_db(&error))
        })
        .await
    }

    /// Rows of any shape.
    pub(super) async fn rows(&self, sql: Sql) -> Result<Vec<QueryResult>> {
        let statement = self.walled(sql)?.statement();
        let begun = self.begun(&statement.sql).await?;
        self.in_time(async {
            let again = begun.spare(&statement);
            let answer = begun.transaction.query_all_raw(statement).await;
            let Some(again) = again.filter(|_| begun.is_replaceable(&answer)) else {
                return answer.map_err(|error| from_db(&error));
            };
            let begun = self.replaced(begun, &again.sql).await?;
            let answer = begun.transaction.query_all_raw(again).await;
            begun.is_replaceable(&answer);
            answer.map_err(|error| from_db(&error))
        })
        .await
    }

    /// Another transaction in the place of one that broke off, for a statement that is asked once more.
    async fn replaced(&self, broken: Arc<Begun>, sql: &str) -> Result<Arc<Begun>> {
        tracing::debug!("a read begins anew");
        // Its turn at the readers is needed for the next one: another statement may be about to begin that, and wait for the
        // turn under the lock.
        let old = Arc::downgrade(&broken);
        drop(broken);
        let mut start = self.reading.transaction.lock().await;
        // Others that were asked at the same time may have replaced it.
        if matches!(&*start, Start::Begun(begun) if Weak::ptr_eq(&Arc::downgrade(begun), &old)) {
            self.reading.process.store(0, Ordering::Relaxed);
            *start = Start::Due;
        }
        drop(start);
        self.begun(sql).await
    }

    /// Waits for a statement's answer as long as a read may take: SQLite has no time limit of its own, and a server
    /// that was frozen does not tell.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        self.reading.running.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(self.statement_time().saturating_add(REACH), answer).await;
        // Not reached by a statement that is dropped: it counts as under way.
        self.reading.running.fetch_sub(1, Ordering::Relaxed);
        match answer {
            Ok(answer) => answer.map_err(|error| self.timed(error)),
            Err(_) => {
                if self.reading.statement_time.is_some() {
                    // Of its time SQLite knows nothing: it is told to end what it still does.
                    self.reading.taker.abandoned.store(true, Ordering::Relaxed);
                }
                Err(self.timed(too_long()))
            }
        }
    }

    /// How long a statement may run.
    fn statement_time(&self) -> Duration {
        let of_questions = self.reading.store.options().read_timeout;
        self.reading.statement_time.unwrap_or(of_questions)
    }

    /// An error of a statement, with the time that it may take where that was not enough.
    fn timed(&self, error: Error) -> Error {
        if error.code() != Code::Timeout {
            return error;
        }
        let most = self.statement_time().as_millis();
        error.passing(PassedLimit::uncounted("statementMilliseconds", most))
    }

    async fn begun(&self, sql: &str) -> Result<Arc<Begun>> {
        if self.is_abandoned() {
            return Err(too_long());
        }
        self.reading.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(recorder) = self.reading.store.recorder() {
            recorder.note(sql);
        }
        let mut start = self.reading.transaction.lock().await;
        match &*start {
            Start::Begun(transaction) => return Ok(Arc::clone(transaction)),
            Start::Failed(code, message) => return Err(Error::new(*code, message.clone())),
            Start::Due => {}
        }
        match self.begin().await {
            Ok(begun) => {
                let begun = Arc::new(begun);
                *start = Start::Begun(Arc::clone(&begun));
                Ok(begun)
            }
            Err(error) => {
                *start = Start::Failed(error.code(), error.message().to_owned());
                Err(error)
            }
        }
    }

    fn is_abandoned(&self) -> bool {
        self.reading.taker.abandoned.load(Ordering::Relaxed)
    }

    async fn begin(&self) -> Result<Begun> {
        let store = &self.reading.store;
        let turn = match self.reading.through {
            Through::Turns(caller) => {
                let patience = store.options().turn_timeout;
                Some(store.turns().take(caller, patience).await?)
            }
            Through::Readers | Through::Door => None,
        };
        if self.is_abandoned() {
            // Nobody waits any more, while it waited for its turn.
            return Err(too_long());
        }
        // A server that hangs does not tell it here either.
        let wait = store.options().acquire_timeout.saturating_add(REACH);
        let begun = timeout(wait, self.begin_at_pool()).await;
        let transaction = begun
            .unwrap_or_else(|_| Err(silent(wait)))
            .map_err(|error| from_db(&error))?;
        Ok(Begun {
            transaction,
            _turn: turn,
            has_answered: AtomicBool::new(false),
        })
    }

    /// Begins on a connection of a pool; on another one where the first turns out to be broken.
    async fn begin_at_pool(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.begin_once().await {
            Err(error) if is_lost(&error) => self.begin_once().await,
            begun => begun,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is one of the files that begin transactions"
    )]
    async fn begin_once(&self) -> Result<DatabaseTransaction, DbErr> {
        let store = &self.reading.store;
        let pool = match self.reading.through {
            Through::Door => store.door(),
            Through::Readers | Through::Turns(_) => store.reader(),
        };
        let options = match store.backend() {
            // A deferred transaction is a snapshot from its first statement on.
            DbBackend::Sqlite => TransactionOptions::default(),
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                sqlite_transaction_mode: None,
            },
        };
        let begun = pool.begin_with_options(options);
        let transaction = for_reader(&self.reading.taker, begun).await?;
        if self.backend() == DbBackend::Postgres {
            let process = process_of(&transaction).await?;
            self.reading.process.store(process, Ordering::Relaxed);
            if let Some(time) = self.reading.statement_time {
                let own = format!("SET LOCAL statement_timeout = {}", time.as_millis().max(1));
                transaction.execute_unprepared(&own).await?;
            }
        }
        Ok(transaction)
    }
}

/// The process at the PostgreSQL server that serves a transaction.
async fn process_of(transaction: &DatabaseTransaction) -> Result<i32, DbErr> {
    let asked = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
    match transaction.query_one_raw(asked).await? {
        Some(row) => row.try_get_by_index(0),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests;
