//! What happens at Admitad over some days, from a seed: orders come in, late or at once, are confirmed or declined, stall,
//! are paid, go back on hold, and a few vanish; clicks are counted, and sometimes corrected.

use super::rows::{AD_SPACES, Action, Clicks, Item, PROGRAMS, currency_of};
use super::world::World;
use crate::support::dice::Dice;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::VecDeque;

const CATEGORIES: [(&str, &str); 5] = [
    ("44", "Consumer Electronics"),
    ("200001086", "Tablets"),
    ("1511", "Watches"),
    ("990001", "Never seen"),
    ("", ""),
];
const COUNTRIES: [&str; 5] = ["PL", "RU", "TR", "DE", "KZ"];

enum Event {
    /// The action is seen in this state from now on.
    State(Box<Action>),
    /// It is not seen any more.
    Gone(i64),
    /// So many clicks more (or less: a correction).
    Clicked(Clicks),
}

/// Events in the order of their times, Admitad's local ones.
pub(crate) struct Story {
    events: VecDeque<(NaiveDateTime, Event)>,
}

impl Story {
    /// So many actions ordered within so many days from `start` (Admitad's local time) on; what becomes of them goes on
    /// for up to 40 days more.
    pub(crate) fn new(seed: u64, actions: usize, days: usize, start: NaiveDateTime) -> Self {
        let mut dice = Dice::new(seed);
        let mut events = Vec::new();
        for number in 0..actions {
            let id = 900_000_001 + i64::try_from(number).unwrap();
            let ordered = start + seconds(&mut dice, days * 86_400);
            live(
                &mut dice,
                ordered_at(&mut Dice::new(seed ^ id.unsigned_abs()), id, ordered),
                &mut events,
            );
        }
        for day in 0..days {
            let day = start.date() + TimeDelta::days(i64::try_from(day).unwrap());
            for (program, ..) in PROGRAMS {
                for (ad_space, _) in AD_SPACES {
                    clicks(
                        &mut dice,
                        &Clicks {
                            day,
                            program,
                            ad_space,
                            subids: [const { None }; 5],
                            clicks: 0,
                            views: 0,
                        },
                        &mut events,
                    );
                }
            }
        }
        // Stable: what happens to one action at one time keeps its order.
        events.sort_by_key(|(at, _)| *at);
        Self {
            events: events.into(),
        }
    }

    /// Lets happen what has happened until a time.
    pub(super) fn tell(&mut self, until: NaiveDateTime, world: &mut World) {
        while let Some((at, _)) = self.events.front()
            && *at <= until
            && let Some((_, event)) = self.events.pop_front()
        {
            match event {
                Event::State(action) => {
                    world.actions.insert(action.id, *action);
                }
                Event::Gone(id) => {
                    world.actions.remove(&id);
                }
                Event::Clicked(more) => {
                    let same = |known: &&mut Clicks| {
                        known.day == more.day
                            && known.program == more.program
                            && known.ad_space == more.ad_space
                            && known.subids == more.subids
                    };
                    match world.clicks.iter_mut().find(same) {
                        Some(known) => {
                            known.clicks += more.clicks;
                            known.views += more.views;
                        }
                        None => world.clicks.push(more),
                    }
                }
            }
        }
    }
}

fn seconds(dice: &mut Dice, below: usize) -> TimeDelta {
    TimeDelta::seconds(i64::try_from(dice.below(below.max(1))).unwrap())
}

