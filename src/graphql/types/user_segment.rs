//! The built-in segments of users over a range, their members and what those bought.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object};
use uuid::Uuid;

use super::Member;
use super::built_in_segment::user_segment_name;
use super::built_in_trend::{Unsaid, trend};
use super::info::{AggregateInfo, segments_source};
use super::ranking::{Firsts, TopProducts, firsts, rank_by};
use super::report_words::TimeBucket;
use super::sales::{Money, amounts};
use super::segment_member::SegmentReason;
use super::segment_parameters::UserSegmentParameters;
use super::segment_trend::{SegmentPoint, asked};
use super::user::User;
use super::words::{RankMetric, UserSegmentKind};
use crate::analytics::segments::{self, UserSegmentResult as Division, UserSegments};
use crate::domain::error::Error;
use crate::domain::filter::Filter;
use crate::domain::money::Currency;
use crate::domain::page::{Page, PageRequest};
use crate::domain::rule::{BuiltIn, BuiltInKind};
use crate::domain::sales::FactQuery;
use crate::domain::segment::{Rfm, UserRules, UserSegment, UserStats, in_members_order};
use crate::domain::time::Range;
use crate::graphql::connection::{
    Count, ENTITIES, PageArgs, SEGMENTS, Slice, connection, page_by, size,
};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::range::{RangeArgs, RangeInput, WeekStart};
use crate::graphql::input::reader::filter;
use crate::graphql::input::rules::{UserRulesInput, user_rules};
use crate::graphql::scalar::{CountryCode, CurrencyCode, DateTime, TimeZone, count};
use crate::graphql::siblings::{Group, page_of_siblings, pages_of_siblings};

/// All segments of users over the facts of a range.
pub struct Divided {
    request: Arc<RequestContext>,
    facts: FactQuery,
    all: UserSegments,
    /// The range as it was asked for.
    period: Range,
    /// The currency that was asked for.
    currency: Option<Currency>,
    /// What was asked for that the conditions on being in the segments do not say.
    unsaid: Option<Unsaid>,
}

impl Divided {
    /// The condition on being in one of the segments.
    fn built_in(&self, division: &Division) -> BuiltIn {
        BuiltIn {
            kind: BuiltInKind::Users {
                kind: division.kind,
                origin: division.origin.clone(),
            },
            period: Some(self.period),
            currency: self.currency,
            members: None,
        }
    }
}

/// One of them, by its place.
pub struct Segment {
    divided: Arc<Divided>,
    place: usize,
    division: Division,
}

/// A built-in segment of users over a range.
pub type UserSegmentResult = Member<Segment>;

/// A built-in segment of users over a range. Members are users with a counted action in it.
#[Object(name = "UserSegmentResult")]
impl UserSegmentResult {
    /// Which segment.
    async fn kind(&self) -> UserSegmentKind {
        self.division.kind.into()
    }

    /// Its name for people; segments by country carry the country's code, those by device the device's class.
    async fn name(&self) -> String {
        user_segment_name(self.division.kind, self.division.origin.as_deref())
    }

    /// The country of a segment by country; null for users whose latest action names none, and for all other segments.
    async fn country(&self) -> Option<CountryCode> {
        self.origin(UserSegment::Country).map(CountryCode)
    }

    /// The class of a segment by device, such as mobile; null for users whose latest action names none, and for all other
    /// segments. Only postbacks tell devices.
    async fn device(&self) -> Option<String> {
        self.origin(UserSegment::Device)
    }

    /// Number of users in it; 0 for unattributed actions.
    async fn size(&self) -> Result<i32> {
        count(self.division.size)
    }

    /// Number of their counted actions in the range.
    async fn actions(&self) -> Result<i32> {
        count(self.division.sums.actions)
    }

    /// Units that they bought in the range.
    async fn units(&self) -> Result<i32> {
        count(self.division.sums.units)
    }

