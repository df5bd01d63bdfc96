//! API keys: stored by hash, found by prefix. Whatever changes a key writes the trail in the same transaction.

use super::audit;
use super::connect::Store;
use super::convert::{inconsistent, instant, some_instant};
use super::publishers::{PUBLISHER_COLUMNS, to_publisher};
use super::sql::Sql;
use super::sql::insert::{Conflict, insert as insert_rows};
use super::tx::{ReadTx, WriteTx};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::key::{ApiKey, KeyBudget, KeyTerms};
use crate::domain::limits::Limits;
use crate::domain::scope::{KeyScope, Publisher, ReadScope, WriteScope};
use crate::domain::time::Instant;
use entity::api_key;
use sea_orm::{DbBackend, DbErr, FromQueryResult as _};
use uuid::Uuid;

const TABLE: &str = "api_keys";

/// A key as it is stored, with its publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What may be told of it.
    pub key: ApiKey,
    /// SHA-256 of the whole key, lower-case hexadecimal.
    pub hash: String,
    /// That of the secret before it.
    pub previous_hash: Option<String>,
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
    /// What was decided about it.
    pub terms: &'a KeyTerms,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Done,
    /// It had been so before.
    Already,
    /// There is no such key.
    Missing,
    /// Its terms are no longer those that the change was made from; nothing was done.
    Meanwhile,
    /// It would leave the publisher without a key that administers; nothing was done.
    LastAdmin,
}

/// A key's change.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Other terms.
    Terms {
        /// Those that the change was made from: where somebody changed them since, what he limited would be open again.
        before: &'a KeyTerms,
        /// Those that it has from now on.
        after: &'a KeyTerms,
    },
    /// Another secret, by its hash; the one before is taken until then.
    Secret {
        /// SHA-256 of the new one, lower-case hexadecimal.
        hash: &'a str,
        /// Until when the old one is taken.
        keep_until: Instant,
    },
    /// None, for good.
    Revoked,
}

/// Stores a new key.
///
/// # Errors
/// When the database fails.
pub async fn insert(store: &Store, scope: WriteScope, key: NewKey<'_>, note: &Note) -> Result<()> {
    let terms = key.terms;
    let model = api_key::Model {
        publisher_id: scope.publisher().0,
        id: key.id,
        prefix: key.prefix.to_owned(),
        hash: key.hash.to_owned(),
        label: terms.label.clone(),
        scopes: KeyScope::print(&terms.scopes),
        created_at_us: note.now.micros(),
        revoked_at_us: None,
        expires_at_us: terms.expires_at.map(Instant::micros),
        last_used_at_us: None,
        previous_until_us: None,
        budget_capacity: terms.budget.map(|budget| budget.capacity),
        budget_refill: terms.budget.map(|budget| budget.refill),
        introspection: terms.introspection,
        previous_hash: None,
        limits: print(&terms.limits)?,
    };
    let deed = Deed {
        act: Act::KeyCreated,
        subject: key.prefix.to_owned(),
        detail: terms.words(),
    };
    store
        .write(async |tx| {
            insert_rows(tx, std::slice::from_ref(&model), Conflict::Fail).await?;
            audit::write(tx, scope.publisher(), note, &deed).await
        })
        .await
}

/// Limits as they are stored; nothing for none.
fn print(limits: &Limits) -> Result<Option<String>> {
    if limits.is_none() {
        return Ok(None);
    }
    serde_json::to_string(limits)
        .map(Some)
        .map_err(Error::internal)
}

/// Changes a key. Unless `force` is set, the last key that administers is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn change(
    store: &Store,
    scope: WriteScope,
    (id, change): (Uuid, Change<'_>),
    force: bool,
    note: &Note,
) -> Result<Changed> {
    let limits = match change {
        Change::Terms { after, .. } => print(&after.limits)?,
        Change::Secret { .. } | Change::Revoked => None,
    };
    store
        .write(async |tx| {
            let mut all = locked(tx, scope.publisher()).await?;
            let Some(place) = all.iter().position(|(key, _)| key.id == id) else {
                return Ok(Changed::Missing);
            };
            let (held, hash) = all.swap_remove(place);
            if held.revoked_at.is_some() {
                return Ok(Changed::Already);
            }
            let stays = match change {
                Change::Terms { before, .. } if *before != held.terms => {
                    return Ok(Changed::Meanwhile);
                }
                Change::Terms { after, .. } => after.scopes.contains(&KeyScope::Admin),
                Change::Secret { .. } => true,
                Change::Revoked => false,
            };
            let is_last =
                held.is_admin(note.now) && !all.iter().any(|(key, _)| key.is_admin(note.now));
            if is_last && !stays && !force {
                return Ok(Changed::LastAdmin);
            }
            let mut sql = tx.sql();
            sql.push("UPDATE api_keys SET ");
            write_change(change, limits.as_deref(), note.now, &hash, &mut sql);
            sql.push(" WHERE publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND id = ")
                .bind(id);
            tx.execute(sql).await?;
            let (act, detail) = match change {
                Change::Terms { after, .. } => (Act::KeyUpdated, after.words()),
                Change::Secret { keep_until, .. } => (
                    Act::KeyRotated,
                    format!("the old secret is taken until {}", keep_until.to_rfc3339()),
                ),
                Change::Revoked => (Act::KeyRevoked, String::new()),
            };
            let deed = Deed {
                act,
                subject: held.prefix,
                detail,
            };
            audit::write(tx, scope.publisher(), note, &deed).await?;
            Ok(Changed::Done)
        })
        .await
}

