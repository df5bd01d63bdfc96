//! Which web pages may read answers: those of the configured origins, nobody else's.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::state::HttpState;

/// What `/graphql` can be asked by.
pub const METHODS: &str = "GET, POST, OPTIONS";

/// Answers a browser that asks whether its page may send a request.
pub async fn preflight(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    answer.insert_header((header::ALLOW, METHODS));
    let asked = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if asked && allowed(request.headers(), &state.options.cors_origins).is_some() {
        answer
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
            .insert_header((
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "accept, authorization, content-type, apollographql-client-name, \
                 apollographql-client-version, x-client-name, x-apollo-operation-name, \
                 apollo-require-preflight, x-actiongraph-preflight, x-actiongraph-estimate",
            ))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, "7200"));
    }
    answer.finish()
}

/// Adds what lets the page that sent the request read the answer, if it may.
pub fn admit(request: &HeaderMap, origins: &[String], answer: &mut HeaderMap) {
    if let Some(origin) = allowed(request, origins) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("x-request-id, retry-after, www-authenticate");
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn allowed<'a>(request: &'a HeaderMap, origins: &[String]) -> Option<&'a HeaderValue> {
    let origin = request.get(header::ORIGIN)?;
    origins
        .iter()
        .any(|allowed| origin == allowed.as_str())
        .then_some(origin)
}
