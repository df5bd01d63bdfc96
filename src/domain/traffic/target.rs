//! Products worth sending traffic to: what an order of each is expected to bring, and the reasons.
//!
//! ```text
//! expected per order = (approved reward + pending reward × base rate) / orders of any status
//! ```
//!
//! Declined orders bring nothing and count, so a product's own approval is in it; of what is on hold the part is
//! expected that was approved before (`base`). Everything is computed from whole sums, in millionths of 1/10 000.

use crate::domain::action::words;
use crate::domain::filter::{ActionTest, Filter, ProductTest};
use crate::domain::money::{Currency, Money, format_e4};
use crate::domain::sales::{AxisRange, FactQuery, ratio};
use crate::domain::segment::ProductRules;
use crate::domain::time::Span;
use uuid::Uuid;

/// How many parts 1/10 000 of a currency unit has where orders are ranked.
pub const PARTS: i64 = 1_000_000;
/// How many orders a product has at least, unless the caller says otherwise: one lucky order does not lead.
pub const MIN_ORDERS: u32 = 5;

/// Which part of what is on hold is expected, in millionths: reward approved of reward processed, before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BaseRate {
    /// Reward approved, 1/10 000.
    pub approved_e4: i64,
    /// Reward declined, 1/10 000.
    pub declined_e4: i64,
}

impl BaseRate {
    /// The part in millionths, rounded down; 0 where nothing was processed, 1 000 000 at most.
    #[must_use]
    pub fn millionths(self) -> i64 {
        let approved = i128::from(self.approved_e4.max(0));
        let processed = approved + i128::from(self.declined_e4.max(0));
        if processed == 0 {
            return 0;
        }
        i64::try_from(approved * i128::from(PARTS) / processed).unwrap_or(PARTS)
    }

    /// The part as a number from 0 to 1; none where nothing was processed.
    #[must_use]
    pub fn ratio(self) -> Option<f64> {
        let processed = self
            .approved_e4
            .max(0)
            .saturating_add(self.declined_e4.max(0));
        ratio(self.approved_e4.max(0), processed)
    }
}

/// Which products are ranked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetQuery {
    /// The facts: declined ones too, unless the filter names statuses.
    pub facts: FactQuery,
    /// Which products are ranked. What is bought with them in the same cart is not, unless it passes as well.
    pub products: Filter<ProductTest>,
    /// The currency; orders in others are left out.
    pub currency: Currency,
    /// What is expected of what is on hold, in millionths.
    pub base_millionths: i64,
    /// How many orders a product has at least.
    pub min_orders: u32,
    /// Whether products are left out that feeds have and none offers.
    pub only_available: bool,
}

/// What is asked of products worth sending traffic to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRequest {
    /// When, and what it is compared with.
    pub range: AxisRange,
    /// The period before.
    pub previous: Span,
    /// Which actions.
    pub filter: Filter<ActionTest>,
    /// Which products.
    pub products: Filter<ProductTest>,
    /// The currency; that of the program that traffic goes through unless given.
    pub currency: Option<Currency>,
    /// How many orders a product has at least.
    pub min_orders: u32,
    /// Whether products are left out that feeds have and none offers.
    pub only_available: bool,
}

/// How they are found, and what their numbers rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPlan {
    /// Which products, and how they are ranked.
    pub query: TargetQuery,
    /// What they are compared with.
    pub previous: Span,
    /// What of what is on hold is expected.
    pub base: BaseRate,
}

/// What orders of a product in one currency sum up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetSums {
    /// Orders of any status.
    pub orders: i64,
    /// Those approved, stalled ones included.
    pub approved: i64,
    /// Those declined.
    pub declined: i64,
    /// Units that were not declined.
    pub units: i64,
    /// Order amount of any status, 1/10 000.
    pub order_amount_e4: i64,
    /// Reward approved, 1/10 000.
    pub approved_e4: i64,
    /// Reward on hold, 1/10 000.
    pub pending_e4: i64,
}

