//! Product feeds: what they offer, and what commission products pay.

use super::draft::{CategoryRef, ProductRef};
use super::money::{Currency, Money};
use super::time::Instant;
use uuid::Uuid;

/// An offer of a feed as an entrance read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferDraft {
    /// The product.
    pub product: ProductRef,
    /// Its category, where the feed names one by its id.
    pub category: Option<CategoryRef>,
    /// The link that pays.
    pub affiliate_url: Option<String>,
    /// Price, 1/10 000.
    pub price_e4: Option<i64>,
    /// Price before, 1/10 000.
    pub old_price_e4: Option<i64>,
    /// Currency of the prices.
    pub currency: Option<Currency>,
    /// Who makes or sells it.
    pub vendor: Option<String>,
    /// Whether it can be ordered.
    pub available: Option<bool>,
    /// How many of its amounts were rounded to four decimals.
    pub rounded: u32,
}

/// A feed as it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSource {
    /// What it is called: feeds of one name follow each other.
    pub name: String,
    /// Whether it is one of hot products.
    pub is_hot: bool,
    /// Whether it has all that is offered: what an older one of its name had, and it has not, is gone.
    pub is_whole: bool,
    /// When it was taken.
    pub observed_at: Instant,
}

/// What a feed offers of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductOffer {
    /// The product.
    pub product_id: Uuid,
    /// The feed's name.
    pub feed: String,
    /// The link that pays.
    pub affiliate_url: Option<String>,
    /// Price.
    pub price: Option<Money>,
    /// Price before.
    pub old_price: Option<Money>,
    /// Who makes or sells it.
    pub vendor: Option<String>,
    /// Whether it can be ordered.
    pub available: Option<bool>,
    /// Whether the feed is one of hot products.
    pub is_hot: bool,
    /// When the feed was taken.
    pub observed_at: Instant,
}

/// What commission a product pays, as the network answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommissionDraft {
    /// The product.
    pub product: ProductRef,
    /// Percent of the order amount, 1/10 000 of a percent.
    pub rate_e4: Option<i64>,
    /// The same by a link for hot products.
    pub hot_rate_e4: Option<i64>,
    /// Whether it is a hot product.
    pub is_hot: bool,
    /// When it was asked.
    pub observed_at: Instant,
}

/// What commission a product pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommissionRate {
    /// The product.
    pub product_id: Uuid,
    /// Percent of the order amount, 1/10 000 of a percent.
    pub rate_e4: Option<i64>,
    /// The same by a link for hot products.
    pub hot_rate_e4: Option<i64>,
}
