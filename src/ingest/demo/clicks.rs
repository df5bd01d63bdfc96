//! The demo's clicks: what upstream would have counted of the ad spaces and programs whose ids it gives, so that a few
//! of a hundred clicks end in an order, more of them where people come to buy.

use super::calendar::{Calendar, DAY, DAYS, OFFSET};
use super::market::{MARKETS, Market, PROGRAMS, Space, program_share};
use super::random::Random;
use crate::domain::clicks::{ClickDay, Replaced};
use crate::domain::time::{Day, Instant};
use std::collections::BTreeMap;

/// How many days a set has.
const SET: i64 = 90;
/// The SubID that holds the channel.
const CHANNEL_SLOT: u8 = 0;
/// What sets the chance of clicks apart from that of orders.
const APART: u64 = 1_000;

/// Clicks to be written at once, in the place of what is stored of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoClicks {
    /// All of the set.
    pub rows: Vec<ClickDay>,
    /// The set.
    pub replaces: Replaced,
}

/// The clicks of a publisher up to a moment: of all SubIDs together, and by the one that holds the channel. Nothing for a
/// number that no publisher has.
#[must_use]
pub fn clicks(publisher_index: usize, seed: u64, end: Instant) -> Vec<DemoClicks> {
    let Some(market) = MARKETS.get(publisher_index) else {
        return Vec::new();
    };
    let publisher = publisher_index as u64;
    let calendar = Calendar::new(end);
    // The chance that the orders were drawn with, from its beginning.
    let orders = calendar.orders(&mut Random::new(seed, publisher), market.actions);
    let mut random = Random::new(seed, publisher + APART);
    let mut sets: BTreeMap<(i64, Option<u8>), Vec<ClickDay>> = BTreeMap::new();
    for (day, orders) in by_upstreams_day(&calendar, &orders) {
        for row in of_day(&mut random, market, day, orders) {
            let by_channel = ClickDay {
                slot: Some(CHANNEL_SLOT),
                views: None,
                ..row.clone()
            };
            let all = ClickDay { subid: None, ..row };
            for row in [all, by_channel] {
                let set = (i64::from(day.days()) / SET, row.slot);
                sets.entry(set).or_default().push(row);
            }
        }
    }
    sets.into_iter().filter_map(set).collect()
}

/// Thousandths of orders by the day of upstream's clock that they fall on: days of the demo begin at any time.
fn by_upstreams_day(calendar: &Calendar, orders: &[u64]) -> BTreeMap<Day, i64> {
    let mut found: BTreeMap<Day, i64> = BTreeMap::new();
    for (day, orders) in (0..DAYS).zip(orders) {
        let begin = calendar.begin(day) + OFFSET;
        let rest = DAY - begin.rem_euclid(DAY);
        let orders = i64::try_from(*orders).unwrap_or(0) * 1_000;
        let first = orders * rest / DAY;
        let days = i32::try_from(begin.div_euclid(DAY)).unwrap_or(0);
        for (days, part) in [(days, first), (days + 1, orders - first)] {
            if let Ok(day) = Day::from_days(days) {
                *found.entry(day).or_default() += part;
            }
        }
    }
    found
}

/// The counts of a day with so many thousandths of orders, each with its channel.
fn of_day(random: &mut Random, market: &Market, day: Day, orders: i64) -> Vec<ClickDay> {
    let mut rows = Vec::new();
    for space in market.spaces {
        let Space {
            id: Some((space_id, _)),
            traffic: Some(traffic),
            ..
        } = space
        else {
            continue;
        };
        for program in PROGRAMS {
            let Some(program_id) = program.id else {
                continue;
            };
            // Millionths of the day's orders that come from the ad space and go to the program.
            let share = market.space_share(space) * program_share(market, program);
            let orders = orders * share / 1_000_000 * random.between(850, 1_150) / 1_000;
            let clicks = orders / traffic.conversion;
            let views = clicks * 1_000 / traffic.click_through * random.between(900, 1_100) / 1_000;
            if clicks == 0 && views == 0 {
                continue;
            }
            rows.push(ClickDay {
                day,
                program_external_id: program_id.to_owned(),
                ad_space_external_id: Some((*space_id).to_owned()),
                slot: None,
                subid: Some(space.channel.to_owned()),
                clicks,
                views: Some(views.max(clicks)),
            });
        }
    }
    rows
}

fn set((number, rows): ((i64, Option<u8>), Vec<ClickDay>)) -> Option<DemoClicks> {
    let (first, last) = (rows.first()?.day, rows.last()?.day);
    let replaces = Replaced {
        days: (first, last),
        program: None,
        ad_space: None,
        slot: number.1,
    };
    Some(DemoClicks { rows, replaces })
}
