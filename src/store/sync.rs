//! The sync's own rows: how far each feed of an account has come, and who may fetch it.
//!
//! A lease is taken by a conditional update, so that of two servers on one database one fetches an account. Whoever
//! lost it can write nothing more: every step looks at the lease in its own transaction ([`write_step`]). What is
//! fetched, and when, is planned in `ingest::admitad`.

use super::apply::{accounts, claims};
use super::connect::Store;
use super::convert::{inconsistent, instant, some_instant};
use super::listing::column;
use super::sql::Sql;
use super::sql::insert::{Conflict, insert};
use super::tx::{ReadTx, WriteTx};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::records::RunState;
use crate::domain::scope::{ReadScope, WriteScope};
use crate::domain::sync::{AccountState, Condition, Feed, FeedState, SyncStep};
use crate::domain::time::Instant;
use entity::{sync_account, sync_state};
use sea_orm::{DbBackend, DbErr};
use std::collections::BTreeMap;

/// The entrance of what is fetched.
pub const API: &str = "API";

/// What a transaction fails with whose writer lost the lease; `error::from_db` makes it a conflict.
pub(super) const LEASE_LOST: &str = "the lease of the account is another server's";

/// How an account stands that is configured no more. Its rows stay: configured again it goes on where it was, and what it
/// brought is not taken for what another account has lost.
pub(super) const RETIRED: Condition = Condition::Done;

/// What is noted with a run whose process is gone.
const ENDED: &str = "ended by the process that did it (killed, or its machine stopped); what it had stored is kept, \
                     the rest comes with the next run";

/// Who wants to fetch an account.
#[derive(Clone, Copy, Debug)]
pub struct Taker<'a> {
    /// The account, by its name in the configuration.
    pub account: &'a str,
    /// The public half of its credentials: by them an account is known that gets another name.
    pub client_id: &'a str,
    /// The process that fetches it.
    pub holder: &'a str,
}

/// What became of the wish to fetch an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's now, and was not before.
    Taken,
    /// It was the caller's already.
    Kept,
    /// It is another one's until then, unless renewed.
    Elsewhere(Instant),
}

/// Takes or renews the lease of an account until `until`; one that has run out is taken over.
///
/// An account is known by its credentials, too: what was fetched with them under another name is this account's, and
/// while a server fetches it under that name, the lease is that server's. What another account left under this one's name
/// is put aside until that account comes for it.
///
/// Whoever takes it anew finds runs that its predecessor left open, which are noted as failed, and tries at once what
/// had stopped: a person may have mended it.
///
/// # Errors
/// When the database fails.
pub async fn lease(
    store: &Store,
    scope: WriteScope,
    taker: Taker<'_>,
    now: Instant,
    until: Instant,
) -> Result<Lease> {
    let publisher = scope.publisher();
    let Taker {
        account,
        client_id,
        holder,
    } = taker;
    store
        .write(async |tx| {
            if let Some(until) = accounts::take_over_names(tx, publisher, taker, now).await? {
                return Ok(Lease::Elsewhere(until));
            }
            add_account(tx, publisher, account).await?;
            let mut sql = tx.sql();
            sql.push(
                "SELECT lease_holder, lease_until_us, client_id FROM sync_accounts WHERE publisher_id = ",
            );
            of_account(&mut sql, publisher, account);
            if tx.backend() == DbBackend::Postgres {
                sql.push(" FOR UPDATE");
            }
            let rows = tx.rows(sql).await?;
            let held = rows
                .first()
                .ok_or_else(|| DbErr::RecordNotFound("sync_accounts".into()))?;
            let before: Option<String> = held.try_get("", "lease_holder")?;
            let known: Option<String> = held.try_get("", "client_id")?;
            let mut sql = tx.sql();
            sql.push("UPDATE sync_accounts SET lease_holder = ")
                .bind(holder);
            sql.push(", lease_until_us = ").bind(until.micros());
            // New credentials of an account are noted.
            sql.push(", client_id = ").bind(client_id);
            // Whoever fetches it has it configured.
            sql.push(", condition = CASE WHEN condition = ")
                .bind(RETIRED.as_str())
                .push(" THEN ")
                .bind(Condition::Waiting.as_str())
                .push(" ELSE condition END WHERE publisher_id = ");
            of_account(&mut sql, publisher, account);
            sql.push(" AND (lease_holder IS NULL OR lease_holder = ")
                .bind(holder)
                .push(" OR lease_until_us <= ")
                .bind(now.micros())
                .push(")");
            if tx.execute(sql).await? == 0 {
                let until: i64 = held.try_get("", "lease_until_us")?;
                return Ok(Lease::Elsewhere(Instant::from_micros(until).unwrap_or(now)));
            }
            if known.is_some_and(|known| known != client_id) {
                // What stands behind new credentials may be something else.
                claims::forget(tx, publisher, account).await?;
            }
            if before.as_deref() == Some(holder) {
                return Ok(Lease::Kept);
            }
            begin_anew(tx, publisher, account, now).await?;
            Ok(Lease::Taken)
        })
        .await
}

