//! How large rules may be, with all that they name, and that no segment leads back to itself.

use super::{Condition, Definitions, InSegments, Measure, Named, Refers, Rule};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::filter::{
    ActionTest, AdSpaceTest, CategoryTest, Filter, ItemTest, Op, ProductTest, ProgramTest, UserTest,
};
use uuid::Uuid;

/// How many segments that are not archived a publisher can have.
pub const MAX_SEGMENTS: i64 = 1_000;
/// How deep segments may name each other.
pub const MAX_SEGMENT_DEPTH: usize = 5;
/// How many conditions a rule may have, those of the segments that it names included.
pub const MAX_RULE_TESTS: usize = 300;
/// How many things a rule may measure, likewise: each is read from the facts by itself.
pub const MAX_MEASURES: usize = 24;
/// How many things the segments that a filter names may measure together: more than those of a rule, because a report by
/// many segments lists who is in none of them by naming all.
pub const MAX_FILTER_MEASURES: usize = 120;
/// How many periods a request may divide into built-in segments: each goes through all users or products by itself.
pub const MAX_BUILT_IN_PERIODS: usize = 120;
/// How many members the built-in segments that a request asks for may have together, at each moment by itself: 80 MiB of ids.
pub const MAX_BUILT_IN_MEMBERS: usize = 5_000_000;
/// How many values the lists of a rule may have together, likewise.
pub const MAX_RULE_VALUES: usize = 4_000;
/// How many members a rule may list.
pub const MAX_MEMBERS: usize = 10_000;
/// The longest name and, ten times as long, the longest description, in characters.
pub const MAX_TEXT: usize = 200;

/// How many segments there may be, and how large their rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleLimits {
    /// Segments of a publisher that are not archived.
    pub segments: i64,
    /// Levels that segments name each other.
    pub depth: usize,
    /// Conditions of a rule, those of the segments that it names included.
    pub conditions: usize,
    /// Things that a rule measures, likewise.
    pub metrics: usize,
    /// Things that the segments which a filter names measure together.
    pub filter_metrics: usize,
    /// Values in the lists of a rule, those of the segments that it names included.
    pub values: usize,
    /// Members that a rule lists.
    pub members: usize,
}

impl Default for RuleLimits {
    fn default() -> Self {
        Self {
            segments: MAX_SEGMENTS,
            depth: MAX_SEGMENT_DEPTH,
            conditions: MAX_RULE_TESTS,
            metrics: MAX_MEASURES,
            filter_metrics: MAX_FILTER_MEASURES,
            values: MAX_RULE_VALUES,
            members: MAX_MEMBERS,
        }
    }
}

/// How large a rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Conditions.
    pub tests: usize,
    /// Values in lists.
    pub values: usize,
    /// Things measured.
    pub measures: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.tests = self.tests.saturating_add(other.tests);
        self.values = self.values.saturating_add(other.values);
        self.measures = self.measures.saturating_add(other.measures);
    }

    fn test(&mut self, op: Option<&Op>) {
        self.tests += 1;
        if let Some(Op::In(values) | Op::NotIn(values)) = op {
            self.values += values.len();
        }
    }

    /// A built-in segment is divided from the facts of its period by itself.
    fn built_in(&mut self) {
        self.tests += 1;
        self.measures += 1;
    }

    fn measure(&mut self, measure: &Measure) {
        self.tests += 1;
        self.measures += 1;
        measure.actions.grow(self);
        if let Some(items) = &measure.items {
            items.grow(self);
        }
    }

    /// What of it is beyond the limits, as an error of the argument `rule`.
    #[must_use]
    pub fn excess(self, limits: &RuleLimits) -> Option<Error> {
        let (passed, beyond) = self.beyond(("segmentMetrics", limits.metrics), limits)?;
        let message = format!(
            "with the segments that it names, the rule has {beyond}: leave some out, or freeze a segment that it names"
        );
        Some(Error::limit("rule", passed, message))
    }

    /// What of it is beyond the limits of one statement, in words; the limit on what is measured by its name.
    fn beyond(
        self,
        (name, measures): (&'static str, usize),
        limits: &RuleLimits,
    ) -> Option<(PassedLimit, String)> {
        [
            (
                "segmentConditions",
                limits.conditions,
                self.tests,
                "conditions",
            ),
            (name, measures, self.measures, "metrics"),
            (
                "segmentValues",
                limits.values,
                self.values,
                "values in lists",
            ),
        ]
        .into_iter()
        .find(|(_, limit, found, _)| found > limit)
        .map(|(name, limit, found, what)| {
            let words = format!("{found} {what}; {limit} are allowed");
            (PassedLimit::of(name, limit, found), words)
        })
    }
}

