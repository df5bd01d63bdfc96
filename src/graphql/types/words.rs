//! The closed sets of words that answers and questions share.

use async_graphql::Enum;

use crate::domain::action;
use crate::domain::catalog;
use crate::domain::ledger;
use crate::domain::records;
use crate::domain::report::Bucket;
use crate::domain::segment;
use crate::domain::sync;
use crate::domain::totals::Source;

/// Where an action stands in its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "action::Status")]
pub enum ActionStatus {
    /// On hold: registered and not processed, or put back on hold.
    Pending,
    /// Confirmed by the advertiser.
    Approved,
    /// Confirmed, while the balance of the program is empty. Rates count it as approved.
    ApprovedButStalled,
    /// Declined by the advertiser.
    Declined,
    /// A word of Admitad's that is not known here; see `rawStatus`.
    Unknown,
}

/// What a user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "action::ActionType")]
pub enum ActionType {
    /// An order.
    Sale,
    /// Any other event, such as a registration.
    Lead,
    /// The source did not say.
    Unknown,
}

/// Whether a program is expected to pay for an action, by program, click country and day. What was paid is the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "catalog::Eligibility")]
pub enum Eligibility {
    /// At the full rate.
    Full,
    /// At a lower rate.
    Reduced,
    /// Not at all.
    NotPaid,
    /// No rule says, or the country is not known.
    Unknown,
}

/// What an adjustment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ledger::AdjustmentKind")]
pub enum AdjustmentKind {
    /// What the network took back for orders that it had confirmed, such as an antispam deduction.
    Deduction,
    /// A fine, such as one for fraudulent actions.
    Fine,
    /// Money that was earned and left for the publisher's own account.
    Payout,
    /// Money that went to another publisher, or came from one.
    Transfer,
    /// Money on top of rewards, such as a referral payment.
    Bonus,
    /// Any other correction of the balance.
    Correction,
}

/// How an import run ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "records::RunState")]
pub enum ImportState {
    /// Received, and waiting for its turn or to be read again.
    Queued,
    /// Still going, or cut off.
    Running,
    /// All records are in.
    Succeeded,
    /// Some records were rejected, the others are in.
    Partial,
    /// Failed.
    Failed,
}

/// How fresh the data of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "sync::Freshness")]
pub enum FreshnessState {
    /// Known up to a few minutes ago.
    Fresh,
    /// The first read of everything is under way.
    Filling,
    /// Older than it should be although nothing failed: no server may be fetching it.
    Late,
    /// The last attempts failed; it is tried again by itself.
    Failing,
    /// Somebody has to do something; `lastError` says what.
    Stopped,
    /// Nothing came in yet.
    Never,
    /// Comes when somebody sends it: its last run tells how that went.
    OnDemand,
}

/// What is read of an account at Admitad, each at its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "sync::Feed")]
pub enum SyncFeed {
    /// Ad spaces with their ids.
    AdSpaces,
    /// Actions whose status changed.
    Status,
    /// Actions of the last days, by their order.
    Recent,
    /// Names, currencies and hold times of programs.
    Programs,
    /// All actions since the beginning, once.
    Backfill,
    /// Exchange rates of the currencies in use.
    Rates,
    /// Clicks and views.
    Clicks,
    /// The balance and its history.
    Balance,
    /// What commission the products pay that were sold lately.
    Commissions,
    /// The affiliate links of ad spaces to programs.
    Links,
    /// All actions of the last 90 days again, for what Admitad changed or took back without a word.
    Nightly,
}

/// How a feed of an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "sync::Condition")]
pub enum SyncCondition {
    /// Its last read was complete; it waits for the next.
    Waiting,
    /// In the middle of a read.
    Reading,
    /// There is nothing more to read.
    Done,
    /// Its last attempt failed; it is tried again by itself.
    Failing,
    /// Somebody has to do something.
    Stopped,
}

/// A built-in segment of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "segment::ProductSegment")]
pub enum ProductSegmentKind {
    /// The most sold, by units unless the rules say otherwise.
    BestSellers,
    /// Sold much more than in the previous period.
    Rising,
    /// Sold much less than in the previous period.
    Falling,
    /// First sale ever in the range.
    New,
    /// Sold before, not in the range.
    Dormant,
    /// Sold, and often declined.
    Risky,
    /// Hot products that sold.
    Hot,
    /// On the publisher's priority list.
    Priority,
    /// The products that make the first 80 % of the units; of an amount, or another share, where the rules say so.
    AbcA,
    /// The products that make the next 15 %.
    AbcB,
    /// The products that make the last 5 %.
    AbcC,
}

impl ProductSegmentKind {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::BestSellers => "Best sellers",
            Self::Rising => "Rising",
            Self::Falling => "Falling",
            Self::New => "New",
            Self::Dormant => "Dormant",
            Self::Risky => "Risky",
            Self::Hot => "Hot",
            Self::Priority => "Priority",
            Self::AbcA => "ABC class A",
            Self::AbcB => "ABC class B",
            Self::AbcC => "ABC class C",
        }
    }
}

