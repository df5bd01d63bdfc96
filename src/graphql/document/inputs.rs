//! How many objects arguments hold: each becomes thousands of bytes where it is read.

use async_graphql::Positioned;
use async_graphql::parser::types as out;
use async_graphql_value::Value;

use super::error::RequestError;
use super::schema::TypeInfo;

/// The refusal of a field one of whose arguments holds more than so many.
pub(super) fn too_many(
    placed: &Positioned<out::Field>,
    parent: &TypeInfo,
    most: u64,
) -> Option<RequestError> {
    let field = &placed.node;
    let mut counted = field
        .arguments
        .iter()
        .map(|(name, value)| (name, objects(&value.node)));
    let (name, count) = counted.find(|(_, count)| *count > most)?;
    let coordinate = format!("{}.{}({}:)", parent.name, field.name.node, name.node);
    let message = format!(
        "{coordinate} holds {count} objects, the limit is {most}: leave some out, or name several values in one list."
    );
    let figures = (most, count);
    let error = RequestError::beyond(
        placed.pos,
        message,
        "inputObjects",
        figures,
        Some(coordinate),
    );
    Some(error)
}

/// Input objects in a value, itself included.
fn objects(value: &Value) -> u64 {
    match value {
        Value::List(items) => items.iter().map(objects).sum(),
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<u64>(),
        _ => 0,
    }
}
