//! Segments that callers define: what they are, who is in them and why.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, InputValueError, InputValueResult, Object, Scalar, ScalarType, Value,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Member;
use super::ranking::TopProducts;
use super::report_words::TimeBucket;
use super::segment_deeds::{self, SegmentMetrics, TopArgs};
use super::segment_member::SegmentMemberConnection;
use super::segment_trend::{SegmentPoint, asked, trend_of};
use super::words::RankMetric;
use crate::analytics::members::Want;
use crate::domain::error::{Code, Error};
use crate::domain::rule;
use crate::domain::rule::{
    Called, Definitions, Moment, Refers as _, Rule, SegmentSet, SegmentVersion,
};
use crate::graphql::connection::{ENTITIES, PageArgs, connection, size};
use crate::graphql::context::{RequestContext, of_segment, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::Kind;
use crate::graphql::input::range::{RangeArgs, RangeInput, WeekStart};
use crate::graphql::loaders::Entity as _;
use crate::graphql::scalar::{CurrencyCode, DateTime, TimeZone, count};
use crate::graphql::siblings::{Group, by_key};
use crate::store::definitions::Versions;
use crate::store::{definitions, members};

/// What a segment is a set of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "rule::Subject")]
pub enum SegmentSubject {
    /// Users.
    Users,
    /// Products.
    Products,
}

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "rule::SegmentState")]
pub enum SegmentState {
    /// Its members follow from its rule, whenever it is asked for.
    Live,
    /// Its members are those of one moment.
    Frozen,
    /// Put away: its name is free, and no filter can name it until it is restored.
    Archived,
}

/// A rule of a segment, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRuleValue(pub Map<String, Json>);

/// The value of a `SegmentRuleInput`: an object such as {"users": {"clickCountry": {"eq": "PL"}}}, as the segment's author
/// sent it, in the form that a variable of type `SegmentRuleInput` takes. It is answered, never taken.
#[Scalar(
    name = "SegmentRuleValue",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-4"
)]
impl ScalarType for SegmentRuleValue {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom(
            "a rule is given as a SegmentRuleInput",
        ))
    }

    fn to_value(&self) -> Value {
        Value::from_json(Json::Object(self.0.clone())).unwrap_or_default()
    }
}

impl SegmentRuleValue {
    fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|_| Failure::internal("a stored rule is no object"))
    }
}

/// When segments are evaluated: as of a point in time that is not later than now.
///
/// # Errors
/// For a later one.
pub fn moment(request: &RequestContext, as_of: Option<DateTime>) -> Result<Moment> {
    let at = as_of.map_or(request.now, |time| time.0);
    if at > request.now {
        let message =
            "asOf lies in the future: leave it out for now, or give an earlier point in time";
        return Err(Error::bad_input("asOf", message).into());
    }
    Ok(request.moment(at))
}

/// A segment that someone defined.
pub type Segment = Member<rule::Segment>;

/// The definitions of a segment and of all that were listed with it.
pub(super) async fn defined(
    segment: &Segment,
    request: &Arc<RequestContext>,
) -> Result<Arc<Definitions>> {
    let load = |group: Arc<Group<rule::Segment>>| async move {
        let all = request
            .definitions(group.all().map(|segment| segment.id))
            .await?;
        // A frozen segment uses none of those that its rule names, so they do not come with it; its sentence names them.
        let frozen = group.all().filter(|segment| segment.frozen_at.is_some());
        let rules = frozen.filter_map(|segment| all.rule(segment.id));
        let named: BTreeSet<Uuid> = rules.flat_map(|rule| rule.clone().named()).collect();
        if named.is_empty() {
            return Ok(all);
        }
        request.definitions(named).await
    };
    segment.batch("definitions", &(), load).await
}

