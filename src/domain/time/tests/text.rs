//! Reading and writing.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    Instant::parse_rfc3339(text)
        .map_or_else(|error| format!("refused: {error}"), Instant::to_rfc3339)
}

#[test]
fn instants_are_written_in_utc_with_a_fraction_only_where_there_is_one() {
    for (text, written) in [
        ("2026-05-03T10:00:00Z", "2026-05-03T10:00:00Z"),
        ("2026-05-03t10:00:00z", "2026-05-03T10:00:00Z"),
        ("2026-05-03T12:00:00+02:00", "2026-05-03T10:00:00Z"),
        ("2026-05-03T00:30:00+05:45", "2026-05-02T18:45:00Z"),
        ("2026-05-03T10:00:00-00:00", "2026-05-03T10:00:00Z"),
        ("2026-05-03T10:00:00.5Z", "2026-05-03T10:00:00.500Z"),
        ("2026-05-03T10:00:00.000Z", "2026-05-03T10:00:00Z"),
        ("2026-05-03T10:00:00.000010Z", "2026-05-03T10:00:00.000010Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1970-01-01T03:00:00+03:00", "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ] {
        assert_eq!(read(text), written, "{text}");
    }
}

#[test]
fn what_is_finer_than_a_microsecond_is_cut_off() {
    assert_eq!(
        read("2026-05-03T10:00:00.1234569Z"),
        "2026-05-03T10:00:00.123456Z"
    );
    assert_eq!(
        read("2026-05-03T10:00:00.000000999999999999Z"),
        "2026-05-03T10:00:00Z"
    );
    assert_eq!(
        read("9999-12-31T23:59:59.9999999999Z"),
        "9999-12-31T23:59:59.999999Z"
    );
}

#[test]
fn a_leap_second_is_the_beginning_of_the_next() {
    assert_eq!(read("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z");
    assert_eq!(read("2016-12-31T23:59:60.75Z"), "2017-01-01T00:00:00Z");
    assert_eq!(read("2017-01-01T05:29:60+05:30"), "2017-01-01T00:00:00Z");
    assert_eq!(
        ok(parse_upstream("2017-01-01 02:59:60", 180)),
        at("2017-01-01T00:00:00Z")
    );
    assert!(read("9999-12-31T23:59:60Z").contains("outside the years 1970 to 9999"));
    let chrono: Option<DateTime<Utc>> = NaiveDate::from_ymd_opt(2016, 12, 31)
        .and_then(|date| date.and_hms_micro_opt(23, 59, 59, 1_750_000))
        .map(|time| time.and_utc());
    assert_eq!(
        chrono.map(|time| ok(Instant::from_utc(time))),
        Some(at("2017-01-01T00:00:00Z"))
    );
}

#[test]
fn what_is_no_instant_is_refused_by_name() {
    for text in [
        "",
        "2026-05-03",
        "2026-05-03T10:00:00",
        "2026-05-03 10:00:00Z",
        "2026-05-03T10:00Z",
        "2026-5-3T10:00:00Z",
        "+2026-05-03T10:00:00Z",
        "2026-05-03T10:00:00.Z",
        "2026-05-03T10:00:00,5Z",
        " 2026-05-03T10:00:00Z",
        "2026-05-03T10:00:00Z ",
        "2026-05-03T10:00:00+0200",
        "2026-05-03T10:00:00+02",
        "12026-05-03T10:00:00Z",
        "20260503T100000Z",
        "2026-05-03T1０:00:00Z",
        "1746266400",
    ] {
        assert_eq!(
            Instant::parse_rfc3339(text),
            Err(TimeError::NotAnInstant {
                value: text.to_owned()
            }),
            "{text}"
        );
    }
    for text in [
        "2026-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-05-03T24:00:00Z",
        "2026-05-03T10:60:00Z",
        "2026-05-03T10:00:61Z",
        "2026-05-03T10:00:00+24:00",
        "2026-05-03T10:00:00+02:60",
    ] {
        assert_eq!(
            Instant::parse_rfc3339(text),
            Err(TimeError::NoSuchTime {
                value: text.to_owned()
            }),
            "{text}"
        );
    }
    for text in [
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+03:00",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
    ] {
        assert_eq!(
            Instant::parse_rfc3339(text),
            Err(TimeError::OutOfYears {
                value: format!("`{text}`")
            }),
            "{text}"
        );
    }
}

#[test]
fn errors_say_what_to_do_and_repeat_little() {
    let long = format!("{}\n{}", "я".repeat(30), "x".repeat(100_000));
    let text =
        Instant::parse_rfc3339(&long).map_or_else(|error| error.to_string(), Instant::to_rfc3339);
    assert!(text.chars().count() < 300, "{text}");
    assert!(
        !text.contains('\n') && text.contains("яяя") && text.contains("2026-05-03T10:00:00Z"),
        "{text}"
    );
    assert!(
        Zone::parse("Mars/Olympus")
            .is_err_and(|error| error.to_string().contains("`Mars/Olympus`"))
    );
}

#[test]
fn chrono_and_whole_numbers_are_held_to_the_same_years() {
    assert_eq!(
        ok(Instant::from_micros(Instant::MAX.micros())),
        Instant::MAX
    );
    assert!(Instant::from_micros(Instant::MAX.micros() + 1).is_err());
    assert!(
        Instant::from_micros(-1)
            .is_err_and(|e| e.to_string().contains("1969-12-31T23:59:59.999999Z"))
    );
    assert!(Instant::from_micros(i64::MIN).is_err() && Instant::from_micros(i64::MAX).is_err());
    assert!(Instant::from_utc(DateTime::<Utc>::MAX_UTC).is_err());
    assert!(Instant::from_utc(DateTime::<Utc>::MIN_UTC).is_err());
    assert_eq!(
        Utc.with_ymd_and_hms(2026, 5, 3, 10, 0, 0).single(),
        Some(at("2026-05-03T10:00:00Z").to_utc())
    );
    assert_eq!(Instant::MIN, at("1970-01-01T00:00:00Z"));
    assert_eq!(Instant::MAX, at("9999-12-31T23:59:59.999999Z"));
}

#[test]
fn upstream_times_are_read_in_a_fixed_offset() {
    for (text, offset, instant) in [
        ("2024-03-05 13:30:00", 180, "2024-03-05T10:30:00Z"),
        ("2024-03-05T13:30:00", 180, "2024-03-05T10:30:00Z"),
        ("2024-03-05 13:30:00.25", 0, "2024-03-05T13:30:00.250Z"),
        ("2024-03-05 00:30:00", 345, "2024-03-04T18:45:00Z"),
        ("2024-03-05 23:30:00", -720, "2024-03-06T11:30:00Z"),
        ("2024-03-05T13:30:00Z", 180, "2024-03-05T13:30:00Z"),
        ("2024-03-05 13:30:00+01:00", 180, "2024-03-05T12:30:00Z"),
    ] {
        assert_eq!(parse_upstream(text, offset), Ok(at(instant)), "{text}");
    }
    for text in [
        "",
        "-",
        "2024-03-05",
        "05.03.2024 13:30:00",
        "2024-03-05  13:30:00",
        "2024-03-05 13:30",
    ] {
        assert_eq!(
            parse_upstream(text, 180),
            Err(TimeError::NotALocalTime {
                value: text.to_owned()
            })
        );
    }
    assert!(matches!(
        parse_upstream("0000-00-00 00:00:00", 180),
        Err(TimeError::NoSuchTime { .. })
    ));
    assert!(matches!(
        parse_upstream("1970-01-01 02:59:59", 180),
        Err(TimeError::OutOfYears { .. })
    ));
    assert_eq!(
        parse_upstream("2024-03-05 13:30:00", 841),
        Err(TimeError::Offset { minutes: 841 })
    );
    assert_eq!(
        parse_upstream("2024-03-05 13:30:00", i32::MIN),
        Err(TimeError::Offset { minutes: i32::MIN })
    );
}

#[test]
fn days_are_read_counted_and_bounded() {
    assert_eq!(day("1970-01-01"), Day::MIN);
    assert_eq!(day("9999-12-31"), Day::MAX);
    assert_eq!(day("2024-02-29").to_string(), "2024-02-29");
    assert_eq!(day("2024-02-29").year(), 2024);
    assert_eq!(
        parse_upstream_day("2024-04-04"),
        Ok(ok(Day::from_ymd(2024, 4, 4)))
    );
    assert_eq!(ok(day("2024-02-28").plus(2)), day("2024-03-01"));
    assert_eq!(ok(day("2024-03-01").plus(-1)), day("2024-02-29"));
    assert_eq!(day("2024-03-01").days_until(day("2024-02-28")), -2);
    for text in [
        "",
        "2024-2-3",
        "2024-02-03T00:00:00Z",
        "03.02.2024",
        "-",
        "2024-02-03 ",
        "02024-02-03",
    ] {
        assert_eq!(
            Day::parse(text),
            Err(TimeError::NotADay {
                value: text.to_owned()
            })
        );
    }
    assert_eq!(
        Day::parse("2023-02-29"),
        Err(TimeError::NoSuchTime {
            value: "2023-02-29".to_owned()
        })
    );
    assert!(matches!(
        Day::from_ymd(2023, 2, 29),
        Err(TimeError::NoSuchTime { .. })
    ));
    for outside in [
        Day::parse("1969-12-31"),
        Day::from_ymd(10_000, 1, 1),
        Day::MIN.plus(-1),
        Day::MAX.plus(1),
        Day::MAX.plus(i32::MAX),
        Day::MIN.plus(i32::MIN),
        Day::from_days(i32::MAX),
        Day::from_date(NaiveDate::MIN),
    ] {
        assert!(
            matches!(outside, Err(TimeError::OutOfYears { .. })),
            "{outside:?}"
        );
    }
}

#[test]
fn zones_have_exact_iana_names() {
    for name in [
        "Europe/Warsaw",
        "UTC",
        "Asia/Kathmandu",
        "America/Argentina/Buenos_Aires",
    ] {
        assert_eq!(zone(name).name(), name);
    }
    assert_eq!(zone("UTC"), Zone::UTC);
    for name in [
        "",
        "europe/warsaw",
        "Europe/Warsaw ",
        "+03:00",
        "UTC+3",
        "CEST",
        "Warsaw",
    ] {
        assert_eq!(
            Zone::parse(name),
            Err(TimeError::UnknownZone {
                value: name.to_owned()
            })
        );
    }
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same_instant(micros in 0..=Instant::MAX.micros(), coarse in 0..3) {
        let grain = [1, 1_000, 1_000_000][usize::try_from(coarse)?];
        let instant = ok(Instant::from_micros(micros / grain * grain));
        prop_assert_eq!(Instant::parse_rfc3339(&instant.to_rfc3339()), Ok(instant));
        prop_assert_eq!(Instant::from_utc(instant.to_utc()), Ok(instant));
        prop_assert_eq!(instant.to_utc().timestamp_micros(), instant.micros());
    }

    #[test]
    fn reading_a_day_that_was_written_gives_the_same_day(days in 0..=Day::MAX.days()) {
        let day = ok(Day::from_days(days));
        prop_assert_eq!(Day::parse(&day.to_string()), Ok(day));
        prop_assert_eq!(Day::from_date(day.to_date()), Ok(day));
        let text = format!("{day} 00:00:00");
        prop_assert_eq!(parse_upstream(&text, 0), Ok(start_of_day(day, Zone::UTC)));
    }

    #[test]
    fn any_offset_names_the_same_instant(micros in 86_400_000_000..Instant::MAX.micros() - 86_400_000_000, minutes in -720..=840) {
        let instant = ok(Instant::from_micros(micros));
        let offset = chrono::FixedOffset::east_opt(minutes * 60);
        let local = offset.map(|offset| instant.to_utc().with_timezone(&offset));
        let text = local.map(|local| local.to_rfc3339()).unwrap_or_default();
        prop_assert_eq!(Instant::parse_rfc3339(&text), Ok(instant));
        let wall = local.map(|local| local.format("%Y-%m-%d %H:%M:%S%.6f").to_string()).unwrap_or_default();
        prop_assert_eq!(parse_upstream(&wall, minutes), Ok(instant));
    }

    #[test]
    fn no_text_upsets_the_readers(text in "[0-9TtZz:.+ é-]{0,40}", offset in any::<i32>()) {
        for read in [Instant::parse_rfc3339(&text), parse_upstream(&text, offset)].into_iter().flatten() {
            prop_assert!((Instant::MIN..=Instant::MAX).contains(&read));
        }
        if let Ok(day) = Day::parse(&text) {
            prop_assert_eq!(day.to_string(), text);
        }
    }
}
