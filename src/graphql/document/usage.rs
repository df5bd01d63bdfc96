//! How an operation's variables are used, through all its fragments: defined, used, and of a type that fits each place.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{BaseType, Type};

use super::ast::{Operation, Value, VariableDefinition, base_name};
use super::check::{Usage, Uses};
use super::error::{Errors, shown};
use super::schema::Schema;

/// The fragments that a definition reaches, itself or through others.
pub(super) fn reachable<'d>(
    own: &Uses<'d>,
    by_fragment: &HashMap<&'d str, Uses<'d>>,
) -> HashSet<&'d str> {
    let mut reached = HashSet::new();
    let mut waiting: Vec<&'d str> = own.fragments.clone();
    while let Some(name) = waiting.pop() {
        if reached.insert(name)
            && let Some(uses) = by_fragment.get(name)
        {
            waiting.extend(uses.fragments.iter().copied());
        }
    }
    reached
}

/// Checks all uses of an operation's variables.
pub(super) fn check<'a, 'd: 'a>(
    schema: &Schema,
    operation: &'d Operation,
    uses: impl Iterator<Item = &'a Uses<'d>>,
    errors: &mut Errors,
) {
    let mut used = HashSet::new();
    for usage in uses.flat_map(|uses| &uses.variables) {
        let definition = operation
            .variables
            .iter()
            .rfind(|variable| variable.name.node == *usage.name);
        match definition {
            Some(definition) => {
                used.insert(usage.name);
                fits(schema, definition, usage, errors);
            }
            None => errors.invalid(
                usage.pos,
                format!("The variable \"${}\" is not defined.", shown(usage.name)),
            ),
        }
    }
    for variable in &operation.variables {
        if !used.contains(&variable.name.node) {
            errors.invalid(
                variable.name.pos,
                format!(
                    "The variable \"${}\" is never used.",
                    shown(&variable.name.node)
                ),
            );
        }
    }
}

fn fits(schema: &Schema, definition: &VariableDefinition, usage: &Usage<'_>, errors: &mut Errors) {
    let ty = &definition.ty.node;
    // A type that does not exist is reported where it is written.
    let Some(wanted) = &usage.ty else { return };
    if schema.ty(base_name(ty)).is_none() {
        return;
    }
    let name = shown(usage.name);
    let default = definition.default.as_ref();
    let filled =
        usage.has_default || default.is_some_and(|node| !matches!(node.value, Value::Null));
    if !assignable(ty, wanted, filled) {
        errors.invalid(
            usage.pos,
            format!(
                "The variable \"${name}\" of type \"{}\" cannot be used where \"{}\" is expected.",
                shown(&ty.to_string()),
                shown(&wanted.to_string())
            ),
        );
    }
    if let Some(one_of) = usage.one_of
        && ty.nullable
    {
        errors.invalid(
            usage.pos,
            format!(
                "The variable \"${name}\" must be non-null (\"!\") to be used in \"{one_of}\"."
            ),
        );
    }
}

/// Whether a variable of type `have` may stand where `want` is expected. With a default a nullable one may stand for non-null.
fn assignable(have: &Type, want: &Type, filled: bool) -> bool {
    if !want.nullable && have.nullable && !filled {
        return false;
    }
    match (&have.base, &want.base) {
        (BaseType::Named(have), BaseType::Named(want)) => have == want,
        (BaseType::List(have), BaseType::List(want)) => assignable(have, want, false),
        _ => false,
    }
}