/// A segment of users or of products that someone defined. `createSegment` makes one; any filter on users or products can
/// name it. Its members are evaluated live from the actions, so an import shows as soon as it is in.
#[Object(name = "Segment")]
impl Segment {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Segment.id(self.key())
    }

    /// Its name, unique among those that are not archived, without regard to case.
    async fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.description
    }

    /// What it is a set of.
    async fn subject(&self) -> SegmentSubject {
        self.subject.into()
    }

    /// Where it stands.
    async fn state(&self) -> SegmentState {
        rule::Segment::state(self).into()
    }

    /// Its version, from 1 on: `updateSegment` wants to know it.
    async fn version(&self) -> i32 {
        self.version
    }

    /// The rule, in the form that `SegmentRuleInput` takes.
    async fn rule(&self, ctx: &Context<'_>) -> Result<SegmentRuleValue> {
        let request = request(ctx)?;
        let load = |group: Arc<Group<rule::Segment>>| async move {
            let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
            Ok(definitions::given(&request.tx, request.scope, &ids).await?)
        };
        let all: Arc<HashMap<Uuid, String>> = self.batch("rule", &(), load).await?;
        let given = all.get(&self.key());
        let given = given.ok_or_else(|| Failure::internal("a segment has no version"))?;
        SegmentRuleValue::read(given)
    }

    /// The rule in words, with the names of the segments and other things that it names by their ids or lists: the first three
    /// of a list.
    async fn sentence(&self, ctx: &Context<'_>) -> Result<String> {
        let request = request(ctx)?;
        let all = defined(self, request).await?;
        let load = |group: Arc<Group<rule::Segment>>| async move {
            let rules = group.all().filter_map(|segment| all.rule(segment.id));
            let things = rules.flat_map(Rule::things).collect();
            Ok((request.called(things).await?, all))
        };
        let told: Arc<(Called, Arc<Definitions>)> = self.batch("called", &(), load).await?;
        let (called, all) = told.as_ref();
        all.sentence(self.key(), request.moment(request.now), called)
            .ok_or_else(|| Failure::internal("a segment has no rule"))
    }

    /// What it was, the latest version first; none ever changes.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, at most 100 by default.", default = 20)] first: i32,
        #[graphql(
            desc = "Only those before this version, such as the last one of the list before."
        )]
        before: Option<i32>,
    ) -> Option<Result<Vec<SegmentVersionInfo>>> {
        let found = async {
            let request = request(ctx)?;
            let which = Versions {
                first: size("first", first, ENTITIES, &request.limits.queries.pages)?,
                before,
                // Rules can be long.
                with_rules: ctx.look_ahead().field("rule").exists(),
            };
            let load = |group: Arc<Group<rule::Segment>>| async move {
                let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
                Ok(definitions::versions(&request.tx, request.scope, &ids, which).await?)
            };
            let all: Arc<HashMap<Uuid, Vec<SegmentVersion>>> =
                self.batch("versions", &which, load).await?;
            let own = all.get(&self.key()).into_iter().flatten().cloned();
            Ok(own.map(SegmentVersionInfo).collect())
        };
        Some(found.await)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.created_at)
    }

    /// When it was changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.updated_at)
    }

    /// When its members were taken; null for one that is not frozen.
    async fn frozen_at(&self) -> Option<DateTime> {
        self.frozen_at.map(DateTime)
    }

    /// The segment that it was frozen from; null for one that is not frozen.
    async fn frozen_from(&self, ctx: &Context<'_>) -> Option<Result<Segment>> {
        let key = |segment: &rule::Segment| segment.frozen_from.map(|(id, _)| id);
        let found = async { self.related(request(ctx)?, "frozenFrom", key).await };
        found.await.transpose()
    }

    /// The version of the segment that it was frozen from; null for one that is not frozen.
    async fn frozen_from_version(&self) -> Option<i32> {
        self.frozen_from.map(|(_, version)| version)
    }

    /// When it was put away; null for one that is not archived.
    async fn archived_at(&self) -> Option<DateTime> {
        self.archived_at.map(DateTime)
    }

    /// Number of members.
    async fn size(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "As of then: what was ordered later does not count. Statuses and names are today's. Now unless given; a frozen segment stays as it is."
        )]
        as_of: Option<DateTime>,
    ) -> Option<Result<i32>> {
        let found = async {
            let request = request(ctx)?;
            let moment = moment(request, as_of)?;
            let all = defined(self, request).await?;
            let load = |group: Arc<Group<rule::Segment>>| async move {
                let ids: Vec<Uuid> = group.all().map(|segment| segment.id).collect();
                sizes_of_each(request, &all, (&ids, &[moment]), Want::Size).await
            };
            let sizes: Arc<Sizes> = self.batch("size", &moment, load).await?;
            let own = of(&sizes, self.key())?;
            count(own.first().copied().unwrap_or_default())
        };
        Some(found.await)
    }

    /// Its members, each with the reasons. For another order, or with a filter, ask `users` or `products` with a filter on
    /// the segment.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As of then, as `size`; now unless given.")] as_of: Option<DateTime>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<SegmentMemberConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async {
            let request = request(ctx)?;
            let moment = moment(request, as_of)?;
            let all = defined(self, request).await?;
            let set = request.sets(&all, &[self.key()], &[moment]).await?;
            let set = set.into_iter().next();
            let set = set.ok_or_else(|| Failure::internal("a segment has no members"))?;
            SegmentMemberConnection::of(request, set, &page).await
        };
        Some(found.await)
    }

    /// Its size as of the end of each stretch of time of a range, at most 60 by default, and what its members did in that stretch. What
    /// was ordered later does not count, statuses and names are today's.
    async fn trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "The length of the stretches of time.")] bucket: TimeBucket,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks; MONDAY unless given.")] week_start: Option<
            WeekStart,
        >,
    ) -> Option<Result<Vec<SegmentPoint>>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let found = async {
            let request = request(ctx)?;
            let asked = asked(ctx, (range, how), bucket)?;
            let all = defined(self, request).await?;
            trend_of(self, request, &all, asked).await
        };
        Some(found.await)
    }

    /// What those who are members now did in a range; of a frozen segment those who were members when it was frozen. `trend`
    /// says what the members of each time did.
    async fn metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks; MONDAY unless given.")] week_start: Option<
            WeekStart,
        >,
    ) -> Option<Result<SegmentMetrics>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let found = async { segment_deeds::metrics(self, request(ctx)?, (range, how)).await };
        Some(found.await)
    }

    /// Of a segment of users the products that its members bought most in a range; of one of products those of them that were
    /// bought most. Members as of now, as in `metrics`; declined actions do not count.
    async fn top_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When.")] range: RangeInput,
        #[graphql(desc = "How many, at most 100 by default.", default = 5)] first: i32,
        #[graphql(desc = "What they are ranked by.", default_with = "RankMetric::Units")]
        by: RankMetric,
        #[graphql(
            desc = "The currency of a ranking by ORDER_AMOUNT or REWARD: needed for these, refused with the others."
        )]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "The time zone of the range; the publisher's unless given.")]
        time_zone: Option<TimeZone>,
        #[graphql(desc = "The first day of weeks; MONDAY unless given.")] week_start: Option<
            WeekStart,
        >,
    ) -> Option<Result<TopProducts>> {
        let how = RangeArgs {
            axis: None,
            zone: time_zone,
            week_start,
        };
        let args = TopArgs {
            first,
            by,
            currency,
        };
        let found =
            async { segment_deeds::top_products(self, request(ctx)?, (range, how), args).await };
        Some(found.await)
    }
}

