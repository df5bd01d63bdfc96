//! A segment that someone made: a named rule over users or products, as it is.

use sea_orm::entity::prelude::*;

/// A segment that someone made: a named rule over users or products, as it is.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segments")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Random id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `USERS` or `PRODUCTS`.
    pub subject: String,
    /// Name.
    pub name: String,
    /// The name, folded; of an archived segment with its id behind, so that the name is free. Unique.
    pub name_key: String,
    /// What it is for.
    pub description: String,
    /// The latest of its versions, from 1 on.
    pub version: i32,
    /// When it was made, µs since 1970 UTC.
    pub created_at_us: i64,
    /// When it was changed last, µs since 1970 UTC.
    pub updated_at_us: i64,
    /// When its members were taken, µs since 1970 UTC, of a frozen one.
    pub frozen_at_us: Option<i64>,
    /// The segment that it was frozen from.
    pub frozen_from_id: Option<Uuid>,
    /// The version of that one.
    pub frozen_from_version: Option<i32>,
    /// When it was put away, µs since 1970 UTC.
    pub archived_at_us: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
