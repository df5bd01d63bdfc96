//! Random clicks: two accounts with clocks of their own, all SubIDs together and by each of them, programs and ad spaces
//! with and without actions, days at the ends of the calendar for every other SubID, counts of nothing.

use super::dice::Dice;
use super::drafts::{TEXTS, USERS, first_day};
use super::world::World;
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::time::Day;

/// How many rows each set has, before those of one key are one.
const ROWS: usize = 90;

/// Brings clicks to publisher `place`.
pub(crate) async fn spread(world: &World, place: usize, seed: u64) {
    let mut dice = Dice::new(seed);
    for account in [("main", 180), ("other", -570), ("third", 840)] {
        for slot in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            // Where the ends have counts, all days between are known.
            let has_ends = (seed + slot.map_or(0, |slot| u64::from(slot) + 1)).is_multiple_of(2);
            let rows = (0..ROWS).map(|_| row(&mut dice, slot, has_ends));
            let rows: Vec<ClickDay> = rows.collect();
            let set = Replaced {
                days: (Day::MIN, Day::MAX),
                program: None,
                ad_space: None,
                slot,
            };
            world.clicks_at(place, account, &set, &rows).await.unwrap();
        }
    }
}

fn row(dice: &mut Dice, slot: Option<u8>, has_ends: bool) -> ClickDay {
    let day = match dice.below(40) {
        0 if has_ends => Day::MIN,
        1 if has_ends => Day::MAX,
        _ => {
            let days = i32::try_from(dice.below(120)).unwrap();
            first_day().plus(days).unwrap()
        }
    };
    let texts = if slot == Some(1) { USERS } else { TEXTS };
    let subid = dice.maybe(80, texts).map(str::to_owned);
    let count = |dice: &mut Dice, below| i64::try_from(dice.below(below)).unwrap();
    ClickDay {
        day,
        program_external_id: (*dice.pick(&["6115", "25179", "777", "990099"])).to_owned(),
        ad_space_external_id: dice
            .maybe(80, &["501", "502", "503", "504"])
            .map(str::to_owned),
        slot,
        subid: subid.filter(|_| slot.is_some()),
        clicks: count(dice, 30),
        views: (slot.is_none() && dice.percent(80)).then(|| count(dice, 300)),
    }
}