    /// Order amounts of their actions in the range, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.division.sums.order_amounts())
    }

    /// Rewards of their actions in the range, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.division.sums.rewards())
    }

    /// The products that its users bought most.
    async fn top_products(
        &self,
        #[graphql(desc = "How many, at most 100 by default.", default = 5)] first: i32,
        #[graphql(desc = "What they are ranked by.", default_with = "RankMetric::Units")]
        by: RankMetric,
        #[graphql(
            desc = "The currency of a ranking by ORDER_AMOUNT or REWARD: needed for these, refused with the others."
        )]
        currency: Option<CurrencyCode>,
    ) -> Option<Result<TopProducts>> {
        Some(top_products(self, first, by, currency).await)
    }

    /// Its size as of the end of each stretch of time of a range, at most 60 by default, and what its members did in that stretch: the
    /// segment divided anew as of then, as `trend` of a `Segment` whose rule is the condition `builtInSegment` with the same
    /// period and nothing else. A period by `last` or by name moves on with time, a fixed one is cut where the stretch ends.
    /// Parameters are those that the publisher has set. What the condition cannot say is refused: `userSegments` with a filter,
    /// with `rules` that differ from what is set, or on another axis, time zone or start of weeks. So is UNATTRIBUTED, which
    /// has no members: `report` tells its actions over time.
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
            let list = ("userSegments", self.unsaid());
            let asked = asked(ctx, (range, how), bucket)?;
            trend(self, request(ctx)?, Segment::named, list, asked).await
        };
        Some(found.await)
    }

    /// Its users: most actions in the range first.
    async fn users(
        &self,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<SegmentUserConnection>> {
        Some(
            SegmentUserConnection::of(
                self,
                &PageArgs {
                    first,
                    after,
                    last,
                    before,
                },
            )
            .await,
        )
    }
}

impl Segment {
    /// Where the users of a segment of this kind come from.
    fn origin(&self, kind: UserSegment) -> Option<String> {
        let origin = self.division.origin.clone();
        origin.filter(|_| self.division.kind == kind)
    }

    /// What its trend would need that the condition on being in it does not say. Nobody has a remedy of its own, so it goes first.
    fn unsaid(&self) -> Option<Unsaid> {
        let is_nobody = self.division.kind == UserSegment::Unattributed;
        is_nobody.then_some(Unsaid::Nobody).or(self.divided.unsaid)
    }

    /// The condition on being in it, and its name for people.
    fn named(&self) -> (BuiltIn, String) {
        let Division { kind, origin, .. } = &self.division;
        let name = user_segment_name(*kind, origin.as_deref());
        (self.divided.built_in(&self.division), name)
    }
}

async fn top_products(
    segment: &UserSegmentResult,
    first: i32,
    by: RankMetric,
    currency: Option<CurrencyCode>,
) -> Result<TopProducts> {
    let divided = &segment.divided;
    let sizes = &divided.request.limits.queries.pages;
    let first = size("first", first, ENTITIES, sizes)?;
    let by = rank_by(by, currency, &divided.request)?;
    let asked = usize::try_from(first)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let load = |group: Arc<Group<Segment>>| async move {
        let Divided {
            request,
            facts,
            all,
            ..
        } = divided.as_ref();
        let of: Vec<usize> = group.all().map(|segment| segment.place).collect();
        let (tx, asked) = (&request.tx, (by, asked));
        let lists =
            segments::user_segment_products(tx, request.scope, facts, (all, &of), asked).await?;
        Ok(firsts(of.into_iter().zip(lists).collect(), first))
    };
    let lists: Arc<Firsts<usize>> = segment.batch("topProducts", &(by, first), load).await?;
    Ok(TopProducts::of(&lists, &segment.place))
}

connection! {
    /// A page of user segments.
    UserSegmentResultConnection, UserSegmentResultEdge of UserSegmentResult, with (AggregateInfo, UserRules) {
        /// How fresh and how complete these numbers are.
        async fn info(&self) -> AggregateInfo {
            self.more.0.clone()
        }

        /// The parameters that applied: those of the question, else the publisher's, else the defaults.
        async fn parameters(&self) -> Result<UserSegmentParameters> {
            UserSegmentParameters::new(&self.more.1)
        }
    }
}

