//! The door for postbacks: `GET` and `POST /postback/{secret}`.
//!
//! A wrong secret is answered as an address at which nothing is. With a good one whatever is understood, or kept as a
//! rejected record, is answered 200: what a sender does with another status is not documented, and a record that cannot
//! be understood would not be understood the second time either. What was not stored, because the database cannot, is
//! answered 503 or 507, so that it is sent again. What parameters mean is the business of `ingest::postback`.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use serde_json::json;
use url::form_urlencoded;

use super::error::{Refusal, status_of};
use super::observe::reference_of;
use super::state::HttpState;
use super::viewer::MOMENT;
use super::{body, no_such_route};
use crate::access::PostbackDoor;
use crate::domain::error::{Code, Error};
use crate::ingest::postback::{Told, read};

/// The route, as the log and the metrics show it: never the secret.
pub const ROUTE: &str = "/postback/{secret}";

/// The largest body of a postback; `limits` is for those who ask, and tells nothing of it.
const MAX_BODY: body::Size = body::Size {
    most: 64 * 1024,
    name: None,
};

/// A postback in an address.
pub async fn get(
    request: HttpRequest,
    secret: Path<String>,
    state: Data<HttpState>,
) -> HttpResponse {
    answer(&request, &secret, None, &state).await
}

/// A postback in a form, or in both.
pub async fn post(
    request: HttpRequest,
    secret: Path<String>,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    answer(&request, &secret, Some(payload), &state).await
}

async fn answer(
    request: &HttpRequest,
    secret: &str,
    payload: Option<Payload>,
    state: &HttpState,
) -> HttpResponse {
    let mut door = match opened(request, secret, state).await {
        Ok(door) => door,
        Err(answer) => return answer,
    };
    let begun = state.clock.elapsed();
    let form = match payload {
        None => Ok(Default::default()),
        Some(payload) => form(request, payload, state).await,
    };
    if state.clock.elapsed().saturating_sub(begun) > MOMENT {
        // The secret may have been revoked while the body came.
        door = match opened(request, secret, state).await {
            Ok(door) => door,
            Err(answer) => return answer,
        };
    }
    match form {
        Ok(form) => take(request, &door, &form, state).await,
        Err(refusal) => {
            state.metrics.postback("refused");
            refusal.error_response()
        }
    }
}

/// What the secret opens, else the answer.
async fn opened(
    request: &HttpRequest,
    secret: &str,
    state: &HttpState,
) -> Result<Arc<PostbackDoor>, HttpResponse> {
    match state.keyring.postback(secret, state.clock.elapsed()).await {
        Ok(Some(door)) => Ok(door),
        Ok(None) => Err(no_such_route().await),
        Err(error) => Err(failed(request, state, &error)),
    }
}

/// The form in a body.
async fn form(
    request: &HttpRequest,
    payload: Payload,
    state: &HttpState,
) -> Result<actix_web::web::Bytes, Refusal> {
    let form = body::read(request, payload, MAX_BODY, state.options.body_deadline).await?;
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind.is_none_or(|kind| {
        kind.to_str().is_ok_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    });
    if is_form || form.is_empty() {
        return Ok(form);
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::BadUserInput,
        "Send the parameters in the address, or as application/x-www-form-urlencoded.",
    ))
}

async fn take(
    request: &HttpRequest,
    door: &PostbackDoor,
    form: &[u8],
    state: &HttpState,
) -> HttpResponse {
    // Those of the body come last, and of a parameter that is there twice the last value counts.
    let parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(request.query_string().as_bytes())
            .chain(form_urlencoded::parse(form))
            .collect();
    let parameters = parameters.iter().map(|(name, value)| (name, value));
    let (content, outcome, told) = match read(parameters, state.now(), door.ad_space.as_deref()) {
        Told::Nothing => {
            state.metrics.postback("nothing");
            return said(&json!({ "result": "NOTHING" }));
        }
        Told::Action(draft) => (Ok(draft), "stored", json!({ "result": "STORED" })),
        Told::Refused(reject) => {
            let told = json!({
                "result": "REJECTED",
                "reason": reject.reason.as_str(),
                "field": reject.field,
                "message": reject.message,
            });
            (Err(reject), "rejected", told)
        }
    };
    match state.inbox.hand_in(door.scope, content).await {
        Ok(()) => {
            state.metrics.postback(outcome);
            said(&told)
        }
        Err(error) => failed(request, state, &error),
    }
}

fn said(what: &serde_json::Value) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(what.to_string())
}

/// Nothing was stored: send it again. The writer has noted the cause, once for all that it concerns.
fn failed(request: &HttpRequest, state: &HttpState, error: &Error) -> HttpResponse {
    state.metrics.postback("failed");
    let refusal = if error.code() == Code::Internal {
        Refusal::masked(&reference_of(request))
    } else {
        Refusal::new(
            status_of(error.code()),
            error.code(),
            error.message().to_owned(),
        )
    };
    refusal
        .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .error_response()
}
