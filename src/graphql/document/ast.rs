//! The document as written: nothing merged, nothing dropped but descriptions, so that validation sees duplicates and numbers keep
//! their digits. What the executor gets is in `convert`.

use async_graphql::parser::types::{OperationType, Type};
use async_graphql::{Name, Pos, Positioned};

/// A name with its place.
pub(super) type Named = Positioned<Name>;

/// Operations and fragments in order of writing.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: Vec<Fragment>,
}

/// `query Name($a: Int) @x {…}`, or the shorthand `{…}`.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) pos: Pos,
    pub(super) kind: OperationType,
    pub(super) name: Option<Named>,
    pub(super) variables: Vec<VariableDefinition>,
    pub(super) directives: Vec<Directive>,
    pub(super) selection: SelectionSet,
}

/// `$name: Type = default @x`.
#[derive(Debug)]
pub(super) struct VariableDefinition {
    pub(super) name: Named,
    pub(super) ty: Positioned<Type>,
    pub(super) default: Option<Node>,
    pub(super) directives: Vec<Directive>,
}

/// `fragment Name on Type @x {…}`.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) name: Named,
    pub(super) on: Named,
    pub(super) directives: Vec<Directive>,
    pub(super) selection: SelectionSet,
}

/// `{…}`, never empty.
#[derive(Debug)]
pub(super) struct SelectionSet {
    /// Unique in the document; what memos are keyed by.
    pub(super) id: u32,
    pub(super) pos: Pos,
    pub(super) items: Vec<Selection>,
}

/// A part of a selection set.
#[derive(Debug)]
pub(super) enum Selection {
    Field(Field),
    Spread(Spread),
    Inline(Inline),
}

impl Selection {
    pub(super) fn directives(&self) -> &[Directive] {
        match self {
            Self::Field(field) => &field.directives,
            Self::Spread(spread) => &spread.directives,
            Self::Inline(inline) => &inline.directives,
        }
    }
}

/// `alias: name(arguments) @x {…}`.
#[derive(Debug)]
pub(super) struct Field {
    /// Unique in the document; what memos are keyed by.
    pub(super) id: u32,
    pub(super) pos: Pos,
    pub(super) alias: Option<Named>,
    pub(super) name: Named,
    pub(super) arguments: Vec<Argument>,
    pub(super) directives: Vec<Directive>,
    pub(super) selection: Option<SelectionSet>,
}

impl Field {
    /// The name of the field in the answer.
    pub(super) fn key(&self) -> &Name {
        &self.alias.as_ref().unwrap_or(&self.name).node
    }
}

/// `...Name @x`.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) name: Named,
    pub(super) directives: Vec<Directive>,
}

/// `... on Type @x {…}`.
#[derive(Debug)]
pub(super) struct Inline {
    pub(super) pos: Pos,
    pub(super) on: Option<Named>,
    pub(super) directives: Vec<Directive>,
    pub(super) selection: SelectionSet,
}

/// `@name(arguments)`.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) name: Named,
    pub(super) arguments: Vec<Argument>,
}

/// `name: value`, of a field, a directive or an input object.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: Named,
    pub(super) value: Node,
}

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) pos: Pos,
    pub(super) value: Value,
}

/// A value as written.
#[derive(Debug)]
pub(super) enum Value {
    Variable(Name),
    /// The digits as written.
    Int(String),
    /// The digits as written.
    Float(String),
    /// The text with escapes and indentation resolved.
    Text(String),
    Boolean(bool),
    Null,
    Enum(Name),
    List(Vec<Node>),
    Object(Vec<Argument>),
}

impl Value {
    /// What kind of value this is, for messages (which do not repeat values).
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Variable(_) => "a variable",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Text(_) => "a string",
            Self::Boolean(_) => "a boolean",
            Self::Null => "null",
            Self::Enum(_) => "an enum value",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The named type inside lists and non-null marks.
pub(super) fn base_name(ty: &Type) -> &Name {
    use async_graphql::parser::types::BaseType;
    let mut ty = ty;
    loop {
        match &ty.base {
            BaseType::Named(name) => return name,
            BaseType::List(inner) => ty = inner,
        }
    }
}
