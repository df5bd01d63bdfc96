//! An affiliate program as this publisher knows it: the shipped catalogue's, and what imports teach.

use sea_orm::entity::prelude::*;

/// An affiliate program as this publisher knows it: the shipped catalogue's, and what imports teach.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "programs")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from the natural key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Network, `admitad`.
    pub source: String,
    /// Upstream's id, else `name:` and the folded name. Unique per source.
    pub natural_key: String,
    /// Upstream's program id.
    pub external_id: Option<String>,
    /// Key of the shipped catalogue's program with its terms and country rules.
    pub catalog_key: Option<String>,
    /// Name, the latest seen.
    pub name: String,
    /// Name, Unicode-folded for searching.
    pub name_folded: String,
    /// Default currency, ISO 4217.
    pub currency: Option<String>,
    /// Stamp of the state that gave the name, µs since 1970 UTC; 0 for the catalogue.
    pub name_at_us: i64,
    /// Status in the network's word, `active`.
    pub status: Option<String>,
    /// How the publisher stands with the program in the network's word: `active`, `pending`, `declined`.
    pub connection_status: Option<String>,
    /// Days that an action is on hold on average.
    pub hold_days: Option<i32>,
    /// Days that an action is on hold at most.
    pub max_hold_days: Option<i32>,
    /// Days between a click and an order that still count, as the network says.
    pub cookie_days: Option<i32>,
    /// Days from an action to its reward on the balance, on average.
    pub payment_days: Option<i32>,
    /// Codes of the countries whose actions it takes, with blanks between; none where the network names none.
    pub countries: Option<String>,
    /// Whether it takes the actions of all countries.
    pub all_countries: Option<bool>,
    /// When the network last described the program, µs since 1970 UTC.
    pub described_at_us: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
