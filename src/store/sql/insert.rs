//! Bulk inserts and upserts of entities, chunked by the databases' limits on variables.

use super::Sql;
use super::arrays::Arrays;
use crate::store::tx::WriteTx;
use sea_orm::{
    ColumnTrait as _, DbBackend, DbErr, EntityName as _, EntityTrait, IdenStatic, Iterable as _,
    ModelTrait, PrimaryKeyToColumn as _,
};

/// What to do with a row whose key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Conflict {
    /// Fail.
    Fail,
    /// Leave the row as it is.
    Keep,
    /// Replace every column outside the key.
    Replace,
    /// Replace this column only.
    Set(&'static str),
    /// Lower this column, if the new value is smaller.
    Lower(&'static str),
    /// Add to these columns; lower the other one, if the new value is smaller.
    Add(&'static [&'static str], Option<&'static str>),
}

/// How many variables a statement for SQLite may bind, with some room.
const VARIABLES: usize = 32_000;
/// How many rows a statement for SQLite writes at most: one is made while another runs.
const ROWS: usize = 128;
/// Up to so many rows an SQLite statement takes any number of them, beyond it powers of two: to prepare a statement takes
/// longer than to run it, so there are few sizes, which are prepared once each.
const ANY_NUMBER: usize = 8;
/// How many rows a statement for PostgreSQL writes at most, whose text is the same for any number.
const ROWS_OF_ARRAYS: usize = 500;

/// Writes rows in chunks; gives the number of rows that were inserted or updated. No key may be in `models` twice.
pub(in crate::store) async fn insert<M: ModelTrait>(
    tx: &WriteTx,
    models: &[M],
    conflict: Conflict,
) -> Result<u64, DbErr> {
    let columns: Vec<_> = <M::Entity as EntityTrait>::Column::iter().collect();
    let mut chunks = chunks(models, tx.backend(), columns.len()).map(|chunk| {
        let mut sql = tx.sql();
        write_insert(chunk, &columns, conflict, &mut sql);
        sql
    });
    let mut written = 0;
    let mut ready = chunks.next();
    while let Some(sql) = ready {
        // The next statement is made while the database works on this one.
        let (count, next) = futures::join!(tx.execute(sql), async { chunks.next() });
        written += count?;
        ready = next;
    }
    Ok(written)
}

/// Rows with so many columns each, divided into those that one statement takes.
fn chunks<M>(mut rows: &[M], backend: DbBackend, columns: usize) -> impl Iterator<Item = &[M]> {
    let most = if backend == DbBackend::Postgres {
        ROWS_OF_ARRAYS
    } else {
        (VARIABLES / columns.max(1)).clamp(1, ROWS)
    };
    std::iter::from_fn(move || {
        let mut count = rows.len().min(most);
        if backend != DbBackend::Postgres && count > ANY_NUMBER {
            count = 1 << count.ilog2();
        }
        let (chunk, rest) = rows.split_at_checked(count).filter(|_| count > 0)?;
        rows = rest;
        Some(chunk)
    })
}

fn write_insert<M: ModelTrait>(
    models: &[M],
    columns: &[<M::Entity as EntityTrait>::Column],
    conflict: Conflict,
    sql: &mut Sql,
) {
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    let table = <M::Entity as Default>::default();
    sql.push("INSERT INTO ")
        .push(table.table_name())
        .push(" (")
        .push(&names.join(", "))
        .push(") ");
    write_rows(models, columns, sql);
    let keys = keys::<M>();
    let target = format!(" ON CONFLICT ({}) DO ", keys.join(", "));
    match conflict {
        Conflict::Fail => {}
        Conflict::Keep => {
            sql.push(&target).push("NOTHING");
        }
        Conflict::Replace => {
            let sets: Vec<String> = names
                .iter()
                .filter(|name| !keys.iter().any(|key| key == *name))
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            sql.push(&target).push("UPDATE SET ").push(&sets.join(", "));
        }
        Conflict::Set(name) => {
            sql.push(&target)
                .push(&format!("UPDATE SET {name} = excluded.{name}"));
        }
        Conflict::Lower(name) => {
            let table = table.table_name();
            sql.push(&target);
            sql.push(&format!(
                "UPDATE SET {name} = excluded.{name} WHERE excluded.{name} < {table}.{name}"
            ));
        }
        Conflict::Add(sums, least) => {
            let table = table.table_name();
            let mut sets: Vec<String> = sums.iter().map(|name| added(table, name)).collect();
            sets.extend(least.map(|name| {
                format!(
                    "{name} = CASE WHEN excluded.{name} < {table}.{name} THEN excluded.{name} ELSE {table}.{name} END"
                )
            }));
            sql.push(&target).push("UPDATE SET ").push(&sets.join(", "));
        }
    }
}

/// Appends rows: as arrays where the database has them.
fn write_rows<M: ModelTrait>(
    models: &[M],
    columns: &[<M::Entity as EntityTrait>::Column],
    sql: &mut Sql,
) {
    if let Some(arrays) = arrays(sql.backend(), models.iter(), columns) {
        sql.push("SELECT * FROM ");
        arrays.write(sql);
        return;
    }
    sql.push("VALUES ");
    for (place, model) in models.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " });
        sql.bind_all(columns.iter().map(|column| model.get(*column)));
    }
}

