//! The only composition: settings and parts become a server that runs until it is told to stop.
//!
//! Nothing here is needed by others but [`listen`] and [`App`]; what handlers can reach is defined in `http::state`.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Data};

use futures::future::{FusedFuture as _, FutureExt as _};

use crate::access::Keyring;
use crate::access::budget::{Budgets, Terms};
use crate::access::documents::TrustedDocuments;
use crate::access::token::{Fetch, Issuer, Pace};
use crate::clock::Clock;
use crate::domain::error::{Code, Error, Result};
use crate::domain::query_limits::{FilterLimits, PageSizes, QueryLimits};
use crate::domain::report::ReportLimits;
use crate::domain::rule::RuleLimits;
use crate::domain::scope::Publisher;
use crate::domain::traffic::LinkSettings;
use crate::graphql::document::DocumentLimits;
use crate::graphql::{self, DoorLimits, Engine, EngineOptions, Writing};
use crate::http::health::Readiness;
use crate::http::packed::Packed;
use crate::http::state::{HttpOptions, HttpState};
use crate::http::tls;
use crate::http::turnstile::{Places, Turnstile};
use crate::http::wire::{Serving, serve};
use crate::ingest::admitad::tick::Sync;
use crate::ingest::format::heading::Aliases;
use crate::ingest::format::input::Reading;
use crate::ingest::inbox::{self, inbox};
use crate::ingest::key_source::KeySource;
use crate::ingest::uploads::{UploadLimits, Uploads};
use crate::settings::{JwtSettings, KeysAt, LimitSettings, Settings, TlsFiles, data_directory};
use crate::store::Store;
use crate::store::columns::ColumnsOptions;
use crate::store::tally::Tally;
use crate::telemetry::Metrics;
use crate::worker;
use crate::worker::Upkeep;
use crate::worker::sync::Measured;
use tokio::sync::watch;

/// What is added to the time that requests have to finish, before the server ends with whatever is stuck.
const GRACE: Duration = Duration::from_secs(3);

/// How long it may take at the end to note when keys were last used.
const NOTING: Duration = Duration::from_secs(2);

/// What a server is made of.
pub struct Parts {
    /// The database, ready.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The accounts of the network that are kept current.
    pub syncs: Vec<Sync>,
    /// In `actiongraph demo`: the publisher that callers on this machine may read without a key.
    pub demo: Option<Publisher>,
}

/// A server that has its port but does not answer yet; who calls meanwhile waits.
pub struct App {
    listener: TcpListener,
    address: SocketAddr,
    state: Data<HttpState>,
    postbacks: inbox::Writer,
    reading: Reading,
    serving: Serving,
    shutdown: Duration,
    upkeep: Upkeep,
    columns_warm_up: bool,
    links: Arc<LinkSettings>,
    syncs: Vec<Sync>,
}

/// How connections are served, by the settings; what is read of files is read now.
fn serving(settings: &Settings, clock: &Clock) -> Result<Serving> {
    let limits = &settings.limits;
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let head_deadline = Duration::from_millis(limits.head_deadline_ms);
    let acceptor = |TlsFiles { certificate, key }| {
        tls::acceptor(certificate, key, clock.clone(), head_deadline)
    };
    Ok(Serving {
        workers: settings.workers.unwrap_or_else(processors),
        connections: small(limits.max_connections),
        connections_per_address: limits.max_connections_per_address,
        head_deadline,
        max_head: small(limits.max_head_bytes),
        send_deadline: Duration::from_millis(limits.send_deadline_ms),
        keep_alive: Duration::from_secs(limits.keep_alive_seconds),
        shutdown: settings.shutdown,
        tls: settings.tls.clone().map(acceptor).transpose()?,
    })
}

