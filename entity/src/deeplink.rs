//! A template of affiliate links.

use sea_orm::entity::prelude::*;

/// A template of affiliate links of an ad space and a program.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deeplinks")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The ad space.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ad_space_id: Uuid,
    /// The program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub program_id: Uuid,
    /// Who gave it: `BY_HAND` or `UPSTREAM`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    /// Address without parameters.
    pub base: String,
    /// The parameter that carries the target.
    pub target_parameter: String,
    /// Further parameters: a JSON array of pairs of name and value.
    pub extra: String,
    /// When it was stored, µs since 1970 UTC.
    pub changed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