/// Renews a lease that is held; whether it is.
///
/// # Errors
/// When the database fails.
pub async fn renew(
    store: &Store,
    scope: WriteScope,
    account: &str,
    holder: &str,
    until: Instant,
) -> Result<bool> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE sync_accounts SET lease_until_us = ")
                .bind(until.micros())
                .push(" WHERE publisher_id = ");
            of_account(&mut sql, scope.publisher(), account);
            sql.push(" AND lease_holder = ").bind(holder);
            Ok(tx.execute(sql).await? > 0)
        })
        .await
}

/// Gives a lease back, so that another server need not wait for it to run out.
///
/// # Errors
/// When the database fails.
pub async fn release(store: &Store, scope: WriteScope, account: &str, holder: &str) -> Result<()> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE sync_accounts SET lease_holder = NULL, lease_until_us = 0 WHERE publisher_id = ");
            of_account(&mut sql, scope.publisher(), account);
            sql.push(" AND lease_holder = ").bind(holder);
            tx.execute(sql).await.map(|_| ())
        })
        .await
}

/// Notes how an account stands as a whole, for the holder of its lease alone.
///
/// # Errors
/// When the lease is another's, or the database fails.
pub async fn note(
    store: &Store,
    scope: WriteScope,
    holder: &str,
    state: &AccountState,
) -> Result<()> {
    let publisher = scope.publisher();
    store
        .write(async |tx| {
            check_lease(tx, publisher, &state.account, holder).await?;
            let mut sql = tx.sql();
            sql.push("UPDATE sync_accounts SET paused_until_us = ")
                .bind(state.paused_until.map(Instant::micros));
            sql.push(", condition = ").bind(state.condition.as_str());
            sql.push(", failures = ")
                .bind(i32::try_from(state.failures).unwrap_or(i32::MAX));
            sql.push(", last_error = ")
                .bind(state.last_error.clone())
                .push(" WHERE publisher_id = ");
            of_account(&mut sql, publisher, &state.account);
            tx.execute(sql).await.map(|_| ())
        })
        .await
}

/// Moves a feed that brought no rows.
///
/// # Errors
/// When the lease is another's, or the database fails.
pub async fn step(store: &Store, scope: WriteScope, step: &SyncStep) -> Result<()> {
    store
        .write(async |tx| write_step(tx, scope.publisher(), step).await)
        .await
}

/// Moves a feed in the transaction of the rows that it stands for.
pub(super) async fn write_step(
    tx: &WriteTx,
    publisher: PublisherId,
    step: &SyncStep,
) -> Result<(), DbErr> {
    check_lease(tx, publisher, &step.account, &step.holder).await?;
    let state = &step.state;
    let row = sync_state::Model {
        publisher_id: publisher.0,
        account: step.account.clone(),
        feed: step.feed.as_str().to_owned(),
        condition: state.condition.as_str().to_owned(),
        watermark_us: state.watermark.map(Instant::micros),
        cursor: state.cursor.clone(),
        run_id: state.run_id,
        last_attempt_us: state.last_attempt.map(Instant::micros),
        last_success_us: state.last_success.map(Instant::micros),
        next_run_us: state.next_run.map(Instant::micros),
        failures: i32::try_from(state.failures).unwrap_or(i32::MAX),
        last_error: state.last_error.clone(),
    };
    insert(tx, &[row], Conflict::Replace).await?;
    claims::note(tx, publisher, &step.account, &step.named).await
}

