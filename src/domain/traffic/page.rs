//! Which addresses are the page of a product, and that a page is in the shop of the program that traffic goes through.
//!
//! All programs of the shipped catalogue are AliExpress's, so that a page of theirs is on one of its hosts and names an item.
//! What else is on these hosts may be an affiliate link of AliExpress's own portal, such as `https://s.click.aliexpress.com/e/_a`,
//! whose owner an order through it would be credited to. Of a program that is not in the catalogue the shop is not known, and
//! any host may be its own.

use super::RU_AND_CIS;
use crate::domain::deeplink::Target;
use crate::domain::draft::product_id_in;
use url::Url;

/// The domain of the shop for Russia.
const RU_DOMAIN: &str = "aliexpress.ru";
/// The domains of AliExpress; country sites and the mobile one are below them.
const DOMAINS: [&str; 3] = ["aliexpress.com", RU_DOMAIN, "aliexpress.us"];
/// The predecessor of RU&CIS NEW, of which nothing tells which shop it led to.
const RU_AND_CIS_BEFORE: &str = "aliexpress-ru-cis";

/// The page of a product that an address is, in the shop of the program with the key of the catalogue, which is empty where
/// the catalogue does not know it; none where the address is no such page.
pub(super) fn of(address: &Target, key: &str) -> Option<Target> {
    let url = Url::parse(address.as_str()).ok()?;
    let Some((below, domain)) = aliexpress(url.host_str()?) else {
        return key.is_empty().then(|| address.clone());
    };
    if below.split('.').any(|label| label == "click") {
        return None;
    }
    // What parameters say is where a redirect leads, not which page it is.
    let number = product_id_in(url.path())?;
    let is_on_ru = domain == RU_DOMAIN;
    let is_there = is_of_ru(key).is_none_or(|of_ru| of_ru == is_on_ru);
    if is_there {
        Some(address.clone())
    } else {
        Target::of_product(number, !is_on_ru)
    }
}

/// Whether a program's shop is the one for Russia; none where that is not known.
fn is_of_ru(key: &str) -> Option<bool> {
    match key {
        "" | RU_AND_CIS_BEFORE => None,
        _ => Some(key == RU_AND_CIS),
    }
}

/// The domain of AliExpress that a host is on, behind what the host has before it; none for any other host.
fn aliexpress(host: &str) -> Option<(&str, &'static str)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    DOMAINS.into_iter().find_map(|domain| {
        let below = host.strip_suffix(domain)?;
        (below.is_empty() || below.ends_with('.')).then_some((below, domain))
    })
}
