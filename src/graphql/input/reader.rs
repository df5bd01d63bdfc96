//! From a filter input to the domain's tree of conditions, within the limits on depth, conditions and values.

use std::cell::Cell;
use std::fmt;

use uuid::Uuid;

use crate::access::user_ids::UserIds;
use crate::domain::error::{Error, PassedLimit};
use crate::domain::filter::{Filter, Op};
use crate::domain::money::Currency;
use crate::domain::query_limits::QueryLimits;
use crate::domain::rule::{Definitions, Refers, Subject};
use crate::domain::stack::with_room;
use crate::domain::text::has_nul;
use crate::domain::time::Instant;
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::IdOf;

/// A step of the way to what is being read.
#[derive(Clone, Copy, Debug)]
enum Step {
    Field(&'static str),
    Item(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Item(number) => number.fmt(f),
        }
    }
}

/// A segment that is named, and where.
#[derive(Clone, Debug)]
pub struct NamedSegment {
    /// Where.
    pub place: String,
    /// Which.
    pub id: Uuid,
    /// What it must be a set of.
    pub subject: Subject,
}

/// A member that a rule lists.
#[derive(Clone, Debug)]
pub struct ListedMember {
    /// Where.
    pub place: String,
    /// As it was written.
    pub written: String,
    /// What names it.
    pub name: MemberName,
}

/// What names a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MemberName {
    /// Its id.
    Id(Uuid),
    /// A user's SubID value, or a product's natural key.
    Text(String),
}

/// Reads one filter: knows where it is and how much of the limits is left.
#[derive(Debug)]
pub struct Reader {
    path: Vec<Step>,
    depth: usize,
    tests: usize,
    values: Cell<usize>,
    kind: Option<IdOf>,
    user_ids: UserIds,
    now: Instant,
    limits: QueryLimits,
    problems: Option<Vec<Failure>>,
    /// Segments that were named, in their order.
    pub named: Vec<NamedSegment>,
    /// Members that were listed, in their order.
    pub listed: Vec<ListedMember>,
    /// Currencies that built-in segments were scored in, and where.
    pub scored: Vec<(String, Currency)>,
}

impl Reader {
    /// A reader of the filter in the argument `argument` of a request.
    pub fn of(argument: &'static str, request: &RequestContext) -> Self {
        let limits = request.limits.queries;
        Self::new(argument, request.now, request.user_ids.clone(), limits)
    }

    /// A reader of the filter in the argument `argument` that is answered at `now`, of a caller who is shown users so; the filter
    /// may be as large as the limits say.
    pub fn new(
        argument: &'static str,
        now: Instant,
        user_ids: UserIds,
        limits: QueryLimits,
    ) -> Self {
        Self {
            path: vec![Step::Field(argument)],
            depth: 0,
            tests: 0,
            values: Cell::new(0),
            kind: None,
            user_ids,
            now,
            limits,
            problems: None,
            named: Vec::new(),
            listed: Vec::new(),
            scored: Vec::new(),
        }
    }

    /// The same reader; one that notes what it cannot accept and reads on, so that all of it can be told at once.
    pub fn noting_problems(mut self) -> Self {
        self.problems = Some(Vec::new());
        self
    }

    /// What was not accepted.
    pub fn problems(self) -> Vec<Failure> {
        self.problems.unwrap_or_default()
    }

    /// What was read, if it was; nothing where it cannot be accepted and problems are noted.
    ///
    /// # Errors
    /// The problem, where they are not noted.
    pub fn keep<R>(&mut self, read: Result<R>) -> Result<Option<R>> {
        match (read, &mut self.problems) {
            (Ok(read), _) => Ok(Some(read)),
            (Err(problem), Some(problems)) => {
                problems.push(problem);
                Ok(None)
            }
            (Err(problem), None) => Err(problem),
        }
    }

    /// Names a segment at the place that is being read.
    pub fn name(&mut self, id: Uuid, subject: Subject) {
        let place = self.place();
        self.named.push(NamedSegment { place, id, subject });
    }

