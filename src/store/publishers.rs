//! Publishers: found by name, and made with the shipped programs and categories as their own.

use super::connect::Store;
use super::convert::inconsistent;
use super::listing::column;
use super::sql::Sql;
use super::sql::insert::{Conflict, insert};
use super::tx::ReadTx;
use crate::domain::catalog::{self, Catalog};
use crate::domain::error::{Code, Error, Result};
use crate::domain::id::{Kind, PublisherId, check_slug, derive};
use crate::domain::money::Currency;
use crate::domain::scope::Publisher;
use crate::domain::secret::Secret;
use crate::domain::text::fold;
use crate::domain::time::{Instant, Zone};
use entity::{category, program, publisher, publisher_state};
use sea_orm::{DbErr, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// The columns of the publisher `p` as [`to_publisher`] reads them.
pub(super) const PUBLISHER_COLUMNS: &str = "p.id AS publisher_number, p.slug AS publisher_slug, \
     p.name AS publisher_name, p.time_zone AS publisher_zone, p.currency AS publisher_currency";

pub(super) fn to_publisher(row: &QueryResult) -> Result<Publisher> {
    let id: i64 = column(row, "publisher_number")?;
    let zone: String = column(row, "publisher_zone")?;
    let code: String = column(row, "publisher_currency")?;
    Ok(Publisher {
        id: PublisherId(id),
        slug: column(row, "publisher_slug")?,
        name: column(row, "publisher_name")?,
        zone: Zone::parse(&zone).map_err(|_| inconsistent("publishers", id, "time_zone"))?,
        currency: Currency::parse(&code).map_err(|_| inconsistent("publishers", id, "currency"))?,
    })
}

/// The publisher with a name. Tokens name it so: it is found however many questions are being answered.
///
/// # Errors
/// When the database fails.
pub async fn find(store: &Store, slug: &str) -> Result<Option<Publisher>> {
    let all = all(&ReadTx::at_door(store)).await?;
    Ok(all.into_iter().find(|publisher| publisher.slug == slug))
}

/// All publishers, by number.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store) -> Result<Vec<Publisher>> {
    all(&ReadTx::new(store)).await
}

async fn all(tx: &ReadTx) -> Result<Vec<Publisher>> {
    let mut sql = tx.sql();
    sql.push("SELECT ")
        .push(PUBLISHER_COLUMNS)
        .push(" FROM publishers p ORDER BY p.id");
    tx.rows(sql).await?.iter().map(to_publisher).collect()
}

/// Makes a publisher, with the shipped programs and categories as its own.
///
/// # Errors
/// When the name is no slug or taken, or the database fails.
pub async fn create(
    store: &Store,
    slug: &str,
    name: &str,
    zone: Zone,
    currency: Currency,
    now: Instant,
) -> Result<Publisher> {
    check_slug(slug).map_err(|message| Error::bad_input("publisher", message))?;
    let number = store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("SELECT p.id FROM publishers p WHERE p.slug = ")
                .bind(slug);
            if !tx.rows(sql).await?.is_empty() {
                return Ok(None);
            }
            let mut sql = tx.sql();
            sql.push("SELECT CAST(COALESCE(MAX(id), 0) + 1 AS bigint) AS next FROM publishers");
            let rows = tx.rows(sql).await?;
            let id: i64 = rows.first().map_or(Ok(1), |row| row.try_get("", "next"))?;
            let row = publisher::Model {
                id,
                slug: slug.to_owned(),
                name: name.to_owned(),
                time_zone: zone.name().to_owned(),
                currency: currency.as_str().to_owned(),
                created_at_us: now.micros(),
                user_ids_secret: None,
            };
            insert(tx, &[row], Conflict::Fail).await?;
            let state = publisher_state::Model {
                publisher_id: id,
                change_seq: 0,
                data_version: 0,
                changed_at_us: 0,
            };
            insert(tx, &[state], Conflict::Fail).await?;
            super::totals::note_current(tx, PublisherId(id), now).await?;
            insert(tx, &programs(PublisherId(id)), Conflict::Fail).await?;
            for level in 1..=3 {
                // Parents first: a category's parent is a row of the same table.
                let rows: Vec<category::Model> = categories(PublisherId(id))
                    .into_iter()
                    .filter(|row| row.level == level)
                    .collect();
                insert(tx, &rows, Conflict::Fail).await?;
            }
            Ok(Some(id))
        })
        .await?
        .ok_or_else(|| {
            Error::new(
                Code::Conflict,
                format!("there is a publisher {slug} already; take another name"),
            )
        })?;
    Ok(Publisher {
        id: PublisherId(number),
        slug: slug.to_owned(),
        name: name.to_owned(),
        zone,
        currency,
    })
}

