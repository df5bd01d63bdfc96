//! What product feeds offer.

use async_graphql::SimpleObject;

use super::sales::Money;
use crate::domain::feed;
use crate::graphql::scalar::{DateTime, Url};

/// What a product feed offers of a product.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductOffer {
    /// The feed's name.
    feed: String,
    /// The link that pays.
    affiliate_url: Option<Url>,
    /// The price.
    price: Option<Money>,
    /// The price before.
    old_price: Option<Money>,
    /// Who makes or sells it.
    vendor: Option<String>,
    /// Whether it can be ordered; null where the feed does not say.
    available: Option<bool>,
    /// Whether the feed is one of hot products.
    is_hot: bool,
    /// When the feed was taken.
    observed_at: DateTime,
}

impl From<&feed::ProductOffer> for ProductOffer {
    fn from(offer: &feed::ProductOffer) -> Self {
        Self {
            feed: offer.feed.clone(),
            affiliate_url: offer.affiliate_url.clone().map(Url),
            price: offer.price.map(Money::from),
            old_price: offer.old_price.map(Money::from),
            vendor: offer.vendor.clone(),
            available: offer.available,
            is_hot: offer.is_hot,
            observed_at: DateTime(offer.observed_at),
        }
    }
}
