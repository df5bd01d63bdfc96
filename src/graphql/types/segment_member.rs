//! Members of segments that callers define, and why they are in them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use uuid::Uuid;

use super::Member;
use super::product::Product;
use super::user::User;
use crate::analytics::built_in;
use crate::domain::filter::{Filter, ProductTest, UserTest};
use crate::domain::page::{Direction, Nulls, Page, SortKey};
use crate::domain::rule::{
    Asked, Called, InSegments, Measure, Segment, SegmentRef, SegmentSet, SetOf, Subject,
};
use crate::graphql::connection::{Count, ENTITIES, PageArgs, Slice, connection};
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::loaders::Entity;
use crate::graphql::siblings::{Group, page_of_siblings};
use crate::store::keyset::printed_order;
use crate::store::members::{self, Explained, Measured};
use crate::store::products::ProductSort;
use crate::store::users::UserSort;
use crate::store::{products, users};

/// A member of a segment.
#[derive(Debug)]
pub struct InSet {
    id: Uuid,
    set: Arc<SegmentSet>,
}

impl InSet {
    fn of(&self, subject: Subject) -> Option<Uuid> {
        (self.set.subject == subject).then_some(self.id)
    }
}

/// A member of a segment.
pub type SegmentMember = Member<InSet>;

/// A member of a segment, and why it is one.
#[Object(name = "SegmentMember")]
impl SegmentMember {
    /// The user; null in a segment of products.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let key = |member: &InSet| member.of(Subject::Users);
        let found = async { self.related(request(ctx)?, "user", key).await };
        found.await.transpose()
    }

    /// The product; null in a segment of users.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let key = |member: &InSet| member.of(Subject::Products);
        let found = async { self.related(request(ctx)?, "product", key).await };
        found.await.transpose()
    }

    /// Each condition of the rule, in its order, and what is true of this member. A frozen segment keeps its members whatever
    /// becomes of them: its one reason is that the member was in the segment that it was frozen from, at which version and
    /// when.
    async fn reasons(&self, ctx: &Context<'_>) -> Result<Vec<SegmentReason>> {
        let request = request(ctx)?;
        let SetOf::Rule { rule, .. } = &self.set.of else {
            return Ok(taken(self, request).await?.into_iter().collect());
        };
        let load = |group: Arc<Group<InSet>>| async move {
            let ids: Vec<Uuid> = group.all().map(|member| member.id).collect();
            let Some(first) = group.all().next() else {
                return Ok(Reasons::default());
            };
            let explained = members::explain(&request.tx, request.scope, &first.set, &ids).await?;
            let told = built_in_told(request, &first.set, ids).await?;
            let why = explained.into_iter().map(|(id, explained)| {
                let told = told.iter().map(|(number, told)| (*number, told.of(id)));
                let told = told.collect();
                (id, Why { explained, told })
            });
            let why = why.collect();
            let called = request.called(rule.things()).await?;
            Ok(Reasons { why, called })
        };
        let all: Arc<Reasons> = self.batch("reasons", &(), load).await?;
        let Some(Why { explained, told }) = all.why.get(&self.id) else {
            return Ok(Vec::new());
        };
        let truths = explained.holds.iter().zip(&explained.measured);
        let conditions = (0..).zip(rule.conditions(&all.called)).zip(truths);
        let reasons = conditions.map(|((number, condition), (holds, measured))| {
            let (needed, own) = told.get(&number).cloned().unzip();
            let measured = || actual(condition.measure, measured.as_ref());
            SegmentReason {
                actual: own.flatten().or_else(measured),
                condition: condition.sentence,
                needed: needed.or(condition.needed),
                holds: *holds,
            }
        });
        Ok(reasons.collect())
    }
}

/// Why members of a frozen segment are in it, the same for all of a page: two statements at most, none for segments that the
/// request knows.
async fn taken(
    member: &SegmentMember,
    request: &Arc<RequestContext>,
) -> Result<Option<SegmentReason>> {
    let load = |group: Arc<Group<InSet>>| async move {
        let Some(id) = group.all().next().map(|member| member.set.id) else {
            return Ok(None);
        };
        let Some(frozen) = request.loaders.one::<Segment>(id).await? else {
            return Ok(None);
        };
        let source = match frozen.frozen_from {
            Some((id, _)) => request.loaders.one::<Segment>(id).await?,
            None => None,
        };
        let sentence = frozen.frozen_sentence(source.as_deref());
        Ok(sentence.map(SegmentReason::of_the_past))
    };
    let reason: Arc<Option<SegmentReason>> = member.batch("frozen", &(), load).await?;
    Ok(reason.as_ref().clone())
}

/// Why a member is in its set.
struct Why {
    explained: Explained,
    /// What conditions on built-in segments need, and what is true of it, by their places in the rule.
    told: HashMap<usize, (String, Option<String>)>,
}

/// Why the members of a page are in their set.
#[derive(Default)]
struct Reasons {
    why: HashMap<Uuid, Why>,
    /// How the things that the rule names are told.
    called: Called,
}

/// What a condition on a built-in segment needs, and what is true of members.
struct Told {
    needed: String,
    actual: HashMap<Uuid, String>,
}

impl Told {
    fn of(&self, member: Uuid) -> (String, Option<String>) {
        (self.needed.clone(), self.actual.get(&member).cloned())
    }
}

