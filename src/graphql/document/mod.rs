//! The one stage before execution: lexical gate, parse, limits of shape, validation, variables, conversion, cost. A request's text meets
//! no other parser, on any transport. HTTP, sockets and execution are not here.
//!
//! | file | does |
//! | --- | --- |
//! | `gate` | bytes to tokens; limits on bytes, tokens, nesting |
//! | `parse`, `ast` | tokens to the document as written |
//! | `shape` | limits on what is written and on what fragments expand to |
//! | `schema`, `sdl` | the schema, read from SDL |
//! | `check`, `values`, `usage`, `merge` | validation against `schema` |
//! | `variables` | values of variables by their types |
//! | `convert` | what the executor gets |
//! | `scalars` | values of the schema's own scalars |
//! | `cost`, `scans`, `plan` | what the operation costs, and how large its pages are; what an answer came to |
//! | `inputs` | how many objects arguments hold |
//! | `introspection` | how much of the schema itself is asked for |
//! | `coordinate` | what a path of an answer is in the schema |
//!
//! Verdicts are compared with graphql-js in `tests/it/documents.rs`. Known and wanted differences: a nullable variable inside a `@oneOf`
//! input object is refused everywhere (graphql-js 16 misses it below `!` and lists), and so is a Float literal beyond double precision;
//! the experimental deprecation of directives is not part of the introspection here.

mod ast;
mod check;
mod convert;
mod coordinate;
mod cost;
mod error;
mod gate;
mod hidden;
mod inputs;
mod introspection;
mod merge;
mod parse;
mod plan;
mod scalars;
mod scans;
mod schema;
mod sdl;
mod shape;
mod usage;
mod values;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{PathSegment, Variables};
use serde_json::{Map, Value};

pub use cost::{Cost, MILLI, WINDOW};
pub use error::{
    BAD_USER_INPUT, COST_EXCEEDED, FORBIDDEN, LIMIT_EXCEEDED, PARSE_FAILED, Passed, RequestError,
    VALIDATION_FAILED,
};
pub use hidden::Hides;
pub use plan::{Failed, Plan, Scan, UsualPeriod};
pub use scalars::{Judge, Judges};

use ast::{Document, Operation};
use error::shown;
use schema::Schema;
use variables::Purse;

/// Deepest nesting whatever the settings say: the native stack is used this far, at most a few hundred bytes a level.
const DEEPEST: usize = 200;

/// Every limit of the stage. A document at a limit passes, one above it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the document's text.
    pub bytes: usize,
    /// Tokens; comments, commas and white space are none.
    pub tokens: usize,
    /// Nesting of `{ [ (`, and of fields and fragments with fragments written out; more than 200 is taken as 200.
    pub nesting: usize,
    /// Levels of fields.
    pub depth: usize,
    /// Fields, spreads and inline fragments of all operations together, with fragments written out.
    pub selections: usize,
    /// Aliases as written.
    pub aliases: usize,
    /// Different answer names at the root of an operation.
    pub root_fields: usize,
    /// Times that one field is written in one place (a selection set with its inline fragments).
    pub repeats: usize,
    /// Fields in one place.
    pub fields: usize,
    /// Directives in one place.
    pub directives: usize,
    /// Directives as written.
    pub all_directives: usize,
    /// Operations in a document.
    pub operations: usize,
    /// Variables of an operation.
    pub variables: usize,
    /// Values in the variables of a request: each scalar, list and object counts.
    pub variable_values: usize,
    /// Bytes of names and texts in the variables of a request.
    pub variable_bytes: usize,
    /// Bytes that fields and the values of their arguments take with fragments and variables written out (a variable counts wherever it is
    /// used).
    pub written_bytes: usize,
    /// Pairs of fields with one answer name that are compared.
    pub comparisons: usize,
    /// Input objects that one argument may hold, at any depth: the largest filter that is taken unless said otherwise has fewer.
    pub input_objects: u64,
    /// Lists inside lists that introspection may ask for.
    pub introspection_lists: usize,
    /// Values that introspection may ask for in one operation; the usual question of the whole schema asks for a tenth of them.
    pub introspection_values: u64,
    /// Points of one trend of a segment, which it costs as many as.
    pub trend_points: usize,
    /// Errors in an answer.
    pub errors: usize,
    /// Characters of an error's message.
    pub message_chars: usize,
    /// Rows that an operation can return at most.
    pub nodes: u64,
    /// Values of scalars and enums that an answer can hold at most, about.
    pub values: u64,
    /// Rows of one page, whatever the list; lists have smaller limits of their own.
    pub page: u64,
    /// What an operation may cost, in points.
    pub cost: u64,
    /// Size of a page that neither the request nor the schema states.
    pub default_page: u64,
    /// Whether scalars of the schema's own can be lists or objects (JSON scalars); none of Actiongraph's can.
    pub structured_scalars: bool,
    /// Bytes for the memory of valid documents; 0 remembers none.
    pub cache_bytes: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes: 100_000,
            tokens: 5_000,
            nesting: 60,
            depth: 24,
            selections: 5_000,
            aliases: 60,
            root_fields: 30,
            repeats: 20,
            fields: 200,
            directives: 10,
            all_directives: 100,
            operations: 20,
            variables: 100,
            variable_values: 50_000,
            variable_bytes: 1_000_000,
            written_bytes: 4 << 20,
            comparisons: 100_000,
            input_objects: 5_000,
            introspection_lists: 2,
            introspection_values: 400_000,
            trend_points: 60,
            errors: 20,
            message_chars: 300,
            nodes: 10_000,
            values: 300_000,
            page: 10_000,
            cost: 500_000,
            default_page: 20,
            structured_scalars: false,
            cache_bytes: 8 << 20,
        }
    }
}

