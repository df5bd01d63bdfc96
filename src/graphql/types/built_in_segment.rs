//! A built-in segment where it stands beside those that someone defined: as a group of a report, or laid over others.

use std::sync::Arc;

use async_graphql::SimpleObject;

use super::drill_down::RangeValue;
use super::segment::SegmentSubject;
use super::words::{ProductSegmentKind, UserSegmentKind};
use crate::domain::rule::{BuiltIn, BuiltInKind, SegmentSet, Subject};
use crate::domain::segment::UserSegment;
use crate::domain::time::{Instant, Span};
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::input::built_in::{BuiltInSegmentInput, list};
use crate::graphql::input::reader::{Reader, unfit_currencies};
use crate::graphql::scalar::{CountryCode, CurrencyCode};

/// A built-in segment over a period, as it was asked for. Its members are those of `userSegments` or `productSegments` over
/// the period, with the parameters that the publisher has set.
#[derive(Clone, Debug, SimpleObject)]
pub struct BuiltInSegment {
    /// What it is a set of.
    subject: SegmentSubject,
    /// Its name for people; segments by country carry the country's code, those by device the device's class.
    name: String,
    /// Which segment of users; null for one of products.
    user_kind: Option<UserSegmentKind>,
    /// Which segment of products; null for one of users.
    product_kind: Option<ProductSegmentKind>,
    /// The country of a segment by country; null for users whose latest action names none, and for all other segments.
    country: Option<CountryCode>,
    /// The class of a segment by device; null for users whose latest action names none, and for all other segments.
    device: Option<String>,
    /// The currency of amounts that was asked for; null where the publisher's setting applies.
    currency: Option<CurrencyCode>,
    /// Its period at the moment of the question, in the form that a `RangeInput` takes.
    range: RangeValue,
}

impl BuiltInSegment {
    fn new(built_in: &BuiltIn, request: &RequestContext, at: Instant) -> Self {
        let zone = request.viewer.publisher.zone;
        // A period that would begin before 1970 is all time.
        let all = Span {
            from: Instant::MIN,
            to: at,
        };
        let period = built_in.resolved(at, zone);
        let span = period.map_or(all, |period| period.current);
        let (user_kind, product_kind, origin) = match &built_in.kind {
            BuiltInKind::Users { kind, origin } => (Some(*kind), None, origin.clone()),
            BuiltInKind::Products(kind) => (None, Some(*kind), None),
        };
        let by = |kind: UserSegment| origin.clone().filter(|_| user_kind == Some(kind));
        Self {
            subject: built_in.kind.subject().into(),
            name: name(&built_in.kind),
            country: by(UserSegment::Country).map(CountryCode),
            device: by(UserSegment::Device),
            user_kind: user_kind.map(Into::into),
            product_kind: product_kind.map(Into::into),
            currency: built_in.currency.map(CurrencyCode),
            range: RangeValue(span),
        }
    }
}

/// The name for people of a kind.
fn name(kind: &BuiltInKind) -> String {
    match kind {
        BuiltInKind::Users { kind, origin } => user_segment_name(*kind, origin.as_deref()),
        BuiltInKind::Products(kind) => ProductSegmentKind::from(*kind).name().to_owned(),
    }
}

/// The name for people of a segment of users; those by country carry the country's code, those by device its class.
pub fn user_segment_name(kind: UserSegment, origin: Option<&str>) -> String {
    let name = UserSegmentKind::from(kind).name();
    match kind {
        UserSegment::Country | UserSegment::Device => {
            format!("{name} {}", origin.unwrap_or("unknown"))
        }
        _ => name.to_owned(),
    }
}

/// A built-in segment that was asked for, and who is in it.
#[derive(Clone, Debug)]
pub struct AskedBuiltIn {
    /// What it is.
    pub segment: BuiltInSegment,
    /// Who is in it.
    pub set: Arc<SegmentSet>,
}

impl AskedBuiltIn {
    /// What it is a set of.
    pub fn subject(&self) -> Subject {
        self.set.subject
    }
}

/// The built-in segments that an argument lists, in their order, as of a point in time.
///
/// # Errors
/// When one cannot be accepted or is named twice, or the members cannot be looked up.
pub async fn built_in_of(
    request: &RequestContext,
    argument: &'static str,
    given: Option<&[BuiltInSegmentInput]>,
    at: Instant,
) -> Result<Vec<AskedBuiltIn>> {
    let mut reader = Reader::of(argument, request);
    let read = list(given.unwrap_or_default(), &mut reader)?;
    let problems = unfit_currencies(request, &reader.scored).await?;
    if let Some(problem) = problems.into_iter().next() {
        return Err(Failure::from(problem));
    }
    let read = request.complete_all(read).await?;
    let named: Vec<(BuiltIn, String)> = read
        .into_iter()
        .map(|one| {
            let name = name(&one.kind);
            (one, name)
        })
        .collect();
    let sets = request.built_in_sets(&named, request.moment(at)).await?;
    let all = named.iter().zip(sets);
    Ok(all
        .map(|((one, _), set)| AskedBuiltIn {
            segment: BuiltInSegment::new(one, request, at),
            set,
        })
        .collect())
}
