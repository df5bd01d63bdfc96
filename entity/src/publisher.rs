//! A publisher account, the tenant. Shared by all: a reference table on Citus.

use sea_orm::entity::prelude::*;

/// A publisher account, the tenant. Shared by all: a reference table on Citus.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publishers")]
pub struct Model {
    /// Small whole number, assigned by the application.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// Name on the command line and in the API: lower-case letters, digits and `-`. Unique.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// IANA zone used where a query names none.
    pub time_zone: String,
    /// ISO 4217 code of the main currency, used where a ranking needs one and none is named.
    pub currency: String,
    /// When the publisher was created, µs since 1970 UTC.
    pub created_at_us: i64,
    /// The secret through which users' ids are shown to keys that may not know who they are; none until one asks. Never
    /// changed: the ids that such keys hold would be nobody's.
    pub user_ids_secret: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
