//! Where a report's stretches of time lie on days whose clicks are not known, and which of its groups hold some that
//! upstream refused. Pure.

use crate::domain::clicks::{Gap, Knowledge};
use crate::domain::report::plan::{PeriodPlan, Source};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::time::Span;

/// Which stretches and groups of a period lack clicks: none where nobody asks for them.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    whole: bool,
    slots: Vec<bool>,
    /// The stretches that the period is divided into.
    spans: Vec<Span>,
    /// What groups are divided by.
    dimensions: Vec<Dimension>,
    /// What is not known of programs and ad spaces that the period is about.
    gaps: Vec<Gap>,
}

impl Lacking {
    /// What a period lacks of which so much is known.
    pub(super) fn of(
        period: Option<&PeriodPlan>,
        dimensions: &[Dimension],
        known: Option<&Knowledge>,
    ) -> Self {
        let Some((period, known)) = period.zip(known) else {
            return Self::default();
        };
        let mut asks = period.groups.iter().chain(&period.totals);
        let Some(ask) = asks.find(|ask| matches!(ask.source, Source::Clicks(_))) else {
            return Self::default();
        };
        let concerns = |gap: &&Gap| gap.touches(ask.range.span) && gap.may_satisfy(&ask.filter);
        Self {
            whole: known.lacks(ask.range.span),
            slots: period.slots.iter().map(|slot| known.lacks(*slot)).collect(),
            spans: period.slots.clone(),
            dimensions: dimensions.to_vec(),
            gaps: known.gaps.iter().filter(concerns).cloned().collect(),
        }
    }

    /// Whether a group lacks some: one of a stretch, or of the whole period where it is not divided. Without a key, whether
    /// all groups together do.
    pub(super) fn at(&self, slot: Option<usize>, key: &[KeyPart]) -> bool {
        let is_beyond = slot.map_or(self.whole, |slot| {
            self.slots.get(slot).copied().unwrap_or_default()
        });
        is_beyond || self.gaps.iter().any(|gap| self.holds(slot, key, gap))
    }

    /// Whether the period has days that are not known of anything.
    pub(super) fn is_beyond(&self) -> bool {
        self.whole
    }

    /// What is not known of some programs and ad spaces.
    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    fn holds(&self, slot: Option<usize>, key: &[KeyPart], gap: &Gap) -> bool {
        let mut parts = self.dimensions.iter().zip(key);
        let is_named = parts.all(|(by, part)| match by {
            Dimension::Program => *part == KeyPart::Id(gap.program),
            Dimension::AdSpace => gap.ad_space.is_none_or(|id| *part == KeyPart::Id(id)),
            _ => true,
        });
        let in_time = |slot: usize| self.spans.get(slot).is_some_and(|span| gap.touches(*span));
        is_named && slot.is_none_or(in_time)
    }
}