/// The secret through which a publisher's users are shown to whoever may not know who they are: for the program itself,
/// which no question waits for. None where nobody needed it yet.
///
/// # Errors
/// When the database fails.
pub async fn user_ids_secret(store: &Store, publisher: PublisherId) -> Result<Option<Secret>> {
    let tx = ReadTx::at_door(store);
    let rows = tx.rows(select_secret(tx.sql(), publisher)).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let secret: Option<String> = column(row, "user_ids_secret")?;
    Ok(secret.map(Secret::new))
}

/// Gives a publisher a secret for the ids of its users, unless it has one; gives the one that it has then. Of several
/// servers that do so at once one comes first, and the others get what it wrote.
///
/// # Errors
/// When there is no such publisher, or the database fails.
pub async fn keep_user_ids_secret(
    store: &Store,
    publisher: PublisherId,
    fresh: &Secret,
) -> Result<Secret> {
    store
        .write(async |tx| {
            let mut sql = tx.sql();
            sql.push("UPDATE publishers SET user_ids_secret = ")
                .bind(fresh.expose())
                .push(" WHERE id = ")
                .bind(publisher.0)
                .push(" AND user_ids_secret IS NULL");
            tx.execute(sql).await?;
            let rows = tx.rows(select_secret(tx.sql(), publisher)).await?;
            let row = rows
                .first()
                .ok_or_else(|| DbErr::RecordNotFound("publishers".into()))?;
            row.try_get::<String>("", "user_ids_secret")
        })
        .await
        .map(Secret::new)
}

fn select_secret(mut sql: Sql, publisher: PublisherId) -> Sql {
    sql.push("SELECT p.user_ids_secret FROM publishers p WHERE p.id = ")
        .bind(publisher.0);
    sql
}

/// The natural key of a shipped program: its id upstream, else its key in the catalogue.
pub(super) fn program_key(program: &catalog::Program) -> String {
    program.external_id.as_ref().map_or_else(
        || format!("catalog:{}", program.key),
        |id| format!("id:{id}"),
    )
}

/// The id of a category of the publisher.
pub(super) fn category_id(publisher: PublisherId, external_id: &str) -> Uuid {
    derive(publisher, Kind::Category, external_id)
}

fn programs(publisher: PublisherId) -> Vec<program::Model> {
    Catalog::shipped()
        .programs()
        .iter()
        .map(|shipped| {
            let natural_key = program_key(shipped);
            program::Model {
                publisher_id: publisher.0,
                id: derive(publisher, Kind::Program, &format!("admitad\0{natural_key}")),
                source: "admitad".to_owned(),
                natural_key,
                external_id: shipped.external_id.clone(),
                catalog_key: Some(shipped.key.clone()),
                name_folded: fold(&shipped.name),
                name: shipped.name.clone(),
                currency: Some(shipped.currency.as_str().to_owned()),
                name_at_us: 0,
                status: None,
                connection_status: None,
                hold_days: None,
                max_hold_days: None,
                cookie_days: None,
                payment_days: None,
                countries: None,
                all_countries: None,
                described_at_us: None,
            }
        })
        .collect()
}

fn categories(publisher: PublisherId) -> Vec<category::Model> {
    let mut levels: HashMap<&str, (Uuid, Uuid)> = HashMap::new();
    Catalog::shipped()
        .categories()
        .iter()
        .map(|shipped| {
            let id = category_id(publisher, &shipped.external_id);
            let above = shipped
                .parent
                .as_deref()
                .and_then(|parent| levels.get(parent).copied());
            let (level1_id, level2_id) = match above {
                None => (id, id),
                Some((level1, _)) if shipped.level == 2 => (level1, id),
                Some(above) => above,
            };
            levels.insert(&shipped.external_id, (level1_id, level2_id));
            category::Model {
                publisher_id: publisher.0,
                id,
                external_id: shipped.external_id.clone(),
                name: shipped.name.clone(),
                name_folded: fold(&shipped.name),
                parent_id: shipped
                    .parent
                    .as_deref()
                    .map(|parent| category_id(publisher, parent)),
                level: shipped.level,
                level1_id,
                level2_id,
                is_known: shipped.external_id != catalog::UNKNOWN_CATEGORY,
                name_at_us: 0,
            }
        })
        .collect()
}
