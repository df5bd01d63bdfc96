//! Which segments a rule or a filter names, and putting them in their places.

use super::limit::RuleLimits;
use super::{
    Asked, BuiltIn, Called, Condition, Found, Rule, Segment, SegmentRef, SegmentSet, SetOf, Subject,
};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{
    ActionField, ActionTest, AdSpaceTest, AdjustmentTest, BalanceTest, CategoryTest, Filter,
    ImportTest, ItemTest, Op, ProductTest, ProgramTest, UserTest, Value,
};
use crate::domain::id::PublisherId;
use crate::domain::segment::SegmentSettings;
use crate::domain::time::{Instant, Span, Zone};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A segment that is named.
#[derive(Debug)]
pub enum Named<'a> {
    /// One that someone defined, and the subject that it must be of.
    Defined(&'a mut SegmentRef, Subject),
    /// A built-in one.
    BuiltIn(&'a mut BuiltIn),
    /// No segment, but the moment of asking, which a condition compares with.
    Moment(&'a mut Value),
}

/// What can name segments, at any depth.
pub trait Refers {
    /// Shows every naming.
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>));

    /// The defined segments that are named.
    fn named(&mut self) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        self.each(&mut |named| {
            if let Named::Defined(reference, _) = named {
                found.insert(reference.id);
            }
        });
        found
    }

    /// What the built-in segments that are named ask for at a moment.
    fn asked(&mut self, moment: Moment) -> HashSet<Asked> {
        let mut found = HashSet::new();
        self.each(&mut |named| {
            if let Named::BuiltIn(built_in) = named {
                found.insert(built_in.asked(moment.at, moment.zone));
            }
        });
        found
    }

    /// Whether a built-in segment is named without a period.
    fn is_incomplete(&mut self) -> bool {
        let mut found = false;
        self.each(&mut |named| {
            found |= matches!(named, Named::BuiltIn(built_in) if built_in.period.is_none());
        });
        found
    }

    /// Gives built-in segments that are named without a period the one that the publisher has set.
    fn complete(&mut self, settings: &SegmentSettings) {
        self.each(&mut |named| {
            if let Named::BuiltIn(built_in) = named {
                built_in.complete(settings);
            }
        });
    }

    /// Puts segments in their places, as of a moment, and the moment in its own.
    fn put(&mut self, sets: &HashMap<Uuid, Arc<SegmentSet>>, found: &Found, moment: Moment) {
        self.each(&mut |named| match named {
            Named::Defined(reference, _) => reference.set = sets.get(&reference.id).cloned(),
            Named::BuiltIn(built_in) => {
                let asked = built_in.asked(moment.at, moment.zone);
                built_in.members = found.get(&asked).cloned();
            }
            Named::Moment(at) => *at = moment.at.micros().into(),
        });
    }
}

impl<T: Refers> Refers for Filter<T> {
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
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
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
        match self {
            Self::Segment(named) => {
                for reference in &mut named.segments {
                    show(Named::Defined(reference, Subject::Users));
                }
            }
            Self::BuiltIn(built_in) => show(Named::BuiltIn(built_in)),
            Self::Field(..) => {}
        }
    }
}

impl Refers for ProductTest {
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
        match self {
            Self::Segment(named) => {
                for reference in &mut named.segments {
                    show(Named::Defined(reference, Subject::Products));
                }
            }
            Self::BuiltIn(built_in) => show(Named::BuiltIn(built_in)),
            Self::Field(..) | Self::Category(_) => {}
        }
    }
}

impl Refers for ItemTest {
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
        if let Self::Product(filter) = self {
            filter.each(show);
        }
    }
}

impl Refers for ActionTest {
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
        match self {
            Self::User(filter) => filter.each(show),
            Self::Items(_, filter) => filter.each(show),
            Self::Field(ActionField::HoldEndedBy, Op::Lt(at)) => show(Named::Moment(at)),
            Self::Field(..) | Self::Program(_) | Self::AdSpace(_) => {}
        }
    }
}