/// Retires the accounts of a publisher that are not configured, unless some other server fetches them just now; gives how
/// many. `configured` are names and the public halves of credentials: where a name has passed from one configured account
/// to another, what is stored under it is put aside for its own first.
///
/// # Errors
/// When the database fails.
pub async fn retire(
    store: &Store,
    scope: WriteScope,
    configured: &[(String, String)],
    now: Instant,
) -> Result<u64> {
    store
        .write(async |tx| {
            accounts::free_names(tx, scope.publisher(), configured, now).await?;
            let mut sql = tx.sql();
            sql.push("UPDATE sync_accounts SET condition = ")
                .bind(RETIRED.as_str());
            sql.push(
                ", paused_until_us = NULL, failures = 0, last_error = NULL WHERE publisher_id = ",
            )
            .bind(scope.publisher().0);
            sql.push(" AND condition <> ").bind(RETIRED.as_str());
            sql.push(" AND (lease_holder IS NULL OR lease_until_us <= ")
                .bind(now.micros())
                .push(")");
            for (name, client_id) in configured {
                sql.push(" AND account <> ").bind(name.as_str());
                // What waits for its account under another name is not left alone.
                sql.push(" AND (client_id IS NULL OR client_id <> ")
                    .bind(client_id.as_str())
                    .push(")");
            }
            tx.execute(sql).await
        })
        .await
}

/// Whether a publisher has accounts besides `name`; those that are configured no more count if they were tried since
/// `since`.
///
/// # Errors
/// When the database fails.
pub async fn has_others(
    store: &Store,
    scope: WriteScope,
    name: &str,
    since: Instant,
) -> Result<bool> {
    let all = every_account(&ReadTx::new(store), scope.read()).await?;
    let mut others = all.iter().filter(|account| account.account != name);
    let counts = |account: &AccountState| {
        let mut tried = account.feeds.values().filter_map(|feed| feed.last_attempt);
        account.condition != RETIRED || tried.any(|at| at >= since)
    };
    Ok(others.any(counts))
}

/// The accounts of a publisher with their feeds, by name, but for those that are configured no more: two statements.
///
/// # Errors
/// When the database fails.
pub async fn accounts(tx: &ReadTx, scope: ReadScope) -> Result<Vec<AccountState>> {
    let mut all = every_account(tx, scope).await?;
    all.retain(|account| account.condition != RETIRED);
    Ok(all)
}

/// The accounts of a publisher with their feeds, by name, those that are configured no more among them: two statements.
///
/// # Errors
/// When the database fails.
async fn every_account(tx: &ReadTx, scope: ReadScope) -> Result<Vec<AccountState>> {
    let mut sql = tx.sql();
    sql.push("SELECT a.* FROM sync_accounts a WHERE a.publisher_id = ")
        .bind(scope.publisher().0);
    let mut found: BTreeMap<String, AccountState> = BTreeMap::new();
    for row in tx.models::<sync_account::Entity>(sql).await? {
        found.insert(row.account.clone(), to_account(row)?);
    }
    let mut sql = tx.sql();
    sql.push("SELECT s.* FROM sync_states s WHERE s.publisher_id = ")
        .bind(scope.publisher().0);
    for row in tx.models::<sync_state::Entity>(sql).await? {
        // A feed of another version is none of ours.
        if let (Some(feed), Some(account)) = (Feed::parse(&row.feed), found.get_mut(&row.account)) {
            account.feeds.insert(feed, to_feed(row)?);
        }
    }
    Ok(found.into_values().collect())
}

/// One account of a publisher; nothing but its name where it was never fetched.
///
/// # Errors
/// When the database fails.
pub async fn account(store: &Store, scope: WriteScope, name: &str) -> Result<AccountState> {
    let all = every_account(&ReadTx::new(store), scope.read()).await?;
    let found = all.into_iter().find(|state| state.account == name);
    Ok(found.unwrap_or_else(|| AccountState {
        account: name.to_owned(),
        ..AccountState::default()
    }))
}

/// An action that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id at the network.
    pub external_id: String,
    /// When its state was observed.
    pub observed_at: Instant,
}

