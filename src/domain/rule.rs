//! Segments that people make: a named rule over users or over products, what it is stored as, and what it means at a
//! moment.
//!
//! A rule is a tree of [`Condition`]s. Periods in it stay as they were asked for ("the last 90 days") and get their
//! instants when the segment is evaluated, in the publisher's zone: a segment means the same in every query. Other
//! segments are named by id; [`Definitions::set`] puts their rules in their places, so that who writes SQL of a
//! [`SegmentSet`] needs to look nothing up.
//!
//! | file | holds |
//! | --- | --- |
//! | `built_in` | built-in segments as conditions |
//! | `nothing` | what a rule asks of the facts, and says of who has none |
//! | `list` | members as people list them: identifiers, links, CSV |
//! | `refer` | which segments a rule names, and putting them in their places |
//! | `limit` | how large rules may be, and that no segment leads back to itself |
//! | `scored` | whether settings go with the currencies that a rule asks for |
//! | `sentence` | a rule in words |

mod built_in;
mod limit;
mod list;
mod nothing;
mod refer;
mod scored;
mod sentence;

pub use built_in::{Asked, AskedWhen, BuiltIn, BuiltInKind, Found, MemberIds};
pub use limit::{
    MAX_BUILT_IN_MEMBERS, MAX_BUILT_IN_PERIODS, MAX_FILTER_MEASURES, MAX_MEASURES, MAX_MEMBERS,
    MAX_RULE_TESTS, MAX_RULE_VALUES, MAX_SEGMENT_DEPTH, MAX_SEGMENTS, MAX_TEXT, RuleLimits, Size,
};
pub use list::name_of;
pub use refer::{Definitions, Moment, Named, Refers};
pub use scored::Unfit;
pub use sentence::{Called, Described, Name, Thing};

use super::action::words;
use super::error::{Error, Result};
use super::filter::{ActionField, ActionTest, Filter, ItemTest, Op, ProductTest, UserTest};
use super::id::PublisherId;
use super::money::Currency;
use super::time::{Instant, Range, Span, WeekStart, Zone};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

words! {
    /// What a segment is a set of.
    Subject {
        /// The publisher's customers.
        Users = "USERS",
        /// Products.
        Products = "PRODUCTS",
    }
}

words! {
    /// Where a segment stands.
    SegmentState {
        /// Its members follow from its rule, whenever it is asked for.
        Live = "LIVE",
        /// Its members are those of one moment.
        Frozen = "FROZEN",
        /// Put away: its name is free, and nothing can be asked by it until it is restored.
        Archived = "ARCHIVED",
    }
}

words! {
    /// What is measured of a user or a product over a period.
    #[derive(Serialize, Deserialize)]
    Metric {
        /// Distinct actions.
        Actions = "ACTIONS",
        /// Units sold.
        Units = "UNITS",
        /// Order amount in one currency, 1/10 000.
        OrderAmount = "ORDER_AMOUNT",
        /// Reward in one currency, 1/10 000.
        Reward = "REWARD",
        /// Approved actions, stalled ones included.
        ApprovedActions = "APPROVED_ACTIONS",
        /// Declined actions.
        DeclinedActions = "DECLINED_ACTIONS",
        /// Approved of processed actions, 1/1 000 000, cut; none without processed ones.
        ApprovalRate = "APPROVAL_RATE",
        /// UTC days with an order.
        ActiveDays = "ACTIVE_DAYS",
        /// Whole days of 24 hours since the latest order; none without one.
        DaysSinceLast = "DAYS_SINCE_LAST",
        /// Whole days of 24 hours since the first order of the period; none without one.
        DaysSinceFirst = "DAYS_SINCE_FIRST",
        /// Distinct users: of products alone.
        Users = "USERS",
    }
}

impl Metric {
    /// Whether it is an amount, and so of one currency.
    #[must_use]
    pub fn is_of_money(self) -> bool {
        matches!(self, Self::OrderAmount | Self::Reward)
    }

