//! Movement between RFM segments from one date to another.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use uuid::Uuid;

use super::Member;
use super::info::{AggregateInfo, segments_source};
use super::report_info::TimeSpan;
use super::rfm::RfmScore;
use super::segment_parameters::UserSegmentParameters;
use super::user::User;
use super::words::UserSegmentKind;
use crate::analytics::movement::{Moved, moved};
use crate::analytics::segments::UserSegments;
use crate::domain::error::Error;
use crate::domain::page::{Page, PageRequest};
use crate::domain::sales::{AxisRange, DateAxis as Axis, FactQuery};
use crate::domain::segment::{MAX_PERIOD_DAYS, Mover, Step, UserRules, UserSegment};
use crate::domain::time::{DAY_US, Instant, Span};
use crate::graphql::connection::{Count, ENTITIES, PageArgs, SEGMENTS, Slice, connection, page_by};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::ActionFilter;
use crate::graphql::input::range::DateAxis;
use crate::graphql::input::reader::filter;
use crate::graphql::input::rules::{UserRulesInput, user_rules};
use crate::graphql::scalar::{CurrencyCode, DateTime, TimeZone, count};
use crate::graphql::siblings::{Group, page_of_siblings, pages_of_siblings};

/// Both windows, and who went where.
struct Compared {
    spans: (Span, Span),
    all: Moved,
}

/// Where the users of each RFM segment at one date are at another.
pub struct UserSegmentMovement {
    compared: Arc<Compared>,
    info: AggregateInfo,
}

/// Number of users of an RFM segment at a date.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct RfmSegmentSize {
    /// Which segment.
    segment: UserSegmentKind,
    /// Number of users in it.
    users: i32,
}

/// The users that went from one RFM segment to another.
pub struct Taken {
    compared: Arc<Compared>,
    place: i64,
    step: Step,
}

/// The users that went from one RFM segment to another.
pub type UserMovementStep = Member<Taken>;

/// Where the users of each RFM segment at one date are at another, both by what they did in windows of equal length that
/// end with these dates.
#[Object]
impl UserSegmentMovement {
    /// The window that ends with the earlier date.
    async fn before_range(&self) -> TimeSpan {
        self.compared.spans.0.into()
    }

    /// The window that ends with the later date.
    async fn after_range(&self) -> TimeSpan {
        self.compared.spans.1.into()
    }

    /// The sizes of the RFM segments at the earlier date, as `userSegments` gives them for that window.
    async fn before(&self) -> Result<Vec<RfmSegmentSize>> {
        sizes(&self.compared.all.before)
    }

    /// The sizes of the RFM segments at the later date, as `userSegments` gives them for that window.
    async fn after(&self) -> Result<Vec<RfmSegmentSize>> {
        sizes(&self.compared.all.after)
    }

    /// Number of users that are in one and the same segment at both dates.
    async fn stayed(&self) -> Result<i32> {
        self.count(|(from, to)| from.is_some() && from == to)
    }

    /// Number of users that are in one segment at the earlier date and in another at the later.
    async fn moved(&self) -> Result<i32> {
        self.count(|(from, to)| from.is_some() && to.is_some() && from != to)
    }

    /// Number of users that were not scored at the earlier date and are at the later: who did nothing, or too little, in
    /// the first window.
    async fn entered(&self) -> Result<i32> {
        self.count(|(from, _)| from.is_none())
    }

    /// Number of users that were scored at the earlier date and no longer are.
    async fn left(&self) -> Result<i32> {
        self.count(|(_, to)| to.is_none())
    }

    /// Who went where: a step for each pair of segments that users took, in the order of the segments, those that entered
    /// first and those that left last in theirs.
    async fn steps(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 250 by default; 100 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 250 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<UserMovementStepConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = || UserMovementStepConnection::of(&self.compared, request(ctx)?, &page);
        Some(found())
    }

    /// The parameters that applied.
    async fn parameters(&self) -> Result<UserSegmentParameters> {
        UserSegmentParameters::new(&self.compared.all.after.rules)
    }

    /// How fresh and how complete the numbers of the later window are.
    async fn info(&self) -> AggregateInfo {
        self.info.clone()
    }
}

impl UserSegmentMovement {
    fn count(&self, wanted: impl Fn(Step) -> bool) -> Result<i32> {
        count(self.compared.all.movement.count(wanted))
    }
}

