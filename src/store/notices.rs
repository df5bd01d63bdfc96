//! How an action's notice, and the dated standing beneath it, rest in one column.

use crate::domain::action::{Standing, Status};
use crate::domain::money::Currency;
use crate::domain::notice::Notice;
use crate::domain::time::Instant;
use serde::{Deserialize, Serialize};

/// The column's JSON. Names are short: the column is written with every postback.
#[derive(Deserialize, Serialize)]
struct Kept {
    at: i64,
    status: String,
    raw: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paid: Option<bool>,
    reward: i64,
    currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beneath: Option<Covered>,
}

#[derive(Deserialize, Serialize)]
struct Covered {
    status: String,
    raw: String,
    paid: bool,
    processed: bool,
    reward: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<i64>,
}

/// What a notice hides of the newest dated standing.
pub(super) struct Beneath {
    status: Status,
    raw_status: String,
    paid: bool,
    processed: bool,
    reward_e4: i64,
    status_updated_at: Option<Instant>,
}

impl Beneath {
    /// The dated standing, from the one that is shown.
    pub(super) fn of(self, shown: &Standing) -> Standing {
        Standing {
            status: self.status,
            raw_status: self.raw_status,
            paid: self.paid,
            processed: self.processed,
            reward_e4: self.reward_e4,
            status_updated_at: self.status_updated_at,
            ..shown.clone()
        }
    }
}

/// The text of a notice and of what it hides.
pub(super) fn print(notice: Option<&Notice>, beneath: Option<&Standing>) -> Option<String> {
    let notice = notice?;
    let kept = Kept {
        at: notice.received_at.micros(),
        status: notice.status.as_str().to_owned(),
        raw: notice.raw_status.clone(),
        paid: notice.paid,
        reward: notice.reward_e4,
        currency: notice.currency.as_str().to_owned(),
        beneath: beneath.map(|dated| Covered {
            status: dated.status.as_str().to_owned(),
            raw: dated.raw_status.clone(),
            paid: dated.paid,
            processed: dated.processed,
            reward: dated.reward_e4,
            updated: dated.status_updated_at.map(Instant::micros),
        }),
    };
    serde_json::to_string(&kept).ok()
}

/// Reads what [`print`] wrote; none if it did not write it.
pub(super) fn parse(text: Option<&str>) -> Option<(Option<Notice>, Option<Beneath>)> {
    let Some(text) = text else {
        return Some((None, None));
    };
    let kept: Kept = serde_json::from_str(text).ok()?;
    let beneath = match kept.beneath {
        None => None,
        Some(covered) => Some(Beneath {
            status: Status::parse(&covered.status)?,
            raw_status: covered.raw,
            paid: covered.paid,
            processed: covered.processed,
            reward_e4: covered.reward,
            status_updated_at: match covered.updated {
                None => None,
                Some(micros) => Some(Instant::from_micros(micros).ok()?),
            },
        }),
    };
    let notice = Notice {
        received_at: Instant::from_micros(kept.at).ok()?,
        status: Status::parse(&kept.status)?,
        raw_status: kept.raw,
        paid: kept.paid,
        reward_e4: kept.reward,
        currency: Currency::parse(&kept.currency).ok()?,
    };
    Some((Some(notice), beneath))
}
