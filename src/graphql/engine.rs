//! Runs operations: document stage, execution in one read transaction, and the answer as bytes.

use std::io::Write as _;
use std::sync::Arc;

use async_graphql::{Request, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::context::RequestContext;
use super::document::{
    DocumentLimits, Documents, MILLI, OperationKind, Passed, Plan, Prepared, RequestError, Scan,
    argument_at,
};
use super::error::{Bounds, Told, of_arguments, tell};
use super::estimate::Estimates;
use super::schema::{ActionSchema, build, sdl};
use crate::access::budget::Allowance;
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
    estimates: Estimates,
    options: Arc<EngineOptions>,
}

/// The limits of an engine, and those of the door before it, which `limits` tells with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// What documents may be.
    pub documents: DocumentLimits,
    /// What the door allows.
    pub door: DoorLimits,
}

impl EngineOptions {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            errors: self.documents.errors,
            message_chars: self.documents.message_chars,
        }
    }
}

/// The limits of whoever takes requests in: told here, kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorLimits {
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// Milliseconds that a request's head may take to arrive.
    pub head_ms: u64,
    /// Milliseconds that a request's body may take to arrive.
    pub body_ms: u64,
    /// Milliseconds that an operation may take.
    pub operation_ms: u64,
    /// Milliseconds that a statement may take.
    pub statement_ms: u64,
    /// Seconds for which a connection without a request is kept.
    pub keep_alive_seconds: u64,
    /// Operations that run at the same time.
    pub operations: u64,
    /// Operations of one caller that run at the same time.
    pub operations_per_caller: u64,
    /// Connections that are open at the same time.
    pub connections: u64,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1_000_000,
            head_ms: 5_000,
            body_ms: 10_000,
            operation_ms: 10_000,
            statement_ms: 10_000,
            keep_alive_seconds: 30,
            operations: 256,
            operations_per_caller: 64,
            connections: 10_000,
        }
    }
}

/// How a request is paid for.
#[derive(Clone, Debug, Default)]
pub struct Spending {
    /// The caller's bucket; none where nothing is counted.
    pub allowance: Option<Allowance>,
    /// Whether only the cost is asked for: nothing is executed.
    pub estimate_only: bool,
}

/// Whether a caller may ask for the schema itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Introspection {
    /// Yes.
    #[default]
    Allowed,
    /// No.
    Refused,
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
    /// The present.
    pub now: Instant,
    /// How the request came.
    pub method: Method,
    /// Under which name faults are found in the log.
    pub reference: String,
    /// Whether the caller may ask for the schema itself.
    pub introspection: Introspection,
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
    /// What it could have cost at most, in points.
    pub cost: u64,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u64>,
}

impl Engine {
    /// An engine on a database, with the limits that hold unless said otherwise.
    ///
    /// # Errors
    /// When the schema is not one, which a test would have seen.
    pub fn new(store: Store) -> Result<Self> {
        Self::with(store, EngineOptions::default())
    }

    /// An engine on a database.
    ///
    /// # Errors
    /// When the schema is not one, which a test would have seen.
    pub fn with(store: Store, options: EngineOptions) -> Result<Self> {
        let documents =
            Documents::new(&sdl(), options.documents.clone()).map_err(Error::internal)?;
        Ok(Self(Arc::new(Inner {
            estimates: Estimates::new(store.unrecorded()),
            store,
            schema: build(),
            documents,
            options: Arc::new(options),
        })))
    }

    /// Runs one operation that nobody pays for, reading everything in one transaction.
    pub async fn execute(&self, request: GraphqlRequest, call: Call) -> Reply {
        self.spend(request, call, Spending::default()).await
    }

