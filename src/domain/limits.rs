//! What of a publisher's data a viewer may see: rows by program, ad space, SubID and day, and fields.
//!
//! This file says what limits mean. They are compiled into every statement in one place (`store::walls`); what they look
//! at ([`Narrowing`]) decides which totals can still answer (`analytics`).

use super::text::has_nul;
use super::time::{Day, Instant, Zone, day_of, start_of_day};
use super::totals::Total;
use serde::{Deserialize, Serialize};

/// How many values all lists of one set of limits may have together: each stands a few times in a statement, which must
/// stay below what the databases bind.
pub const MAX_VALUES: usize = 500;
/// How long a value may be, in bytes.
pub const MAX_VALUE_BYTES: usize = 400;
/// How many days back a viewer may be limited to, at most.
pub const MAX_LAST_DAYS: u32 = 36_500;
/// How many SubIDs an action has.
pub const SLOTS: u8 = 5;

/// What a viewer sees of its publisher's data. The default hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Only actions of these programs, by upstream's id, or by name where a program has none. None: all programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<Vec<String>>,
    /// Only actions of these ad spaces, by upstream's id, or by name where an ad space has none. Actions without an ad
    /// space are not among them. None: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ad_spaces: Option<Vec<String>>,
    /// Only actions that satisfy each of these; at most one for each SubID.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subids: Vec<SubidLimit>,
    /// Only actions ordered on this day (days since 1970-01-01) or later, in the publisher's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i32>,
    /// Only actions ordered today or on so many days before it less one, in the publisher's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_days: Option<u32>,
    /// Users are told apart, but neither SubIDs nor the values that users are known by are shown.
    #[serde(skip_serializing_if = "is_false")]
    pub hide_user_keys: bool,
    /// No reward, no rate, and nothing that is computed from them.
    #[serde(skip_serializing_if = "is_false")]
    pub hide_reward: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The values that a SubID may have: one of some, or one that begins in one of some ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubidLimit {
    /// Which SubID: 0 is `subid`, 1 to 4 are `subid1` to `subid4`.
    pub slot: u8,
    /// Exactly these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Those that begin so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
}

impl Limits {
    /// Whether nothing is limited or hidden.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether some rows are not seen.
    #[must_use]
    pub fn rows(&self) -> bool {
        self.narrowing().is_some()
    }

    /// What the limits on rows look at.
    #[must_use]
    pub fn narrowing(&self) -> Narrowing {
        let mut bits = 0;
        if self.programs.is_some() {
            bits |= Narrowing::PROGRAM;
        }
        if self.ad_spaces.is_some() {
            bits |= Narrowing::AD_SPACE;
        }
        if self.not_before.is_some() || self.last_days.is_some() {
            bits |= Narrowing::TIME;
        }
        for subid in &self.subids {
            bits |= Narrowing::SUBID << subid.slot.min(SLOTS - 1);
        }
        Narrowing(bits)
    }

    /// The first instant whose orders are seen; none where all are. At a day that no calendar has, nothing is.
    #[must_use]
    pub fn from(&self, now: Instant, zone: Zone) -> Option<Instant> {
        let day = self.first_day(now, zone)?;
        Some(start_of_day(day, zone))
    }

    /// The first day whose orders are seen, in the publisher's zone.
    #[must_use]
    pub fn first_day(&self, now: Instant, zone: Zone) -> Option<Day> {
        let fixed = self
            .not_before
            .map(|days| Day::from_days(days).unwrap_or(Day::MAX));
        let moving = self.last_days.map(|days| {
            let back = i32::try_from(days.saturating_sub(1)).unwrap_or(i32::MAX);
            let today = day_of(now, zone).days();
            Day::from_days(today.saturating_sub(back)).unwrap_or(Day::MIN)
        });
        fixed.into_iter().chain(moving).max()
    }

