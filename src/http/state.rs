//! What every handler can reach. A leaf: it knows the parts, and nothing here knows the routes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;

use super::health::Readiness;
use super::packed::Packed;
use super::turnstile::Turnstile;
use crate::access::Keyring;
use crate::access::budget::{Budgets, Terms};
use crate::access::documents::TrustedDocuments;
use crate::access::token::Issuer;
use crate::clock::Clock;
use crate::domain::policy::{IntrospectionPolicy, MetricsPolicy, TrustMode};
use crate::domain::scope::Publisher;
use crate::domain::time::Instant;
use crate::graphql::Engine;
use crate::ingest::inbox::Inbox;
use crate::ingest::uploads::Uploads;
use crate::store::Store;
use crate::store::tally::Tally;
use crate::telemetry::Metrics;

/// How HTTP behaves.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Whether partial answers of the new media type have the status 294 instead of 200.
    pub partial_status_294: bool,
    /// Origins of web pages that may call the API from a browser.
    pub cors_origins: Vec<String>,
    /// Whether every GET request needs a header that pages of other sites cannot send.
    pub csrf_always: bool,
    /// Who may read the schema.
    pub introspection: IntrospectionPolicy,
    /// Who may read what the server counts.
    pub metrics: MetricsPolicy,
    /// What becomes of documents that are not trusted.
    pub trust: TrustMode,
    /// Whether answers travel encrypted.
    pub https: bool,
    /// The largest body of a GraphQL request, in bytes.
    pub max_body: usize,
    /// Values in the variables of a request.
    pub max_values: usize,
    /// What callers may spend whose key says nothing of it; none where nothing is counted.
    pub terms: Option<Terms>,
    /// How long a request's whole body may take to arrive.
    pub body_deadline: Duration,
    /// How long an operation may take.
    pub request_deadline: Duration,
}

/// What every handler can reach.
pub struct HttpState {
    /// The database.
    pub store: Store,
    /// Runs GraphQL operations.
    pub engine: Engine,
    /// Recognises keys.
    pub keyring: Keyring,
    /// Recognises JSON Web Tokens, where they are taken.
    pub issuer: Option<Arc<Issuer>>,
    /// What callers may spend.
    pub budgets: Budgets,
    /// How many may be inside.
    pub turnstile: Turnstile,
    /// What the last look at the database found.
    pub readiness: Readiness,
    /// The documents that clients may ask for by their hash.
    pub documents: TrustedDocuments,
    /// Takes postbacks.
    pub inbox: Inbox,
    /// Where uploads lie.
    pub uploads: Arc<Uploads>,
    /// Tells the time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Adds up the runs of entrances that are not fetched.
    pub tally: Tally,
    /// How HTTP behaves.
    pub options: HttpOptions,
    /// The schema as text.
    pub schema: Bytes,
    /// Public files, compressed.
    pub packed: Packed,
    /// In `actiongraph demo`: the publisher that callers on this machine may read without a key.
    pub demo: Option<Publisher>,
}

impl HttpState {
    /// The point in time at which a request is answered.
    #[must_use]
    pub fn now(&self) -> Instant {
        // A machine that believes to live before 1970 or after 9999 is taken for 1970.
        Instant::from_utc(self.clock.now()).unwrap_or(Instant::MIN)
    }
}
