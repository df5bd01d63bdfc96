//! Clicks and views: what upstream counts a day, and which stretch of time such a day belongs to.
//!
//! Upstream knows no single click, only counts by day of its own calendar, program, ad space and SubID. A day is a
//! stretch of instants in no other zone, so it is counted as a whole where its noon on upstream's clock lies
//! ([`noon`]). At the offset +03:00 that is 09:00 UTC, which lies in the same calendar day in every zone from -09:00 to
//! +14:00, so a report by local days shows upstream's days there.

use super::error::{Error, Result};
use super::filter::{
    ActionTest, AdSpaceField, AdSpaceTest, Filter, ProgramField, ProgramTest, Value,
};
use super::text::has_nul;
use super::time::{DAY_US, Day, Instant, Span, TimeError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;
/// How many microseconds before the UTC day of its number an upstream day's noon can lie: at +14:00.
pub const NOON_BEFORE_US: i64 = 120 * MINUTE_US;
/// How many microseconds after the beginning of that day it can lie: at -12:00, and two hours to spare.
pub const NOON_AFTER_US: i64 = 26 * 60 * MINUTE_US;

/// What was counted on a day. Upstream repeats it in a row for each currency; it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickDay {
    /// The day of upstream's calendar.
    pub day: Day,
    /// Upstream's id of the program.
    pub program_external_id: String,
    /// Upstream's id of the ad space; none where it was not asked for by ad space.
    pub ad_space_external_id: Option<String>,
    /// Which SubID the count is divided by, 0 to 4; none for all SubIDs together.
    pub slot: Option<u8>,
    /// Its value; none for the clicks without one, and without a slot.
    pub subid: Option<String>,
    /// Clicks, never negative.
    pub clicks: i64,
    /// Views, where upstream counts them: not by SubID.
    pub views: Option<i64>,
}

/// Which stored rows a set of rows takes the place of. A slot's rows and those of all SubIDs together are sets of their
/// own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The first and the last day.
    pub days: (Day, Day),
    /// Upstream's id of the program that was asked for; none for all.
    pub program: Option<String>,
    /// Upstream's id of the ad space that was asked for; none for all, and for rows without one.
    pub ad_space: Option<String>,
    /// The slot; none for the rows of all SubIDs together.
    pub slot: Option<u8>,
}

/// Noon of a day on a clock so many minutes east of UTC: the instant that the day's clicks stand at.
///
/// # Errors
/// [`TimeError::Offset`] if the offset is not from -12:00 to +14:00.
pub fn noon(day: Day, offset_minutes: i32) -> Result<Instant, TimeError> {
    if !(-720..=840).contains(&offset_minutes) {
        return Err(TimeError::Offset {
            minutes: offset_minutes,
        });
    }
    let wall = i64::from(day.days()) * DAY_US + DAY_US / 2;
    Ok(Instant::nearest(
        wall - i64::from(offset_minutes) * MINUTE_US,
    ))
}

/// The days, first and last, whose noon can lie in a stretch of microseconds, whatever the offset.
#[must_use]
pub fn days_near(from: i64, to: i64) -> (i64, i64) {
    (
        (from - NOON_AFTER_US).div_euclid(DAY_US),
        (to + NOON_BEFORE_US).div_euclid(DAY_US),
    )
}

/// A day of upstream's calendar, and the instant that it stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StandingDay {
    /// The day.
    pub day: Day,
    /// Its noon on upstream's clock.
    pub noon: Instant,
}

impl StandingDay {
    /// The day that begins at an instant on upstream's clock, if that is ahead of UTC by up to 14 hours or behind by less
    /// than ten; none where no calendar has it.
    #[must_use]
    pub fn beginning(at: Instant) -> Option<Self> {
        let noon = at.micros() + DAY_US / 2;
        let day = (noon + NOON_BEFORE_US).div_euclid(DAY_US);
        Some(Self {
            day: Day::from_days(i32::try_from(day).ok()?).ok()?,
            noon: Instant::nearest(noon),
        })
    }

    /// Another day of the same clock.
    #[must_use]
    pub fn on_its_clock(self, day: Day) -> Self {
        let apart = i64::from(self.day.days_until(day));
        Self {
            day,
            noon: Instant::nearest(self.noon.micros() + apart * DAY_US),
        }
    }
}