    /// Whether who has no fact of the period has 0 of it; of the others they have none.
    #[must_use]
    pub fn is_zero_of_nothing(self) -> bool {
        !matches!(
            self,
            Self::ApprovalRate | Self::DaysSinceLast | Self::DaysSinceFirst
        )
    }

    /// Whether it looks at every decision, so that declined actions are in it whatever else counts.
    #[must_use]
    pub fn is_of_decisions(self) -> bool {
        matches!(
            self,
            Self::ApprovedActions | Self::DeclinedActions | Self::ApprovalRate
        )
    }

    /// How many of its units make one of the caller's.
    #[must_use]
    pub fn scale(self) -> i64 {
        match self {
            Self::OrderAmount | Self::Reward => super::money::SCALE,
            Self::ApprovalRate => 1_000_000,
            _ => 1,
        }
    }
}

/// Something measured of each user or product, from the facts of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What.
    pub metric: Metric,
    /// The currency of an amount.
    pub currency: Option<Currency>,
    /// By the order's instant; all time without one.
    pub period: Option<Range>,
    /// Which actions; declined ones do not count unless it names statuses.
    pub actions: Filter<ActionTest>,
    /// Which cart items: then sums are theirs. Products are measured by their items anyway.
    pub items: Option<Filter<ItemTest>>,
}

impl Measure {
    /// The stretch of the period at a moment, cut where the moment is: what came later was not known then.
    #[must_use]
    pub fn span(&self, at: Instant, zone: Zone) -> Span {
        let all = Span {
            from: Instant::MIN,
            to: at,
        };
        // A period that would begin before 1970 is all time.
        let period = self.period.map_or(Ok(all), |range| {
            range
                .resolve(at, zone, WeekStart::default())
                .map(|period| period.current)
        });
        let span = period.unwrap_or(all);
        let to = span.to.min(at);
        Span {
            from: span.from.min(to),
            to,
        }
    }

    /// Whether declined actions are left out.
    #[must_use]
    pub fn is_without_declined(&self) -> bool {
        let names_status = |test: &ActionTest| {
            matches!(
                test,
                ActionTest::Field(ActionField::Status | ActionField::RawStatus, _)
            )
        };
        !self.metric.is_of_decisions() && !self.actions.mentions(&names_status)
    }
}

/// A bound on something measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is measured.
    pub measure: Measure,
    /// At least this, in the metric's own scale.
    pub at_least: Option<i64>,
    /// At most this.
    pub at_most: Option<i64>,
}

impl Threshold {
    /// Whether a value lies within the bounds.
    #[must_use]
    pub fn holds(&self, value: i64) -> bool {
        self.at_least.is_none_or(|least| value >= least)
            && self.at_most.is_none_or(|most| value <= most)
    }
}

/// How many of a ranking are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Take {
    /// So many.
    Count(u32),
    /// So many 1/10 000 of a percent of all that are ranked, rounded up.
    PercentE4(u32),
}

/// The best, or the worst, by something measured; equal values are ranked by id, so that a rank takes as many as it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// What is measured. Only who has a value is ranked.
    pub measure: Measure,
    /// Whether the largest values are taken.
    pub is_largest: bool,
    /// How many.
    pub take: Take,
}

/// Members by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Ids.
    pub ids: Vec<Uuid>,
    /// Users: values of their SubID, in every user space. Products: natural keys (`id:` and the product id, or `url:` and
    /// a hash), also of products that are not known yet.
    pub names: Vec<String>,
}

/// Membership in segments, by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSegments {
    /// Whether it is to be in one of them; else in none.
    pub inside: bool,
    /// Which.
    pub segments: Vec<SegmentRef>,
}

/// A segment that is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// Its id.
    pub id: Uuid,
    /// What it is at the moment of asking: put in its place by [`Refers::put`], never stored.
    #[serde(skip)]
    pub set: Option<Arc<SegmentSet>>,
}

impl From<Uuid> for SegmentRef {
    fn from(id: Uuid) -> Self {
        Self { id, set: None }
    }
}

