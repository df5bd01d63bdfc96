//! A metric of a rule being summed up for all numbers of a list of names.

use super::chunk::{Chunk, index};
use crate::domain::action::Status;
use crate::domain::rule::Metric;
use crate::domain::time::{DAY_US, Instant};

/// How many pairs of what is counted but once are kept before they are looked through for the first time.
const FEW: usize = 1 << 16;

/// What the facts of a number add up to.
#[derive(Clone, Copy, Default)]
struct Sum {
    /// The last action that it was seen in; 0 where it was in none.
    seen: u64,
    value: i64,
    /// Of a rate, what it is divided by.
    base: i64,
}

/// A metric being summed up for all numbers.
pub(super) struct Summing {
    metric: Metric,
    sums: Vec<Sum>,
    /// What is counted but once for each number, where that is not actions: UTC days, or users. Some stand there twice.
    distinct: Vec<(u32, i64)>,
    /// As soon as there are so many, those that stand there twice are dropped.
    most: usize,
    /// The action that is being added.
    action: u64,
}

impl Summing {
    /// Nothing yet, of so many numbers.
    pub(super) fn new(metric: Metric, room: usize) -> Self {
        Self {
            metric,
            sums: vec![Sum::default(); room],
            distinct: Vec::new(),
            most: FEW,
            action: 0,
        }
    }

    /// Goes on to the next action.
    pub(super) fn next(&mut self) {
        self.action += 1;
    }

    /// Adds the action, or one of its items, to a number; 0 is nobody.
    pub(super) fn add(
        &mut self,
        number: usize,
        chunk: &Chunk,
        (place, item): (usize, Option<usize>),
    ) {
        let action = self.action;
        let Some(sum) = self.sums.get_mut(number).filter(|_| number > 0) else {
            return;
        };
        let (is_new, is_first) = (sum.seen == 0, sum.seen != action);
        sum.seen = action;
        let status = || Status::ALL.get(chunk.status(place)).copied();
        let is = |holds: fn(Status) -> bool| i64::from(is_first && status().is_some_and(holds));
        let at = chunk.at(place);
        let more = match self.metric {
            Metric::Actions => i64::from(is_first),
            Metric::Units => item.map_or_else(|| chunk.units(place), |item| chunk.item_units(item)),
            Metric::OrderAmount => {
                item.map_or_else(|| chunk.amount(place), |item| chunk.item_amount(item))
            }
            Metric::Reward => {
                item.map_or_else(|| chunk.reward(place), |item| chunk.item_reward(item))
            }
            Metric::ApprovedActions => is(Status::counts_as_approved),
            Metric::DeclinedActions => is(|status| status == Status::Declined),
            Metric::ApprovalRate => {
                sum.base += is(Status::is_processed);
                is(Status::counts_as_approved)
            }
            Metric::DaysSinceLast | Metric::DaysSinceFirst if is_new => at,
            Metric::DaysSinceLast => at.max(sum.value) - sum.value,
            Metric::DaysSinceFirst => at.min(sum.value) - sum.value,
            Metric::ActiveDays => return self.count_once(number, at / DAY_US),
            Metric::Users => {
                let user = chunk.user(place);
                if user > 0 {
                    self.count_once(number, i64::try_from(user).unwrap_or(0));
                }
                return;
            }
        };
        sum.value = sum.value.saturating_add(more);
    }

    fn count_once(&mut self, number: usize, what: i64) {
        if self.distinct.len() >= self.most {
            self.tidy();
            self.most = FEW.max(self.distinct.len() * 2);
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.distinct.push((number, what));
    }

    fn tidy(&mut self) {
        self.distinct.sort_unstable();
        self.distinct.dedup();
    }

    /// What is shown of each number at a moment.
    pub(super) fn shown(mut self, at: Instant) -> Vec<Option<i64>> {
        self.tidy();
        for (number, _) in &self.distinct {
            if let Some(sum) = self.sums.get_mut(index(*number)) {
                sum.value += 1;
            }
        }
        let metric = self.metric;
        let shown = |sum: &Sum| match metric {
            _ if sum.seen == 0 => None,
            Metric::ApprovalRate => sum.value.saturating_mul(1_000_000).checked_div(sum.base),
            Metric::DaysSinceLast | Metric::DaysSinceFirst => {
                Some((at.micros() - sum.value) / DAY_US)
            }
            _ => Some(sum.value),
        };
        self.sums.iter().map(shown).collect()
    }
}
