//! Runs operations: document stage, execution in one read transaction, and the answer as bytes.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{Request, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::context::RequestContext;
use super::document::{
    DocumentLimits, Documents, Hides, OperationKind, Prepared, RequestError, argument_at,
};
use super::error::{Told, of_arguments, tell};
use super::schema::{ActionSchema, build, sdl};
use crate::domain::error::{Code, Error, Result};
use crate::domain::scope::{KeyScope, Viewer};
use crate::domain::time::Instant;
use crate::store::{ReadTx, Store};

/// Runs operations on one database. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Store,
    schema: ActionSchema,
    documents: Documents,
}

/// What a client sends.
#[derive(Clone, Debug, Default)]
pub struct GraphqlRequest {
    /// The document.
    pub query: String,
    /// Which of its operations to run.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Map<String, Value>,
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By GET: queries only.
    Get,
    /// By POST.
    Post,
}

/// Who asks, when and how.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks.
    pub viewer: Viewer,
    /// The address that the request came from, where one is known.
    pub address: Option<IpAddr>,
    /// The present.
    pub now: Instant,
    /// How the request came.
    pub method: Method,
    /// Under which name faults are found in the log.
    pub reference: String,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused before execution; the answer has no `data`.
    RequestError {
        /// Why.
        code: Code,
    },
    /// It was a mutation by GET.
    MutationByGet,
    /// Everything that was asked for was answered.
    Complete,
    /// Some of it failed.
    Partial,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer as JSON.
    pub body: Vec<u8>,
    /// How the request ended.
    pub outcome: Outcome,
    /// The name of the operation, if it has one.
    pub operation_name: Option<String>,
    /// How many statements it took.
    pub statements: u32,
    /// Rows that it could have returned at most.
    pub cost: u64,
}

impl Engine {
    /// An engine on a database.
    ///
    /// # Errors
    /// When the schema is not one, which a test would have seen.
    pub fn new(store: Store) -> Result<Self> {
        let documents =
            Documents::new(&sdl(), DocumentLimits::default()).map_err(Error::internal)?;
        Ok(Self(Arc::new(Inner {
            store,
            schema: build(),
            documents,
        })))
    }

    /// Runs one operation, reading everything in one transaction.
    pub async fn execute(&self, request: GraphqlRequest, call: Call) -> Reply {
        let Inner {
            store,
            schema,
            documents,
        } = self.0.as_ref();
        let name = request.operation_name.as_deref();
        let kind = || documents.kind(&request.query, name);
        if call.method == Method::Get && kind().is_some_and(|kind| kind != OperationKind::Query) {
            return by_get(request.operation_name);
        }
        let prepared = match documents.prepare(&request.query, name, &request.variables) {
            Ok(prepared) => prepared,
            Err(errors) => return refused(&errors),
        };
        let hides = Hides {
            reward: call.viewer.limits.hide_reward,
            user_keys: call.viewer.limits.hide_user_keys,
        };
        if let Err(errors) = documents.check_hidden(&request.query, name, &request.variables, hides)
        {
            return refused(&errors);
        }
        let Prepared {
            document,
            operation_name,
            variables,
            cost,
            kind: prepared_kind,
            ..
        } = prepared;
        if prepared_kind == OperationKind::Query
            && let Err(error) = call.viewer.check(KeyScope::Read)
        {
            let told = Told::request(error.code().as_str(), error.message(), Vec::new());
            return refusal(vec![told], error.code());
        }
        let tx = ReadTx::for_viewer(store, &call.viewer, call.now);
        let context = RequestContext::new(call.viewer, call.address, call.now, tx.clone());
        let mut running = Request::new("").variables(variables).data(context);
        running.set_parsed_query(document);
        if let Some(name) = &operation_name {
            running = running.operation_name(name);
        }
        let response = schema.execute(running).await;
        let statements = tx.statements();
        let mut refused = of_arguments(&response.errors);
        if !refused.is_empty() {
            // The executor has taken the document, so it is written once more.
            if let Ok(again) = documents.prepare(&request.query, name, &request.variables) {
                let named = |place| Some(argument_at(&again.document, place)?.to_string());
                refused
                    .iter_mut()
                    .for_each(|told| told.name_argument(named));
            }
            let reply = refusal(refused, Code::BadUserInput);
            return Reply {
                operation_name,
                statements,
                cost: cost.nodes,
                ..reply
            };
        }
        let outcome = if response.errors.is_empty() {
            Outcome::Complete
        } else {
            Outcome::Partial
        };
        let costs = Costs {
            requested_query_cost: cost.nodes,
            maximum_query_cost: documents.limits().nodes,
            statements,
        };
        let body = answer(response, costs, &call.reference);
        Reply {
            body,
            outcome,
            operation_name,
            statements,
            cost: cost.nodes,
        }
    }
}

/// An answer to an execution; errors come first, so that whoever reads it by eye sees them.
#[derive(Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Told>,
    data: async_graphql::Value,
    extensions: Extensions,
}

#[derive(Serialize)]
struct Extensions {
    cost: Costs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Costs {
    requested_query_cost: u64,
    maximum_query_cost: u64,
    statements: u32,
}

fn answer(response: Response, cost: Costs, reference: &str) -> Vec<u8> {
    let errors = tell(response.errors, reference);
    bytes(&Answer {
        errors,
        data: response.data,
        extensions: Extensions { cost },
    })
}

/// An answer to a request that was not executed: without `data`.
#[derive(Serialize)]
struct Refusal {
    errors: Vec<Told>,
}

fn refused(errors: &[RequestError]) -> Reply {
    let code = errors
        .first()
        .map_or(Code::ValidationFailed, |error| code_of(error.code));
    let told = errors
        .iter()
        .map(|error| Told::request(error.code, &error.message, error.locations.clone()));
    refusal(told.collect(), code)
}

fn refusal(errors: Vec<Told>, code: Code) -> Reply {
    Reply {
        body: bytes(&Refusal { errors }),
        outcome: Outcome::RequestError { code },
        operation_name: None,
        statements: 0,
        cost: 0,
    }
}

fn by_get(operation_name: Option<String>) -> Reply {
    let message = "GET is for queries only: send a mutation by POST";
    let errors = vec![Told::request(
        Code::BadUserInput.as_str(),
        message,
        Vec::new(),
    )];
    let body = bytes(&Refusal { errors });
    Reply {
        body,
        outcome: Outcome::MutationByGet,
        operation_name,
        statements: 0,
        cost: 0,
    }
}

fn code_of(code: &str) -> Code {
    let known = [
        Code::ParseFailed,
        Code::ValidationFailed,
        Code::BadUserInput,
        Code::LimitExceeded,
        Code::CostExceeded,
        Code::Forbidden,
    ];
    known
        .into_iter()
        .find(|known| known.as_str() == code)
        .unwrap_or(Code::ValidationFailed)
}

fn bytes(answer: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::with_capacity(4096);
    if let Err(error) = serde_json::to_writer(&mut body, answer) {
        // Names and values are texts and numbers, which always can be written; an answer must go out all the same.
        tracing::error!(%error, "an answer could not be written");
        body.clear();
        let fault = r#"{"errors":[{"message":"The server made an error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
        let _ = body.write_all(fault.as_bytes());
    }
    body
}
