//! The door for files of targets: `GET /traffic-targets.csv`, the answers to `trafficTargets` page after page.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use futures::stream;
use serde_json::Value;
use url::form_urlencoded;

use super::error::Refusal;
use super::graphql::{guarded, terms_of};
use super::observe::reference_of;
use super::state::HttpState;
use super::viewer::{address_of, viewer};
use crate::domain::error::{Code, Error};
use crate::domain::scope::Viewer;
use crate::domain::time::Instant;
use crate::export::traffic::{Asked, DOCUMENT, Pages, lines};
use crate::graphql::{Call, GraphqlRequest, Introspection, Method, Reply, Spending};

/// A file on its way.
struct Export {
    /// Asked again who it is for with every page: a key may end, or be limited, while its file is on its way.
    request: HttpRequest,
    state: Data<HttpState>,
    reference: String,
    /// The present of the whole file.
    now: Instant,
    pages: Pages,
}

/// Answers with the file. What is wrong is said before it begins; when a later page fails, the file breaks off, so that
/// nobody takes it for whole.
pub async fn get(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match begin(&request, &state).await {
        Ok((first, export)) => respond(first, export),
        Err(refusal) => refusal.error_response(),
    }
}

async fn begin(
    request: &HttpRequest,
    state: &Data<HttpState>,
) -> Result<(String, Export), Refusal> {
    let reference = reference_of(request);
    // Before anything that was sent is read.
    let viewer = viewer(request, state).await?;
    let pass = state
        .turnstile
        .enter(viewer.caller(), address_of(request))?;
    request.extensions_mut().insert(pass);
    let pairs: Vec<_> = form_urlencoded::parse(request.query_string().as_bytes()).collect();
    let pairs = pairs.iter().map(|(name, text)| (&**name, &**text));
    let asked = Asked::read(pairs).map_err(|message| {
        // It was read, which takes time as well.
        let reply = state.engine.refused_at_door(&spending(&viewer, state));
        let empty = reply.and_then(|reply| refused(&reply, &reference));
        empty.unwrap_or_else(|| Refusal::bad_request(message))
    })?;
    let mut export = Export {
        request: request.clone(),
        state: state.clone(),
        reference,
        now: state.now(),
        pages: Pages::new(asked),
    };
    let mut text = export.pages.head();
    text.push_str(&export.page().await?.unwrap_or_default());
    Ok((text, export))
}

fn respond(first: String, export: Export) -> HttpResponse {
    let rest = stream::try_unfold(export, |mut export| async move {
        let page = export.page().await;
        let page = page.map_err(|refusal| std::io::Error::other(refusal.code().as_str()))?;
        Ok::<_, std::io::Error>(page.map(|page| (Bytes::from(page), export)))
    });
    let first = stream::once(async { Ok(Bytes::from(first)) });
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"traffic-targets.csv\"",
        ))
        .streaming(futures::StreamExt::chain(first, rest))
}

impl Export {
    /// The next page as lines; none behind the last.
    async fn page(&mut self) -> Result<Option<String>, Refusal> {
        let Some(variables) = self.pages.next() else {
            return Ok(None);
        };
        let viewer = viewer(&self.request, &self.state).await?;
        let request = GraphqlRequest {
            query: DOCUMENT.to_owned(),
            operation_name: None,
            variables,
        };
        let call = Call {
            viewer: (*viewer).clone(),
            address: None,
            now: self.now,
            method: Method::Get,
            reference: self.reference.clone(),
            introspection: Introspection::Refused,
        };
        let spending = spending(&viewer, &self.state);
        let work = self.state.engine.spend(request, call, spending);
        let deadline = self.state.options.request_deadline;
        let reply = guarded(work, deadline, &self.reference).await?;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if let Some(error) = answer["errors"].get(0) {
            return Err(refusal(error, reply.retry_after, &self.reference));
        }
        Ok(Some(lines(&self.pages.take(&answer["data"]))))
    }
}

/// How a page is paid for, and what is refused before the first.
fn spending(viewer: &Viewer, state: &HttpState) -> Spending {
    let bucket = |terms| state.budgets.of(viewer, terms, state.clock.elapsed());
    Spending {
        allowance: terms_of(viewer, state.options.terms).map(bucket),
        ..Spending::default()
    }
}

/// The first error of a reply of the API as an answer of this door.
fn refused(reply: &Reply, reference: &str) -> Option<Refusal> {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = answer["errors"].get(0)?;
    Some(refusal(error, reply.retry_after, reference))
}

/// An error of the API as an answer of this door, with the seconds to wait where it says so.
fn refusal(error: &Value, retry_after: Option<u64>, reference: &str) -> Refusal {
    let told = error["extensions"]["code"].as_str().unwrap_or_default();
    let known = [
        Code::BadUserInput,
        Code::ValidationFailed,
        Code::LimitExceeded,
        Code::CostExceeded,
        Code::RateLimited,
        Code::Forbidden,
        Code::Timeout,
        Code::ServiceUnavailable,
    ];
    let code = known.into_iter().find(|code| code.as_str() == told);
    let refusal = match (code, error["message"].as_str()) {
        (Some(code), Some(message)) => {
            Refusal::of(&Error::new(code, message), reference).as_told(&error["extensions"])
        }
        _ => Refusal::masked(reference),
    };
    match retry_after {
        Some(seconds) => refusal.retrying(seconds),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_budget_says_when_to_come_back() {
        let error = serde_json::json!({
            "message": "less is left",
            "extensions": { "code": "RATE_LIMITED" },
        });
        for (after, told) in [(Some(37), "37"), (None, "1")] {
            let answer = refusal(&error, after, "r").error_response();
            assert_eq!(answer.status(), 429);
            let headers = answer.headers().get_all(header::RETRY_AFTER);
            let values: Vec<&str> = headers.map(|value| value.to_str().unwrap()).collect();
            assert_eq!(values, [told]);
        }
    }
}