/// The actions ordered in `[from, to)`, by their ids at the network: what a complete read of that time must name, where it
/// was observed before; of one account alone those that it has named. One statement.
///
/// # Errors
/// When the database fails.
pub async fn actions_between(
    store: &Store,
    scope: WriteScope,
    (from, to): (Instant, Instant),
    account: Option<&str>,
) -> Result<Vec<Known>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push("SELECT t.external_id, t.observed_at_us FROM actions t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    sql.push(" AND t.ordered_at_us >= ")
        .bind(from.micros())
        .push(" AND t.ordered_at_us < ")
        .bind(to.micros());
    if let Some(account) = account {
        sql.push(
            " AND EXISTS (SELECT 1 FROM account_actions c WHERE c.publisher_id = t.publisher_id \
             AND c.action_id = t.id AND c.account = ",
        )
        .bind(account)
        .push(")");
    }
    sql.push(" ORDER BY t.external_id");
    let known = |row| {
        Ok(Known {
            external_id: column(row, "external_id")?,
            observed_at: instant(column(row, "observed_at_us")?, "actions", "observed_at_us")?,
        })
    };
    tx.rows(sql).await?.iter().map(known).collect()
}

/// The currencies of a publisher's actions, by code: one statement.
///
/// # Errors
/// When the database fails.
pub async fn currencies(store: &Store, scope: WriteScope) -> Result<Vec<String>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push("SELECT DISTINCT t.currency FROM totals_time t WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.currency");
    let rows = tx.rows(sql).await?;
    rows.iter().map(|row| column(row, "currency")).collect()
}

/// Programs and ad spaces that may have clicks, by their ids at the network: programs that the publisher takes part in or
/// has actions of, with each ad space. One statement.
///
/// # Errors
/// When the database fails.
pub async fn clicked(store: &Store, scope: WriteScope) -> Result<Vec<(String, String)>> {
    let tx = ReadTx::new(store);
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.external_id AS program, s.external_id AS ad_space FROM programs p JOIN ad_spaces s \
         ON s.publisher_id = p.publisher_id WHERE p.publisher_id = ",
    )
    .bind(scope.publisher().0);
    sql.push(
        " AND p.external_id IS NOT NULL AND s.external_id IS NOT NULL AND (p.connection_status = 'active' OR EXISTS \
         (SELECT 1 FROM totals_channel c WHERE c.publisher_id = p.publisher_id AND c.program_id = p.id)) \
         ORDER BY p.external_id, s.external_id",
    );
    let rows = tx.rows(sql).await?;
    let pair = |row| Ok((column(row, "program")?, column(row, "ad_space")?));
    rows.iter().map(pair).collect()
}

/// Notes runs as failed whose process has given no sign of life since `silent_since`; gives how many. A process that was
/// merely slow notes the true end of its run over it.
///
/// # Errors
/// When the database fails.
pub async fn end_silent_runs(
    store: &Store,
    scope: WriteScope,
    silent_since: Instant,
    now: Instant,
) -> Result<u64> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            write_ended(&mut sql, scope.publisher(), now);
            sql.push(" AND COALESCE(alive_at_us, started_at_us) < ")
                .bind(silent_since.micros());
            // Uploads are taken up again by whoever has their file.
            sql.push(" AND entrance <> 'UPLOAD'");
            tx.execute(sql).await
        })
        .await
}

/// Removes the runs of the sync that brought nothing and began before `until`; gives how many. A server makes some
/// hundred of them a day, and nothing refers to them.
///
/// # Errors
/// When the database fails.
pub async fn forget_idle_runs(store: &Store, scope: WriteScope, until: Instant) -> Result<u64> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("DELETE FROM import_runs WHERE publisher_id = ")
                .bind(scope.publisher().0);
            sql.push(" AND entrance = ")
                .bind(API)
                .push(" AND state = ")
                .bind(RunState::Succeeded.as_str());
            sql.push(
                " AND inserted_count = 0 AND updated_count = 0 AND stale_count = 0 AND deleted_count = 0 AND \
                 rejected_count = 0 \
                 AND started_at_us < ",
            )
            .bind(until.micros());
            // Freshness shows the last run of each feed.
            sql.push(
                " AND id NOT IN (SELECT run_id FROM sync_states WHERE run_id IS NOT NULL AND publisher_id = ",
            )
            .bind(scope.publisher().0)
            .push(")");
            tx.execute(sql).await
        })
        .await
}

