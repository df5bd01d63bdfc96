//! The limits on a document's shape, checked before validation and in time that grows with the text, not with what its fragments
//! expand to. Sizes of answers are in `cost`.

use std::collections::{HashMap, HashSet};

use async_graphql::{Name, Pos};

use super::DocumentLimits;
use super::ast::{Directive, Document, Fragment, Operation, Selection, SelectionSet};
use super::error::{LIMIT_EXCEEDED, Passed, RequestError, VALIDATION_FAILED, shown};

type Checked<T> = Result<T, RequestError>;

/// What a selection set grows to when its fragments are written out.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Fields, spreads and inline fragments.
    selections: usize,
    /// Levels of fields.
    depth: usize,
    /// Levels of fields, spreads and inline fragments.
    nesting: usize,
}

/// Checks every limit of shape.
///
/// # Errors
/// The first limit that is exceeded, as `LIMIT_EXCEEDED`, or a fragment that contains itself, as `GRAPHQL_VALIDATION_FAILED`.
pub(super) fn check(document: &Document, limits: &DocumentLimits) -> Checked<()> {
    if let Some(operation) = document.operations.get(limits.operations) {
        let passed = Passed::of(
            "documentOperations",
            limits.operations,
            document.operations.len(),
        );
        return Err(over(operation.pos, "operations", passed));
    }
    let mut shape = Shape {
        fragments: document
            .fragments
            .iter()
            .map(|fragment| (fragment.name.node.as_str(), fragment))
            .collect(),
        sizes: HashMap::new(),
        limits,
        aliases: 0,
        directives: 0,
    };
    for operation in &document.operations {
        shape.written_operation(operation)?;
    }
    for fragment in &document.fragments {
        shape.directives(&fragment.directives)?;
        shape.written(&fragment.selection, &mut HashMap::new())?;
    }
    let mut selections = 0_usize;
    for operation in &document.operations {
        let size = shape.size(&operation.selection, 1)?;
        selections = selections.saturating_add(size.selections);
        shape.fits(size, selections, operation.pos)?;
        shape.root_fields(operation)?;
    }
    // A fragment that no operation uses is invalid anyway, but validation reads it first.
    for fragment in &document.fragments {
        let size = shape.fragment(fragment, 1)?;
        shape.fits(size, size.selections, fragment.name.pos)?;
    }
    Ok(())
}

fn over(pos: Pos, what: &str, passed: Passed) -> RequestError {
    let message = format!(
        "The document has more than {} {what}. Send several smaller requests.",
        passed.maximum
    );
    RequestError::at(LIMIT_EXCEEDED, pos, message).passing(passed)
}

/// A limit at which counting stops.
fn stopped(limit: &'static str, maximum: usize) -> Passed {
    Passed::of(limit, maximum, maximum + 1)
}

struct Shape<'d> {
    fragments: HashMap<&'d str, &'d Fragment>,
    /// Sizes of fragments; `None` while one is being measured, so that meeting it again shows a cycle.
    sizes: HashMap<&'d str, Option<Size>>,
    limits: &'d DocumentLimits,
    aliases: usize,
    directives: usize,
}

impl<'d> Shape<'d> {
    fn written_operation(&mut self, operation: &'d Operation) -> Checked<()> {
        if let Some(variable) = operation.variables.get(self.limits.variables) {
            let pos = variable.name.pos;
            let count = operation.variables.len();
            let passed = Passed::of("variables", self.limits.variables, count);
            return Err(over(pos, "variables in one operation", passed));
        }
        for variable in &operation.variables {
            self.directives(&variable.directives)?;
        }
        self.directives(&operation.directives)?;
        self.written(&operation.selection, &mut HashMap::new())
    }

    fn directives(&mut self, directives: &[Directive]) -> Checked<()> {
        let limits = self.limits;
        if let Some(directive) = directives.get(limits.directives) {
            let passed = Passed::of("documentDirectives", limits.directives, directives.len());
            return Err(over(directive.name.pos, "directives in one place", passed));
        }
        self.directives += directives.len();
        match directives.last() {
            Some(last) if self.directives > limits.all_directives => {
                let passed = Passed::of(
                    "documentAllDirectives",
                    limits.all_directives,
                    self.directives,
                );
                Err(over(last.name.pos, "directives", passed))
            }
            _ => Ok(()),
        }
    }

