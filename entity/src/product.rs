//! A product seen in a cart or a feed.

use sea_orm::entity::prelude::*;

/// A product seen in a cart or a feed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from the natural key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Network, `admitad`.
    pub source: String,
    /// `id:` and the product id, else `url:` or `name:` and a hash. Unique per source, since the id is derived from both.
    pub natural_key: String,
    /// AliExpress product id.
    pub external_id: Option<String>,
    /// Latest name.
    pub name: Option<String>,
    /// Latest name, Unicode-folded for searching.
    pub name_folded: Option<String>,
    /// Latest link to the product's page.
    pub url: Option<String>,
    /// Latest link to an image.
    pub image_url: Option<String>,
    /// Latest category, for display; sums use the cart item's own.
    pub category_id: Option<Uuid>,
    /// Product country code, verbatim from an export; its meaning is not stated upstream.
    pub country: Option<String>,
    /// Hot product, by a feed or the commission endpoint.
    pub is_hot: bool,
    /// On the publisher's own priority list.
    pub is_priority: bool,
    /// Earliest order instant of an action that carried it, or the earliest feed that offered it, µs since 1970 UTC.
    pub first_seen_us: i64,
    /// Stamp of the state that gave the name, µs since 1970 UTC; 0 for none.
    pub name_at_us: i64,
    /// Stamp of the state that gave the link.
    pub url_at_us: i64,
    /// Stamp of the state that gave the image.
    pub image_at_us: i64,
    /// Stamp of the state that gave the category.
    pub category_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
