//! What ranges mean.

use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::*;

const WARSAW: &str = "Europe/Warsaw";
const UNITS: [Unit; 6] = [
    Unit::Hour,
    Unit::Day,
    Unit::Week,
    Unit::Month,
    Unit::Quarter,
    Unit::Year,
];
const PRESETS: [Preset; 10] = [
    Preset::Today,
    Preset::Yesterday,
    Preset::ThisWeek,
    Preset::LastWeek,
    Preset::ThisMonth,
    Preset::LastMonth,
    Preset::ThisQuarter,
    Preset::LastQuarter,
    Preset::ThisYear,
    Preset::LastYear,
];

fn resolve(range: Range, now: &str, name: &str) -> Period {
    ok(range.resolve(at(now), zone(name), WeekStart::Monday))
}

fn last(count: u32, unit: Unit) -> Range {
    Range::Last {
        count,
        unit,
        whole_units: false,
    }
}

fn finished(count: u32, unit: Unit) -> Range {
    Range::Last {
        count,
        unit,
        whole_units: true,
    }
}

fn check(range: Range, now: &str, name: &str, current: (&str, &str), previous: (&str, &str)) {
    let period = resolve(range, now, name);
    assert_eq!(
        period.current,
        span(current.0, current.1),
        "current of {range:?} at {now} in {name}: {} {}",
        period.current.from,
        period.current.to
    );
    assert_eq!(
        period.previous,
        span(previous.0, previous.1),
        "previous of {range:?} at {now} in {name}: {} {}",
        period.previous.from,
        period.previous.to
    );
    assert_eq!(period.zone, zone(name));
}

#[test]
fn between_is_taken_as_it_is_and_compared_with_as_long_before() {
    let (from, to) = (at("2026-03-29T00:00:00Z"), at("2026-03-30T12:00:00.5Z"));
    check(
        Range::Between { from, to },
        "2020-01-01T00:00:00Z",
        WARSAW,
        ("2026-03-29T00:00:00Z", "2026-03-30T12:00:00.5Z"),
        ("2026-03-27T11:59:59.5Z", "2026-03-29T00:00:00Z"),
    );
}

