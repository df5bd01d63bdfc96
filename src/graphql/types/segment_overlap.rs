//! How segments overlap: those that someone defined and built-in ones, laid over each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};
use uuid::Uuid;

use super::built_in_segment::{AskedBuiltIn, BuiltInSegment, built_in_of};
use super::segment::{Segment, moment, segments_of};
use crate::domain::error::{Error, PassedLimit};
use crate::domain::rule::Subject;
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::input::built_in::BuiltInSegmentInput;
use crate::graphql::scalar::{DateTime, count};
use crate::store::members;

/// The argument of built-in segments.
const BUILT_IN: &str = "builtInSegments";

/// A segment of either sort.
#[derive(Clone)]
enum Either {
    Defined(Segment),
    BuiltIn(BuiltInSegment),
}

impl Either {
    fn defined(&self) -> Option<Segment> {
        match self {
            Self::Defined(segment) => Some(segment.clone()),
            Self::BuiltIn(_) => None,
        }
    }

    fn built_in(&self) -> Option<BuiltInSegment> {
        match self {
            Self::Defined(_) => None,
            Self::BuiltIn(segment) => Some(segment.clone()),
        }
    }
}

/// How segments overlap.
pub struct SegmentOverlap {
    segments: Vec<Either>,
    /// How many are in exactly which, as bits.
    masks: BTreeMap<i64, i64>,
}

impl SegmentOverlap {
    /// Lays segments over each other: those with these ids, and built-in ones behind them.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn of(
        request: &Arc<RequestContext>,
        (ids, built_in): (&[ID], Option<&[BuiltInSegmentInput]>),
        as_of: Option<DateTime>,
    ) -> Result<Self> {
        let many = ids.len() + built_in.map_or(0, <[_]>::len);
        let most = request.limits.queries.overlaid_segments;
        if !(2..=most).contains(&many) {
            let message =
                format!("ids and {BUILT_IN} name {many} segments: lay 2 to {most} over each other");
            // Too few is no limit that is passed, but an argument that means nothing.
            if many < 2 {
                return Err(Error::bad_input("ids", message).into());
            }
            let passed = PassedLimit::of("overlaidSegments", most, many);
            return Err(Error::limit("ids", passed, message).into());
        }
        let moment = moment(request, as_of)?;
        let (segments, all) = segments_of(request, "ids", ids).await?;
        let built_in = built_in_of(request, BUILT_IN, built_in, moment.at).await?;
        check_subjects(&segments, &built_in)?;
        let ids: Vec<Uuid> = segments.iter().map(|segment| segment.id).collect();
        let mut sets = request.sets(&all, &ids, &[moment]).await?;
        sets.extend(built_in.iter().map(|one| Arc::clone(&one.set)));
        let masks = members::overlaps(&request.tx, &sets).await?;
        let segments = segments.into_iter().map(Either::Defined);
        let built_in = built_in.into_iter().map(|one| Either::BuiltIn(one.segment));
        Ok(Self {
            segments: segments.chain(built_in).collect(),
            masks,
        })
    }

    /// How many are in those whose masks satisfy `is`.
    fn sum(&self, is: impl Fn(i64) -> bool) -> Result<i32> {
        let found = self.masks.iter().filter(|(mask, _)| is(**mask));
        count(found.map(|(_, many)| many).sum())
    }
}

/// Users and products are not laid over each other.
fn check_subjects(segments: &[Segment], built_in: &[AskedBuiltIn]) -> Result<()> {
    let defined = segments.iter().enumerate();
    let defined = defined.map(|(place, one)| (format!("ids.{place}"), one.subject));
    let others = built_in.iter().enumerate();
    let others = others.map(|(place, one)| (format!("{BUILT_IN}.{place}"), one.subject()));
    let mut all = defined.chain(others);
    let first: Option<Subject> = all.next().map(|(_, subject)| subject);
    if let Some((place, _)) = all.find(|(_, subject)| Some(*subject) != first) {
        let message = format!(
            "{place}: users and products have nothing in common: name segments of one of them"
        );
        return Err(Error::bad_input(place, message).into());
    }
    Ok(())
}

/// How segments overlap.
#[Object]
impl SegmentOverlap {
    /// Each segment, in the order asked for, the built-in ones behind the others.
    async fn segments(&self) -> Result<Vec<OverlaidSegment>> {
        let segments = self.segments.iter().enumerate();
        segments
            .map(|(place, one)| {
                let bit = 1_i64 << place;
                Ok(OverlaidSegment {
                    segment: one.defined(),
                    built_in: one.built_in(),
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
                    one: one.defined(),
                    one_built_in: one.built_in(),
                    other: other.defined(),
                    other_built_in: other.built_in(),
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
    /// The segment; null for a built-in one.
    segment: Option<Segment>,
    /// The built-in segment; null for one that someone defined.
    built_in: Option<BuiltInSegment>,
    /// How many members it has.
    size: i32,
    /// How many of them are in none of the others.
    only_in: i32,
}

/// Two segments that were laid over each other.
#[derive(Clone, SimpleObject)]
pub struct SegmentPair {
    /// The one; null for a built-in one.
    one: Option<Segment>,
    /// The one where it is built in; null for one that someone defined.
    one_built_in: Option<BuiltInSegment>,
    /// The other; null for a built-in one.
    other: Option<Segment>,
    /// The other where it is built in; null for one that someone defined.
    other_built_in: Option<BuiltInSegment>,
    /// How many are in both.
    both: i32,
}