/// A condition on a user or a product, whose own fields are tested by `T`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition<T> {
    /// Its own fields, and the segments that it is in.
    Own(Filter<T>),
    /// The click country of the latest action that is not declined: of the user, or with the product.
    ClickCountry(Op),
    /// A bound on something measured.
    Threshold(Threshold),
    /// A place in a ranking.
    Rank(Rank),
    /// A list.
    Members(Members),
}

/// Who is in a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// Of users.
    Users(Filter<Condition<UserTest>>),
    /// Of products.
    Products(Filter<Condition<ProductTest>>),
}

/// The version of the stored form.
const STORED: u32 = 1;

/// How deep the filters of a rule may nest, whatever the settings say. `serde_json` reads 127 levels. A level of a rule is
/// four of them at most (`All` with its list, and `Any` with its own in there); the levels at which something is measured, carts
/// are looked into and a built-in segment ends it all take some ten more together. 24 leaves as many again for conditions to come.
pub const MAX_STORED_DEPTH: usize = 24;

/// A rule as it is stored.
#[derive(Deserialize, Serialize)]
struct Stored<R> {
    version: u32,
    rule: R,
}

impl Rule {
    /// What it is a set of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Users(_) => Subject::Users,
            Self::Products(_) => Subject::Products,
        }
    }

    /// The stored form: JSON with a version, the same text for the same rule.
    ///
    /// # Errors
    /// When it cannot be written, which only a fault of the server can cause.
    pub fn to_text(&self) -> Result<String> {
        let stored = Stored {
            version: STORED,
            rule: self,
        };
        serde_json::to_string(&stored).map_err(Error::internal)
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// When the text is not a rule of this version.
    pub fn from_text(text: &str) -> Result<Self> {
        let stored: Stored<Self> = serde_json::from_str(text).map_err(Error::internal)?;
        if stored.version != STORED {
            let cause = format!("a segment's rule has the version {}", stored.version);
            return Err(Error::internal(cause));
        }
        Ok(stored.rule)
    }
}

/// A segment at a moment, with everything that says who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSet {
    /// The segment; nil for a rule that is not saved.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whose.
    pub publisher: PublisherId,
    /// What it is a set of.
    pub subject: Subject,
    /// Who is in it.
    pub of: SetOf,
    /// Its members, where they were looked up: then nobody asks the rule.
    pub members: Option<Arc<MemberIds>>,
    /// How many members it has, where they were counted, whether they were kept or not.
    pub size: Option<i64>,
}

/// Who is in a segment at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetOf {
    /// Who the rule lets in, of those that were seen before the moment.
    Rule {
        /// The rule, with the segments that it names in their places.
        rule: Rule,
        /// The moment.
        at: Instant,
        /// The zone of its periods.
        zone: Zone,
    },
    /// Who was in it when it was frozen.
    Frozen,
}

/// A segment as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Id.
    pub id: Uuid,
    /// What it is a set of.
    pub subject: Subject,
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its version, from 1 on.
    pub version: i32,
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
    /// When its members were taken, of a frozen one.
    pub frozen_at: Option<Instant>,
    /// The segment and the version that it was frozen from.
    pub frozen_from: Option<(Uuid, i32)>,
    /// When it was put away.
    pub archived_at: Option<Instant>,
}

impl Segment {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> SegmentState {
        match (self.archived_at, self.frozen_at) {
            (Some(_), _) => SegmentState::Archived,
            (None, Some(_)) => SegmentState::Frozen,
            (None, None) => SegmentState::Live,
        }
    }
}

/// What a segment was at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentVersion {
    /// Its number, from 1 on.
    pub version: i32,
    /// The name then.
    pub name: String,
    /// The description then.
    pub description: String,
    /// The rule as its author sent it, JSON, where it was read.
    pub given: Option<String>,
    /// When it was saved.
    pub created_at: Instant,
}

#[cfg(test)]
mod tests;