/// Conditions that name no segments.
macro_rules! refers_to_nothing {
    ($($test:ty),+ $(,)?) => {$(
        impl Refers for $test {
            fn each(&mut self, _: &mut dyn FnMut(Named<'_>)) {}
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
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
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
        rule.clone().each(&mut |named| match named {
            Named::Defined(reference, _) => {
                found.extend(reference.set.iter().flat_map(|set| set.reads()));
            }
            Named::BuiltIn(built_in) => found.push(built_in.asked(*at, *zone).when.reads()),
            Named::Moment(_) => {}
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
    fn each(&mut self, show: &mut dyn FnMut(Named<'_>)) {
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

/// Segments with their rules, and the segments that those name; and how large they may be.
#[derive(Clone, Debug, Default)]
pub struct Definitions(
    pub(super) BTreeMap<Uuid, (Segment, Rule)>,
    pub(super) RuleLimits,
);

impl Definitions {
    /// Definitions of segments, with those that they name.
    pub fn new(all: impl IntoIterator<Item = (Segment, Rule)>) -> Self {
        Self(
            all.into_iter()
                .map(|(segment, rule)| (segment.id, (segment, rule)))
                .collect(),
            RuleLimits::default(),
        )
    }

    /// The same definitions within other limits than those that hold unless said otherwise.
    #[must_use]
    pub fn within(self, limits: RuleLimits) -> Self {
        Self(self.0, limits)
    }

    /// How large segments may be.
    #[must_use]
    pub fn limits(&self) -> &RuleLimits {
        &self.1
    }

    /// Adds definitions; a segment that is there already becomes what they say.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// All segments with their rules.
    pub fn each(&self) -> impl Iterator<Item = (&Segment, &Rule)> {
        self.0.values().map(|(segment, rule)| (segment, rule))
    }

    /// All rules, to be completed.
    pub fn rules_mut(&mut self) -> impl Iterator<Item = &mut Rule> {
        self.0.values_mut().map(|(_, rule)| rule)
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

    /// A segment at a moment, with what was found of built-in ones.
    ///
    /// # Errors
    /// When it is not there, or with what it names is beyond the limits.
    pub fn set(&self, id: Uuid, moment: Moment, found: &Found) -> Result<Arc<SegmentSet>> {
        self.check_size(id)?;
        self.placed(id, (moment, found), 0)
    }

    /// What a segment, with all that it names, asks of built-in segments at a moment.
    ///
    /// # Errors
    /// When it is not there, or with what it names is beyond the limits.
    pub fn asked(&self, id: Uuid, moment: Moment) -> Result<HashSet<Asked>> {
        self.check_size(id)?;
        let mut asked = HashSet::new();
        self.ask(id, moment, &mut BTreeSet::new(), &mut asked);
        Ok(asked)
    }

    /// Likewise what a rule or a filter asks of them.
    pub fn asked_by(&self, refers: &mut dyn Refers, moment: Moment) -> HashSet<Asked> {
        let mut asked = refers.asked(moment);
        let mut seen = BTreeSet::new();
        for id in refers.named() {
            self.ask(id, moment, &mut seen, &mut asked);
        }
        asked
    }

    fn ask(&self, id: Uuid, moment: Moment, seen: &mut BTreeSet<Uuid>, asked: &mut HashSet<Asked>) {
        let Some((segment, rule)) = self.0.get(&id).filter(|_| seen.insert(id)) else {
            return;
        };
        if segment.frozen_at.is_some() {
            return;
        }
        let mut rule = rule.clone();
        asked.extend(rule.asked(moment));
        for named in rule.named() {
            self.ask(named, moment, seen, asked);
        }
    }

    /// A rule that is not saved, at a moment.
    ///
    /// # Errors
    /// When a segment that it names is not there.
    pub fn set_of(&self, rule: &Rule, moment: Moment, found: &Found) -> Result<Arc<SegmentSet>> {
        let mut rule = rule.clone();
        self.fill(&mut rule, (moment, found), 0)?;
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
            members: None,
            size: None,
        }))
    }

    /// A segment's rule in words, with the names of the segments that it names; none where it is not there. What these are
    /// does not matter: a frozen segment tells where it came from, whatever became of them.
    #[must_use]
    pub fn sentence(&self, id: Uuid, moment: Moment, called: &Called) -> Option<String> {
        let mut rule = self.rule(id)?.clone();
        let in_place = |id: Uuid| {
            let segment = self.segment(id)?;
            let set = SegmentSet {
                id,
                name: segment.name.clone(),
                publisher: moment.publisher,
                subject: segment.subject,
                of: SetOf::Frozen,
                members: None,
                size: None,
            };
            Some((id, Arc::new(set)))
        };
        let sets = rule.named().into_iter().filter_map(in_place).collect();
        rule.put(&sets, &Found::new(), moment);
        Some(rule.sentence(called))
    }

    /// Puts the segments that a filter names in their places.
    ///
    /// # Errors
    /// When one is not there, or one with what it names is beyond the limits.
    pub fn fill_in(&self, refers: &mut dyn Refers, moment: Moment, found: &Found) -> Result<()> {
        let mut sets = HashMap::new();
        for id in refers.named() {
            sets.insert(id, self.set(id, moment, found)?);
        }
        refers.put(&sets, found, moment);
        Ok(())
    }

    fn fill(&self, rule: &mut Rule, as_of: (Moment, &Found), depth: usize) -> Result<()> {
        let mut sets = HashMap::new();
        for id in rule.named() {
            sets.insert(id, self.placed(id, as_of, depth + 1)?);
        }
        let (moment, found) = as_of;
        rule.put(&sets, found, moment);
        Ok(())
    }

    fn placed(&self, id: Uuid, as_of: (Moment, &Found), depth: usize) -> Result<Arc<SegmentSet>> {
        let (moment, _) = as_of;
        let Some((segment, rule)) = self.0.get(&id) else {
            let cause = format!("a rule names the segment {id}, which was not read");
            return Err(Error::internal(cause));
        };
        if depth > self.1.depth {
            return Err(super::limit::too_deep(&segment.name, self.1.depth));
        }
        let of = if segment.frozen_at.is_some() {
            SetOf::Frozen
        } else {
            let mut rule = rule.clone();
            self.fill(&mut rule, as_of, depth)?;
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
            members: None,
            size: None,
        }))
    }
}
