//! Admitad's publisher API: asking, reading what it answers, and keeping an account current by it. It asks no clock and
//! waits for nothing but an answer.
//!
//! | what | where |
//! |---|---|
//! | what a caller uses | [`Client`] |
//! | what is asked | [`query`] |
//! | what comes back | [`wire`] (rows), [`page`] (pages of them) |
//! | what goes wrong, and what to do about it | [`Fault`] |
//! | how often it may be asked | [`RateBudget`], [`Budgets`], [`backoff`] |
//! | bytes over the wire | `transport`, `answer` |
//! | tokens | `token` |
//! | what is read next of an account | [`plan`] |
//! | one step of it, and where the answer goes | [`tick`] (`actions`, `clicks`, `lists`, `pages`, `rates`) |
//!
//! When to step is the business of `worker` and `cli`.

mod actions;
mod answer;
pub mod budget;
mod clicks;
pub mod client;
pub mod fault;
mod holdings;
mod kept;
mod links;
mod lists;
pub mod page;
mod pages;
pub mod plan;
pub mod query;
mod rates;
mod rest;
mod round;
pub mod tick;
mod token;
mod transport;
pub mod wire;

pub use budget::{Budgets, RateBudget, SharedBudget, Turn, backoff};
pub use client::Client;
pub use fault::Fault;
pub use page::{Page, PageAt};
pub use query::{ActionsBy, ActionsOrder, ActionsQuery, ClicksQuery};
pub use token::Credentials;
pub use wire::{
    AdSpaceRow, BalanceRow, ClickRow, CommissionRow, FeedRow, LinkRow, ProgramRow, RateRow,
    fold_clicks,
};
