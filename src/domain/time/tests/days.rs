//! Where local days begin.

use chrono::{NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000_000;

/// The date that a calendar on the wall shows, from the offset alone.
fn date_shown(tz: Tz, micros: i64) -> NaiveDate {
    let utc = chrono::DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros);
    let offset = tz
        .offset_from_utc_datetime(&utc.naive_utc())
        .fix()
        .local_minus_utc();
    (utc.naive_utc() + TimeDelta::seconds(offset.into())).date()
}

fn minutes(zone_name: &str, text: &str) -> i64 {
    let (day, zone) = (day(text), zone(zone_name));
    (end_of_day(day, zone).micros() - start_of_day(day, zone).micros()) / 60_000_000
}

#[test]
fn days_have_the_length_that_the_zone_gives_them() {
    for (name, text, length) in [
        ("Europe/Warsaw", "2026-03-28", 24 * 60),
        ("Europe/Warsaw", "2026-03-29", 23 * 60),
        ("Europe/Warsaw", "2026-10-25", 25 * 60),
        ("America/New_York", "2026-03-08", 23 * 60),
        ("America/New_York", "2026-11-01", 25 * 60),
        ("Australia/Lord_Howe", "2026-04-05", 24 * 60 + 30),
        ("Australia/Lord_Howe", "2026-10-04", 23 * 60 + 30),
        ("Pacific/Chatham", "2026-04-05", 25 * 60),
        ("Pacific/Chatham", "2026-09-27", 23 * 60),
        ("America/Sao_Paulo", "2018-11-04", 23 * 60),
        ("America/Sao_Paulo", "2018-02-17", 25 * 60),
        ("America/Havana", "2025-11-02", 25 * 60),
        ("Asia/Kolkata", "2026-03-29", 24 * 60),
        ("Pacific/Apia", "2011-12-29", 24 * 60),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 24 * 60),
    ] {
        assert_eq!(minutes(name, text), length, "{name} {text}");
    }
}

#[test]
fn days_begin_where_the_local_calendar_turns() {
    for (name, text, begins) in [
        ("UTC", "2026-05-03", "2026-05-03T00:00:00Z"),
        ("Europe/Warsaw", "2026-03-29", "2026-03-28T23:00:00Z"),
        ("Europe/Warsaw", "2026-03-30", "2026-03-29T22:00:00Z"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z"),
        ("America/New_York", "2026-11-02", "2026-11-02T05:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-05", "2026-10-04T13:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-06", "2026-04-05T13:30:00Z"),
        ("Asia/Kolkata", "2026-05-03", "2026-05-02T18:30:00Z"),
        ("Asia/Kathmandu", "2026-05-03", "2026-05-02T18:15:00Z"),
        ("Australia/Eucla", "2026-05-03", "2026-05-02T15:15:00Z"),
        ("Pacific/Chatham", "2026-05-03", "2026-05-02T11:15:00Z"),
        ("Pacific/Chatham", "2026-12-24", "2026-12-23T10:15:00Z"),
        // Midnight was skipped: the day begins at 01:00.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z"),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z"),
        // Midnight happened twice: the day begins with the earlier.
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
        // The clock went from 00:01 back into yesterday: the day that had begun goes on.
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00Z"),
        // 30 December was left out.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
    ] {
        assert_eq!(
            start_of_day(day(text), zone(name)),
            at(begins),
            "{name} {text}"
        );
    }
    assert_eq!(
        day_of(at("2011-12-30T09:59:59.999999Z"), zone("Pacific/Apia")),
        day("2011-12-29")
    );
    assert_eq!(
        day_of(at("2011-12-30T10:00:00Z"), zone("Pacific/Apia")),
        day("2011-12-31")
    );
    assert_eq!(
        day_of(at("2006-10-29T03:00:00Z"), zone("America/St_Johns")),
        day("2006-10-29")
    );
}

#[test]
fn the_first_and_the_last_day_reach_the_ends_of_time_everywhere() {
    for tz in TZ_VARIANTS {
        let zone = zone(tz.name());
        assert_eq!(start_of_day(Day::MIN, zone), Instant::MIN);
        assert_eq!(end_of_day(Day::MAX, zone), Instant::MAX);
        assert_eq!(
            day_of(Instant::MIN, zone),
            if end_of_day(Day::MIN, zone) > Instant::MIN {
                Day::MIN
            } else {
                day("1970-01-02")
            }
        );
        assert_eq!(day_of(Instant::MAX, zone), Day::MAX);
    }
}

/// The days around each change of clocks from 1970 to 2040, in every zone, against a calendar read off the offsets.
#[test]
fn around_every_change_of_clocks_a_day_begins_when_the_calendar_first_shows_it() {
    let mut seen = 0;
    for tz in TZ_VARIANTS {
        let zone = zone(tz.name());
        let offset = |days: i32| {
            let noon = ok(Day::from_days(days)).to_date().and_time(NaiveTime::MIN);
            tz.offset_from_utc_datetime(&noon).fix().local_minus_utc()
        };
        for week in (14..25_500).step_by(7) {
            if offset(week) == offset(week - 7) {
                continue;
            }
            seen += 1;
            for days in week - 8..=week + 2 {
                let day = ok(Day::from_days(days));
                let begin = start_of_day(day, zone).micros();
                let shown = date_shown(tz, begin);
                assert!(shown >= day.to_date(), "{tz} {day} begins too early");
                assert!(
                    date_shown(tz, begin - 1) < day.to_date(),
                    "{tz} {day} begins too late"
                );
                for back in 1..=12 {
                    assert!(
                        date_shown(tz, begin - back * HOUR / 4) < day.to_date(),
                        "{tz} {day} begins too late"
                    );
                }
                let empty = begin == end_of_day(day, zone).micros();
                assert_eq!(empty, shown != day.to_date(), "{tz} {day}");
            }
        }
    }
    assert!(seen > 10_000, "{seen} changes of clocks");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn days_tile_the_line(which in 0..TZ_VARIANTS.len(), days in 0..Day::MAX.days(), near in any::<bool>()) {
        let zone = zone(TZ_VARIANTS[which].name());
        let day = ok(Day::from_days(if near { days % 48_000 } else { days }));
        let (begin, end) = (start_of_day(day, zone), end_of_day(day, zone));
        prop_assert!(begin <= end);
        prop_assert_eq!(end, start_of_day(ok(day.plus(1)), zone));
        if begin < end {
            prop_assert_eq!(day_of(begin, zone), day);
            prop_assert_eq!(day_of(ok(Instant::from_micros(end.micros() - 1)), zone), day);
        } else {
            prop_assert_eq!(day_of(begin, zone), ok(day.plus(1)));
        }
    }

    #[test]
    fn every_instant_lies_in_exactly_one_day(which in 0..TZ_VARIANTS.len(), micros in 0..Instant::MAX.micros(), near in any::<bool>()) {
        let zone = zone(TZ_VARIANTS[which].name());
        let instant = ok(Instant::from_micros(if near { micros % (48_000 * 24 * HOUR) } else { micros }));
        let day = day_of(instant, zone);
        let holds = |day: Day| start_of_day(day, zone) <= instant && instant < end_of_day(day, zone);
        prop_assert!(holds(day));
        for other in [-3, -2, -1, 1, 2, 3] {
            if let Ok(other) = day.plus(other) {
                prop_assert!(!holds(other), "{} is also in {}", instant, other);
            }
        }
    }
}
