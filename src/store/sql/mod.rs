//! SQL as text with bound values, made without a connection.
//!
//! One text serves SQLite, PostgreSQL and Citus; only the placeholders differ. Values are always bound, never written
//! into the text.

mod arrays;
pub(super) mod cells;
pub(super) mod filter;
pub(super) mod insert;
pub(super) mod report;
pub(super) mod segment;
mod segments_alone;
pub(super) mod statuses;

use crate::domain::filter::Value as DomainValue;
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// A statement under construction.
#[derive(Clone, Debug)]
pub struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
    /// How many ids stand in lists that are bound as one value.
    listed: usize,
}

impl Sql {
    /// An empty statement for a database.
    #[must_use]
    pub fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            text: String::new(),
            values: Vec::new(),
            listed: 0,
        }
    }

    /// Appends fixed text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder and binds a value to it.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        if self.backend == DbBackend::Postgres {
            self.text.push('$');
            self.text.push_str(&self.values.len().to_string());
        } else {
            // SQLite looks numbered placeholders up one by one, which a bulk insert would feel.
            self.text.push('?');
        }
        self
    }

    /// Appends placeholders in brackets, `(NULL)` for none, which matches nothing.
    pub fn bind_all<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.push("(");
        let mut first = true;
        for value in values {
            if !first {
                self.push(", ");
            }
            first = false;
            self.bind(value);
        }
        if first {
            self.push("NULL");
        }
        self.push(")")
    }

    /// Appends the test whether a column holds one of these ids. On PostgreSQL its text, and so its plan, is the same
    /// for any number of them; on SQLite the last one is repeated, so that there are few sizes, which are prepared once
    /// each.
    pub fn among(&mut self, column: &str, ids: &[Uuid]) -> &mut Self {
        self.push(column);
        if self.backend == DbBackend::Postgres {
            let ids = ids.iter().map(|id| Value::from(*id)).collect();
            let ids = Value::Array(ArrayType::Uuid, Some(Box::new(ids)));
            return self.push(" = ANY(").bind(ids).push(")");
        }
        let wanted = ids.len().next_power_of_two();
        let more = ids.last().into_iter().cycle().take(wanted - ids.len());
        self.push(" IN ").bind_all(ids.iter().chain(more).copied())
    }

    /// Appends the test whether a column holds one of these numbers: on PostgreSQL bound as one value, so that the text is
    /// the same, and quickly read, for thousands of them.
    pub fn among_numbers(&mut self, column: &str, numbers: impl Iterator<Item = i64>) -> &mut Self {
        self.push(column);
        if self.backend == DbBackend::Postgres {
            let numbers = numbers.map(Value::from).collect();
            let numbers = Value::Array(ArrayType::BigInt, Some(Box::new(numbers)));
            return self.push(" = ANY(").bind(numbers).push(")");
        }
        self.push(" IN ").bind_all(numbers)
    }

    /// Appends a query for these ids, in the column `id`, which are bound as one value, however many they are.
    pub fn listed(&mut self, ids: &[Uuid]) -> &mut Self {
        self.listed += ids.len();
        if self.backend == DbBackend::Postgres {
            let ids = ids.iter().map(|id| Value::from(*id)).collect();
            let ids = Value::Array(ArrayType::Uuid, Some(Box::new(ids)));
            return self.push("SELECT UNNEST(").bind(ids).push(") AS id");
        }
        let mut list = String::with_capacity(2 + 35 * ids.len());
        for id in ids {
            list.push(if list.is_empty() { '[' } else { ',' });
            list.push('"');
            let mut buffer = Uuid::encode_buffer();
            list.push_str(id.simple().encode_lower(&mut buffer));
            list.push('"');
        }
        list.push_str(if ids.is_empty() { "[]" } else { "]" });
        self.push("SELECT unhex(j.value) AS id FROM json_each(")
            .bind(list)
            .push(") j")
    }

    /// Appends another statement with its values.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        if self.backend == DbBackend::Postgres && !other.values.is_empty() {
            // Numbered placeholders move behind those that are here already.
            let offset = self.values.len();
            let mut rest = other.text.as_str();
            while let Some(place) = rest.find('$') {
                let (head, tail) = rest.split_at(place + 1);
                let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
                let (number, tail) = tail.split_at(digits);
                self.text.push_str(head);
                match number.parse::<usize>() {
                    Ok(number) => self.text.push_str(&(number + offset).to_string()),
                    Err(_) => self.text.push_str(number),
                }
                rest = tail;
            }
            self.text.push_str(rest);
        } else {
            self.text.push_str(&other.text);
        }
        self.values.extend(other.values.iter().cloned());
        self.listed += other.listed;
        self
    }

    /// The same values with another text that has the same placeholders.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        Self {
            backend: self.backend,
            text: text.to_owned(),
            values: self.values.clone(),
            listed: self.listed,
        }
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its values: the same for the same statement alone.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{} {:?}", self.text, self.values)
    }

    /// How many values are bound so far.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.values.len()
    }

    /// How many ids stand in lists that are bound as one value each.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.listed
    }

    /// The database it is for.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// An empty statement for the same database.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.backend)
    }

    /// The finished statement.
    #[must_use]
    pub fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// A domain value as one that can be bound. A missing value is bound as a missing text.
#[must_use]
pub fn bound(value: &DomainValue) -> Value {
    match value {
        DomainValue::Null => Value::String(None),
        DomainValue::Flag(flag) => Value::Bool(Some(*flag)),
        DomainValue::Int(number) => Value::BigInt(Some(*number)),
        DomainValue::Text(text) => Value::String(Some(text.clone())),
        DomainValue::Id(id) => Value::Uuid(Some(*id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_placeholders_are_numbered_on() {
        let mut inner = Sql::new(DbBackend::Postgres);
        inner
            .push("x = ")
            .bind(1i64)
            .push(" AND y IN ")
            .bind_all([2i64, 3]);
        let mut outer = Sql::new(DbBackend::Postgres);
        outer
            .push("a = ")
            .bind(9i64)
            .push(" AND ")
            .append(&inner)
            .push(" AND b = ")
            .bind(4i64);
        assert_eq!(
            outer.text(),
            "a = $1 AND x = $2 AND y IN ($3, $4) AND b = $5"
        );
        let mut none = Sql::new(DbBackend::Sqlite);
        none.push("y IN ").bind_all(Vec::<i64>::new());
        assert_eq!(none.text(), "y IN (NULL)");
    }
}
