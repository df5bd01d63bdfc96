//! What is read back: actions, cart items, products and the things they belong to, as typed values.
//!
//! Rows become these in `store::convert`; doors wrap them. Money is in 1/10 000 of the unit (`_e4`).

use super::action::{ActionType, Item, Stamp, State, Status};
use super::catalog::{Catalog, Eligibility, is_country};
use super::draft::Place;
pub use super::ledger::Adjustment;
use super::money::{Currency, Money};
use super::time::{DAY_US, Day, Instant};
use uuid::Uuid;

/// A target action in its latest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Derived id.
    pub id: Uuid,
    /// Upstream's id.
    pub external_id: String,
    /// Order number.
    pub order_id: Option<String>,
    /// Program.
    pub program_id: Uuid,
    /// Ad space.
    pub ad_space_id: Option<Uuid>,
    /// User; none is unattributed.
    pub user_id: Option<Uuid>,
    /// Tariff.
    pub tariff_id: Option<String>,
    /// Name of the rate.
    pub action_name: Option<String>,
    /// Sale or lead.
    pub action_type: ActionType,
    /// Status.
    pub status: Status,
    /// Status in upstream's word.
    pub raw_status: String,
    /// Reward released.
    pub paid: bool,
    /// Processed by the advertiser.
    pub processed: bool,
    /// On hold after it had been decided.
    pub returned_to_hold: bool,
    /// Reward, 1/10 000.
    pub reward_e4: i64,
    /// Order amount, 1/10 000.
    pub order_amount_e4: Option<i64>,
    /// Currency of both.
    pub currency: Currency,
    /// Click.
    pub clicked_at: Option<Instant>,
    /// Order.
    pub ordered_at: Instant,
    /// Last status change.
    pub status_updated_at: Option<Instant>,
    /// Closing day.
    pub closing_day: Option<Day>,
    /// Seconds from click to order.
    pub conversion_seconds: Option<i64>,
    /// Click country.
    pub country: Option<String>,
    /// `subid`, `subid1` … `subid4`.
    pub subids: [Option<String>; 5],
    /// Keyword.
    pub keyword: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Promo code.
    pub promo_code: Option<String>,
    /// Device class.
    pub device: Option<String>,
    /// Number of cart items.
    pub items_count: i32,
    /// Version.
    pub stamp: Stamp,
}

impl Action {
    /// The reward as money.
    #[must_use]
    pub fn reward(&self) -> Money {
        Money {
            e4: self.reward_e4,
            currency: self.currency,
        }
    }

    /// The order amount as money.
    #[must_use]
    pub fn order_amount(&self) -> Option<Money> {
        self.order_amount_e4.map(|e4| Money {
            e4,
            currency: self.currency,
        })
    }
}

/// A cart item with its place and its action's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartItem {
    /// The action.
    pub action_id: Uuid,
    /// Place in the cart, from 0.
    pub ordinal: i32,
    /// Currency of the action.
    pub currency: Currency,
    /// What it says.
    pub item: Item,
}

/// A state of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionState {
    /// The action.
    pub action_id: Uuid,
    /// What it says.
    pub state: State,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Derived id.
    pub id: Uuid,
    /// AliExpress product id.
    pub external_id: Option<String>,
    /// Latest name.
    pub name: Option<String>,
    /// Latest link.
    pub url: Option<String>,
    /// Latest image.
    pub image_url: Option<String>,
    /// Latest category, for display.
    pub category_id: Option<Uuid>,
    /// Product country code, verbatim.
    pub country: Option<String>,
    /// Hot product.
    pub is_hot: bool,
    /// On the publisher's priority list.
    pub is_priority: bool,
    /// Earliest order that carried it, or earliest feed that offered it.
    pub first_seen: Instant,
}

/// A product of the publisher's priority list that is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedProduct {
    /// The id that it will have.
    pub id: Uuid,
    /// AliExpress product id.
    pub external_id: Option<String>,
    /// The product id or link, as it was listed.
    pub written: String,
    /// When it was listed.
    pub listed_at: Instant,
}

/// A category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Derived id.
    pub id: Uuid,
    /// AliExpress category id, `unknown` for the node above unknown ones.
    pub external_id: String,
    /// Name.
    pub name: String,
    /// The category above.
    pub parent_id: Option<Uuid>,
    /// 1 at the top.
    pub level: i32,
    /// Itself or its ancestor at level 1.
    pub level1_id: Uuid,
    /// Itself or its ancestor at level 2.
    pub level2_id: Uuid,
    /// Whether the shipped tree has it.
    pub is_known: bool,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Derived id.
    pub id: Uuid,
    /// Upstream's id.
    pub external_id: Option<String>,
    /// Key of the shipped catalogue.
    pub catalog_key: Option<String>,
    /// Name.
    pub name: String,
    /// Default currency.
    pub currency: Option<Currency>,
    /// Days that an action is on hold on average, as the network says.
    pub hold_days: Option<i32>,
    /// Days that an action is on hold at most, as the network says.
    pub max_hold_days: Option<i32>,
    /// Days between a click and an order that still count, as the network says.
    pub cookie_days: Option<i32>,
    /// Days from an action to its reward on the balance on average, as the network says.
    pub payment_days: Option<i32>,
    /// Codes of the countries whose actions it takes, as the network says; none where it names none.
    pub countries: Vec<String>,
    /// Whether it takes the actions of all countries, as the network says.
    pub all_countries: Option<bool>,
}

