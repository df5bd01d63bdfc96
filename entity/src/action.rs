//! A target action (sale or lead) in its latest state.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A target action (sale or lead) in its latest state.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "actions")]
pub struct Model {
    /// The publisher (tenant); leads every key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i64,
    /// Derived from source and upstream id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Network, `admitad`, the same for every entrance.
    pub source: String,
    /// Upstream's action id. Unique per source, since the id is derived from both.
    pub external_id: String,
    /// The advertiser's order number.
    pub order_id: Option<String>,
    /// The program.
    pub program_id: Uuid,
    /// The same, where no state told the program's id but its name alone.
    pub program_name_id: Option<Uuid>,
    /// The ad space.
    pub ad_space_id: Option<Uuid>,
    /// Of the name that the ad space is known by, where no state told its id: what a `name:` key derives to. It stays what it
    /// is while `ad_space_id` follows the name to the row that it leads to.
    pub ad_space_name_id: Option<Uuid>,
    /// The user; none is *unattributed*.
    pub user_id: Option<Uuid>,
    /// Upstream's tariff (rate) id.
    pub tariff_id: Option<String>,
    /// Name of the rate, such as `Paid order`.
    pub action_name: Option<String>,
    /// `SALE`, `LEAD` or `UNKNOWN`.
    pub action_type: String,
    /// `PENDING`, `APPROVED`, `APPROVED_BUT_STALLED`, `DECLINED` or `UNKNOWN`.
    pub status: String,
    /// The status in upstream's own word.
    pub raw_status: String,
    /// Reward released to the publisher.
    pub paid: bool,
    /// Processed by the advertiser.
    pub processed: bool,
    /// On hold after it had been approved or declined.
    pub returned_to_hold: bool,
    /// Reward (payment), 1/10 000 of the currency unit.
    pub reward_e4: i64,
    /// Order amount (cart), 1/10 000 of the currency unit; none for leads.
    pub order_amount_e4: Option<i64>,
    /// ISO 4217 code of both.
    pub currency: String,
    /// Click, µs since 1970 UTC.
    pub clicked_at_us: Option<i64>,
    /// Order, µs since 1970 UTC.
    pub ordered_at_us: i64,
    /// Last status change, µs since 1970 UTC.
    pub status_updated_at_us: Option<i64>,
    /// Day on which it is or was closed, days since 1970-01-01.
    pub closing_day: Option<i32>,
    /// Seconds from click to order.
    pub conversion_seconds: Option<i64>,
    /// Click country, ISO 3166 alpha-2.
    pub country: Option<String>,
    /// SubID `subid`.
    pub subid0: Option<String>,
    /// SubID `subid1`.
    pub subid1: Option<String>,
    /// SubID `subid2`.
    pub subid2: Option<String>,
    /// SubID `subid3`.
    pub subid3: Option<String>,
    /// SubID `subid4`.
    pub subid4: Option<String>,
    /// Contextual keyword.
    pub keyword: Option<String>,
    /// Decline reason or remark.
    pub comment: Option<String>,
    /// Comment, Unicode-folded for searching.
    pub comment_folded: Option<String>,
    /// Personal promo code.
    pub promo_code: Option<String>,
    /// Device class, from a postback's user agent.
    pub device: Option<String>,
    /// Number of cart items.
    pub items_count: i32,
    /// Units sold: the sum of the cart items'.
    pub units: i64,
    /// Sum of the cart items' amounts.
    pub items_amount_e4: i64,
    /// Sum of the cart items' rewards.
    pub items_reward_e4: i64,
    /// First part of the version: the status change, else the order, µs since 1970 UTC.
    pub changed_at_us: i64,
    /// Second part of the version: when this state was observed, µs since 1970 UTC.
    pub observed_at_us: i64,
    /// Fields kept from older states with their stamps, JSON; empty for none.
    pub inherited: String,
    /// The newest postback's standing, and what lies beneath it where it is shown, JSON; none without postbacks.
    pub notice: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