/// A kind of built-in segment of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "segment::UserSegment")]
pub enum UserSegmentKind {
    /// First counted action ever in the range.
    New,
    /// A counted action in the range and one before it.
    Returning,
    /// RFM: recency 5, frequency 4 to 5.
    Champions,
    /// RFM: recency 3 to 4, frequency 4 to 5.
    LoyalCustomers,
    /// RFM: recency 4 to 5, frequency 2 to 3.
    PotentialLoyalists,
    /// RFM: recency 5, frequency 1.
    NewCustomers,
    /// RFM: recency 4, frequency 1.
    Promising,
    /// RFM: recency 3, frequency 3.
    NeedAttention,
    /// RFM: recency 3, frequency 1 to 2.
    AboutToSleep,
    /// RFM: recency 1 to 2, frequency 5.
    CantLoseThem,
    /// RFM: recency 1 to 2, frequency 3 to 4.
    AtRisk,
    /// RFM: recency 1 to 2, frequency 1 to 2.
    Hibernating,
    /// The users of the largest amounts in one currency: the top tenth of those scored, unless the rules say otherwise.
    HighValue,
    /// Users whose latest counted action in the range came from one country; one segment for each.
    Country,
    /// Users whose latest counted action in the range came from one class of device; one segment for each.
    Device,
    /// Counted actions without a user.
    Unattributed,
}

impl UserSegmentKind {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Returning => "Returning",
            Self::Champions => "Champions",
            Self::LoyalCustomers => "Loyal customers",
            Self::PotentialLoyalists => "Potential loyalists",
            Self::NewCustomers => "New customers",
            Self::Promising => "Promising",
            Self::NeedAttention => "Need attention",
            Self::AboutToSleep => "About to sleep",
            Self::CantLoseThem => "Can't lose them",
            Self::AtRisk => "At risk",
            Self::Hibernating => "Hibernating",
            Self::HighValue => "High value",
            Self::Country => "Country",
            Self::Device => "Device",
            Self::Unattributed => "Unattributed",
        }
    }
}

/// What a user's amounts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "segment::MonetaryMetric")]
pub enum MonetaryMetric {
    /// What the orders were worth.
    OrderAmount,
    /// What they brought the publisher.
    Reward,
}

/// What products are ranked by for best sellers and ABC classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "segment::ProductMetric")]
pub enum ProductMetric {
    /// Units sold.
    Units,
    /// What their items were worth, in one currency.
    OrderAmount,
    /// What they brought the publisher, in one currency.
    Reward,
}

/// The length of the periods of cohorts, in the calendar of the time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CohortBucket {
    /// Seven local days, from the first day of weeks on.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

impl From<CohortBucket> for Bucket {
    fn from(bucket: CohortBucket) -> Self {
        match bucket {
            CohortBucket::Week => Self::Week,
            CohortBucket::Month => Self::Month,
            CohortBucket::Quarter => Self::Quarter,
            CohortBucket::Year => Self::Year,
        }
    }
}

/// What top sellers are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RankMetric {
    /// Units sold.
    Units,
    /// Order amount, in one currency.
    OrderAmount,
    /// Reward, in one currency.
    Reward,
    /// Distinct actions.
    Actions,
}

/// A level of the category tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CategoryLevel {
    /// The top of the tree.
    One,
    /// The second level; the first where an item's own category is there.
    Two,
    /// The items' own categories, at whatever level they are.
    Own,
}

/// What an aggregate was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AggregateSource {
    /// The actions and their cart items themselves.
    Facts,
    /// Totals that are kept beside them.
    Totals,
    /// Totals, and the facts for what these do not cover: the ends of a range that are no whole days of UTC, or what no
    /// total keeps.
    TotalsAndFacts,
    /// Columns of the actions and their cart items in memory, which hold what this answer's transaction sees of them.
    Columns,
}

impl From<&Source> for AggregateSource {
    fn from(source: &Source) -> Self {
        match source {
            Source::Facts => Self::Facts,
            Source::Total(_, cover) if cover.ragged.is_empty() => Self::Totals,
            Source::Total(..) => Self::TotalsAndFacts,
        }
    }
}

/// What to keep in mind about an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum WarningCode {
    /// At least half of the actions are not processed yet: sums and rates will change.
    MostlyUnprocessed,
    /// Fewer than nine in ten actions have a cart that names products: rankings of products and categories miss the
    /// others.
    CartsIncomplete,
    /// Clicks are asked for of days of which they are not known, or of which the network refuses those of a program and ad
    /// space: ratios of clicks and views are null where these are included.
    ClicksIncomplete,
}

macro_rules! spelled {
    ($($word:ident = $domain:ty),+ $(,)?) => {$(
        impl $word {
            /// The word as it is stored.
            pub fn as_str(self) -> &'static str {
                <$domain>::from(self).as_str()
            }
        }
    )+};
}

spelled!(
    ActionStatus = action::Status,
    ActionType = action::ActionType,
    Eligibility = catalog::Eligibility,
    ImportState = records::RunState,
    AdjustmentKind = ledger::AdjustmentKind,
);
