//! How stretches of time are made of a total's cells: few, whatever the time zone.
//!
//! Where a report is divided by local days, the edges lie inside UTC days. Each edge is moved to the nearest cell of a
//! base grain; what lies between an edge and its cell is read once, and is added to the stretch on one side and taken
//! off the one on the other. The way from the cell to the edge goes by smaller and smaller cells, forth or back. So a
//! local day of half past six in the evening UTC costs a day, six hours and two quarters: six hours to midnight, less
//! half an hour.

use crate::domain::report::Bucket;
use crate::domain::report::plan::{Part, cells_a_day};
use crate::domain::time::{Instant, Span};
use crate::domain::totals::{Cells, Grain, cover};
use std::collections::BTreeMap;

/// How many values the pieces of one question may bind.
const MAX_BOUND: usize = 20_000;
/// At how many times of the UTC day pieces may begin and be told apart by it.
const MAX_BEATS: usize = 4;

/// Stretches of time as parts of a question.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The parts.
    pub parts: Vec<Part>,
    /// Where their pieces belong.
    pub places: BTreeMap<(usize, i64), Vec<(usize, i8)>>,
    /// When the stretches of pieces of facts begin that are days, in microseconds.
    pub begins: Vec<i64>,
}

/// A piece: cells of a grain, or microseconds of facts, from one up to but without another.
type Piece = (Option<Grain>, i64, i64);

/// Pieces by what they are, and where they belong.
type Found = BTreeMap<Piece, Vec<(usize, i8)>>;

/// A whole span by a total's cells; none where the facts would have to give most of it.
pub(super) fn whole(span: Span, grains: &[Grain]) -> Option<Pieces> {
    let found = cover(span, grains);
    let ragged: i64 = found.ragged.iter().map(Span::micros).sum();
    if ragged > span.micros() / 2 {
        return None;
    }
    let runs = found.cells.into_iter().map(Part::Run);
    let facts = found
        .ragged
        .iter()
        .map(|span| Part::Facts(vec![(span.from.micros(), span.to.micros())]));
    Some(Pieces {
        parts: runs.chain(facts).collect(),
        ..Pieces::default()
    })
}

/// Stretches that follow each other, empty ones among them, by a total's cells; none where the facts would have to give
/// most of it, or where there would be too many pieces.
pub(super) fn divided(slots: &[Span], bucket: Bucket, grains: &[Grain]) -> Option<Pieces> {
    let (first, last) = (slots.first()?, slots.last()?);
    let edges: Vec<i64> = slots
        .iter()
        .map(|slot| slot.from.micros())
        .chain([last.to.micros()])
        .collect();
    let base = base(&edges, bucket, grains)?;
    let (smaller, larger): (Vec<Grain>, Vec<Grain>) =
        grains.iter().partition(|grain| **grain < base);
    let mut found = Found::new();
    for (slot, pair) in edges.windows(2).enumerate() {
        let [from, to] = [pair.first(), pair.last()].map(|edge| nearest(edge.copied(), base));
        add_cover(from, to, &larger, &[(slot, 1)], &mut found);
    }
    for (place, edge) in edges.iter().enumerate() {
        let mut from = nearest(Some(*edge), base);
        // Nearer and nearer: by cells of each smaller grain forth or back, and what is left of the facts.
        let steps = smaller.iter().rev().map(|grain| Some(*grain));
        for grain in steps.chain([None]) {
            let to = grain.map_or(*edge, |grain| nearest(Some(*edge), grain));
            let times: i8 = if from <= to { 1 } else { -1 };
            let mut places = Vec::new();
            if place > 0 {
                places.push((place - 1, times));
            }
            if place < slots.len() {
                places.push((place, -times));
            }
            add_piece(grain, (from.min(to), from.max(to)), &places, &mut found);
            from = to;
        }
    }
    let ragged: i64 = found
        .keys()
        .filter(|(grain, ..)| grain.is_none())
        .map(|(_, from, to)| to - from)
        .sum();
    if ragged > (last.to.micros() - first.from.micros()) / 2 {
        return None;
    }
    let pieces = parts(&found);
    let bound: usize = pieces.parts.iter().map(bound).sum();
    (bound <= MAX_BOUND).then_some(pieces)
}

fn bound(part: &Part) -> usize {
    match part {
        Part::Run(_) | Part::Each(_) => 4,
        Part::Runs { runs, .. } if part.beat().is_some() => {
            let cells: i64 = runs.iter().map(|(from, to)| to - from).sum();
            usize::try_from(cells).unwrap_or(usize::MAX)
        }
        Part::Runs { runs: list, .. } | Part::Facts(list) => 2 * list.len(),
    }
}

