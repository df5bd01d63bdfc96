//! Actiongraph: a self-hosted GraphQL analytics server for publishers of the AliExpress programs in the Admitad
//! affiliate network.
//!
//! The rooms, from the ground up (the whole table, and what may import what, is in `docs/ARCHITECTURE.md`):
//!
//! - [`domain`]: what it is about. Pure values and functions.
//! - [`clock`], [`telemetry`], [`settings`]: the time, logs and metrics, what was configured.
//! - [`store`]: where facts rest. The only room that knows SQL.
//! - [`access`], [`analytics`], [`ingest`]: who may, which data answers a question, foreign bytes into drafts.
//! - [`export`]: answers as files.
//! - [`worker`]: what a server does beside answering.
//! - [`graphql`], [`http`]: the doors. They join the rooms below and hold no meaning of their own.
//! - [`app`], [`cli`]: put together, and typed.

pub mod access;
pub mod analytics;
pub mod app;
pub mod cli;
pub mod clock;
pub mod domain;
pub mod export;
pub mod graphql;
pub mod http;
pub mod ingest;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod worker;
