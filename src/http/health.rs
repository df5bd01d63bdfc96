//! For those who run the server: is it alive, is it ready, what has it done.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde_json::json;
use tokio::sync::Mutex;

use super::error::Refusal;
use super::no_such_route;
use super::observe::reference_of;
use super::state::HttpState;
use super::viewer::{is_local, viewer};
use crate::domain::error::Error;
use crate::domain::policy::MetricsPolicy;
use crate::domain::records::{RunCounts, RunState};
use crate::domain::scope::KeyScope;
use crate::domain::time::Instant;
use crate::store::tally::RunSums;
use crate::store::{ReadTx, publishers};
use crate::telemetry::{ColumnsGauges, EntranceGauges};

/// How long the database may take to answer before the server calls itself not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers. Needs no database.
pub async fn live() -> HttpResponse {
    plain(&json!({ "status": "alive" }), true)
}

/// For how long what a look at the database found is told to everybody who asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the last look at the database found, and when. Anybody may ask, so that nobody makes the server look more often
/// than now and then, and one look is taken at a time: who comes meanwhile waits for what it finds.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Look>>);

#[derive(Clone, Debug)]
struct Look {
    at: Duration,
    problem: Option<String>,
}

/// The database answers and its tables are those of this version.
pub async fn ready(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    match problem(&request, &state).await {
        None => plain(&json!({ "status": "ready" }), true),
        Some(problem) => plain(&json!({ "status": "not ready", "problem": problem }), false),
    }
}

/// Why the server is not ready; none where it is.
async fn problem(request: &HttpRequest, state: &HttpState) -> Option<String> {
    let mut last = state.readiness.0.lock().await;
    if let Some(last) = &*last
        && state.clock.elapsed().saturating_sub(last.at) < LOOK_EVERY
    {
        return last.problem.clone();
    }
    let problem = match tokio::time::timeout(PATIENCE, state.store.is_ready()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            let reference = reference_of(request);
            let cause = error.cause().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(reference, cause, "not ready: {error}");
            Some(error.message().to_owned())
        }
        Err(_) => Some("the database does not answer".to_owned()),
    };
    let at = state.clock.elapsed();
    last.insert(Look { at, problem }).problem.clone()
}

/// Headers of requests that a proxy passes on: whoever sent them is not on this machine, though the proxy is.
const PASSED_ON: &[&str] = &["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// Whether a request comes from this machine and names it. What a proxy says of a caller is believed only against it.
fn is_here(request: &HttpRequest, state: &HttpState) -> bool {
    let headers = request.headers();
    let peer = request.peer_addr();
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && is_local(headers, &state.options.cors_origins)
        && !PASSED_ON.iter().any(|name| headers.contains_key(*name))
}

/// Whose counters a caller may read: all, or beside those of the server the ones of one publisher.
async fn counters_of(request: &HttpRequest, state: &HttpState) -> Result<Option<String>, Refusal> {
    match state.options.metrics {
        MetricsPolicy::Open => return Ok(None),
        MetricsPolicy::Local if is_here(request, state) => return Ok(None),
        _ => {}
    }
    let viewer = viewer(request, state).await?;
    viewer
        .check(KeyScope::Admin)
        .map_err(|error| Refusal::of(&error, &reference_of(request)))?;
    Ok(Some(viewer.publisher.slug.clone()))
}

/// The text without what is counted for other publishers. No value can hold the mark before a name: quotes in it are escaped.
fn only_of(slug: &str, text: &str) -> String {
    let own = format!("publisher=\"{slug}\"");
    let lines = text.split_inclusive('\n');
    lines
        .filter(|line| {
            line.starts_with('#') || !line.contains("publisher=\"") || line.contains(&own)
        })
        .collect()
}

/// Counters in the OpenMetrics text format.
pub async fn metrics(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    if state.options.metrics == MetricsPolicy::Off {
        return no_such_route().await;
    }
    let whose = match counters_of(&request, &state).await {
        Ok(whose) => whose,
        Err(refusal) => return refusal.error_response(),
    };
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
    measure_entrances(&state).await;
    let text = state.metrics.to_text();
    let text = text.map(|text| match whose {
        Some(slug) => only_of(&slug, &text),
        None => text,
    });
    match text {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(_) => Refusal::masked(&reference_of(&request)).error_response(),
    }
}

/// Measures the entrances that are not fetched, from their runs. A database that does not answer in time leaves what was
/// measured before: the other counters are worth having just then.
async fn measure_entrances(state: &HttpState) {
    let read = async {
        let tx = ReadTx::new(&state.store);
        let sums = state.tally.look(&tx, state.now()).await?;
        drop(tx);
        Ok::<_, Error>((sums, publishers::list(&state.store).await?))
    };
    let (sums, publishers) = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            tracing::warn!("the entrances could not be measured: {error}");
            return;
        }
        Err(_) => {
            tracing::warn!("the entrances could not be measured: the database does not answer");
            return;
        }
    };
    let slugs: HashMap<_, _> = publishers
        .iter()
        .map(|publisher| (publisher.id, publisher.slug.as_str()))
        .collect();
    let mut entrances: BTreeMap<(&str, &str), Vec<&RunSums>> = BTreeMap::new();
    for one in &sums {
        if let Some(slug) = slugs.get(&one.publisher) {
            let key = (*slug, one.entrance.as_str());
            entrances.entry(key).or_default().push(one);
        }
    }
    for (names, sums) in entrances {
        let gauges = gauges(&sums, state.now());
        state.metrics.entrance(names, &gauges);
    }
}

/// The gauges of one entrance, from the sums of its runs by state.
fn gauges(sums: &[&RunSums], now: Instant) -> EntranceGauges {
    let since = |at: Instant| ((now.micros() - at.micros()) / 1_000_000).max(0);
    let seconds = |at: Instant| at.micros() / 1_000_000;
    let last_success = sums.iter().filter_map(|one| one.last_success).max();
    let newest = sums.iter().filter_map(|one| one.newest_data).max();
    let waiting = sums.iter().find(|one| one.state == RunState::Queued);
    let runs = RunState::ALL.map(|state| {
        let of_state = sums.iter().filter(|one| one.state == state);
        (state.as_str(), of_state.map(|one| one.runs).sum())
    });
    let count = |of: fn(&RunCounts) -> i64| sums.iter().map(|one| of(&one.counts)).sum::<i64>();
    EntranceGauges {
        last_success: last_success.map_or(0, seconds),
        lag: newest.map(since),
        waiting: waiting.map_or(0, |one| since(one.oldest)),
        runs: runs.into(),
        records: vec![
            ("inserted", count(|counts| counts.inserted)),
            ("updated", count(|counts| counts.updated)),
            ("unchanged", count(|counts| counts.unchanged)),
            ("stale", count(|counts| counts.stale)),
            ("deleted", count(|counts| counts.deleted)),
            ("rejected", count(|counts| counts.rejected)),
        ],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_told_nothing_of_others() {
        let text = "# TYPE drift gauge\ndrift{publisher=\"one\"} 1\ndrift{publisher=\"two\"} 2\nsync{publisher=\"two\",account=\"publisher=\\\"one\\\"\"} 3\nall 4\n# EOF\n";
        let told = only_of("one", text);
        assert_eq!(
            told,
            "# TYPE drift gauge\ndrift{publisher=\"one\"} 1\nall 4\n# EOF\n"
        );
    }
}
