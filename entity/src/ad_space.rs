//! An ad space (website) of the publisher: where the clicks come from.

use sea_orm::entity::prelude::*;

/// An ad space (website) of the publisher: where the clicks come from.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ad_spaces")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from the natural key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Network, `admitad`.
    pub source: String,
    /// `id:` and upstream's id, else `name:` and the folded name. Unique per source.
    pub natural_key: String,
    /// Upstream's ad space id.
    pub external_id: Option<String>,
    /// Name, the latest told with the id; while there is no id, the latest spelling.
    pub name: String,
    /// Name, Unicode-folded for searching.
    pub name_folded: String,
    /// Users are known by (user space, SubID value); ad spaces share `default` unless set apart.
    pub user_space: String,
    /// Which SubID (0 to 4) names the user; 1 unless chosen otherwise.
    pub user_subid_slot: i32,
    /// Stamp of the state that gave the name, µs since 1970 UTC.
    pub name_at_us: i64,
    /// Every other name that was ever told with the id, folded, as a JSON list in order; none where there is none. It only
    /// grows, so it does not depend on what came first.
    pub former_names: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