    /// Runs one operation, reading everything in one transaction, and charges the caller for it.
    pub async fn spend(&self, request: GraphqlRequest, call: Call, spending: Spending) -> Reply {
        let Inner { documents, .. } = self.0.as_ref();
        let name = request.operation_name.as_deref();
        let kind = || documents.kind(&request.query, name);
        if call.method == Method::Get && kind().is_some_and(|kind| kind != OperationKind::Query) {
            return by_get(request.operation_name);
        }
        let prepared = match documents.prepare(&request.query, name, &request.variables) {
            Ok(prepared) => prepared,
            // Reading a document takes time as well.
            Err(errors) => match self.charge(0, &spending) {
                Ok(_) => return refused(&errors),
                Err(reply) => return reply,
            },
        };
        if prepared.kind == OperationKind::Query
            && let Err(error) = call.viewer.check(KeyScope::Read)
        {
            let told = Told::request(error.code().as_str(), error.message(), Vec::new());
            return refusal(vec![told], error.code());
        }
        if call.introspection == Introspection::Refused
            && Documents::is_introspection(&prepared.document)
        {
            return no_introspection();
        }
        self.run(request, prepared, call, spending).await
    }

    async fn run(
        &self,
        request: GraphqlRequest,
        prepared: Prepared,
        call: Call,
        spending: Spending,
    ) -> Reply {
        let Inner { store, schema, .. } = self.0.as_ref();
        let Prepared {
            document,
            operation_name,
            variables,
            cost,
            plan,
            ..
        } = prepared;
        let tx = ReadTx::new(store);
        // Whoever goes away, or is told that it takes too long, leaves nothing running at the database.
        let watch = tx.cancel_on_drop();
        let options = Arc::clone(&self.0.options);
        let allowance = spending.allowance.clone();
        let context = RequestContext::new(call.viewer, call.now, tx.clone(), options, allowance);
        let bill = match self.bill(plan, &context, &spending).await {
            Ok(bill) => bill,
            Err(reply) => return *reply,
        };
        if spending.estimate_only {
            watch.done();
            return bill.estimate(operation_name, cost.nodes);
        }
        let mut running = Request::new("").variables(variables).data(context);
        running.set_parsed_query(document);
        if let Some(name) = &operation_name {
            running = running.operation_name(name);
        }
        let response = schema.execute(running).await;
        watch.done();
        let statements = tx.statements();
        let refused = self.refused_arguments(&response, &request);
        if !refused.is_empty() {
            bill.settle(0);
            let reply = refusal(refused, Code::BadUserInput);
            return Reply {
                operation_name,
                statements,
                cost: bill.requested(),
                ..reply
            };
        }
        let outcome = if response.errors.is_empty() {
            Outcome::Complete
        } else {
            Outcome::Partial
        };
        bill.settle(bill.used(&response.data));
        let costs = bill.costs(Some(bill.used(&response.data)), cost.nodes, statements);
        let body = self.answer(response, costs, &request, &call.reference);
        Reply {
            body,
            outcome,
            operation_name,
            statements,
            cost: bill.requested(),
            retry_after: None,
        }
    }

    /// What the operation may cost, taken from the caller's bucket.
    async fn bill(
        &self,
        plan: Plan,
        context: &RequestContext,
        spending: &Spending,
    ) -> Result<Bill, Box<Reply>> {
        let scans = plan.scans();
        let mut scanned = Vec::new();
        if !scans.is_empty() {
            let days = match self.0.estimates.days(context).await {
                Ok(days) => days,
                Err(error) => return Err(Box::new(failed(&error, context.limits.bounds()))),
            };
            let actions = |scan: &Scan| (scan.clone(), days.scanned(scan, context));
            scanned = scans.into_iter().map(actions).collect();
        }
        let maximum = self.0.options.documents.cost;
        let mut bill = Bill {
            plan,
            scanned,
            requested: 0,
            maximum,
            allowance: None,
        };
        bill.requested = points(bill.plan.requested(&|scan| bill.actions(scan))).max(LEAST);
        if bill.requested > maximum {
            return Err(Box::new(bill.too_much()));
        }
        let taken = if spending.estimate_only {
            0
        } else {
            bill.requested
        };
        self.charge(taken, spending).map_err(Box::new)?;
        bill.allowance.clone_from(&spending.allowance);
        Ok(bill)
    }

