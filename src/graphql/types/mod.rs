//! The output types of the schema. Entities have a global id; what depends on a range is a value without one and links
//! to the entity, so that a client's cache cannot mix two ranges.
//!
//! A type that wraps a record is a [`Member`]: it knows the rows that it was listed with, and its relations are read
//! for all of them at once.

pub mod action;
pub mod action_item;
pub mod ad_space;
pub mod affiliate_link;
pub mod audit;
pub mod awaited_product;
pub mod built_in_segment;
pub mod built_in_trend;
pub mod catalogue;
pub mod category;
pub mod cohort;
pub mod drill_down;
pub mod freshness;
pub mod import;
pub mod info;
pub mod key;
pub mod ledger;
pub mod metric;
pub mod movement;
pub mod node;
pub mod offer;
pub mod product;
pub mod product_segment;
pub mod program;
pub mod ranking;
pub mod report;
pub mod report_info;
pub mod report_key;
pub mod report_values;
pub mod report_words;
pub mod rfm;
pub mod sales;
pub mod segment;
pub mod segment_deeds;
pub mod segment_member;
pub mod segment_overlap;
pub mod segment_parameters;
pub mod segment_preview;
pub mod segment_trend;
pub mod traffic_target;
pub mod user;
pub mod user_segment;
pub mod viewer;
pub mod words;

pub use crate::graphql::siblings::Member;
