//! API keys: stored by hash, found by prefix.

use super::connect::Store;
use super::convert::{inconsistent, instant};
use super::listing::column;
use super::publishers::{PUBLISHER_COLUMNS, to_publisher};
use super::sql::Sql;
use super::sql::insert::{Conflict, insert as insert_rows};
use super::tx::ReadTx;
use crate::domain::error::{Error, Result};
use crate::domain::scope::{KeyScope, Publisher, ReadScope, WriteScope};
use crate::domain::time::Instant;
use entity::api_key;
use sea_orm::FromQueryResult as _;
use uuid::Uuid;

/// A key as it is stored, with its publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Id.
    pub id: Uuid,
    /// The public prefix.
    pub prefix: String,
    /// SHA-256 of the whole key, lower-case hexadecimal.
    pub hash: String,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// When it was made.
    pub created_at: Instant,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// Whose data it opens.
    pub publisher: Publisher,
}

/// A key to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// Random id.
    pub id: Uuid,
    /// The public prefix.
    pub prefix: &'a str,
    /// SHA-256 of the whole key, lower-case hexadecimal.
    pub hash: &'a str,
    /// What it is for.
    pub label: &'a str,
    /// What it may do.
    pub scopes: &'a [KeyScope],
}

/// Stores a new key.
///
/// # Errors
/// When the database fails.
pub async fn insert(store: &Store, scope: WriteScope, key: NewKey<'_>, now: Instant) -> Result<()> {
    let model = api_key::Model {
        publisher_id: scope.publisher().0,
        id: key.id,
        prefix: key.prefix.to_owned(),
        hash: key.hash.to_owned(),
        label: key.label.to_owned(),
        scopes: KeyScope::print(key.scopes),
        created_at_us: now.micros(),
        revoked_at_us: None,
    };
    store
        .write(async |tx| insert_rows(tx, std::slice::from_ref(&model), Conflict::Fail).await)
        .await
        .map(|_| ())
}

/// The keys with a prefix, of any publisher: the one look-up that no publisher leads, since the key tells whose it is.
///
/// # Errors
/// When the database fails.
pub async fn by_prefix(store: &Store, prefix: &str) -> Result<Vec<StoredKey>> {
    let tx = ReadTx::new(store);
    let mut sql = select(&tx);
    sql.push(" WHERE t.prefix = ").bind(prefix);
    rows(&tx, sql).await
}

/// A publisher's keys, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store, scope: ReadScope) -> Result<Vec<StoredKey>> {
    let tx = ReadTx::new(store);
    let mut sql = select(&tx);
    sql.push(" WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.created_at_us, t.id");
    rows(&tx, sql).await
}

/// Revokes a key; says whether there was one that was not revoked yet.
///
/// # Errors
/// When the database fails.
pub async fn revoke(store: &Store, scope: WriteScope, prefix: &str, now: Instant) -> Result<bool> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE api_keys SET revoked_at_us = ")
                .bind(now.micros());
            sql.push(" WHERE publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND prefix = ")
                .bind(prefix);
            sql.push(" AND revoked_at_us IS NULL");
            Ok(tx.execute(sql).await? > 0)
        })
        .await
}

fn select(tx: &ReadTx) -> Sql {
    let mut sql = tx.sql();
    sql.push("SELECT t.*, ").push(PUBLISHER_COLUMNS);
    sql.push(" FROM api_keys t JOIN publishers p ON p.id = t.publisher_id");
    sql
}

async fn rows(tx: &ReadTx, sql: Sql) -> Result<Vec<StoredKey>> {
    let mut keys = Vec::new();
    for row in tx.rows(sql).await? {
        let model = api_key::Model::from_query_result(&row, "").map_err(Error::internal)?;
        let revoked: Option<i64> = column(&row, "revoked_at_us")?;
        keys.push(StoredKey {
            created_at: instant(model.created_at_us, "api_keys", "created_at_us")?,
            revoked_at: revoked
                .map(Instant::from_micros)
                .transpose()
                .map_err(|_| inconsistent("api_keys", model.id, "revoked_at_us"))?,
            id: model.id,
            prefix: model.prefix,
            hash: model.hash,
            label: model.label,
            scopes: KeyScope::read_all(&model.scopes),
            publisher: to_publisher(&row)?,
        });
    }
    Ok(keys)
}
