//! The specification's validation rules over definitions, selections, fragments and directives (section 5 of the specification, as
//! graphql-js reads it). Literals are in `values`, merging of fields in `merge`, introspection depth at the end of this file.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{OperationType, Type};
use async_graphql::{Name, Pos};

use super::DocumentLimits;
use super::ast::{
    Argument, Directive, Document, Field, Fragment, Named, Operation, Selection, SelectionSet,
    Value, base_name,
};
use super::error::{Errors, LIMIT_EXCEEDED, Passed, RequestError, shown};
use super::merge;
use super::schema::{InputValue, Schema, TypeInfo};
use super::usage;

/// Checks a document whose shape was checked (no cycles, bounded nesting) against the schema.
///
/// # Errors
/// At most [`DocumentLimits::errors`] errors, `GRAPHQL_VALIDATION_FAILED` each (`LIMIT_EXCEEDED` if comparing fields takes too long).
pub(super) fn check(
    schema: &Schema,
    document: &Document,
    limits: &DocumentLimits,
) -> Result<(), Vec<RequestError>> {
    let mut check = Check::new(schema, document, limits);
    check.definitions();
    check.errors.into_result()?;
    // Only a document that is valid otherwise is compared field by field: then all fragments are used and all types known.
    merge::check(schema, document, limits)
}

/// Where a variable is used, and what is expected there.
#[derive(Debug)]
pub(super) struct Usage<'d> {
    pub(super) name: &'d Name,
    pub(super) pos: Pos,
    /// The type expected there; none where nothing is known or anything goes.
    pub(super) ty: Option<Type>,
    /// Whether the place has a default of its own.
    pub(super) has_default: bool,
    /// The `@oneOf` input object whose field it fills.
    pub(super) one_of: Option<&'d Name>,
}

/// What one operation or fragment uses by itself.
#[derive(Debug, Default)]
pub(super) struct Uses<'d> {
    pub(super) variables: Vec<Usage<'d>>,
    pub(super) fragments: Vec<&'d str>,
}

pub(super) struct Check<'d> {
    pub(super) schema: &'d Schema,
    document: &'d Document,
    pub(super) limits: &'d DocumentLimits,
    fragments: HashMap<&'d str, &'d Fragment>,
    pub(super) errors: Errors,
    /// Filled while one definition is read.
    pub(super) uses: Uses<'d>,
}

impl<'d> Check<'d> {
    fn new(schema: &'d Schema, document: &'d Document, limits: &'d DocumentLimits) -> Self {
        let fragments = document.fragments.iter();
        Self {
            schema,
            document,
            limits,
            fragments: fragments.map(|f| (f.name.node.as_str(), f)).collect(),
            errors: Errors::new(limits.errors),
            uses: Uses::default(),
        }
    }

    fn definitions(&mut self) {
        let document = self.document;
        self.unique(
            "operation",
            document.operations.iter().filter_map(|o| o.name.as_ref()),
        );
        self.unique("fragment", document.fragments.iter().map(|f| &f.name));
        let mut by_fragment = HashMap::new();
        for fragment in &document.fragments {
            self.fragment(fragment);
            by_fragment.insert(fragment.name.node.as_str(), std::mem::take(&mut self.uses));
        }
        let mut reached = HashSet::new();
        for operation in &document.operations {
            if operation.name.is_none() && document.operations.len() > 1 {
                self.errors.invalid(
                    operation.pos,
                    "An operation without a name must be the only one in its document.",
                );
            }
            self.operation(operation);
            let own = std::mem::take(&mut self.uses);
            let used = usage::reachable(&own, &by_fragment);
            reached.extend(used.iter().copied());
            let all = std::iter::once(&own).chain(used.iter().filter_map(|f| by_fragment.get(f)));
            usage::check(self.schema, operation, all, &mut self.errors);
        }
        for fragment in &document.fragments {
            if !reached.contains(fragment.name.node.as_str()) {
                let name = shown(&fragment.name.node);
                self.errors.invalid(
                    fragment.name.pos,
                    format!("The fragment \"{name}\" is never used."),
                );
            }
        }
    }

