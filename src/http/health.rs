//! For those who run the server: is it alive, is it ready, what has it done.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde_json::json;

use super::error::Refusal;
use super::observe::reference_of;
use super::state::HttpState;
use crate::telemetry::ColumnsGauges;

/// How long the database may take to answer before the server calls itself not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers. Needs no database.
pub async fn live() -> HttpResponse {
    plain(&json!({ "status": "alive" }), true)
}

/// The database answers and its tables are those of this version.
pub async fn ready(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    let problem = match tokio::time::timeout(PATIENCE, state.store.is_ready()).await {
        Ok(Ok(())) => return plain(&json!({ "status": "ready" }), true),
        Ok(Err(error)) => {
            let reference = reference_of(&request);
            let cause = error.cause().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(reference, cause, "not ready: {error}");
            error.message().to_owned()
        }
        Err(_) => "the database does not answer".to_owned(),
    };
    plain(&json!({ "status": "not ready", "problem": problem }), false)
}

/// Counters in the OpenMetrics text format.
pub async fn metrics(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    if let Some(columns) = state.store.columns() {
        let stats = columns.stats();
        state.metrics.columns(ColumnsGauges {
            bytes: stats.bytes,
            rows: stats.rows,
            builds: stats.builds,
            catch_ups: stats.catch_ups,
            fallbacks: stats.fallbacks,
        });
    }
    match state.metrics.to_text() {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(_) => Refusal::masked(&reference_of(&request)).error_response(),
    }
}

fn plain(value: &serde_json::Value, well: bool) -> HttpResponse {
    let mut answer = if well {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer
        .content_type("application/json; charset=utf-8")
        .body(value.to_string())
}
