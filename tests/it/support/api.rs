//! A caller of the API over a world: asks the engine as the HTTP door does, and reads the answer.

use super::drafts::at;
use super::world::World;
use actiongraph::access::budget::{Budgets, Terms};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::scope::{Credential, KeyScope, Viewer};
use actiongraph::domain::time::Instant;
use actiongraph::graphql::{
    Call, Engine, EngineOptions, GraphqlRequest, Introspection, Method, Reply, Spending,
};
use actiongraph::store::{Recorder, Store};
use serde_json::{Map, Value};
use std::time::Duration;
use uuid::Uuid;

/// A caller who sees one publisher's data.
pub(crate) struct Api {
    engine: Engine,
    viewer: Viewer,
    now: Instant,
    spending: Spending,
    /// Every statement that answers made.
    pub statements: Recorder,
}

impl Api {
    /// A caller with the key of publisher `place`; the present is 1 July 2026.
    pub(crate) fn of(world: &World, place: usize) -> Self {
        Self::with(world, place, EngineOptions::default())
    }

    /// Likewise, with other limits.
    pub(crate) fn with(world: &World, place: usize, options: EngineOptions) -> Self {
        let statements = Recorder::default();
        Self {
            engine: Engine::with(world.store.recorded(&statements), options).unwrap(),
            viewer: Viewer {
                publisher: world.publishers[place].clone(),
                credential: Credential::LoopbackDemo,
                limits: std::sync::Arc::default(),
            },
            now: at("2026-07-01T00:00:00Z"),
            spending: Spending::default(),
            statements,
        }
    }

    /// A caller who may ask what is too dear for others: keys with limits pay more for the same.
    pub(crate) fn rich(world: &World, place: usize) -> Self {
        let mut options = EngineOptions::default();
        options.documents.cost *= 1_000;
        Self::with(world, place, options)
    }

    /// A caller who sees of it what limits leave.
    pub(crate) fn limited(world: &World, place: usize, limits: Limits) -> Self {
        Self::of(world, place).narrowed(limits)
    }

    /// The same caller, who sees what limits leave.
    pub(crate) fn narrowed(mut self, limits: Limits) -> Self {
        self.viewer.limits = std::sync::Arc::new(limits);
        self
    }

    /// The same caller with a bucket of so many points, which nothing comes back to.
    pub(crate) fn paying(mut self, capacity: u64) -> Self {
        let terms = Terms {
            capacity,
            restore: 1,
        };
        let bucket = Budgets::default().of(&self.viewer, terms, Duration::ZERO);
        self.spending.allowance = Some(bucket);
        self
    }

    /// Points that are left in its bucket.
    pub(crate) fn left(&self) -> u64 {
        self.spending.allowance.as_ref().unwrap().available()
    }

    /// The same caller at a server of its own on the same database.
    pub(crate) fn at(mut self, store: &Store) -> Self {
        self.engine = Engine::with(store.clone(), EngineOptions::default()).unwrap();
        self
    }

    /// The same caller with a key that may do this.
    pub(crate) fn allowed(self, scopes: &[KeyScope]) -> Self {
        self.with_key(Uuid::nil(), scopes)
    }

    /// Likewise, with this key.
    pub(crate) fn with_key(mut self, id: Uuid, scopes: &[KeyScope]) -> Self {
        self.viewer.credential = Credential::Key {
            id,
            prefix: "00000000".to_owned(),
            label: "test".to_owned(),
            scopes: scopes.to_vec(),
            expires_at: None,
            budget: None,
            introspection: None,
        };
        self
    }

    /// The reply to an operation.
    pub(crate) async fn reply(&self, query: &str, variables: &Value) -> Reply {
        let request = GraphqlRequest {
            query: query.to_owned(),
            operation_name: None,
            variables: variables.as_object().cloned().unwrap_or_else(Map::new),
        };
        let call = Call {
            viewer: self.viewer.clone(),
            address: None,
            now: self.now,
            method: Method::Post,
            reference: "test".to_owned(),
            introspection: Introspection::Allowed,
        };
        let spending = self.spending.clone();
        self.engine.spend(request, call, spending).await
    }

    /// The whole answer to an operation, errors included.
    pub(crate) async fn answer(&self, query: &str, variables: &Value) -> Value {
        serde_json::from_slice(&self.reply(query, variables).await.body).unwrap()
    }

    /// The data of an operation that has no errors.
    pub(crate) async fn data(&self, query: &str, variables: &Value) -> Value {
        let mut answer = self.answer(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
        answer["data"].take()
    }
}