fn sizes(segments: &UserSegments) -> Result<Vec<RfmSegmentSize>> {
    let is_rfm = |kind: UserSegment| kind.is_rfm();
    let list = segments.list.iter().filter(|entry| is_rfm(entry.kind));
    list.map(|entry| {
        Ok(RfmSegmentSize {
            segment: entry.kind.into(),
            users: count(entry.size)?,
        })
    })
    .collect()
}

/// The users that went from one RFM segment to another.
#[Object(name = "UserMovementStep")]
impl UserMovementStep {
    /// The segment at the earlier date; null for users that were not scored then.
    async fn from(&self) -> Option<UserSegmentKind> {
        self.step.0.map(Into::into)
    }

    /// The segment at the later date; null for users that are no longer scored.
    async fn to(&self) -> Option<UserSegmentKind> {
        self.step.1.map(Into::into)
    }

    /// Number of users that took this step.
    async fn size(&self) -> Result<i32> {
        count(i64::try_from(self.movers().len()).unwrap_or(i64::MAX))
    }

    /// The users that took it: most actions in the later window first; for those that left, in the earlier.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many from the start, at most 100 by default; 20 unless said otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those behind the one with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100 by default.")] last: Option<i32>,
        #[graphql(desc = "Only those before the one with this cursor.")] before: Option<String>,
    ) -> Option<Result<MovedUserConnection>> {
        let page = PageArgs {
            first,
            after,
            last,
            before,
        };
        let found = async { MovedUserConnection::of(self, request(ctx)?, &page).await };
        Some(found.await)
    }
}

impl Taken {
    fn movers(&self) -> &[Mover] {
        let all = &self.compared.all.movement.0;
        all.get(&self.step).map_or(&[], Vec::as_slice)
    }

    fn page(&self, page: &PageRequest) -> Page<OneMoved> {
        let Moved { before, after, .. } = &self.compared.all;
        let movers: Vec<Mover> = self.movers().to_vec();
        let key = |mover: &Mover| {
            let stats = match (mover.after, mover.before) {
                (Some(place), _) => after.users.get(place),
                (None, place) => place.and_then(|place| before.users.get(place)),
            };
            // Those with a place in the later window come before those without.
            let gone = i64::from(mover.after.is_none());
            let order = stats.map_or((0, 0), |stats| (stats.sums.actions, stats.last_at.micros()));
            (vec![gone, -order.0, -order.1], mover.user_id)
        };
        page_by(movers, page, key).map(|mover| OneMoved {
            compared: Arc::clone(&self.compared),
            mover,
        })
    }
}

connection! {
    /// A page of the steps that users took between segments.
    UserMovementStepConnection, UserMovementStepEdge of UserMovementStep
}

impl UserMovementStepConnection {
    fn of(compared: &Arc<Compared>, request: &RequestContext, page: &PageArgs) -> Result<Self> {
        let order = request.order("userMovementSteps");
        let page = page.request(SEGMENTS, &order)?;
        // Ordered as the domain orders steps: none comes first.
        let segments = i64::try_from(UserSegment::ALL.len()).unwrap_or(i64::MAX);
        let number = |segment: Option<UserSegment>, none: i64| {
            let found = UserSegment::ALL
                .iter()
                .position(|kind| Some(*kind) == segment);
            found.map_or(none, |place| i64::try_from(place).unwrap_or(none))
        };
        let mut steps: Vec<Arc<Taken>> = compared
            .all
            .movement
            .0
            .keys()
            .map(|step| {
                let (from, to) = (number(step.0, -1), number(step.1, segments));
                Arc::new(Taken {
                    compared: Arc::clone(compared),
                    place: (from + 1) * (segments + 1) + to,
                    step: *step,
                })
            })
            .collect();
        steps.sort_by_key(|taken| taken.place);
        let total = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        let page = page_by(steps, &page, |taken| (vec![taken.place], Uuid::nil()));
        Ok(Self {
            slice: Slice::new(page_of_siblings(page), order),
            count: Count::Known(total),
        })
    }
}

/// A user with where it stood at both dates.
pub struct OneMoved {
    compared: Arc<Compared>,
    mover: Mover,
}

/// A user that went from one segment to another.
pub type MovedUser = Member<OneMoved>;

