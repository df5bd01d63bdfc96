//! Admitad's publisher API: asking, and reading what it answers. It keeps nothing but its token, asks no clock and
//! waits for nothing but an answer.
//!
//! | what | where |
//! |---|---|
//! | what a caller uses | [`Client`] |
//! | what is asked | [`query`] |
//! | what comes back | [`wire`] (rows), [`page`] (pages of them) |
//! | what goes wrong, and what to do about it | [`Fault`] |
//! | how often it may be asked | [`RateBudget`], [`backoff`] |
//! | bytes over the wire | `transport`, `answer` |
//! | tokens | `token` |
//!
//! When to ask for what, and where the answers go, is the synchronisation's business.

mod answer;
pub mod budget;
pub mod client;
pub mod fault;
pub mod page;
pub mod query;
mod token;
mod transport;
pub mod wire;

pub use budget::{RateBudget, Turn, backoff};
pub use client::Client;
pub use fault::Fault;
pub use page::{Page, PageAt};
pub use query::{ActionsBy, ActionsOrder, ActionsQuery, ClicksQuery};
pub use token::Credentials;
pub use wire::{
    AdSpaceRow, BalanceRow, ClickRow, CommissionRow, CurrencyRow, FeedRow, ProgramRow, RateRow,
    fold_clicks,
};
