//! Which segments a rule or a filter names, and putting them in their places.

use super::{Condition, Rule, Segment, SegmentRef, SegmentSet, SetOf, Subject};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{
    ActionTest, AdSpaceTest, AdjustmentTest, BalanceTest, CategoryTest, Filter, ImportTest,
    ItemTest, ProductTest, ProgramTest, UserTest,
};
use crate::domain::id::PublisherId;
use crate::domain::time::{Instant, Span, Zone};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// What can name segments, at any depth.
pub trait Refers {
    /// Shows every naming, with the subject that it is of.
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject));

    /// The segments that are named.
    fn named(&mut self) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        self.each(&mut |reference, _| {
            found.insert(reference.id);
        });
        found
    }

    /// Puts segments in their places.
    fn put(&mut self, sets: &HashMap<Uuid, Arc<SegmentSet>>) {
        self.each(&mut |reference, _| reference.set = sets.get(&reference.id).cloned());
    }
}

impl<T: Refers> Refers for Filter<T> {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each(show);
                }
            }
            Self::Not(part) => part.each(show),
            Self::Test(test) => test.each(show),
        }
    }
}

impl Refers for UserTest {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        if let Self::Segment(named) = self {
            for reference in &mut named.segments {
                show(reference, Subject::Users);
            }
        }
    }
}

impl Refers for ProductTest {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        if let Self::Segment(named) = self {
            for reference in &mut named.segments {
                show(reference, Subject::Products);
            }
        }
    }
}

impl Refers for ItemTest {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        if let Self::Product(filter) = self {
            filter.each(show);
        }
    }
}

impl Refers for ActionTest {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        match self {
            Self::User(filter) => filter.each(show),
            Self::Items(_, filter) => filter.each(show),
            Self::Field(..) | Self::Program(_) | Self::AdSpace(_) => {}
        }
    }
}

/// Conditions that name no segments.
macro_rules! refers_to_nothing {
    ($($test:ty),+ $(,)?) => {$(
        impl Refers for $test {
            fn each(&mut self, _: &mut dyn FnMut(&mut SegmentRef, Subject)) {}
        }
    )+};
}

refers_to_nothing!(
    CategoryTest,
    ProgramTest,
    AdSpaceTest,
    ImportTest,
    AdjustmentTest,
    BalanceTest,
);

impl<T: Refers> Refers for Condition<T> {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        let measure = match self {
            Self::Own(filter) => return filter.each(show),
            Self::ClickCountry(_) | Self::Members(_) => return,
            Self::Threshold(threshold) => &mut threshold.measure,
            Self::Rank(rank) => &mut rank.measure,
        };
        measure.actions.each(show);
        if let Some(items) = &mut measure.items {
            items.each(show);
        }
    }
}

impl SegmentSet {
    /// The stretches of time whose facts are read to tell who is in it, each measure by itself; those of the segments that
    /// it names included, as often as they are named. Who is in a frozen segment is written down.
    #[must_use]
    pub fn reads(&self) -> Vec<Span> {
        let SetOf::Rule { rule, at, zone } = &self.of else {
            return Vec::new();
        };
        let mut found = match rule {
            Rule::Users(filter) => spans(filter, *at, *zone),
            Rule::Products(filter) => spans(filter, *at, *zone),
        };
        rule.clone().each(&mut |reference, _| {
            found.extend(reference.set.iter().flat_map(|set| set.reads()));
        });
        found
    }
}

fn spans<T>(filter: &Filter<Condition<T>>, at: Instant, zone: Zone) -> Vec<Span> {
    let span = |condition: &Condition<T>| match condition {
        Condition::Own(_) | Condition::Members(_) => None,
        // The latest action is looked for among all.
        Condition::ClickCountry(_) => Some(Span {
            from: Instant::MIN,
            to: at,
        }),
        Condition::Threshold(threshold) => Some(threshold.measure.span(at, zone)),
        Condition::Rank(rank) => Some(rank.measure.span(at, zone)),
    };
    filter.tests().filter_map(span).collect()
}

