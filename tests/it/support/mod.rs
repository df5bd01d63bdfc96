//! The only harness of the integration tests: databases, and a world to put actions into.

pub(crate) mod db;
pub(crate) mod world;

pub(crate) use db::{fresh_store, fresh_url, is_postgres};
