//! Many rows as one array for each column: how a statement for PostgreSQL takes them, so that its text, and with it its
//! plan, is the same for any number of rows. Thousands of single values would be parsed, planned and numbered anew each
//! time.
//!
//! The arrays are bound as text in PostgreSQL's own notation: a bound array of the driver's cannot hold `NULL`.

use super::Sql;
use sea_orm::Value;
use std::fmt::Write as _;

/// The values of one column.
#[derive(Debug)]
struct Array {
    /// PostgreSQL's name of the elements' type.
    kind: &'static str,
    /// The elements in PostgreSQL's notation, without the closing bracket.
    text: String,
}

/// Rows of one shape, column by column.
#[derive(Debug)]
pub(super) struct Arrays(Vec<Array>);

impl Arrays {
    /// The arrays of some rows; none where there is no row, or a value of a type that no table of ours has.
    pub(super) fn of<R: IntoIterator<Item = Value>>(
        rows: impl IntoIterator<Item = R>,
    ) -> Option<Self> {
        let mut arrays: Vec<Array> = Vec::new();
        let mut is_first = true;
        for row in rows {
            for (place, value) in row.into_iter().enumerate() {
                if is_first {
                    arrays.push(Array {
                        kind: kind_of(&value)?,
                        text: String::from("{"),
                    });
                } else {
                    arrays.get_mut(place)?.text.push(',');
                }
                write_element(&value, &mut arrays.get_mut(place)?.text)?;
            }
            is_first = false;
        }
        (!arrays.is_empty()).then_some(Self(arrays))
    }

    /// Appends the rows as a table, such as `UNNEST($1::bigint[], $2::text[])`.
    pub(super) fn write(self, sql: &mut Sql) {
        for (place, Array { kind, mut text }) in self.0.into_iter().enumerate() {
            text.push('}');
            sql.push(if place == 0 { "UNNEST(" } else { ", " })
                .bind(text)
                .push("::")
                .push(kind)
                .push("[]");
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
        Arrays::of(rows).unwrap().write(&mut sql);
        assert_eq!(
            sql.text(),
            "SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::uuid[], $4::boolean[])"
        );
        let bound: Vec<String> = sql
            .statement()
            .values
            .unwrap()
            .into_iter()
            .map(Value::unwrap)
            .collect();
        let nil = Uuid::nil();
        assert_eq!(
            bound,
            [
                "{7,-8}".to_owned(),
                r#"{"a \"b\" \\ c, {d}",NULL}"#.to_owned(),
                format!("{{NULL,{nil}}}"),
                "{t,f}".to_owned()
            ]
        );
        assert!(Arrays::of(Vec::<Vec<Value>>::new()).is_none());
        assert!(Arrays::of([[Value::Double(Some(1.5))]]).is_none());
    }
}
