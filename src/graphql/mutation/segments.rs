//! Segments are defined, changed, put away and frozen; fields that change the list of priority products stand beside.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use uuid::Uuid;

use super::UserError;
use super::priority::{PriorityProductsPayload, prioritise};
use crate::access::key::new_id;
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::rule;
use crate::domain::rule::MAX_TEXT;
use crate::domain::scope::{KeyScope, WriteScope};
use crate::domain::time::Instant;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::Kind;
use crate::graphql::input::rule::{ProductList, SegmentRuleInput};
use crate::graphql::segment_reading::{ReadRule, cycle, read_rule};
use crate::graphql::siblings::alone;
use crate::graphql::types::segment::Segment;
use crate::store::Store;
use crate::store::apply::priority::ListChange;
use crate::store::apply::segments::{Change, Order, Refused, Written, carry_out};
use crate::store::definitions;

/// What became of a segment.
#[derive(Clone, Default, SimpleObject)]
pub struct SegmentPayload {
    /// The segment as it is now. Null where nothing was done.
    segment: Option<Segment>,
    /// What is wrong, all of it at once; then nothing was done.
    user_errors: Vec<UserError>,
    /// What is worth knowing: listed members that are not known yet, and are in the segment as soon as they arrive.
    warnings: Vec<UserError>,
}

/// Segments and the list of priority products.
#[derive(Default)]
pub struct SegmentMutations;

#[Object]
impl SegmentMutations {
    /// Defines a segment. Needs a key with the scope SEGMENTS.
    async fn create_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Its name, 1 to 200 characters, unique among those that are not archived, without regard to case."
        )]
        name: String,
        #[graphql(desc = "What it is for, at most 2000 characters.", default)] description: String,
        #[graphql(desc = "Who is in it.")] rule: SegmentRuleInput,
    ) -> Option<Result<SegmentPayload>> {
        let done = async {
            let request = request(ctx)?;
            let given = given_rule(ctx)?.unwrap_or_default();
            create(request, (name, description), &rule, given).await
        };
        Some(done.await)
    }

    /// Changes a segment; what is left out stays. The earlier version stays readable. Needs a key with the scope SEGMENTS.
    async fn update_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(
            desc = "The version that the change is made to: where the segment has another one by now, nothing is done, and a user error says CONFLICT."
        )]
        expected_version: i32,
        #[graphql(desc = "A new name, as in `createSegment`.")] name: Option<String>,
        #[graphql(desc = "A new description.")] description: Option<String>,
        #[graphql(desc = "A new rule, of the same subject.")] rule: Option<SegmentRuleInput>,
    ) -> Option<Result<SegmentPayload>> {
        let done = async {
            let request = request(ctx)?;
            let given = given_rule(ctx)?.unwrap_or_default();
            let rule = rule.as_ref().map(|rule| (rule, given));
            update(request, (id, expected_version), (name, description), rule).await
        };
        Some(done.await)
    }

    /// Puts a segment away that no other one names: its name is free, and no filter can name it. Needs a key with the scope
    /// SEGMENTS.
    async fn archive_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "The version that it must have; any unless given.")]
        expected_version: Option<i32>,
    ) -> Option<Result<SegmentPayload>> {
        let done = async { put(request(ctx)?, &id, expected_version, Order::Archive).await };
        Some(done.await)
    }

    /// Takes a segment back that was put away. Needs a key with the scope SEGMENTS.
    async fn restore_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "The version that it must have; any unless given.")]
        expected_version: Option<i32>,
        #[graphql(
            desc = "A new name, as in `createSegment`, where another segment has its own by now; then it has a new version."
        )]
        name: Option<String>,
    ) -> Option<Result<SegmentPayload>> {
        let done = async {
            let request = request(ctx)?;
            request.viewer.check(KeyScope::Segments)?;
            let name = match name.as_deref().map(check_name).transpose() {
                Ok(name) => name,
                Err(problem) => return Ok(wrong(vec![problem])),
            };
            let order = |id, expected, now| Order::Restore(id, expected, name, now);
            put(request, &id, expected_version, order).await
        };
        Some(done.await)
    }

    /// Takes the members that a segment has now as a new segment, which is frozen: its members stay, whatever becomes of
    /// them. The segment itself goes on. Needs a key with the scope SEGMENTS.
    async fn freeze_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(
            desc = "The name of the new segment, as in `createSegment`; that of the segment and the present unless given."
        )]
        name: Option<String>,
        #[graphql(desc = "What the new segment is for.")] description: Option<String>,
        #[graphql(desc = "The version that the segment must have; any unless given.")]
        expected_version: Option<i32>,
    ) -> Option<Result<SegmentPayload>> {
        let done = async {
            let source = (&id, expected_version);
            freeze(request(ctx)?, source, (name, description)).await
        };
        Some(done.await)
    }

    /// Makes the list of priority products exactly these. Needs a key with the scope SEGMENTS.
    async fn set_priority_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] products: ProductList,
        #[graphql(
            desc = "The version of the list that the change was made from, as `awaitedProducts { listVersion }` or an earlier change said: another one by now is a conflict, and nothing is changed. Whatever it is unless given."
        )]
        expected_version: Option<String>,
    ) -> Option<Result<PriorityProductsPayload>> {
        let change = (ListChange::Set, expected_version.as_deref());
        let done = async { prioritise(request(ctx)?, change, &products).await };
        Some(done.await)
    }

    /// Puts products on the list of priority products. Needs a key with the scope SEGMENTS.
    async fn add_priority_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] products: ProductList,
        #[graphql(
            desc = "The version of the list that the change was made from, as `awaitedProducts { listVersion }` or an earlier change said: another one by now is a conflict, and nothing is changed. Whatever it is unless given."
        )]
        expected_version: Option<String>,
    ) -> Option<Result<PriorityProductsPayload>> {
        let change = (ListChange::Add, expected_version.as_deref());
        let done = async { prioritise(request(ctx)?, change, &products).await };
        Some(done.await)
    }

    /// Takes products off the list of priority products. Needs a key with the scope SEGMENTS.
    async fn remove_priority_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] products: ProductList,
        #[graphql(
            desc = "The version of the list that the change was made from, as `awaitedProducts { listVersion }` or an earlier change said: another one by now is a conflict, and nothing is changed. Whatever it is unless given."
        )]
        expected_version: Option<String>,
    ) -> Option<Result<PriorityProductsPayload>> {
        let change = (ListChange::Remove, expected_version.as_deref());
        let done = async { prioritise(request(ctx)?, change, &products).await };
        Some(done.await)
    }
}

