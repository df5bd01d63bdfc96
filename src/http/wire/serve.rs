//! The server on its port: actix-web's own, but for the connections, which are ours.

use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, Error};
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::{Sent, exchange};
use super::heads::Heads;
use super::line::Line;
use super::seats::Seats;
use super::socket::Socket;
use super::{LINGER, Rules};
use crate::domain::error::{Error as Fault, Result};
use crate::http::observe::observe;
use crate::http::routes;
use crate::http::state::HttpState;

/// How connections are served.
#[derive(Clone)]
pub struct Serving {
    /// Threads that answer.
    pub workers: usize,
    /// Connections that are open at the same time; more wait.
    pub connections: usize,
    /// Connections of one address that are open at the same time; more are closed. 0 counts nothing.
    pub connections_per_address: u64,
    /// How long the head of a request may take to arrive.
    pub head_deadline: Duration,
    /// The largest head of a request, in bytes.
    pub max_head: usize,
    /// How long an answer may wait for its reader without any of it being taken.
    pub send_deadline: Duration,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
    /// How long requests may take to finish after the server was told to stop.
    pub shutdown: Duration,
    /// What makes connections secret; none where they are not.
    pub tls: Option<Acceptor>,
}

/// What every thread needs to take connections in.
#[derive(Clone)]
struct Door {
    rules: Rules,
    seats: Seats,
    address: SocketAddr,
    draining: GracefulShutdownSignal,
    state: Data<HttpState>,
}

/// The server on its port; it answers as soon as it is polled.
///
/// # Errors
/// When the port is gone.
pub fn serve(state: Data<HttpState>, listener: TcpListener, serving: Serving) -> Result<Server> {
    let each = serving.connections.div_ceil(serving.workers.max(1));
    // Each has its place among the connections, whose number is limited, and its time: a limit of its own would let the few
    // that never finish keep everybody out.
    actix_tls::accept::max_concurrent_tls_connect(each);
    let builder = Server::build()
        .disable_signals()
        .workers(serving.workers)
        .max_concurrent_connections(each)
        .shutdown_timeout(serving.shutdown.as_secs());
    let door = Door {
        rules: Rules::of(&serving),
        seats: Seats::new(serving.connections_per_address),
        address: listener.local_addr().map_err(Fault::internal)?,
        draining: builder.graceful_shutdown_signal(),
        state,
    };
    let builder = match serving.tls {
        None => builder.listen("http", listener, move || plain(door.clone())),
        Some(acceptor) => builder.listen("https", listener, move || {
            encrypted(door.clone(), acceptor.clone())
        }),
    };
    Ok(builder.map_err(Fault::internal)?.run())
}

/// Connections that everybody on the way can read.
fn plain(
    door: Door,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let (rules, seats) = (Rc::new(door.rules.clone()), door.seats.clone());
    fn_service(move |stream: TcpStream| {
        let admitted = admit(stream, &rules, &seats);
        let rules = Rc::clone(&rules);
        async move {
            let (socket, peer) = admitted.map_err(DispatchError::Io)?;
            let line = Line::new(rules, socket.pace());
            Ok((Heads::new(socket, line), Protocol::Http1, Some(peer)))
        }
    })
    .and_then(http(door))
}

/// Connections under TLS.
fn encrypted(
    door: Door,
    acceptor: Acceptor,
) -> impl ServiceFactory<
    TcpStream,
    Config = (),
    Response = (),
    Error = TlsError<IoError, DispatchError>,
    InitError = (),
> {
    let (rules, seats) = (Rc::new(door.rules.clone()), door.seats.clone());
    let its_rules = Rc::clone(&rules);
    let acceptor = acceptor.map_init_err(|_| ());
    fn_service(move |stream: TcpStream| {
        let admitted = admit(stream, &rules, &seats);
        async move {
            let admitted = admitted.map(|(socket, _)| socket);
            admitted.map_err(|error| TlsError::Service(DispatchError::Io(error)))
        }
    })
    .and_then(acceptor.map_err(TlsError::into_service_error))
    .and_then(fn_service(move |stream: TlsStream<Socket>| {
        let socket = stream.get_ref().0;
        let line = Line::new(Rc::clone(&its_rules), socket.pace());
        let peer = socket.peer();
        async move { Ok((Heads::new(stream, line), Protocol::Http1, Some(peer))) }
    }))
    .and_then(http(door).map_err(TlsError::Service))
}

/// Lets a connection in, and says whose it is.
fn admit(
    stream: TcpStream,
    rules: &Rc<Rules>,
    seats: &Seats,
) -> std::io::Result<(Socket, SocketAddr)> {
    let peer = stream.peer_addr()?;
    let seat = seats
        .take(peer.ip())
        .ok_or_else(|| IoError::from(ErrorKind::ConnectionRefused))?;
    Ok((Socket::new(stream, peer, Rc::clone(rules), seat), peer))
}

/// HTTP/1.1 with all routes.
fn http<T>(
    door: Door,
) -> impl ServiceFactory<
    (Heads<T>, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let app = application(door.state.clone());
    protocol(door, app)
}

/// Everything that answers requests.
fn application(
    state: Data<HttpState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<Sent>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(state)
        .wrap(Compress::default())
        .wrap(from_fn(observe))
        .wrap(from_fn(exchange))
        .configure(routes)
}

/// HTTP/1.1 around whatever answers requests.
fn protocol<T, I, S, B>(
    door: Door,
    app: I,
) -> impl ServiceFactory<
    (Heads<T>, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let draining = door.draining;
    // The times of connections are ours.
    let keep_alive = if door.rules.keep_alive.is_zero() {
        KeepAlive::Disabled
    } else {
        KeepAlive::Os
    };
    let answered = app.into_factory().map_err(|error| {
        let error: Error = error.into();
        Response::<BoxBody>::from(error.error_response())
    });
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let draining = draining.clone();
            async move { draining.notified().await }
        })
        .keep_alive(keep_alive)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(LINGER)
        // Who has closed its side has gone away: what it asked for is given up.
        .h1_allow_half_closed(false)
        .local_addr(door.address)
        .on_connect_ext(|heads: &Heads<T>, data| {
            data.insert(heads.line());
        })
        // No address is made from the name of this machine, so that the framework need not know it.
        .finish(map_config(answered, |()| AppConfig::default()))
}