    /// Counts aliases, directives and repeated fields as written. Inline fragments count with the set they stand in.
    fn written(
        &mut self,
        set: &'d SelectionSet,
        repeats: &mut HashMap<&'d str, usize>,
    ) -> Checked<()> {
        for item in &set.items {
            self.directives(item.directives())?;
            match item {
                Selection::Field(field) => {
                    if field.alias.is_some() {
                        self.aliases += 1;
                        if self.aliases > self.limits.aliases {
                            let passed = stopped("documentAliases", self.limits.aliases);
                            return Err(over(field.pos, "aliases", passed));
                        }
                    }
                    let fields = repeats.values().sum::<usize>() + 1;
                    if fields > self.limits.fields {
                        let passed = stopped("documentFields", self.limits.fields);
                        return Err(over(field.pos, "fields in one place", passed));
                    }
                    let repeat = repeats.entry(field.name.node.as_str()).or_default();
                    *repeat += 1;
                    if *repeat > self.limits.repeats {
                        let what = format!("fields \"{}\" in one place", shown(&field.name.node));
                        let passed = stopped("documentRepeats", self.limits.repeats);
                        return Err(over(field.pos, &what, passed));
                    }
                    if let Some(selection) = &field.selection {
                        self.written(selection, &mut HashMap::new())?;
                    }
                }
                Selection::Inline(inline) => self.written(&inline.selection, repeats)?,
                Selection::Spread(_) => {}
            }
        }
        Ok(())
    }

    fn fits(&self, size: Size, selections: usize, pos: Pos) -> Checked<()> {
        if selections > self.limits.selections {
            let what = "selections once its fragments are written out";
            let passed = Passed::of("documentSelections", self.limits.selections, selections);
            return Err(over(pos, what, passed));
        }
        if size.depth > self.limits.depth {
            return Err(self.too_deep(pos));
        }
        if size.nesting > self.limits.nesting() {
            return Err(self.too_nested(pos));
        }
        Ok(())
    }

    fn too_deep(&self, pos: Pos) -> RequestError {
        let passed = stopped("documentDepth", self.limits.depth);
        over(pos, "levels of fields", passed)
    }

    fn too_nested(&self, pos: Pos) -> RequestError {
        let passed = stopped("documentNesting", self.limits.nesting());
        over(pos, "levels of fields and fragments", passed)
    }

    /// Measures a set that stands `level` levels deep; gives up as soon as the path itself is too long.
    fn size(&mut self, set: &'d SelectionSet, level: usize) -> Checked<Size> {
        if level > self.limits.nesting() {
            return Err(self.too_nested(set.pos));
        }
        let mut total = Size::default();
        for item in &set.items {
            let (inner, levels) = match item {
                Selection::Field(field) => match &field.selection {
                    Some(selection) => (self.size(selection, level + 1)?, 1),
                    None => (Size::default(), 1),
                },
                Selection::Inline(inline) => (self.size(&inline.selection, level + 1)?, 0),
                Selection::Spread(spread) => {
                    // An unknown fragment is validation's to report.
                    match self.fragments.get(spread.name.node.as_str()).copied() {
                        Some(fragment) => (self.fragment(fragment, level + 1)?, 0),
                        None => (Size::default(), 0),
                    }
                }
            };
            total.selections = total
                .selections
                .saturating_add(inner.selections)
                .saturating_add(1);
            total.depth = total.depth.max(inner.depth + levels);
            total.nesting = total.nesting.max(inner.nesting + 1);
        }
        Ok(total)
    }

    fn fragment(&mut self, fragment: &'d Fragment, level: usize) -> Checked<Size> {
        let name = fragment.name.node.as_str();
        match self.sizes.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                return Err(RequestError::at(
                    VALIDATION_FAILED,
                    fragment.name.pos,
                    format!("The fragment \"{}\" contains itself.", shown(name)),
                ));
            }
            None => {}
        }
        self.sizes.insert(name, None);
        let size = self.size(&fragment.selection, level)?;
        self.sizes.insert(name, Some(size));
        Ok(size)
    }

    /// Counts the different names that an operation gives at its root.
    fn root_fields(&self, operation: &'d Operation) -> Checked<()> {
        let mut keys: HashSet<&Name> = HashSet::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut waiting = vec![&operation.selection];
        while let Some(set) = waiting.pop() {
            for item in &set.items {
                match item {
                    Selection::Field(field) => {
                        keys.insert(field.key());
                        if keys.len() > self.limits.root_fields {
                            let passed = stopped("rootFields", self.limits.root_fields);
                            return Err(over(field.pos, "root fields", passed));
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
        Ok(())
    }
}