/// The argument `rule` as it was given, with the values of variables: JSON.
fn given_rule(ctx: &Context<'_>) -> Result<Option<String>> {
    let unreadable = || Failure::internal("the rule of a segment cannot be read twice");
    let arguments = ctx.field().arguments().map_err(|_| unreadable())?;
    let given = arguments.into_iter().find(|(name, _)| name == "rule");
    let Some((_, value)) = given else {
        return Ok(None);
    };
    let json = value.into_json().map_err(|_| unreadable())?;
    Ok(Some(json.to_string()))
}

/// The right to write segments, and where.
pub(super) fn writing(request: &RequestContext) -> Result<(Store, WriteScope)> {
    request.viewer.check(KeyScope::Segments)?;
    let scope = WriteScope::for_entrance(request.viewer.publisher.id);
    Ok((request.tx.store().clone(), scope))
}

fn wrong(user_errors: Vec<UserError>) -> SegmentPayload {
    SegmentPayload {
        user_errors,
        ..SegmentPayload::default()
    }
}

/// A name as it is kept, or what is wrong with it.
fn check_name(name: &str) -> std::result::Result<String, UserError> {
    let name = name.trim();
    let why = if name.is_empty() {
        "a segment needs a name".to_owned()
    } else if name.chars().count() > MAX_TEXT {
        format!("the name is longer than {MAX_TEXT} characters: shorten it")
    } else if name.chars().any(char::is_control) {
        "the name holds a control character, such as a line break: leave it out".to_owned()
    } else {
        return Ok(name.to_owned());
    };
    Err(UserError::new("name", Code::BadUserInput, why))
}

fn check_description(text: &str) -> std::result::Result<String, UserError> {
    let limit = 10 * MAX_TEXT;
    if text.chars().count() > limit {
        let why = format!("the description is longer than {limit} characters: shorten it");
        return Err(UserError::new("description", Code::BadUserInput, why));
    }
    if crate::domain::text::has_nul(text) {
        let why = "the description holds the character U+0000: leave it out";
        return Err(UserError::new("description", Code::BadUserInput, why));
    }
    Ok(text.trim().to_owned())
}

/// A fresh id.
fn fresh(request: &RequestContext) -> Result<Uuid> {
    let millis = u64::try_from(request.now.micros() / 1_000).unwrap_or_default();
    new_id(millis).map_err(|error| Error::internal(error.to_string()).into())
}

