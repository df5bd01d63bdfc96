//! The trail of what was done: written in the transaction of the change that it tells of, and read page by page. Nothing
//! changes or removes an entry.

use super::convert::{inconsistent, instant};
use super::keyset::{Order, OrderBy, limit};
use super::listing::{check_page, column};
use super::sql::insert::{Conflict, insert};
use super::tx::{ReadTx, WriteTx};
use crate::domain::audit::{Act, Actor, AuditEntry, Deed, Note};
use crate::domain::error::Result;
use crate::domain::filter::Value;
use crate::domain::id::PublisherId;
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::rule::Segment;
use crate::domain::scope::ReadScope;
use entity::audit_entry;
use sea_orm::DbErr;

/// Writes what was done, in the transaction that does it.
pub(super) async fn write(
    tx: &WriteTx,
    publisher: PublisherId,
    note: &Note,
    deed: &Deed,
) -> Result<(), DbErr> {
    let entry = audit_entry::Model {
        publisher_id: publisher.0,
        id: note.id,
        at_us: note.now.micros(),
        actor: note.actor.name.clone(),
        act: deed.act.as_str().to_owned(),
        subject: deed.subject.clone(),
        detail: deed.detail.clone(),
        address: note.actor.address.clone(),
    };
    insert(tx, &[entry], Conflict::Fail).await.map(|_| ())
}

/// Likewise of a segment, which is named with its version; `changed` says what of it, where the act does not.
pub(super) async fn write_segment(
    tx: &WriteTx,
    publisher: PublisherId,
    note: &Note,
    (act, segment, changed): (Act, &Segment, &[&str]),
) -> Result<(), DbErr> {
    let mut detail = format!("{:?}, version {}", segment.name, segment.version);
    if !changed.is_empty() {
        detail = format!("{detail}: {}", changed.join(", "));
    }
    let deed = Deed::to_row(act, segment.id, detail);
    write(tx, publisher, note, &deed).await
}

/// One page of the trail, the latest first: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn trail(tx: &ReadTx, scope: ReadScope, page: &PageRequest) -> Result<Page<AuditEntry>> {
    check_page(page, 1)?;
    let key = OrderBy {
        place: "t.at_us".into(),
        nullable: false,
        descending: true,
        nulls_first: false,
    };
    let order = Order::new(vec![key], "t.id");
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM audit_entries t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    order.write_bounds(page, &mut sql);
    sql.push(" ORDER BY ");
    order.reading(page).write(&mut sql);
    sql.push(" LIMIT ").bind(limit(page));
    let mut rows = Vec::new();
    for model in tx.models::<audit_entry::Entity>(sql).await? {
        let entry = to_entry(model)?;
        let cursor = Cursor {
            values: vec![Value::Int(entry.at.micros())],
            id: entry.id,
        };
        rows.push((entry, cursor));
    }
    Ok(Page::cut(rows, page))
}

fn to_entry(model: audit_entry::Model) -> Result<AuditEntry> {
    const TABLE: &str = "audit_entries";
    Ok(AuditEntry {
        at: instant(model.at_us, TABLE, "at_us")?,
        deed: Deed {
            act: Act::parse(&model.act).ok_or_else(|| inconsistent(TABLE, model.id, "act"))?,
            subject: model.subject,
            detail: model.detail,
        },
        id: model.id,
        actor: Actor {
            name: model.actor,
            address: model.address,
        },
    })
}

/// How many entries the trail has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn trail_length(tx: &ReadTx, scope: ReadScope) -> Result<i64> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM audit_entries t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}
