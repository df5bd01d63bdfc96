//! The only harness of the integration tests: databases, and a world to put actions into.

pub(crate) mod admitad;
pub(crate) mod api;
pub(crate) mod asking;
pub(crate) mod books;
pub(crate) mod check;
pub(crate) mod clicks;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod db;
pub(crate) mod dice;
pub(crate) mod drafts;
pub(crate) mod furnish;
pub(crate) mod issuer;
pub(crate) mod naive;
pub(crate) mod naive_report;
pub(crate) mod naive_segment;
pub(crate) mod process;
pub(crate) mod queries;
pub(crate) mod report_requests;
pub(crate) mod server;
pub(crate) mod statement;
pub(crate) mod usage;
pub(crate) mod world;

pub(crate) use db::{fresh_store, fresh_url, is_postgres};
