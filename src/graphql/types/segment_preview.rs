//! What a rule would be, and how segments overlap: nothing is saved.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};
use uuid::Uuid;

use super::segment::{Segment, moment, segments_of};
use super::segment_member::{SegmentMember, SegmentMemberConnection};
use crate::domain::error::{Error, PassedLimit};
use crate::domain::rule::SegmentSet;
use crate::graphql::connection::{ENTITIES, PageArgs, size};
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::input::rule::SegmentRuleInput;
use crate::graphql::mutation::UserError;
use crate::graphql::scalar::{BigInt, DateTime, count};
use crate::graphql::segment_reading::{ReadRule, read_rule};
use crate::store::members;

/// How long evaluating a segment takes, as far as one can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SegmentCostClass {
    /// Some milliseconds.
    Low,
    /// Some tenths of a second.
    Medium,
    /// Seconds: shorten periods, or freeze the segment and use what it was.
    High,
}

/// What evaluating a segment costs, estimated.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct SegmentCost {
    /// How many actions are read, those that are read for several conditions counted each time.
    actions_read: BigInt,
    /// How long that takes.
    class: SegmentCostClass,
}

impl SegmentCost {
    fn of(actions: i64) -> Self {
        Self {
            actions_read: BigInt(actions),
            class: match actions {
                ..50_000 => SegmentCostClass::Low,
                50_000..1_000_000 => SegmentCostClass::Medium,
                _ => SegmentCostClass::High,
            },
        }
    }
}

/// What a rule would be as a segment.
pub struct SegmentPreview {
    size: Option<i64>,
    sample: Vec<SegmentMember>,
    sentence: Option<String>,
    cost: Option<SegmentCost>,
    problems: Vec<UserError>,
    warnings: Vec<UserError>,
}

/// What a rule would be as a segment.
#[Object]
impl SegmentPreview {
    /// How many members it would have; null where the rule has problems.
    async fn size(&self) -> Result<Option<i32>> {
        self.size.map(count).transpose()
    }

    /// Some of its members, with the reasons.
    async fn sample(&self) -> &[SegmentMember] {
        &self.sample
    }

    /// The rule in words; null where it has problems.
    async fn sentence(&self) -> Option<&str> {
        self.sentence.as_deref()
    }

    /// What evaluating it costs; null where it has problems.
    async fn cost(&self) -> Option<SegmentCost> {
        self.cost
    }

    /// What is wrong with the rule, all of it at once, each with its place.
    async fn problems(&self) -> &[UserError] {
        &self.problems
    }

    /// What is worth knowing: listed members that are not known yet.
    async fn warnings(&self) -> &[UserError] {
        &self.warnings
    }
}

impl SegmentPreview {
    /// Previews a rule.
    ///
    /// # Errors
    /// When another argument is not acceptable, or the store fails.
    pub async fn of(
        request: &Arc<RequestContext>,
        rule: &SegmentRuleInput,
        as_of: Option<DateTime>,
        sample_size: i32,
    ) -> Result<Self> {
        let sample_size = size("sampleSize", sample_size, ENTITIES)?;
        let moment = moment(request, as_of)?;
        let read = match read_rule(request, rule, None).await? {
            Ok(read) => read,
            Err(problems) => {
                return Ok(Self {
                    size: None,
                    sample: Vec::new(),
                    sentence: None,
                    cost: None,
                    problems,
                    warnings: Vec::new(),
                });
            }
        };
        let ReadRule {
            rule,
            all,
            warnings,
        } = read;
        let set: Arc<SegmentSet> = request.set_of(&all, &rule, moment).await?;
        let actions = members::actions_in(&request.tx, request.scope, &set.reads()).await?;
        let sizes = members::sizes(&request.tx, &[Arc::clone(&set)]).await?;
        let mut sample = Vec::new();
        if sample_size > 0 {
            let page = PageArgs {
                first: i32::try_from(sample_size).ok(),
                ..PageArgs::default()
            };
            let page = SegmentMemberConnection::of(request, Arc::clone(&set), &page).await?;
            sample.extend(page.slice.nodes().cloned());
        }
        Ok(Self {
            size: sizes.first().copied(),
            sample,
            sentence: Some(match &set.of {
                crate::domain::rule::SetOf::Rule { rule, .. } => rule.sentence(),
                crate::domain::rule::SetOf::Frozen => rule.sentence(),
            }),
            cost: Some(SegmentCost::of(actions.iter().sum())),
            problems: Vec::new(),
            warnings,
        })
    }
}

