//! What Admitad is asked for: which actions, which clicks, and how that is written in a request. Pure.

use super::page::PageAt;
use crate::domain::time::{Day, Instant};
use chrono::{DateTime, TimeDelta, Utc};

/// How upstream writes a day in a request.
const DAY: &str = "%d.%m.%Y";
/// How upstream writes a time in a request.
const TIME: &str = "%d.%m.%Y %H:%M:%S";

/// The parameters of a request, in order.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// Which actions a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionsBy {
    /// Those ordered on these days of upstream's calendar, both included.
    Ordered {
        /// The first day.
        from: Day,
        /// The last day.
        to: Day,
    },
    /// Those ordered from this day of upstream's calendar on: up to the present of Admitad's own clock, which may be in
    /// another day than ours.
    OrderedSince(Day),
    /// Those that close on these days of upstream's calendar, both included.
    Closing {
        /// The first day.
        from: Day,
        /// The last day.
        to: Day,
    },
    /// Those whose status changed from one time to another, both included, in whole seconds.
    StatusUpdated {
        /// From; its fraction of a second is dropped.
        from: Instant,
        /// To; its fraction of a second is dropped. None for all up to the present of Admitad's own clock, which is the
        /// safe choice: Admitad refuses times in its future, and its clock may be behind ours.
        to: Option<Instant>,
    },
    /// The one with this id.
    Id(i64),
}

/// The order of the actions. Times of orders do not change, so that rows keep their places while pages are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionsOrder {
    /// The oldest order first: what is added meanwhile comes last.
    #[default]
    Ascending,
    /// The newest order first.
    Descending,
}

/// A request for actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionsQuery {
    /// Which.
    pub by: ActionsBy,
    /// Offset of upstream's local times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// In which order.
    pub order: ActionsOrder,
}

impl ActionsQuery {
    pub(super) fn parameters(&self, page: PageAt) -> Parameters {
        let mut out = match self.by {
            ActionsBy::Ordered { from, to } => {
                vec![("date_start", day(from)), ("date_end", day(to))]
            }
            ActionsBy::OrderedSince(from) => vec![("date_start", day(from))],
            ActionsBy::Closing { from, to } => {
                let start = ("closing_date_start", day(from));
                vec![start, ("closing_date_end", day(to))]
            }
            ActionsBy::StatusUpdated { from, to } => {
                let time = |instant| time(instant, self.offset_minutes);
                let end = to.map(|to| ("status_updated_end", time(to)));
                [("status_updated_start", time(from))]
                    .into_iter()
                    .chain(end)
                    .collect()
            }
            ActionsBy::Id(id) => vec![("action_id", id.to_string())],
        };
        let order = match self.order {
            ActionsOrder::Ascending => "datetime",
            ActionsOrder::Descending => "-datetime",
        };
        out.push(("order_by", order.to_owned()));
        page.write(&mut out);
        out
    }
}

/// A request for clicks and views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClicksQuery {
    /// The first day of upstream's calendar.
    pub from: Day,
    /// The last day, included.
    pub to: Day,
    /// Admitad's id of the only program; none for all together.
    pub program: Option<String>,
    /// Admitad's id of the only ad space; none for all together.
    pub ad_space: Option<String>,
    /// By which SubID they are told apart: 0 is the one without a number, then 1 to 4. None for 0. Without meaning for
    /// clicks by day.
    pub slot: Option<u8>,
}

impl ClicksQuery {
    pub(super) fn parameters(&self, page: PageAt) -> Parameters {
        let mut out = vec![("date_start", day(self.from)), ("date_end", day(self.to))];
        if let Some(program) = &self.program {
            out.push(("campaign", program.clone()));
        }
        if let Some(ad_space) = &self.ad_space {
            out.push(("website", ad_space.clone()));
        }
        page.write(&mut out);
        out
    }

    /// The name of the SubID that they are told apart by.
    pub(super) fn slot_name(&self) -> &'static str {
        match self.slot {
            Some(1) => "subid1",
            Some(2) => "subid2",
            Some(3) => "subid3",
            Some(4) => "subid4",
            _ => "subid",
        }
    }
}

impl PageAt {
    pub(super) fn write(self, out: &mut Parameters) {
        out.push(("limit", self.limit.to_string()));
        out.push(("offset", self.offset.to_string()));
    }
}

/// A day as upstream takes it: `05.03.2024`.
pub(super) fn day(day: Day) -> String {
    day.to_date().format(DAY).to_string()
}

/// A time as upstream takes it, on its own clock: `05.03.2024 13:30:00`.
fn time(instant: Instant, offset_minutes: i32) -> String {
    let utc: DateTime<Utc> = instant.to_utc();
    let local = utc.checked_add_signed(TimeDelta::minutes(offset_minutes.into()));
    local.unwrap_or(utc).format(TIME).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: PageAt = PageAt {
        limit: 500,
        offset: 1_000,
    };

    fn written(by: ActionsBy) -> String {
        let query = ActionsQuery {
            by,
            offset_minutes: 180,
            order: ActionsOrder::Ascending,
        };
        let pairs = query.parameters(PAGE);
        let text: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        text.join("&")
    }

    #[test]
    fn days_and_times_are_written_as_upstream_reads_them() {
        let (from, to) = (
            Day::parse("2024-02-29").unwrap(),
            Day::parse("2024-03-05").unwrap(),
        );
        let rest = "order_by=datetime&limit=500&offset=1000";
        assert_eq!(
            written(ActionsBy::Ordered { from, to }),
            format!("date_start=29.02.2024&date_end=05.03.2024&{rest}")
        );
        assert_eq!(
            written(ActionsBy::OrderedSince(from)),
            format!("date_start=29.02.2024&{rest}")
        );
        assert_eq!(
            written(ActionsBy::Closing { from, to }),
            format!("closing_date_start=29.02.2024&closing_date_end=05.03.2024&{rest}")
        );
        let instant = |text| Instant::parse_rfc3339(text).unwrap();
        assert_eq!(
            written(ActionsBy::StatusUpdated {
                from: instant("2024-03-04T22:59:59.9Z"),
                to: Some(instant("2024-12-31T21:00:00Z")),
            }),
            format!(
                "status_updated_start=05.03.2024 01:59:59&status_updated_end=01.01.2025 00:00:00&{rest}"
            )
        );
        assert_eq!(
            written(ActionsBy::StatusUpdated {
                from: instant("2024-03-04T00:00:00Z"),
                to: None
            }),
            format!("status_updated_start=04.03.2024 03:00:00&{rest}")
        );
        assert_eq!(written(ActionsBy::Id(7)), format!("action_id=7&{rest}"));
    }
}
