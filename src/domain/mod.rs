//! What Actiongraph is about: actions, money, time, filters, pages, segments, as plain values.
//!
//! Nothing here is async, does I/O, asks the clock, or knows a database, GraphQL or HTTP.

pub mod action;
pub mod audit;
pub mod catalog;
pub mod clicks;
pub mod column;
pub mod columns;
pub mod contribution;
pub mod deeplink;
pub mod draft;
pub mod error;
pub mod feed;
pub mod filter;
pub mod id;
pub mod key;
pub mod ledger;
pub mod limits;
pub mod money;
pub mod notice;
pub mod page;
pub mod policy;
pub mod query_limits;
pub mod records;
pub mod report;
pub mod rule;
pub mod sales;
pub mod scope;
pub mod secret;
pub mod segment;
pub mod stack;
pub mod sync;
pub mod text;
pub mod time;
pub mod token;
pub mod totals;
pub mod traffic;
