//! API keys, as administrators see them.

use async_graphql::{Object, SimpleObject};

use super::viewer::{KeyLimits, KeyScope};
use crate::domain::key;
use crate::domain::time::Instant;
use crate::graphql::connection::connection;
use crate::graphql::error::Result;
use crate::graphql::scalar::{DateTime, count};

/// An API key, without its secret.
#[derive(Clone)]
pub struct ApiKey {
    /// The key.
    pub key: key::ApiKey,
    /// The present.
    pub now: Instant,
}

/// An API key, without its secret.
#[Object]
impl ApiKey {
    /// The public first part, by which the key is known.
    async fn prefix(&self) -> &str {
        &self.key.prefix
    }

    /// What the key is for.
    async fn label(&self) -> &str {
        &self.key.terms.label
    }

    /// What it may do.
    async fn scopes(&self) -> Vec<KeyScope> {
        let scopes = self.key.terms.scopes.iter();
        scopes.copied().map(KeyScope::from).collect()
    }

    /// Whether it opens anything now.
    async fn is_active(&self) -> bool {
        self.key.is_active(self.now)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.key.created_at)
    }

    /// When it ends by itself; null for never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.key.terms.expires_at.map(DateTime)
    }

    /// When it was last used, give or take some minutes; null for never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.key.last_used_at.map(DateTime)
    }

    /// When it was revoked; null where it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.key.revoked_at.map(DateTime)
    }

    /// Until when the secret before the last rotation is taken; null where there is none that is.
    async fn old_secret_until(&self) -> Option<DateTime> {
        let until = self.key.previous_until.filter(|until| self.now < *until);
        until.map(DateTime)
    }

    /// What of the publisher's data it sees; null for all of it.
    async fn limits(&self) -> Option<KeyLimits> {
        let limits = &self.key.terms.limits;
        (!limits.is_none()).then(|| KeyLimits::from(limits))
    }

    /// What it may spend; null for what the server allows every key.
    async fn budget(&self) -> Result<Option<KeyBudget>> {
        let budget = self.key.terms.budget;
        let told = |budget: key::KeyBudget| {
            Ok(KeyBudget {
                capacity: count(budget.capacity)?,
                refill: count(budget.refill)?,
            })
        };
        budget.map(told).transpose()
    }

    /// Whether it may ask for the schema; null for what the server allows every key.
    async fn introspection(&self) -> Option<bool> {
        self.key.terms.introspection
    }
}

/// What a key may spend: a bucket of points that fills up again.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct KeyBudget {
    /// How many points the bucket holds.
    capacity: i32,
    /// How many points come back in a second.
    refill: i32,
}

connection! {
    /// A page of API keys.
    ApiKeyConnection, ApiKeyEdge of ApiKey
}
