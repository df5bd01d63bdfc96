//! Built-in segments as conditions: which, over which period, and who is in them at a moment.
//!
//! Who is a member is said by `domain::segment` alone. It depends on cuts over everybody, so members are looked up before a
//! condition is written as SQL or tested: [`BuiltIn::asked`] says what is to be looked up, and [`super::Refers::put`] puts
//! it in its place. Nothing that is looked up depends on a rule, so nothing can lead back to itself.

use super::{Condition, Rule, Subject};
use crate::domain::filter::{Filter, ProductTest, UserTest};
use crate::domain::money::Currency;
use crate::domain::segment::{ProductSegment, SegmentSettings, UserSegment};
use crate::domain::time::{Instant, Period, Range, Span, Unit, WeekStart, Zone};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Which built-in segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BuiltInKind {
    /// One of users.
    Users {
        /// The kind.
        kind: UserSegment,
        /// The country of a segment by country, the class of one by device; none for users whose latest action names
        /// none, and for all other kinds.
        origin: Option<String>,
    },
    /// One of products.
    Products(ProductSegment),
}

impl BuiltInKind {
    /// What it is a set of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Users { .. } => Subject::Users,
            Self::Products(_) => Subject::Products,
        }
    }
}

/// A condition on being in a built-in segment over a period. Its parameters are those that the publisher has set when it
/// is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltIn {
    /// Which.
    pub kind: BuiltInKind,
    /// The period; without one the days that the publisher has set, which [`Self::complete`] puts in its place. It is stored
    /// as it was given.
    pub period: Option<Range>,
    /// The currency of amounts; as the publisher set it without one.
    pub currency: Option<Currency>,
    /// Who is in it at the moment of asking: put in its place by [`super::Refers::put`], never stored.
    #[serde(skip)]
    pub members: Option<Arc<MemberIds>>,
}

/// What is to be looked up for a condition at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Which segment.
    pub kind: BuiltInKind,
    /// The currency of amounts, where the condition names one.
    pub currency: Option<Currency>,
    /// When.
    pub when: AskedWhen,
}

/// The stretches of time that a built-in segment looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AskedWhen {
    /// The facts of the period, cut where the moment is: what came later was not known then.
    pub facts: Span,
    /// The end of the period, which recency is measured from.
    pub end: Instant,
    /// What the period is compared with.
    pub previous: Span,
    /// The zone.
    pub zone: Zone,
}

/// The members of a segment that were looked up, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberIds(Vec<Uuid>);

impl MemberIds {
    /// Members in any order.
    #[must_use]
    pub fn new(mut ids: Vec<Uuid>) -> Self {
        ids.sort_unstable();
        Self(ids)
    }

    /// Their ids, ascending.
    #[must_use]
    pub fn ids(&self) -> &[Uuid] {
        &self.0
    }

    /// Whether someone is among them.
    #[must_use]
    pub fn has(&self, id: &Uuid) -> bool {
        self.0.binary_search(id).is_ok()
    }
}

/// Members that were looked up.
pub type Found = HashMap<Asked, Arc<MemberIds>>;

/// The last so many days.
fn last_days(days: i64) -> Range {
    Range::Last {
        count: u32::try_from(days).unwrap_or(u32::MAX),
        unit: Unit::Day,
        whole_units: false,
    }
}

impl BuiltIn {
    /// Gives it the period that the publisher has set, where it names none.
    pub fn complete(&mut self, settings: &SegmentSettings) {
        self.period.get_or_insert_with(|| {
            let (products, users) = settings.usual_days();
            last_days(match self.kind.subject() {
                Subject::Products => products,
                Subject::Users => users,
            })
        });
    }

    /// The period at a moment; none where it would begin before 1970.
    #[must_use]
    pub fn resolved(&self, at: Instant, zone: Zone) -> Option<Period> {
        let mut complete = self.clone();
        complete.complete(&SegmentSettings::default());
        let range = complete.period?;
        range.resolve(at, zone, WeekStart::default()).ok()
    }

