//! Where a report's stretches of time lie on days whose clicks are not known. Pure.

use crate::domain::clicks::Knowledge;
use crate::domain::report::plan::{PeriodPlan, Source};

/// Which stretches of a period lack clicks: none where nobody asks for them.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    whole: bool,
    slots: Vec<bool>,
}

impl Lacking {
    /// What a period lacks of which so much is known.
    pub(super) fn of(period: Option<&PeriodPlan>, known: Option<&Knowledge>) -> Self {
        let Some((period, known)) = period.zip(known) else {
            return Self::default();
        };
        let mut asks = period.groups.iter().chain(&period.totals);
        let Some(ask) = asks.find(|ask| matches!(ask.source, Source::Clicks(_))) else {
            return Self::default();
        };
        Self {
            whole: known.lacks(ask.range.span),
            slots: period.slots.iter().map(|slot| known.lacks(*slot)).collect(),
        }
    }

    /// Whether a stretch lacks some, or the whole period where it is not divided.
    pub(super) fn at(&self, slot: Option<usize>) -> bool {
        slot.map_or(self.whole, |slot| {
            self.slots.get(slot).copied().unwrap_or_default()
        })
    }
}
