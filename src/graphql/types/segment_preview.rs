//! What a rule would be as a segment: nothing is saved.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};

use super::segment::moment;
use super::segment_member::{SegmentMember, SegmentMemberConnection};
use crate::domain::error::Error;
use crate::domain::rule::{Rule, Segment, SegmentSet, SetOf};
use crate::graphql::connection::{ENTITIES, PageArgs, size};
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::input::rule::SegmentRuleInput;
use crate::graphql::mutation::UserError;
use crate::graphql::scalar::{BigInt, DateTime, count};
use crate::graphql::segment_reading::{ReadRule, read_rule};
use crate::store::members;

/// How long evaluating a segment takes, as far as one can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SegmentCostClass {
    /// Up to some dozens of milliseconds.
    Low,
    /// Some tenths of a second; several times as long with a click country that columns in memory do not tell.
    Medium,
    /// Seconds: shorten periods, or freeze the segment and use what it was.
    High,
}

/// How long the database takes for an action that it reads, ns.
const BY_DATABASE: i64 = 1_000;
/// Likewise columns in memory: 35 ms for two million.
const BY_COLUMNS: i64 = 20;
const MILLISECOND: i64 = 1_000_000;

impl SegmentCostClass {
    /// The class of reading so many actions, by who reads them.
    fn of(actions: i64, is_by_columns: bool) -> Self {
        let each = if is_by_columns {
            BY_COLUMNS
        } else {
            BY_DATABASE
        };
        let nanoseconds = actions.saturating_mul(each);
        if nanoseconds < 50 * MILLISECOND {
            Self::Low
        } else if nanoseconds < 1_000 * MILLISECOND {
            Self::Medium
        } else {
            Self::High
        }
    }
}

/// What evaluating a segment costs, estimated.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct SegmentCost {
    /// How many actions are read, those that are read for several conditions counted each time.
    actions_read: BigInt,
    /// How long that takes: less where the actions are held in memory.
    class: SegmentCostClass,
}

impl SegmentCost {
    fn of(actions: i64, is_by_columns: bool) -> Self {
        Self {
            actions_read: BigInt(actions),
            class: SegmentCostClass::of(actions, is_by_columns),
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
        (rule, of): (&SegmentRuleInput, Option<&ID>),
        as_of: Option<DateTime>,
        sample_size: i32,
    ) -> Result<Self> {
        let sample_size = size(
            "sampleSize",
            sample_size,
            ENTITIES,
            &request.limits.queries.pages,
        )?;
        let moment = moment(request, as_of)?;
        let of = changed(request, of).await?;
        let read = match read_rule(request, rule, of.as_ref()).await? {
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
        // What columns told has its size.
        let is_by_columns = set.size.is_some();
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
            sentence: Some(in_words(request, &set, &rule).await?),
            cost: Some(SegmentCost::of(actions.iter().sum(), is_by_columns)),
            problems: Vec::new(),
            warnings,
        })
    }
}

/// The rule in words; with the segments in their places, where the set has them.
async fn in_words(request: &RequestContext, set: &SegmentSet, rule: &Rule) -> Result<String> {
    let rule = match &set.of {
        SetOf::Rule { rule, .. } => rule,
        SetOf::Frozen => rule,
    };
    Ok(rule.sentence(&request.called(rule.things()).await?))
}

/// The segment whose new rule is previewed, if it is one's.
///
/// # Errors
/// When there is none with this id, or its rule cannot be changed.
async fn changed(request: &RequestContext, of: Option<&ID>) -> Result<Option<Segment>> {
    let Some(id) = of else {
        return Ok(None);
    };
    let key = Kind::Segment.key(id);
    let all = request.definitions(key).await?;
    let found = key.and_then(|key| all.segment(key)).cloned();
    let why = match &found {
        None => "there is no such segment; `segments` lists them",
        Some(segment) if segment.archived_at.is_some() => {
            "the segment is archived: restore it first"
        }
        Some(segment) if segment.frozen_at.is_some() => {
            "the segment is frozen, its members stay as they are: name the one that it was frozen from"
        }
        Some(_) => return Ok(found),
    };
    Err(Error::bad_input("segment", format!("segment: {why}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_how_long_reading_takes() {
        use SegmentCostClass::{High, Low, Medium};
        for (actions, by_database, by_columns) in [
            (0, Low, Low),
            (49_999, Low, Low),
            (50_000, Medium, Low),
            (999_999, Medium, Low),
            (1_000_000, High, Low),
            (2_499_999, High, Low),
            (2_500_000, High, Medium),
            (49_999_999, High, Medium),
            (50_000_000, High, High),
            (i64::MAX, High, High),
        ] {
            let both =
                [false, true].map(|is_by_columns| SegmentCostClass::of(actions, is_by_columns));
            assert_eq!(both, [by_database, by_columns], "{actions}");
        }
    }
}
