//! GraphQL over HTTP, by ourselves: methods, media types, statuses. What an operation means is `graphql`'s business.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _, web};
use futures::FutureExt as _;

use super::accept::{MediaType, negotiate};
use super::error::{Refusal, status_of};
use super::observe::{Operation, reference_of};
use super::params::Sent;
use super::state::HttpState;
use super::turnstile::Pass;
use super::viewer::address_of;
use super::{assets, body, csrf, params, viewer};
use crate::access::budget::Terms;
use crate::access::documents::sha256;
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::policy::{IntrospectionPolicy, TrustMode};
use crate::domain::scope::{Credential, Viewer};
use crate::graphql::{Call, GraphqlRequest, Introspection, Method, Outcome, Reply, Spending};
use crate::telemetry;

/// Answers a POST request.
pub async fn post(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> HttpResponse {
    answer(&request, Some(payload), &state).await
}

/// Answers a GET request: queries only.
pub async fn get(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    answer(&request, None, &state).await
}

async fn answer(
    request: &HttpRequest,
    payload: Option<web::Payload>,
    state: &HttpState,
) -> HttpResponse {
    let Some(media) = negotiate(&accepted(request.headers())) else {
        let message = "Answers are application/graphql-response+json or application/json; `Accept` allows neither.";
        return Refusal::new(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message)
            .error_response();
    };
    match run(request, payload, state).await {
        Ok((mut reply, trusted)) => {
            let outcome = label(&reply.outcome);
            state.metrics.operation(outcome, reply.statements);
            request.extensions_mut().insert(Operation {
                name: reply.operation_name.as_deref().map(short),
                outcome,
                statements: reply.statements,
                cost: reply.cost,
            });
            if let Err(refusal) = hold(request, &mut reply) {
                return refusal.in_media(media).error_response();
            }
            let cacheable = trusted && matches!(reply.outcome, Outcome::Complete);
            if cacheable && let Some(tag) = tag_of(&reply.body) {
                return cached(request, reply, media, &tag);
            }
            respond(reply, media, state.options.partial_status_294)
        }
        Err(refusal) => {
            let outcome = refusal.code().as_str();
            state.metrics.operation(outcome, 0);
            refusal.in_media(media).error_response()
        }
    }
}

/// The reply, and whether it is one to a trusted document that was got.
async fn run(
    request: &HttpRequest,
    payload: Option<web::Payload>,
    state: &HttpState,
) -> Result<(Reply, bool), Refusal> {
    let reference = reference_of(request);
    let options = &state.options;
    if payload.is_none() {
        csrf::check(
            request.headers(),
            options.csrf_always,
            &options.cors_origins,
        )?;
    }
    let mut viewer = viewer::viewer(request, state).await?;
    // Before the body is read: what waits for its body takes memory, too.
    let pass = state
        .turnstile
        .enter(viewer.caller(), address_of(request))?;
    // Until the answer is out: one that nobody reads takes memory as well.
    request.extensions_mut().insert(pass);
    let mut spending = Spending {
        allowance: terms_of(&viewer, options.terms)
            .map(|terms| state.budgets.of(&viewer, terms, state.clock.elapsed())),
        estimate_only: wants_estimate(request.headers()),
        reading: 0,
    };
    if let Some(reply) = state.engine.refused_unread(&spending) {
        return Ok((reply, false));
    }
    let (sent, method) = match payload {
        Some(payload) => {
            body::check_type(request)?;
            let body = receive(request, payload, state, &mut viewer).await?;
            spending.reading = reading(body.len());
            (read(&body, options.max_values), Method::Post)
        }
        None => {
            let parsed = params::from_address(request.query_string());
            (parsed.map_err(Refusal::bad_request), Method::Get)
        }
    };
    let (parsed, trusted) = match sent.and_then(|sent| trusted(sent, state, &reference)) {
        Ok(known) => known,
        // It was read, which takes time as well.
        Err(refusal) => {
            let reply = state.engine.refused_at_door(&spending);
            return reply.map(|reply| (reply, false)).ok_or(refusal);
        }
    };
    let call = Call {
        introspection: introspection(options.introspection, &viewer),
        viewer: (*viewer).clone(),
        address: address_of(request),
        now: state.now(),
        method,
        reference: reference.clone(),
    };
    let work = state.engine.spend(parsed, call, spending);
    let reply = guarded(work, options.request_deadline, &reference).await?;
    Ok((reply, trusted && method == Method::Get))
}

/// The body of a request. Whoever took longer than a moment for it is recognised once more: the key may be revoked by now, or
/// be limited.
async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    state: &HttpState,
    viewer: &mut Arc<Viewer>,
) -> Result<web::Bytes, Refusal> {
    let size = body::Size {
        most: state.options.max_body,
        name: Some("bodyBytes"),
    };
    let begun = state.clock.elapsed();
    let body = body::read(request, payload, size, state.options.body_deadline).await?;
    if state.clock.elapsed().saturating_sub(begun) > viewer::MOMENT {
        *viewer = viewer::viewer(request, state).await?;
    }
    Ok(body)
}

