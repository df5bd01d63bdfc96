//! A rule as a caller sent it becomes one that can be evaluated, or all that is wrong with it at once.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::context::RequestContext;
use super::error::{Failure, Result};
use super::input::reader::{
    ListedMember, MemberName, NamedSegment, Reader, unfit_currencies, unfit_segments,
};
use super::input::rule::SegmentRuleInput;
use super::mutation::{UserError, bounded};
use crate::domain::action::SOURCE;
use crate::domain::error::Code;
use crate::domain::id::{Kind, derive};
use crate::domain::rule::{Definitions, Rule, Segment, Subject};
use crate::store::members::{known_ids, known_values};

/// A rule that was read.
pub struct ReadRule {
    /// The rule.
    pub rule: Rule,
    /// The segments that it names, with all that these name.
    pub all: Definitions,
    /// Listed members that are not known yet.
    pub warnings: Vec<UserError>,
}

/// Reads a rule; that of the segment `of`, if it is one's. All that is wrong with it comes back as values.
///
/// # Errors
/// When the store fails.
pub async fn read_rule(
    request: &Arc<RequestContext>,
    given: &SegmentRuleInput,
    of: Option<&Segment>,
) -> Result<std::result::Result<ReadRule, Vec<UserError>>> {
    let mut reader = Reader::of("rule", request).noting_problems();
    let rule = given.read(&mut reader)?;
    let named = std::mem::take(&mut reader.named);
    let listed = std::mem::take(&mut reader.listed);
    let scored = std::mem::take(&mut reader.scored);
    let mut problems: Vec<UserError> = reader.problems().iter().map(user_error).collect();
    let all = request
        .definitions(named.iter().map(|named| named.id))
        .await?;
    let mut unfit = unfit_segments(&all, &named);
    unfit.extend(unfit_currencies(request, &scored).await?);
    let unfit = unfit.into_iter().map(Failure::from);
    problems.extend(unfit.map(|problem| user_error(&problem)));
    let own = of.map(|segment| segment.id);
    problems.extend(beyond(&all, rule.as_ref(), (&named, own)));
    let other = of.filter(|segment| segment.subject != given.subject());
    problems.extend(other.map(of_another_subject));
    let Some(rule) = rule.filter(|_| problems.is_empty()) else {
        return Ok(Err(bounded(problems, "rule")));
    };
    let warnings = unknown(request, rule.subject(), &listed).await?;
    Ok(Ok(ReadRule {
        rule,
        all,
        warnings,
    }))
}

/// What is wrong with what a rule names: each segment that leads back to `own` or is too deep at its place, and the rule where
/// it is too large with all of them.
fn beyond(
    all: &Definitions,
    rule: Option<&Rule>,
    (named, own): (&[NamedSegment], Option<Uuid>),
) -> Vec<UserError> {
    let back = |named: &NamedSegment| {
        let way = all.way_back(own?, named.id)?;
        Some(cycle(&named.place, &way))
    };
    let mut problems: Vec<UserError> = named.iter().filter_map(back).collect();
    if !problems.is_empty() {
        return problems;
    }
    problems.extend(named.iter().filter_map(|NamedSegment { place, id, .. }| {
        let error = all.check_depth(*id).err()?;
        let message = format!("{place}: {}", error.message());
        Some(user_error(&error.reworded(place, message).into()))
    }));
    let size = rule.and_then(|rule| all.size(rule).ok());
    let excess = size.and_then(|size| size.excess(all.limits()));
    problems.extend(excess.map(|excess| user_error(&excess.into())));
    problems
}

/// That a rule cannot be the new one of a segment, because it is of another subject.
fn of_another_subject(segment: &Segment) -> UserError {
    let message = format!(
        "the segment is one of {}, which no change makes one of another subject: create a new one",
        segment.subject.as_str()
    );
    UserError::new("rule", Code::BadUserInput, message)
}

/// That a rule leads back to its segment on a way that begins at a place.
pub fn cycle(place: &str, way: &[String]) -> UserError {
    let message = format!(
        "the rule leads back to its own segment, by way of {}: leave that segment out, or freeze it and name what it was",
        way.join(" → ")
    );
    UserError::new(place, Code::BadUserInput, message)
}

/// An error as a value, with its place as a path.
pub fn user_error(problem: &Failure) -> UserError {
    UserError::of(problem.error(), "rule")
}

/// Which of the listed members are not known.
///
/// # Errors
/// When the store fails.
pub async fn unknown(
    request: &Arc<RequestContext>,
    subject: Subject,
    listed: &[ListedMember],
) -> Result<Vec<UserError>> {
    let (tx, scope) = (&request.tx, request.scope);
    let id_of = |listed: &ListedMember| match (&listed.name, subject) {
        (MemberName::Id(id), _) => Some(*id),
        (MemberName::Text(key), Subject::Products) => Some(derive(
            scope.publisher(),
            Kind::Product,
            &format!("{SOURCE}\0{key}"),
        )),
        (MemberName::Text(_), Subject::Users) => None,
    };
    let ids: Vec<Uuid> = listed.iter().filter_map(id_of).collect();
    let ids: HashSet<Uuid> = known_ids(tx, scope, subject, &ids).await?;
    let values = listed.iter().filter_map(|listed| match &listed.name {
        MemberName::Text(text) if subject == Subject::Users => Some(text.as_str()),
        _ => None,
    });
    let values = known_values(tx, scope, &values.collect::<Vec<_>>()).await?;
    let is_known = |listed: &&ListedMember| match (id_of(listed), &listed.name) {
        (Some(id), _) => ids.contains(&id),
        (None, MemberName::Text(text)) => values.contains(text),
        (None, MemberName::Id(_)) => false,
    };
    let unknown = listed.iter().filter(|one| !is_known(one));
    let warnings = unknown.map(|listed| {
        let message = format!("{:?} is not known", listed.written);
        UserError::new(&listed.place, Code::NotFound, message)
    });
    let first = listed.first().and_then(|one| one.place.split('.').next());
    Ok(bounded(warnings, first.unwrap_or("rule")))
}
