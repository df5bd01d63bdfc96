//! Logs and metrics: their form, the names of all metrics in one list, and the references that tie an answer to its
//! log lines.
//!
//! What is worth a line or a count is decided where it happens (`http`, `cli`).

mod entrances;

use std::any::Any;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use entrances::Entrances;

pub use entrances::EntranceGauges;

/// What a panic said, for the log alone.
#[must_use]
pub fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no words)")
}

/// The names of all metrics, without the endings that the format adds (`_total`, `_info`, `_bucket` ...).
pub mod name {
    /// Answered requests by route, method and status.
    pub const REQUESTS: &str = "actiongraph_http_requests";
    /// Seconds until a request was answered, by route.
    pub const SECONDS: &str = "actiongraph_http_request_seconds";
    /// GraphQL operations by outcome: `complete`, `partial`, `refused`, or an error code.
    pub const OPERATIONS: &str = "actiongraph_graphql_operations";
    /// Database statements that GraphQL operations needed.
    pub const STATEMENTS: &str = "actiongraph_graphql_statements";
    /// Records that this process imported, by what became of them.
    pub const IMPORTS: &str = "actiongraph_import_records";
    /// Postbacks by what became of them: `stored`, `rejected`, `nothing` (no action) or `failed` (to be sent again).
    pub const POSTBACKS: &str = "actiongraph_postbacks";
    /// Rows of totals that differ from the facts, by publisher, as the last verification found them.
    pub const DRIFT: &str = "actiongraph_totals_drift_rows";
    /// Slices of totals that were compared with the facts.
    pub const VERIFIED: &str = "actiongraph_totals_slices_verified";
    /// Slices of totals that could not be compared with the facts, by publisher; without one where nobody's turn could be
    /// found.
    pub const UNVERIFIED: &str = "actiongraph_totals_verification_failures";
    /// Until when the actions of an account are known, in Unix seconds; 0 for not at all.
    pub const SYNC_KNOWN: &str = "actiongraph_sync_known_until_seconds";
    /// When an account was last read completely, in Unix seconds; 0 for never.
    pub const SYNC_SUCCESS: &str = "actiongraph_sync_last_success_seconds";
    /// When an account is read next, in Unix seconds; 0 for never.
    pub const SYNC_NEXT: &str = "actiongraph_sync_next_run_seconds";
    /// Faults in a row of an account.
    pub const SYNC_FAILURES: &str = "actiongraph_sync_failures";
    /// 1 for the state that an account is in, as `freshness` calls it.
    pub const SYNC_STATE: &str = "actiongraph_sync_state";
    /// Steps of the sync by outcome: `worked`, `failed`, `elsewhere`.
    pub const SYNC_STEPS: &str = "actiongraph_sync_steps";
    /// When a run of an entrance that is not fetched last brought something in, in Unix seconds; 0 for never.
    pub const ENTRANCE_SUCCESS: &str = "actiongraph_entrance_last_success_seconds";
    /// Seconds since the newest state that it brought was observed.
    pub const ENTRANCE_LAG: &str = "actiongraph_entrance_lag_seconds";
    /// Seconds that its oldest run waits for its turn; 0 where none waits.
    pub const ENTRANCE_WAITING: &str = "actiongraph_entrance_waiting_seconds";
    /// Its runs by state.
    pub const ENTRANCE_RUNS: &str = "actiongraph_entrance_runs";
    /// The records of these runs by what became of them.
    pub const ENTRANCE_RECORDS: &str = "actiongraph_entrance_records";
    /// Bytes that columns of facts take in memory.
    pub const COLUMNS_BYTES: &str = "actiongraph_columns_bytes";
    /// Actions that these columns hold.
    pub const COLUMNS_ROWS: &str = "actiongraph_columns_rows";
    /// Columns of a publisher that were read in as a whole.
    pub const COLUMNS_BUILDS: &str = "actiongraph_columns_builds";
    /// Columns that were brought up to date by what had changed.
    pub const COLUMNS_CATCH_UPS: &str = "actiongraph_columns_catch_ups";
    /// Requests that columns could not serve, because they were not there yet.
    pub const COLUMNS_FALLBACKS: &str = "actiongraph_columns_fallbacks";
    /// Keys of the issuer of tokens that can be used.
    pub const TOKEN_KEYS: &str = "actiongraph_token_keys";
    /// When these keys were last read, in Unix seconds; 0 for never.
    pub const TOKEN_KEYS_SUCCESS: &str = "actiongraph_token_keys_last_success_seconds";
    /// Reads of these keys by outcome: `read`, `failed`.
    pub const TOKEN_KEYS_READS: &str = "actiongraph_token_keys_reads";
    /// The version that runs.
    pub const BUILD: &str = "actiongraph_build";
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Owner {
    publisher: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Account {
    publisher: String,
    account: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountIn {
    publisher: String,
    account: String,
    state: &'static str,
}

/// How an account stands, in Unix seconds; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncGauges {
    /// Until when its actions are known.
    pub known_until: i64,
    /// When it was last read completely.
    pub last_success: i64,
    /// When it is read next.
    pub next_run: i64,
    /// Faults in a row.
    pub failures: i64,
}

type Durations = Family<Route, Histogram, fn() -> Histogram>;

/// What columns of facts in memory take and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnsGauges {
    /// Bytes.
    pub bytes: usize,
    /// Actions.
    pub rows: usize,
    /// Read in as a whole.
    pub builds: u64,
    /// Brought up to date.
    pub catch_ups: u64,
    /// Asked for in vain.
    pub fallbacks: u64,
}

/// What is measured of columns.
#[derive(Debug, Default)]
struct InMemory {
    bytes: Gauge,
    rows: Gauge,
    builds: Counter,
    catch_ups: Counter,
    fallbacks: Counter,
}

impl InMemory {
    fn register(&self, registry: &mut Registry) {
        let help = "Bytes that columns of facts take in memory";
        registry.register(name::COLUMNS_BYTES, help, self.bytes.clone());
        let help = "Actions that columns in memory hold";
        registry.register(name::COLUMNS_ROWS, help, self.rows.clone());
        let help = "Columns of a publisher read in as a whole";
        registry.register(name::COLUMNS_BUILDS, help, self.builds.clone());
        let help = "Columns brought up to date by what had changed";
        registry.register(name::COLUMNS_CATCH_UPS, help, self.catch_ups.clone());
        let help = "Requests that found no columns yet";
        registry.register(name::COLUMNS_FALLBACKS, help, self.fallbacks.clone());
    }
}

/// What is measured of the keys of the issuer of tokens.
#[derive(Debug, Default)]
struct TokenKeys {
    keys: Gauge,
    success: Gauge,
    reads: Family<Outcome, Counter>,
}

impl TokenKeys {
    fn register(&self, registry: &mut Registry) {
        let help = "Keys of the issuer of tokens that can be used";
        registry.register(name::TOKEN_KEYS, help, self.keys.clone());
        let help = "When the keys of the issuer of tokens were last read, in Unix seconds";
        registry.register(name::TOKEN_KEYS_SUCCESS, help, self.success.clone());
        let help = "Reads of the keys of the issuer of tokens by outcome";
        registry.register(name::TOKEN_KEYS_READS, help, self.reads.clone());
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Durations,
    operations: Family<Outcome, Counter>,
    statements: Counter,
    imports: Family<Outcome, Counter>,
    postbacks: Family<Outcome, Counter>,
    drift: Family<Owner, Gauge>,
    verified: Counter,
    unverified: Family<Owner, Counter>,
    sync: Syncs,
    entrances: Entrances,
    columns: InMemory,
    token_keys: TokenKeys,
}

/// What is measured of accounts.
#[derive(Debug, Default)]
struct Syncs {
    known: Family<Account, Gauge>,
    success: Family<Account, Gauge>,
    next: Family<Account, Gauge>,
    failures: Family<Account, Gauge>,
    state: Family<AccountIn, Gauge>,
    steps: Family<Outcome, Counter>,
}

impl Syncs {
    fn register(&self, registry: &mut Registry) {
        let help = "Until when the actions of an account are known, in Unix seconds";
        registry.register(name::SYNC_KNOWN, help, self.known.clone());
        let help = "When an account was last read completely, in Unix seconds";
        registry.register(name::SYNC_SUCCESS, help, self.success.clone());
        let help = "When an account is read next, in Unix seconds";
        registry.register(name::SYNC_NEXT, help, self.next.clone());
        let help = "Faults in a row of an account";
        registry.register(name::SYNC_FAILURES, help, self.failures.clone());
        let help = "1 for the state that an account is in";
        registry.register(name::SYNC_STATE, help, self.state.clone());
        let help = "Steps of the sync by outcome";
        registry.register(name::SYNC_STEPS, help, self.steps.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that stand at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let seconds: Durations = Family::new_with_constructor(histogram);
        let operations = Family::default();
        let statements = Counter::default();
        let imports = Family::default();
        let postbacks = Family::default();
        let drift = Family::default();
        let verified = Counter::default();
        let unverified = Family::default();
        let help = "Answered requests by route, method and status";
        registry.register(name::REQUESTS, help, requests.clone());
        let help = "Seconds until a request was answered";
        registry.register(name::SECONDS, help, seconds.clone());
        let help = "GraphQL operations by outcome";
        registry.register(name::OPERATIONS, help, operations.clone());
        let help = "Database statements of GraphQL operations";
        registry.register(name::STATEMENTS, help, statements.clone());
        let help = "Records imported by this process";
        registry.register(name::IMPORTS, help, imports.clone());
        let help = "Postbacks by what became of them";
        registry.register(name::POSTBACKS, help, postbacks.clone());
        let help = "Rows of totals that differ from the facts";
        registry.register(name::DRIFT, help, drift.clone());
        let help = "Slices of totals compared with the facts";
        registry.register(name::VERIFIED, help, verified.clone());
        let help = "Slices of totals that could not be compared with the facts";
        registry.register(name::UNVERIFIED, help, unverified.clone());
        let sync = Syncs::default();
        sync.register(&mut registry);
        let entrances = Entrances::default();
        entrances.register(&mut registry);
        let columns = InMemory::default();
        columns.register(&mut registry);
        let token_keys = TokenKeys::default();
        token_keys.register(&mut registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register(name::BUILD, "The version that runs", build);
        Self {
            registry,
            requests,
            seconds,
            operations,
            statements,
            imports,
            postbacks,
            drift,
            verified,
            unverified,
            sync,
            entrances,
            columns,
            token_keys,
        }
    }

    /// What columns in memory take and did until now.
    pub fn columns(&self, now: ColumnsGauges) {
        let columns = &self.columns;
        for (gauge, value) in [(&columns.bytes, now.bytes), (&columns.rows, now.rows)] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        for (counter, value) in [
            (&columns.builds, now.builds),
            (&columns.catch_ups, now.catch_ups),
            (&columns.fallbacks, now.fallbacks),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
    }

    /// A request was answered. `route` is the pattern of the route, never an address as it was sent.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let labels = Request {
            route: route.to_owned(),
            method: method.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = Route {
            route: route.to_owned(),
        };
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A GraphQL operation ended, with so many database statements.
    pub fn operation(&self, outcome: &'static str, statements: u32) {
        self.operations.get_or_create(&Outcome { outcome }).inc();
        self.statements.inc_by(u64::from(statements));
    }

    /// Records were imported; `outcome` is what became of them, such as `inserted`.
    pub fn imported(&self, outcome: &'static str, records: u64) {
        self.imports
            .get_or_create(&Outcome { outcome })
            .inc_by(records);
    }

    /// A postback was answered; `outcome` is what became of it, such as `stored`.
    pub fn postback(&self, outcome: &'static str) {
        self.postbacks.get_or_create(&Outcome { outcome }).inc();
    }

    /// A slice of a publisher's totals was verified; so many rows of this round differ from the facts.
    pub fn totals_verified(&self, publisher: &str, drift_rows: i64) {
        let labels = Owner {
            publisher: publisher.to_owned(),
        };
        self.drift.get_or_create(&labels).set(drift_rows);
        self.verified.inc();
    }

    /// A slice of a publisher's totals could not be verified; without a name where nobody's turn could be found.
    pub fn totals_unverified(&self, publisher: &str) {
        let labels = Owner {
            publisher: publisher.to_owned(),
        };
        self.unverified.get_or_create(&labels).inc();
    }

    /// The keys of the issuer of tokens were read, at a point in Unix seconds; so many can be used.
    pub fn token_keys_read(&self, keys: usize, at: i64) {
        let measured = &self.token_keys;
        measured.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
        measured.success.set(at);
        let outcome = "read";
        measured.reads.get_or_create(&Outcome { outcome }).inc();
    }

    /// The keys of the issuer of tokens could not be read.
    pub fn token_keys_failed(&self) {
        let outcome = "failed";
        let reads = &self.token_keys.reads;
        reads.get_or_create(&Outcome { outcome }).inc();
    }

    /// How an entrance of a publisher stands.
    pub fn entrance(&self, (publisher, entrance): (&str, &str), gauges: &EntranceGauges) {
        self.entrances.stand((publisher, entrance), gauges);
    }

    /// A step of the sync ended.
    pub fn sync_step(&self, outcome: &'static str) {
        self.sync.steps.get_or_create(&Outcome { outcome }).inc();
    }

    /// How an account stands: one of `states`, with its gauges.
    pub fn synced(
        &self,
        (publisher, account): (&str, &str),
        gauges: SyncGauges,
        state: &'static str,
        states: &[&'static str],
    ) {
        let labels = Account {
            publisher: publisher.to_owned(),
            account: account.to_owned(),
        };
        let sync = &self.sync;
        for (family, value) in [
            (&sync.known, gauges.known_until),
            (&sync.success, gauges.last_success),
            (&sync.next, gauges.next_run),
            (&sync.failures, gauges.failures),
        ] {
            family.get_or_create(&labels).set(value);
        }
        for one in states {
            let labels = AccountIn {
                publisher: publisher.to_owned(),
                account: account.to_owned(),
                state: one,
            };
            let is_it = i64::from(*one == state);
            sync.state.get_or_create(&labels).set(is_it);
        }
    }

    /// All of it in the OpenMetrics text format.
    ///
    /// # Errors
    /// Only if a text cannot grow.
    pub fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

/// Sends log lines to standard error, as JSON or for people, as `filter` wants (`warn,actiongraph=debug`).
///
/// A second call in one process changes nothing.
///
/// # Errors
/// A sentence about the filter.
pub fn start(filter: &str, json: bool, colour: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("{filter:?} is not a filter of log lines such as warn,actiongraph=debug: {error}")
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Refused only where somebody (a test) listens already.
    let _already_there = if json {
        lines.json().flatten_event(true).with_ansi(false).try_init()
    } else {
        lines.with_target(false).with_ansi(colour).try_init()
    };
    Ok(())
}

/// A new reference: 32 hexadecimal digits that stand in an answer's head, in a masked error and in its log lines.
#[must_use]
pub fn reference() -> String {
    static COUNTED: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // A machine without randomness can still tell its requests apart.
        let number = COUNTED.fetch_add(1, Ordering::Relaxed);
        for (place, byte) in bytes.iter_mut().zip(number.to_be_bytes()) {
            *place = byte;
        }
    }
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.request("/graphql", "POST", 200, Duration::from_millis(3));
        metrics.request("/graphql", "POST", 200, Duration::from_millis(30));
        metrics.operation("complete", 4);
        metrics.imported("inserted", 12);
        let text = metrics.to_text().unwrap();
        for line in [
            "actiongraph_http_requests_total{route=\"/graphql\",method=\"POST\",status=\"200\"} 2",
            "actiongraph_http_request_seconds_count{route=\"/graphql\"} 2",
            "actiongraph_http_request_seconds_bucket{le=\"0.005\",route=\"/graphql\"} 1",
            "actiongraph_graphql_operations_total{outcome=\"complete\"} 1",
            "actiongraph_graphql_statements_total 4",
            "actiongraph_import_records_total{outcome=\"inserted\"} 12",
            "actiongraph_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_filter_that_is_none_is_named() {
        let error = start("a=b=c", false, false).expect_err("no filter");
        assert!(error.contains("a=b=c"), "{error}");
    }

    #[test]
    fn references_differ() {
        let (one, two) = (reference(), reference());
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }
}