#[test]
fn days_include_both_ends_and_are_compared_with_as_many_days() {
    let days = |from, to| Range::Days {
        from: day(from),
        to: day(to),
    };
    check(
        days("2026-03-29", "2026-03-30"),
        "2026-06-01T00:00:00Z",
        WARSAW,
        ("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z"),
        ("2026-03-26T23:00:00Z", "2026-03-28T23:00:00Z"),
    );
    check(
        days("2026-11-02", "2026-11-02"),
        "2026-06-01T00:00:00Z",
        "America/New_York",
        ("2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z"),
        ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
    );
    check(
        days("2018-11-04", "2018-11-04"),
        "2026-06-01T00:00:00Z",
        "America/Sao_Paulo",
        ("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        ("2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"),
    );
    check(
        days("2011-12-30", "2011-12-31"),
        "2026-06-01T00:00:00Z",
        "Pacific/Apia",
        ("2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ("2011-12-28T10:00:00Z", "2011-12-30T10:00:00Z"),
    );
    check(
        days("1970-01-01", "9999-12-31"),
        "2026-06-01T00:00:00Z",
        WARSAW,
        ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    );
}

#[test]
fn last_keeps_the_time_of_day_through_changes_of_clocks() {
    // 12:00 in Warsaw on the day that summer time began; the day before, noon was an hour later in UTC.
    check(
        last(1, Unit::Day),
        "2026-03-29T10:00:00Z",
        WARSAW,
        ("2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z"),
        ("2026-03-27T11:00:00Z", "2026-03-28T11:00:00Z"),
    );
    check(
        last(24, Unit::Hour),
        "2026-03-29T10:00:00Z",
        WARSAW,
        ("2026-03-28T10:00:00Z", "2026-03-29T10:00:00Z"),
        ("2026-03-27T10:00:00Z", "2026-03-28T10:00:00Z"),
    );
    // 02:30 does not exist on 29 March: the clock lands on 03:00.
    check(
        last(1, Unit::Day),
        "2026-03-30T00:30:00Z",
        WARSAW,
        ("2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        ("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"),
    );
    // 02:30 happens twice on 25 October: the earlier.
    check(
        last(1, Unit::Day),
        "2026-10-26T01:30:00Z",
        WARSAW,
        ("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"),
    );
    check(
        last(2, Unit::Day),
        "2026-10-05T01:00:00Z",
        "Australia/Lord_Howe",
        ("2026-10-03T01:30:00Z", "2026-10-05T01:00:00Z"),
        ("2026-10-01T01:30:00Z", "2026-10-03T01:30:00Z"),
    );
    check(
        last(1, Unit::Day),
        "2011-12-31T20:00:00Z",
        "Pacific/Apia",
        ("2011-12-30T20:00:00Z", "2011-12-31T20:00:00Z"),
        ("2011-12-30T10:00:00Z", "2011-12-30T20:00:00Z"),
    );
}

#[test]
fn last_month_is_cut_at_the_end_of_a_shorter_one() {
    check(
        last(1, Unit::Month),
        "2026-03-31T10:00:00Z",
        "UTC",
        ("2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
        ("2026-01-28T10:00:00Z", "2026-02-28T10:00:00Z"),
    );
    check(
        last(1, Unit::Year),
        "2024-02-29T10:00:00Z",
        "UTC",
        ("2023-02-28T10:00:00Z", "2024-02-29T10:00:00Z"),
        ("2022-02-27T10:00:00Z", "2023-02-28T10:00:00Z"),
    );
    check(
        last(1, Unit::Quarter),
        "2026-05-31T10:00:00Z",
        "UTC",
        ("2026-02-28T10:00:00Z", "2026-05-31T10:00:00Z"),
        ("2025-11-28T10:00:00Z", "2026-02-28T10:00:00Z"),
    );
}

#[test]
fn whole_units_end_where_the_running_one_began() {
    check(
        finished(7, Unit::Day),
        "2026-04-01T10:00:00Z",
        WARSAW,
        ("2026-03-24T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-03-17T23:00:00Z", "2026-03-24T23:00:00Z"),
    );
    check(
        finished(1, Unit::Month),
        "2026-05-15T10:00:00Z",
        "Asia/Kathmandu",
        ("2026-03-31T18:15:00Z", "2026-04-30T18:15:00Z"),
        ("2026-02-28T18:15:00Z", "2026-03-31T18:15:00Z"),
    );
    check(
        finished(2, Unit::Quarter),
        "2026-05-15T10:00:00Z",
        "UTC",
        ("2025-10-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("2025-04-01T00:00:00Z", "2025-10-01T00:00:00Z"),
    );
    check(
        finished(3, Unit::Hour),
        "2026-05-15T10:50:00Z",
        "Asia/Kolkata",
        ("2026-05-15T07:30:00Z", "2026-05-15T10:30:00Z"),
        ("2026-05-15T04:30:00Z", "2026-05-15T07:30:00Z"),
    );
    // Exactly at a boundary the unit that has just begun is running.
    check(
        finished(1, Unit::Day),
        "2018-11-04T03:00:00Z",
        "America/Sao_Paulo",
        ("2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"),
        ("2018-11-02T03:00:00Z", "2018-11-03T03:00:00Z"),
    );
}

#[test]
fn a_running_hour_begins_on_the_local_hour_or_where_the_clock_was_changed() {
    let began = |now: &str, name: &str| {
        resolve(finished(1, Unit::Hour), now, name)
            .current
            .to
            .to_rfc3339()
    };
    assert_eq!(
        began("2026-05-15T10:59:59.999999Z", WARSAW),
        "2026-05-15T10:00:00Z"
    );
    assert_eq!(
        began("2026-10-25T00:30:00Z", WARSAW),
        "2026-10-25T00:00:00Z"
    );
    assert_eq!(
        began("2026-10-25T01:30:00Z", WARSAW),
        "2026-10-25T01:00:00Z"
    );
    assert_eq!(
        began("2026-05-15T10:20:00Z", "Australia/Eucla"),
        "2026-05-15T10:15:00Z"
    );
    // From 02:00 back to 01:30, and from 02:00 on to 02:30.
    assert_eq!(
        began("2026-04-04T14:59:00Z", "Australia/Lord_Howe"),
        "2026-04-04T14:00:00Z"
    );
    assert_eq!(
        began("2026-04-04T15:15:00Z", "Australia/Lord_Howe"),
        "2026-04-04T15:00:00Z"
    );
    assert_eq!(
        began("2026-10-03T15:40:00Z", "Australia/Lord_Howe"),
        "2026-10-03T15:30:00Z"
    );
    assert_eq!(
        began("2026-10-03T15:59:00Z", "Australia/Lord_Howe"),
        "2026-10-03T15:30:00Z"
    );
}

#[test]
fn running_presets_go_up_to_now_and_are_compared_with_the_same_point_before() {
    let now = "2026-05-15T08:00:00Z"; // a Friday, 10:00 in Warsaw
    for (preset, current, previous) in [
        (
            Preset::Today,
            "2026-05-14T22:00:00Z",
            ("2026-05-13T22:00:00Z", "2026-05-14T08:00:00Z"),
        ),
        (
            Preset::ThisWeek,
            "2026-05-10T22:00:00Z",
            ("2026-05-03T22:00:00Z", "2026-05-08T08:00:00Z"),
        ),
        (
            Preset::ThisMonth,
            "2026-04-30T22:00:00Z",
            ("2026-03-31T22:00:00Z", "2026-04-15T08:00:00Z"),
        ),
        // 10:00 on 15 February is in winter time.
        (
            Preset::ThisQuarter,
            "2026-03-31T22:00:00Z",
            ("2025-12-31T23:00:00Z", "2026-02-15T09:00:00Z"),
        ),
        (
            Preset::ThisYear,
            "2025-12-31T23:00:00Z",
            ("2024-12-31T23:00:00Z", "2025-05-15T08:00:00Z"),
        ),
    ] {
        check(Range::Preset(preset), now, WARSAW, (current, now), previous);
    }
}

#[test]
fn finished_presets_are_whole_and_compared_with_the_whole_before() {
    let now = "2026-05-15T08:00:00Z";
    for (preset, current, previous) in [
        (
            Preset::Yesterday,
            ("2026-05-13T22:00:00Z", "2026-05-14T22:00:00Z"),
            "2026-05-12T22:00:00Z",
        ),
        (
            Preset::LastWeek,
            ("2026-05-03T22:00:00Z", "2026-05-10T22:00:00Z"),
            "2026-04-26T22:00:00Z",
        ),
        (
            Preset::LastMonth,
            ("2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"),
            "2026-02-28T23:00:00Z",
        ),
        (
            Preset::LastQuarter,
            ("2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"),
            "2025-09-30T22:00:00Z",
        ),
        (
            Preset::LastYear,
            ("2024-12-31T23:00:00Z", "2025-12-31T23:00:00Z"),
            "2023-12-31T23:00:00Z",
        ),
    ] {
        check(
            Range::Preset(preset),
            now,
            WARSAW,
            current,
            (previous, current.0),
        );
    }
}

#[test]
fn a_point_that_the_period_before_lacks_is_its_end() {
    for (preset, now, previous) in [
        (
            Preset::ThisMonth,
            "2026-05-31T10:00:00Z",
            ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"),
        ),
        (
            Preset::ThisMonth,
            "2026-03-29T10:00:00Z",
            ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ),
        (
            Preset::ThisMonth,
            "2024-03-29T10:00:00Z",
            ("2024-02-01T00:00:00Z", "2024-02-29T10:00:00Z"),
        ),
        (
            Preset::ThisQuarter,
            "2026-05-31T10:00:00Z",
            ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ),
        (
            Preset::ThisYear,
            "2024-02-29T10:00:00Z",
            ("2023-01-01T00:00:00Z", "2023-03-01T00:00:00Z"),
        ),
    ] {
        assert_eq!(
            resolve(Range::Preset(preset), now, "UTC").previous,
            span(previous.0, previous.1),
            "{preset:?} {now}"
        );
    }
}

#[test]
fn weeks_begin_with_the_day_that_was_asked_for() {
    let now = at("2026-05-15T08:00:00Z"); // a Friday
    for (start, from) in [
        (WeekStart::default(), "2026-05-11"),
        (WeekStart::Tuesday, "2026-05-12"),
        (WeekStart::Wednesday, "2026-05-13"),
        (WeekStart::Thursday, "2026-05-14"),
        (WeekStart::Friday, "2026-05-15"),
        (WeekStart::Saturday, "2026-05-09"),
        (WeekStart::Sunday, "2026-05-10"),
    ] {
        let week = ok(Range::Preset(Preset::ThisWeek).resolve(now, Zone::UTC, start)).current;
        assert_eq!(week.from, start_of_day(day(from), Zone::UTC), "{start:?}");
    }
}

#[test]
fn impossible_ranges_are_refused_with_the_limit_and_the_value() {
    let now = at("2026-05-15T08:00:00Z");
    let refusal = |range: Range| {
        range
            .resolve(now, Zone::UTC, WeekStart::Monday)
            .map_or_else(|e| e.to_string(), |_| String::new())
    };
    let text = refusal(Range::Between {
        from: now,
        to: at("2026-05-14T08:00:00Z"),
    });
    assert!(
        text.contains("2026-05-15T08:00:00Z") && text.contains("2026-05-14T08:00:00Z"),
        "{text}"
    );
    let text = refusal(Range::Days {
        from: day("2026-05-15"),
        to: day("2026-05-14"),
    });
    assert!(
        text.contains("2026-05-15") && text.contains("2026-05-14"),
        "{text}"
    );
    for unit in UNITS {
        for whole_units in [false, true] {
            for count in [0, unit.max_count() + 1, u32::MAX] {
                let text = refusal(Range::Last {
                    count,
                    unit,
                    whole_units,
                });
                assert!(
                    text.contains(&count.to_string())
                        && text.contains(&unit.max_count().to_string())
                        && text.contains(&unit.to_string()),
                    "{text}"
                );
            }
            let most = Range::Last {
                count: unit.max_count(),
                unit,
                whole_units,
            };
            assert_eq!(refusal(most), "", "{unit} at its limit");
        }
    }
    let early = at("1971-05-15T08:00:00Z");
    for range in [
        last(2, Unit::Year),
        finished(2, Unit::Year),
        last(700, Unit::Day),
        finished(20, Unit::Month),
    ] {
        let refused = range.resolve(early, Zone::UTC, WeekStart::Monday);
        assert!(
            matches!(refused, Err(TimeError::OutOfYears { .. })),
            "{range:?}: {refused:?}"
        );
    }
    let empty = Range::Between { from: now, to: now };
    assert!(
        resolve(empty, "2026-05-15T08:00:00Z", "UTC")
            .current
            .is_empty()
    );
}

#[test]
fn a_clock_set_back_into_yesterday_does_not_lead_out_of_today() {
    // In St. John's the clock went from 00:01 on the 29th back to 23:01 on the 28th, and shows 23:30 now.
    check(
        Range::Preset(Preset::Today),
        "2006-10-29T03:00:00Z",
        "America/St_Johns",
        ("2006-10-29T02:30:00Z", "2006-10-29T03:00:00Z"),
        ("2006-10-28T02:30:00Z", "2006-10-28T02:30:00Z"),
    );
}

#[test]
fn the_comparison_ends_where_time_begins() {
    check(
        Range::Preset(Preset::ThisYear),
        "1970-03-01T00:00:00Z",
        WARSAW,
        ("1970-01-01T00:00:00Z", "1970-03-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    );
    check(
        Range::Between {
            from: at("1970-01-03T00:00:00Z"),
            to: at("2026-01-01T00:00:00Z"),
        },
        "2026-06-01T00:00:00Z",
        "UTC",
        ("1970-01-03T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-03T00:00:00Z"),
    );
}

#[test]
fn the_year_before_keeps_local_dates() {
    for (name, of, before) in [
        (
            "UTC",
            ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            ("2025-05-01T00:00:00Z", "2025-06-01T00:00:00Z"),
        ),
        // 00:00 to 12:00 on the day that summer time began; a year before, that was another day.
        (
            WARSAW,
            ("2026-03-28T23:00:00Z", "2026-03-29T10:00:00Z"),
            ("2025-03-28T23:00:00Z", "2025-03-29T11:00:00Z"),
        ),
        (
            "UTC",
            ("2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z"),
        ),
        (
            "UTC",
            ("2024-02-28T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z"),
        ),
        (
            "UTC",
            ("2024-02-29T08:00:00Z", "2024-02-29T10:00:00Z"),
            ("2023-02-28T08:00:00Z", "2023-02-28T10:00:00Z"),
        ),
        (
            "UTC",
            ("2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z"),
            ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ),
        // The day begins at 01:00; the year before, it began at 00:00.
        (
            "America/Sao_Paulo",
            ("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
            ("2017-11-04T02:00:00Z", "2017-11-05T02:00:00Z"),
        ),
        (
            "UTC",
            ("1970-06-01T00:00:00Z", "1971-02-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"),
        ),
    ] {
        assert_eq!(
            span(of.0, of.1).year_before(zone(name)),
            span(before.0, before.1),
            "{name} {of:?}"
        );
    }
}

#[test]
fn days_of_a_span_are_those_that_begin_in_it() {
    for (name, of, days) in [
        (
            "UTC",
            ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            Some(("2026-05-01", "2026-05-31")),
        ),
        (
            "UTC",
            ("2026-05-01T00:00:00.000001Z", "2026-05-03T00:00:00.000001Z"),
            Some(("2026-05-02", "2026-05-03")),
        ),
        (
            "UTC",
            ("2026-05-01T00:00:01Z", "2026-05-02T00:00:00Z"),
            None,
        ),
        (
            "UTC",
            ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z"),
            None,
        ),
        (
            WARSAW,
            ("2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z"),
            Some(("2026-05-02", "2026-05-03")),
        ),
        (
            "America/Sao_Paulo",
            ("2018-11-04T03:00:00Z", "2018-11-04T03:00:01Z"),
            Some(("2018-11-04", "2018-11-04")),
        ),
        (
            "Pacific/Apia",
            ("2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
            Some(("2011-12-30", "2011-12-31")),
        ),
        (
            "Pacific/Apia",
            ("2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            Some(("2011-12-29", "2011-12-29")),
        ),
        (
            WARSAW,
            ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
            Some(("1970-01-01", "9999-12-31")),
        ),
        (
            "UTC",
            ("9999-12-31T12:00:00Z", "9999-12-31T23:00:00Z"),
            None,
        ),
    ] {
        let days = days.map(|(first, last)| (day(first), day(last)));
        assert_eq!(
            span(of.0, of.1).local_days(zone(name)),
            days,
            "{name} {of:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn previous_ends_where_current_begins(
        which in 0..TZ_VARIANTS.len(), now in 1_700_000_000_000_000..4_200_000_000_000_000_i64,
        count in 1..40_u32, unit in 0..UNITS.len(), kind in 0..4, length in 0..90_i32,
    ) {
        let zone = zone(TZ_VARIANTS[which].name());
        let now = ok(Instant::from_micros(now));
        let unit = UNITS[unit];
        let day = day_of(now, zone);
        let from = ok(Instant::from_micros(now.micros() - i64::from(length) * 3_333_333_333));
        let range = match kind {
            0 => Range::Between { from, to: now },
            1 => Range::Days { from: ok(day.plus(-length)), to: day },
            kind => Range::Last { count: count.min(unit.max_count() / 2), unit, whole_units: kind == 2 },
        };
        let period = ok(range.resolve(now, zone, WeekStart::Monday));
        prop_assert_eq!(period.previous.to, period.current.from);
        prop_assert!(period.previous.from <= period.previous.to && period.current.from <= period.current.to);
        // Changes of clocks apart, and the day that some islands left out, both are as long; months differ by days.
        let differ = (period.previous.micros() - period.current.micros()).abs();
        let allowed_hours = match range {
            Range::Between { .. } | Range::Last { unit: Unit::Hour, .. } => 0,
            Range::Last { whole_units: true, unit: Unit::Month | Unit::Quarter | Unit::Year, .. } => 6 * 24,
            _ => 24 + 2,
        };
        let allowed = allowed_hours * 3_600_000_000;
        prop_assert!(period.previous.from == Instant::MIN || differ <= allowed, "{range:?} {period:?}");
        if kind == 1 {
            prop_assert_eq!(period.current.local_days(zone).map(|days| days.1), Some(day));
        }
    }

    #[test]
    fn presets_are_whole_days_in_order(
        which in 0..TZ_VARIANTS.len(), now in 100_000_000_000_000..4_200_000_000_000_000_i64,
        preset in 0..PRESETS.len(), week in prop::sample::select(vec![WeekStart::Monday, WeekStart::Saturday, WeekStart::Sunday]),
    ) {
        let zone = zone(TZ_VARIANTS[which].name());
        let now = ok(Instant::from_micros(now));
        let preset = PRESETS[preset];
        let period = ok(Range::Preset(preset).resolve(now, zone, week));
        let begins_a_day = |instant: Instant| start_of_day(day_of(instant, zone), zone) == instant;
        prop_assert!(begins_a_day(period.current.from) && begins_a_day(period.previous.from));
        prop_assert!(period.previous.from <= period.previous.to && period.previous.to <= period.current.from);
        let running = matches!(preset, Preset::Today | Preset::ThisWeek | Preset::ThisMonth | Preset::ThisQuarter | Preset::ThisYear);
        if running {
            prop_assert_eq!(period.current.to, now);
        } else {
            prop_assert!(begins_a_day(period.current.to) && period.current.to <= now);
            prop_assert_eq!(period.previous.to, period.current.from);
        }
    }

    #[test]
    fn spans_that_follow_each_other_share_no_day_and_leave_none_out(
        which in 0..TZ_VARIANTS.len(), from in 0..4_200_000_000_000_000_i64, first in 0..400_000_000_000_i64, second in 0..400_000_000_000_i64,
    ) {
        let zone = zone(TZ_VARIANTS[which].name());
        let cut = |micros| ok(Instant::from_micros(micros));
        let (a, b, c) = (cut(from), cut(from + first), cut(from + first + second));
        let days = |from, to| {
            let mut listed = Vec::new();
            if let Some((first, last)) = ok(Span::new(from, to)).local_days(zone) {
                listed.extend(first.days()..=last.days());
            }
            listed
        };
        let mut joined = days(a, b);
        joined.extend(days(b, c));
        prop_assert_eq!(joined, days(a, c));
        for days in days(a, c) {
            let begin = start_of_day(ok(Day::from_days(days)), zone);
            prop_assert!(a <= begin && begin < c);
        }
    }
}