async fn create(
    request: &Arc<RequestContext>,
    (name, description): (String, String),
    rule: &SegmentRuleInput,
    given: String,
) -> Result<SegmentPayload> {
    let (store, scope) = writing(request)?;
    let mut problems = Vec::new();
    let name = check_name(&name).map_err(|problem| problems.push(problem));
    let description = check_description(&description).map_err(|problem| problems.push(problem));
    let read = match read_rule(request, rule, None).await? {
        Ok(read) => Some(read),
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    if !problems.is_empty() {
        problems.extend(foreseen(request, name.as_deref().ok(), None).await?);
    }
    let (Ok(name), Ok(description), Some(read)) = (name, description, read) else {
        return Ok(wrong(problems));
    };
    let ReadRule { rule, warnings, .. } = read;
    let segment = rule::Segment {
        id: fresh(request)?,
        subject: rule.subject(),
        name,
        description,
        version: 1,
        created_at: request.now,
        updated_at: request.now,
        frozen_at: None,
        frozen_from: None,
        archived_at: None,
    };
    let order = Order::Create {
        segment,
        rule,
        given,
        members: None,
    };
    let written = carry_out(store, scope, order, request.note()?).await?;
    let payload = finish(request, written, "name").await?;
    Ok(SegmentPayload {
        warnings,
        ..payload
    })
}

/// What a write would be refused for beside other problems, as far as it can be seen before the lock is taken, so that all of
/// it is told at once: of a new segment, or of a change of `own`, its name.
async fn foreseen(
    request: &RequestContext,
    name: Option<&str>,
    own: Option<Uuid>,
) -> Result<Vec<UserError>> {
    let (tx, scope) = (&request.tx, request.scope);
    let mut found = Vec::new();
    if let Some(name) = name
        && definitions::is_taken(tx, scope, name, own).await?
    {
        found.extend(refused(Refused::NameTaken, "name").user_errors);
    }
    let most = request.limits.queries.rules.segments;
    if own.is_none() && definitions::kept(tx, scope).await? >= most {
        found.extend(refused(Refused::Full(most), "name").user_errors);
    }
    Ok(found)
}

/// Why a change cannot be made to a segment as it is, if it cannot.
fn unfit(segment: &rule::Segment, expected: Option<i32>, has_rule: bool) -> Option<Refused> {
    if expected.is_some_and(|expected| expected != segment.version) {
        Some(Refused::Moved(segment.version))
    } else if segment.archived_at.is_some() {
        Some(Refused::Archived)
    } else if segment.frozen_at.is_some() && has_rule {
        Some(Refused::Frozen)
    } else {
        None
    }
}

/// Puts a segment away or takes it back, as `order` says of its id, the version that it must have, and the present.
async fn put(
    request: &Arc<RequestContext>,
    id: &ID,
    expected: Option<i32>,
    order: impl FnOnce(Uuid, Option<i32>, Instant) -> Order,
) -> Result<SegmentPayload> {
    let (store, scope) = writing(request)?;
    let Some(key) = Kind::Segment.key(id) else {
        return Ok(refused(Refused::Missing, "id"));
    };
    let order = order(key, expected, request.now);
    finish(
        request,
        carry_out(store, scope, order, request.note()?).await?,
        "id",
    )
    .await
}

async fn update(
    request: &Arc<RequestContext>,
    (id, expected): (ID, i32),
    (name, description): (Option<String>, Option<String>),
    rule: Option<(&SegmentRuleInput, String)>,
) -> Result<SegmentPayload> {
    let (store, scope) = writing(request)?;
    let key = Kind::Segment.key(&id);
    let all = request.definitions(key).await?;
    let Some((key, segment)) = key.and_then(|key| Some((key, all.segment(key)?.clone()))) else {
        return Ok(refused(Refused::Missing, "id"));
    };
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut has_rule = false;
    let mut change = Change {
        id: key,
        expected,
        name: None,
        description: None,
        rule: None,
        now: request.now,
    };
    if let Some(name) = name {
        let name = check_name(&name).map_err(|problem| problems.push(problem));
        change.name = name.ok();
    }
    if let Some(text) = description {
        let text = check_description(&text).map_err(|problem| problems.push(problem));
        change.description = text.ok();
    }
    if let Some((rule, given)) = rule {
        has_rule = true;
        match read_rule(request, rule, Some(&segment)).await? {
            Ok(read) => {
                warnings = read.warnings;
                change.rule = Some((read.rule, given));
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        let unfit = unfit(&segment, Some(expected), has_rule);
        problems.extend(
            unfit
                .into_iter()
                .flat_map(|why| refused(why, "id").user_errors),
        );
        problems.extend(foreseen(request, change.name.as_deref(), Some(key)).await?);
        return Ok(wrong(problems));
    }
    let written = carry_out(store, scope, Order::Update(change), request.note()?).await?;
    let payload = finish(request, written, "expectedVersion").await?;
    Ok(SegmentPayload {
        warnings,
        ..payload
    })
}

async fn freeze(
    request: &Arc<RequestContext>,
    (id, expected): (&ID, Option<i32>),
    (name, description): (Option<String>, Option<String>),
) -> Result<SegmentPayload> {
    let (store, scope) = writing(request)?;
    let key = Kind::Segment.key(id);
    let all = request.definitions(key).await?;
    let found = key.and_then(|key| Some((all.segment(key)?.clone(), all.rule(key)?.clone())));
    let Some((source, rule)) = found else {
        return Ok(refused(Refused::Missing, "id"));
    };
    let unfit = unfit(&source, expected, false);
    let unfit = unfit.map(|why| refused(why, "id").user_errors);
    let mut problems = unfit.unwrap_or_default();
    let usual = || {
        let end = format!(" {}", request.now.to_rfc3339());
        let room = MAX_TEXT.saturating_sub(end.chars().count());
        let start: String = source.name.chars().take(room).collect();
        format!("{start}{end}")
    };
    let name = check_name(&name.unwrap_or_else(usual)).map_err(|problem| problems.push(problem));
    let description = description.unwrap_or_else(|| source.description.clone());
    let description = check_description(&description).map_err(|problem| problems.push(problem));
    if !problems.is_empty() {
        problems.extend(foreseen(request, name.as_deref().ok(), None).await?);
        return Ok(wrong(problems));
    }
    let (Ok(name), Ok(description)) = (name, description) else {
        return Ok(wrong(problems));
    };
    let (tx, ids) = (&request.tx, [source.id]);
    let mut given = definitions::given(tx, request.scope, &ids).await?;
    let given = given.remove(&source.id).unwrap_or_else(|| "{}".to_owned());
    let moment = request.moment(request.now);
    let set = request.sets(&all, &[source.id], &[moment]).await?.pop();
    let frozen = rule::Segment {
        id: fresh(request)?,
        subject: source.subject,
        name,
        description,
        version: 1,
        created_at: request.now,
        updated_at: request.now,
        frozen_at: Some(request.now),
        frozen_from: Some((source.id, source.version)),
        archived_at: None,
    };
    let order = Order::Create {
        segment: frozen,
        rule,
        given,
        members: set,
    };
    let written = carry_out(store, scope, order, request.note()?).await?;
    finish(request, written, "name").await
}

/// The answer to a write; what it reads is read behind the write.
async fn finish(
    request: &Arc<RequestContext>,
    written: Written,
    field: &str,
) -> Result<SegmentPayload> {
    let segment = match written {
        Ok(segment) => segment,
        Err(refusal) => return Ok(refused(refusal, field)),
    };
    request.renew().await;
    Ok(SegmentPayload {
        segment: Some(alone(Arc::new(segment))),
        ..SegmentPayload::default()
    })
}

/// Why a segment was not written, as a value.
fn refused(refusal: Refused, field: &str) -> SegmentPayload {
    let passed = match &refusal {
        Refused::Full(most) => Some(PassedLimit::of("segments", *most, most.saturating_add(1))),
        Refused::TooLarge(passed, _) | Refused::TooLargeFor(_, passed, _) => *passed,
        _ => None,
    };
    let (field, code, message) = match refusal {
        Refused::Missing => (
            "id",
            Code::NotFound,
            "there is no such segment; `segments` lists them".to_owned(),
        ),
        Refused::Moved(version) => (
            "expectedVersion",
            Code::Conflict,
            format!("the segment has version {version} by now: read it again and decide anew"),
        ),
        Refused::NameTaken => (
            "name",
            Code::Conflict,
            "another segment has this name: take another one, or archive that one".to_owned(),
        ),
        Refused::Full(most) => (
            field,
            Code::LimitExceeded,
            format!("there are {most} segments, the most that there can be: archive some"),
        ),
        Refused::Archived => (
            "id",
            Code::Conflict,
            "the segment is archived: restore it first".to_owned(),
        ),
        Refused::NotArchived => (
            "name",
            Code::Conflict,
            "the segment is not archived: `updateSegment` changes its name".to_owned(),
        ),
        Refused::Frozen => (
            "rule",
            Code::Conflict,
            "the segment is frozen, its members stay as they are: change the one that it was frozen from".to_owned(),
        ),
        Refused::NamesArchived(names) => (
            "rule",
            Code::BadUserInput,
            format!(
                "the rule names segments that are archived: {}; restore them, or leave them out",
                names.join(", ")
            ),
        ),
        Refused::Cycle(way) => return wrong(vec![cycle("rule", &way)]),
        Refused::TooLarge(_, excess) => ("rule", Code::LimitExceeded, excess),
        Refused::TooLargeFor(name, _, excess) => (
            "rule",
            Code::LimitExceeded,
            format!("the segment {name:?} names this one, and would be beyond the limits with the new rule: {excess}"),
        ),
        Refused::Unscored(currency, why) => (
            "rule",
            Code::Conflict,
            format!(
                "the rule asks for a built-in segment in {currency}, and the publisher's settings do not go with it: {why}"
            ),
        ),
        Refused::Named(names) => (
            "id",
            Code::Conflict,
            format!("these segments name it: {}; change or archive them first", names.join(", ")),
        ),
    };
    wrong(vec![UserError::new(field, code, message).passing(passed)])
}