/// Appends the columns of a change with their values.
fn write_change(
    change: Change<'_>,
    limits: Option<&str>,
    now: Instant,
    hash_before: &str,
    sql: &mut Sql,
) {
    match change {
        Change::Terms { after: terms, .. } => {
            sql.push("label = ").bind(terms.label.clone());
            sql.push(", scopes = ").bind(KeyScope::print(&terms.scopes));
            sql.push(", expires_at_us = ")
                .bind(terms.expires_at.map(Instant::micros));
            sql.push(", limits = ").bind(limits.map(str::to_owned));
            sql.push(", budget_capacity = ")
                .bind(terms.budget.map(|budget| budget.capacity));
            sql.push(", budget_refill = ")
                .bind(terms.budget.map(|budget| budget.refill));
            sql.push(", introspection = ").bind(terms.introspection);
        }
        Change::Secret { hash, keep_until } => {
            sql.push("previous_hash = ").bind(hash_before.to_owned());
            sql.push(", previous_until_us = ").bind(keep_until.micros());
            sql.push(", hash = ").bind(hash.to_owned());
        }
        Change::Revoked => {
            sql.push("revoked_at_us = ").bind(now.micros());
        }
    }
}

/// A publisher's keys with the hashes of their secrets, which nobody else changes until the transaction ends: SQLite has one
/// writer, PostgreSQL locks the rows, always in the same order.
async fn locked(tx: &WriteTx, publisher: PublisherId) -> Result<Vec<(ApiKey, String)>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM api_keys t WHERE t.publisher_id = ")
        .bind(publisher.0)
        .push(" ORDER BY t.id");
    if tx.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let keys = tx.models::<api_key::Entity>(sql).await?.into_iter();
    keys.map(|model| {
        let hash = model.hash.clone();
        let key = to_api_key(model).map_err(|error| DbErr::Custom(error.to_string()))?;
        Ok((key, hash))
    })
    .collect()
}

/// Notes when keys were last used: one statement each, for those whose note is older.
///
/// # Errors
/// When the database fails.
pub async fn note_uses(store: &Store, uses: &[(PublisherId, Uuid, Instant)]) -> Result<()> {
    store
        .write(async |tx| {
            for (publisher, id, at) in uses {
                let mut sql = tx.sql();
                sql.push("UPDATE api_keys SET last_used_at_us = ")
                    .bind(at.micros());
                sql.push(" WHERE publisher_id = ").bind(publisher.0);
                sql.push(" AND id = ").bind(*id);
                sql.push(" AND COALESCE(last_used_at_us, 0) < ")
                    .bind(at.micros());
                tx.execute(sql).await?;
            }
            Ok(())
        })
        .await
}

/// The keys with a prefix, of any publisher: the one look-up that no publisher leads, since the key tells whose it is.
///
/// # Errors
/// When the database fails.
pub async fn by_prefix(store: &Store, prefix: &str) -> Result<Vec<StoredKey>> {
    let tx = ReadTx::at_door(store);
    let mut sql = select(&tx);
    sql.push(" WHERE t.prefix = ").bind(prefix);
    rows(&tx, sql).await
}

/// A publisher's keys, oldest first: one statement.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &ReadTx, scope: ReadScope) -> Result<Vec<StoredKey>> {
    let mut sql = select(tx);
    sql.push(" WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.created_at_us, t.id");
    rows(tx, sql).await
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
        keys.push(to_key(model, to_publisher(&row)?)?);
    }
    Ok(keys)
}

fn to_key(model: api_key::Model, publisher: Publisher) -> Result<StoredKey> {
    Ok(StoredKey {
        hash: model.hash.clone(),
        previous_hash: model.previous_hash.clone(),
        key: to_api_key(model)?,
        publisher,
    })
}

fn to_api_key(model: api_key::Model) -> Result<ApiKey> {
    let moment = |micros, name| some_instant(micros, TABLE, name);
    let limits = match &model.limits {
        None => Limits::default(),
        // What is not understood must not be read as no limit.
        Some(text) => {
            serde_json::from_str(text).map_err(|_| inconsistent(TABLE, model.id, "limits"))?
        }
    };
    let budget = model.budget_capacity.zip(model.budget_refill);
    Ok(ApiKey {
        id: model.id,
        terms: KeyTerms {
            label: model.label,
            scopes: KeyScope::read_all(&model.scopes),
            expires_at: moment(model.expires_at_us, "expires_at_us")?,
            limits,
            budget: budget.map(|(capacity, refill)| KeyBudget { capacity, refill }),
            introspection: model.introspection,
        },
        created_at: instant(model.created_at_us, TABLE, "created_at_us")?,
        last_used_at: moment(model.last_used_at_us, "last_used_at_us")?,
        revoked_at: moment(model.revoked_at_us, "revoked_at_us")?,
        previous_until: moment(model.previous_until_us, "previous_until_us")?,
        prefix: model.prefix,
    })
}