    /// Notes that a built-in segment is scored in a currency, at the place that is being read.
    pub fn scored_in(&mut self, currency: Currency) {
        let place = self.place();
        self.scored.push((place, currency));
    }

    /// How large what is read may be.
    pub fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    /// The point in time at which the request is answered.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The argument and the place in it that is being read.
    pub fn place(&self) -> String {
        let steps: Vec<String> = self.path.iter().map(ToString::to_string).collect();
        steps.join(".")
    }

    /// An error about the place that is being read.
    pub fn refuse(&self, message: &str) -> Error {
        let place = self.place();
        Error::bad_input(place.clone(), format!("{place}: {message}"))
    }

    /// Reads what stands in a field.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn field<R>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        self.path.push(Step::Field(name));
        let result = with_room(|| read(self));
        self.path.pop();
        result
    }

    /// Reads an item of a list.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn item<R>(
        &mut self,
        number: usize,
        read: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        self.path.push(Step::Item(number));
        let result = with_room(|| read(self));
        self.path.pop();
        result
    }

    /// Reads a filter within a filter.
    ///
    /// # Errors
    /// Where filters nest too deeply, and what `read` fails with.
    pub fn nested<R>(
        &mut self,
        kind: Option<IdOf>,
        read: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        let most = self.limits.filters.depth;
        if self.depth >= most {
            let place = self.place();
            let message = format!(
                "{place} is deeper than the {most} levels that a filter may nest: write it flatter"
            );
            let passed = PassedLimit::of("filterDepth", most, self.depth + 1);
            return Err(Error::limit(place, passed, message).into());
        }
        let outer = std::mem::replace(&mut self.kind, kind);
        self.depth += 1;
        let tests = self.tests;
        let result = with_room(|| read(self));
        self.depth -= 1;
        self.kind = outer;
        let result = result?;
        if self.tests == tests {
            // An empty one is a condition as well: thousands of them would have to be written into SQL.
            self.test()?;
        }
        Ok(result)
    }

    /// Counts one more condition.
    ///
    /// # Errors
    /// Beyond the limit.
    pub fn test(&mut self) -> Result<()> {
        self.tests += 1;
        let most = self.limits.filters.conditions;
        if self.tests > most {
            let place = self.place();
            let message = format!(
                "{place}: a filter may hold {most} conditions, this one holds more: leave some out, or name several values in one `in`"
            );
            let passed = PassedLimit::of("filterConditions", most, self.tests);
            return Err(Error::limit(place, passed, message).into());
        }
        Ok(())
    }

    /// Counts the values of one more list.
    ///
    /// # Errors
    /// Beyond the limit of one list, or of all lists of the filter.
    pub fn values(&self, count: usize) -> Result<()> {
        let most = self.limits.filters.values;
        if count > most {
            let place = self.place();
            let message = format!(
                "{place} lists {count} values, the most is {most}: ask in several requests"
            );
            let passed = PassedLimit::of("filterValues", most, count);
            return Err(Error::limit(place, passed, message).into());
        }
        self.values.set(self.values.get() + count);
        let most = self.limits.filters.all_values;
        if self.values.get() > most {
            let place = self.place();
            let message = format!(
                "{place}: the lists of a filter may have {most} values together, these have more: ask in \
                 several requests"
            );
            let passed = PassedLimit::of("filterAllValues", most, self.values.get());
            return Err(Error::limit(place, passed, message).into());
        }
        Ok(())
    }

    /// A text that both databases can hold.
    ///
    /// # Errors
    /// When it contains U+0000.
    pub fn text(&self, text: &str) -> Result<String> {
        if has_nul(text) {
            return Err(self
                .refuse("a text with the character U+0000 matches nothing and is refused")
                .into());
        }
        Ok(text.to_owned())
    }

    /// The key in a global id of the type that is being filtered.
    ///
    /// # Errors
    /// When it is no id of that type.
    pub fn key(&self, id: &async_graphql::ID) -> Result<Uuid> {
        let kind = self
            .kind
            .ok_or_else(|| self.refuse("there are no ids here"))?;
        self.key_of(kind, id)
    }

    /// The key in a global id of a type, as the caller is shown such ids.
    ///
    /// # Errors
    /// When it is no id of that type.
    pub fn key_of(&self, of: IdOf, id: &async_graphql::ID) -> Result<Uuid> {
        of.key(id, &self.user_ids).ok_or_else(|| {
            let wanted = of.name();
            self.refuse(&format!(
                "that is no id of type {wanted}; pass one that the API returned"
            ))
            .into()
        })
    }
}

