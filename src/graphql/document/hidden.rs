//! Fields that a key may not see, found in the document before anything runs: what is selected, what is filtered, ordered
//! and grouped by, and what variables say. What hides behind a name is decided here by names, so that a new field that
//! is called as the others are is hidden as they are; behind that stand the walls of the store, which have no values.

use std::collections::HashSet;

use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Pos, Value as ConstValue};

use super::ast::base_name;
use super::ast::{Argument, Document, Field, Node, Operation, Selection, SelectionSet, Value};
use super::error::{FORBIDDEN, RequestError};
use super::schema::{InputValue, Schema, TypeForm, TypeInfo};
use super::variables::Values;

/// What is kept from a viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hides {
    /// Rewards, rates, and what is computed from them.
    pub reward: bool,
    /// SubIDs, and the values that users are known by.
    pub user_keys: bool,
}

impl Hides {
    /// Whether a field, an input field or an enum value of a type is kept from the viewer.
    #[must_use]
    pub fn hides(self, owner: &str, name: &str) -> bool {
        // What a key is limited to is no secret to its holder.
        !owner.starts_with("Key")
            && (self.reward && is_of_reward(owner, name)
                || self.user_keys && is_of_user_keys(owner, name))
    }
}

/// Whether a name stands for a reward, or for what a reward could be computed from.
fn is_of_reward(owner: &str, name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('_', "");
    lower.contains("reward")
        || lower.contains("commission")
        || matches!(
            lower.as_str(),
            "ecpc" | "epc" | "ecpm" | "effectiverate" | "earnings" | "balances"
        )
        || owner == "ActionItem" && matches!(name, "rate" | "rateId" | "isPercentage")
}

/// Whether a name stands for what a user is known by.
fn is_of_user_keys(owner: &str, name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("subid")
        || matches!(
            (owner, name),
            ("User" | "UserFilter", "value")
                | ("UserOrderField", "VALUE")
                | ("UserList", "values" | "csv")
        )
}

/// Checks that an operation asks for nothing that is hidden.
///
/// # Errors
/// `FORBIDDEN` at the first place that does.
pub(super) fn check(
    schema: &Schema,
    document: &Document,
    (operation, values): (&Operation, &Values),
    hides: Hides,
) -> Result<(), RequestError> {
    let mut search = Search {
        schema,
        document,
        values,
        hides,
        seen: HashSet::new(),
    };
    search.set(&operation.selection, schema.root(operation.kind))
}

struct Search<'d> {
    schema: &'d Schema,
    document: &'d Document,
    values: &'d Values,
    hides: Hides,
    seen: HashSet<&'d str>,
}

impl<'d> Search<'d> {
    fn set(
        &mut self,
        set: &'d SelectionSet,
        parent: Option<&'d TypeInfo>,
    ) -> Result<(), RequestError> {
        for item in &set.items {
            match item {
                Selection::Field(field) => self.field(field, parent)?,
                Selection::Inline(inline) => {
                    let on = inline.on.as_ref().and_then(|on| self.schema.ty(&on.node));
                    self.set(&inline.selection, on.or(parent))?;
                }
                Selection::Spread(spread) => {
                    let name = spread.name.node.as_str();
                    let mut fragments = self.document.fragments.iter();
                    let found = fragments.find(|fragment| fragment.name.node == spread.name.node);
                    if let Some(fragment) = found.filter(|_| self.seen.insert(name)) {
                        self.set(&fragment.selection, self.schema.ty(&fragment.on.node))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'d Field,
        parent: Option<&'d TypeInfo>,
    ) -> Result<(), RequestError> {
        let Some(parent) = parent else { return Ok(()) };
        let name = &field.name.node;
        self.name(&parent.name, name, field.name.pos)?;
        let Some(info) = self.schema.field(parent, name) else {
            return Ok(());
        };
        self.arguments(&field.arguments, &info.arguments, name)?;
        match &field.selection {
            Some(selection) => self.set(selection, self.schema.ty(base_name(&info.ty))),
            None => Ok(()),
        }
    }

    fn arguments(
        &self,
        given: &[Argument],
        known: &[InputValue],
        owner: &str,
    ) -> Result<(), RequestError> {
        for argument in given {
            self.name(owner, &argument.name.node, argument.name.pos)?;
            let found = known.iter().find(|known| known.name == argument.name.node);
            if let Some(known) = found {
                self.literal(&argument.value, &known.ty)?;
            }
        }
        Ok(())
    }

    fn literal(&self, node: &Node, ty: &Type) -> Result<(), RequestError> {
        match &node.value {
            Value::Variable(name) => match self.values.get(name) {
                Some(value) => self.constant(value, ty, node.pos),
                None => Ok(()),
            },
            Value::Enum(name) => self.name(base_name(ty), name, node.pos),
            Value::List(items) => items
                .iter()
                .try_for_each(|item| self.literal(item, inside(ty))),
            Value::Object(fields) => {
                let name = base_name(ty);
                match self.schema.ty(name).map(|ty| &ty.kind) {
                    Some(TypeForm::Input(info)) => self.arguments(fields, &info.fields, name),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn constant(&self, value: &ConstValue, ty: &Type, pos: Pos) -> Result<(), RequestError> {
        match value {
            ConstValue::Enum(name) => self.name(base_name(ty), name, pos),
            ConstValue::String(text) => {
                let owner = base_name(ty);
                match self.schema.ty(owner).map(|ty| &ty.kind) {
                    Some(TypeForm::Enum(_)) => self.name(owner, text, pos),
                    _ => Ok(()),
                }
            }
            ConstValue::List(items) => items
                .iter()
                .try_for_each(|item| self.constant(item, inside(ty), pos)),
            ConstValue::Object(fields) => {
                let owner = base_name(ty);
                let Some(TypeForm::Input(info)) = self.schema.ty(owner).map(|ty| &ty.kind) else {
                    return Ok(());
                };
                for (name, value) in fields {
                    self.name(owner, name, pos)?;
                    if let Some(field) = info.field(name) {
                        self.constant(value, &field.ty, pos)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn name(&self, owner: &str, name: &str, pos: Pos) -> Result<(), RequestError> {
        if !self.hides.hides(owner, name) {
            return Ok(());
        }
        let message = format!(
            "{owner}.{name} is hidden from this key: `viewer {{ limits }}` says what is. Leave it out, or use a key that may \
             see it."
        );
        Err(RequestError::at(FORBIDDEN, pos, message))
    }
}

/// The type of a list's items; of what is no list, the type itself: one value stands for a list of one.
fn inside(ty: &Type) -> &Type {
    match &ty.base {
        BaseType::List(inner) => inner,
        BaseType::Named(_) => ty,
    }
}