impl DocumentLimits {
    /// The limit on nesting that holds.
    fn nesting(&self) -> usize {
        self.nesting.min(DEEPEST)
    }
}

/// What an operation does; decides whether it may come by GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
    /// Listens.
    Subscription,
}

/// A request that may be executed.
#[derive(Debug)]
pub struct Prepared {
    /// The one operation to run, its variables filled in; give it to `Request::set_parsed_query`.
    pub document: ExecutableDocument,
    /// The operation's name, if it has one; give it to `Request::operation_name`.
    pub operation_name: Option<String>,
    /// What the operation does.
    pub kind: OperationKind,
    /// The variables in their types, with defaults. The document no longer refers to them.
    pub variables: Variables,
    /// What the operation may cost.
    pub cost: Cost,
    /// What that is made of.
    pub plan: Plan,
}

/// The stage for one schema. Shared by all requests; never blocks for longer than a look into its memory.
#[derive(Debug)]
pub struct Documents {
    schema: Schema,
    limits: DocumentLimits,
    judges: Judges,
    known: Mutex<Known>,
}

/// Valid documents by their text, oldest first out.
#[derive(Debug, Default)]
struct Known {
    documents: HashMap<Arc<str>, Arc<Document>>,
    order: VecDeque<(Arc<str>, usize)>,
    bytes: usize,
}

fn kind_of(operation: OperationType) -> OperationKind {
    match operation {
        OperationType::Query => OperationKind::Query,
        OperationType::Mutation => OperationKind::Mutation,
        OperationType::Subscription => OperationKind::Subscription,
    }
}

impl Documents {
    /// A stage for the schema that `sdl` describes.
    ///
    /// # Errors
    /// A sentence when `sdl` is no schema.
    pub fn new(sdl: &str, limits: DocumentLimits) -> Result<Self, String> {
        Ok(Self {
            schema: Schema::new(sdl)?,
            limits,
            judges: Judges::new(),
            known: Mutex::default(),
        })
    }