/// Counts an answer until it is out. What a mutation did is done, so that whoever asked for it is told.
fn hold(request: &HttpRequest, reply: &mut Reply) -> Result<(), Refusal> {
    reply.body.shrink_to_fit();
    let bytes = reply.body.len();
    let mut kept = request.extensions_mut();
    match kept.get_mut::<Pass>() {
        None => Ok(()),
        Some(pass) if reply.is_of_mutation => {
            pass.hold_anyway(bytes);
            Ok(())
        }
        Some(pass) => pass.hold(bytes),
    }
}

/// Bytes of a body whose reading every request has paid for already.
const FREE_BYTES: usize = 4_096;

/// Points that reading so many bytes takes: one for each further KiB.
fn reading(bytes: usize) -> u64 {
    bytes.saturating_sub(FREE_BYTES).div_ceil(1_024) as u64
}

/// The parameters in a body. How many values there are is known before any is made: each takes a hundred times the room that
/// it has in the text.
fn read(body: &[u8], most: usize) -> Result<Sent, Refusal> {
    let values = params::values(body);
    // A request is some values itself.
    let most = most.saturating_add(params::OWN_VALUES);
    if values > most {
        let message = format!(
            "The request holds {values} values of JSON, the limit is {most}: send shorter lists, or in several requests."
        );
        let passed = PassedLimit::of("variableValues", most, values);
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Refusal::new(status, Code::LimitExceeded, message).passing(passed));
    }
    params::from_body(body).map_err(Refusal::bad_request)
}

/// The document of a request, and whether it is a trusted one.
fn trusted(
    sent: Sent,
    state: &HttpState,
    reference: &str,
) -> Result<(GraphqlRequest, bool), Refusal> {
    let Sent {
        mut request,
        document_id,
    } = sent;
    if let Some(id) = document_id {
        if let Some(text) = state.documents.text(&id) {
            if !request.query.is_empty() && request.query != **text {
                return Err(Refusal::bad_request(
                    "The document is not the one that its id stands for: send one of the two.",
                ));
            }
            request.query = text.to_string();
            return Ok((request, true));
        }
        if request.query.is_empty() {
            // Clients know this sentence, and send the document itself.
            let words = "PersistedQueryNotFound";
            return Err(Refusal::new(StatusCode::NOT_FOUND, Code::NotFound, words));
        }
    }
    let known = state.options.trust != TrustMode::Off && state.documents.contains(&request.query);
    match state.options.trust {
        TrustMode::Log if !known => {
            let hash = sha256(&request.query);
            let operation = request.operation_name.as_deref().map(short);
            tracing::warn!(
                reference,
                hash,
                operation,
                "a document that is not trusted runs"
            );
        }
        TrustMode::Enforce if !known => {
            let words = "This server runs only documents that it was given beforehand: ask whoever runs it to add this one, or send the id of one that it has.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, Code::Forbidden, words));
        }
        _ => {}
    }
    Ok((request, known))
}

