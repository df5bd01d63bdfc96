//! The built-in segments of products and of users, and what makes somebody a member.
//!
//! Membership is decided here, from the sums of each product or user, by pure functions: one definition for lists,
//! sizes and nested members.

mod cohorts;
mod movement;
mod parameters;
mod products;
mod told;
mod users;

pub use cohorts::{Cohort, CohortPeriod, CohortRow, MAX_PERIODS, cohorts};
pub use movement::{Movement, Mover, Step, movement};
pub use parameters::{
    CUTS, Cuts, HighValue, MAX_PERIOD_DAYS, MonetaryMetric, Problem, ProductMetric, ProductRules,
    ProductSettings, Scoring, SegmentSettings, Thresholds, UserRules, UserSettings,
};
pub use products::{ProductStats, product_members, sort_members};
pub use users::{
    Rfm, UserStats, can_compare, high_value, in_members_order, rfm_scores, sort_users,
};

use super::action::words;
use serde::{Deserialize, Serialize};

words! {
    /// A built-in segment of products.
    #[derive(Serialize, Deserialize)]
    ProductSegment {
        /// The most sold.
        BestSellers = "BEST_SELLERS",
        /// Sold much more than in the previous period.
        Rising = "RISING",
        /// Sold much less than in the previous period.
        Falling = "FALLING",
        /// First sale ever in the range.
        New = "NEW",
        /// Sold before, not in the range.
        Dormant = "DORMANT",
        /// Sold, and often declined.
        Risky = "RISKY",
        /// Hot products that sold.
        Hot = "HOT",
        /// On the publisher's priority list.
        Priority = "PRIORITY",
        /// The products that make the first 80 % of the units, or of the amount that they are ranked by.
        AbcA = "ABC_A",
        /// The products that make the next 15 %.
        AbcB = "ABC_B",
        /// The products that make the last 5 %.
        AbcC = "ABC_C",
    }
}

words! {
    /// A kind of built-in segment of users.
    #[derive(Serialize, Deserialize)]
    UserSegment {
        /// First counted action ever in the range.
        New = "NEW",
        /// A counted action in the range and one before it.
        Returning = "RETURNING",
        /// RFM: R 5, F 4–5.
        Champions = "CHAMPIONS",
        /// RFM: R 3–4, F 4–5.
        LoyalCustomers = "LOYAL_CUSTOMERS",
        /// RFM: R 4–5, F 2–3.
        PotentialLoyalists = "POTENTIAL_LOYALISTS",
        /// RFM: R 5, F 1.
        NewCustomers = "NEW_CUSTOMERS",
        /// RFM: R 4, F 1.
        Promising = "PROMISING",
        /// RFM: R 3, F 3.
        NeedAttention = "NEED_ATTENTION",
        /// RFM: R 3, F 1–2.
        AboutToSleep = "ABOUT_TO_SLEEP",
        /// RFM: R 1–2, F 5.
        CantLoseThem = "CANT_LOSE_THEM",
        /// RFM: R 1–2, F 3–4.
        AtRisk = "AT_RISK",
        /// RFM: R 1–2, F 1–2.
        Hibernating = "HIBERNATING",
        /// The users of the largest amounts in one currency.
        HighValue = "HIGH_VALUE",
        /// Users whose latest counted action came from one country; one segment per country.
        Country = "COUNTRY",
        /// Users whose latest counted action came from one class of device; one segment per class.
        Device = "DEVICE",
        /// Counted actions without a user.
        Unattributed = "UNATTRIBUTED",
    }
}

impl UserSegment {
    /// Whether it is one of the ten segments of scores, of which every scored user is in one.
    #[must_use]
    pub fn is_rfm(self) -> bool {
        (Self::Champions..=Self::Hibernating).contains(&self)
    }
}
