//! The grammar of executable documents, over the gate's tokens. Recursion follows brackets only, so its depth is what the gate let
//! through. Definitions of types are refused here; descriptions are read and dropped.

use async_graphql::parser::types::{BaseType, OperationType, Type};
use async_graphql::{Name, Pos, Positioned};

use super::ast::{
    Argument, Directive, Document, Field, Fragment, Inline, Named, Node, Operation, Selection,
    SelectionSet, Spread, Value, VariableDefinition,
};
use super::error::{PARSE_FAILED, RequestError, VALIDATION_FAILED};
use super::gate::{Kind, Token};

/// What the grammar gives, or the place where it breaks.
pub(super) type Parsed<T> = Result<T, RequestError>;

/// Words that begin a definition of the type system, which no request may carry.
const TYPE_SYSTEM: [&str; 9] = [
    "schema",
    "scalar",
    "type",
    "interface",
    "union",
    "enum",
    "input",
    "directive",
    "extend",
];

/// Reads a document from tokens that end with [`Kind::End`].
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED` where the grammar is broken, `GRAPHQL_VALIDATION_FAILED` for a definition of the type system.
pub(super) fn document(tokens: &[Token<'_>]) -> Parsed<Document> {
    let mut parser = Parser::new(tokens);
    let mut document = Document {
        operations: Vec::new(),
        fragments: Vec::new(),
    };
    loop {
        parser.definition(&mut document)?;
        if *parser.kind() == Kind::End {
            return Ok(document);
        }
    }
}

/// A place in a list of tokens.
pub(super) struct Parser<'a, 't> {
    tokens: &'a [Token<'t>],
    at: usize,
    next_id: u32,
}

/// What stands in for a token when there is none; the gate always ends its list with an end.
const NOTHING: &Kind<'static> = &Kind::End;

impl<'a, 't> Parser<'a, 't> {
    pub(super) fn new(tokens: &'a [Token<'t>]) -> Self {
        Self {
            tokens,
            at: 0,
            next_id: 0,
        }
    }

    pub(super) fn kind(&self) -> &'a Kind<'t> {
        self.tokens
            .get(self.at)
            .map_or(NOTHING, |token| &token.kind)
    }

    fn pos(&self) -> Pos {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or_else(Pos::default, |token| token.pos)
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn expected(&self, what: &str) -> RequestError {
        RequestError::at(
            PARSE_FAILED,
            self.pos(),
            format!(
                "Syntax error: expected {what}, found {}.",
                self.kind().show()
            ),
        )
    }

    /// Takes the mark if it is next.
    pub(super) fn take(&mut self, mark: u8) -> bool {
        let found = *self.kind() == Kind::Mark(mark);
        self.at += usize::from(found);
        found
    }

    pub(super) fn need(&mut self, mark: u8) -> Parsed<()> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(self.expected(&format!("\"{}\"", char::from(mark))))
        }
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = *self.kind() == Kind::Name(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn name(&mut self) -> Parsed<Named> {
        let pos = self.pos();
        let Kind::Name(name) = self.kind() else {
            return Err(self.expected("a name"));
        };
        self.at += 1;
        Ok(Positioned::new(Name::new(name), pos))
    }

    /// One or more items between `open` and `close`.
    pub(super) fn many<T>(
        &mut self,
        open: u8,
        close: u8,
        item: impl Fn(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.need(open)?;
        let mut items = vec![item(self)?];
        while !self.take(close) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Nothing, or one or more items between `open` and `close`.
    pub(super) fn optional<T>(
        &mut self,
        open: u8,
        close: u8,
        item: impl Fn(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        if *self.kind() == Kind::Mark(open) {
            self.many(open, close, item)
        } else {
            Ok(Vec::new())
        }
    }

    fn definition(&mut self, document: &mut Document) -> Parsed<()> {
        let described = self.description();
        let pos = self.pos();
        let kind = match self.kind() {
            Kind::Mark(b'{') if !described => {
                let operation = self.operation(pos, OperationType::Query, true)?;
                document.operations.push(operation);
                return Ok(());
            }
            Kind::Name("query") => OperationType::Query,
            Kind::Name("mutation") => OperationType::Mutation,
            Kind::Name("subscription") => OperationType::Subscription,
            Kind::Name("fragment") => {
                let fragment = self.fragment()?;
                document.fragments.push(fragment);
                return Ok(());
            }
            Kind::Name(word) if TYPE_SYSTEM.contains(word) => {
                return Err(RequestError::at(
                    VALIDATION_FAILED,
                    pos,
                    format!("A request may hold operations and fragments, not \"{word}\"."),
                ));
            }
            _ => return Err(self.expected("an operation or a fragment")),
        };
        self.at += 1;
        let operation = self.operation(pos, kind, false)?;
        document.operations.push(operation);
        Ok(())
    }

    /// Reads over a description and says whether there was one.
    pub(super) fn description(&mut self) -> bool {
        let found = matches!(self.kind(), Kind::Text(_));
        self.at += usize::from(found);
        found
    }

    fn operation(&mut self, pos: Pos, kind: OperationType, short: bool) -> Parsed<Operation> {
        let mut operation = Operation {
            pos,
            kind,
            name: None,
            variables: Vec::new(),
            directives: Vec::new(),
            selection: SelectionSet {
                id: 0,
                pos,
                items: Vec::new(),
            },
        };
        if !short {
            if matches!(self.kind(), Kind::Name(_)) {
                operation.name = Some(self.name()?);
            }
            operation.variables = self.optional(b'(', b')', Self::variable_definition)?;
            operation.directives = self.directives(false)?;
        }
        operation.selection = self.selection_set()?;
        Ok(operation)
    }

    fn variable_definition(&mut self) -> Parsed<VariableDefinition> {
        self.description();
        self.need(b'$')?;
        let name = self.name()?;
        self.need(b':')?;
        let pos = self.pos();
        let ty = Positioned::new(self.ty()?, pos);
        let default = if self.take(b'=') {
            Some(self.value(true)?)
        } else {
            None
        };
        Ok(VariableDefinition {
            name,
            ty,
            default,
            directives: self.directives(true)?,
        })
    }

    pub(super) fn ty(&mut self) -> Parsed<Type> {
        let base = if self.take(b'[') {
            let inner = self.ty()?;
            self.need(b']')?;
            BaseType::List(Box::new(inner))
        } else {
            BaseType::Named(self.name()?.node)
        };
        Ok(Type {
            base,
            nullable: !self.take(b'!'),
        })
    }

    fn fragment(&mut self) -> Parsed<Fragment> {
        self.at += 1;
        if *self.kind() == Kind::Name("on") {
            return Err(self.expected("a fragment's name, which may not be \"on\""));
        }
        let name = self.name()?;
        if !self.word("on") {
            return Err(self.expected("\"on\""));
        }
        Ok(Fragment {
            name,
            on: self.name()?,
            directives: self.directives(false)?,
            selection: self.selection_set()?,
        })
    }

    fn selection_set(&mut self) -> Parsed<SelectionSet> {
        let pos = self.pos();
        let id = self.id();
        let items = self.many(b'{', b'}', Self::selection)?;
        Ok(SelectionSet { id, pos, items })
    }

    fn selection(&mut self) -> Parsed<Selection> {
        let pos = self.pos();
        if *self.kind() != Kind::Spread {
            return self.field().map(Selection::Field);
        }
        self.at += 1;
        let conditional = self.word("on");
        if !conditional && matches!(self.kind(), Kind::Name(_)) {
            return Ok(Selection::Spread(Spread {
                name: self.name()?,
                directives: self.directives(false)?,
            }));
        }
        let on = if conditional {
            Some(self.name()?)
        } else {
            None
        };
        Ok(Selection::Inline(Inline {
            pos,
            on,
            directives: self.directives(false)?,
            selection: self.selection_set()?,
        }))
    }

    fn field(&mut self) -> Parsed<Field> {
        let pos = self.pos();
        let first = self.name()?;
        let (alias, name) = if self.take(b':') {
            (Some(first), self.name()?)
        } else {
            (None, first)
        };
        let arguments = self.optional(b'(', b')', |parser| parser.argument(false))?;
        let directives = self.directives(false)?;
        let selection = if *self.kind() == Kind::Mark(b'{') {
            Some(self.selection_set()?)
        } else {
            None
        };
        Ok(Field {
            id: self.id(),
            pos,
            alias,
            name,
            arguments,
            directives,
            selection,
        })
    }

    fn argument(&mut self, constant: bool) -> Parsed<Argument> {
        let name = self.name()?;
        self.need(b':')?;
        let value = self.value(constant)?;
        Ok(Argument { name, value })
    }

    pub(super) fn directives(&mut self, constant: bool) -> Parsed<Vec<Directive>> {
        let mut directives = Vec::new();
        while self.take(b'@') {
            directives.push(Directive {
                name: self.name()?,
                arguments: self.optional(b'(', b')', |parser| parser.argument(constant))?,
            });
        }
        Ok(directives)
    }

    pub(super) fn value(&mut self, constant: bool) -> Parsed<Node> {
        let pos = self.pos();
        let kind = self.kind();
        self.at += 1;
        let value = match kind {
            Kind::Int(digits) => Value::Int((*digits).to_owned()),
            Kind::Float(digits) => Value::Float((*digits).to_owned()),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Name("true") => Value::Boolean(true),
            Kind::Name("false") => Value::Boolean(false),
            Kind::Name("null") => Value::Null,
            Kind::Name(name) => Value::Enum(Name::new(name)),
            Kind::Mark(b'[') => {
                let mut items = Vec::new();
                while !self.take(b']') {
                    items.push(self.value(constant)?);
                }
                Value::List(items)
            }
            Kind::Mark(b'{') => {
                let mut fields = Vec::new();
                while !self.take(b'}') {
                    fields.push(self.argument(constant)?);
                }
                Value::Object(fields)
            }
            Kind::Mark(b'$') if !constant => Value::Variable(self.name()?.node),
            _ => {
                self.at -= 1;
                let what = if constant {
                    "a constant value"
                } else {
                    "a value"
                };
                return Err(self.expected(what));
            }
        };
        Ok(Node { pos, value })
    }
}
