//! What a user of Actiongraph notices, one module for each topic.
//!
//! `TEST_BACKEND` chooses the database (`sqlite`, the default, or `postgres` with `TEST_POSTGRES_URL`); the
//! expectations are the same.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: what they can't do, they can't go on without"
)]

mod support;

#[path = "../fuzz/entries.rs"]
mod entries;

mod admitad_client;
mod answers;
mod api;
mod apply;
mod cdnow;
mod cli;
mod clicks;
mod columns;
mod costs;
mod customers;
mod deadlines;
mod docs;
mod documents;
mod durability;
mod entrances;
mod every_limit;
mod fairness;
mod feeds;
mod filters;
mod formats;
mod fuzz_answers;
mod fuzz_inputs;
mod fuzz_readers;
mod hostile;
mod http;
mod keys;
mod ledger;
mod limits;
mod log;
mod names;
mod own_segments;
mod paging;
mod parity;
mod plans;
mod postbacks;
mod progress;
mod rankings;
mod report_api;
mod report_stories;
mod reports;
mod retention;
mod sales;
mod schema;
mod schema_drift;
mod segment_parameters;
mod segments;
mod spec;
mod statements;
mod sync;
mod tenants;
mod tokens;
mod totals;
mod traffic;
mod trail;
mod uploads;
mod walls;
mod web;
mod wire;
mod written;