/// How many segments can be laid over each other.
pub const MAX_OVERLAID: usize = 8;

/// How segments overlap.
pub struct SegmentOverlap {
    segments: Vec<Segment>,
    /// How many are in exactly which, as bits.
    masks: BTreeMap<i64, i64>,
}

impl SegmentOverlap {
    /// Lays segments over each other.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn of(
        request: &Arc<RequestContext>,
        ids: &[ID],
        as_of: Option<DateTime>,
    ) -> Result<Self> {
        if !(2..=MAX_OVERLAID).contains(&ids.len()) {
            let message = format!(
                "ids names {} segments: lay 2 to {MAX_OVERLAID} over each other",
                ids.len()
            );
            // Too few is no limit that is passed, but an argument that means nothing.
            if ids.len() < 2 {
                return Err(Error::bad_input("ids", message).into());
            }
            let passed = PassedLimit::of("overlaidSegments", MAX_OVERLAID, ids.len());
            return Err(Error::limit("ids", passed, message).into());
        }
        let moment = moment(request, as_of)?;
        let (segments, all) = segments_of(request, "ids", ids).await?;
        let subject = segments.first().map(|segment| segment.subject);
        if let Some(other) = segments
            .iter()
            .position(|segment| Some(segment.subject) != subject)
        {
            let place = format!("ids.{other}");
            let message = format!(
                "{place}: users and products have nothing in common: name segments of one of them"
            );
            return Err(Error::bad_input(place, message).into());
        }
        let ids: Vec<Uuid> = segments.iter().map(|segment| segment.id).collect();
        let sets = request.sets(&all, &ids, &[moment]).await?;
        let masks = members::overlaps(&request.tx, &sets).await?;
        Ok(Self { segments, masks })
    }

    /// How many are in those whose masks satisfy `is`.
    fn sum(&self, is: impl Fn(i64) -> bool) -> Result<i32> {
        let found = self.masks.iter().filter(|(mask, _)| is(**mask));
        count(found.map(|(_, many)| many).sum())
    }
}

/// How segments overlap.
#[Object]
impl SegmentOverlap {
    /// Each segment, in the order asked for.
    async fn segments(&self) -> Result<Vec<OverlaidSegment>> {
        let segments = self.segments.iter().enumerate();
        segments
            .map(|(place, segment)| {
                let bit = 1_i64 << place;
                Ok(OverlaidSegment {
                    segment: segment.clone(),
                    size: self.sum(|mask| mask & bit != 0)?,
                    only_in: self.sum(|mask| mask == bit)?,
                })
            })
            .collect()
    }

    /// Each two of them.
    async fn pairs(&self) -> Result<Vec<SegmentPair>> {
        let mut pairs = Vec::new();
        for (first, one) in self.segments.iter().enumerate() {
            for (second, other) in self.segments.iter().enumerate().skip(first + 1) {
                let bits = (1_i64 << first) | (1_i64 << second);
                pairs.push(SegmentPair {
                    one: one.clone(),
                    other: other.clone(),
                    both: self.sum(|mask| mask & bits == bits)?,
                });
            }
        }
        Ok(pairs)
    }

    /// How many are in at least one of them.
    async fn union(&self) -> Result<i32> {
        self.sum(|_| true)
    }

    /// How many are in all of them.
    async fn intersection(&self) -> Result<i32> {
        let all = (1_i64 << self.segments.len()) - 1;
        self.sum(|mask| mask == all)
    }
}

/// A segment that was laid over others.
#[derive(Clone, SimpleObject)]
pub struct OverlaidSegment {
    /// The segment.
    segment: Segment,
    /// How many members it has.
    size: i32,
    /// How many of them are in none of the others.
    only_in: i32,
}

/// Two segments that were laid over each other.
#[derive(Clone, SimpleObject)]
pub struct SegmentPair {
    /// The one.
    one: Segment,
    /// The other.
    other: Segment,
    /// How many are in both.
    both: i32,
}
