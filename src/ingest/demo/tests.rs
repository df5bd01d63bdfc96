//! The demo's data are what they are said to be, always the same, and never refused.

use super::*;
use crate::domain::action::{Slot, SlotValue, Status};
use crate::domain::draft::ActionDraft;
use crate::ingest::format::json::JsonReader;
use crate::ingest::normalize::{DEFAULT_OFFSET_MINUTES, NormalizeContext};
use std::collections::{BTreeMap, BTreeSet};

fn end() -> Instant {
    Instant::parse_rfc3339("2026-05-03T09:41:27Z").unwrap()
}

fn drafts(publisher: usize, delivery: usize, each: &mut dyn FnMut(ActionDraft)) {
    let input = inputs(publisher, SEED, end()).remove(delivery);
    let context = NormalizeContext {
        offset_minutes: DEFAULT_OFFSET_MINUTES,
        observed_at: input.observed_at(),
    };
    for record in JsonReader::new(input) {
        each(
            record
                .unwrap()
                .draft(&context)
                .unwrap_or_else(|reject| panic!("{}: {}", reject.message, reject.raw)),
        );
    }
}

fn text(draft: &ActionDraft, slot: Slot) -> Option<String> {
    match draft.slots.get(&slot) {
        Some(SlotValue::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let first = |seed| {
        let mut text = vec![0; 100_000];
        inputs(1, seed, end())
            .remove(1)
            .read_exact(&mut text)
            .unwrap();
        text
    };
    assert_eq!(first(SEED), first(SEED));
    assert_ne!(first(SEED), first(SEED + 1));
    assert_eq!(inputs(2, SEED, end()).len(), 0);
}

#[test]
fn publishers_have_names_that_the_command_line_takes() {
    for publisher in publishers() {
        assert_eq!(crate::domain::id::check_slug(publisher.slug), Ok(()));
    }
    assert_eq!(
        publishers().map(|publisher| publisher.slug),
        ["demo", "demo-2"]
    );
    assert_eq!(
        publishers().map(|publisher| publisher.currency.to_string()),
        ["USD", "RUB"]
    );
}

#[test]
fn the_shelves_stand_in_the_shipped_tree() {
    let tree = include_str!("../../../data/categories.csv");
    for shelf in words::SHELVES {
        let quoted = format!(",\"{}\",", shelf.name);
        let plain = format!(",{},", shelf.name);
        let row = tree
            .lines()
            .find(|line| line.split(',').next() == Some(shelf.category));
        let row = row.unwrap_or_else(|| panic!("{} is in no row", shelf.category));
        assert!(row.contains(&plain) || row.contains(&quoted), "{row}");
        assert_ne!(row.split(',').nth(1), Some(""), "{row} is of level 1");
    }
}

#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    statuses: BTreeMap<Status, u32>,
    programs: BTreeMap<String, u32>,
    users: BTreeMap<String, u32>,
    products: BTreeMap<String, u32>,
    days: BTreeSet<i64>,
    covered: u32,
    unpaid: u32,
    wrong_side: u32,
    no_category: u32,
    commented: u32,
    paid: u32,
    sums_differ: u32,
}

impl Seen {
    fn take(&mut self, draft: &ActionDraft) {
        assert!(
            self.ids.insert(draft.external_id.clone()),
            "{} twice",
            draft.external_id
        );
        assert!(
            draft.standing.ordered_at <= end() && draft.standing.status_updated_at <= Some(end())
        );
        *self.statuses.entry(draft.standing.status).or_default() += 1;
        let program = draft.program.name.clone().unwrap();
        let country = text(draft, Slot::Country).unwrap_or_default();
        self.wrong_side += u32::from(program == "AliExpress WW" && country == "RU");
        self.unpaid += u32::from(
            program == "AliExpress WW" && country == "RU" && draft.standing.reward_e4 == 0,
        );
        *self.programs.entry(program).or_default() += 1;
        if let Some(user) = text(draft, Slot::Subid1) {
            *self.users.entry(user).or_default() += 1;
        }
        self.days
            .insert(draft.standing.ordered_at.micros() / 86_400_000_000);
        self.covered += u32::from(draft.items.iter().any(|item| item.product.is_some()));
        self.commented += u32::from(text(draft, Slot::Comment).is_some());
        self.paid += u32::from(draft.standing.paid);
        let reward: i64 = draft.items.iter().map(|item| item.reward_e4).sum();
        self.sums_differ += u32::from(reward != draft.standing.reward_e4);
        for item in &draft.items {
            self.no_category += u32::from(item.product.is_some() && item.category.is_none());
            if let Some(product) = &item.product {
                *self
                    .products
                    .entry(product.natural_key().unwrap())
                    .or_default() += 1;
            }
        }
    }

    fn count(&self, status: Status) -> u32 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }
}