    /// What is to be looked up at a moment.
    #[must_use]
    pub fn asked(&self, at: Instant, zone: Zone) -> Asked {
        let start = Span {
            from: Instant::MIN,
            to: Instant::MIN,
        };
        let all = Span {
            from: Instant::MIN,
            to: at,
        };
        // A period that would begin before 1970 is all time, with nothing before it.
        let (span, previous) = self
            .resolved(at, zone)
            .map_or((all, start), |period| (period.current, period.previous));
        let cut = |span: Span| {
            let to = span.to.min(at);
            Span {
                from: span.from.min(to),
                to,
            }
        };
        Asked {
            kind: self.kind.clone(),
            currency: self.currency,
            when: AskedWhen {
                facts: cut(span),
                end: span.to,
                previous: cut(previous),
                zone,
            },
        }
    }
}

impl From<BuiltIn> for Rule {
    /// The rule that lets exactly its members in.
    fn from(built_in: BuiltIn) -> Self {
        let built_in = Box::new(built_in);
        match built_in.kind.subject() {
            Subject::Users => {
                let test = Filter::Test(UserTest::BuiltIn(built_in));
                Self::Users(Filter::Test(Condition::Own(test)))
            }
            Subject::Products => {
                let test = Filter::Test(ProductTest::BuiltIn(built_in));
                Self::Products(Filter::Test(Condition::Own(test)))
            }
        }
    }
}

impl AskedWhen {
    /// The facts that are read: the first action and the first sale ever are looked for among all.
    #[must_use]
    pub fn reads(&self) -> Span {
        Span {
            from: Instant::MIN,
            to: self.facts.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{DAY_US, Preset};

    fn instant(day: i64) -> Instant {
        Instant::nearest(day * DAY_US)
    }

    fn new_users(period: Range) -> BuiltIn {
        BuiltIn {
            kind: BuiltInKind::Users {
                kind: UserSegment::New,
                origin: None,
            },
            period: Some(period),
            currency: None,
            members: None,
        }
    }

    #[test]
    fn without_a_period_it_has_the_one_that_is_set() {
        let mut one = BuiltIn {
            period: None,
            ..new_users(Range::Preset(Preset::Today))
        };
        let days = |one: &BuiltIn| {
            let when = one.asked(instant(1_000), Zone::UTC).when;
            (when.end.micros() - when.facts.from.micros()) / DAY_US
        };
        assert_eq!(days(&one), 90);
        let mut settings = SegmentSettings::default();
        settings.users.period_days = Some(14);
        one.complete(&settings);
        assert_eq!(days(&one), 14);
        settings.users.period_days = Some(7);
        one.complete(&settings);
        assert_eq!(days(&one), 14, "what is given stays");
        one.kind = BuiltInKind::Products(ProductSegment::Rising);
        one.period = None;
        assert_eq!(days(&one), 30);
    }

    #[test]
    fn facts_end_with_the_moment_and_scores_with_the_period() {
        let between = Range::Between {
            from: instant(90),
            to: instant(110),
        };
        let when = new_users(between).asked(instant(100), Zone::UTC).when;
        assert_eq!(
            (when.facts.from, when.facts.to),
            (instant(90), instant(100))
        );
        assert_eq!(when.end, instant(110));
        assert_eq!(
            (when.previous.from, when.previous.to),
            (instant(70), instant(90))
        );
        let early = new_users(between).asked(instant(80), Zone::UTC).when;
        assert_eq!(
            (early.facts.from, early.facts.to),
            (instant(80), instant(80))
        );
        assert_eq!(
            (early.previous.from, early.previous.to),
            (instant(70), instant(80))
        );
    }

    #[test]
    fn a_period_moves_with_the_moment() {
        let last = Range::Last {
            count: 10,
            unit: Unit::Day,
            whole_units: false,
        };
        let one = new_users(last).asked(instant(100), Zone::UTC);
        let next = new_users(last).asked(instant(101), Zone::UTC);
        assert_eq!(one.when.facts.from, instant(90));
        assert_eq!(next.when.facts.from, instant(91));
        assert_ne!(one, next);
        assert_eq!(one, new_users(last).asked(instant(100), Zone::UTC));
    }

    #[test]
    fn members_are_found_in_any_order() {
        let id = Uuid::from_u128;
        let members = MemberIds::new(vec![id(3), id(1), id(2)]);
        assert_eq!(members.ids(), [id(1), id(2), id(3)]);
        assert!(members.has(&id(2)) && !members.has(&id(4)));
    }
}
