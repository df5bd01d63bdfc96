//! The built-in segments of products and of users, and what makes somebody a member.
//!
//! Membership is decided here, from the sums of each product or user, by pure functions: one definition for lists,
//! sizes and nested members.

use super::action::words;
use super::sales::Sums;
use super::time::Instant;
use uuid::Uuid;

words! {
    /// A built-in segment of products.
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
        /// The products that make the first 80 % of the units.
        AbcA = "ABC_A",
        /// The products that make the next 15 %.
        AbcB = "ABC_B",
        /// The products that make the last 5 %.
        AbcC = "ABC_C",
    }
}

words! {
    /// A kind of built-in segment of users.
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
        /// Users whose latest counted action came from one country; one segment per country.
        Country = "COUNTRY",
        /// Counted actions without a user.
        Unattributed = "UNATTRIBUTED",
    }
}

/// The parameters of the product segments; the defaults are the product's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductRules {
    /// How many best sellers; ties on the last place are cut by id.
    pub best_sellers: usize,
    /// Growth or fall, in percent of the previous period's units, from which a product rises or falls.
    pub change_percent: i64,
    /// Units (of the larger period) below which a product neither rises nor falls.
    pub change_units: i64,
    /// Processed actions below which a product is not called risky.
    pub risky_processed: i64,
    /// Approval rate, in percent, below which it is.
    pub risky_percent: i64,
    /// Cumulative share, in percent of units, at which A ends.
    pub abc_a_percent: i64,
    /// Cumulative share at which B ends.
    pub abc_b_percent: i64,
}

impl Default for ProductRules {
    fn default() -> Self {
        Self {
            best_sellers: 100,
            change_percent: 50,
            change_units: 10,
            risky_processed: 10,
            risky_percent: 50,
            abc_a_percent: 80,
            abc_b_percent: 95,
        }
    }
}

/// What is known of a product for its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductStats {
    /// The product.
    pub product_id: Uuid,
    /// Sums in the range.
    pub sums: Sums,
    /// Units in the previous period.
    pub previous_units: i64,
    /// Counted units before the range's end, over all time.
    pub lifetime_units: i64,
    /// First counted sale ever (before the range's end).
    pub first_sold: Option<Instant>,
    /// Actions in the range that the advertiser has decided, whatever the decision.
    pub processed: i64,
    /// Those approved, stalled ones included.
    pub approved: i64,
    /// Hot product.
    pub is_hot: bool,
    /// On the priority list.
    pub is_priority: bool,
}

/// Sorts as members are listed: most units first, then most units of the previous period, ties by id.
pub fn sort_members(stats: &mut [ProductStats]) {
    stats.sort_by_key(|stats| {
        (
            std::cmp::Reverse(stats.sums.units),
            std::cmp::Reverse(stats.previous_units),
            stats.product_id,
        )
    });
}

/// The members of a segment as places in `stats`, which [`sort_members`] has sorted; `from` starts the range.
#[must_use]
pub fn product_members(
    segment: ProductSegment,
    stats: &[ProductStats],
    rules: &ProductRules,
    from: Instant,
) -> Vec<usize> {
    let pick = |keep: &dyn Fn(&ProductStats) -> bool| -> Vec<usize> {
        stats
            .iter()
            .enumerate()
            .filter(|(_, stats)| keep(stats))
            .map(|(place, _)| place)
            .collect()
    };
    let sold = |stats: &ProductStats| stats.sums.units > 0;
    let enough =
        |stats: &ProductStats| stats.sums.units.max(stats.previous_units) >= rules.change_units;
    match segment {
        ProductSegment::BestSellers => pick(&sold).into_iter().take(rules.best_sellers).collect(),
        ProductSegment::Rising => pick(&|stats| {
            enough(stats)
                && stats.previous_units > 0
                && (stats.sums.units - stats.previous_units) * 100
                    >= stats.previous_units * rules.change_percent
        }),
        ProductSegment::Falling => pick(&|stats| {
            enough(stats)
                && stats.previous_units > 0
                && (stats.previous_units - stats.sums.units) * 100
                    >= stats.previous_units * rules.change_percent
        }),
        ProductSegment::New => {
            pick(&|stats| sold(stats) && stats.first_sold.is_some_and(|first| first >= from))
        }
        ProductSegment::Dormant => pick(&|stats| !sold(stats) && stats.lifetime_units > 0),
        ProductSegment::Risky => pick(&|stats| {
            stats.processed >= rules.risky_processed
                && stats.approved * 100 < stats.processed * rules.risky_percent
        }),
        ProductSegment::Hot => pick(&|stats| sold(stats) && stats.is_hot),
        ProductSegment::Priority => pick(&|stats| stats.is_priority),
        ProductSegment::AbcA | ProductSegment::AbcB | ProductSegment::AbcC => {
            abc(segment, stats, rules)
        }
    }
}

/// ABC classes by units: a product belongs to A while the units of the products before it make less than 80 % of all.
fn abc(segment: ProductSegment, stats: &[ProductStats], rules: &ProductRules) -> Vec<usize> {
    let all: i64 = stats.iter().map(|stats| stats.sums.units).sum();
    let mut before = 0;
    let mut members = Vec::new();
    for (place, stats) in stats
        .iter()
        .enumerate()
        .filter(|(_, stats)| stats.sums.units > 0)
    {
        let class = if before * 100 < all * rules.abc_a_percent {
            ProductSegment::AbcA
        } else if before * 100 < all * rules.abc_b_percent {
            ProductSegment::AbcB
        } else {
            ProductSegment::AbcC
        };
        before += stats.sums.units;
        if class == segment {
            members.push(place);
        }
    }
    members
}