    /// Checks limits that someone has written.
    ///
    /// # Errors
    /// A sentence that names the limit, what is wrong and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let mut lists: Vec<(String, &[String])> = Vec::new();
        for (name, list) in [("programs", &self.programs), ("ad spaces", &self.ad_spaces)] {
            if let Some(list) = list {
                if list.is_empty() {
                    return Err(format!(
                        "the list of {name} is empty, so that nothing would be seen; name at least one, or leave the list out"
                    ));
                }
                lists.push((name.to_owned(), list));
            }
        }
        let mut seen = [false; SLOTS as usize];
        for subid in &self.subids {
            let Some(seen) = seen.get_mut(usize::from(subid.slot)) else {
                return Err(format!(
                    "there is no SubID {}; there are 0 to 4",
                    subid.slot
                ));
            };
            if std::mem::replace(seen, true) {
                return Err(format!(
                    "SubID {} is limited twice; put all its values and beginnings into one limit",
                    subid.slot
                ));
            }
            if subid.values.is_empty() && subid.prefixes.is_empty() {
                return Err(format!(
                    "the limit on SubID {} names neither a value nor a beginning; name at least one",
                    subid.slot
                ));
            }
            lists.push((format!("values of SubID {}", subid.slot), &subid.values));
            lists.push((
                format!("beginnings of SubID {}", subid.slot),
                &subid.prefixes,
            ));
        }
        let all: usize = lists.iter().map(|(_, list)| list.len()).sum();
        if all > MAX_VALUES {
            return Err(format!(
                "the limits list {all} values; the most is {MAX_VALUES}"
            ));
        }
        for (name, list) in lists {
            for value in list {
                if value.is_empty() || value.len() > MAX_VALUE_BYTES || has_nul(value) {
                    return Err(format!(
                        "one of the {name} is empty, longer than {MAX_VALUE_BYTES} bytes or contains the character U+0000"
                    ));
                }
            }
        }
        if let Some(days) = self.not_before {
            Day::from_days(days).map_err(|error| error.to_string())?;
        }
        match self.last_days {
            Some(0) => Err("the last 0 days are no days; ask for at least 1".to_owned()),
            Some(days) if days > MAX_LAST_DAYS => Err(format!(
                "the last {days} days are too many; the most is {MAX_LAST_DAYS}"
            )),
            _ => Ok(()),
        }
    }

    /// The limits in words, a line each; nothing where nothing is limited.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let list = |values: &[String]| values.join(", ");
        let mut words = Vec::new();
        if let Some(programs) = &self.programs {
            words.push(format!("programs: {}", list(programs)));
        }
        if let Some(spaces) = &self.ad_spaces {
            words.push(format!("ad spaces: {}", list(spaces)));
        }
        for subid in &self.subids {
            let name = slot_name(subid.slot);
            let begun = subid.prefixes.iter().map(|prefix| format!("{prefix}*"));
            let all: Vec<String> = subid.values.iter().cloned().chain(begun).collect();
            words.push(format!("{name}: {}", list(&all)));
        }
        if let Some(day) = self.not_before.and_then(|days| Day::from_days(days).ok()) {
            words.push(format!("orders from {day} on"));
        }
        if let Some(days) = self.last_days {
            words.push(format!("orders of the last {days} days"));
        }
        if self.hide_user_keys {
            words.push("user keys are hidden".to_owned());
        }
        if self.hide_reward {
            words.push("rewards are hidden".to_owned());
        }
        words
    }
}

/// A SubID as upstream calls it.
#[must_use]
pub fn slot_name(slot: u8) -> String {
    if slot == 0 {
        "subid".to_owned()
    } else {
        format!("subid{slot}")
    }
}

/// What limits on rows look at: enough to choose a source that can tell the rows apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Narrowing(u8);

impl Narrowing {
    const PROGRAM: u8 = 1;
    const AD_SPACE: u8 = 2;
    const TIME: u8 = 4;
    const SUBID: u8 = 8;

    /// Whether rows are limited at all.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    /// Whether a total keeps apart what the limits look at, so that it answers for the rows that are seen.
    #[must_use]
    pub const fn leaves(self, total: Total) -> bool {
        match total {
            Total::Channel | Total::Audience => self.0 & !(Self::PROGRAM | Self::AD_SPACE) == 0,
            Total::Time | Total::Category | Total::Product => self.0 == 0,
        }
    }

