//! The secrets in the addresses of postbacks: stored by hash, found by prefix.

use super::audit;
use super::connect::Store;
use super::convert::{inconsistent, instant};
use super::listing::column;
use super::publishers::{PUBLISHER_COLUMNS, to_publisher};
use super::sql::Sql;
use super::sql::insert::{Conflict, insert as insert_rows};
use super::tx::ReadTx;
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::{Error, Result};
use crate::domain::scope::{Publisher, ReadScope, WriteScope};
use crate::domain::time::Instant;
use entity::postback_secret;
use sea_orm::FromQueryResult as _;
use uuid::Uuid;

/// A secret as it is stored, with its publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// Id.
    pub id: Uuid,
    /// The part that may be shown.
    pub prefix: String,
    /// SHA-256 of the whole secret, lower-case hexadecimal.
    pub hash: String,
    /// What it is for.
    pub label: String,
    /// The ad space of postbacks that name none.
    pub ad_space: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// Whose actions come in by it.
    pub publisher: Publisher,
}

/// A secret to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewSecret<'a> {
    /// Random id.
    pub id: Uuid,
    /// The part that may be shown.
    pub prefix: &'a str,
    /// SHA-256 of the whole secret, lower-case hexadecimal.
    pub hash: &'a str,
    /// What it is for.
    pub label: &'a str,
    /// The ad space of postbacks that name none.
    pub ad_space: Option<&'a str>,
}

/// Stores a new secret.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    store: &Store,
    scope: WriteScope,
    secret: NewSecret<'_>,
    note: &Note,
) -> Result<()> {
    let model = postback_secret::Model {
        publisher_id: scope.publisher().0,
        id: secret.id,
        prefix: secret.prefix.to_owned(),
        hash: secret.hash.to_owned(),
        label: secret.label.to_owned(),
        ad_space: secret.ad_space.map(str::to_owned),
        created_at_us: note.now.micros(),
        revoked_at_us: None,
    };
    let mut detail = secret.label.to_owned();
    if let Some(name) = secret.ad_space {
        detail = format!("{detail}; ad space {name:?}");
    }
    let deed = Deed {
        act: Act::PostbackSecretCreated,
        subject: secret.prefix.to_owned(),
        detail: detail.trim_start_matches("; ").to_owned(),
    };
    store
        .write(async |tx| {
            insert_rows(tx, std::slice::from_ref(&model), Conflict::Fail).await?;
            audit::write(tx, scope.publisher(), note, &deed).await
        })
        .await
}

/// The secrets with a prefix, of any publisher: no publisher leads the look-up, since the secret tells whose it is.
///
/// # Errors
/// When the database fails.
pub async fn by_prefix(store: &Store, prefix: &str) -> Result<Vec<StoredSecret>> {
    let tx = ReadTx::at_door(store);
    let mut sql = select(&tx);
    sql.push(" WHERE t.prefix = ").bind(prefix);
    rows(&tx, sql).await
}

/// A publisher's secrets, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store, scope: ReadScope) -> Result<Vec<StoredSecret>> {
    let tx = ReadTx::new(store);
    let mut sql = select(&tx);
    sql.push(" WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.created_at_us, t.id");
    rows(&tx, sql).await
}

/// Revokes a secret; says whether there was one that was not revoked yet.
///
/// # Errors
/// When the database fails.
pub async fn revoke(store: &Store, scope: WriteScope, prefix: &str, note: &Note) -> Result<bool> {
    let deed = Deed {
        act: Act::PostbackSecretRevoked,
        subject: prefix.to_owned(),
        detail: String::new(),
    };
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE postback_secrets SET revoked_at_us = ")
                .bind(note.now.micros());
            sql.push(" WHERE publisher_id = ")
                .bind(scope.publisher().0)
                .push(" AND prefix = ")
                .bind(prefix);
            sql.push(" AND revoked_at_us IS NULL");
            let is_revoked = tx.execute(sql).await? > 0;
            if is_revoked {
                audit::write(tx, scope.publisher(), note, &deed).await?;
            }
            Ok(is_revoked)
        })
        .await
}

fn select(tx: &ReadTx) -> Sql {
    let mut sql = tx.sql();
    sql.push("SELECT t.*, ").push(PUBLISHER_COLUMNS);
    sql.push(" FROM postback_secrets t JOIN publishers p ON p.id = t.publisher_id");
    sql
}

async fn rows(tx: &ReadTx, sql: Sql) -> Result<Vec<StoredSecret>> {
    let mut secrets = Vec::new();
    for row in tx.rows(sql).await? {
        let model = postback_secret::Model::from_query_result(&row, "").map_err(Error::internal)?;
        let revoked: Option<i64> = column(&row, "revoked_at_us")?;
        secrets.push(StoredSecret {
            created_at: instant(model.created_at_us, "postback_secrets", "created_at_us")?,
            revoked_at: revoked
                .map(Instant::from_micros)
                .transpose()
                .map_err(|_| inconsistent("postback_secrets", model.id, "revoked_at_us"))?,
            id: model.id,
            prefix: model.prefix,
            hash: model.hash,
            label: model.label,
            ad_space: model.ad_space,
            publisher: to_publisher(&row)?,
        });
    }
    Ok(secrets)
}