/// What a caller may spend: what its key says, else what everybody may.
pub(super) fn terms_of(viewer: &Viewer, of_all: Option<Terms>) -> Option<Terms> {
    let own = viewer.budget().and_then(|budget| {
        let points = |number: i64| u64::try_from(number).unwrap_or(0);
        Terms::new(points(budget.capacity), points(budget.refill))
    });
    own.or(of_all)
}

/// Whether a caller may ask for the schema, by introspection or as text.
pub(super) fn introspection(policy: IntrospectionPolicy, viewer: &Viewer) -> Introspection {
    if let Some(may) = viewer.introspection() {
        return if may {
            Introspection::Allowed
        } else {
            Introspection::Refused
        };
    }
    let with_key = viewer.credential != Credential::LoopbackDemo;
    match policy {
        IntrospectionPolicy::Everyone => Introspection::Allowed,
        IntrospectionPolicy::Keys if with_key => Introspection::Allowed,
        IntrospectionPolicy::Keys | IntrospectionPolicy::Off => Introspection::Refused,
    }
}

/// The header that asks for the cost of an operation and not for its answer.
pub const ESTIMATE: &str = "x-actiongraph-estimate";

fn wants_estimate(headers: &HeaderMap) -> bool {
    headers
        .get(HeaderName::from_static(ESTIMATE))
        .is_some_and(|value| value == "true" || value == "1")
}

/// A tag for the data of an answer; what it cost is none of it.
fn tag_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    let answer: Data<'_> = serde_json::from_slice(body).ok()?;
    Some(format!("W/\"{}\"", sha256(answer.data.get())))
}

/// An answer that its caller may keep, as long as it asks whether it is still good.
fn cached(request: &HttpRequest, reply: Reply, media: MediaType, tag: &str) -> HttpResponse {
    let mut answer = if assets::has(request.headers(), tag) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if assets::has(request.headers(), tag) {
        return answer.finish();
    }
    answer.content_type(media.content_type()).body(reply.body)
}

/// Runs to an end, whatever happens inside: a panic becomes a masked error with its reference, and what is not done in
/// time is given up.
pub(super) async fn guarded<T>(
    work: impl Future<Output = T>,
    deadline: Duration,
    reference: &str,
) -> Result<T, Refusal> {
    let work = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => {
            let cause = telemetry::words_of(panic.as_ref());
            tracing::error!(reference, cause, "an operation panicked");
            Err(Refusal::masked(reference))
        }
        Err(_) => {
            let message = format!(
                "The operation was not done after {} ms and was given up: ask for a shorter range or fewer rows.",
                deadline.as_millis()
            );
            let passed = PassedLimit::uncounted("operationMilliseconds", deadline.as_millis());
            let error = Error::new(Code::Timeout, message).passing(passed);
            Err(Refusal::of(&error, reference))
        }
    }
}

fn respond(reply: Reply, media: MediaType, partial_294: bool) -> HttpResponse {
    let status = status(&reply.outcome, media, partial_294);
    let mut answer = HttpResponse::build(status);
    answer.content_type(media.content_type());
    if matches!(reply.outcome, Outcome::MutationByGet) {
        answer.insert_header((header::ALLOW, "POST"));
    }
    let passes = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if passes.contains(&status) {
        let seconds = reply.retry_after.unwrap_or(1);
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    answer.body(reply.body)
}

/// The status of a well-formed request's answer.
///
/// In the older media type a request error is told by the body alone (200), so that clients and caches that know
/// nothing of GraphQL don't take it for a failure of the server. What concerns the caller's rights or the server's
/// state keeps its status in both.
fn status(outcome: &Outcome, media: MediaType, partial_294: bool) -> StatusCode {
    match outcome {
        Outcome::Complete => StatusCode::OK,
        Outcome::Partial if partial_294 && media == MediaType::GraphqlResponse => {
            StatusCode::from_u16(294).unwrap_or(StatusCode::OK)
        }
        Outcome::Partial => StatusCode::OK,
        Outcome::MutationByGet => StatusCode::METHOD_NOT_ALLOWED,
        Outcome::RequestError { code } => {
            let status = status_of(*code);
            let keeps = status.is_server_error()
                || matches!(
                    code,
                    Code::Unauthenticated | Code::Forbidden | Code::RateLimited
                );
            if media == MediaType::Json && !keeps {
                StatusCode::OK
            } else {
                status
            }
        }
    }
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Partial => "partial",
        Outcome::MutationByGet => "mutation_by_get",
        Outcome::RequestError { code } => code.as_str(),
    }
}

