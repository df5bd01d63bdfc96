//! What a postback says: a standing without the time of its change, and when it stands over a dated one (ADR 0022).
//!
//! Upstream's API and files say when a status changed; a postback does not, it only arrives. Which of the two is newer
//! is decided here by when each was observed, and by nothing else than the newest of each kind, so that the order of
//! arrival does not matter. What postbacks look like is the business of `ingest::postback`.

use super::action::{Stamp, Standing, State, Status};
use super::money::Currency;
use super::time::Instant;

/// How long after a postback upstream's API may still answer as if it had not been sent: its figures are made anew
/// every five minutes, so two rounds.
pub const LAG_MICROS: i64 = 10 * 60 * 1_000_000;

/// How much later than a postback's receipt upstream may date the same change: clocks differ.
const SKEW_MICROS: i64 = 15 * 60 * 1_000_000;

/// How a draft came in that has no time of its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When it was received.
    pub at: Instant,
    /// Whether it tells of the first state (`new`), which is dated by the order itself.
    pub is_first: bool,
    /// Whether it says something of payment; otherwise `paid` of its standing means nothing.
    pub says_paid: bool,
}

/// The newest undated standing of an action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// When it was received.
    pub received_at: Instant,
    /// Status.
    pub status: Status,
    /// Status in the API's word.
    pub raw_status: String,
    /// Reward released, if it says so.
    pub paid: Option<bool>,
    /// Reward, 1/10 000.
    pub reward_e4: i64,
    /// Currency of the reward.
    pub currency: Currency,
}

impl Notice {
    /// The notice of a draft's standing; none of a first state, which is dated.
    #[must_use]
    pub fn of(standing: &Standing, receipt: Option<Receipt>) -> Option<Self> {
        let receipt = receipt.filter(|receipt| !receipt.is_first)?;
        Some(Self {
            received_at: receipt.at,
            status: standing.status,
            raw_status: standing.raw_status.clone(),
            paid: receipt.says_paid.then_some(standing.paid),
            reward_e4: standing.reward_e4,
            currency: standing.currency,
        })
    }

    /// The standing that is shown where the notice says something newer than the newest dated one; none where that one
    /// knows at least as much:
    ///
    /// - its change is later than the receipt, or it was observed [`LAG_MICROS`] or more after the receipt;
    /// - or both say the same. A stalled approval is one that postbacks call approved. A reward that alone differs
    ///   counts only if the dated state was observed before.
    #[must_use]
    pub fn over(&self, dated: &Standing, stamp: Stamp) -> Option<Standing> {
        let received = self.received_at.micros();
        let (changed, observed) = (stamp.changed_at.micros(), stamp.observed_at.micros());
        if changed > received || observed >= received.saturating_add(LAG_MICROS) {
            return None;
        }
        let is_same_status = tells(self.status, dated.status);
        let is_same_money = self.currency != dated.currency
            || self.reward_e4 == dated.reward_e4
            || is_same_status && observed >= received;
        let paid = self
            .paid
            .unwrap_or(dated.paid && self.status.counts_as_approved());
        if is_same_status && is_same_money && paid == dated.paid {
            return None;
        }
        let mut shown = dated.clone();
        shown.paid = paid;
        if !is_same_money {
            shown.reward_e4 = self.reward_e4;
        }
        if !is_same_status {
            shown.status = self.status;
            shown.raw_status.clone_from(&self.raw_status);
            shown.processed = self.status.is_processed();
            shown.status_updated_at = None;
        }
        Some(shown)
    }
}

/// Whether a postback's status is how a postback tells of the other one.
fn tells(said: Status, dated: Status) -> bool {
    said == dated || said == Status::Approved && dated == Status::ApprovedButStalled
}

/// An action's states as a reader sees them, the oldest first: an undated state goes where a dated one says the same,
/// and else is dated by its receipt. What a state leaves unsaid is no state of its own: one without a status goes where
/// there is any with one, one that says nothing of payment where one that does says the rest.
#[must_use]
pub fn history(mut states: Vec<State>) -> Vec<State> {
    if states.iter().any(says_status) {
        states.retain(says_status);
    }
    let (mut dated, undated): (Vec<State>, Vec<State>) =
        states.into_iter().partition(|state| state.is_dated);
    drop_less_said(&mut dated);
    let is_told = |notice: &State| {
        let until = notice
            .stamp
            .observed_at
            .micros()
            .saturating_add(SKEW_MICROS);
        dated.iter().any(|state| {
            tells(notice.status, state.status)
                && notice.paid == state.paid
                && notice.reward_e4 == state.reward_e4
                && notice.currency == state.currency
                && state.stamp.changed_at.micros() <= until
        })
    };
    let kept: Vec<State> = undated
        .into_iter()
        .filter(|notice| !is_told(notice))
        .map(|mut notice| {
            notice.stamp.changed_at = notice.stamp.observed_at;
            notice
        })
        .collect();
    let mut all = dated;
    all.extend(kept);
    all.sort_by_key(|state| state.stamp);
    all
}

fn says_status(state: &State) -> bool {
    !state.raw_status.is_empty()
}

/// Drops the states that say nothing of payment where another one says the rest; what is known is when that was first
/// observed.
fn drop_less_said(states: &mut Vec<State>) {
    let less: Vec<State> = states.extract_if(.., |state| !state.says_paid).collect();
    for state in less {
        let is_same = |other: &&mut State| {
            other.says_paid
                && other.status == state.status
                && other.reward_e4 == state.reward_e4
                && other.currency == state.currency
                && other.stamp.changed_at == state.stamp.changed_at
        };
        // The earliest of them: payment comes later.
        match states
            .iter_mut()
            .filter(is_same)
            .min_by_key(|other| other.stamp)
        {
            Some(more) => {
                let seen = &mut more.stamp.observed_at;
                *seen = state.stamp.observed_at.min(*seen);
            }
            None => states.push(state),
        }
    }
}

#[cfg(test)]
mod tests;
