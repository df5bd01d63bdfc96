//! What each account of a publisher with several has named, and what is nobody's any more.
//!
//! An account can tell of what it brought itself that it is gone, and of nothing else: a full read that does not name an
//! action of another account says nothing about it. A publisher with one account needs none of this, and has no rows.

use super::super::listing::IDS;
use super::super::sync::RETIRED;
use super::super::tx::WriteTx;
use crate::domain::draft::{Deletion, action_id};
use crate::domain::id::PublisherId;
use crate::domain::sync::SyncStep;
use sea_orm::DbErr;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Notes that an account has named actions; those that are not among the facts are left out. A statement for up to
/// [`IDS`] of them.
pub(in crate::store) async fn note(
    tx: &WriteTx,
    publisher: PublisherId,
    account: &str,
    actions: &[Uuid],
) -> Result<(), DbErr> {
    for ids in actions.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push(
            "INSERT INTO account_actions (publisher_id, action_id, account) SELECT t.publisher_id, t.id, ",
        )
        .bind(account);
        sql.push(" FROM actions t WHERE t.publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ").among("t.id", ids);
        // Most are known, and nothing is written for them.
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM account_actions c WHERE c.publisher_id = t.publisher_id \
             AND c.action_id = t.id AND c.account = ",
        )
        .bind(account)
        .push(") ON CONFLICT (publisher_id, action_id, account) DO NOTHING");
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Those of the deletions that no other account speaks for. The account of the step, which no longer has any of them,
/// speaks for none from now on; one that is configured no more does not count.
pub(super) async fn gone(
    tx: &WriteTx,
    publisher: PublisherId,
    sync: Option<&SyncStep>,
    deletions: &[Deletion],
) -> Result<Vec<Deletion>, DbErr> {
    let Some(step) = sync.filter(|_| !deletions.is_empty()) else {
        return Ok(deletions.to_vec());
    };
    let of = |gone: &Deletion| action_id(publisher, &gone.external_id);
    let ids: Vec<Uuid> = deletions.iter().map(of).collect();
    let mut kept: BTreeSet<Uuid> = BTreeSet::new();
    for ids in ids.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("DELETE FROM account_actions WHERE publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND account = ").bind(step.account.as_str());
        sql.push(" AND ").among("action_id", ids);
        tx.execute(sql).await?;
        let mut sql = tx.sql();
        sql.push(
            "SELECT c.action_id FROM account_actions c JOIN sync_accounts a ON a.publisher_id = c.publisher_id \
             AND a.account = c.account WHERE c.publisher_id = ",
        )
        .bind(publisher.0);
        sql.push(" AND a.condition <> ").bind(RETIRED.as_str());
        sql.push(" AND ").among("c.action_id", ids);
        for row in tx.rows(sql).await? {
            kept.insert(row.try_get("", "action_id")?);
        }
    }
    let deletions = deletions.iter().filter(|gone| !kept.contains(&of(gone)));
    Ok(deletions.cloned().collect())
}

/// Forgets what was named under a name whose credentials are new: another account may stand behind it.
pub(in crate::store) async fn forget(
    tx: &WriteTx,
    publisher: PublisherId,
    account: &str,
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM account_actions WHERE publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND account = ").bind(account);
    tx.execute(sql).await.map(|_| ())
}

/// Gives `new` what `old` has named.
pub(super) async fn rename(
    tx: &WriteTx,
    publisher: PublisherId,
    (old, new): (&str, &str),
) -> Result<(), DbErr> {
    let mut sql = tx.sql();
    sql.push("INSERT INTO account_actions (publisher_id, action_id, account) SELECT c.publisher_id, c.action_id, ")
        .bind(new);
    sql.push(" FROM account_actions c WHERE c.publisher_id = ")
        .bind(publisher.0);
    sql.push(" AND c.account = ")
        .bind(old)
        .push(" ON CONFLICT (publisher_id, action_id, account) DO NOTHING");
    tx.execute(sql).await?;
    forget(tx, publisher, old).await
}
