//! A checked operation as the executor gets it: one operation without variables, fragments' definitions, `@skip` or `@include`.
//!
//! The executor (async-graphql 7.0.17) reads a nullable variable without a value as `null` instead of "not given", ignores the defaults
//! of variables in `@skip`, resolves a field twice that is asked for twice, and does not apply a fragment on a union to an object met
//! through another type. So all of that is settled here: variables are filled in, conditions applied, fragments written out, and fields of
//! one answer name merged, in the order of their first mention. `tests/it/documents.rs` has graphql-js execute both forms.

use std::collections::{HashMap, HashSet};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types as out;
use async_graphql::{Name, Pos, Positioned, Value as ConstValue};

use super::ast::{
    Directive, Document, Field, Fragment, Operation, Selection, SelectionSet, Value, base_name,
};
use super::error::{LIMIT_EXCEEDED, Passed, RequestError};
use super::schema::{InputValue, Schema, TypeInfo};
use super::variables::{Purse, literal};

/// Writes an operation for the executor.
///
/// # Errors
/// `LIMIT_EXCEEDED` when fields and the values of arguments, written out wherever fragments and variables put them, weigh more than
/// the purse holds.
pub(super) fn convert(
    schema: &Schema,
    document: &Document,
    operation: &Operation,
    purse: &Purse<'_>,
) -> Result<out::ExecutableDocument, RequestError> {
    let fragments = document.fragments.iter();
    let convert = Convert {
        schema,
        fragments: fragments.map(|f| (f.name.node.as_str(), f)).collect(),
        purse,
    };
    let items = schema.root(operation.kind).map_or_else(Vec::new, |root| {
        convert.merged(&[&operation.selection], root)
    });
    if purse.is_overdrawn() {
        let most = purse.limit();
        return Err(RequestError::at(
            LIMIT_EXCEEDED,
            operation.pos,
            format!(
                "The operation weighs more than {most} bytes with fragments and variables written out. Repeat long values less often."
            ),
        )
        .passing(Passed::of("writtenBytes", most, most.saturating_add(1))));
    }
    let definition = out::OperationDefinition {
        ty: operation.kind,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(out::SelectionSet { items }, operation.selection.pos),
    };
    let definition = Positioned::new(definition, operation.pos);
    Ok(out::ExecutableDocument {
        operations: match &operation.name {
            Some(name) => {
                let named = std::iter::once((name.node.clone(), definition));
                out::DocumentOperations::Multiple(named.collect())
            }
            None => out::DocumentOperations::Single(definition),
        },
        fragments: HashMap::new(),
    })
}

struct Convert<'d> {
    schema: &'d Schema,
    fragments: HashMap<&'d str, &'d Fragment>,
    purse: &'d Purse<'d>,
}

/// What a set selects, in the order of first mention.
#[derive(Default)]
struct Collected<'d> {
    parts: IndexMap<Key<'d>, Part<'d>>,
    seen: HashSet<&'d str>,
}