    /// The SubIDs that are limited.
    pub fn slots(self) -> impl Iterator<Item = u8> {
        (0..SLOTS).filter(move |slot| self.0 & (Self::SUBID << slot) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    }

    #[test]
    fn a_total_answers_only_for_what_it_keeps_apart() {
        let leaves = |limits: &Limits| -> Vec<Total> {
            let narrowing = limits.narrowing();
            let all = Total::ALL.into_iter();
            all.filter(|total| narrowing.leaves(*total)).collect()
        };
        assert_eq!(leaves(&Limits::default()), Total::ALL);
        let hidden = limits(|limits| limits.hide_reward = true);
        assert_eq!(leaves(&hidden), Total::ALL);
        let channel = [Total::Channel, Total::Audience];
        assert_eq!(
            leaves(&limits(|l| l.programs = Some(vec!["1".into()]))),
            channel
        );
        assert_eq!(
            leaves(&limits(|l| l.ad_spaces = Some(vec!["1".into()]))),
            channel
        );
        assert_eq!(leaves(&limits(|l| l.last_days = Some(3))), []);
        for slot in 0..SLOTS {
            let subid = SubidLimit {
                slot,
                values: vec!["a".into()],
                prefixes: vec![],
            };
            let limited = limits(|limits| limits.subids = vec![subid]);
            assert_eq!(leaves(&limited), []);
            assert_eq!(limited.narrowing().slots().collect::<Vec<_>>(), [slot]);
        }
    }

    #[test]
    fn the_later_horizon_holds() {
        let zone = Zone::UTC;
        let now = Instant::parse_rfc3339("2026-07-10T15:00:00Z").unwrap();
        let day = |text| Some(Day::parse(text).unwrap());
        let of = |not_before: Option<&str>, last_days| {
            let limits = limits(|limits| {
                limits.not_before = not_before.map(|text| Day::parse(text).unwrap().days());
                limits.last_days = last_days;
            });
            limits.first_day(now, zone)
        };
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some("2026-07-01"), None), day("2026-07-01"));
        assert_eq!(of(None, Some(1)), day("2026-07-10"));
        assert_eq!(of(Some("2026-07-01"), Some(3)), day("2026-07-08"));
        assert_eq!(of(Some("2026-07-09"), Some(3)), day("2026-07-09"));
        assert_eq!(of(None, Some(u32::MAX)), Some(Day::MIN));
    }

    #[test]
    fn what_would_show_nothing_or_too_much_is_refused() {
        let wrong = |change: fn(&mut Limits)| limits(change).check().unwrap_err();
        assert!(wrong(|l| l.programs = Some(vec![])).contains("empty"));
        assert!(wrong(|l| l.ad_spaces = Some(vec![String::new()])).contains("empty"));
        assert!(wrong(|l| l.programs = Some(vec!["x".to_owned(); 501])).contains("501"));
        assert!(wrong(|l| l.last_days = Some(0)).contains("0 days"));
        assert!(wrong(|l| l.not_before = Some(-1)).contains("1970"));
        let subid = |slot, value: &str| SubidLimit {
            slot,
            values: vec![value.to_owned()],
            prefixes: vec![],
        };
        let with = |subids: Vec<SubidLimit>| limits(|limits| limits.subids = subids).check();
        assert!(with(vec![subid(5, "a")]).unwrap_err().contains("0 to 4"));
        assert!(
            with(vec![subid(1, "a"), subid(1, "b")])
                .unwrap_err()
                .contains("twice")
        );
        assert!(with(vec![subid(1, "a\0")]).unwrap_err().contains("U+0000"));
        assert!(
            with(vec![SubidLimit::default()])
                .unwrap_err()
                .contains("neither")
        );
        with(vec![subid(0, "a"), subid(4, "b")]).unwrap();
        Limits::default().check().unwrap();
    }

    #[test]
    fn what_is_stored_is_read_back_and_nothing_unknown_is_taken() {
        let full = Limits {
            programs: Some(vec!["25179".into()]),
            ad_spaces: Some(vec!["1".into()]),
            subids: vec![SubidLimit {
                slot: 2,
                values: vec![],
                prefixes: vec!["p7-".into()],
            }],
            not_before: Some(20_000),
            last_days: Some(90),
            hide_user_keys: true,
            hide_reward: true,
        };
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), full);
        assert_eq!(serde_json::to_string(&Limits::default()).unwrap(), "{}");
        // A limit of a later version that this one does not know must not be read as none.
        assert!(serde_json::from_str::<Limits>(r#"{"countries":["RU"]}"#).is_err());
        assert_eq!(full.words().len(), 7);
    }
}
