//! What a feed says of a product.

use sea_orm::entity::prelude::*;

/// What a feed says of a product.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed_offers")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// The product.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// The feed's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub feed: String,
    /// The link that pays.
    pub affiliate_url: Option<String>,
    /// Price, 1/10 000.
    pub price_e4: Option<i64>,
    /// Price before, 1/10 000.
    pub old_price_e4: Option<i64>,
    /// Currency code of the prices.
    pub currency: Option<String>,
    /// Who makes or sells it.
    pub vendor: Option<String>,
    /// Whether it can be ordered.
    pub available: Option<bool>,
    /// Whether the feed is one of hot products.
    pub hot: bool,
    /// When the feed was taken, µs since 1970 UTC.
    pub observed_at_us: i64,
}

impl ActiveModelBehavior for ActiveModel {}