/// Days one after the other of which clicks are known, those without a click among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDays {
    /// The first one.
    pub first: StandingDay,
    /// The last one.
    pub last: StandingDay,
}

/// The part of a reader's cursor that tells how far back clicks are known, and what is missing since then.
#[derive(Deserialize)]
struct Told {
    back: Option<i32>,
    by_subid: Option<i32>,
    #[serde(default)]
    kept: Vec<LeftOut>,
}

impl Told {
    fn parse(cursor: Option<&str>) -> Option<Self> {
        serde_json::from_str(cursor?).ok()
    }
}

/// Days of a program in an ad space that were asked for and not answered, as a reader's cursor keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Upstream's id of the program.
    pub program: String,
    /// Upstream's id of the ad space.
    pub ad_space: String,
    /// The slot of the SubID; none for all SubIDs together.
    #[serde(default)]
    pub slot: Option<u8>,
    /// The first day, in days since 1970.
    pub from: i32,
    /// The last day.
    pub to: i32,
}

/// What was left out, with its first and its last day as they stand on its account's clock.
pub type LeftOutDays = (LeftOut, (StandingDay, StandingDay));

/// Days of a program in an ad space that lie among those that are known and are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What was left out.
    pub set: LeftOut,
    /// Our id of the program.
    pub program: Uuid,
    /// Our id of the ad space, if it has one.
    pub ad_space: Option<Uuid>,
    /// The first day.
    pub first: StandingDay,
    /// The last day.
    pub last: StandingDay,
}

impl LeftOut {
    /// What an account's feed of clicks has left out of all SubIDs together, or by the SubID of a slot, with the first and the
    /// last day as they stand on its clock.
    #[must_use]
    pub fn of_feed(
        watermark: Option<Instant>,
        cursor: Option<&str>,
        slot: Option<u8>,
    ) -> Vec<LeftOutDays> {
        let clock = watermark.and_then(StandingDay::beginning);
        let Some((clock, told)) = clock.zip(Told::parse(cursor)) else {
            return Vec::new();
        };
        let standing = |days| Some(clock.on_its_clock(Day::from_days(days).ok()?));
        let of_slot = told.kept.into_iter().filter(|set| set.slot == slot);
        of_slot
            .filter_map(|set| {
                let days = standing(set.from).zip(standing(set.to))?;
                Some((set, days))
            })
            .collect()
    }
}

impl Gap {
    /// Whether the noon of one of its days lies in a stretch of time.
    #[must_use]
    pub fn touches(&self, span: Span) -> bool {
        let (first, last) = (self.first.noon.micros(), self.last.noon.micros());
        let days = (span.from.micros() - first + DAY_US - 1).div_euclid(DAY_US);
        let noon = first + days.max(0) * DAY_US;
        noon <= last && noon < span.to.micros()
    }

    /// Whether its clicks may be among those that satisfy a filter: unless it says of its program or ad space that they are
    /// not.
    #[must_use]
    pub fn may_satisfy(&self, filter: &Filter<ActionTest>) -> bool {
        let of_program = |test: &ProgramTest| match test.0 {
            ProgramField::Id => Some(test.1.holds(&Value::Id(self.program))),
            ProgramField::ExternalId => Some(test.1.holds(&self.set.program.as_str().into())),
            _ => None,
        };
        let of_ad_space = |test: &AdSpaceTest| match test.0 {
            AdSpaceField::Id => self.ad_space.map(|id| test.1.holds(&Value::Id(id))),
            AdSpaceField::ExternalId => Some(test.1.holds(&self.set.ad_space.as_str().into())),
            AdSpaceField::Name => None,
        };
        let judged = filter.judged(&|test| match test {
            ActionTest::Program(program) => program.judged(&of_program),
            ActionTest::AdSpace(ad_space) => ad_space.judged(&of_ad_space),
            _ => None,
        });
        judged != Some(false)
    }
}

