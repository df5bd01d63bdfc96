//! What a place of an answer is in the schema: `Query.actions` for the path of whatever name it was asked under.

use async_graphql::PathSegment;
use async_graphql::parser::types as out;

use super::ast::base_name;
use super::schema::{Schema, TypeInfo};

/// The coordinate of the last field of a path, or of the argument that is to blame: of the innermost field of the path
/// that has it, since what a field is given can turn out to be too much further in. An argument can be a place inside one,
/// with dots between.
pub(super) fn of_path(
    schema: &Schema,
    written: &out::ExecutableDocument,
    path: &[PathSegment],
    argument: Option<&str>,
) -> Option<String> {
    let (_, operation) = written.operations.iter().next()?;
    let mut set = &operation.node.selection_set.node;
    let mut parent = schema.root(operation.node.ty)?;
    let argument = argument.map(|place| place.split('.').next().unwrap_or(place));
    let mut found = None;
    let mut blamed = None;
    for segment in path {
        let PathSegment::Field(key) = segment else {
            continue;
        };
        let (owner, field) = field_named(schema, set, parent, key)?;
        let name = field.name.node.as_str();
        found = Some(format!("{}.{name}", owner.name));
        set = &field.selection_set.node;
        let Some(info) = schema.field(owner, name) else {
            continue;
        };
        let has = |argument: &&str| info.arguments.iter().any(|known| known.name == *argument);
        if let Some(argument) = argument.filter(has) {
            blamed = Some(format!("{}.{name}({argument}:)", owner.name));
        }
        if let Some(ty) = schema.ty(base_name(&info.ty)) {
            parent = ty;
        }
    }
    blamed.or(found)
}

/// The field that answers under a name, and the type that it belongs to.
fn field_named<'a>(
    schema: &'a Schema,
    set: &'a out::SelectionSet,
    parent: &'a TypeInfo,
    key: &str,
) -> Option<(&'a TypeInfo, &'a out::Field)> {
    set.items.iter().find_map(|item| match &item.node {
        out::Selection::Field(field) => {
            (field.node.response_key().node == *key).then_some((parent, &field.node))
        }
        out::Selection::InlineFragment(inline) => {
            let on = inline.node.type_condition.as_ref();
            let ty = on
                .and_then(|on| schema.ty(&on.node.on.node))
                .unwrap_or(parent);
            field_named(schema, &inline.node.selection_set.node, ty, key)
        }
        out::Selection::FragmentSpread(_) => None,
    })
}

/// Whether `__schema` or `__type` stands at the root.
pub(super) fn introspects(written: &out::ExecutableDocument) -> bool {
    written
        .operations
        .iter()
        .any(|(_, operation)| asks(&operation.node.selection_set.node))
}

fn asks(set: &out::SelectionSet) -> bool {
    set.items.iter().any(|item| match &item.node {
        out::Selection::Field(field) => {
            matches!(field.node.name.node.as_str(), "__schema" | "__type")
        }
        out::Selection::InlineFragment(inline) => asks(&inline.node.selection_set.node),
        out::Selection::FragmentSpread(_) => false,
    })
}