    /// Takes points from the caller's bucket, at least one.
    fn charge(&self, points: u64, spending: &Spending) -> Result<(), Reply> {
        let Some(allowance) = &spending.allowance else {
            return Ok(());
        };
        let wanted = points.max(LEAST);
        let Err(empty) = allowance.take(wanted) else {
            return Ok(());
        };
        let terms = allowance.terms();
        if wanted > terms.capacity {
            let message = format!(
                "The operation costs up to {wanted} points, this caller's budget holds {}. Ask for smaller pages, a shorter range or fewer fields.",
                terms.capacity
            );
            let passed = passed("budgetCapacity", terms.capacity, wanted);
            return Err(over(Code::CostExceeded, &message, &passed));
        }
        let message = format!(
            "The operation costs up to {wanted} points, {} are left of {}; {} come back each second. Try again in {} s, or ask for less.",
            empty.available, terms.capacity, terms.restore, empty.seconds
        );
        let passed = passed("budgetCapacity", empty.available, wanted);
        let mut reply = over(Code::RateLimited, &message, &passed);
        reply.retry_after = Some(empty.seconds);
        Err(reply)
    }

    /// The errors that say that an argument has a value which its scalar does not take.
    fn refused_arguments(&self, response: &Response, request: &GraphqlRequest) -> Vec<Told> {
        let Inner {
            documents, options, ..
        } = self.0.as_ref();
        let mut refused = of_arguments(&response.errors, options.bounds());
        let name = request.operation_name.as_deref();
        if refused.is_empty() {
            return refused;
        }
        // The executor has taken the document, so it is written once more.
        if let Ok(again) = documents.prepare(&request.query, name, &request.variables) {
            let named = |place| Some(argument_at(&again.document, place)?.to_string());
            refused
                .iter_mut()
                .for_each(|told| told.name_argument(named));
        }
        refused
    }

    fn answer(
        &self,
        response: Response,
        cost: Costs,
        request: &GraphqlRequest,
        reference: &str,
    ) -> Vec<u8> {
        let Inner {
            documents, options, ..
        } = self.0.as_ref();
        let mut errors = tell(response.errors, options.bounds(), reference);
        let name = request.operation_name.as_deref();
        if errors.iter().any(Told::is_limit_of_field)
            && let Ok(again) = documents.prepare(&request.query, name, &request.variables)
        {
            let limits = errors.iter_mut().filter(|told| told.is_limit_of_field());
            limits.for_each(|told| {
                told.locate(|path, argument| documents.coordinate(&again.document, path, argument));
            });
        }
        bytes(&Answer {
            errors,
            data: response.data,
            extensions: Extensions { cost },
        })
    }
}

/// What an operation costs, once its caller has paid for it.
struct Bill {
    plan: Plan,
    scanned: Vec<(Scan, u64)>,
    requested: u64,
    maximum: u64,
    allowance: Option<Allowance>,
}

impl Bill {
    /// Actions that a scan looks through.
    fn actions(&self, scan: &Scan) -> u64 {
        let mut known = self.scanned.iter();
        known
            .find(|(known, _)| known == scan)
            .map_or(0, |(_, actions)| *actions)
    }

    /// Points that were asked for.
    fn requested(&self) -> u64 {
        self.requested
    }

    /// Points that an answer was worth.
    fn used(&self, data: &async_graphql::Value) -> u64 {
        let used = points(self.plan.used(data, &|scan| self.actions(scan)));
        used.clamp(LEAST, self.requested)
    }

    /// Gives back what was not used.
    fn settle(&self, used: u64) {
        if let Some(allowance) = &self.allowance {
            allowance.give_back(self.requested.saturating_sub(used.max(LEAST)));
        }
    }

