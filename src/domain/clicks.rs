//! Clicks and views: what upstream counts a day, and which stretch of time such a day belongs to.
//!
//! Upstream knows no single click, only counts by day of its own calendar, program, ad space and SubID. A day is a
//! stretch of instants in no other zone, so it is counted as a whole where its noon on upstream's clock lies
//! ([`noon`]). At the offset +03:00 that is 09:00 UTC, which lies in the same calendar day in every zone from -09:00 to
//! +14:00, so a report by local days shows upstream's days there.

use super::error::{Error, Result};
use super::text::has_nul;
use super::time::{DAY_US, Day, Instant, TimeError};
use std::collections::BTreeMap;

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
    use super::super::time::{Zone, day_of};
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

    proptest! {
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
