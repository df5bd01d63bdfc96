//! What a user of Actiongraph notices, one module for each topic.
//!
//! `TEST_BACKEND` chooses the database (`sqlite`, the default, or `postgres` with `TEST_POSTGRES_URL`); the
//! expectations are the same.

mod support;

mod durability;
mod filters;
mod schema_drift;
