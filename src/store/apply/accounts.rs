//! An account of the network that goes by another name in the configuration than before: what is stored of it under the
//! old name becomes the new one's, in one transaction under the publisher's lock. Otherwise the same clicks and the same
//! balance would stand there once more, as another account's.
//!
//! Lines of the ledger keep the name that they were imported under: whoever imports them names the account.

use super::super::sync::{RETIRED, Taker};
use super::super::tx::WriteTx;
use super::{claims, lock, raise_version};
use crate::domain::id::PublisherId;
use crate::domain::time::Instant;
use entity::sync_account;
use sea_orm::{DbBackend, DbErr};

/// Takes over what is stored of the account under other names, and puts aside what is stored of another account under
/// this one; until when another server fetches one of them, if one does.
pub(in crate::store) async fn take_over_names(
    tx: &WriteTx,
    publisher: PublisherId,
    taker: Taker<'_>,
    now: Instant,
) -> Result<Option<Instant>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT a.* FROM sync_accounts a WHERE a.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND (a.account = ").bind(taker.account);
    sql.push(" OR a.client_id = ").bind(taker.client_id);
    sql.push(") ORDER BY a.account");
    if tx.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let rows = tx.models::<sync_account::Entity>(sql).await?;
    let (under_name, elsewhere): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.account == taker.account);
    let is_anothers = |row: &&sync_account::Model| {
        let known = row.client_id.as_deref();
        known.is_some_and(|known| known != taker.client_id)
    };
    let anothers = under_name.into_iter().find(is_anothers);
    if elsewhere.is_empty() {
        return Ok(None);
    }
    for row in elsewhere.iter().copied().chain(anothers) {
        let until = Instant::from_micros(row.lease_until_us).unwrap_or(now);
        let is_held = row.lease_holder.as_deref();
        if is_held.is_some_and(|held| held != taker.holder) && until > now {
            return Ok(Some(until));
        }
    }
    if let Some(row) = anothers {
        put_aside(tx, publisher, row, now).await?;
    }
    for row in elsewhere {
        rename(tx, publisher, (&row.account, taker.account), now).await?;
    }
    Ok(None)
}

/// Frees a name for the account that has it now: what is stored under it stays under one that no configuration can have,
/// until its own account comes for it under whichever name that has. So accounts can pass names along, or swap them, and
/// whoever comes first keeps the other from nothing. Until then nobody fetches it, and nobody is told of it.
async fn put_aside(
    tx: &WriteTx,
    publisher: PublisherId,
    row: &sync_account::Model,
    now: Instant,
) -> Result<(), DbErr> {
    let of = row.client_id.as_deref().unwrap_or_default();
    let aside = format!("{} ({of})", row.account);
    rename(tx, publisher, (&row.account, &aside), now).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_accounts SET lease_holder = NULL, lease_until_us = 0, condition = ")
        .bind(RETIRED.as_str());
    sql.push(", paused_until_us = NULL, failures = 0, last_error = NULL WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND account = ").bind(aside);
    tx.execute(sql).await.map(|_| ())
}

/// Puts aside what is stored under names that the configuration gives to other accounts than before, where their own
/// accounts have other names now; but for those that a server fetches.
pub(in crate::store) async fn free_names(
    tx: &WriteTx,
    publisher: PublisherId,
    configured: &[(String, String)],
    now: Instant,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT a.* FROM sync_accounts a WHERE a.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND (a.lease_holder IS NULL OR a.lease_until_us <= ")
        .bind(now.micros())
        .push(") ORDER BY a.account");
    if tx.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    for row in tx.models::<sync_account::Entity>(sql).await? {
        let Some(known) = row.client_id.as_deref() else {
            continue;
        };
        let is_anothers = configured
            .iter()
            .any(|(name, client_id)| *name == row.account && client_id != known);
        let is_elsewhere = configured
            .iter()
            .any(|(name, client_id)| *name != row.account && client_id == known);
        if is_anothers && is_elsewhere {
            put_aside(tx, publisher, &row, now).await?;
        }
    }
    Ok(())
}

/// Gives `new` what is stored of `old`, and forgets `old`. Where `new` was fetched before, as by a version that took a
/// renamed account for another one, what it has read stays and takes the place of what `old` had of it.
async fn rename(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (&str, &str),
    now: Instant,
) -> Result<(), DbErr> {
    let sequence = lock(tx, publisher).await?;
    rename_state(tx, publisher, (old, new)).await?;
    rename_clicks(tx, publisher, (old, new)).await?;
    rename_balances(tx, publisher, (old, new)).await?;
    claims::rename(tx, publisher, (old, new)).await?;
    raise_version(tx, publisher, sequence, now).await
}

/// How far it has come: where the new name has come anywhere, it goes on from there.
async fn rename_state(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (&str, &str),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT 1 AS one FROM sync_states WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND account = ").bind(new);
    let is_new = tx.rows(sql).await?.is_empty();
    for table in ["sync_accounts", "sync_states"] {
        // A row of the new name that has read nothing yet is in the way; of two that have, the old one's goes.
        let gone = if is_new { new } else { old };
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table);
        sql.push(" WHERE publisher_id = ").bind(publisher.0);
        sql.push(" AND account = ").bind(gone);
        tx.execute(sql).await?;
        let mut sql = tx.sql();
        sql.push("UPDATE ")
            .push(table)
            .push(" SET account = ")
            .bind(new);
        sql.push(" WHERE publisher_id = ").bind(publisher.0);
        sql.push(" AND account = ").bind(old);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Days that both names have stay as the new one has read them.
async fn rename_clicks(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (&str, &str),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM click_stats WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND account = ").bind(old);
    // By slot, day and account, as the key has them: whoever looked for the account alone would read all clicks for each.
    sql.push(" AND EXISTS (SELECT 1 FROM click_stats n WHERE n.publisher_id = ")
        .bind(publisher.0);
    sql.push(
        " AND n.slot = click_stats.slot AND n.click_day = click_stats.click_day AND n.account = ",
    )
    .bind(new)
    .push(")");
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE click_stats SET account = ").bind(new);
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    sql.push(" AND account = ").bind(old);
    tx.execute(sql).await.map(|_| ())
}

/// What the balance was at a time that both names tell of stays as the new one has it.
async fn rename_balances(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (&str, &str),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM balances WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND account = ").bind(old);
    sql.push(" AND EXISTS (SELECT 1 FROM balances n WHERE n.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND n.account = ").bind(new);
    sql.push(" AND n.currency = balances.currency AND n.observed_at_us = balances.observed_at_us)");
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE balances SET account = ").bind(new);
    sql.push(" WHERE publisher_id = ").bind(publisher.0);
    sql.push(" AND account = ").bind(old);
    tx.execute(sql).await.map(|_| ())
}
