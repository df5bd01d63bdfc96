//! Errors as HTTP answers: one table from code to status, and a body that GraphQL clients understand (no `data`).

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use super::accept::MediaType;
use crate::domain::error::{Code, Error, PassedLimit};

/// The status of a request that failed as a whole with `code`.
#[must_use]
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::ParseFailed
        | Code::ValidationFailed
        | Code::BadUserInput
        | Code::LimitExceeded
        | Code::CostExceeded => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Code::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A request that is answered with an error and nothing else.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: Code,
    message: Cow<'static, str>,
    argument: Option<String>,
    reference: Option<String>,
    /// What the answer says of the limit; few have any, and a map in each would make all of them large.
    passed: Option<Box<Map<String, Value>>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    media: MediaType,
}

impl Refusal {
    /// An answer with a status of its own, where the one of the code is too coarse.
    #[must_use]
    pub fn new(status: StatusCode, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            argument: None,
            reference: None,
            passed: None,
            headers: Vec::new(),
            media: MediaType::Json,
        }
    }

    /// A request that cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
    }

    /// A fault of ours, masked: the caller sees the reference that finds it in the log.
    #[must_use]
    pub fn masked(reference: &str) -> Self {
        let message = "The server made an error. Its log has more under this reference.";
        let mut refusal = Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message);
        refusal.reference = Some(reference.to_owned());
        refusal
    }

    /// What an error means for the caller. Its private cause goes to the log, under `reference`.
    #[must_use]
    pub fn of(error: &Error, reference: &str) -> Self {
        let status = status_of(error.code());
        if status.is_server_error() {
            let cause = error.cause().map(ToString::to_string).unwrap_or_default();
            tracing::error!(reference, code = error.code().as_str(), cause, "{error}");
        }
        if error.code() == Code::Internal {
            return Self::masked(reference);
        }
        let mut refusal = Self::new(status, error.code(), error.message().to_owned());
        refusal.argument = error.field().map(str::to_owned);
        if let Some(passed) = error.passed() {
            refusal = refusal.passing(passed);
        }
        match error.code() {
            Code::Unauthenticated => {
                let challenge = HeaderValue::from_static("Bearer realm=\"actiongraph\"");
                refusal = refusal.with(header::WWW_AUTHENTICATE, challenge);
            }
            Code::Timeout | Code::ServiceUnavailable | Code::RateLimited => {
                refusal = refusal.with(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        refusal
    }

    /// The same answer with the limit that was passed: its name in `limits`, how much is allowed, how much there is.
    #[must_use]
    pub fn passing(mut self, passed: PassedLimit) -> Self {
        let told = self.passed.get_or_insert_default();
        told.insert("limit".to_owned(), json!(passed.name));
        told.insert("maximum".to_owned(), json!(passed.maximum));
        if let Some(value) = passed.value {
            told.insert("value".to_owned(), json!(value));
        }
        self
    }

    /// The same answer with the argument and the limit that an error of GraphQL names in its `extensions`.
    #[must_use]
    pub fn as_told(mut self, extensions: &Value) -> Self {
        let argument = extensions["argument"].as_str();
        self.argument = argument.map(str::to_owned).or(self.argument);
        for name in ["limit", "maximum", "value"] {
            if let Some(told) = extensions.get(name) {
                let passed = self.passed.get_or_insert_default();
                passed.insert(name.to_owned(), told.clone());
            }
        }
        self
    }

    /// The same answer, saying that the token that was sent is not taken (RFC 6750).
    #[must_use]
    pub fn of_token(mut self) -> Self {
        let challenge = "Bearer realm=\"actiongraph\", error=\"invalid_token\"";
        self.headers
            .retain(|(name, _)| *name != header::WWW_AUTHENTICATE);
        self.with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same answer, saying after how many seconds it may be tried again.
    #[must_use]
    pub fn retrying(mut self, seconds: u64) -> Self {
        self.headers
            .retain(|(name, _)| *name != header::RETRY_AFTER);
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The same answer in the media type that the caller asked for.
    #[must_use]
    pub fn in_media(mut self, media: MediaType) -> Self {
        self.media = media;
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), json!(self.code.as_str()));
        for (name, value) in [("argument", &self.argument), ("reference", &self.reference)] {
            if let Some(value) = value {
                extensions.insert(name.to_owned(), json!(value));
            }
        }
        if let Some(passed) = &self.passed {
            extensions.extend(passed.as_ref().clone());
        }
        let body = json!({ "errors": [{ "message": self.message, "extensions": extensions }] });
        let mut answer = HttpResponse::build(self.status);
        answer.content_type(self.media.content_type());
        for (name, value) in &self.headers {
            answer.append_header((name.clone(), value.clone()));
        }
        answer.body(body.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_ours_and_of_the_moment_are_5xx() {
        for (code, status) in [
            (Code::ParseFailed, 400),
            (Code::ValidationFailed, 400),
            (Code::BadUserInput, 400),
            (Code::LimitExceeded, 400),
            (Code::CostExceeded, 400),
            (Code::Unauthenticated, 401),
            (Code::Forbidden, 403),
            (Code::NotFound, 404),
            (Code::Conflict, 409),
            (Code::RateLimited, 429),
            (Code::Timeout, 504),
            (Code::ServiceUnavailable, 503),
            (Code::StorageFull, 507),
            (Code::Internal, 500),
        ] {
            assert_eq!(status_of(code).as_u16(), status, "{code:?}");
        }
    }

    #[test]
    fn a_masked_error_tells_the_reference_and_nothing_of_the_inside() {
        let refusal = Refusal::of(&Error::internal("password=hunter2"), "abc");
        let shown = format!("{refusal} {:?}", refusal.error_response());
        assert!(!shown.contains("hunter2"));
        assert_eq!(refusal.reference.as_deref(), Some("abc"));
    }
}