/// What is known of a user for its segments: only users with a counted action in the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStats {
    /// The user.
    pub user_id: Uuid,
    /// Sums of the counted actions in the range.
    pub sums: Sums,
    /// First counted action ever.
    pub first_at: Instant,
    /// Last counted action in the range.
    pub last_at: Instant,
    /// Click country of that action.
    pub country: Option<String>,
}

/// A user's RFM scores, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfm {
    /// Recency: 5 for the most recent.
    pub recency: u8,
    /// Frequency: 5 for the most actions.
    pub frequency: u8,
    /// Monetary: 5 for the largest order amount in the currency.
    pub monetary: u8,
}

impl Rfm {
    /// The segment of the scores; the ten cells cover every pair once.
    #[must_use]
    pub fn segment(self) -> UserSegment {
        match (self.recency, self.frequency) {
            (5.., 4..) => UserSegment::Champions,
            (5.., 2..) => UserSegment::PotentialLoyalists,
            (5.., _) => UserSegment::NewCustomers,
            (4, 4..) => UserSegment::LoyalCustomers,
            (4, 2..) => UserSegment::PotentialLoyalists,
            (4, _) => UserSegment::Promising,
            (3, 4..) => UserSegment::LoyalCustomers,
            (3, 3) => UserSegment::NeedAttention,
            (3, _) => UserSegment::AboutToSleep,
            (_, 5..) => UserSegment::CantLoseThem,
            (_, 3..) => UserSegment::AtRisk,
            _ => UserSegment::Hibernating,
        }
    }
}

/// The nearest-rank 20th, 40th, 60th and 80th percentiles of the values.
fn cuts(mut values: Vec<i64>) -> [i64; 4] {
    values.sort_unstable();
    [20, 40, 60, 80].map(|percent| {
        let rank = (values.len() * percent).div_ceil(100).max(1);
        values.get(rank - 1).copied().unwrap_or(0)
    })
}

/// 1 plus the number of cuts that the value is above, so equal values get equal scores.
fn score(value: i64, cuts: [i64; 4]) -> u8 {
    cuts.iter()
        .fold(1, |score, cut| score + u8::from(value > *cut))
}

/// The scores of each user, in their order. Recency is measured by the last action (later is better), frequency by
/// actions, `monetary` gives the amount in the one currency.
pub fn rfm_scores(users: &[UserStats], monetary: impl Fn(&UserStats) -> i64) -> Vec<Rfm> {
    let recency = cuts(users.iter().map(|user| user.last_at.micros()).collect());
    let frequency = cuts(users.iter().map(|user| user.sums.actions).collect());
    let amounts = cuts(users.iter().map(&monetary).collect());
    users
        .iter()
        .map(|user| Rfm {
            recency: score(user.last_at.micros(), recency),
            frequency: score(user.sums.actions, frequency),
            monetary: score(monetary(user), amounts),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_cells_cover_every_pair_once() {
        let mut seen = std::collections::BTreeMap::new();
        for recency in 1..=5 {
            for frequency in 1..=5 {
                *seen
                    .entry(
                        Rfm {
                            recency,
                            frequency,
                            monetary: 1,
                        }
                        .segment(),
                    )
                    .or_insert(0) += 1;
            }
        }
        let cells: Vec<i32> = seen.values().copied().collect();
        assert_eq!(seen.len(), 10);
        // champions 2, loyal 4, potential 4, new 1, promising 1, attention 1, sleep 2, can't lose 2, at risk 4, rest 4
        assert_eq!(cells, [2, 4, 4, 1, 1, 1, 2, 2, 4, 4]);
    }

    #[test]
    fn equal_values_get_equal_scores() {
        let cuts = cuts(vec![1, 1, 1, 1, 1, 1, 1, 2, 3, 9]);
        assert_eq!(cuts, [1, 1, 1, 2]);
        assert_eq!(score(1, cuts), 1);
        assert_eq!(score(2, cuts), 4);
        assert_eq!(score(9, cuts), 5);
    }

    fn product(id: u128, units: i64, previous_units: i64) -> ProductStats {
        ProductStats {
            product_id: Uuid::from_u128(id),
            sums: Sums {
                units,
                ..Sums::default()
            },
            previous_units,
            lifetime_units: units + previous_units,
            first_sold: None,
            processed: 0,
            approved: 0,
            is_hot: false,
            is_priority: false,
        }
    }

    #[test]
    fn abc_cuts_at_80_and_95_percent() {
        let mut stats = vec![
            product(1, 80, 0),
            product(2, 15, 0),
            product(3, 5, 0),
            product(4, 0, 3),
        ];
        sort_members(&mut stats);
        let rules = ProductRules::default();
        let of = |segment| product_members(segment, &stats, &rules, Instant::MIN);
        assert_eq!(of(ProductSegment::AbcA), [0]);
        assert_eq!(of(ProductSegment::AbcB), [1]);
        assert_eq!(of(ProductSegment::AbcC), [2]);
        assert_eq!(of(ProductSegment::Dormant), [3]);
    }

    #[test]
    fn rising_and_falling_need_half_and_ten_units() {
        let mut stats = vec![
            product(1, 15, 10),
            product(2, 14, 10),
            product(3, 9, 1),
            product(4, 5, 10),
            product(5, 20, 0),
        ];
        sort_members(&mut stats);
        let rules = ProductRules::default();
        let ids = |segment| -> Vec<u128> {
            let members = product_members(segment, &stats, &rules, Instant::MIN);
            members
                .iter()
                .map(|place| stats[*place].product_id.as_u128())
                .collect()
        };
        assert_eq!(ids(ProductSegment::Rising), [1]);
        assert_eq!(ids(ProductSegment::Falling), [4]);
    }
}
