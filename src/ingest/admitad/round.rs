//! Where a round of clicks stands, which sets it reads, and what is known behind it. Pure.

use super::kept::Kept;
use super::plan::Window;
use crate::domain::clicks::{LeftOut, Replaced};
use crate::domain::time::Day;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many days before the last one that is known a round reads again.
const AGAIN: i32 = 3;
/// How many of them it reads by SubID.
const BY_SUBID: i32 = 1;
/// How many days beyond what is known a round reads at most, after an outage.
const CATCH_UP: i32 = 7;
/// The SubIDs: `subid`, `subid1` to `subid4`.
const SLOTS: u8 = 5;
/// So many sets of the past are refused before the round stops.
const PROBES: usize = 10;

/// Where a round stands, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Round {
    /// The first day by which all later ones are in, in days since 1970; where more of them was left out than is kept, the day
    /// behind the last one, so that none is. Reports know it by this name
    /// ([`KnownDays::of_feed`](crate::domain::clicks::KnownDays::of_feed)).
    back: Option<i32>,
    /// The first day that was read by SubID, likewise.
    #[serde(default)]
    by_subid: Option<i32>,
    /// Which of the round's sets is next; none between rounds.
    #[serde(default)]
    pub(super) next: Option<usize>,
    /// Of how many programs and ad spaces the round is: when one comes up, it begins anew.
    #[serde(default)]
    pairs: usize,
    /// Whether the last days were just read and only the past goes on.
    #[serde(default)]
    pub(super) past_only: bool,
    /// The round's last day. It stays the same however long the round takes and whatever interrupts it: the sets behind
    /// an interruption are of the same days as those before it.
    #[serde(default)]
    until: Option<i32>,
    /// The day on which it began.
    #[serde(default)]
    begun: Option<i32>,
    /// Whether the network has answered for any set of it that is of all SubIDs together and is not asked for again.
    #[serde(default)]
    pub(super) is_answered: bool,
    /// How many sets were left out since the last days were read.
    #[serde(default)]
    left_out: usize,
    /// Why the first of them was.
    #[serde(default)]
    why: Option<String>,
    /// What this round has left out.
    #[serde(default)]
    left: Kept,
    /// What earlier ones have left out and is not answered since. Reports know it by this name
    /// ([`LeftOut::of_feed`](crate::domain::clicks::LeftOut::of_feed)).
    #[serde(default)]
    kept: Kept,
    /// Whether the round asks for these again.
    #[serde(default)]
    is_again: bool,
    /// The day on which they were asked for last, with nothing more to expect on it.
    #[serde(default)]
    retried: Option<i32>,
    /// The day on which the past was refused: it is asked for again on the next.
    #[serde(default)]
    past_refused: Option<i32>,
}

/// A set of clicks that is read and written as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) days: (Day, Day),
    pub(super) slot: Option<u8>,
    pub(super) program: String,
    pub(super) ad_space: String,
    /// Whether an earlier round has left it out.
    pub(super) is_again: bool,
}

impl Set {
    /// Days of a set that was left out.
    fn again(set: LeftOut) -> Option<Self> {
        let days = (Day::from_days(set.from).ok()?, Day::from_days(set.to).ok()?);
        Some(Self {
            days,
            slot: set.slot,
            program: set.program,
            ad_space: set.ad_space,
            is_again: true,
        })
    }

    fn left_out(&self) -> LeftOut {
        LeftOut {
            program: self.program.clone(),
            ad_space: self.ad_space.clone(),
            slot: self.slot,
            from: self.days.0.days(),
            to: self.days.1.days(),
        }
    }

    /// Whether it is of all SubIDs together.
    pub(super) fn is_of_all(&self) -> bool {
        self.slot.is_none()
    }

    pub(super) fn window(&self) -> Window {
        Window::Ordered {
            from: self.days.0,
            to: self.days.1,
        }
    }

    /// What it is, for people.
    pub(super) fn words(&self) -> String {
        format!("clicks {}", self.window().words())
    }

    /// What it is of, for people.
    fn called(&self) -> String {
        let by = match self.slot {
            None => String::new(),
            Some(0) => " by subid".to_owned(),
            Some(slot) => format!(" by subid{slot}"),
        };
        let (words, program, ad_space) = (self.words(), &self.program, &self.ad_space);
        format!("{words}{by} of program {program} in ad space {ad_space}")
    }