impl Refers for Rule {
    fn each(&mut self, show: &mut dyn FnMut(&mut SegmentRef, Subject)) {
        match self {
            Self::Users(filter) => filter.each(show),
            Self::Products(filter) => filter.each(show),
        }
    }
}

/// When and where segments are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Whose.
    pub publisher: PublisherId,
    /// The moment: what came later was not known then.
    pub at: Instant,
    /// The zone of periods.
    pub zone: Zone,
}

/// Segments with their rules, and the segments that those name.
#[derive(Clone, Debug, Default)]
pub struct Definitions(pub(super) BTreeMap<Uuid, (Segment, Rule)>);

impl Definitions {
    /// Definitions of segments, with those that they name.
    pub fn new(all: impl IntoIterator<Item = (Segment, Rule)>) -> Self {
        Self(
            all.into_iter()
                .map(|(segment, rule)| (segment.id, (segment, rule)))
                .collect(),
        )
    }

    /// Adds definitions; a segment that is there already becomes what they say.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// A segment.
    #[must_use]
    pub fn segment(&self, id: Uuid) -> Option<&Segment> {
        self.0.get(&id).map(|(segment, _)| segment)
    }

    /// A segment's rule.
    #[must_use]
    pub fn rule(&self, id: Uuid) -> Option<&Rule> {
        self.0.get(&id).map(|(_, rule)| rule)
    }

    /// A segment at a moment.
    ///
    /// # Errors
    /// When it is not there, or with what it names is beyond the limits.
    pub fn set(&self, id: Uuid, moment: Moment) -> Result<Arc<SegmentSet>> {
        self.check_size(id)?;
        self.placed(id, moment, 0)
    }

    /// A rule that is not saved, at a moment.
    ///
    /// # Errors
    /// When a segment that it names is not there.
    pub fn set_of(&self, rule: &Rule, moment: Moment) -> Result<Arc<SegmentSet>> {
        let mut rule = rule.clone();
        self.fill(&mut rule, moment, 0)?;
        Ok(Arc::new(SegmentSet {
            id: Uuid::nil(),
            name: String::new(),
            publisher: moment.publisher,
            subject: rule.subject(),
            of: SetOf::Rule {
                rule,
                at: moment.at,
                zone: moment.zone,
            },
        }))
    }

    /// Puts the segments that the filter in an argument names in their places.
    ///
    /// # Errors
    /// When one is not there, or one with what it names, or all of them together, are beyond the limits.
    pub fn fill_in(&self, argument: &str, refers: &mut dyn Refers, moment: Moment) -> Result<()> {
        self.check_named(argument, refers)?;
        let mut sets = HashMap::new();
        for id in refers.named() {
            sets.insert(id, self.set(id, moment)?);
        }
        refers.put(&sets);
        Ok(())
    }

    fn fill(&self, rule: &mut Rule, moment: Moment, depth: usize) -> Result<()> {
        let mut sets = HashMap::new();
        for id in rule.named() {
            sets.insert(id, self.placed(id, moment, depth + 1)?);
        }
        rule.put(&sets);
        Ok(())
    }

    fn placed(&self, id: Uuid, moment: Moment, depth: usize) -> Result<Arc<SegmentSet>> {
        let Some((segment, rule)) = self.0.get(&id) else {
            let cause = format!("a rule names the segment {id}, which was not read");
            return Err(Error::internal(cause));
        };
        if depth > super::MAX_SEGMENT_DEPTH {
            return Err(super::limit::too_deep(&segment.name));
        }
        let of = if segment.frozen_at.is_some() {
            SetOf::Frozen
        } else {
            let mut rule = rule.clone();
            self.fill(&mut rule, moment, depth)?;
            SetOf::Rule {
                rule,
                at: moment.at,
                zone: moment.zone,
            }
        };
        Ok(Arc::new(SegmentSet {
            id,
            name: segment.name.clone(),
            publisher: moment.publisher,
            subject: segment.subject,
            of,
        }))
    }
}