/// The grain that edges are moved to: as large as the stretches allow, up to a day.
fn base(edges: &[i64], bucket: Bucket, grains: &[Grain]) -> Option<Grain> {
    let aligned = |grain: Grain| {
        let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or(&[]);
        inner
            .iter()
            .all(|edge| (edge + grain.lead()).rem_euclid(grain.micros()) == 0)
    };
    let wanted = match bucket {
        Bucket::QuarterHour => Grain::QuarterHour,
        Bucket::Hour if aligned(Grain::Hour) => Grain::Hour,
        Bucket::Hour => Grain::QuarterHour,
        Bucket::Day | Bucket::Week | Bucket::Month | Bucket::Quarter | Bucket::Year => Grain::Day,
    };
    grains.contains(&wanted).then_some(wanted)
}

/// The edge of a cell of the base grain that is nearest to an instant, the earlier of two.
fn nearest(edge: Option<i64>, base: Grain) -> i64 {
    let edge = edge.unwrap_or(0);
    let cell = (edge + base.lead() + base.micros() / 2 - 1).div_euclid(base.micros());
    base.start(cell)
}

/// Adds a stretch of microseconds between two edges of cells of a grain, or of facts.
fn add_piece(
    grain: Option<Grain>,
    (from, to): (i64, i64),
    places: &[(usize, i8)],
    found: &mut Found,
) {
    if from >= to {
        return;
    }
    let piece = match grain {
        Some(grain) => {
            let cell = |edge: i64| (edge + grain.lead()).div_euclid(grain.micros());
            (Some(grain), cell(from), cell(to))
        }
        // The last cell of all reaches beyond the last instant, and what covers a slot does not.
        None if to > Instant::MAX.micros() => return,
        None => (None, from, to),
    };
    found.entry(piece).or_default().extend(places);
}

/// Adds what covers a stretch of microseconds.
fn add_cover(from: i64, to: i64, grains: &[Grain], places: &[(usize, i8)], found: &mut Found) {
    if from >= to {
        return;
    }
    let cover = cover(Span::of_micros(from, to), grains);
    let cells = cover
        .cells
        .iter()
        .map(|cells| (Some(cells.grain), cells.from, cells.to));
    let ragged = cover
        .ragged
        .iter()
        .map(|span| (None, span.from.micros(), span.to.micros()));
    for piece in cells.chain(ragged) {
        found.entry(piece).or_default().extend(places);
    }
}

/// Pieces as parts: those of one grain together, as one run where each is a cell and they follow each other.
fn parts(found: &Found) -> Pieces {
    let mut pieces = Pieces::default();
    let mut grains: Vec<Option<Grain>> = found.keys().map(|(grain, ..)| *grain).collect();
    grains.dedup();
    for grain in grains {
        let list: Vec<(i64, i64)> = found
            .keys()
            .filter(|(held, ..)| *held == grain)
            .map(|(_, from, to)| (*from, *to))
            .collect();
        // Where pieces of one grain begin alike, they go into several parts: a piece is called by its beginning. So do
        // those that begin at other times of the UTC day, which is summer time as a rule.
        for list in told_apart(by_beat(grain, list)) {
            let number = pieces.parts.len();
            for (from, to) in &list {
                let places = found.get(&(grain, *from, *to)).cloned().unwrap_or_default();
                pieces.places.insert((number, *from), places);
            }
            pieces.parts.push(part(grain, list));
        }
    }
    pieces
}

/// Pieces by the cell of the UTC day that they begin with, as long as these are few.
fn by_beat(grain: Option<Grain>, list: Vec<(i64, i64)>) -> Vec<Vec<(i64, i64)>> {
    let Some(a_day) = grain.and_then(cells_a_day) else {
        return vec![list];
    };
    let mut beats: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for piece in &list {
        beats
            .entry(piece.0.rem_euclid(a_day))
            .or_default()
            .push(*piece);
    }
    if beats.len() > MAX_BEATS {
        return vec![list];
    }
    beats.into_values().collect()
}

/// Lists in each of which no two pieces begin alike.
fn told_apart(beats: Vec<Vec<(i64, i64)>>) -> Vec<Vec<(i64, i64)>> {
    beats.into_iter().flat_map(told_apart_in).collect()
}

