//! Whether fields that answer under one name can be merged (section 5.3.2 of the specification). Each pair of fields is compared once,
//! and comparing has a budget, since pairs grow with the square of the text.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use async_graphql::Name;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type};

use super::DocumentLimits;
use super::ast::{Argument, Document, Field, Fragment, Selection, SelectionSet, Value, base_name};
use super::error::{Errors, LIMIT_EXCEEDED, Passed, RequestError, shown};
use super::schema::{FieldInfo, Schema, TypeInfo};

/// A field with what its place says about it.
#[derive(Clone, Copy)]
struct Placed<'d> {
    field: &'d Field,
    parent: Option<&'d TypeInfo>,
    info: Option<&'d FieldInfo>,
}

/// The fields of a selection set, fragments written out, by the name they answer under.
type Groups<'d> = Rc<IndexMap<&'d Name, Vec<Placed<'d>>>>;

/// Compares the fields of every selection set of a document that is valid otherwise.
///
/// # Errors
/// One `GRAPHQL_VALIDATION_FAILED` per pair in conflict, at most [`DocumentLimits::errors`]; `LIMIT_EXCEEDED` when there are more than
/// [`DocumentLimits::comparisons`] pairs.
pub(super) fn check(
    schema: &Schema,
    document: &Document,
    limits: &DocumentLimits,
) -> Result<(), Vec<RequestError>> {
    let fragments = document.fragments.iter();
    let mut merge = Merge {
        schema,
        fragments: fragments.map(|f| (f.name.node.as_str(), f)).collect(),
        groups: HashMap::new(),
        compared: HashSet::new(),
        // One more than are allowed: a document with just as many passes.
        left: limits.comparisons.saturating_add(1),
        errors: Errors::new(limits.errors),
    };
    for operation in &document.operations {
        merge.within(&operation.selection, schema.root(operation.kind));
    }
    for fragment in &document.fragments {
        merge.within(&fragment.selection, schema.ty(&fragment.on.node));
    }
    if merge.left == 0 {
        return Err(vec![RequestError::whole(
            LIMIT_EXCEEDED,
            format!(
                "The document needs more than {} comparisons of fields of one name. Repeat fewer fields.",
                limits.comparisons
            ),
        )
        .passing(Passed::of("documentComparisons", limits.comparisons, limits.comparisons + 1))]);
    }
    merge.errors.into_result()
}

struct Merge<'d> {
    schema: &'d Schema,
    fragments: HashMap<&'d str, &'d Fragment>,
    groups: HashMap<u32, Groups<'d>>,
    /// Pairs of fields that were compared, by their ids, smaller first, and whether they exclude each other.
    compared: HashSet<(u32, u32, bool)>,
    left: usize,
    errors: Errors,
}

impl<'d> Merge<'d> {
    /// Compares all fields of one set with each other, then the sets below.
    fn within(&mut self, set: &'d SelectionSet, parent: Option<&'d TypeInfo>) {
        let groups = self.grouped(set, parent);
        for placed in groups.values() {
            for (index, first) in placed.iter().enumerate() {
                for second in placed.iter().skip(index + 1) {
                    self.compare(*first, *second, false);
                }
            }
        }
        self.below(set, parent);
    }

