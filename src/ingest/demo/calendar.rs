//! Days of the demo: how busy each is, what its date is, and what a dollar costs on it.

use super::random::Random;
use crate::domain::time::{Day, Instant};
use chrono::Datelike;

/// How many days the demo covers.
pub(super) const DAYS: i64 = 730;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Upstream's offset, in seconds.
pub(super) const OFFSET: i64 = 3 * 3_600;
/// Days before the first order (clicks) and behind the last (closing days) that dates are known of.
const MARGIN: i64 = 120;

/// The calendar of one demo.
pub(super) struct Calendar {
    /// Seconds at the end.
    pub(super) end: i64,
    first_day: i64,
    dates: Vec<String>,
}

impl Calendar {
    pub(super) fn new(end: Instant) -> Self {
        let end = end.micros() / 1_000_000;
        let first_day = (end - DAYS * DAY).div_euclid(DAY) - MARGIN;
        let dates = (0..DAYS + 2 * MARGIN)
            .map(|day| day_of(first_day + day).to_string())
            .collect();
        Self {
            end,
            first_day,
            dates,
        }
    }

    /// When a day of the demo (from 0) begins.
    pub(super) fn begin(&self, day: i64) -> i64 {
        self.end - (DAYS - day) * DAY
    }

    /// The calendar months of spans of 30 days, from the last.
    pub(super) fn months(&self) -> Vec<u32> {
        (0..25)
            .map(|span| {
                day_of((self.end - (span * 30 + 15) * DAY).div_euclid(DAY))
                    .to_date()
                    .month()
            })
            .collect()
    }

    /// How many of `total` orders fall on each day.
    pub(super) fn orders(&self, random: &mut Random, total: u64) -> Vec<u64> {
        let weights: Vec<u64> = (0..DAYS).map(|day| self.weight(random, day)).collect();
        let all: u64 = weights.iter().sum();
        let mut sum = 0;
        let mut given = 0;
        let share = |weight: &u64| {
            sum += weight;
            let until = total * sum / all.max(1);
            let orders = until - given;
            given = until;
            orders
        };
        weights.iter().map(share).collect()
    }

    /// How busy a day is: growth, weekday, sales and chance.
    fn weight(&self, random: &mut Random, day: i64) -> u64 {
        let date = day_of((self.begin(day) + DAY / 2 + OFFSET).div_euclid(DAY)).to_date();
        let weekday = [1_000, 980, 970, 990, 1_050, 1_130, 1_150];
        let weekday = weekday
            .get(date.weekday().num_days_from_monday() as usize)
            .copied()
            .unwrap_or(1_000);
        let sale = match (date.month(), date.day()) {
            (11, 11) => 3_500,
            (11, 12) => 2_500,
            (11, 9 | 10) => 1_600,
            (11, 24..=30) | (3, 27..=31) | (6, 17..=20) => 1_500,
            (8, 20..=24) => 1_350,
            (12, 1..=20) => 1_250,
            (1, 1..=8) => 700,
            _ => 1_000,
        };
        let weight = (1_000 + day * 600 / DAYS) * weekday / 1_000 * sale / 1_000
            * random.between(920, 1_080);
        u64::try_from(weight).unwrap_or(0)
    }

    /// The seconds of a day's orders, in order: more in the evening than at night.
    pub(super) fn moments(&self, random: &mut Random, day: i64, count: u64) -> Vec<i64> {
        const HOURS: [u64; 24] = [
            5, 3, 2, 2, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 9, 9, 10, 10, 10, 10, 9, 7,
        ];
        let begin = self.begin(day);
        let draw = |_| {
            let mut second = 0;
            for _ in 0..4 {
                second = begin + random.between(0, DAY - 1);
                let hour = ((second + OFFSET).rem_euclid(DAY) / 3_600) as usize;
                if random.below(10) < HOURS.get(hour).copied().unwrap_or(5) {
                    break;
                }
            }
            second
        };
        let mut moments: Vec<i64> = (0..count).map(draw).collect();
        moments.sort_unstable();
        moments
    }

    /// Writes the day of a moment on upstream's clock.
    pub(super) fn push_date(&self, out: &mut String, second: i64) {
        let day = (second + OFFSET).div_euclid(DAY) - self.first_day;
        let date = usize::try_from(day)
            .ok()
            .and_then(|day| self.dates.get(day));
        out.push_str(date.map_or("2000-01-01", String::as_str));
    }

    /// Writes a moment on upstream's clock.
    pub(super) fn push_time(&self, out: &mut String, second: i64) {
        self.push_date(out, second);
        let second = (second + OFFSET).rem_euclid(DAY);
        let fields = [
            (second / 3_600, ' '),
            (second / 60 % 60, ':'),
            (second % 60, ':'),
        ];
        for (number, before) in fields {
            out.push(before);
            for digit in [number / 10, number % 10] {
                out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
            }
        }
    }
}

/// The day so many days after 1970-01-01, or the nearest that there is.
fn day_of(days: i64) -> Day {
    let days = i32::try_from(days.max(0)).unwrap_or(i32::MAX);
    Day::from_days(days).unwrap_or(Day::MIN)
}

/// Roubles for a dollar, in 1/100, so many days before the end: between 80 and 95, slowly up and down.
pub(super) fn roubles(days_ago: i64) -> i64 {
    let wave = |period: i64, height: i64| {
        let at = days_ago.rem_euclid(period);
        height * (2 * (at - period / 2).abs() - period / 2) / (period / 2)
    };
    8_750 + wave(410, 550) + wave(96, 180)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_upstreams_clock() {
        let end = Instant::parse_rfc3339("2026-05-03T22:30:05Z").unwrap();
        let calendar = Calendar::new(end);
        let mut text = String::new();
        calendar.push_time(&mut text, calendar.end);
        assert_eq!(text, "2026-05-04 01:30:05");
        let orders = calendar.orders(&mut Random::new(1, 1), 1_000_000);
        assert_eq!(orders.iter().sum::<u64>(), 1_000_000);
        assert!(orders.iter().max() > orders.iter().min().map(|least| least * 4).as_ref());
        assert!((0..2_000).all(|day| (8_000..=9_500).contains(&roubles(day))));
    }
}
