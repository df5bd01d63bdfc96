//! A product category: the shipped tree's, and unknown ids that imports teach, under a fixed node.

use sea_orm::entity::prelude::*;

/// A product category: the shipped tree's, and unknown ids that imports teach, under a fixed node.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "categories")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from the external id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// AliExpress category id; `unknown` for the node above all unknown ones; `name:` and a sum of the name where only that is
    /// known. Unique.
    pub external_id: String,
    /// Name; the shipped one where the category is known.
    pub name: String,
    /// Name, Unicode-folded for searching.
    pub name_folded: String,
    /// The category above; none at level 1.
    pub parent_id: Option<Uuid>,
    /// 1 at the top.
    pub level: i32,
    /// Itself or its ancestor at level 1.
    pub level1_id: Uuid,
    /// Itself or its ancestor at level 2; itself at level 1.
    pub level2_id: Uuid,
    /// Whether the shipped tree has it.
    pub is_known: bool,
    /// Stamp of the state that gave the name, µs since 1970 UTC; 0 for the shipped tree.
    pub name_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
