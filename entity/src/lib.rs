//! The tables of Actiongraph as SeaORM entities, one file per table.
//!
//! What every table follows:
//!
//! - **`publisher_id` leads every key** of a table that belongs to a publisher: Citus distributes by it, and no
//!   statement can join two publishers' rows.
//! - **Ids are made by the application.** Rows that come from imports have derived ids (UUIDv5 of publisher, kind and
//!   natural key), so every database and every repeated import gives the same ones.
//! - **Money** is a whole number of 1/10 000 of the currency unit; such columns end in `_e4`.
//! - **Instants** are whole microseconds since 1970-01-01 UTC; such columns end in `_us`. Calendar days are whole days
//!   since 1970-01-01; such columns end in `_day`.
//! - `''` stands for "none" in keys, `NULL` elsewhere.
//!
//! Not here: what a row means (`domain`), how it is read or written (`store`), how the tables are made (`migration`).

#![expect(
    clippy::disallowed_methods,
    reason = "what `#[sea_orm::model]` writes can begin transactions; nobody here calls it"
)]

pub mod account_action;
pub mod action;
pub mod action_change;
pub mod action_item;
pub mod action_state;
pub mod ad_space;
pub mod adjustment;
pub mod api_key;
pub mod audit_entry;
pub mod awaited_product;
pub mod balance;
pub mod category;
pub mod click_stat;
pub mod commission_rate;
pub mod deeplink;
pub mod exchange_rate;
pub mod feed;
pub mod feed_offer;
pub mod import_reject;
pub mod import_run;
pub mod postback_secret;
pub mod product;
pub mod product_lifetimes;
pub mod program;
pub mod publisher;
pub mod publisher_state;
pub mod segment;
pub mod segment_member;
pub mod segment_settings;
pub mod segment_use;
pub mod segment_version;
pub mod sync_account;
pub mod sync_state;
pub mod tombstone;
pub mod totals_audience;
pub mod totals_category;
pub mod totals_channel;
pub mod totals_product;
pub mod totals_task;
pub mod totals_time;
pub mod upload;
pub mod user;
pub mod user_lifetimes;
pub mod user_task;
