//! Reads SDL, our own text, with the gate and grammar that requests go through. Built here because the executor's reader refuses parts of
//! the language (a description on `schema`, some directive locations).

use std::collections::{HashMap, HashSet};

use async_graphql::{Name, Positioned};

use super::DocumentLimits;
use super::ast::{Directive, Value};
use super::cost::thousandths;
use super::error::RequestError;
use super::gate::{self, Kind};
use super::parse::{Parsed, Parser};
use super::plan::UsualPeriod;
use super::schema::{
    BuiltIn, DirectiveInfo, FieldInfo, InputInfo, InputValue, ListSize, ScanCost, TypeForm,
    TypeInfo,
};
use super::variables::{Purse, Values, untyped};

/// What a text defines.
#[derive(Default)]
pub(super) struct Definitions {
    /// The root types by operation ("query", "mutation", "subscription"), if the text has a `schema` block.
    pub(super) roots: Option<HashMap<Name, Name>>,
    pub(super) types: Vec<TypeInfo>,
    pub(super) directives: Vec<(Name, DirectiveInfo)>,
    /// Object types and the interfaces that they implement.
    pub(super) implements: Vec<(Name, Name)>,
}

/// Reads a text of definitions.
///
/// # Errors
/// Where the text is no SDL; extensions of types are not read.
pub(super) fn read(text: &str) -> Result<Definitions, RequestError> {
    let limits = DocumentLimits {
        bytes: usize::MAX,
        tokens: usize::MAX,
        ..DocumentLimits::default()
    };
    let tokens = gate::tokens(text, &limits)?;
    let mut parser = Parser::new(&tokens);
    let mut definitions = Definitions::default();
    while *parser.kind() != Kind::End {
        definition(&mut parser, &mut definitions)?;
    }
    Ok(definitions)
}

fn definition(parser: &mut Parser<'_, '_>, into: &mut Definitions) -> Parsed<()> {
    parser.description();
    if parser.word("schema") {
        parser.directives(true)?;
        let roots = parser.many(b'{', b'}', |parser| {
            parser.description();
            let operation = parser.name()?.node;
            parser.need(b':')?;
            Ok((operation, parser.name()?.node))
        })?;
        into.roots = Some(roots.into_iter().collect());
        return Ok(());
    }
    if parser.word("directive") {
        parser.need(b'@')?;
        let name = parser.name()?.node;
        let arguments = parser.optional(b'(', b')', input_value)?;
        let repeatable = parser.word("repeatable");
        if !parser.word("on") {
            return Err(parser.expected("\"on\""));
        }
        let locations = names(parser, b'|')?;
        let info = DirectiveInfo {
            arguments,
            locations,
            repeatable,
        };
        into.directives.push((name, info));
        return Ok(());
    }
    let info = type_definition(parser, into)?;
    into.types.push(info);
    Ok(())
}

fn type_definition(parser: &mut Parser<'_, '_>, into: &mut Definitions) -> Parsed<TypeInfo> {
    let Kind::Name(word) = *parser.kind() else {
        return Err(parser.expected("a definition"));
    };
    if !["scalar", "type", "interface", "union", "enum", "input"].contains(&word) {
        return Err(parser.expected("a definition"));
    }
    parser.name()?;
    let name = parser.name()?.node;
    let mut parents = Vec::new();
    if parser.word("implements") {
        parents = names(parser, b'&')?;
    }
    let directives = parser.directives(true)?;
    let kind = match word {
        "scalar" => scalar(&name),
        "union" => {
            let members = if parser.take(b'=') {
                names(parser, b'|')?
            } else {
                Vec::new()
            };
            TypeForm::Union(members.into_iter().collect())
        }
        "enum" => {
            let values = parser.optional(b'{', b'}', |parser| {
                parser.description();
                let name = parser.name()?.node;
                parser.directives(true)?;
                Ok(name)
            })?;
            TypeForm::Enum(values.into_iter().collect())
        }
        "input" => TypeForm::Input(InputInfo {
            fields: parser.optional(b'{', b'}', input_value)?,
            one_of: has(&directives, "oneOf"),
        }),
        "interface" => {
            let fields = parser.optional(b'{', b'}', field)?;
            // Interfaces of interfaces add no object type: objects name all that they implement.
            TypeForm::Interface(fields.into_iter().collect(), HashSet::new())
        }
        _ => {
            let pairs = parents.into_iter().map(|parent| (name.clone(), parent));
            into.implements.extend(pairs);
            let fields = parser.optional(b'{', b'}', field)?;
            TypeForm::Object(fields.into_iter().collect())
        }
    };
    let weight = text(&directives, "cost", "weight").and_then(thousandths);
    Ok(TypeInfo { name, kind, weight })
}

