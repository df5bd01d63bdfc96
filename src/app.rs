//! The only composition: settings and parts become a server that runs until it is told to stop.
//!
//! Nothing here is needed by others but [`listen`] and [`App`]; what handlers can reach is defined in `http::state`.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{Bytes, Data};
use actix_web::{App as Routes, HttpServer};

use futures::future::{FusedFuture as _, FutureExt as _};

use crate::access::Keyring;
use crate::clock::Clock;
use crate::domain::error::{Code, Error, Result};
use crate::domain::scope::Publisher;
use crate::graphql::{self, Engine};
use crate::http::state::{HttpOptions, HttpState};
use crate::http::{observe::observe, routes};
use crate::ingest::admitad::tick::Sync;
use crate::ingest::format::heading::Aliases;
use crate::ingest::format::input::Reading;
use crate::ingest::inbox::{self, inbox};
use crate::ingest::uploads::Uploads;
use crate::settings::{Settings, data_directory};
use crate::store::Store;
use crate::store::columns::ColumnsOptions;
use crate::telemetry::Metrics;
use crate::worker;
use crate::worker::sync::Measured;
use tokio::sync::watch;

/// How long a connection may take to send the head of its first request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long the rest of a refused body is swallowed, so that its sender can read why.
const LINGER: Duration = Duration::from_secs(2);

/// What is added to the time that requests have to finish, before the server ends with whatever is stuck.
const GRACE: Duration = Duration::from_secs(3);

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
    workers: Option<usize>,
    shutdown: Duration,
    verify_every: Option<Duration>,
    columns_warm_up: bool,
    syncs: Vec<Sync>,
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

impl App {
    /// Puts a server together.
    ///
    /// # Errors
    /// When the engine cannot be built or the port is gone.
    pub fn new(settings: &Settings, listener: TcpListener, parts: Parts) -> Result<Self> {
        let address = listener.local_addr().map_err(Error::internal)?;
        let (inbox, postbacks) = inbox(inbox::WAITING);
        let store = parts.store.with_columns(ColumnsOptions {
            max_bytes: settings.columns.max_bytes,
            least_changes: settings.columns.min_changes,
        });
        let state = HttpState {
            engine: Engine::new(store.clone())?,
            keyring: Keyring::new(store.clone()),
            store,
            inbox,
            uploads: Uploads::new(upload_folder(settings), settings.import_max_bytes),
            clock: parts.clock,
            metrics: parts.metrics,
            options: HttpOptions {
                partial_status_294: settings.partial_status_294,
                cors_origins: settings.cors_origins.clone(),
                body_deadline: settings.body_deadline,
                request_deadline: settings.request_deadline,
            },
            schema: Bytes::from(graphql::sdl()),
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
            workers: settings.workers,
            shutdown: settings.shutdown,
            verify_every: settings.verify_every,
            columns_warm_up: settings.columns.warm_up,
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
        let work = worker::run(
            &beside.store,
            &beside.clock,
            &beside.metrics,
            self.verify_every,
        );
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
        });
        let reading = worker::read_uploads(reader, &beside.clock);
        let server = started(state, self.listener, self.workers, self.shutdown)?;
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let columns = worker::columns::run(&beside.store, self.columns_warm_up);
        let keyring = beside.keyring.clone();
        let uses = note_uses(&keyring);
        // Without accounts, or after all of them, there is still the rest to do.
        let beside_answering =
            async { futures::join!(work, &mut sync, &mut writing, reading, columns, uses) };
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
            futures::join!(answered, stored).0
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

/// Notes now and then when keys were last used, for as long as it is asked to.
async fn note_uses(keyring: &Keyring) {
    loop {
        tokio::time::sleep(USES_EVERY).await;
        if let Err(error) = keyring.write_uses().await {
            let cause = error.cause().map(ToString::to_string);
            tracing::warn!(
                cause,
                "when keys were last used could not be noted: {error}"
            );
        }
    }
}

/// The server on its port; it answers as soon as it is polled.
fn started(
    state: Data<HttpState>,
    listener: TcpListener,
    workers: Option<usize>,
    shutdown: Duration,
) -> Result<Server> {
    let mut server = HttpServer::new(move || {
        Routes::new()
            .app_data(state.clone())
            .wrap(Compress::default())
            .wrap(from_fn(observe))
            .configure(routes)
    })
    .disable_signals()
    .client_request_timeout(HEAD_DEADLINE)
    .client_disconnect_timeout(LINGER)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(shutdown.as_secs());
    if let Some(workers) = workers {
        server = server.workers(workers);
    }
    Ok(server.listen(listener).map_err(Error::internal)?.run())
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