    fn below(&mut self, set: &'d SelectionSet, parent: Option<&'d TypeInfo>) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if let Some(selection) = &field.selection {
                        let placed = self.placed(field, parent);
                        self.within(selection, self.result(placed));
                    }
                }
                Selection::Inline(inline) => {
                    let ty = inline
                        .on
                        .as_ref()
                        .map_or(parent, |on| self.schema.ty(&on.node));
                    self.below(&inline.selection, ty);
                }
                Selection::Spread(_) => {}
            }
        }
    }

    fn placed(&self, field: &'d Field, parent: Option<&'d TypeInfo>) -> Placed<'d> {
        Placed {
            field,
            parent,
            info: parent.and_then(|parent| self.schema.field(parent, &field.name.node)),
        }
    }

    /// The type that a field's own selection is about.
    fn result(&self, placed: Placed<'d>) -> Option<&'d TypeInfo> {
        placed
            .info
            .and_then(|info| self.schema.ty(base_name(&info.ty)))
    }

    fn grouped(&mut self, set: &'d SelectionSet, parent: Option<&'d TypeInfo>) -> Groups<'d> {
        if let Some(groups) = self.groups.get(&set.id) {
            return Rc::clone(groups);
        }
        let mut groups: IndexMap<_, Vec<_>> = IndexMap::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![(set, parent)];
        while let Some((set, parent)) = waiting.pop() {
            for item in &set.items {
                match item {
                    Selection::Field(field) => {
                        let placed = self.placed(field, parent);
                        groups.entry(field.key()).or_default().push(placed);
                    }
                    Selection::Inline(inline) => {
                        let ty = inline
                            .on
                            .as_ref()
                            .map_or(parent, |on| self.schema.ty(&on.node));
                        waiting.push((&inline.selection, ty));
                    }
                    Selection::Spread(spread) => {
                        let name = spread.name.node.as_str();
                        if let Some(fragment) = self.fragments.get(name)
                            && seen.insert(name)
                        {
                            let ty = self.schema.ty(&fragment.on.node);
                            waiting.push((&fragment.selection, ty));
                        }
                    }
                }
            }
        }
        let groups = Rc::new(groups);
        self.groups.insert(set.id, Rc::clone(&groups));
        groups
    }

    /// Compares two fields of one answer name. `exclusive` says that the two can never be in one object, so that only the shapes of
    /// their answers must agree.
    fn compare(&mut self, first: Placed<'d>, second: Placed<'d>, exclusive: bool) {
        let (low, high) = if first.field.id < second.field.id {
            (first.field.id, second.field.id)
        } else {
            (second.field.id, first.field.id)
        };
        let exclusive = exclusive || exclude(first.parent, second.parent);
        if low == high || same_plain(first, second) || self.left == 0 || self.errors.is_full() {
            return;
        }
        // What holds for two fields of one object holds all the more for two that exclude each other.
        if self.compared.contains(&(low, high, false))
            || !self.compared.insert((low, high, exclusive))
        {
            return;
        }
        self.left -= 1;
        if let Some(reason) = conflict(self.schema, first, second, exclusive) {
            let key = shown(first.field.key());
            self.errors.push(RequestError {
                message: format!(
                    "The fields \"{key}\" conflict: {reason}. Give one of them another name: other: {key}."
                ),
                locations: vec![first.field.pos, second.field.pos],
                code: super::error::VALIDATION_FAILED,
                passed: None,
                coordinate: None,
            });
            return;
        }
        if let (Some(one), Some(two)) = (&first.field.selection, &second.field.selection) {
            let one = self.grouped(one, self.result(first));
            let two = self.grouped(two, self.result(second));
            for (name, group) in one.iter() {
                let Some(other) = two.get(name) else {
                    continue;
                };
                for first in group {
                    for second in other {
                        self.compare(*first, *second, exclusive);
                    }
                }
            }
        }
    }
}

/// Whether two fields are one plain field without arguments or selection, of one definition: the most frequent repetition by far (`id`,
/// `__typename` in every fragment), which can never conflict.
fn same_plain(first: Placed<'_>, second: Placed<'_>) -> bool {
    let plain = |field: &Field| field.arguments.is_empty() && field.selection.is_none();
    plain(first.field)
        && plain(second.field)
        && first.field.name.node == second.field.name.node
        && matches!((first.info, second.info), (Some(one), Some(two)) if std::ptr::eq(one, two))
}

/// Whether two parents can never be one object: two different object types.
fn exclude(first: Option<&TypeInfo>, second: Option<&TypeInfo>) -> bool {
    matches!((first, second), (Some(one), Some(two))
        if one.name != two.name && one.is_object() && two.is_object())
}

fn conflict(
    schema: &Schema,
    first: Placed<'_>,
    second: Placed<'_>,
    exclusive: bool,
) -> Option<String> {
    if !exclusive {
        if first.field.name.node != second.field.name.node {
            return Some("they are different fields".to_owned());
        }
        if !same_arguments(&first.field.arguments, &second.field.arguments) {
            return Some("they have different arguments".to_owned());
        }
    }
    // graphql-js has no type for `__typename` here, so that it may share a name with any leaf of another object.
    let meta = |placed: &Placed<'_>| placed.field.name.node.starts_with("__");
    if meta(&first) || meta(&second) {
        return None;
    }
    let (one, two) = (&first.info?.ty, &second.info?.ty);
    (!same_shape(schema, one, two)).then(|| format!("their types \"{one}\" and \"{two}\" differ"))
}

fn same_shape(schema: &Schema, one: &Type, two: &Type) -> bool {
    if one.nullable != two.nullable {
        return false;
    }
    match (&one.base, &two.base) {
        (BaseType::List(one), BaseType::List(two)) => same_shape(schema, one, two),
        (BaseType::Named(one), BaseType::Named(two)) => {
            let leaf = |name| schema.ty(name).is_some_and(TypeInfo::is_leaf);
            one == two || (!leaf(one) && !leaf(two))
        }
        _ => false,
    }
}

/// Whether two lists of arguments or input fields say the same, in whatever order.
fn same_arguments(one: &[Argument], two: &[Argument]) -> bool {
    one.len() == two.len()
        && one.iter().all(|argument| {
            two.iter()
                .find(|other| other.name.node == argument.name.node)
                .is_some_and(|other| same_value(&argument.value.value, &other.value.value))
        })
}

fn same_value(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Variable(one), Value::Variable(two)) | (Value::Enum(one), Value::Enum(two)) => {
            one == two
        }
        (Value::Int(one), Value::Int(two))
        | (Value::Float(one), Value::Float(two))
        | (Value::Text(one), Value::Text(two)) => one == two,
        (Value::Boolean(one), Value::Boolean(two)) => one == two,
        (Value::Null, Value::Null) => true,
        (Value::List(one), Value::List(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .all(|(one, two)| same_value(&one.value, &two.value))
        }
        (Value::Object(one), Value::Object(two)) => same_arguments(one, two),
        _ => false,
    }
}