    pub(super) fn unique(&mut self, what: &str, names: impl Iterator<Item = &'d Named>) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(&name.node) {
                let text = shown(&name.node);
                self.errors.invalid(
                    name.pos,
                    format!("There may be only one {what} named \"{text}\"."),
                );
            }
        }
    }

    fn operation(&mut self, operation: &'d Operation) {
        self.unique("variable", operation.variables.iter().map(|v| &v.name));
        for variable in &operation.variables {
            let name = base_name(&variable.ty.node);
            let found = self.schema.ty(name);
            let ty = found.filter(|ty| ty.is_input());
            match found {
                None => self.unknown_type(name, variable.ty.pos),
                Some(ty) if !ty.is_input() => {
                    let text = format!(
                        "The variable \"${}\" cannot have the output type \"{}\".",
                        shown(&variable.name.node),
                        shown(name)
                    );
                    self.errors.invalid(variable.ty.pos, text);
                }
                Some(_) => {}
            }
            if let Some(default) = &variable.default {
                self.value(default, ty.map(|_| &variable.ty.node));
            }
            self.directives(&variable.directives, "VARIABLE_DEFINITION");
        }
        let (location, word) = match operation.kind {
            OperationType::Query => ("QUERY", "queries"),
            OperationType::Mutation => ("MUTATION", "mutations"),
            OperationType::Subscription => ("SUBSCRIPTION", "subscriptions"),
        };
        self.directives(&operation.directives, location);
        let root = self.schema.root(operation.kind);
        if root.is_none() {
            let text = format!("This server has no {word}.");
            self.errors.invalid(operation.pos, text);
        }
        self.selection_set(&operation.selection, root);
        if operation.kind == OperationType::Subscription {
            self.single_root_field(operation);
        }
    }

    fn unknown_type(&mut self, name: &str, pos: Pos) {
        let text = format!("There is no type named \"{}\".", shown(name));
        self.errors.invalid(pos, text);
    }

    fn fragment(&mut self, fragment: &'d Fragment) {
        self.directives(&fragment.directives, "FRAGMENT_DEFINITION");
        let ty = self.condition(&fragment.on);
        self.selection_set(&fragment.selection, ty);
    }

    /// The type of a type condition, if it is known and can have fragments.
    fn condition(&mut self, on: &'d Named) -> Option<&'d TypeInfo> {
        let Some(ty) = self.schema.ty(&on.node) else {
            self.unknown_type(&on.node, on.pos);
            return None;
        };
        if ty.is_composite() {
            return Some(ty);
        }
        let text = format!(
            "A fragment cannot be on \"{}\", which has no fields.",
            shown(&on.node)
        );
        self.errors.invalid(on.pos, text);
        None
    }

    fn selection_set(&mut self, set: &'d SelectionSet, parent: Option<&'d TypeInfo>) {
        for item in &set.items {
            if self.errors.is_full() {
                return;
            }
            match item {
                Selection::Field(field) => self.field(field, parent),
                Selection::Inline(inline) => {
                    self.directives(&inline.directives, "INLINE_FRAGMENT");
                    let ty = match &inline.on {
                        Some(on) => {
                            let ty = self.condition(on);
                            self.possible(ty, parent, inline.pos);
                            ty
                        }
                        None => parent,
                    };
                    self.selection_set(&inline.selection, ty);
                }
                Selection::Spread(spread) => {
                    self.directives(&spread.directives, "FRAGMENT_SPREAD");
                    let name = spread.name.node.as_str();
                    self.uses.fragments.push(name);
                    match self.fragments.get(name) {
                        Some(fragment) => {
                            let ty = self.schema.ty(&fragment.on.node);
                            let ty = ty.filter(|ty| ty.is_composite());
                            self.possible(ty, parent, spread.name.pos);
                        }
                        None => {
                            let text = format!("There is no fragment named \"{}\".", shown(name));
                            self.errors.invalid(spread.name.pos, text);
                        }
                    }
                }
            }
        }
    }

    fn possible(&mut self, ty: Option<&TypeInfo>, parent: Option<&TypeInfo>, pos: Pos) {
        if let (Some(ty), Some(parent)) = (ty, parent)
            && !ty.overlaps(parent)
        {
            let text = format!(
                "A fragment on \"{}\" can never apply to \"{}\".",
                shown(&ty.name),
                shown(&parent.name)
            );
            self.errors.invalid(pos, text);
        }
    }

    fn field(&mut self, field: &'d Field, parent: Option<&'d TypeInfo>) {
        self.directives(&field.directives, "FIELD");
        self.introspection(field);
        let info = parent.and_then(|parent| self.schema.field(parent, &field.name.node));
        let name = shown(&field.name.node);
        if let (Some(parent), None) = (parent, info) {
            let text = format!("The type \"{}\" has no field \"{name}\".", parent.name);
            self.errors.invalid(field.name.pos, text);
        }
        let Some(info) = info else {
            self.unique("argument", field.arguments.iter().map(|a| &a.name));
            for argument in &field.arguments {
                self.value(&argument.value, None);
            }
            if let Some(selection) = &field.selection {
                self.selection_set(selection, None);
            }
            return;
        };
        let owner = format!("field \"{name}\"");
        self.arguments(&field.arguments, &info.arguments, &owner, field.pos);
        let ty = self.schema.ty(base_name(&info.ty));
        let leaf = ty.is_some_and(TypeInfo::is_leaf);
        match &field.selection {
            Some(selection) => {
                if leaf {
                    let text = format!("The field \"{name}\" has no fields of its own to select.");
                    self.errors.invalid(selection.pos, text);
                }
                let ty = ty.filter(|ty| ty.is_composite());
                self.selection_set(selection, ty);
            }
            None if !leaf => {
                let text = format!(
                    "The field \"{name}\" of type \"{}\" needs a selection of its fields: {name} {{ … }}.",
                    info.ty
                );
                self.errors.invalid(field.pos, text);
            }
            None => {}
        }
    }

    fn arguments(&mut self, given: &'d [Argument], known: &'d [InputValue], owner: &str, pos: Pos) {
        self.unique("argument", given.iter().map(|a| &a.name));
        for argument in given {
            let found = known.iter().find(|k| k.name == argument.name.node);
            match found {
                Some(known) => self.input(&argument.value, known, None),
                None => {
                    let text = format!(
                        "The {owner} has no argument \"{}\".",
                        shown(&argument.name.node)
                    );
                    self.errors.invalid(argument.name.pos, text);
                    self.value(&argument.value, None);
                }
            }
        }
        for known in known.iter().filter(|known| known.required()) {
            if !given.iter().any(|a| a.name.node == known.name) {
                let text = format!(
                    "The {owner} needs the argument \"{}\" of type \"{}\".",
                    known.name, known.ty
                );
                self.errors.invalid(pos, text);
            }
        }
    }

    fn directives(&mut self, directives: &'d [Directive], location: &str) {
        let mut seen = HashSet::new();
        for directive in directives {
            let name = shown(&directive.name.node);
            let pos = directive.name.pos;
            let Some(info) = self.schema.directive(&directive.name.node) else {
                let text = format!("There is no directive \"@{name}\".");
                self.errors.invalid(pos, text);
                self.unique("argument", directive.arguments.iter().map(|a| &a.name));
                for argument in &directive.arguments {
                    self.value(&argument.value, None);
                }
                continue;
            };
            if !info.locations.iter().any(|known| known == location) {
                let text = format!("The directive \"@{name}\" may not be used here.");
                self.errors.invalid(pos, text);
            }
            if !seen.insert(&directive.name.node) && !info.repeatable {
                let text = format!("The directive \"@{name}\" may be used only once here.");
                self.errors.invalid(pos, text);
            }
            let owner = format!("directive \"@{name}\"");
            self.arguments(&directive.arguments, &info.arguments, &owner, pos);
        }
    }

    /// A subscription has one root field, which is no introspection field. `@skip` and `@include` count only with a literal, since
    /// this must hold for all variables.
    fn single_root_field(&mut self, operation: &'d Operation) {
        let mut keys: Vec<&'d Name> = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![&operation.selection];
        while let Some(set) = waiting.pop() {
            for item in &set.items {
                match literal_condition(item.directives()) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(pos) => {
                        let text = "A root field of a subscription cannot depend on a variable.";
                        self.errors.invalid(pos, text);
                        continue;
                    }
                }
                match item {
                    Selection::Field(field) => {
                        if field.name.node.starts_with("__") {
                            let text = "A subscription cannot select an introspection field.";
                            self.errors.invalid(field.pos, text);
                        }
                        if !keys.contains(&field.key()) {
                            keys.push(field.key());
                            if keys.len() == 2 {
                                let text = "A subscription has exactly one root field.";
                                self.errors.invalid(field.pos, text);
                            }
                        }
                    }
                    Selection::Inline(inline) => waiting.push(&inline.selection),
                    Selection::Spread(spread) => {
                        let name = spread.name.node.as_str();
                        if let Some(fragment) = self.fragments.get(name)
                            && seen.insert(name)
                        {
                            waiting.push(&fragment.selection);
                        }
                    }
                }
            }
        }
    }

    /// Reports introspection that lists lists of lists.
    fn introspection(&mut self, field: &'d Field) {
        if matches!(field.name.node.as_str(), "__schema" | "__type") {
            let mut fragments = HashMap::new();
            if self.lists(field, 0, &mut fragments) {
                let most = self.limits.introspection_lists;
                let text = format!(
                    "Introspection asks for more than {most} lists inside each other. Read the whole schema as text instead."
                );
                let passed = Passed::of("introspectionLists", most, most + 1);
                let error = RequestError::at(LIMIT_EXCEEDED, field.pos, text).passing(passed);
                self.errors.push(error);
            }
        }
    }

    /// Whether a selection under introspection reaches more lists inside lists than are allowed.
    fn lists(
        &self,
        field: &'d Field,
        above: usize,
        known: &mut HashMap<(&'d str, usize), bool>,
    ) -> bool {
        let list = matches!(
            field.name.node.as_str(),
            "fields" | "interfaces" | "possibleTypes" | "inputFields"
        );
        let depth = above + usize::from(list);
        if list && depth > self.limits.introspection_lists {
            return true;
        }
        field
            .selection
            .as_ref()
            .is_some_and(|set| self.lists_in(set, depth, known))
    }

    fn lists_in(
        &self,
        set: &'d SelectionSet,
        depth: usize,
        known: &mut HashMap<(&'d str, usize), bool>,
    ) -> bool {
        set.items.iter().any(|item| match item {
            Selection::Field(field) => self.lists(field, depth, known),
            Selection::Inline(inline) => self.lists_in(&inline.selection, depth, known),
            Selection::Spread(spread) => {
                let name = spread.name.node.as_str();
                if let Some(answer) = known.get(&(name, depth)) {
                    return *answer;
                }
                let answer = self
                    .fragments
                    .get(name)
                    .is_some_and(|f| self.lists_in(&f.selection, depth, known));
                known.insert((name, depth), answer);
                answer
            }
        })
    }
}

/// What `@skip` and `@include` with literals come to; the place of a condition that is no literal.
fn literal_condition(directives: &[Directive]) -> Result<bool, Pos> {
    for directive in directives {
        let wanted = match directive.name.node.as_str() {
            "include" => true,
            "skip" => false,
            _ => continue,
        };
        let condition = directive.arguments.iter().find(|a| a.name.node == *"if");
        match condition.map(|argument| &argument.value.value) {
            Some(Value::Boolean(value)) if *value == wanted => {}
            Some(Value::Boolean(_)) => return Ok(false),
            _ => return Err(directive.name.pos),
        }
    }
    Ok(true)
}