fn write_ended(sql: &mut Sql, publisher: PublisherId, now: Instant) {
    sql.push("UPDATE import_runs SET state = ")
        .bind(RunState::Failed.as_str());
    sql.push(", finished_at_us = ").bind(now.micros());
    sql.push(", error = ").bind(ENDED);
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    sql.push(" AND state = ").bind(RunState::Running.as_str());
}

/// What a new holder of a lease finds and puts in order.
async fn begin_anew(
    tx: &WriteTx,
    publisher: PublisherId,
    account: &str,
    now: Instant,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    write_ended(&mut sql, publisher, now);
    sql.push(" AND (id IN (SELECT run_id FROM sync_states WHERE publisher_id = ");
    of_account(&mut sql, publisher, account);
    // A run that had just begun is known to no state yet, but by the name that it begins with.
    let prefix = format!("{account}: ");
    let letters = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
    sql.push(") OR entrance = ")
        .bind(API)
        .push(" AND substr(name, 1, CAST(")
        .bind(letters)
        .push(" AS integer)) = ")
        .bind(prefix)
        .push(")");
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_states SET next_run_us = ")
        .bind(now.micros())
        .push(" WHERE publisher_id = ");
    of_account(&mut sql, publisher, account);
    sql.push(" AND condition = ")
        .bind(Condition::Stopped.as_str());
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_accounts SET paused_until_us = NULL WHERE publisher_id = ");
    of_account(&mut sql, publisher, account);
    tx.execute(sql).await.map(|_| ())
}

/// Appends the publisher and the account behind `… publisher_id = `.
fn of_account(sql: &mut Sql, publisher: PublisherId, account: &str) {
    sql.bind(publisher.0).push(" AND account = ").bind(account);
}

async fn add_account(tx: &WriteTx, publisher: PublisherId, account: &str) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("INSERT INTO sync_accounts (publisher_id, account, lease_until_us, condition, failures) VALUES (");
    sql.bind(publisher.0).push(", ").bind(account);
    sql.push(", 0, ")
        .bind(Condition::Waiting.as_str())
        .push(", 0) ON CONFLICT (publisher_id, account) DO NOTHING");
    tx.execute(sql).await.map(|_| ())
}

/// Whoever writes for an account holds its lease, and keeps it until this transaction is over.
async fn check_lease(
    tx: &WriteTx,
    publisher: PublisherId,
    account: &str,
    holder: &str,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT account FROM sync_accounts WHERE publisher_id = ");
    of_account(&mut sql, publisher, account);
    sql.push(" AND lease_holder = ").bind(holder);
    if tx.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    if tx.rows(sql).await?.is_empty() {
        return Err(DbErr::Custom(LEASE_LOST.to_owned()));
    }
    Ok(())
}

fn to_account(row: sync_account::Model) -> Result<AccountState> {
    const TABLE: &str = "sync_accounts";
    let until = instant(row.lease_until_us, TABLE, "lease_until_us")?;
    Ok(AccountState {
        condition: Condition::parse(&row.condition)
            .ok_or_else(|| inconsistent(TABLE, &row.account, "condition"))?,
        lease: row.lease_holder.map(|holder| (holder, until)),
        paused_until: some_instant(row.paused_until_us, TABLE, "paused_until_us")?,
        failures: u32::try_from(row.failures).unwrap_or(0),
        last_error: row.last_error,
        account: row.account,
        feeds: BTreeMap::new(),
    })
}

fn to_feed(row: sync_state::Model) -> Result<FeedState> {
    const TABLE: &str = "sync_states";
    Ok(FeedState {
        condition: Condition::parse(&row.condition)
            .ok_or_else(|| inconsistent(TABLE, &row.feed, "condition"))?,
        watermark: some_instant(row.watermark_us, TABLE, "watermark_us")?,
        last_attempt: some_instant(row.last_attempt_us, TABLE, "last_attempt_us")?,
        last_success: some_instant(row.last_success_us, TABLE, "last_success_us")?,
        next_run: some_instant(row.next_run_us, TABLE, "next_run_us")?,
        failures: u32::try_from(row.failures).unwrap_or(0),
        cursor: row.cursor,
        run_id: row.run_id,
        last_error: row.last_error,
    })
}