impl KnownDays {
    /// What an account knows, of all SubIDs together or by SubID, from how far its feed of clicks has come: the beginning of
    /// the last day that is in, and the reader's cursor. By SubID a cursor of an earlier version tells no beginning: then the
    /// account does not say that anything is missing. None where no day is in, or so much was left out that nobody knows
    /// which: then they begin behind the last.
    #[must_use]
    pub fn of_feed(
        watermark: Option<Instant>,
        cursor: Option<&str>,
        by_subid: bool,
    ) -> Option<Self> {
        let last = StandingDay::beginning(watermark?)?;
        let told = Told::parse(cursor);
        let (first, otherwise) = if by_subid {
            (told.and_then(|told| told.by_subid), Day::MIN)
        } else {
            (told.and_then(|told| told.back), last.day)
        };
        let first = first.and_then(|days| Day::from_days(days).ok());
        if first.is_some_and(|first| first > last.day) {
            return None;
        }
        Some(Self {
            first: last.on_its_clock(first.unwrap_or(otherwise)),
            last,
        })
    }

    /// What is known of all accounts, from the counts that are stored and what each account has read. The days that every
    /// account has read; where there is no account, those from the first count to the last. By SubID the past is not read,
    /// so that these begin with the first count at the earliest.
    #[must_use]
    pub fn of_all(
        counted: Option<Self>,
        accounts: &[Option<Self>],
        by_subid: bool,
    ) -> Option<Self> {
        if accounts.is_empty() {
            return counted;
        }
        let read: Option<Vec<Self>> = accounts.iter().copied().collect();
        let read = read?;
        let last = read.iter().map(|days| days.last).min_by_key(by_noon)?;
        let mut first = read.iter().map(|days| days.first).max_by_key(by_noon)?;
        if by_subid {
            let counted = counted?.first;
            first = if counted.noon > first.noon {
                counted
            } else {
                first
            };
        }
        (first.noon <= last.noon).then_some(Self { first, last })
    }

    /// Whether the noon of a day before or after these lies in a stretch of microseconds. Noons follow each other by whole
    /// days.
    fn leave_out(&self, (from, to): (i64, i64)) -> bool {
        let (first, last) = (self.first.noon.micros(), self.last.noon.micros());
        let days_before = (first - to + DAY_US).div_euclid(DAY_US).max(1);
        let days_after = (from - last + DAY_US - 1).div_euclid(DAY_US).max(1);
        from <= first - days_before * DAY_US || last + days_after * DAY_US < to
    }
}

fn by_noon(day: &StandingDay) -> Instant {
    day.noon
}

/// What is known of clicks at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// The days that are known, if any is.
    pub days: Option<KnownDays>,
    /// What is not known of them.
    pub gaps: Vec<Gap>,
    /// The present: nobody can know of a day that is still to come.
    pub now: Instant,
}

impl Knowledge {
    /// Whether the clicks of a day are not known that counts in a stretch of time: a sum over the stretch is not all then.
    #[must_use]
    pub fn lacks(&self, span: Span) -> bool {
        let (from, to) = (span.from.micros(), span.to.min(self.now).micros());
        match &self.days {
            Some(days) => days.leave_out((from, to)),
            None => from < to,
        }
    }
}

impl Replaced {
    /// Rows that are sound and belong to this set, one for each key: of rows with one key, as upstream repeats them for
    /// each currency, the greatest clicks and the greatest views count.
    ///
    /// # Errors
    /// When a row is none of the set, or is one that upstream cannot have counted: that is a fault of whoever read it.
    pub fn settled(&self, rows: &[ClickDay]) -> Result<Vec<ClickDay>> {
        let mut found: BTreeMap<_, ClickDay> = BTreeMap::new();
        for row in rows {
            self.check(row)?;
            let key = (
                row.day,
                &row.program_external_id,
                &row.ad_space_external_id,
                row.subid.as_deref().filter(|value| !value.is_empty()),
            );
            let held = found.entry(key).or_insert_with(|| row.clone());
            held.clicks = held.clicks.max(row.clicks);
            held.views = held.views.max(row.views);
        }
        Ok(found.into_values().collect())
    }

