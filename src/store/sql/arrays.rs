//! Many rows as one array for each column: how a statement for PostgreSQL takes them, so that its text, and with it its
//! plan, is the same for any number of rows. Thousands of single values would be parsed, planned and numbered anew each
//! time.
//!
//! A column without `NULL` is bound as what it is. One that may hold `NULL` is bound as text in PostgreSQL's own notation,
//! because a bound array of the driver's cannot. Which of both depends on the column alone, never on its values: a prepared
//! statement keeps the types of its parameters.

use super::Sql;
use sea_orm::Value;
use sea_orm::sea_query::ArrayType;
use std::fmt::Write as _;

/// The values of one column.
#[derive(Debug)]
struct Array {
    /// PostgreSQL's name of the elements' type.
    kind: &'static str,
    elements: Elements,
}

#[derive(Debug)]
enum Elements {
    /// Values, none of which is `NULL`.
    Bound(ArrayType, Vec<Value>),
    /// In PostgreSQL's notation, without the closing bracket.
    Written(String),
}

/// Rows of one shape, column by column.
#[derive(Debug)]
pub(super) struct Arrays(Vec<Array>);

impl Arrays {
    /// The arrays of some rows; none where there is no row, a value of a type that no table of ours has, or `NULL` where
    /// `nullable` says that the column has none.
    pub(super) fn of<R: IntoIterator<Item = Value>>(
        nullable: &[bool],
        rows: impl IntoIterator<Item = R>,
    ) -> Option<Self> {
        let mut arrays: Vec<Array> = Vec::new();
        let mut is_first = true;
        for row in rows {
            for (place, value) in row.into_iter().enumerate() {
                if is_first {
                    let kind = kind_of(&value)?;
                    let elements = if nullable.get(place).copied().unwrap_or(true) {
                        Elements::Written(String::from("{"))
                    } else {
                        Elements::Bound(value.array_type(), Vec::new())
                    };
                    arrays.push(Array { kind, elements });
                }
                match &mut arrays.get_mut(place)?.elements {
                    Elements::Bound(of, values) => {
                        if value.array_type() != *of || !value.is_some() {
                            return None;
                        }
                        values.push(value);
                    }
                    Elements::Written(text) => {
                        if !is_first {
                            text.push(',');
                        }
                        write_element(&value, text)?;
                    }
                }
            }
            is_first = false;
        }
        (!arrays.is_empty()).then_some(Self(arrays))
    }

    /// Appends the rows as a table, such as `UNNEST($1::bigint[], $2::text[])`.
    pub(super) fn write(self, sql: &mut Sql) {
        for (place, Array { kind, elements }) in self.0.into_iter().enumerate() {
            sql.push(if place == 0 { "UNNEST(" } else { ", " });
            match elements {
                Elements::Bound(of, values) => sql.bind(Value::Array(of, Some(Box::new(values)))),
                Elements::Written(text) => sql.bind(text + "}"),
            };
            sql.push("::").push(kind).push("[]");
        }
        sql.push(")");
    }
}

fn kind_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::Bool(_) => Some("boolean"),
        Value::Int(_) => Some("integer"),
        Value::BigInt(_) => Some("bigint"),
        Value::String(_) => Some("text"),
        Value::Uuid(_) => Some("uuid"),
        _ => None,
    }
}

fn write_element(value: &Value, to: &mut String) -> Option<()> {
    // Writing into a text cannot fail.
    match value {
        Value::Bool(Some(flag)) => to.push(if *flag { 't' } else { 'f' }),
        Value::Int(Some(number)) => write!(to, "{number}").ok()?,
        Value::BigInt(Some(number)) => write!(to, "{number}").ok()?,
        Value::Uuid(Some(id)) => write!(to, "{id}").ok()?,
        Value::String(Some(text)) => {
            to.push('"');
            for part in text.split_inclusive(['"', '\\']) {
                match part
                    .chars()
                    .next_back()
                    .filter(|last| matches!(last, '"' | '\\'))
                {
                    Some(last) => {
                        to.push_str(&part[..part.len() - last.len_utf8()]);
                        to.push('\\');
                        to.push(last);
                    }
                    None => to.push_str(part),
                }
            }
            to.push('"');
        }
        Value::Bool(None)
        | Value::Int(None)
        | Value::BigInt(None)
        | Value::Uuid(None)
        | Value::String(None) => to.push_str("NULL"),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::DbBackend;
    use uuid::Uuid;

    #[test]
    fn rows_become_arrays_of_their_columns() {
        let rows = [
            vec![
                Value::from(7i64),
                Value::from(Some("a \"b\" \\ c, {d}")),
                Value::Uuid(None),
                Value::from(true),
            ],
            vec![
                Value::from(-8i64),
                Value::String(None),
                Value::from(Uuid::nil()),
                Value::from(false),
            ],
        ];
        let mut sql = Sql::new(DbBackend::Postgres);
        sql.push("SELECT * FROM ");
        Arrays::of(&[false, true, true, false], rows)
            .unwrap()
            .write(&mut sql);
        assert_eq!(
            sql.text(),
            "SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::uuid[], $4::boolean[])"
        );
        let bound = |of, values| Value::Array(of, Some(Box::new(values)));
        assert_eq!(
            sql.statement().values.unwrap().0,
            [
                bound(ArrayType::BigInt, vec![7i64.into(), (-8i64).into()]),
                r#"{"a \"b\" \\ c, {d}",NULL}"#.into(),
                format!("{{NULL,{}}}", Uuid::nil()).into(),
                bound(ArrayType::Bool, vec![true.into(), false.into()]),
            ]
        );
    }

    #[test]
    fn what_no_array_can_hold_is_told() {
        assert!(Arrays::of(&[false], Vec::<Vec<Value>>::new()).is_none());
        assert!(Arrays::of(&[false], [[Value::Double(Some(1.5))]]).is_none());
        assert!(Arrays::of(&[true], [[Value::Double(Some(1.5))]]).is_none());
        assert!(Arrays::of(&[false], [[Value::from(1i64)], [Value::BigInt(None)]]).is_none());
        assert!(Arrays::of(&[false], [[Value::from(1i64)], [Value::from(1i32)]]).is_none());
    }
}