#[test]
fn two_years_of_two_publishers_with_everything_in_them() {
    let mut seen = [Seen::default(), Seen::default()];
    for (publisher, seen) in seen.iter_mut().enumerate() {
        drafts(publisher, 1, &mut |draft| seen.take(&draft));
    }
    let [first, second] = &seen;
    assert_eq!((first.ids.len(), second.ids.len()), (200_000, 60_000));
    assert!(first.ids.is_disjoint(&second.ids));
    let users = first.users.len() + second.users.len();
    assert!((29_000..=30_000).contains(&users), "{users}");
    for seen in &seen {
        let all = u32::try_from(seen.ids.len()).unwrap();
        assert!(seen.days.len() >= 730, "{}", seen.days.len());
        assert_eq!(seen.programs.len(), 4, "{:?}", seen.programs);
        let approved = seen.count(Status::Approved) + seen.count(Status::ApprovedButStalled);
        let rate = 100 * approved / (approved + seen.count(Status::Declined));
        assert!((88..=93).contains(&rate), "{rate}");
        assert!(
            Status::ALL.iter().all(|status| seen.count(*status) > 0),
            "{:?}",
            seen.statuses
        );
        let pending = 1_000 * seen.count(Status::Pending) / all;
        assert!((20..=80).contains(&pending), "{pending} ‰ are on hold");
        let without_user = 1_000 - 1_000 * seen.users.values().sum::<u32>() / all;
        assert!((120..=180).contains(&without_user), "{without_user} ‰");
        assert!(
            (880..=980).contains(&(1_000 * seen.covered / all)),
            "{}",
            seen.covered
        );
        assert!(
            seen.wrong_side > 500 && seen.unpaid == seen.wrong_side,
            "{} of {}",
            seen.unpaid,
            seen.wrong_side
        );
        assert!(
            seen.no_category > 100
                && seen.commented > 1_000
                && seen.paid > all / 2
                && seen.sums_differ > 1_000
        );
        let often = seen.users.values().filter(|count| **count > 20).count();
        let once = seen.users.values().filter(|count| **count == 1).count();
        assert!(often > 300 && once > 300, "{often} buy often, {once} once");
        let (best, rare) = (
            seen.products.values().max().unwrap(),
            seen.products.values().filter(|count| **count < 10).count(),
        );
        assert!(
            *best > all / 200 && rare > 300,
            "the best seller {best}, seldom sold {rare}, products {}",
            seen.products.len()
        );
    }
}

#[test]
fn what_was_before_is_older_and_of_the_same_actions() {
    let mut now = BTreeMap::new();
    drafts(1, 1, &mut |draft| {
        now.insert(draft.external_id.clone(), draft);
    });
    let (mut pending, mut back) = (0, 0);
    drafts(1, 0, &mut |before| {
        let now = &now[&before.external_id];
        assert!(before.stamp < now.stamp, "{before:?} {now:?}");
        assert_eq!(
            (before.standing.ordered_at, &before.items),
            (now.standing.ordered_at, &now.items)
        );
        pending += u32::from(before.standing.status == Status::Pending);
        back += u32::from(
            before.standing.status.is_processed() && now.standing.status == Status::Pending,
        );
    });
    assert!(
        pending > 5_000 && back > 200,
        "{pending} seen on hold, {back} back on hold"
    );
}

#[test]
fn a_few_of_a_hundred_clicks_end_in_an_order() {
    for (publisher, orders) in [(0, 200_000), (1, 60_000)] {
        let sets = clicks(publisher, SEED, end());
        assert_eq!(sets, clicks(publisher, SEED, end()));
        let mut sums: BTreeMap<Option<u8>, (i64, i64)> = BTreeMap::new();
        let mut days = BTreeSet::new();
        for set in &sets {
            let settled = set.replaces.settled(&set.rows).unwrap();
            assert_eq!(settled.len(), set.rows.len(), "each key once");
            for row in &set.rows {
                let sum = sums.entry(row.slot).or_default();
                sum.0 += row.clicks;
                sum.1 += row.views.unwrap_or(0);
                assert_eq!(row.slot.is_some(), row.subid.is_some());
                days.insert(row.day);
            }
        }
        assert!((730..=732).contains(&days.len()), "{}", days.len());
        let (clicks, views) = sums[&None];
        assert_eq!(sums[&Some(0)], (clicks, 0));
        let conversion = 1_000 * orders / clicks;
        assert!(
            (20..=70).contains(&conversion),
            "{conversion} per mille of {clicks}"
        );
        assert!(views > 5 * clicks, "{clicks} of {views}");
    }
    assert_eq!(clicks(2, SEED, end()), []);
}