fn told_apart_in(list: Vec<(i64, i64)>) -> Vec<Vec<(i64, i64)>> {
    let mut lists: Vec<Vec<(i64, i64)>> = Vec::new();
    for piece in list {
        let place = lists
            .iter()
            .position(|held| held.last().is_none_or(|last| last.0 != piece.0));
        match place.and_then(|place| lists.get_mut(place)) {
            Some(held) => held.push(piece),
            None => lists.push(vec![piece]),
        }
    }
    lists
}

fn part(grain: Option<Grain>, list: Vec<(i64, i64)>) -> Part {
    let Some(grain) = grain else {
        return Part::Facts(list);
    };
    let single = list.iter().all(|(from, to)| to - from == 1);
    let follows = list
        .iter()
        .zip(list.iter().skip(1))
        .all(|(one, next)| one.1 == next.0);
    match (list.first(), list.last()) {
        (Some(first), Some(last)) if single && follows => Part::Each(Cells {
            grain,
            from: first.0,
            to: last.1,
        }),
        _ => Part::Runs { grain, runs: list },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::Comparison;
    use crate::domain::report::buckets::{divide, earlier};
    use crate::domain::time::{WeekStart, Zone};
    use crate::domain::totals::Total;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_year_of_local_days_is_days_and_three_small_cells_for_each_edge() {
        let span = Span {
            from: at("2025-06-30T18:30:00Z"),
            to: at("2026-06-30T18:30:00Z"),
        };
        let zone = Zone::parse("Asia/Kolkata").unwrap();
        let slots = divide(span, Bucket::Day, (zone, WeekStart::Monday), ("", 10_000)).unwrap();
        let found = divided(&slots, Bucket::Day, Total::Time.grains());
        let shown: Vec<String> = found
            .unwrap()
            .parts
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "366 runs of 732 cells of QuarterHour",
                "366 runs of 366 cells of SixHours",
                "365 cells of Day, each by itself"
            ]
        );
    }

    const ZONES: [&str; 6] = [
        "UTC",
        "Asia/Kolkata",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Pacific/Auckland",
    ];

    proptest! {
        #[test]
        fn pieces_cover_each_stretch_once(
            from in 1_700_000_000_000_000i64..1_710_000_000_000_000,
            length in 1i64..20_000_000_000_000,
            bucket in select(Bucket::ALL.to_vec()),
            zone in select(ZONES.to_vec()),
            total in select(Total::ALL.to_vec()),
            before in proptest::option::weighted(0.4, (0i64..2_000_000_000_000, 1i64..20_000_000_000_000)),
        ) {
            // Short stretches, so that their number stays small.
            let length = match bucket {
                Bucket::QuarterHour => length / 100,
                Bucket::Hour => length / 20,
                _ => length,
            };
            let span = Span::of_micros(from, from + length);
            let zone = Zone::parse(zone).unwrap();
            let mut slots = divide(span, bucket, (zone, WeekStart::Monday), ("", 10_000)).unwrap();
            if let Some((ahead, lasts)) = before {
                // Those of a period that is compared with: their edges lie anywhere, and some are empty.
                let period = Span::of_micros(from - ahead, from - ahead + lasts);
                slots = earlier(&slots, (span, period), Comparison::PreviousPeriod, zone);
            }
            let Some(found) = divided(&slots, bucket, total.grains()) else { return Ok(()); };
            // How often each quarter of a microsecond line between all edges is counted for each slot.
            let mut changes: BTreeMap<(usize, i64), i64> = BTreeMap::new();
            for (number, part) in found.parts.iter().enumerate() {
                let list: Vec<(Option<Grain>, i64, i64)> = match part {
                    Part::Run(_) => Vec::new(),
                    Part::Each(cells) => (cells.from..cells.to).map(|cell| (Some(cells.grain), cell, cell + 1)).collect(),
                    Part::Runs { grain, runs } => runs.iter().map(|(from, to)| (Some(*grain), *from, *to)).collect(),
                    Part::Facts(spans) => spans.iter().map(|(from, to)| (None, *from, *to)).collect(),
                };
                for (grain, from, to) in list {
                    let (start, end) = grain.map_or((from, to), |grain| (grain.start(from), grain.start(to)));
                    for (slot, times) in &found.places[&(number, from)] {
                        *changes.entry((*slot, start)).or_default() += i64::from(*times);
                        *changes.entry((*slot, end)).or_default() -= i64::from(*times);
                    }
                }
            }
            changes.retain(|_, change| *change != 0);
            let mut expected = BTreeMap::new();
            for (place, slot) in slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty()) {
                expected.insert((place, slot.from.micros()), 1);
                expected.insert((place, slot.to.micros()), -1);
            }
            prop_assert_eq!(changes, expected);
        }
    }
}