/// Sizes of segments at moments, or what is wrong with a segment.
pub(super) type Sizes = HashMap<Uuid, Result<Vec<i64>>>;

pub(super) fn of(sizes: &Sizes, id: Uuid) -> Result<Vec<i64>> {
    sizes.get(&id).cloned().unwrap_or_else(|| Ok(Vec::new()))
}

/// The sizes of segments at moments, or their members, if these are wanted, too. What columns in memory tell takes no
/// statement but those of the conditions that they cannot test, once for all moments; the others are counted in one
/// statement for up to 200 of them, each segment by itself where they do not fit. What is wrong with one of them is told of
/// it alone.
///
/// # Errors
/// When the store fails.
pub(super) async fn sizes_of_each(
    request: &RequestContext,
    all: &Definitions,
    (ids, moments): (&[Uuid], &[Moment]),
    want: Want,
) -> Result<Sizes> {
    let each = request.sets_of_each(all, ids, moments, want).await;
    let fit: Vec<Arc<SegmentSet>> = each.iter().flatten().flatten().cloned().collect();
    let mut together = match members::sizes(&request.tx, &fit).await {
        Ok(sizes) => Some(sizes.into_iter()),
        Err(error) if error.code() == Code::LimitExceeded => None,
        Err(error) => return Err(error.into()),
    };
    let mut found = Sizes::with_capacity(ids.len());
    for (id, sets) in ids.iter().zip(each) {
        let sizes = match (sets, &mut together) {
            (Err(failure), _) => Err(failure),
            (Ok(sets), Some(known)) => Ok(known.by_ref().take(sets.len()).collect()),
            (Ok(sets), None) => members::sizes(&request.tx, &sets)
                .await
                .map_err(|error| of_segment(all.segment(*id), error.into())),
        };
        found.insert(*id, sizes);
    }
    Ok(found)
}