    pub(super) fn replaced(&self) -> Replaced {
        Replaced {
            days: self.days,
            program: Some(self.program.clone()),
            ad_space: Some(self.ad_space.clone()),
            slot: self.slot,
        }
    }
}

impl Round {
    /// The round that goes on, or the next one where it is over or other programs and ad spaces have come up.
    pub(super) fn going_on(
        mut self,
        pairs: &[(String, String)],
        known: Option<Day>,
        since: Day,
        today: Day,
    ) -> Self {
        if self.next.is_some() && self.until.is_some() && self.pairs == pairs.len() {
            return self;
        }
        if !self.kept.is_empty() {
            let pairs: BTreeSet<(&str, &str)> = pairs
                .iter()
                .map(|(program, ad_space)| (program.as_str(), ad_space.as_str()))
                .collect();
            let is_wanted =
                |set: &LeftOut| pairs.contains(&(set.program.as_str(), set.ad_space.as_str()));
            self.kept.cut(since.days(), is_wanted);
        }
        let until = known.map_or(today, |known| {
            let known = known.max(since);
            known.plus(CATCH_UP).unwrap_or(Day::MAX).min(today)
        });
        // What the present left out is told until the past is in.
        let (left_out, why) = if self.past_only {
            (self.left_out, self.why)
        } else {
            (0, None)
        };
        Self {
            next: None,
            pairs: pairs.len(),
            until: Some(until.days()),
            begun: Some(today.days()),
            is_answered: false,
            left: Kept::default(),
            is_again: !self.kept.is_empty() && self.retried != Some(today.days()),
            left_out,
            why,
            ..self
        }
    }

    pub(super) fn until(&self, today: Day) -> Day {
        let until = self.until.and_then(|days| Day::from_days(days).ok());
        until.unwrap_or(today)
    }

    /// The sets of a round: the days since the last one that is known, with some before, then by SubID, or the month before
    /// what is in; and what is asked for again. The past has rounds of its own, so that its refusal says nothing of the present.
    pub(super) fn sets(
        &self,
        pairs: &[(String, String)],
        known: Option<Day>,
        since: Day,
    ) -> Vec<Set> {
        let of = |days: (Day, Day), slot: Option<u8>| {
            pairs.iter().map(move |(program, ad_space)| Set {
                days,
                slot,
                program: program.clone(),
                ad_space: ad_space.clone(),
                is_again: false,
            })
        };
        let until = self.until(known.unwrap_or(since));
        let known = known.map_or(until, |known| known.max(since).min(until));
        let before = |days: i32| known.plus(-days).unwrap_or(Day::MIN).max(since.min(until));
        let mut all = Vec::new();
        if !self.past_only {
            all.extend(of((before(AGAIN), until), None));
            for days in (before(BY_SUBID).days()..=until.days()).rev() {
                let day = Day::from_days(days).unwrap_or(until);
                for slot in 0..SLOTS {
                    all.extend(of((day, day), Some(slot)));
                }
            }
        }
        let back = self.back.and_then(|days| Day::from_days(days).ok());
        let covered = back.unwrap_or(before(AGAIN));
        if self.past_only && covered > since && self.may_ask_for_past() {
            let to = covered.plus(-1).unwrap_or(Day::MIN);
            let from = to.plus(-30).unwrap_or(Day::MIN).max(since);
            let of_past: Vec<Set> = of((from, to), None).collect();
            all.extend(spread(&of_past, self.begun.unwrap_or(0)).cloned());
        }
        if self.is_again {
            all.extend(self.kept.again().filter_map(Set::again));
        }
        all
    }

    /// Whether the past was not refused on the day on which the round began.
    fn may_ask_for_past(&self) -> bool {
        self.past_refused.is_none() || self.past_refused != self.begun
    }

    /// Whether so many sets of the past were refused, up to the last one that was asked for, that the rest is not worth the
    /// time: the present waits for it.
    pub(super) fn is_past_refused(&self, asked: &[Set]) -> bool {
        let of_past = asked.iter().filter(|set| set.is_of_all() && !set.is_again);
        self.past_only && !self.is_answered && of_past.count() >= PROBES
    }