    fn costs(&self, actual: Option<u64>, rows: u64, statements: u32) -> Costs {
        Costs {
            requested_query_cost: self.requested,
            actual_query_cost: actual,
            maximum_query_cost: self.maximum,
            rows,
            scanned_actions: self.scanned.iter().map(|(_, actions)| actions).sum(),
            statements,
            throttle: self.allowance.as_ref().map(Throttle::of),
        }
    }

    /// The answer to a caller who asked for the estimate alone.
    fn estimate(&self, operation_name: Option<String>, rows: u64) -> Reply {
        let cost = self.costs(None, rows, 0);
        let body = bytes(&Answer {
            errors: Vec::new(),
            data: async_graphql::Value::Null,
            extensions: Extensions { cost },
        });
        Reply {
            body,
            outcome: Outcome::Complete,
            operation_name,
            statements: 0,
            cost: self.requested,
            retry_after: None,
        }
    }

    /// The answer to an operation that costs too much whatever its caller has left.
    fn too_much(&self) -> Reply {
        let message = format!(
            "The operation costs up to {} points, the limit is {}. Ask for smaller pages (first, last), a shorter range, or fewer lists inside lists.",
            self.requested, self.maximum
        );
        let passed = passed("cost", self.maximum, self.requested);
        over(Code::CostExceeded, &message, &passed)
    }
}

fn passed(limit: &'static str, maximum: u64, value: u64) -> Passed {
    Passed {
        limit,
        maximum,
        value,
        coordinate: None,
    }
}

fn over(code: Code, message: &str, passed: &Passed) -> Reply {
    let told = Told::request(code.as_str(), message, Vec::new()).passing(Some(passed));
    refusal(vec![told], code)
}

/// What an operation costs at least: reading it takes time, too.
const LEAST: u64 = 1;

/// Whole points of so many thousandths.
fn points(thousandths: u64) -> u64 {
    thousandths.div_ceil(MILLI)
}

fn no_introspection() -> Reply {
    let message = "This caller may not ask for the schema by introspection; read it as text at /schema.graphql if that is open.";
    let told = Told::request(Code::Forbidden.as_str(), message, Vec::new());
    refusal(vec![told], Code::Forbidden)
}

/// The estimate failed, before anything was executed.
fn failed(error: &Error, bounds: Bounds) -> Reply {
    let cause = error.cause().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(cause, code = error.code().as_str(), "an estimate failed");
    let message: String = error.message().chars().take(bounds.message_chars).collect();
    let told = Told::request(error.code().as_str(), &message, Vec::new());
    refusal(vec![told], error.code())
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
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_query_cost: Option<u64>,
    maximum_query_cost: u64,
    rows: u64,
    scanned_actions: u64,
    statements: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Throttle>,
}

/// What the caller has left.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    available: u64,
    capacity: u64,
    restore_rate: u64,
}

impl Throttle {
    fn of(allowance: &Allowance) -> Self {
        let terms = allowance.terms();
        Self {
            available: allowance.available(),
            capacity: terms.capacity,
            restore_rate: terms.restore,
        }
    }
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
    let told = errors.iter().map(|error| {
        Told::request(error.code, &error.message, error.locations.clone())
            .passing(error.passed.as_deref())
    });
    refusal(told.collect(), code)
}

fn refusal(errors: Vec<Told>, code: Code) -> Reply {
    Reply {
        body: bytes(&Refusal { errors }),
        outcome: Outcome::RequestError { code },
        operation_name: None,
        statements: 0,
        cost: 0,
        retry_after: None,
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
        retry_after: None,
    }
}

fn code_of(code: &str) -> Code {
    let known = [
        Code::ParseFailed,
        Code::ValidationFailed,
        Code::BadUserInput,
        Code::LimitExceeded,
        Code::CostExceeded,
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
