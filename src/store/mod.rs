//! Where facts rest: the only room that knows SeaORM, SQL, transactions and pools.
//!
//! A new query takes three steps: say what it selects in a function that takes a [`ReadTx`] and a
//! [`ReadScope`](crate::domain::scope::ReadScope) first, build its text with [`sql::Sql`] (which takes the publisher
//! from the scope), and turn its rows into domain values in `convert`. Facts and totals are written in [`apply`] only.

pub mod actions;
pub mod ad_spaces;
pub mod adjustments;
mod apart;
pub mod apply;
pub mod audit;
pub mod awaited;
pub mod balances;
pub mod categories;
pub mod cohorts;
pub mod columns;
pub mod commissions;
mod connect;
mod convert;
pub mod days;
pub mod deeplinks;
pub mod definitions;
mod error;
pub mod feeds;
pub mod imports;
pub mod keys;
pub mod keyset;
pub mod lifetimes;
mod listing;
pub mod members;
mod notices;
pub mod postback_secrets;
pub mod products;
pub mod programs;
pub mod publishers;
pub mod rates;
pub mod report;
pub mod sales;
pub mod segment_metrics;
pub mod segment_settings;
pub mod segments;
pub mod sql;
mod state;
mod statistics;
pub mod sync;
pub mod tally;
pub mod totals;
mod turns;
mod tx;
pub mod uploads;
pub mod users;
mod walls;

pub use apart::apart;
pub use apply::clicks;
pub use connect::{Store, StoreOptions};
pub use state::{DataState, state};
pub use tx::{CancelOnDrop, ReadTx, Recorder, WriteTx};
pub use walls::tables as tables_with_a_rule;