    /// Whether what a refusal of a set follows is slower: where nothing is answered, it may be more than this set that is
    /// refused. What the past asks for again was refused before, and once a day.
    pub(super) fn is_slower_after(&self, set: &Set) -> bool {
        !(self.is_answered || self.past_only && set.is_again)
    }

    /// Notes a set that was left out.
    pub(super) fn leave_out(&mut self, set: &Set, why: &str) {
        self.left_out += 1;
        self.left.add(set.left_out());
        self.why.get_or_insert_with(|| {
            let called = set.called();
            format!("The {called} were left out, and what is stored of them stays: {why}")
        });
    }

    /// What was left out, for people.
    pub(super) fn words(&self) -> Option<String> {
        let why = self.why.as_deref()?;
        Some(match self.left_out {
            0 | 1 => why.to_owned(),
            more => format!("{why} (and {} more like that)", more - 1),
        })
    }

    /// What is kept of what was left out, for people.
    pub(super) fn kept_words(&self) -> Option<String> {
        let set = self.kept.first().cloned().and_then(Set::again)?;
        let more = match self.kept.count() {
            0 | 1 => String::new(),
            more => format!(" (and {} more like that)", more - 1),
        };
        Some(format!(
            "The {} were left out before and are not known; they are asked for again every day{more}.",
            set.called()
        ))
    }

    /// What is kept behind the round; nothing where it has told nothing: where not one set was answered it may be all that is
    /// refused, and where there are more of the past than are kept nobody would know of the rest. The present goes on, known or
    /// not.
    pub(super) fn kept_with(&self, sets: &[Set]) -> Option<Kept> {
        let mut asked = sets.iter().filter(|set| set.is_of_all() && !set.is_again);
        if !self.is_answered && asked.next().is_some() {
            return None;
        }
        let mut kept = self.kept_without(sets.iter());
        kept.add_all(&self.left);
        (!self.past_only || !kept.are_too_many(false)).then_some(kept)
    }

    /// What is kept without those sets that were answered.
    fn kept_without<'a>(&self, sets: impl Iterator<Item = &'a Set>) -> Kept {
        let mut kept = self.kept.clone();
        for set in sets.map(Set::left_out) {
            if !kept.is_empty() && !self.left.may_have(&set) {
                kept.take_out(&set);
            }
        }
        kept
    }

    /// Whether anything was answered that was left out before.
    fn has_filled(&self, sets: &[Set]) -> bool {
        let mut again = sets.iter().filter(|set| set.is_again);
        again.any(|set| !self.left.may_have(&set.left_out()))
    }

    /// What is known after all its sets were asked for.
    pub(super) fn ended(self, sets: &[Set], mut kept: Kept, since: Day, today: Day) -> Self {
        let first = |by_subid: bool| {
            let sets = sets
                .iter()
                .filter(move |set| set.slot.is_some() == by_subid);
            sets.map(|set| set.days.0.days())
        };
        let mut back = first(false).chain(self.back).min();
        let mut by_subid = first(true).chain(self.by_subid).min();
        let behind = self.until(today).days() + 1;
        if kept.are_too_many(true) {
            // By SubID the past is not read: what comes is known.
            kept.forget(true);
            by_subid = Some(behind);
        }
        let loses_sight = kept.are_too_many(false);
        if loses_sight {
            // The past is read once more when the present is whole again.
            kept.forget(false);
            back = Some(behind);
        }
        // Where there is nothing to ask for, there is no past either.
        let is_whole = self.pairs == 0 || back.is_none_or(|back| back <= since.min(today).days());
        // What was missed comes before the past.
        let is_present = self.until(today) >= today;
        // There may be more where something was answered.
        let goes_on = self.has_filled(sets) && !kept.is_empty();
        let has_past = !is_whole && self.may_ask_for_past();
        let is_next = (has_past || goes_on) && (self.past_only || is_present);
        Self {
            back,
            by_subid,
            next: None,
            until: None,
            past_only: is_next && !loses_sight,
            retried: (!goes_on).then(|| self.began_on(today)),
            left: Kept::default(),
            kept,
            ..self
        }
    }

    /// The day on which it began; of a round of an earlier version, today.
    fn began_on(&self, today: Day) -> i32 {
        self.begun.unwrap_or(today.days())
    }

    /// The same round once more, from its beginning; but for what was asked for again and answered. Those sets are given that
    /// were asked for. The past is asked for again on the next day.
    pub(super) fn put_off(self, sets: &[Set], today: Day) -> Self {
        let begun = self.began_on(today);
        let has_retried = sets.iter().any(|set| set.is_again);
        Self {
            kept: self.kept_without(sets.iter().filter(|set| set.is_again)),
            retried: if has_retried {
                (!self.has_filled(sets)).then_some(begun)
            } else {
                self.retried
            },
            past_refused: if self.past_only {
                Some(begun)
            } else {
                self.past_refused
            },
            next: None,
            until: None,
            past_only: false,
            left: Kept::default(),
            ..self
        }
    }
}