    fn check(&self, row: &ClickDay) -> Result<()> {
        let asked = |asked: &Option<String>, got: Option<&String>| {
            asked.as_ref().is_none_or(|asked| Some(asked) == got)
        };
        let (first, last) = self.days;
        let sound = (first..=last).contains(&row.day)
            && asked(&self.program, Some(&row.program_external_id))
            && asked(&self.ad_space, row.ad_space_external_id.as_ref())
            && row.slot == self.slot
            && row.slot.is_none_or(|slot| slot <= 4)
            && (row.slot.is_some() || row.subid.is_none())
            && row.clicks >= 0
            && row.views.is_none_or(|views| views >= 0)
            && !row.subid.as_deref().is_some_and(has_nul)
            && !has_nul(&row.program_external_id)
            && !row.ad_space_external_id.as_deref().is_some_and(has_nul);
        if sound {
            return Ok(());
        }
        Err(Error::internal(format!(
            "clicks {row:?} are none of the set {self:?}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::{Zone, day_of, start_of_day_at};
    use super::*;
    use proptest::prelude::*;

    fn row(day: i32, subid: Option<&str>, clicks: i64, views: Option<i64>) -> ClickDay {
        ClickDay {
            day: Day::from_days(day).unwrap(),
            program_external_id: "6115".to_owned(),
            ad_space_external_id: None,
            slot: subid.is_some().then_some(1),
            subid: subid.map(str::to_owned),
            clicks,
            views,
        }
    }

    fn set(slot: Option<u8>) -> Replaced {
        Replaced {
            days: (Day::from_days(10).unwrap(), Day::from_days(12).unwrap()),
            program: Some("6115".to_owned()),
            ad_space: None,
            slot,
        }
    }

    #[test]
    fn the_noon_of_upstreams_day_lies_in_the_same_day_from_nine_hours_west_to_fourteen_east() {
        let day = Day::from_ymd(2026, 5, 3).unwrap();
        let at = noon(day, 180).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-05-03T09:00:00Z");
        for zone in [
            "America/Anchorage",
            "America/New_York",
            "UTC",
            "Asia/Kolkata",
            "Pacific/Auckland",
            "Pacific/Kiritimati",
        ] {
            assert_eq!(day_of(at, Zone::parse(zone).unwrap()), day, "{zone}");
        }
        assert!(noon(day, 841).is_err());
    }

    #[test]
    fn rows_of_several_currencies_are_one() {
        let settled = set(None)
            .settled(&[
                row(10, None, 5, Some(70)),
                row(11, None, 1, None),
                row(10, None, 7, None),
            ])
            .unwrap();
        assert_eq!(
            settled,
            [row(10, None, 7, Some(70)), row(11, None, 1, None)]
        );
        let without = set(Some(1))
            .settled(&[row(10, Some(""), 5, None), row(10, Some("x"), 5, None)])
            .unwrap();
        assert_eq!(without.len(), 2);
    }

    #[test]
    fn what_is_none_of_the_set_is_refused() {
        let of_another = ClickDay {
            program_external_id: "1".to_owned(),
            ..row(10, None, 1, None)
        };
        for strange in [
            row(9, None, 1, None),
            row(13, None, 1, None),
            row(10, Some("x"), 1, None),
            row(10, None, -1, None),
            row(10, None, 1, Some(-1)),
            of_another,
        ] {
            assert!(set(None).settled(std::slice::from_ref(&strange)).is_err());
        }
        assert!(
            set(Some(1))
                .settled(&[row(10, Some("\0"), 1, None)])
                .is_err()
        );
    }

    fn standing(text: &str, offset: i32) -> StandingDay {
        let day = Day::parse(text).unwrap();
        StandingDay {
            day,
            noon: noon(day, offset).unwrap(),
        }
    }

    fn days(first: &str, last: &str) -> KnownDays {
        KnownDays {
            first: standing(first, 180),
            last: standing(last, 180),
        }
    }

    #[test]
    fn a_feed_tells_its_days_on_its_own_clock() {
        for offset in [-570, 0, 180, 840] {
            let (first, last) = (Day::parse("2026-01-10"), Day::parse("2026-03-10"));
            let (first, last) = (first.unwrap(), last.unwrap());
            let watermark = Some(start_of_day_at(last, offset));
            let cursor = format!("{{\"back\":{},\"next\":3}}", first.days());
            let found = KnownDays::of_feed(watermark, Some(&cursor), false).unwrap();
            let expected = KnownDays {
                first: standing("2026-01-10", offset),
                last: standing("2026-03-10", offset),
            };
            assert_eq!(found, expected, "{offset}");
            let alone = KnownDays::of_feed(watermark, None, false).unwrap();
            assert_eq!((alone.first, alone.last), (expected.last, expected.last));
            assert_eq!(KnownDays::of_feed(None, Some(&cursor), false), None);
            let by_subid = format!("{{\"back\":1,\"by_subid\":{}}}", first.days());
            let found = KnownDays::of_feed(watermark, Some(&by_subid), true).unwrap();
            assert_eq!(found, expected, "{offset}");
            let unsaid = KnownDays::of_feed(watermark, Some(&cursor), true).unwrap();
            assert!(unsaid.first.day < first && unsaid.last == expected.last);
        }
    }

    #[test]
    fn what_all_accounts_have_read_is_known() {
        let counted = Some(days("2026-02-05", "2026-03-01"));
        let one = Some(days("2026-01-01", "2026-03-10"));
        let other = Some(days("2026-02-01", "2026-03-09"));
        assert_eq!(KnownDays::of_all(counted, &[], false), counted);
        assert_eq!(KnownDays::of_all(None, &[one], false), one);
        let both = Some(days("2026-02-01", "2026-03-09"));
        assert_eq!(KnownDays::of_all(counted, &[one, other], false), both);
        assert_eq!(KnownDays::of_all(counted, &[one, None], false), None);
        let by_subid = Some(days("2026-02-05", "2026-03-09"));
        let early = [one, Some(days("2026-02-01", "2026-03-09"))];
        assert_eq!(KnownDays::of_all(counted, &early, true), by_subid);
        // An account that came later: before that its clicks are missing.
        let late = [one, Some(days("2026-02-20", "2026-03-09"))];
        assert_eq!(KnownDays::of_all(counted, &late, true), late[1]);
        assert_eq!(KnownDays::of_all(None, &[one], true), None);
    }

    #[test]
    fn a_stretch_lacks_a_day_whose_noon_lies_in_it() {
        let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
        let know = |days| Knowledge {
            days,
            gaps: Vec::new(),
            now: at("2026-05-20T10:00:00Z"),
        };
        let known = know(Some(days("2026-05-03", "2026-05-10")));
        // Noons are at 09:00 UTC.
        for (from, to, expected) in [
            ("2026-05-02T09:00:01Z", "2026-05-11T09:00:00Z", false),
            ("2026-05-02T09:00:00Z", "2026-05-05T00:00:00Z", true),
            ("2026-05-09T00:00:00Z", "2026-05-11T09:00:01Z", true),
            ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", true),
            ("2026-04-01T10:00:00Z", "2026-04-02T09:00:00Z", false),
            ("2026-05-15T00:00:00Z", "2026-05-16T00:00:00Z", true),
            ("2026-05-15T09:00:01Z", "2026-05-16T09:00:00Z", false),
            ("2026-05-20T09:30:00Z", "2026-06-20T00:00:00Z", false),
            ("2026-05-05T00:00:00Z", "2026-05-05T00:00:00Z", false),
        ] {
            let span = Span::of_micros(at(from).micros(), at(to).micros());
            assert_eq!(known.lacks(span), expected, "{from} to {to}");
        }
        let nothing = know(None);
        let of = |from: &str, to: &str| Span::of_micros(at(from).micros(), at(to).micros());
        assert!(nothing.lacks(of("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")));
        assert!(!nothing.lacks(of("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z")));
    }

    /// Three days of April of program 6115 in ad space 2001.
    fn gap() -> Gap {
        let (first, last) = (standing("2026-04-02", 180), standing("2026-04-04", 180));
        Gap {
            set: LeftOut {
                program: "6115".to_owned(),
                ad_space: "2001".to_owned(),
                slot: None,
                from: first.day.days(),
                to: last.day.days(),
            },
            program: Uuid::from_u128(1),
            ad_space: Some(Uuid::from_u128(2)),
            first,
            last,
        }
    }

    #[test]
    fn a_feed_tells_what_it_left_out_since_the_first_day_that_is_known() {
        let gap = gap();
        let (from, to) = (gap.set.from, gap.set.to);
        let cursor = format!(
            "{{\"back\":1,\"kept\":[{{\"program\":\"6115\",\"ad_space\":\"2001\",\"from\":{from},\"to\":{to}}},\
             {{\"program\":\"6115\",\"ad_space\":\"2001\",\"slot\":1,\"from\":{from},\"to\":{from}}}]}}"
        );
        let watermark = Some(start_of_day_at(Day::parse("2026-05-01").unwrap(), 180));
        let found = LeftOut::of_feed(watermark, Some(&cursor), None);
        assert_eq!(found, [(gap.set.clone(), (gap.first, gap.last))]);
        let found = LeftOut::of_feed(watermark, Some(&cursor), Some(1));
        assert_eq!(found.len(), 1);
        assert_eq!(found.first().unwrap().1, (gap.first, gap.first));
        assert_eq!(LeftOut::of_feed(watermark, Some(&cursor), Some(2)), []);
        assert_eq!(LeftOut::of_feed(None, Some(&cursor), None), []);
        assert_eq!(LeftOut::of_feed(watermark, None, None), []);
    }

    #[test]
    fn a_gap_is_out_of_a_report_that_is_of_others_beyond_doubt() {
        use crate::domain::filter::{ActionField, Op};
        let gap = gap();
        let program = |field, op| ActionTest::Program(Filter::Test(ProgramTest(field, op)));
        let ad_space = |field, op| ActionTest::AdSpace(Filter::Test(AdSpaceTest(field, op)));
        let id = |number| Op::Eq(Value::Id(Uuid::from_u128(number)));
        let of = |text: &str| Op::Eq(text.into());
        for (test, may, may_not) in [
            (program(ProgramField::Id, id(1)), true, false),
            (program(ProgramField::Id, id(2)), false, true),
            (program(ProgramField::ExternalId, of("6115")), true, false),
            (program(ProgramField::ExternalId, of("7")), false, true),
            (program(ProgramField::Name, of("shop")), true, true),
            (ad_space(AdSpaceField::Id, id(2)), true, false),
            (ad_space(AdSpaceField::ExternalId, of("7")), false, true),
            (ActionTest::Field(ActionField::Subid1, of("u")), true, true),
        ] {
            let test = Filter::Test(test);
            assert_eq!(gap.may_satisfy(&test), may, "{test:?}");
            let not = Filter::Not(Box::new(test.clone()));
            assert_eq!(gap.may_satisfy(&not), may_not, "{not:?}");
            // Beside what holds, and what nobody knows.
            let unknown = program(ProgramField::Name, of("shop"));
            let both = Filter::All(vec![Filter::Test(unknown.clone()), test.clone()]);
            assert_eq!(gap.may_satisfy(&both), may, "{both:?}");
            let either = Filter::Any(vec![test, Filter::Test(unknown)]);
            assert!(gap.may_satisfy(&either), "{either:?}");
        }
        assert!(gap.may_satisfy(&Filter::default()));
        let unnamed = Gap {
            ad_space: None,
            ..gap
        };
        assert!(unnamed.may_satisfy(&Filter::Test(ad_space(AdSpaceField::Id, id(7)))));
    }

    proptest! {
        #[test]
        fn a_stretch_lacks_a_day_where_one_is_found_by_going_through_them(
            first in -40i64..40, length in 0i64..30, from in -2_000i64..2_000, hours in 0i64..1_500,
        ) {
            const HOUR_US: i64 = DAY_US / 24;
            let base = noon(Day::from_days(10_000).unwrap(), 180).unwrap().micros();
            let day = |number: i64| StandingDay {
                day: Day::from_days(10_000 + i32::try_from(number).unwrap()).unwrap(),
                noon: Instant::from_micros(base + number * DAY_US).unwrap(),
            };
            let known = Knowledge {
                days: Some(KnownDays { first: day(first), last: day(first + length) }),
                gaps: Vec::new(),
                now: Instant::MAX,
            };
            let span = Span::of_micros(base + from * HOUR_US, base + (from + hours) * HOUR_US);
            let unknown = (-200..200).filter(|number| !(first..=first + length).contains(number));
            let expected = unknown
                .map(|number| day(number).noon)
                .any(|noon| span.from <= noon && noon < span.to);
            prop_assert_eq!(known.lacks(span), expected);
            let gap = Gap { first: day(first), last: day(first + length), ..gap() };
            let expected = (first..=first + length)
                .map(|number| day(number).noon)
                .any(|noon| span.from <= noon && noon < span.to);
            prop_assert_eq!(gap.touches(span), expected);
        }

        #[test]
        fn a_day_is_near_every_stretch_that_its_noon_lies_in(
            day in 0i32..2_932_896, offset in -720i32..=840, before in 0i64..5_000_000_000_000, length in 1i64..5_000_000_000_000,
        ) {
            let at = noon(Day::from_days(day).unwrap(), offset).unwrap().micros();
            let from = at - before.min(length - 1);
            let (first, last) = days_near(from, from + length);
            prop_assert!((first..=last).contains(&i64::from(day)));
        }
    }
}