/// A user that went from one segment to another.
#[Object(name = "MovedUser")]
impl MovedUser {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = async {
            self.related(request(ctx)?, "user", |moved| Some(moved.mover.user_id))
                .await
        };
        found.await.transpose()
    }

    /// The scores at the earlier date; null for who did nothing in that window.
    async fn before(&self) -> Result<Option<RfmScore>> {
        let Compared { spans, all } = self.compared.as_ref();
        standing(&all.before, self.mover.before, spans.0)
    }

    /// The scores at the later date; null for who did nothing in that window.
    async fn after(&self) -> Result<Option<RfmScore>> {
        let Compared { spans, all } = self.compared.as_ref();
        standing(&all.after, self.mover.after, spans.1)
    }
}

fn standing(segments: &UserSegments, place: Option<usize>, span: Span) -> Result<Option<RfmScore>> {
    let found = place.and_then(|place| {
        let stats = segments.users.get(place)?;
        Some((stats, segments.scores.get(place).copied().flatten()))
    });
    found
        .map(|(stats, score)| RfmScore::new(stats, score, &segments.rules, span.to))
        .transpose()
}

connection! {
    /// A page of the users that took a step between segments.
    MovedUserConnection, MovedUserEdge of MovedUser
}

impl MovedUserConnection {
    async fn of(
        step: &UserMovementStep,
        request: &RequestContext,
        page: &PageArgs,
    ) -> Result<Self> {
        let order = request.order("movedUsers");
        let page = page.request(ENTITIES, &order)?;
        let load = |group: Arc<Group<Taken>>| {
            let page = page.clone();
            async move {
                let pages = group.all().map(|step| (step.place, step.page(&page)));
                Ok(pages_of_siblings(pages.collect()))
            }
        };
        let pages: Arc<HashMap<i64, _>> = step.batch("users", &page, load).await?;
        let size = i64::try_from(step.movers().len()).unwrap_or(i64::MAX);
        Ok(Self {
            slice: Slice::new(pages.get(&step.place).cloned().unwrap_or_default(), order),
            count: Count::Known(size),
        })
    }
}

/// What a caller asks of movement.
pub struct MovementArgs {
    /// The earlier date; as many days before the later one as the windows are long without.
    pub from: Option<DateTime>,
    /// The later date; the present without.
    pub to: Option<DateTime>,
    /// The length of the windows; the period of the parameters without.
    pub days: Option<i32>,
    /// The currency of the monetary score.
    pub currency: Option<CurrencyCode>,
    /// The parameters of the segments.
    pub rules: Option<UserRulesInput>,
    /// Which actions.
    pub filter: Option<ActionFilter>,
    /// The axis.
    pub axis: Option<DateAxis>,
    /// The zone in which closing days start.
    pub zone: Option<TimeZone>,
}

impl MovementArgs {
    /// Who went where.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn movement(&self, request: &Arc<RequestContext>) -> Result<UserSegmentMovement> {
        let currency = self.currency.map(|currency| currency.0);
        let rules: UserRules = user_rules(self.rules.as_ref(), currency, request).await?;
        let days = self.days.map_or(rules.period_days, i64::from);
        let spans = self.spans(days, request.now)?;
        let filter = filter("filter", self.filter.as_ref(), request).await?;
        let zone = self
            .zone
            .map_or(request.viewer.publisher.zone, |zone| zone.0);
        let axis = self.axis.map_or(Axis::Ordered, Into::into);
        let window = |span| {
            let range = AxisRange { axis, span, zone };
            FactQuery::counted(range, filter.clone())
        };
        let (before, after) = (window(spans.0), window(spans.1));
        let all = moved(&request.tx, request.scope, (&before, &after), &rules).await?;
        let source = segments_source(request, &after).await?;
        Ok(UserSegmentMovement {
            compared: Arc::new(Compared { spans, all }),
            info: AggregateInfo::new(request, after, source),
        })
    }

    fn spans(&self, days: i64, now: Instant) -> Result<(Span, Span)> {
        if !(1..=MAX_PERIOD_DAYS).contains(&days) {
            let message = format!("days is {days}: it must be from 1 to {MAX_PERIOD_DAYS}");
            return Err(Error::bad_input("days", message).into());
        }
        let before = |to: Instant| {
            let from = to.micros() - days * DAY_US;
            Instant::from_micros(from).unwrap_or(Instant::MIN)
        };
        let to = self.to.map_or(now, |to| to.0);
        let from = self.from.map_or_else(|| before(to), |from| from.0);
        if to <= from {
            let message = "to must be later than from: they are the two dates that are compared";
            return Err(Error::bad_input("to", message).into());
        }
        let window = |to: Instant| Span {
            from: before(to),
            to,
        };
        Ok((window(from), window(to)))
    }
}
