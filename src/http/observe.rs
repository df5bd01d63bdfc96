//! What happens around every request: its reference, its guard, the headers of its answer, its log line, its count.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, ResponseError as _, web};
use futures::FutureExt as _;

use super::error::Refusal;
use super::graphql::client_of;
use super::state::HttpState;
use super::{cors, viewer};
use crate::domain::error::Code;
use crate::telemetry;

/// What answers without a page of their own allow a browser to do with them: nothing.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// The header with the reference.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The reference of a request.
struct Reference(String);

/// What is worth noting about a GraphQL operation.
pub struct Operation {
    /// Its name, if it has one, cut short.
    pub name: Option<String>,
    /// How it ended.
    pub outcome: &'static str,
    /// How many database statements it took.
    pub statements: u32,
    /// What it cost.
    pub cost: u64,
}

/// The reference of a request, as its answer and its log lines show it.
#[must_use]
pub fn reference_of(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    extensions
        .get::<Reference>()
        .map(|reference| reference.0.clone())
        .unwrap_or_default()
}

/// Wraps every route.
///
/// # Errors
/// Those of the framework.
pub async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(state) = request.app_data::<web::Data<HttpState>>().cloned() else {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_left_body);
    };
    let begun = state.clock.elapsed();
    let reference = telemetry::reference();
    request
        .extensions_mut()
        .insert(Reference(reference.clone()));
    let origins = &state.options.cors_origins;
    let mut answer = if state.demo.is_some() && !viewer::is_local(request.headers(), origins) {
        let refusal = Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            Code::Forbidden,
            "The demo answers only callers on its own machine, under localhost, 127.0.0.1 or [::1].",
        );
        request
            .into_response(refusal.error_response())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let route = answer
        .request()
        .match_pattern()
        .unwrap_or_else(|| "(none)".to_owned());
    let is_api = route == "/graphql";
    let status = answer.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let request_headers = answer.request().headers().clone();
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&reference) {
        headers.insert(REQUEST_ID, value);
    }
    protect(headers, state.options.https);
    let is_kept = headers.contains_key(header::CACHE_CONTROL);
    if (is_api || is_refusal) && !is_kept {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_api {
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding, Origin, Authorization"),
        );
        cors::admit(&request_headers, origins, headers);
    }
    let took = state.clock.elapsed().saturating_sub(begun);
    note(&state, &answer, &route, &reference, took);
    Ok(answer)
}

/// Wraps what answers at one address: a panic becomes a masked error, as any other that wraps it sees it. Where a request
/// has found its address, nobody needs it for himself any more, so that it can be kept for the answer.
///
/// # Errors
/// Those of the framework.
pub async fn caught<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let kept = request.request().clone();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer.map(ServiceResponse::map_into_left_body),
        Err(panic) => {
            let reference = reference_of(&kept);
            let cause = telemetry::words_of(panic.as_ref());
            tracing::error!(reference, cause, "a request panicked");
            let answer = Refusal::masked(&reference).error_response();
            Ok(ServiceResponse::new(kept, answer).map_into_right_body())
        }
    }
}

/// Headers that every answer has, whatever it is. What is no request never gets here: heads that come too slowly or are
/// too large are answered by `wire`, with these headers as well, and a head that is no HTTP by the framework alone, with
/// 400 and no header but its date and its length.
pub(super) fn protect(headers: &mut HeaderMap, https: bool) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(NOTHING),
        );
    }
}

fn note<B>(
    state: &HttpState,
    answer: &ServiceResponse<B>,
    route: &str,
    reference: &str,
    took: Duration,
) {
    let request = answer.request();
    let status = answer.status().as_u16();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "OPTIONS") => known,
        // Callers can make methods up; the labels of a metric must stay few.
        _ => "OTHER",
    };
    state.metrics.request(route, method, status, took);
    // Addresses are logged as the route's pattern: what callers put into them is theirs.
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    // Thousands of postbacks a second leave no line each: they are counted.
    let is_plain = matches!(route, "/livez" | "/readyz" | "/metrics")
        || route == super::postback::ROUTE && status == 200;
    if is_plain {
        tracing::debug!(reference, method, route, status, ms, "answered");
        return;
    }
    let client = client_of(request.headers());
    match request.extensions().get::<Operation>() {
        Some(operation) => tracing::info!(
            reference,
            method,
            route,
            status,
            ms,
            client,
            operation = operation.name,
            outcome = operation.outcome,
            statements = operation.statements,
            cost = operation.cost,
            "answered"
        ),
        None => tracing::info!(reference, method, route, status, ms, client, "answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
    use actix_web::{App, HttpResponse};

    async fn broken(body: web::Bytes) -> HttpResponse {
        if body.is_empty() {
            return HttpResponse::Ok().finish();
        }
        panic!("password=hunter2")
    }

    #[actix_web::test]
    async fn a_handler_that_panics_answers_with_a_masked_error() {
        let named = |request: ServiceRequest, next: Next<_>| {
            let reference = Reference("0123abcd".to_owned());
            request.extensions_mut().insert(reference);
            next.call(request)
        };
        let there = web::resource("/there/{name}").wrap(from_fn(caught));
        let app = App::new()
            .wrap(from_fn(named))
            .service(there.route(web::post().to(broken)));
        let app = init_service(app).await;
        let sent = |body: &'static str| {
            let request = TestRequest::post().uri("/there/x").set_payload(body);
            call_service(&app, request.to_request())
        };
        let answer = sent("x").await;
        assert_eq!(answer.status(), 500);
        assert_eq!(
            answer.request().match_pattern().as_deref(),
            Some("/there/{name}")
        );
        let told: serde_json::Value = read_body_json(answer).await;
        let extensions = &told["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "INTERNAL_SERVER_ERROR");
        assert_eq!(extensions["reference"], "0123abcd");
        assert!(!told.to_string().contains("hunter2"), "{told}");
        assert_eq!(sent("").await.status(), 200, "and the next one is answered");
    }
}
