//! The demo's data: two publishers, two years, made from a seed and the moment at which they end.
//!
//! They come as the text of upstream's response pages, so that they go the very way of real data: unpacking apart,
//! reading, normalising, writing. The same seed and end give the same bytes on every machine; nothing here is a float
//! or asks the time. Names of makers, ad spaces and users are invented; addresses are those kept for documentation.

mod calendar;
mod clicks;
mod life;
mod market;
mod order;
mod page;
mod people;
mod products;
mod random;
mod words;

use crate::domain::money::Currency;
use crate::domain::time::{DAY_US, Instant, Zone};
use calendar::{Calendar, DAYS};
pub use clicks::{DemoClicks, clicks};
use market::{MARKETS, Market};
use people::People;
use products::Products;
use random::Random;
use std::io::{self, Read};

/// The seed of the data that `demo` shows.
pub const SEED: u64 = 20_220_531;

/// How many actions a page has, as upstream's do.
const PAGE: usize = 500;

/// A publisher of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoPublisher {
    /// Name on the command line.
    pub slug: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// The zone used where a query names none.
    pub zone: Zone,
    /// The main currency.
    pub currency: Currency,
}

/// The demo's publishers, in their order.
#[must_use]
pub fn publishers() -> [DemoPublisher; 2] {
    let roubles = Currency::parse("RUB").unwrap_or(Currency::USD);
    [
        DemoPublisher {
            slug: "demo",
            name: "Bargain Notes",
            zone: Zone::UTC,
            currency: Currency::USD,
        },
        DemoPublisher {
            slug: "demo-2",
            name: "Посылка",
            zone: Zone::UTC,
            currency: roubles,
        },
    ]
}

/// Which state of its actions a demo input tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// Of some, how they stood before.
    Before,
    /// Of all, how they stand at the end.
    Now,
}

/// A stream of response pages, and when they were fetched.
pub struct DemoInput {
    observed_at: Instant,
    pages: Pages,
    page: Vec<u8>,
    read: usize,
}

/// What is to be imported for a publisher, in this order: first how some of its actions stood before (so that there is
/// a history), then how all stand. Nothing for a number that no publisher has.
#[must_use]
pub fn inputs(publisher_index: usize, seed: u64, end: Instant) -> Vec<DemoInput> {
    let Some(market) = MARKETS.get(publisher_index) else {
        return Vec::new();
    };
    let before = Instant::from_micros(end.micros() - DAY_US).unwrap_or(end);
    [(Delivery::Before, before), (Delivery::Now, end)]
        .into_iter()
        .map(|(delivery, observed_at)| DemoInput {
            observed_at,
            pages: Pages::new(market, publisher_index as u64, seed, (end, delivery)),
            page: Vec::new(),
            read: 0,
        })
        .collect()
}

impl DemoInput {
    /// When the pages were fetched.
    #[must_use]
    pub fn observed_at(&self) -> Instant {
        self.observed_at
    }
}

impl Read for DemoInput {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.page.len() {
            self.page = self.pages.next().unwrap_or_default();
            self.read = 0;
        }
        let rest = self.page.get(self.read..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.read += count;
        Ok(count)
    }
}

/// Response pages, one after the other.
struct Pages {
    market: &'static Market,
    delivery: Delivery,
    calendar: Calendar,
    products: Products,
    people: People,
    random: Random,
    orders: Vec<u64>,
    /// Moments of the present day that are still to come, the next one last.
    moments: Vec<i64>,
    day: i64,
    number: u64,
    delivered: u64,
}

impl Pages {
    fn new(
        market: &'static Market,
        publisher: u64,
        seed: u64,
        (end, delivery): (Instant, Delivery),
    ) -> Self {
        let calendar = Calendar::new(end);
        let mut random = Random::new(seed, publisher);
        let orders = calendar.orders(&mut random, market.actions);
        Self {
            market,
            delivery,
            products: Products::new(seed, publisher, &calendar.months()),
            people: People::new(market.users, DAYS),
            calendar,
            random,
            orders,
            moments: Vec::new(),
            day: -1,
            number: market.first_id,
            delivered: 0,
        }
    }

    /// The moment of the next order; none at the end.
    fn next_moment(&mut self) -> Option<i64> {
        loop {
            if let Some(moment) = self.moments.pop() {
                return Some(moment);
            }
            self.day += 1;
            let count = self.orders.get(usize::try_from(self.day).ok()?).copied()?;
            self.moments = self.calendar.moments(&mut self.random, self.day, count);
            self.moments.reverse();
        }
    }
}

impl Iterator for Pages {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = String::with_capacity(1 << 20);
        let mut count = 0;
        page::open(&mut out);
        while count < PAGE
            && let Some(moment) = self.next_moment()
        {
            let when = (self.number, self.day, DAYS - 1 - self.day);
            self.number += 1;
            let Self {
                market,
                delivery,
                calendar,
                people,
                products,
                random,
                ..
            } = &mut *self;
            let order = order::draw(
                random,
                (*market, calendar),
                (people, products),
                when,
                moment,
            );
            let stage = match delivery {
                Delivery::Now => Some(order.life.now),
                Delivery::Before => order.life.before,
            };
            let Some(stage) = stage else { continue };
            if count > 0 {
                out.push(',');
            }
            page::push_action(&mut out, calendar, &order, &stage);
            count += 1;
        }
        if count == 0 {
            return None;
        }
        page::close(&mut out, count, self.delivered);
        self.delivered += count as u64;
        Some(out.into_bytes())
    }
}

#[cfg(test)]
mod tests;