/// What there is to say of conditions on built-in segments.
async fn built_in_told(
    request: &RequestContext,
    set: &SegmentSet,
    ids: Vec<Uuid>,
) -> Result<HashMap<usize, Told>> {
    let mut all = HashMap::new();
    let SetOf::Rule { rule, at, zone } = &set.of else {
        return Ok(all);
    };
    let ids: HashSet<Uuid> = ids.into_iter().collect();
    let asked: Vec<(usize, Asked)> = (0..)
        .zip(rule.conditions(&Called::new()))
        .filter_map(|(number, condition)| Some((number, condition.built_in?.asked(*at, *zone))))
        .collect();
    for (number, asked) in asked {
        let parameters = request.segment_parameters().await?;
        let (tx, scope) = (&request.tx, request.scope);
        let (needed, actual) = built_in::explain(tx, scope, &asked, &parameters, &ids).await?;
        all.insert(number, Told { needed, actual });
    }
    Ok(all)
}

/// What was measured, in words.
fn actual(measure: Option<&Measure>, measured: Option<&Measured>) -> Option<String> {
    match (measured, measure) {
        (Some(Measured::Country(country)), _) => country.clone(),
        (Some(Measured::Value(value)), Some(measure)) => Some(measure.shown(*value)),
        (Some(Measured::Place(value, place)), Some(measure)) => {
            Some(format!("{}, at place {place}", measure.shown(*value)))
        }
        (None, Some(measure)) if measure.metric.is_zero_of_nothing() => Some(measure.shown(0)),
        _ => None,
    }
}

/// A condition of a segment's rule, and what is true of a member.
#[derive(Clone, Debug, SimpleObject)]
pub struct SegmentReason {
    /// The condition in words.
    condition: String,
    /// What is needed of what is measured; null for conditions that measure nothing.
    needed: Option<String>,
    /// What was measured; null where nothing is, and where there is nothing to be measured.
    actual: Option<String>,
    /// Whether the condition holds. A member can be in a segment although one does not, where the rule has `or` or `not`.
    holds: bool,
}

impl SegmentReason {
    /// That something was so when it was written down.
    fn of_the_past(condition: String) -> Self {
        Self {
            condition,
            needed: None,
            actual: None,
            holds: true,
        }
    }

    /// That a member of a built-in segment is in it: the condition in words, what it needs, and what is true.
    pub fn of_built_in(condition: String, needed: String, actual: String) -> Self {
        Self {
            condition,
            needed: Some(needed),
            actual: Some(actual),
            holds: true,
        }
    }
}

connection! {
    /// A page of the members of a segment.
    SegmentMemberConnection, SegmentMemberEdge of SegmentMember
}

fn filter_of<T>(set: &Arc<SegmentSet>, test: fn(InSegments) -> T) -> Filter<T> {
    let named = SegmentRef {
        id: set.id,
        set: Some(Arc::clone(set)),
    };
    Filter::Test(test(InSegments {
        inside: true,
        segments: vec![named],
    }))
}

impl SegmentMemberConnection {
    /// A page of the members of a set.
    ///
    /// # Errors
    /// When an argument is not acceptable or the store fails.
    pub async fn of(
        request: &Arc<RequestContext>,
        set: Arc<SegmentSet>,
        page: &PageArgs,
    ) -> Result<Self> {
        let counted = (Arc::clone(request), Arc::clone(&set));
        let count = Count::ask(move || {
            let (request, set) = counted.clone();
            async move {
                let sizes = members::sizes(&request.tx, &[set]).await?;
                Ok(sizes.first().copied().unwrap_or_default())
            }
        });
        let (tx, scope) = (&request.tx, request.scope);
        let (page, order) = if set.subject == Subject::Users {
            let keys = [key(user_sort(request))];
            let order = request.order(&printed_order("segment users", &keys));
            let page = page.request(ENTITIES, &order)?;
            let filter = filter_of(&set, UserTest::Segment);
            let page = users::list(tx, scope, &filter, &keys, &page).await?;
            (in_set(request, page, &set).await, order)
        } else {
            let keys = [key(ProductSort::ExternalId)];
            let order = request.order(&printed_order("segment products", &keys));
            let page = page.request(ENTITIES, &order)?;
            let filter = filter_of(&set, ProductTest::Segment);
            let page = products::list(tx, scope, &filter, &keys, &page).await?;
            (in_set(request, page, &set).await, order)
        };
        Ok(Self {
            slice: Slice::new(page, order),
            count,
        })
    }
}

/// What the members of a segment of users are ordered by. Values that are hidden are all alike: then the order would be that
/// of the stored ids, which are made of them.
fn user_sort(request: &RequestContext) -> UserSort {
    if request.viewer.limits.hide_user_keys {
        UserSort::FirstSeenAt
    } else {
        UserSort::Value
    }
}

fn key<S>(field: S) -> SortKey<S> {
    SortKey {
        field,
        direction: Direction::Asc,
        nulls: Nulls::Last,
    }
}

/// A page of entities as members of a set; the entities are remembered.
async fn in_set<E: Entity>(
    request: &Arc<RequestContext>,
    page: Page<E>,
    set: &Arc<SegmentSet>,
) -> Page<SegmentMember> {
    let page = request.known(page).await;
    page_of_siblings(page.map(|entity| {
        Arc::new(InSet {
            id: entity.key(),
            set: Arc::clone(set),
        })
    }))
}
