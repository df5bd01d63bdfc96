//! Bulk inserts and upserts of entities, chunked by the databases' limits on variables.

use super::Sql;
use crate::store::tx::WriteTx;
use sea_orm::{
    DbBackend, DbErr, EntityName as _, EntityTrait, IdenStatic as _, Iterable as _, ModelTrait,
    PrimaryKeyToColumn as _,
};

/// What to do with a row whose key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Conflict {
    /// Fail.
    Fail,
    /// Replace every column outside the key.
    Replace,
    /// Lower this column, if the new value is smaller.
    Lower(&'static str),
}

/// How many variables a statement may bind, with some room.
fn variables(backend: DbBackend) -> usize {
    if backend == DbBackend::Postgres {
        65_000
    } else {
        32_000
    }
}

/// Writes rows, in as few statements as the limits allow; gives the number of rows that were inserted or updated. No key
/// may be in `models` twice.
pub(in crate::store) async fn insert<M: ModelTrait>(
    tx: &WriteTx,
    models: &[M],
    conflict: Conflict,
) -> Result<u64, DbErr> {
    let columns: Vec<_> = <M::Entity as EntityTrait>::Column::iter().collect();
    // Statements of one size are prepared once; the rest of a batch has its own.
    let rows = (variables(tx.backend()) / columns.len()).clamp(1, 500);
    let mut written = 0;
    for chunk in models.chunks(rows) {
        let mut sql = tx.sql();
        write_insert(chunk, &columns, conflict, &mut sql);
        written += tx.execute(sql).await?;
    }
    Ok(written)
}

fn write_insert<M: ModelTrait>(
    models: &[M],
    columns: &[<M::Entity as EntityTrait>::Column],
    conflict: Conflict,
    sql: &mut Sql,
) {
    let names: Vec<&str> = columns.iter().map(|column| column.as_str()).collect();
    let table = <M::Entity as Default>::default();
    sql.push("INSERT INTO ")
        .push(table.table_name())
        .push(" (")
        .push(&names.join(", "))
        .push(") VALUES ");
    for (place, model) in models.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " });
        sql.bind_all(columns.iter().map(|column| model.get(*column)));
    }
    let keys: Vec<String> = <M::Entity as EntityTrait>::PrimaryKey::iter()
        .map(|key| key.into_column().as_str().to_owned())
        .collect();
    let target = format!(" ON CONFLICT ({}) DO ", keys.join(", "));
    match conflict {
        Conflict::Fail => {}
        Conflict::Replace => {
            let sets: Vec<String> = names
                .iter()
                .filter(|name| !keys.iter().any(|key| key == *name))
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            sql.push(&target).push("UPDATE SET ").push(&sets.join(", "));
        }
        Conflict::Lower(name) => {
            let table = table.table_name();
            sql.push(&target);
            sql.push(&format!(
                "UPDATE SET {name} = excluded.{name} WHERE excluded.{name} < {table}.{name}"
            ));
        }
    }
}