fn small(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// What documents may be, by the settings.
fn document_limits(limits: &LimitSettings) -> DocumentLimits {
    DocumentLimits {
        bytes: small(limits.max_document_bytes),
        tokens: small(limits.max_document_tokens),
        nesting: small(limits.max_document_nesting),
        depth: small(limits.max_document_depth),
        selections: small(limits.max_document_selections),
        aliases: small(limits.max_document_aliases),
        repeats: small(limits.max_document_repeats),
        fields: small(limits.max_document_fields),
        directives: small(limits.max_document_directives),
        all_directives: small(limits.max_document_all_directives),
        operations: small(limits.max_document_operations),
        root_fields: small(limits.max_root_fields),
        variables: small(limits.max_variables),
        variable_values: small(limits.max_variable_values),
        variable_bytes: small(limits.max_variable_bytes),
        written_bytes: small(limits.max_written_bytes),
        page: limits.max_page_rows,
        nodes: limits.max_operation_rows,
        values: limits.max_operation_values,
        cost: limits.max_operation_cost,
        errors: small(limits.max_errors),
        message_chars: small(limits.max_error_characters),
        comparisons: small(limits.max_document_comparisons),
        input_objects: limits.max_input_objects,
        introspection_lists: small(limits.max_introspection_lists),
        introspection_values: limits.max_introspection_values,
        ..DocumentLimits::default()
    }
}

/// What reports may read, and be divided by, by the settings.
fn report_limits(limits: &LimitSettings) -> ReportLimits {
    ReportLimits {
        facts: i64::try_from(limits.max_report_actions).unwrap_or(i64::MAX),
        rows: small(limits.max_report_rows),
        stretches: small(limits.max_report_stretches),
        segments: small(limits.max_report_segments),
        dimensions: small(limits.max_report_dimensions),
        conditions: small(limits.max_report_conditions),
    }
}

/// What questions and changes may hold, by the settings.
fn query_limits(limits: &LimitSettings) -> QueryLimits {
    let rows = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
    QueryLimits {
        pages: PageSizes {
            entities: rows(limits.max_list_page_rows),
            segments: rows(limits.max_segment_page_rows),
            report_groups: rows(limits.max_report_page_rows),
        },
        filters: FilterLimits {
            depth: small(limits.max_filter_depth),
            conditions: small(limits.max_filter_conditions),
            values: small(limits.max_filter_values),
            all_values: small(limits.max_filter_all_values),
            segments: small(limits.max_filter_segments),
        },
        rules: RuleLimits {
            segments: i64::try_from(limits.max_segments).unwrap_or(i64::MAX),
            depth: small(limits.max_segment_depth),
            conditions: small(limits.max_segment_conditions),
            metrics: small(limits.max_segment_metrics),
            filter_metrics: small(limits.max_filter_metrics),
            values: small(limits.max_segment_values),
            members: small(limits.max_segment_members),
        },
        nodes: small(limits.max_nodes),
        order_keys: small(limits.max_order_keys),
        statement_values: small(limits.max_statement_values),
        trend_points: small(limits.max_segment_trend_points),
        overlaid_segments: small(limits.max_overlaid_segments),
        built_in_periods: small(limits.max_built_in_periods),
        built_in_members: small(limits.max_built_in_members),
        cohort_periods: small(limits.max_cohort_periods),
        awaited_products: small(limits.max_awaited_products),
        retried_records: small(limits.max_retried_records),
    }
}

/// The limits of an engine, by the settings.
fn engine_options(settings: &Settings, links: &Arc<LinkSettings>) -> EngineOptions {
    let limits = &settings.limits;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    EngineOptions {
        documents: document_limits(limits),
        door: DoorLimits {
            body_bytes: limits.max_body_bytes,
            import_bytes: settings.import_max_bytes,
            waiting_imports: settings.import_max_waiting,
            waiting_import_bytes: settings.import_max_waiting_bytes,
            answer_bytes: limits.max_answer_bytes,
            head_ms: limits.head_deadline_ms,
            body_ms: millis(settings.body_deadline),
            operation_ms: millis(settings.request_deadline),
            statement_ms: limits.statement_deadline_ms,
            keep_alive_seconds: limits.keep_alive_seconds,
            operations: limits.max_concurrent_operations,
            operations_per_caller: limits.max_concurrent_operations_per_caller,
            operations_per_address: limits.max_concurrent_operations_per_address,
            connections: limits.max_connections,
            connections_per_address: limits.max_connections_per_address,
            head_bytes: limits.max_head_bytes,
            send_ms: limits.send_deadline_ms,
            unsent_bytes: limits.max_unsent_bytes,
        },
        reports: report_limits(limits),
        queries: query_limits(limits),
        links: Arc::clone(links),
        writing: Writing::default(),
    }
}

/// The documents that clients may ask for by their hash.
fn trusted_documents(settings: &Settings) -> Result<TrustedDocuments> {
    let Some(path) = &settings.trusted_documents else {
        return Ok(TrustedDocuments::default());
    };
    let wrong = |what: String| {
        let words = format!("trusted_documents: {}: {what}", path.display());
        Error::new(Code::BadUserInput, words)
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    TrustedDocuments::read(&text).map_err(wrong)
}

/// The issuer whose tokens are taken.
fn issuer(jwt: &JwtSettings, store: &Store) -> Result<Arc<Issuer>> {
    let source = Arc::new(match &jwt.keys {
        KeysAt::Address(address) => KeySource::address(address.clone())?,
        KeysAt::File(path) => KeySource::file(path.clone()),
    });
    let fetch: Fetch = Box::new(move || {
        let source = Arc::clone(&source);
        Box::pin(async move { source.read().await })
    });
    let pace = Pace {
        refresh: jwt.refresh,
        unknown_key: jwt.unknown_key,
        stale: jwt.stale,
    };
    let issuer = Issuer::new(jwt.policy.clone(), pace, store.clone(), fetch);
    Ok(Arc::new(issuer))
}

/// Takes a port.
///
/// # Errors
/// What is in the way, and what to do about it.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let (port, ip) = (address.port(), address.ip());
        let words = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "Port {port} on {ip} is in use by another program. Stop that program, or choose another port, such as --listen {}.",
                SocketAddr::new(ip, if port == u16::MAX { 8080 } else { port + 1 })
            ),
            ErrorKind::PermissionDenied => format!(
                "This user may not listen on port {port}. Choose a port above 1023, such as --listen {}.",
                SocketAddr::new(ip, 8080)
            ),
            ErrorKind::AddrNotAvailable => format!(
                "{ip} is not an address of this machine. Use 127.0.0.1 for callers on this machine, 0.0.0.0 for all: --listen 127.0.0.1:{port}."
            ),
            _ => format!("Cannot listen on {address}: {error}."),
        };
        Error::new(Code::Conflict, words)
    })
}