impl Program {
    /// Days that an action is usually on hold: what the network says, else the shipped catalogue.
    #[must_use]
    pub fn usual_hold_days(&self) -> Option<i32> {
        self.hold_days.or_else(|| {
            let key = self.catalog_key.as_deref()?;
            Catalog::shipped().program(key)?.hold_days
        })
    }

    /// Days between a click and an order that still count: what the network says, else the shipped catalogue.
    #[must_use]
    pub fn usual_cookie_days(&self) -> Option<i32> {
        self.cookie_days.or_else(|| {
            let key = self.catalog_key.as_deref()?;
            Catalog::shipped().program(key)?.cookie_days
        })
    }

    /// Whether it pays for actions after a click from a country (in any case) on a day: by the rules of the shipped catalogue,
    /// which know days and rates; of a program that it does not have by the countries whose actions the network says that it
    /// takes.
    #[must_use]
    pub fn eligibility(&self, country: Option<&str>, on: Day) -> Eligibility {
        if let Some(key) = &self.catalog_key {
            return Catalog::shipped().eligibility(key, country, on);
        }
        let country = country.map(|code| code.trim().to_ascii_uppercase());
        let Some(country) = country.filter(|code| is_country(code)) else {
            return Eligibility::Unknown;
        };
        match (self.all_countries, self.countries.is_empty()) {
            (Some(true), _) => Eligibility::Full,
            (_, true) => Eligibility::Unknown,
            _ if self.countries.contains(&country) => Eligibility::Full,
            _ => Eligibility::NotPaid,
        }
    }

    /// Days after which an action that is still on hold is overdue: the longest hold, else the usual one.
    #[must_use]
    pub fn hold_limit_days(&self) -> Option<i32> {
        self.max_hold_days.or_else(|| self.usual_hold_days())
    }

    /// The end of the hold of an action that was ordered then.
    #[must_use]
    pub fn hold_ends_at(&self, ordered_at: Instant) -> Option<Instant> {
        let micros = i64::from(self.hold_limit_days()?) * DAY_US;
        Instant::from_micros(ordered_at.micros().checked_add(micros)?).ok()
    }
}

/// An ad space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdSpace {
    /// Derived id.
    pub id: Uuid,
    /// Upstream's id.
    pub external_id: Option<String>,
    /// Name.
    pub name: String,
    /// Which ad spaces share users.
    pub user_space: String,
    /// Which SubID names the user.
    pub user_subid_slot: i32,
}

/// A user: the publisher's customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Derived id.
    pub id: Uuid,
    /// Which ad spaces share users.
    pub user_space: String,
    /// The SubID's value.
    pub value: String,
    /// Earliest order, of any status.
    pub first_seen: Instant,
}

/// How an import run ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Waiting for its turn.
    Queued,
    /// Still going, or cut off.
    Running,
    /// All records in.
    Succeeded,
    /// Some records rejected.
    Partial,
    /// Failed.
    Failed,
}

impl RunState {
    /// The state as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Partial => "PARTIAL",
            Self::Failed => "FAILED",
        }
    }

    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
    ];

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Counters of an import run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Records read.
    pub read: i64,
    /// Actions inserted.
    pub inserted: i64,
    /// Actions changed.
    pub updated: i64,
    /// Records that changed nothing.
    pub unchanged: i64,
    /// Records older than what is stored.
    pub stale: i64,
    /// Actions that upstream no longer had.
    pub deleted: i64,
    /// Records rejected.
    pub rejected: i64,
    /// Amounts rounded to four decimals.
    pub rounded: i64,
}

/// An import run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRun {
    /// Id, in order of the starts.
    pub id: Uuid,
    /// Entrance, such as `FILE`.
    pub entrance: String,
    /// File name.
    pub name: String,
    /// State.
    pub state: RunState,
    /// Start.
    pub started_at: Instant,
    /// End.
    pub finished_at: Option<Instant>,
    /// Observation time of the states it brought.
    pub as_of: Instant,
    /// Offset of times that name none, minutes east of UTC, where it is known.
    pub offset_minutes: Option<i32>,
    /// Counters.
    pub counts: RunCounts,
    /// Why it failed.
    pub error: Option<String>,
    /// Bytes of its file that were read.
    pub bytes_read: Option<i64>,
    /// Bytes of its file, where that has a size.
    pub bytes_total: Option<i64>,
}

/// A rejected record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The run.
    pub run_id: Uuid,
    /// Number within the run, from 0.
    pub ordinal: i32,
    /// Where it stood.
    pub place: Place,
    /// Stable code.
    pub reason: String,
    /// The field at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The record as it came, personal data blanked.
    pub raw: String,
    /// The run by which it was mended.
    pub resolved_by_run: Option<Uuid>,
}