/// A user with scores, in a segment.
#[derive(Clone)]
pub struct Scored {
    stats: UserStats,
    scores: Option<Rfm>,
    divided: Arc<Divided>,
    /// The segment, by its place.
    place: usize,
}

impl Scored {
    /// Why the user is in the segment.
    fn reason(&self) -> Option<SegmentReason> {
        let all = &self.divided.all;
        let division = all.list.get(self.place)?;
        let built_in = self.divided.built_in(division);
        let Division { kind, origin, .. } = division;
        let needed = kind.needed(origin.as_deref(), &all.rules);
        let actual = kind.actual(&self.stats, self.scores, &all.rules, all.are_compared);
        Some(SegmentReason::of_built_in(
            built_in.sentence(),
            needed,
            actual,
        ))
    }
}

/// A user in a segment.
pub type SegmentUser = Member<Scored>;

/// A user in a segment, with sales and scores in the range.
#[Object(name = "SegmentUser")]
impl SegmentUser {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = async {
            self.related(request(ctx)?, "user", |scored| Some(scored.stats.user_id))
                .await
        };
        found.await.transpose()
    }

    /// Number of counted actions in the range.
    async fn actions(&self) -> Result<i32> {
        count(self.stats.sums.actions)
    }

    /// Units bought in the range.
    async fn units(&self) -> Result<i32> {
        count(self.stats.sums.units)
    }

    /// Order amounts in the range, one per currency in the order of the codes.
    async fn order_amount(&self) -> Vec<Money> {
        amounts(self.stats.sums.order_amounts())
    }

    /// Rewards in the range, one per currency in the order of the codes.
    async fn reward(&self) -> Vec<Money> {
        amounts(self.stats.sums.rewards())
    }

    /// The first counted action ever.
    async fn first_action_at(&self) -> DateTime {
        DateTime(self.stats.first_at)
    }

    /// The latest counted action in the range.
    async fn last_action_at(&self) -> DateTime {
        DateTime(self.stats.last_at)
    }

    /// The country of the click of the latest action.
    async fn country(&self) -> Option<CountryCode> {
        self.stats
            .country
            .as_deref()
            .map(str::to_owned)
            .map(CountryCode)
    }

    /// The class of device of the latest action, such as mobile; null where no postback told it.
    async fn device(&self) -> Option<String> {
        self.stats.device.as_deref().map(str::to_owned)
    }

    /// Score 1 to 5 by the latest action: 5 for the most recent fifth of users, unless the rules say otherwise. Null for
    /// who has too few actions to be scored, and where there are too few users to be compared.
    async fn recency_score(&self) -> Option<i32> {
        self.scores.map(|scores| i32::from(scores.recency))
    }

    /// Score 1 to 5 by the number of actions: 5 for the most frequent fifth of users, likewise.
    async fn frequency_score(&self) -> Option<i32> {
        self.scores.map(|scores| i32::from(scores.frequency))
    }

    /// Score 1 to 5 by the amount in the one currency of the parameters: 5 for the largest fifth of users, likewise.
    async fn monetary_score(&self) -> Option<i32> {
        self.scores.map(|scores| i32::from(scores.monetary))
    }

    /// Why the user is in the segment, as members of a segment are told of the condition `builtInSegment`: what it needs by
    /// the parameters that applied, and what is true by the range and the filter of the question.
    async fn reasons(&self) -> Vec<SegmentReason> {
        self.reason().into_iter().collect()
    }
}

connection! {
    /// A page of the users of a segment.
    SegmentUserConnection, SegmentUserEdge of SegmentUser
}

impl SegmentUserConnection {
    async fn of(segment: &UserSegmentResult, page: &PageArgs) -> Result<Self> {
        let order = segment.divided.request.order("segmentUsers");
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<Segment>>| {
            let page = page.clone();
            async move {
                let pages = tokio::task::spawn_blocking(move || {
                    let all = group.all();
                    all.map(|segment| (segment.place, members(segment, &page)))
                        .collect()
                });
                Ok(pages_of_siblings(pages.await.map_err(Error::internal)?))
            }
        };
        let pages: Arc<HashMap<usize, _>> = segment.batch("users", &page, load).await?;
        Ok(Self {
            slice: Slice::new(
                pages.get(&segment.place).cloned().unwrap_or_default(),
                order,
            ),
            count: Count::Known(segment.division.size),
        })
    }
}