fn scalar(name: &Name) -> TypeForm {
    match name.as_str() {
        "Int" => TypeForm::BuiltIn(BuiltIn::Int),
        "Float" => TypeForm::BuiltIn(BuiltIn::Float),
        "String" => TypeForm::BuiltIn(BuiltIn::String),
        "Boolean" => TypeForm::BuiltIn(BuiltIn::Boolean),
        "ID" => TypeForm::BuiltIn(BuiltIn::Id),
        _ => TypeForm::Custom,
    }
}

/// One or more names, each but the first after the mark, which may also come before the first.
fn names(parser: &mut Parser<'_, '_>, mark: u8) -> Parsed<Vec<Name>> {
    parser.take(mark);
    let mut names = vec![parser.name()?.node];
    while parser.take(mark) {
        names.push(parser.name()?.node);
    }
    Ok(names)
}

fn field(parser: &mut Parser<'_, '_>) -> Parsed<(Name, FieldInfo)> {
    parser.description();
    let Positioned { node: name, .. } = parser.name()?;
    let arguments = parser.optional(b'(', b')', input_value)?;
    parser.need(b':')?;
    let ty = parser.ty()?;
    let directives = parser.directives(true)?;
    let info = FieldInfo {
        arguments,
        ty,
        weight: text(&directives, "cost", "weight").and_then(thousandths),
        list: has(&directives, "listSize").then(|| ListSize {
            assumed: match argument(&directives, "listSize", "assumedSize") {
                Some(Value::Int(digits)) => digits.parse().ok(),
                _ => None,
            },
            arguments: texts(&directives, "listSize", "slicingArguments"),
            fields: texts(&directives, "listSize", "sizedFields"),
        }),
        scan: scan_cost(&directives).map(|cost| {
            let if_given = text(&directives, "scanCost", "ifGiven");
            (cost, if_given.map(str::to_owned))
        }),
    };
    Ok((name, info))
}

/// What `@scanCost` says.
fn scan_cost(directives: &[Directive]) -> Option<ScanCost> {
    let weight = |name| text(directives, "scanCost", name).and_then(thousandths);
    let is = |name| {
        let told = argument(directives, "scanCost", name);
        matches!(told, Some(Value::Boolean(true)))
    };
    Some(ScanCost {
        weight: weight("weight")?,
        once: weight("once").unwrap_or(0),
        held: weight("inMemory"),
        is_whole: is("whole"),
        is_of_saved: is("saved"),
        is_together: is("together"),
        is_of_first_page: is("firstPage"),
        is_limited: is("limited"),
        usual: text(directives, "scanCost", "usual").and_then(UsualPeriod::parse),
    })
}

/// An argument of a directive.
fn argument<'d>(directives: &'d [Directive], directive: &str, name: &str) -> Option<&'d Value> {
    let mut named = directives.iter().filter(|d| d.name.node == *directive);
    let mut arguments = named.next()?.arguments.iter();
    arguments
        .find(|argument| argument.name.node == *name)
        .map(|argument| &argument.value.value)
}

fn text<'d>(directives: &'d [Directive], directive: &str, name: &str) -> Option<&'d str> {
    match argument(directives, directive, name)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn texts(directives: &[Directive], directive: &str, name: &str) -> Vec<String> {
    match argument(directives, directive, name) {
        Some(Value::List(items)) => items
            .iter()
            .filter_map(|item| match &item.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn input_value(parser: &mut Parser<'_, '_>) -> Parsed<InputValue> {
    parser.description();
    let name = parser.name()?.node;
    parser.need(b':')?;
    let ty = parser.ty()?;
    let default = if parser.take(b'=') {
        let node = parser.value(true)?;
        untyped(&node.value, &Purse::new(&Values::new(), usize::MAX))
    } else {
        None
    };
    let directives = parser.directives(true)?;
    Ok(InputValue {
        name,
        ty,
        default,
        weight: text(&directives, "cost", "weight").and_then(thousandths),
        scan: scan_cost(&directives),
        or_selected: texts(&directives, "scanCost", "orSelected"),
    })
}

fn has(directives: &[Directive], name: &str) -> bool {
    directives.iter().any(|d| d.name.node == *name)
}