/// What parts are merged by.
#[derive(PartialEq, Eq, Hash)]
enum Key<'d> {
    /// A field's name in the answer.
    Field(&'d Name),
    /// A type that only some objects of the parent are of.
    Type(&'d Name),
}

/// Selections to be merged.
enum Part<'d> {
    Fields(Vec<&'d Field>),
    Condition(&'d TypeInfo, Pos, Vec<&'d SelectionSet>),
}

impl<'d> Convert<'d> {
    /// The selections of several sets on one parent, merged.
    fn merged(
        &self,
        sets: &[&'d SelectionSet],
        parent: &'d TypeInfo,
    ) -> Vec<Positioned<out::Selection>> {
        let mut collected = Collected::default();
        if self.purse.is_overdrawn() {
            return Vec::new();
        }
        for set in sets {
            self.collect(set, parent, &mut collected);
        }
        let parts = collected.parts.values();
        parts.filter_map(|part| self.part(part, parent)).collect()
    }

    fn part(&self, part: &Part<'d>, parent: &'d TypeInfo) -> Option<Positioned<out::Selection>> {
        let (ty, pos, sets) = match part {
            Part::Fields(fields) => {
                let first = *fields.first()?;
                let field = self.field(first, fields, parent);
                return Some(Positioned::new(out::Selection::Field(field), first.pos));
            }
            Part::Condition(ty, pos, sets) => (*ty, *pos, sets),
        };
        let items = self.merged(sets, ty);
        if items.is_empty() {
            return None;
        }
        let on = Positioned::new(ty.name.clone(), pos);
        let fragment = out::InlineFragment {
            type_condition: Some(Positioned::new(out::TypeCondition { on }, pos)),
            directives: Vec::new(),
            selection_set: Positioned::new(out::SelectionSet { items }, pos),
        };
        let fragment = Positioned::new(fragment, pos);
        Some(Positioned::new(
            out::Selection::InlineFragment(fragment),
            pos,
        ))
    }

    fn collect(&self, set: &'d SelectionSet, parent: &'d TypeInfo, into: &mut Collected<'d>) {
        for item in &set.items {
            if !self.included(item.directives()) {
                continue;
            }
            match item {
                Selection::Field(field) => {
                    let part = into.parts.entry(Key::Field(field.key()));
                    if let Part::Fields(fields) = part.or_insert_with(|| Part::Fields(Vec::new())) {
                        fields.push(field);
                    }
                }
                Selection::Inline(inline) => {
                    let on = inline.on.as_ref().map(|on| &on.node);
                    self.fragment(on, &inline.selection, inline.pos, parent, into);
                }
                Selection::Spread(spread) => {
                    let name = spread.name.node.as_str();
                    if let Some(fragment) = self.fragments.get(name)
                        && into.seen.insert(name)
                    {
                        let on = Some(&fragment.on.node);
                        self.fragment(on, &fragment.selection, spread.name.pos, parent, into);
                    }
                }
            }
        }
    }

    /// Takes a fragment's selections in where it always applies, and keeps its condition where that depends on the object.
    fn fragment(
        &self,
        on: Option<&'d Name>,
        set: &'d SelectionSet,
        pos: Pos,
        parent: &'d TypeInfo,
        into: &mut Collected<'d>,
    ) {
        let Some(ty) = on.and_then(|on| self.schema.ty(on)) else {
            return self.collect(set, parent, into);
        };
        // An interface that covers another abstract type need not share its fields with it, so that its condition stays.
        let shares = ty.name == parent.name || parent.is_object() || ty.is_union();
        if shares && ty.covers_all(parent) {
            return self.collect(set, parent, into);
        }
        // Once outer conditions have settled the type, an inner one can turn out to be impossible: then it covers no object.
        let mut objects = vec![ty];
        if ty.is_union() || !ty.overlaps(parent) {
            // The executor does not apply a condition on a union to objects of its members.
            let members = ty.possible().into_iter().filter(|name| parent.covers(name));
            objects = members.filter_map(|name| self.schema.ty(name)).collect();
            objects.sort_unstable_by_key(|object| &object.name);
        }
        for object in objects {
            let part = into.parts.entry(Key::Type(&object.name));
            let part = part.or_insert_with(|| Part::Condition(object, pos, Vec::new()));
            if let Part::Condition(_, _, sets) = part {
                sets.push(set);
            }
        }
    }

    /// Whether `@skip` and `@include` leave a selection in.
    fn included(&self, directives: &'d [Directive]) -> bool {
        directives.iter().all(|directive| {
            let wanted = match directive.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => return true,
            };
            let condition = directive.arguments.iter().find(|a| a.name.node == *"if");
            match condition.map(|argument| &argument.value.value) {
                Some(Value::Boolean(value)) => *value == wanted,
                Some(Value::Variable(name)) => {
                    self.purse.variable(name) == Some(&ConstValue::Boolean(wanted))
                }
                _ => true,
            }
        })
    }

    fn field(
        &self,
        first: &'d Field,
        all: &[&'d Field],
        parent: &'d TypeInfo,
    ) -> Positioned<out::Field> {
        // Splitting unions can write more fields than fragments hold: they are paid for like arguments.
        self.purse.spend(size_of::<out::Field>());
        let info = self.schema.field(parent, &first.name.node);
        let known = info.map_or(&[][..], |info| &info.arguments);
        let sets: Vec<&SelectionSet> = all.iter().filter_map(|f| f.selection.as_ref()).collect();
        let ty = info.and_then(|info| self.schema.ty(base_name(&info.ty)));
        let items = ty.map_or_else(Vec::new, |ty| self.merged(&sets, ty));
        let set_pos = sets.first().map_or(first.pos, |set| set.pos);
        let field = out::Field {
            alias: first.alias.clone(),
            name: first.name.clone(),
            arguments: self.arguments(first, known),
            directives: Vec::new(),
            selection_set: Positioned::new(out::SelectionSet { items }, set_pos),
        };
        Positioned::new(field, first.pos)
    }

    fn arguments(
        &self,
        field: &'d Field,
        known: &'d [InputValue],
    ) -> Vec<(Positioned<Name>, Positioned<async_graphql_value::Value>)> {
        let given = field.arguments.iter();
        given
            .filter_map(|argument| {
                let ty = &known.iter().find(|k| k.name == argument.name.node)?.ty;
                let value = literal(self.schema, &argument.value, ty, self.purse)?;
                let value = Positioned::new(value.into_value(), argument.value.pos);
                Some((argument.name.clone(), value))
            })
            .collect()
    }
}