/// These columns of models as arrays, where the database has them.
fn arrays<'a, M: ModelTrait + 'a>(
    backend: DbBackend,
    models: impl Iterator<Item = &'a M>,
    columns: &[<M::Entity as EntityTrait>::Column],
) -> Option<Arrays> {
    if backend != DbBackend::Postgres {
        return None;
    }
    let nullable: Vec<bool> = columns
        .iter()
        .map(|column| column.def().is_null())
        .collect();
    let rows = models.map(|model| columns.iter().map(|column| model.get(*column)));
    Arrays::of(&nullable, rows)
}

/// The assignment that adds the arriving value of a column to the one that is there.
pub(in crate::store) fn added(table: &str, column: &str) -> String {
    format!("{column} = {table}.{column} + excluded.{column}")
}

/// The columns of a table's key, in its order.
fn keys<M: ModelTrait>() -> Vec<String> {
    <M::Entity as EntityTrait>::PrimaryKey::iter()
        .map(|key| key.into_column().as_str().to_owned())
        .collect()
}

/// Removes the rows with the keys of `models` whose columns `sums` are all 0.
pub(in crate::store) async fn delete_empty<M: ModelTrait>(
    tx: &WriteTx,
    models: &[M],
    sums: &[&str],
) -> Result<u64, DbErr> {
    let mut deleted = 0;
    for chunk in chunks(models, tx.backend(), 1) {
        let all: Vec<&M> = chunk.iter().collect();
        let mut sql = tx.sql();
        if write_delete_joined(&all, sums, &mut sql) {
            deleted += tx.execute(sql).await?;
            continue;
        }
        // Most rows are not empty, so they are looked up first: where a list leads a join, SQLite follows the key.
        let mut sql = tx.sql();
        write_empty(chunk, sums, &mut sql);
        let mut empty: Vec<&M> = Vec::new();
        for row in tx.rows(sql).await? {
            let place: i64 = row.try_get("", "place")?;
            empty.extend(
                usize::try_from(place)
                    .ok()
                    .and_then(|place| chunk.get(place)),
            );
        }
        for chunk in chunks(&empty, tx.backend(), 1) {
            let mut sql = tx.sql();
            write_delete(chunk, &mut sql);
            deleted += tx.execute(sql).await?;
        }
    }
    Ok(deleted)
}

/// Removes the rows with the keys of `models`.
pub(in crate::store) async fn delete<M: ModelTrait>(
    tx: &WriteTx,
    models: &[&M],
) -> Result<u64, DbErr> {
    let mut deleted = 0;
    for chunk in chunks(models, tx.backend(), 1) {
        let mut sql = tx.sql();
        if !write_delete_joined(chunk, &[], &mut sql) {
            sql = tx.sql();
            write_delete(chunk, &mut sql);
        }
        deleted += tx.execute(sql).await?;
    }
    Ok(deleted)
}