/// The action as it is when it comes in.
fn ordered_at(dice: &mut Dice, id: i64, ordered: NaiveDateTime) -> Action {
    let (program, ..) = *dice.pick(&PROGRAMS);
    let (ad_space, _) = *dice.pick(&AD_SPACES);
    let is_lead = dice.percent(5);
    let items: Vec<Item> = (0..if is_lead { 0 } else { dice.below(4) })
        .map(|number| {
            let amount = 100 * i64::try_from(1 + dice.below(50_000)).unwrap();
            Item {
                id: id * 10 + i64::try_from(number).unwrap(),
                amount,
                payment: amount * 6 / 100,
                product: 1_005_000_000_000_000 + dice.next() % 60,
                category: dice.maybe(80, &CATEGORIES),
            }
        })
        .collect();
    let sum = |of: fn(&Item) -> i64| items.iter().map(of).sum::<i64>();
    Action {
        program,
        ad_space,
        kind: if is_lead { "lead" } else { "sale" },
        cart: (!is_lead)
            .then(|| sum(|item| item.amount) + if dice.percent(20) { 5_000 } else { 0 }),
        payment: sum(|item| item.payment).max(100),
        currency: currency_of(program),
        clicked: ordered - TimeDelta::minutes(1) - seconds(dice, 3 * 86_400),
        subids: [
            dice.maybe(90, &["tg".to_owned(), "vk".to_owned(), "сайт".to_owned()]),
            dice.percent(90).then(|| format!("u-{}", dice.below(40))),
            None,
            dice.maybe(10, &["promo \"x\"".to_owned()]),
            Some(format!("clk-{id}")),
        ],
        country: dice.maybe(90, &COUNTRIES),
        items,
        ..Action::sale(id, &ordered.format("%Y-%m-%d %H:%M:%S").to_string())
    }
}

/// What becomes of an action.
fn live(dice: &mut Dice, mut action: Action, events: &mut Vec<(NaiveDateTime, Event)>) {
    let mut at = action.ordered
        + match dice.below(10) {
            0 => seconds(dice, 2 * 86_400),
            _ => seconds(dice, 600),
        };
    let mut note = |at: NaiveDateTime, action: &Action| {
        events.push((at, Event::State(Box::new(action.clone()))));
    };
    note(at, &action);
    let decide = |dice: &mut Dice, action: &mut Action, at: NaiveDateTime| {
        action.status_updated = Some(at);
        action.closing = Some(at.date() + TimeDelta::days(1));
        action.comment = None;
        match dice.below(10) {
            0 | 1 => {
                action.status = "declined";
                action.comment = dice.maybe(60, &["Cancelled".to_owned()]);
            }
            2 => action.status = "approved_but_stalled",
            _ => action.status = "approved",
        }
    };
    if dice.percent(15) {
        return; // stays on hold
    }
    at += TimeDelta::hours(2) + seconds(dice, 20 * 86_400);
    decide(dice, &mut action, at);
    note(at, &action);
    if dice.percent(10) {
        at += TimeDelta::hours(1) + seconds(dice, 5 * 86_400);
        action.status = "pending";
        action.status_updated = Some(at);
        action.closing = None;
        note(at, &action);
        at += TimeDelta::hours(1) + seconds(dice, 5 * 86_400);
        // The cart may be another one then.
        if let Some(item) = action.items.pop() {
            action.cart = action.cart.map(|cart| cart - item.amount);
            action.payment = (action.payment - item.payment).max(100);
        }
        decide(dice, &mut action, at);
        note(at, &action);
    }
    if action.status == "approved_but_stalled" {
        at += TimeDelta::days(2);
        action.status = "approved";
        action.status_updated = Some(at);
        note(at, &action);
    }
    if action.status == "approved" {
        at += TimeDelta::days(1);
        action.paid = true;
        action.status_updated = Some(at);
        note(at, &action);
    } else if dice.percent(5) {
        events.push((at + TimeDelta::days(3), Event::Gone(action.id)));
    }
}

fn clicks(dice: &mut Dice, none: &Clicks, events: &mut Vec<(NaiveDateTime, Event)>) {
    let morning = none.day.and_hms_opt(0, 0, 0).unwrap_or_default();
    for _ in 0..dice.below(6) {
        let clicks = 1 + i64::try_from(dice.below(30)).unwrap();
        let more = Clicks {
            subids: [
                dice.maybe(80, &["tg".to_owned(), "vk".to_owned()]),
                dice.percent(50).then(|| format!("u-{}", dice.below(40))),
                None,
                None,
                None,
            ],
            clicks,
            views: clicks * 3,
            ..none.clone()
        };
        let at = morning + seconds(dice, 86_400);
        if dice.percent(10) {
            // Found not to be people, two days later.
            let fewer = Clicks {
                clicks: -1,
                views: -3,
                ..more.clone()
            };
            events.push((at + TimeDelta::days(2), Event::Clicked(fewer)));
        }
        events.push((at, Event::Clicked(more)));
    }
}