    /// The same stage, with what the schema's own scalars take.
    #[must_use]
    pub fn judging(self, judges: Judges) -> Self {
        Self { judges, ..self }
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> &DocumentLimits {
        &self.limits
    }

    /// Reads and validates a text without running anything of it.
    ///
    /// # Errors
    /// As [`Self::prepare`], but for operation names and variables.
    pub fn validate(&self, text: &str) -> Result<(), Vec<RequestError>> {
        self.document(text).map(drop)
    }

    /// Runs the whole stage for one request.
    ///
    /// An operation name that is missing where there are several operations, or that no operation has, is `BAD_USER_INPUT`: the document
    /// is fine, the request is not.
    ///
    /// # Errors
    /// Between one and [`DocumentLimits::errors`] errors; those of one step only, the first that fails.
    pub fn prepare(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<Prepared, Vec<RequestError>> {
        self.prepare_weighed(text, operation_name, variables).0
    }

    /// Runs the whole stage likewise, and says how many bytes were written out, also where the request is refused: that is work
    /// that its text does not show.
    pub fn prepare_weighed(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> (Result<Prepared, Vec<RequestError>>, usize) {
        let mut weight = 0;
        let prepared = self.run(text, operation_name, variables, &mut weight);
        let prepared = prepared.map_err(|errors| {
            let chars = self.limits.message_chars;
            errors.into_iter().map(|error| error.cut(chars)).collect()
        });
        (prepared, weight)
    }

    /// What a path of an answer is in the schema, such as `Query.actions`, or `Query.actions(first:)` with an argument.
    #[must_use]
    pub fn coordinate(
        &self,
        written: &ExecutableDocument,
        path: &[PathSegment],
        argument: Option<&str>,
    ) -> Option<String> {
        coordinate::of_path(&self.schema, written, path, argument)
    }

    /// Whether an operation asks for the schema itself.
    #[must_use]
    pub fn is_introspection(written: &ExecutableDocument) -> bool {
        coordinate::introspects(written)
    }

    /// What kind of operation a text would run, whether or not it is valid: a mutation sent by GET is refused for its
    /// method, not for what it says. None where nothing could run.
    pub fn kind(&self, text: &str, operation_name: Option<&str>) -> Option<OperationKind> {
        let tokens = gate::tokens(text, &self.limits).ok()?;
        let document = parse::document(&tokens).ok()?;
        selected(&document, operation_name)
            .ok()
            .map(|operation| kind_of(operation.kind))
    }

    /// Checks that a request that [`Self::prepare`] takes asks for nothing that is hidden from the viewer.
    ///
    /// # Errors
    /// `FORBIDDEN` at the first place that does; otherwise what [`Self::prepare`] says.
    pub fn check_hidden(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
        hides: Hides,
    ) -> Result<(), Vec<RequestError>> {
        if hides == Hides::default() {
            return Ok(());
        }
        let document = self.document(text)?;
        let operation = selected(&document, operation_name).map_err(|error| vec![error])?;
        let values = variables::coerce(&self.schema, operation, variables, &self.limits)?;
        hidden::check(&self.schema, &document, (operation, &values), hides)
            .map_err(|error| vec![error])
    }

    fn run(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
        weight: &mut usize,
    ) -> Result<Prepared, Vec<RequestError>> {
        let document = self.document(text)?;
        let operation = selected(&document, operation_name).map_err(|error| vec![error])?;
        let values = variables::coerce(&self.schema, operation, variables, &self.limits)?;
        let purse = Purse::new(&values, self.limits.written_bytes);
        let written = convert::convert(&self.schema, &document, operation, &purse);
        *weight = purse.spent();
        let written = written.map_err(|error| vec![error])?;
        scalars::check(&self.schema, &self.judges, &written, &self.limits)?;
        let (cost, plan) =
            cost::count(&self.schema, &written, &self.limits).map_err(|e| vec![e])?;
        let mut variables = Variables::default();
        variables.extend(values);
        Ok(Prepared {
            document: written,
            operation_name: operation.name.as_ref().map(|name| name.node.to_string()),
            kind: kind_of(operation.kind),
            variables,
            cost,
            plan,
        })
    }

    /// The valid document of a text, remembered or read.
    fn document(&self, text: &str) -> Result<Arc<Document>, Vec<RequestError>> {
        // Longer texts are never remembered; this also keeps them from being hashed.
        let fits = text.len() <= self.limits.bytes;
        if fits && let Some(document) = self.known().documents.get(text) {
            return Ok(Arc::clone(document));
        }
        let tokens = gate::tokens(text, &self.limits).map_err(|error| vec![error])?;
        let document = parse::document(&tokens).map_err(|error| vec![error])?;
        shape::check(&document, &self.limits).map_err(|error| vec![error])?;
        check::check(&self.schema, &document, &self.limits)?;
        let document = Arc::new(document);
        self.remember(text, tokens.len(), &document);
        Ok(document)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // What is remembered is whole at every moment, so that a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, text: &str, tokens: usize, document: &Arc<Document>) {
        // A rough weight: the text twice (once in the document's names and strings) and a node for each token.
        let weight = text.len() * 2 + tokens * 256;
        if weight > self.limits.cache_bytes / 4 {
            return;
        }
        let text: Arc<str> = text.into();
        let mut known = self.known();
        if known
            .documents
            .insert(Arc::clone(&text), Arc::clone(document))
            .is_some()
        {
            return;
        }
        known.order.push_back((text, weight));
        known.bytes += weight;
        while known.bytes > self.limits.cache_bytes {
            let Some((oldest, weight)) = known.order.pop_front() else {
                return;
            };
            known.documents.remove(&oldest);
            known.bytes -= weight;
        }
    }
}

/// The operation that a request asks for.
fn selected<'d>(document: &'d Document, name: Option<&str>) -> Result<&'d Operation, RequestError> {
    match (name, document.operations.as_slice()) {
        (None, [only]) => Ok(only),
        (None, []) => Err(RequestError::whole(
            BAD_USER_INPUT,
            "The document has no operation to run.",
        )),
        (None, _) => Err(RequestError::whole(
            BAD_USER_INPUT,
            "The document has several operations: say which to run in operationName.",
        )),
        (Some(name), operations) => operations
            .iter()
            .find(|operation| operation.name.as_ref().is_some_and(|own| own.node == *name))
            .ok_or_else(|| {
                RequestError::whole(
                    BAD_USER_INPUT,
                    format!("The document has no operation named \"{}\".", shown(name)),
                )
            }),
    }
}
