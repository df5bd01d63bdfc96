//! Runs operations: document stage, execution in one read transaction, and the answer as bytes.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response};
use serde_json::{Map, Value};

use super::bill::{Bill, Costs, LEAST, Scanned, passed, too_much_unseen, writing_out};
use super::context::RequestContext;
use super::document::{
    DocumentLimits, Documents, Hides, OperationKind, Passed, Plan, Prepared, Scan,
};
use super::error::{Told, tell};
use super::estimate::{Estimates, Saved, are_coming, are_held, are_plain, settings_for};
use super::options::{EngineOptions, Introspection, Spending};
use super::reply::{
    Extensions, Outcome, Reply, answer, by_get, bytes, estimate, no_introspection, over, refusal,
    refused, remedy, too_long, too_much, whole,
};
use super::scalar::judges;
use super::schema::{ActionSchema, build, sdl};
use super::written::Unwritten;
use crate::access::user_ids::UserIdsSecrets;
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
    user_ids: UserIdsSecrets,
    options: Arc<EngineOptions>,
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
    /// Whether the caller may ask for the schema itself.
    pub introspection: Introspection,
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
        let limits = DocumentLimits {
            trend_points: options.queries.trend_points,
            ..options.documents.clone()
        };
        let documents = Documents::new(&sdl(), limits).map_err(Error::internal)?;
        let documents = documents.judging(judges());
        let store = store.with_limits(options.queries);
        Ok(Self(Arc::new(Inner {
            estimates: Estimates::new(store.unrecorded()),
            store,
            schema: build(),
            documents,
            user_ids: UserIdsSecrets::default(),
            options: Arc::new(options),
        })))
    }

    /// Runs one operation that nobody pays for, reading everything in one transaction.
    pub async fn execute(&self, request: GraphqlRequest, call: Call) -> Reply {
        self.spend(request, call, Spending::default()).await
    }

    /// Runs one operation, reading everything in one transaction, and charges the caller for it.
    pub async fn spend(
        &self,
        request: GraphqlRequest,
        call: Call,
        mut spending: Spending,
    ) -> Reply {
        let Inner { documents, .. } = self.0.as_ref();
        let name = request.operation_name.as_deref();
        let kind = || documents.kind(&request.query, name);
        if call.method == Method::Get && kind().is_some_and(|kind| kind != OperationKind::Query) {
            return self.turn_away(by_get(request.operation_name), &spending);
        }
        let (prepared, written) =
            documents.prepare_weighed(&request.query, name, &request.variables);
        spending.reading = spending.reading.saturating_add(writing_out(written));
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return self.turn_away(refused(&errors), &spending),
        };
        let hides = Hides {
            reward: call.viewer.limits.hide_reward,
            user_keys: call.viewer.limits.hide_user_keys,
        };
        if let Err(errors) = documents.check_hidden(&request.query, name, &request.variables, hides)
        {
            return self.turn_away(refused(&errors), &spending);
        }
        // Mutations, too: their payloads answer whatever hangs on what was written.
        if let Err(error) = call.viewer.check(KeyScope::Read) {
            let told = Told::request(error.code().as_str(), error.message(), Vec::new());
            return self.turn_away(refusal(vec![told], error.code()), &spending);
        }
        if call.introspection == Introspection::Refused
            && Documents::is_introspection(&prepared.document)
        {
            return self.turn_away(no_introspection(), &spending);
        }
        self.run(Kept::of(request), prepared, call, spending).await
    }

    async fn run(
        &self,
        request: Kept,
        prepared: Prepared,
        call: Call,
        spending: Spending,
    ) -> Reply {
        let Inner {
            store,
            schema,
            user_ids,
            ..
        } = self.0.as_ref();
        let Prepared {
            document,
            operation_name,
            kind,
            variables,
            cost,
            plan,
            ..
        } = prepared;
        let user_ids = match user_ids.of(store, &call.viewer).await {
            Ok(user_ids) => user_ids,
            Err(error) => return self.failed(&error, (&spending, &call.reference)),
        };
        let tx = ReadTx::for_viewer(store, &call.viewer, call.now);
        // Whoever goes away, or is told that it takes too long, leaves nothing running at the database.
        let watch = tx.cancel_on_drop();
        let options = Arc::clone(&self.0.options);
        let allowance = spending.allowance.clone();
        let context = RequestContext::new(
            call.viewer,
            (call.address, call.now),
            tx.clone(),
            options,
            allowance,
            user_ids,
        );
        let bill = match self
            .bill(plan, &document, &context, (&spending, &call.reference))
            .await
        {
            Ok(bill) => bill,
            Err(reply) => return *reply,
        };
        if spending.estimate_only {
            watch.done();
            return estimate(&bill, operation_name, cost.nodes);
        }
        let mut running = Request::new("").variables(variables);
        running = running.data(context).data(self.0.options.writing);
        running.set_parsed_query(document);
        if let Some(name) = &operation_name {
            running = running.operation_name(name);
        }
        let response = schema.execute(running).await;
        watch.done();
        let statements = tx.statements();
        // What was executed is answered and paid, whatever its errors say: a mutation may have been committed.
        let outcome = if response.errors.is_empty() {
            Outcome::Complete
        } else {
            Outcome::Partial
        };
        let used = bill.used(&response, tx.was_spared());
        bill.settle(used);
        let costs = bill.costs(Some(used), cost.nodes, statements);
        let body = self.answer(response, costs, &request, &call.reference);
        Reply {
            body,
            outcome,
            operation_name,
            statements,
            cost: bill.requested,
            retry_after: None,
            is_of_mutation: kind == OperationKind::Mutation,
        }
    }

    /// What the operation may cost, taken from the caller's bucket.
    async fn bill(
        &self,
        plan: Plan,
        document: &ExecutableDocument,
        context: &RequestContext,
        (spending, reference): (&Spending, &str),
    ) -> Result<Bill, Box<Reply>> {
        let failed = |error: &Error| Box::new(self.failed(error, (spending, reference)));
        let bounds = (spending.reading, self.0.options.documents.cost);
        if let Some(passed) = too_much_unseen(&plan, bounds) {
            return Err(Box::new(self.too_dear(&passed, false, spending)));
        }
        let scans = plan.scans();
        let (mut scanned, mut changes) = (Vec::new(), 0);
        if !scans.is_empty() {
            let (days, last) = match self.0.estimates.days(context).await {
                Ok(days) => days,
                Err(error) => return Err(failed(&error)),
            };
            changes = last;
            let are_held = are_held(context, changes);
            let is_of_saved = are_held && scans.iter().any(|scan| scan.is_of_saved);
            let are_told = is_of_saved && {
                let saved = Saved::of(document);
                let told = self.0.estimates.tells_saved(&saved, context).await;
                match told {
                    Ok(told) => told,
                    Err(error) => return Err(failed(&error)),
                }
            };
            // With this the operation's own transaction begins: nothing is read beside it from here on.
            let settings = match settings_for(&scans, context).await {
                Ok(settings) => settings,
                Err(failure) => return Err(failed(failure.error())),
            };
            let plain = if are_held {
                are_plain(&scans, context.now, self.0.options.queries)
            } else {
                vec![false; scans.len()]
            };
            let limit = days.read_at_most(context.limits.reports);
            let look = |(scan, is_plain): (&Scan, bool)| Scanned {
                actions: days.scanned(scan, context, settings),
                limit,
                is_held: are_held && is_plain && (are_told || !scan.is_of_saved),
            };
            scanned = scans.into_iter().zip(plain).map(look).collect();
        }
        let mut bill = Bill::new(plan, scanned, bounds);
        let taken = if spending.estimate_only {
            LEAST.saturating_add(spending.reading)
        } else {
            bill.requested
        };
        let passed = bill.too_much();
        let capacity = spending.capacity();
        // It is refused however often it is asked, and never gets to where questions have columns read in.
        let are_coming = (passed.is_some() || taken > capacity) && {
            let most = capacity.min(self.0.options.documents.cost);
            are_coming(&bill, most, (document, changes), context).await
        };
        if let Some(passed) = passed {
            return Err(Box::new(self.too_dear(&passed, are_coming, spending)));
        }
        let asked = Asked {
            requested: Some(bill.requested),
            are_coming,
        };
        self.charge(taken, asked, spending).map_err(Box::new)?;
        bill.allowance.clone_from(&spending.allowance);
        Ok(bill)
    }

    /// Answers what was not executed, for a point and what reading it took, as far as there is so much.
    fn turn_away(&self, reply: Reply, spending: &Spending) -> Reply {
        match self.refused_at_door(spending) {
            None => reply,
            Some(empty) => empty,
        }
    }

    /// What is read before anything is executed failed.
    fn failed(&self, error: &Error, (spending, reference): (&Spending, &str)) -> Reply {
        let told = Told::before(error, self.0.options.bounds(), reference);
        self.turn_away(refusal(vec![told], error.code()), spending)
    }

    /// Charges for a request that the door refuses after reading it: a point, and what reading took, as far as there is so
    /// much. Where the caller has nothing left, that is the answer.
    #[must_use]
    pub fn refused_at_door(&self, spending: &Spending) -> Option<Reply> {
        let refused = self.charge(LEAST, Asked::default(), spending).err();
        if refused.is_none()
            && let Some(allowance) = &spending.allowance
        {
            allowance.take_at_most(spending.reading);
        }
        refused
    }

    /// The answer to a caller who has nothing left: before anything of the request is read.
    #[must_use]
    pub fn refused_unread(&self, spending: &Spending) -> Option<Reply> {
        let allowance = spending.allowance.as_ref()?;
        let is_empty = allowance.available() < LEAST;
        is_empty.then(|| self.charge(LEAST, Asked::default(), spending).err())?
    }

    /// Answers an operation that costs too much whatever its caller has left, and what that is once the refusal is paid.
    fn too_dear(&self, passed: &Passed, are_coming: bool, spending: &Spending) -> Reply {
        let empty = self.refused_at_door(spending);
        empty.unwrap_or_else(|| {
            let cost = self.cost_of_refused(Some(passed.value), spending);
            too_much(passed, are_coming, cost)
        })
    }

    fn cost_of_refused(&self, requested: Option<u64>, spending: &Spending) -> Costs {
        let maximum = self.0.options.documents.cost;
        Costs::of_refused(requested, maximum, spending.allowance.as_ref())
    }

    /// Takes points from the caller's bucket, at least one.
    fn charge(&self, points: u64, asked: Asked, spending: &Spending) -> Result<(), Reply> {
        let Some(allowance) = &spending.allowance else {
            return Ok(());
        };
        let wanted = points.max(LEAST);
        if allowance.take(wanted).is_ok() {
            return Ok(());
        }
        let terms = allowance.terms();
        if wanted > terms.capacity {
            let message = format!(
                "The operation costs up to {wanted} points, this caller's budget holds {}. Ask for smaller pages, a shorter range or fewer fields.{}",
                terms.capacity,
                remedy(asked.are_coming)
            );
            let passed = passed("budgetCapacity", terms.capacity, wanted);
            // It was read and refused, as what is too dear for everybody.
            allowance.take_at_most(LEAST.saturating_add(spending.reading));
            let cost = self.cost_of_refused(asked.requested, spending);
            return Err(over(Code::CostExceeded, &message, &passed, cost));
        }
        // It was looked at, and its text took time to read: how long it takes until there are enough is known when that is paid.
        allowance.take_at_most(LEAST.saturating_add(spending.reading));
        let Err(empty) = allowance.take(wanted) else {
            return Ok(());
        };
        let message = format!(
            "The operation costs up to {wanted} points, {} are left of {}; {} come back each second. Try again in {} s, or ask for less.",
            empty.available, terms.capacity, terms.restore, empty.seconds
        );
        let passed = passed("budgetCapacity", terms.capacity, wanted);
        let cost = self.cost_of_refused(asked.requested, spending);
        let mut reply = over(Code::RateLimited, &message, &passed, cost);
        reply.retry_after = Some(empty.seconds);
        Err(reply)
    }

    fn answer(&self, response: Response, cost: Costs, request: &Kept, reference: &str) -> Vec<u8> {
        let Inner {
            documents, options, ..
        } = self.0.as_ref();
        let mut errors = tell(response.errors, options.bounds(), reference);
        if errors.iter().any(Told::is_limit_of_field)
            && let Some(again) = request.prepared_again(documents)
        {
            let limits = errors.iter_mut().filter(|told| told.is_limit_of_field());
            limits.for_each(|told| {
                told.locate(|path, argument| documents.coordinate(&again.document, path, argument));
            });
        }
        let extensions = Extensions { cost };
        let most = usize::try_from(options.door.answer_bytes).unwrap_or(usize::MAX);
        let mut is_too_long = false;
        let body = bytes(
            |body| match answer(body, &errors, &response.data, &extensions, most) {
                Err(Unwritten::Fault(error)) => Err(error),
                Err(Unwritten::TooLong) => {
                    is_too_long = true;
                    Ok(())
                }
                Ok(()) => Ok(()),
            },
        );
        if !is_too_long {
            return body;
        }
        drop(body);
        let errors = [too_long(options.door.answer_bytes)];
        let nothing = async_graphql::Value::Null;
        bytes(|body| whole(answer(body, &errors, &nothing, &extensions, usize::MAX)))
    }
}

/// What is known of an operation when its points are taken.
#[derive(Clone, Copy, Default)]
struct Asked {
    /// What it costs, where that was found out.
    requested: Option<u64>,
    /// Whether columns that make it cheaper are being read in.
    are_coming: bool,
}

/// What of a request may be asked for again while it runs: its variables as text, which takes far less room.
struct Kept {
    query: String,
    operation_name: Option<String>,
    variables: Vec<u8>,
}

impl Kept {
    fn of(request: GraphqlRequest) -> Self {
        Self {
            query: request.query,
            operation_name: request.operation_name,
            variables: serde_json::to_vec(&request.variables).unwrap_or_default(),
        }
    }

    fn prepared_again(&self, documents: &Documents) -> Option<Prepared> {
        let variables: Map<String, Value> = serde_json::from_slice(&self.variables).ok()?;
        let name = self.operation_name.as_deref();
        documents.prepare(&self.query, name, &variables).ok()
    }
}