/// All of a list, beginning with some from all over it and on each day with others: the first few tell of the rest.
fn spread<T>(all: &[T], day: i32) -> impl Iterator<Item = &T> {
    let stride = all.len().div_ceil(PROBES).max(1);
    let first = usize::try_from(day).unwrap_or(0);
    (0..stride).flat_map(move |place| all.iter().skip((first + place) % stride).step_by(stride))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clicks::KnownDays;
    use crate::domain::time::start_of_day_at;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// The days that a round reads, all SubIDs together and by SubID.
    fn days(sets: &[Set]) -> (Vec<String>, Vec<String>) {
        let (by_subid, by_day): (Vec<&Set>, Vec<&Set>) =
            sets.iter().partition(|set| set.slot.is_some());
        let words = |set: &Set| format!("{}..{}", set.days.0, set.days.1);
        let mut subids: Vec<String> = by_subid.iter().map(|set| set.days.0.to_string()).collect();
        subids.dedup();
        (by_day.into_iter().map(words).collect(), subids)
    }

    #[test]
    fn rounds_walk_back_to_the_beginning() {
        let pairs = [("1".to_owned(), "2".to_owned())];
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let (mut round, mut known) = (Round::default(), None);
        let mut read = Vec::new();
        for _ in 0..10 {
            round = round.going_on(&pairs, known, since, today);
            let all = round.sets(&pairs, known, since);
            read.extend(days(&all).0);
            round = round.ended(&all, Kept::default(), since, today);
            known = Some(today);
            if !round.past_only {
                break;
            }
        }
        assert_eq!(
            read,
            [
                "2026-03-07..2026-03-10",
                "2026-02-04..2026-03-06",
                "2026-01-10..2026-02-03"
            ]
        );
        // Reports are told the same days.
        let cursor = serde_json::to_string(&round).unwrap();
        let watermark = Some(start_of_day_at(today, 180));
        for (by_subid, first) in [(false, since), (true, day("2026-03-09"))] {
            let told = KnownDays::of_feed(watermark, Some(&cursor), by_subid).unwrap();
            assert_eq!((told.first.day, told.last.day), (first, today));
        }
        // From then on the last days alone, and two of them by five SubIDs.
        let last = round
            .going_on(&pairs, known, since, today)
            .sets(&pairs, known, since);
        assert_eq!(last.len(), 11);
        let none = Round::default().going_on(&[], None, since, today);
        assert!(none.sets(&[], None, since).is_empty());
        assert!(!none.ended(&[], Kept::default(), since, today).past_only);
        let none = Round {
            back: Some(today.days()),
            ..Round::default()
        };
        let none = none.going_on(&[], known, since, today);
        assert!(!none.ended(&[], Kept::default(), since, today).past_only);
    }

    #[test]
    fn a_round_reads_what_an_outage_missed_in_weeks() {
        let pairs = [("1".to_owned(), "2".to_owned())];
        let since = day("2026-01-10");
        let whole = Round {
            back: Some(since.days()),
            ..Round::default()
        };
        let (known, today) = (day("2026-03-02"), day("2026-03-12"));
        let round = whole.clone().going_on(&pairs, Some(known), since, today);
        let (by_day, by_subid) = days(&round.sets(&pairs, Some(known), since));
        assert_eq!(by_day, ["2026-02-27..2026-03-09"]);
        assert_eq!(by_subid.len(), 9);
        assert_eq!(
            (
                by_subid.first().unwrap().as_str(),
                by_subid.last().unwrap().as_str()
            ),
            ("2026-03-09", "2026-03-01")
        );
        // A round that is interrupted goes on with its own days.
        let interrupted = Round {
            next: Some(3),
            ..round
        };
        let later = interrupted.going_on(&pairs, Some(known), since, day("2026-03-20"));
        assert_eq!(later.next, Some(3));
        assert_eq!(days(&later.sets(&pairs, Some(known), since)).0, by_day);
        // What lies before the beginning is not wanted.
        let old = whole.going_on(&pairs, Some(day("2025-06-01")), since, today);
        let (by_day, by_subid) = days(&old.sets(&pairs, Some(day("2025-06-01")), since));
        assert_eq!(by_day, ["2026-01-10..2026-01-17"]);
        assert_eq!(by_subid.len(), 8);
    }

    /// So many programs in one ad space.
    fn pairs(count: usize) -> Vec<(String, String)> {
        let pair = |number: usize| (number.to_string(), "2001".to_owned());
        (0..count).map(pair).collect()
    }

    /// Goes through a round whose sets are refused or answered; gives the next one, if it has told something.
    fn through(mut round: Round, sets: &[Set], is_refused: impl Fn(&Set) -> bool) -> Round {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        for set in sets {
            if is_refused(set) {
                round.leave_out(set, "refused");
            } else {
                round.is_answered |= set.is_of_all() && !set.is_again;
            }
        }
        match round.kept_with(sets) {
            Some(kept) => round.ended(sets, kept, since, today),
            None => round.put_off(sets, today),
        }
    }

    #[test]
    fn a_round_that_is_refused_leaves_everything_as_it_was() {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let pairs = pairs(3);
        let begun = |round: Round| round.going_on(&pairs, None, since, today);
        let round = begun(Round::default());
        let sets = round.sets(&pairs, None, since);
        // By SubID it is answered, which says nothing of the days.
        let refused = through(round, &sets, Set::is_of_all);
        assert_eq!((refused.back, refused.by_subid), (None, None));
        assert!(refused.kept.is_empty() && refused.left.is_empty() && !refused.past_only);
        assert_eq!(begun(refused).sets(&pairs, None, since), sets);
        // In the past, too; and the present is read before it is asked for again.
        let round = through(begun(Round::default()), &sets, |_| false);
        let back = round.back;
        assert!(back.is_some() && round.past_only);
        let known = Some(today);
        let round = round.going_on(&pairs, known, since, today);
        let past = round.sets(&pairs, known, since);
        assert_eq!(past.len(), pairs.len());
        let refused = through(round, &past, |_| true);
        assert_eq!(refused.back, back);
        assert!(refused.kept.is_empty() && !refused.past_only);
    }

    #[test]
    fn a_past_that_is_refused_waits_for_the_next_day() {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let pairs = pairs(50);
        let (mut round, mut known) = (Round::default(), None);
        let mut asked_of_past = Vec::new();
        // The present by the hour, for two days.
        for hour in 0..48 {
            let now = today.plus(hour / 24).unwrap();
            round = round.going_on(&pairs, known, since, now);
            assert!(!round.past_only);
            let present = round.sets(&pairs, known, since);
            round.is_answered = true;
            let kept = round.kept_with(&present).unwrap();
            round = round.ended(&present, kept, since, now);
            known = Some(now);
            if !round.past_only {
                continue;
            }
            round = round.going_on(&pairs, known, since, now);
            let past = round.sets(&pairs, known, since);
            assert_eq!(past.len(), pairs.len());
            for (number, set) in past.iter().enumerate() {
                round.leave_out(set, "refused");
                let asked = &past[..=number];
                if round.is_past_refused(asked) {
                    asked_of_past.push((hour, asked.len()));
                    assert_eq!(round.kept_with(asked), None);
                    round = round.put_off(asked, now);
                    break;
                }
            }
            assert!(!round.past_only);
        }
        assert_eq!(asked_of_past, [(0, PROBES), (24, PROBES)]);
        assert!(round.kept.is_empty() && round.back > Some(since.days()));
        // Answered on the third day, it comes in.
        let later = today.plus(2).unwrap();
        for _ in 0..4 {
            round = round.going_on(&pairs, known, since, later);
            let sets = round.sets(&pairs, known, since);
            round.is_answered = true;
            assert!(!round.is_past_refused(&sets));
            let kept = round.kept_with(&sets).unwrap();
            round = round.ended(&sets, kept, since, later);
            known = Some(later);
        }
        assert_eq!((round.back, round.past_only), (Some(since.days()), false));
    }

    #[test]
    fn the_first_sets_of_the_past_are_from_all_over_it() {
        for count in [0, 1, 9, 10, 11, 50, 1_003] {
            let all: Vec<usize> = (0..count).collect();
            let mut found: Vec<usize> = spread(&all, 20_522).copied().collect();
            let among_last = found
                .iter()
                .take(PROBES)
                .any(|place| 5 * place >= 4 * count);
            assert!(among_last || count < 2, "{found:?}");
            found.sort_unstable();
            assert_eq!(found, all);
        }
        let all: Vec<usize> = (0..50).collect();
        let firsts: BTreeSet<usize> = (0..5)
            .flat_map(|day| spread(&all, day).take(PROBES))
            .copied()
            .collect();
        assert_eq!(firsts.len(), 50);
    }

    #[test]
    fn gaps_are_asked_for_again_on_the_day_after_they_were_asked_for() {
        let (since, today, tomorrow) = (day("2026-01-10"), day("2026-03-10"), day("2026-03-11"));
        let pairs = pairs(3);
        let mut kept = Kept::default();
        kept.add(gap_of("1", day("2026-02-10")));
        let round = Round {
            back: Some(since.days()),
            kept,
            ..Round::default()
        };
        let known = Some(today);
        let again = |round: &Round| {
            let sets = round.sets(&pairs, known, since);
            sets.iter().filter(|set| set.is_again).count()
        };
        for is_answered in [true, false] {
            let mut round = round.clone().going_on(&pairs, known, since, today);
            assert_eq!(again(&round), 1);
            let sets = round.sets(&pairs, known, since);
            for set in &sets {
                if set.is_again || !is_answered {
                    round.leave_out(set, "refused");
                }
            }
            round.is_answered = is_answered;
            // It ends behind midnight.
            let round = match round.kept_with(&sets) {
                Some(kept) => round.ended(&sets, kept, since, tomorrow),
                None => round.put_off(&sets, tomorrow),
            };
            assert_eq!(round.retried, Some(today.days()), "{is_answered}");
            let next = round.going_on(&pairs, known, since, tomorrow);
            assert_eq!(again(&next), 1, "{is_answered}");
        }
    }

    /// A day of a program that was left out.
    fn gap_of(program: &str, day: Day) -> LeftOut {
        LeftOut {
            program: program.to_owned(),
            ad_space: "2001".to_owned(),
            slot: None,
            from: day.days(),
            to: day.days(),
        }
    }

    #[test]
    fn what_was_left_out_stays_where_more_is_refused_than_is_kept() {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let pairs = pairs(super::super::kept::MOST + 2);
        // Of a program whose refusal is no longer noted.
        let (last, _) = pairs.last().unwrap();
        let mut kept = Kept::default();
        kept.add(gap_of(last, day("2026-02-10")));
        let round = Round {
            back: Some(since.days()),
            kept: kept.clone(),
            ..Round::default()
        };
        let known = Some(today);
        let round = round.going_on(&pairs, known, since, today);
        let sets = round.sets(&pairs, known, since);
        assert!(sets.iter().any(|set| set.is_again));
        let refused = through(round, &sets, Set::is_of_all);
        assert_eq!(refused.kept, kept);
        assert_eq!(refused.retried, Some(today.days()));
    }

    #[test]
    fn what_one_program_is_refused_is_kept_and_filled_in() {
        let (since, today, tomorrow) = (day("2026-01-10"), day("2026-03-10"), day("2026-03-11"));
        let pairs = pairs(3);
        let (mut round, mut known) = (Round::default(), None);
        for _ in 0..4 {
            round = round.going_on(&pairs, known, since, today);
            let sets = round.sets(&pairs, known, since);
            round = through(round, &sets, |set| set.is_of_all() && set.program == "1");
            known = Some(today);
        }
        assert_eq!(round.back, Some(since.days()));
        assert!(!round.past_only);
        let days = round.kept.first().map(|set| (set.from, set.to));
        assert_eq!(days, Some((since.days(), today.days())));
        assert_eq!(round.kept.count(), 1);
        let words = round.kept_words().unwrap();
        assert!(words.contains("2026-01-10 to 2026-03-10 of program 1 in ad space 2001"));
        // Not on the same day; then month by month, as long as it is answered.
        let same = round.clone().going_on(&pairs, known, since, today);
        assert!(
            !same
                .sets(&pairs, known, since)
                .iter()
                .any(|set| set.is_again)
        );
        for left in [1, 0] {
            round = round.going_on(&pairs, known, since, tomorrow);
            let sets = round.sets(&pairs, known, since);
            assert_eq!(sets.iter().filter(|set| set.is_again).count(), 1);
            round.is_answered = true;
            let kept = round.kept_with(&sets).unwrap();
            round = round.ended(&sets, kept, since, tomorrow);
            assert_eq!(round.kept.count(), left);
            assert_eq!(round.past_only, left > 0);
        }
    }

    #[test]
    fn what_nobody_could_keep_is_not_taken_for_known() {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let pairs = pairs(super::super::kept::MOST + 2);
        let round = Round::default().going_on(&pairs, None, since, today);
        let sets = round.sets(&pairs, None, since);
        let is_known = |round: &Round, by_subid: bool| {
            let cursor = serde_json::to_string(round).unwrap();
            let watermark = Some(start_of_day_at(today, 180));
            KnownDays::of_feed(watermark, Some(&cursor), by_subid).is_some()
        };
        let is_one = |set: &Set| set.program == "0";
        let refused = through(round.clone(), &sets, |set| set.is_of_all() && !is_one(set));
        assert_eq!(refused.back, Some(today.days() + 1));
        assert!(refused.kept.is_empty() && !refused.past_only);
        assert!(!is_known(&refused, false) && is_known(&refused, true));
        // Answered again, the present is known, and all of the past is read once more.
        let known = Some(today);
        let round_again = refused.going_on(&pairs, known, since, today);
        let sets_again = round_again.sets(&pairs, known, since);
        let whole = through(round_again, &sets_again, |_| false);
        assert!(is_known(&whole, false) && whole.past_only);
        assert_eq!(whole.back, Some(day("2026-03-07").days()));
        // By SubID nothing is known then until it is answered.
        let refused = through(round, &sets, |set| set.slot == Some(1));
        assert_eq!(refused.by_subid, Some(today.days() + 1));
        assert!(refused.back.is_some() && refused.kept.is_empty());
        assert!(!is_known(&refused, true) && is_known(&refused, false));
    }

    #[test]
    fn the_present_is_asked_for_however_much_is_refused() {
        let (since, today) = (day("2026-01-10"), day("2026-03-10"));
        let pairs = pairs(super::super::kept::MOST + 2);
        let mut round = Round {
            back: Some(since.days()),
            ..Round::default()
        };
        let mut known = today.plus(-10).ok();
        for _ in 0..2 {
            round = round.going_on(&pairs, known, since, today);
            let sets = round.sets(&pairs, known, since);
            known = Some(round.until(today));
            // Whoever reads it moves on where something is kept.
            round.is_answered = true;
            for set in sets.iter().filter(|set| set.is_of_all()) {
                if set.program != "0" {
                    round.leave_out(set, "refused");
                }
            }
            let kept = round.kept_with(&sets).unwrap();
            round = round.ended(&sets, kept, since, today);
            assert!(!round.past_only);
        }
        assert_eq!(known, Some(today));
        let round = round.going_on(&pairs, known, since, today);
        let sets = round.sets(&pairs, known, since);
        assert!(
            sets.iter()
                .any(|set| set.days.1 == today && set.program == "0")
        );
    }
}