impl TargetSums {
    /// Orders that were processed.
    #[must_use]
    pub fn processed(&self) -> i64 {
        self.approved + self.declined
    }

    /// Share of the processed orders that were approved; none when none was processed.
    #[must_use]
    pub fn approval_rate(&self) -> Option<f64> {
        ratio(self.approved, self.processed())
    }
}

/// A ranked product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// The product.
    pub product_id: Uuid,
    /// Competition rank.
    pub rank: i64,
    /// What is expected per order, in [`PARTS`] of 1/10 000.
    pub expected: i64,
    /// What it is made of.
    pub sums: TargetSums,
}

impl TargetRow {
    /// What is expected per order, rounded half away from zero to 1/10 000.
    #[must_use]
    pub fn per_order(&self, currency: Currency) -> Money {
        let half = self.expected.signum() * PARTS / 2;
        Money {
            e4: self.expected.saturating_add(half) / PARTS,
            currency,
        }
    }
}

words! {
    /// Whether a product can be ordered, as its feeds say.
    Availability {
        /// A feed offers it.
        Available = "AVAILABLE",
        /// Feeds have it, and none offers it.
        Unavailable = "UNAVAILABLE",
        /// No feed says.
        Unknown = "UNKNOWN",
    }
}

impl Availability {
    /// What feeds that say something say together.
    #[must_use]
    pub fn of(said: impl IntoIterator<Item = Option<bool>>) -> Self {
        let mut found = Self::Unknown;
        for says in said.into_iter().flatten() {
            if says {
                return Self::Available;
            }
            found = Self::Unavailable;
        }
        found
    }
}

words! {
    /// Why a product is worth traffic, or less so.
    TargetReasonKind {
        /// What an order is expected to bring.
        ExpectedReward = "EXPECTED_REWARD",
        /// It is on the publisher's priority list.
        Priority = "PRIORITY",
        /// It is a hot product.
        Hot = "HOT",
        /// It sells more than before, as the segment of the same name says.
        Rising = "RISING",
        /// Of its processed orders the base rate or more were approved.
        HighApproval = "HIGH_APPROVAL",
        /// What Admitad pays of the order amount is known.
        CommissionRate = "COMMISSION_RATE",
        /// Against: it sells less than before, likewise.
        Falling = "FALLING",
        /// Against: so few of its processed orders are approved that it is risky.
        LowApproval = "LOW_APPROVAL",
        /// Against: most of its orders are not processed yet.
        MostlyPending = "MOSTLY_PENDING",
        /// Against: no feed offers it.
        Unavailable = "UNAVAILABLE",
    }
}

/// A reason with its sentence.
pub type TargetReason = (TargetReasonKind, String);

impl TargetReasonKind {
    /// Whether it speaks for the product.
    #[must_use]
    pub fn speaks_for(self) -> bool {
        !matches!(
            self,
            Self::Falling | Self::LowApproval | Self::MostlyPending | Self::Unavailable
        )
    }
}

/// What is known of a ranked product beside its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// Units in the period before.
    pub previous_units: i64,
    /// Whether it is a hot product.
    pub is_hot: bool,
    /// Whether it is on the priority list.
    pub is_priority: bool,
    /// Percent of the order amount that Admitad pays, 1/10 000 of a percent.
    pub rate_e4: Option<i64>,
    /// What feeds say.
    pub availability: Availability,
}

