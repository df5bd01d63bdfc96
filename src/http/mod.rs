//! The door for HTTP: every route in one table ([`routes`]).
//!
//! Paths, headers and statuses live here; what a question means lives in `graphql` and below.

pub mod accept;
pub mod assets;
pub mod body;
pub mod cors;
pub mod csrf;
pub mod error;
pub mod graphql;
pub mod health;
pub mod import;
pub mod observe;
pub mod packed;
pub mod params;
pub mod postback;
pub mod state;
pub mod tls;
pub mod traffic;
pub mod turnstile;
pub mod viewer;
pub mod wire;

use actix_service::ServiceFactory;
use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{
    Error, FromRequest, Handler, HttpResponse, Resource, Responder, ResponseError as _,
};

use crate::domain::error::Code;
use error::Refusal;
use observe::caught;

/// Every route. What guards each of them stands beside it; [`observe::observe`] wraps them all (and in the demo admits
/// only callers on this machine).
pub fn routes(config: &mut ServiceConfig) {
    config
        // Needs a key; in the demo a caller on this machine needs none.
        .service(
            resource("/graphql", cors::METHODS)
                .route(web::get().to(graphql::get))
                .route(web::post().to(graphql::post))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        // Needs a key; in the demo a caller on this machine needs none.
        .service(resource("/traffic-targets.csv", "GET").route(web::get().to(traffic::get)))
        // Needs a key that may import.
        .service(resource("/import", "POST").route(web::post().to(import::post)))
        // Needs the secret that is in its address; without it there is nothing at this address.
        .service(
            resource("/postback/{secret}", "GET, POST")
                .route(web::get().to(postback::get))
                .route(web::post().to(postback::post)),
        )
        // Public: the program and its schema, nobody's data.
        .service(readable("/", assets::home))
        .service(readable("/graphiql", assets::graphiql))
        .service(readable("/assets/{path:.*}", assets::file))
        .service(readable("/schema.graphql", assets::schema))
        // Public: for those who run the server; keep it off the internet with the proxy in front.
        .service(readable("/livez", health::live))
        .service(readable("/readyz", health::ready))
        // Names publishers and accounts: for callers on this machine or keys that administer, unless set otherwise.
        .service(readable("/metrics", health::metrics))
        .default_service(web::to(no_such_route));
}

/// A resource that is only read.
fn readable<F, Args>(path: &str, handler: F) -> Resource<impl Answering>
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path, "GET, HEAD")
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
}

/// What answers at an address.
trait Answering:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<EitherBody<BoxBody>>,
        Error = Error,
        InitError = (),
    > + 'static
{
}

impl<T> Answering for T where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<EitherBody<BoxBody>>,
            Error = Error,
            InitError = (),
        > + 'static
{
}

/// A resource that answers other methods with 405 and those it has, and a panic with 500.
fn resource(path: &str, methods: &'static str) -> Resource<impl Answering> {
    let resource = web::resource(path.to_owned()).wrap(from_fn(caught));
    resource.default_service(web::to(move || async move {
        let message = format!("This address answers {methods} only.");
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
            .with(header::ALLOW, header::HeaderValue::from_static(methods))
            .error_response()
    }))
}

/// The answer where there is nothing.
pub(crate) async fn no_such_route() -> HttpResponse {
    let message =
        "There is nothing at this address. The API is at /graphql, GraphiQL at /graphiql.";
    Refusal::new(StatusCode::NOT_FOUND, Code::NotFound, message).error_response()
}
