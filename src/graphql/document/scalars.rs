//! Values of the schema's own scalars, judged before anything runs: what such a scalar takes is known to whoever made it, and
//! given to this stage as a table.

use std::collections::HashMap;

use async_graphql::parser::types as out;
use async_graphql::{Name, Pos, Value as ConstValue};
use async_graphql_value::Value;

use super::DocumentLimits;
use super::ast::base_name;
use super::error::{BAD_USER_INPUT, Errors, RequestError};
use super::schema::{InputValue, Schema, TypeForm, TypeInfo};

/// Says what is wrong with a value of a scalar.
pub type Judge = fn(ConstValue) -> Result<(), String>;

/// What scalars take, by their names; those without a judge take every value that is no list and no object.
pub type Judges = HashMap<String, Judge>;

/// Judges the arguments of a written operation, where variables stand with their values: the executor would find what is wrong
/// only when it comes to it, and a mutation before may have been committed by then.
///
/// # Errors
/// `BAD_USER_INPUT` for each value that its scalar does not take, at most [`DocumentLimits::errors`], with the argument's
/// coordinate.
pub(super) fn check(
    schema: &Schema,
    judges: &Judges,
    written: &out::ExecutableDocument,
    limits: &DocumentLimits,
) -> Result<(), Vec<RequestError>> {
    let mut check = Check {
        schema,
        judges,
        errors: Errors::new(limits.errors),
    };
    for (_, operation) in written.operations.iter() {
        if let Some(root) = schema.root(operation.node.ty) {
            check.set(&operation.node.selection_set.node, root);
        }
    }
    check.errors.into_result()
}

struct Check<'a> {
    schema: &'a Schema,
    judges: &'a Judges,
    errors: Errors,
}

/// The argument that a value stands in.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: &'a Name,
    field: &'a Name,
    argument: &'a Name,
    pos: Pos,
}

impl Check<'_> {
    fn set(&mut self, set: &out::SelectionSet, parent: &TypeInfo) {
        for item in &set.items {
            match &item.node {
                out::Selection::Field(field) => self.field(&field.node, parent),
                out::Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let ty = on.and_then(|on| self.schema.ty(&on.node.on.node));
                    self.set(&inline.node.selection_set.node, ty.unwrap_or(parent));
                }
                out::Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn field(&mut self, field: &out::Field, parent: &TypeInfo) {
        let schema = self.schema;
        let Some(info) = schema.field(parent, &field.name.node) else {
            return;
        };
        for (name, value) in &field.arguments {
            let mut known = info.arguments.iter();
            if let Some(argument) = known.find(|known| known.name == name.node) {
                let place = Place {
                    parent: &parent.name,
                    field: &field.name.node,
                    argument: &name.node,
                    pos: value.pos,
                };
                self.value(&value.node, argument, place);
            }
        }
        if let Some(ty) = schema.ty(base_name(&info.ty)) {
            self.set(&field.selection_set.node, ty);
        }
    }

    /// A value of an argument or an input's field; every list in it is one of such values, however deep.
    fn value(&mut self, value: &Value, given: &InputValue, place: Place<'_>) {
        if self.errors.is_full() {
            return;
        }
        if let Value::List(items) = value {
            for item in items {
                self.value(item, given, place);
            }
            return;
        }
        let schema = self.schema;
        let name = base_name(&given.ty);
        match (schema.ty(name).map(|ty| &ty.kind), value) {
            (Some(TypeForm::Input(info)), Value::Object(fields)) => {
                for (name, value) in fields {
                    if let Some(field) = info.field(name) {
                        self.value(value, field, place);
                    }
                }
            }
            // Whether nothing may stand here was settled before.
            (Some(TypeForm::Custom), Value::Null) => {}
            (Some(TypeForm::Custom), _) => {
                if let (Some(judge), Some(value)) =
                    (self.judges.get(name.as_str()), value.clone().into_const())
                    && let Err(message) = judge(value)
                {
                    self.refuse(message, place);
                }
            }
            _ => {}
        }
    }

    fn refuse(&mut self, message: String, place: Place<'_>) {
        let Place {
            parent,
            field,
            argument,
            pos,
        } = place;
        let coordinate = format!("{parent}.{field}({argument}:)");
        let error = RequestError::at(BAD_USER_INPUT, pos, message);
        self.errors.push(error.in_argument(coordinate));
    }
}