/// The reasons, those that speak for the product first; what is much or little the publisher's rules of segments say.
#[must_use]
pub fn reasons(
    row: &TargetRow,
    signals: &Signals,
    rules: &ProductRules,
    currency: Currency,
    base: BaseRate,
) -> Vec<TargetReason> {
    use TargetReasonKind as Kind;
    let sums = &row.sums;
    let mut found = vec![(
        Kind::ExpectedReward,
        format!(
            "{} {currency} expected per order, from {} orders",
            format_e4(row.per_order(currency).e4, currency.minor_digits()),
            sums.orders
        ),
    )];
    if signals.is_priority {
        found.push((Kind::Priority, "it is on the priority list".to_owned()));
    }
    if signals.is_hot {
        found.push((
            Kind::Hot,
            "it is a hot product, which pays more through its special link".to_owned(),
        ));
    }
    let (now, before) = (sums.units, signals.previous_units);
    let words = format!("{now} units, {before} in the period before");
    if rules.rises(now, before) {
        found.push((Kind::Rising, words.clone()));
    }
    let processed = sums.processed();
    let told = format!(
        "{} of {processed} processed orders were approved",
        sums.approved
    );
    // Without a base there is nothing to be as high as.
    let is_high = base.ratio().is_some()
        && i128::from(sums.approved) * i128::from(PARTS)
            >= i128::from(processed) * i128::from(base.millionths());
    let is_low = rules.is_risky(sums.approved, processed);
    if rules.is_enough(processed) && is_high && !is_low {
        found.push((Kind::HighApproval, told.clone()));
    }
    if let Some(rate) = signals.rate_e4 {
        let rate = format_e4(rate, 2);
        found.push((
            Kind::CommissionRate,
            format!("Admitad pays {rate} % of the order amount"),
        ));
    }
    if rules.falls(now, before) {
        found.push((Kind::Falling, words));
    }
    if is_low {
        found.push((Kind::LowApproval, told));
    }
    if processed * 2 < sums.orders {
        let open = sums.orders - processed;
        found.push((
            Kind::MostlyPending,
            format!("{open} of {} orders are not processed yet", sums.orders),
        ));
    }
    if signals.availability == Availability::Unavailable {
        found.push((
            Kind::Unavailable,
            "its feeds say that it cannot be ordered".to_owned(),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(orders: i64, approved: i64, declined: i64, units: i64) -> TargetRow {
        TargetRow {
            product_id: Uuid::nil(),
            rank: 1,
            expected: 15_000 * PARTS + PARTS / 2,
            sums: TargetSums {
                orders,
                approved,
                declined,
                units,
                ..TargetSums::default()
            },
        }
    }

    const PLAIN: Signals = Signals {
        previous_units: 20,
        is_hot: false,
        is_priority: false,
        rate_e4: None,
        availability: Availability::Unknown,
    };

    const BASE: BaseRate = BaseRate {
        approved_e4: 9,
        declined_e4: 1,
    };

    fn kinds(row: &TargetRow, signals: &Signals) -> Vec<&'static str> {
        let rules = ProductRules::default();
        let found = reasons(row, signals, &rules, Currency::USD, BASE);
        found.iter().map(|(kind, _)| kind.as_str()).collect()
    }

    #[test]
    fn the_base_is_a_part_and_none_without_what_was_processed() {
        assert_eq!(BASE.millionths(), 900_000);
        assert_eq!(BaseRate::default().millionths(), 0);
        assert_eq!(BaseRate::default().ratio(), None);
        let odd = BaseRate {
            approved_e4: i64::MAX,
            declined_e4: -5,
        };
        assert_eq!(odd.millionths(), PARTS);
        assert_eq!(row(1, 0, 0, 1).per_order(Currency::USD).e4, 15_001);
    }

    #[test]
    fn reasons_begin_with_the_reward_and_end_with_what_speaks_against() {
        assert_eq!(
            kinds(&row(20, 18, 2, 20), &PLAIN),
            ["EXPECTED_REWARD", "HIGH_APPROVAL"]
        );
        assert_eq!(kinds(&row(20, 17, 3, 20), &PLAIN), ["EXPECTED_REWARD"]);
        let all = Signals {
            previous_units: 40,
            is_hot: true,
            is_priority: true,
            rate_e4: Some(70_000),
            availability: Availability::Unavailable,
        };
        assert_eq!(
            kinds(&row(30, 4, 6, 20), &all),
            [
                "EXPECTED_REWARD",
                "PRIORITY",
                "HOT",
                "COMMISSION_RATE",
                "FALLING",
                "LOW_APPROVAL",
                "MOSTLY_PENDING",
                "UNAVAILABLE"
            ]
        );
        assert_eq!(
            kinds(&row(20, 0, 0, 30), &PLAIN),
            ["EXPECTED_REWARD", "RISING", "MOSTLY_PENDING"]
        );
        // Nine are no rise, and from nothing there is none.
        assert_eq!(
            kinds(
                &row(9, 9, 0, 9),
                &Signals {
                    previous_units: 0,
                    ..PLAIN
                }
            ),
            ["EXPECTED_REWARD"]
        );
        let from = |previous_units: i64, units: i64| {
            let signals = Signals {
                previous_units,
                ..PLAIN
            };
            kinds(&row(9, 9, 0, units), &signals)
        };
        assert_eq!(from(0, 20), ["EXPECTED_REWARD"]);
        assert_eq!(from(6, 12), ["EXPECTED_REWARD", "RISING"]);
        assert_eq!(from(6, 9), ["EXPECTED_REWARD"]);
        assert_eq!(from(12, 6), ["EXPECTED_REWARD", "FALLING"]);
        // Where nothing was processed before, no rate is a high one, and one that is low stays so.
        let rules = ProductRules::default();
        let without_base = |row: &TargetRow| {
            let found = reasons(row, &PLAIN, &rules, Currency::USD, BaseRate::default());
            let kinds = found.iter().map(|(kind, _)| kind.as_str());
            kinds.collect::<Vec<_>>()
        };
        assert_eq!(without_base(&row(20, 20, 0, 20)), ["EXPECTED_REWARD"]);
        assert_eq!(
            without_base(&row(20, 9, 11, 20)),
            ["EXPECTED_REWARD", "LOW_APPROVAL"]
        );
        let nothing_approved = BaseRate {
            approved_e4: 0,
            declined_e4: 1,
        };
        let found = reasons(
            &row(20, 10, 10, 20),
            &PLAIN,
            &rules,
            Currency::USD,
            nothing_approved,
        );
        assert_eq!(found[1].0, TargetReasonKind::HighApproval);
        let found = reasons(&row(20, 18, 2, 20), &PLAIN, &rules, Currency::USD, BASE);
        assert!(
            found[0].1.contains("USD") && found[0].1.contains("20 orders"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_much_and_little_is_the_publishers_to_say() {
        let rules = ProductRules {
            change_percent: 10,
            change_units: 5,
            risky_processed: 5,
            risky_percent: 80,
            ..ProductRules::default()
        };
        let kinds = |row: &TargetRow, previous_units: i64| -> Vec<&'static str> {
            let signals = Signals {
                previous_units,
                ..PLAIN
            };
            let found = reasons(row, &signals, &rules, Currency::USD, BASE);
            found.iter().map(|(kind, _)| kind.as_str()).collect()
        };
        assert_eq!(
            kinds(&row(6, 5, 1, 6), 5),
            ["EXPECTED_REWARD", "RISING"],
            "five of six are 83 percent: neither low nor as high as the base"
        );
        assert_eq!(
            kinds(&row(5, 3, 2, 9), 10),
            ["EXPECTED_REWARD", "FALLING", "LOW_APPROVAL"]
        );
        assert_eq!(
            kinds(&row(5, 5, 0, 4), 4),
            ["EXPECTED_REWARD", "HIGH_APPROVAL"]
        );
    }

    #[test]
    fn one_feed_that_offers_it_is_enough() {
        assert_eq!(
            Availability::of([None, Some(false), Some(true)]),
            Availability::Available
        );
        assert_eq!(
            Availability::of([None, Some(false)]),
            Availability::Unavailable
        );
        assert_eq!(Availability::of([None]), Availability::Unknown);
    }
}
