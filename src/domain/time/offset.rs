//! Offsets from UTC: as people write them, and the days of a clock that keeps one all year.

use super::DAY_US;
use super::day::Day;
use super::instant::Instant;

/// The day on a clock so many minutes east of UTC.
#[must_use]
pub fn day_at(at: Instant, offset_minutes: i32) -> Day {
    let local = at.micros() + i64::from(offset_minutes) * 60_000_000;
    let days = local
        .div_euclid(DAY_US)
        .clamp(0, i64::from(Day::MAX.days()));
    i32::try_from(days)
        .ok()
        .and_then(|days| Day::from_days(days).ok())
        .unwrap_or(Day::MIN)
}

/// When a day begins on a clock so many minutes east of UTC.
#[must_use]
pub fn start_of_day_at(day: Day, offset_minutes: i32) -> Instant {
    Instant::nearest(i64::from(day.days()) * DAY_US - i64::from(offset_minutes) * 60_000_000)
}

/// Minutes east of UTC, from `+03:00`, `-04:30`, `Z` or `+3`.
///
/// # Errors
/// A sentence that names the text and what would be right.
pub fn parse_offset(text: &str) -> Result<i32, String> {
    let wrong = || format!("{text:?} is not an offset from -12:00 to +14:00, such as +03:00");
    if text.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let number = |text: &str, most: i32, lengths: std::ops::RangeInclusive<usize>| {
        let plain = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>()
            .ok()
            .filter(|number| plain && *number <= most)
    };
    let (Some(hours), Some(minutes)) = (number(hours, 14, 1..=2), number(minutes, 59, 2..=2))
    else {
        return Err(wrong());
    };
    let offset = sign * (hours * 60 + minutes);
    if (-720..=840).contains(&offset) {
        Ok(offset)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_an_offset_begin_at_its_midnight() {
        let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
        assert_eq!(
            day_at(at("2026-05-03T20:59:59Z"), 180).to_string(),
            "2026-05-03"
        );
        let day = day_at(at("2026-05-03T21:00:00Z"), 180);
        assert_eq!(day.to_string(), "2026-05-04");
        assert_eq!(start_of_day_at(day, 180), at("2026-05-03T21:00:00Z"));
        assert_eq!(start_of_day_at(day, -270), at("2026-05-04T04:30:00Z"));
    }

    #[test]
    fn offsets() {
        for (text, minutes) in [
            ("+03:00", Some(180)),
            ("-04:30", Some(-270)),
            ("+5:45", Some(345)),
            ("+3", Some(180)),
            ("Z", Some(0)),
            ("+14:00", Some(840)),
            ("+14:30", None),
            ("-12:30", None),
            ("03:00", None),
            ("+3:0", None),
            ("++3", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(parse_offset(text).ok(), minutes, "{text}");
        }
    }
}