/// Appends the statement that deletes the rows with the keys of models whose columns `sums` are all 0, by arrays of the
/// keys; tells whether the database has them.
fn write_delete_joined<M: ModelTrait>(models: &[&M], sums: &[&str], sql: &mut Sql) -> bool {
    let columns = key_columns::<M>();
    let Some(arrays) = arrays(sql.backend(), models.iter().copied(), &columns) else {
        return false;
    };
    let table = <M::Entity as Default>::default();
    sql.push(&format!("DELETE FROM {} t USING ", table.table_name()));
    arrays.write(sql);
    let keys = keys::<M>();
    sql.push(&format!(" v ({}) WHERE ", keys.join(", ")));
    let pairs = keys.iter().map(|key| format!("t.{key} = v.{key}"));
    let empty = sums.iter().map(|name| format!("t.{name} = 0"));
    sql.push(&pairs.chain(empty).collect::<Vec<_>>().join(" AND "));
    true
}

/// Appends a query for the `place` of each model whose row is empty.
fn write_empty<M: ModelTrait>(models: &[M], sums: &[&str], sql: &mut Sql) {
    let columns = key_columns::<M>();
    sql.push("SELECT v.column1 AS place FROM (VALUES ");
    for (place, model) in (0i64..).zip(models) {
        sql.push(if place == 0 { "(" } else { ", (" }).bind(place);
        for column in &columns {
            sql.push(", ").bind(model.get(*column));
        }
        sql.push(")");
    }
    sql.push(&format!(
        ") v CROSS JOIN {} t WHERE ",
        <M::Entity as Default>::default().table_name()
    ));
    for (place, key) in (2..).zip(keys::<M>()) {
        sql.push(&format!("t.{key} = v.column{place} AND "));
    }
    let empty: Vec<String> = sums.iter().map(|name| format!("t.{name} = 0")).collect();
    sql.push(&empty.join(" AND "));
}

/// Appends the statement that deletes the rows with the keys of models: as alternatives, because SQLite would walk the
/// whole table for a list of keys.
fn write_delete<M: ModelTrait>(models: &[&M], sql: &mut Sql) {
    let columns = key_columns::<M>();
    sql.push("DELETE FROM ")
        .push(<M::Entity as Default>::default().table_name())
        .push(" WHERE ");
    for (place, model) in models.iter().enumerate() {
        sql.push(if place == 0 { "(" } else { " OR (" });
        for (place, (key, column)) in keys::<M>().iter().zip(&columns).enumerate() {
            sql.push(if place == 0 { "" } else { " AND " });
            sql.push(key).push(" = ").bind(model.get(*column));
        }
        sql.push(")");
    }
}

/// The columns of a table's key, in its order.
fn key_columns<M: ModelTrait>() -> Vec<<M::Entity as EntityTrait>::Column> {
    <M::Entity as EntityTrait>::PrimaryKey::iter()
        .map(sea_orm::PrimaryKeyToColumn::into_column)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_of_few_sizes_and_lose_nothing() {
        let rows: Vec<u32> = (0..1_000).collect();
        for count in 0..rows.len() {
            for (backend, sizes) in [
                (
                    DbBackend::Sqlite,
                    &[1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128][..],
                ),
                (DbBackend::Postgres, &[][..]),
            ] {
                let parts: Vec<&[u32]> = chunks(&rows[..count], backend, 45).collect();
                assert_eq!(parts.concat(), rows[..count]);
                assert!(
                    sizes.is_empty() || parts.iter().all(|part| sizes.contains(&part.len())),
                    "{count}"
                );
                assert!(parts.len() <= 7 + count / ROWS, "{count}: {}", parts.len());
            }
        }
    }
}