/// What adds to the size of a rule.
trait Grows {
    fn grow(&self, size: &mut Size);
}

impl<T: Grows> Grows for Filter<T> {
    fn grow(&self, size: &mut Size) {
        self.tests().for_each(|test| test.grow(size));
    }
}

impl Grows for InSegments {
    fn grow(&self, size: &mut Size) {
        size.tests += self.segments.len();
    }
}

impl Grows for UserTest {
    fn grow(&self, size: &mut Size) {
        match self {
            Self::Field(_, op) => size.test(Some(op)),
            Self::Segment(named) => named.grow(size),
            Self::BuiltIn(_) => size.built_in(),
        }
    }
}

impl Grows for ProductTest {
    fn grow(&self, size: &mut Size) {
        match self {
            Self::Field(_, op) => size.test(Some(op)),
            Self::Category(filter) => filter.grow(size),
            Self::Segment(named) => named.grow(size),
            Self::BuiltIn(_) => size.built_in(),
        }
    }
}

impl Grows for CategoryTest {
    fn grow(&self, size: &mut Size) {
        size.test(Some(&self.1));
    }
}

impl Grows for ProgramTest {
    fn grow(&self, size: &mut Size) {
        size.test(Some(&self.1));
    }
}

impl Grows for AdSpaceTest {
    fn grow(&self, size: &mut Size) {
        size.test(Some(&self.1));
    }
}

impl Grows for ItemTest {
    fn grow(&self, size: &mut Size) {
        match self {
            Self::Field(_, op) => size.test(Some(op)),
            Self::Product(filter) => filter.grow(size),
            Self::Category(filter) => filter.grow(size),
        }
    }
}

impl Grows for ActionTest {
    fn grow(&self, size: &mut Size) {
        match self {
            Self::Field(_, op) => size.test(Some(op)),
            Self::Program(filter) => filter.grow(size),
            Self::AdSpace(filter) => filter.grow(size),
            Self::User(filter) => filter.grow(size),
            Self::Items(_, filter) => filter.grow(size),
        }
    }
}

impl<T: Grows> Grows for Condition<T> {
    fn grow(&self, size: &mut Size) {
        match self {
            Self::Own(filter) => filter.grow(size),
            Self::ClickCountry(op) => {
                size.test(Some(op));
                size.measures += 1;
            }
            Self::Threshold(threshold) => size.measure(&threshold.measure),
            Self::Rank(rank) => size.measure(&rank.measure),
            Self::Members(_) => size.test(None),
        }
    }
}

impl Rule {
    /// How large it is by itself.
    #[must_use]
    pub fn size(&self) -> Size {
        let mut size = Size::default();
        match self {
            Self::Users(filter) => filter.grow(&mut size),
            Self::Products(filter) => filter.grow(&mut size),
        }
        size
    }
}

pub(super) fn too_deep(name: &str, most: usize) -> Error {
    let message = format!(
        "segments name each other more than {most} levels deep, down to {name:?}: name it directly, or \
         freeze one of those between"
    );
    let passed = PassedLimit::of("segmentDepth", most, most.saturating_add(1));
    Error::limit("segment", passed, message)
}

impl Definitions {
    /// Checks that a segment, with all that it names, is within the limits.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`, with what is beyond.
    pub fn check_size(&self, id: Uuid) -> Result<()> {
        let Some((segment, rule)) = self.0.get(&id) else {
            return Ok(());
        };
        let size = self.size_of(rule, segment.frozen_at.is_some(), 0)?;
        size.excess(&self.1).map_or(Ok(()), |excess| {
            let message = format!("segment {:?}: {excess}", segment.name);
            Err(excess.reworded("segment", message))
        })
    }