/// All `Accept` headers as one; one that is no text asks for nothing we have.
fn accepted(headers: &HeaderMap) -> String {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let values: Vec<String> = headers.get_all(header::ACCEPT).map(text).collect();
    values.join(",")
}

/// As much of a caller's word as a log line has: it can be as long as a body.
fn short(word: &str) -> String {
    word.chars().take(64).collect()
}

/// What a client calls itself, cut short and free of anything that could forge a log line.
pub(super) fn client_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &'static str| {
        let value = headers.get(HeaderName::from_static(name))?.to_str().ok()?;
        Some(short(value))
    };
    let name = text("apollographql-client-name").or_else(|| text("x-client-name"))?;
    Some(match text("apollographql-client-version") {
        Some(version) => format!("{name} {version}"),
        None => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_for_the_log() {
        assert_eq!(short("Sales"), "Sales");
        assert_eq!(short(&"я".repeat(1 << 20)), "я".repeat(64));
    }

    #[test]
    fn statuses() {
        let (json, new) = (MediaType::Json, MediaType::GraphqlResponse);
        let error = |code| Outcome::RequestError { code };
        for (outcome, media, setting, expected) in [
            (Outcome::Complete, json, true, 200),
            (Outcome::Partial, json, true, 200),
            (Outcome::Partial, new, false, 200),
            (Outcome::Partial, new, true, 294),
            (Outcome::MutationByGet, json, false, 405),
            (Outcome::MutationByGet, new, false, 405),
            (error(Code::ParseFailed), json, false, 200),
            (error(Code::ParseFailed), new, false, 400),
            (error(Code::ValidationFailed), json, false, 200),
            (error(Code::CostExceeded), new, false, 400),
            (error(Code::Unauthenticated), json, false, 401),
            (error(Code::RateLimited), json, false, 429),
            (error(Code::ServiceUnavailable), json, false, 503),
            (error(Code::Internal), json, false, 500),
            (error(Code::Internal), new, false, 500),
        ] {
            let found = status(&outcome, media, setting).as_u16();
            assert_eq!(found, expected, "{} {media:?}", label(&outcome));
        }
    }

    #[actix_web::test]
    async fn a_panic_becomes_a_masked_answer_with_its_reference() {
        let broken = async {
            if Code::Internal.as_str().is_empty() {
                return 1;
            }
            panic!("password=hunter2")
        };
        let refusal = guarded(broken, Duration::from_secs(60), "0123abcd")
            .await
            .expect_err("it panicked");
        let answer = refusal.error_response();
        assert_eq!(answer.status(), 500);
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let extensions = &body["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "INTERNAL_SERVER_ERROR");
        assert_eq!(extensions["reference"], "0123abcd");
        assert!(body.get("data").is_none());
        assert!(!body.to_string().contains("hunter2"));
    }

    #[actix_web::test]
    async fn what_does_not_end_is_given_up() {
        let endless = std::future::pending::<()>();
        let refusal = guarded(endless, Duration::ZERO, "0123abcd")
            .await
            .expect_err("it hangs");
        assert_eq!(refusal.code(), Code::Timeout);
        let answer = refusal.error_response();
        assert_eq!(answer.status(), 504);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
    }
}
