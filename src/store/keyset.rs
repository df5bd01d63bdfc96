//! Keyset pages in SQL: an order with ties broken by id and missing values placed explicitly, and the rows behind a
//! cursor.

use super::sql::{Sql, bound};
use crate::domain::filter::Value;
use crate::domain::page::{Cursor, Direction, Nulls, PageRequest, SortKey};
use sea_orm::Value as Bound;
use std::fmt::Debug;

/// A list's order, printed: a cursor of one order is refused by another.
#[must_use]
pub fn printed_order<S: Debug>(list: &str, keys: &[SortKey<S>]) -> String {
    use std::fmt::Write as _;
    let mut text = list.to_owned();
    for key in keys {
        // Writing to a String cannot fail.
        let _ = write!(text, "|{:?} {:?} {:?}", key.field, key.direction, key.nulls);
    }
    text
}

/// One key of an order in SQL.
#[derive(Clone, Debug)]
pub(super) struct OrderBy {
    /// The column or expression.
    pub place: String,
    /// Whether it may be missing.
    pub nullable: bool,
    /// From the largest.
    pub descending: bool,
    /// Missing values before all others.
    pub nulls_first: bool,
}

impl OrderBy {
    /// A sort key over a column.
    pub(super) fn new<S>(key: &SortKey<S>, place: String, nullable: bool) -> Self {
        Self {
            place,
            nullable,
            descending: key.direction == Direction::Desc,
            nulls_first: key.nulls == Nulls::First,
        }
    }

    fn reversed(&self) -> Self {
        Self {
            descending: !self.descending,
            nulls_first: !self.nulls_first,
            ..self.clone()
        }
    }
}

/// A whole order: its keys, then the id in the direction of the first key, so that one index can serve both.
#[derive(Clone, Debug)]
pub(super) struct Order {
    keys: Vec<OrderBy>,
    id: String,
    id_descending: bool,
}

impl Order {
    /// The order by `keys`, ties broken by the column `id`.
    pub(super) fn new(keys: Vec<OrderBy>, id: &str) -> Self {
        let id_descending = keys.first().is_some_and(|key| key.descending);
        Self {
            keys,
            id: id.to_owned(),
            id_descending,
        }
    }

    /// The order by `keys`, ties broken by the smallest `id` first.
    pub(super) fn tied_ascending(keys: Vec<OrderBy>, id: &str) -> Self {
        Self {
            keys,
            id: id.to_owned(),
            id_descending: false,
        }
    }

    fn reversed(&self) -> Self {
        Self {
            keys: self.keys.iter().map(OrderBy::reversed).collect(),
            id: self.id.clone(),
            id_descending: !self.id_descending,
        }
    }

    /// The order in which a page is read: backward pages are read from the end.
    pub(super) fn reading(&self, page: &PageRequest) -> Self {
        if page.forward {
            self.clone()
        } else {
            self.reversed()
        }
    }

    /// Appends what stands behind `ORDER BY`.
    pub(super) fn write(&self, sql: &mut Sql) {
        for key in &self.keys {
            if key.nullable {
                let nulls = if key.nulls_first { "DESC" } else { "ASC" };
                sql.push(&format!("({} IS NULL) {nulls}, ", key.place));
            }
            sql.push(&format!("{} {}, ", key.place, direction(key.descending)));
        }
        sql.push(&format!("{} {}", self.id, direction(self.id_descending)));
    }

    /// Appends the conditions that a page's cursors lay on its rows, each led by ` AND `.
    pub(super) fn write_bounds(&self, page: &PageRequest, sql: &mut Sql) {
        if let Some(after) = &page.after {
            sql.push(" AND ");
            self.write_behind(after, sql);
        }
        if let Some(before) = &page.before {
            sql.push(" AND ");
            self.reversed().write_behind(before, sql);
        }
    }

    /// Appends the condition that a row stands behind the cursor's.
    fn write_behind(&self, cursor: &Cursor, sql: &mut Sql) {
        if let ([key], [value]) = (self.keys.as_slice(), cursor.values.as_slice())
            && !key.nullable
            && key.descending == self.id_descending
        {
            // One comparison of two columns, which an index on both serves.
            sql.push(&format!(
                "({}, {}) {} (",
                key.place,
                self.id,
                if key.descending { "<" } else { ">" }
            ));
            sql.bind(bound(value)).push(", ").bind(cursor.id).push(")");
            return;
        }
        sql.push("(");
        for (place, key) in self.keys.iter().enumerate() {
            self.write_equal(cursor, place, sql);
            write_key_behind(key, value_at(cursor, place), sql);
            sql.push(" OR ");
        }
        self.write_equal(cursor, self.keys.len(), sql);
        sql.push(&format!(
            "{} {} ",
            self.id,
            if self.id_descending { "<" } else { ">" }
        ));
        sql.bind(cursor.id).push(")");
    }

    /// Appends that the first `count` keys equal the cursor's, each followed by ` AND `.
    fn write_equal(&self, cursor: &Cursor, count: usize, sql: &mut Sql) {
        for (place, key) in self.keys.iter().take(count).enumerate() {
            match value_at(cursor, place) {
                Value::Null => sql.push(&format!("{} IS NULL AND ", key.place)),
                value => sql
                    .push(&format!("{} = ", key.place))
                    .bind(bound(value))
                    .push(" AND "),
            };
        }
    }
}

fn direction(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}

fn value_at(cursor: &Cursor, place: usize) -> &Value {
    cursor.values.get(place).unwrap_or(&Value::Null)
}

fn write_key_behind(key: &OrderBy, value: &Value, sql: &mut Sql) {
    match value {
        Value::Null if key.nulls_first => {
            sql.push(&format!("{} IS NOT NULL", key.place));
        }
        Value::Null => {
            sql.push("FALSE");
        }
        value => {
            let sign = if key.descending { "<" } else { ">" };
            sql.push(&format!("({} {sign} ", key.place))
                .bind(bound(value));
            if key.nullable && !key.nulls_first {
                sql.push(&format!(" OR {} IS NULL", key.place));
            }
            sql.push(")");
        }
    }
}

/// One more than a page holds, to learn whether more follow.
pub(super) fn limit(page: &PageRequest) -> Bound {
    Bound::BigInt(Some(i64::from(page.size) + 1))
}