fn members(segment: &Segment, page: &PageRequest) -> Page<Scored> {
    let UserSegments { users, scores, .. } = &segment.divided.all;
    let member = |place: usize| Some((users.get(place)?, scores.get(place)?));
    let members = in_members_order(&segment.division.members, users).into_iter();
    let members: Vec<(&UserStats, &Option<Rfm>)> = members.filter_map(member).collect();
    let key = |(stats, _): &(&UserStats, &Option<Rfm>)| {
        (
            vec![-stats.sums.actions, -stats.last_at.micros()],
            stats.user_id,
        )
    };
    page_by(members, page, key).map(|(stats, scores)| Scored {
        stats: stats.clone(),
        scores: *scores,
        divided: Arc::clone(&segment.divided),
        place: segment.place,
    })
}

/// What a caller asks of user segments.
pub struct UserSegmentArgs {
    /// When; the period of the parameters without.
    pub range: Option<RangeInput>,
    /// How the range is meant.
    pub how: RangeArgs,
    /// Which segments; all without.
    pub segments: Option<Vec<UserSegmentKind>>,
    /// The currency of the monetary score; as the publisher set it without.
    pub currency: Option<CurrencyCode>,
    /// The parameters of the segments.
    pub rules: Option<UserRulesInput>,
    /// Which actions.
    pub filter: Option<ActionFilter>,
    /// Which page.
    pub page: PageArgs,
}

impl UserSegmentArgs {
    /// A page of the segments.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn segments(
        &self,
        request: &Arc<RequestContext>,
    ) -> Result<UserSegmentResultConnection> {
        let currency = self.currency.map(|currency| currency.0);
        let rules = user_rules(self.rules.as_ref(), currency, request).await?;
        let usual = || RangeInput::last_days(rules.period_days);
        let range = self.range.unwrap_or_else(usual);
        let ranged = self.how.ranged(range, request)?;
        let facts = FactQuery::counted(
            ranged.range,
            filter("filter", self.filter.as_ref(), request).await?,
        );
        let order = request.order("userSegments");
        let page = self.page.request(SEGMENTS, &order)?;
        let all = segments::users_unsorted(&request.tx, request.scope, &facts, &rules).await?;
        let info = AggregateInfo::new(
            request,
            facts.clone(),
            segments_source(request, &facts).await?,
        );
        let is_filtered = facts.filter != Filter::default();
        // A condition names its period, and has all else from the publisher.
        let set = request.segment_parameters().await?.of_users(currency);
        let has_own_rules = !set.is_ok_and(|set| {
            let period_days = rules.period_days;
            rules == UserRules { period_days, ..set }
        });
        let own = (is_filtered, has_own_rules);
        let divided = Arc::new(Divided {
            request: Arc::clone(request),
            facts,
            all,
            period: range.range()?,
            currency,
            unsaid: Unsaid::first(request, (range, self.how), own)?,
        });
        let wanted = |kind: UserSegment| {
            self.segments
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&kind.into()))
        };
        let list = divided
            .all
            .list
            .iter()
            .enumerate()
            .filter(|(_, division)| wanted(division.kind));
        let list: Vec<(usize, &Division)> = list.collect();
        let total = i64::try_from(list.len()).unwrap_or(i64::MAX);
        let key = |(place, _): &(usize, &Division)| {
            (vec![i64::try_from(*place).unwrap_or(i64::MAX)], Uuid::nil())
        };
        let rows = page_by(list, &page, key).map(|(place, division)| {
            Arc::new(Segment {
                divided: Arc::clone(&divided),
                place,
                division: division.clone(),
            })
        });
        let slice = Slice::new(page_of_siblings(rows), order);
        Ok(UserSegmentResultConnection {
            slice,
            count: Count::Known(total),
            more: (info, rules),
        })
    }
}