connection! {
    /// A page of segments.
    SegmentConnection, SegmentEdge of Segment
}

/// What a segment was at a version.
pub struct SegmentVersionInfo(SegmentVersion);

/// What a segment was at a version.
#[Object(name = "SegmentVersion")]
impl SegmentVersionInfo {
    /// The number of the version, from 1 on.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The name then.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The description then.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The rule, in the form that `SegmentRuleInput` takes.
    async fn rule(&self) -> Result<SegmentRuleValue> {
        let given = self.0.given.as_deref();
        let given = given.ok_or_else(|| Failure::internal("the rule of a version was not read"));
        SegmentRuleValue::read(given?)
    }

    /// When it was saved.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// Segments by their ids, in the order given, all of which must be there, not archived and of one subject.
///
/// # Errors
/// When one is none of that, with its place.
pub async fn segments_of(
    request: &Arc<RequestContext>,
    argument: &str,
    ids: &[ID],
) -> Result<(Vec<Segment>, Arc<Definitions>)> {
    let refused = |place: usize, why: String| {
        let place = format!("{argument}.{place}");
        Failure::from(Error::bad_input(place.clone(), format!("{place}: {why}")))
    };
    let mut keys = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let key = Kind::Segment.key(id);
        let known = || {
            refused(
                place,
                "that is no id of a segment; `segments` lists them".to_owned(),
            )
        };
        let key = key.ok_or_else(known)?;
        if keys.contains(&key) {
            return Err(refused(
                place,
                "the segment is named twice: name it once".to_owned(),
            ));
        }
        keys.push(key);
    }
    let all = request.definitions(keys.iter().copied()).await?;
    let mut found = Vec::with_capacity(keys.len());
    for (place, key) in keys.iter().enumerate() {
        let segment = all.segment(*key).ok_or_else(|| {
            refused(
                place,
                "there is no such segment; `segments` lists them".to_owned(),
            )
        })?;
        if segment.archived_at.is_some() {
            let why = format!(
                "the segment {:?} is archived: restore it first",
                segment.name
            );
            return Err(refused(place, why));
        }
        found.push(Arc::new(segment.clone()));
    }
    let by_key = by_key(found.clone());
    let found = found
        .iter()
        .filter_map(|segment| by_key.get(&segment.id).cloned());
    Ok((found.collect(), Arc::new(all)))
}