/// An operator input: the operators that were given, all of which must hold.
pub trait Operators {
    /// Reads them, in the order of the schema.
    ///
    /// # Errors
    /// When a value cannot be compared with, or a limit is passed.
    fn read(&self, reader: &mut Reader) -> Result<Vec<Op>>;
}

/// A filter input over conditions `T`.
pub trait Conditions<T> {
    /// The type whose ids it compares.
    const KIND: Option<IdOf>;

    /// Reads it.
    ///
    /// # Errors
    /// When something in it cannot be compared with, or a limit is passed.
    fn read(&self, reader: &mut Reader) -> Result<Filter<T>>;
}

/// Reads the filter of an argument, with the segments that it names in their places; without one everything passes.
///
/// # Errors
/// When something in it cannot be compared with, a limit is passed, or the store fails.
pub async fn filter<T, F>(
    argument: &'static str,
    given: Option<&F>,
    request: &RequestContext,
) -> Result<Filter<T>>
where
    T: Send,
    F: Conditions<T> + Sync,
    Filter<T>: Refers,
{
    let Some(given) = given else {
        return Ok(Filter::default());
    };
    let mut reader = Reader::of(argument, request);
    let mut filter = reader.nested(F::KIND, |reader| given.read(reader))?;
    let mut all = request.no_definitions();
    if !reader.named.is_empty() {
        let named = reader.named.iter().map(|named| named.id);
        all = request.definitions(named).await?;
    }
    let mut problems = unfit_segments(&all, &reader.named);
    problems.extend(unfit_currencies(request, &reader.scored).await?);
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    all.check_named(argument, &mut filter)?;
    request.fill_in(&all, &mut filter).await?;
    Ok(filter)
}

/// What is wrong with currencies that built-in segments are scored in: the publisher's thresholds are amounts in another.
///
/// # Errors
/// When the store fails.
pub async fn unfit_currencies(
    request: &RequestContext,
    scored: &[(String, Currency)],
) -> Result<Vec<Error>> {
    if scored.is_empty() {
        return Ok(Vec::new());
    }
    let parameters = request.segment_parameters().await?;
    let unfit = scored.iter().filter_map(|(place, currency)| {
        let why = parameters.of_users(Some(*currency)).err()?;
        let message = format!("{place}: {}", why.message());
        Some(Error::bad_input(place.clone(), message))
    });
    Ok(unfit.collect())
}

/// What is wrong with segments that were named.
pub fn unfit_segments(all: &Definitions, named: &[NamedSegment]) -> Vec<Error> {
    let unfit = named.iter().filter_map(|named| {
        let place = &named.place;
        let why = match all.segment(named.id) {
            None => "there is no such segment; `segments` lists them".to_owned(),
            Some(segment) if segment.archived_at.is_some() => format!(
                "the segment {:?} is archived: restore it with restoreSegment, or name another one",
                segment.name
            ),
            Some(segment) if segment.subject != named.subject => format!(
                "the segment {:?} is one of {}, and one of {} is needed here",
                segment.name,
                segment.subject.as_str(),
                named.subject.as_str()
            ),
            Some(_) => return None,
        };
        Some(Error::bad_input(place.clone(), format!("{place}: {why}")))
    });
    unfit.collect()
}