    /// Checks that all segments that the filter in an argument names are within the limits together: each naming is
    /// written out in its statements. A frozen segment is but a condition.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`, with what is beyond.
    pub fn check_named(&self, argument: &str, refers: &mut dyn Refers) -> Result<()> {
        let mut named = Vec::new();
        let mut size = Size::default();
        refers.each(&mut |one| match one {
            Named::Defined(reference, _) => named.push(reference.id),
            Named::BuiltIn(_) => size.measures += 1,
            Named::Moment(_) => {}
        });
        let mut all = named.iter().filter_map(|id| self.0.get(id));
        loop {
            let measures = ("filterMetrics", self.1.filter_metrics);
            if let Some((passed, beyond)) = size.beyond(measures, &self.1) {
                let message = format!(
                    "{argument}: the segments that it names have {beyond} together: name fewer, or freeze one of them"
                );
                return Err(Error::limit(argument, passed, message));
            }
            let Some((segment, rule)) = all.next() else {
                return Ok(());
            };
            size.tests += 1;
            size.add(self.size_of(rule, segment.frozen_at.is_some(), 0)?);
        }
    }

    /// Checks that a rule can name a segment: that what this names is not too deep below it.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`, with what is too deep.
    pub fn check_depth(&self, id: Uuid) -> Result<()> {
        let Some((segment, rule)) = self.0.get(&id) else {
            return Ok(());
        };
        self.size_of(rule, segment.frozen_at.is_some(), 1)
            .map(|_| ())
    }

    /// How large a rule is with all that it names.
    ///
    /// # Errors
    /// Where segments name each other too deeply.
    pub fn size(&self, rule: &Rule) -> Result<Size> {
        self.size_of(rule, false, 0)
    }

    fn size_of(&self, rule: &Rule, is_frozen: bool, depth: usize) -> Result<Size> {
        if is_frozen {
            return Ok(Size::default());
        }
        let mut size = rule.size();
        let mut named = Vec::new();
        // Each naming counts, because each is written out.
        rule.clone().each(&mut |one| {
            if let Named::Defined(reference, _) = one {
                named.push(reference.id);
            }
        });
        for id in named {
            let Some((segment, rule)) = self.0.get(&id) else {
                continue;
            };
            if depth >= self.1.depth {
                return Err(too_deep(&segment.name, self.1.depth));
            }
            size.add(self.size_of(rule, segment.frozen_at.is_some(), depth + 1)?);
            if size.excess(&self.1).is_some() {
                break;
            }
        }
        Ok(size)
    }

    /// The way by which a rule that names the segment `by` would lead back to `id`, by names; none if it does not.
    #[must_use]
    pub fn way_back(&self, id: Uuid, by: Uuid) -> Option<Vec<String>> {
        let segment = self.segment(by)?;
        let mut way = vec![segment.name.clone()];
        if by != id {
            let rule = self.rule(by).filter(|_| segment.frozen_at.is_none())?;
            way.extend(self.cycle(id, rule)?);
        }
        Some(way)
    }

    /// The way by which a rule of the segment `id` would lead back to it, by names; none if it does not.
    #[must_use]
    pub fn cycle(&self, id: Uuid, rule: &Rule) -> Option<Vec<String>> {
        let mut seen = std::collections::BTreeSet::new();
        let mut way = Vec::new();
        self.leads_to(id, rule, &mut seen, &mut way).then_some(way)
    }

    fn leads_to(
        &self,
        id: Uuid,
        rule: &Rule,
        seen: &mut std::collections::BTreeSet<Uuid>,
        way: &mut Vec<String>,
    ) -> bool {
        for named in rule.clone().named() {
            let name = self
                .segment(named)
                .map_or_else(String::new, |segment| segment.name.clone());
            if named == id {
                way.push(name);
                return true;
            }
            let is_frozen = self
                .segment(named)
                .is_none_or(|segment| segment.frozen_at.is_some());
            if is_frozen || !seen.insert(named) {
                continue;
            }
            way.push(name);
            if self
                .rule(named)
                .is_some_and(|rule| self.leads_to(id, rule, seen, way))
            {
                return true;
            }
            way.pop();
        }
        false
    }
}