/// Where uploads lie until they are in.
fn upload_folder(settings: &Settings) -> PathBuf {
    let default = || {
        let ours = data_directory().unwrap_or_else(|| std::env::temp_dir().join("actiongraph"));
        ours.join("uploads")
    };
    settings.import_directory.clone().unwrap_or_else(default)
}

fn http_options(settings: &Settings) -> HttpOptions {
    let limits = &settings.limits;
    HttpOptions {
        partial_status_294: settings.partial_status_294,
        cors_origins: settings.cors_origins.clone(),
        csrf_always: settings.csrf_always,
        introspection: settings.introspection,
        metrics: settings.metrics,
        trust: settings.trusted_documents_mode,
        https: settings.tls.is_some(),
        max_body: small(limits.max_body_bytes),
        max_values: small(limits.max_variable_values),
        terms: Terms::new(limits.budget_capacity, limits.budget_restore),
        body_deadline: settings.body_deadline,
        request_deadline: settings.request_deadline,
    }
}

impl App {
    /// Puts a server together.
    ///
    /// # Errors
    /// When the engine cannot be built or the port is gone.
    pub fn new(settings: &Settings, listener: TcpListener, parts: Parts) -> Result<Self> {
        let address = listener.local_addr().map_err(Error::internal)?;
        let serving = serving(settings, &parts.clock)?;
        let (inbox, postbacks) = inbox(inbox::WAITING);
        // Work beside requests reads the same segments within the same limits.
        let store = parts.store.with_limits(query_limits(&settings.limits));
        let store = store.with_columns(ColumnsOptions {
            max_bytes: settings.columns.max_bytes,
            least_changes: settings.columns.min_changes,
            ..ColumnsOptions::default()
        });
        let links = Arc::new(settings.links.clone());
        let state = HttpState {
            engine: Engine::with(store.clone(), engine_options(settings, &links))?,
            budgets: Budgets::default(),
            turnstile: Turnstile::new(Places {
                all: settings.limits.max_concurrent_operations,
                each: settings.limits.max_concurrent_operations_per_caller,
                each_from_one: settings.limits.max_concurrent_operations_per_address,
                unsent_bytes: settings.limits.max_unsent_bytes,
            }),
            readiness: Readiness::default(),
            documents: trusted_documents(settings)?,
            keyring: Keyring::new(store.clone()),
            issuer: match &settings.jwt {
                Some(jwt) => Some(issuer(jwt, &store)?),
                None => None,
            },
            store,
            inbox,
            uploads: Arc::new(Uploads::new(
                upload_folder(settings),
                UploadLimits {
                    bytes: settings.import_max_bytes,
                    waiting_files: settings.import_max_waiting,
                    waiting_bytes: settings.import_max_waiting_bytes,
                },
            )),
            clock: parts.clock,
            metrics: parts.metrics,
            tally: Tally::default(),
            options: http_options(settings),
            schema: Bytes::from(graphql::sdl()),
            packed: Packed::default(),
            demo: parts.demo,
        };
        Ok(Self {
            listener,
            address,
            state: Data::new(state),
            postbacks,
            reading: Reading {
                aliases: Aliases::with(&settings.aliases),
                program: None,
            },
            serving,
            shutdown: settings.shutdown,
            upkeep: Upkeep {
                verify_every: settings.verify_every,
                rejects_kept: settings.rejects_kept,
            },
            columns_warm_up: settings.columns.warm_up,
            links,
            syncs: parts.syncs,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` ends; then lets running requests finish for as long as the settings say. When a second
    /// `stop` ends meanwhile, it leaves at once.
    ///
    /// # Errors
    /// When the server cannot start, or ends by itself.
    pub async fn run_until<F>(self, stop: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = ()>,
    {
        let state = self.state;
        let beside = state.clone();
        // Nobody waits for this work: its statements may take longer than those of a caller.
        let unhurried = beside.store.patient(Duration::ZERO);
        let work = worker::run(&unhurried, &beside.clock, &beside.metrics, self.upkeep);
        // Requests that finish after the server was told to stop wait for their postbacks, too.
        let mut postbacks = self.postbacks;
        let writing = worker::write_postbacks(&mut postbacks, &beside.store, &beside.clock);
        let mut writing = std::pin::pin!(writing.fuse());
        let (stop_sync, stopped) = watch::channel(false);
        let (mut syncs, measured) = (self.syncs, Measured(&beside.metrics));
        let sync = worker::sync::run(&mut syncs, &beside.clock, &measured, stopped, self.shutdown);
        let mut sync = std::pin::pin!(sync.fuse());
        let patient = beside.store.patient(worker::imports::PATIENCE);
        let reader = worker::imports::holder().map(|holder| worker::imports::Reader {
            store: &patient,
            uploads: &beside.uploads,
            reading: &self.reading,
            holder,
            sign: worker::imports::SIGN,
        });
        let reading = worker::read_uploads(reader, &beside.clock);
        let server = serve(state, self.listener, self.serving)?;
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let links = worker::links::run(&beside.store, &self.links);
        let columns = worker::columns::run(&beside.store, self.columns_warm_up);
        let keyring = beside.keyring.clone();
        let uses = note_uses(&keyring);
        let token_keys =
            worker::token_keys::run(beside.issuer.as_ref(), &beside.clock, &beside.metrics);
        // Without accounts, or after all of them, there is still the rest to do.
        let beside_answering = async {
            let own = async { futures::join!(links, columns, uses, token_keys) };
            futures::join!(work, &mut sync, &mut writing, reading, own)
        };
        tokio::select! {
            ended = &mut server => {
                ended.map_err(Error::internal)?;
                return Err(Error::internal("the server ended by itself"));
            }
            _ = beside_answering => {}
            () = stop() => {}
        }
        stop_sync.send_replace(true);
        tracing::info!("stopping: running requests may finish");
        let mut leave = std::pin::pin!(handle.stop(true));
        // What is noted at last has its share of the time that there is.
        let finished = async {
            // Stopping is a message to the server, which has to run to hear it.
            let answered = async {
                tokio::select! {
                    () = &mut leave => Ok(()),
                    ended = &mut server => ended,
                    () = &mut writing => Ok(()),
                }
            };
            let stored = async {
                if !sync.is_terminated() {
                    sync.await;
                }
            };
            let ended = futures::join!(answered, stored).0;
            note_last(&keyring).await;
            ended
        };
        tokio::select! {
            ended = tokio::time::timeout(self.shutdown + GRACE, finished) => match ended {
                Ok(ended) => ended.map_err(Error::internal),
                Err(_) => {
                    tracing::warn!("a request does not end; leaving without it");
                    Ok(())
                }
            },
            () = stop() => {
                tracing::warn!("told twice to stop: leaving at once");
                Ok(())
            }
        }
    }
}

/// The pause between two notes of when keys were last used.
const USES_EVERY: Duration = Duration::from_secs(300);

/// Notes when keys were last used, if the database answers in time.
async fn note_last(keyring: &Keyring) {
    let noted = tokio::time::timeout(NOTING, write_uses(keyring));
    if noted.await.is_err() {
        tracing::warn!("the database does not answer: when keys were last used is not noted");
    }
}

/// Notes now and then when keys were last used, for as long as it is asked to.
async fn note_uses(keyring: &Keyring) {
    let noting = async || {
        loop {
            tokio::time::sleep(USES_EVERY).await;
            write_uses(keyring).await;
        }
    };
    worker::lasting("when keys were last used is noted", noting).await;
}

/// Notes when keys were last used.
async fn write_uses(keyring: &Keyring) {
    if let Err(error) = keyring.write_uses().await {
        let cause = error.cause().map(ToString::to_string);
        tracing::warn!(
            cause,
            "when keys were last used could not be noted: {error}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_a_way_out() {
        let taken = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).expect_err("it is taken");
        assert!(
            error
                .message()
                .contains(&format!("Port {} on 127.0.0.1 is in use", address.port()))
        );
        assert!(error.message().contains("--listen 127.0.0.1:"));
    }
}
