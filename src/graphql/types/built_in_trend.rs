//! A built-in segment over time: that of the segment that someone would make of it, whose rule is the one condition on being in
//! it over its period.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::Member;
use super::segment::Segment;
use super::segment_trend::{SegmentPoint, trend_of};
use crate::analytics::members::Want;
use crate::domain::error::Error;
use crate::domain::id::of_rule;
use crate::domain::rule;
use crate::domain::rule::{BuiltIn, Definitions, Rule};
use crate::domain::time::Span;
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::range::{DateAxis, RangeArgs, RangeInput};
use crate::graphql::siblings::{Group, by_key};

/// What a list of built-in segments was asked for that a condition on being in one of them does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// Actions without a user: nobody is in their segment.
    Nobody,
    /// Some actions alone.
    Filter,
    /// Parameters that are not the publisher's.
    Rules,
    /// Another instant than the order's.
    DateAxis,
    /// A calendar that is not the publisher's.
    TimeZone,
    /// Weeks that do not begin on Monday.
    WeekStart,
}

impl Unsaid {
    /// The first of it, of a list that looks at some actions alone, has parameters of its own, or neither.
    ///
    /// # Errors
    /// When the range cannot be.
    pub(super) fn first(
        request: &RequestContext,
        (range, how): (RangeInput, RangeArgs),
        (is_filtered, has_own_rules): (bool, bool),
    ) -> Result<Option<Self>> {
        let zone = request.viewer.publisher.zone;
        let is_of_calendar = !matches!(range, RangeInput::Between(_));
        let is_elsewhere = is_of_calendar && how.zone.is_some_and(|given| given.0 != zone);
        let by_monday = RangeArgs {
            week_start: None,
            ..how
        };
        let has_other_weeks = how.ranged(range, request)? != by_monday.ranged(range, request)?;
        let all = [
            (is_filtered, Self::Filter),
            (has_own_rules, Self::Rules),
            (
                how.axis.is_some_and(|axis| axis != DateAxis::Ordered),
                Self::DateAxis,
            ),
            (is_elsewhere, Self::TimeZone),
            (has_other_weeks, Self::WeekStart),
        ];
        let mut all = all.into_iter();
        Ok(all.find(|(is_asked, _)| *is_asked).map(|(_, what)| what))
    }

    /// That the segments of a root field have no trend because of it.
    fn refused(self, root: &str) -> Failure {
        let (argument, why) = match self {
            Self::Nobody => (
                "segments",
                "UNATTRIBUTED has no members, who are what a trend is of: leave it out, or ask a report by time with \
                 `filter: {not: {user: {}}, status: {ne: DECLINED}}` for its actions",
            ),
            Self::Filter => (
                "filter",
                "a trend is of all actions: leave filter out, or make a segment whose rule measures the actions that are meant",
            ),
            Self::Rules => (
                "rules",
                "a trend has the parameters that the publisher has set: leave rules out, or set them by updateSegmentSettings",
            ),
            Self::DateAxis => (
                "dateAxis",
                "a trend goes by the order's instant: leave dateAxis out",
            ),
            Self::TimeZone => (
                "timeZone",
                "a trend has periods in the publisher's time zone: leave timeZone out, or give the range by `between`",
            ),
            Self::WeekStart => (
                "weekStart",
                "a trend has periods of weeks from Monday on: leave weekStart out, or give the range by `between`",
            ),
        };
        // A trend has arguments of these names itself, which are not to blame.
        let place = match self {
            Self::TimeZone | Self::WeekStart => format!("{root}.{argument}"),
            _ => argument.to_owned(),
        };
        Error::bad_input(place, format!("{argument} of {root}: {why}")).into()
    }
}

/// Built-in segments that were listed together, each as the segment that someone would make of it.
struct AsDefined {
    segments: HashMap<Uuid, Segment>,
    all: Arc<Definitions>,
}

/// The rule of a segment that is nothing but a built-in one, and the id that it goes by.
fn rule_of(built_in: BuiltIn) -> Result<(Uuid, Rule)> {
    let rule = Rule::from(built_in);
    Ok((of_rule(&rule.to_text()?), rule))
}

impl AsDefined {
    fn of(request: &RequestContext, given: Vec<(BuiltIn, String)>) -> Result<Self> {
        let mut all = Vec::with_capacity(given.len());
        for (built_in, name) in given {
            let (id, rule) = rule_of(built_in)?;
            let segment = rule::Segment {
                id,
                subject: rule.subject(),
                name,
                description: String::new(),
                version: 1,
                created_at: request.now,
                updated_at: request.now,
                frozen_at: None,
                frozen_from: None,
                archived_at: None,
            };
            all.push((segment, rule));
        }
        let segments = all.iter().map(|(segment, _)| Arc::new(segment.clone()));
        Ok(Self {
            segments: by_key(segments),
            all: Arc::new(Definitions::new(all)),
        })
    }
}

/// The points of a built-in segment, of which `named` says the condition on being in it and its name for people: the sizes of
/// all that were listed with it are told together.
///
/// # Errors
/// When the root field was asked for what no condition says, the segment cannot be evaluated, or the store fails.
pub(super) async fn trend<T: Send + Sync + 'static>(
    segment: &Member<T>,
    request: &Arc<RequestContext>,
    named: fn(&T) -> (BuiltIn, String),
    (root, unsaid): (&str, Option<Unsaid>),
    asked: (Arc<[Span]>, Want),
) -> Result<Vec<SegmentPoint>> {
    if let Some(unsaid) = unsaid {
        return Err(unsaid.refused(root));
    }
    let load = |group: Arc<Group<T>>| async move {
        let all = group.all().map(named).collect();
        AsDefined::of(request, all)
    };
    let known: Arc<AsDefined> = segment.batch("asDefined", &(), load).await?;
    let (built_in, _) = named(segment);
    let (id, _) = rule_of(built_in)?;
    let as_defined = known.segments.get(&id);
    let as_defined =
        as_defined.ok_or_else(|| Failure::internal("a segment is none of its siblings"))?;
    trend_of(as_defined, request, &known.all, asked).await
}
